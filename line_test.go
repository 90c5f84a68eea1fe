package daxpay_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

var someTransfer = &param.TransferParam{
	BizTransferNo: "T1", Channel: model.ChannelAli, Amount: 1, PayeeType: model.PayeeAliUserID, PayeeAccount: "2088",
}

// retrying is a transport that resends a failed request on its own, as that of retryablehttp does.
type retrying struct{ http.RoundTripper }

func (r retrying) RoundTrip(q *http.Request) (res *http.Response, err error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	for range 3 {
		again := q.Clone(q.Context())
		again.Body = io.NopCloser(strings.NewReader(string(body)))
		if res, err = r.RoundTripper.RoundTrip(again); err == nil && res.StatusCode < 500 {
			return res, nil
		}
		if err == nil {
			_ = res.Body.Close()
		}
	}
	return res, err
}

// failing is a server that fails the first requests and answers the others with members.
func failing(
	t *testing.T, failures int64, fail http.HandlerFunc, members string, state func(net.Conn, http.ConnState),
) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	seen := new(atomic.Int64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if seen.Add(1) <= failures {
			fail(w, r)
			return
		}
		_, _ = io.WriteString(w, sealed(t, fmt.Sprintf(`"code":0,"resTime":%d,%s`, time.Now().Unix(), members)))
	}))
	server.Config.ConnState = state
	server.Start()
	t.Cleanup(server.Close)
	return server, seen
}

// A transport that resends a payout on its own would pay it twice, and hide that.
func TestATransportThatSendsAgainIsStopped(t *testing.T) {
	const paid = `"bizTransferNo":"T1","transferNo":"G1","status":"success"`
	for name, fail := range map[string]http.HandlerFunc{
		"after a 502":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"after a reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for _, own := range []http.RoundTripper{
			retrying{RoundTripper: &http.Transport{}}, retrying{RoundTripper: &http.Transport{DisableKeepAlives: true}},
		} {
			server, seen := failing(t, 2, fail, paid, nil)
			kit, err := daxpay.New(daxpay.Config{
				ServiceURL: server.URL, SignSecret: secret, Gateway: daxpay.GatewayV208, HTTPClient: &http.Client{Transport: own},
			})
			require.NoError(t, err)
			_, err = kit.Transfer(context.Background(), someTransfer)
			require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown, name)
			require.ErrorContains(t, err, "the transport of Config.HTTPClient sends requests again by itself")
			require.EqualValues(t, 1, seen.Load(), name)

			server, seen = failing(t, 2, fail, `"status":"pay_success"`, nil)
			kit, err = daxpay.New(daxpay.Config{
				ServiceURL: server.URL, SignSecret: secret, Gateway: daxpay.GatewayV208, HTTPClient: &http.Client{Transport: own},
			})
			require.NoError(t, err)
			_, err = kit.SyncPay(context.Background(), &param.PaySyncParam{BizOrderNo: "B1"})
			require.NoError(t, err, "a sync may be repeated")
			require.EqualValues(t, 3, seen.Load())
		}
	}
}

// net/http takes another connection when a kept one turns out to be closed before anything was written. That is not a
// second send.
func TestAStaleConnectionIsNoSecondSend(t *testing.T) {
	for _, own := range []*http.Client{nil, {Transport: &http.Transport{}}} {
		var idle atomic.Pointer[net.Conn]
		server, seen := failing(t, 0, nil, `"bizTransferNo":"T1","transferNo":"G1","status":"success"`,
			func(c net.Conn, s http.ConnState) {
				if s == http.StateIdle {
					idle.Store(&c)
				}
			})
		kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Gateway: daxpay.GatewayV208,
			HTTPClient: own})
		require.NoError(t, err)
		failures := 0
		for range 50 {
			_, err := kit.Transfer(context.Background(), someTransfer)
			require.NoError(t, kit.ForgetTransfer(context.Background(), someTransfer.BizTransferNo))
			if err != nil {
				require.NotContains(t, err.Error(), "sends requests again")
				failures++ // the close met the write
			}
			if c := idle.Swap(nil); c != nil {
				_ = (*c).Close()
			}
		}
		require.LessOrEqual(t, seen.Load(), int64(50))
		require.Less(t, failures, 50)
		kit.CloseIdleConnections()
	}
}

// A call that must go out once uses no connection that has been idle for long.
func TestCallsThatGoOutOnceHaveConnectionsOfTheirOwn(t *testing.T) {
	var conns atomic.Int64
	server, _ := failing(t, 0, nil, `"status":"success","bizTransferNo":"T1","transferNo":"G1"`,
		func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				conns.Add(1)
			}
		})
	for own, want := range map[*http.Client]int64{nil: 2, {Transport: &http.Transport{}}: 1} {
		conns.Store(0)
		kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Gateway: daxpay.GatewayV208,
			HTTPClient: own})
		require.NoError(t, err)
		for range 2 {
			_, _ = kit.QueryTransferOrder(context.Background(), &param.QueryTransferOrderParam{BizTransferNo: "T1"})
			_, err = kit.Transfer(context.Background(), someTransfer)
			require.NoError(t, err)
			require.NoError(t, kit.ForgetTransfer(context.Background(), someTransfer.BizTransferNo))
		}
		require.Equal(t, want, conns.Load())
		kit.CloseIdleConnections()
	}
}

// The error of a transport that reports nothing is kept, and the outcome is unknown.
func TestATransportThatReportsNothing(t *testing.T) {
	broken := errors.New("broken")
	kit, transport := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV208},
		func(*http.Request) (*http.Response, error) { return nil, broken })
	_, err := kit.Transfer(context.Background(), someTransfer)
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	require.Equal(t, 1, transport.GetTotalCallCount())
}

// panicking is an Observer that panics in each of its methods.
type panicking struct{}

func (panicking) CallStarted(context.Context, daxpay.Observation) context.Context { panic("started") }
func (panicking) AttemptDone(context.Context, daxpay.Observation)                 { panic("attempt") }
func (panicking) CallDone(context.Context, daxpay.Observation)                    { panic("done") }

func TestAPanicOfAnObserverLosesNoAnswer(t *testing.T) {
	kit, _ := mocked(t, daxpay.Config{Now: at(now), Observer: panicking{}}, jsonAnswer(sealed(t, good)))
	res, err := calls["SyncPay"](kit)
	require.NoError(t, err)
	require.NotNil(t, res)
}

// The errors that a TransportError wraps do not quote the other side either; errors.Is still finds the cause.
func TestWrappedTransportErrorsDoNotQuoteTheMessage(t *testing.T) {
	for _, cause := range []error{
		textproto.ProtocolError("malformed MIME header: 王小明"),
		fmt.Errorf(`net/http: HTTP/1.x transport connection broken: malformed HTTP status code "王小明"`),
	} {
		kit, _ := mocked(t, daxpay.Config{}, func(*http.Request) (*http.Response, error) { return nil, cause })
		_, err := calls["SyncPay"](kit)
		require.ErrorIs(t, err, cause)
		var failed *daxpay.TransportError
		require.ErrorAs(t, err, &failed)
		for below := error(failed); below != nil; below = errors.Unwrap(below) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				require.NotContains(t, fmt.Sprintf(verb, below), "王小明")
			}
		}
	}
}

// Someone on the line can replay the refusal of another call as the answer to a transfer that was paid. It must not
// count as refused.
func TestRefusalsOfPayoutsNeedATrustedLine(t *testing.T) {
	proxied := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:3128"})}
	direct := httpmock.NewMockTransport()
	for name, tt := range map[string]struct {
		url     string
		network bool
		trusted bool
	}{
		"https":          {"https://pay.example.com", false, true},
		"http":           {"http://pay.example.com", false, false},
		"a network":      {"http://10.0.0.7:9000", false, false},
		"trusted":        {"http://10.0.0.7:9000", true, true},
		"localhost":      {"http://localhost:9000", false, true},
		"loopback":       {"http://127.0.0.1:9000/x", false, true},
		"loopback, IPv6": {"http://[::1]:9000", false, true},
		"looks like it":  {"http://127.0.0.1.example.com", false, false},
	} {
		for answer, ofATransfer := range map[string]bool{
			sealed(t, `"code":1,"msg":"支付宝支付未启用","resTime":1715500234`):          true,
			sealed(t, `"code":1,"msg":"支付订单不存在","resTime":1715500234`):           false,
			`{"code":10006,"msg":"验证参数错误\n转账金额必填","data":null,"traceId":"T123"}`: true,
			`{"code":20052,"msg":"验签失败","data":null,"traceId":"T123"}`:           true,
			`{"code":20000,"msg":"未通过签名验证","data":null,"traceId":"T123"}`:        true,
			`{"code":10005,"msg":"Could not write JSON","data":null}`:            false,
		} {
			kit, _ := mocked(t, daxpay.Config{
				ServiceURL: tt.url, TrustedNetwork: tt.network, Gateway: daxpay.GatewayV208, Now: at(now),
				HTTPClient: &http.Client{Transport: direct},
			}, jsonAnswer(answer))
			_, err := kit.Transfer(context.Background(), someTransfer)
			var refusal *daxpay.GatewayError
			require.ErrorAs(t, err, &refusal, name)
			require.Equal(t, !tt.trusted || !ofATransfer, errors.Is(err, daxpay.ErrOutcomeUnknown), name)
			_, err = kit.Transfer(context.Background(), someTransfer)
			require.Equal(t, !tt.trusted || !ofATransfer, errors.Is(err, daxpay.ErrDuplicate), name)
		}
	}
	kit, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: secret,
		HTTPClient: &http.Client{Transport: proxied}})
	require.NoError(t, err)
	require.Contains(t, kit.Doctor(context.Background()).String(), "the refusal of a transfer is ErrOutcomeUnknown",
		"a proxy is on the line")
}

// The gateway charges a wallet at every request, so a wallet payment goes out once, and in one encoding.
func TestAWalletPaymentGoesOutOnce(t *testing.T) {
	wallet := &param.PayParam{BizOrderNo: "W1", Title: "t", Channel: model.ChannelWallet, Method: model.MethodNormal,
		Amount: 100}
	kit, transport := mocked(t, daxpay.Config{ServiceURL: "http://pay.example.com"},
		jsonAnswer(`{"code":20052,"msg":"验签失败"}`))
	_, err := kit.Pay(context.Background(), wallet)
	require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown, "the refusal can be forged, and the wallet charged")
	_, err = kit.Pay(context.Background(), wallet)
	require.ErrorIs(t, err, daxpay.ErrDuplicate)
	require.Equal(t, 1, transport.GetTotalCallCount())
	require.NoError(t, daxpay.ForgetOnce(context.Background(), kit, wallet))
}

// A certificate that is not verified proves nothing about the line.
func TestUncheckedCertificatesAreNoTrustedLine(t *testing.T) {
	own := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // that is what is tested
	kit, err := daxpay.New(daxpay.Config{ServiceURL: "https://127.0.0.1:1", SignSecret: secret,
		HTTPClient: &http.Client{Transport: own}})
	require.NoError(t, err)
	require.NotContains(t, kit.Doctor(context.Background()).String(), "no one else can be on this line")
}

// A gateway that does not check signatures ignores the number under its documented name and finds no order. GatewayAuto
// then tries the next encoding.
func TestAutoWhereSignaturesAreNotChecked(t *testing.T) {
	gw := stocked(t, daxpaytest.WithoutSignatureCheck())
	kit := client(t, gw, automatic)
	ctx := context.Background()
	res, err := kit.QueryAllocOrder(ctx, &param.QueryAllocOrderParam{AllocNo: "A1"})
	require.NoError(t, err)
	require.Equal(t, "A1", res.Data.AllocNo)
	_, err = kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: "A1"})
	require.NoError(t, err)
	_, err = kit.QueryAllocOrder(ctx, &param.QueryAllocOrderParam{AllocNo: "none"})
	require.ErrorIs(t, err, daxpay.ErrNoSuchOrder)
}

// 2.0.5 signs nothing, so its answer to a payout proves nothing.
func TestPayoutsAt205GoOutOnce(t *testing.T) {
	kit, transport := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV205}, jsonAnswer(`{"code":10001,"msg":"系统错误"}`))
	for range 2 {
		_, err := daxpay.Execute(context.Background(), kit, &payoutParam{No: "N1", Amount: 1})
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	}
	require.Equal(t, 1, transport.GetTotalCallCount())
}

// A gateway whose clock is behind accepts an old request for longer, so "no such order" proves nothing yet.
func TestAbsenceNeedsClocksThatAgree(t *testing.T) {
	for ahead, proved := range map[int64]bool{0: true, 1: true, 50: false, -50: true} {
		kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV208, Now: at(now + ahead)},
			jsonAnswer(sealed(t, fmt.Sprintf(`"code":1,"msg":"支付订单不存在","resTime":%d`, now))))
		_, err := kit.RecoverPay(context.Background(), &param.PayParam{BizOrderNo: "B1", Amount: 1},
			daxpay.Wait{Made: time.Now().Add(-time.Minute)})
		require.ErrorIs(t, err, daxpay.ErrNoSuchOrder)
		require.Equal(t, !proved, errors.Is(err, daxpay.ErrOutcomeUnknown), ahead)
	}
}
