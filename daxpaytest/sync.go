package daxpaytest

import (
	"github.com/daxpay-go/daxpay/model"
)

// remote is the channel's answer about a payment.
type remote struct {
	status  model.PaySyncStatus
	tradeNo *string
	payTime *int64
}

// askForStatus asks the channel about a payment. The error's text may be null.
func (g *Gateway) askForStatus(order *payment) (remote, error) {
	var r remote
	a, err := g.ask(OpPaySync, order.OrderNo, func(bool) answer {
		t := *g.trade(order)
		if t.Says == string(model.PaySyncFail) {
			return refusal("ACQ.SYSTEM_ERROR", "系统错误")
		}
		r = remoteOf(t)
		return acted
	})
	switch {
	case err != nil:
		return r, err
	case a.ok:
		return r, nil
	case a.subCode == "ACQ.TRADE_NOT_EXIST":
		return remote{status: model.PaySyncNotFoundUnknown}, nil
	}
	return r, refuse(codeOperation, a.subMsg)
}

func remoteOf(t trade) remote {
	if t.Says != "" {
		r := remote{status: model.PaySyncStatus(t.Says)}
		if t.TradeNo != "" {
			r.tradeNo = &t.TradeNo
		}
		return r
	}
	if t.State == tradeUnknown {
		return remote{status: model.PaySyncNotFoundUnknown}
	}
	r := remote{tradeNo: &t.TradeNo, payTime: ptr(t.PaidAt)}
	switch t.State {
	case tradePaid, tradeFinished:
		r.status = model.PaySyncSuccess
	case tradeWaiting:
		r.status = model.PaySyncProgress
	case tradeClosed:
		r.status = model.PaySyncClosed
	case tradeReturned:
		r.status = model.PaySyncRefund
	}
	return r
}

func (g *Gateway) syncPay(p params) (outcome, error) {
	order := g.paymentOf(p, "bizOrderNo")
	switch {
	case order == nil:
		return outcome{}, refuse(codeNoSuchTrade, textNoPayment)
	case order.Channel == channelWallet:
		return outcome{}, refuse(codeUnclassified, byVersion(g, textNoSync, textOldNoSync))
	}
	status, err := g.syncPayment(order)
	if err != nil {
		return outcome{}, err
	}
	return outcome{members: object{{"status", string(status)}}}, nil
}

// syncPayment asks the channel about a payment and repairs the order. If that fails, the order does not change, but a
// notice may have been sent.
func (g *Gateway) syncPayment(order *payment) (model.PaySyncStatus, error) {
	release := g.acquire("sync:pay"+order.OrderNo, order.BizOrderNo)
	if release == nil {
		return "", fault(codeRepeated, textSyncing)
	}
	defer release()
	r, err := g.askForStatus(order)
	if err != nil {
		if broken(err) {
			return "", g.unrecorded(order)
		}
		return "", err
	}
	x := &transaction{}
	if r.tradeNo == nil && order.OutOrderNo != nil ||
		r.tradeNo != nil && (order.OutOrderNo == nil || *r.tradeNo != *order.OutOrderNo) {
		order.OutOrderNo = r.tradeNo
		if err := g.savePayment(x, order); err != nil {
			return "", err
		}
	}
	if err := g.followChannel(x, order, &r); err != nil {
		x.rollback()
		return "", err
	}
	return r.status, nil
}

// unrecorded is the error of a sync that got no answer from the channel: 2.0.8 fails when it stores the missing answer.
func (g *Gateway) unrecorded(order *payment) error {
	if !g.current() {
		return &failure{business: true, code: codeUnclassified}
	}
	return fault(codeSystem, noSyncInfo(order.OutOrderNo != nil))
}

func noSyncInfo(hasNumber bool) string {
	return noDefault("pay_sync_record", "record.sync.dao.PaySyncRecordMapper", "sync_info",
		column{"id", true}, column{"trade_no", true}, column{"biz_trade_no", true}, column{"out_trade_no", hasNumber},
		column{"out_trade_status", true}, column{"sync_type", true}, column{"channel", true},
		column{"sync_info", false},
		column{"repair", true}, column{"repair_no", false}, column{"error_code", false}, column{"error_msg", false},
		column{"client_ip", false}, column{"creator", true}, column{"create_time", true})
}

// followChannel changes an order whose status differs from the channel's. It sets r to what the sync answers.
func (g *Gateway) followChannel(x *transaction, order *payment, r *remote) error {
	switch status := r.status; order.Status {
	case paySuccess:
		if status == model.PaySyncSuccess {
			return nil
		}
	case payProgress:
		if status == model.PaySyncProgress || status == model.PaySyncNotFoundUnknown {
			if order.ExpiredTime == nil {
				return fault(codeSystem, textNullPointer)
			}
			if g.now().Unix() < *order.ExpiredTime {
				return nil
			}
			r.status = model.PaySyncTimeout
			return g.repairPayment(x, order, r)
		}
	case payClose, payCancel:
		if status == model.PaySyncClosed || status == model.PaySyncNotFound || status == model.PaySyncNotFoundUnknown {
			return nil
		}
	case refundOpen, refundPartial, refundComplete:
		return nil
	}
	switch r.status {
	case model.PaySyncSuccess, model.PaySyncProgress, model.PaySyncClosed, model.PaySyncTimeout, model.PaySyncNotFound,
		model.PaySyncNotFoundUnknown:
	default: // paid and refunded, or a status that only SetPayment sets
		return nil
	}
	if order.RefundStatus != refundNone {
		return nil
	}
	return g.repairPayment(x, order, r)
}

// repairPayment sets an order to what the channel says. It never releases its lock: for 10 seconds after a repair,
// further ones change nothing and do not say so. Every repair sends a notice, even one that changes nothing and then
// fails.
func (g *Gateway) repairPayment(x *transaction, order *payment, r *remote) error {
	if g.acquire("repair:pay:"+order.OrderNo, "") == nil {
		return nil
	}
	useless := false
	switch r.status {
	case model.PaySyncSuccess:
		order.Status, order.PayTime, order.CloseTime = paySuccess, r.payTime, nil
	case model.PaySyncProgress:
		if useless = g.current(); !useless { // older gateways open it again
			order.Status, order.PayTime, order.CloseTime = payProgress, nil, nil
		}
	case model.PaySyncTimeout, model.PaySyncNotFoundUnknown:
		if err := g.closeAtChannel(order, OpClose); err != nil {
			return err
		}
		order.Status, order.CloseTime = payClose, g.seconds()
	case model.PaySyncClosed, model.PaySyncNotFound:
		order.Status, order.CloseTime = payClose, g.seconds()
	}
	if !useless {
		if err := g.savePayment(x, order); err != nil {
			return err
		}
	}
	g.noticePayment(order)
	if useless {
		return fault(codeSystem, noDefault("pay_repair_record", "record.repair.dao.PayRepairRecordMapper",
			"after_status",
			column{"id", true}, column{"repair_no", true}, column{"trade_id", true}, column{"trade_no", true},
			column{"repair_type", true}, column{"repair_source", true}, column{"repair_way", true},
			column{"channel", true},
			column{"before_status", true}, column{"after_status", false}, column{"creator", true},
			column{"create_time", true}))
	}
	return nil
}

// payCallback handles the channel's callback about a payment. It only has an effect if the payment is paid, and the
// order is in progress and has not expired.
func (g *Gateway) payCallback(row *payment) {
	order := ptr(*row)
	t := *g.trade(row)
	if t.State != tradePaid || order.Status != payProgress ||
		order.ExpiredTime != nil && g.now().Unix() >= *order.ExpiredTime {
		return
	}
	order.OutOrderNo = &t.TradeNo
	g.sender.mute = g.current() // 2.0.8 cannot sign a notice in a callback
	defer func() { g.sender.mute = false }()
	_ = g.repairPayment(&transaction{}, order, ptr(remoteOf(t))) // the channel gets no error
}

func (g *Gateway) syncRefund(p params) (outcome, error) {
	f := g.refundOf(p)
	if f == nil {
		return outcome{}, refuse(codeNoSuchTrade, textSyncNoRefund)
	}
	answer := func(status string) (outcome, error) { return outcome{members: object{{"status", status}}}, nil }
	if f.Status == payClose {
		return answer(payClose)
	}
	release := g.acquire("sync:refund:"+f.RefundNo, f.BizRefundNo)
	if release == nil {
		return outcome{}, fault(codeRepeated, textRefundSyncing)
	}
	defer release()
	status, at, err := g.askForRefund(f)
	if err != nil {
		switch {
		case !broken(err):
			return outcome{}, err
		case g.current():
			return outcome{}, fault(codeSystem, noSyncInfo(false))
		}
		return outcome{}, &failure{business: true, code: codeUnclassified}
	}
	if status == model.RefundSyncSuccess && f.Status == paySuccess || status == model.RefundSyncProgress {
		return answer(string(status))
	}
	x := &transaction{}
	if err := g.repairRefund(x, f, status, at); err != nil {
		x.rollback()
		return outcome{}, err
	}
	return answer(string(status))
}

// askForRefund asks the channel about a refund. Alipay only says whether the refund is done.
func (g *Gateway) askForRefund(f *refund) (status model.RefundSyncStatus, at *int64, err error) {
	a, err := g.ask(OpRefundSync, f.RefundNo, func(bool) answer {
		b := g.channel.Paybacks[f.RefundNo]
		switch {
		case b != nil && b.Says != "":
			status = model.RefundSyncStatus(b.Says)
			at = g.seconds()
		case b != nil && b.Done:
			status, at = model.RefundSyncSuccess, ptr(b.At)
		}
		return acted
	})
	switch {
	case err != nil:
	case !a.ok:
		err = refuse(codeOperation, a.subMsg)
	case status == "" || status == model.RefundSyncFail:
		err = refuse(codeOperation, textNotRefunded)
	}
	return status, at, err
}

// repairRefund makes a refund a success, or closes it and frees its amount.
func (g *Gateway) repairRefund(x *transaction, f *refund, status model.RefundSyncStatus, at *int64) error {
	release := g.acquire("repair:refund:"+f.RefundNo, "")
	if release == nil {
		return nil
	}
	defer release()
	row := g.db.payment(f.OrderID)
	if row == nil {
		return fault(codeSystem, textNoAllocPayment)
	}
	order := *row
	if status == model.RefundSyncSuccess {
		f.Status, f.FinishTime = paySuccess, at
		g.setRefundStatus(&order, refundPartial)
		if order.Balance == 0 {
			g.setRefundStatus(&order, refundComplete)
		}
	} else {
		order.Balance += f.Amount
		f.Status = payClose
		if order.Balance != order.Amount {
			g.setRefundStatus(&order, refundPartial)
		} else if !g.current() {
			order.Status = paySuccess
		}
	}
	if err := g.savePayment(x, &order); err != nil {
		return err
	}
	if err := g.saveRefund(x, f); err != nil {
		return err
	}
	if status == model.RefundSyncSuccess {
		g.noticeRefund(f) // the gateway sends it twice, from two places
	}
	g.noticeRefund(f)
	if status != model.RefundSyncSuccess && g.current() { // the record lacks a status that the database requires
		return fault(codeSystem, noDefault("pay_repair_record", "record.repair.dao.PayRepairRecordMapper",
			"after_status"))
	}
	return nil
}

// setRefundStatus stores how far an order is refunded; older gateways have only one status for everything.
func (g *Gateway) setRefundStatus(order *payment, status string) {
	if g.current() {
		order.RefundStatus = status
	} else {
		order.Status = status
	}
}

// syncTransfer is not implemented in the gateway: it has nothing to sign, and fails.
func (g *Gateway) syncTransfer(params) (outcome, error) {
	return outcome{}, fault(codeValidation, textValidation+textWrongResult)
}
