package daxpay_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/param"
)

type contextKey struct{}

// recorder is an Observer that keeps the observations. It numbers the contexts that it returns.
type recorder struct {
	mu       sync.Mutex
	started  []daxpay.Observation
	attempts []daxpay.Observation
	done     []daxpay.Observation
	contexts []any
}

func (r *recorder) CallStarted(ctx context.Context, o daxpay.Observation) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = append(r.started, o)
	return context.WithValue(ctx, contextKey{}, len(r.started))
}

func (r *recorder) AttemptDone(ctx context.Context, o daxpay.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts, r.contexts = append(r.attempts, timeless(o)), append(r.contexts, ctx.Value(contextKey{}))
}

func (r *recorder) CallDone(ctx context.Context, o daxpay.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.contexts = append(r.done, timeless(o)), append(r.contexts, ctx.Value(contextKey{}))
}

// timeless replaces the values that differ from run to run with fixed ones.
func timeless(o daxpay.Observation) daxpay.Observation {
	if o.TraceID != "" {
		o.TraceID = "T"
	}
	if o.Duration > 0 {
		o.Duration = 1
	}
	return o
}

func TestObserver(t *testing.T) {
	ctx := context.Background()
	gw := stocked(t, daxpaytest.WithVersion(daxpay.GatewayV207))
	var fail atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fail.CompareAndSwap(true, false) {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		gw.ServeHTTP(w, r)
	}))
	defer front.Close()
	seen := &recorder{}
	kit := client(t, gw, func(c *daxpay.Config) {
		c.ServiceURL, c.Gateway, c.Observer = front.URL+"/", daxpay.GatewayAuto, seen
		c.Retry = daxpay.Retry{BaseDelay: 1}
	})
	_, err := kit.SyncPay(ctx, &param.PaySyncParam{OrderNo: "P1"})
	require.NoError(t, err)
	fail.Store(true)
	_, err = kit.SyncPay(ctx, &param.PaySyncParam{OrderNo: "P9"})
	require.Error(t, err)
	_, err = kit.SyncPay(ctx, &param.PaySyncParam{}) // cannot be sent
	require.ErrorIs(t, err, daxpay.ErrParam)
	front.Close()
	kit.CloseIdleConnections() // else the first attempt may still be written to one
	_, err = kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: "A1"})
	require.Error(t, err)

	url := front.URL + "/unipay/sync/pay"
	pay := daxpay.Observation{Call: "PaySync", Path: "/unipay/sync/pay"}
	finish := daxpay.Observation{Call: "AllocFinish", Path: "/unipay/allocation/finish"}
	require.Equal(t, []daxpay.Observation{pay, pay, finish}, seen.started)

	attempt := func(o daxpay.Observation, gateway, url string, number, status, code int) daxpay.Observation {
		o.Gateway, o.URL, o.Attempt, o.Status, o.Code, o.Duration = gateway, url, number, status, code, 1
		if status == 200 {
			o.TraceID = "T"
		}
		return o
	}
	refused := attempt(pay, "as documented", url, 1, 200, 20000)
	refused.Failure, refused.Cause, refused.Reason = daxpay.FailureGateway, "code 20000", daxpay.ReasonSignature
	refused.NextEncoding = true
	good := attempt(pay, "2.0.7", url, 2, 200, 0)
	good.Verified = true
	broken := attempt(pay, "2.0.7", url, 1, 502, 0)
	broken.Failure, broken.Cause, broken.OutcomeUnknown = daxpay.FailureHTTP, "HTTP status 502", true
	business := attempt(pay, "2.0.7", url, 2, 200, 1)
	business.Failure, business.Verified = daxpay.FailureBusiness, true
	business.Cause, business.Reason = "code 1", daxpay.ReasonNoSuchOrder
	want := []daxpay.Observation{refused, good, broken, business}
	var down daxpay.Observation
	for i := range 3 {
		down = attempt(finish, "2.0.7", front.URL+finish.Path, i+1, 0, 0)
		down.Failure, down.NeverSent = daxpay.FailureTransport, true
		down.Cause = "dial tcp " + strings.TrimPrefix(front.URL, "http://") + ": connect: connection refused"
		want = append(want, down)
	}
	require.Equal(t, want, seen.attempts)

	business.OutcomeUnknown = true // the first attempt may have taken effect
	require.Equal(t, []daxpay.Observation{good, business, down}, seen.done)
	require.Equal(t, []any{1, 1, 1, 2, 2, 2, 3, 3, 3, 3}, seen.contexts)
}

func TestObserverAndLoggerTogether(t *testing.T) {
	gw := stocked(t)
	seen := &recorder{}
	var lines countingHandler
	kit := client(t, gw, func(c *daxpay.Config) { c.Observer, c.Logger = seen, lines.logger() })
	_, err := kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1"})
	require.NoError(t, err)
	require.Len(t, seen.done, 1)
	require.EqualValues(t, 1, lines.n.Load())

	var none *recorder
	kit = client(t, gw, func(c *daxpay.Config) { c.Observer = none })
	_, err = kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1"})
	require.NoError(t, err, "a nil pointer is no observer")
}

func TestObserverSeesSecretIndexAndSignatureFailures(t *testing.T) {
	for _, tt := range []struct {
		secret  string
		index   int
		failure daxpay.Failure
	}{{secret, 0, daxpay.FailureNone}, {"older", 1, daxpay.FailureNone}, {"x", 0, daxpay.FailureSignature}} {
		seen := &recorder{}
		config := daxpay.Config{Now: at(now), PreviousSecrets: []string{"older"}, Observer: seen}
		kit, _ := mocked(t, config, jsonAnswer(envelope(signedWith(t, tt.secret, good))))
		_, _ = calls["SyncPay"](kit)
		require.Len(t, seen.done, 1)
		require.Equal(t, tt.index, seen.done[0].SecretIndex)
		require.Equal(t, tt.failure, seen.done[0].Failure)
	}
	seen := &recorder{}
	kit, _ := mocked(t, daxpay.Config{Observer: seen}, jsonAnswer(sealed(t, good)))
	_, err := calls["SyncPay"](kit)
	require.ErrorIs(t, err, daxpay.ErrStale)
	require.Equal(t, daxpay.FailureAnswer, seen.done[0].Failure)
	require.Equal(t, "T", seen.done[0].TraceID)
	require.Less(t, time.Duration(0), seen.done[0].Duration)
}

// contextless is an Observer that returns ctx from CallStarted, whatever context it was given.
type contextless struct {
	daxpay.Observer
	ctx context.Context //nolint:containedctx // what it returns
}

func (f *contextless) CallStarted(context.Context, daxpay.Observation) context.Context { return f.ctx }

func (f *contextless) AttemptDone(context.Context, daxpay.Observation) {}

func (f *contextless) CallDone(context.Context, daxpay.Observation) {}

// An observer that returns no context, or an unrelated one, changes neither the result nor the timeout of a call.
func TestObserverMayReturnAnotherContext(t *testing.T) {
	for _, ctx := range []context.Context{nil, context.Background()} {
		o := &contextless{ctx: ctx}
		gw := stocked(t)
		kit := client(t, gw, func(c *daxpay.Config) { c.Observer = o })
		_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{OrderNo: "P1"})
		require.NoError(t, err)

		kit, _ = mocked(t, daxpay.Config{Observer: o, Timeout: 20 * time.Millisecond},
			func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		_, err = kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{OrderNo: "P1"})
		require.ErrorIs(t, err, context.DeadlineExceeded, "Config.Timeout ends it all the same")
	}
}

// A call that the OnceStore keeps from being sent is no success to observers.
func TestObserversLearnOfCallsThatAreNotSent(t *testing.T) {
	gw := daxpaytest.Start(t)
	store := &slowStore{OnceStore: daxpay.NewMemoryStore(0), err: errors.New("the database is down")}
	seen := &recorder{}
	kit := client(t, gw, func(c *daxpay.Config) { c.OnceStore, c.Observer = store, seen })
	_, err := kit.Transfer(context.Background(), someTransfer)
	require.Error(t, err)
	store.err = nil
	_, err = kit.Transfer(context.Background(), someTransfer)
	require.NoError(t, err)
	_, err = kit.Transfer(context.Background(), someTransfer)
	require.ErrorIs(t, err, daxpay.ErrDuplicate)

	require.Len(t, seen.attempts, 1)
	require.Len(t, seen.done, 3)
	require.Equal(t, daxpay.FailureTransport, seen.done[0].Failure)
	require.True(t, seen.done[0].NeverSent)
	require.False(t, seen.done[0].OutcomeUnknown)
	require.Contains(t, seen.done[0].Cause, "the database is down")
	require.Equal(t, daxpay.FailureNone, seen.done[1].Failure)
	require.Equal(t, daxpay.FailureOther, seen.done[2].Failure)
	require.True(t, seen.done[2].OutcomeUnknown)
	require.Equal(t, "sent before", seen.done[2].Cause)
}
