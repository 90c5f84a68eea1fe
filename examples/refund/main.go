// Refund gives money back (退款) and waits until the refund is done. The answer to the first request is lost.
package main

import (
	"context"
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
	kit := gw.Client() // for your gateway: daxpay.ConfigFromEnv and daxpay.New

	gw.Fail("/unipay/refund", 1, daxpaytest.ResetAfter) // the call runs, and its answer is lost
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 29900, Status: model.PaySyncSuccess})

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()

	// Store the number before the call, and never use another one for the same money.
	refund := &param.RefundParam{BizRefundNo: "REFUND-1", BizOrderNo: "ORDER-1", Amount: 9900, Reason: "尺码不合"}
	state, err := kit.RefundOrResume(ctx, refund, daxpay.Wait{})
	sent := time.Now()
	if err != nil {
		return err // after ErrOutcomeUnknown call it again with the same refund; any other error: it gave nothing back
	}
	fmt.Println("the gateway took it as", state.Order.RefundNo)
	query := &param.QueryRefundOrderParam{BizRefundNo: refund.BizRefundNo}
	back, err := kit.WaitRefund(ctx, query, daxpay.Wait{Made: sent, Amount: refund.Amount})
	if err != nil {
		return err // still open, or a person must look at it: see daxpay.UnresolvedError
	}
	if back.Data.Standing() != model.Succeeded {
		return fmt.Errorf("send the same refund again, under the same number: %s", back.Data.Status)
	}
	fmt.Println("refund", back.Data.RefundNo, "is done:", back.Data.Status)
	return nil
}
