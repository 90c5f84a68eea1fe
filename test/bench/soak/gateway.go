package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay/daxpaytest"
)

// secret is the gateway's.
const secret = daxpaytest.Secret

const (
	// lifetime is after how many requests there is a new gateway: the in-process one remembers every request and every
	// order.
	lifetime = 500
	// copies is how often each notice is delivered at once.
	copies = 3
	// mostDeliveries is after how many failed deliveries a notice counts as lost.
	mostDeliveries = 200
)

// dropping is the control path that returns the figures and closes the client's idle connections.
const dropping = "/drop"

// addresses is what the gateway's process prints once it runs.
type addresses struct {
	URL     string // of the gateway
	Control string // where its figures are
}

// figures are the counts of the gateway's process.
type figures struct {
	Connections int64 // open, of the client
	Delivering  int64 // deliveries of notices that are running
	Delivered   int64
	Lost        int64 // notices that were never received
	Requests    int64
}

// host is the gateway's process: one gateway after another behind one address.
type host struct {
	rows                                               []kind
	connections, delivering, delivered, lost, requests atomic.Int64

	server *http.Server
	// struck holds the calls that a fault that strikes once has struck, each at its number modulo the length: it is
	// made again long before as many others were made.
	struck [1 << 16]atomic.Uint64

	mu      sync.Mutex
	current *generation
}

// generation is one gateway.
type generation struct {
	*daxpaytest.Gateway
	rows  []kind
	left  int
	users sync.WaitGroup // requests and notices
}

// serveGateway runs the gateway's process. It ends when its standard input does, which is when the other process is
// gone.
func serveGateway(ctx context.Context, out io.Writer) error {
	h := &host{rows: kinds()}
	var listen net.ListenConfig
	front, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ConnState: count(&h.connections)}
	controls := &http.Server{Handler: http.HandlerFunc(h.control), ReadHeaderTimeout: time.Minute}
	go func() { failed <- h.server.Serve(front) }()
	go func() { failed <- controls.Serve(control) }()
	if err := json.NewEncoder(out).Encode(addresses{URL: "http://" + front.Addr().String(),
		Control: "http://" + control.Addr().String()}); err != nil {
		return err
	}
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	return <-failed
}

// count keeps the number of open connections of a server.
func count(open *atomic.Int64) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}

func (h *host) control(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(figures{
		Connections: h.connections.Load(), Delivering: h.delivering.Load(), Delivered: h.delivered.Load(),
		Lost: h.lost.Load(), Requests: h.requests.Load(),
	})
	if r.URL.Path == dropping {
		dropIdle(h.server)
	}
}

// use returns the gateway for one request. The caller must call users.Done when the request is over.
func (h *host) use() *generation {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil || h.current.left == 0 {
		if old := h.current; old != nil {
			go func() {
				old.users.Wait()
				old.Close()
			}()
		}
		h.current = &generation{Gateway: daxpaytest.New(daxpaytest.WithSecret(secret)), rows: h.rows, left: lifetime}
		h.current.Channel().Takes(daxpaytest.OpRefund) // and does it later
	}
	h.current.left--
	h.current.users.Add(1)
	return h.current
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.requests.Add(1)
	gateway := h.use()
	defer gateway.users.Done()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var asked struct{ ClientIP, NotifyURL string }
	_ = json.Unmarshal(body, &asked) // the gateway itself complains about bad JSON
	n, call := untag(asked.ClientIP)
	if !bytes.Contains(body, []byte(absent)) {
		gateway.stock(r.URL.Path, textOf(call))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	gateway.ServeHTTP(answer, r)
	if asked.NotifyURL != "" {
		h.notify(context.WithoutCancel(r.Context()), gateway, r.URL.Path, textOf(call))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", answer.Header().Get("Date"))
	strike := write
	if !faults[n].once || !h.hasStruck(call) {
		strike = faults[n].strike
	}
	strike(w, r, answer.Body.Bytes())
}

// hasStruck reports whether it was called for this call before.
func (h *host) hasStruck(call uint64) bool {
	return h.struck[call%uint64(len(h.struck))].Swap(call) == call
}

// stock puts into the gateway what the request needs.
func (g *generation) stock(path, n string) {
	if i := slices.IndexFunc(g.rows, func(k kind) bool { return k.Path() == path }); i >= 0 {
		g.rows[i].Stock(g.Gateway, n)
	}
}

// end completes an order at the channel, and returns the order's number, empty if there is none.
func (g *generation) end(path, n string) string {
	no, mark := "P"+n, g.MarkPaid
	switch path {
	case "/unipay/refund":
		no, mark = "R"+n, g.MarkRefunded
	case "/unipay/allocation/start":
		no, mark = "A"+n, g.MarkAllocated
	}
	if !mark(no) {
		return ""
	}
	return no
}

// notify completes an order, and sends its notice several times at once until each copy is received.
func (h *host) notify(ctx context.Context, g *generation, path, n string) {
	no := g.end(path, n)
	if no == "" {
		h.lost.Add(1)
		return
	}
	for range copies {
		h.delivering.Add(1)
		g.users.Add(1)
		go func() {
			defer g.users.Done()
			defer h.delivering.Add(-1)
			h.deliver(ctx, g, no)
		}()
	}
}

// deliver sends a notice until it is received, with a pause after each refusal, as a gateway makes.
func (h *host) deliver(ctx context.Context, g *generation, no string) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for range mostDeliveries {
		sent, err := g.SendNotice(ctx, no)
		if sent.Received {
			h.delivered.Add(1)
			return
		}
		if err != nil {
			break
		}
		<-ticker.C
	}
	h.lost.Add(1)
}

// gateway is the gateway's process as seen from the other one.
type gateway struct {
	addresses
	command *exec.Cmd
	input   io.Closer
}

func startGateway(ctx context.Context) (*gateway, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Without the context's end: the gateway must run until the last call has ended.
	command := exec.CommandContext(context.WithoutCancel(ctx), self, "-gateway") //nolint:gosec // this program itself
	g := &gateway{command: command}
	g.command.Stderr = os.Stderr
	if g.input, err = g.command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := g.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.command.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(output).Decode(&g.addresses); err != nil {
		g.stop()
		return nil, fmt.Errorf("the gateway's process does not start: %w", err)
	}
	return g, nil
}

func (g *gateway) stop() {
	_ = g.input.Close()
	_ = g.command.Wait()
}

// figures asks the process for its figures. path is dropping, or empty.
func (g *gateway) figures(ctx context.Context, path string) (figures, error) {
	var f figures
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.Control+path, nil)
	if err != nil {
		return f, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return f, err
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return f, err
	}
	return f, json.Unmarshal(body, &f)
}
