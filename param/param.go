// Package param holds what a merchant sends: one struct for a call, which carries everything that the client must know
// about the call: its path, the names of its members, their limits, and which model its answer has.
//
// A field that is zero is not sent. Limits are checked before anything is sent; they count characters as the gateway
// does, in UTF-16 units. They are those of gateway 2.0.8, unless Config.Gateway names an older one. A field that the
// gateway of Config.Gateway does not know must be zero, because an unknown member breaks the signature.
//
// A merchant whose gateway has a further call describes it in the same way, in a package of the merchant's:
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
// and makes it with daxpay.Execute. Fields are strings, integers, bool, time.Time (model.Time in a model), structs,
// lists of these, pointers to these, or json.RawMessage; a member whose name ends in Time must be a time. The json tag
// holds the name of the member, the daxpay tag, separated by commas, what else is known about it:
//
//   - required: it must be set
//   - oneof: one of the fields that have this must be set
//   - max=N: a string of at most N characters, an integer of at most N, JSON of at most N characters
//   - min=N: an integer of at least N
//   - object: JSON that must be one object
//   - inverted: a bool that is sent as false when it is set
//   - ip: an IPv4 or IPv6 address
//   - url: an absolute http or https URL
//   - no: a string that names an order; if the answer names it too, it must be the same. With no=name the answer has it
//     under another name
//   - text: free text. Every other string is a code, in which control characters, &, quotes and backslashes are
//     refused, because the signature does not protect them; inside lists and objects also commas, braces and brackets
//   - opaque: a string that is not checked at all, such as a URL
//   - proof: in a model, an answer in which it is missing, empty or 0 does not prove success
//   - unlike=name: in a model, nor does one in which it is the same as that member of the request
package param

import "time"

// Request is what Execute sends: a pointer to a struct that embeds Common and tells its Call. T is the model of the
// answer.
type Request[T any] interface {
	Call() Call[T]
	common()
}

// Call says what the client must know about a call beside its members. T is the model of the answer.
type Call[T any] struct {
	// Path is where the call is under the service URL, as gateway 2.0.8 has it, such as "/unipay/sync/pay". The client
	// knows where older versions have the calls of this package.
	Path string
	// Check finds what is wrong with the param beyond what tags can say. Now is the time that a request would bear. Nil:
	// nothing more is checked.
	Check func(now time.Time) []Fault
	// Effect says what it does to the gateway to send the call again, and so when the client may. Default: EffectChanges.
	Effect Effect
	// Proof lists the values of the answer's member "status" that prove that the call took effect. With any other status
	// the outcome is unknown, because the gateway also calls failed what the channel has done. Empty: the status is not
	// looked at.
	Proof []string
	// Refusals says what the gateway's signed refusals prove. The zero value: nothing, so that they leave the outcome
	// unknown.
	Refusals Refusals
	// Recover completes the text of daxpay.ErrOutcomeUnknown: what to do to learn the outcome. Empty with EffectReadOnly.
	Recover string
}

// Fault says what is wrong with a field of a param. It becomes a *daxpay.ParamError.
type Fault struct {
	Field  string // its Go name
	Reason string // continues the field's name: "must …"
}

// Effect is what a call does at the gateway. Whatever it is, a call of which not a byte went out may be tried again.
type Effect uint8

// The effects.
const (
	// EffectChanges: the call changes something, and sending it again may change it again. The client does not, but for
	// another encoding of the same call when the gateway refused the first one before it did anything (see
	// daxpay.GatewayAuto). A call that may have run although no verified answer says so is daxpay.ErrOutcomeUnknown.
	EffectChanges Effect = iota
	// EffectReadOnly: the call changes nothing, so that a lost answer needs no care. The client may send it again, see
	// daxpay.Retry, and its outcome is never unknown.
	EffectReadOnly
	// EffectRepeatable: the call changes something, but to send it twice comes to the same as once. The client may send it
	// again too; if no attempt brings an answer, it is daxpay.ErrOutcomeUnknown.
	EffectRepeatable
	// EffectOnce: the call must never go out a second time, not even in another encoding. It is for calls that pay out
	// money. With daxpay.GatewayAuto it goes out in the encoding that was accepted last, else in that of the interface
	// documents; if the gateway refuses that, set Config.Gateway.
	EffectOnce
)

// Repeatable tells whether the call may be sent again after it may have reached the gateway.
func (e Effect) Repeatable() bool { return e == EffectReadOnly || e == EffectRepeatable }

// Common holds the members that every request has. All may be left empty: the client fills them in what it sends and
// leaves the param as it is.
type Common struct {
	// ClientIP is the IPv4 or IPv6 address of the end user (客户端IP), at most 64 characters. Some channels, WeChat among
	// them, need it. Empty: Config.ClientIP, or none.
	ClientIP string `json:"clientIp" daxpay:"ip,max=64"`
	// NonceStr is a random text (随机数) of at most 32 characters. Empty: the client makes one for each attempt.
	// Gateways before 2.0.8 do not know it and would refuse the signature, so they do not get it.
	NonceStr string `json:"nonceStr" daxpay:"max=32"`
	// ReqTime is when the request was made (请求时间), sent as Unix seconds. Gateway 2.0.8 refuses what is more than 10
	// seconds old, so set it only to reproduce a message. Zero: the time of each attempt.
	ReqTime time.Time `json:"reqTime"`
}

func (Common) common() {}
