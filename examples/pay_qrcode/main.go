// Pay_qrcode starts a payment by QR code (扫码支付), waits until the customer has paid, and goes on where the answer to Pay
// was lost.
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
	gw.Fail("/unipay/pay", 1, daxpaytest.ResetAfter) // the call runs, and its answer is lost

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名秘钥 in the gateway's console
	})
	if err != nil {
		return err
	}
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
	code, err := pay(ctx, kit, order)
	sent := time.Now()
	if err != nil {
		return err
	}
	if code != "" {
		fmt.Println("show the customer a QR code of", code)
	}

	gw.MarkPaid("ORDER-1") // the customer pays
	query := &param.QueryPayOrderParam{BizOrderNo: order.BizOrderNo}
	found, err := kit.WaitPay(ctx, query, daxpay.Wait{Made: sent, Amount: order.Amount})
	if err != nil {
		return fmt.Errorf("not known to be paid, look again later: %w", err)
	}
	if found.Data.Standing() != model.Succeeded {
		return fmt.Errorf("not paid: %s", found.Data.Status) // it still can be, until it expires: see package reconcile
	}
	fmt.Println("paid:", found.Data.Amount, "fen")
	return nil
}

// pay starts the payment and returns what the QR code shows. Where the outcome of Pay is unknown, it looks the payment
// up under the same number. If the payment is over already, there is no code.
func pay(ctx context.Context, kit *daxpay.Client, order *param.PayParam) (code string, err error) {
	res, err := kit.Pay(ctx, order)
	if errors.Is(err, daxpay.ErrOutcomeUnknown) {
		fmt.Println("looking it up, because", err)
		found, err := kit.RecoverPay(ctx, order, daxpay.Wait{})
		neverArrived := errors.Is(err, daxpay.ErrNoSuchOrder) && !errors.Is(err, daxpay.ErrOutcomeUnknown)
		switch {
		case err != nil && !neverArrived:
			return "", err // still unknown: leave the order open
		case err == nil && found.Data.Standing() != model.Open:
			return "", nil
		}
		return codeOf(kit.Pay(ctx, order)) // the same param again brings the code
	}
	return codeOf(res, err)
}

func codeOf(res *daxpay.Result[model.PayModel], err error) (string, error) {
	if err != nil {
		return "", err
	}
	return res.Data.PayBody, nil
}
