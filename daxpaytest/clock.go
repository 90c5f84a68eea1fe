package daxpaytest

import (
	"slices"
	"sync"
	"time"
)

// Clock is a clock for tests. It stands still until the test moves it, or it runs and can be moved as well. Give it to
// a gateway by WithTestClock, and its Now to daxpay.Config.Now; Gateway.Config does that. It is safe for concurrent
// use.
type Clock struct {
	mu      sync.Mutex
	now     time.Time // when it was last set
	since   time.Time // the system's time then, if it runs
	watched []*Gateway
}

// NewClock returns a clock that shows start and stands still.
func NewClock(start time.Time) *Clock { return &Clock{now: start} }

// NewRunningClock returns a clock that shows start and runs on from there.
func NewRunningClock(start time.Time) *Clock { return &Clock{now: start, since: time.Now()} }

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shows()
}

func (c *Clock) shows() time.Time {
	if c.since.IsZero() {
		return c.now
	}
	return c.now.Add(time.Since(c.since))
}

// Running reports whether the clock runs.
func (c *Clock) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.since.IsZero()
}

// Run makes the clock run on from the time that it shows.
func (c *Clock) Run() { c.change(func() { c.now, c.since = c.shows(), time.Now() }) }

// Stop makes the clock stand still.
func (c *Clock) Stop() { c.change(func() { c.now, c.since = c.shows(), time.Time{} }) }

// Advance moves the clock by d. The gateways that use it then start what has become due, such as sending notices again;
// Gateway.WaitNotices waits for that.
func (c *Clock) Advance(d time.Duration) { c.change(func() { c.now = c.now.Add(d) }) }

// change changes the clock and tells the gateways that use it.
func (c *Clock) change(how func()) {
	c.mu.Lock()
	how()
	watched := slices.Clone(c.watched)
	c.mu.Unlock()
	for _, g := range watched {
		g.TimeMoved()
	}
}

func (c *Clock) watch(g *Gateway) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watched = append(c.watched, g)
}

func (c *Clock) forget(g *Gateway) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watched = slices.DeleteFunc(c.watched, func(other *Gateway) bool { return other == g })
}
