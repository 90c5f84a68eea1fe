package reconcile

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/follow"
	"github.com/daxpay-go/daxpay/model"
)

// load is a Reconciler with many open orders in virtual time. Only the client and the pauses are simulated. Calls to
// the gateway are made one after the other and take 5 milliseconds each: 200 a second.
type load struct {
	testing.TB
	r      *Reconciler
	now    time.Time
	rand   *rand.Rand
	orders map[string]*customer
	listed []Order // in the order of their numbers

	found  []time.Duration // from paid to known, of those whose callback was not lost
	lost   []time.Duration // of those whose callback was
	widest time.Duration   // the longest time between two looks at an order
	asked  int             // calls
	young  int             // the most open orders younger than 3 minutes at a time
}

// customer pays at some time. The gateway knows a second later, or only after a sync.
type customer struct {
	order  Order
	pays   time.Time // zero for never
	knows  time.Time // when the gateway does, zero for not
	lost   bool      // the callback is
	looked time.Time
}

const callTakes = 5 * time.Millisecond

func newLoad(tb testing.TB, options Options) *load {
	l := &load{
		TB: tb, now: time.Unix(1_700_000_000, 0), rand: rand.New(rand.NewPCG(3, 400)),
		orders: make(map[string]*customer),
	}
	options.Now = func() time.Time { return l.now }
	options.Interval = 1 // the calls take their time already
	sink := Sink{Pay: func(context.Context, Order, *model.PayOrderModel) error { return nil }}
	r, err := New(&daxpay.Client{}, SourceFunc(l.open), sink, options)
	require.NoError(tb, err)
	r.lookups = map[Kind]lookup{Pay: {query: l.query, sync: l.sync}}
	l.r = r
	return l
}

// add makes an order. If pays is set, most customers pay, after a time with a lognormal distribution.
func (l *load) add(made time.Time, pays bool) {
	c := &customer{order: Order{No: fmt.Sprintf("P%06d", len(l.listed)), Amount: 1, Made: made}, looked: l.now}
	if pays && l.rand.Float64() >= 0.15 {
		c.pays = made.Add(time.Duration(20 * math.Exp(0.8*l.rand.NormFloat64()) * float64(time.Second)))
		if c.lost = l.rand.Float64() < 0.02; !c.lost {
			c.knows = c.pays.Add(time.Second)
		}
	}
	l.orders[c.order.No] = c
	l.listed = append(l.listed, c.order)
}

func (l *load) open(_ context.Context, _ Kind, after string, limit int) ([]Order, error) {
	var page []Order
	young := 0
	for i := sort.Search(
		len(l.listed), func(i int) bool { return l.listed[i].No > after },
	); i < len(l.listed) && len(page) < limit; i++ {
		if l.orders[l.listed[i].No] != nil {
			page = append(page, l.listed[i])
		}
	}
	if after == "" {
		for _, c := range l.orders {
			if l.now.Sub(c.order.Made) < 3*time.Minute {
				young++
			}
		}
		l.young = max(l.young, young)
	}
	return page, nil
}

// call advances the time by that of a call.
func (l *load) call() {
	l.now = l.now.Add(callTakes)
	l.asked++
}

func (l *load) query(_ context.Context, o Order) (found, error) {
	l.call()
	c := l.orders[o.No]
	l.widest = max(l.widest, l.now.Sub(c.looked))
	c.looked = l.now
	f := found{no: o.No, amount: 1, status: "progress"}
	if !c.knows.IsZero() && !l.now.Before(c.knows) {
		f.status, f.standing = "success", model.Succeeded
		f.hand = func(context.Context) error {
			delay := l.now.Sub(c.pays)
			if c.lost {
				l.lost = append(l.lost, delay)
			} else {
				l.found = append(l.found, delay)
			}
			delete(l.orders, o.No)
			return nil
		}
	}
	return f, nil
}

func (l *load) sync(_ context.Context, o Order) (follow.Answer, error) {
	l.call()
	c := l.orders[o.No]
	if c.pays.IsZero() || l.now.Before(c.pays) {
		return follow.Other, nil
	}
	if c.knows.IsZero() || l.now.Before(c.knows) {
		c.knows = l.now
	}
	return follow.Moved, nil
}

// run simulates customers who arrive at a rate a second.
func (l *load) run(ctx context.Context, rate float64, lasts time.Duration) {
	end := l.now.Add(lasts)
	comes, lists := l.now, l.now
	for l.now.Before(end) {
		for !comes.After(l.now) {
			l.add(comes, true)
			comes = comes.Add(time.Duration(l.rand.ExpFloat64() / rate * float64(time.Second)))
		}
		if !lists.After(l.now) {
			require.NoError(l, l.r.list(ctx))
			lists = l.now.Add(l.r.options.ListEvery)
		}
		j, pause := l.r.orders.take(l.now)
		if j != nil {
			l.r.visit(ctx, j)
			continue
		}
		next := lists
		if pause >= 0 && l.now.Add(pause).Before(next) {
			next = l.now.Add(pause)
		}
		l.now = next
	}
	for _, c := range l.orders {
		l.widest = max(l.widest, l.now.Sub(c.looked))
	}
}

// loadFigures are the results of a load.
type loadFigures struct {
	median, p99, lostMedian float64 // seconds from paid to known
	widest, rate            float64 // seconds, calls a second
	young                   int
}

// simulateLoad runs 12 minutes with 10,000 orders of up to a day and customers who arrive at a rate a second.
func simulateLoad(tb testing.TB, rate float64, options Options) loadFigures {
	l := newLoad(tb, options)
	for range 10_000 {
		l.add(l.now.Add(-time.Duration(l.rand.Int64N(int64(24*time.Hour)))), false)
	}
	const lasts = 12 * time.Minute
	start := l.now
	l.run(context.Background(), rate, lasts)
	slices.Sort(l.found)
	slices.Sort(l.lost)
	at := func(d []time.Duration, q float64) float64 { return d[int(q*float64(len(d)-1))].Seconds() }
	return loadFigures{
		median: at(l.found, 0.5), p99: at(l.found, 0.99), lostMedian: at(l.lost, 0.5),
		widest: l.widest.Seconds(), rate: float64(l.asked) / l.now.Sub(start).Seconds(), young: l.young,
	}
}

// The rates at which 400 customers come in 3 minutes, and at which 400 orders younger than that are open at a time.
const (
	manyCome = 400.0 / 180
	manyOpen = 6.4
)

func TestLoad(t *testing.T) {
	for name, rate := range map[string]float64{"400 come in 3 minutes": manyCome, "400 are open": manyOpen} {
		t.Run(name, func(t *testing.T) {
			f := simulateLoad(t, rate, Options{})
			t.Logf("%+v", f)
			require.LessOrEqual(t, f.median, 3.0)
			require.LessOrEqual(t, f.widest, 600.0)
			require.Less(t, f.rate, 200.0)
			if rate == manyOpen {
				require.GreaterOrEqual(t, f.young, 400)
			}
		})
	}
}

// BenchmarkLoad simulates 12 minutes of that load: run it again after a change of the cadence or of the queue.
func BenchmarkLoad(b *testing.B) {
	for name, rate := range map[string]float64{"come": manyCome, "open": manyOpen} {
		b.Run(name, func(b *testing.B) {
			var f loadFigures
			for range b.N {
				f = simulateLoad(b, rate, Options{})
			}
			b.ReportMetric(f.median, "s/median")
			b.ReportMetric(f.p99, "s/p99")
			b.ReportMetric(f.lostMedian, "s/median-of-lost-callbacks")
			b.ReportMetric(f.widest, "s/longest-unasked")
			b.ReportMetric(f.rate, "calls/s")
			b.ReportMetric(float64(f.young), "young")
		})
	}
}
