package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Transfer pays out money: 转账. Success proves that the gateway took the transfer, under Data.TransferNo; Data.Status is
// model.TransferSuccess once it is paid. A status of model.TransferFail is ErrOutcomeUnknown: the gateway says so too
// when the channel paid but answered too late; the *AnswerError inside holds it. A transfer that is sent twice is paid
// twice, even with the same number: after ErrOutcomeUnknown query it, and if that does not tell, have a person look at
// the channel. This client sends a number once: a second send of
// it is ErrDuplicate, see Config.OnceStore. So with GatewayAuto it is not tried in another encoding.
// Needs gateway 2.0.8.
func (c *Client) Transfer(ctx context.Context, p *param.TransferParam) (*Result[model.TransferModel], error) {
	return Execute(ctx, c, p)
}
