package shell

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInWords(t *testing.T) {
	for text, want := range map[string]string{
		"set Gateway to 2.0.8": "set DAXPAY_GATEWAY to 2.0.8",
		"a gateway up to 2.0.5 does not sign (Gateway: GatewayV205)": "a gateway up to 2.0.5 does not sign " +
			"(DAXPAY_GATEWAY: 2.0.5)",
		"check SignSecret, SignType":               "check DAXPAY_SECRET, DAXPAY_SIGN_TYPE",
		"Config.Retry.Budget was used":             "DAXPAY_RETRY_BUDGET was used",
		"net/http: Client.Timeout":                 "net/http: Client.Timeout",
		"ServiceURL":                               "DAXPAY_URL",
		"GatewayAuto tries several":                "GatewayAuto tries several",
		"look before ForgetTransfer or ForgetOnce": "look before it is sent with another --sent-file",
	} {
		require.Equal(t, want, inWords(text))
	}
}
