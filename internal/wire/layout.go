package wire

import (
	"reflect"
	"slices"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// The members that the client fills in if the caller left them empty.
const (
	clientIPName = "clientIp"
	nonceName    = "nonceStr"
	timeName     = "reqTime"
)

var filled = []string{clientIPName, nonceName, timeName}

// Layout is the order in which a version of the gateway signs the members of a request, with their names in that
// version.
type Layout struct {
	path    string
	version gateway.Version
	slots   []slot
	renamed string // the members that have another name in the version

	column   int   // if columned is set, the most characters of every text; 0 means no limit
	columned bool  // column replaces the limits of the plan
	fields   []fit // for each field of the plan
	narrower []int // the fields of which the version accepts less than 2.0.8
}

// fit says how a version accepts a field of the plan.
type fit struct {
	absent bool // not at all
	object bool // as an object, whose JSON the field holds
}

// slot is a field at its place in an order.
type slot struct {
	field  *Field
	name   string
	object bool // the field holds the JSON of an object

	json string // ,"name":
	text string // &name= or, within another object, ,name:
}

func newSlot(f *Field, name string, nested bool) slot {
	s := slot{field: f, name: name, json: "," + string(appendString(nil, name)) + ":", text: "&" + name + "="}
	if nested {
		s.text = "," + string(appendSigned(nil, []byte(name), true)) + ":"
	}
	return s
}

// Layout returns the plan's layout for a version, as the param of the call that 2.0.8 has at path. It keeps the latest
// one, because a type is the param of one call.
func (p *Plan) Layout(path string, v gateway.Version) *Layout {
	if l := p.layouts[v].Load(); l != nil && l.path == path {
		return l
	}
	l := &Layout{path: path, version: v, fields: make([]fit, len(p.Fields))}
	l.column, l.columned = v.Column(path)
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Name == SignName {
			continue
		}
		m, known := v.Member(path, f.Name)
		// What the client fills in is left out where it is not known, which is no fault of the caller.
		l.fields[i] = fit{absent: !known && !slices.Contains(filled, f.Name), object: m.Object}
		if l.fields[i] != (fit{}) || l.limit(f.Rule.Max) < f.Rule.Max && l.limit(f.Rule.Max) > 0 && f.kind != kindInt {
			l.narrower = append(l.narrower, i)
		}
		if !known {
			continue
		}
		s := newSlot(f, m.Name, false)
		s.object = m.Object
		l.slots = append(l.slots, s)
	}
	slices.SortFunc(l.slots, func(a, b slot) int { return compareNames(a.name, b.name, false) })
	for _, s := range l.slots {
		if s.name != s.field.Name {
			l.renamed += "&" + s.name
		}
	}
	p.layouts[v].Store(l)
	return l
}

// limit returns the most characters that the version accepts in a text, given the limit of 2.0.8; 0 means no limit.
func (l *Layout) limit(limit int64) int64 {
	if l.columned && limit > 0 {
		return int64(l.column)
	}
	return limit
}

// OtherForm reports whether a member that is set in v, of the plan's type, has different forms in the two layouts.
func (p *Plan) OtherForm(v reflect.Value, l, other *Layout) bool {
	for i := range p.Fields {
		if f := &p.Fields[i]; l.fields[i].object != other.fields[i].object && !f.isUnset(f.of(v)) {
			return true
		}
	}
	return false
}

// Same reports whether two layouts of a plan turn a param into the same message.
func (l *Layout) Same(other *Layout) bool {
	same := func(a, b slot) bool { return a.name == b.name && a.object == b.object }
	return slices.EqualFunc(l.slots, other.slots, same)
}

// SameNames reports whether two layouts of a plan rename the same members.
func (l *Layout) SameNames(other *Layout) bool { return l.renamed == other.renamed }
