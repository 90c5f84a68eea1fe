package daxpay_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/param"
)

// A number goes out once. It may go out again only when it is proved that nothing happened.
func TestANumberGoesOutOnce(t *testing.T) {
	ctx := context.Background()
	paid := `"code":0,"resTime":1715500234,"bizTransferNo":"T1","transferNo":"G1","status":`
	for name, tt := range map[string]struct {
		answer string
		err    error
		again  bool
	}{
		"paid":              {answer: sealed(t, paid+`"success"`)},
		"under way":         {answer: sealed(t, paid+`"transferring"`)},
		"called failed":     {answer: sealed(t, paid+`"fail"`)},
		"lost":              {err: io.ErrUnexpectedEOF},
		"gateway's error":   {answer: `{"code":10001,"msg":"系统错误"}`},
		"forged":            {answer: `{"code":0,"data":{"code":0}}`},
		"refused":           {answer: sealed(t, `"code":1,"msg":"支付宝支付未启用","resTime":1715500234`), again: true},
		"refused, unsigned": {answer: `{"code":20052,"msg":"验签失败"}`, again: true},
		"refused, any text": {answer: sealed(t, `"code":1,"msg":"别的","resTime":1715500234`)},
	} {
		t.Run(name, func(t *testing.T) {
			kit, transport := mocked(t, daxpay.Config{Now: at(now), Gateway: daxpay.GatewayV208},
				func(r *http.Request) (*http.Response, error) {
					if tt.err != nil {
						return nil, tt.err
					}
					return jsonAnswer(tt.answer)(r)
				})
			_, first := kit.Transfer(ctx, someTransfer)
			require.NotErrorIs(t, first, daxpay.ErrDuplicate)
			_, second := kit.Transfer(ctx, someTransfer)
			if tt.again {
				require.NotErrorIs(t, second, daxpay.ErrDuplicate)
				require.Equal(t, 2, transport.GetTotalCallCount())
				return
			}
			require.ErrorIs(t, second, daxpay.ErrDuplicate)
			require.ErrorIs(t, second, daxpay.ErrEarlierSend)
			require.ErrorIs(t, second, daxpay.ErrOutcomeUnknown, "the outcome of the earlier send is unknown")
			require.Equal(t, 1, transport.GetTotalCallCount())
			other := *someTransfer
			other.BizTransferNo = "T2"
			_, err := kit.Transfer(ctx, &other)
			require.NotErrorIs(t, err, daxpay.ErrDuplicate)

			require.NoError(t, kit.ForgetTransfer(ctx, "T1"))
			_, err = kit.Transfer(ctx, someTransfer)
			require.NotErrorIs(t, err, daxpay.ErrDuplicate)
			require.Equal(t, 3, transport.GetTotalCallCount())
		})
	}
}

func TestANumberThatNeverWentOutIsFree(t *testing.T) {
	kit, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1:1", SignSecret: secret, Retry: once})
	require.NoError(t, err)
	for range 2 {
		_, err = kit.Transfer(context.Background(), someTransfer)
		var transport *daxpay.TransportError
		require.ErrorAs(t, err, &transport)
		require.True(t, transport.NeverSent)
	}
}

// Of all processes that share a store and send a number at once, one pays it.
func TestProcessesShareTheGuard(t *testing.T) {
	gw := daxpaytest.Start(t)
	store := daxpay.NewMemoryStore(0)
	var duplicates atomic.Int64
	var running sync.WaitGroup
	for range 8 {
		kit := client(t, gw, func(c *daxpay.Config) { c.OnceStore = store })
		running.Add(1)
		go func() {
			defer running.Done()
			_, err := kit.Transfer(context.Background(), someTransfer)
			if errors.Is(err, daxpay.ErrDuplicate) {
				duplicates.Add(1)
			}
		}()
	}
	running.Wait()
	require.EqualValues(t, 7, duplicates.Load())
	require.Len(t, gw.Transfers(), 1)

	other := daxpaytest.Start(t) // the same number of another gateway is another transfer
	_, err := client(t, other, func(c *daxpay.Config) { c.OnceStore = store }).Transfer(context.Background(), someTransfer)
	require.NoError(t, err)
}

// slowStore hangs, ignoring its context, or fails.
type slowStore struct {
	daxpay.OnceStore
	hang     chan struct{}
	released chan struct{}
	err      error
}

func (s *slowStore) Release(ctx context.Context, key, owner string) error {
	err := s.OnceStore.Release(ctx, key, owner)
	if s.released != nil {
		s.released <- struct{}{}
	}
	return err
}

func (s *slowStore) Claim(ctx context.Context, key, owner string, lease time.Duration) (daxpay.ClaimState, error) {
	if s.hang != nil {
		<-s.hang
	}
	if s.err != nil {
		return 0, s.err
	}
	return s.OnceStore.Claim(ctx, key, owner, lease)
}

// Nothing is sent while the store does not answer. A claim that it makes too late is released.
func TestAStoreThatDoesNotAnswer(t *testing.T) {
	gw := daxpaytest.Start(t)
	broken := errors.New("the database is down")
	store := &slowStore{OnceStore: daxpay.NewMemoryStore(0), err: broken}
	kit := client(t, gw, func(c *daxpay.Config) { c.OnceStore = store })
	ctx := context.Background()
	var transport *daxpay.TransportError
	_, err := kit.Transfer(ctx, someTransfer)
	require.ErrorIs(t, err, broken)
	require.ErrorAs(t, err, &transport)
	require.True(t, transport.NeverSent)
	require.NotErrorIs(t, err, daxpay.ErrOutcomeUnknown)

	store.err, store.hang, store.released = nil, make(chan struct{}), make(chan struct{}, 2)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = kit.Transfer(short, someTransfer)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorAs(t, err, &transport)
	require.True(t, transport.NeverSent)
	require.Empty(t, gw.Requests())
	<-store.released // when the call gave up
	close(store.hang)
	<-store.released // when the claim was made after all
	_, err = kit.Transfer(ctx, someTransfer)
	require.NoError(t, err)

	full := daxpay.NewMemoryStore(1)
	kit = client(t, gw, func(c *daxpay.Config) { c.OnceStore = full })
	_, err = kit.Transfer(ctx, someTransfer)
	require.NoError(t, err)
	another := *someTransfer
	another.BizTransferNo = "T2"
	_, err = kit.Transfer(ctx, &another)
	require.ErrorIs(t, err, daxpay.ErrStoreFull)
	require.Len(t, gw.Transfers(), 2)
}

type numberless struct{ param.Common }

func (*numberless) Call() param.Call[payoutModel] {
	return param.Call[payoutModel]{Path: "/unipay/ext/payout", Effect: param.EffectOnce}
}

func TestCallThatGoesOutOnceNeedsANumber(t *testing.T) {
	kit, transport := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
	_, err := daxpay.Execute(context.Background(), kit, &numberless{})
	require.ErrorIs(t, err, daxpay.ErrParam)
	require.ErrorContains(t, err, "tag no")
	require.Zero(t, transport.GetTotalCallCount())
	require.ErrorIs(t, daxpay.ForgetOnce(context.Background(), kit, &numberless{}), daxpay.ErrParam)
	require.ErrorIs(t, (&daxpay.Client{}).ForgetTransfer(context.Background(), "T1"), daxpay.ErrConfig)
	require.ErrorIs(t, kit.ForgetTransfer(nil, "T1"), daxpay.ErrParam) //nolint:staticcheck // that is what is tested
}

// All spellings of a URL are the same gateway.
func TestSpellingOfTheURLDoesNotFreeANumber(t *testing.T) {
	store := daxpay.NewMemoryStore(0)
	for i, spelling := range []string{"https://pay.example.com/x", "https://PAY.example.com:443/x/",
		"HTTPS://pay.example.com/x"} {
		answer := sealed(t, `"code":0,"resTime":1715500234,"bizTransferNo":"T1","transferNo":"G1","status":"success"`)
		kit, _ := mocked(t, daxpay.Config{ServiceURL: spelling, OnceStore: store, Now: at(now), Gateway: daxpay.GatewayV208},
			jsonAnswer(answer))
		_, err := kit.Transfer(context.Background(), someTransfer)
		require.Equal(t, i > 0, errors.Is(err, daxpay.ErrDuplicate), spelling)
	}
}

// EmbeddedNumber is exported: reflection sees its fields through a nil pointer.
type EmbeddedNumber struct {
	Number string `json:"number" daxpay:"no"`
}

type numberBehindPointer struct {
	param.TransferParam
	*EmbeddedNumber
}

type modelBehindPointer struct{ *EmbeddedNumber }

type payoutOfAnotherModel struct {
	param.Common
	No string `json:"no" daxpay:"no"`
}

func (*payoutOfAnotherModel) Call() param.Call[modelBehindPointer] {
	return param.Call[modelBehindPointer]{Path: "/unipay/ext/payout", Effect: param.EffectOnce}
}

// Members behind an embedded pointer may be missing, so one is refused in params, in models, and when a number is
// forgotten.
func TestEmbeddedPointersAreRefused(t *testing.T) {
	ctx := context.Background()
	kit, transport := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
	set := &numberBehindPointer{EmbeddedNumber: &EmbeddedNumber{Number: "N1"}}
	set.BizTransferNo = "T1"
	_, ofAnswer := daxpay.Execute(ctx, kit, &payoutOfAnotherModel{No: "N1"})
	_, ofNil := daxpay.Execute(ctx, kit, &numberBehindPointer{})
	_, ofSet := daxpay.Execute(ctx, kit, set)
	for _, err := range []error{
		ofAnswer, ofNil, ofSet, daxpay.ForgetOnce(ctx, kit, &numberBehindPointer{}), daxpay.ForgetOnce(ctx, kit, set),
	} {
		var fault *daxpay.ParamError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "EmbeddedNumber", fault.Field)
		require.Contains(t, fault.Reason, "embedded pointer")
	}
	require.Zero(t, transport.GetTotalCallCount())
}
