// Sync_pay asks whether an order was paid, and shows every way in which the question can end.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	gw := daxpaytest.New() // stands for your gateway
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{OrderNo: "DEVP24051019412063000002", BizOrderNo: "ORDER-1", Status: model.PaySyncSuccess})
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-2", Status: model.PaySyncProgress})

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名密钥 in the gateway's settings
	})
	if err != nil {
		return err
	}
	for _, number := range []string{"ORDER-1", "ORDER-2", "ORDER-3"} {
		fmt.Println(number, paid(context.Background(), kit, number))
	}
	return nil
}

// paid tells in words what is known about an order.
func paid(ctx context.Context, kit *daxpay.Client, bizOrderNo string) string {
	res, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: bizOrderNo})
	var refusal *daxpay.GatewayError
	switch {
	case err == nil && res.Data.Status == model.PaySyncSuccess:
		return "is paid"
	case err == nil && res.Data.Status == model.PaySyncProgress:
		return "is not paid yet: ask again later"
	case err == nil:
		return "is not paid: " + string(res.Data.Status)
	case errors.As(err, &refusal) && refusal.Business:
		return "the gateway says: " + refusal.Msg
	case errors.Is(err, daxpay.ErrSignMismatch):
		return "the answer is not the gateway's, or the secret is wrong: " + err.Error()
	case errors.Is(err, daxpay.ErrOutcomeUnknown):
		return "nobody knows yet; it does no harm to ask again: " + err.Error()
	default:
		return "cannot be asked for: " + err.Error()
	}
}
