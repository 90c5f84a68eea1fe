package wire

import (
	"bytes"
	"sync"
	"unicode"
	"unicode/utf8"
)

// foldTable maps characters that differ in case only to one of them, as Java's String.CASE_INSENSITIVE_ORDER does: to
// upper, then to lower case. It joins everything that encoding/json takes for the same member name (K and the Kelvin sign,
// s and the long s), also the few pairs that Unicode 17 took for one when it was too late for Java.
type foldTable [endOfCases]rune

const endOfCases = 0x1F000 // no character from here on has another case; a test looks at all of them

// folds is made when it is first needed. Package unicode takes 300 ns for some characters.
var folds = sync.OnceValue(func() *foldTable {
	table := new(foldTable)
	for r := range table {
		table[r] = foldByUnicode(rune(r)) //nolint:gosec // less than endOfCases
	}
	return table
})

func (t *foldTable) fold(r rune) rune {
	if r < endOfCases {
		return t[r]
	}
	return r
}

func foldByUnicode(r rune) rune {
	folded := foldAsJava(r)
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		folded = min(folded, foldAsJava(other))
	}
	return folded
}

func foldAsJava(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// appendSortable appends a form of a name by whose bytes the gateway's order can be told, folded as that of nested
// objects. The gateway compares UTF-16 units, in which a character beyond U+FFFF starts with less than U+E000; so UTF-8
// has the right order once the first bytes of U+E000 to U+FFFF are greater than all others.
func appendSortable(dst, name []byte, folded bool) []byte {
	var table *foldTable
	for i := 0; i < len(name); {
		c := name[i]
		if c < utf8.RuneSelf {
			if folded {
				c = lowerByte(c)
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(name[i:])
		if folded {
			if table == nil {
				table = folds()
			}
			r = table.fold(r)
		}
		start := len(dst)
		dst = utf8.AppendRune(dst, r)
		if dst[start] == 0xEE || dst[start] == 0xEF {
			dst[start] += 0x10
		}
		i += size
	}
	return dst
}

// compareNames orders two names as the gateway orders the members of a message or, folded, of an object in it.
func compareNames(a, b string, folded bool) int {
	return bytes.Compare(appendSortable(nil, []byte(a), folded), appendSortable(nil, []byte(b), folded))
}
