package daxpaytest

import (
	"cmp"
	"slices"
	"strings"
)

// OrderKind is the kind of an order.
type OrderKind string

// The kinds of orders.
const (
	KindPay      OrderKind = "pay"
	KindRefund   OrderKind = "refund"
	KindTransfer OrderKind = "transfer"
	KindAlloc    OrderKind = "alloc"
)

// Order is an order of any kind as the gateway has it, for lists and pages. Times are Unix seconds, and 0 if there is
// none.
type Order struct {
	ID         int64 // newer orders have greater IDs
	Kind       OrderKind
	No         string // the gateway's number
	BizNo      string // the merchant's number
	OutNo      string // the channel's number
	OrderNo    string // the gateway's number of the payment that a refund or an allocation belongs to
	BizOrderNo string // the merchant's number of that payment
	Title      string
	Detail     string // description of a payment or an allocation; reason of a refund or a transfer
	Channel    string
	Method     string
	Amount     int64 // fen
	Refundable int64 // fen that can still be refunded
	Status     string
	// RefundStatus and AllocStatus are of a payment, Result is of an allocation.
	RefundStatus, AllocStatus, Result string
	// AtChannel is the state at the channel. Of a payment it is waiting, paid, finished, closed or returned, or a
	// status that SetPayment has set; of a refund that is done it is done. Otherwise it is empty.
	AtChannel string
	ErrorCode string
	ErrorMsg  string
	NotifyURL string
	ReturnURL string // where the customer goes after paying
	Attach    string
	Payee     string // type and account of a transfer's payee
	Created   int64
	Ended     int64       // when it was paid, refunded or paid out, or the allocation was finished
	Closed    int64       // of a payment
	Expires   int64       // of a payment
	Parts     []OrderPart // of an allocation, in the order of Channel.Allocates
}

// OrderPart is the share of one receiver in an allocation.
type OrderPart struct {
	ReceiverNo, Name    string
	Amount              int64  // fen
	Result              string // pending, success, fail or ignore
	ErrorCode, ErrorMsg string // the channel's
}

// OrderFilter selects the orders that Orders lists. The zero value selects all of them.
type OrderFilter struct {
	Kind   OrderKind // empty for all
	Status string    // of the order, its RefundStatus or its Result; empty for all
	Number string    // part of any of its numbers, in upper or lower case; empty for all
	Before int64     // only orders with a smaller ID; 0 for all
	Limit  int       // 0 for no limit
}

// Orders returns the orders that the filter selects, the newest first.
func (g *Gateway) Orders(filter OrderFilter) []Order {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []Order
	part := strings.ToLower(strings.TrimSpace(filter.Number))
	last := len(g.db.ages)
	if filter.Before > 0 {
		last, _ = slices.BinarySearchFunc(g.db.ages, filter.Before, func(r orderRef, id int64) int {
			return cmp.Compare(r.id, id)
		})
	}
	for _, ref := range slices.Backward(g.db.ages[:last]) {
		if filter.Kind != "" && ref.kind != filter.Kind || part != "" && !g.db.hasNumber(ref, part) {
			continue
		}
		if filter.Status != "" && !g.db.hasStatus(ref, filter.Status) {
			continue
		}
		if o, ok := g.orderOf(ref); ok {
			list = append(list, o)
		}
		if len(list) > 0 && len(list) == filter.Limit {
			break
		}
	}
	return list
}

// hasStatus reports whether an order has a status.
func (t *tables) hasStatus(ref orderRef, status string) bool {
	switch ref.kind {
	case KindPay:
		p := t.Payments[ref.id]
		return p != nil && (p.Status == status || p.RefundStatus == status)
	case KindRefund:
		f := t.Refunds[ref.id]
		return f != nil && f.Status == status
	case KindTransfer:
		x := t.transferByID(ref.id)
		return x != nil && x.Status == status
	case KindAlloc:
		a := t.Allocations[ref.id]
		return a != nil && (a.Status == status || deref(a.Result) == status)
	}
	return false
}

// hasNumber reports whether one of an order's numbers contains part, which is in lower case.
func (t *tables) hasNumber(ref orderRef, part string) bool {
	one := func(numbers ...string) bool {
		return slices.ContainsFunc(numbers, func(no string) bool { return containsFold(no, part) })
	}
	switch ref.kind {
	case KindPay:
		p := t.Payments[ref.id]
		return p != nil && one(p.OrderNo, p.BizOrderNo, deref(p.OutOrderNo))
	case KindRefund:
		f := t.Refunds[ref.id]
		return f != nil && one(f.RefundNo, f.BizRefundNo, deref(f.OutRefundNo), f.OrderNo, f.BizOrderNo)
	case KindTransfer:
		x := t.transferByID(ref.id)
		return x != nil && one(x.TransferNo, x.BizTransferNo, deref(x.OutTransferNo))
	case KindAlloc:
		a := t.Allocations[ref.id]
		return a != nil && one(a.AllocNo, a.BizAllocNo, deref(a.OutAllocNo), a.OrderNo, a.BizOrderNo)
	}
	return false
}

// containsFold is strings.Contains for a part in lower case; upper-case ASCII letters in s match as well.
func containsFold(s, part string) bool {
	for i := range len(s) - len(part) + 1 {
		at := 0
		for at < len(part) {
			c := s[i+at]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if c != part[at] {
				break
			}
			at++
		}
		if at == len(part) {
			return true
		}
	}
	return false
}

// OrderCounts returns how many orders there are of each kind.
func (g *Gateway) OrderCounts() map[OrderKind]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return map[OrderKind]int{KindPay: len(g.db.Payments), KindRefund: len(g.db.Refunds),
		KindTransfer: len(g.db.Transfers), KindAlloc: len(g.db.Allocations)}
}

// Order finds an order by the gateway's number or the merchant's. An empty kind stands for all kinds, in the order of
// the constants. A payment is also found by the channel's number. Of several transfers with the same number Order
// returns the first.
func (g *Gateway) Order(kind OrderKind, number string) (Order, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if number == "" {
		return Order{}, false
	}
	for _, k := range []OrderKind{KindPay, KindRefund, KindTransfer, KindAlloc} {
		if kind != "" && kind != k {
			continue
		}
		ref := orderRef{kind: k}
		switch k {
		case KindPay:
			if p := g.findPayment(number); p != nil {
				ref.id = p.ID
			}
		case KindRefund:
			if f := g.findRefund(number); f != nil {
				ref.id = f.ID
			}
		case KindAlloc:
			if a := g.findAllocation(number); a != nil {
				ref.id = a.ID
			}
		case KindTransfer:
			if l := g.db.transfers[collated(number)]; len(l) > 0 {
				ref.id = l[0].ID
			}
		}
		if o, ok := g.orderOf(ref); ok {
			return o, true
		}
	}
	for no, t := range g.channel.Trades {
		if p := g.db.Payments[g.db.byNumber["pay/"+collated(no)]]; t.TradeNo == number && p != nil {
			return g.orderOf(orderRef{KindPay, p.ID})
		}
	}
	return Order{}, false
}

func derefNumber(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// orderOf reads a row without counting it as changed.
func (g *Gateway) orderOf(ref orderRef) (Order, bool) {
	switch ref.kind {
	case KindPay:
		if p := g.db.Payments[ref.id]; p != nil {
			return g.payOf(p), true
		}
	case KindRefund:
		if f := g.db.Refunds[ref.id]; f != nil {
			return g.refundAsOrder(f), true
		}
	case KindTransfer:
		if t := g.db.transferByID(ref.id); t != nil {
			return t.order(), true
		}
	case KindAlloc:
		if a := g.db.Allocations[ref.id]; a != nil {
			return a.order(), true
		}
	}
	return Order{}, false
}

func (g *Gateway) payOf(p *payment) Order {
	o := Order{
		ID: p.ID, Kind: KindPay, No: p.OrderNo, BizNo: p.BizOrderNo, OutNo: deref(p.OutOrderNo), Title: p.Title,
		Detail: deref(p.Description), Channel: p.Channel, Method: p.Method, Amount: p.Amount, Refundable: p.Balance,
		Status: p.Status, RefundStatus: p.RefundStatus, AllocStatus: deref(p.AllocStatus),
		ErrorCode: deref(p.ErrorCode), ErrorMsg: deref(p.ErrorMsg), NotifyURL: deref(p.NotifyURL),
		ReturnURL: deref(p.ReturnURL), Attach: deref(p.Attach), Created: p.Created, Ended: derefNumber(p.PayTime),
		Closed: derefNumber(p.CloseTime), Expires: derefNumber(p.ExpiredTime),
	}
	if t := g.channel.Trades[p.OrderNo]; t != nil {
		o.AtChannel = cmp.Or(t.State, t.Says)
	}
	return o
}

func (g *Gateway) refundAsOrder(f *refund) Order {
	o := Order{
		ID: f.ID, Kind: KindRefund, No: f.RefundNo, BizNo: f.BizRefundNo, OutNo: deref(f.OutRefundNo),
		OrderNo: f.OrderNo, BizOrderNo: f.BizOrderNo, Title: deref(f.Title), Detail: deref(f.Reason),
		Channel: deref(f.Channel), Amount: f.Amount, Status: f.Status, ErrorCode: deref(f.ErrorCode),
		ErrorMsg: deref(f.ErrorMsg), NotifyURL: deref(f.NotifyURL), Attach: deref(f.Attach), Created: f.Created,
		Ended: derefNumber(f.FinishTime),
	}
	if b := g.channel.Paybacks[f.RefundNo]; b != nil && b.Done {
		o.AtChannel = "done"
	}
	return o
}

func (t *transfer) order() Order {
	return Order{
		ID: t.ID, Kind: KindTransfer, No: t.TransferNo, BizNo: t.BizTransferNo, OutNo: deref(t.OutTransferNo),
		Title: deref(t.Title), Detail: deref(t.Reason), Channel: t.Channel, Amount: t.Amount, Status: t.Status,
		ErrorCode: deref(t.ErrorCode), ErrorMsg: deref(t.ErrorMsg), Attach: deref(t.Attach),
		Payee: strings.TrimSpace(deref(t.PayeeType) + " " + deref(t.PayeeAccount)), Created: t.Created,
		Ended: derefNumber(t.SuccessTime),
	}
}

func (a *allocation) order() Order {
	o := Order{
		ID: a.ID, Kind: KindAlloc, No: a.AllocNo, BizNo: a.BizAllocNo, OutNo: deref(a.OutAllocNo),
		OrderNo: a.OrderNo, BizOrderNo: a.BizOrderNo, Title: deref(a.Title), Detail: deref(a.Description),
		Channel: deref(a.Channel), Amount: a.Amount, Status: a.Status, Result: deref(a.Result),
		ErrorCode: deref(a.ErrorCode), ErrorMsg: deref(a.ErrorMsg), NotifyURL: deref(a.NotifyURL),
		Attach: deref(a.Attach), Created: a.Created, Ended: derefNumber(a.FinishTime),
	}
	for _, d := range slices.Backward(a.Details) {
		o.Parts = append(o.Parts, OrderPart{
			deref(d.ReceiverNo), deref(d.Name), d.Amount, d.Result, deref(d.ErrorCode), deref(d.ErrorMsg),
		})
	}
	return o
}
