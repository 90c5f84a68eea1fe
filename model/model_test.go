package model_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/model"
)

// Merchants store models as JSON in databases and logs, so a model must survive encoding and decoding. The JSON has no
// signature.
func TestModelsSurviveEncodingJSON(t *testing.T) {
	want := model.AllocModel{
		Common:  model.Common{Msg: "m", ResTime: model.Time{Time: time.Unix(1715500234, 0)}},
		AllocNo: "A1", BizAllocNo: "BA1", Status: model.AllocFinish,
	}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	require.JSONEq(t, `{"msg":"m","resTime":1715500234,"allocNo":"A1","bizAllocNo":"BA1","status":"finish"}`, string(text))
	var got model.AllocModel
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

func TestNoticesTellWhatTheyAreAbout(t *testing.T) {
	for want, n := range map[[4]any]model.Notice{
		{model.NoticePay, "P1", "B1", "success"}: &model.PayNotice{OrderNo: "P1", BizOrderNo: "B1",
			Status: model.PaySuccess, Amount: 5},
		{model.NoticeRefund, "R1", "BR1", "fail"}: &model.RefundNotice{RefundNo: "R1", BizRefundNo: "BR1",
			Status: model.RefundFail, Amount: 5},
		{model.NoticeAlloc, "A1", "BA1", "allocation_end"}: &model.AllocNotice{AllocNo: "A1", BizAllocNo: "BA1",
			Status: model.AllocEnd, Amount: 5},
	} {
		require.Equal(t, want, [4]any{n.Kind(), n.Number(), n.BizNumber(), n.State()})
		require.Equal(t, int64(5), n.Total())
	}
}
