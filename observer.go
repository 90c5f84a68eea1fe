package daxpay

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// Observer is notified of calls, for traces and metrics. Its methods run within the call, so they must be quick, and
// they must be safe for concurrent use. A panic in one is recovered and dropped. contrib/otel has an Observer.
//
// A call that cannot be sent (ErrParam, ErrConfig, ErrUnsupported) is not observed.
type Observer interface {
	// CallStarted is called once before the first attempt. It may return a derived context, such as one with a span;
	// nil means ctx.
	CallStarted(ctx context.Context, o Observation) context.Context
	// AttemptDone is called after each attempt, with the context that CallStarted returned or one derived from it.
	AttemptDone(ctx context.Context, o Observation)
	// CallDone is called once for each CallStarted, with the fields of the latest attempt. Duration and OutcomeUnknown
	// are those of the call. If Config.OnceStore kept the call from being sent, Attempt is 0, and the fields describe
	// that error.
	CallDone(ctx context.Context, o Observation)
}

// Observation is what an Observer gets. It contains no member of a message.
type Observation struct {
	// Call names the call: the param's type without "Param", such as "PaySync" or "Transfer".
	Call string
	// Path is the call's path in gateway 2.0.8, such as "/unipay/sync/pay". URL is where the attempt was sent, and
	// Gateway names its encoding; both are empty until there is an attempt.
	Path    string
	URL     string
	Gateway string
	// Attempt is the number of the attempt, from 1; in CallDone, how many there were; in CallStarted, 0. Encodings that
	// the gateway refused count.
	Attempt int
	// Duration is how long the attempt took, or in CallDone the call.
	Duration time.Duration
	// Status is the HTTP status, 0 if there was none.
	Status int
	// Code is the gateway's code: that of the signed data if Verified, else that of the envelope.
	Code int
	// TraceID identifies the call in the gateway's log.
	TraceID string
	// Verified reports whether the answer has a right signature. SecretIndex says which secret made it: see
	// Result.SecretIndex.
	Verified    bool
	SecretIndex int
	// Failure is the kind of error, FailureNone if there is none.
	Failure Failure
	// Cause says in a few words what failed, such as "connection refused" or "code 20052"; empty if nothing did.
	Cause string
	// Reason is why the gateway refused, ReasonUnknown if that is not known.
	Reason Reason
	// NextEncoding reports whether GatewayAuto goes on with another encoding. Such an attempt is no failure of the
	// call.
	NextEncoding bool
	// NeverSent reports, for a FailureTransport, whether nothing was written. OutcomeUnknown reports whether the call
	// may have taken effect all the same.
	NeverSent      bool
	OutcomeUnknown bool
}

// Failure is a kind of error.
type Failure string

// The kinds of errors.
const (
	FailureNone      Failure = ""
	FailureTransport Failure = "transport" // *TransportError
	FailureHTTP      Failure = "http"      // *HTTPError
	FailureGateway   Failure = "gateway"   // *GatewayError, Business false
	FailureBusiness  Failure = "business"  // *GatewayError, Business true
	FailureSignature Failure = "signature" // *SignError
	FailureAnswer    Failure = "answer"    // *AnswerError
	FailureOther     Failure = "other"     // none of these
)

// failureOf returns the kind of an error.
func failureOf(err error) Failure {
	var (
		transport *TransportError
		page      *HTTPError
		refusal   *GatewayError
		sign      *SignError
		answer    *AnswerError
	)
	switch {
	case err == nil:
		return FailureNone
	case errors.As(err, &transport):
		return FailureTransport
	case errors.As(err, &page):
		return FailureHTTP
	case errors.As(err, &refusal) && refusal.Business:
		return FailureBusiness
	case refusal != nil:
		return FailureGateway
	case errors.As(err, &sign):
		return FailureSignature
	case errors.As(err, &answer):
		return FailureAnswer
	}
	return FailureOther
}

// causeOf describes an error in a few words, none of which come from the other side.
func causeOf(err error) string {
	var (
		transport *TransportError
		page      *HTTPError
		refusal   *GatewayError
		sign      *SignError
		answer    *AnswerError
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &transport):
		return transport.reason()
	case errors.As(err, &page) && page.UnknownPath:
		return "HTTP status " + strconv.Itoa(page.StatusCode) + ", unknown path"
	case page != nil:
		return "HTTP status " + strconv.Itoa(page.StatusCode)
	case errors.As(err, &refusal):
		return "code " + strconv.Itoa(refusal.Code)
	case errors.As(err, &sign):
		return strings.TrimPrefix(sign.Unwrap().Error(), "daxpay: ")
	case errors.As(err, &answer):
		return strings.TrimSpace(strings.TrimPrefix(answer.Err.Error(), "daxpay: ") + " " + clip(answer.Member, maxNumber))
	}
	if errors.Is(err, ErrDuplicate) {
		return strings.TrimPrefix(ErrDuplicate.Error(), "daxpay: ")
	}
	return "other error"
}

// watch notifies the observers of one call.
type watch struct {
	observers []Observer
	start     time.Time
	seen      Observation // with the latest attempt
}

// shielded keeps a panic of an observer from losing the result of the call.
func shielded(notify func()) {
	defer func() { _ = recover() }()
	notify()
}

// watch starts the watch of a call. It is nil if there are no observers.
func (c *core) watch(ctx context.Context, call *call) (context.Context, *watch) {
	if len(c.observers) == 0 {
		return ctx, nil
	}
	w := &watch{observers: c.observers}
	w.start = time.Now()
	w.seen = Observation{Call: call.name(), Path: call.path}
	for _, o := range w.observers {
		outer := ctx
		shielded(func() {
			if inner := o.CallStarted(outer, w.seen); inner != nil {
				ctx = inner
			}
		})
	}
	return ctx, w
}

// attempt notifies of an attempt that has just ended.
func (w *watch) attempt(ctx context.Context, start time.Time, url string, version gateway.Version, a *answer, err error,
	unknown, next bool) {
	o := &w.seen
	o.URL, o.Gateway, o.Attempt, o.Duration = url, version.String(), o.Attempt+1, time.Since(start)
	o.Status, o.Code, o.TraceID, o.Verified, o.SecretIndex = a.status, a.code, a.traceID, a.verified, a.secretIndex
	o.OutcomeUnknown, o.NextEncoding = unknown, next
	o.fail(err)
	for _, observer := range w.observers {
		shielded(func() { observer.AttemptDone(ctx, *o) })
	}
}

// fail sets the fields that describe an error, or its absence.
func (o *Observation) fail(err error) {
	o.Failure, o.Cause, o.Reason = failureOf(err), causeOf(err), ReasonOf(err)
	var transport *TransportError
	o.NeverSent = errors.As(err, &transport) && transport.NeverSent
}

// done notifies that the call has ended.
func (w *watch) done(ctx context.Context, err error) {
	if w == nil {
		return
	}
	w.seen.Duration = time.Since(w.start)
	w.seen.OutcomeUnknown = errors.Is(err, ErrOutcomeUnknown)
	if w.seen.Attempt == 0 { // the OnceStore kept the call from being sent
		w.seen.fail(err)
	}
	for _, observer := range w.observers {
		shielded(func() { observer.CallDone(ctx, w.seen) })
	}
}

func (call *call) name() string {
	return strings.TrimSuffix(call.request.Type().Name(), "Param")
}

// logger is the Observer behind Config.Logger. It writes a line for each attempt.
type logger struct{ *slog.Logger }

func (l logger) CallStarted(ctx context.Context, _ Observation) context.Context { return ctx }

func (l logger) AttemptDone(ctx context.Context, o Observation) {
	level, text := slog.LevelDebug, "daxpay call"
	switch {
	case o.NextEncoding:
		text = "daxpay call tries another encoding"
	case o.Reason == ReasonNoSuchOrder && strings.HasPrefix(o.Call, "Query"):
		text = "daxpay call found no order" // as the first query of PayOrResume does
	case o.Failure != FailureNone:
		level, text = slog.LevelWarn, "daxpay call failed"
	}
	l.LogAttrs(ctx, level, text,
		slog.String("call", o.Call),
		slog.String("path", o.Path),
		slog.String("gateway", o.Gateway),
		slog.Int("attempt", o.Attempt),
		slog.Duration("took", o.Duration),
		slog.Int("status", o.Status),
		slog.Int("code", o.Code),
		slog.Bool("verified", o.Verified),
		slog.String("failure", string(o.Failure)),
		slog.String("cause", o.Cause),
		slog.String("reason", string(o.Reason)),
		slog.Bool("outcomeUnknown", o.OutcomeUnknown),
		slog.String("traceId", o.TraceID),
	)
}

func (l logger) CallDone(context.Context, Observation) {}

// isNil reports whether v is a nil interface or holds a nil pointer.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil()
}
