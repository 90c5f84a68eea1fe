package daxpay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/param"
)

// A call counts as never sent only if its transport shows that no byte of it was written.
func TestNeverSent(t *testing.T) {
	conn := func() *watchedConn {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		t.Cleanup(func() { _ = ours.Close() })
		return &watchedConn{Conn: ours}
	}
	take := func(trace *httptrace.ClientTrace, conn net.Conn) {
		trace.GotConn(httptrace.GotConnInfo{Conn: conn})
	}
	write := func(conn net.Conn) {
		_, err := conn.Write([]byte("x"))
		require.NoError(t, err)
	}
	for name, tt := range map[string]struct {
		do   func(trace *httptrace.ClientTrace)
		want bool
	}{
		"a transport that says nothing": {func(*httptrace.ClientTrace) {}, false},
		"no connection":                 {func(trace *httptrace.ClientTrace) { trace.GetConn("") }, true},
		"nothing written": {func(trace *httptrace.ClientTrace) {
			trace.GetConn("")
			kept := conn()
			write(kept) // by an earlier request
			take(trace, kept)
		}, true},
		"written": {func(trace *httptrace.ClientTrace) {
			trace.GetConn("")
			c := conn()
			take(trace, c)
			write(c)
		}, false},
		"a write that fails": {func(trace *httptrace.ClientTrace) {
			trace.GetConn("")
			c := conn()
			require.NoError(t, c.Close())
			take(trace, c)
			_, err := c.Write([]byte("x"))
			require.Error(t, err)
		}, true},
		"a write under way": {func(trace *httptrace.ClientTrace) {
			trace.GetConn("")
			ours, theirs := net.Pipe()
			t.Cleanup(func() { _ = theirs.Close() })
			c := &watchedConn{Conn: ours}
			take(trace, c)
			go func() { _, _ = c.Write([]byte("x")) }() // there is no reader
			for c.writes.Load() == 0 {
				runtime.Gosched()
			}
		}, false},
		"a kept connection that was closed, then none": {func(trace *httptrace.ClientTrace) {
			trace.GetConn("")
			take(trace, conn())
			trace.GetConn("")
		}, true},
		"written to the first of two": {func(trace *httptrace.ClientTrace) {
			trace.GetConn("")
			first := conn()
			take(trace, first)
			write(first)
			take(trace, conn())
		}, false},
		"a connection that is not watched": {func(trace *httptrace.ClientTrace) {
			trace.GetConn("")
			take(trace, conn().Conn)
			take(trace, conn())
		}, false},
		"TLS": {func(trace *httptrace.ClientTrace) {
			trace.GetConn("")
			take(trace, tls.Client(conn(), &tls.Config{MinVersion: tls.VersionTLS12}))
		}, true},
		"TLS over something else": {func(trace *httptrace.ClientTrace) {
			trace.GetConn("")
			take(trace, tls.Client(conn().Conn, &tls.Config{MinVersion: tls.VersionTLS12}))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var s sending
			trace := httptrace.ContextClientTrace(s.follow(context.Background()))
			tt.do(trace)
			require.Equal(t, tt.want, s.neverSent())
		})
	}
}

// A request of a real transport counts as sent, with and without TLS.
func TestRealRequestCountsAsSent(t *testing.T) {
	for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
		server := start(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		transport := Config{MaxIdleConns: 1}.newTransport(time.Minute)
		if server.TLS != nil {
			transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
		}
		var s sending
		req, err := http.NewRequestWithContext(s.follow(context.Background()), http.MethodPost, server.URL, http.NoBody)
		require.NoError(t, err)
		_, err = transport.RoundTrip(req) //nolint:bodyclose // there is none
		require.Error(t, err)
		require.False(t, s.neverSent())
		require.NotNil(t, s.conn, "the connection is watched")
		server.Close()
	}
}

func TestWatchedKeepsTheErrorOfTheDialer(t *testing.T) {
	refused := errors.New("refused")
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, refused }
	conn, err := watched(dial, true)(context.Background(), "tcp", "x")
	require.Nil(t, conn)
	require.ErrorIs(t, err, refused)
}

// HTTP/2 requests share a connection. One that has carried a request counts as written to.
func TestHTTP2RequestCountsAsSent(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{}")
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	transport := Config{MaxIdleConns: 1}.newTransport(time.Minute)
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	transport.TLSClientConfig.NextProtos = nil
	// The caller's own transport may be set this way.
	transport.TLSNextProto, transport.ForceAttemptHTTP2, transport.DialTLSContext = nil, true, nil
	for range 2 {
		var s sending
		req, err := http.NewRequestWithContext(s.follow(context.Background()), http.MethodPost, server.URL,
			strings.NewReader("{}"))
		require.NoError(t, err)
		res, err := transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 2, res.ProtoMajor)
		require.NotNil(t, s.conn)
		require.False(t, s.neverSent())
	}
}

// The default transport speaks HTTP/1.1 alone, and closes idle connections before a server or proxy does.
func TestDefaultTransport(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	kit, err := New(Config{ServiceURL: server.URL, SignSecret: "123456"})
	require.NoError(t, err)
	for client, idle := range map[*resty.Client]time.Duration{kit.core.resty: 45 * time.Second,
		kit.core.fresh: 3 * time.Second} {
		transport := client.GetClient().Transport.(*http.Transport)
		defer transport.CloseIdleConnections()
		require.Equal(t, idle, transport.IdleConnTimeout)
		transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		transport.TLSClientConfig.NextProtos = nil
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL, http.NoBody)
		require.NoError(t, err)
		res, err := transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 1, res.ProtoMajor)
	}
	kit, err = New(Config{ServiceURL: server.URL, SignSecret: "123456", IdleConnTimeout: time.Second})
	require.NoError(t, err)
	require.Equal(t, time.Second, kit.core.fresh.GetClient().Transport.(*http.Transport).IdleConnTimeout)
}

// Header and body go out in one write: two writes cost a tenth more per request.
func TestRequestsAreOneWrite(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	transport := Config{MaxIdleConns: 1}.newTransport(time.Minute)
	defer transport.CloseIdleConnections()
	dial := transport.DialContext
	var conn *watchedConn
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		conn, _ = c.(*watchedConn)
		return c, err
	}
	kit, err := New(Config{ServiceURL: server.URL, SignSecret: "123456", HTTPClient: &http.Client{Transport: transport}})
	require.NoError(t, err)
	_, err = kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1"})
	require.ErrorIs(t, err, ErrProtocol)
	require.EqualValues(t, 1, conn.writes.Load())
}
