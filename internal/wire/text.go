package wire

import (
	"bytes"
	"errors"
	"hash"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// ErrNumber says that nobody can tell in which form a number is signed.
var ErrNumber = errors.New("a number has no certain form in the signed text: use an integer or a string")

// SignName is the member that carries the signature, and so is no part of what is signed.
const SignName = "sign"

// text collects the canonical text of one message. With a hash set, what was collected goes there whenever a block is full,
// so that a long message needs no second copy of itself.
//
// It walks over what Read accepted. An object whose members must be sorted is looked through for where they are, and then
// written; everything else is written while it is read. So no byte is seen more than twice, however deep it stands.
type text struct {
	buf   []byte
	sum   hash.Hash
	zone  *time.Location
	parts members // of the nested object whose members are being sorted; such objects do not stand in one another
	order order   // of these
	err   error

	fields [8]flatField // of the object in a list that flat is at
}

const (
	block = 4096
	slack = 256 // so much may be added to a block without a look at its length
)

// release lets go of the message, and of the memory that an unusual one took.
func (t *text) release() {
	t.parts.text = nil
	if max(cap(t.parts.entries), cap(t.parts.spelled), cap(t.order)) > usual {
		t.parts, t.order = members{}, nil
	}
}

// AppendCanonical appends the text that is signed for the object, without the key: the members but sign, nulls and empty
// lists, by name. Times that came as text are read in zone.
func (o *Object) AppendCanonical(dst []byte, zone *time.Location) ([]byte, error) {
	t := text{buf: dst, zone: zone}
	t.object(o)
	return t.buf, t.err
}

var signWord = word([]byte(SignName), 0, len(SignName))

func (e *entry) isSign() bool { return e.word == signWord && e.nameEnd-e.name == uint32(len(SignName)) }

func (t *text) object(o *Object) {
	var order []uint32
	if !o.inOrder { // as requests are
		order = o.sorted()
	}
	first := true
	for i := range o.entries {
		e := &o.entries[i]
		if order != nil {
			e = &o.entries[order[i]]
		}
		switch j := len(t.buf); {
		case e.kind == Null || e.isSign() || e.kind == List && isEmptyList(o.text, int(e.value)):
			continue
		case e.isVerbatim(o.text) && j+int(e.valueEnd-e.name)+spill <= cap(t.buf):
			b := t.buf[:cap(t.buf)]
			if !first {
				b[j] = '&'
				j++
			}
			t.buf = b[:e.put(b, o.text, j, '=')]
		default:
			if !first {
				t.byte('&')
			}
			t.top(&o.members, e)
		}
		first = false
	}
}

// isVerbatim tells whether a direct member of the message is signed as it stands in b, its quotes apart.
func (e *entry) isVerbatim(b []byte) bool {
	return e.isValue() && e.form&(escaped|decimal) == 0 && !e.spelled && (e.kind != String || !isTimeName(b[e.name:e.nameEnd]))
}

// put writes a name, a sign and a value, as they stand in b, to dst from j on, and returns the position behind them.
func (e *entry) put(dst, b []byte, j int, sign byte) int {
	value, valueEnd := int(e.value), int(e.valueEnd)
	if e.kind == String {
		value, valueEnd = value+1, valueEnd-1
	}
	j = copySpan(dst, b, j, int(e.name), int(e.nameEnd))
	dst[j] = sign
	return copySpan(dst, b, j+1, value, valueEnd)
}

// top writes a direct member of the message.
func (t *text) top(m *members, e *entry) {
	name := m.nameOf(e)
	if e.spelled {
		t.stripped(name)
	} else {
		t.bytes(name)
	}
	t.byte('=')
	if e.kind != String || !isTimeName(name) || !t.time(m, e) {
		t.member(m.text, e)
	}
}

func isEmptyList(b []byte, i int) bool { return b[skipSpace(b, i+1)] == ']' }

// member writes the value of a direct member of the message. It does not ask for its name, which makes some values times.
func (t *text) member(b []byte, e *entry) {
	raw := b[e.value:e.valueEnd]
	switch e.kind {
	case String:
		t.topString(raw, e.form)
	case Number:
		t.number(raw, e.form, false)
	case Dict:
		t.sortedDict(b, int(e.value), false)
	case List:
		t.list(b, int(e.value), true)
	default:
		t.bytes(raw)
	}
}

// topString writes a string of the message itself: nothing is escaped, quotes and backslashes go.
func (t *text) topString(raw []byte, f form) {
	inner := raw[1 : len(raw)-1]
	for f&escaped != 0 {
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

// nestedString writes a string inside an object or a list, from behind its opening quote, and returns the position behind its
// closing quote. The gateway escapes such a string as JSON first and deletes quotes and backslashes then, so the rest of an escape
// stays.
func (t *text) nestedString(b []byte, i int) int {
	start := i // of what is not written yet
	for {
		i = plain(b, i)
		switch c := b[i]; {
		case c == '"':
			t.bytes(b[start:i])
			return i + 1
		case c == '\\':
			t.bytes(b[start:i])
			r, rest := unescapeOne(b[i:])
			t.buf = appendNestedRune(t.buf, r)
			i = len(b) - len(rest)
			start = i
		case mayEscape(c):
			r, size := utf8.DecodeRune(b[i:])
			if gatewayEscapes(r) {
				t.bytes(b[start:i])
				t.buf = appendNestedRune(t.buf, r)
				start = i + size
			}
			i += size
		default:
			i++
			for classes[b[i]]&wide != 0 && !mayEscape(b[i]) {
				i++
			}
		}
	}
}

// mayEscape tells the first bytes of characters that gatewayEscapes may know.
func mayEscape(c byte) bool { return c == 0xC2 || c == 0xE2 }

// nestedText is nestedString for a text that is no JSON: the name of a member.
func (t *text) nestedText(name []byte) {
	if holds(name)&(inString|wide) == 0 {
		t.bytes(name)
		return
	}
	for len(name) > 0 {
		r, size := utf8.DecodeRune(name)
		t.buf = appendNestedRune(t.buf, r)
		name = name[size:]
	}
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

// list writes a list, without its nulls. The objects in a direct member of the message have their members sorted and
// may hold times.
func (t *text) list(b []byte, i int, direct bool) int {
	t.byte('[')
	first := true
	for i = skipSpace(b, i+1); b[i] != ']'; {
		if b[i] == 'n' {
			i += len("null")
		} else {
			if !first {
				t.byte(',')
			}
			first = false
			if direct && b[i] == '{' {
				i = t.sortedDict(b, i, true)
			} else {
				i = t.nested(b, i)
			}
		}
		if i = skipSpace(b, i); b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	t.byte(']')
	return i + 1
}

// sortedDict writes an object, without its nulls, in the order of the names.
func (t *text) sortedDict(b []byte, i int, times bool) int {
	end := t.parts.collect(b, i)
	t.byte('{')
	first := true
	for _, i := range t.order.of(&t.parts, true) {
		e := &t.parts.entries[i]
		if e.kind == Null {
			continue
		}
		name := t.parts.nameOf(e)
		isTime := times && e.kind == String && isTimeName(name)
		if !first {
			t.byte(',')
		}
		first = false
		if !isTime && !e.spelled && !e.foreign && e.isValue() && e.form == 0 && len(t.buf)+int(e.valueEnd-e.name)+spill <= cap(t.buf) {
			t.buf = t.buf[:e.put(t.buf[:cap(t.buf)], b, len(t.buf), ':')]
			continue
		}
		t.nestedText(name)
		t.byte(':')
		if !isTime || !t.time(&t.parts, e) {
			t.nested(b, int(e.value))
		}
	}
	t.byte('}')
	return end
}

// dict writes an object, without its nulls, in the order in which it came.
func (t *text) dict(b []byte, i int) int {
	t.byte('{')
	first := true
	for i = skipSpace(b, i+1); b[i] != '}'; {
		nameEnd, f := stringEnd(b, i+1)
		name := b[i+1 : nameEnd-1]
		i = skipSpace(b, skipSpace(b, nameEnd)+1)
		if b[i] == 'n' {
			i += len("null")
		} else {
			if !first {
				t.byte(',')
			}
			first = false
			if f&escaped != 0 {
				name = unescape(nil, name)
			}
			t.nestedText(name)
			t.byte(':')
			i = t.nested(b, i)
		}
		if i = skipSpace(b, i); b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	t.byte('}')
	return i + 1
}

// nested writes any value inside an object or a list.
func (t *text) nested(b []byte, i int) int {
	switch b[i] {
	case '"':
		return t.nestedString(b, i+1)
	case '{':
		return t.dict(b, i)
	case '[':
		return t.list(b, i, false)
	}
	var e entry
	end := skipValue(b, i, &e)
	if e.kind == Number {
		t.number(b[i:end], e.form, true)
	} else {
		t.bytes(b[i:end])
	}
	return end
}

// time writes a time that came as text as the Unix seconds that the gateway signed.
func (t *text) time(m *members, e *entry) bool {
	when, ok := ParseTime(m.valueOf(e).Text(), t.zone)
	if ok {
		t.buf = strconv.AppendInt(t.buf, when.Unix(), 10)
	}
	return ok
}

func isTimeName(name []byte) bool {
	const suffix = "Time"
	n := len(name)
	return n >= len(suffix) && name[n-1] == 'e' && string(name[n-len(suffix):]) == suffix
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

// number writes a number: an integer as it is, any other in plain decimal or, within another value, as the gateway's
// Java does.
func (t *text) number(raw []byte, f form, nested bool) {
	switch {
	case f&decimal == 0:
		t.bytes(raw)
	case nested:
		number, ok := javaNumber(raw)
		if !ok {
			t.err = ErrNumber
			return
		}
		t.bytes(number)
	default:
		number, ok := plainDecimal(raw)
		if !ok {
			t.err = ErrNumber
			return
		}
		t.bytes(number)
	}
}

// maxExponent is more than any amount, time or count has. Larger ones are refused: they would turn a few bytes into very
// many.
const maxExponent = 40

// plainDecimal spells a number with a fraction or an exponent out.
func plainDecimal(raw []byte) ([]byte, bool) {
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

// stripped writes a member name that held escapes.
func (t *text) stripped(name []byte) {
	for {
		i := bytes.IndexAny(name, `"\`)
		if i < 0 {
			break
		}
		t.bytes(name[:i])
		name = name[i+1:]
	}
	t.bytes(name)
}

func (t *text) byte(c byte) {
	if len(t.buf) > block-slack {
		t.flush()
	}
	t.buf = append(t.buf, c)
}

func (t *text) bytes(b []byte) {
	if len(t.buf)+len(b) > block-slack && t.sum != nil {
		t.flush()
		if len(b) > block-slack {
			t.sum.Write(b)
			return
		}
	}
	t.buf = append(t.buf, b...)
}

func (t *text) flush() {
	if t.sum != nil {
		t.sum.Write(t.buf)
		t.buf = t.buf[:0]
	}
}
