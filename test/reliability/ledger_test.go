package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// put adds an order to the shop's table, for a new want if it has none.
func (s *shop) put(r *row) *row {
	if r.want == 0 {
		r.want = len(s.table.rows) + 1
	}
	s.table.add(r)
	return r
}

// paysOut sends a transfer over the line without faults. The channel does it, or does it and answers too late.
func paysOut(t *testing.T, s *shop, r *row, b behaviour) {
	t.Helper()
	if b == timesOut {
		s.gateway.Channel().TimesOut(daxpaytest.OpTransfer)
	}
	config := s.gateway.Config()
	config.HTTPClient = &http.Client{Transport: s.gateway}
	client, err := daxpay.New(config)
	require.NoError(t, err)
	_, err = client.Transfer(context.Background(), transferParam(r))
	require.Equal(t, b == timesOut, errors.Is(err, daxpay.ErrOutcomeUnknown), "%v", err)
	s.transferred(r, s.truthOf(r.kind, r.no), b)
}

// wrongBook makes a shop's table wrong, and names the figure that must show it.
type wrongBook struct {
	wrong  func(t *testing.T, s *shop)
	figure figure
}

func setPay(s *shop, no string, channel model.PaySyncStatus, gateway model.PayStatus) {
	s.gateway.SetPayment(daxpaytest.Payment{BizOrderNo: no, Status: channel, Order: gateway, Amount: 5})
}

func setRefund(s *shop, no, orderNo string, channel model.RefundSyncStatus, gateway model.RefundStatus) {
	s.gateway.SetRefund(daxpaytest.Refund{BizRefundNo: no, OrderNo: orderNo, Status: channel, Order: gateway, Amount: 5})
}

// twiceBooks are those in which money moved twice.
var twiceBooks = map[string]wrongBook{
	"a transfer that was paid twice under its number": {func(t *testing.T, s *shop) {
		r := s.put(&row{kind: reconcile.Transfer, no: "M1", amount: 5, status: "success"})
		paysOut(t, s, r, obeys)
		paysOut(t, s, r, timesOut)
	}, paidTwice},
	"a transfer that was refused, and paid under another number": {func(t *testing.T, s *shop) {
		paysOut(t, s, s.put(&row{kind: reconcile.Transfer, no: "M1", want: 1, amount: 5, status: "success"}), obeys)
		paysOut(t, s, s.put(&row{kind: reconcile.Transfer, no: "M1-2", want: 1, amount: 5, status: "success"}), timesOut)
	}, paidTwice},
	"a payment that was paid under two numbers": {func(_ *testing.T, s *shop) {
		for _, no := range []string{"M1", "M1-2"} {
			s.put(&row{kind: reconcile.Pay, no: no, want: 1, amount: 5, status: "success"})
			setPay(s, no, model.PaySyncSuccess, model.PaySuccess)
		}
	}, paidTwice},
	"a refund that was done under two numbers": {func(_ *testing.T, s *shop) {
		for _, no := range []string{"M1", "M1-2"} {
			s.put(&row{kind: reconcile.Refund, no: no, want: 1, amount: 5, status: "success"})
			setRefund(s, no, "", model.RefundSyncSuccess, model.RefundSuccess)
		}
	}, paidTwice},
	"refunds that are more than the payment": {func(_ *testing.T, s *shop) {
		s.gateway.SetPayment(daxpaytest.Payment{OrderNo: "P", Status: model.PaySyncSuccess, Amount: 9})
		for _, no := range []string{"M1", "M2"} {
			s.put(&row{kind: reconcile.Refund, no: no, amount: 5, status: "success", payment: "P"})
			setRefund(s, no, "P", model.RefundSyncSuccess, model.RefundSuccess)
		}
	}, paidTwice},
}

// earlyBooks are those in which something is called done that was not.
var earlyBooks = map[string]wrongBook{
	"a payment that the gateway alone calls paid": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Pay, no: "M1", amount: 5, status: "success"})
		setPay(s, "M1", model.PaySyncProgress, model.PaySuccess)
	}, wronglyDone},
	"a payment of another amount": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Pay, no: "M1", amount: 6, status: "success"})
		setPay(s, "M1", model.PaySyncSuccess, model.PaySuccess)
	}, wronglyDone},
	"a refund that never was": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Refund, no: "M1", amount: 5, status: "success"})
	}, wronglyDone},
	"a transfer that is still under way": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Transfer, no: "M1", amount: 5, status: "success"})
	}, wronglyDone},
	"an allocation with a share that is pending": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Allocation, no: "M1", amount: 5, status: "allocation_end"})
		s.gateway.SetAllocation(daxpaytest.Allocation{BizAllocNo: "M1", Status: model.AllocEnd})
		s.truthOf(reconcile.Allocation, "M1").shares = 1
	}, wronglyDone},
	"an allocation that was not finished": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Allocation, no: "M1", status: "allocation_end", finish: finished})
		s.truthOf(reconcile.Allocation, "M1").shares = 2
	}, wronglyDone},
}

// lateBooks are those in which something was done that the shop does not know of, and what else can be wrong.
var lateBooks = map[string]wrongBook{
	"a closed payment that was paid late": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Pay, no: "M1", amount: 5, status: "close"})
		setPay(s, "M1", model.PaySyncSuccess, model.PayClose)
	}, wronglyRefused},
	"a refund that was done, although the gateway calls it failed": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Refund, no: "M1", amount: 5, status: refused})
		setRefund(s, "M1", "", model.RefundSyncSuccess, model.RefundFail)
	}, wronglyRefused},
	"a transfer that was paid, although the gateway calls it failed": {func(t *testing.T, s *shop) {
		paysOut(t, s, s.put(&row{kind: reconcile.Transfer, no: "M1", amount: 5, status: refused}), timesOut)
	}, wronglyRefused},
	"an allocation that the channel has": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Allocation, no: "M1", amount: 5, status: refused})
		s.truthOf(reconcile.Allocation, "M1").shares = 1
	}, wronglyRefused},
	"an order that was given up": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Pay, no: "M1", amount: 5, status: never})
		setPay(s, "M1", model.PaySyncSuccess, model.PayProgress)
	}, lost},
	"an order that is in no table": {func(_ *testing.T, s *shop) {
		s.truthOf(reconcile.Transfer, "M1").paidOut = 1
	}, lost},
	"an order that took effect twice": {func(_ *testing.T, s *shop) {
		r := s.put(&row{kind: reconcile.Pay, no: "M1", amount: 5, status: "success"})
		r.effects["success"] = 2
		setPay(s, "M1", model.PaySyncSuccess, model.PaySuccess)
	}, countedTwice},
	"an open order": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Pay, no: "M1", amount: 5})
		setPay(s, "M1", model.PaySyncSuccess, model.PaySuccess)
	}, unresolved},
	"a person who was told what is not so": {func(t *testing.T, s *shop) {
		r := s.put(&row{kind: reconcile.Transfer, no: "M1", amount: 5, why: daxpay.UnresolvedSeveral})
		paysOut(t, s, r, timesOut)
	}, unresolved},
	"a person who is told of what the shop can settle": {func(_ *testing.T, s *shop) {
		s.put(&row{kind: reconcile.Refund, no: "M1", amount: 5, why: daxpay.UnresolvedFailed, failures: 1})
		setRefund(s, "M1", "", model.RefundSyncFail, model.RefundFail)
	}, unresolved},
	"an answer to a query that was taken for a notice": {func(_ *testing.T, s *shop) {
		s.books.count[forged]++
	}, forged},
}

// The audit finds each kind of wrong book, and compares with the channel, not with the gateway.
func TestAuditFinds(t *testing.T) {
	all := maps.Clone(twiceBooks)
	maps.Copy(all, earlyBooks)
	maps.Copy(all, lateBooks)
	require.Len(t, all, len(twiceBooks)+len(earlyBooks)+len(lateBooks))
	for name, tt := range all {
		t.Run(name, func(t *testing.T) {
			s := newShop(1)
			defer s.close()
			require.NoError(t, s.audit())
			tt.wrong(t, s)
			err := s.audit()
			require.Error(t, err)
			for f := paidTwice; f < figureCount; f++ {
				require.Equal(t, f == tt.figure, s.books.count[f] > 0, "figure %d: %v", f, err)
			}
		})
	}
}

// An order is left to a person only for a true reason, and then it is counted under it.
func TestAuditLeavesToAPerson(t *testing.T) {
	s := newShop(1)
	defer s.close()
	paysOut(t, s, s.put(&row{kind: reconcile.Transfer, no: "M1", amount: 5, why: daxpay.UnresolvedFailed}), timesOut)
	s.put(&row{kind: reconcile.Transfer, no: "M2", amount: 5, why: daxpay.UnresolvedNoSuchOrder})
	s.put(&row{kind: reconcile.Refund, no: "M3", amount: 5, why: daxpay.UnresolvedClosed})
	s.gateway.SetRefund(daxpaytest.Refund{
		BizRefundNo: "M3", Status: model.RefundSyncSuccess, Order: model.RefundClose, Amount: 5,
	})
	require.NoError(t, s.audit())
	require.Equal(t, map[string]int{"transfer failed": 1, "transfer no such order": 1, "refund closed": 1}, s.books.left)
}

// An order that is called done too early is found, even if it is done later.
func TestSettledTooEarlyIsFound(t *testing.T) {
	s := newShop(1)
	defer s.close()
	r := s.put(&row{kind: reconcile.Pay, no: "M1", amount: 5})
	s.gateway.SetPayment(daxpaytest.Payment{BizOrderNo: "M1", Status: model.PaySyncProgress, Amount: 5})
	s.calm = true
	require.NoError(t, s.process.settle(r, 5, "success", model.Succeeded, byNotice))
	s.gateway.MarkPaid("M1")
	require.Error(t, s.audit())
	require.Equal(t, 1, s.books.count[wronglyDone])
}

// The conditional update takes every status for an open order, and success for a payment that is over.
func TestConditionalUpdate(t *testing.T) {
	for _, tt := range []struct {
		kind          reconcile.Kind
		before, after string
		standing      model.Standing
		changes, over bool
	}{
		{reconcile.Pay, isOpen, "close", model.Ended, true, false},
		{reconcile.Pay, "close", "success", model.Succeeded, true, true},
		{reconcile.Pay, "cancel", "close", model.Ended, false, true},
		{reconcile.Pay, "success", "close", model.Ended, false, false},
		{reconcile.Pay, "success", "success", model.Succeeded, false, false},
		{reconcile.Pay, refused, "success", model.Succeeded, false, false},
		{reconcile.Refund, "close", "success", model.Succeeded, false, false},
	} {
		r := &row{kind: tt.kind, status: tt.before, effects: make(map[string]int)}
		require.Equal(t, tt.over, r.isOver(), "%+v", tt)
		require.Equal(t, tt.changes, r.settle(tt.after, tt.standing), "%+v", tt)
		require.Equal(t, tt.changes, r.status == tt.after && r.effects[tt.after] == 1, "%+v", tt)
	}
}

// A dead process does nothing.
func TestDeadProcess(t *testing.T) {
	s := newShop(1)
	defer s.close()
	p := s.process
	p.dead = true
	p.kill()
	r := &row{kind: reconcile.Transfer, no: "M1", amount: 5}
	p.begin(r)
	require.Empty(t, s.table.rows)
	s.put(r)
	p.send(p.ctx, r)
	require.Zero(t, r.sends)
	_, err := p.client.Transfer(context.Background(), transferParam(r))
	require.Error(t, err)
	require.Empty(t, s.gateway.Transfers())
	require.Empty(t, s.deliver([]byte("{}")))
	_, err = p.Open(context.Background(), reconcile.Pay, "", 1)
	require.Error(t, err)
}

// Everything that the simulation is meant to try happens in it.
func TestLedgerHasEverything(t *testing.T) {
	sum := newBooks()
	for seed := range uint64(8) {
		s := newShop(seed)
		s.live(250)
		require.NoError(t, s.audit())
		sum.add(s.books)
		s.close()
	}
	for f := payments; f < paidTwice; f++ {
		if f != lockedRepairs { // there are only a few in a full run
			require.Positive(t, sum.count[f], "figure %d", f)
		}
	}
	require.Greater(t, sum.count[spoiledCalls], sum.count[calls]/6)
	for _, reason := range []string{
		"transfer failed", "transfer no such order", "refund closed", "pay wallet payment", "pay given back at the channel",
	} {
		require.Positive(t, sum.left[reason], reason)
	}
}
