package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/reconcile"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// process is one run of the shop's program. Once it is dead, nothing that it does has an effect: its calls do not go
// out and its transactions fail.
type process struct {
	shop *shop
	ctx  context.Context //nolint:containedctx // it is the life of the process
	kill context.CancelFunc
	dead bool

	client     *daxpay.Client // for what moves money
	asking     *daxpay.Client // for waiting, with one attempt: repeating a locked sync would take a real second
	notices    http.Handler
	reconciler *reconcile.Reconciler
}

// start starts the program: everything in memory is new.
func (s *shop) start() {
	p := &process{shop: s}
	p.ctx, p.kill = context.WithCancel(context.Background())
	config := s.gateway.Config()
	config.Logger = message.Silent()
	config.ServiceURL, config.HTTPClient = s.serviceURL, &http.Client{Transport: p}
	config.Retry = daxpay.Retry{BaseDelay: 1, MaxDelay: 1, Budget: -1}
	p.client = must(daxpay.New(config))
	config.Retry.MaxAttempts = 1
	p.asking = must(daxpay.New(config))
	p.notices = p.client.NoticeHandler(daxpay.NoticeHandlers{
		Pay: func(_ context.Context, n *model.PayNotice) error { return p.noticed(reconcile.Pay, n, "") },
		Refund: func(_ context.Context, n *model.RefundNotice) error {
			return p.noticed(reconcile.Refund, n, "")
		},
		Alloc: func(_ context.Context, n *model.AllocNotice) error {
			return p.noticed(reconcile.Allocation, n, n.AllocNo)
		},
		OnError: func(context.Context, error) {}, // the simulation makes refusals, and does not report them
	})
	settle := func(o reconcile.Order, amount int64, status string, standing model.Standing) error {
		return p.settle(s.table.find(o.Kind, o.No), amount, status, standing, byReconciler)
	}
	p.reconciler = must(reconcile.New(p.asking, p, reconcile.Sink{
		Pay: func(_ context.Context, o reconcile.Order, m *model.PayOrderModel) error {
			return settle(o, m.Amount, string(m.Status), m.Standing())
		},
		Refund: func(_ context.Context, o reconcile.Order, m *model.RefundOrderModel) error {
			return settle(o, m.Amount, string(m.Status), m.Standing())
		},
		Transfer: func(_ context.Context, o reconcile.Order, m *model.TransferOrderModel) error {
			return settle(o, m.Amount, string(m.Status), m.Standing())
		},
		Allocation: func(_ context.Context, o reconcile.Order, m *model.AllocOrderModel) error {
			return settle(o, m.Amount, string(m.Status), m.Standing())
		},
		Unknown: p.unknown,
	}, reconcile.Options{
		Concurrency: 1, Interval: 1, PageSize: 50, UnknownAfter: 5 * time.Minute, Now: s.now, OnError: s.failed,
	}))
	s.process = p
}

// must is for errors that only a mistake in this program can cause.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// dies reports whether the process is dead, or dies now.
func (p *process) dies() bool {
	if !p.dead && p.shop.random.IntN(10_000) < crashRate {
		p.dead = true
		p.kill()
	}
	return p.dead
}

// begin stores an order, and sends it.
func (p *process) begin(r *row) {
	if p.commit(func() { p.shop.table.add(r) }) == nil {
		p.send(p.ctx, r)
	}
}

// send stores that the order is sent, sends it, and stores what the answer proves. A transfer goes out only once.
func (p *process) send(ctx context.Context, r *row) {
	if r.kind == reconcile.Transfer && r.sends > 0 {
		panic("the shop sends a transfer twice")
	}
	if p.commit(func() { r.sends++; r.sent = p.shop.now() }) != nil {
		return
	}
	err := p.call(ctx, r)
	switch {
	case err == nil:
	case errors.Is(err, daxpay.ErrOutcomeUnknown), errors.Is(err, daxpay.ErrEarlierSend):
		var answer *daxpay.AnswerError
		if errors.As(err, &answer) && answer.Status == string(model.AllocFailed) {
			_ = p.commit(func() { r.failures++ }) // its gateway number is unknown, so nothing else will find out
		}
		if p.shop.chance(40) {
			p.recover(ctx, r)
		}
	case r.sends == 1: // the only send did nothing
		p.replace(r, refused, refusedOrders)
	}
}

// sendUnaware sends an order in a part of the program that does not know that another part is sending it, as after a
// double click. It believes that a refusal proves that the order did nothing, unless the client says that an earlier
// send can be the reason.
func (p *process) sendUnaware(ctx context.Context, r *row) {
	err := p.call(ctx, r)
	if err != nil && !errors.Is(err, daxpay.ErrOutcomeUnknown) && !errors.Is(err, daxpay.ErrEarlierSend) {
		p.replace(r, refused, refusedOrders)
	}
}

// call sends the order, and stores what success proves.
func (p *process) call(ctx context.Context, r *row) error {
	succeeded := func(status string, yes bool) {
		if yes {
			_ = p.settle(r, r.amount, status, model.Succeeded, byCall) // if that fails, a notice or the reconciler brings it
		}
	}
	switch r.kind {
	case reconcile.Pay:
		res, err := p.client.Pay(ctx, p.shop.payParam(r))
		if err != nil {
			return err
		}
		succeeded(string(res.Data.Status), res.Data.Status == model.PaySuccess)
	case reconcile.Refund:
		_, err := p.client.Refund(ctx, p.shop.refundParam(r))
		return err
	case reconcile.Transfer:
		res, err := p.client.Transfer(ctx, transferParam(r))
		if err != nil {
			return err
		}
		succeeded(string(res.Data.Status), res.Data.Status == model.TransferSuccess)
		if res.Data.Status == model.TransferFail { // the client must not call that a proof
			p.replace(r, refused, refusedOrders)
		}
	case reconcile.Allocation:
		res, err := p.client.StartAlloc(ctx, p.shop.allocationParam(r))
		if err != nil {
			return err
		}
		_ = p.commit(func() { r.gatewayNo = res.Data.AllocNo }) // if that fails, it is started again
	}
	return nil
}

// mostNumbers is how many numbers the shop tries for the same want.
const mostNumbers = 3

// replace stores that an order did nothing. The shop then tries another number, or gives up.
func (p *process) replace(r *row, status string, by figure) {
	s := p.shop
	_ = p.commit(func() {
		if !r.settle(status, model.Ended) {
			return
		}
		s.books.count[by]++
		s.settled(r, model.Ended)
		if numbers := s.numbers[r.want]; numbers < mostNumbers {
			next := *r
			next.no, next.status, next.sends, next.gatewayNo = fmt.Sprintf("%s-%d", r.no[:6], numbers+1), isOpen, 0, ""
			next.why, next.failures, next.sent = "", 0, time.Time{}
			next.expires = s.now().Add(s.lifetime())
			s.numbers[r.want]++
			s.table.add(&next)
			s.books.count[renumbered]++
		}
	})
}

// looks is how often a page of the shop looks at an order before its user goes away.
const looks = 6

// wait is how the shop waits for an order: a few looks, with time passing between them. The client counts the age of
// the order by the real clock, so Made is set back by the virtual age.
func (p *process) wait(ctx context.Context, r *row) (context.Context, daxpay.Wait, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithValue(ctx, waiting{}, true))
	n := 0
	return ctx, daxpay.Wait{
		Made: time.Now().Add(-p.shop.now().Sub(r.sent)), Amount: r.amount, First: 1, Ceiling: 1,
		Progress: func(string, error) {
			if n++; n >= looks || p.dead {
				cancel()
			}
			p.shop.pass(time.Second)
		},
	}, cancel
}

// recover finds out the outcome of an order whose outcome is unknown.
func (p *process) recover(ctx context.Context, r *row) {
	limited, w, cancel := p.wait(ctx, r)
	defer cancel()
	switch r.kind {
	case reconcile.Pay:
		m, err := p.asking.RecoverPay(limited, p.shop.payParam(r), w)
		if err == nil && m.Data.Standing() == model.Open && r.method == model.MethodQRCode && p.shop.chance(50) {
			p.send(ctx, r) // sent again, it returns the code for the customer
			return
		}
		p.recovered(ctx, r, err, m != nil,
			func() error { return p.found(r, m.Data.Amount, string(m.Data.Status), m.Data.Standing()) })
	case reconcile.Refund:
		m, err := p.asking.RecoverRefund(limited, p.shop.refundParam(r), w)
		p.recovered(ctx, r, err, m != nil,
			func() error { return p.found(r, m.Data.Amount, string(m.Data.Status), m.Data.Standing()) })
	default:
		p.watch(ctx, r)
	}
}

// recovered stores what RecoverPay or RecoverRefund found out. If it is proved that the gateway does not have the
// order, the shop sends it again, or gives up the number.
func (p *process) recovered(ctx context.Context, r *row, err error, isThere bool, found func() error) {
	switch {
	case isThere:
		_ = found()
	case errors.Is(err, daxpay.ErrNoSuchOrder) && !errors.Is(err, daxpay.ErrOutcomeUnknown):
		if p.shop.chance(50) {
			p.replace(r, never, neverArrived)
		} else if p.shop.chance(50) {
			p.send(ctx, r)
		}
	default:
		p.unresolved(ctx, r, err)
	}
}

// found stores how an order ended, if it has.
func (p *process) found(r *row, amount int64, status string, standing model.Standing) error {
	if standing == model.Succeeded || standing == model.Ended {
		return p.settle(r, amount, status, standing, byWait)
	}
	return nil
}

// watch is a page of the shop that waits for an order.
func (p *process) watch(ctx context.Context, r *row) {
	limited, w, cancel := p.wait(ctx, r)
	defer cancel()
	var err error
	switch r.kind {
	case reconcile.Pay:
		var m *daxpay.Result[model.PayOrderModel]
		if m, err = p.asking.WaitPay(limited, &param.QueryPayOrderParam{BizOrderNo: r.no}, w); err == nil {
			err = p.found(r, m.Data.Amount, string(m.Data.Status), m.Data.Standing())
		}
	case reconcile.Refund:
		var m *daxpay.Result[model.RefundOrderModel]
		if m, err = p.asking.WaitRefund(limited, &param.QueryRefundOrderParam{BizRefundNo: r.no}, w); err == nil {
			err = p.found(r, m.Data.Amount, string(m.Data.Status), m.Data.Standing())
		}
	case reconcile.Transfer:
		var m *daxpay.Result[model.TransferOrderModel]
		if m, err = p.asking.WaitTransfer(limited, &param.QueryTransferOrderParam{BizTransferNo: r.no}, w); err == nil {
			err = p.found(r, m.Data.Amount, string(m.Data.Status), m.Data.Standing())
		}
	case reconcile.Allocation:
		if r.gatewayNo == "" {
			return // the reconciler starts it again
		}
		var m *daxpay.Result[model.AllocOrderModel]
		if m, err = p.asking.WaitAlloc(limited, &param.QueryAllocOrderParam{AllocNo: r.gatewayNo}, w); err == nil {
			err = p.found(r, m.Data.Amount, string(m.Data.Status), m.Data.Standing())
		}
	}
	p.unresolved(ctx, r, err)
}

// unresolved handles the error of a wait, which may say that waiting does not help.
func (p *process) unresolved(ctx context.Context, r *row, err error) {
	var why *daxpay.UnresolvedError
	if errors.As(err, &why) {
		_ = p.review(ctx, r, why.Reason)
	}
}

// unknown is the sink's function for an order whose outcome the gateway cannot tell.
func (p *process) unknown(ctx context.Context, o reconcile.Order, why *daxpay.UnresolvedError) error {
	return p.review(ctx, p.shop.table.find(o.Kind, o.No), why.Reason)
}

// mostFailures is how often the shop sends a failed refund or allocation again.
const mostFailures = 8

// review does what the reason allows: it sends the order again under the same number, or has a person look.
func (p *process) review(ctx context.Context, r *row, why daxpay.UnresolvedReason) error {
	again := false
	switch {
	case r.status != isOpen:
		return nil
	case r.kind == reconcile.Transfer: // never
	// A wallet would be charged again, and a refund that failed may have been done.
	case why == daxpay.UnresolvedNoSuchOrder:
		again = r.channel != model.ChannelWallet && (r.kind != reconcile.Refund || r.absences < mostFailures)
	case why == daxpay.UnresolvedFailed, why == daxpay.UnresolvedNoNumber:
		again = r.failures < mostFailures
	}
	if !again {
		return p.commit(func() { r.why = why })
	}
	if why == daxpay.UnresolvedNoSuchOrder {
		if err := p.commit(func() { r.absences++ }); err != nil {
			return err
		}
	}
	if why == daxpay.UnresolvedFailed {
		if err := p.commit(func() { r.failures++ }); err != nil {
			return err
		}
		p.shop.books.count[repeats]++
	}
	p.send(ctx, r)
	return nil
}

// noticed stores what a notice proves.
func (p *process) noticed(kind reconcile.Kind, n model.Notice, allocationNo string) error {
	r := p.shop.table.find(kind, n.BizNumber())
	if r == nil {
		return errors.New("not an order of the shop")
	}
	if err := (daxpay.Expect{BizOrderNo: r.no, Amount: r.amount}).Check(n); err != nil {
		return err
	}
	if allocationNo != "" && r.gatewayNo == "" {
		if err := p.commit(func() { r.gatewayNo = allocationNo }); err != nil {
			return err
		}
	}
	standing := n.Standing()
	if standing != model.Succeeded && standing != model.Ended {
		return nil // only a query tells
	}
	return p.settle(r, n.Total(), n.State(), standing, byNotice)
}

// end closes or cancels a payment.
func (p *process) end(ctx context.Context, r *row) {
	var err error
	status := model.PayClose
	if p.shop.chance(50) {
		_, err = p.client.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: r.no})
	} else {
		status = model.PayCancel
		_, err = p.client.CancelPay(ctx, &param.PayCancelParam{BizOrderNo: r.no})
	}
	if err == nil {
		_ = p.settle(r, r.amount, string(status), model.Ended, byCall)
	}
}

// finishAllocation finishes an allocation. If the answer to an earlier try was lost, it queries first.
func (p *process) finishAllocation(ctx context.Context, r *row) {
	if r.finish == finishSent {
		res, err := p.asking.QueryAllocOrder(ctx, &param.QueryAllocOrderParam{AllocNo: r.gatewayNo})
		if err != nil {
			return
		}
		if res.Data.Status == model.AllocFinish {
			_ = p.commit(func() { r.finish = finished })
			return
		}
	}
	if p.commit(func() { r.finish = finishSent }) != nil {
		return
	}
	if _, err := p.client.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: r.gatewayNo}); err == nil {
		_ = p.commit(func() { r.finish = finished })
	}
}

// resume goes through the table for orders that no part of the program works on. It does what the program does when it
// starts after a crash, and what its jobs and users do.
func (p *process) resume() {
	s := p.shop
	for _, r := range append([]*row(nil), s.table.rows...) {
		age := s.now().Sub(r.sent)
		switch {
		case p.dead:
			return
		case r.status == isOpen && r.sends == 0:
			p.send(p.ctx, r)
		case r.status == isOpen && r.why == "" && age > 21*time.Second && s.chance(3):
			p.recover(p.ctx, r)
		case r.status == isOpen && r.why == "" && age < 10*time.Minute && s.chance(2):
			p.watch(p.ctx, r)
		case r.isOver() && s.now().Sub(r.settled) < 20*time.Second && s.chance(60): // the customer says that it is paid
			p.watch(p.ctx, r)
		case r.status == isOpen && r.why == "" && r.method == model.MethodQRCode && s.chance(1) && s.chance(60):
			p.end(p.ctx, r)
		case r.kind == reconcile.Transfer && r.status == isOpen && r.why == "" && age > 2*time.Hour:
			_ = p.commit(func() { r.why = underWay })
		case r.finish == toFinish && s.chance(20), r.finish == finishSent && s.chance(50):
			p.finishAllocation(p.ctx, r)
		}
	}
}

// The params of the orders.

func (s *shop) payParam(r *row) *param.PayParam {
	expires := r.expires
	if now := s.now(); expires.Before(now) { // a past time is not sent; the gateway keeps that of an order that it has
		expires = now.Add(time.Minute)
	}
	p := &param.PayParam{
		BizOrderNo: r.no, Title: "shoes", Channel: r.channel, Method: r.method, Amount: r.amount, NotifyURL: s.notifyURL,
	}
	switch {
	case r.channel == model.ChannelWallet:
		p.ExtraParam = param.WalletPay{UserID: "u1"}
	case r.method == model.MethodBarCode:
		p.ExpiredTime, p.ExtraParam = expires, param.BarCode{AuthCode: "28763443825664394"}
	default:
		p.ExpiredTime = expires
	}
	return p
}

func (s *shop) refundParam(r *row) *param.RefundParam {
	return &param.RefundParam{BizRefundNo: r.no, OrderNo: r.payment, Amount: r.amount, NotifyURL: s.notifyURL}
}

func transferParam(r *row) *param.TransferParam {
	return &param.TransferParam{
		BizTransferNo: r.no, Channel: model.ChannelAli, Amount: r.amount, PayeeType: model.PayeeAliUserID,
		PayeeAccount: "2088000000000001",
	}
}

func (s *shop) allocationParam(r *row) *param.AllocStartParam {
	half := r.amount / 2
	return &param.AllocStartParam{
		BizAllocNo: r.no, OrderNo: r.payment, NotifyURL: s.notifyURL,
		Receivers: []param.AllocReceiver{{ReceiverNo: "V1", Amount: half}, {ReceiverNo: "V2", Amount: r.amount - half}},
	}
}
