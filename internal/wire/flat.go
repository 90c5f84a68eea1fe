package wire

import (
	"encoding/binary"
	"math/bits"
)

// Most messages are compact, in the order in which they are signed, and hold at most lists of plain objects: every request of a client,
// most answers. Their text is written while they are read, without a list of their members: a third less time for 16 members, two fifths
// less with a list. Whatever is in any way unusual is left to Object, also whatever is wrong, so that there is one judge of what is wrong.

// FlatDepth is how many objects and lists stand inside one another in such a message at most. Whoever allows less asks Object.
const FlatDepth = 3

// AppendSignFlat appends the signature of the object in text if that is such a message; else it returns false.
func (k *Key) AppendSignFlat(dst, text []byte) ([]byte, bool) {
	s, _ := k.states.Get().(*state)
	defer k.states.Put(s)
	s.begin()
	if _, ok := s.text.flat(text); !ok {
		return dst, false
	}
	return appendHex(dst, s.finish()), true
}

// VerifyFlat tells whether text is such a message and has the signature that the key gives it. If not, nothing is known about it.
func (k *Key) VerifyFlat(text []byte) bool {
	s, _ := k.states.Get().(*state)
	defer k.states.Put(s)
	s.begin()
	given, ok := s.text.flat(text)
	return ok && equal(s.finish(), given) == 1
}

const (
	// spill is how many bytes may be written behind what was meant.
	spill = 8
	// spare is how much room there is behind everything that was copied, for what stands between the pieces.
	spare = 16
)

// flatName is the name of a member, and its first word.
type flatName struct {
	start, end int
	first      uint64
}

// flat collects the canonical text of b, and returns the text of its sign.
func (t *text) flat(b []byte) (sign []byte, ok bool) {
	if len(b) < spill || b[0] != '{' {
		return nil, false
	}
	dst := t.buf[:cap(t.buf)]
	lead := 0                 // how many separators stand before a member: none before the first
	var before, folded uint64 // the first word of the name before
	start, end := 0, 0        // of that name
	for i, j := 1, 0; ; i++ {
		if i >= len(b) || b[i] != '"' {
			return nil, false
		}
		nameAt := i + 1
		dst[j] = '&'
		nameEnd := copyPlain(dst, b, j+lead, nameAt)
		at := nameEnd + 2
		if at >= len(b) || b[nameEnd] != '"' || b[nameEnd+1] != ':' {
			return nil, false
		}
		k := j + lead + nameEnd - nameAt
		dst[k] = '='
		first := word(b, nameAt, nameEnd)
		isText := b[at] == '"'
		if b[at] == '[' {
			i, k = t.flatList(dst, b, k+1, at)
		} else {
			i, k = flatValue(dst, b, k+1, at)
		}
		if i == failed || i == len(b) {
			return nil, false
		}
		if first == signWord && nameEnd-nameAt == len(SignName) {
			if sign != nil || !isText {
				return nil, false
			}
			sign = b[at+1 : i-1]
		} else {
			lowered := lower(first)
			if first <= before || lowered <= folded {
				if !sortsBefore(b, &flatName{start, end, before}, &flatName{nameAt, nameEnd, first}) {
					return nil, false
				}
			}
			if lowered == signWord || isText && isTimeName(b[nameAt:nameEnd]) {
				return nil, false
			}
			before, folded, start, end = first, lowered, nameAt, nameEnd
			if isNull, isEmpty := b[at] == 'n', b[at] == '[' && b[at+1] == ']'; !isNull && !isEmpty {
				j, lead = k, 1
			}
		}
		if b[i] != ',' {
			t.buf = dst[:j]
			return sign, b[i] == '}' && i == len(b)-1
		}
		if j > block/2 {
			t.sum.Write(dst[:j])
			j = 0
		}
	}
}

// flatMember reads a name that is ASCII without escapes, and copies it to dst from j on. It returns the position behind its colon.
func flatMember(dst, b []byte, j, i int) (flatName, int) {
	if i >= len(b) || b[i] != '"' {
		return flatName{}, failed
	}
	n := flatName{start: i + 1, end: copyPlain(dst, b, j, i+1)}
	if n.end+2 >= len(b) || b[n.end] != '"' || b[n.end+1] != ':' {
		return flatName{}, failed
	}
	n.first = word(b, n.start, n.end)
	return n, n.end + 2
}

// sortsBefore tells whether n stands before next in every order: that of the bytes, and under folding. So names that all do have
// no twins.
func sortsBefore(b []byte, n, next *flatName) bool {
	x, y := n.first, next.first
	if x == y {
		x, y = n.second(b), next.second(b)
	}
	return x < y && lower(x) < lower(y)
}

// second is the word of the name's second eight bytes, 0 if it has none.
func (n *flatName) second(b []byte) uint64 {
	if n.end-n.start <= 8 {
		return 0
	}
	return word(b, n.start+8, n.end)
}

// flatValue copies what is signed of a string without escapes, a number without a fraction, true, false or null to dst from j on. It
// returns the positions behind the value and behind what was copied.
func flatValue(dst, b []byte, j, i int) (int, int) {
	switch c := b[i]; {
	case c == '"':
		i++
		end := copyPlain(dst, b, j, i)
		if end < len(b) && b[end] >= 0x80 {
			end = copyChinese(dst, b, j+end-i, end)
		}
		if end == failed || end == len(b) || b[end] != '"' {
			return failed, 0
		}
		return end + 1, j + end - i
	case '1' <= c && c <= '9':
		end := copyDigits(dst, b, j, i)
		return end, j + end - i
	case c == '0':
		dst[j] = c
		return i + 1, j + 1
	case c == 'n':
		return flatWord(dst, b, j, i, "null")
	case c == 't':
		return flatWord(dst, b, j, i, "true")
	case c == 'f':
		return flatWord(dst, b, j, i, "false")
	}
	return failed, 0
}

func flatWord(dst, b []byte, j, i int, word string) (int, int) {
	end := i + len(word)
	if end > len(b) || string(b[i:end]) != word || j+len(word)+spare > len(dst) {
		return failed, 0
	}
	return end, j + copy(dst[j:], word)
}

// flatList is flatValue for a list of such values, and of objects of them.
func (t *text) flatList(dst, b []byte, j, i int) (int, int) {
	dst[j] = '['
	i, j = i+1, j+1
	if i < len(b) && b[i] == ']' {
		dst[j] = ']'
		return i + 1, j + 1
	}
	for i < len(b) && j+spare < len(dst) {
		switch b[i] {
		case '{':
			i, j = t.flatItem(dst, b, j, i)
		case 'n':
			return failed, 0 // a null, which is dropped
		default:
			i, j = flatValue(dst, b, j, i)
		}
		if i == failed || i == len(b) || b[i] != ',' && b[i] != ']' {
			return failed, 0
		}
		dst[j] = b[i]
		i, j = i+1, j+1
		if b[i-1] == ']' {
			return i, j
		}
	}
	return failed, 0
}

// flatField is a member of an object in a list.
type flatField struct {
	flatName
	value, valueEnd int // what is signed of it
	null            bool
}

// flatItem is flatValue for an object in a list, the members of which are put in order.
func (t *text) flatItem(dst, b []byte, j, i int) (int, int) {
	from, fields := i, t.fields[:0]
	for next := byte(','); next == ','; i++ {
		if len(fields) == len(t.fields) || i+1 >= len(b) {
			return failed, 0
		}
		name, at := flatMember(dst, b, j, i+1) // to be written over
		if at == failed {
			return failed, 0
		}
		if i, _ = flatValue(dst, b, j, at); i == failed || i == len(b) {
			return failed, 0
		}
		fields = fields[:len(fields)+1]
		k := len(fields) - 1
		for ; k > 0 && !sortsBefore(b, &fields[k-1].flatName, &name); k-- {
			if !sortsBefore(b, &name, &fields[k-1].flatName) {
				return failed, 0 // twins, or an order that takes a closer look
			}
			fields[k] = fields[k-1]
		}
		f := &fields[k]
		f.start, f.end, f.first = name.start, name.end, name.first
		f.value, f.valueEnd, f.null = at, i, b[at] == 'n'
		if b[at] == '"' {
			if isTimeName(b[name.start:name.end]) {
				return failed, 0
			}
			f.value, f.valueEnd = at+1, i-1
		}
		next = b[i]
		if next != ',' && next != '}' {
			return failed, 0
		}
		if next == '}' {
			break
		}
		i--
	}
	if j+i-from+spill+spare > len(dst) {
		return failed, 0
	}
	start := j
	for k := range fields {
		f := &fields[k]
		if f.null {
			continue
		}
		dst[j] = ','
		if j == start {
			dst[j] = '{'
		}
		j = copySpan(dst, b, j+1, f.start, f.end)
		dst[j] = ':'
		j = copySpan(dst, b, j+1, f.value, f.valueEnd)
	}
	if j == start {
		dst[j] = '{'
		j++
	}
	dst[j] = '}'
	return i + 1, j + 1
}

// What copies here copies eight bytes at a time, and so up to seven too many, while it looks at them: for four members 80 ns, where it
// was 115 with a look first and a call of copy then for each piece.

// copyPlain copies the bytes of b from i on, up to the first special one, to dst from j on, and returns the position of that one. B
// has at least eight bytes.
func copyPlain(dst, b []byte, j, i int) int {
	for ; i+8 <= len(b) && j+8+spare <= len(dst); i, j = i+8, j+8 {
		w := binary.LittleEndian.Uint64(b[i : i+8])
		binary.LittleEndian.PutUint64(dst[j:j+8], w)
		if found := special(w); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	if i+8 <= len(b) || j+8+spare > len(dst) {
		return len(b) // there is no room
	}
	w := lastOf(b, i)
	binary.LittleEndian.PutUint64(dst[j:j+8], w)
	return i + bits.TrailingZeros64(special(w))/8
}

// lastOf is the word of b from i on, where less than eight bytes are left; zeros follow them, which are special and no digits.
func lastOf(b []byte, i int) uint64 {
	return binary.LittleEndian.Uint64(b[len(b)-8:]) >> (64 - 8*(len(b)-i))
}

// copyDigits is copyPlain for digits.
func copyDigits(dst, b []byte, j, i int) int {
	for ; i+8 <= len(b) && j+8+spare <= len(dst); i, j = i+8, j+8 {
		w := binary.LittleEndian.Uint64(b[i : i+8])
		binary.LittleEndian.PutUint64(dst[j:j+8], w)
		if found := noDigit(w); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	if i+8 <= len(b) || j+8+spare > len(dst) {
		return len(b) // there is no room
	}
	w := lastOf(b, i)
	binary.LittleEndian.PutUint64(dst[j:j+8], w)
	return i + bits.TrailingZeros64(noDigit(w))/8
}

// noDigit finds, like has, what is no digit.
func noDigit(w uint64) uint64 {
	return ((w^ones*'0')&^highs + ones*(0x80-10) | w) & highs
}

// copyChinese is copyPlain from a character of three bytes on, past other such ones.
func copyChinese(dst, b []byte, j, i int) int {
	for {
		// Of these any continuation is right, and none of them is escaped by the gateway.
		if c := b[i]; c < 0xE3 || c > 0xEC || i+2 >= len(b) || b[i+1]&0xC0 != 0x80 || b[i+2]&0xC0 != 0x80 || j+3+spare > len(dst) {
			return failed
		}
		dst[j], dst[j+1], dst[j+2] = b[i], b[i+1], b[i+2]
		i, j = i+3, j+3
		if i == len(b) {
			return i
		}
		if b[i] < 0x80 {
			end := copyPlain(dst, b, j, i)
			if end == len(b) || b[end] < 0x80 {
				return end
			}
			i, j = end, j+end-i
		}
	}
}

// copySpan copies b[i:end] to dst from j on, and returns the position behind it.
func copySpan(dst, b []byte, j, i, end int) int {
	behind := j + end - i
	if end-i > 64 {
		copy(dst[j:], b[i:end])
		return behind
	}
	for ; i < end; i, j = i+8, j+8 {
		if i+8 > len(b) {
			copy(dst[j:], b[i:end])
			break
		}
		binary.LittleEndian.PutUint64(dst[j:j+8], binary.LittleEndian.Uint64(b[i:i+8]))
	}
	return behind
}
