package daxpaytest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// The customer pays, and the gateway learns of it by a sync.
func Example() {
	gw := daxpaytest.New()
	defer gw.Close()
	kit, ctx := gw.Client(), context.Background()

	pay := &param.PayParam{
		BizOrderNo: "A1", Title: "shoes", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 29900,
	}
	res, err := kit.Pay(ctx, pay)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Data.Status)

	gw.Channel().Pays("A1")
	sync, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sync.Data.Status)
	// Output:
	// progress
	// pay_success
}

// The channel pays out but answers too late, and the gateway calls the transfer failed.
func ExampleChannel_TimesOut() {
	gw := daxpaytest.New(daxpaytest.WithChannelTimeout(0))
	defer gw.Close()

	gw.Channel().TimesOut(daxpaytest.OpTransfer)
	_, err := gw.Client().Transfer(context.Background(), &param.TransferParam{
		BizTransferNo: "T1", Channel: model.ChannelAli, Amount: 500, PayeeType: model.PayeeAliUserID, PayeeAccount: "2088",
	})
	var answer *daxpay.AnswerError
	if errors.As(err, &answer) && errors.Is(err, daxpay.ErrOutcomeUnknown) {
		fmt.Println(answer.Status, "proves nothing")
	}
	fmt.Println("paid out:", len(gw.Transfers()))
	// Output:
	// fail proves nothing
	// paid out: 1
}
