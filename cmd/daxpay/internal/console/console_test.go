package console_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/cmd/daxpay/internal/console"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

const secret = "s3cret"

// served is a gateway that runs until the test ends.
type served struct {
	url  string
	kit  *daxpay.Client
	stop func() error // idempotent
}

func serve(t *testing.T, o console.Options) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan net.Addr, 1), make(chan error, 1)
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Secret == "" {
		o.Secret = secret
	}
	o.Started = func(addr net.Addr) { started <- addr }
	go func() { ended <- console.Run(ctx, o) }()
	s := &served{}
	select {
	case addr := <-started:
		s.url = "http://" + addr.String()
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	s.stop = func() error {
		cancel()
		err := <-ended
		ended <- nil
		return err
	}
	t.Cleanup(func() { _ = s.stop() })
	var err error
	s.kit, err = daxpay.New(daxpay.Config{ServiceURL: s.url, SignSecret: o.Secret, Gateway: o.Version})
	require.NoError(t, err)
	return s
}

// get returns the status and the body of a page.
func (s *served) get(t *testing.T, path string, headers ...string) (int, string) {
	t.Helper()
	return s.do(t, http.MethodGet, path, nil, headers...)
}

func (s *served) do(t *testing.T, method, path string, form url.Values, headers ...string) (int, string) {
	t.Helper()
	if form != nil {
		headers = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)
	}
	return s.send(t, method, path, form.Encode(), headers...)
}

func (s *served) send(t *testing.T, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+path, strings.NewReader(body))
	require.NoError(t, err)
	for header := range slices.Chunk(headers, 2) {
		if req.Header.Set(header[0], header[1]); header[0] == "Host" {
			req.Host = header[1]
		}
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(answer)
}

func (s *served) pay(t *testing.T, no, title, notify string) *model.PayModel {
	t.Helper()
	res, err := s.kit.Pay(context.Background(), &param.PayParam{
		BizOrderNo: no, Title: title, Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 25900, NotifyURL: notify,
	})
	require.NoError(t, err)
	return &res.Data
}

// receiver is a shop's address for notices.
func receiver(t *testing.T, reply string) (string, <-chan string) {
	t.Helper()
	got := make(chan string, 100)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, reply)
		got <- string(body)
	}))
	t.Cleanup(shop.Close)
	return shop.URL, got
}

func TestEveryPage(t *testing.T) {
	s := serve(t, console.Options{})
	paid := s.pay(t, "A1", "<b>tea</b>", "")
	ctx := context.Background()
	status, _ := s.do(t, http.MethodPost, "/_cashier/"+paid.OrderNo, url.Values{"act": {"pay"}})
	require.Equal(t, http.StatusOK, status)
	found, err := s.kit.QueryPayOrder(ctx, &param.QueryPayOrderParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	require.Equal(t, model.PaySuccess, found.Data.Status)
	_, err = s.kit.Refund(ctx, &param.RefundParam{BizRefundNo: "R1", BizOrderNo: "A1", Amount: 100})
	require.NoError(t, err)
	_, err = s.kit.Transfer(ctx, &param.TransferParam{BizTransferNo: "T1", Channel: model.ChannelAli, Amount: 5,
		PayeeType: model.PayeeAliUserID, PayeeAccount: "2088"})
	require.NoError(t, err)
	_, _ = s.get(t, "/unipay/nothing")

	for _, path := range []string{
		"/_console", "/_console/", "/_console/?kind=pay&status=success&q=a1", "/_console/?before=1", "/_console/requests",
		"/_console/requests/2", "/_console/requests?bad=1&q=A1", "/_console/notices", "/_console/settings", "/",
		"/_console/orders/pay/" + paid.OrderNo, "/_console/orders/refund/R1", "/_console/orders/transfer/T1",
		"/_cashier/" + paid.OrderNo,
	} {
		for _, lang := range []string{"zh-CN,zh;q=0.9", "en-US,en"} {
			status, body := s.get(t, path, "Accept-Language", lang)
			require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
			require.Contains(t, body, "daxpay serve")
			require.NotContains(t, body, "<b>tea", "a title is text: %s", path)
			require.NotContains(t, body, secret, path)
			require.Equal(t, lang[:2] == "zh", strings.Contains(body, `lang="zh-CN">`+"\n<head>"), path)
		}
	}
	status, body := s.get(t, "/_cashier/"+paid.OrderNo+"/qr.svg")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "<svg")
	status, body = s.get(t, "/_console/orders/pay/"+paid.OrderNo+"/export.json")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "/unipay/refund", "what names the payment is in its timeline")
	for _, path := range []string{
		"/_console/orders/pay/none", "/_console/requests/99999", "/_cashier/none", "/_cashier/none/qr.svg",
	} {
		status, _ := s.get(t, path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
}

func TestForeignPagesAreKeptOut(t *testing.T) {
	s := serve(t, console.Options{Hosts: []string{"pay.test"}})
	host := strings.TrimPrefix(s.url, "http://")
	_, port, _ := net.SplitHostPort(host)
	form := url.Values{"act": {"checks"}, "value": {"0"}}
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"},
		{"Origin", "null"}, {"Origin", "http://127.0.0.1:1"},
	} {
		status, _ := s.do(t, http.MethodPost, "/_console/settings/do", form, headers...)
		require.Equal(t, http.StatusForbidden, status, headers)
	}
	for _, headers := range [][]string{{"Origin", s.url}, {"Sec-Fetch-Site", "same-origin"}} {
		status, _ := s.do(t, http.MethodPost, "/_console/settings/do", form, headers...)
		require.Equal(t, http.StatusOK, status, headers)
	}
	for name, status := range map[string]int{
		"evil.example:" + port: http.StatusMisdirectedRequest, "localhost.evil.example": http.StatusMisdirectedRequest,
		"127.0.0.1.evil.example": http.StatusMisdirectedRequest, "localhost:" + port: http.StatusOK,
		"192.168.1.20:" + port: http.StatusOK, "[::1]:" + port: http.StatusOK, "pay.test": http.StatusOK,
		"PAY.test:80": http.StatusOK,
	} {
		got, _ := s.get(t, "/_console/", "Host", name)
		require.Equal(t, status, got, name)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.url+"/_console/", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	policy := res.Header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")
	require.NotContains(t, policy, "http")
}

func TestTheReasonOfAWrongSignature(t *testing.T) {
	s := serve(t, console.Options{})
	sign := func(signType daxpay.SignType, with string) string {
		signer, err := daxpay.NewSigner(signType, with)
		require.NoError(t, err)
		body := fmt.Sprintf(
			`{"bizOrderNo":"A1","title":"tea","channel":"ali_pay","method":"qrcode","amount":100,"reqTime":%d}`,
			time.Now().Unix(),
		)
		signature, err := signer.Sign([]byte(body))
		require.NoError(t, err)
		body = strings.TrimSuffix(body, "}") + `,"sign":"` + signature + `"}`
		req, err := http.NewRequestWithContext(
			context.Background(),
			http.MethodPost,
			s.url+"/unipay/pay",
			strings.NewReader(body),
		)
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		_, body = s.get(t, "/_console/requests", "Accept-Language", "en")
		require.NotContains(t, body, secret)
		return body
	}
	require.Contains(t, sign(daxpay.HMACSHA256, secret+"\n"), "The shop&#39;s secret has a line break at its end.")
	require.Contains(t, sign(daxpay.MD5, secret), "The shop signs with MD5")
	require.Contains(t, sign(daxpay.HMACSHA256, "123456"), "The shop uses the secret 123456")
	body := sign(daxpay.HMACSHA256, "other")
	require.Contains(t, body, "The secrets differ, or the request was changed")
	require.Contains(t, body, "none of the usual ones fits", "what the SDK says is there as well")

	status, _ := s.do(t, http.MethodPost, "/_console/settings/do", url.Values{"act": {"secret"}, "secret": {"newer"}})
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, sign(daxpay.HMACSHA256, secret), "The shop still uses a secret that this gateway had before.")
}

func TestNoticesFromTheConsole(t *testing.T) {
	s := serve(t, console.Options{Version: daxpay.GatewayV207})
	to, got := receiver(t, "SUCCESS")
	paid := s.pay(t, "A1", "tea", to)
	order := "/_console/orders/pay/" + paid.OrderNo
	press := func(act string) (int, string) {
		return s.do(t, http.MethodPost, order+"/do", url.Values{"act": {act}}, "Accept-Language", "en")
	}
	status, body := press("send")
	require.Equal(t, http.StatusConflict, status, "the server refuses what the button does not offer")
	require.Contains(t, body, "The order has not ended")

	press("lose")
	press("pay")
	require.Eventually(t, func() bool {
		_, body := s.get(t, "/_console/notices", "Accept-Language", "en")
		return strings.Contains(body, "Lose the next")
	}, 5*time.Second, 10*time.Millisecond)
	require.Empty(t, got)
	press("again")
	require.Contains(t, <-got, `"bizOrderNo":"A1"`)
	press("twice")
	first, second := <-got, <-got
	require.Equal(t, first, second)
	_, body = s.get(t, order, "Accept-Language", "en")
	require.Contains(t, body, "received")
}

func TestASilentChannel(t *testing.T) {
	s := serve(t, console.Options{})
	to, got := receiver(t, "SUCCESS")
	paid := s.pay(t, "A1", "tea", to)
	s.do(t, http.MethodPost, "/_console/settings/do", url.Values{"act": {"silent"}, "value": {"1"}})
	s.do(t, http.MethodPost, "/_cashier/"+paid.OrderNo, url.Values{"act": {"pay"}})
	query := func() model.PayStatus {
		res, err := s.kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
		require.NoError(t, err)
		return res.Data.Status
	}
	require.Equal(t, model.PayProgress, query(), "the gateway does not know")
	s.do(t, http.MethodPost, "/_console/settings/do", url.Values{"act": {"silent"}, "value": {"0"}})
	s.do(t, http.MethodPost, "/_console/orders/pay/"+paid.OrderNo+"/do", url.Values{"act": {"tell"}})
	require.Equal(t, model.PaySuccess, query())
	require.Empty(t, got, "2.0.8 sends no notice then")
	_, body := s.get(t, "/_console/notices", "Accept-Language", "en")
	require.Contains(t, body, "2.0.8 sends none after a channel callback")
}

// A browser that goes away while a page is made takes nothing with it.
func TestAPageThatIsNotWaitedFor(t *testing.T) {
	s := serve(t, console.Options{})
	s.pay(t, "A1", "tea", "")
	var gone sync.WaitGroup
	for i := range 200 {
		gone.Add(1)
		go func() {
			defer gone.Done()
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*20*time.Microsecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/_console/requests?q=A1", nil)
			if err != nil {
				return
			}
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
			}
		}()
	}
	gone.Wait()
	status, body := s.get(t, "/_console/requests")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "/unipay/pay")
}

func TestFaultsFromTheConsole(t *testing.T) {
	s := serve(t, console.Options{})
	set := func(form url.Values) int {
		form.Set("act", "fail")
		status, _ := s.do(t, http.MethodPost, "/_console/settings/do", form)
		return status
	}
	require.Equal(t, http.StatusBadRequest, set(url.Values{"fault": {"hang"}, "times": {"x"}}))
	require.Equal(t, http.StatusBadRequest, set(url.Values{"fault": {"none"}, "times": {"1"}}))
	require.Equal(
		t,
		http.StatusOK,
		set(url.Values{"fault": {"502"}, "times": {"1"}, "path": {"/unipay/pay"}, "runs": {"1"}}),
	)
	_, err := s.kit.Pay(context.Background(), &param.PayParam{BizOrderNo: "A1", Title: "tea", Channel: model.ChannelAli,
		Method: model.MethodQRCode, Amount: 100})
	require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	_, err = s.kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
	require.NoError(t, err, "it ran")
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateway file.db")
	o := console.Options{Data: file}
	first := serve(t, o)
	paid := first.pay(t, "A1", "tea", "")
	first.do(t, http.MethodPost, "/_cashier/"+paid.OrderNo, url.Values{"act": {"pay"}})
	first.do(t, http.MethodPost, "/_console/settings/do", url.Values{"act": {"silent"}, "value": {"1"}})
	first.do(t, http.MethodPost, "/_console/settings/do", url.Values{"act": {"clock"}, "to": {"1d"}})
	mode, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), mode.Mode().Perm(), "it holds what customers told the shop")
	err = console.Run(context.Background(), console.Options{Addr: "127.0.0.1:0", Data: file})
	require.ErrorContains(t, err, "another process has it")
	require.NoError(t, first.stop())

	second := serve(t, o)
	_, body := second.get(t, "/_console/orders/pay/"+paid.OrderNo, "Accept-Language", "en")
	require.Contains(t, body, "Success")
	require.Contains(t, body, "/unipay/pay", "the timeline, too")
	_, body = second.get(t, "/_console/settings", "Accept-Language", "en")
	require.Contains(t, body, `<span class="btn on">Is lost</span>`)
	require.Contains(t, body, time.Now().Add(24*time.Hour).In(time.FixedZone("", 8*3600)).Format(time.DateOnly))
	require.NoError(t, second.stop())

	err = console.Run(context.Background(), console.Options{Addr: "127.0.0.1:0", Data: file, Version: daxpay.GatewayV207})
	require.ErrorContains(t, err, "2.0.8")
}

func TestStart(t *testing.T) {
	for _, o := range []console.Options{
		{Addr: "nowhere:x"}, {Addr: "127.0.0.1:0", Version: "2.0.4"}, {Addr: "127.0.0.1:0", SignType: "SM3"},
		{Addr: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "no", "folder.db")},
	} {
		require.Error(t, console.Run(context.Background(), o))
	}
	var out bytes.Buffer
	s := serve(t, console.Options{Out: &out})
	require.NotContains(t, out.String(), secret)
	require.Contains(t, out.String(), s.url+"/_console")
	require.NotContains(t, out.String(), "WARNING")
	require.NoError(t, s.stop())
	out.Reset()
	s = serve(t, console.Options{Out: &out, JSON: true})
	require.JSONEq(t, `{"serviceUrl":"`+s.url+`","console":"`+s.url+`/_console","gateway":"2.0.8","signType":"HMAC_SHA256",`+
		`"loopback":true}`, out.String())
	require.NoError(t, s.stop())
	out.Reset()
	serve(t, console.Options{Addr: "0.0.0.0:0", Out: &out})
	require.Contains(t, out.String(), "WARNING")
}
