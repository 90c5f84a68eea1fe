package calltable

import (
	"context"
	"slices"
	"strings"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// All returns the table.
func All() []Call {
	return slices.Concat(payCalls(), refundCalls(), transferCalls(), allocCalls(), receiverCalls(), wechatCalls(),
		legacyCalls())
}

func payCalls() []Call {
	return slices.Concat(changesOfPayments(), looksAtPayments())
}

func changesOfPayments() []Call {
	return []Call{
		row[param.PayParam, model.PayModel]{
			name: "Pay", effect: param.EffectChanges, do: (*daxpay.Client).Pay,
			sent: since206("/unipay/pay amount attach bizOrderNo channel description extraParam method notifyUrl quitUrl " +
				"returnUrl title"),
			param: func(n string) *param.PayParam {
				return &param.PayParam{
					BizOrderNo: "B" + n, Title: Title(n), Description: "红色", Channel: model.ChannelAli,
					Method: model.MethodQRCode, Amount: Amount(n), ExtraParam: param.AliPay{AuthCode: "a"}, Attach: "x=1",
					ReturnURL: "https://shop.example.com/done", QuitURL: "https://shop.example.com/",
					NotifyURL: "https://shop.example.com/notify?a=1&b=2",
				}
			},
			answer: `"bizOrderNo":"B1","orderNo":"P1","status":"progress","payBody":"{\"url\":\"https://qr.example.com/?a=1&b=2\"}"`,
			stock:  stockPayment(model.PaySyncProgress),
			right: func(m *model.PayModel, n string) bool {
				return m.BizOrderNo == "B"+n && m.OrderNo == "P"+n && m.Status == model.PayProgress &&
					strings.HasSuffix(m.PayBody, m.OrderNo)
			},
		}.call(),
		row[param.PayCloseParam, model.PayCloseModel]{
			name: "ClosePay", effect: param.EffectChanges, do: (*daxpay.Client).ClosePay, unnamed: true,
			sent:  since206("/unipay/close orderNo"),
			param: func(n string) *param.PayCloseParam { return &param.PayCloseParam{OrderNo: "P" + n} },
			stock: stockPayment(model.PaySyncProgress),
		}.call(),
		row[param.PayCancelParam, model.PayCancelModel]{
			name: "CancelPay", effect: param.EffectChanges, do: (*daxpay.Client).CancelPay, unnamed: true,
			sent:  since208("/unipay/cancel orderNo"),
			param: func(n string) *param.PayCancelParam { return &param.PayCancelParam{OrderNo: "P" + n} },
			stock: stockPayment(model.PaySyncProgress),
		}.call(),
	}
}

func looksAtPayments() []Call {
	return []Call{
		row[param.PaySyncParam, model.PaySyncModel]{
			name: "SyncPay", effect: param.EffectRepeatable, do: (*daxpay.Client).SyncPay, unnamed: true,
			sent: map[daxpay.GatewayVersion]string{
				v206: "/unipay/syncPay bizOrderNo orderNo", v207: "/unipay/sync/pay bizOrderNo orderNo",
				v208: "/unipay/sync/pay bizOrderNo orderNo",
			},
			param:  func(n string) *param.PaySyncParam { return &param.PaySyncParam{OrderNo: "P" + n, BizOrderNo: "B" + n} },
			answer: `"orderNo":"P1","bizOrderNo":"B1","status":"pay_success"`,
			stock:  func(gw *daxpaytest.Gateway, n string) { stockPayment(paySyncStatus(n))(gw, n) },
			right:  func(m *model.PaySyncModel, n string) bool { return m.Status == paySyncStatus(n) },
		}.call(),
		row[param.QueryPayOrderParam, model.PayOrderModel]{
			name: "QueryPayOrder", effect: param.EffectReadOnly, do: (*daxpay.Client).QueryPayOrder,
			sent: map[daxpay.GatewayVersion]string{
				v206: "/uni/query/payOrder bizOrderNoeNo", v207: "/unipay/query/payOrder bizOrderNoeNo",
				v208: "/unipay/query/payOrder bizOrderNoeNo",
			},
			param:  func(n string) *param.QueryPayOrderParam { return &param.QueryPayOrderParam{BizOrderNo: "B" + n} },
			answer: PayOrder + `,"refundableBalance":9900`,
			stock:  stockPayment(model.PaySyncSuccess),
			right: func(m *model.PayOrderModel, n string) bool {
				return m.OrderNo == "P"+n && m.BizOrderNo == "B"+n && m.Title == Title(n) && m.Channel == model.ChannelAli &&
					m.Method == model.MethodQRCode && m.Amount == Amount(n) && m.RefundableBalance == Amount(n) &&
					m.Standing() == model.Succeeded
			},
		}.call(),
	}
}

func paySyncStatus(n string) model.PaySyncStatus {
	return oneOf(n, model.PaySyncSuccess, model.PaySyncProgress, model.PaySyncClosed)
}

// stockPayment makes the payment n with a status at the channel.
func stockPayment(status model.PaySyncStatus) func(gw *daxpaytest.Gateway, n string) {
	return func(gw *daxpaytest.Gateway, n string) {
		gw.SetPayment(daxpaytest.Payment{OrderNo: "P" + n, BizOrderNo: "B" + n, Title: Title(n), Amount: Amount(n),
			Status: status, Allocation: true})
	}
}

func refundCalls() []Call {
	return []Call{
		row[param.RefundParam, model.RefundModel]{
			name: "Refund", effect: param.EffectChanges, do: (*daxpay.Client).Refund,
			sent: since206("/unipay/refund amount attach bizRefundNo extraParam notifyUrl orderNo reason"),
			param: func(n string) *param.RefundParam {
				return &param.RefundParam{
					BizRefundNo: "BR" + n, OrderNo: "P" + n, Amount: Amount(n), Reason: "太小", ExtraParam: `{"a":"b"}`, Attach: "x=1",
					NotifyURL: "https://shop.example.com/notify?a=1&b=2",
				}
			},
			answer: `"refundNo":"R1","bizRefundNo":"BR1","status":"progress"`,
			stock:  stockRefund(model.RefundSyncFail), // the gateway tries it again under the same number
			right: func(m *model.RefundModel, n string) bool {
				return m.BizRefundNo == "BR"+n && m.RefundNo == "R"+n && m.Status == ""
			},
		}.call(),
		row[param.RefundSyncParam, model.RefundSyncModel]{
			name: "SyncRefund", effect: param.EffectRepeatable, do: (*daxpay.Client).SyncRefund, unnamed: true,
			sent: map[daxpay.GatewayVersion]string{
				v206: "/unipay/syncRefund refundNo", v207: "/unipay/sync/refund refundNo", v208: "/unipay/sync/refund refundNo",
			},
			param:  func(n string) *param.RefundSyncParam { return &param.RefundSyncParam{RefundNo: "R" + n} },
			answer: `"refundNo":"R1","bizRefundNo":"BR1","status":"refund_success"`,
			stock:  func(gw *daxpaytest.Gateway, n string) { stockRefund(refundSyncStatus(n))(gw, n) },
			right:  func(m *model.RefundSyncModel, n string) bool { return m.Status == refundSyncStatus(n) },
		}.call(),
		row[param.QueryRefundOrderParam, model.RefundOrderModel]{
			name: "QueryRefundOrder", effect: param.EffectReadOnly, do: (*daxpay.Client).QueryRefundOrder,
			sent:   since207("/unipay/query/refundOrder refundNo"),
			param:  func(n string) *param.QueryRefundOrderParam { return &param.QueryRefundOrderParam{RefundNo: "R" + n} },
			answer: RefundOrder,
			stock:  stockRefund(model.RefundSyncSuccess),
			right: func(m *model.RefundOrderModel, n string) bool {
				return m.RefundNo == "R"+n && m.BizRefundNo == "BR"+n && m.OrderNo == "P"+n && m.Amount == Amount(n) &&
					m.OrderAmount == Amount(n) && m.Title == Title(n) && m.Reason == Title(n) && m.Standing() == model.Succeeded
			},
		}.call(),
	}
}

func refundSyncStatus(n string) model.RefundSyncStatus {
	return oneOf(n, model.RefundSyncSuccess, model.RefundSyncProgress)
}

// stockRefund makes the refund n of the whole payment n, with a status at the channel.
func stockRefund(status model.RefundSyncStatus) func(gw *daxpaytest.Gateway, n string) {
	return func(gw *daxpaytest.Gateway, n string) {
		stockPayment(model.PaySyncSuccess)(gw, n)
		gw.SetRefund(daxpaytest.Refund{RefundNo: "R" + n, BizRefundNo: "BR" + n, OrderNo: "P" + n, Reason: Title(n),
			Amount: Amount(n), Status: status})
	}
}

func transferCalls() []Call {
	return []Call{
		row[param.TransferParam, model.TransferModel]{
			name: "Transfer", effect: param.EffectOnce, do: (*daxpay.Client).Transfer,
			sent: since208("/unipay/transfer amount attach bizTransferNo channel notifyUrl payeeAccount payeeName payeeType " +
				"reason title transferType"),
			param:  transferParam,
			answer: `"bizTransferNo":"BT1","transferNo":"T1","status":"transferring"`,
			right: func(m *model.TransferModel, n string) bool {
				return m.BizTransferNo == "BT"+n && m.TransferNo != "" && m.Status == model.TransferSuccess
			},
		}.call(),
		row[param.TransferSyncParam, model.TransferSyncModel]{
			name: "SyncTransfer", effect: param.EffectReadOnly, do: (*daxpay.Client).SyncTransfer, unnamed: true,
			sent: since208("/unipay/sync/transfer transferNo"), refused: []daxpay.GatewayVersion{v208},
			param:  func(n string) *param.TransferSyncParam { return &param.TransferSyncParam{TransferNo: "T" + n} },
			answer: `"status":"success"`,
		}.call(),
		row[param.QueryTransferOrderParam, model.TransferOrderModel]{
			name: "QueryTransferOrder", effect: param.EffectReadOnly, do: (*daxpay.Client).QueryTransferOrder,
			sent: since208("/unipay/query/transferOrder bizTransferNo"),
			param: func(n string) *param.QueryTransferOrderParam {
				return &param.QueryTransferOrderParam{BizTransferNo: "BT" + n}
			},
			answer: `"bizTransferNo":"BT1","transferNo":"T1","outTransferNo":"110","channel":"ali_pay",` +
				`"amount":100,"title":"工资","reason":"五月","transferType":"employee","payeeType":"ali_user_id","payeeAccount":"2088",` +
				`"payeeName":"王小明","status":"success","successTime":"2024-05-12 15:50:30","errorCode":"E0","errorMsg":"无"`,
			stock: stockTransfer,
			right: func(m *model.TransferOrderModel, n string) bool {
				return m.BizTransferNo == "BT"+n && m.Title == Title(n) && m.Amount == Amount(n) && m.PayeeName == "王小明" &&
					m.Standing() == model.Succeeded
			},
		}.call(),
	}
}

func transferParam(n string) *param.TransferParam {
	return &param.TransferParam{
		BizTransferNo: "BT" + n, Channel: model.ChannelAli, Amount: Amount(n), Title: Title(n), Reason: "五月",
		TransferType: model.TransferToEmployee, PayeeType: model.PayeeAliUserID, PayeeAccount: "2088", PayeeName: "王小明",
		NotifyURL: "https://shop.example.com/notify?a=1&b=2", Attach: "x=1",
	}
}

// stockTransfer pays out the transfer n, once.
func stockTransfer(gw *daxpaytest.Gateway, n string) {
	p := transferParam(n)
	paid := func(t daxpaytest.Transfer) bool { return t.BizTransferNo == p.BizTransferNo }
	if !slices.ContainsFunc(gw.Transfers(), paid) {
		_, _ = client(gw).Transfer(context.Background(), p)
	}
}

func allocCalls() []Call {
	return []Call{
		row[param.AllocStartParam, model.AllocModel]{
			name: "StartAlloc", effect: param.EffectChanges, do: (*daxpay.Client).StartAlloc,
			sent: map[daxpay.GatewayVersion]string{
				v207: "/unipay/allocation/start attach bizAllocationNo description notifyUrl orderNo receivers",
				v208: "/unipay/allocation/start attach bizAllocNo description notifyUrl orderNo receivers",
			},
			unfit: []daxpay.GatewayVersion{v206}, // 2.0.6 takes groups only
			param: func(n string) *param.AllocStartParam {
				return &param.AllocStartParam{
					BizAllocNo: "BA" + n, OrderNo: "P" + n, Description: "佣金", Attach: "x=1",
					Receivers: []param.AllocReceiver{{ReceiverNo: "V1", Amount: Amount(n)}},
					NotifyURL: "https://shop.example.com/notify?a=1&b=2",
				}
			},
			answer: allocStarted + `"allocation_processing"`,
			stock:  stockAlloc(model.AllocProcessing), // the gateway starts it again under the same number
			right: func(m *model.AllocModel, n string) bool {
				return m.BizAllocNo == "BA"+n && m.AllocNo == "A"+n && m.Status == model.AllocProcessing
			},
		}.call(),
		row[param.AllocFinishParam, model.AllocModel]{
			name: "FinishAlloc", effect: param.EffectChanges, do: (*daxpay.Client).FinishAlloc,
			sent: map[daxpay.GatewayVersion]string{
				v206: "/unipay/allocationFinish allocationNo", v207: "/unipay/allocation/finish allocationNo",
				v208: "/unipay/allocation/finish allocNo",
			},
			refused: []daxpay.GatewayVersion{v206}, // as installed
			param:   func(n string) *param.AllocFinishParam { return &param.AllocFinishParam{AllocNo: "A" + n} },
			answer:  allocStarted + `"finish"`,
			stock:   stockAlloc(model.AllocEnd),
			right: func(m *model.AllocModel, n string) bool {
				return m.BizAllocNo == "BA"+n && m.AllocNo == "A"+n && m.Status == model.AllocFinish
			},
		}.call(),
		row[param.AllocSyncParam, model.AllocSyncModel]{
			name: "SyncAlloc", effect: param.EffectRepeatable, do: (*daxpay.Client).SyncAlloc, unnamed: true,
			sent: map[daxpay.GatewayVersion]string{
				v207: "/unipay/sync/allocation allocationNo", v208: "/unipay/sync/allocation allocNo",
			},
			param:  func(n string) *param.AllocSyncParam { return &param.AllocSyncParam{AllocNo: "A" + n} },
			answer: `"allocNo":"A1","bizAllocNo":"BA1"`,
			stock:  stockAlloc(model.AllocEnd),
		}.call(),
		queryAlloc(),
	}
}

func queryAlloc() Call {
	return row[param.QueryAllocOrderParam, model.AllocOrderModel]{
		name: "QueryAllocOrder", effect: param.EffectReadOnly, do: (*daxpay.Client).QueryAllocOrder,
		sent: map[daxpay.GatewayVersion]string{
			v207: "/unipay/query/allocationOrder allocationNo", v208: "/unipay/query/allocationOrder allocNo",
		},
		param: func(n string) *param.QueryAllocOrderParam { return &param.QueryAllocOrderParam{AllocNo: "A" + n} },
		answer: `"outOrderNo":"4200002",` + AllocOrder + `,"finishTime":"2024-05-12 15:50:31",` +
			Shares(`"rate":"5000",`, `"2024-05-12 15:50:31"`),
		stock: stockAlloc(model.AllocEnd),
		right: func(m *model.AllocOrderModel, n string) bool {
			return m.AllocNo == "A"+n && m.BizAllocNo == "BA"+n && m.OrderNo == "P"+n && m.Amount == Amount(n) &&
				m.Status == model.AllocEnd && m.Result == model.AllocAllSuccess && len(m.Details) == 2 &&
				m.Details[1].Amount == 40 && m.Details[1].Result == model.AllocDetailSuccess
		},
	}.call()
}

// stockAlloc makes the allocation n of the payment n.
func stockAlloc(status model.AllocStatus) func(gw *daxpaytest.Gateway, n string) {
	return func(gw *daxpaytest.Gateway, n string) {
		stockPayment(model.PaySyncSuccess)(gw, n)
		gw.SetAllocation(daxpaytest.Allocation{
			AllocNo: "A" + n, BizAllocNo: "BA" + n, OrderNo: "P" + n, Status: status,
			Shares: []daxpaytest.Share{{ReceiverNo: "V1", Amount: Amount(n) - 40}, {ReceiverNo: "V2", Amount: 40}},
		})
	}
}

func receiverCalls() []Call {
	return []Call{
		row[param.AllocReceiverAddParam, model.AllocReceiverAddModel]{
			name: "AddAllocReceiver", effect: param.EffectChanges, do: (*daxpay.Client).AddAllocReceiver, unnamed: true,
			sent: since207("/unipay/allocation/receiver/add channel receiverAccount receiverName receiverNo receiverType " +
				"relationName relationType"),
			param: receiverParam,
		}.call(),
		row[param.AllocReceiverRemoveParam, model.AllocReceiverRemoveModel]{
			name: "RemoveAllocReceiver", effect: param.EffectChanges, do: (*daxpay.Client).RemoveAllocReceiver, unnamed: true,
			sent: since207("/unipay/allocation/receiver/remove receiverNo"),
			param: func(n string) *param.AllocReceiverRemoveParam {
				return &param.AllocReceiverRemoveParam{ReceiverNo: "V" + n}
			},
			stock: stockReceiver,
		}.call(),
		row[param.QueryAllocReceiversParam, model.AllocReceiversModel]{
			name: "QueryAllocReceivers", effect: param.EffectReadOnly, do: (*daxpay.Client).QueryAllocReceivers,
			sent: since207("/unipay/query/allocationReceiver receiverNo"), unnamed: true,
			param: func(n string) *param.QueryAllocReceiversParam {
				return &param.QueryAllocReceiversParam{ReceiverNo: "V" + n}
			},
			answer: `"receivers":[{"receiverNo":"V1","channel":"ali_pay","receiverType":"ali_user_id",` +
				`"receiverAccount":"2088","receiverName":"店主 \"老王\"","relationType":"STORE_OWNER","relationName":"店主"}]`,
			stock: stockReceiver,
			right: func(m *model.AllocReceiversModel, n string) bool {
				return len(m.Receivers) == 1 && m.Receivers[0].ReceiverNo == "V"+n && m.Receivers[0].RelationName == Title(n)
			},
		}.call(),
	}
}

func receiverParam(n string) *param.AllocReceiverAddParam {
	return &param.AllocReceiverAddParam{
		ReceiverNo: "V" + n, Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID, ReceiverAccount: "2088",
		ReceiverName: "王小明", RelationType: model.RelationCustom, RelationName: Title(n),
	}
}

// stockReceiver adds the receiver n if it is missing.
func stockReceiver(gw *daxpaytest.Gateway, n string) {
	_, _ = client(gw).AddAllocReceiver(context.Background(), receiverParam(n))
}

func wechatCalls() []Call {
	return []Call{
		row[param.WxAuthURLParam, model.WxAuthURLModel]{
			name: "WxAuthURL", effect: param.EffectReadOnly, do: (*daxpay.Client).WxAuthURL, unnamed: true,
			sent: since206("/unipay/assist/getWxAuthUrl state url"),
			param: func(n string) *param.WxAuthURLParam {
				return &param.WxAuthURLParam{URL: "https://shop.example.com/back?a=1&url=2", State: n}
			},
			answer: `"url":"https://open.weixin.qq.com/connect?appid=wx1&scope=snsapi_base#x"`,
			stock:  stockWeChat,
			right: func(m *model.WxAuthURLModel, n string) bool {
				return strings.Contains(m.URL, "redirect_uri=https%3A%2F%2Fshop") && strings.Contains(m.URL, "&state="+n+"&")
			},
		}.call(),
		row[param.WxAccessTokenParam, model.WxAccessTokenModel]{
			name: "WxAccessToken", effect: param.EffectChanges, do: (*daxpay.Client).WxAccessToken, unnamed: true,
			sent:   since206("/unipay/assist/getWxAccessToken code"),
			param:  func(n string) *param.WxAccessTokenParam { return &param.WxAccessTokenParam{Code: n} },
			answer: `"accessToken":"80_token","openId":"oUpF8"`,
			stock:  stockWeChat,
			right:  func(m *model.WxAccessTokenModel, n string) bool { return m.OpenID == "openid-"+n },
		}.call(),
	}
}

// stockWeChat sets WeChat up in the gateway's console.
func stockWeChat(gw *daxpaytest.Gateway, _ string) {
	gw.SetChannel(model.ChannelWeChat, func(s *daxpaytest.ChannelSettings) {
		app := "wx1"
		s.Enabled, s.AppID = true, &app
	})
}

// legacyCalls are those of 2.0.5, whose answers are not signed.
func legacyCalls() []Call {
	return []Call{
		row[param.PaySyncLegacyParam, model.SyncLegacyModel]{
			name: "SyncPayLegacy", effect: param.EffectRepeatable, do: (*daxpay.Client).SyncPayLegacy, unnamed: true,
			sent:  map[daxpay.GatewayVersion]string{v205: "/unipay/syncPay businessNo"},
			param: func(n string) *param.PaySyncLegacyParam { return &param.PaySyncLegacyParam{BusinessNo: "B" + n} },
			stock: stockPayment(model.PaySyncSuccess),
			right: func(m *model.SyncLegacyModel, _ string) bool {
				return *m == model.SyncLegacyModel{GatewayStatus: "pay_success", Success: true}
			},
		}.call(),
		row[param.RefundSyncLegacyParam, model.SyncLegacyModel]{
			name: "SyncRefundLegacy", effect: param.EffectRepeatable, do: (*daxpay.Client).SyncRefundLegacy, unnamed: true,
			sent:  map[daxpay.GatewayVersion]string{v205: "/unipay/syncRefund refundNo"},
			param: func(n string) *param.RefundSyncLegacyParam { return &param.RefundSyncLegacyParam{RefundNo: "BR" + n} },
			stock: stockRefund(model.RefundSyncProgress),
			right: func(m *model.SyncLegacyModel, _ string) bool {
				return *m == model.SyncLegacyModel{GatewayStatus: "refund_progress", Success: true}
			},
		}.call(),
	}
}
