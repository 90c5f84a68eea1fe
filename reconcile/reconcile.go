// Package reconcile finds out how open orders ended: 对账补单. Gateway 2.0.8 sends no notice when a customer has paid by
// QR code, and notices get lost, so a shop has to ask about the orders that it still has as open. A Reconciler asks the
// shop which those are, asks the gateway about each at its time, and hands every order whose outcome is proved to the
// shop:
//
//	r, err := reconcile.New(kit, shop, reconcile.Sink{Pay: shop.SettlePay, Unknown: shop.Review}, reconcile.Options{})
//	go r.Run(ctx)
//
// The shop's own table is the only state that has to last. A process that starts anew, after a crash too, lists the
// open orders and goes on. So an order takes effect once, whether a notice or the Reconciler brings it, and however
// many processes there are, if both end in the same conditional update. A payment that was closed can still be paid, so
// that close may become success, but never the other way:
//
//	update orders set status = ? where no = ? and status = 'open'
//	update orders set status = 'success' where no = ? and status in ('open', 'close', 'cancel', 'fail') -- a payment
//
// and what else has to happen happens in the transaction in which that changed a row. See examples/reconcile.
//
// Nothing is ever sent that moves money: orders are queried often, and all but transfers are synchronized now and then,
// by the same rules as in daxpay.Client.WaitPay and its like.
//
// Several processes that list the same orders ask the gateway as many times, unless they share a Schedule. For a job
// queue of the shop's own there is Looker, which looks at one order.
package reconcile

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

// Kind is what an order is.
type Kind string

// The kinds of orders.
const (
	Pay        Kind = "pay"        // 支付
	Refund     Kind = "refund"     // 退款
	Transfer   Kind = "transfer"   // 转账
	Allocation Kind = "allocation" // 分账
)

// Order is an order that the shop has as open.
type Order struct {
	// Kind is the kind that was asked for: a Source need not set it.
	Kind Kind
	// No is the merchant's number: BizOrderNo (商户支付号), BizRefundNo (商户退款号), BizTransferNo (商户转账号) or BizAllocNo
	// (商户分账单号).
	No string
	// Made is when the shop stored the order, which must be before it called the gateway. Required. When the shop sends
	// the order again, under the same number, Made is the time before that: the rules for a young order then hold anew,
	// such as that a refund is not synchronized in its first minute, and Unknown is told anew. A time that is yet to
	// come is taken for the time at which the order was first listed, so that a wrong clock or zone does not keep it
	// from being looked at.
	Made time.Time
	// Amount is that of the order, for an allocation that of all shares together, in fen. Set it: an answer with
	// another amount is then refused, with daxpay.ErrEcho. 0: not compared.
	Amount int64
	// GatewayNo is the gateway's number of an allocation, AllocNo (分账单号), which StartAlloc returned: no
	// gateway finds an allocation by another number. One that has none after 20 seconds goes to Sink.Unknown, with
	// daxpay.UnresolvedNoNumber. Other kinds do not need it.
	GatewayNo string
	// Ended says of a payment that the shop has stored that it is over without success, such as closed, and lists it
	// because it may still be paid. It is handed on again only if it was.
	Ended bool
}

// Source knows which orders are open. Usually it is a select on the shop's tables.
type Source interface {
	// Open lists orders of a kind that the shop has not settled, in the order of their numbers, beginning with the
	// first number that comes after the given one ("": with the first of all), and at most limit of them. Fewer than
	// limit end the list.
	//
	//	select no, made, amount from orders where status = 'open' and no > ? order by no limit ?
	//
	// It is called again and again, never twice at a time, with a context that ends after Options.Timeout. An order
	// that a complete list no longer has is forgotten. After an error, or a panic, nothing is forgotten; the kind is
	// listed anew later, and the orders that are known are looked at meanwhile.
	//
	// An order belongs in the list from before the gateway is called for it until its outcome is stored. It is listed
	// at most once in a list.
	//
	// A payment that is over without success should stay in the list, with Order.Ended, until it can no longer be paid:
	// an hour beyond its expiry (ExpiredTime). The Reconciler synchronizes it once more 5 minutes after its expiry, and
	// hands it on if it was paid after all, which nothing else finds. It also does that for the payments that it has
	// itself handed on as over, listed or not, but only as long as the process lasts. Read where the shop writes: a
	// replica that lags behind can list what is settled, which is then looked at, and handed on, for nothing.
	Open(ctx context.Context, kind Kind, after string, limit int) ([]Order, error)
}

// SourceFunc is a function as a Source.
type SourceFunc func(ctx context.Context, kind Kind, after string, limit int) ([]Order, error)

// Open implements Source.
func (f SourceFunc) Open(ctx context.Context, kind Kind, after string, limit int) ([]Order, error) {
	return f(ctx, kind, after, limit)
}

// Sink is what the shop does with orders. Kinds without a function are neither listed nor looked at; at least one of
// the functions for a kind is needed.
//
// The functions for the kinds get an order that the source listed and what the gateway has of it: a verified answer,
// about the number and the amount of the order, that proves how it ended. Such a function stores that durably before it
// returns nil. After an error, or a panic, the order is looked at and handed on again later. After nil it is not handed
// on again as long as the source goes on listing it; it is forgotten when the source does not. The one exception is a
// payment that was handed on as over, and was paid later.
//
// An order that is model.Unproved never gets to them, but to Unknown: what is called failed may have been done all the
// same.
//
// No order is handed on twice at a time by one process, or by several that share a Schedule. It can still come a second
// time, after a crash between the shop's commit and the return, while the schedule fails, or if the process stood still
// for longer than Options.Lease. It can also come from a notice at the same time. Only a conditional update, or a lock
// on the row, makes it take effect once.
//
// The functions are called from several goroutines at once. The context ends after Options.Timeout, and with that of
// Run or Once.
type Sink struct {
	// Pay gets payments that are model.Succeeded: they were paid, also if some or all was refunded since; and those
	// that are model.Ended: closed, cancelled or failed, and not found paid by a sync. The latter can be paid still,
	// and come a second time then, as Succeeded: let success replace what was stored, never the other way.
	Pay func(ctx context.Context, o Order, m *model.PayOrderModel) error
	// Refund gets refunds that are model.Succeeded: the money was given back.
	Refund func(ctx context.Context, o Order, m *model.RefundOrderModel) error
	// Transfer gets transfers that are model.Succeeded: the money was paid out.
	Transfer func(ctx context.Context, o Order, m *model.TransferOrderModel) error
	// Allocation gets allocations that are model.Succeeded: the channel has dealt with every share, see Result and
	// Details. Finishing it (FinishAlloc) is up to the shop, here or later. It also gets those that are
	// model.Ended: the gateway ignored them.
	Allocation func(ctx context.Context, o Order, m *model.AllocOrderModel) error

	// Unknown gets orders, of the kinds that have a function, whose outcome the gateway cannot tell. Leave such an
	// order open: it was neither done nor refused, for all that is known. Have a person look, or do what the reason
	// allows:
	//
	//   - daxpay.UnresolvedNoSuchOrder, of orders older than Options.UnknownAfter: the call never arrived, or was refused.
	//     Pay can be sent again with the same BizOrderNo, but not from a wallet, Refund with the same BizRefundNo; never a
	//     transfer, which the gateway would pay a second time.
	//   - daxpay.UnresolvedFailed: a refund, after a sync that did not find it done, or an allocation; both can be sent
	//     again under the same number. Or a transfer, which must never be sent again.
	//   - daxpay.UnresolvedNoNumber: see Order.GatewayNo.
	//   - All others, at once: see daxpay.UnresolvedReason.
	//
	// After nil it is not called again for that order and reason in this process, nor in others that share a Schedule with
	// it, after an error later. The order is
	// looked at all the same, as long as the source lists it, and handed on if its outcome is proved after all.
	// Default: nobody is told.
	Unknown func(ctx context.Context, o Order, why *daxpay.UnresolvedError) error
}

// Reconciler looks after open orders. Make it with New. It is safe for concurrent use.
type Reconciler struct {
	*looker
	source  Source
	orders  *orders
	running atomic.Bool
}

// New returns a Reconciler. Its error holds an *OptionError for every mistake.
//
// Give it a client of its own, with Config.Retry.MaxAttempts 1: the Reconciler comes again by itself, and its rate does
// not count the attempts that the client adds.
func New(client *daxpay.Client, source Source, sink Sink, options Options) (*Reconciler, error) {
	looker, err := newLooker(client, sink, options)
	if source == nil {
		err = errors.Join(err, &OptionError{Field: "source", Reason: "must not be nil"})
	}
	if err != nil {
		return nil, err
	}
	return &Reconciler{looker: looker, source: source, orders: newOrders(looker.options)}, nil
}

// Run looks after the open orders until the context ends. Then it waits for what is under way, whose contexts end as
// well, and returns nil: to stop is what it was asked for. ErrRunning says that Run or Once is at work already.
//
// It can be called again afterwards, and goes on where it was.
func (r *Reconciler) Run(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.running.Store(false)
	var lister sync.WaitGroup
	lister.Add(1)
	go func() {
		defer lister.Done()
		r.keepListing(ctx)
	}()
	r.work(ctx, r.options.Now, true)
	lister.Wait()
	return nil
}

// Once lists the open orders, looks once at each whose time has come, and returns: for a job that runs every few
// minutes, and for tests. For a Reconciler that was just made that is every order that is older than Options.Grace.
//
// Its error is about the pass as a whole: a *SourceError for every kind that could not be listed, the context's error
// if that ended before the pass did, or ErrRunning. What went wrong with single orders, Options.OnError is told.
func (r *Reconciler) Once(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.running.Store(false)
	err := r.list(ctx)
	now := r.options.Now()
	r.work(ctx, func() time.Time { return now }, false)
	return errors.Join(err, ctx.Err())
}

func (r *Reconciler) begin(ctx context.Context) error {
	switch {
	case ctx == nil:
		return &OptionError{Field: "the context", Reason: "must not be nil"}
	case !r.running.CompareAndSwap(false, true):
		return ErrRunning
	}
	return nil
}

// work looks at the orders that are due, several at once. If it is to stay it waits for more to become due until the
// context ends. It returns when all is done.
func (r *Reconciler) work(ctx context.Context, now func() time.Time, stay bool) {
	slots := make(chan struct{}, r.options.Concurrency)
	var workers sync.WaitGroup
	defer workers.Wait()
	for ctx.Err() == nil {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		e, pause := r.orders.take(now())
		if e == nil {
			<-slots
			if !stay {
				return
			}
			r.orders.sleep(ctx, pause)
			continue
		}
		workers.Add(1)
		go func() {
			defer workers.Done()
			defer func() { <-slots }()
			r.visit(ctx, e)
		}()
	}
}

// Stats are counters since New, and how things stand.
type Stats struct {
	Open    int // orders that the source listed and the sink has not taken
	Running int // orders that are being looked at
	// Pace is the least time between two calls at present: Options.Interval, or more because the gateway fails.
	Pace time.Duration

	Listings     uint64 // complete lists of a kind
	SourceErrors uint64 // lists that failed
	// Yielded counts the times at which an order was left to another process, and ScheduleErrors the failures of the
	// schedule. Both are 0 without Options.Schedule.
	Yielded, ScheduleErrors uint64
	// Looks counts looks at an order. Each has one of the outcomes below, unless the context cut it off, the order was
	// settled meanwhile or another process took it over; one with a sync can be in progress first.
	Looks uint64
	Calls uint64 // calls to the gateway

	Handed     uint64 // the sink took the order
	InProgress uint64 // the gateway has the order, and it has not ended
	Over       uint64 // the payment is still over, which the sink knows
	Unknown    uint64 // the gateway cannot tell the outcome; told to Sink.Unknown or not
	Faults     uint64 // no answer that can be believed, about the right order, came
	SinkErrors uint64 // the sink failed
}

// Stats returns a snapshot.
func (r *Reconciler) Stats() Stats {
	s := r.counted()
	s.Open, s.Running = r.orders.count()
	return s
}
