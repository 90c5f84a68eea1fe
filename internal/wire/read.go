package wire

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits bound what a message may hold. The zero value stands for the defaults.
type Limits struct {
	Depth   int  // the most levels of objects and lists; 0 means MaxDepth
	Members int  // the most members of all objects together; 0 means MaxMembers
	ASCII   bool // whether the names of members must be ASCII, as all of the gateway's are
}

// The defaults of Limits, and the limits of every message.
const (
	MaxDepth         = 32
	MaxMembers       = 100_000
	maxObjectMembers = 1_000
	maxNameLength    = 256
)

// Kind is the JSON type of a value.
type Kind uint8

// The JSON types.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Dict
)

// Value is one JSON value as it was received.
type Value struct {
	Kind    Kind
	Escaped bool   // a string holds at least one backslash
	Raw     []byte // the bytes of the value, the quotes of a string included
}

// Text returns the text of a string, unescaped. If nothing is escaped, the bytes are those of the message.
func (v Value) Text() []byte {
	inner := v.Raw[1 : len(v.Raw)-1]
	if !v.Escaped {
		return inner
	}
	return unescape(make([]byte, 0, len(inner)), inner)
}

// SyntaxError says where and why a text is not acceptable JSON. It quotes nothing of the text.
type SyntaxError struct {
	Offset int
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Reason)
}

// Object holds the members of one JSON object in the order in which they came. It refers to the text that was read. It
// may be used again for another text, and then reuses its memory. The zero value is ready to use.
type Object struct {
	Limits Limits

	members
	reader reader
}

// Get finds a member by its exact name.
func (o *Object) Get(name string) (Value, bool) {
	if e := o.find(name); e != nil {
		return o.valueOf(e), true
	}
	return Value{}, false
}

// HasAny reports whether a member of one of the names is there and not null.
func (o *Object) HasAny(names ...string) bool { return slices.ContainsFunc(names, o.isGiven) }

// Read reads text, which must be one JSON object. It is stricter than most readers, because what is signed must mean
// the same to all of them: RFC 8259 to the letter, valid UTF-8, no member twice in an object (not even in another
// case), nothing after the object, and nothing beyond o.Limits.
func (o *Object) Read(text []byte) error { return o.ReadWith(text, nil, "") }

// ReadWith is Read, and in the same pass puts the members of the object under name into inner. Inner is empty if there
// is no object under that name. It is valid until o is used again.
func (o *Object) ReadWith(text []byte, inner *Object, name string) error {
	o.reset(nil)
	if inner != nil {
		inner.reset(nil)
	}
	r := &o.reader
	r.start(text, o.Limits)
	r.inner, r.innerName = inner, name
	if r.document(o) != failed {
		return nil
	}
	o.reset(nil)
	if inner != nil {
		inner.reset(nil)
	}
	return r.err()
}

// CheckValue checks one JSON value of any kind, which is to stand in a message, as strictly as Object.Read.
func CheckValue(text []byte) error {
	var r reader
	r.start(text, Limits{})
	i, _, _ := r.value(r.space(0), 2, nil)
	if i == failed || r.end(i, "something follows the value") == failed {
		return r.err()
	}
	return nil
}

// Release drops the references to the text, so a pooled Object does not keep it in memory, and the memory that an
// unusual text took.
func (o *Object) Release() {
	o.text, o.spelled, o.bound = nil, nil, nil
	r := &o.reader
	r.text, r.inner = nil, nil
	if o.isLarge() || r.isLarge() {
		*o = Object{Limits: o.Limits}
	}
}

// reader reads a text once. Its methods take the position where something starts, and return the position behind it, or
// failed. That keeps the position in a register.
type reader struct {
	members // of all the objects that it is inside, those of the innermost last

	limits    Limits
	left      int // how many more members there may be
	inner     *Object
	innerName string

	failedAt int
	reason   string
}

const failed = -1 // the position behind what cannot be read

func (r *reader) start(text []byte, limits Limits) {
	r.reset(text)
	r.limits, r.inner = limits, nil
	if limits.Depth == 0 {
		r.limits.Depth = MaxDepth
	}
	if r.left = limits.Members; r.left == 0 {
		r.left = MaxMembers
	}
}

func (r *reader) fail(at int, reason string) int {
	r.failedAt, r.reason = at, reason
	return failed
}

func (r *reader) err() error { return &SyntaxError{Offset: r.failedAt, Reason: r.reason} }

func (r *reader) document(o *Object) int {
	if uint64(len(r.text)) > math.MaxUint32 {
		return r.fail(0, "the text is longer than 4 GiB")
	}
	i := r.space(0)
	if !r.at(i, '{') {
		return r.fail(i, "an object is expected")
	}
	if i = r.object(i, 1, o); i == failed {
		return failed
	}
	return r.end(i, "something follows the object")
}

// end reads what may follow the whole: white space.
func (r *reader) end(i int, otherwise string) int {
	if i = r.space(i); i != len(r.text) {
		return r.fail(i, otherwise)
	}
	return i
}

// at reports whether the byte at i is c. The position may be failed or the end.
func (r *reader) at(i int, c byte) bool { return uint(i) < uint(len(r.text)) && r.text[i] == c }

func (r *reader) space(i int) int { return skipSpace(r.text, i) }

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && classes[b[i]]&space != 0 {
		i++
	}
	return i
}

// object reads an object from its opening brace on. It keeps the members in into, unless that is nil.
func (r *reader) object(i, depth int, into *Object) int {
	if depth > r.limits.Depth {
		return r.fail(i, "nested too deeply")
	}
	if i = r.space(i + 1); r.at(i, '}') {
		return i + 1
	}
	first, firstSpelled := len(r.entries), len(r.spelled)
	for {
		var e entry
		if i = r.name(i, &e); i == failed {
			return failed
		}
		if len(r.entries)-first == maxObjectMembers {
			return r.fail(i, "the object has too many members")
		}
		i = r.space(i)
		var below *Object
		if depth == 1 && r.inner != nil && r.at(i, '{') && string(r.nameOf(&e)) == r.innerName {
			below = r.inner
		}
		end, kind, form := r.value(i, depth+1, below)
		if end == failed {
			return failed
		}
		e.value, e.valueEnd, e.kind, e.form = uint32(i), uint32(end), kind, form //nolint:gosec // document saw to it
		r.entries = append(r.entries, e)
		switch i = r.space(end); {
		case r.at(i, ','):
			i = r.space(i + 1)
		case r.at(i, '}'):
			if !r.keep(r.entries[first:], into) {
				return r.fail(i+1, "a member is given twice in the object that ends here")
			}
			r.entries = r.entries[:first]
			if into == nil {
				r.spelled = r.spelled[:firstSpelled]
			}
			return i + 1
		case i == len(r.text):
			return r.fail(i, "the object does not end")
		default:
			return r.fail(i, "a comma or the end of the object is expected")
		}
	}
}

// keep copies the members of an object to into, unless that is nil. It returns false if two have the same name.
func (r *reader) keep(entries []entry, into *Object) bool {
	order := &r.order
	if into != nil {
		order = &into.order
		into.text, into.spelled, into.entries = r.text, r.spelled, append(into.entries, entries...)
	}
	return order.sort(&r.members, entries, true)
}

// name reads the name of a member into e, and returns the position behind its colon.
func (r *reader) name(i int, e *entry) int {
	if !r.at(i, '"') {
		return r.fail(i, "a member name is expected")
	}
	if r.left--; r.left < 0 {
		return r.fail(i, "there are too many members")
	}
	start := i + 1
	end, form := plain(r.text, start) // most strings end here, which saves a call
	if r.at(end, '"') {
		end++
	} else if end, form = r.string(start); end == failed {
		return failed
	}
	r.setName(e, start, end-1, form)
	switch {
	case e.nameLength > maxNameLength:
		return r.fail(start, "a member name is too long")
	case e.nameForm&wide != 0 && r.limits.ASCII:
		return r.fail(start, "a member name is not ASCII")
	}
	if i = r.space(end); !r.at(i, ':') {
		return r.fail(i, "a colon is expected")
	}
	return i + 1
}

func (r *reader) list(i, depth int) int {
	if depth > r.limits.Depth {
		return r.fail(i, "nested too deeply")
	}
	if i = r.space(i + 1); r.at(i, ']') {
		return i + 1
	}
	for {
		if i, _, _ = r.value(i, depth+1, nil); i == failed {
			return failed
		}
		switch i = r.space(i); {
		case r.at(i, ','):
			i = r.space(i + 1)
		case r.at(i, ']'):
			return i + 1
		case i == len(r.text):
			return r.fail(i, "the list does not end")
		default:
			return r.fail(i, "a comma or the end of the list is expected")
		}
	}
}

// value reads any value, and returns its kind and classes. Depth is the level of an object or a list here.
func (r *reader) value(i, depth int, into *Object) (end int, kind Kind, form class) {
	if i == len(r.text) {
		return r.fail(i, "a value is expected"), Null, 0
	}
	switch r.text[i] {
	case '"':
		if end, form = plain(r.text, i+1); r.at(end, '"') {
			return end + 1, String, form
		}
		end, form = r.string(i + 1)
		return end, String, form
	case '{':
		return r.object(i, depth, into), Dict, nested
	case '[':
		return r.list(i, depth), List, nested
	case 't':
		return r.literal(i, "true"), Bool, 0
	case 'f':
		return r.literal(i, "false"), Bool, 0
	case 'n':
		return r.literal(i, "null"), Null, 0
	}
	end, form = r.number(i)
	return end, Number, form
}

func (r *reader) literal(i int, word string) int {
	if len(r.text)-i < len(word) || string(r.text[i:i+len(word)]) != word {
		return r.fail(i, "a value is expected")
	}
	return i + len(word)
}

func (r *reader) number(i int) (end int, form class) {
	if r.at(i, '-') {
		if i++; r.at(i, '0') {
			form = decimal
		}
	}
	if r.at(i, '0') {
		i++
	} else {
		i = r.digits(i, "a value is expected")
	}
	if r.at(i, '.') {
		form = decimal
		i = r.digits(i+1, "a digit is expected")
	}
	if r.at(i, 'e') || r.at(i, 'E') {
		form = decimal
		if i++; r.at(i, '+') || r.at(i, '-') {
			i++
		}
		i = r.digits(i, "a digit is expected")
	}
	return i, form
}

// digits reads at least one digit.
func (r *reader) digits(i int, reason string) int {
	start := i
	for i < len(r.text) && r.text[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return r.fail(i, reason)
	}
	return i
}

// string reads a string from behind its opening quote on, to behind its closing one.
func (r *reader) string(i int) (end int, form class) {
	i, form = plain(r.text, i)
	for {
		if i == len(r.text) {
			return r.fail(i, "the string does not end"), 0
		}
		switch c := r.text[i]; {
		case c == '"':
			return i + 1, form
		case c >= utf8.RuneSelf:
			var more class
			i, more = r.runes(i)
			form |= more
		case c == '\\':
			form |= escaped
			i = r.escape(i)
		default:
			return r.fail(i, "a control character stands unescaped in a string"), 0
		}
		if i == failed {
			return failed, 0
		}
		if i < len(r.text) && classes[r.text[i]]&special == 0 {
			var more class
			i, more = plain(r.text, i)
			form |= more
		}
	}
}

// runes reads characters that are not ASCII.
func (r *reader) runes(i int) (end int, form class) {
	form = wide
	for i < len(r.text) && r.text[i] >= utf8.RuneSelf {
		// Most Chinese characters have three bytes, with any continuation bytes. Checking them here halves the time.
		if c := r.text[i]; 0xE3 <= c && c <= 0xEC && i+2 < len(r.text) && r.text[i+1]&r.text[i+2]&0xC0 == 0x80 &&
			(r.text[i+1]|r.text[i+2])&0x40 == 0 {
			i += 3
			continue
		}
		c, size := utf8.DecodeRune(r.text[i:])
		if c == utf8.RuneError && size == 1 {
			return r.fail(i, "the text is not valid UTF-8"), 0
		}
		form |= classes[r.text[i]]
		i += size
	}
	return i, form
}

func (r *reader) escape(i int) int {
	rest := r.text[i:]
	if len(rest) < 2 {
		return r.fail(i, "the string does not end")
	}
	switch rest[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		first, ok := hex4(rest[2:])
		if !ok {
			return r.fail(i, "four hex digits are expected")
		}
		if !utf16.IsSurrogate(first) {
			return i + 6
		}
		if len(rest) >= 12 && rest[6] == '\\' && rest[7] == 'u' {
			if second, ok := hex4(rest[8:]); ok && utf16.DecodeRune(first, second) != utf8.RuneError {
				return i + 12
			}
		}
		return r.fail(i, "half a surrogate pair")
	}
	return r.fail(i, "an unknown escape")
}
