//go:build !race

// Under the race detector, pools drop items at random, and allocations cannot be counted.

package daxpay_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// taken is how many bytes run allocates once it is warm: the least of several runs, because pools may be emptied
// between them.
func taken(run func()) int64 {
	least := int64(math.MaxInt64)
	for range 4 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run()
		runtime.ReadMemStats(&after)
		least = min(least, int64(after.TotalAlloc-before.TotalAlloc))
	}
	return least
}

// No body takes more memory than four times its size plus 64 KiB until it is refused or accepted.
func TestHostileTextsTakeLittleMemory(t *testing.T) {
	signer, err := daxpay.NewSigner(daxpay.HMACSHA256, secret)
	require.NoError(t, err)
	var answer []byte
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: -1,
			Body: io.NopCloser(bytes.NewReader(answer)), Request: r,
		}, nil
	})
	kit, err := daxpay.New(daxpay.Config{ServiceURL: "http://127.0.0.1", SignSecret: secret, Retry: once,
		Gateway: daxpay.GatewayV208, HTTPClient: &http.Client{Transport: transport}})
	require.NoError(t, err)
	handler := kit.NoticeHandler(daxpay.NoticeHandlers{
		MaxSize: 2 << 20, Pay: func(context.Context, *model.PayNotice) error { return nil },
		OnError: func(context.Context, error) {},
	})
	for _, size := range []int{16 << 10, 127 << 10, 1 << 20} {
		for _, h := range peer.Hostile(size - 200) {
			object := slices.Concat(h.Text[:len(h.Text)-1], []byte(`,"sign":"`+strings.Repeat("0", 64)+`"}`))
			answer = append(append([]byte(`{"code":0,"data":`), object...), '}')
			for name, run := range map[string]func(){
				"signer": func() { _ = signer.Verify(object) },
				"notice": func() {
					r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(object))
					handler.ServeHTTP(httptest.NewRecorder(), r)
				},
				"answer": func() {
					_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "B1"})
					require.Error(t, err)
				},
			} {
				require.LessOrEqual(t, taken(run), int64(4*len(object)+64<<10), "%s of %d bytes: %s", name, len(object), h.Name)
			}
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
