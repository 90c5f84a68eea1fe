package daxpay

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/model"
)

// ParseNotice verifies and decodes the whole body of a notice (异步通知). It returns a *model.PayNotice,
// *model.RefundNotice or *model.AllocNotice. Use it instead of NoticeHandler for bodies that do not come from net/http.
// A notice can arrive more than once, late, and out of order: handling that is up to the caller.
//
// The error is a *SignError, or an *AnswerError that is ErrProtocol, ErrAmbiguous, or ErrNoticeType for a signed
// message that is not a notice.
func (c *Client) ParseNotice(body []byte) (model.Notice, error) {
	if c == nil || c.core == nil {
		return nil, &ConfigError{Field: "SignSecret", Reason: "is unknown: make the Client with New"}
	}
	return c.core.parseNotice(body, nil)
}

func refusedNotice(kind error, member, reason string) error {
	return &AnswerError{Path: noticePath, Member: member, Reason: reason, Err: kind}
}

// parseNotice returns the notice. If d is not nil, it sets d to the digest by which repeated notices of an event are
// recognized.
func (c *core) parseNotice(body []byte, d *digest) (model.Notice, error) {
	o := c.signer.keys.borrow(wire.Limits{Depth: c.MaxDepth, Members: maxNoticeMembers, ASCII: true})
	defer c.signer.keys.giveBack(o)
	if err := o.Read(body); err != nil {
		return nil, refusedNotice(ErrProtocol, "", err.Error())
	}
	secretIndex, err := c.signer.verify(o, body, noticePath, "")
	if err != nil {
		return nil, err
	}
	if err := isNotice(o); err != nil {
		return nil, err
	}
	notice, common, plan := c.kindOf(o)
	if notice == nil {
		return nil, refusedNotice(ErrNoticeType, "", "it names no payment, refund or allocation")
	}
	value := reflect.ValueOf(notice).Elem()
	// The kind follows from the numbers. A text that could be cut to yield one could turn this notice into one of
	// another kind.
	if err := plan.Screen(o, wire.Screening{Kin: c.notices, AllowText: c.AllowAmbiguousText,
		Always: kindNames}); err != nil {
		return nil, memberFault(err, refusedNotice)
	}
	if err := plan.Decode(o, value, c.Location); err != nil {
		return nil, memberFault(err, refusedNotice)
	}
	common.SecretIndex = secretIndex
	if missing := plan.Missing(value); len(missing) > 0 {
		return nil, refusedNotice(ErrNoticeType, strings.Join(missing, ", "), "is missing")
	}
	if member := ofQuery(o, notice); member != "" {
		return nil, refusedNotice(ErrNoticeType, member, "shows that this is the answer to a query, not a notice")
	}
	if d == nil {
		return notice, nil
	}
	if *d, err = c.digestOf(o); err != nil {
		return nil, refusedNotice(ErrProtocol, "", err.Error())
	}
	return notice, nil
}

// isNotice refuses messages that cannot be a notice of any kind.
func isNotice(o *wire.Object) error {
	if _, ok := o.Get("reqTime"); ok {
		return refusedNotice(ErrNoticeType, "reqTime", "is present: this is a request, not a notice")
	}
	code, _ := o.Get("code")
	switch n, err := code.Int(); {
	case err != nil:
		return refusedNotice(ErrNoticeType, "code", err.Error())
	case n != 0:
		return refusedNotice(ErrProtocol, "code",
			"is "+strconv.FormatInt(n, 10)+": a notice has code 0")
	}
	resTime, _ := o.Get("resTime")
	if _, err := resTime.Int(); err != nil {
		return refusedNotice(ErrNoticeType, "resTime", err.Error())
	}
	return nil
}

// ofQuery returns the member that shows that the message is the answer to a query, "" if none does. Such an answer is
// signed like a notice and has almost the same members, but no attach. Someone who posts it here can add attach as a
// null, because nulls are not signed, but cannot remove the other members.
func ofQuery(o *wire.Object, notice model.Notice) string {
	if _, ok := o.Get("attach"); !ok {
		return "attach"
	}
	given := func(name string) bool {
		v, ok := o.Get(name)
		return ok && v.Kind != wire.Null
	}
	switch n := notice.(type) {
	case *model.PayNotice:
		if given("refundableBalance") {
			return "refundableBalance"
		}
	case *model.AllocNotice:
		if given("outOrderNo") {
			return "outOrderNo"
		}
		if when, _ := o.Get("finishTime"); when.Kind == wire.String {
			return "finishTime"
		}
		if slices.ContainsFunc(n.Details, func(d model.AllocDetail) bool { return d.Rate != 0 }) {
			return "rate"
		}
	}
	return ""
}

// digest identifies what a notice says. It covers the signed text without resTime, which is the time at which the
// notice was made.
type digest [sha256.Size]byte

func (c *core) digestOf(o *wire.Object) (digest, error) {
	text, err := o.AppendCanonical([]byte("&"), c.Location)
	if err != nil {
		return digest{}, err
	}
	made, _ := o.Get("resTime")
	seconds := made.Raw
	if made.Kind == wire.String {
		seconds = made.Text()
	}
	// Screen refuses a text that holds this, so it is found where the member is.
	before, after, _ := bytes.Cut(text, append([]byte("&resTime="), seconds...))
	return sha256.Sum256(append(before[:len(before):len(before)], after...)), nil
}

// kindNames are the members that determine the kind.
var kindNames = slices.Concat(refundNames, allocNames)

var (
	refundNames = []string{"refundNo", "bizRefundNo"}
	allocNames  = []string{"allocNo", "bizAllocNo", "allocationNo", "bizAllocationNo"}
)

// Indexes into core.notices.
const (
	payNotice = iota
	refundNotice
	allocNotice
)

// kindOf returns an empty notice of the kind that the numbers determine, and its plan. A null does not count, because
// anyone could add one.
func (c *core) kindOf(o *wire.Object) (model.Notice, *model.Common, *wire.Plan) {
	refund, alloc := o.HasAny(refundNames...), o.HasAny(allocNames...)
	switch {
	case refund && alloc:
		return nil, nil, nil
	case refund:
		n := new(model.RefundNotice)
		return n, &n.Common, c.notices[refundNotice]
	case alloc:
		n := new(model.AllocNotice)
		return n, &n.Common, c.notices[allocNotice]
	case o.HasAny("orderNo"):
		n := new(model.PayNotice)
		return n, &n.Common, c.notices[payNotice]
	}
	return nil, nil, nil
}

// Expect describes the merchant's own order, for comparison with a notice:
//
//	if err := (daxpay.Expect{BizOrderNo: order.No, Amount: order.Fen, Paid: true}).Check(n); err != nil {
//		return err
//	}
//
// Without Paid, check n.Paid() yourself: notices also tell of closed and cancelled payments.
type Expect struct {
	// BizOrderNo is the merchant's number: of the payment for a pay notice, of the refund for a refund notice, of the
	// allocation for an allocation notice. Required.
	BizOrderNo string
	// Amount is the amount of the payment, refund or allocation in fen. Required.
	Amount int64
	// Paid requires that the money moved: that the payment was paid, the refund given back, or every share of the
	// allocation dealt with. Default: any state is accepted.
	Paid bool
}

// Check returns ErrEcho if the notice is about another order or another amount, ErrUnproved if Paid is set and the
// notice does not prove it, and ErrParam if BizOrderNo or Amount is not set.
func (e Expect) Check(n model.Notice) error {
	var faults []error
	if e.BizOrderNo == "" {
		faults = append(faults, &ParamError{Param: "daxpay.Expect", Field: "BizOrderNo", Reason: "must be set"})
	}
	if e.Amount <= 0 {
		faults = append(faults, &ParamError{Param: "daxpay.Expect", Field: "Amount", Reason: "must be at least 1"})
	}
	if isNil(n) {
		faults = append(faults, &ParamError{Param: "daxpay.Expect", Field: "the notice", Reason: "must not be nil"})
	}
	switch err := errors.Join(faults...); {
	case err != nil:
		return err
	case n.BizNumber() != e.BizOrderNo:
		return refusedNotice(ErrEcho, "", "it is about another order than expected")
	case n.Total() != e.Amount:
		return refusedNotice(ErrEcho, "amount", "is not the one expected")
	case e.Paid && n.Standing() != model.Succeeded:
		return &AnswerError{
			Path: noticePath, Member: "status", Reason: "does not say that the money moved", Status: clip(n.State(), maxStatus),
			Err: ErrUnproved,
		}
	}
	return nil
}
