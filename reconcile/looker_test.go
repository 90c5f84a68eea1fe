package reconcile_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

func (b *bench) looker(change func(*reconcile.Sink, *reconcile.Options)) *reconcile.Looker {
	b.Helper()
	sink := b.shop.sink()
	options := reconcile.Options{Interval: 1, OnError: b.shop.onError, Now: b.now}
	if change != nil {
		change(&sink, &options)
	}
	l, err := reconcile.NewLooker(b.kit, sink, options)
	require.NoError(b, err)
	return l
}

// A queue that looks when Next says, with a new Looker each time, makes the calls of a Reconciler and reports the same.
func TestALookerFollowsAsAReconcilerDoes(t *testing.T) {
	for name, prepare := range followed {
		if name == "a payment made in the future" {
			continue // its age counts from the first listing, and there is none here
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := historyOfOne(t, prepare)
			type queued struct {
				due  time.Time
				next reconcile.Next
			}
			queue := make(map[orderKey]*queued)
			got := history(t, prepare, func(b *bench, look func(func(context.Context) error), unknown tell) {
				look(func(ctx context.Context) error {
					for key, o := range b.shop.open {
						q := queue[key]
						if q == nil {
							q = &queued{due: o.Made.Add(time.Second)}
							queue[key] = q
						}
						if q.next.Done || q.due.After(b.now()) {
							continue
						}
						looker := b.looker(func(s *reconcile.Sink, _ *reconcile.Options) { s.Unknown = unknown })
						next, err := looker.Look(ctx, o, q.next.Note)
						if err != nil {
							return err
						}
						q.next, q.due = next, b.now().Add(next.After)
						require.LessOrEqual(t, len(next.Note), 1000)
						require.EqualValues(t, 1, looker.Stats().Looks)
					}
					return nil
				})
			})
			require.Equal(t, want, got)
		})
	}
}

func TestLookThatFails(t *testing.T) {
	b := newBench(t)
	b.paid("P", time.Hour)
	o := b.shop.open[orderKey{reconcile.Pay, "P"}]
	b.wires.before = func(*http.Request) (int, string, error) { return 0, "", errDown }
	looker := b.looker(nil)
	var next reconcile.Next
	for _, longest := range []time.Duration{5, 10, 20, 40} { // seconds
		var err error
		next, err = looker.Look(ctx, o, next.Note)
		require.NoError(t, err)
		require.False(t, next.Done)
		require.LessOrEqual(t, next.After, longest*time.Second)
		require.GreaterOrEqual(t, next.After, longest*time.Second/2)
		require.Len(t, b.shop.errors(), 1)
	}
	limited, cancel := context.WithCancel(ctx)
	cancel()
	_, err := looker.Look(limited, o, next.Note)
	require.ErrorIs(t, err, context.Canceled)
	b.wires.before = nil
	next, err = looker.Look(ctx, o, next.Note)
	require.NoError(t, err)
	require.Equal(t, reconcile.Next{Done: true}, next)
	require.Equal(t, []string{"pay P success"}, b.shop.taken())
	require.EqualValues(t, 6, looker.Stats().Looks)
	require.EqualValues(t, 4, looker.Stats().Faults)
}

func TestLookRefusesMistakes(t *testing.T) {
	b := newBench(t)
	looker := b.looker(func(s *reconcile.Sink, _ *reconcile.Options) { s.Refund = nil })
	for field, look := range map[string]func() error{
		"the context": func() error {
			_, err := looker.Look(nil, reconcile.Order{}, "") //nolint:staticcheck // that is the test
			return err
		},
		"Order.Kind": func() error {
			_, err := looker.Look(ctx, reconcile.Order{Kind: reconcile.Refund, Made: b.now()}, "")
			return err
		},
		"the order": func() error {
			_, err := looker.Look(ctx, reconcile.Order{Kind: reconcile.Pay}, "")
			return err
		},
		"client": func() error {
			_, err := reconcile.NewLooker(nil, b.shop.sink(), reconcile.Options{})
			return err
		},
	} {
		var option *reconcile.OptionError
		require.ErrorAs(t, look(), &option)
		require.Equal(t, field, option.Field)
		require.ErrorIs(t, option, daxpay.ErrConfig)
	}
	require.Empty(t, b.wires.seen())
}

// A note from before an order was sent again does not count.
func TestLookAfterAnOrderWasSentAgain(t *testing.T) {
	b := newBench(t)
	b.order(reconcile.Refund, "R", 40, time.Hour)
	b.gw.put(refund{no: "R", amount: 40, status: model.RefundProgress, channel: model.RefundSyncFail})
	o := b.shop.open[orderKey{reconcile.Refund, "R"}]
	looker := b.looker(nil)
	next, err := looker.Look(ctx, o, "")
	require.NoError(t, err)
	require.Equal(t, []string{"query/refundOrder", "sync/refund", "query/refundOrder"}, b.wires.seen())
	o.Made = b.now()
	next, err = looker.Look(ctx, o, next.Note)
	require.NoError(t, err)
	require.LessOrEqual(t, next.After, 3*time.Second)
	require.Equal(t, []string{"query/refundOrder"}, b.wires.seen())
}
