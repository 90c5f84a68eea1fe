package daxpaytest

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/daxpay-go/daxpay/model"
)

// Payment is a payment (支付订单) of the gateway: see SetPayment.
type Payment struct {
	OrderNo    string // the gateway's number, 支付号
	BizOrderNo string // the merchant's number, 商户订单号
	ID         int64  // the gateway's ID, 支付ID; only 2.0.5 uses it
	// Status is the status at the channel, which a pay sync answers with. The sync also brings Order up to date. Empty:
	// the channel does not know the payment.
	Status model.PaySyncStatus
	// Order is the gateway's own status, which a query answers with. SetPayment derives an empty one from Status.
	Order      model.PayStatus
	Title      string
	Channel    model.Channel // default: Alipay
	Method     model.Method  // default: QR code
	Amount     int64         // fen; default: 1, because no gateway has a payment of nothing
	NotifyURL  string
	Attach     string
	Allocation bool // it may be allocated
}

// Refund is a refund (退款订单) of the gateway: see SetRefund.
type Refund struct {
	RefundNo    string // the gateway's number, 退款号
	BizRefundNo string // the merchant's number, 商户退款号
	ID          int64  // the gateway's ID, 退款ID; only 2.0.5 uses it
	OrderNo     string // of the payment
	BizOrderNo  string // of the payment
	// Status is the status at the channel, which a refund sync answers with. The sync also brings Order up to date.
	// Empty: in progress.
	Status model.RefundSyncStatus
	// Order is the gateway's own status, which a query answers with. SetRefund derives an empty one from Status.
	Order     model.RefundStatus
	Amount    int64 // fen; default: 1
	Reason    string
	NotifyURL string
	Attach    string
}

// Transfer is a transfer (转账订单) of the gateway, paid out or not.
type Transfer struct {
	TransferNo    string // the gateway's number, 转账号
	BizTransferNo string // the merchant's number, 商户转账号
	Amount        int64  // fen
	Status        model.TransferStatus
}

// Allocation is an allocation (分账订单) of the gateway: see SetAllocation.
type Allocation struct {
	AllocNo    string // the gateway's number, 分账单号
	BizAllocNo string // the merchant's number, 商户分账单号
	OrderNo    string // of the payment
	BizOrderNo string // of the payment
	Status     model.AllocStatus
	Shares     []Share
	NotifyURL  string
	Attach     string
}

// Share is the share of one receiver in an allocation.
type Share struct {
	ReceiverNo string
	Amount     int64 // fen
}

// orderStatus returns the gateway's status for a status of the channel.
func orderStatus(s model.PaySyncStatus) string {
	switch s {
	case model.PaySyncSuccess:
		return paySuccess
	case model.PaySyncRefund:
		return refundComplete
	case model.PaySyncClosed, model.PaySyncTimeout, model.PaySyncNotFound:
		return payClose
	case model.PaySyncFail:
		return payFail
	}
	return payProgress
}

func refundStatus(s model.RefundSyncStatus) string {
	switch s {
	case model.RefundSyncSuccess:
		return paySuccess
	case model.RefundSyncFail:
		return payFail
	case model.RefundSyncNotFound:
		return payClose
	}
	return payProgress
}

func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// SetPayment puts a payment into the gateway, without the calls that would lead to it. It replaces payments that have
// one of its numbers. An empty OrderNo becomes that of the payment it replaces, or a new number. It sends no notice.
func (g *Gateway) SetPayment(p Payment) {
	g.mu.Lock()
	defer g.done()
	for _, no := range []string{p.OrderNo, p.BizOrderNo, g.legacyNo("pay", p.ID)} {
		if old := g.findPayment(no); no != "" && old != nil {
			p.OrderNo = cmp.Or(p.OrderNo, old.OrderNo)
			g.db.forget("pay", old.OrderNo, old.BizOrderNo)
			delete(g.db.Payments, old.ID)
		}
	}
	now := g.now()
	row := payment{
		OrderNo: p.OrderNo, BizOrderNo: p.BizOrderNo, Title: p.Title, Allocation: p.Allocation,
		Channel: cmp.Or(string(p.Channel), channelAli), Method: cmp.Or(string(p.Method), "qrcode"),
		Amount: cmp.Or(p.Amount, 1), Balance: cmp.Or(p.Amount, 1),
		Status:       cmp.Or(string(p.Order), orderStatus(p.Status)),
		RefundStatus: refundNone, NotifyURL: optionalText(p.NotifyURL), Attach: optionalText(p.Attach),
		Created:     now.Unix(),
		ExpiredTime: ptr(now.Unix() + 1800),
	}
	if row.OrderNo == "" {
		row.OrderNo = g.number("P")
	}
	if p.Allocation {
		row.AllocStatus = ptr(allocWaiting)
	}
	g.refundIntoStatus(&row)
	if row.Status == paySuccess || row.Status == refundPartial || row.Status == refundComplete ||
		row.Status == refundOpen {
		row.PayTime = ptr(now.Unix())
	}
	if row.Status == payClose || row.Status == payCancel {
		row.CloseTime = ptr(now.Unix())
	}
	t := g.setTrade(&row, p.Status)
	if row.PayTime != nil {
		row.OutOrderNo = &t.TradeNo
	}
	row = g.db.addPayment(row)
	if p.ID != 0 {
		g.legacyIDs["pay"+strconv.FormatInt(p.ID, 10)] = row.ID
		g.changes.named("rest", "")
	}
}

// refundIntoStatus moves a status about refunds to RefundStatus, where 2.0.8 has it.
func (g *Gateway) refundIntoStatus(row *payment) {
	switch row.Status {
	case refundOpen, refundPartial, refundComplete:
		if g.current() {
			row.Status, row.RefundStatus = paySuccess, row.Status
		}
		if row.Status == refundComplete || row.RefundStatus == refundComplete {
			row.Balance = 0
		}
	}
}

// setTrade gives a payment a status at the channel.
func (g *Gateway) setTrade(row *payment, s model.PaySyncStatus) *trade {
	state := map[model.PaySyncStatus]string{
		model.PaySyncSuccess: tradePaid, model.PaySyncProgress: tradeWaiting, model.PaySyncClosed: tradeClosed,
		model.PaySyncRefund: tradeReturned,
	}[s]
	if state == "" {
		t := &trade{TradeNo: g.channelNumber("2088")}
		if s != model.PaySyncNotFoundUnknown {
			t.Says = string(s)
		}
		g.channel.Trades[row.OrderNo] = t
		g.changes.named("trade", row.OrderNo)
		return t
	}
	g.forgetTrade(row)
	return g.meet(row, state)
}

// SetRefund puts a refund into the gateway. It replaces refunds that have one of its numbers. An empty RefundNo becomes
// that of the refund it replaces, or a new number. Only a refund that is a success or in progress is subtracted from
// the balance of its payment. It sends no notice.
func (g *Gateway) SetRefund(f Refund) {
	g.mu.Lock()
	defer g.done()
	for _, no := range []string{f.RefundNo, f.BizRefundNo, g.legacyNo("refund", f.ID)} {
		if old := g.findRefund(no); no != "" && old != nil {
			f.RefundNo = cmp.Or(f.RefundNo, old.RefundNo)
			g.count(old, -1)
			g.db.forget("refund", old.RefundNo, old.BizRefundNo)
			delete(g.db.Refunds, old.ID)
		}
	}
	now := g.now().Unix()
	row := refund{
		RefundNo: f.RefundNo, BizRefundNo: f.BizRefundNo, OrderNo: f.OrderNo, BizOrderNo: f.BizOrderNo,
		Amount: cmp.Or(f.Amount, 1),
		Reason: optionalText(f.Reason), Status: cmp.Or(string(f.Order), refundStatus(f.Status)),
		NotifyURL: optionalText(f.NotifyURL),
		Attach:    optionalText(f.Attach), Created: now,
	}
	if row.RefundNo == "" {
		row.RefundNo = g.number("R")
	}
	if row.Status == paySuccess {
		row.FinishTime = &now
	}
	order := g.db.paymentBy(f.OrderNo)
	if order == nil {
		order = g.db.paymentByBiz(f.BizOrderNo)
	}
	if order != nil {
		row.OrderID, row.OrderNo, row.BizOrderNo = order.ID, order.OrderNo, order.BizOrderNo
		row.OutOrderNo, row.Title, row.Channel, row.OrderAmount = order.OutOrderNo, &order.Title, &order.Channel,
			&order.Amount
		row.OutRefundNo = order.OutOrderNo
	}
	g.channel.Paybacks[row.RefundNo] = &payback{Done: f.Status == model.RefundSyncSuccess, At: now,
		Says: string(f.Status)}
	if f.Status == model.RefundSyncSuccess {
		g.channel.Paybacks[row.RefundNo].Says = ""
	}
	g.changes.named("payback", row.RefundNo)
	g.count(&row, 1)
	row = g.db.addRefund(row)
	if f.ID != 0 {
		g.legacyIDs["refund"+strconv.FormatInt(f.ID, 10)] = row.ID
		g.changes.named("rest", "")
	}
}

// count subtracts the amount of a refund from the balance of its payment, or adds it again if sign is -1.
func (g *Gateway) count(f *refund, sign int64) {
	order := g.db.payment(f.OrderID)
	if order == nil || f.Status != paySuccess && f.Status != payProgress {
		return
	}
	order.Balance = min(order.Amount, max(0, order.Balance-sign*f.Amount))
	status := refundPartial
	switch {
	case order.Balance == order.Amount:
		status = refundNone
	case f.Status == payProgress && sign > 0:
		status = refundOpen
	case order.Balance == 0:
		status = refundComplete
	}
	if status == refundNone && !g.current() {
		status = paySuccess
	}
	g.setRefundStatus(order, status)
}

// SetAllocation puts an allocation into the gateway. It replaces allocations that have one of its numbers. An empty
// AllocNo becomes that of the allocation it replaces, or a new number. It sends no notice.
func (g *Gateway) SetAllocation(a Allocation) {
	g.mu.Lock()
	defer g.done()
	for _, no := range []string{a.AllocNo, a.BizAllocNo} {
		if old := g.findAllocation(no); no != "" && old != nil {
			a.AllocNo = cmp.Or(a.AllocNo, old.AllocNo)
			g.db.forget("alloc", old.AllocNo, old.BizAllocNo)
			delete(g.db.Allocations, old.ID)
		}
	}
	now := g.now().Unix()
	row := allocation{
		AllocNo: a.AllocNo, BizAllocNo: a.BizAllocNo, OrderNo: a.OrderNo, BizOrderNo: a.BizOrderNo,
		Status:    string(a.Status),
		NotifyURL: optionalText(a.NotifyURL), Attach: optionalText(a.Attach), Result: ptr(resultSuccess),
		Created: now,
	}
	if row.AllocNo == "" {
		row.AllocNo = g.number("A")
	}
	if order := cmp.Or(g.db.paymentBy(a.OrderNo), g.db.paymentByBiz(a.BizOrderNo)); order != nil {
		row.OrderID, row.OrderNo, row.BizOrderNo, row.OutOrderNo = order.ID, order.OrderNo, order.BizOrderNo,
			order.OutOrderNo
		row.Title, row.Channel = &order.Title, &order.Channel
		order.AllocStatus = ptr(allocBegun)
	}
	result, state := detailSuccess, Succeeded.State
	switch row.Status {
	case allocProcessing:
		row.Result, result, state = ptr(resultPending), detailPending, ""
	case allocFailed:
		row.Result, result, state = ptr(resultFailed), detailFail, "fail"
	case allocFinish:
		row.FinishTime = &now
	}
	var parts []part
	for _, s := range a.Shares {
		d := detail{ReceiverNo: &s.ReceiverNo, Amount: s.Amount, Account: &s.ReceiverNo, Result: result}
		if result == detailSuccess {
			d.FinishTime = &now
		}
		row.Amount += s.Amount
		row.Details = append(row.Details, d)
		parts = append(parts, part{Account: s.ReceiverNo, State: state, At: now})
	}
	slices.Reverse(parts)
	g.channel.Allocations[row.AllocNo] = parts
	g.changes.named("parts", row.AllocNo)
	g.forgetBody("alloc:" + row.AllocNo)
	g.db.addAllocation(row)
}

// legacyNo returns the gateway's number of the order with an ID of 2.0.5.
func (g *Gateway) legacyNo(kind string, id int64) string {
	row := g.legacyIDs[kind+strconv.FormatInt(id, 10)]
	if p := g.db.payment(row); p != nil && kind == "pay" {
		return p.OrderNo
	}
	if f := g.db.refund(row); f != nil && kind == "refund" {
		return f.RefundNo
	}
	return ""
}

// Payment returns the present state of the payment with a number, the gateway's or the merchant's. ID is not set. The
// result is false if there is no such payment.
func (g *Gateway) Payment(number string) (Payment, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.findPayment(number)
	if p == nil || number == "" {
		return Payment{}, false
	}
	return Payment{
		OrderNo: p.OrderNo, BizOrderNo: p.BizOrderNo, Status: remoteOf(*g.trade(p)).status,
		Order: model.PayStatus(p.Status),
		Title: p.Title, Channel: model.Channel(p.Channel), Method: model.Method(p.Method), Amount: p.Amount,
		NotifyURL: deref(p.NotifyURL), Attach: deref(p.Attach), Allocation: p.Allocation,
	}, true
}

// refundSays returns the status of a refund at the channel.
func (g *Gateway) refundSays(f *refund) model.RefundSyncStatus {
	b := g.channel.Paybacks[f.RefundNo]
	switch {
	case b != nil && b.Says != "":
		return model.RefundSyncStatus(b.Says)
	case b != nil && b.Done:
		return model.RefundSyncSuccess
	}
	return model.RefundSyncProgress
}

// Refund returns the present state of the refund with a number, the gateway's or the merchant's. ID is not set. The
// result is false if there is no such refund.
func (g *Gateway) Refund(number string) (Refund, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.findRefund(number)
	if f == nil || number == "" {
		return Refund{}, false
	}
	return Refund{
		RefundNo: f.RefundNo, BizRefundNo: f.BizRefundNo, OrderNo: f.OrderNo, BizOrderNo: f.BizOrderNo,
		Status: g.refundSays(f),
		Order:  model.RefundStatus(f.Status), Amount: f.Amount, Reason: deref(f.Reason), NotifyURL: deref(f.NotifyURL),
		Attach: deref(f.Attach),
	}, true
}

// Allocation returns the present state of the allocation with a number, the gateway's or the merchant's. The result is
// false if there is no such allocation.
func (g *Gateway) Allocation(number string) (Allocation, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.findAllocation(number)
	if a == nil || number == "" {
		return Allocation{}, false
	}
	var shares []Share
	for _, d := range a.Details {
		shares = append(shares, Share{deref(d.ReceiverNo), d.Amount})
	}
	return Allocation{
		AllocNo: a.AllocNo, BizAllocNo: a.BizAllocNo, OrderNo: a.OrderNo, BizOrderNo: a.BizOrderNo,
		Status: model.AllocStatus(a.Status), Shares: shares, NotifyURL: deref(a.NotifyURL), Attach: deref(a.Attach),
	}, true
}

// Transfers returns every transfer, the oldest first, whether or not it was paid out. A transfer that was sent twice is
// there twice.
func (g *Gateway) Transfers() []Transfer {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []Transfer
	for _, t := range g.db.Transfers {
		list = append(list, Transfer{t.TransferNo, t.BizTransferNo, t.Amount, model.TransferStatus(t.Status)})
	}
	return list
}

// MarkPaid has the user pay and the channel tell the gateway, as Channel.Pays and Channel.Tells do; a lock that an
// earlier repair has left does not matter. It reports whether the payment is paid now; false if there is none with that
// number, the gateway's or the merchant's, or it was not in progress. 2.0.8 sends no notice of it, older gateways do.
func (g *Gateway) MarkPaid(number string) bool {
	g.mu.Lock()
	defer g.done()
	p := g.findPayment(number)
	if p == nil || p.Status != payProgress {
		return false
	}
	g.meet(p, tradePaid)
	delete(g.locks, "repair:pay:"+p.OrderNo)
	g.payCallback(p)
	return p.Status == paySuccess
}

// MarkRefunded makes a refund in progress a success, at the channel and at the gateway. It reports whether there is
// such a refund with that number, the gateway's or the merchant's. It sends no notice.
func (g *Gateway) MarkRefunded(number string) bool {
	g.mu.Lock()
	defer g.done()
	f := g.findRefund(number)
	if f == nil || f.Status != payProgress {
		return false
	}
	now := g.now().Unix()
	g.channel.Paybacks[f.RefundNo] = &payback{Done: true, At: now}
	g.changes.named("payback", f.RefundNo)
	f.Status, f.FinishTime = paySuccess, &now
	f.Version++
	if order := g.db.payment(f.OrderID); order != nil {
		g.setRefundStatus(order, refundPartial)
		if order.Balance == 0 {
			g.setRefundStatus(order, refundComplete)
		}
		order.Version++
	}
	return true
}

// MarkAllocated ends an allocation in progress with success for every receiver, at the channel and at the gateway. It
// reports whether there is such an allocation with that number, the gateway's or the merchant's. It sends no notice.
func (g *Gateway) MarkAllocated(number string) bool {
	g.mu.Lock()
	defer g.done()
	a := g.findAllocation(number)
	if a == nil || a.Status != allocProcessing {
		return false
	}
	now := g.now().Unix()
	results := make([]Result, len(a.Details))
	for i := range results {
		results[i] = Succeeded
	}
	g.allocate(a, results)
	for i := range a.Details {
		a.Details[i].Result, a.Details[i].FinishTime = detailSuccess, &now
	}
	a.Status, a.Result = allocEnd, ptr(resultSuccess)
	a.Version++
	return true
}

// MarkTransferred makes a transfer in progress a success at the gateway. It reports whether there is such a transfer
// with that number, the gateway's or the merchant's; of several it takes the first.
func (g *Gateway) MarkTransferred(number string) bool {
	g.mu.Lock()
	defer g.done()
	open := g.db.transfersBy(number, func(t *transfer) bool { return t.Status == transferOpen })
	if len(open) == 0 {
		return false
	}
	open[0].Status, open[0].SuccessTime = transferSuccess, g.seconds()
	return true
}
