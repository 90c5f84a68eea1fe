package daxpay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// business is a gateway with a payment under way, one that can be allocated, an allocation and two receivers.
func business(t *testing.T) *daxpaytest.Gateway {
	t.Helper()
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P2", BizOrderNo: "B2", Amount: 100, Status: model.PaySyncProgress})
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P4", BizOrderNo: "B4", Amount: 100, Status: model.PaySyncSuccess,
		Allocation: true})
	gw.SetAllocation(daxpaytest.Allocation{
		AllocNo: "A1", BizAllocNo: "BA1", Status: model.AllocEnd,
		Shares: []daxpaytest.Share{{ReceiverNo: "V1", Amount: 60}, {ReceiverNo: "V2", Amount: 40}},
	})
	for _, no := range []string{"V1", "V2"} {
		_, err := gw.Client().AddAllocReceiver(context.Background(), &param.AllocReceiverAddParam{
			ReceiverNo: no, Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID, ReceiverAccount: "2088" + no,
			RelationType: model.RelationStaff,
		})
		require.NoError(t, err)
	}
	return gw
}

// TestEveryCallOfEveryVersion checks the path, the members, the signature and the answer of every row of the table.
func TestEveryCallOfEveryVersion(t *testing.T) {
	for _, c := range calltable.All() {
		for _, version := range calltable.Versions() {
			for _, signType := range []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5} {
				t.Run(fmt.Sprintf("%s/%s/%s", c.Name, version, signType), func(t *testing.T) {
					gw := daxpaytest.Start(t, daxpaytest.WithVersion(version), daxpaytest.WithSignType(signType))
					for _, n := range []string{"1", "22"} {
						c.Stock(gw, n)
						requireCall(t, gw, &c, version, n)
					}
				})
			}
		}
	}
}

// requireCall makes the call for n and compares what went out and what came back with the row.
func requireCall(t *testing.T, gw *daxpaytest.Gateway, c *calltable.Call, version daxpay.GatewayVersion, n string) {
	t.Helper()
	before := len(gw.Requests())
	res, err := c.Do(context.Background(), gw.Client(), c.Param(n))
	path := c.PathIn(version)
	if path == "" {
		require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		require.Equal(t, before, len(gw.Requests()), //nolint:testifylint // Len would print the requests
			"gateway %s: its row lacks %s, but the client sent it: see internal/gateway/version.go", version, c.Name)
		if slices.Contains(c.Unfit, version) {
			require.ErrorIs(t, err, daxpay.ErrParam)
			return
		}
		require.ErrorIs(t, err, daxpay.ErrUnsupported, "see internal/gateway/version.go")
		for v := range c.Sent {
			require.ErrorContains(t, err, string(v), "the error says where the call is")
		}
		return
	}
	var page *daxpay.HTTPError
	require.NotErrorAs(t, err, &page, "gateway %s of daxpaytest lacks %s: add it to daxpaytest/calls.go", version,
		path)
	require.Len(t, gw.Requests(), before+1, "%v", err)
	require.Equal(t, path, gw.Requests()[before].Path)
	require.Equal(t, c.MembersIn(version), sentMembers(t, gw))
	if slices.Contains(c.Refused, version) {
		require.Error(t, err)
		require.NotErrorIs(t, err, daxpay.ErrUnsupported)
		return
	}
	require.NoError(t, err, "gateway %s: does stock in the row of %s hold what param names?", version, c.Name)
	require.Equal(t, version != daxpay.GatewayV205, res.Verified)
	require.NotEmpty(t, res.TraceID)
	require.NotEmpty(t, res.Raw)
	require.Zero(t, gw.Requests()[before].Code)
	require.True(t, c.Right(res.Data, n), "not what is asked for: %+v", res.Data)
}

// sentMembers lists the members of the latest request, without the common ones.
func sentMembers(t *testing.T, gw *daxpaytest.Gateway) string {
	t.Helper()
	requests := gw.Requests()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(requests[len(requests)-1].Body, &members))
	var names []string
	for name := range members {
		if !slices.Contains([]string{"clientIp", "nonceStr", "reqTime", "sign"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestLifeOfAPayment(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.Start(t)
	kit := client(t, gw, func(c *daxpay.Config) { c.Retry = once })
	start := &param.PayParam{BizOrderNo: "B1", Title: "鞋", Channel: model.ChannelAli, Method: model.MethodQRCode,
		Amount: 100}
	pay, err := kit.Pay(ctx, start)
	require.NoError(t, err)
	again, err := kit.Pay(ctx, start)
	require.NoError(t, err)
	require.Equal(t, pay.Data.OrderNo, again.Data.OrderNo)
	gw.Lock("B1")
	_, err = kit.Pay(ctx, start)
	require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	_, err = kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "B1"})
	require.ErrorContains(t, err, "code 10007")
	require.ErrorIs(t, err, daxpay.ErrEarlierSend)
	gw.Unlock("B1")

	_, err = kit.Refund(ctx, &param.RefundParam{BizRefundNo: "BR1", BizOrderNo: "B1", Amount: 60})
	require.ErrorContains(t, err, "不允许发起退款", "it is not paid")
	require.True(t, gw.MarkPaid("B1"))
	require.False(t, gw.MarkPaid("B1"))
	_, err = kit.Pay(ctx, start)
	require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	_, err = kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "B1"})
	require.ErrorContains(t, err, "订单不是支付中")
	require.ErrorIs(t, err, daxpay.ErrEarlierSend)

	refund := &param.RefundParam{BizRefundNo: "BR1", BizOrderNo: "B1", Amount: 60}
	gw.Lock("BR1")
	_, err = kit.Refund(ctx, refund)
	require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	gw.Unlock("BR1")
	gw.Channel().Takes(daxpaytest.OpRefund)
	taken, err := kit.Refund(ctx, refund)
	require.NoError(t, err)
	_, err = kit.Refund(ctx, refund)
	require.ErrorContains(t, err, "只有失败状态的才可以重新发起退款")
	require.ErrorIs(t, err, daxpay.ErrEarlierSend)
	_, err = kit.Refund(ctx, &param.RefundParam{BizRefundNo: "BR2", BizOrderNo: "B1", Amount: 41})
	require.ErrorContains(t, err, "退款中", "one refund at a time")
	require.True(t, gw.MarkRefunded(taken.Data.RefundNo))
	require.False(t, gw.MarkRefunded("BR1"))
	_, err = kit.Refund(ctx, &param.RefundParam{BizRefundNo: "BR2", BizOrderNo: "B1", Amount: 41})
	require.ErrorContains(t, err, "退款金额不能大于支付金额")
	back, err := kit.QueryRefundOrder(ctx, &param.QueryRefundOrderParam{BizRefundNo: "BR1"})
	require.NoError(t, err)
	require.Equal(t, model.RefundSuccess, back.Data.Status)
	require.False(t, back.Data.FinishTime.IsZero())

	order, err := kit.QueryPayOrder(ctx, &param.QueryPayOrderParam{OrderNo: pay.Data.OrderNo})
	require.NoError(t, err)
	require.Equal(t, int64(40), order.Data.RefundableBalance)
	require.Equal(t, model.OrderRefundPartial, order.Data.RefundStatus)
	require.False(t, order.Data.PayTime.IsZero())
}

func TestLifeOfAnAllocation(t *testing.T) {
	ctx := context.Background()
	gw := business(t)
	kit := gw.Client()
	start := &param.AllocStartParam{BizAllocNo: "BA9", OrderNo: "P4",
		Receivers: []param.AllocReceiver{{ReceiverNo: "V1", Amount: 10}}}
	first, err := kit.StartAlloc(ctx, start)
	require.NoError(t, err)
	second, err := kit.StartAlloc(ctx, start)
	require.NoError(t, err)
	require.Equal(t, first.Data.AllocNo, second.Data.AllocNo)
	_, err = kit.FinishAlloc(ctx, &param.AllocFinishParam{BizAllocNo: "BA9"})
	require.ErrorContains(t, err, "分账单状态错误")
	require.True(t, gw.MarkAllocated("BA9"))
	require.False(t, gw.MarkAllocated("BA9"))
	_, err = kit.SyncAlloc(ctx, &param.AllocSyncParam{AllocNo: first.Data.AllocNo})
	require.NoError(t, err)
	_, err = kit.FinishAlloc(ctx, &param.AllocFinishParam{BizAllocNo: "BA9"})
	require.NoError(t, err)
	order, err := kit.QueryAllocOrder(ctx, &param.QueryAllocOrderParam{AllocNo: first.Data.AllocNo})
	require.NoError(t, err)
	require.Equal(t, model.AllocFinish, order.Data.Status)
	require.False(t, order.Data.FinishTime.IsZero(), "the gateway prints this time as text")
	require.False(t, order.Data.Details[0].FinishTime.IsZero())

	receiver := &param.AllocReceiverAddParam{
		ReceiverNo: "V9", Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID, ReceiverAccount: "2088",
		ReceiverName: "王小明", RelationType: model.RelationStaff,
	}
	_, err = kit.AddAllocReceiver(ctx, receiver)
	require.NoError(t, err)
	_, err = kit.AddAllocReceiver(ctx, receiver)
	require.ErrorContains(t, err, "已存在")
	found, err := kit.QueryAllocReceivers(ctx, &param.QueryAllocReceiversParam{ReceiverNo: "V9"})
	require.NoError(t, err)
	require.Equal(t, []model.AllocReceiver{{
		ReceiverNo: "V9", Channel: model.ChannelAli, ReceiverType: model.ReceiverAliUserID, ReceiverAccount: "2088",
		ReceiverName: "王小明", RelationType: model.RelationStaff,
	}}, found.Data.Receivers)
	_, err = kit.RemoveAllocReceiver(ctx, &param.AllocReceiverRemoveParam{ReceiverNo: "V9"})
	require.NoError(t, err)
	_, err = kit.RemoveAllocReceiver(ctx, &param.AllocReceiverRemoveParam{ReceiverNo: "V9"})
	require.ErrorContains(t, err, "该接收方不存在")
}

// The gateway pays a transfer at every request, so the client must send it once.
func TestTransferGoesOutOnce(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.Start(t)
	kit := client(t, gw, automatic)
	gw.Channel().Takes(daxpaytest.OpTransfer)
	p := &param.TransferParam{BizTransferNo: "BT1", Channel: model.ChannelAli, Amount: 5, PayeeType: model.PayeeAliUserID,
		PayeeAccount: "2088"}
	_, err := kit.Transfer(ctx, p)
	require.NoError(t, err)
	require.Len(t, gw.Transfers(), 1)
	_, err = client(t, gw, automatic).Transfer(ctx, p)
	require.NoError(t, err)
	require.Len(t, gw.Transfers(), 2, "the gateway does not look for the number, and another client does not know of it")
	_, err = kit.QueryTransferOrder(ctx, &param.QueryTransferOrderParam{BizTransferNo: "BT1"})
	require.ErrorContains(t, err, "found multiple records")
	p.BizTransferNo = "BT2"
	_, err = kit.Transfer(ctx, p)
	require.NoError(t, err)
	require.True(t, gw.MarkTransferred("BT2"))
	order, err := kit.QueryTransferOrder(ctx, &param.QueryTransferOrderParam{BizTransferNo: "BT2"})
	require.NoError(t, err)
	require.Equal(t, model.TransferSuccess, order.Data.Status)
	require.False(t, order.Data.SuccessTime.IsZero(), "the gateway prints this time as text")
	_, err = kit.SyncTransfer(ctx, &param.TransferSyncParam{BizTransferNo: "BT2"})
	require.ErrorContains(t, err, "code 10006")

	wrong := client(t, gw, func(c *daxpay.Config) { c.Gateway, c.SignSecret = daxpay.GatewayAuto, "wrong" })
	before := len(gw.Requests())
	_, err = wrong.Transfer(ctx, p)
	require.ErrorContains(t, err, "SignSecret")
	require.Len(t, gw.Requests(), before+1)
	require.Len(t, gw.Transfers(), 3)
}

func TestQueriesAreAboutWhatWasAsked(t *testing.T) {
	answer := sealed(t, `"code":0,"resTime":1715500234,"orderNo":"P2","bizOrderNo":"B2","amount":1,"status":"success"`)
	kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(answer))
	_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "B1"})
	require.ErrorIs(t, err, daxpay.ErrEcho)
	require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	_, err = kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "B2"})
	require.NoError(t, err)
}

// The signature does not tell one kind of answer from another. The numbers and the amount do.
func TestAnswersOfAnotherKind(t *testing.T) {
	const payment = `"code":0,"resTime":1715500234,"orderNo":"P1","bizOrderNo":"B1","amount":100,"status":"fail"`
	for name, tt := range map[string]struct {
		members string
		good    bool
	}{
		"the payment":              {payment, true},
		"nulls":                    {payment + `,"refundNo":null,"allocNo":null`, true},
		"a refund of it":           {payment + `,"refundNo":"R1","bizRefundNo":"BR1"`, false},
		"an allocation of it":      {payment + `,"allocNo":"A1","bizAllocNo":"BA1"`, false},
		"an allocation, 2.0.7":     {payment + `,"bizAllocationNo":"BA1"`, false},
		"a transfer":               {payment + `,"transferNo":"T1"`, false},
		"the answer to pay":        {`"code":0,"resTime":1715500234,"orderNo":"P1","bizOrderNo":"B1","status":"success","payBody":"x"`, false},
		"of an amount that is not": {`"code":0,"resTime":1715500234,"orderNo":"P1","bizOrderNo":"B1","status":"success","amount":0`, false},
	} {
		kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(sealed(t, tt.members)))
		res, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "B1"})
		if tt.good {
			require.NoError(t, err, name)
			require.EqualValues(t, 100, res.Data.Amount)
			continue
		}
		require.True(t, errors.Is(err, daxpay.ErrProtocol) || errors.Is(err, daxpay.ErrUnproved), name)
		var refused *daxpay.AnswerError
		require.ErrorAs(t, err, &refused)
		require.NotEmpty(t, refused.Member)
	}

	kit, _ := mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(sealed(t, payment)))
	_, err := kit.SyncTransfer(context.Background(), &param.TransferSyncParam{TransferNo: "T1"})
	require.ErrorIs(t, err, daxpay.ErrProtocol, "a payment is no transfer")

	// A call that names no order accepts an answer about any order, and its answer may have a number.
	kit, _ = mocked(t, daxpay.Config{Now: at(now)}, jsonAnswer(sealed(t, payment+`,"refundNo":"R1"`)))
	_, err = daxpay.Execute(context.Background(), kit, &feeParam{Amount: 1})
	require.NoError(t, err)
}

// feeParam names no order.
type feeParam struct {
	param.Common
	Amount int64 `json:"amount" daxpay:"required,min=1"`
}

func (*feeParam) Call() param.Call[payoutModel] {
	return param.Call[payoutModel]{Path: "/unipay/ext/fee"}
}

func TestParamsOfTheBusiness(t *testing.T) {
	ctx := context.Background()
	good := func() *param.PayParam {
		return &param.PayParam{BizOrderNo: "B1", Title: "鞋", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 1}
	}
	for reason, change := range map[string]func(p *param.PayParam){
		"BizOrderNo must be set":              func(p *param.PayParam) { p.BizOrderNo = "" },
		"Title must be set":                   func(p *param.PayParam) { p.Title = "" },
		"Channel must be set":                 func(p *param.PayParam) { p.Channel = "" },
		"Method must be set":                  func(p *param.PayParam) { p.Method = "" },
		"Amount must be set":                  func(p *param.PayParam) { p.Amount = 0 },
		"Amount must be at least 1":           func(p *param.PayParam) { p.Amount = -1 },
		"Title must not hold the start":       func(p *param.PayParam) { p.Title = "x&status=success" },
		"Description must not hold the start": func(p *param.PayParam) { p.Description = "x&refundStatus=refunded" },
		"Attach must not hold the start":      func(p *param.PayParam) { p.Attach = `x&refund"No=1` },
		"NotifyURL must have at most 150": func(p *param.PayParam) {
			p.NotifyURL = "https://" +
				strings.Repeat("a", 143)
		},
		"ReturnURL must have at most 200":           func(p *param.PayParam) { p.ReturnURL = strings.Repeat("a", 201) },
		"Channel must not hold control":             func(p *param.PayParam) { p.Channel = "a&b" },
		"ExtraParam.AuthCode must not hold control": func(p *param.PayParam) { p.ExtraParam = param.BarCode{AuthCode: `"`} },
		"ExtraParam must be valid JSON":             func(p *param.PayParam) { p.ExtraParam = param.ExtraJSON(`{"a":1,"a":2}`) },
	} {
		p := good()
		change(p)
		kit, transport := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
		_, err := kit.Pay(ctx, p)
		require.ErrorIs(t, err, daxpay.ErrParam, reason)
		require.ErrorContains(t, err, reason)
		require.Zero(t, transport.GetTotalCallCount())
	}
	gw := daxpaytest.Start(t)
	p := good()
	p.Title, p.Description, p.NotifyURL = `Tom & Jerry "鞋" \ a=1&b=2`, "第一行\n第二行", "https://"+strings.Repeat("a", 142)
	p.ExtraParam = param.ExtraJSON(`{"walletId":"w","b":[1.50,{"z":1,"a":"x\n"}],"A":null}`)
	_, err := gw.Client().Pay(ctx, p)
	require.NoError(t, err)
	p.ExtraParam = param.AliPay{}
	_, err = gw.Client().Pay(ctx, p)
	require.NoError(t, err)
	require.NotContains(t, sentMembers(t, gw), "extraParam", "an empty one is none")
	p.ExtraParam = &param.AliPay{}
	_, err = gw.Client().Pay(ctx, p)
	require.NoError(t, err)
	require.NotContains(t, sentMembers(t, gw), "extraParam", "nor is a pointer to an empty one")
	p.ExtraParam = (*param.AliPay)(nil)
	_, err = gw.Client().Pay(ctx, p)
	require.NoError(t, err)
	p.ExtraParam = &param.AliPay{OpenID: "o"}
	_, err = gw.Client().Pay(ctx, p)
	require.NoError(t, err)
	require.Contains(t, string(gw.Requests()[len(gw.Requests())-1].Body), `"extraParam":{"openId":"o"}`)

	_, err = gw.Client().StartAlloc(ctx,
		&param.AllocStartParam{BizAllocNo: "A", OrderNo: "P",
			Receivers: []param.AllocReceiver{{ReceiverNo: "R1},{amount:9,receiverNo:R2"}}})
	require.ErrorContains(t, err, "Receivers[0].ReceiverNo must not hold")
	require.ErrorContains(t, err, "Receivers[0].Amount must be set")
}
