package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// SyncPay has the gateway compare a payment with its channel and settle it accordingly: pay sync, 支付同步. Success proves
// what the channel said, in Data.Status; only model.PaySyncSuccess means that the money was paid. What became of the
// payment at the gateway a query tells: for 10 seconds after a sync has changed it, another one changes nothing and
// does not say so. A sync closes a payment that has expired, or that the channel does not know. It does no harm to send
// it again.
func (c *Client) SyncPay(ctx context.Context, p *param.PaySyncParam) (*Result[model.PaySyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncRefund has the gateway compare a refund with its channel and settle it accordingly: refund sync, 退款同步. Success
// proves what the channel said, in Data.Status; a refusal says that the channel has not given the money back yet, or
// does not know the refund. Do not sync a refund in its first minute: a channel that does not know it yet lets the
// gateway close it and free its money.
func (c *Client) SyncRefund(ctx context.Context, p *param.RefundSyncParam) (*Result[model.RefundSyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncAlloc has the gateway compare an allocation with its channel: allocation sync, 分账同步. Success proves that it
// did, not what it found: query the allocation. Each sync of one that has ended sends another notice. Needs gateway
// 2.0.7 or later.
func (c *Client) SyncAlloc(ctx context.Context, p *param.AllocSyncParam) (*Result[model.AllocSyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncPayLegacy is the pay sync of gateways up to 2.0.5. It needs Config.Gateway to be GatewayV205, else it is
// ErrUnsupported.
//
// Those gateways do not sign their answers, so nothing of the result was verified (Result.Verified is false): anyone
// is between here and the gateway could have written it. Use it over a connection that you trust. For the same reason a
// refusal (20041: no such trade) is taken for an answer, and is not ErrOutcomeUnknown.
func (c *Client) SyncPayLegacy(ctx context.Context, p *param.PaySyncLegacyParam) (*Result[model.SyncLegacyModel],
	error) {
	return Execute(ctx, c, p)
}

// SyncRefundLegacy is the refund sync of gateways up to 2.0.5. What is said at SyncPayLegacy holds here too: nothing of
// the result was verified.
func (c *Client) SyncRefundLegacy(ctx context.Context, p *param.RefundSyncLegacyParam) (*Result[model.SyncLegacyModel],
	error) {
	return Execute(ctx, c, p)
}

// SyncTransfer has the gateway compare a transfer with its channel: transfer sync, 转账同步. Gateway 2.0.8 has it, and
// always refuses it with 10006, without doing anything: use QueryTransferOrder.
func (c *Client) SyncTransfer(ctx context.Context, p *param.TransferSyncParam) (*Result[model.TransferSyncModel],
	error) {
	return Execute(ctx, c, p)
}
