package daxpay

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// httpClient returns the copy of the caller's client that does what this protocol can bear, and no more.
func (cfg Config) httpClient() *http.Client {
	var hc http.Client
	if cfg.HTTPClient != nil {
		hc = *cfg.HTTPClient
	}
	if hc.Transport == nil {
		hc.Transport = cfg.newTransport()
	}
	hc.Jar = nil
	// A redirect would post the signed body to somewhere else.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc
}

// newTransport is net/http's default transport but for the number of connections it keeps, which is two a host there, so that
// most concurrent calls would open one of their own; and for the limits to headers.
func (cfg Config) newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            watched(dialer.DialContext),
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           cfg.MaxIdleConns,
		MaxIdleConnsPerHost:    cfg.MaxIdleConns,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		ResponseHeaderTimeout:  cfg.ResponseHeaderTimeout,
		MaxResponseHeaderBytes: cfg.MaxHeaderSize,
	}
}

// watched has every connection count what is written to it.
func watched(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &watchedConn{Conn: conn}, nil
	}
}

// watchedConn counts the writes of which at least a byte was taken, or that are still under way. The net package promises nothing
// about an error of a connection; this tells whether a request can have left at all.
type watchedConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *watchedConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	n, err := c.Conn.Write(b)
	if n == 0 && err != nil {
		c.writes.Add(-1)
	}
	return n, err
}

// trail is what one request did on the wire. It is the context of the request and its body, too, so that it takes memory once.
type trail struct {
	context.Context
	io.ReadCloser

	mu      sync.Mutex
	dialing bool         // the transport reports what it does
	taken   bool         // it took a connection
	written bool         // something was written, or may have been to a connection that nobody watches
	conn    *watchedConn // that was taken last
	before  int64        // its writes until then

	trace httptrace.ClientTrace
}

// follow returns the context of the request.
func (t *trail) follow(ctx context.Context) context.Context {
	t.Context = ctx
	t.trace = httptrace.ClientTrace{GetConn: t.getConn, GotConn: t.gotConn}
	return httptrace.WithClientTrace(t, &t.trace)
}

type trailKey struct{}

// trailOf is the trail that the context of a request has, nil if there is none.
func trailOf(ctx context.Context) *trail {
	t, _ := ctx.Value(trailKey{}).(*trail)
	return t
}

// Value is that of the context, which has the trail itself, too.
func (t *trail) Value(key any) any {
	if key == (trailKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// Read reads the body. If there is no connection yet, a transport of the caller's own has it, which may have sent it in a way that
// it does not report before it tried another.
func (t *trail) Read(p []byte) (int, error) {
	t.mu.Lock()
	t.written = t.written || !t.taken
	t.mu.Unlock()
	return t.ReadCloser.Read(p)
}

func (t *trail) getConn(string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dialing = true
}

func (t *trail) gotConn(info httptrace.GotConnInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look()
	t.taken = true
	conn := info.Conn
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		conn = secure.NetConn()
	}
	if t.conn, _ = conn.(*watchedConn); t.conn == nil {
		t.written = true
		return
	}
	t.before = t.conn.writes.Load()
}

// look takes over what happened on the connection that was taken last. A connection that other requests write to as well, of
// HTTP/2, counts as written to.
func (t *trail) look() {
	if t.conn != nil && t.conn.writes.Load() != t.before {
		t.written = true
	}
}

// neverSent tells, when the request has failed, that not a byte of it was written, nor will be: the transport has closed the
// connection by then. Of a transport that does not report what it does, nobody knows.
func (t *trail) neverSent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look()
	return t.dialing && !t.written
}
