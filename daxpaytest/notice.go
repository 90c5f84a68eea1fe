package daxpaytest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
)

const (
	// noticeTimeout is how long the gateway waits for the reply to a notice.
	noticeTimeout = 5 * time.Second
	// resendAfter is when the job sends a notice once more that was not received, and resendAfter206 when that of 2.0.6
	// does.
	resendAfter    = 15 * time.Second
	resendAfter206 = 25 * time.Second
	// longestURL is the length of the column for the address of a notice, and longestURL207 that of the releases before
	// 2.0.8: a notice with a longer address is lost.
	longestURL    = 150
	longestURL207 = 255
	// received is the reply that counts.
	received = "SUCCESS"
)

// ErrNoNotice says that the gateway has no notice to send: it does not know the number, or the order has not ended.
var ErrNoNotice = errors.New("daxpaytest: no notice for this number")

// notice is one that the gateway has sent, or is about to.
type notice struct {
	No, BizNo string // of the order
	URL       string
	Body      []byte
	Sends     int
	Received  bool
	Due       time.Time // of the send by the job, zero for none

	build func() []byte // makes Body when it is sent
}

// sender is the one thread that sends notices.
type sender struct {
	off      bool // it sends nothing by itself
	mute     bool // while the gateway is where it cannot sign
	anywhere bool

	mu      sync.Mutex
	queue   []*notice
	sent    []*notice // all there were, the newest last
	running bool
	idle    []chan struct{} // waiting for the queue to be empty
	began   time.Time       // of the send under way
	cancel  context.CancelFunc
	timer   *time.Timer
}

// noticePayment sends a notice about a payment as it is.
func (g *Gateway) noticePayment(p *payment) {
	order := *p
	g.send(order.OrderNo, order.BizOrderNo, order.NotifyURL, func() object { return g.paymentNotice(&order) })
}

func (g *Gateway) noticeRefund(f *refund) {
	order := *f
	g.send(order.RefundNo, order.BizRefundNo, order.NotifyURL, func() object { return g.refundNotice(&order) })
}

func (g *Gateway) noticeAllocation(a *allocation) {
	order := a.copyOf()
	g.send(order.AllocNo, order.BizAllocNo, order.NotifyURL, func() object { return g.allocationNotice(order) })
}

// send puts a notice into the queue. It is made and signed when the thread gets to it.
func (g *Gateway) send(no, bizNo string, to *string, members func() object) {
	s := &g.sender
	longest := byVersion(g, longestURL, longestURL207)
	if s.off || s.mute || to == nil || isBlank(*to) || lengthOf(*to) > longest || g.oldest() {
		return
	}
	secret, signType := g.currentSecret(), g.settings.SignType
	s.enqueue(g, &notice{No: no, BizNo: bizNo, URL: *to, build: func() []byte {
		return g.signNotice(members(), string(signType), secret)
	}})
}

func (g *Gateway) signNotice(members object, signType, secret string) []byte {
	all := append(object{{"code", number(codeOK)}, {"msg", nil}, {"resTime", number(g.now().Unix())}}, members...)
	sign := peer.Sign(all, signType, secret, g.zone)
	return encode(slices.Insert(all, 3, pair{"sign", sign}), false)
}

func (s *sender) enqueue(g *Gateway, n *notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.isClosed() {
		return
	}
	s.queue = append(s.queue, n)
	if !s.running {
		s.running = true
		go s.run(g)
	}
}

// run sends what is in the queue, one after the other, and ends when it is empty.
func (s *sender) run(g *Gateway) {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 || g.isClosed() {
			s.queue, s.running = nil, false
			for _, waiting := range s.idle {
				close(waiting)
			}
			s.idle = nil
			s.mu.Unlock()
			return
		}
		n := s.queue[0]
		s.queue = s.queue[1:]
		first := n.Sends == 0
		if first {
			s.sent = append(s.sent, n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.began, s.cancel = g.now(), cancel
		began := s.began
		if n.Body == nil {
			n.Body = n.build()
		}
		to, body := n.URL, n.Body
		s.mu.Unlock()
		ok := s.post(ctx, to, body).Received && g.now().Sub(began) <= noticeTimeout
		cancel()
		s.mu.Lock()
		s.cancel = nil
		n.Sends++
		n.Received = n.Received || ok
		s.plan(g, n, first && !ok, began)
		s.mu.Unlock()
	}
}

// plan has the job send a notice again that was not received. After its second failure the gateway forgets it.
func (s *sender) plan(g *Gateway, n *notice, failed bool, began time.Time) {
	n.Due = time.Time{}
	again := g.version == "2.0.6" && n.Sends > 1 && n.Sends < 4 && !n.Received
	switch {
	case again: // the job of 2.0.6 sends three times in a row
		s.queue = append(s.queue, n)
	case failed && g.resends.Load():
		n.Due = began.Add(byRelease(g, resendAfter206, resendAfter))
		switch now := g.now(); {
		case !n.Due.After(now):
			n.Due = time.Time{}
			s.queue = append(s.queue, n)
		case !g.manual:
			s.timer = time.AfterFunc(time.Until(n.Due), g.TimeMoved)
		}
	}
}

func byRelease(g *Gateway, of206, later time.Duration) time.Duration {
	if g.version == "2.0.6" {
		return of206
	}
	return later
}

// TimeMoved tells the gateway that its clock has moved, so that it sends the notices that are due again, and gives up
// on one that has waited too long for its reply. A Clock calls it by itself.
func (g *Gateway) TimeMoved() {
	s := &g.sender
	s.mu.Lock()
	defer s.mu.Unlock()
	now := g.now()
	if s.cancel != nil && now.Sub(s.began) > noticeTimeout {
		s.cancel()
	}
	if g.isClosed() {
		return
	}
	for _, n := range s.sent {
		if n.Due.IsZero() || n.Due.After(now) {
			continue
		}
		if n.Due = (time.Time{}); !n.Received {
			s.queue = append(s.queue, n)
		}
	}
	if len(s.queue) > 0 && !s.running {
		s.running = true
		go s.run(g)
	}
}

// WaitNotices waits until every notice that the gateway has to send now is sent, and its reply is there or too late.
func (g *Gateway) WaitNotices(ctx context.Context) error {
	s := &g.sender
	s.mu.Lock()
	if !s.running {
		s.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	s.idle = append(s.idle, done)
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the thread.
func (s *sender) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = nil
	if s.cancel != nil {
		s.cancel()
	}
	if s.timer != nil {
		s.timer.Stop()
	}
}

// Resend sends the newest notice about a number once more, as the button in the gateway's console does, and tells
// whether it was received. The error is ErrNoNotice if there was none.
func (g *Gateway) Resend(ctx context.Context, no string) (bool, error) {
	s := &g.sender
	s.mu.Lock()
	var newest *notice
	for _, n := range s.sent {
		if sameText(n.No, no) || sameText(n.BizNo, no) {
			newest = n
		}
	}
	if newest == nil {
		s.mu.Unlock()
		return false, ErrNoNotice
	}
	to, body := newest.URL, newest.Body
	s.mu.Unlock()
	ok := s.post(ctx, to, body).Received
	s.mu.Lock()
	defer s.mu.Unlock()
	newest.Received = newest.Received || ok
	return ok, nil
}

// noticeClient sends notices. It follows no redirect and inflates nothing by itself.
var noticeClient = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Delivery is one attempt to send a notice.
type Delivery struct {
	URL      string
	Body     []byte // of the notice
	Status   int    // of the reply; 0 if there is none
	Reply    []byte // at most 4096 bytes
	Received bool   // the reply is exactly SUCCESS, whatever its status, within 5 seconds
	Err      string // why there is no reply, or not all of it
}

// post sends a notice once.
func (s *sender) post(ctx context.Context, to string, body []byte) Delivery {
	d := Delivery{URL: to, Body: body}
	target, err := url.Parse(withScheme(to))
	switch {
	case err != nil:
		d.Err = "the address is no URL"
	case !s.anywhere && !isLoopback(target.Hostname()):
		d.Err = "notices go to this machine only: see WithNoticesAnywhere"
	default:
		d.send(ctx)
	}
	return d
}

// withScheme is an address as the gateway takes it.
func withScheme(to string) string {
	if strings.Contains(to, "://") {
		return to
	}
	return "http://" + to
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func (d *Delivery) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, withScheme(d.URL), bytes.NewReader(d.Body))
	if err != nil {
		d.Err = "the address is no URL"
		return
	}
	for name, value := range map[string]string{
		"Accept":          "text/html,application/json,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Accept-Encoding": "gzip, deflate",
		"Cache-Control":   "no-cache",
		"Connection":      "keep-alive",
		"Content-Type":    "application/json",
		"Pragma":          "no-cache",
		"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) " +
			"Chrome/75.0.3770.142 Safari/537.36 Hutool",
	} {
		req.Header.Set(name, value)
	}
	res, err := noticeClient.Do(req)
	if err != nil {
		d.Err = whyNoReply(err)
		return
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	d.Status = res.StatusCode
	if d.Reply, err = readReply(res); err != nil {
		d.Err = whyNoReply(err)
		return
	}
	d.Received = string(d.Reply) == received
}

// whyNoReply says what went wrong, without the method and the URL.
func whyNoReply(err error) string {
	var about *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no whole reply within 5 seconds"
	case errors.As(err, &about):
		err = about.Err
	}
	return err.Error()
}

func readReply(res *http.Response) ([]byte, error) {
	var body io.Reader = res.Body
	var err error
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "gzip":
		body, err = gzip.NewReader(res.Body)
	case "deflate":
		body, err = zlib.NewReader(res.Body)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(body, 4096))
}

// Notice is the body of the notice about the payment, refund or allocation with that number, the gateway's or the
// merchant's, whether the gateway sends it by itself or not. It is made and signed when it is first asked for, and then
// stays the same, whatever becomes of the order's status. Payments have one when they are paid or closed, refunds when
// they are done or closed, and allocations when their shares have ended: finishing an allocation sends none.
func (g *Gateway) Notice(number string) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, _, err := g.notice(number)
	return body, err
}

// notice returns the body and the URL that it goes to.
func (g *Gateway) notice(no string) ([]byte, string, error) {
	if g.oldest() {
		return nil, "", ErrNoNotice
	}
	target := func(url *string) string {
		if url == nil {
			return ""
		}
		return *url
	}
	if p := g.findPayment(no); p != nil && p.Status != string(model.PayProgress) {
		return g.remembered("pay:"+p.OrderNo+p.Status, func() object { return g.paymentNotice(p) }),
			target(p.NotifyURL), nil
	}
	if f := g.findRefund(no); f != nil && (f.Status == paySuccess || f.Status == payClose) {
		return g.remembered("refund:"+f.RefundNo+f.Status, func() object { return g.refundNotice(f) }),
			target(f.NotifyURL), nil
	}
	if a := g.findAllocation(no); a != nil {
		key := "alloc:" + a.AllocNo
		if _, ok := g.bodies[key]; ok || a.Status == allocEnd {
			return g.remembered(key, func() object { return g.allocationNotice(a) }), target(a.NotifyURL), nil
		}
	}
	return nil, "", ErrNoNotice
}

func (g *Gateway) remembered(key string, members func() object) []byte {
	body, ok := g.bodies[key]
	if !ok {
		body = g.signNotice(members(), string(g.settings.SignType), g.currentSecret())
		g.bodies[key] = body
	}
	return bytes.Clone(body)
}

// SendNotice posts the notice about a number once to the order's NotifyURL, wherever that is, and returns what the
// merchant's endpoint replied. That there is no reply is no error, but Delivery.Err. The error is ErrNoNotice, also for
// an order without NotifyURL.
func (g *Gateway) SendNotice(ctx context.Context, number string) (Delivery, error) {
	g.mu.Lock()
	body, target, err := g.notice(number)
	g.mu.Unlock()
	if err != nil {
		return Delivery{}, err
	}
	if target == "" {
		return Delivery{}, fmt.Errorf("%w: it has no NotifyURL", ErrNoNotice)
	}
	d := Delivery{URL: target, Body: body}
	d.send(ctx)
	return d, nil
}

// DeliverNotice sends a notice as the gateway does where the job that sends again is switched on: until it is received,
// but twice at most, with 15 seconds between, for which it calls pause. It returns how often it was sent, and whether
// it was received. Without a pause function it waits for real, or until the context ends.
func (g *Gateway) DeliverNotice(
	ctx context.Context, number string, pause func(time.Duration),
) (sent int, received bool, err error) {
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
	const most = 2
	for {
		d, err := g.SendNotice(ctx, number)
		if err != nil {
			return sent, false, err
		}
		received = d.Received
		sent++
		switch {
		case received || sent == most:
			return sent, received, nil
		case ctx.Err() != nil:
			return sent, false, ctx.Err()
		}
		pause(resendAfter)
	}
}

func (g *Gateway) paymentNotice(p *payment) object {
	if g.version == "2.0.6" {
		return object{
			{"orderNo", p.OrderNo}, {"bizOrderNo", p.BizOrderNo}, {"title", p.Title}, {"channel", p.Channel},
			{"method", p.Method},
			{"amount", number(p.Amount)}, {"status", p.Status}, {"payTime", nullableNumber(p.PayTime)},
			{"closeTime", nullableNumber(p.CloseTime)}, {"createTime", number(p.Created)},
			{"attach", nullable(p.Attach)},
		}
	}
	o := object{
		{"orderNo", p.OrderNo}, {"bizOrderNo", p.BizOrderNo}, {"outOrderNo", nullable(p.OutOrderNo)},
		{"title", p.Title},
		{"description", nullable(p.Description)}, {"allocation", p.Allocation}, {"autoAllocation", nil},
		{"channel", p.Channel},
		{"method", p.Method}, {"amount", number(p.Amount)}, {"status", p.Status},
	}
	if g.current() {
		o = append(o, pair{"refundStatus", p.RefundStatus})
	}
	return append(o, pair{g.named("allocStatus"), nullable(p.AllocStatus)}, pair{"payTime", nullableNumber(p.PayTime)},
		pair{"expiredTime", nullableNumber(p.ExpiredTime)}, pair{"closeTime", nullableNumber(p.CloseTime)},
		pair{"attach", nullable(p.Attach)}, pair{"errorCode", nullable(p.ErrorCode)},
		pair{"errorMsg", nullable(p.ErrorMsg)})
}

func (g *Gateway) refundNotice(f *refund) object {
	if g.version == "2.0.6" {
		return object{
			{"refundNo", f.RefundNo}, {"bizRefundNo", f.BizRefundNo}, {"channel", nullable(f.Channel)},
			{"amount", number(f.Amount)},
			{"status", f.Status}, {"finishTime", nullableNumber(f.FinishTime)}, {"createTime", number(f.Created)},
			{"attach", nullable(f.Attach)},
		}
	}
	return append(f.members(), pair{"attach", nullable(f.Attach)}, pair{"errorCode", nullable(f.ErrorCode)},
		pair{"errorMsg", nullable(f.ErrorMsg)})
}

func (g *Gateway) allocationNotice(a *allocation) object {
	details := []any{}
	for _, d := range a.Details {
		details = append(details, object{
			{"receiverNo", nullable(d.ReceiverNo)}, {"amount", number(d.Amount)}, {"receiverType", nullable(d.Type)},
			{"receiverAccount", nullable(d.Account)}, {"receiverName", nullable(d.Name)}, {"result", d.Result},
			{"errorCode", nullable(d.ErrorCode)}, {"errorMsg", nullable(d.ErrorMsg)},
			{"finishTime", nullableNumber(d.FinishTime)},
		})
	}
	return object{
		{g.named("allocNo"), a.AllocNo}, {g.named("bizAllocNo"), a.BizAllocNo},
		{g.named("outAllocNo"), nullable(a.OutAllocNo)},
		{"orderNo", a.OrderNo}, {"bizOrderNo", a.BizOrderNo}, {"title", nullable(a.Title)},
		{"channel", nullable(a.Channel)},
		{"amount", number(a.Amount)}, {"description", nullable(a.Description)}, {"status", a.Status},
		{"result", nullable(a.Result)},
		{"finishTime", nil}, {"attach", nullable(a.Attach)}, {"details", details}, {"errorCode", nullable(a.ErrorCode)},
		{"errorMsg", nullable(a.ErrorMsg)},
	}
}
