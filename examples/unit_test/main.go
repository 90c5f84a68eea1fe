// Unit_test is a shop whose code is tested with daxpaytest's gateway and with httpmock: see main_test.go.
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

// Shop is the code to test.
type Shop struct {
	Pay *daxpay.Client
}

// ErrAskLater means that the shop does not know yet whether an order is paid.
var ErrAskLater = errors.New("ask later")

// MayShip tells whether an order is paid.
func (s *Shop) MayShip(ctx context.Context, order string, fen int64) (bool, error) {
	res, err := s.Pay.QueryPayOrder(ctx, &param.QueryPayOrderParam{BizOrderNo: order})
	switch {
	case err != nil:
		return false, fmt.Errorf("%w: %w", ErrAskLater, err)
	case res.Data.Amount != fen:
		return false, fmt.Errorf("%s: paid %d fen instead of %d", order, res.Data.Amount, fen)
	}
	switch res.Data.Standing() {
	case model.Succeeded:
		return true, nil
	case model.Ended:
		return false, nil
	default:
		return false, ErrAskLater
	}
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 100, Status: model.PaySyncSuccess})
	shop := &Shop{Pay: gw.Client()}
	ok, err := shop.MayShip(context.Background(), "ORDER-1", 100)
	if err != nil {
		return err
	}
	fmt.Println("may ship:", ok)
	return nil
}
