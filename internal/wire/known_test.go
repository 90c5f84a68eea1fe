package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

func TestKnownNames(t *testing.T) {
	require.LessOrEqual(t, len(knownNames), maxKnown)
	require.Equal(t, gateway.Numbers(), knownNames[firstNumber:])
	for n, name := range map[Name]string{Code: "code", Msg: "msg", ResTime: "resTime", ReqTime: "reqTime", Sign: "sign", TraceID: "traceId", Data: "data"} {
		require.Equal(t, name, knownNames[n])
		require.Equal(t, n.set(), NamesOf(name, "nosuch"))
		require.Equal(t, name, n.set().first())
	}
}

// A name is found if and only if it is the same, however long it is and whatever it begins or ends with.
func TestNameTable(t *testing.T) {
	type model struct {
		A   string `json:"a"`
		B   string `json:"exactly8"`
		C   string `json:"exactly16letters"`
		D   string `json:"exactly8andmore"`
		E   string `json:"exactly16lettersandmore"`
		F   string `json:"exactly16lettersandless"`
		Zhi string `json:"支付"`
	}
	plan := planOf(t, model{})
	for i, f := range plan.Fields {
		require.Same(t, &plan.Fields[i], plan.field([]byte(f.Name)))
		for _, other := range []string{f.Name + "x", f.Name + "\x00", f.Name[1:], f.Name[:len(f.Name)-1], "X" + f.Name[1:], f.Name[:len(f.Name)-1] + "X"} {
			require.Nil(t, plan.field([]byte(other)), other)
		}
		n := plan.table.find(word([]byte(f.Name), 0, len(f.Name)), []byte(f.Name))
		for _, behind := range []string{"", "1", `"12345678901"`} {
			text := []byte(`{"` + f.Name + `":` + behind)
			enough := len(text) >= 1+8
			require.Equal(t, f.Name != "支付" && enough, n.standsAt(text, 1), "%s", text)
			for k := range f.Name + `"":` {
				text[1+k]++
				require.False(t, n.standsAt(text, 1), "%s", text)
				text[1+k]--
			}
		}
	}
}
