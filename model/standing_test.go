package model_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/daxpay-go/daxpay/model"
)

func TestStanding(t *testing.T) {
	shares := func(results ...model.AllocDetailResult) (details []model.AllocDetail) {
		for _, r := range results {
			details = append(details, model.AllocDetail{Result: r})
		}
		return details
	}
	pay := func(s model.PayStatus) model.Standing { return (&model.PayNotice{Status: s}).Standing() }
	refund := func(s model.RefundStatus) model.Standing { return (&model.RefundNotice{Status: s}).Standing() }
	transfer := func(s model.TransferStatus) model.Standing {
		return (&model.TransferOrderModel{Status: s}).Standing()
	}
	alloc := func(s model.AllocStatus, results ...model.AllocDetailResult) model.Standing {
		notice := (&model.AllocNotice{Status: s, Details: shares(results...)}).Standing()
		order := (&model.AllocOrderModel{Status: s, Details: shares(results...)}).Standing()
		assert.Equal(t, order, notice)
		return order
	}
	for _, c := range []struct {
		name string
		got  model.Standing
		want model.Standing
	}{
		{"pay progress", pay(model.PayProgress), model.Open},
		{"pay success", pay(model.PaySuccess), model.Succeeded},
		{"pay refunding", pay(model.PayRefunding), model.Succeeded},
		{"pay partial_refund", pay(model.PayPartialRefund), model.Succeeded},
		{"pay refunded", pay(model.PayRefunded), model.Succeeded},
		{"pay close", pay(model.PayClose), model.Ended},
		{"pay cancel", pay(model.PayCancel), model.Ended},
		{"pay fail", pay(model.PayFail), model.Ended},
		{"pay, of a later gateway", pay("frozen"), model.Open},
		{"pay none", pay(""), model.Open},
		{"wallet progress", (&model.PayOrderModel{Status: model.PayProgress, Channel: model.ChannelWallet}).Standing(),
			model.Unproved},
		{"wallet success", (&model.PayOrderModel{Status: model.PaySuccess, Channel: model.ChannelWallet}).Standing(),
			model.Succeeded},
		{"refund progress", refund(model.RefundProgress), model.Open},
		{"refund success", refund(model.RefundSuccess), model.Succeeded},
		{"refund fail", refund(model.RefundFail), model.Unproved},
		{"refund close", refund(model.RefundClose), model.Unproved},
		{"refund, of a later gateway", refund("frozen"), model.Open},
		{"transfer transferring", transfer(model.TransferTransferring), model.Open},
		{"transfer success", transfer(model.TransferSuccess), model.Succeeded},
		{"transfer fail", transfer(model.TransferFail), model.Unproved},
		{"alloc processing", alloc(model.AllocProcessing, "pending"), model.Open},
		{"alloc end, one pending", alloc(model.AllocEnd, "success", "pending"), model.Open},
		{"alloc end, one of a later gateway", alloc(model.AllocEnd, "success", "frozen"), model.Open},
		{"alloc end, no shares told", alloc(model.AllocEnd), model.Open},
		{"alloc end", alloc(model.AllocEnd, "success", "fail", "ignore"), model.Succeeded},
		{"alloc finish", alloc(model.AllocFinish), model.Succeeded},
		{"alloc finish_failed", alloc(model.AllocFinishFailed), model.Succeeded},
		{"alloc ignore", alloc(model.AllocIgnore), model.Ended},
		{"alloc failed", alloc(model.AllocFailed), model.Unproved},
	} {
		assert.Equal(t, c.want, c.got, c.name)
	}
	assert.True(t, (&model.PayNotice{Status: model.PaySuccess}).Paid())
	assert.False(t, (&model.PayNotice{Status: model.PayCancel}).Paid())
	assert.True(t, (&model.RefundNotice{Status: model.RefundSuccess}).Refunded())
	assert.False(t, (&model.RefundNotice{Status: model.RefundFail}).Refunded())
	assert.True(t, (&model.AllocNotice{Status: model.AllocFinish}).Settled())
	assert.False(t, (&model.AllocNotice{Status: model.AllocEnd, Details: shares("pending")}).Settled())
	for s, name := range map[model.Standing]string{model.Open: "open", model.Succeeded: "succeeded", model.Ended: "ended",
		model.Unproved: "unproved", 9: "unknown"} {
		assert.Equal(t, name, s.String())
	}
}
