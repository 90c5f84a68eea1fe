package daxpaytest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// diary is a journal that keeps everything.
type diary struct {
	mu      sync.Mutex
	entries []daxpaytest.Entry
	rows    map[string][]byte
	err     error
}

func (d *diary) write(e daxpaytest.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	d.entries = append(d.entries, e)
	if d.rows == nil {
		d.rows = make(map[string][]byte)
	}
	for _, r := range e.Rows {
		if d.rows[r.Key] = r.Value; r.Value == nil {
			delete(d.rows, r.Key)
		}
	}
	return nil
}

func (d *diary) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

func (d *diary) list() (rows []daxpaytest.Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, value := range d.rows {
		rows = append(rows, daxpaytest.Row{Key: key, Value: value})
	}
	return rows
}

func order(no string) *param.PayParam {
	return &param.PayParam{
		BizOrderNo: no,
		Title:      "tea",
		Channel:    model.ChannelAli,
		Method:     model.MethodQRCode,
		Amount:     100,
	}
}

// busy uses every kind of order.
func busy(t *testing.T, gw *daxpaytest.Gateway) {
	t.Helper()
	ctx, client := context.Background(), gw.Client()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "SUCCESS")
	}))
	defer shop.Close()
	p := order("A1")
	p.NotifyURL, p.Allocation = shop.URL, true
	_, err := client.Pay(ctx, p)
	require.NoError(t, err)
	_, err = client.Pay(ctx, order("A2"))
	require.NoError(t, err)
	require.True(t, gw.Channel().Pays("A1"))
	_, err = client.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	_, err = client.AddAllocReceiver(ctx, &param.AllocReceiverAddParam{
		ReceiverNo: "R1", Channel: model.ChannelAli, ReceiverType: "ali_user_id", ReceiverAccount: "2088", RelationType: "x",
	})
	require.NoError(t, err)
	_, err = client.StartAlloc(ctx, &param.AllocStartParam{BizAllocNo: "L1", BizOrderNo: "A1",
		Receivers: []param.AllocReceiver{{ReceiverNo: "R1", Amount: 10}}})
	require.NoError(t, err)
	_, err = client.Refund(ctx, &param.RefundParam{BizRefundNo: "F1", BizOrderNo: "A1", Amount: 10})
	require.NoError(t, err)
	_, err = client.Transfer(ctx, &param.TransferParam{BizTransferNo: "T1", Channel: model.ChannelAli, Amount: 5,
		PayeeType: "ali_user_id", PayeeAccount: "2088"})
	require.NoError(t, err)
	gw.SwitchOff("/unipay/cancel")
	gw.Lock("A2")
	gw.Channel().Breaks(daxpaytest.OpClose)
	require.NoError(t, gw.WaitNotices(ctx))
}

func TestJournalRebuildsTheGateway(t *testing.T) {
	var d diary
	clock := daxpaytest.NewClock(time.Unix(1_790_000_000, 0))
	options := []daxpaytest.Option{daxpaytest.WithTestClock(clock), daxpaytest.WithFirstNumber(1)}
	gw := daxpaytest.Start(t, append(options, daxpaytest.WithJournal(d.write))...)
	busy(t, gw)
	want, err := gw.Snapshot()
	require.NoError(t, err)

	other := daxpaytest.Start(t, options...)
	require.NoError(t, other.Load(d.list()))
	clock.Advance(time.Minute) // the locks of calls are not in the journal, and end by themselves
	got, err := other.Snapshot()
	require.NoError(t, err)
	require.Equal(t, withoutLocks(t, want), withoutLocks(t, got))

	require.ErrorContains(t, daxpaytest.Start(t, daxpaytest.WithVersion(daxpay.GatewayV207)).Load(d.list()), "2.0.8")
	require.ErrorContains(t, other.Load([]daxpaytest.Row{{Key: "x/1", Value: []byte("{}")}}), "x/1")
	require.ErrorContains(t, other.Load([]daxpaytest.Row{{Key: "pay/1", Value: []byte("{")}}), "pay/1")
}

func TestJournalTellsEverything(t *testing.T) {
	var d diary
	gw := daxpaytest.Start(t, daxpaytest.WithJournal(d.write))
	busy(t, gw)
	var paths, ops, replies []string
	for _, e := range d.entries {
		for _, r := range e.Requests {
			paths = append(paths, r.Path)
			require.NotEmpty(t, r.Body)
			require.Contains(t, string(r.Answer), r.TraceID)
			require.Contains(t, string(r.Body), r.Sign)
			require.NotContains(t, r.SignedText, "key=")
			require.Equal(t, http.StatusOK, r.Status)
		}
		for _, q := range e.Questions {
			ops = append(ops, string(q.Operation))
			require.True(t, q.OK)
			require.NotEmpty(t, q.TraceID)
		}
		for _, n := range e.Deliveries {
			replies = append(replies, string(n.Kind)+" "+n.BizNo+" "+string(n.Reply))
			require.True(t, n.Received)
		}
	}
	require.Equal(t, []string{"/unipay/pay", "/unipay/pay", "/unipay/sync/pay", "/unipay/allocation/receiver/add",
		"/unipay/allocation/start", "/unipay/refund", "/unipay/transfer"}, paths)
	require.Equal(t, []string{"pay", "pay", "pay sync", "receiver add", "allocation", "refund", "transfer"}, ops)
	require.Equal(t, []string{"pay A1 SUCCESS"}, replies)
}

func TestNothingIsAnsweredThatIsNotInTheJournal(t *testing.T) {
	var d diary
	gw := daxpaytest.Start(t, daxpaytest.WithJournal(d.write))
	d.fail(errors.New("disk full"))
	_, err := gw.Client().Pay(context.Background(), order("A1"))
	require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	require.Empty(t, d.list())
	d.fail(nil)
	_, err = gw.Client().QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "A1"})
	require.NoError(t, err)
	keys := ""
	for _, row := range d.list() {
		keys += row.Key + " "
	}
	require.Contains(t, keys, "pay/", "the rows of the entry that failed come again")
}

func TestOrderLimit(t *testing.T) {
	var d diary
	gw := daxpaytest.Start(t, daxpaytest.WithJournal(d.write), daxpaytest.WithOrderLimit(20))
	_, err := gw.Client().Pay(context.Background(), order("open"))
	require.NoError(t, err)
	for i := range 100 {
		no := "P" + strings.Repeat("x", i%7) + time.Duration(i).String()
		gw.SetPayment(daxpaytest.Payment{BizOrderNo: no, Status: model.PaySyncSuccess})
		require.LessOrEqual(t, len(gw.Orders(daxpaytest.OrderFilter{})), 20)
		_, ok := gw.Payment(no)
		require.True(t, ok, "the newest is there")
	}
	_, ok := gw.Payment("open")
	require.True(t, ok, "open orders go last")
	count := 0
	for _, row := range d.list() {
		if strings.HasPrefix(row.Key, "pay/") || strings.HasPrefix(row.Key, "trade/") {
			count++
		}
	}
	require.LessOrEqual(t, count, 40, "what is forgotten goes from the journal, too")
}

func TestOrders(t *testing.T) {
	gw := daxpaytest.Start(t)
	busy(t, gw)
	kinds := func(filter daxpaytest.OrderFilter) (list []string) {
		for _, o := range gw.Orders(filter) {
			list = append(list, string(o.Kind)+" "+o.BizNo)
		}
		return list
	}
	require.Equal(t, []string{"transfer T1", "refund F1", "alloc L1", "pay A2", "pay A1"}, kinds(daxpaytest.OrderFilter{}))
	require.Equal(t, []string{"pay A2", "pay A1"}, kinds(daxpaytest.OrderFilter{Kind: daxpaytest.KindPay}))
	require.Equal(t, []string{"refund F1"}, kinds(daxpaytest.OrderFilter{Number: "f1"}))
	require.Equal(t, []string{"pay A1"}, kinds(daxpaytest.OrderFilter{Status: "partial_refund"}))
	first := gw.Orders(daxpaytest.OrderFilter{Limit: 2})
	require.Len(t, first, 2)
	require.Equal(t, []string{"alloc L1", "pay A2", "pay A1"}, kinds(daxpaytest.OrderFilter{Before: first[1].ID}))
	require.Equal(t, map[daxpaytest.OrderKind]int{daxpaytest.KindPay: 2, daxpaytest.KindRefund: 1,
		daxpaytest.KindTransfer: 1, daxpaytest.KindAlloc: 1}, gw.OrderCounts())

	paid, ok := gw.Order("", "A1")
	require.True(t, ok)
	require.Equal(t, int64(90), paid.Refundable)
	require.Equal(t, "paid", paid.AtChannel)
	require.NotZero(t, paid.Ended)
	alloc, ok := gw.Order(daxpaytest.KindAlloc, "L1")
	require.True(t, ok)
	require.Equal(t, []daxpaytest.OrderPart{{ReceiverNo: "R1", Amount: 10, Result: "pending"}}, alloc.Parts)
	for _, no := range []string{"", "none"} {
		_, ok := gw.Order("", no)
		require.False(t, ok)
	}
}

func TestLoseAndDelayNotices(t *testing.T) {
	got := make(chan string, 10)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
		_, _ = io.WriteString(w, "SUCCESS")
	}))
	defer shop.Close()
	var d diary
	ctx := context.Background()
	clock := daxpaytest.NewClock(time.Unix(1_790_000_000, 0))
	gw := daxpaytest.Start(t, daxpaytest.WithTestClock(clock), daxpaytest.WithJournal(d.write))
	closed := func(no string) {
		p := order(no)
		p.NotifyURL = shop.URL
		_, err := gw.Client().Pay(ctx, p)
		require.NoError(t, err)
	}
	end := func(no string) {
		_, err := gw.Client().ClosePay(ctx, &param.PayCloseParam{BizOrderNo: no})
		require.NoError(t, err)
		require.NoError(t, gw.WaitNotices(ctx))
	}
	closed("A1")
	require.True(t, gw.LoseNotice("A1"))
	require.False(t, gw.LoseNotice("none"))
	end("A1")
	require.Empty(t, got)
	last := d.entries[len(d.entries)-1].Deliveries[0]
	require.True(t, last.Lost)
	ok, err := gw.Resend(ctx, "A1")
	require.NoError(t, err)
	require.True(t, ok)
	require.Contains(t, <-got, "A1")

	closed("A2")
	require.True(t, gw.DelayNotice("A2", time.Minute))
	end("A2")
	require.Empty(t, got)
	due := gw.DueNotices()
	require.Len(t, due, 1)
	require.Equal(t, "A2", due[0].BizNo)
	require.Equal(t, clock.Now().Add(time.Minute), due[0].Due)
	rows := d.list()
	clock.Advance(time.Minute)
	require.NoError(t, gw.WaitNotices(ctx))
	require.Contains(t, <-got, "A2")
	require.Empty(t, gw.DueNotices())

	// A notice that waits is restored.
	other := daxpaytest.Start(t, daxpaytest.WithTestClock(clock))
	require.NoError(t, other.Load(rows))
	other.TimeMoved()
	require.NoError(t, other.WaitNotices(ctx))
	require.Contains(t, <-got, "A2")
}

func TestRunningClock(t *testing.T) {
	start := time.Unix(1_790_000_000, 0)
	clock := daxpaytest.NewRunningClock(start)
	require.True(t, clock.Running())
	require.False(t, clock.Now().Before(start))
	clock.Advance(time.Hour)
	clock.Stop()
	now := clock.Now()
	require.Equal(t, now, clock.Now())
	require.False(t, now.Before(start.Add(time.Hour)))
	clock.Run()
	require.True(t, clock.Running())
}

func TestCashier(t *testing.T) {
	gw := daxpaytest.Start(t, daxpaytest.WithCashier(func(base, no string) string { return base + "/pay/" + no }))
	for _, method := range []model.Method{model.MethodQRCode, model.MethodWap, model.MethodWeb} {
		p := order("A-" + string(method))
		p.Method = method
		res, err := gw.Client().Pay(context.Background(), p)
		require.NoError(t, err)
		require.Equal(t, gw.URL()+"/pay/"+res.Data.OrderNo, res.Data.PayBody)
	}
}

// withoutLocks removes from a snapshot what a journal does not have.
func withoutLocks(t *testing.T, state []byte) map[string]any {
	t.Helper()
	var s map[string]any
	require.NoError(t, json.Unmarshal(state, &s))
	delete(s, "Locks")
	return s
}
