// Allocation shares a payment among receivers, from adding a receiver to the end.
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
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 10000, Status: model.PaySyncSuccess})

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名密钥 in the gateway's settings
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	_, err = kit.AddAllocReceiver(ctx, &param.AllocReceiverAddParam{
		ReceiverNo: "SHOP-7", Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID, ReceiverAccount: "2088000000000007",
		RelationType: model.RelationStore,
	})
	if err != nil {
		return err
	}
	started, err := kit.StartAllocation(ctx, &param.AllocationParam{
		BizAllocationNo: "ALLOC-1", BizOrderNo: "ORDER-1", Receivers: []param.AllocReceiver{{ReceiverNo: "SHOP-7", Amount: 6000}},
	})
	if err != nil {
		return err
	}
	fmt.Println("started as", started.Data.AllocationNo, "in", started.Data.Status)

	gw.MarkAllocated("ALLOC-1") // meanwhile, at the channel
	ended, err := kit.WaitAllocation(ctx, &param.QueryAllocOrderParam{AllocationNo: started.Data.AllocationNo}, daxpay.Wait{})
	if err != nil {
		return err
	}
	for _, share := range ended.Details {
		fmt.Println(share.ReceiverNo, share.Amount, "fen:", share.Result)
	}
	finished, err := kit.FinishAllocation(ctx, &param.AllocFinishParam{BizAllocationNo: "ALLOC-1"})
	if err != nil {
		return err
	}
	fmt.Println("finished:", finished.Data.Status)
	return nil
}
