// Sync_pay has the gateway ask the channel about a payment (支付同步) and handles every result of the call. To wait for a
// payment use WaitPay, which syncs when it is time: see examples/wait.
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
	kit := gw.Client() // for your gateway: daxpay.ConfigFromEnv and daxpay.New

	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Status: model.PaySyncSuccess})
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-2", Status: model.PaySyncProgress})

	for _, number := range []string{"ORDER-1", "ORDER-2", "ORDER-3"} {
		fmt.Println(number, paid(context.Background(), kit, number))
	}
	return nil
}

// paid returns in words what the channel says about a payment. QueryPayOrder tells what the gateway says.
func paid(ctx context.Context, kit *daxpay.Client, bizOrderNo string) string {
	res, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: bizOrderNo})
	switch {
	case err == nil && res.Data.Status == model.PaySyncSuccess:
		return "is paid"
	case err == nil && res.Data.Status == model.PaySyncProgress:
		return "is not paid yet: ask again later"
	case err == nil && res.Data.Status == model.PaySyncRefund:
		return "was paid, and the money was given back"
	case err == nil: // such as pay_not_found_unknown: with Alipay, no customer has opened the QR code yet
		return "is not paid: " + string(res.Data.Status)
	case errors.Is(err, daxpay.ErrNoSuchOrder):
		return "is no payment of this gateway"
	case errors.Is(err, daxpay.ErrSignMismatch):
		return "unknown: the answer is forged, or the secret is wrong: " + err.Error()
	case errors.Is(err, daxpay.ErrOutcomeUnknown):
		return "unknown: ask again, a second sync does no harm: " + err.Error()
	default:
		return "unknown: " + err.Error()
	}
}
