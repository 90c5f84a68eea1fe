// Package param holds the requests: one struct for each call. It carries everything that the client must know about the
// call: its path, the names of its members, their limits, and the model of its answer.
//
// A field that is zero is not sent. Limits are checked before anything is sent. They count characters in UTF-16 units,
// as the gateway does. They are those of gateway 2.0.8, unless Config.Gateway names an older one. A field that the
// gateway of Config.Gateway does not know must be zero, because an unknown member breaks the signature.
//
// If your gateway has a further call, describe it in the same way, in a package of your own:
//
//	type RiskParam struct {
//		param.Common
//		BizOrderNo string `json:"bizOrderNo" daxpay:"no,required,max=100"`
//	}
//
//	func (*RiskParam) Call() param.Call[RiskModel] {
//		return param.Call[RiskModel]{Path: "/unipay/ext/risk", Effect: param.EffectReadOnly}
//	}
//
//	type RiskModel struct {
//		model.Common
//		Level string `json:"level" daxpay:"proof"`
//	}
//
// and make it with daxpay.Execute. Fields are strings, integers, bool, time.Time (model.Time in a model), structs,
// lists of these, pointers to these, or json.RawMessage; a member whose name ends in Time must be a time. The json tag
// holds the name of the member. The daxpay tag holds options, separated by commas:
//
//   - required: it must be set
//   - oneof: at least one of the fields with this option must be set
//   - max=N: a string of at most N characters, an integer of at most N, JSON of at most N characters
//   - min=N: an integer of at least N
//   - object: JSON that must be one object
//   - inverted: a bool that is sent as false when it is set
//   - ip: an IPv4 or IPv6 address
//   - url: an absolute http or https URL
//   - no: a string that names an order; if the answer names it too, it must be the same. With no=name the answer uses
//     that other name
//   - text: free text. Every other string is a code, which must not contain control characters, &, quotes and
//     backslashes, because the signature does not protect them; inside lists and objects also no commas, braces and
//     brackets
//   - listed: a string that answers and notices repeat inside a list, so that it must keep the rules that hold there
//   - opaque: a string that is not checked, such as a URL
//   - proof: in a model, an answer without this member, or with an empty one or 0, does not prove success
//   - unlike=name: in a model, an answer in which this member equals that member of the request does not prove success
package param

import "time"

// Request is what daxpay.Execute sends: a pointer to a struct that embeds Common and has a method Call. T is the model
// of the answer.
type Request[T any] interface {
	Call() Call[T]
	common()
}

// Call holds what the client must know about a call besides its members. T is the model of the answer.
type Call[T any] struct {
	// Path is the call's path under the service URL in gateway 2.0.8, such as "/unipay/sync/pay". Required. The client
	// knows the paths that older versions have for the calls of this package.
	Path string
	// Check finds mistakes in the param that tags cannot express. now is the time that a request would bear. Nil:
	// nothing more is checked.
	Check func(now time.Time) []Fault
	// Effect says what happens if the call is sent again, and so when the client may do that. Default: EffectChanges.
	Effect Effect
	// Proof lists the values of the answer's member "status" that prove that the call took effect. With any other
	// status the outcome is unknown, because the gateway also calls failed what the channel has done. Empty: the status
	// is not checked.
	Proof []string
	// Refusals says what the gateway's signed refusals prove. The zero value means that they prove nothing and leave
	// the outcome unknown.
	Refusals Refusals
	// Recover says how to learn the outcome. It completes the text of a *daxpay.OutcomeError, as its field Recover.
	// Leave it empty with EffectReadOnly.
	Recover string
}

// Fault is a mistake in a field of a param. It becomes a *daxpay.ParamError.
type Fault struct {
	Field  string // Go name of the field
	Reason string // continues the field's name: "must …"
}

// Effect says what a call does at the gateway, and so when the client may send it again. Whatever the effect, a call
// may be sent again if not a byte of it was written.
type Effect uint8

// The effects.
const (
	// EffectChanges: the call changes something, and sending it again may change it again. The client does not send it
	// again, with one exception: in another encoding, if the gateway refused the first one before it did anything (see
	// daxpay.GatewayAuto). If the call may have run and no verified answer says so, the error is
	// daxpay.ErrOutcomeUnknown.
	EffectChanges Effect = iota
	// EffectReadOnly: the call changes nothing. The client may send it again, see daxpay.Retry, and its outcome is
	// never unknown.
	EffectReadOnly
	// EffectRepeatable: the call changes something, but sending it twice has the same effect as sending it once. The
	// client may send it again, see daxpay.Retry. If no attempt brings an answer, the error is
	// daxpay.ErrOutcomeUnknown.
	EffectRepeatable
	// EffectOnce: the call must never be sent a second time, not even in another encoding. It is for calls that pay out
	// money, and needs a field with the option no: see daxpay.Config.OnceStore. With daxpay.GatewayAuto it is sent in
	// the encoding that was accepted last, else in that of the interface documents; if the gateway refuses that, set
	// Config.Gateway.
	EffectOnce
)

// Repeatable reports whether the call may be sent again after it may have reached the gateway.
func (e Effect) Repeatable() bool { return e == EffectReadOnly || e == EffectRepeatable }

// Common holds the members that every request has. All may be left empty: the client fills them in when it sends the
// request, and does not modify the param.
type Common struct {
	// ClientIP is the IPv4 or IPv6 address of the end user (客户端IP), at most 64 characters. Some channels, WeChat among
	// them, need it. Empty: Config.ClientIP, or none.
	ClientIP string `json:"clientIp" daxpay:"ip,max=64"`
	// NonceStr is a random text (随机数) of at most 32 characters. Empty: the client makes one for each attempt. It is
	// not sent to gateways before 2.0.8, which do not know it and would refuse the signature.
	NonceStr string `json:"nonceStr" daxpay:"max=32"`
	// ReqTime is when the request was made (请求时间), sent as Unix seconds. Gateway 2.0.8 refuses requests that are
	// more than 10 seconds old, so set it only to reproduce a message. Zero: the time of each attempt.
	ReqTime time.Time `json:"reqTime"`
}

func (Common) common() {}
