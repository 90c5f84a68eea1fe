package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

// button is one of a page, and what it does in words. Off is why it cannot be pressed now.
type button struct {
	Name, Icon string
	Label      words
	Hint       words
	Off        words
}

// Disabled tells whether it cannot be pressed.
func (a button) Disabled() bool { return a.Off.En != "" }

// Text is the hint, or why it cannot be pressed.
func (a button) Text() words {
	if a.Disabled() {
		return a.Off
	}
	return a.Hint
}

// buttons are what can happen at the channel.
var buttons = []button{
	{
		Name:  "scan",
		Icon:  "scan",
		Label: words{"用户扫码", "User scans"},
		Hint:  words{"此后通道有了这笔支付，尚未付款。", "The channel knows the payment from now on; it is not paid yet."},
	},
	{
		Name:  "pay",
		Icon:  "yuan",
		Label: words{"用户付款", "User pays"},
		Hint: words{
			"通道收款，并回调网关（除非设置了回调丢失）。",
			"The channel has the money, and tells the gateway, unless that message is set to be lost.",
		},
	},
	{
		Name:  "late",
		Icon:  "wait",
		Label: words{"关单后付款", "Pays late"},
		Hint: words{
			"通道收款，网关仍为关闭，同步后变为 success。",
			"The channel takes the money; the gateway stays as it is until a sync makes it success.",
		},
	},
	{
		Name:  "tell",
		Icon:  "send",
		Label: words{"通道回调", "Channel tells"},
		Hint:  words{"通道回调网关，告知已付款。", "The channel tells the gateway that it is paid."},
	},
	{
		Name:  "decline",
		Icon:  "x",
		Label: words{"付款码被拒", "Bar code declined"},
		Hint:  words{"用户没有确认，通道关闭该支付。", "The user has not confirmed; the channel closes the payment."},
	},
	{
		Name:  "close",
		Icon:  "minus",
		Label: words{"通道关单", "Channel closes"},
		Hint:  words{"通道关闭订单，没有收款；同步后网关也关闭。", "The channel closes it without money; after a sync the gateway does, too."},
	},
	{
		Name:  "return",
		Icon:  "undo",
		Label: words{"通道退回", "Channel returns it"},
		Hint: words{
			"不经过网关，全额退回：之后同步返回 pay_refund，订单状态不变。",
			"Given back in full outside the gateway: a sync then says pay_refund, and the order keeps its state.",
		},
	},
	{
		Name:  "finish",
		Icon:  "check",
		Label: words{"交易完结", "Channel finishes"},
		Hint:  words{"此后不能再退款。", "No refund is possible any more."},
	},
	{
		Name:  "forget",
		Icon:  "lose",
		Label: words{"通道不认识", "Channel forgets"},
		Hint:  words{"之后同步返回 pay_not_found_unknown。", "A sync then says pay_not_found_unknown."},
	},
	{
		Name:  "refunded",
		Icon:  "check",
		Label: words{"退款完成", "Refund is done"},
		Hint:  words{"通道已退款；网关在同步时得知。", "The channel has given the money back; the gateway learns of it by a sync."},
	},
	{
		Name:  "refundfail",
		Icon:  "x",
		Label: words{"退款失败", "Refund fails"},
		Hint: words{
			"通道没有退款；之后的同步会被拒绝，订单停留在退款中。",
			"The channel gives nothing back; a sync is refused then, and the refund stays in progress.",
		},
	},
	{
		Name:  "paidout",
		Icon:  "check",
		Label: words{"转账到账", "Payee has it"},
		Hint:  words{"收款人已到账，网关也已得知。", "The payee has the money, and the gateway knows."},
	},
	{
		Name:  "allocate",
		Icon:  "check",
		Label: words{"分账出结果", "Shares have results"},
		Hint: words{
			"通道按下面选择的结果处理各个接收方；网关在同步时得知。",
			"The channel does with each share as chosen; the gateway learns of it by a sync.",
		},
	},
	{
		Name:  "cashier-scan",
		Icon:  "scan",
		Label: words{"用户打开收银台", "User opens the cashier"},
		Hint:  words{"在手机或浏览器里打开，尚未付款。", "On a phone or in a browser; not paid yet."},
	},
	{
		Name:  "cashier-decline",
		Icon:  "x",
		Label: words{"用户拒绝付款", "User declines"},
		Hint:  words{"订单仍待付款，可以再付。", "The order still waits, and can be paid again."},
	},
	{
		Name:  "lost",
		Icon:  "lose",
		Label: words{"通道回调丢失", "Channel's message lost"},
		Hint:  words{"网关在同步之前不知道已付款。", "The gateway does not know that it is paid until a sync."},
	},
}

func buttonByName(name string) button {
	if i := slices.IndexFunc(buttons, func(a button) bool { return a.Name == name }); i >= 0 {
		return buttons[i]
	}
	return button{Name: name, Label: words{name, name}}
}

// buttonsOf are the buttons of an order. They never move or vanish; one that is not possible says why.
func (s *server) buttonsOf(o daxpaytest.Order) []button {
	var list []button
	add := func(name string, off ...words) {
		a := buttonByName(name)
		for _, w := range off {
			if w.En != "" && a.Off.En == "" {
				a.Off = w
			}
		}
		list = append(list, a)
	}
	when := func(wrong bool, zh, en string) words {
		if wrong {
			return words{zh, en}
		}
		return words{}
	}
	switch o.Kind {
	case daxpaytest.KindPay:
		open, paid := o.Status == "progress", o.AtChannel == "paid" || o.AtChannel == "finished" || o.AtChannel == "returned"
		wallet := when(o.Channel == "wallet_pay", "钱包支付不经过通道。", "A wallet payment does not go through the channel.")
		isPaid := when(paid, "已经付款。", "It is paid already.")
		notOpen := when(!open, "网关里该订单已经结束。", "The order has ended in the gateway.")
		unpaid := when(!paid, "还没有付款。", "It is not paid yet.")
		add("scan", wallet, isPaid, notOpen, when(o.AtChannel == "waiting", "通道已有该订单。", "The channel knows it already."))
		add("pay", wallet, isPaid, notOpen)
		add("late", wallet, isPaid, when(open, "订单关闭之后才可用。", "Only after the order was closed."))
		add("tell", wallet, unpaid, when(!open, "网关已经得知，或者不再处理。", "The gateway knows, or does not care any more."))
		if o.Method == "barcode" {
			add("decline", isPaid, notOpen)
		}
		add("close", wallet, isPaid, when(o.AtChannel == "closed", "通道已关闭该订单。", "The channel has closed it."))
		add("return", wallet, unpaid, when(o.AtChannel == "returned", "已经退回。", "It is given back already."))
		add("finish", wallet, unpaid, when(o.AtChannel != "paid", "不能完结。", "It cannot be finished."))
		add("forget", wallet, when(o.AtChannel == "", "通道本来就没有该订单。", "The channel does not know it anyway."))
	case daxpaytest.KindRefund:
		ended := when(o.Status != "progress", "退款已经结束。", "The refund has ended.")
		add("refunded", when(o.AtChannel == "done", "通道已经退款。", "The channel has given it back already."), ended)
		add("refundfail", ended, when(o.AtChannel == "done", "通道已经退款。", "The channel has given it back already."))
	case daxpaytest.KindTransfer:
		add("paidout", when(o.Status != "transferring", "转账已经结束。", "The transfer has ended."))
	case daxpaytest.KindAlloc:
		add(
			"allocate",
			when(o.Status != "allocation_processing" && o.Status != "allocation_end", "分账已经结束。", "The allocation has ended."),
		)
	}
	return list
}

// sendsOf are the buttons for notices.
func (s *server) sendsOf(o daxpaytest.Order) []button {
	list := []button{
		{
			Name:  "send",
			Icon:  "send",
			Label: words{"发送", "Send"},
			Hint:  words{"按订单当前状态生成通知，签名并发送。", "Signs and sends a notice of the order as it is."},
		},
		{
			Name:  "again",
			Icon:  "again",
			Label: words{"再发一次", "Send again"},
			Hint:  words{"原样重发最近一条：字节和 resTime 都不变。", "The last one once more: the same bytes, the same resTime."},
		},
		{
			Name:  "twice",
			Icon:  "twice",
			Label: words{"同时发两份", "Twice at once"},
			Hint:  words{"两份同时到达：检验商户是否会重复发货。", "Two at the same moment: does the shop deliver twice?"},
		},
		{
			Name:  "lose",
			Icon:  "lose",
			Label: words{"丢弃下一条", "Lose the next"},
			Hint:  words{"下一条记为已发送，但不会送出。", "The next one counts as sent, and never leaves."},
		},
		{
			Name:  "delay",
			Icon:  "wait",
			Label: words{"下一条延迟", "Delay the next"},
			Hint:  words{"网关自动发送的下一条会推迟。", "The next one that the gateway sends by itself goes out later."},
		},
	}
	var off words
	switch {
	case o.Kind == daxpaytest.KindTransfer:
		off = words{"网关不发送转账通知。", "The gateway never sends notices of transfers."}
	case o.NotifyURL == "":
		off = words{"这个订单没有通知地址。", "The order has no notify URL."}
	}
	for i := range list {
		list[i].Off = off
		if i < 3 && off.En == "" && (o.Status == "progress" || o.Status == "allocation_processing") {
			list[i].Off = words{"订单还没有结束，没有通知可发。", "The order has not ended: there is no notice to send."}
		}
	}
	return list
}

// refused is what the server says to a button that cannot be pressed.
func refused(a button) error { return &httpError{http.StatusConflict, a.Off} }

func (s *server) pressOnOrder(r *http.Request) (string, error) {
	o, err := s.orderOf(r)
	if err != nil {
		return "", err
	}
	back := "/_console/orders/" + string(o.Kind) + "/" + o.No
	name := r.PostFormValue("act")
	ctx := context.WithoutCancel(r.Context()) // what was begun is done
	if name == "manner" {
		s.setManner(r)
		return back + "?said=set", nil
	}
	for _, a := range s.buttonsOf(o) {
		if a.Name != name {
			continue
		}
		if a.Disabled() {
			return "", refused(a)
		}
		defer s.changed(o)
		return back + "?said=done", s.happen(ctx, name, o, r)
	}
	for _, a := range s.sendsOf(o) {
		if a.Name != name {
			continue
		}
		if a.Disabled() {
			return "", refused(a)
		}
		return back + "?said=" + s.notice(ctx, name, o, r), nil
	}
	return "", &httpError{http.StatusBadRequest, words{"没有这个按钮。", "There is no such button."}}
}

// happen lets something happen at the channel.
func (s *server) happen(ctx context.Context, name string, o daxpaytest.Order, r *http.Request) error {
	c := s.gw.Channel()
	if name != "pay" && name != "tell" {
		if err := s.note(ctx, name, o); err != nil {
			return err
		}
	}
	switch name {
	case "scan":
		c.Waits(o.No)
	case "pay":
		return s.pay(ctx, o)
	case "late":
		c.Pays(o.No)
	case "tell":
		return s.tell(ctx, o)
	case "decline", "close":
		c.Closes(o.No)
	case "return":
		c.Returns(o.No)
	case "finish":
		c.Finishes(o.No)
	case "forget":
		c.Forgets(o.No)
	case "refunded":
		c.Refunds(o.No)
	case "refundfail":
		c.RefundFails(o.No)
	case "paidout":
		s.gw.MarkTransferred(o.No)
	case "allocate":
		results := make([]daxpaytest.Result, len(o.Parts))
		for i := range o.Parts {
			switch r.PostFormValue("part" + strconv.Itoa(i)) {
			case "success":
				results[i] = daxpaytest.Succeeded
			case "fail":
				results[i] = daxpaytest.Failed("NO_BALANCE", "账户余额不足")
			default:
				results[i] = daxpaytest.Pending
			}
		}
		c.Allocates(o.No, results...)
	}
	return nil
}

// note stores that something was done at the channel.
func (s *server) note(ctx context.Context, name string, o daxpaytest.Order) error {
	return s.record(ctx, event{Kind: kindAct, Name: name, Info: info{Number: o.No}}, key(o.Kind, o.No))
}

// pay is what happens when the user pays: the channel has the money, and tells the gateway.
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
		return s.record(
			ctx,
			event{Kind: kindSilence, Name: string(o.Kind), Bad: true, Info: info{Number: o.No, URL: o.NotifyURL}},
			key(o.Kind, o.No),
		)
	}
	return nil
}

// setManner sets how the channel answers when it is asked.
func (s *server) setManner(r *http.Request) {
	op := daxpaytest.Operation(r.PostFormValue("op"))
	c := s.gw.Channel()
	switch r.PostFormValue("manner") {
	case "refuses":
		c.Refuses(op, "ACQ.TRADE_NOT_ALLOW", "通道拒绝")
	case "breaks":
		c.Breaks(op)
	case "times out":
		c.TimesOut(op)
	case "takes":
		c.Takes(op)
	default:
		c.Obeys(op)
	}
}

// notice does something with the notices of an order. It returns what the page says then.
func (s *server) notice(ctx context.Context, name string, o daxpaytest.Order, r *http.Request) string {
	send := func() error {
		_, err := s.gw.SendNotice(ctx, o.No)
		return err
	}
	again := func() error {
		_, err := s.gw.Resend(ctx, o.No)
		if err != nil { // it was never sent by itself
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

func (s *server) pressOnSettings(r *http.Request) (string, error) {
	back := "/_console/settings?said=set"
	if r.PostFormValue("from") == "notices" {
		back = "/_console/notices?said=set"
	}
	number := func(name string, least, most int) (int, error) {
		n, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue(name)))
		if err != nil || n < least || n > most {
			return 0, &httpError{http.StatusBadRequest, words{fmt.Sprintf("应为 %d 到 %d 之间的整数。", least, most),
				fmt.Sprintf("It must be an integer from %d to %d.", least, most)}}
		}
		return n, nil
	}
	change := func(how func(*daxpaytest.Settings)) (string, error) {
		s.gw.Change(how)
		return back, nil
	}
	switch r.PostFormValue("act") {
	case "fail":
		times, err := number("times", 1, 100000)
		if err != nil {
			return "", err
		}
		return back, s.setFault(r, times, number)
	case "heal":
		s.gw.Heal(r.PostFormValue("path"))
		s.hub.publish(map[string]bool{"settings": true})
		return back, nil
	case "obey":
		s.gw.Channel().Obeys(daxpaytest.Operation(r.PostFormValue("op")))
		return back, nil
	case "clock":
		return back, s.moveClock(r)
	case "age":
		n, err := number("seconds", 0, 86400)
		if err != nil {
			return "", err
		}
		return change(func(all *daxpaytest.Settings) {
			d := time.Duration(n) * time.Second
			if all.MaxAge = &d; n == 0 {
				all.MaxAge = nil
			}
		})
	case "expiry":
		n, err := number("minutes", 1, 100000)
		if err != nil {
			return "", err
		}
		d := time.Duration(n) * time.Minute
		return change(func(all *daxpaytest.Settings) { all.OrderTimeout = &d })
	case "signtype":
		t := daxpay.SignType(r.PostFormValue("value"))
		if t != daxpay.MD5 {
			t = daxpay.HMACSHA256
		}
		return change(func(all *daxpaytest.Settings) { all.SignType = t })
	case "checks":
		return change(func(all *daxpaytest.Settings) { all.ChecksSignatures = r.PostFormValue("value") == "1" })
	case "resends":
		return change(func(all *daxpaytest.Settings) { all.Resends = r.PostFormValue("value") == "1" })
	case "silent":
		s.silent.Store(r.PostFormValue("value") == "1")
		return back, s.save(r.Context())
	case "secret":
		secret := strings.TrimSpace(r.PostFormValue("secret"))
		if secret == "" || len(secret) > 200 {
			return "", &httpError{
				http.StatusBadRequest,
				words{"签名秘钥不能为空，最多 200 个字符。", "The secret must not be empty, and has at most 200 characters."},
			}
		}
		s.mu.Lock()
		s.secrets = append(s.secrets, s.secret)
		if len(s.secrets) > 5 {
			s.secrets = s.secrets[1:]
		}
		s.secret = secret
		s.gw.ChangeSecret(secret)
		s.mu.Unlock()
		return back, nil
	}
	return "", &httpError{http.StatusBadRequest, words{"没有这个按钮。", "There is no such button."}}
}

// setFault makes the next calls go wrong.
func (s *server) setFault(r *http.Request, times int, number func(string, int, int) (int, error)) error {
	path := r.PostFormValue("path")
	var ok bool
	if name := r.PostFormValue("fault"); name == "late" {
		ms, err := number("delay", 1, 600_000)
		if err != nil {
			return err
		}
		ok = s.gw.Slow(path, times, time.Duration(ms)*time.Millisecond)
	} else {
		fault := daxpaytest.Fault(name)
		if both, twofold := lineFaults[name]; twofold {
			if fault = both[0]; r.PostFormValue("runs") == "1" {
				fault = both[1]
			}
		}
		ok = s.gw.Fail(path, times, fault)
	}
	if !ok {
		return &httpError{http.StatusBadRequest, words{"没有这种故障，或者没有这个调用。", "There is no such fault, or no such call."}}
	}
	s.hub.publish(map[string]bool{"settings": true})
	return nil
}

// lineFaults are those that can happen before and after the call has run.
var lineFaults = map[string][2]daxpaytest.Fault{
	"hang":  {daxpaytest.HangBefore, daxpaytest.HangAfter},
	"reset": {daxpaytest.ResetBefore, daxpaytest.ResetAfter},
	"502":   {daxpaytest.BadGatewayBefore, daxpaytest.BadGatewayAfter},
}

func (s *server) moveClock(r *http.Request) error {
	switch r.PostFormValue("to") {
	case "15s":
		s.clock.Advance(15 * time.Second)
	case "1m":
		s.clock.Advance(time.Minute)
	case "30m":
		s.clock.Advance(30 * time.Minute)
	case "1d":
		s.clock.Advance(24 * time.Hour)
	case "stop":
		s.clock.Stop()
	case "run":
		s.clock.Run()
	case "now":
		s.clock.Advance(time.Until(s.clock.Now()) * -1)
		s.clock.Run()
	}
	return s.save(r.Context())
}

// cashierData is what the customer sees.
type cashierData struct {
	Order    daxpaytest.Order
	State    string // open, paid, over
	Why      words
	QR       string
	Back     string
	Declined bool
}

func (s *server) cashierOrder(r *http.Request) (daxpaytest.Order, error) {
	o, ok := s.gw.Order(daxpaytest.KindPay, r.PathValue("no"))
	if !ok || o.Channel == "wallet_pay" {
		return o, errNoOrder
	}
	return o, nil
}

// cashierPage is what a QR code or a payment page leads to. Opening it is what a scan is at a channel.
func (s *server) cashierPage(r *http.Request) (string, words, string, any, error) {
	o, err := s.cashierOrder(r)
	if err != nil {
		return "", words{}, "", nil, err
	}
	d := cashierData{Order: o, State: "open", Declined: r.URL.Query().Has("declined")}
	if strings.HasPrefix(o.ReturnURL, "http://") || strings.HasPrefix(o.ReturnURL, "https://") {
		d.Back = o.ReturnURL
	}
	switch {
	case o.AtChannel == "paid" || o.AtChannel == "finished":
		d.State = "paid"
	case o.AtChannel == "returned":
		d.State, d.Why = "over", words{"已经付款并退回。", "It was paid and given back."}
	case o.AtChannel == "closed", o.Status == "cancel", o.Status == "close", o.Status == "fail":
		d.State, d.Why = "over", words{"订单已经关闭。", "The order is closed."}
	case o.Expires > 0 && s.clock.Now().Unix() >= o.Expires:
		d.State, d.Why = "over", words{"订单已经过期。", "The order has expired."}
	case o.AtChannel == "":
		ctx := context.WithoutCancel(r.Context())
		if err := s.note(ctx, "cashier-scan", o); err != nil {
			return "", words{}, "", nil, err
		}
		s.gw.Channel().Waits(o.No)
		s.changed(o)
	}
	return "cashier", words{"收银台", "Cashier"}, "", d, nil
}

func (s *server) pressOnCashier(r *http.Request) (string, error) {
	o, err := s.cashierOrder(r)
	if err != nil {
		return "", err
	}
	back := "/_cashier/" + o.No
	ctx := context.WithoutCancel(r.Context())
	s.mu.Lock() // two clicks are one payment
	defer s.mu.Unlock()
	if o, _ = s.gw.Order(o.Kind, o.No); o.Status != "progress" || o.AtChannel != "waiting" && o.AtChannel != "" ||
		o.Expires > 0 && s.clock.Now().Unix() >= o.Expires {
		return back, nil // the page says how it is
	}
	defer s.changed(o)
	if r.PostFormValue("act") == "pay" {
		return back, s.pay(ctx, o)
	}
	return back + "?declined", s.note(ctx, "cashier-decline", o)
}

// cashierQR is the code that leads to the cashier, for a page of a shop or of the console.
func (s *server) cashierQR(w http.ResponseWriter, r *http.Request) {
	o, err := s.cashierOrder(r)
	if err != nil {
		http.Error(w, "no such order", http.StatusNotFound)
		return
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	svg, err := qrSVG(scheme + r.Host + "/_cashier/" + o.No)
	if err != nil {
		http.Error(w, "no code", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(svg) //nolint:gosec // made of squares
}
