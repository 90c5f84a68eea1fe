package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// freezer forwards connections. Once frozen, it accepts data on its existing connections but forwards nothing, like a
// firewall that has forgotten them. It still forwards new connections.
type freezer struct {
	net.Listener
	target string

	mu    sync.Mutex
	now   int // the generation of new connections
	conns []net.Conn
}

func newFreezer(ctx context.Context, target string) (*freezer, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &freezer{Listener: l, target: target}
	go f.serve(ctx)
	return f, nil
}

func (f *freezer) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now++
}

func (f *freezer) isFrozen(generation int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return generation != f.now
}

func (f *freezer) stop() {
	_ = f.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
}

func (f *freezer) serve(ctx context.Context) {
	for {
		here, err := f.Accept()
		if err != nil {
			return
		}
		there, err := new(net.Dialer).DialContext(ctx, "tcp", f.target)
		if err != nil {
			_ = here.Close()
			continue
		}
		f.mu.Lock()
		generation := f.now
		f.conns = append(f.conns, here, there)
		f.mu.Unlock()
		go f.pass(there, here, generation)
		go f.pass(here, there, generation)
	}
}

// pass copies until the end. It discards the data once the connection is frozen.
func (f *freezer) pass(to, from net.Conn, generation int) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			_ = to.Close()
			return
		}
		if f.isFrozen(generation) {
			continue
		}
		if _, err = to.Write(buf[:n]); err != nil {
			_ = from.Close()
			return
		}
	}
}

// afterFreeze makes repeatable calls on a connection that died silently after the first one. It returns how many failed
// in a row until one succeeded, and how long that took.
func afterFreeze(ctx context.Context, transport *http.Client, attempt time.Duration, most int) (failed int,
	took time.Duration, err error) {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", BizOrderNo: "B1", Status: model.PaySyncSuccess})
	behind := httptest.NewUnstartedServer(gw)
	behind.EnableHTTP2 = true
	behind.StartTLS()
	defer behind.Close()
	f, err := newFreezer(ctx, behind.Listener.Addr().String())
	if err != nil {
		return 0, 0, err
	}
	defer f.stop()
	kit, err := daxpay.New(daxpay.Config{ServiceURL: "https://" + f.Addr().String(), SignSecret: daxpaytest.Secret,
		Gateway: daxpay.GatewayV208, HTTPClient: transport, AttemptTimeout: attempt, Timeout: 3 * attempt})
	if err != nil {
		return 0, 0, err
	}
	defer kit.CloseIdleConnections()
	query := func() error {
		_, err := kit.QueryPayOrder(ctx, &param.QueryPayOrderParam{BizOrderNo: "B1"})
		return err
	}
	if err := query(); err != nil {
		return 0, 0, fmt.Errorf("before: %w", err)
	}
	f.freeze()
	start := time.Now()
	for failed < most {
		if query() == nil {
			break
		}
		failed++
	}
	return failed, time.Since(start), nil
}

func swallowed(ctx context.Context, r *report) error {
	const attempt = time.Second
	failed, took, err := afterFreeze(ctx, nil, attempt, 8)
	if err != nil {
		return err
	}
	r.add("a connection dies without a word, attempts of 1 s", "%d calls fail, answered after %v", failed,
		took.Round(10*time.Millisecond))
	other, otherTook, err := afterFreeze(ctx, overHTTP2(), attempt, 4)
	if err != nil {
		return err
	}
	r.add("the same, a user's HTTP/2", "%d calls fail in a row, %v (4 were made)", other,
		otherTook.Round(10*time.Millisecond))
	if failed > 0 {
		return fmt.Errorf("%d calls failed", failed)
	}
	return nil
}

// idleRaces makes pairs of transfers at a server that closes connections after idle. The second of a pair goes out at
// about the moment at which the server closes the connection of the first. It counts how the second ones end.
func idleRaces(ctx context.Context, transport func() *http.Client, idle time.Duration, pairs int) (outcomes, error) {
	gw := daxpaytest.New(daxpaytest.WithoutNotices(), daxpaytest.WithRequestLog(1))
	defer gw.Close()
	behind := httptest.NewUnstartedServer(gw)
	behind.Config.IdleTimeout = idle
	behind.Start()
	defer behind.Close()
	var mu sync.Mutex
	var all outcomes
	var wg sync.WaitGroup
	var failed error
	stagger := time.NewTicker(10 * time.Millisecond) // pairs at the same moment would disturb each other
	defer stagger.Stop()
	for i := range pairs {
		<-stagger.C
		wg.Add(1)
		go func() {
			defer wg.Done()
			kit, err := daxpay.New(daxpay.Config{ServiceURL: behind.URL, SignSecret: daxpaytest.Secret,
				Gateway: daxpay.GatewayV208, HTTPClient: transport(), OnceStore: daxpay.NewMemoryStore(8)})
			if err == nil {
				defer kit.CloseIdleConnections()
				_, err = kit.Transfer(ctx, aTransfer(fmt.Sprintf("A%d", i)))
			}
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
				return
			}
			// Real time is what is measured: the race is won or lost within 400 µs before and after the close.
			time.Sleep(idle + time.Duration(i%9-4)*100*time.Microsecond)
			_, err = kit.Transfer(ctx, aTransfer(fmt.Sprintf("B%d", i)))
			mu.Lock()
			all.add(err)
			mu.Unlock()
		}()
	}
	wg.Wait()
	return all, failed
}

func idleRace(ctx context.Context, r *report) error {
	const idle, pairs = 5 * time.Second, 450
	other, err := idleRaces(ctx, func() *http.Client { return &http.Client{Transport: &http.Transport{}} }, idle, pairs)
	if err != nil {
		return err
	}
	own, err := idleRaces(ctx, func() *http.Client { return nil }, idle, pairs)
	if err != nil {
		return err
	}
	r.add("transfers when the server closes idle connections",
		"unknown of %d: %d; with net/http's idle connections: %d", own.calls(), own.unknown, other.unknown)
	if own.fine != own.calls() {
		return fmt.Errorf("through the client's own transport: %+v", own)
	}
	return nil
}

// slowTransfers makes transfers at a gateway whose channel does not answer before the gateway gives up. It counts those
// that get the gateway's answer.
func slowTransfers(ctx context.Context, config daxpay.Config, giveUp time.Duration, n int) (answered int,
	took time.Duration, err error) {
	gw := daxpaytest.New(daxpaytest.WithoutNotices(), daxpaytest.WithChannelTimeout(giveUp))
	defer gw.Close()
	gw.Channel().TimesOut(daxpaytest.OpTransfer)
	config.ServiceURL, config.SignSecret, config.Gateway = gw.URL(), daxpaytest.Secret, daxpay.GatewayV208
	kit, err := daxpay.New(config)
	if err != nil {
		return 0, 0, err
	}
	defer kit.CloseIdleConnections()
	var count atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, err := kit.Transfer(ctx, aTransfer(fmt.Sprintf("S%d", i)))
			// The gateway says that the transfer failed, which proves nothing, and the client says so.
			if errors.Is(err, daxpay.ErrUnproved) && errors.Is(err, daxpay.ErrOutcomeUnknown) {
				count.Add(1)
			}
		}()
	}
	wg.Wait()
	return int(count.Load()), time.Since(start), nil
}

func slowChannel(ctx context.Context, r *report) error {
	for _, giveUp := range []time.Duration{15020 * time.Millisecond, 15060 * time.Millisecond} {
		const n = 8
		answered, took, err := slowTransfers(ctx, daxpay.Config{}, giveUp, n)
		if err != nil {
			return err
		}
		r.add(fmt.Sprintf("the gateway answers transfers after %v", giveUp), "answers of %d: %d, after %v", n, answered,
			took.Round(10*time.Millisecond))
		if answered != n {
			return fmt.Errorf("%d of %d transfers learned nothing", n-answered, n)
		}
	}
	return nil
}

// twice is a transport that sends every request twice.
type twice struct{ http.RoundTripper }

func (t twice) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var res *http.Response
	for range 2 {
		if res != nil {
			_ = res.Body.Close()
		}
		again := req.Clone(req.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		if res, err = t.RoundTripper.RoundTrip(again); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// repeaters are transports that send a request again by themselves.
func repeaters() map[string]*http.Client {
	retrying := retryablehttp.NewClient()
	retrying.Logger = nil
	retrying.RetryWaitMin, retrying.RetryWaitMax = time.Millisecond, 5*time.Millisecond
	return map[string]*http.Client{
		"retryablehttp's StandardClient":  retrying.StandardClient(),
		"a RoundTripper that sends twice": {Transport: twice{&http.Transport{}}},
	}
}

// sends makes a transfer through a transport at a gateway whose proxy always answers 502. It returns how often the
// transfer was sent.
func sends(ctx context.Context, transport *http.Client) (int64, error) {
	var seen atomic.Int64
	gw := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		seen.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer gw.Close()
	kit, err := daxpay.New(daxpay.Config{ServiceURL: gw.URL, SignSecret: daxpaytest.Secret, Gateway: daxpay.GatewayV208,
		HTTPClient: transport})
	if err != nil {
		return 0, err
	}
	defer kit.CloseIdleConnections()
	if _, err = kit.Transfer(ctx, aTransfer("R1")); !errors.Is(err, daxpay.ErrOutcomeUnknown) {
		return seen.Load(), fmt.Errorf("the outcome is unknown, and the error is %w", err)
	}
	return seen.Load(), nil
}

func repeatingTransports(ctx context.Context, r *report) error {
	for name, transport := range repeaters() {
		n, err := sends(ctx, transport)
		if err != nil {
			return err
		}
		r.add(name, "%d send", n)
		if n != 1 {
			return fmt.Errorf("%s: the transfer was sent %d times", name, n)
		}
	}
	return nil
}

// drip opens connections to a notice URL and sends bodies that never end. It returns after what time all connections
// are closed.
func drip(ctx context.Context, n int) (time.Duration, error) {
	gw := daxpaytest.New()
	defer gw.Close()
	shop := httptest.NewServer(gw.Client().NoticeHandler(daxpay.NoticeHandlers{OnError: func(context.Context, error) {}}))
	defer shop.Close()
	start := time.Now()
	errs := make(chan error, n)
	for range n {
		go func() {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", shop.Listener.Addr().String())
			if err == nil {
				defer conn.Close() //nolint:errcheck // the other side closes it
				_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
			}
			if err == nil {
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				_, err = io.Copy(io.Discard, bufio.NewReader(conn))
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

func drippingBodies(ctx context.Context, r *report) error {
	const n = 300
	took, err := drip(ctx, n)
	if err != nil {
		return err
	}
	r.add(fmt.Sprintf("%d notices whose bodies do not come", n), "all closed after %v", took.Round(10*time.Millisecond))
	return nil
}
