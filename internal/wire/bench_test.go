package wire

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/peer"
)

func BenchmarkSignParam(b *testing.B) {
	v := reflect.ValueOf(&everything{Text: "测试接口支付", Color: "ali_pay", N: 100, AllocNo: "A1"}).Elem()
	layout, key := planOf(b, everything{}).Layout("/x", gateway.V208), NewKey(HMACSHA256, "123456")
	var e Encoder
	var body []byte
	b.ReportAllocs()
	for range b.N {
		if _, err := e.Encode(layout, v, Stamp{Nonce: "0f1e2d3c4b5a69788796a5b4c3d2e1f0", Time: 1715500231}); err != nil {
			b.Fatal(err)
		}
		body = append(body[:0], e.Seal(key)...)
	}
}

func BenchmarkVerifyAndDecode(b *testing.B) {
	v := readVectors(b, "seed-pages.jsonl")[4]
	type model struct {
		Code    int          `json:"code"`
		Status  string       `json:"status"`
		ResTime embeddedTime `json:"resTime"`
	}
	plan, keys, body := planOf(b, model{}), []*Key{NewKey(HMACSHA256, v.Secret)}, []byte(v.Body)
	var envelope, data Object
	b.ReportAllocs()
	for range b.N {
		var m model
		require.NoError(b, envelope.ReadWith(body, &data, "data"))
		if verdict, _, err := Verify(keys, &data, shanghai); verdict != Genuine || err != nil {
			b.Fatal(verdict, err)
		}
		if err := plan.Screen(&data, Screening{}); err != nil {
			b.Fatal(err)
		}
		if err := plan.Decode(&data, reflect.ValueOf(&m).Elem(), shanghai); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHostile compares reading, signing and screening a hostile megabyte with json.Valid of the same bytes. No
// megabyte should take more than ten times as long, nor much more memory than it has bytes.
func BenchmarkHostile(b *testing.B) {
	type model struct {
		Msg string   `json:"msg" daxpay:"text"`
		N   []string `json:"n"`
	}
	plan, key := planOf(b, model{}), NewKey(HMACSHA256, "123456")
	for _, hostile := range peer.Hostile(1 << 20) {
		b.Run(hostile.Name, func(b *testing.B) {
			b.SetBytes(int64(len(hostile.Text)))
			b.ReportAllocs()
			for range b.N {
				var o Object
				require.NoError(b, o.Read(hostile.Text))
				_, err := key.AppendSign(nil, &o, shanghai)
				require.NoError(b, err)
				_ = plan.Screen(&o, Screening{})
			}
			spent := b.Elapsed()
			start := time.Now()
			for range b.N {
				require.True(b, json.Valid(hostile.Text))
			}
			b.ReportMetric(float64(spent)/float64(time.Since(start)), "×json.Valid")
		})
	}
}
