//go:build go1.25

package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/memschedule"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// callsOf counts the calls that processes make in half an hour about open orders of all ages. They share a schedule if
// share is set.
func callsOf(t *testing.T, processes int, share bool) (calls int) {
	t.Helper()
	bubble(t, func(_ *testing.T, b *bench) {
		const orders = 200
		for i := range orders {
			b.payment(fmt.Sprintf("P%03d", i), model.PaySyncProgress, time.Duration(i*i)*time.Second)
		}
		schedule := memschedule.New(time.Now)
		for range processes {
			_, stop := b.run(func(_ *reconcile.Sink, o *reconcile.Options) {
				o.Interval = 5 * time.Millisecond
				if share {
					o.Schedule = schedule
				}
			})
			defer stop()
		}
		after(30 * time.Minute)
		calls = len(b.wires.seen())
	})
	return calls
}

func TestFourProcessesCallAsOneDoes(t *testing.T) {
	alone, shared, apart := callsOf(t, 1, false), callsOf(t, 4, true), callsOf(t, 4, false)
	t.Logf("one process: %d calls; four that share a schedule: %d; four that do not: %d", alone, shared, apart)
	require.InDelta(t, alone, shared, float64(alone)/100)
	require.InDelta(t, 4*alone, apart, float64(alone)/10)
}

// A schedule that does not answer, and ignores its context, costs 2 seconds now and then, and stops nothing.
func TestScheduleHangs(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		answer := make(chan struct{})
		hung := &scheduleFunc{
			Schedule: memschedule.New(time.Now), claim: func(context.Context) error { <-answer; return errDown },
		}
		for i := range 100 {
			b.paid(fmt.Sprintf("P%03d", i), time.Hour)
		}
		r, stop := b.run(func(_ *reconcile.Sink, o *reconcile.Options) { o.Schedule = hung })
		after(5 * time.Second)
		require.Len(t, b.shop.taken(), 100)
		require.EqualValues(t, 8, r.Stats().ScheduleErrors, "one for each that were looked at side by side")
		b.payment("P", model.PaySyncProgress, 0)
		after(10 * time.Minute)
		require.Greater(t, len(b.wires.seen()), 50)
		require.LessOrEqual(t, r.Stats().ScheduleErrors, uint64(8+20), "it is asked less and less")
		close(answer)
		stop()
	})
}

// When a process dies during a look, another takes the order over within a lease.
func TestTakenOverWithinALease(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		schedule := memschedule.New(time.Now)
		b.payment("P", model.PaySyncProgress, time.Minute)
		asked := make(chan struct{}, 1)
		b.wires.before = func(r *http.Request) (int, string, error) {
			select {
			case asked <- struct{}{}: // the first call
				<-r.Context().Done()
			default:
			}
			return 0, "", r.Context().Err()
		}
		dead := &scheduleFunc{Schedule: schedule, giveBack: func() error { return errDown }}
		_, kill := b.run(func(_ *reconcile.Sink, o *reconcile.Options) { o.Schedule = dead })
		after(time.Second)
		other, stop := b.run(func(_ *reconcile.Sink, o *reconcile.Options) { o.Schedule = schedule })
		after(time.Second)
		kill()
		require.Zero(t, other.Stats().Looks)
		require.EqualValues(t, 1, other.Stats().Yielded)
		b.gw.pay("P", false)
		after(59 * time.Second)
		require.Equal(t, []string{"pay P success"}, b.shop.taken())
		stop()
	})
}
