package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// QueryPayOrder asks the gateway for a payment: 支付订单查询. Success proves what the gateway knows, which can lag
// behind the channel: SyncPay updates it. Queries change nothing and are safe to repeat.
func (c *Client) QueryPayOrder(ctx context.Context, p *param.QueryPayOrderParam) (*Result[model.PayOrderModel], error) {
	return Execute(ctx, c, p)
}

// QueryRefundOrder asks the gateway for a refund: 退款订单查询. Success proves what the gateway knows, which can lag
// behind the channel: SyncRefund updates it. Needs gateway 2.0.7 or later.
func (c *Client) QueryRefundOrder(ctx context.Context, p *param.QueryRefundOrderParam) (*Result[model.RefundOrderModel],
	error) {
	return Execute(ctx, c, p)
}

// QueryTransferOrder asks the gateway for a transfer: 转账订单查询. Success proves what the gateway knows, which can
// lag behind the channel. Needs gateway 2.0.8.
func (c *Client) QueryTransferOrder(ctx context.Context,
	p *param.QueryTransferOrderParam) (*Result[model.TransferOrderModel], error) {
	return Execute(ctx, c, p)
}

// QueryAllocOrder asks the gateway for an allocation: 分账订单查询. Success proves what the gateway knows, which can
// lag behind the channel: SyncAlloc updates it. Needs gateway 2.0.7 or later.
func (c *Client) QueryAllocOrder(ctx context.Context, p *param.QueryAllocOrderParam) (*Result[model.AllocOrderModel],
	error) {
	return Execute(ctx, c, p)
}

// QueryAllocReceivers lists receivers of allocations: 分账接收方查询. Needs gateway 2.0.7 or later.
func (c *Client) QueryAllocReceivers(ctx context.Context,
	p *param.QueryAllocReceiversParam) (*Result[model.AllocReceiversModel], error) {
	return Execute(ctx, c, p)
}
