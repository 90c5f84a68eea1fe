package wire

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// class is a set of properties of bytes. The reader collects the classes of a text while it looks for its end.
type class uint16

const (
	mustEscape   class = 1 << iota // escaped in a JSON string: quotes, backslashes, 0x00 to 0x1F
	space                          // what JSON allows between tokens
	control                        // 0x00 to 0x1F, 0x7F
	wide                           // from 0x80: part of a character that is not ASCII
	mayControl                     // 0xC2: the first byte of the control characters U+0080 to U+009F, and of others
	topMeta                        // & = " \: structures the canonical text, or is deleted from it
	nestedMeta                     // , : { } [ ]: structures nested values
	noCode                         // & " \ and control characters: not in a code
	noNestedCode                   // , { } [ ]: not in a code within nested values
	inDecimal                      // . e E: makes a number a decimal

	// What else is known of a name or a value.
	escaped // a string holds a backslash
	decimal // a number has a fraction or an exponent, or is -0
	nested  // it is a list or an object

	special = mustEscape | wide
)

// The characters that structure a canonical text or are deleted from it, outside and inside nested values.
const (
	topMetas    = `&="\`
	nestedMetas = `,:{}[]`
)

var classes = makeClasses()

func makeClasses() (table [256]class) {
	for i := range table {
		switch {
		case i < ' ':
			table[i] = mustEscape | control | noCode
		case i == 0x7F:
			table[i] = control | noCode
		case i >= utf8.RuneSelf:
			table[i] = wide
		}
	}
	mark := func(set string, c class) {
		for _, b := range []byte(set) {
			table[b] |= c
		}
	}
	mark(`"\`, mustEscape)
	mark(" \t\n\r", space)
	mark("\xC2", mayControl)
	mark(topMetas, topMeta)
	mark(nestedMetas, nestedMeta)
	mark(`&"\`, noCode)
	mark(",{}[]", noNestedCode)
	mark(".eE", inDecimal)
	return table
}

// plain returns the position of the first special byte of b from i on, len(b) if there is none, and the classes of the
// bytes before it. Four bytes a round take half the time of one.
func plain(b []byte, i int) (int, class) {
	var seen class
	for ; i+4 <= len(b); i += 4 {
		four := b[i : i+4 : i+4]
		c0, c1, c2, c3 := classes[four[0]], classes[four[1]], classes[four[2]], classes[four[3]]
		switch all := c0 | c1 | c2 | c3; {
		case all&special == 0:
			seen |= all
		case c0&special != 0:
			return i, seen
		case c1&special != 0:
			return i + 1, seen | c0
		case c2&special != 0:
			return i + 2, seen | c0 | c1
		default:
			return i + 3, seen | c0 | c1 | c2
		}
	}
	for ; i < len(b) && classes[b[i]]&special == 0; i++ {
		seen |= classes[b[i]]
	}
	return i, seen
}

// holds returns the classes of all bytes of b.
func holds[T string | []byte](b T) class {
	var seen class
	i := 0
	for ; i+4 <= len(b); i += 4 {
		seen |= classes[b[i]] | classes[b[i+1]] | classes[b[i+2]] | classes[b[i+3]]
	}
	for ; i < len(b); i++ {
		seen |= classes[b[i]]
	}
	return seen
}

// firstWord returns the first eight bytes of text[start:end], padded with zeros. It is big-endian, so words compare as
// the bytes do.
func firstWord(text []byte, start, end int) uint64 {
	if start+8 > len(text) {
		return firstWordOf(text[start:end])
	}
	w := binary.BigEndian.Uint64(text[start : start+8])
	if n := end - start; n < 8 {
		w &^= ^uint64(0) >> (8 * n)
	}
	return w
}

func firstWordOf[T string | []byte](name T) uint64 {
	var w uint64
	for i := range min(len(name), 8) {
		w |= uint64(name[i]) << (56 - 8*i)
	}
	return w
}

// lowerWord returns a word of ASCII characters in lower case.
func lowerWord(w uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	fromA := w + ones*(0x80-'A')
	aboveZ := w + ones*(0x80-'Z'-1)
	return w | (fromA&^aboveZ&highs)>>2
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	r, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(r), err == nil
}

// unescape appends the text of a string that the reader accepted; inner is what stands between its quotes.
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

// The characters that have a one-letter escape, and the letters.
const (
	shortEscaped = "\b\f\n\r\t"
	shortEscapes = "bfnrt"
)

// unescapeOne reads one valid escape, or a pair of surrogates, and returns what follows it.
func unescapeOne(b []byte) (rune, []byte) {
	if b[1] == 'u' {
		r, _ := hex4(b[2:])
		if !utf16.IsSurrogate(r) {
			return r, b[6:]
		}
		low, _ := hex4(b[8:])
		return utf16.DecodeRune(r, low), b[12:]
	}
	if i := strings.IndexByte(shortEscapes, b[1]); i >= 0 {
		return rune(shortEscaped[i]), b[2:]
	}
	return rune(b[1]), b[2:]
}
