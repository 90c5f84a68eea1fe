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
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
)

const (
	// noticeTimeout is how long the gateway waits for the reply to a notice.
	noticeTimeout = 5 * time.Second
	// resendAfter is how long after the first send the job sends a notice again that was not received; resendAfter206
	// is the same for 2.0.6.
	resendAfter    = 15 * time.Second
	resendAfter206 = 25 * time.Second
	// longestURL is the length of the database column for the address of a notice; longestURL207 is the same before
	// 2.0.8. A notice with a longer address is lost.
	longestURL    = 150
	longestURL207 = 255
	// received is the only reply by which a notice counts as received.
	received = "SUCCESS"
)

// ErrNoNotice says that there is no notice about a number: the gateway does not know it, or the order has not ended.
var ErrNoNotice = errors.New("daxpaytest: no notice for this number")

// notice is a notice that the gateway has sent or will send.
type notice struct {
	ID        int64 // they count from 1
	Kind      OrderKind
	No, BizNo string // of the order
	URL       string
	Body      []byte
	Sends     int
	Received  bool
	Due       time.Time // when the job sends it again, or when a delayed first send is due; zero for neither

	build func() []byte // makes Body when it is sent
}

// sender is the one goroutine that sends notices, with its queue.
type sender struct {
	off      bool // WithoutNotices
	mute     bool // the gateway is at a place where it cannot sign, so the notice is not made
	anywhere bool
	made     atomic.Int64

	mu      sync.Mutex
	queue   []*notice
	sent    []*notice // the newest last
	running bool
	idle    []chan struct{} // waiting for the queue to be empty
	began   time.Time       // of the current send
	cancel  context.CancelFunc
	timer   *time.Timer
	lose    map[string]int           // how many of the next notices are lost, by the number of the order
	delay   map[string]time.Duration // of the next notice, by the number of the order
	changed map[int64]*notice        // since the last entry of the journal
}

// noticePayment sends a notice about a payment in its present state.
func (g *Gateway) noticePayment(p *payment) {
	order := *p
	g.send(KindPay, order.OrderNo, order.BizOrderNo, order.NotifyURL, func() object { return g.paymentNotice(&order) })
}

func (g *Gateway) noticeRefund(f *refund) {
	order := *f
	g.send(KindRefund, order.RefundNo, order.BizRefundNo, order.NotifyURL, func() object { return g.refundNotice(&order) })
}

func (g *Gateway) noticeAllocation(a *allocation) {
	order := a.copyOf()
	g.send(KindAlloc, order.AllocNo, order.BizAllocNo, order.NotifyURL, func() object { return g.allocationNotice(order) })
}

// send puts a notice into the queue. The notice is made and signed when its turn comes.
func (g *Gateway) send(kind OrderKind, no, bizNo string, to *string, members func() object) {
	s := &g.sender
	longest := byVersion(g, longestURL, longestURL207)
	if s.off || s.mute || to == nil || isBlank(*to) || lengthOf(*to) > longest || g.oldest() {
		return
	}
	secret, signType := g.currentSecret(), g.settings.SignType
	s.enqueue(g, &notice{ID: s.made.Add(1), Kind: kind, No: no, BizNo: bizNo, URL: *to, build: func() []byte {
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
	s.touch(n)
	no := collated(n.No)
	wait, later := s.delay[no]
	delete(s.delay, no)
	if later {
		n.Due = g.now().Add(wait)
		s.sent = append(s.sent, n)
		s.arm(g)
		return
	}
	s.queue = append(s.queue, n)
	s.start(g)
}

func (s *sender) touch(n *notice) {
	if s.changed != nil {
		s.changed[n.ID] = n
	}
}

func (s *sender) start(g *Gateway) {
	if len(s.queue) > 0 && !s.running {
		s.running = true
		go s.run(g)
	}
}

// run sends the notices of the queue one after the other, and ends when the queue is empty.
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
		if first && !slices.Contains(s.sent[max(0, len(s.sent)-longestSearch):], n) {
			s.sent = append(s.sent, n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.began, s.cancel = g.now(), cancel
		began := s.began
		if n.Body == nil {
			n.Body = n.build()
		}
		lost := s.takeLoss(n.No)
		s.touch(n)
		d := n.delivery(n.Sends + 1)
		s.mu.Unlock()
		g.attempt(ctx, &d, lost, s.anywhere)
		cancel()
		ok := d.Received && g.now().Sub(began) <= noticeTimeout
		s.mu.Lock()
		s.cancel = nil
		n.Sends++
		n.Received = n.Received || ok
		s.touch(n)
		s.plan(g, n, first && !ok, began)
		s.mu.Unlock()
		g.report(d)
	}
}

// takeLoss reports whether the next notice about an order is to be lost, and counts it as lost then.
func (s *sender) takeLoss(no string) bool {
	no = collated(no)
	if s.lose[no] == 0 {
		return false
	}
	s.lose[no]--
	return true
}

func (n *notice) delivery(attempt int) Delivery {
	return Delivery{Kind: n.Kind, No: n.No, BizNo: n.BizNo, URL: n.URL, Body: n.Body, Attempt: attempt}
}

// longestSearch is how far back in sent a delayed notice is looked for.
const longestSearch = 1000

// attempt sends a notice once. Before that it writes what has happened so far to the journal.
func (g *Gateway) attempt(ctx context.Context, d *Delivery, lost, anywhere bool) {
	d.Began = g.now()
	if err := g.commit(); err != nil {
		d.Err = "the journal could not be written"
		return
	}
	if lost {
		d.Lost = true
		return
	}
	start := time.Now()
	d.post(ctx, anywhere)
	d.Took = time.Since(start)
}

// report writes an attempt to the journal.
func (g *Gateway) report(d Delivery) {
	if g.journal == nil {
		return
	}
	g.mu.Lock()
	g.pending.Deliveries = append(g.pending.Deliveries, d)
	g.done()
}

// plan has the job send a notice again that was not received. After the second failure the gateway gives it up.
func (s *sender) plan(g *Gateway, n *notice, failed bool, began time.Time) {
	n.Due = time.Time{}
	again := g.is206() && n.Sends > 1 && n.Sends < 4 && !n.Received
	switch {
	case again: // the job of 2.0.6 sends three times in a row
		s.queue = append(s.queue, n)
	case failed && g.resends.Load():
		n.Due = began.Add(resendAfter)
		if g.is206() {
			n.Due = began.Add(resendAfter206)
		}
		if !n.Due.After(g.now()) {
			n.Due = time.Time{}
			s.queue = append(s.queue, n)
			return
		}
		s.arm(g)
	}
}

// arm sets the timer for the notice that is due first, if time runs by itself.
func (s *sender) arm(g *Gateway) {
	if !g.timeRuns() || g.isClosed() {
		return
	}
	var first time.Time
	for _, n := range s.sent {
		if !n.Due.IsZero() && (first.IsZero() || n.Due.Before(first)) {
			first = n.Due
		}
	}
	if first.IsZero() {
		return
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(first.Sub(g.now()), g.TimeMoved)
}

// TimeMoved tells the gateway that the clock of WithClock has moved. The gateway then sends the notices that have
// become due, and stops waiting for a reply that is too late. A Clock calls it by itself.
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
		s.touch(n)
	}
	s.start(g)
	s.arm(g)
}

// prune forgets notices that are done with if there are more than the limit of orders.
func (s *sender) prune(g *Gateway) {
	s.mu.Lock()
	defer s.mu.Unlock()
	surplus := len(s.sent) - g.mostOrders
	if surplus <= 0 {
		return
	}
	surplus += g.mostOrders / 500
	s.sent = slices.DeleteFunc(s.sent, func(n *notice) bool {
		if surplus <= 0 || !n.Due.IsZero() || n.Sends == 0 {
			return false
		}
		surplus--
		if s.changed != nil {
			s.changed[n.ID] = nil
		}
		return true
	})
}

// WaitNotices returns when the gateway has sent every notice that is due now, and each has its reply or is given up. It
// returns the error of ctx if that ends first.
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

// stop ends the goroutine that sends.
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

// LoseNotice makes the next notice about an order get lost on its way, whether the gateway, Resend or SendNotice sends
// it. Each call loses one more. number is the gateway's or the merchant's. LoseNotice reports whether there is such an
// order.
func (g *Gateway) LoseNotice(number string) bool {
	return g.nextNotice(number, func(no string) {
		g.sender.lose = filled(g.sender.lose)
		g.sender.lose[no]++
	})
}

// DelayNotice delays the next notice that the gateway sends about an order by itself by d of the gateway's time. number
// is the gateway's or the merchant's. DelayNotice reports whether there is such an order.
func (g *Gateway) DelayNotice(number string, d time.Duration) bool {
	return g.nextNotice(number, func(no string) {
		g.sender.delay = filled(g.sender.delay)
		g.sender.delay[no] = d
	})
}

func (g *Gateway) nextNotice(number string, set func(no string)) bool {
	o, ok := g.Order("", number)
	if ok {
		g.sender.mu.Lock()
		defer g.sender.mu.Unlock()
		set(collated(o.No))
	}
	return ok
}

// DueNotice is a notice that the gateway will send by itself.
type DueNotice struct {
	Kind      OrderKind
	No, BizNo string // of the order
	URL       string
	Sends     int       // so far
	Due       time.Time // by the gateway's clock; now for one that waits for its turn
}

// DueNotices returns the notices that the gateway will send by itself: those that wait for their turn, those that
// DelayNotice delays, and those that the job will send again.
func (g *Gateway) DueNotices() []DueNotice {
	s := &g.sender
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []DueNotice
	add := func(n *notice, due time.Time) {
		list = append(list, DueNotice{n.Kind, n.No, n.BizNo, n.URL, n.Sends, due})
	}
	for _, n := range s.queue {
		add(n, g.now())
	}
	for _, n := range s.sent {
		if !n.Due.IsZero() {
			add(n, n.Due)
		}
	}
	return list
}

// Resend sends the newest notice about a number again, as the button in the gateway's console does, and reports whether
// it was received. The error is ErrNoNotice if the gateway has not sent one.
func (g *Gateway) Resend(ctx context.Context, no string) (bool, error) {
	s := &g.sender
	s.mu.Lock()
	var newest *notice
	for _, n := range s.sent {
		if n.Body != nil && (sameText(n.No, no) || sameText(n.BizNo, no)) {
			newest = n
		}
	}
	if newest == nil {
		s.mu.Unlock()
		return false, ErrNoNotice
	}
	newest.Sends++
	d := newest.delivery(newest.Sends)
	lost := s.takeLoss(newest.No)
	s.mu.Unlock()
	g.attempt(ctx, &d, lost, s.anywhere)
	s.mu.Lock()
	newest.Received = newest.Received || d.Received
	s.touch(newest)
	s.mu.Unlock()
	g.report(d)
	return d.Received, nil
}

// noticeClient sends notices. It follows no redirects and decompresses nothing by itself.
var noticeClient = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Delivery is one attempt to send a notice.
type Delivery struct {
	Kind      OrderKind
	No, BizNo string // of the order
	URL       string
	Body      []byte
	Attempt   int       // counted from 1; 0 for SendNotice
	Began     time.Time // by the gateway's clock
	Took      time.Duration
	Status    int    // HTTP status of the reply; 0 if there is none
	Reply     []byte // the first 4096 bytes of its body
	Received  bool   // the reply was exactly SUCCESS, within 5 seconds; the status does not matter
	Lost      bool   // by LoseNotice
	Err       string // why there is no reply; empty if there is one, or if the notice was lost
}

// post sends a notice once.
func (d *Delivery) post(ctx context.Context, anywhere bool) {
	target, err := url.Parse(withScheme(d.URL))
	switch {
	case err != nil:
		d.Err = "the address is no URL"
	case !anywhere && !isLoopback(target.Hostname()):
		d.Err = "notices go to this machine only: see WithNoticesAnywhere"
	default:
		d.send(ctx)
	}
}

// withScheme returns an address as the gateway understands it: http if it names no scheme.
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

// whyNoReply returns the text of an error without the method and the URL.
func whyNoReply(err error) string {
	var about *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
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

// Notice returns the body of the notice (回调通知) about a payment, refund or allocation, whether or not the gateway sends
// it by itself. number is the gateway's or the merchant's. The body is made and signed on the first call, and then
// stays the same while the order keeps its status. There is a notice once a payment is paid or closed, a refund is done
// or closed, or the shares of an allocation have ended; finishing an allocation makes no other one. Before that, and
// for 2.0.5, the error is ErrNoNotice.
func (g *Gateway) Notice(number string) ([]byte, error) {
	g.mu.Lock()
	defer g.done()
	d, err := g.notice(number)
	return d.Body, err
}

// notice returns the notice about a number, and the address it goes to.
func (g *Gateway) notice(no string) (Delivery, error) {
	if g.oldest() {
		return Delivery{}, ErrNoNotice
	}
	if p := g.findPayment(no); p != nil && p.Status != string(model.PayProgress) {
		return Delivery{Kind: KindPay, No: p.OrderNo, BizNo: p.BizOrderNo, URL: deref(p.NotifyURL),
			Body: g.remembered("pay:"+p.OrderNo+p.Status, func() object { return g.paymentNotice(p) })}, nil
	}
	if f := g.findRefund(no); f != nil && (f.Status == paySuccess || f.Status == payClose) {
		return Delivery{Kind: KindRefund, No: f.RefundNo, BizNo: f.BizRefundNo, URL: deref(f.NotifyURL),
			Body: g.remembered("refund:"+f.RefundNo+f.Status, func() object { return g.refundNotice(f) })}, nil
	}
	if a := g.findAllocation(no); a != nil {
		key := "alloc:" + a.AllocNo
		if _, ok := g.bodies[key]; ok || a.Status == allocEnd {
			return Delivery{Kind: KindAlloc, No: a.AllocNo, BizNo: a.BizAllocNo, URL: deref(a.NotifyURL),
				Body: g.remembered(key, func() object { return g.allocationNotice(a) })}, nil
		}
	}
	return Delivery{}, ErrNoNotice
}

func (g *Gateway) remembered(key string, members func() object) []byte {
	body, ok := g.bodies[key]
	if !ok {
		body = g.signNotice(members(), string(g.settings.SignType), g.currentSecret())
		g.bodies[key] = body
		g.changes.named("body", key)
	}
	return bytes.Clone(body)
}

// SendNotice posts the body that Notice returns once to the order's NotifyURL, on any host, and returns the reply of
// the merchant's endpoint. A missing reply is not an error: see Delivery.Err. The error is ErrNoNotice if there is no
// notice, or no NotifyURL.
func (g *Gateway) SendNotice(ctx context.Context, number string) (Delivery, error) {
	g.mu.Lock()
	d, err := g.notice(number)
	g.mu.Unlock()
	if err != nil {
		return Delivery{}, err
	}
	if d.URL == "" {
		return Delivery{}, fmt.Errorf("%w: it has no NotifyURL", ErrNoNotice)
	}
	g.sender.mu.Lock()
	lost := g.sender.takeLoss(d.No)
	g.sender.mu.Unlock()
	g.attempt(ctx, &d, lost, true)
	g.report(d)
	return d, nil
}

// DeliverNotice sends a notice by SendNotice until it is received, at most twice, as a gateway does whose job for
// sending again is switched on. Between the two it calls pause with 15 seconds; a nil pause really waits, or until ctx
// ends. It returns how often the notice was sent, and whether it was received.
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
	if g.is206() {
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
	if g.is206() {
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
