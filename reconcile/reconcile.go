// Package reconcile finds out how open orders ended: 对账补单. Gateway 2.0.8 sends no notice when a customer has paid
// by QR code, and notices get lost, so a shop must ask about the orders that it still has as open. A Reconciler gets
// these orders from the shop, queries each of them at the right times, and hands every order whose outcome is proved to
// the shop:
//
//	r, err := reconcile.New(kit, shop, reconcile.Sink{Pay: shop.SettlePay, Unknown: shop.Review}, reconcile.Options{})
//	go r.Run(ctx)
//
// The shop's own table is the only state that must persist. A process that starts, even after a crash, lists the open
// orders and goes on. An order takes effect once if notices and the Reconciler end in the same conditional update,
// however many processes there are. A payment that was closed can still be paid, so close may become success, but never
// the other way round:
//
//	update orders set status = ? where no = ? and status = 'open'
//	update orders set status = 'success' where no = ? and status in ('open', 'close', 'cancel', 'fail') -- a payment
//
// Everything else that must happen belongs in the transaction in which the update changed a row. See
// examples/reconcile.
//
// The package never sends anything that moves money. It queries orders often, and synchronizes them now and then,
// except transfers, by the same rules as daxpay.Client.WaitPay and its like.
//
// If several processes list the same orders, each queries the gateway, unless they share a Schedule. For a job queue of
// your own, use a Looker, which looks at single orders.
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

// Kind is the kind of an order.
type Kind string

// The kinds of orders.
const (
	Pay        Kind = "pay"        // 支付
	Refund     Kind = "refund"     // 退款
	Transfer   Kind = "transfer"   // 转账
	Allocation Kind = "allocation" // 分账
)

// Order is an order that is open in the shop.
type Order struct {
	// Kind is set by the Reconciler to the kind that it asked for: a Source need not set it. Looker.Look needs it.
	Kind Kind
	// No is the merchant's number: BizOrderNo (商户订单号), BizRefundNo (商户退款号), BizTransferNo (商户转账号) or BizAllocNo
	// (商户分账单号).
	No string
	// Made is when the shop stored the order, which must be before it called the gateway. Required. If the shop sends
	// the order again under the same number, Made is the time before that send: the rules for a young order then apply
	// again, such as that a refund is not synchronized in its first minute, and Unknown is called again. A time in the
	// future counts as the time at which the order was first listed, so that a wrong clock or zone does not keep the
	// order from being looked at.
	Made time.Time
	// Amount is the amount of the order in fen, for an allocation the sum of all shares. Set it: an answer with another
	// amount is then refused with daxpay.ErrEcho. 0: not compared.
	Amount int64
	// GatewayNo is AllocNo, the gateway's number of an allocation (分账单号), which StartAlloc returned: no gateway
	// finds an allocation by another number. If an allocation has none after 20 seconds, Sink.Unknown gets it with
	// daxpay.UnresolvedNoNumber. Other kinds do not need it.
	GatewayNo string
	// Ended says that the shop has stored a payment as over without success, such as closed, and lists it because it
	// may still be paid. It is handed on again only if it was paid.
	Ended bool
}

// Source lists the open orders. Usually it is a select on the shop's tables.
type Source interface {
	// Open lists the orders of a kind that the shop has not settled, sorted by number. It starts with the first number
	// after the given one ("": with the very first), and returns at most limit orders. Fewer than limit end the list.
	//
	//	select no, made, amount from orders where status = 'open' and no > ? order by no limit ?
	//
	// It is called repeatedly, never twice at the same time, with a context that ends after Options.Timeout. An order
	// that is missing in a complete list is forgotten. After an error or a panic nothing is forgotten: the kind is
	// listed again later, and meanwhile the known orders are looked at.
	//
	// An order must be listed from before the gateway is called for it until its outcome is stored, and only once in
	// each list.
	//
	// A payment that is over without success should stay in the list, with Order.Ended, until it can no longer be paid,
	// which is an hour after its expiry (ExpiredTime). The Reconciler synchronizes it once more 5 minutes after its
	// expiry and hands it on if it was paid after all; nothing else finds such a payment. It also does that for
	// payments that it has itself handed on as over, listed or not, but only as long as the process lives.
	//
	// Read from the database that the shop writes to: a replica that lags behind can list orders that are settled,
	// which are then looked at and handed on for nothing.
	Open(ctx context.Context, kind Kind, after string, limit int) ([]Order, error)
}

// SourceFunc is a function as a Source.
type SourceFunc func(ctx context.Context, kind Kind, after string, limit int) ([]Order, error)

// Open implements Source.
func (f SourceFunc) Open(ctx context.Context, kind Kind, after string, limit int) ([]Order, error) {
	return f(ctx, kind, after, limit)
}

// Sink holds the functions to which orders are handed on. Kinds without a function are neither listed nor looked at; at
// least one kind needs a function.
//
// The functions for the kinds get an order as the source listed it, and the gateway's answer: it is verified, about the
// number and the amount of the order, and proves how the order ended. A function must store that durably before it
// returns nil. After an error or a panic the order is looked at and handed on again later. After nil it is not handed
// on again while the source goes on listing it; once the source stops listing it, it is forgotten. There is one
// exception: a payment that was handed on as over and is paid later.
//
// An order that is model.Unproved is never handed to them, but to Unknown: what the gateway calls failed may have been
// done all the same.
//
// No order is handed on twice at the same time by one process, or by several that share a Schedule. It can still be
// handed on again later: after a crash between the shop's commit and the return, while the schedule fails, or if the
// process was stopped for longer than Options.Lease. A notice can bring it at the same time, too. Only a conditional
// update, or a lock on the row, makes it take effect once.
//
// The functions are called from several goroutines at once. Their context ends after Options.Timeout, or when that of
// Run or Once ends.
type Sink struct {
	// Pay gets payments that are model.Succeeded: they were paid, even if some or all was refunded since. It also gets
	// those that are model.Ended: closed, cancelled or failed, and not found paid by a sync. The latter can still be
	// paid, and then come again as Succeeded: let success replace what was stored, never the other way round.
	Pay func(ctx context.Context, o Order, m *model.PayOrderModel) error
	// Refund gets refunds that are model.Succeeded: the money was given back.
	Refund func(ctx context.Context, o Order, m *model.RefundOrderModel) error
	// Transfer gets transfers that are model.Succeeded: the money was paid out.
	Transfer func(ctx context.Context, o Order, m *model.TransferOrderModel) error
	// Allocation gets allocations that are model.Succeeded: the channel has dealt with every share, see Result and
	// Details. Whether and when to finish the allocation (FinishAlloc) is up to the shop. It also gets those that are
	// model.Ended: the gateway ignored them.
	Allocation func(ctx context.Context, o Order, m *model.AllocOrderModel) error

	// Unknown gets orders whose outcome the gateway cannot tell, of the kinds that have a function. Leave such an order
	// open: it may have been done or not. Have a person look, or do what the reason allows:
	//
	//   - daxpay.UnresolvedNoSuchOrder, for orders older than Options.UnknownAfter: the call never arrived or was
	//     refused. Pay can be sent again with the same BizOrderNo, except from a wallet, and Refund with the same
	//     BizRefundNo. Never send a transfer again: the gateway would pay it twice.
	//   - daxpay.UnresolvedFailed: a refund that a sync did not find done, or an allocation; both can be sent again
	//     under the same number. Or a transfer, which must never be sent again.
	//   - daxpay.UnresolvedNoNumber: see Order.GatewayNo.
	//   - All others, at once: see daxpay.UnresolvedReason.
	//
	// After nil it is not called again for that order and reason, neither by this process nor by others that share a
	// Schedule with it; after an error it is called again later. The order is looked at as long as the source lists it,
	// and handed on if its outcome is proved after all. Default: such orders are only counted, see Stats.
	Unknown func(ctx context.Context, o Order, why *daxpay.UnresolvedError) error
}

// Reconciler follows open orders until their outcome is proved. It is safe for concurrent use. Create it with New.
type Reconciler struct {
	*looker
	source  Source
	orders  *orders
	running atomic.Bool
}

// New returns a Reconciler. Its error holds an *OptionError for every mistake.
//
// Give it a client of its own, with Config.Retry.MaxAttempts 1: the Reconciler itself looks again after a failure, and
// its rate does not count the retries of the client.
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

// Run follows the open orders until the context ends. It then waits for looks in progress, whose contexts end as well,
// and returns nil. If Run or Once is running already, it returns ErrRunning.
//
// Run can be called again afterwards, and continues where it stopped.
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

// Once lists the open orders, looks once at each that is due, and returns: for a job that runs every few minutes, and
// for tests. With a new Reconciler, every order older than Options.Grace is due.
//
// Its error is about the pass as a whole: a *SourceError for every kind that could not be listed, the context's error
// if that ended before the pass did, or ErrRunning. Problems with single orders go to Options.OnError.
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

// work looks at the orders that are due, several at once. If stay is set, it waits for more until the context ends. It
// returns when all looks have ended.
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

// Stats holds counters since New and the present state.
type Stats struct {
	Open    int // orders that are listed and that the sink has not taken
	Running int // orders that are being looked at
	// Pace is the present least time between two calls: Options.Interval, or more while the gateway fails.
	Pace time.Duration

	Listings     uint64 // complete lists of a kind
	SourceErrors uint64 // lists that failed
	// Yielded counts how often an order was left to another process, ScheduleErrors the failures of the schedule. Both
	// are 0 without Options.Schedule.
	Yielded, ScheduleErrors uint64
	// Looks counts looks at an order. Each ends in one of the results below, unless the context cut it off, the shop
	// settled the order meanwhile, or another process took it over. A look with a sync can first count as InProgress.
	Looks uint64
	Calls uint64 // calls to the gateway

	Handed     uint64 // the sink has taken the order
	InProgress uint64 // the gateway has the order, and it has not ended
	Over       uint64 // the payment is still over, as the sink knows
	Unknown    uint64 // the gateway cannot tell the outcome, whether Sink.Unknown was called or not
	Faults     uint64 // there was no believable answer about the order
	SinkErrors uint64 // the sink failed
}

// Stats returns a snapshot.
func (r *Reconciler) Stats() Stats {
	s := r.counted()
	s.Open, s.Running = r.orders.count()
	return s
}
