package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/reconcile"
)

// shop is a merchant with a table, a program that may die, a gateway behind a bad line, and a channel behind that.
type shop struct {
	random     *rand.Rand
	clock      *daxpaytest.Clock
	gateway    *daxpaytest.Gateway
	serviceURL string
	notifyURL  string
	server     *httptest.Server // takes the notices
	inbox      chan *delivery
	collecting bool

	database sync.Mutex
	table    table
	numbers  map[int]int // how many orders there were, by want
	process  *process
	calm     bool // the database does not fail
	unaware  bool // the line does not fail
	books    *books
	faults   faults

	events []event
	held   *daxpaytest.Held // an answer that the channel is to hold back
	depth  int              // 1 while a call waits for such an answer
	truth  map[string]*truth
	off    bool // the channel, or some call, is switched off at the gateway
}

const crashRate = 24 // per ten thousand steps

func newShop(seed uint64) *shop {
	s := &shop{
		random: rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // a simulation
		clock:  daxpaytest.NewClock(time.Unix(1_800_000_000, 0)), inbox: make(chan *delivery),
		table: table{byNo: make(map[string]*row)}, numbers: make(map[int]int), books: newBooks(),
		truth: make(map[string]*truth),
	}
	s.server = s.mailbox()
	s.notifyURL = s.server.URL + "/notify"
	options := []daxpaytest.Option{
		daxpaytest.WithTestClock(s.clock), daxpaytest.WithRequestLog(1),
		daxpaytest.WithFirstNumber(int(seed % 1000)),
		daxpaytest.WithSettings(func(set *daxpaytest.Settings) {
			set.Wallets = []daxpaytest.Wallet{{ID: 1, UserID: "u1", Balance: math.MaxInt32}}
		}),
	}
	if seed%2 == 0 {
		options = append(options, daxpaytest.WithResends())
	}
	s.gateway = daxpaytest.New(options...)
	s.serviceURL = []string{"http://gateway.example.com", "https://gateway.example.com"}[seed/2%2]
	s.start()
	for _, no := range []string{"V1", "V2"} {
		s.addReceiver(no)
	}
	return s
}

func (s *shop) close() {
	s.process.kill()
	s.gateway.Close()
	s.server.Close()
}

func (s *shop) now() time.Time { return s.clock.Now() }

func (s *shop) chance(percent int) bool { return s.random.IntN(100) < percent }

// lifetime is how long the customer has to pay.
func (s *shop) lifetime() time.Duration { return time.Duration(3+s.random.IntN(12)) * time.Minute }

// addReceiver adds a receiver for shares.
func (s *shop) addReceiver(no string) {
	config := s.gateway.Config()
	config.HTTPClient = &http.Client{Transport: s.gateway}
	client := must(daxpay.New(config))
	must(client.AddAllocReceiver(context.Background(), &param.AllocReceiverAddParam{
		ReceiverNo: no, Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID,
		ReceiverAccount: "2088" + no, RelationType: model.RelationStore,
	}))
}

// pass lets time pass: planned events happen, and notices are delivered.
func (s *shop) pass(d time.Duration) {
	s.clock.Advance(d)
	for len(s.events) > 0 && !s.events[0].at.After(s.now()) {
		next := s.events[0]
		s.events = s.events[1:]
		next.do()
	}
	s.collect()
}

// event is a planned event.
type event struct {
	at time.Time
	do func()
}

// plan makes something happen later.
func (s *shop) plan(after time.Duration, do func()) {
	e := event{s.now().Add(after), do}
	i, _ := slices.BinarySearchFunc(s.events, e, func(a, b event) int {
		if a.at.After(b.at) {
			return 1
		}
		return -1
	})
	s.events = slices.Insert(s.events, i, e)
}

// live lets time pass until every order is made, and settled or left to a person. It gives up after much longer than
// that can take.
func (s *shop) live(orders int) {
	const rounds = 3000
	const quiet = 30 * time.Minute // in which the reconciler has looked at everything
	var busy time.Time
	for range rounds {
		if s.process.dead {
			s.books.count[crashes]++
			s.pass(s.within(time.Minute))
			s.start()
		}
		for range min(orders-len(s.table.rows), s.random.IntN(4)) {
			if !s.process.dead {
				s.process.begin(s.order(len(s.numbers) + 1))
			}
		}
		s.operate()
		s.process.resume()
		if s.chance(50) {
			_ = s.process.reconciler.Once(s.process.ctx)
		}
		if len(s.table.rows) < orders {
			s.pass(s.within(15 * time.Second))
			continue
		}
		s.pass(s.within(time.Minute))
		if !s.isQuiet() {
			busy = s.now()
		}
		if s.now().Sub(busy) > quiet {
			return
		}
	}
}

// isQuiet reports whether nothing more can happen.
func (s *shop) isQuiet() bool {
	if len(s.events) > 0 || s.process.dead {
		return false
	}
	for _, r := range s.table.rows {
		watching := r.isOver() && s.now().Before(r.expires.Add(watched))
		if watching || r.status == isOpen && r.why == "" || r.finish == toFinish || r.finish == finishSent {
			return false
		}
	}
	return true
}

// order returns a new order of a customer or of the shop.
func (s *shop) order(want int) *row {
	s.numbers[want]++
	r := &row{
		no: number(want), want: want, amount: 2 + s.random.Int64N(10_000), expires: s.now().Add(s.lifetime()),
	}
	switch n := s.random.IntN(100); {
	case n < 50:
		r.kind, r.channel, r.method = reconcile.Pay, model.ChannelAli, model.MethodQRCode
		switch {
		case n < 2:
			r.channel, r.method = model.ChannelWallet, model.MethodNormal
		case n < 15:
			r.method = model.MethodBarCode
		}
	case n < 75:
		r.kind = reconcile.Refund
		s.choosePaid(r)
	case n < 87:
		r.kind = reconcile.Transfer
	default:
		r.kind = reconcile.Allocation
		r.payment = s.earlier(r)
	}
	return r
}

// earlier makes a payment of an earlier day, and returns its number.
func (s *shop) earlier(r *row) string {
	no := "PAID" + r.no
	s.gateway.SetPayment(daxpaytest.Payment{
		OrderNo: no, BizOrderNo: "B" + no, Status: model.PaySyncSuccess, Amount: r.amount,
		Allocation: r.kind == reconcile.Allocation,
	})
	return no
}

// choosePaid chooses the payment to refund, and the amount: a payment in the table, often one that is partly refunded
// already, or one of an earlier day.
func (s *shop) choosePaid(r *row) {
	left := make(map[*row]int64)
	parts := make(map[*row]int)
	for _, f := range s.table.rows {
		if f.kind == reconcile.Refund && f.paid != nil && f.status != refused && f.status != never {
			left[f.paid] -= f.amount
			parts[f.paid]++
		}
	}
	var candidates []*row
	for _, p := range s.table.rows {
		if p.kind == reconcile.Pay && p.status == string(model.PaySuccess) && p.channel == model.ChannelAli {
			if left[p] += p.amount; left[p] >= 2 {
				candidates = append(candidates, p)
				if parts[p] > 0 {
					candidates = append(candidates, p, p, p)
				}
			}
		}
	}
	if len(candidates) == 0 || s.chance(20) {
		r.payment = s.earlier(r)
		return
	}
	r.paid = candidates[s.random.IntN(len(candidates))]
	has, _ := s.gateway.Payment(r.paid.no)
	r.payment = has.OrderNo
	if r.amount = left[r.paid]; s.chance(70) {
		r.amount = 1 + s.random.Int64N(r.amount-1)
	}
	if parts[r.paid] > 0 {
		s.books.count[partRefunds]++
	}
}

// number returns the merchant's number of the first order for a want.
func number(want int) string { return fmt.Sprintf("M%05d", want) }
