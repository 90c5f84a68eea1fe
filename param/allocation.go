package param

import "github.com/daxpay-go/daxpay/model"

// AllocFinishParam ends an allocation and releases what was not given away: allocation finish, 分账完结. One of the
// numbers is required. If both AllocNo and BizAllocNo are set, the gateway uses AllocNo only.
type AllocFinishParam struct {
	Common
	// AllocNo is the gateway's number of the allocation (分账单号), at most 32 characters.
	AllocNo string `json:"allocNo" daxpay:"no,oneof,max=32"`
	// BizAllocNo is the merchant's number of the allocation (商户分账单号), at most 100 characters.
	// Gateway 2.0.6 does not know it.
	BizAllocNo string `json:"bizAllocNo" daxpay:"no,oneof,max=100"`
	// OrderID is model.AllocModel.OrderID in the answer to the start (分账订单ID), at least 1. Only gateway 2.0.6 knows
	// it, and uses it in preference to AllocNo.
	OrderID int64 `json:"orderId" daxpay:"oneof,min=1"`
}

// Call implements Request.
func (*AllocFinishParam) Call() Call[model.AllocModel] {
	return Call[model.AllocModel]{
		Path:     "/unipay/allocation/finish",
		Proof:    allocFinishProof,
		Refusals: Refusals{Harmless: true, EarlierSend: allocFinishTraces},
		Recover:  "query the allocation by its AllocNo: its status is finish if it ran; else it may be sent again",
	}
}

// AllocStartParam shares a payment among receivers: allocation start, 分账. One of the two numbers of the payment is
// required; if both are set, the gateway uses OrderNo only. The receivers are those in Receivers, else those of the
// group GroupNo, else those of the default group. Keep the AllocNo of the answer: the allocation can be queried and
// synced by that number only. The limits are those of gateway 2.0.8. Gateways 2.0.7 and 2.0.6 store up to 255
// characters of every text.
type AllocStartParam struct {
	Common
	// BizAllocNo is the merchant's number of the allocation (商户分账单号), required, at most 100 characters.
	BizAllocNo string `json:"bizAllocNo" daxpay:"no,required,max=100"`
	// OrderNo is the gateway's number of the payment (支付号), at most 32 characters.
	OrderNo string `json:"orderNo" daxpay:"no,oneof,max=32"`
	// BizOrderNo is the merchant's number of the payment (商户订单号), at most 100 characters.
	BizOrderNo string `json:"bizOrderNo" daxpay:"no,oneof,max=100"`
	// Description is a remark (分账描述), at most 150 characters.
	Description string `json:"description" daxpay:"text,max=150"`
	// GroupNo is the group of receivers (分账组编号), at most 20 characters. Gateway 2.0.6 does not know it.
	GroupNo string `json:"groupNo" daxpay:"max=20"`
	// GroupID is the database ID of the group of receivers (分账组ID), at least 1. Only gateway 2.0.6 knows it.
	GroupID int64 `json:"allocationGroupId" daxpay:"min=1"`
	// Receivers lists the shares (分账接收方列表). Gateway 2.0.6 does not know it.
	Receivers []AllocReceiver `json:"receivers"`
	// NotifyURL is where the notice goes (异步通知地址), an absolute http or https URL of at most 150 characters:
	// gateway 2.0.8 accepts 200, but cannot store more than 150, and then sends no notice. Empty: 2.0.8 sends no
	// notice, and older gateways send it to the URL in their console, by default a server of the vendor. Gateway 2.0.6
	// does not know it.
	NotifyURL string `json:"notifyUrl" daxpay:"url,max=150"`
	// NotNotify asks for no notice of this allocation (不进行通知). Only gateway 2.0.7 knows it. It is sent as
	// notNotify false, because that gateway suppresses the notice only for false.
	NotNotify bool `json:"notNotify" daxpay:"inverted"`
	// Attach is returned unchanged in notices (商户扩展参数), at most 500 characters. Gateway 2.0.6 does not know it.
	Attach string `json:"attach" daxpay:"text,max=500"`
}

// AllocReceiver is the share of one receiver.
type AllocReceiver struct {
	// ReceiverNo is the merchant's number of the receiver (分账接收方编号), required, at most 20 characters: the
	// gateway accepts 32, as when a receiver is added, but can store only 20 in an allocation.
	ReceiverNo string `json:"receiverNo" daxpay:"required,max=20"`
	// Amount is the share (分账金额) in fen, required, from 1 to 2147483647.
	Amount int64 `json:"amount" daxpay:"required,min=1,max=2147483647"`
}

// Call implements Request.
func (*AllocStartParam) Call() Call[model.AllocModel] {
	return Call[model.AllocModel]{
		Path:     "/unipay/allocation/start",
		Proof:    allocationProof,
		Refusals: Refusals{Harmless: true, EarlierSend: allocationTraces},
		Recover: "sync and query the allocation by its AllocNo; if you do not have that, send it again after 10 seconds, " +
			"only ever with the same BizAllocNo",
	}
}

// AllocReceiverAddParam adds a receiver of allocations: 分账接收方添加.
type AllocReceiverAddParam struct {
	Common
	// ReceiverNo is the merchant's number of the receiver (接收方编号), required, at most 32 characters. In
	// AllocStartParam.Receivers it can be named only if it has at most 20.
	ReceiverNo string `json:"receiverNo" daxpay:"required,listed,max=32"`
	// Channel is where the receiver has the account (所属通道), required.
	Channel model.Channel `json:"channel" daxpay:"required,max=20"`
	// ReceiverType is the kind of the account (接收方类型), required.
	ReceiverType model.ReceiverType `json:"receiverType" daxpay:"required,max=20"`
	// ReceiverAccount is the account (接收方账号), required, at most 100 characters.
	ReceiverAccount string `json:"receiverAccount" daxpay:"required,listed,max=100"`
	// ReceiverName is the receiver's name (接收方姓名), at most 100 characters.
	ReceiverName string `json:"receiverName" daxpay:"text,listed,max=100"`
	// RelationType is the receiver's relation to the merchant (分账关系类型), required.
	RelationType model.RelationType `json:"relationType" daxpay:"required,max=20"`
	// RelationName describes the relation, for model.RelationCustom (关系名称), at most 50 characters.
	RelationName string `json:"relationName" daxpay:"text,listed,max=50"`
}

// Call implements Request.
func (*AllocReceiverAddParam) Call() Call[model.AllocReceiverAddModel] {
	return Call[model.AllocReceiverAddModel]{
		Path:     "/unipay/allocation/receiver/add",
		Refusals: Refusals{Harmless: true, EarlierSend: receiverAddTraces},
		Recover:  "query the receivers: it is there if it ran; else send it again, the channel may have it already",
	}
}

// AllocReceiverRemoveParam removes a receiver of allocations: 分账接收方删除.
type AllocReceiverRemoveParam struct {
	Common
	// ReceiverNo is the merchant's number of the receiver (接收方编号), required, at most 32 characters.
	ReceiverNo string `json:"receiverNo" daxpay:"required,max=32"`
}

// Call implements Request.
func (*AllocReceiverRemoveParam) Call() Call[model.AllocReceiverRemoveModel] {
	return Call[model.AllocReceiverRemoveModel]{
		Path:     "/unipay/allocation/receiver/remove",
		Refusals: Refusals{Harmless: true, EarlierSend: receiverRemoveTraces},
		Recover:  "query the receivers: it is gone if it ran; else send it again",
	}
}
