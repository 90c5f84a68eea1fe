package reconcile

import (
	"context"
	"errors"
	"log/slog"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// lookup is how orders of one kind are looked at.
type lookup struct {
	// sync brings the gateway up to date, query asks it. There may be no sync.
	sync  func(ctx context.Context, no string) error
	query func(ctx context.Context, o Order) (found, error)
}

// found is what a verified answer says of an order.
type found struct {
	path   string
	no     string
	amount int64
	status string
	final  bool
	hand   func(context.Context) error // gives it to the sink
}

// lookupsOf has the kinds that the sink has a function for.
func lookupsOf(c *daxpay.Client, sink Sink) map[Kind]lookup {
	lookups := make(map[Kind]lookup)
	add := func(kind Kind, query func(context.Context, Order) (found, error), sync func(context.Context, string) error) {
		if query != nil {
			lookups[kind] = lookup{query: query, sync: sync}
		}
	}
	add(Pay,
		asking(c, sink.Pay, func(no string) *param.QueryPayParam { return &param.QueryPayParam{BizOrderNo: no} }, func(m *model.PayOrderModel) found {
			return found{no: m.BizOrderNo, amount: m.Amount, status: string(m.Status), final: m.Status.Final()}
		}),
		func(ctx context.Context, no string) error {
			_, err := c.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: no})
			return err
		})
	add(Refund,
		asking(c, sink.Refund, func(no string) *param.QueryRefundParam { return &param.QueryRefundParam{BizRefundNo: no} }, func(m *model.RefundOrderModel) found {
			return found{no: m.BizRefundNo, amount: m.Amount, status: string(m.Status), final: m.Status.Final()}
		}),
		func(ctx context.Context, no string) error {
			_, err := c.SyncRefund(ctx, &param.RefundSyncParam{BizRefundNo: no})
			return err
		})
	add(Transfer,
		asking(c, sink.Transfer, func(no string) *param.QueryTransferParam { return &param.QueryTransferParam{BizTransferNo: no} }, func(m *model.TransferOrderModel) found {
			return found{no: m.BizTransferNo, amount: m.Amount, status: string(m.Status), final: m.Status.Final()}
		}),
		nil)
	add(Allocation,
		asking(c, sink.Allocation, func(no string) *param.QueryAllocOrderParam { return &param.QueryAllocOrderParam{BizAllocationNo: no} }, func(m *model.AllocOrderModel) found {
			return found{no: m.BizAllocationNo, amount: m.Amount, status: string(m.Status), final: m.Status.Final()}
		}),
		func(ctx context.Context, no string) error {
			_, err := c.SyncAllocation(ctx, &param.AllocSyncParam{BizAllocationNo: no})
			if errors.Is(err, daxpay.ErrUnsupported) {
				return nil // 2.0.6 has no such sync: the query has to do
			}
			return err
		})
	return lookups
}

// asking returns the query for a function of the sink, nil if there is none.
func asking[P param.Request[M], M any](c *daxpay.Client, sink func(context.Context, Order, *M) error, about func(no string) P, read func(*M) found) func(context.Context, Order) (found, error) {
	if sink == nil {
		return nil
	}
	return func(ctx context.Context, o Order) (found, error) {
		p := about(o.No)
		res, err := daxpay.Execute(ctx, c, p)
		if err != nil {
			return found{}, err
		}
		f := read(&res.Data)
		f.path = p.Call().Path
		f.hand = func(ctx context.Context) error { return sink(ctx, o, &res.Data) }
		return f, nil
	}
}

// about refuses an answer that is not about the order. The client compared the number only if the answer had one.
func (f *found) about(o Order) error {
	refused := func(member, reason string) error {
		return &daxpay.AnswerError{Path: f.path, Member: member, Reason: reason, Err: daxpay.ErrEcho}
	}
	switch {
	case f.no != o.No:
		return refused("", "does not name the order that was asked for")
	case o.Amount != 0 && f.amount != o.Amount:
		return refused("amount", "is not the one of the order")
	}
	return nil
}

// visit looks at an order and says when it is looked at again.
func (r *Reconciler) visit(ctx context.Context, j *job) {
	what := failed // also if a function of the shop ends the goroutine
	defer func() { r.orders.put(j, what, r.options.Now()) }()
	r.count(func(s *Stats) { s.Looks++ })
	what = r.look(ctx, j)
}

func (r *Reconciler) look(ctx context.Context, j *job) outcome {
	if reason := j.order.mistake(); reason != "" {
		return r.fault(ctx, j, &SourceError{Kind: j.order.Kind, Err: errors.New(reason)})
	}
	l := r.lookups[j.order.Kind]
	syncErr := r.sync(ctx, l, j)
	switch {
	case syncErr == nil:
	case unsent(syncErr) || noAnswer(syncErr):
		return r.fault(ctx, j, syncErr)
	case ctx.Err() == nil: // the query can have an answer all the same
		r.report(j.order, syncErr)
	}
	var f found
	err := r.call(ctx, func() (err error) {
		f, err = l.query(ctx, j.order)
		return err
	})
	if err == nil {
		err = f.about(j.order)
	}
	refusal := refusedByBusiness(err)
	switch {
	case refusal != nil:
		return r.notKnown(ctx, j, refusal)
	case err != nil:
		return r.fault(ctx, j, err)
	case f.final:
		return r.hand(ctx, j, &f)
	case syncErr != nil:
		return r.inVain(ctx, j)
	}
	r.count(func(s *Stats) { s.InProgress++ })
	r.log(ctx, slog.LevelDebug, "in progress", j.order.Kind, slog.String("status", f.status))
	return open
}

// mistake says why something that the source listed cannot be an order.
func (o Order) mistake() string {
	switch {
	case o.Made.IsZero():
		return "Made must be set"
	case o.Amount < 0:
		return "Amount must not be negative"
	}
	return ""
}

// sync has the gateway ask the channel. What its business refuses, the query explains.
func (r *Reconciler) sync(ctx context.Context, l lookup, j *job) error {
	if l.sync == nil || r.options.QueryOnly {
		return nil
	}
	err := r.call(ctx, func() error { return l.sync(ctx, j.order.No) })
	if refusedByBusiness(err) != nil {
		err = nil
	}
	return err
}

// call makes one call to the gateway, when the rate allows.
func (r *Reconciler) call(ctx context.Context, call func() error) error {
	if err := r.gate.pass(ctx); err != nil {
		return err
	}
	r.count(func(s *Stats) { s.Calls++ })
	err := call()
	switch {
	case err == nil || refusedByBusiness(err) != nil:
		r.gate.worked()
	case ctx.Err() == nil && !unsent(err):
		r.gate.failed()
	}
	return err
}

// refusedByBusiness returns the refusal that a verified answer holds, nil if err is none.
func refusedByBusiness(err error) *daxpay.GatewayError {
	refusal := (*daxpay.GatewayError)(nil)
	if errors.As(err, &refusal) && refusal.Business && refusal.Signed {
		return refusal
	}
	return nil
}

// unsent tells that the call cannot be sent.
func unsent(err error) bool {
	return errors.Is(err, daxpay.ErrParam) || errors.Is(err, daxpay.ErrConfig) || errors.Is(err, daxpay.ErrUnsupported)
}

// noAnswer tells that nothing came back, so that there is no use in asking further.
func noAnswer(err error) bool {
	transport := (*daxpay.TransportError)(nil)
	return errors.As(err, &transport) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// hand gives an order that has ended to the sink.
func (r *Reconciler) hand(ctx context.Context, j *job, f *found) outcome {
	if !r.orders.listed(j) {
		return open // it was settled meanwhile
	}
	if err := r.callback(ctx, f.hand); err != nil {
		return r.sinkFailed(ctx, j, err)
	}
	r.count(func(s *Stats) { s.Handed++ })
	r.log(ctx, slog.LevelInfo, "handed on", j.order.Kind, slog.String("status", f.status))
	return taken
}

// notKnown tells the sink of an order that the gateway does not tell anything about, once it is old enough.
func (r *Reconciler) notKnown(ctx context.Context, j *job, refusal *daxpay.GatewayError) outcome {
	r.count(func(s *Stats) { s.Unknown++ })
	r.log(ctx, slog.LevelInfo, "not known", j.order.Kind)
	if r.unknown == nil || j.told || j.age < r.options.UnknownAfter || !r.orders.listed(j) {
		return open
	}
	err := r.callback(ctx, func(ctx context.Context) error { return r.unknown(ctx, j.order, refusal) })
	if err != nil {
		return r.sinkFailed(ctx, j, err)
	}
	return reported
}

func (r *Reconciler) sinkFailed(ctx context.Context, j *job, err error) outcome {
	if ctx.Err() != nil {
		return cutOff
	}
	r.count(func(s *Stats) { s.SinkErrors++ })
	r.log(ctx, slog.LevelWarn, "sink failed", j.order.Kind)
	r.report(j.order, &SinkError{Kind: j.order.Kind, Err: err})
	return failed
}

func (r *Reconciler) fault(ctx context.Context, j *job, err error) outcome {
	if ctx.Err() != nil {
		return cutOff
	}
	r.report(j.order, err)
	return r.inVain(ctx, j)
}

// inVain is a fault that was reported.
func (r *Reconciler) inVain(ctx context.Context, j *job) outcome {
	r.count(func(s *Stats) { s.Faults++ })
	r.log(ctx, slog.LevelWarn, "no answer", j.order.Kind)
	return failed
}
