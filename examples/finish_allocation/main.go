// Finish_allocation finishes an allocation (分账完结) and handles every result of the call.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

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

	gw.SetAllocation(daxpaytest.Allocation{
		AllocNo: "DEVA24060117191963000003", BizAllocNo: "ALLOC-1", Status: model.AllocEnd,
	})

	for range 2 { // the gateway refuses the second call
		if err := finish(context.Background(), kit, "DEVA24060117191963000003"); err != nil {
			return err
		}
	}
	return nil
}

func finish(ctx context.Context, kit *daxpay.Client, allocationNo string) error {
	res, err := kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: allocationNo})
	switch {
	case err == nil:
		fmt.Println(res.Data.AllocNo, "is", res.Data.Status)
		return nil
	case errors.Is(err, daxpay.ErrEarlierSend): // this send did nothing; an earlier one may have finished it
	case errors.Is(err, daxpay.ErrOutcomeUnknown): // this send may have finished it
	default:
		return err // nothing was done
	}
	order, err := kit.QueryAllocOrder(ctx, &param.QueryAllocOrderParam{AllocNo: allocationNo})
	if err != nil {
		return err
	}
	if order.Data.Status != model.AllocFinish {
		return fmt.Errorf("not finished, send it again: %s", order.Data.Status)
	}
	fmt.Println(allocationNo, "was finished before")
	return nil
}
