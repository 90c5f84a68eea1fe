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
	"math"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay/internal/guard"
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

// NoticeHandlers holds the callbacks and settings of a NoticeHandler. At least one callback is needed to receive
// anything; the zero value of every other field selects its default.
type NoticeHandlers struct {
	// Pay, Refund and Alloc are called with verified notices of their kind. A notice of a kind without a callback is
	// refused.
	//
	// A callback must compare the notice with the merchant's own order (see Expect) and store durably what it says
	// before it returns nil, because the gateway is then told not to send it again. After an error or a panic the
	// gateway is asked to send it again, which it does at most once: the order must also be followed in another way,
	// such as by package reconcile. A callback must be idempotent: see Store.
	//
	// The context ends 4 seconds after the notice arrived, because the gateway waits for 5. A callback that takes
	// longer continues in its own goroutine, and the gateway is told that the notice was not received. For up to 10
	// minutes no second callback runs for the event meanwhile. If the callback finally returns nil, the event is done.
	//
	// A notice tells a state, not necessarily success: check Paid, Refunded, Settled or Standing. Notices can arrive in
	// another order than the events they tell of, and a payment can become success after close or cancel: the callback
	// must accept that.
	Pay    func(context.Context, *model.PayNotice) error
	Refund func(context.Context, *model.RefundNotice) error
	Alloc  func(context.Context, *model.AllocNotice) error
	// Store deduplicates events. At most one callback runs for an event at a time, and none after one has succeeded in
	// the last 49 hours. Two notices are about the same event if they say the same, except for when they were made. If
	// the store fails or loses data, an event can be handled again.
	//
	// A store can serve several gateways, because its keys contain Config.StoreName. Default: a NewMemoryStore(0) that
	// all handlers of the client share. Several processes need a common store, such as contrib/redisstore or
	// contrib/sqlstore.
	Store OnceStore
	// MaxSize limits the body of a notice in bytes. Default: 128 KiB; a genuine notice has less than 16 KiB.
	MaxSize int64
	// MaxAge refuses notices that were made longer ago. Values below 25 hours count as 25 hours: the documents promise
	// resends for 24 hours, with the original signature, although released gateways resend at most once, within about
	// 25 seconds. Default: not checked; Store handles repeated notices.
	MaxAge time.Duration
	// OnError is called with a *NoticeError when a notice is refused or not acknowledged; one that is ErrNoticeBusy
	// needs no attention. It is called before the reply. If a callback or store is still running then, OnError is
	// called once more if that ends with an error. A panic in OnError does not change the reply. Independently of
	// OnError, Config.Logger, or slog.Default() if that is nil, gets a line. Default: none.
	OnError func(context.Context, error)
}

const (
	defaultNoticeSize = 128 << 10
	maxNoticeMembers  = 1000
	leastNoticeAge    = 25 * time.Hour
	// Measured from the end of the headers. The gateway waits 5 seconds.
	bodyTimeout   = 2 * time.Second
	noticeTimeout = 4 * time.Second
	replyTimeout  = 4800 * time.Millisecond
	// Limits of the store's methods.
	claimTimeout = 2 * time.Second
	storeTimeout = 400 * time.Millisecond // twice, between noticeTimeout and replyTimeout
	patience     = 2 * time.Second        // for a second Done, up to replyTimeout
	lateTimeout  = 4 * time.Second        // after the reply
	// The gateway sends a notice again after 15 seconds, and then never again: until then the claim of a process that
	// died must have ended.
	noticeLease    = 12 * time.Second
	renewalPause   = noticeLease / 3
	longestRenewal = 10 * time.Minute
	noticeMemory   = 49 * time.Hour
	// Anyone can send an unverified notice, so these must not fill the log.
	refusalPause = time.Minute
	// The gateway only looks at these bytes, not at the HTTP status.
	received    = "SUCCESS"
	notReceived = "FAIL"
)

// NoticeHandler returns the handler for the URL that payments, refunds and allocations give as NotifyURL; one handler
// can serve all three. It replies SUCCESS, which the gateway takes as "received", only after the callback has returned
// nil. Otherwise it replies FAIL, with an HTTP status for the merchant's own logs. It needs the body unread: put it
// before anything that parses forms or JSON.
//
// It replies within 4.8 seconds of the headers, however long a callback or a store takes. Anyone can send to the URL,
// so the body must arrive within 2 seconds of the headers. The handler sets this as the read deadline of the
// connection, and clears the deadline when it has read the body. For that, http.ResponseController must be able to use
// the ResponseWriter: net/http's own will do, and so will a wrapper with a method Unwrap. With any other, set
// http.Server.ReadTimeout.
//
// A notice may have at most 1,000 members, including those of nested objects, with names of at most 256 bytes.
func (c *Client) NoticeHandler(h NoticeHandlers) http.Handler {
	handler := &noticeHandler{NoticeHandlers: h}
	if c != nil {
		handler.core = c.core
	}
	if h.Store == nil && handler.core != nil {
		handler.Store = handler.core.events
	}
	if h.MaxSize <= 0 {
		handler.MaxSize = defaultNoticeSize
	}
	if h.MaxAge > 0 && h.MaxAge < leastNoticeAge {
		handler.MaxAge = leastNoticeAge
	}
	return handler
}

type noticeHandler struct {
	NoticeHandlers
	core    *core // nil if the client was not made with New
	refused refusalLines
}

func (h *noticeHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	end := h.serve(w, r, time.Now())
	reply := received
	if end.status != http.StatusOK {
		reply = notReceived
	}
	h.report(r.Context(), end)
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(reply)))
	if end.status == http.StatusMethodNotAllowed {
		header.Set("Allow", http.MethodPost)
	}
	w.WriteHeader(end.status)
	_, _ = io.WriteString(w, reply)
}

// outcome is how a delivery ends. The status is 200 if and only if the notice counts as received. Even then err may be
// set.
type outcome struct {
	status int
	err    error
	notice model.Notice // nil if it was not verified
	again  bool         // the event was handled before
}

// report logs how a delivery ended and calls OnError. A panic there must neither change the reply nor end the program.
func (h *noticeHandler) report(ctx context.Context, end outcome) {
	defer func() { _ = recover() }()
	h.log(ctx, end)
	if end.err == nil || h.OnError == nil {
		return
	}
	e := &NoticeError{Status: end.status, Err: end.err}
	if end.notice != nil {
		e.Kind, e.Number, e.BizNumber = end.notice.Kind(), end.notice.Number(), end.notice.BizNumber()
	}
	h.OnError(ctx, e)
}

func (h *noticeHandler) log(ctx context.Context, end outcome) {
	level, text, refused := slog.LevelWarn, "daxpay notice not received", 0
	switch {
	case end.err == nil && end.again:
		level, text = slog.LevelDebug, "daxpay notice received again"
	case end.err == nil:
		level, text = slog.LevelDebug, "daxpay notice received"
	case end.status == http.StatusOK:
		text = "daxpay notice received, but not recorded in the store"
	case end.status == http.StatusConflict:
		level = slog.LevelDebug
	}
	logger := h.logger(level)
	if !logger.Enabled(ctx, level) {
		return
	}
	if level == slog.LevelWarn && end.status >= http.StatusBadRequest && end.status < http.StatusInternalServerError {
		if refused = h.refused.count(time.Now()); refused == 0 {
			return
		}
	}
	attrs := make([]slog.Attr, 0, 7)
	if end.notice != nil {
		attrs = append(attrs, slog.String("kind", string(end.notice.Kind())),
			slog.String("number", clip(end.notice.Number(), maxNumber)),
			slog.String("bizNumber", clip(end.notice.BizNumber(), maxNumber)))
	}
	attrs = append(attrs, slog.Int("status", end.status))
	if end.err != nil {
		attrs = append(attrs, slog.String("failure", string(failureOf(end.err))), slog.String("reason", h.reason(end)))
	}
	if refused > 0 {
		attrs = append(attrs, slog.Int("refused", refused))
	}
	logger.LogAttrs(ctx, level, text, attrs...)
}

// maxNumber limits the characters of an order number in a text.
const maxNumber = 100

// logger returns Config.Logger. Without one, warnings go to slog.Default(): a merchant must learn of notices that are
// not received.
func (h *noticeHandler) logger(level slog.Level) *slog.Logger {
	switch {
	case h.core != nil && h.core.Logger != nil:
		return h.core.Logger
	case level >= slog.LevelWarn:
		return slog.Default()
	}
	return discard
}

var discard = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.Level(math.MaxInt)}))

// reason is the text of an error for the log. The error of a callback or a store can contain texts of the notice and
// the secret, which are masked.
func (h *noticeHandler) reason(end outcome) string {
	text := end.err.Error()
	var private []string
	if h.core != nil {
		private = append(private, h.core.signer.keys.secrets()...)
	}
	if end.notice != nil {
		private = textsIn(private, reflect.ValueOf(end.notice).Elem(), end.notice.Number(), end.notice.BizNumber(),
			end.notice.State(), string(end.notice.Kind()))
	}
	slices.SortFunc(private, func(a, b string) int { return len(b) - len(a) }) // a text can be part of another
	for _, p := range private {
		text = strings.ReplaceAll(text, p, masked)
	}
	return clip(signatureForm.ReplaceAllString(text, masked), maxMsg)
}

// signatureForm matches what looks like a signature. The notice that the callback gets does not contain it, so textsIn
// does not find it.
var signatureForm = regexp.MustCompile(`\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b`)

// leastPrivate is the length in bytes from which texts of a notice are masked; shorter ones are common words.
const leastPrivate = 4

// textsIn appends the texts in a model, except those that may be shown.
func textsIn(texts []string, v reflect.Value, shown ...string) []string {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); len(s) >= leastPrivate && !slices.Contains(shown, s) {
			texts = append(texts, s)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				texts = textsIn(texts, v.Field(i), shown...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			texts = textsIn(texts, v.Index(i), shown...)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			texts = textsIn(texts, v.Elem(), shown...)
		}
	}
	return texts
}

// NoticeError says why a notice was refused or not acknowledged; or, if Status is 200, that the store failed to record
// that it was received. errors.Is and errors.As find the cause, such as a *SignError, a *PanicError or the error that
// the callback returned.
type NoticeError struct {
	// Kind, Number (the gateway's) and BizNumber (the merchant's) say what the notice is about. They are empty if it
	// was refused before it was verified.
	Kind      model.NoticeKind
	Number    string
	BizNumber string
	// Status is the HTTP status of the reply.
	Status int
	Err    error
}

func (e *NoticeError) Error() string {
	s := "daxpay: notice"
	if e.Kind != "" {
		s = fmt.Sprintf("daxpay: %s notice of %s (%s)", e.Kind, clip(e.BizNumber, maxNumber), clip(e.Number, maxNumber))
	}
	if e.Status == http.StatusOK {
		s += " received, but: "
	} else {
		s += " not received, replied " + strconv.Itoa(e.Status) + ": "
	}
	return s + strings.TrimPrefix(strings.TrimPrefix(e.Err.Error(), "daxpay: "), "notice refused: ")
}

// Unwrap returns Err.
func (e *NoticeError) Unwrap() error { return e.Err }

// refusalLines counts the refused notices since the last log line about them.
type refusalLines struct {
	mu     sync.Mutex
	number int
	next   time.Time // no line before that
}

// count adds one. It returns the number to log, 0 if it is too early for a line.
func (r *refusalLines) count(now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	if now.Before(r.next) {
		return 0
	}
	number := r.number
	r.number, r.next = 0, now.Add(refusalPause)
	return number
}

// serve handles a delivery whose headers arrived at start.
func (h *noticeHandler) serve(w http.ResponseWriter, r *http.Request, start time.Time) outcome {
	if r.Method != http.MethodPost {
		return outcome{status: http.StatusMethodNotAllowed, err: refusedNotice(ErrProtocol, "",
			"notices are sent by POST, not "+clip(r.Method, 16))}
	}
	body, status, err := h.body(w, r, start)
	if err != nil {
		if r.ProtoMajor == 1 { // with HTTP/2, other requests may use the connection
			w.Header().Set("Connection", "close") // the server does not wait for the rest of the body
		}
		return outcome{status: status, err: err}
	}
	if len(body) == 0 {
		return outcome{status: http.StatusBadRequest, err: refusedNotice(ErrProtocol, "",
			"mount the handler before anything that reads the body: the body is empty")}
	}
	if h.core == nil {
		return outcome{status: http.StatusInternalServerError, err: &ConfigError{
			Field: "SignSecret", Reason: "is unknown: make the Client with New",
		}}
	}
	var said digest
	notice, err := h.core.parseNotice(body, &said)
	if err != nil {
		return outcome{status: http.StatusBadRequest, err: err}
	}
	if err := h.fresh(notice); err != nil {
		return outcome{status: http.StatusBadRequest, err: err, notice: notice}
	}
	return h.once(r.Context(), notice, h.core.storeKey(eventKey(notice, said)), start)
}

// body reads the body. After an error it leaves the read deadline set, because the server reads on after the reply.
func (h *noticeHandler) body(w http.ResponseWriter, r *http.Request, start time.Time) ([]byte, int, error) {
	if r.Body == nil {
		return nil, 0, nil
	}
	connection := http.NewResponseController(w)
	limited := connection.SetReadDeadline(start.Add(bodyTimeout)) == nil
	body, err := readAll(r.Body, r.ContentLength, h.MaxSize)
	switch {
	case errors.Is(err, ErrTooLarge):
		return nil, http.StatusRequestEntityTooLarge, refusedNotice(ErrTooLarge, "",
			fmt.Sprintf("more than %d bytes: see NoticeHandlers.MaxSize", h.MaxSize))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, http.StatusRequestTimeout, refusedNotice(ErrProtocol, "", "the body did not come in time")
	case err != nil:
		return nil, http.StatusBadRequest, refusedNotice(ErrProtocol, "", "the body cannot be read")
	}
	if limited {
		_ = connection.SetReadDeadline(time.Time{}) // else it would end the request's context
	}
	return body, 0, nil
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
	if age := h.core.Now().Sub(common.ResTime.Time); age > h.MaxAge {
		return refusedNotice(ErrStale, "resTime", fmt.Sprintf("is %v ago: see NoticeHandlers.MaxAge", age.Round(time.Second)))
	}
	return nil
}

// once makes the callback handle the notice, unless that was done or is being done elsewhere. It returns in time for
// the reply.
func (h *noticeHandler) once(ctx context.Context, notice model.Notice, key string, start time.Time) outcome {
	call := h.callback(notice)
	if call == nil {
		return outcome{status: http.StatusNotImplemented, notice: notice, err: refusedNotice(ErrNoticeType, "",
			callbackName[notice.Kind()]+" is not set")}
	}
	owner, err := newNonce()
	if err != nil {
		return outcome{status: http.StatusInternalServerError, notice: notice, err: err}
	}
	d := &delivery{
		store: h.Store, key: key, owner: owner, call: call, notice: notice, start: start, ended: make(chan outcome, 1),
	}
	go d.run(ctx)
	timer := time.NewTimer(time.Until(start.Add(replyTimeout)))
	defer timer.Stop()
	select {
	case end := <-d.ended:
		return end
	case <-timer.C:
	}
	go h.reportLate(context.WithoutCancel(ctx), d)
	if d.handled.Load() {
		return outcome{status: http.StatusOK, notice: notice, err: errStoreLate}
	}
	return outcome{status: http.StatusServiceUnavailable, notice: notice, err: errNoticeLate}
}

// callbackName names the field of NoticeHandlers for each kind.
var callbackName = map[model.NoticeKind]string{
	model.NoticePay: "NoticeHandlers.Pay", model.NoticeRefund: "NoticeHandlers.Refund",
	model.NoticeAlloc: "NoticeHandlers.Alloc",
}

var (
	errNoticeLate = fmt.Errorf("daxpay: the callback or the store has not returned yet: %w", context.DeadlineExceeded)
	errStoreLate  = fmt.Errorf("daxpay: notice store: it has not returned yet: %w", context.DeadlineExceeded)
	errLeft       = errors.New("daxpay: a callback or a store called runtime.Goexit")
)

// reportLate reports the error of a delivery that ended after its reply.
func (h *noticeHandler) reportLate(ctx context.Context, d *delivery) {
	end := <-d.ended
	if end.err != nil {
		h.report(ctx, end)
	}
}

// delivery is one delivery of an event. It runs to its end; the handler waits for it no longer than replyTimeout.
type delivery struct {
	store      OnceStore
	key, owner string
	call       func(context.Context) error
	notice     model.Notice
	start      time.Time
	handled    atomic.Bool // the callback returned nil
	ended      chan outcome
}

// run handles the delivery and sends the outcome, whatever happens.
func (d *delivery) run(ctx context.Context) {
	end := outcome{status: http.StatusInternalServerError, err: errLeft, notice: d.notice} // after runtime.Goexit
	defer func() { d.ended <- end }()
	ctx, cancel := context.WithDeadline(ctx, d.start.Add(noticeTimeout))
	defer cancel()
	state, err := d.claim(ctx, claimTimeout)
	switch {
	case err != nil:
		// The claim may have been made.
		end.err = errors.Join(err, d.release(ctx))
	case state == ClaimDone:
		end.status, end.err, end.again = http.StatusOK, nil, true
	case state != ClaimGranted:
		end.status, end.err = http.StatusConflict, ErrNoticeBusy
	case ctx.Err() != nil:
		end.err = errors.Join(fmt.Errorf("daxpay: notice store: the claim was slow: %w", ctx.Err()), d.release(ctx))
	default:
		end.status, end.err = d.handle(ctx)
	}
}

// handle calls the callback of a claimed event.
func (d *delivery) handle(ctx context.Context) (int, error) {
	stop := d.renew(ctx)
	returned := false
	defer func() {
		if !returned { // runtime.Goexit
			stop()
			_ = d.release(ctx)
		}
	}()
	err := protected(ctx, d.call)
	returned = true
	d.handled.Store(err == nil)
	stop()
	if err != nil {
		return http.StatusInternalServerError, errors.Join(err, d.release(ctx))
	}
	// The callback has stored the event: the notice is received, even if the store cannot record it.
	if err = d.done(ctx, storeTimeout); err != nil && !errors.Is(err, ErrClaimLost) {
		err = d.done(ctx, min(patience, time.Until(d.start.Add(replyTimeout))))
	}
	return http.StatusOK, err
}

// renew renews the lease until the returned function is called, but no longer than longestRenewal. That function waits
// for a renewal in progress, which could otherwise outlive the release of the claim.
func (d *delivery) renew(ctx context.Context) (stop func()) {
	var (
		mu    sync.Mutex
		over  bool
		timer *time.Timer
	)
	end := d.start.Add(longestRenewal)
	ctx = context.WithoutCancel(ctx)
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(renewalPause, func() {
		mu.Lock()
		defer mu.Unlock()
		if over || time.Now().After(end) {
			return
		}
		if state, err := d.claim(ctx, renewalPause); err == nil && state != ClaimGranted {
			return // the claim was lost: Done will say so
		}
		timer.Reset(renewalPause)
	})
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		over = true
	}
}

func (d *delivery) claim(ctx context.Context, limit time.Duration) (state ClaimState, err error) {
	err = d.ask(ctx, limit, func(ctx context.Context) (err error) {
		state, err = d.store.Claim(ctx, d.key, d.owner, noticeLease)
		return err
	})
	return state, err
}

func (d *delivery) done(ctx context.Context, limit time.Duration) error {
	return d.tell(ctx, limit, func(ctx context.Context) error {
		return d.store.Done(ctx, d.key, d.owner, noticeMemory)
	})
}

func (d *delivery) release(ctx context.Context) error {
	return d.tell(ctx, storeTimeout, func(ctx context.Context) error { return d.store.Release(ctx, d.key, d.owner) })
}

// tell asks with a context of its own, because the store must learn how the delivery ended even if the gateway has hung
// up. After the reply it allows more time.
func (d *delivery) tell(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	if time.Since(d.start) > noticeTimeout+storeTimeout {
		limit = lateTimeout
	}
	return d.ask(context.WithoutCancel(ctx), limit, do)
}

func (d *delivery) ask(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := protected(ctx, do); err != nil {
		return fmt.Errorf("daxpay: notice store: %w", err)
	}
	return nil
}

// storeKey returns a key for the store. It contains the gateway's name, because one store can serve several gateways,
// whose numbers have nothing to do with each other.
func (c *core) storeKey(what string) string {
	sum := sha256.Sum256([]byte(c.StoreName))
	return hex.EncodeToString(sum[:8]) + ":" + what
}

// eventKey returns the key of an event: kind, number, and a digest of what the notice says. Status and times are not
// enough: the shares of an allocation end one after the other under one status, and a refund can fail twice.
func eventKey(notice model.Notice, d digest) string {
	number := notice.Number()
	if !plainNumber.MatchString(number) {
		number = "" // the number is for people; the digest suffices
	}
	return string(notice.Kind()) + ":" + number + ":" + hex.EncodeToString(d[:16])
}

var plainNumber = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,64}$`)

// callback returns the callback for the notice, nil if there is none.
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

// protected runs call and turns a panic into a *PanicError.
func protected(ctx context.Context, call guard.Func) error {
	return panicOr(guard.Call(ctx, call))
}

func panicOr(panicked *guard.Panic, err error) error {
	if panicked != nil {
		return (*PanicError)(panicked)
	}
	return err
}

// PanicError says that a callback or a store panicked. Its text has the type of the panic's value and the place of the
// panic, but no data of the callback.
type PanicError struct {
	Value any    // the value of the panic
	Stack []byte // the stack trace of the panic
	Frame string // the function that panicked, with file and line
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("daxpay: a callback panicked with a %T in %s; see PanicError.Value and Stack", e.Value, e.Frame)
}

// Format prints the error's text for every verb.
func (e *PanicError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.Error()) }

// MarshalJSON writes the error's text.
func (e *PanicError) MarshalJSON() ([]byte, error) { return json.Marshal(e.Error()) }

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
