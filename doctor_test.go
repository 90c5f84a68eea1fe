package daxpay_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

// found lists the findings that are not fine, by name.
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
			require.LessOrEqual(t, len(gw.Requests()), 9)
			require.Equal(t, map[string]daxpay.Finding{
				"transport": {Name: "transport", Level: daxpay.FindingWarning, Detail: found(report)["transport"].Detail, Advice: found(report)["transport"].Advice},
			}, found(report), "only that it is http")
			for _, r := range gw.Requests() {
				require.Contains(t, string(r.Body), "daxpay-doctor-")
			}
		}
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
		"wrong secret":        {nil, func(c *daxpay.Config) { c.SignSecret = "wrong" }, "secret", "compare SignSecret"},
		"wrong algorithm":     {nil, func(c *daxpay.Config) { c.SignType = daxpay.MD5 }, "secret", "compare SignSecret"},
		"wrong secret, 2.0.7": {[]daxpaytest.Option{daxpaytest.WithVersion(daxpay.GatewayV207)}, func(c *daxpay.Config) { c.SignSecret, c.Gateway = "wrong", "" }, "secret", "compare SignSecret"},
		"wrong pin":           {nil, func(c *daxpay.Config) { c.Gateway = daxpay.GatewayV207 }, "version", "set Gateway to 2.0.8"},
		"wrong pin, older":    {[]daxpaytest.Option{daxpaytest.WithVersion(daxpay.GatewayV206)}, func(c *daxpay.Config) { c.Gateway = daxpay.GatewayV208 }, "version", "set Gateway to 2.0.6"},
		"clock":               {nil, func(c *daxpay.Config) { c.Now = func() time.Time { return time.Now().Add(-time.Hour) } }, "clock", "synchronize"},
		"clock, refused":      {nil, func(c *daxpay.Config) { c.Now = func() time.Time { return time.Now().Add(-time.Hour) } }, "request", "synchronize"},
		"wrong prefix":        {nil, func(c *daxpay.Config) { c.ServiceURL += "/shop" }, "path prefix", "path prefix"},
		"a proxy":             {nil, func(c *daxpay.Config) { c.ServiceURL = html.URL }, "path prefix", "path prefix"},
		"2.0.5":               {[]daxpaytest.Option{daxpaytest.WithVersion(daxpay.GatewayV205)}, nil, "path prefix", "GatewayV205"},
		"no check":            {[]daxpaytest.Option{daxpaytest.WithoutSignatureCheck()}, nil, "request signatures", "switch the check on"},
		"no check, version":   {[]daxpaytest.Option{daxpaytest.WithoutSignatureCheck()}, automatic, "version", "pin Gateway"},
		"no check, algorithm": {[]daxpaytest.Option{daxpaytest.WithoutSignatureCheck()}, func(c *daxpay.Config) { c.SignType = daxpay.MD5 }, "secret", "signs with HMAC_SHA256"},
		"nobody listens":      {nil, func(c *daxpay.Config) { c.ServiceURL = "http://127.0.0.1:1" }, "reachable", "firewall"},
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
