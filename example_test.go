package daxpay_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

func Example() {
	gw := daxpaytest.New() // stands for a gateway
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "SDK_1715341621498", Status: model.PaySyncSuccess})

	kit, err := daxpay.New(daxpay.Config{ServiceURL: gw.URL(), SignSecret: daxpaytest.Secret})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := kit.SyncPay(context.Background(), &param.PaySyncParam{BizOrderNo: "SDK_1715341621498"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Data.Status, res.Verified)
	// Output: pay_success true
}

func ExampleClient_SyncRefund() {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetRefund(daxpaytest.Refund{RefundNo: "DEVR24051020531763000004", Status: model.RefundSyncProgress})

	res, err := gw.Client().SyncRefund(context.Background(), &param.RefundSyncParam{RefundNo: "DEVR24051020531763000004"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Data.Status)
	// Output: refund_progress
}

func ExampleClient_FinishAllocation() {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetAllocation(daxpaytest.Allocation{AllocationNo: "DEVA24060117191963000003", BizAllocationNo: "A60434", Status: model.AllocEnd})

	res, err := gw.Client().FinishAllocation(context.Background(), &param.AllocFinishParam{BizAllocationNo: "A60434"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Data.AllocationNo, res.Data.Status)
	// Output: DEVA24060117191963000003 finish
}

func ExampleGatewayError() {
	gw := daxpaytest.New()
	defer gw.Close()

	_, err := gw.Client().SyncPay(context.Background(), &param.PaySyncParam{BizOrderNo: "no-such-order"})
	var refusal *daxpay.GatewayError
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code, refusal.Msg, refusal.Business, refusal.Signed)
	}
	// Output: 1 支付订单不存在 true true
}

func ExampleNew() {
	_, err := daxpay.New(daxpay.Config{ServiceURL: "pay.example.com", SignType: "SHA1"})
	fmt.Println(err)
	// Output:
	// daxpay: Config.ServiceURL must start with http:// or https://
	// daxpay: Config.SignType must be HMAC_SHA256 or MD5
	// daxpay: Config.SignSecret must be set: it is the secret (签名密钥) in the gateway's settings
}

func ExampleSigner() {
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, "123456")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := signer.Canonical([]byte(`{"reqTime":1715500231,"bizOrderNo":"SDK_1715341621498"}`))
	fmt.Println(text, err)
	sign, err := signer.Sign([]byte(`{"reqTime":1715500231,"bizOrderNo":"SDK_1715341621498"}`))
	fmt.Println(sign, err)
	// Output:
	// bizOrderNo=SDK_1715341621498&reqTime=1715500231 <nil>
	// 8bcaee4a71a9ca6b7a3ab8a7caa35a7604d2a84753763c2f7e984ab4b9f5c6cd <nil>
}

func ExampleSignError_Explain() {
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, "123456")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = signer.Verify([]byte(`{"code":0,"resTime":1715500234,"sign":"87313bcb799c76a21396b9bd69667047"}`))
	var mismatch *daxpay.SignError
	if errors.As(err, &mismatch) {
		fmt.Print(mismatch.Explain())
	}
	// Output:
	// algorithm: HMAC_SHA256
	// text:      code=0&resTime=1715500234&key=***
	// expected:  b066b263a7fa3ac648a670b5ffa3aabdb53dd7b9ef1559718dc2c6b3486bbd45
	// received:  87313bcb799c76a21396b9bd69667047
	// cause:     the other side signs with MD5: set SignType
}

// counter is an Observer that prints what became of each call.
type counter struct{}

func (counter) CallStarted(ctx context.Context, _ daxpay.Observation) context.Context { return ctx }

func (counter) AttemptDone(_ context.Context, o daxpay.Observation) {
	fmt.Printf("%s, attempt %d: HTTP status %d, failure %q\n", o.Call, o.Attempt, o.Status, o.Failure)
}

func (counter) CallDone(_ context.Context, o daxpay.Observation) {
	fmt.Printf("%s: %d attempts, verified: %t\n", o.Call, o.Attempt, o.Verified)
}

// A proxy fails once; a sync does no harm twice, so it goes out again.
func ExampleRetry() {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "A1", Status: model.PaySyncSuccess})
	var failed bool
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !failed {
			failed = true
			http.Error(w, "the gateway restarts", http.StatusServiceUnavailable)
			return
		}
		gw.ServeHTTP(w, r)
	}))
	defer proxy.Close()

	config := gw.Config()
	config.ServiceURL = proxy.URL
	config.Retry = daxpay.Retry{MaxAttempts: 3, BaseDelay: 10 * time.Millisecond}
	config.Observer = counter{}
	kit, err := daxpay.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := kit.SyncPay(context.Background(), &param.PaySyncParam{BizOrderNo: "A1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Data.Status)
	// Output:
	// PaySync, attempt 1: HTTP status 503, failure "http"
	// PaySync, attempt 2: HTTP status 200, failure ""
	// PaySync: 2 attempts, verified: true
	// pay_success
}
