package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// FinishAlloc ends an allocation and releases what was not given away: allocation finish, 分账完结. Success proves
// that it is done: Data.Status is model.AllocFinish. model.AllocFinishFailed is ErrOutcomeUnknown: the channel may have
// done it and answered too late. The gateway takes a finish only from model.AllocEnd and model.AllocFinishFailed and
// refuses it once it is done (ErrEarlierSend), so query the allocation before you send it again. Needs gateway 2.0.6 or
// later.
func (c *Client) FinishAlloc(ctx context.Context, p *param.AllocFinishParam) (*Result[model.AllocModel], error) {
	return Execute(ctx, c, p)
}

// StartAlloc shares a payment among receivers: allocation start, 分账. Success proves that the gateway took it,
// under Data.AllocNo. Keep that number: queries and syncs find an allocation by it alone. How it ends
// WaitAlloc or package reconcile tells. Only one allocation is possible for each payment, even if it failed.
//
// Sent again with the same BizAllocNo, it asks the channel again with the same receivers: after ErrOutcomeUnknown
// use no other number, and wait 10 seconds. model.AllocFailed is ErrOutcomeUnknown: the channel may have shared the
// money and answered too late.
func (c *Client) StartAlloc(ctx context.Context, p *param.AllocStartParam) (*Result[model.AllocModel], error) {
	return Execute(ctx, c, p)
}

// AddAllocReceiver adds somebody who can receive allocations: 分账接收方添加. Success proves that it was done. The gateway
// refuses a second time.
func (c *Client) AddAllocReceiver(ctx context.Context,
	p *param.AllocReceiverAddParam) (*Result[model.AllocReceiverAddModel], error) {
	return Execute(ctx, c, p)
}

// RemoveAllocReceiver removes a receiver: 分账接收方删除. Success proves that it was done. The gateway refuses a second time.
func (c *Client) RemoveAllocReceiver(ctx context.Context,
	p *param.AllocReceiverRemoveParam) (*Result[model.AllocReceiverRemoveModel], error) {
	return Execute(ctx, c, p)
}
