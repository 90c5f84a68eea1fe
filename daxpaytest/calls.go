package daxpaytest

import (
	"slices"
	"strings"

	"github.com/daxpay-go/daxpay"
)

// call is a call as one release of the gateway has it.
type call struct {
	path   string
	param  string // the gateway's class of the request
	method string // the gateway's method, as its texts print it
	fields []field
	run    func(g *Gateway, p params) (outcome, error)
	// early: resTime is the time at which the call began, not that of its answer.
	early bool
	// current: the rules are those of 2.0.8.
	current bool
	// unregistered: the call is missing from the gateway's own table of calls as it is installed, and is refused before
	// it is read.
	unregistered bool
}

// outcome is the answer of a call that does not fail.
type outcome struct {
	msg     *string
	members object
	// unsignable: the gateway cannot sign the answer. It looks like a failure although the call has run.
	unsignable bool
}

// commonFields are the members of every request.
func commonFields() []field {
	ip := limited("clientIp", 64, "客户端ip不可超过64位")
	ip.ip = true
	return []field{
		ip,
		limited("nonceStr", 32, "随机数不可超过32位"),
		limited("sign", 64, "签名不可超过64位"),
		{name: "reqTime", kind: seconds, rule: notNull, missing: "请求时间必填"},
	}
}

// paymentFields are the two numbers of a payment. Most calls need one of them.
func paymentFields() []field {
	return []field{limited("orderNo", 32, "支付订单号不可超过32位"), limited("bizOrderNo", 100, "商户支付订单号不可超过100位")}
}

func refundFields() []field {
	return []field{limited("refundNo", 100, "退款号不可超过100位"), limited("bizRefundNo", 100, "商户退款号不可超过100位")}
}

func transferFields() []field {
	return []field{limited("bizTransferNo", 100, "商户转账号不可超过100位"), limited("transferNo", 32, "转账号不可超过100位")}
}

// callsOf returns the calls of a release by their paths.
func callsOf(v daxpay.GatewayVersion) map[string]*call {
	var list []*call
	switch v {
	case daxpay.GatewayV205:
		return map[string]*call{}
	case daxpay.GatewayV206:
		list = calls206()
	case daxpay.GatewayV207:
		list = calls207()
	default:
		list = calls208()
	}
	byPath := make(map[string]*call, len(list))
	for _, c := range list {
		c.current = v == daxpay.GatewayV208
		c.fields = append(c.fields, commonFields()...)
		if !c.current {
			c.makeOlder(v)
		}
		byPath[c.path] = c
	}
	return byPath
}

// makeOlder removes what only 2.0.8 has: limits on lengths, the check of the IP address, the nonce, and some names.
func (c *call) makeOlder(v daxpay.GatewayVersion) {
	older := func(class string) string {
		return strings.ReplaceAll(class, "cn.daxpay.single.core.", "cn.daxpay.single.")
	}
	c.param, c.method = older(c.param), older(c.method)
	c.fields = slices.DeleteFunc(c.fields, func(f field) bool { return f.name == "nonceStr" })
	for i := range c.fields {
		f := &c.fields[i]
		f.max, f.ip = 0, false
		f.name = oldName(v, f.name)
	}
}

// oldName returns the name that a release has for a member that 2.0.8 calls name.
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

const (
	coreClass  = "cn.daxpay.single.core."
	paramClass = coreClass + "param."
)

// method returns a method as the gateway's texts print it.
func method(name, result, param string) string {
	return "cn.daxpay.single.core.result.DaxResult<" + coreClass + "result." + result +
		"> cn.daxpay.single.gateway.controller." +
		name + "(" + paramClass + param + ")"
}

func newCall(path, name, param, result string, run func(*Gateway, params) (outcome, error), fields ...field) *call {
	return &call{path: path, param: paramClass + param, method: method(name, result, param), fields: fields, run: run}
}

func (c *call) atBeginning() *call { c.early = true; return c }

func payFields() []field {
	return []field{
		limited("bizOrderNo", 100, "商户订单号不可超过100位").required("商户订单号不可为空"),
		limited("title", 100, "支付标题不可超过100位").required("支付标题不可为空"),
		limited("description", 500, "支付描述不可超过500位"),
		{name: "allocation", kind: boolean},
		{name: "autoAllocation", kind: boolean},
		{name: "expiredTime", kind: seconds},
		limited("channel", 20, "支付通道编码不可超过20位").required("支付通道编码不可为空"),
		limited("method", 20, "支付方式编码不可超过20位").required("支付方式不可为空"),
		amount("支付金额不可为空", textTooSmall),
		{name: "extraParam", kind: properties, max: 2048, tooLong: "支付扩展参数不可超过2048位"},
		limited("attach", 500, "商户扩展参数不可超过500位"),
		limited("returnUrl", 200, "同步通知URL不可超过200位"),
		limited("quitUrl", 200, "退出地址不可超过200位"),
		limited("notifyUrl", 200, "异步通知地址不可超过200位"),
	}
}

func refundCallFields() []field {
	return append([]field{
		limited("bizRefundNo", 100, "商户退款号不可超过100位").required("商户退款号不可为空"),
		amount("", "退款金额至少为0.01元"),
		limited("extraParam", 2048, "退款扩展参数不可超过2048位"),
		limited("reason", 150, "退款原因不可超过150位"),
		limited("attach", 500, "商户扩展参数不可超过500位"),
		limited("notifyUrl", 200, "异步通知地址不可超过200位"),
	}, paymentFields()...)
}

func allocationFields() []field {
	return append([]field{
		limited("bizAllocNo", 100, "商户分账单号不可超过100位").required("商户分账单号不可为空"),
		limited("description", 150, "分账描述不可超过150位"),
		limited("groupNo", 20, "分账组编号不可超过20位"),
		{name: "receivers", kind: receivers},
		limited("notifyUrl", 200, "回调通知地址不可超过200位"),
		limited("attach", 500, "商户扩展参数不可超过500位"),
	}, paymentFields()...)
}

func receiverFields(r rule) []field {
	return []field{
		limited("receiverNo", 32, "接收者编号不可超过32位").must(r, "接收者编号必填"),
		limited("channel", 20, "所属通道不可超过20位").must(r, "所属通道必填"),
		limited("receiverType", 20, "分账接收方类型不可超过20位").must(r, "分账接收方类型必填"),
		limited("receiverAccount", 100, "接收方账号不可超过100位").must(r, "接收方账号必填"),
		limited("receiverName", 100, "接收方姓名不可超过50位"),
		limited("relationType", 20, "分账关系类型不可超过20位").must(r, "分账关系类型必填"),
		limited("relationName", 50, "关系名称不可超过50位"),
	}
}

func transferCallFields() []field {
	return []field{
		limited("bizTransferNo", 100, "商户转账号不可超过100位").must(notNull, "商户转账号必填"),
		limited("channel", 20, "支付通道不可超过20位").must(notNull, "支付通道必填"),
		amount("转账金额必填", "转账金额至少为0.01元"),
		limited("title", 100, "标题不可超过100位"),
		limited("reason", 150, "转账原因/备注不可超过150位"),
		limited("transferType", 20, "转账类型不可超过20位"),
		limited("payeeType", 20, "收款人账号类型不可超过20位"),
		limited("payeeAccount", 100, "收款人账号不可超过100位"),
		limited("payeeName", 50, "收款人姓名不可超过50位"),
		limited("notifyUrl", 200, "回调通知地址不可超过200位"),
		limited("attach", 500, "商户扩展参数,回调时会原样返回不可超过500位"),
	}
}

// calls208 are the calls of 2.0.8, of which those of older releases are made.
func calls208() []*call {
	return slices.Concat(paymentCalls(), allocationCalls(), syncCalls(), queryCalls(), assistCalls())
}

// paymentCalls are the calls that move money, and those that end a payment.
func paymentCalls() []*call {
	return []*call{
		newCall("/unipay/pay", "UniPayController.pay",
			"payment.pay.PayParam", "pay.PayResult",
			(*Gateway).pay, payFields()...).atBeginning(),
		newCall("/unipay/close", "UniPayController.close",
			"payment.pay.PayCloseParam", "pay.PayCloseResult",
			(*Gateway).closePayment, paymentFields()...).atBeginning(),
		newCall("/unipay/cancel", "UniPayController.cancel",
			"payment.pay.PayCancelParam", "pay.PayCancelResult",
			(*Gateway).cancelPayment, paymentFields()...).atBeginning(),
		newCall("/unipay/refund", "UniPayController.refund",
			"payment.refund.RefundParam", "pay.RefundResult",
			(*Gateway).refund, refundCallFields()...),
		newCall("/unipay/transfer", "UniPayController.transfer",
			"payment.transfer.TransferParam", "transfer.TransferResult",
			(*Gateway).transfer, transferCallFields()...),
	}
}

func allocationCalls() []*call {
	return []*call{
		newCall("/unipay/allocation/start", "UniAllocationController.start",
			"payment.allocation.AllocationParam", "allocation.AllocationResult",
			(*Gateway).startAllocation, allocationFields()...),
		newCall("/unipay/allocation/finish", "UniAllocationController.finish",
			"payment.allocation.AllocFinishParam", "allocation.AllocationResult",
			(*Gateway).finishAllocation, unlimited("bizAllocNo"), unlimited("allocNo")),
		newCall("/unipay/allocation/receiver/add", "UniAllocationController.receiverAdd",
			"payment.allocation.AllocReceiverAddParam", "allocation.AllocReceiverAddResult",
			(*Gateway).addReceiver, receiverFields(notBlank)...),
		newCall("/unipay/allocation/receiver/remove", "UniAllocationController.receiverRemove",
			"payment.allocation.AllocReceiverRemoveParam", "allocation.AllocReceiverRemoveResult",
			(*Gateway).removeReceiver, receiverFields(notBlank)[0]),
	}
}

func syncCalls() []*call {
	return []*call{
		newCall("/unipay/sync/pay", "UniPaySyncController.pay",
			"payment.pay.PaySyncParam", "sync.PaySyncResult",
			(*Gateway).syncPay, paymentFields()...),
		newCall("/unipay/sync/refund", "UniPaySyncController.refund",
			"payment.refund.RefundSyncParam", "sync.RefundSyncResult",
			(*Gateway).syncRefund, refundFields()...),
		newCall("/unipay/sync/transfer", "UniPaySyncController.transfer",
			"payment.transfer.TransferSyncParam", "sync.TransferSyncResult",
			(*Gateway).syncTransfer, transferFields()...),
		newCall("/unipay/sync/allocation", "UniPaySyncController.allocation",
			"payment.allocation.AllocSyncParam", "sync.AllocSyncResult",
			(*Gateway).syncAllocation,
			limited("allocNo", 32, "分账号不可超过32位"), limited("bizAllocNo", 100, "商户分账号不可超过100位")),
	}
}

func queryCalls() []*call {
	return []*call{
		newCall("/unipay/query/payOrder", "UniQueryController.queryPayOrder",
			"payment.pay.QueryPayParam", "order.PayOrderResult",
			(*Gateway).queryPay,
			limited("orderNo", 32, "支付订单号不可超过32位"), limited("bizOrderNoeNo", 100, "商户支付订单号不可超过100位")),
		newCall("/unipay/query/refundOrder", "UniQueryController.queryRefundOrder",
			"payment.refund.QueryRefundParam", "order.RefundOrderResult",
			(*Gateway).queryRefund, refundFields()...),
		newCall("/unipay/query/transferOrder", "UniQueryController.transferOrder",
			"payment.transfer.QueryTransferParam", "order.TransferOrderResult",
			(*Gateway).queryTransfer, transferFields()...),
		newCall("/unipay/query/allocationOrder", "UniQueryController.queryAllocationOrder",
			"payment.allocation.QueryAllocOrderParam", "order.AllocOrderResult",
			(*Gateway).queryAllocation, unlimited("allocNo"), unlimited("bizAllocNo")),
		newCall("/unipay/query/allocationReceiver", "UniQueryController.queryAllocReceive",
			"payment.allocation.QueryAllocReceiverParam", "allocation.AllocReceiversResult",
			(*Gateway).queryReceivers, unlimited("channel"), unlimited("receiverNo")),
	}
}

func assistCalls() []*call {
	token := newCall("/unipay/assist/getWxAccessToken", "UniPayAssistController.getWxAccessToken",
		"assist.WxAccessTokenParam", "assist.WxAccessTokenResult",
		(*Gateway).wxAccessToken, limited("code", 64, "微信认证code不可超过100位"))
	token.method = strings.Replace(token.method, "cn.daxpay.single.core.result.DaxResult",
		"cn.bootx.platform.common.core.rest.ResResult", 1)
	return []*call{
		newCall("/unipay/assist/getWxAuthUrl", "UniPayAssistController.getWxAuthUrl",
			"assist.WxAuthUrlParam", "assist.WxAuthUrlResult",
			(*Gateway).wxAuthURL, limited("url", 200, "回调地址不可超过200位"), limited("state", 128, "state值最大为128位")),
		token,
	}
}

func calls207() []*call {
	refund := append(refundCallFields(), field{name: "notNotify", kind: boolean})
	refund[slices.IndexFunc(refund, func(f field) bool { return f.name == "extraParam" })].kind = properties
	closeFields := []field{unlimited("orderNo"), unlimited("bizTradeNo")}
	list := slices.DeleteFunc(calls208(), func(c *call) bool { return c.path == "/unipay/cancel" })
	for _, c := range list {
		switch c.path {
		case "/unipay/pay":
			c.fields = append(c.fields, field{name: "notNotify", kind: boolean})
		case "/unipay/close":
			c.fields = closeFields
		case "/unipay/refund":
			c.fields = refund
		case "/unipay/transfer", "/unipay/query/transferOrder": // stubs
			c.fields, c.run = nil, (*Gateway).stub
		case "/unipay/sync/transfer": // it runs the sync of an allocation
			c.fields, c.run = []field{unlimited("allocNo"), unlimited("bizAllocNo")}, (*Gateway).syncTransferOf207
		case "/unipay/allocation/start":
			c.fields = append(c.fields, field{name: "notNotify", kind: boolean})
		case "/unipay/allocation/receiver/add":
			c.fields = receiverFields(notEmpty)
		case "/unipay/allocation/receiver/remove":
			c.fields = receiverFields(notEmpty)[:1]
		}
	}
	return list
}

func calls206() []*call {
	var list []*call
	for _, c := range calls207() {
		switch c.path {
		case "/unipay/sync/pay":
			c.path = "/unipay/syncPay"
		case "/unipay/sync/refund":
			c.path = "/unipay/syncRefund"
		case "/unipay/query/payOrder":
			c.path = "/uni/query/payOrder"
		case "/unipay/query/refundOrder":
			c.path = "/uni/query/refundOrder"
		case "/unipay/allocation/start":
			c.path, c.run = "/unipay/allocation", (*Gateway).startAllocationOf206
			c.fields = append([]field{
				unlimited("bizAllocNo").required("商户分账单号不可为空"), unlimited("description"),
				{name: "allocationGroupId", kind: integer},
			}, paymentFields()...)
		case "/unipay/allocation/finish":
			c.path, c.run, c.unregistered = "/unipay/allocationFinish", (*Gateway).finishAllocationOf206, true
			c.fields = []field{unlimited("orderId"), unlimited("allocNo")}
		case "/unipay/pay", "/unipay/close", "/unipay/refund", "/unipay/assist/getWxAuthUrl",
			"/unipay/assist/getWxAccessToken":
		default:
			continue
		}
		list = append(list, c)
	}
	return list
}

// current reports whether the gateway is a 2.0.8.
func (g *Gateway) current() bool { return g.version == daxpay.GatewayV208 }

// is206 and is207 report whether the gateway is that release.
func (g *Gateway) is206() bool { return g.version == daxpay.GatewayV206 }
func (g *Gateway) is207() bool { return g.version == daxpay.GatewayV207 }

// byVersion returns now for 2.0.8, and before for older gateways.
func byVersion[T any](g *Gateway, now, before T) T {
	if g.current() {
		return now
	}
	return before
}

// validationFault makes a complaint of the business: 2.0.8 answers with the code for wrong members, older gateways with
// a refusal.
func (g *Gateway) validationFault(text string) error {
	if g.current() {
		return fault(codeValidation, textValidation+text)
	}
	return refuse(codeUnclassified, text)
}

// Has reports whether the gateway's release has a call with that path.
func (g *Gateway) Has(path string) bool { return g.calls[path] != nil || g.legacy[path] != nil }
