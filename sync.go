package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// SyncPay has the gateway compare a payment with its channel and settle it accordingly: pay sync, 支付同步. Success proves
// what the channel said, in Data.Status; only model.PaySyncSuccess means that the money was paid. It does no harm to send it
// again.
func (c *Client) SyncPay(ctx context.Context, p *param.PaySyncParam) (*Result[model.PaySyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncRefund has the gateway compare a refund with its channel and settle it accordingly: refund sync, 退款同步. Success proves
// what the channel said, in Data.Status. It does no harm to send it again.
func (c *Client) SyncRefund(ctx context.Context, p *param.RefundSyncParam) (*Result[model.RefundSyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncAllocation has the gateway compare an allocation with its channel: allocation sync, 分账同步. Success proves that it did,
// not what it found. It does no harm to send it again. Needs gateway 2.0.7 or later.
func (c *Client) SyncAllocation(ctx context.Context, p *param.AllocSyncParam) (*Result[model.AllocSyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncPayLegacy is the pay sync of gateways up to 2.0.5. It needs Config.Gateway to be GatewayV205, else it is
// ErrUnsupported.
//
// Those gateways do not sign their answers, so nothing of the result was verified (Result.Verified is false): whoever is
// between here and the gateway could have written it. Use it over a connection that you trust. For the same reason a refusal
// (20041: no such trade) is taken for an answer, and is not ErrOutcomeUnknown.
func (c *Client) SyncPayLegacy(ctx context.Context, p *param.LegacyPaySyncParam) (*Result[model.LegacySyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncRefundLegacy is the refund sync of gateways up to 2.0.5. What is said at SyncPayLegacy holds here too: nothing of the
// result was verified.
func (c *Client) SyncRefundLegacy(ctx context.Context, p *param.LegacyRefundSyncParam) (*Result[model.LegacySyncModel], error) {
	return Execute(ctx, c, p)
}

// SyncTransfer has the gateway compare a transfer with its channel: transfer sync, 转账同步. Gateway 2.0.8 has it, and always fails:
// use QueryTransferOrder.
func (c *Client) SyncTransfer(ctx context.Context, p *param.TransferSyncParam) (*Result[model.TransferSyncModel], error) {
	return Execute(ctx, c, p)
}
