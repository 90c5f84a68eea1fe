// Unit_test shows how a merchant tests his own code: see main_test.go, once with daxpaytest's gateway and once with httpmock.
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

// Shop is the merchant's code that is to be tested.
type Shop struct {
	Pay *daxpay.Client
}

// ErrAskLater says that nobody knows yet whether an order is paid.
var ErrAskLater = errors.New("ask later")

// MayShip tells whether an order is paid.
func (s *Shop) MayShip(ctx context.Context, order string) (bool, error) {
	res, err := s.Pay.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: order})
	switch {
	case err != nil: // also what the business refuses: that can have many reasons
		return false, fmt.Errorf("%w: %w", ErrAskLater, err)
	case res.Data.Status == model.PaySyncProgress:
		return false, ErrAskLater
	}
	return res.Data.Status == model.PaySyncSuccess, nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Status: model.PaySyncSuccess})
	shop := &Shop{Pay: gw.Client()}
	ok, err := shop.MayShip(context.Background(), "ORDER-1")
	if err != nil {
		return err
	}
	fmt.Println("may ship:", ok)
	return nil
}
