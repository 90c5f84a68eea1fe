package reconcile

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An order that disappears from the list and comes back during a look is not looked at twice at a time: the sink may
// have it.
func TestListedAgainWhileLookedAt(t *testing.T) {
	options, faults := Options{}.withDefaults()
	require.Empty(t, faults)
	orders := newOrders(options)
	now := time.Now()
	page := []Order{{No: "A", Made: now.Add(-time.Hour)}}
	list := func(page []Order) {
		listing := orders.begin()
		require.True(t, orders.add(Pay, listing, page, now))
		require.Equal(t, len(page), orders.drop(Pay, listing))
	}
	stands := func(open, running int) {
		t.Helper()
		isOpen, isRunning := orders.count()
		require.Equal(t, [2]int{open, running}, [2]int{isOpen, isRunning})
	}
	list(page)
	first, _ := orders.take(now)
	require.NotNil(t, first)
	list(nil)
	list(nil)
	require.False(t, first.listed())
	stands(0, 1)
	list(page)
	require.True(t, first.listed())
	second, _ := orders.take(now)
	require.Nil(t, second)
	stands(1, 1)

	list(nil)
	orders.put(first, taken, 0, now)
	stands(0, 0)
	list(page) // it was forgotten, so it begins anew
	second, _ = orders.take(now)
	require.NotNil(t, second)
	orders.put(second, taken, 0, now)
	stands(0, 0)
	list(nil)
	require.Empty(t, orders.known)

	// Another process has handed it on as over, as its note says, and the shop stores that during the look.
	for _, what := range []outcome{failed, cutOff, open, taken} {
		list(page)
		job, _ := orders.take(now)
		require.NotNil(t, job)
		list(nil)
		job.late = true
		orders.put(job, what, 0, now)
		stands(0, 0)
		require.Empty(t, orders.known)
	}
}

// The largest pauses do not overflow to negative ones, which would be none.
func TestPausesDoNotOverflow(t *testing.T) {
	const longest = time.Duration(math.MaxInt64)
	for _, d := range []time.Duration{1, time.Second, 3 << 60, longest} {
		for n := range 70 {
			require.GreaterOrEqual(t, doubled(d, n, longest), d)
		}
		require.GreaterOrEqual(t, listPause(d, 0), d)
		require.GreaterOrEqual(t, listPause(d, 70), d)
	}
	require.Equal(t, 8*time.Second, listPause(time.Second, 70))
}
