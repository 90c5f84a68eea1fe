// Package follow holds the rules by which an order is followed until its outcome is proved: when to query it, when to
// synchronize it, and what ends the wait. The Wait and Recover functions of package daxpay and package reconcile use
// them. It makes no calls and reads no clock: all times are ages of the order, counted from when it was sent.
package follow

import (
	"hash/fnv"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/model"
)

// Kind is the kind of an order.
type Kind uint8

// The kinds.
const (
	Pay Kind = iota
	Refund
	Transfer
	Allocation
)

const (
	// Arrival is how long a request can be under way: the gateway refuses requests older than 10 seconds, and a call
	// lasts up to about 10 more. "No such order" counts only if the query was made later than that.
	Arrival = 20 * time.Second
	// RepairLock is a little longer than the lock of a sync that has changed a payment. Under this lock, another sync
	// returns what the channel says, but changes nothing.
	RepairLock = 11 * time.Second
	// FirstRefundSync is the age of a refund from which it may be synchronized: a sync can close a refund that its
	// channel does not know yet, which frees its money.
	FirstRefundSync = time.Minute
	// LateMargin is how long after its expiry a closed payment is synchronized once more: nothing else finds a late
	// payment.
	LateMargin = 5 * time.Minute
	// LateWindow replaces the expiry if the gateway does not send it.
	LateWindow = 24 * time.Hour

	// A sync can close a payment that its channel does not know yet.
	firstPaySync   = 20 * time.Second
	firstAllocSync = 10 * time.Second // the start holds a lock for that long

	// The interval between syncs. For an older order it is a share of its age.
	syncInterval = 30 * time.Second
	syncYoung    = 3 * time.Minute
	syncShare    = 0.6

	// The result of an older sync says nothing about what a query finds now.
	stale = time.Minute

	pauseShare  = 0.059 // of the age
	pauseJitter = 0.04  // of the pause

	// How long before its deadline a wait looks for the last time.
	lastLook = 5 * time.Second
)

// Pause returns the pause after a look at an order of that age: first, or a share of the age, but at most ceiling. It
// varies a little with seed, so that orders do not stay in step.
func Pause(age, first, ceiling time.Duration, seed uint32) time.Duration {
	pause := max(first, time.Duration(pauseShare*float64(age)))
	pause += time.Duration(pauseJitter * float64(pause) * float64(seed%1024) / 1024)
	return max(min(pause, ceiling), 1)
}

// Answer is the result of a sync. The zero value stands for none.
type Answer uint8

// The answers, as far as the rules tell them apart.
const (
	Moved    Answer = iota + 1 // the channel says that the money moved: pay_success, refund_success
	Returned                   // the channel says that the payment was paid and given back: pay_refund
	Other                      // another verified status
	Refused                    // signed code 1, or 10001: the channel says no, or did not answer
	Failed                     // locked, or no answer from the gateway: try again
)

// PayAnswer returns the answer for the status of a pay sync.
func PayAnswer(status model.PaySyncStatus) Answer {
	switch status {
	case model.PaySyncSuccess:
		return Moved
	case model.PaySyncRefund:
		return Returned
	}
	return Other
}

// RefundAnswer returns the answer for the status of a refund sync.
func RefundAnswer(status model.RefundSyncStatus) Answer {
	if status == model.RefundSyncSuccess {
		return Moved
	}
	return Other
}

// RefusedSync returns the answer for a refused sync, 0 if waiting does not help.
func RefusedSync(code int, business bool) Answer {
	switch {
	case business || code == gateway.CodeSystemError:
		return Refused
	case code == gateway.CodeRepeated || code == gateway.CodeChanged:
		return Failed
	}
	return 0
}

// SeveralTransfers reports whether a refused query of a transfer means that its number was sent twice. Any other system
// error is temporary.
func SeveralTransfers(code int, msg string) bool {
	return code == gateway.CodeSystemError && strings.Contains(msg, "multiple records")
}

// Reason says why an order cannot be followed to a proved outcome; "" if it can.
type Reason string

// The reasons. Package daxpay exports and explains them.
const (
	Wallet      Reason = "wallet payment"
	GivenBack   Reason = "given back at the channel"
	Failure     Reason = "failed"
	Closed      Reason = "closed"
	NoSuchOrder Reason = "no such order"
	Several     Reason = "several orders"
	NoNumber    Reason = "no number"
	NoQuery     Reason = "no query"
)

// Order is the state of the rules for one order. The zero value is a payment before the first look.
type Order struct {
	Kind   Kind
	NoSync bool   // the order is never synchronized
	Seed   uint32 // see SeedOf
	Memory
}

// Memory is what the rules remember from one look to the next. With it, another process can continue.
type Memory struct {
	Looks    uint32        `json:"looks,omitempty"`
	Latest   Answer        `json:"latest,omitempty"`   // of the latest sync, 0 for none
	Open     bool          `json:"open,omitempty"`     // the latest answer to a query showed an order that a sync can change
	Over     bool          `json:"over,omitempty"`     // the order is closed or failed, and a sync did not change that
	Fresh    bool          `json:"fresh,omitempty"`    // no query was answered since the latest sync
	Urgent   bool          `json:"urgent,omitempty"`   // the next sync does not wait for a regular look
	SyncedAt time.Duration `json:"syncedAt,omitempty"` // age at the latest sync
	SyncAt   time.Duration `json:"syncAt,omitempty"`   // age of the next sync at the earliest
}

// SeedOf returns a seed for the order's number.
func SeedOf(no string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(no))
	return h.Sum32()
}

func (o *Order) firstSync() time.Duration {
	switch o.Kind {
	case Refund:
		return FirstRefundSync
	case Allocation:
		return firstAllocSync
	}
	return firstPaySync
}

// Synced records the result of a sync. A query must follow.
func (o *Order) Synced(age time.Duration, answer Answer) {
	o.Latest, o.Fresh, o.Urgent, o.SyncedAt = answer, true, false, age
	switch {
	case answer == Failed:
		o.SyncAt = age + RepairLock
	case age < syncYoung:
		o.SyncAt = age + syncInterval
	default:
		o.SyncAt = age + time.Duration(syncShare*float64(age))
	}
}

// Seen records what a query found, and reports whether that ends the wait. If why is "", the order's standing is the
// outcome; otherwise why says why the outcome cannot be proved.
func (o *Order) Seen(age time.Duration, standing model.Standing, status string) (end bool, why Reason) {
	fresh, waits := o.Fresh && age-o.SyncedAt < stale, o.Urgent && o.SyncAt > age
	isOver := o.Kind == Pay && standing == model.Ended || o.Kind == Refund && status == string(model.RefundFail)
	o.Fresh, o.Urgent, o.Open, o.Over = false, false, standing == model.Open || isOver, o.Over && isOver
	switch {
	case standing == model.Succeeded:
		return true, ""
	case o.Kind == Pay && standing == model.Unproved:
		return true, Wallet
	case isOver:
		if o.Over = o.isOver(age, fresh, waits); !o.Over {
			return false, ""
		}
		if standing == model.Unproved {
			why = Failure
		}
		return true, why
	case o.Kind == Refund && standing == model.Unproved:
		return true, Closed
	case standing == model.Unproved:
		return true, Failure
	case standing == model.Ended:
		return true, ""
	case fresh && o.Latest == Returned:
		return true, GivenBack
	case fresh && o.Latest == Moved: // the gateway's repair is locked or failed
		o.Urgent, o.SyncAt = true, age+RepairLock
	case o.syncs() && o.Latest == 0 && age >= syncYoung: // in case no process has followed the order so far
		o.Urgent, o.SyncAt = true, age
	}
	return false, ""
}

// ToldSince reports whether a sync at that age or later brought the channel's word. One that was refused, locked or
// lost did not.
func (o *Order) ToldSince(age time.Duration) bool {
	return o.SyncedAt >= age && (o.Latest == Moved || o.Latest == Returned || o.Latest == Other)
}

// isOver reports whether a closed payment, or a failed refund, is really over: a sync has to confirm it first.
func (o *Order) isOver(age time.Duration, fresh, waits bool) bool {
	switch {
	case o.NoSync, !fresh && o.Over: // an earlier sync confirmed it; the next one is a regular one
		return true
	case !fresh && waits:
		o.Urgent = true
	case !fresh && o.Kind == Refund:
		o.Urgent, o.SyncAt = true, max(age, FirstRefundSync)
	case !fresh:
		o.Urgent, o.SyncAt = true, age // a sync cannot close what is closed
	case o.Latest == Moved, o.Latest == Failed:
		o.Urgent, o.SyncAt = true, age+RepairLock
	default:
		return true
	}
	return false
}

// Due returns the age at which to look again after a look at the given age, and whether that look begins with a sync.
// last is the age at which a wait ends, 0 for never: shortly before, a look with a sync is made.
func (o *Order) Due(age, first, ceiling, last time.Duration) (at time.Duration, sync bool) {
	at = age + Pause(age, first, ceiling, o.Seed+o.Looks*2654435761)
	o.Looks++
	if o.Urgent {
		at = min(at, max(age, o.SyncAt))
	}
	final := last - lastLook
	isLast := last > 0 && age < final && at > final
	if isLast {
		at = final
	}
	if isLast && o.syncs() && o.Open && !o.Urgent && (o.Latest == 0 || at-o.SyncedAt > RepairLock) {
		return at, at >= o.firstSync()
	}
	return at, o.SyncDue(at)
}

// SyncDue reports whether a look at that age begins with a sync.
func (o *Order) SyncDue(age time.Duration) bool {
	switch {
	case !o.syncs() || !o.Open:
		return false
	case o.Urgent: // a closed order can be synchronized at any age
		return age >= o.SyncAt
	}
	return age >= max(o.SyncAt, o.firstSync())
}

func (o *Order) syncs() bool { return !o.NoSync && o.Kind != Transfer }
