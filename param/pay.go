package param

import (
	"encoding/json"
	"time"

	"github.com/daxpay-go/daxpay/model"
)

// PayParam starts a payment: 支付. Texts that notices and queries return (Title, Description, Attach) must not contain
// what could be cut into another member, such as "&status=". The limits are those of gateway 2.0.8. Gateways 2.0.7 and
// 2.0.6 store up to 255 characters of every text.
type PayParam struct {
	Common
	// BizOrderNo is the merchant's number of the payment (商户订单号), required, at most 100 characters.
	BizOrderNo string `json:"bizOrderNo" daxpay:"no,required,max=100"`
	// Title is what the user sees (支付标题), required, not blank, at most 100 characters.
	Title string `json:"title" daxpay:"text,required,max=100"`
	// Description is a remark (支付描述), at most 500 characters.
	Description string `json:"description" daxpay:"text,max=500"`
	// Allocation says that the payment may be allocated (是否开启分账). Every release ignores AutoAllocation
	// (自动分账).
	Allocation     bool `json:"allocation"`
	AutoAllocation bool `json:"autoAllocation"`
	// ExpiredTime is until when the payment can be paid (过期时间), sent as Unix seconds. It must not be more than a
	// minute in the past: the gateway would accept the payment and close it at the next call about it. Zero: the
	// gateway's setting.
	ExpiredTime time.Time `json:"expiredTime"`
	// Channel (支付通道) and Method (支付方式) are required.
	Channel model.Channel `json:"channel" daxpay:"required,max=20"`
	Method  model.Method  `json:"method" daxpay:"required,max=20"`
	// Amount is the amount to pay (支付金额) in fen, required, from 1 to 2147483647.
	Amount int64 `json:"amount" daxpay:"required,min=1,max=2147483647"`
	// ExtraParam holds what the channel needs in addition (附加参数): an AliPay, WeChatPay, UnionPay, WalletPay,
	// BarCode, or ExtraJSON. As JSON it has at most 2048 characters. Nil: none.
	ExtraParam ExtraParam `json:"extraParam" daxpay:"object,max=2048"`
	// Attach is returned unchanged in notices (商户扩展参数), at most 500 characters.
	Attach string `json:"attach" daxpay:"text,max=500"`
	// ReturnURL is where the user goes after paying (同步通知地址), QuitURL where the user goes after giving up
	// (退出地址); at most 200 characters each.
	ReturnURL string `json:"returnUrl" daxpay:"opaque,max=200"`
	QuitURL   string `json:"quitUrl" daxpay:"opaque,max=200"`
	// NotifyURL is where the notice goes (异步通知地址), an absolute http or https URL of at most 150 characters:
	// gateway 2.0.8 accepts 200, but cannot store more than 150, and then sends no notice. Empty: 2.0.8 sends no
	// notice, and older gateways send it to the URL in their console, by default a server of the vendor.
	NotifyURL string `json:"notifyUrl" daxpay:"url,max=150"`
	// NotNotify asks for no notice of this payment (不进行通知). Only gateways 2.0.7 and 2.0.6 know it. It is sent as
	// notNotify false, because these gateways suppress the notice only for false.
	NotNotify bool `json:"notNotify" daxpay:"inverted"`
}

// Call implements Request.
func (p *PayParam) Call() Call[model.PayModel] {
	effect := EffectChanges
	if p != nil && p.Channel == model.ChannelWallet {
		effect = EffectOnce // the gateway charges the wallet for every send
	}
	return Call[model.PayModel]{
		Path:     "/unipay/pay",
		Check:    p.check,
		Effect:   effect,
		Refusals: Refusals{Harmless: true},
		Recover: "query and sync the payment by the same BizOrderNo; send it again only with the same BizOrderNo, " +
			"with a bar code only when a sync says that it is not paid, and never from a wallet",
	}
}

// lateExpiry is how far in the past ExpiredTime may be, because clocks differ.
const lateExpiry = time.Minute

func (p *PayParam) check(now time.Time) []Fault {
	if p.ExpiredTime.IsZero() || now.Sub(p.ExpiredTime) <= lateExpiry {
		return nil
	}
	return []Fault{{"ExpiredTime", "must not be in the past: it is " + now.Sub(p.ExpiredTime).Round(time.Second).String() +
		" ago"}}
}

// ExtraParam is what a channel needs in addition to the members of a payment, 附加参数. The types of this package that
// implement it say for which channel they are.
type ExtraParam interface{ extraParam() }

// AliPay is the ExtraParam of model.ChannelAli (支付宝). Gateways 2.0.7 and older use AuthCode only.
type AliPay struct {
	AuthCode string `json:"authCode"` // what the user shows to pay (付款码)
	OpAppID  string `json:"opAppId"`  // app of the mini program (小程序应用)
	OpenID   string `json:"openId"`   // the user's (用户OpenId)
}

// WeChatPay is the ExtraParam of model.ChannelWeChat (微信支付).
type WeChatPay struct {
	OpenID   string `json:"openId"`   // the user's (用户OpenId)
	AuthCode string `json:"authCode"` // what the user shows to pay (付款码)
}

// UnionPay is the ExtraParam of model.ChannelUnion (云闪付).
type UnionPay struct {
	AuthCode string `json:"authCode"` // what the user shows to pay (付款码)
}

// WalletPay is the ExtraParam of model.ChannelWallet (钱包).
type WalletPay struct {
	WalletID string `json:"walletId"` // the wallet (钱包ID)
	UserID   string `json:"userId"`   // its owner (用户ID)
}

// BarCode is the ExtraParam of model.MethodBarCode with any channel.
type BarCode struct {
	AuthCode string `json:"authCode"` // what the user shows to pay (付款码)
}

// ExtraJSON is an ExtraParam of any other form: one JSON object. It is refused if the gateway would sign it differently
// from how it was sent, or if its signature could be that of another object. That concerns names that differ in case
// only, a null in a list, a number with a fraction or an exponent whose signed form is not certain, and text that could
// be cut into another member, such as ",openId:" (Config.AllowAmbiguousText accepts such text). Integers and strings
// are safe.
type ExtraJSON json.RawMessage

func (AliPay) extraParam()    {}
func (WeChatPay) extraParam() {}
func (UnionPay) extraParam()  {}
func (WalletPay) extraParam() {}
func (BarCode) extraParam()   {}
func (ExtraJSON) extraParam() {}

// MarshalJSON returns the JSON unchanged.
func (e ExtraJSON) MarshalJSON() ([]byte, error) { return json.RawMessage(e).MarshalJSON() }

// PayCloseParam closes a payment that is not paid: 支付关闭. One of the two numbers is required; if both are set, the
// gateway uses OrderNo only.
type PayCloseParam struct {
	Common
	// OrderNo is the gateway's number of the payment (支付号), at most 32 characters.
	OrderNo string `json:"orderNo" daxpay:"no,oneof,max=32"`
	// BizOrderNo is the merchant's number of the payment (商户订单号), at most 100 characters.
	BizOrderNo string `json:"bizOrderNo" daxpay:"no,oneof,max=100"`
}

// Call implements Request.
func (*PayCloseParam) Call() Call[model.PayCloseModel] {
	return Call[model.PayCloseModel]{
		Path:     "/unipay/close",
		Refusals: Refusals{EarlierSend: closeTraces},
		Recover:  "sync and query the payment: its status is close if it ran; one that is closed can still become paid",
	}
}

// PayCancelParam cancels a payment, and gives back what was paid: 支付撤销. One of the two numbers is required; if both
// are set, the gateway uses OrderNo only.
type PayCancelParam struct {
	Common
	// OrderNo is the gateway's number of the payment (支付号), at most 32 characters.
	OrderNo string `json:"orderNo" daxpay:"no,oneof,max=32"`
	// BizOrderNo is the merchant's number of the payment (商户订单号), at most 100 characters.
	BizOrderNo string `json:"bizOrderNo" daxpay:"no,oneof,max=100"`
}

// Call implements Request.
func (*PayCancelParam) Call() Call[model.PayCancelModel] {
	return Call[model.PayCancelModel]{
		Path:     "/unipay/cancel",
		Refusals: Refusals{EarlierSend: cancelTraces},
		Recover:  "sync and query the payment: its status is cancel if it ran, and nothing may be refunded besides",
	}
}
