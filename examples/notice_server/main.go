// Notice_server receives the gateway's notices (异步通知). They are a shortcut: gateway 2.0.8 sends none when a customer
// pays a QR code, and others get lost, so follow every order by WaitPay or package reconcile as well: see
// examples/pay_qrcode and examples/reconcile. The handler is an http.Handler, so it mounts in any router:
//
//	http.Handle("/notify", handler)              // net/http
//	router.POST("/notify", gin.WrapH(handler))   // gin
//	e.POST("/notify", echo.WrapHandler(handler)) // echo
//
// Mount it before any middleware that reads the body or changes the reply. Several processes need a Store that they
// share, such as contrib/redisstore.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
)

// orders stands for the merchant's database.
type orders struct {
	mu     sync.Mutex
	amount map[string]int64
	paid   map[string]bool
}

// onPay stores that an order was paid. The gateway is told SUCCESS only if onPay returns nil.
func (o *orders) onPay(_ context.Context, n *model.PayNotice) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	amount, ok := o.amount[n.BizOrderNo]
	if !ok {
		return errors.New("not an order of ours")
	}
	err := daxpay.Expect{BizOrderNo: n.BizOrderNo, Amount: amount, Paid: true}.Check(n)
	switch {
	case errors.Is(err, daxpay.ErrUnproved):
		return nil // closed or cancelled, and it can still be paid: there is nothing to store
	case err != nil:
		return err
	}
	o.paid[n.BizOrderNo] = true // in a transaction that is committed before this returns
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	gw := daxpaytest.New() // stands for your gateway
	defer gw.Close()
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),          // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret, // 签名秘钥 in the gateway's console
	})
	if err != nil {
		return err
	}
	db := &orders{amount: map[string]int64{"ORDER-1": 29900}, paid: map[string]bool{}}
	mux := http.NewServeMux()
	mux.Handle("/notify", kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay:     db.onPay,
		OnError: func(_ context.Context, err error) { fmt.Println("not received:", err) },
	}))
	shop := httptest.NewUnstartedServer(mux) // an http.Server in a real shop
	shop.Config.ReadHeaderTimeout = 5 * time.Second
	shop.Start()
	defer shop.Close()

	ctx := context.Background()
	for number, amount := range map[string]int64{"ORDER-1": 29900, "ORDER-2": 1} {
		gw.SetPayment(daxpaytest.Payment{
			BizOrderNo: number, Amount: amount, Status: model.PaySyncSuccess, NotifyURL: shop.URL + "/notify",
		})
	}
	for _, number := range []string{"ORDER-1", "ORDER-1", "ORDER-2"} { // notices can come twice
		sent, err := gw.SendNotice(ctx, number)
		if err != nil {
			return err
		}
		fmt.Println(number, "received:", sent.Received)
	}
	if !db.paid["ORDER-1"] || db.paid["ORDER-2"] {
		return errors.New("the wrong orders are paid")
	}
	return nil
}
