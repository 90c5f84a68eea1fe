package reconcile

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/follow"
)

// orders holds the orders that the source lists, with the time of the next look at each. It keeps payments that ended
// without success until they can no longer be paid, whether they are listed or not.
type orders struct {
	options Options

	wake chan struct{} // receives when something may be due earlier than expected

	mu      sync.Mutex
	known   map[key]*entry
	waiting queue // orders that are not due yet
	ready   queue // orders that are due, the most pressing on top
	running int
	taken   int // known orders that the sink has taken
	leaving int // known orders that are gone
	listing uint64
}

type key struct {
	kind Kind
	no   string
}

// entry is an order that the source lists. The mutex of orders guards it.
type entry struct {
	state
	order    Order
	sent     int // how often the shop has sent the order again
	due      time.Time
	pressing time.Time // due plus the latest pause, so that orders with short pauses come first
	place    int       // in its queue, -1 for none
	listing  uint64    // the latest list with this order
	isReady  bool      // it is in the queue ready
	taken    bool      // the sink has taken it
	unlisted bool      // no longer listed, but kept because it is late
	gone     bool      // no longer listed, and forgotten when the look at it ends
}

// state is what is remembered of an order from one look to the next. Notes carry it between processes.
type state struct {
	made     time.Time // Order.Made, or when it was first listed if that is earlier
	looks    uint64
	failures int                     // in a row
	told     daxpay.UnresolvedReason // the latest reason that Sink.Unknown got
	late     bool                    // a payment that the shop knows to be over, but may still be paid
	until    time.Time               // when a late payment can no longer be paid, as far as is known
	follow   follow.Order
}

// newState returns the state before the first look.
func (o Options) newState(order Order, now time.Time) state {
	s := state{made: order.Made, follow: o.rules(order)}
	if s.made.After(now) {
		s.made = now
	}
	return s
}

// rules returns the rules before the first look.
func (o Options) rules(order Order) follow.Order {
	return follow.Order{Kind: order.Kind.rules(), NoSync: o.QueryOnly, Seed: follow.SeedOf(order.No)}
}

func newOrders(o Options) *orders {
	return &orders{
		options: o, wake: make(chan struct{}, 1), known: make(map[key]*entry),
		waiting: queue{before: func(a, b *entry) bool { return a.due.Before(b.due) }},
		ready:   queue{before: func(a, b *entry) bool { return a.pressing.Before(b.pressing) }},
	}
}

// begin starts a list and returns its number.
func (t *orders) begin() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listing++
	return t.listing
}

// add takes over a page of a list. It returns false if an order occurs twice in the list.
func (t *orders) add(kind Kind, listing uint64, page []Order, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.rouse()
	for _, o := range page {
		o.Kind = kind
		e := t.known[key{kind, o.No}]
		switch {
		case e == nil:
			e = t.newEntry(o, now)
			t.known[key{kind, o.No}] = e
			heap.Push(&t.waiting, e)
		case e.listing == listing:
			return false
		default:
			e.order.Amount, e.order.GatewayNo, e.order.Ended = o.Amount, o.GatewayNo, o.Ended
			if o.Made.After(e.made) && !o.Made.After(now) {
				t.beginAnew(e, o.Made)
			}
			e.unlisted = false
			if e.gone {
				e.gone = false
				t.leaving--
			}
		}
		e.listing = listing
		if o.Ended && kind == Pay {
			t.beLate(e)
		}
	}
	return true
}

// beLate marks a payment that the shop knows to be over. It counts as taken.
func (t *orders) beLate(e *entry) {
	if !e.taken && !e.late {
		e.late = true
		t.taken++
	}
}

func (t *orders) newEntry(o Order, now time.Time) *entry {
	e := &entry{order: o, state: t.options.newState(o, now)}
	e.due = e.made.Add(t.options.Grace)
	pause := follow.Pause(now.Sub(e.made), t.options.First, t.options.Ceiling, 0)
	e.pressing = latest(e.due, now).Add(pause)
	return e
}

// beginAnew resets an order that the shop has sent again.
func (t *orders) beginAnew(e *entry, made time.Time) {
	e.sent++
	e.order.Made, e.made, e.told, e.looks, e.follow = made, made, "", 0, t.options.rules(e.order)
	if first := made.Add(t.options.Grace); e.place >= 0 && !e.isReady && first.Before(e.due) {
		heap.Remove(&t.waiting, e.place)
		e.due = first
		e.pressing = first.Add(t.options.First)
		heap.Push(&t.waiting, e)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// drop forgets the orders of a kind that are not in a complete list, and returns how many are. An order that is being
// looked at is forgotten afterwards: if it were listed again meanwhile, two looks could run at once. A late payment is
// kept.
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
		case e.late:
			e.unlisted = true
			continue
		case e.place >= 0:
			t.remove(e)
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

func (t *orders) remove(e *entry) {
	if e.isReady {
		heap.Remove(&t.ready, e.place)
		return
	}
	heap.Remove(&t.waiting, e.place)
}

// job is an order that is due.
type job struct {
	state
	order  Order
	listed func() bool   // reports whether the latest list had the order
	next   time.Duration // age at which to look again
	held   time.Time     // how long the schedule's claim of this process lasts; zero: no claim
	wait   time.Duration // how long another process keeps the order

	entry *entry
	sent  int
}

// take returns the order to look at now. If there is none, it returns nil and the time until one is due, negative if
// that is unknown.
func (t *orders) take(now time.Time) (*job, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.waiting.entries) > 0 && !t.waiting.entries[0].due.After(now) {
		e := t.waiting.entries[0]
		heap.Pop(&t.waiting)
		e.isReady = true
		heap.Push(&t.ready, e)
	}
	if len(t.ready.entries) == 0 {
		if len(t.waiting.entries) == 0 {
			return nil, -1
		}
		return nil, t.waiting.entries[0].due.Sub(now)
	}
	e := t.ready.entries[0]
	heap.Pop(&t.ready)
	e.isReady = false
	t.running++
	listed := func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return !e.gone
	}
	return &job{state: e.state, order: e.order, listed: listed, entry: e, sent: e.sent}, 0
}

// outcome is the result of a look.
type outcome int

const (
	failed  outcome = iota // there was no answer, or the sink failed
	cutOff                 // the context ended
	yielded                // another process has the order
	open                   // the order has not ended, or the gateway does not have it
	over                   // the sink has taken a payment that is over but may still be paid
	taken                  // the sink has taken the order, and nothing can change any more
)

// lost is how long a late payment that is not listed is still looked at after it can no longer be paid, if no look
// brings a result.
const lost = time.Hour

// put takes an order back after a look and schedules the next one.
func (t *orders) put(j *job, what outcome, pause time.Duration, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.rouse()
	t.running--
	e := j.entry
	sentAgain := e.sent != j.sent
	if what != yielded && !sentAgain {
		late := e.late
		e.state, e.late = j.state, late
	}
	if what != yielded && j.late {
		t.beLate(e)
		e.until = j.until
	}
	if e.gone {
		t.leaving--
		e.gone, e.unlisted = false, true
		if what != over {
			t.forget(e)
			return
		}
	}
	switch what {
	case taken:
		if !e.late {
			t.taken++
		}
		e.taken, e.late = true, false
		return
	case cutOff: // due as before
		heap.Push(&t.waiting, e)
		return
	case open:
		if sentAgain {
			pause = min(pause, t.options.First)
		}
	}
	if e.late && e.unlisted && now.After(e.until.Add(lost)) {
		t.forget(e)
		return
	}
	e.due = now.Add(pause)
	e.pressing = e.due.Add(min(max(pause, t.options.First), t.options.Ceiling))
	heap.Push(&t.waiting, e)
}

// forget drops an order that is in no queue.
func (t *orders) forget(e *entry) {
	if e.taken || e.late {
		t.taken--
	}
	delete(t.known, key{e.order.Kind, e.order.No})
}

// doubled doubles d n times, up to limit.
func doubled(d time.Duration, n int, limit time.Duration) time.Duration {
	for range n {
		if d > limit/2 {
			return limit
		}
		d *= 2
	}
	return min(d, limit)
}

// jitter shortens a pause by up to a half, so that orders do not stay in step.
func jitter(pause time.Duration) time.Duration {
	return pause - rand.N(pause/2+1) //nolint:gosec // nothing secret
}

// rouse wakes sleep.
func (t *orders) rouse() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// sleep waits until the pause is over (a negative one never is), something may be due earlier, or the context ends.
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

// queue is a heap of entries.
type queue struct {
	entries []*entry
	before  func(a, b *entry) bool
}

func (q *queue) Len() int           { return len(q.entries) }
func (q *queue) Less(i, j int) bool { return q.before(q.entries[i], q.entries[j]) }
func (q *queue) Swap(i, j int) {
	q.entries[i], q.entries[j] = q.entries[j], q.entries[i]
	q.entries[i].place, q.entries[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	e, _ := x.(*entry)
	e.place = len(q.entries)
	q.entries = append(q.entries, e)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(q.entries) - 1
	e := q.entries[last]
	q.entries[last] = nil
	q.entries = q.entries[:last]
	e.place = -1
	return e
}
