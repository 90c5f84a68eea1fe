package wire

import (
	"bytes"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

// Fault says what is wrong with a field of a request.
type Fault struct {
	Field  string // its Go name, such as BizOrderNo or Receivers[1].Amount
	Reason string // follows the name in a sentence: "must …"
}

// Check finds everything that keeps the struct v, of the plan's type, from being sent in the layout. Answer is the plan
// of the answer, and later are those of other messages in which the texts of v may come back. If allowText is set,
// texts pass that could be cut into a member of one of these messages.
func (p *Plan) Check(l *Layout, v reflect.Value, answer *Plan, later []*Plan, allowText bool) []Fault {
	c := checker{layout: l, allowText: allowText, names: cutNames{plan: p, answer: answer, later: later}}
	c.object(p, v, "")
	return c.faults
}

// Unfit finds what keeps v, which passed Check in the layout of 2.0.8, from being sent in that of an older version.
func (p *Plan) Unfit(l *Layout, v reflect.Value, answer *Plan, later []*Plan, allowText bool) []Fault {
	c := checker{layout: l, allowText: allowText, names: cutNames{plan: p, answer: answer, later: later}}
	for _, i := range l.narrower {
		if value := p.Fields[i].of(v); !p.Fields[i].isUnset(value) {
			c.member(&p.Fields[i], l.fields[i], value)
		}
	}
	return c.faults
}

type checker struct {
	layout    *Layout
	allowText bool
	names     cutNames
	listed    bool // inside a list
	depth     int
	faults    []Fault
}

func (c *checker) add(field, format string, args ...any) {
	c.faults = append(c.faults, Fault{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// outermost reports whether the members of the message itself are being checked.
func (c *checker) outermost() bool { return len(c.names.around) == 0 && !c.listed }

func (c *checker) object(p *Plan, v reflect.Value, prefix string) {
	var oneOf []string
	given := false
	for i := range p.Fields {
		f := &p.Fields[i]
		value, unset := f.of(v), f.isUnset(f.of(v))
		var how fit
		if c.outermost() {
			how = c.layout.fields[i]
		}
		if f.Rule.OneOf && !how.absent {
			oneOf = append(oneOf, prefix+f.Go)
			given = given || !unset
		}
		switch {
		case unset && f.Rule.Required && !how.absent:
			c.add(prefix+f.Go, "must be set")
		case unset:
		case c.outermost():
			c.member(f, how, value)
		default:
			c.value(prefix+f.Go, &f.shape, f.Rule, value)
		}
	}
	if len(oneOf) > 0 && !given {
		c.add(strings.Join(oneOf, ", "), "must not all be empty: set one of them")
	}
}

// member checks a member of the message that is set.
func (c *checker) member(f *Field, how fit, v reflect.Value) {
	switch {
	case how.absent:
		c.add(f.Go, "does not exist in gateway %v, only in %s: "+
			"leave it unset, or set Config.Gateway to the version that the gateway is",
			c.layout.version, gateway.Knowing(c.layout.path, f.Name))
	case how.object:
		r := f.Rule
		r.Object = true
		if text := []byte(v.String()); CheckValue(text) != nil {
			c.add(f.Go, "must be one JSON object: gateway %v takes no other text there", c.layout.version)
		} else {
			c.json(f.Go, r, text)
		}
	default:
		c.value(f.Go, &f.shape, f.Rule, v)
	}
}

func (c *checker) value(field string, s *shape, r Rule, v reflect.Value) {
	if c.depth == 2*MaxDepth { // interfaces can lead in a circle; each counts, and so does what it holds
		c.add(field[:strings.IndexAny(field+".", ".[")], "must not be nested deeper than %d levels", MaxDepth)
		return
	}
	c.depth++
	defer func() { c.depth-- }()
	switch s.kind {
	case kindString:
		c.string(field, r, v.String())
	case kindInt:
		c.integer(field, r, v.Int())
	case kindTime:
		if t := s.timeOf(v).Unix(); t < minSeconds || t > maxSeconds {
			c.add(field, "must be between the years 2001 and 2286: the gateway takes ten digits of Unix seconds; "+
				"a time in milliseconds needs time.UnixMilli")
		}
	case kindInterface:
		dynamic, held, err := held(v)
		if err != nil {
			c.add(field, "cannot be sent: it %v", err)
			return
		}
		c.value(field, dynamic, r, held)
		if dynamic.kind == kindStruct && r.Max > 0 {
			var e Encoder
			e.value(dynamic, held, deeper)
			c.length(field, r, jsonUnits(e.json))
		}
	case kindStruct:
		c.names.around = append(c.names.around, around{plan: s.plan})
		c.object(s.plan, v, field+".")
		c.names.around = c.names.around[:len(c.names.around)-1]
	case kindList:
		outer := c.listed
		c.listed = true
		for i := range v.Len() {
			c.value(field+"["+strconv.Itoa(i)+"]", s.elem, r, v.Index(i))
		}
		c.listed = outer
	case kindPointer:
		switch {
		case v.IsNil(): // an element of a list
			c.add(field, "must not be nil: the gateway drops it from the list")
		case s.elem.kind == kindList && v.Elem().Len() == 0:
			c.add(field, "must not be an empty list: leave it unset")
		default:
			c.value(field, s.elem, r, v.Elem())
		}
	case kindJSON:
		if raw, err := marshalValue(v); err != nil {
			c.add(field, "must be valid JSON: %v", err)
		} else {
			c.json(field, r, raw)
		}
	}
}

func (c *checker) integer(field string, r Rule, n int64) {
	if r.Min != 0 && n < r.Min {
		c.add(field, "must be at least %d", r.Min)
	}
	if r.Max != 0 && n > r.Max {
		c.add(field, "must be at most %d", r.Max)
	}
}

// json checks a value that is given as JSON.
func (c *checker) json(field string, r Rule, raw []byte) {
	switch {
	case r.Object && raw[skipSpace(raw, 0)] != '{':
		c.add(field, "must be one JSON object")
		return
	case bytes.Equal(raw, []byte("null")) || bytes.Equal(raw, []byte("[]")) || bytes.Equal(raw, []byte(`""`)):
		c.add(field, "must not be null or empty: leave it unset")
		return
	}
	c.length(field, r, jsonUnits(raw))
	s := screener{sending: true, allowText: c.allowText || r.Opaque, names: c.names}
	if reason := s.any(raw, c.outermost()); reason != "" {
		c.add(field, "%s", reason)
	}
}

// length checks how many characters a value has.
func (c *checker) length(field string, r Rule, n int) {
	switch limit := c.layout.limit(r.Max); {
	case limit == 0 || int64(n) <= limit:
	case c.layout.columned:
		const reason = "must have at most %d characters, not %d: gateway %v cannot store more"
		c.add(field, reason, limit, n, c.layout.version)
	default:
		c.add(field, "must have at most %d characters, not %d", limit, n)
	}
}

const minSeconds = 1_000_000_000 // the first Unix second of ten digits, in 2001

func (c *checker) string(field string, r Rule, s string) {
	nested := !c.outermost()
	if r.Listed && !nested {
		nested = true
		c.names.around = append(c.names.around, around{any: true})
		defer func() { c.names.around = c.names.around[:len(c.names.around)-1] }()
	}
	switch {
	case s == "":
		// This is an element of a list or the target of a pointer: an empty member is not sent.
		c.add(field, "must not be an empty string: the gateway would take it for given")
		return
	case !utf8.ValidString(s):
		c.add(field, "must be valid UTF-8")
		return
	case strings.IndexByte(s, 0) >= 0:
		c.add(field, "must not hold a NUL character")
		return
	}
	// To the gateway, a text of only spaces and control characters is blank.
	if r.Required && strings.IndexFunc(s, func(r rune) bool { return r > ' ' }) < 0 {
		c.add(field, "must not be blank")
		return
	}
	c.length(field, r, units(s))
	switch {
	case r.IP:
		if !isAddress(s) {
			c.add(field, "must be an IPv4 or IPv6 address")
		}
	case r.URL:
		if !isURL(s) {
			c.add(field, "must be an absolute URL, such as https://shop.example.com/notify")
		}
	case r.Opaque:
	case r.Text:
		if !c.allowText && c.names.cut(appendSigned(nil, []byte(s), nested), nested) {
			c.add(field, "must not hold the start of another member, such as &code=: "+
				"a reader of the signed message could make another one of it")
		}
	case !isCode([]byte(s), nested):
		others := " or backslashes"
		if nested {
			others = ", backslashes, commas, braces or brackets"
		}
		c.add(field, `must not hold control characters, "&", quotes%s: the signature does not protect them`, others)
	case strings.TrimSpace(s) != s:
		c.add(field, "must not start or end with white space")
	}
}

// isURL reports whether a text is a URL that the gateway can post to.
func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		!strings.ContainsAny(s, " \t\r\n")
}

// isAddress reports whether a text is an IP address in a form that the gateway accepts. Of those that end in an IPv4
// address, these are fewer than in package netip.
func isAddress(s string) bool {
	if a, err := netip.ParseAddr(s); err != nil || a.Zone() != "" {
		return false
	}
	colon := strings.LastIndexByte(s, ':')
	return colon < 0 || strings.IndexByte(s, '.') < 0 || ipv4Tail.MatchString(s[:colon+1])
}

// ipv4Tail matches what may stand before an IPv4 address that ends an IPv6 address.
var ipv4Tail = regexp.MustCompile(`^(::(ffff:(0{1,4}:)?)?|([0-9a-fA-F]{1,4}:){1,4}:)$`)

// units counts characters as the gateway does, in UTF-16: an emoji counts as two.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// jsonUnits counts the characters of the JSON that the gateway stores for raw, which must be valid.
func jsonUnits(raw []byte) int {
	n := 0
	for i := 0; i < len(raw); {
		switch {
		case raw[i] == '"':
			text := valueAt(raw, i)
			n += quotedUnits(string(text.Text()))
			i += len(text.Raw)
		case classes[raw[i]]&space != 0:
			i++
		default:
			n++
			i++
		}
	}
	return n
}

// quotedUnits counts the characters of a string in the gateway's JSON.
func quotedUnits(s string) int {
	n := len(`""`) + units(s)
	for _, r := range s {
		switch {
		case r == '"', r == '\\', r == '\b', r == '\f', r == '\n', r == '\r', r == '\t':
			n++
		case gatewayEscapes(r):
			n += len(`u0000`)
		}
	}
	return n
}
