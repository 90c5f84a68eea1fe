package wire

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/peer"
)

// FuzzCanonical compares the canonical text and the signatures of every object that can be read with those of another
// implementation, which shares no code with this one. The order of members must not matter. What is signed must verify
// under its key, and under no other.
func FuzzCanonical(f *testing.F) {
	for _, v := range readVectors(f, "requests.jsonl")[:20] {
		f.Add([]byte(v.Body), v.Secret)
	}
	random := rand.New(rand.NewPCG(9, 9))
	for range 30 {
		f.Add(peer.Encode(peer.Random(random)), peer.RandomText(random, 8))
	}
	f.Add([]byte(`{"a":1.50,"b":[1.50,{"B":1e2,"a":null}],"finishTime":"2024-05-12 15:50:34","c":[]}`), "k")
	f.Fuzz(func(t *testing.T, text []byte, secret string) {
		var o Object
		if o.Read(text) != nil {
			return
		}
		canonical, err := o.AppendCanonical(nil, shanghai)
		if err != nil {
			require.ErrorIs(t, err, ErrNumber)
			return
		}
		other, err := peer.Parse(text)
		require.NoError(t, err)
		require.Equal(t, peer.Canonical(other, shanghai), string(canonical))

		shuffled := slices.Clone(other)
		slices.Reverse(shuffled)
		reread := read(t, string(peer.Encode(shuffled)))
		again, err := reread.AppendCanonical(nil, shanghai)
		require.NoError(t, err)
		require.Equal(t, string(canonical), string(again), "the order of members, nulls and spelling do not count")

		for algorithm, name := range map[Algorithm]string{HMACSHA256: peer.HMACSHA256, MD5: peer.MD5} {
			key, stranger := NewKey(algorithm, secret), NewKey(algorithm, secret+"x")
			sign, err := key.AppendSign(nil, &o, shanghai)
			require.NoError(t, err)
			require.Equal(t, peer.Sign(other, name, secret, shanghai), string(sign))
			require.Equal(t, Digest(algorithm, secret, string(canonical)+KeyLabel+secret), string(sign))

			var sealed Object
			unsigned := slices.DeleteFunc(slices.Clone(other), func(p peer.Pair) bool { return p.Name == "sign" })
			if sealed.Read(peer.Encode(append(unsigned, peer.Pair{Name: "sign", Value: string(sign)}))) != nil {
				continue // a member is named sign in another case
			}
			verdict, index, err := Verify([]*Key{stranger, key}, &sealed, shanghai)
			require.NoError(t, err)
			require.Equal(t, Genuine, verdict)
			require.Equal(t, 1, index)
			verdict, _, err = Verify([]*Key{stranger}, &sealed, shanghai)
			require.NoError(t, err)
			require.Equal(t, Forged, verdict)
		}
	})
}
