package console_test

import (
	"bufio"
	"context"
	"html"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/cmd/daxpay/internal/console"
	"github.com/daxpay-go/daxpay/param"
)

// post sends a body as a shop or a page does.
func (s *served) post(t *testing.T, path, body string, headers ...string) int {
	t.Helper()
	headers = append([]string{"Content-Type", "application/json"}, headers...)
	status, _ := s.send(t, http.MethodPost, path, body, headers...)
	return status
}

// A foreign page may link here, and show the QR code of a payment. It must not load anything else, such as streams of
// events, of which there are only so many.
func TestForeignPagesLoadNothing(t *testing.T) {
	s := serve(t, console.Options{})
	paid := s.pay(t, "A1", "tea", "")
	for _, site := range []string{"cross-site", "same-site"} {
		for _, path := range []string{
			"/_console/", "/_console/requests", "/_console/lang?to=zh", "/_cashier/" + paid.OrderNo,
		} {
			status, _ := s.get(t, path, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "no-cors")
			require.Equal(t, http.StatusForbidden, status, "%s %s", site, path)
			status, _ = s.get(t, path, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate")
			require.Equal(t, http.StatusOK, status, "%s %s", site, path)
		}
		status, _ := s.get(t, "/_cashier/"+paid.OrderNo+"/qr.svg", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "no-cors")
		require.Equal(t, http.StatusOK, status)
	}
}

// A web site that a developer visits must not fill the list of requests, nor, by DNS rebinding, call the gateway with
// the secret that every new one has.
func TestForeignPagesDoNotReachTheGateway(t *testing.T) {
	s := serve(t, console.Options{})
	for status, headers := range map[int][]string{
		http.StatusForbidden:          {"Origin", "http://evil.example", "Content-Type", "text/plain"},
		http.StatusMisdirectedRequest: {"Origin", "http://evil.example", "Host", "evil.example"},
	} {
		require.Equal(t, status, s.post(t, "/unipay/evil", "{}", headers...))
	}
	require.Equal(t, http.StatusForbidden, s.post(t, "/unipay/evil", "{}", "Sec-Fetch-Site", "cross-site"))
	require.Equal(t, http.StatusOK, s.post(t, "/unipay/pay", "{}", "Host", "gateway.test:9000"), "a shop is no browser")
	_, body := s.get(t, "/_console/requests")
	require.NotContains(t, body, "/unipay/evil")
	require.Contains(t, body, "/unipay/pay")
}

// A form that lacks something, or is only half there, must not be taken for another one.
func TestIncompleteForms(t *testing.T) {
	s := serve(t, console.Options{})
	paid := s.pay(t, "A1", "tea", "")
	cashier, order := "/_cashier/"+paid.OrderNo, "/_console/orders/pay/"+paid.OrderNo
	huge := strings.Repeat("x", 100_000)
	for _, tt := range []struct {
		path   string
		form   url.Values
		status int
	}{
		{"/_console/settings/do", url.Values{"act": {"checks"}}, http.StatusBadRequest},
		{"/_console/settings/do", url.Values{"act": {"resends"}, "value": {"yes"}}, http.StatusBadRequest},
		{"/_console/settings/do", url.Values{"act": {"silent"}}, http.StatusBadRequest},
		{"/_console/settings/do", url.Values{"act": {"signtype"}, "value": {"SM3"}}, http.StatusBadRequest},
		{"/_console/settings/do", url.Values{"act": {"clock"}, "to": {"2d"}}, http.StatusBadRequest},
		{"/_console/settings/do", url.Values{"act": {"obey"}, "op": {huge[:100]}}, http.StatusBadRequest},
		{"/_console/settings/do", url.Values{"act": {"secret"}, "secret": {huge}}, http.StatusRequestEntityTooLarge},
		{order + "/do", url.Values{"act": {"manner"}, "op": {"none"}, "manner": {"takes"}}, http.StatusBadRequest},
		{order + "/do", url.Values{"act": {"manner"}, "op": {"pay"}, "manner": {"dances"}}, http.StatusBadRequest},
		{order + "/do", url.Values{"act": {"pay"}, "more": {huge}}, http.StatusRequestEntityTooLarge},
		{cashier, url.Values{}, http.StatusBadRequest},
		{cashier, url.Values{"act": {"paid"}}, http.StatusBadRequest},
		{cashier, url.Values{"act": {"pay"}, "more": {huge}}, http.StatusRequestEntityTooLarge},
		{cashier + "?%zz", url.Values{"act": {"pay"}}, http.StatusBadRequest},
	} {
		status, body := s.do(t, http.MethodPost, tt.path, tt.form)
		require.Equal(t, tt.status, status, "%s %.80v: %.500s", tt.path, tt.form, body)
	}
	_, body := s.get(t, order, "Accept-Language", "en")
	require.NotContains(t, body, "User declines")
	require.NotContains(t, body, "User pays</strong>")
	_, err := s.kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
	require.NoError(t, err, "the algorithm is the same")
	_, body = s.get(t, "/_console/settings", "Accept-Language", "en")
	require.Contains(t, body, `<span class="btn on">Yes</span>`, "signatures are checked")
}

func TestHostileQueries(t *testing.T) {
	s := serve(t, console.Options{})
	s.pay(t, "A1", "tea", "")
	for _, query := range []string{
		"q=" + strings.Repeat("a", 60_000), "q=" + strings.Repeat("_", 30_000), "q=%00", "q=%ff%fe", "q=%25_%5C'%22",
		"before=-1", "before=9223372036854775807", "before=99999999999999999999", "before=x", "kind=none&status=none",
		"q=" + url.QueryEscape(`"><script>alert(1)</script>`), "said=" + url.QueryEscape("<script>alert(1)</script>"),
		"kind=" + url.QueryEscape(`"><script>alert(1)</script>`), "bad=%zz",
	} {
		for _, path := range []string{"/_console/", "/_console/requests", "/_console/notices"} {
			status, body := s.get(t, path+"?"+query)
			require.Equal(t, http.StatusOK, status, "%s?%.60s: %.300s", path, query, body)
			require.NotContains(t, body, "<script>alert")
		}
	}
	for _, path := range []string{
		"/_console/orders/pay/" + url.PathEscape(`"><script>alert(1)</script>`), "/_console/orders/none/1",
		"/_console/requests/0x1", "/_console/requests/-1", "/_console/requests/99999999999999999999", "/_console/..%2f",
	} {
		status, body := s.get(t, path)
		require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, status, path)
		require.NotContains(t, body, "<script>alert")
	}
	for _, back := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "/_console/..//evil.example/%zz"} {
		_, body := s.get(t, "/_console/lang?to=zh&back="+url.QueryEscape(back))
		require.Contains(t, body, "daxpay serve", back)
	}
}

var copied = regexp.MustCompile(`data-copy="(curl [^"]*)"`)

// What "Copy as curl" puts into a shell is what was sent, and nothing runs but curl.
func TestCopyAsCurl(t *testing.T) {
	s := serve(t, console.Options{})
	dir := t.TempDir()
	pwned := filepath.Join(dir, "pwned")
	for _, tt := range []struct{ path, body string }{
		{"/unipay/pay", `{"title":"it's <tea>","note":"$(touch ` + pwned + `)"}`},
		{"/unipay/pay;touch " + pwned + ";", "{}"},
		{"/unipay/`touch " + pwned + "`$(touch " + pwned + ")'x", "{}"},
		{"/unipay/pay", "@/etc/hostname"},
	} {
		s.post(t, (&url.URL{Path: tt.path}).EscapedPath(), tt.body)
		_, page := s.get(t, "/_console/requests")
		found := copied.FindStringSubmatch(page)
		require.NotNil(t, found)
		script := "curl() { printf '%s\\0' \"$@\"; }\n" + html.UnescapeString(found[1])
		c := exec.CommandContext(context.Background(), "sh", "-c", script)
		c.Dir = dir
		out, err := c.CombinedOutput()
		require.NoError(t, err, string(out))
		arguments := strings.Split(string(out), "\x00")
		require.Contains(t, arguments, s.url+(&url.URL{Path: tt.path}).EscapedPath())
		require.Contains(t, arguments, "--data-raw", "another option would read a file for a body that begins with @")
		require.Contains(t, arguments, tt.body)
		require.NoFileExists(t, pwned)
	}
	s.post(t, "/unipay/pay", "{}\x1b[201~\ntouch "+pwned)
	_, page := s.get(t, "/_console/requests")
	require.NotRegexp(t, copied, page, "control characters can end what a terminal takes for pasted")
}

// stream opens a stream of events and returns the status and its lines.
func (s *served) stream(ctx context.Context, t *testing.T, query string) (int, <-chan string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/_console/events?"+query, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			if in.Text() != "" {
				lines <- in.Text()
			}
		}
	}()
	return res.StatusCode, lines
}

func TestManyStreams(t *testing.T) {
	s := serve(t, console.Options{})
	ctx := context.Background()
	status, _ := s.stream(ctx, t, strings.Repeat("topic=x&", 1000))
	require.Equal(t, http.StatusBadRequest, status)
	leaves, leave := context.WithCancel(ctx)
	defer leave()
	_, first := s.stream(leaves, t, "topic=orders")
	require.Equal(t, ": here", <-first)
	for range 99 {
		_, lines := s.stream(ctx, t, "topic=requests")
		require.Equal(t, ": here", <-lines)
	}
	status, _ = s.stream(ctx, t, "topic=orders")
	require.Equal(t, http.StatusServiceUnavailable, status)
	s.pay(t, "A1", "tea", "")
	require.Equal(t, "data: changed", <-first)
	leave()
	require.Eventually(t, func() bool {
		status, _ := s.stream(ctx, t, "topic=orders")
		return status == http.StatusOK
	}, 5*time.Second, 10*time.Millisecond, "its place is free again")
	began := time.Now()
	require.NoError(t, s.stop())
	require.Less(t, time.Since(began), 3*time.Second, "pages that are open do not hold up the end")
}

// A huge request costs no more than what is kept of it, in memory and on a page.
func TestHugeRequests(t *testing.T) {
	s := serve(t, console.Options{})
	start := `{"bizOrderNo":"A1","title":"tea","channel":"ali_pay","method":"qrcode","amount":1,"reqTime":1,"sign":"0",`
	for _, size := range []int{200_000, 1_000_000} {
		s.post(t, "/unipay/pay", start+`"extraParam":{"x":"`+strings.Repeat("a", size)+`"}}`)
		for _, path := range []string{"/_console/", "/_console/requests"} {
			status, body := s.get(t, path, "Accept-Language", "en")
			require.Equal(t, http.StatusOK, status)
			require.Less(t, len(body), 300_000, "%s after %d bytes", path, size)
		}
	}
	_, body := s.get(t, "/_console/requests", "Accept-Language", "en")
	require.NotContains(t, body, "secret has changed", "what was cut off proves nothing")
}
