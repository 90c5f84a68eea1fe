package wire

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHexDigits(t *testing.T) {
	var digest [1024]byte
	for i := range digest { // each byte in each of the four places
		digest[i] = byte(i / 4)
	}
	var got [2 * len(digest)]byte
	require.Equal(t, len(got), hexDigits(got[:], digest[:]))
	require.Equal(t, hex.EncodeToString(digest[:]), string(got[:]))
}
