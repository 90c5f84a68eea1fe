// Finish_allocation ends an allocation. The call changes something, so an error that leaves its outcome open is handled apart
// from one that says it did not happen.
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
	gw.SetAllocation(daxpaytest.Allocation{AllocationNo: "DEVA24060117191963000003", BizAllocationNo: "ALLOC-1", Status: model.AllocEnd})

	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名密钥 in the gateway's settings
	})
	if err != nil {
		return err
	}
	for range 2 { // the gateway refuses the second time
		res, err := kit.FinishAllocation(context.Background(), &param.AllocFinishParam{BizAllocationNo: "ALLOC-1"})
		var refusal *daxpay.GatewayError
		switch {
		case err == nil:
			fmt.Println(res.Data.AllocationNo, "is", res.Data.Status)
		case errors.Is(err, daxpay.ErrOutcomeUnknown):
			return fmt.Errorf("do not send it again before you looked at the allocation: %w", err)
		case errors.As(err, &refusal):
			fmt.Println("refused, nothing was done:", refusal.Msg)
		default:
			return err
		}
	}
	return nil
}
