package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
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
	return p.decode(o.Members, dst, zone)
}

func (p *Plan) decode(members []Member, dst reflect.Value, zone *time.Location) error {
	for i := range members {
		m := &members[i]
		f := p.field(m.Name)
		if f == nil || m.Value.Kind == Null {
			continue
		}
		if string(m.Name) != f.Name && given(members, f.Name) {
			return &MemberError{Name: f.Name, Reason: "is given under its new and its old name"}
		}
		if err := decodeValue(&f.shape, m.Value, f.of(dst), zone); err != nil {
			return memberError(f.Name, err)
		}
	}
	return nil
}

func given(members []Member, name string) bool {
	i := indexOf(members, []byte(name))
	return i >= 0 && members[i].Value.Kind != Null
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
	errNullText = errors.New("must not be null: it has the same signature as the text null")
)

func decodeValue(s *shape, v Value, dst reflect.Value, zone *time.Location) error {
	switch s.kind {
	case kindString:
		if v.Kind != String {
			return errString
		}
		dst.SetString(string(v.Text()))
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
		when, err := v.time(zone)
		if err != nil {
			return err
		}
		if dst.Type() != timeType {
			dst = dst.Field(0)
		}
		dst.Set(reflect.ValueOf(when))
	case kindPointer:
		dst.Set(reflect.New(dst.Type().Elem()))
		return decodeValue(s.elem, v, dst.Elem(), zone)
	case kindInterface:
		return errSendOnly
	case kindStruct:
		if v.Kind != Dict {
			return errObject
		}
		var members []Member
		for m, i := memberAt(v.Raw, 1); i > 0; m, i = memberAt(v.Raw, i) {
			members = append(members, m)
		}
		return s.plan.decode(members, dst, zone)
	case kindList:
		return decodeList(s.elem, v, dst, zone)
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

func decodeList(elem *shape, v Value, dst reflect.Value, zone *time.Location) error {
	if v.Kind != List {
		return errList
	}
	list := reflect.MakeSlice(dst.Type(), 0, 0)
	for item, i := itemAt(v.Raw, 1); i > 0; item, i = itemAt(v.Raw, i) {
		list = reflect.Append(list, reflect.Zero(dst.Type().Elem()))
		if item.Kind == Null {
			if elem.kind == kindString {
				return memberError(strconv.Itoa(list.Len()-1), errNullText)
			}
			continue
		}
		if err := decodeValue(elem, item, list.Index(list.Len()-1), zone); err != nil {
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
	if !isInteger(digits) {
		return 0, errInteger
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return 0, errRange
	}
	return n, nil
}

// isInteger accepts what JSON accepts as an integer: no sign but a minus, no leading zero.
func isInteger(b []byte) bool {
	if len(b) > 1 && b[0] == '-' {
		b = b[1:]
		if b[0] == '0' {
			return false
		}
	}
	if len(b) == 0 || len(b) > 1 && b[0] == '0' {
		return false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
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
	for i := range p.Fields {
		if f := &p.Fields[i]; f.Rule.Proof && f.of(v).IsZero() {
			names = append(names, f.Name)
		}
	}
	return names
}

// Repeated returns the member of the answer v that only repeats what the request asked, of another plan, has elsewhere, "" if
// there is none.
func (p *Plan) Repeated(v reflect.Value, request *Plan, asked reflect.Value) string {
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Rule.Unlike == "" {
			continue
		}
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
	for i := range o.Members {
		m := &o.Members[i]
		if m.Value.Kind != Null && gateway.TellsKind(string(m.Name)) && p.field(m.Name) == nil && answer.field(m.Name) == nil {
			return string(m.Name)
		}
	}
	return ""
}

// Echo compares the numbers that were asked for, those set in the struct asked of the plan's type, with the ones that the
// answer names. It returns the name of the first that differs.
func (p *Plan) Echo(asked reflect.Value, answer *Object) (string, bool) {
	for i := range answer.Members {
		m := &answer.Members[i]
		asks, ok := p.echoes[string(m.Name)]
		if !ok || m.Value.Kind == Null {
			continue
		}
		f := &p.Fields[asks]
		want := f.of(asked).String()
		if want != "" && (m.Value.Kind != String || string(m.Value.Text()) != want) {
			return f.Name, false
		}
	}
	return "", true
}
