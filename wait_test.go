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

// talk is a gateway that answers queries and syncs by a script, whose last line is repeated. A line is the members of a
// signed answer, a refusal, an HTTP status, an error, or a whole envelope.
type talk struct {
	*testing.T
	query, sync []any
	url         string
	start       time.Time
	seen        []string // what was asked for and when, such as "query 0s"
}

// no is a signed refusal.
type no string

func (s *talk) RoundTrip(r *http.Request) (*http.Response, error) {
	lines, what := &s.query, "query"
	switch {
	case strings.Contains(r.URL.Path, "/sync"):
		lines, what = &s.sync, "sync"
	case !strings.Contains(r.URL.Path, "/query/"):
		s.Errorf("%s was called", r.URL.Path)
	}
	s.seen = append(s.seen, fmt.Sprintf("%s %v", what, time.Since(s.start).Round(time.Second)))
	if len(*lines) == 0 {
		s.Errorf("no line for a %s", what)
		return nil, errReset
	}
	line := (*lines)[0]
	if len(*lines) > 1 {
		*lines = (*lines)[1:]
	}
	now := time.Now().Unix()
	switch line := line.(type) {
	case error:
		return nil, line
	case int:
		return &http.Response{StatusCode: line, Body: io.NopCloser(strings.NewReader("")), Header: http.Header{}}, nil
	case no:
		return jsonAnswer(sealed(s, fmt.Sprintf(`"code":1,"msg":"%s","resTime":%d`, line, now)))(r)
	case string:
		if strings.HasPrefix(line, "{") {
			return jsonAnswer(line)(r)
		}
		return jsonAnswer(sealed(s, fmt.Sprintf(`"code":0,"resTime":%d,%s`, now, line)))(r)
	}
	return nil, errors.New("a mistake in the script")
}

func (s *talk) kit(version daxpay.GatewayVersion) *daxpay.Client {
	s.start = time.Now()
	kit, _ := mocked(s, daxpay.Config{Gateway: version, ServiceURL: s.url}, s.RoundTrip)
	return kit
}

// syncs lists the syncs in seen.
func (s *talk) syncs() []string {
	var syncs []string
	for _, what := range s.seen {
		if strings.HasPrefix(what, "sync") {
			syncs = append(syncs, what)
		}
	}
	return syncs
}

// waited is the result of a wait: the status of the order and the error.
type waited struct {
	status   string
	standing model.Standing
	err      error
	took     time.Duration
}

// waits has the four waits and two recoveries, about the order of the scripts.
func waits(ctx context.Context, kit *daxpay.Client, w daxpay.Wait) map[string]func() waited {
	return map[string]func() waited{
		"WaitPay": func() waited {
			return ended(kit.WaitPay(ctx, &param.QueryPayOrderParam{BizOrderNo: "B1"}, w))
		},
		"WaitRefund": func() waited {
			return ended(kit.WaitRefund(ctx, &param.QueryRefundOrderParam{BizRefundNo: "B1"}, w))
		},
		"WaitTransfer": func() waited {
			return ended(kit.WaitTransfer(ctx, &param.QueryTransferOrderParam{BizTransferNo: "B1"}, w))
		},
		"WaitAlloc": func() waited {
			return ended(kit.WaitAlloc(ctx, &param.QueryAllocOrderParam{AllocNo: "G1"}, w))
		},
		"RecoverPay": func() waited {
			return ended(kit.RecoverPay(ctx, &param.PayParam{BizOrderNo: "B1", Amount: 100}, w))
		},
		"RecoverRefund": func() waited {
			return ended(kit.RecoverRefund(
				ctx, &param.RefundParam{BizRefundNo: "B1", BizOrderNo: "P1", Amount: 100}, w,
			))
		},
	}
}

func ended(m any, err error) waited {
	got := waited{err: err}
	if err != nil {
		return got
	}
	switch m := m.(type) {
	case *daxpay.Result[model.PayOrderModel]:
		got.status, got.standing = string(m.Data.Status), m.Data.Standing()
	case *daxpay.Result[model.RefundOrderModel]:
		got.status, got.standing = string(m.Data.Status), m.Data.Standing()
	case *daxpay.Result[model.TransferOrderModel]:
		got.status, got.standing = string(m.Data.Status), m.Data.Standing()
	case *daxpay.Result[model.AllocOrderModel]:
		got.status, got.standing = string(m.Data.Status), m.Data.Standing()
	}
	return got
}

func payIs(status string) string {
	return `"orderNo":"G1","bizOrderNo":"B1","channel":"ali_pay","amount":100,"status":"` + status + `"`
}

func refundIs(status string) string {
	return `"refundNo":"G1","bizRefundNo":"B1","bizOrderNo":"P1","amount":100,"status":"` + status + `"`
}

func transferIs(status string) string {
	return `"transferNo":"G1","bizTransferNo":"B1","amount":100,"status":"` + status + `"`
}

func allocIs(status, result string) string {
	return `"allocNo":"G1","bizAllocNo":"B1","amount":100,"status":"` + status +
		`","details":[{"receiverNo":"1","amount":60,"result":"success"},` +
		`{"receiverNo":"2","amount":40,"result":"` + result + `"}]`
}

const (
	walletInProgress = `"orderNo":"G1","bizOrderNo":"B1","channel":"wallet_pay","amount":100,"status":"progress"`

	systemError = `{"code":10001,"msg":"系统错误"}`
	isLocked    = `{"code":10007,"msg":"重复操作"}`
	isDead      = `{"code":10004,"msg":"认证失败"}`
	severalRows = `{"code":10001,"msg":"Expected one result (or null) to be returned by selectOne(), ` +
		`but found multiple records"}`
	noOrder = no("支付订单不存在")
)

func syncSays(status string) string { return `"status":"` + status + `"` }

// rule is a row of the table that checks the waits by reliability rules 1 to 11.
type rule struct {
	wait        string
	version     daxpay.GatewayVersion // default: 2.0.8
	url         string                // default: a loopback address
	query, sync []any
	made        time.Duration // before the wait; 0: not told
	amount      int64
	limit       time.Duration // of the context; default: 20 minutes

	status   string // of what is returned
	standing model.Standing
	reason   daxpay.UnresolvedReason // of an UnresolvedError
	is, not  error                   // what the error is, and is not
	after    time.Duration           // how long the wait takes at least
	before   time.Duration           // and at most; 0: not more than 2 seconds longer
	syncs    []string                // all of them; nil: not compared
}

func TestWaitingRules(t *testing.T) {
	unknown := daxpay.ErrOutcomeUnknown
	for name, r := range map[string]rule{
		"1: a query comes first, and no sync if it is settled": {
			wait: "WaitPay", query: []any{payIs("success")}, status: "success", standing: model.Succeeded,
			syncs: []string{},
		},
		"1: the request may still be on its way": {
			wait: "WaitPay", query: []any{noOrder, noOrder, payIs("success")}, status: "success",
			standing: model.Succeeded, after: 2 * time.Second,
		},
		"1: no such order counts after 20 seconds": {
			wait: "RecoverPay", query: []any{noOrder}, is: daxpay.ErrNoSuchOrder, not: unknown, after: 20 * time.Second,
		},
		"1: counted from when it was sent": {
			wait: "RecoverPay", query: []any{noOrder}, made: 15 * time.Second, is: daxpay.ErrNoSuchOrder, not: unknown,
			after: 5 * time.Second,
		},
		"1: a refund that arrives late is found": {
			wait: "RecoverRefund", query: []any{noOrder, noOrder, noOrder, refundIs("progress")}, status: "progress",
			after: 3 * time.Second,
		},
		"1: a refund is not refused before": {
			wait: "RecoverRefund", query: []any{noOrder}, limit: 15 * time.Second, is: unknown, after: 15 * time.Second,
		},
		"1: no such order proves nothing of a refund before 2.0.8": {
			wait: "RecoverRefund", version: daxpay.GatewayV207, query: []any{noOrder}, is: unknown,
			reason: daxpay.UnresolvedNoSuchOrder, after: 20 * time.Second,
		},
		"1: and nothing of a payment": {
			wait: "WaitPay", version: daxpay.GatewayV207, query: []any{noOrder}, is: unknown,
			reason: daxpay.UnresolvedNoSuchOrder, after: 20 * time.Second,
		},
		"1: a refusal that is not signed is no proof": {
			wait: "RecoverRefund", query: []any{`{"code":10010,"msg":"退款订单不存在"}`}, is: unknown,
			reason: daxpay.UnresolvedNoSuchOrder, after: 20 * time.Second,
		},
		"1: nor is one that somebody on the line can have put there": {
			wait: "RecoverRefund", query: []any{noOrder}, url: "http://gateway.example.com", is: unknown,
			reason: daxpay.UnresolvedNoSuchOrder, after: 20 * time.Second,
		},
		"2: paid": {
			wait: "WaitPay", query: []any{payIs("progress"), payIs("progress"), payIs("success")}, status: "success",
			standing: model.Succeeded,
			after:    2 * time.Second, syncs: []string{},
		},
		"2: paid and given back since, before 2.0.8": {
			wait: "WaitPay", version: daxpay.GatewayV207, query: []any{payIs("refunded")}, status: "refunded",
			standing: model.Succeeded, syncs: []string{},
		},
		"2: closed, and the sync agrees": {
			wait: "WaitPay", query: []any{payIs("close")}, sync: []any{syncSays("pay_closed")}, status: "close",
			standing: model.Ended, syncs: []string{"sync 0s"},
		},
		"2: cancelled, and the channel still waits": {
			wait: "WaitPay", query: []any{payIs("cancel")}, sync: []any{systemError}, status: "cancel",
			standing: model.Ended, syncs: []string{"sync 0s"},
		},
		"2: failed, and the channel does not know it": {
			wait: "WaitPay", query: []any{payIs("fail")}, sync: []any{no("查询失败")}, status: "fail",
			standing: model.Ended, syncs: []string{"sync 0s"},
		},
		"2: closed, but the sync says paid": {
			wait: "WaitPay", query: append(repeated(payIs("close"), 11), payIs("success")),
			sync:   []any{syncSays("pay_success")},
			status: "success", standing: model.Succeeded, after: 10 * time.Second, before: 13 * time.Second,
		},
		"2: cancelled, and the sync says paid for ever": {
			wait: "WaitPay", query: []any{payIs("cancel")}, sync: []any{syncSays("pay_success")}, limit: time.Minute,
			is: context.DeadlineExceeded, after: time.Minute,
		},
		"2: the sync of a closed one is locked": {
			wait: "WaitPay", query: []any{payIs("close")}, sync: []any{isLocked, syncSays("pay_closed")},
			status: "close", standing: model.Ended, after: 11 * time.Second, syncs: []string{"sync 0s", "sync 11s"},
		},
		"2: before 2.0.8 the sync opens a closed one": {
			wait: "WaitPay", version: daxpay.GatewayV207,
			query: []any{payIs("close"), payIs("progress"), payIs("progress"), payIs("success")},
			sync:  []any{syncSays("pay_progress")}, status: "success", standing: model.Succeeded,
			after: 2 * time.Second,
			syncs: []string{"sync 0s"},
		},
		"2: a status that is not known is waited out": {
			wait: "WaitPay", query: []any{payIs("something_new"), payIs("success")}, status: "success",
			standing: model.Succeeded, after: time.Second,
		},
		"4: given back at the channel": {
			wait: "WaitPay", query: []any{payIs("progress")}, sync: []any{syncSays("pay_refund")}, is: unknown,
			reason: daxpay.UnresolvedGivenBack,
			after:  20 * time.Second, before: 23 * time.Second,
		},
		"5: what a sync is refused with is not final": {
			wait: "WaitPay", query: append(repeated(payIs("progress"), 60), payIs("success")),
			sync:   []any{no("查询失败"), systemError, isLocked, errReset, 502},
			status: "success", standing: model.Succeeded, after: 2 * time.Minute, before: 10 * time.Minute,
		},
		"6: no sync in the first seconds": {
			wait: "WaitPay", query: append(repeated(payIs("progress"), 18), payIs("success")), status: "success",
			standing: model.Succeeded,
			after:    17 * time.Second, before: 20 * time.Second, syncs: []string{},
		},
		"6: the channel does not know it until the customer acts": {
			wait: "WaitPay", query: append(repeated(payIs("progress"), 40), payIs("success")),
			sync:   []any{syncSays("pay_not_found_unknown")},
			status: "success", standing: model.Succeeded, after: 40 * time.Second, before: 90 * time.Second,
		},
		"6: a lost callback is found by a sync": {
			wait: "WaitPay", made: 5 * time.Minute, query: append(repeated(payIs("progress"), 1), payIs("success")),
			sync:   []any{syncSays("pay_success")},
			status: "success", standing: model.Succeeded, syncs: []string{"sync 0s"},
		},
		"7: a wallet payment": {
			wait: "WaitPay", query: []any{walletInProgress}, is: unknown, reason: daxpay.UnresolvedWallet,
			syncs: []string{},
		},
		"7: a wallet payment, recovered": {
			wait: "RecoverPay", query: []any{walletInProgress}, is: unknown, reason: daxpay.UnresolvedWallet,
			syncs: []string{},
		},
		"8: no sync of a refund in the first minute": {
			wait: "WaitRefund", query: append(repeated(refundIs("progress"), 35), refundIs("success")),
			status: "success", standing: model.Succeeded,
			after: 35 * time.Second, before: time.Minute, syncs: []string{},
		},
		"8: a refund that failed, and is not done": {
			wait: "WaitRefund", query: []any{refundIs("fail")}, sync: []any{no("支付宝网关退款未成功")}, status: "fail",
			standing: model.Unproved,
			after:    time.Minute, syncs: []string{"sync 1m0s"},
		},
		"8: a refund that failed, but is done": {
			wait: "WaitRefund", query: append(repeated(refundIs("fail"), 10), refundIs("success")),
			sync: []any{syncSays("refund_success")}, made: time.Minute,
			status: "success", standing: model.Succeeded, after: 11 * time.Second, before: time.Minute,
		},
		"8: a refund that failed, recovered": {
			wait: "RecoverRefund", query: []any{refundIs("fail")}, sync: []any{no("支付宝网关退款未成功")}, is: unknown,
			reason: daxpay.UnresolvedFailed, made: time.Minute,
		},
		"8: a refund that failed, which the sync closes": {
			wait: "WaitRefund", query: []any{refundIs("fail"), refundIs("close")},
			sync: []any{syncSays("pay_not_found")}, made: time.Minute,
			is: unknown, reason: daxpay.UnresolvedClosed,
		},
		"8: a refund that is closed": {
			wait: "WaitRefund", query: []any{refundIs("close")}, is: unknown, reason: daxpay.UnresolvedClosed,
			syncs: []string{},
		},
		"8: a refund of 2.0.6": {
			wait: "WaitRefund", version: daxpay.GatewayV206, is: unknown, reason: daxpay.UnresolvedNoQuery,
			syncs: []string{},
		},
		"9: a share is pending": {
			wait: "WaitAlloc",
			query: []any{
				allocIs("allocation_processing", "pending"), allocIs("allocation_end", "pending"),
				allocIs("allocation_end", "fail"),
			},
			sync: []any{`"a":1`}, status: "allocation_end", standing: model.Succeeded, after: 2 * time.Second,
		},
		"9: a start that failed": {
			wait: "WaitAlloc", query: []any{allocIs("allocation_failed", "pending")}, status: "allocation_failed",
			standing: model.Unproved,
		},
		"9: only a sync brings it up to date": {
			wait: "WaitAlloc",
			query: append(
				repeated(allocIs("allocation_processing", "pending"), 20), allocIs("allocation_end", "success"),
			),
			sync:   []any{`"a":1`},
			status: "allocation_end", standing: model.Succeeded, after: 15 * time.Second, before: 30 * time.Second,
			syncs: []string{"sync 10s"},
		},
		"10: a transfer that was paid out": {
			wait: "WaitTransfer", query: []any{transferIs("transferring"), transferIs("success")}, status: "success",
			standing: model.Succeeded, after: time.Second,
		},
		"10: a transfer that failed": {
			wait: "WaitTransfer", query: []any{transferIs("fail")}, is: unknown, reason: daxpay.UnresolvedFailed,
		},
		"10: a transfer sent twice": {
			wait: "WaitTransfer", query: []any{severalRows}, is: unknown, reason: daxpay.UnresolvedSeveral,
		},
		"10: a system error for good": {
			wait: "WaitTransfer", query: []any{systemError}, is: unknown, limit: time.Minute, after: time.Minute,
		},
		"10: a system error that passes": {
			wait: "WaitTransfer", query: []any{systemError, transferIs("success")}, status: "success",
			standing: model.Succeeded, after: time.Second,
		},
		"10: a system error about an old transfer": {
			wait: "WaitTransfer", query: []any{systemError, transferIs("success")}, status: "success",
			standing: model.Succeeded, made: time.Minute, after: time.Second, before: 6 * time.Second,
		},
		"10: no such transfer": {
			wait: "WaitTransfer", query: []any{noOrder}, is: unknown, reason: daxpay.UnresolvedNoSuchOrder,
			after: 20 * time.Second,
		},
		"10: a transfer before 2.0.8": {wait: "WaitTransfer", version: daxpay.GatewayV207, is: unknown},
		"10: a transfer whose query is refused": {
			wait: "WaitTransfer", query: []any{isDead}, is: unknown,
		},
		"11: another amount": {
			wait: "WaitPay", query: []any{payIs("success")}, amount: 99, is: daxpay.ErrEcho,
		},
		"11: another amount of a transfer": {
			wait: "WaitTransfer", query: []any{transferIs("success")}, amount: 99, is: daxpay.ErrEcho,
		},
		"11: a refund of another payment": {
			wait: "RecoverRefund", query: []any{strings.Replace(refundIs("success"), "P1", "P2", 1)},
			is: daxpay.ErrEcho,
		},
		"11: still unknown then": {
			wait: "RecoverRefund", query: []any{strings.Replace(refundIs("success"), "100", "99", 1)}, is: unknown,
		},
		"11: another payment recovered": {
			wait: "RecoverPay", query: []any{strings.Replace(payIs("success"), "100", "99", 1)}, is: daxpay.ErrEcho,
		},
		"an answer that does not name the order": {
			wait: "WaitPay", query: []any{`"orderNo":"G1","amount":100,"status":"success"`}, is: daxpay.ErrEcho,
		},
		"RecoverPay: begun": {
			wait: "RecoverPay", query: []any{payIs("progress")}, status: "progress", syncs: []string{},
		},
		"RecoverPay: nothing": {
			wait: "RecoverPay", query: []any{errReset}, is: unknown, limit: time.Minute, after: time.Minute,
		},
		"RecoverPay: cannot ask": {wait: "RecoverPay", query: []any{isDead}, is: unknown},
		"RecoverPay: paid": {
			wait: "RecoverPay", query: []any{payIs("success")}, status: "success", standing: model.Succeeded,
		},
		"RecoverRefund: on 2.0.6": {
			wait: "RecoverRefund", version: daxpay.GatewayV206, is: unknown, reason: daxpay.UnresolvedNoQuery,
		},
		"RecoverRefund: no answer": {
			wait: "RecoverRefund", query: []any{errReset}, is: unknown, limit: time.Minute, after: time.Minute,
		},
		"a deadline: one more sync and query": {
			wait: "WaitPay", query: []any{payIs("progress")}, sync: []any{syncSays("pay_progress")},
			limit: 2 * time.Minute, is: context.DeadlineExceeded, after: 2 * time.Minute,
		},
		"a deadline before no such order counts": {
			wait: "WaitPay", query: []any{noOrder}, limit: 10 * time.Second, is: unknown, after: 10 * time.Second,
			syncs: []string{},
		},
		"a deadline before the first sync": {
			wait: "WaitPay", query: []any{payIs("progress")}, limit: 20 * time.Second, is: context.DeadlineExceeded,
			after: 20 * time.Second, syncs: []string{},
		},
		"a sync that cannot work ends the wait": {
			wait: "WaitPay", query: []any{payIs("progress")}, sync: []any{404}, is: daxpay.ErrProtocol,
			after: 20 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { r.check(t) }) })
	}
}

func repeated(line any, n int) []any {
	lines := make([]any, n)
	for i := range lines {
		lines[i] = line
	}
	return lines
}

func (r *rule) check(t *testing.T) {
	if r.version == "" {
		r.version = daxpay.GatewayV208
	}
	if r.limit == 0 {
		r.limit = 20 * time.Minute
	}
	s := &talk{T: t, query: r.query, sync: r.sync, url: r.url}
	kit := s.kit(r.version)
	ctx, cancel := context.WithTimeout(context.Background(), r.limit)
	defer cancel()
	w := daxpay.Wait{Amount: r.amount}
	if r.made != 0 {
		w.Made = time.Now().Add(-r.made)
	}
	got := waits(ctx, kit, w)[r.wait]()
	got.took = time.Since(s.start)

	require.Equal(t, r.status, got.status, "%v", got.err)
	require.Equal(t, r.standing, got.standing)
	require.Equal(t, r.status != "", got.err == nil, "%v", got.err)
	var unresolved *daxpay.UnresolvedError
	require.Equal(t, r.reason != "", errors.As(got.err, &unresolved), "%v", got.err)
	if r.reason != "" {
		require.Equal(t, r.reason, unresolved.Reason)
		require.ErrorContains(t, got.err, "outcome unresolved: "+string(r.reason))
	}
	if r.is != nil {
		require.ErrorIs(t, got.err, r.is)
	}
	if r.not != nil {
		require.NotErrorIs(t, got.err, r.not)
	}
	if r.before == 0 {
		r.before = r.after + 2*time.Second
	}
	require.GreaterOrEqual(t, got.took, r.after)
	require.LessOrEqual(t, got.took, r.before)
	if r.syncs != nil {
		require.Equal(t, r.syncs, append([]string{}, s.syncs()...))
	}
	require.True(t, len(s.seen) == 0 || strings.HasPrefix(s.seen[0], "query"), "a query comes first")
}

// A refusal for a reason that does not pass ends each wait at once.
func TestWaitGivesUpOnWhatDoesNotPass(t *testing.T) {
	for name, tt := range map[string]struct {
		answer any
		want   error
	}{
		"wrong signature": {`{"code":0,"data":{"code":0,"resTime":1,"sign":"x"}}`, daxpay.ErrSignMismatch},
		"wrong secret":    {`{"code":20052,"msg":"验签失败"}`, nil},
		"wrong path":      {404, daxpay.ErrProtocol},
		"other order":     {strings.Replace(payIs("success"), "B1", "B2", 1), daxpay.ErrEcho},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &talk{T: t, query: []any{tt.answer}}
				got := waits(context.Background(), s.kit(daxpay.GatewayV208), daxpay.Wait{})["WaitPay"]()
				require.Error(t, got.err)
				if tt.want != nil {
					require.ErrorIs(t, got.err, tt.want)
				} else {
					var refusal *daxpay.GatewayError
					require.ErrorAs(t, got.err, &refusal)
				}
				require.Len(t, s.seen, 1)
				require.Zero(t, time.Since(s.start))
			})
		})
	}
}

// A wait that runs out of time names the order and its last status.
func TestWaitOutOfTime(t *testing.T) {
	for name, tt := range map[string]struct {
		query []any
		want  string
	}{
		"open": {[]any{payIs("progress")}, "daxpay: /unipay/query/payOrder: B1 is still progress after 10s: context dead"},
		"no answer": {
			[]any{502}, "B1 is not known to the gateway yet, or it did not answer, after 10s: context deadline exceeded; ",
		},
		"fault": {
			[]any{payIs("progress"), 502}, "B1 is still progress after 10s: context deadline exceeded; the latest fault: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				s := &talk{T: t, query: tt.query}
				got := waits(ctx, s.kit(daxpay.GatewayV208), daxpay.Wait{})["WaitPay"]()
				require.ErrorContains(t, got.err, tt.want)
				require.ErrorIs(t, got.err, context.DeadlineExceeded)
			})
		})
	}
}

func TestWaitProgressAndPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &talk{
			T: t, query: []any{payIs("progress"), errReset, 502, systemError, payIs("progress"), payIs("success")},
		}
		var progress []string
		w := daxpay.Wait{First: 2 * time.Second, Ceiling: 3 * time.Second, Progress: func(status string, err error) {
			progress = append(progress, fmt.Sprintf("%s %t", status, err != nil))
		}}
		got := waits(context.Background(), s.kit(daxpay.GatewayV208), w)["WaitPay"]()
		require.NoError(t, got.err)
		require.Equal(
			t, []string{"progress false", " true", " true", " true", "progress false", "success false"}, progress,
		)
		require.InDelta(t, 10, time.Since(s.start).Seconds(), 0.5, "five pauses of two seconds and a little")

		s = &talk{
			T: t, query: append(repeated(payIs("progress"), 20), payIs("success")),
			sync: []any{syncSays("pay_progress")},
		}
		w = daxpay.Wait{Made: time.Now().Add(-time.Hour), Ceiling: 3 * time.Second}
		got = waits(context.Background(), s.kit(daxpay.GatewayV208), w)["WaitPay"]()
		require.NoError(t, got.err)
		require.Equal(
			t, 57*time.Second, time.Since(s.start),
			"an old order is asked for at the ceiling, and synchronized at once",
		)

		s = &talk{T: t, query: []any{payIs("progress"), payIs("success")}}
		w = daxpay.Wait{Made: time.Now().Add(time.Hour)}
		got = waits(context.Background(), s.kit(daxpay.GatewayV208), w)["WaitPay"]()
		require.NoError(t, got.err)
		require.InDelta(t, 1, time.Since(s.start).Seconds(), 0.1, "a time that is yet to come counts as now")
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	for name := range waits(context.Background(), nil, daxpay.Wait{}) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &talk{T: t, query: []any{errReset}, sync: []any{errReset}}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				got := waits(ctx, s.kit(daxpay.GatewayV208), daxpay.Wait{})[name]()
				require.ErrorIs(t, got.err, context.DeadlineExceeded)
				require.ErrorIs(t, got.err, errReset)
				require.Equal(t, time.Minute, time.Since(s.start))
				require.Contains(t, s.seen, "query 55s", "a last look before the deadline")
			})
		})
	}
}

func TestWaitMisuse(t *testing.T) {
	s := &talk{T: t}
	kit := s.kit(daxpay.GatewayV208)
	ctx := context.Background()
	for name, do := range map[string]func() error{
		"WaitPay":       func() error { _, err := kit.WaitPay(ctx, nil, daxpay.Wait{}); return err },
		"WaitRefund":    func() error { _, err := kit.WaitRefund(ctx, nil, daxpay.Wait{}); return err },
		"WaitTransfer":  func() error { _, err := kit.WaitTransfer(ctx, nil, daxpay.Wait{}); return err },
		"allocation":    func() error { _, err := kit.WaitAlloc(ctx, nil, daxpay.Wait{}); return err },
		"RecoverPay":    func() error { _, err := kit.RecoverPay(ctx, nil, daxpay.Wait{}); return err },
		"RecoverRefund": func() error { _, err := kit.RecoverRefund(ctx, nil, daxpay.Wait{}); return err },
		"9: by the merchant's number": func() error {
			_, err := kit.WaitAlloc(ctx, &param.QueryAllocOrderParam{BizAllocNo: "B1"}, daxpay.Wait{})
			return err
		},
		"no context": func() error {
			_, err := kit.WaitPay(nil, &param.QueryPayOrderParam{}, daxpay.Wait{}) //nolint:staticcheck // that is tested
			return err
		},
		"no number": func() error { _, err := kit.WaitPay(ctx, &param.QueryPayOrderParam{}, daxpay.Wait{}); return err },
	} {
		require.ErrorIs(t, do(), daxpay.ErrParam, name)
	}
	_, err := (*daxpay.Client)(nil).WaitPay(ctx, &param.QueryPayOrderParam{OrderNo: "P1"}, daxpay.Wait{})
	require.ErrorIs(t, err, daxpay.ErrConfig)
	require.Empty(t, s.seen)
}

func TestRecoverAsksAnewAndForTheSameOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var body []byte
		kit, _ := mocked(t, daxpay.Config{Gateway: daxpay.GatewayV208}, recordBody(&body, isDead))
		_, err := kit.RecoverPay(context.Background(), &param.PayParam{
			BizOrderNo: "B1", Amount: 1,
			Common: param.Common{ReqTime: time.Unix(1715500000, 0), NonceStr: "old", ClientIP: "192.0.2.9"},
		}, daxpay.Wait{})
		var refusal *daxpay.GatewayError
		require.ErrorAs(t, err, &refusal, "that does not pass")
		require.NotContains(t, string(body), "1715500000")
		require.NotContains(t, string(body), "old")
		require.Contains(t, string(body), "192.0.2.9")
	})
}

// A sync that finds no order proves nothing when the query has just shown it.
func TestNoSuchOrderOfASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		noPayment := `{"code":10010,"msg":"支付订单不存在","data":null,"traceId":"x"}`
		s := &talk{T: t, query: []any{payIs("close")}, sync: []any{noPayment}}
		m, err := s.kit(daxpay.GatewayV208).RecoverPay(ctx, &param.PayParam{BizOrderNo: "B1", Amount: 100}, daxpay.Wait{})
		require.NoError(t, err)
		require.Equal(t, model.Ended, m.Data.Standing())
		noRefund := `{"code":10010,"msg":"退款订单不存在","data":null,"traceId":"x"}`
		s = &talk{T: t, query: []any{refundIs("fail")}, sync: []any{noRefund}}
		_, err = s.kit(daxpay.GatewayV208).RecoverRefund(ctx,
			&param.RefundParam{BizRefundNo: "B1", BizOrderNo: "P1", Amount: 100}, daxpay.Wait{})
		require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, daxpay.ErrNoSuchOrder)
	})
}
