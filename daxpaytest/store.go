package daxpaytest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
)

// The gateway's tables. A call works on copies of rows and writes them back. The write fails if another call has
// written the row in between, and except in a few columns a null does not overwrite a value. All of this shows in the
// gateway's answers.

// payment is a row of the payments.
type payment struct {
	ID, Version     int64
	OrderNo         string
	BizOrderNo      string
	OutOrderNo      *string
	Title           string
	Description     *string
	Allocation      bool
	Channel, Method string
	Amount          int64
	Balance         int64 // what can still be refunded
	Status          string
	RefundStatus    string
	AllocStatus     *string
	PayTime         *int64
	CloseTime       *int64
	ExpiredTime     *int64
	ErrorCode       *string
	ErrorMsg        *string
	NotifyURL       *string
	ReturnURL       *string
	Attach          *string
	Created         int64
}

// refund is a row of the refunds.
type refund struct {
	ID, Version         int64
	RefundNo            string
	BizRefundNo         string
	OutRefundNo         *string
	OrderID             int64
	OrderNo, BizOrderNo string
	OutOrderNo          *string
	Title               *string
	Channel             *string
	OrderAmount         *int64
	Amount              int64
	Reason              *string
	Status              string
	FinishTime          *int64
	ErrorCode           *string
	ErrorMsg            *string
	NotifyURL           *string
	Attach              *string
	Created             int64
}

// transfer is a row of the transfers.
type transfer struct {
	ID            int64
	TransferNo    string
	BizTransferNo string
	OutTransferNo *string
	Channel       string
	Amount        int64
	Title         *string
	Reason        *string
	PayeeType     *string
	PayeeAccount  *string
	PayeeName     *string
	Status        string
	SuccessTime   *int64
	ErrorCode     *string
	ErrorMsg      *string
	Attach        *string
	Created       int64

	gone bool // dropForgotten removes it
}

// allocation is a row of the allocations, with those of its details.
type allocation struct {
	ID, Version         int64
	AllocNo             string
	BizAllocNo          string
	OutAllocNo          *string
	OrderID             int64
	OrderNo, BizOrderNo string
	OutOrderNo          *string
	Title               *string
	Channel             *string
	Amount              int64
	Description         *string
	Status              string
	Result              *string
	FinishTime          *int64
	ErrorCode           *string
	ErrorMsg            *string
	NotifyURL           *string
	Attach              *string
	Created             int64
	Details             []detail // the last one first, as the gateway lists them
}

// detail is the share of one receiver in an allocation.
type detail struct {
	ReceiverNo *string
	Amount     int64
	Rate       *int64
	Type       *string
	Account    *string
	Name       *string
	Result     string
	ErrorCode  *string
	ErrorMsg   *string
	FinishTime *int64
}

// receiver is a row of the receivers.
type receiver struct {
	ID           int64
	ReceiverNo   string
	Channel      string
	Type         string
	Account      string
	Name         *string
	RelationType string
	RelationName *string
}

// tables are all rows, with indexes.
type tables struct {
	Rows        int64 // how many were ever made
	Payments    map[int64]*payment
	Refunds     map[int64]*refund
	Transfers   []*transfer
	Allocations map[int64]*allocation
	Receivers   []*receiver

	byNumber  map[string]int64
	transfers map[string][]*transfer // by the gateway's number and by the merchant's
	ages      []orderRef             // of all orders, the oldest first; some may be forgotten
	changes   changes
}

// orderRef names an order of any kind.
type orderRef struct {
	kind OrderKind
	id   int64
}

func newTables() *tables {
	t := &tables{Payments: make(map[int64]*payment), Refunds: make(map[int64]*refund),
		Allocations: make(map[int64]*allocation)}
	t.index()
	return t
}

// index builds the indexes from the rows.
func (t *tables) index() {
	t.byNumber, t.transfers, t.ages = make(map[string]int64), make(map[string][]*transfer), nil
	for id, p := range t.Payments {
		t.remember("pay", id, p.OrderNo, p.BizOrderNo)
		t.ages = append(t.ages, orderRef{KindPay, id})
	}
	for id, f := range t.Refunds {
		t.remember("refund", id, f.RefundNo, f.BizRefundNo)
		t.ages = append(t.ages, orderRef{KindRefund, id})
	}
	for id, a := range t.Allocations {
		t.remember("alloc", id, a.AllocNo, a.BizAllocNo)
		t.ages = append(t.ages, orderRef{KindAlloc, id})
	}
	for _, x := range t.Transfers {
		t.indexTransfer(x)
		t.ages = append(t.ages, orderRef{KindTransfer, x.ID})
	}
	slices.SortFunc(t.ages, func(a, b orderRef) int { return cmp.Compare(a.id, b.id) })
}

func (t *tables) indexTransfer(x *transfer) {
	no, bizNo := collated(x.TransferNo), collated(x.BizTransferNo)
	t.transfers[no] = append(t.transfers[no], x)
	if bizNo != no {
		t.transfers[bizNo] = append(t.transfers[bizNo], x)
	}
}

// collated returns the part of a text that the database compares: case and spaces at its end do not count.
func collated(s string) string { return strings.ToLower(strings.TrimRight(s, " ")) }

func sameText(a, b string) bool { return a == b || collated(a) == collated(b) }

func (t *tables) remember(kind string, id int64, no, bizNo string) {
	if no != "" {
		t.byNumber[kind+"/"+collated(no)] = id
	}
	if bizNo != "" {
		t.byNumber[kind+"/biz/"+collated(bizNo)] = id
	}
}

func (t *tables) forget(kind, no, bizNo string) {
	delete(t.byNumber, kind+"/"+collated(no))
	delete(t.byNumber, kind+"/biz/"+collated(bizNo))
}

// payment, refund and allocation return a row that the caller may change.
func (t *tables) payment(id int64) *payment {
	t.changes.row("pay", id)
	return t.Payments[id]
}

func (t *tables) refund(id int64) *refund {
	t.changes.row("refund", id)
	return t.Refunds[id]
}

func (t *tables) allocation(id int64) *allocation {
	t.changes.row("alloc", id)
	return t.Allocations[id]
}

func (t *tables) paymentBy(no string) *payment { return t.payment(t.byNumber["pay/"+collated(no)]) }
func (t *tables) paymentByBiz(no string) *payment {
	return t.payment(t.byNumber["pay/biz/"+collated(no)])
}
func (t *tables) refundBy(no string) *refund { return t.refund(t.byNumber["refund/"+collated(no)]) }
func (t *tables) refundByBiz(no string) *refund {
	return t.refund(t.byNumber["refund/biz/"+collated(no)])
}
func (t *tables) allocationBy(no string) *allocation {
	return t.allocation(t.byNumber["alloc/"+collated(no)])
}

func (t *tables) allocationByBiz(no string) *allocation {
	return t.allocation(t.byNumber["alloc/biz/"+collated(no)])
}

// transfersBy returns the transfers with a number, the gateway's or the merchant's, for which match is true, the oldest
// first.
func (t *tables) transfersBy(no string, match func(*transfer) bool) (found []*transfer) {
	for _, x := range t.transfers[collated(no)] {
		if match(x) {
			t.changes.row("transfer", x.ID)
			found = append(found, x)
		}
	}
	return found
}

func (t *tables) receiver(no string) *receiver {
	for _, r := range t.Receivers {
		if sameText(r.ReceiverNo, no) {
			return r
		}
	}
	return nil
}

func (t *tables) nextID() int64 { t.Rows++; return t.Rows }

func (t *tables) addPayment(p payment) payment {
	p.ID = t.nextID()
	t.Payments[p.ID] = &p
	t.added(KindPay, p.ID)
	t.remember("pay", p.ID, p.OrderNo, p.BizOrderNo)
	return p
}

func (t *tables) addRefund(f refund) refund {
	f.ID = t.nextID()
	t.Refunds[f.ID] = &f
	t.added(KindRefund, f.ID)
	t.remember("refund", f.ID, f.RefundNo, f.BizRefundNo)
	return f
}

func (t *tables) addAllocation(a allocation) allocation {
	a.ID = t.nextID()
	row := a
	row.Details = slices.Clone(a.Details)
	t.Allocations[a.ID] = &row
	t.added(KindAlloc, a.ID)
	t.remember("alloc", a.ID, a.AllocNo, a.BizAllocNo)
	return a
}

func (t *tables) addTransfer(x *transfer) {
	x.ID = t.nextID()
	t.Transfers = append(t.Transfers, x)
	t.indexTransfer(x)
	t.added(KindTransfer, x.ID)
}

func (t *tables) added(kind OrderKind, id int64) {
	t.ages = append(t.ages, orderRef{kind, id})
	t.changes.row(string(kind), id)
}

// transaction collects how to undo writes.
type transaction struct{ undo []func() }

func (x *transaction) rollback() {
	for _, undo := range slices.Backward(x.undo) {
		undo()
	}
	x.undo = nil
}

// keep returns value, or old if value is nil: a null does not overwrite.
func keep[T any](value, old *T) *T {
	if value == nil {
		return old
	}
	return value
}

// savePayment writes a copy of a row back. The transaction may be nil.
func (g *Gateway) savePayment(x *transaction, p *payment) error {
	row := g.db.payment(p.ID)
	if row == nil || row.Version != p.Version {
		return outOfDate()
	}
	old := *row
	p.Version++
	*row = *p
	row.OutOrderNo, row.Description, row.AllocStatus = keep(p.OutOrderNo, old.OutOrderNo),
		keep(p.Description, old.Description), keep(p.AllocStatus, old.AllocStatus)
	row.ExpiredTime, row.Attach = keep(p.ExpiredTime, old.ExpiredTime), keep(p.Attach, old.Attach)
	if x != nil {
		x.undo = append(x.undo, func() { *row = old; g.changes.row("pay", row.ID) })
	}
	return nil
}

func (g *Gateway) saveRefund(x *transaction, f *refund) error {
	row := g.db.refund(f.ID)
	if row == nil || row.Version != f.Version {
		return outOfDate()
	}
	old := *row
	f.Version++
	*row = *f
	row.OutRefundNo, row.Reason, row.FinishTime = keep(f.OutRefundNo, old.OutRefundNo), keep(f.Reason, old.Reason),
		keep(f.FinishTime, old.FinishTime)
	row.Attach, row.ErrorCode, row.ErrorMsg = keep(f.Attach, old.Attach), keep(f.ErrorCode, old.ErrorCode),
		keep(f.ErrorMsg, old.ErrorMsg)
	if x != nil {
		x.undo = append(x.undo, func() { *row = old; g.changes.row("refund", row.ID) })
	}
	return nil
}

// saveAllocation writes a copy of a row back, without its details.
func (g *Gateway) saveAllocation(x *transaction, a *allocation) error {
	row := g.db.allocation(a.ID)
	if row == nil || row.Version != a.Version {
		return outOfDate()
	}
	old := *row
	a.Version++
	*row = *a
	row.Details = old.Details
	row.OutAllocNo, row.FinishTime, row.Attach = keep(a.OutAllocNo, old.OutAllocNo),
		keep(a.FinishTime, old.FinishTime), keep(a.Attach, old.Attach)
	if g.current() {
		row.ErrorCode, row.ErrorMsg = keep(a.ErrorCode, old.ErrorCode), keep(a.ErrorMsg, old.ErrorMsg)
	}
	if x != nil {
		x.undo = append(x.undo, func() { *row = old; g.changes.row("alloc", row.ID) })
	}
	return nil
}

func (g *Gateway) saveDetails(x *transaction, a *allocation) {
	row := g.db.allocation(a.ID)
	old := row.Details
	row.Details = slices.Clone(a.Details)
	for i := range min(len(row.Details), len(old)) {
		d, was := &row.Details[i], old[i]
		d.ErrorCode, d.ErrorMsg, d.FinishTime = keep(d.ErrorCode, was.ErrorCode), keep(d.ErrorMsg, was.ErrorMsg),
			keep(d.FinishTime, was.FinishTime)
	}
	x.undo = append(x.undo, func() { row.Details = old; g.changes.row("alloc", row.ID) })
}

// copyOf returns a copy of an allocation with details of its own.
func (a *allocation) copyOf() *allocation {
	c := *a
	c.Details = slices.Clone(a.Details)
	return &c
}

// lockTime is after what time a lock ends by itself.
const lockTime = 10 * time.Second

// lock keeps other calls of the same kind away from an order while a call works on it.
type lock struct {
	token int64
	until time.Time
}

// acquire takes a lock and returns the function that releases it, or nil if another call has the lock. bizNo is the
// merchant's number of the order: Lock locks by that.
func (g *Gateway) acquire(key, bizNo string) func() {
	now := g.now()
	if held, ok := g.locks[key]; ok && now.Before(held.until) || g.locked[bizNo] {
		return nil
	}
	token := g.db.nextID()
	g.locks[key] = lock{token, now.Add(lockTime)}
	return func() {
		if g.locks[key].token == token {
			delete(g.locks, key)
		}
	}
}

// Lock makes the gateway behave as if another call were working on an order, until Unlock. bizNo is the merchant's
// number. Pay and Refund then answer without a result; most other calls that take a lock fail with code 10007.
func (g *Gateway) Lock(bizNo string) {
	g.mu.Lock()
	defer g.done()
	g.locked[bizNo] = true
	g.changes.named("rest", "")
}

// Unlock ends Lock. It does nothing if the order is not locked.
func (g *Gateway) Unlock(bizNo string) {
	g.mu.Lock()
	defer g.done()
	delete(g.locked, bizNo)
	g.changes.named("rest", "")
}

// seconds returns the gateway's time in Unix seconds.
func (g *Gateway) seconds() *int64 { return ptr(g.now().Unix()) }

// oldest reports whether the gateway is 2.0.5.
func (g *Gateway) oldest() bool { return g.version == daxpay.GatewayV205 }
