package daxpaytest

import (
	"slices"
	"strconv"

	"github.com/daxpay-go/daxpay/model"
)

const (
	transferOpen    = string(model.TransferTransferring)
	transferSuccess = string(model.TransferSuccess)
	transferFail    = "fail"
)

// transfer pays out as often as it is asked to: the gateway does not check whether the number is new.
func (g *Gateway) transfer(p params) (outcome, error) {
	name := p.known("channel")
	payee := p.known("payeeType")
	switch name {
	case channelAli:
		if !slices.Contains(aliTypes, payee) {
			return outcome{}, fault(codeValidation, textValidation+textAliPayee)
		}
	case channelWeChat:
		if payee != "wx_personal" {
			return outcome{}, fault(codeValidation, textValidation+textWxPayee)
		}
	default:
		return outcome{}, refuse(codeUnsupported, textNoAbility)
	}
	t := &transfer{
		TransferNo: g.number("T"), BizTransferNo: p.known("bizTransferNo"), Channel: name,
		Amount: *p.number("amount"),
		Title:  p.text("title"), Reason: p.text("reason"), PayeeType: p.text("payeeType"),
		PayeeAccount: p.text("payeeAccount"),
		PayeeName:    p.text("payeeName"), Status: transferOpen, Attach: p.text("attach"), Created: g.now().Unix(),
	}
	g.db.addTransfer(t)
	defer func() { g.changes.row("transfer", t.ID) }()
	if name == channelAli {
		if err := g.checkChannel(name); err != nil {
			return outcome{}, err
		}
		g.payOut(t)
	} else {
		t.failed(codeUnsupported, textNoWxTransfer)
	}
	return outcome{members: object{{"bizTransferNo", t.BizTransferNo}, {"transferNo", t.TransferNo},
		{"status", t.Status}}}, nil
}

func (t *transfer) failed(code int, text string) {
	t.Status, t.ErrorCode, t.ErrorMsg = transferFail, ptr(strconv.Itoa(code)), &text
}

// payOut asks the channel to pay out.
func (g *Gateway) payOut(t *transfer) {
	var no string
	a, err := g.ask(OpTransfer, t.TransferNo, func(later bool) answer {
		no = g.channelNumber("1110")
		return answer{ok: !later, later: later}
	})
	switch {
	case err != nil:
		t.failed(codeUnknownSystem, textUnclassified)
	case !a.ok && !a.later:
		t.failed(codeTradeFailed, a.subMsg)
	default:
		t.OutTransferNo = &no
		if a.ok {
			t.Status, t.SuccessTime = transferSuccess, g.seconds()
		}
	}
}

// stub is a call that 2.0.7 has but that does nothing.
func (g *Gateway) stub(params) (outcome, error) { return outcome{unsignable: true}, nil }
