// Sync_refund follows a refund until the channel has decided.
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
	gw.SetRefund(daxpaytest.Refund{BizRefundNo: "REFUND-1", Status: model.RefundSyncProgress})

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名密钥 in the gateway's settings
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for pause := time.Second; ; pause *= 2 {
		res, err := kit.SyncRefund(ctx, &param.RefundSyncParam{BizRefundNo: "REFUND-1"})
		if err != nil {
			return err
		}
		fmt.Println("REFUND-1", res.Data.Status)
		switch res.Data.Status {
		case model.RefundSyncSuccess, model.RefundSyncFail:
			return nil
		}
		gw.SetRefund(daxpaytest.Refund{BizRefundNo: "REFUND-1", Status: model.RefundSyncSuccess}) // meanwhile, at the channel
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
