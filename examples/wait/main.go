// Wait follows a payment for a limited time, and shows every way in which that can end.
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
		SignSecret: daxpaytest.Secret, // 签名秘钥 in the gateway's console
	})
	if err != nil {
		return err
	}
	looks := 0
	wait := daxpay.Wait{
		Made:   time.Now(), // when the order was sent
		Amount: 29900,      // an answer about another amount is refused
		First:  200 * time.Millisecond,
		Progress: func(status string, err error) {
			fmt.Println("look:", status, err)
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
		return fmt.Errorf("a person has to look (%s): %w", unresolved.Reason, err)
	case err != nil:
		return err
	}
	switch order.Data.Standing() {
	case model.Succeeded:
		fmt.Println("paid:", order.Data.Status)
	case model.Ended:
		// The customer can still pay until ExpiredTime, which only a later sync finds: package reconcile makes it.
		fmt.Println("over:", order.Data.Status, "; sync it once more after", order.Data.ExpiredTime)
	}
	return nil
}
