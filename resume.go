package daxpay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/daxpay-go/daxpay/internal/follow"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// PayState is where a payment stands, as PayOrResume found it: see its Standing.
type PayState struct {
	// Order is the payment as the gateway has it, under the number and with the amount of the param.
	Order model.PayOrderModel
	// PayBody is what the front end needs to start paying (支付参数体), see model.PayModel. It is empty after a bar code, and
	// once the payment is no longer open.
	PayBody string
	// TraceID finds the call that brought PayBody, else the query that brought Order, in the gateway's log.
	TraceID string
}

// Standing tells which of three the payment is:
//
//   - model.Open: the customer can pay. Show PayBody, and learn the end from WaitPay or package reconcile. After a bar
//     code there is no PayBody: the customer confirms on the phone.
//   - model.Succeeded: it was paid. Deliver.
//   - model.Ended: it was closed or cancelled, or has expired, and a sync did not find it paid. A new attempt needs a
//     new BizOrderNo. This payment can still become paid: see WaitPay.
func (s *PayState) Standing() model.Standing { return s.Order.Standing() }

// RefundState is where a refund stands, as RefundOrResume found it: see its Standing.
type RefundState struct {
	// Order is the refund as the gateway has it, under the number and with the amount of the param.
	Order model.RefundOrderModel
	// TraceID finds the query that brought Order in the gateway's log.
	TraceID string
}

// Standing tells which of three the refund is:
//
//   - model.Open: the gateway has taken it. Learn the end from WaitRefund or package reconcile.
//   - model.Succeeded: the money was given back.
//   - model.Unproved: its Status is model.RefundFail. The channel refused it, as Order.ErrorMsg says, or answered too
//     late. Call RefundOrResume with the same param again, after a minute or more.
func (s *RefundState) Standing() model.Standing { return s.Order.Standing() }

// PayOrResume makes a payment (支付), or resumes the one that an earlier call with the same param made, and returns where
// it stands. Call it from a web handler as often as the customer clicks, at the same time and in several processes:
// there is one payment. After an error, call it again with the same param.
//
// The payment that the gateway has must have the number and the amount of the param. If it does not, the number is used
// for something else, and the error is ErrEcho. One that was begun from a wallet is an *UnresolvedError with
// UnresolvedWallet, because the wallet may have been charged.
//
// PayOrResume queries the payment, and calls Pay if the gateway does not have it, or if it is open: that brings its
// PayBody. If the outcome is unknown, it looks again. It sends at most three times, and stops when the gateway gives
// the same reason twice. A send that meets the lock of another Pay of the number (正在支付中) does not count: PayOrResume
// waits for the lock until ctx ends.
//
// Once ExpiredTime has passed, nothing is sent: a sync settles the payment that an earlier call made. If there is none,
// the error is ErrParam.
//
// A bar code (model.MethodBarCode) is sent only if the gateway has no such payment, or if a sync says that the payment
// is not paid. That sync is made 20 seconds after the last send, for which Wait.Made stands until this call sends; ctx
// should last longer.
//
// An error that is not ErrOutcomeUnknown says that this call changed nothing: the gateway refused the payment or was
// not reached, or the number is used for something else. It says nothing of an earlier call. A wallet payment
// (model.ChannelWallet) is ErrParam, because the gateway charges a wallet for each send: use Pay. Any other error is
// ErrOutcomeUnknown, such as an *UnresolvedError, see WaitPay, or the end of ctx after a send. The context of a failed
// call has usually ended: call again with a new one.
//
// Wait.Amount is ignored: the amount is that of the param.
func (c *Client) PayOrResume(ctx context.Context, p *param.PayParam, w Wait) (*PayState, error) {
	if p == nil {
		return nil, nilParam(p)
	}
	if p.Channel == model.ChannelWallet {
		return nil, &ParamError{
			Param: fmt.Sprintf("%T", *p), Field: "Channel",
			Reason: "must not be wallet_pay: the gateway charges a wallet each time it is asked; call Pay, once",
		}
	}
	w.Amount = p.Amount
	s := sends{client: c, path: p.Call().Path, advice: "call PayOrResume with the same param again"}
	expired := func(fault error) (*PayState, error) {
		res, err := c.lookForExpired(ctx, p, w, s.advice, fault)
		if s.unknown {
			err = unknownOutcome(s.path, s.advice, err)
		}
		return payState(res, nil, err)
	}
	if err := sendable(ctx, c, p); err != nil {
		return expired(err)
	}
	first := func() (*Result[model.PayOrderModel], error) { return c.lookBeforePay(ctx, p, w, &s) }
	look := func() (*Result[model.PayOrderModel], error) { return c.lookForPay(ctx, p, w) }
	if p.Method == model.MethodBarCode {
		look = func() (*Result[model.PayOrderModel], error) { return c.lookForBarCode(ctx, p, w, &s) }
		first = look
	}
	if res, err := first(); res != nil || err != nil {
		return payState(res, nil, err)
	}
	for {
		sent, err := c.Pay(ctx, p)
		if err == nil {
			res, err := c.payTaken(ctx, p, w, sent)
			return payState(res, sent, unknownOutcome(s.path, s.advice, err))
		}
		if errors.Is(err, ErrParam) { // it was sendable before
			return expired(err)
		}
		if err := s.failed(err); err != nil {
			return nil, err
		}
		if res, err := look(); res != nil || err != nil {
			return payState(res, nil, unknownOutcome(s.path, s.advice, err))
		}
		if err := s.again(ctx); err != nil {
			return nil, err
		}
	}
}

// payState is the state of the payment that was found, sent being the answer of the Pay that opened it.
func payState(res *Result[model.PayOrderModel], sent *Result[model.PayModel], err error) (*PayState, error) {
	if err != nil {
		return nil, err
	}
	state := &PayState{Order: res.Data, TraceID: res.TraceID}
	if sent != nil && state.Standing() == model.Open {
		state.PayBody, state.TraceID = sent.Data.PayBody, sent.TraceID
	}
	return state, nil
}

// lookBeforePay looks for a payment that an earlier call made. It returns none if Pay is to be called: there is no
// payment, or it is open and is the one that is meant. Of any other, the gateway would take over the channel and the
// URLs of the param; and a wallet was charged before.
func (c *Client) lookBeforePay(
	ctx context.Context, p *param.PayParam, w Wait, s *sends,
) (*Result[model.PayOrderModel], error) {
	l := c.paySent(p)
	res, err := l.query(ctx)
	if err != nil {
		// 2.0.6 does not sign it. Of any other, someone on the line may have made it up, to hide a wallet's payment.
		if isSignedAbsence(err) || isAbsence(err) && c.speaks() == gateway.V206 {
			return nil, nil
		}
		return nil, err
	}
	_, standing, err := (&wait[model.PayOrderModel]{Wait: w, lookup: l}).read(res)
	switch {
	case err != nil:
		return nil, err
	case standing == model.Open:
		return nil, nil
	}
	res, err = c.lookForPay(ctx, p, w)
	return res, unknownOutcome(s.path, s.advice, err)
}

// lookForPay looks for a payment that was sent. It returns none if Pay is to be called again: there is no payment, or
// it is open, and only Pay brings its PayBody.
func (c *Client) lookForPay(ctx context.Context, p *param.PayParam, w Wait) (*Result[model.PayOrderModel], error) {
	l := c.paySent(p)
	l.absent = true
	w.Made = time.Time{}
	res, err := proved(followOrder(ctx, c, w, l))
	switch {
	case isAbsence(err):
		return nil, nil
	case err == nil && res.Data.Standing() == model.Open:
		return nil, nil
	}
	return res, err
}

// lookForExpired looks for a payment that cannot be sent because it has expired, and that an earlier call may have
// sent. The sync closes it, or finds it paid. It returns fault if the param was never good, or if there is no payment.
func (c *Client) lookForExpired(
	ctx context.Context, p *param.PayParam, w Wait, advice string, fault error,
) (*Result[model.PayOrderModel], error) {
	if ctx == nil || p.ExpiredTime.IsZero() {
		return nil, fault
	}
	lasting := *p
	lasting.ExpiredTime = time.Time{}
	if sendable(ctx, c, &lasting) != nil {
		return nil, fault
	}
	_, err := c.QueryPayOrder(ctx, &param.QueryPayOrderParam{Common: from(p.Common), BizOrderNo: p.BizOrderNo})
	if err != nil {
		if isAbsence(err) {
			return nil, fault
		}
		return nil, err
	}
	l := c.paySent(p)
	l.begun = nil
	w.Made, w.Ceiling = p.ExpiredTime, w.First // a sync is due at once
	if w.Ceiling <= 0 {
		w.Ceiling = defaultFirstPause
	}
	res, err := proved(followOrder(ctx, c, w, l))
	if err != nil && !errors.Is(err, ErrEcho) {
		err = unknownOutcome(p.Call().Path, advice, err)
	}
	return res, err
}

// payTaken looks at a payment that the gateway has taken. One that it had before keeps its amount, whatever is sent.
func (c *Client) payTaken(
	ctx context.Context, p *param.PayParam, w Wait, sent *Result[model.PayModel],
) (*Result[model.PayOrderModel], error) {
	l := c.paySent(p)
	number := l.check
	l.check = func(m *model.PayOrderModel) string {
		if m.OrderNo != sent.Data.OrderNo {
			return "orderNo"
		}
		return number(m)
	}
	w.Made = time.Time{}
	return proved(followOrder(ctx, c, w, l))
}

// lookForBarCode looks for a payment by bar code. It returns none if the code is to be sent: there is no payment, or a
// sync says that the channel has none. A sync that is made while the code can be on its way would say the same.
func (c *Client) lookForBarCode(
	ctx context.Context, p *param.PayParam, w Wait, s *sends,
) (*Result[model.PayOrderModel], error) {
	query := &param.QueryPayOrderParam{Common: from(p.Common), BizOrderNo: p.BizOrderNo}
	sync := &param.PaySyncParam{Common: query.Common, BizOrderNo: p.BizOrderNo}
	if s.err == nil {
		_, err := c.QueryPayOrder(ctx, query)
		if isSignedAbsence(err) || err != nil && !isAbsence(err) {
			return nil, ifNot(isAbsence, err)
		}
	} else {
		w.Made = s.at
	}
	var said model.PaySyncStatus
	l := c.paySent(p)
	l.absent = true
	l.sync = func(ctx context.Context) (follow.Answer, error) {
		said = ""
		res, err := c.SyncPay(ctx, sync)
		if err != nil {
			return 0, err
		}
		said = res.Data.Status
		return follow.PayAnswer(said), nil
	}
	notPaid := func() bool { return said == model.PaySyncNotFoundUnknown || said == model.PaySyncNotFound }
	l.begun = func() bool { return said == model.PaySyncProgress || notPaid() }
	for {
		res, err := proved(followOrder(ctx, c, w, l))
		switch {
		case err == nil && res.Data.Standing() == model.Open && notPaid():
			return nil, nil
		case err == nil, errors.Is(err, ErrEcho) && s.err == nil:
			return res, err
		case !isAbsence(err):
			return nil, unknownOutcome(s.path, s.advice, err)
		}
		_, err = c.SyncPay(ctx, sync)
		switch {
		case isSignedAbsence(err):
			return nil, nil
		case err != nil && !syncPasses(err):
			return nil, err
		}
		if end := sleep(ctx, lockDelay); end != nil { // the sync may have settled the payment
			return nil, unknownOutcome(s.path, s.advice, errors.Join(end, err))
		}
	}
}

// RefundOrResume makes a refund (退款), or resumes the one that an earlier call with the same param made, and returns
// where it stands. It can be called again with the same param, at the same time and in several processes: there is one
// refund.
//
// The refund that the gateway has must have the number, the payment and the amount of the param. If it does not, the
// number is used for something else, and the error is ErrEcho.
//
// RefundOrResume queries the refund, and calls Refund if the gateway has none, or one that failed and that a sync does
// not find done. That sync is made a minute after Wait.Made at the earliest, the time of the last send: by default, the
// time of this call. If ctx ends before that minute, the failed refund is returned as it is. So is one that fails in
// this call. After an unknown outcome the refund is sent again under its number, as often as PayOrResume sends a
// payment.
//
// A refund that the gateway has closed needs a person, who looks at the channel before the money is given back under
// another number: the error is an *UnresolvedError with UnresolvedClosed.
//
// An error that is not ErrOutcomeUnknown says that this call changed nothing: the gateway was not reached, or refused
// the refund, for example because another refund of the payment is open or has failed. If this call finds the refund
// failed, which the channel may have done, every error is ErrOutcomeUnknown. No error says anything of an earlier call,
// whose request can still arrive, or whose refund may be one that failed. Gateway 2.0.6 has no working query of
// refunds: the error is ErrUnsupported. The context of a failed call has usually ended: call again with a new one.
//
// Wait.Amount is ignored: the amount is that of the param.
func (c *Client) RefundOrResume(ctx context.Context, p *param.RefundParam, w Wait) (*RefundState, error) {
	if err := sendable(ctx, c, p); err != nil {
		return nil, err
	}
	w.Amount = p.Amount
	l := c.refundSent(p)
	if l.blind {
		return nil, fmt.Errorf("%w: RefundOrResume asks for the refund, and gateway 2.0.6 does not answer that: call Refund",
			ErrUnsupported)
	}
	s := sends{client: c, path: p.Call().Path, advice: "call RefundOrResume with the same param again"}
	if res, err := c.lookForRefund(ctx, p, w, &s); res != nil || err != nil {
		return refundState(res, err)
	}
	w.Made, l.sync = time.Time{}, nil // what this call sent, it does not repeat
	for {
		_, err := c.Refund(ctx, p)
		if err != nil {
			if err := s.failed(err); err != nil {
				return nil, err
			}
		}
		l.absent = err != nil
		res, err := repeatable(followOrder(ctx, c, w, l))
		if !l.absent || !isAbsence(err) {
			return refundState(res, unknownOutcome(s.path, s.advice, err))
		}
		if err := s.again(ctx); err != nil {
			return nil, err
		}
	}
}

func refundState(res *Result[model.RefundOrderModel], err error) (*RefundState, error) {
	if err != nil {
		return nil, err
	}
	return &RefundState{Order: res.Data, TraceID: res.TraceID}, nil
}

// lookForRefund looks for a refund that an earlier call may have made. It returns none if Refund is to be called: there
// is no refund, or one that failed and that a sync did not find done.
func (c *Client) lookForRefund(
	ctx context.Context, p *param.RefundParam, w Wait, s *sends,
) (*Result[model.RefundOrderModel], error) {
	l := c.refundSent(p)
	res, err := l.query(ctx)
	if err != nil {
		return nil, ifNot(isAbsence, err)
	}
	if made := w.Made; res.Data.Status == model.RefundFail {
		if now := time.Now(); made.IsZero() || made.After(now) {
			made = now
		}
		if deadline, ok := ctx.Deadline(); ok && made.Add(follow.FirstRefundSync).After(deadline) {
			l.sync = nil
		}
	}
	res, err = repeatable(followOrder(ctx, c, w, l))
	switch {
	case err == nil && res.Data.Status == model.RefundFail && l.sync != nil:
		s.doubt = true
		return nil, nil
	case err == nil, errors.Is(err, ErrEcho):
		return res, err
	}
	return nil, unknownOutcome(s.path, s.advice, err)
}

// sendable tells what keeps a call from being sent.
func sendable[T any](ctx context.Context, c *Client, p param.Request[T]) error {
	call, err := callOf(ctx, c, p, new(T))
	if err != nil {
		return err
	}
	return c.core.check(call)
}

// mostSends is how often a call that can be resumed is sent, not counting those that met a lock.
const mostSends = 3

// sends remembers what came of the sends of a call that can be resumed.
type sends struct {
	client       *Client
	path, advice string

	err     error     // of the latest
	at      time.Time // when it failed
	unknown bool      // one of them may have taken effect
	doubt   bool      // so may one of an earlier call
	reason  string    // why the gateway refused the latest, "" if it did not tell
	same    bool      // it gave the same reason before
	n       int
	locked  bool
}

// failed takes the error of a send. It returns the one that ends the call: this call did nothing.
func (s *sends) failed(err error) error {
	s.unknown = s.unknown || errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrEarlierSend)
	switch {
	case !s.unknown && s.doubt:
		return unknownOutcome(s.path, s.advice, err)
	case !s.unknown:
		return err
	}
	reason := reasonOf(err)
	s.err, s.at, s.locked = err, time.Now(), errors.Is(err, ErrLocked)
	if !s.locked {
		s.n++
		s.reason, s.same = reason, reason != "" && reason == s.reason
	}
	return nil
}

// reasonOf is what the gateway says why it did not do what was asked, "" if it did not tell.
func reasonOf(err error) string {
	var refusal *GatewayError
	var unproved *AnswerError
	switch {
	case errors.As(err, &refusal):
		return strconv.Itoa(refusal.Code) + " " + refusal.Msg
	case errors.As(err, &unproved) && errors.Is(unproved, ErrUnproved):
		return unproved.Msg
	}
	return ""
}

// again waits until the call may be sent again. It returns an error if it may not.
func (s *sends) again(ctx context.Context) error {
	if s.n >= mostSends || s.same {
		return unknownOutcome(s.path, s.advice, s.err)
	}
	pause := s.client.core.Retry.pause(s.n+1, s.err)
	if s.locked {
		pause = lockDelay + rand.N(lockDelay/4) //nolint:gosec // nothing secret
	}
	if err := sleep(ctx, pause); err != nil {
		return unknownOutcome(s.path, s.advice, errors.Join(err, s.err))
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// syncPasses tells whether the fault of a sync can pass by itself.
func syncPasses(err error) bool {
	var refusal *GatewayError
	return passes(err) || errors.As(err, &refusal) && follow.RefusedSync(refusal.Code, refusal.Business) != 0
}

// isAbsence tells whether the gateway says that it has no such order.
func isAbsence(err error) bool {
	return errors.Is(err, ErrNoSuchOrder) && !errors.Is(err, ErrOutcomeUnknown)
}

func isSignedAbsence(err error) bool {
	var refusal *GatewayError
	return isAbsence(err) && errors.As(err, &refusal) && refusal.Signed
}

// ifNot returns err unless it is what is asked for.
func ifNot(is func(error) bool, err error) error {
	if is(err) {
		return nil
	}
	return err
}
