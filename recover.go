package daxpay

import (
	"context"
	"errors"

	"github.com/daxpay-go/daxpay/internal/follow"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// UnresolvedError says that the gateway cannot tell the outcome of an order, now or later: it proves neither that the
// money moved nor that it did not. It is ErrOutcomeUnknown. Do not book the order as done or as refused; Reason says
// what to do.
type UnresolvedError struct {
	Path   string // of the query
	Reason UnresolvedReason
	Status string // what the gateway has; empty if it has no such order, or does not tell
	// TraceID finds the query in the gateway's log. Empty if nothing was asked, or Err has it.
	TraceID string
	Err     error // the refusal that says so, such as a *GatewayError; nil if there is none
}

// UnresolvedReason says why the outcome of an order is unproved. A later version may have more of them.
type UnresolvedReason string

// The reasons.
const (
	// UnresolvedWallet: a wallet payment (钱包) is in progress. Its wallet was charged or not, and nothing ends it: a person
	// looks at the wallet. Never send it again.
	UnresolvedWallet = UnresolvedReason(follow.Wallet)
	// UnresolvedGivenBack: the payment is in progress, but the channel says that it was paid and given back. The gateway
	// will not change it: a person looks at the channel.
	UnresolvedGivenBack = UnresolvedReason(follow.GivenBack)
	// UnresolvedFailed: the gateway calls the order failed, which it also does when the channel answered too late. A
	// refund and an allocation can be sent again under the same number. A transfer must not be: a person looks at the
	// channel.
	UnresolvedFailed = UnresolvedReason(follow.Failure)
	// UnresolvedClosed: the gateway has closed the refund, and will not ask the channel about it again. A person looks at
	// the channel before the money is given back under another number.
	UnresolvedClosed = UnresolvedReason(follow.Closed)
	// UnresolvedNoSuchOrder: the gateway has no order of that number, but the request can still arrive, or has left no
	// trace. A payment, other than from a wallet, a refund and an allocation can be sent again under the same number. A
	// transfer must not be: a person looks at the channel.
	UnresolvedNoSuchOrder = UnresolvedReason(follow.NoSuchOrder)
	// UnresolvedSeveral: the gateway has several transfers of that number, and paid each of them. A person looks at the
	// channel.
	UnresolvedSeveral = UnresolvedReason(follow.Several)
	// UnresolvedNoNumber: an allocation can be asked for by the gateway's number only, and that is not known. Start it
	// again with the same number of the merchant's, after 10 seconds: the answer has the gateway's.
	UnresolvedNoNumber = UnresolvedReason(follow.NoNumber)
	// UnresolvedNoQuery: gateway 2.0.6 never answers the query of a refund. What it has of a refund, a notice tells;
	// whether the channel gave the money back, SyncRefund, a minute after the refund; and how much of the payment is
	// left, QueryPayOrder in RefundableBalance.
	UnresolvedNoQuery = UnresolvedReason(follow.NoQuery)
)

func (e *UnresolvedError) Error() string {
	s := "daxpay: " + e.Path + ": outcome unresolved: " + string(e.Reason)
	if e.Status != "" {
		s += ", status " + clip(e.Status, maxMsg)
	}
	s += trace(e.TraceID)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes it ErrOutcomeUnknown and keeps Err.
func (e *UnresolvedError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrOutcomeUnknown}
	}
	return []error{ErrOutcomeUnknown, e.Err}
}

// unknownOutcome makes err ErrOutcomeUnknown, unless it is already.
func unknownOutcome(path, advice string, err error) error {
	if err == nil || errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	return &OutcomeError{Path: path, Recover: advice, Err: err}
}

func notOurs(path, member, traceID string) error {
	return &AnswerError{
		Path: path, TraceID: traceID, Member: member, Reason: "is not what was meant: the number is used for something else",
		Err: ErrEcho,
	}
}

// RecoverPay finds out what became of a Pay that ended in ErrOutcomeUnknown: it asks for the payment under the same
// BizOrderNo until the gateway has answered or the context ends. The context of the failed call has usually ended:
// pass a new one. PayOrResume is simpler where the payment may be sent again.
//
// It returns the payment if the gateway has it: look at its Standing. While it is model.Open, Pay with the same param
// brings the PayBody, and WaitPay waits for the customer. A payment that is over is returned as by WaitPay, after a
// sync.
//
// The error is no longer ErrOutcomeUnknown in one case: ErrNoSuchOrder, which a 2.0.8 gateway said more than 20 seconds
// after Wait.Made, over https or a trusted network (Config.TrustedNetwork). Then nothing happened, and the same param
// can be sent again. Any other error is still ErrOutcomeUnknown: an *UnresolvedError as of WaitPay; ErrEcho if the
// gateway has a payment of another amount under that number.
//
// RecoverPay cannot see whether the gateway looks at the age of requests. If that check is off, a request can arrive
// later still.
func (c *Client) RecoverPay(ctx context.Context, p *param.PayParam, w Wait) (*Result[model.PayOrderModel], error) {
	if p == nil {
		return nil, nilParam(p)
	}
	call := p.Call()
	w.Amount = p.Amount
	m, err := proved(followOrder(ctx, c, w, c.paySent(p)))
	return m, stillUnknown(call.Path, call.Recover, err)
}

// RecoverRefund is RecoverPay for a Refund, and needs a new context too. It returns the refund if the gateway has taken
// it: look at its Standing, and follow one that is model.Open with WaitRefund.
//
// A refund that the gateway calls failed, and that a sync does not find done, is an *UnresolvedError with
// UnresolvedFailed. It can be sent again, as can one that the gateway does not have, but only ever under the same
// BizRefundNo. The rest is as for WaitRefund.
func (c *Client) RecoverRefund(
	ctx context.Context, p *param.RefundParam, w Wait,
) (*Result[model.RefundOrderModel], error) {
	if p == nil {
		return nil, nilParam(p)
	}
	call := p.Call()
	w.Amount = p.Amount
	m, err := proved(followOrder(ctx, c, w, c.refundSent(p)))
	return m, stillUnknown(call.Path, call.Recover, err)
}

// paySent looks for what a Pay did.
func (c *Client) paySent(p *param.PayParam) lookup[model.PayOrderModel] {
	l := c.payLookup(&param.QueryPayOrderParam{Common: from(p.Common), BizOrderNo: p.BizOrderNo})
	l.begun = always
	return l
}

// refundSent looks for what a Refund did. The refund that is found must be one of the same payment.
func (c *Client) refundSent(p *param.RefundParam) lookup[model.RefundOrderModel] {
	l := c.refundLookup(&param.QueryRefundOrderParam{Common: from(p.Common), BizRefundNo: p.BizRefundNo})
	l.begun = always
	number := l.check
	l.check = func(m *model.RefundOrderModel) string {
		differs := func(ours, theirs string) bool { return ours != "" && theirs != "" && ours != theirs }
		if differs(p.OrderNo, m.OrderNo) || p.OrderNo == "" && differs(p.BizOrderNo, m.BizOrderNo) {
			return "orderNo"
		}
		return number(m)
	}
	return l
}

func always() bool { return true }

// stillUnknown is unknownOutcome but for the one error that proves that nothing happened.
func stillUnknown(path, advice string, err error) error {
	if errors.Is(err, ErrNoSuchOrder) && !errors.Is(err, ErrOutcomeUnknown) {
		return err // followOrder ends with it only when it counts
	}
	return unknownOutcome(path, advice, err)
}
