package wire

import (
	"bytes"
	"cmp"
	"slices"
)

// entry is one member of an object: where its name and its value are in the text. It holds no pointer, so a pool can
// keep entries as they are.
type entry struct {
	key             uint64 // the first eight bytes of the name
	name            uint32 // where the name starts: in the text or, if it is escaped, in members.spelled
	nameLength      uint32
	value, valueEnd uint32
	field           uint16 // 1 + its index in the plan that the members are bound to; 0 if it is not in the plan
	nameForm, form  class  // of the name, and of the value
	kind            Kind
}

// members are the members of one object, in the order in which they came.
type members struct {
	text     []byte
	spelled  []byte // the names that came with escapes, without them
	entries  []entry
	order    order
	sorted   bool  // whether order is the one in which a message is signed
	bound    *Plan // the plan that entry.field refers to
	textSize int   // the bytes of the texts that bound decodes
}

func (m *members) reset(text []byte) {
	m.text, m.spelled, m.entries, m.order.ranks = text, m.spelled[:0], m.entries[:0], m.order.ranks[:0]
	m.sorted, m.bound, m.textSize = false, nil, 0
}

// isLarge reports whether the memory is more than one object can need. Less than that is kept: otherwise hostile
// messages could make every one allocate it again.
func (m *members) isLarge() bool {
	const mostEntries, mostBytes = 2 * maxObjectMembers, 2 * maxObjectMembers * maxNameLength
	return max(cap(m.entries), cap(m.order.ranks)) > mostEntries ||
		max(cap(m.spelled), cap(m.order.forms)) > mostBytes
}

func (m *members) nameOf(e *entry) []byte {
	from := m.text
	if e.nameForm&escaped != 0 {
		from = m.spelled
	}
	return from[e.name : int(e.name)+int(e.nameLength)]
}

// setName gives e the name whose text, as it was sent, is text[start:end].
func (m *members) setName(e *entry, start, end int, form class) {
	from := m.text
	if form&escaped != 0 {
		at := len(m.spelled)
		m.spelled = unescape(m.spelled, m.text[start:end])
		from, start, end = m.spelled, at, len(m.spelled)
		form = escaped | holds(from[at:])
	}
	e.key, e.nameForm = firstWord(from, start, end), form
	e.name, e.nameLength = uint32(start), uint32(end-start) //nolint:gosec // the reader saw to it
}

func (m *members) valueOf(e *entry) Value {
	return Value{Kind: e.kind, Escaped: e.form&escaped != 0, Raw: m.text[e.value:e.valueEnd]}
}

// inOrder returns the order in which the members of a message are signed.
func (m *members) inOrder() []rank {
	if !m.sorted {
		m.order.sort(m, m.entries, false)
		m.sorted = true
	}
	return m.order.ranks
}

// find returns the member of that name, or nil.
func (m *members) find(name string) *entry {
	const few = 32
	if len(m.entries) > few {
		return m.findAmongMany(name)
	}
	key := firstWordOf(name)
	for i := range m.entries {
		e := &m.entries[i]
		if e.key == key && int(e.nameLength) == len(name) && string(m.nameOf(e)) == name {
			return e
		}
	}
	return nil
}

// findAmongMany is find for many members. It is a binary search, because a hostile text can ask for many names.
func (m *members) findAmongMany(name string) *entry {
	ranks, o := m.inOrder(), &m.order
	o.forms = appendSortable(o.forms[:0], []byte(name), false)
	length, key := len(o.forms), firstWordOf(o.forms)
	at, found := slices.BinarySearchFunc(ranks, key, func(r rank, key uint64) int {
		if r.key != key {
			return cmp.Compare(r.key, key)
		}
		o.forms = appendSortable(o.forms[:length], m.nameOf(&m.entries[r.index]), false)
		return bytes.Compare(o.forms[length:], o.forms[:length])
	})
	if !found {
		return nil
	}
	return &m.entries[ranks[at].index]
}

// isGiven reports whether the member of that name is there and not null.
func (m *members) isGiven(name string) bool {
	e := m.find(name)
	return e != nil && e.kind != Null
}
