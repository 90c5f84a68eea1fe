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

	names   []fieldName // of any gateway version
	table   *nameTable  // of them and of the known names
	known   Names       // those of them that are known
	echoes  []fieldName // names in the answer of the numbers that were asked for
	proofs  []*Field    // with Rule.Proof
	unlikes []*Field    // with Rule.Unlike
	nested  []slot      // fields in the order in which the gateway signs them inside another object
	layouts [gateway.Versions]atomic.Pointer[Layout]
}

// Field is one member of a Plan.
type Field struct {
	Name string // on the wire, in 2.0.8
	Go   string // in the struct
	Rule Rule

	shape          // what is looked at most stands side by side
	outer   int    // the embedded struct that it stands in; direct: in none, deep: in one within another
	index   int    // of it there
	codes   *codes // that it had; nil if it is not to keep them
	renamed bool   // another version has another name for it
	isCodes bool   // its strings are codes, see holdsCodes
	path    []int  // to it from outside
}

const (
	direct = -1
	deep   = -2
)

// fieldName is a name and the position in Fields that it belongs to.
type fieldName struct {
	known Names // it alone, if it is known
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

// shape is what Go type a value has.
type shape struct {
	kind kind
	elem *shape // of kindList and kindPointer
	plan *Plan  // of kindStruct
	// wrapped tells of kindTime that it is a struct in which the time is embedded.
	wrapped bool
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
	p := &Plan{Type: t}
	if err := p.add(t, nil, append(outer, t)); err != nil {
		return nil, err
	}
	if len(p.Fields) == 0 {
		return nil, &TypeError{Type: t, Reason: "has no field that can be sent or received"}
	}
	if len(p.names) > maxNames {
		return nil, &TypeError{Type: t, Reason: fmt.Sprintf("has more than %d names of members", maxNames)}
	}
	p.prepare()
	for i := range p.Fields {
		f := &p.Fields[i]
		p.nested = append(p.nested, newSlot(f, f.Name, ","+string(appendString(nil, f.Name))+":", ","+string(signedText(f.Name, true))+":"))
	}
	slices.SortFunc(p.nested, func(a, b slot) int {
		return compareFold([]byte(a.name), []byte(b.name))
	})
	for i := 1; i < len(p.nested); i++ {
		a, b := p.nested[i-1].field, p.nested[i].field
		if compareFold([]byte(a.Name), []byte(b.Name)) == 0 {
			return nil, &TypeError{Type: t, Field: b.Go, Reason: "has the same name as " + a.Go}
		}
	}
	return p, nil
}

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
		if strings.Contains(options, "string") {
			return &TypeError{Type: t, Field: sf.Name, Reason: `has the option "string", which is not supported: integers are understood in both forms`}
		}
		if name == "" {
			name = sf.Name
		}
		if hasMeta([]byte(name), topMeta|nestedMeta) {
			return &TypeError{Type: t, Field: sf.Name, Reason: fmt.Sprintf("has the name %q, which cannot be that of a member", name)}
		}
		rule, err := parseRule(sf.Tag.Get("daxpay"))
		if err != nil {
			return &TypeError{Type: t, Field: sf.Name, Reason: err.Error()}
		}
		shape, err := shapeOf(sf.Type, outer)
		if err != nil {
			if inner := (*TypeError)(nil); errors.As(err, &inner) {
				return err
			}
			return &TypeError{Type: t, Field: sf.Name, Reason: err.Error()}
		}
		f := Field{Name: name, Go: sf.Name, Rule: rule, path: fieldPath, outer: direct, index: i, shape: shape, renamed: gateway.OldName(name) != ""}
		if len(fieldPath) > 1 {
			f.outer = fieldPath[0]
		}
		if len(fieldPath) > 2 {
			f.outer = deep
		}
		f.isCodes = f.holdsCodes()
		if f.kind == kindString && sf.Type != reflect.TypeFor[string]() && f.isCodes {
			f.codes = new(codes)
		}
		if reason := f.contradiction(); reason != "" {
			return &TypeError{Type: t, Field: sf.Name, Reason: reason}
		}
		for _, n := range versions(name) {
			if i := slices.IndexFunc(p.names, func(k fieldName) bool { return k.name == n }); i >= 0 {
				return &TypeError{Type: t, Field: sf.Name, Reason: "has the same name as " + p.Fields[p.names[i].field].Go}
			}
			p.names = append(p.names, fieldName{name: n, field: len(p.Fields)})
		}
		if rule.Number {
			for _, n := range versions(cmp.Or(rule.Echo, name)) {
				p.echoes = append(p.echoes, fieldName{name: n, field: len(p.Fields), known: NamesOf(n)})
			}
		}
		p.Fields = append(p.Fields, f)
	}
	return nil
}

// contradiction says why a field cannot be what its name, type and rule say at once.
func (f *Field) contradiction() string {
	s := &f.shape
	for s.elem != nil {
		s = s.elem
	}
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
	for _, option := range strings.Split(tag, ",") {
		var err error
		switch name, value, _ := strings.Cut(option, "="); name {
		case "no":
			r.Number, r.Echo = true, value
		case "text":
			r.Text = true
		case "opaque":
			r.Opaque = true
		case "ip":
			r.IP = true
		case "required":
			r.Required = true
		case "oneof":
			r.OneOf = true
		case "proof":
			r.Proof = true
		case "object":
			r.Object = true
		case "inverted":
			r.Inverted = true
		case "unlike":
			r.Unlike = value
		case "max":
			r.Max, err = strconv.ParseInt(value, 10, 64)
		case "min":
			r.Min, err = strconv.ParseInt(value, 10, 64)
		default:
			return r, fmt.Errorf("has the unknown option %q in its daxpay tag", option)
		}
		if err != nil {
			return r, fmt.Errorf("has the option %q in its daxpay tag, which needs a number", option)
		}
	}
	return r, nil
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
	switch t.Kind() {
	case reflect.Interface:
		return shape{kind: kindInterface}, nil
	case reflect.String:
		return shape{kind: kindString}, nil
	case reflect.Bool:
		return shape{kind: kindBool}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return shape{kind: kindInt}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return shape{kind: kindUint}, nil
	case reflect.Struct:
		plan, err := buildPlan(t, outer)
		return shape{kind: kindStruct, plan: plan}, err
	case reflect.Slice:
		elem, err := shapeOf(t.Elem(), outer)
		return shape{kind: kindList, elem: &elem}, err
	case reflect.Float32, reflect.Float64:
		return shape{}, errors.New("is floating point, which loses digits: use an integer or a string")
	}
	return shape{}, fmt.Errorf("has the type %s, which is not supported: use a string, an integer, bool, time.Time, a struct, a list or json.RawMessage", t)
}

// versions lists the names that gateways have for a member.
func versions(name string) []string {
	if old := gateway.OldName(name); old != "" {
		return []string{name, old}
	}
	return []string{name}
}

// prepare fills in what follows from the fields.
func (p *Plan) prepare() {
	p.table = newNameTable(p.names, p.Fields)
	for i := range p.table.names {
		if n := &p.table.names[i]; n.isKnown && n.field > 0 {
			p.known |= n.known.set()
		}
	}
	for i := range p.Fields {
		if p.Fields[i].Rule.Proof {
			p.proofs = append(p.proofs, &p.Fields[i])
		}
		if p.Fields[i].Rule.Unlike != "" {
			p.unlikes = append(p.unlikes, &p.Fields[i])
		}
	}
}

// field finds the field for a member by any of its names, nil if there is none.
func (p *Plan) field(name []byte) *Field {
	if n := p.table.find(word(name, 0, len(name)), name); n != nil && n.field > 0 {
		return &p.Fields[n.field-1]
	}
	return nil
}

// bind looks up the fields of the members, unless that was done while they were read.
func (p *Plan) bind(m *members) {
	if m.bound == p {
		return
	}
	m.bound, m.textSize = p, 0
	for i := range m.entries {
		e := &m.entries[i]
		e.field = 0
		if n := p.table.find(e.word, m.nameOf(e)); n != nil {
			m.bindTo(e, n)
		}
	}
}

// bindTo notes whose value the member is.
func (m *members) bindTo(e *entry, n *tableName) {
	e.field = n.field
	if n.keepsText && e.kind == String {
		m.textSize += int(e.valueEnd-e.value) - len(`""`)
	}
}

// keepsText tells whether a message keeps the field's text: others are codes, which are kept once.
func (f *Field) keepsText() bool { return f.kind == kindString && f.codes == nil }

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

// fields finds the fields of one struct. It keeps the embedded struct in which it found the one before, because most structs have
// one: that takes 3 ns from each of its fields. A field is holder(f).Field(f.index): so it takes one call and not two.
type fields struct {
	of, embedded reflect.Value
	outer        int // which struct embedded is; negative if there is none yet
}

func fieldsOf(v reflect.Value) fields { return fields{of: v, outer: direct} }

// holder is the struct in which the field stands itself.
func (s *fields) holder(f *Field) reflect.Value {
	if f.outer == direct {
		return s.of
	}
	return s.embeddedWith(f)
}

func (s *fields) embeddedWith(f *Field) reflect.Value {
	if f.outer == deep {
		v := s.of
		for _, i := range f.path[:len(f.path)-1] {
			v = v.Field(i)
		}
		return v
	}
	if f.outer != s.outer {
		s.outer, s.embedded = f.outer, s.of.Field(f.outer)
	}
	return s.embedded
}

// isUnset tells whether a value is left out of a request.
func (s *shape) isUnset(v reflect.Value) bool {
	switch s.kind {
	case kindTime:
		_, set := s.secondsOf(v)
		return !set
	case kindList, kindString:
		return v.Len() == 0
	case kindInt:
		return v.Int() == 0
	case kindBool:
		return !v.Bool()
	case kindInterface:
		v = behind(v)
		return !v.IsValid() || v.IsZero()
	}
	return v.IsZero()
}

// behind is what stands in an interface, or behind the pointer in it; the zero Value if there is nothing.
func behind(v reflect.Value) reflect.Value {
	v = v.Elem()
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}

// held is the shape and the value of what stands in an interface.
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
		plan, err := PlanOf(t) // which is kept, unlike other shapes
		return &shape{kind: kindStruct, plan: plan}, v, err
	}
	s, err := shapeOf(t, nil)
	return &s, v, err
}

// secondsOf are the Unix seconds of a time, unless it is not set.
func (s *shape) secondsOf(v reflect.Value) (seconds int64, set bool) {
	if v.IsZero() { // which is quicker, but not so for a zero time in a zone
		return 0, false
	}
	t := s.timeOf(v)
	return t.Unix(), !t.IsZero()
}

func (s *shape) timeOf(v reflect.Value) time.Time {
	if s.wrapped {
		v = v.Field(0)
	}
	if v.CanAddr() {
		t, _ := v.Addr().Interface().(*time.Time) // which, unlike the time itself, takes no memory in an interface
		return *t
	}
	t, _ := v.Interface().(time.Time)
	return t
}
