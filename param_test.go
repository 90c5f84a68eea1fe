package daxpay_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

func TestParams(t *testing.T) {
	ctx := context.Background()
	pay := func(p *param.PaySyncParam) func(*daxpay.Client) error {
		return func(kit *daxpay.Client) error { _, err := kit.SyncPay(ctx, p); return err }
	}
	refund := func(p *param.RefundSyncParam) func(*daxpay.Client) error {
		return func(kit *daxpay.Client) error { _, err := kit.SyncRefund(ctx, p); return err }
	}
	alloc := func(p *param.AllocSyncParam) func(*daxpay.Client) error {
		return func(kit *daxpay.Client) error { _, err := kit.SyncAlloc(ctx, p); return err }
	}
	finish := func(p *param.AllocFinishParam) func(*daxpay.Client) error {
		return func(kit *daxpay.Client) error { _, err := kit.FinishAlloc(ctx, p); return err }
	}
	common := func(c param.Common) func(*daxpay.Client) error {
		return pay(&param.PaySyncParam{Common: c, OrderNo: "P1"})
	}
	n := func(length int) string { return strings.Repeat("9", length) }

	for name, tt := range map[string]struct {
		call   func(*daxpay.Client) error
		faults []daxpay.ParamError // none: sent
	}{
		"no number": {pay(&param.PaySyncParam{}),
			faults("param.PaySyncParam", "OrderNo, BizOrderNo", "must not all be empty")},
		"no refund number": {refund(&param.RefundSyncParam{}),
			faults("param.RefundSyncParam", "RefundNo, BizRefundNo", "must not all be empty")},
		"no allocation number": {alloc(&param.AllocSyncParam{}),
			faults("param.AllocSyncParam", "AllocNo", "must be set")},
		"no number to finish": {finish(&param.AllocFinishParam{}),
			faults("param.AllocFinishParam", "AllocNo, BizAllocNo", "must not all be empty")},
		"longest order": {pay(&param.PaySyncParam{OrderNo: n(32), BizOrderNo: n(100)}), nil},
		"order too long": {pay(&param.PaySyncParam{OrderNo: n(33)}),
			faults("param.PaySyncParam", "OrderNo", "must have at most 32 characters, not 33")},
		"merchant order too long": {pay(&param.PaySyncParam{BizOrderNo: n(101)}),
			faults("param.PaySyncParam", "BizOrderNo", "at most 100 characters, not 101")},
		"longest refund": {refund(&param.RefundSyncParam{RefundNo: n(100), BizRefundNo: n(100)}), nil},
		"refund too long": {refund(&param.RefundSyncParam{RefundNo: n(101)}),
			faults("param.RefundSyncParam", "RefundNo", "at most 100")},
		"allocation too long": {finish(&param.AllocFinishParam{AllocNo: n(33)}),
			faults("param.AllocFinishParam", "AllocNo", "at most 32")},
		"sync allocation too long": {alloc(&param.AllocSyncParam{AllocNo: "A1", BizAllocNo: n(101)}),
			faults("param.AllocSyncParam", "BizAllocNo", "at most 100")},
		"characters, not bytes": {pay(&param.PaySyncParam{OrderNo: strings.Repeat("单", 32)}), nil},
		"an emoji is two": {pay(&param.PaySyncParam{OrderNo: strings.Repeat("😀", 17)}),
			faults("param.PaySyncParam", "OrderNo", "at most 32 characters, not 34")},
		"numbers with signs": {pay(&param.PaySyncParam{BizOrderNo: "a-b_c.d/e:f#g h=i%,{}[]单"}), nil},
		"quote": {pay(&param.PaySyncParam{OrderNo: `a"b`}),
			faults("param.PaySyncParam", "OrderNo", "the signature does not protect them")},
		"backslash": {pay(&param.PaySyncParam{OrderNo: `a\b`}),
			faults("param.PaySyncParam", "OrderNo", "the signature does not protect them")},
		"and": {pay(&param.PaySyncParam{OrderNo: `a&b`}),
			faults("param.PaySyncParam", "OrderNo", "the signature does not protect them")},
		"line break": {pay(&param.PaySyncParam{OrderNo: "a\nb"}),
			faults("param.PaySyncParam", "OrderNo", "control characters")},
		"control character": {pay(&param.PaySyncParam{OrderNo: "a\u0085b"}),
			faults("param.PaySyncParam", "OrderNo", "control characters")},
		"NUL": {pay(&param.PaySyncParam{OrderNo: "a\x00b"}),
			faults("param.PaySyncParam", "OrderNo", "NUL")},
		"invalid UTF-8": {pay(&param.PaySyncParam{OrderNo: "a\xffb"}),
			faults("param.PaySyncParam", "OrderNo", "valid UTF-8")},
		"blank number": {pay(&param.PaySyncParam{OrderNo: " "}),
			faults("param.PaySyncParam", "OrderNo", "white space")},
		"number with a blank": {pay(&param.PaySyncParam{OrderNo: "P1 "}),
			faults("param.PaySyncParam", "OrderNo", "white space")},
		"IPv4":         {common(param.Common{ClientIP: "192.0.2.1"}), nil},
		"IPv6":         {common(param.Common{ClientIP: "2001:db8::1"}), nil},
		"IPv4 in IPv6": {common(param.Common{ClientIP: "::ffff:192.0.2.1"}), nil},
		"IP with port": {common(param.Common{ClientIP: "192.0.2.1:80"}),
			faults("param.PaySyncParam", "ClientIP", "IPv4 or IPv6")},
		"IP with zone": {common(param.Common{ClientIP: "fe80::1%eth0"}),
			faults("param.PaySyncParam", "ClientIP", "IPv4 or IPv6")},
		"IP out of range": {common(param.Common{ClientIP: "256.1.1.1"}),
			faults("param.PaySyncParam", "ClientIP", "IPv4 or IPv6")},
		"host name": {common(param.Common{ClientIP: "localhost"}),
			faults("param.PaySyncParam", "ClientIP", "IPv4 or IPv6")},
		"nonce of 32": {common(param.Common{NonceStr: n(32)}), nil},
		"nonce of 33": {common(param.Common{NonceStr: n(33)}),
			faults("param.PaySyncParam", "NonceStr", "at most 32")},
		"nonce with a quote": {common(param.Common{NonceStr: `"`}), faults("param.PaySyncParam", "NonceStr", "quotes")},
		"time before 2001": {common(param.Common{ReqTime: time.Unix(999_999_999, 0)}),
			faults("param.PaySyncParam", "ReqTime", "ten digits")},
		"time after 2286": {common(param.Common{ReqTime: time.Unix(10_000_000_000, 0)}),
			faults("param.PaySyncParam", "ReqTime", "ten digits")},
		"all at once": {pay(&param.PaySyncParam{Common: param.Common{ClientIP: "x", NonceStr: n(33)}, OrderNo: n(33) + `"`,
			BizOrderNo: "\xff"}),
			append(append(append(append(faults("param.PaySyncParam", "ClientIP", "IPv4"),
				faults("param.PaySyncParam", "NonceStr", "32")...),
				faults("param.PaySyncParam", "OrderNo", "at most 32")...), faults("param.PaySyncParam", "OrderNo", "quotes")...),
				faults("param.PaySyncParam", "BizOrderNo", "UTF-8")...)},
	} {
		t.Run(name, func(t *testing.T) {
			kit, transport := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(sealed(t, good)))
			err := tt.call(kit)
			if tt.faults == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, daxpay.ErrParam)
			require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
			require.Zero(t, transport.GetTotalCallCount(), "nothing is sent")
			got := allParamErrors(err)
			require.Len(t, got, len(tt.faults), "%v", err)
			for i, want := range tt.faults {
				require.Equal(t, want.Param, got[i].Param)
				require.Equal(t, want.Field, got[i].Field)
				require.Contains(t, got[i].Reason, want.Reason)
			}
		})
	}
}

func faults(typ, field, reason string) []daxpay.ParamError {
	return []daxpay.ParamError{{Param: typ, Field: field, Reason: reason}}
}

func allParamErrors(err error) []*daxpay.ParamError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*daxpay.ParamError
		for _, e := range joined.Unwrap() {
			all = append(all, allParamErrors(e)...)
		}
		return all
	}
	var one *daxpay.ParamError
	if errors.As(err, &one) {
		return []*daxpay.ParamError{one}
	}
	return nil
}

func TestLegacyParams(t *testing.T) {
	ctx := context.Background()
	answer := `{"code":0,"msg":"success","data":{"gatewayStatus":"x","repair":true,"repairOrderNo":"R","errorMsg":"\"e\""},"sign":""}`
	var sent []byte
	kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV205, Now: at(now)}, recordBody(&sent, answer))
	_, err := kit.SyncPayLegacy(ctx, &param.PaySyncLegacyParam{})
	require.ErrorContains(t, err, "PaymentID, BusinessNo must not all be empty")
	_, err = kit.SyncPayLegacy(ctx, &param.PaySyncLegacyParam{PaymentID: -1})
	require.ErrorContains(t, err, "PaymentID must be at least 1")
	_, err = kit.SyncRefundLegacy(ctx, &param.RefundSyncLegacyParam{RefundNo: strings.Repeat("9", 101)})
	require.ErrorContains(t, err, "RefundNo must have at most 100")

	res, err := kit.SyncPayLegacy(ctx, &param.PaySyncLegacyParam{PaymentID: 1789, BusinessNo: "B1"})
	require.NoError(t, err)
	require.False(t, res.Verified)
	require.True(t, res.Data.Repair)
	require.Equal(t, "R", res.Data.RepairOrderNo)
	require.Equal(t, `"e"`, res.Data.ErrorMsg)
	var members map[string]any
	require.NoError(t, json.Unmarshal(sent, &members))
	require.NotContains(t, members, "nonceStr")
	delete(members, "sign")
	require.Equal(t, map[string]any{"paymentId": 1789.0, "businessNo": "B1", "reqTime": float64(now)}, members)

	_, err = kit.SyncRefundLegacy(ctx, &param.RefundSyncLegacyParam{RefundID: 5})
	require.NoError(t, err)
	require.Contains(t, string(sent), `"refundId":5`)
}

// ExtraJSON is checked like other text, and for values that the gateway would sign differently from how they were sent.
func TestExtraJSON(t *testing.T) {
	for text, fault := range map[string]string{
		`{}`: "", `{"openId":"o","b":{"C":[1,-5,12345678901234567890]},"n":null}`: "",
		`{"note":"a, b: c; {x}","at":"10:30,11:45"}`: "",
		`{"url":"https://x/?a=1&b=2"}`:               "", `{"a":1.50,"b":[2.0,1e-7,0.0]}`: "", `{"a":1e7}`: "",
		`{"a":"1e23"}`: "",

		`{"openId":"x}&method=jsapi&notifyUrl=https://evil/n?"}`: "could be cut into another member",
		`{"openId":"x,authCode:28"}`:                             "could be cut into another member",
		`{"a":["{authCode:28"]}`:                                 "could be cut into another member",
		`{"a":{"b":["x,c\u003a1"]}}`:                             "could be cut into another member",
		`{"openId":"x&sta\"tus=success"}`:                        "could be cut into another member",
		`{"a,b":1}`:                                              "under another name",
		`{"a\"":1}`:                                              "under another name",
		`{"a":"\u0000"}`:                                         "NUL",
		`{"a":1e23}`:                                             "holds a number",
		`{"a":10000000.5}`:                                       "holds a number",
		`{"a":[{"b":1e400}]}`:                                    "holds a number",
		`{"a":[null,1]}`:                                         "holds a null in a list",
		`{"a":{"b":[[null]]}}`:                                   "holds a null in a list",
		`{"openId":1,"OPENID":2}`:                                "must be valid JSON",
		`{"a":{"b":[{"x":1,"X":2}]}}`:                            "must be valid JSON",
		`{"a":1,"a":1}`:                                          "must be valid JSON",
		`{"a":1`:                                                 "must be valid JSON",
		`[1]`:                                                    "must be one JSON object",
		`"x"`:                                                    "must be one JSON object",
		`5`:                                                      "must be one JSON object",
		`null`:                                                   "must be one JSON object",
	} {
		for _, version := range []daxpay.GatewayVersion{daxpay.GatewayV206, daxpay.GatewayV207, daxpay.GatewayV208,
			daxpay.GatewayAuto} {
			extra := pay(func(p *param.PayParam) { p.ExtraParam = param.ExtraJSON(text) })
			sent, err := sentBy(t, version, extra)
			if fault == "" {
				require.NoError(t, err, text)
				require.NotEmpty(t, sent)
				continue
			}
			require.ErrorIs(t, err, daxpay.ErrParam, text)
			require.ErrorContains(t, err, "ExtraParam", text)
			require.ErrorContains(t, err, fault, text)
			require.Empty(t, sent)
		}
		if fault != "" && text[0] == '{' {
			_, err := sentBy(t, daxpay.GatewayV207, refund(func(p *param.RefundParam) { p.ExtraParam = text }))
			require.ErrorIs(t, err, daxpay.ErrParam, text)
		}
	}
	kit, transport := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV208, AllowAmbiguousText: true, Now: at(now)},
		jsonAnswer(`{"code":1}`))
	require.NotErrorIs(t, pay(func(p *param.PayParam) { p.ExtraParam = param.ExtraJSON(`{"a":"x,b:1"}`) })(kit),
		daxpay.ErrParam)
	require.Equal(t, 1, transport.GetTotalCallCount())
	require.ErrorIs(t, pay(func(p *param.PayParam) { p.ExtraParam = param.ExtraJSON(`{"a":[null]}`) })(kit),
		daxpay.ErrParam)
}

type ownParam struct {
	param.Common
	Raw  json.RawMessage   `json:"raw"`
	Raws []json.RawMessage `json:"raws"`
	List []*int64          `json:"list"`
	N    int64             `json:"n" daxpay:"max=5"`
}

type ownModel struct{ model.Common }

func (*ownParam) Call() param.Call[ownModel] { return param.Call[ownModel]{Path: "/unipay/ext/own"} }

// JSON in a merchant's own params has the rules of ExtraJSON. In addition, a direct member must not be a fraction: the
// gateway reads it as the type that it declares, not as a double.
func TestJSONInOwnParams(t *testing.T) {
	one := int64(1)
	for _, tt := range []struct {
		p     ownParam
		fault string
	}{
		{ownParam{Raw: json.RawMessage(`{"a":[1,2.50]}`), Raws: []json.RawMessage{json.RawMessage(`2.5`)},
			List: []*int64{&one}, N: 5}, ""},
		{ownParam{Raw: json.RawMessage(`-0`)}, ""},
		{ownParam{Raw: json.RawMessage(`1.5`)}, "Raw holds a number"},
		{ownParam{Raw: json.RawMessage(`1e2`)}, "Raw holds a number"},
		{ownParam{Raw: json.RawMessage(`[null]`)}, "Raw holds a null in a list"},
		{ownParam{Raw: json.RawMessage(`"x&code=1"`)}, "Raw holds text that could be cut"},
		{ownParam{Raws: []json.RawMessage{json.RawMessage(`null`)}}, "Raws[0] must not be null or empty"},
		{ownParam{Raws: []json.RawMessage{json.RawMessage(`1e30`)}}, "Raws[0] holds a number"},
		{ownParam{List: []*int64{nil}}, "List[0] must not be nil"},
		{ownParam{N: 6}, "N must be at most 5"},
	} {
		sent, err := sentBy(t, daxpay.GatewayV208, do(&tt.p))
		if tt.fault == "" {
			require.NoError(t, err)
			require.NotEmpty(t, sent)
			continue
		}
		require.ErrorContains(t, err, tt.fault)
		require.Empty(t, sent)
	}
}

// A param that the gateway would misread is refused before it is sent.
func TestRefusedBeforeSending(t *testing.T) {
	const most = 2147483647
	for name, tt := range map[string]struct {
		call  func(kit *daxpay.Client) error
		fault string
	}{
		"greatest payment":  {pay(func(p *param.PayParam) { p.Amount = most }), ""},
		"payment too great": {pay(func(p *param.PayParam) { p.Amount = most + 1 }), "Amount must be at most 2147483647"},
		"refund too great": {refund(func(p *param.RefundParam) { p.Amount = most + 1 }),
			"Amount must be at most 2147483647"},
		"greatest refund": {refund(func(p *param.RefundParam) { p.Amount = most }), ""},
		"transfer too great": {do(&param.TransferParam{BizTransferNo: "T", Channel: model.ChannelAli, Amount: most + 1}),
			"Amount must be at most 2147483647"},
		"share too great": {allocate(func(p *param.AllocStartParam) {
			p.Receivers = []param.AllocReceiver{{ReceiverNo: "V", Amount: most + 1}}
		}), "Receivers[0].Amount must be at most 2147483647"},
		"greatest share": {allocate(func(p *param.AllocStartParam) {
			p.Receivers = []param.AllocReceiver{{ReceiverNo: "V",
				Amount: most}}
		}), ""},
		"no amount":         {pay(func(p *param.PayParam) { p.Amount = 0 }), "Amount must be set"},
		"negative amount":   {pay(func(p *param.PayParam) { p.Amount = -1 }), "Amount must be at least 1"},
		"blank title":       {pay(func(p *param.PayParam) { p.Title = " \t\n" }), "Title must not be blank"},
		"wide blank title":  {pay(func(p *param.PayParam) { p.Title = "\u3000" }), ""},
		"blank description": {pay(func(p *param.PayParam) { p.Description = " " }), ""},
		"blank number":      {pay(func(p *param.PayParam) { p.BizOrderNo = " " }), "BizOrderNo must not be blank"},
		"blank transfer": {do(&param.TransferParam{BizTransferNo: " ", Channel: model.ChannelAli, Amount: 1}),
			"BizTransferNo must not be blank"},
		"blank title of one": {do(&param.TransferParam{BizTransferNo: "T", Channel: model.ChannelAli, Amount: 1,
			Title: " ", PayeeType: model.PayeeAliUserID, PayeeAccount: "2088"}), ""},
		"transfer without payee": {do(&param.TransferParam{BizTransferNo: "T", Channel: model.ChannelAli, Amount: 1,
			PayeeType: model.PayeeAliUserID}), "PayeeAccount must be set"},
		"transfer to a blank": {do(&param.TransferParam{BizTransferNo: "T", Channel: model.ChannelAli, Amount: 1,
			PayeeType: model.PayeeAliUserID, PayeeAccount: " "}), "PayeeAccount must not be blank"},
		"transfer without payee type": {do(&param.TransferParam{BizTransferNo: "T", Channel: model.ChannelAli, Amount: 1,
			PayeeAccount: "2088"}), "PayeeType must be set"},
		"transfer to another channel's payee": {do(&param.TransferParam{BizTransferNo: "T", Channel: model.ChannelAli,
			Amount: 1, PayeeType: model.PayeeWxPersonal, PayeeAccount: "2088"}),
			"PayeeType must be ali_user_id, ali_open_id, ali_login_name for the channel ali_pay"},
		"transfer to a payee of Alipay's by WeChat": {do(&param.TransferParam{BizTransferNo: "T",
			Channel: model.ChannelWeChat, Amount: 1, PayeeType: model.PayeeAliUserID, PayeeAccount: "2088"}),
			"PayeeType must be wx_personal"},
		"transfer by an unknown channel": {do(&param.TransferParam{BizTransferNo: "T", Channel: "new_pay", Amount: 1,
			PayeeType: "new_type", PayeeAccount: "2088"}), ""},
		"no URL": {pay(func(p *param.PayParam) { p.NotifyURL = "shop.example.com/notify" }),
			"NotifyURL must be an absolute URL"},
		"relative URL": {pay(func(p *param.PayParam) { p.NotifyURL = "/notify" }),
			"NotifyURL must be an absolute URL"},
		"URL without host": {pay(func(p *param.PayParam) { p.NotifyURL = "https:///notify" }),
			"NotifyURL must be an absolute URL"},
		"URL of a file": {pay(func(p *param.PayParam) { p.NotifyURL = "ftp://shop.example.com" }),
			"NotifyURL must be an absolute URL"},
		"URL with a blank": {pay(func(p *param.PayParam) { p.NotifyURL = "https://shop.example.com/a b" }),
			"NotifyURL must be an absolute URL"},
		"URL in full": {pay(func(p *param.PayParam) { p.NotifyURL = "http://127.0.0.1:8080/n?shop=1&a=%20" }), ""},
		"refund without URL": {do(&param.RefundParam{BizRefundNo: "R", BizOrderNo: "A", Amount: 1, NotifyURL: "x"}),
			"NotifyURL must be an absolute URL"},
		"expired": {pay(func(p *param.PayParam) { p.ExpiredTime = time.Unix(now-61, 0) }),
			"ExpiredTime must not be in the past: it is 1m1s ago"},
		"just expired":    {pay(func(p *param.PayParam) { p.ExpiredTime = time.Unix(now-60, 0) }), ""},
		"expires at last": {pay(func(p *param.PayParam) { p.ExpiredTime = time.Unix(now+1, 0) }), ""},
		"blank URL":       {do(&param.WxAuthURLParam{URL: " "}), "URL must not be blank"},
		"blank receiver":  {do(&param.AllocReceiverRemoveParam{ReceiverNo: " "}), "ReceiverNo must not be blank"},
		"code of 65":      {do(&param.WxAccessTokenParam{Code: strings.Repeat("1", 65)}), "Code must have at most 64"},
		"notifyUrl of 151": {pay(func(p *param.PayParam) { p.NotifyURL = "https://" + strings.Repeat("x", 143) }),
			"NotifyURL must have at most 150"},
		"IPv4 in IPv6":   {pay(func(p *param.PayParam) { p.ClientIP = "::ffff:192.0.2.1" }), ""},
		"IPv4 behind ::": {pay(func(p *param.PayParam) { p.ClientIP = "64:ff9b::192.0.2.1" }), ""},
		"IPv4 behind a group": {pay(func(p *param.PayParam) { p.ClientIP = "::1:192.0.2.1" }),
			"ClientIP must be an IPv4 or IPv6"},
		"IPv4 behind six": {pay(func(p *param.PayParam) { p.ClientIP = "1:2:3:4:5:6:192.0.2.1" }),
			"ClientIP must be an IPv4 or IPv6"},
		"digits": {pay(func(p *param.PayParam) { p.ClientIP = strings.Repeat("1", 64) }),
			"ClientIP must be an IPv4 or IPv6"},
	} {
		t.Run(name, func(t *testing.T) {
			sent, err := sentBy(t, daxpay.GatewayV208, tt.call)
			if tt.fault == "" {
				require.NoError(t, err)
				require.NotEmpty(t, sent)
				return
			}
			require.ErrorIs(t, err, daxpay.ErrParam)
			require.ErrorContains(t, err, tt.fault)
			require.Empty(t, sent)
		})
	}
}

// What is stored of a receiver comes back inside the lists of later answers and notices, which must not be refused.
func TestReceiverThatLaterMessagesCannotName(t *testing.T) {
	gw := daxpaytest.Start(t)
	for fault, change := range map[string]func(*param.AllocReceiverAddParam){
		"ReceiverNo must not hold":      func(p *param.AllocReceiverAddParam) { p.ReceiverNo = "R[1],2" },
		"ReceiverAccount must not hold": func(p *param.AllocReceiverAddParam) { p.ReceiverAccount = "a{b},c" },
		"ReceiverName must not hold":    func(p *param.AllocReceiverAddParam) { p.ReceiverName = "a,receiverNo:b" },
		"RelationName must not hold":    func(p *param.AllocReceiverAddParam) { p.RelationName = "a,b:c" },
		"":                              func(p *param.AllocReceiverAddParam) { p.ReceiverName = "甲 [总店], 乙" },
	} {
		p := &param.AllocReceiverAddParam{
			ReceiverNo: "R1", Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID, ReceiverAccount: "2088",
			RelationType: model.RelationCustom, RelationName: "店主",
		}
		change(p)
		_, err := gw.Client().AddAllocReceiver(context.Background(), p)
		if fault == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, daxpay.ErrParam)
		require.ErrorContains(t, err, fault)
	}
}
