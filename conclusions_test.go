package daxpay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/param"
)

// conclusion is what the client concludes from an answer.
type conclusion string

const (
	succeeded   conclusion = "succeeded"
	didNothing  conclusion = "refused: this send did nothing"
	earlierSend conclusion = "refused: this send did nothing, an earlier one may have"
	noSuchOrder conclusion = "refused: no such order"
	unknown     conclusion = "outcome unknown"
	told        conclusion = "a failure of a call that changes nothing"
)

func conclusionOf(err error) conclusion {
	var refusal *daxpay.GatewayError
	switch {
	case err == nil:
		return succeeded
	case errors.Is(err, daxpay.ErrOutcomeUnknown):
		return unknown
	case errors.Is(err, daxpay.ErrNoSuchOrder):
		return noSuchOrder
	case errors.Is(err, daxpay.ErrEarlierSend):
		return earlierSend
	case errors.As(err, &refusal):
		return didNothing
	}
	return conclusion("not to be concluded: " + err.Error())
}

const anyText = "*"

// said is what a gateway can answer to a call.
type said struct {
	call string // path in 2.0.8, "" for every call
	code int    // of the envelope; 1 with signed for data.code
	sign signedness
	text string // msg or status
}

type signedness uint8

const (
	inEnvelope signedness = iota // a refusal that is not signed
	inData                       // data.code 1
	withStatus                   // data.code 0, text is the status
	withMsg                      // data.code 0 with a msg and without status
)

// conclusions says what the client concludes from each answer of a gateway.
var conclusions = map[said]conclusion{
	{code: 1, text: anyText}:     didNothing, // another HTTP method
	{code: 10001, text: anyText}: unknown,
	{code: 10005, text: anyText}: didNothing,
	{code: 10006, text: anyText}: didNothing,
	{code: 10007, text: anyText}: earlierSend,
	{code: 10008, text: anyText}: unknown,
	{code: 20023, text: anyText}: didNothing,
	{code: 20024, text: anyText}: didNothing,
	{code: 20051, text: anyText}: didNothing,
	{code: 20052, text: anyText}: didNothing,
	{code: 28106, text: anyText}: didNothing,

	{code: 10006, text: "验证参数错误 未获取到签名方式，请检查"}:                                            unknown,
	{code: 10006, text: "验证参数错误 支付方法返回类型需要为 ResResult<T extends PaymentCommonResult> 格式"}: unknown,

	{code: 10010, text: anyText}:     didNothing,
	{code: 10010, text: "支付订单不存在"}:   noSuchOrder,
	{code: 10010, text: "未查询到支付订单"}:  noSuchOrder,
	{code: 10010, text: "未查询到分账单信息"}: noSuchOrder,
	{code: 10010, text: "分账单不存在"}:    noSuchOrder,

	{code: 20000, text: anyText}:                                                   unknown,
	{code: 20000, text: "未通过签名验证"}:                                                 didNothing,
	{code: 20000, text: "签名方式错误"}:                                                  didNothing,
	{code: 20000, text: "该接口权限未开放"}:                                                didNothing,
	{code: 20000, text: "未获取到签名方式，请检查"}:                                            unknown,
	{code: 20000, text: "支付方法返回类型需要为 ResResult<T extends PaymentCommonResult> 格式"}: unknown,

	{call: "/unipay/pay", sign: inData, text: anyText}:        didNothing,
	{call: "/unipay/pay", sign: withStatus, text: "progress"}: succeeded,
	{call: "/unipay/pay", sign: withStatus, text: "success"}:  succeeded,
	{call: "/unipay/pay", sign: withMsg, text: anyText}:       unknown,

	{call: "/unipay/close", sign: inData, text: anyText}:             unknown, // a channel that was too late, among others
	{call: "/unipay/close", sign: inData, text: "订单不是支付中, 无法进行关闭订单"}: earlierSend,
	{call: "/unipay/close", sign: withStatus, text: ""}:              succeeded,

	{call: "/unipay/cancel", sign: inData, text: anyText}:             unknown,
	{call: "/unipay/cancel", sign: inData, text: "订单不是支付中, 无法进行撤销订单"}: earlierSend,
	{call: "/unipay/cancel", sign: withStatus, text: ""}:              succeeded,

	{call: "/unipay/refund", sign: inData, text: anyText}:            didNothing,
	{call: "/unipay/refund", sign: inData, text: "只有失败状态的才可以重新发起退款"}: earlierSend,
	{call: "/unipay/refund", sign: withStatus, text: ""}:             succeeded, // accepted; a query tells how it ended
	{call: "/unipay/refund", sign: withMsg, text: anyText}:           succeeded,
	// accepted; msg is the last error
	{call: "/unipay/refund", sign: withMsg, text: "退款处理中，请勿重复操作"}: unknown,
	// a lock, with the merchant's number for the gateway's

	{call: "/unipay/transfer", sign: inData, text: anyText}:            unknown, // no recording has it
	{call: "/unipay/transfer", sign: inData, text: "不支持的能力"}:           didNothing,
	{call: "/unipay/transfer", sign: inData, text: "支付宝支付未启用"}:         didNothing,
	{call: "/unipay/transfer", sign: withStatus, text: "success"}:      succeeded,
	{call: "/unipay/transfer", sign: withStatus, text: "transferring"}: succeeded,
	{call: "/unipay/transfer", sign: withStatus, text: "fail"}:         unknown,

	{call: "/unipay/allocation/start", sign: inData, text: anyText}:                     didNothing,
	{call: "/unipay/allocation/start", sign: inData, text: "该订单已分账完成"}:                  earlierSend,
	{call: "/unipay/allocation/start", sign: inData, text: "分账单状态错误，无法重试"}:              earlierSend,
	{call: "/unipay/allocation/start", sign: withStatus, text: "allocation_processing"}: succeeded,
	{call: "/unipay/allocation/start", sign: withStatus, text: "ignore"}:                succeeded,
	{call: "/unipay/allocation/start", sign: withStatus, text: "allocation_failed"}:     unknown,

	{call: "/unipay/allocation/finish", sign: inData, text: anyText}:             didNothing,
	{call: "/unipay/allocation/finish", sign: inData, text: "分账单状态错误"}:           earlierSend,
	{call: "/unipay/allocation/finish", sign: withStatus, text: "finish"}:        succeeded,
	{call: "/unipay/allocation/finish", sign: withStatus, text: "finish_failed"}: unknown,

	{call: "/unipay/allocation/receiver/add", sign: inData, text: anyText}:            didNothing,
	{call: "/unipay/allocation/receiver/add", sign: inData, text: "该接收方已存在"}:          earlierSend,
	{call: "/unipay/allocation/receiver/add", sign: inData, text: "分账方处理中，请勿重复操作"}:    earlierSend,
	{call: "/unipay/allocation/receiver/add", sign: withStatus, text: ""}:             succeeded,
	{call: "/unipay/allocation/receiver/remove", sign: inData, text: anyText}:         didNothing,
	{call: "/unipay/allocation/receiver/remove", sign: inData, text: "该接收方不存在"}:       earlierSend,
	{call: "/unipay/allocation/receiver/remove", sign: inData, text: "分账方处理中，请勿重复操作"}: earlierSend,
	{call: "/unipay/allocation/receiver/remove", sign: withStatus, text: ""}:          succeeded,

	{call: "/unipay/sync/pay", sign: inData, text: anyText}: unknown,
	// by the matrix nothing proves that nothing happened
	{call: "/unipay/sync/pay", sign: withStatus, text: "pay_success"}:           succeeded,
	{call: "/unipay/sync/pay", sign: withStatus, text: "pay_progress"}:          succeeded,
	{call: "/unipay/sync/pay", sign: withStatus, text: "pay_closed"}:            succeeded,
	{call: "/unipay/sync/pay", sign: withStatus, text: "pay_refund"}:            succeeded,
	{call: "/unipay/sync/pay", sign: withStatus, text: "pay_not_found"}:         succeeded,
	{call: "/unipay/sync/pay", sign: withStatus, text: "pay_not_found_unknown"}: succeeded,
	{call: "/unipay/sync/pay", sign: withStatus, text: "pay_timeout"}:           succeeded,

	{call: "/unipay/sync/refund", sign: inData, text: anyText}:               unknown,
	{call: "/unipay/sync/refund", sign: withStatus, text: "refund_success"}:  succeeded,
	{call: "/unipay/sync/refund", sign: withStatus, text: "refund_progress"}: succeeded,
	{call: "/unipay/sync/refund", sign: withStatus, text: "pay_not_found"}:   succeeded,
	{call: "/unipay/sync/refund", sign: withStatus, text: "close"}:           succeeded,

	{call: "/unipay/sync/allocation", sign: inData, text: anyText}:          unknown,
	{call: "/unipay/sync/allocation", sign: withStatus, text: ""}:           succeeded,
	{call: "/unipay/sync/transfer", sign: inData, text: anyText}:            told,
	{call: "/unipay/query/payOrder", sign: inData, text: anyText}:           told,
	{call: "/unipay/query/refundOrder", sign: inData, text: anyText}:        told,
	{call: "/unipay/query/transferOrder", sign: inData, text: anyText}:      told,
	{call: "/unipay/query/allocationOrder", sign: inData, text: anyText}:    told,
	{call: "/unipay/query/allocationReceiver", sign: inData, text: anyText}: told,

	{call: "/unipay/query/payOrder", sign: withStatus, text: anyText}:           succeeded,
	{call: "/unipay/query/refundOrder", sign: withStatus, text: anyText}:        succeeded,
	{call: "/unipay/query/transferOrder", sign: withStatus, text: anyText}:      succeeded,
	{call: "/unipay/query/allocationOrder", sign: withStatus, text: anyText}:    succeeded,
	{call: "/unipay/query/allocationReceiver", sign: withStatus, text: anyText}: succeeded,
	{call: "/unipay/assist/getWxAuthUrl", sign: withStatus, text: ""}:           succeeded,
	{call: "/unipay/assist/getWxAccessToken", sign: withStatus, text: ""}:       succeeded,
	{call: "/unipay/assist/getWxAccessToken", sign: inData, text: anyText}:      unknown,
	{call: "/unipay/assist/getWxAuthUrl", sign: inData, text: anyText}:          told,
}

// absent are the signed texts for an order that the gateway does not have. They prove that in every call but a payout,
// which the refusal of another call must not end.
var absent = []string{
	"支付订单不存在", "支付单不存在", "未查询到支付订单", "退款订单不存在", "未查询到退款订单", "转账订单不存在", "分账单不存在", "未查询到分账单信息",
}

// row finds the row for an answer: one with its text before one for any text, one for its call before one for all.
func row(s said) (conclusion, bool) {
	if s.sign == inData && slices.Contains(absent, s.text) && s.call != "/unipay/transfer" {
		return noSuchOrder, true
	}
	for _, key := range []said{s, {"", s.code, s.sign, s.text}, {s.call, s.code, s.sign, anyText},
		{"", s.code, s.sign, anyText}} {
		if want, ok := conclusions[key]; ok {
			return want, true
		}
	}
	return "", false
}

// asked are the calls of 2.0.8 by their paths there.
var asked = func() map[string]calltable.Call {
	byPath := make(map[string]calltable.Call)
	for _, c := range calltable.Current() {
		byPath[c.Path()] = c
	}
	return byPath
}()

// ask makes the call of a path. Every number of the merchant is B1 and every number of the gateway G1; members that the
// version does not know are left out.
func ask(kit *daxpay.Client, path string, version gateway.Version) error {
	c := asked[path]
	p := c.Param("1")
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("json")
		_, known := version.Member(path, name)
		switch number := strings.HasPrefix(f.Tag.Get("daxpay"), "no") && !v.Field(i).IsZero(); {
		case !known:
			v.Field(i).SetZero()
		case number && strings.HasPrefix(name, "biz"):
			v.Field(i).SetString("B1")
		case number:
			v.Field(i).SetString("G1")
		}
	}
	_, err := c.Do(context.Background(), kit, p)
	return err
}

var released = map[daxpay.GatewayVersion]gateway.Version{
	daxpay.GatewayV206: gateway.V206, daxpay.GatewayV207: gateway.V207, daxpay.GatewayV208: gateway.V208,
}

// recorded is an answer that a real gateway gave to a call.
type recorded struct {
	scenario string
	version  daxpay.GatewayVersion
	said     said
	body     map[string]json.RawMessage // of the envelope
}

// placeholders are the placeholders of a recording and their values here.
var placeholders = []struct {
	form  *regexp.Regexp
	value string
}{
	{regexp.MustCompile(`"\$[A-Z]+[a-z]?\d*\.[A-Za-z]+\d*"`), `"G1"`},
	{regexp.MustCompile(`"\$[A-Z]+[a-z]?\d*(\*\d+)?"`), `"B1"`},
	{regexp.MustCompile(`"\$now[+-]?\d*"`), strconv.Itoa(now)},
	{regexp.MustCompile(`"\$text[+-]?\d*"`), `"2024-05-12 15:50:34"`},
	{regexp.MustCompile(`"\$[~a-z](\\.|[^"\\])*"`), `"x"`},
}

func filled(raw string) string {
	for _, p := range placeholders {
		raw = p.form.ReplaceAllString(raw, p.value)
	}
	return raw
}

// recordings collects every answer of a real gateway to a call that this module has, in testdata.
func recordings(t *testing.T) []recorded {
	t.Helper()
	files, err := filepath.Glob("testdata/conformance/*/*.json")
	require.NoError(t, err)
	var all []recorded
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var scenario struct {
			Version string
			Steps   []struct {
				Call, Begin, End, Method string
				Status                   int
				Answer                   json.RawMessage
			}
		}
		require.NoError(t, json.Unmarshal(text, &scenario), file)
		version := released[daxpay.GatewayVersion(scenario.Version)]
		begun := make(map[string]string)
		for _, step := range scenario.Steps {
			if step.Begin != "" {
				begun[step.Begin] = step.Call
			}
			if step.End != "" {
				step.Call = begun[step.End]
			}
			i := slices.IndexFunc(slices.Sorted(maps.Keys(asked)), func(call string) bool {
				path, ok := version.Path(call)
				return ok && path == step.Call
			})
			if step.Status != http.StatusOK || i < 0 || step.Method == http.MethodHead ||
				!strings.HasPrefix(string(step.Answer), "{") {
				continue
			}
			r := recorded{scenario: filepath.Base(file), version: daxpay.GatewayVersion(scenario.Version)}
			r.said.call = slices.Sorted(maps.Keys(asked))[i]
			require.NoError(t, json.Unmarshal([]byte(filled(string(step.Answer))), &r.body), file)
			r.classify(t)
			all = append(all, r)
		}
	}
	return all
}

func (r *recorded) classify(t *testing.T) {
	t.Helper()
	var outer struct {
		Code int
		Msg  string
		Data *struct {
			Code   int
			Msg    string
			Status string
		}
	}
	body, err := json.Marshal(r.body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(body, &outer))
	switch {
	case outer.Data == nil:
		r.said.code, r.said.text = outer.Code, strings.ReplaceAll(outer.Msg, "\n", " ")
	case outer.Data.Code != 0:
		require.Equal(t, 1, outer.Data.Code)
		r.said.sign, r.said.text = inData, outer.Data.Msg
	case outer.Data.Msg != "" && outer.Data.Status == "":
		r.said.sign, r.said.text = withMsg, outer.Data.Msg
	default:
		r.said.sign, r.said.text = withStatus, outer.Data.Status
	}
}

// TestConclusions compares every recorded answer of a real gateway with the table.
func TestConclusions(t *testing.T) {
	all := recordings(t)
	require.Greater(t, len(all), 500)
	seen := make(map[said]bool)
	for _, r := range all {
		want, ok := row(r.said)
		require.True(t, ok, "%s: the table has no row for %+v", r.scenario, r.said)
		seen[r.said] = true
		require.Equal(t, want.of(r.said.call), r.concluded(t), "%s: %+v", r.scenario, r.said)
	}
	t.Logf("%d answers of real gateways, %d different ones", len(all), len(seen))
}

// TestConclusionsThatNoRecordingShows tries the rows of the table with made-up answers.
func TestConclusionsThatNoRecordingShows(t *testing.T) {
	table := maps.Clone(conclusions)
	for call := range asked {
		for _, text := range absent {
			s := said{call: call, sign: inData, text: text}
			table[s], _ = row(s)
		}
	}
	for s, want := range table {
		if s.sign == withStatus || s.sign == withMsg {
			continue // these need the members of an answer, which only recordings have
		}
		if s.text == anyText {
			s.text = "等等"
		}
		for call := range asked {
			if s.call != "" && s.call != call {
				continue
			}
			if row, _ := row(said{call, s.code, s.sign, s.text}); row != want {
				continue // there is a row for this call
			}
			r := recorded{version: daxpay.GatewayV208, said: said{call, s.code, s.sign, s.text}}
			text, err := json.Marshal(s.text)
			require.NoError(t, err)
			if s.sign == inData {
				r.body = map[string]json.RawMessage{"code": json.RawMessage("0"),
					"data": json.RawMessage(fmt.Sprintf(`{"code":1,"msg":%s,"resTime":%d}`, text, now))}
			} else {
				r.body = map[string]json.RawMessage{"code": json.RawMessage(strconv.Itoa(s.code)), "msg": text,
					"data": json.RawMessage("null")}
			}
			require.Equal(t, want.of(call), r.concluded(t), "%s: %+v", call, s)
		}
	}
}

// of is the conclusion for a call: a call that changes nothing has no unknown outcome.
func (c conclusion) of(call string) conclusion {
	if asked[call].Effect == param.EffectReadOnly && (c == unknown || c == told) {
		return didNothing
	}
	return c
}

// concluded makes the call with a client that gets the answer.
func (r *recorded) concluded(t *testing.T) conclusion {
	t.Helper()
	if data := r.body["data"]; len(data) > 0 && data[0] == '{' {
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(data, &members))
		delete(members, "sign")
		plain, err := json.Marshal(members)
		require.NoError(t, err)
		r.body["data"] = json.RawMessage(signedObject(t, daxpay.HMACSHA256, string(plain[1:len(plain)-1])))
	}
	body, err := json.Marshal(r.body)
	require.NoError(t, err)
	kit, _ := mocked(t, daxpay.Config{Gateway: r.version, Now: at(now), AllowAmbiguousText: true},
		jsonAnswer(string(body)))
	return conclusionOf(ask(kit, r.said.call, released[r.version]))
}
