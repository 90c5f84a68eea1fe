package daxpaytest

import (
	"fmt"
	"strconv"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
)

// legacyCall is a call of 2.0.5. This package has only the two syncs of that release.
type legacyCall func(g *Gateway, o object) (status string, found bool)

func legacyCallsOf(v daxpay.GatewayVersion) map[string]legacyCall {
	if v != daxpay.GatewayV205 {
		return nil
	}
	return map[string]legacyCall{"/unipay/syncPay": syncPayOf205, "/unipay/syncRefund": syncRefundOf205}
}

var legacyMembers = map[string]int{
	"clientIp": 0, "reqTime": 0, "sign": 0, "paymentId": 0, "businessNo": 0, "refundId": 0, "refundNo": 0,
}

// answerLegacy answers as 2.0.5 does, which signs no answer.
func (g *Gateway) answerLegacy(run legacyCall, body []byte, trace string) (int, object) {
	o, err := peer.Parse(body)
	if err != nil {
		return failed(fault(codeUnreadable, "参数解析失败"), trace)
	}
	o = o.Only(legacyMembers)
	if o.Get("reqTime") == nil {
		return failed(fault(codeValidation, textValidation+"请求时间必填\n"), trace)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if given, _ := o.Get("sign").(string); g.settings.ChecksSignatures &&
		given != peer.Sign(o, string(g.settings.SignType), g.currentSecret(), g.zone) {
		return failed(fault(codeUnclassified, textOldSignature), trace)
	}
	status, found := run(g, o)
	if !found {
		return failed(fault(codeNoSuchTrade, textNoPayment), trace)
	}
	data := object{{"gatewayStatus", status}, {"success", true}, {"repair", false}, {"repairOrderNo", nil},
		{"errorMsg", nil}}
	return codeOK, object{{"code", number(codeOK)}, {"msg", "success"}, {"data", data}, {"traceId", trace},
		{"sign", ""}}
}

func syncPayOf205(g *Gateway, o object) (string, bool) {
	p := g.db.payment(g.legacyID("pay", o.Get("paymentId")))
	if o.Get("paymentId") == nil {
		p = g.db.paymentByBiz(fmt.Sprint(o.Get("businessNo")))
	}
	if p == nil {
		return "", false
	}
	return string(remoteOf(*g.trade(p)).status), true
}

func syncRefundOf205(g *Gateway, o object) (string, bool) {
	f := g.db.refund(g.legacyID("refund", o.Get("refundId")))
	if o.Get("refundId") == nil {
		f = g.db.refundByBiz(fmt.Sprint(o.Get("refundNo")))
	}
	if f == nil {
		return "", false
	}
	return string(g.refundSays(f)), true
}

// legacyID returns the row that belongs to an ID of 2.0.5. SetPayment and SetRefund set these IDs.
func (g *Gateway) legacyID(kind string, id any) int64 {
	n, err := strconv.ParseInt(fmt.Sprint(id), 10, 64)
	if err != nil {
		return 0
	}
	return g.legacyIDs[kind+strconv.FormatInt(n, 10)]
}
