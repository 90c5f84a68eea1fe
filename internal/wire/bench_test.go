package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/gateway"
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

// BenchmarkHostile shows that nothing of up to 1 MiB costs more than its length: nanoseconds per byte are the same for every
// size.
func BenchmarkHostile(b *testing.B) {
	type model struct {
		Msg string `json:"msg" daxpay:"text"`
		N   int64  `json:"n"`
	}
	plan, key := planOf(b, model{}), NewKey(HMACSHA256, "123456")
	members := func(n int) string {
		var s strings.Builder
		for i := range n / 12 {
			fmt.Fprintf(&s, `"m%d":1,`, i)
		}
		return s.String()
	}
	for name, build := range map[string]func(n int) string{
		"ands":        func(n int) string { return `{"msg":"` + strings.Repeat("&", n) + `="}` },
		"names":       func(n int) string { return `{` + members(n/2) + `"msg":"` + strings.Repeat("&zzzz=", n/12) + `"}` },
		"nestedNames": func(n int) string { return `{"x":{` + members(n/2) + `"y":"` + strings.Repeat(",zzzz:", n/12) + `"}}` },
		"deep": func(n int) string {
			return `{"x":` + strings.Repeat("[", 30) + strings.Repeat(`{"a":"b,c"},`, n/12) + "0" + strings.Repeat("]", 30) + "}"
		},
		"exponents": func(n int) string { return `{"x":[` + strings.Repeat("1e40,", n/5) + "0]}" },
		"escapes":   func(n int) string { return `{"x":["` + strings.Repeat(`\u00a0`, n/6) + `"]}` },
		"objects":   func(n int) string { return `{"x":[` + strings.Repeat("{},", n/3) + "0]}" },
	} {
		for _, size := range []int{64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				text := []byte(build(size))
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for range b.N {
					var o Object
					require.NoError(b, o.Read(text))
					_, err := key.AppendSign(nil, &o, shanghai)
					require.NoError(b, err)
					_ = plan.Screen(&o, Screening{})
				}
			})
		}
	}
}
