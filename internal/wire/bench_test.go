package wire

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

func BenchmarkSignParam(b *testing.B) {
	v := reflect.ValueOf(&everything{Text: "测试接口支付", Color: "ali_pay", N: 100, AllocNo: "A1"}).Elem()
	layout, key := planOf(b, everything{}).Layout(gateway.V208), NewKey(HMACSHA256, "123456")
	var e Encoder
	var body []byte
	b.ReportAllocs()
	for range b.N {
		text, err := e.Encode(layout, v, Stamp{Nonce: "0f1e2d3c4b5a69788796a5b4c3d2e1f0", Time: 1715500231})
		if err != nil {
			b.Fatal(err)
		}
		var sign [64]byte
		body = e.AppendTo(body[:0], key.AppendSignText(sign[:0], text))
	}
}

func BenchmarkVerifyAndDecode(b *testing.B) {
	v := readVectors(b, "seed-pages.jsonl")[4]
	type model struct {
		Code    int          `json:"code"`
		Status  string       `json:"status"`
		ResTime embeddedTime `json:"resTime"`
	}
	plan, key, body := planOf(b, model{}), NewKey(HMACSHA256, v.Secret), []byte(v.Body)
	var envelope, data Object
	b.ReportAllocs()
	for range b.N {
		var m model
		require.NoError(b, envelope.ReadWith(body, &data, "data"))
		if verdict, err := key.Verify(&data, shanghai); verdict != Genuine || err != nil {
			b.Fatal(verdict, err)
		}
		if err := plan.Screen(&data, false); err != nil {
			b.Fatal(err)
		}
		if err := plan.Decode(&data, reflect.ValueOf(&m).Elem(), shanghai); err != nil {
			b.Fatal(err)
		}
	}
}
