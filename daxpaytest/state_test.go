package daxpaytest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// A snapshot of one gateway can be restored in another one, which continues from there.
func TestSnapshot(t *testing.T) {
	ctx := context.Background()
	url, notices := shop(t, received)
	clock := daxpaytest.NewClock(start)
	gw := daxpaytest.Start(t, daxpaytest.WithTestClock(clock))
	client := gw.Client()
	receiver := &param.AllocReceiverAddParam{
		ReceiverNo: "V1", Channel: model.ChannelAli, ReceiverType: "ali_user_id", ReceiverAccount: "2088",
		RelationType: "PARTNER",
	}
	_, err := client.AddAllocReceiver(ctx, receiver)
	require.NoError(t, err)
	pay := qrcode("A1")
	pay.NotifyURL, pay.Allocation = url, true
	_, err = client.Pay(ctx, pay)
	require.NoError(t, err)
	gw.Channel().Pays("A1")
	_, err = client.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	_, err = client.StartAlloc(ctx, &param.AllocStartParam{
		BizAllocNo: "AL1", BizOrderNo: "A1", Receivers: []param.AllocReceiver{{ReceiverNo: "V1", Amount: 10}},
	})
	require.NoError(t, err)
	require.NoError(t, gw.WaitNotices(ctx))
	notice := <-notices
	gw.SwitchOff("/unipay/pay")
	state, err := gw.Snapshot()
	require.NoError(t, err)
	require.NotContains(t, string(state), daxpaytest.Secret)

	other := daxpaytest.Start(t, daxpaytest.WithTestClock(clock))
	require.NoError(t, other.Restore(state))
	again, err := other.Snapshot()
	require.NoError(t, err)
	require.JSONEq(t, string(state), string(again))
	ok, err := other.Resend(ctx, "A1")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, notice, <-notices)
	_, err = other.Client().Pay(ctx, qrcode("A2"))
	require.ErrorContains(t, err, "该接口权限未开放")
	require.True(t, other.Channel().Allocates("AL1", daxpaytest.Succeeded))
	a, ok := other.Allocation("AL1")
	require.True(t, ok)
	_, err = other.Client().SyncAlloc(ctx, &param.AllocSyncParam{AllocNo: a.AllocNo})
	require.NoError(t, err)
	a, _ = other.Allocation("AL1")
	require.Equal(t, model.AllocEnd, a.Status)

	old := daxpaytest.Start(t, daxpaytest.WithVersion(daxpay.GatewayV207))
	for _, bad := range []string{
		string(state), "", "{}", "[]", `{"Version":"2.0.7","Tables":null}`, `{"Version":"2.0.7","Queued":5}`,
	} {
		require.Error(t, old.Restore([]byte(bad)), bad)
	}
}

func TestNumbers(t *testing.T) {
	ctx := context.Background()
	clock := daxpaytest.NewClock(start)
	gw := daxpaytest.Start(t, daxpaytest.WithTestClock(clock), daxpaytest.WithFirstNumber(999999))
	for i, want := range []string{"DEVP26112812050663999999", "DEVP26112812050663000000"} {
		res, err := gw.Client().Pay(ctx, qrcode(fmt.Sprint(i)))
		require.NoError(t, err)
		require.Equal(t, want, res.Data.OrderNo)
	}
	seen := make(map[string]bool)
	for range 3 {
		gw := daxpaytest.New(daxpaytest.WithTestClock(clock))
		gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Status: model.PaySyncSuccess})
		p, _ := gw.Payment("A1")
		require.Regexp(t, `^[B-DF-HJ-NP-TV-XZ]{3}P261128120506\d{8}$`, p.OrderNo)
		found, err := gw.Client().QueryPayOrder(ctx, &param.QueryPayOrderParam{BizOrderNo: "A1"})
		require.NoError(t, err)
		seen[p.OrderNo], seen[found.Data.OutOrderNo] = true, true
		gw.Close()
	}
	require.Len(t, seen, 6, "the numbers of two gateways differ, and those of their channels")
}

func TestRequestLog(t *testing.T) {
	gw := daxpaytest.Start(t, daxpaytest.WithRequestLog(3))
	for i := range 10 {
		postRaw(t, gw, "/unipay/sync/pay", fmt.Sprintf(`{"orderNo":"%d"}`, i))
	}
	requests := gw.Requests()
	require.Len(t, requests, 3)
	require.Contains(t, string(requests[2].Body), `"9"`)
}

func TestShapeOfAnswers(t *testing.T) {
	gw := daxpaytest.Start(t, daxpaytest.WithTestClock(daxpaytest.NewClock(start)))
	post := func(path, accept string) http.Response {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, gw.URL()+path,
			strings.NewReader("{}"))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", accept)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return *res
	}
	res := post("/unipay/sync/pay", "application/json")
	require.Equal(t, []string{"chunked"}, res.TransferEncoding)
	require.Equal(t, "Sat, 28 Nov 2026 04:05:06 GMT", res.Header.Get("Date"))
	require.Equal(t, []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"},
		res.Header["Vary"])
	require.False(t, res.Close)
	require.True(t, post("/unipay/syncpay", "*/*").Close)
	require.Equal(t, http.StatusNotFound, post("/demo/x", "").StatusCode)
	for accept, want := range map[string]int{"text/plain": 0, "text/html": 1, "image/png": 0} {
		res := post("/unipay/sync/pay", accept)
		require.Equal(t, http.StatusNotAcceptable, res.StatusCode)
		require.Len(t, res.Header["Content-Type"], want)
		require.Equal(t, http.StatusInternalServerError, post("/x", accept).StatusCode)
	}
	require.Equal(t, http.StatusOK, post("/unipay/sync/pay;x=1/", "*/*").StatusCode)
}

// What TestNothingMakesItPanic puts together at random.
var (
	panicPaths = []string{
		"pay", "close", "cancel", "refund", "transfer", "allocation/start", "allocation/finish",
		"allocation/receiver/add",
		"allocation/receiver/remove", "sync/pay", "sync/refund", "sync/transfer", "sync/allocation", "query/payOrder",
		"query/refundOrder",
		"query/transferOrder", "query/allocationOrder", "query/allocationReceiver", "assist/getWxAuthUrl",
		"assist/getWxAccessToken",
		"allocation", "allocationFinish", "syncPay", "syncRefund",
	}
	panicNames = []string{
		"orderNo", "bizOrderNo", "bizTradeNo", "bizOrderNoeNo", "refundNo", "bizRefundNo", "allocNo", "bizAllocNo",
		"allocationNo",
		"bizAllocationNo", "transferNo", "bizTransferNo", "receiverNo", "channel", "method", "amount", "title",
		"extraParam", "receivers",
		"allocation", "expiredTime", "receiverType", "receiverAccount", "relationType", "payeeType", "groupNo",
		"allocationGroupId", "orderId",
		"url", "code", "notNotify", "reqTime", "paymentId", "businessNo", "refundId",
	}
	panicValues = []any{
		nil, "A1", "a1", "", "ali_pay", "wallet_pay", "qrcode", "barcode", "ali_user_id", "PARTNER", json.Number("1"),
		json.Number("100"),
		json.Number("-1"), json.Number("1e400"), json.Number("1700000000"), true, false, []any{}, []any{nil},
		peer.Object{},
		peer.Object{{Name: "userId", Value: "u1"}},
		[]any{peer.Object{{Name: "receiverNo", Value: "A1"}, {Name: "amount", Value: json.Number("1")}}},
	}
)

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

// Neither requests nor methods of the channel make the gateway panic.
func TestNothingMakesItPanic(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, version := range []daxpay.GatewayVersion{
		daxpay.GatewayV208, daxpay.GatewayV207, daxpay.GatewayV206, daxpay.GatewayV205,
	} {
		gw := daxpaytest.New(daxpaytest.WithVersion(version), daxpaytest.WithoutSignatureCheck(),
			daxpaytest.WithRequestLog(1),
			daxpaytest.WithTestClock(daxpaytest.NewClock(start)), daxpaytest.WithSettings(func(s *daxpaytest.Settings) {
				s.MaxAge, s.FinishRegistered = nil, true
				s.Groups = []daxpaytest.Group{{GroupNo: "A1", Channel: model.ChannelAli, Default: true,
					Members: []daxpaytest.GroupMember{{"A1", 5000}}}}
			}))
		for range 4000 {
			o := peer.Object{{Name: "reqTime", Value: json.Number("1700000000")}}
			for range random.IntN(10) {
				o = append(o, peer.Pair{Name: pick(random, panicNames), Value: pick(random, panicValues)})
			}
			path := pick(random, panicPaths)
			body := peer.Encode(o)
			if random.IntN(20) == 0 {
				body[random.IntN(len(body))] = byte(random.IntN(256))
			}
			for _, prefix := range []string{"/unipay/", "/uni/"} {
				req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, prefix+path, bytes.NewReader(body))
				req.Header.Set("Content-Type", "application/json")
				gw.ServeHTTP(httptest.NewRecorder(), req)
			}
			channel := gw.Channel()
			pick(random, []func(string) bool{
				channel.Pays, channel.Tells, channel.Closes, channel.Forgets, channel.Returns, channel.Waits, channel.Refunds,
			})("A1")
		}
		state, err := gw.Snapshot()
		require.NoError(t, err)
		require.NoError(t, gw.Restore(state))
		gw.Close()
	}
}

func TestManyAtOnce(t *testing.T) {
	ctx := context.Background()
	url, _ := shop(t, received)
	gw := daxpaytest.Start(t, daxpaytest.WithChannelTimeout(time.Millisecond))
	client := gw.Client()
	var group sync.WaitGroup
	for i := range 16 {
		group.Add(1)
		go func() {
			defer group.Done()
			no := fmt.Sprint("A", i%4)
			pay := qrcode(no)
			pay.NotifyURL = url
			for range 3 {
				_, _ = client.Pay(ctx, pay)
				gw.Channel().TimesOut(daxpaytest.OpPaySync)
				_, _ = client.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: no})
				gw.Channel().Obeys(daxpaytest.OpPaySync)
				gw.Channel().Pays(no)
				_, _ = client.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: no})
				_, _ = gw.Snapshot()
				_, _ = gw.Payment(no)
			}
		}()
	}
	group.Wait()
	require.NoError(t, gw.WaitNotices(ctx))
}

// BenchmarkServeHTTP makes a payment and a query. The gateway is meant to take 10,000 calls a second.
func BenchmarkServeHTTP(b *testing.B) {
	gw := daxpaytest.New(daxpaytest.WithRequestLog(10), daxpaytest.WithTestClock(daxpaytest.NewClock(start)))
	defer gw.Close()
	call := func(path string, members peer.Object) {
		members = append(members, peer.Pair{Name: "reqTime", Value: json.Number(fmt.Sprint(start.Unix()))})
		sign := peer.Sign(members, peer.HMACSHA256, daxpaytest.Secret, shanghai)
		body := peer.Encode(append(members, peer.Pair{Name: "sign", Value: sign}))
		b.StartTimer()
		req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path, bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		gw.ServeHTTP(recorder, req)
		b.StopTimer()
		if !bytes.Contains(recorder.Body.Bytes(), []byte(`"status":"progress"`)) {
			b.Fatal(recorder.Body)
		}
	}
	b.StopTimer()
	for i := range b.N {
		no := fmt.Sprint("A", i)
		if i%2 == 0 {
			call("/unipay/pay", peer.Object{
				{Name: "bizOrderNo", Value: no}, {Name: "title", Value: "t"}, {Name: "channel", Value: "ali_pay"},
				{Name: "method", Value: "qrcode"}, {Name: "amount", Value: json.Number("1")},
			})
		} else {
			call("/unipay/query/payOrder", peer.Object{{Name: "bizOrderNoeNo", Value: fmt.Sprint("A", i-1)}})
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// 2.0.6 looks at its switches before it reads a request; later releases read it first.
func TestSwitchedOff(t *testing.T) {
	for version, want := range map[daxpay.GatewayVersion]int{
		daxpay.GatewayV208: 10005, daxpay.GatewayV207: 10005, daxpay.GatewayV206: 20000,
	} {
		gw := daxpaytest.Start(t, daxpaytest.WithVersion(version))
		gw.SwitchOff("/unipay/pay")
		req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/unipay/pay", strings.NewReader("{"))
		req.Header.Set("Content-Type", "application/json")
		gw.ServeHTTP(httptest.NewRecorder(), req)
		gw.SwitchOn("/unipay/pay")
		gw.ServeHTTP(httptest.NewRecorder(), req)
		require.Equal(t, want, gw.Requests()[0].Code, version)
		require.Equal(t, 10005, gw.Requests()[1].Code, version)
	}
}
