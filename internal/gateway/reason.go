package gateway

import "strings"

// Reason is why the gateway refused. Package daxpay exports and documents the reasons.
type Reason string

// The reasons.
const (
	Unknown            Reason = ""
	NoSuchOrder        Reason = "no_such_order"
	NoSuchReceiver     Reason = "no_such_receiver"
	AlreadyPaid        Reason = "already_paid"
	Refunded           Reason = "refunded"
	OrderEnded         Reason = "order_ended"
	NotPaid            Reason = "not_paid"
	NotInProgress      Reason = "not_in_progress"
	SyncFirst          Reason = "sync_first"
	AmountTooLarge     Reason = "amount_too_large"
	RefundInProgress   Reason = "refund_in_progress"
	NotRefunded        Reason = "not_refunded"
	AlreadyExists      Reason = "already_exists"
	WrongState         Reason = "wrong_state"
	NotAllocatable     Reason = "not_allocatable"
	Locked             Reason = "locked"
	Changed            Reason = "changed"
	ChannelUnavailable Reason = "channel_unavailable"
	NotConfigured      Reason = "not_configured"
	NotSupported       Reason = "not_supported"
	NotPermitted       Reason = "not_permitted"
	Signature          Reason = "signature"
	Time               Reason = "time"
	InvalidParam       Reason = "invalid_param"
	CannotSign         Reason = "cannot_sign"
	Several            Reason = "several_orders"
	Failed             Reason = "failed"
)

// The texts that decide what an unsigned refusal proves.
const (
	textOldSignature = "未通过签名验证"
	textNoAlgorithm  = "签名方式错误"
	textCallOff      = "该接口权限未开放"
)

// rows lists the texts of the gateways' refusals, to the letter, with their meaning. It covers all calls and versions,
// signed and unsigned. A test compares it with recordings of real gateways. Texts of CodeValidation are listed without
// their first line, "验证参数错误".
var rows = []struct {
	reason Reason
	text   string
}{
	{NoSuchOrder, "支付订单不存在"},
	{NoSuchOrder, "支付单不存在"},
	{NoSuchOrder, "未查询到支付订单"},
	{NoSuchOrder, "退款订单不存在"},
	{NoSuchOrder, "未查询到退款订单"},
	{NoSuchOrder, "转账订单不存在"},
	{NoSuchOrder, "分账单不存在"},
	{NoSuchOrder, "未查询到分账单信息"},

	{AlreadyPaid, "已经支付成功，请勿重新支付"},
	{Refunded, "该订单处于退款状态"},
	{OrderEnded, "支付失败或已经被关闭"},
	{OrderEnded, "支付已超时，请重新确认支付状态"},
	{Locked, "正在支付中，请勿重复支付"},
	{AmountTooLarge, "支付金额超过限额"},
	{AmountTooLarge, "支付宝支付金额超过限额"},
	{AmountTooLarge, "微信支付金额超限"},
	{AmountTooLarge, "云闪付支付金额超限"},
	{AmountTooLarge, "钱包支付金额超过限额"},
	{Failed, "支付失败"},
	{Failed, "支付宝手机支付失败"},
	{Failed, "主动扫码支付失败"},
	{NotInProgress, "订单不是支付中, 无法进行关闭订单"},
	{NotInProgress, "订单不是支付中, 无法进行撤销订单"},
	{Failed, "关闭订单失败"},
	{Failed, "撤销订单失败"},
	{Locked, "支付订单已在关闭中，请勿重复发起"},
	{Locked, "支付订单已在撤销中，请勿重复发起"},
	{Locked, "支付同步处理中，请勿重复操作"},
	{NotSupported, "支付订单不需要同步"},
	{NotSupported, "订单没有异步支付方式，不需要同步"},
	{SyncFirst, "当前交易无法关闭操作, 请对订单同步状态后再进行操作"},
	{SyncFirst, "当前交易状态不支持关闭操作, 请对订单同步状态后再进行操作"},

	{NotPaid, "当前支付单订状态[支付中]不允许发起退款操作"},
	{OrderEnded, "当前支付单订状态[支付关闭]不允许发起退款操作"},
	{OrderEnded, "当前支付单订状态[支付撤销]不允许发起退款操作"},
	{OrderEnded, "当前支付单订状态[失败]不允许发起退款操作"},
	{RefundInProgress, "当前支付单订状态[退款中]不允许发起退款操作"},
	{Refunded, "当前支付单订状态[全部退款]不允许发起退款操作"},
	{RefundInProgress, "当前支付单退款状态[退款中]不允许发起退款操作"},
	{Refunded, "当前支付单退款状态[全部退款]不允许发起退款操作"},
	{AmountTooLarge, "退款金额不能大于支付金额"},
	{AlreadyExists, "退款单号已存在"},
	{AlreadyExists, "只有失败状态的才可以重新发起退款"},
	{Locked, "退款处理中，请勿重复操作"},
	{Locked, "退款同步处理中，请勿重复操作"},
	{NotRefunded, "支付宝网关退款未成功"},

	{AlreadyExists, "该订单已分账完成"},
	{WrongState, "分账单状态错误，无法重试"},
	{WrongState, "分账单状态错误"},
	{Locked, "分账发起处理中，请勿重复操作"},
	{Locked, "分账同步中，请勿重复操作"},
	{NotAllocatable, "该订单不允许分账"},
	{NotConfigured, "未查询到默认分账组"},
	{NotConfigured, "未查询到分账组"},
	{InvalidParam, "分账接收方编号重复"},
	{InvalidParam, "分账接收方列表存在重复或无效的数据"},
	{InvalidParam, "分账接收方列表存在非本通道的数据"},
	{InvalidParam, "分账比例有误或金额太小, 无法进行分账"},
	{NoSuchReceiver, "该接收方不存在"},
	{AlreadyExists, "该接收方已存在"},
	{Locked, "分账方处理中，请勿重复操作"},
	{WrongState, "该接收方已被使用，无法被删除"},
	{InvalidParam, "接收方信息校验失败"},

	{ChannelUnavailable, "支付宝支付未启用"},
	{ChannelUnavailable, "微信支付未启用"},
	{ChannelUnavailable, "云闪付支付未启用"},
	{ChannelUnavailable, "钱包配置未启用"},
	{ChannelUnavailable, "该支付宝支付方式不可用"},
	{ChannelUnavailable, "该微信支付方式不可用"},
	{ChannelUnavailable, "该云闪付支付方式不可用"},
	{ChannelUnavailable, "不存在的支付方式"},
	{ChannelUnavailable, "不存在的支付通道"},
	{NotSupported, "不支持的能力"},
	{NotSupported, "不支持的支付方式"},
	{NotSupported, "云闪付不支持分账"},
	{NotSupported, "钱包支付不支持分账"},
	{NotSupported, "微信转账暂未实现"},
	{NotConfigured, "支付宝未配置可用的支付方式"},
	{NotConfigured, "未配置微信支付方式"},
	{NotConfigured, "云闪付未配置可用的支付方式"},
	{NotConfigured, "未开启分账配置"},
	{NotConfigured, "支付宝支付配置未开启分账"},
	{NotConfigured, "微信支付配置未开启分账"},
	{NotConfigured, "appid不能设置为null"},
	{NotConfigured, noMinutes},
	{NotConfigured, noLimit("alipay.entity.AliPayConfig")},
	{NotConfigured, noLimit("wechat.entity.WeChatPayConfig")},
	{NotConfigured, noLimit("union.entity.UnionPayConfig")},
	{NotConfigured, noLimit("wallet.entity.WalletConfig")},

	{InvalidParam, "业务号或支付单ID不能都为空"},
	{InvalidParam, "退款号或商户退款号不能都为空"},
	{InvalidParam, "退款号或=商户退款号不能都为空"},
	{InvalidParam, "退款号或退款ID不能都为空"},
	{InvalidParam, "转账号或商户转账号不能都为空"},
	{InvalidParam, "所属通道和接收方编号不可同时为空"},

	{Signature, textOldSignature},
	{Signature, textNoAlgorithm},
	{Signature, "验签失败"},
	{Time, "请求已过期，请重新发送！"},
	{Time, "请求时间晚于服务器接收到的时间，请检查"},
	{NotPermitted, textCallOff},
	{NotPermitted, "没有对应请求路径的权限"},
	{NotPermitted, "未找到接口信息"},
	{CannotSign, "未获取到签名方式，请检查"},
	{CannotSign, "支付方法返回类型需要为 ResResult<T extends PaymentCommonResult> 格式"},
	{Changed, "数据不存在或者已过期"},
	{Failed, "系统错误"},
	{Several, "Expected one result (or null) to be returned by selectOne(), but found multiple records"},
}

var reasons = func() map[string]Reason {
	table := make(map[string]Reason, len(rows))
	for _, row := range rows {
		table[row.text] = row.reason
	}
	return table
}()

const noMinutes = `Cannot invoke "java.lang.Integer.intValue()" because "minute" is null`

// noLimit is the text for a channel without a highest amount.
func noLimit(class string) string {
	return `Cannot invoke "java.lang.Integer.intValue()" because the return value of ` +
		`"cn.daxpay.single.service.core.channel.` + class + `.getLimitAmount()" is null`
}

// codes lists the codes that have one reason, whatever the text. Other codes, such as 10010, can have several.
var codes = map[int]Reason{
	CodeSystemError:   Failed,
	CodeUnreadable:    InvalidParam,
	CodeValidation:    InvalidParam,
	CodeRepeated:      Locked,
	CodeChanged:       Changed,
	CodeCallOff:       NotPermitted,
	CodeCallUnknown:   NotPermitted,
	CodePayValidation: InvalidParam,
	CodeSignature:     Signature,
}

// validation is the first line of the texts of CodeValidation.
const validation = "验证参数错误"

// ReasonOf returns the reason for a code and a text.
func ReasonOf(code int, text string) Reason {
	if rest, ok := strings.CutPrefix(text, validation); ok {
		text = strings.TrimSpace(rest)
	}
	if reason, ok := reasons[text]; ok {
		return reason
	}
	if code == CodeUnreadable && strings.Contains(text, unwritable) {
		return Failed
	}
	return codes[code]
}

// Texts returns the table, for tests.
func Texts() map[string]Reason { return reasons }
