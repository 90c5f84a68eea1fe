package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// transportFailures are the ways to get no answer.
func transportFailures(a *markedCall) []failure {
	dns := &net.DNSError{Err: "no such host", Name: "pay.example.com", IsNotFound: true}
	var all []failure
	for name, err := range map[string]error{
		"refused":   &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED},
		"DNS":       &net.OpError{Op: "dial", Net: "tcp", Err: dns},
		"reset":     &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET},
		"authority": x509.UnknownAuthorityError{},
		"EOF":       io.ErrUnexpectedEOF,
		"header":    textproto.ProtocolError("malformed MIME header: " + nameMark + accountMark + tokenMark),
		"URL":       &url.Error{Op: "Post", URL: "https://pay.example.com/?" + tokenMark, Err: io.ErrUnexpectedEOF},
		"timeout":   context.DeadlineExceeded,
	} {
		all = append(all, failure{name: a.name + ": " + name, run: func(s *scenario) []any {
			s.Reply = message.Reply{Err: err}
			return failing(a.call(context.Background(), s.Client))
		}})
	}
	return append(all,
		failure{name: a.name + ": canceled before", run: func(s *scenario) []any {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return failing(a.call(ctx, s.Client))
		}},
		failure{name: a.name + ": attempts", run: func(s *scenario) []any {
			s.Reply = message.Reply{Err: io.ErrUnexpectedEOF}
			return failing(a.call(context.Background(), s.Client))
		}, configure: func(c *daxpay.Config) { c.Retry = daxpay.Retry{MaxAttempts: 3, BaseDelay: 1, MaxDelay: 1} }},
		failure{name: a.name + ": no version has it", run: func(s *scenario) []any {
			s.Reply = message.Reply{Status: http.StatusNotFound}
			return failing(a.call(context.Background(), s.Client))
		}, configure: func(c *daxpay.Config) { c.Gateway = daxpay.GatewayV205 }},
	)
}

// answerFailures are the ways in which an answer is refused, and what an accepted answer leaves behind.
func answerFailures(a *markedCall) []failure {
	return slices.Concat(a.changedAnswers(), a.otherAnswers(), a.refusals(), a.ends())
}

// answered is the failure of a call whose answer is changed: by edit before signing, by spoil after signing.
func (a *markedCall) answered(name string, edit, spoil func(string) string, status int, said ...string) failure {
	return failure{name: a.name + ": " + name, said: said, run: func(s *scenario) []any {
		s.Reply = message.Reply{Status: status, Body: s.marked(kindNamed(a.name), edit, spoil)}
		return failing(a.call(context.Background(), s.Client))
	}}
}

func (a *markedCall) changedAnswers() []failure {
	return []failure{
		a.answered("forged", nil, replacing(`"resTime":1715500234`, `"resTime":1715500235`), 0),
		a.answered("unsigned", nil, replacing(`"sign":"`, `"sign":null,"old":"`), 0),
		a.answered("signature cut", nil, func(body string) string {
			i := strings.Index(body, `"sign":"`) + 8
			return body[:i] + body[i+1:]
		}, 0),
		a.answered("stale", replacing("1715500234", "1715400000"), nil, 0),
		a.answered("request sent back", replacing(`"code":0`, `"code":0,"reqTime":1715500234`), nil, 0),
		a.answered("without resTime", replacing(`"resTime":1715500234,`, ""), nil, 0),
		a.answered("code of another type", replacing(`"code":0`, `"code":"`+nameMark+`"`), nil, 0),
		a.answered("ambiguous", replacing(`"code":0`, `"x":"`+nameMark+`&code=0","code":0`), nil, 0),
		a.answered("NUL", replacing(`"code":0`, `"x":"`+nameMark+`\u0000","code":0`), nil, 0),
		a.answered("ambiguous name", replacing(`"code":0`, `"`+tokenMark+`&":"`+nameMark+`","code":0`), nil, 0),
		a.answered("twice", nil, replacing(`"code":0,"msg"`, `"payeeName2":"`+nameMark+`","code":0,"msg"`), 0),
		a.answered("cut off", nil, func(body string) string { return body[:len(body)-40] }, 0),
		a.answered("bytes behind", nil, func(body string) string { return body + nameMark }, 0),
		a.answered("members of another type", func(members string) string {
			return strings.ReplaceAll(members, `"`+nameMark+`"`, `["`+nameMark+`"]`) + `,"orderNo2":1`
		}, replacing(`"code":0,"data"`, `"code":0,"x":"`+nameMark+`","data2":0,"data"`), http.StatusInternalServerError),
	}
}

// everyMark is a text with all marks except that of the previous secret.
const everyMark = nameMark + " " + accountMark + " " + tokenMark + " " + secretMark

// whole replaces a body.
func whole(body string) func(string) string { return func(string) string { return body } }

func (a *markedCall) otherAnswers() []failure {
	shown := func(body string) string { return "<html>" + body + everyMark }
	return []failure{
		a.answered("HTML that shows the request", nil, shown, 0),
		a.answered("502 that shows the request", nil, shown, http.StatusBadGateway),
		a.answered("404 as JSON", nil, whole(`{"status":404,"path":"`+tokenMark+`"}`), http.StatusNotFound),
		a.answered("data as text", nil, whole(`{"code":0,"data":"`+nameMark+`"}`), 0),
		a.answered("code as text", nil, whole(`{"code":"`+nameMark+`","data":null}`), 0),
	}
}

func (a *markedCall) refusals() []failure {
	return []failure{
		a.answered("business refuses and says what", replacing(`"code":0,"msg":"处理 \"完成\""`, `"code":1,"msg":"`+everyMark+`"`),
			nil, 0, nameMark, accountMark, tokenMark, secretMark),
		a.answered("system error that says what", nil, whole(`{"code":10001,"msg":"`+everyMark+`","data":null}`), 0,
			nameMark, accountMark, tokenMark, secretMark),
		a.answered("signature refused", nil, whole(`{"code":20052,"msg":"验签失败","data":null}`), 0),
		a.answered("time refused", nil, whole(`{"code":10006,"msg":"请求时间已过期","data":null}`), 0),
	}
}

func (a *markedCall) ends() []failure {
	return []failure{
		{name: a.name + ": redirected", run: func(s *scenario) []any {
			s.Reply = message.Reply{Status: http.StatusTemporaryRedirect,
				Header: http.Header{"Location": {"https://evil.example/?" + tokenMark}}}
			return failing(a.call(context.Background(), s.Client))
		}},
		// A call that succeeds also leaves log lines and observations; its result belongs to the caller.
		{name: a.name + ": succeeded", run: func(s *scenario) []any {
			s.Reply = message.Reply{Body: s.marked(kindNamed(a.name), nil, nil)}
			if err := a.call(context.Background(), s.Client); err != nil {
				return nil
			}
			return []any{s.Client}
		}},
		// With GatewayAuto the error says why each encoding was refused.
		{
			name: a.name + ": every encoding refused", configure: func(c *daxpay.Config) { c.Gateway = daxpay.GatewayAuto },
			run: func(s *scenario) []any {
				s.Reply = message.Reply{Body: []byte(`{"code":20052,"msg":"验签失败","data":null}`)}
				return failing(a.call(context.Background(), s.Client))
			},
		},
	}
}

// rawFailures go through net/http, whose errors quote what the other side sent.
func rawFailures() []failure {
	everything := nameMark + accountMark + tokenMark
	var all []failure
	for name, raw := range map[string]string{
		"no HTTP":           everything,
		"malformed status":  "HTTP/1.1 " + everything + "\r\n\r\n",
		"malformed version": everything + "/1.1 200 OK\r\n\r\n",
		"malformed header":  "HTTP/1.1 200 OK\r\n" + everything + "\r\n\r\n",
		"malformed length":  "HTTP/1.1 200 OK\r\nContent-Length: " + everything + "\r\n\r\n",
		"malformed coding":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + everything + "\r\n\r\n",
		"malformed chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + everything + "\r\n",
		"malformed name":    "HTTP/1.1 200 OK\r\n" + everything + "\x01: x\r\n\r\n",
		"truncated":         "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + everything,
		"huge header":       "HTTP/1.1 200 OK\r\nX: " + strings.Repeat(everything, 10_000) + "\r\n\r\n",
		"moved to no URL":   "HTTP/1.1 302 Found\r\nLocation: http://[" + everything + "\r\nContent-Length: 0\r\n\r\n",
	} {
		for _, a := range markedCalls() {
			if a.name != "TransferParam" && a.name != "WxAccessTokenParam" { // one call that is sent once only, and one other
				continue
			}
			all = append(all, failure{name: a.name + ": " + name, run: func(s *scenario) []any {
				return failing(a.call(context.Background(), s.Client))
			}, configure: func(c *daxpay.Config) { c.HTTPClient = &http.Client{Transport: speaking(raw)} }})
		}
	}
	return all
}

// speaking is a transport that reads a request and returns raw bytes.
func speaking(raw string) http.RoundTripper {
	return &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				defer there.Close() //nolint:errcheck // it is a pipe
				if q, err := http.ReadRequest(bufio.NewReader(there)); err == nil {
					_, _ = io.Copy(io.Discard, q.Body)
				}
				_, _ = io.WriteString(there, raw)
			}()
			return here, nil
		}}
}
