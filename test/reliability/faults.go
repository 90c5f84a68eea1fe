package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

const attempts = 3 // the default of Config.Retry

// fault is a fault on the line.
type fault struct {
	name string
	// neverSent: nothing reaches the server, and every call is tried again. Otherwise repeatable says that a call is
	// sent again if its param allows it, and known that the gateway said that it had done nothing.
	neverSent, repeatable, known bool
	// sends is how often the transport itself sends a repeatable call in each attempt; 0 means once.
	sends int
	// right reports whether an error is the one that the fault must cause.
	right func(error) bool
	// serve is what the server does; configure and listen are what else the fault needs.
	serve     serveFault
	configure func(*daxpay.Config)
	listen    func(http.Handler) *httptest.Server
}

var errLookup = &net.DNSError{Err: "no such host", Name: "gateway.invalid", IsNotFound: true}

func wireFaults() []fault {
	return slices.Concat(unsentFaults(), cutFaults(), answerFaults())
}

// noAnswer returns a function that recognizes the error of a call without an answer.
func noAnswer(neverSent bool) func(error) bool {
	return func(err error) bool {
		var t *daxpay.TransportError
		return errors.As(err, &t) && t.NeverSent == neverSent
	}
}

// page returns a function that recognizes the error for an answer that is not the gateway's.
func page(code int) func(error) bool {
	return func(err error) bool {
		var page *daxpay.HTTPError
		return errors.As(err, &page) && page.StatusCode == code && errors.Is(err, daxpay.ErrProtocol)
	}
}

// refusal returns a function that recognizes the error for an unsigned refusal.
func refusal(code int) func(error) bool {
	return func(err error) bool {
		var g *daxpay.GatewayError
		return errors.As(err, &g) && g.Code == code && !g.Signed && !g.Business && g.TraceID == message.TraceID
	}
}

// serveFault answers a request. It may wait until the calls have ended.
type serveFault = func(w http.ResponseWriter, r *http.Request, released <-chan struct{})

// write answers with a body.
func write(status int, contentType, body string) serveFault {
	return func(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// refuse answers with an unsigned refusal.
func refuse(code int, msg string) serveFault {
	return write(http.StatusOK, "application/json",
		fmt.Sprintf(`{"code":%d,"msg":%q,"data":null,"traceId":%q}`, code, msg, message.TraceID))
}

// unsentFaults happen before anything is sent.
func unsentFaults() []fault {
	return []fault{
		{name: "refused", neverSent: true, right: noAnswer(true), listen: func(h http.Handler) *httptest.Server {
			server := httptest.NewServer(h)
			_ = server.Listener.Close()
			return server
		}},
		{name: "DNS", neverSent: true, right: func(err error) bool {
			return noAnswer(true)(err) && errors.Is(err, errLookup)
		}, configure: func(c *daxpay.Config) {
			c.HTTPClient = &http.Client{Transport: &http.Transport{
				DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errLookup },
			}}
		}},
		{name: "certificate", neverSent: true, right: noAnswer(true), listen: func(h http.Handler) *httptest.Server {
			server := httptest.NewUnstartedServer(h)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			return server
		}},
	}
}

// cutFaults leave no answer, or only a part of one.
func cutFaults() []fault {
	return []fault{
		{name: "reset before the body", repeatable: true, right: noAnswer(false),
			serve: func(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) { reset(w) }},
		{name: "reset after the body", repeatable: true, right: noAnswer(false),
			serve: func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
				_, _ = io.Copy(io.Discard, r.Body)
				reset(w)
			}},
		{name: "attempt timeout before headers", repeatable: true, right: noAnswer(false), configure: shortAttempts,
			serve: func(_ http.ResponseWriter, _ *http.Request, released <-chan struct{}) { <-released }},
		{name: "attempt timeout in the body", repeatable: true, right: noAnswer(false), configure: shortAttempts,
			serve: hangInTheBody},
		{name: "hang in the body", right: func(err error) bool {
			return noAnswer(false)(err) && errors.Is(err, context.DeadlineExceeded)
		}, configure: func(c *daxpay.Config) { c.Timeout = time.Second }, serve: hangInTheBody},
		{name: "truncated", repeatable: true, right: func(err error) bool {
			return noAnswer(false)(err) && errors.Is(err, io.ErrUnexpectedEOF)
		}, serve: func(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"code":0,`)
		}},
		{name: "oversized", right: func(err error) bool { return errors.Is(err, daxpay.ErrTooLarge) },
			configure: func(c *daxpay.Config) { c.MaxAnswerSize = 64 << 10 },
			serve: write(http.StatusOK, "application/json",
				`{"code":0,"msg":"`+strings.Repeat("x", 64<<10)+`"}`)},
	}
}

func shortAttempts(c *daxpay.Config) {
	c.Timeout, c.AttemptTimeout = 4*time.Second, 800*time.Millisecond
}

// answerFaults are answers that are not the gateway's, and refusals.
func answerFaults() []fault {
	return []fault{
		{name: "redirect", right: page(http.StatusTemporaryRedirect),
			serve: func(w http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			}},
		{name: "404 JSON", right: page(http.StatusNotFound),
			serve: write(http.StatusNotFound, "application/json", `{"status":404,"error":"Not Found"}`)},
		{name: "unknown path", right: func(err error) bool {
			var answer *daxpay.HTTPError
			return page(http.StatusInternalServerError)(err) && errors.As(err, &answer) && answer.UnknownPath
		}, serve: write(http.StatusInternalServerError, "application/json",
			`{"timestamp":"2024-05-12 17:50:34","status":500,"error":"Internal Server Error","path":"/unipay/x"}`)},
		{name: "502 page", repeatable: true, right: page(http.StatusBadGateway),
			serve: write(http.StatusBadGateway, "text/html", "<html>Bad Gateway</html>")},
		{name: "repeating transport", repeatable: true, sends: 2, right: func(err error) bool {
			return page(http.StatusBadGateway)(err) ||
				noAnswer(false)(err) && strings.Contains(err.Error(), "sends requests again by itself")
		}, configure: func(c *daxpay.Config) {
			c.HTTPClient = &http.Client{Transport: repeating{&http.Transport{}}}
		}, serve: write(http.StatusBadGateway, "text/html", "<html>Bad Gateway</html>")},
		{name: "unsigned error", right: refusal(10001), serve: refuse(10001, "系统错误")},
		{name: "stale time", known: true, right: refusal(10006), serve: refuse(10006, "请求时间已过期")},
		{name: "another call is under way", repeatable: true, known: true, right: func(err error) bool {
			return refusal(10007)(err) && errors.Is(err, daxpay.ErrEarlierSend)
		}, serve: refuse(10007, "处理中，请勿重复操作")},
	}
}

// hangInTheBody begins an answer and never ends it.
func hangInTheBody(w http.ResponseWriter, _ *http.Request, released <-chan struct{}) {
	_, _ = io.WriteString(w, `{"code":0,`)
	_ = http.NewResponseController(w).Flush()
	<-released
}

// repeating is a transport that sends a request again if a proxy has answered it.
type repeating struct{ *http.Transport }

func (t repeating) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		q.Body = io.NopCloser(bytes.NewReader(body))
		res, err := t.Transport.RoundTrip(q)
		if err != nil || res.StatusCode != http.StatusBadGateway || n == 1 {
			return res, err
		}
		_ = res.Body.Close()
	}
}

// reset resets a connection.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// faulty makes every call under every fault, and counts what the server saw.
func faulty(t *trial) error {
	var problems faults
	all, calls := wireFaults(), calltable.All()
	posts, payouts := 0, 0
	for i := range all {
		seen, errs, err := underFault(&all[i], calls)
		if err != nil {
			return err
		}
		for n, c := range calls {
			posts += seen[n]
			if c.Effect == param.EffectOnce {
				payouts = max(payouts, seen[n])
			}
			if complaint := judgeFault(&all[i], &calls[n], seen[n], errs[n]); complaint != "" {
				problems.add("%s, %s: %s: %v", all[i].name, c.Name, complaint, errs[n])
			}
		}
	}
	t.say("%d faults x %d calls, %d requests arrived, each as often as it may", len(all), len(calls), posts)
	t.say("a transfer %d times at most", payouts)
	return problems.err()
}

// underFault makes all calls at once, and returns for each how often it arrived, and its error.
func underFault(f *fault, calls []calltable.Call) ([]int, []error, error) {
	arrived := make(map[string]*atomic.Int64, len(calls))
	for _, c := range calls {
		arrived[c.Path()] = new(atomic.Int64)
	}
	released := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := arrived[r.URL.Path]; n != nil && r.Method == http.MethodPost {
			n.Add(1)
		}
		if f.serve != nil {
			f.serve(w, r, released)
		}
	})
	listen := f.listen
	if listen == nil {
		listen = httptest.NewServer
	}
	server := listen(handler)
	defer server.Close()
	defer close(released)
	seen, errs := make([]int, len(calls)), make([]error, len(calls))
	var running sync.WaitGroup
	for n, c := range calls {
		config := daxpay.Config{
			ServiceURL: server.URL, SignSecret: message.Secret, Gateway: versionOf(&c),
			Retry: daxpay.Retry{BaseDelay: 1, MaxDelay: 1},
		}
		if f.configure != nil {
			f.configure(&config)
		}
		kit, err := daxpay.New(config)
		if err != nil {
			return nil, nil, err
		}
		defer kit.CloseIdleConnections()
		running.Add(1)
		go func() {
			defer running.Done()
			_, errs[n] = c.Do(context.Background(), kit, c.Param("1"))
		}()
	}
	running.Wait()
	for n, c := range calls {
		seen[n] = int(arrived[c.Path()].Load())
	}
	return seen, errs, nil
}

// versionOf returns the gateway version for a call: 2.0.8 if it has the call, else 2.0.5.
func versionOf(c *calltable.Call) daxpay.GatewayVersion {
	if c.Sent[daxpay.GatewayV208] != "" {
		return daxpay.GatewayV208
	}
	return daxpay.GatewayV205
}

// judgeFault returns what is wrong with the result of a call, "" if nothing is.
func judgeFault(f *fault, c *calltable.Call, posts int, err error) string {
	repeated := c.Effect == param.EffectReadOnly || c.Effect == param.EffectRepeatable
	made := 1 // attempts
	if f.neverSent || f.repeatable && repeated {
		made = attempts
	}
	arrived := made
	switch {
	case f.neverSent:
		arrived = 0
	case f.sends > 0 && repeated:
		arrived *= f.sends
	}
	// The client believes an unsigned refusal of a gateway that signs nothing.
	signsNothing := versionOf(c) == daxpay.GatewayV205
	known := f.neverSent || f.known || c.Effect == param.EffectReadOnly || signsNothing && f.name == "unsigned error"
	var tried *daxpay.RetryError
	switch {
	case posts != arrived:
		return fmt.Sprintf("arrived %d times, not %d", posts, arrived)
	case err == nil:
		return "no error"
	case !f.right(err):
		return "the wrong error"
	case errors.Is(err, daxpay.ErrOutcomeUnknown) == known:
		return fmt.Sprintf("its outcome is taken for known: %v", !known)
	case errors.As(err, &tried) != (made > 1) || made > 1 && len(tried.Errs) != made:
		return fmt.Sprintf("the error does not hold %d attempts", made)
	case !strings.Contains(err.Error(), c.Path()):
		return "the error does not name the path"
	}
	return ""
}
