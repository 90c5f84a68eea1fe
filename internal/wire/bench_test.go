package wire

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/model"
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

var signText = `,"` + SignName + `":"`

// BenchmarkTricks measures what the comments on tricks in this package say that they buy, beside the plain way.
func BenchmarkTricks(b *testing.B) {
	digest := sha256.Sum256(nil)
	var sign, other [64]byte
	hex.Encode(sign[:], digest[:])
	other = sign
	long := []byte(strings.Repeat("0123456789abcdef", 64))
	plan := planOf(b, model.PayNotice{})
	names := make(map[string]int)
	for i, f := range plan.Fields {
		names[f.Name] = i
	}
	name := []byte("outOrderNo")
	notices := `{"code":0,"msg":null,"resTime":1,"sign":"x","orderNo":"1","bizOrderNo":"1","outOrderNo":"1","title":"1","description":"1","allocation":false,"autoAllocation":false,` +
		`"channel":"1","method":"1","amount":100,"status":"success","refundStatus":"1","allocStatus":null,"payTime":1,"expiredTime":1,"closeTime":null}`
	message := read(b, notices)
	order := message.sorted()
	text, quoted := []byte(notices), []byte(`{"outOrderNo":"1"}`)
	expected := plan.table.find(word(name, 0, len(name)), name)
	message.Expect(plan)
	digits := []byte("1715500234")
	var dst [64]byte
	key := NewKey(HMACSHA256, "123456")
	var o Object
	signLong := func(text string) {
		_ = o.Read([]byte(text))
		_, _ = key.AppendSign(dst[:0], &o, shanghai)
	}
	for _, trick := range []struct {
		name string
		run  func()
	}{
		{"equal", func() { equal(digest[:], other[:]) }},
		{"equal/plain", func() {
			hex.Encode(sign[:], digest[:])
			subtle.ConstantTimeCompare(sign[:], other[:])
		}},
		{"hex", func() { appendHex(sign[:0], digest[:]) }},
		{"hex/plain", func() { hex.Encode(sign[:], digest[:]) }},
		{"words, 1 KiB", func() { plain(long, 0) }},
		{"words, 1 KiB/plain", func() { holds(long) }},
		{"field", func() { plan.table.find(word(name, 0, len(name)), name) }},
		{"field/plain", func() { _ = names[string(name)] }},
		{"order", func() { message.order.fits(&message.members, false) }},
		{"order/plain", func() {
			slices.Sort(order)
			slices.SortFunc(order, func(x, y uint32) int {
				return bytes.Compare(message.nameOf(&message.entries[x]), message.nameOf(&message.entries[y]))
			})
		}},
		{"find", func() { message.find("nosuch") }},
		{"expected name", func() { expected.standsAt(quoted, 1) }},
		{"expected name/plain", func() {
			end := plain(quoted, 2)
			plan.table.find(word(quoted, 2, end), quoted[2:end])
		}},
		{"notice in the order of the one before", func() { _ = message.Read(text) }},
		{"notice in the order of the one before/plain", func() {
			message.sequence = sequence{}
			_ = message.Read(text)
			message.sorted()
		}},
		{"screen", func() { _ = plan.Screen(message, Screening{}) }},
		{"screen/plain", func() {
			message.forms |= escaped
			_ = plan.Screen(message, Screening{})
		}},
		{"integer", func() { _, _ = parseInt(digits) }},
		{"integer/plain", func() { _, _ = strconv.ParseInt(string(digits), 10, 64) }},
		{"flat, 16 members", func() { key.AppendSignFlat(dst[:0], []byte(sixteenMembers)) }},
		{"flat, 16 members/plain", func() { signLong(sixteenMembers) }},
		{"flat, list", func() { key.AppendSignFlat(dst[:0], []byte(nestedList)) }},
		{"flat, list/plain", func() { signLong(nestedList) }},
		{"piece", func() { signPiece.put(dst[:], 0) }},
		{"piece/plain", func() { _ = append(dst[:0], signText...) }},
	} {
		b.Run(trick.name, func(b *testing.B) {
			for range b.N {
				trick.run()
			}
		})
	}
}
