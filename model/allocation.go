package model

// AllocModel is the answer to the start or the finish of an allocation, 分账.
type AllocModel struct {
	Common
	// AllocNo is the gateway's number of the allocation (分账单号), never empty.
	AllocNo string `json:"allocNo" daxpay:"proof"`
	// BizAllocNo is the merchant's number of the allocation (商户分账单号).
	BizAllocNo string `json:"bizAllocNo"`
	// Status is the state of the allocation (分账状态), never empty.
	Status AllocStatus `json:"status" daxpay:"proof"`
	// OrderID is the database ID of the allocation (分账订单ID). Only gateway 2.0.6 sends it, in the answer to a start,
	// for param.AllocFinishParam; else it is 0.
	OrderID int64 `json:"orderId,omitempty"`
}

// AllocOrderModel is the answer to the query of an allocation, 分账订单查询.
type AllocOrderModel struct {
	Common
	// AllocNo is the gateway's number of the allocation (分账单号), never empty.
	AllocNo string `json:"allocNo" daxpay:"proof"`
	// BizAllocNo is the merchant's number of the allocation (商户分账单号).
	BizAllocNo string `json:"bizAllocNo"`
	// OutAllocNo is the channel's number of the allocation (通道分账号).
	OutAllocNo string `json:"outAllocNo"`
	// OrderNo is the gateway's number of the payment (支付号).
	OrderNo string `json:"orderNo"`
	// BizOrderNo is the merchant's number of the payment (商户订单号).
	BizOrderNo string `json:"bizOrderNo"`
	// OutOrderNo is the channel's number of the payment (通道支付号).
	OutOrderNo string `json:"outOrderNo"`
	// Title is the title of the payment (支付标题).
	Title string `json:"title" daxpay:"text"`
	// Channel is the channel of the payment (支付通道).
	Channel Channel `json:"channel"`
	// Amount is the sum of all shares (总分账金额), in fen.
	Amount int64 `json:"amount"`
	// Description is the merchant's remark (分账描述).
	Description string `json:"description" daxpay:"text"`
	// Status is the state of the allocation (分账状态), never empty.
	Status AllocStatus `json:"status" daxpay:"proof"`
	// Result sums up how the shares went (分账结果).
	Result AllocResult `json:"result"`
	// ErrorCode (错误码) and ErrorMsg (错误原因) describe the last error that ever occurred: they stay after a later
	// success. Up to 2.0.7 the code is the channel's, in 2.0.8 the gateway's. Both are empty if there was none.
	ErrorCode string `json:"errorCode"`
	ErrorMsg  string `json:"errorMsg" daxpay:"text"`
	// FinishTime is when FinishAlloc finished the allocation (分账完结时间).
	FinishTime Time `json:"finishTime"`
	// Details are the shares (分账明细).
	Details []AllocDetail `json:"details"`
}

// AllocDetail is the share of one receiver, 分账明细.
type AllocDetail struct {
	// ReceiverNo is the merchant's number of the receiver (分账接收方编号).
	ReceiverNo string `json:"receiverNo"`
	// Amount is the share (分账金额), in fen.
	Amount int64 `json:"amount"`
	// Rate is the share in 1/10000 of the payment (分账比例). Notices do not have it.
	Rate int64 `json:"rate"`
	// ReceiverType (接收方类型), ReceiverAccount (接收方账号) and ReceiverName (接收方姓名) identify the receiver.
	ReceiverType    ReceiverType `json:"receiverType"`
	ReceiverAccount string       `json:"receiverAccount"`
	ReceiverName    string       `json:"receiverName" daxpay:"text"`
	// Result is how the share went (分账结果).
	Result AllocDetailResult `json:"result"`
	// ErrorCode (错误码) and ErrorMsg (错误原因) describe the last error that ever occurred: they stay after a later
	// success. Up to 2.0.7 the code is the channel's, in 2.0.8 the gateway's. Both are empty if there was none.
	ErrorCode string `json:"errorCode"`
	ErrorMsg  string `json:"errorMsg" daxpay:"text"`
	// FinishTime is when the share ended (分账完结时间).
	FinishTime Time `json:"finishTime"`
}

// AllocReceiverAddModel is the answer to the addition of a receiver, 分账接收方添加.
type AllocReceiverAddModel struct{ Common }

// AllocReceiverRemoveModel is the answer to the removal of a receiver, 分账接收方删除.
type AllocReceiverRemoveModel struct{ Common }

// AllocReceiversModel is the answer to the query of receivers, 分账接收方查询.
type AllocReceiversModel struct {
	Common
	// Receivers lists the receivers that match (分账接收方列表), empty if none does.
	Receivers []AllocReceiver `json:"receivers"`
}

// AllocReceiver is a receiver of allocations, 分账接收方.
type AllocReceiver struct {
	// ReceiverNo is the merchant's number of the receiver (接收方编号).
	ReceiverNo string `json:"receiverNo"`
	// Channel is where the receiver has the account (所属通道).
	Channel Channel `json:"channel"`
	// ReceiverType (接收方类型), ReceiverAccount (接收方账号) and ReceiverName (接收方姓名) identify the receiver.
	ReceiverType    ReceiverType `json:"receiverType"`
	ReceiverAccount string       `json:"receiverAccount"`
	ReceiverName    string       `json:"receiverName" daxpay:"text"`
	// RelationType (分账关系类型) and RelationName (关系名称) describe the receiver's relation to the merchant.
	RelationType RelationType `json:"relationType"`
	RelationName string       `json:"relationName" daxpay:"text"`
}
