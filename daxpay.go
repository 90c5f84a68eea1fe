// Package daxpay talks to a DaxPay payment gateway, single-merchant edition 2.0.x: it sends signed requests, verifies every
// answer before anything of it is believed, and returns typed models.
//
//	kit, err := daxpay.New(daxpay.Config{ServiceURL: "https://pay.example.com", SignSecret: secret})
//	res, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "SDK_1715341621498"})
//	if err == nil && res.Data.Status == model.PaySyncSuccess { … }
//
// Package param holds what is sent, model what comes back, and daxpaytest a gateway for tests. Money is in fen (分, 1/100
// yuan).
//
// A call returns a result or an error, never both. Which error it is, errors.Is and errors.As tell: see the Err variables.
// After an error that is ErrOutcomeUnknown the call may have taken effect.
package daxpay

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	observers []Observer
	budget    budget
	clock     clock
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
	s.envelope.MaxDepth = depth
	return s
}

// New returns a client. Its error holds a *ConfigError for every mistake in the Config.
func New(config Config) (*Client, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &core{signer: config.signer(), events: NewMemoryStore(0)}
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
	if c.returns, err = plansOf(model.PayOrderModel{}, model.RefundOrderModel{}, model.TransferOrderModel{}, model.AllocOrderModel{}); err != nil {
		return nil, err
	}
	c.returns = append(c.returns, c.notices...)
	c.resty = resty.NewWithClient(config.httpClient()).
		SetBaseURL(config.ServiceURL).
		SetHeader("Content-Type", "application/json").
		SetHeader("Accept", "application/json").
		SetHeader("User-Agent", "daxpay-go/"+Version).
		SetLogger(silent{}).
		SetDoNotParseResponse(true). // resty would decode by the answer's Content-Type, and before it is verified
		SetPreRequestHook(sendOnce)
	return &Client{core: c}, nil
}

// CloseIdleConnections closes the connections that no call is using, of a transport that can do that. The client can be used
// afterwards.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.core != nil {
		c.core.resty.GetClient().CloseIdleConnections()
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

// sendOnce takes the means to send the body again from net/http, which would do so by itself after some faults of HTTP/2: it is for
// Retry to decide, with what happened on the wire.
func sendOnce(_ *resty.Client, r *http.Request) error {
	r.GetBody = nil
	return nil
}

// silent is resty's logger: it would print bodies.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// Result is the gateway's answer to a call that succeeded.
type Result[T any] struct {
	// Data is the answer.
	Data T
	// Code is data.code, 0 in every result, and Msg is data.msg, mostly empty.
	Code int
	Msg  string
	// TraceID finds the call in the gateway's log. It stands outside of what is signed.
	TraceID string
	// Raw is data as it was received: the bytes whose signature was verified, with members that Data does not know.
	Raw json.RawMessage
	// Verified tells that the signature was right. It is false only for gateways up to 2.0.5 (GatewayV205), which sign no
	// answers: whoever is between here and the gateway could have written this one.
	Verified bool
	// SecretIndex tells which secret the answer is signed with: 0 for Config.SignSecret, n for the nth of Config.PreviousSecrets,
	// counted from 1.
	SecretIndex int
}

// Execute makes any call, also one that this module does not have: see package param. T follows from p, which is not
// changed.
//
// An error is ErrConfig, ErrParam or ErrUnsupported if there was nothing that could be sent, a *TransportError if no answer
// came (its NeverSent tells whether anything went out), a *GatewayError if the gateway refused, a *SignError, *AnswerError or
// *HTTPError if this client refused what came. Several of these are inside a *RetryError if the call was sent several times: see
// Retry. All is inside an *OutcomeError if the call may have taken effect.
func Execute[T any](ctx context.Context, c *Client, p param.Request[T]) (*Result[T], error) {
	if c == nil || c.core == nil {
		return nil, &ConfigError{Field: "ServiceURL", Reason: "is unknown: make the Client with New"}
	}
	request := reflect.ValueOf(p)
	if isNil(p) {
		return nil, &ParamError{Param: fmt.Sprintf("%T", p), Field: "the param", Reason: "must not be nil"}
	}
	if ctx == nil {
		return nil, &ParamError{Param: fmt.Sprintf("%T", p), Field: "the context", Reason: "must not be nil"}
	}
	spec := p.Call()
	var result Result[T]
	a, err := c.core.execute(ctx, &call{
		path: spec.Path, effect: spec.Effect, proof: spec.Proof, refusals: spec.Refusals, recovery: spec.Recover,
		request: reflect.Indirect(request),
		model:   reflect.ValueOf(&result.Data).Elem(),
	})
	if err != nil {
		return nil, err
	}
	result.Code, result.Msg, result.TraceID, result.Raw = a.code, a.msg, a.traceID, a.raw
	result.Verified, result.SecretIndex = a.verified, a.secretIndex
	return &result, nil
}

// call is one call of Execute.
type call struct {
	path     string
	effect   param.Effect
	proof    []string
	refusals param.Refusals
	recovery string

	request reflect.Value // the param's struct; only read
	model   reflect.Value // where the answer goes

	plan, answerPlan *wire.Plan
}

// answer is what is known of an answer beside the model; when it was refused, what was known until then.
type answer struct {
	status   int
	code     int
	msg      string
	traceID  string
	raw      []byte
	verified bool

	secretIndex int // of the secret under which it was verified
}

// execute checks the call and makes its attempts.
func (c *core) execute(ctx context.Context, call *call) (answer, error) {
	if err := c.check(call); err != nil {
		return answer{}, err
	}
	versions, err := c.versions(call)
	if err != nil {
		return answer{}, err
	}
	ctx, watch := c.watch(ctx, call)
	ctx, cancel := context.WithTimeout(ctx, c.Timeout) // also if an observer returned a context that has nothing of the caller's
	defer cancel()
	a, err := c.attempts(ctx, call, versions, watch)
	watch.done(ctx, err)
	return a, err
}

// attempts sends the call in one encoding after the other until one is understood, and again where Retry and the call's effect
// allow it.
func (c *core) attempts(ctx context.Context, call *call, versions []gateway.Version, watch *watch) (answer, error) {
	var failed *failures // a call that works needs none
	refused := 0
	for {
		version := versions[refused]
		path, _ := version.Path(call.path)
		start := time.Now()
		a, err := c.roundTrip(ctx, call, version, path)
		unknown := err != nil && call.mayHaveRun(err, version)
		if watch != nil {
			watch.attempt(ctx, start, c.ServiceURL+path, version, &a, err, unknown)
		}
		if err == nil || a.verified {
			c.prefer(version)
		}
		if err == nil {
			c.budget.giveBack()
			return a, nil
		}
		if failed == nil {
			failed = &failures{call: call, said: refusals{path: call.path}}
		}
		if refusal := call.misunderstood(err); refusal != nil {
			failed.said.add(version, refusal)
			if refused++; refused < len(versions) {
				continue
			}
			failed.add(path, failed.said.err(), false)
			return answer{}, failed.err()
		}
		failed.add(path, err, unknown)
		again, stopped := c.again(ctx, call, len(failed.errs), err)
		if !again {
			failed.stopped = stopped
			return answer{}, failed.err()
		}
	}
}

func (c *core) check(call *call) error {
	var err error
	if call.plan, err = wire.PlanOf(call.request.Type()); err != nil {
		return typeFault(err)
	}
	if call.answerPlan, err = wire.PlanOf(call.model.Type()); err != nil {
		return typeFault(err)
	}
	name := call.request.Type().String()
	var faults []error
	if !isPath(call.path) {
		faults = append(faults, &ParamError{Param: name, Field: "Call().Path", Reason: `must be a plain path that starts with "/", such as /unipay/pay`})
	}
	for _, f := range call.plan.Check(call.request, call.answerPlan, c.returns, c.AllowAmbiguousText) {
		faults = append(faults, &ParamError{Param: name, Field: f.Field, Reason: f.Reason})
	}
	return errors.Join(faults...)
}

func typeFault(err error) error {
	fault := &ParamError{Reason: err.Error()}
	if t := (*wire.TypeError)(nil); errors.As(err, &t) {
		fault = &ParamError{Param: t.Type.String(), Field: t.Field, Reason: t.Reason}
	}
	return fault
}

func isPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.Contains(path, "..") &&
		strings.Trim(path, "/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}

// versions lists in which encodings the call is to be tried: the pinned one, or those of GatewayAuto that differ.
func (c *core) versions(call *call) ([]gateway.Version, error) {
	candidates := make([]gateway.Version, 0, 4)
	if pinned, ok := c.Gateway.pinned(); ok {
		candidates = append(candidates, pinned)
	} else {
		candidates = append(candidates, c.preferred(), gateway.Printed, gateway.V208, gateway.V207)
	}
	tried := candidates[:0]
	for _, v := range candidates {
		path, ok := v.Path(call.path)
		if !ok {
			continue
		}
		same := func(other gateway.Version) bool {
			otherPath, _ := other.Path(call.path)
			return path == otherPath && call.plan.Layout(call.path, v).Same(call.plan.Layout(call.path, other))
		}
		if !slices.ContainsFunc(tried, same) {
			tried = append(tried, v)
		}
	}
	if call.effect == param.EffectOnce && len(tried) > 1 {
		tried = tried[:1]
	}
	if len(tried) == 0 {
		return nil, fmt.Errorf("%w: %s is not in gateway %s, but in %s: set Config.Gateway to the version that the gateway is",
			ErrUnsupported, call.path, c.Gateway, gateway.Having(call.path))
	}
	return tried, nil
}

// preferred is the encoding that was accepted last.
func (c *core) preferred() gateway.Version {
	if v := c.accepted.Load(); v != nil {
		return *v
	}
	return gateway.Printed
}

func (c *core) prefer(version gateway.Version) {
	if version != c.preferred() {
		accepted := version // which, unlike the parameter, takes memory only here
		c.accepted.Store(&accepted)
	}
}

// misunderstood returns the refusal in err that another encoding could avoid, nil if there is none. The gateway refuses in these
// ways before it does anything, so that the call can go out again.
func (call *call) misunderstood(err error) *GatewayError {
	refusal := (*GatewayError)(nil)
	if !errors.As(err, &refusal) {
		return nil
	}
	if refusal.proof == gateway.ProvesNothing || refusal.refusedTime() {
		return nil // it may have run, or its signature was understood
	}
	namesDiffer := !call.plan.Layout(call.path, gateway.V208).SameNames(call.plan.Layout(call.path, gateway.V207))
	if refusal.refusedSign() || refusal.refusedParam() && namesDiffer {
		return refusal
	}
	return nil
}

// roundTrip makes one attempt: one request, one answer, every check.
func (c *core) roundTrip(ctx context.Context, call *call, version gateway.Version, path string) (answer, error) {
	body, err := c.seal(call, version)
	switch {
	case errors.Is(err, ErrParam):
		return answer{}, err
	case err != nil: // no random numbers
		return answer{}, &TransportError{Path: path, NeverSent: true, Err: err}
	}
	reply, err := c.post(ctx, path, body)
	a := answer{status: reply.status}
	if err == nil {
		err = c.read(call, version, path, &reply, &a)
	}
	return a, err
}

// borrow returns memory that is given back before anyone waits for the gateway: so a thousand calls that wait take little of it.
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

// seal writes and signs the request. Each attempt has a time and a nonce of its own: the gateway takes ten seconds for old.
func (c *core) seal(call *call, version gateway.Version) ([]byte, error) {
	s := c.borrow()
	defer c.giveBack(s)
	nonce := ""
	if version.KnowsNonce() {
		var err error
		if nonce, err = newNonce(); err != nil {
			return nil, err
		}
	}
	if _, err := s.encoder.Encode(call.plan.Layout(call.path, version), call.request, c.stamp(nonce)); err != nil {
		return nil, &ParamError{Param: call.request.Type().String(), Field: "a member", Reason: "cannot be written: " + err.Error()}
	}
	// The body is not pooled: the transport may still be reading it when the call has returned.
	return bytes.Clone(s.encoder.Seal(c.signer.keys.signing())), nil
}

func newNonce() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("daxpay: no random numbers: %w", err)
	}
	var text [2 * len(b)]byte
	hex.Encode(text[:], b[:])
	return string(text[:]), nil
}

// reply is what came back over HTTP.
type reply struct {
	status      int
	contentType string
	date        string
	body        []byte
	sent        time.Time // by Config.Now, before it went out
	took        time.Duration
}

func (c *core) post(ctx context.Context, path string, body []byte) (reply, error) {
	if err := ctx.Err(); err != nil {
		return reply{}, &TransportError{Path: path, NeverSent: true, Err: err}
	}
	r := reply{sent: c.Now()}
	start := time.Now()
	trail := new(trail)
	trail.body.Reset(body)
	res, err := c.resty.R().SetContext(trail.follow(ctx)).SetBody(&trail.body).Post(c.ServiceURL + path)
	r.took = time.Since(start)
	if err == nil {
		err = r.receive(res, path, c.MaxAnswerSize)
	}
	if err != nil {
		err = trail.failed(path, err)
	}
	return r, err
}

// failed is the error of a request that did not bring an answer, or not all of it.
func (t *trail) failed(path string, err error) error {
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err // without the URL
	}
	return &TransportError{Path: path, NeverSent: t.neverSent(), Err: err}
}

// receive reads the whole answer.
func (r *reply) receive(res *resty.Response, path string, limit int64) error {
	defer res.RawBody().Close() //nolint:errcheck // the answer was read, or it is refused anyway
	r.status, r.contentType, r.date = res.StatusCode(), clip(res.Header().Get("Content-Type"), 64), res.Header().Get("Date")
	var err error
	r.body, err = readAll(res.RawBody(), res.RawResponse.ContentLength, limit)
	if errors.Is(err, ErrTooLarge) {
		return &AnswerError{Path: path, Reason: fmt.Sprintf("more than %d bytes: see Config.MaxAnswerSize", limit), Err: ErrTooLarge}
	}
	return err
}

// readAll reads at most limit bytes; announced is the Content-Length, negative if there was none. It is taken at its word up to what
// messages have: whoever announces much and sends nothing, to the URL of notices for one, gets no memory for it.
func readAll(r io.Reader, announced, limit int64) ([]byte, error) {
	if announced > limit {
		return nil, ErrTooLarge
	}
	const unannounced, trusted = 512, 16 << 10
	size := min(announced, trusted) + 1 // one more, to see that nothing follows
	if announced < 0 {
		size = unannounced
	}
	buf := make([]byte, 0, size)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, ErrTooLarge
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, err
		}
		if more := int64(len(buf)); len(buf) == cap(buf) {
			if announced > more {
				more = min(more, announced+1-more) // no more than is still to come
			}
			buf = slices.Grow(buf, int(more))
		}
	}
}

// unknownPath tells that the gateway does not have the path: HTTP status 404, or what 2.0.x answers, status 500 with a JSON object that
// names the path and has no code.
func (r *reply) unknownPath(o *wire.Object) bool {
	switch r.status {
	case http.StatusNotFound:
		return true
	case http.StatusInternalServerError:
		if o.Read(r.body) != nil {
			return false
		}
		path, named := o.Get("path")
		_, status := o.Get("status")
		_, code := o.Get("code")
		return named && path.Kind == wire.String && status && !code
	}
	return false
}

// read opens the reply with memory of its own.
func (c *core) read(call *call, version gateway.Version, path string, r *reply, a *answer) error {
	s := c.borrow()
	defer c.giveBack(s)
	return c.open(s, call, version, path, r, a)
}

// open checks the reply and decodes it into the call's model. It fills a as far as it gets.
func (c *core) open(s *scratch, call *call, version gateway.Version, path string, r *reply, a *answer) error {
	notAnAnswer := func(err error) error {
		if a.traceID == "" {
			a.traceID = looseTraceID(r.body)
		}
		return &HTTPError{
			Path: path, StatusCode: r.status, ContentType: r.contentType, TraceID: a.traceID, Err: err,
			UnknownPath: r.unknownPath(&s.envelope),
			url:         c.ServiceURL + path, pinned: c.Gateway != GatewayAuto,
		}
	}
	if r.status != http.StatusOK {
		return notAnAnswer(nil)
	}
	s.data.Expect(call.answerPlan)
	if err := s.envelope.ReadWith(r.body, &s.data, "data"); err != nil {
		return notAnAnswer(err)
	}
	a.traceID = traceID(&s.envelope)
	code, ok := s.envelope.At(wire.Code)
	if !ok {
		return notAnAnswer(errors.New("it has no code"))
	}
	outer, err := integer(code)
	if err != nil {
		return notAnAnswer(fmt.Errorf("its code %w", err))
	}
	if outer != 0 {
		a.code = outer
		refusal := &GatewayError{Path: path, Code: outer, Msg: msg(&s.envelope), TraceID: a.traceID}
		refusal.proof = gateway.ProofOfCode(outer, refusal.Msg)
		if refusal.refusedParam() {
			d, dated := r.measureDate()
			refusal.ClockDifference = d.difference
			c.doubt(d, dated)
		}
		return refusal
	}
	data, _ := s.envelope.At(wire.Data)
	if data.Kind != wire.Dict {
		return notAnAnswer(errors.New("its data is not an object"))
	}
	a.raw = data.Raw
	refused := func(kind error, member, reason string) error {
		return &AnswerError{Path: path, TraceID: a.traceID, Member: member, Reason: reason, Err: kind}
	}
	if version.SignsAnswers() {
		if a.secretIndex, err = c.signer.verify(&s.data, data.Raw, path, a.traceID); err != nil {
			return err
		}
		if err := c.screen(s, call, r, refused); err != nil {
			return err
		}
		a.verified = true
	}
	if code, ok := s.data.At(wire.Code); ok && code.Kind != wire.Null || version.SignsAnswers() {
		if a.code, err = integer(code); err != nil {
			return refused(ErrProtocol, "code", err.Error())
		}
	}
	a.msg = msg(&s.data)
	if a.code != 0 {
		return &GatewayError{
			Path: path, Code: a.code, Msg: a.msg, TraceID: a.traceID, Business: true, Signed: a.verified,
			proof: call.proofOf(a.msg),
		}
	}
	if err := call.answerPlan.Decode(&s.data, call.model, c.Location); err != nil {
		return memberFault(err, refused)
	}
	if version.SignsAnswers() {
		return call.proved(&s.data, path, a)
	}
	return nil
}

// proofOf tells what a signed refusal with that text proves.
func (call *call) proofOf(text string) gateway.Proof {
	switch {
	case gateway.IsNoSuchOrder(text):
		return gateway.ProvesNoSuchOrder
	case slices.Contains(call.refusals.EarlierSend, text):
		return gateway.ProvesEarlierSend
	case call.refusals.Harmless:
		return gateway.ProvesHarmless
	}
	return gateway.ProvesNothing
}

// proved refuses a signed answer with code 0 that does not prove that the call succeeded. The gateway sends such an answer while another
// call holds the order, after some failures, and when the channel answered too late.
func (call *call) proved(data *wire.Object, path string, a *answer) error {
	status := ""
	if v, ok := data.Get("status"); ok && v.Kind == wire.String {
		status = clip(string(v.Text()), maxStatus)
	}
	unproved := func(member, reason string) error {
		if a.msg != "" {
			reason += ": " + a.msg
		}
		return &AnswerError{
			Path: path, TraceID: a.traceID, Member: member, Reason: reason, Status: status, Msg: a.msg, Err: ErrUnproved,
		}
	}
	if missing := call.answerPlan.Missing(call.model); len(missing) > 0 {
		return unproved(strings.Join(missing, ", "), "is missing")
	}
	if repeated := call.answerPlan.Repeated(call.model, call.plan, call.request); repeated != "" {
		return unproved(repeated, "only repeats the number of the request")
	}
	if len(call.proof) > 0 && !slices.Contains(call.proof, status) {
		return unproved("status", "is "+strconv.Quote(status)+", which does not prove that the channel did nothing")
	}
	return nil
}

// maxStatus is how many characters of a status an error holds. The gateway's have fewer.
const maxStatus = 32

// screen refuses what has a right signature and is still not the answer to this call, or not only.
func (c *core) screen(s *scratch, call *call, r *reply, refused func(kind error, member, reason string) error) error {
	if _, ok := s.data.At(wire.ReqTime); ok {
		return refused(ErrProtocol, "reqTime", "is there, so this is a request and not an answer")
	}
	resTime, ok := s.data.At(wire.ResTime)
	if !ok {
		return refused(ErrProtocol, "resTime", "is missing")
	}
	seconds, err := resTime.Int()
	if err != nil {
		return refused(ErrProtocol, "resTime", err.Error())
	}
	made := time.Unix(seconds, 0)
	if age := c.Now().Sub(made); c.MaxAge > 0 && (age > c.MaxAge || age < -c.MaxAge) {
		return refused(ErrStale, "resTime", fmt.Sprintf("is %v from now: check the clocks on both sides, see Config.MaxAge", age.Round(time.Second)))
	}
	if member, ok := call.plan.Echo(call.request, &s.data); !ok {
		return refused(ErrEcho, member, "is not the one that was asked for")
	}
	if number := call.plan.Foreign(call.answerPlan, &s.data); number != "" {
		return refused(ErrProtocol, number, "is there, so this is the answer to another call")
	}
	if err := call.answerPlan.Screen(&s.data, wire.Screening{AllowText: c.AllowAmbiguousText}); err != nil {
		return memberFault(err, refused)
	}
	c.learn(r, made)
	return nil
}

func memberFault(err error, refused func(kind error, member, reason string) error) error {
	if m := (*wire.MemberError)(nil); errors.As(err, &m) {
		if m.Ambiguous {
			return refused(ErrAmbiguous, m.Name, m.Reason)
		}
		return refused(ErrProtocol, m.Name, m.Reason)
	}
	return refused(ErrProtocol, "", err.Error())
}

func integer(v wire.Value) (int, error) {
	n, err := v.Int()
	if err == nil && int64(int(n)) != n {
		err = errors.New("is out of range")
	}
	return int(n), err
}

func msg(o *wire.Object) string {
	if v, ok := o.At(wire.Msg); ok && v.Kind == wire.String {
		return clip(string(v.Text()), maxMsg)
	}
	return ""
}

func traceID(envelope *wire.Object) string {
	switch v, _ := envelope.At(wire.TraceID); v.Kind {
	case wire.String:
		return clip(string(v.Text()), maxTraceID)
	case wire.Number:
		return clip(string(v.Raw), maxTraceID)
	}
	return ""
}

var traceIDForm = regexp.MustCompile(`"traceId"\s*:\s*"?([0-9A-Za-z._-]+)`)

// looseTraceID looks for a trace id in what is not an answer, perhaps not even JSON. It decides nothing.
func looseTraceID(body []byte) string {
	if m := traceIDForm.FindSubmatch(body); m != nil {
		return clip(string(m[1]), maxTraceID)
	}
	return ""
}

const maxTraceID = 64

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
