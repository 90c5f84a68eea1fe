package wire

// The functions here walk over text that the reader accepted. They check nothing.

// next returns the position of the next member or element; i is behind the opening bracket, or behind the member or
// element before. If there are no more, it returns false and the position behind the closing bracket.
func next(b []byte, i int) (int, bool) {
	if i = skipSpace(b, i); b[i] == ',' {
		return skipSpace(b, i+1), true
	}
	if b[i] == ']' || b[i] == '}' {
		return i + 1, false
	}
	return i, true
}

// nameAt returns the name of the member at b[i], unescaped, and the position of its value.
func nameAt(b []byte, i int) (name []byte, value int) {
	end, form := skipString(b, i+1)
	if name = b[i+1 : end-1]; form&escaped != 0 {
		name = unescape(nil, name)
	}
	return name, skipSpace(b, skipSpace(b, end)+1)
}

// skipString returns the position behind the string whose text starts at b[i].
func skipString(b []byte, i int) (int, class) {
	i, form := plain(b, i)
	for b[i] != '"' {
		if form |= classes[b[i]]; b[i] == '\\' {
			form |= escaped
			i++
		}
		var more class
		i, more = plain(b, i+1)
		form |= more
	}
	return i + 1, form
}

// skipValue returns the position behind the value that starts at b[i], its kind and its classes.
func skipValue(b []byte, i int) (end int, kind Kind, form class) {
	switch b[i] {
	case '"':
		if end, form = plain(b, i+1); b[end] == '"' {
			return end + 1, String, form
		}
		end, form = skipString(b, i+1)
		return end, String, form
	case '{':
		return skipNested(b, i), Dict, nested
	case '[':
		return skipNested(b, i), List, nested
	case 't':
		return i + len("true"), Bool, 0
	case 'f':
		return i + len("false"), Bool, 0
	case 'n':
		return i + len("null"), Null, 0
	}
	if b[i] == '-' && i+1 < len(b) && b[i+1] == '0' {
		form = decimal
	}
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c-'0' <= 9, c == '+', c == '-':
		case classes[c]&inDecimal != 0:
			form = decimal
		default:
			return i, Number, form
		}
	}
	return i, Number, form
}

// skipNested returns the position behind an object or a list.
func skipNested(b []byte, i int) int {
	for depth := 0; ; i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			i, _ = skipString(b, i+1)
			i--
		}
	}
}

// valueAt returns the value that starts at b[i].
func valueAt(b []byte, i int) Value {
	end, kind, form := skipValue(b, i)
	return Value{Kind: kind, Escaped: form&escaped != 0, Raw: b[i:end]}
}

// collect lists the members of the object that starts at b[i], and sorts them, folded. It returns the position behind
// the object.
func (m *members) collect(b []byte, i int) int {
	m.reset(b)
	i, more := next(b, i+1)
	for more {
		var e entry
		end, form := skipString(b, i+1)
		m.setName(&e, i+1, end-1, form)
		i = skipSpace(b, skipSpace(b, end)+1)
		end, e.kind, e.form = skipValue(b, i)
		e.value, e.valueEnd = uint32(i), uint32(end) //nolint:gosec // the reader saw to it
		m.entries = append(m.entries, e)
		i, more = next(b, end)
	}
	m.order.sort(m, m.entries, true)
	return i
}
