package reconcile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

var ctx = context.Background()

func TestEveryKindIsHandedOnOnce(t *testing.T) {
	b := newBench(t)
	b.payment("P", model.PaySyncSuccess, time.Hour)
	b.order(reconcile.Refund, "R", 40, time.Hour)
	b.gw.put(refund{no: "R", amount: 40, status: model.RefundProgress, channel: model.RefundSyncSuccess})
	b.order(reconcile.Transfer, "T", 100, time.Hour)
	b.gw.put(transfer{no: "T", amount: 100, status: model.TransferSuccess})
	b.allocation("A", time.Hour)
	b.gw.put(allocation{
		no: "A", amount: 100, status: model.AllocProcessing, channel: model.AllocEnd, result: model.AllocDetailFail,
	})

	r := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) { o.Concurrency = 1 })
	require.NoError(t, r.Once(ctx))
	require.Equal(
		t, []string{"allocation A allocation_end", "pay P success", "refund R success", "transfer T success"},
		b.shop.taken(),
	)
	require.ElementsMatch(t, []string{
		"query/payOrder", "sync/pay", "query/payOrder", "query/refundOrder", "sync/refund", "query/refundOrder",
		"query/transferOrder",
		"query/allocationOrder", "sync/allocation", "query/allocationOrder",
	}, b.wires.seen())
	require.Empty(t, b.shop.errors())
	require.Equal(t, reconcile.Stats{Pace: 1, Listings: 4, Looks: 4, Calls: 10, Handed: 4, InProgress: 3}, r.Stats())

	b.clock.pass(time.Hour) // the source still lists them, as a replica that lags does
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.shop.taken())
	require.Empty(t, b.wires.seen())

	b.shop.settle(reconcile.Pay, "P")
	require.NoError(t, r.Once(ctx))
	b.order(reconcile.Pay, "P", 100, time.Hour) // the shop has it as open again
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"pay P success"}, b.shop.taken())
	require.NoError(t, b.reconciler(nil).Once(ctx)) // after a restart: the shop has settled none of them
	require.Len(t, b.shop.taken(), 4)
}

func TestWhatEndsAPayment(t *testing.T) {
	for channel, want := range map[model.PaySyncStatus]string{
		model.PaySyncSuccess:         "pay P success",
		model.PaySyncRefund:          "", // a person has to check
		model.PaySyncFail:            "", // the sync failed, not the payment
		model.PaySyncClosed:          "pay P close",
		model.PaySyncTimeout:         "pay P close",
		model.PaySyncNotFound:        "pay P close", // the sync closes a payment that its channel does not know
		model.PaySyncNotFoundUnknown: "",
		model.PaySyncProgress:        "",
		"something_new":              "",
	} {
		t.Run(string(channel), func(t *testing.T) {
			b := newBench(t)
			b.payment("P", channel, time.Hour)
			r := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) { o.QueryOnly = true })
			require.NoError(t, r.Once(ctx))
			require.Empty(t, b.shop.taken())
			require.Equal(t, []string{"query/payOrder"}, b.wires.seen())

			r = b.reconciler(nil)
			require.NoError(t, r.Once(ctx))
			require.Equal(t, want, strings.Join(b.shop.taken(), ","))
			require.Equal(t, []string{"query/payOrder", "sync/pay", "query/payOrder"}, b.wires.seen())
			require.Equal(t, want == "", r.Stats().Open == 1)
		})
	}
}

// The pauses are those of WaitPay, and syncs are rare.
func TestWhenAnOrderIsLookedAt(t *testing.T) {
	const step = 100 * time.Millisecond
	b := newBench(t)
	b.payment("P", model.PaySyncProgress, 0)
	r := b.reconciler(nil)
	last, queries, syncs := time.Duration(0), 0, 0
	for age := time.Duration(0); age < 2*time.Hour; age += step {
		require.NoError(t, r.Once(ctx))
		if seen := b.wires.seen(); len(seen) > 0 {
			pause := age - last
			if last == 0 {
				require.Equal(t, time.Second, pause)
			} else {
				shortest := min(max(last*55/1000, 2*time.Second), 5*time.Minute)
				require.GreaterOrEqual(t, pause, shortest)
				require.LessOrEqual(t, pause, shortest*115/100+step)
			}
			last = age
			queries++
			if len(seen) == 2 {
				syncs++
				require.GreaterOrEqual(t, age, 20*time.Second, "none in the first seconds")
			}
			if age <= 15*time.Minute {
				require.LessOrEqual(t, queries, 90)
				require.LessOrEqual(t, syncs, 10)
			}
		}
		b.clock.pass(step)
	}
	require.Greater(t, queries, 90)
	require.Equal(t, 13, syncs)

	r = b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Len(t, b.wires.seen(), 3, "a process that starts anew looks at once")
}

func TestMadeInTheFuture(t *testing.T) {
	b := newBench(t)
	b.paid("P", -8*time.Hour) // with the wrong time zone
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.shop.taken())
	b.clock.pass(time.Second)
	require.NoError(t, r.Once(ctx))
	require.Len(t, b.shop.taken(), 1)
}

func TestSinkFails(t *testing.T) {
	for name, test := range map[string]struct {
		fail func() error
		is   func(t *testing.T, err error)
	}{
		"error": {func() error { return errDown }, func(t *testing.T, err error) { require.ErrorIs(t, err, errDown) }},
		"panic": {func() error { panic("secret") }, func(t *testing.T, err error) {
			var panicked *daxpay.PanicError
			require.ErrorAs(t, err, &panicked)
			require.Equal(t, "secret", panicked.Value)
			require.NotEmpty(t, panicked.Stack)
			require.NotContains(t, err.Error(), "secret")
			require.Regexp(t, `TestSinkFails\S* \(reconcile_test\.go:\d+\)`, panicked.Frame)
			require.ErrorContains(t, err, panicked.Frame)
		}},
		"panic with nil": {func() error { panic(nil) }, func(t *testing.T, err error) {
			var panicked *daxpay.PanicError
			require.ErrorAs(t, err, &panicked)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.paid("P", time.Minute)
			b.shop.fail = test.fail
			r := b.reconciler(nil)
			for _, longest := range []time.Duration{5, 10, 20, 40} { // seconds
				require.NoError(t, r.Once(ctx))
				errs := b.shop.errors()
				require.Len(t, errs, 1)
				var failed *reconcile.SinkError
				require.ErrorAs(t, errs[0], &failed)
				require.Equal(t, reconcile.Pay, failed.Kind)
				test.is(t, errs[0])
				b.clock.pass(longest*time.Second/2 - 1)
				require.NoError(t, r.Once(ctx))
				require.Empty(t, b.shop.errors(), "too early")
				b.clock.pass(longest*time.Second/2 + 1)
			}
			b.shop.fail = nil
			require.NoError(t, r.Once(ctx))
			require.Equal(t, []string{"pay P success"}, b.shop.taken())
			require.Equal(
				t, reconcile.Stats{Pace: 1, Listings: 36, Looks: 5, Calls: 5, Handed: 1, SinkErrors: 4}, r.Stats(),
			)
		})
	}
}

func TestAFunctionThatEndsItsGoroutine(t *testing.T) {
	b := newBench(t)
	b.paid("P", time.Minute)
	leave := make(chan func(), 1)
	b.shop.fail = func() error { (<-leave)(); return nil }
	r := b.reconciler(nil)
	leave <- runtime.Goexit
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.shop.taken())
	b.clock.pass(5 * time.Second)
	leave <- func() {}
	require.NoError(t, r.Once(ctx))
	require.Len(t, b.shop.taken(), 1)
}

func TestSourceFails(t *testing.T) {
	b := newBench(t)
	b.payment("P", model.PaySyncProgress, time.Hour)
	b.order(reconcile.Refund, "R", 40, time.Hour)
	b.gw.put(refund{no: "R", amount: 40, status: model.RefundProgress, channel: model.RefundSyncProgress})
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	b.gw.pay("P", false)
	b.gw.put(refund{no: "R", amount: 40, status: model.RefundSuccess})
	b.shop.settle(reconcile.Pay, "P")
	b.shop.settle(reconcile.Refund, "R")
	b.clock.pass(time.Hour)

	for name, broken := range map[string]func() error{
		"error": func() error { return errDown },
		"panic": func() error { panic(errDown) },
	} {
		b.shop.broken = func(kind reconcile.Kind) error {
			if kind == reconcile.Pay {
				return broken()
			}
			return nil
		}
		err := r.Once(ctx)
		var failed *reconcile.SourceError
		require.ErrorAs(t, err, &failed, name)
		require.Equal(t, reconcile.Pay, failed.Kind)
		var panicked *daxpay.PanicError
		require.Equal(t, name == "panic", errors.As(err, &panicked))
		require.Equal(t, name == "error", errors.Is(err, errDown))
		require.Len(t, b.shop.errors(), 1)
	}
	require.Equal(
		t, []string{"pay P success"}, b.shop.taken(),
		"what is known of the kind is kept; the other kind has none any more",
	)
	require.EqualValues(t, 2, r.Stats().SourceErrors)
	b.shop.broken = nil
	require.NoError(t, r.Once(ctx))
	require.Zero(t, r.Stats().Open)
}

func TestListsInPages(t *testing.T) {
	b := newBench(t)
	for _, no := range []string{"1", "2", "3", "4", "5"} {
		b.payment(no, model.PaySyncSuccess, time.Hour)
	}
	r := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) { o.PageSize = 2 })
	require.NoError(t, r.Once(ctx))
	require.Len(t, b.shop.taken(), 5)
	require.Equal(t, []string{"", "2", "4"}, b.shop.asked)
	b.shop.settle(reconcile.Pay, "5")
	b.shop.asked = nil
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"", "2", "4"}, b.shop.asked, "a full last page is followed by an empty one")
}

func TestSourceThatDoesNotPage(t *testing.T) {
	b := newBench(t)
	same := reconcile.SourceFunc(func(
		_ context.Context, _ reconcile.Kind, _ string, limit int,
	) ([]reconcile.Order, error) {
		return []reconcile.Order{{No: "1", Made: b.clock.now()}, {No: "2", Made: b.clock.now()}}[:limit], nil
	})
	r, err := reconcile.New(
		b.kit, same, reconcile.Sink{Pay: b.shop.sink().Pay}, reconcile.Options{PageSize: 2, Now: b.clock.now},
	)
	require.NoError(t, err)
	require.ErrorContains(t, r.Once(ctx), "an order is listed twice")
}

func TestInvalidOrdersAreReported(t *testing.T) {
	for want, o := range map[string]reconcile.Order{
		"Made must be set":            {No: "P"},
		"Amount must not be negative": {No: "P", Amount: -1, Made: time.Unix(1, 0)},
		"BizOrderNo":                  {No: strings.Repeat("9", 101), Made: time.Unix(1, 0)},
	} {
		b := newBench(t)
		o.Kind = reconcile.Pay
		b.shop.put(o)
		r := b.reconciler(nil)
		require.NoError(t, r.Once(ctx))
		errs := b.shop.errors()
		require.Len(t, errs, 1)
		require.ErrorContains(t, errs[0], want)
		require.Empty(t, b.wires.seen())
		require.EqualValues(t, 1, r.Stats().Faults)
	}
}

func TestUnknownToTheGateway(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Transfer, "T", 100, time.Minute)
	var told []string
	var fail error
	r := b.reconciler(func(s *reconcile.Sink, o *reconcile.Options) {
		o.Ceiling = 10 * time.Minute
		s.Unknown = func(_ context.Context, o reconcile.Order, why *daxpay.UnresolvedError) error {
			told = append(told, string(o.Kind)+" "+o.No+" "+string(why.Reason))
			var refusal *daxpay.GatewayError
			require.ErrorAs(t, why, &refusal)
			require.True(t, refusal.Signed && refusal.Business)
			require.NotEmpty(t, refusal.TraceID)
			require.ErrorIs(t, why, daxpay.ErrNoSuchOrder)
			require.ErrorIs(t, why, daxpay.ErrOutcomeUnknown)
			return fail
		}
	})
	require.NoError(t, r.Once(ctx))
	require.EqualValues(t, 1, r.Stats().Unknown)
	require.Empty(t, told, "the call may be on its way")

	fail = errDown
	b.clock.pass(14 * time.Minute)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"transfer T no such order"}, told)
	require.ErrorIs(t, b.shop.errors()[0], errDown)
	require.EqualValues(t, 1, r.Stats().SinkErrors)

	fail = nil
	for range 10 {
		b.clock.pass(10 * time.Minute)
		require.NoError(t, r.Once(ctx))
	}
	require.Len(t, told, 2, "again after the error, and then not any more")
	require.EqualValues(t, 12, r.Stats().Unknown, "it is looked at all the same")
	require.Equal(t, 1, r.Stats().Open)
	for _, path := range b.wires.seen() {
		require.Equal(t, "query/transferOrder", path, "only queries are made")
	}
	b.gw.put(transfer{no: "T", amount: 100, status: model.TransferSuccess}) // it arrived after all
	b.clock.pass(10 * time.Minute)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"transfer T success"}, b.shop.taken())
}

func TestUnknownOrderStaysOpenWithoutSinkUnknown(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Pay, "P", 100, time.Hour)
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, reconcile.Stats{Pace: 1, Open: 1, Listings: 4, Looks: 1, Calls: 1, Unknown: 1}, r.Stats())
	require.Empty(t, b.shop.errors())
}

// Outcomes that no gateway can tell go to Unknown, and never to the function for orders that have ended.
func TestUnresolvedOrdersGoToUnknown(t *testing.T) {
	for name, test := range map[string]struct {
		put  func(b *bench)
		want string // kind, reason and status; "" for nothing at that age
	}{
		"7: a wallet payment, at once": {func(b *bench) {
			b.order(reconcile.Pay, "X", 100, 2*time.Second)
			b.gw.put(payment{no: "X", amount: 100, status: model.PayProgress, wallet: true})
		}, "pay wallet payment progress"},
		"4: a payment given back at the channel": {func(b *bench) { b.payment("X", model.PaySyncRefund, time.Hour) },
			"pay given back at the channel progress"},
		"8: a refund that failed": {func(b *bench) {
			b.order(reconcile.Refund, "X", 100, time.Hour)
			b.gw.put(refund{no: "X", amount: 100, status: model.RefundFail, channel: model.RefundSyncFail})
		}, "refund failed fail"},
		"8: a refund that failed, in the first minute": {func(b *bench) {
			b.order(reconcile.Refund, "X", 100, 50*time.Second)
			b.gw.put(refund{no: "X", amount: 100, status: model.RefundFail, channel: model.RefundSyncFail})
		}, ""},
		"8: a refund that is closed": {func(b *bench) {
			b.order(reconcile.Refund, "X", 100, 2*time.Second)
			b.gw.put(refund{no: "X", amount: 100, status: model.RefundClose})
		}, "refund closed close"},
		"8: a refund that the sync closes": {func(b *bench) {
			b.order(reconcile.Refund, "X", 100, time.Hour)
			b.gw.put(refund{no: "X", amount: 100, status: model.RefundProgress, channel: model.RefundSyncNotFound})
		}, "refund closed close"},
		"9: an allocation that failed": {func(b *bench) {
			b.allocation("X", 2*time.Second)
			b.gw.put(allocation{no: "X", amount: 100, status: model.AllocFailed})
		}, "allocation failed allocation_failed"},
		"9: an allocation without the gateway's number": {func(b *bench) {
			b.order(reconcile.Allocation, "X", 100, time.Minute)
		}, "allocation no number "},
		"9: its start may be under way": {
			func(b *bench) { b.order(reconcile.Allocation, "X", 100, 15*time.Second) }, "",
		},
		"10: a transfer that failed": {func(b *bench) {
			b.order(reconcile.Transfer, "X", 100, 2*time.Second)
			b.gw.put(transfer{no: "X", amount: 100, status: model.TransferFail})
		}, "transfer failed fail"},
		"10: a transfer sent twice": {func(b *bench) {
			b.order(reconcile.Transfer, "X", 100, 2*time.Second)
			b.wires.before = func(*http.Request) (int, string, error) {
				return 200, `{"code":10001,"msg":"Expected one result, but found multiple records"}`, nil
			}
		}, "transfer several orders "},
		"2.0.6 does not tell a refund": {func(b *bench) {
			b.order(reconcile.Refund, "X", 100, 2*time.Second)
			b.wires, b.kit = wired(b.T, b.gw, daxpay.GatewayV206)
		}, "refund no query "},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			test.put(b)
			var told []string
			r := b.reconciler(func(s *reconcile.Sink, _ *reconcile.Options) {
				s.Unknown = func(_ context.Context, o reconcile.Order, why *daxpay.UnresolvedError) error {
					require.Equal(t, "X", o.No)
					require.ErrorIs(t, why, daxpay.ErrOutcomeUnknown)
					require.Equal(t, why.Status != "", why.TraceID == "t-1")
					told = append(told, fmt.Sprintf("%s %s %s", o.Kind, why.Reason, why.Status))
					return nil
				}
			})
			for range 3 {
				require.NoError(t, r.Once(ctx))
			}
			require.Equal(t, test.want, strings.Join(told, ","))
			require.Equal(t, 1, r.Stats().Open, "it stays open")
			if test.want != "" {
				for range 3 {
					b.clock.pass(10 * time.Minute)
					require.NoError(t, r.Once(ctx))
				}
				require.Len(t, told, 1, "once")
			}
			require.Empty(t, b.shop.taken())
			require.Empty(t, b.shop.errors())
		})
	}
}

// An order that went to Unknown is still queried, and synchronized no more often than an open one.
func TestUnresolvedOrdersAreSynchronizedSeldom(t *testing.T) {
	for name, test := range map[string]struct {
		put  func(b *bench)
		most int
	}{
		"a refund that failed": {func(b *bench) {
			b.order(reconcile.Refund, "X", 100, time.Minute)
			b.gw.put(refund{no: "X", amount: 100, status: model.RefundFail, channel: model.RefundSyncFail})
		}, 9},
		"a refund that is closed": {func(b *bench) {
			b.order(reconcile.Refund, "X", 100, time.Minute)
			b.gw.put(refund{no: "X", amount: 100, status: model.RefundClose})
		}, 0},
		"a wallet payment": {func(b *bench) {
			b.order(reconcile.Pay, "X", 100, time.Minute)
			b.gw.put(payment{no: "X", amount: 100, status: model.PayProgress, wallet: true})
		}, 0},
		"a payment given back": {func(b *bench) { b.payment("X", model.PaySyncRefund, time.Minute) }, 9},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			test.put(b)
			r := b.reconciler(nil)
			for range 15 * 60 {
				b.clock.pass(time.Second)
				require.NoError(t, r.Once(ctx))
			}
			require.Greater(t, r.Stats().Looks, uint64(30))
			require.LessOrEqual(t, b.wires.syncs(), test.most)
			require.Empty(t, b.shop.taken())
		})
	}
}

// A failed refund that is sent again under the same number is followed like a new one, and handed on when it is done.
func TestAFailedRefundThatIsSentAgain(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Refund, "R", 100, time.Hour)
	b.gw.put(refund{no: "R", amount: 100, status: model.RefundFail, channel: model.RefundSyncFail})
	told := 0
	r := b.reconciler(func(s *reconcile.Sink, _ *reconcile.Options) {
		s.Unknown = func(context.Context, reconcile.Order, *daxpay.UnresolvedError) error { told++; return nil }
	})
	require.NoError(t, r.Once(ctx))
	require.Equal(t, 1, told)
	b.clock.pass(time.Minute)
	b.wires.seen()

	b.order(reconcile.Refund, "R", 100, 0)
	for range 59 {
		require.NoError(t, r.Once(ctx))
		b.clock.pass(time.Second)
	}
	require.Zero(t, b.wires.syncs(), "the second one may be on its way to the channel")
	require.Equal(t, 1, told)
	b.clock.pass(5 * time.Second)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, 1, b.wires.syncs())
	require.Equal(t, 2, told, "it failed again")

	b.order(reconcile.Refund, "R", 100, 0)
	require.NoError(t, r.Once(ctx))
	b.gw.put(refund{no: "R", amount: 100, status: model.RefundSuccess})
	b.clock.pass(10 * time.Second)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"refund R success"}, b.shop.taken())
}

// Rule 10: only the text about several records says that a transfer was sent twice.
func TestASystemErrorSaysNothingAboutATransfer(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Transfer, "X", 100, time.Hour)
	b.wires.before = func(*http.Request) (int, string, error) {
		return 200, `{"code":10001,"msg":"系统错误","traceId":"t-1"}`, nil
	}
	r := b.reconciler(func(s *reconcile.Sink, _ *reconcile.Options) {
		s.Unknown = func(_ context.Context, _ reconcile.Order, why *daxpay.UnresolvedError) error { return why }
	})
	require.NoError(t, r.Once(ctx))
	errs := b.shop.errors()
	require.Len(t, errs, 1)
	require.NotErrorIs(t, errs[0], daxpay.ErrOutcomeUnknown)
	require.EqualValues(t, 1, r.Stats().Faults)
}

// Rule 3: a payment that is over is handed on, synchronized once more when it can no longer be paid, and handed on
// again if it was paid after all.
func TestPaidAfterItWasClosed(t *testing.T) {
	for name, test := range map[string]struct {
		late, lists, restarts, untold bool
		want                          string
	}{
		"paid late":                          {late: true, want: "pay P success"},
		"paid late, and listed until then":   {late: true, lists: true, want: "pay P success"},
		"paid late, and the process is new":  {late: true, lists: true, restarts: true, want: "pay P success"},
		"never paid":                         {want: ""},
		"never paid, and listed":             {lists: true, want: ""},
		"never paid, and the process is new": {lists: true, restarts: true, want: ""},
		"the gateway does not tell when":     {late: true, untold: true, want: "pay P success"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			expires := b.now().Add(20 * time.Minute)
			if test.untold {
				expires = time.Time{}
			}
			b.order(reconcile.Pay, "P", 100, time.Minute)
			b.gw.put(payment{
				no: "P", amount: 100, status: model.PayCancel, channel: model.PaySyncClosed, expires: expires,
			})
			r := b.reconciler(nil)
			require.NoError(t, r.Once(ctx))
			require.Equal(t, []string{"pay P cancel"}, b.shop.taken())
			require.Equal(t, 1, b.wires.syncs(), "not before a sync has agreed")
			if test.lists {
				b.shop.put(reconcile.Order{Kind: reconcile.Pay, No: "P", Amount: 100, Made: b.now(), Ended: true})
			} else {
				b.shop.settle(reconcile.Pay, "P")
			}
			require.NoError(t, r.Once(ctx))
			require.Zero(t, r.Stats().Open)
			if test.restarts {
				r = b.reconciler(nil)
			}
			b.clock.pass(10 * time.Minute)
			require.NoError(t, r.Once(ctx))
			if test.late {
				b.gw.pay("P", true)
			}
			b.clock.pass(14 * time.Minute)
			require.NoError(t, r.Once(ctx))
			require.Empty(t, b.shop.taken(), "not yet")
			b.wires.seen()
			b.clock.pass(time.Minute)
			if test.untold {
				b.clock.pass(24 * time.Hour)
			}
			require.NoError(t, r.Once(ctx))
			require.Equal(t, 1, b.wires.syncs())
			require.Equal(t, test.want, strings.Join(b.shop.taken(), ","))
			for range 10 {
				b.clock.pass(6 * time.Hour)
				require.NoError(t, r.Once(ctx))
			}
			require.Empty(t, b.wires.seen(), "nothing can change any more")
			require.Empty(t, b.shop.taken())
			require.Zero(t, r.Stats().Open)
		})
	}
}

// The sync that is due when a closed payment can no longer be paid is repeated until it has the answer of the channel.
// An error, as after a late answer of the channel, does not say that the payment was not paid.
func TestPaidLateAndTheChannelDoesNotAnswer(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Pay, "P", 100, time.Minute)
	b.gw.put(payment{
		no: "P", amount: 100, status: model.PayClose, channel: model.PaySyncClosed, expires: b.now().Add(20 * time.Minute),
	})
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"pay P close"}, b.shop.taken())
	b.shop.put(reconcile.Order{Kind: reconcile.Pay, No: "P", Amount: 100, Made: b.now(), Ended: true})
	b.gw.pay("P", true)
	down := true
	b.wires.before = func(r *http.Request) (int, string, error) {
		if down && strings.Contains(r.URL.Path, "/sync/") {
			return 200, `{"code":10001,"msg":"Field 'sync_info' doesn't have a default value"}`, nil
		}
		return 0, "", nil
	}
	b.clock.pass(26 * time.Minute)
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.shop.taken())
	down = false
	b.wires.seen()
	for range 30 {
		b.clock.pass(time.Minute)
		require.NoError(t, r.Once(ctx))
	}
	require.Equal(t, []string{"pay P success"}, b.shop.taken())
	require.Equal(t, 1, b.wires.syncs())
}

// A sync from before that time does not count, even if the query that belongs to it was answered later.
func TestPaidLateAfterTheSyncAndBeforeTheQuery(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Pay, "P", 100, time.Hour)
	b.gw.put(payment{
		no: "P", amount: 100, status: model.PayClose, channel: model.PaySyncClosed, expires: b.now().Add(time.Minute),
	})
	down := false
	b.wires.before = func(r *http.Request) (int, string, error) {
		if strings.Contains(r.URL.Path, "/sync/") {
			down = true
		} else if down {
			return 0, "", errDown
		}
		return 0, "", nil
	}
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.shop.taken())
	b.wires.before = nil
	b.gw.pay("P", true)
	for range 20 {
		b.clock.pass(7 * time.Minute)
		require.NoError(t, r.Once(ctx))
	}
	require.Equal(t, []string{"pay P success"}, b.shop.taken(), "what the sync said is stale, so it is made again")
}

// While the channel still waits for a closed payment, every sync is an error. Syncs are rare then, and end.
func TestAClosedPaymentWhoseChannelWaitsForGood(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Pay, "P", 100, time.Minute)
	b.gw.put(payment{
		no: "P", amount: 100, status: model.PayClose, channel: model.PaySyncProgress, expires: b.now().Add(20 * time.Minute),
	})
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"pay P close"}, b.shop.taken())
	for range 120 {
		b.clock.pass(time.Minute)
		require.NoError(t, r.Once(ctx))
	}
	require.Empty(t, b.shop.taken())
	require.LessOrEqual(t, b.wires.syncs(), 8)
	b.clock.pass(24 * time.Hour)
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.wires.seen())
	require.Zero(t, r.Stats().Open)
}

// The looks at a closed payment that is no longer listed end, even if all of them fail.
func TestALatePaymentThatCannotBeAskedFor(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Pay, "P", 100, time.Minute)
	b.gw.put(payment{no: "P", amount: 100, status: model.PayClose, channel: model.PaySyncClosed, expires: b.now()})
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	b.shop.settle(reconcile.Pay, "P")
	b.wires.before = func(*http.Request) (int, string, error) { return 0, "", errDown }
	for range 200 {
		b.clock.pass(time.Minute)
		require.NoError(t, r.Once(ctx))
	}
	require.Positive(t, r.Stats().Faults)
	b.wires.seen()
	b.clock.pass(24 * time.Hour)
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.wires.seen())
}

func TestAnotherAmount(t *testing.T) {
	b := newBench(t)
	b.paid("P", time.Hour)
	b.order(reconcile.Pay, "P", 101, time.Hour)
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.shop.taken())
	errs := b.shop.errors()
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], daxpay.ErrEcho)
	var refused *daxpay.AnswerError
	require.ErrorAs(t, errs[0], &refused)
	require.Equal(t, "amount", refused.Member)
	require.Equal(t, "/unipay/query/payOrder", refused.Path)
	require.Equal(t, "t-1", refused.TraceID)
	require.EqualValues(t, 1, r.Stats().Faults)

	b.order(reconcile.Pay, "P", 0, time.Hour) // the shop no longer says
	b.clock.pass(5 * time.Second)
	require.NoError(t, r.Once(ctx))
	require.Len(t, b.shop.taken(), 1)
}

// Answers that are changed or replaced by someone without the secret are refused.
func TestForgedAnswersAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		forge func(b *bench) func(r *http.Request, body string) string
		is    error
	}{
		"changed": {func(*bench) func(*http.Request, string) string {
			return func(_ *http.Request, body string) string {
				return strings.Replace(body, `"progress"`, `"success"`, 1)
			}
		}, daxpay.ErrSignMismatch},
		"not signed": {func(*bench) func(*http.Request, string) string {
			return func(*http.Request, string) string {
				return `{"code":0,"data":{"code":0,"resTime":1700000000,"orderNo":"1","bizOrderNo":"P","amount":100,` +
					`"status":"success"}}`
			}
		}, daxpay.ErrSignMissing},
		"of another order": {func(b *bench) func(*http.Request, string) string {
			b.paid("Q", time.Hour)
			recorded := ""
			b.wires.after = func(_ *http.Request, body string) string { recorded = body; return body }
			require.NoError(b, b.reconciler(nil).Once(ctx))
			require.Len(b, b.shop.taken(), 1)
			b.shop.settle(reconcile.Pay, "Q")
			b.payment("P", model.PaySyncProgress, time.Hour)
			return func(r *http.Request, body string) string {
				if strings.Contains(r.URL.Path, "query") {
					return recorded
				}
				return body
			}
		}, daxpay.ErrEcho},
		"of another kind": {func(b *bench) func(*http.Request, string) string {
			recorded := ""
			b.wires.after = func(_ *http.Request, body string) string { recorded = body; return body }
			b.order(reconcile.Transfer, "P", 100, time.Hour)
			b.gw.put(transfer{no: "P", amount: 100, status: model.TransferSuccess})
			require.NoError(b, b.reconciler(nil).Once(ctx))
			require.Len(b, b.shop.taken(), 1)
			b.shop.settle(reconcile.Transfer, "P")
			return func(*http.Request, string) string { return recorded }
		}, daxpay.ErrProtocol},
		"unsigned refusal": {func(*bench) func(*http.Request, string) string {
			return func(*http.Request, string) string { return `{"code":1,"msg":"支付订单不存在"}` }
		}, nil},
		"no answer": {func(*bench) func(*http.Request, string) string {
			return func(*http.Request, string) string { return `<html>` }
		}, daxpay.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			forge := test.forge(b)
			b.payment("P", model.PaySyncProgress, time.Hour)
			b.wires.after = forge
			r := b.reconciler(func(s *reconcile.Sink, _ *reconcile.Options) {
				s.Unknown = func(context.Context, reconcile.Order, *daxpay.UnresolvedError) error {
					t.Error("the refusal was not signed")
					return nil
				}
			})
			require.NoError(t, r.Once(ctx))
			require.Empty(t, b.shop.taken())
			require.EqualValues(t, 1, r.Stats().Faults)
			errs := b.shop.errors()
			require.NotEmpty(t, errs)
			if test.is != nil {
				require.ErrorIs(t, errs[len(errs)-1], test.is)
			}
			b.wires.after = nil
			b.gw.pay("P", false)
			b.clock.pass(5 * time.Second)
			require.NoError(t, r.Once(ctx))
			require.Equal(t, []string{"pay P success"}, b.shop.taken())
		})
	}
}

func TestAnswerWithoutTheNumber(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Pay, "P", 0, time.Hour)
	b.wires.after = func(*http.Request, string) string {
		return b.gw.sealed(`"code":0,"orderNo":"G","amount":1,"status":"success"`)
	}
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.shop.taken())
	require.ErrorIs(t, b.shop.errors()[0], daxpay.ErrEcho)
}

func TestSyncFails(t *testing.T) {
	answers := func(part string, status int, body string, err error) func(*http.Request) (int, string, error) {
		return func(r *http.Request) (int, string, error) {
			if strings.Contains(r.URL.Path, part) {
				return status, body, err
			}
			return 0, "", nil
		}
	}
	t.Run("but the query knows the end", func(t *testing.T) {
		b := newBench(t)
		b.payment("P", model.PaySyncSuccess, time.Hour)
		b.wires.before = func(r *http.Request) (int, string, error) {
			if strings.Contains(r.URL.Path, "/sync/") {
				b.gw.pay("P", false)
				return 200, `{"code":10001,"msg":"系统错误","traceId":"t-1"}`, nil
			}
			return 0, "", nil
		}
		r := b.reconciler(nil)
		require.NoError(t, r.Once(ctx))
		require.Len(t, b.shop.taken(), 1)
		errs := b.shop.errors()
		require.Len(t, errs, 1, "it is reported all the same")
		require.ErrorContains(t, errs[0], "t-1")
		require.Zero(t, r.Stats().Faults)
	})
	t.Run("because the channel of a closed payment still waits", func(t *testing.T) {
		b := newBench(t)
		b.order(reconcile.Pay, "P", 100, time.Hour)
		b.gw.put(payment{no: "P", amount: 100, status: model.PayClose, channel: model.PaySyncProgress})
		require.NoError(t, b.reconciler(nil).Once(ctx))
		require.Equal(t, []string{"pay P close"}, b.shop.taken())
	})
	t.Run("and the query does not know the end", func(t *testing.T) {
		b := newBench(t)
		b.payment("P", model.PaySyncSuccess, time.Hour)
		b.gw.lock("P", true)
		r := b.reconciler(nil)
		require.NoError(t, r.Once(ctx))
		require.Empty(t, b.shop.taken())
		require.Len(t, b.shop.errors(), 1)
		require.EqualValues(t, 1, r.Stats().Faults)
		b.gw.lock("P", false)
		b.clock.pass(11 * time.Second)
		require.NoError(t, r.Once(ctx))
		require.Len(t, b.shop.taken(), 1)
	})
	t.Run("and nothing came back", func(t *testing.T) {
		b := newBench(t)
		b.payment("P", model.PaySyncSuccess, time.Hour)
		b.wires.before = answers("/sync/", 0, "", errDown)
		require.NoError(t, b.reconciler(nil).Once(ctx))
		require.Equal(t, []string{"query/payOrder", "sync/pay"}, b.wires.seen())
		require.ErrorIs(t, b.shop.errors()[0], errDown)
	})
	t.Run("and the query fails too", func(t *testing.T) {
		b := newBench(t)
		b.payment("P", model.PaySyncSuccess, time.Hour)
		down := false
		b.wires.before = func(r *http.Request) (int, string, error) {
			if down = down || strings.Contains(r.URL.Path, "/sync/"); down {
				return 502, "<html>", nil
			}
			return 0, "", nil
		}
		r := b.reconciler(nil)
		require.NoError(t, r.Once(ctx))
		require.Len(t, b.shop.errors(), 2)
		require.EqualValues(t, 1, r.Stats().Faults)
	})
}

// Rule 2: the sync says paid, but the lock of an earlier repair keeps the gateway from recording it.
func TestClosedThoughTheSyncSaysPaid(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Pay, "P", 100, time.Hour)
	b.gw.put(payment{no: "P", amount: 100, status: model.PayClose, channel: model.PaySyncSuccess, repaired: b.now()})
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.shop.taken(), "it is not over")
	b.clock.pass(11 * time.Second)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"pay P success"}, b.shop.taken())
}

func TestOlderGateways(t *testing.T) {
	b := newBench(t)
	b.wires, b.kit = wired(t, b.gw, daxpay.GatewayV206)
	b.order(reconcile.Transfer, "T", 0, time.Hour)
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.ErrorIs(t, b.shop.errors()[0], daxpay.ErrUnsupported)
	require.Empty(t, b.wires.seen())
}

func TestKindsWithoutAFunction(t *testing.T) {
	b := newBench(t)
	b.payment("P", model.PaySyncSuccess, time.Hour)
	b.order(reconcile.Refund, "R", 1, time.Hour)
	r := b.reconciler(func(s *reconcile.Sink, _ *reconcile.Options) { *s = reconcile.Sink{Refund: s.Refund} })
	require.NoError(t, r.Once(ctx))
	require.Empty(t, b.shop.asked)
	require.EqualValues(t, 1, r.Stats().Listings)
	require.EqualValues(t, 1, r.Stats().Unknown)
}

func TestMistakes(t *testing.T) {
	_, err := reconcile.New(nil, nil, reconcile.Sink{Unknown: func(
		context.Context, reconcile.Order, *daxpay.UnresolvedError,
	) error {
		return nil
	}}, reconcile.Options{
		Grace: -1, First: -1, Ceiling: -1, RetryAfter: -1, UnknownAfter: -1, Concurrency: -1, Interval: -1,
		ListEvery: -1, PageSize: -1, Timeout: -1,
	})
	require.ErrorIs(t, err, daxpay.ErrConfig)
	for _, field := range []string{
		"client", "source", "sink", "Options.Grace", "Options.First", "Options.Ceiling", "Options.RetryAfter",
		"Options.UnknownAfter", "Options.Concurrency",
		"Options.Interval", "Options.ListEvery", "Options.PageSize", "Options.Timeout",
	} {
		require.ErrorContains(t, err, "reconcile: "+field+" must")
	}
	require.Equal(t, 12, strings.Count(err.Error(), "\n"))

	sink := newShop().sink()
	_, err = reconcile.New(&daxpay.Client{}, newShop(), sink, reconcile.Options{Ceiling: time.Second})
	var mistake *reconcile.OptionError
	require.ErrorAs(t, err, &mistake)
	require.Equal(t, "Options.Ceiling", mistake.Field)
	_, err = reconcile.New(&daxpay.Client{}, newShop(), sink, reconcile.Options{RetryAfter: time.Hour})
	require.NoError(t, err, "the default of Ceiling follows")

	r, err := reconcile.New(&daxpay.Client{}, newShop(), sink, reconcile.Options{})
	require.NoError(t, err)
	require.ErrorIs(t, r.Once(nil), daxpay.ErrConfig) //nolint:staticcheck // the mistake is the test
	require.ErrorIs(t, r.Run(nil), daxpay.ErrConfig)  //nolint:staticcheck // the mistake is the test
	require.NoError(t, r.Once(ctx))
}

func TestOnErrorPanics(t *testing.T) {
	b := newBench(t)
	b.paid("P", time.Hour)
	b.shop.fail = func() error { return errDown }
	r := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) {
		o.OnError = func(reconcile.Order, error) { panic("in OnError") }
	})
	require.NoError(t, r.Once(ctx))
	b.shop.fail = nil
	b.clock.pass(5 * time.Second)
	require.NoError(t, r.Once(ctx))
	require.Len(t, b.shop.taken(), 1)
}

func TestLog(t *testing.T) {
	b := newBench(t)
	const no = "SECRETNO"
	b.payment(no, model.PaySyncProgress, time.Hour)
	b.order(reconcile.Refund, no, 40, time.Hour)
	var log bytes.Buffer
	r := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) {
		o.OnError = nil
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	require.NoError(t, r.Once(ctx))
	b.wires.before = func(*http.Request) (int, string, error) { return 0, "", errors.New(no) }
	b.shop.broken = func(reconcile.Kind) error { return errors.New(no) }
	b.clock.pass(10 * time.Minute)
	require.Error(t, r.Once(ctx))
	b.wires.before = nil
	b.gw.pay(no, false)
	b.shop.fail = func() error { return errors.New(no) }
	b.clock.pass(10 * time.Minute)
	require.Error(t, r.Once(ctx))
	b.shop.fail = nil
	b.clock.pass(10 * time.Minute)
	require.Error(t, r.Once(ctx))
	for _, line := range []string{
		`level=DEBUG msg="daxpay reconcile: listed" open=1 kind=pay`,
		`level=DEBUG msg="daxpay reconcile: in progress" status=progress kind=pay`,
		`level=INFO msg="daxpay reconcile: outcome unknown" reason="no such order" kind=refund`,
		`level=WARN msg="daxpay reconcile: source failed" kind=transfer`,
		`level=WARN msg="daxpay reconcile: no answer" kind=pay`,
		`level=WARN msg="daxpay reconcile: sink failed" kind=pay`,
		`level=INFO msg="daxpay reconcile: handed on" status=success kind=pay`,
	} {
		require.Contains(t, log.String(), line)
	}
	require.NotContains(t, log.String(), no)
}

func TestSettledByANotice(t *testing.T) {
	b := newBench(t)
	b.payment("P", model.PaySyncProgress, time.Hour)
	b.payment("Q", model.PaySyncProgress, time.Hour)
	r := b.reconciler(nil)
	require.NoError(t, r.Once(ctx))
	require.Len(t, b.wires.seen(), 6)
	b.shop.settle(reconcile.Pay, "P")
	b.clock.pass(time.Hour)
	require.NoError(t, r.Once(ctx))
	require.Equal(t, []string{"sync/pay", "query/payOrder"}, b.wires.seen(), "P is no longer queried")
	require.Equal(t, 1, r.Stats().Open)
}

func TestPausesAfterFaultsBeginAnew(t *testing.T) {
	b := newBench(t)
	b.payment("P", model.PaySyncProgress, time.Hour)
	r := b.reconciler(nil)
	down := func(*http.Request) (int, string, error) { return 0, "", errDown }
	look := func(want int) {
		t.Helper()
		require.NoError(t, r.Once(ctx))
		require.Len(t, b.wires.seen(), want)
	}
	for range 6 {
		b.wires.before = down
		look(1)
		b.clock.pass(10 * time.Minute)
	}
	b.wires.before = nil
	look(3)
	b.clock.pass(10 * time.Minute)
	b.wires.before = down
	look(1)
	b.clock.pass(5 * time.Second)
	look(1)
}

// Only the sync after the expiry finds a late payment, so it is repeated if it is refused.
func TestTheLateSyncIsMadeAgain(t *testing.T) {
	for name, refusal := range map[string]string{
		"none":  "",
		"10001": `{"code":10001,"msg":"系统错误","data":null,"traceId":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			expires := b.now().Add(20 * time.Minute)
			b.order(reconcile.Pay, "P", 100, time.Minute)
			b.gw.put(payment{no: "P", amount: 100, status: model.PayClose, channel: model.PaySyncClosed, expires: expires})
			r := b.reconciler(nil)
			require.NoError(t, r.Once(ctx))
			require.Equal(t, []string{"pay P close"}, b.shop.taken())
			b.clock.pass(10 * time.Minute)
			b.gw.pay("P", true) // the customer pays late, and the gateway ignores the channel's callback
			down := refusal != ""
			b.wires.before = func(r *http.Request) (int, string, error) {
				if down && strings.Contains(r.URL.Path, "/sync/") {
					return http.StatusOK, refusal, nil
				}
				return 0, "", nil
			}
			b.clock.pass(15 * time.Minute)
			require.NoError(t, r.Once(ctx))
			down = false
			for range 20 {
				b.clock.pass(30 * time.Second)
				require.NoError(t, r.Once(ctx))
			}
			require.Equal(t, []string{"pay P success"}, b.shop.taken())
		})
	}
}
