package daxpay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
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

// stocked is a gateway that has one order of each kind.
func stocked(t *testing.T, options ...daxpaytest.Option) *daxpaytest.Gateway {
	t.Helper()
	gw := daxpaytest.Start(t, options...)
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", BizOrderNo: "B1", ID: 1, Status: model.PaySyncSuccess})
	gw.SetRefund(daxpaytest.Refund{RefundNo: "R1", BizRefundNo: "BR1", ID: 2, Status: model.RefundSyncProgress})
	gw.SetAllocation(daxpaytest.Allocation{AllocNo: "A1", BizAllocNo: "BA1", Status: model.AllocEnd})
	return gw
}

func client(t *testing.T, gw *daxpaytest.Gateway, change func(*daxpay.Config)) *daxpay.Client {
	t.Helper()
	config := gw.Config()
	if change != nil {
		change(&config)
	}
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	return kit
}

func automatic(config *daxpay.Config) { config.Gateway = daxpay.GatewayAuto }

// paths lists the paths of the requests that the gateway got, each with the code of the answer.
func paths(gw *daxpaytest.Gateway) []string {
	var list []string
	for _, r := range gw.Requests() {
		list = append(list, fmt.Sprintf("%s %d", r.Path, r.Code))
	}
	return list
}

// 2.0.6 as installed does not have the call. Where it is registered, it runs and then fails to sign its answer.
func TestFinishOf206(t *testing.T) {
	for registered, text := range map[bool]string{false: "未找到接口信息", true: "支付方法返回类型需要为"} {
		gw := stocked(t, daxpaytest.WithVersion(daxpay.GatewayV206),
			daxpaytest.WithSettings(func(s *daxpaytest.Settings) { s.FinishRegistered = registered }))
		_, err := gw.Client().FinishAlloc(context.Background(), &param.AllocFinishParam{AllocNo: "A1"})
		require.ErrorContains(t, err, text)
		require.Equal(t, registered, errors.Is(err, daxpay.ErrOutcomeUnknown))
		require.NotErrorIs(t, err, daxpay.ErrNoSuchOrder)
		require.Equal(t, "/unipay/allocationFinish", gw.Requests()[0].Path)
	}
}

func TestLegacyNeedsThePin(t *testing.T) {
	gw := stocked(t, daxpaytest.WithVersion(daxpay.GatewayV205))
	_, err := client(t, gw, automatic).SyncPayLegacy(context.Background(), &param.PaySyncLegacyParam{PaymentID: 1})
	require.ErrorIs(t, err, daxpay.ErrUnsupported)
	require.Contains(t, err.Error(), "2.0.5")
	require.Empty(t, gw.Requests())

	_, err = gw.Client().SyncPayLegacy(context.Background(), &param.PaySyncLegacyParam{PaymentID: 7})
	var refusal *daxpay.GatewayError
	require.ErrorAs(t, err, &refusal)
	require.False(t, refusal.Signed)
	require.Equal(t, 20041, refusal.Code)
	require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
}

// syncP1 makes a call that gateways know in two encodings, finishA1 one that they know in three.
func syncP1(ctx context.Context, kit *daxpay.Client) error {
	_, err := kit.SyncPay(ctx, &param.PaySyncParam{OrderNo: "P1"})
	return err
}

func finishA1(ctx context.Context, kit *daxpay.Client) error {
	_, err := kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: "A1"})
	return err
}

func TestAutoTriesEncodings(t *testing.T) {
	ctx := context.Background()
	t.Run("2.0.8", func(t *testing.T) {
		gw := stocked(t)
		kit := client(t, gw, automatic)
		require.NoError(t, syncP1(ctx, kit))
		require.NoError(t, finishA1(ctx, kit))
		err := finishA1(ctx, kit)
		requireBusinessError(t, err, "分账单状态错误", lastTrace(t, err))
		require.Equal(t, []string{
			"/unipay/sync/pay 0",
			"/unipay/allocation/finish 20052", "/unipay/allocation/finish 0", // as documented, as 2.0.8
			"/unipay/allocation/finish 1",
		}, paths(gw))
	})
	t.Run("2.0.7", func(t *testing.T) {
		gw := stocked(t, daxpaytest.WithVersion(daxpay.GatewayV207))
		kit := client(t, gw, automatic)
		require.NoError(t, finishA1(ctx, kit))
		require.NoError(t, syncP1(ctx, kit))
		require.Equal(t, []string{
			"/unipay/allocation/finish 20000", // as documented
			"/unipay/allocation/finish 20000", // as 2.0.8
			"/unipay/allocation/finish 0", "/unipay/sync/pay 0",
		}, paths(gw))
	})
	t.Run("encodings that are the same are tried once", func(t *testing.T) {
		gw := stocked(t, daxpaytest.WithVersion(daxpay.GatewayV207))
		kit := client(t, gw, automatic)
		require.NoError(t, syncP1(ctx, kit))
		require.NoError(t, finishA1(ctx, kit))
		require.Equal(t, []string{"/unipay/sync/pay 20000", "/unipay/sync/pay 0", "/unipay/allocation/finish 0"}, paths(gw))
	})
	t.Run("a gateway that was updated", func(t *testing.T) {
		old := stocked(t, daxpaytest.WithVersion(daxpay.GatewayV207))
		updated := stocked(t)
		var target http.Handler = old
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { target.ServeHTTP(w, r) }))
		defer front.Close()
		kit := client(t, old, func(c *daxpay.Config) { c.ServiceURL, c.Gateway = front.URL, daxpay.GatewayAuto })
		require.NoError(t, finishA1(ctx, kit))
		target = updated
		require.NoError(t, finishA1(ctx, kit))
		require.Equal(t, "/unipay/allocation/finish 0", paths(updated)[2])
	})
	t.Run("each attempt has its own time and nonce", func(t *testing.T) {
		var mu sync.Mutex
		clock := time.Unix(now, 0)
		gw := stocked(t, daxpaytest.WithVersion(daxpay.GatewayV207), daxpaytest.WithClock(func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			clock = clock.Add(time.Second)
			return clock
		}))
		require.NoError(t, finishA1(ctx, client(t, gw, automatic)))
		seen := map[string]bool{}
		for _, r := range gw.Requests() {
			var sent struct{ ReqTime, NonceStr, Sign any }
			require.NoError(t, json.Unmarshal(r.Body, &sent))
			seen[fmt.Sprint(sent.ReqTime)] = true
			seen[fmt.Sprint(sent.NonceStr)] = true
			seen[fmt.Sprint(sent.Sign)] = true
		}
		require.Len(t, seen, 9)
	})
}

func TestAutoEndsAtRefusals(t *testing.T) {
	ctx := context.Background()
	t.Run("wrong secret", func(t *testing.T) {
		for _, version := range []daxpay.GatewayVersion{daxpay.GatewayV207, daxpay.GatewayV208} {
			gw := stocked(t, daxpaytest.WithVersion(version))
			err := syncP1(ctx, client(t, gw, func(c *daxpay.Config) { c.Gateway, c.SignSecret = daxpay.GatewayAuto, "wrong" }))
			var refusal *daxpay.GatewayError
			require.ErrorAs(t, err, &refusal)
			require.Contains(t, err.Error(),
				"compare SignSecret (no blanks, quotes or line break around it) and SignType")
			require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
			require.Len(t, gw.Requests(), 2)
		}
	})
	t.Run("wrong algorithm", func(t *testing.T) {
		gw := stocked(t)
		err := syncP1(ctx, client(t, gw, func(c *daxpay.Config) { c.SignType = daxpay.MD5 }))
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, 20052, refusal.Code)
		require.Len(t, gw.Requests(), 1, "a pinned version is not left")
	})
	t.Run("the first refusal is the answer when all refuse", func(t *testing.T) {
		codes := []int{10006, 20052, 20051}
		sent := 0
		kit, _ := mocked(t, daxpay.Config{}, func(r *http.Request) (*http.Response, error) {
			body := fmt.Sprintf(`{"code":%d,"msg":"no","traceId":"T%d"}`, codes[sent], sent)
			sent++
			return jsonAnswer(body)(r)
		})
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, finishA1(ctx, kit), &refusal)
		require.Equal(t, 3, sent)
		require.Equal(t, 10006, refusal.Code)
		require.Equal(t, "T0", refusal.TraceID)
		sent = 0
		require.EqualError(t, finishA1(ctx, kit), "daxpay: /unipay/allocation/finish: "+
			"correct the param; if the gateway misses a member that was set, check Gateway; "+
			"check SignSecret (no blanks, quotes or line break around it), SignType and Gateway against the gateway's "+
			"settings; gateway refused it as in the documents (trace T0): code 10006: no; as 2.0.8 (trace T1): code 20052: no; "+
			"as 2.0.7 (trace T2): code 20051: no")
	})
	t.Run("other refusals are not tried again", func(t *testing.T) {
		for _, body := range []string{
			`{"code":10001,"msg":"系统错误"}`, `{"code":10007,"msg":"重复操作"}`, `{"code":20000,"msg":"其他"}`,
			`{"code":10005,"msg":"参数解析失败"}`,
			sealed(t, `"code":1,"msg":"未通过签名验证","resTime":1715500234`),
			sealed(t, `"code":20052,"msg":"验签失败","resTime":1715500234`),
		} {
			kit, transport := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(body))
			require.Error(t, finishA1(ctx, kit))
			require.Equal(t, 1, transport.GetTotalCallCount(), body)
		}
	})
	t.Run("a validation refusal is final where the names are the same everywhere", func(t *testing.T) {
		kit, transport := mocked(t, daxpay.Config{}, jsonAnswer(`{"code":10006,"msg":"请求时间已过期"}`))
		require.Error(t, syncP1(ctx, kit))
		require.Equal(t, 1, transport.GetTotalCallCount())
	})
	t.Run("what must go out once does", func(t *testing.T) {
		kit, transport := mocked(t, daxpay.Config{}, jsonAnswer(`{"code":20052,"msg":"验签失败"}`))
		_, err := daxpay.Execute(ctx, kit, &payoutParam{No: "N1", Amount: 1})
		require.ErrorContains(t, err, "check SignSecret (no blanks, quotes or line break around it), SignType and Gateway")
		require.Equal(t, 1, transport.GetTotalCallCount())
	})
}

func lastTrace(t *testing.T, err error) string {
	t.Helper()
	var refusal *daxpay.GatewayError
	require.ErrorAs(t, err, &refusal)
	return refusal.TraceID
}

func TestTransportErrors(t *testing.T) {
	ctx := context.Background()
	t.Run("connection refused", func(t *testing.T) {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		kit, err := daxpay.New(daxpay.Config{ServiceURL: "http://" + listener.Addr().String(), SignSecret: secret,
			Retry: once})
		require.NoError(t, err)
		err = finishA1(ctx, kit)
		var transport *daxpay.TransportError
		require.ErrorAs(t, err, &transport)
		require.True(t, transport.NeverSent)
		require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		require.Contains(t, err.Error(), "nothing was sent")
	})
	t.Run("a certificate that is not trusted", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError)
		server.StartTLS()
		defer server.Close()
		kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Retry: once})
		require.NoError(t, err)
		err = finishA1(ctx, kit)
		require.ErrorContains(t, err, "certificate")
		require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	})
	t.Run("hung up after reading", func(t *testing.T) {
		var received atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			received.Add(1)
			panic(http.ErrAbortHandler)
		}))
		defer server.Close()
		kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Retry: once})
		require.NoError(t, err)
		err = finishA1(ctx, kit)
		require.ErrorIs(t, err, io.EOF)
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "query the allocation")
		require.EqualValues(t, 1, received.Load())
	})
	t.Run("body cut off", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"code":0,`))
		}))
		defer server.Close()
		kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Retry: once})
		require.NoError(t, err)
		err = finishA1(ctx, kit)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	})
	t.Run("timeout of the config", func(t *testing.T) {
		release := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		defer server.Close()
		defer close(release)
		kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Timeout: 20 * time.Millisecond,
			Retry: once})
		require.NoError(t, err)
		err = finishA1(ctx, kit)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	})
	t.Run("context ended before", func(t *testing.T) {
		gw := stocked(t)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		err := finishA1(ended, gw.Client())
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		require.Empty(t, gw.Requests())
	})
	t.Run("what the other side sent is not repeated", func(t *testing.T) {
		kit, _ := mocked(t, daxpay.Config{}, func(*http.Request) (*http.Response, error) {
			return nil, errors.New(`malformed HTTP response "payee 王小明"`)
		})
		err := finishA1(ctx, kit)
		require.ErrorContains(t, err, "no answer: malformed HTTP response")
		require.NotContains(t, err.Error(), "王小明")

		kit, _ = mocked(t, daxpay.Config{}, func(*http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("transport broken: %w", textproto.ProtocolError("malformed MIME header line: 王小明"))
		})
		err = finishA1(ctx, kit)
		require.ErrorContains(t, err, "no answer: malformed HTTP header")
		require.NotContains(t, err.Error(), "王小明")
	})
}

// With GetBody, net/http can resend a request on its own when it believes that the first one had no effect.
func TestNetHTTPCannotResendRequests(t *testing.T) {
	sent := 0
	kit, _ := mocked(t, daxpay.Config{Now: at(now)}, func(r *http.Request) (*http.Response, error) {
		sent++
		require.Nil(t, r.GetBody)
		require.Empty(t, r.Header.Values("Idempotency-Key"))
		require.Positive(t, r.ContentLength)
		return jsonAnswer(sealed(t, good))(r)
	})
	_, err := calls["SyncPay"](kit)
	require.NoError(t, err)
	require.Equal(t, 1, sent)
}

func TestMisuse(t *testing.T) {
	ctx := context.Background()
	good := &param.PaySyncParam{OrderNo: "P1"}
	_, err := (&daxpay.Client{}).SyncPay(ctx, good)
	require.ErrorIs(t, err, daxpay.ErrConfig)
	_, err = (*daxpay.Client)(nil).SyncPay(ctx, good)
	require.ErrorIs(t, err, daxpay.ErrConfig)

	kit := stocked(t).Client()
	_, err = kit.SyncPay(ctx, nil)
	require.ErrorIs(t, err, daxpay.ErrParam)
	_, err = daxpay.Execute[model.PaySyncModel](ctx, kit, nil)
	require.ErrorIs(t, err, daxpay.ErrParam)
	_, err = kit.SyncPay(nil, good) //nolint:staticcheck // that is what is tested
	require.ErrorIs(t, err, daxpay.ErrParam)
}

func TestParamAndHTTPClientStayAsTheyAre(t *testing.T) {
	gw := stocked(t)
	transport := &http.Transport{}
	hc := &http.Client{Transport: transport, Timeout: time.Minute}
	kit := client(t, gw, func(c *daxpay.Config) { c.HTTPClient, c.ClientIP = hc, "192.0.2.1" })
	p := &param.PaySyncParam{OrderNo: "P1"}
	_, err := kit.SyncPay(context.Background(), p)
	require.NoError(t, err)
	require.Equal(t, &param.PaySyncParam{OrderNo: "P1"}, p)
	require.Nil(t, hc.CheckRedirect)
	require.Nil(t, hc.Jar)
	require.Same(t, transport, hc.Transport)
	require.Equal(t, time.Minute, hc.Timeout)

	var sent struct{ ClientIP, NonceStr, Sign string }
	require.NoError(t, json.Unmarshal(gw.Requests()[0].Body, &sent))
	require.Equal(t, "192.0.2.1", sent.ClientIP)
	require.Len(t, sent.NonceStr, 32)
	require.Len(t, sent.Sign, 64)
	transport.CloseIdleConnections()
}

func TestConcurrentCallsKeepTheirAnswers(t *testing.T) {
	gw := daxpaytest.Start(t)
	const orders = 200
	for i := range orders {
		gw.SetPayment(daxpaytest.Payment{OrderNo: fmt.Sprintf("P%d", i),
			Status: model.PaySyncStatus(fmt.Sprintf("status_%d", i))})
	}
	kit := client(t, gw, automatic)
	var wg sync.WaitGroup
	for worker := range 64 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := worker; i < orders; i += 16 {
				res, err := kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: fmt.Sprintf("P%d", i)})
				if err != nil || res.Data.Status != model.PaySyncStatus(fmt.Sprintf("status_%d", i)) {
					t.Errorf("order %d: %v, %v", i, res, err)
				}
			}
		}()
	}
	wg.Wait()
}

type riskParam struct {
	param.Common
	BizOrderNo string      `json:"bizOrderNo" daxpay:"no,required,max=100"`
	Title      string      `json:"title" daxpay:"text,max=10"`
	Score      *int        `json:"score"`
	Items      []riskItem  `json:"items"`
	Extra      interface{} `json:"-"`
}

type riskItem struct {
	Name string `json:"name" daxpay:"text"`
	ID   int64  `json:"ID" daxpay:"required"`
}

func (*riskParam) Call() param.Call[riskModel] {
	return param.Call[riskModel]{Path: "/unipay/ext/risk", Effect: param.EffectReadOnly}
}

type riskModel struct {
	model.Common
	BizOrderNo string     `json:"bizOrderNo"`
	Level      string     `json:"level" daxpay:"proof"`
	Limit      *int64     `json:"limit"`
	CheckTime  model.Time `json:"checkTime"`
	Items      []riskItem `json:"items"`
}

func TestCustomCall(t *testing.T) {
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	var sent string
	kit, _ := mocked(t, daxpay.Config{Now: at(now)}, func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
		require.NoError(t, signer.Verify(body))
		return jsonAnswer(sealed(t, `"code":0,"resTime":1715500234,"bizOrderNo":"B1","level":"low","limit":"0","checkTime":"2024-05-12 15:50:34","items":[{"name":"a\tb","ID":1},{"name":"c","ID":"2"}]`))(r)
	})
	zero := 0
	p := &riskParam{
		Common: param.Common{NonceStr: "n"}, BizOrderNo: "B1", Title: "\"鞋\"\n", Score: &zero,
		Items: []riskItem{{Name: "b\u00a0\n", ID: 2}, {ID: 3}},
	}
	res, err := daxpay.Execute(context.Background(), kit, p)
	require.NoError(t, err)
	require.Equal(t, `{"bizOrderNo":"B1","items":[{"ID":2,"name":"b`+"\u00a0"+`\n"},{"ID":3}],"nonceStr":"n","reqTime":1715500234,"score":0,"title":"\"鞋\"\n","sign":`,
		sent[:strings.Index(sent, `"sign":`)+7])
	require.Equal(t, "low", res.Data.Level)
	require.Equal(t, int64(0), *res.Data.Limit)
	require.Equal(t, int64(now), res.Data.CheckTime.Unix())
	require.Equal(t, []riskItem{{Name: "a\tb", ID: 1}, {Name: "c", ID: 2}}, res.Data.Items)

	_, err = daxpay.Execute(context.Background(), kit, &riskParam{Title: "a&level=high", Items: []riskItem{{}}})
	require.ErrorIs(t, err, daxpay.ErrParam)
	for _, want := range []string{"BizOrderNo must be set", "Title must have at most 10", "Title must not hold",
		"Items[0].ID must be set"} {
		require.ErrorContains(t, err, want)
	}

	// A call that changes nothing has no unknown outcome.
	kit, _ = mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer("{}"))
	_, err = daxpay.Execute(context.Background(), kit, p)
	require.ErrorIs(t, err, daxpay.ErrProtocol)
	require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
}

type payoutParam struct {
	param.Common
	No     string          `json:"no" daxpay:"no,required,max=100"`
	Amount int64           `json:"amount" daxpay:"required,min=1"`
	Extra  json.RawMessage `json:"extra"`
}

func (*payoutParam) Call() param.Call[payoutModel] {
	return param.Call[payoutModel]{Path: "/unipay/ext/payout", Effect: param.EffectOnce, Recover: "ask the bank"}
}

type payoutModel struct {
	model.Common
	Payee privateName `json:"payee"`
}

type privateName string

func (*privateName) UnmarshalJSON(b []byte) error { return fmt.Errorf("cannot parse %s", b) }

// moody encodes once, for the check, and fails when it is sent.
type moody struct{ asked *int }

func (m moody) MarshalJSON() ([]byte, error) {
	if *m.asked++; *m.asked > 1 {
		return nil, errors.New("not now")
	}
	return []byte("1"), nil
}

type moodyParam struct {
	param.Common
	Mood moody `json:"mood"`
}

func (*moodyParam) Call() param.Call[payoutModel] {
	return param.Call[payoutModel]{Path: "/unipay/ext/mood"}
}

func TestUnencodableParamIsNotSent(t *testing.T) {
	kit, transport := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
	_, err := daxpay.Execute(context.Background(), kit, &moodyParam{Mood: moody{new(int)}})
	require.ErrorIs(t, err, daxpay.ErrParam)
	require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	require.Zero(t, transport.GetTotalCallCount())
}

// Errors of a merchant's own UnmarshalJSON, and member names of the other side, can hold personal data and stay out of
// error texts.
func TestErrorsDoNotQuoteTheMessage(t *testing.T) {
	for _, members := range []string{`"payee":"wang"`, `"wang":"\u0000"`, `"wang":{"a":"x&code=1"}`} {
		kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(sealed(t, `"code":0,"resTime":1715500234,`+members)))
		_, err := daxpay.Execute(context.Background(), kit, &payoutParam{No: "N1", Amount: 1})
		var refused *daxpay.AnswerError
		require.ErrorAs(t, err, &refused)
		require.NotContains(t, err.Error(), "wang")
		require.ErrorContains(t, err, "ask the bank")
	}
	kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(sealed(t, `"code":0,"resTime":1715500234,"王小明":1`)))
	_, err := daxpay.Execute(context.Background(), kit, &payoutParam{No: "X1", Amount: 1})
	require.ErrorIs(t, err, daxpay.ErrProtocol, "no name of the gateway is Chinese")
	require.NotContains(t, err.Error(), "王小明")
	require.ErrorContains(t, err, "ask the bank")
}

// A TransportError does not show what the other side sent, whichever way it is printed.
func TestTransportErrorsDoNotQuoteTheMessage(t *testing.T) {
	kit, _ := mocked(t, daxpay.Config{}, func(*http.Request) (*http.Response, error) {
		return nil, textproto.ProtocolError("malformed MIME header: 王小明")
	})
	_, err := calls["SyncPay"](kit)
	var failed *daxpay.TransportError
	require.ErrorAs(t, err, &failed)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%t"} {
		printed := fmt.Sprintf(verb, failed)
		require.NotContains(t, printed, "王小明", verb)
		require.Contains(t, printed, "malformed HTTP header", verb)
	}
	text, err := json.Marshal(failed)
	require.NoError(t, err)
	require.JSONEq(t, `{"Path":"/unipay/sync/pay","NeverSent":false,"Err":"malformed HTTP header"}`, string(text))
}

// A text that looks like a time, in the merchant's own JSON, is not converted to another zone.
func TestRawJSONInAParam(t *testing.T) {
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	for _, extra := range []string{`[{"finishTime":"2024-05-12 15:50:34","b":1,"A":[{"z":1,"y":null}]}]`,
		`{"payTime":"2024-05-12 15:50:34"}`, `"text"`, `5`, `true`} {
		var sent []byte
		kit, _ := mocked(t, daxpay.Config{Now: at(now)}, recordBody(&sent, sealed(t, `"code":0,"resTime":1715500234`)))
		_, err = daxpay.Execute(context.Background(), kit, &payoutParam{No: "N1", Amount: 1, Extra: json.RawMessage(extra)})
		require.NoError(t, err)
		require.NoError(t, signer.Verify(sent))
	}
}

func TestTraceIDIsKept(t *testing.T) {
	for _, body := range []string{
		`{"code":10001,"msg":"m","traceId":"T123"}`, `{"traceId" : "T123"}`, `{"code":0,"data":{},"traceId":"T123"}`,
		`{"code":0,"code":1,"traceId":"T123"}`, `{"traceId":"T123","code":0,"data":{"a`,
		`{"code":0,"traceId":"T123"}trailing`, `{"code":10001,"traceId":"T123\n\u202e"}`,
	} {
		kit, _ := mocked(t, daxpay.Config{}, jsonAnswer(body))
		_, err := calls["SyncPay"](kit)
		require.ErrorContains(t, err, "(trace T123", body)
		require.NotContains(t, err.Error(), "\u202e")
	}
	kit, _ := mocked(t, daxpay.Config{}, jsonAnswer(`{"code":10001,"traceId":123}`))
	_, err := calls["SyncPay"](kit)
	require.ErrorContains(t, err, "(trace 123)")
}

type floatParam struct {
	param.Common
	Price float64 `json:"price"`
}

func (*floatParam) Call() param.Call[riskModel] {
	return param.Call[riskModel]{Path: "no slash?"}
}

type pathParam struct{ param.Common }

func (*pathParam) Call() param.Call[riskModel] { return param.Call[riskModel]{Path: "/a/../b?c"} }

func TestCustomCallMistakes(t *testing.T) {
	kit, transport := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
	_, err := daxpay.Execute(context.Background(), kit, &floatParam{})
	require.ErrorIs(t, err, daxpay.ErrParam)
	require.ErrorContains(t, err, "Price is floating point")
	_, err = daxpay.Execute(context.Background(), kit, &pathParam{})
	require.ErrorContains(t, err, "plain path")
	require.Zero(t, transport.GetTotalCallCount())
}

func TestLogHoldsOnlyAllowedFields(t *testing.T) {
	var lines bytes.Buffer
	gw := daxpaytest.Start(t, daxpaytest.WithVersion(daxpay.GatewayV207))
	gw.SetPayment(daxpaytest.Payment{OrderNo: "number-paid", Status: model.PaySyncSuccess})
	kit := client(t, gw, func(c *daxpay.Config) {
		c.Gateway = daxpay.GatewayAuto
		c.Logger = slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	_, err := kit.SyncPay(context.Background(),
		&param.PaySyncParam{OrderNo: "number-paid", Common: param.Common{ClientIP: "192.0.2.77"}})
	require.NoError(t, err)
	_, err = kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "number-none"})
	require.Error(t, err)

	text := lines.String()
	for _, private := range []string{daxpaytest.Secret, "number-paid", "number-none", "192.0.2.77", "支付订单不存在"} {
		require.NotContains(t, text, private)
	}
	var got []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		for name := range fields {
			require.Contains(t, []string{
				"time", "level", "msg", "path", "gateway", "attempt", "took", "status", "code", "verified", "outcomeUnknown",
				"traceId",
				"call", "failure", "cause", "reason",
			}, name)
		}
		require.NotEmpty(t, fields["traceId"])
		delete(fields, "traceId")
		delete(fields, "time")
		delete(fields, "took")
		got = append(got, fields)
	}
	line := func(level, msg, gateway string, attempt, code int, verified bool, failure, cause, reason string,
	) map[string]any {
		return map[string]any{
			"call": "PaySync", "failure": failure, "cause": cause, "reason": reason,
			"level": level, "msg": msg, "path": "/unipay/sync/pay", "gateway": gateway, "attempt": float64(attempt),
			"status": float64(200), "code": float64(code), "verified": verified, "outcomeUnknown": false,
		}
	}
	require.Equal(t, []map[string]any{
		line("DEBUG", "daxpay call tries another encoding", "as documented", 1, 20000, false, "gateway", "code 20000",
			"signature"),
		line("DEBUG", "daxpay call", "2.0.7", 2, 0, true, "", "", ""),
		line("WARN", "daxpay call failed", "2.0.7", 1, 1, true, "business", "code 1", "no_such_order"),
	}, got)
}
