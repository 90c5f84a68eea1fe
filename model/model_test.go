package model_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/model"
)

// A merchant keeps models in his database or his logs as JSON: they must come back as they were.
func TestModelsSurviveEncodingJSON(t *testing.T) {
	want := model.AllocationModel{
		Common:       model.Common{Msg: "m", ResTime: model.Time{Time: time.Unix(1715500234, 0)}, Sign: "s"},
		AllocationNo: "A1", BizAllocationNo: "BA1", Status: model.AllocFinish,
	}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	require.JSONEq(t, `{"code":0,"msg":"m","resTime":1715500234,"sign":"s","allocNo":"A1","bizAllocNo":"BA1","status":"finish"}`, string(text))
	var got model.AllocationModel
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, want, got)
}

func TestTime(t *testing.T) {
	text, err := json.Marshal(model.Time{})
	require.NoError(t, err)
	require.Equal(t, "null", string(text))
	got := model.Time{Time: time.Unix(1, 0)}
	require.NoError(t, json.Unmarshal([]byte("null"), &got))
	require.True(t, got.IsZero(), "null is no time")
	require.NoError(t, json.Unmarshal([]byte("1715500234"), &got))
	require.True(t, got.Equal(time.Unix(1715500234, 0)))
	for _, bad := range []string{`"2024-05-12 15:50:34"`, "1.5", "true", "[]"} {
		require.Error(t, json.Unmarshal([]byte(bad), &got), bad)
	}
}

// Only what is known to be an end is one: a status that a newer gateway invents is waited out.
func TestFinal(t *testing.T) {
	for status, want := range map[interface{ Final() bool }]bool{
		model.PayProgress: false, model.PaySuccess: true, model.PayClose: true, model.PayRefunding: true, model.PayPartialRefund: true, model.PayRefunded: true,
		model.PayFail: true, model.PayStatus(""): false, model.PayStatus("new"): false,
		model.PaySyncProgress: false, model.PaySyncNotFoundUnknown: false, model.PaySyncSuccess: true, model.PaySyncFail: true, model.PaySyncClosed: true,
		model.PaySyncRefund: true, model.PaySyncNotFound: true, model.PaySyncTimeout: true, model.PaySyncStatus("new"): false,
		model.RefundProgress: false, model.RefundSuccess: true, model.RefundFail: true, model.RefundClose: true, model.RefundStatus("new"): false,
		model.RefundSyncProgress: false, model.RefundSyncSuccess: true, model.RefundSyncFail: true, model.RefundSyncNotFound: true, model.RefundSyncStatus(""): false,
		model.AllocProcessing: false, model.AllocEnd: true, model.AllocFailed: true, model.AllocFinish: true, model.AllocFinishFailed: true, model.AllocIgnore: true,
		model.AllocStatus("new"):   false,
		model.TransferTransferring: false, model.TransferSuccess: true, model.TransferFail: true, model.TransferStatus("new"): false,
	} {
		require.Equal(t, want, status.Final(), "%T %v", status, status)
	}
}

func TestNoticesTellWhatTheyAreAbout(t *testing.T) {
	for want, n := range map[[4]any]model.Notice{
		{model.NoticePay, "P1", "B1", "success"}:           &model.PayNotice{OrderNo: "P1", BizOrderNo: "B1", Status: model.PaySuccess, Amount: 5},
		{model.NoticeRefund, "R1", "BR1", "fail"}:          &model.RefundNotice{RefundNo: "R1", BizRefundNo: "BR1", Status: model.RefundFail, Amount: 5},
		{model.NoticeAlloc, "A1", "BA1", "allocation_end"}: &model.AllocNotice{AllocationNo: "A1", BizAllocationNo: "BA1", Status: model.AllocEnd, Amount: 5},
	} {
		require.Equal(t, want, [4]any{n.Kind(), n.Number(), n.BizNumber(), n.State()})
		require.Equal(t, int64(5), n.Total())
	}
}
