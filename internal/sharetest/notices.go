package sharetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
)

// Notices has several processes receive the same notices, eight at a time: each notice is delivered to all of them at
// once, and again until all have received it. The processes are handlers that share nothing but what their stores
// share. The error names the notices that did not take effect exactly once.
func Notices(stores []daxpay.OnceStore, notices int) error {
	gw := daxpaytest.New()
	defer gw.Close()
	effects := make([]atomic.Int32, notices)
	var handlers []http.Handler
	for _, store := range stores {
		handlers = append(handlers, gw.Client().NoticeHandler(daxpay.NoticeHandlers{
			Store: patient{store},
			Pay: func(_ context.Context, n *model.PayNotice) error {
				effects[n.Amount-1].Add(1)
				return nil
			},
		}))
	}
	var faults []error
	var all sync.WaitGroup
	turns := make(chan struct{}, 8)
	for i := range effects {
		gw.SetPayment(daxpaytest.Payment{OrderNo: number(i), Amount: int64(i) + 1, Status: model.PaySyncSuccess})
		body, err := gw.Notice(number(i))
		if err != nil {
			faults = append(faults, err)
			break
		}
		turns <- struct{}{}
		all.Add(1)
		go func() {
			defer func() { <-turns; all.Done() }()
			deliverToAll(handlers, body)
		}()
	}
	all.Wait()
	for i := range effects {
		if n := effects[i].Load(); n != 1 {
			faults = append(faults, fmt.Errorf("%s took effect %d times", number(i), n))
		}
	}
	return errors.Join(faults...)
}

// deliverToAll delivers a notice to all handlers at once. When all have replied, it delivers the notice again to those
// that have not received it.
func deliverToAll(handlers []http.Handler, body []byte) {
	for len(handlers) > 0 {
		replies := make([]string, len(handlers))
		var wg sync.WaitGroup
		for i, h := range handlers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				w := httptest.NewRecorder()
				r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(body))
				h.ServeHTTP(w, r)
				replies[i] = w.Body.String()
			}()
		}
		wg.Wait()
		var left []http.Handler
		for i, h := range handlers {
			if replies[i] != "SUCCESS" {
				left = append(left, h)
			}
		}
		handlers = left
	}
}

// patient is a store whose only deadlines are those of its driver. On a busy machine a call can take longer than a
// NoticeHandler waits. If that call is Done, the event is handled again after the lease.
type patient struct{ daxpay.OnceStore }

func (p patient) Claim(ctx context.Context, key, owner string, lease time.Duration) (daxpay.ClaimState, error) {
	return p.OnceStore.Claim(context.WithoutCancel(ctx), key, owner, lease)
}

func (p patient) Done(ctx context.Context, key, owner string, remember time.Duration) error {
	return p.OnceStore.Done(context.WithoutCancel(ctx), key, owner, remember)
}

func (p patient) Release(ctx context.Context, key, owner string) error {
	return p.OnceStore.Release(context.WithoutCancel(ctx), key, owner)
}
