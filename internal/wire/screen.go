package wire

import (
	"bytes"
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
// Ambiguous texts and names pass if allowText is set; codes never do.
func (p *Plan) Screen(o *Object, allowText bool) error {
	for i := range o.Members {
		m := &o.Members[i]
		name := string(m.Name)
		if !allowText && hasMeta(m.Name, topMetas) {
			return &MemberError{Name: "with an unusual name", Reason: "would have the same signature under another name", Ambiguous: true}
		}
		f := p.field(m.Name)
		if f != nil {
			name = f.Name
		}
		switch m.Value.Kind {
		case String:
			if err := p.screenString(f, name, m.Value, o, allowText); err != nil {
				return err
			}
		case Dict, List:
			s := nestedScreen{top: p, message: o, allowText: allowText}
			if reason := s.inside(f, m.Value); reason != "" {
				return &MemberError{Name: name, Reason: reason, Ambiguous: reason != reasonNUL}
			}
		}
	}
	return nil
}

const (
	reasonNUL  = "holds a NUL character"
	reasonCode = "holds a character that its signature does not protect"
	reasonCut  = "holds text that could be cut into another member with the same signature"
)

func (p *Plan) screenString(f *Field, name string, v Value, o *Object, allowText bool) error {
	text := v.Text()
	if v.Escaped && bytes.IndexByte(text, 0) >= 0 {
		return &MemberError{Name: name, Reason: reasonNUL}
	}
	if f != nil {
		if f.Rule.Opaque {
			return nil
		}
		if f.isCode(f.Rule) && !isCode(text) {
			return &MemberError{Name: name, Reason: reasonCode, Ambiguous: true}
		}
	}
	if !allowText && p.cuttable(text, o) {
		return &MemberError{Name: name, Reason: reasonCut, Ambiguous: true}
	}
	return nil
}

// isCode tells whether a member of this shape is a code rather than free text.
func (s *shape) isCode(r Rule) bool {
	return s.kind == kindString && !r.Text && !r.Opaque
}

// isCode tells whether the signature protects every character of a text.
func isCode(text []byte) bool {
	return !bytes.ContainsAny(text, `&"\`) && !bytes.ContainsFunc(text, unicode.IsControl)
}

// cuttable tells whether the text, once it is signed, holds & and the name of a member of the message and =.
func (p *Plan) cuttable(text []byte, o *Object) bool {
	if bytes.IndexByte(text, '&') < 0 {
		return false
	}
	return p.cuttableAs(bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(`"`), nil), []byte(`\`), nil), o)
}

// cuttableAs is cuttable for a text as it is signed.
func (p *Plan) cuttableAs(signed []byte, o *Object) bool {
	return follows(signed, "&", '=', func(name []byte) bool {
		if string(name) == SignName {
			return false
		}
		if p.field(name) != nil {
			return true
		}
		_, ok := o.Get(string(name))
		return ok
	})
}

// follows tells whether anywhere in text one of the openers, a name that is known, and the closer follow one another.
func follows(text []byte, openers string, closer byte, known func(name []byte) bool) bool {
	for {
		i := bytes.IndexAny(text, openers)
		if i < 0 {
			return false
		}
		text = text[i+1:]
		if end := bytes.IndexByte(text, closer); end >= 0 && known(text[:end]) {
			return true
		}
	}
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

// nestedScreen screens the strings inside one list or object. A text there can also be cut within the value.
type nestedScreen struct {
	top       *Plan
	message   *Object
	allowText bool
	plans     []*Plan  // of the objects around, innermost last; nil for one that is unknown
	names     [][]byte // of the members of the objects around
	t         text
}

// inside screens what the member of a field holds; the field may be nil.
func (s *nestedScreen) inside(f *Field, v Value) string {
	var plan *Plan
	if f != nil {
		plan = f.inner()
	}
	s.plans = append(s.plans, plan)
	reason := s.value(v)
	s.plans = s.plans[:len(s.plans)-1]
	return reason
}

func (s *nestedScreen) value(v Value) string {
	switch v.Kind {
	case Dict:
		return s.dict(v.Raw)
	case List:
		for i := skipSpace(v.Raw, 1); v.Raw[i] != ']'; {
			item := valueAt(v.Raw, i)
			i = skipSpace(v.Raw, i+len(item.Raw))
			if v.Raw[i] == ',' {
				i = skipSpace(v.Raw, i+1)
			}
			if reason := s.value(item); reason != "" {
				return reason
			}
		}
	case String:
		return s.string(v, nil)
	}
	return ""
}

func (s *nestedScreen) dict(raw []byte) string {
	var o Object
	if err := o.Read(raw); err != nil {
		return err.Error()
	}
	base, plan := len(s.names), s.plans[len(s.plans)-1]
	for i := range o.Members {
		s.names = append(s.names, o.Members[i].Name)
	}
	for i := range o.Members {
		m := &o.Members[i]
		if !s.allowText && hasMeta(m.Name, topMetas+nestedMetas) {
			return reasonCut
		}
		var f *Field
		if plan != nil {
			f = plan.field(m.Name)
		}
		var reason string
		if m.Value.Kind == String {
			reason = s.string(m.Value, f)
		} else {
			reason = s.inside(f, m.Value)
		}
		if reason != "" {
			return reason
		}
	}
	s.names = s.names[:base]
	return ""
}

func (s *nestedScreen) string(v Value, f *Field) string {
	text := v.Text()
	if v.Escaped && bytes.IndexByte(text, 0) >= 0 {
		return reasonNUL
	}
	if f != nil && f.isCode(f.Rule) && !isCode(text) {
		return reasonCode
	}
	if s.allowText {
		return ""
	}
	s.t.buf = s.t.buf[:0]
	s.t.nestedString(v)
	if s.top.cuttableAs(s.t.buf, s.message) || follows(s.t.buf, ",{", ':', s.knows) {
		return reasonCut
	}
	return ""
}

// knows tells whether a name is that of a member of the objects around.
func (s *nestedScreen) knows(name []byte) bool {
	for _, plan := range s.plans {
		if plan != nil && plan.field(name) != nil {
			return true
		}
	}
	for _, n := range s.names {
		if bytes.Equal(n, name) {
			return true
		}
	}
	return false
}
