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

// Observer is told what becomes of calls, for traces and metrics. Its methods run within the call, so they must be
// quick, and must be safe for concurrent use. A panic in one is caught and dropped. contrib/otel is one.
//
// A call that cannot be sent at all (ErrParam, ErrConfig, ErrUnsupported) is not observed.
type Observer interface {
	// CallStarted may return a derived context, with a span in it; nil means ctx.
	CallStarted(ctx context.Context, o Observation) context.Context
	// AttemptDone comes after each attempt. Its context is the one that CallStarted returned, or one made of it.
	AttemptDone(ctx context.Context, o Observation)
	// CallDone comes once for each CallStarted.
	CallDone(ctx context.Context, o Observation)
}

// Observation is what observers are told. No member of a message is in it.
type Observation struct {
	// Call is what is called: the param's type without "Param", such as "PaySync" or "Transfer".
	Call string
	// Path is that of gateway 2.0.8, such as "/unipay/sync/pay"; URL is where an attempt went, in the encoding that
	// Gateway names. Both are empty until there is an attempt.
	Path    string
	URL     string
	Gateway string
	// Attempt is the number of the attempt, or how many there were; 0 when the call starts. Encodings that the gateway
	// refused count.
	Attempt int
	// Duration is that of the attempt or of the call.
	Duration time.Duration
	// Status is the HTTP status, 0 if there was none.
	Status int
	// Code is the gateway's code, of data if Verified.
	Code int
	// TraceID finds the call in the gateway's log.
	TraceID string
	// Verified tells that what came has a right signature, SecretIndex which secret made it: see Result.SecretIndex.
	Verified    bool
	SecretIndex int
	// Failure is the kind of the error, FailureNone if there is none.
	Failure Failure
	// Cause says in a few words what failed, such as "connection refused" or "code 20052"; empty if nothing did.
	Cause string
	// Reason is why the gateway refused, as far as that is known.
	Reason Reason
	// NextEncoding tells of an attempt that GatewayAuto goes on with another encoding: it is no failure of the call.
	NextEncoding bool
	// NeverSent tells of a FailureTransport that nothing was written, OutcomeUnknown that the call may have taken effect
	// all the same.
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

// failureOf finds the kind of an error.
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

// causeOf says what an error is about in a few words. None of them is the other side's.
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
	return "other error"
}

// watch tells the observers of one call.
type watch struct {
	observers []Observer
	start     time.Time
	seen      Observation // of the latest attempt
}

// shielded keeps a panic of an observer from taking the answer of a call with it.
func shielded(tell func()) {
	defer func() { _ = recover() }()
	tell()
}

// watch begins a call. It returns nil if nobody watches.
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

// attempt tells of an attempt that took until now.
func (w *watch) attempt(ctx context.Context, start time.Time, url string, version gateway.Version, a *answer, err error,
	unknown, next bool) {
	o := &w.seen
	o.URL, o.Gateway, o.Attempt, o.Duration = url, version.String(), o.Attempt+1, time.Since(start)
	o.Status, o.Code, o.TraceID, o.Verified, o.SecretIndex = a.status, a.code, a.traceID, a.verified, a.secretIndex
	o.Failure, o.Cause, o.Reason, o.OutcomeUnknown, o.NextEncoding = failureOf(err), causeOf(err), ReasonOf(err), unknown,
		next
	var transport *TransportError
	o.NeverSent = errors.As(err, &transport) && transport.NeverSent
	for _, observer := range w.observers {
		shielded(func() { observer.AttemptDone(ctx, *o) })
	}
}

// done ends the call.
func (w *watch) done(ctx context.Context, err error) {
	if w == nil {
		return
	}
	w.seen.Duration = time.Since(w.start)
	w.seen.OutcomeUnknown = errors.Is(err, ErrOutcomeUnknown)
	for _, observer := range w.observers {
		shielded(func() { observer.CallDone(ctx, w.seen) })
	}
}

func (call *call) name() string {
	return strings.TrimSuffix(call.request.Type().Name(), "Param")
}

// logger is the Observer behind Config.Logger: a line for each attempt.
type logger struct{ *slog.Logger }

func (l logger) CallStarted(ctx context.Context, _ Observation) context.Context { return ctx }

func (l logger) AttemptDone(ctx context.Context, o Observation) {
	level, text := slog.LevelDebug, "daxpay call"
	switch {
	case o.NextEncoding:
		text = "daxpay call goes on in another encoding"
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

// isNil tells an interface that holds nothing, or a nil pointer.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil()
}
