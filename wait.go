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

// Wait says how WaitPay and the other functions that follow an order do that. The zero value is good.
//
// They query often and sync seldom. The pause between two queries is First at the beginning and grows with the age of
// the order, to about 6 % of it. A payment is synchronized after 20 seconds at the earliest, a refund after a minute,
// an allocation after 10 seconds; then every 30 seconds, and more and more seldom once the order is 3 minutes old; also
// before a closed payment is returned, and 5 seconds before the deadline of the context. In the first 15 minutes that
// makes at most 90 queries and 10 syncs.
type Wait struct {
	// Made is when the call that sent the order returned, or later; the client may have sent it several times until then.
	// The pauses follow from its age, and "no such order" counts only
	// when the gateway says it more than 20 seconds later, because until then the request can still arrive. The zero
	// value, or a time that is yet to come, stands for the beginning of the wait.
	Made time.Time
	// Amount is what the order is about, in fen. An answer about another amount ends the wait with ErrEcho. 0: not
	// compared. RecoverPay and RecoverRefund take it from their param.
	Amount int64
	// First is the shortest pause. Default: 1 second.
	First time.Duration
	// Ceiling is the longest pause. Default: 1 minute.
	Ceiling time.Duration
	// Progress is called after each query that the context did not cut off, with the status that the gateway has, or
	// with the error for which there is none.
	Progress func(status string, err error)
}

const (
	defaultFirstPause   = time.Second
	defaultPauseCeiling = time.Minute
)

// WaitPay follows a payment (支付) until it was paid or is over, and returns it: look at its Standing.
//
//   - model.Succeeded: it was paid.
//   - model.Ended: it was closed or cancelled, and a sync did not find it paid, or was refused. The customer can still
//     pay at the channel until ExpiredTime, and only a sync after that time finds it: keep the order, call SyncPay once
//     more a few minutes after ExpiredTime, and let what handles a payment take success after close. Package reconcile
//     does all of that.
//
// A payment that will never change needs a person: the error is an *UnresolvedError, with UnresolvedWallet at once for
// a wallet payment in progress, and with UnresolvedGivenBack for one that the channel has paid and given back.
//
// Faults that can pass, such as a lost connection, are waited out. Any other ends the wait. So does ErrNoSuchOrder,
// more than 20 seconds after Wait.Made. It comes inside an *UnresolvedError where it proves nothing: before 2.0.8,
// whose gateways take a request of any age, and over http unless Config.TrustedNetwork is set. When the context ends
// first, the error is the context's, joined with the latest fault; if that is ErrNoSuchOrder, it is ErrOutcomeUnknown
// too.
//
// A sync closes a payment that has expired, or that its channel does not know. To look without that, use QueryPayOrder.
func (c *Client) WaitPay(
	ctx context.Context, p *param.QueryPayOrderParam, w Wait,
) (*Result[model.PayOrderModel], error) {
	if p == nil {
		return nil, nilParam(p)
	}
	return proved(followOrder(ctx, c, w, c.payLookup(p)))
}

// WaitRefund follows a refund (退款) until it is done or has failed, and returns it: look at its Standing.
//
//   - model.Succeeded: the money was given back.
//   - model.Unproved: its Status is model.RefundFail, and a sync did not find it done. It may have been all the same.
//     Send the same refund again, under the same BizRefundNo, or have a person look. Never use a new number.
//
// A refund that the gateway has closed needs a person, who looks at the channel before the money is given back under
// another number: the error is an *UnresolvedError with UnresolvedClosed. Gateway 2.0.6 has no working query of
// refunds: the error is an *UnresolvedError with UnresolvedNoQuery, at once.
//
// There is no sync in the first minute after Wait.Made, because it could close a refund that is still on its way to the
// channel. The rest is as for WaitPay.
func (c *Client) WaitRefund(
	ctx context.Context, p *param.QueryRefundOrderParam, w Wait,
) (*Result[model.RefundOrderModel], error) {
	if p == nil {
		return nil, nilParam(p)
	}
	m, err := followOrder(ctx, c, w, c.refundLookup(p))
	return repeatable(m, err)
}

// WaitTransfer follows a transfer (转账) until it was paid out, and returns it: its Standing is model.Succeeded. It only
// queries, because no gateway can sync a transfer.
//
// Every error is ErrOutcomeUnknown: none proves that the transfer was not paid, or will not be. Never send it again for
// an error, and do not book it as refused. Where waiting does not help, the error is an *UnresolvedError, and a person
// has to look at the channel: UnresolvedFailed for one that the gateway calls failed, UnresolvedNoSuchOrder more than
// 20 seconds after Wait.Made, UnresolvedSeveral for a number that was sent twice. Set Wait.Amount to what was to be
// paid out. The rest is as for WaitPay.
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

// WaitAlloc follows an allocation (分账) until the channel has dealt with every share, and returns it: look at its
// Standing. It needs AllocNo, the gateway's number, which StartAlloc returned: no gateway finds one by
// BizAllocNo.
//
//   - model.Succeeded: every share has ended, some perhaps without success: read Details. FinishAlloc is up to
//     you.
//   - model.Ended: the gateway ignored it.
//   - model.Unproved: its Status is model.AllocFailed. Start it again with the same BizAllocNo.
//
// The rest is as for WaitPay. Each sync of an allocation that has ended sends another notice.
func (c *Client) WaitAlloc(
	ctx context.Context, p *param.QueryAllocOrderParam, w Wait,
) (*Result[model.AllocOrderModel], error) {
	if p == nil {
		return nil, nilParam(p)
	}
	if p.AllocNo == "" {
		return nil, &ParamError{
			Param: fmt.Sprintf("%T", *p), Field: "AllocNo", Reason: "is required: no other number is searched",
		}
	}
	m, err := followOrder(ctx, c, w, c.allocLookup(p))
	return repeatable(m, err)
}

// proved returns the order if its outcome is proved.
func proved[M any](m *Result[M], err error) (*Result[M], error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// repeatable is proved, and takes an order that the gateway calls failed as well: its standing says that it is
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
	path  string                                       // of the query
	sync  func(context.Context) (follow.Answer, error) // nil if there is none
	see   func(*M) (status string, standing model.Standing, amount int64)
	check func(*M) (member string) // that is not what was asked for, "" if all is

	begun  func() bool // tells whether an order that is open is enough; nil if it is not
	absent bool        // "no such order" is enough, even if it proves nothing
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

// firstThatDiffers takes two numbers, each as name, what was asked for, and what was found. One that was not asked for
// may be any.
func firstThatDiffers(name1, asked1, found1, name2, asked2, found2 string) string {
	switch {
	case asked1 != "" && asked1 != found1:
		return name1
	case asked2 != "" && asked2 != found2:
		return name2
	}
	return ""
}

// from is what of a param's common members can stand in another request: not its time and nonce.
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

// StoreName returns Config.StoreName, or ServiceURL, its default: what stands for the gateway in the keys of a store.
func (c *Client) StoreName() string {
	if c == nil || c.core == nil {
		return ""
	}
	return c.core.StoreName
}

// speaks is the version that the gateway was told to be, or that it accepted last.
func (c *Client) speaks() gateway.Version {
	if c == nil || c.core == nil {
		return gateway.V208
	}
	if pinned, ok := c.core.Gateway.pinned(); ok {
		return pinned
	}
	return c.core.preferred()
}

// provesAbsence tells whether "no such order", said long enough after the last send, proves that nothing happened. The
// gateway has to refuse old requests, so that none arrives late; only those that know nonceStr do. The refusal has to
// be signed, and nobody must be on the line: it names no order, so that one about another order could stand in its
// place.
// This machine's clock must not be ahead of the gateway's, which would take the request for as much longer.
func (c *Client) provesAbsence(err error) bool {
	var refusal *GatewayError
	return c.speaks().KnowsNonce() && c.core.trusted && errors.As(err, &refusal) && refusal.Signed &&
		refusal.ahead <= tolerable
}

// wait is a Wait at work.
type wait[M any] struct {
	Wait
	lookup[M]
	client *Client
	order  follow.Order
	start  time.Time
	err    error  // the latest fault of a sync
	status string // that the latest query showed
}

// followOrder looks at an order until its outcome is proved, or cannot be. With an *UnresolvedError it returns the
// order as well, if the gateway has it.
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
		timer := time.NewTimer(at - f.age())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			err = f.over(ctx.Err(), errors.Join(err, f.err))
			if errors.Is(err, ErrNoSuchOrder) { // said too early to prove anything, or by a sync
				err = unknownOutcome(f.path, "wait again, with the same Wait.Made", err)
			}
			return nil, err
		}
	}
}

// over is the error of a wait that the context ends.
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

// look makes a query, after a sync if that is due, and tells whether that ends the wait. If not, err is a fault that
// can pass.
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

// read compares what was found with what was meant.
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

// synchronize makes a sync. Its error ends the wait.
func (f *wait[M]) synchronize(ctx context.Context) error {
	answer, err := f.sync(ctx)
	f.err = err
	var refusal *GatewayError
	switch {
	case err == nil:
	case errors.Is(err, ErrUnsupported):
		f.order.NoSync, f.err = true, nil
		return nil
	case errors.Is(err, ErrNoSuchOrder): // which the query is believed about, not the sync
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

// refused tells whether an error of the query, made at the age of asked, ends the wait.
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

// passes tells whether a fault can pass by itself.
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
