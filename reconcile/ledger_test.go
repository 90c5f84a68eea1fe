//go:build go1.25

package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// ledger is a merchant's table of orders of all kinds, with the conditional update that lets an order take effect once.
type ledger struct {
	*shop
	mu   sync.Mutex
	rows map[orderKey]*row
}

type row struct {
	order   reconcile.Order
	status  string // "" for open
	effects map[string]int
	by      string

	truth   string // how it ends as far as can be proved, "" for never
	late    bool   // it is closed first, and paid then
	refused bool   // the gateway has it with another amount
	told    int    // how often Sink.Unknown took it
}

func (l *ledger) add(o reconcile.Order, r *row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.order, r.effects = o, make(map[string]int)
	l.rows[orderKey{o.Kind, o.No}] = r
	l.put(o)
}

// isOver tells whether an order is a payment that is over and can still be paid.
func isOver(kind reconcile.Kind, status string) bool {
	return kind == reconcile.Pay && (status == "close" || status == "cancel")
}

// settle is the conditional update, and the effect that the shop has in the same transaction. An open order takes any
// status; a payment that is over takes success only, and stays in the list until then.
func (l *ledger) settle(key orderKey, status, by string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rows[key]
	if r.status != "" && (!isOver(key.kind, r.status) || status != "success") {
		return
	}
	r.status, r.by = status, by
	r.effects[status]++
	if r.order.Ended = isOver(key.kind, status); r.order.Ended {
		l.put(r.order)
		return
	}
	l.shop.settle(key.kind, key.no)
}

// process checks what one run of the program does to an order: see hand.
type process struct {
	mu    sync.Mutex
	inUse map[orderKey]bool
	taken map[orderKey]string
	wrong []string
}

// world is the simulation. Whatever happens by chance in it comes from rand.
type world struct {
	*bench
	ledger
	lucky sync.Mutex
	rand  *rand.Rand
}

// chance is true in percent of all cases.
func (w *world) chance(percent int) bool {
	return w.number(100) < percent
}

func (w *world) number(n int) int {
	w.lucky.Lock()
	defer w.lucky.Unlock()
	return w.rand.IntN(n)
}

var errChance = errors.New("bad luck")

// spoil makes about a fifth of all calls fail, in different ways.
func (w *world) spoil(r *http.Request) (int, string, error) {
	switch n := w.number(100); {
	case n < 5:
		return 0, "", errChance // before it arrives
	case n < 10:
		w.gw.ServeHTTP(httptest.NewRecorder(), r) // after it arrived
		return 0, "", errChance
	case n < 13:
		return http.StatusBadGateway, "<html>", nil
	case n < 16:
		return http.StatusOK, `{"code":10001,"msg":"系统错误"}`, nil
	case n < 17:
		return http.StatusOK, `{"code":1,"msg":"支付订单不存在"}`, nil
	case n < 18:
		<-r.Context().Done()
		return 0, "", r.Context().Err()
	}
	return 0, "", nil
}

// forge changes some answers to say that money moved.
func (w *world) forge(_ *http.Request, body string) string {
	if !w.chance(4) {
		return body
	}
	for _, status := range []string{"progress", "transferring", "fail", "close"} {
		body = strings.Replace(body, `"status":"`+status+`"`, `"status":"success"`, 1)
	}
	return strings.Replace(body, `"status":"allocation_processing"`, `"status":"allocation_end"`, 1)
}

// hand is the sink. It settles the order, and sometimes fails before or after that.
func (w *world) hand(p *process, o reconcile.Order, status string) error {
	key := orderKey{o.Kind, o.No}
	p.mu.Lock()
	if p.inUse[key] {
		p.wrong = append(p.wrong, "twice at a time: "+o.No)
	}
	if before, ok := p.taken[key]; ok && (!isOver(key.kind, before) || status != "success") {
		p.wrong = append(p.wrong, "again after nil: "+o.No)
	}
	p.inUse[key] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.inUse[key] = false
	}()
	<-time.After(time.Duration(w.number(3000)) * time.Millisecond)
	n := w.number(100)
	switch {
	case n < 8:
		return errChance
	case n < 10:
		panic(errChance)
	}
	w.settle(key, status, "reconciler")
	switch {
	case n < 14:
		return errChance
	case n < 16:
		panic(errChance)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken[key] = status
	return nil
}

// live runs processes one after the other, each for some minutes.
func (w *world) live(until time.Time) (processes int, wrong []string, sum reconcile.Stats) {
	for time.Now().Before(until) {
		processes++
		p := &process{inUse: make(map[orderKey]bool), taken: make(map[orderKey]string)}
		r, err := reconcile.New(w.kit, w.bench.shop, reconcile.Sink{
			Pay: func(_ context.Context, o reconcile.Order, m *model.PayOrderModel) error {
				return w.hand(p, o, string(m.Status))
			},
			Refund: func(_ context.Context, o reconcile.Order, m *model.RefundOrderModel) error {
				return w.hand(p, o, string(m.Status))
			},
			Transfer: func(_ context.Context, o reconcile.Order, m *model.TransferOrderModel) error {
				return w.hand(p, o, string(m.Status))
			},
			Allocation: func(_ context.Context, o reconcile.Order, m *model.AllocOrderModel) error {
				return w.hand(p, o, string(m.Status))
			},
			Unknown: func(_ context.Context, o reconcile.Order, _ *daxpay.UnresolvedError) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.rows[orderKey{o.Kind, o.No}].told++
				return nil
			},
		}, reconcile.Options{Concurrency: 8, First: 10 * time.Second})
		require.NoError(w, err)
		ctx, cancel := context.WithTimeout(ctx, min(time.Until(until), time.Duration(60+w.number(1200))*time.Second))
		require.NoError(w, r.Run(ctx))
		cancel()
		wrong = append(wrong, p.wrong...)
		s := r.Stats()
		sum.Looks, sum.Calls, sum.Handed = sum.Looks+s.Looks, sum.Calls+s.Calls, sum.Handed+s.Handed
		sum.Faults, sum.SinkErrors = sum.Faults+s.Faults, sum.SinkErrors+s.SinkErrors
		sum.SourceErrors += s.SourceErrors
	}
	return processes, wrong, sum
}

// event happens outside of the shop.
type event struct {
	at time.Time
	do func()
}

// life has the steps of an order at the gateway and the channel.
type life struct {
	begin, end func()
	after      func() // some time after the end, nil for nothing
}

// payment plans the life of a payment.
func (w *world) payment(r *row, no string, amount int64) life {
	put := func(status model.PayStatus, channel model.PaySyncStatus) func() {
		return func() {
			w.gw.put(payment{
				no: no, amount: amount, status: status, channel: channel, expires: time.Now().Add(20 * time.Minute),
			})
		}
	}
	begin := put(model.PayProgress, model.PaySyncNotFoundUnknown)
	learns := w.chance(70) // the gateway hears of the end from its channel
	closed := put(model.PayProgress, model.PaySyncClosed)
	if learns {
		closed = put(model.PayClose, model.PaySyncClosed)
	}
	switch n := w.number(100); {
	case n < 60:
		r.truth = "success"
		return life{begin: begin, end: func() { w.gw.pay(no, !learns) }}
	case n < 72:
		r.truth = "close"
		return life{begin: begin, end: closed}
	case n < 80:
		r.truth = "cancel"
		return life{begin: begin, end: put(model.PayCancel, model.PaySyncClosed)}
	case n < 88:
		r.truth, r.late = "success", true
		return life{begin: begin, end: closed, after: func() { w.gw.pay(no, true) }}
	case n < 92:
		return life{begin: begin, end: put(model.PayProgress, model.PaySyncRefund)}
	case n < 96:
		return life{
			begin: func() { w.gw.put(payment{no: no, amount: amount, status: model.PayProgress, wallet: true}) },
			end:   func() {},
		}
	}
	return life{begin: func() {}, end: func() {}} // the call was lost
}

func (w *world) refund(r *row, no string, amount int64) life {
	put := func(status model.RefundStatus, channel model.RefundSyncStatus) func() {
		return func() { w.gw.put(refund{no: no, amount: amount, status: status, channel: channel}) }
	}
	done := put(model.RefundProgress, model.RefundSyncSuccess)
	if w.chance(70) {
		done = put(model.RefundSuccess, model.RefundSyncSuccess)
	}
	r.truth = "success"
	switch n := w.number(100); {
	case n < 60:
		return life{begin: put(model.RefundProgress, model.RefundSyncProgress), end: done}
	case n < 75: // it fails and is sent again
		return life{
			begin: put(model.RefundProgress, model.RefundSyncFail), end: put(model.RefundFail, model.RefundSyncFail),
			after: done,
		}
	case n < 80: // the gateway calls it failed, and the channel did it
		return life{
			begin: put(model.RefundFail, model.RefundSyncFail), end: put(model.RefundFail, model.RefundSyncSuccess),
		}
	}
	r.truth = ""
	return life{
		begin: put(model.RefundProgress, model.RefundSyncFail), end: put(model.RefundFail, model.RefundSyncFail),
	}
}

// order plans the life of one order.
func (w *world) order(start time.Time, kind reconcile.Kind, no string) []event {
	r := new(row)
	o := reconcile.Order{
		Kind: kind, No: no, Amount: int64(1 + w.number(100_000)),
		Made: start.Add(time.Duration(w.number(1800)) * time.Second),
	}
	var l life
	switch kind {
	case reconcile.Pay:
		theirs := o.Amount
		if r.refused = w.chance(4); r.refused {
			theirs++
		}
		l = w.payment(r, no, theirs)
	case reconcile.Refund:
		l = w.refund(r, no, o.Amount)
	case reconcile.Transfer:
		put := func(status model.TransferStatus) func() {
			return func() { w.gw.put(transfer{no: no, amount: o.Amount, status: status}) }
		}
		r.truth = "success"
		if w.chance(20) {
			r.truth = ""
		}
		l = life{
			put(model.TransferTransferring),
			put(map[string]model.TransferStatus{"": model.TransferFail, "success": model.TransferSuccess}[r.truth]),
			nil,
		}
	case reconcile.Allocation:
		r.truth = string(model.AllocEnd)
		o.GatewayNo = "G" + no
		end := allocation{
			no: no, amount: o.Amount, status: model.AllocProcessing, channel: model.AllocEnd,
			result: model.AllocDetailSuccess,
		}
		switch {
		case w.chance(20):
			r.truth, end.channel = "", model.AllocFailed
		case w.chance(10): // the answer of the start was lost
			r.truth, o.GatewayNo = "", ""
		}
		begin := end
		begin.channel, begin.result = "", model.AllocDetailPending
		l = life{func() { w.gw.put(begin) }, func() { w.gw.put(end) }, nil}
	}
	ends := o.Made.Add(time.Duration(w.number(3600)) * time.Second)
	events := []event{{o.Made, func() { w.add(o, r); l.begin() }}, {ends, l.end}}
	if l.after != nil {
		events = append(events, event{ends.Add(time.Duration(w.number(1100)) * time.Second), l.after})
	}
	for range w.number(3) { // no notice, one, or two
		events = append(events, event{ends.Add(time.Duration(w.number(120)) * time.Second), func() { w.notice(no) }})
	}
	return events
}

// notice delivers the notice about an order, if there is one.
func (w *world) notice(no string) {
	body, ok := w.gw.notice(no)
	if !ok {
		return
	}
	n, err := w.kit.ParseNotice(body)
	require.NoError(w, err)
	key := orderKey{reconcile.Kind(n.Kind()), no}
	if n.Kind() == model.NoticeAlloc {
		key.kind = reconcile.Allocation
	}
	w.mu.Lock()
	amount := w.rows[key].order.Amount
	w.mu.Unlock()
	if (daxpay.Expect{BizOrderNo: no, Amount: amount}).Check(n) == nil {
		w.settle(key, n.State(), "notice")
	}
}

const worlds = 1 // more worlds find more and take longer

// TestLedger follows 1,000 orders of all kinds through faults, lost notices and crashes. Each must be settled exactly
// once, as it really ended.
func TestLedger(t *testing.T) {
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) { testLedger(t, b, seed) })
		})
	}
}

func testLedger(t *testing.T, b *bench, seed uint64) {
	w := &world{
		bench: b, ledger: ledger{shop: b.shop, rows: make(map[orderKey]*row)}, rand: rand.New(rand.NewPCG(seed, 0)),
	}
	b.shop.broken = func(reconcile.Kind) error {
		if w.chance(10) {
			return errChance
		}
		return nil
	}
	start := time.Now()
	var events []event
	for i := range 1000 {
		kind := reconcile.Pay
		if i >= 500 {
			kind = []reconcile.Kind{reconcile.Refund, reconcile.Transfer, reconcile.Allocation}[i%3]
		}
		events = append(events, w.order(start, kind, fmt.Sprintf("%s-%04d", kind, i))...)
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	var outside sync.WaitGroup
	outside.Add(1)
	go func() {
		defer outside.Done()
		for _, e := range events {
			<-time.After(time.Until(e.at))
			e.do()
		}
	}()
	b.wires.before, b.wires.after = w.spoil, w.forge
	processes, wrong, sum := w.live(start.Add(3 * time.Hour))
	outside.Wait()

	require.Empty(t, wrong)
	require.Len(t, w.rows, 1000)
	settled, unknown, refused, late, noticed := 0, 0, 0, 0, 0
	for key, r := range w.rows {
		switch {
		case r.truth == "":
			unknown++
			require.Empty(t, r.effects, key)
			if !r.refused {
				require.Positive(t, r.told, key)
			}
		case r.refused:
			refused++
			require.Empty(t, r.effects, key)
		case r.late && r.effects["close"] > 0:
			late++
			require.Equal(t, map[string]int{"close": 1, "success": 1}, r.effects, key)
			require.Equal(t, "success", r.status, key)
		default:
			settled++
			require.Equal(t, map[string]int{r.truth: 1}, r.effects, key)
			require.Equal(t, r.truth, r.status, key)
		}
		if r.by == "notice" {
			noticed++
		}
	}
	require.Positive(t, unknown)
	require.Positive(t, refused)
	require.Positive(t, late)
	require.Greater(t, processes, 10)
	require.Greater(t, noticed, settled/10)
	require.Less(t, noticed, settled*9/10)
	require.Greater(t, sum.Faults, sum.Looks/10)
	require.Greater(t, sum.SinkErrors, uint64(50))
	require.Greater(t, sum.SourceErrors, uint64(50))
	for _, path := range b.wires.seen() {
		require.True(t, strings.HasPrefix(path, "query/") || strings.HasPrefix(path, "sync/"), path)
	}
	t.Logf("%d settled, %d after they were closed, %d by a notice, %d unknown, %d of another amount",
		settled+late, late, noticed, unknown, refused)
	t.Logf("%d processes: %+v", processes, sum)
}
