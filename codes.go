package daxpay

// The gateway's codes, as its documents list them, for GatewayError.Code and, as text, for ErrorCode in orders and
// notices. GatewayError.Reason says more, because the business refuses with CodeRefused for nearly every reason.
const (
	// CodeRefused is the code of signed refusals. In an unsigned one it means that the request is not a POST, or that
	// the path is not permitted.
	CodeRefused = 1

	CodeSystemError      = 10001 // anything that went wrong in the gateway; its log has it under the trace id
	CodeNotAuthenticated = 10004 // authentication failed
	CodeUnreadable       = 10005 // the request cannot be read
	CodeValidation       = 10006 // a member, the time of the request, or a reason of the business
	CodeRepeated         = 10007 // another call for the same order is under way
	CodeChanged          = 10008 // another call changed the order meanwhile
	CodeNoDownload       = 10009 // download is not supported
	CodeNoSuchData       = 10010 // no such order, or the channel has no settings
	CodeNoOperation      = 10011 // the operation is not supported
	CodeDangerousSQL     = 10012 // dangerous SQL

	CodeUnclassified        = 20000 // not classified; up to 2.0.7 a wrong signature, or an answer that cannot be signed
	CodeNoSuchChannel       = 20011 // no such channel
	CodeNoSuchMethod        = 20012 // no such method
	CodeNoSuchStatus        = 20013 // no such status
	CodeChannelOff          = 20021 // the channel is not enabled
	CodeMethodOff           = 20022 // the method is not enabled
	CodeCallOff             = 20023 // the call is switched off in the console
	CodeCallUnknown         = 20024 // the console does not know the call
	CodeNoAbility           = 20030 // the channel is not able to do it
	CodeNoSuchTrade         = 20041 // no such trade
	CodeTradeClosed         = 20042 // the trade is closed
	CodeTradeInProgress     = 20043 // the trade is in progress
	CodeTradeState          = 20044 // the trade is in the wrong state
	CodeTradeFailed         = 20045 // the trade failed
	CodePayValidation       = 20051 // a member is missing or invalid
	CodeSignature           = 20052 // wrong signature, 2.0.8
	CodeAmountOverLimit     = 20060 // the amount is over the limit
	CodeReconcileFailed     = 20071 // the reconciliation failed
	CodeOperationFailed     = 20080 // the operation failed
	CodeOperating           = 20081 // the operation is under way
	CodeOperationNotAllowed = 20082 // the operation is not supported
	CodeDataError           = 20091 // wrong data
	CodeOtherChannel        = 28106 // 2.0.7: a receiver of a channel without allocation
	CodeUnknownFailure      = 30000 // an unknown error
)
