// Transfer pays out money (转账). The gateway pays a transfer twice if it gets it twice, so one whose answer was lost is
// looked up and never sent again.
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
	gw.Fail("/unipay/transfer", 1, daxpaytest.ResetAfter) // the call runs, and its answer is lost

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名秘钥 in the gateway's console
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// Mark the transfer as sent in your own table before this call, and never send one that is marked. Config.OnceStore
	// guards the number as well: share a durable one between processes.
	transfer := &param.TransferParam{
		BizTransferNo: "TRANSFER-1",
		Channel:       model.ChannelAli,
		Amount:        500, // fen
		Title:         "三月奖金",
		PayeeType:     model.PayeeAliLoginName,
		PayeeAccount:  "wang@example.com",
		PayeeName:     "王小明",
	}
	res, err := kit.Transfer(ctx, transfer)
	sent := time.Now()
	switch {
	case err == nil:
		fmt.Println("taken as", res.Data.TransferNo)
	case errors.Is(err, daxpay.ErrDuplicate): // the client refuses to send the number twice: see Config.OnceStore
		fmt.Println("sent before:", err)
	case errors.Is(err, daxpay.ErrOutcomeUnknown): // status fail as well: the channel may have paid all the same
		fmt.Println("unknown:", err)
	default:
		return err // refused: nothing was paid
	}

	gw.MarkTransferred("TRANSFER-1") // the payee gets the money
	query := &param.QueryTransferOrderParam{BizTransferNo: transfer.BizTransferNo}
	done, err := kit.WaitTransfer(ctx, query, daxpay.Wait{Made: sent, Amount: transfer.Amount})
	var unresolved *daxpay.UnresolvedError
	if errors.As(err, &unresolved) {
		return fmt.Errorf("a person must look at the channel (%s): %w", unresolved.Reason, err)
	}
	if err != nil {
		return err // still under way: wait again later
	}
	fmt.Println("it ended with", done.Data.Status, "and was paid", len(gw.Transfers()), "time")
	return nil
}
