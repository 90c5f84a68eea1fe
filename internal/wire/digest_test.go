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
	want := hex.EncodeToString(digest[:])
	var got [2 * len(digest)]byte
	hexDigits(got[:], digest[:])
	require.Equal(t, want, string(got[:]))
	require.Equal(t, "x"+want, string(appendHex([]byte("x"), digest[:])))
}
