package daxpaytest

import (
	"fmt"
	"slices"

	"github.com/daxpay-go/daxpay/model"
)

const (
	allocProcessing   = string(model.AllocProcessing)
	allocEnd          = string(model.AllocEnd)
	allocFailed       = string(model.AllocFailed)
	allocFinish       = string(model.AllocFinish)
	allocFinishFailed = string(model.AllocFinishFailed)
	allocIgnore       = "ignore"

	resultPending = string(model.AllocAllPending)
	resultFailed  = string(model.AllocAllFailed)
	resultSuccess = string(model.AllocAllSuccess)
	resultPart    = "part_success"

	detailPending = string(model.AllocDetailPending)
	detailSuccess = string(model.AllocDetailSuccess)
	detailFail    = string(model.AllocDetailFail)
	detailIgnore  = "ignore"
)

// findAllocation finds an allocation by either of its numbers.
func (g *Gateway) findAllocation(no string) *allocation {
	if a := g.db.allocationBy(no); a != nil {
		return a
	}
	return g.db.allocationByBiz(no)
}

func (g *Gateway) named(name string) string { return oldName(g.version, name) }

func (g *Gateway) startAllocation(p params) (outcome, error) {
	var a *allocation
	var err error
	if row := g.db.allocationByBiz(p.known(g.named("bizAllocNo"))); row != nil {
		a, err = g.repeatAllocation(p, row.copyOf())
	} else {
		a, err = g.firstAllocation(p)
	}
	if err != nil {
		return outcome{}, err
	}
	return g.allocationAnswer(a), nil
}

func (g *Gateway) allocationAnswer(a *allocation) outcome {
	return outcome{members: object{{g.named("allocNo"), a.AllocNo}, {g.named("bizAllocNo"), a.BizAllocNo},
		{"status", a.Status}}}
}

// lockAllocation takes the lock that the start and the sync of an allocation share.
func (g *Gateway) lockAllocation(orderNo, bizNo, busy string) (func(), error) {
	release := g.acquire("payment:allocation:"+orderNo, bizNo)
	if release == nil {
		return nil, fault(codeRepeated, busy)
	}
	return release, nil
}

func (g *Gateway) firstAllocation(p params) (*allocation, error) {
	order := g.paymentOf(p, "bizOrderNo")
	switch {
	case order == nil:
		return nil, refuse(codeNoSuchTrade, textNoAllocPayment)
	case !order.Allocation:
		return nil, refuse(codeUnclassified, textNotAllocatable)
	case order.AllocStatus != nil && *order.AllocStatus == allocBegun:
		return nil, refuse(codeUnclassified, textAllocated)
	}
	release, err := g.lockAllocation(order.OrderNo, p.known(g.named("bizAllocNo")), textAllocating)
	if err != nil {
		return nil, err
	}
	defer release()
	var details []detail
	if wanted := p.receivers("receivers"); len(wanted) > 0 {
		details, err = g.detailsFor(wanted, order)
	} else {
		details, err = g.detailsOfGroup(p, order)
	}
	if err != nil {
		return nil, err
	}
	a, err := g.createAllocation(p, order, details)
	if err != nil || a.Status == allocIgnore {
		return a, err
	}
	outNo := g.channelNumber("2110")
	if err := g.allocationEnabled(a); err != nil {
		a.Status, a.ErrorMsg = allocFailed, textOf(err)
	} else if err := g.settle(OpAllocation, a, a.Details); err != nil {
		a.Status, a.ErrorMsg = allocFailed, textOf(err)
	} else {
		a.Status, a.Result, a.ErrorMsg, a.OutAllocNo = allocProcessing, ptr(resultPending), nil, &outNo
	}
	return a, g.saveAllocation(nil, a)
}

// detailsFor makes a detail for each receiver, in the order in which the receivers were added to the gateway.
func (g *Gateway) detailsFor(list []*wanted, order *payment) ([]detail, error) {
	amounts := make(map[string]int64)
	for _, w := range list {
		if w == nil {
			return nil, fault(codeSystem, textNullPointer)
		}
		amounts[*w.receiverNo] = *w.amount
	}
	if len(amounts) != len(list) {
		return nil, g.validationFault(textReceiverTwice)
	}
	var found []*receiver
	for _, r := range g.db.Receivers {
		for no := range amounts {
			if sameText(no, r.ReceiverNo) {
				found = append(found, r)
				break
			}
		}
	}
	if len(found) != len(amounts) {
		return nil, g.validationFault(textReceiverUnknown)
	}
	var details []detail
	for _, r := range found {
		amount, ok := amounts[r.ReceiverNo]
		switch {
		case r.Channel != order.Channel:
			return nil, g.validationFault(textReceiverForeign)
		case !ok: // the request has the number in another case
			return nil, fault(codeSystem, textNullPointer)
		}
		details = append(details, r.detail(amount, amount*10000/order.Amount))
	}
	return details, nil
}

func (r *receiver) detail(amount, rate int64) detail {
	return detail{
		ReceiverNo: &r.ReceiverNo, Amount: amount, Rate: &rate, Type: &r.Type, Account: &r.Account, Name: r.Name,
		Result: detailPending,
	}
}

// detailsOfGroup makes the details of the group that a request names, or of the default group.
func (g *Gateway) detailsOfGroup(p params, order *payment) ([]detail, error) {
	var group *Group
	no := p.text("groupNo")
	for i := range g.settings.Groups {
		candidate := &g.settings.Groups[i]
		if no != nil && sameText(*no, candidate.GroupNo) ||
			no == nil && candidate.Default && string(candidate.Channel) == order.Channel {
			group = candidate
		}
	}
	switch {
	case group == nil && no != nil:
		return nil, byVersion(g, refuse(codeUnclassified, textNoGroup), fault(codeNotThere, textNoGroup))
	case group == nil:
		return nil, refuse(codeUnclassified, textNoDefaultGroup)
	case string(group.Channel) != order.Channel:
		return nil, g.validationFault(textReceiverForeign)
	}
	return g.detailsOfMembers(group, order), nil
}

func (g *Gateway) detailsOfMembers(group *Group, order *payment) []detail {
	var details []detail
	for _, m := range group.Members {
		r := g.db.receiver(m.ReceiverNo)
		if r == nil {
			continue
		}
		d := r.detail(order.Amount*m.Rate/10000, m.Rate)
		if d.Amount == 0 && !g.is206() {
			d.Result, d.ErrorMsg, d.FinishTime = detailIgnore, ptr(textTooLittle), g.seconds()
		}
		details = append(details, d)
	}
	return details
}

// createAllocation stores an allocation. From then on the payment counts as allocated, even if the allocation fails.
func (g *Gateway) createAllocation(p params, order *payment, details []detail) (*allocation, error) {
	a := allocation{
		AllocNo: g.number("A"), BizAllocNo: p.known(g.named("bizAllocNo")), OrderID: order.ID, OrderNo: order.OrderNo,
		BizOrderNo: order.BizOrderNo, OutOrderNo: order.OutOrderNo, Title: &order.Title, Channel: &order.Channel,
		Description: p.text("description"), Status: allocProcessing,
		NotifyURL: g.notifyURL(p, "/unipay/allocation/start"), Attach: p.text("attach"), Details: details,
		Created: g.now().Unix(),
	}
	if g.current() {
		a.Result = ptr(resultPending)
	}
	for _, d := range details {
		a.Amount += d.Amount
		if g.current() && d.ReceiverNo != nil && lengthOf(*d.ReceiverNo) > 20 {
			return nil, fault(codeSystem, tooLong("AllocOrderDetailMapper.insert", "receiver_no"))
		}
	}
	if a.Amount == 0 && !g.is206() {
		a.Status, a.Result, a.ErrorMsg, a.FinishTime = allocIgnore, ptr("allocation_failed"), ptr(textTooLittle),
			g.seconds()
	}
	if g.current() && a.OutOrderNo == nil {
		return nil, fault(codeSystem, noOutOrder(&a))
	}
	order.AllocStatus = ptr(allocBegun)
	if err := g.savePayment(nil, order); err != nil {
		return nil, err
	}
	a = g.db.addAllocation(a)
	return a.copyOf(), nil
}

// noOutOrder is what the database says about an allocation of a payment that has no channel number (外部支付号).
func noOutOrder(a *allocation) string {
	return noDefault("pay_alloc_order", "order.allocation.dao.AllocOrderMapper", "out_order_no",
		column{"id", true}, column{"alloc_no", true}, column{"biz_alloc_no", true}, column{"out_alloc_no", false},
		column{"order_id", true}, column{"order_no", true}, column{"biz_order_no", true}, column{"out_order_no", false},
		column{"title", true}, column{"channel", true}, column{"amount", true},
		column{"description", a.Description != nil},
		column{"status", true}, column{"result", true}, column{"finish_time", a.FinishTime != nil},
		column{"notify_url", a.NotifyURL != nil}, column{"attach", a.Attach != nil}, column{"req_time", false},
		column{"client_ip", false}, column{"error_code", false}, column{"error_msg", a.ErrorMsg != nil},
		column{"deleted", true},
		column{"last_modifier", true}, column{"last_modified_time", true}, column{"version", true},
		column{"creator", true},
		column{"create_time", true})
}

// repeatAllocation sends an allocation to the channel again, with the receivers and amounts that it has.
func (g *Gateway) repeatAllocation(p params, a *allocation) (*allocation, error) {
	release, err := g.lockAllocation(a.OrderNo, a.BizAllocNo, textAllocating)
	if err != nil {
		return nil, err
	}
	defer release()
	if !slices.Contains([]string{allocEnd, allocFailed, allocProcessing}, a.Status) {
		return nil, refuse(codeUnclassified, textNoRetry)
	}
	if err := g.allocationEnabled(a); err != nil {
		return nil, err
	}
	a.NotifyURL, a.Attach = g.notifyURL(p, "/unipay/allocation/start"), p.text("attach")
	if err := g.saveAllocation(nil, a); err != nil {
		return nil, err
	}
	if err := g.settle(OpAllocation, a, a.sent()); err != nil {
		a.Status, a.ErrorMsg = allocFailed, textOf(err)
	} else {
		a.Status, a.ErrorMsg = allocProcessing, nil
	}
	return a, g.saveAllocation(nil, a)
}

// sent returns the details that go to the channel when it is asked again.
func (a *allocation) sent() []detail {
	return slices.DeleteFunc(slices.Clone(a.Details), func(d detail) bool { return d.Result == detailIgnore })
}

// allocationEnabled returns why the settings do not allow asking the channel, or nil.
func (g *Gateway) allocationEnabled(a *allocation) error {
	if a.Channel == nil || *a.Channel != channelAli && *a.Channel != channelWeChat {
		return nil // a test has made it with SetAllocation
	}
	if !g.settings.Channels[model.Channel(*a.Channel)].Allocation {
		return refuse(codeNotEnabled, textNoAllocSetting)
	}
	return nil
}

// settle asks the channel to allocate the details, or to finish the allocation.
func (g *Gateway) settle(op Operation, a *allocation, details []detail) error {
	answer, err := g.ask(op, a.AllocNo, func(bool) answer {
		if op == OpAllocation && g.channel.Allocations[a.AllocNo] == nil {
			some := *a
			some.Details = details
			g.channel.Allocations[a.AllocNo] = g.parts(&some)
			g.changes.named("parts", a.AllocNo)
		}
		return acted
	})
	switch {
	case err != nil:
		return err
	case !answer.ok:
		return refuse(codeTradeFailed, answer.subMsg)
	}
	return nil
}

func (g *Gateway) finishAllocation(p params) (outcome, error) {
	var row *allocation
	if no := p.text(g.named("allocNo")); no != nil {
		row = g.db.allocationBy(*no)
	} else if no := p.text(g.named("bizAllocNo")); no != nil {
		row = g.db.allocationByBiz(*no)
	}
	if row == nil {
		return outcome{}, fault(codeNotThere, textFinishNone)
	}
	a := row.copyOf()
	if a.Status != allocEnd && (a.Status != allocFinishFailed || g.is206()) {
		return outcome{}, refuse(codeUnclassified, textNoFinish)
	}
	if err := g.allocationEnabled(a); err != nil {
		return outcome{}, err
	}
	if err := g.settle(OpAllocationFinish, a, a.sent()); err != nil {
		a.Status, a.ErrorMsg = allocFinishFailed, textOf(err)
	} else {
		a.Status, a.FinishTime, a.ErrorMsg = allocFinish, g.seconds(), nil
	}
	if err := g.saveAllocation(nil, a); err != nil {
		return outcome{}, err
	}
	return g.allocationAnswer(a), nil
}

// syncAllocation takes the merchant's number as well, but looks for it among the gateway's numbers.
func (g *Gateway) syncAllocation(p params) (outcome, error) {
	no := p.text(g.named("allocNo"))
	if no == nil {
		no = p.text(g.named("bizAllocNo"))
	}
	var row *allocation
	if no != nil {
		row = g.db.allocationBy(*no)
	}
	switch {
	case row == nil:
		return outcome{}, fault(codeNotThere, textNoAllocation)
	case row.Status == allocIgnore:
		return outcome{}, nil
	}
	a := row.copyOf()
	release, err := g.lockAllocation(a.OrderNo, a.BizAllocNo, textAllocSyncing)
	if err != nil {
		return outcome{}, err
	}
	defer release()
	if err := g.allocationEnabled(a); err != nil {
		return outcome{}, err
	}
	if err := g.askForShares(a); err != nil {
		return outcome{}, err
	}
	x := &transaction{}
	if err := g.followShares(x, a); err != nil {
		x.rollback()
		return outcome{}, err
	}
	return outcome{}, nil
}

// askForShares asks the channel for the results of the shares.
func (g *Gateway) askForShares(a *allocation) error {
	reply, err := g.ask(OpAllocationSync, a.AllocNo, func(bool) answer {
		for _, part := range g.channel.Allocations[a.AllocNo] {
			i := slices.IndexFunc(a.Details,
				func(d detail) bool { return d.Account != nil && *d.Account == part.Account })
			if i < 0 {
				continue
			}
			d := &a.Details[i]
			d.ErrorCode, d.ErrorMsg = nil, nil
			switch part.State {
			case "", Pending.State:
				d.Result = detailPending
			case Succeeded.State:
				d.Result, d.FinishTime = detailSuccess, ptr(part.At)
			default:
				d.Result = detailFail
				if part.Code != "" {
					d.ErrorCode = &part.Code
				}
				if part.Msg != "" {
					d.ErrorMsg = &part.Msg
				}
			}
		}
		return acted
	})
	switch {
	case err != nil:
		return silent()
	case !reply.ok:
		return refuse(codeTradeFailed, reply.subMsg)
	}
	return nil
}

// followShares makes the status of an allocation from its shares. An allocation ends when its first share does, and
// every sync after that sends a notice.
func (g *Gateway) followShares(x *transaction, a *allocation) error {
	if a.Status != allocFinish && a.Status != allocFinishFailed {
		succeeded, failed := 0, 0
		for _, d := range a.Details {
			switch d.Result {
			case detailSuccess:
				succeeded++
			case detailFail:
				failed++
			}
		}
		a.Status = allocEnd
		switch {
		case succeeded == 0 && failed == 0:
			a.Status, a.Result = allocProcessing, ptr(resultPending)
		case failed == len(a.Details):
			a.Result = ptr(resultFailed)
		case succeeded == len(a.Details):
			a.Result = ptr(resultSuccess)
		default:
			a.Result = ptr(resultPart)
		}
	}
	for _, d := range a.Details {
		if !g.current() {
			break
		}
		if d.ErrorCode != nil && lengthOf(*d.ErrorCode) > 10 {
			return fault(codeSystem, tooLong("AllocOrderDetailMapper.updateById", "error_code"))
		}
		if d.ErrorMsg != nil && lengthOf(*d.ErrorMsg) > 150 {
			return fault(codeSystem, tooLong("AllocOrderDetailMapper.updateById", "error_msg"))
		}
	}
	g.saveDetails(x, a)
	if err := g.saveAllocation(x, a); err != nil {
		return err
	}
	if a.Status == allocEnd {
		g.noticeAllocation(a)
	}
	return nil
}

// syncTransferOf207 runs the sync of an allocation; the gateway then cannot sign the answer.
func (g *Gateway) syncTransferOf207(p params) (outcome, error) {
	_, err := g.syncAllocation(p)
	return outcome{unsignable: true}, err
}

// startAllocationOf206 allocates to groups only, and never repeats an allocation.
func (g *Gateway) startAllocationOf206(p params) (outcome, error) {
	order := g.paymentOf(p, "bizOrderNo")
	switch {
	case order == nil:
		return outcome{}, fault(codeNotThere, textNoAllocPayment)
	case !order.Allocation:
		return outcome{}, refuse(codeUnclassified, textNotAllocatable)
	case order.AllocStatus != nil && *order.AllocStatus == allocBegun:
		return outcome{}, refuse(codeUnclassified, textAllocated)
	}
	release, err := g.lockAllocation(order.OrderNo, p.known(g.named("bizAllocNo")), textAllocating)
	if err != nil {
		return outcome{}, err
	}
	defer release()
	group := g.groupOf206(p, order)
	if group == nil {
		text := textNoDefaultGroup
		if p.number("allocationGroupId") != nil {
			text = textNoGroup
		}
		return outcome{}, fault(codeNotThere, text)
	}
	a, err := g.createAllocation(p, order, g.detailsOfMembers(group, order))
	if err != nil {
		return outcome{}, err
	}
	outNo := g.channelNumber("2110")
	if err := g.settle(OpAllocation, a, a.Details); err != nil {
		a.Status, a.ErrorMsg = allocFailed, textOf(err)
	} else {
		a.Status, a.ErrorMsg, a.OutAllocNo = allocProcessing, nil, &outNo
	}
	if err := g.saveAllocation(nil, a); err != nil {
		return outcome{}, err
	}
	return outcome{members: object{{"orderId", fmt.Sprint(a.ID)}, {"allocationNo", a.AllocNo}, {"status", a.Status}}},
		nil
}

// groupOf206 finds a group by its ID, which here is its place in Settings.Groups counted from 1, or the default group.
func (g *Gateway) groupOf206(p params, order *payment) *Group {
	id := p.number("allocationGroupId")
	for i := range g.settings.Groups {
		group := &g.settings.Groups[i]
		if id != nil && *id == int64(i)+1 || id == nil && group.Default && string(group.Channel) == order.Channel {
			return group
		}
	}
	return nil
}

// finishAllocationOf206 finishes an allocation; the gateway then cannot sign the answer.
func (g *Gateway) finishAllocationOf206(p params) (outcome, error) {
	if id := p.text("orderId"); id != nil {
		for _, a := range g.db.Allocations {
			if fmt.Sprint(a.ID) == *id {
				p.fields[g.named("allocNo")] = a.AllocNo
			}
		}
	}
	_, err := g.finishAllocation(p)
	return outcome{unsignable: true}, err
}
