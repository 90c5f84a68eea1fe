package wire

import (
	"reflect"
	"slices"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// Missing lists the members that prove success but have no value in the struct v.
func (p *Plan) Missing(v reflect.Value) []string {
	var names []string
	for i := range p.Fields {
		if f := &p.Fields[i]; f.Rule.Proof && f.isUnset(f.of(v)) {
			names = append(names, f.Name)
		}
	}
	return names
}

// Repeated returns the member of the answer v that should differ from a member of the request but has the same value;
// see Rule.Unlike. It returns "" if there is none. Asked is the request, of the plan request.
func (p *Plan) Repeated(v reflect.Value, request *Plan, asked reflect.Value) string {
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Rule.Unlike == "" {
			continue
		}
		other := request.field([]byte(f.Rule.Unlike))
		if other != nil && other.kind == kindString && f.of(v).String() == other.of(asked).String() {
			return f.Name
		}
	}
	return ""
}

// Foreign returns the name of a number in the answer o that neither this plan, of the call, nor the plan answer has:
// the answer is about something else. It returns "" if there is none. A call that names no order accepts any answer.
func (p *Plan) Foreign(answer *Plan, o *Object) string {
	if !p.asks {
		return ""
	}
	answer.bind(&o.members)
	for i := range o.entries {
		e := &o.entries[i]
		if e.field != 0 || e.kind == Null {
			continue
		}
		if name := o.nameOf(e); slices.Contains(numbers, string(name)) && p.field(name) == nil {
			return string(name)
		}
	}
	return ""
}

var numbers = gateway.Numbers()

// Echo compares the numbers that are set in the struct asked, of the plan's type, with those in the answer. It returns
// the name of the first that differs, or true.
func (p *Plan) Echo(asked reflect.Value, answer *Object) (string, bool) {
	for i := range p.Fields {
		f := &p.Fields[i]
		for _, name := range f.echoes {
			got, ok := answer.Get(name)
			if !ok || got.Kind == Null {
				continue
			}
			if want := f.of(asked).String(); want != "" && (got.Kind != String || string(got.Text()) != want) {
				return f.Name, false
			}
		}
	}
	return "", true
}
