package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

// 64 KB of brackets would be 200 MB with line breaks and indentation.
func TestDeepJSON(t *testing.T) {
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	require.Less(t, len(highlight([]byte(`{"a":`+deep+`}`))), 100_000)
	shown := string(highlight([]byte(`{"a":"` + deep + `","b":[[1]]}`)))
	require.Contains(t, shown, `<span class="jl">`, "brackets in a text are not deep")
}

// A text with many & must not become many mistakes to look for, each with a copy of all pairs.
func TestManyPairs(t *testing.T) {
	var members, value strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&members, `,"m%04d":0`, i)
		fmt.Fprintf(&value, "&m%04d=", i)
	}
	for _, body := range []string{
		`{"extraParam":{"x":"` + strings.Repeat("&a=", 20_000) + `"},"a":1,"sign":"0"}`,
		`{"extraParam":{"x":"` + value.String() + `"}` + members.String() + `,"sign":"0"}`,
	} {
		a := algorithm(daxpay.MD5)
		inner := body[len(`{"extraParam":{"x":"`):strings.Index(body, `"}`)]
		text := "amount=1&extraParam={x:" + inner + "}&title=tea"
		d := diagnose([]byte(body), text, a.of(text, "s"), string(a), "s", nil)
		require.Less(t, len(d.Tried), 100)
	}
}

// A page hears of its own order, however much else happens.
func TestBusyHub(t *testing.T) {
	var h hub
	p := h.join([]string{"order:pay:p1"})
	for i := range 1000 {
		h.publish("orders", fmt.Sprintf("order:pay:x%d", i))
	}
	require.Empty(t, p.changed)
	h.publish("orders", "order:pay:p1")
	h.publish("orders", "order:pay:p1")
	require.Len(t, p.changed, 1)
	h.leave(p)
	<-p.changed
	h.publish("order:pay:p1")
	require.Empty(t, p.changed)
}
