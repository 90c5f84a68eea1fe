// Wait shows how long waiting for the end of a payment is bounded, and watched.
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
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 29900, Status: model.PaySyncProgress})

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名密钥 in the gateway's settings
	})
	if err != nil {
		return err
	}
	looks := 0
	wait := daxpay.Wait{
		First:   200 * time.Millisecond,
		Ceiling: time.Second,
		Progress: func(status string, err error) {
			fmt.Println("look:", status, err)
			if looks++; looks == 2 {
				gw.MarkPaid("ORDER-1") // the user has made up his mind
			}
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	order, err := kit.WaitPay(ctx, &param.QueryPayParam{BizOrderNo: "ORDER-1"}, wait)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("still open, look again later: %w", err)
	case err != nil:
		return err
	}
	fmt.Println("ended with", order.Status)
	return nil
}
