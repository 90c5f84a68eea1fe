package daxpay_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/param"
)

// FuzzAnswer feeds bodies to a call. What is accepted must be signed over the bytes in Raw, and any other reader must find
// the same members in them. Where the fuzzer gives an object, it is also tried with a right signature, so that the checks
// behind the signature are reached.
func FuzzAnswer(f *testing.F) {
	for _, h := range hostile(f) {
		f.Add([]byte(h.body))
	}
	for _, file := range []string{"seed-pages.jsonl", "captured.jsonl", "responses.jsonl"} {
		for _, v := range readVectors(f, file) {
			f.Add([]byte(v.Body))
			if v.Kind != "request" && v.Kind != "notice" {
				f.Add(v.signed(f))
			}
		}
	}
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(f, err)
	var body string
	transport := httpmock.NewMockTransport()
	transport.RegisterNoResponder(func(r *http.Request) (*http.Response, error) { return jsonAnswer(body)(r) })
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: "http://127.0.0.1:9000", SignSecret: secret, Gateway: daxpay.GatewayV208, MaxAge: -1,
		HTTPClient: &http.Client{Transport: transport},
	})
	require.NoError(f, err)
	call := func(t *testing.T) {
		res, err := kit.SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1"})
		if err != nil {
			require.Nil(t, res)
			require.Contains(t, err.Error(), "/unipay/sync/pay")
			return
		}
		require.True(t, res.Verified)
		require.Contains(t, body, string(res.Raw))
		require.NoError(t, signer.Verify(res.Raw))
		var other struct {
			Code    json.Number
			Status  string
			ResTime json.Number
			OrderNo *string
		}
		require.NoError(t, json.Unmarshal(res.Raw, &other))
		require.Equal(t, other.Status, string(res.Data.Status))
		require.NotEmpty(t, other.Status)
		require.Equal(t, "0", other.Code.String())
		require.False(t, strings.ContainsAny(other.Status, "&\"\\\n\x00"))
		if other.OrderNo != nil {
			require.Equal(t, "P1", *other.OrderNo)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		body = string(input)
		call(t)
		if sign, err := signer.Sign(input); err == nil && json.Valid(input) {
			object := strings.TrimSpace(string(input))
			if strings.Contains(object, "sign") || object == "{}" {
				return
			}
			body = envelope(object[:len(object)-1] + `,"sign":"` + sign + `"}`)
			call(t)
		}
	})
}
