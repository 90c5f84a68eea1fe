package wire

import (
	"encoding/binary"
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
	version  gateway.Version
	slots    []slot
	identity string
	names    string

	column   int   // how many characters every text may have, 0 if any number, where columned is set
	columned bool  // the version does not have the limits of the plan
	fields   []fit // those of the plan
	narrower []int // the fields of which the version takes less than 2.0.8
}

// fit says how a version takes a field of the plan.
type fit struct {
	absent bool // not at all
	object bool // as an object, where the field holds its text
}

type slot struct {
	field  *Field
	name   string
	fill   filling
	object bool // the field holds the text of an object

	json   piece // ,"name":
	text   piece // &name= or, within another object, ,name:
	longer int   // the length of the longer of these
}

func newSlot(f *Field, name, json, text string) slot {
	return slot{field: f, name: name, json: newPiece(json), text: newPiece(text), longer: max(len(json), len(text))}
}

// piece is a text that is copied eight bytes at a time, without the call that copy is.
type piece struct {
	words  []uint64
	length int
}

func newPiece(s string) piece {
	p := piece{length: len(s)}
	for i := 0; i < len(s); i += 8 {
		if i+8 <= len(s) {
			p.words = append(p.words, wordAt(s, i))
		} else {
			p.words = append(p.words, lastOfString(s, i))
		}
	}
	return p
}

// put writes the piece to dst from i on, with zeros to a whole word, and returns the position behind it.
func (p *piece) put(dst []byte, i int) int {
	behind := i + p.length
	for _, w := range p.words {
		binary.LittleEndian.PutUint64(dst[i:i+8], w)
		i += 8
	}
	return behind
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
	l := &Layout{path: path, version: v, fields: make([]fit, len(p.Fields))}
	l.column, l.columned = v.Column(path)
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Name == SignName {
			continue
		}
		m, known := v.Member(path, f.Name)
		// What the client fills in is left out where it is not known; nobody misses it.
		l.fields[i] = fit{absent: !known && fillings[f.Name] == fillNothing, object: m.Object}
		if l.fields[i] != (fit{}) || l.limit(f.Rule.Max) < f.Rule.Max && l.limit(f.Rule.Max) > 0 && f.kind != kindInt {
			l.narrower = append(l.narrower, i)
		}
		if !known {
			continue
		}
		s := newSlot(f, m.Name, ","+string(appendString(nil, m.Name))+":", "&"+m.Name+"=")
		s.fill, s.object = fillings[f.Name], m.Object
		l.slots = append(l.slots, s)
	}
	slices.SortFunc(l.slots, func(a, b slot) int {
		return compareNames([]byte(a.name), []byte(b.name))
	})
	for _, s := range l.slots {
		l.identity += "&" + s.name
		if s.object {
			l.identity += "{}"
		}
		if s.name != s.field.Name {
			l.names += "&" + s.name
		}
	}
	p.layouts[v].Store(l)
	return l
}

// limit is how many characters the version takes of a text whose limit in 2.0.8 is given; 0 is none.
func (l *Layout) limit(limit int64) int64 {
	if l.columned && limit > 0 {
		return int64(l.column)
	}
	return limit
}

// OtherForm tells whether a member that is set in v, of the plan's type, has another form in the one layout than in
// the other.
func (p *Plan) OtherForm(v reflect.Value, l, other *Layout) bool {
	for i := range p.Fields {
		if f := &p.Fields[i]; l.fields[i].object != other.fields[i].object && !f.isUnset(f.of(v)) {
			return true
		}
	}
	return false
}

// Same tells whether two layouts of a plan make the same message of a param.
func (l *Layout) Same(other *Layout) bool { return l.identity == other.identity }

// SameNames tells whether two layouts of a plan rename the same members.
func (l *Layout) SameNames(other *Layout) bool { return l.names == other.names }

// Encoder writes the JSON of a request and its canonical text in one pass. It may be used again; what it returned is
// overwritten then.
type Encoder struct {
	json, text []byte // as long as the memory that they have
	j, t       int    // how much of them is written
	nested     text
	err        error
	state      *state
}

// Release makes the encoder ready for a pool, without the memory that an unusually large request took.
func (e *Encoder) Release() {
	e.nested.release()
	if len(e.json) > block {
		e.json, e.text = nil, nil
	}
}

// Encode writes the struct v, which must have passed Check. It returns the text to be signed; Seal completes the JSON.
func (e *Encoder) Encode(l *Layout, v reflect.Value, stamp Stamp) (canonical []byte, err error) {
	e.j, e.t, e.err = 0, 0, nil
	e.nested.zone = stamp.Zone
	fields := fieldsOf(v)
	for i := range l.slots {
		s := &l.slots[i]
		value := fields.holder(s.field).Field(s.field.index)
		switch s.field.kind {
		case kindString:
			text := value.String()
			if text == "" {
				switch s.fill {
				case fillNonce:
					text = stamp.Nonce
				case fillClientIP:
					text = stamp.ClientIP
				}
			}
			if text == "" {
				continue
			}
			e.member(s, len(text))
			switch {
			case s.object:
				e.raw([]byte(text), directMember)
			case !e.plainString(text, true):
				e.escapedString(text)
			}
		case kindTime:
			seconds, set := s.field.secondsOf(value)
			if !set && s.fill == fillTime {
				seconds, set = stamp.Time, true
			}
			if set {
				e.member(s, 0)
				e.int(seconds)
			}
		default:
			if !s.field.isUnset(value) {
				e.member(s, 0)
				e.field(s.field, value, directMember)
			}
		}
	}
	return e.canonical(), e.err
}

// canonical is the text without the & with which every member starts.
func (e *Encoder) canonical() []byte { return e.text[min(1, e.t):e.t] }

var signPiece = newPiece(`,"` + SignName + `":"`)

// Seal completes what Encode wrote with its signature, and returns the request.
func (e *Encoder) Seal(k *Key) []byte {
	e.grow(signPiece.length + maxSign)
	e.j = signPiece.put(e.json, e.j)
	e.json[0] = '{' // every member started with a comma
	e.j = len(appendHex(e.json[:e.j], k.stateFor(&e.state).digest(e.canonical())))
	e.j += copy(e.json[e.j:], `"}`)
	return e.json[:e.j]
}

// grow makes room for a text of that length in quotes or a number, and what may be written behind them.
func (e *Encoder) grow(length int) {
	if length += 3 * spill; e.j+length > len(e.json) || e.t+length > len(e.text) {
		e.write(slices.Grow(e.json[:e.j], max(length, usual)), slices.Grow(e.text[:e.t], max(length, usual)))
	}
}

// write takes what was appended to the JSON and to the text.
func (e *Encoder) write(json, text []byte) {
	e.json, e.text, e.j, e.t = json[:cap(json)], text[:cap(text)], len(json), len(text)
}

// member starts a member, and makes room for a text of the given length.
func (e *Encoder) member(s *slot, length int) {
	e.grow(s.longer + length)
	e.j = s.json.put(e.json, e.j)
	e.t = s.text.put(e.text, e.t)
}

func (e *Encoder) int(n int64) {
	e.grow(0)
	end := len(strconv.AppendInt(e.json[:e.j], n, 10))
	e.t = copySpan(e.text, e.json, e.t, e.j, end)
	e.j = end
}

func (e *Encoder) bool(b bool) {
	word := &falseWord
	if b {
		word = &trueWord
	}
	e.grow(0)
	e.j, e.t = word.put(e.json, e.j), word.put(e.text, e.t)
}

var trueWord, falseWord = newPiece("true"), newPiece("false")

func (e *Encoder) both(s string) {
	e.write(append(e.json[:e.j], s...), append(e.text[:e.t], s...))
}

func (e *Encoder) topString(s string) {
	e.grow(len(s))
	if !e.plainString(s, true) {
		e.escapedString(s)
	}
}

// escapedString is topString for a text of which something is escaped in JSON.
func (e *Encoder) escapedString(s string) {
	text := e.text[:e.t]
	for i := range len(s) {
		if s[i] != '"' && s[i] != '\\' {
			text = append(text, s[i])
		}
	}
	e.write(appendString(e.json[:e.j], s), text)
}

func (e *Encoder) nestedString(s string) {
	e.grow(len(s))
	if e.plainString(s, false) {
		return
	}
	text := e.text[:e.t]
	for _, r := range s {
		text = appendNestedRune(text, r)
	}
	e.write(appendString(e.json[:e.j], s), text)
}

// plainString writes a text that needs no escape, and is ASCII if nothing else is allowed; there must be room for it. Else it writes
// nothing, and returns false. The text is looked at while it is copied to both places.
func (e *Encoder) plainString(s string, foreign bool) bool {
	json, text, j, t := e.json, e.text, e.j, e.t
	json[j] = '"'
	j++
	var escapes, all uint64
	i := 0
	for ; i+8 <= len(s); i, j, t = i+8, j+8, t+8 {
		w := wordAt(s, i)
		binary.LittleEndian.PutUint64(json[j:j+8], w)
		binary.LittleEndian.PutUint64(text[t:t+8], w)
		escapes |= special(w) &^ w
		all |= w
	}
	if rest := len(s) - i; rest > 0 {
		w := lastOfString(s, i)
		binary.LittleEndian.PutUint64(json[j:j+8], w)
		binary.LittleEndian.PutUint64(text[t:t+8], w)
		w |= uint64(ones*' ') << (8 * rest) // in place of the zeros, which are special
		escapes |= special(w) &^ w
		all |= w
		j, t = j+rest, t+rest
	}
	if escapes != 0 || all&highs != 0 && !foreign {
		return false
	}
	json[j] = '"'
	e.j, e.t = j+1, t
	return true
}

// place is where in the message a value stands. What is signed for it depends on that.
type place uint8

const (
	directMember place = iota
	directItem         // an element of a list that is a direct member
	deeper
)

// field writes the value of a field that is set.
func (e *Encoder) field(f *Field, v reflect.Value, at place) {
	if f.Rule.Inverted {
		e.bool(false)
		return
	}
	e.value(&f.shape, v, at)
}

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
		e.bool(v.Bool())
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
		e.marshal(v, at)
	}
}

// object writes an object inside the message. It goes out in the order in which it is signed, so that it does not matter how
// deep it stands.
func (e *Encoder) object(p *Plan, v reflect.Value) {
	json, text := e.j, e.t
	fields := fieldsOf(v)
	for i := range p.nested {
		s := &p.nested[i]
		value := fields.holder(s.field).Field(s.field.index)
		if s.field.isUnset(value) {
			continue
		}
		e.member(s, 0)
		e.field(s.field, value, deeper)
	}
	if e.j == json {
		e.both("{}")
		return
	}
	e.json[json], e.text[text] = '{', '{' // every member started with a comma
	e.both("}")
}

func (e *Encoder) marshal(v reflect.Value, at place) {
	raw, err := marshalValue(v)
	if err != nil {
		e.err = err
		return
	}
	e.raw(raw, at)
}

// raw writes valid JSON.
func (e *Encoder) raw(raw []byte, at place) {
	if at != directMember && string(raw) == "null" {
		e.err = errNull // an element of a list
		return
	}
	e.nested.buf, e.nested.err = e.text[:e.t], nil
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
	e.write(append(e.json[:e.j], raw...), e.nested.buf)
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

var errNull = errors.New("is null, which the gateway drops from a list")

var errWriter = errors.New("the MarshalJSON of its type fails")

// CheckValue reads one JSON value of any kind as strictly as Object.Read.
func CheckValue(text []byte) error {
	s := scanner{text: text, maxDepth: MaxDepth}
	s.limit(0)
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
