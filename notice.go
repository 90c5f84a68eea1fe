package daxpay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/model"
)

// ParseNotice verifies the body of a notice (异步通知), all of it, and returns a *model.PayNotice, *model.RefundNotice or
// *model.AllocNotice. It is what NoticeHandler is made of, for bodies that come another way. A notice can come more than once,
// late, and out of order: whoever acts on it must see to that.
//
// Its errors are a *SignError, or an *AnswerError that is ErrNoticeType for a signed message that is no notice, ErrAmbiguous or
// ErrProtocol.
func (c *Client) ParseNotice(body []byte) (model.Notice, error) {
	if c == nil || c.core == nil {
		return nil, &ConfigError{Field: "SignSecret", Reason: "is unknown: make the Client with New"}
	}
	return c.core.parseNotice(body)
}

func refusedNotice(kind error, member, reason string) error {
	return &AnswerError{Path: "notice", Member: member, Reason: reason, Err: kind}
}

func (c *core) parseNotice(body []byte) (model.Notice, error) {
	o := c.signer.keys.borrow()
	defer c.signer.keys.giveBack(o)
	o.Expect(c.notices[payNotice]) // most are
	if err := o.Read(body); err != nil {
		return nil, refusedNotice(ErrProtocol, "", err.Error())
	}
	secretIndex, err := c.signer.verify(o, body, "notice", "")
	if err != nil {
		return nil, err
	}
	if _, ok := o.At(wire.ReqTime); ok {
		return nil, refusedNotice(ErrNoticeType, "reqTime", "is there, so this is a request and not a notice")
	}
	code, _ := o.At(wire.Code)
	switch n, err := code.Int(); {
	case err != nil:
		return nil, refusedNotice(ErrNoticeType, "code", err.Error())
	case n != 0:
		return nil, refusedNotice(ErrProtocol, "code", "is "+strconv.FormatInt(n, 10)+": that is a failure, not the end of an order")
	}
	resTime, _ := o.At(wire.ResTime)
	if _, err := resTime.Int(); err != nil {
		return nil, refusedNotice(ErrNoticeType, "resTime", err.Error())
	}
	notice, common, plan := c.kindOf(o)
	if notice == nil {
		return nil, refusedNotice(ErrNoticeType, "", "it names no payment, refund or allocation")
	}
	value := reflect.ValueOf(notice).Elem()
	// The numbers tell the kind, so a text that could be cut at one could make another kind of notice of this one.
	if err := plan.Screen(o, wire.Screening{Kin: c.notices, AllowText: c.AllowAmbiguousText, Always: kindNames}); err != nil {
		return nil, memberFault(err, refusedNotice)
	}
	if err := plan.Decode(o, value, c.Location); err != nil {
		return nil, memberFault(err, refusedNotice)
	}
	common.SecretIndex = secretIndex
	if missing := plan.Missing(value); len(missing) > 0 {
		return nil, refusedNotice(ErrNoticeType, strings.Join(missing, ", "), "is missing")
	}
	switch notice.State() {
	case string(model.PayProgress), string(model.AllocProcessing): // refunds say progress too
		return nil, refusedNotice(ErrNoticeType, "status", "is not final, so this is the answer to a call and not a notice")
	}
	return notice, nil
}

// kindNames are the members by which kinds are told apart.
var kindNames = slices.Concat(refundNames, allocNames)

var (
	refundNames = []string{"refundNo", "bizRefundNo"}
	allocNames  = []string{"allocNo", "bizAllocNo", "allocationNo", "bizAllocationNo"}

	refundNumbers, allocNumbers, payNumbers = wire.NamesOf(refundNames...), wire.NamesOf(allocNames...), wire.NamesOf("orderNo")
)

// Which of a client's plans is that of which notice.
const (
	payNotice = iota
	refundNotice
	allocNotice
)

// kindOf tells the kind of a notice by the numbers in it, and returns an empty one and its plan. A null does not count: anyone
// could add one.
func (c *core) kindOf(o *wire.Object) (model.Notice, *model.Common, *wire.Plan) {
	refund, alloc := o.HasAny(refundNumbers), o.HasAny(allocNumbers)
	switch {
	case refund && alloc:
		return nil, nil, nil
	case refund:
		n := new(model.RefundNotice)
		return n, &n.Common, c.notices[refundNotice]
	case alloc:
		n := new(model.AllocNotice)
		return n, &n.Common, c.notices[allocNotice]
	case o.HasAny(payNumbers):
		n := new(model.PayNotice)
		return n, &n.Common, c.notices[payNotice]
	}
	return nil, nil, nil
}

// NoticeHandlers says what is to be done with notices.
type NoticeHandlers struct {
	// Pay, Refund and Alloc are called with a notice of their kind that was verified. They must store durably what it says before
	// they return nil, because then the gateway is told not to send it again; after an error or a panic it is. They must compare
	// it with the merchant's own order: see Expect. The context ends 4 seconds after the notice came, for the gateway waits 5.
	// A kind without a callback is refused, so that it comes again once there is one.
	Pay    func(context.Context, *model.PayNotice) error
	Refund func(context.Context, *model.RefundNotice) error
	Alloc  func(context.Context, *model.AllocNotice) error
	// Store sees to it that the same news, that is, kind, number, status, and time of the end, is handled by one callback at a time,
	// and by none once one succeeded. If it fails, news can be handled again: the callback should bear that. Default:
	// NewMemoryStore(0), which is enough for one process; merchants with several need one that they share, such as
	// contrib/redisstore.
	Store NoticeStore
	// MaxAge refuses notices that were made longer ago. The gateway goes on sending for 24 hours, and signs only once, so less
	// than 25 hours counts as that. Default: not checked; a notice that comes again is handled by Store.
	MaxAge time.Duration
	// OnError is told why a notice was refused or not acknowledged; ErrNoticeBusy is nothing to worry about. Default: nothing
	// but a line in Config.Logger.
	OnError func(context.Context, error)
}

const (
	maxNotice      = 1 << 20
	noticeTimeout  = 4 * time.Second
	storeTimeout   = 400 * time.Millisecond // twice, so that the reply is there within the gateway's 5 seconds
	leastNoticeAge = 25 * time.Hour
	// The gateway looks at these bytes and at nothing else, not even at the HTTP status.
	received    = "SUCCESS"
	notReceived = "FAIL"
)

// NoticeHandler returns the handler for the URL that payments, refunds and allocations give as NotifyURL; one can serve all
// three. It answers with the seven bytes that the gateway takes for "received" only after the callback returned nil, and else
// with FAIL and an HTTP status for the merchant's own log. It needs the body unread: put it before anything that parses forms
// or JSON.
func (c *Client) NoticeHandler(h NoticeHandlers) http.Handler {
	if h.Store == nil {
		h.Store = NewMemoryStore(0)
	}
	if h.MaxAge > 0 && h.MaxAge < leastNoticeAge {
		h.MaxAge = leastNoticeAge
	}
	return &noticeHandler{NoticeHandlers: h, client: c}
}

type noticeHandler struct {
	NoticeHandlers
	client *Client
}

func (h *noticeHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, err := h.serve(r)
	reply := received
	if status != http.StatusOK {
		reply = notReceived
	}
	if err != nil {
		h.report(r.Context(), status, err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(reply)))
	if status == http.StatusMethodNotAllowed {
		header.Set("Allow", http.MethodPost)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, reply)
}

func (h *noticeHandler) report(ctx context.Context, status int, err error) {
	if h.client != nil && h.client.core != nil && h.client.core.Logger != nil {
		level, text := slog.LevelWarn, "daxpay notice not received"
		switch status {
		case http.StatusOK:
			text = "daxpay notice received, but the store does not know"
		case http.StatusConflict:
			level = slog.LevelDebug
		}
		h.client.core.Logger.LogAttrs(ctx, level, text, slog.Int("status", status), slog.String("failure", string(failureOf(err))))
	}
	if h.OnError != nil {
		h.OnError(ctx, err)
	}
}

// serve returns the HTTP status, which is 200 if and only if the notice counts as received. There may be an error all the
// same.
func (h *noticeHandler) serve(r *http.Request) (int, error) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, refusedNotice(ErrProtocol, "", "notices come by POST, not "+clip(r.Method, 16))
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, err := readAll(r.Body, r.ContentLength, maxNotice)
	switch {
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge, refusedNotice(ErrTooLarge, "", "more than 1 MiB")
	case err != nil:
		return http.StatusBadRequest, refusedNotice(ErrProtocol, "", "the body cannot be read")
	}
	if len(body) == 0 {
		return http.StatusBadRequest, refusedNotice(ErrProtocol, "", "the body is empty: did something read it before this handler?")
	}
	notice, err := h.client.ParseNotice(body)
	if err != nil {
		return http.StatusBadRequest, err
	}
	if err := h.fresh(notice); err != nil {
		return http.StatusBadRequest, err
	}
	return h.once(r.Context(), notice)
}

func (h *noticeHandler) fresh(notice model.Notice) error {
	if h.MaxAge <= 0 {
		return nil
	}
	var common model.Common
	switch n := notice.(type) {
	case *model.PayNotice:
		common = n.Common
	case *model.RefundNotice:
		common = n.Common
	case *model.AllocNotice:
		common = n.Common
	}
	if age := h.client.core.Now().Sub(common.ResTime.Time); age > h.MaxAge {
		return refusedNotice(ErrStale, "resTime", fmt.Sprintf("is %v ago: see NoticeHandlers.MaxAge", age.Round(time.Second)))
	}
	return nil
}

// once has the callback handle the notice unless that was done, or is being done elsewhere.
func (h *noticeHandler) once(ctx context.Context, notice model.Notice) (int, error) {
	call := h.callback(notice)
	if call == nil {
		return http.StatusNotImplemented, refusedNotice(ErrNoticeType, "", "there is no callback for "+string(notice.Kind())+" notices")
	}
	owner, err := newNonce()
	if err != nil {
		return http.StatusInternalServerError, err
	}
	key := newsKey(notice)
	// What the store is told must reach it even if the gateway hung up meanwhile.
	tell := func(do func(ctx context.Context, key, owner string) error) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		if err := do(ctx, key, owner); err != nil {
			return fmt.Errorf("daxpay: notice store: %w", err)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	state, err := h.Store.Claim(ctx, key, owner)
	switch {
	case err != nil:
		// The claim may have been made all the same.
		return http.StatusInternalServerError, errors.Join(fmt.Errorf("daxpay: notice store: %w", err), tell(h.Store.Release))
	case state == NoticeDone:
		return http.StatusOK, nil
	case state != NoticeClaimed:
		return http.StatusConflict, ErrNoticeBusy
	}
	returned := false
	defer func() {
		if !returned { // runtime.Goexit
			_ = tell(h.Store.Release)
		}
	}()
	err = protected(ctx, call)
	returned = true
	if err != nil {
		return http.StatusInternalServerError, errors.Join(err, tell(h.Store.Release))
	}
	// The callback has stored the news: the notice is received, even if the store does not learn of it.
	if err = tell(h.Store.Done); err != nil {
		err = tell(h.Store.Done)
	}
	return http.StatusOK, err
}

// newsKey tells news apart: kind, number and status, and when it happened, because a refund can fail twice and an allocation can
// end better than before. A notice that is sent again is the same to the byte.
func newsKey(notice model.Notice) string {
	key := string(notice.Kind()) + ":" + notice.Number() + ":" + notice.State()
	switch n := notice.(type) {
	case *model.RefundNotice:
		key += ":" + when(n.FinishTime)
	case *model.AllocNotice:
		key += ":" + when(n.FinishTime) + ":" + string(n.Result)
	}
	return key
}

func when(t model.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// callback returns the call of the callback for a notice, nil if there is none.
func (h *noticeHandler) callback(notice model.Notice) func(context.Context) error {
	switch n := notice.(type) {
	case *model.PayNotice:
		if h.Pay != nil {
			return func(ctx context.Context) error { return h.Pay(ctx, n) }
		}
	case *model.RefundNotice:
		if h.Refund != nil {
			return func(ctx context.Context) error { return h.Refund(ctx, n) }
		}
	case *model.AllocNotice:
		if h.Alloc != nil {
			return func(ctx context.Context) error { return h.Alloc(ctx, n) }
		}
	}
	return nil
}

// protected makes an error of a panic, also of one with nil.
func protected(ctx context.Context, call func(context.Context) error) (err error) {
	returned := false
	defer func() {
		if value := recover(); !returned {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	err = call(ctx)
	returned = true
	return err
}

// PanicError says that a callback panicked. Its text holds nothing of what the callback knew.
type PanicError struct {
	Value any    // what the callback panicked with
	Stack []byte // where
}

func (e *PanicError) Error() string { return "daxpay: a callback panicked" }

// Format prints the error's text whatever the verb.
func (e *PanicError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.Error()) }

// MarshalJSON writes the error's text.
func (e *PanicError) MarshalJSON() ([]byte, error) { return json.Marshal(e.Error()) }

// Expect is the merchant's own order, to compare a notice with before it is believed:
//
//	if err := (daxpay.Expect{BizOrderNo: order.No, Amount: order.Fen}).Check(n); err != nil {
//		return err
//	}
//
// Then look at the status: a notice also tells that an order was closed or failed.
type Expect struct {
	// BizOrderNo is the merchant's number: of the payment for a pay notice, of the refund for a refund notice, of the allocation for
	// an allocation notice. Required.
	BizOrderNo string
	// Amount is that of the payment, the refund or the allocation, in fen. Required.
	Amount int64
}

// Check returns ErrEcho if the notice is about another order or another amount, and ErrParam if a field of e is not set. It does
// not look at the status.
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
		return refusedNotice(ErrEcho, "", "it is about another order than the one expected")
	case n.Total() != e.Amount:
		return refusedNotice(ErrEcho, "amount", "is not the one expected")
	}
	return nil
}
