package daxpay_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

func TestNewSigner(t *testing.T) {
	for _, blank := range []string{"", " ", "\t\r\n", "\u3000"} {
		for _, signType := range []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5} {
			s, err := daxpay.NewSigner(signType, blank)
			require.ErrorIs(t, err, daxpay.ErrConfig)
			require.ErrorContains(t, err, "SignSecret must be set")
			require.Nil(t, s)
		}
	}
	_, err := daxpay.NewSigner("SHA1", "")
	require.ErrorContains(t, err, "SignType")
	require.ErrorContains(t, err, "SignSecret")

	for _, none := range []*daxpay.Signer{nil, {}, (*daxpay.Signer)(nil).In(time.UTC), (&daxpay.Signer{}).In(nil)} {
		require.ErrorIs(t, none.Verify([]byte("{}")), daxpay.ErrConfig)
		_, err = none.Sign([]byte("{}"))
		require.ErrorIs(t, err, daxpay.ErrConfig)
		_, err = none.Canonical([]byte("{}"))
		require.ErrorIs(t, err, daxpay.ErrConfig)
	}
}

func TestSignerRefusesWhatIsNotOneObject(t *testing.T) {
	s, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	for _, object := range []string{"", "null", "[]", `"a"`, `{"a":1,"a":1,"sign":"x"}`, `{"a":1e41,"sign":"x"}`,
		`{"a":[1e99999999999],"sign":"x"}`} {
		require.ErrorIs(t, s.Verify([]byte(object)), daxpay.ErrProtocol, object)
		_, err = s.Sign([]byte(object))
		require.ErrorIs(t, err, daxpay.ErrProtocol, object)
		_, err = s.Canonical([]byte(object))
		require.ErrorIs(t, err, daxpay.ErrProtocol, object)
	}
}

func TestSignerZone(t *testing.T) {
	s, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	const object = `{"successTime":"1970-01-02 00:00:00","title":"1970-01-02 00:00:00"}`
	for zone, want := range map[*time.Location]string{nil: "57600", time.UTC: "86400",
		time.FixedZone("", -3600): "90000"} {
		text, err := s.In(zone).Canonical([]byte(object))
		require.NoError(t, err)
		require.Equal(t, "successTime="+want+"&title=1970-01-02 00:00:00", text)
	}
	text, err := s.Canonical([]byte(object))
	require.NoError(t, err)
	require.Contains(t, text, "successTime=57600", "In changes a copy")
}

// The causes that Explain knows. Each message is signed as the other side would with that mistake.
func TestExplain(t *testing.T) {
	const plain = `"bizOrderNo":"abc","reqTime":1715500231,"finishTime":"2024-05-12 15:50:34"`
	hmacWith := func(key, text string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil))
	}
	right, err := daxpay.NewSigner(daxpay.HMACSHA256, "Secret")
	require.NoError(t, err)
	text, err := right.Canonical([]byte("{" + plain + "}"))
	require.NoError(t, err)
	md5Signer, err := daxpay.NewSigner(daxpay.MD5, "Secret")
	require.NoError(t, err)
	md5Sign, err := md5Signer.Sign([]byte("{" + plain + "}"))
	require.NoError(t, err)
	tokyo, err := right.In(time.FixedZone("", 9*60*60)).Sign([]byte("{" + plain + "}"))
	require.NoError(t, err)
	expected := hmacWith("Secret", text+"&key=Secret")

	for name, tt := range map[string]struct {
		sign   string
		secret string
		cause  string
	}{
		"other algorithm": {md5Sign, "Secret", "the other side signs with MD5: set SignType"},
		"blanks here":     {expected, "Secret ", "blanks or a line break around the secret"},
		"line break there": {hmacWith("Secret\n", text+"&key=Secret\n"), "Secret",
			"blanks or a line break around the secret"},
		"upper-cased text":  {hmacWith("Secret", strings.ToUpper(text+"&key=Secret")), "Secret", "DaxPay 3.x"},
		"upper-case digest": {strings.ToUpper(expected), "Secret", "upper case"},
		"&sign= for &key=":  {hmacWith("Secret", text+"&sign=Secret"), "Secret", `appends "&sign="`},
		"another zone":      {tokyo, "Secret", "UTC+9): set Location"},
		"other secret": {hmacWith("other", text+"&key=other"), "Secret",
			"either the secrets differ, or the message was changed"},
		"not even a signature": {"Secret", "Secret", "either the secrets differ"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := daxpay.NewSigner(daxpay.HMACSHA256, tt.secret)
			require.NoError(t, err)
			err = s.Verify([]byte("{" + plain + fmt.Sprintf(`,"sign":%q}`, tt.sign)))
			require.ErrorIs(t, err, daxpay.ErrSignMismatch)
			var mismatch *daxpay.SignError
			require.ErrorAs(t, err, &mismatch)
			explained := mismatch.Explain()
			require.Contains(t, strings.ToLower(explained), strings.ToLower(tt.cause))
			require.Contains(t, explained, "text:      "+text+"&key=***\n")
			if tt.sign != "Secret" {
				require.Contains(t, explained, "received:  "+tt.sign)
			}
			require.NotContains(t, explained, "Secret")
		})
	}

	// The same with the algorithms swapped, through a client.
	err = md5Signer.Verify([]byte("{" + plain + `,"sign":"` + expected + `"}`))
	var mismatch *daxpay.SignError
	require.ErrorAs(t, err, &mismatch)
	require.Contains(t, mismatch.Explain(), "the other side signs with HMAC_SHA256")
	require.Contains(t, mismatch.Explain(), "expected:  "+md5Sign)

	kit, _ := mocked(t, daxpay.Config{Now: at(now), SignType: daxpay.MD5}, jsonAnswer(sealed(t, good)))
	_, err = calls["SyncPay"](kit)
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, "T123", mismatch.TraceID)
	require.Contains(t, mismatch.Explain(), "set SignType")
}

func TestExplainMissing(t *testing.T) {
	s, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	for object, want := range map[string]string{
		`{"a":1}`:                          "GatewayV205",
		`{"code":0,"data":{"sign":"abc"}}`: "verify that object",
	} {
		err := s.Verify([]byte(object))
		require.ErrorIs(t, err, daxpay.ErrSignMissing)
		var missing *daxpay.SignError
		require.ErrorAs(t, err, &missing)
		require.Contains(t, missing.Explain(), want)
	}
	require.Equal(t, "nothing was compared", (&daxpay.SignError{}).Explain())
}

// Nested numbers are signed as the gateway's Java prints them, or refused. Nulls in lists are dropped.
func TestSignerNumbers(t *testing.T) {
	s, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	text, err := s.Canonical([]byte(`{"extraParam":{"b":1e7,"a":[null,-0.0,2.0e-3,{"c":null}],"C":12345678.9,"d":-0},"x":[null]}`))
	require.NoError(t, err)
	require.Equal(t, "extraParam={a:[-0,0.002,{}],b:1.0E7,C:1.23456789E7,d:0}&x=[]", text)
	for _, object := range []string{`{"a":{"b":1e23}}`, `{"a":[2e23]}`, `{"a":[1e400]}`, `{"a":{"b":[1e-13]}}`,
		`{"a":{"b":{"c":20000000.5}}}`} {
		_, err := s.Canonical([]byte(object))
		require.ErrorIs(t, err, daxpay.ErrProtocol, object)
		require.ErrorContains(t, err, "no certain form")
		sign, err := s.Sign([]byte(object))
		require.ErrorIs(t, err, daxpay.ErrProtocol)
		require.Empty(t, sign)
		require.ErrorIs(t, s.Verify([]byte(object[:len(object)-1]+`,"sign":"0"}`)), daxpay.ErrProtocol)
	}
	signed, err := s.Sign([]byte(`{"a":[1,2]}`))
	require.NoError(t, err)
	require.NoError(t, s.Verify([]byte(`{"a":[null,1,2,null],"sign":"`+signed+`"}`)))
}
