package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/peer"
)

// FuzzCanonical holds the canonical text and the signatures of whatever object can be read against those of an implementation that
// shares no code with this one. Neither the order of members nor nulls may matter, and what is signed must verify, under that key
// and that signature only.
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
				continue // there is a member that is sign but for its case
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

// FuzzReadTwice: what the reader leaves of one text must not show in the next, and a refused text leaves nothing.
func FuzzReadTwice(f *testing.F) {
	f.Add([]byte(`{"data":{"a":1,"b":[{"c":2}]},"x":1}`), []byte(`{"data":{"d":null}}`))
	f.Add([]byte(`{"data":{"a":1`), []byte(`{"data":[]}`))
	f.Add([]byte(`{"code":0,"data":{"status":"x","code":0}}`), []byte(`{"code":0,"data":{"status":"y","code":0}}`))
	f.Add([]byte(`{"code":0,"data":{"status":"x","code":0}}`), []byte(`{"code":0,"data":{"status":"y","Code":0}}`))
	f.Add([]byte(`{"code":0,"msg":1,"data":{"status":"x","code":0}}`), []byte(`{"code":0,"data":null,"msg":1}`))
	type model struct {
		Status string `json:"status"`
		Code   int    `json:"code"`
	}
	type otherModel struct {
		Data string `json:"data"`
		Code int    `json:"code"`
	}
	plan, otherPlan := planOf(f, model{}), planOf(f, otherModel{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var used, usedInner, fresh, freshInner Object
		for _, o := range []*Object{&used, &usedInner, &freshInner} { // what is expected must make no difference: it is not of fresh
			o.Expect(plan)
		}
		before := bytes.Clone(second)
		_ = used.ReadWith(first, &usedInner, "data")
		_, _ = used.AppendCanonical(nil, shanghai)
		_, _ = usedInner.AppendCanonical(nil, shanghai)
		otherPlan.bind(&used.members) // as a notice of another kind than expected is
		otherPlan.bind(&usedInner.members)
		err := used.ReadWith(second, &usedInner, "data")
		freshErr := fresh.ReadWith(second, &freshInner, "data")
		require.Equal(t, fmt.Sprint(freshErr), fmt.Sprint(err))
		require.Equal(t, before, second, "a text is only read")
		require.Len(t, used.Members(), len(fresh.Members()))
		require.Len(t, usedInner.Members(), len(freshInner.Members()))
		for i := range fresh.Members() {
			require.Equal(t, fresh.Members()[i], used.Members()[i])
		}
		if err != nil {
			require.Empty(t, used.Members())
			require.Empty(t, usedInner.Members())
			return
		}
		for _, o := range [][2]*Object{{&fresh, &used}, {&freshInner, &usedInner}} {
			want, wantErr := o[0].AppendCanonical(nil, shanghai)
			got, err := o[1].AppendCanonical(nil, shanghai)
			require.Equal(t, wantErr, err)
			require.Equal(t, string(want), string(got))
			require.Equal(t, o[0].known.all, o[1].known.all)
			require.Equal(t, o[0].known.given, o[1].known.given)
			for n := range Name(len(knownNames)) {
				want, there := o[0].Get(knownNames[n])
				got, found := o[1].At(n)
				require.Equal(t, there, found)
				require.Equal(t, want, got)
				require.Equal(t, there && want.Kind != Null, o[1].HasAny(n.set()))
			}
		}
		var other struct {
			Data json.RawMessage `json:"data"`
		}
		require.NoError(t, json.Unmarshal(second, &other))
		for i := range freshInner.Members() {
			require.Equal(t, freshInner.Members()[i], usedInner.Members()[i])
			require.True(t, bytes.Contains(other.Data, usedInner.Members()[i].Value.Raw))
		}
	})
}

// FuzzFlat: what is signed while it is read is what Read accepts, and has the signature that it has there.
func FuzzFlat(f *testing.F) {
	for _, name := range []string{"seed-pages.jsonl", "captured.jsonl", "requests.jsonl"} {
		for _, v := range readVectors(f, name) {
			f.Add([]byte(v.Body))
		}
	}
	for _, text := range []string{
		`{}`, `{"a":1}`, `{"a":1,"b":"x","sign":"s"}`, `{"a":0,"b":-1}`, `{"A":1,"a":2}`, `{"SIGN":1,"sign":"x"}`, `{"memberno1":1,"memberno2":null,"memberno3":true}`,
		`{"aTime":"2024-05-12 15:50:34"}`, `{"a":"支付x"}`, `{"a":"é"}`, `{"a":01}`, `{"a":"x"} `, `{"a":1,}`, `{"":1}`, `{"sign":"x","a":false}`, `{"abcdefgh":1,"abcdefghi":2}`,
		`{"a":[{"receiverNo":"123","amount":6000},{"receiverNo":"124","amount":7000}],"b":[],"c":[{}]}`, `{"a":[{"b":null,"B":1},{"sign":"x"}]}`,
		`{"a":["支付",1,true,null,"“"],"b":[{"aTime":1,"title":"支付x"}]}`, `{"a":[{"aTime":"2024-05-12 15:50:34"}],"sign":""}`,
	} {
		f.Add([]byte(text))
	}
	key := NewKey(HMACSHA256, "k")
	f.Fuzz(func(t *testing.T, text []byte) {
		sign, ok := key.AppendSignFlat(nil, text)
		if !ok {
			require.False(t, key.VerifyFlat(text))
			return
		}
		var o Object
		require.NoError(t, o.Read(text))
		want, err := key.AppendSign(nil, &o, shanghai)
		require.NoError(t, err)
		require.Equal(t, string(want), string(sign))
		verdict, _, err := Verify([]*Key{key}, &o, shanghai)
		require.NoError(t, err)
		require.Equal(t, verdict == Genuine, key.VerifyFlat(text))
		if given, ok := o.Get(SignName); !ok && len(o.Members()) > 0 && !given.Escaped {
			sealed := []byte(string(text[:len(text)-1]) + `,"sign":"` + string(sign) + `"}`)
			require.True(t, key.VerifyFlat(sealed), "%s", sealed)
		}
	})
}
