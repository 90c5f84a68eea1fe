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

// ErrNumber says that the form in which a number is signed is not certain.
var ErrNumber = errors.New("a number has no certain form in the signed text: use an integer or a string")

// SignName is the member that holds the signature. It is not signed itself.
const SignName = "sign"

// text collects the canonical text of one message. If sum is set, it gets every block that is full, and a long message
// needs no second copy in memory.
type text struct {
	buf  []byte
	sum  hash.Hash
	zone *time.Location
	// digits has room for most numbers.
	digits [64]byte
	parts  members // of the object that is being sorted; none of the objects inside it are sorted
	err    error
}

const (
	block = 4096
	slack = 1024 // room for what is added without a look at the length: a name and what stands around it
)

// release drops the reference to the message, and the memory that an unusual one took.
func (t *text) release() {
	t.parts.text = nil
	if t.parts.isLarge() {
		t.parts = members{}
	}
}

// AppendCanonical appends the text that is signed for the object, without the key: all members except sign, nulls and
// empty lists, sorted by name. Times that came as text are read in zone.
func (o *Object) AppendCanonical(dst []byte, zone *time.Location) ([]byte, error) {
	t := text{buf: dst, zone: zone}
	t.message(&o.members)
	return t.buf, t.err
}

var signKey = firstWordOf(SignName)

func (e *entry) isSign() bool { return e.key == signKey && int(e.nameLength) == len(SignName) }

func (t *text) message(m *members) {
	first := true
	for _, r := range m.inOrder() {
		e := &m.entries[r.index]
		if e.kind == Null || e.isSign() || e.kind == List && m.text[skipSpace(m.text, int(e.value)+1)] == ']' {
			continue
		}
		if !first {
			t.buf = append(t.buf, '&')
		}
		first = false
		name := m.nameOf(e)
		if e.nameForm&escaped != 0 {
			t.buf = appendSigned(t.buf, name, false)
		} else {
			t.buf = append(t.buf, name...)
		}
		t.buf = append(t.buf, '=')
		if e.kind != String || !isTimeName(name) || !t.time(m, e) {
			t.member(m.text, int(e.value), int(e.valueEnd), e.kind, e.form)
		}
	}
}

// member writes the value of a direct member of the message, unless it is a time: only the name tells that.
func (t *text) member(b []byte, start, end int, kind Kind, form class) {
	switch kind {
	case String:
		t.topString(b[start+1:end-1], form)
	case Number:
		t.number(b[start:end], form, false)
	case Dict:
		t.sortedDict(b, start, false)
	case List:
		t.list(b, start, true)
	default:
		t.bytes(b[start:end])
	}
}

// topString writes a string that is a direct member: without escapes, quotes and backslashes.
func (t *text) topString(inner []byte, form class) {
	if form&escaped != 0 {
		for i := bytes.IndexByte(inner, '\\'); i >= 0; i = bytes.IndexByte(inner, '\\') {
			t.bytes(inner[:i])
			var r rune
			r, inner = unescapeOne(inner[i:])
			if r != '"' && r != '\\' {
				t.buf = utf8.AppendRune(t.buf, r)
			}
		}
	}
	t.bytes(inner)
}

// nestedString writes a string inside an object or a list, and returns the position behind it. The gateway first
// escapes such a string as JSON, then deletes quotes and backslashes, so the rest of each escape stays.
func (t *text) nestedString(b []byte, i int) int {
	i++
	start := i // of what is not written yet
	for {
		i, _ = plain(b, i)
		switch b[i] {
		case '"':
			t.bytes(b[start:i])
			return i + 1
		case '\\':
			t.bytes(b[start:i])
			r, rest := unescapeOne(b[i:])
			t.buf = appendNestedRune(t.buf, r)
			i = len(b) - len(rest)
			start = i
		default:
			r, size := utf8.DecodeRune(b[i:])
			if gatewayEscapes(r) {
				t.bytes(b[start:i])
				t.buf = appendNestedRune(t.buf, r)
				start = i + size
			}
			i += size
		}
	}
}

// appendSigned appends what is signed for a text that is given unescaped, in valid UTF-8.
func appendSigned(dst, s []byte, nested bool) []byte {
	dst = slices.Grow(dst, len(s))
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		s = s[size:]
		if nested {
			dst = appendNestedRune(dst, r)
		} else if r != '"' && r != '\\' {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// appendNestedRune appends what is signed for a character of nested text.
func appendNestedRune(dst []byte, r rune) []byte {
	if r == '"' || r == '\\' {
		return dst
	}
	if !gatewayEscapes(r) {
		return utf8.AppendRune(dst, r)
	}
	if i := strings.IndexRune(shortEscaped, r); i >= 0 {
		return append(dst, shortEscapes[i])
	}
	return append(dst, 'u', hexLetters[r>>12], hexLetters[r>>8&15], hexLetters[r>>4&15], hexLetters[r&15])
}

const hexLetters = "0123456789abcdef"

// gatewayEscapes reports whether the gateway escapes a character that is neither a quote nor a backslash.
func gatewayEscapes(r rune) bool {
	return r < ' ' || 0x80 <= r && r <= 0xA0 ||
		0x2000 <= r && r <= 0x2010 || 0x2028 <= r && r <= 0x202F || 0x2066 <= r && r <= 0x206F
}

// list writes a list without its nulls. If the list is a direct member of the message, its objects are sorted and may
// hold times.
func (t *text) list(b []byte, i int, direct bool) int {
	t.byte('[')
	i, more := next(b, i+1)
	for first := true; more; i, more = next(b, i) {
		if b[i] == 'n' {
			i += len("null")
			continue
		}
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
	t.byte(']')
	return i
}

// sortedDict writes an object without its nulls, sorted by name.
func (t *text) sortedDict(b []byte, i int, times bool) int {
	m := &t.parts
	end := m.collect(b, i)
	t.byte('{')
	first := true
	for _, r := range m.order.ranks {
		e := &m.entries[r.index]
		if e.kind == Null {
			continue
		}
		if !first {
			t.buf = append(t.buf, ',')
		}
		first = false
		name := m.nameOf(e)
		if e.nameForm&(escaped|wide) != 0 {
			t.buf = appendSigned(t.buf, name, true)
		} else {
			t.buf = append(t.buf, name...)
		}
		t.buf = append(t.buf, ':')
		switch raw := b[e.value:e.valueEnd]; {
		case times && e.kind == String && isTimeName(name) && t.time(m, e):
		case e.form&(nested|escaped|wide|decimal) != 0:
			t.nested(b, int(e.value))
		case e.kind == String:
			t.bytes(raw[1 : len(raw)-1])
		default:
			t.bytes(raw)
		}
	}
	t.byte('}')
	return end
}

// dict writes an object without its nulls, in the order in which its members came.
func (t *text) dict(b []byte, i int) int {
	t.byte('{')
	i, more := next(b, i+1)
	for first := true; more; i, more = next(b, i) {
		var name []byte
		if name, i = nameAt(b, i); b[i] == 'n' {
			i += len("null")
			continue
		}
		if !first {
			t.byte(',')
		}
		first = false
		t.buf = appendSigned(t.buf, name, true)
		t.byte(':')
		i = t.nested(b, i)
	}
	t.byte('}')
	return i
}

// nested writes any value inside an object or a list, and returns the position behind it.
func (t *text) nested(b []byte, i int) int {
	switch b[i] {
	case '"':
		return t.nestedString(b, i)
	case '{':
		return t.dict(b, i)
	case '[':
		return t.list(b, i, false)
	}
	end, kind, form := skipValue(b, i)
	if kind == Number {
		t.number(b[i:end], form, true)
	} else {
		t.bytes(b[i:end])
	}
	return end
}

// time writes a time that came as text as the Unix seconds that the gateway signed. It returns false if it is none.
func (t *text) time(m *members, e *entry) bool {
	when, ok := ParseTime(m.valueOf(e).Text(), t.zone)
	if ok {
		t.bytes(strconv.AppendInt(t.digits[:0], when.Unix(), 10))
	}
	return ok
}

// number writes a number: an integer as it is, any other in plain decimal or, inside another value, as the gateway's
// Java prints it.
func (t *text) number(raw []byte, form class, nested bool) {
	if form&decimal == 0 {
		t.bytes(raw)
		return
	}
	spell := plainDecimal
	if nested {
		spell = javaNumber
	}
	number, ok := spell(t.digits[:0], raw)
	if !ok {
		t.err = ErrNumber
	}
	t.bytes(number)
}

func (t *text) byte(c byte) {
	if len(t.buf) >= block {
		t.flush()
	}
	t.buf = append(t.buf, c)
}

func (t *text) bytes(b []byte) {
	if len(t.buf)+len(b) > block && t.sum != nil {
		t.flush()
		if len(b) > block {
			t.sum.Write(b)
			return
		}
	}
	t.buf = append(t.buf, b...)
}

// flush hashes what was collected.
func (t *text) flush() {
	if t.sum != nil {
		t.sum.Write(t.buf)
		t.buf = t.buf[:0]
	}
}

// ParseTime reads yyyy-MM-dd HH:mm:ss, the only form in which the gateway prints times.
func ParseTime(s []byte, zone *time.Location) (time.Time, bool) {
	if len(s) != len(time.DateTime) {
		return time.Time{}, false
	}
	var parts [6]int // year to second
	part := 0
	for i, form := range []byte("0000-00-00 00:00:00") {
		switch digit := s[i] - '0'; {
		case form == '0' && digit <= 9:
			parts[part] = 10*parts[part] + int(digit)
		case form == '0' || s[i] != form:
			return time.Time{}, false
		default:
			part++
		}
	}
	when := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], 0, zone)
	// Package time takes 30 February for a day in March, and moves times that a clock change skips.
	year, month, day := when.Date()
	hour, minute, second := when.Clock()
	return when, parts == [6]int{year, int(month), day, hour, minute, second}
}

// isTimeName reports whether a member of that name is a time. The gateway signs those as Unix seconds.
func isTimeName(name []byte) bool {
	n := len(name)
	return n >= len("Time") && string(name[n-len("Time"):]) == "Time"
}
