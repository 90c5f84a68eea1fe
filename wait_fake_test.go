//go:build go1.25

package daxpay_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// inProcess is a transport that calls a handler directly.
type inProcess struct{ http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	t.ServeHTTP(w, r)
	return w.Result(), nil
}

// stage is a test gateway and its channel in a synctest bubble.
type stage struct {
	*testing.T
	kit     *daxpay.Client
	channel *daxpaytest.Channel
	start   time.Time
}

func onStage(t *testing.T, version daxpay.GatewayVersion, play func(ctx context.Context, s *stage)) {
	t.Helper()
	gw := daxpaytest.Start(
		t, daxpaytest.WithVersion(version), daxpaytest.WithClock(time.Now), daxpaytest.WithoutNotices(),
	)
	synctest.Test(t, func(t *testing.T) {
		config := gw.Config()
		config.Gateway, config.HTTPClient = version, &http.Client{Transport: inProcess{gw}}
		kit, err := daxpay.New(config)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
		defer cancel()
		play(ctx, &stage{T: t, kit: kit, channel: gw.Channel(), start: time.Now()})
	})
}

// pay begins a payment and returns its param.
func (s *stage) pay(ctx context.Context, no string) *param.PayParam {
	p := &param.PayParam{
		BizOrderNo: no, Title: "tea", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 100,
		NotifyURL: "https://shop.example.com/notify",
	}
	_, err := s.kit.Pay(ctx, p)
	require.NoError(s, err)
	return p
}

// paid makes a payment that is a success.
func (s *stage) paid(ctx context.Context, no string) {
	s.pay(ctx, no)
	s.channel.Pays(no)
	s.channel.Tells(no)
}

func (s *stage) unresolved(err error, want daxpay.UnresolvedReason) {
	s.Helper()
	var unresolved *daxpay.UnresolvedError
	require.ErrorAs(s, err, &unresolved)
	require.Equal(s, want, unresolved.Reason)
	require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
	require.Regexp(s, traced, err)
}

// traced matches an error that names the trace id of an answer.
const traced = `\(trace [0-9A-Za-z]{12}\)`

// TestWaitOnTheFake runs the waits against a gateway whose channel fails.
func TestWaitOnTheFake(t *testing.T) {
	about := &param.QueryPayOrderParam{BizOrderNo: "A1"}
	for name, play := range map[string]func(ctx context.Context, s *stage){
		"2: the channel tells that the customer paid": func(ctx context.Context, s *stage) {
			s.pay(ctx, "A1")
			go func() {
				<-time.After(7500 * time.Millisecond)
				s.channel.Pays("A1")
				s.channel.Tells("A1")
			}()
			order, err := s.kit.WaitPay(ctx, about, daxpay.Wait{Amount: 100})
			require.NoError(s, err)
			require.Equal(s, model.Succeeded, order.Data.Standing())
			require.LessOrEqual(s, time.Since(s.start), 9*time.Second)
		},
		"6: the channel's callback is lost": func(ctx context.Context, s *stage) {
			s.pay(ctx, "A1")
			s.channel.Pays("A1")
			order, err := s.kit.WaitPay(ctx, about, daxpay.Wait{})
			require.NoError(s, err)
			require.Equal(s, model.Succeeded, order.Data.Standing())
			require.InDelta(s, 20, time.Since(s.start).Seconds(), 2)
		},
		"3: paid after it was closed": func(ctx context.Context, s *stage) {
			s.pay(ctx, "A1")
			_, err := s.kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
			require.NoError(s, err)
			s.channel.Pays("A1")
			order, err := s.kit.WaitPay(ctx, about, daxpay.Wait{})
			require.NoError(s, err)
			require.Equal(s, model.PaySuccess, order.Data.Status)
		},
		"2: the repair of another sync has a lock": func(ctx context.Context, s *stage) {
			s.pay(ctx, "A1")
			s.channel.Closes("A1")
			_, err := s.kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: "A1"})
			require.NoError(s, err)
			s.channel.Pays("A1")
			order, err := s.kit.WaitPay(ctx, about, daxpay.Wait{})
			require.NoError(s, err)
			require.Equal(s, model.PaySuccess, order.Data.Status)
			require.Greater(s, time.Since(s.start), 10*time.Second)
		},
		"5: closed, and the channel still waits": func(ctx context.Context, s *stage) {
			s.pay(ctx, "A1")
			_, err := s.kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
			require.NoError(s, err)
			s.channel.Waits("A1")
			order, err := s.kit.WaitPay(ctx, about, daxpay.Wait{})
			require.NoError(s, err)
			require.Equal(s, model.Ended, order.Data.Standing())
		},
		"5: the channel breaks for a minute": func(ctx context.Context, s *stage) {
			s.pay(ctx, "A1")
			s.channel.Pays("A1")
			s.channel.Breaks(daxpaytest.OpPaySync)
			go func() {
				<-time.After(time.Minute)
				s.channel.Obeys(daxpaytest.OpPaySync)
			}()
			order, err := s.kit.WaitPay(ctx, about, daxpay.Wait{})
			require.NoError(s, err)
			require.Equal(s, model.Succeeded, order.Data.Standing())
		},
		"4: given back at the channel": func(ctx context.Context, s *stage) {
			s.pay(ctx, "A1")
			s.channel.Returns("A1")
			_, err := s.kit.WaitPay(ctx, about, daxpay.Wait{})
			s.unresolved(err, daxpay.UnresolvedGivenBack)
		},
		"7: a wallet payment": func(ctx context.Context, s *stage) {
			p := &param.PayParam{
				BizOrderNo: "A1", Title: "tea", Channel: model.ChannelWallet, Method: model.MethodNormal, Amount: 100,
				ExtraParam: &param.WalletPay{UserID: "u1"},
			}
			_, err := s.kit.Pay(ctx, p)
			require.NoError(s, err)
			_, err = s.kit.WaitPay(ctx, about, daxpay.Wait{})
			s.unresolved(err, daxpay.UnresolvedWallet)
			_, err = s.kit.RecoverPay(ctx, p, daxpay.Wait{})
			s.unresolved(err, daxpay.UnresolvedWallet)
			require.Zero(s, time.Since(s.start), "at once")
		},
		"1: a payment that never arrived": func(ctx context.Context, s *stage) {
			_, err := s.kit.RecoverPay(ctx, &param.PayParam{BizOrderNo: "A1", Amount: 100}, daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrNoSuchOrder)
			require.NotErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			require.Greater(s, time.Since(s.start), 20*time.Second)
		},
		"11: another process used the number": func(ctx context.Context, s *stage) {
			p := *s.pay(ctx, "A1")
			p.Amount = 99
			_, err := s.kit.RecoverPay(ctx, &p, daxpay.Wait{})
			require.ErrorIs(s, err, daxpay.ErrEcho)
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			require.Regexp(s, traced, err)
		},
		"8: a refund that the channel did too late to tell": func(ctx context.Context, s *stage) {
			s.paid(ctx, "A1")
			s.channel.TimesOut(daxpaytest.OpRefund)
			p := &param.RefundParam{BizRefundNo: "R1", BizOrderNo: "A1", Amount: 30}
			_, err := s.kit.Refund(ctx, p)
			require.NoError(s, err, "it was taken")
			back, err := s.kit.WaitRefund(ctx, &param.QueryRefundOrderParam{BizRefundNo: "R1"}, daxpay.Wait{})
			require.NoError(s, err)
			require.Equal(s, model.Succeeded, back.Data.Standing())
			require.GreaterOrEqual(s, time.Since(s.start), time.Minute)
		},
		"8: a refund that the channel refuses": func(ctx context.Context, s *stage) {
			s.paid(ctx, "A1")
			s.channel.Refuses(daxpaytest.OpRefund, "ACQ.SELLER_BALANCE_NOT_ENOUGH", "卖家余额不足")
			p := &param.RefundParam{BizRefundNo: "R1", BizOrderNo: "A1", Amount: 30}
			_, err := s.kit.Refund(ctx, p)
			require.NoError(s, err, "it was taken")
			back, err := s.kit.WaitRefund(ctx, &param.QueryRefundOrderParam{BizRefundNo: "R1"}, daxpay.Wait{})
			require.NoError(s, err)
			require.Equal(s, model.Unproved, back.Data.Standing())
			_, err = s.kit.RecoverRefund(ctx, p, daxpay.Wait{Made: s.start})
			s.unresolved(err, daxpay.UnresolvedFailed)
			s.channel.Obeys(daxpaytest.OpRefund)
			_, err = s.kit.Refund(ctx, p)
			require.NoError(s, err)
			back, err = s.kit.WaitRefund(ctx, &param.QueryRefundOrderParam{BizRefundNo: "R1"}, daxpay.Wait{})
			require.NoError(s, err)
			require.Equal(s, model.Succeeded, back.Data.Standing(), "the same number again")
		},
		"10: a transfer that the channel did too late to tell": func(ctx context.Context, s *stage) {
			s.channel.TimesOut(daxpaytest.OpTransfer)
			_, err := s.kit.Transfer(ctx, transferTo("T1"))
			require.ErrorIs(s, err, daxpay.ErrOutcomeUnknown)
			_, err = s.kit.WaitTransfer(ctx, &param.QueryTransferOrderParam{BizTransferNo: "T1"}, daxpay.Wait{})
			s.unresolved(err, daxpay.UnresolvedFailed)
		},
		"10: a transfer that was sent twice": func(ctx context.Context, s *stage) {
			for range 2 {
				_, err := s.kit.Transfer(ctx, transferTo("T1"))
				require.NoError(s, err)
				require.NoError(s, s.kit.ForgetTransfer(ctx, "T1"), "someone forgot it without checking")
			}
			_, err := s.kit.WaitTransfer(ctx, &param.QueryTransferOrderParam{BizTransferNo: "T1"}, daxpay.Wait{})
			s.unresolved(err, daxpay.UnresolvedSeveral)
		},
		"10: a transfer that never arrived": func(ctx context.Context, s *stage) {
			_, err := s.kit.WaitTransfer(ctx, &param.QueryTransferOrderParam{BizTransferNo: "T1"}, daxpay.Wait{})
			s.unresolved(err, daxpay.UnresolvedNoSuchOrder)
		},
	} {
		t.Run(name, func(t *testing.T) { onStage(t, daxpay.GatewayV208, play) })
	}
	t.Run("2: 2.0.7 opens a closed one again", func(t *testing.T) {
		onStage(t, daxpay.GatewayV207, func(ctx context.Context, s *stage) {
			s.pay(ctx, "A1")
			_, err := s.kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: "A1"})
			require.NoError(s, err)
			s.channel.Waits("A1")
			go func() {
				<-time.After(30 * time.Second)
				s.channel.Pays("A1")
				s.channel.Tells("A1")
			}()
			order, err := s.kit.WaitPay(ctx, about, daxpay.Wait{})
			require.NoError(s, err)
			require.Equal(s, model.PaySuccess, order.Data.Status)
		})
	})
}

func transferTo(no string) *param.TransferParam {
	return &param.TransferParam{
		BizTransferNo: no, Channel: model.ChannelAli, Amount: 500, PayeeType: model.PayeeAliLoginName,
		PayeeAccount: "wang@example.com", PayeeName: "王小明",
	}
}
