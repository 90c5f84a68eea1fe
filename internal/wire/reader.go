// Package wire knows the bytes of the DaxPay protocol: a strict JSON reader, the canonical text that is signed, the
// digests, and the encoder and decoder between Go structs and both. Nothing outside this package looks at a byte of a
// message.
package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how many objects and lists may stand inside one another.
const MaxDepth = 32

// MaxName is how many bytes a name may have where Object.MaxMembers is set.
const MaxName = 256

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

func (k Kind) String() string {
	return [...]string{"null", "boolean", "number", "string", "list", "object"}[k]
}

// Value is one JSON value as it was received.
type Value struct {
	Kind Kind
	// Escaped tells that a string holds at least one backslash.
	Escaped bool
	// Raw are the bytes of the value, the quotes of a string included.
	Raw []byte
}

// Text is the text of a string, unescaped. The bytes are those of the message where nothing was escaped.
func (v Value) Text() []byte {
	inner := v.Raw[1 : len(v.Raw)-1]
	if !v.Escaped {
		return inner
	}
	return unescape(make([]byte, 0, len(inner)), inner)
}

// Member is one name and its value.
type Member struct {
	Name  []byte // unescaped
	Value Value
}

// SyntaxError says where and why a text is not acceptable JSON. It holds nothing of the text.
type SyntaxError struct {
	Offset int
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Reason)
}

// Object holds the members of one JSON object in the order in which they came. Everything in it points into the text
// that was read. It may be used again for another text; the zero value is ready.
type Object struct {
	// MaxDepth is how many objects and lists may stand inside one another. 0: the constant MaxDepth.
	MaxDepth int
	// MaxMembers is how many members all objects may have together, until Release; it also limits their names to MaxName bytes.
	// 0: no limit.
	MaxMembers int

	members
	start, end int  // where in the text the object is
	forms      form // of all members
	scanner    scanner
	expected   *Plan
	known      known
	sequence                // of this message
	before     sequence     // of the message before
	guesses    []*tableName // by place: the names of the message before, which those of this one replace; see sequence
	order      order
	folded     order // for hasTwin
	state      *state
}

// Members lists the members. It is for those who need all of them; Get finds one.
func (o *Object) Members() []Member {
	var list []Member
	for i := range o.entries {
		e := &o.entries[i]
		list = append(list, Member{Name: o.nameOf(e), Value: o.valueOf(e)})
	}
	return list
}

// Get finds a member by its exact name.
func (o *Object) Get(name string) (Value, bool) {
	if e := o.find(name); e != nil {
		return o.valueOf(e), true
	}
	return Value{}, false
}

// Expect names the plan by which what is read next will most likely be decoded, until Release: members are looked up in it while
// they are read.
func (o *Object) Expect(p *Plan) { o.expected = p }

// clear makes the object that of a text which was not read yet.
func (o *Object) clear(text []byte) {
	o.reset(text)
	o.bound = o.expected
	o.known.all, o.known.given = 0, 0
	o.start, o.end, o.forms = 0, 0, 0
	o.before, o.sequence = o.sequence, sequence{}
}

// Read reads the one JSON object that text must be. It is stricter than most readers, because what is read here was
// signed or is to be signed, and must mean the same to everyone: RFC 8259 to the letter, valid UTF-8, no member twice in
// an object (not even under another case), at most o.MaxDepth levels, nothing behind the object.
func (o *Object) Read(text []byte) error {
	return o.read(text, nil, "")
}

// ReadWith is Read, and puts the members of the object that stands under name into inner in the same pass. Inner is
// empty if there is no object under that name. It is good until o is used again.
func (o *Object) ReadWith(text []byte, inner *Object, name string) error {
	inner.clear(text)
	return o.read(text, inner, name)
}

func (o *Object) read(text []byte, inner *Object, name string) error {
	o.clear(text)
	s := &o.scanner
	s.text, s.maxDepth = text, o.MaxDepth
	if s.maxDepth == 0 {
		s.maxDepth = MaxDepth
	}
	s.limit(o.MaxMembers)
	s.names, s.spelled = s.names[:0], s.spelled[:0]
	read := s.document(o, inner, name)
	o.spelled = s.spelled
	if inner != nil {
		inner.spelled = s.spelled
	}
	if read {
		return nil
	}
	o.clear(nil)
	if inner != nil {
		inner.clear(nil)
	}
	return &SyntaxError{Offset: s.failedAt, Reason: s.reason}
}

// Release drops the references into the text, so that a pooled Object does not keep it alive, and the memory that an unusual
// text took.
func (o *Object) Release() {
	o.text, o.spelled, o.scanner.text, o.expected = nil, nil, nil, nil
	o.MaxMembers = 0
	if o.state != nil {
		o.state.text.release()
	}
	s := &o.scanner
	if max(cap(o.entries), cap(s.names), cap(s.spelled), cap(s.folded), cap(s.twins), cap(o.order), cap(o.folded)) > usual {
		*o = Object{MaxDepth: o.MaxDepth, state: o.state}
	}
}

// usual is how many elements a buffer keeps for its next use.
const usual = 512

// scanner reads a text once. Its methods take the position at which something starts and return the one behind it, or failed:
// in that way the position stays in a register.
type scanner struct {
	text     []byte
	names    []nameKey
	spelled  []byte
	folded   []byte
	twins    []uint32 // hash table of names: slot → 1 + index
	maxDepth int
	room     int    // how many more members there may be
	maxName  uint32 // how many bytes a name may have

	failedAt int
	reason   string
}

const tooMany = "there are too many members"

// failed stands for a position behind what cannot be read.
const failed = -1

func (s *scanner) fail(at int, reason string) int {
	s.failedAt, s.reason = at, reason
	return failed
}

// limit sets how many members there may be, and with it how long their names. 0: no limit.
func (s *scanner) limit(members int) {
	s.room, s.maxName = math.MaxInt, math.MaxUint32
	if members > 0 {
		s.room, s.maxName = members, MaxName
	}
}

func (s *scanner) document(o, inner *Object, name string) bool {
	if uint64(len(s.text)) > math.MaxUint32 {
		s.fail(0, "the text is longer than 4 GiB")
		return false
	}
	i := s.space(0)
	if !s.at(i, '{') {
		s.fail(i, "an object is expected")
		return false
	}
	i = s.message(i, 1, o, inner, name)
	if i == failed {
		return false
	}
	if i = s.space(i); i != len(s.text) {
		s.fail(i, "something follows the object")
		return false
	}
	return true
}

func (s *scanner) at(i int, c byte) bool { return i < len(s.text) && s.text[i] == c }

func (s *scanner) space(i int) int {
	for i < len(s.text) && classes[s.text[i]]&space != 0 {
		i++
	}
	return i
}

// message reads an object from its opening brace and keeps its members in o, and those of the object under innerName in inner unless
// that is nil.
func (s *scanner) message(i, depth int, o, inner *Object, innerName string) int {
	if depth > s.maxDepth {
		return s.fail(i, "nested too deeply")
	}
	text, names, before := s.text, o.names(), o.before
	if before.names != names {
		before.count = 0
	}
	o.start = i
	if i = s.space(i + 1); s.at(i, '}') {
		o.end = i + 1
		return i + 1
	}
	repeats, known := true, true
	for {
		var name *tableName
		if n := len(o.entries); n < before.count {
			name = o.guesses[n]
		}
		e := o.add()
		if name != nil && name.standsAt(text, i) {
			e.name, e.nameEnd, e.word = uint32(i+1), uint32(i+1+len(name.name)), name.word //nolint:gosec // document saw to it
			i += len(name.quoted)
			if s.room--; s.room < 0 {
				return s.fail(i, tooMany)
			}
		} else {
			repeats = false
			if i = s.name(i, e); i == failed {
				return failed
			}
			o.foreign = o.foreign || e.foreign
			name = names.find(e.word, s.nameOf(e))
			o.guess(name)
		}
		if i < len(text) && text[i] <= ' ' {
			i = s.space(i)
		}
		var into *Object
		if inner != nil && s.at(i, '{') && string(s.nameOf(e)) == innerName {
			into = inner
		}
		e.value = uint32(i) //nolint:gosec // document saw to it
		if i < len(text) && text[i] == '"' {
			// What most texts are stands here and not in a function, which saves a call for each member.
			e.kind = String
			if i = plain(text, i+1); i < len(text) && text[i] == '"' {
				i++
			} else {
				e.form = foreign
				i = s.string(i, &e.form)
			}
		} else {
			i = s.value(i, depth+1, into, e)
		}
		if i == failed {
			return failed
		}
		e.valueEnd = uint32(i) //nolint:gosec // document saw to it
		o.forms |= e.form
		if name == nil {
			known = false
		} else {
			o.bindTo(e, name)
			if name.isKnown {
				o.note(name.known, e.kind)
			}
		}
		if i < len(text) && text[i] <= ' ' {
			i = s.space(i)
		}
		switch {
		case i == len(text):
			return s.fail(i, "the object does not end")
		case text[i] == '}':
			o.end = i + 1
			if !o.settle(before, repeats, known) && s.hasTwin(o) {
				o.sequence = sequence{}
				return s.fail(i+1, "a member is given twice in the object that ends here")
			}
			return i + 1
		case text[i] != ',':
			return s.fail(i, "a comma or the end of the object is expected")
		}
		if i++; i < len(text) && text[i] <= ' ' {
			i = s.space(i)
		}
	}
}

// object reads an object of whose members nothing is kept, from its opening brace.
func (s *scanner) object(i, depth int) int {
	if depth > s.maxDepth {
		return s.fail(i, "nested too deeply")
	}
	if i = s.space(i + 1); s.at(i, '}') {
		return i + 1
	}
	firstName, firstSpelled := len(s.names), len(s.spelled)
	text := s.text
	ascending, before := true, uint64(0) // under folding
	for {
		var e entry
		if i = s.name(i, &e); i == failed {
			return failed
		}
		s.keep(&e)
		first := lower(e.word)
		ascending = ascending && first > before && !e.foreign
		before = first
		if i < len(text) && text[i] <= ' ' {
			i = s.space(i)
		}
		if i = s.value(i, depth+1, nil, &e); i == failed {
			return failed
		}
		if i < len(text) && text[i] <= ' ' {
			i = s.space(i)
		}
		switch {
		case i == len(text):
			return s.fail(i, "the object does not end")
		case text[i] == '}':
			if !ascending && s.hasTwinAmong(s.names[firstName:]) {
				return s.fail(i+1, "a member is given twice in the object that ends here")
			}
			s.names, s.spelled = s.names[:firstName], s.spelled[:firstSpelled]
			return i + 1
		case text[i] != ',':
			return s.fail(i, "a comma or the end of the object is expected")
		}
		if i++; i < len(text) && text[i] <= ' ' {
			i = s.space(i)
		}
	}
}

// name reads the name of a member, and returns the position behind its colon.
func (s *scanner) name(i int, e *entry) int {
	if !s.at(i, '"') {
		return s.fail(i, "a member name is expected")
	}
	text := s.text
	if end := plain(text, i+1); s.at(end, '"') {
		e.name, e.nameEnd, e.word = uint32(i+1), uint32(end), word(text, i+1, end) //nolint:gosec // document saw to it
		i = end + 1
	} else if i = s.unusualName(i+1, e); i == failed {
		return failed
	}
	if s.room--; s.room < 0 {
		return s.fail(i, tooMany)
	}
	if e.nameEnd-e.name > s.maxName {
		return s.fail(i, "a member name is too long")
	}
	if !s.at(i, ':') {
		if i = s.space(i); !s.at(i, ':') {
			return s.fail(i, "a colon is expected")
		}
	}
	return i + 1
}

func (s *scanner) nameOf(e *entry) []byte {
	if e.spelled {
		return s.spelled[e.name:e.nameEnd]
	}
	return s.text[e.name:e.nameEnd]
}

// unusualName reads a name with escapes or characters that are not ASCII.
func (s *scanner) unusualName(i int, e *entry) int {
	var f form
	end := s.string(plain(s.text, i), &f)
	if end == failed {
		return failed
	}
	name := s.text[i : end-1]
	e.name, e.nameEnd = uint32(i), uint32(end-1) //nolint:gosec // document saw to it
	if f&escaped != 0 {
		start := len(s.spelled)
		s.spelled = unescape(s.spelled, name)
		name = s.spelled[start:]
		e.spelled, e.name, e.nameEnd = true, uint32(start), uint32(len(s.spelled)) //nolint:gosec // as above
	}
	e.word, e.foreign = word(name, 0, len(name)), holds(name)&wide != 0
	return end
}

func (s *scanner) list(i, depth int) int {
	if depth > s.maxDepth {
		return s.fail(i, "nested too deeply")
	}
	i = s.space(i + 1)
	if s.at(i, ']') {
		return i + 1
	}
	for {
		var e entry
		if i = s.value(i, depth+1, nil, &e); i == failed {
			return failed
		}
		i = s.space(i)
		if i == len(s.text) {
			return s.fail(i, "the list does not end")
		}
		switch s.text[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail(i, "a comma or the end of the list is expected")
		}
	}
}

// value reads any value and tells e its kind and form; depth is the level that an object or a list here would have.
func (s *scanner) value(i, depth int, into *Object, e *entry) int {
	if i == len(s.text) {
		return s.fail(i, "a value is expected")
	}
	switch s.text[i] {
	case '"':
		e.kind = String
		if i = plain(s.text, i+1); s.at(i, '"') {
			return i + 1
		}
		e.form = foreign
		return s.string(i, &e.form)
	case '{':
		e.kind, e.form = Dict, nested
		if into != nil {
			return s.message(i, depth, into, nil, "")
		}
		return s.object(i, depth)
	case '[':
		e.kind, e.form = List, nested
		return s.list(i, depth)
	case 't':
		e.kind = Bool
		return s.literal(i, "true")
	case 'f':
		e.kind = Bool
		return s.literal(i, "false")
	case 'n':
		e.kind = Null
		return s.literal(i, "null")
	}
	e.kind = Number
	return s.number(i, &e.form)
}

func (s *scanner) literal(i int, word string) int {
	if len(s.text)-i < len(word) || string(s.text[i:i+len(word)]) != word {
		return s.fail(i, "a value is expected")
	}
	return i + len(word)
}

func (s *scanner) number(i int, f *form) int {
	negative := s.at(i, '-')
	if negative {
		i++
	}
	start := i
	if s.at(i, '0') {
		i++
		if negative {
			*f |= decimal
		}
	} else if i = s.digits(i); i == start {
		return s.fail(i, "a value is expected")
	}
	if i == len(s.text) || classes[s.text[i]]&inNumber == 0 {
		return i
	}
	*f |= decimal
	if s.at(i, '.') {
		start = i + 1
		if i = s.digits(start); i == start {
			return s.fail(i, "a digit is expected")
		}
	}
	if s.at(i, 'e') || s.at(i, 'E') {
		i++
		if s.at(i, '+') || s.at(i, '-') {
			i++
		}
		start = i
		if i = s.digits(start); i == start {
			return s.fail(i, "a digit is expected")
		}
	}
	return i
}

func (s *scanner) digits(i int) int {
	for ; i+8 <= len(s.text); i += 8 {
		if found := noDigit(binary.LittleEndian.Uint64(s.text[i : i+8])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(s.text) && s.text[i]-'0' <= 9 {
		i++
	}
	return i
}

// string reads to behind the closing quote, from the first special byte of a string.
func (s *scanner) string(i int, f *form) int {
	for {
		if i == len(s.text) {
			return s.fail(i, "the string does not end")
		}
		switch c := s.text[i]; {
		case c == '"':
			return i + 1
		case c >= utf8.RuneSelf:
			i = s.runes(i)
		case c == '\\':
			*f |= escaped
			i = s.escape(i)
		default:
			return s.fail(i, "a control character stands unescaped in a string")
		}
		if i == failed {
			return failed
		}
		i = plain(s.text, i)
	}
}

// runes reads characters that are not ASCII.
func (s *scanner) runes(i int) int {
	for i < len(s.text) && s.text[i] >= utf8.RuneSelf {
		// Most of Chinese: three bytes of which any continuation is right. To look at them here saves a call for each character.
		if c := s.text[i]; 0xE1 <= c && c <= 0xEC && i+2 < len(s.text) && s.text[i+1]&0xC0 == 0x80 && s.text[i+2]&0xC0 == 0x80 {
			i += 3
			continue
		}
		r, size := utf8.DecodeRune(s.text[i:])
		if r == utf8.RuneError && size == 1 {
			return s.fail(i, "the text is not valid UTF-8")
		}
		i += size
	}
	return i
}

func (s *scanner) escape(i int) int {
	rest := s.text[i:]
	if len(rest) < 2 {
		return s.fail(i, "the string does not end")
	}
	switch rest[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		first, ok := hex4(rest[2:])
		if !ok {
			return s.fail(i, "four hex digits are expected")
		}
		if !utf16.IsSurrogate(first) {
			return i + 6
		}
		if len(rest) >= 12 && rest[6] == '\\' && rest[7] == 'u' {
			if second, ok := hex4(rest[8:]); ok && utf16.DecodeRune(first, second) != utf8.RuneError {
				return i + 12
			}
		}
		return s.fail(i, "half a surrogate pair")
	}
	return s.fail(i, "an unknown escape")
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape appends the text that stands between the quotes of a string that was read before.
func unescape(dst, inner []byte) []byte {
	for {
		i := bytes.IndexByte(inner, '\\')
		if i < 0 {
			return append(dst, inner...)
		}
		dst = append(dst, inner[:i]...)
		var r rune
		r, inner = unescapeOne(inner[i:])
		dst = utf8.AppendRune(dst, r)
	}
}

// unescapeOne reads one valid escape, a surrogate pair as one, and returns what follows it.
func unescapeOne(b []byte) (rune, []byte) {
	switch b[1] {
	case 'b':
		return '\b', b[2:]
	case 'f':
		return '\f', b[2:]
	case 'n':
		return '\n', b[2:]
	case 'r':
		return '\r', b[2:]
	case 't':
		return '\t', b[2:]
	case 'u':
		r, _ := hex4(b[2:])
		if !utf16.IsSurrogate(r) {
			return r, b[6:]
		}
		low, _ := hex4(b[8:])
		return utf16.DecodeRune(r, low), b[12:]
	}
	return rune(b[1]), b[2:]
}
