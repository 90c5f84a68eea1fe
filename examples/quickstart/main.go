// Quickstart makes the first calls to a gateway. Without any setup it uses a gateway inside the program, where a
// customer also pays by QR code. With DAXPAY_URL and DAXPAY_SECRET it uses that gateway and makes no payment: it syncs
// a payment and a refund and finishes an allocation, with the numbers in DAXPAY_BIZ_ORDER_NO, DAXPAY_REFUND_NO and
// DAXPAY_ALLOCATION_NO, or with numbers that do not exist. The other variables of daxpay.ConfigFromEnv are optional.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"os"

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
	order := cmp.Or(os.Getenv("DAXPAY_BIZ_ORDER_NO"), "quickstart-order")
	refund := cmp.Or(os.Getenv("DAXPAY_REFUND_NO"), "quickstart-refund")
	allocation := cmp.Or(os.Getenv("DAXPAY_ALLOCATION_NO"), "quickstart-allocation")

	config, err := daxpay.ConfigFromEnv()
	if os.Getenv("DAXPAY_URL") == "" {
		gw := daxpaytest.New()
		defer gw.Close()
		fmt.Println("DAXPAY_URL is not set: this is a gateway inside the program")
		if err := sell(gw); err != nil {
			return err
		}
		gw.SetPayment(daxpaytest.Payment{BizOrderNo: order, Status: model.PaySyncSuccess})
		gw.SetRefund(daxpaytest.Refund{RefundNo: refund, Status: model.RefundSyncProgress})
		gw.SetAllocation(daxpaytest.Allocation{AllocNo: allocation, Status: model.AllocEnd})
		config, err = gw.Config(), nil
	}
	if err != nil {
		return err
	}
	kit, err := daxpay.New(config)
	if err != nil {
		return err
	}
	ctx := context.Background()

	pay, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: order})
	if err := show("pay sync", pay, err, func(m model.PaySyncModel) any { return m.Status }); err != nil {
		return err
	}
	back, err := kit.SyncRefund(ctx, &param.RefundSyncParam{RefundNo: refund})
	if err := show("refund sync", back, err, func(m model.RefundSyncModel) any { return m.Status }); err != nil {
		return err
	}
	finished, err := kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: allocation})
	if err := show("allocation finish", finished, err, func(m model.AllocModel) any { return m.Status }); err != nil {
		return err
	}
	none, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "no-such-order"})
	return show("pay sync of no order", none, err, func(m model.PaySyncModel) any { return m.Status })
}

// sell starts a payment by QR code and waits until the customer has paid.
func sell(gw *daxpaytest.Gateway) error {
	ctx := context.Background()
	kit := gw.Client()
	res, err := kit.Pay(ctx, &param.PayParam{
		BizOrderNo: "A1", Title: "tea", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 1200,
	})
	if err != nil {
		return err
	}
	fmt.Printf("%-21s %v, QR code %s\n", "pay", res.Data.Status, res.Data.PayBody)
	gw.MarkPaid("A1") // the customer pays
	paid, err := kit.WaitPay(ctx, &param.QueryPayOrderParam{BizOrderNo: "A1"}, daxpay.Wait{Amount: 1200})
	if err != nil {
		return err
	}
	fmt.Printf("%-21s %v, %d fen\n", "wait", paid.Data.Status, paid.Data.Amount)
	return nil
}

// show prints the result of a call. A refusal is a result like any other, unless the gateway refuses the signature. Any
// other error ends the program.
func show[T any](call string, res *daxpay.Result[T], err error, status func(T) any) error {
	var refusal *daxpay.GatewayError
	var answer *daxpay.AnswerError
	switch {
	case err == nil:
		fmt.Printf("%-21s %v (verified: %t, trace %s)\n", call, status(res.Data), res.Verified, res.TraceID)
	case errors.As(err, &refusal) && refusal.Reason != daxpay.ReasonSignature:
		fmt.Printf("%-21s refused: %s (verified: %t, trace %s)\n", call, refusal.Msg, refusal.Signed, refusal.TraceID)
	case errors.As(err, &answer) && errors.Is(err, daxpay.ErrUnproved):
		fmt.Printf("%-21s not proved: %s (trace %s)\n", call, answer.Status, answer.TraceID)
	default:
		return fmt.Errorf("%s: %w", call, err)
	}
	return nil
}
