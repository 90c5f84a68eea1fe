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
	gw := daxpaytest.New() // stands for your gateway
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

// Pay starts a payment by QR code; WaitPay follows it until the customer has paid. Gateway 2.0.8 sends no notice then.
func ExampleClient_Pay() {
	gw := daxpaytest.New() // stands for your gateway
	defer gw.Close()
	kit, ctx := gw.Client(), context.Background()

	order := &param.PayParam{
		BizOrderNo: "ORDER-1", // store it before the call
		Title:      "tea",
		Channel:    model.ChannelAli,
		Method:     model.MethodQRCode,
		Amount:     1200, // fen
	}
	res, err := kit.Pay(ctx, order)
	sent := time.Now()
	if err != nil {
		fmt.Println(err) // after ErrOutcomeUnknown: RecoverPay
		return
	}
	fmt.Println(res.Data.Status) // show res.Data.PayBody as a QR code

	gw.MarkPaid("ORDER-1") // the customer pays
	paid, err := kit.WaitPay(
		ctx, &param.QueryPayOrderParam{BizOrderNo: "ORDER-1"}, daxpay.Wait{Made: sent, Amount: order.Amount},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(paid.Data.Status, paid.Data.Standing() == model.Succeeded)
	// Output:
	// progress
	// success true
}

// Call PayOrResume again with the same param after a lost answer, or when the customer clicks twice.
func ExampleClient_PayOrResume() {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.Fail("/unipay/pay", 1, daxpaytest.ResetAfter) // the call runs, and its answer is lost
	kit, ctx := gw.Client(), context.Background()

	order := &param.PayParam{
		BizOrderNo: "ORDER-1", Title: "tea", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 1200,
	}
	for range 2 {
		state, err := kit.PayOrResume(ctx, order, daxpay.Wait{})
		if err != nil {
			fmt.Println(err) // call it again
			return
		}
		switch state.Standing() {
		case model.Open:
			fmt.Println("show a QR code:", state.PayBody != "")
		case model.Succeeded:
			fmt.Println("paid")
		case model.Ended:
			fmt.Println("over")
		}
		gw.MarkPaid("ORDER-1") // the customer pays
	}
	// Output:
	// show a QR code: true
	// paid
}

// Success means that the gateway has taken the refund. WaitRefund returns when the money is given back.
func ExampleClient_Refund() {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Amount: 1200, Status: model.PaySyncSuccess})
	kit, ctx := gw.Client(), context.Background()

	refund := &param.RefundParam{BizRefundNo: "REFUND-1", BizOrderNo: "ORDER-1", Amount: 200} // store it before the call
	if _, err := kit.Refund(ctx, refund); err != nil {
		fmt.Println(err) // after ErrOutcomeUnknown or ErrEarlierSend: RecoverRefund, never another number
		return
	}
	back, err := kit.WaitRefund(
		ctx, &param.QueryRefundOrderParam{BizRefundNo: "REFUND-1"}, daxpay.Wait{Amount: refund.Amount},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back.Data.Status, back.Data.Standing() == model.Succeeded)
	// Output: success true
}

// The channel pays but answers too late, and the gateway calls the transfer failed. That proves nothing.
func ExampleClient_Transfer() {
	gw := daxpaytest.New(daxpaytest.WithChannelTimeout(0))
	defer gw.Close()
	gw.Channel().TimesOut(daxpaytest.OpTransfer)
	kit, ctx := gw.Client(), context.Background()

	_, err := kit.Transfer(ctx, &param.TransferParam{
		BizTransferNo: "TRANSFER-1", // mark it as sent before the call
		Channel:       model.ChannelAli,
		Amount:        500, // fen
		PayeeType:     model.PayeeAliLoginName,
		PayeeAccount:  "wang@example.com",
	})
	fmt.Println("unknown:", errors.Is(err, daxpay.ErrOutcomeUnknown))

	_, err = kit.WaitTransfer(ctx, &param.QueryTransferOrderParam{BizTransferNo: "TRANSFER-1"}, daxpay.Wait{Amount: 500})
	var unresolved *daxpay.UnresolvedError
	if errors.As(err, &unresolved) {
		fmt.Println("a person must look at the channel:", unresolved.Reason)
	}
	// Output:
	// unknown: true
	// a person must look at the channel: failed
}

// The callback stores what the notice says before it returns nil.
func ExampleClient_NoticeHandler() {
	gw := daxpaytest.New()
	defer gw.Close()
	kit := gw.Client()
	amounts := map[string]int64{"ORDER-1": 1200} // stands for the shop's database, in fen

	shop := httptest.NewServer(kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay: func(_ context.Context, n *model.PayNotice) error {
			err := daxpay.Expect{BizOrderNo: n.BizOrderNo, Amount: amounts[n.BizOrderNo], Paid: true}.Check(n)
			switch {
			case errors.Is(err, daxpay.ErrUnproved):
				return nil // closed or cancelled: it can still be paid
			case err != nil:
				return err // not our order, or another amount
			}
			fmt.Println(n.BizOrderNo, "is paid")
			return nil
		},
	}))
	defer shop.Close()

	gw.SetPayment(daxpaytest.Payment{
		BizOrderNo: "ORDER-1", Amount: 1200, Status: model.PaySyncSuccess, NotifyURL: shop.URL,
	})
	for range 2 { // the gateway can send a notice more than once
		sent, err := gw.SendNotice(context.Background(), "ORDER-1")
		fmt.Println(sent.Status, string(sent.Reply), err)
	}
	// Output:
	// ORDER-1 is paid
	// 200 SUCCESS <nil>
	// 200 SUCCESS <nil>
}

// StateParam is a call that this module does not have, such as one of a later gateway.
type StateParam struct {
	param.Common
	BizOrderNo string `json:"bizOrderNo" daxpay:"no,required,max=100"`
}

// Call implements param.Request.
func (*StateParam) Call() param.Call[StateModel] {
	return param.Call[StateModel]{Path: "/unipay/sync/pay", Effect: param.EffectRepeatable}
}

// StateModel is the answer to it.
type StateModel struct {
	model.Common
	Status string `json:"status" daxpay:"proof"`
}

// Execute makes a call that two types describe.
func ExampleExecute() {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetPayment(daxpaytest.Payment{BizOrderNo: "ORDER-1", Status: model.PaySyncProgress})

	res, err := daxpay.Execute(context.Background(), gw.Client(), &StateParam{BizOrderNo: "ORDER-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Data.Status)
	// Output: pay_progress
}

func ExampleClient_SyncRefund() {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetRefund(daxpaytest.Refund{RefundNo: "DEVR24051020531763000004", Status: model.RefundSyncProgress})

	res, err := gw.Client().SyncRefund(
		context.Background(), &param.RefundSyncParam{RefundNo: "DEVR24051020531763000004"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Data.Status)
	// Output: refund_progress
}

func ExampleClient_FinishAlloc() {
	gw := daxpaytest.New()
	defer gw.Close()
	gw.SetAllocation(daxpaytest.Allocation{AllocNo: "DEVA24060117191963000003", Status: model.AllocEnd})

	res, err := gw.Client().FinishAlloc(
		context.Background(), &param.AllocFinishParam{AllocNo: "DEVA24060117191963000003"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Data.AllocNo, res.Data.Status)
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
	// daxpay: Config.SignSecret must be set: it is the secret (签名秘钥) in the gateway's settings
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

// counter is an Observer that prints each attempt and each call.
type counter struct{}

func (counter) CallStarted(ctx context.Context, _ daxpay.Observation) context.Context { return ctx }

func (counter) AttemptDone(_ context.Context, o daxpay.Observation) {
	fmt.Printf("%s, attempt %d: HTTP status %d, failure %q\n", o.Call, o.Attempt, o.Status, o.Failure)
}

func (counter) CallDone(_ context.Context, o daxpay.Observation) {
	fmt.Printf("%s: %d attempts, verified: %t\n", o.Call, o.Attempt, o.Verified)
}

// A proxy fails once. A sync may be repeated, so the client sends it again.
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
