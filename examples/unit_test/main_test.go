package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// With daxpaytest, a test says what the customers do, and the gateway answers accordingly. It signs the answers.
func TestMayShip(t *testing.T) {
	gw := daxpaytest.Start(t)
	shop, ctx := &Shop{Pay: gw.Client()}, context.Background()
	for _, number := range []string{"paid", "closed", "waiting"} {
		_, err := shop.Pay.Pay(ctx, &param.PayParam{
			BizOrderNo: number, Title: "tea", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 100,
		})
		require.NoError(t, err)
	}
	gw.MarkPaid("paid")
	_, err := shop.Pay.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "closed"})
	require.NoError(t, err)

	ok, err := shop.MayShip(ctx, "paid", 100)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = shop.MayShip(ctx, "closed", 100)
	require.NoError(t, err)
	require.False(t, ok)
	for _, number := range []string{"waiting", "never sent"} {
		_, err = shop.MayShip(ctx, number, 100)
		require.ErrorIs(t, err, ErrAskLater)
	}
	_, err = shop.MayShip(ctx, "paid", 1)
	require.Error(t, err)
}

// With daxpaytest, a test can also make the channel fail. Here the channel closes the payment, but answers too late.
func TestCloseTimesOut(t *testing.T) {
	gw := daxpaytest.Start(t, daxpaytest.WithChannelTimeout(time.Millisecond))
	kit, ctx := gw.Client(), context.Background()
	_, err := kit.Pay(ctx, &param.PayParam{
		BizOrderNo: "A1", Title: "tea", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 100,
	})
	require.NoError(t, err)
	gw.Channel().Waits("A1") // the customer has opened the payment
	gw.Channel().TimesOut(daxpaytest.OpClose)
	_, err = kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
	require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
}

// mocked returns a shop whose calls go to an httpmock transport. gw.Config pins the version and has the gateway's
// clock. Without retries, each call asks the mock once.
func mocked(t *testing.T, gw *daxpaytest.Gateway) (*Shop, *httpmock.MockTransport) {
	t.Helper()
	transport := httpmock.NewMockTransport()
	cfg := gw.Config()
	cfg.Retry = daxpay.Retry{MaxAttempts: 1}
	cfg.HTTPClient = &http.Client{Transport: transport} // before New, which copies the client
	kit, err := daxpay.New(cfg)
	require.NoError(t, err)
	return &Shop{Pay: kit}, transport
}

const queryPath = "/unipay/query/payOrder"

// gw.Responder signs an answer that a test makes up. The answer must name the order and have the fields that prove
// success.
func TestMayShipMadeUp(t *testing.T) {
	gw := daxpaytest.Start(t)
	shop, transport := mocked(t, gw)
	paid := model.PayOrderModel{OrderNo: "P1", BizOrderNo: "ORDER-1", Amount: 100, Status: model.PaySuccess}
	transport.RegisterResponder(http.MethodPost, gw.URL()+queryPath,
		gw.Responder(paid)) //nolint:bodyclose // the client closes it

	ok, err := shop.MayShip(context.Background(), "ORDER-1", 100)
	require.NoError(t, err)
	require.True(t, ok)
}

// A recorded answer needs the secret of the recording, and its time: an answer expires after 5 minutes, see
// Config.MaxAge. The gateway's refusals name no order, so this refusal of a sync also answers a query.
func TestMayShipRecorded(t *testing.T) {
	gw := daxpaytest.Start(t, daxpaytest.WithSecret("123456"),
		daxpaytest.WithTestClock(daxpaytest.NewClock(time.Unix(1715499295, 0))))
	shop, transport := mocked(t, gw)
	transport.RegisterResponder(http.MethodPost, gw.URL()+queryPath, httpmock.NewStringResponder(
		http.StatusOK, `{"msg":"success","code":0,"data":{"code":1,"msg":"支付订单不存在","resTime":1715499295,`+
			`"sign":"48145bb659db3a337ecbba4e46d3b57b5da6ef8006c1342ebbc9320d619bbad4"},"traceId":"uYFsaueHRcXa"}`,
	))
	_, err := shop.MayShip(context.Background(), "ORDER-1", 100)
	require.ErrorIs(t, err, ErrAskLater)
	require.ErrorIs(t, err, daxpay.ErrNoSuchOrder)
}

// Network failures need no mock.
func TestMayShipNoAnswer(t *testing.T) {
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 100, Status: model.PaySyncSuccess})
	shop, ctx := &Shop{Pay: gw.Client()}, context.Background()

	gw.Fail(queryPath, 1, daxpaytest.ResetAfter)
	ok, err := shop.MayShip(ctx, "ORDER-1", 100)
	require.NoError(t, err, "the client asks again")
	require.True(t, ok)

	gw.Fail(queryPath, 0, daxpaytest.BadGatewayBefore) // from now on
	_, err = shop.MayShip(ctx, "ORDER-1", 100)
	require.ErrorIs(t, err, ErrAskLater)
}

// Two ways to activate httpmock do not reach the client, so the test calls the configured gateway. Here that is gw;
// never let it be a real one.
func TestTrapsOfHTTPMock(t *testing.T) {
	ctx, order := context.Background(), &param.QueryPayOrderParam{BizOrderNo: "ORDER-1"}
	for name, client := range map[string]func(cfg daxpay.Config) (*daxpay.Client, error){
		"Activate, and the default client": func(cfg daxpay.Config) (*daxpay.Client, error) {
			httpmock.Activate()
			cfg.HTTPClient = http.DefaultClient
			return daxpay.New(cfg)
		},
		"ActivateNonDefault after New": func(cfg daxpay.Config) (*daxpay.Client, error) {
			cfg.HTTPClient = &http.Client{}
			kit, err := daxpay.New(cfg)
			httpmock.ActivateNonDefault(cfg.HTTPClient)
			return kit, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(httpmock.DeactivateAndReset)
			gw := daxpaytest.Start(t)
			gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 100, Status: model.PaySyncSuccess})
			kit, err := client(gw.Config())
			require.NoError(t, err)
			_, err = kit.QueryPayOrder(ctx, order)
			require.NoError(t, err)
			require.Len(t, gw.Requests(), 1, "the call bypassed the mock")
		})
	}

	// This way reaches the client.
	t.Cleanup(httpmock.DeactivateAndReset)
	gw := daxpaytest.Start(t)
	cfg := gw.Config()
	cfg.HTTPClient = &http.Client{}
	httpmock.ActivateNonDefault(cfg.HTTPClient)
	kit, err := daxpay.New(cfg)
	require.NoError(t, err)
	_, err = kit.QueryPayOrder(ctx, order)
	require.ErrorContains(t, err, "no responder found")
	require.Empty(t, gw.Requests())
}
