package daxpay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/wire"
)

// Sign, Verify and the others refuse a message that is nested too deeply.
func TestSignerLimitsTheDepth(t *testing.T) {
	object := []byte(`{"a":[{"b":1}],"z":1}`)
	for depth := 1; depth <= 4; depth++ {
		s := newSigner(HMACSHA256, wire.HMACSHA256, depth, "k")
		_, err := s.Sign(object)
		if depth >= 3 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrProtocol)
		require.ErrorIs(t, s.Verify(object), ErrProtocol)
	}
}
