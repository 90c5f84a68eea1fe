package daxpay

import (
	"errors"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// Reason is why the gateway refused, as a code for programs. It is derived from the gateway's code and its exact texts,
// as recordings of real gateways have them. Any other text, including those of the channels, is ReasonUnknown. A later
// version may know more of them.
//
// A Reason says what the gateway means. What a refusal proves is a different question: see ErrOutcomeUnknown,
// ErrEarlierSend and ErrNoSuchOrder. The Reason of an unsigned refusal (GatewayError.Signed is false) is a hint:
// someone between here and the gateway could have written it.
type Reason string

// The reasons.
const (
	// ReasonUnknown: the reason is not known. Read GatewayError.Msg.
	ReasonUnknown = Reason(gateway.Unknown)
	// ReasonNoSuchOrder: the gateway does not have the payment, refund, transfer or allocation.
	ReasonNoSuchOrder = Reason(gateway.NoSuchOrder)
	// ReasonNoSuchReceiver: the gateway does not have the allocation receiver (分账接收方).
	ReasonNoSuchReceiver = Reason(gateway.NoSuchReceiver)
	// ReasonAlreadyPaid: the payment (支付) was paid by an earlier call.
	ReasonAlreadyPaid = Reason(gateway.AlreadyPaid)
	// ReasonRefunded: the payment was paid and given back, or is being given back.
	ReasonRefunded = Reason(gateway.Refunded)
	// ReasonOrderEnded: the payment was closed or cancelled, has failed, or has expired. A sync can still find it paid.
	ReasonOrderEnded = Reason(gateway.OrderEnded)
	// ReasonNotPaid: the payment is in progress: there is nothing to refund yet.
	ReasonNotPaid = Reason(gateway.NotPaid)
	// ReasonNotInProgress: the payment cannot be closed or cancelled, because it was paid or has ended.
	ReasonNotInProgress = Reason(gateway.NotInProgress)
	// ReasonSyncFirst: the channel has the payment in another state than the gateway. Sync it.
	ReasonSyncFirst = Reason(gateway.SyncFirst)
	// ReasonAmountTooLarge: the payment is over the limit of the platform or of the channel, or the refund over what is
	// left of the payment.
	ReasonAmountTooLarge = Reason(gateway.AmountTooLarge)
	// ReasonRefundInProgress: another refund (退款) of the same payment is in progress, or has failed and must be sent
	// again under its own number first.
	ReasonRefundInProgress = Reason(gateway.RefundInProgress)
	// ReasonNotRefunded: a sync was refused because the channel does not say that the money was given back. That can
	// still change.
	ReasonNotRefunded = Reason(gateway.NotRefunded)
	// ReasonAlreadyExists: what the call creates exists already: the refund with this number, an allocation of the
	// payment, or the receiver. An earlier send may have created it.
	ReasonAlreadyExists = Reason(gateway.AlreadyExists)
	// ReasonWrongState: the state of the allocation (分账), or of the receiver, does not allow the call.
	ReasonWrongState = Reason(gateway.WrongState)
	// ReasonNotAllocatable: the payment was made without Allocation (分账).
	ReasonNotAllocatable = Reason(gateway.NotAllocatable)
	// ReasonLocked: another call for the same order is running, perhaps an earlier one of this client.
	ReasonLocked = Reason(gateway.Locked)
	// ReasonChanged: another call, or the channel, changed the order while this call ran.
	ReasonChanged = Reason(gateway.Changed)
	// ReasonChannelUnavailable: the channel or the method is unknown or not enabled.
	ReasonChannelUnavailable = Reason(gateway.ChannelUnavailable)
	// ReasonNotConfigured: the platform or the channel lacks a setting in the gateway's console.
	ReasonNotConfigured = Reason(gateway.NotConfigured)
	// ReasonNotSupported: the gateway cannot do this with that channel.
	ReasonNotSupported = Reason(gateway.NotSupported)
	// ReasonNotPermitted: the call is switched off in the gateway's console, or unknown to it.
	ReasonNotPermitted = Reason(gateway.NotPermitted)
	// ReasonSignature: the gateway finds the signature of the request wrong, or has no algorithm set.
	ReasonSignature = Reason(gateway.Signature)
	// ReasonTime: the time of the request is too far from the gateway's clock.
	ReasonTime = Reason(gateway.Time)
	// ReasonInvalidParam: a member of the request is missing, invalid or unreadable.
	ReasonInvalidParam = Reason(gateway.InvalidParam)
	// ReasonCannotSign: the gateway could not sign its answer. The call may have run.
	ReasonCannotSign = Reason(gateway.CannotSign)
	// ReasonSeveralOrders: the gateway has several orders with this number.
	ReasonSeveralOrders = Reason(gateway.Several)
	// ReasonFailed: the gateway or its channel failed. The channel may have acted all the same.
	ReasonFailed = Reason(gateway.Failed)
)

// ReasonOf returns the Reason in an error: that of a *GatewayError, or that of an *AnswerError in which the gateway
// says why it did not do what was asked. It is ReasonUnknown if there is none.
func ReasonOf(err error) Reason {
	var refusal *GatewayError
	var answer *AnswerError
	switch {
	case errors.As(err, &refusal):
		return refusal.Reason
	case errors.As(err, &answer):
		return answer.Refusal
	}
	return ReasonUnknown
}

// sentinel returns the Err variable for a reason, nil if there is none. signed reports whether the refusal was
// verified: an unsigned refusal does not prove that an order was paid or has ended.
func (r Reason) sentinel(signed bool) error {
	switch {
	case r == ReasonLocked:
		return ErrLocked
	case r == ReasonAlreadyPaid && signed:
		return ErrAlreadyPaid
	case r == ReasonOrderEnded && signed:
		return ErrOrderEnded
	}
	return nil
}

// advice says what a reason means and what to do, "" if the gateway's text says enough.
func (r Reason) advice() string { return advices[r] }

var advices = map[Reason]string{
	ReasonNoSuchOrder: "the gateway does not have this order: check the number, and whether the order was sent to " +
		"the gateway at ServiceURL",
	ReasonNoSuchReceiver: "the gateway does not have this receiver: see QueryAllocReceivers",
	ReasonAlreadyPaid:    "the payment was paid before: query it, and do not pay again under another number",
	ReasonRefunded:       "the payment was refunded, or is being refunded: query it",
	ReasonOrderEnded: "the payment is closed, cancelled or expired: before you use another number, call SyncPay to find " +
		"out whether it was paid all the same",
	ReasonNotPaid:       "the payment is not paid yet: WaitPay tells when it is",
	ReasonNotInProgress: "the payment was paid before, or has ended: query it",
	ReasonSyncFirst:     "the channel has the payment in another state: SyncPay, then query it",
	ReasonAmountTooLarge: "lower the amount: a payment is limited by the gateway's console, a refund by what is left of " +
		"the payment (RefundableBalance)",
	ReasonRefundInProgress: "finish the other refund of this payment first, under its own number: only one at a time is " +
		"possible",
	ReasonNotRefunded:    "query the refund and sync it later: the channel does not say that the money was given back",
	ReasonAlreadyExists:  "query what the gateway has under this number: it exists already",
	ReasonWrongState:     "query it: its state does not allow this",
	ReasonNotAllocatable: "set PayParam.Allocation when you pay: this payment was made without it",
	ReasonLocked:         "wait, then query the order: another call for it is under way",
	ReasonChanged:        "query the order: another call or the channel has changed it meanwhile",
	ReasonChannelUnavailable: "check Channel and Method, and enable them in the gateway's console: they are not " +
		"available there",
	ReasonNotConfigured: "complete the settings of the channel and the platform in the gateway's console: one is missing",
	ReasonNotSupported:  "check Channel and Method: the gateway cannot do this with them",
	ReasonNotPermitted:  "enable the call in the gateway's console: it is switched off",
	ReasonSignature: "check SignSecret (no blanks, quotes or line break around it), SignType and Gateway against the " +
		"gateway's settings",
	ReasonTime:          "synchronize the clocks (NTP)",
	ReasonInvalidParam:  "correct the param; if the gateway misses a member that was set, check Gateway",
	ReasonCannotSign:    "set the algorithm (签名方式) in the gateway's settings: it could not sign its answer",
	ReasonSeveralOrders: "have a person look: the gateway has several orders with this number",
	ReasonFailed:        "look at the gateway's log: the gateway or its channel failed",
}
