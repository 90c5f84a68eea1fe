package reconcile

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/daxpay-go/daxpay"
)

// Options change a Reconciler. The zero value of a field stands for its default.
type Options struct {
	// Grace is how old an order gets before it is looked at for the first time. A look does no harm: nothing is
	// synchronized in the first seconds. Default: 1 second.
	Grace time.Duration
	// First is the shortest pause between two looks at an order. The pause grows with the age of the order, to about 6
	// % of it. Default: 2 seconds.
	First time.Duration
	// Ceiling is the longest pause between two looks at an order. Default: 5 minutes.
	Ceiling time.Duration
	// RetryAfter is the first pause after a look that failed: no answer, one that was refused, or an error of the sink.
	// It doubles with each further failure of the same order, up to Ceiling. Default: 5 seconds.
	RetryAfter time.Duration
	// UnknownAfter is how old an order gets before Sink.Unknown is told that the gateway does not have it. Less than 20
	// seconds, in which a request can still be under way, count as that. Default: 15 minutes.
	UnknownAfter time.Duration
	// QueryOnly leaves out the syncs, which have the gateway ask the channel. Then an order ends when the gateway
	// learns of it by itself: a payment whose callback was lost is not found, nor is one that was paid after it was
	// closed. No payment is closed by being looked at. Default: false. Transfers are never synchronized.
	QueryOnly bool

	// Concurrency is how many orders are looked at side by side. Default: 8.
	Concurrency int
	// Interval is the least time from the beginning of one call to the gateway to that of the next, of all orders
	// together. A look is a query, and now and then a sync before it. If there are more orders than the interval
	// allows, the young ones come first. When calls fail in a row it doubles with each, from the sixth on, up to 30
	// seconds, until one succeeds. Default: 20 milliseconds, 50 calls a second, which is enough for 100 open orders
	// younger than 3 minutes. 400 of them and 10,000 older ones need 5 milliseconds.
	Interval time.Duration

	// ListEvery is the pause between two lists of the open orders, and so how long a new order can go unseen. When a
	// list fails it doubles with each failure, up to eight times as long. Default: 5 seconds.
	ListEvery time.Duration
	// PageSize is the limit that Source.Open gets. Default: 500.
	PageSize int
	// Timeout is how long a function of the shop may take, if it heeds its context: one call of Source.Open or of a
	// function of the Sink. Default: 30 seconds.
	Timeout time.Duration

	// Schedule shares the work between processes: an order is looked at by one of them at a time, and not again before its
	// time. Give it to all of them; see Schedule for what there is. Their clocks should agree to within a few seconds.
	// Each process lists the open orders all the same, and has its own Interval: divide the rate among them.
	//
	// While the schedule fails, or does not answer within 2 seconds, a process works alone, as without it: then orders are
	// looked at, and perhaps handed on, by several processes. It is asked again after RetryAfter, and later and later,
	// but at least every 30 seconds.
	//
	// An order that the source still lists an hour after the sink of another process took it is handed on again.
	// Default: none; every process looks at all orders.
	Schedule Schedule
	// Lease is how long an order stays with a process that was killed while it looked at it; then another one takes it
	// over. A process that lives can keep an order for longer. It is at least twice Timeout. Default: twice Timeout.
	// Without Schedule it has no effect.
	Lease time.Duration

	// OnError is told what went wrong: of an order, an error of the call, daxpay.ErrEcho for an answer about another
	// amount, or a *SinkError; of the source, a *SourceError, with an Order that has a Kind only; of
	// the schedule, a *ScheduleError. It is called from
	// several goroutines at once. A panic in it is ignored. Default: nobody is told; see Stats.
	OnError func(o Order, err error)
	// Logger gets a line for every list and every look: kind, what came of it, status, counts; no numbers, and nothing
	// of a message. Default: silent.
	Logger *slog.Logger
	// Now is the clock by which orders are old and due, for tests. Pauses are real time all the same: with a clock that
	// stands still, use Once. Default: time.Now.
	Now func() time.Time
}

const (
	defaultGrace        = time.Second
	defaultFirst        = 2 * time.Second
	defaultCeiling      = 5 * time.Minute
	defaultRetryAfter   = 5 * time.Second
	defaultUnknownAfter = 15 * time.Minute
	defaultConcurrency  = 8
	defaultInterval     = 20 * time.Millisecond
	defaultListEvery    = 5 * time.Second
	defaultPageSize     = 500
	defaultTimeout      = 30 * time.Second
)

// withDefaults fills in the defaults and lists all mistakes.
func (o Options) withDefaults() (Options, []error) {
	var faults []error
	faults = fill(faults, "Grace", &o.Grace, defaultGrace)
	faults = fill(faults, "First", &o.First, defaultFirst)
	faults = fill(faults, "RetryAfter", &o.RetryAfter, defaultRetryAfter)
	faults = fill(faults, "Ceiling", &o.Ceiling, max(defaultCeiling, o.RetryAfter, o.First))
	faults = fill(faults, "UnknownAfter", &o.UnknownAfter, defaultUnknownAfter)
	faults = fill(faults, "Concurrency", &o.Concurrency, defaultConcurrency)
	faults = fill(faults, "Interval", &o.Interval, defaultInterval)
	faults = fill(faults, "ListEvery", &o.ListEvery, defaultListEvery)
	faults = fill(faults, "PageSize", &o.PageSize, defaultPageSize)
	faults = fill(faults, "Timeout", &o.Timeout, defaultTimeout)
	least := doubled(max(o.Timeout, 0), 1, math.MaxInt64)
	faults = fill(faults, "Lease", &o.Lease, least)
	if 0 < o.Lease && o.Lease < least {
		faults = append(
			faults, &OptionError{Field: "Options.Lease", Reason: "must be at least twice Timeout, which is " + least.String()},
		)
	}
	if least := max(o.RetryAfter, o.First); 0 < o.Ceiling && o.Ceiling < least {
		faults = append(
			faults,
			&OptionError{
				Field: "Options.Ceiling", Reason: "must be at least RetryAfter and First, which is " + least.String(),
			},
		)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, faults
}

// fill sets a field that is zero to its default, and appends a fault if it is negative.
func fill[T int | time.Duration](faults []error, field string, value *T, standard T) []error {
	switch {
	case *value == 0:
		*value = standard
	case *value < 0:
		return append(faults, &OptionError{Field: "Options." + field, Reason: "must not be negative"})
	}
	return faults
}

// ErrRunning says that Run or Once of the same Reconciler is at work.
var ErrRunning = errors.New("reconcile: already running")

// OptionError is one mistake in what New was given. It is daxpay.ErrConfig.
type OptionError struct {
	Field  string // "client", "source", "sink", or a field of Options such as "Options.Grace"
	Reason string
}

func (e *OptionError) Error() string { return "reconcile: " + e.Field + " " + e.Reason }

// Unwrap makes it daxpay.ErrConfig.
func (e *OptionError) Unwrap() error { return daxpay.ErrConfig }

// SourceError says that the source failed, or listed what cannot be an order. It is what the source returned, or a
// *daxpay.PanicError.
type SourceError struct {
	Kind Kind
	Err  error
}

func (e *SourceError) Error() string {
	return "reconcile: the source of " + string(e.Kind) + " orders: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *SourceError) Unwrap() error { return e.Err }

// SinkError says that a function of the sink failed. It is what that returned, or a *daxpay.PanicError. The order comes
// again.
type SinkError struct {
	Kind Kind
	Err  error
}

func (e *SinkError) Error() string {
	return "reconcile: the sink of " + string(e.Kind) + " orders: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *SinkError) Unwrap() error { return e.Err }
