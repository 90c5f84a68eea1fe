package daxpay

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/param"
)

// read checks the reply and decodes it into the call's model.
func (c *core) read(call *call, version gateway.Version, path string, r *reply, a *answer) error {
	s := c.borrow()
	defer c.giveBack(s)
	o := opening{
		core: c, call: call, version: version, path: path, reply: r, answer: a, envelope: &s.envelope, data: &s.data,
	}
	return o.open()
}

// opening is the check of one reply.
type opening struct {
	*core
	call           *call
	version        gateway.Version
	path           string
	reply          *reply
	answer         *answer
	envelope, data *wire.Object
}

// open checks the reply from the outside in and decodes it into the call's model. It fills answer as far as it gets.
// Nothing in the data counts before its signature is verified, over the very bytes that are decoded.
func (o *opening) open() error {
	if err := o.readEnvelope(); err != nil {
		return err
	}
	if err := o.notRefused(); err != nil {
		return err
	}
	if err := o.verified(); err != nil {
		return err
	}
	if err := o.notRefusedByBusiness(); err != nil {
		return err
	}
	if err := o.call.answerPlan.Decode(o.data, o.call.model, o.Location); err != nil {
		return memberFault(err, o.refused)
	}
	return o.proved()
}

// refused returns the error for an answer of the gateway that must not be believed.
func (o *opening) refused(kind error, member, reason string) error {
	return &AnswerError{Path: o.path, TraceID: o.answer.traceID, Member: member, Reason: reason, Err: kind}
}

// notAnAnswer returns the error for a reply that is not the gateway's.
func (o *opening) notAnAnswer(err error) error {
	if o.answer.traceID == "" {
		o.answer.traceID = looseTraceID(o.reply.body)
	}
	e := &HTTPError{
		Path: o.path, StatusCode: o.reply.status, ContentType: o.reply.contentType, TraceID: o.answer.traceID, Err: err,
		url: o.ServiceURL + o.path, pinned: o.Gateway != GatewayAuto,
	}
	isObject := o.envelope.Read(o.reply.body) == nil
	e.UnknownPath = o.reply.unknownPath(o.envelope, isObject)
	e.advice, e.harmless = o.reply.misdirected(e, err)
	if isObject {
		if e.edition = editionOf(o.reply.status, o.envelope); e.edition != "" {
			e.advice = editionAdvice(e.edition)
		}
	}
	return e
}

// readEnvelope parses the envelope and the data inside it.
func (o *opening) readEnvelope() error {
	if o.reply.status != http.StatusOK {
		return o.notAnAnswer(nil)
	}
	if err := o.envelope.ReadWith(o.reply.body, o.data, "data"); err != nil {
		return o.notAnAnswer(err)
	}
	o.answer.traceID = traceID(o.envelope)
	return nil
}

// notRefused checks the code of the envelope: a code other than 0 is an unsigned refusal.
func (o *opening) notRefused() error {
	member, ok := o.envelope.Get("code")
	if !ok {
		return o.notAnAnswer(errors.New("it has no code"))
	}
	code, err := integer(member)
	if err != nil {
		return o.notAnAnswer(fmt.Errorf("its code %w", err))
	}
	if code == 0 {
		return nil
	}
	o.answer.code = code
	refusal := &GatewayError{Path: o.path, Code: code, Msg: msg(o.envelope), TraceID: o.answer.traceID}
	refusal.proof, refusal.Reason = gateway.ProofOfCode(code, refusal.Msg), Reason(gateway.ReasonOf(code, refusal.Msg))
	refusal.edition = editionOf(o.reply.status, o.envelope)
	if refusal.refusedParam() {
		difference, dated := o.reply.measureDate()
		refusal.ClockDifference = difference.difference
		o.doubt(difference, dated)
	}
	return refusal
}

// verified verifies the signature of the data, and that the data is a current answer to this call. Gateways up to 2.0.5
// sign nothing.
func (o *opening) verified() error {
	data, _ := o.envelope.Get("data")
	if data.Kind != wire.Dict {
		return o.notAnAnswer(errors.New("its data is not an object"))
	}
	o.answer.raw = data.Raw
	if !o.version.SignsAnswers() {
		return nil
	}
	var err error
	if o.answer.secretIndex, err = o.signer.verify(o.data, data.Raw, o.path, o.answer.traceID); err != nil {
		var sign *SignError
		if _, signed := o.data.Get(wire.SignName); !signed && errors.As(err, &sign) {
			sign.edition = editionOf(o.reply.status, o.envelope)
		}
		return err
	}
	o.answer.signed = true
	if err := o.screen(); err != nil {
		return err
	}
	o.answer.verified = true
	return nil
}

// screen refuses data that is rightly signed and yet not the answer to this call, or whose signed text could also be
// that of another answer.
func (o *opening) screen() error {
	if _, ok := o.data.Get("reqTime"); ok {
		return o.refused(ErrProtocol, "reqTime", "is present: this is a request, not an answer")
	}
	resTime, ok := o.data.Get("resTime")
	if !ok {
		return o.refused(ErrProtocol, "resTime", "is missing")
	}
	seconds, err := resTime.Int()
	if err != nil {
		return o.refused(ErrProtocol, "resTime", err.Error())
	}
	made := time.Unix(seconds, 0)
	age := o.Now().Sub(made)
	o.answer.ahead = age
	if o.MaxAge > 0 && (age > o.MaxAge || age < -o.MaxAge) {
		e := &AnswerError{Path: o.path, TraceID: o.answer.traceID, Member: "resTime", Err: ErrStale}
		e.Reason, e.advice = fmt.Sprintf("is %v from now", age.Round(time.Second)),
			"synchronize the clocks on both sides (NTP), or see Config.MaxAge"
		if seconds > milliseconds {
			e.Reason, e.advice = "is in milliseconds", "find what changes times between here and the gateway: gateways "+
				"2.0.x send Unix seconds"
		}
		return e
	}
	if member, ok := o.call.plan.Echo(o.call.request, o.data); !ok {
		return o.refused(ErrEcho, member, "is not the one that was asked for")
	}
	if number := o.call.plan.Foreign(o.call.answerPlan, o.data); number != "" {
		return o.refused(ErrProtocol, number, "is present: this is the answer to another call")
	}
	if err := o.call.answerPlan.Screen(o.data, wire.Screening{AllowText: o.AllowAmbiguousText}); err != nil {
		return memberFault(err, o.refused)
	}
	o.learn(o.reply, made)
	return nil
}

// milliseconds is later than any time in seconds, and earlier than any recent time in milliseconds.
const milliseconds = 100_000_000_000

// notRefusedByBusiness checks the code of the data: a code other than 0 is a signed refusal.
func (o *opening) notRefusedByBusiness() error {
	if code, ok := o.data.Get("code"); ok && code.Kind != wire.Null || o.version.SignsAnswers() {
		var err error
		if o.answer.code, err = integer(code); err != nil {
			return o.refused(ErrProtocol, "code", err.Error())
		}
	}
	o.answer.msg = msg(o.data)
	if o.answer.code == 0 {
		return nil
	}
	return &GatewayError{
		Path: o.path, Code: o.answer.code, Msg: o.answer.msg, TraceID: o.answer.traceID, Business: true,
		Signed: o.answer.verified, Reason: Reason(gateway.ReasonOf(o.answer.code, o.answer.msg)),
		proof: o.call.proofOf(o.answer.msg), ahead: o.answer.ahead,
	}
}

// proofOf returns what a signed refusal with this text proves.
func (call *call) proofOf(text string) gateway.Proof {
	switch {
	case gateway.IsNoSuchOrder(text) && call.effect != param.EffectOnce: // a replayed refusal must not free a payout
		return gateway.ProvesNoSuchOrder
	case slices.Contains(call.refusals.EarlierSend, text):
		return gateway.ProvesEarlierSend
	case call.refusals.Harmless, slices.Contains(call.refusals.HarmlessTexts, text):
		return gateway.ProvesHarmless
	}
	return gateway.ProvesNothing
}

// proved refuses a signed answer with code 0 that does not prove success. The gateway sends such answers while another
// call holds the order, after some failures, and when the channel answered too late.
func (o *opening) proved() error {
	if !o.version.SignsAnswers() {
		return nil
	}
	call, status := o.call, ""
	if v, ok := o.data.Get("status"); ok && v.Kind == wire.String {
		status = clip(string(v.Text()), maxStatus)
	}
	unproved := func(member, reason string) error {
		msg := o.answer.msg
		if msg != "" {
			reason += ": " + msg
		}
		return &AnswerError{
			Path: o.path, TraceID: o.answer.traceID, Member: member, Reason: reason, Status: status, Msg: msg,
			Refusal: Reason(gateway.ReasonOf(0, msg)), Err: ErrUnproved,
		}
	}
	if missing := call.answerPlan.Missing(call.model); len(missing) > 0 {
		return unproved(strings.Join(missing, ", "), "is missing")
	}
	if repeated := call.answerPlan.Repeated(call.model, call.plan, call.request); repeated != "" {
		return unproved(repeated, "only repeats the number in the request")
	}
	if len(call.proof) > 0 && !slices.Contains(call.proof, status) {
		return unproved("status", "is "+strconv.Quote(status)+", which does not prove that the channel did nothing")
	}
	return nil
}

// maxStatus limits the characters of a status in an error. The gateway's have fewer.
const maxStatus = 32

func memberFault(err error, refused func(kind error, member, reason string) error) error {
	var m *wire.MemberError
	if errors.As(err, &m) {
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
	if v, ok := o.Get("msg"); ok && v.Kind == wire.String {
		return clip(string(v.Text()), maxMsg)
	}
	return ""
}

func traceID(envelope *wire.Object) string {
	switch v, _ := envelope.Get("traceId"); v.Kind {
	case wire.String:
		return clip(string(v.Text()), maxTraceID)
	case wire.Number:
		return clip(string(v.Raw), maxTraceID)
	}
	return ""
}

var traceIDForm = regexp.MustCompile(`"traceId"\s*:\s*"?([0-9A-Za-z._-]+)`)

// looseTraceID looks for a trace id in a body that is not an answer and may not be JSON. It is only shown, and decides
// nothing.
func looseTraceID(body []byte) string {
	if m := traceIDForm.FindSubmatch(body); m != nil {
		return clip(string(m[1]), maxTraceID)
	}
	return ""
}

const maxTraceID = 64

// unknownPath reports whether the gateway does not have the path: HTTP status 404, or 500 with the JSON object that
// gateways 2.0.x then send, which names the path and has no code.
func (r *reply) unknownPath(o *wire.Object, isObject bool) bool {
	if isObject {
		path, named := o.Get("path")
		_, status := o.Get("status")
		_, code := o.Get("code")
		r.named = named && path.Kind == wire.String && status && !code
	}
	return r.status == http.StatusNotFound || r.status == http.StatusInternalServerError && r.named
}
