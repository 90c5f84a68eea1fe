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
	"github.com/daxpay-go/daxpay/param"
)

// What went wrong, for errors.Is. Every error of a call is one of these, a *GatewayError, a *TransportError or a
// *PanicError.
var (
	// ErrConfig: the configuration cannot work. The *ConfigErrors inside say which fields and why.
	ErrConfig = errors.New("daxpay: invalid configuration")
	// ErrParam: the param cannot be sent, and nothing was. The *ParamErrors inside say which fields and why.
	ErrParam = errors.New("daxpay: invalid param")
	// ErrUnsupported: the gateway version does not have the call, and nothing was sent.
	ErrUnsupported = errors.New("daxpay: not supported by this gateway version")
	// ErrSignMissing: an answer has no signature. It was refused.
	ErrSignMissing = errors.New("daxpay: signature missing")
	// ErrSignMismatch: the signature of an answer is not the one that the secret gives. The answer was forged or changed,
	// or the two sides are configured differently: see SignError.Explain. It was refused.
	ErrSignMismatch = errors.New("daxpay: signature mismatch")
	// ErrAmbiguous: the signature is right, but would be for a different answer as well. It was refused.
	ErrAmbiguous = errors.New("daxpay: ambiguous signed text")
	// ErrStale: the answer was signed at another time than now, so it may be an old one sent again, or a clock is wrong.
	// It was refused. See Config.MaxAge.
	ErrStale = errors.New("daxpay: stale answer")
	// ErrEcho: the answer is about another order than the one that was asked for. It was refused.
	ErrEcho = errors.New("daxpay: answer to something else")
	// ErrNoticeType: a signed message that came as a notice is not one, or not one of a kind that is handled. It was
	// refused.
	ErrNoticeType = errors.New("daxpay: not such a notice")
	// ErrNoticeBusy: the same event is being handled for another delivery. The notice was not acknowledged.
	ErrNoticeBusy = errors.New("daxpay: notice is being handled")
	// ErrUnproved: the answer is the gateway's and is no refusal, but does not prove that the call succeeded. The
	// *AnswerError holds what the gateway said instead, such as a status fail. A call that changes something is
	// ErrOutcomeUnknown as well, because the gateway also calls failed what the channel has done but was too late to tell.
	ErrUnproved = errors.New("daxpay: success is not proved")
	// ErrProtocol: what answered does not speak the protocol; often not the gateway but something in front of it, or
	// another path. An *HTTPError holds status and content type.
	ErrProtocol = errors.New("daxpay: protocol violation")
	// ErrTooLarge: the answer is larger than Config.MaxAnswerSize.
	ErrTooLarge = errors.New("daxpay: answer too large")
	// ErrNoSuchOrder: the gateway refused because it does not have the order that was named. For a query right after a
	// call whose outcome is unknown that is no proof: the call's request may still be on its way.
	ErrNoSuchOrder = errors.New("daxpay: no such order")
	// ErrAlreadyPaid: the gateway says, signed, that the payment was paid by an earlier call. A Pay that is refused so is
	// ErrOutcomeUnknown until a query has shown the order, as PayOrderModel: a refusal names none.
	ErrAlreadyPaid = errors.New("daxpay: paid before")
	// ErrOrderEnded: the gateway says, signed, that the payment was closed or cancelled, has failed, or has expired. A
	// sync can still find it paid.
	ErrOrderEnded = errors.New("daxpay: payment has ended")
	// ErrLocked: the gateway says that another call for the same order is under way: wait, then look the order up.
	ErrLocked = errors.New("daxpay: another call for the order is under way")
	// ErrEarlierSend: the gateway refused this send, which did nothing, but an earlier send of the same order may have
	// taken effect. Look the order up, and never take a new number for it.
	ErrEarlierSend = errors.New("daxpay: refused, perhaps because of an earlier send")
	// ErrDuplicate: the call must go out once, and its number went out before, so that it was not sent. It is
	// ErrOutcomeUnknown and ErrEarlierSend, too. See Config.OnceStore.
	ErrDuplicate = errors.New("daxpay: sent before")
	// ErrOutcomeUnknown: the call may have taken effect although no verified answer says so. Find out before anything that
	// moves money is repeated; the *OutcomeError says how, and keeps the cause.
	ErrOutcomeUnknown = errors.New("daxpay: outcome unknown")
)

// ConfigError is one mistake in a Config. It is ErrConfig.
type ConfigError struct {
	Field  string // of Config, such as "Retry.MaxDelay"; empty for a member of a file that is none
	Reason string
	// Setting is where the field was given, if that is not Go: the variable of the environment, such as "DAXPAY_URL", or
	// the member of a file, such as "retry.maxDelay".
	Setting string
}

func (e *ConfigError) Error() string {
	if e.Setting != "" {
		return "daxpay: " + e.Setting + " " + e.Reason
	}
	return "daxpay: Config." + e.Field + " " + e.Reason
}

// Unwrap makes it ErrConfig.
func (e *ConfigError) Unwrap() error { return ErrConfig }

// ParamError is one mistake in a param. It is ErrParam. A call returns all of them at once, joined.
type ParamError struct {
	Param  string // type of the param
	Field  string // Go name of the field, or of several that belong together, such as "OrderNo, BizOrderNo"
	Reason string
}

func (e *ParamError) Error() string {
	return "daxpay: " + e.Param + ": " + e.Field + " " + e.Reason
}

// Unwrap makes it ErrParam.
func (e *ParamError) Unwrap() error { return ErrParam }

// GatewayError is the gateway's refusal.
type GatewayError struct {
	Path string
	// Code is the gateway's code, such as CodeSignature. What the business refuses usually has CodeRefused, whatever the
	// reason.
	Code int
	// Reason is why, told from Code and Msg; ReasonUnknown if that is not known. It is a hint unless Signed is set.
	Reason Reason
	// Msg is the gateway's reason, mostly in Chinese and at most 256 characters. Do not show it to end users: it can be
	// the text of an exception.
	Msg string
	// TraceID finds the call in the gateway's log.
	TraceID string
	// ClockDifference is how far the gateway's clock is ahead of this one, to about a second, by the Date header of a
	// refusal that can be about the time (10006, 20051). Zero if they agree, and for any other refusal.
	ClockDifference time.Duration
	// Business tells that the gateway understood the call and the business refused it. Otherwise the gateway did not get
	// that far: a bad parameter, signature or time, or an error of its own.
	Business bool
	// Signed tells that the refusal was verified. What the business refuses always is, from gateway 2.0.6 on; anything
	// else never is.
	Signed bool

	edition string // of DaxPay, if it looks like another than 2.0.x
	proof   gateway.Proof
	ahead   time.Duration // how far this machine's clock was ahead of the gateway's when it came, if it is signed
}

// Is tells that the refusal is ErrNoSuchOrder, ErrEarlierSend, ErrAlreadyPaid, ErrOrderEnded or ErrLocked.
func (e *GatewayError) Is(target error) bool {
	switch target {
	case ErrNoSuchOrder:
		return e.proof == gateway.ProvesNoSuchOrder
	case ErrEarlierSend:
		return e.proof == gateway.ProvesEarlierSend
	}
	return target == e.Reason.sentinel(e.Signed)
}

// Error says what to do first, then what the gateway said.
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

// advice says what to do.
func (e *GatewayError) advice() string {
	switch {
	case e.edition != "":
		return editionAdvice(e.edition)
	case !e.refusedTime():
		return e.Reason.advice()
	case e.ClockDifference != 0:
		return e.Reason.advice() + ": the gateway's is " + differenceText(e.ClockDifference)
	}
	return e.Reason.advice() + ", or find why the request was more than 10 seconds on its way"
}

// tolerable is a difference of clocks that will not soon be too much.
const tolerable = 2 * time.Second

func differenceText(ahead time.Duration) string {
	if ahead < 0 {
		return (-ahead).String() + " behind this one"
	}
	return ahead.String() + " ahead of this one"
}

// refusedSign tells a refusal of the signature.
func (e *GatewayError) refusedSign() bool {
	return !e.Business && gateway.RefusesSignature(e.Code, e.Msg)
}

// refusedTime tells a refusal of the request's time, which comes only once its signature was found right.
func (e *GatewayError) refusedTime() bool { return !e.Business && gateway.RefusesTime(e.Code, e.Msg) }

func (e *GatewayError) refusedParam() bool {
	return !e.Business && (e.Code == gateway.CodeValidation || e.Code == gateway.CodePayValidation)
}

// refusedBody tells a refusal of a body in which a member has another form than the gateway expects.
func (e *GatewayError) refusedBody() bool { return !e.Business && e.Code == gateway.CodeUnreadable }

// refusals are what the gateway said to every encoding of GatewayAuto. For errors.As the first one counts.
type refusals struct {
	path     string
	versions []gateway.Version
	errs     []*GatewayError
}

func (r *refusals) add(version gateway.Version, err *GatewayError) {
	r.versions, r.errs = append(r.versions, version), append(r.errs, err)
}

// err is the refusal if there was only one.
func (r *refusals) err() error {
	if len(r.errs) == 1 {
		return r.errs[0]
	}
	return r
}

// Error says what to do first. What the gateway said to several encodings alike, it tells once.
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

// HTTPError says that what came back is not an answer of the gateway. It is ErrProtocol.
type HTTPError struct {
	Path        string
	StatusCode  int
	ContentType string
	TraceID     string // if there was one all the same
	Err         error  // why the body is no answer; nil if StatusCode says it
	// UnknownPath tells that the gateway, or what answered for it, says that it does not have the path: HTTP status 404,
	// or 500 with the JSON that gateways 2.0.x answer then. Check the path prefix in Config.ServiceURL and the version in
	// Config.Gateway.
	UnknownPath bool

	url      string // what was asked for
	pinned   bool
	advice   string // what to do, "" if that is not known
	harmless bool   // it shows that no gateway got the request
	edition  string // of DaxPay, if it looks like another than 2.0.x
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

// Unwrap makes it ErrProtocol.
func (e *HTTPError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrProtocol}
	}
	return []error{ErrProtocol, e.Err}
}

// AnswerError says why a gateway's answer or notice was refused. It is ErrProtocol, ErrUnproved, ErrAmbiguous,
// ErrStale, ErrEcho, ErrTooLarge or ErrNoticeType.
type AnswerError struct {
	Path    string // "notice" for a notice
	TraceID string
	Member  string // the member that it is about, if it is about one
	Reason  string
	// Status and Msg are what the gateway says in an answer that is ErrUnproved, verified: the member "status", such as
	// "fail", and data.msg, at most 256 characters. Each is empty if there is none.
	Status string
	Msg    string
	// Refusal is what Msg means: Pay, for one, answers so for a payment that was paid before. ReasonUnknown if there is no
	// Msg, or none that is known.
	Refusal Reason
	Err     error // which of the above

	advice string // what to do, if Refusal does not say it
}

// noticePath is the Path of errors about notices.
const noticePath = "notice"

// Is tells that the gateway says so in Msg: ErrAlreadyPaid, ErrOrderEnded or ErrLocked.
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
	// NeverSent tells that the connection failed before a byte of the request was written.
	NeverSent bool
	// Err is the transport's error. errors.Is and errors.As see what is inside; its text holds nothing that the other side
	// sent.
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

// Format prints the error's text whatever the verb: Err may hold what the other side sent.
func (e *TransportError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.Error()) }

// MarshalJSON writes the error's text for Err.
func (e *TransportError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"Path": e.Path, "NeverSent": e.NeverSent, "Err": e.reason()})
}

func (e *TransportError) reason() string { return (&scrubbedError{e.Err}).Error() }

// scrubbedError is an error of the transport without what the other side sent: net/http quotes that, and net/textproto
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

// Format prints the text whatever the verb.
func (e *scrubbedError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.Error()) }

// Is and As find what is inside without a way to print it by mistake, as Unwrap would give.
func (e *scrubbedError) Is(target error) bool { return errors.Is(e.err, target) }

// As finds what is inside, see Is.
func (e *scrubbedError) As(target any) bool { return errors.As(e.err, target) }

// Unwrap returns Err.
func (e *TransportError) Unwrap() error { return e.Err }

// OutcomeError wraps the cause for which a call's outcome is unknown. It is ErrOutcomeUnknown.
type OutcomeError struct {
	Path    string
	Recover string // what to do to learn the outcome
	Err     error
}

func (e *OutcomeError) Error() string {
	s := e.Err.Error() + "; the call may have taken effect"
	if e.Recover != "" {
		s += ": " + e.Recover
	}
	return s
}

// Unwrap makes it ErrOutcomeUnknown and keeps the cause.
func (e *OutcomeError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }

// mayHaveRun tells whether the call may have taken effect although err came back. A refusal names no order, so someone
// is on the line could put a recorded one in the place of a payout's answer: of a call that must go out once, it is
// believed only where nobody is.
func (call *call) mayHaveRun(err error, version gateway.Version, trusted bool) bool {
	if call.effect == param.EffectReadOnly || errors.Is(err, ErrParam) { // the latter could not be written
		return false
	}
	var refusal *GatewayError
	if errors.As(err, &refusal) {
		// Of the syncs of one that signs nothing, a refusal is as good an answer as any.
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

// maxMsg is how many characters of a gateway's text an error holds.
const maxMsg = 256

// clip makes a text of the gateway fit for one line of an error or a log.
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
