// Package peer computes signatures as the gateway does. It shares no code with the client: neither the JSON reader, nor
// the canonical text, nor the digests. Two independent implementations find each other's mistakes. Package daxpaytest
// signs with it, and tests compare the client with it.
package peer

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // one of the two algorithms of the protocol
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// Pair is a member of an object. It is an alias, so literals may leave out the names of its fields.
type Pair = struct {
	Name  string
	Value any // nil, bool, json.Number, string, []any or Object
}

// Object is a JSON object. It keeps its members in order.
type Object []Pair

// Get returns the value of the first member with a name, nil if there is none.
func (o Object) Get(name string) any {
	for _, p := range o {
		if p.Name == name {
			return p.Value
		}
	}
	return nil
}

// Only returns the members that are in names, as the gateway reads a request.
func (o Object) Only(names map[string]int) Object {
	var known Object
	for _, p := range o {
		if _, ok := names[p.Name]; ok {
			known = append(known, p)
		}
	}
	return known
}

// Parse reads one JSON object. It is as lenient as encoding/json. A member that occurs twice stays twice.
func Parse(body []byte) (Object, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	value, err := parseValue(decoder)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	o, ok := value.(Object)
	if !ok {
		return nil, errors.New("an object is expected")
	}
	return o, nil
}

func parseValue(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		o := Object{}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := parseValue(decoder)
			if err != nil {
				return nil, err
			}
			o = append(o, Pair{Name: fmt.Sprint(name), Value: value})
		}
		_, err = decoder.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			value, err := parseValue(decoder)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = decoder.Token()
		return list, err
	}
	return token, nil
}

// The algorithms, as the gateway's settings name them.
const (
	HMACSHA256 = "HMAC_SHA256"
	MD5        = "MD5"
)

// Sign returns the signature of a message. It ignores a member sign.
func Sign(o Object, signType, secret string, zone *time.Location) string {
	return Digest(Canonical(o, zone), signType, secret)
}

// Digest returns the signature of a canonical text.
func Digest(text, signType, secret string) string {
	text += "&key=" + secret
	if signType == MD5 {
		sum := md5.Sum([]byte(text)) //nolint:gosec // see above
		return hex.EncodeToString(sum[:])
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// Strip deletes quotes and backslashes, as the gateway does with the whole text before it signs.
func Strip(s string) string { return stripper.Replace(s) }

var stripper = strings.NewReplacer(`"`, "", `\`, "")

// Canonical returns the text that is signed for a message, without the key.
func Canonical(o Object, zone *time.Location) string {
	var parts []Pair
	for _, p := range o {
		list, isList := p.Value.([]any)
		if p.Name == "sign" || p.Value == nil || isList && len(list) == 0 {
			continue
		}
		parts = append(parts, p)
	}
	sort.Slice(parts, func(i, j int) bool { return lessUTF16(parts[i].Name, parts[j].Name) })
	joined := make([]string, len(parts))
	for i, p := range parts {
		joined[i] = p.Name + "=" + TopText(p, zone)
	}
	return stripper.Replace(strings.Join(joined, "&"))
}

// TopText returns the text that is signed for a direct member of a message, before Strip.
func TopText(p Pair, zone *time.Location) string {
	switch value := p.Value.(type) {
	case string:
		return unixText(p.Name, value, zone, value)
	case json.Number:
		return decimal(value)
	case Object:
		return objectText(value, true, nil)
	case []any:
		return listText(value, func(item any) string {
			if o, ok := item.(Object); ok {
				return objectText(o, true, zone)
			}
			return NestedText(item)
		})
	}
	return fmt.Sprint(p.Value)
}

// objectText writes an object inside the message. With a zone, times in it are signed as Unix seconds.
func objectText(o Object, sorted bool, zone *time.Location) string {
	var parts []Pair
	for _, p := range o {
		if p.Value != nil {
			parts = append(parts, p)
		}
	}
	if sorted {
		sort.SliceStable(parts, func(i, j int) bool { return lessUTF16(foldJava(parts[i].Name), foldJava(parts[j].Name)) })
	}
	joined := make([]string, len(parts))
	for i, p := range parts {
		text := NestedText(p.Value)
		if s, ok := p.Value.(string); ok && zone != nil {
			text = unixText(p.Name, s, zone, text)
		}
		joined[i] = escapeJava(p.Name) + ":" + text
	}
	return "{" + strings.Join(joined, ",") + "}"
}

// NestedText returns the text that is signed for a value inside an object or a list, before Strip.
func NestedText(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case string:
		return escapeJava(value)
	case json.Number:
		return javaText(value)
	case Object:
		return objectText(value, false, nil)
	case []any:
		return listText(value, NestedText)
	}
	return fmt.Sprint(value)
}

// listText writes a list without its nulls.
func listText(list []any, text func(item any) string) string {
	items := []string{}
	for _, item := range list {
		if item != nil {
			items = append(items, text(item))
		}
	}
	return "[" + strings.Join(items, ",") + "]"
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`)

// unixText returns the Unix seconds that are signed for a time given as text, and otherwise for any other value.
func unixText(name, value string, zone *time.Location, otherwise string) string {
	if !strings.HasSuffix(name, "Time") || !timeForm.MatchString(value) {
		return otherwise
	}
	when, err := time.ParseInLocation(time.DateTime, value, zone)
	if err != nil {
		return otherwise
	}
	return fmt.Sprint(when.Unix())
}

// escapeJava escapes as the JSON writer of the gateway does, except quotes and backslashes, which Strip deletes.
func escapeJava(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r <= 0x1F, r >= 0x80 && r <= 0xA0, r >= 0x2000 && r <= 0x2010, r >= 0x2028 && r <= 0x202F,
			r >= 0x2066 && r <= 0x206F:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// javaText returns a number within another value as Java prints it: an integer as it is; any other number as a double,
// with the fewest digits that identify it and without a superfluous fraction. A number that no double can hold stays as
// it is: no one can send that.
func javaText(n json.Number) string {
	if !strings.ContainsAny(n.String(), ".eE") {
		return decimal(n)
	}
	value, err := n.Float64()
	if err != nil {
		return n.String()
	}
	sign := ""
	if math.Signbit(value) {
		sign, value = "-", -value
	}
	if value == 0 {
		return sign + "0"
	}
	digits := 1
	text := strconv.FormatFloat(value, 'e', digits-1, 64)
	for again, _ := strconv.ParseFloat(text, 64); again != value; again, _ = strconv.ParseFloat(text, 64) {
		digits++
		text = strconv.FormatFloat(value, 'e', digits-1, 64)
	}
	if value >= 0.001 && value < 10_000_000 {
		exact, _ := new(big.Rat).SetString(text)
		return sign + trimZeros(exact.FloatString(digits+3))
	}
	mantissa, exponent, _ := strings.Cut(text, "e")
	if digits == 1 {
		mantissa += ".0"
	}
	e, _ := strconv.Atoi(exponent)
	return fmt.Sprintf("%s%sE%d", sign, mantissa, e)
}

func trimZeros(s string) string { return strings.TrimRight(strings.TrimRight(s, "0"), ".") }

// decimal writes a number without an exponent. A number that would be thousands of digits long stays as it is: no one
// signs it.
func decimal(n json.Number) string {
	mantissa, digits, scientific := strings.Cut(strings.ToLower(n.String()), "e")
	places := 0
	if _, fraction, ok := strings.Cut(mantissa, "."); ok {
		places = len(fraction)
	}
	if scientific {
		const most = 1000
		exponent, err := strconv.Atoi(digits)
		if err != nil || exponent < -most || exponent > most {
			return n.String()
		}
		places = max(0, places-exponent)
	}
	value, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return n.String()
	}
	return value.FloatString(places)
}

func foldJava(s string) string {
	return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, s)
}

func lessUTF16(a, b string) bool {
	ua, ub := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	for i := 0; i < len(ua) && i < len(ub); i++ {
		if ua[i] != ub[i] {
			return ua[i] < ub[i]
		}
	}
	return len(ua) < len(ub)
}

// Encode returns JSON without escapes for HTML, which the gateway does not use either.
func Encode(value any) []byte {
	var b bytes.Buffer
	switch value := value.(type) {
	case Object:
		b.WriteByte('{')
		for i, p := range value {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(Encode(p.Name))
			b.WriteByte(':')
			b.Write(Encode(p.Value))
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range value {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(Encode(item))
		}
		b.WriteByte(']')
	default:
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(value) // nil, bool, json.Number or string: cannot fail
		b.Truncate(b.Len() - 1)
	}
	return b.Bytes()
}
