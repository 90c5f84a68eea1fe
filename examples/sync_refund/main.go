// Sync_refund has the gateway ask the channel about a refund (退款同步) and handles every result of the call. Do not sync a
// refund in its first minute: if the channel does not know it yet, the gateway closes it. To wait for a refund use
// WaitRefund, which takes care of that: see examples/refund.
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

	gw.SetRefund(daxpaytest.Refund{BizRefundNo: "REFUND-1", Status: model.RefundSyncProgress})
	gw.SetRefund(daxpaytest.Refund{BizRefundNo: "REFUND-2", Status: model.RefundSyncSuccess})

	for _, number := range []string{"REFUND-1", "REFUND-2", "REFUND-3"} {
		fmt.Println(number, refunded(context.Background(), kit, number))
	}
	return nil
}

// refunded returns in words what the channel says about a refund.
func refunded(ctx context.Context, kit *daxpay.Client, bizRefundNo string) string {
	res, err := kit.SyncRefund(ctx, &param.RefundSyncParam{BizRefundNo: bizRefundNo})
	var refusal *daxpay.GatewayError
	switch {
	case err == nil && res.Data.Status == model.RefundSyncSuccess:
		return "is done"
	case err == nil && res.Data.Status == model.RefundSyncProgress:
		return "is not done yet: ask again later"
	case err == nil: // the gateway closes it and does not ask the channel again, so a person must
		return "is not done: " + string(res.Data.Status)
	case errors.Is(err, daxpay.ErrNoSuchOrder):
		return "is no refund of this gateway"
	case errors.As(err, &refusal) && refusal.Business: // the channel has not done it yet, or does not know it
		return "is not done yet: " + refusal.Msg
	default:
		return "unknown: ask again later: " + err.Error()
	}
}
