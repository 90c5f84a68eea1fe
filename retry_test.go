//go:build go1.25

package daxpay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Errors that an attempt ends with instead of an answer.
var (
	errReset   = errors.New("connection reset")   // after the request was written
	errRefused = errors.New("connection refused") // before
)

const (
	locked  = `{"code":10007,"msg":"重复操作"}`
	syncRun = `"code":0,"status":"pay_progress","resTime":`
)

// attempt is one that the transport saw.
type attempt struct {
	at   time.Duration
	body string
}

// flaky is a client of a gateway that does what the script says: an error of the connection, an HTTP status, an answer,
// or the members of a signed answer up to the value of resTime. The last entry is repeated.
func flaky(t *testing.T, config daxpay.Config, script ...any) (*daxpay.Client, *[]attempt) {
	t.Helper()
	var seen []attempt
	start := time.Now()
	config.ServiceURL, config.SignSecret, config.Gateway = "http://127.0.0.1:9000", secret, daxpay.GatewayV208
	config.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		next := script[min(len(seen), len(script)-1)]
		a := attempt{at: time.Since(start)}
		defer func() { seen = append(seen, a) }()
		trace := httptrace.ContextClientTrace(r.Context())
		trace.GetConn(r.URL.Host)
		if next == errRefused { //nolint:errorlint // it is this one
			return nil, errRefused
		}
		trace.GotConn(httptrace.GotConnInfo{})
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		a.body = string(body)
		switch next := next.(type) {
		case error:
			return nil, next
		case int:
			return &http.Response{StatusCode: next, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("<html>"))}, nil
		case string:
			if next == unknownPath {
				res, err := jsonAnswer(next)(r)
				res.StatusCode = http.StatusInternalServerError
				return res, err
			}
			if !strings.HasPrefix(next, "{") {
				next = sealed(t, fmt.Sprintf("%s%d", next, time.Now().Unix()))
			}
			return jsonAnswer(next)(r)
		}
		return nil, errors.New("a mistake in the script")
	})}
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	return kit, &seen
}

func payout(ctx context.Context, kit *daxpay.Client) error {
	_, err := daxpay.Execute(ctx, kit, &payoutParam{No: "N1", Amount: 1})
	return err
}

func TestRetry(t *testing.T) {
	ctx := context.Background()
	for name, tt := range map[string]struct {
		script   []any
		retry    daxpay.Retry
		attempts int // of a call that may be repeated
		others   int // of one that may not
		want     error
	}{
		"good":                  {[]any{syncRun}, daxpay.Retry{}, 1, 1, nil},
		"reset":                 {[]any{errReset, syncRun}, daxpay.Retry{}, 2, 1, nil},
		"refused":               {[]any{errRefused, errRefused, syncRun}, daxpay.Retry{}, 3, 3, nil},
		"refused for good":      {[]any{errRefused}, daxpay.Retry{}, 3, 3, errRefused},
		"reset for good":        {[]any{errReset}, daxpay.Retry{}, 3, 1, errReset},
		"reset, then refused":   {[]any{errReset, errRefused}, daxpay.Retry{}, 3, 1, errRefused},
		"refused, then reset":   {[]any{errRefused, errReset}, daxpay.Retry{}, 3, 2, errReset},
		"more attempts":         {[]any{errReset}, daxpay.Retry{MaxAttempts: 7}, 7, 1, errReset},
		"off":                   {[]any{errRefused}, daxpay.Retry{MaxAttempts: 1}, 1, 1, errRefused},
		"500":                   {[]any{500, syncRun}, daxpay.Retry{}, 2, 1, nil},
		"503":                   {[]any{503, 504, syncRun}, daxpay.Retry{}, 3, 1, nil},
		"502 for good":          {[]any{502}, daxpay.Retry{}, 3, 1, daxpay.ErrProtocol},
		"unknown path of 2.0.8": {[]any{unknownPath}, daxpay.Retry{}, 1, 1, daxpay.ErrProtocol},
		"404":                   {[]any{404}, daxpay.Retry{}, 1, 1, daxpay.ErrProtocol},
		"429":                   {[]any{429}, daxpay.Retry{}, 1, 1, daxpay.ErrProtocol},
		"302":                   {[]any{302}, daxpay.Retry{}, 1, 1, daxpay.ErrProtocol},
		"page with 200":         {[]any{200}, daxpay.Retry{}, 1, 1, daxpay.ErrProtocol},
		"locked":                {[]any{locked, syncRun}, daxpay.Retry{}, 2, 1, nil},
		"other refusal":         {[]any{`{"code":10001}`}, daxpay.Retry{}, 1, 1, &daxpay.GatewayError{}},
		"refusal by the business": {[]any{`"code":1,"msg":"no","resTime":`}, daxpay.Retry{}, 1, 1,
			&daxpay.GatewayError{}},
		"lock said by the business": {[]any{`"code":10007,"resTime":`}, daxpay.Retry{}, 1, 1, &daxpay.GatewayError{}},
		"unsigned success": {[]any{`{"code":0,"data":{"code":0,"resTime":1}}`}, daxpay.Retry{}, 1, 1,
			daxpay.ErrSignMissing},
		"forged success": {[]any{`{"code":0,"data":{"code":0,"resTime":1,"sign":"x"}}`}, daxpay.Retry{}, 1, 1,
			daxpay.ErrSignMismatch},
		"an answer about other order": {[]any{`"code":0,"status":"s","orderNo":"P2","resTime":`}, daxpay.Retry{}, 1, 1,
			daxpay.ErrEcho},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kit, seen := flaky(t, daxpay.Config{Retry: tt.retry}, tt.script...)
				err := syncP1(ctx, kit)
				require.Len(t, *seen, tt.attempts)
				switch want := tt.want.(type) { //nolint:errorlint // it says what to look for
				case nil:
					require.NoError(t, err)
				case *daxpay.GatewayError:
					require.ErrorAs(t, err, &want)
				default:
					require.ErrorIs(t, err, tt.want)
				}
				var retry *daxpay.RetryError
				if errors.As(err, &retry) {
					require.Len(t, retry.Errs, tt.attempts)
					require.NoError(t, retry.Stopped)
					require.ErrorContains(t, err, fmt.Sprintf("%d attempts", tt.attempts))
				} else {
					require.True(t, err == nil || tt.attempts == 1)
				}

				kit, seen = flaky(t, daxpay.Config{Retry: tt.retry}, tt.script...)
				if err := payout(ctx, kit); name == "locked" {
					require.ErrorIs(t, err, daxpay.ErrEarlierSend)
					require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
				} else if tt.attempts != tt.others {
					require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
				}
				require.Len(t, *seen, tt.others)
			})
		})
	}
}

// Once an attempt has an unknown outcome, the call has one, whatever the last attempt says. If no attempt reached the
// gateway, the outcome is known.
func TestRetryKeepsAnUnknownOutcome(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		script  []any
		unknown bool
	}{
		{[]any{errRefused}, false},
		{[]any{errReset, errRefused}, true},
		{[]any{errRefused, errReset, errRefused}, true},
		{[]any{503, `{"code":20052,"msg":"验签失败"}`}, true},
		{[]any{errRefused, `{"code":20052,"msg":"验签失败"}`}, false},
		{[]any{errReset, `"code":1,"msg":"no","resTime":`}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			kit, _ := flaky(t, daxpay.Config{}, tt.script...)
			err := syncP1(ctx, kit)
			require.Error(t, err)
			require.Equal(t, tt.unknown, errors.Is(err, daxpay.ErrOutcomeUnknown), "%v: %v", tt.script, err)
			require.LessOrEqual(t, strings.Count(err.Error(), "may have taken effect"), 1)

			_, err = kit.QueryPayOrder(ctx, &param.QueryPayOrderParam{OrderNo: "P1"})
			require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		})
	}
}

func TestRetryErrorListsTheAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kit, _ := flaky(t, daxpay.Config{Retry: daxpay.Retry{MaxAttempts: 4}}, 503, 503, errReset,
			`{"code":10001,"msg":"系统错误","traceId":"T4"}`)
		err := syncP1(context.Background(), kit)
		require.EqualError(t, err, "daxpay: /unipay/sync/pay: 4 attempts; #1 to #2: check that the gateway behind the "+
			"proxy is running, and "+
			"that the proxy has its port right; not an answer of the gateway: HTTP "+
			"status 503; "+
			"#3: no answer: connection reset; #4: look at the gateway's log: the gateway or its channel failed; "+
			"gateway refused, code 10001: 系统错误 (trace T4); the call may have taken "+
			"effect: send the same pay sync again, it does no harm, and query the payment")
		var page *daxpay.HTTPError
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, err, &page)
		require.ErrorAs(t, err, &refusal)
		require.ErrorIs(t, err, errReset)
		require.ErrorIs(t, err, daxpay.ErrProtocol)
		require.Equal(t, "T4", refusal.TraceID)
	})
}

func TestRetryPauses(t *testing.T) {
	ctx := context.Background()
	pauses := func(t *testing.T, retry daxpay.Retry, script ...any) []time.Duration {
		t.Helper()
		kit, seen := flaky(t, daxpay.Config{Retry: retry, Timeout: time.Hour}, script...)
		_ = syncP1(ctx, kit)
		var list []time.Duration
		for i := range (*seen)[1:] {
			list = append(list, (*seen)[i+1].at-(*seen)[i].at)
		}
		return list
	}
	synctest.Test(t, func(t *testing.T) {
		longest := make([]time.Duration, 5)
		for range 200 {
			for i, pause := range pauses(t, daxpay.Retry{MaxAttempts: 6, Budget: -1}, 503) {
				longest[i] = max(longest[i], pause)
			}
		}
		for i, limit := range []time.Duration{200, 400, 800, 1600, 2000} {
			limit *= time.Millisecond
			require.LessOrEqual(t, longest[i], limit, "pause %d", i)
			require.Greater(t, longest[i], limit*8/10, "pause %d is random up to its limit", i)
		}
		for range 50 {
			for _, pause := range pauses(t, daxpay.Retry{}, locked) {
				require.GreaterOrEqual(t, pause, time.Second)
				require.LessOrEqual(t, pause, 1400*time.Millisecond)
			}
			for _, pause := range pauses(t, daxpay.Retry{BaseDelay: time.Minute, MaxDelay: time.Second}, 503) {
				require.LessOrEqual(t, pause, time.Second)
			}
		}
	})
}

func TestRetryEndsWithTheContext(t *testing.T) {
	slow := daxpay.Retry{BaseDelay: time.Hour, MaxDelay: time.Hour}
	synctest.Test(t, func(t *testing.T) {
		kit, seen := flaky(t, daxpay.Config{Retry: slow, Timeout: 24 * time.Hour}, 503)
		ctx, cancel := context.WithCancel(context.Background())
		start := time.Now()
		time.AfterFunc(time.Millisecond, cancel)
		err := syncP1(ctx, kit)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, daxpay.ErrProtocol)
		require.ErrorContains(t, err, "1 attempt, then context canceled; #1: check that the gateway")
		require.Equal(t, time.Millisecond, time.Since(start))
		require.Len(t, *seen, 1)
	})
	// The client does not begin a pause that the context would cut short.
	synctest.Test(t, func(t *testing.T) {
		kit, seen := flaky(t, daxpay.Config{Retry: daxpay.Retry{MaxAttempts: 100}, Timeout: 3 * time.Second}, locked)
		start := time.Now()
		err := syncP1(context.Background(), kit)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(start), 3*time.Second)
		require.GreaterOrEqual(t, len(*seen), 2)
		require.LessOrEqual(t, len(*seen), 3)
	})
}

func TestRetryBudget(t *testing.T) {
	ctx := context.Background()
	synctest.Test(t, func(t *testing.T) {
		script := make([]any, 0, 100)
		for range 4 + 2 + 1 + 1 {
			script = append(script, 503)
		}
		for range 10 {
			script = append(script, syncRun)
		}
		script = append(script, 503)
		kit, seen := flaky(t, daxpay.Config{Retry: daxpay.Retry{Budget: 4}}, script...)
		for _, want := range []int{3, 6, 7} { // two repetitions each, until four are spent
			require.Error(t, syncP1(ctx, kit))
			require.Len(t, *seen, want)
		}
		require.ErrorContains(t, syncP1(ctx, kit),
			"1 attempt, then Config.Retry.Budget was used up; #1: check that the gateway")
		for range 10 {
			require.NoError(t, syncP1(ctx, kit))
		}
		require.Error(t, syncP1(ctx, kit))
		require.Len(t, *seen, 8+10+2, "ten successes are worth one repetition")

		kit, seen = flaky(t, daxpay.Config{Retry: daxpay.Retry{Budget: -1}}, 503)
		for range 200 {
			require.Error(t, syncP1(ctx, kit))
		}
		require.Len(t, *seen, 600)
	})
}

func TestEachAttemptIsStampedAndSignedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kit, seen := flaky(t, daxpay.Config{Retry: daxpay.Retry{MaxAttempts: 4}}, locked)
		require.Error(t, syncP1(context.Background(), kit))
		signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
		require.NoError(t, err)
		different := map[any]bool{}
		for _, a := range *seen {
			require.NoError(t, signer.Verify([]byte(a.body)))
			var sent struct{ ReqTime, NonceStr, Sign any }
			require.NoError(t, json.Unmarshal([]byte(a.body), &sent))
			different[sent.ReqTime], different[sent.NonceStr], different[sent.Sign] = true, true, true
		}
		require.Len(t, different, 12)
	})
}

// Another encoding of GatewayAuto does not count as a retry. A call may be retried in each.
func TestRetryAndGatewayAuto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		script := []any{errReset, `{"code":20052}`, 503, `{"code":20052}`, `{"code":20052}`}
		kit, _ := mocked(t, daxpay.Config{Retry: daxpay.Retry{MaxAttempts: 5}},
			func(r *http.Request) (*http.Response, error) {
				next := script[sent]
				sent++
				switch next := next.(type) {
				case error:
					return nil, next
				case int:
					return &http.Response{StatusCode: next, Body: http.NoBody, Header: http.Header{}}, nil
				case string:
					return jsonAnswer(next)(r)
				}
				return nil, nil
			})
		_, err := kit.SyncAlloc(context.Background(), &param.AllocSyncParam{AllocNo: "A1"})
		require.Equal(t, len(script), sent)
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "3 attempts; #1: no answer")
		require.ErrorContains(t, err, "#3: compare SignSecret (no blanks, quotes or line break around it) and SignType")
		require.ErrorContains(t, err, "gateway refused it as in the documents, as 2.0.8, as 2.0.7: code 20052; the call")
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, err, &refusal)
	})
}

type converging struct{ param.Common }

func (*converging) Call() param.Call[model.AllocSyncModel] {
	return param.Call[model.AllocSyncModel]{Path: "/unipay/ext/settle", Effect: param.EffectRepeatable}
}

type changing struct{ param.Common }

func (*changing) Call() param.Call[model.AllocSyncModel] {
	return param.Call[model.AllocSyncModel]{Path: "/unipay/ext/settle"}
}

func TestOwnCallsAreRepeatedOnlyIfRepeatable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kit, seen := flaky(t, daxpay.Config{}, errReset)
		_, err := daxpay.Execute(context.Background(), kit, &converging{})
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		require.Len(t, *seen, 3)
		_, err = daxpay.Execute(context.Background(), kit, &changing{})
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		require.Len(t, *seen, 4)
	})
}

// The gateway gives its channel 15 seconds and answers a moment later. The client waits for that answer, even with a
// shorter AttemptTimeout if the call must not be repeated. A call that hangs is retried if it may be.
func TestSlowAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		call    string
		takes   time.Duration // each attempt
		config  daxpay.Config
		sends   int
		lasted  time.Duration // 0: it was answered
		message string
	}{
		"a transfer, slow channel": {"/unipay/transfer", 15060 * time.Millisecond, daxpay.Config{}, 1, 0, ""},
		"a payment, slow channel":  {"/unipay/pay", 15060 * time.Millisecond, daxpay.Config{}, 1, 0, ""},
		"a sync, slow channel":     {"/unipay/sync/pay", 15060 * time.Millisecond, daxpay.Config{}, 1, 0, ""},
		"a transfer, attempts are cut": {"/unipay/transfer", 29 * time.Second, daxpay.Config{AttemptTimeout: time.Second}, 1,
			0, ""},
		"a transfer hangs": {"/unipay/transfer", time.Hour, daxpay.Config{}, 1, 30 * time.Second,
			"context deadline exceeded"},
		"a sync hangs": {"/unipay/sync/pay", time.Hour, daxpay.Config{}, 2, 30 * time.Second,
			"timeout after 20s, see Config.AttemptTimeout"},
		"a sync hangs, short attempts": {"/unipay/sync/pay", time.Hour, daxpay.Config{AttemptTimeout: time.Second}, 3, 0,
			"timeout after 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sends := 0
				config := tt.config
				config.ServiceURL, config.SignSecret, config.Gateway = "http://127.0.0.1:9000", secret, daxpay.GatewayV208
				config.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					sends++
					select {
					case <-time.After(tt.takes):
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
					answers := map[string]string{
						"/unipay/transfer": `"bizTransferNo":"B1","transferNo":"G1","status":"success"`,
						"/unipay/pay":      `"bizOrderNo":"B1","orderNo":"G1","status":"progress"`,
						"/unipay/sync/pay": `"status":"pay_success"`,
					}
					return jsonAnswer(sealed(t, fmt.Sprintf(`"code":0,"resTime":%d,%s`, time.Now().Unix(), answers[tt.call])))(r)
				})}
				kit, err := daxpay.New(config)
				require.NoError(t, err)
				start := time.Now()
				err = ask(kit, tt.call, gateway.V208)
				require.Equal(t, tt.sends, sends)
				if tt.message == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
				require.ErrorContains(t, err, tt.message)
				if tt.lasted > 0 {
					require.Equal(t, tt.lasted, time.Since(start))
				}
			})
		})
	}
}
