package daxpaytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// reader reads a request body as the gateway's JSON library does: just as lenient, and with the same error texts. It
// stops at the first error.
type reader struct {
	data  []byte
	pos   int
	depth int
	// known returns the kind of a member of the body, and whether the call knows it. take gets the known members while
	// the body is read.
	known func(name string) (kind, bool)
	take  func(member) error
	class string // of the body
}

const (
	// sourceText is how the library names the body in its errors.
	sourceText = "(org.springframework.util.StreamUtils$NonClosingInputStream)"
	// deepest is how deep values may be nested.
	deepest = 100_000

	validValue = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
)

// unreadable is an error of the reader.
type unreadable struct {
	text  string // without the place
	class string // of the library's exception
	at    int    // offset in the body, or one of the constants below
	chain string // the members that lead to the value; empty outside of known members
}

const (
	parseException     = "com.fasterxml.jackson.core.JsonParseException"
	endException       = "com.fasterxml.jackson.core.io.JsonEOFException"
	mismatchException  = "com.fasterxml.jackson.databind.exc.MismatchedInputException"
	formatException    = "com.fasterxml.jackson.databind.exc.InvalidFormatException"
	mappingException   = "com.fasterxml.jackson.databind.JsonMappingException"
	tokenOfArray       = "START_ARRAY"
	tokenOfObject      = "START_OBJECT"
	expectedFieldName  = "was expecting double-quote to start field name"
	expectedColon      = "was expecting a colon to separate field name and value"
	expectedValue      = "expected a valid value " + validValue
	endOfObject        = "Unexpected end-of-input: expected close marker for Object (start marker at %s)"
	endOfArray         = "Unexpected end-of-input: expected close marker for Array (start marker at %s)"
	endBetween         = "Unexpected end-of-input within/between %s entries"
	constructorMissing = "Cannot construct instance of `%s` (although at least one Creator exists): no %s-argument " +
		"constructor/factory method to deserialize from %s"
)

// Values of unreadable.at that are not offsets.
const (
	nowhere   = -1
	beforeAll = -2
)

func (e *unreadable) Error() string { return e.text }

// message returns the text of the gateway's answer.
func (r *reader) message(e *unreadable) string {
	text := "JSON parse error: " + e.text + "; nested exception is " + e.class + ": " + e.text
	if e.at != nowhere {
		text += "\n at " + r.place(e.at)
	}
	if e.chain != "" {
		text += " (through reference chain: " + e.chain + ")"
	}
	return text
}

// place returns the line and column of an offset, as the library prints them.
func (r *reader) place(at int) string {
	if at == beforeAll {
		return "[Source: " + sourceText + "; line: 1, column: 0]"
	}
	line, column := 1, 1
	for _, c := range r.data[:min(at, len(r.data))] {
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	column += max(0, at-len(r.data))
	return fmt.Sprintf("[Source: %s; line: %d, column: %d]", sourceText, line, column)
}

func (r *reader) fail(at int, format string, args ...any) error {
	return &unreadable{text: fmt.Sprintf(format, args...), class: parseException, at: at}
}

func (r *reader) ended(format string, args ...any) error {
	return &unreadable{text: fmt.Sprintf(format, args...), class: endException, at: len(r.data)}
}

// unexpected complains about the character at pos.
func (r *reader) unexpected(what string) error {
	c, size := utf8.DecodeRune(r.data[r.pos:])
	if c == utf8.RuneError && size == 1 {
		return r.fail(r.pos+1, "Invalid UTF-8 start byte 0x%x", r.data[r.pos])
	}
	name := fmt.Sprintf("'%c' (code %d", c, c)
	switch {
	case c < ' ':
		return r.fail(r.pos+1, "Illegal character ((CTRL-CHAR, code %d)): "+
			"only regular white space (\\r, \\n, \\t) is allowed between tokens", c)
	case c == '/':
		what = "maybe a (non-standard) comment? " +
			"(not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)"
	case c > 255:
		name += fmt.Sprintf(" / 0x%x", c)
	}
	return r.fail(r.pos+1, "Unexpected character (%s)): %s", name, what)
}

func (r *reader) space() {
	for r.pos < len(r.data) && strings.IndexByte(" \t\r\n", r.data[r.pos]) >= 0 {
		r.pos++
	}
}

// value is a value with the offset at which it begins.
type value struct {
	at  int
	any // nil, bool, json.Number, string, []value or []member
}

// member is a member of an object. A member that occurs twice stays twice.
type member struct {
	name string
	value
}

// read reads a value that begins at pos.
func (r *reader) read() (value, error) {
	v := value{at: r.pos}
	var err error
	switch c := r.data[r.pos]; {
	case c == '{':
		v.any, err = r.object()
	case c == '[':
		v.any, err = r.array()
	case c == '"':
		v.any, err = r.text("VALUE_STRING")
	case c == '-' || c >= '0' && c <= '9':
		v.any, err = r.number()
	case c == 't' || c == 'f' || c == 'n' || unicode.IsLetter(rune(c)) && c < utf8.RuneSelf:
		v.any, err = r.word()
	default:
		err = r.unexpected(expectedValue)
	}
	return v, err
}

func (r *reader) enter() error {
	if r.depth++; r.depth > deepest {
		return r.fail(r.pos, "Document nesting depth (%d) exceeds the maximum allowed (%d)", r.depth, deepest)
	}
	return nil
}

func (r *reader) object() ([]member, error) {
	start := r.pos
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer func() { r.depth-- }()
	members := []member{}
	r.pos++
	for first := true; ; first = false {
		r.space()
		switch {
		case r.pos >= len(r.data):
			return nil, r.ended(endOfObject, r.place(start))
		case r.data[r.pos] == '}' && first:
			r.pos++
			return members, nil
		case r.data[r.pos] != '"':
			return nil, r.unexpected(expectedFieldName)
		}
		name, err := r.text("field name")
		if err != nil {
			return nil, err
		}
		r.space()
		if r.pos >= len(r.data) {
			return nil, r.ended(endBetween, "Object")
		}
		if r.data[r.pos] != ':' {
			return nil, r.unexpected(expectedColon)
		}
		r.pos++
		r.space()
		if r.pos >= len(r.data) {
			return nil, r.ended(endBetween, "Object")
		}
		m, err := r.member(name)
		if err != nil {
			return nil, err
		}
		if r.depth > 1 || r.take == nil {
			members = append(members, m)
		}
		done, err := r.next('}', "Object", endOfObject, start)
		if done || err != nil {
			return members, err
		}
	}
}

// member reads the value of a member. A known member of the body is converted at once, so that its error comes before
// those of later members.
func (r *reader) member(name string) (member, error) {
	if r.depth > 1 || r.take == nil {
		v, err := r.read()
		return member{name, v}, err
	}
	k, known := r.known(name)
	first := r.data[r.pos]
	if known && (first == '{' || first == '[') && k != properties && k != receivers && k != seconds {
		var v any = []member{}
		if first == '[' {
			v = []value{}
		}
		return member{}, r.take(member{name, value{r.pos, v}})
	}
	v, err := r.read()
	var wrong *unreadable
	if known && errors.As(err, &wrong) && (first == '"' || first == '{' || first == '[') {
		wrong.class, wrong.chain = mappingException, fmt.Sprintf("%s[%q]", r.class, name)
	}
	if err == nil && known {
		err = r.take(member{name, v})
	}
	return member{name, v}, err
}

func (r *reader) array() ([]value, error) {
	start := r.pos
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer func() { r.depth-- }()
	items := []value{}
	r.pos++
	r.space()
	if r.pos < len(r.data) && r.data[r.pos] == ']' {
		r.pos++
		return items, nil
	}
	for {
		r.space()
		if r.pos >= len(r.data) {
			return nil, r.ended(endOfArray, r.place(start))
		}
		v, err := r.read()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		done, err := r.next(']', "Array", endOfArray, start)
		if done || err != nil {
			return items, err
		}
	}
}

// next reads what follows an entry, and reports whether the object or array ends there.
func (r *reader) next(closing byte, kind, ended string, start int) (bool, error) {
	r.space()
	if r.pos >= len(r.data) {
		return false, r.ended(ended, r.place(start))
	}
	switch c := r.data[r.pos]; c {
	case closing:
		r.pos++
		return true, nil
	case ',':
		r.pos++
		return false, nil
	case '}', ']':
		return false, r.fail(r.pos+1, "Unexpected close marker '%c': expected '%c' (for %s starting at %s)", c,
			closing, kind, r.place(start))
	}
	return false, r.unexpected("was expecting comma to separate " + kind + " entries")
}

// text reads a string. what names the string in the error if it does not end.
func (r *reader) text(what string) (string, error) {
	r.pos++
	if end := bytes.IndexByte(r.data[r.pos:], '"'); end >= 0 && plain(r.data[r.pos:r.pos+end]) {
		s := string(r.data[r.pos : r.pos+end])
		r.pos += end + 1
		return s, nil
	}
	var units []uint16
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		switch {
		case c == '"':
			r.pos++
			return string(utf16.Decode(units)), nil
		case c == '\\':
			unit, err := r.escape()
			if err != nil {
				return "", err
			}
			units = append(units, unit)
		case c < ' ':
			kind := "string value"
			if what == "field name" {
				kind = "name"
			}
			return "", r.fail(r.pos+1, "Illegal unquoted character ((CTRL-CHAR, code %d)): "+
				"has to be escaped using backslash to be included in %s", c, kind)
		default:
			char, size := utf8.DecodeRune(r.data[r.pos:])
			if char == utf8.RuneError && size == 1 {
				return "", r.badUTF8()
			}
			units = utf16.AppendRune(units, char)
			r.pos += size
		}
	}
	return "", r.ended("Unexpected end-of-input in %s", what)
}

// plain reports whether a string is ASCII without escapes.
func plain(s []byte) bool {
	for _, c := range s {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// badUTF8 returns the error for the first wrong byte of the character at pos.
func (r *reader) badUTF8() error {
	c := r.data[r.pos]
	var length int
	switch {
	case c&0xE0 == 0xC0:
		length = 2
	case c&0xF0 == 0xE0:
		length = 3
	case c&0xF8 == 0xF0:
		length = 4
	default:
		return r.fail(r.pos+1, "Invalid UTF-8 start byte 0x%x", c)
	}
	for i := 1; i < length; i++ {
		if r.pos+i >= len(r.data) {
			return r.ended("Unexpected end-of-input in VALUE_STRING")
		}
		if b := r.data[r.pos+i]; b&0xC0 != 0x80 {
			return r.fail(r.pos+i+1, "Invalid UTF-8 middle byte 0x%x", b)
		}
	}
	return r.fail(r.pos+1, "Invalid UTF-8 start byte 0x%x", c)
}

func (r *reader) escape() (uint16, error) {
	r.pos++
	if r.pos >= len(r.data) {
		return 0, r.ended("Unexpected end-of-input in character escape sequence")
	}
	c := r.data[r.pos]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		r.pos++
		return uint16("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return 0, r.fail(r.pos+1, "Unrecognized character escape '%c' (code %d)", c, c)
	}
	r.pos++
	var unit uint16
	for range 4 {
		if r.pos >= len(r.data) {
			return 0, r.ended("Unexpected end-of-input in character escape sequence")
		}
		digit, err := strconv.ParseUint(string(r.data[r.pos]), 16, 8)
		if err != nil {
			return 0, r.unexpected("expected a hex-digit for character escape sequence")
		}
		unit = unit<<4 | uint16(digit)
		r.pos++
	}
	return unit, nil
}

func (r *reader) digits() int {
	from := r.pos
	for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
		r.pos++
	}
	return r.pos - from
}

func (r *reader) number() (json.Number, error) {
	start := r.pos
	if r.data[r.pos] == '-' {
		r.pos++
	}
	first := r.pos
	switch n := r.digits(); {
	case n == 0:
		return "", r.inNumber("expected digit (0-9) to follow minus sign, for valid numeric value")
	case n > 1 && r.data[first] == '0':
		return "", r.fail(first+1, "Invalid numeric value: Leading zeroes not allowed")
	}
	if r.pos < len(r.data) && r.data[r.pos] == '.' {
		if r.pos++; r.digits() == 0 {
			return "", r.inNumber("Decimal point not followed by a digit")
		}
	}
	if r.pos < len(r.data) && (r.data[r.pos] == 'e' || r.data[r.pos] == 'E') {
		r.pos++
		if r.pos < len(r.data) && (r.data[r.pos] == '+' || r.data[r.pos] == '-') {
			r.pos++
		}
		if r.digits() == 0 {
			return "", r.inNumber("Exponent indicator not followed by a digit")
		}
	}
	return json.Number(r.data[start:r.pos]), nil
}

func (r *reader) inNumber(what string) error {
	if r.pos >= len(r.data) {
		return r.ended("Unexpected end-of-input in a Number value")
	}
	c := r.data[r.pos]
	return r.fail(r.pos+1, "Unexpected character ('%c' (code %d)) in numeric value: %s", c, c, what)
}

func (r *reader) word() (any, error) {
	start := r.pos
	for r.pos < len(r.data) {
		c, size := utf8.DecodeRune(r.data[r.pos:])
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_' && c != '$' {
			break
		}
		r.pos += size
	}
	switch word := string(r.data[start:r.pos]); word {
	case "NaN", "INF", "Infinity":
		return nil, r.fail(r.pos, "Non-standard token '%s': "+
			"enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow", word)
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	default:
		return nil, r.fail(min(r.pos+1, len(r.data)), "Unrecognized token '%s': was expecting %s", word, validValue)
	}
}

// body reads the object of a request, and reports whether there is one.
func (r *reader) body() (bool, error) {
	class := r.class
	const bom = "\ufeff"
	if len(r.data) == 0 {
		return false, nil
	}
	if bytes.HasPrefix(r.data, []byte(bom)) {
		if len(r.data) < 4 {
			return false, r.fail(2, "Invalid UTF-8 start byte 0xbb")
		}
		r.pos = len(bom)
	}
	if r.space(); r.pos >= len(r.data) {
		return false, &unreadable{"No content to map due to end-of-input", mismatchException, beforeAll, ""}
	}
	if r.data[r.pos] == '[' {
		return false, noInstance(class, value{r.pos, []value{}})
	}
	v, err := r.read()
	if err != nil {
		return false, err
	}
	if _, ok := v.any.([]member); v.any == nil || ok {
		return ok, nil
	}
	return false, noInstance(class, v)
}

// noInstance returns the error for a value that cannot become an object of a class.
func noInstance(class string, v value) *unreadable {
	e := &unreadable{class: mismatchException, at: v.at}
	switch x := v.any.(type) {
	case []value:
		e.text = fmt.Sprintf("Cannot deserialize value of type `%s` from Array value (token `JsonToken.%s`)", class,
			tokenOfArray)
	case []member:
		e.text = fmt.Sprintf("Cannot deserialize value of type `%s` from Object value (token `JsonToken.%s`)", class,
			tokenOfObject)
	case string:
		e.text = fmt.Sprintf(constructorMissing, class, "String", fmt.Sprintf("String value ('%s')", x))
		if x == "" {
			e.text = noEmpty(class)
		}
	case bool:
		e.text = fmt.Sprintf(constructorMissing, class, "boolean/Boolean", fmt.Sprintf("boolean value (%t)", x))
	case json.Number:
		e.text = fmt.Sprintf(constructorMissing, class, numberKind(x), fmt.Sprintf("Number value (%s)", x))
	}
	return e
}

func noEmpty(class string) string {
	return fmt.Sprintf("Cannot coerce empty String (\"\") to `%s` value "+
		"(but could if coercion was enabled using `CoercionConfig`)", class)
}

func numberKind(n json.Number) string {
	if strings.ContainsAny(string(n), ".eE") {
		return "double/Double"
	}
	i, err := n.Int64()
	switch {
	case err != nil:
		return "BigInteger"
	case i != int64(int32(i)): //nolint:gosec // it is what is tested
		return "long/Long"
	}
	return "int/Int"
}

// tokenOf describes a value as the library does in errors about a wrong type.
func tokenOf(v any) string {
	switch v := v.(type) {
	case []value:
		return "Array value (token `JsonToken.START_ARRAY`)"
	case []member:
		return "Object value (token `JsonToken.START_OBJECT`)"
	case bool:
		return fmt.Sprintf("Boolean value (token `JsonToken.VALUE_%s`)", strings.ToUpper(strconv.FormatBool(v)))
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return "Floating-point value (token `JsonToken.VALUE_NUMBER_FLOAT`)"
		}
		return "Integer value (token `JsonToken.VALUE_NUMBER_INT`)"
	}
	return "String value (token `JsonToken.VALUE_STRING`)"
}
