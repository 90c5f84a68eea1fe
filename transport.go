package daxpay

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// httpClient returns the copy of the caller's client that does what this protocol can bear, and no more. Its own
// transport, if the caller has none, closes connections that were idle for that long.
func (cfg Config) httpClient(idle time.Duration) *http.Client {
	var hc http.Client
	if cfg.HTTPClient != nil {
		hc = *cfg.HTTPClient
	}
	if hc.Transport == nil {
		hc.Transport = cfg.newTransport(idle)
	}
	hc.Jar = nil
	// A redirect would post the signed body to somewhere else.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc
}

// freshIdle is how long a connection may have been idle for a call that must go out once. The server closes idle
// connections too, later than that; the two must not meet.
const freshIdle = 3 * time.Second

// newTransport is net/http's default transport but for the number of connections it keeps, which is two a host there,
// so that most concurrent calls would open one of their own; for the limits to headers; and for HTTP/2, which it does
// not speak: see Config.HTTPClient.
func (cfg Config) newTransport(idle time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            watched(dialer.DialContext, true),
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1 alone
		MaxIdleConns:           cfg.MaxIdleConns,
		MaxIdleConnsPerHost:    cfg.MaxIdleConns,
		IdleConnTimeout:        idle,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: cfg.MaxHeaderSize,
	}
	encrypted := watched(dialer.DialContext, false)
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := encrypted(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		secure, err := handshake(ctx, conn, addr, t)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		return &secureConn{Conn: secure}, nil
	}
	return t
}

type dial = func(ctx context.Context, network, addr string) (net.Conn, error)

// watched has every connection count what is written to it. If it is plain, it brings HTTP answers.
func watched(dial dial, plain bool) dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c := &watchedConn{Conn: conn}
		c.answers.raw.Store(!plain)
		return c, nil
	}
}

// handshake does what net/http does for connections that it encrypts itself.
func handshake(ctx context.Context, conn net.Conn, addr string, t *http.Transport) (*tls.Conn, error) {
	config := t.TLSClientConfig.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		config.ServerName = host
	}
	secure := tls.Client(conn, config)
	ctx, cancel := context.WithTimeout(ctx, t.TLSHandshakeTimeout)
	defer cancel()
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.TLSHandshakeStart != nil {
		trace.TLSHandshakeStart()
	}
	err := secure.HandshakeContext(ctx)
	if trace != nil && trace.TLSHandshakeDone != nil {
		trace.TLSHandshakeDone(secure.ConnectionState(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return secure, nil
}

// secureConn lets through nothing but answers.
type secureConn struct {
	*tls.Conn
	answers answerLine
}

func (c *secureConn) Write(b []byte) (int, error) {
	c.answers.sends(b)
	return c.Conn.Write(b)
}

func (c *secureConn) Read(b []byte) (int, error) { return c.answers.read(c.Conn, b) }

// watchedConn counts the writes of which at least a byte was taken, or that are still under way. The net package
// promises nothing about an error of a connection; this tells whether a request can have left at all. It lets through
// nothing but answers, unless it is encrypted.
type watchedConn struct {
	net.Conn
	writes  atomic.Int64
	answers answerLine
}

func (c *watchedConn) Read(b []byte) (int, error) { return c.answers.read(c.Conn, b) }

func (c *watchedConn) Write(b []byte) (int, error) {
	c.answers.sends(b)
	c.writes.Add(1)
	n, err := c.Conn.Write(b)
	if n == 0 && err != nil {
		c.writes.Add(-1)
	}
	return n, err
}

// sending is what one request did on the wire. Its body is a bytes.Reader and nothing around one: for any other,
// net/http would write the header by itself first, which costs a tenth of a call.
type sending struct {
	mu       sync.Mutex
	dialing  bool         // the transport reports what it does
	taken    bool         // it took a connection
	written  bool         // something was written, or may have been to a connection that nobody watches
	flushed  bool         // net/http says that all of it was written
	conn     *watchedConn // that was taken last
	before   int64        // its writes until then
	stop     func()       // ends the request when it is sent a second time; nil: it may be
	repeated bool         // it was, or was about to be

	body  bytes.Reader
	trace httptrace.ClientTrace
}

// follow returns the context of the request.
func (s *sending) follow(ctx context.Context) context.Context {
	s.trace = httptrace.ClientTrace{GetConn: s.getConn, GotConn: s.gotConn, WroteRequest: s.wroteRequest}
	return httptrace.WithClientTrace(ctx, &s.trace)
}

// lookAtBody takes it for sent if it was read while there was no connection. Then a transport of the caller's own has
// it, which may have sent it in a way that it does not report before it tried another.
func (s *sending) lookAtBody() {
	if !s.taken && int64(s.body.Len()) != s.body.Size() {
		s.written = true
	}
}

// getConn ends a request for which the transport wants another connection after it has written to one: it is about to
// send it again.
func (s *sending) getConn(string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialing = true
	s.look()
	if s.taken && s.stop != nil && s.sent() {
		s.repeated = true
		s.stop()
	}
}

// sent tells that the request was written, to a connection that is watched or by what net/http says.
func (s *sending) sent() bool { return s.flushed || s.conn != nil && s.written }

func (s *sending) gotConn(info httptrace.GotConnInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repeated && !isHTTP2(info.Conn) {
		_ = info.Conn.Close() // net/http would write before it looks at the context
	}
	s.look()
	s.lookAtBody()
	s.taken = true
	conn := info.Conn
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		conn = secure.NetConn()
	}
	if s.conn, _ = conn.(*watchedConn); s.conn == nil {
		s.written = true
		return
	}
	s.before = s.conn.writes.Load()
}

// isHTTP2 tells whether other requests use the connection as well.
func isHTTP2(conn net.Conn) bool {
	secure, ok := conn.(*tls.Conn)
	return ok && secure.ConnectionState().NegotiatedProtocol == "h2"
}

func (s *sending) wroteRequest(info httptrace.WroteRequestInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = s.flushed || info.Err == nil
}

// look takes over what happened on the connection that was taken last. A connection that other requests write to as
// well, of HTTP/2, counts as written to.
func (s *sending) look() {
	if s.conn != nil && s.conn.writes.Load() != s.before {
		s.written = true
	}
}

// wasRepeated tells whether the transport sent the request again by itself, or was about to.
func (s *sending) wasRepeated() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repeated
}

// neverSent tells, when the request has failed, that not a byte of it was written, nor will be: the transport has
// closed the connection by then. A transport that does not report what it does hides that.
func (s *sending) neverSent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	s.lookAtBody()
	return s.dialing && !s.written
}
