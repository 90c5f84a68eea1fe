//go:build go1.25

package daxpay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/follow"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// customer pays so long after the order was made; 0 is never.
type customer struct {
	pays time.Duration
	lost bool // the channel's callback
}

// customers pay after a time whose logarithm is normal: median 20 s, σ 0.8. 15 % never do; 2 % of the callbacks are
// lost.
func customers(n int, seed uint64) []customer {
	r := rand.New(rand.NewPCG(seed, 20))
	all := make([]customer, n)
	for i := range all {
		if r.Float64() >= 0.15 {
			all[i].pays = time.Duration(20 * math.Exp(0.8*r.NormFloat64()) * float64(time.Second))
		}
		all[i].lost = r.Float64() < 0.02
	}
	return all
}

// payment is the payment of a customer at the gateway. The callback makes it a success a second after the customer
// paid; a sync does at any time after.
type payment struct {
	customer
	synced bool
}

func (p *payment) paid(age time.Duration) bool { return p.pays > 0 && age >= p.pays }

func (p *payment) succeeded(age time.Duration) bool {
	return p.paid(age) && (p.synced || !p.lost && age >= p.pays+time.Second)
}

func (p *payment) sync(age time.Duration) model.PaySyncStatus {
	if !p.paid(age) {
		return model.PaySyncProgress
	}
	p.synced = true
	return model.PaySyncSuccess
}

// course records what a wait did.
type course struct {
	queries, syncs []time.Duration
	known          time.Duration // age at which the shop knows of the payment, 0 for never
}

// simulated is the course of a wait by the rules of package follow, without a client.
func simulated(no string, c customer, limit time.Duration) (w course) {
	p := payment{customer: c}
	order := follow.Order{Seed: follow.SeedOf(no)}
	for age, sync := time.Duration(0), false; age < limit; age, sync = order.Due(age, time.Second, time.Minute, limit) {
		if sync {
			w.syncs = append(w.syncs, age)
			order.Synced(age, follow.PayAnswer(p.sync(age)))
		}
		w.queries = append(w.queries, age)
		standing := model.Open
		if p.succeeded(age) {
			standing = model.Succeeded
		}
		if end, _ := order.Seen(age, standing, ""); end {
			w.known = age
			return w
		}
	}
	return w
}

const patience = 15 * time.Minute

func customerNo(i int) string { return fmt.Sprintf("C%05d", i) }

// figures measure a cadence. They are what the default was chosen by.
type figures struct {
	median, p99, p99All, p99Lost float64 // seconds from paid to known, without and with lost callbacks
	queries, syncs               int     // that an order which is never paid costs at most
}

func measure(all []customer, courses []course) (f figures) {
	var told, lost []time.Duration
	for i, c := range all {
		w := courses[i]
		switch {
		case c.pays == 0:
			f.queries, f.syncs = max(f.queries, len(w.queries)), max(f.syncs, len(w.syncs))
		case w.known == 0: // paid after the patience
		case c.lost:
			lost = append(lost, w.known-c.pays)
		default:
			told = append(told, w.known-c.pays)
		}
	}
	f.median, f.p99 = quantile(told, 0.5), quantile(told, 0.99)
	f.p99All, f.p99Lost = quantile(slices.Concat(told, lost), 0.99), quantile(lost, 0.99)
	return f
}

func quantile(d []time.Duration, q float64) float64 {
	slices.Sort(d)
	return d[int(q*float64(len(d)-1))].Seconds()
}

func simulate(n int) figures {
	all := customers(n, 1)
	courses := make([]course, n)
	for i, c := range all {
		courses[i] = simulated(customerNo(i), c, patience)
	}
	return measure(all, courses)
}

// TestCadence checks the figures of the default cadence of WaitPay; BenchmarkCadence prints them.
func TestCadence(t *testing.T) {
	f := simulate(20_000)
	t.Logf("%+v", f)
	require.LessOrEqual(t, f.median, 1.8)
	require.LessOrEqual(t, f.p99, 6.0)
	require.LessOrEqual(t, f.p99All, 35.0)
	require.LessOrEqual(t, f.p99Lost, 35.0)
	require.LessOrEqual(t, f.queries, 90)
	require.LessOrEqual(t, f.syncs, 10)
}

// BenchmarkCadence simulates 20,000 customers: run it again after a change of the cadence.
func BenchmarkCadence(b *testing.B) {
	var f figures
	for range b.N {
		f = simulate(20_000)
	}
	b.ReportMetric(f.median, "s/median")
	b.ReportMetric(f.p99, "s/p99")
	b.ReportMetric(f.p99All, "s/p99-with-lost-callbacks")
	b.ReportMetric(f.p99Lost, "s/p99-of-lost-callbacks")
	b.ReportMetric(float64(f.queries), "queries/unpaid")
	b.ReportMetric(float64(f.syncs), "syncs/unpaid")
}

// till is a gateway with the payments of all customers. They all arrive at the same time.
type till struct {
	*testing.T
	start    time.Time
	mu       sync.Mutex
	payments map[string]*payment
	courses  map[string]*course
}

func (s *till) RoundTrip(r *http.Request) (*http.Response, error) {
	var body map[string]any
	raw, err := io.ReadAll(r.Body)
	require.NoError(s, err)
	require.NoError(s, json.Unmarshal(raw, &body))
	s.mu.Lock()
	defer s.mu.Unlock()
	age := time.Since(s.start)
	members := fmt.Sprintf(`"code":0,"resTime":%d,`, time.Now().Unix())
	switch r.URL.Path {
	case "/unipay/sync/pay":
		no, _ := body["bizOrderNo"].(string)
		s.courses[no].syncs = append(s.courses[no].syncs, age)
		members += fmt.Sprintf(`"status":"%s"`, s.payments[no].sync(age))
	case "/unipay/query/payOrder":
		no, _ := body["bizOrderNoeNo"].(string)
		s.courses[no].queries = append(s.courses[no].queries, age)
		status := model.PayProgress
		if s.payments[no].succeeded(age) {
			status = model.PaySuccess
		}
		members += fmt.Sprintf(`"orderNo":"P","bizOrderNo":"%s","amount":100,"status":"%s"`, no, status)
	default:
		s.Errorf("%s was called", r.URL.Path)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{
		StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(sealed(s, members))),
	}, nil
}

// TestWaitPayKeepsTheCadence runs the real WaitPay for 300 customers and compares its queries and syncs with those of
// the simulation.
func TestWaitPayKeepsTheCadence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := customers(300, 2)
		shop := &till{T: t, start: time.Now(), payments: make(map[string]*payment), courses: make(map[string]*course)}
		kit, err := daxpay.New(daxpay.Config{
			ServiceURL: "http://127.0.0.1:9000", SignSecret: secret, Gateway: daxpay.GatewayV208,
			HTTPClient: &http.Client{Transport: shop},
		})
		require.NoError(t, err)
		for i, c := range all {
			shop.payments[customerNo(i)], shop.courses[customerNo(i)] = &payment{customer: c}, new(course)
		}
		var waits sync.WaitGroup
		for i := range all {
			waits.Add(1)
			go func() {
				defer waits.Done()
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				order, err := kit.WaitPay(
					ctx, &param.QueryPayOrderParam{BizOrderNo: customerNo(i)}, daxpay.Wait{Amount: 100},
				)
				if err == nil && order.Data.Standing() == model.Succeeded {
					shop.mu.Lock()
					defer shop.mu.Unlock()
					shop.courses[customerNo(i)].known = time.Since(shop.start)
				}
			}()
		}
		waits.Wait()
		for i, c := range all {
			require.Equal(t, simulated(customerNo(i), c, patience), *shop.courses[customerNo(i)], "customer %d", i)
		}
	})
}
