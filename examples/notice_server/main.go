// Notice_server receives the gateway's notices (异步通知). They are only a shortcut: gateway 2.0.8 sends none when a
// customer pays a QR code, and some get lost. Follow every order by WaitPay or package reconcile as well: see
// examples/pay_qrcode and examples/reconcile.
//
// The handler is an http.Handler, for any router: see examples/frameworks. Mount it before any middleware that reads
// the body or changes the reply. Several processes must share a Store, such as contrib/redisstore.
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

// orders stands for the shop's database. Amounts are in fen.
type orders struct {
	mu     sync.Mutex
	amount map[string]int64
	paid   map[string]bool
}

// onPay stores that an order is paid. The handler replies SUCCESS only if onPay returns nil.
func (o *orders) onPay(_ context.Context, n *model.PayNotice) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	amount, ok := o.amount[n.BizOrderNo]
	if !ok {
		return errors.New("not our order")
	}
	err := daxpay.Expect{BizOrderNo: n.BizOrderNo, Amount: amount, Paid: true}.Check(n)
	switch {
	case errors.Is(err, daxpay.ErrUnproved):
		return nil // closed or cancelled: it can still be paid
	case err != nil:
		return err // another amount
	}
	o.paid[n.BizOrderNo] = true // a shop commits a transaction before it returns
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
	kit := gw.Client() // for your gateway: daxpay.ConfigFromEnv and daxpay.New

	db := &orders{amount: map[string]int64{"ORDER-1": 29900}, paid: map[string]bool{}}
	mux := http.NewServeMux()
	mux.Handle("/notify", kit.NoticeHandler(daxpay.NoticeHandlers{Pay: db.onPay}))
	shop := httptest.NewUnstartedServer(mux) // stands for your http.Server
	shop.Config.ReadHeaderTimeout = 5 * time.Second
	shop.Start()
	defer shop.Close()

	ctx := context.Background()
	for number, amount := range map[string]int64{"ORDER-1": 29900, "ORDER-2": 1} {
		gw.SetPayment(daxpaytest.Payment{
			BizOrderNo: number, Amount: amount, Status: model.PaySyncSuccess, NotifyURL: shop.URL + "/notify",
		})
	}
	for _, number := range []string{"ORDER-1", "ORDER-1", "ORDER-2"} { // a notice can come twice
		sent, err := gw.SendNotice(ctx, number)
		if err != nil {
			return err
		}
		fmt.Printf("%s: replied %d %s\n", number, sent.Status, sent.Reply)
	}
	if !db.paid["ORDER-1"] || db.paid["ORDER-2"] {
		return errors.New("the wrong orders are paid")
	}
	return nil
}
