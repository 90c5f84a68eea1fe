package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEqual(t *testing.T) {
	var all [1024]byte
	for i := range all { // each byte in each of the four places
		all[i] = byte(i / 4)
	}
	require.Equal(t, 1, equal(all[:], []byte(hex.EncodeToString(all[:]))))

	digest := sha256.Sum256([]byte("x"))
	given := []byte(hex.EncodeToString(digest[:]))
	require.Equal(t, 1, equal(digest[:], given))
	require.Zero(t, equal(digest[:], given[:62]))
	require.Zero(t, equal(digest[:], append([]byte("0"), given...)))
	require.Zero(t, equal(digest[:], nil))
	for i := range given {
		right := given[i]
		for c := range 256 {
			if given[i] = byte(c); given[i] != right {
				require.Zero(t, equal(digest[:], given), "%q at %d", c, i)
			}
		}
		given[i] = right
	}
}

func TestAppendHex(t *testing.T) {
	var digest [1024]byte
	for i := range digest { // each byte in each of the four places
		digest[i] = byte(i / 4)
	}
	require.Equal(t, "x"+hex.EncodeToString(digest[:]), string(appendHex([]byte("x"), digest[:])))
}
