package daxpay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// Retry says how often and when a call is sent again. The zero value selects the defaults.
//
// Any call is sent again if not a byte of it was written because the connection could not be made. A call that may have
// arrived is sent again only if its param says that this does no harm (param.EffectReadOnly, param.EffectRepeatable),
// and only after a lost connection, a timeout of the transport, an HTTP status of 500 or above except for an unknown
// path, or code 10007 (the order is locked). No other code of the gateway is retried, and no answer that this client
// refused. Each attempt has a new time, nonce and signature.
type Retry struct {
	// MaxAttempts limits how often a call is sent, including the first time. Default: 3. With 1, nothing is sent again.
	// The encodings that GatewayAuto tries do not count: the gateway understood none of them.
	MaxAttempts int `json:"maxAttempts" yaml:"maxAttempts" env:"DAXPAY_RETRY_MAX_ATTEMPTS"`
	// BaseDelay limits the pause before the second attempt. The limit doubles with each further attempt, and the pause
	// is random below it (full jitter). Default: 200 milliseconds. After a locked order, a second is added.
	BaseDelay time.Duration `json:"baseDelay" yaml:"baseDelay" env:"DAXPAY_RETRY_BASE_DELAY"`
	// MaxDelay limits the random pause, and is at most 24 hours. Default: 2 seconds.
	MaxDelay time.Duration `json:"maxDelay" yaml:"maxDelay" env:"DAXPAY_RETRY_MAX_DELAY"`
	// Budget limits the retries of all calls of the client together, to protect a gateway that is down. Each retry
	// takes one from it, and each call that succeeds gives back a tenth. Default: 100. Negative: no limit.
	Budget int `json:"budget" yaml:"budget" env:"DAXPAY_RETRY_BUDGET"`
}

const (
	defaultMaxAttempts = 3
	defaultBaseDelay   = 200 * time.Millisecond
	defaultMaxDelay    = 2 * time.Second
	defaultBudget      = 100
	lockDelay          = time.Second

	// Larger values would overflow, and no call needs them.
	maxMaxDelay = 24 * time.Hour
	maxBudget   = math.MaxInt32
)

// withDefaults fills in the defaults and reports mistakes.
func (r Retry) withDefaults(fault func(field, reason string)) Retry {
	if r.MaxAttempts < 0 {
		fault("Retry.MaxAttempts", "must not be negative: 1 switches retries off")
	}
	if r.BaseDelay < 0 {
		fault("Retry.BaseDelay", "must not be negative")
	}
	if r.MaxDelay < 0 {
		fault("Retry.MaxDelay", "must not be negative")
	}
	r.MaxAttempts = cmp.Or(r.MaxAttempts, defaultMaxAttempts)
	r.BaseDelay = min(cmp.Or(r.BaseDelay, defaultBaseDelay), maxMaxDelay)
	r.MaxDelay = min(cmp.Or(r.MaxDelay, defaultMaxDelay), maxMaxDelay)
	r.Budget = min(cmp.Or(r.Budget, defaultBudget), maxBudget)
	return r
}

// pause returns the pause before an attempt after an error. The first retry is attempt 2.
func (r Retry) pause(attempt int, err error) time.Duration {
	longest := r.BaseDelay
	for range attempt - 2 {
		if longest >= r.MaxDelay {
			break
		}
		longest *= 2
	}
	longest = min(longest, r.MaxDelay)
	pause := rand.N(longest + 1) //nolint:gosec // nothing secret
	if isLocked(err) {
		pause += lockDelay
	}
	return pause
}

func isLocked(err error) bool {
	var refusal *GatewayError
	return errors.As(err, &refusal) && !refusal.Business && refusal.Code == gateway.CodeRepeated
}

// maySendAgain reports whether the call may be sent again after an attempt failed with err.
func (call *call) maySendAgain(err error) bool {
	var transport *TransportError
	if errors.As(err, &transport) {
		return transport.NeverSent || call.effect.Repeatable()
	}
	if !call.effect.Repeatable() {
		return false
	}
	var page *HTTPError
	if errors.As(err, &page) {
		return page.StatusCode >= http.StatusInternalServerError && !page.UnknownPath
	}
	return isLocked(err)
}

// budget is a token bucket, counted in tenths of a token. A negative size means no limit.
type budget struct {
	size int64
	left atomic.Int64
}

const (
	tokenPrice  = 10
	tokenReturn = 1
)

func (b *budget) fill(tokens int) {
	b.size = tokenPrice * int64(tokens)
	b.left.Store(b.size)
}

// take takes one token and reports whether there was one.
func (b *budget) take() bool {
	return b.add(-tokenPrice)
}

func (b *budget) giveBack() {
	b.add(tokenReturn)
}

// add reports whether there were enough tokens.
func (b *budget) add(tenths int64) bool {
	if b.size < 0 {
		return true
	}
	for {
		left := b.left.Load()
		after := min(left+tenths, b.size)
		if after < 0 {
			return false
		}
		if after == left || b.left.CompareAndSwap(left, after) {
			return true
		}
	}
}

var errSpent = errors.New("Config.Retry.Budget was used up")

// again waits until the call may be sent again. It returns false if it may not, and the reason if that is the context,
// which ended during the pause, or the budget.
func (c *core) again(ctx context.Context, call *call, attempt int, err error) (bool, error) {
	if attempt >= c.Retry.MaxAttempts || ctx.Err() != nil || !call.maySendAgain(err) {
		return false, nil //nolint:nilerr // err is the attempt's
	}
	pause := c.Retry.pause(attempt+1, err)
	deadline, ok := ctx.Deadline()
	if ok && time.Until(deadline) <= pause || time.Until(call.end) <= pause {
		return false, nil
	}
	if !c.budget.take() {
		return false, errSpent
	}
	if err := sleep(ctx, pause); err != nil {
		return false, err
	}
	return true, nil
}

// sleep waits for d. It returns the context's error if that ends first.
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

// failures collects the errors of a call's attempts.
type failures struct {
	call    *call
	said    refusals // by encoding
	path    string   // of the latest attempt
	errs    []error
	stopped error // see RetryError.Stopped
	unknown bool  // an attempt may have taken effect
}

func (f *failures) add(path string, err error, unknown bool) {
	f.path, f.errs, f.unknown = path, append(f.errs, err), f.unknown || unknown
}

// err returns one error for all attempts.
func (f *failures) err() error {
	err := f.errs[0]
	if len(f.errs) > 1 || f.stopped != nil {
		err = &RetryError{Path: f.path, Errs: f.errs, Stopped: f.stopped}
	}
	if f.unknown {
		err = &OutcomeError{Path: f.path, Recover: f.call.recovery, Err: err}
	}
	return err
}

// RetryError says that all attempts of a call failed. errors.Is finds the errors of every attempt; errors.As finds the
// latest first.
type RetryError struct {
	Path string
	// Errs are the errors of the attempts, in order, at least one.
	Errs []error
	// Stopped says why no further attempt was made although one was left: the context's error, if that ended during the
	// pause, or that Retry.Budget was used up. Nil if no attempt was left, or the last error allows no further one.
	Stopped error
}

func (e *RetryError) Error() string {
	text := func(i int) string {
		return strings.TrimPrefix(strings.TrimPrefix(e.Errs[i].Error(), "daxpay: "), e.Path+": ")
	}
	n := len(e.Errs)
	alike := func(err error) bool { return err.Error() == e.Errs[0].Error() }
	if n > 1 && e.Stopped == nil && !slices.ContainsFunc(e.Errs, func(err error) bool { return !alike(err) }) {
		return fmt.Sprintf("daxpay: %s: %s; the same in %d attempts", e.Path, text(0), n)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "daxpay: %s: %d attempt", e.Path, n)
	if len(e.Errs) != 1 {
		b.WriteByte('s')
	}
	if e.Stopped != nil {
		fmt.Fprintf(&b, ", then %v", e.Stopped)
	}
	for first := 0; first < len(e.Errs); {
		last := first // of a run of equal texts
		for last+1 < len(e.Errs) && text(last+1) == text(first) {
			last++
		}
		fmt.Fprintf(&b, "; #%d", first+1)
		if last > first {
			fmt.Fprintf(&b, " to #%d", last+1)
		}
		fmt.Fprintf(&b, ": %s", text(first))
		first = last + 1
	}
	return b.String()
}

// Unwrap returns the errors of the attempts, the latest first, and Stopped.
func (e *RetryError) Unwrap() []error {
	errs := slices.Clone(e.Errs)
	slices.Reverse(errs)
	if e.Stopped != nil {
		errs = append(errs, e.Stopped)
	}
	return errs
}
