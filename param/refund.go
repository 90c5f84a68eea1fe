package param

import "github.com/daxpay-go/daxpay/model"

// RefundParam gives back all or part of a payment: 退款. One of the two numbers of the payment is required; if both are
// set, the gateway uses OrderNo only. The limits are those of gateway 2.0.8. Gateways 2.0.7 and 2.0.6 store up to 255
// characters of every text.
type RefundParam struct {
	Common
	// BizRefundNo is the merchant's number of the refund (商户退款号), required, at most 100 characters. The same
	// number is the same refund: the gateway retries one that failed, and refuses any other.
	BizRefundNo string `json:"bizRefundNo" daxpay:"no,required,max=100"`
	// OrderNo is the gateway's number of the payment (支付号), at most 32 characters.
	OrderNo string `json:"orderNo" daxpay:"no,oneof,max=32"`
	// BizOrderNo is the merchant's number of the payment (商户订单号), at most 100 characters.
	BizOrderNo string `json:"bizOrderNo" daxpay:"no,oneof,max=100"`
	// Amount is the amount to give back (退款金额) in fen, required, from 1 to 2147483647.
	Amount int64 `json:"amount" daxpay:"required,min=1,max=2147483647"`
	// Reason is a remark (退款原因), at most 150 characters.
	Reason string `json:"reason" daxpay:"text,max=150"`
	// ExtraParam holds what the channel needs in addition (附加参数): the text of a JSON object, at most 2048
	// characters. Gateway 2.0.8 gets it as text. Older gateways get the object itself, so for them it must be valid
	// under the rules of ExtraJSON.
	ExtraParam string `json:"extraParam" daxpay:"text,max=2048"`
	// Attach is returned unchanged in notices (商户扩展参数), at most 500 characters.
	Attach string `json:"attach" daxpay:"text,max=500"`
	// NotifyURL is where the notice goes (异步通知地址), an absolute http or https URL of at most 150 characters:
	// gateway 2.0.8 accepts 200, but cannot store more than 150, and then sends no notice. Empty: 2.0.8 sends no
	// notice, and older gateways send it to the URL in their console, by default a server of the vendor.
	NotifyURL string `json:"notifyUrl" daxpay:"url,max=150"`
	// NotNotify asks for no notice of this refund (不进行通知). Only gateways 2.0.7 and 2.0.6 know it. It is sent as
	// notNotify false, because these gateways suppress the notice only for false.
	NotNotify bool `json:"notNotify" daxpay:"inverted"`
}

// Call implements Request.
func (*RefundParam) Call() Call[model.RefundModel] {
	return Call[model.RefundModel]{
		Path:     "/unipay/refund",
		Refusals: Refusals{Harmless: true, EarlierSend: refundTraces},
		Recover: "query the refund by the same BizRefundNo; if it failed, sync it first; if you send it again, " +
			"only ever with the same BizRefundNo",
	}
}
