package wire

// What is here reads what Read accepted, and so asks nothing that Read did.

func skipSpace(b []byte, i int) int {
	for i < len(b) && classes[b[i]]&space != 0 {
		i++
	}
	return i
}

// stringEnd returns the position behind the closing quote of the string whose text starts at b[i].
func stringEnd(b []byte, i int) (int, form) {
	var f form
	for i = closing(b, i); b[i] == '\\'; i = closing(b, i+2) {
		f = escaped
	}
	return i + 1, f
}

// skipValue returns the position behind the value that starts at b[i], and tells e its kind and form.
func skipValue(b []byte, i int, e *entry) int {
	e.form = 0
	switch b[i] {
	case '"':
		e.kind = String
		if i = plain(b, i+1); b[i] == '"' {
			return i + 1
		}
		i, e.form = stringEnd(b, i)
		e.form |= foreign
		return i
	case '{':
		e.kind = Dict
		return skipNested(b, i)
	case '[':
		e.kind = List
		return skipNested(b, i)
	case 't':
		e.kind = Bool
		return i + len("true")
	case 'f':
		e.kind = Bool
		return i + len("false")
	case 'n':
		e.kind = Null
		return i + len("null")
	}
	e.kind = Number
	if b[i] == '-' && i+1 < len(b) && b[i+1] == '0' {
		e.form = decimal
	}
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c-'0' <= 9, c == '+', c == '-':
		case classes[c]&inNumber != 0:
			e.form = decimal
		default:
			return i
		}
	}
	return i
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
			i, _ = stringEnd(b, i+1)
			i--
		}
	}
}

// valueAt is the value that starts at b[i].
func valueAt(b []byte, i int) Value {
	var e entry
	end := skipValue(b, i, &e)
	return Value{Kind: e.kind, Escaped: e.form&escaped != 0, Raw: b[i:end]}
}

// itemAt is the element of a list at or behind b[i], which is behind the opening bracket or the element before. It returns the
// position behind the element, 0 if there was none.
func itemAt(b []byte, i int) (Value, int) {
	i = skipSpace(b, i)
	if b[i] == ',' {
		i = skipSpace(b, i+1)
	}
	if b[i] == ']' {
		return Value{}, 0
	}
	v := valueAt(b, i)
	return v, i + len(v.Raw)
}

// collect reads the members of the object that starts at b[i], and returns the position behind it.
func (m *members) collect(b []byte, i int) int {
	m.reset(b)
	for i = skipSpace(b, i+1); b[i] != '}'; {
		e := m.add()
		end := plain(b, i+1)
		if e.name, e.nameEnd = uint32(i+1), uint32(end); b[end] == '"' { //nolint:gosec // the reader saw to it
			e.word = word(b, i+1, end)
		} else {
			end = m.unusualName(e, i+1)
		}
		i = skipSpace(b, skipSpace(b, end+1)+1)
		e.value = uint32(i) //nolint:gosec // the reader saw to it
		i = skipValue(b, i, e)
		e.valueEnd = uint32(i) //nolint:gosec // as above
		if i = skipSpace(b, i); b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	return i + 1
}

// unusualName reads a name with escapes or characters that are not ASCII, and returns the position of its closing quote.
func (m *members) unusualName(e *entry, start int) int {
	end, f := stringEnd(m.text, start)
	end--
	e.nameEnd = uint32(end) //nolint:gosec // the reader saw to it
	if f&escaped != 0 {
		from := len(m.spelled)
		m.spelled = unescape(m.spelled, m.text[start:end])
		e.spelled, e.name, e.nameEnd = true, uint32(from), uint32(len(m.spelled)) //nolint:gosec // as above
	}
	name := m.nameOf(e)
	e.word = word(name, 0, len(name))
	if holds(name)&wide != 0 {
		e.foreign, m.foreign = true, true
	}
	return end
}
