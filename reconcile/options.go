package reconcile

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/daxpay-go/daxpay"
)

// Options configure a Reconciler or a Looker. The zero value of a field selects its default; negative values are
// mistakes.
type Options struct {
	// Grace is the age at which an order is looked at for the first time. An early look does no harm, because nothing
	// is synchronized in the first seconds. Default: 1 second.
	Grace time.Duration
	// First is the shortest pause between two looks at an order. The pause grows with the age of the order, to about 6%
	// of it. Default: 2 seconds.
	First time.Duration
	// Ceiling is the longest pause between two looks at an order. Default: 5 minutes.
	Ceiling time.Duration
	// RetryAfter is the pause after the first look that failed: there was no answer, the answer was refused, or the
	// sink returned an error. It doubles with each further failure of the same order, up to Ceiling. Default: 5
	// seconds.
	RetryAfter time.Duration
	// UnknownAfter is the age from which Sink.Unknown gets an order that the gateway does not have. Less than 20
	// seconds counts as 20 seconds, because until then a request can still arrive. Default: 15 minutes.
	UnknownAfter time.Duration
	// QueryOnly switches off the syncs, in which the gateway asks the channel. An order then ends only when the gateway
	// learns of it on its own: a payment whose callback was lost is not found, nor is one that was paid after it was
	// closed. On the other hand, no look closes a payment. Default: false. Transfers are never synchronized.
	QueryOnly bool

	// Concurrency is the number of orders that are looked at concurrently. Default: 8.
	Concurrency int
	// Interval is the least time between the starts of two calls to the gateway, for all orders together. A look is a
	// query, with a sync before it now and then. If there are more orders than the interval allows, young ones come
	// first. From the sixth failed call in a row on, the interval doubles with each, up to 30 seconds, until one
	// succeeds. Default: 20 milliseconds, which is 50 calls a second and enough for 100 open orders younger than 3
	// minutes. For 400 of them and 10,000 older ones, 5 milliseconds are needed.
	Interval time.Duration

	// ListEvery is the pause between two lists of the open orders, and thus how long a new order can go unnoticed.
	// While lists fail, it doubles with each, until it is eight times as long. Default: 5 seconds.
	ListEvery time.Duration
	// PageSize is the limit that is passed to Source.Open. Default: 500.
	PageSize int
	// Timeout limits one call of Source.Open or of a function of the Sink, by its context. Default: 30 seconds.
	Timeout time.Duration

	// Schedule shares the work between processes: only one of them looks at an order at a time, and none again before
	// the order is due. Give it to all of them; see Schedule for the implementations. Their clocks should agree to
	// within a few seconds. Each process still lists all open orders, and has its own Interval: divide the rate among
	// them.
	//
	// While the schedule fails, or does not answer within 2 seconds, a process works alone, as without a schedule.
	// Several processes may then look at the same order, and perhaps hand it on. The schedule is tried again after
	// RetryAfter, and after growing pauses of up to 30 seconds.
	//
	// If a process's sink has taken an order, and the source still lists it an hour later, it is handed on again.
	// Default: none; every process looks at all orders.
	Schedule Schedule
	// Lease is how long an order stays with a process that is killed during a look, until another process takes it
	// over. A process that is alive can keep an order for longer. Default, and least value: twice Timeout. Without
	// Schedule it has no effect.
	Lease time.Duration

	// OnError is called when something goes wrong: with an order, by an error of the call, daxpay.ErrEcho for an answer
	// about another amount, or a *SinkError; with the source, by a *SourceError and an Order in which only Kind is set,
	// or the order that is invalid; with the schedule, by a *ScheduleError. It is called from several goroutines at
	// once. A panic in it is ignored. Default: errors are only counted, see Stats.
	OnError func(o Order, err error)
	// Logger gets a line for every list and every look, with kind, result, status and counts, but no numbers and
	// nothing from a message. Default: no log.
	Logger *slog.Logger
	// Now is the clock for the age of orders, for tests. Pauses always take real time: with a clock that stands still,
	// use Once. Default: time.Now.
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

// withDefaults returns the Options with all defaults filled in, and all mistakes.
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

// fill sets a zero field to its default. It appends a fault if the field is negative.
func fill[T int | time.Duration](faults []error, field string, value *T, standard T) []error {
	switch {
	case *value == 0:
		*value = standard
	case *value < 0:
		return append(faults, &OptionError{Field: "Options." + field, Reason: "must not be negative"})
	}
	return faults
}

// ErrRunning is the error of Run and Once if one of them is running already on the same Reconciler.
var ErrRunning = errors.New("reconcile: already running")

// OptionError is one mistake in the arguments of New, NewLooker or a method. It is daxpay.ErrConfig.
type OptionError struct {
	Field  string // the argument, such as "client" or "source", or a field such as "Options.Grace"
	Reason string
}

func (e *OptionError) Error() string { return "reconcile: " + e.Field + " " + e.Reason }

// Unwrap returns daxpay.ErrConfig.
func (e *OptionError) Unwrap() error { return daxpay.ErrConfig }

// SourceError says that the source failed, or listed an invalid order. Err is what the source returned, or a
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

// SinkError says that a function of the sink failed. Err is what the function returned, or a *daxpay.PanicError. The
// order is handed on again later.
type SinkError struct {
	Kind Kind
	Err  error
}

func (e *SinkError) Error() string {
	return "reconcile: the sink of " + string(e.Kind) + " orders: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *SinkError) Unwrap() error { return e.Err }
