package wire

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
)

// The characters that structure a canonical text or are deleted from it, outside and inside nested values.
const (
	topMetas    = `&="\`
	nestedMetas = `,:{}[]`
)

// Screen refuses a message that shares its signature with another one of the same kind. The canonical text joins
// name=value pairs without escaping and drops quotes and backslashes, so these make a second reading possible:
//
//   - a text that goes on with & and the name of a member of this kind of message (within nested values, with a comma or a
//     brace), and so could be cut into two members
//   - a code, that is, anything but free text, with a character that structures the text or is dropped from it
//   - a member name with such a character
//
// NUL is refused everywhere: no text of a payment has one, and what comes after the client may take it for the end.
func (p *Plan) Screen(o *Object, by Screening) error {
	s := screener{allowText: by.AllowText && len(by.Always) == 0, names: cutNames{plan: p, later: by.Kin, message: nameSet{members: o.Members}}}
	if by.AllowText {
		s.names.only = by.Always
	}
	for i := range o.Members {
		m := &o.Members[i]
		f := p.field(m.Name)
		name := "of an unknown name"
		if f != nil {
			name = f.Name
		}
		if hasMeta(m.Name, topMetas) {
			return &MemberError{Name: name, Reason: reasonName, Ambiguous: true}
		}
		if reason := s.value(f, m.Value); reason != "" {
			return &MemberError{Name: name, Reason: reason, Ambiguous: reason != reasonNUL}
		}
	}
	return nil
}

// Screening says at which names a text must not be cuttable, beside those of the message itself.
type Screening struct {
	// Kin are the kinds of message that this one could be made into.
	Kin []*Plan
	// AllowText lets texts pass that could be cut; nothing else does. Always are names at which not even then.
	AllowText bool
	Always    []string
}

const (
	reasonNUL  = "holds a NUL character"
	reasonCode = "holds a character that its signature does not protect"
	reasonCut  = "holds text that could be cut into another member with the same signature"
	reasonName = "would have the same signature under another name"
)

// hasMeta tells whether a member name holds a control character or one of the metas.
func hasMeta(name []byte, metas string) bool {
	return bytes.ContainsAny(name, metas) || bytes.ContainsFunc(name, unicode.IsControl)
}

// isCode tells whether the signature protects every character of a text.
func isCode(text []byte, nested bool) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool {
		return strings.ContainsRune(`&"\`, r) || unicode.IsControl(r) ||
			nested && (strings.ContainsRune(",{}[]", r) || gatewayEscapes(r))
	})
}

// holdsCodes tells whether the strings of a field are codes rather than free text.
func (f *Field) holdsCodes() bool {
	if f.Rule.Text || f.Rule.Opaque {
		return false
	}
	s := &f.shape
	for s.elem != nil {
		s = s.elem
	}
	return s.kind == kindString
}

// inner is the plan of the objects that a value of this shape holds, nil if there is none.
func (s *shape) inner() *Plan {
	for ; s != nil; s = s.elem {
		if s.plan != nil {
			return s.plan
		}
	}
	return nil
}

type screener struct {
	allowText bool
	names     cutNames
	t         text
}

// value screens a value of a field, nil if the field is unknown, and returns the reason to refuse it.
func (s *screener) value(f *Field, v Value) string {
	switch v.Kind {
	case String:
		return s.string(f, v, false)
	case List:
		return s.list(f, v.Raw)
	case Dict:
		return s.dict(f, v.Raw)
	}
	return ""
}

func (s *screener) list(f *Field, raw []byte) string {
	for v, i := itemAt(raw, 1); i > 0; v, i = itemAt(raw, i) {
		var reason string
		if v.Kind == String {
			reason = s.string(f, v, true)
		} else {
			reason = s.value(f, v)
		}
		if reason != "" {
			return reason
		}
	}
	return ""
}

func (s *screener) dict(outer *Field, raw []byte) string {
	var members []Member
	for m, i := memberAt(raw, 1); i > 0; m, i = memberAt(raw, i) {
		members = append(members, m)
	}
	var plan *Plan
	if outer != nil {
		plan = outer.inner()
	}
	s.names.around = append(s.names.around, around{plan: plan, members: nameSet{members: members}})
	for i := range members {
		m := &members[i]
		if hasMeta(m.Name, topMetas+nestedMetas) {
			return reasonName
		}
		var f *Field
		if plan != nil {
			f = plan.field(m.Name)
		}
		var reason string
		if m.Value.Kind == String {
			reason = s.string(f, m.Value, true)
		} else {
			reason = s.value(f, m.Value)
		}
		if reason != "" {
			return reason
		}
	}
	s.names.around = s.names.around[:len(s.names.around)-1]
	return ""
}

func (s *screener) string(f *Field, v Value, nested bool) string {
	text := v.Text()
	if v.Escaped && bytes.IndexByte(text, 0) >= 0 {
		return reasonNUL
	}
	if f != nil && f.Rule.Opaque {
		return ""
	}
	if f != nil && f.holdsCodes() && !isCode(text, nested) {
		return reasonCode
	}
	if s.allowText || !bytes.ContainsAny(text, "&,{") {
		return ""
	}
	s.t.buf = s.t.buf[:0]
	if nested {
		s.t.nestedString(v)
	} else {
		s.t.topString(v)
	}
	if s.names.cut(s.t.buf, nested) {
		return reasonCut
	}
	return ""
}

// cutNames are the names at which a text of a message could be cut.
type cutNames struct {
	plan    *Plan    // of the message in which the text stands
	answer  *Plan    // of the answer to it; nil if it is one
	later   []*Plan  // of other messages in which the text will stand, or could
	only    []string // if not nil, no other names count
	message nameSet
	around  []around // the objects around a nested text, innermost last
}

type around struct {
	plan    *Plan // nil if unknown
	members nameSet
}

// cut tells whether a text, given as it is signed, holds the start of another member.
func (n *cutNames) cut(signed []byte, nested bool) bool {
	return follows(signed, "&", "&=", n.top) || nested && follows(signed, ",{", ",{:", n.nested)
}

// follows tells whether one of the openers, a name that is known, and then the last of the ends follow one another. No name
// holds any of these characters.
func follows(text []byte, openers, ends string, known func(name []byte) bool) bool {
	for {
		i := bytes.IndexAny(text, openers)
		if i < 0 {
			return false
		}
		text = text[i+1:]
		end := bytes.IndexAny(text, ends)
		if end < 0 {
			return false
		}
		if text[end] == ends[len(ends)-1] && known(text[:end]) {
			return true
		}
	}
}

func (n *cutNames) top(name []byte) bool {
	if n.only != nil {
		return slices.Contains(n.only, string(name))
	}
	switch string(name) {
	case SignName:
		return false // its value would have to be right
	case "code", "msg", "resTime", timeName:
		return true // whatever the kind
	}
	has := func(p *Plan) bool { return p.field(name) != nil }
	return has(n.plan) || n.answer != nil && has(n.answer) || slices.ContainsFunc(n.later, has) || n.message.has(name)
}

func (n *cutNames) nested(name []byte) bool {
	if n.only != nil {
		return false
	}
	for i := range n.around {
		a := &n.around[i]
		if a.plan != nil && a.plan.field(name) != nil || a.members.has(name) {
			return true
		}
	}
	return false
}

// nameSet finds names among members; among many with a map, made when it is first asked.
type nameSet struct {
	members []Member
	set     map[string]struct{}
}

func (n *nameSet) has(name []byte) bool {
	const few = 32
	if len(n.members) <= few {
		return indexOf(n.members, name) >= 0
	}
	if n.set == nil {
		n.set = make(map[string]struct{}, len(n.members))
		for i := range n.members {
			n.set[string(n.members[i].Name)] = struct{}{}
		}
	}
	_, ok := n.set[string(name)]
	return ok
}

func indexOf(members []Member, name []byte) int {
	for i := range members {
		if bytes.Equal(members[i].Name, name) {
			return i
		}
	}
	return -1
}
