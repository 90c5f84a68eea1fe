package wire

import (
	"bytes"
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// fold maps characters that differ in case only to one of them, as Java's String.CASE_INSENSITIVE_ORDER does: to upper,
// then to lower case. It joins everything that encoding/json takes for the same member name (K and the Kelvin sign, s and
// the long s), also the few pairs that Unicode 17 took for one when it was too late for Java.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	folded := foldAsJava(r)
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		folded = min(folded, foldAsJava(other))
	}
	return folded
}

func foldAsJava(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

func appendFold(dst, name []byte) []byte {
	for len(name) > 0 {
		r, size := utf8.DecodeRune(name)
		dst = utf8.AppendRune(dst, fold(r))
		name = name[size:]
	}
	return dst
}

// nameKey is a member name while its object is being read. First is the first eight bytes under folding, so that they are equal
// for names that are.
type nameKey struct {
	first            uint64
	name, nameEnd    uint32 // in the text, or in what was spelled out
	spelled, foreign bool
}

// keep adds the key of a name. It is filled in place, as members.add says.
func (s *scanner) keep(e *entry) {
	n := len(s.names)
	if n == cap(s.names) {
		s.names = slices.Grow(s.names, max(n, 16))
	}
	s.names = s.names[:n+1]
	k := &s.names[n]
	k.first, k.name, k.nameEnd, k.spelled, k.foreign = lower(e.word), e.name, e.nameEnd, e.spelled, e.foreign
	if e.foreign {
		s.folded = appendFold(s.folded[:0], s.keyOf(k))
		k.first = word(s.folded, 0, len(s.folded))
	}
}

func (s *scanner) keyOf(k *nameKey) []byte {
	if k.spelled {
		return s.spelled[k.name:k.nameEnd]
	}
	return s.text[k.name:k.nameEnd]
}

func (s *scanner) same(a, b *nameKey) bool {
	return a.first == b.first && compareFold(s.keyOf(a), s.keyOf(b)) == 0
}

// hasTwin tells whether two names of a message are equal under folding.
func (s *scanner) hasTwin(o *Object) bool {
	// In the order of the names under folding, twins stand side by side.
	o.spelled = s.spelled
	if o.folded.fits(&o.members, true) {
		return false
	}
	o.folded.sort(&o.members, true)
	return !o.folded.fits(&o.members, true)
}

// hasTwinAmong is hasTwin for the names of an object of which nothing is kept. It may reorder them, and is not asked about names that
// come in ascending order, as those of requests do.
func (s *scanner) hasTwinAmong(names []nameKey) bool {
	const few = 24
	if len(names) > few {
		return s.hasTwinAmongMany(names)
	}
	for i := 1; i < len(names); i++ {
		first := names[i].first
		for j := range names[:i] {
			if names[j].first == first && s.same(&names[i], &names[j]) {
				return true
			}
		}
	}
	return false
}

// hasTwinAmongMany looks the names up in a hash table, which costs the same for each of them however many there are. If someone
// chose them to collide there, it sorts them instead.
func (s *scanner) hasTwinAmongMany(names []nameKey) bool {
	size := 1
	for size < 2*len(names) {
		size *= 2
	}
	if cap(s.twins) < size {
		s.twins = make([]uint32, size)
	}
	table := s.twins[:size]
	clear(table)
	probes := 8 * len(names)
	for i := range names {
		k := &names[i]
		slot := int(s.hash(k) & uint64(size-1)) //nolint:gosec // less than size
		for ; table[slot] != 0; slot = (slot + 1) & (size - 1) {
			if s.same(k, &names[table[slot]-1]) {
				return true
			}
			if probes--; probes == 0 {
				return s.hasTwinWhenSorted(names)
			}
		}
		table[slot] = uint32(i + 1)
	}
	return false
}

// hash is equal for names that are equal under folding. It looks at the ends of a name.
func (s *scanner) hash(k *nameKey) uint64 {
	if k.foreign {
		s.folded = appendFold(s.folded[:0], s.keyOf(k))
		return mix(k.first, tail(s.folded))
	}
	return mix(k.first, lower(tail(s.keyOf(k))))
}

func mix(a, b uint64) uint64 {
	h := (a ^ b>>32 ^ b<<32) * 0x9E3779B97F4A7C15
	h = (h ^ b ^ h>>29) * 0xBF58476D1CE4E5B9
	return h ^ h>>32
}

func (s *scanner) hasTwinWhenSorted(names []nameKey) bool {
	compare := func(a, b nameKey) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		return compareFold(s.keyOf(&a), s.keyOf(&b))
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
		ra, na := rune(a[0]), 1
		if ra >= utf8.RuneSelf {
			ra, na = utf8.DecodeRune(a)
		}
		rb, nb := rune(b[0]), 1
		if rb >= utf8.RuneSelf {
			rb, nb = utf8.DecodeRune(b)
		}
		if ra != rb {
			if c := compareUnits(fold(ra), fold(rb)); c != 0 {
				return c
			}
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

// second is the word of the name's second eight bytes, 0 if it has none or was spelled out.
func (m *members) second(e *entry) uint64 {
	if e.spelled || e.nameEnd-e.name <= 8 {
		return 0
	}
	return word(m.text, int(e.name)+8, int(e.nameEnd))
}

// compare orders two members as those of a message or, folded, of an object in it.
func (m *members) compare(a, b *entry, folded bool) int {
	switch {
	case folded:
		return m.compareFolded(a, b)
	case m.foreign:
		return compareNames(m.nameOf(a), m.nameOf(b))
	case a.word != b.word:
		return cmp.Compare(a.word, b.word)
	}
	// Numbers of one kind start alike. To look at the next eight bytes here saves most calls of bytes.Compare.
	if x, y := m.second(a), m.second(b); x != y && x != 0 && y != 0 {
		return cmp.Compare(x, y)
	}
	return bytes.Compare(m.nameOf(a), m.nameOf(b))
}

func (m *members) compareFolded(a, b *entry) int {
	if !m.foreign {
		if x, y := lower(a.word), lower(b.word); x != y {
			return cmp.Compare(x, y)
		}
		if x, y := lower(m.second(a)), lower(m.second(b)); x != y && x != 0 && y != 0 {
			return cmp.Compare(x, y)
		}
	}
	return compareFold(m.nameOf(a), m.nameOf(b))
}

// order is the order in which members are signed. It keeps the one of the message before and tries it first, because the
// gateway sends the members of one kind of message in the same order every time: 25 ns for the 20 members of a notice, where
// sorting takes 650.
type order []uint32

// sequence is what is known of the names of a message and the order in which they came. The gateway sends the members of one kind of
// message in the same order every time: where they came in the order of the message before, all that was found about its names
// holds, and each was known before it was read, which saves half of the time that reading a notice takes.
type sequence struct {
	names   *nameTable // in which the names are
	count   int        // how many there are; 0: one is not in the table
	inOrder bool       // they came in the order in which they are signed
	ordered bool       // Object.order is the order in which they are signed
}

// guess keeps the name of the member that was added last for the next message, nil if it is in no table.
func (o *Object) guess(name *tableName) {
	if last := len(o.entries) - 1; last < len(o.guesses) {
		o.guesses[last] = name
	} else {
		o.guesses = append(o.guesses, name)
	}
}

// settle finds out what matters of the order of the members. It tells whether it is certain that no two of them have the same name.
func (o *Object) settle(before sequence, repeats, known bool) bool {
	if repeats && len(o.entries) == before.count {
		o.sequence = before
		return true
	}
	if known {
		o.sequence.names, o.count = o.names(), len(o.entries)
	}
	ascending, inOrder := true, true
	var last, folded uint64
	for i := range o.entries {
		e := &o.entries[i]
		first := lower(e.word)
		ascending = ascending && first > folded && !e.foreign
		inOrder = inOrder && e.word > last
		folded, last = first, e.word
	}
	o.inOrder = inOrder && ascending
	return ascending
}

// sorted is the order of a message's members.
func (o *Object) sorted() []uint32 {
	if !o.ordered || len(o.order) != len(o.entries) {
		o.order.of(&o.members, false)
		o.ordered = true
	}
	return o.order
}

// of gives the order of the members, folded as that of a nested object.
func (o *order) of(m *members, folded bool) []uint32 {
	if !o.fits(m, folded) {
		o.sort(m, folded)
	}
	return *o
}

func (o *order) fits(m *members, folded bool) bool {
	list := *o
	if len(list) != len(m.entries) {
		return false
	}
	for i := 1; i < len(list); i++ {
		a, b := &m.entries[list[i-1]], &m.entries[list[i]]
		x, y := a.word, b.word
		if folded {
			x, y = lower(x), lower(y)
		}
		if (x >= y || m.foreign) && m.compare(a, b, folded) >= 0 {
			return false
		}
	}
	return true
}

func (o *order) sort(m *members, folded bool) {
	list := (*o)[:0]
	for i := range m.entries {
		list = append(list, uint32(i))
	}
	*o = list
	if o.fits(m, folded) {
		return
	}
	slices.SortFunc(list, func(a, b uint32) int {
		return m.compare(&m.entries[a], &m.entries[b], folded)
	})
}
