// Allocation shares a payment among receivers (分账): it adds a receiver, starts the allocation, waits for it and
// releases the rest.
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

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// Tell the gateway once who may receive shares.
	_, err := kit.AddAllocReceiver(ctx, &param.AllocReceiverAddParam{
		ReceiverNo: "SHOP-7", Channel: model.ChannelAli, RelationType: model.RelationStore,
		ReceiverType: model.ReceiverAliUserID, ReceiverAccount: "2088000000000007",
	})
	if err != nil && !errors.Is(err, daxpay.ErrEarlierSend) { // ErrEarlierSend: the receiver was added before
		return err
	}

	// Only a payment that is made with Allocation can be shared.
	pay := &param.PayParam{
		BizOrderNo: "ORDER-1", Title: "一双鞋", Channel: model.ChannelAli, Method: model.MethodQRCode,
		Amount: 10000, Allocation: true,
	}
	if _, err := kit.Pay(ctx, pay); err != nil {
		return err
	}
	gw.MarkPaid("ORDER-1") // the customer pays

	allocationNo, err := start(ctx, kit)
	if err != nil {
		return err
	}

	gw.MarkAllocated("ALLOC-1") // the channel pays the receivers
	query := &param.QueryAllocOrderParam{AllocNo: allocationNo}
	ended, err := kit.WaitAlloc(ctx, query, daxpay.Wait{Amount: 6000})
	if err != nil {
		return err
	}
	if ended.Data.Standing() != model.Succeeded {
		return fmt.Errorf("not shared: %s", ended.Data.Status)
	}
	for _, share := range ended.Data.Details { // each share has ended, but not each must have been paid
		fmt.Println(share.ReceiverNo, share.Amount, "fen:", share.Result)
	}

	// FinishAlloc releases what was not shared.
	finished, err := kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: allocationNo})
	if err != nil {
		return err
	}
	fmt.Println("finished:", finished.Data.Status)
	return nil
}

// start starts the allocation and returns the gateway's number. Store that number: no query or sync finds an allocation
// by your own.
func start(ctx context.Context, kit *daxpay.Client) (allocationNo string, err error) {
	res, err := kit.StartAlloc(ctx, &param.AllocStartParam{
		BizAllocNo: "ALLOC-1", BizOrderNo: "ORDER-1",
		Receivers: []param.AllocReceiver{{ReceiverNo: "SHOP-7", Amount: 6000}},
	})
	if errors.Is(err, daxpay.ErrOutcomeUnknown) {
		return "", fmt.Errorf("start it again after 10 seconds, with the same BizAllocNo: %w", err)
	}
	if err != nil {
		return "", err
	}
	fmt.Println("started as", res.Data.AllocNo, "in", res.Data.Status)
	return res.Data.AllocNo, nil
}
