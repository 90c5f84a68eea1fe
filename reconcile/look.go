package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/follow"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// rules converts the kind for package follow.
func (k Kind) rules() follow.Kind {
	switch k {
	case Refund:
		return follow.Refund
	case Transfer:
		return follow.Transfer
	case Allocation:
		return follow.Allocation
	}
	return follow.Pay
}

// lookup holds how orders of one kind are looked at.
type lookup struct {
	query func(ctx context.Context, o Order) (found, error)
	// sync makes the gateway ask the channel. Nil: the kind has no sync.
	sync func(ctx context.Context, o Order) (follow.Answer, error)
	path string // of the query, for errors
	// blind says why the order cannot be queried, "" if it can. Nil: it always can.
	blind func(o Order) daxpay.UnresolvedReason
}

// found is what a verified answer says about an order.
type found struct {
	no       string
	amount   int64
	status   string
	standing model.Standing
	expires  time.Time                   // of a payment; zero if the gateway does not say
	traceID  string                      // of the query
	hand     func(context.Context) error // gives the answer to the sink
}

// lookupsOf returns the lookups of the kinds for which the sink has a function.
func lookupsOf(c *daxpay.Client, sink Sink) map[Kind]lookup {
	lookups := make(map[Kind]lookup)
	if sink.Pay != nil {
		lookups[Pay] = payLookup(c, sink)
	}
	if sink.Refund != nil {
		lookups[Refund] = refundLookup(c, sink)
	}
	if sink.Transfer != nil {
		lookups[Transfer] = transferLookup(c, sink)
	}
	if sink.Allocation != nil {
		lookups[Allocation] = allocLookup(c, sink)
	}
	return lookups
}

func payLookup(c *daxpay.Client, sink Sink) lookup {
	about := func(o Order) *param.QueryPayOrderParam { return &param.QueryPayOrderParam{BizOrderNo: o.No} }
	return lookup{
		path: about(Order{}).Call().Path,
		query: asking(c, sink.Pay, about, func(m *model.PayOrderModel) found {
			return found{
				no: m.BizOrderNo, amount: m.Amount, status: string(m.Status), standing: m.Standing(),
				expires: m.ExpiredTime.Time,
			}
		}),
		sync: func(ctx context.Context, o Order) (follow.Answer, error) {
			res, err := c.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: o.No})
			if err != nil {
				return 0, err
			}
			return follow.PayAnswer(res.Data.Status), nil
		},
	}
}

func refundLookup(c *daxpay.Client, sink Sink) lookup {
	about := func(o Order) *param.QueryRefundOrderParam { return &param.QueryRefundOrderParam{BizRefundNo: o.No} }
	return lookup{
		path: about(Order{}).Call().Path,
		query: asking(c, sink.Refund, about, func(m *model.RefundOrderModel) found {
			return found{no: m.BizRefundNo, amount: m.Amount, status: string(m.Status), standing: m.Standing()}
		}),
		sync: func(ctx context.Context, o Order) (follow.Answer, error) {
			res, err := c.SyncRefund(ctx, &param.RefundSyncParam{BizRefundNo: o.No})
			if err != nil {
				return 0, err
			}
			return follow.RefundAnswer(res.Data.Status), nil
		},
		blind: func(Order) daxpay.UnresolvedReason {
			if c.Gateway() == daxpay.GatewayV206 {
				return daxpay.UnresolvedNoQuery
			}
			return ""
		},
	}
}

func transferLookup(c *daxpay.Client, sink Sink) lookup {
	about := func(o Order) *param.QueryTransferOrderParam {
		return &param.QueryTransferOrderParam{BizTransferNo: o.No}
	}
	return lookup{
		path: about(Order{}).Call().Path,
		query: asking(c, sink.Transfer, about, func(m *model.TransferOrderModel) found {
			return found{no: m.BizTransferNo, amount: m.Amount, status: string(m.Status), standing: m.Standing()}
		}),
	}
}

func allocLookup(c *daxpay.Client, sink Sink) lookup {
	about := func(o Order) *param.QueryAllocOrderParam {
		return &param.QueryAllocOrderParam{AllocNo: o.GatewayNo}
	}
	return lookup{
		path: about(Order{}).Call().Path,
		query: asking(c, sink.Allocation, about, func(m *model.AllocOrderModel) found {
			return found{no: m.BizAllocNo, amount: m.Amount, status: string(m.Status), standing: m.Standing()}
		}),
		sync: func(ctx context.Context, o Order) (follow.Answer, error) {
			_, err := c.SyncAlloc(ctx, &param.AllocSyncParam{AllocNo: o.GatewayNo})
			return follow.Other, err
		},
		blind: func(o Order) daxpay.UnresolvedReason {
			if o.GatewayNo == "" {
				return daxpay.UnresolvedNoNumber
			}
			return ""
		},
	}
}

// asking returns the query of a kind, whose answers go to a function of the sink.
func asking[P param.Request[M], M any](
	c *daxpay.Client, sink func(context.Context, Order, *M) error, about func(Order) P, read func(*M) found,
) func(context.Context, Order) (found, error) {
	return func(ctx context.Context, o Order) (found, error) {
		res, err := daxpay.Execute(ctx, c, about(o))
		if err != nil {
			return found{}, err
		}
		f := read(&res.Data)
		f.traceID = res.TraceID
		f.hand = func(ctx context.Context) error { return sink(ctx, o, &res.Data) }
		return f, nil
	}
}

// about refuses an answer about another order. The client compares the number only if the answer has one.
func (f *found) about(o Order, path string) error {
	refused := func(member, reason string) error {
		return &daxpay.AnswerError{
			Path: path, TraceID: f.traceID, Member: member, Reason: reason, Err: daxpay.ErrEcho,
		}
	}
	switch {
	case f.no != o.No:
		return refused("", "does not name the order that was asked for")
	case o.Amount != 0 && f.amount != o.Amount:
		return refused("amount", "is not the one of the order")
	}
	return nil
}

// visit looks at an order, unless another process has it, and puts it back with the time of its next look.
func (r *Reconciler) visit(ctx context.Context, j *job) {
	what := failed // unless look returns: a function of the shop may end the goroutine
	defer func() {
		pause := r.settle(j, what, r.options.Now())
		r.giveBack(ctx, j, what, pause)
		r.orders.put(j, what, pause, r.options.Now())
	}()
	if !r.claim(ctx, j) {
		what = yielded
		return
	}
	r.count(func(s *Stats) { s.Looks++ })
	what = r.look(ctx, j)
}

// settle updates the job after a look and returns the pause before the next one.
func (r *looker) settle(j *job, what outcome, now time.Time) time.Duration {
	if what == yielded {
		return j.wait
	}
	j.looks++
	switch what {
	case over:
		j.late, j.failures, j.follow = true, 0, r.options.rules(j.order)
		return j.made.Add(j.next).Sub(now)
	case open:
		j.failures = 0
		return j.made.Add(j.next).Sub(now)
	case failed:
		j.failures++
		return jitter(doubled(r.options.RetryAfter, j.failures-1, r.options.Ceiling))
	}
	return 0
}

func (r *looker) look(ctx context.Context, j *job) outcome {
	if reason := j.order.mistake(); reason != "" {
		return r.fault(ctx, j, &SourceError{Kind: j.order.Kind, Err: errors.New(reason)})
	}
	l := r.lookups[j.order.Kind]
	if l.blind != nil {
		if why := l.blind(j.order); why != "" {
			from := time.Duration(0)
			if why == daxpay.UnresolvedNoNumber {
				from = follow.Arrival // the start may be under way
			}
			return r.unresolved(ctx, j, &daxpay.UnresolvedError{Path: l.path, Reason: why}, from)
		}
	}
	for {
		what := r.ask(ctx, l, j)
		if what != open || j.next > r.age(j) || ctx.Err() != nil {
			return what
		}
	}
}

func (r *looker) age(j *job) time.Duration { return r.options.Now().Sub(j.made) }

// ask makes a query, after a sync if one is due. If the order has not ended, it sets job.next.
func (r *looker) ask(ctx context.Context, l lookup, j *job) outcome {
	var syncErr error
	if j.follow.SyncDue(r.age(j)) {
		syncErr = r.sync(ctx, l, j)
		switch {
		case syncErr == nil:
		case errors.Is(syncErr, errYielded):
			return yielded
		case unsent(syncErr) || noAnswer(syncErr):
			return r.fault(ctx, j, syncErr)
		case ctx.Err() == nil: // the query may still have an answer
			r.report(j.order, syncErr)
		}
	}
	var f found
	err := r.call(ctx, j, func(ctx context.Context) (err error) {
		f, err = l.query(ctx, j.order)
		return err
	})
	if errors.Is(err, errYielded) {
		return yielded
	}
	if err == nil {
		err = f.about(j.order, l.path)
	}
	if err != nil {
		return r.refused(ctx, l, j, err)
	}
	end, why := j.follow.Seen(r.age(j), f.standing, f.status)
	switch {
	case end && why != "":
		return r.unresolved(ctx, j, &daxpay.UnresolvedError{
			Path: l.path, Reason: daxpay.UnresolvedReason(why), Status: f.status, TraceID: f.traceID,
		}, 0)
	case end:
		return r.hand(ctx, j, &f)
	case syncErr != nil:
		return r.inVain(ctx, j)
	}
	r.count(func(s *Stats) { s.InProgress++ })
	r.log(ctx, slog.LevelDebug, "in progress", j.order.Kind, slog.String("status", f.status))
	return r.later(j)
}

// later sets job.next for an order that is still open.
func (r *looker) later(j *job) outcome {
	j.next, _ = j.follow.Due(r.age(j), r.options.First, r.options.Ceiling, 0)
	return open
}

// refused handles an error of the query.
func (r *looker) refused(ctx context.Context, l lookup, j *job, err error) outcome {
	var refusal *daxpay.GatewayError
	if !errors.As(err, &refusal) {
		return r.fault(ctx, j, err)
	}
	switch {
	case errors.Is(err, daxpay.ErrNoSuchOrder) || refusedByBusiness(err) != nil:
		why := &daxpay.UnresolvedError{Path: l.path, Reason: daxpay.UnresolvedNoSuchOrder, Err: refusal}
		return r.unresolved(ctx, j, why, max(r.options.UnknownAfter, follow.Arrival+1))
	case j.order.Kind == Transfer && follow.SeveralTransfers(refusal.Code, refusal.Msg):
		return r.unresolved(
			ctx, j, &daxpay.UnresolvedError{Path: l.path, Reason: daxpay.UnresolvedSeveral, Err: refusal}, 0,
		)
	}
	return r.fault(ctx, j, err)
}

// mistake says why the order is invalid, "" if it is valid.
func (o Order) mistake() string {
	switch {
	case o.Made.IsZero():
		return "Made must be set"
	case o.Amount < 0:
		return "Amount must not be negative"
	}
	return ""
}

// sync makes the gateway ask the channel. A signed refusal is an answer, too, and no error.
func (r *looker) sync(ctx context.Context, l lookup, j *job) error {
	var answer follow.Answer
	err := r.call(ctx, j, func(ctx context.Context) (err error) {
		answer, err = l.sync(ctx, j.order)
		return err
	})
	var refusal *daxpay.GatewayError
	switch {
	case err == nil:
	case errors.Is(err, errYielded):
		return err
	case errors.Is(err, daxpay.ErrUnsupported):
		j.follow.NoSync = true // 2.0.6 has no sync of allocations: queries must do
		return nil
	case errors.As(err, &refusal):
		answer = follow.RefusedSync(refusal.Code, refusal.Business && refusal.Signed)
	}
	if answer == 0 {
		answer = follow.Failed
	}
	j.follow.Synced(r.age(j), answer)
	if refusedByBusiness(err) != nil {
		return nil //nolint:nilerr // the query explains a refusal by the business
	}
	return err
}

// errYielded says that another process has taken over the order.
var errYielded = errors.New("reconcile: another process has the order")

// call makes one call to the gateway, as soon as the rate allows. The call ends before another process may look at the
// order.
func (r *looker) call(ctx context.Context, j *job, call func(context.Context) error) error {
	if err := r.gate.pass(ctx); err != nil {
		return err
	}
	if !r.keep(ctx, j) {
		return errYielded
	}
	r.count(func(s *Stats) { s.Calls++ })
	limited, cancel := ctx, context.CancelFunc(func() {})
	if !j.held.IsZero() {
		limited, cancel = context.WithDeadline(ctx, j.held)
	}
	defer cancel()
	err := call(limited)
	switch {
	case err == nil || refusedByBusiness(err) != nil:
		r.gate.worked()
	case ctx.Err() == nil && !unsent(err):
		r.gate.failed()
	}
	return err
}

// refusedByBusiness returns the signed refusal in err, nil if there is none.
func refusedByBusiness(err error) *daxpay.GatewayError {
	var refusal *daxpay.GatewayError
	if errors.As(err, &refusal) && refusal.Business && refusal.Signed {
		return refusal
	}
	return nil
}

// unsent reports whether the call could not be sent.
func unsent(err error) bool {
	return errors.Is(err, daxpay.ErrParam) || errors.Is(err, daxpay.ErrConfig) || errors.Is(err, daxpay.ErrUnsupported)
}

// noAnswer reports whether no answer came, so that it is no use to ask further.
func noAnswer(err error) bool {
	var transport *daxpay.TransportError
	return errors.As(err, &transport) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// hand gives an order whose outcome is proved to the sink. A payment that is over is handed on once, and looked at
// again when it can no longer be paid.
func (r *looker) hand(ctx context.Context, j *job, f *found) outcome {
	isOver := j.order.Kind == Pay && f.standing == model.Ended
	if isOver && j.late {
		r.count(func(s *Stats) { s.Over++ })
		return r.over(j, f)
	}
	if !j.listed() {
		return r.later(j) // the shop has settled it meanwhile
	}
	if !r.keep(ctx, j) {
		return yielded
	}
	if err := r.callback(ctx, f.hand); err != nil {
		return r.sinkFailed(ctx, j, err)
	}
	r.count(func(s *Stats) { s.Handed++ })
	r.log(ctx, slog.LevelInfo, "handed on", j.order.Kind, slog.String("status", f.status))
	if isOver {
		return r.over(j, f)
	}
	return taken
}

// over decides how to go on with a payment that is over. It may still be paid, until some time after its expiry. Then
// one more sync must bring the channel's word: if it fails, later ones follow.
func (r *looker) over(j *job, f *found) outcome {
	if r.options.QueryOnly {
		return taken
	}
	j.until = f.expires.Add(follow.LateMargin)
	if f.expires.IsZero() {
		j.until = j.made.Add(follow.LateWindow)
	}
	switch age, until := r.age(j), j.until.Sub(j.made); {
	case age < until:
		j.next = until
		return over
	case age < until+lost && !j.follow.ToldSince(until):
		j.next = age + max(2*time.Minute, age-until)
		return over
	}
	return taken
}

// unresolved gives an order whose outcome the gateway cannot tell to Sink.Unknown, once the order is as old as from.
func (r *looker) unresolved(ctx context.Context, j *job, why *daxpay.UnresolvedError, from time.Duration) outcome {
	r.count(func(s *Stats) { s.Unknown++ })
	r.log(ctx, slog.LevelInfo, "outcome unknown", j.order.Kind, slog.String("reason", string(why.Reason)))
	if r.unknown != nil && j.told != why.Reason && r.age(j) >= from && j.listed() {
		if !r.keep(ctx, j) {
			return yielded
		}
		if err := r.callback(ctx, func(ctx context.Context) error { return r.unknown(ctx, j.order, why) }); err != nil {
			return r.sinkFailed(ctx, j, err)
		}
		j.told = why.Reason
	}
	r.later(j)
	j.next = max(j.next, r.age(j)+1) // no second query in this look
	return open
}

func (r *looker) sinkFailed(ctx context.Context, j *job, err error) outcome {
	if ctx.Err() != nil {
		return cutOff
	}
	r.count(func(s *Stats) { s.SinkErrors++ })
	r.log(ctx, slog.LevelWarn, "sink failed", j.order.Kind)
	r.report(j.order, &SinkError{Kind: j.order.Kind, Err: err})
	return failed
}

func (r *looker) fault(ctx context.Context, j *job, err error) outcome {
	if ctx.Err() != nil {
		return cutOff
	}
	r.report(j.order, err)
	return r.inVain(ctx, j)
}

// inVain ends a look with a fault that was reported before.
func (r *looker) inVain(ctx context.Context, j *job) outcome {
	r.count(func(s *Stats) { s.Faults++ })
	r.log(ctx, slog.LevelWarn, "no answer", j.order.Kind)
	return failed
}
