// Package wire knows the bytes of the DaxPay protocol: a strict JSON reader, the canonical text that is signed, the
// digests, and the encoder and decoder between Go structs and both. Nothing outside this package looks at a byte of a
// message.
package wire

import (
	"bytes"
	"cmp"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how many objects and lists may stand inside one another.
const MaxDepth = 32

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
	Members []Member
	// MaxDepth is how many objects and lists may stand inside one another. 0: the constant MaxDepth.
	MaxDepth int

	names []nameKey // of the objects being read, innermost last
	order []int32   // of Members, see sorted
}

// Get finds a member by its exact name.
func (o *Object) Get(name string) (Value, bool) {
	for i := range o.Members {
		if string(o.Members[i].Name) == name {
			return o.Members[i].Value, true
		}
	}
	return Value{}, false
}

// Read reads the one JSON object that text must be. It is stricter than most readers, because what is read here was
// signed or is to be signed, and must mean the same to everyone: RFC 8259 to the letter, valid UTF-8, no member twice in
// an object (not even under another case), at most o.MaxDepth levels, nothing behind the object.
func (o *Object) Read(text []byte) error {
	return o.read(text, nil, "")
}

// ReadWith is Read, and puts the members of the object that stands under name into inner in the same pass. Inner is
// empty if there is no object under that name.
func (o *Object) ReadWith(text []byte, inner *Object, name string) error {
	inner.Members = inner.Members[:0]
	return o.read(text, inner, name)
}

func (o *Object) read(text []byte, inner *Object, name string) error {
	o.Members = o.Members[:0]
	s := scanner{text: text, names: o.names[:0], maxDepth: cmp.Or(o.MaxDepth, MaxDepth)}
	err := s.document(o, inner, name)
	o.names = s.names[:0]
	if err != nil {
		o.Members = o.Members[:0]
		if inner != nil {
			inner.Members = inner.Members[:0]
		}
	}
	return err
}

// Release drops the references into the text, so that a pooled Object does not keep it alive.
func (o *Object) Release() {
	o.Members, o.names, o.order = release(o.Members), release(o.names), o.order[:0]
}

// release empties a slice for its next use. One that a huge message made is let go: it would be cleared after every small
// message from then on.
func release[T any](s []T) []T {
	const usual = 256
	if cap(s) > usual {
		return nil
	}
	clear(s[:cap(s)])
	return s[:0]
}

type scanner struct {
	text     []byte
	pos      int
	names    []nameKey
	maxDepth int
}

func (s *scanner) fail(reason string) error {
	return &SyntaxError{Offset: s.pos, Reason: reason}
}

func (s *scanner) document(o, inner *Object, name string) error {
	s.space()
	if s.pos == len(s.text) || s.text[s.pos] != '{' {
		return s.fail("an object is expected")
	}
	if err := s.object(1, o, inner, name); err != nil {
		return err
	}
	s.space()
	if s.pos != len(s.text) {
		return s.fail("something follows the object")
	}
	return nil
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// object reads from the opening brace. Members are kept in o, those of the object under name in inner; either may be nil.
func (s *scanner) object(depth int, o, inner *Object, name string) error {
	if depth > s.maxDepth {
		return s.fail("nested too deeply")
	}
	s.pos++
	base := len(s.names)
	s.space()
	if s.pos < len(s.text) && s.text[s.pos] == '}' {
		s.pos++
		return nil
	}
	for {
		s.space()
		start := s.pos
		if s.pos == len(s.text) || s.text[s.pos] != '"' {
			return s.fail("a member name is expected")
		}
		escaped, err := s.string()
		if err != nil {
			return err
		}
		member := Member{Name: Value{Kind: String, Escaped: escaped, Raw: s.text[start:s.pos]}.Text()}
		s.names = append(s.names, nameKey{hash: foldHash(member.Name), name: member.Name})

		s.space()
		if s.pos == len(s.text) || s.text[s.pos] != ':' {
			return s.fail("a colon is expected")
		}
		s.pos++
		var into *Object
		if inner != nil && string(member.Name) == name {
			into = inner
		}
		if member.Value, err = s.value(depth+1, into); err != nil {
			return err
		}
		if o != nil {
			o.Members = append(o.Members, member)
		}

		s.space()
		if s.pos == len(s.text) {
			return s.fail("the object does not end")
		}
		switch s.text[s.pos] {
		case ',':
			s.pos++
		case '}':
			s.pos++
			if hasTwin(s.names[base:]) {
				return s.fail("a member is given twice in the object that ends here")
			}
			s.names = s.names[:base]
			return nil
		default:
			return s.fail("a comma or the end of the object is expected")
		}
	}
}

func (s *scanner) list(depth int) error {
	if depth > s.maxDepth {
		return s.fail("nested too deeply")
	}
	s.pos++
	s.space()
	if s.pos < len(s.text) && s.text[s.pos] == ']' {
		s.pos++
		return nil
	}
	for {
		if _, err := s.value(depth+1, nil); err != nil {
			return err
		}
		s.space()
		if s.pos == len(s.text) {
			return s.fail("the list does not end")
		}
		switch s.text[s.pos] {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.fail("a comma or the end of the list is expected")
		}
	}
}

// value reads any value; depth is the level that an object or a list here would have.
func (s *scanner) value(depth int, into *Object) (Value, error) {
	s.space()
	if s.pos == len(s.text) {
		return Value{}, s.fail("a value is expected")
	}
	var (
		v     Value
		err   error
		start = s.pos
	)
	switch c := s.text[s.pos]; c {
	case '"':
		v.Kind = String
		v.Escaped, err = s.string()
	case '{':
		v.Kind = Dict
		err = s.object(depth, into, nil, "")
	case '[':
		v.Kind = List
		err = s.list(depth)
	case 't':
		v.Kind, err = Bool, s.literal("true")
	case 'f':
		v.Kind, err = Bool, s.literal("false")
	case 'n':
		v.Kind, err = Null, s.literal("null")
	default:
		v.Kind, err = Number, s.number()
	}
	v.Raw = s.text[start:s.pos]
	return v, err
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.text[s.pos:], []byte(word)) {
		return s.fail("a value is expected")
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) number() error {
	if s.at('-') {
		s.pos++
	}
	switch {
	case s.at('0'):
		s.pos++
	case !s.digits():
		return s.fail("a value is expected")
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return s.fail("a digit is expected")
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return s.fail("a digit is expected")
		}
	}
	return nil
}

func (s *scanner) at(c byte) bool {
	return s.pos < len(s.text) && s.text[s.pos] == c
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.text) && '0' <= s.text[s.pos] && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// string reads from the opening to behind the closing quote and tells whether anything was escaped.
func (s *scanner) string() (escaped bool, err error) {
	s.pos++
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return false, err
			}
		case c < ' ':
			return false, s.fail("a control character stands unescaped in a string")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			r, size := utf8.DecodeRune(s.text[s.pos:])
			if r == utf8.RuneError && size == 1 {
				return false, s.fail("the text is not valid UTF-8")
			}
			s.pos += size
		}
	}
	return false, s.fail("the string does not end")
}

func (s *scanner) escape() error {
	rest := s.text[s.pos:]
	if len(rest) < 2 {
		return s.fail("the string does not end")
	}
	switch rest[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		first, ok := hex4(rest[2:])
		if !ok {
			return s.fail("four hex digits are expected")
		}
		if !utf16.IsSurrogate(first) {
			s.pos += 6
			return nil
		}
		if len(rest) >= 12 && rest[6] == '\\' && rest[7] == 'u' {
			if second, ok := hex4(rest[8:]); ok && utf16.DecodeRune(first, second) != utf8.RuneError {
				s.pos += 12
				return nil
			}
		}
		return s.fail("half a surrogate pair")
	}
	return s.fail("an unknown escape")
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
