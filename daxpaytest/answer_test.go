package daxpaytest_test

import (
	"context"
	"encoding/json"
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

// mocked returns a client. httpmock answers its queries of payments with data; the gateway answers all other calls.
func mocked(t *testing.T, gw *daxpaytest.Gateway, data any) (*daxpay.Client, *httpmock.MockTransport) {
	t.Helper()
	transport := httpmock.NewMockTransport()
	cfg := gw.Config()
	cfg.ServiceURL = "http://gateway.invalid"
	cfg.HTTPClient = &http.Client{Transport: transport}
	cfg.Retry.MaxAttempts = 1
	kit, err := daxpay.New(cfg)
	require.NoError(t, err)
	transport.RegisterResponder(http.MethodPost, cfg.ServiceURL+"/unipay/query/payOrder",
		gw.Responder(data)) //nolint:bodyclose // the client closes it
	transport.RegisterNoResponder(gw.RoundTrip)
	return kit, transport
}

func TestResponder(t *testing.T) {
	const text = `{"orderNo":"P1","bizOrderNo":"A1","title":"\u8336 \"<tea>\" 😀","amount":100,"status":"success"}`
	order := model.PayOrderModel{OrderNo: "P1", BizOrderNo: "A1", Amount: 100, Status: model.PaySuccess}
	members := map[string]any{"orderNo": "P1", "bizOrderNo": "A1", "amount": 100, "status": "success", "sign": "wrong"}
	for name, data := range map[string]any{
		"text": text, "bytes": []byte(text), "raw": json.RawMessage(text), "a model": order, "a map": members,
	} {
		for _, signType := range []daxpay.SignType{daxpay.MD5, daxpay.HMACSHA256} {
			t.Run(name, func(t *testing.T) {
				clock := daxpaytest.NewClock(start)
				gw := daxpaytest.Start(t, daxpaytest.WithTestClock(clock), daxpaytest.WithSignType(signType))
				kit, transport := mocked(t, gw, data)
				clock.Advance(24 * time.Hour) // the answer is as old as the call
				found, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
				require.NoError(t, err)
				require.Equal(t, model.Succeeded, found.Data.Standing())
				require.EqualValues(t, 100, found.Data.Amount)
				require.NotEmpty(t, found.TraceID)
				require.Empty(t, gw.Requests())
				_, err = kit.Transfer(context.Background(), payout("T1"))
				require.NoError(t, err)
				require.Len(t, gw.Transfers(), 1, "the gateway did it")
				require.Equal(t, 2, transport.GetTotalCallCount())
			})
		}
	}
}

func TestResponderRefuses(t *testing.T) {
	kit, _ := mocked(t, daxpaytest.Start(t), `{"code":1,"msg":"支付订单不存在"}`)
	_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
	require.ErrorIs(t, err, daxpay.ErrNoSuchOrder)
}

// A resTime in the data is kept, and a client refuses an old one.
func TestResponderKeepsTheTime(t *testing.T) {
	kit, _ := mocked(t, daxpaytest.Start(t), map[string]any{
		"orderNo": "P1", "bizOrderNo": "A1", "amount": 100, "status": "success", "resTime": 1715500234,
	})
	_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
	require.ErrorIs(t, err, daxpay.ErrStale)
}

func TestSignAnswerRefuses(t *testing.T) {
	gw := daxpaytest.Start(t)
	for _, data := range []any{nil, "", "{", "[]", `{} {}`, 1, func() {}, map[string]any{"a": make(chan int)}} {
		body, err := gw.SignAnswer(data)
		require.ErrorContains(t, err, "daxpaytest: the data of an answer: ", "%T %v", data, data)
		require.Empty(t, body)
		_, err = gw.Responder(data)(request(t, nil)) //nolint:bodyclose // there is no answer
		require.Error(t, err)
	}
	gw.Change(func(s *daxpaytest.Settings) { s.SignType = "none" })
	_, err := gw.SignAnswer(`{}`)
	require.ErrorContains(t, err, "SignType")
}
