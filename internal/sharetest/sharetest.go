// Package sharetest makes real processes share the open orders of package reconcile through a schedule, and counts the
// calls to the gateway. Notices has handlers share a OnceStore, within one process. It is for tests only. It does not
// import testing.
package sharetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

const planVariable = "DAXPAY_SHARETEST_PLAN"

// Plan is what a process does.
type Plan struct {
	DSN     string // of the schedule; empty for none
	Orders  int    // how many open payments there are, all of them an hour old
	Once    bool   // look at each order once; otherwise run until stopped
	Options Options

	// Gateway.Start sets the rest.
	URL, Name string // of the gateway
	Made      time.Time
}

// Options are some of reconcile.Options.
type Options struct {
	Ceiling, Interval, Timeout, RetryAfter, ListEvery time.Duration
	Concurrency                                       int
	QueryOnly                                         bool
}

// Main runs the plan and exits if Gateway.Start has started this process. Otherwise it returns at once. Call it first
// in TestMain: the processes run the test's own program.
func Main(open func(dsn string) (reconcile.Schedule, error)) {
	text := os.Getenv(planVariable)
	if text == "" {
		return
	}
	var plan Plan
	err := json.Unmarshal([]byte(text), &plan)
	if err == nil {
		err = plan.run(open)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sharetest:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (p *Plan) run(open func(dsn string) (reconcile.Schedule, error)) error {
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: p.URL, SignSecret: daxpaytest.Secret, StoreName: p.Name, Gateway: daxpay.GatewayV208,
		Retry: daxpay.Retry{MaxAttempts: 1},
	})
	if err != nil {
		return err
	}
	options := reconcile.Options{
		Ceiling: p.Options.Ceiling, Interval: p.Options.Interval, Timeout: p.Options.Timeout,
		RetryAfter: p.Options.RetryAfter, ListEvery: p.Options.ListEvery, Concurrency: p.Options.Concurrency,
		QueryOnly: p.Options.QueryOnly,
		OnError:   func(o reconcile.Order, err error) { fmt.Fprintln(os.Stderr, o.No, err) },
	}
	if p.DSN != "" {
		if options.Schedule, err = open(p.DSN); err != nil {
			return err
		}
	}
	r, err := reconcile.New(kit, p, reconcile.Sink{Pay: p.handed}, options)
	if err != nil {
		return err
	}
	if p.Once {
		return r.Once(context.Background())
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // standard input ends when the parent closes it, or dies
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return r.Run(ctx)
}

// Open implements reconcile.Source.
func (p *Plan) Open(_ context.Context, _ reconcile.Kind, after string, limit int) ([]reconcile.Order, error) {
	first := 0
	if after != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(after, "P"))
		if err != nil {
			return nil, err
		}
		first = n + 1
	}
	var page []reconcile.Order
	for i := first; i < p.Orders && len(page) < limit; i++ {
		page = append(page, reconcile.Order{No: number(i), Amount: 1, Made: p.Made})
	}
	return page, nil
}

func number(i int) string { return fmt.Sprintf("P%06d", i) }

func (p *Plan) handed(ctx context.Context, o reconcile.Order, _ *model.PayOrderModel) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/handed/"+o.No, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Gateway is a gateway that counts the calls of processes.
type Gateway struct {
	// Before, if set, is called before each call. Set it before the first process starts.
	Before func(process int, r *http.Request)
	Calls  atomic.Int64

	handed  atomic.Int64  // how often a sink got an order
	gotOne  chan struct{} // holds something once a sink got one
	gateway *daxpaytest.Gateway
	server  *httptest.Server
	name    string
	made    time.Time
	started int
}

// New starts a gateway that has so many payments in progress. Its name, by which schedules tell gateways apart, is
// random.
func New(orders int) (*Gateway, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	g := &Gateway{
		gateway: daxpaytest.New(daxpaytest.WithRequestLog(1), daxpaytest.WithoutNotices()),
		gotOne:  make(chan struct{}, 1),
		name:    "sharetest-" + hex.EncodeToString(random[:]),
		made:    time.Now().Add(-time.Hour).Truncate(time.Millisecond),
	}
	for i := range orders {
		g.gateway.SetPayment(daxpaytest.Payment{BizOrderNo: number(i), Amount: 1, Status: model.PaySyncProgress})
	}
	return g, nil
}

// Pay makes the customer of the first order pay.
func (g *Gateway) Pay() { g.gateway.MarkPaid(number(0)) }

// Close ends the gateway.
func (g *Gateway) Close() {
	if g.server != nil {
		g.server.Close()
	}
	g.gateway.Close()
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	process, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if strings.HasPrefix(rest, "handed/") {
		g.handed.Add(1)
		select {
		case g.gotOne <- struct{}{}:
		default:
		}
		return
	}
	g.Calls.Add(1)
	if g.Before != nil {
		n, _ := strconv.Atoi(process)
		g.Before(n, r)
	}
	http.StripPrefix("/"+process, g.gateway).ServeHTTP(w, r)
}

// Process is a process that reconciles.
type Process struct {
	command *exec.Cmd
	stdin   io.Closer
	stderr  *strings.Builder
}

// Start starts a process that runs a plan. Processes are numbered from 0.
func (g *Gateway) Start(ctx context.Context, p Plan) (*Process, error) {
	if g.server == nil {
		g.server = httptest.NewServer(g)
	}
	p.URL, p.Name, p.Made = fmt.Sprintf("%s/%d", g.server.URL, g.started), g.name, g.made
	g.started++
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, self) //nolint:gosec // it is this program
	c.Env = append(os.Environ(), planVariable+"="+string(text))
	process := &Process{command: c, stderr: new(strings.Builder)}
	c.Stderr = process.stderr
	if process.stdin, err = c.StdinPipe(); err != nil {
		return nil, err
	}
	return process, c.Start()
}

// Wait waits until the process ends by itself. It returns an error if the process failed, or any order had an error.
func (p *Process) Wait() error {
	if err := p.command.Wait(); err != nil || p.stderr.Len() > 0 {
		return errors.Join(err, errors.New(p.stderr.String()))
	}
	return nil
}

// Stop stops the process and waits for it.
func (p *Process) Stop() error {
	_ = p.stdin.Close()
	return p.Wait()
}

// Kill ends the process without giving it time for anything, as kill -9 does.
func (p *Process) Kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// Together makes so many processes look at all orders once, at the same time, and returns how many calls they made. dsn
// may be empty.
func Together(ctx context.Context, dsn string, processes, orders int) (calls int64, err error) {
	g, err := New(orders)
	if err != nil {
		return 0, err
	}
	defer g.Close()
	var started []*Process
	for range processes {
		p, err := g.Start(ctx, Plan{
			DSN: dsn, Orders: orders, Once: true, Options: Options{Interval: 1},
		})
		if err != nil {
			return 0, err
		}
		started = append(started, p)
	}
	var faults []error
	for _, p := range started {
		faults = append(faults, p.Wait())
	}
	return g.Calls.Load(), errors.Join(faults...)
}

// Takeover kills a process while it asks about an order, and returns how long it takes until another process, which is
// already running, asks about that order. The lease is 2 seconds.
func Takeover(ctx context.Context, dsn string) (time.Duration, error) {
	g, err := New(1)
	if err != nil {
		return 0, err
	}
	defer g.Close()
	asked, seen, release := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	g.Before = func(process int, _ *http.Request) {
		if process == 0 {
			asked <- struct{}{}
			<-release
			return
		}
		select {
		case seen <- struct{}{}:
		default:
		}
	}
	defer close(release)
	plan := Plan{DSN: dsn, Orders: 1, Options: Options{Timeout: time.Second, ListEvery: 100 * time.Millisecond}}
	first, err := g.Start(ctx, plan)
	if err != nil {
		return 0, err
	}
	if err := wait(ctx, asked, "the first process does not ask"); err != nil {
		first.Kill()
		return 0, err
	}
	second, err := g.Start(ctx, plan)
	if err != nil {
		first.Kill()
		return 0, err
	}
	first.Kill()
	killed := time.Now()
	g.Pay()
	err = wait(ctx, seen, "no process takes the order over")
	took := time.Since(killed)
	if err != nil {
		second.Kill()
		return 0, err
	}
	err = wait(ctx, g.gotOne, "no sink gets the order")
	if err = errors.Join(err, second.Stop()); err != nil {
		return 0, err
	}
	if handed := g.handed.Load(); handed != 1 {
		return 0, fmt.Errorf("the order was handed on %d times", handed)
	}
	return took, nil
}

func wait(ctx context.Context, event chan struct{}, or string) error {
	select {
	case <-event:
		return nil
	case <-ctx.Done():
		return errors.New(or)
	}
}

// Figures are the figures of a Run.
type Figures struct {
	First  int64   // calls in the first 90 seconds, in which every order gets its first look: 3 calls
	Steady int64   // calls in the two minutes after that
	CPU    float64 // seconds of all processes
}

// Steady is how long calls are counted.
const Steady = 2 * time.Minute

// Run makes so many processes reconcile orders for three and a half minutes, each order every minute.
func Run(ctx context.Context, dsn string, processes, orders int) (Figures, error) {
	g, err := New(orders)
	if err != nil {
		return Figures{}, err
	}
	defer g.Close()
	var started []*Process
	for range processes {
		p, err := g.Start(ctx, Plan{
			DSN: dsn, Orders: orders, Options: Options{Ceiling: time.Minute, Interval: time.Millisecond},
		})
		if err != nil {
			return Figures{}, err
		}
		started = append(started, p)
	}
	<-time.After(Steady * 3 / 4)
	f := Figures{First: g.Calls.Load()}
	<-time.After(Steady)
	f.Steady = g.Calls.Load() - f.First
	var faults []error
	for _, p := range started {
		faults = append(faults, p.Stop())
		f.CPU += (p.command.ProcessState.UserTime() + p.command.ProcessState.SystemTime()).Seconds()
	}
	return f, errors.Join(faults...)
}

// B is what Benchmark needs of a *testing.B.
type B interface {
	Helper()
	Fatal(args ...any)
	Logf(format string, args ...any)
	ReportMetric(n float64, unit string)
}

// Benchmark compares the calls that one process without a schedule makes about 10,000 orders with those of four
// processes that share one, and measures a Takeover.
func Benchmark(b B, dsn string) {
	b.Helper()
	ctx := context.Background()
	var figures [2]Figures
	for i, processes := range []int{1, 4} {
		var err error
		if figures[i], err = Run(ctx, map[int]string{4: dsn}[processes], processes, 10_000); err != nil {
			b.Fatal(err)
		}
		f := figures[i]
		b.Logf("%d processes: %d calls at first, then %d in %v; %.1f s of CPU", processes, f.First, f.Steady, Steady, f.CPU)
	}
	took, err := Takeover(ctx, dsn)
	if err != nil {
		b.Fatal(err)
	}
	all := func(f Figures) float64 { return float64(f.First + f.Steady) }
	b.ReportMetric(all(figures[1])/all(figures[0]), "all/all")
	b.ReportMetric(float64(figures[1].Steady)/float64(figures[0].Steady), "steady/steady")
	b.ReportMetric(took.Seconds(), "s/takeover")
}
