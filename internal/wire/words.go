package wire

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes at a time: the loops here look at a word of the text at once, which takes 0.16 ns a byte.

const (
	ones  = 0x0101010101010101 // times a byte: that byte in all eight places
	highs = 0x8080808080808080
)

// has finds the places of w that are c: the highest bit of the lowest such byte is set, and none below it. Bytes above it may be
// marked without reason.
func has(w uint64, c byte) uint64 {
	w ^= ones * uint64(c)
	return (w - ones) &^ w & highs
}

// special finds, like has, what does not stand for itself in a JSON string, or is not ASCII: quotes, backslashes, control
// characters, and bytes from 0x80.
func special(w uint64) uint64 {
	quote, backslash, control := (w^ones*'"')-ones, (w^ones*'\\')-ones, w-ones*' '
	return ((quote|backslash|control)&^w | w) & highs
}

// plain returns the position of the first special byte of b at or behind i, len(b) if there is none.
func plain(b []byte, i int) int {
	for ; i+16 <= len(b); i += 16 { // two words in a round: a tenth less time for a long text
		first, second := special(binary.LittleEndian.Uint64(b[i:i+8])), special(binary.LittleEndian.Uint64(b[i+8:i+16]))
		if first != 0 {
			return i + bits.TrailingZeros64(first)/8
		}
		if second != 0 {
			return i + 8 + bits.TrailingZeros64(second)/8
		}
	}
	if i+8 <= len(b) {
		if found := special(binary.LittleEndian.Uint64(b[i : i+8])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
		i += 8
	}
	for i < len(b) && classes[b[i]]&inString == 0 {
		i++
	}
	return i
}

// closing returns the position of the first quote or backslash of b at or behind i. There must be one.
func closing(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i : i+8])
		if found := has(w, '"') | has(w, '\\'); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// class says in which of the sets that matter here a byte is.
type class uint16

const (
	inString   class = 1 << iota // special
	inText                       // & , {: where a text could be cut
	topMeta                      // & = " \: structures the canonical text, or is deleted from it
	nestedMeta                   // , : { } [ ]: structures nested values
	control                      // 0x00 to 0x1F, 0x7F
	wide                         // from 0x80: part of a character that is not ASCII
	space
	inNumber     // . e E: makes a number a decimal
	noCode       // & " \ and control characters: not in a code
	noNestedCode // , { } [ ]: not in a code within nested values
)

var classes = makeClasses()

func makeClasses() (table [256]class) {
	for i := range table {
		switch {
		case i < ' ':
			table[i] = inString | control | noCode
		case i == 0x7F:
			table[i] = control | noCode
		case i >= 0x80:
			table[i] = inString | wide
		}
	}
	mark := func(set string, c class) {
		for _, b := range []byte(set) {
			table[b] |= c
		}
	}
	mark(`"\`, inString)
	mark(topMetas, topMeta)
	mark(nestedMetas, nestedMeta)
	mark(" \t\n\r", space)
	mark(".eE", inNumber)
	mark(`&"\`, noCode)
	mark(",{}[]", noNestedCode)
	return table
}

// holds returns the union of the classes of all bytes.
func holds(b []byte) class {
	var all class
	for _, c := range b {
		all |= classes[c]
	}
	return all
}

// word returns the first eight bytes of text[start:end] so that comparing words compares bytes; what is shorter is filled with
// zeros.
func word(text []byte, start, end int) uint64 {
	n := end - start
	if start+8 <= len(text) {
		w := binary.BigEndian.Uint64(text[start : start+8])
		if n < 8 {
			w &^= ^uint64(0) >> (8 * n)
		}
		return w
	}
	var w uint64
	for i := range min(n, 8) {
		w |= uint64(text[start+i]) << (56 - 8*i)
	}
	return w
}

// wordOf is the word of a whole text.
func wordOf(s string) uint64 {
	if len(s) >= 8 {
		return bits.ReverseBytes64(wordAt(s, 0))
	}
	var w uint64
	for i := range len(s) {
		w |= uint64(s[i]) << (56 - 8*i)
	}
	return w
}

// wordAt is binary.LittleEndian.Uint64 for a string; the compiler makes one load of it.
func wordAt(s string, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// lastOfString is the word of s from i on, where less than eight bytes are left; zeros follow them.
func lastOfString(s string, i int) uint64 {
	if len(s) >= 8 {
		return wordAt(s, len(s)-8) >> (64 - 8*(len(s)-i))
	}
	if rest := len(s) - i; rest >= 4 { // two halves that overlap
		return uint64(halfAt(s, i)) | uint64(halfAt(s, len(s)-4))<<(8*(rest-4))
	}
	var w uint64
	for k := len(s) - 1; k >= i; k-- {
		w = w<<8 | uint64(s[k])
	}
	return w
}

// halfAt is wordAt for four bytes.
func halfAt(s string, i int) uint32 {
	b := s[i : i+4]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// tail returns the last eight bytes of b if it is longer than that, else 0.
func tail(b []byte) uint64 {
	if len(b) <= 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b[len(b)-8:])
}

// lower is a word with lower-case instead of upper-case ASCII letters. Bytes must be ASCII.
func lower(w uint64) uint64 {
	fromA := w + ones*(0x80-'A')
	aboveZ := w + ones*(0x80-'Z'-1)
	return w | (fromA&^aboveZ&highs)>>2
}
