// Pay_qrcode starts a payment by QR code (扫码支付), shows the code in the terminal and waits until the customer has paid.
// The answer to the first request is lost.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/mdp/qrterminal/v3"

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

	gw.Fail("/unipay/pay", 1, daxpaytest.ResetAfter) // the call runs, and its answer is lost

	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute) // as long as the customer may take
	defer cancel()

	order := &param.PayParam{ // store the order before the call
		BizOrderNo: "ORDER-1",
		Title:      "一双鞋",
		Channel:    model.ChannelAli,
		Method:     model.MethodQRCode,
		Amount:     29900, // fen: 299 yuan
		NotifyURL:  "https://shop.example.com/notify",
	}
	state, err := kit.PayOrResume(ctx, order, daxpay.Wait{})
	sent := time.Now()
	if err != nil {
		return fmt.Errorf("call it again with the same order: %w", err)
	}
	if state.Standing() == model.Open {
		fmt.Println("scan to pay:", state.PayBody)
		qrterminal.GenerateHalfBlock(state.PayBody, qrterminal.L, os.Stdout)
	}

	gw.MarkPaid("ORDER-1") // the customer pays
	query := &param.QueryPayOrderParam{BizOrderNo: order.BizOrderNo}
	found, err := kit.WaitPay(ctx, query, daxpay.Wait{Made: sent, Amount: order.Amount})
	if err != nil {
		return fmt.Errorf("unknown, look again later: %w", err)
	}
	if found.Data.Standing() != model.Succeeded {
		return fmt.Errorf("not paid: %s", found.Data.Status) // it can still be paid until it expires: see package reconcile
	}
	fmt.Println("paid:", found.Data.Amount, "fen")
	return nil
}
