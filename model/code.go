package model

// PaySyncStatus is what a pay sync found out about a payment (支付同步状态).
type PaySyncStatus string

// What a pay sync finds out.
const (
	PaySyncFail            PaySyncStatus = "pay_fail"              // 支付失败
	PaySyncSuccess         PaySyncStatus = "pay_success"           // 支付成功
	PaySyncProgress        PaySyncStatus = "pay_progress"          // 支付中
	PaySyncClosed          PaySyncStatus = "pay_closed"            // 支付关闭
	PaySyncRefund          PaySyncStatus = "pay_refund"            // 支付退款
	PaySyncNotFound        PaySyncStatus = "pay_not_found"         // 交易不存在
	PaySyncNotFoundUnknown PaySyncStatus = "pay_not_found_unknown" // 交易不存在, at a channel that does not know an order before the user acts
	PaySyncTimeout         PaySyncStatus = "pay_timeout"           // 支付超时
)

// RefundSyncStatus is what a refund sync found out about a refund (退款同步状态).
type RefundSyncStatus string

// What a refund sync finds out.
const (
	RefundSyncSuccess  RefundSyncStatus = "refund_success"  // 退款成功
	RefundSyncFail     RefundSyncStatus = "refund_fail"     // 退款失败
	RefundSyncProgress RefundSyncStatus = "refund_progress" // 退款中
	RefundSyncNotFound RefundSyncStatus = "pay_not_found"   // 交易不存在; the gateway does use this value for refunds
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
