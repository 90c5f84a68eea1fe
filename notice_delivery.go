package daxpay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay/internal/guard"
	"github.com/daxpay-go/daxpay/model"
)

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
