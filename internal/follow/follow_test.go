package follow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/model"
)

func TestPause(t *testing.T) {
	const first, ceiling = time.Second, time.Minute
	for age := time.Duration(0); age < time.Hour; age += 700 * time.Millisecond {
		pauses := make(map[time.Duration]bool)
		for seed := range uint32(50) {
			pause := Pause(age, first, ceiling, seed*2654435761)
			require.GreaterOrEqual(t, pause, first)
			require.LessOrEqual(t, pause, ceiling)
			require.LessOrEqual(t, pause, max(first, age*6/100)*105/100)
			pauses[pause] = true
		}
		if age < 15*time.Minute {
			require.Greater(t, len(pauses), 10, "orders do not stay in step")
		}
	}
	require.Equal(t, ceiling, Pause(24*time.Hour, time.Hour, ceiling, 7), "the ceiling is above all")
	require.Positive(t, Pause(0, 0, 0, 0), "there is always a pause")
}

// An order is synchronized only when a query has shown it open, and never early.
func TestSyncDue(t *testing.T) {
	firsts := map[Kind]time.Duration{
		Pay: firstPaySync, Refund: FirstRefundSync, Transfer: 0, Allocation: firstAllocSync,
	}
	for kind, first := range firsts {
		o := Order{Kind: kind}
		require.False(t, o.SyncDue(time.Hour), "no query has shown it")
		o.Seen(0, model.Open, "progress")
		never := kind == Transfer
		require.False(t, o.SyncDue(first-1))
		require.Equal(t, !never, o.SyncDue(first))
		o.NoSync = true
		require.False(t, o.SyncDue(time.Hour))
	}
}

// What a sync said before a series of failed queries proves nothing about the next query.
func TestASyncThatIsStale(t *testing.T) {
	for pause, want := range map[time.Duration]bool{time.Second: true, 2 * time.Minute: false} {
		o := Order{}
		o.Seen(time.Minute, model.Ended, "close")
		require.True(t, o.SyncDue(time.Minute), "it is closed: a sync has to agree")
		o.Synced(time.Minute, Other)
		end, why := o.Seen(time.Minute+pause, model.Ended, "close")
		require.Equal(t, want, end)
		require.Empty(t, why)
		require.Equal(t, !want, o.SyncDue(time.Minute+pause))
	}
}

// Before a deadline there is one more look, with a sync if the order may have one.
func TestTheLastLook(t *testing.T) {
	o := Order{}
	o.Seen(0, model.Open, "progress")
	at, sync := o.Due(5*time.Minute, time.Second, time.Minute, 5*time.Minute+8*time.Second)
	require.Equal(t, 5*time.Minute+3*time.Second, at)
	require.True(t, sync)
	o.Synced(at, Other)
	o.Seen(at, model.Open, "progress")
	at, sync = o.Due(at, time.Second, time.Minute, 5*time.Minute+8*time.Second)
	require.Greater(t, at, 5*time.Minute+8*time.Second, "there was the last one")
	require.False(t, sync)
}
