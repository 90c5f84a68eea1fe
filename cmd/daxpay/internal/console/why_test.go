package console

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

func TestDiagnose(t *testing.T) {
	const (
		body = `{"title":"a <b> & c","reqTime":1795847162,"bizOrderNo":"A1","amount":100,"description":"",` +
			`"extraParam":{"openId":"o1"},"nothing":null,"mine":"x"%s}`
		text   = "amount=100&bizOrderNo=A1&description=&extraParam={openId:o1}&reqTime=1795847162&title=a <b> & c"
		secret = "s3cret"
	)
	with := func(old, replaced string) string { return strings.Replace(text, old, replaced, 1) }
	const hmac, md5 = algorithm(daxpay.HMACSHA256), algorithm(daxpay.MD5)
	for _, tt := range []struct {
		name, sign, cause string
		marked            []string
	}{
		{"right", hmac.of(text, secret), "", nil},
		{"none", "", "The request has no signature.", nil},
		{"line break", hmac.of(text, secret+"\n"), "The shop's secret has a line break at its end.", nil},
		{"space", hmac.of(text, " "+secret), "The shop's secret has a space at its beginning.", nil},
		{"an earlier secret", hmac.of(text, "old"), "The shop still uses a secret that this gateway had before.", nil},
		{"the secret of a new gateway", hmac.of(text, "123456"),
			"The shop uses the secret 123456 of a new gateway; this one has another.", nil},
		{"algorithm", md5.of(text, secret), "The shop signs with MD5; the gateway is set to HMAC_SHA256.", nil},
		{"upper case", strings.ToUpper(hmac.of(text, secret)),
			"The signature is in upper case; the gateway compares lower case.", nil},
		{"upper text", hmac.digest(strings.ToUpper(text+"&key="+secret), secret),
			"The shop turns the text to upper case before it signs, as DaxPay 3.x does; 2.0.x does not.", nil},
		{"no key", hmac.digest(text, secret), "The text lacks &key= and the secret at its end.", nil},
		{"unknown member", hmac.of(with("&reqTime", "&mine=x&reqTime"), secret),
			"The shop signed members that the gateway does not know: mine.", []string{"+mine=x"}},
		{"empty string", hmac.of(with("&description=", ""), secret),
			"The shop leaves out empty strings; the gateway signs them.", []string{"-description="}},
		{"null", hmac.of(with("&reqTime", "&nothing=null&reqTime"), secret),
			"The shop signs members that are null.", []string{"+nothing=null"}},
		{"left out", hmac.of(with("&reqTime=1795847162", ""), secret),
			"The shop signs without reqTime, and adds it afterwards.", []string{"-reqTime=1795847162"}},
		{"other", strings.Repeat("0", 64), "The secrets differ, or the request was changed after it was signed.", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sign := ""
			if tt.sign != "" {
				sign = `,"sign":"` + tt.sign + `"`
			}
			sent := []byte(fmt.Sprintf(body, sign))
			require.True(t, json.Valid(sent))
			d := diagnose(sent, text, hmac.of(text, secret), string(hmac), secret, []string{"old"})
			require.Equal(t, tt.cause, d.Cause.En)
			require.Equal(t, tt.cause == "", d.Cause.Zh == "")
			var marked []string
			for _, l := range d.Lines {
				require.False(t, l.Missing && l.Extra)
				if l.Missing {
					marked = append(marked, "-"+l.Text)
				} else if l.Extra {
					marked = append(marked, "+"+l.Text)
				}
			}
			require.Equal(t, tt.marked, marked)
			require.NotContains(t, fmt.Sprintf("%+v", d.Lines)+d.Cause.En+fmt.Sprint(d.Fixes), secret)
		})
	}
}

func TestURLEncodedValues(t *testing.T) {
	const secret = "s3cret"
	a := algorithm(daxpay.MD5)
	text := "reqTime=1&title=a <b>"
	sign := a.of("reqTime=1&title="+url.QueryEscape("a <b>"), secret)
	d := diagnose(
		[]byte(`{"reqTime":1,"title":"a <b>","sign":"`+sign+`"}`),
		text,
		a.of(text, secret),
		string(a),
		secret,
		nil,
	)
	require.Equal(t, "The shop URL-encodes the values before it signs.", d.Cause.En)
}

func TestHostileTexts(t *testing.T) {
	require.Equal(t, `&lt;b&gt;<span class="ws" title="U+000A">\n</span><span class="ws" title="U+202E">U+202E</span>`+
		`<span class="ws" title="byte">\xff</span>`, string(visible("<b>\n\u202e\xff")))
	shown := string(highlight([]byte(`{"a":1.50,"a":"<script>\"","n":null,"big":12345678901234567890}`)))
	for _, part := range []string{`<span class="n">1.50</span>`, "12345678901234567890", `&#34;&lt;script&gt;\&#34;&#34;`, `<span class="u">null</span>`} {
		require.Contains(t, shown, part)
	}
	require.Equal(t, 2, strings.Count(shown, "&#34;a&#34;"), "what was sent twice is shown twice")
	require.Equal(t, "&lt;html&gt;", string(highlight([]byte("<html>"))))
}

func TestWordsForAmountsAndTimes(t *testing.T) {
	require.Equal(t, "¥0.01", yuan(1))
	require.Equal(t, "¥1,234,567.89", yuan(123456789))
	require.Equal(t, "¥100.00", yuan(10000))
}

// The pages say what merchants read in DaxPay's console and documents.
func TestWordsOfDaxPay(t *testing.T) {
	require.Equal(t, words{"商户订单号", "Merchant’s number"}, numberOf(daxpaytest.KindPay, "商户", "Merchant"))
	require.Equal(t, "商户退款号", numberOf(daxpaytest.KindRefund, "商户", "Merchant").Zh)
	require.Equal(t, "商户转账号", numberOf(daxpaytest.KindTransfer, "商户", "Merchant").Zh)
	require.Equal(t, "商户分账单号", numberOf(daxpaytest.KindAlloc, "商户", "Merchant").Zh)
	require.Equal(t, words{"忽略分账", "Not allocated"}, stateOf("ignore").Words)
	for _, code := range statusFilter {
		require.NotEqual(t, same(code), stateOf(code).Words, "a state that can be chosen has words")
	}
}

func TestReplies(t *testing.T) {
	for reply, want := range map[string]string{
		"SUCCESS\n": "A line break at the end", "success": "Wrong case", "\tSUCCESS": "White space around it",
		"":              "An empty body",
		"\ufeffSUCCESS": "A BOM", "ok": "The body is not SUCCESS",
	} {
		short, long := noticeVerdict(event{Kind: kindNotice, Status: 200, Bad: true, Out: []byte(reply)})
		require.Contains(t, short.En, want, "%q", reply)
		require.Contains(t, long.En, "bytes")
		require.NotEmpty(t, short.Zh)
	}
	short, _ := noticeVerdict(event{Kind: kindNotice, Status: 500, Out: []byte("SUCCESS"), Info: info{Received: true}})
	require.Contains(t, short.En, "HTTP 500, yet the body is SUCCESS")
}
