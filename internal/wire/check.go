package wire

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Fault says what is wrong with a field of a request.
type Fault struct {
	Field  string // Go name, such as BizOrderNo or Receivers[1].Amount
	Reason string // continues the field's name: "must …"
}

// Check finds everything that keeps the struct v, of the plan's type, from being sent. Answer is the plan of what comes back,
// later those of the messages in which its texts may come back; allowText lets texts pass that could be cut into a member of
// those.
func (p *Plan) Check(v reflect.Value, answer *Plan, later []*Plan, allowText bool) []Fault {
	c := checker{allowText: allowText, names: cutNames{plan: p, answer: answer, later: later}}
	c.object(p, v, "")
	return c.faults
}

type checker struct {
	allowText bool
	names     cutNames
	listed    bool // within a list
	depth     int
	faults    []Fault
}

func (c *checker) add(field, format string, args ...any) {
	c.faults = append(c.faults, Fault{Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (c *checker) object(p *Plan, v reflect.Value, prefix string) {
	var oneOf []string
	given := false
	for i := range p.Fields {
		f := &p.Fields[i]
		value, unset := f.of(v), f.isUnset(f.of(v))
		if f.Rule.OneOf {
			oneOf = append(oneOf, prefix+f.Go)
			given = given || !unset
		}
		switch {
		case !unset:
			c.value(prefix+f.Go, &f.shape, f.Rule, value)
		case f.Rule.Required:
			c.add(prefix+f.Go, "must be set")
		}
	}
	if len(oneOf) > 0 && !given {
		c.add(strings.Join(oneOf, ", "), "must not all be empty: set one of them")
	}
}

// item checks an element of a list.
func (c *checker) item(field string, s *shape, r Rule, v reflect.Value) {
	outer := c.listed
	c.listed = true
	c.value(field, s, r, v)
	c.listed = outer
}

func (c *checker) value(field string, s *shape, r Rule, v reflect.Value) {
	if c.depth == 2*MaxDepth { // interfaces can lead in a circle; one counts beside what it holds
		c.add(field[:strings.IndexAny(field+".", ".[")], "must not be nested deeper than %d levels", MaxDepth)
		return
	}
	c.depth++
	defer func() { c.depth-- }()
	switch s.kind {
	case kindString:
		c.string(field, r, v.String())
	case kindInt:
		if r.Min != 0 && v.Int() < r.Min {
			c.add(field, "must be at least %d", r.Min)
		}
	case kindTime:
		if t := s.timeOf(v).Unix(); t < minSeconds || t > maxSeconds {
			c.add(field, "must be between the years 2001 and 2286: the gateway takes ten digits of Unix seconds")
		}
	case kindInterface:
		dynamic, held, err := held(v)
		if err != nil {
			c.add(field, "cannot be sent: it %v", err)
			return
		}
		c.value(field, dynamic, r, held)
	case kindStruct:
		c.names.around = append(c.names.around, around{plan: s.plan})
		c.object(s.plan, v, field+".")
		c.names.around = c.names.around[:len(c.names.around)-1]
	case kindList:
		for i := range v.Len() {
			c.item(field+"["+strconv.Itoa(i)+"]", s.elem, r, v.Index(i))
		}
	case kindPointer:
		switch {
		case v.IsNil(): // an element of a list
		case s.elem.kind == kindList && v.Elem().Len() == 0:
			c.add(field, "must not be an empty list: leave it unset")
		default:
			c.value(field, s.elem, r, v.Elem())
		}
	case kindJSON:
		raw, err := marshalValue(v)
		switch {
		case err != nil:
			c.add(field, "must be valid JSON: %v", err)
		case holdsNUL(raw):
			c.add(field, "must not hold a NUL character")
		case bytes.Equal(raw, []byte("null")) || bytes.Equal(raw, []byte("[]")) || bytes.Equal(raw, []byte(`""`)):
			c.add(field, "must not be null or empty: leave it unset")
		}
	}
}

// minSeconds is the first second that has ten digits, in 2001.
const minSeconds = 1_000_000_000

// signedText is what is signed for a text.
func signedText(s string, nested bool) []byte {
	var e Encoder
	if nested {
		e.nestedString(s)
	} else {
		e.topString(s)
	}
	return e.text[:e.t]
}

// holdsNUL tells whether a string in a valid JSON value holds a NUL, which can only be there escaped.
func holdsNUL(raw []byte) bool {
	escape := []byte(`\u0000`)
	for {
		i := bytes.Index(raw, escape)
		if i < 0 {
			return false
		}
		backslashes := len(raw[:i+1]) - len(bytes.TrimRight(raw[:i+1], `\`))
		if backslashes%2 == 1 {
			return true
		}
		raw = raw[i+len(escape):]
	}
}

func (c *checker) string(field string, r Rule, s string) {
	nested := len(c.names.around) > 0 || c.listed
	switch {
	case s == "":
		// Only an element of a list or the target of a pointer: an empty member is not sent.
		c.add(field, "must not be an empty string: the gateway would take it for given")
		return
	case !utf8.ValidString(s):
		c.add(field, "must be valid UTF-8")
		return
	case strings.IndexByte(s, 0) >= 0:
		c.add(field, "must not hold a NUL character")
		return
	}
	if n := units(s); r.Max > 0 && n > r.Max {
		c.add(field, "must have at most %d characters, not %d", r.Max, n)
	}
	switch {
	case r.IP:
		if a, err := netip.ParseAddr(s); err != nil || a.Zone() != "" {
			c.add(field, "must be an IPv4 or IPv6 address")
		}
	case r.Opaque:
	case r.Text:
		if !c.allowText && c.names.cut(signedText(s, nested), nested) {
			c.add(field, "must not hold the start of another member, such as &code=: whoever sees the signed message could make another one of it")
		}
	case !isCode([]byte(s), nested) && nested:
		c.add(field, `must not hold control characters, "&", quotes, backslashes, commas, braces or brackets: the signature does not protect them`)
	case !isCode([]byte(s), nested):
		c.add(field, `must not hold control characters, "&", quotes or backslashes: the signature does not protect them`)
	case strings.TrimSpace(s) != s:
		c.add(field, "must not start or end with white space")
	}
}

// units counts characters as the gateway does, in UTF-16: an emoji is two.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}
