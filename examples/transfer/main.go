// Transfer pays out money (转账). The gateway pays a transfer as often as it is sent, so after a lost answer the program
// looks for the transfer and never sends it again.
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

	gw.Fail("/unipay/transfer", 1, daxpaytest.ResetAfter) // the call runs, and its answer is lost
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// Mark the transfer as sent in your own table before the call, and never send a marked one. The client also refuses to
	// send a number twice, as far as Config.OnceStore remembers: use a durable store, and share it between processes.
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
		fmt.Println("the gateway took it as", res.Data.TransferNo)
	case errors.Is(err, daxpay.ErrDuplicate): // the client has sent the number before
		fmt.Println("sent before:", err)
	case errors.Is(err, daxpay.ErrOutcomeUnknown): // also if the gateway calls it failed: the channel may have paid
		fmt.Println("unknown:", err)
	default:
		return err // nothing was paid
	}

	gw.MarkTransferred("TRANSFER-1") // the payee gets the money
	query := &param.QueryTransferOrderParam{BizTransferNo: transfer.BizTransferNo}
	done, err := kit.WaitTransfer(ctx, query, daxpay.Wait{Made: sent, Amount: transfer.Amount})
	var unresolved *daxpay.UnresolvedError
	if errors.As(err, &unresolved) {
		return fmt.Errorf("a person must look at the channel (%s): %w", unresolved.Reason, err)
	}
	if err != nil {
		return err // still open: wait again later
	}
	fmt.Println(done.Data.TransferNo, "is paid:", done.Data.Status)
	return nil
}
