package daxpay_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// clocks has the client's clock, which is behind the gateway's; that one stands still.
type clocks struct{ behind atomic.Int64 }

func (c *clocks) client() time.Time { return time.Unix(now-c.behind.Load(), 0) }

func TestTimeRefusalsTellTheDifference(t *testing.T) {
	for _, tt := range []struct {
		behind  int64
		refused bool
		text    string
	}{
		{11, true, "synchronize the clocks (NTP): the gateway's is 11s ahead of this one"},
		{10, false, ""},
		{-60, false, ""},
		{-61, true, "synchronize the clocks (NTP): the gateway's is 1m1s behind this one"},
		{86400, true, "the gateway's is 24h0m0s ahead of this one"},
	} {
		var both clocks
		both.behind.Store(tt.behind)
		gw := stocked(t, daxpaytest.WithClock(at(now)))
		kit := client(t, gw, func(c *daxpay.Config) { c.Now = both.client })
		_, err := kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1"})
		if !tt.refused {
			require.NoError(t, err)
			continue
		}
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, 10006, refusal.Code)
		require.Equal(t, time.Duration(tt.behind)*time.Second, refusal.ClockDifference)
		require.ErrorContains(t, err, tt.text)
		require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	}
	for name, header := range map[string]string{"no date": "", "not a date": "yesterday"} {
		kit, _ := mocked(t, daxpay.Config{Now: at(now)}, func(r *http.Request) (*http.Response, error) {
			res, err := jsonAnswer(`{"code":10006,"msg":"验证参数错误\n请求已过期，请重新发送！"}`)(r)
			res.Header.Set("Date", header)
			return res, err
		})
		_, err := calls["SyncPay"](kit)
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, err, &refusal, name)
		require.Zero(t, refusal.ClockDifference)
		require.ErrorContains(t, err, "synchronize the clocks (NTP), or find out why the request took more than 10 seconds")
	}
}

// reqTimes are the times of the requests that the gateway got, in seconds from the gateway's own time.
func reqTimes(t *testing.T, gw *daxpaytest.Gateway) []int64 {
	t.Helper()
	var times []int64
	for _, r := range gw.Requests() {
		var sent struct{ ReqTime int64 }
		require.NoError(t, json.Unmarshal(r.Body, &sent))
		times = append(times, sent.ReqTime-now)
	}
	return times
}

func TestCorrectClock(t *testing.T) {
	var both clocks
	gw := stocked(t, daxpaytest.WithClock(at(now)))
	query := func(kit *daxpay.Client) error {
		_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{OrderNo: "P1"})
		return err
	}
	kit := client(t, gw, func(c *daxpay.Config) { c.Now, c.CorrectClock = both.client, true })
	// None is more than 10 seconds behind, or 60 ahead of, what the client knows by then.
	for _, behind := range []int64{1, 8, 15, 24, 24, -30, -80, -72} {
		both.behind.Store(behind)
		require.NoError(t, query(kit), "%d seconds behind", behind)
	}
	// One second is below what can be measured and changes nothing; otherwise the next request has the right time.
	require.Equal(t, []int64{-1, -8, -7, -9, 0, 54, 50, -8}, reqTimes(t, gw))

	plain := client(t, gw, func(c *daxpay.Config) { c.Now = both.client })
	both.behind.Store(8)
	require.NoError(t, query(plain))
	both.behind.Store(15)
	require.Error(t, query(plain), "by default the clock is not corrected")
}

// Expiry is checked by the gateway's clock, as far as it is known.
func TestExpiryByTheCorrectedClock(t *testing.T) {
	var both clocks
	gw := stocked(t, daxpaytest.WithClock(at(now)))
	kit := client(t, gw, func(c *daxpay.Config) { c.Now, c.CorrectClock = both.client, true })
	both.behind.Store(9)
	_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{OrderNo: "P1"})
	require.NoError(t, err)
	pay := func(expires int64) error {
		_, err := kit.Pay(context.Background(), &param.PayParam{BizOrderNo: "NEW", Title: "tea", Channel: model.ChannelAli,
			Method: model.MethodQRCode, Amount: 1, ExpiredTime: time.Unix(now+expires, 0)})
		return err
	}
	require.ErrorIs(t, pay(-61), daxpay.ErrParam, "52 seconds ago by this clock")
	require.NoError(t, pay(60))
}

// The clock is not corrected by a refusal, which is not signed: someone who forges one could have the client sign for
// another time.
func TestClockIgnoresUnsignedRefusals(t *testing.T) {
	var both clocks
	both.behind.Store(3600)
	gw := stocked(t, daxpaytest.WithClock(at(now)))
	kit := client(t, gw, func(c *daxpay.Config) { c.Now, c.CorrectClock = both.client, true })
	for range 2 {
		_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{OrderNo: "P1"})
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, time.Hour, refusal.ClockDifference)
	}
	require.Equal(t, []int64{-3600, -3600}, reqTimes(t, gw))
}

// intercepted returns a function that queries P1 with CorrectClock. While on is true, intercept answers in place of gw.
func intercepted(
	t *testing.T, gw *daxpaytest.Gateway, intercept http.HandlerFunc,
) (query func() error, on *atomic.Bool) {
	t.Helper()
	on = new(atomic.Bool)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if on.Load() {
			intercept(w, r)
			return
		}
		gw.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	kit := client(t, gw, func(c *daxpay.Config) { c.ServiceURL, c.CorrectClock = front.URL, true })
	return func() error {
		_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{OrderNo: "P1"})
		return err
	}, on
}

// An old answer, sent again, can mislead the client, but only until the gateway refuses a request.
func TestCorrectClockForgetsWhatTheGatewayRefuses(t *testing.T) {
	gw := stocked(t, daxpaytest.WithSecret(secret), daxpaytest.WithClock(at(now)))
	old := sealed(t, `"code":0,"resTime":1715500034,"orderNo":"P1","amount":1,"status":"success"`) // 200 seconds
	query, replay := intercepted(t, gw, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", "")
		_, _ = w.Write([]byte(old))
	})
	replay.Store(true)
	require.NoError(t, query())
	replay.Store(false)
	var refusal *daxpay.GatewayError
	require.ErrorAs(t, query(), &refusal)
	require.Equal(t, 10006, refusal.Code)
	require.NoError(t, query())
	require.Equal(t, []int64{-200, 0}, reqTimes(t, gw))
}

// The clock is not corrected by a signed message that is refused as an answer: anyone who has seen one could replay it.
func TestClockIgnoresRefusedAnswers(t *testing.T) {
	for name, old := range map[string]string{
		"to another order": `"code":0,"resTime":1715500034,"orderNo":"P2","amount":1,"status":"success"`,
		"to another call":  `"code":0,"resTime":1715500034,"orderNo":"P1","refundNo":"R1","amount":1,"status":"success"`,
		"ambiguous":        `"code":0,"resTime":1715500034,"orderNo":"P1","amount":1,"status":"success","title":"x&status=close"`,
	} {
		gw := stocked(t, daxpaytest.WithSecret(secret), daxpaytest.WithClock(at(now)))
		swapped := sealed(t, old)
		query, swap := intercepted(t, gw, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(swapped))
		})
		swap.Store(true)
		require.Error(t, query(), name)
		swap.Store(false)
		require.NoError(t, query(), name)
		require.Equal(t, []int64{0}, reqTimes(t, gw), name)
	}
}

// A client whose clock was set right after a correction recovers with the next call, even if a proxy removes the Date
// header from answers.
func TestCorrectClockWithoutDate(t *testing.T) {
	var both clocks
	gw := stocked(t, daxpaytest.WithClock(at(now)))
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		gw.ServeHTTP(undated{w}, r)
	}))
	defer front.Close()
	kit := client(t, gw, func(c *daxpay.Config) { c.ServiceURL, c.Now, c.CorrectClock = front.URL, both.client, true })
	query := func() error {
		_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{OrderNo: "P1"})
		return err
	}
	both.behind.Store(-30)
	require.NoError(t, query())
	both.behind.Store(0)
	require.Error(t, query())
	require.NoError(t, query())
}

// undated is a ResponseWriter that sends no Date.
type undated struct{ http.ResponseWriter }

func (w undated) WriteHeader(status int) {
	w.Header()["Date"] = nil
	w.ResponseWriter.WriteHeader(status)
}

func (w undated) Write(b []byte) (int, error) {
	w.Header()["Date"] = nil
	return w.ResponseWriter.Write(b)
}

func TestCorrectClockNeedsMaxAge(t *testing.T) {
	_, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: secret, CorrectClock: true,
		MaxAge: -1})
	require.ErrorIs(t, err, daxpay.ErrConfig)
	require.ErrorContains(t, err, "CorrectClock needs MaxAge")
}

// A gateway checks the time after the signature, so GatewayAuto reports the clock and tries no other encoding.
func TestAutoReportsTheClock(t *testing.T) {
	var sent []string
	kit, _ := mocked(t, daxpay.Config{Now: at(now)}, func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		sent = append(sent, string(body))
		answer := `{"code":20052,"msg":"验签失败","data":null,"traceId":"T1"}`
		if strings.Contains(string(body), `"allocNo"`) && strings.Contains(string(body), `"nonceStr"`) { // as 2.0.8 has it
			answer = `{"code":10006,"msg":"验证参数错误\n请求已过期，请重新发送！","data":null,"traceId":"T2"}`
		}
		res, err := jsonAnswer(answer)(r)
		res.Header.Set("Date", time.Unix(now+3600, 0).UTC().Format(http.TimeFormat))
		return res, err
	})
	_, err := kit.FinishAlloc(context.Background(), &param.AllocFinishParam{AllocNo: "A1"})
	var refusal *daxpay.GatewayError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, 10006, refusal.Code)
	require.Equal(t, time.Hour, refusal.ClockDifference)
	require.ErrorContains(t, err, "synchronize the clocks (NTP): the gateway's is 1h0m0s ahead of this one")
	require.NotContains(t, err.Error(), "20052")
	require.Len(t, sent, 2)
}

// The Date header is cut to the second, so it is up to a second behind a clock that agrees.
func TestEqualClocksHaveNoDifference(t *testing.T) {
	for _, fraction := range []time.Duration{0, 1, 300 * time.Millisecond, 500 * time.Millisecond,
		999 * time.Millisecond} {
		mine := time.Unix(now, 0).Add(fraction)
		kit, _ := mocked(t, daxpay.Config{Now: func() time.Time { return mine }},
			func(r *http.Request) (*http.Response, error) {
				res, err := jsonAnswer(`{"code":10006,"msg":"验证参数错误\n请求已过期，请重新发送！"}`)(r)
				res.Header.Set("Date", mine.UTC().Format(http.TimeFormat))
				return res, err
			})
		_, err := calls["SyncPay"](kit)
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, err, &refusal)
		require.Zero(t, refusal.ClockDifference, fraction)
	}
}
