package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Refund gives back all or part of a payment: 退款. Success proves that the gateway took the refund, under Data.RefundNo, not that
// the money is back: Data.Status is mostly empty, and how the refund ends, a notice or a query tells. The same BizRefundNo is the
// same refund: the gateway tries one that failed again and refuses any other, so never use another number after
// ErrOutcomeUnknown.
func (c *Client) Refund(ctx context.Context, p *param.RefundParam) (*Result[model.RefundModel], error) {
	return Execute(ctx, c, p)
}
