package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// act is a call with canaries in its params.
type act struct {
	name string
	call func(ctx context.Context, kit *daxpay.Client) error
}

func acting[T any](p param.Request[T]) act {
	return act{
		name: strings.TrimPrefix(fmt.Sprintf("%T", p), "*param."),
		call: func(ctx context.Context, kit *daxpay.Client) error {
			_, err := daxpay.Execute(ctx, kit, p)
			return err
		},
	}
}

func acts() []act {
	return []act{
		acting(&param.PaySyncParam{OrderNo: "P1", BizOrderNo: "B1"}),
		acting(&param.RefundSyncParam{RefundNo: "R1"}),
		acting(&param.AllocSyncParam{AllocNo: "A1"}),
		acting(&param.TransferSyncParam{TransferNo: "T1"}),
		acting(&param.PayParam{
			BizOrderNo: "B1", Title: nameCanary, Description: accountCanary, Attach: tokenCanary, Channel: model.ChannelWeChat,
			Method: model.MethodJSAPI,
			Amount: 1, ExtraParam: param.WeChatPay{OpenID: accountCanary, AuthCode: tokenCanary},
			NotifyURL: "https://shop.example.com/?t=" + tokenCanary,
		}),
		acting(&param.PayCloseParam{OrderNo: "P1"}),
		acting(&param.PayCancelParam{OrderNo: "P1"}),
		acting(&param.RefundParam{BizRefundNo: "BR1", OrderNo: "P1", Amount: 1, Reason: nameCanary,
			ExtraParam: `{"a":"` + accountCanary + `"}`, Attach: tokenCanary}),
		acting(&param.TransferParam{
			BizTransferNo: "BT1", Channel: model.ChannelAli, Amount: 1, Title: nameCanary, PayeeType: model.PayeeAliUserID,
			PayeeAccount: accountCanary, PayeeName: nameCanary, Attach: tokenCanary,
		}),
		acting(&param.AllocStartParam{BizAllocNo: "BA1", OrderNo: "P1", Description: nameCanary, Attach: tokenCanary,
			Receivers: []param.AllocReceiver{{ReceiverNo: accountCanary, Amount: 1}}}),
		acting(&param.AllocFinishParam{AllocNo: "A1"}),
		acting(&param.AllocReceiverAddParam{
			ReceiverNo: "V1", Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID, ReceiverAccount: accountCanary,
			ReceiverName: nameCanary,
			RelationType: model.RelationCustom, RelationName: nameCanary,
		}),
		acting(&param.AllocReceiverRemoveParam{ReceiverNo: "V1"}),
		acting(&param.QueryPayOrderParam{BizOrderNo: "B1"}),
		acting(&param.QueryRefundOrderParam{RefundNo: "R1"}),
		acting(&param.QueryTransferOrderParam{BizTransferNo: "BT1"}),
		acting(&param.QueryAllocOrderParam{AllocNo: "A1"}),
		acting(&param.QueryAllocReceiversParam{ReceiverNo: "V1"}),
		acting(&param.WxAuthURLParam{URL: "https://shop.example.com/?t=" + tokenCanary, State: tokenCanary}),
		acting(&param.WxAccessTokenParam{Code: tokenCanary}),
	}
}

// laden puts canaries into the texts of a message.
var laden = strings.NewReplacer(
	"王小明", nameCanary, "店主", nameCanary, `张\n三 Brown`, nameCanary, "会员", nameCanary, "工资", nameCanary, "佣金", nameCanary,
	`"2088"`, `"`+accountCanary+`"`, `"1900000109"`, `"`+accountCanary+`"`, "80_token", tokenCanary, "oUpF8", tokenCanary,
	"x=1", tokenCanary,
	`"futureText":`, `"payeeName2":"`+nameCanary+`","payeeAccount2":"`+accountCanary+`","accessToken2":"`+tokenCanary+`","futureText":`,
)

// canarian is the message of a kind with canaries in it; edit changes its members before it is signed, spoil after
// that.
func (s *scene) canarian(k *message.Kind, edit, spoil func(string) string) []byte {
	members := laden.Replace(k.Members())
	if edit != nil {
		members = edit(members)
	}
	object, err := peer.Parse([]byte("{" + members + "}"))
	if err != nil {
		panic("canarian: " + err.Error()) // a mistake in this package
	}
	sign := peer.Sign(object, peer.HMACSHA256, secretCanary, message.Zone)
	s.signatures = append(s.signatures, sign)
	body := k.Wrap("{" + strings.Replace(members, message.SignMark, sign, 1) + "}")
	if spoil != nil {
		body = spoil(body)
	}
	return []byte(body)
}

func kindNamed(name string) *message.Kind {
	for _, k := range message.Kinds() {
		if k.Name == name {
			return &k
		}
	}
	panic("no kind of message is called " + name) // a mistake in this package
}

// failing wraps an error for printing; nothing if there is none.
func failing(err error) []any {
	if err == nil {
		return nil
	}
	return []any{err}
}

func replacing(old, replacement string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, replacement, 1) }
}

func ordeals() []ordeal {
	var all []ordeal
	for _, a := range acts() {
		all = append(all, transportOrdeals(a)...)
		all = append(all, answerOrdeals(a)...)
	}
	all = append(all, rawOrdeals()...)
	all = append(all, noticeOrdeals()...)
	all = append(all, doctorOrdeals()...)
	all = append(all, paramOrdeals()...)
	all = append(all, configOrdeals()...)
	return append(all, valueOrdeals()...)
}

// transportOrdeals are the ways in which no answer comes.
func transportOrdeals(a act) []ordeal {
	dns := &net.DNSError{Err: "no such host", Name: "pay.example.com", IsNotFound: true}
	var all []ordeal
	for name, err := range map[string]error{
		"refused":   &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED},
		"DNS":       &net.OpError{Op: "dial", Net: "tcp", Err: dns},
		"reset":     &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET},
		"authority": x509.UnknownAuthorityError{},
		"EOF":       io.ErrUnexpectedEOF,
		"header":    textproto.ProtocolError("malformed MIME header: " + nameCanary + accountCanary + tokenCanary),
		"URL":       &url.Error{Op: "Post", URL: "https://pay.example.com/?" + tokenCanary, Err: io.ErrUnexpectedEOF},
		"timeout":   context.DeadlineExceeded,
	} {
		all = append(all, ordeal{name: a.name + ": " + name, run: func(s *scene) []any {
			s.Reply = message.Reply{Err: err}
			return failing(a.call(context.Background(), s.Client))
		}})
	}
	return append(all,
		ordeal{name: a.name + ": canceled before", run: func(s *scene) []any {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return failing(a.call(ctx, s.Client))
		}},
		ordeal{name: a.name + ": attempts", run: func(s *scene) []any {
			s.Reply = message.Reply{Err: io.ErrUnexpectedEOF}
			return failing(a.call(context.Background(), s.Client))
		}, configure: func(c *daxpay.Config) { c.Retry = daxpay.Retry{MaxAttempts: 3, BaseDelay: 1, MaxDelay: 1} }},
		ordeal{name: a.name + ": no version has it", run: func(s *scene) []any {
			s.Reply = message.Reply{Status: http.StatusNotFound}
			return failing(a.call(context.Background(), s.Client))
		}, configure: func(c *daxpay.Config) { c.Gateway = daxpay.GatewayV205 }},
	)
}

// answerOrdeals are the ways in which an answer is refused.
func answerOrdeals(a act) []ordeal {
	k := kindNamed(a.name)
	answered := func(name string, edit, spoil func(string) string, status int, said ...string) ordeal {
		return ordeal{name: a.name + ": " + name, said: said, run: func(s *scene) []any {
			s.Reply = message.Reply{Status: status, Body: s.canarian(k, edit, spoil)}
			return failing(a.call(context.Background(), s.Client))
		}}
	}
	whole := func(body string) func(string) string { return func(string) string { return body } }
	everything := nameCanary + " " + accountCanary + " " + tokenCanary + " " + secretCanary
	all := []ordeal{
		answered("forged", nil, replacing(`"resTime":1715500234`, `"resTime":1715500235`), 0),
		answered("unsigned", nil, replacing(`"sign":"`, `"sign":null,"old":"`), 0),
		answered("signature cut", nil, func(body string) string {
			i := strings.Index(body, `"sign":"`) + 8
			return body[:i] + body[i+1:]
		}, 0),
		answered("stale", replacing("1715500234", "1715400000"), nil, 0),
		answered("request sent back", replacing(`"code":0`, `"code":0,"reqTime":1715500234`), nil, 0),
		answered("without resTime", replacing(`"resTime":1715500234,`, ""), nil, 0),
		answered("code of another type", replacing(`"code":0`, `"code":"`+nameCanary+`"`), nil, 0),
		answered("ambiguous", replacing(`"code":0`, `"x":"`+nameCanary+`&code=0","code":0`), nil, 0),
		answered("NUL", replacing(`"code":0`, `"x":"`+nameCanary+`\u0000","code":0`), nil, 0),
		answered("ambiguous name", replacing(`"code":0`, `"`+tokenCanary+`&":"`+nameCanary+`","code":0`), nil, 0),
		answered("twice", nil, replacing(`"code":0,"msg"`, `"payeeName2":"`+nameCanary+`","code":0,"msg"`), 0),
		answered("cut off", nil, func(body string) string { return body[:len(body)-40] }, 0),
		answered("bytes behind", nil, func(body string) string { return body + nameCanary }, 0),
		answered("HTML that shows the request", nil, func(body string) string { return "<html>" + body + everything }, 0),
		answered("502 that shows the request", nil, func(body string) string { return "<html>" + body + everything },
			http.StatusBadGateway),
		answered("404 as JSON", nil, whole(`{"status":404,"path":"`+tokenCanary+`"}`), http.StatusNotFound),
		answered("data as text", nil, whole(`{"code":0,"data":"`+nameCanary+`"}`), 0),
		answered("code as text", nil, whole(`{"code":"`+nameCanary+`","data":null}`), 0),
		answered("business refuses and says what", replacing(`"code":0,"msg":"处理 \"完成\""`, `"code":1,"msg":"`+everything+`"`),
			nil, 0, nameCanary, accountCanary, tokenCanary, secretCanary),
		answered("system error that says what", nil, whole(`{"code":10001,"msg":"`+everything+`","data":null}`), 0,
			nameCanary, accountCanary, tokenCanary, secretCanary),
		answered("signature refused", nil, whole(`{"code":20052,"msg":"验签失败","data":null}`), 0),
		answered("time refused", nil, whole(`{"code":10006,"msg":"请求时间已过期","data":null}`), 0),
		answered("members of another type", func(members string) string {
			return strings.ReplaceAll(members, `"`+nameCanary+`"`, `["`+nameCanary+`"]`) + `,"orderNo2":1`
		}, replacing(`"code":0,"data"`, `"code":0,"x":"`+nameCanary+`","data2":0,"data"`), http.StatusInternalServerError),
	}
	redirected := ordeal{name: a.name + ": redirected", run: func(s *scene) []any {
		s.Reply = message.Reply{Status: http.StatusTemporaryRedirect,
			Header: http.Header{"Location": {"https://evil.example/?" + tokenCanary}}}
		return failing(a.call(context.Background(), s.Client))
	}}
	// A call that succeeds leaves log lines and observations, too; the result is the caller's.
	succeeded := ordeal{name: a.name + ": succeeded", run: func(s *scene) []any {
		s.Reply = message.Reply{Body: s.canarian(k, nil, nil)}
		if err := a.call(context.Background(), s.Client); err != nil {
			return nil
		}
		return []any{s.Client}
	}}
	// GatewayAuto tells what each encoding was refused with.
	automatic := ordeal{
		name: a.name + ": every encoding refused", configure: func(c *daxpay.Config) { c.Gateway = daxpay.GatewayAuto },
		run: func(s *scene) []any {
			s.Reply = message.Reply{Body: []byte(`{"code":20052,"msg":"验签失败","data":null}`)}
			return failing(a.call(context.Background(), s.Client))
		},
	}
	return append(all, redirected, succeeded, automatic)
}

// rawOrdeals go through net/http, whose errors quote what the other side sent.
func rawOrdeals() []ordeal {
	everything := nameCanary + accountCanary + tokenCanary
	var all []ordeal
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
		for _, a := range []act{acts()[8], acts()[19]} {
			all = append(all, ordeal{name: a.name + ": " + name, run: func(s *scene) []any {
				return failing(a.call(context.Background(), s.Client))
			}, configure: func(c *daxpay.Config) { c.HTTPClient = &http.Client{Transport: speaking(raw)} }})
		}
	}
	return all
}

// speaking is a transport that reads a request and gets raw bytes back.
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

// noticeOrdeals are the ways in which a notice is refused or not acknowledged.
func noticeOrdeals() []ordeal {
	edits := map[string]func(string) string{
		"without code": replacing(`"code":0,`, ""), "a failure": replacing(`"code":0`, `"code":1`),
		"code of another type":   replacing(`"code":0`, `"code":"`+nameCanary+`"`),
		"request":                replacing(`"code":0`, `"code":0,"reqTime":1`),
		"ambiguous":              replacing(`"code":0`, `"x":"`+nameCanary+`&code=0","code":0`),
		"NUL":                    replacing(`"code":0`, `"x":"`+nameCanary+`\u0000","code":0`),
		"of a query":             replacing(`"attach":`, `"attached":`),
		"no amount":              replacing(`"amount":`, `"old":`),
		"amount of another type": replacing(`"amount":`, `"amount":"`+accountCanary+`","old":`),
		"two kinds": replacing(`"code":0`,
			`"refundNo":"`+tokenCanary+`","bizAllocNo":"`+tokenCanary+`","code":0`),
	}
	spoils := map[string]func(string) string{
		"forged": replacing("1715500234", "1715500235"), "unsigned": replacing(`"sign":"`, `"sign":null,"old":"`),
		"cut off":      func(body string) string { return body[:len(body)-5] },
		"bytes behind": func(body string) string { return body + nameCanary },
		"twice":        replacing(`"code":0`, `"payeeName2":"`+nameCanary+`","code":0`),
		"not JSON":     func(string) string { return nameCanary + accountCanary + tokenCanary },
	}
	var all []ordeal
	for _, name := range []string{"PayNotice", "RefundNotice", "AllocNotice"} {
		k := kindNamed(name)
		refused := func(what string, edit, spoil func(string) string) {
			if what == "two kinds" && name != "PayNotice" {
				return // a member of it would be there already
			}
			all = append(all, ordeal{name: name + ": " + what, run: func(s *scene) []any {
				body := s.canarian(k, edit, spoil)
				_, err := s.Client.ParseNotice(body)
				if err == nil {
					return nil
				}
				return append(failing(err), s.deliver(body, nil, nil)...)
			}})
		}
		for what, edit := range edits {
			refused(what, edit, nil)
		}
		for what, spoil := range spoils {
			refused(what, nil, spoil)
		}
		for what, callback := range map[string]func() error{
			"panic":          func() error { panic(nameCanary + accountCanary + tokenCanary + secretCanary) },
			"panic of error": func() error { panic(errors.New(nameCanary + secretCanary)) },
			"panic of map":   func() error { panic(map[string]string{accountCanary: tokenCanary}) },
			"fails":          func() error { return errCallbackDown },
		} {
			all = append(all, ordeal{name: name + ": the callback: " + what, run: func(s *scene) []any {
				return s.deliver(s.canarian(k, nil, nil), callback, nil)
			}})
		}
		all = append(all,
			ordeal{name: name + ": no callback",
				run: func(s *scene) []any { return s.deliver(s.canarian(k, nil, nil), nil, nil) }},
			ordeal{name: name + ": the store fails", run: func(s *scene) []any {
				return s.deliver(s.canarian(k, nil, nil), func() error { return nil }, failingStore{})
			}},
			ordeal{name: name + ": another order", run: func(s *scene) []any {
				n, err := s.Client.ParseNotice(s.canarian(k, nil, nil))
				if err != nil {
					return nil
				}
				return failing(daxpay.Expect{BizOrderNo: "other" + accountCanary, Amount: 1}.Check(n))
			}},
			ordeal{name: name + ": too old",
				configure: func(c *daxpay.Config) { c.Now = func() time.Time { return message.Now().Add(48 * time.Hour) } },
				run: func(s *scene) []any {
					return s.deliver(s.canarian(k, nil, nil), func() error { return nil }, nil)
				}},
		)
	}
	return all
}

// deliver posts a body to the handler and returns what it reports.
func (s *scene) deliver(body []byte, callback func() error, store daxpay.OnceStore) []any {
	var reported []any
	handlers := daxpay.NoticeHandlers{
		Store: store, MaxAge: 25 * time.Hour,
		OnError: func(_ context.Context, err error) { reported = append(reported, err) },
	}
	if callback != nil {
		handlers.Pay = func(context.Context, *model.PayNotice) error { return callback() }
		handlers.Refund = func(context.Context, *model.RefundNotice) error { return callback() }
		handlers.Alloc = func(context.Context, *model.AllocNotice) error { return callback() }
	}
	handler := s.Client.NoticeHandler(handlers)
	w := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/notify",
		strings.NewReader(string(body)))
	handler.ServeHTTP(w, request)
	if len(reported) == 0 {
		return nil
	}
	return append(reported, w.Body.String(), fmt.Sprint(w.Header()), handler)
}

type failingStore struct{}

func (failingStore) Claim(context.Context, string, string, time.Duration) (daxpay.ClaimState, error) {
	return 0, errCallbackDown
}
func (failingStore) Done(context.Context, string, string, time.Duration) error {
	return errCallbackDown
}
func (failingStore) Release(context.Context, string, string) error { return errCallbackDown }
func (failingStore) Forget(context.Context, string) error          { return errCallbackDown }

// doctorOrdeals are what Doctor can find.
func doctorOrdeals() []ordeal {
	report := func(name string, reply func(s *scene) message.Reply, said ...string) ordeal {
		return ordeal{name: "Doctor: " + name, said: said, run: func(s *scene) []any {
			s.Reply = reply(s)
			r := s.Client.Doctor(context.Background())
			return []any{r, *r, r.String(), r.Findings}
		}}
	}
	body := func(b string) func(*scene) message.Reply {
		return func(*scene) message.Reply { return message.Reply{Body: []byte(b)} }
	}
	spoiled := func(spoil func(string) string) func(*scene) message.Reply {
		return func(s *scene) message.Reply {
			return message.Reply{Body: s.canarian(kindNamed("QueryPayOrderParam"),
				replacing(`"bizOrderNo":"B1"`, `"bizOrderNo":null`), spoil)}
		}
	}
	return []ordeal{
		report("unreachable", func(*scene) message.Reply { return message.Reply{Err: syscall.ECONNREFUSED} }),
		report("bad gateway", func(*scene) message.Reply {
			return message.Reply{Status: http.StatusBadGateway, Body: []byte(nameCanary)}
		}),
		report("forbidden", func(*scene) message.Reply {
			return message.Reply{Status: http.StatusForbidden, Body: []byte(nameCanary)}
		}),
		report("not found", func(*scene) message.Reply {
			return message.Reply{Status: http.StatusNotFound, Body: []byte(nameCanary)}
		}),
		report("HTML", body("<html>"+nameCanary+accountCanary+tokenCanary)),
		report("signature refused", body(`{"code":20052,"msg":"验签失败"}`)),
		report("time refused", body(`{"code":10006,"msg":"请求时间已过期"}`)),
		report("an error that says what", body(`{"code":10001,"msg":"`+nameCanary+secretCanary+`"}`), nameCanary,
			secretCanary),
		report("signed with the secret", spoiled(nil)),
		report("forged", spoiled(replacing("1715500234", "1715500235"))),
		report("unsigned", spoiled(replacing(`"sign":"`, `"sign":null,"old":"`))),
		report("signature in upper case", spoiled(func(b string) string {
			i := strings.Index(b, `"sign":"`) + 8
			return b[:i] + strings.ToUpper(b[i:i+64]) + b[i+64:]
		})),
	}
}

// paramOrdeals are params that cannot be sent.
func paramOrdeals() []ordeal {
	long := func(s string) string { return strings.Repeat(s, 300) }
	transfer := func(change func(*param.TransferParam)) act {
		p := &param.TransferParam{BizTransferNo: "BT1", Channel: model.ChannelAli, Amount: 1, PayeeAccount: accountCanary,
			PayeeName: nameCanary, Attach: tokenCanary}
		change(p)
		return acting(p)
	}
	pay := func(change func(*param.PayParam)) act {
		p := &param.PayParam{BizOrderNo: "B1", Title: nameCanary, Channel: model.ChannelAli, Method: model.MethodQRCode,
			Amount: 1, Attach: tokenCanary}
		change(p)
		return acting(p)
	}
	var all []ordeal
	for name, a := range map[string]act{
		"payee's name too long":       transfer(func(p *param.TransferParam) { p.PayeeName = long(nameCanary) }),
		"payee's name with NUL":       transfer(func(p *param.TransferParam) { p.PayeeName += "\x00" }),
		"payee's name not UTF-8":      transfer(func(p *param.TransferParam) { p.PayeeName += "\xff" }),
		"payee's name ambiguous":      transfer(func(p *param.TransferParam) { p.PayeeName += "&status=success" }),
		"payee's account too long":    transfer(func(p *param.TransferParam) { p.PayeeAccount = long(accountCanary) }),
		"payee's account with quotes": transfer(func(p *param.TransferParam) { p.PayeeAccount += `"` }),
		"payee's account with blanks": transfer(func(p *param.TransferParam) { p.PayeeAccount += " " }),
		"payee's type": transfer(func(p *param.TransferParam) {
			p.PayeeType = model.PayeeType(long(accountCanary))
		}),
		"no amount":       transfer(func(p *param.TransferParam) { p.Amount = 0 }),
		"no number":       transfer(func(p *param.TransferParam) { p.BizTransferNo = "" }),
		"attach too long": transfer(func(p *param.TransferParam) { p.Attach = long(tokenCanary) }),
		"clientIp":        transfer(func(p *param.TransferParam) { p.ClientIP = accountCanary }),
		"nonce too long":  transfer(func(p *param.TransferParam) { p.NonceStr = long(tokenCanary) }),
		"time":            transfer(func(p *param.TransferParam) { p.ReqTime = time.Unix(1, 0) }),
		"title ambiguous": pay(func(p *param.PayParam) { p.Title += "&amount=1" }),
		"extra is no JSON": pay(func(p *param.PayParam) {
			p.ExtraParam = param.ExtraJSON(`{"openId":"` +
				accountCanary)
		}),
		"extra is null": pay(func(p *param.PayParam) { p.ExtraParam = param.ExtraJSON("null") }),
		"extra with NUL": pay(func(p *param.PayParam) {
			p.ExtraParam = param.ExtraJSON(`{"openId":"` +
				accountCanary + `\u0000"}`)
		}),
		"extra not UTF-8": pay(func(p *param.PayParam) {
			p.ExtraParam = param.WeChatPay{OpenID: accountCanary +
				"\xff"}
		}),
		"open ID with quotes": pay(func(p *param.PayParam) {
			p.ExtraParam = param.WeChatPay{OpenID: accountCanary +
				`"`}
		}),
		"notify URL too long": pay(func(p *param.PayParam) { p.NotifyURL = "https://x/" + long(tokenCanary) }),
		"code too long":       acting(&param.WxAccessTokenParam{Code: long(tokenCanary)}),
		"code with control":   acting(&param.WxAccessTokenParam{Code: tokenCanary + "\n"}),
		"state too long":      acting(&param.WxAuthURLParam{URL: "https://x/", State: long(tokenCanary)}),
		"receiver's name too long": acting(&param.AllocReceiverAddParam{ReceiverName: long(nameCanary),
			ReceiverAccount: accountCanary}),
		"share without amount": acting(&param.AllocStartParam{BizAllocNo: "BA1", OrderNo: "P1",
			Receivers: []param.AllocReceiver{{ReceiverNo: accountCanary + `"`}}}),
		"refund reason ambiguous": acting(&param.RefundParam{BizRefundNo: "BR1", OrderNo: "P1", Amount: 1,
			Reason: nameCanary + "&status=success"}),
		"refund extra not UTF-8": acting(&param.RefundParam{BizRefundNo: "BR1", OrderNo: "P1", Amount: 1,
			ExtraParam: tokenCanary + "\xff"}),
	} {
		all = append(all, ordeal{name: "param: " + name,
			run: func(s *scene) []any { return failing(a.call(context.Background(), s.Client)) }})
	}
	return all
}

// configOrdeals are configurations that cannot work, some with a secret where none belongs.
func configOrdeals() []ordeal {
	var all []ordeal
	for name, change := range map[string]func(*daxpay.Config){
		"URL with password": func(c *daxpay.Config) {
			c.ServiceURL = "https://user:" + secretCanary +
				"@pay.example.com"
		},
		"URL with query":    func(c *daxpay.Config) { c.ServiceURL = "https://pay.example.com/?key=" + secretCanary },
		"URL with fragment": func(c *daxpay.Config) { c.ServiceURL = "https://pay.example.com/#" + secretCanary },
		"URL that is none": func(c *daxpay.Config) {
			c.ServiceURL = "https://user:" + secretCanary +
				"%zz@pay.example.com"
		},
		"URL without host":      func(c *daxpay.Config) { c.ServiceURL = "https://" },
		"secret not UTF-8":      func(c *daxpay.Config) { c.SignSecret += "\xff" },
		"secret twice":          func(c *daxpay.Config) { c.PreviousSecrets = []string{secretCanary} },
		"previous twice":        func(c *daxpay.Config) { c.PreviousSecrets = []string{previousCanary, previousCanary} },
		"previous not UTF-8":    func(c *daxpay.Config) { c.PreviousSecrets = []string{previousCanary + "\xff"} },
		"previous empty":        func(c *daxpay.Config) { c.PreviousSecrets = []string{previousCanary, " "} },
		"algorithm unknown":     func(c *daxpay.Config) { c.SignType = "SHA1" },
		"version unknown":       func(c *daxpay.Config) { c.Gateway = "3.0" },
		"client IP":             func(c *daxpay.Config) { c.ClientIP = "x" },
		"limits":                func(c *daxpay.Config) { c.Timeout, c.MaxDepth, c.MaxAnswerSize = -1, -1, -1 },
		"secret as algorithm":   func(c *daxpay.Config) { c.SignType, c.SignSecret = secretCanary, "HMAC_SHA256" },
		"secret as version":     func(c *daxpay.Config) { c.Gateway = secretCanary },
		"secret as client IP":   func(c *daxpay.Config) { c.ClientIP = secretCanary },
		"secret as service URL": func(c *daxpay.Config) { c.ServiceURL = secretCanary },
	} {
		all = append(all, ordeal{name: "config: " + name, run: func(*scene) []any {
			c := daxpay.Config{ServiceURL: "https://pay.example.com", SignSecret: secretCanary,
				PreviousSecrets: []string{previousCanary}}
			change(&c)
			_, err := daxpay.New(c)
			values := failing(err)
			// Where a secret stands in a field that is for something else, the Config itself shows it: it cannot know.
			if !strings.HasPrefix(name, "secret as") && len(values) > 0 {
				values = append(values, c, &c)
			}
			return values
		}})
	}
	return append(all, ordeal{name: "config: secret and algorithm exchanged", run: func(*scene) []any {
		_, err := daxpay.NewSigner(secretCanary, "HMAC_SHA256")
		return failing(err)
	}})
}

// valueOrdeals print what is exported and knows a secret.
func valueOrdeals() []ordeal {
	config := daxpay.Config{ServiceURL: "https://pay.example.com", SignSecret: secretCanary,
		PreviousSecrets: []string{previousCanary}}
	value := func(name string, of func(s *scene) []any) ordeal { return ordeal{name: "value: " + name, run: of} }
	return []ordeal{
		value("Config", func(*scene) []any {
			return []any{config, &config, []daxpay.Config{config}, map[string]*daxpay.Config{"c": &config}}
		}),
		value("Client", func(s *scene) []any {
			return []any{s.Client, *s.Client, []daxpay.Client{*s.Client},
				daxpay.Client{}}
		}),
		value("Signer", func(*scene) []any {
			signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secretCanary)
			if err != nil {
				return nil
			}
			_, read := signer.Sign([]byte(`{"payeeName":"` + nameCanary))
			wrong := signer.Verify([]byte(`{"payeeName":"` + nameCanary + `","sign":"` + tokenCanary + `"}`))
			return []any{signer, *signer, []daxpay.Signer{*signer}, signer.In(time.UTC), read, wrong}
		}),
		value("NoticeHandler", func(s *scene) []any { return []any{s.Client.NoticeHandler(daxpay.NoticeHandlers{})} }),
		value("zero values", func(*scene) []any {
			_, err := (&daxpay.Client{}).ParseNotice([]byte(nameCanary))
			return []any{daxpay.Config{}, daxpay.Signer{}, &daxpay.SignError{}, err}
		}),
	}
}
