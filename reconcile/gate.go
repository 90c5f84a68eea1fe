package reconcile

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	tolerated = 5 // failures in a row before the pace slows down
	slowest   = 30 * time.Second
)

// gate lets calls pass one at a time, with at least an interval between them.
type gate struct {
	interval time.Duration
	failures atomic.Int64  // in a row
	eased    chan struct{} // receives when the pace is the interval again
	turn     chan struct{} // a mutex that heeds a context
	passed   time.Time     // when the latest call passed; guarded by turn
}

func newGate(interval time.Duration) *gate {
	return &gate{interval: interval, eased: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
}

// pass waits until the caller may make a call. The error is the context's.
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

// pace is the interval, and longer while calls fail.
func (g *gate) pace() time.Duration {
	return doubled(g.interval, int(g.failures.Load())-tolerated, max(g.interval, slowest))
}

// worked and failed record how a call went.
func (g *gate) worked() {
	if g.failures.Swap(0) > tolerated {
		select {
		case g.eased <- struct{}{}:
		default:
		}
	}
}

func (g *gate) failed() { g.failures.Add(1) }
