package wire

import (
	"bytes"
	"slices"
)

// cutNames are the names at which a text of a message could be cut.
type cutNames struct {
	plan    *Plan    // of the message in which the text stands
	answer  *Plan    // of the answer to it; nil if it is one
	later   []*Plan  // of other messages in which the text will stand, or could
	only    []string // if not nil, no other names count
	message *members // the message itself, nil if it is a param
	around  []around // the objects around a nested text, innermost last
}

type around struct {
	any     bool   // which names the gateway knows is not known here: it can be any
	plan    *Plan  // nil if unknown
	text    []byte // where the object is; nil for a struct of a param
	at      int
	members *members // made when it is first asked for
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
	return false
}
