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
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

// Secret is the secret of a gateway that was started without WithSecret.
const Secret = "daxpaytest-secret" //nolint:gosec // it protects nothing

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
	Status     model.PaySyncStatus
}

// Refund is a refund that the gateway knows.
type Refund struct {
	RefundNo    string // the gateway's number, 退款号
	BizRefundNo string // the merchant's number, 商户退款号
	ID          int64  // the gateway's ID up to 2.0.5, 退款ID
	Status      model.RefundSyncStatus
}

// Allocation is an allocation that the gateway knows.
type Allocation struct {
	AllocationNo    string // the gateway's number, 分账单号
	BizAllocationNo string // the merchant's number, 商户分账单号
	Status          model.AllocStatus
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
	return func(g *Gateway) { g.secret = secret }
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

// Gateway is a running gateway. It is safe for concurrent use.
type Gateway struct {
	version  daxpay.GatewayVersion
	secret   string
	signType daxpay.SignType
	now      func() time.Time
	zone     *time.Location
	routes   map[string]route
	server   *httptest.Server

	mu          sync.Mutex
	payments    []Payment
	refunds     []Refund
	allocations []Allocation
	requests    []Request
}

// New starts a gateway. Close it when it is no longer needed.
func New(options ...Option) *Gateway {
	g := &Gateway{
		version:  daxpay.GatewayV208,
		secret:   Secret,
		signType: daxpay.HMACSHA256,
		now:      time.Now,
		zone:     time.FixedZone("Asia/Shanghai", 8*60*60),
	}
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

// Close stops the gateway.
func (g *Gateway) Close() { g.server.Close() }

// URL is where the gateway is.
func (g *Gateway) URL() string { return g.server.URL }

// Config is the configuration of a client for this gateway, pinned to its version and with its clock.
func (g *Gateway) Config() daxpay.Config {
	return daxpay.Config{
		ServiceURL: g.URL(),
		SignSecret: g.secret,
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

// SetPayment adds a payment, or replaces those that have one of its numbers.
func (g *Gateway) SetPayment(p Payment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.payments = append(slices.DeleteFunc(g.payments, func(old Payment) bool {
		return same(old.OrderNo, p.OrderNo) || same(old.BizOrderNo, p.BizOrderNo) || same(old.ID, p.ID)
	}), p)
}

// SetRefund adds a refund, or replaces those that have one of its numbers.
func (g *Gateway) SetRefund(r Refund) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refunds = append(slices.DeleteFunc(g.refunds, func(old Refund) bool {
		return same(old.RefundNo, r.RefundNo) || same(old.BizRefundNo, r.BizRefundNo) || same(old.ID, r.ID)
	}), r)
}

// SetAllocation adds an allocation, or replaces those that have one of its numbers.
func (g *Gateway) SetAllocation(a Allocation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.allocations = append(slices.DeleteFunc(g.allocations, func(old Allocation) bool {
		return same(old.AllocationNo, a.AllocationNo) || same(old.BizAllocationNo, a.BizAllocationNo)
	}), a)
}

// Allocation finds an allocation by either of its numbers, as it is now.
func (g *Gateway) Allocation(number string) (Allocation, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.allocations, func(a Allocation) bool {
		return same(a.AllocationNo, number) || same(a.BizAllocationNo, number)
	})
	if i < 0 {
		return Allocation{}, false
	}
	return g.allocations[i], true
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
