package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/memschedule"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// sharing makes processes share a schedule.
func sharing(s reconcile.Schedule) func(*reconcile.Sink, *reconcile.Options) {
	return func(_ *reconcile.Sink, o *reconcile.Options) { o.Schedule = s }
}

// history lists the calls to the gateway, what the shop was handed and what Unknown was told in 45 minutes, each with
// its time. step looks at what is due.
func history(
	t *testing.T, prepare func(*bench), step func(b *bench, look func(once func(context.Context) error), unknown tell),
) []string {
	const tick = 2 * time.Second
	b := newBench(t)
	prepare(b)
	var all []string
	start := b.now()
	note := func(what string) { all = append(all, fmt.Sprintf("%v %s", b.now().Sub(start), what)) }
	look := func(once func(context.Context) error) {
		require.NoError(t, once(ctx))
		for _, path := range b.wires.seen() {
			note(path)
		}
		for _, handed := range b.shop.taken() {
			note(handed)
			kind, no := reconcile.Kind(strings.Fields(handed)[0]), strings.Fields(handed)[1]
			if o := b.shop.open[orderKey{kind, no}]; strings.HasSuffix(handed, "close") {
				o.Ended = true
				b.shop.put(o)
			} else {
				b.shop.settle(kind, no)
			}
		}
	}
	unknown := func(_ context.Context, o reconcile.Order, why *daxpay.UnresolvedError) error {
		note(fmt.Sprintf("unknown %s %s %s", o.Kind, o.No, why.Reason))
		return nil
	}
	for b.now().Sub(start) < 45*time.Minute {
		step(b, look, unknown)
		b.clock.pass(tick)
	}
	return all
}

// historyOfOne is the history with one Reconciler and no schedule.
func historyOfOne(t *testing.T, prepare func(*bench)) []string {
	t.Helper()
	var r *reconcile.Reconciler
	return history(t, prepare, func(b *bench, look func(func(context.Context) error), unknown tell) {
		if r == nil {
			r = b.reconciler(func(s *reconcile.Sink, _ *reconcile.Options) { s.Unknown = unknown })
		}
		look(r.Once)
	})
}

type tell = func(context.Context, reconcile.Order, *daxpay.UnresolvedError) error

// followed has orders to look at for a long time.
var followed = map[string]func(*bench){
	"a payment that is never paid": func(b *bench) { b.payment("P", model.PaySyncProgress, 0) },
	"a payment that a sync closes": func(b *bench) {
		b.order(reconcile.Pay, "P", 100, 0)
		b.gw.put(payment{
			no: "P", amount: 100, status: model.PayProgress, channel: model.PaySyncClosed,
			expires: b.now().Add(30 * time.Minute),
		})
	},
	"a payment whose sync is refused":          func(b *bench) { b.payment("P", model.PaySyncFail, 0) },
	"a payment that is old":                    func(b *bench) { b.payment("P", model.PaySyncProgress, time.Hour) },
	"a payment that was paid":                  func(b *bench) { b.payment("P", model.PaySyncSuccess, 0) },
	"a payment that was given back":            func(b *bench) { b.payment("P", model.PaySyncRefund, 0) },
	"a payment that the gateway does not know": func(b *bench) { b.order(reconcile.Pay, "P", 100, 0) },
	"a payment made in the future":             func(b *bench) { b.payment("P", model.PaySyncProgress, -8*time.Hour) },
	"a refund": func(b *bench) {
		b.order(reconcile.Refund, "R", 40, 0)
		b.gw.put(refund{no: "R", amount: 40, status: model.RefundProgress, channel: model.RefundSyncFail})
	},
	"a refund that failed": func(b *bench) {
		b.order(reconcile.Refund, "R", 40, 0)
		b.gw.put(refund{no: "R", amount: 40, status: model.RefundFail, channel: model.RefundSyncFail})
	},
	"a refund that a sync closes": func(b *bench) {
		b.order(reconcile.Refund, "R", 40, 0)
		b.gw.put(refund{no: "R", amount: 40, status: model.RefundProgress, channel: model.RefundSyncNotFound})
	},
	"a transfer that failed": func(b *bench) {
		b.order(reconcile.Transfer, "T", 40, 0)
		b.gw.put(transfer{no: "T", amount: 40, status: model.TransferFail})
	},
	"an allocation": func(b *bench) {
		b.allocation("A", 0)
		b.gw.put(allocation{no: "A", amount: 100, status: model.AllocProcessing})
	},
	"an allocation without a number": func(b *bench) { b.order(reconcile.Allocation, "A", 100, 0) },
}

// Four processes with a schedule, which are replaced by new ones now and then, make the same calls at the same times as
// one process and tell the shop the same: the schedule hands on what is known of an order.
func TestProcessesFollowAnOrderAsOneDoes(t *testing.T) {
	for name, prepare := range followed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := historyOfOne(t, prepare)
			require.NotEmpty(t, want)

			random := rand.New(rand.NewPCG(1, 2))
			var schedule *memschedule.Schedule
			var processes [4]*reconcile.Reconciler
			got := history(t, prepare, func(b *bench, look func(func(context.Context) error), unknown tell) {
				if schedule == nil {
					schedule = memschedule.New(b.now)
				}
				for _, i := range random.Perm(len(processes)) {
					if processes[i] == nil || random.IntN(50) == 0 {
						processes[i] = b.reconciler(func(s *reconcile.Sink, o *reconcile.Options) {
							s.Unknown, o.Schedule = unknown, schedule
						})
					}
					look(processes[i].Once)
				}
			})
			require.Equal(t, want, got)
		})
	}
}

// Four new processes look at many orders at once. One of them looks at each order.
func TestProcessesShareManyOrders(t *testing.T) {
	const orders = 500
	b := newBench(t)
	for i := range orders {
		b.payment(fmt.Sprintf("P%03d", i), model.PaySyncProgress, time.Hour)
	}
	require.NoError(t, b.reconciler(nil).Once(ctx))
	alone := len(b.wires.seen())
	require.Equal(t, 3*orders, alone)

	schedule := memschedule.New(b.now)
	var all sync.WaitGroup
	var looks, yielded uint64
	var mu sync.Mutex
	for range 4 {
		r := b.reconciler(sharing(schedule))
		all.Add(1)
		go func() {
			defer all.Done()
			if err := r.Once(ctx); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			looks, yielded = looks+r.Stats().Looks, yielded+r.Stats().Yielded
		}()
	}
	all.Wait()
	require.Len(t, b.wires.seen(), alone)
	require.EqualValues(t, orders, looks)
	require.EqualValues(t, 3*orders, yielded)
	require.Empty(t, b.shop.errors())
}

// An order that the sink of one process took is not handed on by others, though their lists may still have it. They
// hand it on if it stays there.
func TestOrderHandedOnByAnotherProcess(t *testing.T) {
	b := newBench(t)
	b.paid("P", time.Hour)
	schedule := memschedule.New(b.now)
	first, second := b.reconciler(sharing(schedule)), b.reconciler(sharing(schedule))
	require.NoError(t, first.Once(ctx))
	require.Equal(t, []string{"pay P success"}, b.shop.taken())
	for range 59 {
		b.clock.pass(time.Minute)
		require.NoError(t, second.Once(ctx))
		require.NoError(t, first.Once(ctx))
	}
	require.Empty(t, b.shop.taken())
	require.Len(t, b.wires.seen(), 1)
	b.clock.pass(5 * time.Minute)
	require.NoError(t, first.Once(ctx))
	require.Empty(t, b.shop.taken(), "its own sink took it")
	require.NoError(t, second.Once(ctx))
	require.Equal(t, []string{"pay P success"}, b.shop.taken())
}

// The pauses after failures grow even if each failure happens to another process.
func TestFailuresAreShared(t *testing.T) {
	b := newBench(t)
	b.payment("P", model.PaySyncProgress, time.Hour)
	b.wires.before = func(*http.Request) (int, string, error) { return 0, "", errDown }
	schedule := memschedule.New(b.now)
	for range 2 * 3600 {
		require.NoError(t, b.reconciler(sharing(schedule)).Once(ctx))
		b.clock.pass(time.Second)
	}
	calls := len(b.wires.seen())
	require.GreaterOrEqual(t, calls, 6+(7200-5*(2<<6))/300)
	require.LessOrEqual(t, calls, 7+2*7200/300)
}

// A process that was killed holds its orders for a lease, and no longer.
func TestAnotherProcessTakesOver(t *testing.T) {
	b := newBench(t)
	b.paid("P", time.Hour)
	schedule := memschedule.New(b.now)
	kill := context.Canceled
	dying := &scheduleFunc{Schedule: schedule, giveBack: func() error { return kill }}
	limited, cancel := context.WithCancel(ctx)
	b.wires.before = func(*http.Request) (int, string, error) { cancel(); return 0, "", kill }
	require.ErrorIs(t, b.reconciler(sharing(dying)).Once(limited), kill)
	b.wires.before = nil

	other := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) { o.Schedule = schedule })
	require.NoError(t, other.Once(ctx))
	b.clock.pass(59 * time.Second)
	require.NoError(t, other.Once(ctx))
	require.Empty(t, b.shop.taken())
	b.clock.pass(time.Second)
	require.NoError(t, other.Once(ctx))
	require.Equal(t, []string{"pay P success"}, b.shop.taken())
}

// A process that is stopped during a look gives the order back.
func TestAStoppedProcessGivesOrdersBack(t *testing.T) {
	b := newBench(t)
	b.paid("P", time.Hour)
	schedule := memschedule.New(b.now)
	limited, cancel := context.WithCancel(ctx)
	b.wires.before = func(*http.Request) (int, string, error) { cancel(); return 0, "", context.Canceled }
	require.ErrorIs(t, b.reconciler(sharing(schedule)).Once(limited), context.Canceled)
	b.wires.before = nil
	require.NoError(t, b.reconciler(sharing(schedule)).Once(ctx))
	require.Equal(t, []string{"pay P success"}, b.shop.taken())
}

// scheduleFunc is a schedule whose methods can fail.
type scheduleFunc struct {
	reconcile.Schedule
	claim    func(ctx context.Context) error
	giveBack func() error
	turn     func(*reconcile.Turn)
	claims   atomic.Int64
}

func (s *scheduleFunc) Claim(
	ctx context.Context, key, owner string, lease time.Duration,
) (reconcile.Turn, error) {
	s.claims.Add(1)
	if s.claim != nil {
		if err := s.claim(ctx); err != nil {
			return reconcile.Turn{}, err
		}
	}
	turn, err := s.Schedule.Claim(ctx, key, owner, lease)
	if s.turn != nil {
		s.turn(&turn)
	}
	return turn, err
}

func (s *scheduleFunc) Return(ctx context.Context, key, owner, note string, pause time.Duration) error {
	if s.giveBack != nil {
		if err := s.giveBack(); err != nil {
			return err
		}
	}
	return s.Schedule.Return(ctx, key, owner, note, pause)
}

// While the schedule fails, each process works alone, with what it knows.
func TestScheduleFails(t *testing.T) {
	for name, fail := range map[string]func(ctx context.Context) error{
		"error": func(context.Context) error { return errDown },
		"panic": func(context.Context) error { panic("schedule") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.order(reconcile.Refund, "R", 40, 0)
			b.gw.put(refund{no: "R", amount: 40, status: model.RefundProgress, channel: model.RefundSyncFail})
			down := &scheduleFunc{Schedule: memschedule.New(b.now), claim: fail}
			r := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) {
				o.Schedule, o.RetryAfter = down, 20*time.Millisecond // in real time
			})
			syncs := 0
			for range 15 * 60 {
				require.NoError(t, r.Once(ctx))
				syncs += b.wires.syncs()
				b.clock.pass(time.Second)
				if b.clock.t.Sub(time.Unix(1_700_000_000, 0)) < time.Minute {
					require.Zero(t, syncs)
				}
			}
			require.Positive(t, syncs)
			require.LessOrEqual(t, syncs, 10, "the rules of a refund hold")
			require.Positive(t, r.Stats().ScheduleErrors)
			var failed *reconcile.ScheduleError
			for _, err := range b.shop.errors() {
				require.ErrorAs(t, err, &failed)
			}
			require.NotNil(t, failed)
			require.Contains(t, failed.Error(), "the schedule")
			b.gw.put(refund{no: "R", amount: 40, status: model.RefundSuccess})
			b.clock.pass(time.Hour)
			require.NoError(t, r.Once(ctx))
			require.Equal(t, []string{"refund R success"}, b.shop.taken())
		})
	}
}

// If the schedule failed to take an order back, its note is older than what the process knows, which counts.
func TestTheNewerOfTwoNotesCounts(t *testing.T) {
	b := newBench(t)
	b.payment("P", model.PaySyncProgress, time.Hour)
	schedule := &scheduleFunc{Schedule: memschedule.New(b.now)}
	r := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) {
		o.Schedule, o.RetryAfter, o.Ceiling = schedule, 1, 10*time.Minute
	})
	schedule.giveBack = func() error { return errDown }
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"query/payOrder", "sync/pay", "query/payOrder"}, b.wires.seen())
	schedule.giveBack = nil
	b.clock.pass(10 * time.Minute)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"query/payOrder"}, b.wires.seen(), "it was synchronized ten minutes ago")
	b.clock.pass(10 * time.Minute)
	require.NoError(t, b.reconciler(sharing(schedule)).Once(ctx))
	require.Equal(t, []string{"query/payOrder"}, b.wires.seen(), "a new process has the note")
}

// A slow process notices that another has taken its order over. It makes no more calls and does not hand the order on.
func TestSlowProcessLosesItsOrder(t *testing.T) {
	for name, when := range map[string]string{"before a call": "query", "before the sink": "hand"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.paid("P", time.Hour)
			schedule := &scheduleFunc{Schedule: memschedule.New(b.now)}
			lease := 20 * time.Millisecond
			slow := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) {
				o.Schedule, o.Timeout, o.Lease = schedule, lease/2, lease
				if when == "query" {
					o.Interval = 50 * time.Millisecond
				}
			})
			other := b.reconciler(sharing(schedule))
			takenOver := false
			takeOver := func() {
				if !takenOver {
					takenOver = true
					b.clock.pass(lease) // for the schedule
					require.NoError(t, other.Once(ctx))
				}
			}
			if when == "query" {
				b.paid("A", time.Minute) // it takes the first turn
				schedule.claim = func(context.Context) error {
					if schedule.claims.Load() == 3 { // the renewal of one of them
						takeOver()
					}
					return nil
				}
			} else {
				b.wires.after = func(_ *http.Request, body string) string {
					<-time.After(lease)
					takeOver()
					return body
				}
			}
			require.NoError(t, slow.Once(ctx))
			got := b.shop.taken()
			require.Contains(t, got, "pay P success")
			require.Len(t, got, map[string]int{"query": 2, "hand": 1}[when], "each was handed on once")
			require.Empty(t, b.shop.errors())
		})
	}
}

// A note that is impossible, or from another release, counts as none.
func TestUnusableNotesAreIgnored(t *testing.T) {
	for name, text := range map[string]string{
		"another release":     `{"v":2,"looks":9,"late":true}`,
		"no JSON":             `late`,
		"of an earlier order": `{"v":1,"sent":1600000000000,"made":1600000000000000000,"looks":9,"late":true}`,
		"made in the future":  `{"v":1,"sent":%d,"made":1900000000000000000,"looks":9,"late":true}`,
		"synced in the future": `{"v":1,"sent":%d,"made":%[1]d000000,"looks":9,"follow":{"looks":9,"open":true,"latest":3,` +
			`"syncedAt":9000000000000000,"syncAt":9900000000000000}}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.payment("P", model.PaySyncProgress, time.Hour)
			if strings.Contains(text, "%") {
				text = fmt.Sprintf(text, b.now().Add(-time.Hour).UnixMilli())
			}
			schedule := &scheduleFunc{
				Schedule: memschedule.New(b.now), turn: func(turn *reconcile.Turn) { turn.Note = text },
			}
			require.NoError(t, b.reconciler(sharing(schedule)).Once(ctx))
			require.Equal(t, []string{"query/payOrder", "sync/pay", "query/payOrder"}, b.wires.seen(), "it begins anew")
		})
	}
}

// An order that the shop has sent again begins anew at once, also in a process that got it from another.
func TestOrderSentAgainBeginsAnew(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Refund, "R", 40, 5*time.Hour)
	b.gw.put(refund{no: "R", amount: 40, status: model.RefundProgress, channel: model.RefundSyncFail})
	schedule := memschedule.New(b.now)
	first, second := b.reconciler(sharing(schedule)), b.reconciler(sharing(schedule))
	require.NoError(t, first.Once(ctx))
	require.NoError(t, second.Once(ctx))
	require.Equal(t, []string{"query/refundOrder", "sync/refund", "query/refundOrder"}, b.wires.seen())

	b.order(reconcile.Refund, "R", 40, 0)
	for range 58 {
		b.clock.pass(time.Second)
		require.NoError(t, second.Once(ctx))
		require.NoError(t, first.Once(ctx))
	}
	seen := b.wires.seen()
	require.Greater(t, len(seen), 10)
	require.NotContains(t, seen, "sync/refund", "it counts as new")
}

// Orders of two gateways with the same number are kept apart in one schedule.
func TestTwoGatewaysInOneSchedule(t *testing.T) {
	b := newBench(t)
	b.paid("P", time.Hour)
	schedule := memschedule.New(b.now)
	require.NoError(t, b.reconciler(sharing(schedule)).Once(ctx))
	require.Len(t, b.shop.taken(), 1)
	config := b.gw.config(b.wires)
	config.StoreName = "another shop"
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	b.kit = kit
	require.NoError(t, b.reconciler(sharing(schedule)).Once(ctx))
	require.Len(t, b.shop.taken(), 1)
}

// Keys are printable ASCII of at most 255 bytes, even if a number is not.
func TestKeysOfASchedule(t *testing.T) {
	b := newBench(t)
	for _, no := range []string{"P 1", "商户", strings.Repeat("x", 300), strings.Repeat("x", 128)} {
		b.order(reconcile.Pay, no, 100, time.Hour)
	}
	keys := keySchedule{Schedule: memschedule.New(b.now), keys: make(map[string]bool)}
	require.NoError(t, b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) {
		o.Schedule, o.Concurrency = &keys, 1
	}).Once(ctx))
	require.Len(t, keys.keys, 4)
	for key := range keys.keys {
		require.LessOrEqual(t, len(key), 255)
		require.Regexp(t, `^[!-~]+$`, key)
	}
}

type keySchedule struct {
	reconcile.Schedule
	keys map[string]bool
}

func (s *keySchedule) Claim(
	ctx context.Context, key, owner string, lease time.Duration,
) (reconcile.Turn, error) {
	s.keys[key] = true
	return s.Schedule.Claim(ctx, key, owner, lease)
}

func TestLeaseIsLongerThanASink(t *testing.T) {
	b := newBench(t)
	for lease, fits := range map[time.Duration]bool{time.Minute: true, time.Minute - 1: false, -1: false} {
		_, err := reconcile.New(b.kit, b.shop, b.shop.sink(), reconcile.Options{Lease: lease})
		require.Equal(t, fits, err == nil)
		var option *reconcile.OptionError
		require.Equal(t, !fits, errors.As(err, &option) && option.Field == "Options.Lease")
	}
}
