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
	failures atomic.Int64  // in a row
	eased    chan struct{} // the pace is the interval again
	turn     chan struct{}
	passed   time.Time // when the latest call did; belongs to who has the turn
}

func newGate(interval time.Duration) *gate {
	return &gate{interval: interval, eased: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
}

// pass waits for the turn and for the time. Its error is the context's.
func (g *gate) pass(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for ctx.Err() == nil {
		wait := time.Until(g.passed.Add(g.pace()))
		if wait <= 0 {
			g.passed = time.Now()
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-g.eased:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return ctx.Err()
}

// pace is the interval, or more when the gateway fails.
func (g *gate) pace() time.Duration {
	return doubled(g.interval, int(g.failures.Load())-tolerated, max(g.interval, slowest))
}

// worked and failed say how a call went.
func (g *gate) worked() {
	if g.failures.Swap(0) > tolerated {
		select {
		case g.eased <- struct{}{}:
		default:
		}
	}
}

func (g *gate) failed() { g.failures.Add(1) }
