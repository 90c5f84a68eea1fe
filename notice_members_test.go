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

// The signed text of a list holds no quotes, so names of receivers could move the bounds of a share: here the result of
// the first share and the amount of the second vanish in an unknown member.
func TestSharesCannotBeRecut(t *testing.T) {
	kit, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1", SignSecret: secret})
	require.NoError(t, err)
	const head = `"code":0,"msg":null,"resTime":1715500234,"allocNo":"A1","bizAllocNo":"B1","amount":150,` +
		`"status":"allocation_end","attach":"","details":`
	genuine := signedObject(t, daxpay.HMACSHA256, head+
		`[{"receiverNo":"R1","amount":100,"receiverName":"甲,receiverNamea:[{g:1","receiverType":"ali_user_id",`+
		`"result":"pending"},{"receiverNo":"R2","amount":50,"receiverName":"乙}],receiverNameb:1",`+
		`"receiverType":"ali_user_id","result":"success"}]`)
	_, sign, _ := strings.Cut(genuine, `"sign":`)
	forged := "{" + head +
		`[{"amount":100,"receiverName":"甲","receiverNamea":[{"g":1,"receiverNo":"R1","receiverType":"ali_user_id",` +
		`"result":"pending"},{"amount":50,"receiverName":"乙"}],"receiverNameb":1,"receiverNo":"R2",` +
		`"receiverType":"ali_user_id","result":"success"}],"sign":` + sign
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	require.NoError(t, signer.Verify([]byte(forged)), "both have the same signature")
	_, err = kit.ParseNotice([]byte(genuine))
	require.NoError(t, err)
	_, err = kit.ParseNotice([]byte(forged))
	require.ErrorIs(t, err, daxpay.ErrAmbiguous)
	dropped := "{" + strings.Replace(head, `"details"`, `"details":[{"amount":100,"receiverName":"x"}],"e"`, 1) +
		`[{"b":1,"receiverNo":"R1","result":"pending"}]`
	dropped = signedObject(t, daxpay.HMACSHA256, dropped[1:])
	_, err = kit.ParseNotice([]byte(dropped))
	require.ErrorIs(t, err, daxpay.ErrAmbiguous)
	harmless := signedObject(t, daxpay.HMACSHA256, head+
		`[{"receiverNo":"R1","amount":100,"receiverName":"甲 [总店], {乙}","result":"success"}]`)
	_, err = kit.ParseNotice([]byte(harmless))
	require.NoError(t, err)
}
