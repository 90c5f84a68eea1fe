package daxpay_test

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

// found lists the findings that are not OK, by name.
func found(r *daxpay.Report) map[string]daxpay.Finding {
	list := map[string]daxpay.Finding{}
	for _, f := range r.Findings {
		if f.Level != daxpay.FindingOK {
			list[f.Name] = f
		}
	}
	return list
}

func TestDoctorRecognizesVersions(t *testing.T) {
	for _, version := range []daxpay.GatewayVersion{daxpay.GatewayV206, daxpay.GatewayV207, daxpay.GatewayV208} {
		for _, pinned := range []bool{false, true} {
			gw := stocked(t, daxpaytest.WithVersion(version))
			report := client(t, gw, func(c *daxpay.Config) {
				if !pinned {
					c.Gateway = daxpay.GatewayAuto
				}
			}).Doctor(context.Background())
			require.True(t, report.Healthy(), report)
			require.Equal(t, version, report.Gateway)
			require.Contains(t, report.String(), "is "+string(version))
			require.Contains(t, report.String(), "are checked")
			require.Positive(t, report.Latency)
			require.LessOrEqual(t, report.ClockDifference.Abs(), 2*time.Second)
			require.LessOrEqual(t, len(gw.Requests()), 6)
			require.ElementsMatch(t, []string{"OnceStore", "notices"}, slices.Collect(maps.Keys(found(report))),
				"that the store forgets, and what to expect of notices")
			require.Contains(t, found(report)["notices"].Detail, map[daxpay.GatewayVersion]string{
				daxpay.GatewayV206: "demo server", daxpay.GatewayV207: "demo server",
				daxpay.GatewayV208: "sends none when a customer pays",
			}[version])
			for _, r := range gw.Requests() {
				require.Contains(t, string(r.Body), "daxpay-doctor-")
			}
		}
	}
}

// examineForger runs Doctor against a server that does not have the secret. The server answers request n, from 1, with
// answer(n); asked is how many requests it got.
func examineForger(t *testing.T, answer func(n int) string) (report *daxpay.Report, asked int) {
	t.Helper()
	forger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = w.Write([]byte(answer(asked)))
	}))
	defer forger.Close()
	kit, err := daxpay.New(daxpay.Config{ServiceURL: forger.URL, SignSecret: "the-secret"})
	require.NoError(t, err)
	report = kit.Doctor(context.Background())
	return report, asked
}

// An answer that cannot be verified proves nothing about the secret: anyone on the line could have sent it.
func TestDoctorBelievesNothingUnverified(t *testing.T) {
	for name, data := range map[string]string{
		"a wrong signature":              `{"code":1,"resTime":1,"sign":"0"}`,
		"a number that cannot be signed": `{"code":1,"x":[1e23],"resTime":1,"sign":"0"}`,
		"a number that is none to Java":  `{"code":1,"x":[1e400],"resTime":1,"sign":"0"}`,
	} {
		t.Run(name, func(t *testing.T) {
			report, _ := examineForger(t, func(n int) string {
				if n == 2 { // Doctor could take it for the answer to the probe with the wrong signature.
					return `{"code":20052,"msg":"验签失败","data":null}`
				}
				return `{"code":0,"msg":"success","data":` + data + `}`
			})
			require.False(t, report.Healthy(), report)
			require.NotContains(t, report.String(), "are right")
			require.NotContains(t, report.String(), "are checked")
		})
	}
}

// An unsigned refusal proves no algorithm: otherwise anyone on the line could make Doctor recommend MD5.
func TestDoctorAdvisesNoAlgorithmUnverified(t *testing.T) {
	for name, last := range map[string]string{
		"a system error":    `{"code":10001,"msg":"系统错误","data":null}`,
		"a wrong signature": `{"code":0,"msg":"success","data":{"code":1,"msg":"支付订单不存在","resTime":1,"sign":"0"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			report, asked := examineForger(t, func(n int) string {
				if n > 3 {
					return last
				}
				return `{"code":20052,"msg":"验签失败","data":null}`
			})
			require.False(t, report.Healthy(), report)
			require.NotContains(t, report.String(), "secret is right")
			require.NotContains(t, report.String(), "set SignType")
			require.NotContains(t, report.String(), "neither right")
			require.Greater(t, asked, 3)
		})
	}
}

func TestDoctorFindsFaults(t *testing.T) {
	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer html.Close()
	for name, tt := range map[string]struct {
		options []daxpaytest.Option
		change  func(*daxpay.Config)
		finding string
		advice  string
	}{
		"wrong secret": {nil, func(c *daxpay.Config) { c.SignSecret = "wrong" }, "secret", "compare SignSecret"},
		"wrong algorithm": {nil, func(c *daxpay.Config) { c.SignType = daxpay.MD5 }, "SignType",
			"set SignType to HMAC_SHA256"},
		"wrong algorithm, 2.0.7": {[]daxpaytest.Option{daxpaytest.WithVersion(daxpay.GatewayV207)},
			func(c *daxpay.Config) { c.SignType, c.Gateway = daxpay.MD5, "" }, "SignType", "set SignType to HMAC_SHA256"},
		"wrong secret, 2.0.7": {[]daxpaytest.Option{daxpaytest.WithVersion(daxpay.GatewayV207)},
			func(c *daxpay.Config) { c.SignSecret, c.Gateway = "wrong", "" }, "secret", "compare SignSecret"},
		"wrong pin": {nil, func(c *daxpay.Config) { c.Gateway = daxpay.GatewayV207 }, "version",
			"set Gateway to 2.0.8"},
		"wrong pin, older": {[]daxpaytest.Option{daxpaytest.WithVersion(daxpay.GatewayV206)},
			func(c *daxpay.Config) { c.Gateway = daxpay.GatewayV208 }, "version", "set Gateway to 2.0.6"},
		"clock": {nil, func(c *daxpay.Config) {
			c.Now = func() time.Time {
				return time.Now().
					Add(-time.Hour)
			}
		}, "clock", "synchronize"},
		"clock, refused": {nil, func(c *daxpay.Config) {
			c.Now = func() time.Time {
				return time.Now().
					Add(-time.Hour)
			}
		}, "request", "synchronize"},
		"wrong prefix": {nil, func(c *daxpay.Config) { c.ServiceURL += "/shop" }, "path prefix", "path prefix"},
		"a proxy":      {nil, func(c *daxpay.Config) { c.ServiceURL = html.URL }, "gateway", "behind the proxy"},
		"2.0.5": {[]daxpaytest.Option{daxpaytest.WithVersion(daxpay.GatewayV205)}, automatic, "secret",
			"GatewayV205"},
		"no check": {[]daxpaytest.Option{daxpaytest.WithoutSignatureCheck()}, nil, "request signatures",
			"switch the check on"},
		"no check, version": {[]daxpaytest.Option{daxpaytest.WithoutSignatureCheck()}, automatic, "version", "pin Gateway"},
		"no check, algorithm": {[]daxpaytest.Option{daxpaytest.WithoutSignatureCheck()},
			func(c *daxpay.Config) { c.SignType = daxpay.MD5 }, "secret", "signs with HMAC_SHA256"},
		"connection refused": {nil, func(c *daxpay.Config) { c.ServiceURL = "http://127.0.0.1:1" }, "reachable",
			"nothing listens there"},
	} {
		t.Run(name, func(t *testing.T) {
			gw := stocked(t, tt.options...)
			report := client(t, gw, tt.change).Doctor(context.Background())
			finding, ok := found(report)[tt.finding]
			require.True(t, ok, report)
			require.Contains(t, finding.Advice, tt.advice, report)
			require.Equal(t, finding.Level == daxpay.FindingWarning, name == "no check, version")
			require.False(t, report.Healthy(), report)
			require.NotContains(t, report.String(), daxpaytest.Secret)
		})
	}
	report := (&daxpay.Client{}).Doctor(context.Background())
	require.False(t, report.Healthy())
	require.Contains(t, report.String(), "FAULT    client")
	require.False(t, stocked(t).Client().Doctor(nil).Healthy()) //nolint:staticcheck // that is what is tested
}

// Whether others can write to the line decides what the refusal of a transfer proves, so Doctor reports it.
func TestDoctorSaysWhetherTheLineIsTrusted(t *testing.T) {
	const untrusted = "so the refusal of a transfer is ErrOutcomeUnknown"
	unverified := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // that is tested
	proxied := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})}
	by := func(transport *http.Transport) func(*daxpay.Config) {
		return func(c *daxpay.Config) { c.HTTPClient.Transport = transport }
	}
	for name, tt := range map[string]struct {
		url     string
		change  func(*daxpay.Config)
		detail  string
		trusted bool
	}{
		"https":      {"https://127.0.0.1:1", func(*daxpay.Config) {}, "https", true},
		"unverified": {"https://127.0.0.1:1", by(unverified), "not verified", false},
		"unverified, trusted": {"https://127.0.0.1:1", func(c *daxpay.Config) {
			c.HTTPClient.Transport, c.TrustedNetwork = unverified, true
		}, "TrustedNetwork says", true},
		"http":     {"http://gateway.invalid", func(*daxpay.Config) {}, "http: anyone on the line", false},
		"declared": {"http://pay.invalid", func(c *daxpay.Config) { c.TrustedNetwork = true }, "TrustedNetwork says", true},
		"loopback": {"http://127.0.0.1:1", func(*daxpay.Config) {}, "loopback", true},
		"a proxy":  {"http://127.0.0.1:1", by(proxied), "a proxy is asked", false},
	} {
		config := daxpay.Config{ServiceURL: tt.url, SignSecret: secret, Retry: once, HTTPClient: &http.Client{}}
		tt.change(&config)
		kit, err := daxpay.New(config)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // the finding needs no request
		report := kit.Doctor(ctx)
		require.Equal(t, "transport", report.Findings[0].Name)
		require.Contains(t, report.Findings[0].Detail, tt.detail, name)
		require.Equal(t, !tt.trusted, strings.Contains(report.Findings[0].Detail, untrusted), name)
		fine := name == "https" || name == "loopback"
		require.Equal(t, fine, report.Findings[0].Level == daxpay.FindingOK, name)
	}
}

// checkedStore is a store with a CheckStore method.
type checkedStore struct {
	daxpay.OnceStore
	err error
}

func (s checkedStore) CheckStore(context.Context) error { return s.err }

// The numbers of payouts must survive a restart, which those in memory do not.
func TestDoctorChecksTheStore(t *testing.T) {
	memory := daxpay.NewMemoryStore(0)
	for name, tt := range map[string]struct {
		store  daxpay.OnceStore
		level  daxpay.FindingLevel
		detail string
	}{
		"default":   {nil, daxpay.FindingWarning, "after a restart"},
		"in memory": {memory, daxpay.FindingWarning, "after a restart"},
		"own":       {struct{ daxpay.OnceStore }{memory}, daxpay.FindingOK, "cannot be checked"},
		"good":      {checkedStore{memory, nil}, daxpay.FindingOK, "keeps"},
		"bad":       {checkedStore{memory, errors.New("it evicts")}, daxpay.FindingWarning, "it evicts"},
	} {
		kit := client(t, stocked(t), func(c *daxpay.Config) { c.OnceStore = tt.store })
		report := kit.Doctor(context.Background())
		require.True(t, report.Healthy(), report)
		at := slices.IndexFunc(report.Findings, func(f daxpay.Finding) bool { return f.Name == "OnceStore" })
		require.GreaterOrEqual(t, at, 0, name)
		require.Equal(t, tt.level, report.Findings[at].Level, name)
		require.Contains(t, report.Findings[at].Detail, tt.detail, name)
	}
}

func TestDoctorWarnsOfMD5(t *testing.T) {
	report := client(t, stocked(t, daxpaytest.WithSignType(daxpay.MD5)), nil).Doctor(context.Background())
	require.True(t, report.Healthy(), report)
	require.Equal(t, daxpay.FindingWarning, found(report)["algorithm"].Level)
	require.NotContains(t, found(client(t, stocked(t), nil).Doctor(context.Background())), "algorithm")
}

// front answers some of the requests, by their number, in place of the gateway.
func front(t *testing.T, gw *daxpaytest.Gateway, answers map[int]http.HandlerFunc) string {
	t.Helper()
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n++; answers[n] != nil {
			answers[n](w, r)
			return
		}
		gw.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// A failure that passes, or proves nothing, must not become a finding.
func TestDoctorDoesNotGuess(t *testing.T) {
	broken := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	t.Run("whether signatures are checked", func(t *testing.T) {
		gw := stocked(t, daxpaytest.WithoutSignatureCheck())
		report := client(t, gw, func(c *daxpay.Config) {
			c.ServiceURL = front(t, gw,
				map[int]http.HandlerFunc{2: broken})
		}).Doctor(context.Background())
		require.NotContains(t, report.String(), "are checked\n")
		require.Equal(t, daxpay.FindingWarning, found(report)["request signatures"].Level)
	})
	t.Run("the version", func(t *testing.T) {
		gw := stocked(t)
		report := client(t, gw, func(c *daxpay.Config) {
			c.ServiceURL = front(t, gw,
				map[int]http.HandlerFunc{3: broken})
		}).Doctor(context.Background())
		require.True(t, report.Healthy(), report)
		require.Equal(t, daxpay.GatewayV208, report.Gateway)
		gw = stocked(t)
		report = client(t, gw, func(c *daxpay.Config) {
			c.ServiceURL, c.Gateway = front(t, gw, map[int]http.HandlerFunc{3: broken}), daxpay.GatewayV207
		}).Doctor(context.Background())
		require.Equal(t, daxpay.FindingWarning, found(report)["version"].Level, report)
		require.Contains(t, found(report)["version"].Detail, "502", "the reason is the probe that failed")
	})
	t.Run("the secret, when only the clock is wrong", func(t *testing.T) {
		gw := stocked(t, daxpaytest.WithVersion(daxpay.GatewayV207),
			daxpaytest.WithClock(func() time.Time { return time.Now().Add(10 * time.Minute) }))
		report := client(t, gw, func(c *daxpay.Config) { c.Now = nil }).Doctor(context.Background())
		require.NotContains(t, found(report), "secret", report)
		require.Equal(t, daxpay.FindingFault, found(report)["clock"].Level, report)
		require.Equal(t, 10*time.Minute, report.ClockDifference.Round(time.Minute))
	})
	t.Run("clocks that are wrong and work", func(t *testing.T) {
		for version, offset := range map[daxpay.GatewayVersion]time.Duration{daxpay.GatewayV208: -30 * time.Second,
			daxpay.GatewayV207: 30 * time.Second} {
			gw := stocked(t, daxpaytest.WithVersion(version),
				daxpaytest.WithClock(func() time.Time { return time.Now().Add(offset) }))
			report := client(t, gw, func(c *daxpay.Config) { c.Now = nil }).Doctor(context.Background())
			require.True(t, report.Healthy(), report)
			require.Equal(t, daxpay.FindingWarning, found(report)["clock"].Level, report)
		}
	})
	t.Run("2.0.5", func(t *testing.T) {
		report := stocked(t, daxpaytest.WithVersion(daxpay.GatewayV205)).Client().Doctor(context.Background())
		require.True(t, report.Healthy(), report)
		require.Contains(t, report.String(), "cannot be examined")
	})
	t.Run("answers without signature", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"code":0,"data":{"code":0}}`))
		}))
		defer server.Close()
		kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret})
		require.NoError(t, err)
		require.Contains(t, kit.Doctor(context.Background()).String(), "does not sign its answers")
	})
	for status, advice := range map[int]string{301: "final address", 403: "let this client through",
		503: "behind the proxy", 404: "path prefix"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret})
		require.NoError(t, err)
		report := kit.Doctor(context.Background())
		require.False(t, report.Healthy())
		require.Contains(t, report.String(), advice, status)
		server.Close()
	}
}

// Doctor names the server that answers in place of the gateway, and what to change.
func TestDoctorNamesWhatAnswers(t *testing.T) {
	answers3x := `{"code":10506,"msg":"商户号不可为空","data":null,"traceId":"T"}`
	for name, tt := range map[string]struct {
		do      func(m merchant) string // the URL
		finding string
		advice  string
	}{
		"a TLS port": {func(m merchant) string {
			return strings.Replace(m.secure().URL, "https://", "http://", 1)
		}, "transport", "write https://"},
		"a port without TLS": {func(m merchant) string {
			return strings.Replace(m.gw.URL(), "http://", "https://", 1)
		}, "reachable", "write http://"},
		"3.x": {func(m merchant) string {
			server := httptest.NewServer(answers(http.StatusOK, "application/json", answers3x))
			m.t.Cleanup(server.Close)
			return server.URL
		}, "version", "use the client for DaxPay 3.x"},
		"a path of 3.x": {func(m merchant) string {
			server := httptest.NewServer(answers(http.StatusNotFound, "application/json", `{"code":10404,"msg":"x"}`))
			m.t.Cleanup(server.Close)
			return server.URL
		}, "version", "use the client for DaxPay 3.x"},
	} {
		t.Run(name, func(t *testing.T) {
			m := merchant{t, daxpaytest.Start(t)}
			url := tt.do(m)
			report := client(t, m.gw, func(c *daxpay.Config) { c.ServiceURL = url }).Doctor(context.Background())
			require.False(t, report.Healthy())
			require.Contains(t, report.String(), tt.advice)
			var advice []string
			for _, f := range report.Findings {
				if f.Name == tt.finding && f.Level == daxpay.FindingFault {
					advice = append(advice, f.Advice)
				}
			}
			require.Len(t, advice, 1, report)
			require.Contains(t, advice[0], tt.advice)
		})
	}
}

// A wrong secret is not reported as a wrong algorithm.
func TestDoctorTellsSecretAndAlgorithmApart(t *testing.T) {
	for _, version := range []daxpay.GatewayVersion{daxpay.GatewayV206, daxpay.GatewayV207, daxpay.GatewayV208} {
		for _, wrongSecret := range []bool{false, true} {
			gw := stocked(t, daxpaytest.WithVersion(version))
			report := client(t, gw, func(c *daxpay.Config) {
				c.Gateway, c.SignType = daxpay.GatewayAuto, daxpay.MD5
				if wrongSecret {
					c.SignSecret = "wrong"
				}
			}).Doctor(context.Background())
			require.LessOrEqual(t, len(gw.Requests()), 6)
			text := report.String()
			require.Equal(t, wrongSecret, strings.Contains(text, "compare SignSecret"), text)
			require.Equal(t, !wrongSecret, strings.Contains(text, "set SignType to HMAC_SHA256; the secret is right"), text)
		}
	}
}
