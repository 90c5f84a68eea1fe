package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// The members common to all requests, which the client fills where the caller left them empty.
const (
	clientIPName = "clientIp"
	nonceName    = "nonceStr"
	timeName     = "reqTime"
)

// Stamp holds what the client fills into the common members of a request that the caller left empty.
type Stamp struct {
	ClientIP string // not sent if empty
	Nonce    string // sent to gateways that know it
	Time     int64  // Unix seconds
	Zone     *time.Location
}

// Layout is the order in which a version of the gateway signs the members of a request, with the names that it has there.
type Layout struct {
	path     string
	slots    []slot
	identity string
	names    string
}

type slot struct {
	field *Field
	name  string
	fill  filling
	json  string // ,"name":
	text  string // &name=
}

// filling is what the client writes into a member that the caller left empty.
type filling uint8

const (
	fillNothing filling = iota
	fillTime
	fillNonce
	fillClientIP
)

var fillings = map[string]filling{timeName: fillTime, nonceName: fillNonce, clientIPName: fillClientIP}

// Layout returns the plan's layout for a version, as the param of the call that 2.0.8 has at path. The latest one is kept: a
// type is the param of one call.
func (p *Plan) Layout(path string, v gateway.Version) *Layout {
	if l := p.layouts[v].Load(); l != nil && l.path == path {
		return l
	}
	l := &Layout{path: path}
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Name == nonceName && !v.KnowsNonce() || f.Name == SignName {
			continue
		}
		name := v.Name(path, f.Name)
		l.slots = append(l.slots, slot{field: f, name: name, fill: fillings[f.Name], json: "," + string(appendString(nil, name)) + ":", text: "&" + name + "="})
	}
	slices.SortFunc(l.slots, func(a, b slot) int {
		return compareNames([]byte(a.name), []byte(b.name))
	})
	for _, s := range l.slots {
		l.identity += s.text
		if s.field.Name != nonceName {
			l.names += s.text
		}
	}
	p.layouts[v].Store(l)
	return l
}

// Same tells whether two layouts of a plan make the same message of a param.
func (l *Layout) Same(other *Layout) bool { return l.identity == other.identity }

// SameNames is Same but for nonceStr.
func (l *Layout) SameNames(other *Layout) bool { return l.names == other.names }

// Encoder writes the JSON of a request and its canonical text in one pass. It may be used again; what it returned is
// overwritten then.
type Encoder struct {
	json, text []byte
	nested     text
	err        error
}

// Release makes the encoder ready for a pool, without the memory that an unusually large request took.
func (e *Encoder) Release() {
	e.nested.release()
	if cap(e.json) > block {
		e.json, e.text = nil, nil
	}
}

// Encode writes the struct v, which must have passed Check. It returns the JSON without sign and without the closing brace,
// and the text to be signed; AppendTo completes the JSON.
func (e *Encoder) Encode(l *Layout, v reflect.Value, stamp Stamp) (canonical []byte, err error) {
	e.json, e.text, e.err = e.json[:0], e.text[:0], nil
	e.nested.zone = stamp.Zone
	for i := range l.slots {
		s := &l.slots[i]
		value := s.field.of(v)
		switch {
		case s.field.kind == kindString && value.Len() > 0:
			e.string(s, value.String())
		case !s.field.isUnset(value):
			e.member(s)
			e.value(&s.field.shape, value, directMember)
		case s.fill == fillTime:
			e.member(s)
			e.int(stamp.Time)
		case s.fill == fillNonce && stamp.Nonce != "":
			e.string(s, stamp.Nonce)
		case s.fill == fillClientIP && stamp.ClientIP != "":
			e.string(s, stamp.ClientIP)
		}
	}
	if len(e.json) == 0 {
		return nil, e.err
	}
	e.json[0] = '{' // every member started with a comma, and with an & in the text
	return e.text[1:], e.err
}

// AppendTo appends the finished request: what Encode wrote, and the signature.
func (e *Encoder) AppendTo(dst, sign []byte) []byte {
	dst = slices.Grow(dst, len(e.json)+len(`,"sign":""}`)+len(sign))
	dst = append(dst, e.json...)
	dst = append(dst, `,"`+SignName+`":"`...)
	dst = append(dst, sign...)
	return append(dst, `"}`...)
}

func (e *Encoder) member(s *slot) {
	e.json = append(e.json, s.json...)
	e.text = append(e.text, s.text...)
}

// string writes a member that is a text.
func (e *Encoder) string(s *slot, value string) {
	e.member(s)
	e.topString(value)
}

func (e *Encoder) int(n int64) {
	e.json = strconv.AppendInt(e.json, n, 10)
	e.text = strconv.AppendInt(e.text, n, 10)
}

func (e *Encoder) both(s string) {
	e.json = append(e.json, s...)
	e.text = append(e.text, s...)
}

func (e *Encoder) topString(s string) {
	if needsNoEscape(s) {
		e.json = append(append(append(e.json, '"'), s...), '"')
		e.text = append(e.text, s...)
		return
	}
	e.json = appendString(e.json, s)
	for i := range len(s) {
		if s[i] != '"' && s[i] != '\\' {
			e.text = append(e.text, s[i])
		}
	}
}

// needsNoEscape tells whether s stands for itself in JSON and, but for what is not ASCII, in nested text.
func needsNoEscape(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if w := wordAt(s, i); special(w)&^w != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if classes[s[i]]&(inString|wide) == inString {
			return false
		}
	}
	return true
}

func (e *Encoder) nestedString(s string) {
	e.json = appendString(e.json, s)
	for i := range len(s) {
		if classes[s[i]]&inString != 0 {
			for _, r := range s[i:] {
				e.text = appendNestedRune(e.text, r)
			}
			return
		}
		e.text = append(e.text, s[i])
	}
}

// place is where in the message a value stands. What is signed for it depends on that.
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
		if at == directMember {
			e.topString(v.String())
		} else {
			e.nestedString(v.String())
		}
	case kindInt:
		e.int(v.Int())
	case kindUint:
		e.both(strconv.FormatUint(v.Uint(), 10))
	case kindBool:
		e.both(strconv.FormatBool(v.Bool()))
	case kindTime:
		e.int(timeOf(v).Unix())
	case kindPointer:
		if v.IsNil() {
			e.both("null") // an element of a list; a member would have been left out
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
		e.marshal(v, at)
	}
}

// object writes an object inside the message. It goes out in the order in which it is signed, so that it does not matter how
// deep it stands.
func (e *Encoder) object(p *Plan, v reflect.Value) {
	e.both("{")
	first := true
	for _, i := range p.nested {
		f := &p.Fields[i]
		value := f.of(v)
		if f.isUnset(value) {
			continue
		}
		if !first {
			e.both(",")
		}
		first = false
		e.json = append(e.json, f.json...)
		e.text = append(e.text, f.text...)
		e.value(&f.shape, value, deeper)
	}
	e.both("}")
}

func (e *Encoder) marshal(v reflect.Value, at place) {
	raw, err := marshalValue(v)
	if err != nil {
		e.err = err
		return
	}
	e.json = append(e.json, raw...)
	e.nested.buf, e.nested.err = e.text, nil
	switch {
	case at == directMember:
		var whole entry
		whole.valueEnd = uint32(skipValue(raw, 0, &whole)) //nolint:gosec // a request
		e.nested.member(raw, &whole)
	case at == directItem && raw[0] == '{':
		e.nested.sortedDict(raw, 0, true)
	default:
		e.nested.nested(raw, 0)
	}
	e.text = e.nested.buf
	if e.nested.err != nil {
		e.err = e.nested.err
	}
	e.nested.buf = nil
}

// marshalValue asks a type that writes its own JSON for it, through a pointer, because MarshalJSON may be a method of that.
// What it writes must stand every check of a received text.
func marshalValue(v reflect.Value) ([]byte, error) {
	pointer := reflect.New(v.Type())
	pointer.Elem().Set(v)
	raw, err := json.Marshal(pointer.Interface())
	if err != nil {
		return nil, errWriter // its own text may hold what it could not write
	}
	return raw, CheckValue(raw)
}

var errWriter = errors.New("the MarshalJSON of its type fails")

// CheckValue reads one JSON value of any kind as strictly as Object.Read.
func CheckValue(text []byte) error {
	s := scanner{text: text, maxDepth: MaxDepth}
	var e entry
	i := s.value(s.space(0), 2, nil, &e)
	if i != failed {
		if i = s.space(i); i == len(text) {
			return nil
		}
		s.fail(i, "something follows the value")
	}
	return &SyntaxError{Offset: s.failedAt, Reason: s.reason}
}

// appendString appends s as a JSON string. Only what must be escaped is, so that any reader sees the same text.
func appendString(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
