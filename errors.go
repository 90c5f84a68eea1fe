package daxpay

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/guard"
	"github.com/daxpay-go/daxpay/param"
)

// Errors for errors.Is. Every error of a call is one of these, a *GatewayError, a *TransportError or a *PanicError.
var (
	// ErrConfig: the configuration cannot work. The *ConfigErrors inside say which fields and why.
	ErrConfig = errors.New("daxpay: invalid configuration")
	// ErrParam: the param is invalid, and nothing was sent. The *ParamErrors inside say which fields and why.
	ErrParam = errors.New("daxpay: invalid param")
	// ErrUnsupported: the gateway version does not have the call, and nothing was sent.
	ErrUnsupported = errors.New("daxpay: not supported by this gateway version")
	// ErrSignMissing: an answer or a notice has no signature. It was refused.
	ErrSignMissing = errors.New("daxpay: signature missing")
	// ErrSignMismatch: the signature of an answer or a notice is not the one that the secret gives. The message was
	// forged or changed, or the two sides are configured differently: see SignError.Explain. It was refused.
	ErrSignMismatch = errors.New("daxpay: signature mismatch")
	// ErrAmbiguous: the signature is right, but would be right for a different message as well. The message was
	// refused. See Config.AllowAmbiguousText.
	ErrAmbiguous = errors.New("daxpay: ambiguous signed text")
	// ErrStale: the answer was not made now, so it may be an old one that was replayed, or a clock is wrong. It was
	// refused. See Config.MaxAge and NoticeHandlers.MaxAge.
	ErrStale = errors.New("daxpay: stale answer")
	// ErrEcho: the answer or notice is about another order, or another amount, than expected, and was refused; or the
	// payment of PayOrResume is open at another channel.
	ErrEcho = errors.New("daxpay: answer to something else")
	// ErrNoticeType: a signed message that was received as a notice is not one, or is of a kind without a callback. It
	// was refused.
	ErrNoticeType = errors.New("daxpay: wrong kind of notice")
	// ErrNoticeBusy: another delivery of the same event is being handled. The notice was not acknowledged; there is
	// nothing to do.
	ErrNoticeBusy = errors.New("daxpay: notice is being handled")
	// ErrUnproved: the gateway's answer is no refusal, but does not prove that the call succeeded. The *AnswerError
	// holds what the gateway said instead, such as the status fail. If the call changes something, the error is
	// ErrOutcomeUnknown as well: the gateway also reports a failure when the channel has acted but answered too late.
	ErrUnproved = errors.New("daxpay: success is not proved")
	// ErrProtocol: what answered does not speak the protocol. Often it is not the gateway but something in front of it,
	// or the path is wrong. An *HTTPError holds status and content type.
	ErrProtocol = errors.New("daxpay: protocol violation")
	// ErrTooLarge: the answer is larger than Config.MaxAnswerSize, or the notice larger than NoticeHandlers.MaxSize.
	ErrTooLarge = errors.New("daxpay: answer too large")
	// ErrNoSuchOrder: the gateway refused because it does not have the order. From a query right after a call whose
	// outcome is unknown this proves nothing: the request of that call may still arrive.
	ErrNoSuchOrder = errors.New("daxpay: no such order")
	// ErrAlreadyPaid: the gateway says, signed, that the payment was paid by an earlier call. A Pay refused in this way
	// is ErrOutcomeUnknown until a query has shown the order (PayOrderModel), because the refusal does not name it.
	ErrAlreadyPaid = errors.New("daxpay: paid before")
	// ErrOrderEnded: the gateway says, signed, that the payment was closed or cancelled, has failed, or has expired. A
	// sync can still find it paid.
	ErrOrderEnded = errors.New("daxpay: payment has ended")
	// ErrLocked: the gateway says that another call for the same order is running. Wait, then query the order.
	ErrLocked = errors.New("daxpay: another call for the order is under way")
	// ErrEarlierSend: the gateway refused this send, which did nothing, but an earlier send of the same order may have
	// taken effect. Query the order, and never use a new number for it.
	ErrEarlierSend = errors.New("daxpay: refused, perhaps because of an earlier send")
	// ErrDuplicate: the call must be sent only once, and its number was sent before, so nothing was sent now. It is
	// ErrOutcomeUnknown and ErrEarlierSend as well. See Config.OnceStore.
	ErrDuplicate = errors.New("daxpay: sent before")
	// ErrOutcomeUnknown: the call may have taken effect, although no verified answer says so. Find out what happened
	// before you repeat anything that moves money. The *OutcomeError says how, and holds the cause.
	ErrOutcomeUnknown = errors.New("daxpay: outcome unknown")
)

// ConfigError is one mistake in a Config. It is ErrConfig.
type ConfigError struct {
	Field  string // of Config, such as "Retry.MaxDelay"; empty for an unknown member of a file
	Reason string
	// Setting is where the value came from, if it was not set in Go: the environment variable, such as "DAXPAY_URL", or
	// the member of a file, such as "retry.maxDelay".
	Setting string
}

func (e *ConfigError) Error() string {
	if e.Setting != "" {
		return "daxpay: " + e.Setting + " " + e.Reason
	}
	return "daxpay: Config." + e.Field + " " + e.Reason
}

// Unwrap returns ErrConfig.
func (e *ConfigError) Unwrap() error { return ErrConfig }

// ParamError is one mistake in a param. It is ErrParam. A call returns all of them at once, joined.
type ParamError struct {
	Param  string // Go type of the param
	Field  string // Go name of the field, or of several that belong together, such as "OrderNo, BizOrderNo"
	Reason string
}

func (e *ParamError) Error() string {
	return "daxpay: " + e.Param + ": " + e.Field + " " + e.Reason
}

// Unwrap returns ErrParam.
func (e *ParamError) Unwrap() error { return ErrParam }

// GatewayError is the gateway's refusal.
type GatewayError struct {
	Path string
	// Code is the gateway's code, such as CodeSignature. Refusals by the business usually have CodeRefused, whatever
	// the reason.
	Code int
	// Reason is the cause, as derived from Code and Msg; ReasonUnknown if they are not known. It is only a hint unless
	// Signed is set.
	Reason Reason
	// Msg is the gateway's text, usually Chinese, cut to 256 characters. Do not show it to end users: it can be the
	// text of an exception.
	Msg string
	// TraceID identifies the call in the gateway's log.
	TraceID string
	// ClockDifference is how far the gateway's clock is ahead of this one, accurate to about a second. It is measured
	// by the Date header of refusals that can be about the time (10006, 20051). Zero if the clocks agree, and for any
	// other refusal.
	ClockDifference time.Duration
	// Business reports whether the business refused a call that the gateway had accepted. If false, the gateway did not
	// get that far: a parameter, the signature or the time was wrong, or the gateway itself failed.
	Business bool
	// Signed reports whether the refusal was verified. From gateway 2.0.6 on, refusals by the business are always
	// signed, and others never.
	Signed bool

	edition string // of DaxPay, if it seems to be another one than 2.0.x
	proof   gateway.Proof
	ahead   time.Duration // how far this machine's clock was ahead of the gateway's when it came, if it is signed
}

// Is reports whether the refusal is ErrNoSuchOrder, ErrEarlierSend, ErrAlreadyPaid, ErrOrderEnded or ErrLocked.
func (e *GatewayError) Is(target error) bool {
	switch target {
	case ErrNoSuchOrder:
		return e.proof == gateway.ProvesNoSuchOrder
	case ErrEarlierSend:
		return e.proof == gateway.ProvesEarlierSend
	}
	return target == e.Reason.sentinel(e.Signed)
}

// Error starts with what to do, followed by what the gateway said.
func (e *GatewayError) Error() string {
	s := "daxpay: " + e.Path + ": "
	if advice := e.advice(); advice != "" {
		s += advice + "; "
	}
	if e.Business {
		return s + "business refused, " + e.said()
	}
	return s + "gateway refused, " + e.said()
}

func (e *GatewayError) said() string { return e.codeAndMsg() + trace(e.TraceID) }

func (e *GatewayError) codeAndMsg() string {
	s := "code " + strconv.Itoa(e.Code)
	if e.Msg != "" {
		s += ": " + e.Msg
	}
	return s
}

func (e *GatewayError) saysTheSame(other *GatewayError) bool {
	return e.Code == other.Code && e.Msg == other.Msg
}

// advice says what to do, "" if that is not known.
func (e *GatewayError) advice() string {
	switch {
	case e.edition != "":
		return editionAdvice(e.edition)
	case !e.refusedTime():
		return e.Reason.advice()
	case e.ClockDifference != 0:
		return e.Reason.advice() + ": the gateway's is " + differenceText(e.ClockDifference)
	}
	return e.Reason.advice() + ", or find out why the request took more than 10 seconds to arrive"
}

// tolerable is a clock difference that is no cause for concern.
const tolerable = 2 * time.Second

func differenceText(ahead time.Duration) string {
	if ahead < 0 {
		return (-ahead).String() + " behind this one"
	}
	return ahead.String() + " ahead of this one"
}

// refusedSign reports whether the signature was refused.
func (e *GatewayError) refusedSign() bool {
	return !e.Business && gateway.RefusesSignature(e.Code, e.Msg)
}

// refusedTime reports whether the request's time was refused. The gateway checks it only after the signature.
func (e *GatewayError) refusedTime() bool { return !e.Business && gateway.RefusesTime(e.Code, e.Msg) }

func (e *GatewayError) refusedParam() bool {
	return !e.Business && (e.Code == gateway.CodeValidation || e.Code == gateway.CodePayValidation)
}

// refusedBody reports whether the body was refused because a member has another form than the gateway expects.
func (e *GatewayError) refusedBody() bool { return !e.Business && e.Code == gateway.CodeUnreadable }

// refusals collects the refusals of every encoding that GatewayAuto tried. errors.As finds the first.
type refusals struct {
	path     string
	versions []gateway.Version
	errs     []*GatewayError
}

func (r *refusals) add(version gateway.Version, err *GatewayError) {
	r.versions, r.errs = append(r.versions, version), append(r.errs, err)
}

// err returns the refusal itself if there is only one.
func (r *refusals) err() error {
	if len(r.errs) == 1 {
		return r.errs[0]
	}
	return r
}

// Error starts with what to do. A refusal that several encodings have in common is written once.
func (r *refusals) Error() string {
	var advices, told []string
	wrongSign := !slices.ContainsFunc(r.errs, func(e *GatewayError) bool { return !e.refusedSign() })
	if wrongSign {
		advices = []string{"compare SignSecret (no blanks, quotes or line break around it) and SignType with the gateway's " +
			"settings, and set Gateway if it is 2.0.6 or older"}
	}
	for i, e := range r.errs {
		if advice := e.advice(); !wrongSign && advice != "" && !slices.Contains(advices, advice) {
			advices = append(advices, advice)
		}
		if slices.IndexFunc(r.errs, e.saysTheSame) < i {
			continue
		}
		var as []string
		for j, other := range r.errs {
			if other.saysTheSame(e) {
				as = append(as, encoding(r.versions[j])+trace(other.TraceID))
			}
		}
		told = append(told, strings.Join(as, ", ")+": "+e.codeAndMsg())
	}
	return "daxpay: " + r.path + ": " + strings.Join(append(advices, "gateway refused it "+strings.Join(told, "; ")), "; ")
}

func encoding(v gateway.Version) string {
	if v == gateway.Printed {
		return "as in the documents"
	}
	return "as " + v.String()
}

func (r *refusals) Unwrap() []error {
	errs := make([]error, len(r.errs))
	for i, e := range r.errs {
		errs[i] = e
	}
	return errs
}

// HTTPError says that the reply is not an answer of the gateway. It is ErrProtocol.
type HTTPError struct {
	Path        string
	StatusCode  int
	ContentType string
	TraceID     string // if the reply contains one
	Err         error  // why the body is no answer; nil if StatusCode says enough
	// UnknownPath reports whether the gateway, or what answered in its place, does not have the path: HTTP status 404,
	// or 500 with the JSON that gateways 2.0.x then send. Check the path prefix in Config.ServiceURL and the version in
	// Config.Gateway.
	UnknownPath bool

	url      string // of the request
	pinned   bool
	advice   string // what to do, "" if that is not known
	harmless bool   // proves that the request reached no gateway
	edition  string // of DaxPay, if it seems to be another one than 2.0.x
}

func (e *HTTPError) Error() string {
	s := "daxpay: " + e.Path + ": "
	if e.advice != "" {
		s += e.advice + "; "
	}
	s += "not an answer of the gateway: HTTP status " + strconv.Itoa(e.StatusCode)
	if e.ContentType != "" {
		s += ", " + e.ContentType
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s + trace(e.TraceID)
}

// Unwrap returns ErrProtocol and Err.
func (e *HTTPError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrProtocol}
	}
	return []error{ErrProtocol, e.Err}
}

// AnswerError says why an answer or a notice of the gateway was refused. It is ErrProtocol, ErrUnproved, ErrAmbiguous,
// ErrStale, ErrEcho, ErrTooLarge or ErrNoticeType.
type AnswerError struct {
	Path    string // "notice" for a notice
	TraceID string
	Member  string // the member at fault, empty if it is not a single one
	Reason  string
	// Status and Msg hold what the gateway says in an answer that is ErrUnproved; both are verified. Status is the
	// member "status", such as "fail", and Msg is data.msg, cut to 256 characters. Each is empty if the answer has
	// none.
	Status string
	Msg    string
	// Refusal is the reason that Msg gives: Pay, for example, answers in this way for a payment that was paid before.
	// ReasonUnknown if Msg is empty or not known.
	Refusal Reason
	Err     error // one of the errors named above

	advice string // what to do, if Refusal does not say so
}

// noticePath is the Path of errors about notices.
const noticePath = "notice"

// Is reports whether Msg says that the error is ErrAlreadyPaid, ErrOrderEnded or ErrLocked.
func (e *AnswerError) Is(target error) bool { return target == e.Refusal.sentinel(true) }

func (e *AnswerError) Error() string {
	s := e.Err.Error() + ": " + e.Path + ": "
	if e.Path == noticePath {
		s = "daxpay: notice refused: "
	}
	if advice := cmp.Or(e.advice, e.Refusal.advice()); advice != "" {
		s = "daxpay: " + e.Path + ": " + advice + "; " + strings.TrimPrefix(e.Err.Error(), "daxpay: ") + ": "
	}
	if e.Member != "" {
		s += "member " + e.Member + " "
	}
	return s + e.Reason + trace(e.TraceID)
}

// Unwrap returns Err.
func (e *AnswerError) Unwrap() error { return e.Err }

// TransportError says that no answer came.
type TransportError struct {
	Path string
	// NeverSent reports whether the connection failed before a byte of the request was written, so that the call
	// provably did nothing.
	NeverSent bool
	// Err is the transport's error, for errors.Is and errors.As. Its text leaves out what the other side sent.
	Err error
}

func (e *TransportError) Error() string {
	s := "daxpay: " + e.Path + ": "
	if advice := e.advice(); advice != "" {
		s += advice + "; "
	}
	s += "no answer: " + e.reason()
	if e.NeverSent {
		s += "; nothing was sent"
	}
	return s
}

// Unwrap returns Err.
func (e *TransportError) Unwrap() error { return e.Err }

// Format prints the error's text for every verb, because Err may hold what the other side sent.
func (e *TransportError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.Error()) }

// MarshalJSON writes the text of Err for Err.
func (e *TransportError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"Path": e.Path, "NeverSent": e.NeverSent, "Err": e.reason()})
}

func (e *TransportError) reason() string { return (&scrubbedError{e.Err}).Error() }

// scrubbedError hides what the other side sent in an error of the transport: net/http quotes it, and net/textproto
// appends it.
type scrubbedError struct{ err error }

func (e *scrubbedError) Error() string {
	var malformed textproto.ProtocolError
	if errors.As(e.err, &malformed) {
		return "malformed HTTP header"
	}
	reason, _, quoted := strings.Cut(e.err.Error(), `"`)
	if quoted {
		reason = strings.TrimRight(reason, " :,(")
	}
	return clip(reason, maxMsg)
}

// Format prints the text for every verb.
func (e *scrubbedError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.Error()) }

// Is finds the wrapped error. There is no Unwrap, because the text of the wrapped error must not be printed.
func (e *scrubbedError) Is(target error) bool { return errors.Is(e.err, target) }

// As finds the wrapped error, see Is.
func (e *scrubbedError) As(target any) bool { return errors.As(e.err, target) }

// OutcomeError wraps the error of a call that may have taken effect. It is ErrOutcomeUnknown.
type OutcomeError struct {
	Path    string
	Recover string // how to learn the outcome, empty if there is no advice
	Err     error
}

func (e *OutcomeError) Error() string {
	s := e.Err.Error() + "; the call may have taken effect"
	if e.Recover != "" {
		s += ": " + e.Recover
	}
	return s
}

// Unwrap returns ErrOutcomeUnknown and the cause.
func (e *OutcomeError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }

// mayHaveRun reports whether the call may have taken effect although it failed with err. A refusal does not name the
// order, so someone on the connection could replay one in place of the answer to a payout. For a call that must be sent
// only once it therefore counts only on a trusted connection.
func (call *call) mayHaveRun(err error, version gateway.Version, trusted bool) bool {
	if call.effect == param.EffectReadOnly || errors.Is(err, ErrParam) { // ErrParam: it could not be encoded
		return false
	}
	var refusal *GatewayError
	if errors.As(err, &refusal) {
		// An unsigned refusal of a sync is as good as any answer of a gateway that signs nothing.
		if !version.SignsAnswers() && call.effect == param.EffectRepeatable {
			return false
		}
		return refusal.proof == gateway.ProvesNothing || call.effect == param.EffectOnce && !trusted
	}
	var transport *TransportError
	if errors.As(err, &transport) {
		return !transport.NeverSent
	}
	var page *HTTPError
	if errors.As(err, &page) && page.harmless {
		return call.effect == param.EffectOnce && !trusted
	}
	return true
}

func trace(id string) string {
	if id == "" {
		return ""
	}
	return " (trace " + id + ")"
}

// maxMsg limits the characters of the gateway's text in an error.
const maxMsg = 256

// clip makes a text from outside fit for one line of an error or a log.
func clip(s string, limit int) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > limit {
			return -1
		}
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// panicOr returns what guard.Call and guard.Within return as one error.
func panicOr(panicked *guard.Panic, err error) error {
	if panicked != nil {
		return (*PanicError)(panicked)
	}
	return err
}

// PanicError says that a callback or a store panicked. Its text has the type of the panic's value and the place of the
// panic, but no data of the callback.
type PanicError struct {
	Value any    // the value of the panic
	Stack []byte // the stack trace of the panic
	Frame string // the function that panicked, with file and line
}

func (e *PanicError) Error() string {
	where := cmp.Or(e.Frame, "an unknown function")
	return fmt.Sprintf("daxpay: a callback panicked with a %T in %s; see PanicError.Value and Stack", e.Value, where)
}

// Format prints the error's text for every verb.
func (e *PanicError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.Error()) }

// MarshalJSON writes the error's text.
func (e *PanicError) MarshalJSON() ([]byte, error) { return json.Marshal(e.Error()) }
