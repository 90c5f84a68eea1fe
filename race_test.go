package daxpay_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// TestMixedCallsAtOnce makes calls of all kinds over one client from 64 goroutines. Each must get answers with its own
// numbers, texts and amounts.
func TestMixedCallsAtOnce(t *testing.T) {
	gw := daxpaytest.Start(t)
	kit := client(t, gw, func(c *daxpay.Config) { c.Gateway = daxpay.GatewayAuto })
	defer kit.CloseIdleConnections()
	// Transfer is not tried in several encodings, so the version must be known before.
	_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "none"})
	require.Error(t, err)
	var wg sync.WaitGroup
	for worker := range 64 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for round := range 4 {
				mixedCalls(t, gw, kit, fmt.Sprintf("W%d-%d", worker, round), int64(1+100*worker+round))
			}
		}()
	}
	wg.Wait()
	assert.Len(t, gw.Transfers(), 64*4)
}

func mixedCalls(t *testing.T, gw *daxpaytest.Gateway, kit *daxpay.Client, id string, amount int64) {
	ctx := context.Background()
	paid, err := kit.Pay(ctx, &param.PayParam{BizOrderNo: id, Title: "title " + id, Channel: model.ChannelAli,
		Method: model.MethodQRCode, Amount: amount, Attach: id})
	if err != nil {
		t.Error(err)
		return
	}
	assert.Equal(t, id, paid.Data.BizOrderNo)
	assert.True(t, gw.MarkPaid(id))
	order, err := kit.QueryPayOrder(ctx, &param.QueryPayOrderParam{OrderNo: paid.Data.OrderNo})
	if assert.NoError(t, err) {
		assert.Equal(t, [4]any{id, "title " + id, amount, model.PaySuccess},
			[4]any{order.Data.BizOrderNo, order.Data.Title, order.Data.Amount, order.Data.Status})
	}
	synced, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: id})
	if assert.NoError(t, err) {
		assert.Equal(t, model.PaySyncSuccess, synced.Data.Status)
	}

	body, err := gw.Notice(id)
	if err != nil {
		t.Error(err)
	}
	notice, err := kit.ParseNotice(body)
	if assert.NoError(t, err) {
		assert.NoError(t, daxpay.Expect{BizOrderNo: id, Amount: amount}.Check(notice))
		assert.Equal(t, id, notice.(*model.PayNotice).Attach)
	}

	refund, err := kit.Refund(ctx, &param.RefundParam{BizRefundNo: "R" + id, BizOrderNo: id, Amount: amount,
		Reason: "reason " + id})
	if assert.NoError(t, err) {
		back, err := kit.QueryRefundOrder(ctx, &param.QueryRefundOrderParam{RefundNo: refund.Data.RefundNo})
		assert.NoError(t, err)
		assert.Equal(t, "reason "+id, back.Data.Reason)
	}

	payee := "payee " + id
	sent, err := kit.Transfer(ctx, &param.TransferParam{BizTransferNo: "T" + id, Channel: model.ChannelAli, Amount: amount,
		PayeeType: model.PayeeAliUserID, PayeeAccount: "2088", PayeeName: payee})
	if assert.NoError(t, err) {
		transfer, err := kit.QueryTransferOrder(ctx, &param.QueryTransferOrderParam{TransferNo: sent.Data.TransferNo})
		assert.NoError(t, err)
		assert.Equal(t, [2]any{payee, amount}, [2]any{transfer.Data.PayeeName, transfer.Data.Amount})
	}
}
