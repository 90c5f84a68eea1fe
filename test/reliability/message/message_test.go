package message

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

var signTypes = []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5}

func named(t *testing.T, name string) *Kind {
	t.Helper()
	for _, k := range Kinds() {
		if k.Name == name {
			return &k
		}
	}
	require.Fail(t, "no kind is called "+name)
	return nil
}

// The messages are accepted, and fill all of their models.
func TestMessagesFillTheirModels(t *testing.T) {
	for _, signType := range signTypes {
		r, err := NewReceiver(signType, nil)
		require.NoError(t, err)
		for _, k := range Kinds() {
			body := k.Sealed(signType).Body
			outcome, err := r.Receive(&k, []byte(body))
			require.NoError(t, err, k.Name)
			require.Equal(t, k.Model, reflect.TypeOf(outcome.Model).Elem())
			require.NoError(t, Genuine([]byte(body), outcome, signType))
			requireFilled(t, reflect.ValueOf(outcome.Model).Elem(), k.Name)
			names, err := k.Judge([]byte(body), []byte(body), outcome, outcome, signType)
			require.NoError(t, err)
			require.Empty(t, names, "no change is no exception")
		}
	}
}

func requireFilled(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	switch {
	case v.Type() == timeType:
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			// A code is 0 in every success, the share of a notice has no rate, and the third is not a member.
			if name == "Code" || name == "Rate" && strings.HasPrefix(path, "AllocNotice") || name == "SecretIndex" {
				continue
			}
			requireFilled(t, v.Field(i), path+"."+name)
		}
		return
	case v.Kind() == reflect.Slice:
		require.NotZero(t, v.Len(), "%s is not in the answer of the row in internal/calltable/table.go", path)
		requireFilled(t, v.Index(0), path)
		return
	}
	require.False(t, v.IsZero(), "%s is not in the answer of the row in internal/calltable/table.go", path)
}

// example shows one exception: what an attacker changes, and what of the result changes with it.
type example struct {
	kind    string
	members *strings.Replacer // changes the members before signing; nil for none
	// old is what is changed in the signed body.
	old, changed string
	// before and after are what see returns; both are empty if nothing changes.
	before, after string
	see           func(*Outcome) string
}

// cases are changes that an exception allows, and similar ones that are refused.
type cases struct{ accepted, refused []example }

// textIn returns a function that finds a text in the model by the names of fields. Of a list it takes the first item.
func textIn(names ...string) func(*Outcome) string {
	return func(o *Outcome) string {
		v := reflect.ValueOf(o.Model).Elem()
		for _, name := range names {
			if v.Kind() == reflect.Slice {
				v = v.Index(0)
			}
			v = v.FieldByName(name)
		}
		return v.String()
	}
}

// textExceptions change free texts.
func textExceptions() map[string]cases {
	return map[string]cases{
		"quotes": {
			accepted: []example{
				{kind: "PayNotice", old: `会员 \"VIP\"`, changed: `会员 VIP`, before: `会员 "VIP"`, after: `会员 VIP`,
					see: textIn("Title")},
				{kind: "PaySyncParam", old: `处理 \"完成\"`, changed: `\\处理 完成`, before: `处理 "完成"`, after: `\处理 完成`,
					see: func(o *Outcome) string { return o.Msg }},
				{kind: "PayParam", old: `{\"url\":\"`, changed: `{url:`, before: `{"url":"https://qr.example.com/?a=1&b=2"}`,
					after: `{url:https://qr.example.com/?a=1&b=2"}`, see: textIn("PayBody")},
				{kind: "QueryAllocReceiversParam", old: `店主 \"老王\"`, changed: `店主 老王`, before: `店主 "老王"`, after: `店主 老王`,
					see: textIn("Receivers", "ReceiverName")},
			},
			refused: []example{
				{kind: "PayNotice", old: `"status":"success"`, changed: `"status":"suc\"cess"`},
				{kind: "PayNotice", old: `"orderNo":"DEVP`, changed: `"orderNo":"\\DEVP`},
				{kind: "PayNotice", old: `"title":`, changed: `"ti\"tle":`},
				{kind: "QueryTransferOrderParam", old: `"payeeAccount":"2088"`, changed: `"payeeAccount":"2088\""`},
			},
		},
		"escape": {
			accepted: []example{
				{kind: "QueryAllocOrderParam", old: `张\n三 Brown`, changed: `张n三 Brown`, before: "张\n三 Brown", after: "张n三 Brown",
					see: textIn("Details", "ReceiverName")},
				{kind: "QueryAllocOrderParam", old: `张\n三 Brown`, changed: `张\n三 Brow\n`, before: "张\n三 Brown",
					after: "张\n三 Brow\n", see: textIn("Details", "ReceiverName")},
			},
			refused: []example{
				{kind: "PayNotice", old: `device=ios`, changed: `device=ios\n`},
				{kind: "QueryAllocReceiversParam", old: `STORE_OWNER`, changed: `STORE_OW\NER`},
				{kind: "QueryAllocOrderParam", old: `"receiverType":"wx_merchant"`, changed: `"receiverType":"wx_mercha\nt"`},
			},
		},
		"cut": {
			accepted: []example{
				{kind: "PayNotice", old: `A&B&device=ios"`, changed: `A&B","device":"ios"`, before: "A&B&device=ios", after: "A&B",
					see: textIn("Description")},
				{
					kind: "PayNotice", members: strings.NewReplacer(`A&B&device=ios"`, `A&B","device":"ios"`),
					old: `A&B","device":"ios"`, changed: `A&B&device=ios"`,
					before: "A&B", after: "A&B&device=ios", see: textIn("Description"),
				},
				{
					kind: "QueryAllocOrderParam", members: strings.NewReplacer(`三 Brown`, `三,receiverNick:x`),
					old: `三,receiverNick:x"`, changed: `三","receiverNick":"x"`,
					before: "张\n三,receiverNick:x", after: "张\n三", see: textIn("Details", "ReceiverName"),
				},
			},
			refused: []example{
				{kind: "PayNotice", old: `A&B&device=ios"`, changed: `A&B&device","ios":""`},
				{kind: "PayNotice", old: `"status":"success",`, changed: `"payTime2":"&status=success",`},
			},
		},
	}
}

// shapeExceptions change which members there are, and how they are spelled.
func shapeExceptions() map[string]cases {
	traceID := func(o *Outcome) string { return o.TraceID }
	return map[string]cases{
		"spelling": {
			accepted: []example{
				{kind: "PaySyncParam", old: `"status":`, changed: "\n\t\"status\" : "},
				{kind: "PayNotice", old: `caf\u00e9`, changed: `caf\u00E9`},
				{kind: "PayNotice", old: `caf\u00e9`, changed: `café`},
				{kind: "PayNotice", old: `"status":"success"`, changed: `"\u0073tatus":"\u0073uccess"`},
			},
			refused: []example{{kind: "PayNotice", old: `caf\u00e9`, changed: `cafe`},
				{kind: "PaySyncParam", old: `"status":`, changed: "\u00a0\"status\":"}},
		},
		"order": {
			accepted: []example{{kind: "PaySyncParam", old: `"orderNo":"P1","bizOrderNo":"B1"`,
				changed: `"bizOrderNo":"B1","orderNo":"P1"`}},
			refused: []example{{kind: "PaySyncParam", old: `"orderNo":"P1","bizOrderNo":"B1"`,
				changed: `"bizOrderNo":"P1","orderNo":"B1"`}},
		},
		"envelope": {
			accepted: []example{
				{kind: "PaySyncParam", old: `"msg":"success"`, changed: `"msg":"failed"`},
				{kind: "PaySyncParam", old: `"msg":"success",`, changed: ``},
				{kind: "PaySyncParam", old: TraceID, changed: "forged", before: TraceID, after: "forged", see: traceID},
				{kind: "PaySyncParam", old: `,"traceId":"` + TraceID + `"`, changed: `,"more":[{}]`, before: TraceID, after: "",
					see: traceID},
			},
			refused: []example{{kind: "PaySyncParam", old: `"code":0,"data"`, changed: `"code":1,"data"`},
				{kind: "PaySyncParam", old: `"data"`, changed: `"Data"`}},
		},
		"null": {
			accepted: []example{
				{kind: "PayNotice", old: `,"futureNull":null`, changed: ``},
				{kind: "PayNotice", old: `"futureNull":null`, changed: `"refundNo":null`},
				{kind: "QueryAllocOrderParam", old: `"receiverNo":"V1"`, changed: `"receiverNo":"V1","x":null`},
			},
			refused: []example{{kind: "PayNotice", old: `"futureNull":null`, changed: `"futureNull":""`},
				{kind: "PayNotice", old: `"futureNull":null`, changed: `"reqTime":null`}},
		},
		"empty list": {
			accepted: []example{{kind: "PayNotice", old: `"futureNull":null`, changed: `"futureNull":[]`},
				{kind: "AllocNotice", old: `,"futureNull":null`, changed: `,"futureNull":null,"x":[]`}},
			refused: []example{{kind: "PayNotice", old: `"futureNull":null`, changed: `"futureNull":{}`},
				{kind: "PayNotice", old: `"a":[1,`, changed: `"b":[],"a":[1,`}},
		},
	}
}

// valueExceptions change how values are written.
func valueExceptions() map[string]cases {
	return map[string]cases{
		"digits": {
			accepted: []example{
				{kind: "PayNotice", old: `"amount":9900`, changed: `"amount":"9900"`},
				{kind: "PaySyncParam", old: `"code":0,"data"`, changed: `"code":"0","data"`},
				{kind: "QueryAllocOrderParam", old: `"rate":"5000"`, changed: `"rate":5000`},
			},
			refused: []example{{kind: "PayNotice", old: `"amount":9900`, changed: `"amount":9.9e3`},
				{kind: "PayNotice", old: `"orderNo":"DEVP`, changed: `"orderNo":1,"x":"DEVP`}},
		},
		"time": {
			accepted: []example{
				{kind: "QueryTransferOrderParam", old: `"2024-05-12 15:50:30"`, changed: `1715500230`},
				{kind: "QueryTransferOrderParam", old: `"2024-05-12 15:50:30"`, changed: `"1715500230"`},
				{kind: "PayNotice", old: `"payTime":1715500200`, changed: `"payTime":"2024-05-12 15:50:00"`},
			},
			refused: []example{{kind: "QueryTransferOrderParam", old: `"2024-05-12 15:50:30"`, changed: `"2024-05-12T15:50:30"`},
				{kind: "PayNotice", old: `"amount":9900`, changed: `"amount":"1970-01-01 10:45:00"`}},
		},
		"unknown": {
			accepted: []example{{kind: "PayNotice", old: `"future":{"B":"x","a":[1,2.50,true,null]}`,
				changed: `"future":"{a:[1,2.5,true],B:x}"`}},
			refused: []example{{kind: "PayNotice", old: `"future":{"B":"x","a":[1,2.50,true,null]}`,
				changed: `"future":{"B":"x","a":[1,2.51,true,null]}`}},
		},
	}
}

// Each exception is tested on its own.
func TestExceptions(t *testing.T) {
	var tested []string
	all := textExceptions()
	maps.Copy(all, shapeExceptions())
	maps.Copy(all, valueExceptions())
	for name, tt := range all {
		t.Run(name, func(t *testing.T) {
			for _, signType := range signTypes {
				r, err := NewReceiver(signType, nil)
				require.NoError(t, err)
				for _, x := range tt.accepted {
					x.check(t, r, signType, name)
				}
				for _, x := range tt.refused {
					k := named(t, x.kind)
					_, changed := x.apply(t, k, signType)
					_, err := r.Receive(k, []byte(changed))
					require.Error(t, err, x.changed)
				}
			}
		})
		tested = append(tested, name)
	}
	var listed []string
	for _, e := range Exceptions {
		require.NotEmpty(t, e.Allows)
		listed = append(listed, e.Name)
	}
	require.ElementsMatch(t, listed, tested, "every exception has its test")
}

// apply changes the message of the kind.
func (x *example) apply(t *testing.T, k *Kind, signType daxpay.SignType) (original, changed string) {
	t.Helper()
	members := k.Members()
	if x.members != nil {
		members = x.members.Replace(members)
	}
	original = k.Seal(members, signType).Body
	changed = strings.Replace(original, x.old, x.changed, 1)
	require.NotEqual(t, original, changed)
	return original, changed
}

// check expects that the change is accepted as the exception, and changes the result as the example says.
func (x *example) check(t *testing.T, r *Receiver, signType daxpay.SignType, exception string) {
	t.Helper()
	k := named(t, x.kind)
	original, changed := x.apply(t, k, signType)
	before, err := r.Receive(k, []byte(original))
	require.NoError(t, err)
	after, err := r.Receive(k, []byte(changed))
	require.NoError(t, err, changed)
	names, err := k.Judge([]byte(original), []byte(changed), before, after, signType)
	require.NoError(t, err, changed)
	require.Equal(t, []string{exception}, names, changed)
	if x.see == nil {
		before.Raw, after.Raw = nil, nil
		require.Equal(t, before, after)
		return
	}
	require.Equal(t, [2]string{x.before, x.after}, [2]string{x.see(before), x.see(after)})
	// Without the exception the change of the result is a broken promise.
	require.Error(t, compare(before, after, nil, false))
}

// A change that is not an exception is not excused, nor a result that changes more than its exception allows.
func TestJudgeFindsWhatIsBroken(t *testing.T) {
	r, err := NewReceiver(daxpay.HMACSHA256, nil)
	require.NoError(t, err)
	k := named(t, "AllocNotice")
	original := k.Sealed(daxpay.HMACSHA256).Body
	receive := func() (*Outcome, *model.AllocNotice) {
		outcome, err := r.Receive(k, []byte(original))
		require.NoError(t, err)
		n, ok := outcome.Model.(*model.AllocNotice)
		require.True(t, ok)
		return outcome, n
	}
	before, _ := receive()
	spaced := " " + original
	for want, forge := range map[string]func(*Outcome, *model.AllocNotice){
		"where the message has 60":   func(_ *Outcome, n *model.AllocNotice) { n.Amount++ },
		"for receiverName":           func(_ *Outcome, n *model.AllocNotice) { n.Details[0].ReceiverName += `"` },
		"for details":                func(_ *Outcome, n *model.AllocNotice) { n.Details = nil },
		"for finishTime":             func(_ *Outcome, n *model.AllocNotice) { n.FinishTime.Time = n.FinishTime.Add(1e9) },
		"without verification":       func(o *Outcome, _ *model.AllocNotice) { o.Verified = false },
		"Raw was not received":       func(o *Outcome, _ *model.AllocNotice) { o.Raw = []byte("{}") },
		"the result changed in Code": func(o *Outcome, _ *model.AllocNotice) { o.SecretIndex = 1 },
		"the model changed in bizAllo": func(_ *Outcome,
			_ *model.AllocNotice) {
			before.Model.(*model.AllocNotice).BizAllocNo = "x"
		},
	} {
		after, n := receive()
		after.Raw = []byte(original)
		forge(after, n)
		_, err := k.Judge([]byte(original), []byte(spaced), before, after, daxpay.HMACSHA256)
		require.ErrorContains(t, err, want)
		before, _ = receive()
	}
	for _, changed := range []string{
		strings.Replace(original, `"amount":60`, `"amount":61`, 1),
		strings.Replace(original, `"status":"a`, `"status":"\"a`, 1),
		strings.Replace(original, `"bizAllocNo":"BA1",`, "", 1),
		strings.Replace(original, `"code":0`, `"code":0,"code":0`, 1),
		strings.Replace(original, `"futureNull":null`, `"futureNull":1`, 1), strings.Replace(original, "佣金", "金", 1),
	} {
		_, _, _, err := k.explain([]byte(original), []byte(changed))
		require.Error(t, err, changed)
	}
}
