// Package daxpayotel records the calls of a daxpay.Client and the gateway's notices as OpenTelemetry spans and metrics.
// It follows the semantic conventions 1.37.0 for HTTP clients and for messaging.
//
//	telemetry, err := daxpayotel.New(daxpayotel.Options{})
//	kit, err := daxpay.New(daxpay.Config{ServiceURL: url, SignSecret: secret, Observer: telemetry})
//	http.Handle("/notify", kit.NoticeHandler(telemetry.NoticeHandlers(daxpay.NoticeHandlers{Pay: onPay})))
//
// # Calls
//
// A call is a span of kind internal, such as "daxpay PaySync", which includes the pauses between attempts. Each attempt
// is a child span of kind client, "POST". The conventions ask for one client span for each request and no client span
// around it, or requests would be counted twice. For the same reason, give Config.HTTPClient no transport that makes
// spans. No trace context is sent to the gateway.
//
// A business refusal, such as of a refund of more than is left, is an error of the call but not of the attempt, which
// got a verified answer. Every other failure is an error of the attempt, and of the call if no later attempt succeeds.
//
// # Metrics
//
//	http.client.request.duration         of each attempt, in seconds
//	daxpay.client.call.duration          of each call, in seconds, by daxpay.call, daxpay.outcome and daxpay.secret_index
//	messaging.process.duration           of each callback for a notice, in seconds
//	messaging.client.consumed.messages   number of notices that reached a callback
//	daxpay.notice.failures               number of notices refused or not acknowledged, by error.type
//
// # What is left out
//
// Spans and metrics hold no field of a message, no order number, no secret, no signature and no error text. Only spans
// hold the gateway's trace id; metrics have no attribute whose values grow in number with the calls.
package daxpayotel

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/semconv/v1.37.0/httpconv"
	"go.opentelemetry.io/otel/semconv/v1.37.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/daxpay-go/daxpay"
)

// The attributes that the conventions lack. See daxpay.Observation for what they hold.
const (
	// CallKey is the name of the call, such as "PaySync"; on the span and the metric of a call.
	CallKey = attribute.Key("daxpay.call")
	// AttemptsKey is the number of attempts; on the span of a call.
	AttemptsKey = attribute.Key("daxpay.attempts")
	// OutcomeKey is one of the outcomes below; on the span and the metric of a call.
	OutcomeKey = attribute.Key("daxpay.outcome")
	// GatewayKey is the encoding of an attempt, such as "2.0.8"; on spans of attempts.
	GatewayKey = attribute.Key("daxpay.gateway")
	// CodeKey is the gateway's code, if there is one; on spans.
	CodeKey = attribute.Key("daxpay.code")
	// TraceIDKey is the id of the call in the gateway's log, if there is one; on spans.
	TraceIDKey = attribute.Key("daxpay.trace_id")
	// VerifiedKey tells whether the signature of the answer is right; on spans of attempts.
	VerifiedKey = attribute.Key("daxpay.verified")
	// NeverSentKey is true if an attempt failed before a byte was written, and otherwise missing; on spans of attempts.
	NeverSentKey = attribute.Key("daxpay.never_sent")
	// OutcomeUnknownKey tells whether an attempt or the call may have taken effect without proof; on spans.
	OutcomeUnknownKey = attribute.Key("daxpay.outcome_unknown")
	// SecretIndexKey tells which secret signed a verified answer or a notice: see daxpay.Result. It is on metrics too:
	// remove Config.PreviousSecrets when it has been 0 for a day.
	SecretIndexKey = attribute.Key("daxpay.secret_index")
)

// The values of OutcomeKey.
const (
	OutcomeSuccess = "success" // a verified answer proves it
	OutcomeRefused = "refused" // the gateway or its business refused the call, and it changed nothing
	OutcomeUnknown = "unknown" // the call may have taken effect: daxpay.ErrOutcomeUnknown
	OutcomeFailed  = "failed"  // anything else
)

// Options configure an Observer. The zero value of a field means its default.
type Options struct {
	// TracerProvider makes the spans. Default: otel.GetTracerProvider().
	TracerProvider trace.TracerProvider
	// MeterProvider makes the metrics. Default: otel.GetMeterProvider().
	MeterProvider metric.MeterProvider
}

// Observer implements daxpay.Observer: set it as Config.Observer. It is safe for concurrent use, and can serve several
// clients. Make it with New.
type Observer struct {
	tracer trace.Tracer

	requests  httpconv.ClientRequestDuration
	calls     metric.Float64Histogram
	processes messagingconv.ProcessDuration
	consumed  messagingconv.ClientConsumedMessages
	failures  metric.Int64Counter
}

var _ daxpay.Observer = (*Observer)(nil)

const scope = "github.com/daxpay-go/daxpay/contrib/otel"

// New returns an Observer. It fails only if the MeterProvider cannot make an instrument.
func New(options Options) (*Observer, error) {
	if options.TracerProvider == nil {
		options.TracerProvider = otel.GetTracerProvider()
	}
	if options.MeterProvider == nil {
		options.MeterProvider = otel.GetMeterProvider()
	}
	o := &Observer{
		tracer: options.TracerProvider.Tracer(scope, trace.WithInstrumentationVersion(daxpay.Version),
			trace.WithSchemaURL(semconv.SchemaURL)),
	}
	meter := options.MeterProvider.Meter(scope, metric.WithInstrumentationVersion(daxpay.Version),
		metric.WithSchemaURL(semconv.SchemaURL))
	if err := o.makeInstruments(meter); err != nil {
		return nil, fmt.Errorf("daxpayotel: %w", err)
	}
	return o, nil
}

func (o *Observer) makeInstruments(meter metric.Meter) (err error) {
	// The boundaries that the conventions advise for durations.
	buckets := metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5,
		10)
	if o.requests, err = httpconv.NewClientRequestDuration(meter, buckets); err != nil {
		return err
	}
	if o.calls, err = meter.Float64Histogram("daxpay.client.call.duration", buckets, metric.WithUnit("s"),
		metric.WithDescription("Duration of calls to the gateway, including all attempts and the pauses between "+
			"them.")); err != nil {
		return err
	}
	if o.processes, err = messagingconv.NewProcessDuration(meter, buckets); err != nil {
		return err
	}
	if o.consumed, err = messagingconv.NewClientConsumedMessages(meter); err != nil {
		return err
	}
	o.failures, err = meter.Int64Counter("daxpay.notice.failures", metric.WithUnit("{notice}"),
		metric.WithDescription("Number of notice deliveries that were refused or not acknowledged."))
	return err
}

// spanOf is the context key of an observer's span of the call. The current span can be another observer's.
type spanOf struct{ *Observer }

func (o *Observer) withCall(ctx context.Context) context.Context {
	span, _ := ctx.Value(spanOf{o}).(trace.Span)
	return trace.ContextWithSpan(ctx, span)
}

// CallStarted implements daxpay.Observer.
func (o *Observer) CallStarted(ctx context.Context, seen daxpay.Observation) context.Context {
	ctx, span := o.tracer.Start(ctx, "daxpay "+seen.Call, trace.WithSpanKind(trace.SpanKindInternal),
		trace.WithAttributes(CallKey.String(seen.Call)))
	return context.WithValue(ctx, spanOf{o}, span)
}

// AttemptDone implements daxpay.Observer.
func (o *Observer) AttemptDone(ctx context.Context, seen daxpay.Observation) {
	end := time.Now()
	address, port := server(seen.URL)
	var failure []attribute.KeyValue
	if seen.Failure != daxpay.FailureBusiness {
		failure = failureOf(seen)
	}
	met := failure
	if seen.Status != 0 {
		met = append(met, semconv.HTTPResponseStatusCode(seen.Status))
	}
	attributes := append(answerOf(seen),
		semconv.HTTPRequestMethodPost,
		semconv.ServerAddress(address),
		semconv.ServerPort(port),
		semconv.URLFull(seen.URL),
		GatewayKey.String(seen.Gateway),
		VerifiedKey.Bool(seen.Verified),
	)
	if seen.Attempt > 1 {
		attributes = append(attributes, semconv.HTTPRequestResendCount(seen.Attempt-1))
	}
	if seen.NeverSent {
		attributes = append(attributes, NeverSentKey.Bool(true))
	}
	ctx, span := o.tracer.Start(o.withCall(ctx), "POST", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(end.Add(-seen.Duration)), trace.WithAttributes(append(attributes, met...)...))
	finish(span, failure, trace.WithTimestamp(end))
	o.requests.Record(uncancelled(ctx), seen.Duration.Seconds(), httpconv.RequestMethodPost, address, port, met...)
}

// CallDone implements daxpay.Observer.
func (o *Observer) CallDone(ctx context.Context, seen daxpay.Observation) {
	ctx = o.withCall(ctx)
	span := trace.SpanFromContext(ctx)
	failure := failureOf(seen)
	met := append([]attribute.KeyValue{OutcomeKey.String(outcome(seen))}, failure...)
	span.SetAttributes(append(answerOf(seen), AttemptsKey.Int(seen.Attempt))...)
	span.SetAttributes(met...)
	met = append(met, CallKey.String(seen.Call))
	if seen.Verified {
		met = append(met, SecretIndexKey.Int(seen.SecretIndex))
	}
	o.calls.Record(uncancelled(ctx), seen.Duration.Seconds(), metric.WithAttributes(met...))
	finish(span, failure)
}

// answerOf returns the attributes that the spans of an attempt and of its call have in common.
func answerOf(seen daxpay.Observation) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, 0, 16)
	attributes = append(attributes, OutcomeUnknownKey.Bool(seen.OutcomeUnknown))
	if seen.Verified {
		attributes = append(attributes, SecretIndexKey.Int(seen.SecretIndex))
	}
	if seen.Verified || seen.Code != 0 {
		attributes = append(attributes, CodeKey.Int(seen.Code))
	}
	if seen.TraceID != "" {
		attributes = append(attributes, TraceIDKey.String(seen.TraceID))
	}
	return attributes
}

// failureOf returns error.type, or nil if there was no failure. It is the HTTP status if that is the failure, otherwise
// the kind.
func failureOf(seen daxpay.Observation) []attribute.KeyValue {
	switch {
	case seen.Failure == daxpay.FailureNone:
		return nil
	case seen.Failure == daxpay.FailureHTTP && seen.Status >= 400:
		return errorType(strconv.Itoa(seen.Status))
	case seen.Failure == daxpay.FailureOther:
		return errorType(other)
	}
	return errorType(string(seen.Failure))
}

// other is the conventions' error.type for an error without a name.
const other = "_OTHER"

func errorType(kind string) []attribute.KeyValue {
	return []attribute.KeyValue{semconv.ErrorTypeKey.String(kind)}
}

func outcome(seen daxpay.Observation) string {
	switch {
	case seen.Failure == daxpay.FailureNone:
		return OutcomeSuccess
	case seen.OutcomeUnknown:
		return OutcomeUnknown
	case seen.Failure == daxpay.FailureBusiness || seen.Failure == daxpay.FailureGateway:
		return OutcomeRefused
	}
	return OutcomeFailed
}

// server returns the host and the port of a URL. daxpay.New has checked the URL.
func server(address string) (host string, port int) {
	u, err := url.Parse(address)
	if err != nil {
		return "", 0
	}
	port, _ = strconv.Atoi(u.Port())
	switch {
	case port != 0:
	case u.Scheme == "https":
		port = 443
	default:
		port = 80
	}
	return u.Hostname(), port
}

// finish ends a span. The status has no description: error.type is enough, and an error text could hold private data.
func finish(span trace.Span, failure []attribute.KeyValue, options ...trace.SpanEndOption) {
	if failure != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End(options...)
}

// uncancelled makes a context for metrics. An SDK may drop a measurement whose context has ended, but a call that ran
// out of time must be counted.
func uncancelled(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
