//go:build go1.25

package daxpay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// scripted answers syncs as the gateway does and queries as the script says, one line a query: members of a signed answer, or an
// error.
func scripted(t *testing.T, script ...any) (*daxpay.Client, *[]string) {
	t.Helper()
	var seen []string
	kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV208}, func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.URL.Path)
		answer := func(members string) (*http.Response, error) {
			return jsonAnswer(sealed(t, fmt.Sprintf(`"code":0,"resTime":%d,%s`, time.Now().Unix(), members)))(r)
		}
		if strings.Contains(r.URL.Path, "/sync/") {
			return answer(`"status":"pay_progress"`)
		}
		next := script[0]
		if len(script) > 1 {
			script = script[1:]
		}
		switch next := next.(type) {
		case error:
			return nil, next
		case int:
			return &http.Response{StatusCode: next, Body: io.NopCloser(strings.NewReader("")), Header: http.Header{}}, nil
		case string:
			if strings.HasPrefix(next, "{") {
				return jsonAnswer(next)(r)
			}
			return answer(next)
		}
		return nil, errors.New("a mistake in the script")
	})
	return kit, &seen
}

const (
	payInProgress = `"orderNo":"P1","amount":100,"status":"progress"`
	payDone       = `"orderNo":"P1","status":"success","amount":100`
)

func TestWaitPay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kit, seen := scripted(t, payInProgress, errors.New("reset"), 502, `{"code":10001,"msg":"系统错误"}`, payInProgress, payDone)
		var progress []string
		start := time.Now()
		order, err := kit.WaitPay(context.Background(), &param.QueryPayParam{OrderNo: "P1"}, daxpay.Wait{Ceiling: 4 * time.Second, Progress: func(status string, err error) {
			progress = append(progress, fmt.Sprintf("%s %t", status, err != nil))
		}})
		require.NoError(t, err)
		require.Equal(t, model.PaySuccess, order.Status)
		require.Equal(t, []string{"progress false", " true", " true", " true", "progress false", "success false"}, progress)
		require.Len(t, *seen, 12)
		require.Equal(t, "/unipay/sync/pay", (*seen)[0])
		require.Equal(t, "/unipay/query/payOrder", (*seen)[1])
		// Pauses of up to 1, 2, 4, 4 and 4 seconds, each at least half of that.
		require.GreaterOrEqual(t, time.Since(start), 7500*time.Millisecond)
		require.LessOrEqual(t, time.Since(start), 15*time.Second)
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("reset")
		kit, seen := scripted(t, broken)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		start := time.Now()
		order, err := kit.WaitRefund(ctx, &param.QueryRefundParam{BizRefundNo: "BR1"}, daxpay.Wait{})
		require.Nil(t, order)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, broken)
		require.Equal(t, time.Minute, time.Since(start))
		require.LessOrEqual(t, len(*seen), 20)
	})
}

func TestWaitGivesUpOnWhatDoesNotPass(t *testing.T) {
	for name, tt := range map[string]struct {
		answer any
		want   error
	}{
		"no such order":   {`"code":0`, nil},
		"wrong signature": {`{"code":0,"data":{"code":0,"resTime":1,"sign":"x"}}`, daxpay.ErrSignMismatch},
		"wrong secret":    {`{"code":20052,"msg":"验签失败"}`, nil},
		"wrong path":      {404, daxpay.ErrProtocol},
		"other order":     {`"orderNo":"P2","status":"success"`, daxpay.ErrEcho},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if name == "no such order" {
					tt.answer = envelope(signedObject(t, daxpay.HMACSHA256, fmt.Sprintf(`"code":1,"msg":"未查询到支付订单","resTime":%d`, time.Now().Unix())))
				}
				kit, seen := scripted(t, tt.answer)
				start := time.Now()
				_, err := kit.WaitPay(context.Background(), &param.QueryPayParam{OrderNo: "P1"}, daxpay.Wait{})
				require.Error(t, err)
				if tt.want != nil {
					require.ErrorIs(t, err, tt.want)
				} else {
					var refusal *daxpay.GatewayError
					require.ErrorAs(t, err, &refusal)
				}
				require.Len(t, *seen, 2)
				require.Zero(t, time.Since(start))
			})
		})
	}
}

func TestWaitForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		kit, seen := scripted(t, `"transferNo":"T1","amount":1,"status":"transferring"`, `"transferNo":"T1","amount":1,"status":"fail"`)
		transfer, err := kit.WaitTransfer(ctx, &param.QueryTransferParam{TransferNo: "T1"}, daxpay.Wait{})
		require.NoError(t, err)
		require.Equal(t, model.TransferFail, transfer.Status)
		require.Equal(t, []string{"/unipay/query/transferOrder", "/unipay/query/transferOrder"}, *seen, "no sync, and above all no transfer")

		kit, seen = scripted(t, `"allocNo":"A1","status":"allocation_processing"`, `"allocNo":"A1","status":"a_new_status"`, `"allocNo":"A1","status":"allocation_end"`)
		alloc, err := kit.WaitAllocation(ctx, &param.QueryAllocOrderParam{AllocationNo: "A1"}, daxpay.Wait{First: time.Hour, Ceiling: time.Millisecond})
		require.NoError(t, err)
		require.Equal(t, model.AllocEnd, alloc.Status)
		require.Len(t, *seen, 6)

		kit, _ = scripted(t, `"refundNo":"R1","amount":1,"status":"progress"`, `"refundNo":"R1","amount":1,"status":"success"`)
		refund, err := kit.WaitRefund(ctx, &param.QueryRefundParam{RefundNo: "R1"}, daxpay.Wait{})
		require.NoError(t, err)
		require.Equal(t, model.RefundSuccess, refund.Status)
	})
}

func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		pay := &param.PayParam{BizOrderNo: "B1", Amount: 100}
		kit, seen := scripted(t, errors.New("reset"), payInProgress+`,"bizOrderNo":"B1"`)
		order, err := kit.RecoverPay(ctx, pay, daxpay.Wait{})
		require.NoError(t, err)
		require.Equal(t, model.PayProgress, order.Status)
		require.Equal(t, []string{"/unipay/query/payOrder", "/unipay/query/payOrder"}, *seen)
		kit, _ = scripted(t, payDone+`,"bizOrderNo":"B1"`)
		_, err = kit.RecoverPay(ctx, &param.PayParam{BizOrderNo: "B1", Amount: 99}, daxpay.Wait{})
		require.ErrorIs(t, err, daxpay.ErrEcho)

		kit, _ = scripted(t, `"refundNo":"R1","bizRefundNo":"BR1","amount":5,"status":"progress"`)
		refund, err := kit.RecoverRefund(ctx, &param.RefundParam{BizRefundNo: "BR1", Amount: 5}, daxpay.Wait{})
		require.NoError(t, err)
		require.Equal(t, "R1", refund.RefundNo)
		_, err = kit.RecoverRefund(ctx, &param.RefundParam{BizRefundNo: "BR1", Amount: 6}, daxpay.Wait{})
		require.ErrorIs(t, err, daxpay.ErrEcho)
	})
}

func TestWaitMisuse(t *testing.T) {
	kit, _ := scripted(t, payDone)
	ctx := context.Background()
	for _, do := range []func() error{
		func() error { _, err := kit.WaitPay(ctx, nil, daxpay.Wait{}); return err },
		func() error { _, err := kit.WaitRefund(ctx, nil, daxpay.Wait{}); return err },
		func() error { _, err := kit.WaitTransfer(ctx, nil, daxpay.Wait{}); return err },
		func() error { _, err := kit.WaitAllocation(ctx, nil, daxpay.Wait{}); return err },
		func() error { _, err := kit.RecoverPay(ctx, nil, daxpay.Wait{}); return err },
		func() error { _, err := kit.RecoverRefund(ctx, nil, daxpay.Wait{}); return err },
		func() error { _, err := kit.WaitPay(nil, &param.QueryPayParam{}, daxpay.Wait{}); return err }, //nolint:staticcheck // that is what is tested
		func() error { _, err := kit.WaitPay(ctx, &param.QueryPayParam{}, daxpay.Wait{}); return err },
	} {
		require.ErrorIs(t, do(), daxpay.ErrParam)
	}
	_, err := (*daxpay.Client)(nil).WaitPay(ctx, &param.QueryPayParam{OrderNo: "P1"}, daxpay.Wait{})
	require.ErrorIs(t, err, daxpay.ErrConfig)
}

func TestWaitSeesWhatIsWrongWithTheSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV208}, func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/sync/") {
				return &http.Response{StatusCode: http.StatusNotFound, Body: io.NopCloser(strings.NewReader("{}")), Header: http.Header{}}, nil
			}
			return jsonAnswer(sealed(t, fmt.Sprintf(`"code":0,"resTime":%d,%s`, time.Now().Unix(), payInProgress)))(r)
		})
		_, err := kit.WaitPay(context.Background(), &param.QueryPayParam{OrderNo: "P1"}, daxpay.Wait{})
		require.ErrorIs(t, err, daxpay.ErrProtocol)
	})
}

func TestRecoverAsksAnewAndForTheSameOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		var body []byte
		kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV208}, recordBody(&body, `{"code":10004,"msg":"认证失败"}`))
		_, err := kit.RecoverPay(ctx, &param.PayParam{BizOrderNo: "B1", Amount: 1, Common: param.Common{ReqTime: time.Unix(1715500000, 0), NonceStr: "old", ClientIP: "192.0.2.9"}}, daxpay.Wait{})
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, err, &refusal, "that does not pass")
		require.NotContains(t, string(body), "1715500000")
		require.NotContains(t, string(body), "old")
		require.Contains(t, string(body), "192.0.2.9")

		kit, _ = scripted(t, `"refundNo":"R1","bizRefundNo":"BR1","bizOrderNo":"OTHER","amount":5,"status":"progress"`)
		_, err = kit.RecoverRefund(ctx, &param.RefundParam{BizRefundNo: "BR1", BizOrderNo: "B1", Amount: 5}, daxpay.Wait{})
		require.ErrorIs(t, err, daxpay.ErrEcho)
	})
}
