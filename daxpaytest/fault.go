package daxpaytest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Fault is a fault on the line between the merchant and the gateway: see Gateway.Fail. For faults between the gateway
// and the payment channel see Channel.
type Fault string

// The faults. With those named Before, the call does not run; with all others it does. A client cannot tell the two
// apart.
const (
	// ResetBefore resets the connection (连接重置) once the request has arrived. The call does not run.
	ResetBefore Fault = "reset before"
	// ResetAfter runs the call and then resets the connection, so that the answer is lost.
	ResetAfter Fault = "reset after"
	// BadGatewayBefore answers 502 with a page of HTML, as a proxy does that cannot reach the gateway. The call does
	// not run.
	BadGatewayBefore Fault = "502 before"
	// BadGatewayAfter runs the call and answers 502, as a proxy does that loses the gateway's answer.
	BadGatewayAfter Fault = "502 after"
	// HangBefore sends no answer until the client gives up or the gateway closes. The call does not run. Set a short
	// daxpay.Config.Timeout or a deadline of the context, so that the test does not wait for the default.
	HangBefore Fault = "hang before"
	// HangAfter runs the call and then sends no answer until the client gives up or the gateway closes.
	HangAfter Fault = "hang after"
	// Truncated runs the call and sends half of its answer.
	Truncated Fault = "truncated"
	// Unsigned runs the call and sends its answer without the signature.
	Unsigned Fault = "unsigned"
	// Late runs the call and sends its answer late. Slow sets it, because it needs a delay; Fail does not take it.
	Late Fault = "late"
)

// Faults returns the faults that Fail takes.
func Faults() []Fault {
	return []Fault{
		ResetBefore, ResetAfter, BadGatewayBefore, BadGatewayAfter, HangBefore, HangAfter, Truncated, Unsigned,
	}
}

// Runs reports whether the call runs in spite of the fault.
func (f Fault) Runs() bool { return f != ResetBefore && f != BadGatewayBefore && f != HangBefore }

// Failure is a fault that Fail or Slow has set and that is still to happen.
type Failure struct {
	Path  string // of the call; empty for every call
	Fault Fault
	Delay time.Duration // of Slow, else 0
	Times int           // how many calls it was set for; 0 means all until Heal
	Left  int           // how many calls it will still hit; 0 if Times is 0
}

// line holds the faults in the order in which they were set.
type line struct {
	mu     sync.Mutex
	faults []*Failure
}

// Fail makes the next calls of a path, such as "/unipay/refund", meet a fault; an empty path means every call. times is
// how many calls; below 1 it is all until Heal. Faults of one path happen in the order in which they were set:
//
//	gw.Fail("/unipay/refund", 1, daxpaytest.ResetAfter)
//	gw.Fail("/unipay/refund", 2, daxpaytest.BadGatewayBefore)
//
// A client may send a call several times, and each attempt counts. Fail returns false, and sets nothing, if the gateway
// has no such call or Faults does not list the fault. With a gateway from Start it then ends the test.
func (g *Gateway) Fail(path string, times int, fault Fault) bool {
	if g.tb != nil {
		g.tb.Helper()
	}
	known := slices.Contains(Faults(), fault)
	return g.addFault(Failure{Path: path, Fault: fault, Times: times}, known)
}

// Slow delays the answers to the next calls of a path by d. The calls themselves run at once. path, times and the
// result are those of Fail.
func (g *Gateway) Slow(path string, times int, d time.Duration) bool {
	if g.tb != nil {
		g.tb.Helper()
	}
	return g.addFault(Failure{Path: path, Fault: Late, Delay: d, Times: times}, true)
}

func (g *Gateway) addFault(f Failure, known bool) bool {
	f.Times = max(f.Times, 0)
	f.Left = f.Times
	switch {
	case !known:
		g.complain("there is no fault %q", string(f.Fault))
		return false
	case f.Path != "" && g.calls[f.Path] == nil && g.legacy[f.Path] == nil:
		g.complain("gateway %s has no call %q", string(g.version), f.Path)
		return false
	}
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	g.line.faults = append(g.line.faults, &f)
	return true
}

// complain ends the test of a gateway from Start.
func (g *Gateway) complain(format string, args ...any) {
	if g.tb != nil {
		g.tb.Helper()
		g.tb.Fatalf("daxpaytest: "+format, args...)
	}
}

// Heal removes the faults that were set for a path, or all faults if the path is empty. A call that already hangs goes
// on hanging.
func (g *Gateway) Heal(path string) {
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	g.line.faults = slices.DeleteFunc(g.line.faults, func(f *Failure) bool { return path == "" || f.Path == path })
}

// Failures returns the faults that are still to happen, in the order in which they were set.
func (g *Gateway) Failures() []Failure {
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	list := make([]Failure, 0, len(g.line.faults))
	for _, f := range g.line.faults {
		list = append(list, *f)
	}
	return list
}

// next returns the fault that the next call of a path meets, and counts it. Its Fault is empty if there is none.
func (l *line) next(path string) Failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.faults {
		if f.Path != "" && f.Path != path {
			continue
		}
		if f.Times > 0 {
			if f.Left--; f.Left == 0 {
				l.faults = slices.Delete(l.faults, i, i+1)
			}
		}
		return *f
	}
	return Failure{}
}

// ServeHTTP answers a request as the gateway does, also behind a handler or a server of the test's own. Where a fault
// resets a connection that cannot be reset, as with HTTP/2, it panics with http.ErrAbortHandler, which net/http
// handles.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		reset(w) // the client went away, or sends more than a handler in front of this one allows
		return
	}
	f := g.line.next(cleanPath(r.URL.Path))
	if f.Fault == "" {
		if !g.serve(w, r, body, "") {
			reset(w)
		}
		return
	}
	answer := g.suffer(r, body, f)
	if answer == nil {
		reset(w)
		return
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	text := answer.Body.Bytes()
	if f.Fault == Truncated {
		text = text[:len(text)/2]
	}
	_, _ = w.Write(text)
	_ = http.NewResponseController(w).Flush()
	if f.Fault == Truncated {
		panic(http.ErrAbortHandler) // net/http closes the connection and says nothing
	}
}

// RoundTrip answers a request without a network: a Gateway is an http.RoundTripper, and gw.RoundTrip is a responder of
// package github.com/jarcoal/httpmock. A fault that leaves no answer is an error. The client sees no connection, so
// every failure counts as sent.
func (g *Gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case g.isClosed():
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	f := g.line.next(cleanPath(r.URL.Path))
	answer := httptest.NewRecorder()
	if f.Fault == "" {
		if !g.serve(answer, r, body, "") {
			answer = nil
		}
	} else {
		answer = g.suffer(r, body, f)
	}
	if answer == nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	res := answer.Result()
	res.Request = r
	if f.Fault == Truncated {
		text := answer.Body.Bytes()
		res.Body = io.NopCloser(io.MultiReader(io.LimitReader(answer.Body, int64(len(text)/2)), brokenOff{}))
		res.ContentLength = -1
	}
	return res, nil
}

// brokenOff is the end of a truncated answer.
type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// suffer has a request meet a fault. It returns the answer, or nil if there is none.
func (g *Gateway) suffer(r *http.Request, body []byte, f Failure) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	if !f.Fault.Runs() {
		seen := g.arrived(r, body, f.Fault)
		seen.Code = NotRun
		g.remember(seen)
		_ = g.commit() // there is no answer anyway
	} else if !g.serve(answer, r, body, f.Fault) {
		return nil
	}
	switch f.Fault {
	case ResetBefore, ResetAfter:
		return nil
	case HangBefore, HangAfter:
		g.wait(r.Context(), nil)
		return nil
	case BadGatewayBefore, BadGatewayAfter:
		return badGateway(g.now())
	case Late:
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		if !g.wait(r.Context(), timer.C) {
			return nil
		}
	}
	return answer
}

// wait waits for done. It returns false if the client gives up or the gateway closes before that.
func (g *Gateway) wait(ctx context.Context, done <-chan time.Time) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
	case <-g.closed:
	}
	return false
}

// badGateway returns the page of a proxy.
func badGateway(now time.Time) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	h := answer.Header()
	h.Set("Server", "nginx")
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("Content-Type", "text/html")
	answer.WriteHeader(http.StatusBadGateway)
	_, _ = answer.WriteString("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n" +
		"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
	return answer
}

// reset ends a connection without an answer.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http closes the connection and says nothing
	}
	under := conn
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		under = secure.NetConn()
	}
	if tcp, ok := under.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // so that it is reset, and not closed
	}
	_ = under.Close()
}

// unsigned returns an answer without the signature of its data.
func unsigned(reply object) object {
	reply = slices.Clone(reply)
	for i, p := range reply {
		if data, ok := p.Value.(object); ok && p.Name == "data" {
			reply[i].Value = slices.DeleteFunc(slices.Clone(data), func(p pair) bool { return p.Name == "sign" })
		}
	}
	return reply
}
