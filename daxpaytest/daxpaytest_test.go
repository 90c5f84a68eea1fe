package daxpaytest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// post sends a body signed with the gateway's secret, and returns the answer.
func post(t *testing.T, gw *daxpaytest.Gateway, path, members string) (int, map[string]any) {
	t.Helper()
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, daxpaytest.Secret)
	require.NoError(t, err)
	sign, err := signer.Sign([]byte("{" + members + "}"))
	require.NoError(t, err)
	return postRaw(t, gw, path, "{"+members+`,"sign":"`+sign+`"}`)
}

func postRaw(t *testing.T, gw *daxpaytest.Gateway, path, body string) (int, map[string]any) {
	t.Helper()
	res, err := http.Post(gw.URL()+path, "application/json", strings.NewReader(body)) //nolint:noctx // a test
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(answer, &members))
	return res.StatusCode, members
}

func TestChecksRequestsAsTheGatewayDoes(t *testing.T) {
	const now = 1715500234
	clock := func() time.Time { return time.Unix(now, 0) }
	at := func(seconds int) string { return fmt.Sprintf(`"reqTime":%d`, now+seconds) }
	for name, tt := range map[string]struct {
		version daxpay.GatewayVersion
		path    string
		members string
		code    float64
	}{
		"good": {daxpay.GatewayV208, "/unipay/sync/pay",
			at(0) + `,"orderNo":"P1","nonceStr":"n"`, 0},
		"both numbers, the first counts": {daxpay.GatewayV208, "/unipay/sync/pay",
			at(0) + `,"orderNo":"P1","bizOrderNo":"nonsense"`, 0},
		"an empty number hides the other": {daxpay.GatewayV208, "/unipay/sync/pay",
			at(0) + `,"orderNo":"","bizOrderNo":"B1"`, 1},
		"no number":   {daxpay.GatewayV208, "/unipay/sync/pay", at(0), 1},
		"number null": {daxpay.GatewayV208, "/unipay/sync/pay", at(0) + `,"orderNo":null`, 1},
		"number too long": {daxpay.GatewayV208, "/unipay/sync/pay",
			at(0) + `,"orderNo":"123456789012345678901234567890123"`, 10006},
		"no time":        {daxpay.GatewayV208, "/unipay/sync/pay", `"orderNo":"P1"`, 10006},
		"10 s old":       {daxpay.GatewayV208, "/unipay/sync/pay", at(-10) + `,"orderNo":"P1"`, 0},
		"11 s old":       {daxpay.GatewayV208, "/unipay/sync/pay", at(-11) + `,"orderNo":"P1"`, 10006},
		"60 s ahead":     {daxpay.GatewayV208, "/unipay/sync/pay", at(60) + `,"orderNo":"P1"`, 0},
		"61 s ahead":     {daxpay.GatewayV208, "/unipay/sync/pay", at(61) + `,"orderNo":"P1"`, 10006},
		"old, for 2.0.7": {daxpay.GatewayV207, "/unipay/sync/pay", at(-1000) + `,"orderNo":"P1"`, 0},
		"unknown member": {daxpay.GatewayV208, "/unipay/sync/pay", at(0) + `,"orderNo":"P1","x":1`,
			20052},
		"unknown member that is null": {daxpay.GatewayV208, "/unipay/sync/pay",
			at(0) + `,"orderNo":"P1","x":null`, 0},
		"nonce, for 2.0.7": {daxpay.GatewayV207, "/unipay/sync/pay",
			at(0) + `,"orderNo":"P1","nonceStr":"n"`, 20000},
		"old name, for 2.0.8": {daxpay.GatewayV208, "/unipay/allocation/finish",
			at(0) + `,"allocationNo":"A1"`, 20052},
		"old name, for 2.0.7": {daxpay.GatewayV207, "/unipay/allocation/finish",
			at(0) + `,"allocationNo":"A1"`, 0},
		"new name, for 2.0.7": {daxpay.GatewayV207, "/unipay/allocation/finish",
			at(0) + `,"allocNo":"A1"`, 20000},
	} {
		t.Run(name, func(t *testing.T) {
			gw := daxpaytest.Start(t, daxpaytest.WithVersion(tt.version), daxpaytest.WithClock(clock))
			gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", BizOrderNo: "B1", Status: model.PaySyncSuccess})
			gw.SetAllocation(daxpaytest.Allocation{AllocNo: "A1", Status: model.AllocEnd})
			status, answer := post(t, gw, tt.path, tt.members)
			require.Equal(t, http.StatusOK, status)
			if data, ok := answer["data"].(map[string]any); ok && tt.code < 2 {
				require.Equal(t, tt.code, data["code"])
				require.Len(t, data["sign"], 64)
			} else {
				require.Equal(t, tt.code, answer["code"])
				require.Nil(t, answer["data"])
			}
			require.NotEmpty(t, answer["traceId"])
			require.Equal(t, int(tt.code), gw.Requests()[0].Code)
		})
	}
}

// A length is counted in characters, also that of a short text in Chinese, which has more bytes.
func TestLengthsAreInCharacters(t *testing.T) {
	gw := daxpaytest.Start(t)
	for groupNo, code := range map[string]int{
		strings.Repeat("组", 9): 1, strings.Repeat("组", 20): 1, strings.Repeat("组", 21): 10006,
		strings.Repeat("😀", 10): 1, strings.Repeat("😀", 11): 10006, // two UTF-16 units each
	} {
		members := fmt.Sprintf(`"reqTime":%d,"bizAllocNo":"A1","orderNo":"P1","groupNo":%q`, time.Now().Unix(), groupNo)
		post(t, gw, "/unipay/allocation/start", members)
		requests := gw.Requests()
		require.Equal(t, code, requests[len(requests)-1].Code, groupNo)
	}
}

// The gateway has every call of the client in each version that has it.
func TestHasEveryCall(t *testing.T) {
	for _, version := range calltable.Versions() {
		gw := daxpaytest.Start(t, daxpaytest.WithVersion(version))
		for _, c := range calltable.All() {
			if path := c.PathIn(version); path != "" {
				status, _ := postRaw(t, gw, path, "{}")
				require.Equal(t, http.StatusOK, status, "gateway %s lacks %s: add it to daxpaytest/calls.go", version, path)
			}
		}
	}
}

// A version has a call at the path of 2.0.8 only if the table says so.
func TestHasNoOtherCall(t *testing.T) {
	stubs := []string{"/unipay/transfer", "/unipay/sync/transfer", "/unipay/query/transferOrder"} // of 2.0.7
	for _, version := range calltable.Versions() {
		gw := daxpaytest.Start(t, daxpaytest.WithVersion(version))
		for _, c := range calltable.Current() {
			path := c.Path()
			if c.PathIn(version) == path || version == daxpay.GatewayV207 && slices.Contains(stubs, path) {
				continue
			}
			status, _ := postRaw(t, gw, path, "{}")
			require.NotEqual(t, http.StatusOK, status, "gateway %s has %s, and its row in internal/calltable does not: "+
				"take it out in daxpaytest/calls.go", version, path)
		}
	}
}

func TestRefusesWhatIsNotARequest(t *testing.T) {
	gw := daxpaytest.Start(t)
	for _, body := range []string{"", "[]", "{", `{"a":`, "<xml/>"} {
		status, answer := postRaw(t, gw, "/unipay/sync/pay", body)
		require.Equal(t, http.StatusOK, status)
		require.EqualValues(t, 10005, answer["code"], body)
	}
	_, answer := postRaw(t, gw, "/unipay/sync/pay", fmt.Sprintf(`{"orderNo":"P1","reqTime":%d}`, time.Now().Unix()))
	require.EqualValues(t, 20052, answer["code"], "no signature")

	status, answer := postRaw(t, gw, "/uniPay/allocation/finish", "{}")
	require.Equal(t, http.StatusInternalServerError, status)
	require.NotContains(t, answer, "code")
	res, err := http.Get(gw.URL() + "/unipay/sync/pay") //nolint:noctx // a test
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, http.MethodGet, gw.Requests()[len(gw.Requests())-1].Method)
}

func TestState(t *testing.T) {
	ctx := context.Background()
	gw := daxpaytest.New(daxpaytest.WithSecret("another"), daxpaytest.WithSignType(daxpay.MD5),
		daxpaytest.WithVersion(daxpay.GatewayAuto), daxpaytest.WithClock(nil))
	defer gw.Close()
	kit := gw.Client()

	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", Status: model.PaySyncProgress})
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", BizOrderNo: "B1", Status: model.PaySyncSuccess})
	res, err := kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "B1"})
	require.NoError(t, err)
	require.Equal(t, model.PaySyncSuccess, res.Data.Status)

	gw.SetRefund(daxpaytest.Refund{RefundNo: "R1", Status: model.RefundSyncProgress})
	gw.SetRefund(daxpaytest.Refund{RefundNo: "R1", Status: model.RefundSyncFail})
	_, err = kit.SyncRefund(ctx, &param.RefundSyncParam{RefundNo: "R1"})
	require.ErrorContains(t, err, "支付宝网关退款未成功", "it does not say fail")
	_, err = kit.SyncRefund(ctx, &param.RefundSyncParam{BizRefundNo: "R1"})
	require.ErrorContains(t, err, "未查询到退款订单", "the two numbers are not the same thing")

	gw.SetAllocation(daxpaytest.Allocation{AllocNo: "A1", BizAllocNo: "BA1", Status: model.AllocProcessing})
	_, err = kit.FinishAlloc(ctx, &param.AllocFinishParam{BizAllocNo: "BA1"})
	require.ErrorContains(t, err, "分账单状态错误")
	gw.SetAllocation(daxpaytest.Allocation{AllocNo: "A1", BizAllocNo: "BA1", Status: model.AllocEnd})
	_, err = kit.FinishAlloc(ctx, &param.AllocFinishParam{BizAllocNo: "BA1"})
	require.NoError(t, err)
	a, ok := gw.Allocation("BA1")
	require.True(t, ok)
	require.Equal(t, model.AllocFinish, a.Status)
	_, ok = gw.Allocation("")
	require.False(t, ok)
	_, err = kit.SyncAlloc(ctx, &param.AllocSyncParam{AllocNo: "A2"})
	require.ErrorContains(t, err, "分账单不存在")
	_, err = kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: "A2"})
	require.ErrorContains(t, err, "未查询到分账单信息")
}

// fakeTB records what Start does to a test.
type fakeTB struct {
	cleanups []func()
	fatal    string
}

func (tb *fakeTB) Helper()                           {}
func (tb *fakeTB) Cleanup(f func())                  { tb.cleanups = append(tb.cleanups, f) }
func (tb *fakeTB) Fatalf(format string, args ...any) { tb.fatal = fmt.Sprintf(format, args...) }

func TestStart(t *testing.T) {
	tb := &fakeTB{}
	gw := daxpaytest.Start(tb)
	require.Empty(t, tb.fatal)
	require.Len(t, tb.cleanups, 1)
	res, err := http.Get(gw.URL()) //nolint:noctx // a test
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	tb.cleanups[0]()
	_, err = http.Get(gw.URL()) //nolint:noctx,bodyclose // a test
	require.Error(t, err)

	for _, option := range []daxpaytest.Option{
		daxpaytest.WithSecret(" "), daxpaytest.WithVersion("1.0"), daxpaytest.WithSignType("x"),
	} {
		options := []daxpaytest.Option{option}
		tb = &fakeTB{}
		gw = daxpaytest.Start(tb, options...)
		require.Contains(t, tb.fatal, "daxpay: Config.")
		_, err = gw.Client().SyncPay(context.Background(), &param.PaySyncParam{OrderNo: "P1"})
		require.ErrorIs(t, err, daxpay.ErrConfig)
		gw.Close()
	}
}

// Code that ships must not import the testing package, nor any package that is not listed here.
func TestImportsOfShippedCode(t *testing.T) {
	allowed := map[string][]string{
		".": {"github.com/go-resty/resty/v2", "internal/follow", "internal/gateway", "internal/guard", "internal/wire",
			"model", "param"},
		"internal/follow":  {"internal/gateway", "model"},
		"param":            {"model"},
		"model":            {},
		"internal/wire":    {"internal/gateway"},
		"internal/gateway": {},
		"internal/guard":   {},
		"internal/peer":    {},
		"reconcile":        {"", "internal/follow", "internal/guard", "model", "param"},
		"daxpaytest":       {"", "internal/peer", "model"},

		"daxpaytest/storetest": {"", "reconcile"},
	}
	for dir, modules := range allowed {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
			require.NoError(t, err)
			for _, spec := range parsed.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				require.NotEqual(t, "testing", path, file)
				if !strings.Contains(path, ".") {
					continue
				}
				own := strings.Trim(strings.TrimPrefix(path, "github.com/daxpay-go/daxpay"), "/")
				require.Contains(t, modules, own, file)
			}
			require.False(t, bytes.Contains(source, []byte("func init()")), file)
		}
	}
}
