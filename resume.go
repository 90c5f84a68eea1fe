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

// PayState is the state of a payment, as PayOrResume found it: check its Standing.
type PayState struct {
	// Order is the payment as the gateway has it, under the number and with the amount of the param.
	Order model.PayOrderModel
	// PayBody is what the front end needs to start paying (支付参数体), see model.PayModel. It is empty for a bar code,
	// and once the payment is no longer open.
	PayBody string
	// TraceID identifies, in the gateway's log, the call that returned PayBody, or else the query that returned Order.
	TraceID string
}

// Standing returns one of three:
//
//   - model.Open: the customer can pay. Show PayBody, and learn the end from WaitPay or package reconcile. For a bar
//     code there is no PayBody: the customer confirms on the phone.
//   - model.Succeeded: it was paid. Deliver.
//   - model.Ended: it was closed or cancelled, or has expired, and a sync did not find it paid. To try again, use a new
//     BizOrderNo. This payment can still become paid: see WaitPay.
func (s *PayState) Standing() model.Standing { return s.Order.Standing() }

// RefundState is the state of a refund, as RefundOrResume found it: check its Standing.
type RefundState struct {
	// Order is the refund as the gateway has it, under the number and with the amount of the param.
	Order model.RefundOrderModel
	// TraceID identifies, in the gateway's log, the query that returned Order.
	TraceID string
}

// Standing returns one of three:
//
//   - model.Open: the gateway has taken it. Learn the end from WaitRefund or package reconcile.
//   - model.Succeeded: the money was given back.
//   - model.Unproved: its Status is model.RefundFail. The channel refused it, as Order.ErrorMsg says, or answered too
//     late. Call RefundOrResume with the same param again, after a minute or more.
func (s *RefundState) Standing() model.Standing { return s.Order.Standing() }

// PayOrResume makes a payment (支付), or resumes the one that an earlier call with the same param made, and returns its
// state. Call it from a web handler as often as the customer clicks, also concurrently and from several processes:
// there is only one payment. After an error, call it again with the same param.
//
// The gateway's payment must have the number and the amount of the param; otherwise the number is in use for something
// else, and the error is ErrEcho. So is the error if the payment is open at another channel, where the customer could
// still pay: close it with ClosePay, and let the customer pay at the other channel under a new BizOrderNo. If it was
// begun from a wallet, the error is an *UnresolvedError with UnresolvedWallet, because the wallet may have been
// charged.
//
// PayOrResume queries the payment. It calls Pay if the gateway does not have the payment, or if the payment is open,
// because only Pay returns its PayBody. After an unknown outcome it queries again. It sends at most three times, and
// stops when the gateway gives the same reason twice. A send that meets the lock of another Pay of the number
// (正在支付中) does not count: PayOrResume waits for the lock until ctx ends.
//
// Once ExpiredTime has passed, nothing is sent. A sync then settles the payment that an earlier call made; if there is
// none, the error is ErrParam.
//
// A bar code (model.MethodBarCode) is sent only if the gateway has no such payment, or if a sync says that it is not
// paid. The sync is made 20 seconds after the last send, so ctx should last longer. Until this call sends, Wait.Made
// stands for the last send.
//
// An error that is not ErrOutcomeUnknown means that this call changed nothing: the gateway refused the payment or could
// not be reached, or the number is in use for something else. It says nothing about earlier calls. A wallet payment
// (model.ChannelWallet) is ErrParam, because the gateway charges a wallet for each send: use Pay. Any other error is
// ErrOutcomeUnknown, such as an *UnresolvedError (see WaitPay) or the end of ctx after a send. The context of a failed
// call has usually ended: call again with a new one.
//
// Wait.Amount is ignored; the amount of the param is compared.
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

// payState returns the state of the payment that was found. sent is the answer of the Pay before that, if any.
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

// lookBeforePay looks for a payment of an earlier call. It returns nil if Pay is to be called: there is no payment, or
// it is open and is the one that is meant. A payment in any other state must not be sent again: Pay would change its
// channel and URLs, or charge a wallet twice.
func (c *Client) lookBeforePay(
	ctx context.Context, p *param.PayParam, w Wait, s *sends,
) (*Result[model.PayOrderModel], error) {
	l := c.payMeant(p)
	res, err := l.query(ctx)
	if err != nil {
		// 2.0.6 does not sign it. With any other version, someone on the connection may have made it up to hide a
		// wallet payment.
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

// lookForPay looks for a payment that was sent. It returns nil if Pay is to be called again: there is no payment, or it
// is open and only Pay returns its PayBody.
func (c *Client) lookForPay(ctx context.Context, p *param.PayParam, w Wait) (*Result[model.PayOrderModel], error) {
	l := c.payMeant(p)
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

// lookForExpired looks for a payment of an earlier call when the param cannot be sent because it has expired. A sync
// closes the payment or finds it paid. The error is fault if there is no such payment, or if the param is invalid for
// another reason.
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
	l := c.payMeant(p)
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

// payMeant is like paySent, but refuses a payment that is open at another channel. A second Pay would move it to the
// channel of the param, and no sync would ask the first channel again, where the customer can still pay.
func (c *Client) payMeant(p *param.PayParam) lookup[model.PayOrderModel] {
	l := c.paySent(p)
	number := l.check
	l.check = func(m *model.PayOrderModel) string {
		if m.Standing() == model.Open && m.Channel != p.Channel && m.Channel != "" {
			return "channel"
		}
		return number(m)
	}
	return l
}

// payTaken looks at a payment that the gateway has taken: one that it had before keeps its old amount.
func (c *Client) payTaken(
	ctx context.Context, p *param.PayParam, w Wait, sent *Result[model.PayModel],
) (*Result[model.PayOrderModel], error) {
	l := c.payMeant(p)
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

// lookForBarCode looks for a payment by bar code. It returns nil if the code is to be sent: there is no payment, or a
// sync says that the channel has none. The sync must not be made while a sent code may still be on its way, because the
// channel would say the same.
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
	l := c.payMeant(p)
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
// its state. It can be called again with the same param, also concurrently and from several processes: there is only
// one refund.
//
// The gateway's refund must have the number, the payment and the amount of the param; otherwise the number is in use
// for something else, and the error is ErrEcho.
//
// RefundOrResume queries the refund. It calls Refund if the gateway has none, or has one that failed and that a sync
// does not find done. That sync is made a minute after Wait.Made, the time of the last send, or by default a minute
// after this call. If ctx ends before that, the failed refund is returned as it is. A refund that fails during this
// call is returned as well. After an unknown outcome the refund is sent again under its number, as often as PayOrResume
// sends a payment.
//
// If the gateway has closed the refund, the error is an *UnresolvedError with UnresolvedClosed: a person must look at
// the channel before the money is given back under another number.
//
// An error that is not ErrOutcomeUnknown means that this call changed nothing: the gateway could not be reached, or
// refused the refund, for example because another refund of the payment is open or has failed. If this call finds a
// failed refund, which the channel may have carried out, every error is ErrOutcomeUnknown. No error says anything about
// an earlier call, whose request can still arrive, or whose refund may have failed. Gateway 2.0.6 has no working query
// of refunds: the error is ErrUnsupported. The context of a failed call has usually ended: call again with a new one.
//
// Wait.Amount is ignored; the amount of the param is compared.
func (c *Client) RefundOrResume(ctx context.Context, p *param.RefundParam, w Wait) (*RefundState, error) {
	if err := sendable(ctx, c, p); err != nil {
		return nil, err
	}
	w.Amount = p.Amount
	l := c.refundSent(p)
	if l.blind {
		return nil, fmt.Errorf("%w: RefundOrResume queries the refund, which gateway 2.0.6 does not answer: call Refund",
			ErrUnsupported)
	}
	s := sends{client: c, path: p.Call().Path, advice: "call RefundOrResume with the same param again"}
	if res, err := c.lookForRefund(ctx, p, w, &s); res != nil || err != nil {
		return refundState(res, err)
	}
	w.Made, l.sync = time.Time{}, nil // a refund that fails now is returned, not sent again
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

// lookForRefund looks for a refund of an earlier call. It returns nil if Refund is to be called: there is no refund, or
// it failed and a sync did not find it done.
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

// sendable returns the error of a call that cannot be sent.
func sendable[T any](ctx context.Context, c *Client, p param.Request[T]) error {
	call, err := callOf(ctx, c, p, new(T))
	if err != nil {
		return err
	}
	return c.core.check(call)
}

// mostSends limits the sends of a call that can be resumed, not counting those that met a lock.
const mostSends = 3

// sends records the sends of a call that can be resumed.
type sends struct {
	client       *Client
	path, advice string

	err     error     // of the latest send
	at      time.Time // when it failed
	unknown bool      // a send may have taken effect
	doubt   bool      // a send of an earlier call may have taken effect
	reason  string    // why the gateway refused the latest send, "" if it did not say
	same    bool      // it gave the same reason for the send before
	n       int       // sends that met no lock
	locked  bool      // the latest send met a lock
}

// failed records the error of a send. It returns an error if the call must end because none of its sends took effect.
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

// reasonOf returns why, by the gateway's words, the call was not carried out, "" if it did not say.
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

// syncPasses reports whether the fault of a sync is temporary.
func syncPasses(err error) bool {
	var refusal *GatewayError
	return passes(err) || errors.As(err, &refusal) && follow.RefusedSync(refusal.Code, refusal.Business) != 0
}

// isAbsence reports whether the gateway says that it has no such order.
func isAbsence(err error) bool {
	return errors.Is(err, ErrNoSuchOrder) && !errors.Is(err, ErrOutcomeUnknown)
}

func isSignedAbsence(err error) bool {
	var refusal *GatewayError
	return isAbsence(err) && errors.As(err, &refusal) && refusal.Signed
}

// ifNot returns err, or nil if is(err).
func ifNot(is func(error) bool, err error) error {
	if is(err) {
		return nil
	}
	return err
}
