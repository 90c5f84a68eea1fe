//go:build !race

// Under the race detector, pools drop items at random, and allocations cannot be counted.

package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// allocations returns the number of allocations of one run, once everything is warm.
func allocations(t *testing.T, run func()) float64 {
	t.Helper()
	return testing.AllocsPerRun(200, run)
}

func TestReadingSigningAndVerifyingAllocateNothing(t *testing.T) {
	key := NewKey(HMACSHA256, "k")
	for name, text := range map[string]string{
		"in order":  sixteenMembers,
		"unordered": `{"status":"pay_success","code":0,"msg":null,"resTime":1715500234}`,
		"nested":    `{"bizAllocNo":"A29729","receivers":[{"receiverNo":"123","amount":6000},{"receiverNo":"124","amount":7000}],"deep":{"b":[[{"z":1,"y":"支付"}]],"a":null},"reqTime":1717261696}`,
		"many": `{"first":1` + strings.Repeat(`,"x":1`, 1) +
			`,"m1":1,"m2":2,"m3":3,"m4":4,"m5":5,"m6":6,"m7":7,"m8":8,"m9":9,"ma":1,"mb":2,"mc":3,"md":4,"me":5,"mf":6,"mg":7,"mh":8,"mi":9,"mj":1,"mk":2,"ml":3,"mm":4,"mn":5,"mo":6,"mp":7,"mq":8,"mr":9}`,
		"more": `{"first":1` + numbered(40) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			var o Object
			var sign [64]byte
			raw := []byte(text)
			require.Zero(t, allocations(t, func() {
				if o.Read(raw) != nil {
					t.Fail()
				}
				if _, err := key.AppendSign(sign[:0], &o, shanghai); err != nil {
					t.Fail()
				}
				o.Release()
			}))
			require.NoError(t, o.Read(raw))
			signed, err := key.AppendSign(nil, &o, shanghai)
			require.NoError(t, err)
			sealed := []byte(text[:len(text)-1] + `,"sign":"` + string(signed) + `"}`)
			keys := []*Key{key}
			require.Zero(t, allocations(t, func() {
				if o.Read(sealed) != nil {
					t.Fail()
				}
				if verdict, _, _ := Verify(keys, &o, shanghai); verdict != Genuine {
					t.Fail()
				}
				o.Release()
			}))
		})
	}
}

// numbered returns n members, each with a comma before it.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"member%d":%d`, i, i)
	}
	return b.String()
}

// A megabyte takes no more memory than a kilobyte.
func TestLongMessagesTakeNoMemory(t *testing.T) {
	key := NewKey(HMACSHA256, "k")
	for name, text := range map[string]string{
		"string": `{"a":"` + strings.Repeat("0123456789", 100_000) + `"}`,
		"list":   `{"a":[` + strings.Repeat(`{"receiverNo":"1234567890","channel":"ali_pay","amount":6000,"receiverName":null},`, 12_000) + `{}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			var o Object
			var sign [64]byte
			raw := []byte(text)
			require.Zero(t, allocations(t, func() {
				if o.Read(raw) != nil {
					t.Fail()
				}
				if _, err := key.AppendSign(sign[:0], &o, shanghai); err != nil {
					t.Fail()
				}
				o.Release()
			}))
		})
	}
}

func TestWritingAParamAllocatesNothing(t *testing.T) {
	v := reflect.ValueOf(&everything{
		common: common{ReqTime: time.Unix(1715500231, 0)}, Text: "测试接口支付", Color: "ali_pay", N: 100, AllocNo: "A1",
		Items: []item{{Zed: "z", Alpha: new(int64)}},
	}).Elem()
	layout, key := planOf(t, everything{}).Layout("/x", gateway.V208), NewKey(HMACSHA256, "k")
	var e Encoder
	var body []byte
	require.Zero(t, allocations(t, func() {
		if _, err := e.Encode(layout, v,
			Stamp{Nonce: "n", ClientIP: "127.0.0.1", Time: 1715500231, Zone: shanghai}); err != nil {
			t.Fail()
		}
		body = append(body[:0], e.Seal(key)...)
		e.Release()
	}))
}

// Decoding an answer allocates once, for all of its texts together.
func TestDecodingAllocatesTheTextsAtOnce(t *testing.T) {
	type model struct {
		Code    int          `json:"code"`
		Status  color        `json:"status"`
		OrderNo string       `json:"orderNo"`
		Title   string       `json:"title" daxpay:"text"`
		ResTime embeddedTime `json:"resTime"`
	}
	plan, keys := planOf(t, model{}), []*Key{NewKey(HMACSHA256, "k")}
	read := func(data string) func() {
		var o Object
		require.NoError(t, o.Read([]byte(data)))
		sign, err := keys[0].AppendSign(nil, &o, shanghai)
		require.NoError(t, err)
		body := []byte(`{"msg":"success","code":0,"data":` + data[:len(data)-1] + `,"sign":"` + string(sign) +
			`"},"traceId":"otTneUZX4KEK"}`)
		var envelope, inner Object
		m := new(model)
		return func() {
			if envelope.ReadWith(body, &inner, "data") != nil {
				t.Fail()
			}
			if verdict, _, _ := Verify(keys, &inner, shanghai); verdict != Genuine {
				t.Fail()
			}
			if plan.Screen(&inner, Screening{}) != nil || plan.Decode(&inner, reflect.ValueOf(m).Elem(), shanghai) != nil ||
				m.Status != "red" {
				t.Fail()
			}
			inner.Release()
			envelope.Release()
		}
	}
	require.InDelta(t, 1, allocations(t, read(`{"code":0,"resTime":1715500234,"status":"red"}`)), 0)
	require.InDelta(t, 1, allocations(t,
		read(`{"status":"red","title":"测试接口支付","orderNo":"P1","code":0,"resTime":1715500234}`)), 0)
}
