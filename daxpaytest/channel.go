package daxpaytest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay/model"
)

// Operation is something that the gateway asks the channel to do.
type Operation string

// The operations of a channel. A payment by the methods wap, web and app does not need OpPay.
const (
	OpPay              Operation = "pay"
	OpPaySync          Operation = "pay sync"
	OpClose            Operation = "close"
	OpCancel           Operation = "cancel"
	OpRefund           Operation = "refund"
	OpRefundSync       Operation = "refund sync"
	OpTransfer         Operation = "transfer"
	OpAllocation       Operation = "allocation"
	OpAllocationFinish Operation = "allocation finish"
	OpAllocationSync   Operation = "allocation sync"
	OpReceiverAdd      Operation = "receiver add"
	OpReceiverRemove   Operation = "receiver remove"
)

// Channel is the payment channel (支付通道) behind the gateway, such as Alipay, together with its users. Without further
// instructions it does what the gateway asks of it: a barcode payment is paid at once, any other payment is unknown to
// it until the user acts; refunds and transfers are done at once; the shares of an allocation stay pending.
//
// Methods that take a number accept the gateway's number of the order or the merchant's. They report whether there is
// such an order.
type Channel struct{ g *Gateway }

// Channel returns the channel behind the gateway.
func (g *Gateway) Channel() *Channel { return &Channel{g} }

// What the channel knows of a payment.
const (
	tradeUnknown  = ""
	tradeWaiting  = "waiting"
	tradePaid     = "paid"
	tradeFinished = "finished"
	tradeClosed   = "closed"
	tradeReturned = "returned"
)

// trade is a payment at the channel.
type trade struct {
	State   string
	TradeNo string
	PaidAt  int64
	// Says is what a sync reports instead of State. SetPayment sets it for states that nothing else brings about.
	Says string
}

// payback is a refund at the channel.
type payback struct {
	Done bool
	At   int64
	// Says is what a sync reports instead of Done.
	Says string
}

// part is a share of an allocation at the channel.
type part struct {
	Account   string
	State     string // empty while it is pending
	Code, Msg string
	At        int64
}

// book is what the channel knows.
type book struct {
	Trades      map[string]*trade   // by the gateway's number
	Paybacks    map[string]*payback // by the gateway's number
	Allocations map[string][]part   // by the gateway's number
	Numbers     int64
	Modes       map[Operation]Manner
}

func newBook() *book {
	return &book{
		Trades: make(map[string]*trade), Paybacks: make(map[string]*payback), Allocations: make(map[string][]part),
		Modes: make(map[Operation]Manner),
	}
}

// Manner is how the channel handles an operation until Obeys. The zero value means that it does what it is asked to.
type Manner struct {
	Kind      string // "refuses", "breaks", "times out" or "takes", after the methods of Channel
	Code, Msg string // of a refusal
}

const (
	modeRefuses  = "refuses"
	modeBreaks   = "breaks"
	modeTimesOut = "times out"
	modeTakes    = "takes"
)

// Manners returns the operations that Refuses, Breaks, TimesOut or Takes changed and Obeys has not changed back.
func (c *Channel) Manners() map[Operation]Manner {
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	return maps.Clone(c.g.channel.Modes)
}

// answer is one of the channel's.
type answer struct {
	ok      bool
	later   bool   // accepted, to be done later
	subCode string // of a refusal
	subMsg  string
}

// channelError says that the channel did not answer.
type channelError struct{ text string }

func (e *channelError) Error() string { return e.text }

var acted = answer{ok: true}

func refusal(code, msg string) answer { return answer{subCode: code, subMsg: msg} }

// ask asks the channel about an order or a receiver. act is what the channel does unless it refuses or breaks; later
// says that it only accepts the operation for now. The gateway's mutex is not held while the gateway waits for the
// channel.
func (g *Gateway) ask(op Operation, about string, act func(later bool) answer) (answer, error) {
	m := g.channel.Modes[op]
	trace, began, start := g.asking, g.now(), time.Now()
	var a answer
	var err error
	switch m.Kind {
	case modeRefuses:
		a = refusal(m.Code, m.Msg)
	case modeBreaks:
		err = &channelError{textBroken}
	case modeTimesOut:
		act(false)
		g.waitForChannel()
		err = &channelError{textReadTimedOut}
	default:
		a = act(m.Kind == modeTakes)
	}
	if waiting := g.holds[op]; len(waiting) > 0 {
		held := waiting[0]
		g.holds[op] = waiting[1:]
		close(held.reached)
		g.mu.Unlock()
		select {
		case <-held.released:
		case <-g.closed:
		}
		g.mu.Lock()
	}
	g.asking = trace
	if g.journal != nil {
		q := Question{Began: began, Took: time.Since(start), Operation: op, Number: about, TraceID: trace,
			OK: err == nil && a.ok, Later: a.later, Code: a.subCode, Msg: a.subMsg}
		if err != nil {
			q.Msg, q.NoAnswer = err.Error(), true
		}
		g.pending.Questions = append(g.pending.Questions, q)
	}
	return a, err
}

// waitForChannel waits until the gateway gives up on the channel. A gateway whose clock stands still does not wait.
func (g *Gateway) waitForChannel() {
	if !g.timeRuns() {
		return
	}
	g.mu.Unlock()
	defer g.mu.Lock()
	timer := time.NewTimer(g.channelTimeout)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.closed:
	}
}

// Refuses makes the channel refuse an operation with a code and a text of the channel, until Obeys.
func (c *Channel) Refuses(op Operation, code, msg string) { c.set(op, Manner{modeRefuses, code, msg}) }

// Breaks makes the channel answer an operation with HTTP status 500, until Obeys.
func (c *Channel) Breaks(op Operation) { c.set(op, Manner{Kind: modeBreaks}) }

// TimesOut makes the channel do an operation but answer too late, after the gateway has given up, until Obeys. See
// WithChannelTimeout for how long the gateway waits.
func (c *Channel) TimesOut(op Operation) { c.set(op, Manner{Kind: modeTimesOut}) }

// Takes makes the channel accept an operation without doing it yet, until Obeys. It is for OpPay of barcode payments,
// OpRefund and OpTransfer. Pays, Refunds and Gateway.MarkTransferred complete what was accepted.
func (c *Channel) Takes(op Operation) { c.set(op, Manner{Kind: modeTakes}) }

// Obeys makes the channel do an operation as it is asked to, which is how it starts.
func (c *Channel) Obeys(op Operation) { c.set(op, Manner{}) }

func (c *Channel) set(op Operation, m Manner) {
	c.g.mu.Lock()
	defer c.g.done()
	c.g.changes.named("rest", "")
	if c.g.channel.Modes[op] = m; m.Kind == "" {
		delete(c.g.channel.Modes, op)
	}
}

// Held is an answer that the channel holds back: see Channel.Holds.
type Held struct {
	reached, released chan struct{}
	release           sync.Once
}

// Holds makes the channel do the next operation of this kind, but hold its answer back until Release.
func (c *Channel) Holds(op Operation) *Held {
	h := &Held{reached: make(chan struct{}), released: make(chan struct{})}
	c.g.mu.Lock()
	defer c.g.done()
	c.g.holds[op] = append(c.g.holds[op], h)
	return h
}

// Reached returns when the channel has done the operation and the gateway waits for the answer. It returns the error of
// ctx if that ends first.
func (h *Held) Reached(ctx context.Context) error {
	select {
	case <-h.reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release lets the channel answer. It may be called more than once.
func (h *Held) Release() { h.release.Do(func() { close(h.released) }) }

// trade returns what the channel knows of a payment, as a row that may be changed.
func (g *Gateway) trade(p *payment) *trade {
	g.changes.named("trade", p.OrderNo)
	t := g.channel.Trades[p.OrderNo]
	if t == nil {
		t = &trade{}
		g.channel.Trades[p.OrderNo] = t
	}
	return t
}

func (g *Gateway) forgetTrade(p *payment) {
	g.changes.named("trade", p.OrderNo)
	delete(g.channel.Trades, p.OrderNo)
}

// meet gives a payment a state at the channel, and a number of the channel if it has none.
func (g *Gateway) meet(p *payment, state string) *trade {
	t := g.trade(p)
	t.State, t.Says = state, ""
	if t.TradeNo == "" {
		t.TradeNo = g.channelNumber("2088")
	}
	if (state == tradePaid || state == tradeFinished || state == tradeReturned) && t.PaidAt == 0 {
		t.PaidAt = g.now().Unix()
	}
	return t
}

// channelNumber returns a new number of the channel.
func (g *Gateway) channelNumber(prefix string) string {
	g.channel.Numbers++
	digits := number(1_000_000_000_000 + g.channel.Numbers).String()
	return g.now().In(g.zone).Format("20060102150405") + prefix + digits[1:]
}

// about runs an action on a payment that is found by either of its numbers.
func (c *Channel) about(number string, action func(*payment)) bool {
	c.g.mu.Lock()
	defer c.g.done()
	p := c.g.findPayment(number)
	if p == nil {
		return false
	}
	action(p)
	return true
}

func (c *Channel) becomes(number, state string) bool {
	return c.about(number, func(p *payment) { c.g.meet(p, state) })
}

// Waits means that the user has opened the payment and has not paid yet.
func (c *Channel) Waits(number string) bool { return c.becomes(number, tradeWaiting) }

// Pays means that the user pays, even if the gateway has closed the payment. The gateway learns of it by a sync, or
// when the channel Tells. See also Gateway.MarkPaid.
func (c *Channel) Pays(number string) bool { return c.becomes(number, tradePaid) }

// Finishes means that the payment is paid and can no longer be refunded (交易完结).
func (c *Channel) Finishes(number string) bool { return c.becomes(number, tradeFinished) }

// Closes means that the channel closes the payment unpaid, as when the user declines.
func (c *Channel) Closes(number string) bool {
	return c.about(number, func(p *payment) { c.g.meet(p, tradeClosed).PaidAt = 0 })
}

// Returns means that the payment was paid, and refunded in full outside the gateway.
func (c *Channel) Returns(number string) bool { return c.becomes(number, tradeReturned) }

// Forgets means that the channel does not know the payment.
func (c *Channel) Forgets(number string) bool {
	return c.about(number, func(p *payment) { c.g.forgetTrade(p) })
}

// Tells sends the channel's callback (通道回调) about the payment to the gateway. When the callback makes a payment a
// success, 2.0.8 sends no notice to the merchant; older gateways do.
func (c *Channel) Tells(number string) bool { return c.about(number, c.g.payCallback) }

// Refunds means that a refund that the channel accepted (see Takes) is now done. The gateway learns of it by a sync.
func (c *Channel) Refunds(number string) bool {
	c.g.mu.Lock()
	defer c.g.done()
	f := c.g.findRefund(number)
	if f == nil {
		return false
	}
	c.g.channel.Paybacks[f.RefundNo] = &payback{Done: true, At: c.g.now().Unix()}
	c.g.changes.named("payback", f.RefundNo)
	return true
}

// RefundFails means that a refund that the channel accepted (see Takes) has failed there. A sync is then refused, and
// the status of the refund at the gateway does not change.
func (c *Channel) RefundFails(number string) bool {
	c.g.mu.Lock()
	defer c.g.done()
	f := c.g.findRefund(number)
	if f == nil {
		return false
	}
	c.g.channel.Paybacks[f.RefundNo] = &payback{At: c.g.now().Unix(), Says: string(model.RefundSyncFail)}
	c.g.changes.named("payback", f.RefundNo)
	return true
}

// Result is the result of a share of an allocation: Succeeded, Pending, or one that Failed makes.
type Result struct {
	State string // success, fail or pending
	Code  string // the channel's, of a failure
	Msg   string // likewise
}

// Succeeded and Pending are the results without a code.
var (
	Succeeded = Result{State: "success"}
	Pending   = Result{State: "pending"}
)

// Failed returns the result of a share that the channel could not pay, with the channel's code and text.
func Failed(code, msg string) Result { return Result{"fail", code, msg} }

// Allocates sets the results of the shares of an allocation, in the order in which the gateway sent them to the
// channel: the receiver that was added last comes first. Shares without a result keep theirs. The gateway learns of it
// by a sync.
func (c *Channel) Allocates(number string, results ...Result) bool {
	c.g.mu.Lock()
	defer c.g.done()
	a := c.g.findAllocation(number)
	if a == nil {
		return false
	}
	c.g.allocate(a, results)
	return true
}

func (g *Gateway) allocate(a *allocation, results []Result) {
	parts := g.parts(a)
	for i, r := range results {
		if i >= len(parts) {
			break
		}
		parts[i].State, parts[i].Code, parts[i].Msg, parts[i].At = r.State, r.Code, r.Msg, g.now().Unix()
	}
	g.channel.Allocations[a.AllocNo] = parts
	g.changes.named("parts", a.AllocNo)
}

// parts returns the shares of an allocation as the channel knows them.
func (g *Gateway) parts(a *allocation) []part {
	if parts, ok := g.channel.Allocations[a.AllocNo]; ok {
		return parts
	}
	var parts []part
	for _, d := range slices.Backward(a.Details) { // as they were made
		account := ""
		if d.Account != nil {
			account = *d.Account
		}
		parts = append(parts, part{Account: account})
	}
	return parts
}
