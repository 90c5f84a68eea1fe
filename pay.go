package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Pay starts a payment: 支付. Success proves that the gateway has the payment, under Data.OrderNo; it is paid once its status is
// model.PaySuccess, which mostly comes later, by notice or query. Sent again with the same number while it is not paid, it asks
// the channel again with the new method, but ignores a new amount; once it is paid or closed, the answer proves nothing and is
// ErrOutcomeUnknown.
func (c *Client) Pay(ctx context.Context, p *param.PayParam) (*Result[model.PayModel], error) {
	return Execute(ctx, c, p)
}

// ClosePay closes a payment that is not paid: 支付关闭. Success proves that it is closed. The gateway refuses a second time.
func (c *Client) ClosePay(ctx context.Context, p *param.PayCloseParam) (*Result[model.PayCloseModel], error) {
	return Execute(ctx, c, p)
}

// CancelPay cancels a payment: 支付撤销. Success proves that it is cancelled. The gateway refuses a second time. Needs gateway 2.0.8.
func (c *Client) CancelPay(ctx context.Context, p *param.PayCancelParam) (*Result[model.PayCancelModel], error) {
	return Execute(ctx, c, p)
}
