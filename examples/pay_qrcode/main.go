// Pay_qrcode starts a payment that the user makes by scanning a code, and waits for it.
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

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名密钥 in the gateway's settings
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	order := &param.PayParam{
		BizOrderNo: "ORDER-1",
		Title:      "一双鞋",
		Channel:    model.ChannelAli,
		Method:     model.MethodQRCode,
		Amount:     29900, // fen: 299 yuan
		NotifyURL:  "https://shop.example.com/notify",
	}
	res, err := kit.Pay(ctx, order)
	switch {
	case errors.Is(err, daxpay.ErrOutcomeUnknown):
		// The payment may be there. Find out under the same number; if it is, it can be started again for its code.
		found, err := kit.RecoverPay(ctx, order, daxpay.Wait{})
		if err != nil {
			return err
		}
		fmt.Println("found as", found.OrderNo, "in", found.Status)
		return nil
	case err != nil:
		return err
	}
	fmt.Println("show the user a QR code of", res.Data.PayBody)

	gw.MarkPaid("ORDER-1") // meanwhile, the user pays
	paid, err := kit.WaitPay(ctx, &param.QueryPayParam{BizOrderNo: "ORDER-1"}, daxpay.Wait{})
	if err != nil {
		return err
	}
	if paid.Status != model.PaySuccess || paid.Amount != order.Amount {
		return fmt.Errorf("not paid: %s", paid.Status)
	}
	fmt.Println("paid:", paid.Amount, "fen")
	return nil
}
