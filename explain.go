package daxpay

import (
	"fmt"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/internal/wire"
)

// SignError says that a message has no signature or a wrong one. It is ErrSignMissing or ErrSignMismatch.
type SignError struct {
	Path    string // of the call; empty from Signer.Verify
	TraceID string

	missing bool
	edition string        // of DaxPay, if it seems to be another one than 2.0.x
	explain func() string // a function, because fmt does not print what it holds
}

func (e *SignError) Error() string {
	s := e.Unwrap().Error()
	if e.Path != "" {
		s += ": " + e.Path
	}
	s += trace(e.TraceID)
	if e.edition != "" {
		return "daxpay: " + e.Path + ": " + editionAdvice(e.edition) + "; " + strings.TrimPrefix(s, "daxpay: ")
	}
	if e.missing {
		return s + "; if the gateway is 2.0.5 or older, which does not sign, set Gateway to GatewayV205"
	}
	return s + "; compare SignSecret and SignType with the gateway's settings; SignError.Explain shows what was compared"
}

// Unwrap returns ErrSignMissing or ErrSignMismatch.
func (e *SignError) Unwrap() error {
	if e.missing {
		return ErrSignMissing
	}
	return ErrSignMismatch
}

// Format prints the error's text for every verb, so that %#v does not show what was received.
func (e *SignError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.Error()) }

// Explain shows how the signature was computed and names the likely cause of the mismatch. The text is for the eyes of
// the merchant's operator: it contains the message, and the signature that the message should have. Do not log it or
// send it to anyone.
func (e *SignError) Explain() string {
	if e == nil || e.explain == nil {
		return "nothing was compared"
	}
	if e.edition != "" {
		return e.explain() + "hint:      " + editionAdvice(e.edition) + "\n"
	}
	return e.explain()
}

// explanation returns a function that explains why the object does not verify.
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

// explanation looks for a mistake that would explain the received signature.
type explanation struct {
	keys      *signerKeys
	object    *wire.Object
	canonical string
	received  string
}

func (x *explanation) algorithm() wire.Algorithm {
	return x.keys.signType.algorithm()
}

func (x *explanation) cause() string {
	if x.received == "" {
		if data, ok := x.object.Get("data"); ok && data.Kind == wire.Dict {
			return "this is a whole answer; the signature is inside its data: verify that object"
		}
		return "the message has no signature. A gateway up to 2.0.5 does not sign its answers (Gateway: GatewayV205); any " +
			"other always does"
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
		return "the signature is right, but in upper case: something changed it, the gateway sends lower case"
	}
	if matches(other, secret, signed+secret) {
		return "the other side signs with " + string(otherName) + ": set SignType"
	}
	for _, blank := range []string{strings.TrimSpace(secret), secret + "\n", secret + "\r\n", secret + " ", " " + secret} {
		if blank != secret && matches(algorithm, blank, signed+blank) {
			return "one of the two sides has blanks or a line break around the secret: remove them"
		}
	}
	for _, upper := range []string{strings.ToUpper(signed + secret), strings.ToUpper(signed) + secret,
		strings.ToUpper(x.canonical) + wire.KeyLabel + secret} {
		if matches(algorithm, secret, upper) || matches(other, secret, upper) {
			return "the other side converts the text to upper case before signing it, as DaxPay 3.x does; this package is for " +
				"2.0.x"
		}
	}
	if matches(algorithm, secret, x.canonical+"&sign="+secret) {
		return `the other side appends "&sign=" and the secret; it should be "&key="`
	}
	zone := x.zone(func(text string) bool { return matches(algorithm, secret, text+wire.KeyLabel+secret) })
	if zone != "" {
		return "the gateway prints times in another zone (" + zone + "): set Location"
	}
	return "none of the usual ones fits. Either the secrets differ, or the message was changed after it was signed"
}

// zone returns the zone in which the text matches, "" if there is none.
func (x *explanation) zone(matches func(text string) bool) string {
	in := func(zone *time.Location) string {
		text, err := x.object.AppendCanonical(nil, zone)
		if err != nil {
			return ""
		}
		return string(text)
	}
	if in(time.UTC) == in(beijing) {
		return "" // the object has no time as text
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
