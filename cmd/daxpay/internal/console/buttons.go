package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

// button is something that a person can do to an order.
type button struct {
	Name, Icon  string
	Label, Hint words
}

// offer is a button on a page. Off is why it cannot be pressed now.
type offer struct {
	button
	Off words
}

// Disabled tells whether the button cannot be pressed.
func (o offer) Disabled() bool { return o.Off.En != "" }

// Text is the hint, or why the button cannot be pressed.
func (o offer) Text() words {
	if o.Disabled() {
		return o.Off
	}
	return o.Hint
}

// buttons are what can happen at the channel. The timeline shows what was pressed by the same names.
var buttons = []button{
	{"scan", "scan", words{"用户扫码", "User scans"},
		words{"此后通道有了这笔支付，尚未付款。", "The channel has the payment from now on; it is not paid yet."}},
	{"pay", "yuan", words{"用户付款", "User pays"},
		words{"通道收款，并回调网关（除非设置了回调丢失）。", "The channel takes the money and tells the gateway, unless its message is lost."}},
	{"late", "wait", words{"关单后付款", "Pays late"},
		words{"通道收款，网关仍为关闭，同步后变为 success。", "The channel takes the money; the order stays closed until a sync."}},
	{"tell", "send", words{"通道回调", "Channel tells"},
		words{"通道回调网关，告知已付款。", "The channel tells the gateway that it is paid."}},
	{"decline", "x", words{"付款码被拒", "Bar code declined"},
		words{"用户没有确认，通道关闭该支付。", "The user does not confirm; the channel closes the payment."}},
	{"close", "minus", words{"通道关单", "Channel closes"},
		words{"通道关闭订单，没有收款；同步后网关也关闭。", "The channel closes it and takes no money; a sync also closes the order."}},
	{"return", "undo", words{"通道退回", "Channel pays back"},
		words{"不经过网关，全额退回：之后同步返回 pay_refund，订单状态不变。",
			"Paid back in full, outside the gateway: a sync then says pay_refund, and the order keeps its state."}},
	{"finish", "check", words{"交易完结", "Channel finishes"},
		words{"此后不能再退款。", "After that no refund is possible."}},
	{"forget", "lose", words{"通道不认识", "Channel forgets"},
		words{"之后同步返回 pay_not_found_unknown。", "A sync then says pay_not_found_unknown."}},
	{"refunded", "check", words{"退款完成", "Refund is done"},
		words{"通道已退款；网关在同步时得知。", "The channel has paid it back; a sync tells the gateway."}},
	{"refundfail", "x", words{"退款失败", "Refund fails"},
		words{"通道没有退款；之后的同步会被拒绝，订单停留在退款中。", "The channel pays nothing back; a sync is refused, and the refund stays open."}},
	{"paidout", "check", words{"转账到账", "Payee is paid"},
		words{"收款人已到账，网关也已得知。", "The payee has the money, and the gateway knows."}},
	{"allocate", "check", words{"分账出结果", "Settle the shares"},
		words{"通道按选择的结果处理各个接收方；网关在同步时得知。", "The channel settles each share as chosen; a sync tells the gateway."}},
	{"cashier-scan", "scan", words{"用户打开收银台", "User opens the cashier"},
		words{"在手机或浏览器里打开，尚未付款。", "On a phone or in a browser; not paid yet."}},
	{"cashier-decline", "x", words{"用户拒绝付款", "User declines"},
		words{"订单仍待付款，可以再付。", "The order is still open and can be paid."}},
	{"lost", "lose", words{"通道回调丢失", "Channel’s message lost"},
		words{"网关在同步之前不知道已付款。", "The gateway does not know of the payment until a sync."}},
}

// sends are what can be done with the notices of an order.
var sends = []button{
	{"send", "send", words{"发送", "Send"},
		words{"按订单当前状态生成通知，签名并发送。", "Signs and sends a notice of the order as it is."}},
	{"again", "again", words{"再发一次", "Send again"},
		words{"原样重发最近一条：字节和 resTime 都不变。", "Sends the last one again: the same bytes, the same resTime."}},
	{"twice", "twice", words{"同时发两份", "Twice at once"},
		words{"两份同时到达：检验商户是否会重复发货。", "Two arrive at the same moment: does the shop ship twice?"}},
	{"lose", "lose", words{"丢弃下一条", "Lose the next"},
		words{"下一条记为已发送，但不会送出。", "The next one counts as sent but is never sent."}},
	{"delay", "wait", words{"下一条延迟", "Delay the next"},
		words{"网关自动发送的下一条会推迟。", "The next one that the gateway sends by itself goes out later."}},
}

func buttonByName(name string) button {
	if i := slices.IndexFunc(buttons, func(b button) bool { return b.Name == name }); i >= 0 {
		return buttons[i]
	}
	return button{Name: name, Label: same(name)}
}

// may offers a button unless there is a reason not to.
func may(name string, reasons ...words) offer {
	o := offer{button: buttonByName(name)}
	if i := slices.IndexFunc(reasons, func(w words) bool { return w.En != "" }); i >= 0 {
		o.Off = reasons[i]
	}
	return o
}

// when is a reason, or none.
func when(wrong bool, zh, en string) words {
	if wrong {
		return words{zh, en}
	}
	return words{}
}

// offersOf are the buttons of an order. They never move or vanish; one that cannot be pressed says why.
func offersOf(o daxpaytest.Order) []offer {
	switch o.Kind {
	case daxpaytest.KindPay:
		return payOffers(o)
	case daxpaytest.KindRefund:
		ended := when(o.Status != "progress", "退款已经结束。", "The refund has ended.")
		done := when(o.AtChannel == "done", "通道已经退款。", "The channel has paid it back already.")
		return []offer{may("refunded", done, ended), may("refundfail", ended, done)}
	case daxpaytest.KindTransfer:
		return []offer{may("paidout", when(o.Status != "transferring", "转账已经结束。", "The transfer has ended."))}
	case daxpaytest.KindAlloc:
		ended := o.Status != "allocation_processing" && o.Status != "allocation_end"
		return []offer{may("allocate", when(ended, "分账已经结束。", "The allocation has ended."))}
	}
	return nil
}

func payOffers(o daxpaytest.Order) []offer {
	open, paid := o.Status == "progress", o.AtChannel == "paid" || o.AtChannel == "finished" || o.AtChannel == "returned"
	wallet := when(o.Channel == "wallet_pay", "钱包支付不经过通道。", "A wallet payment does not go through the channel.")
	isPaid := when(paid, "已经付款。", "It is paid already.")
	notOpen := when(!open, "网关里该订单已经结束。", "The order has ended in the gateway.")
	unpaid := when(!paid, "还没有付款。", "It is not paid yet.")
	list := []offer{
		may("scan", wallet, isPaid, notOpen, when(o.AtChannel == "waiting", "通道已有该订单。", "The channel has it already.")),
		may("pay", wallet, isPaid, notOpen),
		may("late", wallet, isPaid, when(open, "订单关闭之后才可用。", "Only after the order was closed.")),
		may("tell", wallet, unpaid, when(!open, "网关已经得知，或者不再处理。", "The gateway knows already, or does not care any more.")),
	}
	if o.Method == "barcode" {
		list = append(list, may("decline", isPaid, notOpen))
	}
	return append(list,
		may("close", wallet, isPaid, when(o.AtChannel == "closed", "通道已关闭该订单。", "The channel has closed it.")),
		may("return", wallet, unpaid, when(o.AtChannel == "returned", "已经退回。", "It is paid back already.")),
		may("finish", wallet, unpaid, when(o.AtChannel != "paid", "不能完结。", "It cannot be finished.")),
		may("forget", wallet, when(o.AtChannel == "", "通道本来就没有该订单。", "The channel does not have it anyway.")),
	)
}

// sendsOf are the buttons for the notices of an order.
func sendsOf(o daxpaytest.Order) []offer {
	never := when(o.Kind == daxpaytest.KindTransfer, "网关不发送转账通知。", "The gateway never sends notices of transfers.")
	nowhere := when(o.NotifyURL == "", "这个订单没有通知地址。", "The order has no notify URL.")
	open := when(o.Status == "progress" || o.Status == "allocation_processing",
		"订单还没有结束，没有通知可发。", "The order has not ended: there is no notice to send.")
	var list []offer
	for _, b := range sends {
		reasons := []words{never, nowhere, open}
		if b.Name == "lose" || b.Name == "delay" { // which are about notices to come
			reasons = reasons[:2]
		}
		o := may("", reasons...)
		o.button = b
		list = append(list, o)
	}
	return list
}

var (
	errNoButton = &httpError{http.StatusBadRequest, words{"没有这个按钮。", "There is no such button."}}
	errNoChoice = &httpError{http.StatusBadRequest, words{"没有这个选项。", "There is no such choice."}}
)

func (s *server) pressOnOrder(r *http.Request) (string, error) {
	o, err := s.orderOf(r)
	if err != nil {
		return "", err
	}
	back := "/_console/orders/" + string(o.Kind) + "/" + o.No
	name := r.PostFormValue("act")
	ctx := context.WithoutCancel(r.Context()) // what was begun is done
	if name == "manner" {
		return back + "?said=set", s.setManner(r)
	}
	if possible, err := pressed(offersOf(o), name); err != nil {
		return "", err
	} else if possible {
		defer s.changed(o)
		return back + "?said=done", s.happen(ctx, name, o, r)
	}
	if possible, err := pressed(sendsOf(o), name); err != nil {
		return "", err
	} else if possible {
		return back + "?said=" + s.notice(ctx, name, o, r), nil
	}
	return "", errNoButton
}

// pressed tells whether a button is one of a list. One that cannot be pressed now is an error.
func pressed(list []offer, name string) (bool, error) {
	i := slices.IndexFunc(list, func(o offer) bool { return o.Name == name })
	if i >= 0 && list[i].Disabled() {
		return true, &httpError{http.StatusConflict, list[i].Off}
	}
	return i >= 0, nil
}

// atChannel is what a button does to an order at the channel, if that is all that it does.
var atChannel = map[string]func(c *daxpaytest.Channel, no string) bool{
	"scan":       (*daxpaytest.Channel).Waits,
	"late":       (*daxpaytest.Channel).Pays,
	"decline":    (*daxpaytest.Channel).Closes,
	"close":      (*daxpaytest.Channel).Closes,
	"return":     (*daxpaytest.Channel).Returns,
	"finish":     (*daxpaytest.Channel).Finishes,
	"forget":     (*daxpaytest.Channel).Forgets,
	"refunded":   (*daxpaytest.Channel).Refunds,
	"refundfail": (*daxpaytest.Channel).RefundFails,
}

// happen lets something happen at the channel.
func (s *server) happen(ctx context.Context, name string, o daxpaytest.Order, r *http.Request) error {
	switch name {
	case "pay":
		return s.pay(ctx, o)
	case "tell":
		return s.tell(ctx, o)
	}
	if err := s.note(ctx, name, o); err != nil {
		return err
	}
	switch name {
	case "paidout":
		s.gw.MarkTransferred(o.No)
	case "allocate":
		s.gw.Channel().Allocates(o.No, resultsOf(r, len(o.Parts))...)
	default:
		atChannel[name](s.gw.Channel(), o.No)
	}
	return nil
}

// resultsOf are the results that a form has for the shares of an allocation.
func resultsOf(r *http.Request, n int) []daxpaytest.Result {
	results := make([]daxpaytest.Result, n)
	for i := range results {
		switch r.PostFormValue("part" + strconv.Itoa(i)) {
		case "success":
			results[i] = daxpaytest.Succeeded
		case "fail":
			results[i] = daxpaytest.Failed("NO_BALANCE", "账户余额不足")
		default:
			results[i] = daxpaytest.Pending
		}
	}
	return results
}

// note stores that something was done at the channel.
func (s *server) note(ctx context.Context, name string, o daxpaytest.Order) error {
	return s.record(ctx, event{Kind: kindAct, Name: name, Info: info{Number: o.No}}, key(o.Kind, o.No))
}

// pay is what happens when the user pays: the channel takes the money and tells the gateway.
func (s *server) pay(ctx context.Context, o daxpaytest.Order) error {
	if err := s.note(ctx, "pay", o); err != nil {
		return err
	}
	s.gw.Channel().Pays(o.No)
	if s.silent.Load() {
		return s.note(ctx, "lost", o)
	}
	return s.tell(ctx, o)
}

// tell is the channel's message that a payment is paid.
func (s *server) tell(ctx context.Context, o daxpaytest.Order) error {
	if err := s.note(ctx, "tell", o); err != nil {
		return err
	}
	s.gw.Channel().Tells(o.No)
	after, ok := s.gw.Order(o.Kind, o.No)
	if ok && o.Status == "progress" && after.Status == "success" && s.version == daxpay.GatewayV208 && o.NotifyURL != "" {
		silence := event{Kind: kindSilence, Name: string(o.Kind), Bad: true, Info: info{Number: o.No, URL: o.NotifyURL}}
		return s.record(ctx, silence, key(o.Kind, o.No))
	}
	return nil
}

// setManner sets how the channel answers when it is asked.
func (s *server) setManner(r *http.Request) error {
	op, err := operationOf(r)
	if err != nil {
		return err
	}
	c := s.gw.Channel()
	switch r.PostFormValue("manner") {
	case "":
		c.Obeys(op)
	case "refuses":
		c.Refuses(op, "ACQ.TRADE_NOT_ALLOW", "通道拒绝")
	case "breaks":
		c.Breaks(op)
	case "times out":
		c.TimesOut(op)
	case "takes":
		c.Takes(op)
	default:
		return errNoChoice
	}
	return nil
}

// operationOf is the operation of the channel that a form names.
func operationOf(r *http.Request) (daxpaytest.Operation, error) {
	op := daxpaytest.Operation(r.PostFormValue("op"))
	for _, o := range operations {
		if o.Op == op {
			return op, nil
		}
	}
	return "", errNoChoice
}

// notice does something with the notices of an order. It returns what the page says then.
func (s *server) notice(ctx context.Context, name string, o daxpaytest.Order, r *http.Request) string {
	send := func() error {
		_, err := s.gw.SendNotice(ctx, o.No)
		return err
	}
	again := func() error {
		_, err := s.gw.Resend(ctx, o.No)
		if err != nil { // there is none yet
			_, err = s.gw.SendNotice(ctx, o.No)
		}
		return err
	}
	var err error
	switch name {
	case "send":
		err = send()
	case "again":
		err = again()
	case "twice":
		var both sync.WaitGroup
		both.Add(1)
		go func() { defer both.Done(); _ = again() }()
		err = again()
		both.Wait()
	case "lose":
		s.gw.LoseNotice(o.No)
		return "lose"
	case "delay":
		seconds, _ := strconv.Atoi(r.PostFormValue("seconds"))
		s.gw.DelayNotice(o.No, time.Duration(min(max(seconds, 1), 3600))*time.Second)
		return "delay"
	}
	if err != nil {
		return "nonotice"
	}
	return "sent"
}
