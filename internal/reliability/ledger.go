package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/reconcile"
)

const (
	ledgerOrders = 10_000
	ledgerShops  = 40 // each with a gateway of its own
)

// ledger has shops live through thousands of orders while calls fail, notices get lost and come twice, and the shop's process
// dies in the middle of things, and compares the books in the end: what the gateway did, and what the shop believes.
func ledger(t *trial) error {
	var mu sync.Mutex
	var sum books
	perShop := ledgerOrders / ledgerShops / t.thin
	err := each(ledgerShops, func(n int) error {
		s := newShop(t.seed*1000 + uint64(n)) //nolint:gosec // not negative
		defer s.gateway.Close()
		defer s.honest.CloseIdleConnections()
		s.live(perShop)
		one, err := s.audit()
		mu.Lock()
		defer mu.Unlock()
		for i, n := range one {
			sum[i] += n
		}
		if err != nil {
			return fmt.Errorf("shop %d: %w", n, err)
		}
		return nil
	})
	t.say("%d orders, %d calls of which %d faulty, %d notices of which %d lost and %d repeated, %d crashes",
		sum[madeOrders], sum[calls], sum[failedCalls], sum[notices], sum[lostNotices], sum[repeatedNotices], sum[crashes])
	t.say("settled by notices %d, by reconcile %d, never arrived %d", sum[byNotice], sum[byReconcile], sum[absent])
	t.say("%d paid twice, %d unresolved, %d wrongly successful, %d lost, %d taken into account twice",
		sum[paidTwice], sum[unresolved], sum[wrong], sum[missing], sum[countedTwice])
	return err
}

// books are the figures of the simulation.
type books [figureCount]int

const (
	madeOrders = iota
	calls
	failedCalls
	notices
	lostNotices
	repeatedNotices
	crashes
	byNotice
	byReconcile
	absent
	paidTwice
	unresolved
	wrong
	missing
	countedTwice
	figureCount
)

// record is a row of the shop's table, which is all that a crash leaves.
type record struct {
	kind   reconcile.Kind
	no     string
	amount int64
	about  string // number of the payment, of a refund or an allocation
	made   time.Time

	status  string // empty while it is open; never for what the gateway never got
	effects int    // how often something was done because it ended
}

// never is the status of an order of which the gateway never heard, as a person or the shop decided when that was certain.
const never = "never arrived"

// shop is a merchant with a table, a process that may die, and a gateway behind a bad line.
type shop struct {
	random  *rand.Rand
	clock   atomic.Int64 // Unix seconds
	gateway *daxpaytest.Gateway
	table   []*record
	books   books

	honest *daxpay.Client // over a line without faults

	// Of the process that runs now.
	client     *daxpay.Client
	notices    http.Handler
	reconciler *reconcile.Reconciler

	late    []*http.Request // that the line holds up
	pending []string        // orders about which there is a notice to come
}

func newShop(seed uint64) *shop {
	s := &shop{random: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // a simulation
	s.clock.Store(1_800_000_000)
	s.gateway = daxpaytest.New(daxpaytest.WithClock(s.now))
	s.honest = s.gateway.Client()
	s.start()
	return s
}

func (s *shop) now() time.Time { return time.Unix(s.clock.Load(), 0) }

func (s *shop) chance(percent int) bool { return s.random.IntN(100) < percent }

// start starts the process: everything in memory is new.
func (s *shop) start() {
	config := s.gateway.Config()
	config.HTTPClient = &http.Client{Transport: s}
	config.Retry = daxpay.Retry{BaseDelay: 1, MaxDelay: 1, Budget: -1}
	client, err := daxpay.New(config)
	if err != nil {
		panic(err) // a mistake in this file
	}
	s.client = client
	s.notices = client.NoticeHandler(daxpay.NoticeHandlers{
		Pay: func(_ context.Context, n *model.PayNotice) error {
			return s.settle(reconcile.Pay, n.BizOrderNo, n.Amount, string(n.Status), &s.books[byNotice])
		},
		Refund: func(_ context.Context, n *model.RefundNotice) error {
			return s.settle(reconcile.Refund, n.BizRefundNo, n.Amount, string(n.Status), &s.books[byNotice])
		},
		Alloc: func(_ context.Context, n *model.AllocNotice) error {
			return s.settle(reconcile.Allocation, n.BizAllocationNo, n.Amount, string(n.Status), &s.books[byNotice])
		},
	})
	s.reconciler, err = reconcile.New(client, reconcile.SourceFunc(s.open), reconcile.Sink{
		Pay: func(_ context.Context, o reconcile.Order, m *model.PayOrderModel) error {
			return s.settle(o.Kind, o.No, m.Amount, string(m.Status), &s.books[byReconcile])
		},
		Refund: func(_ context.Context, o reconcile.Order, m *model.RefundOrderModel) error {
			return s.settle(o.Kind, o.No, m.Amount, string(m.Status), &s.books[byReconcile])
		},
		Transfer: func(_ context.Context, o reconcile.Order, m *model.TransferOrderModel) error {
			return s.settle(o.Kind, o.No, m.Amount, string(m.Status), &s.books[byReconcile])
		},
		Allocation: func(_ context.Context, o reconcile.Order, m *model.AllocOrderModel) error {
			return s.settle(o.Kind, o.No, m.Amount, string(m.Status), &s.books[byReconcile])
		},
		Unknown: s.unknown,
	}, reconcile.Options{Concurrency: 1, Interval: 1, Now: s.now, PageSize: 50})
	if err != nil {
		panic(err) // a mistake in this file
	}
}

// crash is what ends the process.
type crash struct{}

// mayCrash stands wherever a process can die.
func (s *shop) mayCrash() {
	if s.chance(3) {
		panic(crash{})
	}
}

// within runs a part of the process. If that dies, the next one starts.
func (s *shop) within(part func()) {
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case crash:
			s.books[crashes]++
			s.start()
		default:
			panic(reason)
		}
	}()
	part()
}

// errCrash is how a process dies in a callback, where a panic would be caught.
var errCrash = errors.New("the process died")

// find is the primary key of the table.
func (s *shop) find(kind reconcile.Kind, no string) *record {
	for _, r := range s.table {
		if r.kind == kind && r.no == no {
			return r
		}
	}
	return nil
}

// settle is the shop's transaction, with the conditional update: what was settled is not settled again.
func (s *shop) settle(kind reconcile.Kind, no string, amount int64, status string, by *int) error {
	r := s.find(kind, no)
	switch {
	case r == nil || r.amount != amount:
		return errors.New("not an order of the shop")
	case s.chance(5):
		return errors.New("the table is locked")
	case r.status != "":
		return nil
	}
	r.status = status
	r.effects++
	*by++
	if s.chance(3) { // committed, but nobody learns of it
		return errCrash
	}
	return nil
}

// open is the shop's select.
func (s *shop) open(_ context.Context, kind reconcile.Kind, after string, limit int) ([]reconcile.Order, error) {
	if s.chance(2) {
		return nil, errors.New("the database is away")
	}
	var list []reconcile.Order
	for _, r := range s.table {
		if r.kind == kind && r.status == "" && r.no > after {
			list = append(list, reconcile.Order{Kind: kind, No: r.no, Made: r.made, Amount: r.amount})
		}
	}
	slices.SortFunc(list, func(a, b reconcile.Order) int { return strings.Compare(a.No, b.No) })
	return list[:min(len(list), limit)], nil
}

// unknown is what the shop does with an order that the gateway does not have, long after it could have arrived.
func (s *shop) unknown(ctx context.Context, o reconcile.Order, _ *daxpay.UnresolvedError) error {
	r := s.find(o.Kind, o.No)
	if r == nil || r.status != "" {
		return nil
	}
	if o.Kind == reconcile.Transfer || s.chance(30) {
		r.status = never // for a transfer, a person looked at the channel
		return nil
	}
	return s.send(ctx, r) // under the same number
}

// RoundTrip implements http.RoundTripper: the line between the shop and its gateway.
func (s *shop) RoundTrip(q *http.Request) (*http.Response, error) {
	s.books[calls]++
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	ctx := q.Context()
	q = q.Clone(context.WithoutCancel(ctx)) // it may arrive late
	q.Body = io.NopCloser(bytes.NewReader(body))
	if !s.chance(20) {
		return s.arrive(ctx, q), nil
	}
	s.books[failedCalls]++
	page := &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader("<html>"))}
	switch s.random.IntN(8) {
	case 0: // lost on its way
		return nil, errReset
	case 1: // never left
		if trace := httptrace.ContextClientTrace(ctx); trace != nil {
			trace.GetConn(q.URL.Host)
		}
		return nil, errReset
	case 2: // the answer is lost
		s.arrive(ctx, q)
		return nil, errReset
	case 3:
		s.arrive(ctx, q)
		return page, nil
	case 4:
		return page, nil
	case 5: // the answer is cut
		res := s.arrive(ctx, q)
		res.Body = io.NopCloser(io.MultiReader(io.LimitReader(res.Body, 40), broken{}))
		return res, nil
	case 6: // somebody else answers that all is well
		return reply(`{"code":0,"msg":"success","data":{"code":0,"msg":null,"resTime":` + fmt.Sprint(s.clock.Load()) +
			`,"status":"success","orderNo":"X","refundNo":"X","transferNo":"X","bizTransferNo":"X","sign":"` + strings.Repeat("0", 64) + `"}}`), nil
	default: // it arrives when nobody waits for it any more
		s.late = append(s.late, q)
		return nil, errReset
	}
}

var errReset = errors.New("connection reset")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func reply(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}

// arrive has the gateway answer. Sometimes a notice overtakes the answer to the query about the same order.
func (s *shop) arrive(ctx context.Context, q *http.Request) *http.Response {
	var body bytes.Buffer
	q.Body = io.NopCloser(io.TeeReader(q.Body, &body))
	w := httptest.NewRecorder()
	s.gateway.ServeHTTP(w, q)
	about := func(no string) bool { return bytes.Contains(body.Bytes(), []byte(`"`+no+`"`)) }
	if i := slices.IndexFunc(s.pending, about); i >= 0 && strings.Contains(q.URL.Path, "/query/") && s.chance(50) {
		s.notify(ctx, s.pending[i])
	}
	return w.Result()
}

// send is the call that an order begins with. A transfer is only ever sent once; see live.
func (s *shop) send(ctx context.Context, r *record) error {
	var err error
	switch r.kind {
	case reconcile.Pay:
		p := &param.PayParam{BizOrderNo: r.no, Title: "t", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: r.amount, NotifyURL: "https://shop.example.com"}
		if _, err = s.client.Pay(ctx, p); errors.Is(err, daxpay.ErrOutcomeUnknown) && s.chance(50) {
			_, err = s.client.RecoverPay(ctx, p, daxpay.Wait{Made: r.made.Add(-time.Hour), First: 1, Ceiling: 1})
		}
	case reconcile.Refund:
		p := &param.RefundParam{BizRefundNo: r.no, OrderNo: r.about, Amount: r.amount, NotifyURL: "https://shop.example.com"}
		if _, err = s.client.Refund(ctx, p); errors.Is(err, daxpay.ErrOutcomeUnknown) && s.chance(50) {
			_, err = s.client.RecoverRefund(ctx, p, daxpay.Wait{Made: r.made.Add(-time.Hour), First: 1, Ceiling: 1})
		}
	case reconcile.Transfer:
		_, err = s.client.Transfer(ctx, &param.TransferParam{BizTransferNo: r.no, Channel: model.ChannelAli, Amount: r.amount})
	case reconcile.Allocation:
		_, err = s.client.StartAllocation(ctx, &param.AllocationParam{
			BizAllocationNo: r.no, OrderNo: r.about, Receivers: []param.AllocReceiver{{ReceiverNo: "V1", Amount: r.amount}},
		})
	}
	return err
}

// begin is a customer's order: stored first, sent then, each a step that may be the last of the process.
func (s *shop) begin(n int) {
	kinds := []reconcile.Kind{reconcile.Pay, reconcile.Refund, reconcile.Transfer, reconcile.Allocation}
	r := &record{kind: kinds[n%len(kinds)], no: fmt.Sprintf("M%05d", n), amount: 1 + s.random.Int64N(10_000), made: s.now()}
	if r.kind == reconcile.Refund || r.kind == reconcile.Allocation { // of a payment of earlier days
		r.about = "PAID" + r.no
		s.gateway.SetPayment(daxpaytest.Payment{OrderNo: r.about, BizOrderNo: "B" + r.about, Status: model.PaySyncSuccess, Amount: r.amount})
	}
	s.mayCrash()
	s.table = append(s.table, r)
	s.books[madeOrders]++
	s.mayCrash()
	err := s.send(context.Background(), r)
	s.mayCrash()
	if r.kind == reconcile.Transfer && err != nil && !errors.Is(err, daxpay.ErrOutcomeUnknown) {
		// Certainly nothing was paid: it did not leave, or the gateway refused it.
		_ = s.send(context.Background(), r)
		s.mayCrash()
	}
}

// channel is what customers and banks do with what the gateway has.
func (s *shop) channel() {
	for _, r := range s.table {
		if !s.chance(20) {
			continue
		}
		ended := false
		switch r.kind {
		case reconcile.Pay:
			if p, ok := s.gateway.Payment(r.no); ok && p.Status == model.PaySyncProgress {
				if s.chance(70) {
					ended = s.gateway.MarkPaid(r.no)
				} else { // the next sync closes it
					p.Status = model.PaySyncTimeout
					s.gateway.SetPayment(p)
				}
			}
		case reconcile.Refund:
			if f, ok := s.gateway.Refund(r.no); ok && f.Status == model.RefundSyncProgress {
				if s.chance(70) {
					ended = s.gateway.MarkRefunded(r.no)
				} else {
					f.Status = model.RefundSyncFail
					s.gateway.SetRefund(f)
				}
			}
		case reconcile.Transfer:
			s.gateway.MarkTransferred(r.no)
		case reconcile.Allocation:
			ended = s.gateway.MarkAllocated(r.no)
		}
		if ended {
			s.books[notices]++
			if s.chance(50) {
				s.books[lostNotices]++
			} else {
				s.pending = append(s.pending, r.no)
			}
		}
	}
}

// notify delivers the notice about an order, and goes on until the shop has it, or sends it again although it has.
func (s *shop) notify(ctx context.Context, no string) {
	body, err := s.gateway.Notice(no)
	if err != nil {
		return
	}
	w := httptest.NewRecorder()
	s.notices.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/notify", bytes.NewReader(body)))
	if w.Body.String() == "SUCCESS" && !s.chance(30) {
		s.pending = slices.DeleteFunc(s.pending, func(p string) bool { return p == no })
	} else {
		s.books[repeatedNotices]++
	}
}

// live lets time pass until every order was made and settled, or for much longer than that can take.
func (s *shop) live(orders int) {
	const rounds = 1000
	made := 0
	for range rounds {
		for range min(orders-len(s.table), 5) {
			made++
			s.within(func() { s.begin(made) })
		}
		s.clock.Add(int64(1 + s.random.IntN(8)))
		for _, q := range s.late { // what is more than 10 seconds old, the gateway refuses
			s.gateway.ServeHTTP(httptest.NewRecorder(), q)
		}
		s.late = nil
		s.channel()
		for _, no := range slices.Clone(s.pending) {
			if s.chance(60) {
				s.within(func() { s.notify(context.Background(), no); s.mayCrash() })
			}
		}
		if s.chance(30) {
			s.within(func() { _ = s.reconciler.Once(context.Background()); s.mayCrash() })
		}
		if len(s.table) == orders {
			s.clock.Add(60)
			if !slices.ContainsFunc(s.table, func(r *record) bool { return r.status == "" }) && len(s.pending) == 0 {
				return
			}
		}
	}
}

// audit compares the shop's books with the gateway's.
func (s *shop) audit() (books, error) {
	var problems faults
	payouts := make(map[string]int)
	for _, t := range s.gateway.Transfers() {
		payouts[t.BizTransferNo]++
	}
	for no, n := range payouts {
		if n > 1 {
			s.books[paidTwice]++
			problems.add("transfer %s was paid %d times", no, n)
		}
	}
	for _, r := range s.table {
		has, err := s.asked(r)
		if err != nil {
			return s.books, err
		}
		switch {
		case r.status == "":
			s.books[unresolved]++
			problems.add("%s %s is open; the gateway has it as %q", r.kind, r.no, has)
		case r.status != has && r.status == never:
			s.books[missing]++
			problems.add("%s %s was given up, and the gateway has it as %q", r.kind, r.no, has)
		case r.status != has:
			s.books[wrong]++
			problems.add("%s %s is %q, and the gateway has it as %q", r.kind, r.no, r.status, has)
		case r.effects > 1:
			s.books[countedTwice]++
			problems.add("%s %s took effect %d times", r.kind, r.no, r.effects)
		case has == never:
			s.books[absent]++
		}
	}
	return s.books, problems.err()
}

// asked is what the gateway itself says of an order, over a line without faults.
func (s *shop) asked(r *record) (string, error) {
	ctx, kit := context.Background(), s.honest
	var status string
	var err error
	switch r.kind {
	case reconcile.Pay:
		status, err = statusOf(ctx, kit, &param.QueryPayParam{BizOrderNo: r.no}, func(m *model.PayOrderModel) string { return string(m.Status) })
	case reconcile.Refund:
		status, err = statusOf(ctx, kit, &param.QueryRefundParam{BizRefundNo: r.no}, func(m *model.RefundOrderModel) string { return string(m.Status) })
	case reconcile.Transfer:
		status, err = statusOf(ctx, kit, &param.QueryTransferParam{BizTransferNo: r.no}, func(m *model.TransferOrderModel) string { return string(m.Status) })
	case reconcile.Allocation:
		status, err = statusOf(ctx, kit, &param.QueryAllocOrderParam{BizAllocationNo: r.no}, func(m *model.AllocOrderModel) string { return string(m.Status) })
	}
	if refusal := (*daxpay.GatewayError)(nil); errors.As(err, &refusal) && refusal.Business {
		return never, nil
	}
	return status, err
}

func statusOf[P param.Request[M], M any](ctx context.Context, kit *daxpay.Client, p P, of func(*M) string) (string, error) {
	res, err := daxpay.Execute(ctx, kit, p)
	if err != nil {
		return "", err
	}
	return of(&res.Data), nil
}
