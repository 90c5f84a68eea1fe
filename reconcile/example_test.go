package reconcile_test

import (
	"context"
	"fmt"
	"time"

	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

func ExampleReconciler_Once() {
	gw := daxpaytest.New() // stands for your gateway
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 29900, Status: model.PaySyncSuccess})

	// select no, made, amount from orders where status = 'open' and no > ? order by no limit ?
	source := reconcile.SourceFunc(func(
		_ context.Context, _ reconcile.Kind, after string, _ int,
	) ([]reconcile.Order, error) {
		if after != "" {
			return nil, nil
		}
		return []reconcile.Order{{No: "ORDER-1", Amount: 29900, Made: time.Now().Add(-time.Hour)}}, nil
	})
	// update orders set status = ? where no = ? and status = 'open'
	sink := reconcile.Sink{Pay: func(_ context.Context, o reconcile.Order, m *model.PayOrderModel) error {
		fmt.Println(o.No, m.Status)
		return nil
	}}
	r, err := reconcile.New(gw.Client(), source, sink, reconcile.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Once(context.Background()))
	fmt.Println(r.Stats().Handed)
	// Output:
	// ORDER-1 success
	// <nil>
	// 1
}
