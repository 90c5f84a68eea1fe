package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// The statuses that the shop itself gives to an order. The others are the gateway's.
const (
	isOpen  = ""
	refused = "refused"       // the gateway refused it, and that proves that nothing happened
	never   = "never arrived" // the gateway does not have it, and that proves the same
)

// row is an order in the shop's table. The table is all that survives a crash.
type row struct {
	kind    reconcile.Kind
	no      string
	want    int // what the order is for: if an order does nothing, another number for the same want replaces it
	amount  int64
	channel model.Channel // of a payment
	method  model.Method
	expires time.Time
	payment string // the gateway's number of the payment that is refunded or allocated
	paid    *row   // the same, if it is in the table

	sends     int       // how often it was sent, counted before the call
	sent      time.Time // before the latest call
	gatewayNo string    // of an allocation

	status   string
	settled  time.Time
	effects  map[string]int          // how often a status took effect
	failures int                     // how often it was sent again because it had failed
	absences int                     // how often it was sent again because the gateway did not have it
	why      daxpay.UnresolvedReason // what a person was told
	finish   finishing               // of an allocation
}

// finishing is the progress of finishing an allocation.
type finishing int

const (
	notToFinish finishing = iota
	toFinish
	finishSent
	finished
)

// isOver reports whether the order is a payment that ended without success. It may still be paid.
func (r *row) isOver() bool {
	return r.kind == reconcile.Pay &&
		(r.status == string(model.PayClose) || r.status == string(model.PayCancel) || r.status == string(model.PayFail))
}

// settle is the conditional update: an open order takes any status, and a payment that is over takes success. It
// reports whether it changed the row; the effects belong to the same transaction.
func (r *row) settle(status string, standing model.Standing) bool {
	if r.status != isOpen && (!r.isOver() || standing != model.Succeeded) {
		return false
	}
	r.status = status
	r.effects[status]++
	return true
}

// table is the shop's table of orders.
type table struct {
	rows []*row
	byNo map[string]*row
}

func (t *table) add(r *row) {
	r.effects = make(map[string]int)
	t.rows = append(t.rows, r)
	t.byNo[string(r.kind)+" "+r.no] = r
}

func (t *table) find(kind reconcile.Kind, no string) *row { return t.byNo[string(kind)+" "+no] }

// watched is for how long after its expiry a payment that is over is listed.
const watched = time.Hour

// Open implements reconcile.Source: it selects the open orders, and the payments that are over but may still be paid.
func (p *process) Open(_ context.Context, kind reconcile.Kind, after string, limit int) ([]reconcile.Order, error) {
	if p.dies() || p.shop.chance(2) {
		return nil, errDatabase
	}
	var list []reconcile.Order
	for _, r := range p.shop.table.rows {
		over := r.isOver() && p.shop.now().Before(r.expires.Add(watched))
		if r.kind == kind && r.sends > 0 && r.no > after && (r.status == isOpen || over) {
			list = append(list, reconcile.Order{
				No: r.no, Made: r.sent, Amount: r.amount, GatewayNo: r.gatewayNo, Ended: over,
			})
		}
	}
	slices.SortFunc(list, func(a, b reconcile.Order) int { return strings.Compare(a.No, b.No) })
	return list[:min(len(list), limit)], nil
}

var errDatabase = errors.New("the database is away")

// commit runs a transaction. It fails now and then, and the process can die before it or right after it.
func (p *process) commit(change func()) error {
	s := p.shop
	s.database.Lock()
	defer s.database.Unlock()
	if s.calm {
		change()
		return nil
	}
	if p.dies() || s.chance(3) {
		return errDatabase
	}
	change()
	if p.dies() {
		return errDatabase
	}
	return nil
}

// settle stores how an order ended. by is the figure that counts it.
func (p *process) settle(r *row, amount int64, status string, standing model.Standing, by figure) error {
	if amount != r.amount {
		return errors.New("the amount is another one")
	}
	p.shop.told(r, status, standing, by)
	return p.commit(func() {
		if r.settle(status, standing) {
			r.settled = p.shop.now()
			p.shop.books.count[by]++
			p.shop.settled(r, standing)
		}
	})
}
