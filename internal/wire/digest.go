package wire

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // one of the two algorithms of the protocol
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"sync"
	"time"
)

// Algorithm is how the canonical text becomes a signature.
type Algorithm uint8

// The algorithms of the protocol.
const (
	HMACSHA256 Algorithm = iota + 1
	MD5
)

func (a Algorithm) new(secret []byte) hash.Hash {
	if a == MD5 {
		return md5.New() //nolint:gosec // see above
	}
	return hmac.New(sha256.New, secret)
}

// Digest hashes a whole text, its key included, as a signature is made of it.
func Digest(a Algorithm, secret, text string) string {
	h := a.new([]byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// Key signs and verifies with one algorithm and one secret. It is safe for concurrent use.
type Key struct {
	secret []byte
	// tail is what is appended to a canonical text before it is hashed.
	tail   []byte
	states sync.Pool
}

// state is what one signature needs, kept because setting up HMAC costs more than hashing a short message with it.
type state struct {
	hash hash.Hash
	buf  []byte
	raw  [sha256.Size]byte
	hex  [2 * sha256.Size]byte
	text text
}

// KeyLabel stands between the canonical text and the secret.
const KeyLabel = "&key="

// NewKey returns the key of a secret.
func NewKey(algorithm Algorithm, secret string) *Key {
	k := &Key{secret: []byte(secret), tail: []byte(KeyLabel + secret)}
	k.states.New = func() any {
		return &state{hash: algorithm.new(k.secret), buf: make([]byte, 0, block)}
	}
	return k
}

// AppendSign appends the signature of the object: lower-case hex digits.
func (k *Key) AppendSign(dst []byte, o *Object, zone *time.Location) ([]byte, error) {
	s := k.get()
	defer k.put(s)
	sign, err := s.object(k, o, zone)
	return append(dst, sign...), err
}

// AppendSignText appends the signature of a canonical text.
func (k *Key) AppendSignText(dst, canonical []byte) []byte {
	s := k.get()
	defer k.put(s)
	s.hash.Write(canonical)
	return append(dst, s.finish(k)...)
}

// Verdict is what Verify found.
type Verdict uint8

// The verdicts. Only the first lets a message pass, and no zero value is it.
const (
	Genuine  Verdict = iota + 1
	Unsigned         // sign is absent, null or empty
	Forged           // sign is there but is not the signature of the message
)

// Verify compares the object's own sign with the signatures that the keys give its members, in constant time, also over which
// key it is: the index of that is returned.
func Verify(keys []*Key, o *Object, zone *time.Location) (Verdict, int, error) {
	given, ok := o.Get(SignName)
	if !ok || given.Kind == Null || given.Kind == String && len(given.Raw) == len(`""`) {
		return Unsigned, 0, nil
	}
	if given.Kind != String {
		return Forged, 0, nil
	}
	text := given.Text()
	found, index := 0, 0
	for i, k := range keys {
		equal, err := k.compare(o, zone, text)
		if err != nil {
			return Forged, 0, err
		}
		index = subtle.ConstantTimeSelect(equal&^found, i, index)
		found |= equal
	}
	if found != 1 {
		return Forged, 0, nil
	}
	return Genuine, index, nil
}

// compare returns 1 if the key gives the object this signature, else 0.
func (k *Key) compare(o *Object, zone *time.Location, given []byte) (int, error) {
	s := k.get()
	defer k.put(s)
	sign, err := s.object(k, o, zone)
	return subtle.ConstantTimeCompare(sign, given), err
}

func (k *Key) get() *state {
	s, _ := k.states.Get().(*state)
	s.hash.Reset()
	return s
}

func (k *Key) put(s *state) {
	s.text = text{members: release(s.text.members)}
	k.states.Put(s)
}

// object hashes the canonical text of o. The signature is valid until the state is put back.
func (s *state) object(k *Key, o *Object, zone *time.Location) ([]byte, error) {
	s.text.buf, s.text.sum, s.text.zone = s.buf[:0], s.hash, zone
	s.text.object(o)
	s.buf = s.text.buf
	s.hash.Write(s.text.buf)
	return s.finish(k), s.text.err
}

func (s *state) finish(k *Key) []byte {
	s.hash.Write(k.tail)
	n := hex.Encode(s.hex[:], s.hash.Sum(s.raw[:0]))
	return s.hex[:n]
}
