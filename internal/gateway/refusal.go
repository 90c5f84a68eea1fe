package gateway

import "strings"

// The gateway's codes, as far as decisions depend on them. Package daxpay lists all of them.
const (
	CodeOtherMethod    = 1     // another HTTP method than POST
	CodeSystemError    = 10001 // anything that went wrong
	CodeUnreadable     = 10005 // the body cannot be read
	CodeValidation     = 10006 // a member, the time, or a reason of the business
	CodeRepeated       = 10007 // a lock is held
	CodeChanged        = 10008 // another call changed the row meanwhile
	CodeNoSuchData     = 10010 // no such order, or no settings of the channel
	CodeUnclassified   = 20000 // before 2.0.8: the signature, or that an answer could not be signed
	CodeCallOff        = 20023 // the call is switched off
	CodeCallUnknown    = 20024 // the console does not know the call
	CodeInProgress     = 20043
	CodePayValidation  = 20051
	CodeSignature      = 20052 // the signature, from 2.0.8 on
	CodeOperating      = 20081
	CodeOtherChannel   = 28106 // 2.0.7: a receiver of a channel without allocation
	CodeUnknownFailure = 30000
)

// Proof is what a refusal by the gateway proves.
type Proof uint8

// What refusals prove.
const (
	// ProvesNothing: the call may have taken effect.
	ProvesNothing Proof = iota
	// ProvesHarmless: this send did nothing.
	ProvesHarmless
	// ProvesEarlierSend: this send did nothing, but an earlier one of the same order may have taken effect.
	ProvesEarlierSend
	// ProvesNoSuchOrder: this send did nothing, because the gateway does not have the order.
	ProvesNoSuchOrder
)

// IsNoSuchOrder reports whether a refusal with this text means that the gateway does not have the order. In all calls
// and versions, such a refusal comes before anything is done.
func IsNoSuchOrder(text string) bool { return reasons[text] == NoSuchOrder }

// RefusesSignature reports whether the gateway refused the signature of the request.
func RefusesSignature(code int, text string) bool {
	return code == CodeSignature || code == CodeUnclassified && strings.Contains(text, textOldSignature)
}

// RefusesTime reports whether the gateway refused the time of the request. It checks the time only after the signature.
func RefusesTime(code int, text string) bool {
	return code == CodeValidation && ReasonOf(code, text) == Time
}

// unwritable is part of the text of CodeUnreadable when not the request but the answer is at fault, after the call has
// run.
const unwritable = "Could not write"

// unsignable lists texts of refusals that come after the call has run, because its answer cannot be signed.
var unsignable = []string{"未获取到签名方式", "支付方法返回类型"}

// ProofOfCode returns what an unsigned refusal in the envelope proves, if the gateway is honest. An unknown code proves
// nothing.
func ProofOfCode(code int, text string) Proof {
	switch code {
	case CodeOtherMethod, CodeCallOff, CodeCallUnknown, CodePayValidation, CodeSignature, CodeOtherChannel:
		return ProvesHarmless
	case CodeRepeated:
		return ProvesEarlierSend
	case CodeUnreadable:
		if !strings.Contains(text, unwritable) {
			return ProvesHarmless
		}
	case CodeNoSuchData:
		if IsNoSuchOrder(text) {
			return ProvesNoSuchOrder
		}
		return ProvesHarmless
	case CodeValidation:
		if !containsAny(text, unsignable) {
			return ProvesHarmless
		}
	case CodeUnclassified:
		switch text { // those that come before the call runs
		case textOldSignature, textNoAlgorithm, textCallOff:
			return ProvesHarmless
		}
	}
	return ProvesNothing
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
