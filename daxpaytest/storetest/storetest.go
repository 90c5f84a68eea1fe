// Package storetest tests implementations of daxpay.OnceStore and reconcile.Schedule.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
)

const (
	// brief is a lease that ends during the test. A store may be slow, so nothing depends on its being over at a time.
	brief = 150 * time.Millisecond
	long  = time.Hour
	// patience is how long the test waits for a lease to end.
	patience = 20 * time.Second
	crowd    = 16 // how many ask at once
)

// TestStore tests that a store does what daxpay.OnceStore says. It returns all the faults that it finds, and nil if
// there are none. Typical use inside a test is:
//
//	if err := storetest.TestStore(ctx, store); err != nil {
//		t.Fatal(err)
//	}
//
// The store may hold keys already: the keys of the test are random, and it forgets them in the end. The test takes a
// few seconds, because it waits for leases to end. It needs room for 150 keys.
func TestStore(ctx context.Context, store daxpay.OnceStore) error {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	prefix := "storetest:" + hex.EncodeToString(random[:]) + ":"
	var faults []error
	for _, check := range []struct {
		name string
		run  func(*tester)
	}{
		{"owners", owners}, {"exact keys", exactKeys}, {"leases end", leasesEnd}, {"renewal", renewal},
		{"for good", forGood}, {"done without a claim", doneWithoutClaim},
		{"remembering", remembering}, {"forget", forget},
		{"one at a time", oneAtATime}, {"one takes over", oneTakesOver}, {"done or taken over", doneOrTakenOver},
	} {
		t := &tester{ctx: ctx, store: store, prefix: prefix, name: check.name}
		check.run(t)
		t.clean()
		faults = append(faults, t.faults...)
	}
	return errors.Join(faults...)
}

// tester runs one check. Its methods may be used by several goroutines.
type tester struct {
	ctx    context.Context
	store  daxpay.OnceStore
	prefix string
	name   string

	mu     sync.Mutex
	keys   map[string]bool
	faults []error
}

func (t *tester) errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, fmt.Errorf("storetest: "+t.name+": "+format, args...))
}

// key makes a key that the test will forget.
func (t *tester) key(name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = make(map[string]bool)
	}
	key := t.prefix + name
	t.keys[key] = true
	return key
}

func (t *tester) clean() {
	for key := range t.keys {
		t.forget(key)
	}
}

func (t *tester) claim(key, owner string, lease time.Duration) daxpay.ClaimState {
	state, err := t.store.Claim(t.ctx, key, owner, lease)
	if err != nil {
		t.errorf("Claim(%q, %q, %v): %w", key, owner, lease, err)
		return 0
	}
	return state
}

var names = map[daxpay.ClaimState]string{
	0: "an error", daxpay.ClaimGranted: "ClaimGranted", daxpay.ClaimBusy: "ClaimBusy", daxpay.ClaimDone: "ClaimDone",
}

func (t *tester) expect(want daxpay.ClaimState, key, owner string, lease time.Duration, why string) {
	if got := t.claim(key, owner, lease); got != want && got != 0 {
		t.errorf("Claim(%q, %q, %v) is %v and not %v: %s", key, owner, lease, names[got], names[want], why)
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
	timer, ticker := time.NewTimer(patience), time.NewTicker(10*time.Millisecond)
	defer timer.Stop()
	defer ticker.Stop()
	for {
		state, err := t.store.Claim(t.ctx, key, owner, lease)
		switch {
		case err != nil:
			t.errorf("Claim(%q, %q, %v): %w", key, owner, lease, err)
			return
		case state == daxpay.ClaimGranted:
			return
		}
		select {
		case <-t.ctx.Done():
			t.errorf("the context ended")
			return
		case <-timer.C:
			t.errorf("%q is not free %v after a time of %v", key, patience, brief)
			return
		case <-ticker.C:
		}
	}
}

// pass waits until what was given the brief time before is over, by the store's own clock.
func (t *tester) pass() {
	clock := t.key("clock")
	t.claim(clock, "clock", 2*brief)
	t.takeOver(clock, "clock2", brief)
	t.release(clock, "clock2")
}

func owners(t *tester) {
	key := t.key("a")
	t.expect(daxpay.ClaimGranted, key, "1", long, "nobody had it")
	t.expect(daxpay.ClaimGranted, key, "1", long, "it is the owner's already")
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
	base := "exact:"
	keys := []string{base + "a1", base + "A1", base + "a", base + "a1.", base + "a%", base + "a_", base + "a'\"\\{}*"}
	keys = append(keys, base+strings.Repeat("x", 255-len(t.prefix)-len(base)))
	for i, name := range keys {
		t.expect(daxpay.ClaimGranted, t.key(name), fmt.Sprint(i), long, "no other key is the same")
	}
	for i, name := range keys {
		t.expect(daxpay.ClaimGranted, t.key(name), fmt.Sprint(i), long, "it is the owner's already")
	}
	owner := strings.Repeat("f", 64)
	key := t.key("owner")
	t.expect(daxpay.ClaimGranted, key, owner, long, "nobody had it")
	t.expect(daxpay.ClaimBusy, key, owner[1:], long, "the owners differ")
	t.expect(daxpay.ClaimBusy, key, strings.ToUpper(owner), long, "the owners differ")
	t.done(key, owner, long)
}

func leasesEnd(t *tester) {
	key := t.key("a")
	t.expect(daxpay.ClaimGranted, key, "1", brief, "nobody had it")
	t.takeOver(key, "2", long)
	t.lost(key, "1", "its lease ended, and another holds the key")
	t.release(key, "1")
	t.expect(daxpay.ClaimBusy, key, "3", long, "its lease runs")
	t.done(key, "2", long)
	t.lost(key, "1", "its lease ended, and another finished")
}

func renewal(t *tester) {
	longer, forever := t.key("longer"), t.key("forever")
	t.expect(daxpay.ClaimGranted, longer, "1", brief, "nobody had it")
	t.expect(daxpay.ClaimGranted, longer, "1", long, "it may renew its own, or get it again")
	t.expect(daxpay.ClaimGranted, forever, "1", brief, "nobody had it")
	t.expect(daxpay.ClaimGranted, forever, "1", 0, "it may renew its own, or get it again")
	t.pass()
	t.expect(daxpay.ClaimBusy, longer, "2", long, "the lease was renewed")
	t.expect(daxpay.ClaimBusy, forever, "2", long, "the lease was renewed for good")
}

func forGood(t *tester) {
	claimed, done := t.key("claimed"), t.key("done")
	t.expect(daxpay.ClaimGranted, claimed, "1", 0, "nobody had it")
	t.expect(daxpay.ClaimGranted, done, "1", brief, "nobody had it")
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
	t.expect(daxpay.ClaimGranted, ended, "1", brief, "nobody had it")
	t.pass()
	t.done(ended, "1", long)
	t.expect(daxpay.ClaimDone, ended, "2", long, "Done marks a key whose lease ended")
}

func remembering(t *tester) {
	key, again := t.key("a"), t.key("again")
	t.expect(daxpay.ClaimGranted, key, "1", long, "nobody had it")
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
	t.expect(daxpay.ClaimGranted, claimed, "1", 0, "nobody had it")
	t.done(done, "1", 0)
	t.forget(claimed)
	t.forget(done)
	t.forget(t.key("none"))
	t.expect(daxpay.ClaimGranted, claimed, "2", long, "it was forgotten")
	t.expect(daxpay.ClaimGranted, done, "2", long, "it was forgotten")
}

// together runs f for each of a crowd at once.
func together(f func(owner string)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range crowd {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			f(fmt.Sprint("owner", i))
		}()
	}
	close(start)
	wg.Wait()
}

// contest has a crowd claim a key and returns who got it.
func (t *tester) contest(key string) []string {
	var mu sync.Mutex
	var winners []string
	together(func(owner string) {
		if t.claim(key, owner, long) == daxpay.ClaimGranted {
			mu.Lock()
			defer mu.Unlock()
			winners = append(winners, owner)
		}
	})
	return winners
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
		t.expect(daxpay.ClaimGranted, key, winners[0], long, "it is the owner's")
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

// doneOrTakenOver lets an owner whose lease has ended finish while others take over: one of them wins.
func doneOrTakenOver(t *tester) {
	const keys = 20
	for i := range keys {
		t.claim(t.key(fmt.Sprint(i)), "owner0", brief)
	}
	t.pass()
	for i := range keys {
		key := t.key(fmt.Sprint(i))
		var mu sync.Mutex
		won := 0
		together(func(owner string) {
			var ok bool
			if owner == "owner0" {
				err := t.store.Done(t.ctx, key, owner, long)
				if ok = err == nil; !ok && !errors.Is(err, daxpay.ErrClaimLost) {
					t.errorf("Done: %w", err)
				}
			} else {
				ok = t.claim(key, owner, long) == daxpay.ClaimGranted
			}
			if ok {
				mu.Lock()
				defer mu.Unlock()
				won++
			}
		})
		if won != 1 {
			t.errorf("%d won where one takes over what another finishes late", won)
		}
	}
}
