package param

import "github.com/daxpay-go/daxpay/model"

// PaySyncParam makes the gateway compare a payment with its channel: pay sync, 支付同步. One of the two numbers is
// required; if both are set, the gateway uses OrderNo only.
type PaySyncParam struct {
	Common
	// OrderNo is the gateway's number of the payment (支付号), at most 32 characters.
	OrderNo string `json:"orderNo" daxpay:"no,oneof,max=32"`
	// BizOrderNo is the merchant's number of the payment (商户订单号), at most 100 characters.
	BizOrderNo string `json:"bizOrderNo" daxpay:"no,oneof,max=100"`
}

// Call implements Request.
func (*PaySyncParam) Call() Call[model.PaySyncModel] {
	return Call[model.PaySyncModel]{
		Path:    "/unipay/sync/pay",
		Effect:  EffectRepeatable,
		Recover: "send the same pay sync again, it does no harm, and query the payment",
	}
}

// RefundSyncParam makes the gateway compare a refund with its channel: refund sync, 退款同步. One of the two numbers is
// required; if both are set, the gateway uses RefundNo only.
type RefundSyncParam struct {
	Common
	// RefundNo is the gateway's number of the refund (退款号), at most 100 characters.
	RefundNo string `json:"refundNo" daxpay:"no,oneof,max=100"`
	// BizRefundNo is the merchant's number of the refund (商户退款号), at most 100 characters.
	BizRefundNo string `json:"bizRefundNo" daxpay:"no,oneof,max=100"`
}

// Call implements Request.
func (*RefundSyncParam) Call() Call[model.RefundSyncModel] {
	return Call[model.RefundSyncModel]{
		Path:    "/unipay/sync/refund",
		Effect:  EffectRepeatable,
		Recover: "query the refund, and send the same refund sync again later",
	}
}

// AllocSyncParam makes the gateway compare an allocation with its channel: allocation sync, 分账同步. Gateways 2.0.7
// and 2.0.8 find it by AllocNo only, and 2.0.6 does not have the call.
type AllocSyncParam struct {
	Common
	// AllocNo is the gateway's number of the allocation (分账单号), required, at most 32 characters. The answer to the
	// start has it.
	AllocNo string `json:"allocNo" daxpay:"no,required,max=32"`
	// BizAllocNo is the merchant's number of the allocation (商户分账单号), at most 100 characters. The gateway uses it
	// only if AllocNo is missing, and then searches for it among the AllocNos, so it finds nothing.
	BizAllocNo string `json:"bizAllocNo" daxpay:"no,max=100"`
}

// Call implements Request.
func (*AllocSyncParam) Call() Call[model.AllocSyncModel] {
	return Call[model.AllocSyncModel]{
		Path:    "/unipay/sync/allocation",
		Effect:  EffectRepeatable,
		Recover: "send the same allocation sync again, it does no harm, and query the allocation",
	}
}

// PaySyncLegacyParam is the pay sync of gateways up to 2.0.5, which do not sign their answers. One of the two numbers
// is required.
type PaySyncLegacyParam struct {
	Common
	// PaymentID is the gateway's ID of the payment (支付ID), at least 1.
	PaymentID int64 `json:"paymentId" daxpay:"oneof,min=1"`
	// BusinessNo is the merchant's number of the payment (业务号), at most 100 characters.
	BusinessNo string `json:"businessNo" daxpay:"no,oneof,max=100"`
}

// Call implements Request.
func (*PaySyncLegacyParam) Call() Call[model.SyncLegacyModel] {
	return Call[model.SyncLegacyModel]{
		Path:    "/unipay/syncPay",
		Effect:  EffectRepeatable,
		Recover: "send the same pay sync again, it does no harm, and query the payment",
	}
}

// RefundSyncLegacyParam is the refund sync of gateways up to 2.0.5, which do not sign their answers. One of the two
// numbers is required.
type RefundSyncLegacyParam struct {
	Common
	// RefundID is the gateway's ID of the refund (退款ID), at least 1.
	RefundID int64 `json:"refundId" daxpay:"oneof,min=1"`
	// RefundNo is the merchant's number of the refund (退款号), at most 100 characters. From 2.0.6 on, this name means
	// the gateway's number.
	RefundNo string `json:"refundNo" daxpay:"no,oneof,max=100"`
}

// Call implements Request.
func (*RefundSyncLegacyParam) Call() Call[model.SyncLegacyModel] {
	return Call[model.SyncLegacyModel]{
		Path:    "/unipay/syncRefund",
		Effect:  EffectRepeatable,
		Recover: "query the refund, and send the same refund sync again later",
	}
}

// TransferSyncParam makes the gateway compare a transfer with its channel: transfer sync, 转账同步. One of the two
// numbers is required; if both are set, the gateway uses TransferNo only. Gateway 2.0.8 has the call, but does nothing
// and refuses with 10006.
type TransferSyncParam struct {
	Common
	// TransferNo is the gateway's number of the transfer (转账号), at most 32 characters.
	TransferNo string `json:"transferNo" daxpay:"no,oneof,max=32"`
	// BizTransferNo is the merchant's number of the transfer (商户转账号), at most 100 characters.
	BizTransferNo string `json:"bizTransferNo" daxpay:"no,oneof,max=100"`
}

// Call implements Request.
func (*TransferSyncParam) Call() Call[model.TransferSyncModel] {
	return Call[model.TransferSyncModel]{Path: "/unipay/sync/transfer", Effect: EffectReadOnly}
}
