package daxpayotel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/daxpay-go/daxpay"
	daxpayotel "github.com/daxpay-go/daxpay/contrib/otel"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// attrs is a set of attributes, by key.
type attrs map[string]any

func attrsOf(list []attribute.KeyValue) attrs {
	m := attrs{}
	for _, a := range list {
		m[string(a.Key)] = a.Value.AsInterface()
	}
	return m
}

// point is a point of a metric, without its durations.
type point struct {
	attrs attrs
	count uint64
}

// merchant is the scope of spans that are not the observer's.
const merchant = "merchant"

// harness is an observer with in-memory exporters.
type harness struct {
	*daxpayotel.Observer
	t      *testing.T
	spans  *tracetest.SpanRecorder
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
}

func observe(t *testing.T) *harness {
	t.Helper()
	h := &harness{t: t, spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	h.traces = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(h.spans))
	var err error
	h.Observer, err = daxpayotel.New(daxpayotel.Options{
		TracerProvider: h.traces,
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(h.reader)),
	})
	require.NoError(t, err)
	return h
}

// ended returns the spans in the order in which they ended, and checks what all spans have in common.
func (h *harness) ended() []sdktrace.ReadOnlySpan {
	h.t.Helper()
	spans := h.spans.Ended()
	require.Len(h.t, spans, len(h.spans.Started()), "every span ends")
	for _, s := range spans {
		if s.InstrumentationScope().Name == merchant {
			continue
		}
		require.Equal(h.t, "github.com/daxpay-go/daxpay/contrib/otel", s.InstrumentationScope().Name)
		require.Equal(h.t, daxpay.Version, s.InstrumentationScope().Version)
		require.Equal(h.t, "https://opentelemetry.io/schemas/1.37.0", s.InstrumentationScope().SchemaURL)
		require.Empty(h.t, s.Events())
		require.Empty(h.t, s.Status().Description)
		require.Equal(h.t, attrsOf(s.Attributes())["error.type"] != nil, s.Status().Code == codes.Error,
			"error.type and status go together")
		require.NotEqual(h.t, codes.Ok, s.Status().Code, "only the application may set Ok")
	}
	return spans
}

func (h *harness) metrics() map[string][]point {
	h.t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(h.t, h.reader.Collect(context.Background(), &all))
	found := map[string][]point{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				require.Equal(h.t, "s", m.Unit)
				for _, p := range data.DataPoints {
					require.Equal(h.t, []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}, p.Bounds)
					found[m.Name] = append(found[m.Name], point{attrsOf(p.Attributes.ToSlice()), p.Count})
				}
			case metricdata.Sum[int64]:
				require.True(h.t, data.IsMonotonic)
				for _, p := range data.DataPoints {
					found[m.Name] = append(found[m.Name], point{attrsOf(p.Attributes.ToSlice()), uint64(p.Value)})
				}
			}
		}
	}
	return found
}

// front is a handler in front of the gateway. It gets the number of the request, from 1.
type front func(n int, w http.ResponseWriter, r *http.Request, gw http.Handler)

func hangUp(int, http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

func hangUpOnce(n int, w http.ResponseWriter, r *http.Request, gw http.Handler) {
	if n == 1 {
		panic(http.ErrAbortHandler)
	}
	gw.ServeHTTP(w, r)
}

func forge(_ int, w http.ResponseWriter, r *http.Request, gw http.Handler) {
	answer := httptest.NewRecorder()
	gw.ServeHTTP(answer, r)
	_, _ = w.Write(bytes.Replace(answer.Body.Bytes(), []byte(`"sign":"`), []byte(`"sign":"0`), 1))
}

func page(status int) front {
	return func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(status) }
}

func TestCalls(t *testing.T) {
	pay := &param.PayParam{BizOrderNo: "B-canary-2", Title: "title-canary", Amount: 77, Channel: model.ChannelWeChat,
		Method: model.MethodQRCode}
	syncPay := func(no string) func(context.Context, *daxpay.Client) error {
		return func(ctx context.Context, kit *daxpay.Client) error {
			_, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: no})
			return err
		}
	}
	// The attributes that all attempts or requests have are added below. The trace id is not listed, but compared with
	// that of the error.
	for name, tt := range map[string]struct {
		front    front
		config   func(*daxpay.Config)
		call     func(context.Context, *daxpay.Client) error
		path     string
		attempts []attrs
		done     attrs
		requests []point // of http.client.request.duration
		metric   attrs   // of daxpay.client.call.duration
	}{
		"success": {
			call: syncPay("B-canary-1"),
			path: "/unipay/sync/pay",
			attempts: []attrs{{"http.response.status_code": int64(200), "daxpay.code": int64(0), "daxpay.verified": true,
				"daxpay.secret_index": int64(0), "daxpay.outcome_unknown": false}},
			done: attrs{"daxpay.call": "PaySync", "daxpay.attempts": int64(1), "daxpay.outcome": "success",
				"daxpay.code": int64(0), "daxpay.secret_index": int64(0), "daxpay.outcome_unknown": false},
			requests: []point{{attrs{"http.response.status_code": int64(200)}, 1}},
			metric:   attrs{"daxpay.call": "PaySync", "daxpay.outcome": "success", "daxpay.secret_index": int64(0)},
		},
		"previous secret": {
			config: func(c *daxpay.Config) {
				c.PreviousSecrets, c.SignSecret = []string{daxpaytest.Secret}, "the-next-canary"
			},
			call: syncPay("B-canary-1"),
			path: "/unipay/sync/pay",
			attempts: []attrs{{"http.response.status_code": int64(200), "daxpay.code": int64(0), "daxpay.verified": true,
				"daxpay.secret_index": int64(1), "daxpay.outcome_unknown": false}},
			done: attrs{"daxpay.call": "PaySync", "daxpay.attempts": int64(1), "daxpay.outcome": "success",
				"daxpay.code": int64(0), "daxpay.secret_index": int64(1), "daxpay.outcome_unknown": false},
			requests: []point{{attrs{"http.response.status_code": int64(200)}, 1}},
			metric:   attrs{"daxpay.call": "PaySync", "daxpay.outcome": "success", "daxpay.secret_index": int64(1)},
		},
		"business refusal": {
			call: syncPay("B-canary-9"),
			path: "/unipay/sync/pay",
			attempts: []attrs{{"http.response.status_code": int64(200), "daxpay.code": int64(1), "daxpay.verified": true,
				"daxpay.secret_index": int64(0), "daxpay.outcome_unknown": false}},
			done: attrs{"daxpay.call": "PaySync", "daxpay.attempts": int64(1), "daxpay.outcome": "refused",
				"daxpay.code": int64(1), "daxpay.secret_index": int64(0), "daxpay.outcome_unknown": false,
				"error.type": "business"},
			requests: []point{{attrs{"http.response.status_code": int64(200)}, 1}},
			metric: attrs{"daxpay.call": "PaySync", "daxpay.outcome": "refused", "daxpay.secret_index": int64(0),
				"error.type": "business"},
		},
		"lost connection, then success": {
			front: hangUpOnce,
			call:  syncPay("B-canary-1"),
			path:  "/unipay/sync/pay",
			attempts: []attrs{
				{"daxpay.verified": false, "daxpay.outcome_unknown": true, "error.type": "transport"},
				{"http.request.resend_count": int64(1), "http.response.status_code": int64(200), "daxpay.code": int64(0),
					"daxpay.verified": true, "daxpay.secret_index": int64(0), "daxpay.outcome_unknown": false},
			},
			done: attrs{"daxpay.call": "PaySync", "daxpay.attempts": int64(2), "daxpay.outcome": "success",
				"daxpay.code": int64(0), "daxpay.secret_index": int64(0), "daxpay.outcome_unknown": false},
			requests: []point{{attrs{"error.type": "transport"}, 1}, {attrs{"http.response.status_code": int64(200)}, 1}},
			metric:   attrs{"daxpay.call": "PaySync", "daxpay.outcome": "success", "daxpay.secret_index": int64(0)},
		},
		"lost connection of a call that is not repeated": {
			front: hangUp,
			call: func(ctx context.Context, kit *daxpay.Client) error {
				_, err := kit.Pay(ctx, pay)
				return err
			},
			path:     "/unipay/pay",
			attempts: []attrs{{"daxpay.verified": false, "daxpay.outcome_unknown": true, "error.type": "transport"}},
			done: attrs{"daxpay.call": "Pay", "daxpay.attempts": int64(1), "daxpay.outcome": "unknown",
				"daxpay.outcome_unknown": true, "error.type": "transport"},
			requests: []point{{attrs{"error.type": "transport"}, 1}},
			metric:   attrs{"daxpay.call": "Pay", "daxpay.outcome": "unknown", "error.type": "transport"},
		},
		"gateway refusal": {
			config: func(c *daxpay.Config) { c.SignSecret = "another-canary" },
			call:   syncPay("B-canary-1"),
			path:   "/unipay/sync/pay",
			attempts: []attrs{{"http.response.status_code": int64(200), "daxpay.code": int64(20052), "daxpay.verified": false,
				"daxpay.outcome_unknown": false, "error.type": "gateway"}},
			done: attrs{"daxpay.call": "PaySync", "daxpay.attempts": int64(1), "daxpay.outcome": "refused",
				"daxpay.code": int64(20052), "daxpay.outcome_unknown": false, "error.type": "gateway"},
			requests: []point{{attrs{"http.response.status_code": int64(200), "error.type": "gateway"}, 1}},
			metric:   attrs{"daxpay.call": "PaySync", "daxpay.outcome": "refused", "error.type": "gateway"},
		},
		"forged answer": {
			front: forge,
			call:  syncPay("B-canary-1"),
			path:  "/unipay/sync/pay",
			attempts: []attrs{{"http.response.status_code": int64(200), "daxpay.verified": false, "daxpay.outcome_unknown": true,
				"error.type": "signature"}},
			done: attrs{"daxpay.call": "PaySync", "daxpay.attempts": int64(1), "daxpay.outcome": "unknown",
				"daxpay.outcome_unknown": true, "error.type": "signature"},
			requests: []point{{attrs{"http.response.status_code": int64(200), "error.type": "signature"}, 1}},
			metric:   attrs{"daxpay.call": "PaySync", "daxpay.outcome": "unknown", "error.type": "signature"},
		},
		"page of a proxy, each time": {
			front: page(http.StatusBadGateway),
			call: func(ctx context.Context, kit *daxpay.Client) error {
				_, err := kit.QueryPayOrder(ctx, &param.QueryPayOrderParam{BizOrderNo: "B-canary-1"})
				return err
			},
			path: "/unipay/query/payOrder",
			attempts: []attrs{
				{"http.response.status_code": int64(502), "daxpay.verified": false, "daxpay.outcome_unknown": false,
					"error.type": "502"},
				{"http.request.resend_count": int64(1), "http.response.status_code": int64(502), "daxpay.verified": false,
					"daxpay.outcome_unknown": false, "error.type": "502"},
				{"http.request.resend_count": int64(2), "http.response.status_code": int64(502), "daxpay.verified": false,
					"daxpay.outcome_unknown": false, "error.type": "502"},
			},
			done: attrs{"daxpay.call": "QueryPayOrder", "daxpay.attempts": int64(3), "daxpay.outcome": "failed",
				"daxpay.outcome_unknown": false, "error.type": "502"},
			requests: []point{{attrs{"http.response.status_code": int64(502), "error.type": "502"}, 3}},
			metric:   attrs{"daxpay.call": "QueryPayOrder", "daxpay.outcome": "failed", "error.type": "502"},
		},
		"redirect": {
			front: page(http.StatusFound),
			call:  syncPay("B-canary-1"),
			path:  "/unipay/sync/pay",
			attempts: []attrs{{"http.response.status_code": int64(302), "daxpay.verified": false, "daxpay.outcome_unknown": true,
				"error.type": "http"}},
			done: attrs{"daxpay.call": "PaySync", "daxpay.attempts": int64(1), "daxpay.outcome": "unknown",
				"daxpay.outcome_unknown": true, "error.type": "http"},
			requests: []point{{attrs{"http.response.status_code": int64(302), "error.type": "http"}, 1}},
			metric:   attrs{"daxpay.call": "PaySync", "daxpay.outcome": "unknown", "error.type": "http"},
		},
		"never sent": {
			config: func(c *daxpay.Config) { c.ServiceURL, c.Retry.MaxAttempts = "http://127.0.0.1:1", 1 },
			call: func(ctx context.Context, kit *daxpay.Client) error {
				_, err := kit.Pay(ctx, pay)
				return err
			},
			path: "/unipay/pay",
			attempts: []attrs{{"daxpay.verified": false, "daxpay.never_sent": true, "daxpay.outcome_unknown": false,
				"error.type": "transport"}},
			done: attrs{"daxpay.call": "Pay", "daxpay.attempts": int64(1), "daxpay.outcome": "failed",
				"daxpay.outcome_unknown": false, "error.type": "transport"},
			requests: []point{{attrs{"error.type": "transport"}, 1}},
			metric:   attrs{"daxpay.call": "Pay", "daxpay.outcome": "failed", "error.type": "transport"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := observe(t)
			gw := daxpaytest.Start(t)
			gw.SetPayment(daxpaytest.Payment{OrderNo: "P-canary-1", BizOrderNo: "B-canary-1", Amount: 77, Title: "title-canary",
				Status: model.PaySyncSuccess})
			config := gw.Config()
			if tt.front != nil {
				n := 0
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n++ // the requests come one after another
					tt.front(n, w, r, gw)
				}))
				defer server.Close()
				config.ServiceURL = server.URL
			}
			config.Observer = h
			config.Retry.BaseDelay = time.Nanosecond
			if tt.config != nil {
				tt.config(&config)
			}
			if len(config.PreviousSecrets) > 0 { // the gateway signs with the old one, and checks no requests
				unchecked := daxpaytest.Start(t, daxpaytest.WithoutSignatureCheck())
				unchecked.SetPayment(daxpaytest.Payment{BizOrderNo: "B-canary-1", Status: model.PaySyncSuccess})
				config.ServiceURL = unchecked.URL()
			}
			kit, err := daxpay.New(config)
			require.NoError(t, err)

			ctx, request := h.traces.Tracer(merchant).Start(context.Background(), "request")
			err = tt.call(ctx, kit)
			request.End()
			require.Equal(t, err != nil, tt.done["error.type"] != nil, "%v", err)

			address, port := addressOf(t, config.ServiceURL)
			spans := h.ended()
			require.Len(t, spans, len(tt.attempts)+2)
			call, attempts := spans[len(tt.attempts)], spans[:len(tt.attempts)]
			require.Equal(t, "daxpay "+fmt.Sprint(tt.done["daxpay.call"]), call.Name())
			require.Equal(t, trace.SpanKindInternal, call.SpanKind())
			require.Equal(t, request.SpanContext().SpanID(), call.Parent().SpanID())
			for i, s := range attempts {
				require.Equal(t, "POST", s.Name())
				require.Equal(t, trace.SpanKindClient, s.SpanKind())
				require.Equal(t, call.SpanContext().SpanID(), s.Parent().SpanID())
				require.Equal(t, request.SpanContext().TraceID(), s.SpanContext().TraceID())
				require.False(t, s.StartTime().Before(call.StartTime()), "within the call")
				require.False(t, s.EndTime().After(call.EndTime()), "within the call")
				if i > 0 {
					require.False(t, s.StartTime().Before(attempts[i-1].EndTime()), "one after another")
				}
				want := with(tt.attempts[i], attrs{
					"http.request.method": "POST", "server.address": address, "server.port": port,
					"url.full": config.ServiceURL + tt.path, "daxpay.gateway": "2.0.8",
				})
				require.Equal(t, want, withoutTraceID(t, s, err), "attempt %d", i+1)
			}
			require.Equal(t, tt.done, withoutTraceID(t, call, err))

			var requests []point
			for _, p := range tt.requests {
				requests = append(requests, point{with(p.attrs,
					attrs{"http.request.method": "POST", "server.address": address, "server.port": port}), p.count})
			}
			found := h.metrics()
			require.ElementsMatch(t, requests, found["http.client.request.duration"])
			require.Equal(t, []point{{tt.metric, 1}}, found["daxpay.client.call.duration"])
			require.Len(t, found, 2)
			requireNoCanary(t, h)
		})
	}
}

func with(a, more attrs) attrs {
	all := attrs{}
	for k, v := range a {
		all[k] = v
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}

// withoutTraceID returns the attributes without the trace id. There is one if the gateway has answered, and an error
// has that of the last answer.
func withoutTraceID(t *testing.T, s sdktrace.ReadOnlySpan, err error) attrs {
	t.Helper()
	a := attrsOf(s.Attributes())
	id, ok := a["daxpay.trace_id"].(string)
	answered := a["daxpay.code"] != nil || a["error.type"] == "signature"
	require.Equal(t, answered, ok)
	if ok {
		require.Len(t, id, 12)
		if err != nil {
			require.ErrorContains(t, err, id)
		}
	}
	delete(a, "daxpay.trace_id")
	return a
}

func addressOf(t *testing.T, address string) (string, int64) {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	port, err := strconv.ParseInt(u.Port(), 10, 64)
	require.NoError(t, err)
	return u.Hostname(), port
}

// requireNoCanary fails if the spans or metrics hold anything of a message or a secret.
func requireNoCanary(t *testing.T, h *harness) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, h.reader.Collect(context.Background(), &all))
	seen := fmt.Sprintf("%+v", all)
	for _, s := range h.spans.Ended() {
		seen += fmt.Sprintf("%s %v %+v %+v\n", s.Name(), s.Attributes(), s.Events(), s.Status())
	}
	for _, canary := range []string{"canary", daxpaytest.Secret, "订单"} {
		require.NotContains(t, seen, canary)
	}
}

// The span of an attempt has the times of the attempt, although it is made afterwards.
func TestAttemptTimes(t *testing.T) {
	h := observe(t)
	ctx := h.CallStarted(context.Background(), daxpay.Observation{Call: "PaySync"})
	before := time.Now()
	h.AttemptDone(ctx, daxpay.Observation{Call: "PaySync", Attempt: 1, URL: "https://[::1]/unipay/sync/pay",
		Duration: 3 * time.Second})
	h.CallDone(ctx, daxpay.Observation{Call: "PaySync", Attempt: 1})
	attempt := h.ended()[0]
	require.Equal(t, 3*time.Second, attempt.EndTime().Sub(attempt.StartTime()))
	require.WithinRange(t, attempt.EndTime(), before, time.Now())
	require.Equal(t, "::1", attrsOf(attempt.Attributes())["server.address"])
	require.EqualValues(t, 443, attrsOf(attempt.Attributes())["server.port"])

	h.AttemptDone(ctx, daxpay.Observation{URL: "http://pay.example.com/shop/unipay/pay", Failure: daxpay.FailureOther})
	attempt = h.ended()[2]
	require.Equal(t, "pay.example.com", attrsOf(attempt.Attributes())["server.address"])
	require.EqualValues(t, 80, attrsOf(attempt.Attributes())["server.port"])
	require.Equal(t, "_OTHER", attrsOf(attempt.Attributes())["error.type"])
}

// other is an observer with a span of its own in the context.
type other struct {
	daxpay.Observer
	tracer trace.Tracer
}

func (o other) CallStarted(ctx context.Context, seen daxpay.Observation) context.Context {
	ctx, _ = o.tracer.Start(o.Observer.CallStarted(ctx, seen), "another's")
	return ctx
}

// Another observer's span does not end with the call and gets none of its attributes.
func TestOtherObserversSpan(t *testing.T) {
	h := observe(t)
	gw := daxpaytest.Start(t)
	config := gw.Config()
	config.Observer = other{Observer: h, tracer: h.traces.Tracer(merchant)}
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	_, err = kit.QueryAllocReceivers(context.Background(), &param.QueryAllocReceiversParam{Channel: model.ChannelAli})
	require.NoError(t, err)
	spans := h.spans.Ended()
	require.Len(t, spans, 2)
	require.Equal(t, "daxpay QueryAllocReceivers", spans[1].Name())
	require.Equal(t, spans[1].SpanContext().SpanID(), spans[0].Parent().SpanID())

	require.NotPanics(t, func() { h.CallDone(context.Background(), daxpay.Observation{}) },
		"a context that CallStarted did not make")
}

// A call that the caller cancelled is counted.
func TestCallerGaveUp(t *testing.T) {
	h := observe(t)
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices only then that the client hangs up
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	gw := daxpaytest.Start(t)
	config := gw.Config()
	config.ServiceURL, config.Observer = server.URL, h
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	_, err = kit.Transfer(ctx, &param.TransferParam{BizTransferNo: "T1", Channel: model.ChannelAli, Amount: 1,
		PayeeType: model.PayeeAliUserID, PayeeAccount: "2088"})
	require.ErrorIs(t, err, context.Canceled)
	h.ended()
	found := h.metrics()
	require.Equal(t, []point{{attrs{"daxpay.call": "Transfer", "daxpay.outcome": "unknown", "error.type": "transport"},
		1}}, found["daxpay.client.call.duration"])
	require.EqualValues(t, 1, found["http.client.request.duration"][0].count)
}

// The encodings that GatewayAuto tries are attempts of one call.
func TestEncodings(t *testing.T) {
	h := observe(t)
	gw := daxpaytest.Start(t, daxpaytest.WithVersion(daxpay.GatewayV207))
	gw.SetAllocation(daxpaytest.Allocation{AllocNo: "A1", Status: model.AllocEnd})
	config := gw.Config()
	config.Gateway, config.Observer = daxpay.GatewayAuto, h
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	_, err = kit.FinishAlloc(context.Background(), &param.AllocFinishParam{AllocNo: "A1"})
	require.NoError(t, err)
	spans := h.ended()
	attempts := spans[:len(spans)-1]
	require.Greater(t, len(attempts), 1)
	for i, s := range attempts {
		a := attrsOf(s.Attributes())
		last := i == len(attempts)-1
		require.Equal(t, last, a["error.type"] == nil)
		if i > 0 {
			require.EqualValues(t, i, a["http.request.resend_count"])
		}
		if last {
			require.Equal(t, "2.0.7", a["daxpay.gateway"])
		}
	}
	call := attrsOf(spans[len(attempts)].Attributes())
	require.EqualValues(t, len(attempts), call["daxpay.attempts"])
	require.Equal(t, "success", call["daxpay.outcome"])
}

func TestDefaultsAreTheGlobalProviders(t *testing.T) {
	spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	o, err := daxpayotel.New(daxpayotel.Options{})
	require.NoError(t, err)
	o.CallDone(o.CallStarted(context.Background(), daxpay.Observation{Call: "Pay"}), daxpay.Observation{Call: "Pay"})
	require.Len(t, spans.Ended(), 1)
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &all))
	require.Len(t, all.ScopeMetrics, 1)
	require.Equal(t, daxpay.Version, all.ScopeMetrics[0].Scope.Version)
}

// fewMeters makes meters that fail after a number of instruments.
type fewMeters struct {
	noop.MeterProvider
	left atomic.Int32
}

func (f *fewMeters) Meter(string, ...metric.MeterOption) metric.Meter {
	return fewInstruments{left: &f.left}
}

type fewInstruments struct {
	noop.Meter
	left *atomic.Int32
}

var errBroken = errors.New("broken")

func (m fewInstruments) Float64Histogram(name string,
	options ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	if m.left.Add(-1) < 0 {
		return nil, errBroken
	}
	return m.Meter.Float64Histogram(name, options...)
}

func (m fewInstruments) Int64Counter(name string, options ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	if m.left.Add(-1) < 0 {
		return nil, errBroken
	}
	return m.Meter.Int64Counter(name, options...)
}

func TestMeterThatFails(t *testing.T) {
	for n := range int32(6) {
		meters := &fewMeters{}
		meters.left.Store(n)
		o, err := daxpayotel.New(daxpayotel.Options{MeterProvider: meters})
		if n == 5 {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, errBroken)
		require.Nil(t, o)
	}
}

// impatientMeters makes instruments that drop measurements whose context has ended, as an SDK may.
type impatientMeters struct {
	noop.MeterProvider
	recorded atomic.Int32
}

func (m *impatientMeters) Meter(string, ...metric.MeterOption) metric.Meter {
	return impatientMeter{all: m}
}

type impatientMeter struct {
	noop.Meter
	all *impatientMeters
}

func (m impatientMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return impatientHistogram{all: m.all}, nil
}

func (m impatientMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return impatientCounter{all: m.all}, nil
}

type impatientHistogram struct {
	noop.Float64Histogram
	all *impatientMeters
}

func (h impatientHistogram) Record(ctx context.Context, _ float64, _ ...metric.RecordOption) {
	if ctx.Err() == nil {
		h.all.recorded.Add(1)
	}
}

type impatientCounter struct {
	noop.Int64Counter
	all *impatientMeters
}

func (c impatientCounter) Add(ctx context.Context, _ int64, _ ...metric.AddOption) {
	if ctx.Err() == nil {
		c.all.recorded.Add(1)
	}
}

// Metrics count a call or a notice whose context has ended.
func TestMetricsOutliveTheContext(t *testing.T) {
	meters := &impatientMeters{}
	o, err := daxpayotel.New(daxpayotel.Options{MeterProvider: meters})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	call := o.CallStarted(ctx, daxpay.Observation{})
	o.AttemptDone(call, daxpay.Observation{URL: "http://localhost/"})
	require.EqualValues(t, 1, meters.recorded.Load())
	o.CallDone(call, daxpay.Observation{})
	require.EqualValues(t, 2, meters.recorded.Load())

	handlers := o.NoticeHandlers(daxpay.NoticeHandlers{Pay: func(context.Context, *model.PayNotice) error { return nil }})
	require.NoError(t, handlers.Pay(ctx, &model.PayNotice{}))
	require.EqualValues(t, 4, meters.recorded.Load(), "duration and number")
	handlers.OnError(ctx, daxpay.ErrNoticeBusy)
	require.EqualValues(t, 5, meters.recorded.Load())
}
