package daxpay_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

// This transport sends a transfer without reporting it, gets no answer, and then reports that a second connection
// failed. The second failure does not prove that nothing was sent.
func TestFailoverDoesNotCountAsNeverSent(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()

	sent := 0
	kit, err := daxpay.New(daxpay.Config{ServiceURL: closed.URL, SignSecret: secret, HTTPClient: &http.Client{
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			first, err := io.ReadAll(r.Body) // goes out, and the answer is lost
			require.NoError(t, err)
			if len(first) > 0 {
				sent++
			}
			return new(http.Transport).RoundTrip(r)
		}),
	}})
	require.NoError(t, err)
	_, err = kit.Transfer(context.Background(), someTransfer)
	require.ErrorIs(t, err, daxpay.ErrOutcomeUnknown)
	var transport *daxpay.TransportError
	require.ErrorAs(t, err, &transport)
	require.False(t, transport.NeverSent)
	require.Equal(t, 1, sent)
}
