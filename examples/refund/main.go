// Refund gives money back, with what to do when the outcome of the call is unknown.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

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
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 29900, Status: model.PaySyncSuccess})
	gw.Lock("REFUND-1") // another process is at work on the same refund

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名密钥 in the gateway's settings
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// The number is stored with the order before the first call: the same number is the same refund.
	refund := &param.RefundParam{BizRefundNo: "REFUND-1", BizOrderNo: "ORDER-1", Amount: 9900, Reason: "尺码不合"}
	if err := start(ctx, kit, refund); err != nil {
		fmt.Println(err)
		gw.Unlock("REFUND-1")
		if err := start(ctx, kit, refund); err != nil {
			return err
		}
	}
	gw.MarkRefunded("REFUND-1") // meanwhile, at the channel
	back, err := kit.WaitRefund(ctx, &param.QueryRefundParam{BizRefundNo: "REFUND-1"}, daxpay.Wait{})
	if err != nil {
		return err
	}
	fmt.Println("refund", back.RefundNo, "ended with", back.Status)
	return nil
}

// start returns nil once the gateway has the refund.
func start(ctx context.Context, kit *daxpay.Client, refund *param.RefundParam) error {
	res, err := kit.Refund(ctx, refund)
	switch {
	case err == nil:
		fmt.Println("taken as", res.Data.RefundNo)
		return nil
	case !errors.Is(err, daxpay.ErrOutcomeUnknown):
		return err // refused: nothing was done
	}
	found, err := kit.RecoverRefund(ctx, refund, daxpay.Wait{})
	if err != nil {
		return fmt.Errorf("not there yet, send it again later under the same number: %w", err)
	}
	fmt.Println("it had been taken as", found.RefundNo)
	return nil
}
