//go:build !race

// Under the race detector, pools drop items at random, and allocations cannot be counted.

package daxpay_test

import (
	"context"
	"go/version"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/param"
)

// allocations counts the allocations of one run when everything is warm.
func allocations(t *testing.T, run func() error) float64 {
	t.Helper()
	return testing.AllocsPerRun(200, func() {
		if err := run(); err != nil {
			t.Error(err)
		}
	})
}

func TestSignerAllocations(t *testing.T) {
	for _, signType := range []daxpay.SignType{daxpay.HMACSHA256, daxpay.MD5} {
		s, err := daxpay.NewSigner(signType, secret)
		require.NoError(t, err)
		for name, object := range map[string]string{"4 members": fourMembers, "16 members": sixteenMembers,
			"nested list": nestedList, "pay sync": "{" + good + "}"} {
			t.Run(string(signType)+" "+name, func(t *testing.T) {
				raw, sealed := []byte(object), []byte(signedObject(t, signType, object[1:len(object)-1]))
				var buf [64]byte
				require.Zero(t, allocations(t, func() error { _, err := s.AppendSign(buf[:0], raw); return err }))
				require.InDelta(t, 1, allocations(t, func() error { _, err := s.Sign(raw); return err }), 0)
				require.Zero(t, allocations(t, func() error { return s.Verify(sealed) }))
			})
		}
	}
}

// The model, and all of its texts in one allocation.
func TestNoticeAllocations(t *testing.T) {
	kit, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1", SignSecret: secret})
	require.NoError(t, err)
	notice := []byte(signedObject(t, daxpay.HMACSHA256,
		`"code":0,"msg":null,"resTime":1715500234,"orderNo":"P1","bizOrderNo":"SDK_1","title":"测试","channel":"ali_pay","amount":100,"status":"success","attach":null`))
	counted := allocations(t, func() error { _, err := kit.ParseNotice(notice); return err })
	if version.Compare(runtime.Version(), "go1.25") < 0 { // whose compiler keeps less on the stack
		require.LessOrEqual(t, counted, 6.0)
		return
	}
	require.InDelta(t, 2, counted, 0)
}

// canned answers every request at once.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(c)),
		Body: io.NopCloser(strings.NewReader(string(c))), Request: r,
	}, nil
}

// The allocations of this package, resty and net/http's client for a call. The transport, which makes as many again, is
// left out.
func TestCallAllocations(t *testing.T) {
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: "http://127.0.0.1:9000", SignSecret: secret, Now: at(now),
		HTTPClient: &http.Client{Transport: canned(sealed(t, good))},
	})
	require.NoError(t, err)
	p := &param.PaySyncParam{BizOrderNo: "SDK_1715341621498"}
	const most = 56
	require.LessOrEqual(t, allocations(t, func() error { _, err := kit.SyncPay(context.Background(), p); return err }),
		float64(most))
}
