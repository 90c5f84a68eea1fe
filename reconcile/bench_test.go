package reconcile_test

import (
	"context"
	"fmt"
	"runtime"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/reconcile"
)

// BenchmarkList lists 100,000 open orders that are known, and says how much memory each takes beside its number.
func BenchmarkList(b *testing.B) {
	const n = 100_000
	orders := make([]reconcile.Order, n)
	for i := range orders {
		orders[i] = reconcile.Order{No: fmt.Sprintf("SDK_%013d", i), Amount: 100, Made: time.Now().Add(time.Hour)}
	}
	source := reconcile.SourceFunc(func(
		_ context.Context, _ reconcile.Kind, after string, limit int,
	) ([]reconcile.Order, error) {
		first := sort.Search(n, func(i int) bool { return orders[i].No > after })
		return orders[first:min(first+limit, n)], nil
	})
	r, err := reconcile.New(
		&daxpay.Client{}, source, reconcile.Sink{Pay: newShop().sink().Pay}, reconcile.Options{Grace: time.Hour},
	)
	require.NoError(b, err)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	require.NoError(b, r.Once(ctx))
	perOrder := float64(heap()-before) / n
	require.Equal(b, n, r.Stats().Open)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		require.NoError(b, r.Once(ctx))
	}
	b.ReportMetric(perOrder, "bytes/order")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/order")
}
