package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// noticeFailures are the ways in which a notice is refused or not acknowledged.
func noticeFailures() []failure {
	var all []failure
	for _, k := range message.Kinds() {
		if k.IsNotice() {
			all = append(all, slices.Concat(refusedNotices(&k), failedCallbacks(&k), failedHandlers(&k))...)
		}
	}
	return all
}

// noticeEdits change a notice before it is signed, noticeSpoils after that.
func noticeEdits() map[string]func(string) string {
	return map[string]func(string) string{
		"without code": replacing(`"code":0,`, ""), "a failure": replacing(`"code":0`, `"code":1`),
		"code of another type":   replacing(`"code":0`, `"code":"`+nameMark+`"`),
		"request":                replacing(`"code":0`, `"code":0,"reqTime":1`),
		"ambiguous":              replacing(`"code":0`, `"x":"`+nameMark+`&code=0","code":0`),
		"NUL":                    replacing(`"code":0`, `"x":"`+nameMark+`\u0000","code":0`),
		"of a query":             replacing(`"attach":`, `"attached":`),
		"no amount":              replacing(`"amount":`, `"old":`),
		"amount of another type": replacing(`"amount":`, `"amount":"`+accountMark+`","old":`),
		"two kinds":              replacing(`"code":0`, `"refundNo":"`+tokenMark+`","bizAllocNo":"`+tokenMark+`","code":0`),
	}
}

func noticeSpoils() map[string]func(string) string {
	return map[string]func(string) string{
		"forged": replacing("1715500234", "1715500235"), "unsigned": replacing(`"sign":"`, `"sign":null,"old":"`),
		"cut off":      func(body string) string { return body[:len(body)-5] },
		"bytes behind": func(body string) string { return body + nameMark },
		"twice":        replacing(`"code":0`, `"payeeName2":"`+nameMark+`","code":0`),
		"not JSON":     whole(nameMark + accountMark + tokenMark),
	}
}

func refusedNotices(k *message.Kind) []failure {
	var all []failure
	add := func(what string, edit, spoil func(string) string) {
		all = append(all, failure{name: k.Name + ": " + what, run: func(s *scenario) []any {
			body := s.marked(k, edit, spoil)
			_, err := s.Client.ParseNotice(body)
			if err == nil {
				return nil
			}
			return append(failing(err), s.deliver(body, nil, nil)...)
		}})
	}
	for what, edit := range noticeEdits() {
		if what != "two kinds" || k.Name == "PayNotice" { // other kinds have such a member already
			add(what, edit, nil)
		}
	}
	for what, spoil := range noticeSpoils() {
		add(what, nil, spoil)
	}
	return all
}

func failedCallbacks(k *message.Kind) []failure {
	var all []failure
	for what, callback := range map[string]func() error{
		"panic":          func() error { panic(nameMark + accountMark + tokenMark + secretMark) },
		"panic of error": func() error { panic(errors.New(nameMark + secretMark)) },
		"panic of map":   func() error { panic(map[string]string{accountMark: tokenMark}) },
		"fails":          func() error { return errCallbackDown },
	} {
		all = append(all, failure{name: k.Name + ": the callback: " + what, run: func(s *scenario) []any {
			return s.deliver(s.marked(k, nil, nil), callback, nil)
		}})
	}
	return all
}

func failedHandlers(k *message.Kind) []failure {
	return []failure{
		{name: k.Name + ": no callback",
			run: func(s *scenario) []any { return s.deliver(s.marked(k, nil, nil), nil, nil) }},
		{name: k.Name + ": the store fails", run: func(s *scenario) []any {
			return s.deliver(s.marked(k, nil, nil), func() error { return nil }, failingStore{})
		}},
		{name: k.Name + ": another order", run: func(s *scenario) []any {
			n, err := s.Client.ParseNotice(s.marked(k, nil, nil))
			if err != nil {
				return nil
			}
			return failing(daxpay.Expect{BizOrderNo: "other" + accountMark, Amount: 1}.Check(n))
		}},
		{name: k.Name + ": too old",
			configure: func(c *daxpay.Config) { c.Now = func() time.Time { return message.Now().Add(48 * time.Hour) } },
			run: func(s *scenario) []any {
				return s.deliver(s.marked(k, nil, nil), func() error { return nil }, nil)
			}},
	}
}

// deliver posts a body to the handler and returns what it reports.
func (s *scenario) deliver(body []byte, callback func() error, store daxpay.OnceStore) []any {
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
