package daxpaytest

import (
	"slices"
	"sync"
	"time"
)

// Clock is a clock that stands still until it is moved, or one that runs and can be moved. It is safe for concurrent
// use.
type Clock struct {
	mu      sync.Mutex
	now     time.Time // when it was last set
	since   time.Time // the system's time then, if it runs
	watched []*Gateway
}

// NewClock returns a clock that shows a time, and stands still.
func NewClock(start time.Time) *Clock { return &Clock{now: start} }

// NewRunningClock returns a clock that shows a time, and runs on from there as the system's does.
func NewRunningClock(start time.Time) *Clock { return &Clock{now: start, since: time.Now()} }

// Now is the time that the clock shows.
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

// Running tells whether the clock runs.
func (c *Clock) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.since.IsZero()
}

// Run lets the clock run on from the time that it shows.
func (c *Clock) Run() { c.change(func() { c.now, c.since = c.shows(), time.Now() }) }

// Stop makes the clock stand still.
func (c *Clock) Stop() { c.change(func() { c.now, c.since = c.shows(), time.Time{} }) }

// Advance moves the clock. The gateways that use it do what has become due.
func (c *Clock) Advance(d time.Duration) { c.change(func() { c.now = c.now.Add(d) }) }

// change changes the clock, and tells the gateways that use it.
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
