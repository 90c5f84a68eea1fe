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

// A transport that sends a transfer in a way that it does not report, gets no answer, and then fails to connect in a
// way that it does report: the second failure does not prove that nothing was sent.
func TestATransportThatReportsOnlyItsLastTry(t *testing.T) {
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
