package daxpayotel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

const (
	system  = "daxpay"
	process = "process"
)

// NoticeHandlers returns the handlers with spans and metrics around their callbacks. While a callback runs, the current
// span is one of kind consumer, such as "process pay". It is a child of the HTTP request's span, if there is one, and
// has an error if the callback fails or panics; errors and panics pass through unchanged. OnError counts failures by
// the kind of error.
//
// A kind without a callback stays without one, so the client refuses its notices. An event that was handled before
// reaches no callback and is not counted.
//
// The error.type of a failed callback is "panic", "timeout" for context.DeadlineExceeded, "echo" or "unproved" for
// what daxpay.Expect refuses, otherwise "_OTHER". daxpay.notice.failures has these too; besides, it has "signature",
// "notice_type", "ambiguous", "stale", "too_large" and "protocol" for refused notices, "busy" for daxpay.ErrNoticeBusy,
// and "_OTHER" for a store that failed.
func (o *Observer) NoticeHandlers(h daxpay.NoticeHandlers) daxpay.NoticeHandlers {
	h.Pay = observed(o, h.Pay, func(n *model.PayNotice) model.Common { return n.Common })
	h.Refund = observed(o, h.Refund, func(n *model.RefundNotice) model.Common { return n.Common })
	h.Alloc = observed(o, h.Alloc, func(n *model.AllocNotice) model.Common { return n.Common })
	onError := h.OnError
	h.OnError = func(ctx context.Context, err error) {
		o.failures.Add(uncancelled(ctx), 1, metric.WithAttributes(errorType(kindOf(err))...))
		if onError != nil {
			onError(ctx, err)
		}
	}
	return h
}

// observed puts a span around a callback.
func observed[N model.Notice](o *Observer, callback func(context.Context, N) error,
	common func(N) model.Common) func(context.Context, N) error {
	if callback == nil {
		return nil
	}
	return func(ctx context.Context, notice N) error {
		met := []attribute.KeyValue{
			semconv.MessagingDestinationName(string(notice.Kind())),
			SecretIndexKey.Int(common(notice).SecretIndex),
		}
		start := time.Now()
		ctx, span := o.tracer.Start(ctx, process+" "+string(notice.Kind()), trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithTimestamp(start), trace.WithAttributes(append(met,
				semconv.MessagingSystemKey.String(system),
				semconv.MessagingOperationName(process),
				semconv.MessagingOperationTypeProcess,
			)...))
		failure := errorType("panic")
		defer func() { // it does not recover: the client needs the panic and its stack
			met = append(met, failure...)
			span.SetAttributes(failure...)
			o.processes.Record(uncancelled(ctx), time.Since(start).Seconds(), process, system, met...)
			o.consumed.Add(uncancelled(ctx), 1, process, system, met...)
			finish(span, failure)
		}()
		err := callback(ctx, notice)
		failure = nil
		if err != nil {
			failure = errorType(kindOf(err))
		}
		return err
	}
}

// refusals are the kinds of daxpay.AnswerError.
var refusals = []struct {
	err  error
	kind string
}{
	{daxpay.ErrNoticeType, "notice_type"},
	{daxpay.ErrAmbiguous, "ambiguous"},
	{daxpay.ErrStale, "stale"},
	{daxpay.ErrTooLarge, "too_large"},
	{daxpay.ErrEcho, "echo"},
	{daxpay.ErrUnproved, "unproved"},
	{daxpay.ErrProtocol, "protocol"},
}

// kindOf returns the error.type of an error about a notice. An error of a call that the callback made is _OTHER.
func kindOf(err error) string {
	const notice = "notice" // the Path of errors about notices
	var (
		panicked *daxpay.PanicError
		sign     *daxpay.SignError
		answer   *daxpay.AnswerError
	)
	switch {
	case errors.As(err, &panicked):
		return "panic"
	case errors.Is(err, daxpay.ErrNoticeBusy):
		return "busy"
	case errors.As(err, &sign) && sign.Path == notice:
		return string(daxpay.FailureSignature)
	case errors.As(err, &answer) && answer.Path == notice:
		for _, refusal := range refusals {
			if errors.Is(answer.Err, refusal.err) {
				return refusal.kind
			}
		}
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return other
}
