// Refund gives money back (退款), and goes on where the answer was lost.
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
	gw.Fail("/unipay/refund", 1, daxpaytest.ResetAfter) // the call runs, and its answer is lost
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 29900, Status: model.PaySyncSuccess})

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名秘钥 in the gateway's console
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()

	// Store the number before the call, and never use another one for the same money.
	refund := &param.RefundParam{BizRefundNo: "REFUND-1", BizOrderNo: "ORDER-1", Amount: 9900, Reason: "尺码不合"}
	err = start(ctx, kit, refund)
	sent := time.Now()
	if err != nil {
		return err
	}
	query := &param.QueryRefundOrderParam{BizRefundNo: refund.BizRefundNo}
	back, err := kit.WaitRefund(ctx, query, daxpay.Wait{Made: sent, Amount: refund.Amount})
	if err != nil {
		return err // still open, or for a person to look at: see daxpay.UnresolvedError
	}
	if back.Data.Standing() != model.Succeeded {
		return fmt.Errorf("send the same refund again, under the same number: %s", back.Data.Status)
	}
	fmt.Println("refund", back.Data.RefundNo, "is done:", back.Data.Status)
	return nil
}

// start returns nil once the gateway has the refund.
func start(ctx context.Context, kit *daxpay.Client, refund *param.RefundParam) error {
	res, err := kit.Refund(ctx, refund)
	switch {
	case err == nil:
		fmt.Println("taken as", res.Data.RefundNo)
		return nil
	case errors.Is(err, daxpay.ErrOutcomeUnknown), errors.Is(err, daxpay.ErrEarlierSend): // the gateway may have it
	default:
		return err // refused: nothing was done
	}
	fmt.Println("looking it up, because", err)
	found, err := kit.RecoverRefund(ctx, refund, daxpay.Wait{})
	if errors.Is(err, daxpay.ErrNoSuchOrder) && !errors.Is(err, daxpay.ErrOutcomeUnknown) {
		return fmt.Errorf("it never arrived, send it again under the same number: %w", err)
	}
	if err != nil {
		return err // still unknown: leave it open
	}
	fmt.Println("it had been taken as", found.Data.RefundNo)
	return nil
}
