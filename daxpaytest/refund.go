package daxpaytest

import (
	"fmt"
	"strconv"

	"github.com/daxpay-go/daxpay/model"
)

// refundOf finds the refund that a request names: by the gateway's number unless that is blank, else by the merchant's.
func (g *Gateway) refundOf(p params) *refund {
	var row *refund
	if no := p.text("refundNo"); no != nil && !isBlank(*no) {
		row = g.db.refundBy(*no)
	} else if no := p.text("bizRefundNo"); no != nil && !isBlank(*no) {
		row = g.db.refundByBiz(*no)
	}
	if row == nil {
		return nil
	}
	return ptr(*row)
}

// findRefund finds a refund by either of its numbers.
func (g *Gateway) findRefund(no string) *refund {
	if f := g.db.refundBy(no); f != nil {
		return f
	}
	return g.db.refundByBiz(no)
}

func (g *Gateway) refund(p params) (outcome, error) {
	bizNo := p.known("bizRefundNo")
	release := g.acquire("payment:refund:"+bizNo, bizNo)
	if release == nil {
		return outcome{msg: ptr(textRefunding),
			members: object{{"refundNo", bizNo}, {"bizRefundNo", bizNo}, {"status", nil}}}, nil
	}
	defer release()
	f, err := g.doRefund(p, bizNo)
	if err != nil {
		return outcome{}, err
	}
	return outcome{msg: f.ErrorMsg, members: object{{"refundNo", f.RefundNo}, {"bizRefundNo", f.BizRefundNo},
		{"status", nil}}}, nil
}

// doRefund makes a refund, or repeats one that failed, and asks the channel for it. If the channel refuses, that is not
// an error: the refund has failed.
func (g *Gateway) doRefund(p params, bizNo string) (*refund, error) {
	begin := g.beginRefund
	if g.db.refundByBiz(bizNo) != nil {
		begin = g.repeatRefund
	}
	order, f, err := begin(p, bizNo)
	if err != nil {
		return nil, err
	}
	a, err := g.ask(OpRefund, f.RefundNo, func(later bool) answer { return g.payBack(f, order, later) })
	if err != nil || !a.ok && !a.later {
		g.refundFailed(f, a, err)
		return f, g.saveRefund(nil, f)
	}
	f.OutRefundNo = order.OutOrderNo // Alipay answers with that
	if f.OutRefundNo == nil {
		f.OutRefundNo = &g.trade(order).TradeNo
	}
	switch {
	case a.later:
		f.Status = payProgress
		g.setRefundStatus(order, refundOpen)
	case order.Balance == 0:
		g.setRefundStatus(order, refundComplete)
	default:
		g.setRefundStatus(order, refundPartial)
	}
	if a.ok {
		f.Status, f.FinishTime = paySuccess, g.seconds()
	}
	if err := g.savePayment(nil, order); err != nil {
		return nil, err
	}
	if err := g.saveRefund(nil, f); err != nil {
		return nil, err
	}
	if a.ok {
		g.noticeRefund(f)
	}
	return f, nil
}

// beginRefund stores a new refund and takes its amount from the balance of the payment.
func (g *Gateway) beginRefund(p params, bizNo string) (*payment, *refund, error) {
	order := g.paymentOf(p, "bizOrderNo")
	if order == nil {
		return nil, nil, fault(codeNotThere, textNoPayment)
	}
	if err := g.checkRefundable(p, order, bizNo); err != nil {
		return nil, nil, err
	}
	if err := g.checkChannel(order.Channel); err != nil {
		return nil, nil, err
	}
	order.Balance -= *p.number("amount")
	g.setRefundStatus(order, refundOpen)
	if err := g.savePayment(nil, order); err != nil {
		return nil, nil, err
	}
	return order, ptr(g.db.addRefund(g.newRefund(p, order))), nil
}

// repeatRefund prepares to send a failed refund again.
func (g *Gateway) repeatRefund(p params, bizNo string) (*payment, *refund, error) {
	f := ptr(*g.db.refundByBiz(bizNo))
	if f.Status != payFail {
		return nil, nil, refuse(codeUnclassified, textRefundOnlyFail)
	}
	paid := g.db.payment(f.OrderID)
	if paid == nil {
		return nil, nil, byVersion(g, refuse(codeNoSuchTrade, textNoPayment), fault(codeNotThere, textNoPayment))
	}
	order := ptr(*paid)
	if err := g.checkChannel(order.Channel); err != nil {
		return nil, nil, err
	}
	f.Attach, f.NotifyURL = p.text("attach"), g.notifyURL(p, "/unipay/refund")
	return order, f, g.saveRefund(nil, f)
}

// payBack is what the channel does with a refund.
func (g *Gateway) payBack(f *refund, order *payment, later bool) answer {
	b := &payback{Done: !later, At: g.now().Unix()}
	if g.trade(order).State == tradeFinished {
		return refusal("ACQ.TRADE_HAS_FINISHED", textTradeFinished)
	}
	g.channel.Paybacks[f.RefundNo] = b
	g.changes.named("payback", f.RefundNo)
	if later {
		return answer{later: true}
	}
	return acted
}

// refundFailed notes why a refund failed.
func (g *Gateway) refundFailed(f *refund, a answer, err error) {
	f.Status = payFail
	f.ErrorMsg = nil
	if err == nil {
		f.ErrorMsg = &a.subMsg
	}
	switch {
	case g.current():
		f.ErrorCode = ptr(strconv.Itoa(codeOperation))
	case err == nil:
		f.ErrorCode = ptr("40004") // the channel's
	default:
		f.ErrorCode = nil
	}
}

func (g *Gateway) newRefund(p params, order *payment) refund {
	return refund{
		RefundNo: g.number("R"), BizRefundNo: p.known("bizRefundNo"), OrderID: order.ID, OrderNo: order.OrderNo,
		BizOrderNo: order.BizOrderNo, OutOrderNo: order.OutOrderNo, Title: &order.Title, Channel: &order.Channel,
		OrderAmount: &order.Amount, Amount: *p.number("amount"), Reason: p.text("reason"), Status: payProgress,
		NotifyURL: g.notifyURL(p, "/unipay/refund"), Attach: p.text("attach"), Created: g.now().Unix(),
	}
}

// checkRefundable returns why a payment cannot be refunded, or nil.
func (g *Gateway) checkRefundable(p params, order *payment, bizNo string) error {
	if g.current() {
		if order.Status != paySuccess {
			return refuse(codeUnclassified, fmt.Sprintf(textRefundStatus, nameOfStatus[order.Status]))
		}
		if order.RefundStatus == refundOpen || order.RefundStatus == refundComplete {
			return refuse(codeUnclassified, fmt.Sprintf(textRefundProgress, nameOfStatus[order.RefundStatus]))
		}
	} else if order.Status != paySuccess && order.Status != refundPartial {
		return refuse(codeUnclassified, fmt.Sprintf(textRefundStatus, nameOfStatus[order.Status]))
	}
	if g.db.refundBy(bizNo) != nil {
		return g.validationFault(textRefundExists)
	}
	switch amount := p.number("amount"); {
	case amount == nil:
		return fault(codeSystem, textNullPointer)
	case *amount > order.Balance:
		return g.validationFault(textRefundTooMuch)
	}
	if !g.current() {
		return oldColumns(p, "biz_refund_no", "bizRefundNo", "reason", "reason", "attach", "attach")
	}
	return nil
}

// checkChannel returns why a channel cannot be asked for a refund or a transfer, or nil.
func (g *Gateway) checkChannel(name string) error {
	if name == channelWallet { // the gateway does not know whose wallet
		return fault(codeSystem, textNullPointer)
	}
	if !g.settings.Channels[model.Channel(name)].Enabled {
		return refuse(codeUnclassified, textsOfChannels[name].disabled)
	}
	return nil
}
