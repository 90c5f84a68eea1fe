package main

import (
	"encoding/json"
	"math"
	"time"

	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// truth is what the channel did with an order, as far as the gateway does not show it.
type truth struct {
	planned bool // what the user or the channel will do is decided
	doomed  bool // the channel never does it
	paidOut int  // how often a transfer was paid out
	shares  int  // of an allocation: 1 if the channel has it, 2 if it has settled every share
	done    bool // an allocation is finished
	// synced is who made the latest sync that said that a payment was paid: byWait or byReconciler, or 0.
	synced figure
}

// behaviour is how the channel handles one request.
type behaviour int

const (
	obeys behaviour = iota
	timesOut
	refuses
	breaks
	takes
)

// operations are the operations that the calls ask the channel for.
var operations = map[string]daxpaytest.Operation{
	"/unipay/pay":               daxpaytest.OpPay,
	"/unipay/close":             daxpaytest.OpClose,
	"/unipay/cancel":            daxpaytest.OpCancel,
	"/unipay/refund":            daxpaytest.OpRefund,
	"/unipay/transfer":          daxpaytest.OpTransfer,
	"/unipay/allocation/start":  daxpaytest.OpAllocation,
	"/unipay/allocation/finish": daxpaytest.OpAllocationFinish,
	"/unipay/sync/pay":          daxpaytest.OpPaySync,
	"/unipay/sync/refund":       daxpaytest.OpRefundSync,
	"/unipay/sync/allocation":   daxpaytest.OpAllocationSync,
}

// read finds out what a request is about.
func (s *shop) read(m *sending) *call {
	var n struct{ BizOrderNo, BizOrderNoeNo, BizRefundNo, BizTransferNo, BizAllocNo, AllocNo string }
	if err := json.Unmarshal(m.body, &n); err != nil {
		panic(err) // a mistake in the client
	}
	c := &call{path: m.request.URL.Path, operation: operations[m.request.URL.Path]}
	find := func(kind reconcile.Kind, no string) {
		if r := s.table.find(kind, no); no != "" && c.order == nil {
			c.no, c.order = no, r
		}
	}
	find(reconcile.Refund, n.BizRefundNo)
	find(reconcile.Transfer, n.BizTransferNo)
	find(reconcile.Allocation, n.BizAllocNo)
	if a, ok := s.gateway.Allocation(n.AllocNo); ok && n.AllocNo != "" {
		find(reconcile.Allocation, a.BizAllocNo)
	}
	find(reconcile.Pay, n.BizOrderNo)
	find(reconcile.Pay, n.BizOrderNoeNo)
	return c
}

// truthOf returns what the channel did with an order.
func (s *shop) truthOf(kind reconcile.Kind, no string) *truth {
	key := string(kind) + " " + no
	t := s.truth[key]
	if t == nil {
		t = &truth{doomed: kind == reconcile.Allocation && s.chance(2)}
		s.truth[key] = t
	}
	return t
}

// behave chooses how the channel handles a request.
func (s *shop) behave(about *call) behaviour {
	op := about.operation
	if op == "" || s.depth > 0 {
		return obeys
	}
	channel := s.gateway.Channel()
	n := s.random.IntN(100)
	if about.order != nil && op == daxpaytest.OpAllocation && s.truthOf(about.order.kind, about.no).doomed {
		n = 10
	}
	takesIt := op == daxpaytest.OpRefund || op == daxpaytest.OpTransfer ||
		op == daxpaytest.OpPay && about.order != nil && about.order.method == model.MethodBarCode
	switch {
	case n < 9:
		s.books.count[timeouts]++
		channel.TimesOut(op)
		return timesOut
	case n < 13:
		s.books.count[refusals]++
		channel.Refuses(op, "ACQ.SYSTEM_ERROR", "系统繁忙")
		return refuses
	case n < 17:
		s.books.count[breakdowns]++
		channel.Breaks(op)
		return breaks
	case n < 35 && takesIt:
		channel.Takes(op)
		return takes
	}
	return obeys
}

// obey ends the behaviour.
func (s *shop) obey() {
	if s.depth > 0 {
		return // it belongs to the call that waits
	}
	for _, op := range operations {
		s.gateway.Channel().Obeys(op)
	}
}

// acted notes what the channel did because of a request, and plans what it and its users do next.
func (s *shop) acted(about *call, b behaviour, answer []byte) {
	r := about.order
	if r == nil {
		return
	}
	t := s.truthOf(r.kind, r.no)
	did := b == obeys || b == timesOut
	switch about.operation {
	case daxpaytest.OpPay:
		if _, ok := s.gateway.Payment(r.no); ok && (did || b == takes) && !t.planned {
			t.planned = true
			s.planPayment(r)
		}
	case daxpaytest.OpRefund:
		if f, ok := s.gateway.Refund(r.no); ok && b == takes && f.Order == model.RefundProgress && !t.planned {
			t.planned = true
			s.planRefund(r)
		}
	case daxpaytest.OpTransfer:
		s.transferred(r, t, b)
	case daxpaytest.OpAllocation:
		if a, ok := s.gateway.Allocation(r.no); ok && did && t.shares == 0 &&
			(a.Status == model.AllocProcessing || b == timesOut) {
			t.shares = 1
			s.planShares(r, t)
		}
	case daxpaytest.OpAllocationFinish:
		a, _ := s.gateway.Allocation(r.no)
		t.done = t.done || a.Status == model.AllocFinish || b == timesOut && a.Status == "finish_failed"
	case daxpaytest.OpPaySync:
		s.synchronized(r, answer)
	}
}

// synchronized notes what a sync of a payment did. Some payments that it closed are paid right afterwards, while the
// lock of the repair still keeps the next sync from changing anything.
func (s *shop) synchronized(r *row, answer []byte) {
	p, _ := s.gateway.Payment(r.no)
	switch {
	case p.Order != model.PaySuccess && statusIn(answer) == string(model.PaySyncSuccess):
		s.books.count[lockedRepairs]++
	case p.Order == model.PayClose && r.status == isOpen && s.chance(40):
		s.plan(s.within(8*time.Second), func() { s.pays(r) })
	}
}

// statusIn returns the status in an answer.
func statusIn(answer []byte) string {
	var envelope struct{ Data struct{ Status string } }
	if json.Unmarshal(answer, &envelope) != nil {
		return ""
	}
	return envelope.Data.Status
}

// transferred notes whether the channel paid out a transfer.
func (s *shop) transferred(r *row, t *truth, b behaviour) {
	var last *daxpaytest.Transfer
	sends := 0
	for _, has := range s.gateway.Transfers() {
		if has.BizTransferNo == r.no {
			last, sends = &has, sends+1
		}
	}
	switch {
	case last == nil:
	case last.Status == model.TransferSuccess, b == timesOut && last.Status == model.TransferFail:
		t.paidOut++
	case b == takes && last.Status == model.TransferTransferring && !s.off:
		s.plan(s.within(20*time.Minute), func() {
			if s.gateway.MarkTransferred(r.no) {
				t.paidOut++
			}
		})
	}
}

// within returns a random time up to a limit.
func (s *shop) within(limit time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(limit)))
}

// planPayment decides what the customer does.
func (s *shop) planPayment(r *row) {
	ch := s.gateway.Channel()
	soon := time.Duration(float64(20*time.Second) * math.Exp(0.8*s.random.NormFloat64()))
	if r.channel == model.ChannelWallet {
		return
	}
	switch n := s.random.IntN(100); {
	case n < 10: // never opens it
	case n < 65:
		s.plan(soon/2, func() { s.opens(r) })
		s.plan(soon, func() { s.pays(r) })
	case n < 72:
		s.plan(soon/2, func() { s.opens(r) })
		s.plan(soon, func() {
			if s.payable(r) {
				ch.Closes(r.no)
			}
		})
	case n < 87: // pays at any time until some minutes after it expired, without opening it first
		s.plan(s.within(max(1, r.expires.Sub(s.now())+latest)), func() { s.pays(r) })
	case n < 92: // pays, and is refunded outside the gateway before the gateway knows
		s.plan(soon, func() {
			if s.payable(r) {
				ch.Returns(r.no)
			}
		})
	default: // opens it, and does not pay
		s.plan(soon, func() { s.opens(r) })
	}
}

// latest is how long after its expiry a payment can still be paid: the channel's clock is not the gateway's.
const latest = 4 * time.Minute

// payable reports whether the channel still takes money for the payment.
func (s *shop) payable(r *row) bool {
	p, ok := s.gateway.Payment(r.no)
	return ok && s.now().Before(r.expires.Add(latest)) &&
		(p.Status == model.PaySyncNotFoundUnknown || p.Status == model.PaySyncProgress)
}

func (s *shop) opens(r *row) {
	if s.payable(r) {
		s.gateway.Channel().Waits(r.no)
	}
}

// pays is the customer's payment. Usually the channel tells the gateway.
func (s *shop) pays(r *row) {
	if !s.payable(r) {
		return
	}
	s.gateway.Channel().Pays(r.no)
	if p, _ := s.gateway.Payment(r.no); p.Order != model.PayProgress || !s.now().Before(r.expires) {
		s.books.count[latePayments]++
	}
	if s.chance(80) {
		s.plan(time.Second, func() { s.tells(r) })
	}
}

// tells is the channel's callback, after which 2.0.8 sends no notice.
func (s *shop) tells(r *row) {
	before, _ := s.gateway.Payment(r.no)
	s.gateway.Channel().Tells(r.no)
	if after, _ := s.gateway.Payment(r.no); before.Order != model.PaySuccess && after.Order == model.PaySuccess {
		s.books.count[silentPayments]++
	}
}

// planRefund decides when a refund that the channel has accepted is done. The gateway closes some of them before that;
// those may be done or not.
func (s *shop) planRefund(r *row) {
	if s.chance(12) {
		s.plan(s.within(2*time.Minute), func() { s.closeRefund(r) })
		return
	}
	s.plan(s.within(20*time.Minute), func() { s.gateway.Channel().Refunds(r.no) })
}

// closeRefund makes the gateway close a refund, which it does with other channels and databases than daxpaytest has.
func (s *shop) closeRefund(r *row) {
	f, ok := s.gateway.Refund(r.no)
	if !ok || f.Order != model.RefundProgress {
		return
	}
	f.Order, f.Status = model.RefundClose, model.RefundSyncFail
	if s.chance(50) {
		f.Status = model.RefundSyncSuccess
	}
	s.gateway.SetRefund(f)
}

// planShares decides what becomes of the shares of an allocation: all at once, or one after the other.
func (s *shop) planShares(r *row, t *truth) {
	result := func() daxpaytest.Result {
		if s.chance(10) {
			return daxpaytest.Failed("ERR", "账户不存在")
		}
		return daxpaytest.Succeeded
	}
	first, second := result(), result()
	when := s.within(10 * time.Minute)
	if s.chance(40) {
		s.plan(when, func() { s.gateway.Channel().Allocates(r.no, first, daxpaytest.Pending) })
		when += s.within(10 * time.Minute)
	}
	s.plan(when, func() {
		s.gateway.Channel().Allocates(r.no, first, second)
		t.shares = 2
	})
}

// operate is what the operator of the gateway does: he switches a call, or the channel, off for a while.
func (s *shop) operate() {
	if s.off || !s.chance(4) {
		return
	}
	s.off = true
	if s.chance(50) {
		path := []string{"/unipay/pay", "/unipay/refund", "/unipay/transfer", "/unipay/allocation/start"}[s.random.IntN(4)]
		s.gateway.SwitchOff(path)
		s.plan(30*time.Second, func() { s.gateway.SwitchOn(path); s.off = false })
		return
	}
	enable := func(on bool) {
		s.gateway.SetChannel(model.ChannelAli, func(c *daxpaytest.ChannelSettings) { c.Enabled = on })
	}
	enable(false)
	s.plan(30*time.Second, func() { enable(true); s.off = false })
}

// told is what the client says of an order, whether the shop needs it or not. It must not say that a payment is over
// right after a sync that said that it was paid.
func (s *shop) told(r *row, status string, standing model.Standing, by figure) {
	if standing == model.Ended && by == s.truthOf(r.kind, r.no).synced {
		s.wrong(wronglyRefused, "%s %s is called %s after a sync that said that it was paid", r.kind, r.no, status)
	}
}

// settled is told of every row that gets a status.
func (s *shop) settled(r *row, standing model.Standing) {
	if standing != model.Succeeded {
		return
	}
	if done, what := s.asked(r); !done {
		s.wrong(wronglyDone, "%s %s is called %s; the channel: %s", r.kind, r.no, r.status, what)
	}
	if r.kind == reconcile.Allocation && s.chance(50) {
		r.finish = toFinish
	}
	if r.kind == reconcile.Pay && r.channel == model.ChannelAli && s.chance(2) {
		s.gateway.Channel().Finishes(r.no) // no refund is possible any more
	}
}

// failed gets the errors of the reconciler. A panic is a mistake in this program, or in the client.
func (s *shop) failed(o reconcile.Order, err error) {
	if p := asPanic(err); p != nil {
		s.faults.add("%s %s: %v\n%s", o.Kind, o.No, p.Value, p.Stack)
	}
}
