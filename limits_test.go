package daxpay_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/param"
)

// countingHandler counts log lines.
type countingHandler struct{ n atomic.Int64 }

func (h *countingHandler) logger() *slog.Logger                      { return slog.New(h) }
func (h *countingHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (h *countingHandler) Handle(context.Context, slog.Record) error { h.n.Add(1); return nil }
func (h *countingHandler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h *countingHandler) WithGroup(string) slog.Handler             { return h }

// TestConnections makes waves of concurrent calls and counts the connections.
func TestConnections(t *testing.T) {
	const calls, waves = 64, 4
	for name, tt := range map[string]struct {
		idle  int
		later bool // whether later waves open connections
	}{"default": {0, false}, "few kept": {2, true}} {
		t.Run(name, func(t *testing.T) {
			var opened atomic.Int64
			var arrived sync.WaitGroup
			answer := sealed(t, good)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				arrived.Done()
				arrived.Wait() // until all are there
				_, _ = w.Write([]byte(answer))
			}))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					opened.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Now: at(now), MaxIdleConns: tt.idle,
				Retry: once})
			require.NoError(t, err)
			defer kit.CloseIdleConnections()
			for wave := range waves {
				before := opened.Load()
				arrived.Add(calls)
				var wg sync.WaitGroup
				for range calls {
					wg.Add(1)
					go func() {
						defer wg.Done()
						if _, err := kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1"}); err != nil {
							t.Error(err)
						}
					}()
				}
				wg.Wait()
				switch opened := opened.Load() - before; {
				case wave == 0:
					require.EqualValues(t, calls, opened)
				case tt.later:
					require.GreaterOrEqual(t, opened, int64(calls-2))
				default:
					require.Zero(t, opened, "wave %d", wave)
				}
			}
		})
	}
}

func TestMaxHeaderSize(t *testing.T) {
	answer := sealed(t, good)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Filler", strings.Repeat("x", 100<<10))
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	for limit, good := range map[int64]bool{0: false, 50 << 10: false, 200 << 10: true} {
		kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Now: at(now), MaxHeaderSize: limit,
			Retry: once})
		require.NoError(t, err)
		_, err = calls["SyncPay"](kit)
		kit.CloseIdleConnections()
		if good {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "headers exceeded")
		require.NotContains(t, err.Error(), "xxx")
	}
}

func TestAttemptTimeout(t *testing.T) {
	answer := sealed(t, good)
	release := make(chan struct{})
	var got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if got.Add(1) == 1 {
			<-release
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	defer close(release)
	kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Now: at(now),
		AttemptTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	_, err = calls["SyncPay"](kit)
	require.NoError(t, err, "the second attempt is answered")
	require.EqualValues(t, 2, got.Load())
}

func TestMaxDepth(t *testing.T) {
	nested := func(levels int) string { // data is the second level
		return good + `,"x":` + strings.Repeat("[", levels-2) + strings.Repeat("]", levels-2)
	}
	for _, tt := range []struct {
		limit, levels int
		good          bool
	}{{0, 32, true}, {0, 33, false}, {3, 3, true}, {3, 4, false}, {1000, 1000, true}, {1000, 1001, false}} {
		kit, _ := mocked(t, daxpay.Config{Now: at(now), MaxDepth: tt.limit},
			jsonAnswer(envelope(signedDeep(t, nested(tt.levels)))))
		_, err := calls["SyncPay"](kit)
		if tt.good {
			require.NoError(t, err, "%+v", tt)
		} else {
			require.ErrorIs(t, err, daxpay.ErrProtocol, "%+v", tt)
			require.ErrorContains(t, err, "nested too deeply")
		}
	}
}

// signedDeep signs an object that is too deep for a Signer: a list that is empty, however deep, adds its brackets.
func signedDeep(t *testing.T, members string) string {
	t.Helper()
	flat, list, _ := strings.Cut(members, `,"x":`)
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	sign, err := signer.Sign([]byte("{" + flat + `,"x":"` + list + `"}`)) // the text of a string is itself
	require.NoError(t, err)
	if list == "[]" {
		sign, err = signer.Sign([]byte("{" + flat + "}")) // an empty list is not signed
		require.NoError(t, err)
	}
	return "{" + members + `,"sign":"` + sign + `"}`
}

func TestLimitMistakes(t *testing.T) {
	_, err := daxpay.New(daxpay.Config{
		ServiceURL: "http://127.0.0.1:9000", SignSecret: secret,
		MaxDepth: 1001, MaxHeaderSize: -1, MaxIdleConns: -1, AttemptTimeout: -1, IdleConnTimeout: -1,
		Retry: daxpay.Retry{MaxAttempts: -1, BaseDelay: -1, MaxDelay: -1},
	})
	for _, field := range []string{
		"MaxDepth", "MaxHeaderSize", "MaxIdleConns", "AttemptTimeout", "IdleConnTimeout", "Retry.MaxAttempts",
		"Retry.BaseDelay", "Retry.MaxDelay",
	} {
		require.ErrorContains(t, err, "Config."+field+" must")
	}
	_, err = daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: secret, Timeout: 30,
		AttemptTimeout: 5})
	require.ErrorContains(t, err, "Config.Timeout is 30ns: give it a unit")
	require.ErrorContains(t, err, "Config.AttemptTimeout is 5ns")
	_, err = daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: secret, MaxDepth: -1})
	require.ErrorIs(t, err, daxpay.ErrConfig)
}
