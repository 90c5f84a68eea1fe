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

// httpClient returns a copy of the caller's client without the features that this protocol cannot bear. If the caller
// has no transport, it gets one that closes connections which were idle for the given time.
func (cfg Config) httpClient(idle time.Duration) *http.Client {
	var hc http.Client
	if cfg.HTTPClient != nil {
		hc = *cfg.HTTPClient
	}
	if hc.Transport == nil {
		hc.Transport = cfg.newTransport(idle)
	}
	hc.Jar = nil
	// A redirect would post the signed body somewhere else.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc
}

// freshIdle limits how long a connection may have been idle before a call that must be sent only once uses it. It is
// short enough that the server will not close the connection at the same moment.
const freshIdle = 3 * time.Second

// newTransport returns a transport like net/http's default, with three differences: it keeps as many idle connections
// per host as Config.MaxIdleConns says, not two; it limits headers; and it speaks HTTP/1.1 only, see Config.HTTPClient.
func (cfg Config) newTransport(idle time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            watched(dialer.DialContext, true),
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1 only
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

// watched makes a dial whose connections count what is written to them. plain says that they carry HTTP themselves, not
// TLS.
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

// handshake does what net/http does for the TLS connections that it makes.
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

// secureConn passes on nothing but answers, see answerLine.
type secureConn struct {
	*tls.Conn
	answers answerLine
}

func (c *secureConn) Write(b []byte) (int, error) {
	c.answers.sends(b)
	return c.Conn.Write(b)
}

func (c *secureConn) Read(b []byte) (int, error) { return c.answers.read(c.Conn, b) }

// watchedConn counts the writes of which at least one byte was accepted, or that have not returned. The net package
// does not say what an error of a connection means for the bytes; this count shows whether a request can have left at
// all. If it carries no TLS, it passes on nothing but answers.
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

// sending records what happens to one request on its connections. Its body is a plain bytes.Reader: for any other
// reader, net/http flushes the header first, which costs a tenth of a call.
type sending struct {
	mu       sync.Mutex
	dialing  bool         // the transport supports httptrace
	taken    bool         // the request has got a connection
	written  bool         // something was written, or may have been: the connection is not a watchedConn
	flushed  bool         // net/http reports that all of it was written
	conn     *watchedConn // the latest one
	before   int64        // its writes before this request
	stop     func()       // ends the request when it would be sent a second time; nil if it may be
	repeated bool         // it was sent a second time, or was about to be

	body  bytes.Reader
	trace httptrace.ClientTrace
}

// follow returns a context that traces the request.
func (s *sending) follow(ctx context.Context) context.Context {
	s.trace = httptrace.ClientTrace{GetConn: s.getConn, GotConn: s.gotConn, WroteRequest: s.wroteRequest}
	return httptrace.WithClientTrace(ctx, &s.trace)
}

// lookAtBody counts the request as written if its body was read before it got a connection: a transport of the caller's
// may have sent it without reporting that.
func (s *sending) lookAtBody() {
	if !s.taken && int64(s.body.Len()) != s.body.Size() {
		s.written = true
	}
}

// getConn ends a request for which the transport wants another connection after it has written it to one: it is about
// to send it again.
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

// sent reports whether the request was written, as the connection or net/http shows.
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

// isHTTP2 reports whether other requests share the connection.
func isHTTP2(conn net.Conn) bool {
	secure, ok := conn.(*tls.Conn)
	return ok && secure.ConnectionState().NegotiatedProtocol == "h2"
}

func (s *sending) wroteRequest(info httptrace.WroteRequestInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = s.flushed || info.Err == nil
}

// look notes whether something was written to the latest connection. If other requests share it (HTTP/2), their writes
// count as well.
func (s *sending) look() {
	if s.conn != nil && s.conn.writes.Load() != s.before {
		s.written = true
	}
}

// wasRepeated reports whether the transport sent the request a second time, or was about to.
func (s *sending) wasRepeated() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repeated
}

// neverSent reports, for a request that failed, whether not a byte of it was written. Nor will one be, because the
// transport has closed the connection by then. A transport without httptrace hides this, and the result is false.
func (s *sending) neverSent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	s.lookAtBody()
	return s.dialing && !s.written
}
