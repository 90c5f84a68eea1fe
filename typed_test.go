package daxpay_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

// typedParams and typedModels are the Go types by the names that the gateway, and the vectors, have for them.
var (
	typedParams = map[string]any{
		"PaySyncParam": param.PaySyncParam{}, "RefundSyncParam": param.RefundSyncParam{},
		"AllocSyncParam":    param.AllocSyncParam{},
		"TransferSyncParam": param.TransferSyncParam{}, "AllocFinishParam": param.AllocFinishParam{},
		"AllocationParam":       param.AllocStartParam{},
		"AllocReceiverAddParam": param.AllocReceiverAddParam{}, "AllocReceiverRemoveParam": param.AllocReceiverRemoveParam{},
		"PayParam": param.PayParam{}, "PayCloseParam": param.PayCloseParam{}, "PayCancelParam": param.PayCancelParam{},
		"RefundParam": param.RefundParam{}, "TransferParam": param.TransferParam{},
		"QueryPayParam": param.QueryPayOrderParam{}, "QueryRefundParam": param.QueryRefundOrderParam{},
		"QueryTransferParam":   param.QueryTransferOrderParam{},
		"QueryAllocOrderParam": param.QueryAllocOrderParam{}, "QueryAllocReceiverParam": param.QueryAllocReceiversParam{},
		"WxAuthUrlParam": param.WxAuthURLParam{}, "WxAccessTokenParam": param.WxAccessTokenParam{},
	}
	typedModels = map[string]any{
		"PaySyncResult": model.PaySyncModel{}, "RefundSyncResult": model.RefundSyncModel{},
		"AllocSyncResult":    model.AllocSyncModel{},
		"TransferSyncResult": model.TransferSyncModel{}, "AllocationResult": model.AllocModel{},
		"AllocReceiversResult":      model.AllocReceiversModel{},
		"AllocReceiverAddResult":    model.AllocReceiverAddModel{},
		"AllocReceiverRemoveResult": model.AllocReceiverRemoveModel{},
		"PayResult":                 model.PayModel{}, "PayCloseResult": model.PayCloseModel{},
		"PayCancelResult": model.PayCancelModel{},
		"RefundResult":    model.RefundModel{}, "TransferResult": model.TransferModel{},
		"PayOrderResult": model.PayOrderModel{}, "RefundOrderResult": model.RefundOrderModel{},
		"TransferOrderResult": model.TransferOrderModel{},
		"AllocOrderResult":    model.AllocOrderModel{}, "WxAuthUrlResult": model.WxAuthURLModel{},
		"WxAccessTokenResult": model.WxAccessTokenModel{},
	}
)

// A typed param makes the text and the digests that gateway 2.0.8 computes for the request. The checks are left out, as
// the vectors hold hostile text. A param leaves out false and empty strings, so texts and digests are compared only for
// the vectors that have neither.
func TestTypedParamsMakeTheVectors(t *testing.T) {
	exact, seen := 0, map[string]bool{}
	for i, v := range readVectors(t, "requests.jsonl") {
		zero, ok := typedParams[v.Type]
		require.True(t, ok, v.Type)
		seen[v.Type] = true
		plan, err := wire.PlanOf(reflect.TypeOf(zero))
		require.NoError(t, err)
		var o wire.Object
		require.NoError(t, o.Read([]byte(v.Body)))

		p := reflect.New(reflect.TypeOf(zero)).Elem()
		var kept []string
		changed := false
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(v.Body), &members))
		for name, raw := range members {
			if pay, ok := p.Addr().Interface().(*param.PayParam); ok && name == "extraParam" {
				pay.ExtraParam = param.ExtraJSON(raw)
				continue
			}
			if text := string(raw); text == "false" || text == `""` {
				changed = true
				continue
			}
			kept = append(kept, `"`+name+`":`+string(raw))
		}
		require.NoError(t, o.Read([]byte("{"+strings.Join(kept, ",")+"}")))
		require.NoError(t, plan.Decode(&o, p, beijing), "line %d", i+1)

		var e wire.Encoder
		for algorithm, sign := range map[wire.Algorithm]string{wire.MD5: v.MD5, wire.HMACSHA256: v.HMACSHA256} {
			text, err := e.Encode(plan.Layout("", gateway.V208), p, wire.Stamp{Zone: beijing})
			require.NoError(t, err)
			canonical := string(text) + wire.KeyLabel + v.Secret
			body := string(e.Seal(wire.NewKey(algorithm, v.Secret)))
			require.JSONEq(t, withoutDefaults(t, v.Body), withoutDefaults(t, body), "line %d", i+1)
			if !changed {
				require.Equal(t, v.Canonical, canonical, "line %d", i+1)
				require.Contains(t, body, `"sign":"`+sign+`"}`, "line %d", i+1)
			}
		}
		if !changed {
			exact++
		}
	}
	require.Len(t, seen, len(typedParams))
	require.Equal(t, 192, exact)
}

// withoutDefaults drops the signature and what a param does not send: false, null, empty strings and empty lists.
func withoutDefaults(t *testing.T, body string) string {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &members))
	for name, value := range members {
		list, isList := value.([]any)
		if name == "sign" || value == nil || value == false || value == "" || isList && len(list) == 0 {
			delete(members, name)
		}
	}
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text)
}

// Every member of an answer is decoded into its field: the model encoded as JSON is the answer again.
func TestTypedModelsHoldTheVectors(t *testing.T) {
	seen := map[string]bool{}
	for i, v := range readVectors(t, "responses.jsonl") {
		zero, ok := typedModels[v.Type]
		require.True(t, ok, v.Type)
		seen[v.Type] = true
		requireHolds(t, zero, v.signed(t), i+1)
	}
	require.Len(t, seen, len(typedModels))
}

func requireHolds(t *testing.T, zero any, object []byte, line int) {
	t.Helper()
	plan, err := wire.PlanOf(reflect.TypeOf(zero))
	require.NoError(t, err)
	var o wire.Object
	require.NoError(t, o.Read(object))
	m := reflect.New(reflect.TypeOf(zero))
	require.NoError(t, plan.Decode(&o, m.Elem(), beijing), "line %d", line)
	back, err := json.Marshal(m.Interface())
	require.NoError(t, err)
	want, ok := plain(t, object).(map[string]any)
	require.True(t, ok)
	delete(want, "code") // see model.Common
	delete(want, "sign")
	require.Equal(t, want, plain(t, back), "line %d", line)
}

// plain reads JSON. It drops zero values and converts times in text to Unix seconds.
func plain(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(text, &value))
	return strip(value)
}

func strip(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			member = strip(member)
			if member == nil || member == "" || member == false || member == 0.0 {
				delete(value, name)
				continue
			}
			value[name] = member
		}
	case []any:
		if len(value) == 0 {
			return nil
		}
		for i := range value {
			value[i] = strip(value[i])
		}
	case string:
		if when, err := time.ParseInLocation(time.DateTime, value, beijing); err == nil {
			return float64(when.Unix())
		}
	}
	return value
}

// An answer is a success only with the members that prove it.
func TestSuccessIsProved(t *testing.T) {
	for _, tt := range []struct {
		name, members string
		call          func(kit *daxpay.Client) (any, error)
		proved        bool
	}{
		{"pay", `"orderNo":"P1","bizOrderNo":"B1","status":"progress","payBody":"https://x/?a=1&status=2"`, callPay, true},
		{"pay, lock held", `"msg":"支付处理中，请勿重复操作"`, callPay, false},
		{"pay without status", `"orderNo":"P1"`, callPay, false},
		{"pay without number", `"status":"progress"`, callPay, false},
		{"refund without status", `"refundNo":"R1","bizRefundNo":"BR1"`, callRefund, true},
		{"refund, lock held", `"refundNo":"BR1","bizRefundNo":"BR1"`, callRefund, false},
		{"refund, lock held, without the merchant's number", `"refundNo":"BR1","bizRefundNo":null`, callRefund, false},
		{"allocation", `"allocNo":"A1","bizAllocNo":"BA1","status":"allocation_processing"`, callAllocation, true},
		{"allocation, answer to a sync", `"status":"pay_success"`, callAllocation, false},
		{"transfer without the merchant's number", `"transferNo":"T1","status":"fail"`, callTransfer, false},
		{"refund without number", `"bizRefundNo":"BR1","status":"success"`, callRefund, false},
		{"transfer", `"transferNo":"T1","bizTransferNo":"BT1","status":"transferring"`, callTransfer, true},
		{"transfer without anything", `"msg":null`, callTransfer, false},
		{"close", `"msg":null`, callClose, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kit, transport := mocked(t, daxpay.Config{Now: at(now)},
				jsonAnswer(sealed(t, `"code":0,"resTime":1715500234,`+tt.members)))
			_, err := tt.call(kit)
			require.Equal(t, 1, transport.GetTotalCallCount())
			if tt.proved {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
			require.ErrorContains(t, err, "prove")
			require.ErrorContains(t, err, "T123")
		})
	}
}

func callPay(kit *daxpay.Client) (any, error) {
	return result(kit.Pay(context.Background(), &param.PayParam{
		BizOrderNo: "B1", Title: "鞋", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 1,
		ExtraParam: param.AliPay{OpenID: "o"},
	}))
}

func callRefund(kit *daxpay.Client) (any, error) {
	return result(kit.Refund(context.Background(),
		&param.RefundParam{BizRefundNo: "BR1", OrderNo: "P1", Amount: 1, ExtraParam: `{"a":1}`}))
}

func callTransfer(kit *daxpay.Client) (any, error) {
	return result(kit.Transfer(context.Background(),
		&param.TransferParam{BizTransferNo: "BT1", Channel: model.ChannelAli, Amount: 1,
			PayeeType: model.PayeeAliUserID, PayeeAccount: "2088"}))
}

func callClose(kit *daxpay.Client) (any, error) {
	return result(kit.ClosePay(context.Background(), &param.PayCloseParam{OrderNo: "P1"}))
}

func callAllocation(kit *daxpay.Client) (any, error) {
	return result(kit.StartAlloc(context.Background(), &param.AllocStartParam{BizAllocNo: "BA1", OrderNo: "P1"}))
}
