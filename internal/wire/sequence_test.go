package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever was read before, and whatever plan was expected then and is now, a message reads as it does by an object that is new.
func TestNothingOfAMessageShowsInTheNext(t *testing.T) {
	type model struct {
		Code   int    `json:"code"`
		Status string `json:"status"`
		Long   string `json:"outAllocationNoOfThis"`
		Wide   string `json:"名字"`
		N      int    `json:"n"`
	}
	type other struct { // the same names, and none at the place that it has there
		N      int    `json:"n"`
		Wide   string `json:"名字"`
		Long   string `json:"outAllocationNoOfThis"`
		Status string `json:"status"`
		Extra  string `json:"extra"`
	}
	plans := []*Plan{nil, planOf(t, model{}), planOf(t, other{})}
	usual := []string{`"code":0`, `"status":"a"`, `"outAllocationNoOfThis":"b"`, `"名字":"c"`, `"n":1`}
	messages := []string{`{}`, `{"code"`, `[`, `{"n":1,"code":0,"status":"x","extra":"&code=1"}`, `{"code":1,"n":2}`, `{"a":1,"b":2,"c":3,"d":4,"e":5}`}
	whole := "{" + strings.Join(usual, ",") + "}"
	for from, to := range map[string]string{
		"": "", "status": "Status", "statu": "statv", `"status"`: `"status "`, `"status":`: `"status"5`, `"code":`: `"code"0`, "code": "Code", `"n":1`: `"n":null`,
		"outAllocationNo": "outAllocAtionNo", "AllocationNoOfThis": "AllocationNoOfThiS", "outA": "oUtA", `"outAllocationNoOfThis":`: `"outAllocationNoOfThis" :`,
		"名字": "名子", `"名字":`: `"名字"5`, `"名字":"c"`: `"status":"c"`, `n":1`: `\u006e":1`, "\"b\"": "\"&n=1\x7f\"", "\"c\"": "[1]", ",\"n\":1": "", `:"a"`: `:"a\u0000"`,
	} {
		changed := whole
		if from != "" {
			changed = strings.Replace(whole, from, to, 1)
		}
		require.True(t, from == "" || changed != whole, from)
		messages = append(messages, changed, changed[:len(changed)-1]+`,"m":1}`, changed[:len(changed)-1])
	}
	see := func(o *Object, err error) string {
		if err != nil {
			return fmt.Sprint(err, len(o.Members()))
		}
		var b strings.Builder
		for i := range o.entries {
			e := &o.entries[i]
			fmt.Fprintf(&b, "%s %x %v %s\n", o.nameOf(e), e.word, e.foreign, o.valueOf(e).Raw)
		}
		canonical, err := o.AppendCanonical(nil, shanghai)
		fmt.Fprintf(&b, "%s %v %v %v\n", canonical, err, o.known.all, o.known.given)
		for _, p := range plans[1:] {
			v := reflect.New(p.Type).Elem()
			fmt.Fprintln(&b, p.Decode(o, v, shanghai), v, p.Screen(o, Screening{}))
		}
		return b.String()
	}
	want := map[string]string{}
	for _, m := range messages {
		var fresh Object
		want[m] = see(&fresh, fresh.Read([]byte(m)))
	}
	for _, first := range messages {
		for _, second := range messages {
			for k := range len(plans) * len(plans) {
				var o Object
				o.Expect(plans[k%len(plans)])
				see(&o, o.Read([]byte(first)))
				o.Expect(plans[k/len(plans)])
				for range 2 {
					require.Equal(t, want[second], see(&o, o.Read([]byte(second))), "%s\n%s\n%d", first, second, k)
				}
			}
		}
	}
}
