package wire

import (
	"bytes"
	"slices"
	"unicode"
)

// Screen refuses a message that shares its signature with another message; see the package comment.
func (p *Plan) Screen(o *Object, by Screening) error {
	if o.isHarmless() {
		return nil
	}
	p.bind(&o.members)
	s := screener{
		allowText: by.AllowText && len(by.Always) == 0,
		names:     cutNames{plan: p, later: by.Kin, message: &o.members},
	}
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
			continue // Verify compared it
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

// isHarmless reports that a message passes every screening, as most do: nothing in it is nested or escaped, and neither
// texts nor names hold a character that screening could refuse. That saves a tenth of a notice.
func (o *Object) isHarmless() bool {
	var names, values class
	for i := range o.entries {
		names, values = names|o.entries[i].nameForm, values|o.entries[i].form
	}
	return names&(topMeta|control|mayControl) == 0 && values&(nested|escaped|noCode|mayControl) == 0
}

// Screening says at which names a text must not be cut, besides the names of the message itself.
type Screening struct {
	// Kin are the plans of the messages that this one could be turned into.
	Kin []*Plan
	// AllowText lets texts pass that could be cut, except at the names in Always.
	AllowText bool
	Always    []string
}

const (
	reasonNUL    = "holds a NUL character"
	reasonCode   = "holds a character that its signature does not protect"
	reasonCut    = "holds text that could be cut into another member with the same signature"
	reasonHidden = "holds the name of a member of another object, and could be the rest of a text"
	reasonName   = "would have the same signature under another name"

	// These are for what is to be sent.
	reasonNumber = "holds a number whose form in the signed text is not certain: send an integer or a string"
	reasonNull   = "holds a null in a list, which the gateway drops: leave it out"
)

// hasMeta reports whether a member name holds a control character or one of the metas. No name of a plan does.
func hasMeta(name []byte, metas class) bool {
	found := holds(name)
	return found&(metas|control) != 0 || found&wide != 0 && bytes.ContainsFunc(name, unicode.IsControl)
}

// isCode reports whether the signature protects every character of a text.
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

type screener struct {
	sending   bool // the JSON is the caller's, not the gateway's
	allowText bool
	names     cutNames
}

// any screens a whole value, which is a direct member if it is outermost. It returns the reason to refuse it, or "".
func (s *screener) any(raw []byte, outermost bool) string {
	i := skipSpace(raw, 0)
	end, kind, form := skipValue(raw, i)
	switch {
	case outermost && kind == String:
		return s.string(nil, raw[i:end], form, false)
	case outermost && kind == Number && bytes.ContainsAny(raw[i:end], ".eE"):
		return reasonNumber // its form depends on the gateway's type for the member
	}
	_, reason := s.nested(nil, raw, i)
	return reason
}

// nested screens a value of field f, which is nil if it is unknown. It returns the position behind the value, and the
// reason to refuse it.
func (s *screener) nested(f *Field, b []byte, i int) (int, string) {
	switch b[i] {
	case '[':
		return s.list(f, b, i)
	case '{':
		return s.dict(f, b, i)
	}
	end, kind, form := skipValue(b, i)
	switch {
	case kind == String:
		return end, s.string(f, b[i:end], form, true)
	case s.sending && kind == Number && form&decimal != 0:
		if _, ok := javaNumber(nil, b[i:end]); !ok {
			return end, reasonNumber
		}
	}
	return end, ""
}

func (s *screener) list(f *Field, b []byte, i int) (int, string) {
	i, more := next(b, i+1)
	for ; more; i, more = next(b, i) {
		if s.sending && b[i] == 'n' {
			return i, reasonNull
		}
		var reason string
		if i, reason = s.nested(f, b, i); reason != "" {
			return i, reason
		}
	}
	return i, ""
}

func (s *screener) dict(outer *Field, b []byte, i int) (int, string) {
	var plan *Plan
	if outer != nil {
		plan = outer.innermost().plan
	}
	s.names.around = append(s.names.around, around{plan: plan, text: b, at: i, any: s.sending})
	i, more := next(b, i+1)
	for ; more; i, more = next(b, i) {
		name, value := nameAt(b, i)
		var f *Field
		if plan != nil {
			f = plan.field(name)
		}
		switch {
		case f == nil && hasMeta(name, topMeta|nestedMeta):
			return i, reasonName
		case plan == nil && !s.sending && s.names.plan.isInner(name):
			return i, reasonHidden
		}
		var reason string
		if i, reason = s.nested(f, b, value); reason != "" {
			return i, reason
		}
	}
	s.names.around = s.names.around[:len(s.names.around)-1]
	return i, ""
}

// string screens a text, given in its quotes as it was sent.
func (s *screener) string(f *Field, raw []byte, form class, nested bool) string {
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
		return "" // a text that could be cut holds a character that is not in a code
	}
	suspect := bytes.IndexByte(given, '&') >= 0 || nested && bytes.ContainsAny(given, ",{")
	if s.allowText || !suspect {
		return ""
	}
	if s.names.cut(appendSigned(nil, given, nested), nested) {
		return reasonCut
	}
	return ""
}

// cutNames has the names at which a text of a message could be cut in two members.
type cutNames struct {
	plan    *Plan    // of the message in which the text stands
	answer  *Plan    // of the answer to a request; nil if the message is no request
	later   []*Plan  // of other messages that the text will or could be part of
	only    []string // if not nil, only these names count
	message *members // the message itself, nil if it is a param
	around  []around // the objects around a nested text, innermost last
}

type around struct {
	any     bool   // the gateway may know any name here
	plan    *Plan  // nil if unknown
	text    []byte // where the object is; nil for a struct of a param
	at      int
	members *members // of the object, once they were needed
}

func (a *around) has(name []byte) bool {
	if a.plan != nil && a.plan.field(name) != nil || a.any && isIdentifier(name) {
		return true
	}
	if a.text == nil {
		return false
	}
	if a.members == nil {
		a.members = new(members)
		a.members.collect(a.text, a.at)
	}
	return a.members.find(string(name)) != nil
}

// isIdentifier reports whether a name could be that of a member: letters, digits and underscores.
func isIdentifier(name []byte) bool {
	for i, c := range name {
		if letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'; !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(name) > 0
}

// cut reports whether a text, in its signed form, holds the start of another member.
func (n *cutNames) cut(signed []byte, nested bool) bool {
	return follows(signed, "&", "&=", n.top) || nested && follows(signed, ",{", ",{:", n.nested)
}

// follows reports whether the text holds one of the openers, directly followed by a name that is known and the last of
// the ends. No name holds any of these characters.
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
		return false // the signed text does not have it, so no cut can make it
	case "code", "msg", "resTime", timeName:
		return true // every message can have them
	}
	has := func(p *Plan) bool { return p.field(name) != nil }
	return has(n.plan) || n.answer != nil && has(n.answer) || slices.ContainsFunc(n.later, has) ||
		n.message != nil && n.message.find(string(name)) != nil
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
	// The texts of a member that is unknown could hide the known members of another one.
	return n.message != nil && (len(n.around) == 0 || n.around[0].plan == nil) && n.plan.isInner(name)
}

// isInner reports whether the objects inside a message have a member of the name.
func (p *Plan) isInner(name []byte) bool {
	for i := range p.Fields {
		if inner := p.Fields[i].innermost().plan; inner != nil && (inner.field(name) != nil || inner.isInner(name)) {
			return true
		}
	}
	return false
}
