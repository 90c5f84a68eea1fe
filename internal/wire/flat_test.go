package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const sixteenMembers = `{"allocation":true,"amount":100,"attach":"{回调参数}","autoAllocation":true,"bizOrderNo":"SDK_1715341280312","channel":"ali_pay",` +
	`"clientIp":"127.0.0.1","description":"这是支付备注","expiredTime":1715500831,"method":"qrcode","nonceStr":"0f1e2d3c4b5a69788796a5b4c3d2e1f0",` +
	`"notifyUrl":"https://abc.com/callback","quitUrl":"https://abc.com/quit","reqTime":1715500231,"returnUrl":"https://abc.com/return","title":"测试接口支付"}`

// What is usual is signed while it is read; what is not goes the long way.
func TestFlatTakesWhatIsUsual(t *testing.T) {
	key := NewKey(HMACSHA256, "k")
	for text, want := range map[string]bool{
		sixteenMembers: true,
		`{"code":0,"msg":null,"resTime":1715500234,"sign":"x","status":"pay_success"}`:                                                     true,
		`{"sign":"x","memberno1":"a","memberno2":"b"}`:                                                                                     true,
		`{"bizAllocNo":"A29729","receivers":[{"receiverNo":"123","amount":6000},{"receiverNo":"124","amount":7000}],"reqTime":1717261696}`: true,
		`{"a":[],"b":[{"x":null}],"c":[{"b":null,"a":"支付"}],"d":["x",1,true],"e":null}`:                                                    true,
		`{"a":[{"receiverNo":1,"receiverName":"x","receiver":2,"receiverNumber":3}]}`:                                                      true,
		`{"a":[{"a":1,"A":2}]}`: false, `{"a":[{"a":1,"a":2}]}`: false, `{"a":[[1]]}`: false, `{"a":[{"b":{}}]}`: false, `{"a":[{"b":[]}]}`: false,
		`{"a":[{"aTime":"x"}]}`: false, `{"a":[{"a":1,}]}`: false, `{"a":[{"a":1}}`: false, `{"a":[1,]}`: false, `{"a":[,1]}`: false, `{"a":[1}`: false, `{"a":[`: false,
		`{"a":["“"]}`: false, `{"a":[{"a":1}`: false, `{"a":[{"a":"\u0041"}]}`: false, `{"a":[{"abcdefghabcdefgh1":1,"abcdefghabcdefgh2":2}]}`: false,
		`{"b":1,"a":2}`: false, `{"a":1,"A":2}`: false, `{"a":{}}`: false, `{"a":"\n"}`: false, `{"a": 1}`: false, `{"a":1.5}`: false,
		`{"aTime":"x"}`: false, `{"Sign":"x"}`: false, `{"sign":"x","sign":"x"}`: false, `{"a":"é"}`: false, `{"a":1}x`: false, `{"a":1`: false, `{"a":1,}`: false,
	} {
		_, ok := key.AppendSignFlat(nil, []byte(text))
		require.Equal(t, want, ok, text)
	}
}

func BenchmarkFlat16(b *testing.B) {
	key, text := NewKey(HMACSHA256, "k"), []byte(sixteenMembers)
	var sign [64]byte
	for range b.N {
		if _, ok := key.AppendSignFlat(sign[:0], text); !ok {
			b.Fatal()
		}
	}
}
