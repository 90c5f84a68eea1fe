package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// errMixedUp says that an answer is not about what was asked.
var errMixedUp = errors.New("the answer is about something else")

// Both sides make what there is to know of an order out of its number, so that an answer about another order shows.

func hash(number string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(number))
	return h.Sum32()
}

// amountOf is the order's amount.
func amountOf(number string) int64 { return int64(hash(number)%1_000_000) + 1 }

// gatewayNo is the gateway's number of the order. It must be as new as the merchant's: news is told apart by it, and
// one gateway after the other would count from 1.
func gatewayNo(number string) string { return "G" + number }

// titleOf is the order's title, its account, or what else is a text.
func titleOf(number string) string { return "about " + number }

// oneOf is the order's status.
func oneOf[S any](number string, statuses ...S) S {
	return statuses[int(hash(number)>>8)%len(statuses)]
}

func paySyncStatus(number string) model.PaySyncStatus {
	return oneOf(number, model.PaySyncSuccess, model.PaySyncProgress, model.PaySyncClosed, model.PaySyncRefund,
		model.PaySyncTimeout)
}

func refundSyncStatus(number string) model.RefundSyncStatus {
	return oneOf(number, model.RefundSyncSuccess, model.RefundSyncFail, model.RefundSyncProgress)
}

// nobody starts the numbers of orders that there are not.
const nobody = "nobody"

// subject is what one call is about.
type subject struct {
	ctx    context.Context
	kit    *daxpay.Client
	common param.Common
	number string // of the order; nobody has it yet
	notify string // where notices go, empty for nowhere
}

// kinds are the calls that the workers make: all that gateway 2.0.8 has, and two that the business refuses.
var kinds = []struct {
	name    string
	notices bool // notices come of it
	call    func(s subject) (param.Effect, error)
}{
	{"Pay", true, func(s subject) (param.Effect, error) {
		return ask(s, &param.PayParam{
			Common: s.common, BizOrderNo: s.number, Title: titleOf(s.number), Channel: model.ChannelAli,
			Method: model.MethodQRCode,
			Amount: amountOf(s.number), NotifyURL: s.notify,
		}, func(m *model.PayModel) bool {
			return m.BizOrderNo == s.number && m.OrderNo == gatewayNo(s.number) && strings.HasSuffix(m.PayBody, m.OrderNo)
		})
	}},
	{"ClosePay", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.PayCloseParam{Common: s.common, BizOrderNo: s.number}, nothing[model.PayCloseModel])
	}},
	{"CancelPay", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.PayCancelParam{Common: s.common, BizOrderNo: s.number}, nothing[model.PayCancelModel])
	}},
	{"SyncPay", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.PaySyncParam{Common: s.common, BizOrderNo: s.number}, func(m *model.PaySyncModel) bool {
			return m.Status == paySyncStatus(s.number)
		})
	}},
	{"SyncPay of none", false, func(s subject) (param.Effect, error) {
		return refused(ask(s, &param.PaySyncParam{Common: s.common, BizOrderNo: nobody + s.number},
			nothing[model.PaySyncModel]))
	}},
	{"QueryPayOrder", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.QueryPayOrderParam{Common: s.common, BizOrderNo: s.number}, func(m *model.PayOrderModel) bool {
			return m.BizOrderNo == s.number && m.Title == titleOf(s.number) && m.Amount == amountOf(s.number)
		})
	}},
	{"Refund", true, func(s subject) (param.Effect, error) {
		return ask(s, &param.RefundParam{
			Common: s.common, BizRefundNo: s.number, BizOrderNo: "of-" + s.number, Amount: amountOf(s.number),
			NotifyURL: s.notify,
		}, func(m *model.RefundModel) bool { return m.BizRefundNo == s.number && m.RefundNo == gatewayNo(s.number) })
	}},
	{"SyncRefund", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.RefundSyncParam{Common: s.common, BizRefundNo: s.number}, func(m *model.RefundSyncModel) bool {
			return m.Status == refundSyncStatus(s.number)
		})
	}},
	{"QueryRefundOrder", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.QueryRefundOrderParam{Common: s.common, BizRefundNo: s.number},
			func(m *model.RefundOrderModel) bool {
				return m.BizRefundNo == s.number && m.Reason == titleOf(s.number) && m.Amount == amountOf(s.number)
			})
	}},
	{"Transfer", false, func(s subject) (param.Effect, error) {
		return ask(s, transferOf(s.common, s.number), func(m *model.TransferModel) bool {
			return m.BizTransferNo == s.number && m.Status == model.TransferTransferring
		})
	}},
	{"SyncTransfer", false, func(s subject) (param.Effect, error) {
		return refused(ask(s, &param.TransferSyncParam{Common: s.common, BizTransferNo: s.number},
			nothing[model.TransferSyncModel]))
	}},
	{"QueryTransferOrder", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.QueryTransferOrderParam{Common: s.common, BizTransferNo: s.number},
			func(m *model.TransferOrderModel) bool {
				return m.BizTransferNo == s.number && m.Title == titleOf(s.number) && m.Amount == amountOf(s.number)
			})
	}},
	{"StartAlloc", true, func(s subject) (param.Effect, error) {
		return ask(s, &param.AllocStartParam{
			Common: s.common, BizAllocNo: s.number, BizOrderNo: "of-" + s.number, NotifyURL: s.notify,
			Receivers: []param.AllocReceiver{{ReceiverNo: "r1", Amount: amountOf(s.number)}},
		}, func(m *model.AllocModel) bool {
			return m.BizAllocNo == s.number && m.AllocNo == gatewayNo(s.number)
		})
	}},
	{"FinishAlloc", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.AllocFinishParam{Common: s.common, BizAllocNo: s.number}, func(m *model.AllocModel) bool {
			return m.BizAllocNo == s.number && m.Status == model.AllocFinish
		})
	}},
	{"SyncAlloc", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.AllocSyncParam{Common: s.common, AllocNo: gatewayNo(s.number)}, nothing[model.AllocSyncModel])
	}},
	{"QueryAllocOrder", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.QueryAllocOrderParam{Common: s.common, AllocNo: gatewayNo(s.number)},
			func(m *model.AllocOrderModel) bool {
				return m.BizAllocNo == s.number && m.Amount == amountOf(s.number) && len(m.Details) == 1
			})
	}},
	{"AddAllocReceiver", false, func(s subject) (param.Effect, error) {
		return ask(s, receiverOf(s.common, s.number), nothing[model.AllocReceiverAddModel])
	}},
	{"RemoveAllocReceiver", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.AllocReceiverRemoveParam{Common: s.common, ReceiverNo: s.number},
			nothing[model.AllocReceiverRemoveModel])
	}},
	{"QueryAllocReceivers", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.QueryAllocReceiversParam{Common: s.common, ReceiverNo: s.number},
			func(m *model.AllocReceiversModel) bool {
				return len(m.Receivers) == 1 && m.Receivers[0].ReceiverNo == s.number &&
					m.Receivers[0].ReceiverAccount == titleOf(s.number)
			})
	}},
	{"WxAuthURL", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.WxAuthURLParam{Common: s.common, URL: "https://shop.example.com/", State: s.number},
			func(m *model.WxAuthURLModel) bool {
				return strings.Contains(m.URL, "state="+s.number+"#")
			})
	}},
	{"WxAccessToken", false, func(s subject) (param.Effect, error) {
		return ask(s, &param.WxAccessTokenParam{Common: s.common, Code: s.number}, func(m *model.WxAccessTokenModel) bool {
			return m.OpenID == "openid-"+s.number
		})
	}},
}

// ask makes a call and has its answer checked.
func ask[T any](s subject, p param.Request[T], right func(*T) bool) (param.Effect, error) {
	effect := p.Call().Effect
	res, err := daxpay.Execute(s.ctx, s.kit, p)
	if err == nil && !right(&res.Data) {
		err = fmt.Errorf("%w: asked for %s, trace %s", errMixedUp, s.number, res.TraceID)
	}
	return effect, err
}

// nothing is what is to be compared in some answers: all that they say is that the call succeeded.
func nothing[T any](*T) bool { return true }

// refused makes a refusal of the business the right answer. The outcome is unknown only if another attempt came before
// it.
func refused(effect param.Effect, err error) (param.Effect, error) {
	refusal, retried := (*daxpay.GatewayError)(nil), (*daxpay.RetryError)(nil)
	switch {
	case err == nil:
		return effect, errors.New("the business should have refused")
	case errors.As(err, &refusal) && refusal.Business && refusal.Signed &&
		errors.Is(err, daxpay.ErrOutcomeUnknown) == errors.As(err, &retried):
		return effect, nil
	}
	return effect, err
}

func transferOf(common param.Common, number string) *param.TransferParam {
	return &param.TransferParam{
		Common: common, BizTransferNo: number, Channel: model.ChannelAli, Amount: amountOf(number), Title: titleOf(number),
		PayeeAccount: "a",
	}
}

func receiverOf(common param.Common, number string) *param.AllocReceiverAddParam {
	return &param.AllocReceiverAddParam{
		Common: common, ReceiverNo: number, Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID,
		ReceiverAccount: titleOf(number),
		RelationType:    model.RelationStore,
	}
}
