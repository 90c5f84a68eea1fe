package daxpay

import (
	"context"

	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Pay starts a payment: 支付. Success proves that the gateway has the payment, under Data.OrderNo. It is paid once its
// status is model.PaySuccess, which for a bar code can be at once. Otherwise learn of it from WaitPay, package
// reconcile or QueryPayOrder: gateway 2.0.8 sends no notice when a customer pays a QR code.
//
// Sent again with the same number while the payment is open, Pay asks the channel again. The gateway then takes over
// channel, method, NotifyURL, ReturnURL and Attach, but not a new amount or title. A wallet would be charged again, so
// a wallet payment is sent only once: a second send is ErrDuplicate, see Config.OnceStore. Once the payment is paid,
// closed or expired, the gateway's answer proves nothing and is ErrOutcomeUnknown: query the payment.
func (c *Client) Pay(ctx context.Context, p *param.PayParam) (*Result[model.PayModel], error) {
	return Execute(ctx, c, p)
}

// ClosePay closes a payment that is not paid: 支付关闭. Success proves that it is closed at the gateway. The customer
// may still pay at the channel, which only a later SyncPay finds. With Alipay, a QR code that was not opened yet is not
// closed at the channel at all.
//
// A refusal is ErrOutcomeUnknown, because the gateway also refuses when the channel closed the payment but answered too
// late. There are two exceptions: the payment does not exist (ErrNoSuchOrder), or it is not open (ErrEarlierSend: an
// earlier ClosePay may have closed it).
func (c *Client) ClosePay(ctx context.Context, p *param.PayCloseParam) (*Result[model.PayCloseModel], error) {
	return Execute(ctx, c, p)
}

// CancelPay cancels a payment and gives back what was paid: 支付撤销. Success proves that it is cancelled; its status
// is model.PayCancel. A refusal proves no more than one of ClosePay: after ErrOutcomeUnknown sync and query the
// payment, and do not refund it before you know. Needs gateway 2.0.8.
func (c *Client) CancelPay(ctx context.Context, p *param.PayCancelParam) (*Result[model.PayCancelModel], error) {
	return Execute(ctx, c, p)
}
