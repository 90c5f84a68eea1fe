package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Transfer pays out money: 转账. Success proves that the gateway has taken the transfer, under Data.TransferNo; it is
// paid once its status is model.TransferSuccess. The status model.TransferFail is ErrOutcomeUnknown, because the
// gateway also reports it when the channel paid but answered too late; the *AnswerError inside holds the status.
//
// A transfer that is sent twice is paid twice, even with the same number. After ErrOutcomeUnknown query it, and if that
// does not settle it, have a person look at the channel. This client sends a number only once: a second send is
// ErrDuplicate, see Config.OnceStore. For the same reason GatewayAuto tries one encoding only. Needs gateway 2.0.8.
func (c *Client) Transfer(ctx context.Context, p *param.TransferParam) (*Result[model.TransferModel], error) {
	return Execute(ctx, c, p)
}
