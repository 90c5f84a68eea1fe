package wire

import (
	"bytes"
	"slices"
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
	p.bind(&o.members)
	if o.isHarmless() {
		return nil
	}
	s := screener{allowText: by.AllowText && len(by.Always) == 0, names: cutNames{plan: p, later: by.Kin, message: nameSet{members: &o.members}}}
	if by.AllowText {
		s.names.only = by.Always
	}
	for i := range o.entries {
		e := &o.entries[i]
		f := p.fieldOf(e)
		name := "of an unknown name"
		switch {
		case f != nil:
			name = f.Name
		case e.isSign():
			continue // was compared with what it has to be
		case hasMeta(o.nameOf(e), topMeta):
			return &MemberError{Name: name, Reason: reasonName, Ambiguous: true}
		}
		reason := ""
		switch e.kind {
		case String:
			reason = s.string(f, o.text[e.value:e.valueEnd], e.form, false)
		case List, Dict:
			_, reason = s.nested(f, o.text, int(e.value))
		}
		if reason != "" {
			return &MemberError{Name: name, Reason: reason, Ambiguous: reason != reasonNUL}
		}
	}
	return nil
}

// isHarmless tells, of most messages, that they pass whatever the screening: nothing of them is nested, no text holds what could
// structure or be dropped, and no unknown name does. What the reader did not see is looked for in the whole object at once: for a notice
// 17 ns instead of 96.
func (o *Object) isHarmless() bool {
	object := o.text[o.start:o.end]
	const firstOfC1 = 0xC2 // of the control characters from U+0080 to U+009F, and of others
	switch {
	case o.forms&(escaped|nested) != 0,
		bytes.IndexByte(object, '&') >= 0,
		bytes.IndexByte(object, 0x7F) >= 0,
		(o.forms&foreign != 0 || o.foreign) && bytes.IndexByte(object, firstOfC1) >= 0:
		return false
	case o.count > 0:
		return true // a name that is in a table holds nothing of that
	}
	for i := range o.entries {
		if e := &o.entries[i]; e.field == 0 && hasMeta(o.nameOf(e), topMeta) {
			return false
		}
	}
	return true
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

	// Of what is to be sent:
	reasonNumber = "holds a number whose form in the signed text is not certain: send an integer or a string"
	reasonNull   = "holds a null in a list, which the gateway drops: leave it out"
)

// hasMeta tells whether a member name holds a control character or one of the metas. The names of a plan do not.
func hasMeta(name []byte, metas class) bool {
	found := holds(name)
	return found&(metas|control) != 0 || found&wide != 0 && bytes.ContainsFunc(name, unicode.IsControl)
}

// isCode tells whether the signature protects every character of a text.
func isCode(text []byte, nested bool) bool {
	refused := noCode
	if nested {
		refused |= noNestedCode
	}
	found := holds(text)
	return found&refused == 0 && (found&wide == 0 || !bytes.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || nested && gatewayEscapes(r)
	}))
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
	sending   bool // JSON of the caller's own, and not what the gateway sent
	allowText bool
	names     cutNames
}

// any screens a whole value, a direct member of the message or one within it, and returns the reason to refuse it.
func (s *screener) any(raw []byte, outermost bool) string {
	i := skipSpace(raw, 0)
	var e entry
	end := skipValue(raw, i, &e)
	switch {
	case outermost && e.kind == String:
		return s.string(nil, raw[i:end], e.form, false)
	case outermost && e.kind == Number && isDecimal(raw[i:end]):
		return reasonNumber // its form depends on the type that the gateway has for the member
	}
	_, reason := s.nested(nil, raw, i)
	return reason
}

// nested screens a value inside the message, of a field that is nil if it is unknown. It returns the position behind the value,
// and the reason to refuse it.
func (s *screener) nested(f *Field, b []byte, i int) (int, string) {
	switch b[i] {
	case '[':
		return s.list(f, b, i)
	case '{':
		return s.dict(f, b, i)
	}
	var e entry
	end := skipValue(b, i, &e)
	switch {
	case e.kind == String:
		return end, s.string(f, b[i:end], e.form, true)
	case s.sending && e.kind == Number && e.form&decimal != 0:
		if _, ok := javaNumber(b[i:end]); !ok {
			return end, reasonNumber
		}
	}
	return end, ""
}

func (s *screener) list(f *Field, b []byte, i int) (int, string) {
	i = skipSpace(b, i+1)
	for b[i] != ']' {
		if s.sending && b[i] == 'n' {
			return i, reasonNull
		}
		var reason string
		if i, reason = s.nested(f, b, i); reason != "" {
			return i, reason
		}
		if i = skipSpace(b, i); b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	return i + 1, ""
}

func (s *screener) dict(outer *Field, b []byte, i int) (int, string) {
	var plan *Plan
	if outer != nil {
		plan = outer.inner()
	}
	s.names.around = append(s.names.around, around{plan: plan, text: b, at: i, any: s.sending})
	i = skipSpace(b, i+1)
	for b[i] != '}' {
		end, form := stringEnd(b, i+1)
		name := Value{Kind: String, Escaped: form&escaped != 0, Raw: b[i:end]}.Text()
		var f *Field
		if plan != nil {
			f = plan.field(name)
		}
		if f == nil && hasMeta(name, topMeta|nestedMeta) {
			return i, reasonName
		}
		var reason string
		if i, reason = s.nested(f, b, skipSpace(b, skipSpace(b, end)+1)); reason != "" {
			return i, reason
		}
		if i = skipSpace(b, i); b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	s.names.around = s.names.around[:len(s.names.around)-1]
	return i + 1, ""
}

// string screens a text, given as it was sent, in its quotes.
func (s *screener) string(f *Field, raw []byte, form form, nested bool) string {
	given := raw[1 : len(raw)-1]
	if form&escaped != 0 {
		given = unescape(nil, given)
		if bytes.IndexByte(given, 0) >= 0 {
			return reasonNUL
		}
	}
	if f != nil && f.Rule.Opaque {
		return ""
	}
	if f != nil && f.isCodes {
		if !isCode(given, nested) {
			return reasonCode
		}
		return "" // what could be cut holds a character that no code may
	}
	suspect := bytes.IndexByte(given, '&') >= 0 || nested && (bytes.IndexByte(given, ',') >= 0 || bytes.IndexByte(given, '{') >= 0)
	if s.allowText || !suspect {
		return ""
	}
	var t text
	if nested {
		t.nestedString(raw, 1)
	} else {
		t.topString(raw, form)
	}
	if s.names.cut(t.buf, nested) {
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
	any     bool   // which names the gateway knows is not known here: it can be any
	plan    *Plan  // nil if unknown
	text    []byte // where the object is
	at      int
	members nameSet // made when it is first asked
}

func (a *around) has(name []byte) bool {
	if a.plan != nil && a.plan.field(name) != nil || a.any && isIdentifier(name) {
		return true
	}
	if a.text == nil { // of a param
		return false
	}
	if a.members.members == nil {
		a.members.members = new(members)
		a.members.members.collect(a.text, a.at)
	}
	return a.members.has(name)
}

// isIdentifier tells whether a name could be that of a member: letters, digits and underscores.
func isIdentifier(name []byte) bool {
	for i, c := range name {
		if letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'; !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(name) > 0
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
		if n.around[i].has(name) {
			return true
		}
	}
	return false
}

// nameSet finds names among members; among many with a map, made when it is first asked.
type nameSet struct {
	members *members // nil: none
	set     map[string]struct{}
}

func (n *nameSet) has(name []byte) bool {
	const few = 32
	if n.members == nil {
		return false
	}
	if len(n.members.entries) <= few {
		return n.members.find(string(name)) != nil
	}
	if n.set == nil {
		n.set = make(map[string]struct{}, len(n.members.entries))
		for i := range n.members.entries {
			n.set[string(n.members.nameOf(&n.members.entries[i]))] = struct{}{}
		}
	}
	_, ok := n.set[string(name)]
	return ok
}
