package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/reconcile"
)

// The audit finds each kind of wrong book.
func TestAuditFinds(t *testing.T) {
	ctx := context.Background()
	for name, tt := range map[string]struct {
		wrong  func(t *testing.T, s *shop) *record
		figure int
	}{
		"a transfer that was paid twice": {func(t *testing.T, s *shop) *record {
			for range 2 {
				_, err := s.honest.Transfer(ctx, &param.TransferParam{BizTransferNo: "M1", Channel: model.ChannelAli, Amount: 1})
				require.NoError(t, err)
			}
			s.gateway.MarkTransferred("M1")
			return &record{kind: reconcile.Transfer, no: "M1", status: "success"}
		}, paidTwice},
		"an open order": {func(_ *testing.T, s *shop) *record {
			s.gateway.SetPayment(daxpaytest.Payment{BizOrderNo: "M1", Status: model.PaySyncSuccess})
			return &record{kind: reconcile.Pay, no: "M1"}
		}, unresolved},
		"a payment that was not paid": {func(_ *testing.T, s *shop) *record {
			s.gateway.SetPayment(daxpaytest.Payment{BizOrderNo: "M1", Status: model.PaySyncFail})
			return &record{kind: reconcile.Pay, no: "M1", status: "success"}
		}, wrong},
		"a refund that never was": {func(_ *testing.T, _ *shop) *record {
			return &record{kind: reconcile.Refund, no: "M1", status: "success"}
		}, wrong},
		"a lost order": {func(_ *testing.T, s *shop) *record {
			s.gateway.SetAllocation(daxpaytest.Allocation{BizAllocationNo: "M1", Status: model.AllocEnd})
			return &record{kind: reconcile.Allocation, no: "M1", status: never}
		}, missing},
		"an order that took effect twice": {func(_ *testing.T, s *shop) *record {
			s.gateway.SetRefund(daxpaytest.Refund{BizRefundNo: "M1", Status: model.RefundSyncSuccess})
			return &record{kind: reconcile.Refund, no: "M1", status: "success", effects: 2}
		}, countedTwice},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(1)
			defer s.gateway.Close()
			defer s.honest.CloseIdleConnections()
			_, err := s.audit()
			require.NoError(t, err)
			s.table = append(s.table, tt.wrong(t, s))
			found, err := s.audit()
			require.Error(t, err)
			for figure := paidTwice; figure < figureCount; figure++ {
				require.Equal(t, figure == tt.figure, found[figure] == 1, "figure %d: %v", figure, err)
			}
		})
	}
}

// What is wrong with a call under a fault is found.
func TestJudgeFaultFinds(t *testing.T) {
	lost := &daxpay.TransportError{Path: "/unipay/transfer", Err: errReset}
	unknown := &daxpay.OutcomeError{Path: "/unipay/transfer", Err: lost}
	transfer, query := &faultyCall{name: "TransferParam", path: "/unipay/transfer"}, &faultyCall{name: "QueryPayParam", path: "/unipay/transfer"}
	thrice := &daxpay.RetryError{Path: "/unipay/transfer", Errs: []error{lost, lost, lost}}
	reset := &fault{repeatable: true, right: func(err error) bool { return errors.Is(err, errReset) }}
	for name, tt := range map[string]struct {
		call  *faultyCall
		posts int
		err   error
		want  string
	}{
		"good":                {transfer, 1, unknown, ""},
		"good query":          {query, 3, thrice, ""},
		"paid twice":          {transfer, 2, unknown, "arrived 2 times, not 1"},
		"not repeated":        {query, 1, lost, "arrived 1 times, not 3"},
		"success":             {transfer, 1, nil, "no error"},
		"taken for known":     {transfer, 1, lost, "taken for known: true"},
		"taken for unknown":   {query, 3, &daxpay.OutcomeError{Err: thrice}, "taken for known: false"},
		"another error":       {transfer, 1, context.Canceled, "the wrong error"},
		"attempts forgotten":  {query, 3, lost, "does not hold 3 attempts"},
		"path forgotten":      {&faultyCall{name: "TransferParam", path: "/x"}, 1, unknown, "does not name the path"},
		"a call without rule": {&faultyCall{name: "NewParam"}, 1, unknown, "nobody knows"},
	} {
		complaint := judgeFault(reset, tt.call, tt.posts, tt.err)
		if tt.want == "" {
			require.Empty(t, complaint, name)
		} else {
			require.Contains(t, complaint, tt.want, name)
		}
	}
}
