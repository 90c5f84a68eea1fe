package wire

import "slices"

// entry is one member of an object: where in the text its name and its value are. It holds no pointer, so a pool can keep
// entries as they are, and it is half as long as a Member.
type entry struct {
	word             uint64 // of the name
	name, nameEnd    uint32 // within the quotes; of the names that were spelled out if spelled
	value, valueEnd  uint32
	field            uint16 // 1 + its index in the plan that the members are bound to, 0 if that has none of the name
	kind             Kind
	form             form
	spelled, foreign bool // the name held an escape, a character that is not ASCII
}

// isValue tells whether it is a string, a number or a boolean.
func (e *entry) isValue() bool { return e.kind == String || e.kind == Number || e.kind == Bool }

// form is what the reader saw of a value in passing.
type form uint8

const (
	escaped form = 1 << iota // a string holds a backslash
	foreign                  // a string holds what is not ASCII, or a backslash
	decimal                  // a number has a fraction or an exponent, or is -0
	nested                   // it is a list or an object
)

// members are those of one object, in the order in which they came.
type members struct {
	text    []byte
	spelled []byte // names that held escapes, spelled out
	entries []entry
	foreign bool  // a name is not ASCII
	bound   *Plan // whose fields the entries know
	// textSize is how many bytes the texts have that a message of that plan keeps.
	textSize int
}

func (m *members) reset(text []byte) {
	m.text, m.spelled, m.entries, m.foreign, m.bound, m.textSize = text, m.spelled[:0], m.entries[:0], false, nil, 0
}

// add returns an empty entry at the end. It is filled in place: a copy of what was just written in parts makes the processor wait.
func (m *members) add() *entry {
	n := len(m.entries)
	if n == cap(m.entries) {
		m.grow()
	}
	m.entries = m.entries[:n+1]
	e := &m.entries[n]
	*e = entry{}
	return e
}

func (m *members) grow() { m.entries = slices.Grow(m.entries, max(len(m.entries), 16)) }

func (m *members) nameOf(e *entry) []byte {
	if e.spelled {
		return m.spelled[e.name:e.nameEnd]
	}
	return m.text[e.name:e.nameEnd]
}

func (m *members) valueOf(e *entry) Value {
	return Value{Kind: e.kind, Escaped: e.form&escaped != 0, Raw: m.text[e.value:e.valueEnd]}
}

// find returns the member of that name, nil if there is none. It compares words: 18 ns to find that none of 20 members is it.
func (m *members) find(name string) *entry {
	w := wordOf(name)
	for i := range m.entries {
		e := &m.entries[i]
		if e.word == w && int(e.nameEnd-e.name) == len(name) && string(m.nameOf(e)) == name {
			return e
		}
	}
	return nil
}
