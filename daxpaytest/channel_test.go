package daxpaytest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

var start = time.Date(2026, 11, 28, 4, 5, 6, 0, time.UTC)

func qrcode(no string) *param.PayParam {
	return &param.PayParam{
		BizOrderNo: no, Title: "shoes", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 100,
	}
}

// shop starts a merchant's endpoint for notices. It passes each notice on before it replies.
func shop(t *testing.T, reply func() string) (string, <-chan string) {
	t.Helper()
	notices := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		notices <- string(body)
		_, _ = io.WriteString(w, reply())
	}))
	t.Cleanup(server.Close)
	return server.URL, notices
}

func received() string { return "SUCCESS" }

// The user pays after the order was closed. Only a sync finds that, once the lock of the last repair has ended.
func TestPaysAfterItWasClosed(t *testing.T) {
	ctx := context.Background()
	clock := daxpaytest.NewClock(start)
	gw := daxpaytest.Start(t, daxpaytest.WithTestClock(clock))
	client := gw.Client()
	_, err := client.Pay(ctx, qrcode("A1"))
	require.NoError(t, err)
	_, err = client.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	require.True(t, gw.Channel().Pays("A1"))
	require.True(t, gw.Channel().Tells("A1"))
	p, _ := gw.Payment("A1")
	require.Equal(t, model.PayClose, p.Order, "the callback does not open it again")
	_, err = client.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	p, _ = gw.Payment("A1")
	require.Equal(t, model.PaySuccess, p.Order)

	require.True(t, gw.Channel().Closes("A1"))
	_, err = client.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	p, _ = gw.Payment("A1")
	require.Equal(t, model.PaySuccess, p.Order, "for 10 s after a repair there is no other")
	clock.Advance(11 * time.Second)
	_, err = client.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	p, _ = gw.Payment("A1")
	require.Equal(t, model.PayClose, p.Order)
	require.False(t, gw.Channel().Pays("A2"), "there is no such payment")
}

// 2.0.8 sends no notice in the usual case, when a QR code is paid; older gateways do.
func TestTells(t *testing.T) {
	ctx := context.Background()
	notices := map[daxpay.GatewayVersion]int{daxpay.GatewayV208: 0, daxpay.GatewayV207: 1, daxpay.GatewayV206: 1}
	for version, want := range notices {
		t.Run(string(version), func(t *testing.T) {
			url, notices := shop(t, received)
			gw := daxpaytest.Start(t, daxpaytest.WithVersion(version))
			pay := qrcode("A1")
			pay.NotifyURL = url
			_, err := gw.Client().Pay(ctx, pay)
			require.NoError(t, err)
			require.True(t, gw.MarkPaid("a1"), "case does not count")
			require.False(t, gw.MarkPaid("A1"))
			require.NoError(t, gw.WaitNotices(ctx))
			require.Len(t, notices, want)
			_, err = gw.Resend(ctx, "A1")
			if want == 0 {
				require.ErrorIs(t, err, daxpaytest.ErrNoNotice)
			} else {
				require.NoError(t, err)
				require.Len(t, notices, 2)
			}
			body, err := gw.Notice("A1")
			require.NoError(t, err, "a test can have one all the same")
			require.Contains(t, string(body), `"status":"success"`)
		})
	}
}

func TestModesOfTheChannel(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.Start(t, daxpaytest.WithChannelTimeout(time.Millisecond))
	client, channel := gw.Client(), gw.Channel()
	channel.Refuses(daxpaytest.OpPay, "ACQ.X", "no such luck")
	_, err := client.Pay(ctx, qrcode("A1"))
	require.ErrorContains(t, err, "no such luck")
	channel.Breaks(daxpaytest.OpPay)
	_, err = client.Pay(ctx, qrcode("A1"))
	require.ErrorContains(t, err, "支付宝手机支付失败")
	channel.Obeys(daxpaytest.OpPay)
	_, err = client.Pay(ctx, qrcode("A1"))
	require.NoError(t, err)

	channel.Waits("A1")
	channel.TimesOut(daxpaytest.OpClose)
	_, err = client.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
	require.ErrorContains(t, err, "关闭订单失败")
	p, _ := gw.Payment("A1")
	require.Equal(t, model.PayProgress, p.Order)
	require.Equal(t, model.PaySyncClosed, p.Status, "but the channel has closed it")
}

func TestRefundsOfTheChannel(t *testing.T) {
	ctx := context.Background()
	url, notices := shop(t, received)
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Amount: 100, Status: model.PaySyncSuccess})
	client, channel := gw.Client(), gw.Channel()
	refund := &param.RefundParam{BizRefundNo: "R1", BizOrderNo: "A1", Amount: 40, NotifyURL: url}
	channel.Takes(daxpaytest.OpRefund)
	_, err := client.Refund(ctx, refund)
	require.NoError(t, err)
	f, ok := gw.Refund("R1")
	require.True(t, ok)
	require.Equal(t, model.RefundProgress, f.Order)
	_, err = client.SyncRefund(ctx, &param.RefundSyncParam{BizRefundNo: "R1"})
	require.ErrorContains(t, err, "支付宝网关退款未成功")
	require.True(t, channel.Refunds("R1"))
	_, err = client.SyncRefund(ctx, &param.RefundSyncParam{BizRefundNo: "R1"})
	require.NoError(t, err)
	f, _ = gw.Refund("R1")
	require.Equal(t, model.RefundSuccess, f.Order)
	require.NoError(t, gw.WaitNotices(ctx))
	require.Len(t, notices, 2, "a sync sends two")
	require.False(t, channel.Refunds("R2"))
	require.False(t, channel.Allocates("AL1", daxpaytest.Succeeded))
}

// A call whose answer the channel holds back blocks other calls about the same payment, but no others.
func TestHolds(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.Start(t)
	client := gw.Client()
	held := gw.Channel().Holds(daxpaytest.OpPay)
	done := make(chan error)
	go func() {
		_, err := client.Pay(ctx, qrcode("A1"))
		done <- err
	}()
	require.NoError(t, held.Reached(ctx))
	_, err := client.Pay(ctx, qrcode("A1"))
	require.ErrorContains(t, err, "正在支付中，请勿重复支付")
	_, err = client.Pay(ctx, qrcode("A2"))
	require.NoError(t, err)
	_, err = client.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	held.Release()
	require.ErrorContains(t, <-done, "数据不存在或者已过期", "the close was faster")

	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, gw.Channel().Holds(daxpaytest.OpRefund).Reached(ended), context.Canceled)
}

func TestCloseEndsCallsThatAreHeld(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.New()
	held := gw.Channel().Holds(daxpaytest.OpPay)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = gw.Client().Pay(ctx, qrcode("A1"))
	}()
	require.NoError(t, held.Reached(ctx))
	gw.Close()
	<-done
}

func TestNoticesAreSentAgain(t *testing.T) {
	ctx := context.Background()
	reply := "FAIL"
	url, notices := shop(t, func() string { return reply })
	clock := daxpaytest.NewClock(start)
	gw := daxpaytest.Start(t, daxpaytest.WithTestClock(clock), daxpaytest.WithResends())
	pay := qrcode("A1")
	pay.Method, pay.NotifyURL = model.MethodBarCode, url
	_, err := gw.Client().Pay(ctx, pay)
	require.NoError(t, err)
	require.NoError(t, gw.WaitNotices(ctx))
	first := <-notices
	clock.Advance(14 * time.Second)
	require.NoError(t, gw.WaitNotices(ctx))
	require.Empty(t, notices)
	clock.Advance(time.Second)
	require.NoError(t, gw.WaitNotices(ctx))
	require.Equal(t, first, <-notices, "the same bytes")
	clock.Advance(time.Hour)
	require.NoError(t, gw.WaitNotices(ctx))
	require.Empty(t, notices, "it is lost")
	reply = "SUCCESS"
	ok, err := gw.Resend(ctx, "A1")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, first, <-notices)
}

// anyPay is a payment whose NotifyURL this package does not check.
type anyPay struct {
	param.Common
	BizOrderNo string        `json:"bizOrderNo" daxpay:"opaque"`
	Title      string        `json:"title" daxpay:"text"`
	Channel    model.Channel `json:"channel"`
	Method     model.Method  `json:"method"`
	Amount     int64         `json:"amount"`
	NotifyURL  string        `json:"notifyUrl" daxpay:"opaque"`
}

func (*anyPay) Call() param.Call[model.PayModel] {
	return param.Call[model.PayModel]{Path: "/unipay/pay"}
}

// A notice for another machine is not sent unless the test allows it.
func TestNoticesStayHere(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.Start(t)
	urls := []string{"https://shop.example.com/notify", "nonsense", "http://[::1", "%zz", "http://127.0.0.1:1/"}
	for _, url := range urls {
		_, err := daxpay.Execute(ctx, gw.Client(), &anyPay{
			BizOrderNo: "A" + url, Title: "shoes", Channel: model.ChannelAli, Method: model.MethodBarCode, Amount: 100,
			NotifyURL: url,
		})
		require.NoError(t, err)
	}
	require.NoError(t, gw.WaitNotices(ctx))
	ok, err := gw.Resend(ctx, "Ahttps://shop.example.com/notify")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestWithoutNotices(t *testing.T) {
	ctx := context.Background()
	url, notices := shop(t, received)
	gw := daxpaytest.Start(t, daxpaytest.WithoutNotices())
	pay := qrcode("A1")
	pay.NotifyURL = url
	_, err := gw.Client().Pay(ctx, pay)
	require.NoError(t, err)
	_, err = gw.Client().ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	require.NoError(t, gw.WaitNotices(ctx))
	require.Empty(t, notices)
	sent, err := gw.SendNotice(ctx, "A1")
	require.NoError(t, err)
	require.True(t, sent.Received)
	require.Equal(t, http.StatusOK, sent.Status)
	require.Equal(t, "SUCCESS", string(sent.Reply))
	require.Equal(t, url, sent.URL)
	require.Empty(t, sent.Err)
	require.Equal(t, <-notices, string(sent.Body))
	require.Empty(t, notices)
}

// A reply by which a notice does not count as received is returned as it is.
func TestSendNoticeTellsTheReply(t *testing.T) {
	ctx := context.Background()
	for name, tt := range map[string]struct {
		reply  http.HandlerFunc
		status int
		text   string
		err    string
	}{
		"a failure": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "FAIL")
		}, http.StatusInternalServerError, "FAIL", ""},
		"a blank too many": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "SUCCESS ")
		}, http.StatusOK, "SUCCESS ", ""},
		"no reply": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "", "EOF"},
		"half a reply": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "8")
			_, _ = io.WriteString(w, "SUCCESS")
		}, http.StatusOK, "SUCCESS", "unexpected EOF"},
		"no gzip": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "SUCCESS")
		}, http.StatusOK, "", "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.reply)
			t.Cleanup(server.Close)
			gw := daxpaytest.Start(t)
			gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Status: model.PaySyncSuccess, NotifyURL: server.URL})
			sent, err := gw.SendNotice(ctx, "A1")
			require.NoError(t, err)
			require.False(t, sent.Received)
			require.Equal(t, tt.status, sent.Status)
			require.Equal(t, tt.text, string(sent.Reply))
			require.Equal(t, tt.err, sent.Err)
		})
	}
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Status: model.PaySyncSuccess, NotifyURL: "http://%zz"})
	sent, err := gw.SendNotice(ctx, "A1")
	require.NoError(t, err)
	require.Equal(t, "the address is no URL", sent.Err)
}

func TestSettingsChangeWhileItRuns(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.Start(t, daxpaytest.WithSettings(func(s *daxpaytest.Settings) { *s.Limit = 500 }))
	client := gw.Client()
	pay := qrcode("A1")
	pay.Amount = 501
	_, err := client.Pay(ctx, pay)
	require.ErrorContains(t, err, "支付金额超过限额")
	gw.SwitchOff("/unipay/pay")
	_, err = client.Pay(ctx, qrcode("A1"))
	require.ErrorContains(t, err, "该接口权限未开放")
	gw.SwitchOn("/unipay/pay")
	gw.SetChannel(model.ChannelAli, func(c *daxpaytest.ChannelSettings) { c.Enabled = false })
	_, err = client.Pay(ctx, qrcode("A1"))
	require.ErrorContains(t, err, "支付宝支付未启用")
	gw.SetChannel(model.ChannelAli, func(c *daxpaytest.ChannelSettings) { c.Enabled = true })
	_, err = client.Pay(ctx, qrcode("A1"))
	require.NoError(t, err)
	gw.SetGroup(daxpaytest.Group{GroupNo: "G"})
	gw.SetGroup(daxpaytest.Group{GroupNo: "G", Default: true})
	require.Len(t, gw.Settings().Groups, 1)
}
