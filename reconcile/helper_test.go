package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// wires is a transport that calls the gateway without a network and records the requests.
type wires struct {
	gateway http.Handler
	// before may answer in place of the gateway, with an error or a status that is not 0.
	before func(r *http.Request) (status int, body string, err error)
	// after may change the answer.
	after func(r *http.Request, body string) string

	mu            sync.Mutex
	paths         []string
	times         []time.Time
	running, peak int
}

func (w *wires) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.paths, w.times = append(w.paths, r.URL.Path), append(w.times, time.Now())
	w.running++
	w.peak = max(w.peak, w.running)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.running--
	}()
	if w.before != nil {
		switch status, body, err := w.before(r); {
		case err != nil:
			return nil, err
		case status != 0:
			return answer(status, body), nil
		}
	}
	recorder := httptest.NewRecorder()
	w.gateway.ServeHTTP(recorder, r)
	body := recorder.Body.String()
	if w.after != nil {
		body = w.after(r, body)
	}
	return answer(recorder.Code, body), nil
}

// answer makes an HTTP response.
func answer(status int, body string) *http.Response {
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Type", "application/json")
	recorder.Code = status
	recorder.Body.WriteString(body)
	return recorder.Result()
}

// syncs counts the syncs since the last call of syncs or seen.
func (w *wires) syncs() int {
	n := 0
	for _, path := range w.seen() {
		if strings.HasPrefix(path, "sync/") {
			n++
		}
	}
	return n
}

// seen lists the paths, without /unipay/, of the requests since the last call of syncs or seen.
func (w *wires) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var seen []string
	for _, path := range w.paths {
		seen = append(seen, strings.TrimPrefix(path, "/unipay/"))
	}
	w.paths = nil
	return seen
}

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// orderKey identifies an order of the shop.
type orderKey struct {
	kind reconcile.Kind
	no   string
}

// shop is a merchant's table of orders, and a sink that records what it gets.
type shop struct {
	mu     sync.Mutex
	open   map[orderKey]reconcile.Order
	got    []string     // kind, number and status of what the sink got
	fail   func() error // called before the sink takes an order
	broken func(kind reconcile.Kind) error
	asked  []string // the after of every page of payments
	errs   []error
}

func newShop() *shop { return &shop{open: make(map[orderKey]reconcile.Order)} }

func (s *shop) put(o reconcile.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[orderKey{o.Kind, o.No}] = o
}

func (s *shop) settle(kind reconcile.Kind, no string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, orderKey{kind, no})
}

// Open implements reconcile.Source.
func (s *shop) Open(_ context.Context, kind reconcile.Kind, after string, limit int) ([]reconcile.Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind == reconcile.Pay {
		s.asked = append(s.asked, after)
	}
	if s.broken != nil {
		if err := s.broken(kind); err != nil {
			return nil, err
		}
	}
	var page []reconcile.Order
	for key, o := range s.open {
		if key.kind == kind && o.No > after {
			o.Kind = ""
			page = append(page, o)
		}
	}
	slices.SortFunc(page, func(a, b reconcile.Order) int { return strings.Compare(a.No, b.No) })
	return page[:min(limit, len(page))], nil
}

func (s *shop) take(o reconcile.Order, number string, status any) error {
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if number != o.No {
		return fmt.Errorf("handed %s for %s", number, o.No)
	}
	s.got = append(s.got, fmt.Sprintf("%s %s %v", o.Kind, o.No, status))
	return nil
}

// taken lists what the sink got since the last call, sorted.
func (s *shop) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	slices.Sort(got)
	return got
}

// errors returns what was reported since the last call.
func (s *shop) errors() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := s.errs
	s.errs = nil
	return errs
}

func (s *shop) onError(_ reconcile.Order, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

func (s *shop) sink() reconcile.Sink {
	return reconcile.Sink{
		Pay: func(_ context.Context, o reconcile.Order, m *model.PayOrderModel) error {
			return s.take(o, m.BizOrderNo, m.Status)
		},
		Refund: func(_ context.Context, o reconcile.Order, m *model.RefundOrderModel) error {
			return s.take(o, m.BizRefundNo, m.Status)
		},
		Transfer: func(_ context.Context, o reconcile.Order, m *model.TransferOrderModel) error {
			return s.take(o, m.BizTransferNo, m.Status)
		},
		Allocation: func(_ context.Context, o reconcile.Order, m *model.AllocOrderModel) error {
			return s.take(o, m.BizAllocNo, m.Status)
		},
	}
}

// bench is a gateway, a shop and a clock that a test moves.
type bench struct {
	*testing.T
	clock *clock // nil in a bubble
	now   func() time.Time
	gw    *gateway
	wires *wires
	kit   *daxpay.Client
	shop  *shop
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, clock: &clock{t: time.Unix(1_700_000_000, 0)}, shop: newShop()}
	b.now = b.clock.now
	b.gw = newGateway(t, b.now)
	b.wires, b.kit = wired(t, b.gw, daxpay.GatewayV208)
	return b
}

func wired(t *testing.T, gw *gateway, version daxpay.GatewayVersion) (*wires, *daxpay.Client) {
	t.Helper()
	w := &wires{gateway: gw}
	config := gw.config(w)
	config.Gateway = version
	kit, err := daxpay.New(config)
	require.NoError(t, err)
	return w, kit
}

// reconciler makes one that knows nothing yet, as after a restart.
func (b *bench) reconciler(change func(*reconcile.Sink, *reconcile.Options)) *reconcile.Reconciler {
	b.Helper()
	sink := b.shop.sink()
	options := reconcile.Options{Interval: 1, OnError: b.shop.onError, Now: b.now}
	if change != nil {
		change(&sink, &options)
	}
	r, err := reconcile.New(b.kit, b.shop, sink, options)
	require.NoError(b, err)
	return r
}

// order adds an open order to the shop, made so long ago.
func (b *bench) order(kind reconcile.Kind, no string, amount int64, age time.Duration) {
	b.shop.put(reconcile.Order{Kind: kind, No: no, Amount: amount, Made: b.now().Add(-age)})
}

// payment adds a payment that is open in the shop and in progress at the gateway. channel is what its channel says.
func (b *bench) payment(no string, channel model.PaySyncStatus, age time.Duration) {
	b.order(reconcile.Pay, no, 100, age)
	b.gw.put(payment{no: no, amount: 100, status: model.PayProgress, channel: channel})
}

// paid adds a payment that is open in the shop and a success at the gateway.
func (b *bench) paid(no string, age time.Duration) {
	b.order(reconcile.Pay, no, 100, age)
	b.gw.put(payment{no: no, amount: 100, status: model.PaySuccess, channel: model.PaySyncSuccess})
}

// allocation adds an allocation to the shop, with the gateway's number.
func (b *bench) allocation(no string, age time.Duration) {
	b.shop.put(reconcile.Order{
		Kind: reconcile.Allocation, No: no, GatewayNo: "G" + no, Amount: 100, Made: b.now().Add(-age),
	})
}

var errDown = errors.New("down")
