package daxpaytest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

const transferPath = "/unipay/transfer"

// throughEveryDoor runs a test with clients that reach the gateway through its own server, through a server of the test
// with HTTP/1.1 and HTTP/2, and without a network.
func throughEveryDoor(t *testing.T, test func(t *testing.T, gw *daxpaytest.Gateway, cfg daxpay.Config)) {
	t.Helper()
	served := func(t *testing.T, http2 bool) {
		gw := daxpaytest.Start(t)
		server := httptest.NewUnstartedServer(gw)
		server.EnableHTTP2 = http2
		server.StartTLS()
		t.Cleanup(server.Close)
		cfg := gw.Config()
		cfg.ServiceURL, cfg.HTTPClient = server.URL, server.Client()
		test(t, gw, cfg)
	}
	t.Run("its server", func(t *testing.T) {
		gw := daxpaytest.Start(t)
		test(t, gw, gw.Config())
	})
	t.Run("a server with TLS", func(t *testing.T) { served(t, false) })
	t.Run("a server with HTTP/2", func(t *testing.T) { served(t, true) })
	t.Run("a transport", func(t *testing.T) {
		gw := daxpaytest.Start(t)
		cfg := gw.Config()
		cfg.ServiceURL, cfg.HTTPClient = "http://gateway.invalid", &http.Client{Transport: gw}
		test(t, gw, cfg)
	})
}

func payout(no string) *param.TransferParam {
	return &param.TransferParam{
		BizTransferNo: no, Channel: model.ChannelAli, Amount: 1, PayeeType: model.PayeeAliUserID, PayeeAccount: "2088",
	}
}

// impatient sends a payout, and gives up once the gateway is done with it.
func impatient(t *testing.T, gw *daxpaytest.Gateway, kit *daxpay.Client, no string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	before := len(gw.Requests())
	ended := make(chan error, 1)
	go func() {
		_, err := kit.Transfer(ctx, payout(no))
		ended <- err
	}()
	require.Eventually(t, func() bool { return len(gw.Requests()) > before }, 10*time.Second, time.Millisecond)
	cancel()
	return <-ended
}

// Every fault on the line leaves the outcome of a payout unknown; whether money moved shows whether the call has run.
func TestFaults(t *testing.T) {
	texts := map[daxpaytest.Fault]string{
		daxpaytest.ResetBefore: "reset", daxpaytest.ResetAfter: "reset",
		daxpaytest.BadGatewayBefore: "502", daxpaytest.BadGatewayAfter: "502",
		daxpaytest.HangBefore: "canceled", daxpaytest.HangAfter: "canceled",
		daxpaytest.Truncated: "EOF", daxpaytest.Unsigned: "sign",
	}
	require.Len(t, texts, len(daxpaytest.Faults()))
	throughEveryDoor(t, func(t *testing.T, gw *daxpaytest.Gateway, cfg daxpay.Config) {
		kit, err := daxpay.New(cfg)
		require.NoError(t, err)
		paid, asked := 0, 0
		for _, fault := range daxpaytest.Faults() {
			require.True(t, gw.Fail(transferPath, 1, fault))
			if fault == daxpaytest.HangBefore || fault == daxpaytest.HangAfter {
				err = impatient(t, gw, kit, string(fault))
			} else {
				_, err = kit.Transfer(context.Background(), payout(string(fault)))
			}
			require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown, fault)
			if !strings.Contains(err.Error(), "INTERNAL_ERROR") { // how HTTP/2 says that an answer breaks off
				require.ErrorContains(t, err, texts[fault], fault)
			}
			if fault.Runs() {
				paid++
			}
			asked++
			require.Len(t, gw.Transfers(), paid, fault)
			seen := gw.Requests()
			require.Len(t, seen, asked, fault)
			require.Equal(t, fault, seen[asked-1].Fault)
			require.Equal(t, fault.Runs(), seen[asked-1].Code == 0, fault)
			require.Equal(t, !fault.Runs(), seen[asked-1].Code == daxpaytest.NotRun, fault)
		}
		require.Empty(t, gw.Failures())
		_, err = kit.Transfer(context.Background(), payout("after all of them"))
		require.NoError(t, err)
	})
}

func request(t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://gateway"+transferPath, body)
	require.NoError(t, err)
	return r
}

func TestAResetIsAReset(t *testing.T) {
	gw := daxpaytest.Start(t)
	gw.Fail("", 2, daxpaytest.ResetBefore)
	_, err := http.Get(gw.URL() + transferPath) //nolint:noctx,bodyclose // a test; there is no answer
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = gw.RoundTrip(request(t, nil)) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

// The client sends a query again by itself. Each attempt counts as a call.
func TestFaultsInTurn(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Amount: 1, Status: model.PaySyncSuccess})
	const path = "/unipay/query/payOrder"
	gw.Fail(path, 1, daxpaytest.ResetAfter)
	gw.Fail("", 1, daxpaytest.Truncated)
	gw.Fail(transferPath, 0, daxpaytest.BadGatewayBefore)
	require.Equal(t, []daxpaytest.Failure{
		{Path: path, Fault: daxpaytest.ResetAfter, Times: 1, Left: 1}, {Fault: daxpaytest.Truncated, Times: 1, Left: 1},
		{Path: transferPath, Fault: daxpaytest.BadGatewayBefore},
	}, gw.Failures())
	kit := gw.Client()
	_, err := kit.QueryPayOrder(ctx, &param.QueryPayOrderParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	var met []daxpaytest.Fault
	for _, r := range gw.Requests() {
		met = append(met, r.Fault)
	}
	require.Equal(t, []daxpaytest.Fault{daxpaytest.ResetAfter, daxpaytest.Truncated, ""}, met)

	for _, no := range []string{"T1", "T2", "T3"} {
		_, err = kit.Transfer(ctx, payout(no))
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	}
	gw.Fail(path, 1, daxpaytest.ResetAfter)
	gw.Heal(transferPath)
	require.Len(t, gw.Failures(), 1)
	gw.Heal("")
	require.Empty(t, gw.Failures())
	_, err = kit.Transfer(ctx, payout("T4"))
	require.NoError(t, err)
	require.Len(t, gw.Transfers(), 1)
}

// A slow answer is lost for a client that does not wait for it.
func TestSlow(t *testing.T) {
	throughEveryDoor(t, func(t *testing.T, gw *daxpaytest.Gateway, cfg daxpay.Config) {
		kit, err := daxpay.New(cfg)
		require.NoError(t, err)
		require.True(t, gw.Slow(transferPath, 1, time.Hour))
		require.Equal(t, time.Hour, gw.Failures()[0].Delay)
		require.ErrorIs(t, impatient(t, gw, kit, "slow"), daxpay.ErrOutcomeUnknown)
		require.Len(t, gw.Transfers(), 1)
		require.True(t, gw.Slow(transferPath, 1, time.Millisecond))
		_, err = kit.Transfer(context.Background(), payout("T1"))
		require.NoError(t, err, "it comes")
	})
}

// A query whose answer is slow is sent again.
func TestSlowQuery(t *testing.T) {
	gw := daxpaytest.Start(t)
	cfg := gw.Config()
	cfg.AttemptTimeout = 300 * time.Millisecond
	kit, err := daxpay.New(cfg)
	require.NoError(t, err)
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Amount: 1, Status: model.PaySyncSuccess})
	gw.Slow("/unipay/query/payOrder", 1, time.Hour)
	_, err = kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	require.Equal(t, daxpaytest.Late, gw.Requests()[0].Fault)
}

// Calls that hang end when the gateway closes.
func TestCloseEndsAHang(t *testing.T) {
	gw := daxpaytest.New()
	gw.Fail("", 1, daxpaytest.HangAfter)
	ended := make(chan error)
	kit := gw.Client()
	go func() {
		_, err := kit.Transfer(context.Background(), payout("T1"))
		ended <- err
	}()
	require.Eventually(t, func() bool { return len(gw.Requests()) == 1 }, 10*time.Second, time.Millisecond)
	gw.Close()
	require.ErrorIs(t, <-ended, daxpay.ErrOutcomeUnknown)
	_, err := gw.RoundTrip(request(t, nil)) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// A fault for a path that the gateway does not have would never happen, and the test would prove nothing.
func TestFailSaysThatItCannot(t *testing.T) {
	for _, fail := range []func(gw *daxpaytest.Gateway) bool{
		func(gw *daxpaytest.Gateway) bool { return gw.Fail("/unipay/transfers", 1, daxpaytest.ResetAfter) },
		func(gw *daxpaytest.Gateway) bool { return gw.Fail(transferPath, 1, "slow") },
		func(gw *daxpaytest.Gateway) bool { return gw.Slow("unipay/transfer", 1, time.Second) },
	} {
		tb := &fakeTB{}
		gw := daxpaytest.Start(tb)
		require.False(t, fail(gw))
		require.Contains(t, tb.fatal, "daxpaytest: ")
		require.Empty(t, gw.Failures())
		gw.Close()
		gw = daxpaytest.New()
		require.False(t, fail(gw))
		gw.Close()
	}
}

// Without a network the gateway handles every request that a transport may get.
func TestRoundTrip(t *testing.T) {
	gw := daxpaytest.Start(t)
	r := request(t, nil)
	require.Nil(t, r.Body)
	res, err := gw.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, r, res.Request)

	broken := errors.New("broken")
	_, err = gw.RoundTrip(request(t, errReader{broken})) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, broken)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = gw.RoundTrip(r.WithContext(ctx)) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, gw.Requests(), 1)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
