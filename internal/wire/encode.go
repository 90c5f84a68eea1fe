package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Stamp holds what the client fills into the common members of a request that the caller left empty.
type Stamp struct {
	ClientIP string // not sent if empty
	Nonce    string // sent to the versions that know it
	Time     int64  // Unix seconds
	Zone     *time.Location
}

// Encoder writes the JSON of a request and its canonical text in one pass. It may be used again, which overwrites what
// it returned before.
type Encoder struct {
	json, text []byte
	nested     text
	err        error
}

// Release prepares the encoder for a pool: it drops the memory that an unusually large request took.
func (e *Encoder) Release() {
	e.nested.release()
	if max(cap(e.json), cap(e.text)) > block {
		e.json, e.text = nil, nil
	}
}

// Encode writes the struct v, which must have passed Check, and returns the text to sign. Seal completes the JSON.
func (e *Encoder) Encode(l *Layout, v reflect.Value, stamp Stamp) (canonical []byte, err error) {
	e.json, e.text, e.err = e.json[:0], e.text[:0], nil
	e.nested.zone = stamp.Zone
	for i := range l.slots {
		s := &l.slots[i]
		value := s.field.of(v)
		switch {
		case !s.field.isUnset(value):
			e.member(s)
			if s.object {
				e.raw([]byte(value.String()), directMember)
			} else {
				e.value(&s.field.shape, value, directMember)
			}
		case s.name == timeName:
			e.member(s)
			e.int(stamp.Time)
		case s.name == nonceName && stamp.Nonce != "":
			e.member(s)
			e.string(stamp.Nonce, false)
		case s.name == clientIPName && stamp.ClientIP != "":
			e.member(s)
			e.string(stamp.ClientIP, false)
		}
	}
	return e.canonical(), e.err
}

// canonical returns the text without the leading &: every member starts with one.
func (e *Encoder) canonical() []byte { return e.text[min(1, len(e.text)):] }

// Seal completes what Encode wrote with its signature, and returns the request.
func (e *Encoder) Seal(k *Key) []byte {
	e.json = append(e.json, `,"`+SignName+`":"`...)
	e.text = append(e.text, k.tail...)
	e.json = append(k.appendSignOf(e.json, e.canonical()), `"}`...)
	e.json[0] = '{' // every member started with a comma
	return e.json
}

// member starts a member.
func (e *Encoder) member(s *slot) {
	e.json = append(e.json, s.json...)
	e.text = append(e.text, s.text...)
}

// both writes what is the same in the JSON and the text.
func (e *Encoder) both(s string) {
	e.json = append(e.json, s...)
	e.text = append(e.text, s...)
}

func (e *Encoder) int(n int64) {
	start := len(e.json)
	e.json = strconv.AppendInt(e.json, n, 10)
	e.text = append(e.text, e.json[start:]...)
}

// string writes a text; nested says that it is inside another value.
func (e *Encoder) string(s string, nested bool) {
	seen := holds(s)
	if seen&special == 0 || !nested && seen&mustEscape == 0 {
		e.json = append(append(append(e.json, '"'), s...), '"')
		e.text = append(e.text, s...)
		return
	}
	e.json, e.text = appendString(e.json, s), appendSigned(e.text, []byte(s), nested)
}

// place is where a value stands in the message, which decides what is signed for it.
type place uint8

const (
	directMember place = iota
	directItem         // an element of a list that is a direct member
	deeper
)

// value writes a set value.
func (e *Encoder) value(s *shape, v reflect.Value, at place) {
	switch s.kind {
	case kindString:
		e.string(v.String(), at != directMember)
	case kindInt:
		e.int(v.Int())
	case kindUint:
		e.both(strconv.FormatUint(v.Uint(), 10))
	case kindBool:
		e.both(strconv.FormatBool(v.Bool() != s.inverted))
	case kindTime:
		e.int(s.timeOf(v).Unix())
	case kindPointer:
		if v.IsNil() {
			e.err = errNull // an element of a list; a member would have been left out
			return
		}
		e.value(s.elem, v.Elem(), at)
	case kindInterface:
		dynamic, held, err := held(v)
		if err != nil {
			e.err = err
			return
		}
		e.value(dynamic, held, at)
	case kindStruct:
		e.object(s.plan, v)
	case kindList:
		within := deeper
		if at == directMember {
			within = directItem
		}
		e.both("[")
		for i := range v.Len() {
			if i > 0 {
				e.both(",")
			}
			e.value(s.elem, v.Index(i), within)
		}
		e.both("]")
	case kindJSON:
		raw, err := marshalValue(v)
		if err != nil {
			e.err = err
			return
		}
		e.raw(raw, at)
	}
}

// object writes an object inside the message. It writes the members in the order in which they are signed, so it does
// not matter that the gateway does not sort objects further down.
func (e *Encoder) object(p *Plan, v reflect.Value) {
	json, text := len(e.json), len(e.text)
	for i := range p.nested {
		s := &p.nested[i]
		if value := s.field.of(v); !s.field.isUnset(value) {
			e.member(s)
			e.value(&s.field.shape, value, deeper)
		}
	}
	if len(e.json) == json {
		e.both("{}")
		return
	}
	e.json[json], e.text[text] = '{', '{' // every member started with a comma
	e.both("}")
}

// raw writes valid JSON.
func (e *Encoder) raw(raw []byte, at place) {
	if at != directMember && string(raw) == "null" {
		e.err = errNull // an element of a list
		return
	}
	e.nested.buf, e.nested.err = e.text, nil
	switch {
	case at == directMember:
		end, kind, form := skipValue(raw, 0)
		e.nested.member(raw, 0, end, kind, form)
	case at == directItem && raw[0] == '{':
		e.nested.sortedDict(raw, 0, true)
	default:
		e.nested.nested(raw, 0)
	}
	e.json, e.text = append(e.json, raw...), e.nested.buf
	if e.nested.err != nil {
		e.err = e.nested.err
	}
	e.nested.buf = nil
}

// marshalValue returns the JSON of a type that writes its own, and checks it like a text that is received. It calls
// MarshalJSON through a pointer, because it may be a method of that.
func marshalValue(v reflect.Value) ([]byte, error) {
	pointer := reflect.New(v.Type())
	pointer.Elem().Set(v)
	raw, err := json.Marshal(pointer.Interface())
	if err != nil {
		return nil, errWriter // its own error may quote what it could not write
	}
	return raw, CheckValue(raw)
}

var errNull = errors.New("is null, which the gateway drops from a list")

var errWriter = errors.New("the MarshalJSON of its type fails")

// appendString appends s as a JSON string. It escapes only what must be escaped, so every reader sees the same text.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"', c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n', c == '\r', c == '\t':
			dst = append(dst, '\\', shortEscapes[strings.IndexByte(shortEscaped, c)])
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexLetters[c>>4], hexLetters[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
