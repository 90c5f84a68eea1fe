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
	// brief is a lease that ends during the test. A store may be slow: no check expects a lease to be over at a
	// certain time.
	brief = 150 * time.Millisecond
	long  = time.Hour
	// patience is how long a check waits for a lease to end.
	patience = 20 * time.Second
	crowd    = 16 // how many owners compete for one key
)

// checker is what all testers have in common: one check that is running, and the faults that it has found. Its methods
// are safe for concurrent use.
type checker struct {
	ctx    context.Context
	name   string
	prefix string // of the keys of this check
	end    func() // cleans up after the check; nil for nothing

	mu     sync.Mutex
	faults []error
}

// check is one check, for a tester of type T.
type check[T any] struct {
	name string
	run  func(T)
}

// runChecks runs each check with a tester of its own, and returns all faults. The keys of a run are random.
func runChecks[T any](ctx context.Context, checks []check[T], testerOf func(*checker) T) error {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	prefix := "storetest:" + hex.EncodeToString(random[:]) + ":"
	var faults []error
	for _, check := range checks {
		c := &checker{ctx: ctx, name: check.name, prefix: prefix + strings.ReplaceAll(check.name, " ", "-") + ":"}
		check.run(testerOf(c))
		if c.end != nil {
			c.end()
		}
		faults = append(faults, c.faults...)
	}
	return errors.Join(faults...)
}

func (c *checker) errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, fmt.Errorf("storetest: "+c.name+": "+format, args...))
}

// untilFree calls claim until it returns true. It gives up when the context ends, or after patience.
func (c *checker) untilFree(key string, claim func() bool) {
	timer, ticker := time.NewTimer(patience), time.NewTicker(10*time.Millisecond)
	defer timer.Stop()
	defer ticker.Stop()
	for !claim() {
		select {
		case <-c.ctx.Done():
			c.errorf("the context ended")
			return
		case <-timer.C:
			c.errorf("%q is not free %v after a lease or pause of %v", key, patience, brief)
			return
		case <-ticker.C:
		}
	}
}

// finishedLate reports whether an owner whose lease has ended could still finish. Any other error than ErrClaimLost is
// a fault of the method.
func (c *checker) finishedLate(method string, err error) bool {
	if err != nil && !errors.Is(err, daxpay.ErrClaimLost) {
		c.errorf("%s: %w", method, err)
	}
	return err == nil
}

// together runs f at the same time for each owner of a crowd.
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

// contest runs attempt at the same time for each owner of a crowd, and returns the owners for whom it was true.
func contest(attempt func(owner string) bool) []string {
	var mu sync.Mutex
	var winners []string
	together(func(owner string) {
		if attempt(owner) {
			mu.Lock()
			defer mu.Unlock()
			winners = append(winners, owner)
		}
	})
	return winners
}
