package daxpayotel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

func noticesOf(t *testing.T) *daxpaytest.Gateway {
	t.Helper()
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P-canary", BizOrderNo: "BP-canary", Amount: 77,
		Status: model.PaySyncSuccess})
	gw.SetRefund(daxpaytest.Refund{RefundNo: "R-canary", BizRefundNo: "BR-canary", Amount: 77,
		Status: model.RefundSyncSuccess})
	gw.SetAllocation(daxpaytest.Allocation{AllocNo: "A-canary", BizAllocNo: "BA-canary", Status: model.AllocEnd,
		Shares: []daxpaytest.Share{{ReceiverNo: "canary", Amount: 77}}})
	return gw
}

func body(t *testing.T, gw *daxpaytest.Gateway, number string) string {
	t.Helper()
	b, err := gw.Notice(number)
	require.NoError(t, err)
	return string(b)
}

func deliver(ctx context.Context, h http.Handler, method, body string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, "/notify", strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestNotices(t *testing.T) {
	cut := errors.New("canary: the database is gone")
	for name, tt := range map[string]struct {
		number    string
		callback  func(context.Context, model.Notice) error
		kind      string
		errorType string // of the callback
		failure   string // of the delivery, as OnError has it
		reply     string
	}{
		"payment":    {number: "P-canary", kind: "pay", reply: "SUCCESS"},
		"refund":     {number: "R-canary", kind: "refund", reply: "SUCCESS"},
		"allocation": {number: "A-canary", kind: "alloc", reply: "SUCCESS"},
		"callback fails": {
			number: "P-canary", kind: "pay", reply: "FAIL", errorType: "_OTHER", failure: "_OTHER",
			callback: func(context.Context, model.Notice) error { return cut },
		},
		"callback finds another amount": {
			number: "R-canary", kind: "refund", reply: "FAIL", errorType: "echo", failure: "echo",
			callback: func(_ context.Context, n model.Notice) error {
				return fmt.Errorf("mine: %w", daxpay.Expect{BizOrderNo: "BR-canary", Amount: 78}.Check(n))
			},
		},
		"callback takes too long": {
			number: "P-canary", kind: "pay", reply: "FAIL", errorType: "timeout", failure: "timeout",
			callback: func(context.Context, model.Notice) error {
				return fmt.Errorf("mine: %w", context.DeadlineExceeded)
			},
		},
		"callback's own call fails": {
			number: "A-canary", kind: "alloc", reply: "FAIL", errorType: "_OTHER", failure: "_OTHER",
			callback: func(context.Context, model.Notice) error {
				return &daxpay.AnswerError{Path: "/unipay/sync/pay", Err: daxpay.ErrStale}
			},
		},
		"callback's own call gets a forged answer": {
			number: "P-canary", kind: "pay", reply: "FAIL", errorType: "_OTHER", failure: "_OTHER",
			callback: func(context.Context, model.Notice) error {
				return &daxpay.SignError{Path: "/unipay/sync/pay"}
			},
		},
		"callback panics": {
			number: "P-canary", kind: "pay", reply: "FAIL", errorType: "panic", failure: "panic",
			callback: func(context.Context, model.Notice) error { panic("canary") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, gw := observe(t), noticesOf(t)
			var seen model.Notice
			var inside trace.SpanContext
			var told error
			handle := func(ctx context.Context, n model.Notice) error {
				seen, inside = n, trace.SpanContextFromContext(ctx)
				if tt.callback == nil {
					return nil
				}
				return tt.callback(ctx, n)
			}
			handler := gw.Client().NoticeHandler(h.NoticeHandlers(daxpay.NoticeHandlers{
				Pay:     func(ctx context.Context, n *model.PayNotice) error { return handle(ctx, n) },
				Refund:  func(ctx context.Context, n *model.RefundNotice) error { return handle(ctx, n) },
				Alloc:   func(ctx context.Context, n *model.AllocNotice) error { return handle(ctx, n) },
				OnError: func(_ context.Context, err error) { told = err },
			}))
			ctx, request := h.traces.Tracer(merchant).Start(context.Background(), "POST /notify",
				trace.WithSpanKind(trace.SpanKindServer))
			_, reply := deliver(ctx, handler, http.MethodPost, body(t, gw, tt.number))
			request.End()
			require.Equal(t, tt.reply, reply)
			require.Equal(t, tt.number, seen.Number())

			spans := h.ended()
			require.Len(t, spans, 2)
			require.Equal(t, "process "+tt.kind, spans[0].Name())
			require.Equal(t, trace.SpanKindConsumer, spans[0].SpanKind())
			require.Equal(t, request.SpanContext().SpanID(), spans[0].Parent().SpanID())
			require.Equal(t, spans[0].SpanContext(), inside, "the span is current while the callback runs")
			met := attrs{"messaging.system": "daxpay", "messaging.operation.name": "process",
				"messaging.destination.name": tt.kind, "daxpay.secret_index": int64(0)}
			if tt.errorType != "" {
				met["error.type"] = tt.errorType
			}
			require.Equal(t, with(met, attrs{"messaging.operation.type": "process"}), attrsOf(spans[0].Attributes()))

			want := map[string][]point{"messaging.process.duration": {{met, 1}},
				"messaging.client.consumed.messages": {{met, 1}}}
			if tt.failure != "" {
				require.Error(t, told)
				want["daxpay.notice.failures"] = []point{{attrs{"error.type": tt.failure}, 1}}
			}
			require.Equal(t, want, h.metrics())
			requireNoCanary(t, h)
		})
	}
}

// The client gets errors and panics as if there were no observer.
func TestErrorsAndPanicsPassThrough(t *testing.T) {
	h, gw := observe(t), noticesOf(t)
	cut := errors.New("mine")
	wrapped := h.NoticeHandlers(daxpay.NoticeHandlers{Pay: func(context.Context, *model.PayNotice) error { return cut }})
	require.Same(t, cut, wrapped.Pay(context.Background(), &model.PayNotice{}))

	var told error
	handler := gw.Client().NoticeHandler(h.NoticeHandlers(daxpay.NoticeHandlers{
		Pay:     func(context.Context, *model.PayNotice) error { return explode() },
		OnError: func(_ context.Context, err error) { told = err },
	}))
	status, _ := deliver(context.Background(), handler, http.MethodPost, body(t, gw, "P-canary"))
	require.Equal(t, http.StatusInternalServerError, status)
	var panicked *daxpay.PanicError
	require.ErrorAs(t, told, &panicked)
	require.Equal(t, "boom", panicked.Value)
	require.Contains(t, string(panicked.Stack), "explode", "the stack is that of the panic")
	h.ended()
}

func explode() error { panic("boom") }

func TestRefusedNotices(t *testing.T) {
	h, gw := observe(t), noticesOf(t)
	blocked, done := make(chan struct{}), make(chan struct{})
	handlers := h.NoticeHandlers(daxpay.NoticeHandlers{Pay: func(context.Context, *model.PayNotice) error {
		close(blocked)
		<-done
		return nil
	}})
	require.Nil(t, handlers.Refund)
	require.Nil(t, handlers.Alloc)
	handler := gw.Client().NoticeHandler(handlers)
	ctx := context.Background()
	pay := body(t, gw, "P-canary")

	for _, tt := range []struct {
		method, body string
		status       int
	}{
		{http.MethodGet, "", http.StatusMethodNotAllowed},                                       // protocol
		{http.MethodPost, "{", http.StatusBadRequest},                                           // protocol
		{http.MethodPost, strings.Repeat(" ", 1<<20+1), http.StatusRequestEntityTooLarge},       // too_large
		{http.MethodPost, strings.Replace(pay, `"amount":77`, `"amount":78`, 1), 400},           // signature
		{http.MethodPost, strings.Replace(pay, `"sign":`, `"sing":`, 1), http.StatusBadRequest}, // signature
		{http.MethodPost, body(t, gw, "R-canary"), http.StatusNotImplemented},                   // notice_type
		{http.MethodPost, body(t, gw, "A-canary"), http.StatusNotImplemented},                   // notice_type
		{http.MethodPost, body(t, gw, "A-canary")[1:], http.StatusBadRequest},                   // protocol
	} {
		status, reply := deliver(ctx, handler, tt.method, tt.body)
		require.Equal(t, tt.status, status)
		require.Equal(t, "FAIL", reply)
	}
	go func() {
		<-blocked
		status, _ := deliver(ctx, handler, http.MethodPost, pay) // busy
		if status != http.StatusConflict {
			t.Errorf("status %d for an event that is being handled", status)
		}
		close(done)
	}()
	status, _ := deliver(ctx, handler, http.MethodPost, pay)
	require.Equal(t, http.StatusOK, status)
	status, _ = deliver(ctx, handler, http.MethodPost, pay)
	require.Equal(t, http.StatusOK, status, "handled before")

	require.Len(t, h.ended(), 1, "only a notice that reached the callback has a span")
	found := h.metrics()
	require.EqualValues(t, 1, found["messaging.client.consumed.messages"][0].count)
	require.ElementsMatch(t, []point{
		{attrs{"error.type": "protocol"}, 3},
		{attrs{"error.type": "too_large"}, 1},
		{attrs{"error.type": "signature"}, 2},
		{attrs{"error.type": "notice_type"}, 2},
		{attrs{"error.type": "busy"}, 1},
	}, found["daxpay.notice.failures"])
	requireNoCanary(t, h)
}

// brokenStore is a store that cannot be reached.
type brokenStore struct{ daxpay.OnceStore }

func (brokenStore) Claim(context.Context, string, string, time.Duration) (daxpay.ClaimState, error) {
	return 0, errors.New("canary: no store")
}

func TestStoreThatFails(t *testing.T) {
	h, gw := observe(t), noticesOf(t)
	handler := gw.Client().NoticeHandler(h.NoticeHandlers(daxpay.NoticeHandlers{
		Pay:   func(context.Context, *model.PayNotice) error { return nil },
		Store: brokenStore{daxpay.NewMemoryStore(0)},
	}))
	status, _ := deliver(context.Background(), handler, http.MethodPost, body(t, gw, "P-canary"))
	require.Equal(t, http.StatusInternalServerError, status)
	require.Empty(t, h.ended())
	require.Equal(t, map[string][]point{"daxpay.notice.failures": {{attrs{"error.type": "_OTHER"}, 1}}}, h.metrics())
	requireNoCanary(t, h)
}

// The secret that signed the notices shows when the old one can be removed.
func TestSecretOfANotice(t *testing.T) {
	h, gw := observe(t), noticesOf(t)
	config := gw.Config()
	config.PreviousSecrets, config.SignSecret = []string{daxpaytest.Secret}, "the next"
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	handler := kit.NoticeHandler(h.NoticeHandlers(daxpay.NoticeHandlers{Alloc: func(context.Context,
		*model.AllocNotice) error {
		return nil
	}}))
	_, reply := deliver(context.Background(), handler, http.MethodPost, body(t, gw, "A-canary"))
	require.Equal(t, "SUCCESS", reply)
	require.EqualValues(t, 1, attrsOf(h.ended()[0].Attributes())["daxpay.secret_index"])
	require.EqualValues(t, 1, h.metrics()["messaging.process.duration"][0].attrs["daxpay.secret_index"])
}

// The span of a call that a callback makes is a child of the notice's span.
func TestCallInACallback(t *testing.T) {
	h, gw := observe(t), noticesOf(t)
	config := gw.Config()
	config.Observer = h
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	handler := kit.NoticeHandler(h.NoticeHandlers(daxpay.NoticeHandlers{Pay: func(ctx context.Context,
		n *model.PayNotice) error {
		_, err := kit.QueryPayOrder(ctx, &param.QueryPayOrderParam{OrderNo: n.OrderNo})
		return err
	}}))
	_, reply := deliver(context.Background(), handler, http.MethodPost, body(t, gw, "P-canary"))
	require.Equal(t, "SUCCESS", reply)
	spans := h.ended()
	require.Len(t, spans, 3)
	require.Equal(t, "process pay", spans[2].Name())
	require.Equal(t, spans[2].SpanContext().SpanID(), spans[1].Parent().SpanID())
}

func TestKindsOfRefusals(t *testing.T) {
	for kind, err := range map[string]error{
		"notice_type": daxpay.ErrNoticeType,
		"ambiguous":   daxpay.ErrAmbiguous,
		"stale":       daxpay.ErrStale,
		"too_large":   daxpay.ErrTooLarge,
		"echo":        daxpay.ErrEcho,
		"unproved":    daxpay.ErrUnproved,
		"protocol":    daxpay.ErrProtocol,
		"_OTHER":      errors.New("a kind that a later version may have"),
	} {
		h := observe(t)
		var told error
		refusal := errors.Join(&daxpay.AnswerError{Path: "notice", Err: err})
		h.NoticeHandlers(daxpay.NoticeHandlers{OnError: func(_ context.Context,
			err error) {
			told = err
		}}).OnError(context.Background(), refusal)
		require.Same(t, refusal, told)
		require.Equal(t, map[string][]point{"daxpay.notice.failures": {{attrs{"error.type": kind}, 1}}}, h.metrics())
	}
}
