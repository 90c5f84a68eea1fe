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
)

// With the gateway in the box a test says what is the case, and the gateway answers accordingly, signed.
func TestMayShip(t *testing.T) {
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "paid", Status: model.PaySyncSuccess})
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "closed", Status: model.PaySyncClosed})
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "waiting", Status: model.PaySyncProgress})
	shop := &Shop{Pay: gw.Client()}

	ok, err := shop.MayShip(context.Background(), "paid")
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = shop.MayShip(context.Background(), "closed")
	require.NoError(t, err)
	require.False(t, ok)
	for _, order := range []string{"waiting", "unknown"} {
		_, err = shop.MayShip(context.Background(), order)
		require.ErrorIs(t, err, ErrAskLater)
	}
	require.Len(t, gw.Requests(), 4)
}

// With httpmock a test plays a recorded answer. MaxAge is off because the record is old; the signature is checked as always.
func TestMayShipRecorded(t *testing.T) {
	transport := httpmock.NewMockTransport()
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: "http://gateway", SignSecret: "123456", MaxAge: -1,
		HTTPClient: &http.Client{Transport: transport},
	})
	require.NoError(t, err)
	shop := &Shop{Pay: kit}

	transport.RegisterResponder(http.MethodPost, "http://gateway/unipay/sync/pay", httpmock.NewStringResponder(http.StatusOK,
		`{"msg":"success","code":0,"data":{"code":1,"msg":"支付订单不存在","resTime":1715499295,"sign":"48145bb659db3a337ecbba4e46d3b57b5da6ef8006c1342ebbc9320d619bbad4"},"traceId":"uYFsaueHRcXa"}`))
	_, err = shop.MayShip(context.Background(), "SDK_1715341621498")
	var refusal *daxpay.GatewayError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "支付订单不存在", refusal.Msg)

	transport.RegisterResponder(http.MethodPost, "http://gateway/unipay/sync/pay", httpmock.NewErrorResponder(context.DeadlineExceeded))
	_, err = shop.MayShip(context.Background(), "SDK_1715341621498")
	require.ErrorIs(t, err, ErrAskLater)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// An answer that an httpmock responder makes up must be signed, which a Signer does.
func TestMayShipMadeUp(t *testing.T) {
	const members = `"code":0,"msg":null,"resTime":1715500234,"status":"pay_success"`
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, "123456")
	require.NoError(t, err)
	sign, err := signer.Sign([]byte("{" + members + "}"))
	require.NoError(t, err)
	transport := httpmock.NewMockTransport()
	transport.RegisterNoResponder(httpmock.NewStringResponder(http.StatusOK, `{"code":0,"data":{`+members+`,"sign":"`+sign+`"}}`))
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: "http://gateway", SignSecret: "123456",
		Now:        func() time.Time { return time.Unix(1715500234, 0) },
		HTTPClient: &http.Client{Transport: transport},
	})
	require.NoError(t, err)

	ok, err := (&Shop{Pay: kit}).MayShip(context.Background(), "ORDER-1")
	require.NoError(t, err)
	require.True(t, ok)
}
