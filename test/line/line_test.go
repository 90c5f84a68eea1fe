package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/internal/leak"
)

func TestMain(m *testing.M) {
	if os.Getenv(workerEnv) != "" {
		os.Exit(work())
	}
	if err := trustTestCertificate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(leak.Main(m, "pool.startGlobalTimeCache", "maintnotifications."))
}

// needs skips a test if a program is missing.
func needs(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errAbsent) {
		t.Skipf("%v: apt-get install nginx redis-server postgresql", err)
	}
	require.NoError(t, err)
}

// An nginx that closes connections leaves no outcome unknown, also with HTTP/2.
func TestNothingIsUnknownBehindNginx(t *testing.T) {
	needs(t, nginxTable(context.Background(), &report{"nginx"}, 160, []int{1, 2, 8}))
}

// A repeatable call gets its answer although its connection died silently.
func TestADeadConnectionFailsNoCall(t *testing.T) {
	failed, _, err := afterFreeze(context.Background(), nil, 200*time.Millisecond, 1)
	require.NoError(t, err)
	require.Zero(t, failed)
}

// connKey is the key of a connection in the context of its requests.
type connKey struct{}

// A transfer does not go out on a connection that was idle for long: the server may be closing it.
func TestATransferTakesNoOldConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		transport *http.Client
		unknown   bool
	}{"the client's own": {nil, false}, "net/http's": {&http.Client{Transport: &http.Transport{}}, true}} {
		t.Run(name, func(t *testing.T) {
			gw := daxpaytest.Start(t)
			closed := make(chan struct{}, 8)
			// This server closes a connection at the moment at which a second request comes.
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen, _ := r.Context().Value(connKey{}).(*int)
				if *seen++; *seen > 1 {
					panic(http.ErrAbortHandler)
				}
				gw.ServeHTTP(w, r)
			}))
			server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
				return context.WithValue(ctx, connKey{}, new(int))
			}
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					closed <- struct{}{}
				}
			}
			server.Start()
			defer server.Close()
			config := gw.Config()
			config.ServiceURL, config.HTTPClient, config.IdleConnTimeout = server.URL, tt.transport, time.Millisecond
			kit, err := daxpay.New(config)
			require.NoError(t, err)
			defer kit.CloseIdleConnections()
			_, err = kit.Transfer(context.Background(), aTransfer("T1"))
			require.NoError(t, err)
			if tt.transport == nil {
				<-closed // by the client: the connection is too old
			}
			_, err = kit.Transfer(context.Background(), aTransfer("T2"))
			require.Equal(t, tt.unknown, errors.Is(err, daxpay.ErrOutcomeUnknown), err)
		})
	}
}

// The transport that docs/configuration.md shows speaks HTTP/1.1.
func TestTheTransportOfTheDocuments(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	for _, keep := range []bool{true, false} {
		base, _ := http.DefaultTransport.(*http.Transport)
		transport := base.Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		if keep {
			transport.ForceAttemptHTTP2 = false // HTTP/1.1 alone
			transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL, http.NoBody)
		require.NoError(t, err)
		res, err := transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, keep, res.ProtoMajor == 1)
		transport.CloseIdleConnections()
	}
}

// A transfer waits for the gateway, which waits for its channel, and gets the gateway's answer in the end.
func TestATransferWaitsForASlowChannel(t *testing.T) {
	config := daxpay.Config{AttemptTimeout: 10 * time.Millisecond}
	answered, _, err := slowTransfers(context.Background(), config, 100*time.Millisecond, 2)
	require.NoError(t, err)
	require.Equal(t, 2, answered)
}

// A transport that sends requests again by itself is stopped before it does.
func TestTransportsThatRepeat(t *testing.T) {
	for name, transport := range repeaters() {
		n, err := sends(context.Background(), transport)
		require.NoError(t, err, name)
		require.EqualValues(t, 1, n, name)
	}
}

// Processes that share a store and kill themselves pay no transfer twice.
func TestProcessesThatCrashPayNothingTwice(t *testing.T) {
	for name, start := range stores {
		t.Run(name, func(t *testing.T) {
			s, a, err := start(context.Background())
			needs(t, err)
			defer s.stop()
			j, err := runCrashes(context.Background(), a, 4, 200)
			require.NoError(t, err)
			require.NoError(t, j.check())
			require.Positive(t, j.crashes)
		})
	}
}

// The judgement finds transfers that are paid twice: without a shared store there are some.
func TestTheCountNoticesWhatIsPaidTwice(t *testing.T) {
	j, _ := runCrashes(context.Background(), assignment{}, 4, 200)
	require.Positive(t, j.twice)
	require.Error(t, j.check())
}
