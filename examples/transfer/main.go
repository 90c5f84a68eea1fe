// Transfer pays out money. A transfer that is sent twice is paid twice, so after an unknown outcome it is looked for, and never
// sent again.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
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
		ServiceURL: gw.URL(),                                 // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret,                        // 签名密钥 in the gateway's settings
		HTTPClient: &http.Client{Transport: &lossy{lose: 1}}, // loses the first answer; leave this out
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// Mark it as sent in your own table before this call, and never call it for one that is marked.
	res, err := kit.Transfer(ctx, &param.TransferParam{
		BizTransferNo: "TRANSFER-1",
		Channel:       model.ChannelAli,
		Amount:        500, // fen
		Title:         "三月奖金",
		PayeeType:     model.PayeeAliLoginName,
		PayeeAccount:  "wang@example.com",
		PayeeName:     "王小明",
	})
	switch {
	case err == nil:
		fmt.Println("taken as", res.Data.TransferNo)
	case errors.Is(err, daxpay.ErrOutcomeUnknown):
		fmt.Println("unknown:", err)
	default:
		return err // refused: nothing was paid
	}
	gw.MarkTransferred("TRANSFER-1") // meanwhile, at the channel
	done, err := kit.WaitTransfer(ctx, &param.QueryTransferParam{BizTransferNo: "TRANSFER-1"}, daxpay.Wait{})
	var refusal *daxpay.GatewayError
	if errors.As(err, &refusal) && refusal.Business {
		return fmt.Errorf("the gateway does not have it; a person must look at the channel before it is sent again: %w", err)
	}
	if err != nil {
		return err
	}
	fmt.Println("it ended with", done.Status, "and was paid", len(gw.Transfers()), "time")
	return nil
}

// lossy loses answers after the gateway has done its work.
type lossy struct{ lose int }

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && l.lose > 0 {
		l.lose--
		return nil, errors.Join(errors.New("connection lost"), res.Body.Close())
	}
	return res, err
}
