package daxpay

import (
	"context"
	"errors"

	"github.com/daxpay-go/daxpay/internal/follow"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// UnresolvedError says that the gateway cannot tell the outcome of an order, now or later: it proves neither that the
// money moved nor that it did not. It is ErrOutcomeUnknown. Book the order neither as done nor as refused; Reason says
// what to do.
type UnresolvedError struct {
	Path   string // of the query
	Reason UnresolvedReason
	Status string // at the gateway; empty if it has no such order or did not tell
	// TraceID is the trace id of the query. Empty: nothing was asked, or Err has it.
	TraceID string
	Err     error // the gateway's refusal, such as a *GatewayError; nil if there is none
}

// UnresolvedReason is why the outcome of an order is unproved. A later version may have more of them.
type UnresolvedReason string

// The reasons.
const (
	// UnresolvedWallet: a wallet payment (钱包) is in progress. The wallet may have been charged, and the gateway never
	// ends the payment. Have a person look at the wallet, and never send it again.
	UnresolvedWallet = UnresolvedReason(follow.Wallet)
	// UnresolvedGivenBack: the payment is in progress, but the channel says that it was paid and given back. The
	// gateway will not change it. Have a person look at the channel.
	UnresolvedGivenBack = UnresolvedReason(follow.GivenBack)
	// UnresolvedFailed: the gateway calls the order failed, which it also does when the channel answered too late. A
	// refund or an allocation can be sent again under the same number. A transfer must not be: have a person look at
	// the channel.
	UnresolvedFailed = UnresolvedReason(follow.Failure)
	// UnresolvedClosed: the gateway has closed the refund and will not ask the channel about it again. Have a person
	// look at the channel before the money is given back under another number.
	UnresolvedClosed = UnresolvedReason(follow.Closed)
	// UnresolvedNoSuchOrder: the gateway has no order with this number, but the request can still arrive, or may have
	// run without a trace. A refund, an allocation, and a payment that is not from a wallet can be sent again under the
	// same number. A transfer must not be: have a person look at the channel.
	UnresolvedNoSuchOrder = UnresolvedReason(follow.NoSuchOrder)
	// UnresolvedSeveral: the gateway has several transfers with this number and has paid each of them. Have a person
	// look at the channel.
	UnresolvedSeveral = UnresolvedReason(follow.Several)
	// UnresolvedNoNumber: the gateway finds an allocation by its own number only, and that is not known. Start the
	// allocation again with the same BizAllocNo after 10 seconds: the answer has the gateway's number.
	UnresolvedNoNumber = UnresolvedReason(follow.NoNumber)
	// UnresolvedNoQuery: gateway 2.0.6 never answers the query of a refund. There are three other sources: a notice has
	// the state at the gateway; SyncRefund, a minute after the refund, tells whether the channel gave the money back;
	// and QueryPayOrder has, in RefundableBalance, what is left of the payment.
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

// Unwrap returns ErrOutcomeUnknown and Err.
func (e *UnresolvedError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrOutcomeUnknown}
	}
	return []error{ErrOutcomeUnknown, e.Err}
}

// unknownOutcome wraps err in an *OutcomeError, unless it is ErrOutcomeUnknown already.
func unknownOutcome(path, advice string, err error) error {
	if err == nil || errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	return &OutcomeError{Path: path, Recover: advice, Err: err}
}

func notOurs(path, member, traceID string) error {
	reason := "is not what was meant: the number is used for something else; find out by what"
	if member == "channel" {
		reason = "is another one, where the customer can still pay: close the payment and use a new number"
	}
	return &AnswerError{Path: path, TraceID: traceID, Member: member, Reason: reason, Err: ErrEcho}
}

// RecoverPay finds out what became of a Pay that ended in ErrOutcomeUnknown: it queries the payment by its BizOrderNo
// until the gateway has answered or the context ends. The context of the failed call has usually ended: pass a new one.
// PayOrResume is simpler where the payment may be sent again.
//
// It returns the payment if the gateway has it: check its Standing. While it is model.Open, Pay with the same param
// returns the PayBody, and WaitPay waits for the customer. A payment that has ended is returned as by WaitPay, after a
// sync.
//
// Only one error is not ErrOutcomeUnknown: ErrNoSuchOrder, if a 2.0.8 gateway said so more than 20 seconds after
// Wait.Made, over https or a trusted network (Config.TrustedNetwork). Then nothing happened, and the same param can be
// sent again. Any other error is ErrOutcomeUnknown, such as an *UnresolvedError as from WaitPay, or ErrEcho if the
// gateway has a payment of another amount under that number.
//
// RecoverPay cannot see whether the gateway checks the age of requests. If that check is switched off, a request can
// arrive even later.
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
// it: check its Standing, and follow one that is model.Open with WaitRefund.
//
// A refund that the gateway calls failed, and that a sync does not find done, is an *UnresolvedError with
// UnresolvedFailed. It can be sent again, and so can a refund that the gateway does not have, but only under the same
// BizRefundNo. Everything else is as for WaitRefund.
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

// paySent is the lookup of a payment that was sent. An open one ends the wait.
func (c *Client) paySent(p *param.PayParam) lookup[model.PayOrderModel] {
	l := c.payLookup(&param.QueryPayOrderParam{Common: from(p.Common), BizOrderNo: p.BizOrderNo})
	l.begun = always
	return l
}

// refundSent is the lookup of a refund that was sent. An open one ends the wait; it must be of the same payment.
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

// stillUnknown is like unknownOutcome, except for the one error that proves that nothing happened.
func stillUnknown(path, advice string, err error) error {
	if isAbsence(err) {
		return err // followOrder returns it only when it counts
	}
	return unknownOutcome(path, advice, err)
}
