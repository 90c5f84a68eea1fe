// Package daxpay is a client for the DaxPay payment gateway, single-merchant edition 2.0.x. It signs every request,
// verifies every answer before it uses any of it, and returns typed models.
//
//	kit, err := daxpay.New(daxpay.Config{ServiceURL: "https://pay.example.com", SignSecret: secret})
//	res, err := kit.Pay(ctx, &param.PayParam{
//		BizOrderNo: "A1", Title: "shoes", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 29900,
//	})
//	// show res.Data.PayBody as a QR code
//	order, err := kit.WaitPay(ctx, &param.QueryPayOrderParam{BizOrderNo: "A1"}, daxpay.Wait{Amount: 29900})
//	if err == nil && order.Data.Standing() == model.Succeeded { … }
//
// Package param holds the requests, model the answers and notices, and daxpaytest a gateway for tests. Amounts are in
// fen (分, 1/100 yuan).
//
// A call returns either a result or an error, never both. Tell errors apart with errors.Is and the Err variables, or
// with errors.As and the error types. After ErrOutcomeUnknown the call may have taken effect.
package daxpay

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Version is the version of this package.
const Version = "0.1.0"

// Client calls one gateway. It is safe for concurrent use; create it once with New and keep it as long as the program
// runs. The calls of a nil or zero Client fail with ErrConfig.
type Client struct {
	core *core
}

// core is the implementation of a Client.
type core struct {
	Config    // the secrets in it are masked; only the signer has them
	signer    *Signer
	resty     *resty.Client
	trusted   bool          // no one else can read or change what is sent and received
	fresh     *resty.Client // for calls that must be sent only once; it soon drops idle connections
	observers []Observer
	budget    budget
	clock     clock
	once      OnceStore                       // for calls that must be sent only once
	events    OnceStore                       // for notice handlers without a store of their own
	notices   []*wire.Plan                    // for pay, refund and allocation notices, in this order
	returns   []*wire.Plan                    // for answers to queries, and notices, which repeat texts of requests
	accepted  atomic.Pointer[gateway.Version] // what GatewayAuto tries first; nil until the gateway has accepted one
	scratch   sync.Pool                       // of *scratch
}

// scratch is the memory for writing one request or reading one answer.
type scratch struct {
	encoder        wire.Encoder
	envelope, data wire.Object
}

func newScratch(depth int) *scratch {
	s := new(scratch)
	s.envelope.Limits = wire.Limits{Depth: depth, ASCII: true}
	return s
}

// New returns a client. Its error holds a *ConfigError for every mistake in the Config.
func New(config Config) (*Client, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &core{signer: config.signer(), events: NewMemoryStore(0), once: config.OnceStore}
	config.SignSecret = masked
	config.PreviousSecrets = slices.Repeat([]string{masked}, len(config.PreviousSecrets))
	c.Config = config
	c.budget.fill(config.Retry.Budget)
	c.scratch.New = func() any { return newScratch(config.MaxDepth) }
	if config.Logger != nil {
		c.observers = append(c.observers, logger{config.Logger})
	}
	if !isNil(config.Observer) {
		c.observers = append(c.observers, config.Observer)
	}
	if c.notices, err = plansOf(model.PayNotice{}, model.RefundNotice{}, model.AllocNotice{}); err != nil {
		return nil, err
	}
	if c.returns, err = plansOf(model.PayOrderModel{}, model.RefundOrderModel{}, model.TransferOrderModel{},
		model.AllocOrderModel{}); err != nil {
		return nil, err
	}
	c.returns = append(c.returns, c.notices...)
	c.resty, c.fresh = newResty(config, config.IdleConnTimeout), newResty(config, min(config.IdleConnTimeout, freshIdle))
	c.trusted = config.line().isTrusted()
	return &Client{core: c}, nil
}

func newResty(config Config, idle time.Duration) *resty.Client {
	return resty.NewWithClient(config.httpClient(idle)).
		SetBaseURL(config.ServiceURL).
		SetHeader("Content-Type", "application/json").
		SetHeader("Accept", "application/json").
		SetHeader("User-Agent", "daxpay-go/"+Version).
		SetLogger(silent{}).
		SetDoNotParseResponse(true). // resty would decode by the answer's Content-Type, and before it is verified
		SetPreRequestHook(sendOnce)
}

// CloseIdleConnections closes connections that are not in use, if the transport supports that. The client remains
// usable.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.core != nil {
		c.core.resty.GetClient().CloseIdleConnections()
		c.core.fresh.GetClient().CloseIdleConnections()
	}
}

func plansOf(models ...any) ([]*wire.Plan, error) {
	plans := make([]*wire.Plan, len(models))
	for i, m := range models {
		var err error
		if plans[i], err = wire.PlanOf(reflect.TypeOf(m)); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// silent discards what resty logs, because that includes bodies.
type silent struct{}

func (silent) Errorf(string, ...any) {}

func (silent) Warnf(string, ...any) {}

func (silent) Debugf(string, ...any) {}

// Result is the gateway's answer to a call that succeeded.
type Result[T any] struct {
	// Data is the decoded answer.
	Data T
	// Msg is the gateway's remark, usually empty.
	Msg string
	// TraceID identifies the call in the gateway's log. It is not covered by the signature.
	TraceID string
	// Raw is the answer's data as received: the bytes whose signature was verified, including members that Data does
	// not have.
	Raw json.RawMessage
	// Verified reports whether the signature was verified. It is false only for gateways up to 2.0.5 (GatewayV205),
	// which do not sign their answers: anyone between here and the gateway could have written such an answer.
	Verified bool
	// SecretIndex says which secret the answer was signed with: 0 is Config.SignSecret, n is
	// Config.PreviousSecrets[n-1].
	SecretIndex int
}

// Execute makes the call that p describes. Its type may be one of yours: see package param. T follows from p; p is not
// modified.
//
// The error is ErrConfig, ErrParam or ErrUnsupported if the call cannot be sent, a *TransportError if no answer came
// (NeverSent reports whether the request left this machine), a *GatewayError if the gateway refused, and a *SignError,
// *AnswerError or *HTTPError if this client rejected what came back. A call that must be sent only once can also end in
// a *DuplicateError. If the call was sent several times, a *RetryError holds these errors: see Retry. If the call may
// have taken effect, all of this is inside an *OutcomeError.
func Execute[T any](ctx context.Context, c *Client, p param.Request[T]) (*Result[T], error) {
	var result Result[T]
	call, err := callOf(ctx, c, p, &result.Data)
	if err != nil {
		return nil, err
	}
	a, err := c.core.execute(ctx, call)
	if err != nil {
		return nil, err
	}
	result.Msg, result.TraceID, result.Raw = a.msg, a.traceID, a.raw
	result.Verified, result.SecretIndex = a.verified, a.secretIndex
	return &result, nil
}

// callOf returns the call that p describes. The answer is decoded into data.
func callOf[T any](ctx context.Context, c *Client, p param.Request[T], data *T) (*call, error) {
	if c == nil || c.core == nil {
		return nil, &ConfigError{Field: "ServiceURL", Reason: "is unknown: make the Client with New"}
	}
	if isNil(p) {
		return nil, nilParam(p)
	}
	if ctx == nil {
		return nil, &ParamError{Param: fmt.Sprintf("%T", p), Field: "the context", Reason: "must not be nil"}
	}
	spec := p.Call()
	return &call{
		path: spec.Path, effect: spec.Effect, proof: spec.Proof, refusals: spec.Refusals, recovery: spec.Recover,
		beyond:  spec.Check,
		request: reflect.Indirect(reflect.ValueOf(p)),
		model:   reflect.ValueOf(data).Elem(),
	}, nil
}

// borrow returns scratch memory. Give it back before waiting for the gateway: a thousand waiting calls then need
// little.
func (c *core) borrow() *scratch {
	s, _ := c.scratch.Get().(*scratch)
	return s
}

func (c *core) giveBack(s *scratch) {
	s.encoder.Release()
	s.envelope.Release()
	s.data.Release()
	c.scratch.Put(s)
}

func (c Client) attrs() []slog.Attr {
	if c.core == nil {
		return []slog.Attr{slog.String("state", "not made with New")}
	}
	return c.core.attrs()
}

// LogValue implements slog.LogValuer, without the secret.
func (c Client) LogValue() slog.Value { return slog.GroupValue(c.attrs()...) }

// Format implements fmt.Formatter for every verb, without the secret.
func (c Client) Format(f fmt.State, _ rune) { formatAttrs(f, "daxpay.Client", c.attrs()) }

// MarshalJSON implements json.Marshaler, without the secret.
func (c Client) MarshalJSON() ([]byte, error) { return marshalAttrs(c.attrs()) }
