package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
)

func TestNoticesThroughFrameworks(t *testing.T) {
	gin.SetMode(gin.TestMode)
	for name, mount := range frameworks {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			gw := daxpaytest.Start(t)
			var paid []string
			var refused []error
			notices := gw.Client().NoticeHandler(daxpay.NoticeHandlers{
				Pay: func(_ context.Context, n *model.PayNotice) error {
					paid = append(paid, n.BizOrderNo)
					return nil
				},
				OnError: func(_ context.Context, err error) { refused = append(refused, err) },
			})
			shop := httptest.NewServer(mount(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				// The handler limits how long a body may take, which a framework's ResponseWriter must pass on.
				if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Error(err)
				}
				notices.ServeHTTP(w, r)
			})))
			t.Cleanup(shop.Close)
			gw.SetPayment(daxpaytest.Payment{
				BizOrderNo: "A1", Amount: 100, Status: model.PaySyncSuccess, NotifyURL: shop.URL + "/notify",
			})

			sent, err := gw.SendNotice(ctx, "A1")
			require.NoError(t, err)
			require.True(t, sent.Received)
			require.Equal(t, http.StatusOK, sent.Status)
			require.Equal(t, "SUCCESS", string(sent.Reply))
			require.Equal(t, []string{"A1"}, paid)
			require.Empty(t, refused)

			gw.ChangeSecret("of another gateway")
			gw.SetPayment(daxpaytest.Payment{
				BizOrderNo: "A2", Amount: 100, Status: model.PaySyncSuccess, NotifyURL: shop.URL + "/notify",
			})
			sent, err = gw.SendNotice(ctx, "A2")
			require.NoError(t, err)
			require.False(t, sent.Received)
			require.Equal(t, "FAIL", string(sent.Reply))
			require.Len(t, refused, 1)
			require.ErrorIs(t, refused[0], daxpay.ErrSignMismatch)
			require.Equal(t, []string{"A1"}, paid, "and no other")
		})
	}
}

func TestRun(t *testing.T) { require.NoError(t, run()) }
