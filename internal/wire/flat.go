package wire

import "bytes"

// Most messages are flat, compact, and in the order in which they are signed: every request of a client, most answers. Their text
// is collected while they are read, without a list of their members: 10 % less time for four members, 30 % for 32. Whatever is in any
// way unusual is left to Object, also whatever is wrong, so that there is one judge of what is wrong.

// AppendSignFlat appends the signature of the object in text if that is flat, compact and in order; else it returns false.
func (k *Key) AppendSignFlat(dst, text []byte) ([]byte, bool) {
	s, _ := k.states.Get().(*state)
	defer k.states.Put(s)
	s.begin()
	if _, ok := s.text.flat(text); !ok {
		return dst, false
	}
	return append(dst, s.finish()...), true
}

// VerifyFlat tells whether text is flat, compact and in order, and has the signature that the key gives it. If not, nothing is
// known about it.
func (k *Key) VerifyFlat(text []byte) bool {
	s, _ := k.states.Get().(*state)
	defer k.states.Put(s)
	s.begin()
	given, ok := s.text.flat(text)
	return ok && equal(s.finish(), given) == 1
}

// flat collects the canonical text of b, and returns the text of its sign.
func (t *text) flat(b []byte) (sign []byte, ok bool) {
	const soon = 512
	if len(b) < len("{}") || b[0] != '{' || bytes.IndexByte(b[:min(len(b), soon)], '[') >= 0 { // a list, most likely
		return nil, false
	}
	var before flatName // its parts are written one by one: a copy of the whole would wait for them
	first := true
	for i := 1; ; i++ {
		n, at := readFlatName(b, i)
		if at == failed {
			return nil, false
		}
		value, end := flatValue(b, at)
		if end == failed || end == len(b) {
			return nil, false
		}
		switch {
		case n.first == signWord && n.end-n.start == len(SignName):
			if sign != nil || b[at] != '"' {
				return nil, false
			}
			sign = value
		case !sortsBefore(b, before, n) || lower(n.first) == signWord || b[at] == '"' && isTimeName(b[n.start:n.end]):
			return nil, false
		case b[at] != 'n':
			t.flatPair(b[n.start:n.end], value, first)
			first = false
		}
		if n.first != signWord {
			before.start, before.end, before.first = n.start, n.end, n.first
		}
		if i = end; b[i] == '}' {
			return sign, i == len(b)-1
		} else if b[i] != ',' {
			return nil, false
		}
	}
}

// flatPair writes a member.
func (t *text) flatPair(name, value []byte, first bool) {
	start := len(t.buf)
	end := start + len(name) + len(value) + 2
	if end > cap(t.buf) {
		if !first {
			t.byte('&')
		}
		t.bytes(name)
		t.byte('=')
		t.bytes(value)
		return
	}
	b := t.buf[start:end]
	n := 0
	if !first {
		b[0] = '&'
		n = 1
	}
	n += copy(b[n:], name)
	b[n] = '='
	n += 1 + copy(b[n+1:], value)
	t.buf = t.buf[:start+n]
}

// flatName is the name of a member, and its first word.
type flatName struct {
	start, end int
	first      uint64
}

// readFlatName reads a name that is ASCII without escapes, and returns the position behind its colon.
func readFlatName(b []byte, i int) (flatName, int) {
	if i >= len(b) || b[i] != '"' {
		return flatName{}, failed
	}
	n := flatName{start: i + 1, end: plain(b, i+1)}
	if n.end+2 >= len(b) || b[n.end] != '"' || b[n.end+1] != ':' {
		return flatName{}, failed
	}
	n.first = word(b, n.start, n.end)
	return n, n.end + 2
}

// sortsBefore tells whether n stands before next in every order: that of the bytes, and under folding. So names that all do have
// no twins.
func sortsBefore(b []byte, n, next flatName) bool {
	x, y := n.first, next.first
	if x == y && n.end-n.start > 8 && next.end-next.start > 8 {
		x, y = word(b, n.start+8, n.end), word(b, next.start+8, next.end)
	}
	return x < y && lower(x) < lower(y)
}

// flatValue reads a string without escapes, a number without a fraction, true, false or null. It returns what is signed of it and
// the position behind it.
func flatValue(b []byte, i int) (value []byte, end int) {
	start := i
	switch c := b[i]; {
	case c == '"':
		start++
		if i = plain(b, start); i < len(b) && b[i] >= 0x80 {
			i = flatText(b, i)
		}
		if i == failed || i == len(b) || b[i] != '"' {
			return nil, failed
		}
		return b[start:i], i + 1
	case '1' <= c && c <= '9':
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		return b[start:i], i
	case c == '0':
		return b[start : i+1], i + 1
	case c == 'n':
		return flatWord(b, i, "null")
	case c == 't':
		return flatWord(b, i, "true")
	case c == 'f':
		return flatWord(b, i, "false")
	}
	return nil, failed
}

func flatWord(b []byte, i int, word string) (value []byte, end int) {
	if end = i + len(word); end > len(b) || string(b[i:end]) != word {
		return nil, failed
	}
	return b[i:end], end
}

// flatText returns the position of the first special byte behind characters of three bytes.
func flatText(b []byte, i int) int {
	for i < len(b) && b[i] >= 0x80 {
		if c := b[i]; c < 0xE1 || c > 0xEC || i+2 >= len(b) || b[i+1]&0xC0 != 0x80 || b[i+2]&0xC0 != 0x80 {
			return failed
		}
		i += 3
		if i < len(b) && b[i] < 0x80 {
			i = plain(b, i)
		}
	}
	return i
}
