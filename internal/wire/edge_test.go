package wire

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

const (
	sixteenMembers = `{"allocation":true,"amount":100,"attach":"{回调参数}","autoAllocation":true,"bizOrderNo":"SDK_1715341280312",` +
		`"channel":"ali_pay","clientIp":"127.0.0.1","description":"这是支付备注","expiredTime":1715500831,"method":"qrcode",` +
		`"nonceStr":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","notifyUrl":"https://abc.com/callback","quitUrl":"https://abc.com/quit",` +
		`"reqTime":1715500231,"returnUrl":"https://abc.com/return","title":"测试接口支付"}`
	nestedList = `{"bizAllocNo":"A29729","receivers":[{"receiverNo":"123","amount":6000},{"receiverNo":"124","amount":7000}],` +
		`"reqTime":1717261696}`
)

// Fields of embedded structs are found in any order of the structs and at any depth.
func TestEmbeddedStructsInTurns(t *testing.T) {
	type Innermost struct {
		C string `json:"c"`
		F string `json:"f"`
	}
	type First struct {
		A string `json:"a"`
		Innermost
		D string `json:"d"`
	}
	type Second struct {
		B string `json:"b"`
		E string `json:"e"`
	}
	type message struct {
		First
		Second
		G string `json:"g"`
	}
	want := message{First: First{A: "1", Innermost: Innermost{C: "3", F: "6"}, D: "4"}, Second: Second{B: "2", E: "5"},
		G: "7"}
	body, canonical := encode(t, want, gateway.V208, Stamp{})
	require.Equal(t, "a=1&b=2&c=3&d=4&e=5&f=6&g=7", canonical)
	var got message
	require.NoError(t, planOf(t, got).Decode(read(t, body), reflect.ValueOf(&got).Elem(), shanghai))
	require.Equal(t, want, got)
}

// The buffers may have to grow anywhere in a list, and an error does not outlast its message.
func TestEncoderOfLists(t *testing.T) {
	type message struct {
		N []int64         `json:"n"`
		B []bool          `json:"b"`
		U []uint64        `json:"u"`
		R json.RawMessage `json:"r"`
	}
	var e Encoder
	layout := planOf(t, message{}).Layout("/x", gateway.V208)
	for n := range 400 {
		v := message{N: slices.Repeat([]int64{-1 << 63}, n), B: slices.Repeat([]bool{true, false}, n),
			U: slices.Repeat([]uint64{1<<64 - 1}, n%7), R: json.RawMessage(`1e99`)}
		if n%2 == 0 {
			e = Encoder{} // its buffers grow somewhere in the lists
		}
		_, err := e.Encode(layout, reflect.ValueOf(v), Stamp{Zone: shanghai})
		require.ErrorIs(t, err, ErrNumber)
		v.R = json.RawMessage(`{"b":"x","A":[1]}`)
		canonical, err := e.Encode(layout, reflect.ValueOf(v), Stamp{Zone: shanghai})
		require.NoError(t, err)
		body := e.Seal(NewKey(HMACSHA256, "k"))
		want, err := read(t, string(body)).AppendCanonical(nil, shanghai)
		require.NoError(t, err)
		require.Equal(t, string(want), string(canonical[:len(want)]))
		var other message
		require.NoError(t, json.Unmarshal(body, &other))
		require.Len(t, other.N, n)
	}
}

// Members that come in the order that ignores case are still signed in the order of the bytes.
func TestOrderIsThatOfTheBytes(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"B":2}`: "B=2&a=1", `{"a":1,"_":2,"B":3}`: "B=3&_=2&a=1", `{"B":1,"a":2}`: "B=1&a=2",
		`{"abcdefgha":1,"abcdefghB":2}`: "abcdefghB=2&abcdefgha=1",
	} {
		var o Object
		for range 2 {
			require.NoError(t, o.Read([]byte(text)))
			got, err := o.AppendCanonical(nil, shanghai)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
	}
}

// AppendCanonical writes the same text whatever room there is, and keeps what is before it.
func TestCanonicalInAnyRoom(t *testing.T) {
	for _, text := range []string{
		`{"a":{"\u0062":"x","c":1},"\u0064":2,"é":"x","f":1.50,"g":-0,"hTime":"2024-05-12 15:50:34","i":[{"é":"x","j":1.50,"\u006b":"l"}],"m":true}`,
		`{"z":"支付","y":"a\"b","x":[],"w":null,"sign":"s","v":{"u":"“","tTime":"2024-05-12 15:50:34","s":"\n"}}`,
		sixteenMembers,
	} {
		o := read(t, text)
		want, err := o.AppendCanonical(nil, shanghai)
		require.NoError(t, err)
		for room := range len(want) + 20 {
			got, err := o.AppendCanonical(append(make([]byte, 0, room+2), "xy"...), shanghai)
			require.NoError(t, err)
			require.Equal(t, "xy"+string(want), string(got), room)
		}
	}
}

// Each character that isHarmless looks for is refused in a message that is otherwise ordinary.
func TestOneByteIsNotHarmless(t *testing.T) {
	p := planOf(t, struct {
		Status string `json:"status"`
		Text   string `json:"text" daxpay:"text"`
	}{})
	for value, refused := range map[string]bool{"a": false, "a\x7f": true, "a&b": true, "a\u0085": true, "é": false,
		`\"`: true, `\u0041`: false, `\u0000`: true, `\u007f`: true, "=": false, "\u00a0": false} {
		var o Object
		require.NoError(t, o.Read([]byte(`{"status":"`+value+`","code":0}`)))
		require.Equal(t, refused, p.Screen(&o, Screening{}) != nil, "%q", value)
		require.NoError(t, o.Read([]byte(`{"code":0,"x`+value+`":1}`)))
		require.Equal(t, refused || value == "=", p.Screen(&o, Screening{}) != nil, "%q", value)
	}
}

// A number that the request or the model of its answer has is not foreign.
func TestForeignIsWhatNeitherHas(t *testing.T) {
	request := planOf(t, struct {
		OrderNo string `json:"orderNo" daxpay:"no"`
	}{})
	answer := planOf(t, struct {
		RefundNo string `json:"refundNo"`
	}{})
	for text, want := range map[string]string{
		`{"orderNo":"1","refundNo":"2"}`: "", `{"transferNo":"1"}`: "transferNo", `{"transferNo":null}`: "",
		`{"allocationNo":"1"}`: "allocationNo", `{"x":1}`: "",
	} {
		require.Equal(t, want, request.Foreign(answer, read(t, text)), text)
	}
}
