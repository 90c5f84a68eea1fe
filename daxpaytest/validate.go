package daxpaytest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
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

// rule is what a member must have.
type rule int

const (
	optional rule = iota
	notNull
	notEmpty
	notBlank
)

// field is a member that a call knows, with what the gateway says when it is wrong.
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

// limited is an optional text.
func limited(name string, most int, tooLong string) field {
	return field{name: name, max: most, tooLong: tooLong}
}

// unlimited is an optional text without a limit.
func unlimited(name string) field { return field{name: name} }

// required is f that must not be blank.
func (f field) required(missing string) field { return f.must(notBlank, missing) }

func (f field) must(r rule, missing string) field {
	f.rule, f.missing = r, missing
	return f
}

// amount is an integer of at least 1.
func amount(missing, tooSmall string) field {
	f := field{name: "amount", kind: integer, tooSmall: tooSmall}
	if missing != "" {
		f.rule, f.missing = notNull, missing
	}
	return f
}

// params are the members of a request that a call knows, with values of their types. Members that are null or absent are missing.
type params struct {
	fields map[string]any
	// reader is where the values come from; signed is what the signature is about.
	sign string
}

func (p params) text(name string) *string {
	if s, ok := p.fields[name].(string); ok {
		return &s
	}
	return nil
}

// known is a text that the validation has seen to be there.
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

func (p params) flag(name string) bool {
	b, _ := p.fields[name].(bool)
	return b
}

func (p params) properties(name string) object {
	o, _ := p.fields[name].(object)
	return o
}

// wanted is a receiver and an amount of an allocation to come.
type wanted struct {
	receiverNo *string
	amount     *int64
}

func (p params) receivers(name string) []*wanted {
	l, _ := p.fields[name].([]*wanted)
	return l
}

// decode turns a body into the members that a call knows: it changes types as the gateway's library does, and ignores other members.
// Of a member that is given twice the last one counts.
func (c *call) decode(body []byte) (params, error) {
	r := &reader{data: body}
	members, err := r.body(c.param)
	p := params{fields: make(map[string]any, len(members))}
	if err == nil && members == nil {
		return p, fault(codeUnreadable, "Required request body is missing: public "+c.method)
	}
	for _, m := range members {
		i := slices.IndexFunc(c.fields, func(f field) bool { return f.name == m.name })
		if err != nil || i < 0 {
			continue
		}
		var v any
		chain := fmt.Sprintf("%s[%q]", c.param, m.name)
		switch v, err = c.convert(c.fields[i].kind, m.value, chain); {
		case v == nil:
			delete(p.fields, m.name)
		default:
			p.fields[m.name] = v
		}
	}
	if e, ok := err.(*unreadable); ok { //nolint:errorlint // the reader returns no other
		return p, fault(codeUnreadable, r.message(e))
	}
	p.sign = p.known("sign")
	return p, nil
}

// convert makes a value of a kind, nil for null.
func (c *call) convert(k kind, v value, chain string) (any, error) {
	if v.any == nil {
		return nil, nil //nolint:nilnil // null
	}
	switch k {
	case integer:
		return toInteger(v, chain)
	case boolean:
		return toBoolean(v, chain)
	case seconds:
		return toSeconds(v, chain)
	case properties:
		return toProperties(v, chain)
	case receivers:
		return c.toReceivers(v, chain)
	}
	return toText(v, chain)
}

func mismatch(v value, chain, class string) error {
	return &unreadable{fmt.Sprintf("Cannot deserialize value of type `%s` from %s", class, tokenOf(v.any)), mismatchException, v.at, chain}
}

func misformed(v value, chain, class, why string) error {
	return &unreadable{fmt.Sprintf("Cannot deserialize value of type `%s` from String \"%s\": %s", class, v.any, why), formatException, v.at, chain}
}

func toText(v value, chain string) (any, error) {
	switch x := v.any.(type) {
	case string:
		return x, nil
	case json.Number:
		return x.String(), nil
	case bool:
		return strconv.FormatBool(x), nil
	}
	return nil, mismatch(v, chain, "java.lang.String")
}

func toInteger(v value, chain string) (any, error) {
	const class = "java.lang.Integer"
	switch x := v.any.(type) {
	case json.Number:
		n, ok := new(big.Rat).SetString(shortened(x))
		whole := new(big.Int)
		if ok {
			whole.Quo(n.Num(), n.Denom())
		}
		if !ok || !whole.IsInt64() || whole.Int64() != int64(int32(whole.Int64())) { //nolint:gosec // it is what is tested
			text := fmt.Sprintf("Numeric value (%s) out of range of int (-2147483648 - 2147483647)", x)
			return nil, &unreadable{text, mappingException, v.at + len(x), chain}
		}
		return whole.Int64(), nil
	case string:
		trimmed := strings.TrimFunc(x, func(c rune) bool { return c <= ' ' })
		if trimmed == "" || trimmed == "null" {
			return nil, nil //nolint:nilnil // that is null
		}
		n, err := strconv.ParseInt(trimmed, 10, 64)
		if err != nil {
			return nil, misformed(v, chain, class, "not a valid `java.lang.Integer` value")
		}
		if n != int64(int32(n)) { //nolint:gosec // it is what is tested
			return nil, misformed(v, chain, class, fmt.Sprintf("Overflow: numeric value (%s) out of range of Integer (-2147483648 -2147483647)", trimmed))
		}
		return n, nil
	}
	return nil, mismatch(v, chain, class)
}

// shortened is a number, or something that is no number if its exponent would make it thousands of digits long.
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

func toBoolean(v value, chain string) (any, error) {
	const class = "java.lang.Boolean"
	switch x := v.any.(type) {
	case bool:
		return x, nil
	case json.Number:
		if !strings.ContainsAny(x.String(), ".eE") {
			return strings.Trim(x.String(), "-0") != "", nil
		}
	case string:
		switch trimmed := strings.TrimFunc(x, func(c rune) bool { return c <= ' ' }); trimmed {
		case "true", "True", "TRUE":
			return true, nil
		case "false", "False", "FALSE":
			return false, nil
		case "", "null":
			return nil, nil //nolint:nilnil // that is null
		}
		return nil, misformed(v, chain, class, `only "true" or "false" recognized`)
	}
	return nil, mismatch(v, chain, class)
}

func toSeconds(v value, chain string) (any, error) {
	s, err := toText(v, chain)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // an object or a list has no text
	}
	trimmed, _ := s.(string)
	if strings.TrimSpace(trimmed) == "" {
		return nil, nil //nolint:nilnil // that is null
	}
	n, err := strconv.ParseInt(trimmed, 10, 64)
	if err != nil {
		return nil, &unreadable{fmt.Sprintf("For input string: \"%s\"", trimmed), mappingException, -1, chain}
	}
	return n, nil
}

func toProperties(v value, chain string) (any, error) {
	members, ok := v.any.([]member)
	if !ok {
		class := "java.util.LinkedHashMap"
		if _, list := v.any.([]value); list {
			class = "java.util.LinkedHashMap<java.lang.String,java.lang.Object>"
		}
		e := noInstance(class, v)
		e.chain = chain
		return nil, e
	}
	return properties0(members), nil
}

// properties0 is an object without the duplicates of its members.
func properties0(members []member) object {
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
		return properties0(v)
	case []value:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = plainValue(item.any)
		}
		return list
	}
	return v
}

func (c *call) toReceivers(v value, chain string) (any, error) {
	class := strings.TrimSuffix(c.param, "AllocationParam") + "AllocReceiverParam"
	items, ok := v.any.([]value)
	if !ok {
		return nil, mismatch(v, chain, "java.util.ArrayList<"+class+">")
	}
	list := make([]*wanted, len(items))
	for i, item := range items {
		inside := fmt.Sprintf("%s->java.util.ArrayList[%d]", chain, i)
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
			var v any
			var err error
			place := fmt.Sprintf("%s->%s[%q]", inside, class, m.name)
			switch m.name {
			case "receiverNo":
				if v, err = c.convert(text, m.value, place); err == nil {
					list[i].receiverNo = nil
					if s, ok := v.(string); ok {
						list[i].receiverNo = &s
					}
				}
			case "amount":
				if v, err = c.convert(integer, m.value, place); err == nil {
					list[i].amount = nil
					if n, ok := v.(int64); ok {
						list[i].amount = &n
					}
				}
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// validate returns the gateway's complaints about the members of a request as one error. The gateway has them in no fixed order.
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
			complain(f.ip && strings.TrimSpace(s) != "" && !isIP(s), textWrongIP)
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
	case number == nil || strings.TrimSpace(*number) == "" && c.current || *number == "":
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

// lengthOf counts as the gateway does, in units of UTF-16.
func lengthOf(s string) int {
	if len(s) < 30 { // it cannot be too long
		return len(s)
	}
	return len(utf16.Encode([]rune(s)))
}

// isIP tells whether the gateway takes a text for an address.
func isIP(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && (a.Is4() || a.Zone() == "" || strings.HasPrefix(strings.ToLower(s), "fe80:"))
}

// signedText is what the gateway signs, and has the client sign, of a request: the members that it knows, with the values that it read.
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

// folded is an object in which names that differ in case only are one: the first name with the last value.
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

// signable is a value inside an object with its nulls dropped and its numbers as the gateway prints them.
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

// javaNumber prints a number that is not an integer as the gateway does. The quotes of a text are not signed, so a text will do.
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

// The gateway's own view of JSON.
type (
	object = peer.Object
	pair   = peer.Pair
)
