package sharetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

func TestNotices(t *testing.T) {
	shared := daxpay.NewMemoryStore(0)
	require.NoError(t, Notices([]daxpay.OnceStore{shared, shared, shared}, 20))
	err := Notices([]daxpay.OnceStore{daxpay.NewMemoryStore(0), daxpay.NewMemoryStore(0)}, 2)
	require.EqualError(t, err, "P000000 took effect 2 times\nP000001 took effect 2 times")
}
