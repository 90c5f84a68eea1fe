package model

// PaySyncModel is the answer to a pay sync, 支付同步.
type PaySyncModel struct {
	Common
	// OrderNo is the gateway's number of the payment (支付号), if the gateway sends it; 2.0.8 does not.
	OrderNo string `json:"orderNo"`
	// BizOrderNo is the merchant's number of the payment (商户订单号), if the gateway sends it; 2.0.8 does not.
	BizOrderNo string `json:"bizOrderNo"`
	// Status is what the channel says of the payment (支付同步状态), never empty.
	Status PaySyncStatus `json:"status" daxpay:"proof"`
}

// RefundSyncModel is the answer to a refund sync, 退款同步.
type RefundSyncModel struct {
	Common
	// RefundNo is the gateway's number of the refund (退款号), if the gateway sends it; 2.0.8 does not.
	RefundNo string `json:"refundNo"`
	// BizRefundNo is the merchant's number of the refund (商户退款号), if the gateway sends it; 2.0.8 does not.
	BizRefundNo string `json:"bizRefundNo"`
	// Status is what the channel says of the refund (退款同步状态), never empty.
	Status RefundSyncStatus `json:"status" daxpay:"proof"`
}

// AllocSyncModel is the answer to an allocation sync, 分账同步. It proves that the sync was done; query the allocation
// for the result.
type AllocSyncModel struct {
	Common
	// AllocNo is the gateway's number of the allocation (分账单号), if the gateway sends it; 2.0.8 does not.
	AllocNo string `json:"allocNo"`
	// BizAllocNo is the merchant's number of the allocation (商户分账单号), if the gateway sends it; 2.0.8 does not.
	BizAllocNo string `json:"bizAllocNo"`
}

// SyncLegacyModel is the answer to the syncs of gateways up to 2.0.5. Nothing in it is verified, because those gateways
// do not sign their answers.
type SyncLegacyModel struct {
	// GatewayStatus is the status at the channel (网关状态).
	GatewayStatus string `json:"gatewayStatus"`
	// Success reports whether the sync itself worked (是否成功), if the gateway says so.
	Success bool `json:"success"`
	// Repair reports whether the order was changed to agree with the channel (是否进行修复).
	Repair bool `json:"repair"`
	// RepairOrderNo is the number of that repair (修复单号), empty if there was none.
	RepairOrderNo string `json:"repairOrderNo"`
	// ErrorMsg is the reason of a failure (错误信息).
	ErrorMsg string `json:"errorMsg" daxpay:"text"`
}
