package daxpay

import (
	"context"
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
	"time"

	"github.com/daxpay-go/daxpay/model"
)

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
