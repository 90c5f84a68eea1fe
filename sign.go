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

// SignType is the algorithm that makes a signature of a message (签名方式). It is a setting of the gateway.
type SignType string

// The algorithms of the gateway.
const (
	HMACSHA256 SignType = "HMAC_SHA256"
	MD5        SignType = "MD5"
)

func (t SignType) algorithm() (wire.Algorithm, bool) {
	switch t {
	case HMACSHA256:
		return wire.HMACSHA256, true
	case MD5:
		return wire.MD5, true
	}
	return 0, false
}

// Signer signs and verifies raw JSON, for whoever has a message outside a call: from a queue, a log line, another framework.
// It is safe for concurrent use. Make one with NewSigner.
//
// Within lists and objects the gateway signs a number with a fraction or an exponent as its Java prints the double.
// That is certain for 0 and from 1e-12 up to below 1e7, whatever the Java, and above for those that were measured:
// 1e7, 12345678.9, 123456789.123, 1e20. Any other such number is refused with ErrProtocol. Integers are signed as
// they are, and nulls in lists are dropped.
//
// An object that Verify accepts was signed with the secret. That alone does not say what kind of message it is, when it was
// signed, or that another text would not have the same signature: the client checks all that for the answers it receives.
type Signer struct {
	keys *signerKeys
	zone *time.Location
}

type signerKeys struct {
	signType SignType
	// secrets is a function because fmt prints those as addresses, wherever a Signer stands and whatever the verb. The first
	// one signs, any of them verifies.
	secrets func() []string
	keys    []*wire.Key // of the secrets
	depth   int
	objects sync.Pool // of *wire.Object
}

func (k *signerKeys) secret() string { return k.secrets()[0] }

func (k *signerKeys) signing() *wire.Key { return k.keys[0] }

// borrow returns an empty object to read into; giveBack takes it when nothing of it is needed any more.
func (k *signerKeys) borrow() *wire.Object {
	if o, ok := k.objects.Get().(*wire.Object); ok {
		return o
	}
	return &wire.Object{MaxDepth: k.depth}
}

func (k *signerKeys) giveBack(o *wire.Object) {
	o.Release()
	k.objects.Put(o)
}

// beijing is the zone of a gateway as installed.
var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

// NewSigner returns a signer for an algorithm and the gateway's secret (签名密钥). Times that a message prints as text are read
// in Chinese time; see In. Its errors are *ConfigErrors.
func NewSigner(signType SignType, secret string) (*Signer, error) {
	algorithm, ok := signType.algorithm()
	var faults []error
	if !ok {
		faults = append(faults, &ConfigError{Field: "SignType", Reason: fmt.Sprintf("must be %s or %s", HMACSHA256, MD5)})
	}
	if strings.TrimSpace(secret) == "" {
		faults = append(faults, &ConfigError{Field: "SignSecret", Reason: "must be set: it is the secret (签名密钥) in the gateway's settings"})
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return newSigner(signType, algorithm, wire.MaxDepth, secret), nil
}

// newSigner makes a signer of secrets of which the first one signs.
func newSigner(signType SignType, algorithm wire.Algorithm, depth int, secrets ...string) *Signer {
	k := &signerKeys{signType: signType, secrets: func() []string { return secrets }, depth: depth}
	for _, secret := range secrets {
		k.keys = append(k.keys, wire.NewKey(algorithm, secret))
	}
	return &Signer{keys: k, zone: beijing}
}

// signer makes the client's signer of a Config that was checked.
func (cfg Config) signer() *Signer {
	algorithm, _ := cfg.SignType.algorithm()
	secrets := append([]string{cfg.SignSecret}, cfg.PreviousSecrets...)
	return newSigner(cfg.SignType, algorithm, cfg.MaxDepth, secrets...).In(cfg.Location)
}

// Format implements fmt.Formatter for every verb, without the secret.
func (s Signer) Format(f fmt.State, _ rune) {
	if s.keys == nil {
		fmt.Fprint(f, "daxpay.Signer{not made with NewSigner}")
		return
	}
	fmt.Fprint(f, "daxpay.Signer{SignType:", s.keys.signType, "}")
}

// In returns a signer that reads times in another zone, that of the gateway. Nil is Chinese time.
func (s *Signer) In(zone *time.Location) *Signer {
	if s == nil {
		return nil
	}
	if zone == nil {
		zone = beijing
	}
	return &Signer{keys: s.keys, zone: zone}
}

// Canonical returns the text that is signed for a JSON object, without the key. The object's own sign does not count. An
// object that is not acceptable JSON gives ErrProtocol.
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

// Sign returns the signature of a JSON object: 64 lower-case hex digits, 32 for MD5. An object that is not acceptable JSON
// gives ErrProtocol.
func (s *Signer) Sign(object []byte) (string, error) {
	var buf [64]byte
	sign, err := s.AppendSign(buf[:0], object)
	if err != nil {
		return "", err
	}
	return string(sign), nil
}

// AppendSign is Sign, appended to dst, which takes no memory if dst has room for it. After an error it returns dst as it was.
func (s *Signer) AppendSign(dst, object []byte) ([]byte, error) {
	if s.readsFlat() {
		if signed, ok := s.keys.signing().AppendSignFlat(dst, object); ok {
			return signed, nil
		}
	}
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

// Verify checks the object's own sign. The object is a request, a notice, or the data of an answer. Its errors are a
// *SignError, or ErrProtocol for what is not acceptable JSON.
func (s *Signer) Verify(object []byte) error {
	if s.readsFlat() && len(s.keys.keys) == 1 && s.keys.signing().VerifyFlat(object) {
		return nil
	}
	o, err := s.read(object)
	if err != nil {
		return err
	}
	defer s.keys.giveBack(o)
	_, err = s.verify(o, object, "", "")
	return err
}

// readsFlat tells whether messages may be signed while they are read.
func (s *Signer) readsFlat() bool { return s != nil && s.keys != nil && s.keys.depth >= wire.FlatDepth }

// read borrows an object and reads into it.
func (s *Signer) read(object []byte) (*wire.Object, error) {
	if s == nil || s.keys == nil {
		return nil, &ConfigError{Field: "SignSecret", Reason: "is unknown: make the Signer with NewSigner"}
	}
	o := s.keys.borrow()
	if err := o.Read(object); err != nil {
		s.keys.giveBack(o)
		return nil, notAcceptable(err)
	}
	return o, nil
}

func notAcceptable(err error) error { return fmt.Errorf("%w: %w", ErrProtocol, err) }

// verify checks an object that was read from raw, and returns which secret signed it.
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

// SignError says that a message has no signature or a wrong one. It is ErrSignMissing or ErrSignMismatch.
type SignError struct {
	Path    string // of the call; empty from Signer.Verify
	TraceID string

	missing bool
	explain func() string // a function, so that no way of printing shows what was received
}

func (e *SignError) Error() string {
	s := e.Unwrap().Error()
	if e.Path != "" {
		s += ": " + e.Path
	}
	s += trace(e.TraceID)
	if e.missing {
		return s + "; if this is a gateway up to 2.0.5, which do not sign, set Gateway to GatewayV205"
	}
	return s + "; SignError.Explain shows what was compared"
}

// Unwrap tells which of the two it is.
func (e *SignError) Unwrap() error {
	if e.missing {
		return ErrSignMissing
	}
	return ErrSignMismatch
}

// Format prints the error's text whatever the verb, so that %#v does not show what was received.
func (e *SignError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.Error()) }

// Explain shows how the signature was computed and names the likely cause of the mismatch. The text is for the eyes of
// whoever runs the shop: it holds the message, and the signature that the message ought to have. Do not log it, do not send
// it to anyone.
func (e *SignError) Explain() string {
	if e == nil || e.explain == nil {
		return "nothing was compared"
	}
	return e.explain()
}

// explanation returns the function that explains why an object does not verify.
func (s *Signer) explanation(object []byte) func() string {
	return func() string { return s.compare(object) }
}

func (s *Signer) compare(object []byte) string {
	var o wire.Object
	if err := o.Read(object); err != nil {
		return err.Error()
	}
	canonical, err := o.AppendCanonical(nil, s.zone)
	if err != nil {
		return err.Error()
	}
	x := explanation{keys: s.keys, object: &o, canonical: string(canonical)}
	if given, ok := o.Get(wire.SignName); ok && given.Kind == wire.String {
		x.received = string(given.Text())
	}
	secret := x.keys.secret()
	mask := func(s string) string {
		for _, secret := range x.keys.secrets() {
			s = strings.ReplaceAll(s, secret, masked)
		}
		return s
	}
	expected := wire.Digest(x.algorithm(), secret, x.canonical+wire.KeyLabel+secret)
	var b strings.Builder
	fmt.Fprintf(&b, "algorithm: %s\n", x.keys.signType)
	fmt.Fprintf(&b, "text:      %s%s%s\n", mask(x.canonical), wire.KeyLabel, masked)
	fmt.Fprintf(&b, "expected:  %s\n", expected)
	fmt.Fprintf(&b, "received:  %s\n", mask(clip(x.received, maxMsg)))
	fmt.Fprintf(&b, "cause:     %s\n", x.cause())
	return b.String()
}

// explanation looks for the mistake under which the received signature would be right.
type explanation struct {
	keys      *signerKeys
	object    *wire.Object
	canonical string
	received  string
}

func (x *explanation) algorithm() wire.Algorithm {
	a, _ := x.keys.signType.algorithm()
	return a
}

func (x *explanation) cause() string {
	if x.received == "" {
		if data, ok := x.object.Get("data"); ok && data.Kind == wire.Dict {
			return "this is a whole answer; the signature is inside its data: verify that object"
		}
		return "the message has no signature. A gateway up to 2.0.5 does not sign its answers (Gateway: GatewayV205); any other always does"
	}
	secret, algorithm := x.keys.secret(), x.algorithm()
	other, otherName := wire.MD5, MD5
	if algorithm == wire.MD5 {
		other, otherName = wire.HMACSHA256, HMACSHA256
	}
	matches := func(a wire.Algorithm, secret, text string) bool {
		return strings.EqualFold(wire.Digest(a, secret, text), x.received)
	}
	signed := x.canonical + wire.KeyLabel
	if matches(algorithm, secret, signed+secret) {
		return "the digest is right but for upper case; the gateway sends lower case: something changed it"
	}
	if matches(other, secret, signed+secret) {
		return "the other side signs with " + string(otherName) + ": set SignType"
	}
	for _, blank := range []string{strings.TrimSpace(secret), secret + "\n", secret + "\r\n", secret + " ", " " + secret} {
		if blank != secret && matches(algorithm, blank, signed+blank) {
			return "one of the two sides has blanks or a line break around the secret: remove them"
		}
	}
	for _, upper := range []string{strings.ToUpper(signed + secret), strings.ToUpper(signed) + secret, strings.ToUpper(x.canonical) + wire.KeyLabel + secret} {
		if matches(algorithm, secret, upper) || matches(other, secret, upper) {
			return "the other side turns the text to upper case before signing it, as DaxPay 3.x does; this package speaks to 2.0.x"
		}
	}
	if matches(algorithm, secret, x.canonical+"&sign="+secret) {
		return `the other side appends "&sign=" and the secret; it should be "&key="`
	}
	if zone := x.zone(func(text string) bool { return matches(algorithm, secret, text+wire.KeyLabel+secret) }); zone != "" {
		return "the gateway prints times in another zone (" + zone + "): set Location"
	}
	return "none of the usual ones fits. Either the secrets differ, or the message was changed after it was signed"
}

// zone finds a zone in which the text matches.
func (x *explanation) zone(matches func(text string) bool) string {
	in := func(zone *time.Location) string {
		text, err := x.object.AppendCanonical(nil, zone)
		if err != nil {
			return ""
		}
		return string(text)
	}
	if in(time.UTC) == in(beijing) {
		return "" // no time in it is text
	}
	zones := []*time.Location{time.UTC, beijing, time.Local}
	for hour := -12; hour <= 14; hour++ {
		zones = append(zones, time.FixedZone(fmt.Sprintf("UTC%+d", hour), hour*60*60))
	}
	for _, zone := range zones {
		if matches(in(zone)) {
			return zone.String()
		}
	}
	return ""
}
