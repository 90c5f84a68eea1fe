package model

// PayModel is the answer to a pay, 支付.
type PayModel struct {
	Common
	// BizOrderNo is the merchant's number of the payment (商户订单号).
	BizOrderNo string `json:"bizOrderNo"`
	// OrderNo is the gateway's number of the payment (支付号), never empty.
	OrderNo string `json:"orderNo" daxpay:"proof"`
	// Status is the state of the payment (支付状态), never empty. It is usually PayProgress: the user has yet to pay.
	Status PayStatus `json:"status" daxpay:"proof"`
	// PayBody is what the front end needs to start paying (支付参数体). It depends on channel and method:
	//
	//	qrcode   the text of the QR code
	//	jsapi    WeChat: JSON, see ParseWeChatJSAPI. Alipay: its trade number (trade_no)
	//	app      Alipay: the order string. WeChat: the prepay_id, not signed. UnionPay: tn
	//	wap      Alipay, UnionPay: a form or a URL. WeChat: a URL
	//	web      a form or a URL
	//
	// Empty where there is nothing to do, such as after a bar code.
	PayBody string `json:"payBody" daxpay:"opaque"`
}

// PayCloseModel is the answer to a close, 支付关闭.
type PayCloseModel struct{ Common }

// PayCancelModel is the answer to a cancel, 支付撤销.
type PayCancelModel struct{ Common }

// PayOrderModel is the answer to the query of a payment, 支付订单查询.
type PayOrderModel struct {
	Common
	// OrderNo is the gateway's number (支付号), never empty.
	OrderNo string `json:"orderNo" daxpay:"proof"`
	// BizOrderNo is the merchant's number (商户订单号).
	BizOrderNo string `json:"bizOrderNo"`
	// OutOrderNo is the channel's number (通道支付号).
	OutOrderNo string `json:"outOrderNo"`
	// Title (支付标题) and Description (支付描述) are the merchant's.
	Title       string `json:"title" daxpay:"text"`
	Description string `json:"description" daxpay:"text"`
	// Allocation reports whether the payment can be allocated (是否需要分账), AutoAllocation whether that happens
	// automatically (自动分账).
	Allocation     bool `json:"allocation"`
	AutoAllocation bool `json:"autoAllocation"`
	// Channel (支付通道) and Method (支付方式) are those of the latest attempt to pay.
	Channel Channel `json:"channel"`
	Method  Method  `json:"method"`
	// Amount is the amount of the payment (支付金额), never 0, RefundableBalance what of it can still be given back
	// (可退款金额), in fen.
	Amount            int64 `json:"amount" daxpay:"proof"`
	RefundableBalance int64 `json:"refundableBalance"`
	// Status is the state of the payment (支付状态), never empty.
	Status PayStatus `json:"status" daxpay:"proof"`
	// RefundStatus says how much was given back (退款状态), AllocStatus whether the payment was allocated (分账状态).
	RefundStatus OrderRefundStatus `json:"refundStatus"`
	AllocStatus  OrderAllocStatus  `json:"allocStatus"`
	// PayTime is when it was paid (支付时间), ExpiredTime until when it can be (过期时间), CloseTime when it was closed (关闭时间).
	PayTime     Time `json:"payTime"`
	ExpiredTime Time `json:"expiredTime"`
	CloseTime   Time `json:"closeTime"`
	// ErrorCode (错误码) and ErrorMsg (错误原因) describe the last error that ever occurred: they stay after a later
	// success. Up to 2.0.7 the code is the channel's, in 2.0.8 the gateway's. Both are empty if there was none.
	ErrorCode string `json:"errorCode"`
	ErrorMsg  string `json:"errorMsg" daxpay:"text"`
}
