package daxpaytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/daxpay-go/daxpay/internal/peer"
)

// kind is the type of a member of a request.
type kind int

const (
	text    kind = iota
	integer      // 32 bits
	boolean
	seconds    // a time
	properties // an object with any members
	receivers  // a list of receivers and amounts
)

// rule is when a member counts as missing.
type rule int

const (
	optional rule = iota
	notNull
	notEmpty
	notBlank
)

// field is a member of a request that a call knows, with the gateway's texts for wrong values.
type field struct {
	name     string
	kind     kind
	rule     rule
	missing  string
	max      int // characters, or members of an object; 0 for no limit
	tooLong  string
	tooSmall string // an integer must be at least 1
	ip       bool
}

// limited returns an optional text of at most so many characters.
func limited(name string, most int, tooLong string) field {
	return field{name: name, max: most, tooLong: tooLong}
}

// unlimited returns an optional text of any length.
func unlimited(name string) field { return field{name: name} }

// required returns f as a member that must not be blank.
func (f field) required(missing string) field { return f.must(notBlank, missing) }

func (f field) must(r rule, missing string) field {
	f.rule, f.missing = r, missing
	return f
}

// amount returns the member amount, an integer of at least 1. It is optional if missing is empty.
func amount(missing, tooSmall string) field {
	f := field{name: "amount", kind: integer, tooSmall: tooSmall}
	if missing != "" {
		f.rule, f.missing = notNull, missing
	}
	return f
}

// params are the members of a request that a call knows, converted to their types. Members that are null or absent are
// not in fields.
type params struct {
	fields map[string]any
	sign   string
	base   string // scheme and host by which the gateway was called
}

func (p params) text(name string) *string {
	if s, ok := p.fields[name].(string); ok {
		return &s
	}
	return nil
}

// known returns a text, "" if there is none. Validation has ensured that required texts are there.
func (p params) known(name string) string {
	s, _ := p.fields[name].(string)
	return s
}

func (p params) number(name string) *int64 {
	if n, ok := p.fields[name].(int64); ok {
		return &n
	}
	return nil
}

func (p params) mayAllocate() bool {
	b, _ := p.fields["allocation"].(bool)
	return b
}

func (p params) properties(name string) object {
	o, _ := p.fields[name].(object)
	return o
}

// wanted is a receiver and its amount in a request for an allocation.
type wanted struct {
	receiverNo *string
	amount     *int64
}

func (p params) receivers(name string) []*wanted {
	l, _ := p.fields[name].([]*wanted)
	return l
}

// decode reads the members of a body that a call knows, and ignores the others. It converts types as the gateway's JSON
// library does. If a member occurs twice, the last one counts.
func (c *call) decode(body []byte) (params, error) {
	p := params{fields: make(map[string]any, len(c.fields))}
	kindOf := func(name string) (kind, bool) {
		for i := range c.fields {
			if c.fields[i].name == name {
				return c.fields[i].kind, true
			}
		}
		return text, false
	}
	r := &reader{data: body, class: c.param, known: kindOf}
	r.take = func(m member) error {
		k, _ := kindOf(m.name)
		v, err := c.convert(k, m.value, m.name)
		if v == nil {
			delete(p.fields, m.name)
		} else {
			p.fields[m.name] = v
		}
		return err
	}
	there, err := r.body()
	var wrong *unreadable
	switch {
	case errors.As(err, &wrong):
		return p, fault(codeUnreadable, r.message(wrong))
	case !there:
		return p, fault(codeUnreadable, "Required request body is missing: public "+c.method)
	}
	p.sign = p.known("sign")
	return p, nil
}

// convert converts a value to a kind; null becomes nil.
func (c *call) convert(k kind, v value, name string) (any, error) {
	converted, err := c.converted(k, v)
	var wrong *unreadable
	if errors.As(err, &wrong) {
		wrong.chain = fmt.Sprintf("%s[%q]%s", c.param, name, wrong.chain)
	}
	return converted, err
}

func (c *call) converted(k kind, v value) (any, error) {
	if v.any == nil {
		return nil, nil //nolint:nilnil // null
	}
	switch k {
	case integer:
		return toInteger(v)
	case boolean:
		return toBoolean(v)
	case seconds:
		return toSeconds(v)
	case properties:
		return toProperties(v)
	case receivers:
		return c.toReceivers(v)
	}
	return toText(v)
}

func mismatch(v value, class string) error {
	return &unreadable{fmt.Sprintf("Cannot deserialize value of type `%s` from %s", class, tokenOf(v.any)),
		mismatchException, v.at, ""}
}

func misformed(v value, class, why string) error {
	return &unreadable{fmt.Sprintf("Cannot deserialize value of type `%s` from String \"%s\": %s", class, v.any, why),
		formatException, v.at, ""}
}

func toText(v value) (any, error) {
	switch x := v.any.(type) {
	case string:
		return x, nil
	case json.Number:
		return x.String(), nil
	case bool:
		return strconv.FormatBool(x), nil
	}
	return nil, mismatch(v, "java.lang.String")
}

func toInteger(v value) (any, error) {
	const class = "java.lang.Integer"
	switch x := v.any.(type) {
	case json.Number:
		exact, ok := new(big.Rat).SetString(shortened(x))
		whole := new(big.Int)
		if ok {
			whole.Quo(exact.Num(), exact.Denom())
		}
		n := whole.Int64()
		if !ok || !whole.IsInt64() || n != int64(int32(n)) { //nolint:gosec // it is what is tested
			text := fmt.Sprintf("Numeric value (%s) out of range of int (-2147483648 - 2147483647)", x)
			return nil, &unreadable{text, mappingException, v.at + len(x), ""}
		}
		return n, nil
	case string:
		trimmed := javaTrim(x)
		if trimmed == "" || trimmed == "null" {
			return nil, nil //nolint:nilnil // that is null
		}
		n, err := strconv.ParseInt(trimmed, 10, 64)
		if err != nil {
			return nil, misformed(v, class, "not a valid `java.lang.Integer` value")
		}
		if n != int64(int32(n)) { //nolint:gosec // it is what is tested
			return nil, misformed(v, class,
				fmt.Sprintf("Overflow: numeric value (%s) out of range of Integer (-2147483648 -2147483647)", trimmed))
		}
		return n, nil
	}
	return nil, mismatch(v, class)
}

// shortened returns the text of a number. If the exponent is huge, which would make thousands of digits, it returns ""
// or, for a negative exponent, "0".
func shortened(n json.Number) string {
	if _, exponent, ok := strings.Cut(strings.ToLower(n.String()), "e"); ok {
		if e, err := strconv.Atoi(exponent); err != nil || e > 400 || e < -400 {
			if err == nil && e < 0 {
				return "0"
			}
			return ""
		}
	}
	return n.String()
}

func toBoolean(v value) (any, error) {
	const class = "java.lang.Boolean"
	switch x := v.any.(type) {
	case bool:
		return x, nil
	case json.Number:
		if !strings.ContainsAny(x.String(), ".eE") {
			return strings.Trim(x.String(), "-0") != "", nil
		}
	case string:
		switch trimmed := javaTrim(x); trimmed {
		case "true", "True", "TRUE":
			return true, nil
		case "false", "False", "FALSE":
			return false, nil
		case "", "null":
			return nil, nil //nolint:nilnil // that is null
		}
		return nil, misformed(v, class, `only "true" or "false" recognized`)
	}
	return nil, mismatch(v, class)
}

func toSeconds(v value) (any, error) {
	s, err := toText(v)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // an object or a list counts as null
	}
	trimmed, _ := s.(string)
	if isBlank(trimmed) {
		return nil, nil //nolint:nilnil // that is null
	}
	n, err := strconv.ParseInt(trimmed, 10, 64)
	if err != nil {
		return nil, &unreadable{fmt.Sprintf("For input string: \"%s\"", trimmed), mappingException, nowhere, ""}
	}
	return n, nil
}

func toProperties(v value) (any, error) {
	members, ok := v.any.([]member)
	if !ok {
		class := "java.util.LinkedHashMap"
		if _, list := v.any.([]value); list {
			class = "java.util.LinkedHashMap<java.lang.String,java.lang.Object>"
		}
		e := noInstance(class, v)
		return nil, e
	}
	return withoutDuplicates(members), nil
}

// withoutDuplicates returns an object of the members. If a name occurs twice, the last value counts.
func withoutDuplicates(members []member) object {
	o := make(object, 0, len(members))
	for _, m := range members {
		v := plainValue(m.any)
		if i := slices.IndexFunc(o, func(p pair) bool { return p.Name == m.name }); i >= 0 {
			o[i].Value = v
		} else {
			o = append(o, pair{m.name, v})
		}
	}
	return o
}

func plainValue(v any) any {
	switch v := v.(type) {
	case []member:
		return withoutDuplicates(v)
	case []value:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = plainValue(item.any)
		}
		return list
	}
	return v
}

func (c *call) toReceivers(v value) (any, error) {
	class := strings.TrimSuffix(c.param, "AllocationParam") + "AllocReceiverParam"
	items, ok := v.any.([]value)
	if !ok {
		return nil, mismatch(v, "java.util.ArrayList<"+class+">")
	}
	list := make([]*wanted, len(items))
	for i, item := range items {
		inside := fmt.Sprintf("->java.util.ArrayList[%d]", i)
		members, ok := item.any.([]member)
		if item.any == nil {
			continue
		}
		if !ok {
			e := noInstance(class, item)
			e.chain = inside
			return nil, e
		}
		list[i] = &wanted{}
		for _, m := range members {
			if err := list[i].take(c, m); err != nil {
				var wrong *unreadable
				if errors.As(err, &wrong) {
					wrong.chain = fmt.Sprintf("%s->%s[%q]", inside, class, m.name)
				}
				return nil, err
			}
		}
	}
	return list, nil
}

// take sets the receiver number or the amount from a member.
func (w *wanted) take(c *call, m member) error {
	switch m.name {
	case "receiverNo":
		v, err := c.converted(text, m.value)
		w.receiverNo = nil
		if s, ok := v.(string); ok {
			w.receiverNo = &s
		}
		return err
	case "amount":
		v, err := c.converted(integer, m.value)
		w.amount = nil
		if n, ok := v.(int64); ok {
			w.amount = &n
		}
		return err
	}
	return nil
}

// validate returns the gateway's complaints about the members of a request as one error. Real gateways have them in no
// fixed order.
func (c *call) validate(p params) error {
	var complaints []string
	complain := func(wrong bool, complaint string) {
		if wrong {
			complaints = append(complaints, complaint)
		}
	}
	for _, f := range c.fields {
		v := p.fields[f.name]
		s, isText := v.(string)
		switch f.rule {
		case notNull:
			complain(v == nil, f.missing)
		case notEmpty:
			complain(v == nil || isText && s == "", f.missing)
		case notBlank:
			complain(v == nil || isText && strings.TrimSpace(s) == "", f.missing)
		}
		if isText {
			complain(f.max > 0 && lengthOf(s) > f.max, f.tooLong)
			complain(f.ip && !isBlank(s) && !isIP(s), textWrongIP)
		}
		if o, ok := v.(object); ok {
			complain(f.max > 0 && len(o) > f.max, f.tooLong)
		}
		if n, ok := v.(int64); ok {
			complain(f.tooSmall != "" && n < 1, f.tooSmall)
		}
		if list, ok := v.([]*wanted); ok {
			for _, w := range list {
				if w != nil {
					complaints = append(complaints, c.complaintsAbout(w)...)
				}
			}
		}
	}
	if len(complaints) == 0 {
		return nil
	}
	return fault(codeValidation, textValidation+strings.Join(complaints, "\n")+"\n")
}

func (c *call) complaintsAbout(w *wanted) (complaints []string) {
	number := w.receiverNo
	switch {
	case number == nil || javaTrim(*number) == "" && c.current || *number == "":
		complaints = append(complaints, "分账接收方编号必填")
	case lengthOf(*number) > 32 && c.current:
		complaints = append(complaints, "分账接收方编号不可超过32位")
	}
	switch {
	case w.amount == nil:
		complaints = append(complaints, "分账金额必填")
	case *w.amount < 1:
		complaints = append(complaints, "分账金额至少为0.01元")
	}
	return complaints
}

// lengthOf returns the length of a text as the gateway counts it, in units of UTF-16.
func lengthOf(s string) (n int) {
	for _, c := range s {
		n += utf16.RuneLen(c)
	}
	return n
}

// javaTrim returns a text without spaces and control characters at its ends, as String.trim does.
func javaTrim(s string) string { return strings.TrimFunc(s, func(c rune) bool { return c <= ' ' }) }

// isBlank reports whether a text has nothing but white space of any kind.
func isBlank(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool {
		return !unicode.IsSpace(c) && c != '\ufeff' && c != '\u202a' && c != 0
	}) < 0
}

var ipv4Form = regexp.MustCompile(`^(25[0-5]|2[0-4]\d|[01]?\d?\d)(\.(25[0-5]|2[0-4]\d|[01]?\d?\d)){3}$`)

// isIP reports whether the gateway accepts a text as an IP address.
func isIP(s string) bool {
	if ipv4Form.MatchString(s) {
		return true
	}
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && (a.Zone() == "" || strings.HasPrefix(strings.ToLower(s), "fe80:"))
}

// signedObject returns the object of a request that the gateway checks the signature of: the members that it knows,
// with the values that it has read.
func (c *call) signedObject(p params) object {
	o := make(object, 0, len(p.fields))
	for name, v := range p.fields {
		switch x := v.(type) {
		case int64:
			v = number(x)
		case object:
			v = signable(folded(x))
		case []*wanted:
			v = signableReceivers(x)
		}
		o = append(o, pair{name, v})
	}
	return o
}

func signableReceivers(list []*wanted) any {
	if len(list) == 0 {
		return nil
	}
	items := []any{}
	for _, w := range list {
		if w == nil {
			continue
		}
		o := object{}
		if w.amount != nil {
			o = append(o, pair{"amount", number(*w.amount)})
		}
		if w.receiverNo != nil {
			o = append(o, pair{"receiverNo", *w.receiverNo})
		}
		items = append(items, o)
	}
	if len(items) == 0 { // peer leaves out an empty list, but this one was not empty
		return "[]"
	}
	return items
}

// folded returns an object in which names that differ only in case are one member: the first name with the last value.
func folded(o object) object {
	var one object
	for _, p := range o {
		if i := slices.IndexFunc(one, func(q pair) bool { return strings.EqualFold(q.Name, p.Name) }); i >= 0 {
			one[i].Value = p.Value
		} else {
			one = append(one, p)
		}
	}
	if one == nil {
		return object{}
	}
	return one
}

// signable returns a value inside an object without its nulls, and with numbers as the gateway prints them.
func signable(v any) any {
	switch v := v.(type) {
	case object:
		kept := object{}
		for _, p := range v {
			if p.Value != nil {
				kept = append(kept, pair{p.Name, signable(p.Value)})
			}
		}
		return kept
	case []any:
		kept := []any{}
		for _, item := range v {
			if item != nil {
				kept = append(kept, signable(item))
			}
		}
		return kept
	case json.Number:
		return javaNumber(v)
	}
	return v
}

// javaNumber returns a number as the gateway prints it: an integer as a json.Number, any other one as a text, whose
// quotes are not signed.
func javaNumber(n json.Number) any {
	if !strings.ContainsAny(n.String(), ".eE") {
		if n == "-0" {
			return json.Number("0")
		}
		return n
	}
	f, err := n.Float64()
	if err != nil {
		return n
	}
	if size := max(f, -f); f == 0 || size >= 1e-3 && size < 1e7 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	e, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(e)
}

func number[N int | int64](n N) json.Number { return json.Number(strconv.FormatInt(int64(n), 10)) }

// JSON as the gateway sees it.
type (
	object = peer.Object
	pair   = peer.Pair
)
