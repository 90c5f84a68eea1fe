package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// QueryPayOrder asks for a payment: 支付订单查询. Success proves what the gateway has of it, which can lag behind the
// channel: SyncPay brings it up to date. Queries change nothing and can be sent again.
func (c *Client) QueryPayOrder(ctx context.Context, p *param.QueryPayOrderParam) (*Result[model.PayOrderModel], error) {
	return Execute(ctx, c, p)
}

// QueryRefundOrder asks for a refund: 退款订单查询. Success proves what the gateway has of it, which can lag behind the
// channel: SyncRefund brings it up to date.
func (c *Client) QueryRefundOrder(ctx context.Context, p *param.QueryRefundOrderParam) (*Result[model.RefundOrderModel],
	error) {
	return Execute(ctx, c, p)
}

// QueryTransferOrder asks for a transfer: 转账订单查询. Success proves what the gateway has of it. Needs gateway 2.0.8.
func (c *Client) QueryTransferOrder(ctx context.Context,
	p *param.QueryTransferOrderParam) (*Result[model.TransferOrderModel], error) {
	return Execute(ctx, c, p)
}

// QueryAllocOrder asks for an allocation: 分账订单查询. Success proves what the gateway has of it, which can lag behind the
// channel: SyncAlloc brings it up to date.
func (c *Client) QueryAllocOrder(ctx context.Context, p *param.QueryAllocOrderParam) (*Result[model.AllocOrderModel],
	error) {
	return Execute(ctx, c, p)
}

// QueryAllocReceivers asks who can receive allocations: 分账接收方查询.
func (c *Client) QueryAllocReceivers(ctx context.Context,
	p *param.QueryAllocReceiversParam) (*Result[model.AllocReceiversModel], error) {
	return Execute(ctx, c, p)
}
