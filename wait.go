package daxpay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Wait says how WaitPay and its like wait. The zero value is good.
type Wait struct {
	// First is the pause after the first look. Each pause is up to twice as long as the one before. Default: 1 second.
	First time.Duration
	// Ceiling is the longest pause. Default: 30 seconds.
	Ceiling time.Duration
	// Progress is called after each look, but for one that the context cut off, with the status that the gateway has, or with the
	// error for which there is none.
	Progress func(status string, err error)
}

const (
	defaultFirstPause   = time.Second
	defaultPauseCeiling = 30 * time.Second
)

// WaitPay looks at a payment, by sync and query, until its status is final or the context ends. It returns the payment, however it
// ended: look at its Status.
//
// Faults that can pass, such as a lost connection, are waited out. Any other ends the wait, as does a refusal of the query, which
// mostly means that the gateway has no such payment. When the context ends first, the error is the context's, joined with the
// latest fault.
//
// A sync can close a payment that the channel does not know, or no longer: that is its purpose. To look without that, use
// QueryPayOrder.
func (c *Client) WaitPay(ctx context.Context, p *param.QueryPayParam, w Wait) (*model.PayOrderModel, error) {
	if p == nil {
		return nil, nilParam(p)
	}
	return waitFor(ctx, w, p, (*Client).QueryPayOrder, c, func(ctx context.Context) error {
		_, err := c.SyncPay(ctx, &param.PaySyncParam{Common: from(p.Common), OrderNo: p.OrderNo, BizOrderNo: p.BizOrderNo})
		return err
	}, func(m *model.PayOrderModel) (string, bool) { return string(m.Status), m.Status.Final() })
}

// WaitRefund is WaitPay for a refund: a sync settles it, but cannot harm it.
func (c *Client) WaitRefund(ctx context.Context, p *param.QueryRefundParam, w Wait) (*model.RefundOrderModel, error) {
	if p == nil {
		return nil, nilParam(p)
	}
	return waitFor(ctx, w, p, (*Client).QueryRefundOrder, c, func(ctx context.Context) error {
		_, err := c.SyncRefund(ctx, &param.RefundSyncParam{Common: from(p.Common), RefundNo: p.RefundNo, BizRefundNo: p.BizRefundNo})
		return err
	}, func(m *model.RefundOrderModel) (string, bool) { return string(m.Status), m.Status.Final() })
}

// WaitTransfer is WaitPay for a transfer, by query alone: no gateway can sync one. A refusal of the query does not prove that the
// transfer was not paid, and will not be: the request may still be on its way. Never send it again for that reason; have a person
// look at the channel.
func (c *Client) WaitTransfer(ctx context.Context, p *param.QueryTransferParam, w Wait) (*model.TransferOrderModel, error) {
	if p == nil {
		return nil, nilParam(p)
	}
	return waitFor(ctx, w, p, (*Client).QueryTransferOrder, c, nil,
		func(m *model.TransferOrderModel) (string, bool) { return string(m.Status), m.Status.Final() })
}

// WaitAllocation is WaitPay for an allocation. It ends when the channel has dealt with every share, which is before
// FinishAllocation.
func (c *Client) WaitAllocation(ctx context.Context, p *param.QueryAllocOrderParam, w Wait) (*model.AllocOrderModel, error) {
	if p == nil {
		return nil, nilParam(p)
	}
	sync := func(ctx context.Context) error {
		_, err := c.SyncAllocation(ctx, &param.AllocSyncParam{Common: from(p.Common), AllocationNo: p.AllocationNo, BizAllocationNo: p.BizAllocationNo})
		if errors.Is(err, ErrUnsupported) {
			return nil // 2.0.6 has no such sync: the query has to do
		}
		return err
	}
	return waitFor(ctx, w, p, (*Client).QueryAllocOrder, c, sync,
		func(m *model.AllocOrderModel) (string, bool) { return string(m.Status), m.Status.Final() })
}

// RecoverPay finds out what became of a Pay that ended in ErrOutcomeUnknown: it queries the payment under the same BizOrderNo,
// until there is an answer or the context ends. It returns the payment if the gateway has it. A *GatewayError of the business
// mostly says that it has none (look at Msg); then the same param can be sent again, after a minute in which the lost request
// could still arrive. Of a payment that is open, Pay with the same param brings the PayBody. ErrEcho says that the gateway has another payment, of another amount, under that number.
func (c *Client) RecoverPay(ctx context.Context, p *param.PayParam, w Wait) (*model.PayOrderModel, error) {
	if p == nil {
		return nil, nilParam(p)
	}
	m, err := waitFor(ctx, w, &param.QueryPayParam{Common: from(p.Common), BizOrderNo: p.BizOrderNo}, (*Client).QueryPayOrder, c, nil,
		func(m *model.PayOrderModel) (string, bool) { return string(m.Status), true })
	if err == nil && m.Amount != p.Amount {
		return nil, notOurs("/unipay/query/payOrder", "amount")
	}
	return m, err
}

// RecoverRefund is RecoverPay for a Refund. One that failed, or that the gateway does not have, can be sent again, but only ever
// under the same BizRefundNo.
func (c *Client) RecoverRefund(ctx context.Context, p *param.RefundParam, w Wait) (*model.RefundOrderModel, error) {
	if p == nil {
		return nil, nilParam(p)
	}
	m, err := waitFor(ctx, w, &param.QueryRefundParam{Common: from(p.Common), BizRefundNo: p.BizRefundNo}, (*Client).QueryRefundOrder, c, nil,
		func(m *model.RefundOrderModel) (string, bool) { return string(m.Status), true })
	differs := func(ours, theirs string) bool { return ours != "" && theirs != "" && ours != theirs }
	switch {
	case err != nil:
		return nil, err
	case m.Amount != p.Amount:
		return nil, notOurs("/unipay/query/refundOrder", "amount")
	case differs(p.OrderNo, m.OrderNo) || p.OrderNo == "" && differs(p.BizOrderNo, m.BizOrderNo):
		return nil, notOurs("/unipay/query/refundOrder", "orderNo")
	}
	return m, nil
}

func notOurs(path, member string) error {
	return &AnswerError{Path: path, Member: member, Reason: "is not the one of the param: the number is used for something else", Err: ErrEcho}
}

// from is what of a param's common members can stand in another request: not its time and nonce.
func from(c param.Common) param.Common { return param.Common{ClientIP: c.ClientIP} }

func nilParam(p any) error {
	return &ParamError{Param: fmt.Sprintf("%T", p), Field: "the param", Reason: "must not be nil"}
}

// waitFor looks until settled says so: sync, if there is one, brings the gateway up to date, query asks it.
func waitFor[P, M any](
	ctx context.Context, w Wait, p P, query func(*Client, context.Context, P) (*Result[M], error), c *Client,
	sync func(context.Context) error, settled func(*M) (string, bool),
) (*M, error) {
	if ctx == nil {
		return nil, &ParamError{Param: fmt.Sprintf("%T", p), Field: "the context", Reason: "must not be nil"}
	}
	pause, ceiling := w.First, w.Ceiling
	if pause <= 0 {
		pause = defaultFirstPause
	}
	if ceiling <= 0 {
		ceiling = defaultPauseCeiling
	}
	var syncErr error // of the latest round; what the business refuses, the query explains
	for {
		if sync != nil {
			syncErr = sync(ctx)
			if syncErr != nil && !passes(syncErr) && !refusedByBusiness(syncErr) {
				return nil, syncErr
			}
		}
		res, err := query(c, ctx, p)
		status, done := "", false
		if err == nil {
			status, done = settled(&res.Data)
		}
		if w.Progress != nil && ctx.Err() == nil {
			w.Progress(status, err)
		}
		switch {
		case done:
			return &res.Data, nil
		case err != nil && !passes(err):
			return nil, err
		}
		pause = min(pause, ceiling)
		// A random part keeps clients that started together from asking together.
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1)) //nolint:gosec // nothing secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(ctx.Err(), err, syncErr)
		}
		pause *= 2
	}
}

func refusedByBusiness(err error) bool {
	refusal := (*GatewayError)(nil)
	return errors.As(err, &refusal) && refusal.Business
}

// passes tells whether a fault can pass by itself.
func passes(err error) bool {
	if refusal := (*GatewayError)(nil); errors.As(err, &refusal) {
		switch refusal.Code {
		case gateway.CodeSystemError, gateway.CodeRepeated, gateway.CodeInProgress, gateway.CodeOperating, gateway.CodeUnknownFailure:
			return !refusal.Business
		}
		return false
	}
	if reply := (*HTTPError)(nil); errors.As(err, &reply) {
		return reply.StatusCode >= http.StatusInternalServerError || reply.StatusCode == http.StatusTooManyRequests
	}
	transport := (*TransportError)(nil)
	return errors.As(err, &transport)
}
