package daxpay

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay/internal/wire"
)

// SignType is the signature algorithm (签名方式). It is a setting of the gateway.
type SignType string

// The algorithms that the gateway knows.
const (
	HMACSHA256 SignType = "HMAC_SHA256"
	MD5        SignType = "MD5"
)

// algorithm returns the algorithm of one of the constants.
func (t SignType) algorithm() wire.Algorithm {
	if t == MD5 {
		return wire.MD5
	}
	return wire.HMACSHA256
}

// spelled returns the algorithm that is meant, such as by "hmac-sha256", and reports whether there is one.
func (t SignType) spelled() (SignType, bool) {
	switch strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToUpper(string(t))) {
	case "HMACSHA256", "SHA256": // SHA256: as the gateway's console shows it
		return HMACSHA256, true
	case "MD5":
		return MD5, true
	}
	return t, false
}

func wrongSignType(t SignType, secrets []string) string {
	reason := fmt.Sprintf("must be %s or %s", HMACSHA256, MD5)
	if _, swapped := SignType(secrets[0]).spelled(); swapped {
		return reason + ": it seems to have changed places with SignSecret"
	}
	return reason + given(string(t), secrets)
}

// Signer signs and verifies JSON objects outside of a call, such as from a queue, a log or another framework. It is
// safe for concurrent use. Create it with NewSigner; the methods of a nil or zero Signer fail with ErrConfig.
//
// Inside lists and objects, the gateway signs a number with a fraction or an exponent as Java prints the double. That
// form is certain for 0, from 1e-12 up to below 1e7, and for the larger numbers that were measured: 1e7, 12345678.9,
// 123456789.123, 1e20. Any other such number is refused with ErrProtocol. Integers are signed as they are, and nulls in
// lists are dropped.
//
// An object that Verify accepts was signed with the secret. That does not prove what kind of message it is, when it was
// signed, or that no other text has the same signature. The client checks all of this for the answers and notices that
// it receives.
type Signer struct {
	keys *signerKeys
	zone *time.Location
}

type signerKeys struct {
	signType SignType
	// secrets is a function because fmt prints functions as addresses, for every verb and wherever the Signer is. The
	// first secret signs, any of them verifies.
	secrets func() []string
	keys    []*wire.Key // one for each secret
	depth   int
	objects sync.Pool // of *wire.Object
}

func (k *signerKeys) secret() string { return k.secrets()[0] }

func (k *signerKeys) signing() *wire.Key { return k.keys[0] }

// borrow returns an empty object to read into. Pass it to giveBack when nothing in it is needed any more.
func (k *signerKeys) borrow(limits wire.Limits) *wire.Object {
	o, ok := k.objects.Get().(*wire.Object)
	if !ok {
		o = new(wire.Object)
	}
	o.Limits = limits
	return o
}

func (k *signerKeys) giveBack(o *wire.Object) {
	o.Release()
	k.objects.Put(o)
}

// beijing is the default zone of a gateway.
var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

// NewSigner returns a signer for the gateway's algorithm and secret (签名秘钥). It reads times that a message has as
// text in Chinese time; see In. Its error holds a *ConfigError for every mistake.
func NewSigner(signType SignType, secret string) (*Signer, error) {
	signType, algorithm, faults := checkSigning(signType, []string{secret})
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return newSigner(signType, algorithm, wire.MaxDepth, secret), nil
}

// checkSigning returns the algorithm that is meant, and the mistakes in algorithm and secrets. The first secret is the
// one that signs.
func checkSigning(given SignType, secrets []string) (SignType, wire.Algorithm, []error) {
	var faults []error
	signType, ok := given.spelled()
	if !ok {
		faults = append(faults, &ConfigError{Field: "SignType", Reason: wrongSignType(given, secrets)})
	}
	if strings.TrimSpace(secrets[0]) == "" {
		faults = append(faults, &ConfigError{
			Field: "SignSecret", Reason: "must be set: it is the secret (签名秘钥) in the gateway's settings",
		})
	}
	return signType, signType.algorithm(), faults
}

// newSigner returns a signer with several secrets. The first one signs.
func newSigner(signType SignType, algorithm wire.Algorithm, depth int, secrets ...string) *Signer {
	k := &signerKeys{signType: signType, secrets: func() []string { return secrets }, depth: depth}
	for _, secret := range secrets {
		k.keys = append(k.keys, wire.NewKey(algorithm, secret))
	}
	return &Signer{keys: k, zone: beijing}
}

// signer returns the signer for a valid Config.
func (cfg Config) signer() *Signer {
	secrets := append([]string{cfg.SignSecret}, cfg.PreviousSecrets...)
	return newSigner(cfg.SignType, cfg.SignType.algorithm(), cfg.MaxDepth, secrets...).In(cfg.Location)
}

// Format implements fmt.Formatter for every verb, without the secret.
func (s Signer) Format(f fmt.State, _ rune) {
	if s.keys == nil {
		fmt.Fprint(f, "daxpay.Signer{not made with NewSigner}")
		return
	}
	fmt.Fprint(f, "daxpay.Signer{SignType:", s.keys.signType, "}")
}

// In returns a signer that reads times in another zone, which must be the gateway's. Nil means Chinese time.
func (s *Signer) In(zone *time.Location) *Signer {
	if s == nil {
		return nil
	}
	if zone == nil {
		zone = beijing
	}
	return &Signer{keys: s.keys, zone: zone}
}

// Canonical returns the text that is signed for a JSON object, without the key. The member sign is ignored. The error
// is ErrProtocol if the object cannot be signed: it is not valid JSON, too deeply nested, or has a number as described
// above.
func (s *Signer) Canonical(object []byte) (string, error) {
	o, err := s.read(object)
	if err != nil {
		return "", err
	}
	defer s.keys.giveBack(o)
	text, err := o.AppendCanonical(nil, s.zone)
	if err != nil {
		return "", notAcceptable(err)
	}
	return string(text), nil
}

// Sign returns the signature of a JSON object in lower-case hex: 64 digits, or 32 for MD5. Its errors are those of
// Canonical.
func (s *Signer) Sign(object []byte) (string, error) {
	var buf [64]byte
	sign, err := s.AppendSign(buf[:0], object)
	if err != nil {
		return "", err
	}
	return string(sign), nil
}

// AppendSign is like Sign, but appends the signature to dst. It allocates nothing if dst has room. After an error it
// returns dst unchanged.
func (s *Signer) AppendSign(dst, object []byte) ([]byte, error) {
	o, err := s.read(object)
	if err != nil {
		return dst, err
	}
	defer s.keys.giveBack(o)
	signed, err := s.keys.signing().AppendSign(dst, o, s.zone)
	if err != nil {
		return dst, notAcceptable(err)
	}
	return signed, nil
}

// Verify checks the member sign of a JSON object: of a request, a notice, or the data of an answer. The error is a
// *SignError if the signature is missing or wrong, and else one of Canonical.
func (s *Signer) Verify(object []byte) error {
	o, err := s.read(object)
	if err != nil {
		return err
	}
	defer s.keys.giveBack(o)
	_, err = s.verify(o, object, "", "")
	return err
}

// read reads into a borrowed object.
func (s *Signer) read(object []byte) (*wire.Object, error) {
	if s == nil || s.keys == nil {
		return nil, &ConfigError{Field: "SignSecret", Reason: "is unknown: make the Signer with NewSigner"}
	}
	o := s.keys.borrow(wire.Limits{Depth: s.keys.depth})
	if err := o.Read(object); err != nil {
		s.keys.giveBack(o)
		return nil, notAcceptable(err)
	}
	return o, nil
}

func notAcceptable(err error) error { return fmt.Errorf("%w: %w", ErrProtocol, err) }

// verify checks an object that was read from raw. It returns the index of the secret that signed it.
func (s *Signer) verify(o *wire.Object, raw []byte, path, traceID string) (int, error) {
	verdict, index, err := wire.Verify(s.keys.keys, o, s.zone)
	switch {
	case err != nil:
		return 0, &AnswerError{Path: path, TraceID: traceID, Reason: err.Error(), Err: ErrProtocol}
	case verdict == wire.Genuine:
		return index, nil
	}
	return 0, &SignError{
		Path: path, TraceID: traceID,
		missing: verdict == wire.Unsigned, explain: s.explanation(bytes.Clone(raw)),
	}
}
