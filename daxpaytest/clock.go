package daxpaytest

import (
	"slices"
	"sync"
	"time"
)

// Clock is a clock that stands still until it is moved. It is safe for concurrent use.
type Clock struct {
	mu      sync.Mutex
	now     time.Time
	watched []*Gateway
}

// NewClock returns a clock that shows a time.
func NewClock(start time.Time) *Clock { return &Clock{now: start} }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock. The gateways that use it do what has become due.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
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
