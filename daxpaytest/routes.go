package daxpaytest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

// route is a call as one version of the gateway has it.
type route struct {
	members  map[string]int // all known members and their greatest length, 0 for no limit
	required []string
	oneOf    []string // one of these must be there; the first that is counts
	handle   func(g *Gateway, r request) outcome
}

// request is what a call asks for.
type request struct {
	object
	version daxpay.GatewayVersion
}

// text is a member that is a string, "" if it is absent.
func (r request) text(name string) string {
	s, _ := r.Get(r.old(name)).(string)
	return s
}

// amount is a member that is a number, 0 if it is absent.
func (r request) amount(name string) int64 {
	n, _ := r.Get(name).(json.Number)
	i, _ := n.Int64()
	return i
}

// asked is the first of the names, by which a call finds what it is about, that is there.
func (r request) asked(names ...string) (name, number string) {
	for _, name := range names {
		if value := r.Get(r.old(name)); value != nil {
			return name, fmt.Sprint(value)
		}
	}
	return "", ""
}

// old is what the version of the request calls a member that 2.0.8 calls name.
func (r request) old(name string) string { return oldName(r.version, name) }

func oldName(v daxpay.GatewayVersion, name string) string {
	if v != daxpay.GatewayV208 {
		switch name {
		case "allocNo", "bizAllocNo", "outAllocNo":
			return strings.Replace(name, "lloc", "llocation", 1)
		case "allocStatus":
			return "allocationStatus"
		}
	}
	return name
}

// outcome is what the business says: data, or a refusal.
type outcome struct {
	refusal string
	remark  string // a msg beside code 0
	code    int    // of the envelope, instead of an answer
	members object
}

// routesOf lists the calls of a version as its documents and its source have them. A member is written with its greatest length;
// ! marks required ones, | those of which one is needed.
func routesOf(v daxpay.GatewayVersion) map[string]route {
	routes := make(map[string]route)
	add := func(path, members string, handle func(*Gateway, request) outcome) {
		r := route{members: map[string]int{"clientIp": 64, "reqTime": 0, "sign": 64}, required: []string{"reqTime"}, handle: handle}
		if v == daxpay.GatewayV208 {
			r.members["nonceStr"] = 32
		}
		for _, member := range strings.Fields(members) {
			name, length, _ := strings.Cut(strings.TrimRight(member, "!|"), ":")
			name = oldName(v, name)
			r.members[name], _ = strconv.Atoi(length)
			switch member[len(member)-1] {
			case '!':
				r.required = append(r.required, name)
			case '|':
				r.oneOf = append(r.oneOf, name)
			}
		}
		routes[path] = r
	}
	if v == daxpay.GatewayV205 {
		add("/unipay/syncPay", "paymentId| businessNo:100|", syncPayLegacy)
		add("/unipay/syncRefund", "refundId| refundNo:100|", syncRefundLegacy)
		return routes
	}
	const (
		pay   = "orderNo:32| bizOrderNo:100|"
		alloc = "allocNo:32| bizAllocNo:100|"
	)
	bizOrder, start, finish, sync, syncRefundPath, query := "bizOrderNo", "/unipay/allocation/start", "/unipay/allocation/finish", "/unipay/sync/pay", "/unipay/sync/refund", "/unipay/query/"
	if v == daxpay.GatewayV206 {
		start, finish, sync, syncRefundPath, query = "/unipay/allocation", "/unipay/allocationFinish", "/unipay/syncPay", "/unipay/syncRefund", "/uni/query/"
	}
	if v != daxpay.GatewayV208 {
		bizOrder = "bizTradeNo"
	}
	add("/unipay/pay", "bizOrderNo:100! title:100! description:500 allocation autoAllocation expiredTime channel:20! method:20! amount! extraParam attach:500 returnUrl:200 quitUrl:200 notifyUrl:200", startPay)
	add("/unipay/close", "orderNo:32| "+bizOrder+":100|", closePay)
	add("/unipay/refund", "bizRefundNo:100! "+pay+" amount! reason:150 extraParam:2048 attach:500 notifyUrl:200", refund)
	add(start, "bizAllocNo:100! "+pay+" description:150 groupNo:20 receivers notifyUrl:200 attach:500", startAllocation)
	add(finish, alloc, finishAllocation)
	add("/unipay/allocation/receiver/add", "receiverNo:32! channel:20! receiverType:20! receiverAccount:100! receiverName:100 relationType:20! relationName:50", addReceiver)
	add("/unipay/allocation/receiver/remove", "receiverNo:32!", removeReceiver)
	add(sync, pay, syncPay)
	add(syncRefundPath, "refundNo:100| bizRefundNo:100|", syncRefund)
	add(query+"payOrder", "orderNo:32| bizOrderNoeNo:100|", queryPay)
	add(query+"refundOrder", "refundNo:100| bizRefundNo:100|", queryRefund)
	add(query+"allocationOrder", alloc, queryAllocation)
	add(query+"allocationReceiver", "channel:20| receiverNo:32|", queryReceivers)
	add("/unipay/assist/getWxAuthUrl", "url:200! state:128", wxAuthURL)
	add("/unipay/assist/getWxAccessToken", "code:64!", wxAccessToken)
	if v != daxpay.GatewayV206 {
		add("/unipay/sync/allocation", alloc, syncAllocation)
	}
	if v == daxpay.GatewayV208 {
		add("/unipay/cancel", pay, cancelPay)
		add("/unipay/transfer", "bizTransferNo:100! channel:20! amount! title:100 reason:150 transferType:20 payeeType:20 payeeAccount:100 payeeName:50 notifyUrl:200 attach:500", transfer)
		add("/unipay/sync/transfer", "transferNo:32| bizTransferNo:100|", syncTransfer)
		add("/unipay/query/transferOrder", "bizTransferNo:100| transferNo:32|", queryTransfer)
	}
	return routes
}

const (
	noPayment    = "支付订单不存在"
	noRefund     = "退款订单不存在"
	noAllocation = "分账单不存在"
	noTransfer   = "转账订单不存在"
	noReceiver   = "该接收方不存在"
	wrongState   = "订单状态错误"
	busy         = "处理中，请勿重复操作"

	codeRepeated = 10007
)

// find returns the first of the list that matches, nil if none does.
func find[T any](list []T, match func(T) bool) *T {
	if i := slices.IndexFunc(list, match); i >= 0 {
		return &list[i]
	}
	return nil
}

// payment finds the payment that a request is about.
func (g *Gateway) payment(r request) *Payment {
	name, number := r.asked("orderNo", "bizOrderNo", "bizTradeNo", "bizOrderNoeNo")
	return find(g.payments, func(p Payment) bool {
		if name == "orderNo" {
			return same(p.OrderNo, number)
		}
		return same(p.BizOrderNo, number)
	})
}

func (g *Gateway) refund(r request) *Refund {
	name, number := r.asked("refundNo", "bizRefundNo")
	return find(g.refunds, func(f Refund) bool {
		return name == "refundNo" && same(f.RefundNo, number) || name == "bizRefundNo" && same(f.BizRefundNo, number)
	})
}

func (g *Gateway) allocation(r request) *Allocation {
	name, number := r.asked("allocNo", "bizAllocNo")
	return find(g.allocations, func(a Allocation) bool {
		return name == "allocNo" && same(a.AllocationNo, number) || name == "bizAllocNo" && same(a.BizAllocationNo, number)
	})
}

// refunded is what of a payment was given back, or is about to be.
func (g *Gateway) refunded(p *Payment) int64 {
	var sum int64
	for _, f := range g.refunds {
		if same(f.OrderNo, p.OrderNo) && (f.order() == model.RefundProgress || f.order() == model.RefundSuccess) {
			sum += f.Amount
		}
	}
	return sum
}

func (g *Gateway) number(prefix string) string {
	g.made++
	return fmt.Sprintf("%s%014d", prefix, g.made)
}

func startPay(g *Gateway, r request) outcome {
	biz := r.text("bizOrderNo")
	if g.locked[biz] {
		return outcome{remark: busy}
	}
	p := g.payment(r)
	if p == nil {
		g.payments = append(g.payments, Payment{
			OrderNo: g.number("DEVP"), BizOrderNo: biz, Status: model.PaySyncProgress,
			Title: r.text("title"), Channel: model.Channel(r.text("channel")), Method: model.Method(r.text("method")), Amount: r.amount("amount"),
			NotifyURL: r.text("notifyUrl"), Attach: r.text("attach"),
		})
		p = &g.payments[len(g.payments)-1]
	}
	if p.order() != model.PayProgress {
		return outcome{remark: "支付已完成或已关闭，请勿重复支付"}
	}
	// The gateway asks the channel again and takes over everything but the amount.
	p.Method, p.NotifyURL, p.Attach = model.Method(r.text("method")), r.text("notifyUrl"), r.text("attach")
	return outcome{members: object{
		{"bizOrderNo", p.BizOrderNo},
		{"orderNo", p.OrderNo},
		{"status", string(model.PayProgress)},
		{"payBody", "https://qr.example.com/" + p.OrderNo},
	}}
}

func closePay(g *Gateway, r request) outcome {
	p := g.payment(r)
	switch {
	case p == nil:
		return outcome{refusal: noPayment}
	case p.order() != model.PayProgress:
		return outcome{refusal: wrongState}
	}
	p.Status, p.Order, p.closed = model.PaySyncClosed, model.PayClose, g.now()
	return outcome{}
}

func cancelPay(g *Gateway, r request) outcome {
	p := g.payment(r)
	switch {
	case p == nil:
		return outcome{refusal: noPayment}
	case p.order() != model.PayProgress && p.order() != model.PaySuccess:
		return outcome{refusal: wrongState}
	}
	p.Status, p.Order, p.closed = model.PaySyncClosed, model.PayClose, g.now()
	return outcome{}
}

func refund(g *Gateway, r request) outcome {
	biz := r.text("bizRefundNo")
	if g.locked[biz] {
		return outcome{members: object{{"refundNo", biz}, {"bizRefundNo", biz}, {"status", nil}}}
	}
	p := g.payment(r)
	known := find(g.refunds, func(f Refund) bool { return same(f.BizRefundNo, biz) })
	switch amount := r.amount("amount"); {
	case p == nil:
		return outcome{refusal: noPayment}
	case known != nil && known.order() == model.RefundFail:
		known.Status, known.Order = model.RefundSyncProgress, model.RefundProgress
	case known != nil:
		return outcome{refusal: "退款单号已存在"}
	case p.order() != model.PaySuccess && p.order() != model.PayPartialRefund:
		return outcome{refusal: "当前订单状态不允许发起退款操作"}
	case amount > p.Amount-g.refunded(p):
		return outcome{refusal: "退款金额大于可退余额"}
	default:
		g.refunds = append(g.refunds, Refund{
			RefundNo: g.number("DEVR"), BizRefundNo: biz, OrderNo: p.OrderNo, BizOrderNo: p.BizOrderNo, Amount: amount, Reason: r.text("reason"),
			Status: model.RefundSyncProgress, NotifyURL: r.text("notifyUrl"), Attach: r.text("attach"), started: g.now(),
		})
		known = &g.refunds[len(g.refunds)-1]
	}
	return outcome{members: object{{"refundNo", known.RefundNo}, {"bizRefundNo", biz}, {"status", nil}}}
}

// transfer pays out whatever it is asked to, however often: the gateway does not look for the number.
func transfer(g *Gateway, r request) outcome {
	t := Transfer{
		TransferNo: g.number("DEVT"), BizTransferNo: r.text("bizTransferNo"), Amount: r.amount("amount"), Status: model.TransferTransferring,
		channel: r.text("channel"), title: r.text("title"), reason: r.text("reason"),
		transferType: r.text("transferType"), payeeType: r.text("payeeType"), payeeAccount: r.text("payeeAccount"), payeeName: r.text("payeeName"),
	}
	g.transfers = append(g.transfers, t)
	return outcome{members: object{{"bizTransferNo", t.BizTransferNo}, {"transferNo", t.TransferNo}, {"status", string(t.Status)}}}
}

func syncTransfer(*Gateway, request) outcome { return outcome{refusal: "未实现的转账同步"} }

func startAllocation(g *Gateway, r request) outcome {
	biz := r.text("bizAllocNo")
	p := g.payment(r)
	a := find(g.allocations, func(a Allocation) bool { return same(a.BizAllocationNo, biz) })
	switch {
	case p == nil:
		return outcome{refusal: noPayment}
	case p.order() != model.PaySuccess:
		return outcome{refusal: wrongState}
	case a == nil:
		made := Allocation{
			AllocationNo: g.number("DEVA"), BizAllocationNo: biz, OrderNo: p.OrderNo, BizOrderNo: p.BizOrderNo, Status: model.AllocProcessing,
			NotifyURL: r.text("notifyUrl"), Attach: r.text("attach"), description: r.text("description"),
		}
		receivers, _ := r.Get("receivers").([]any)
		for _, item := range receivers {
			share, _ := item.(object)
			n, _ := share.Get("amount").(json.Number)
			amount, _ := n.Int64()
			made.Shares = append(made.Shares, Share{ReceiverNo: fmt.Sprint(share.Get("receiverNo")), Amount: amount})
		}
		g.allocations = append(g.allocations, made)
		a = &g.allocations[len(g.allocations)-1]
	}
	return g.allocationAnswer(a)
}

func (g *Gateway) allocationAnswer(a *Allocation) outcome {
	return outcome{members: object{
		{oldName(g.version, "allocNo"), a.AllocationNo}, {oldName(g.version, "bizAllocNo"), a.BizAllocationNo}, {"status", string(a.Status)},
	}}
}

func finishAllocation(g *Gateway, r request) outcome {
	a := g.allocation(r)
	switch {
	case a == nil:
		return outcome{refusal: noAllocation}
	case a.Status != model.AllocEnd && a.Status != model.AllocFinishFailed:
		return outcome{refusal: "分账单状态错误"}
	}
	a.Status, a.finished = model.AllocFinish, g.now()
	return g.allocationAnswer(a)
}

func addReceiver(g *Gateway, r request) outcome {
	no := r.text("receiverNo")
	if find(g.receivers, func(o object) bool { return o.Get("receiverNo") == no }) != nil {
		return outcome{refusal: "该接收方已存在"}
	}
	var members object
	for _, name := range []string{"receiverNo", "channel", "receiverType", "receiverAccount", "receiverName", "relationType", "relationName"} {
		members = append(members, pair{name, r.Get(name)})
	}
	g.receivers = append(g.receivers, members)
	return outcome{}
}

func removeReceiver(g *Gateway, r request) outcome {
	before := len(g.receivers)
	g.receivers = slices.DeleteFunc(g.receivers, func(o object) bool { return o.Get("receiverNo") == r.text("receiverNo") })
	if len(g.receivers) == before {
		return outcome{refusal: noReceiver}
	}
	return outcome{}
}

func syncPay(g *Gateway, r request) outcome {
	p := g.payment(r)
	switch {
	case p == nil:
		return outcome{refusal: noPayment}
	case g.locked[p.BizOrderNo]:
		return outcome{code: codeRepeated}
	}
	p.Order = orderStatus(p.Status)
	return outcome{members: object{{"status", string(p.Status)}}}
}

func syncRefund(g *Gateway, r request) outcome {
	f := g.refund(r)
	switch {
	case f == nil:
		return outcome{refusal: noRefund}
	case g.locked[f.BizRefundNo]:
		return outcome{code: codeRepeated}
	}
	f.Order = refundStatus(f.Status)
	return outcome{members: object{{"status", string(f.Status)}}}
}

func syncAllocation(g *Gateway, r request) outcome {
	if g.allocation(r) == nil {
		return outcome{refusal: noAllocation}
	}
	return outcome{}
}

func syncPayLegacy(g *Gateway, r request) outcome {
	name, number := r.asked("paymentId", "businessNo")
	p := find(g.payments, func(p Payment) bool {
		return name == "paymentId" && number == strconv.FormatInt(p.ID, 10) || name == "businessNo" && same(number, p.BizOrderNo)
	})
	if p == nil {
		return outcome{refusal: noPayment}
	}
	return legacyOutcome(string(p.Status))
}

func syncRefundLegacy(g *Gateway, r request) outcome {
	name, number := r.asked("refundId", "refundNo")
	f := find(g.refunds, func(f Refund) bool {
		return name == "refundId" && number == strconv.FormatInt(f.ID, 10) || name == "refundNo" && same(number, f.BizRefundNo)
	})
	if f == nil {
		return outcome{refusal: noRefund}
	}
	return legacyOutcome(string(f.Status))
}

func legacyOutcome(status string) outcome {
	return outcome{members: object{{"gatewayStatus", status}, {"success", true}, {"repair", false}, {"repairOrderNo", nil}, {"errorMsg", nil}}}
}

func queryPay(g *Gateway, r request) outcome {
	p := g.payment(r)
	if p == nil {
		return outcome{refusal: "未查询到支付订单"}
	}
	status, refunds, refunded := p.order(), model.OrderRefundNone, g.refunded(p)
	if refunded > 0 {
		refunds = model.OrderRefundPartial
		if refunded == p.Amount {
			refunds = model.OrderRefundAll
		}
		if status == model.PaySuccess {
			status = model.PayStatus(refunds)
		}
	}
	return outcome{members: object{
		{"orderNo", p.OrderNo},
		{"bizOrderNo", p.BizOrderNo},
		{"outOrderNo", nil},
		{"title", p.Title},
		{"description", nil},
		{"allocation", false},
		{"autoAllocation", false},
		{"channel", string(p.Channel)},
		{"method", string(p.Method)},
		{"amount", number(p.Amount)},
		{"refundableBalance", number(p.Amount - refunded)},
		{"status", string(status)},
		{"refundStatus", string(refunds)},
		{oldName(g.version, "allocStatus"), nil},
		{"payTime", seconds(p.paid)},
		{"expiredTime", nil},
		{"closeTime", seconds(p.closed)},
		{"errorCode", nil},
		{"errorMsg", nil},
	}}
}

func queryRefund(g *Gateway, r request) outcome {
	f := g.refund(r)
	if f == nil {
		return outcome{refusal: noRefund}
	}
	var orderAmount, title, channel any
	if p := find(g.payments, func(p Payment) bool { return same(p.OrderNo, f.OrderNo) }); p != nil {
		orderAmount, title, channel = number(p.Amount), p.Title, string(p.Channel)
	}
	return outcome{members: object{
		{"orderNo", f.OrderNo},
		{"bizOrderNo", f.BizOrderNo},
		{"outOrderNo", nil},
		{"title", title},
		{"refundNo", f.RefundNo},
		{"bizRefundNo", f.BizRefundNo},
		{"outRefundNo", nil},
		{"channel", channel},
		{"orderAmount", orderAmount},
		{"amount", number(f.Amount)},
		{"reason", f.Reason},
		{"refundTime", seconds(f.started)},
		{"finishTime", seconds(f.finished)},
		{"status", string(f.order())},
		{"errorCode", nil},
		{"errorMsg", nil},
	}}
}

func queryTransfer(g *Gateway, r request) outcome {
	name, no := r.asked("bizTransferNo", "transferNo")
	t := find(g.transfers, func(t Transfer) bool {
		return name == "bizTransferNo" && same(t.BizTransferNo, no) || name == "transferNo" && same(t.TransferNo, no)
	})
	if t == nil {
		return outcome{refusal: noTransfer}
	}
	return outcome{members: object{
		{"bizTransferNo", t.BizTransferNo},
		{"transferNo", t.TransferNo},
		{"outTransferNo", nil},
		{"channel", t.channel},
		{"amount", number(t.Amount)},
		{"title", t.title},
		{"reason", t.reason},
		{"transferType", t.transferType},
		{"payeeType", t.payeeType},
		{"payeeAccount", t.payeeAccount},
		{"payeeName", t.payeeName},
		{"status", string(t.Status)},
		{"successTime", g.printed(t.succeeded)},
		{"errorCode", nil},
		{"errorMsg", nil},
	}}
}

func queryAllocation(g *Gateway, r request) outcome {
	a := g.allocation(r)
	if a == nil {
		return outcome{refusal: noAllocation}
	}
	total := int64(0)
	details := []any{}
	for _, s := range a.Shares {
		total += s.Amount
		details = append(details, object{
			{"receiverNo", s.ReceiverNo}, {"amount", number(s.Amount)}, {"rate", nil}, {"receiverType", nil}, {"receiverAccount", nil}, {"receiverName", nil},
			{"result", string(a.detailResult())}, {"errorCode", nil}, {"errorMsg", nil}, {"finishTime", g.printed(a.finished)},
		})
	}
	return outcome{members: object{
		{oldName(g.version, "allocNo"), a.AllocationNo},
		{oldName(g.version, "bizAllocNo"), a.BizAllocationNo},
		{oldName(g.version, "outAllocNo"), nil},
		{"orderNo", a.OrderNo},
		{"bizOrderNo", a.BizOrderNo},
		{"outOrderNo", nil},
		{"title", nil},
		{"channel", nil},
		{"amount", number(total)},
		{"description", a.description},
		{"status", string(a.Status)},
		{"result", string(a.result())},
		{"errorCode", nil},
		{"errorMsg", nil},
		{"finishTime", g.printed(a.finished)},
		{"details", details},
	}}
}

func queryReceivers(g *Gateway, r request) outcome {
	name, value := r.asked("channel", "receiverNo")
	list := []any{}
	for _, o := range g.receivers {
		if o.Get(name) == value {
			list = append(list, o)
		}
	}
	return outcome{members: object{{"receivers", list}}}
}

func wxAuthURL(_ *Gateway, r request) outcome {
	query := url.Values{"redirect_uri": {r.text("url")}, "state": {r.text("state")}, "response_type": {"code"}, "scope": {"snsapi_base"}}
	return outcome{members: object{{"url", "https://open.weixin.qq.com/connect/oauth2/authorize?" + query.Encode() + "#wechat_redirect"}}}
}

func wxAccessToken(g *Gateway, r request) outcome {
	code := r.text("code")
	if g.codes[code] {
		return outcome{refusal: "code been used"}
	}
	g.codes[code] = true
	return outcome{members: object{{"accessToken", nil}, {"openId", "openid-" + code}}}
}
