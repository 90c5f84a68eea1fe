package daxpaytest

import (
	"time"
)

// printed returns a time as text, as a few members have it.
func (g *Gateway) printed(t *int64) any {
	if t == nil {
		return nil
	}
	return time.Unix(*t, 0).In(g.zone).Format(time.DateTime)
}

func (g *Gateway) queryPay(p params) (outcome, error) {
	if p.text("orderNo") == nil && isBlank(p.known("bizOrderNoeNo")) {
		if g.is207() {
			return outcome{}, refuse(codeUnclassified, textNoNumber)
		}
		return outcome{}, fault(codeValidation, textValidation+textNoNumber)
	}
	order := g.paymentOf(p, "bizOrderNoeNo")
	if order == nil {
		if g.is206() {
			return outcome{}, fault(codeNotThere, textOldNoPayment)
		}
		return outcome{}, refuse(codeNoSuchTrade, textNoPayment)
	}
	return outcome{members: g.paymentMembers(order)}, nil
}

func (g *Gateway) paymentMembers(order *payment) object {
	times := object{
		{"payTime", nullableNumber(order.PayTime)}, {"expiredTime", nullableNumber(order.ExpiredTime)},
		{"closeTime", nullableNumber(order.CloseTime)},
	}
	if g.is206() {
		return append(object{
			{"orderNo", order.OrderNo}, {"bizOrderNo", order.BizOrderNo}, {"title", order.Title},
			{"description", nullable(order.Description)}, {"channel", order.Channel}, {"method", order.Method},
			{"amount", number(order.Amount)}, {"refundableBalance", number(order.Balance)}, {"status", order.Status},
		}, times...)
	}
	o := object{
		{"bizOrderNo", order.BizOrderNo}, {"orderNo", order.OrderNo}, {"outOrderNo", nullable(order.OutOrderNo)},
		{"title", order.Title}, {"description", nullable(order.Description)}, {"allocation", order.Allocation},
		{"autoAllocation", nil}, {"channel", order.Channel}, {"method", order.Method}, {"amount", number(order.Amount)},
		{"refundableBalance", number(order.Balance)}, {"status", order.Status},
	}
	if g.current() {
		o = append(o, pair{"refundStatus", order.RefundStatus})
	}
	o = append(append(o, pair{g.named("allocStatus"), nullable(order.AllocStatus)}), times...)
	return append(o, pair{"errorCode", nullable(order.ErrorCode)}, pair{"errorMsg", nullable(order.ErrorMsg)})
}

func (g *Gateway) queryRefund(p params) (outcome, error) {
	if isBlank(p.known("refundNo")) && p.text("bizRefundNo") == nil {
		switch {
		case g.is207():
			return outcome{}, refuse(codeUnclassified, textNoRefundNo207)
		case g.is206():
			return outcome{}, fault(codeValidation, textValidation+textNoRefundNo206)
		}
		return outcome{}, fault(codeValidation, textValidation+textNoRefundNo)
	}
	if g.is206() { // it takes the number for a database ID, and ignores the other number
		return outcome{}, fault(codeNotThere, textOldNoPayment)
	}
	f := g.refundOf(p)
	if f == nil {
		return outcome{}, refuse(codeNoSuchTrade, textNoRefund)
	}
	return outcome{members: append(f.members(),
		pair{"errorCode", nullable(f.ErrorCode)}, pair{"errorMsg", nullable(f.ErrorMsg)})}, nil
}

// members returns the members that both the query and the notice of a refund begin with.
func (f *refund) members() object {
	return object{
		{"orderNo", f.OrderNo}, {"bizOrderNo", f.BizOrderNo}, {"outOrderNo", nullable(f.OutOrderNo)},
		{"title", nullable(f.Title)},
		{"refundNo", f.RefundNo}, {"bizRefundNo", f.BizRefundNo}, {"outRefundNo", nullable(f.OutRefundNo)},
		{"channel", nullable(f.Channel)}, {"orderAmount", nullableNumber(f.OrderAmount)}, {"amount", number(f.Amount)},
		{"reason", nullable(f.Reason)}, {"refundTime", nil}, {"finishTime", nullableNumber(f.FinishTime)},
		{"status", f.Status},
	}
}

func (g *Gateway) queryTransfer(p params) (outcome, error) {
	no, bizNo := p.known("transferNo"), p.text("bizTransferNo")
	if isBlank(no) && bizNo == nil {
		return outcome{}, fault(codeValidation, textValidation+textNoTransferNo)
	}
	var found []*transfer
	switch {
	case !isBlank(no):
		found = g.db.transfersBy(no, func(t *transfer) bool { return sameText(t.TransferNo, no) })
	case !isBlank(*bizNo):
		found = g.db.transfersBy(*bizNo, func(t *transfer) bool { return sameText(t.BizTransferNo, *bizNo) })
	}
	switch {
	case len(found) == 0:
		return outcome{}, refuse(codeNoSuchTrade, textNoTransfer)
	case len(found) > 1:
		return outcome{}, fault(codeSystem, textManyFound)
	}
	t := found[0]
	return outcome{members: object{
		{"bizTransferNo", t.BizTransferNo}, {"transferNo", t.TransferNo}, {"outTransferNo", nullable(t.OutTransferNo)},
		{"channel", t.Channel}, {"amount", number(t.Amount)}, {"title", nullable(t.Title)},
		{"reason", nullable(t.Reason)},
		{"transferType", nil}, {"payeeType", nullable(t.PayeeType)}, {"payeeAccount", nullable(t.PayeeAccount)},
		{"payeeName", nullable(t.PayeeName)}, {"status", t.Status}, {"successTime", g.printed(t.SuccessTime)},
		{"errorCode", nullable(t.ErrorCode)}, {"errorMsg", nullable(t.ErrorMsg)},
	}}, nil
}

// queryAllocation finds an allocation by the gateway's number only.
func (g *Gateway) queryAllocation(p params) (outcome, error) {
	var a *allocation
	if no := p.text(g.named("allocNo")); no != nil {
		a = g.db.allocationBy(*no)
	}
	if a == nil {
		return outcome{}, refuse(codeUnclassified, textNoAllocation)
	}
	details := []any{}
	for _, d := range a.Details {
		details = append(details, object{
			{"receiverNo", nullable(d.ReceiverNo)}, {"amount", number(d.Amount)}, {"rate", nullableNumber(d.Rate)},
			{"receiverType", nullable(d.Type)}, {"receiverAccount", nullable(d.Account)},
			{"receiverName", nullable(d.Name)},
			{"result", d.Result}, {"errorCode", nullable(d.ErrorCode)}, {"errorMsg", nullable(d.ErrorMsg)},
			{"finishTime", g.printed(d.FinishTime)},
		})
	}
	return outcome{members: object{
		{g.named("allocNo"), a.AllocNo}, {g.named("bizAllocNo"), a.BizAllocNo},
		{g.named("outAllocNo"), nullable(a.OutAllocNo)},
		{"orderNo", a.OrderNo}, {"bizOrderNo", a.BizOrderNo}, {"outOrderNo", nullable(a.OutOrderNo)},
		{"title", nullable(a.Title)},
		{"channel", nullable(a.Channel)}, {"amount", number(a.Amount)}, {"description", nullable(a.Description)},
		{"status", a.Status},
		{"result", nullable(a.Result)}, {"errorCode", nullable(a.ErrorCode)}, {"errorMsg", nullable(a.ErrorMsg)},
		{"finishTime", g.printed(a.FinishTime)}, {"details", details},
	}}, nil
}
