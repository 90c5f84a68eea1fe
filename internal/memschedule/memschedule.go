// Package memschedule has a reconcile.Schedule in memory, for tests of code that uses one.
package memschedule

import (
	"context"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/reconcile"
)

// Schedule implements reconcile.Schedule for one process. It forgets nothing.
type Schedule struct {
	now func() time.Time

	mu     sync.Mutex
	orders map[string]*order
}

type order struct {
	owner, note string    // owner is "" while no one holds the order
	free        time.Time // when the lease or the pause ends
}

var _ reconcile.Schedule = (*Schedule)(nil)

// New returns a schedule that takes the time from now.
func New(now func() time.Time) *Schedule {
	return &Schedule{now: now, orders: make(map[string]*order)}
}

// Claim implements reconcile.Schedule.
func (s *Schedule) Claim(ctx context.Context, key, owner string, lease time.Duration) (reconcile.Turn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return reconcile.Turn{}, err
	}
	o := s.orders[key]
	if o == nil {
		o = new(order)
		s.orders[key] = o
	}
	if wait := o.free.Sub(s.now()); wait > 0 && o.owner != owner {
		return reconcile.Turn{Wait: wait}, nil
	}
	o.owner, o.free = owner, s.now().Add(lease)
	return reconcile.Turn{Granted: true, Note: o.note}, nil
}

// Return implements reconcile.Schedule.
func (s *Schedule) Return(ctx context.Context, key, owner, note string, pause time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if o := s.orders[key]; o != nil && o.owner != owner {
		return daxpay.ErrClaimLost
	}
	s.orders[key] = &order{note: note, free: s.now().Add(pause)}
	return nil
}

// Lose forgets all orders, as a schedule does that loses its data.
func (s *Schedule) Lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = make(map[string]*order)
}
