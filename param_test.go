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
		return func(kit *daxpay.Client) error { _, err := kit.SyncAllocation(ctx, p); return err }
	}
	finish := func(p *param.AllocFinishParam) func(*daxpay.Client) error {
		return func(kit *daxpay.Client) error { _, err := kit.FinishAllocation(ctx, p); return err }
	}
	common := func(c param.Common) func(*daxpay.Client) error {
		return pay(&param.PaySyncParam{Common: c, OrderNo: "P1"})
	}
	n := func(length int) string { return strings.Repeat("9", length) }

	for name, tt := range map[string]struct {
		call   func(*daxpay.Client) error
		faults []daxpay.ParamError // none: sent
	}{
		"no number":                {pay(&param.PaySyncParam{}), faults("param.PaySyncParam", "OrderNo, BizOrderNo", "must not all be empty")},
		"no refund number":         {refund(&param.RefundSyncParam{}), faults("param.RefundSyncParam", "RefundNo, BizRefundNo", "must not all be empty")},
		"no allocation number":     {alloc(&param.AllocSyncParam{}), faults("param.AllocSyncParam", "AllocationNo", "must be set")},
		"no number to finish":      {finish(&param.AllocFinishParam{}), faults("param.AllocFinishParam", "AllocationNo, BizAllocationNo", "must not all be empty")},
		"longest order":            {pay(&param.PaySyncParam{OrderNo: n(32), BizOrderNo: n(100)}), nil},
		"order too long":           {pay(&param.PaySyncParam{OrderNo: n(33)}), faults("param.PaySyncParam", "OrderNo", "must have at most 32 characters, not 33")},
		"merchant order too long":  {pay(&param.PaySyncParam{BizOrderNo: n(101)}), faults("param.PaySyncParam", "BizOrderNo", "at most 100 characters, not 101")},
		"longest refund":           {refund(&param.RefundSyncParam{RefundNo: n(100), BizRefundNo: n(100)}), nil},
		"refund too long":          {refund(&param.RefundSyncParam{RefundNo: n(101)}), faults("param.RefundSyncParam", "RefundNo", "at most 100")},
		"allocation too long":      {finish(&param.AllocFinishParam{AllocationNo: n(33)}), faults("param.AllocFinishParam", "AllocationNo", "at most 32")},
		"sync allocation too long": {alloc(&param.AllocSyncParam{AllocationNo: "A1", BizAllocationNo: n(101)}), faults("param.AllocSyncParam", "BizAllocationNo", "at most 100")},
		"characters, not bytes":    {pay(&param.PaySyncParam{OrderNo: strings.Repeat("单", 32)}), nil},
		"an emoji is two":          {pay(&param.PaySyncParam{OrderNo: strings.Repeat("😀", 17)}), faults("param.PaySyncParam", "OrderNo", "at most 32 characters, not 34")},
		"numbers with signs":       {pay(&param.PaySyncParam{BizOrderNo: "a-b_c.d/e:f#g h=i%,{}[]单"}), nil},
		"quote":                    {pay(&param.PaySyncParam{OrderNo: `a"b`}), faults("param.PaySyncParam", "OrderNo", "the signature does not protect them")},
		"backslash":                {pay(&param.PaySyncParam{OrderNo: `a\b`}), faults("param.PaySyncParam", "OrderNo", "the signature does not protect them")},
		"and":                      {pay(&param.PaySyncParam{OrderNo: `a&b`}), faults("param.PaySyncParam", "OrderNo", "the signature does not protect them")},
		"line break":               {pay(&param.PaySyncParam{OrderNo: "a\nb"}), faults("param.PaySyncParam", "OrderNo", "control characters")},
		"control character":        {pay(&param.PaySyncParam{OrderNo: "a\u0085b"}), faults("param.PaySyncParam", "OrderNo", "control characters")},
		"NUL":                      {pay(&param.PaySyncParam{OrderNo: "a\x00b"}), faults("param.PaySyncParam", "OrderNo", "NUL")},
		"invalid UTF-8":            {pay(&param.PaySyncParam{OrderNo: "a\xffb"}), faults("param.PaySyncParam", "OrderNo", "valid UTF-8")},
		"blank number":             {pay(&param.PaySyncParam{OrderNo: " "}), faults("param.PaySyncParam", "OrderNo", "white space")},
		"number with a blank":      {pay(&param.PaySyncParam{OrderNo: "P1 "}), faults("param.PaySyncParam", "OrderNo", "white space")},
		"IPv4":                     {common(param.Common{ClientIP: "192.0.2.1"}), nil},
		"IPv6":                     {common(param.Common{ClientIP: "2001:db8::1"}), nil},
		"IPv4 in IPv6":             {common(param.Common{ClientIP: "::ffff:192.0.2.1"}), nil},
		"IP with port":             {common(param.Common{ClientIP: "192.0.2.1:80"}), faults("param.PaySyncParam", "ClientIP", "IPv4 or IPv6")},
		"IP with zone":             {common(param.Common{ClientIP: "fe80::1%eth0"}), faults("param.PaySyncParam", "ClientIP", "IPv4 or IPv6")},
		"IP out of range":          {common(param.Common{ClientIP: "256.1.1.1"}), faults("param.PaySyncParam", "ClientIP", "IPv4 or IPv6")},
		"host name":                {common(param.Common{ClientIP: "localhost"}), faults("param.PaySyncParam", "ClientIP", "IPv4 or IPv6")},
		"nonce of 32":              {common(param.Common{NonceStr: n(32)}), nil},
		"nonce of 33":              {common(param.Common{NonceStr: n(33)}), faults("param.PaySyncParam", "NonceStr", "at most 32")},
		"nonce with a quote":       {common(param.Common{NonceStr: `"`}), faults("param.PaySyncParam", "NonceStr", "quotes")},
		"time before 2001":         {common(param.Common{ReqTime: time.Unix(999_999_999, 0)}), faults("param.PaySyncParam", "ReqTime", "ten digits")},
		"time after 2286":          {common(param.Common{ReqTime: time.Unix(10_000_000_000, 0)}), faults("param.PaySyncParam", "ReqTime", "ten digits")},
		"all at once": {pay(&param.PaySyncParam{Common: param.Common{ClientIP: "x", NonceStr: n(33)}, OrderNo: n(33) + `"`, BizOrderNo: "\xff"}),
			append(append(append(append(faults("param.PaySyncParam", "ClientIP", "IPv4"), faults("param.PaySyncParam", "NonceStr", "32")...),
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
	_, err := kit.SyncPayLegacy(ctx, &param.LegacyPaySyncParam{})
	require.ErrorContains(t, err, "PaymentID, BusinessNo must not all be empty")
	_, err = kit.SyncPayLegacy(ctx, &param.LegacyPaySyncParam{PaymentID: -1})
	require.ErrorContains(t, err, "PaymentID must be at least 1")
	_, err = kit.SyncRefundLegacy(ctx, &param.LegacyRefundSyncParam{RefundNo: strings.Repeat("9", 101)})
	require.ErrorContains(t, err, "RefundNo must have at most 100")

	res, err := kit.SyncPayLegacy(ctx, &param.LegacyPaySyncParam{PaymentID: 1789, BusinessNo: "B1"})
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

	_, err = kit.SyncRefundLegacy(ctx, &param.LegacyRefundSyncParam{RefundID: 5})
	require.NoError(t, err)
	require.Contains(t, string(sent), `"refundId":5`)
}
