// Allocation shares a payment among receivers (分账), from adding a receiver to releasing the rest.
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
		SignSecret: daxpaytest.Secret, // 签名秘钥 in the gateway's console
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// Once: tell the gateway who may receive shares.
	_, err = kit.AddAllocReceiver(ctx, &param.AllocReceiverAddParam{
		ReceiverNo: "SHOP-7", Channel: model.ChannelAli, RelationType: model.RelationStore,
		ReceiverType: model.ReceiverAliUserID, ReceiverAccount: "2088000000000007",
	})
	if err != nil && !errors.Is(err, daxpay.ErrEarlierSend) { // with ErrEarlierSend it was added before
		return err
	}

	// Only a payment that was started with Allocation can be shared.
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
	for _, share := range ended.Data.Details { // Succeeded means that each share has ended, not that each was paid
		fmt.Println(share.ReceiverNo, share.Amount, "fen:", share.Result)
	}

	// Finishing releases what was not given away.
	finished, err := kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: allocationNo})
	if err != nil {
		return err
	}
	fmt.Println("finished:", finished.Data.Status)
	return nil
}

// start starts the allocation and returns the gateway's number. Store it: no query or sync finds an allocation by the
// merchant's number.
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
