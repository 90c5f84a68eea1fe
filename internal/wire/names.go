package wire

import (
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// fold maps characters that differ in case only to one of them, as Java's String.CASE_INSENSITIVE_ORDER does: to upper,
// then to lower case. It joins everything that encoding/json takes for the same member name (K and the Kelvin sign, s and
// the long s).
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(unicode.ToUpper(r))
}

// nameKey is a member name while its object is being read. Hash is equal for names that are equal under folding.
type nameKey struct {
	hash uint32
	name []byte
}

// foldHash is FNV-1a over the folded name.
func foldHash(name []byte) uint32 {
	h := uint32(2166136261)
	for i := 0; i < len(name); {
		r, size := rune(name[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(name[i:])
		}
		h = (h ^ uint32(fold(r))) * 16777619 //nolint:gosec // a rune is never negative
		i += size
	}
	return h
}

// hasTwin tells whether two names are equal under folding. It reorders the names: sorting keeps the cost at n log n even
// for an object whose names were made to collide.
func hasTwin(names []nameKey) bool {
	if len(names) <= 16 {
		for i := range names {
			for j := range i {
				if names[i].hash == names[j].hash && compareFold(names[i].name, names[j].name) == 0 {
					return true
				}
			}
		}
		return false
	}
	compare := func(a, b nameKey) int {
		if c := cmp.Compare(a.hash, b.hash); c != 0 {
			return c
		}
		return compareFold(a.name, b.name)
	}
	slices.SortFunc(names, compare)
	for i := 1; i < len(names); i++ {
		if compare(names[i-1], names[i]) == 0 {
			return true
		}
	}
	return false
}

// compareFold orders names ignoring case, as the gateway orders the members of nested objects.
func compareFold(a, b []byte) int {
	for len(a) > 0 && len(b) > 0 {
		ra, na := utf8.DecodeRune(a)
		rb, nb := utf8.DecodeRune(b)
		if c := compareUnits(fold(ra), fold(rb)); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
	}
	return cmp.Compare(len(a), len(b))
}

// compareNames orders names as the gateway orders the members of a message: by UTF-16 units, which for ASCII is the order
// of the bytes.
func compareNames(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		if a[i] < utf8.RuneSelf || b[i] < utf8.RuneSelf {
			return cmp.Compare(a[i], b[i])
		}
		for i > 0 && !utf8.RuneStart(a[i]) {
			i--
		}
		ra, _ := utf8.DecodeRune(a[i:])
		rb, _ := utf8.DecodeRune(b[i:])
		return compareUnits(ra, rb)
	}
	return cmp.Compare(len(a), len(b))
}

// compareUnits orders two different characters by their UTF-16 form: one beyond U+FFFF starts with a surrogate, which is
// less than U+E000 to U+FFFF.
func compareUnits(a, b rune) int {
	const afterSurrogates = 0xE000
	if a >= afterSurrogates && b >= afterSurrogates && (a > 0xFFFF) != (b > 0xFFFF) {
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

// sorted gives the order in which the members stand in the canonical text.
func (o *Object) sorted() []int32 {
	o.order = o.order[:0]
	for i := range o.Members {
		o.order = append(o.order, int32(i))
	}
	slices.SortFunc(o.order, func(a, b int32) int {
		return compareNames(o.Members[a].Name, o.Members[b].Name)
	})
	return o.order
}
