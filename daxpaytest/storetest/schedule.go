package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/reconcile"
)

// TestSchedule tests that schedule keeps the promises of reconcile.Schedule, except two: what it does when its clock is
// set, and for how long it keeps a note. It returns every fault that it finds, joined into one error, and nil if there
// is none.
//
// The schedule may already hold orders: those of the test are random. The test leaves about 100 orders behind, all of
// them free. It takes a few seconds, because it waits for leases to end.
func TestSchedule(ctx context.Context, schedule reconcile.Schedule) error {
	return runChecks(ctx, []check[*scheduleTester]{
		{"one holder", oneHolder}, {"pauses", pauses}, {"notes", notes}, {"exact orders", exactOrders},
		{"late returns", lateReturns}, {"leases are renewed", leasesAreRenewed},
		{"one of many", oneOfMany}, {"one takes over", oneTakesOverAnOrder}, {"returned or taken over", returnedOrTakenOver},
	}, func(c *checker) *scheduleTester { return &scheduleTester{c, schedule} })
}

// scheduleTester runs one check of a schedule.
type scheduleTester struct {
	*checker
	schedule reconcile.Schedule
}

func (t *scheduleTester) claim(order, owner string, lease time.Duration) (reconcile.Turn, bool) {
	turn, err := t.schedule.Claim(t.ctx, t.prefix+order, owner, lease)
	if err != nil {
		t.errorf("Claim(%q, %q, %v): %w", order, owner, lease, err)
	}
	return turn, err == nil
}

// granted expects that the owner gets the order with the note.
func (t *scheduleTester) granted(order, owner string, lease time.Duration, note, why string) {
	turn, ok := t.claim(order, owner, lease)
	switch {
	case !ok:
	case !turn.Granted:
		t.errorf("Claim(%q, %q, %v) does not grant it: %s", order, owner, lease, why)
	case turn.Note != note:
		t.errorf("Claim(%q, %q, %v) has the note %q and not %q", order, owner, lease, turn.Note, note)
	}
}

// refused expects that the owner does not get the order, and is told to wait for at most the given time.
func (t *scheduleTester) refused(order, owner string, most time.Duration, why string) {
	turn, ok := t.claim(order, owner, long)
	switch {
	case !ok:
	case turn.Granted:
		t.errorf("Claim(%q, %q) grants it: %s", order, owner, why)
	case turn.Wait <= 0 || turn.Wait > most+time.Second:
		t.errorf("Claim(%q, %q) says to wait for %v, which must be more than 0 and at most %v", order, owner, turn.Wait, most)
	}
}

func (t *scheduleTester) giveBack(order, owner, note string, pause time.Duration) {
	if err := t.schedule.Return(t.ctx, t.prefix+order, owner, note, pause); err != nil {
		t.errorf("Return(%q, %q, %q, %v): %w", order, owner, note, pause, err)
	}
}

func (t *scheduleTester) lost(order, owner, why string) {
	err := t.schedule.Return(t.ctx, t.prefix+order, owner, "lost", long)
	if !errors.Is(err, daxpay.ErrClaimLost) {
		t.errorf("Return(%q, %q) returns %v, which is not ErrClaimLost: %s", order, owner, err, why)
	}
}

// takeOver claims the order as soon as it is free, and expects the note.
func (t *scheduleTester) takeOver(order, owner string, lease time.Duration, note string) {
	t.untilFree(order, func() bool {
		turn, ok := t.claim(order, owner, lease)
		if ok && turn.Granted && turn.Note != note {
			t.errorf("%q has the note %q and not %q when it is taken over", order, turn.Note, note)
		}
		return !ok || turn.Granted
	})
}

// pass waits until a lease or pause of brief that began before is over by the schedule's own clock.
func (t *scheduleTester) pass() {
	t.giveBack("clock", "clock", "", 2*brief)
	t.takeOver("clock", "clock", brief, "")
	t.giveBack("clock", "clock", "", 0)
}

func oneHolder(t *scheduleTester) {
	t.granted("a", "1", long, "", "it was never claimed")
	t.granted("a", "1", long, "", "the owner holds it already")
	t.refused("a", "2", long, "another holds it")
	t.lost("a", "2", "another holds it")
	t.refused("a", "2", long, "only the holder can return it")
	t.giveBack("a", "1", "first", 0)
	t.granted("a", "2", long, "first", "it was returned")
	t.lost("a", "1", "another holds it")
	t.giveBack("a", "2", "", 0)
	t.lost("a", "1", "another has held it since")
	t.granted("a", "1", long, "", "it was returned")
	t.giveBack("a", "1", "", 0)
}

func pauses(t *scheduleTester) {
	t.granted("long", "1", long, "", "it was never claimed")
	t.giveBack("long", "1", "n", 2*long)
	t.refused("long", "1", 2*long, "it pauses")
	t.refused("long", "2", 2*long, "it pauses")
	t.granted("brief", "1", long, "", "it was never claimed")
	t.giveBack("brief", "1", "n", brief)
	t.takeOver("brief", "2", long, "n")
	t.refused("brief", "1", long, "another holds it")
	t.giveBack("brief", "2", "", 0)
}

func notes(t *scheduleTester) {
	note := strings.Repeat(`{"a":'\"%_?$1'}`, 70)[:1000]
	t.granted("a", "1", brief, "", "it was never claimed")
	t.giveBack("a", "1", note, 0)
	t.granted("a", "2", brief, note, "it was returned")
	t.granted("a", "2", brief, note, "the owner holds it already")
	t.takeOver("a", "3", long, note) // 2 was killed
	t.giveBack("a", "3", "", 0)
	t.granted("a", "3", long, "", "it was returned")
	t.giveBack("a", "3", "", 0)
}

func exactOrders(t *scheduleTester) {
	orders := []string{"a1", "A1", "a", "a1.", "a%", "a_", "a'\"\\{}*"}
	orders = append(orders, strings.Repeat("x", 255-len(t.prefix)))
	for i, order := range orders {
		t.granted(order, fmt.Sprint(i), long, "", "no other order is the same")
	}
	for i, order := range orders {
		t.giveBack(order, fmt.Sprint(i), fmt.Sprint(i), 0)
	}
	for i, order := range orders {
		t.granted(order, "1", long, fmt.Sprint(i), "it was returned")
		t.giveBack(order, "1", "", 0)
	}
	owner := strings.Repeat("f", 64)
	t.granted("owner", owner, long, "", "it was never claimed")
	t.refused("owner", owner[1:], long, "the owners differ")
	t.refused("owner", strings.ToUpper(owner), long, "the owners differ")
	t.giveBack("owner", owner, "", 0)
}

func lateReturns(t *scheduleTester) {
	t.giveBack("never", "1", "n", long) // the schedule has lost it
	t.refused("never", "2", long, "it was returned, and pauses")
	t.granted("ended", "1", brief, "", "it was never claimed")
	t.granted("taken", "1", brief, "", "it was never claimed")
	t.granted("had", "1", brief, "", "it was never claimed")
	t.pass()
	t.giveBack("ended", "1", "late", 0)
	t.granted("ended", "2", long, "late", "it was returned, though late")
	t.giveBack("ended", "2", "", 0)
	t.granted("taken", "2", long, "", "its lease has ended")
	t.lost("taken", "1", "another holds it")
	t.giveBack("taken", "2", "", 0)
	t.granted("had", "2", long, "", "its lease has ended")
	t.giveBack("had", "2", "n", 0)
	t.lost("had", "1", "another has held it since")
	t.granted("had", "1", long, "n", "it is free")
	t.giveBack("had", "1", "", 0)
}

func leasesAreRenewed(t *scheduleTester) {
	t.granted("a", "1", brief, "", "it was never claimed")
	t.granted("a", "1", long, "", "the owner holds it already")
	t.pass()
	t.refused("a", "2", long, "the lease was renewed")
	t.giveBack("a", "1", "", 0)
}

// claimable reports whether the owner gets the order.
func (t *scheduleTester) claimable(order, owner string) bool {
	turn, ok := t.claim(order, owner, long)
	return ok && turn.Granted
}

// contest has a crowd claim an order, and returns the owners who got it.
func (t *scheduleTester) contest(order string) []string {
	return contest(func(owner string) bool { return t.claimable(order, owner) })
}

func oneOfMany(t *scheduleTester) {
	for i := range 20 {
		order, note := fmt.Sprint(i), ""
		for range 2 {
			winners := t.contest(order)
			if len(winners) != 1 {
				t.errorf("%d of %d owners got the order", len(winners), crowd)
				break
			}
			t.granted(order, winners[0], long, note, "the owner holds it")
			note = "n"
			t.giveBack(order, winners[0], note, 0)
		}
		t.giveBack(order+"paused", "owner0", "", long)
		if again := t.contest(order + "paused"); len(again) > 0 {
			t.errorf("%d owners got an order that pauses", len(again))
		}
	}
}

func oneTakesOverAnOrder(t *scheduleTester) {
	const orders = 20
	for i := range orders {
		t.claim(fmt.Sprint(i), "dead", brief)
	}
	t.pass()
	for i := range orders {
		winners := t.contest(fmt.Sprint(i))
		if len(winners) != 1 {
			t.errorf("%d of %d owners took over an order whose lease had ended", len(winners), crowd)
			continue
		}
		t.giveBack(fmt.Sprint(i), winners[0], "", 0)
	}
}

// returnedOrTakenOver has an owner whose lease has ended return an order while others take it over: exactly one of them
// succeeds.
func returnedOrTakenOver(t *scheduleTester) {
	const orders = 20
	for i := range orders {
		t.claim(fmt.Sprint(i), "owner0", brief)
	}
	t.pass()
	for i := range orders {
		order := fmt.Sprint(i)
		winners := contest(func(owner string) bool {
			if owner == "owner0" {
				return t.finishedLate("Return", t.schedule.Return(t.ctx, t.prefix+order, owner, "", long))
			}
			return t.claimable(order, owner)
		})
		if len(winners) != 1 {
			t.errorf("%d succeeded where one owner returns an order late and others take it over", len(winners))
		}
	}
}
