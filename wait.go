package daxpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/daxpay-go/daxpay/internal/follow"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Wait configures WaitPay and the other functions that follow an order. The zero value selects the defaults.
//
// They query often and sync rarely. The pause between two queries starts at First and grows with the age of the order,
// to about 6% of it. The first sync is made 20 seconds after Made at the earliest for a payment, a minute for a refund,
// and 10 seconds for an allocation. Further ones follow every 30 seconds, and more slowly once the order is 3 minutes
// old. A sync is also made before a closed payment is returned, and 5 seconds before the deadline of the context. In
// the first 15 minutes these are at most 90 queries and 10 syncs.
type Wait struct {
	// Made is when the call that sent the order returned, or a later time: until then the client may have sent it
	// several times. The pauses follow from the age of the order. "No such order" counts only more than 20 seconds
	// after Made, because until then the request can still arrive. The zero value, or a time in the future, stands for
	// the start of the wait.
	Made time.Time
	// Amount is the amount of the order in fen. An answer with another amount ends the wait with ErrEcho. 0: not
	// compared. RecoverPay and RecoverRefund take it from their param.
	Amount int64
	// First is the shortest pause. Default: 1 second.
	First time.Duration
	// Ceiling is the longest pause. Default: 1 minute.
	Ceiling time.Duration
	// Progress is called after each query, unless the context cut it off, with the status at the gateway, or with the
	// error of the query. Default: none.
	Progress func(status string, err error)
}

const (
	defaultFirstPause   = time.Second
	defaultPauseCeiling = time.Minute
)

// WaitPay follows a payment (支付) until it is paid or has ended, and returns it: check its Standing.
//
//   - model.Succeeded: it was paid.
//   - model.Ended: it was closed or cancelled, or failed, and a sync did not find it paid or was refused. The customer
//     can still pay at the channel until ExpiredTime, and only a sync after that time finds such a payment. So keep the
//     order, call SyncPay once more a few minutes after ExpiredTime, and let your handling of payments accept success
//     after close. Package reconcile does all of this.
//
// A payment that will never change needs a person. The error is then an *UnresolvedError: with UnresolvedWallet, at
// once, for a wallet payment in progress, and with UnresolvedGivenBack for a payment that the channel has received and
// given back.
//
// WaitPay waits through temporary faults, such as a lost connection; any other fault ends the wait. So does
// ErrNoSuchOrder more than 20 seconds after Wait.Made. Where that proves nothing, it is inside an *UnresolvedError:
// with gateways before 2.0.8, which accept requests of any age, and over http unless Config.TrustedNetwork is set. If
// the context ends first, the error is the context's, joined with the latest fault; if that is ErrNoSuchOrder, the
// error is ErrOutcomeUnknown too.
//
// A sync closes a payment that has expired or that its channel does not know. To look without a sync, use
// QueryPayOrder.
func (c *Client) WaitPay(
	ctx context.Context, p *param.QueryPayOrderParam, w Wait,
) (*Result[model.PayOrderModel], error) {
	if p == nil {
		return nil, nilParam(p)
	}
	return proved(followOrder(ctx, c, w, c.payLookup(p)))
}

// WaitRefund follows a refund (退款) until it is done or has failed, and returns it: check its Standing.
//
//   - model.Succeeded: the money was given back.
//   - model.Unproved: its Status is model.RefundFail, and a sync did not find it done. The channel may still have given
//     the money back. Send the same refund again under the same BizRefundNo, or have a person look. Never use a new
//     number.
//
// If the gateway has closed the refund, the error is an *UnresolvedError with UnresolvedClosed: a person must look at
// the channel before the money is given back under another number. Gateway 2.0.6 has no working query of refunds: the
// error is, at once, an *UnresolvedError with UnresolvedNoQuery.
//
// There is no sync in the first minute after Wait.Made, because it could close a refund that is still on its way to the
// channel. Everything else is as for WaitPay.
func (c *Client) WaitRefund(
	ctx context.Context, p *param.QueryRefundOrderParam, w Wait,
) (*Result[model.RefundOrderModel], error) {
	if p == nil {
		return nil, nilParam(p)
	}
	m, err := followOrder(ctx, c, w, c.refundLookup(p))
	return repeatable(m, err)
}

// WaitTransfer follows a transfer (转账) until it is paid out, and returns it: its Standing is model.Succeeded. It only
// queries, because no gateway can sync a transfer.
//
// Every error is ErrOutcomeUnknown: none proves that the transfer was not paid, or will not be. Never send it again
// because of an error, and do not book it as refused. Where waiting does not help, the error is an *UnresolvedError,
// and a person has to look at the channel: UnresolvedFailed if the gateway calls it failed, UnresolvedNoSuchOrder more
// than 20 seconds after Wait.Made, UnresolvedSeveral if the number was sent twice. Set Wait.Amount to what was to be
// paid out. Everything else is as for WaitPay.
func (c *Client) WaitTransfer(
	ctx context.Context, p *param.QueryTransferOrderParam, w Wait,
) (*Result[model.TransferOrderModel], error) {
	const path = "/unipay/transfer"
	advice := (*param.TransferParam)(nil).Call().Recover
	if p == nil {
		return nil, unknownOutcome(path, advice, nilParam(p))
	}
	m, err := proved(followOrder(ctx, c, w, c.transferLookup(p)))
	return m, unknownOutcome(path, advice, err)
}

// WaitAlloc follows an allocation (分账) until the channel has dealt with every share, and returns it: check its
// Standing. It needs AllocNo, the gateway's number, which StartAlloc returned: no gateway finds an allocation by
// BizAllocNo.
//
//   - model.Succeeded: every share has ended, some perhaps without success: read Details. Whether to call FinishAlloc
//     is up to you.
//   - model.Ended: the gateway ignored it.
//   - model.Unproved: its Status is model.AllocFailed. Start it again with the same BizAllocNo.
//
// Everything else is as for WaitPay. Each sync of an allocation that has ended sends another notice.
func (c *Client) WaitAlloc(
	ctx context.Context, p *param.QueryAllocOrderParam, w Wait,
) (*Result[model.AllocOrderModel], error) {
	if p == nil {
		return nil, nilParam(p)
	}
	if p.AllocNo == "" {
		return nil, &ParamError{
			Param: fmt.Sprintf("%T", *p), Field: "AllocNo",
			Reason: "is required: the gateway finds an allocation by no other number",
		}
	}
	m, err := followOrder(ctx, c, w, c.allocLookup(p))
	return repeatable(m, err)
}

// proved returns the order only without an error: followOrder can return both.
func proved[M any](m *Result[M], err error) (*Result[M], error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// repeatable is like proved, but also returns an order that the gateway calls failed: its Standing says that this is
// unproved.
func repeatable[M any](m *Result[M], err error) (*Result[M], error) {
	var unresolved *UnresolvedError
	if m != nil && errors.As(err, &unresolved) && unresolved.Reason == UnresolvedFailed {
		return m, nil
	}
	return proved(m, err)
}

// lookup is how an order of one kind is looked at.
type lookup[M any] struct {
	kind  follow.Kind
	no    string
	query func(context.Context) (*Result[M], error)
	path  string                                       // of the query, for errors
	sync  func(context.Context) (follow.Answer, error) // nil if there is none
	see   func(*M) (status string, standing model.Standing, amount int64)
	check func(*M) (member string) // returns a member that differs from what was asked for, "" if none does

	begun  func() bool // reports whether an open order ends the wait; nil: it does not
	absent bool        // "no such order" ends the wait, even if it proves nothing
	blind  bool        // the gateway never answers the query
}

func (c *Client) payLookup(p *param.QueryPayOrderParam) lookup[model.PayOrderModel] {
	return lookup[model.PayOrderModel]{
		kind: follow.Pay, no: p.OrderNo + p.BizOrderNo, path: p.Call().Path,
		query: func(ctx context.Context) (*Result[model.PayOrderModel], error) { return c.QueryPayOrder(ctx, p) },
		sync: func(ctx context.Context) (follow.Answer, error) {
			res, err := c.SyncPay(
				ctx, &param.PaySyncParam{Common: from(p.Common), OrderNo: p.OrderNo, BizOrderNo: p.BizOrderNo},
			)
			if err != nil {
				return 0, err
			}
			return follow.PayAnswer(res.Data.Status), nil
		},
		see: func(m *model.PayOrderModel) (string, model.Standing, int64) {
			return string(m.Status), m.Standing(), m.Amount
		},
		check: func(m *model.PayOrderModel) string {
			return firstThatDiffers("orderNo", p.OrderNo, m.OrderNo, "bizOrderNo", p.BizOrderNo, m.BizOrderNo)
		},
	}
}

func (c *Client) refundLookup(p *param.QueryRefundOrderParam) lookup[model.RefundOrderModel] {
	return lookup[model.RefundOrderModel]{
		kind: follow.Refund, no: p.RefundNo + p.BizRefundNo, path: p.Call().Path, blind: c.speaks() == gateway.V206,
		query: func(ctx context.Context) (*Result[model.RefundOrderModel], error) { return c.QueryRefundOrder(ctx, p) },
		sync: func(ctx context.Context) (follow.Answer, error) {
			res, err := c.SyncRefund(
				ctx, &param.RefundSyncParam{Common: from(p.Common), RefundNo: p.RefundNo, BizRefundNo: p.BizRefundNo},
			)
			if err != nil {
				return 0, err
			}
			return follow.RefundAnswer(res.Data.Status), nil
		},
		see: func(m *model.RefundOrderModel) (string, model.Standing, int64) {
			return string(m.Status), m.Standing(), m.Amount
		},
		check: func(m *model.RefundOrderModel) string {
			return firstThatDiffers("refundNo", p.RefundNo, m.RefundNo, "bizRefundNo", p.BizRefundNo, m.BizRefundNo)
		},
	}
}

func (c *Client) transferLookup(p *param.QueryTransferOrderParam) lookup[model.TransferOrderModel] {
	return lookup[model.TransferOrderModel]{
		kind: follow.Transfer, no: p.TransferNo + p.BizTransferNo, path: p.Call().Path,
		query: func(ctx context.Context) (*Result[model.TransferOrderModel], error) {
			return c.QueryTransferOrder(ctx, p)
		},
		see: func(m *model.TransferOrderModel) (string, model.Standing, int64) {
			return string(m.Status), m.Standing(), m.Amount
		},
		check: func(m *model.TransferOrderModel) string {
			return firstThatDiffers(
				"transferNo", p.TransferNo, m.TransferNo, "bizTransferNo", p.BizTransferNo, m.BizTransferNo,
			)
		},
	}
}

func (c *Client) allocLookup(p *param.QueryAllocOrderParam) lookup[model.AllocOrderModel] {
	return lookup[model.AllocOrderModel]{
		kind: follow.Allocation, no: p.AllocNo, path: p.Call().Path,
		query: func(ctx context.Context) (*Result[model.AllocOrderModel], error) { return c.QueryAllocOrder(ctx, p) },
		sync: func(ctx context.Context) (follow.Answer, error) {
			_, err := c.SyncAlloc(ctx, &param.AllocSyncParam{Common: from(p.Common), AllocNo: p.AllocNo})
			return follow.Other, err
		},
		see: func(m *model.AllocOrderModel) (string, model.Standing, int64) {
			return string(m.Status), m.Standing(), m.Amount
		},
		check: func(m *model.AllocOrderModel) string {
			return firstThatDiffers(
				"allocNo", p.AllocNo, m.AllocNo, "bizAllocNo", p.BizAllocNo, m.BizAllocNo,
			)
		},
	}
}

// firstThatDiffers compares two numbers, each given as name, asked and found, and returns the name of the first that
// differs. A number that was not asked for may have any value.
func firstThatDiffers(name1, asked1, found1, name2, asked2, found2 string) string {
	switch {
	case asked1 != "" && asked1 != found1:
		return name1
	case asked2 != "" && asked2 != found2:
		return name2
	}
	return ""
}

// from returns the common members that other requests for the same order share: not time and nonce.
func from(c param.Common) param.Common { return param.Common{ClientIP: c.ClientIP} }

func nilParam(p any) error {
	return &ParamError{Param: fmt.Sprintf("%T", p), Field: "the param", Reason: "must not be nil"}
}

// Gateway returns Config.Gateway: the version that is pinned, or GatewayAuto.
func (c *Client) Gateway() GatewayVersion {
	if c == nil || c.core == nil {
		return GatewayAuto
	}
	return c.core.Gateway
}

// StoreName returns Config.StoreName or its default: the name of the gateway in the keys of a store.
func (c *Client) StoreName() string {
	if c == nil || c.core == nil {
		return ""
	}
	return c.core.StoreName
}

// speaks returns the gateway's version: the pinned one, or the one accepted last.
func (c *Client) speaks() gateway.Version {
	if c == nil || c.core == nil {
		return gateway.V208
	}
	if pinned, ok := c.core.Gateway.pinned(); ok {
		return pinned
	}
	return c.core.preferred()
}

// provesAbsence reports whether "no such order", said long enough after the last send, proves that nothing happened.
// Three things are needed. The gateway must refuse old requests, so that none arrives late; only versions that know
// nonceStr do. The refusal must be signed and come over a trusted connection: it does not name the order, so one about
// another order could take its place. And this machine's clock must not be ahead of the gateway's, which would accept
// the request for that much longer.
func (c *Client) provesAbsence(err error) bool {
	var refusal *GatewayError
	return c.speaks().KnowsNonce() && c.core.trusted && errors.As(err, &refusal) && refusal.Signed &&
		refusal.ahead <= tolerable
}

// wait is the state of one wait.
type wait[M any] struct {
	Wait
	lookup[M]
	client *Client
	order  follow.Order
	start  time.Time
	err    error  // the fault of the latest sync
	status string // as of the latest query
}

// followOrder looks at an order until its outcome is proved, or cannot be. It returns the order along with an
// *UnresolvedError if the gateway has it.
func followOrder[M any](ctx context.Context, c *Client, w Wait, l lookup[M]) (*Result[M], error) {
	if ctx == nil {
		return nil, &ParamError{Param: l.path, Field: "the context", Reason: "must not be nil"}
	}
	if l.blind {
		return nil, &UnresolvedError{Path: l.path, Reason: UnresolvedNoQuery}
	}
	now := time.Now()
	f := wait[M]{Wait: w, lookup: l, client: c, start: w.Made}
	f.order = follow.Order{Kind: l.kind, NoSync: l.sync == nil, Seed: follow.SeedOf(l.no)}
	if f.First <= 0 {
		f.First = defaultFirstPause
	}
	if f.Ceiling <= 0 {
		f.Ceiling = defaultPauseCeiling
	}
	if f.start.IsZero() || f.start.After(now) {
		f.start = now
	}
	last := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		last = deadline.Sub(f.start)
	}
	sync := false
	for {
		m, end, err := f.look(ctx, sync)
		if end {
			return m, err
		}
		var at time.Duration
		at, sync = f.order.Due(f.age(), f.First, f.Ceiling, last)
		if ended := sleep(ctx, at-f.age()); ended != nil {
			err = f.over(ended, errors.Join(err, f.err))
			if errors.Is(err, ErrNoSuchOrder) { // too early to prove anything, or said by a sync
				err = unknownOutcome(f.path, "wait again, with the same Wait.Made", err)
			}
			return nil, err
		}
	}
}

// over returns the error of a wait that ends with its context.
func (f *wait[M]) over(end, fault error) error {
	state := "is not known to the gateway yet, or it did not answer,"
	if f.status != "" {
		state = "is still " + clip(f.status, maxStatus)
	}
	err := fmt.Errorf("daxpay: %s: %s %s after %v: %w", f.path, clip(f.no, maxNumber), state,
		f.age().Round(time.Second), end)
	if fault != nil {
		err = fmt.Errorf("%w; the latest fault: %w", err, fault)
	}
	return err
}

func (f *wait[M]) age() time.Duration { return time.Since(f.start) }

// look makes a query, after a sync if that is due. It reports whether that ends the wait. If not, err is a temporary
// fault.
func (f *wait[M]) look(ctx context.Context, sync bool) (res *Result[M], end bool, err error) {
	if sync {
		if err := f.synchronize(ctx); err != nil {
			return nil, true, err
		}
	}
	asked := f.age()
	res, err = f.query(ctx)
	status, standing := "", model.Open
	if err == nil {
		status, standing, err = f.read(res)
	}
	if err == nil {
		f.status = status
	}
	if f.Progress != nil && ctx.Err() == nil {
		f.Progress(status, err)
	}
	if err != nil {
		end, err = f.refused(asked, err)
		return nil, end, err
	}
	end, why := f.order.Seen(f.age(), standing, status)
	if end && why != "" {
		return res, true, &UnresolvedError{
			Path: f.path, Reason: UnresolvedReason(why), Status: status, TraceID: res.TraceID,
		}
	}
	if end || standing == model.Open && f.begun != nil && f.begun() {
		return res, true, nil
	}
	return nil, false, nil
}

// read checks that the order found is the one that was meant.
func (f *wait[M]) read(res *Result[M]) (status string, standing model.Standing, err error) {
	status, standing, amount := f.see(&res.Data)
	member := f.check(&res.Data)
	if member == "" && f.Amount != 0 && amount != f.Amount {
		member = "amount"
	}
	if member != "" {
		return "", model.Open, notOurs(f.path, member, res.TraceID)
	}
	return status, standing, nil
}

// synchronize makes a sync. An error ends the wait.
func (f *wait[M]) synchronize(ctx context.Context) error {
	answer, err := f.sync(ctx)
	f.err = err
	var refusal *GatewayError
	switch {
	case err == nil:
	case errors.Is(err, ErrUnsupported):
		f.order.NoSync, f.err = true, nil
		return nil
	case errors.Is(err, ErrNoSuchOrder): // the query decides that, not the sync
		answer = follow.Refused
	case errors.As(err, &refusal) && follow.RefusedSync(refusal.Code, refusal.Business) != 0:
		answer = follow.RefusedSync(refusal.Code, refusal.Business)
	case passes(err):
		answer = follow.Failed
	default:
		return err
	}
	f.order.Synced(f.age(), answer)
	return nil
}

// refused reports whether an error of the query, made at the age asked, ends the wait.
func (f *wait[M]) refused(asked time.Duration, err error) (end bool, _ error) {
	var refusal *GatewayError
	switch {
	case errors.Is(err, ErrNoSuchOrder) && f.absent:
		return true, err
	case errors.Is(err, ErrNoSuchOrder) && asked <= follow.Arrival:
		return false, err
	case errors.Is(err, ErrNoSuchOrder) && (f.kind == follow.Transfer || !f.client.provesAbsence(err)):
		return true, &UnresolvedError{Path: f.path, Reason: UnresolvedNoSuchOrder, Err: err}
	case f.kind == follow.Transfer && errors.As(err, &refusal) && follow.SeveralTransfers(refusal.Code, refusal.Msg):
		return true, &UnresolvedError{Path: f.path, Reason: UnresolvedSeveral, Err: err}
	}
	return !passes(err), err
}

// passes reports whether a fault is temporary.
func passes(err error) bool {
	var refusal *GatewayError
	if errors.As(err, &refusal) {
		switch refusal.Code {
		case gateway.CodeSystemError, gateway.CodeRepeated, gateway.CodeInProgress, gateway.CodeOperating,
			gateway.CodeUnknownFailure:
			return !refusal.Business
		}
		return false
	}
	var page *HTTPError
	if errors.As(err, &page) {
		return !page.UnknownPath &&
			(page.StatusCode >= http.StatusInternalServerError || page.StatusCode == http.StatusTooManyRequests)
	}
	var transport *TransportError
	return errors.As(err, &transport)
}
