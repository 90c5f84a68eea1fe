package param

import (
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/model"
)

// TransferParam pays out money: 转账. The gateway does not check whether it knows BizTransferNo already: a transfer
// that is sent twice is paid twice.
type TransferParam struct {
	Common
	// BizTransferNo is the merchant's number of the transfer (商户转账号), required, at most 100 characters.
	BizTransferNo string `json:"bizTransferNo" daxpay:"no,required,max=100"`
	// Channel is the channel that pays (支付通道), required.
	Channel model.Channel `json:"channel" daxpay:"required,max=20"`
	// Amount is the amount to pay out (转账金额) in fen, required, from 1 to 2147483647.
	Amount int64 `json:"amount" daxpay:"required,min=1,max=2147483647"`
	// Title is what the payee sees (标题), at most 100 characters.
	Title string `json:"title" daxpay:"text,max=100"`
	// Reason is a remark (转账原因), at most 150 characters.
	Reason string `json:"reason" daxpay:"text,max=150"`
	// TransferType is the purpose of the transfer (转账类型). Gateway 2.0.8 ignores it.
	TransferType model.TransferType `json:"transferType" daxpay:"max=20"`
	// PayeeType is the kind of PayeeAccount (收款人类型), required. model.ChannelAli takes model.PayeeAliUserID,
	// model.PayeeAliOpenID and model.PayeeAliLoginName, and model.ChannelWeChat takes model.PayeeWxPersonal.
	PayeeType model.PayeeType `json:"payeeType" daxpay:"required,max=20"`
	// PayeeAccount is the account that gets the money (收款人账号), required, at most 100 characters. The gateway does
	// not check that it is set.
	PayeeAccount string `json:"payeeAccount" daxpay:"required,max=100"`
	// PayeeName is the payee's name (收款人姓名), at most 50 characters.
	PayeeName string `json:"payeeName" daxpay:"text,max=50"`
	// NotifyURL is where a notice would go (异步通知地址), an absolute http or https URL of at most 150 characters.
	// Gateway 2.0.8 sends no notices of transfers.
	NotifyURL string `json:"notifyUrl" daxpay:"url,max=150"`
	// Attach is text of the merchant (商户扩展参数), at most 500 characters.
	Attach string `json:"attach" daxpay:"text,max=500"`
}

// Call implements Request.
func (p *TransferParam) Call() Call[model.TransferModel] {
	return Call[model.TransferModel]{
		Path:     "/unipay/transfer",
		Check:    p.check,
		Effect:   EffectOnce,
		Proof:    transferProof,
		Refusals: Refusals{HarmlessTexts: transferRefusals},
		Recover: "never send it again: query the transfer by its BizTransferNo, and if there is none, have a person look " +
			"at the channel",
	}
}

// payees lists the types of payees that gateway 2.0.8 accepts for each channel. It refuses every transfer by another
// channel.
var payees = map[model.Channel][]model.PayeeType{
	model.ChannelAli:    {model.PayeeAliUserID, model.PayeeAliOpenID, model.PayeeAliLoginName},
	model.ChannelWeChat: {model.PayeeWxPersonal},
}

func (p *TransferParam) check(time.Time) []Fault {
	types, known := payees[p.Channel]
	if !known || p.PayeeType == "" || slices.Contains(types, p.PayeeType) {
		return nil // an unknown channel may be one of a newer gateway
	}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	return []Fault{{"PayeeType", "must be " + strings.Join(names, ", ") + " for the channel " + string(p.Channel)}}
}
