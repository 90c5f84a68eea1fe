package wire

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sixteenMembers = `{"allocation":true,"amount":100,"attach":"{回调参数}","autoAllocation":true,"bizOrderNo":"SDK_1715341280312","channel":"ali_pay",` +
	`"clientIp":"127.0.0.1","description":"这是支付备注","expiredTime":1715500831,"method":"qrcode","nonceStr":"0f1e2d3c4b5a69788796a5b4c3d2e1f0",` +
	`"notifyUrl":"https://abc.com/callback","quitUrl":"https://abc.com/quit","reqTime":1715500231,"returnUrl":"https://abc.com/return","title":"测试接口支付"}`

const nestedList = `{"bizAllocNo":"A29729","receivers":[{"receiverNo":"123","amount":6000},{"receiverNo":"124","amount":7000}],"reqTime":1717261696}`

// What is usual is signed while it is read; what is not goes the long way.
func TestFlatTakesWhatIsUsual(t *testing.T) {
	key := NewKey(HMACSHA256, "k")
	for text, want := range map[string]bool{
		sixteenMembers: true,
		`{"code":0,"msg":null,"resTime":1715500234,"sign":"x","status":"pay_success"}`: true,
		`{"sign":"x","memberno1":"a","memberno2":"b"}`:                                 true,
		nestedList: true,
		`{"a":[],"b":[{"x":null}],"c":[{"b":null,"a":"支付"}],"d":["x",1,true],"e":null}`: true,
		`{"a":[{"receiverNo":1,"receiverName":"x","receiver":2,"receiverNumber":3}]}`:   true,
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

// However long a message is, and wherever in it a block is full, it is signed as it is the long way.
func TestFlatOfEveryLength(t *testing.T) {
	key := NewKey(HMACSHA256, "k")
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		return strings.Repeat("x", random.IntN(60)) + strings.Repeat("支", random.IntN(3)*random.IntN(20)) + strings.Repeat("y", random.IntN(9))
	}
	value := func() string {
		switch random.IntN(9) {
		case 0:
			return []string{"true", "false", "null", "0", "[]"}[random.IntN(5)]
		case 1:
			return strconv.FormatUint(random.Uint64()>>random.IntN(64), 10)
		case 2:
			return "[" + strings.Repeat("0,", random.IntN(900)) + `"` + text() + `"]`
		case 3:
			return "[" + strings.Repeat(`{"number":"`+text()+`","amount":`+strconv.Itoa(random.IntN(1e9))+`,"b":true,"a":null},`, random.IntN(12)) + "1]"
		case 4:
			return `"` + strings.Repeat("z", random.IntN(5000)) + `"`
		}
		return `"` + text() + `"`
	}
	taken := 0
	for range 3000 {
		var b strings.Builder
		for i := range 1 + random.IntN(120) {
			fmt.Fprintf(&b, `,"member%03d":%s`, i, value())
		}
		message := []byte("{" + b.String()[1:] + "}")
		sign, ok := key.AppendSignFlat(nil, message)
		if !ok {
			continue
		}
		taken++
		o := read(t, string(message))
		want, err := key.AppendSign(nil, o, shanghai)
		require.NoError(t, err)
		require.Equal(t, string(want), string(sign), "%s", message)
	}
	require.Greater(t, taken, 500)
}
