package wire

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// Plan says how a struct type and a JSON object correspond. It is made once for a type, from the tags of its fields:
//
//	json:"name"       the member's name in gateway 2.0.8; "-" leaves the field out
//	daxpay:"a,b=1"    what else is known about the member, see Rule
//
// Embedded structs count as if their fields stood in the outer one. A field of a request that is zero is not sent; a
// pointer says that zero is meant.
type Plan struct {
	Type   reflect.Type
	Fields []Field

	index   map[string]int // the position in Fields of every name, those of older versions too
	echoes  []fieldName    // names in the answer of the numbers that were asked for
	proofs  []*Field       // with Rule.Proof
	unlikes []*Field       // with Rule.Unlike
	nested  []slot         // fields in the order in which the gateway signs them inside another object
	layouts [gateway.Versions]atomic.Pointer[Layout]
}

// Field is one member of a Plan.
type Field struct {
	Name string // on the wire, in 2.0.8
	Go   string // in the struct
	Rule Rule

	shape
	path    []int // to it from outside
	renamed bool  // another version has another name for it
	isCodes bool  // its strings are codes rather than free text
}

// fieldName is a name and the position in Fields that it belongs to.
type fieldName struct {
	name  string
	field int
}

// Rule is what the daxpay tag says about a member.
type Rule struct {
	// Number (no, no=name): a number that names an order, 单号. An answer that holds it, under the same name or the one given,
	// must hold the one that was asked for.
	Number bool
	Echo   string // the name in the answer if it is another
	// Text (text): free text. Everything else is a code, in which no character may occur that the signature does not protect.
	Text bool
	// Opaque (opaque): composed by the gateway, and exempt from the checks of text and of codes.
	Opaque bool
	// IP (ip): an IPv4 or IPv6 address.
	IP bool
	// Required (required): must be set. OneOf (oneof): one of the members that have it must be set.
	Required, OneOf bool
	// Proof (proof): an answer without it does not prove success.
	Proof bool
	// Unlike (unlike=name): an answer in which it is what the request has under that name does not prove success.
	Unlike string
	// Object (object): JSON that must be one object.
	Object bool
	// Inverted (inverted): a bool that is sent as false when it is set.
	Inverted bool
	// Max (max=N): the most characters of a string, or of the JSON of anything else that is no integer, of which it is the
	// greatest value. Min (min=N): the least value of an integer. 0 is no limit.
	Max, Min int64
}

// TypeError says why a struct type cannot be sent or received. It is a mistake in the program, not in its input.
type TypeError struct {
	Type   reflect.Type
	Field  string
	Reason string
}

func (e *TypeError) Error() string {
	return strings.TrimSuffix(e.Type.String()+"."+e.Field, ".") + " " + e.Reason
}

var plans sync.Map // reflect.Type → *Plan; what a type looks like never changes

// PlanOf returns the plan of a struct type.
func PlanOf(t reflect.Type) (*Plan, error) {
	if p, ok := plans.Load(t); ok {
		return p.(*Plan), nil //nolint:forcetypeassert // nothing else is stored
	}
	p, err := buildPlan(t, nil)
	if err != nil {
		return nil, err
	}
	stored, _ := plans.LoadOrStore(t, p)
	return stored.(*Plan), nil //nolint:forcetypeassert // nothing else is stored
}

func buildPlan(t reflect.Type, outer []reflect.Type) (*Plan, error) {
	if t.Kind() != reflect.Struct {
		return nil, &TypeError{Type: t, Reason: "is not a struct"}
	}
	if slices.Contains(outer, t) {
		return nil, &TypeError{Type: t, Reason: "contains itself"}
	}
	p := &Plan{Type: t, index: make(map[string]int)}
	if err := p.add(t, nil, append(outer, t)); err != nil {
		return nil, err
	}
	if len(p.Fields) == 0 {
		return nil, &TypeError{Type: t, Reason: "has no field that can be sent or received"}
	}
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Rule.Proof {
			p.proofs = append(p.proofs, f)
		}
		if f.Rule.Unlike != "" {
			p.unlikes = append(p.unlikes, f)
		}
		p.nested = append(p.nested, newSlot(f, f.Name, true))
	}
	slices.SortFunc(p.nested, func(a, b slot) int { return compareNames(a.name, b.name, true) })
	for i := 1; i < len(p.nested); i++ {
		a, b := p.nested[i-1].field, p.nested[i].field
		if compareNames(a.Name, b.Name, true) == 0 {
			return nil, &TypeError{Type: t, Field: b.Go, Reason: "has the same name as " + a.Go}
		}
	}
	return p, nil
}

// add adds the fields of t, which stands at path in the plan's type, within the types outer.
func (p *Plan) add(t reflect.Type, path []int, outer []reflect.Type) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		fieldPath := append(slices.Clone(path), i)
		if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct && !isTime(sf.Type) {
			if err := p.add(sf.Type, fieldPath, outer); err != nil {
				return err
			}
			continue
		}
		if !sf.IsExported() {
			continue
		}
		f := Field{Name: cmp.Or(name, sf.Name), Go: sf.Name, path: fieldPath}
		err := p.addField(f, sf, options, outer)
		var inner *TypeError
		switch {
		case errors.As(err, &inner):
			return err
		case err != nil:
			return &TypeError{Type: t, Field: sf.Name, Reason: err.Error()}
		}
	}
	return nil
}

// addField completes a field by its type and tags, and adds it.
func (p *Plan) addField(f Field, sf reflect.StructField, options string, outer []reflect.Type) (err error) {
	if strings.Contains(options, "string") {
		return errors.New(`has the option "string", which is not supported: integers are understood in both forms`)
	}
	if hasMeta([]byte(f.Name), topMeta|nestedMeta) {
		return fmt.Errorf("has the name %q, which cannot be that of a member", f.Name)
	}
	if f.Rule, err = parseRule(sf.Tag.Get("daxpay")); err != nil {
		return err
	}
	if f.shape, err = shapeOf(sf.Type, outer); err != nil {
		return err
	}
	f.inverted = f.Rule.Inverted
	f.renamed = gateway.OldName(f.Name) != ""
	f.isCodes = !f.Rule.Text && !f.Rule.Opaque && f.innermost().kind == kindString
	if reason := f.contradiction(); reason != "" {
		return errors.New(reason)
	}
	for _, n := range versions(f.Name) {
		if other, taken := p.index[n]; taken {
			return errors.New("has the same name as " + p.Fields[other].Go)
		}
		p.index[n] = len(p.Fields)
	}
	if f.Rule.Number {
		for _, n := range versions(cmp.Or(f.Rule.Echo, f.Name)) {
			p.echoes = append(p.echoes, fieldName{name: n, field: len(p.Fields)})
		}
	}
	p.Fields = append(p.Fields, f)
	return nil
}

// contradiction says why a field cannot be what its name, type and rule say at once.
func (f *Field) contradiction() string {
	s := f.innermost()
	switch {
	case f.Rule.Number && f.kind != kindString:
		return `is not a string: only those can have "no" in their daxpay tag`
	case f.Rule.Inverted && f.kind != kindBool:
		return `is not a bool: only those can have "inverted" in their daxpay tag`
	case isTimeName([]byte(f.Name)) && (s.kind == kindString || s.kind == kindJSON):
		return "has the name of a time, which is signed as Unix seconds: use time.Time or model.Time"
	}
	return ""
}

func parseRule(tag string) (Rule, error) {
	var r Rule
	if tag == "" {
		return r, nil
	}
	flags := map[string]*bool{
		"text": &r.Text, "opaque": &r.Opaque, "ip": &r.IP, "required": &r.Required, "oneof": &r.OneOf, "proof": &r.Proof,
		"object": &r.Object, "inverted": &r.Inverted,
	}
	limits := map[string]*int64{"max": &r.Max, "min": &r.Min}
	for _, option := range strings.Split(tag, ",") {
		name, value, _ := strings.Cut(option, "=")
		flag, limit := flags[name], limits[name]
		switch {
		case flag != nil:
			*flag = true
		case limit != nil:
			var err error
			if *limit, err = strconv.ParseInt(value, 10, 64); err != nil {
				return r, fmt.Errorf("has the option %q in its daxpay tag, which needs a number", option)
			}
		case name == "no":
			r.Number, r.Echo = true, value
		case name == "unlike":
			r.Unlike = value
		default:
			return r, fmt.Errorf("has the unknown option %q in its daxpay tag", option)
		}
	}
	return r, nil
}

// versions lists the names that gateways have for a member.
func versions(name string) []string {
	if old := gateway.OldName(name); old != "" {
		return []string{name, old}
	}
	return []string{name}
}

// field finds the field for a member by any of its names, nil if there is none.
func (p *Plan) field(name []byte) *Field {
	if i, ok := p.index[string(name)]; ok {
		return &p.Fields[i]
	}
	return nil
}

// bind notes whose values the members are. The gateway sends most in the order of the fields, so the next one is tried
// first, which takes a tenth off a notice.
func (p *Plan) bind(m *members) {
	if m.bound == p {
		return
	}
	m.bound, m.textSize = p, 0
	next := 0
	for i := range m.entries {
		e := &m.entries[i]
		name, at, ok := m.nameOf(e), next, true
		if next >= len(p.Fields) || p.Fields[next].Name != string(name) {
			at, ok = p.index[string(name)]
		}
		if e.field = 0; !ok {
			continue
		}
		next = at + 1
		e.field = uint16(next) //nolint:gosec // a struct has fewer fields
		if e.kind == String && p.Fields[at].kind == kindString {
			m.textSize += int(e.valueEnd-e.value) - len(`""`)
		}
	}
}

// fieldOf is the field of a member that is bound, nil if there is none.
func (p *Plan) fieldOf(e *entry) *Field {
	if e.field == 0 {
		return nil
	}
	return &p.Fields[e.field-1]
}

// of is the field's value in a struct of the plan's type.
func (f *Field) of(v reflect.Value) reflect.Value {
	for _, i := range f.path { // FieldByIndex also asks for pointers on the way, of which there are none
		v = v.Field(i)
	}
	return v
}
