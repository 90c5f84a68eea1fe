package daxpay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

// Anyone can post to the notice URL, so a notice may hold no more members than a genuine one can.
func TestNoticeMembers(t *testing.T) {
	kit, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1", SignSecret: secret})
	require.NoError(t, err)
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `{"x":%d},`, i)
		}
		return `"code":0,"resTime":1715500234,"orderNo":"P1","bizOrderNo":"B1","amount":1,"status":"success","attach":null,` +
			`"details":[` + b.String() + `{}]`
	}
	for body, reason := range map[string]string{
		members(900):                          "",
		members(1000):                         "too many members",
		members(1) + `,"名字":1`:                "not ASCII",
		members(1) + `,"more":[{"\u00e9":1}]`: "not ASCII",
	} {
		_, err := kit.ParseNotice([]byte(signedObject(t, daxpay.HMACSHA256, body)))
		if reason == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, daxpay.ErrProtocol)
		require.ErrorContains(t, err, reason)
	}
}
