//go:build go1.25

package reconcile_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// bubble runs a test in a synctest bubble. A goroutine that is left over at the end fails the test.
func bubble(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, gw: newGateway(t, time.Now), shop: newShop(), now: time.Now}
		b.wires, b.kit = wired(t, b.gw, daxpay.GatewayV208)
		test(t, b)
	})
}

// run starts a reconciler and returns a function that ends it.
func (b *bench) run(change func(*reconcile.Sink, *reconcile.Options)) (r *reconcile.Reconciler, stop func()) {
	b.Helper()
	r = b.reconciler(func(s *reconcile.Sink, o *reconcile.Options) {
		o.Interval = 0
		if change != nil {
			change(s, o)
		}
	})
	ctx, cancel := context.WithCancel(ctx)
	b.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return r, func() {
		b.Helper()
		start := time.Now()
		cancel()
		require.NoError(b, <-done)
		require.Zero(b, time.Since(start), "it stops at once")
	}
}

// after passes d on the bubble's clock and waits until the other goroutines are blocked.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestRunFindsAPaymentWithoutNotice(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		_, stop := b.run(nil)
		after(7 * time.Second)
		b.payment("P", model.PaySyncProgress, 0)
		after(20 * time.Second)
		seen := b.wires.seen()
		require.GreaterOrEqual(t, len(seen), 7, "it is listed within 5 seconds, and asked for every two")
		require.NotContains(t, seen, "sync/pay")
		require.Empty(t, b.shop.taken())
		b.gw.pay("P", false)
		after(2200 * time.Millisecond)
		require.Equal(t, []string{"pay P success"}, b.shop.taken())
		b.wires.seen()
		after(time.Hour)
		require.Empty(t, b.shop.taken())
		require.Empty(t, b.wires.seen())
		stop()
	})
}

// The callback of the channel was lost. A sync finds the payment.
func TestRunFindsAPaymentWithoutCallback(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		_, stop := b.run(nil)
		b.payment("P", model.PaySyncProgress, 0)
		after(10 * time.Second)
		b.gw.pay("P", true)
		after(15 * time.Second)
		require.Equal(t, []string{"pay P success"}, b.shop.taken())
		stop()
	})
}

func TestBounds(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		for i := range 60 {
			no := fmt.Sprintf("P%02d", i)
			b.paid(no, time.Hour)
		}
		b.wires.before = func(r *http.Request) (int, string, error) {
			select {
			case <-time.After(time.Second):
				return 0, "", nil
			case <-r.Context().Done():
				return 0, "", r.Context().Err()
			}
		}
		running, peak := 0, 0
		var mu sync.Mutex
		r, stop := b.run(func(s *reconcile.Sink, o *reconcile.Options) {
			o.Concurrency, o.Interval = 3, 200*time.Millisecond
			s.Pay = func(_ context.Context, o reconcile.Order, m *model.PayOrderModel) error {
				mu.Lock()
				running++
				peak = max(peak, running)
				mu.Unlock()
				<-time.After(10 * time.Second)
				mu.Lock()
				running--
				mu.Unlock()
				return b.shop.take(o, m.BizOrderNo, m.Status)
			}
		})
		after(5 * time.Second)
		require.Equal(t, 3, r.Stats().Running)
		after(10 * time.Minute)
		stop()
		require.Len(t, b.shop.taken(), 60)
		require.Equal(t, 3, b.wires.peak)
		require.Equal(t, 3, peak, "the sink counts as well")
		require.Len(t, b.wires.times, 60)
		least := time.Hour
		for i := 1; i < len(b.wires.times); i++ {
			least = min(least, b.wires.times[i].Sub(b.wires.times[i-1]))
		}
		require.Equal(t, 200*time.Millisecond, least)
	})
}

func TestRateIsUsedUp(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		for i := range 100 {
			no := fmt.Sprintf("P%02d", i)
			b.paid(no, time.Hour)
		}
		start := time.Now()
		r := b.reconciler(func(_ *reconcile.Sink, o *reconcile.Options) { o.Interval = 0 })
		require.NoError(t, r.Once(ctx))
		require.Len(t, b.shop.taken(), 100)
		require.Equal(t, 99*20*time.Millisecond, time.Since(start), "a call an order, fifty a second")
	})
}

func TestDeadGateway(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		for i := range 200 {
			no := fmt.Sprintf("P%03d", i)
			b.paid(no, time.Hour)
		}
		var mu sync.Mutex
		dead := true
		b.wires.before = func(*http.Request) (int, string, error) {
			mu.Lock()
			down := dead
			mu.Unlock()
			if down {
				return 0, "", errDown
			}
			<-time.After(100 * time.Millisecond) // longer than the time between two calls
			return 0, "", nil
		}
		r, stop := b.run(nil)
		after(10 * time.Minute)
		// Five at the rate, then 0.04, 0.08, … 20.48 seconds apart, then every 30.
		calls := len(b.wires.seen())
		require.GreaterOrEqual(t, calls, 15+18)
		require.LessOrEqual(t, calls, 17+18)
		require.Equal(t, 30*time.Second, r.Stats().Pace)
		require.EqualValues(t, calls, r.Stats().Faults)
		require.Empty(t, b.shop.taken())
		mu.Lock()
		dead = false
		mu.Unlock()
		after(80 * time.Second)
		require.Len(t, b.shop.taken(), 200, "the first answer ends it")
		require.Equal(t, 20*time.Millisecond, r.Stats().Pace)
		stop()
	})
}

func TestSourceFailsWhileRunning(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		start := time.Now()
		var times []time.Duration
		b.shop.broken = func(reconcile.Kind) error {
			times = append(times, time.Since(start))
			return errDown
		}
		r, stop := b.run(func(s *reconcile.Sink, _ *reconcile.Options) { *s = reconcile.Sink{Pay: s.Pay} })
		after(2 * time.Minute)
		require.Equal(
			t, []time.Duration{0, 10 * time.Second, 30 * time.Second, 70 * time.Second, 110 * time.Second}, times,
		)
		require.EqualValues(t, 5, r.Stats().SourceErrors)
		b.shop.mu.Lock()
		b.shop.broken = nil
		b.shop.mu.Unlock()
		b.paid("P", time.Hour)
		after(31 * time.Second)
		require.Len(t, b.shop.taken(), 1)
		after(5 * time.Second)
		require.EqualValues(t, 2, r.Stats().Listings)
		stop()
	})
}

// TestStops ends the context at each point where a reconciler can be.
func TestStops(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, prepare := range map[string]func(b *bench, s *reconcile.Sink, o *reconcile.Options){
		"while it waits": func(b *bench, _ *reconcile.Sink, _ *reconcile.Options) { b.shop.settle(reconcile.Pay, "P") },
		"while it waits for an order": func(_ *bench, _ *reconcile.Sink, o *reconcile.Options) {
			o.Grace = 2 * time.Hour
		},
		"in the gateway": func(b *bench, _ *reconcile.Sink, _ *reconcile.Options) {
			b.wires.before = func(r *http.Request) (int, string, error) { return 0, "", hang(r.Context()) }
		},
		"in the rate": func(_ *bench, _ *reconcile.Sink, o *reconcile.Options) { o.Interval = time.Hour },
		"in the queue of the rate": func(b *bench, _ *reconcile.Sink, o *reconcile.Options) {
			o.Interval, o.Concurrency = time.Hour, 2
			b.order(reconcile.Pay, "Q", 100, time.Hour)
		},
		"with all slots in use": func(b *bench, _ *reconcile.Sink, o *reconcile.Options) {
			o.Interval, o.Concurrency = time.Hour, 1
			b.order(reconcile.Pay, "Q", 100, time.Hour)
		},
		"in the sink": func(_ *bench, s *reconcile.Sink, _ *reconcile.Options) {
			s.Pay = func(ctx context.Context, _ reconcile.Order, _ *model.PayOrderModel) error { return hang(ctx) }
		},
		"in the sink, for an unknown order": func(b *bench, s *reconcile.Sink, _ *reconcile.Options) {
			b.order(reconcile.Pay, "Q", 100, time.Hour)
			s.Unknown = func(
				ctx context.Context, _ reconcile.Order, _ *daxpay.UnresolvedError,
			) error {
				return hang(ctx)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) {
				b.paid("P", time.Hour)
				r, stop := b.run(func(s *reconcile.Sink, o *reconcile.Options) { prepare(b, s, o) })
				after(time.Second)
				require.ErrorIs(t, r.Run(ctx), reconcile.ErrRunning)
				require.ErrorIs(t, r.Once(ctx), reconcile.ErrRunning)
				stop()
				require.Zero(t, r.Stats().Running)
				require.Zero(t, r.Stats().Faults+r.Stats().SinkErrors, "stopping is not a fault")
				require.Empty(t, b.shop.errors())
			})
		})
	}
	t.Run("in the source", func(t *testing.T) {
		bubble(t, func(t *testing.T, b *bench) {
			asked := 0
			slow := reconcile.SourceFunc(func(
				ctx context.Context, _ reconcile.Kind, _ string, _ int,
			) ([]reconcile.Order, error) {
				asked++
				return nil, hang(ctx)
			})
			r, err := reconcile.New(b.kit, slow, b.shop.sink(), reconcile.Options{OnError: b.shop.onError})
			require.NoError(t, err)
			limited, cancel := context.WithTimeout(ctx, 40*time.Second)
			defer cancel()
			require.ErrorIs(t, r.Once(limited), context.DeadlineExceeded)
			require.Equal(t, 2, asked, "the first one had its 30 seconds")
			require.EqualValues(t, 1, r.Stats().SourceErrors)
			require.Len(t, b.shop.errors(), 1)
		})
	})
}

// Run waits for functions of the shop that ignore the context.
func TestRunWaits(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.paid("P", time.Hour)
		start := time.Now()
		slow := func(end time.Duration) { <-time.After(end - time.Since(start)) }
		lists := 0
		source := reconcile.SourceFunc(func(
			ctx context.Context, kind reconcile.Kind, after string, limit int,
		) ([]reconcile.Order, error) {
			if lists++; lists == 2 {
				slow(20 * time.Second)
			}
			return b.shop.Open(ctx, kind, after, limit)
		})
		sink := reconcile.Sink{Pay: func(context.Context, reconcile.Order, *model.PayOrderModel) error {
			slow(18 * time.Second)
			return nil
		}}
		r, err := reconcile.New(b.kit, source, sink, reconcile.Options{})
		require.NoError(t, err)
		limited, cancel := context.WithTimeout(ctx, 16*time.Second)
		defer cancel()
		require.NoError(t, r.Run(limited))
		require.Equal(t, 20*time.Second, time.Since(start))
		require.EqualValues(t, 1, r.Stats().Handed, "what the sink took counts, however late")
	})
}

func TestRunsAgain(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.paid("P", time.Hour)
		hung := true
		b.wires.before = func(r *http.Request) (int, string, error) {
			if hung {
				<-r.Context().Done()
			}
			return 0, "", r.Context().Err()
		}
		r, stop := b.run(nil)
		after(time.Second)
		stop()
		hung = false
		require.NoError(t, r.Once(ctx))
		require.Equal(t, []string{"pay P success"}, b.shop.taken(), "what was cut off is due still")
	})
}

func TestSinkThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.paid("P", time.Hour)
		r, stop := b.run(func(s *reconcile.Sink, _ *reconcile.Options) {
			s.Pay = func(ctx context.Context, _ reconcile.Order, _ *model.PayOrderModel) error {
				<-ctx.Done()
				return ctx.Err()
			}
		})
		after(29 * time.Second)
		require.Zero(t, r.Stats().SinkErrors)
		after(2 * time.Second)
		require.EqualValues(t, 1, r.Stats().SinkErrors)
		require.ErrorIs(t, b.shop.errors()[0], context.DeadlineExceeded)
		stop()
	})
}

// A notice settles an order while the reconciler asks for it.
func TestSettledMeanwhile(t *testing.T) {
	for name, prepare := range map[string]func(b *bench){
		"it has ended":  func(b *bench) { b.paid("P", time.Hour) },
		"it is unknown": func(*bench) {},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) {
				prepare(b)
				b.order(reconcile.Pay, "P", 100, time.Hour)
				b.wires.before = func(*http.Request) (int, string, error) {
					<-time.After(8 * time.Second) // the gateway takes requests of the last 10
					return 0, "", nil
				}
				r, stop := b.run(func(s *reconcile.Sink, _ *reconcile.Options) {
					s.Unknown = func(context.Context, reconcile.Order, *daxpay.UnresolvedError) error {
						t.Error("the order is settled")
						return nil
					}
				})
				after(time.Second)
				b.shop.settle(reconcile.Pay, "P")
				after(6500 * time.Millisecond) // after the next list, before the answer to the query
				require.Equal(t, 1, r.Stats().Running)
				require.Zero(t, r.Stats().Open)
				after(time.Hour)
				require.Empty(t, b.shop.taken())
				require.Empty(t, b.shop.errors())
				require.Len(t, b.wires.seen(), 1)
				require.Zero(t, r.Stats().Running)
				stop()
			})
		})
	}
}

// Two notices and the reconciler bring a payment at the same moment. It takes effect once.
func TestNoticesAndReconcilerSettleOnce(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		key := orderKey{reconcile.Pay, "P"}
		table := ledger{shop: b.shop, rows: make(map[orderKey]*row)}
		handler := b.kit.NoticeHandler(daxpay.NoticeHandlers{
			Pay: func(_ context.Context, n *model.PayNotice) error {
				table.settle(key, n.State(), "notice")
				return nil
			},
		})
		table.add(
			reconcile.Order{Kind: reconcile.Pay, No: "P", Amount: 100, Made: time.Now().Add(-time.Hour)}, new(row),
		)
		b.gw.put(payment{no: "P", amount: 100, status: model.PaySuccess})
		body, ok := b.gw.notice("P")
		require.True(t, ok)
		r, stop := b.run(func(s *reconcile.Sink, _ *reconcile.Options) {
			s.Pay = func(ctx context.Context, _ reconcile.Order, m *model.PayOrderModel) error {
				var notices sync.WaitGroup
				for range 2 {
					notices.Add(1)
					go func() {
						defer notices.Done()
						req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/notify", bytes.NewReader(body))
						handler.ServeHTTP(httptest.NewRecorder(), req)
					}()
				}
				table.settle(key, string(m.Status), "reconciler")
				notices.Wait()
				return nil
			}
		})
		after(time.Minute)
		stop()
		require.Equal(t, map[string]int{"success": 1}, table.rows[key].effects)
		require.EqualValues(t, 1, r.Stats().Handed)
		require.Zero(t, r.Stats().Open)
	})
}
