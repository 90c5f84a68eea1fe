package daxpay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	return c.core.parseNotice(body, nil)
}

func refusedNotice(kind error, member, reason string) error {
	return &AnswerError{Path: "notice", Member: member, Reason: reason, Err: kind}
}

// parseNotice returns the notice, and puts its digest, by which the same event is known again, into d unless that is nil.
func (c *core) parseNotice(body []byte, d *digest) (model.Notice, error) {
	o := c.signer.keys.borrow(wire.Limits{Depth: c.MaxDepth, Members: wire.MaxNoticeMembers, ASCII: true})
	defer c.signer.keys.giveBack(o)
	if err := o.Read(body); err != nil {
		return nil, refusedNotice(ErrProtocol, "", err.Error())
	}
	secretIndex, err := c.signer.verify(o, body, "notice", "")
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
	if member := ofQuery(o, notice); member != "" {
		return nil, refusedNotice(ErrNoticeType, member, "shows that this is the answer to a query and not a notice")
	}
	if d == nil {
		return notice, nil
	}
	if *d, err = c.digestOf(o); err != nil {
		return nil, refusedNotice(ErrProtocol, "", err.Error())
	}
	return notice, nil
}

// isNotice refuses what cannot be a notice, whatever it is about.
func isNotice(o *wire.Object) error {
	if _, ok := o.Get("reqTime"); ok {
		return refusedNotice(ErrNoticeType, "reqTime", "is there, so this is a request and not a notice")
	}
	code, _ := o.Get("code")
	switch n, err := code.Int(); {
	case err != nil:
		return refusedNotice(ErrNoticeType, "code", err.Error())
	case n != 0:
		return refusedNotice(ErrProtocol, "code", "is "+strconv.FormatInt(n, 10)+": that is a failure, not the state of an order")
	}
	resTime, _ := o.Get("resTime")
	if _, err := resTime.Int(); err != nil {
		return refusedNotice(ErrNoticeType, "resTime", err.Error())
	}
	return nil
}

// ofQuery finds the member by which the answer to a query shows, "" if there is none. Such an answer has the signature of a notice and
// nearly its members, but no attach; whoever posts it here can add that as a null, which is not signed, but cannot take away the others.
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

// digest tells whether two notices say the same: it is of what is signed of a notice, but for the time at which it was made.
type digest [sha256.Size]byte

func (c *core) digestOf(o *wire.Object) (digest, error) {
	text, err := o.AppendCanonical(nil, c.Location)
	if err != nil {
		return digest{}, err
	}
	made, _ := o.Get("resTime")
	seconds := made.Raw
	if made.Kind == wire.String {
		seconds = made.Text()
	}
	before, after, _ := bytes.Cut(text, append([]byte("resTime="), seconds...))
	return sha256.Sum256(append(before[:len(before):len(before)], after...)), nil
}

// kindNames are the members by which kinds are told apart.
var kindNames = slices.Concat(refundNames, allocNames)

var (
	refundNames = []string{"refundNo", "bizRefundNo"}
	allocNames  = []string{"allocNo", "bizAllocNo", "allocationNo", "bizAllocationNo"}
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

// NoticeHandlers says what is to be done with notices.
type NoticeHandlers struct {
	// Pay, Refund and Alloc are called with a notice of their kind that was verified. They must store durably what it says before
	// they return nil, because then the gateway is told not to send it again; after an error or a panic it is. They must compare
	// it with the merchant's own order: see Expect. The context ends 4 seconds after the notice came, for the gateway waits 5.
	// A kind without a callback is refused.
	//
	// A notice tells a state, and not always a good one: look at Paid, Refunded, Settled or Standing. The order of notices is not that of
	// events, and after close or cancel a payment can still become success: the callback must take that.
	Pay    func(context.Context, *model.PayNotice) error
	Refund func(context.Context, *model.RefundNotice) error
	Alloc  func(context.Context, *model.AllocNotice) error
	// Store deduplicates events: at most one callback runs for an event at a time, and none after one has succeeded. Two notices tell of
	// the same event if they say the same, whenever they were made. If the store fails, an event can be handled again, so callbacks must
	// be idempotent. Default: NewMemoryStore(0), which is enough for one process; several processes need one that they share, such as
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
	if h.client == nil || h.client.core == nil {
		return http.StatusInternalServerError, &ConfigError{Field: "SignSecret", Reason: "is unknown: make the Client with New"}
	}
	var said digest
	notice, err := h.client.core.parseNotice(body, &said)
	if err != nil {
		return http.StatusBadRequest, err
	}
	if err := h.fresh(notice); err != nil {
		return http.StatusBadRequest, err
	}
	return h.once(r.Context(), notice, eventKey(notice, said))
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
func (h *noticeHandler) once(ctx context.Context, notice model.Notice, key string) (int, error) {
	call := h.callback(notice)
	if call == nil {
		return http.StatusNotImplemented, refusedNotice(ErrNoticeType, "", "there is no callback for "+string(notice.Kind())+" notices")
	}
	owner, err := newNonce()
	if err != nil {
		return http.StatusInternalServerError, err
	}
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
	// The callback has stored the event: the notice is received, even if the store does not learn of it.
	if err = tell(h.Store.Done); err != nil {
		err = tell(h.Store.Done)
	}
	return http.StatusOK, err
}

// eventKey tells events apart: kind, number, and all that the notice says. Status and times do not suffice: shares of an allocation end
// one after the other under one status, and a refund can fail twice.
func eventKey(notice model.Notice, d digest) string {
	return string(notice.Kind()) + ":" + notice.Number() + ":" + hex.EncodeToString(d[:16])
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
//	if err := (daxpay.Expect{BizOrderNo: order.No, Amount: order.Fen, Paid: true}).Check(n); err != nil {
//		return err
//	}
//
// Without Paid, look at n.Paid() yourself: a notice also tells that a payment was closed or cancelled.
type Expect struct {
	// BizOrderNo is the merchant's number: of the payment for a pay notice, of the refund for a refund notice, of the allocation for
	// an allocation notice. Required.
	BizOrderNo string
	// Amount is that of the payment, the refund or the allocation, in fen. Required.
	Amount int64
	// Paid demands that the money moved: that the payment was paid, the refund given back, every share of the allocation dealt with.
	// Default: any state will do.
	Paid bool
}

// Check returns ErrEcho if the notice is about another order or another amount, ErrUnproved if Paid is set and the notice does not prove
// it, and ErrParam if BizOrderNo or Amount is not set.
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
	case e.Paid && n.Standing() != model.Succeeded:
		return &AnswerError{
			Path: "notice", Member: "status", Reason: "does not say that the money moved", Status: clip(n.State(), maxStatus), Err: ErrUnproved,
		}
	}
	return nil
}
