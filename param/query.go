package param

import "github.com/daxpay-go/daxpay/model"

// QueryPayOrderParam queries a payment: 支付订单查询. One of the two numbers is required; if both are set, the gateway
// uses OrderNo only.
type QueryPayOrderParam struct {
	Common
	// OrderNo is the gateway's number of the payment (支付号), at most 32 characters.
	OrderNo string `json:"orderNo" daxpay:"no,oneof,max=32"`
	// BizOrderNo is the merchant's number of the payment (商户订单号), at most 100 characters.
	BizOrderNo string `json:"bizOrderNoeNo" daxpay:"no=bizOrderNo,oneof,max=100"`
}

// Call implements Request.
func (*QueryPayOrderParam) Call() Call[model.PayOrderModel] {
	return Call[model.PayOrderModel]{Path: "/unipay/query/payOrder", Effect: EffectReadOnly}
}

// QueryRefundOrderParam queries a refund: 退款订单查询. One of the two numbers is required; if both are set, the
// gateway uses RefundNo only. Needs gateway 2.0.7: 2.0.6 never answers it.
type QueryRefundOrderParam struct {
	Common
	// RefundNo is the gateway's number of the refund (退款号), at most 100 characters.
	RefundNo string `json:"refundNo" daxpay:"no,oneof,max=100"`
	// BizRefundNo is the merchant's number of the refund (商户退款号), at most 100 characters.
	BizRefundNo string `json:"bizRefundNo" daxpay:"no,oneof,max=100"`
}

// Call implements Request.
func (*QueryRefundOrderParam) Call() Call[model.RefundOrderModel] {
	return Call[model.RefundOrderModel]{Path: "/unipay/query/refundOrder", Effect: EffectReadOnly}
}

// QueryTransferOrderParam queries a transfer: 转账订单查询. One of the two numbers is required; if both are set, the
// gateway uses TransferNo only.
type QueryTransferOrderParam struct {
	Common
	// BizTransferNo is the merchant's number of the transfer (商户转账号), at most 100 characters.
	BizTransferNo string `json:"bizTransferNo" daxpay:"no,oneof,max=100"`
	// TransferNo is the gateway's number of the transfer (转账号), at most 32 characters.
	TransferNo string `json:"transferNo" daxpay:"no,oneof,max=32"`
}

// Call implements Request.
func (*QueryTransferOrderParam) Call() Call[model.TransferOrderModel] {
	return Call[model.TransferOrderModel]{Path: "/unipay/query/transferOrder", Effect: EffectReadOnly}
}

// QueryAllocOrderParam queries an allocation: 分账订单查询. Gateways 2.0.7 and 2.0.8 find it by AllocNo only, and 2.0.6
// does not have the call.
type QueryAllocOrderParam struct {
	Common
	// AllocNo is the gateway's number of the allocation (分账单号), required, at most 32 characters. The answer to the
	// start has it.
	AllocNo string `json:"allocNo" daxpay:"no,required,max=32"`
	// BizAllocNo is the merchant's number of the allocation (商户分账单号), at most 100 characters. The gateway ignores
	// it. If it is set, an answer with another number is daxpay.ErrEcho.
	BizAllocNo string `json:"bizAllocNo" daxpay:"no,max=100"`
}

// Call implements Request.
func (*QueryAllocOrderParam) Call() Call[model.AllocOrderModel] {
	return Call[model.AllocOrderModel]{Path: "/unipay/query/allocationOrder", Effect: EffectReadOnly}
}

// QueryAllocReceiversParam lists receivers of allocations: 分账接收方查询. One of the two fields is required. If both
// are set, both must match.
type QueryAllocReceiversParam struct {
	Common
	// Channel is where the receivers have their accounts (所属通道).
	Channel model.Channel `json:"channel" daxpay:"oneof,max=20"`
	// ReceiverNo is the merchant's number of one receiver (接收方编号), at most 32 characters.
	ReceiverNo string `json:"receiverNo" daxpay:"oneof,max=32"`
}

// Call implements Request.
func (*QueryAllocReceiversParam) Call() Call[model.AllocReceiversModel] {
	return Call[model.AllocReceiversModel]{Path: "/unipay/query/allocationReceiver", Effect: EffectReadOnly}
}
