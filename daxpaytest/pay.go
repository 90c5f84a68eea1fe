package daxpaytest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/daxpay-go/daxpay/model"
)

// The gateway's statuses.
const (
	payProgress = string(model.PayProgress)
	paySuccess  = string(model.PaySuccess)
	payClose    = string(model.PayClose)
	payCancel   = "cancel"
	payFail     = "fail"

	refundNone     = "no_refund"
	refundOpen     = "refunding"
	refundPartial  = "partial_refund"
	refundComplete = "refunded"

	allocWaiting = "waiting"
	allocBegun   = "allocation"
)

// pay answers with code 0 and a text if another call has the lock, and for everything that goes wrong under the lock.
func (g *Gateway) pay(p params) (outcome, error) {
	switch {
	case g.settings.Limit == nil:
		return outcome{}, fault(codeSystem, textNullPointer)
	case *p.number("amount") > *g.settings.Limit:
		return outcome{}, refuse(codeUnclassified, textPayTooMuch)
	}
	bizNo := p.known("bizOrderNo")
	nothing := func(msg *string) outcome {
		return outcome{msg: msg, members: object{{"bizOrderNo", nil}, {"orderNo", nil}, {"status", nil},
			{"payBody", nil}}}
	}
	release := g.acquire("payment:pay:"+bizNo, bizNo)
	if release == nil {
		return nothing(ptr(textPaying)), nil
	}
	defer release()
	order, body, err := g.payOrder(p, bizNo)
	if err != nil {
		return nothing(textOf(err)), nil
	}
	return outcome{members: object{
		{"bizOrderNo", order.BizOrderNo}, {"orderNo", order.OrderNo}, {"status", order.Status},
		{"payBody", nullable(body)},
	}}, nil
}

// payOrder makes the order, or continues with the existing one, and asks the channel for the money.
func (g *Gateway) payOrder(p params, bizNo string) (*payment, *string, error) {
	var order *payment
	if row := g.db.paymentByBiz(bizNo); row != nil {
		order = ptr(*row)
		if err := g.checkPayable(order); err != nil {
			return nil, nil, err
		}
	}
	wallet, err := g.preparePay(p)
	if err != nil {
		return nil, nil, err
	}
	if order == nil {
		order, err = g.createPayment(p)
	} else {
		err = g.renewPayment(p, order)
	}
	if err != nil {
		return nil, nil, err
	}
	body, paid, err := g.askForMoney(p, order, wallet)
	if err != nil {
		order.ErrorMsg = textOf(err)
		if err := g.savePayment(nil, order); err != nil {
			return nil, nil, err
		}
		return nil, nil, err
	}
	if paid != nil {
		order.OutOrderNo, order.Status, order.PayTime = &paid.TradeNo, paySuccess, ptr(paid.PaidAt)
		if !g.current() { // older gateways do not keep the time
			order.PayTime = nil
		}
	}
	order.ErrorCode, order.ErrorMsg = nil, nil
	if err := g.savePayment(nil, order); err != nil {
		return nil, nil, err
	}
	if order.Status == paySuccess {
		g.noticePayment(order)
	}
	return order, body, nil
}

// checkPayable returns why an order cannot be paid, or nil. It has an expired order synced, which usually closes it.
func (g *Gateway) checkPayable(order *payment) error {
	switch order.Status {
	case payProgress:
		if order.ExpiredTime != nil && g.now().Unix() >= *order.ExpiredTime {
			if _, err := g.syncPayment(order); err != nil {
				return err
			}
			return refuse(codeUnclassified, textPayExpired)
		}
		return nil
	case paySuccess:
		return refuse(codeUnclassified, textPayDone)
	case refundOpen, refundPartial, refundComplete:
		return refuse(codeUnclassified, textPayRefunded)
	}
	return refuse(codeUnclassified, textPayEnded)
}

// preparePay checks the settings of the channel, and finds the wallet of a wallet payment.
func (g *Gateway) preparePay(p params) (*Wallet, error) {
	name := p.known("channel")
	texts, ok := textsOfChannels[name]
	if !ok {
		return nil, refuse(codeUnsupported, byVersion(g, textNoAbility, textNoChannel))
	}
	c := g.settings.Channels[model.Channel(name)]
	if !c.Enabled {
		return nil, refuse(codeUnclassified, texts.disabled)
	}
	overLimit := func() error {
		switch {
		case c.Limit == nil:
			return fault(codeSystem, texts.noLimit)
		case *p.number("amount") > *c.Limit:
			return refuse(codeUnclassified, texts.limit)
		}
		return nil
	}
	if name == channelWallet {
		w := g.wallet(p.properties("extraParam"))
		if w == nil {
			return nil, refuse(codeUnclassified, textPayFailed)
		}
		if err := overLimit(); err != nil {
			return nil, err
		}
		switch {
		case w.Balance < *p.number("amount"):
			return nil, refuse(codeUnclassified, textConfigError)
		case p.mayAllocate():
			return nil, refuse(codeUnsupported, texts.noAllocation)
		}
		return w, nil
	}
	method := model.Method(p.known("method"))
	switch {
	case len(c.Methods) == 0:
		return nil, refuse(codeUnclassified, texts.noMethods)
	case !slices.Contains(defaultSettings(g.version).Channels[model.Channel(name)].Methods, method):
		return nil, refuse(codeUnclassified, textNoMethod)
	case !slices.Contains(c.Methods, method):
		return nil, refuse(codeUnclassified, texts.methodOff)
	}
	if err := overLimit(); err != nil {
		return nil, err
	}
	if p.mayAllocate() && (!c.Allocation || name == channelUnion) {
		return nil, refuse(codeUnclassified, texts.noAllocation)
	}
	return nil, nil //nolint:nilnil // no wallet is needed
}

// wallet returns the wallet that a payment names, nil if there is none.
func (g *Gateway) wallet(extra object) *Wallet {
	find := func(match func(Wallet) bool) *Wallet {
		if i := slices.IndexFunc(g.settings.Wallets, match); i >= 0 {
			return &g.settings.Wallets[i]
		}
		return nil
	}
	if id, err := strconv.ParseInt(fmt.Sprint(extra.Get("walletId")), 10, 64); err == nil {
		return find(func(w Wallet) bool { return w.ID == id })
	}
	user := extra.Get("userId")
	return find(func(w Wallet) bool { return user != nil && sameText(w.UserID, fmt.Sprint(user)) })
}

func (g *Gateway) createPayment(p params) (*payment, error) {
	order := payment{
		OrderNo: g.number("P"), BizOrderNo: p.known("bizOrderNo"), Title: p.known("title"),
		Description: p.text("description"),
		Allocation:  p.mayAllocate(), Channel: p.known("channel"), Method: p.known("method"),
		Amount: *p.number("amount"), Balance: *p.number("amount"), Status: payProgress, RefundStatus: refundNone,
		NotifyURL: g.notifyURL(p, "/unipay/pay"), ReturnURL: p.text("returnUrl"), Attach: p.text("attach"),
		Created: g.now().Unix(),
	}
	if order.Channel != channelWallet {
		order.ExpiredTime = p.number("expiredTime")
		switch {
		case order.ExpiredTime != nil:
		case g.settings.OrderTimeout == nil:
			return nil, fault(codeSystem, textNoMinutes)
		default:
			order.ExpiredTime = ptr(g.now().Add(*g.settings.OrderTimeout).Unix())
		}
	}
	if order.Allocation {
		order.AllocStatus = ptr(allocWaiting)
	}
	if !g.current() {
		if err := oldColumns(p, "biz_order_no", "bizOrderNo", "title", "title", "description", "description",
			"attach", "attach"); err != nil {
			return nil, err
		}
	}
	return ptr(g.db.addPayment(order)), nil
}

// oldColumns returns an error if a text does not fit into its column in the database of an older gateway: 255
// characters. columns has the name of a column, then that of the member, and so on.
func oldColumns(p params, columns ...string) error {
	for pair := range slices.Chunk(columns, 2) {
		if lengthOf(p.known(pair[1])) > 255 {
			reason := "Data truncation: Data too long for column '" + pair[0] + "' at row 1"
			return fault(codeSystem, "\n### Error updating database.  Cause: "+
				"com.mysql.cj.jdbc.exceptions.MysqlDataTruncation: "+reason)
		}
	}
	return nil
}

// renewPayment updates an order when its payment is sent again. The amount, the texts and the time stay as they were.
func (g *Gateway) renewPayment(p params, order *payment) error {
	order.Allocation = p.mayAllocate()
	order.NotifyURL, order.ReturnURL, order.Attach = g.notifyURL(p, "/unipay/pay"), p.text("returnUrl"), p.text("attach")
	order.Channel, order.Method = p.known("channel"), p.known("method")
	if !order.Allocation {
		order.AllocStatus = nil
	}
	return g.savePayment(nil, order)
}

// askForMoney returns the payBody (支付参数体), and the trade if the payment is paid already.
func (g *Gateway) askForMoney(p params, order *payment, wallet *Wallet) (*string, *trade, error) {
	if wallet != nil {
		wallet.Balance -= *p.number("amount")
		g.changes.named("settings", "")
		return nil, nil, nil
	}
	page := ""
	if g.cashier != nil {
		page = g.cashier(p.base, order.OrderNo)
	}
	switch {
	case page != "" && (order.Method == "wap" || order.Method == "web"):
		return &page, nil, nil
	case order.Method == "wap", order.Method == "web":
		return ptr("https://openapi.alipay.com/gateway.do?out_trade_no=" + order.OrderNo), nil, nil
	case order.Method == "app":
		return ptr("method=alipay.trade.app.pay&out_trade_no=" + order.OrderNo), nil, nil
	}
	a, err := g.ask(OpPay, order.OrderNo, func(later bool) answer {
		if order.Method != "barcode" {
			return acted
		}
		if later {
			g.meet(order, tradeWaiting)
			return answer{later: true}
		}
		g.meet(order, tradePaid)
		return acted
	})
	switch {
	case err != nil:
		return nil, nil, refuse(codeTradeFailed, map[string]string{
			"qrcode": "支付宝手机支付失败", "barcode": "主动扫码支付失败", "jsapi": "支付宝JsApi支付失败",
		}[order.Method])
	case a.later:
		return nil, nil, nil
	case !a.ok:
		return nil, nil, refuse(codeTradeFailed, a.subMsg)
	case order.Method == "barcode":
		return nil, ptr(*g.trade(order)), nil
	case order.Method == "jsapi":
		t := g.trade(order)
		if t.TradeNo == "" {
			t.TradeNo = g.channelNumber("2088")
		}
		return ptr(t.TradeNo), nil, nil
	case page != "":
		return &page, nil, nil
	}
	return ptr("https://qr.example.com/" + order.OrderNo), nil, nil
}

// notifyURL returns the address for the notices of an order, nil for none.
func (g *Gateway) notifyURL(p params, path string) *string {
	url := p.text("notifyUrl")
	if g.current() {
		return url
	}
	if only, given := p.fields["notNotify"].(bool); given && !only { // older gateways read it the wrong way round
		return nil
	}
	if url == nil || isBlank(*url) {
		if installed := g.settings.NoticeURLs[path]; installed != "" {
			return &installed
		}
	}
	return url
}

// paymentOf finds the payment that a request names. If the request has the gateway's number, even an empty one, the
// merchant's number does not count.
func (g *Gateway) paymentOf(p params, bizName string) *payment {
	var row *payment
	if no := p.text("orderNo"); no != nil {
		row = g.db.paymentBy(*no)
	} else if no := p.text(bizName); no != nil {
		row = g.db.paymentByBiz(*no)
	}
	if row == nil {
		return nil
	}
	return ptr(*row)
}

// findPayment finds a payment by either of its numbers.
func (g *Gateway) findPayment(no string) *payment {
	if p := g.db.paymentBy(no); p != nil {
		return p
	}
	return g.db.paymentByBiz(no)
}

func (g *Gateway) closePayment(p params) (outcome, error) {
	order := g.paymentOf(p, byVersion(g, "bizOrderNo", "bizTradeNo"))
	if order == nil {
		if g.is206() {
			return outcome{}, refuse(codeNoSuchTrade, textOldNoPayment)
		}
		return outcome{}, refuse(codeNoSuchTrade, textNoPayment)
	}
	release := g.acquire("payment:close:"+order.OrderNo, order.BizOrderNo)
	if release == nil {
		return outcome{}, fault(codeRepeated, textClosing)
	}
	defer release()
	if order.Status != payProgress {
		return outcome{}, refuse(codeUnclassified, textNotClosable)
	}
	err := g.closeAtChannel(order, OpClose)
	if err == nil {
		order.Status, order.CloseTime = payClose, g.seconds()
		err = g.savePayment(nil, order)
	}
	if err != nil {
		if g.current() && isBusiness(err) {
			return outcome{}, err
		}
		return outcome{}, refuse(codeOperation, textCloseFailed)
	}
	g.noticePayment(order)
	return outcome{}, nil
}

func (g *Gateway) cancelPayment(p params) (outcome, error) {
	order := g.paymentOf(p, "bizOrderNo")
	if order == nil {
		return outcome{}, refuse(codeNoSuchTrade, textNoPayment)
	}
	release := g.acquire("payment:cancel:"+order.OrderNo, order.BizOrderNo)
	if release == nil {
		return outcome{}, fault(codeRepeated, textCanceling)
	}
	defer release()
	if order.Status != payProgress {
		return outcome{}, refuse(codeUnclassified, textNotCancelable)
	}
	err := g.closeAtChannel(order, OpCancel)
	if err == nil {
		order.Status, order.CloseTime = payCancel, g.seconds()
		err = g.savePayment(nil, order)
	}
	if err != nil {
		return outcome{}, refuse(codeOperation, textCancelFailed)
	}
	g.noticePayment(order)
	return outcome{}, nil
}

// closeAtChannel has the channel close or cancel a payment. A payment that the channel does not know counts as closed.
// If the channel says that the state does not allow it, the gateway asks whether the payment is closed already.
func (g *Gateway) closeAtChannel(order *payment, op Operation) error {
	const wrongState, unknown = "ACQ.TRADE_STATUS_ERROR", "ACQ.TRADE_NOT_EXIST"
	if order.Channel == channelWallet {
		if g.current() {
			return refuse(codeUnsupported, textNoAbility)
		}
		return fault(codeNoMethod, textOldNoMethod)
	}
	a, err := g.ask(op, order.OrderNo, func(bool) answer {
		t := g.trade(order)
		switch t.State {
		case tradeUnknown:
			return refusal(unknown, "交易不存在")
		case tradeWaiting:
			t.State = tradeClosed
		case tradePaid:
			if op == OpClose {
				return refusal(wrongState, "交易状态不合法")
			}
			t.State = tradeReturned
		default:
			if op == OpClose {
				return refusal(wrongState, "交易状态不合法")
			}
		}
		return acted
	})
	switch {
	case err != nil:
		return refuse(codeOperation, textCloseFailed)
	case a.ok || a.subCode == unknown:
		return nil
	case a.subCode != wrongState:
		return refuse(codeOperation, a.subMsg)
	}
	switch status, err := g.askForStatus(order); {
	case err != nil:
		reason := "null"
		if t := textOf(err); t != nil {
			reason = *t
		}
		return refuse(codeOperation, textCloseReason+reason)
	case status.status == model.PaySyncClosed:
		return nil
	}
	return refuse(codeUnclassified, byVersion(g, textCloseSyncFirst, textOldSyncFirst))
}

func nullable(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

func nullableNumber(n *int64) any {
	if n == nil {
		return nil
	}
	return number(*n)
}

// broken reports whether an error says that the channel did not answer.
func broken(err error) bool {
	var c *channelError
	return errors.As(err, &c)
}
