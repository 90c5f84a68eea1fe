package daxpay_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

const wholeFile = `{
	"serviceUrl": "https://pay.example.com", "signSecret": "the-secret", "previousSecrets": ["older", "oldest"],
	"signType": "md5", "gateway": "v2.0.8", "clientIp": "192.0.2.1", "timeout": "40s", "location": "UTC",
	"maxAge": "-1ns", "correctClock": true,
	"retry": {"maxAttempts": 2, "baseDelay": "100ms", "maxDelay": "1s", "budget": 7},
	"maxAnswerSize": 1000, "maxDepth": 8, "attemptTimeout": "10s", "maxHeaderSize": 2000, "maxIdleConns": 3,
	"idleConnTimeout": "5s", "trustedNetwork": true, "allowAmbiguousText": true, "storeName": "shop"
}`

var wholeConfig = daxpay.Config{
	ServiceURL: "https://pay.example.com", SignSecret: "the-secret", PreviousSecrets: []string{"older", "oldest"},
	SignType: daxpay.MD5, Gateway: daxpay.GatewayV208, ClientIP: "192.0.2.1", Timeout: 40 * time.Second,
	Location: time.UTC, MaxAge: -1, CorrectClock: true,
	Retry:         daxpay.Retry{MaxAttempts: 2, BaseDelay: 100 * time.Millisecond, MaxDelay: time.Second, Budget: 7},
	MaxAnswerSize: 1000, MaxDepth: 8, AttemptTimeout: 10 * time.Second, MaxHeaderSize: 2000, MaxIdleConns: 3,
	IdleConnTimeout: 5 * time.Second, TrustedNetwork: true, AllowAmbiguousText: true, StoreName: "shop",
}

// yamlOf calls UnmarshalYAML as a YAML package does.
func yamlOf(text string, cfg *daxpay.Config) error {
	return cfg.UnmarshalYAML(yamlDecode(json.RawMessage(text)))
}

type yamlUnmarshaler interface {
	UnmarshalYAML(unmarshal func(any) error) error
}

func yamlDecode(text json.RawMessage) func(any) error {
	return func(target any) error {
		members := reflect.ValueOf(target).Elem()
		if members.Kind() != reflect.Map {
			return json.Unmarshal(text, target)
		}
		var values map[string]json.RawMessage
		if err := json.Unmarshal(text, &values); err != nil {
			return err
		}
		members.Set(reflect.MakeMap(members.Type()))
		for name, value := range values {
			v := reflect.New(members.Type().Elem())
			if string(value) != "null" {
				if err := v.Interface().(yamlUnmarshaler).UnmarshalYAML(yamlDecode(value)); err != nil {
					return err
				}
			}
			members.SetMapIndex(reflect.ValueOf(name), v.Elem())
		}
		return nil
	}
}

var readers = map[string]func(string, *daxpay.Config) error{
	"JSON": func(text string, cfg *daxpay.Config) error { return json.Unmarshal([]byte(text), cfg) },
	"YAML": yamlOf,
}

func TestConfigFromFile(t *testing.T) {
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			var cfg daxpay.Config
			require.NoError(t, read(wholeFile, &cfg))
			require.True(t, reflect.DeepEqual(wholeConfig, cfg), "%+v", cfg)

			// Fields that the file does not have stay as they are.
			cfg = daxpay.Config{ServiceURL: "http://127.0.0.1", Timeout: time.Minute}
			require.NoError(t, read(`{"signSecret":"s","timeout":null,"retry":{"budget":1}}`, &cfg))
			require.Equal(t, "http://127.0.0.1", cfg.ServiceURL)
			require.Equal(t, "s", cfg.SignSecret)
			require.Equal(t, time.Minute, cfg.Timeout)
			require.Equal(t, daxpay.Retry{Budget: 1}, cfg.Retry)
		})
	}
}

// Each field has a name in files, or is marked as not read from files.
func TestEveryFieldOfConfigHasTags(t *testing.T) {
	whole := reflect.ValueOf(wholeConfig)
	for i := range whole.NumField() {
		f := whole.Type().Field(i)
		require.NotEmpty(t, f.Tag.Get("json"), f.Name)
		require.Equal(t, f.Tag.Get("json"), f.Tag.Get("yaml"), f.Name)
		switch {
		case f.Tag.Get("json") == "-":
			require.Empty(t, f.Tag.Get("env"), f.Name)
		default:
			require.False(t, whole.Field(i).IsZero(), "the tests above have no %s", f.Name)
		}
	}
}

func TestConfigFileMistakes(t *testing.T) {
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			before := daxpay.Config{ServiceURL: "http://127.0.0.1", SignSecret: "before"}
			cfg := before
			err := read(`{"serviceUrl":"http://changed", "signSecret":7, "previousSecrets":"the-secret",
				"timeout":30, "attemptTimeout":"30", "location":"Nowhere", "correctClock":"the-secret",
				"retry":{"maxAttempts":"the-secret","base_delay":"1s","the-secret-is-secret-and-long-and-long":1},
				"maxDepth":1.5, "SignType":"MD5", "password":"the-secret"}`, &cfg)
			require.True(t, reflect.DeepEqual(before, cfg), "it is as it was")
			require.ErrorIs(t, err, daxpay.ErrConfig)
			want := []string{
				"signSecret must be a string: put it in quotes",
				"previousSecrets must be a list of strings",
				"timeout must be a duration with a unit, such as 30s or 1m30s",
				"location must be a time zone that this machine knows, such as Asia/Shanghai",
				"correctClock must be true or false",
				"retry.maxAttempts must be a whole number",
				"retry.base_delay is not a setting: write baseDelay",
				"retry.the-secret-is-secret-and-long-an is not a setting: " +
					"the settings are maxAttempts, baseDelay, maxDelay, budget",
				"maxDepth must be a whole number",
				"attemptTimeout must be a duration with a unit, such as 30s or 1m30s",
				"SignType is not a setting: write signType",
				"password is not a setting: the settings are serviceUrl, signSecret, ",
			}
			for _, line := range want {
				require.ErrorContains(t, err, "daxpay: "+line)
			}
			require.Len(t, strings.Split(err.Error(), "\n"), len(want))
			require.NotContains(t, err.Error(), `"the-secret"`)
			var first *daxpay.ConfigError
			require.ErrorAs(t, err, &first)
			require.Equal(t, "SignSecret", first.Field)
			require.Equal(t, "signSecret", first.Setting)

			err = read(`{"location":""}`, &cfg)
			require.ErrorContains(t, err, "daxpay: location must be a time zone")

			for _, text := range []string{`"the-secret"`, `["the-secret"]`, `{"retry":"the-secret"}`} {
				err := read(text, &cfg)
				require.ErrorIs(t, err, daxpay.ErrConfig)
				require.ErrorContains(t, err, "must be an object")
				require.NotContains(t, err.Error(), "the-secret")
			}
		})
	}
}

// A Config is written in the format that is read, with masked secrets. New refuses the mask as a secret.
func TestConfigAsFile(t *testing.T) {
	asJSON, err := json.Marshal(wholeConfig)
	require.NoError(t, err)
	shown, err := wholeConfig.MarshalYAML()
	require.NoError(t, err)
	asYAML, err := json.Marshal(shown)
	require.NoError(t, err)
	require.Equal(t, asJSON, asYAML)

	var read daxpay.Config
	require.NoError(t, json.Unmarshal(asJSON, &read))
	want := wholeConfig
	want.SignSecret, want.PreviousSecrets = "***", []string{"***", "***"}
	require.True(t, reflect.DeepEqual(want, read), "%s", asJSON)
	_, err = daxpay.New(read)
	require.ErrorContains(t, err, "is the mask that this package prints instead of a secret")

	empty, err := json.Marshal(daxpay.Config{})
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(empty))
	address, err := json.Marshal(daxpay.Config{ServiceURL: "https://u:p@host/?t=secret"})
	require.NoError(t, err)
	require.JSONEq(t, `{"serviceUrl":"https://host/"}`, string(address))
}

func TestSpellings(t *testing.T) {
	for _, s := range []string{"HMACSHA256", "hmac-sha256", "HMAC_SHA256", "HmacSHA256", "hmac sha256", "SHA256"} {
		signer, err := daxpay.NewSigner(daxpay.SignType(s), "s")
		require.NoError(t, err, s)
		require.Equal(t, "daxpay.Signer{SignType:HMAC_SHA256}", fmt.Sprint(signer))
	}
	for _, s := range []string{"md5", "MD5", "Md5", "MD-5"} {
		signer, err := daxpay.NewSigner(daxpay.SignType(s), "s")
		require.NoError(t, err, s)
		require.Equal(t, "daxpay.Signer{SignType:MD5}", fmt.Sprint(signer))
	}
	for given, want := range map[daxpay.GatewayVersion]daxpay.GatewayVersion{
		"": daxpay.GatewayAuto, "auto": daxpay.GatewayAuto, "AUTO": daxpay.GatewayAuto, "GatewayAuto": daxpay.GatewayAuto,
		"2.0.8": daxpay.GatewayV208, "208": daxpay.GatewayV208, "v2.0.8": daxpay.GatewayV208,
		"GatewayV207": daxpay.GatewayV207, "V206": daxpay.GatewayV206, "2.0.5": daxpay.GatewayV205,
	} {
		kit, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1", SignSecret: "s", Gateway: given})
		require.NoError(t, err, given)
		require.Equal(t, want, kit.Gateway(), given)
	}
}

// An error quotes a wrong setting, unless it may be a misplaced secret.
func TestErrorsQuoteWrongSettings(t *testing.T) {
	for _, tt := range []struct {
		secret, given string
		quoted        bool
	}{
		{"s", "SHA1", true},
		{"s", "12345678901234567", false}, // 17 characters: too long for a mistyped setting
		{"the-secret", "the-secret", false},
		{"the-older", "the-secret", true},
		{"", "the-secret", false},
		{"MD5", "the-secret", false}, // swapped
		{"hmac-sha256", "the-secret", false},
		{"2.0.8", "the-secret", false},
		{"https://pay.cn", "the-secret", false},
	} {
		cfg := daxpay.Config{
			ServiceURL: "http://127.0.0.1", SignSecret: tt.secret,
			SignType: daxpay.SignType(tt.given), Gateway: daxpay.GatewayVersion(tt.given),
		}
		_, err := daxpay.New(cfg)
		_, signerErr := daxpay.NewSigner(cfg.SignType, tt.secret)
		for _, text := range []string{err.Error(), signerErr.Error()} {
			require.Contains(t, text, "Config.SignType must be HMAC_SHA256 or MD5")
			require.Equal(t, tt.quoted, strings.Contains(text, tt.given), text)
		}
	}
	_, err := daxpay.New(daxpay.Config{
		ServiceURL: "http://127.0.0.1", SignSecret: "new", PreviousSecrets: []string{"older"}, SignType: "older",
	})
	require.ErrorContains(t, err, "Config.SignType")
	require.NotContains(t, err.Error(), "older")
}

func TestConfigFromEnv(t *testing.T) {
	for name, value := range map[string]string{
		"URL": "https://pay.example.com", "SECRET": "the-secret", "PREVIOUS_SECRETS": "older,oldest", "SIGN_TYPE": "md5",
		"GATEWAY": "v2.0.8", "CLIENT_IP": "192.0.2.1", "TIMEOUT": "40s", "LOCATION": "UTC", "MAX_AGE": "5m",
		"CORRECT_CLOCK": "true", "RETRY_MAX_ATTEMPTS": "2", "RETRY_BASE_DELAY": "100ms", "RETRY_MAX_DELAY": "1s",
		"RETRY_BUDGET": "7", "MAX_ANSWER_SIZE": "1000", "MAX_DEPTH": "8", "ATTEMPT_TIMEOUT": "10s",
		"MAX_HEADER_SIZE": "2000", "MAX_IDLE_CONNS": "3", "IDLE_CONN_TIMEOUT": "5s", "TRUSTED_NETWORK": "1",
		"ALLOW_AMBIGUOUS_TEXT": "true", "STORE_NAME": "shop",
	} {
		t.Setenv("DAXPAY_"+name, value)
	}
	want := wholeConfig
	want.MaxAge = 5 * time.Minute
	cfg, err := daxpay.ConfigFromEnv()
	require.NoError(t, err)
	require.True(t, reflect.DeepEqual(want, cfg), "%+v", cfg)
	_, err = daxpay.New(cfg)
	require.NoError(t, err)
}

// A list whose items have quotes has none around it as a whole.
func TestQuotedItemsInTheEnvironment(t *testing.T) {
	t.Setenv("DAXPAY_URL", "https://pay.example.com")
	t.Setenv("DAXPAY_SECRET", "new")
	for _, list := range []string{`older,"oldest"`, `"older",oldest`, `older,'old',oldest`} {
		t.Setenv("DAXPAY_PREVIOUS_SECRETS", list)
		_, err := daxpay.ConfigFromEnv()
		require.EqualError(t, err,
			"daxpay: DAXPAY_PREVIOUS_SECRETS has quotes around it, which would become part of the value: remove them")
	}
}

// A file in another charset, such as GBK: encoding/json makes another secret of it without an error.
func TestSecretInAnotherCharset(t *testing.T) {
	for _, secret := range []string{"a\xc4\xe3b", `a\ud800b`} {
		var cfg daxpay.Config
		text := `{"serviceUrl": "https://pay.example.com", "signSecret": "` + secret + `",` +
			`"previousSecrets": ["` + secret + `"]}`
		require.NoError(t, json.Unmarshal([]byte(text), &cfg))
		_, err := daxpay.New(cfg)
		require.ErrorContains(t, err, "Config.SignSecret must be valid UTF-8")
		require.ErrorContains(t, err, "Config.PreviousSecrets[0] must be valid UTF-8")
	}
}

func TestConfigFromEnvMistakes(t *testing.T) {
	t.Setenv("DAXPAY_URL", "") // the same as not set
	t.Setenv("DAXPAY_SECRET", "")
	_, err := daxpay.ConfigFromEnv()
	require.EqualError(t, err, "daxpay: DAXPAY_URL must be set, such as https://pay.example.com\n"+
		"daxpay: DAXPAY_SECRET must be set: it is the secret (签名秘钥) in the gateway's settings")

	for name, value := range map[string]string{
		"URL": "pay.example.com", "SECRET": "'the-secret'", "PREVIOUS_SECRETS": "the-older,", "SIGN_TYPE": "the-secret",
		"GATEWAY": "3.0.0", "CLIENT_IP": "the-secret", "TIMEOUT": "30", "MAX_AGE": "", "CORRECT_CLOCK": "the-secret",
		"RETRY_MAX_ATTEMPTS": "the-secret", "RETRY_MAX_DELAY": "-1s", "MAX_DEPTH": "-1", "LOCATION": "the-secret",
	} {
		t.Setenv("DAXPAY_"+name, value)
	}
	cfg, err := daxpay.ConfigFromEnv()
	require.Empty(t, cfg.ServiceURL)
	require.NotContains(t, err.Error(), "the-")
	want := map[string]string{
		"ServiceURL":         "DAXPAY_URL must start with http:// or https://",
		"SignSecret":         "DAXPAY_SECRET has quotes around it, which would become part of the value: remove them",
		"PreviousSecrets[1]": "DAXPAY_PREVIOUS_SECRETS[1] must not be empty",
		"SignType":           "DAXPAY_SIGN_TYPE must be HMAC_SHA256 or MD5",
		"Gateway":            "DAXPAY_GATEWAY must be auto, 2.0.5, 2.0.6, 2.0.7 or 2.0.8",
		"ClientIP":           "DAXPAY_CLIENT_IP must be an IPv4 or IPv6 address",
		"Timeout":            "DAXPAY_TIMEOUT must be a duration with a unit, such as 30s or 1m30s",
		"CorrectClock":       "DAXPAY_CORRECT_CLOCK must be true or false",
		"Retry.MaxAttempts":  "DAXPAY_RETRY_MAX_ATTEMPTS must be a whole number",
		"Retry.MaxDelay":     "DAXPAY_RETRY_MAX_DELAY must not be negative",
		"MaxDepth":           "DAXPAY_MAX_DEPTH must be between 1 and 1000",
		"Location":           "DAXPAY_LOCATION must be a time zone that this machine knows, such as Asia/Shanghai",
	}
	got := map[string]string{}
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		var fault *daxpay.ConfigError
		require.ErrorAs(t, err, &fault)
		got[fault.Field] = strings.TrimPrefix(fault.Error(), "daxpay: ")
		require.True(t, strings.HasPrefix(fault.Setting, "DAXPAY_"), fault.Setting)
	}
	require.Equal(t, want, got)
}
