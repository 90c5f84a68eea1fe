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

// With daxpaytest a test says what the customers do, and the gateway answers accordingly, signed.
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

// With daxpaytest a test also says how the channel fails. Here it closes the payment, but answers too late.
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

// mocked is a shop whose calls go to an httpmock transport. Pin Gateway, so that the first attempt is the only one, and
// switch retries off, so that each responder is called once.
func mocked(t *testing.T, answered time.Time) (*Shop, *httpmock.MockTransport) {
	t.Helper()
	transport := httpmock.NewMockTransport()
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: "http://gateway", SignSecret: "123456",
		Gateway: daxpay.GatewayV208, Retry: daxpay.Retry{MaxAttempts: 1},
		HTTPClient: &http.Client{Transport: transport},
		Now:        func() time.Time { return answered }, // an answer is fresh for 5 minutes: see Config.MaxAge
	})
	require.NoError(t, err)
	return &Shop{Pay: kit}, transport
}

const queryURL = "http://gateway/unipay/query/payOrder"

// An answer that an httpmock responder makes up must be signed, which a Signer does. It must also name the order, have
// the members that prove success, and be fresh.
func TestMayShipMadeUp(t *testing.T) {
	const members = `"code":0,"msg":null,"resTime":1715500234,` +
		`"orderNo":"DEVP1","bizOrderNo":"ORDER-1","amount":100,"status":"success"`
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, "123456")
	require.NoError(t, err)
	sign, err := signer.Sign([]byte("{" + members + "}"))
	require.NoError(t, err)
	shop, transport := mocked(t, time.Unix(1715500234, 0))
	transport.RegisterResponder(http.MethodPost, queryURL, httpmock.NewStringResponder(
		http.StatusOK, `{"code":0,"msg":"success","data":{`+members+`,"sign":"`+sign+`"},"traceId":"T1"}`,
	))

	ok, err := shop.MayShip(context.Background(), "ORDER-1", 100)
	require.NoError(t, err)
	require.True(t, ok)
}

// A recorded answer is played as it is. The gateway's refusals name no order, so this one, of a sync, fits a query too.
func TestMayShipRecorded(t *testing.T) {
	shop, transport := mocked(t, time.Unix(1715499295, 0))
	transport.RegisterResponder(http.MethodPost, queryURL, httpmock.NewStringResponder(
		http.StatusOK, `{"msg":"success","code":0,"data":{"code":1,"msg":"支付订单不存在","resTime":1715499295,`+
			`"sign":"48145bb659db3a337ecbba4e46d3b57b5da6ef8006c1342ebbc9320d619bbad4"},"traceId":"uYFsaueHRcXa"}`,
	))
	_, err := shop.MayShip(context.Background(), "ORDER-1", 100)
	require.ErrorIs(t, err, ErrAskLater)
	require.ErrorIs(t, err, daxpay.ErrNoSuchOrder)
}

// A responder's error is a lost connection.
func TestMayShipNoAnswer(t *testing.T) {
	shop, transport := mocked(t, time.Now())
	transport.RegisterResponder(http.MethodPost, queryURL, httpmock.NewErrorResponder(context.DeadlineExceeded))
	_, err := shop.MayShip(context.Background(), "ORDER-1", 100)
	require.ErrorIs(t, err, ErrAskLater)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 1, transport.GetTotalCallCount())
}
