package wire

import (
	"bytes"
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
	// Ambiguous says that the signature does not protect the member: other messages have the same one.
	Ambiguous bool
}

func (e *MemberError) Error() string {
	return "member " + e.Name + " " + e.Reason
}

// Decode fills the struct dst, of the plan's type, from the object's members. It ignores nulls, and members that the
// plan does not have. Times get the given zone.
func (p *Plan) Decode(o *Object, dst reflect.Value, zone *time.Location) error {
	d := decoder{zone: zone}
	p.bind(&o.members)
	// The texts of a larger message are separate, so one that is kept does not keep all the others in memory.
	if 0 < o.textSize && o.textSize <= 2048 {
		d.texts.Grow(o.textSize)
	}
	return d.object(p, &o.members, dst)
}

// decoder decodes one message.
type decoder struct {
	zone *time.Location
	// texts holds the strings of direct members in one allocation, which in a notice replaces ten.
	texts strings.Builder
	spare []*members // for nested objects
}

// text turns a text into a string.
func (d *decoder) text(b []byte) string {
	if len(b) > d.texts.Cap()-d.texts.Len() {
		return string(b)
	}
	start := d.texts.Len()
	d.texts.Write(b)
	return d.texts.String()[start:]
}

func (d *decoder) object(p *Plan, m *members, dst reflect.Value) error {
	for i := range m.entries {
		e := &m.entries[i]
		f := p.fieldOf(e)
		if f == nil || e.kind == Null {
			continue
		}
		if string(m.nameOf(e)) != f.Name && m.isGiven(f.Name) {
			return &MemberError{Name: f.Name, Reason: "is given under its new and its old name"}
		}
		if err := d.value(&f.shape, m.valueOf(e), f.of(dst)); err != nil {
			return memberError(f.Name, err)
		}
	}
	return nil
}

func memberError(name string, err error) error {
	var inner *MemberError
	if errors.As(err, &inner) {
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
	case kindInt, kindUint:
		n, err := v.Int()
		switch signed := s.kind == kindInt; {
		case err != nil:
			return err
		case signed && dst.OverflowInt(n), !signed && (n < 0 || dst.OverflowUint(uint64(n))):
			return errRange
		case signed:
			dst.SetInt(n)
		default:
			dst.SetUint(uint64(n)) //nolint:gosec // not negative
		}
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
		t, _ := dst.Addr().Interface().(*time.Time) // unlike a time, a pointer takes no memory in an interface
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
			return errReader // its own error may quote what it could not read
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
	i, more := next(v.Raw, 1)
	for ; more; i, more = next(v.Raw, i) {
		item := valueAt(v.Raw, i)
		i += len(item.Raw)
		if item.Kind == Null {
			continue // the gateway drops nulls before it signs the list
		}
		list = reflect.Append(list, reflect.Zero(dst.Type().Elem()))
		if err := d.value(elem, item, list.Index(list.Len()-1)); err != nil {
			return memberError(strconv.Itoa(list.Len()-1), err)
		}
	}
	dst.Set(list)
	return nil
}

// Int returns the value of an integer, which the gateway sends as a number or as a string of digits. It refuses
// fractions and exponents, even if the value is an integer.
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

// parseInt accepts the integers of JSON, in plain digits: no sign but a minus, no leading zero, no -0.
func parseInt(b []byte) (n int64, err error) {
	digits := bytes.TrimPrefix(b, []byte("-"))
	if len(digits) == 0 || digits[0] == '0' && len(b) > 1 {
		return 0, errInteger
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, errInteger
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) > 18 { // n may have overflowed
		if n, err = strconv.ParseInt(string(b), 10, 64); err != nil {
			return 0, errRange
		}
	} else if len(digits) < len(b) {
		n = -n
	}
	return n, nil
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

// maxSeconds is the last Unix second of ten digits, in 2286.
const maxSeconds = 9_999_999_999
