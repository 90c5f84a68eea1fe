package console_test

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/cmd/daxpay/internal/console"
	"github.com/daxpay-go/daxpay/cmd/daxpay/internal/shop"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

//go:embed testdata/axe/axe.min.js
var axe string

// browser is a Chromium. Whatever goes wrong in a page is a fault: errors on the console, failed loads, requests that
// leave the machine.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

// openBrowser starts a Chromium, or skips the test where there is none.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		t.Skip("no Chromium is installed: apt-get install chromium")
	}
	profile, err := os.MkdirTemp(
		"",
		"daxpay-browser",
	) // t.TempDir would fail the test if a last process still writes to it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
	}
	for _, flag := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"no-proxy-server", "hide-scrollbars", "mute-audio",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocated, cancelAll := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAll)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.watch)
	require.NoError(t, chromedp.Run(ctx, network.Enable(), runtime.Enable(), log.Enable()))
	return b
}

func (b *browser) watch(event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			fault = fmt.Sprintf("console: %s", e.Args[0].Value)
		}
	case *runtime.EventExceptionThrown:
		fault = "exception: " + e.ExceptionDetails.Error()
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			fault = "log: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != "" && !net.ParseIP(u.Hostname()).IsLoopback() {
			fault = "a request that leaves the machine: " + e.Request.URL
		}
	}
	if fault != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.faults = append(b.faults, fault)
	}
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Run(b.ctx, actions...))
}

// as sets the language, the size of the window and the colours.
func (b *browser) as(lang string, width int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.run(
		network.SetExtraHTTPHeaders(network.Headers{"Accept-Language": lang}),
		emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
	)
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.run(chromedp.Navigate(url), chromedp.WaitReady("body"))
}

// openPage opens a page of a new gateway in a new browser.
func openPage(t *testing.T, path string) (*served, *browser) {
	t.Helper()
	s, b := serve(t, console.Options{}), openBrowser(t)
	b.as("en", 1440, false)
	b.open(s.url + path)
	return s, b
}

// text waits until an element shows a text.
func (b *browser) text(selector, part string) {
	b.t.Helper()
	var is string
	script := fmt.Sprintf(`document.querySelector(%q)?.textContent ?? "nothing: " + document.body.textContent`, selector)
	require.Eventually(b.t, func() bool { // a page that is just being replaced is asked again
		return chromedp.Run(b.ctx, chromedp.Evaluate(script, &is)) == nil && strings.Contains(is, part)
	}, 20*time.Second, 50*time.Millisecond, "%s shows no %q", selector, part)
}

// clickAndLoad clicks, and waits for the page that follows.
func (b *browser) clickAndLoad(selector string) {
	b.t.Helper()
	_, err := chromedp.RunResponse(b.ctx, chromedp.Click(selector, chromedp.NodeVisible))
	require.NoError(b.t, err)
	b.run(chromedp.WaitReady("body"))
}

// screenshot stores the page as a picture where DAXPAY_SCREENSHOTS says.
func (b *browser) screenshot(name string, full bool) {
	b.t.Helper()
	dir := os.Getenv("DAXPAY_SCREENSHOTS")
	if dir == "" {
		return
	}
	require.NoError(b.t, os.MkdirAll(dir, 0o750)) //nolint:gosec // where the caller says
	var picture []byte
	b.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		picture, err = page.CaptureScreenshot().WithCaptureBeyondViewport(full).Do(ctx)
		return err
	}))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600)) //nolint:gosec // likewise
}

// check looks for accessibility faults, for text that is wider than the page, and for what went wrong so far.
func (b *browser) check(what string) {
	b.t.Helper()
	var found []string
	var wide int
	b.run(
		// Not by the page, whose policy has no room for it.
		chromedp.Evaluate(axe+"; 0", nil),
		chromedp.Evaluate(`axe.run().then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical")
			.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.target + " " + n.html.slice(0, 150)).slice(0, 3).join(" | ")))`, &found,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
		chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &wide),
	)
	require.Empty(b.t, found, what)
	require.LessOrEqual(b.t, wide, 0, "%s is wider than its window", what)
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.faults, what)
}

// openShop runs the shop example next to a gateway.
func openShop(t *testing.T, s *served, noticesOnly bool) string {
	t.Helper()
	stand := &shop.Shop{Kit: s.kit, NoticesOnly: noticesOnly}
	server := httptest.NewServer(stand)
	stand.URL = server.URL
	t.Cleanup(server.Close)
	return server.URL
}

var views = []struct {
	name, lang string
	width      int64
	dark       bool
}{
	{"1440-light-zh", "zh-CN", 1440, false}, {"1440-dark-en", "en", 1440, true},
	{"375-light-en", "en", 375, false}, {"375-dark-zh", "zh-CN", 375, true},
}

func TestShopCashierConsole(t *testing.T) {
	s := serve(t, console.Options{})
	b := openBrowser(t)
	door := openShop(t, s, false)
	b.as("zh-CN", 1440, false)

	// 2.0.8 sends no notice of a payment by QR code: the shop learns of it by asking.
	b.open(door)
	b.clickAndLoad("#buy")
	b.run(chromedp.WaitVisible("#qr"))
	var src string
	b.run(chromedp.AttributeValue("#cashier", "href", &src, nil))
	require.True(t, strings.HasPrefix(src, s.url+"/_cashier/"), "the QR code leads here: %s", src)
	b.as("zh-CN", 375, false)
	b.open(src)
	b.text("h1", "259.00")
	b.text(".what", "<gift>")
	b.screenshot("cashier-375-light-zh", false)
	b.check("cashier")
	b.clickAndLoad(".do .primary")
	b.text(".done", "付款成功")
	b.screenshot("cashier-paid-375-light-zh", false)
	b.check("cashier, paid")
	b.clickAndLoad(".done a")
	b.text("#state", "Paid, known by WaitPay")

	stock(t, s)
	b.pictures(s)
	for _, v := range views {
		b.as(v.lang, v.width, v.dark)
		for _, page := range []struct{ name, path string }{
			{"orders", "/_console/"}, {"order", orderPath(t, s, "SHOP-")}, {"requests", "/_console/requests?bad=1"},
			{"notices", "/_console/notices"}, {"settings", "/_console/settings"}, {"empty", "/_console/?q=nothing"},
			{"missing", "/_console/orders/pay/none"}, {"allocation", orderPath(t, s, "L1")},
		} {
			if page.name == "missing" {
				continue // a 404 is an error on the console
			}
			b.open(s.url + page.path)
			if page.name == "order" || page.name == "notices" {
				b.run(
					chromedp.Evaluate(
						`document.querySelector(".tl li:nth-child(2) details, .nt details")?.setAttribute("open", ""); 0`,
						nil,
					),
				)
			}
			b.check(page.name + " " + v.name)
			b.screenshot(page.name+"-"+v.name, true)
		}
	}
}

// The pictures in docs/img.
func (b *browser) pictures(s *served) {
	b.t.Helper()
	for lang, name := range map[string]string{"zh-CN": "zh", "en": "en"} {
		for _, p := range []struct{ name, path string }{
			{"order", orderPath(b.t, s, "TEA-0908&kind=pay")}, {"signature", "/_console/requests?bad=1"},
		} {
			b.as(lang, 1180, false)
			b.open(s.url + p.path)
			b.screenshot("docs-"+p.name+"-"+name, true)
		}
		b.as(lang, 375, false)
		b.open(s.url + "/_cashier/" + filepath.Base(orderPath(b.t, s, "TEA-0920")))
		b.screenshot("docs-cashier-"+name, false)
	}
}

var orderLink = regexp.MustCompile(`/_console/orders/[a-z]+/[A-Z0-9]+`)

// orderPath is the page of the order with a merchant's number.
func orderPath(t *testing.T, s *served, no string) string {
	t.Helper()
	_, body := s.get(t, "/_console/?q="+no)
	path := orderLink.FindString(body)
	require.NotEmpty(t, path)
	return path
}

// stock makes orders of every kind.
func stock(t *testing.T, s *served) {
	t.Helper()
	ctx := context.Background()
	good, got := receiver(t, "SUCCESS")
	press := func(no string, form url.Values) {
		status, body := s.do(t, http.MethodPost, orderPath(t, s, no)+"/do", form, "Accept-Language", "en")
		require.Equal(t, http.StatusOK, status, body)
	}
	stockPayments(t, s, good)
	press("TEA-0908", url.Values{"act": {"pay"}})
	press("TEA-0909", url.Values{"act": {"pay"}})
	press("TEA-0909", url.Values{"act": {"send"}})
	press("TEA-0921", url.Values{"act": {"delay"}, "seconds": {"300"}})
	_, err := s.kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "TEA-0921"})
	require.NoError(t, err)
	_, err = s.kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "TEA-0915"})
	require.NoError(t, err)
	_, err = s.kit.CancelPay(ctx, &param.PayCancelParam{BizOrderNo: "TEA-0911"})
	require.NoError(t, err)
	<-got
	<-got
	_, err = s.kit.Refund(
		ctx,
		&param.RefundParam{BizRefundNo: "RF-0908-1", BizOrderNo: "TEA-0908", Amount: 2800, NotifyURL: good},
	)
	require.NoError(t, err)
	<-got
	press("TEA-0908", url.Values{"act": {"manner"}, "op": {"transfer"}, "manner": {"refuses"}})
	for i, no := range []string{"WAGE-11-02", "WAGE-11-03"} {
		if i == 1 {
			press("TEA-0908", url.Values{"act": {"manner"}, "op": {"transfer"}, "manner": {""}})
		}
		_, _ = s.kit.Transfer(
			ctx,
			&param.TransferParam{BizTransferNo: no, Channel: model.ChannelAli, Amount: 50000, Title: "十一月工资",
				PayeeType: model.PayeeAliUserID, PayeeAccount: "2088000000000000"},
		)
	}
	for _, no := range []string{"LI", "WANG"} {
		_, err = s.kit.AddAllocReceiver(ctx, &param.AllocReceiverAddParam{ReceiverNo: no, Channel: model.ChannelAli,
			ReceiverType: "ali_user_id", ReceiverAccount: "2088" + no, RelationType: "PARTNER"})
		require.NoError(t, err)
	}
	_, err = s.kit.StartAlloc(ctx, &param.AllocStartParam{BizAllocNo: "L1", BizOrderNo: "TEA-0908",
		Receivers: []param.AllocReceiver{{ReceiverNo: "LI", Amount: 100}, {ReceiverNo: "WANG", Amount: 200}}})
	require.NoError(t, err)
	for _, form := range []url.Values{
		{"act": {"fail"}, "fault": {"hang"}, "times": {"3"}, "path": {"/unipay/refund"}, "runs": {"1"}},
		{"act": {"fail"}, "fault": {"late"}, "times": {"1"}, "path": {"/unipay/sync/pay"}, "runs": {"0"}, "delay": {"10"}},
	} {
		s.do(t, http.MethodPost, "/_console/settings/do", form)
	}
	other, err := daxpay.New(daxpay.Config{ServiceURL: s.url, SignSecret: "123456"})
	require.NoError(t, err)
	_, err = other.Pay(ctx, &param.PayParam{BizOrderNo: "TEA-0922", Title: "磨豆机 <送礼>", Channel: model.ChannelAli,
		Method: model.MethodQRCode, Amount: 25900, Attach: `{"cart":"c-7"}`, NotifyURL: good + "/pay/notify?shop=1"})
	require.Error(t, err)
}

// stockPayments makes payments of every method. A shop that replies wrongly gets the notices of one.
func stockPayments(t *testing.T, s *served, good string) {
	t.Helper()
	bad, _ := receiver(t, "SUCCESS\n")
	for _, o := range []struct {
		no, title, to string
		method        model.Method
		amount        int64
	}{
		{"TEA-0908", "滴滤套装", good, model.MethodWeb, 15800}, {"TEA-0909", "咖啡豆 耶加雪菲 1 kg", bad, model.MethodWap, 19900},
		{"TEA-0911", `一分钱测试 <b>&"x"</b>`, good, model.MethodJSAPI, 1}, {"TEA-0915", "冷萃瓶", good, model.MethodWap, 6800},
		{"TEA-0918-a-merchant-number-that-is-rather-long", "企业采购：全自动咖啡机 2 台，含安装、三年保修与季度保养服务", "",
			model.MethodBarCode, 123456789},
		{"TEA-0920", "滤纸 V60 100 张", good, model.MethodQRCode, 9900},
		{"TEA-0921", "茶则", good, model.MethodWap, 3000},
	} {
		p := &param.PayParam{BizOrderNo: o.no, Title: o.title, Channel: model.ChannelAli, Method: o.method, Amount: o.amount,
			NotifyURL: o.to, Allocation: o.no == "TEA-0908"}
		if o.method == model.MethodBarCode {
			p.ExtraParam = param.BarCode{AuthCode: "280000000000000000"}
		}
		_, err := s.kit.Pay(context.Background(), p)
		require.NoError(t, err, o.no)
	}
}

func TestANoticeThatIsLostAndSentAgain(t *testing.T) {
	s := serve(t, console.Options{Version: daxpay.GatewayV207})
	b := openBrowser(t)
	door := openShop(t, s, true)
	b.as("en", 1440, false)

	buy := func() string {
		b.open(door)
		b.clickAndLoad("#buy")
		b.run(chromedp.WaitVisible("#qr"))
		var at string
		b.run(chromedp.Location(&at))
		return at
	}
	// 2.0.7 sends a notice when the channel tells it.
	at := buy()
	b.open(s.url + orderPath(t, s, "SHOP-"))
	b.clickAndLoad(`button[value="pay"]`)
	b.open(at)
	b.text("#state", "Paid, known by a notice")

	at = buy()
	no := at[strings.LastIndex(at, "/")+1:]
	order := s.url + orderPath(t, s, no)
	b.open(order)
	b.clickAndLoad(`button[value="lose"]`)
	b.clickAndLoad(`button[value="pay"]`)
	b.text(".tl", "Lose the next") // which the page learns by itself
	b.open(at)
	b.text("#state", "Waiting for the payment")
	b.open(order)
	b.clickAndLoad(`button[value="again"]`)
	b.text(".tl", "received")
	b.screenshot("lost-notice-1440-light-en", true)
	b.open(at)
	b.text("#state", "Paid, known by a notice")
	b.check("shop")
}

func TestAWrongSecretIsExplained(t *testing.T) {
	s, b := openPage(t, "/_console/requests")
	other, err := daxpay.New(daxpay.Config{ServiceURL: s.url, SignSecret: "123456"})
	require.NoError(t, err)
	_, err = other.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
	require.Error(t, err)
	b.text(".reqs ol", "20052") // the page is live
	b.clickAndLoad(".reqs li a")
	b.text(".cause", "The shop uses the secret 123456")
	b.text(".sigs", "Expected")
	b.check("a wrong secret")
}

func TestTheListIsLive(t *testing.T) {
	s, b := openPage(t, "/_console/")
	b.text(".empty", "No orders yet")
	s.pay(t, "LIVE-1", "tea", "")
	b.text(".orders tbody", "LIVE-1")
	b.run(chromedp.Focus(`.orders tbody a`))
	s.pay(t, "LIVE-2", "tea", "")
	b.text(".orders tbody", "LIVE-2")
	var focused string
	b.run(chromedp.Evaluate(`document.activeElement.closest("tr").textContent`, &focused))
	require.Contains(t, focused, "LIVE-1", "the focus stays where it was")
	b.run(chromedp.Click(`[data-do=live]`))
	s.pay(t, "LIVE-3", "tea", "")
	b.text(".held", "+1")
	b.run(chromedp.Click(`[data-do=live]`))
	b.text(".orders tbody", "LIVE-3")
	b.check("live list")

	order := orderPath(t, s, "LIVE-1")
	b.open(s.url + order)
	b.text(".head .chips", "In progress")
	s.do(t, http.MethodPost, "/_cashier/"+filepath.Base(order), url.Values{"act": {"pay"}})
	b.text(".head .chips", "Success")
	b.text(".tl", "Channel tells")
	b.check("live order")
}

// A browser has six connections to a server. A hidden page must not keep one, and catches up when it is seen
// again.
func TestManyTabs(t *testing.T) {
	s := serve(t, console.Options{})
	b := openBrowser(t)
	// Without a screen, every tab counts as visible.
	hide := func(hidden bool) chromedp.Action {
		return chromedp.Evaluate(fmt.Sprintf(`Object.defineProperty(document, "hidden", {value: %v, configurable: true});
			document.dispatchEvent(new Event("visibilitychange")); 0`, hidden), nil)
	}
	for range 8 {
		tab, cancel := chromedp.NewContext(b.ctx)
		t.Cleanup(cancel)
		require.NoError(t, chromedp.Run(tab)) // opens it: a tab ends with the context that does
		limited, done := context.WithTimeout(tab, 20*time.Second)
		require.NoError(t, chromedp.Run(limited, chromedp.Navigate(s.url+"/_console/"), hide(true)))
		done()
	}
	b.as("en", 1440, false)
	b.open(s.url + "/_console/")
	b.run(hide(true))
	s.pay(t, "TAB-1", "tea", "")
	b.run(hide(false))
	b.text(".orders tbody", "TAB-1")
	s.pay(t, "TAB-2", "tea", "")
	b.text(".orders tbody", "TAB-2")
}

func TestTheColoursCanBeSwitched(t *testing.T) {
	s := serve(t, console.Options{})
	b := openBrowser(t)
	colour := func() (is string) {
		b.run(chromedp.Evaluate(`getComputedStyle(document.body).backgroundColor`, &is))
		return is
	}
	const light, dark = "rgb(245, 246, 248)", "rgb(15, 19, 23)"
	for system, colours := range map[bool][2]string{false: {light, dark}, true: {dark, light}} {
		b.as("en", 1440, system)
		b.open(s.url + "/_console/")
		b.run(chromedp.Evaluate(`localStorage.clear()`, nil), chromedp.Reload())
		require.Equal(t, colours[0], colour(), "as the system has it")
		b.run(chromedp.Click("[data-do=theme]"))
		require.Equal(t, colours[1], colour())
		b.open(s.url + "/_console/settings")
		require.Equal(t, colours[1], colour(), "it stays so")
	}
}
