// Wait follows a payment for a limited time and handles every result.
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
	kit := gw.Client() // for your gateway: daxpay.ConfigFromEnv and daxpay.New

	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 29900, Status: model.PaySyncProgress})

	looks := 0
	wait := daxpay.Wait{
		Made:   time.Now(), // when the order was sent
		Amount: 29900,      // an answer about another amount is refused
		First:  200 * time.Millisecond,
		Progress: func(status string, err error) {
			fmt.Println("status:", status, "error:", err)
			if looks++; looks == 2 {
				gw.MarkPaid("ORDER-1") // the customer pays
			}
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	order, err := kit.WaitPay(ctx, &param.QueryPayOrderParam{BizOrderNo: "ORDER-1"}, wait)
	var unresolved *daxpay.UnresolvedError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("still open, look again later: %w", err)
	case errors.As(err, &unresolved):
		return fmt.Errorf("a person must look at the channel (%s): %w", unresolved.Reason, err)
	case err != nil:
		return err
	}
	if order.Data.Standing() != model.Succeeded {
		// The customer can still pay until ExpiredTime. Only a later sync finds that; package reconcile makes one.
		return fmt.Errorf("not paid: %s; sync it once more after %v", order.Data.Status, order.Data.ExpiredTime)
	}
	fmt.Println("paid:", order.Data.Amount, "fen")
	return nil
}
