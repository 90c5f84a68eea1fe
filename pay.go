package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Pay starts a payment: 支付. Success proves that the gateway has the payment, under Data.OrderNo; it is paid once its
// status is model.PaySuccess. A bar code can be paid at once; for everything else learn it from WaitPay, package
// reconcile or QueryPayOrder:
// 2.0.8 sends no notice when a customer pays a QR code.
//
// Sent again with the same number while the payment is open, Pay asks the channel again and takes over channel, method,
// NotifyURL, ReturnURL and Attach, but not a new amount or title. From a wallet, which would be charged again, a number
// goes out once: a second send is ErrDuplicate, see Config.OnceStore. Once the payment is paid, closed or expired, the
// gateway's answer proves nothing and is ErrOutcomeUnknown: look the payment up.
func (c *Client) Pay(ctx context.Context, p *param.PayParam) (*Result[model.PayModel], error) {
	return Execute(ctx, c, p)
}

// ClosePay closes a payment that is not paid: 支付关闭. Success proves that it is closed at the gateway. The customer may
// still pay at the channel, which a later SyncPay finds: with Alipay a QR code that was not opened yet is not closed
// there at all.
//
// A refusal is ErrOutcomeUnknown, because the gateway also refuses when the channel closed the payment but answered too
// late, except when there is no such payment (ErrNoSuchOrder) or when it is not open (ErrEarlierSend: an earlier
// ClosePay of yours may have closed it).
func (c *Client) ClosePay(ctx context.Context, p *param.PayCloseParam) (*Result[model.PayCloseModel], error) {
	return Execute(ctx, c, p)
}

// CancelPay cancels a payment and gives back what was paid: 支付撤销. Success proves that it is cancelled; its status is
// model.PayCancel. Its refusals prove as little as those of ClosePay: after ErrOutcomeUnknown sync and query the
// payment, and do not refund it before you know. Needs gateway 2.0.8.
func (c *Client) CancelPay(ctx context.Context, p *param.PayCancelParam) (*Result[model.PayCancelModel], error) {
	return Execute(ctx, c, p)
}
