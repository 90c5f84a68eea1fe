package daxpaytest

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
	"math/big"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/daxpay-go/daxpay"
)

// This file computes signatures as the gateway does, and shares nothing with the client: not its reader, not its canonical
// text, not its digests. Two ways to the same signature find each other's mistakes.

// pair is a member of an object.
type pair struct {
	name  string
	value any // nil, bool, json.Number, string, []any or object
}

// object keeps its members in order.
type object []pair

func (o object) get(name string) any {
	for _, p := range o {
		if p.name == name {
			return p.value
		}
	}
	return nil
}

// only drops the members that are not in names, as the gateway does when it reads a request.
func (o object) only(names map[string]int) object {
	var known object
	for _, p := range o {
		if _, ok := names[p.name]; ok {
			known = append(known, p)
		}
	}
	return known
}

// parse reads one JSON object.
func parse(body []byte) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	value, err := parseValue(decoder)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	o, ok := value.(object)
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
		o := object{}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := parseValue(decoder)
			if err != nil {
				return nil, err
			}
			o = append(o, pair{name: fmt.Sprint(name), value: value})
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

// sign computes the signature of a flat message.
func sign(o object, signType daxpay.SignType, secret string, zone *time.Location) string {
	text := canonical(o, zone) + "&key=" + secret
	if signType == daxpay.MD5 {
		sum := md5.Sum([]byte(text)) //nolint:gosec // see above
		return hex.EncodeToString(sum[:])
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

var stripper = strings.NewReplacer(`"`, "", `\`, "")

func canonical(o object, zone *time.Location) string {
	var parts []pair
	for _, p := range o {
		list, isList := p.value.([]any)
		if p.name == "sign" || p.value == nil || isList && len(list) == 0 {
			continue
		}
		parts = append(parts, p)
	}
	sort.Slice(parts, func(i, j int) bool { return lessUTF16(parts[i].name, parts[j].name) })
	joined := make([]string, len(parts))
	for i, p := range parts {
		joined[i] = p.name + "=" + topText(p, zone)
	}
	return stripper.Replace(strings.Join(joined, "&"))
}

func topText(p pair, zone *time.Location) string {
	switch value := p.value.(type) {
	case string:
		return unixText(p.name, value, zone, value)
	case json.Number:
		return decimal(value, false)
	case object:
		return objectText(value, true, nil)
	case []any:
		items := make([]string, len(value))
		for i, item := range value {
			if o, ok := item.(object); ok {
				items[i] = objectText(o, true, zone)
			} else {
				items[i] = nestedText(item)
			}
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return fmt.Sprint(p.value)
}

// objectText writes an object inside the message; a zone says that it may hold times.
func objectText(o object, sorted bool, zone *time.Location) string {
	var parts []pair
	for _, p := range o {
		if p.value != nil {
			parts = append(parts, p)
		}
	}
	if sorted {
		sort.SliceStable(parts, func(i, j int) bool { return lessUTF16(foldJava(parts[i].name), foldJava(parts[j].name)) })
	}
	joined := make([]string, len(parts))
	for i, p := range parts {
		text := nestedText(p.value)
		if s, ok := p.value.(string); ok && zone != nil {
			text = unixText(p.name, s, zone, text)
		}
		joined[i] = escapeJava(p.name) + ":" + text
	}
	return "{" + strings.Join(joined, ",") + "}"
}

func nestedText(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case string:
		return escapeJava(value)
	case json.Number:
		return decimal(value, true)
	case object:
		return objectText(value, false, nil)
	case []any:
		items := make([]string, len(value))
		for i, item := range value {
			items[i] = nestedText(item)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return fmt.Sprint(value)
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`)

// unixText turns a printed time into the Unix seconds that are signed for it.
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

// escapeJava escapes as the JSON writer of the gateway does; quotes and backslashes are removed later.
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
		case r <= 0x1F, r >= 0x80 && r <= 0xA0, r >= 0x2000 && r <= 0x2010, r >= 0x2028 && r <= 0x202F, r >= 0x2066 && r <= 0x206F:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// decimal spells a number out, without a fraction's trailing zeros if trim is set.
func decimal(n json.Number, trim bool) string {
	mantissa, _, scientific := strings.Cut(strings.ToLower(n.String()), "e")
	places := 0
	if _, fraction, ok := strings.Cut(mantissa, "."); ok {
		places = len(fraction)
	}
	value, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return n.String()
	}
	if scientific {
		exponent, err := strconv.Atoi(n.String()[len(mantissa)+1:])
		if err != nil {
			return n.String()
		}
		places = max(0, places-exponent)
	}
	text := value.FloatString(places)
	if trim && strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
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
