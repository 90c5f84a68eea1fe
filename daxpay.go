// Package daxpay talks to a DaxPay payment gateway, single-merchant edition 2.0.x: it sends signed requests, verifies
// every answer before anything of it is believed, and returns typed models.
//
//	kit, err := daxpay.New(daxpay.Config{ServiceURL: "https://pay.example.com", SignSecret: secret})
//	res, err := kit.Pay(ctx, &param.PayParam{
//		BizOrderNo: "A1", Title: "shoes", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 29900,
//	})
//	// show res.Data.PayBody as a QR code
//	order, err := kit.WaitPay(ctx, &param.QueryPayOrderParam{BizOrderNo: "A1"}, daxpay.Wait{Amount: 29900})
//	if err == nil && order.Standing() == model.Succeeded { … }
//
// Package param holds what is sent, model what comes back, and daxpaytest a gateway for tests. Money is in fen (分,
// 1/100 yuan).
//
// A call returns a result or an error, never both. Which error it is, errors.Is and errors.As tell: see the Err
// variables. After an error that is ErrOutcomeUnknown the call may have taken effect.
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

// Client calls one gateway. It is safe for concurrent use and meant to live as long as the program. Make it with New.
type Client struct {
	core *core
}

// core is what a Client is made of.
type core struct {
	Config    // without the secret, which only the signer has
	signer    *Signer
	resty     *resty.Client
	trusted   bool          // nobody is on the line
	fresh     *resty.Client // for calls that must go out once: it keeps connections for a moment only
	observers []Observer
	budget    budget
	clock     clock
	once      OnceStore                       // of calls that must go out once
	events    OnceStore                       // of all handlers of notices that have no store of their own
	notices   []*wire.Plan                    // of the kinds of notices: pay, refund, allocation
	returns   []*wire.Plan                    // of the messages in which texts of a param come back: queries and notices
	accepted  atomic.Pointer[gateway.Version] // what GatewayAuto tries first; nil: nothing was accepted yet
	scratch   sync.Pool                       // of *scratch
}

// scratch is the memory that a round trip needs only while it lasts.
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

// CloseIdleConnections closes the connections that no call is using, of a transport that can do that. The client can be
// used afterwards.
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

// silent is resty's logger: it would print bodies.
type silent struct{}

func (silent) Errorf(string, ...any) {}

func (silent) Warnf(string, ...any) {}

func (silent) Debugf(string, ...any) {}

// Result is the gateway's answer to a call that succeeded.
type Result[T any] struct {
	// Data is the answer.
	Data T
	// Msg is data.msg, mostly empty.
	Msg string
	// TraceID finds the call in the gateway's log. It stands outside of what is signed.
	TraceID string
	// Raw is data as it was received: the bytes whose signature was verified, with members that Data does not know.
	Raw json.RawMessage
	// Verified tells that the signature was right. It is false only for gateways up to 2.0.5 (GatewayV205), which sign no
	// answers: anyone between here and the gateway could have written this one.
	Verified bool
	// SecretIndex tells which secret the answer is signed with: 0 for Config.SignSecret, n for the nth of
	// Config.PreviousSecrets, counted from 1.
	SecretIndex int
}

// Execute makes any call, also one that this module does not have: see package param. T follows from p, which is not
// changed.
//
// An error is ErrConfig, ErrParam or ErrUnsupported if there was nothing that could be sent, a *TransportError if no
// answer came (its NeverSent tells whether anything went out), a *GatewayError if the gateway refused, a *SignError,
// *AnswerError or *HTTPError if this client refused what came. Several of these are inside a *RetryError if the call
// was sent several times: see Retry. All is inside an *OutcomeError if the call may have taken effect.
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

// callOf is the call that p stands for. Its answer goes to data.
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

// borrow returns memory that is given back before anyone waits for the gateway: so a thousand calls that wait take
// little of it.
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
