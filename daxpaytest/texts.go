package daxpaytest

import (
	"errors"
	"strings"
)

// The gateway's codes.
const (
	codeOK            = 0
	businessRefused   = 1
	codeWrongMethod   = 1
	codeSystem        = 10001
	codeUnreadable    = 10005
	codeValidation    = 10006
	codeRepeated      = 10007
	codeOutOfDate     = 10008
	codeNotThere      = 10010
	codeUnclassified  = 20000
	codeNotEnabled    = 20023
	codeUnsupported   = 20030
	codeNoSuchTrade   = 20041
	codeTradeFailed   = 20045
	codeBadSignature  = 20052
	codeOperation     = 20080
	codeUnknownSystem = 30000
	codeNoMethod      = 28106 // 2.0.7
)

// The gateway's texts, to the letter. Those about members of requests are in calls.go.
const (
	textValidation   = "验证参数错误\n"
	textWrongIP      = "IP地址不合法！"
	textTooSmall     = "must be greater than or equal to 1"
	textTooOld       = "请求已过期，请重新发送！"
	textTooEarly     = "请求时间晚于服务器接收到的时间，请检查"
	textBadSignature = "验签失败"
	textOldSignature = "未通过签名验证"
	textNoAlgorithm  = "签名方式错误"
	textCannotSign   = "未获取到签名方式，请检查"
	textNotEnabled   = "该接口权限未开放"
	textNoInterface  = "未找到接口信息"
	textWrongResult  = "支付方法返回类型需要为 ResResult<T extends PaymentCommonResult> 格式"
	textNoParameter  = "支付方法至少有一个参数，并且需要签名支付参数需要放在第一位"
	textSystem       = "系统错误"
	textNullPointer  = "数据错误"
	textNoRight      = "没有对应请求路径的权限"
	textManyFound    = "Expected one result (or null) to be returned by selectOne(), but found multiple records"
	textOutOfDate    = "数据不存在或者已过期"
	textNoAbility    = "不支持的能力"
	textNoAppID      = "appid不能设置为null"
	textUnclassified = "未归类异常，请联系管理人员进行排查"

	textNoPayment      = "支付订单不存在"
	textOldNoPayment   = "未查询到支付订单"
	textNoNumber       = "业务号或支付单ID不能都为空"
	textPaying         = "正在支付中，请勿重复支付"
	textPayTooMuch     = "支付金额超过限额"
	textPayExpired     = "支付已超时，请重新确认支付状态"
	textPayDone        = "已经支付成功，请勿重新支付"
	textPayEnded       = "支付失败或已经被关闭"
	textPayRefunded    = "该订单处于退款状态"
	textNoMethod       = "不存在的支付方式"
	textOldNoMethod    = "不支持的支付方式"
	textNoChannel      = "不存在的支付通道"
	textPayFailed      = "支付失败"
	textConfigError    = "配置错误"
	textNoMinutes      = `Cannot invoke "java.lang.Integer.intValue()" because "minute" is null`
	textClosing        = "支付订单已在关闭中，请勿重复发起"
	textNotClosable    = "订单不是支付中, 无法进行关闭订单"
	textCloseFailed    = "关闭订单失败"
	textCloseSyncFirst = "当前交易无法关闭操作, 请对订单同步状态后再进行操作"
	textOldSyncFirst   = "当前交易状态不支持关闭操作, 请对订单同步状态后再进行操作"
	textCloseReason    = "关闭失败, 原因: "
	textCanceling      = "支付订单已在撤销中，请勿重复发起"
	textNotCancelable  = "订单不是支付中, 无法进行撤销订单"
	textCancelFailed   = "撤销订单失败"

	textSyncing       = "支付同步处理中，请勿重复操作"
	textNoSync        = "支付订单不需要同步"
	textOldNoSync     = "订单没有异步支付方式，不需要同步"
	textRefundSyncing = "退款同步处理中，请勿重复操作"
	textNotRefunded   = "支付宝网关退款未成功"

	textRefunding       = "退款处理中，请勿重复操作"
	textRefundStatus    = "当前支付单订状态[%s]不允许发起退款操作"
	textRefundProgress  = "当前支付单退款状态[%s]不允许发起退款操作"
	textRefundExists    = "退款单号已存在"
	textRefundTooMuch   = "退款金额不能大于支付金额"
	textRefundOnlyFail  = "只有失败状态的才可以重新发起退款"
	textNoRefund        = "退款订单不存在"
	textSyncNoRefund    = "未查询到退款订单"
	textNoRefundNo      = "退款号或商户退款号不能都为空"
	textNoRefundNo207   = "退款号或=商户退款号不能都为空"
	textNoRefundNo206   = "退款号或退款ID不能都为空"
	textTradeFinished   = "交易已完结"
	textNoTransfer      = "转账订单不存在"
	textNoTransferNo    = "转账号或商户转账号不能都为空"
	textAliPayee        = "支付宝不支持该类型收款人"
	textWxPayee         = "微信不支持该类型收款人"
	textNoWxTransfer    = "微信转账暂未实现"
	textNoReceiver      = "该接收方不存在"
	textReceiverExists  = "该接收方已存在"
	textReceiverUsed    = "该接收方已被使用，无法被删除"
	textReceiverBusy    = "分账方处理中，请勿重复操作"
	textReceiverWrong   = "接收方信息校验失败"
	textNoReceiverNo    = "所属通道和接收方编号不可同时为空"
	textAllocating      = "分账发起处理中，请勿重复操作"
	textAllocSyncing    = "分账同步中，请勿重复操作"
	textNoAllocPayment  = "支付单不存在"
	textNotAllocatable  = "该订单不允许分账"
	textAllocated       = "该订单已分账完成"
	textNoRetry         = "分账单状态错误，无法重试"
	textNoFinish        = "分账单状态错误"
	textNoAllocation    = "分账单不存在"
	textFinishNone      = "未查询到分账单信息"
	textReceiverTwice   = "分账接收方编号重复"
	textReceiverUnknown = "分账接收方列表存在重复或无效的数据"
	textReceiverForeign = "分账接收方列表存在非本通道的数据"
	textNoGroup         = "未查询到分账组"
	textNoDefaultGroup  = "未查询到默认分账组"
	textTooLittle       = "分账比例有误或金额太小, 无法进行分账"
	textNoAllocSetting  = "支付宝支付配置未开启分账"
	textNoBindSetting   = "微信支付配置未开启分账" // what Alipay's receivers are told
	textPayNoAlloc      = "未开启分账配置"

	textReadTimedOut = "java.net.SocketTimeoutException: Read timed out"
	textBroken       = "java.io.IOException: Internal Server Error"
)

// channelTexts are the gateway's texts about one channel.
type channelTexts struct {
	disabled, noMethods, methodOff, limit, noLimit, noAllocation string
}

var textsOfChannels = map[string]channelTexts{
	channelAli: {
		"支付宝支付未启用", "支付宝未配置可用的支付方式", "该支付宝支付方式不可用", "支付宝支付金额超过限额",
		noLimitText("alipay.entity.AliPayConfig"), textPayNoAlloc,
	},
	channelWeChat: {
		"微信支付未启用", "未配置微信支付方式", "该微信支付方式不可用", "微信支付金额超限",
		noLimitText("wechat.entity.WeChatPayConfig"), textPayNoAlloc,
	},
	channelUnion: {
		"云闪付支付未启用", "云闪付未配置可用的支付方式", "该云闪付支付方式不可用", "云闪付支付金额超限",
		noLimitText("union.entity.UnionPayConfig"), "云闪付不支持分账",
	},
	channelWallet: {
		"钱包配置未启用", "", "", "钱包支付金额超过限额", noLimitText("wallet.entity.WalletConfig"), "钱包支付不支持分账",
	},
}

func noLimitText(class string) string {
	return `Cannot invoke "java.lang.Integer.intValue()" because the return value of ` +
		`"cn.daxpay.single.service.core.channel.` +
		class + `.getLimitAmount()" is null`
}

// nameOfStatus has the names of payment statuses in the gateway's texts.
var nameOfStatus = map[string]string{
	"progress": "支付中", "success": "成功", "close": "支付关闭", "cancel": "支付撤销", "fail": "失败",
	"refunding": "退款中", "partial_refund": "部分退款", "refunded": "全部退款",
}

// failure is the error of a call.
type failure struct {
	// business: the answer is signed, with data.code 1. Otherwise it is unsigned, with code.
	business bool
	code     int
	text     *string // nil for null
}

func (f *failure) Error() string {
	if f.text == nil {
		return "null"
	}
	return *f.text
}

// refuse makes a failure of the business. The errorCode of some orders becomes code.
func refuse(code int, text string) error { return &failure{true, code, &text} }

// fault makes a failure that is answered unsigned.
func fault(code int, text string) error { return &failure{false, code, &text} }

// silent makes a fault without a text.
func silent() error { return &failure{code: codeSystem} }

func outOfDate() error { return fault(codeOutOfDate, textOutOfDate) }

// textOf returns the gateway's text for an error, nil for null.
func textOf(err error) *string {
	var f *failure
	if errors.As(err, &f) {
		return f.text
	}
	text := err.Error()
	return &text
}

func isBusiness(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.business
}

// column is a column of a table.
type column struct {
	name string
	has  bool // the row has a value for it
}

// noDefault returns the database's error about a row that lacks a required value.
func noDefault(table, mapper, missing string, columns ...column) string {
	var names, marks strings.Builder
	for _, c := range columns {
		if c.has {
			names.WriteString(c.name + ",")
			marks.WriteString("?,")
		}
		names.WriteByte(' ')
		marks.WriteByte(' ')
	}
	cut := func(b *strings.Builder) string { return strings.TrimSuffix(strings.TrimRight(b.String(), " "), ",") }
	class := "cn.daxpay.single.service.core." + mapper
	reason := "Field '" + missing + "' doesn't have a default value"
	return "\n### Error updating database.  Cause: java.sql.SQLException: " + reason +
		"\n### The error may exist in " + strings.ReplaceAll(class, ".", "/") + ".java (best guess)" +
		"\n### The error may involve " + class + ".insert-Inline" +
		"\n### The error occurred while setting parameters" +
		"\n### SQL: INSERT INTO " + table + "  ( " + cut(&names) + " )  VALUES (  " + cut(&marks) + "  )" +
		"\n### Cause: java.sql.SQLException: " + reason +
		"\n; " + reason + "; nested exception is java.sql.SQLException: " + reason
}

// tooLong returns the database's error about a text that is too long for a column, in a batch of rows.
func tooLong(statement, column string) string {
	reason := "Data truncation: Data too long for column '" + column + "' at row 1"
	return "cn.daxpay.single.service.core.order.allocation.dao." + statement + " (batch index #1) failed. Cause: " +
		"java.sql.BatchUpdateException: " + reason + "\n; " + reason +
		"; nested exception is java.sql.BatchUpdateException: " + reason
}
