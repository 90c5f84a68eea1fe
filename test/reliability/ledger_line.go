package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
)

var errReset = errors.New("connection reset")

// RoundTrip implements http.RoundTripper: it is the line from the shop to its gateway, on which a fifth of the calls
// meet a fault.
func (p *process) RoundTrip(q *http.Request) (*http.Response, error) {
	if p.dies() {
		return nil, errReset
	}
	s := p.shop
	s.books.count[calls]++
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	ctx := q.Context()
	q = q.Clone(context.WithoutCancel(ctx)) // it may arrive late
	q.Body = io.NopCloser(bytes.NewReader(body))
	m := &sending{request: q, body: body, by: byReconciler}
	if ctx.Value(waiting{}) != nil {
		m.by = byWait
	}
	var res *http.Response
	if s.unaware || s.chance(80) {
		res = s.arrive(m)
		s.heard(m, true)
	} else {
		s.heard(m, false)
		s.books.count[spoiledCalls]++
		res, err = s.spoil(ctx, m)
	}
	if p.dies() {
		return nil, errReset
	}
	return res, err
}

// heard notes whether a sync tells the shop that a payment was paid.
func (s *shop) heard(m *sending, intact bool) {
	about := s.read(m)
	if about.operation != daxpaytest.OpPaySync || about.order == nil {
		return
	}
	t := s.truthOf(about.order.kind, about.no)
	if t.synced = 0; intact && m.status == string(model.PaySyncSuccess) {
		t.synced = m.by
	}
}

// waiting is the key in the context of a Wait or a Recover.
type waiting struct{}

// sending is a request on its way.
type sending struct {
	request *http.Request
	body    []byte
	status  string // in the answer to a sync
	by      figure // the sender: byWait or byReconciler
}

// spoil makes something go wrong with a call.
func (s *shop) spoil(ctx context.Context, m *sending) (*http.Response, error) {
	switch s.random.IntN(11) {
	case 0: // lost on its way
		return nil, errReset
	case 1: // never left
		if trace := httptrace.ContextClientTrace(ctx); trace != nil {
			trace.GetConn(m.request.URL.Host)
		}
		return nil, errReset
	case 2: // the answer is lost
		s.arrive(m)
		return nil, errReset
	case 3: // a proxy gives up
		s.arrive(m)
		return badGateway(), nil
	case 4: // a proxy does not reach the gateway
		return badGateway(), nil
	case 5: // the answer is cut
		res := s.arrive(m)
		res.Body = io.NopCloser(io.MultiReader(io.LimitReader(res.Body, 40), broken{}))
		return res, nil
	case 6: // an attacker answers that all is well
		return s.forgery(), nil
	case 7: // an attacker changes the answer
		return tampered(s.arrive(m)), nil
	case 8: // an unsigned error, of a call that has run or not
		if s.chance(50) {
			s.arrive(m)
		}
		return s.unsignedError(unclear), nil
	case 9: // an unsigned error that truly says that nothing happened
		return s.unsignedError(harmless), nil
	default: // it arrives after the client has given up
		s.plan(time.Duration(s.random.IntN(15_000))*time.Millisecond,
			func() { s.arrive(m) }) //nolint:bodyclose // it is in memory
		return nil, errReset
	}
}

// Unsigned errors. A call that got an unclear one has run or not; a harmless one proves that it has not.
var (
	unclear = []string{
		`"code":10001,"msg":"系统错误"`, `"code":10001,"msg":null`, `"code":10008,"msg":"数据不存在或者已过期"`,
		`"code":20000,"msg":"支付方法返回类型需要为 PaymentCommonResult 类型"`, `"code":99999,"msg":"?"`,
	}
	harmless = []string{
		`"code":10005,"msg":"参数处理异常"`, `"code":20023,"msg":"该接口权限未开放"`, `"code":20052,"msg":"签名校验未通过"`,
		`"code":10006,"msg":"验证参数错误\n请求已过期，请重新发送！"`, `"code":10007,"msg":"处理中，请勿重复操作"`,
	}
)

func (s *shop) unsignedError(list []string) *http.Response {
	return reply(`{` + list[s.random.IntN(len(list))] + `,"data":null,"traceId":"GRBmrJH4yTXG"}`)
}

// forgery is an answer that says that money moved, with a wrong signature.
func (s *shop) forgery() *http.Response {
	return reply(`{"code":0,"msg":"success","data":{"code":0,"msg":null,"resTime":` + fmt.Sprint(s.now().Unix()) +
		`,"status":"success","orderNo":"X","refundNo":"X","transferNo":"X","bizTransferNo":"X","sign":"` +
		strings.Repeat("0", 64) + `"}}`)
}

// tampered changes the status in an answer: an order in progress has ended, a success has failed.
func tampered(res *http.Response) *http.Response {
	body, err := io.ReadAll(res.Body)
	if err != nil {
		panic(err) // it is in memory
	}
	text := string(body)
	for _, change := range [][2]string{
		{"success", "fail"}, {"progress", "success"}, {"transferring", "success"}, {"fail", "success"}, {"close", "success"},
		{"allocation_processing", "allocation_end"},
	} {
		if from := `"status":"` + change[0] + `"`; strings.Contains(text, from) {
			text = strings.Replace(text, from, `"status":"`+change[1]+`"`, 1)
			break
		}
	}
	res.Body = io.NopCloser(strings.NewReader(text + " "))
	return res
}

func badGateway() *http.Response {
	return &http.Response{
		StatusCode: http.StatusBadGateway, Header: http.Header{"Content-Type": {"text/html"}},
		Body: io.NopCloser(strings.NewReader("<html>")),
	}
}

func reply(body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)),
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// arrive has the gateway answer. The channel behind it behaves at random, and time passes.
func (s *shop) arrive(m *sending) *http.Response {
	s.pass(time.Duration(20+s.random.IntN(300)) * time.Millisecond)
	about := s.read(m)
	behaviour := s.behave(about)
	locked := behaviour == obeys && about.hasLock() && s.chance(3)
	if locked {
		s.gateway.Lock(about.no)
	}
	m.request.Body = io.NopCloser(bytes.NewReader(m.body))
	w := s.serve(m.request, about)
	answer := w.Body.Bytes()
	if locked {
		s.gateway.Unlock(about.no)
	}
	if locked || bytes.Contains(answer, []byte(`"code":10007`)) {
		s.books.count[lockedCalls]++
		locked = true
	}
	if about.operation == daxpaytest.OpPaySync {
		m.status = statusIn(answer)
	}
	if behaviour == timesOut && s.depth == 0 {
		s.pass(15 * time.Second)
	}
	s.obey()
	if !locked {
		s.acted(about, behaviour, answer)
	}
	if about.isQuery() {
		s.eavesdrop(about, answer)
	} else {
		s.collect()
	}
	return w.Result()
}

// serve has the gateway handle a request. If the channel holds back an answer that the request needs, other things
// happen before it is released.
func (s *shop) serve(q *http.Request, about *call) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	if s.held == nil && s.depth == 0 && about.operation != "" && s.chance(3) {
		s.held = s.gateway.Channel().Holds(about.operation)
	}
	held := s.held
	if held == nil {
		s.gateway.ServeHTTP(w, q)
		return w
	}
	served, end := context.WithCancel(context.Background())
	go func() {
		defer end()
		s.gateway.ServeHTTP(w, q)
	}()
	if held.Reached(served) == nil {
		s.held = nil
		s.books.count[heldAnswers]++
		s.meanwhile(about)
		held.Release()
		<-served.Done()
	}
	return w
}

// meanwhile is what happens while a call waits for the channel: time passes, perhaps more than a lock lasts, and
// another part of the program works on the same order.
func (s *shop) meanwhile(about *call) {
	s.obey() // the channel has handled the call that waits
	s.depth++
	defer func() { s.depth-- }()
	for range 1 + s.random.IntN(4) {
		s.pass(time.Duration(1+s.random.IntN(5)) * time.Second)
	}
	p := s.process
	r := about.order
	if p.dead || r == nil || r.status != isOpen {
		return
	}
	switch s.random.IntN(4) {
	case 0:
		if about.isPayment() {
			p.end(p.ctx, r)
		}
	case 1:
		if about.path == "/unipay/refund" || about.isPayment() && r.method == model.MethodQRCode {
			s.unaware = true
			p.sendUnaware(p.ctx, r)
			s.unaware = false
		}
	case 2:
		p.watch(p.ctx, r)
	case 3:
		_ = p.reconciler.Once(p.ctx) // fails if the reconciler is what waits
	}
}

// delivery is a notice that waits for its reply.
type delivery struct {
	body  []byte
	reply chan string
}

// mailbox starts the server to which the gateway sends its notices.
func (s *shop) mailbox() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		d := &delivery{body, make(chan string, 1)}
		select {
		case s.inbox <- d:
		case <-r.Context().Done():
			return
		}
		select {
		case text := <-d.reply:
			_, _ = io.WriteString(w, text)
		case <-r.Context().Done():
		}
	}))
}

// collect delivers the notices that the gateway sends now.
func (s *shop) collect() {
	if s.collecting {
		return
	}
	s.collecting = true
	defer func() { s.collecting = false }()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		_ = s.gateway.WaitNotices(context.Background())
	}()
	for {
		select {
		case d := <-s.inbox:
			d.reply <- s.carry(d.body)
		case <-idle:
			return
		}
	}
}

// carry is the line from the gateway to the shop. It returns the reply that gets back to the gateway.
func (s *shop) carry(body []byte) string {
	s.books.count[notices]++
	switch n := s.random.IntN(100); {
	case n < 20:
		s.books.count[lostNotices]++
		return ""
	case n < 30: // it comes late, after the gateway has given up on the reply
		s.stray(body)
		return ""
	case n < 35: // the reply is lost
		s.deliver(body)
		return ""
	case n < 40: // the shop takes longer than the gateway waits
		s.clock.Advance(6 * time.Second)
		return s.deliver(body)
	case n < 47: // it comes a second time later
		s.books.count[twiceNotices]++
		s.stray(body)
	case n < 55:
		s.books.count[twiceNotices]++
		return s.deliverTwice(body)
	}
	return s.deliver(body)
}

// stray delivers a notice at some later time.
func (s *shop) stray(body []byte) {
	s.books.count[strayNotices]++
	s.plan(time.Duration(s.random.IntN(1200))*time.Second, func() { s.deliver(body) })
}

// deliver gives a notice to the program and returns the reply.
func (s *shop) deliver(body []byte) string {
	p := s.process
	w := httptest.NewRecorder()
	if p.dead {
		return ""
	}
	p.notices.ServeHTTP(w, httptest.NewRequestWithContext(p.ctx, http.MethodPost, "/notify", bytes.NewReader(body)))
	if p.dead {
		return ""
	}
	return w.Body.String()
}

// deliverTwice gives the program the same notice twice at once.
func (s *shop) deliverTwice(body []byte) string {
	s.calm = true // or the random order of the two would decide what fails
	defer func() { s.calm = false }()
	var both sync.WaitGroup
	var replies [2]string
	for i := range replies {
		both.Add(1)
		go func() {
			defer both.Done()
			replies[i] = s.deliver(body)
		}()
	}
	both.Wait()
	if replies[0] == "SUCCESS" {
		return replies[0]
	}
	return replies[1]
}

// eavesdrop is an attacker on the line who later posts the answer to a query as a notice.
func (s *shop) eavesdrop(about *call, answer []byte) {
	if !s.chance(1) || !s.chance(30) {
		return
	}
	var envelope struct{ Data json.RawMessage }
	if json.Unmarshal(answer, &envelope) != nil || !bytes.HasSuffix(envelope.Data, []byte("}")) {
		return
	}
	body := bytes.TrimSuffix(envelope.Data, []byte("}"))
	if s.chance(70) {
		body = append(slices.Clone(body), `,"attach":null`...)
	}
	body = append(slices.Clone(body), '}')
	s.plan(time.Duration(s.random.IntN(600))*time.Second, func() {
		s.books.count[attacks]++
		// The answer about a refund passes: nothing distinguishes it from a notice. What it says was true.
		if s.deliver(body) == "SUCCESS" && about.path != "/unipay/query/refundOrder" {
			s.books.count[forged]++
		}
	})
}

// call is what a request is about.
type call struct {
	path      string
	no        string // the merchant's number
	order     *row
	operation daxpaytest.Operation // that the call asks the channel for, if it does
}

func (c *call) isQuery() bool { return strings.Contains(c.path, "/query/") }

// hasLock reports whether the gateway has a lock for the call.
func (c *call) hasLock() bool {
	return c.operation != "" && c.operation != daxpaytest.OpTransfer && c.operation != daxpaytest.OpAllocationFinish
}

// isPayment reports whether the request starts a payment.
func (c *call) isPayment() bool { return c.path == "/unipay/pay" }
