package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Refund gives back all or part of a payment: 退款. Success proves that the gateway took the refund, under Data.RefundNo,
// not that the money is back: Data.Status is always empty with gateways up to 2.0.8. Learn how it ends from WaitRefund,
// package reconcile or QueryRefundOrder; a refund that fails at once sends no notice.
//
// The same BizRefundNo is the same refund: the gateway tries one that failed again and refuses any other
// (ErrEarlierSend). After ErrOutcomeUnknown, ErrEarlierSend or a refund that failed, never use another number for the
// same money. While one refund of a payment is open or failed, the gateway refuses every other one.
func (c *Client) Refund(ctx context.Context, p *param.RefundParam) (*Result[model.RefundModel], error) {
	return Execute(ctx, c, p)
}
