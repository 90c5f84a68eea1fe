package reconcile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

const testSecret = "123456"

// gateway answers queries and syncs as 2.0.8 does, about orders that a test puts there. It takes no other call.
//
// daxpaytest does not replace it. These tests set states that it has no setters for: when a payment expires, or that
// the answer does not say so; the lock of an earlier repair; the status of a transfer.
type gateway struct {
	*testing.T
	now    func() time.Time
	secret string

	mu          sync.Mutex
	payments    map[string]*payment
	refunds     map[string]*refund
	transfers   map[string]*transfer
	allocations map[string]*allocation
	locked      map[string]bool
}

// payment is a payment at the gateway, and what its channel says of it.
type payment struct {
	no       string
	amount   int64
	status   model.PayStatus
	channel  model.PaySyncStatus
	wallet   bool
	expires  time.Time // zero: none in the answer
	repaired time.Time // when a sync last changed it, which no sync does again for ten seconds
}

type refund struct {
	no      string
	amount  int64
	status  model.RefundStatus
	channel model.RefundSyncStatus // refund_fail: a signed refusal, as with Alipay for every refund that is not done
}

type transfer struct {
	no     string
	amount int64
	status model.TransferStatus
}

type allocation struct {
	no      string // the merchant's; the gateway's is G and this
	amount  int64
	status  model.AllocStatus
	channel model.AllocStatus       // the status after a sync
	result  model.AllocDetailResult // the second share's
}

func newGateway(t *testing.T, now func() time.Time) *gateway {
	return &gateway{
		T: t, now: now, secret: testSecret, payments: make(map[string]*payment), refunds: make(map[string]*refund),
		transfers: make(map[string]*transfer), allocations: make(map[string]*allocation), locked: make(map[string]bool),
	}
}

// put sets the state of an order.
func (g *gateway) put(order any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch o := order.(type) {
	case payment:
		g.payments[o.no] = &o
	case refund:
		g.refunds[o.no] = &o
	case transfer:
		g.transfers[o.no] = &o
	case allocation:
		g.allocations[o.no] = &o
	default:
		g.Errorf("%T is no order", order)
	}
}

// pay pays a payment at the channel. Unless its callback is lost, the gateway learns of it.
func (g *gateway) pay(no string, lost bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.payments[no]
	p.channel = model.PaySyncSuccess
	if !lost && p.status == model.PayProgress {
		p.status = model.PaySuccess
	}
}

func (g *gateway) lock(no string, locked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.locked[no] = locked
}

// refusal is the text of a signed refusal.
type refusal string

// broken is the code of an unsigned answer.
type broken int

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	body := make(map[string]any)
	if err = errors.Join(err, json.Unmarshal(raw, &body)); err != nil {
		g.Errorf("a request that cannot be read: %v", err)
		return
	}
	number := func(name string) string { no, _ := body[name].(string); return no }
	g.mu.Lock()
	defer g.mu.Unlock()
	var answer any
	switch r.URL.Path {
	case "/unipay/query/payOrder":
		answer = g.payments[number("bizOrderNoeNo")].query()
	case "/unipay/sync/pay", "/unipay/syncPay":
		answer = g.syncPay(number("bizOrderNo"))
	case "/unipay/query/refundOrder":
		answer = g.refunds[number("bizRefundNo")].query()
	case "/unipay/sync/refund":
		answer = g.syncRefund(number("bizRefundNo"))
	case "/unipay/query/transferOrder":
		answer = g.transfers[number("bizTransferNo")].query()
	case "/unipay/query/allocationOrder":
		answer = g.allocations[strings.TrimPrefix(number("allocNo"), "G")].query()
	case "/unipay/sync/allocation":
		answer = g.syncAllocation(strings.TrimPrefix(number("allocNo"), "G"))
	default:
		g.Errorf("%s was called", r.URL.Path)
	}
	switch answer := answer.(type) {
	case refusal:
		fmt.Fprint(w, g.sealed(fmt.Sprintf(`"code":1,"msg":"%s"`, answer)))
	case broken:
		fmt.Fprintf(w, `{"code":%d,"msg":"系统错误","traceId":"t-1"}`, answer)
	case string:
		fmt.Fprint(w, g.sealed(`"code":0,"msg":null`+answer))
	}
}

// sealed is an answer whose data has the members, the time and a signature.
func (g *gateway) sealed(members string) string {
	return `{"msg":"success","code":0,"data":` + g.signed(members) + `,"traceId":"t-1"}`
}

func (g *gateway) signed(members string) string {
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, g.secret)
	require.NoError(g, err)
	members += fmt.Sprintf(`,"resTime":%d`, g.now().Unix())
	sign, err := signer.Sign([]byte("{" + members + "}"))
	require.NoError(g, err)
	return "{" + members + `,"sign":"` + sign + `"}`
}

func (p *payment) query() any {
	if p == nil {
		return refusal("支付订单不存在")
	}
	channel, expires := "ali_pay", "null"
	if p.wallet {
		channel = "wallet_pay"
	}
	if !p.expires.IsZero() {
		expires = fmt.Sprint(p.expires.Unix())
	}
	return fmt.Sprintf(`,"orderNo":"G%s","bizOrderNo":"%s","channel":"%s","amount":%d,"refundableBalance":%d,`+
		`"status":"%s","expiredTime":%s`,
		p.no, p.no, channel, p.amount, p.amount, p.status, expires)
}

func (g *gateway) syncPay(no string) any {
	p := g.payments[no]
	switch {
	case p == nil:
		return refusal("支付订单不存在")
	case g.locked[no]:
		return broken(10007)
	case p.wallet || p.channel == model.PaySyncFail:
		return refusal("查询失败")
	}
	change := func(status model.PayStatus) {
		if g.now().Sub(p.repaired) >= 10*time.Second {
			p.status, p.repaired = status, g.now()
		}
	}
	switch {
	case p.status == model.PaySuccess:
	case p.channel == model.PaySyncSuccess:
		change(model.PaySuccess)
	case p.status != model.PayProgress && p.channel == model.PaySyncProgress:
		return broken(10001)
	case p.status != model.PayProgress:
	case p.channel == model.PaySyncClosed || p.channel == model.PaySyncTimeout || p.channel == model.PaySyncNotFound:
		change(model.PayClose)
	}
	return fmt.Sprintf(`,"status":"%s"`, p.channel)
}

func (f *refund) query() any {
	if f == nil {
		return refusal("退款订单不存在")
	}
	return fmt.Sprintf(`,"orderNo":"GP","bizOrderNo":"P","refundNo":"G%s","bizRefundNo":"%s","orderAmount":100,`+
		`"amount":%d,"status":"%s"`,
		f.no, f.no, f.amount, f.status)
}

func (g *gateway) syncRefund(no string) any {
	f := g.refunds[no]
	switch {
	case f == nil:
		return refusal("退款订单不存在")
	case g.locked[no]:
		return broken(10007)
	case f.status == model.RefundClose:
		return `,"status":"close"`
	case f.channel == model.RefundSyncFail:
		return refusal("支付宝网关退款未成功")
	case f.channel == model.RefundSyncSuccess:
		f.status = model.RefundSuccess
	case f.channel == model.RefundSyncNotFound:
		f.status = model.RefundClose
	}
	return fmt.Sprintf(`,"status":"%s"`, f.channel)
}

func (o *transfer) query() any {
	if o == nil {
		return refusal("转账订单不存在")
	}
	return fmt.Sprintf(
		`,"bizTransferNo":"%s","transferNo":"G%s","channel":"ali_pay","amount":%d,"status":"%s"`, o.no, o.no, o.amount,
		o.status,
	)
}

func (a *allocation) query() any {
	if a == nil {
		return refusal("分账单不存在")
	}
	return fmt.Sprintf(`,"allocNo":"G%s","bizAllocNo":"%s","amount":%d,"status":"%s",`+
		`"details":[{"receiverNo":"1","amount":1,"result":"success"},`+
		`{"receiverNo":"2","amount":2,"result":"%s"}]`, a.no, a.no, a.amount, a.status, a.result)
}

func (g *gateway) syncAllocation(no string) any {
	a := g.allocations[no]
	if a == nil {
		return refusal("分账单不存在")
	}
	if a.channel != "" {
		a.status, a.channel = a.channel, ""
	}
	return ""
}

// notice returns the body of the notice about an order, or false if there is none.
func (g *gateway) notice(no string) ([]byte, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var members string
	switch p, f := g.payments[no], g.refunds[no]; {
	case p != nil && p.status != model.PayProgress:
		members = fmt.Sprintf(`"orderNo":"G%s","bizOrderNo":"%s","title":"t","channel":"ali_pay","method":"qrcode",`+
			`"amount":%d,"status":"%s","attach":null`,
			no, no, p.amount, p.status)
	case f != nil && f.status != model.RefundProgress && f.status != model.RefundFail:
		members = fmt.Sprintf(`"orderNo":"GP","bizOrderNo":"P","refundNo":"G%s","bizRefundNo":"%s","orderAmount":100,`+
			`"amount":%d,"status":"%s","attach":null`,
			no, no, f.amount, f.status)
	default:
		return nil, false
	}
	return []byte(g.signed(`"code":0,"msg":null,` + members)), true
}

// config is for a client of the gateway over w.
func (g *gateway) config(w *wires) daxpay.Config {
	return daxpay.Config{
		ServiceURL: "http://gateway.invalid", SignSecret: testSecret, Gateway: daxpay.GatewayV208, Now: g.now,
		HTTPClient: &http.Client{Transport: w}, Retry: daxpay.Retry{MaxAttempts: 1},
	}
}
