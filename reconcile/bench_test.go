package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// BenchmarkList lists 100,000 known open orders and reports the memory that each takes besides its number.
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

// BenchmarkLooks measures how many orders a second a process looks at when the gateway takes 10 milliseconds for an
// answer. Each look is one query.
func BenchmarkLooks(b *testing.B) {
	for _, connections := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			gw := daxpaytest.New(daxpaytest.WithoutNotices(), daxpaytest.WithRequestLog(1))
			defer gw.Close()
			slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-time.After(10 * time.Millisecond)
				gw.ServeHTTP(w, r)
			}))
			defer slow.Close()
			kit, err := daxpay.New(daxpay.Config{
				ServiceURL: slow.URL, SignSecret: daxpaytest.Secret, Retry: daxpay.Retry{MaxAttempts: 1},
			})
			require.NoError(b, err)
			shop := newShop()
			orders := 50 * connections
			for i := range orders {
				no := fmt.Sprintf("P%05d", i)
				gw.SetPayment(daxpaytest.Payment{BizOrderNo: no, Amount: 1, Status: model.PaySyncProgress})
				shop.put(reconcile.Order{Kind: reconcile.Pay, No: no, Amount: 1, Made: time.Now().Add(-time.Hour)})
			}
			b.ResetTimer()
			for range b.N {
				r, err := reconcile.New(kit, shop, reconcile.Sink{Pay: shop.sink().Pay}, reconcile.Options{
					Interval: 1, Concurrency: connections, QueryOnly: true,
				})
				require.NoError(b, err)
				require.NoError(b, r.Once(ctx))
				require.EqualValues(b, orders, r.Stats().InProgress)
			}
			b.ReportMetric(float64(orders*b.N)/b.Elapsed().Seconds(), "looks/s")
		})
	}
}
