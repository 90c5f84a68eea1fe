package model

// NoticeKind is the kind of a notice.
type NoticeKind string

// The kinds of notices.
const (
	NoticePay    NoticeKind = "pay"    // 支付
	NoticeRefund NoticeKind = "refund" // 退款
	NoticeAlloc  NoticeKind = "alloc"  // 分账
)

// Notice is what the gateway sends unasked when a payment, a refund or an allocation ends, 异步通知: a *PayNotice, a
// *RefundNotice or an *AllocNotice.
type Notice interface {
	// Kind says what kind of order the notice is about.
	Kind() NoticeKind
	// Number is the gateway's number of the order, BizNumber the merchant's.
	Number() string
	BizNumber() string
	// State is the status of the order, Standing what it proves.
	State() string
	Standing() Standing
	// Total is the amount of the order, in fen.
	Total() int64

	notice()
}

// PayNotice tells that a payment was paid, closed or cancelled, or failed: 支付订单通知.
type PayNotice struct {
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
	// Channel (支付通道) and Method (支付方式) say how it was paid.
	Channel Channel `json:"channel"`
	Method  Method  `json:"method"`
	// Amount is the amount of the payment (支付金额), in fen, never 0.
	Amount int64 `json:"amount" daxpay:"proof"`
	// Status is the state of the payment (支付状态), never empty. Only PaySuccess means that the money was paid.
	Status PayStatus `json:"status" daxpay:"proof"`
	// RefundStatus says how much was given back (退款状态), AllocStatus whether the payment was allocated (分账状态).
	RefundStatus OrderRefundStatus `json:"refundStatus"`
	AllocStatus  OrderAllocStatus  `json:"allocStatus"`
	// PayTime is when it was paid (支付时间), ExpiredTime until when it could be (过期时间), CloseTime when it was closed (关闭时间).
	PayTime     Time `json:"payTime"`
	ExpiredTime Time `json:"expiredTime"`
	CloseTime   Time `json:"closeTime"`
	// Attach is the Attach of the payment's request (商户扩展参数).
	Attach string `json:"attach" daxpay:"text"`
	// ErrorCode (错误码) and ErrorMsg (错误原因) describe the last error that ever occurred: they stay after a later
	// success. Up to 2.0.7 the code is the channel's, in 2.0.8 the gateway's. Both are empty if there was none.
	ErrorCode string `json:"errorCode"`
	ErrorMsg  string `json:"errorMsg" daxpay:"text"`
}

// RefundNotice tells that a refund succeeded, failed or was closed: 退款订单通知. Gateway 2.0.8 sends none for a refund
// that fails during the call.
type RefundNotice struct {
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
	// Status is the state of the refund (退款状态), never empty. Only RefundSuccess means that the money is back.
	Status RefundStatus `json:"status" daxpay:"proof"`
	// Attach is the Attach of the refund's request (商户扩展参数).
	Attach string `json:"attach" daxpay:"text"`
	// ErrorCode (错误码) and ErrorMsg (错误原因) describe the last error that ever occurred: they stay after a later
	// success. Up to 2.0.7 the code is the channel's, in 2.0.8 the gateway's. Both are empty if there was none.
	ErrorCode string `json:"errorCode"`
	ErrorMsg  string `json:"errorMsg" daxpay:"text"`
}

// AllocNotice tells that an allocation ended: 分账订单通知.
type AllocNotice struct {
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
	// Title is the title of the payment (支付标题).
	Title string `json:"title" daxpay:"text"`
	// Channel is the channel of the payment (支付通道).
	Channel Channel `json:"channel"`
	// Amount is the sum of all shares (总分账金额), in fen, never 0.
	Amount int64 `json:"amount" daxpay:"proof"`
	// Description is the merchant's remark (分账描述).
	Description string `json:"description" daxpay:"text"`
	// Status is the state of the allocation (分账状态), never empty.
	Status AllocStatus `json:"status" daxpay:"proof"`
	// Result sums up how the shares went (分账结果).
	Result AllocResult `json:"result"`
	// FinishTime is when FinishAlloc finished the allocation (分账完结时间). Gateways up to 2.0.8 do not send it in
	// notices.
	FinishTime Time `json:"finishTime"`
	// Attach is the Attach of the allocation's request (商户扩展参数).
	Attach string `json:"attach" daxpay:"text"`
	// Details are the shares (分账明细), without their rates.
	Details []AllocDetail `json:"details"`
	// ErrorCode (错误码) and ErrorMsg (错误原因) describe the last error that ever occurred: they stay after a later
	// success. Up to 2.0.7 the code is the channel's, in 2.0.8 the gateway's. Both are empty if there was none.
	ErrorCode string `json:"errorCode"`
	ErrorMsg  string `json:"errorMsg" daxpay:"text"`
}

// Kind implements Notice.
func (*PayNotice) Kind() NoticeKind { return NoticePay }

// Kind implements Notice.
func (*RefundNotice) Kind() NoticeKind { return NoticeRefund }

// Kind implements Notice.
func (*AllocNotice) Kind() NoticeKind { return NoticeAlloc }

// Number implements Notice: OrderNo.
func (n *PayNotice) Number() string { return n.OrderNo }

// Number implements Notice: RefundNo.
func (n *RefundNotice) Number() string { return n.RefundNo }

// Number implements Notice: AllocNo.
func (n *AllocNotice) Number() string { return n.AllocNo }

// BizNumber implements Notice: BizOrderNo.
func (n *PayNotice) BizNumber() string { return n.BizOrderNo }

// BizNumber implements Notice: BizRefundNo.
func (n *RefundNotice) BizNumber() string { return n.BizRefundNo }

// BizNumber implements Notice: BizAllocNo.
func (n *AllocNotice) BizNumber() string { return n.BizAllocNo }

// State implements Notice: Status.
func (n *PayNotice) State() string { return string(n.Status) }

// State implements Notice: Status.
func (n *RefundNotice) State() string { return string(n.Status) }

// State implements Notice: Status.
func (n *AllocNotice) State() string { return string(n.Status) }

// Total implements Notice: Amount.
func (n *PayNotice) Total() int64 { return n.Amount }

// Total implements Notice: Amount.
func (n *RefundNotice) Total() int64 { return n.Amount }

// Total implements Notice: Amount.
func (n *AllocNotice) Total() int64 { return n.Amount }

func (*PayNotice) notice()    {}
func (*RefundNotice) notice() {}
func (*AllocNotice) notice()  {}
