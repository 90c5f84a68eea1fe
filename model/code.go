package model

// Channel is a payment channel (支付通道).
type Channel string

// The channels.
const (
	ChannelAli    Channel = "ali_pay"    // 支付宝
	ChannelWeChat Channel = "wechat_pay" // 微信支付
	ChannelUnion  Channel = "union_pay"  // 云闪付
	ChannelWallet Channel = "wallet_pay" // 钱包
)

// ChannelOfAuthCode returns the channel that issued a bar code (付款码), by its first two digits: 10 to 15 are
// WeChat's, 25 to 30 Alipay's, and 62 is UnionPay's. It returns "" for any other code, and for one that has other
// characters than digits.
func ChannelOfAuthCode(code string) Channel {
	if len(code) < 2 || !isDigits(code) {
		return ""
	}
	switch prefix := code[:2]; {
	case "10" <= prefix && prefix <= "15":
		return ChannelWeChat
	case "25" <= prefix && prefix <= "30":
		return ChannelAli
	case prefix == "62":
		return ChannelUnion
	}
	return ""
}

// Method is a way to pay (支付方式).
type Method string

// The methods. The interface documents list qr_code and bar_code, but the gateway knows qrcode and barcode.
const (
	MethodNormal  Method = "normal"  // 常规支付
	MethodWap     Method = "wap"     // wap支付
	MethodApp     Method = "app"     // 应用支付
	MethodWeb     Method = "web"     // web支付
	MethodQRCode  Method = "qrcode"  // 扫码支付
	MethodBarCode Method = "barcode" // 付款码
	MethodJSAPI   Method = "jsapi"   // 公众号/小程序支付
)

// PayStatus is the status of a payment (支付状态).
type PayStatus string

// The states of a payment.
const (
	PayProgress      PayStatus = "progress"       // 支付中
	PaySuccess       PayStatus = "success"        // 成功
	PayClose         PayStatus = "close"          // 支付关闭
	PayCancel        PayStatus = "cancel"         // 支付撤销, from 2.0.8 on
	PayRefunding     PayStatus = "refunding"      // 退款中
	PayPartialRefund PayStatus = "partial_refund" // 部分退款
	PayRefunded      PayStatus = "refunded"       // 全部退款
	PayFail          PayStatus = "fail"           // 失败
)

// PaySyncStatus is the result of a pay sync (支付同步状态).
type PaySyncStatus string

// The results of a pay sync.
const (
	PaySyncFail            PaySyncStatus = "pay_fail"              // 支付失败
	PaySyncSuccess         PaySyncStatus = "pay_success"           // 支付成功
	PaySyncProgress        PaySyncStatus = "pay_progress"          // 支付中
	PaySyncClosed          PaySyncStatus = "pay_closed"            // 支付关闭
	PaySyncRefund          PaySyncStatus = "pay_refund"            // 支付退款
	PaySyncNotFound        PaySyncStatus = "pay_not_found"         // 交易不存在
	PaySyncNotFoundUnknown PaySyncStatus = "pay_not_found_unknown" // 交易不存在, usual before the user acts
	PaySyncTimeout         PaySyncStatus = "pay_timeout"           // 支付超时
)

// RefundStatus is the status of a refund (退款状态).
type RefundStatus string

// The states of a refund.
const (
	RefundProgress RefundStatus = "progress" // 退款中
	RefundSuccess  RefundStatus = "success"  // 退款成功
	RefundClose    RefundStatus = "close"    // 关闭
	RefundFail     RefundStatus = "fail"     // 退款失败
)

// RefundSyncStatus is the result of a refund sync (退款同步状态).
type RefundSyncStatus string

// The results of a refund sync.
const (
	RefundSyncSuccess  RefundSyncStatus = "refund_success"  // 退款成功
	RefundSyncFail     RefundSyncStatus = "refund_fail"     // 退款失败
	RefundSyncProgress RefundSyncStatus = "refund_progress" // 退款中
	RefundSyncNotFound RefundSyncStatus = "pay_not_found"   // 交易不存在; the gateway uses this value for refunds too
)

// OrderRefundStatus says how much of a payment was given back (支付订单的退款状态).
type OrderRefundStatus string

// The refund states of a payment.
const (
	OrderRefundNone    OrderRefundStatus = "no_refund"      // 未退款
	OrderRefunding     OrderRefundStatus = "refunding"      // 退款中
	OrderRefundPartial OrderRefundStatus = "partial_refund" // 部分退款
	OrderRefundAll     OrderRefundStatus = "refunded"       // 全部退款
)

// OrderAllocStatus says whether a payment was allocated (支付订单的分账状态).
type OrderAllocStatus string

// The allocation states of a payment.
const (
	OrderAllocWaiting OrderAllocStatus = "waiting"    // 待分账
	OrderAllocDone    OrderAllocStatus = "allocation" // 已分账
)

// AllocStatus is the status of an allocation (分账状态).
type AllocStatus string

// The states of an allocation.
const (
	AllocProcessing   AllocStatus = "allocation_processing" // 分账处理中
	AllocEnd          AllocStatus = "allocation_end"        // 分账处理完成
	AllocFailed       AllocStatus = "allocation_failed"     // 分账失败
	AllocFinish       AllocStatus = "finish"                // 已完结
	AllocFinishFailed AllocStatus = "finish_failed"         // 完结失败
	AllocIgnore       AllocStatus = "ignore"                // 忽略
)

// AllocResult says how the shares of an allocation went as a whole (分账结果).
type AllocResult string

// The results of an allocation.
const (
	AllocAllPending  AllocResult = "all_pending"  // 全部处理中
	AllocAllSuccess  AllocResult = "all_success"  // 全部成功
	AllocPartSuccess AllocResult = "part_success" // 部分成功
	AllocAllFailed   AllocResult = "all_failed"   // 全部失败
)

// AllocDetailResult says how the share of one receiver went (分账明细结果).
type AllocDetailResult string

// The results of a share.
const (
	AllocDetailPending AllocDetailResult = "pending" // 待分账
	AllocDetailSuccess AllocDetailResult = "success" // 分账成功
	AllocDetailFail    AllocDetailResult = "fail"    // 分账失败
	AllocDetailIgnore  AllocDetailResult = "ignore"  // 金额为0, 不进行分账
)

// ReceiverType is the kind of account that receives an allocation (分账接收方类型).
type ReceiverType string

// The kinds of receivers.
const (
	ReceiverWxPersonal   ReceiverType = "wx_personal"    // 微信个人
	ReceiverWxMerchant   ReceiverType = "wx_merchant"    // 微信商户
	ReceiverAliUserID    ReceiverType = "ali_user_id"    // 支付宝 userId
	ReceiverAliOpenID    ReceiverType = "ali_open_id"    // 支付宝 openId
	ReceiverAliLoginName ReceiverType = "ali_login_name" // 支付宝账号
)

// RelationType is the relation of a receiver to the merchant (分账关系类型).
type RelationType string

// The relations.
const (
	RelationServiceProvider RelationType = "SERVICE_PROVIDER" // 服务商
	RelationStore           RelationType = "STORE"            // 门店
	RelationStaff           RelationType = "STAFF"            // 员工
	RelationStoreOwner      RelationType = "STORE_OWNER"      // 店主
	RelationPartner         RelationType = "PARTNER"          // 合作伙伴
	RelationHeadquarter     RelationType = "HEADQUARTER"      // 总部
	RelationBrand           RelationType = "BRAND"            // 品牌方
	RelationDistributor     RelationType = "DISTRIBUTOR"      // 分销商
	RelationUser            RelationType = "USER"             // 用户
	RelationSupplier        RelationType = "SUPPLIER"         // 供应商
	RelationCustom          RelationType = "CUSTOM"           // 自定义
)

// PayeeType is the kind of account that receives a transfer (收款人类型).
type PayeeType string

// The kinds of payees.
const (
	PayeeWxPersonal   PayeeType = "wx_personal"    // 微信个人
	PayeeAliUserID    PayeeType = "ali_user_id"    // 支付宝 userId
	PayeeAliOpenID    PayeeType = "ali_open_id"    // 支付宝 openId
	PayeeAliLoginName PayeeType = "ali_login_name" // 支付宝账号
)

// TransferStatus is the status of a transfer (转账状态).
type TransferStatus string

// The states of a transfer.
const (
	TransferTransferring TransferStatus = "transferring" // 转账中
	TransferSuccess      TransferStatus = "success"      // 转账成功
	TransferFail         TransferStatus = "fail"         // 转账失败
)

// TransferType is the purpose of a transfer (转账类型).
type TransferType string

// The purposes of a transfer.
const (
	TransferToUser     TransferType = "user"     // 用户
	TransferToEmployee TransferType = "employee" // 员工
	TransferToPartner  TransferType = "partner"  // 合作伙伴
	TransferToOther    TransferType = "other"    // 其他
)
