package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// SyncPay makes the gateway compare a payment with its channel and settle it accordingly: pay sync, 支付同步. Success
// proves what the channel said, in Data.Status; only model.PaySyncSuccess means that the money was paid. The state of
// the payment at the gateway is known by a query only: for 10 seconds after a sync has changed the payment, another one
// changes nothing and does not say so. A sync closes a payment that has expired or that the channel does not know. It
// is safe to repeat.
func (c *Client) SyncPay(ctx context.Context, p *param.PaySyncParam) (*Result[model.PaySyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncRefund makes the gateway compare a refund with its channel and settle it accordingly: refund sync, 退款同步.
// Success proves what the channel said, in Data.Status. A refusal means that the channel has not given the money back
// yet, or does not know the refund. Do not sync a refund in its first minute: if the channel does not know it yet, the
// gateway closes the refund and frees its money.
func (c *Client) SyncRefund(ctx context.Context, p *param.RefundSyncParam) (*Result[model.RefundSyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncAlloc makes the gateway compare an allocation with its channel: allocation sync, 分账同步. Success proves that it
// was done, not what it found: query the allocation. Each sync of an allocation that has ended sends another notice.
// Needs gateway 2.0.7 or later.
func (c *Client) SyncAlloc(ctx context.Context, p *param.AllocSyncParam) (*Result[model.AllocSyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncPayLegacy is the pay sync of gateways up to 2.0.5. Without GatewayV205 in Config.Gateway it is ErrUnsupported.
//
// Those gateways do not sign their answers, so nothing in the result is verified (Result.Verified is false): anyone
// between here and the gateway could have written it. Use it only over a connection that you trust. For the same reason
// a refusal (20041: no such trade) counts as an answer and is not ErrOutcomeUnknown.
func (c *Client) SyncPayLegacy(ctx context.Context, p *param.PaySyncLegacyParam) (*Result[model.SyncLegacyModel],
	error) {
	return Execute(ctx, c, p)
}

// SyncRefundLegacy is the refund sync of gateways up to 2.0.5. As with SyncPayLegacy, nothing in the result is
// verified.
func (c *Client) SyncRefundLegacy(ctx context.Context, p *param.RefundSyncLegacyParam) (*Result[model.SyncLegacyModel],
	error) {
	return Execute(ctx, c, p)
}

// SyncTransfer makes the gateway compare a transfer with its channel: transfer sync, 转账同步. Gateway 2.0.8 always
// refuses it with 10006 and does nothing: use QueryTransferOrder.
func (c *Client) SyncTransfer(ctx context.Context, p *param.TransferSyncParam) (*Result[model.TransferSyncModel],
	error) {
	return Execute(ctx, c, p)
}
