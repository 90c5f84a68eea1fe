package reconcile

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// orders are those that the source lists, and when each is to be looked at next.
type orders struct {
	grace, ceiling, retryAfter time.Duration

	wake chan struct{} // something may be due earlier than was known

	mu      sync.Mutex
	known   map[key]*entry
	waiting queue // the known ones that are neither being looked at nor taken by the sink
	running int
	taken   int // known ones that the sink took
	leaving int // known ones that are being looked at, and that the source does not list any more
	listing uint64
}

type key struct {
	kind Kind
	no   string
}

// entry is an order that the source lists. Its fields belong to who holds the lock of the orders.
type entry struct {
	order    Order
	made     time.Time // Order.Made, but not after it was first listed
	due      time.Time
	place    int    // in the queue
	listing  uint64 // the latest that had it
	failures int    // in a row
	told     bool   // Sink.Unknown knows
	taken    bool   // the sink took it
	gone     bool   // the source does not list it any more; it is forgotten when nobody is looking at it
}

func newOrders(o Options) *orders {
	return &orders{
		grace: o.Grace, ceiling: o.Ceiling, retryAfter: o.RetryAfter,
		wake: make(chan struct{}, 1), known: make(map[key]*entry),
	}
}

// begin starts a list and returns its number.
func (t *orders) begin() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listing++
	return t.listing
}

// add takes over what a list of a kind has. It returns false if the list had one of them before.
func (t *orders) add(kind Kind, listing uint64, page []Order, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.rouse()
	for _, o := range page {
		o.Kind = kind
		e := t.known[key{kind, o.No}]
		switch {
		case e == nil:
			e = &entry{order: o, made: o.Made, listing: listing}
			if e.made.After(now) {
				e.made = now
			}
			e.due = e.made.Add(t.grace)
			t.known[key{kind, o.No}] = e
			heap.Push(&t.waiting, e)
		case e.listing == listing:
			return false
		default:
			e.listing, e.order.Amount = listing, o.Amount
			if e.gone {
				e.gone = false
				t.leaving--
			}
		}
	}
	return true
}

// drop forgets the orders of a kind that a complete list did not have, and returns how many it had. One that is being looked at is
// forgotten afterwards: were it listed again meanwhile, it would be looked at twice at a time.
func (t *orders) drop(kind Kind, listing uint64) (listed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, e := range t.known {
		switch {
		case k.kind != kind:
			continue
		case e.listing == listing:
			listed++
			continue
		case e.taken:
			t.taken--
		case e.place >= 0:
			heap.Remove(&t.waiting, e.place)
		default:
			if !e.gone {
				e.gone = true
				t.leaving++
			}
			continue
		}
		delete(t.known, k)
	}
	return listed
}

// job is an order that is to be looked at now.
type job struct {
	entry *entry
	order Order
	age   time.Duration
	told  bool // Sink.Unknown knows
}

// take returns the order that is to be looked at, or nil and how long until there is one, negative for nobody knows.
func (t *orders) take(now time.Time) (*job, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		return nil, -1
	}
	e := t.waiting[0]
	if pause := e.due.Sub(now); pause > 0 {
		return nil, pause
	}
	heap.Pop(&t.waiting)
	t.running++
	return &job{entry: e, order: e.order, age: now.Sub(e.made), told: e.told}, 0
}

// listed tells whether the source still has the order, as far as is known.
func (t *orders) listed(j *job) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !j.entry.gone
}

// outcome is what came of a look.
type outcome int

const (
	failed   outcome = iota // no answer, or the sink failed
	cutOff                  // by the context
	open                    // it has not ended, or the gateway does not know it
	reported                // Sink.Unknown knows
	taken                   // the sink took it
)

// put takes the order back and decides when it is looked at again.
func (t *orders) put(j *job, what outcome, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.rouse()
	t.running--
	e := j.entry
	if e.gone {
		t.leaving--
		delete(t.known, key{e.order.Kind, e.order.No})
		return
	}
	switch what {
	case taken:
		e.taken = true
		t.taken++
		return
	case failed:
		e.failures++
		e.due = now.Add(jitter(doubled(t.retryAfter, e.failures-1, t.ceiling)))
	case reported, open:
		e.failures, e.told = 0, e.told || what == reported
		e.due = now.Add(jitter(min(max(now.Sub(e.made), t.retryAfter), t.ceiling)))
	case cutOff: // due as before
	}
	heap.Push(&t.waiting, e)
}

// doubled is d, doubled n times, at most limit.
func doubled(d time.Duration, n int, limit time.Duration) time.Duration {
	for range n {
		if d > limit/2 {
			return limit
		}
		d *= 2
	}
	return min(d, limit)
}

// jitter takes up to half of a pause away, so that what came together does not come together again.
func jitter(pause time.Duration) time.Duration {
	return pause - rand.N(pause/2+1) //nolint:gosec // nothing secret
}

// rouse ends sleep.
func (t *orders) rouse() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// sleep waits until the pause ends, which a negative one does not, or something may be due earlier, or the context ends.
func (t *orders) sleep(ctx context.Context, pause time.Duration) {
	var over <-chan time.Time
	if pause >= 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-t.wake:
	case <-ctx.Done():
	}
}

func (t *orders) count() (open, running int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.known) - t.taken - t.leaving, t.running
}

// queue is a heap of entries, the one that is due first on top.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	e, _ := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.place = -1
	return e
}
