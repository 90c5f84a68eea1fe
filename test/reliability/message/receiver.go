package message

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/daxpay-go/daxpay"
)

// Receiver is a client that gets every answer from memory. It is not safe for concurrent use.
type Receiver struct {
	Client *daxpay.Client
	// OnRequest, if set, gets the body of each request.
	OnRequest func(body []byte)
	// Asked is the latest request.
	Asked *http.Request

	// Reply is what the next call gets.
	Reply Reply
}

// Reply is a reply of the gateway.
type Reply struct {
	Status int // 0: 200
	Header http.Header
	Body   []byte
	Err    error // instead of a reply
}

// again is a store that remembers nothing, because a receiver repeats the same calls.
type again struct{ daxpay.OnceStore }

func (again) Claim(context.Context, string, string, time.Duration) (daxpay.ClaimState, error) {
	return daxpay.ClaimGranted, nil
}

func (again) Release(context.Context, string, string) error { return nil }

// Silent returns a logger that writes nothing: thousands of attacks are refused here.
func Silent() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.Level(math.MaxInt)}))
}

// NewReceiver returns a receiver whose client has this algorithm. configure may change the rest of its Config; it may
// be nil.
func NewReceiver(signType daxpay.SignType, configure func(*daxpay.Config)) (*Receiver, error) {
	r := new(Receiver)
	config := daxpay.Config{
		ServiceURL: "http://127.0.0.1:9000", SignSecret: Secret, SignType: signType, Gateway: daxpay.GatewayV208,
		Retry: daxpay.Retry{MaxAttempts: 1}, Now: Now, HTTPClient: &http.Client{Transport: r}, OnceStore: again{},
		Logger: Silent(),
	}
	if configure != nil {
		configure(&config)
	}
	var err error
	r.Client, err = daxpay.New(config)
	return r, err
}

// RoundTrip implements http.RoundTripper.
func (r *Receiver) RoundTrip(q *http.Request) (*http.Response, error) {
	r.Asked = q
	if q.Body != nil {
		sent, err := io.ReadAll(q.Body)
		_ = q.Body.Close()
		if err != nil {
			return nil, err
		}
		if r.OnRequest != nil {
			r.OnRequest(sent)
		}
	}
	if r.Reply.Err != nil {
		return nil, r.Reply.Err
	}
	res := &http.Response{
		StatusCode: r.Reply.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: q,
		Header: r.Reply.Header, ContentLength: int64(len(r.Reply.Body)), Body: io.NopCloser(bytes.NewReader(r.Reply.Body)),
	}
	if res.StatusCode == 0 {
		res.StatusCode = http.StatusOK
	}
	if res.Header == nil {
		res.Header = http.Header{"Content-Type": {"application/json"}}
	}
	return res, nil
}

// PanicError says that a call panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (p *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.Value, p.Stack) }

// Receive makes the client receive a body as a message of the kind.
func (r *Receiver) Receive(k *Kind, body []byte) (*Outcome, error) {
	return r.ReceiveReply(k, Reply{Body: body})
}

// ReceiveReply makes the client receive a whole reply. Of a notice only the body counts.
func (r *Receiver) ReceiveReply(k *Kind, reply Reply) (outcome *Outcome, err error) {
	defer func() {
		if value := recover(); value != nil {
			outcome, err = nil, &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	r.Reply = reply
	return k.receive(context.Background(), r.Client, reply.Body)
}

// Call makes the call of the kind with any client. A notice has no call.
func (k *Kind) Call(ctx context.Context, kit *daxpay.Client) (*Outcome, error) {
	return k.receive(ctx, kit, nil)
}
