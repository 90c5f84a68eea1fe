package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// FinishAllocation ends an allocation and releases what was not given away: allocation finish, 分账完结. Success proves that
// the gateway took it; Data.Status tells the state, model.AllocFinish once it is done. The gateway takes it only from
// model.AllocEnd and model.AllocFinishFailed and refuses it once it is done, so after ErrOutcomeUnknown look at the allocation
// in the gateway's console before you send it again. Needs gateway 2.0.6 or later.
func (c *Client) FinishAllocation(ctx context.Context, p *param.AllocFinishParam) (*Result[model.AllocationModel], error) {
	return Execute(ctx, c, p)
}
