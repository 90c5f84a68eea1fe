package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/guard"
)

// Looker looks at single orders, for a job queue of your own that decides when. It is safe for concurrent use. Create
// it with NewLooker.
type Looker struct{ looker *looker }

// NewLooker returns a Looker. Its error holds an *OptionError for every mistake. Give it a client as New says. Of the
// options, Grace, Concurrency, ListEvery, PageSize, Schedule and Lease have no effect: that is up to the queue.
func NewLooker(client *daxpay.Client, sink Sink, options Options) (*Looker, error) {
	options.Schedule = nil
	r, err := newLooker(client, sink, options)
	if err != nil {
		return nil, err
	}
	return &Looker{looker: r}, nil
}

// Next says what to do after a look.
type Next struct {
	// Done reports whether the sink has taken the order and nothing about it can change any more. The other fields are
	// then zero.
	Done bool
	// After is how long to wait before the next look.
	After time.Duration
	// Note must be passed to the next look. It has at most 1,000 bytes, all of them printable ASCII.
	Note string
}

// Look looks at an order once, as a Reconciler does when an order is due: it queries the gateway, after a sync if one
// is due, and hands the order to the sink if its outcome is proved. Let the job of a queue call it, and call it again
// after Next.After, until Next.Done is set or the shop has settled the order in another way:
//
//	next, err := looker.Look(ctx, order, note) // note: "" for the first look, then Next.Note
//
// The note holds what must be remembered between two looks, such as when the last sync was. Without it, or with the
// note of an earlier Order.Made, the look starts from scratch. Keep it with the order or in the job. Do not look at an
// order twice at the same time, nor with two notes in turn: that costs calls, and the order may be handed on twice.
//
// Problems with the order, such as a missing answer, go to Options.OnError, and After is then longer. The error is the
// context's if that cut the look off, or an *OptionError for an order that cannot be looked at. After an error repeat
// the look with the same note.
func (r *Looker) Look(ctx context.Context, o Order, note string) (Next, error) {
	l := r.looker
	reason := o.mistake()
	switch _, known := l.lookups[o.Kind]; {
	case ctx == nil:
		return Next{}, &OptionError{Field: "the context", Reason: "must not be nil"}
	case !known:
		return Next{}, &OptionError{Field: "Order.Kind", Reason: "must be one for which the sink has a function"}
	case reason != "":
		return Next{}, &OptionError{Field: "the order", Reason: "cannot be looked at: " + reason}
	}
	j := &job{
		state: l.options.newState(o, l.options.Now()), order: o, listed: func() bool { return true },
	}
	j.late = o.Kind == Pay && o.Ended
	l.adopt(j, note)
	l.count(func(s *Stats) { s.Looks++ })
	switch what := l.look(ctx, j); what {
	case taken:
		return Next{Done: true}, nil
	case cutOff:
		return Next{}, ctx.Err()
	default:
		return Next{After: max(l.settle(j, what, l.options.Now()), 0), Note: j.note()}, nil
	}
}

// Stats returns a snapshot. Open, Running, Listings and SourceErrors are always 0.
func (r *Looker) Stats() Stats { return r.looker.counted() }

// looker looks at orders.
type looker struct {
	options Options
	unknown func(context.Context, Order, *daxpay.UnresolvedError) error
	lookups map[Kind]lookup
	gate    *gate
	shared  *shared // nil without Options.Schedule

	mu    sync.Mutex
	stats Stats
}

func newLooker(client *daxpay.Client, sink Sink, options Options) (*looker, error) {
	options, faults := options.withDefaults()
	if client == nil {
		faults = append(faults, &OptionError{Field: "client", Reason: "must not be nil"})
	}
	lookups := lookupsOf(client, sink)
	if len(lookups) == 0 {
		faults = append(
			faults, &OptionError{Field: "sink", Reason: "must have a function for at least one kind of order"},
		)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	r := &looker{options: options, unknown: sink.Unknown, lookups: lookups, gate: newGate(options.Interval)}
	if options.Schedule != nil {
		r.shared = newShared(options.Schedule, client)
	}
	return r, nil
}

func (r *looker) counted() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Pace = r.gate.pace()
	return s
}

// count changes the counters.
func (r *looker) count(change func(*Stats)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.stats)
}

// callback calls a function of the shop, within Options.Timeout.
func (r *looker) callback(ctx context.Context, call guard.Func) error {
	ctx, cancel := context.WithTimeout(ctx, r.options.Timeout)
	defer cancel()
	return panicOr(guard.Call(ctx, call))
}

func panicOr(panicked *guard.Panic, err error) error {
	if panicked != nil {
		return (*daxpay.PanicError)(panicked)
	}
	return err
}

// report calls Options.OnError.
func (r *looker) report(o Order, err error) {
	if r.options.OnError == nil {
		return
	}
	defer func() { _ = recover() }()
	r.options.OnError(o, err)
}

// log writes a line with the kind, what happened, and attrs, which must be harmless.
func (r *looker) log(ctx context.Context, level slog.Level, what string, kind Kind, attrs ...slog.Attr) {
	if r.options.Logger != nil {
		r.options.Logger.LogAttrs(
			ctx, level, "daxpay reconcile: "+what, append(attrs, slog.String("kind", string(kind)))...,
		)
	}
}
