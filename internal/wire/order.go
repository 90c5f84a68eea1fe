package wire

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"
)

// order sorts the members of one object: ignoring case (folded), as the gateway signs the objects in a message, or by
// the bytes of their names, as it signs a message. In the folded order, members of the same name are neighbors.
type order struct {
	ranks []rank
	forms []byte // the sortable forms of names
	ends  []int  // where they end
}

// rank is a member: the first eight bytes of its name, which settle most comparisons, and its index in the object.
type rank struct {
	key   uint64
	index uint32
}

// sort sorts the members: folded from the order in which they came, by bytes from the folded order. It returns false if
// two of them have the same name.
//
// It inserts one member after another, which is fastest for few members and for those that are nearly in order, as the
// gateway's are. If that takes too many steps, or a name is not ASCII, it leaves the work to sortForms.
func (o *order) sort(m *members, entries []entry, folded bool) bool {
	if folded {
		o.ranks = slices.Grow(o.ranks[:0], len(entries))[:len(entries)]
	}
	ranks, budget := o.ranks, 64+16*len(entries)
	for i := range ranks {
		r := rank{index: uint32(i)}
		if !folded {
			r.index = ranks[i].index
		}
		e := &entries[r.index]
		if e.nameForm&wide != 0 {
			return o.sortForms(m, entries, folded)
		}
		if r.key = e.key; folded {
			r.key = lowerWord(e.key)
		}
		j := i
		for ; j > 0 && ranks[j-1].key >= r.key; j-- {
			if ranks[j-1].key == r.key {
				budget -= int(e.nameLength) / 4
				if c := m.compare(&entries[ranks[j-1].index], e, folded); c == 0 {
					return false
				} else if c < 0 {
					break
				}
			}
			ranks[j] = ranks[j-1]
		}
		ranks[j] = r
		if budget -= i - j; budget < 0 {
			return o.sortForms(m, entries, folded)
		}
	}
	return true
}

// compare compares two ASCII names that start with the same eight bytes.
func (m *members) compare(a, b *entry, folded bool) int {
	x, y := m.nameOf(a), m.nameOf(b)
	for i := 8; i < min(len(x), len(y)); i++ {
		c, d := x[i], y[i]
		if folded {
			c, d = lowerByte(c), lowerByte(d)
		}
		if c != d {
			return int(c) - int(d)
		}
	}
	return len(x) - len(y)
}

// sortForms sorts names of any kind. It makes the sortable form of each name once.
func (o *order) sortForms(m *members, entries []entry, folded bool) bool {
	length := 0
	for i := range entries {
		length += int(entries[i].nameLength)
	}
	o.forms = slices.Grow(o.forms[:0], length)
	o.ends = append(slices.Grow(o.ends[:0], len(entries)+1), 0)
	for i := range entries {
		start := len(o.forms)
		o.forms = appendSortable(o.forms, m.nameOf(&entries[i]), folded)
		o.ranks[i] = rank{firstWord(o.forms, start, len(o.forms)), uint32(i)}
		o.ends = append(o.ends, len(o.forms))
	}
	compare := func(a, b rank) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return bytes.Compare(o.forms[o.ends[a.index]:o.ends[a.index+1]], o.forms[o.ends[b.index]:o.ends[b.index+1]])
	}
	slices.SortFunc(o.ranks, compare)
	for i := 1; i < len(o.ranks); i++ {
		if compare(o.ranks[i-1], o.ranks[i]) == 0 {
			return false
		}
	}
	return true
}

// foldTable maps characters that differ only in case to one of them, as Java's String.CASE_INSENSITIVE_ORDER does: to
// upper case, then to lower case. It does the same for all that encoding/json takes for the same member name: K and the
// Kelvin sign, s and the long s, and a few pairs of Unicode 17, which is newer than the gateway's Java.
type foldTable [endOfCases]rune

const endOfCases = 0x1F000 // no character from here on has another case, as a test makes sure

// folds makes the table when it is first needed. Package unicode takes 300 ns for some characters.
var folds = sync.OnceValue(func() *foldTable {
	table := new(foldTable)
	for r := range table {
		table[r] = foldByUnicode(rune(r))
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

// appendSortable appends a form of a name whose bytes sort as the gateway sorts names. The gateway compares UTF-16
// units, in which a character beyond U+FFFF sorts before U+E000. UTF-8 sorts in the same way once the first bytes of
// U+E000 to U+FFFF are greater than all others.
func appendSortable(dst, name []byte, folded bool) []byte {
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
			r = folds().fold(r)
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

// compareNames compares two names as the gateway does in a message or, folded, in an object inside it.
func compareNames(a, b string, folded bool) int {
	return bytes.Compare(appendSortable(nil, []byte(a), folded), appendSortable(nil, []byte(b), folded))
}
