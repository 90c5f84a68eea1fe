package model

// RefundModel is the answer to a refund, 退款. While another call holds the refund's lock, the gateway answers with the
// merchant's number in place of its own; such an answer proves nothing and becomes ErrOutcomeUnknown.
type RefundModel struct {
	Common
	// RefundNo is the gateway's number of the refund (退款号), never empty, and never BizRefundNo.
	RefundNo string `json:"refundNo" daxpay:"proof,unlike=bizRefundNo"`
	// BizRefundNo is the merchant's number of the refund (商户退款号).
	BizRefundNo string `json:"bizRefundNo"`
	// Status is the state of the refund (退款状态), usually empty: learn the end from a query or a sync.
	Status RefundStatus `json:"status"`
}

// RefundOrderModel is the answer to the query of a refund, 退款订单查询.
type RefundOrderModel struct {
	Common
	// OrderNo is the gateway's number of the payment (支付号).
	OrderNo string `json:"orderNo"`
	// BizOrderNo is the merchant's number of the payment (商户订单号).
	BizOrderNo string `json:"bizOrderNo"`
	// OutOrderNo is the channel's number of the payment (通道支付号).
	OutOrderNo string `json:"outOrderNo"`
	// Title is the title of the payment (支付标题).
	Title string `json:"title" daxpay:"text"`
	// RefundNo is the gateway's number of the refund (退款号), never empty.
	RefundNo string `json:"refundNo" daxpay:"proof"`
	// BizRefundNo is the merchant's number of the refund (商户退款号).
	BizRefundNo string `json:"bizRefundNo"`
	// OutRefundNo is the channel's number of the refund (通道退款号).
	OutRefundNo string `json:"outRefundNo"`
	// Channel is where the money goes back (支付通道).
	Channel Channel `json:"channel"`
	// OrderAmount is the amount of the payment (订单金额), Amount that of the refund (退款金额), in fen; Amount is
	// never 0.
	OrderAmount int64 `json:"orderAmount"`
	Amount      int64 `json:"amount" daxpay:"proof"`
	// Reason is the merchant's remark (退款原因).
	Reason string `json:"reason" daxpay:"text"`
	// RefundTime is when the refund was started (退款发起时间); 2.0.8 does not send it. FinishTime is when it ended
	// (退款完成时间).
	RefundTime Time `json:"refundTime"`
	FinishTime Time `json:"finishTime"`
	// Status is the state of the refund (退款状态), never empty.
	Status RefundStatus `json:"status" daxpay:"proof"`
	// ErrorCode (错误码) and ErrorMsg (错误原因) describe the last error that ever occurred: they stay after a later
	// success. Up to 2.0.7 the code is the channel's, in 2.0.8 the gateway's. Both are empty if there was none.
	ErrorCode string `json:"errorCode"`
	ErrorMsg  string `json:"errorMsg" daxpay:"text"`
}
