package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// FinishAllocation ends an allocation and releases what was not given away: allocation finish, 分账完结. Success proves that
// the gateway took it; Data.Status tells the state, model.AllocFinish once it is done. The gateway takes it only from
// model.AllocEnd and model.AllocFinishFailed and refuses it once it is done, so after ErrOutcomeUnknown query the
// allocation before you send it again. Needs gateway 2.0.6 or later.
func (c *Client) FinishAllocation(ctx context.Context, p *param.AllocFinishParam) (*Result[model.AllocationModel], error) {
	return Execute(ctx, c, p)
}

// StartAllocation shares a payment among receivers: allocation start, 分账. Success proves that the gateway took it, under
// Data.AllocationNo; how it ends, a notice or a query tells. Sent again with the same number it asks the channel again with the same
// allocation: after ErrOutcomeUnknown use no other number, and wait 10 seconds.
func (c *Client) StartAllocation(ctx context.Context, p *param.AllocationParam) (*Result[model.AllocationModel], error) {
	return Execute(ctx, c, p)
}

// AddAllocReceiver adds somebody who can receive allocations: 分账接收方添加. Success proves that it was done. The gateway refuses a
// second time.
func (c *Client) AddAllocReceiver(ctx context.Context, p *param.AllocReceiverAddParam) (*Result[model.AllocReceiverAddModel], error) {
	return Execute(ctx, c, p)
}

// RemoveAllocReceiver removes a receiver: 分账接收方删除. Success proves that it was done. The gateway refuses a second time.
func (c *Client) RemoveAllocReceiver(ctx context.Context, p *param.AllocReceiverRemoveParam) (*Result[model.AllocReceiverRemoveModel], error) {
	return Execute(ctx, c, p)
}
