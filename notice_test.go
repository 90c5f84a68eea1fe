package daxpay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// settled is a gateway with a payment, a refund and an allocation that have ended.
func settled(t *testing.T, options ...daxpaytest.Option) *daxpaytest.Gateway {
	t.Helper()
	gw := daxpaytest.Start(t, options...)
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", BizOrderNo: "B1", Amount: 100, Status: model.PaySyncSuccess,
		Attach: "会员"})
	gw.SetRefund(daxpaytest.Refund{RefundNo: "R1", BizRefundNo: "BR1", OrderNo: "P1", Amount: 40,
		Status: model.RefundSyncSuccess})
	gw.SetAllocation(daxpaytest.Allocation{AllocNo: "A1", BizAllocNo: "BA1", Status: model.AllocEnd,
		Shares: []daxpaytest.Share{{ReceiverNo: "V1", Amount: 60}}})
	return gw
}

func noticeOf(t *testing.T, gw *daxpaytest.Gateway, number string) string {
	t.Helper()
	body, err := gw.Notice(number)
	require.NoError(t, err)
	return string(body)
}

// deliver posts a body to a handler.
func deliver(h http.Handler, body string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/notify",
		strings.NewReader(body)))
	return w.Code, w.Body.String()
}

// heard counts the calls of each callback.
type heard struct {
	pay, refund, alloc atomic.Int32
}

func (h *heard) handlers() daxpay.NoticeHandlers {
	return daxpay.NoticeHandlers{
		Pay:    func(context.Context, *model.PayNotice) error { h.pay.Add(1); return nil },
		Refund: func(context.Context, *model.RefundNotice) error { h.refund.Add(1); return nil },
		Alloc:  func(context.Context, *model.AllocNotice) error { h.alloc.Add(1); return nil },
	}
}

func (h *heard) counts() [3]int32 { return [3]int32{h.pay.Load(), h.refund.Load(), h.alloc.Load()} }

func TestParseNotice(t *testing.T) {
	for _, version := range []daxpay.GatewayVersion{daxpay.GatewayV206, daxpay.GatewayV207, daxpay.GatewayV208} {
		for _, signType := range []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5} {
			gw := settled(t, daxpaytest.WithVersion(version), daxpaytest.WithSignType(signType))
			kit := gw.Client()
			n, err := kit.ParseNotice([]byte(noticeOf(t, gw, "B1")))
			require.NoError(t, err)
			pay, ok := n.(*model.PayNotice)
			require.True(t, ok)
			require.Equal(t, []any{"P1", "B1", int64(100), true, "会员", model.NoticePay},
				[]any{pay.OrderNo, pay.BizOrderNo, pay.Amount, pay.Paid(), pay.Attach, pay.Kind()})

			n, err = kit.ParseNotice([]byte(noticeOf(t, gw, "BR1")))
			require.NoError(t, err)
			refund, ok := n.(*model.RefundNotice)
			require.True(t, ok)
			payment := "P1"
			if version == daxpay.GatewayV206 {
				payment = "" // which does not name it
			}
			require.Equal(t, []any{"R1", "BR1", payment, int64(40), model.RefundSuccess},
				[]any{refund.Number(), refund.BizNumber(), refund.OrderNo, refund.Total(), refund.Status})

			if version == daxpay.GatewayV206 {
				continue // which sends none for allocations
			}
			n, err = kit.ParseNotice([]byte(noticeOf(t, gw, "A1")))
			require.NoError(t, err)
			alloc, ok := n.(*model.AllocNotice)
			require.True(t, ok)
			require.Equal(t, []any{"A1", "BA1", int64(60), "allocation_end", "V1"},
				[]any{alloc.Number(), alloc.BizNumber(), alloc.Total(), alloc.State(), alloc.Details[0].ReceiverNo})
		}
	}
	_, err := (&daxpay.Client{}).ParseNotice(nil)
	require.ErrorIs(t, err, daxpay.ErrConfig)
}

// Decoding puts every member of the gateway's notices into its field. The checks are left out: the vectors hold
// hostile text.
func TestTypedNoticesHoldTheVectors(t *testing.T) {
	types := map[string]any{"PayNoticeResult": model.PayNotice{}, "RefundNoticeResult": model.RefundNotice{},
		"AllocNoticeResult": model.AllocNotice{}}
	for i, v := range readVectors(t, "notices.jsonl") {
		requireHolds(t, types[v.Type], []byte(v.Body), i+1)
	}
}

func TestCapturedRefundNotice(t *testing.T) {
	kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
	found := 0
	for _, v := range readVectors(t, "captured.jsonl") {
		if v.Kind != "notice" {
			continue
		}
		found++
		n, err := kit.ParseNotice([]byte(v.Body))
		if !*v.Verifies {
			require.ErrorIs(t, err, daxpay.ErrSignMismatch)
			continue
		}
		require.NoError(t, err)
		refund, ok := n.(*model.RefundNotice)
		require.True(t, ok)
		require.Equal(t, "DEVR24051621570763000004", refund.RefundNo)
		require.Equal(t, int64(1715867828), refund.FinishTime.Unix())
	}
	require.Equal(t, 2, found)
}

// No message that is forged, altered, reflected, of another kind, ambiguous or oversized reaches a callback.
func TestHostileNotices(t *testing.T) {
	gw := settled(t)
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, daxpaytest.Secret)
	require.NoError(t, err)
	sign := func(members string) string {
		digest, err := signer.Sign([]byte("{" + members + "}"))
		require.NoError(t, err)
		return "{" + members + `,"sign":"` + digest + `"}`
	}
	kit := gw.Client()
	for _, number := range []string{"B1", "BR1", "BA1"} {
		genuine := noticeOf(t, gw, number)
		_, err := kit.ParseNotice([]byte(genuine))
		require.NoError(t, err)
		digest := genuine[strings.Index(genuine, `"sign":"`)+8:][:64]
		for name, tt := range map[string]struct {
			body string
			want error
		}{
			"empty":               {"", daxpay.ErrProtocol},
			"list":                {"[]", daxpay.ErrProtocol},
			"form":                {"a=b&c=d", daxpay.ErrProtocol},
			"trailing bytes":      {genuine + " x", daxpay.ErrProtocol},
			"duplicate":           {genuine[:len(genuine)-1] + `,"status":"success"}`, daxpay.ErrProtocol},
			"duplicate in case":   {genuine[:len(genuine)-1] + `,"Status":"success"}`, daxpay.ErrProtocol},
			"unsigned":            {strings.Replace(genuine, `"sign":"`+digest+`"`, `"sign":null`, 1), daxpay.ErrSignMissing},
			"forged":              {strings.Replace(genuine, digest, strings.Repeat("0", 64), 1), daxpay.ErrSignMismatch},
			"upper case":          {strings.Replace(genuine, digest, strings.ToUpper(digest), 1), daxpay.ErrSignMismatch},
			"altered amount":      {strings.Replace(genuine, `"amount":`, `"amount":1`, 1), daxpay.ErrSignMismatch},
			"altered status":      {strings.Replace(genuine, `"status":"`, `"status":"x`, 1), daxpay.ErrSignMismatch},
			"quote in status":     {strings.Replace(genuine, `"status":"`, `"status":"\"`, 1), daxpay.ErrAmbiguous},
			"backslash in number": {strings.Replace(genuine, `No":"`, `No":"\\`, 1), daxpay.ErrAmbiguous},
			"status folded away": {sign(`"code":0,"resTime":1715500234,"orderNo":"P1","amount":1,"title":"x&status=success"`),
				daxpay.ErrAmbiguous},
			"own request": {sign(`"bizOrderNo":"B1","orderNo":"P1","amount":1,"status":"success","code":0,"resTime":1715500234,"reqTime":1715500234`), daxpay.ErrNoticeType},
			"without code": {sign(`"resTime":1715500234,"orderNo":"P1","amount":1,"status":"success"`),
				daxpay.ErrNoticeType},
			"without resTime": {sign(`"code":0,"orderNo":"P1","amount":1,"status":"success"`), daxpay.ErrNoticeType},
			"a failure": {sign(`"code":1,"resTime":1715500234,"orderNo":"P1","amount":1,"status":"success"`),
				daxpay.ErrProtocol},
			"an answer to a sync": {sign(`"code":0,"msg":null,"resTime":1715500234,"status":"pay_success"`),
				daxpay.ErrNoticeType},
			"an answer to a pay": {sign(`"code":0,"resTime":1715500234,"orderNo":"P1","bizOrderNo":"B1","status":"progress","payBody":"x"`), daxpay.ErrNoticeType},
			"two kinds at once":  {sign(`"code":0,"resTime":1715500234,"refundNo":"R1","allocNo":"A1","amount":1,"status":"success"`), daxpay.ErrNoticeType},
			"refund without no.": {sign(`"code":0,"resTime":1715500234,"orderNo":"P1","bizRefundNo":"BR1","amount":1,"status":"success"`), daxpay.ErrNoticeType},
			"payment without sum": {sign(`"code":0,"resTime":1715500234,"orderNo":"P1","status":"success"`),
				daxpay.ErrNoticeType},
			"NUL": {sign(`"code":0,"resTime":1715500234,"orderNo":"P1","amount":1,"status":"success","attach":"a\u0000"`),
				daxpay.ErrProtocol},
			"amount as a fraction": {sign(`"code":0,"resTime":1715500234,"orderNo":"P1","amount":1.0,"status":"success"`),
				daxpay.ErrProtocol},
			"too large": {genuine + strings.Repeat(" ", 128<<10), daxpay.ErrTooLarge},
		} {
			t.Run(name+"/"+number, func(t *testing.T) {
				var h heard
				var got error
				handlers := h.handlers()
				handlers.OnError = func(_ context.Context, err error) { got = err }
				status, reply := deliver(kit.NoticeHandler(handlers), tt.body)
				require.Equal(t, "FAIL", reply)
				require.GreaterOrEqual(t, status, 400)
				require.ErrorIs(t, got, tt.want)
				require.Equal(t, [3]int32{}, h.counts())
			})
		}
	}
}

// Anyone can add a null to a signed message. It must not change the kind of a notice.
func TestNullsDoNotChangeTheKind(t *testing.T) {
	gw := settled(t)
	body := noticeOf(t, gw, "B1")
	n, err := gw.Client().ParseNotice([]byte(body[:len(body)-1] + `,"refundNo":null,"bizAllocNo":null}`))
	require.NoError(t, err)
	require.Equal(t, model.NoticePay, n.Kind())
}

// payHandler is a handler of pay notices alone, with a store of its own.
func payHandler(kit *daxpay.Client, pay func(context.Context, *model.PayNotice) error) http.Handler {
	return kit.NoticeHandler(daxpay.NoticeHandlers{Pay: pay, Store: daxpay.NewMemoryStore(0)})
}

func TestNoticeReplies(t *testing.T) {
	gw := settled(t)
	kit := gw.Client()
	body := noticeOf(t, gw, "B1")
	t.Run("received", func(t *testing.T) {
		w := httptest.NewRecorder()
		payHandler(kit, func(ctx context.Context, n *model.PayNotice) error {
			deadline, ok := ctx.Deadline()
			require.True(t, ok)
			require.LessOrEqual(t, time.Until(deadline), 4*time.Second)
			return daxpay.Expect{BizOrderNo: "B1", Amount: 100}.Check(n)
		}).ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body)))
		require.Equal(t, 200, w.Code)
		require.Equal(t, []byte("SUCCESS"), w.Body.Bytes())
		require.Equal(t, "7", w.Header().Get("Content-Length"))
	})
	t.Run("other methods", func(t *testing.T) {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodHead} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(context.Background(), method, "/", strings.NewReader(body))
			payHandler(kit, nil).ServeHTTP(w, r)
			require.Equal(t, http.StatusMethodNotAllowed, w.Code)
			require.Equal(t, "FAIL", w.Body.String())
			require.Equal(t, "POST", w.Header().Get("Allow"))
		}
	})
	t.Run("no callback", func(t *testing.T) {
		status, reply := deliver(payHandler(kit, nil), body)
		require.Equal(t, http.StatusNotImplemented, status)
		require.Equal(t, "FAIL", reply)
	})
	t.Run("old notices are accepted within MaxAge, which is at least 25 hours", func(t *testing.T) {
		for age, want := range map[time.Duration]string{0: "SUCCESS", time.Minute: "SUCCESS", 25 * time.Hour: "SUCCESS"} {
			h := client(t, gw, func(c *daxpay.Config) {
				c.Now = func() time.Time { return time.Now().Add(24*time.Hour + 4*time.Minute) }
			}).
				NoticeHandler(daxpay.NoticeHandlers{Pay: func(context.Context, *model.PayNotice) error { return nil }, MaxAge: age})
			_, reply := deliver(h, body)
			require.Equal(t, want, reply)
		}
		var got error
		h := client(t, gw, func(c *daxpay.Config) { c.Now = func() time.Time { return time.Now().Add(48 * time.Hour) } }).
			NoticeHandler(daxpay.NoticeHandlers{MaxAge: time.Second, OnError: func(_ context.Context, err error) { got = err }})
		_, reply := deliver(h, body)
		require.Equal(t, "FAIL", reply)
		require.ErrorIs(t, got, daxpay.ErrStale)
	})
	t.Run("a client that was not made with New", func(t *testing.T) {
		_, reply := deliver((&daxpay.Client{}).NoticeHandler(daxpay.NoticeHandlers{}), body)
		require.Equal(t, "FAIL", reply)
	})
}

func TestNoticeCallbackRunsUntilItSucceeds(t *testing.T) {
	gw := settled(t)
	kit := gw.Client()
	body := noticeOf(t, gw, "B1")
	t.Run("fails, then succeeds, then is not called again", func(t *testing.T) {
		called := 0
		h := payHandler(kit, func(context.Context, *model.PayNotice) error {
			called++
			switch called {
			case 1:
				return errors.New("database down")
			case 2:
				panic("王小明")
			}
			return nil
		})
		for i, want := range []string{"FAIL", "FAIL", "SUCCESS", "SUCCESS", "SUCCESS"} {
			_, reply := deliver(h, body)
			require.Equal(t, want, reply, "delivery %d", i)
		}
		require.Equal(t, 3, called)
	})
	t.Run("a panic is reported without its value", func(t *testing.T) {
		var got error
		h := kit.NoticeHandler(daxpay.NoticeHandlers{
			Store:   daxpay.NewMemoryStore(0),
			Pay:     func(context.Context, *model.PayNotice) error { panic("王小明") },
			OnError: func(_ context.Context, err error) { got = err },
		})
		status, reply := deliver(h, body)
		require.Equal(t, http.StatusInternalServerError, status)
		require.Equal(t, "FAIL", reply)
		var panicked *daxpay.PanicError
		require.ErrorAs(t, got, &panicked)
		require.Equal(t, "王小明", panicked.Value)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", got, panicked, panicked), "王小明")
		text, err := json.Marshal(panicked)
		require.NoError(t, err)
		require.Contains(t, string(text), "a callback panicked with a string in github.com/daxpay-go/daxpay_test.Test")
		require.Regexp(t, `\(notice_test\.go:\d+\)`, string(text))
	})
	t.Run("a callback that leaves its goroutine gives the event back", func(t *testing.T) {
		called := 0
		h := payHandler(kit, func(context.Context, *model.PayNotice) error {
			if called++; called == 1 {
				runtime.Goexit()
			}
			return nil
		})
		status, reply := deliver(h, body)
		require.Equal(t, http.StatusInternalServerError, status)
		require.Equal(t, "FAIL", reply)
		_, reply = deliver(h, body)
		require.Equal(t, "SUCCESS", reply)
	})
	t.Run("two at once", func(t *testing.T) {
		entered, leave := make(chan struct{}), make(chan struct{})
		h := payHandler(kit, func(context.Context, *model.PayNotice) error {
			close(entered)
			<-leave
			return nil
		})
		first := make(chan string)
		go func() {
			_, reply := deliver(h, body)
			first <- reply
		}()
		<-entered
		status, reply := deliver(h, body)
		require.Equal(t, http.StatusConflict, status)
		require.Equal(t, "FAIL", reply)
		close(leave)
		require.Equal(t, "SUCCESS", <-first)
		_, reply = deliver(h, body)
		require.Equal(t, "SUCCESS", reply)
	})
}

func TestNoticeStoreFails(t *testing.T) {
	gw := settled(t)
	kit := gw.Client()
	body := noticeOf(t, gw, "B1")
	called := 0
	var got error
	store := &brokenStore{}
	h := kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay: func(context.Context, *model.PayNotice) error { called++; return nil }, Store: store,
		OnError: func(_ context.Context, err error) { got = err },
	})
	store.claim = errors.New("redis down")
	_, reply := deliver(h, body)
	require.Equal(t, "FAIL", reply)
	require.ErrorIs(t, got, store.claim)
	require.Zero(t, called)

	store.claim, store.done = nil, errors.New("redis down again")
	_, reply = deliver(h, body)
	require.Equal(t, "SUCCESS", reply, "the callback has it")
	require.ErrorIs(t, got, store.done)
	require.Equal(t, 1, called)
}

type brokenStore struct{ claim, done error }

func (s *brokenStore) Claim(context.Context, string, string, time.Duration) (daxpay.ClaimState, error) {
	return daxpay.ClaimGranted, s.claim
}
func (s *brokenStore) Done(context.Context, string, string, time.Duration) error { return s.done }
func (s *brokenStore) Release(context.Context, string, string) error             { return nil }
func (s *brokenStore) Forget(context.Context, string) error                      { return nil }

// 1,000 shuffled notices are each delivered three times at once and again until received, while every fifth callback
// fails. Each takes effect exactly once, and none is acknowledged before.
func TestNoticesTakeEffectOnce(t *testing.T) {
	const notices = 1000
	gw := daxpaytest.Start(t)
	var bodies []string
	for i := range notices {
		gw.SetPayment(daxpaytest.Payment{OrderNo: fmt.Sprintf("P%d", i), Amount: 1, Status: model.PaySyncSuccess})
		body := noticeOf(t, gw, fmt.Sprintf("P%d", i))
		bodies = append(bodies, body, body, body)
	}
	random := rand.New(rand.NewPCG(3, 3))
	random.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })

	var mu sync.Mutex
	effects, attempts := map[string]int{}, 0
	h := gw.Client().NoticeHandler(daxpay.NoticeHandlers{Pay: func(_ context.Context, n *model.PayNotice) error {
		mu.Lock()
		defer mu.Unlock()
		if attempts++; attempts%5 == 0 {
			return errors.New("no")
		}
		effects[n.OrderNo]++
		return nil
	}})
	work := make(chan string)
	var wg sync.WaitGroup
	for range 32 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for body := range work {
				for {
					_, reply := deliver(h, body)
					if reply == "SUCCESS" {
						break
					}
				}
				var n struct{ OrderNo string }
				if err := json.Unmarshal([]byte(body), &n); err != nil {
					t.Error(err)
				}
				mu.Lock()
				if effects[n.OrderNo] != 1 {
					t.Errorf("%s was acknowledged with %d effects", n.OrderNo, effects[n.OrderNo])
				}
				mu.Unlock()
			}
		}()
	}
	for _, body := range bodies {
		work <- body
	}
	close(work)
	wg.Wait()
	require.Len(t, effects, notices)
	require.Greater(t, attempts, notices*11/10)
}

func TestExpect(t *testing.T) {
	n := &model.RefundNotice{BizRefundNo: "BR1", BizOrderNo: "B1", Amount: 5}
	require.NoError(t, daxpay.Expect{BizOrderNo: "BR1", Amount: 5}.Check(n))
	require.ErrorIs(t, daxpay.Expect{BizOrderNo: "BR1", Amount: 6}.Check(n), daxpay.ErrEcho)
	require.ErrorIs(t, daxpay.Expect{BizOrderNo: "B1", Amount: 5}.Check(n), daxpay.ErrEcho)
	require.ErrorIs(t, daxpay.Expect{Amount: 5}.Check(n), daxpay.ErrParam)
	require.ErrorIs(t, daxpay.Expect{BizOrderNo: "BR1"}.Check(n), daxpay.ErrParam)
	require.ErrorIs(t, daxpay.Expect{BizOrderNo: "BR1", Amount: 5}.Check(nil), daxpay.ErrParam)
	require.ErrorIs(t, daxpay.Expect{BizOrderNo: "BR1", Amount: 5}.Check((*model.PayNotice)(nil)), daxpay.ErrParam)
}

// The gateway sends a notice once more after 15 seconds, with the same body, unless the reply is SUCCESS.
func TestDeliverNotice(t *testing.T) {
	gw := settled(t)
	var got [][]byte
	replies := []string{"SUCCESS\n", "SUCCESS"}
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, body)
		w.WriteHeader(http.StatusInternalServerError) // which the gateway does not look at
		_, _ = io.WriteString(w, replies[(len(got)-1)%len(replies)])
	}))
	defer shop.Close()
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P9", Amount: 1, Status: model.PaySyncSuccess, NotifyURL: shop.URL})
	var waited time.Duration
	sent, received, err := gw.DeliverNotice(context.Background(), "P9", func(d time.Duration) { waited += d })
	require.NoError(t, err)
	require.True(t, received)
	require.Equal(t, 2, sent)
	require.Equal(t, 15*time.Second, waited)
	for _, body := range got {
		require.True(t, bytes.Equal(got[0], body))
	}

	replies, got, waited = []string{"FAIL"}, nil, 0
	sent, received, err = gw.DeliverNotice(context.Background(), "P9", func(d time.Duration) { waited += d })
	require.NoError(t, err)
	require.False(t, received)
	require.Equal(t, 2, sent, "that is all that a gateway does, and only with the job switched on")
	require.Equal(t, 15*time.Second, waited)

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, received, err = gw.DeliverNotice(ended, "P9", nil)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, received)
	for _, number := range []string{"P1", "none"} {
		_, err = gw.SendNotice(context.Background(), number)
		require.ErrorIs(t, err, daxpaytest.ErrNoNotice)
	}
}

// Answers to calls are signed with the same key, but are not accepted as notices.
func TestAnswersAreNoNotices(t *testing.T) {
	ctx := context.Background()
	gw := business(t)
	kit := gw.Client()
	pay, err := kit.QueryPayOrder(ctx, &param.QueryPayOrderParam{BizOrderNo: "B2"})
	require.NoError(t, err)
	start, err := kit.StartAlloc(ctx,
		&param.AllocStartParam{BizAllocNo: "BA2", OrderNo: "P4",
			Receivers: []param.AllocReceiver{{ReceiverNo: "V1", Amount: 1}}})
	require.NoError(t, err)
	alloc, err := kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: "A1"})
	require.NoError(t, err)
	for _, raw := range [][]byte{pay.Raw, start.Raw, alloc.Raw} {
		_, err = kit.ParseNotice(raw)
		require.ErrorIs(t, err, daxpay.ErrNoticeType, "%s", raw)
	}
}

// A refund notice whose numbers are folded into its texts has the same signed text and looks like a pay notice.
func TestFoldedRefundNoticeIsNotAPayNotice(t *testing.T) {
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	genuine := `"amount":40,"attach":"x","bizRefundNo":"BR1","code":0,"orderNo":"P1","reason":"why","refundNo":"R1","resTime":1715500234,"status":"success"`
	cut := `"amount":40,"attach":"x&bizRefundNo=BR1","code":0,"orderNo":"P1","reason":"why&refundNo=R1","resTime":1715500234,"status":"success"`
	sign, err := signer.Sign([]byte("{" + genuine + "}"))
	require.NoError(t, err)
	for _, allow := range []bool{false, true} {
		kit, _ := mocked(t, daxpay.Config{AllowAmbiguousText: allow}, jsonAnswer("{}"))
		n, err := kit.ParseNotice([]byte("{" + genuine + `,"sign":"` + sign + `"}`))
		require.NoError(t, err)
		require.Equal(t, model.NoticeRefund, n.Kind())
		require.NoError(t, signer.Verify([]byte("{"+cut+`,"sign":"`+sign+`"}`)))
		_, err = kit.ParseNotice([]byte("{" + cut + `,"sign":"` + sign + `"}`))
		require.ErrorIs(t, err, daxpay.ErrAmbiguous, "AllowAmbiguousText: %t", allow)
	}
}

// The content of a notice identifies the event, not its time. Shares end one after the other under one status, and a
// refund can fail twice.
func TestEvents(t *testing.T) {
	sign := func(members string) string { return signedObject(t, daxpay.HMACSHA256, members) }
	refund := func(at int, reason string) string {
		return sign(fmt.Sprintf(`"amount":40,"attach":null,"code":0,"errorMsg":%q,"finishTime":null,"refundNo":"R1","resTime":%d,"status":"fail"`, reason, at))
	}
	alloc := func(at int, second, third string) string {
		return sign(fmt.Sprintf(`"allocNo":"F1","amount":60,"attach":"x","code":0,"details":[{"receiverNo":"V1","result":"success"},`+
			`{"receiverNo":"V2","result":%q},{"receiverNo":"V3","result":%q}],"resTime":%d,"result":"part_success","status":"allocation_end"`, second, third, at))
	}
	pay := func(at int, status, out string) string {
		return sign(fmt.Sprintf(`"amount":100,"attach":"x","code":0,"orderNo":"P1","outOrderNo":%s,"resTime":%d,"status":%q`,
			out, at, status))
	}
	timed := func(at int) string {
		return sign(fmt.Sprintf(`"amount":100,"attach":"resTime=1715500234","code":0,"orderNo":"P1","resTime":%d,"status":"success"`, at))
	}
	sent := pay(1715500234, "success", `"T1"`)
	for name, tt := range map[string]struct {
		notices []string
		events  int32
	}{
		"a re-send":                          {[]string{sent, sent}, 1},
		"the time is in another member, too": {[]string{timed(1715500234), timed(1715500249)}, 1},
		"the two notices of a synced refund": {[]string{refund(1, "x"), refund(2, "x")}, 1},
		"a refund fails twice":               {[]string{refund(1, "x"), refund(2, "y")}, 2},
		"shares end one after the other": {[]string{alloc(1, "pending", "pending"), alloc(2, "success", "pending"),
			alloc(3, "success", "fail")}, 3},
		"a sync of what has ended":       {[]string{alloc(1, "success", "fail"), alloc(9, "success", "fail")}, 1},
		"close, and again with a number": {[]string{pay(1, "close", "null"), pay(2, "close", `"T1"`)}, 2},
		"success after close":            {[]string{pay(1, "close", "null"), pay(2, "success", `"T1"`)}, 2},
		"nulls, blanks, order and escapes": {[]string{
			sent, strings.Replace(sent, "{", `{ "z":null,`, 1), strings.Replace(sent, `"attach":"x"`, `"attach":"\u0078"`, 1),
			`{"orderNo":"P1",` + strings.Replace(sent[1:], `"orderNo":"P1",`, "", 1),
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
			var h heard
			handler := kit.NoticeHandler(h.handlers())
			for _, body := range tt.notices {
				_, reply := deliver(handler, body)
				require.Equal(t, "SUCCESS", reply)
			}
			counts := h.counts()
			require.Equal(t, tt.events, counts[0]+counts[1]+counts[2])
		})
	}
}

// The answer to a query has a signature and nearly the members of a notice. Posted as a notice, it must not be taken
// for the genuine one.
func TestQueryAnswersAreNoNotices(t *testing.T) {
	const (
		pay    = `"code":0,"resTime":1715500234,"orderNo":"P1","amount":100,"status":"success"`
		refund = `"code":0,"resTime":1715500234,"refundNo":"R1","amount":100,"status":"success"`
		alloc  = `"code":0,"resTime":1715500234,"allocNo":"F1","amount":100,"status":"allocation_end"`
	)
	for name, tt := range map[string]struct{ members, member string }{
		"payment":               {pay + `,"refundableBalance":100`, "attach"},
		"payment, null added":   {pay + `,"refundableBalance":0,"attach":null`, "refundableBalance"},
		"refund":                {refund, "attach"},
		"allocation":            {alloc + `,"outOrderNo":"T1"`, "attach"},
		"allocation, its order": {alloc + `,"outOrderNo":"T1","attach":null`, "outOrderNo"},
		"allocation, its times": {alloc + `,"finishTime":"2024-05-12 15:50:34","attach":null`, "finishTime"},
		"allocation, its rates": {alloc + `,"details":[{"receiverNo":"V1","rate":500}],"attach":null`, "rate"},
	} {
		kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
		_, err := kit.ParseNotice([]byte(signedObject(t, daxpay.HMACSHA256, tt.members)))
		require.ErrorIs(t, err, daxpay.ErrNoticeType, name)
		var refused *daxpay.AnswerError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, tt.member, refused.Member, name)
	}
	// Known and harmless: the answer to a refund query has no member that a notice lacks. What it says is true.
	kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
	_, err := kit.ParseNotice([]byte(signedObject(t, daxpay.HMACSHA256, refund+`,"attach":null`)))
	require.NoError(t, err)
}

// 2.0.6 and 2.0.7 send a notice when a sync finds that a payment is open again.
func TestNoticeOfAnOpenPayment(t *testing.T) {
	kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
	n, err := kit.ParseNotice([]byte(signedObject(t, daxpay.HMACSHA256,
		`"code":0,"resTime":1715500234,"orderNo":"P1","bizOrderNo":"B1","amount":100,"status":"progress","attach":"x"`)))
	require.NoError(t, err)
	require.Equal(t, model.Open, n.Standing())
	require.NoError(t, daxpay.Expect{BizOrderNo: "B1", Amount: 100}.Check(n))
	err = daxpay.Expect{BizOrderNo: "B1", Amount: 100, Paid: true}.Check(n)
	require.ErrorIs(t, err, daxpay.ErrUnproved)
	var refused *daxpay.AnswerError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "progress", refused.Status)
}

// Expect.Paid requires that the money moved.
func TestExpectPaid(t *testing.T) {
	paid := daxpay.Expect{BizOrderNo: "B1", Amount: 100, Paid: true}
	require.NoError(t, paid.Check(&model.PayNotice{BizOrderNo: "B1", Amount: 100, Status: model.PaySuccess}))
	require.NoError(t, paid.Check(&model.RefundNotice{BizRefundNo: "B1", Amount: 100, Status: model.RefundSuccess}))
	require.NoError(t, paid.Check(&model.AllocNotice{BizAllocNo: "B1", Amount: 100, Status: model.AllocFinish}))
	for _, status := range []model.PayStatus{model.PayClose, model.PayCancel, model.PayFail, model.PayProgress,
		"something_new"} {
		n := &model.PayNotice{BizOrderNo: "B1", Amount: 100, Status: status}
		require.ErrorIs(t, paid.Check(n), daxpay.ErrUnproved)
		require.NoError(t, daxpay.Expect{BizOrderNo: "B1", Amount: 100}.Check(n))
	}
	require.ErrorIs(t, paid.Check(&model.RefundNotice{BizRefundNo: "B1", Amount: 100, Status: model.RefundClose}),
		daxpay.ErrUnproved)
}

// A claim whose reply is lost must not block the next delivery of the event.
func TestLostClaimDoesNotBlockTheEvent(t *testing.T) {
	gw := settled(t)
	body := noticeOf(t, gw, "B1")
	store := &forgetful{OnceStore: daxpay.NewMemoryStore(0), lose: true}
	called := 0
	h := gw.Client().NoticeHandler(daxpay.NoticeHandlers{Store: store,
		Pay: func(context.Context, *model.PayNotice) error { called++; return nil }})
	_, reply := deliver(h, body)
	require.Equal(t, "FAIL", reply)
	store.lose = false
	_, reply = deliver(h, body)
	require.Equal(t, "SUCCESS", reply)
	require.Equal(t, 1, called)
}

// forgetful loses the reply to a claim.
type forgetful struct {
	daxpay.OnceStore
	lose bool
}

func (s *forgetful) Claim(ctx context.Context, key, owner string, lease time.Duration) (daxpay.ClaimState, error) {
	state, err := s.OnceStore.Claim(ctx, key, owner, lease)
	if s.lose {
		return 0, errors.New("connection lost")
	}
	return state, err
}
