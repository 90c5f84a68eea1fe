package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Refund gives back all or part of a payment: 退款. Success proves that the gateway has taken the refund, under
// Data.RefundNo. It does not prove that the money was given back: up to 2.0.8 Data.Status is always empty. Learn the
// end from WaitRefund, package reconcile or QueryRefundOrder; a refund that fails at once sends no notice.
//
// The same BizRefundNo is the same refund: the gateway retries one that failed and refuses any other (ErrEarlierSend).
// After ErrOutcomeUnknown, ErrEarlierSend or a failed refund, never use another number for the same money. While a
// refund of a payment is open or failed, the gateway refuses all other refunds of that payment.
func (c *Client) Refund(ctx context.Context, p *param.RefundParam) (*Result[model.RefundModel], error) {
	return Execute(ctx, c, p)
}
