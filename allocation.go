package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// FinishAlloc ends an allocation and releases what was not given away: allocation finish, 分账完结. Success proves that
// it is done: Data.Status is model.AllocFinish. The status model.AllocFinishFailed is ErrOutcomeUnknown, because the
// channel may have done it and answered too late. The gateway accepts a finish only in the states model.AllocEnd and
// model.AllocFinishFailed, and refuses it once it is done (ErrEarlierSend). Query the allocation before you send a
// finish again. Needs gateway 2.0.6 or later.
func (c *Client) FinishAlloc(ctx context.Context, p *param.AllocFinishParam) (*Result[model.AllocModel], error) {
	return Execute(ctx, c, p)
}

// StartAlloc shares a payment among receivers: allocation start, 分账. Success proves that the gateway has taken it,
// under Data.AllocNo. Keep that number: queries and syncs find an allocation by it alone. Learn the end from WaitAlloc
// or package reconcile. A payment can have only one allocation, even if that failed.
//
// Sent again with the same BizAllocNo, StartAlloc asks the channel again with the same receivers. After
// ErrOutcomeUnknown wait 10 seconds and use no other number. The status model.AllocFailed is ErrOutcomeUnknown, because
// the channel may have shared the money and answered too late.
func (c *Client) StartAlloc(ctx context.Context, p *param.AllocStartParam) (*Result[model.AllocModel], error) {
	return Execute(ctx, c, p)
}

// AddAllocReceiver adds a receiver of allocations: 分账接收方添加. Success proves that the receiver was added. The
// gateway refuses to add it a second time (ErrEarlierSend).
func (c *Client) AddAllocReceiver(ctx context.Context,
	p *param.AllocReceiverAddParam) (*Result[model.AllocReceiverAddModel], error) {
	return Execute(ctx, c, p)
}

// RemoveAllocReceiver removes a receiver of allocations: 分账接收方删除. Success proves that the receiver was removed.
// The gateway refuses to remove it a second time (ErrEarlierSend).
func (c *Client) RemoveAllocReceiver(ctx context.Context,
	p *param.AllocReceiverRemoveParam) (*Result[model.AllocReceiverRemoveModel], error) {
	return Execute(ctx, c, p)
}
