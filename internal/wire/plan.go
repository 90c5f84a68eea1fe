package wire

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// Plan says how a struct type and a JSON object correspond. It is made once for a type, from the tags of the fields:
//
//	json:"name"       the member's name in gateway 2.0.8; "-" leaves the field out
//	daxpay:"a,b=1"    what else is known about the member, see Rule
//
// The fields of embedded structs count as fields of the outer one. A zero field of a request is not sent; a pointer to
// zero is.
type Plan struct {
	Type   reflect.Type
	Fields []Field

	index   map[string]int // the position in Fields of every name, including those in older versions
	asks    bool           // a field has Rule.Number
	nested  []slot         // the fields in the order in which the gateway signs them inside another object
	layouts [gateway.Versions]atomic.Pointer[Layout]
}

// Field is one member of a Plan.
type Field struct {
	Name string // on the wire, in 2.0.8
	Go   string // in the struct
	Rule Rule

	shape
	path    []int    // of indexes, from the outermost struct
	echoes  []string // its names in the answer if it has Rule.Number
	isCodes bool     // its strings are codes
}

// Rule is what the daxpay tag says about a member. A text that is neither Text nor Opaque is a code: it may hold only
// characters that the signature protects.
type Rule struct {
	Number   bool   // no, no=name: the number of an order, 单号. An answer that has it must have the one in the request
	Echo     string // its name in the answer if that differs
	Text     bool   // text: free text
	Listed   bool   // listed: it comes back inside a list, so the rules for nested texts hold
	Opaque   bool   // opaque: composed by the gateway, not checked as a text or a code
	IP       bool   // ip: an IPv4 or IPv6 address
	URL      bool   // url: an absolute http or https URL
	Required bool   // required: must be set
	OneOf    bool   // oneof: one of the members with this option must be set
	Proof    bool   // proof: an answer without it does not prove success
	Unlike   string // unlike=name: nor does an answer in which it equals that member of the request
	Object   bool   // object: JSON that must be one object
	Inverted bool   // inverted: a bool that is sent as false when it is set
	Max      int64  // max=N: the greatest integer; the most characters of a string, or of the JSON of anything else
	Min      int64  // min=N: the least integer; 0 means no limit
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

var plans sync.Map // reflect.Type → *Plan

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
		p.nested = append(p.nested, newSlot(&p.Fields[i], p.Fields[i].Name, true))
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

// add adds the fields of t, which is at path in the plan's type. Outer are the types around them, to find circles.
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
		if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Pointer && sf.Type.Elem().Kind() == reflect.Struct {
			return &TypeError{Type: t, Field: sf.Name,
				Reason: "is an embedded pointer: embed the struct itself, or give the field a name"}
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

// addField completes a field from its type and tags, and adds it.
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
	f.isCodes = !f.Rule.Text && !f.Rule.Opaque && f.innermost().kind == kindString
	s := f.innermost()
	switch {
	case f.Rule.Number && f.kind != kindString:
		return errors.New(`is not a string: only those can have "no" in their daxpay tag`)
	case f.Rule.Inverted && f.kind != kindBool:
		return errors.New(`is not a bool: only those can have "inverted" in their daxpay tag`)
	case isTimeName([]byte(f.Name)) && (s.kind == kindString || s.kind == kindJSON):
		return errors.New("has the name of a time, which is signed as Unix seconds: use time.Time or model.Time")
	}
	for _, n := range versions(f.Name) {
		if other, taken := p.index[n]; taken {
			return errors.New("has the same name as " + p.Fields[other].Go)
		}
		p.index[n] = len(p.Fields)
	}
	if f.Rule.Number {
		p.asks, f.echoes = true, versions(cmp.Or(f.Rule.Echo, f.Name))
	}
	p.Fields = append(p.Fields, f)
	return nil
}

func parseRule(tag string) (Rule, error) {
	var r Rule
	if tag == "" {
		return r, nil
	}
	flags := map[string]*bool{
		"text": &r.Text, "opaque": &r.Opaque, "ip": &r.IP, "url": &r.URL, "required": &r.Required, "oneof": &r.OneOf,
		"proof": &r.Proof, "object": &r.Object, "inverted": &r.Inverted, "listed": &r.Listed,
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

// versions lists the names that the versions of the gateway have for a member.
func versions(name string) []string {
	if old := gateway.OldName(name); old != "" {
		return []string{name, old}
	}
	return []string{name}
}

// field returns the field of a member, by any of its names, or nil.
func (p *Plan) field(name []byte) *Field {
	if i, ok := p.index[string(name)]; ok {
		return &p.Fields[i]
	}
	return nil
}

// bind finds the field of each member. The gateway sends most members in the order of the fields, so bind tries the
// next field first, which saves a tenth of a notice.
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
		e.field = uint16(next)
		if e.kind == String && p.Fields[at].kind == kindString {
			m.textSize += int(e.valueEnd-e.value) - len(`""`)
		}
	}
}

// fieldOf returns the field of a member that is bound, or nil.
func (p *Plan) fieldOf(e *entry) *Field {
	if e.field == 0 {
		return nil
	}
	return &p.Fields[e.field-1]
}

// Number returns the first number, by Rule.Number, that is set in v, of the plan's type, or "".
func (p *Plan) Number(v reflect.Value) string {
	for i := range p.Fields {
		if f := &p.Fields[i]; f.Rule.Number && !f.isUnset(f.of(v)) {
			return f.of(v).String()
		}
	}
	return ""
}

// of returns the field's value in v, of the plan's type.
func (f *Field) of(v reflect.Value) reflect.Value {
	for _, i := range f.path { // FieldByIndex would also look for pointers on the way
		v = v.Field(i)
	}
	return v
}

type kind uint8

const (
	kindString kind = iota
	kindInt
	kindUint
	kindBool
	kindTime
	kindStruct
	kindList
	kindPointer
	kindInterface // can be sent, not received
	kindJSON      // has its own MarshalJSON or UnmarshalJSON
)

// shape describes the Go type of a value.
type shape struct {
	kind kind
	elem *shape // of kindList and kindPointer
	plan *Plan  // of kindStruct

	wrapped  bool // of kindTime: a struct that embeds the time
	inverted bool // of kindBool: it is written as its opposite
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	marshalerType   = reflect.TypeFor[json.Marshaler]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// isTime accepts time.Time and structs that only embed it, such as model.Time.
func isTime(t reflect.Type) bool {
	return t == timeType ||
		t.Kind() == reflect.Struct && t.NumField() == 1 && t.Field(0).Anonymous && t.Field(0).Type == timeType
}

var simpleKinds = map[reflect.Kind]kind{
	reflect.Interface: kindInterface, reflect.String: kindString, reflect.Bool: kindBool,
	reflect.Int: kindInt, reflect.Int8: kindInt, reflect.Int16: kindInt, reflect.Int32: kindInt, reflect.Int64: kindInt,
	reflect.Uint: kindUint, reflect.Uint8: kindUint, reflect.Uint16: kindUint, reflect.Uint32: kindUint,
	reflect.Uint64: kindUint,
}

func shapeOf(t reflect.Type, outer []reflect.Type) (shape, error) {
	switch {
	case isTime(t):
		return shape{kind: kindTime, wrapped: t != timeType}, nil
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Pointer:
		return shape{}, errors.New("is a pointer to a pointer: use a pointer")
	case t.Kind() == reflect.Pointer:
		elem, err := shapeOf(t.Elem(), outer)
		return shape{kind: kindPointer, elem: &elem}, err
	case reflect.PointerTo(t).Implements(marshalerType) || reflect.PointerTo(t).Implements(unmarshalerType):
		return shape{kind: kindJSON}, nil
	}
	if kind, ok := simpleKinds[t.Kind()]; ok {
		return shape{kind: kind}, nil
	}
	switch t.Kind() {
	case reflect.Struct:
		plan, err := buildPlan(t, outer)
		return shape{kind: kindStruct, plan: plan}, err
	case reflect.Slice:
		elem, err := shapeOf(t.Elem(), outer)
		return shape{kind: kindList, elem: &elem}, err
	case reflect.Float32, reflect.Float64:
		return shape{}, errors.New("is floating point, which loses digits: use an integer or a string")
	}
	return shape{}, fmt.Errorf("has the type %s, which is not supported: "+
		"use a string, an integer, bool, time.Time, a struct, a list or json.RawMessage", t)
}

// isUnset reports whether a value is left out of a request.
func (s *shape) isUnset(v reflect.Value) bool {
	switch s.kind {
	case kindTime: // a zero time with a zone is not a zero Value
		return v.IsZero() || s.timeOf(v).IsZero()
	case kindList, kindString:
		return v.Len() == 0
	case kindInterface:
		v = behind(v)
		return !v.IsValid() || v.IsZero()
	}
	return v.IsZero()
}

// behind returns what an interface holds, or what the pointer in it points at; the zero Value if there is nothing.
func behind(v reflect.Value) reflect.Value {
	v = v.Elem()
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}

// held returns the shape and the value of what an interface holds.
func held(v reflect.Value) (*shape, reflect.Value, error) {
	v = behind(v)
	switch v.Kind() {
	case reflect.Invalid:
		return nil, v, errors.New("is nil") // an element of a list; a member would have been left out
	case reflect.Pointer, reflect.Interface:
		return nil, v, errors.New("is a pointer to a pointer or to an interface")
	}
	t := v.Type()
	if t.Kind() == reflect.Struct && !isTime(t) && !reflect.PointerTo(t).Implements(marshalerType) {
		plan, err := PlanOf(t) // a plan is kept, unlike other shapes
		return &shape{kind: kindStruct, plan: plan}, v, err
	}
	s, err := shapeOf(t, nil)
	return &s, v, err
}

func (s *shape) timeOf(v reflect.Value) time.Time {
	if s.wrapped {
		v = v.Field(0)
	}
	if v.CanAddr() {
		t, _ := v.Addr().Interface().(*time.Time) // unlike a time, a pointer takes no memory in an interface
		return *t
	}
	t, _ := v.Interface().(time.Time)
	return t
}

// innermost returns what lists and pointers lead to, through any number of them.
func (s *shape) innermost() *shape {
	for s.elem != nil {
		s = s.elem
	}
	return s
}
