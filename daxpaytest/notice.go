package daxpaytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
)

// pauses lie between the sends of a notice that is not received, 24 hours and 4 minutes in all.
var pauses = []time.Duration{
	15 * time.Second, 15 * time.Second, 30 * time.Second,
	3 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, 30 * time.Minute, 30 * time.Minute, time.Hour,
	3 * time.Hour, 3 * time.Hour, 3 * time.Hour, 6 * time.Hour, 6 * time.Hour,
}

// noticeTimeout is how long the gateway waits for the reply to a notice.
const noticeTimeout = 5 * time.Second

// ErrNoNotice says that the gateway has no notice to send: it does not know the number, or the order has not ended.
var ErrNoNotice = errors.New("daxpaytest: no notice for this number")

// Notice is the body of the notice about the payment, refund or allocation with that number, the gateway's or the merchant's. It is
// made and signed when it is first asked for, and then stays the same, whatever becomes of the order's status.
func (g *Gateway) Notice(number string) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, _, err := g.notice(number)
	return body, err
}

// notice returns the body and the URL that it goes to.
func (g *Gateway) notice(no string) ([]byte, string, error) {
	if g.version == daxpay.GatewayV205 {
		return nil, "", ErrNoNotice
	}
	p := find(g.payments, func(p Payment) bool { return p.has(no) })
	f := find(g.refunds, func(f Refund) bool { return f.has(no) })
	a := find(g.allocations, func(a Allocation) bool { return a.has(no) })
	switch {
	case p != nil && p.order() != model.PayProgress:
		return g.signedNotice("pay:"+p.OrderNo+p.BizOrderNo+string(p.order()), g.payNotice(p)), p.NotifyURL, nil
	case f != nil && f.order() != model.RefundProgress:
		return g.signedNotice("refund:"+f.RefundNo+f.BizRefundNo+string(f.order()), g.refundNotice(f)), f.NotifyURL, nil
	case a != nil && a.Status != model.AllocProcessing:
		return g.signedNotice("alloc:"+a.AllocationNo+a.BizAllocationNo+string(a.Status), g.allocNotice(a)), a.NotifyURL, nil
	}
	return nil, "", ErrNoNotice
}

func (g *Gateway) signedNotice(key string, members object) []byte {
	body, ok := g.notices[key]
	if !ok {
		all := append(object{{"code", number(codeOK)}, {"msg", nil}, {"resTime", number(g.now().Unix())}}, members...)
		body = peer.Encode(append(all, pair{"sign", peer.Sign(all, string(g.signType), g.currentSecret(), g.zone)}))
		g.notices[key] = body
	}
	return bytes.Clone(body)
}

func (g *Gateway) payNotice(p *Payment) object {
	return object{
		{"orderNo", p.OrderNo},
		{"bizOrderNo", p.BizOrderNo},
		{"outOrderNo", nil},
		{"title", p.Title},
		{"description", nil},
		{"allocation", false},
		{"autoAllocation", nil},
		{"channel", string(p.Channel)},
		{"method", string(p.Method)},
		{"amount", number(p.Amount)},
		{"status", string(p.order())},
		{"refundStatus", nil},
		{oldName(g.version, "allocStatus"), nil},
		{"payTime", seconds(p.paid)},
		{"expiredTime", nil},
		{"closeTime", seconds(p.closed)},
		{"attach", p.Attach},
		{"errorCode", nil},
		{"errorMsg", nil},
	}
}

func (g *Gateway) refundNotice(f *Refund) object {
	return object{
		{"orderNo", f.OrderNo},
		{"bizOrderNo", f.BizOrderNo},
		{"outOrderNo", nil},
		{"title", nil},
		{"refundNo", f.RefundNo},
		{"bizRefundNo", f.BizRefundNo},
		{"outRefundNo", nil},
		{"channel", nil},
		{"orderAmount", nil},
		{"amount", number(f.Amount)},
		{"reason", f.Reason},
		{"refundTime", seconds(f.started)},
		{"finishTime", seconds(f.finished)},
		{"status", string(f.order())},
		{"attach", f.Attach},
		{"errorCode", nil},
		{"errorMsg", nil},
	}
}

func (g *Gateway) allocNotice(a *Allocation) object {
	total := int64(0)
	details := []any{}
	for _, s := range a.Shares {
		total += s.Amount
		details = append(details, object{
			{"receiverNo", s.ReceiverNo}, {"amount", number(s.Amount)}, {"receiverType", nil}, {"receiverAccount", nil}, {"receiverName", nil},
			{"result", string(a.detailResult())}, {"errorCode", nil}, {"errorMsg", nil}, {"finishTime", seconds(a.finished)},
		})
	}
	return object{
		{oldName(g.version, "allocNo"), a.AllocationNo},
		{oldName(g.version, "bizAllocNo"), a.BizAllocationNo},
		{oldName(g.version, "outAllocNo"), nil},
		{"orderNo", a.OrderNo},
		{"bizOrderNo", a.BizOrderNo},
		{"title", nil},
		{"channel", nil},
		{"amount", number(total)},
		{"description", a.description},
		{"status", string(a.Status)},
		{"result", string(a.result())},
		{"finishTime", seconds(a.finished)},
		{"attach", a.Attach},
		{"details", details},
		{"errorCode", nil},
		{"errorMsg", nil},
	}
}

// SendNotice posts the notice about a number once to the order's NotifyURL, and tells whether it counts as received: the reply is
// exactly SUCCESS, within 5 seconds. The error is ErrNoNotice, also for an order without NotifyURL.
func (g *Gateway) SendNotice(ctx context.Context, number string) (bool, error) {
	g.mu.Lock()
	body, target, err := g.notice(number)
	g.mu.Unlock()
	if err != nil {
		return false, err
	}
	if target == "" {
		return false, fmt.Errorf("%w: it has no NotifyURL", ErrNoNotice)
	}
	return post(ctx, target, body), nil
}

// DeliverNotice sends a notice as the gateway does where re-sending is switched on: until it is received, 16 times at most, with its
// pauses between, for which it calls pause. It returns how often it was sent, and whether it was received. Without a pause
// function it waits for real, up to 24 hours and 4 minutes, or until the context ends.
func (g *Gateway) DeliverNotice(ctx context.Context, number string, pause func(time.Duration)) (sent int, received bool, err error) {
	if pause == nil {
		pause = func(d time.Duration) {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
	}
	for {
		received, err = g.SendNotice(ctx, number)
		if err != nil {
			return sent, false, err
		}
		sent++
		switch {
		case received || sent > len(pauses):
			return sent, received, nil
		case ctx.Err() != nil:
			return sent, false, ctx.Err()
		}
		pause(pauses[sent-1])
	}
}

func post(ctx context.Context, target string, body []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	direct := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := direct.Do(req)
	if err != nil {
		return false
	}
	reply, err := io.ReadAll(io.LimitReader(res.Body, 64))
	return errors.Join(err, res.Body.Close()) == nil && string(reply) == "SUCCESS"
}
