package daxpay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// merchant makes mistakes with a gateway.
type merchant struct {
	t  *testing.T
	gw *daxpaytest.Gateway
}

// configures makes a payment with a client that change has misconfigured.
func (m merchant) configures(change func(*daxpay.Config)) error {
	config := m.gw.Config()
	change(&config)
	kit, err := daxpay.New(config)
	if err != nil {
		return err
	}
	_, err = kit.Pay(context.Background(), goodPay())
	return err
}

// pays sends a good param after change has spoiled it.
func (m merchant) pays(change func(*param.PayParam)) error {
	p := goodPay()
	change(p)
	_, err := client(m.t, m.gw, nil).Pay(context.Background(), p)
	return err
}

// meets makes a payment at a server that is not the gateway.
func (m merchant) meets(handler http.HandlerFunc) error {
	server := httptest.NewServer(handler)
	m.t.Cleanup(server.Close)
	return m.configures(func(c *daxpay.Config) { c.ServiceURL, c.SignSecret = server.URL, secret })
}

// refuses is a transport that fails.
type refuses struct{ err error }

func (r refuses) RoundTrip(*http.Request) (*http.Response, error) { return nil, r.err }

// secure is the gateway behind TLS.
func (m merchant) secure() *httptest.Server {
	server := httptest.NewUnstartedServer(m.gw)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	m.t.Cleanup(server.Close)
	return server
}

func goodPay() *param.PayParam {
	return &param.PayParam{
		BizOrderNo: "B7", Title: "tea", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 100,
	}
}

func clockOff(by time.Duration) func(*daxpay.Config) {
	return func(c *daxpay.Config) {
		now := c.Now
		if now == nil {
			now = time.Now
		}
		c.Now = func() time.Time { return now().Add(by) }
	}
}

func answers(status int, contentType, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// TestMistakes compares the error texts of common mistakes. Each text begins with what to do.
func TestMistakes(t *testing.T) {
	const pay = "daxpay: /unipay/pay: "
	const json = "application/json"
	unknown := daxpay.ErrOutcomeUnknown
	answer := func(t *testing.T) string { return sealed(t, `"code":0,"resTime":1715500000,"orderNo":"1"`) }
	for _, tt := range []struct {
		mistake string
		do      func(m merchant) error
		begins  string // the message
		then    string // somewhere in it
		is, not error
	}{
		{"the wrong port", func(m merchant) error {
			return m.configures(func(c *daxpay.Config) { c.ServiceURL = "http://127.0.0.1:1" })
		}, pay + "check host and port", "", nil, unknown},
		{"the wrong host", func(m merchant) error {
			return m.configures(func(c *daxpay.Config) {
				c.HTTPClient = &http.Client{Transport: refuses{&net.DNSError{Err: "no such host", Name: "pay", IsNotFound: true}}}
			})
		}, pay + "check the host", "", nil, nil},
		{"https to a port without TLS", func(m merchant) error {
			return m.configures(func(c *daxpay.Config) {
				c.ServiceURL = strings.Replace(c.ServiceURL, "http://", "https://", 1)
			})
		}, pay + "write http://", "", nil, unknown},
		{"http to a TLS port", func(m merchant) error {
			url := m.secure().URL
			return m.configures(func(c *daxpay.Config) { c.ServiceURL = strings.Replace(url, "https://", "http://", 1) })
		}, pay + "write https://", "", nil, unknown},
		{"a certificate of an unknown authority", func(m merchant) error {
			url := m.secure().URL
			return m.configures(func(c *daxpay.Config) { c.ServiceURL = url })
		}, pay + "give the gateway a certificate", "", nil, unknown},
		{"the wrong path prefix", func(m merchant) error {
			return m.configures(func(c *daxpay.Config) { c.ServiceURL += "/shop" })
		}, pay + "check the path prefix", "", nil, nil},
		{"the path prefix of the calls", func(m merchant) error {
			return m.configures(func(c *daxpay.Config) { c.ServiceURL += "/unipay" })
		}, pay + "leave /unipay out of ServiceURL", "", nil, nil},
		{"a wrong path, says nginx", func(m merchant) error { return m.meets(answers(404, "text/html", "<html>404")) },
			pay + "check the path prefix", "", unknown, nil},
		{"a wrong path, says Spring", func(m merchant) error {
			return m.meets(answers(404, json, `{"timestamp":"x","status":404,"error":"Not Found","path":"/unipay/pay"}`))
		}, pay + "check the path prefix", "", nil, unknown},
		{"the wrong secret", func(m merchant) error {
			return m.configures(func(c *daxpay.Config) { c.SignSecret = "other" })
		}, pay + "check SignSecret", "", nil, unknown},
		{"the wrong secret, GatewayAuto", func(m merchant) error {
			return m.configures(func(c *daxpay.Config) { c.SignSecret, c.Gateway = "other", daxpay.GatewayAuto })
		}, pay + "compare SignSecret", "", nil, unknown},
		{"a blank after the secret", func(m merchant) error {
			return m.configures(func(c *daxpay.Config) { c.SignSecret += " " })
		}, "daxpay: Config.SignSecret", "white space", daxpay.ErrConfig, nil},
		{"the wrong algorithm", func(m merchant) error {
			return m.configures(func(c *daxpay.Config) { c.SignType = daxpay.MD5 })
		}, pay + "check SignSecret", "SignType", nil, unknown},
		{"the wrong version", func(m merchant) error {
			_, err := client(m.t, m.gw, func(c *daxpay.Config) { c.Gateway = daxpay.GatewayV206 }).
				SyncPay(context.Background(), &param.PaySyncParam{BizOrderNo: "B7"})
			return err
		}, "daxpay: /unipay/syncPay: check the path prefix in ServiceURL, and whether Gateway is the right", "", nil, nil},
		{"a clock that is a minute slow", func(m merchant) error { return m.configures(clockOff(-time.Minute)) },
			pay + "synchronize the clocks", "1m0s ahead", nil, unknown},
		{"a clock that is hours fast", func(m merchant) error { return m.configures(clockOff(3 * time.Hour)) },
			pay + "synchronize the clocks", "behind", nil, unknown},
		{"a 3.x gateway", func(m merchant) error {
			return m.meets(answers(200, json, `{"code":10506,"msg":"商户号不可为空","data":null,"traceId":"T"}`))
		}, pay + "use the client for DaxPay 3.x", "2.0.x", nil, nil},
		{"a path of 3.x", func(m merchant) error {
			return m.meets(answers(404, json, `{"code":10404,"msg":"x","data":null,"traceId":"T"}`))
		}, pay + "use the client for DaxPay 3.x", "2.0.x", nil, nil},
		{"an answer of 3.0", func(m merchant) error {
			return m.meets(answers(200, json, `{"code":0,"data":{"code":0},"sign":"`+strings.Repeat("0f", 32)+`"}`))
		}, pay + "use the client for DaxPay 3.0", "2.0.x", daxpay.ErrSignMissing, nil},
		{"an answer of 4.x", func(m merchant) error {
			return m.meets(answers(200, json, `{"code":0,"message":"x","data":{"code":0},"reqId":"1"}`))
		}, pay + "use the client for DaxPay 3.1 or 4.x", "2.0.x", daxpay.ErrSignMissing, nil},
		{"a gateway that is down behind nginx", func(m merchant) error {
			return m.meets(answers(502, "text/html", "<html>502 Bad Gateway"))
		}, pay + "check that the gateway", "", unknown, nil},
		{"a login page", func(m merchant) error { return m.meets(answers(200, "text/html", "<!DOCTYPE html><form>")) },
			pay + "check host, port and path prefix", "login", unknown, nil},
		{"a redirect to https", func(m merchant) error {
			return m.meets(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "https://127.0.0.1"+r.URL.Path)
				w.WriteHeader(http.StatusMovedPermanently)
			})
		}, pay + "write https://", "", nil, unknown},
		{"a redirect elsewhere", func(m merchant) error {
			return m.meets(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) })
		}, pay + "put the final address", "", unknown, nil},
		{"nginx's TLS port", func(m merchant) error {
			return m.meets(answers(400, "text/html", "<center>The plain HTTP request was sent to HTTPS port</center>"))
		}, pay + "write https://", "", nil, unknown},
		{"a compressed answer", func(m merchant) error {
			return m.meets(answers(200, json, "\x0b\x02\x80", "Content-Encoding", "br"))
		}, pay + "switch off the compression", `"br"`, unknown, nil},
		{"an answer compressed twice", func(m merchant) error {
			return m.meets(answers(200, json, gzipped(gzipped("{}")), "Content-Encoding", "gzip"))
		}, pay + "switch off the compression", "gzip", unknown, nil},
		{"a BOM", func(m merchant) error { return m.meets(answers(200, json, "\ufeff"+answer(m.t))) },
			pay + "find what writes a byte order mark (BOM)", "", unknown, nil},
		{"GBK", func(m merchant) error {
			return m.meets(answers(200, json, "{\"code\":10001,\"msg\":\"\xd6\xa7\xb8\xb6\"}"))
		}, pay + "find what converts the answer to another charset, such as GBK", "", unknown, nil},
		{"an empty answer", func(m merchant) error { return m.meets(answers(200, json, "")) },
			pay + "check host, port and path prefix", "empty", unknown, nil},
		{"another service", func(m merchant) error { return m.meets(answers(200, json, `{"hello":"world"}`)) },
			pay + "check host, port and path prefix", "", unknown, nil},
		{"times in milliseconds", func(m merchant) error {
			return m.meets(answers(200, json, sealed(m.t, `"code":0,"resTime":1715500000000,"orderNo":"1"`)))
		}, pay + "find what changes times", "milliseconds", daxpay.ErrStale, nil},
		{"a context that is over", func(m merchant) error {
			ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
			defer cancel()
			_, err := client(m.t, m.gw, nil).SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "B7"})
			return err
		}, "daxpay: /unipay/sync/pay: allow more time", "nothing was sent", context.DeadlineExceeded, unknown},
		{"ExpiredTime in milliseconds", func(m merchant) error {
			return m.pays(func(p *param.PayParam) { p.ExpiredTime = time.Unix(time.Now().UnixMilli(), 0) })
		}, "daxpay: param.PayParam: ExpiredTime", "needs time.UnixMilli", daxpay.ErrParam, nil},
		{"a notice with another secret", func(m merchant) error {
			m.gw.SetPayment(daxpaytest.Payment{BizOrderNo: "B7", Amount: 100, Status: model.PaySyncSuccess})
			_, err := client(m.t, m.gw, func(c *daxpay.Config) { c.SignSecret = "other" }).
				ParseNotice([]byte(noticeOf(m.t, m.gw, "B7")))
			return err
		}, "daxpay: signature mismatch: notice; compare SignSecret and SignType", "", daxpay.ErrSignMismatch, nil},
		{"NotifyURL too long", func(m merchant) error {
			return m.pays(func(p *param.PayParam) { p.NotifyURL = "https://a.example/" + strings.Repeat("x", 150) })
		}, "daxpay: param.PayParam: NotifyURL", "150", daxpay.ErrParam, nil},
		{"amount 0", func(m merchant) error { return m.pays(func(p *param.PayParam) { p.Amount = 0 }) },
			"daxpay: param.PayParam: Amount", "", daxpay.ErrParam, nil},
		{"a negative amount", func(m merchant) error { return m.pays(func(p *param.PayParam) { p.Amount = -1 }) },
			"daxpay: param.PayParam: Amount", "", daxpay.ErrParam, nil},
		{"a title with &", func(m merchant) error {
			return m.pays(func(p *param.PayParam) { p.Title = "a&status=success" })
		}, "daxpay: param.PayParam: Title", "&", daxpay.ErrParam, nil},
		{"no BizOrderNo", func(m merchant) error { return m.pays(func(p *param.PayParam) { p.BizOrderNo = "" }) },
			"daxpay: param.PayParam: BizOrderNo", "", daxpay.ErrParam, nil},
		{"an unknown method", func(m merchant) error { return m.pays(func(p *param.PayParam) { p.Method = "qr_code" }) },
			pay + "check Channel and Method", "", unknown, nil},
		{"an unknown channel", func(m merchant) error { return m.pays(func(p *param.PayParam) { p.Channel = "alipay" }) },
			pay + "check Channel and Method", "", unknown, nil},
		{"an unknown order", func(m merchant) error {
			_, err := client(m.t, m.gw, nil).QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "none"})
			return err
		}, "daxpay: /unipay/query/payOrder: the gateway does not have this order: check the number", "",
			daxpay.ErrNoSuchOrder, unknown},
		{"a refund of more than was paid", func(m merchant) error {
			m.gw.SetPayment(daxpaytest.Payment{BizOrderNo: "B8", Amount: 100, Status: model.PaySyncSuccess})
			_, err := client(m.t, m.gw, nil).Refund(context.Background(),
				&param.RefundParam{BizRefundNo: "R8", BizOrderNo: "B8", Amount: 101})
			return err
		}, "daxpay: /unipay/refund: lower the amount", "RefundableBalance", nil, unknown},
		{"a payment of a paid order", func(m merchant) error {
			m.gw.SetPayment(daxpaytest.Payment{BizOrderNo: "B7", Amount: 100, Status: model.PaySyncSuccess})
			return m.pays(func(*param.PayParam) {})
		}, pay + "the payment was paid before: query it", "", daxpay.ErrAlreadyPaid, nil},
		{"a notice URL behind something that reads the body", func(m merchant) error {
			var told error
			handler := client(m.t, m.gw, nil).NoticeHandler(daxpay.NoticeHandlers{
				OnError: func(_ context.Context, err error) { told = err },
			})
			deliver(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				handler.ServeHTTP(w, r)
			}), `{"code":0}`)
			return told
		}, "daxpay: notice not received, replied 400: mount the handler before anything that reads the body", "empty",
			daxpay.ErrProtocol, nil},
	} {
		t.Run(tt.mistake, func(t *testing.T) {
			err := tt.do(merchant{t, daxpaytest.Start(t)})
			require.Error(t, err)
			t.Log(err)
			require.True(t, strings.HasPrefix(err.Error(), tt.begins), "%v", err)
			require.ErrorContains(t, err, tt.then)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			require.False(t, tt.not != nil && errors.Is(err, tt.not), "%v", err)
		})
	}
}

// A gateway of another edition has its signature elsewhere. Explain says so.
func TestExplainNamesTheEdition(t *testing.T) {
	m := merchant{t, daxpaytest.Start(t)}
	for edition, body := range map[string]string{
		"3.0":        `{"code":0,"data":{"code":0},"sign":"` + strings.Repeat("0f", 32) + `"}`,
		"3.1 or 4.x": `{"code":0,"data":{"code":0},"sign":"` + strings.Repeat("QUFB", 43) + `"}`,
		"":           `{"code":0,"data":{"code":0},"sign":""}`, // 2.0.5
	} {
		err := m.meets(answers(http.StatusOK, "application/json", body))
		var sign *daxpay.SignError
		require.ErrorAs(t, err, &sign, edition)
		if edition == "" {
			require.NotContains(t, sign.Explain()+err.Error(), "DaxPay")
			continue
		}
		require.Contains(t, sign.Explain(), "hint:      use the client for DaxPay "+edition)
		require.ErrorContains(t, err, "use the client for DaxPay "+edition)
	}
}
