//go:build go1.25

package daxpay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// lineFault is a fault of the line for one request.
type lineFault int

const (
	lost       lineFault = iota + 1 // the request does not arrive
	answerLost                      // it arrives, and the answer does not
	neverSent                       // there was no connection
	badGateway                      // a proxy gives up after the request has arrived
	slow                            // the gateway works on it for 5 seconds, under the lock
	slower                          // it works for 14 seconds, of which the lock lasts 10
)

// line is a transport to a gateway in this process, with a list of faults for each path.
type line struct {
	gateway *daxpaytest.Gateway

	mu      sync.Mutex
	faults  map[string][]lineFault
	arrived int // requests to pay
	twice   int // of these, bar codes for what the channel has been paid for
}

// arrives counts a request to pay.
func (l *line) arrives(body []byte) {
	var sent struct{ BizOrderNo, Method string }
	if json.Unmarshal(body, &sent) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived++
	if has, ok := l.gateway.Payment(sent.BizOrderNo); ok && has.Status == model.PaySyncSuccess &&
		sent.Method == string(model.MethodBarCode) {
		l.twice++
	}
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	fault := lineFault(0)
	if list := l.faults[r.URL.Path]; len(list) > 0 {
		fault, l.faults[r.URL.Path] = list[0], list[1:]
	}
	l.mu.Unlock()
	switch fault {
	case lost:
		return nil, errReset
	case neverSent:
		httptrace.ContextClientTrace(r.Context()).GetConn(r.URL.Host)
		return nil, errReset
	}
	if r.URL.Path == payPath {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		l.arrives(body)
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := inProcess{l.gateway}.RoundTrip(r)
	switch fault {
	case slow:
		l.lock(5 * time.Second)
		<-time.After(5 * time.Second)
	case slower:
		l.lock(10 * time.Second)
		<-time.After(14 * time.Second)
	case answerLost:
		return nil, errReset
	case badGateway:
		return &http.Response{
			StatusCode: http.StatusBadGateway, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("<html>")),
		}, nil
	}
	return res, err
}

// lock holds the locks of the orders of these tests for d.
func (l *line) lock(d time.Duration) {
	for _, no := range []string{"A1", "R1"} {
		l.gateway.Lock(no)
		time.AfterFunc(d, func() { l.gateway.Unlock(no) })
	}
}

// desk is a shop that resumes payments, and its gateway, in a synctest bubble.
type desk struct {
	*testing.T
	gw    *daxpaytest.Gateway
	kit   *daxpay.Client
	line  *line
	start time.Time
}

const (
	payPath    = "/unipay/pay"
	refundPath = "/unipay/refund"
)

func atDesk(t *testing.T, version daxpay.GatewayVersion, play func(ctx context.Context, s *desk)) {
	t.Helper()
	gw := daxpaytest.Start(
		t, daxpaytest.WithVersion(version), daxpaytest.WithClock(time.Now), daxpaytest.WithoutNotices(),
	)
	synctest.Test(t, func(t *testing.T) {
		s := &desk{T: t, gw: gw, start: time.Now(), line: &line{gateway: gw, faults: make(map[string][]lineFault)}}
		config := gw.Config()
		config.HTTPClient = &http.Client{Transport: s.line}
		var err error
		s.kit, err = daxpay.New(config)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		play(ctx, s)
	})
}

// onEveryVersion runs plays with each of the versions.
func onEveryVersion(t *testing.T, plays map[string]func(ctx context.Context, s *desk),
	versions ...daxpay.GatewayVersion) {
	t.Helper()
	for name, play := range plays {
		for _, version := range versions {
			t.Run(name+" "+string(version), func(t *testing.T) { atDesk(t, version, play) })
		}
	}
}

// sent counts the requests to a path that arrived.
func (s *desk) sent(path string) int {
	n := 0
	for _, r := range s.gw.Requests() {
		if r.Path == path {
			n++
		}
	}
	return n
}

func (s *desk) took() time.Duration { return time.Since(s.start) }

func (s *desk) isOpen(state *daxpay.PayState, err error) {
	s.Helper()
	require.NoError(s, err)
	require.Equal(s, model.Open, state.Standing())
	require.NotEmpty(s, state.PayBody)
	require.Len(s, state.TraceID, 12)
}

func (s *desk) stands(want model.Standing, state *daxpay.PayState, err error) {
	s.Helper()
	require.NoError(s, err)
	require.Equal(s, want, state.Standing())
	require.Empty(s, state.PayBody)
	require.Len(s, state.TraceID, 12)
}

// twice makes a call, and a second one a second later. Both must return the same order.
func (s *desk) twice(call func() string) {
	s.Helper()
	first := make(chan string, 1)
	go func() { first <- call() }()
	<-time.After(time.Second)
	require.Equal(s, call(), <-first)
}

func tea(no string) *param.PayParam {
	return &param.PayParam{
		BizOrderNo: no, Title: "tea", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 100,
		NotifyURL: "https://shop.example.com/notify",
	}
}

func teaByBarCode() *param.PayParam {
	p := tea("A1")
	p.Method, p.ExtraParam = model.MethodBarCode, param.BarCode{AuthCode: "281111111111111111"}
	return p
}

func TestPayOrResume(t *testing.T) {
	onEveryVersion(t, map[string]func(ctx context.Context, s *desk){
		"the first call, and one more": func(ctx context.Context, s *desk) {
			for range 2 {
				state, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
				s.isOpen(state, err)
				require.EqualValues(s, 100, state.Order.Amount)
			}
			require.Equal(s, 2, s.sent(payPath))
			require.Len(s, s.gw.Requests(), 6, "a query before and after tells what the number stands for")
			require.Zero(s, s.took())
		},
		"it is open at another channel": func(ctx context.Context, s *desk) {
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			atWeChat := tea("A1")
			atWeChat.Channel = model.ChannelWeChat
			_, err := s.kit.PayOrResume(ctx, atWeChat, daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrEcho)
			require.ErrorContains(s, err, "channel is another one")
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			require.Equal(s, 1, s.sent(payPath), "the customer can still pay at the first channel")
			s.gw.Channel().Pays("A1")
			s.gw.Channel().Tells("A1")
			state, err := s.kit.PayOrResume(ctx, atWeChat, daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
		},
		"it is paid": func(ctx context.Context, s *desk) {
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			s.gw.Channel().Pays("A1")
			s.gw.Channel().Tells("A1")
			state, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
		},
		"it is paid and given back": func(ctx context.Context, s *desk) {
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			s.gw.Channel().Pays("A1")
			s.gw.Channel().Tells("A1")
			_, err := s.kit.Refund(ctx, &param.RefundParam{BizRefundNo: "R1", BizOrderNo: "A1", Amount: 100})
			require.NoError(s, err)
			state, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
		},
		"it is closed": func(ctx context.Context, s *desk) {
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			_, err := s.kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
			require.NoError(s, err)
			state, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			s.stands(model.Ended, state, err)
		},
		"it is closed, and paid all the same": func(ctx context.Context, s *desk) {
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			_, err := s.kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
			require.NoError(s, err)
			s.gw.Channel().Pays("A1")
			state, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
		},
		"it has expired": func(ctx context.Context, s *desk) {
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			<-time.After(31 * time.Minute)
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			state, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			s.stands(model.Ended, state, err)
		},
		"it has expired, as the param says": func(ctx context.Context, s *desk) {
			<-time.After(700 * 24 * time.Hour) // the bubble starts in 2000; a param may hold no time before 2001
			ctx, end := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
			defer end()
			p := tea("A1")
			p.ExpiredTime = time.Now().Add(10 * time.Minute)
			s.isOpen(s.kit.PayOrResume(ctx, p, daxpay.Wait{}))
			<-time.After(12 * time.Minute)
			begun := time.Now()
			state, err := s.kit.PayOrResume(ctx, p, daxpay.Wait{})
			s.stands(model.Ended, state, err)
			require.Less(s, time.Since(begun), 5*time.Second)
			require.Equal(s, 1, s.sent(payPath))
			s.gw.Channel().Pays("A1")
			<-time.After(20 * time.Second) // the lock of the repair
			state, err = s.kit.PayOrResume(ctx, p, daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
			p.BizOrderNo = "A2"
			_, err = s.kit.PayOrResume(ctx, p, daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrParam)
			require.ErrorContains(s, err, "ExpiredTime")
			p.BizOrderNo, p.Amount = "A1", 99
			_, err = s.kit.PayOrResume(ctx, p, daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrEcho)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
		},
		"it expires while it is looked for": func(ctx context.Context, s *desk) {
			<-time.After(700 * 24 * time.Hour) // see above
			ctx, end := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
			defer end()
			p := tea("A1")
			p.ExpiredTime = time.Now().Add(10 * time.Minute)
			s.isOpen(s.kit.PayOrResume(ctx, p, daxpay.Wait{}))
			s.gw.Channel().Pays("A1")
			<-time.After(time.Until(p.ExpiredTime.Add(58 * time.Second)))
			for _, path := range []string{"/unipay/query/payOrder", "/uni/query/payOrder"} {
				s.line.faults[path] = []lineFault{slow}
			}
			state, err := s.kit.PayOrResume(ctx, p, daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
			require.Equal(s, 1, s.sent(payPath))
		},
		"it expires while another call holds the lock": func(ctx context.Context, s *desk) {
			<-time.After(700 * 24 * time.Hour)
			ctx, end := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
			defer end()
			p := tea("A1")
			p.ExpiredTime = time.Now()
			<-time.After(55 * time.Second)
			s.gw.Lock("A1")
			_, err := s.kit.PayOrResume(ctx, p, daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrParam)
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown, "what holds the lock can make the payment")
		},
		"the answer is lost": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = []lineFault{answerLost, badGateway}
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			require.Equal(s, 3, s.sent(payPath))
			require.Less(s, s.took(), 2*time.Second)
		},
		"the answer is lost, and it is paid": func(ctx context.Context, s *desk) {
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			s.gw.Channel().Pays("A1")
			s.gw.Channel().Tells("A1")
			s.line.faults[payPath] = []lineFault{answerLost}
			state, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
		},
		"the request is lost": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = []lineFault{lost, lost}
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			require.Equal(s, 1, s.sent(payPath))
			require.Less(s, s.took(), 2*time.Second, "to prove that it never arrives takes 20")
		},
		"every request is lost": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = slices.Repeat([]lineFault{lost}, 9)
			_, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			require.ErrorIs(s, err, errReset)
			require.Len(s, s.line.faults[payPath], 6, "three sends")
		},
		"there is no connection": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = slices.Repeat([]lineFault{neverSent}, 9)
			_, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			require.ErrorIs(s, err, errReset)
			require.Zero(s, s.sent(payPath))
		},
		"there is no connection after a request was lost": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = append([]lineFault{lost}, slices.Repeat([]lineFault{neverSent}, 9)...)
			_, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
		},
		"the channel refuses it": func(ctx context.Context, s *desk) {
			s.gw.Channel().Refuses(daxpaytest.OpPay, "ACQ.INVALID_PARAMETER", "参数无效")
			_, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			var said *daxpay.AnswerError
			require.ErrorAs(s, err, &said)
			require.Equal(s, "参数无效", said.Msg)
			require.Equal(s, 2, s.sent(payPath), "the reason was the same")
		},
		"the channel fails once": func(ctx context.Context, s *desk) {
			s.gw.Channel().Breaks(daxpaytest.OpPay)
			held := s.gw.Channel().Holds(daxpaytest.OpPay)
			go func() {
				_ = held.Reached(ctx)
				s.gw.Channel().Obeys(daxpaytest.OpPay)
				held.Release()
			}()
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			require.Equal(s, 2, s.sent(payPath))
		},
		"the gateway refuses the call": func(ctx context.Context, s *desk) {
			s.gw.SwitchOff(payPath)
			_, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			var refusal *daxpay.GatewayError
			require.ErrorAs(s, err, &refusal)
			require.Equal(s, 1, s.sent(payPath))
		},
		"another call holds the lock": func(ctx context.Context, s *desk) {
			s.gw.Lock("A1")
			time.AfterFunc(8*time.Second, func() { s.gw.Unlock("A1") })
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			require.InDelta(s, 8, s.took().Seconds(), 2)
			require.LessOrEqual(s, s.sent(payPath), 10)
		},
		"another call holds the lock for too long": func(ctx context.Context, s *desk) {
			s.gw.Lock("A1")
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			_, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			require.ErrorIs(s, err, context.DeadlineExceeded)
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
		},
		"two clicks at once": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = []lineFault{slow}
			s.twice(func() string {
				state, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
				s.isOpen(state, err)
				return state.Order.OrderNo
			})
			require.Less(s, s.took(), 8*time.Second)
		},
		"the first of two clicks takes longer than the lock": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = []lineFault{slower}
			s.twice(func() string {
				state, err := s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
				s.isOpen(state, err)
				return state.Order.OrderNo
			})
			require.Less(s, s.took(), 15*time.Second)
		},
		"the number has another amount": func(ctx context.Context, s *desk) {
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			p := tea("A1")
			p.Amount = 99
			p.NotifyURL = "https://shop.example.com/other"
			for range 2 { // open, then paid
				_, err := s.kit.PayOrResume(ctx, p, daxpay.Wait{Amount: 100})
				require.ErrorIs(s, err, daxpay.ErrEcho)
				require.Regexp(s, traced, err)
				require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
				require.Equal(s, 1, s.sent(payPath), "the gateway would take over the channel and the URL for the other order")
				s.gw.Channel().Pays("A1")
				s.gw.Channel().Tells("A1")
			}
		},
		"the number differs in case": func(ctx context.Context, s *desk) {
			s.isOpen(s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{}))
			_, err := s.kit.PayOrResume(ctx, tea("a1"), daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrEcho)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			require.Equal(s, 1, s.sent(payPath))
		},
		"it was begun from a wallet": func(ctx context.Context, s *desk) {
			p := tea("A1")
			p.Channel, p.Method, p.ExtraParam = model.ChannelWallet, model.MethodNormal, param.WalletPay{UserID: "u1"}
			_, err := s.kit.Pay(ctx, p)
			require.NoError(s, err)
			_, err = s.kit.PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			var unresolved *daxpay.UnresolvedError
			require.ErrorAs(s, err, &unresolved)
			require.Equal(s, daxpay.UnresolvedWallet, unresolved.Reason)
			require.Len(s, unresolved.TraceID, 12)
			require.Equal(s, 1, s.sent(payPath), "the wallet was charged, and a QR code could be paid besides")
		},
		"a wallet": func(ctx context.Context, s *desk) {
			p := tea("A1")
			p.Channel, p.Method, p.ExtraParam = model.ChannelWallet, model.MethodNormal, param.WalletPay{UserID: "u1"}
			_, err := s.kit.PayOrResume(ctx, p, daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrParam)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			require.ErrorContains(s, err, "wallet_pay")
			require.Empty(s, s.gw.Requests())
		},
		"a param that cannot be sent": func(ctx context.Context, s *desk) {
			for _, p := range []*param.PayParam{nil, {}, {BizOrderNo: "A1", Method: model.MethodBarCode}} {
				_, err := s.kit.PayOrResume(ctx, p, daxpay.Wait{})
				require.ErrorIs(s, err, daxpay.ErrParam)
			}
			_, err := s.kit.PayOrResume(nil, tea("A1"), daxpay.Wait{}) //nolint:staticcheck,contextcheck // that is tested
			require.ErrorIs(s, err, daxpay.ErrParam)
			_, err = (&daxpay.Client{}).PayOrResume(ctx, tea("A1"), daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrConfig)
			require.Empty(s, s.gw.Requests())
		},
		"the caller's param stays as it is": func(ctx context.Context, s *desk) {
			p := tea("A1")
			s.line.faults[payPath] = []lineFault{answerLost}
			s.isOpen(s.kit.PayOrResume(ctx, p, daxpay.Wait{}))
			require.Equal(s, tea("A1"), p)
		},
	}, daxpay.GatewayV206, daxpay.GatewayV207, daxpay.GatewayV208)
}

func TestPayOrResumeByBarCode(t *testing.T) {
	onEveryVersion(t, map[string]func(ctx context.Context, s *desk){
		"paid at once, and called again": func(ctx context.Context, s *desk) {
			for range 2 {
				state, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
				s.stands(model.Succeeded, state, err)
			}
			require.Equal(s, 1, s.sent(payPath))
			require.Zero(s, s.took())
		},
		"the customer confirms": func(ctx context.Context, s *desk) {
			s.gw.Channel().Takes(daxpaytest.OpPay)
			for range 2 {
				state, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
				s.stands(model.Open, state, err)
			}
			require.Equal(s, 1, s.sent(payPath))
			require.InDelta(s, 20, s.took().Seconds(), 2)
		},
		"the request is lost": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = []lineFault{lost}
			state, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
			require.Less(s, s.took(), time.Second)
		},
		"the answer is lost": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = []lineFault{answerLost}
			state, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
			require.Equal(s, 1, s.sent(payPath))
		},
		"the channel does it too late to tell": func(ctx context.Context, s *desk) {
			s.gw.Channel().TimesOut(daxpaytest.OpPay)
			state, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
			require.Equal(s, 1, s.sent(payPath), "a sync said that it is paid")
			require.InDelta(s, 20, s.took().Seconds(), 2)
		},
		"the channel has nothing": func(ctx context.Context, s *desk) {
			s.gw.Channel().Breaks(daxpaytest.OpPay)
			time.AfterFunc(5*time.Second, func() { s.gw.Channel().Obeys(daxpaytest.OpPay) })
			state, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
			require.Equal(s, 2, s.sent(payPath))
			require.InDelta(s, 20, s.took().Seconds(), 2)
		},
		"an earlier call's code": func(ctx context.Context, s *desk) {
			s.gw.Channel().Breaks(daxpaytest.OpPay)
			_, err := s.kit.Pay(ctx, teaByBarCode())
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			s.gw.Channel().Obeys(daxpaytest.OpPay)
			state, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{Made: time.Now().Add(-30 * time.Second)})
			s.stands(model.Succeeded, state, err)
			require.LessOrEqual(s, s.took(), 2*time.Second, "it was sent long ago")
		},
		"the time ends before a sync may tell": func(ctx context.Context, s *desk) {
			s.gw.Channel().Breaks(daxpaytest.OpPay)
			for range 2 {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
				defer cancel()
				_, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
				require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
				require.Equal(s, 1, s.sent(payPath))
			}
		},
		"two at once": func(ctx context.Context, s *desk) {
			s.line.faults[payPath] = []lineFault{slower}
			s.twice(func() string {
				state, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
				s.stands(model.Succeeded, state, err)
				return state.Order.OrderNo
			})
			require.Equal(s, 1, s.sent(payPath))
		},
		"the number has another amount": func(ctx context.Context, s *desk) {
			_, err := s.kit.Pay(ctx, teaByBarCode())
			require.NoError(s, err)
			p := teaByBarCode()
			p.Amount = 99
			_, err = s.kit.PayOrResume(ctx, p, daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrEcho)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown, "nothing was sent")
			require.Equal(s, 1, s.sent(payPath))
		},
		"the gateway is not there": func(ctx context.Context, s *desk) {
			for _, path := range []string{"/unipay/query/payOrder", "/uni/query/payOrder"} {
				s.line.faults[path] = slices.Repeat([]lineFault{lost}, 9)
			}
			_, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
			require.ErrorIs(s, err, errReset)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
		},
	}, daxpay.GatewayV206, daxpay.GatewayV207, daxpay.GatewayV208)
	// 2.0.6 does not sign the answer of a query that finds no payment, so a sync must prove it.
	onEveryVersion(t, map[string]func(ctx context.Context, s *desk){
		"the sync is refused": func(ctx context.Context, s *desk) {
			s.gw.SwitchOff("/unipay/syncPay")
			_, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
			var refusal *daxpay.GatewayError
			require.ErrorAs(s, err, &refusal)
			require.Equal(s, daxpay.ReasonNotPermitted, refusal.Reason)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown, "nothing was sent")
			require.Zero(s, s.took())
		},
		"the sync fails for a while": func(ctx context.Context, s *desk) {
			s.line.faults["/unipay/syncPay"] = slices.Repeat([]lineFault{lost, neverSent, badGateway}, 2)
			state, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
			s.stands(model.Succeeded, state, err)
			require.Equal(s, 1, s.sent(payPath))
		},
		"the sync does not answer": func(ctx context.Context, s *desk) {
			s.line.faults["/unipay/syncPay"] = slices.Repeat([]lineFault{lost}, 99)
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			_, err := s.kit.PayOrResume(ctx, teaByBarCode(), daxpay.Wait{})
			require.ErrorIs(s, err, context.DeadlineExceeded)
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown, "the sync can have closed the payment")
			require.Zero(s, s.sent(payPath))
		},
	}, daxpay.GatewayV206)
}

func TestRefundOrResume(t *testing.T) {
	back := func(no string) *param.RefundParam {
		return &param.RefundParam{BizRefundNo: no, BizOrderNo: "A1", Amount: 30, Reason: "cold"}
	}
	const paidNow = model.PaySyncSuccess
	stands := func(s *desk, want model.Standing, state *daxpay.RefundState, err error) {
		s.Helper()
		require.NoError(s, err)
		require.Equal(s, want, state.Standing())
		require.Len(s, state.TraceID, 12)
	}
	plays := map[string]func(ctx context.Context, s *desk){
		"the first call, and one more": func(ctx context.Context, s *desk) {
			for range 2 {
				state, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
				stands(s, model.Succeeded, state, err)
			}
			require.Equal(s, 1, s.sent(refundPath))
		},
		"the channel does it later": func(ctx context.Context, s *desk) {
			s.gw.Channel().Takes(daxpaytest.OpRefund)
			for range 2 {
				state, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
				stands(s, model.Open, state, err)
			}
			require.Equal(s, 1, s.sent(refundPath))
		},
		"the answer is lost": func(ctx context.Context, s *desk) {
			s.line.faults[refundPath] = []lineFault{answerLost}
			state, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			stands(s, model.Succeeded, state, err)
			require.Equal(s, 1, s.sent(refundPath))
		},
		"the request is lost": func(ctx context.Context, s *desk) {
			s.line.faults[refundPath] = []lineFault{lost, lost}
			state, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			stands(s, model.Succeeded, state, err)
			require.Less(s, s.took(), 2*time.Second)
		},
		"every request is lost": func(ctx context.Context, s *desk) {
			s.line.faults[refundPath] = slices.Repeat([]lineFault{lost}, 9)
			_, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
		},
		"there is no connection": func(ctx context.Context, s *desk) {
			s.line.faults[refundPath] = slices.Repeat([]lineFault{neverSent}, 9)
			_, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			require.ErrorIs(s, err, errReset)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
		},
		"the channel refuses it, then does it": func(ctx context.Context, s *desk) {
			s.gw.Channel().Refuses(daxpaytest.OpRefund, "ACQ.SELLER_BALANCE_NOT_ENOUGH", "卖家余额不足")
			state, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			stands(s, model.Unproved, state, err)
			require.Equal(s, "卖家余额不足", state.Order.ErrorMsg)
			require.Zero(s, s.took())
			s.gw.Channel().Obeys(daxpaytest.OpRefund)

			short, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			state, err = s.kit.RefundOrResume(short, back("R1"), daxpay.Wait{})
			stands(s, model.Unproved, state, err)
			require.Equal(s, 1, s.sent(refundPath), "a sync comes first, and it is too early for that")
			require.Zero(s, s.took())

			state, err = s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			stands(s, model.Succeeded, state, err)
			require.Equal(s, 2, s.sent(refundPath), "the same number")
			require.InDelta(s, 60, s.took().Seconds(), 2)
		},
		"the channel does it too late to tell": func(ctx context.Context, s *desk) {
			s.gw.Channel().TimesOut(daxpaytest.OpRefund)
			state, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			stands(s, model.Unproved, state, err)
			s.gw.Channel().Obeys(daxpaytest.OpRefund)
			state, err = s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{Made: time.Now().Add(-2 * time.Minute)})
			stands(s, model.Succeeded, state, err)
			require.Equal(s, 1, s.sent(refundPath), "the sync found it")
		},
		"it failed, and is refused then": func(ctx context.Context, s *desk) {
			s.gw.Channel().TimesOut(daxpaytest.OpRefund)
			state, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			stands(s, model.Unproved, state, err)
			s.gw.Channel().Breaks(daxpaytest.OpRefundSync)
			long := daxpay.Wait{Made: time.Now().Add(-2 * time.Minute)}
			s.gw.SwitchOff(refundPath)
			_, err = s.kit.RefundOrResume(ctx, back("R1"), long)
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown, "the channel has given the money back")
			var refusal *daxpay.GatewayError
			require.ErrorAs(s, err, &refusal)
			s.gw.SwitchOn(refundPath)
			s.line.faults[refundPath] = slices.Repeat([]lineFault{neverSent}, 9)
			_, err = s.kit.RefundOrResume(ctx, back("R1"), long)
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			require.ErrorIs(s, err, errReset)
		},
		"the gateway has closed it": func(ctx context.Context, s *desk) {
			s.gw.SetRefund(daxpaytest.Refund{BizRefundNo: "R1", BizOrderNo: "A1", Amount: 30, Order: model.RefundClose})
			_, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			var unresolved *daxpay.UnresolvedError
			require.ErrorAs(s, err, &unresolved)
			require.Equal(s, daxpay.UnresolvedClosed, unresolved.Reason)
			require.Zero(s, s.sent(refundPath))
		},
		"another refund is open": func(ctx context.Context, s *desk) {
			s.gw.Channel().Takes(daxpaytest.OpRefund)
			_, err := s.kit.Refund(ctx, back("R0"))
			require.NoError(s, err)
			_, err = s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			var refusal *daxpay.GatewayError
			require.ErrorAs(s, err, &refusal)
			require.True(s, refusal.Business)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
		},
		"another call holds the lock": func(ctx context.Context, s *desk) {
			s.gw.Lock("R1")
			time.AfterFunc(8*time.Second, func() { s.gw.Unlock("R1") })
			state, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			stands(s, model.Succeeded, state, err)
			require.InDelta(s, 8, s.took().Seconds(), 2)
		},
		"two at once": func(ctx context.Context, s *desk) {
			s.line.faults[refundPath] = []lineFault{slower}
			s.twice(func() string {
				state, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
				stands(s, model.Succeeded, state, err)
				return state.Order.RefundNo
			})
			require.Equal(s, 1, s.sent(refundPath))
		},
		"the number is used for something else": func(ctx context.Context, s *desk) {
			_, err := s.kit.Refund(ctx, back("R1"))
			require.NoError(s, err)
			amount, payment, letters := back("R1"), back("R1"), back("r1")
			amount.Amount, payment.BizOrderNo = 29, "A2"
			for _, p := range []*param.RefundParam{amount, payment, letters} {
				_, err := s.kit.RefundOrResume(ctx, p, daxpay.Wait{})
				require.ErrorIs(s, err, daxpay.ErrEcho)
				require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown, "nothing was sent")
			}
			require.Equal(s, 1, s.sent(refundPath))
		},
		"a param that cannot be sent": func(ctx context.Context, s *desk) {
			for _, p := range []*param.RefundParam{nil, {}} {
				_, err := s.kit.RefundOrResume(ctx, p, daxpay.Wait{})
				require.ErrorIs(s, err, daxpay.ErrParam)
			}
			require.Empty(s, s.gw.Requests())
		},
	}
	for name, play := range plays {
		plays[name] = func(ctx context.Context, s *desk) {
			s.gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Amount: 100, Status: paidNow})
			play(ctx, s)
		}
	}
	onEveryVersion(t, plays, daxpay.GatewayV207, daxpay.GatewayV208)
	t.Run("2.0.6 cannot tell", func(t *testing.T) {
		atDesk(t, daxpay.GatewayV206, func(ctx context.Context, s *desk) {
			_, err := s.kit.RefundOrResume(ctx, back("R1"), daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrUnsupported)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			require.Empty(s, s.gw.Requests())
		})
	})
}

// Many concurrent calls resume few numbers over a line that loses requests and answers.
func TestConcurrentResume(t *testing.T) {
	atDesk(t, daxpay.GatewayV208, func(ctx context.Context, s *desk) {
		for range 40 {
			s.line.faults[payPath] = append(s.line.faults[payPath], lost, 0, answerLost, 0)
		}
		numbers := []string{"A1", "A2", "A3"}
		var calls sync.WaitGroup
		var mu sync.Mutex
		orders := make(map[string]map[string]bool)
		for i := range 30 {
			calls.Add(1)
			go func() {
				defer calls.Done()
				no := numbers[i%len(numbers)]
				for {
					state, err := s.kit.PayOrResume(ctx, tea(no), daxpay.Wait{})
					if errors.Is(err, daxpay.ErrOutcomeUnknown) && ctx.Err() == nil {
						continue
					}
					s.isOpen(state, err)
					mu.Lock()
					defer mu.Unlock()
					if orders[no] == nil {
						orders[no] = make(map[string]bool)
					}
					orders[no][state.Order.OrderNo] = true
					return
				}
			}()
		}
		calls.Wait()
		for _, no := range numbers {
			require.Len(s, orders[no], 1, no)
		}
	})
}

// A shop resumes 500 orders while a third of its requests or answers are lost. Its customers click twice, pay, or pay
// late, and the channel fails. What PayOrResume reports must agree with the channel.
func TestResumeForManyOrders(t *testing.T) {
	const orders = 500
	for _, version := range []daxpay.GatewayVersion{daxpay.GatewayV206, daxpay.GatewayV207, daxpay.GatewayV208} {
		t.Run(string(version), func(t *testing.T) {
			atDesk(t, version, func(ctx context.Context, s *desk) {
				ctx = context.WithoutCancel(ctx)
				random := rand.New(rand.NewPCG(31, uint64(len(version))))
				counts := make(map[string]int)
				for i := range orders {
					s.order(ctx, random, fmt.Sprintf("N%d", i), counts)
				}
				t.Logf("%d orders: %v", orders, counts)
				require.Zero(t, s.line.twice)
				require.Positive(t, counts["open"])
				require.Positive(t, counts["succeeded"])
				require.Positive(t, counts["ended"])
				require.Positive(t, counts["unknown"])
			})
		})
	}
}

// order plays the life of an order and compares what PayOrResume says with what the channel did.
func (s *desk) order(ctx context.Context, random *rand.Rand, no string, counts map[string]int) {
	s.Helper()
	p := tea(no)
	if random.IntN(3) == 0 {
		p.Method, p.ExtraParam = model.MethodBarCode, param.BarCode{AuthCode: "281111111111111111"}
	}
	channel := s.gw.Channel()
	for range 1 + random.IntN(4) { // clicks
		paths := []string{payPath, "/unipay/query/payOrder", "/uni/query/payOrder", "/unipay/sync/pay", "/unipay/syncPay"}
		for _, path := range paths {
			s.line.faults[path] = nil
			for range 6 {
				fault := lineFault(0)
				if random.IntN(3) == 0 {
					fault = []lineFault{lost, answerLost, neverSent, badGateway}[random.IntN(4)]
				}
				s.line.faults[path] = append(s.line.faults[path], fault)
			}
		}
		switch random.IntN(6) {
		case 0:
			channel.TimesOut(daxpaytest.OpPay)
		case 1:
			channel.Breaks(daxpaytest.OpPay)
		case 2:
			channel.Takes(daxpaytest.OpPay)
		}
		limited, cancel := context.WithTimeout(ctx, time.Duration(5+random.IntN(55))*time.Second)
		before := s.line.arrived
		state, err := s.kit.PayOrResume(limited, p, daxpay.Wait{})
		cancel()
		channel.Obeys(daxpaytest.OpPay)
		truth, exists := s.gw.Payment(no)
		paid := exists && truth.Status == model.PaySyncSuccess
		switch {
		case errors.Is(err, daxpay.ErrOutcomeUnknown):
			counts["unknown"]++
		case err != nil:
			counts["nothing happened"]++
			require.Equal(s, before, s.line.arrived)
		default:
			counts[state.Standing().String()]++
			if standing := state.Standing(); standing != model.Open { // WaitPay follows what is open
				require.Equal(s, paid, standing == model.Succeeded, "%s is called %v", no, standing)
			}
			require.Equal(s, truth.OrderNo, state.Order.OrderNo)
		}
		if !exists {
			continue
		}
		switch random.IntN(5) { // what the customer and the cashier do before the next click
		case 0:
			channel.Pays(no)
		case 1:
			channel.Pays(no)
			channel.Tells(no)
		case 2:
			_, _ = s.kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: no})
		case 3:
			_, _ = s.kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: no})
			channel.Pays(no)
		}
		if truth, _ := s.gw.Payment(no); truth.Status == model.PaySyncSuccess && truth.Order != model.PaySuccess {
			counts["paid, and the gateway does not know"]++
		}
	}
}

// A signed "no such order" lets PayOrResume send. An unsigned one must not: anyone on the line could forge it and hide
// a payment that was begun from a wallet.
func TestPayOrResumeBelievesNoUnsignedAbsence(t *testing.T) {
	for version, want := range map[daxpay.GatewayVersion]bool{
		daxpay.GatewayV206: true, daxpay.GatewayV207: false, daxpay.GatewayV208: false, daxpay.GatewayAuto: false,
	} {
		t.Run(version.String(), func(t *testing.T) {
			kit, transport := mocked(t, daxpay.Config{Gateway: version, Now: at(now)},
				jsonAnswer(`{"code":10010,"msg":"支付订单不存在","data":null,"traceId":"T"}`))
			_, err := kit.PayOrResume(context.Background(), tea("A1"), daxpay.Wait{})
			require.Error(t, err)
			require.Equal(t, want, transport.GetTotalCallCount() > 1, "a Pay followed the query")
		})
	}
}

// PayOrResume begins with a query, which finds no order. That is no reason to wake an operator.
func TestOrderThatIsNotThereYetIsNoWarning(t *testing.T) {
	var lines bytes.Buffer
	gw := daxpaytest.Start(t)
	kit := client(t, gw, func(c *daxpay.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	_, err := kit.PayOrResume(context.Background(), tea("A1"), daxpay.Wait{})
	require.NoError(t, err)
	require.Contains(t, lines.String(), `msg="daxpay call found no order"`)
	require.NotContains(t, lines.String(), "level=WARN")
}
