package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// MemberError says which member of a message is not what it should be.
type MemberError struct {
	Name   string // as in gateway 2.0.8
	Reason string
	// Ambiguous tells that the signature does not protect the member: other messages would have the same.
	Ambiguous bool
}

func (e *MemberError) Error() string {
	return "member " + e.Name + " " + e.Reason
}

// Decode fills the struct dst, of the plan's type, from the object's members. Nulls leave a field as it is, members that the
// plan does not have are passed over. Times get the given zone.
func (p *Plan) Decode(o *Object, dst reflect.Value, zone *time.Location) error {
	d := decoder{zone: zone}
	p.bind(&o.members)
	d.reserve(o.textSize)
	return d.object(p, &o.members, dst)
}

// decoder decodes one message.
type decoder struct {
	zone *time.Location
	// texts holds the strings of the message's own members, which so take their memory at once: for a notice,
	// one allocation instead of ten.
	texts strings.Builder
	spare []*members // for nested objects
}

// reserve makes room for the texts. A message that has many keeps them one by one, so that none keeps all the others in memory.
func (d *decoder) reserve(size int) {
	const most = 2048
	if 0 < size && size <= most {
		d.texts.Grow(size)
	}
}

// text makes a string of a text.
func (d *decoder) text(b []byte) string {
	if len(b) > d.texts.Cap()-d.texts.Len() {
		return string(b)
	}
	start := d.texts.Len()
	d.texts.Write(b)
	return d.texts.String()[start:]
}

func (d *decoder) object(p *Plan, m *members, dst reflect.Value) error {
	fields := fieldsOf(dst)
	for i := range m.entries {
		e := &m.entries[i]
		f := p.fieldOf(e)
		if f == nil || e.kind == Null {
			continue
		}
		if f.renamed && string(m.nameOf(e)) != f.Name && m.gives(f.Name) {
			return &MemberError{Name: f.Name, Reason: "is given under its new and its old name"}
		}
		v, field := m.valueOf(e), fields.holder(f).Field(f.index)
		switch {
		case f.kind != kindString || v.Kind != String:
			if err := d.value(&f.shape, v, field); err != nil {
				return memberError(f.Name, err)
			}
		case f.codes != nil:
			field.SetString(f.codes.text(v.Text()))
		default:
			field.SetString(d.text(v.Text()))
		}
	}
	return nil
}

func (m *members) gives(name string) bool {
	e := m.find(name)
	return e != nil && e.kind != Null
}

func memberError(name string, err error) error {
	if inner := (*MemberError)(nil); errors.As(err, &inner) {
		return &MemberError{Name: name + "." + inner.Name, Reason: inner.Reason, Ambiguous: inner.Ambiguous}
	}
	return &MemberError{Name: name, Reason: err.Error()}
}

var (
	errString   = errors.New("must be a string")
	errInteger  = errors.New("must be an integer, as a number or as a string of digits")
	errRange    = errors.New("is out of range")
	errBool     = errors.New("must be true or false")
	errTime     = errors.New("must be a time: Unix seconds or yyyy-MM-dd HH:mm:ss")
	errObject   = errors.New("must be an object")
	errList     = errors.New("must be a list")
	errReader   = errors.New("cannot be read by the UnmarshalJSON of its type")
	errNoReader = errors.New("cannot be received: its type has no UnmarshalJSON")
	errSendOnly = errors.New("cannot be received: its type is an interface")
)

func (d *decoder) value(s *shape, v Value, dst reflect.Value) error {
	switch s.kind {
	case kindString:
		if v.Kind != String {
			return errString
		}
		dst.SetString(d.text(v.Text()))
	case kindInt:
		n, err := v.Int()
		if err != nil {
			return err
		}
		if dst.OverflowInt(n) {
			return errRange
		}
		dst.SetInt(n)
	case kindUint:
		n, err := v.Int()
		if err != nil {
			return err
		}
		if n < 0 || dst.OverflowUint(uint64(n)) {
			return errRange
		}
		dst.SetUint(uint64(n))
	case kindBool:
		if v.Kind != Bool {
			return errBool
		}
		dst.SetBool(v.Raw[0] == 't')
	case kindTime:
		when, err := v.time(d.zone)
		if err != nil {
			return err
		}
		if s.wrapped {
			dst = dst.Field(0)
		}
		t, _ := dst.Addr().Interface().(*time.Time) // which, unlike the time itself, takes no memory in an interface
		*t = when
	case kindPointer:
		dst.Set(reflect.New(dst.Type().Elem()))
		return d.value(s.elem, v, dst.Elem())
	case kindInterface:
		return errSendOnly
	case kindStruct:
		if v.Kind != Dict {
			return errObject
		}
		return d.nested(s.plan, v.Raw, dst)
	case kindList:
		return d.list(s.elem, v, dst)
	case kindJSON:
		reader, ok := dst.Addr().Interface().(json.Unmarshaler)
		if !ok {
			return errNoReader
		}
		if reader.UnmarshalJSON(v.Raw) != nil {
			return errReader // its own text may hold what it could not read
		}
	}
	return nil
}

// nested decodes an object inside the message.
func (d *decoder) nested(p *Plan, raw []byte, dst reflect.Value) error {
	m := new(members)
	if last := len(d.spare) - 1; last >= 0 {
		m, d.spare = d.spare[last], d.spare[:last]
	}
	m.collect(raw, 0)
	p.bind(m)
	err := d.object(p, m, dst)
	d.spare = append(d.spare, m)
	return err
}

func (d *decoder) list(elem *shape, v Value, dst reflect.Value) error {
	if v.Kind != List {
		return errList
	}
	list := reflect.MakeSlice(dst.Type(), 0, 0)
	for item, i := itemAt(v.Raw, 1); i > 0; item, i = itemAt(v.Raw, i) {
		if item.Kind == Null {
			continue // the gateway drops it before it signs the list
		}
		list = reflect.Append(list, reflect.Zero(dst.Type().Elem()))
		if err := d.value(elem, item, list.Index(list.Len()-1)); err != nil {
			return memberError(strconv.Itoa(list.Len()-1), err)
		}
	}
	dst.Set(list)
	return nil
}

// Int reads an integer, which the gateway sends as a number or as a string of digits. A fraction or an exponent is no
// integer, even where its value is.
func (v Value) Int() (int64, error) {
	digits := v.Raw
	switch v.Kind {
	case Number:
	case String:
		digits = v.Text()
	default:
		return 0, errInteger
	}
	return parseInt(digits)
}

// parseInt accepts what JSON accepts as an integer, in plain digits: no sign but a minus, no leading zero, no -0.
func parseInt(b []byte) (int64, error) {
	negative := len(b) > 1 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || b[0] == '0' && (negative || len(b) > 1) {
		return 0, errInteger
	}
	const most = 18 // digits that cannot overflow
	var n int64
	rest := b
	for ; len(rest) >= 8; rest = rest[8:] {
		w := binary.LittleEndian.Uint64(rest)
		if noDigit(w) != 0 {
			return 0, errInteger
		}
		n = n*1e8 + eightDigits(w)
	}
	for _, c := range rest {
		if c < '0' || c > '9' {
			return 0, errInteger
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	if len(b) <= most {
		return n, nil
	}
	digits := string(b)
	if negative {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, errRange
	}
	return n, nil
}

// eightDigits is the number that eight digits spell: neighbours are joined to numbers of two, four and eight digits. Ten digits take 6 ns,
// with strconv 22.
func eightDigits(w uint64) int64 {
	w = (w & (ones * 0x0F)) * (10<<8 + 1) >> 8
	w = (w & 0x00FF00FF00FF00FF) * (100<<16 + 1) >> 16
	return int64((w & 0x0000FFFF0000FFFF) * (10_000<<32 + 1) >> 32)
}

func (v Value) time(zone *time.Location) (time.Time, error) {
	if v.Kind == String {
		if when, ok := ParseTime(v.Text(), zone); ok {
			return when, nil
		}
	}
	seconds, err := v.Int()
	if err != nil || seconds < 0 || seconds > maxSeconds {
		return time.Time{}, errTime
	}
	return time.Unix(seconds, 0).In(zone), nil
}

// maxSeconds is the last second that has ten digits, in 2286.
const maxSeconds = 9_999_999_999

// Missing lists the members that prove success and have no value in the struct v.
func (p *Plan) Missing(v reflect.Value) []string {
	var names []string
	for _, f := range p.proofs {
		if f.isUnset(f.of(v)) {
			names = append(names, f.Name)
		}
	}
	return names
}

// Repeated returns the member of the answer v that only repeats what the request asked, of another plan, has elsewhere, "" if
// there is none.
func (p *Plan) Repeated(v reflect.Value, request *Plan, asked reflect.Value) string {
	for _, f := range p.unlikes {
		if other := request.field([]byte(f.Rule.Unlike)); other != nil && other.kind == kindString && f.of(v).String() == other.of(asked).String() {
			return f.Name
		}
	}
	return ""
}

// Foreign returns the number in an answer that tells that it is about something else than what a call of this plan asks for, and
// answer has; "" if there is none. A call that names no order can be answered by anything.
func (p *Plan) Foreign(answer *Plan, o *Object) string {
	if len(p.echoes) == 0 {
		return ""
	}
	if foreign := o.known.given & numberNames &^ answer.known &^ p.known; foreign != 0 {
		return foreign.first()
	}
	return ""
}

// Echo compares the numbers that were asked for, those set in the struct asked of the plan's type, with the ones that the
// answer names. It returns the name of the first that differs.
func (p *Plan) Echo(asked reflect.Value, answer *Object) (string, bool) {
	for _, echo := range p.echoes {
		if echo.known != 0 && !answer.HasAny(echo.known) {
			continue
		}
		f := &p.Fields[echo.field]
		want := f.of(asked).String()
		if want == "" {
			continue
		}
		got, ok := answer.Get(echo.name)
		if !ok || got.Kind == Null {
			continue
		}
		if got.Kind != String || string(got.Text()) != want {
			return f.Name, false
		}
	}
	return "", true
}
