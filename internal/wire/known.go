package wire

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// Name is the name of a member that is asked for whatever the model of a message has. The reader notes where these are: to look for
// one name among those of a notice takes 20 ns, and a dozen are asked for.
type Name uint8

// The names that are asked for one by one. Those of gateway.Numbers follow.
const (
	Code Name = iota
	Msg
	ResTime
	ReqTime
	Sign
	TraceID
	Data
	firstNumber
)

var knownNames = append([]string{"code", "msg", "resTime", timeName, SignName, "traceId", "data"}, gateway.Numbers()...)

// Names is a set of names.
type Names uint32

// maxKnown is how many names a set can have.
const maxKnown = 32

func (n Name) set() Names { return 1 << n }

func (s Names) has(n Name) bool { return s>>n&1 != 0 }

// NamesOf is the set of those of the names that are known.
func NamesOf(names ...string) Names {
	var s Names
	for i, name := range knownNames {
		if slices.Contains(names, name) {
			s |= Name(i).set()
		}
	}
	return s
}

var numberNames = NamesOf(gateway.Numbers()...)

// first is the first name of a set that is not empty.
func (s Names) first() string { return knownNames[bits.TrailingZeros32(uint32(s))] }

// known are the members of one object that have known names.
type known struct {
	all   Names // given, perhaps as null
	given Names // and not null
	at    [maxKnown]uint32
}

// note keeps where a member of a known name is: the last one that was added.
func (o *Object) note(n Name, k Kind) {
	o.known.all |= n.set()
	if k != Null {
		o.known.given |= n.set()
	}
	o.known.at[n] = uint32(len(o.entries) - 1) //nolint:gosec // the reader saw to it
}

// At finds the member of a known name.
func (o *Object) At(n Name) (Value, bool) {
	if !o.known.all.has(n) {
		return Value{}, false
	}
	return o.valueOf(&o.entries[o.known.at[n]]), true
}

// HasAny tells whether one of the names is given and is not null.
func (o *Object) HasAny(names Names) bool { return o.known.given&names != 0 }

// nameTable finds names: a hash table, which takes 6 ns where a map takes 10.
type nameTable struct {
	slots []uint8 // 1 + index
	names []tableName
}

// tableName is a name, and what it stands for.
type tableName struct {
	word, last uint64 // its first eight bytes and, if it is longer, its last eight
	name       string
	field      uint16 // 1 + its index in the plan that the table belongs to; 0: that has none of the name
	keepsText  bool   // the field is a text that takes memory
	isKnown    bool
	known      Name
	// quoted is the name as it stands in JSON, with the colon; "" if it is not ASCII. Head are its first eight bytes, those that it has
	// within mask, and rear its last eight, if it has more.
	quoted           string
	head, mask, rear uint64
}

// maxNames keeps the table of a plan's names within bytes.
const maxNames = 128

// plainNames are the known names alone.
var plainNames = newNameTable(nil, nil)

// newNameTable makes the table of a plan's names and of the known ones.
func newNameTable(names []fieldName, fields []Field) *nameTable {
	t := new(nameTable)
	for _, n := range names {
		t.names = append(t.names, tableName{name: n.name, field: uint16(n.field + 1), keepsText: fields[n.field].keepsText()}) //nolint:gosec // at most maxNames
	}
	for i, name := range knownNames {
		k := slices.IndexFunc(t.names, func(n tableName) bool { return n.name == name })
		if k < 0 {
			k = len(t.names)
			t.names = append(t.names, tableName{name: name})
		}
		t.names[k].isKnown, t.names[k].known = true, Name(i)
	}
	size := 8
	for size < 4*len(t.names) {
		size *= 2
	}
	t.slots = make([]uint8, size)
	for i := range t.names {
		n := &t.names[i]
		text := []byte(n.name)
		n.word = word(text, 0, len(text))
		n.last = tail(text)
		if holds(text)&(wide|inString) == 0 {
			n.quote()
		}
		slot := t.slot(n.word, len(text))
		for t.slots[slot] != 0 {
			slot = (slot + 1) & (size - 1)
		}
		t.slots[slot] = uint8(i + 1)
	}
	return t
}

func (t *nameTable) slot(word uint64, length int) int {
	h := (word ^ uint64(length)) * 0x9E3779B97F4A7C15 //nolint:gosec // a length is not negative
	return int(h>>32) & (len(t.slots) - 1)
}

// names is the table by which the members are looked up while they are read.
func (o *Object) names() *nameTable {
	if o.expected != nil {
		return o.expected.table
	}
	return plainNames
}

func (n *tableName) quote() {
	n.quoted = `"` + n.name + `":`
	padded := n.quoted + "\x00\x00\x00\x00\x00\x00\x00\x00"
	n.head, n.mask = wordAt(padded, 0), ^uint64(0)
	if length := len(n.quoted); length < 8 {
		n.mask >>= 64 - 8*length
	} else {
		n.rear = wordAt(n.quoted, length-8)
	}
}

// standsAt tells whether the name stands, in its quotes and with its colon, in the text at i. Two words settle it for most names, which
// takes 2.5 ns; to find out what name stands there takes 9.
func (n *tableName) standsAt(text []byte, i int) bool {
	length := len(n.quoted)
	switch {
	case i+max(length, 8) > len(text) || length == 0:
		return false // if it does at the very end of the text, it is read another way
	case binary.LittleEndian.Uint64(text[i:i+8])&n.mask != n.head:
		return false
	case length <= 8:
		return true
	}
	i += length
	return binary.LittleEndian.Uint64(text[i-8:i]) == n.rear && (length <= 16 || string(text[i-length:i]) == n.quoted)
}

// find looks a name up, the word of which is given. It returns nil if there is none.
func (t *nameTable) find(first uint64, name []byte) *tableName {
	for slot := t.slot(first, len(name)); ; slot = (slot + 1) & (len(t.slots) - 1) {
		i := t.slots[slot]
		if i == 0 {
			return nil
		}
		n := &t.names[i-1]
		if n.word != first || len(n.name) != len(name) {
			continue
		}
		switch {
		case len(name) <= 8:
			return n // the lengths are equal, so that no zero in the one stands for nothing in the other
		case len(name) <= 16:
			if tail(name) == n.last {
				return n
			}
		case n.name == string(name):
			return n
		}
	}
}
