// Package daxpaytest is a DaxPay gateway inside the test process, on a loopback address: for tests of code that uses package
// daxpay, and for trying it out. A test says which payments, refunds and allocations there are; the gateway checks every
// request as a real one does and answers signed.
//
//	gw := daxpaytest.Start(t)
//	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Status: model.PaySyncSuccess})
//	res, err := gw.Client().SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"})
//
// It speaks as any of the gateways 2.0.5 to 2.0.8 does, and computes signatures independently of package daxpay. A Gateway is
// also an http.Handler: a test that needs faults puts a handler of its own in front of it.
package daxpaytest

import (
	"cmp"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
)

// Secret is the secret of a gateway that was started without WithSecret.
const Secret = "daxpaytest-secret" //nolint:gosec // it protects nothing

// The gateway's own view of JSON.
type (
	object = peer.Object
	pair   = peer.Pair
)

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Payment is a payment that the gateway knows.
type Payment struct {
	OrderNo    string // the gateway's number, 支付号
	BizOrderNo string // the merchant's number, 商户支付号
	ID         int64  // the gateway's ID up to 2.0.5, 支付ID
	// Status is what the channel says. A pay sync answers with it and brings the gateway's own status up to date.
	Status model.PaySyncStatus
	// Order is the gateway's own status, which a query answers with. Empty: the one that goes with Status.
	Order     model.PayStatus
	Title     string
	Channel   model.Channel
	Method    model.Method
	Amount    int64 // fen; 0 becomes 1, because no gateway has a payment of nothing
	NotifyURL string
	Attach    string

	paid, closed time.Time
}

// Refund is a refund that the gateway knows.
type Refund struct {
	RefundNo    string // the gateway's number, 退款号
	BizRefundNo string // the merchant's number, 商户退款号
	ID          int64  // the gateway's ID up to 2.0.5, 退款ID
	OrderNo     string // of the payment
	BizOrderNo  string // of the payment
	// Status is what the channel says. A refund sync answers with it and brings the gateway's own status up to date.
	Status model.RefundSyncStatus
	// Order is the gateway's own status, which a query answers with. Empty: the one that goes with Status.
	Order     model.RefundStatus
	Amount    int64 // fen; 0 becomes 1
	Reason    string
	NotifyURL string
	Attach    string

	started, finished time.Time
}

// Transfer is a transfer that the gateway paid out.
type Transfer struct {
	TransferNo    string // the gateway's number, 转账号
	BizTransferNo string // the merchant's number, 商户转账号
	Amount        int64  // fen
	Status        model.TransferStatus

	channel, title, reason, transferType, payeeType, payeeAccount, payeeName string
	succeeded                                                                time.Time
}

// Allocation is an allocation that the gateway knows.
type Allocation struct {
	AllocationNo    string // the gateway's number, 分账单号
	BizAllocationNo string // the merchant's number, 商户分账单号
	OrderNo         string // of the payment
	BizOrderNo      string // of the payment
	Status          model.AllocStatus
	Shares          []Share
	NotifyURL       string
	Attach          string

	description string
	finished    time.Time
}

// Share is what one receiver gets of an allocation.
type Share struct {
	ReceiverNo string
	Amount     int64 // fen
}

func (p *Payment) order() model.PayStatus { return cmp.Or(p.Order, orderStatus(p.Status)) }

// orderStatus is what the gateway makes of what the channel says.
func orderStatus(s model.PaySyncStatus) model.PayStatus {
	switch s {
	case model.PaySyncSuccess:
		return model.PaySuccess
	case model.PaySyncRefund:
		return model.PayRefunded
	case model.PaySyncClosed, model.PaySyncTimeout, model.PaySyncNotFound:
		return model.PayClose
	case model.PaySyncFail:
		return model.PayFail
	}
	return model.PayProgress
}

func (f *Refund) order() model.RefundStatus { return cmp.Or(f.Order, refundStatus(f.Status)) }

func refundStatus(s model.RefundSyncStatus) model.RefundStatus {
	switch s {
	case model.RefundSyncSuccess:
		return model.RefundSuccess
	case model.RefundSyncFail:
		return model.RefundFail
	case model.RefundSyncNotFound:
		return model.RefundClose
	}
	return model.RefundProgress
}

func (a *Allocation) result() model.AllocResult {
	switch a.Status {
	case model.AllocProcessing:
		return model.AllocAllPending
	case model.AllocFailed:
		return model.AllocAllFailed
	}
	return model.AllocAllSuccess
}

func (a *Allocation) detailResult() model.AllocDetailResult {
	switch a.result() {
	case model.AllocAllPending:
		return model.AllocDetailPending
	case model.AllocAllFailed:
		return model.AllocDetailFail
	}
	return model.AllocDetailSuccess
}

// Request is a request that the gateway got.
type Request struct {
	Method string
	Path   string
	Body   []byte
	// Code is the gateway's answer: 0 if it did what was asked, else the outer code or the one of the business. It is 404 for a
	// path that the gateway does not have.
	Code int
}

// Option changes a gateway before it starts.
type Option func(*Gateway)

// WithVersion makes the gateway speak as a release does. Default, also for GatewayAuto: 2.0.8.
func WithVersion(v daxpay.GatewayVersion) Option {
	return func(g *Gateway) {
		if v != daxpay.GatewayAuto {
			g.version = v
		}
	}
}

// WithSecret sets the secret. Default: Secret.
func WithSecret(secret string) Option {
	return func(g *Gateway) { g.ChangeSecret(secret) }
}

// WithSignType sets the algorithm. Default: daxpay.HMACSHA256.
func WithSignType(t daxpay.SignType) Option {
	return func(g *Gateway) { g.signType = t }
}

// WithClock sets the gateway's clock, which must be safe for concurrent use. Default, also for nil: time.Now.
func WithClock(now func() time.Time) Option {
	return func(g *Gateway) {
		if now != nil {
			g.now = now
		}
	}
}

// WithoutSignatureCheck makes the gateway take any request, as one does that was set not to check signatures.
func WithoutSignatureCheck() Option {
	return func(g *Gateway) { g.unchecked = true }
}

// Gateway is a running gateway. It is safe for concurrent use. The numbers that it gives are unique in itself only: a NoticeStore that
// lives longer than one gateway takes a later one's notices for repetitions.
type Gateway struct {
	version  daxpay.GatewayVersion
	secret   atomic.Pointer[string]
	signType daxpay.SignType
	now      func() time.Time
	zone     *time.Location
	// unchecked says that signatures of requests are not looked at.
	unchecked bool
	routes    map[string]route
	server    *httptest.Server

	mu          sync.Mutex
	payments    []Payment
	refunds     []Refund
	allocations []Allocation
	transfers   []Transfer
	receivers   []object
	codes       map[string]bool // WeChat's, that were used
	locked      map[string]bool
	made        int               // numbers
	notices     map[string][]byte // that were signed, by what they are about
	requests    []Request
}

// New starts a gateway. Close it when it is no longer needed.
func New(options ...Option) *Gateway {
	g := &Gateway{
		version:  daxpay.GatewayV208,
		signType: daxpay.HMACSHA256,
		now:      time.Now,
		zone:     time.FixedZone("Asia/Shanghai", 8*60*60),
		codes:    make(map[string]bool),
		locked:   make(map[string]bool),
		notices:  make(map[string][]byte),
	}
	g.ChangeSecret(Secret)
	for _, option := range options {
		option(g)
	}
	g.routes = routesOf(g.version)
	g.server = httptest.NewServer(g)
	return g
}

// Start is New for tests: the gateway closes when the test ends, and the test fails if no client can be made for the options.
func Start(tb TB, options ...Option) *Gateway {
	tb.Helper()
	g := New(options...)
	tb.Cleanup(g.Close)
	if _, err := daxpay.New(g.Config()); err != nil {
		tb.Fatalf("daxpaytest: %v", err)
	}
	return g
}

// ChangeSecret gives the gateway another secret from now on. Notices that were signed before stay as they are, as those of a real
// gateway do.
func (g *Gateway) ChangeSecret(secret string) { g.secret.Store(&secret) }

func (g *Gateway) currentSecret() string { return *g.secret.Load() }

// Close stops the gateway.
func (g *Gateway) Close() { g.server.Close() }

// URL is where the gateway is.
func (g *Gateway) URL() string { return g.server.URL }

// Config is the configuration of a client for this gateway, pinned to its version and with its clock.
func (g *Gateway) Config() daxpay.Config {
	return daxpay.Config{
		ServiceURL: g.URL(),
		SignSecret: g.currentSecret(),
		SignType:   g.signType,
		Gateway:    g.version,
		Now:        g.now,
	}
}

// Client is a client for this gateway. If the options are such that no client can be made, every call of it is ErrConfig;
// daxpay.New(g.Config()) tells why.
func (g *Gateway) Client() *daxpay.Client {
	client, err := daxpay.New(g.Config())
	if err != nil {
		return &daxpay.Client{}
	}
	return client
}

// SetPayment adds a payment, or replaces those that have one of its numbers. One without OrderNo keeps the one it had, or gets one.
func (g *Gateway) SetPayment(p Payment) {
	p.Amount = cmp.Or(p.Amount, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.payments = put(g, g.payments, p, "DEVP", func(p *Payment) *string { return &p.OrderNo }, func(old Payment) bool {
		return same(old.OrderNo, p.OrderNo) || same(old.BizOrderNo, p.BizOrderNo) || same(old.ID, p.ID)
	})
}

// SetRefund adds a refund, or replaces those that have one of its numbers. One without RefundNo keeps the one it had, or gets one.
func (g *Gateway) SetRefund(f Refund) {
	f.Amount = cmp.Or(f.Amount, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refunds = put(g, g.refunds, f, "DEVR", func(f *Refund) *string { return &f.RefundNo }, func(old Refund) bool {
		return same(old.RefundNo, f.RefundNo) || same(old.BizRefundNo, f.BizRefundNo) || same(old.ID, f.ID)
	})
}

// SetAllocation adds an allocation, or replaces those that have one of its numbers. One without AllocationNo keeps the one it had,
// or gets one.
func (g *Gateway) SetAllocation(a Allocation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.allocations = put(g, g.allocations, a, "DEVA", func(a *Allocation) *string { return &a.AllocationNo }, func(old Allocation) bool {
		return same(old.AllocationNo, a.AllocationNo) || same(old.BizAllocationNo, a.BizAllocationNo)
	})
}

// put adds an item to a list in the place of those that it replaces, and sees to it that it has a number of the gateway.
func put[T any](g *Gateway, items []T, item T, prefix string, number func(*T) *string, replaces func(old T) bool) []T {
	items = slices.DeleteFunc(items, func(old T) bool {
		if !replaces(old) {
			return false
		}
		*number(&item) = cmp.Or(*number(&item), *number(&old))
		return true
	})
	if *number(&item) == "" {
		*number(&item) = g.number(prefix)
	}
	return append(items, item)
}

func (p Payment) has(number string) bool {
	return same(p.OrderNo, number) || same(p.BizOrderNo, number)
}

func (f Refund) has(number string) bool {
	return same(f.RefundNo, number) || same(f.BizRefundNo, number)
}

func (a Allocation) has(number string) bool {
	return same(a.AllocationNo, number) || same(a.BizAllocationNo, number)
}

// Payment finds a payment by either of its numbers, as it is now.
func (g *Gateway) Payment(number string) (Payment, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return copied(find(g.payments, func(p Payment) bool { return p.has(number) }))
}

// Refund finds a refund by either of its numbers, as it is now.
func (g *Gateway) Refund(number string) (Refund, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return copied(find(g.refunds, func(f Refund) bool { return f.has(number) }))
}

// Allocation finds an allocation by either of its numbers, as it is now.
func (g *Gateway) Allocation(number string) (Allocation, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := copied(find(g.allocations, func(a Allocation) bool { return a.has(number) }))
	a.Shares = slices.Clone(a.Shares)
	return a, ok
}

// Transfers lists what was paid out, in order. One that was sent twice is there twice.
func (g *Gateway) Transfers() []Transfer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.transfers)
}

func copied[T any](found *T) (T, bool) {
	if found == nil {
		var none T
		return none, false
	}
	return *found, true
}

// MarkPaid is what happens when the user pays: the channel and the gateway have the payment as paid. It tells whether there is a
// payment with that number that can be paid.
func (g *Gateway) MarkPaid(number string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := find(g.payments, func(p Payment) bool { return p.has(number) })
	if p == nil || p.order() != model.PayProgress {
		return false
	}
	p.Status, p.Order, p.paid = model.PaySyncSuccess, model.PaySuccess, g.now()
	return true
}

// MarkRefunded is what happens when the channel has given the money back. It tells whether there is a refund with that number
// in progress.
func (g *Gateway) MarkRefunded(number string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := find(g.refunds, func(f Refund) bool { return f.has(number) })
	if f == nil || f.order() != model.RefundProgress {
		return false
	}
	f.Status, f.Order, f.finished = model.RefundSyncSuccess, model.RefundSuccess, g.now()
	return true
}

// MarkAllocated is what happens when the channel has paid all receivers. It tells whether there is an allocation with that
// number in progress.
func (g *Gateway) MarkAllocated(number string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := find(g.allocations, func(a Allocation) bool { return a.has(number) })
	if a == nil || a.Status != model.AllocProcessing {
		return false
	}
	a.Status, a.finished = model.AllocEnd, g.now()
	return true
}

// MarkTransferred is what happens when the payee has the money. It tells whether there is a transfer with that number under way;
// if there are several, it is the first.
func (g *Gateway) MarkTransferred(number string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := find(g.transfers, func(t Transfer) bool {
		return (same(t.TransferNo, number) || same(t.BizTransferNo, number)) && t.Status == model.TransferTransferring
	})
	if t == nil {
		return false
	}
	t.Status, t.succeeded = model.TransferSuccess, g.now()
	return true
}

// Lock makes the gateway believe that another call is at work on the payment or refund with the merchant's number, until Unlock:
// Pay and Refund then answer without a result, and syncs are refused with 10007.
func (g *Gateway) Lock(bizNo string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.locked[bizNo] = true
}

// Unlock ends Lock.
func (g *Gateway) Unlock(bizNo string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.locked, bizNo)
}

// Requests lists what the gateway got so far, refused requests included.
func (g *Gateway) Requests() []Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.requests)
}

// same tells whether two numbers are the same; none is no number.
func same[N comparable](a, b N) bool {
	var none N
	return a == b && a != none
}
