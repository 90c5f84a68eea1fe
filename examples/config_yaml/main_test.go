package main

import (
	"testing"
	"time"

	goccy "github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/daxpay-go/daxpay"
)

// The YAML packages call UnmarshalYAML and MarshalYAML of Config, which imports none of them.
func TestPackages(t *testing.T) {
	for name, lib := range map[string]struct {
		unmarshal func([]byte, any) error
		marshal   func(any) ([]byte, error)
	}{
		"go.yaml.in/yaml/v3":       {yaml.Unmarshal, yaml.Marshal},
		"github.com/goccy/go-yaml": {goccy.Unmarshal, goccy.Marshal},
	} {
		t.Run(name, func(t *testing.T) {
			var s settings
			require.NoError(t, lib.unmarshal(file, &s))
			require.Equal(t, "127.0.0.1:8080", s.Listen)
			require.Equal(t, "http://127.0.0.1:9000", s.Daxpay.ServiceURL)
			require.Equal(t, daxpay.HMACSHA256, s.Daxpay.SignType)
			require.Equal(t, daxpay.GatewayV208, s.Daxpay.Gateway)
			require.Equal(t, 40*time.Second, s.Daxpay.Timeout)
			require.Equal(t, 2, s.Daxpay.Retry.MaxAttempts)

			// A secret that consists of digits is text.
			require.NoError(t, lib.unmarshal([]byte("daxpay: {signSecret: 123456, previousSecrets: ['1', b]}"), &s))
			require.Equal(t, "123456", s.Daxpay.SignSecret)
			require.Equal(t, []string{"1", "b"}, s.Daxpay.PreviousSecrets)
			require.Equal(t, 40*time.Second, s.Daxpay.Timeout)

			// A package that would make another secret of it refuses it.
			for _, secret := range []string{"0012345", "0x1F", "1_000", "1.50", "1.0e+2", "-0", "+5"} {
				var c daxpay.Config
				if lib.unmarshal([]byte("signSecret: "+secret), &c) == nil {
					require.Equal(t, secret, c.SignSecret)
				} else {
					require.Equal(t, "github.com/goccy/go-yaml", name)
				}
				err := lib.unmarshal([]byte("signSecret: a\npreviousSecrets: ["+secret+"]"), &c)
				if err == nil {
					require.Equal(t, []string{secret}, c.PreviousSecrets)
				}
			}

			var c daxpay.Config
			require.NoError(t, lib.unmarshal([]byte("previousSecrets: [a, ~, 12]"), &c))
			require.Equal(t, []string{"a", "", "12"}, c.PreviousSecrets, "New refuses the second")

			printed, err := lib.marshal(s)
			require.NoError(t, err)
			require.NotContains(t, string(printed), "123456")
			require.Contains(t, string(printed), "timeout: 40s")

			err = lib.unmarshal([]byte("daxpay: {signSecret: [the-secret], timeout: 30, sign_type: MD5, retry: x}"), &s)
			require.ErrorIs(t, err, daxpay.ErrConfig)
			for _, want := range []string{
				"signSecret must be a string", "timeout must be a duration", "sign_type is not a setting: write signType",
				"retry must be an object",
			} {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "the-secret")
		})
	}
}
