package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// The ledger check is a simulation in virtual time. A shop (ledger_shop.go) uses the client as its documentation says
// (ledger_program.go), with a table as the only thing that outlives a crash (ledger_table.go). Between the shop and its
// gateway there is a line that loses and changes messages (ledger_line.go), and behind the gateway a channel with its
// users, which acts late, refuses, or does not answer (ledger_channel.go). In the end the table is compared with what
// the channel really did (ledger_audit.go).

const (
	ledgerOrders = 10_000
	ledgerShops  = 40 // each with a gateway of its own
)

// ledger runs the shops and adds up what the audits found.
func ledger(t *trial) error {
	var mu sync.Mutex
	sum := newBooks()
	perShop := ledgerOrders / ledgerShops / t.thin
	err := each(ledgerShops, func(n int) error {
		s := newShop(t.seed*1000 + uint64(n)) //nolint:gosec // not negative
		defer s.close()
		s.live(perShop)
		err := s.audit()
		mu.Lock()
		defer mu.Unlock()
		sum.add(s.books)
		if err != nil {
			return fmt.Errorf("shop %d: %w", n, err)
		}
		return nil
	})
	sum.print(t)
	return err
}

// books are the figures of the simulation.
type books struct {
	count [figureCount]int
	left  map[string]int // orders left to a person, by kind and reason
}

// figure is the index of a count.
type figure int

const (
	payments figure = iota
	refunds
	transfers
	allocations

	calls
	spoiledCalls
	lockedCalls // code 10007, or what pay and refund answer instead
	crashes

	timeouts // of the channel
	refusals
	breakdowns
	heldAnswers
	lockedRepairs // syncs that reported a payment and did not store it

	latePayments // after close, cancel or expiry
	partRefunds  // of payments that were refunded in several parts
	repeats      // of refunds and allocations that failed
	renumbered   // refused, and sent under another number

	notices
	lostNotices
	twiceNotices
	strayNotices // that arrived late and out of order
	silentPayments
	attacks // with query answers

	byNotice
	byReconciler
	byWait
	byCall
	refusedOrders
	neverArrived
	leftToPerson

	// What must never happen.
	paidTwice
	wronglyDone    // called done, but the channel did not do it
	wronglyRefused // called refused or closed, but the channel did it
	lost           // done, but the shop has no such order or believes that it never arrived
	countedTwice
	unresolved // open, and no person was told, or was told a wrong reason
	forged     // query answers taken for notices

	figureCount
)

func newBooks() *books { return &books{left: make(map[string]int)} }

func (b *books) add(other *books) {
	for i, n := range other.count {
		b.count[i] += n
	}
	for reason, n := range other.left {
		b.left[reason] += n
	}
}

// print writes the figures into the line of the check.
func (b *books) print(t *trial) {
	n := func(f figure) int { return b.count[f] }
	t.say("%d orders (%d payments, %d refunds, %d transfers, %d allocations)",
		n(payments)+n(refunds)+n(transfers)+n(allocations), n(payments), n(refunds), n(transfers), n(allocations))
	t.say("%d calls of which %d faulty and %d locked, %d crashes", n(calls), n(spoiledCalls), n(lockedCalls), n(crashes))
	t.say("the channel answered %d times too late, refused %d times, failed %d times, and was waited for %d times",
		n(timeouts), n(refusals), n(breakdowns), n(heldAnswers))
	t.say("%d repairs were locked, %d payments late, %d refunds parts, %d failures repeated, %d refusals renumbered",
		n(lockedRepairs), n(latePayments), n(partRefunds), n(repeats), n(renumbered))
	t.say("%d notices of which %d lost, %d doubled and %d out of order, none for %d payments, "+
		"%d attacks with query answers", n(notices), n(lostNotices),
		n(twiceNotices), n(strayNotices), n(silentPayments), n(attacks))
	t.say("settled by a notice %d, by reconcile %d, by Wait or Recover %d, by the call %d; refused %d, never arrived %d",
		n(byNotice), n(byReconciler), n(byWait), n(byCall), n(refusedOrders), n(neverArrived))
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(b.left)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, b.left[reason]))
	}
	t.say("left to a person %d (%s)", n(leftToPerson), strings.Join(reasons, ", "))
	t.say("%d paid or refunded twice, %d wrongly called done, %d wrongly called refused, %d lost, %d counted twice, "+
		"%d open for ever, %d forged notices taken", n(paidTwice), n(wronglyDone), n(wronglyRefused), n(lost),
		n(countedTwice), n(unresolved), n(forged))
}
