package daxpay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

func TestNewReportsEveryMistake(t *testing.T) {
	_, err := daxpay.New(daxpay.Config{
		ServiceURL: "ftp://x", SignSecret: " \t", SignType: "SHA1", Gateway: "3.0.0", ClientIP: "localhost",
		Timeout: -1, MaxAnswerSize: -1,
	})
	require.ErrorIs(t, err, daxpay.ErrConfig)
	for _, field := range []string{"ServiceURL", "SignSecret", "SignType", "Gateway", "ClientIP", "Timeout",
		"MaxAnswerSize"} {
		require.ErrorContains(t, err, "Config."+field)
	}
	var first *daxpay.ConfigError
	require.ErrorAs(t, err, &first)
	require.Equal(t, "ServiceURL", first.Field)
}

func TestConfigFields(t *testing.T) {
	for _, tt := range []struct {
		change func(*daxpay.Config)
		field  string // empty: accepted
	}{
		{func(*daxpay.Config) {}, ""},
		{func(c *daxpay.Config) { c.ServiceURL = "" }, "ServiceURL must be set"},
		{func(c *daxpay.Config) { c.ServiceURL = "127.0.0.1:9000" }, "ServiceURL must start with http"},
		{func(c *daxpay.Config) { c.ServiceURL = " http://127.0.0.1:9000" }, "ServiceURL must not have white space"},
		{func(c *daxpay.Config) { c.ServiceURL = "http://[::1" }, "ServiceURL is not a URL"},
		{func(c *daxpay.Config) { c.ServiceURL = "http://" }, "ServiceURL has no host"},
		{func(c *daxpay.Config) { c.ServiceURL = "http://:80" }, "ServiceURL has no host"},
		{func(c *daxpay.Config) { c.ServiceURL = "https://user:pass@host" }, "ServiceURL must not hold a user"},
		{func(c *daxpay.Config) { c.ServiceURL = "https://host/?a=1" }, "ServiceURL must not have a query"},
		{func(c *daxpay.Config) { c.ServiceURL = "https://host/?" }, "ServiceURL must not have a query"},
		{func(c *daxpay.Config) { c.ServiceURL = "https://host/#a" }, "ServiceURL must not have a query"},
		{func(c *daxpay.Config) { c.ServiceURL = "https://host/prefix/" }, ""},
		{func(c *daxpay.Config) { c.ServiceURL = "http://[::1]:9000" }, ""},
		{func(c *daxpay.Config) { c.SignSecret = "" }, "SignSecret must be set"},
		{func(c *daxpay.Config) { c.SignSecret = "a\xff" }, "SignSecret must be valid UTF-8"},
		{func(c *daxpay.Config) { c.SignType = daxpay.MD5 }, ""},
		{func(c *daxpay.Config) { c.SignType = "md5" }, ""},
		{func(c *daxpay.Config) { c.SignType = "hmac-sha256" }, ""},
		{func(c *daxpay.Config) { c.SignType = "SHA1" }, `SignType must be HMAC_SHA256 or MD5, not "SHA1"`},
		{func(c *daxpay.Config) { c.Gateway = "v2.0.7" }, ""},
		{func(c *daxpay.Config) { c.Gateway = daxpay.GatewayV205 }, ""},
		{func(c *daxpay.Config) { c.Gateway = "2.0.9" }, `Gateway must be auto, 2.0.5, 2.0.6, 2.0.7 or 2.0.8, not "2.0.9"`},
		{func(c *daxpay.Config) { c.Gateway = "as documented" }, "Gateway"},
		{func(c *daxpay.Config) { c.ClientIP = "2001:db8::1" }, ""},
		{func(c *daxpay.Config) { c.ClientIP = "fe80::1%eth0" }, "ClientIP"},
		{func(c *daxpay.Config) { c.MaxAge = -1 }, ""},
	} {
		config := daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: "s"}
		tt.change(&config)
		kit, err := daxpay.New(config)
		if tt.field == "" {
			require.NoError(t, err)
			require.NotNil(t, kit)
			continue
		}
		require.ErrorIs(t, err, daxpay.ErrConfig)
		require.ErrorContains(t, err, "Config."+tt.field)
		require.Nil(t, kit)
	}
}

// A secret can end up in the wrong variable, and a configuration error in the log.
func TestConfigErrorsDoNotQuoteTheValue(t *testing.T) {
	const misplaced = "CANARY-secret"
	_, err := daxpay.New(daxpay.Config{ServiceURL: misplaced, SignSecret: "HMAC_SHA256", SignType: misplaced,
		Gateway: misplaced, ClientIP: misplaced})
	for _, field := range []string{"ServiceURL", "SignType", "Gateway", "ClientIP"} {
		require.ErrorContains(t, err, "Config."+field)
	}
	require.NotContains(t, err.Error(), misplaced)
	_, err = daxpay.NewSigner(misplaced, "HMAC_SHA256")
	require.ErrorIs(t, err, daxpay.ErrConfig)
	require.NotContains(t, err.Error(), misplaced)
}

func TestServiceURLPrefix(t *testing.T) {
	for _, prefix := range []string{"", "/", "/shop", "/shop/pay//"} {
		var url string
		kit, _ := mocked(t, daxpay.Config{ServiceURL: "http://gateway:9000" + prefix, Now: at(now)},
			func(r *http.Request) (*http.Response, error) {
				url = r.URL.String()
				return jsonAnswer(sealed(t, good))(r)
			})
		_, err := calls["SyncPay"](kit)
		require.NoError(t, err)
		require.Equal(t, "http://gateway:9000"+strings.TrimRight(prefix, "/")+"/unipay/sync/pay", url)
	}
}

func TestNothingPrintsTheSecret(t *testing.T) {
	const canary = "CANARY-secret"
	config := daxpay.Config{ServiceURL: "https://CANARY-user:CANARY-pass@host/a?CANARY=1#CANARY", SignSecret: canary,
		ClientIP: "192.0.2.1", Timeout: time.Second}
	good := config
	good.ServiceURL = "https://host/a"
	kit, err := daxpay.New(good)
	require.NoError(t, err)
	signer, err := daxpay.NewSigner(daxpay.MD5, canary)
	require.NoError(t, err)
	_, configErr := daxpay.New(config)
	signErr := signer.Verify([]byte(`{"title":"CANARY-text","sign":"CANARY-sign"}`))
	type holder struct {
		Config daxpay.Config
		Client *daxpay.Client
		Value  daxpay.Client
		Signer *daxpay.Signer
		Err    error
	}
	type hidden struct {
		client  *daxpay.Client
		value   daxpay.Client
		signer  *daxpay.Signer
		another daxpay.Signer
		err     error
	}
	for _, v := range []any{
		hidden{kit, *kit, signer, *signer, signErr}, &hidden{kit, *kit, signer, *signer, signErr},
		config, &config, kit, *kit, signer, *signer, configErr, signErr,
		holder{config, kit, *kit, signer, signErr}, &holder{config, kit, *kit, signer, signErr}, []any{config, kit, signErr},
	} {
		printed := everyPrint(t, v)
		require.NotContains(t, strings.ToLower(printed), strings.ToLower("CANARY-secret"), "%T", v)
		require.NotContains(t, printed, "CANARY-pass", "%T", v)
		require.NotContains(t, printed, "CANARY-text", "%T", v)
		require.NotContains(t, printed, "CANARY-sign", "%T", v)
		require.NotContains(t, printed, fmt.Sprintf("%x", canary), "%T", v)
		require.NotContains(t, printed, strings.Trim(fmt.Sprintf("%d", []byte("CANARY-text")), "[]"), "%T", v)
	}
	require.Contains(t, fmt.Sprintf("%+v", kit),
		"ServiceURL:https://host/a SignSecret:*** SignType:HMAC_SHA256 Gateway:auto ClientIP:192.0.2.1 Timeout:1s")
	require.Equal(t, "daxpay.Client{state:not made with New}", fmt.Sprint(&daxpay.Client{}))
	require.Equal(t, "daxpay.Config{ServiceURL:(not a URL) SignSecret: SignType: Gateway:auto ClientIP: Timeout:0s "+
		"MaxAge:0s MaxAttempts:0 PreviousSecrets:0}", fmt.Sprint(daxpay.Config{ServiceURL: "::"}))
	require.ErrorIs(t, signErr, daxpay.ErrSignMismatch)
}

// everyPrint prints, encodes and logs a value in every way.
func everyPrint(t *testing.T, v any) string {
	t.Helper()
	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb+"\n", v)
	}
	asJSON, err := json.Marshal(v)
	require.NoError(t, err)
	printed.Write(asJSON)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "v", v)
	return printed.String()
}

// A pasted secret can have white space around it, or be the mask that this package prints.
func TestImpossibleSecretsAreRefused(t *testing.T) {
	for _, tt := range []struct{ secret, reason string }{
		{" 123456", "white space"}, {"123456\n", "white space"}, {"123456\r\n", "white space"}, {"\t123456", "white space"},
		{"***", "is the mask that this package prints"},
	} {
		_, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: tt.secret})
		require.ErrorIs(t, err, daxpay.ErrConfig)
		require.ErrorContains(t, err, tt.reason)
		_, err = daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1:9000", SignSecret: "new",
			PreviousSecrets: []string{tt.secret}})
		require.ErrorIs(t, err, daxpay.ErrConfig)
		require.ErrorContains(t, err, "PreviousSecrets[0] ")
		require.ErrorContains(t, err, tt.reason)
	}
}

// A user name in a URL can be a token.
func TestURLUserIsNeverPrinted(t *testing.T) {
	for _, address := range []string{"https://token@pay.example.com", "https://u:token@pay.example.com/x",
		"https://pay.example.com/?t=token"} {
		config := daxpay.Config{ServiceURL: address, SignSecret: "123456"}
		_, err := daxpay.New(config)
		for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", config), fmt.Sprintf("%#v", config)} {
			require.NotContains(t, text, "token")
		}
		require.Contains(t, fmt.Sprint(config), "pay.example.com")
	}
}
