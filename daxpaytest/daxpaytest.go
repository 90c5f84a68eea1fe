// Package daxpaytest runs a DaxPay gateway inside the test process, on a loopback address, together with the payment
// channel behind it. It is for tests of code that uses package daxpay, and for trying that package out. It answers
// every call as a real gateway does; TestConformance proves that against recordings of real ones. A test says what the
// users and the channel do:
//
//	gw := daxpaytest.Start(t)
//	client := gw.Client()
//	client.Pay(ctx, &param.PayParam{
//		BizOrderNo: "A1", Title: "shoes", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 100,
//	})
//	gw.Channel().Pays("A1") // the gateway does not know yet
//	client.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"})
//
// The channel can refuse, fail, answer too late, or hold its answer back: see Channel. Settings has what the operator
// sets in the gateway's console. SetPayment, SetRefund and SetAllocation put an order into the gateway without the
// calls that would lead to it.
//
// The gateway behaves as release 2.0.6, 2.0.7 or 2.0.8: see WithVersion. Of 2.0.5 it has only the two syncs. It
// computes signatures independently of package daxpay. It sends notices by itself, but only to this machine unless
// WithNoticesAnywhere is given. A Gateway is also an http.Handler, and an http.RoundTripper that needs no network. Fail
// and Slow cause faults on the line: a lost answer, a 502, a hang. WithJournal reports everything that happens.
//
// Left out are the details of the channels WeChat and UnionPay, reconciliation, the console, the HTTP callbacks of
// channels, and all timed jobs except the one that sends notices again.
package daxpaytest

import (
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
)

// Secret is the secret of a gateway that was started without WithSecret.
const Secret = "daxpaytest-secret" //nolint:gosec // it protects nothing

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Gateway is a running gateway. It is safe for concurrent use.
type Gateway struct {
	version        daxpay.GatewayVersion
	secret         atomic.Pointer[string]
	now            func() time.Time
	manual         bool // the clock is not the system's
	clock          *Clock
	zone           *time.Location
	channelTimeout time.Duration
	mostRequests   int
	calls          map[string]*call
	legacy         map[string]legacyCall
	starting       []func(*Settings)
	server         *httptest.Server
	sender         sender
	resends        atomic.Bool
	closing        sync.Once
	closed         chan struct{}
	line           line
	tb             TB // of Start, else nil
	cashier        func(base, orderNo string) string
	write          func(Entry) error // the journal that was asked for
	journal        func(Entry) error // once the gateway has started
	mostOrders     int
	serverless     bool
	committing     sync.Mutex // held while an entry of the journal is written

	mu        sync.Mutex
	settings  Settings
	db        *tables
	channel   *book
	locks     map[string]lock
	locked    map[string]bool
	holds     map[Operation][]*Held
	codes     map[string]bool // WeChat's, that were used
	bodies    map[string][]byte
	legacyIDs map[string]int64
	prefix    string // of numbers
	made      int64  // numbers
	requests  []Request
	asking    string // the trace ID of the request that is running
	pending   Entry  // the next of the journal, without its rows
	changes   changes
	counted   counters // as last written to the journal
}

// New starts a gateway. Call Close when it is no longer needed. Tests use Start.
func New(options ...Option) *Gateway {
	g := &Gateway{
		version:        daxpay.GatewayV208,
		now:            time.Now,
		zone:           time.FixedZone("Asia/Shanghai", 8*60*60),
		channelTimeout: 15 * time.Second,
		closed:         make(chan struct{}),
		db:             newTables(),
		channel:        newBook(),
		locks:          make(map[string]lock),
		locked:         make(map[string]bool),
		holds:          make(map[Operation][]*Held),
		codes:          make(map[string]bool),
		bodies:         make(map[string][]byte),
		legacyIDs:      make(map[string]int64),
		prefix:         randomPrefix(),
		made:           rand.Int64N(1_000_000), //nolint:gosec // it protects nothing
	}
	g.channel.Numbers = rand.Int64N(100_000_000_000) //nolint:gosec // it protects nothing
	g.ChangeSecret(Secret)
	for _, option := range options {
		option(g)
	}
	g.settings = defaultSettings(g.version)
	g.Change(func(s *Settings) {
		for _, change := range g.starting {
			change(s)
		}
	})
	g.calls, g.legacy = callsOf(g.version), legacyCallsOf(g.version)
	if g.clock != nil {
		g.clock.watch(g)
	}
	if g.write != nil {
		g.journal, g.changes, g.sender.changed = g.write, make(changes), make(map[int64]*notice)
		g.db.changes = g.changes
	}
	if !g.serverless {
		g.server = httptest.NewServer(g)
	}
	return g
}

// Start starts a gateway for a test and closes it when the test ends. It ends the test with Fatalf if daxpay.New
// refuses the Config of the gateway.
func Start(tb TB, options ...Option) *Gateway {
	tb.Helper()
	g := New(options...)
	g.tb = tb
	tb.Cleanup(g.Close)
	if _, err := daxpay.New(g.Config()); err != nil {
		tb.Fatalf("daxpaytest: %v", err)
	}
	return g
}

// ChangeSecret changes the gateway's secret (签名密钥). Notices that are signed already keep their signatures, as with a
// real gateway.
func (g *Gateway) ChangeSecret(secret string) { g.secret.Store(&secret) }

func (g *Gateway) currentSecret() string { return *g.secret.Load() }

// Close stops the gateway. Calls that wait for an answer that the channel holds back end. Close may be called twice.
func (g *Gateway) Close() {
	g.closing.Do(func() {
		close(g.closed)
		if g.clock != nil {
			g.clock.forget(g)
		}
		g.sender.stop()
	})
	if g.server != nil {
		g.server.Close()
	}
}

// timeRuns reports whether the gateway's time passes by itself.
func (g *Gateway) timeRuns() bool { return !g.manual || g.clock != nil && g.clock.Running() }

func (g *Gateway) isClosed() bool {
	select {
	case <-g.closed:
		return true
	default:
		return false
	}
}

// URL returns the base URL of the gateway, such as http://127.0.0.1:41235. It is empty with WithoutServer.
func (g *Gateway) URL() string {
	if g.server == nil {
		return ""
	}
	return g.server.URL
}

// Config returns the configuration of a client for this gateway: its URL, secret and algorithm, pinned to its version,
// with its clock.
func (g *Gateway) Config() daxpay.Config {
	return daxpay.Config{
		ServiceURL: g.URL(),
		SignSecret: g.currentSecret(),
		SignType:   g.Settings().SignType,
		Gateway:    g.version,
		Now:        g.now,
	}
}

// Client returns a new client for this gateway. If daxpay.New refuses the Config of the gateway, every call of the
// client fails with daxpay.ErrConfig; call daxpay.New(g.Config()) for the reason.
func (g *Gateway) Client() *daxpay.Client {
	client, err := daxpay.New(g.Config())
	if err != nil {
		return &daxpay.Client{}
	}
	return client
}

// Requests lists the requests that the gateway has received, the oldest first, including those that it refused.
func (g *Gateway) Requests() []Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.requests
	if most := g.mostRequests; most > 0 && len(l) > most {
		l = l[len(l)-most:]
	}
	return slices.Clone(l)
}
