package console_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/cmd/daxpay/internal/console"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

const asCommand = "DAXPAY_TEST_AS_COMMAND"

// TestMain runs the tests, or is the command serve itself.
func TestMain(m *testing.M) {
	if os.Getenv(asCommand) == "" {
		os.Exit(m.Run())
	}
	c := console.NewServeCommand()
	c.SetArgs(os.Args[1:])
	if err := c.ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var serviceURL = regexp.MustCompile(`service URL +(\S+)`)

// startProcess runs serve as a process of its own.
func startProcess(t *testing.T, arguments ...string) (*exec.Cmd, *served) {
	t.Helper()
	arguments = append([]string{"--addr", "127.0.0.1:0"}, arguments...)
	c := exec.CommandContext(context.Background(), os.Args[0], arguments...) //nolint:gosec // this program
	c.Env = append(os.Environ(), asCommand+"=1", "DAXPAY_SECRET="+secret)
	out, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	s := &served{}
	lines := bufio.NewScanner(out)
	for s.url == "" && lines.Scan() {
		require.NotContains(t, lines.Text(), secret)
		if found := serviceURL.FindStringSubmatch(lines.Text()); found != nil {
			s.url = found[1]
		}
	}
	require.NotEmpty(t, s.url, "the process said nothing")
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s.kit, err = daxpay.New(daxpay.Config{ServiceURL: s.url, SignSecret: secret, Gateway: daxpay.GatewayV208})
	require.NoError(t, err)
	return c, s
}

// What was answered is there after kill -9.
func TestKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data.db")
	answered := make(map[string]string) // gateway's numbers by the merchant's
	var mu sync.Mutex
	for round := range 3 {
		process, s := startProcess(t, "--data", file)
		const enough = 60
		var count atomic.Int64
		var callers sync.WaitGroup
		for caller := range 8 {
			callers.Add(1)
			go func() {
				defer callers.Done()
				for i := 0; ; i++ {
					no := fmt.Sprintf("K-%d-%d-%d", round, caller, i)
					res, err := s.kit.Pay(
						context.Background(),
						&param.PayParam{BizOrderNo: no, Title: "tea", Channel: model.ChannelAli,
							Method: model.MethodBarCode, Amount: 100, ExtraParam: param.BarCode{AuthCode: "280000000000000000"}},
					)
					if err != nil {
						return // it was killed
					}
					mu.Lock()
					answered[no] = res.Data.OrderNo
					mu.Unlock()
					if count.Add(1) == enough {
						_ = process.Process.Kill()
					}
				}
			}()
		}
		callers.Wait()
		require.GreaterOrEqual(t, count.Load(), int64(enough))
		_ = process.Wait()
	}
	_, s := startProcess(t, "--data", file)
	for no, gatewayNo := range answered {
		found, err := s.kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: no})
		require.NoError(t, err, no)
		require.Equal(t, gatewayNo, found.Data.OrderNo)
		require.Equal(t, model.PaySuccess, found.Data.Status)
		synced, err := s.kit.SyncPay(context.Background(), &param.PaySyncParam{BizOrderNo: no})
		require.NoError(t, err)
		require.Equal(t, model.PaySyncSuccess, synced.Data.Status, "the channel knows, too")
	}
	for no, gatewayNo := range answered { // one will do: every request is stored with its order
		_, body := s.get(t, "/_console/orders/pay/"+gatewayNo+"/export.json")
		require.Contains(t, body, no)
		require.Contains(t, body, "/unipay/pay")
		break
	}
}

// The calls of the documents, one after the other.
func TestOfficialFlow(t *testing.T) {
	_, s := startProcess(t)
	ctx := context.Background()
	paid, err := s.kit.Pay(ctx, &param.PayParam{BizOrderNo: "P1", Title: "tea", Channel: model.ChannelAli,
		Method: model.MethodQRCode, Amount: 1000, Allocation: true})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(paid.Data.PayBody, s.url+"/_cashier/"))
	sent := time.Now()
	status, _ := s.do(t, http.MethodPost, "/_cashier/"+paid.Data.OrderNo, url.Values{"act": {"pay"}})
	require.Equal(t, http.StatusOK, status)
	found, err := s.kit.WaitPay(ctx, &param.QueryPayOrderParam{BizOrderNo: "P1"}, daxpay.Wait{Made: sent, Amount: 1000})
	require.NoError(t, err)
	require.Equal(t, model.Succeeded, found.Data.Standing())

	_, err = s.kit.AddAllocReceiver(ctx, &param.AllocReceiverAddParam{ReceiverNo: "R1", Channel: model.ChannelAli,
		ReceiverType: "ali_user_id", ReceiverAccount: "2088", RelationType: "PARTNER"})
	require.NoError(t, err)
	alloc, err := s.kit.StartAlloc(ctx, &param.AllocStartParam{BizAllocNo: "L1", BizOrderNo: "P1",
		Receivers: []param.AllocReceiver{{ReceiverNo: "R1", Amount: 100}}})
	require.NoError(t, err)
	status, body := s.do(t, http.MethodPost, "/_console/orders/alloc/"+alloc.Data.AllocNo+"/do",
		url.Values{"act": {"allocate"}, "part0": {"success"}})
	require.Equal(t, http.StatusOK, status, body)
	_, err = s.kit.SyncAlloc(ctx, &param.AllocSyncParam{AllocNo: alloc.Data.AllocNo})
	require.NoError(t, err)
	finished, err := s.kit.FinishAlloc(ctx, &param.AllocFinishParam{AllocNo: alloc.Data.AllocNo})
	require.NoError(t, err)
	require.Equal(t, model.AllocFinish, finished.Data.Status)

	_, err = s.kit.Refund(ctx, &param.RefundParam{BizRefundNo: "F1", BizOrderNo: "P1", Amount: 400})
	require.NoError(t, err)
	refunded, err := s.kit.QueryRefundOrder(ctx, &param.QueryRefundOrderParam{BizRefundNo: "F1"})
	require.NoError(t, err)
	require.Equal(t, model.RefundSuccess, refunded.Data.Status)

	transferred, err := s.kit.Transfer(ctx, &param.TransferParam{BizTransferNo: "T1", Channel: model.ChannelAli, Amount: 5,
		PayeeType: model.PayeeAliUserID, PayeeAccount: "2088"})
	require.NoError(t, err)
	require.Equal(t, model.TransferSuccess, transferred.Data.Status)
}
