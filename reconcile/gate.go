package reconcile

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	tolerated = 5 // failures in a row before the calls get slower
	slowest   = 30 * time.Second
)

// gate lets one call pass at a time, an interval after the one before.
type gate struct {
	interval time.Duration
	failures atomic.Int64 // in a row
	turn     chan struct{}
	passed   time.Time // when the latest did; belongs to who has the turn
}

func newGate(interval time.Duration) *gate {
	return &gate{interval: interval, turn: make(chan struct{}, 1)}
}

// pass waits for the turn and for the time. Its error is the context's.
func (g *gate) pass(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if wait := time.Until(g.passed.Add(g.pace())); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g.passed = time.Now()
	return nil
}

// pace is the interval, or more when the gateway fails.
func (g *gate) pace() time.Duration {
	return doubled(g.interval, int(g.failures.Load())-tolerated, max(g.interval, slowest))
}

// worked and failed say how a call went.
func (g *gate) worked() { g.failures.Store(0) }
func (g *gate) failed() { g.failures.Add(1) }
