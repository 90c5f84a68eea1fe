// Package storetest tests implementations of daxpay.OnceStore and reconcile.Schedule.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
)

// TestStore tests that store keeps the promises of daxpay.OnceStore. It returns every fault that it finds, joined into
// one error, and nil if there is none. Typical use inside a test is:
//
//	if err := storetest.TestStore(ctx, store); err != nil {
//		t.Fatal(err)
//	}
//
// The store may already hold keys: those of the test are random, and the test forgets them. It needs room for 150 keys.
// It takes a few seconds, because it waits for leases to end.
func TestStore(ctx context.Context, store daxpay.OnceStore) error {
	return runChecks(ctx, []check[*tester]{
		{"owners", owners}, {"exact keys", exactKeys}, {"leases end", leasesEnd}, {"renewal", renewal},
		{"for good", forGood}, {"done without a claim", doneWithoutClaim},
		{"remembering", remembering}, {"forget", forget},
		{"one at a time", oneAtATime}, {"one takes over", oneTakesOver}, {"done or taken over", doneOrTakenOver},
	}, func(c *checker) *tester {
		t := &tester{checker: c, store: store, keys: make(map[string]bool)}
		c.end = t.clean
		return t
	})
}

// tester runs one check of a store.
type tester struct {
	*checker
	store daxpay.OnceStore
	keys  map[string]bool
}

// key returns a key that the test forgets when the check is over.
func (t *tester) key(name string) string {
	key := t.prefix + name
	t.keys[key] = true
	return key
}

func (t *tester) clean() {
	for key := range t.keys {
		t.forget(key)
	}
}

func (t *tester) claim(key, owner string, lease time.Duration) (state daxpay.ClaimState, ok bool) {
	state, err := t.store.Claim(t.ctx, key, owner, lease)
	if err != nil {
		t.errorf("Claim(%q, %q, %v): %w", key, owner, lease, err)
	}
	return state, err == nil
}

// granted reports whether the owner gets the key.
func (t *tester) granted(key, owner string, lease time.Duration) bool {
	state, ok := t.claim(key, owner, lease)
	return ok && state == daxpay.ClaimGranted
}

func nameOf(state daxpay.ClaimState) string {
	switch state {
	case daxpay.ClaimGranted:
		return "ClaimGranted"
	case daxpay.ClaimBusy:
		return "ClaimBusy"
	case daxpay.ClaimDone:
		return "ClaimDone"
	}
	return fmt.Sprintf("ClaimState(%d)", state)
}

func (t *tester) expect(want daxpay.ClaimState, key, owner string, lease time.Duration, why string) {
	if got, ok := t.claim(key, owner, lease); ok && got != want {
		t.errorf("Claim(%q, %q, %v) is %v and not %v: %s", key, owner, lease, nameOf(got), nameOf(want), why)
	}
}

func (t *tester) done(key, owner string, remember time.Duration) {
	if err := t.store.Done(t.ctx, key, owner, remember); err != nil {
		t.errorf("Done(%q, %q, %v): %w", key, owner, remember, err)
	}
}

func (t *tester) lost(key, owner string, why string) {
	if err := t.store.Done(t.ctx, key, owner, long); !errors.Is(err, daxpay.ErrClaimLost) {
		t.errorf("Done(%q, %q) returns %v, which is not ErrClaimLost: %s", key, owner, err, why)
	}
}

func (t *tester) release(key, owner string) {
	if err := t.store.Release(t.ctx, key, owner); err != nil {
		t.errorf("Release(%q, %q): %w", key, owner, err)
	}
}

func (t *tester) forget(key string) {
	if err := t.store.Forget(t.ctx, key); err != nil {
		t.errorf("Forget(%q): %w", key, err)
	}
}

// takeOver claims the key as soon as it is free.
func (t *tester) takeOver(key, owner string, lease time.Duration) {
	t.untilFree(key, func() bool {
		state, ok := t.claim(key, owner, lease)
		return !ok || state == daxpay.ClaimGranted
	})
}

// pass waits until a lease of brief that began before is over by the store's own clock.
func (t *tester) pass() {
	clock := t.key("clock")
	t.claim(clock, "clock", 2*brief)
	t.takeOver(clock, "clock2", brief)
	t.release(clock, "clock2")
}

func owners(t *tester) {
	key := t.key("a")
	t.expect(daxpay.ClaimGranted, key, "1", long, "it was never claimed")
	t.expect(daxpay.ClaimGranted, key, "1", long, "the owner holds it already")
	t.expect(daxpay.ClaimBusy, key, "2", long, "another holds it")
	t.release(key, "2")
	t.expect(daxpay.ClaimBusy, key, "2", long, "only the owner can release it")
	t.lost(key, "2", "only the owner can finish it")
	t.expect(daxpay.ClaimBusy, key, "2", long, "only the owner can finish it")
	t.release(key, "1")
	t.release(key, "1")
	t.expect(daxpay.ClaimGranted, key, "2", long, "it was released")
	t.release(key, "1")
	t.expect(daxpay.ClaimBusy, key, "1", long, "an earlier owner cannot release it")
	t.done(key, "2", long)
	t.done(key, "2", long)
	for _, owner := range []string{"1", "2", "3"} {
		t.expect(daxpay.ClaimDone, key, owner, long, "it was finished")
		t.release(key, owner)
		t.expect(daxpay.ClaimDone, key, owner, long, "what was finished cannot be released")
	}
	t.lost(key, "1", "another finished it")
}

func exactKeys(t *tester) {
	keys := []string{"a1", "A1", "a", "a1.", "a%", "a_", "a'\"\\{}*"}
	keys = append(keys, strings.Repeat("x", 255-len(t.prefix)))
	for i, name := range keys {
		t.expect(daxpay.ClaimGranted, t.key(name), fmt.Sprint(i), long, "no other key is the same")
	}
	for i, name := range keys {
		t.expect(daxpay.ClaimGranted, t.key(name), fmt.Sprint(i), long, "the owner holds it already")
	}
	owner := strings.Repeat("f", 64)
	key := t.key("owner")
	t.expect(daxpay.ClaimGranted, key, owner, long, "it was never claimed")
	t.expect(daxpay.ClaimBusy, key, owner[1:], long, "the owners differ")
	t.expect(daxpay.ClaimBusy, key, strings.ToUpper(owner), long, "the owners differ")
	t.done(key, owner, long)
}

func leasesEnd(t *tester) {
	key := t.key("a")
	t.expect(daxpay.ClaimGranted, key, "1", brief, "it was never claimed")
	t.takeOver(key, "2", long)
	t.lost(key, "1", "its lease ended, and another holds the key")
	t.release(key, "1")
	t.expect(daxpay.ClaimBusy, key, "3", long, "the lease has not ended")
	t.done(key, "2", long)
	t.lost(key, "1", "its lease ended, and another finished")
}

func renewal(t *tester) {
	longer, forever := t.key("longer"), t.key("forever")
	t.expect(daxpay.ClaimGranted, longer, "1", brief, "it was never claimed")
	t.expect(daxpay.ClaimGranted, longer, "1", long, "an owner may renew its lease")
	t.expect(daxpay.ClaimGranted, forever, "1", brief, "it was never claimed")
	t.expect(daxpay.ClaimGranted, forever, "1", 0, "an owner may renew its lease")
	t.pass()
	t.expect(daxpay.ClaimBusy, longer, "2", long, "the lease was renewed")
	t.expect(daxpay.ClaimBusy, forever, "2", long, "the lease was renewed for good")
}

func forGood(t *tester) {
	claimed, done := t.key("claimed"), t.key("done")
	t.expect(daxpay.ClaimGranted, claimed, "1", 0, "it was never claimed")
	t.expect(daxpay.ClaimGranted, done, "1", brief, "it was never claimed")
	t.done(done, "1", 0)
	t.pass()
	t.expect(daxpay.ClaimBusy, claimed, "2", 0, "it was claimed for good")
	t.expect(daxpay.ClaimDone, done, "2", 0, "it was finished for good")
	t.release(claimed, "1")
	t.expect(daxpay.ClaimGranted, claimed, "2", 0, "it was released")
}

func doneWithoutClaim(t *tester) {
	never, ended := t.key("never"), t.key("ended")
	t.done(never, "1", long)
	t.expect(daxpay.ClaimDone, never, "2", long, "Done marks a key whose claim the store lost")
	t.expect(daxpay.ClaimGranted, ended, "1", brief, "it was never claimed")
	t.pass()
	t.done(ended, "1", long)
	t.expect(daxpay.ClaimDone, ended, "2", long, "Done marks a key whose lease ended")
}

func remembering(t *tester) {
	key, again := t.key("a"), t.key("again")
	t.expect(daxpay.ClaimGranted, key, "1", long, "it was never claimed")
	t.done(key, "1", brief)
	t.done(again, "1", brief)
	t.done(again, "1", long)
	t.takeOver(key, "2", long)
	t.lost(key, "1", "another holds it")
	t.pass()
	t.expect(daxpay.ClaimDone, again, "2", long, "it was finished again, for longer")
}

func forget(t *tester) {
	claimed, done := t.key("claimed"), t.key("done")
	t.expect(daxpay.ClaimGranted, claimed, "1", 0, "it was never claimed")
	t.done(done, "1", 0)
	t.forget(claimed)
	t.forget(done)
	t.forget(t.key("none"))
	t.expect(daxpay.ClaimGranted, claimed, "2", long, "it was forgotten")
	t.expect(daxpay.ClaimGranted, done, "2", long, "it was forgotten")
}

// contest has a crowd claim a key, and returns the owners who got it.
func (t *tester) contest(key string) []string {
	return contest(func(owner string) bool { return t.granted(key, owner, long) })
}

func oneAtATime(t *tester) {
	for i := range 20 {
		key := t.key(fmt.Sprint(i))
		winners := t.contest(key)
		if len(winners) != 1 {
			t.errorf("%d of %d owners got the key", len(winners), crowd)
			continue
		}
		together(func(owner string) {
			if owner != winners[0] {
				t.release(key, owner)
			}
		})
		t.expect(daxpay.ClaimGranted, key, winners[0], long, "the owner holds it")
		t.done(key, winners[0], long)
		if again := t.contest(key); len(again) > 0 {
			t.errorf("%d owners got a key that was finished", len(again))
		}
	}
}

func oneTakesOver(t *tester) {
	const keys = 20
	for i := range keys {
		t.claim(t.key(fmt.Sprint(i)), "dead", brief)
	}
	t.pass()
	for i := range keys {
		if winners := t.contest(t.key(fmt.Sprint(i))); len(winners) != 1 {
			t.errorf("%d of %d owners took over a key whose lease had ended", len(winners), crowd)
		}
	}
}

// doneOrTakenOver has an owner whose lease has ended finish while others take over: exactly one of them succeeds.
func doneOrTakenOver(t *tester) {
	const keys = 20
	for i := range keys {
		t.claim(t.key(fmt.Sprint(i)), "owner0", brief)
	}
	t.pass()
	for i := range keys {
		key := t.key(fmt.Sprint(i))
		winners := contest(func(owner string) bool {
			if owner == "owner0" {
				return t.finishedLate("Done", t.store.Done(t.ctx, key, owner, long))
			}
			return t.granted(key, owner, long)
		})
		if len(winners) != 1 {
			t.errorf("%d succeeded where one owner finishes late and others take over", len(winners))
		}
	}
}
