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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// secret is that of the gateway.
const secret = daxpaytest.Secret

const (
	// lifetime is after how many requests there is a new gateway: the in-process one remembers every request and every
	// order.
	lifetime = 500
	// copies is how often each notice is delivered at once.
	copies = 3
	// mostDeliveries is after how many refusals a notice counts as lost.
	mostDeliveries = 200
)

// dropping is the path of the control that closes the client's idle connections, beside telling the figures.
const dropping = "/drop"

// addresses is what the gateway's process says when it runs.
type addresses struct {
	URL     string // of the gateway
	Control string // where its figures are
}

// figures are what the gateway's process knows.
type figures struct {
	Connections int64 // open, of the client
	Delivering  int64 // notices under way, copies counted
	Delivered   int64
	Lost        int64 // notices that were never received
	Requests    int64
}

// box is the gateway's process: one gateway after the other behind one address.
type box struct {
	connections, delivering, delivered, lost, requests atomic.Int64

	server *http.Server
	// struck holds the calls that a fault that strikes once has struck, each at its number modulo the length: it is made
	// again long before as many others were made.
	struck [1 << 16]atomic.Uint64

	mu      sync.Mutex
	current *generation
}

// generation is one gateway.
type generation struct {
	*daxpaytest.Gateway
	client *daxpay.Client
	left   int
	users  sync.WaitGroup // requests and notices
}

// serveGateway is the gateway's process. It ends when its standard input does, which is when the other process is gone.
func serveGateway(ctx context.Context, out io.Writer) error {
	b := &box{}
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
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: time.Minute, ConnState: count(&b.connections)}
	controls := &http.Server{Handler: http.HandlerFunc(b.control), ReadHeaderTimeout: time.Minute}
	go func() { failed <- b.server.Serve(front) }()
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

func (b *box) control(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(figures{
		Connections: b.connections.Load(), Delivering: b.delivering.Load(), Delivered: b.delivered.Load(),
		Lost: b.lost.Load(), Requests: b.requests.Load(),
	})
	if r.URL.Path == dropping {
		dropIdle(b.server)
	}
}

// use returns the gateway for one request; its users must be told when that is over.
func (b *box) use() *generation {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current == nil || b.current.left == 0 {
		if old := b.current; old != nil {
			go func() {
				old.users.Wait()
				old.Close()
			}()
		}
		gateway := daxpaytest.New(daxpaytest.WithSecret(secret))
		b.current = &generation{Gateway: gateway, client: gateway.Client(), left: lifetime}
	}
	b.current.left--
	b.current.users.Add(1)
	return b.current
}

// question is what this process wants to know of a request.
type question struct {
	ClientIP, BizOrderNo, BizOrderNoeNo, BizRefundNo, BizTransferNo, BizAllocNo, ReceiverNo, NotifyURL string
}

func (b *box) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.requests.Add(1)
	gateway := b.use()
	defer gateway.users.Done()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	q := question{}
	q.read(body)
	if err := gateway.prepare(r.Context(), r.URL.Path, q); err != nil {
		http.Error(w, err.Error(), http.StatusTeapot) // no fault explains that
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	gateway.ServeHTTP(answer, r)
	if q.NotifyURL != "" {
		b.end(context.WithoutCancel(r.Context()), gateway, r.URL.Path, q)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", answer.Header().Get("Date"))
	strike := write
	if n, call := untag(q.ClientIP); !faults[n].once || !b.hasStruck(call) {
		strike = faults[n].strike
	}
	strike(w, r, answer.Body.Bytes())
}

// read takes what it finds; the gateway itself complains about what is wrong.
func (q *question) read(body []byte) {
	var members map[string]any
	_ = json.Unmarshal(body, &members)
	for name, field := range map[string]*string{
		"clientIp": &q.ClientIP, "bizOrderNo": &q.BizOrderNo, "bizOrderNoeNo": &q.BizOrderNoeNo,
		"bizRefundNo":   &q.BizRefundNo,
		"bizTransferNo": &q.BizTransferNo, "bizAllocNo": &q.BizAllocNo, "receiverNo": &q.ReceiverNo,
		"notifyUrl": &q.NotifyURL,
	} {
		*field, _ = members[name].(string)
	}
}

// hasStruck tells whether it was asked about the call before.
func (b *box) hasStruck(call uint64) bool {
	return b.struck[call%uint64(len(b.struck))].Swap(call) == call
}

// prepare sees to it that there is what the request is about: each is about something new.
func (g *generation) prepare(ctx context.Context, path string, q question) error {
	payment := func(no string, status model.PaySyncStatus) {
		g.SetPayment(daxpaytest.Payment{OrderNo: gatewayNo(no), BizOrderNo: no, Title: titleOf(no), Amount: amountOf(no),
			Status: status, NotifyURL: q.NotifyURL})
	}
	refund := func(status model.RefundSyncStatus) {
		no := q.BizRefundNo
		g.SetRefund(daxpaytest.Refund{RefundNo: gatewayNo(no), BizRefundNo: no, Reason: titleOf(no), Amount: amountOf(no),
			Status: status, NotifyURL: q.NotifyURL})
	}
	allocation := func(status model.AllocStatus) {
		no := q.BizAllocNo
		g.SetAllocation(daxpaytest.Allocation{
			AllocNo: gatewayNo(no), BizAllocNo: no, Status: status,
			Shares:    []daxpaytest.Share{{ReceiverNo: "r1", Amount: amountOf(no)}},
			NotifyURL: q.NotifyURL,
		})
	}
	switch path {
	case "/unipay/pay", "/unipay/close", "/unipay/cancel":
		payment(q.BizOrderNo, model.PaySyncProgress)
	case "/unipay/sync/pay":
		if !strings.HasPrefix(q.BizOrderNo, nobody) {
			payment(q.BizOrderNo, paySyncStatus(q.BizOrderNo))
		}
	case "/unipay/query/payOrder":
		payment(q.BizOrderNoeNo, model.PaySyncSuccess)
	case "/unipay/refund":
		payment(q.BizOrderNo, model.PaySyncSuccess)
		refund(model.RefundSyncFail) // which the gateway tries again, under the same number
	case "/unipay/sync/refund":
		refund(refundSyncStatus(q.BizRefundNo))
	case "/unipay/query/refundOrder":
		refund(model.RefundSyncSuccess)
	case "/unipay/allocation/start":
		payment(q.BizOrderNo, model.PaySyncSuccess)
		allocation(model.AllocProcessing)
	case "/unipay/allocation/finish", "/unipay/sync/allocation", "/unipay/query/allocationOrder":
		allocation(model.AllocEnd)
	case "/unipay/query/transferOrder":
		_, err := g.client.Transfer(ctx, transferOf(param.Common{}, q.BizTransferNo))
		return err
	case "/unipay/allocation/receiver/remove", "/unipay/query/allocationReceiver":
		_, err := g.client.AddAllocReceiver(ctx, receiverOf(param.Common{}, q.ReceiverNo))
		if refusal := (*daxpay.GatewayError)(nil); errors.As(err, &refusal) && refusal.Business {
			return nil // it is there: the call is made again after a fault
		}
		return err
	}
	return nil
}

// end is what happens when the channel is done with an order: its notice goes out, several times at once, and again
// until it is received.
func (b *box) end(ctx context.Context, g *generation, path string, q question) {
	no := q.BizOrderNo
	mark := g.MarkPaid
	switch path {
	case "/unipay/refund":
		no, mark = q.BizRefundNo, g.MarkRefunded
	case "/unipay/allocation/start":
		no, mark = q.BizAllocNo, g.MarkAllocated
	}
	if !mark(no) {
		b.lost.Add(1)
		return
	}
	for range copies {
		b.delivering.Add(1)
		g.users.Add(1)
		go func() {
			defer g.users.Done()
			defer b.delivering.Add(-1)
			b.deliver(ctx, g, no)
		}()
	}
}

func (b *box) deliver(ctx context.Context, g *generation, no string) {
	for range mostDeliveries {
		sent, err := g.SendNotice(ctx, no)
		if sent.Received {
			b.delivered.Add(1)
			return
		}
		if err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.lost.Add(1)
}

// gateway is the gateway's process as the other one sees it.
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
	// Not the context's: the gateway must be there until the last call has ended.
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

// figures asks for them; path is dropping, or empty.
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
