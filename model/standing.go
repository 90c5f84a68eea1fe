package model

// Standing is what the status of an order proves. That is less than the status says, because the gateway also calls
// failed what the channel may have carried out. The methods Standing of orders and notices return it.
type Standing uint8

// The standings. The zero value is Open.
const (
	// Open: the order can still change. A status that this package does not know is Open, too: conclude nothing from
	// it.
	Open Standing = iota
	// Succeeded: the money moved.
	Succeeded
	// Ended: over without success, as far as the gateway knows. A payment that is Ended can still be paid at the
	// channel, and then becomes Succeeded by a later sync.
	Ended
	// Unproved: the gateway calls it a failure, or will never end it, but the channel may have acted. What to do
	// depends on the kind of order: send it again under the same number, or have a person look.
	Unproved
)

// String returns the name of the standing, in lower case.
func (s Standing) String() string {
	switch s {
	case Open:
		return "open"
	case Succeeded:
		return "succeeded"
	case Ended:
		return "ended"
	case Unproved:
		return "unproved"
	}
	return "unknown"
}

// Standing returns what the payment's status proves. PayClose, PayCancel and PayFail are Ended: the customer can still
// pay at the channel, which only a later sync finds. PayProgress of a wallet payment is Unproved: the wallet was
// charged, and the gateway never ends the payment.
func (m *PayOrderModel) Standing() Standing { return payStanding(m.Status, m.Channel) }

// Standing returns what the notice proves of the payment, as for PayOrderModel.
func (n *PayNotice) Standing() Standing { return payStanding(n.Status, n.Channel) }

func payStanding(status PayStatus, channel Channel) Standing {
	switch status {
	case PaySuccess, PayRefunding, PayPartialRefund, PayRefunded:
		return Succeeded
	case PayClose, PayCancel, PayFail:
		return Ended
	case PayProgress:
		if channel == ChannelWallet {
			return Unproved
		}
	}
	return Open
}

// Standing returns what the refund's status proves. RefundFail is Unproved: sync it, then send it again under the same
// number. RefundClose is Unproved as well: a person must look at the channel before the money is refunded under another
// number.
func (m *RefundOrderModel) Standing() Standing { return refundStanding(m.Status) }

// Standing returns what the notice proves of the refund, as for RefundOrderModel.
func (n *RefundNotice) Standing() Standing { return refundStanding(n.Status) }

func refundStanding(status RefundStatus) Standing {
	switch status {
	case RefundSuccess:
		return Succeeded
	case RefundFail, RefundClose:
		return Unproved
	}
	return Open
}

// Standing returns what the transfer's status proves. TransferFail is Unproved: the gateway also reports it when the
// channel answered too late. Never send the transfer again before a person has looked at the channel.
func (m *TransferOrderModel) Standing() Standing {
	switch m.Status {
	case TransferSuccess:
		return Succeeded
	case TransferFail:
		return Unproved
	}
	return Open
}

// Standing returns what the allocation's status proves. AllocEnd is Open while a share is pending, because it is set
// when the first share ends. Succeeded does not mean that every share succeeded: read Details. AllocFailed is Unproved:
// start the allocation again with the same number.
func (m *AllocOrderModel) Standing() Standing { return allocStanding(m.Status, m.Details) }

// Standing returns what the notice proves of the allocation, as for AllocOrderModel.
func (n *AllocNotice) Standing() Standing { return allocStanding(n.Status, n.Details) }

func allocStanding(status AllocStatus, details []AllocDetail) Standing {
	switch status {
	case AllocEnd:
		if len(details) == 0 {
			return Open
		}
		for _, d := range details {
			if d.Result != AllocDetailSuccess && d.Result != AllocDetailFail && d.Result != AllocDetailIgnore {
				return Open
			}
		}
		return Succeeded
	case AllocFinish, AllocFinishFailed:
		return Succeeded
	case AllocIgnore:
		return Ended
	case AllocFailed:
		return Unproved
	}
	return Open
}

// Paid reports whether the notice proves that the payment was paid, whatever was given back since.
func (n *PayNotice) Paid() bool { return n.Standing() == Succeeded }

// Refunded reports whether the notice proves that the money was given back.
func (n *RefundNotice) Refunded() bool { return n.Standing() == Succeeded }

// Settled reports whether the notice proves that the channel has dealt with every share. Some may have failed: read
// Details.
func (n *AllocNotice) Settled() bool { return n.Standing() == Succeeded }
