package main

import (
	"errors"
	"fmt"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// audit compares the table with what the channel did. What the gateway says does not count.
func (s *shop) audit() error {
	for _, r := range s.table.rows {
		s.countKind(r.kind)
		s.auditRow(r)
	}
	s.auditMoney()
	for key, t := range s.truth {
		if s.table.byNo[key] == nil && (t.paidOut > 0 || t.shares > 0 || t.planned) {
			s.wrong(lost, "the channel has %s, and the shop does not", key)
		}
	}
	if n := s.books.count[forged]; n > 0 {
		s.faults.add("%d answers to queries were taken for notices", n)
	}
	return s.faults.err()
}

// wrong counts something that must never happen.
func (s *shop) wrong(what figure, format string, args ...any) {
	s.books.count[what]++
	s.faults.add(format, args...)
}

func (s *shop) countKind(kind reconcile.Kind) {
	s.books.count[map[reconcile.Kind]figure{
		reconcile.Pay: payments, reconcile.Refund: refunds, reconcile.Transfer: transfers,
		reconcile.Allocation: allocations,
	}[kind]]++
}

// auditRow looks at one order.
func (s *shop) auditRow(r *row) {
	done, what := s.asked(r)
	acted := done || s.truthOf(r.kind, r.no).shares > 0
	switch {
	case r.status == isOpen && s.isForPerson(r):
		s.books.count[leftToPerson]++
		s.books.left[fmt.Sprintf("%s %s", r.kind, r.why)]++
	case r.status == isOpen:
		s.wrong(unresolved, "%s %s is open for %q; the channel: %s", r.kind, r.no, r.why, what)
	case r.status == never:
		if acted {
			s.wrong(lost, "%s %s was given up; the channel: %s", r.kind, r.no, what)
		}
	case r.status == refused || r.isOver():
		if acted {
			s.wrong(wronglyRefused, "%s %s is called %s; the channel: %s", r.kind, r.no, r.status, what)
		}
	case !done:
		s.wrong(wronglyDone, "%s %s is called %s; the channel: %s", r.kind, r.no, r.status, what)
	}
	for status, n := range r.effects {
		if n > 1 {
			s.wrong(countedTwice, "%s %s took effect %d times as %s", r.kind, r.no, n, status)
		}
	}
	if t := s.truthOf(r.kind, r.no); r.finish != notToFinish && (r.finish != finished || !t.done) {
		s.wrong(wronglyDone, "%s %s was to be finished: %d; the channel: %v", r.kind, r.no, r.finish, t.done)
	}
}

// auditMoney looks for money that moved twice: under one number, under several numbers for the same want, or in refunds
// of more than the payment.
func (s *shop) auditMoney() {
	byWant := make(map[int]int)
	back := make(map[string]int64)
	size := make(map[string]int64)
	for _, r := range s.table.rows {
		done, _ := s.asked(r)
		if n := s.truthOf(r.kind, r.no).paidOut; n > 1 {
			s.wrong(paidTwice, "%s %s was paid %d times", r.kind, r.no, n)
		}
		if !done {
			continue
		}
		if byWant[r.want]++; byWant[r.want] == 2 {
			s.wrong(paidTwice, "%s %s was done under another number before", r.kind, r.no)
		}
		if p, ok := s.gateway.Payment(r.payment); ok && r.kind == reconcile.Refund {
			back[r.payment] += r.amount
			size[r.payment] = p.Amount
		}
	}
	for no, n := range back {
		if n > size[no] {
			s.wrong(paidTwice, "%d of the %d of payment %s were given back", n, size[no], no)
		}
	}
}

// asked returns whether the channel moved the money of an order, or settled its shares, and says so in words.
func (s *shop) asked(r *row) (done bool, what string) {
	t := s.truthOf(r.kind, r.no)
	switch r.kind {
	case reconcile.Pay:
		p, ok := s.gateway.Payment(r.no)
		done = ok && p.Status == model.PaySyncSuccess && p.Amount == r.amount
		return done, fmt.Sprintf("%s %d, the gateway: %s", p.Status, p.Amount, p.Order)
	case reconcile.Refund:
		f, ok := s.gateway.Refund(r.no)
		done = ok && f.Status == model.RefundSyncSuccess && f.Amount == r.amount
		return done, fmt.Sprintf("%s %d, the gateway: %s", f.Status, f.Amount, f.Order)
	case reconcile.Transfer:
		return t.paidOut > 0, fmt.Sprintf("paid %d times, the gateway: %s", t.paidOut, s.transferStatus(r.no))
	}
	a, _ := s.gateway.Allocation(r.no)
	return t.shares == 2, fmt.Sprintf("at stage %d, the gateway: %s", t.shares, a.Status)
}

// transferStatus returns the gateway's status of a transfer, empty if it has none.
func (s *shop) transferStatus(no string) (status model.TransferStatus) {
	for _, t := range s.gateway.Transfers() {
		if t.BizTransferNo == no {
			status = t.Status
		}
	}
	return status
}

// underWay is the shop's own reason to leave a transfer to a person: the gateway says for hours that it is in progress.
// It says so forever of a transfer that it has refused, and on an untrusted line the refusal proved nothing.
const underWay daxpay.UnresolvedReason = "still under way"

// isForPerson reports whether an open order is one that only a person can settle, and the person was told why.
func (s *shop) isForPerson(r *row) bool {
	p, hasPayment := s.gateway.Payment(r.no)
	f, _ := s.gateway.Refund(r.no)
	a, _ := s.gateway.Allocation(r.no)
	switch r.kind {
	case reconcile.Pay:
		return r.why == daxpay.UnresolvedWallet && p.Channel == model.ChannelWallet ||
			r.why == daxpay.UnresolvedNoSuchOrder && r.channel == model.ChannelWallet && !hasPayment ||
			r.why == daxpay.UnresolvedGivenBack && p.Order == model.PayProgress && p.Status == model.PaySyncRefund
	case reconcile.Refund:
		return r.why == daxpay.UnresolvedClosed && f.Order == model.RefundClose ||
			r.why == daxpay.UnresolvedFailed && f.Order == model.RefundFail && r.failures >= mostFailures ||
			r.why == daxpay.UnresolvedNoSuchOrder && f.Order == "" && r.absences >= mostFailures
	case reconcile.Transfer:
		status := s.transferStatus(r.no)
		return r.why == daxpay.UnresolvedFailed && status == model.TransferFail ||
			r.why == daxpay.UnresolvedNoSuchOrder && status == "" ||
			r.why == underWay && status == model.TransferTransferring
	}
	return (r.why == daxpay.UnresolvedFailed || r.why == daxpay.UnresolvedNoNumber) &&
		a.Status == model.AllocFailed && r.failures >= mostFailures
}

// asPanic returns the panic in an error, nil if there is none.
func asPanic(err error) *daxpay.PanicError {
	var p *daxpay.PanicError
	if errors.As(err, &p) {
		return p
	}
	return nil
}
