package main

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// Every check holds, and has made its attacks: a check that attacks nothing would hold as well.
func TestPromises(t *testing.T) {
	figures := map[string]string{
		"tampering": `(\d+) refused`,
		"swapping":  `(\d+) genuine messages`,
		"malformed": `(\d+) messages,`,
		"agreement": `(\d+) random objects`,
		"faults":    `(\d+) requests`,
		"ledger":    `(\d+) calls`,
		"secrets":   `(\d+) paths`,
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			made := &trial{seed: 2, thin: 25, vectors: "../../testdata/vectors"}
			require.NoError(t, c.run(made))
			require.NotEmpty(t, c.promise)
			found := regexp.MustCompile(figures[c.name]).FindStringSubmatch(made.figures.String())
			require.Len(t, found, 2, made.figures.String())
			n, err := strconv.Atoi(found[1])
			require.NoError(t, err)
			require.Greater(t, n, 200)
		})
	}
}

func TestClassesOfMalformedBodies(t *testing.T) {
	classes := badClasses()
	require.GreaterOrEqual(t, len(classes), 40)
	names := make(map[string]bool)
	for _, k := range message.Kinds() {
		s := &sample{Kind: &k, signType: algorithms[0]}
		s.Signed = s.Sealed(s.signType)
		for _, class := range classes {
			names[class.name] = true
			if class.bodies != nil {
				require.NotContains(t, class.bodies(s), s.Body, "%s, %s", k.Name, class.name)
			} else {
				require.NotEmpty(t, class.replies(s), class.name)
			}
		}
	}
	require.Len(t, names, len(classes), "each class has a name of its own")
}

func TestFailuresHaveNamesOfTheirOwn(t *testing.T) {
	names := make(map[string]bool)
	for _, o := range failures() {
		require.False(t, names[o.name], o.name)
		names[o.name] = true
	}
}

// The search for marks finds them in every form of printing.
func TestHuntFinds(t *testing.T) {
	for _, value := range []any{
		nameMark, &struct{ A any }{[]string{accountMark}}, errors.New("x " + secretMark), []byte(tokenMark),
		map[string]int{previousMark: 1}, "the signature abc1",
	} {
		h := newHunt()
		h.print("path", value, append(marks, "abc1"))
		require.Positive(t, h.faults.count, "%v", value)
	}
	h := newHunt()
	h.print("path", errors.New("harmless"), marks)
	require.Zero(t, h.faults.count)
	require.Greater(t, h.texts, 10)
}

// Marks are in every text of a param, and in no number of an order.
func TestMarkParam(t *testing.T) {
	p := &param.PayParam{BizOrderNo: "B1", Channel: model.ChannelAli, ExtraParam: param.WeChatPay{}}
	markParam(reflect.ValueOf(p).Elem())
	require.Equal(t, "B1", p.BizOrderNo)
	require.Equal(t, model.ChannelAli, p.Channel)
	require.Equal(t, param.WeChatPay{OpenID: accountMark, AuthCode: accountMark}, p.ExtraParam)
	require.Contains(t, p.Title, nameMark)
	require.Contains(t, p.Attach, tokenMark)
	require.Contains(t, p.NotifyURL, tokenMark)
	r := &param.RefundParam{ExtraParam: "{}"}
	markParam(reflect.ValueOf(r).Elem())
	require.JSONEq(t, `{"a":"`+accountMark+`"}`, r.ExtraParam)
	alloc := &param.AllocStartParam{Receivers: make([]param.AllocReceiver, 1)}
	markParam(reflect.ValueOf(alloc).Elem())
	require.Equal(t, accountMark, alloc.Receivers[0].ReceiverNo)
}

// Each edit is of the class that it is named after.
func TestEdits(t *testing.T) {
	root, err := peer.Parse([]byte(`{"data":{"amount":1,"title":"a&b=c","list":[{"name":"x","note":"n"}]}}`))
	require.NoError(t, err)
	made := make(map[string]bool)
	edits(root, 0, func(class string, edited peer.Object) { made[class+" "+string(peer.Encode(edited))] = true })
	for _, want := range []string{
		`dropped {"data":{"title":"a&b=c","list":[{"name":"x","note":"n"}]}}`,
		`swapped {"data":{"amount":"a&b=c","title":1,"list":[{"name":"x","note":"n"}]}}`,
		`retyped {"data":{"amount":"1","title":"a&b=c","list":[{"name":"x","note":"n"}]}}`,
		`duplicated {"data":{"amount":1,"amount":0,"title":"a&b=c","list":[{"name":"x","note":"n"}]}}`,
		`recased {"data":{"AMOUNT":1,"title":"a&b=c","list":[{"name":"x","note":"n"}]}}`,
		`cut {"data":{"amount":1,"title":"a","b":"c","list":[{"name":"x","note":"n"}]}}`,
		`joined {"data":{"title":"a&b=c&amount=1","list":[{"name":"x","note":"n"}]}}`,
		`retexted {"data":{"amount":1,"title":"a&b=c","list":[{"name":"x","note":"\n"}]}}`,
		`dropped {"data":{"amount":1,"title":"a&b=c","list":[{"note":"n"}]}}`,
		`dropped {"data":{"amount":1,"title":"a&b=c","list":[]}}`,
	} {
		require.True(t, made[want], want)
	}
}

func TestCommand(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, command([]string{"-run", "agreement", "-thin", "1000", "-vectors", "../../testdata/vectors"}, &out))
	require.Equal(t, 1, strings.Count(out.String(), "\n"), "one line of figures")
	require.Regexp(t, "^agreement +200 random objects", out.String())
	out.Reset()
	require.ErrorIs(t, command([]string{"-run", "agreement", "-thin", "1000", "-vectors", "nowhere"}, &out), errBroken)
	require.Contains(t, out.String(), "BROKEN")
	require.ErrorContains(t, command([]string{"-run", "everything"}, &out), `no check "everything"`)
	require.Error(t, command([]string{"-thin", "0"}, &out))
}
