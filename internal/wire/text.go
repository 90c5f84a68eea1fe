package wire

import (
	"bytes"
	"errors"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrNumber says that a number has an exponent that no amount, time or count ever needs.
var ErrNumber = errors.New("a number is out of range")

// SignName is the member that carries the signature, and so is no part of what is signed.
const SignName = "sign"

// text collects the canonical text of one message. With a hash set, what was collected goes there whenever a block is full,
// so that a long message needs no second copy of itself.
type text struct {
	buf     []byte
	sum     hash.Hash
	zone    *time.Location
	members []Member // of the nested objects being written, innermost last
	err     error
}

const block = 4096

// AppendCanonical appends the text that is signed for the object, without the key: the members but sign, nulls and empty
// lists, by name. Times that came as text are read in zone.
func (o *Object) AppendCanonical(dst []byte, zone *time.Location) ([]byte, error) {
	t := text{buf: dst, zone: zone}
	t.object(o)
	return t.buf, t.err
}

func (t *text) object(o *Object) {
	first := true
	for _, i := range o.sorted() {
		m := &o.Members[i]
		if string(m.Name) == SignName || m.Value.Kind == Null || isEmptyList(m.Value) {
			continue
		}
		if !first {
			t.write("&")
		}
		first = false
		t.stripped(m.Name)
		t.write("=")
		t.member(m)
	}
}

func isEmptyList(v Value) bool {
	return v.Kind == List && v.Raw[skipSpace(v.Raw, 1)] == ']'
}

// member writes the value of a direct member of the message.
func (t *text) member(m *Member) {
	switch v := m.Value; v.Kind {
	case String:
		if !t.time(m) {
			t.topString(v)
		}
	case Number:
		t.number(v.Raw, false)
	case Dict:
		t.dict(v.Raw, true, false)
	case List:
		t.list(v.Raw, true)
	default:
		t.bytes(v.Raw)
	}
}

// topString writes a string of the message itself: nothing is escaped, quotes and backslashes go.
func (t *text) topString(v Value) {
	inner := v.Raw[1 : len(v.Raw)-1]
	for v.Escaped {
		i := bytes.IndexByte(inner, '\\')
		if i < 0 {
			break
		}
		t.bytes(inner[:i])
		var r rune
		r, inner = unescapeOne(inner[i:])
		if r != '"' && r != '\\' {
			t.buf = utf8.AppendRune(t.buf, r)
		}
	}
	t.bytes(inner)
}

// nestedString writes a string inside an object or a list. The gateway escapes it as JSON first and deletes quotes and
// backslashes then, so the rest of an escape stays.
func (t *text) nestedString(v Value) {
	inner := v.Raw[1 : len(v.Raw)-1]
	for len(inner) > 0 {
		plain := plainPrefix(inner)
		t.bytes(inner[:plain])
		inner = inner[plain:]
		if len(inner) == 0 {
			return
		}
		var r rune
		if inner[0] == '\\' {
			r, inner = unescapeOne(inner)
		} else {
			var size int
			r, size = utf8.DecodeRune(inner)
			inner = inner[size:]
		}
		t.buf = appendNestedRune(t.buf, r)
	}
}

// plainPrefix counts the leading bytes that stand for themselves in nested text.
func plainPrefix(b []byte) int {
	for i, c := range b {
		if c == '\\' || c == '"' || c < ' ' || c >= utf8.RuneSelf {
			return i
		}
	}
	return len(b)
}

// appendNestedRune appends what is left of a character of nested text once it was escaped and stripped.
func appendNestedRune(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return dst
	case r == '\b':
		return append(dst, 'b')
	case r == '\f':
		return append(dst, 'f')
	case r == '\n':
		return append(dst, 'n')
	case r == '\r':
		return append(dst, 'r')
	case r == '\t':
		return append(dst, 't')
	case gatewayEscapes(r):
		const digits = "0123456789abcdef"
		return append(dst, 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
	}
	return utf8.AppendRune(dst, r)
}

// gatewayEscapes tells the characters that the gateway's JSON writer turns into \uXXXX.
func gatewayEscapes(r rune) bool {
	return r < ' ' ||
		0x80 <= r && r <= 0xA0 ||
		0x2000 <= r && r <= 0x2010 ||
		0x2028 <= r && r <= 0x202F ||
		0x2066 <= r && r <= 0x206F
}

// list writes a list. The objects in a direct member of the message have their members sorted and may hold times.
func (t *text) list(raw []byte, direct bool) {
	t.write("[")
	for v, i := itemAt(raw, 1); i > 0; v, i = itemAt(raw, i) {
		if direct {
			t.item(v)
		} else {
			t.nested(v)
		}
		if raw[i] == ',' {
			t.write(",")
		}
	}
	t.write("]")
}

// item writes an element of a list that is a direct member of the message.
func (t *text) item(v Value) {
	if v.Kind == Dict {
		t.dict(v.Raw, true, true)
	} else {
		t.nested(v)
	}
}

// dict writes an object, without its nulls.
func (t *text) dict(raw []byte, sorted, times bool) {
	base := len(t.members)
	for m, i := memberAt(raw, 1); i > 0; m, i = memberAt(raw, i) {
		if m.Value.Kind != Null {
			t.members = append(t.members, m)
		}
	}
	members := t.members[base:]
	if sorted {
		slices.SortFunc(members, func(a, b Member) int { return compareFold(a.Name, b.Name) })
	}
	t.write("{")
	for i := range members {
		if i > 0 {
			t.write(",")
		}
		t.nestedName(members[i].Name)
		t.write(":")
		if !times || !t.time(&members[i]) {
			t.nested(members[i].Value)
		}
	}
	t.write("}")
	t.members = t.members[:base]
}

func (t *text) nestedName(name []byte) {
	for len(name) > 0 {
		plain := plainPrefix(name)
		t.bytes(name[:plain])
		name = name[plain:]
		if len(name) > 0 {
			r, size := utf8.DecodeRune(name)
			t.buf = appendNestedRune(t.buf, r)
			name = name[size:]
		}
	}
}

func (t *text) nested(v Value) {
	switch v.Kind {
	case String:
		t.nestedString(v)
	case Number:
		t.number(v.Raw, true)
	case Dict:
		t.dict(v.Raw, false, false)
	case List:
		t.list(v.Raw, false)
	default:
		t.bytes(v.Raw)
	}
}

// time writes a time that came as text as the Unix seconds that the gateway signed.
func (t *text) time(m *Member) bool {
	if m.Value.Kind != String || !isTimeName(m.Name) {
		return false
	}
	when, ok := ParseTime(m.Value.Text(), t.zone)
	if ok {
		t.buf = strconv.AppendInt(t.buf, when.Unix(), 10)
	}
	return ok
}

func isTimeName(name []byte) bool {
	return bytes.HasSuffix(name, []byte("Time"))
}

// ParseTime reads yyyy-MM-dd HH:mm:ss, the one form in which the gateway prints times, and nothing else.
func ParseTime(s []byte, zone *time.Location) (time.Time, bool) {
	const form = "dddd-dd-dd dd:dd:dd"
	if len(s) != len(form) {
		return time.Time{}, false
	}
	var parts [6]int
	part := 0
	for i, c := range s {
		switch {
		case form[i] == 'd' && '0' <= c && c <= '9':
			parts[part] = parts[part]*10 + int(c-'0')
		case form[i] != 'd' && form[i] == c:
			part++
		default:
			return time.Time{}, false
		}
	}
	when := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], 0, zone)
	if when.Month() != time.Month(parts[1]) || when.Day() != parts[2] || when.Minute() != parts[4] || when.Second() != parts[5] {
		return time.Time{}, false
	}
	return when, parts[1] > 0 && parts[3] < 24
}

// number writes a number in plain decimal; trim drops the trailing zeros of a fraction.
func (t *text) number(raw []byte, trim bool) {
	if bytes.IndexByte(raw, '.') < 0 && bytes.IndexByte(raw, 'e') < 0 && bytes.IndexByte(raw, 'E') < 0 {
		if string(raw) == "-0" {
			raw = raw[1:]
		}
		t.bytes(raw)
		return
	}
	plain, ok := plainDecimal(raw, trim)
	if !ok {
		t.err = ErrNumber
		return
	}
	t.bytes(plain)
}

// maxExponent is more than any amount, time or count has. Larger ones are refused: they would turn a few bytes into very
// many.
const maxExponent = 40

// plainDecimal spells a number with a fraction or an exponent out.
func plainDecimal(raw []byte, trim bool) ([]byte, bool) {
	mantissa, exponent := raw, 0
	if i := bytes.IndexAny(raw, "eE"); i >= 0 {
		e, err := strconv.Atoi(string(raw[i+1:]))
		if err != nil || e < -maxExponent || e > maxExponent {
			return nil, false
		}
		mantissa, exponent = raw[:i], e
	}
	negative := mantissa[0] == '-'
	if negative {
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := slices.Concat(whole, fraction)
	point := len(whole) + exponent
	if point <= 0 {
		digits = append(bytes.Repeat([]byte("0"), 1-point), digits...)
		point = 1
	}
	if point > len(digits) {
		digits = append(digits, bytes.Repeat([]byte("0"), point-len(digits))...)
	}
	whole, fraction = bytes.TrimLeft(digits[:point], "0"), digits[point:]
	if len(whole) == 0 {
		whole = []byte("0")
	}
	if trim {
		fraction = bytes.TrimRight(fraction, "0")
	}
	var plain []byte
	if negative && len(bytes.Trim(digits, "0")) > 0 {
		plain = append(plain, '-')
	}
	plain = append(plain, whole...)
	if len(fraction) > 0 {
		plain = append(append(plain, '.'), fraction...)
	}
	return plain, true
}

// stripped writes a member name.
func (t *text) stripped(name []byte) {
	for len(name) > 0 {
		i := bytes.IndexAny(name, `"\`)
		if i < 0 {
			break
		}
		t.bytes(name[:i])
		name = name[i+1:]
	}
	t.bytes(name)
}

// write is for short constants.
func (t *text) write(s string) {
	t.buf = append(t.buf, s...)
}

func (t *text) bytes(b []byte) {
	if t.sum != nil && len(t.buf)+len(b) > block {
		t.sum.Write(t.buf)
		t.buf = t.buf[:0]
		if len(b) > block {
			t.sum.Write(b)
			return
		}
	}
	t.buf = append(t.buf, b...)
}

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r' {
		i++
	}
	return i
}

// itemAt reads the element of a list at or behind raw[i], which is behind the opening bracket or the element before. It
// returns the position behind the element, 0 if there was none.
func itemAt(raw []byte, i int) (Value, int) {
	i = skipSpace(raw, i)
	if raw[i] == ',' {
		i = skipSpace(raw, i+1)
	}
	if raw[i] == ']' {
		return Value{}, 0
	}
	v := valueAt(raw, i)
	return v, skipSpace(raw, i+len(v.Raw))
}

// memberAt is itemAt for the members of an object.
func memberAt(raw []byte, i int) (Member, int) {
	i = skipSpace(raw, i)
	if raw[i] == ',' {
		i = skipSpace(raw, i+1)
	}
	if raw[i] == '}' {
		return Member{}, 0
	}
	name := valueAt(raw, i)
	i = skipSpace(raw, i+len(name.Raw))
	v := valueAt(raw, skipSpace(raw, i+1))
	return Member{Name: name.Text(), Value: v}, skipSpace(raw, skipSpace(raw, i+1)+len(v.Raw))
}

// valueAt finds the value that starts at b[i], in a text that Read accepted.
func valueAt(b []byte, i int) Value {
	end := i + 1
	switch b[i] {
	case '"':
		end = stringEnd(b, i)
		return Value{Kind: String, Escaped: bytes.IndexByte(b[i:end], '\\') >= 0, Raw: b[i:end]}
	case '{', '[':
		for depth := 1; depth > 0; end++ {
			switch b[end] {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			case '"':
				end = stringEnd(b, end) - 1
			}
		}
		if b[i] == '{' {
			return Value{Kind: Dict, Raw: b[i:end]}
		}
		return Value{Kind: List, Raw: b[i:end]}
	}
	for end < len(b) && strings.IndexByte(",]} \n\t\r", b[end]) < 0 {
		end++
	}
	v := Value{Kind: Number, Raw: b[i:end]}
	switch b[i] {
	case 't', 'f':
		v.Kind = Bool
	case 'n':
		v.Kind = Null
	}
	return v
}

func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}
