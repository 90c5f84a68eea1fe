package message

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
)

// Judge examines a body that was accepted in place of the original. It returns the names of the exceptions that its
// changes match, none for the original itself. The error says that a promise is broken: a change matches no exception,
// or the result differs more than the exceptions allow, or was not verified.
func (k *Kind) Judge(original, changed []byte, before, after *Outcome, signType daxpay.SignType) ([]string, error) {
	if err := Genuine(changed, after, signType); err != nil {
		return nil, err
	}
	names, excused, traceID, err := k.explain(original, changed)
	if err != nil {
		return nil, err
	}
	return names, compare(before, after, excused, traceID)
}

// explain finds the exception for each change, and what of the result may change.
func (k *Kind) explain(original, changed []byte) (names []string, excused excuses, traceID bool, err error) {
	changes, err := k.diff(original, changed)
	if err != nil {
		return nil, nil, false, err
	}
	excused = make(excuses)
	for i := range changes {
		c := &changes[i]
		found := slices.DeleteFunc(slices.Clone(Exceptions), func(e Exception) bool { return !e.match(c) })
		if len(found) != 1 {
			return nil, nil, false, fmt.Errorf("%d exceptions allow the change of member %q from %v to %v", len(found), c.path,
				c.before, c.after)
		}
		e := found[0]
		if !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
		if e.same != nil {
			excused[c.path] = func(b, a reflect.Value) bool { return e.same(c, b, a) }
		}
		traceID = traceID || e.traceID
	}
	return names, excused, traceID, nil
}

// Genuine checks independently what the client claims to have verified: the signature, and that the result holds what
// was signed.
func Genuine(body []byte, o *Outcome, signType daxpay.SignType) error {
	if !o.Verified {
		return errors.New("accepted without verification")
	}
	if !bytes.Contains(body, o.Raw) {
		return errors.New("what is called Raw was not received")
	}
	object, err := peer.Parse(o.Raw)
	if err != nil {
		return fmt.Errorf("encoding/json cannot read what was accepted: %w", err)
	}
	if object.Get("sign") != peer.Sign(object, string(signType), Secret, Zone) {
		return errors.New("accepted without a right signature")
	}
	return Holds(o.Model, o.Raw)
}

func compare(before, after *Outcome, excused excuses, traceID bool) error {
	if path := excused.differ(reflect.ValueOf(before.Model), reflect.ValueOf(after.Model), ""); path != "" {
		return fmt.Errorf("the model changed in %s", path)
	}
	same, ok := excused["msg"]
	if before.Msg != after.Msg && (!ok || !same(reflect.ValueOf(before.Msg), reflect.ValueOf(after.Msg))) {
		return errors.New("the result changed in Msg")
	}
	if before.TraceID != after.TraceID && !traceID {
		return errors.New("the result changed in TraceID")
	}
	if before.Code != after.Code || before.SecretIndex != after.SecretIndex {
		return errors.New("the result changed in Code or SecretIndex")
	}
	return nil
}

// excuses say, by the path of a member, how it may differ.
type excuses map[string]func(before, after reflect.Value) bool

// differ returns the path of the first member that differs more than is excused, "" if there is none.
func (x excuses) differ(before, after reflect.Value, path string) string {
	if before.Kind() == reflect.Pointer {
		before, after = before.Elem(), after.Elem()
	}
	switch {
	case before.Type() != after.Type():
		return "its type"
	case before.Type() == timeType:
	case before.Kind() == reflect.Struct:
		for i := range before.NumField() {
			inner := path
			if f := before.Type().Field(i); !f.Anonymous {
				inner = strings.TrimPrefix(path+"."+jsonName(f), ".")
			}
			if found := x.differ(before.Field(i), after.Field(i), inner); found != "" {
				return found
			}
		}
		return ""
	case before.Kind() == reflect.Slice && before.Len() == after.Len() && before.IsNil() == after.IsNil():
		for i := range before.Len() {
			if found := x.differ(before.Index(i), after.Index(i), fmt.Sprintf("%s[%d]", path, i)); found != "" {
				return found
			}
		}
		return ""
	}
	if same, ok := x[path]; reflect.DeepEqual(before.Interface(), after.Interface()) || ok && same(before, after) {
		return ""
	}
	return path
}

// fieldKind is what a field of a model holds.
type fieldKind uint8

const (
	code fieldKind = iota
	free
	integer
	boolean
	moment
	list
)

// field is what is known of a member. It comes from the model, without the client's code.
type field struct {
	kind fieldKind
	elem schema // of a list
}

type schema map[string]*field

var timeType = reflect.TypeFor[model.Time]()

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func schemaOf(t reflect.Type) schema {
	s := make(schema)
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			for name, inner := range schemaOf(f.Type) {
				s[name] = inner
			}
			continue
		}
		rules := strings.Split(f.Tag.Get("daxpay"), ",")
		found := &field{kind: code}
		switch {
		case f.Type == timeType:
			found.kind = moment
		case f.Type.Kind() == reflect.Slice:
			found.kind, found.elem = list, schemaOf(f.Type.Elem())
		case f.Type.Kind() == reflect.Bool:
			found.kind = boolean
		case f.Type.Kind() != reflect.String:
			found.kind = integer
		case slices.Contains(rules, "text"), slices.Contains(rules, "opaque"), slices.Contains(rules, "url"):
			found.kind = free
		}
		name := jsonName(f)
		s[name] = found
		if old := gateway.OldName(name); old != "" {
			s[old] = found
		}
	}
	return s
}

// diff lists the differences between two bodies.
func (k *Kind) diff(original, changed []byte) ([]change, error) {
	if !utf8.Valid(changed) {
		return nil, errors.New("invalid UTF-8 was accepted")
	}
	before, err := peer.Parse(original)
	if err != nil {
		return nil, err
	}
	after, err := peer.Parse(changed)
	if err != nil {
		return nil, fmt.Errorf("encoding/json cannot read what was accepted: %w", err)
	}
	d := new(differ)
	s := schemaOf(k.Model)
	if k.IsNotice() {
		d.object(place{schema: s}, before, after)
	} else {
		d.object(place{schema: schema{"code": {kind: integer}}, envelope: true}, before, after)
		b, _ := before.Get("data").(peer.Object)
		a, _ := after.Get("data").(peer.Object)
		d.object(place{schema: s}, b, a)
	}
	if d.err == nil && len(d.changes) == 0 && string(original) != string(changed) {
		d.changes = []change{{what: spelled}}
	}
	return d.changes, d.err
}

type differ struct {
	changes []change
	err     error
}

// place is the position of an object in a message.
type place struct {
	schema           schema
	envelope, nested bool
	path             string
}

func (d *differ) object(p place, before, after peer.Object) {
	names, afterNames := memberNames(before), memberNames(after)
	if unique(names) != len(names) || unique(afterNames) != len(afterNames) {
		d.err = errors.New("a member that is given twice was accepted")
		return
	}
	var found []change
	has := func(names []string) func(string) bool {
		return func(name string) bool { return slices.Contains(names, name) }
	}
	for _, name := range names {
		c := p.change(name, before.Get(name), absent)
		if has(afterNames)(name) {
			c.after = after.Get(name)
		}
		found = append(found, d.value(p, c)...)
	}
	for _, name := range afterNames {
		if !has(names)(name) {
			found = append(found, p.change(name, absent, after.Get(name)))
		}
	}
	common := func(all []string, other []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !has(other)(name) })
	}
	if !slices.Equal(common(names, afterNames), common(afterNames, names)) {
		found = append(found, change{what: ordered, path: p.path})
	}
	d.changes = append(d.changes, p.joinCut(found)...)
}

func memberNames(o peer.Object) []string {
	names := make([]string, len(o))
	for i, p := range o {
		names[i] = p.Name
	}
	return names
}

func unique(names []string) int { return len(slices.Compact(slices.Sorted(slices.Values(names)))) }

func (p place) change(name string, before, after any) change {
	return change{
		envelope: p.envelope, nested: p.nested, name: name, path: strings.TrimPrefix(p.path+"."+name, "."),
		field: p.schema[name], before: before, after: after,
	}
}

// value returns the changes of a member that both have, none if it is the same. It looks into known lists.
func (d *differ) value(p place, c change) []change {
	b, listBefore := c.before.([]any)
	a, listAfter := c.after.([]any)
	if reflect.DeepEqual(c.before, c.after) || p.envelope && c.name == "data" && isObject(c.before) && isObject(c.after) {
		return nil
	}
	if !listBefore || !listAfter || len(a) != len(b) || c.field == nil || c.field.elem == nil {
		return []change{c}
	}
	for i := range b {
		path := fmt.Sprintf("%s[%d]", c.path, i)
		ob, ok := b[i].(peer.Object)
		oa, also := a[i].(peer.Object)
		switch {
		case ok && also:
			d.object(place{schema: c.field.elem, nested: true, path: path}, ob, oa)
		case !reflect.DeepEqual(b[i], a[i]):
			d.changes = append(d.changes, change{nested: true, path: path, before: b[i], after: a[i]})
		}
	}
	return nil
}

func isObject(v any) bool {
	_, ok := v.(peer.Object)
	return ok
}

// joinCut joins the change of a text that lost its end with the unknown members that came of it into one change, also
// the other way round.
func (p place) joinCut(changes []change) []change {
	if p.envelope {
		return changes
	}
	separators := "&"
	if p.nested {
		separators = ",{"
	}
	cutAt := slices.IndexFunc(changes, func(c change) bool {
		if c.what != member || c.before == absent || c.after == absent || c.field != nil && !c.isFree() {
			return false
		}
		short, long := c.text(c.before), c.text(c.after)
		if len(short) > len(long) {
			short, long = long, short
		}
		rest, ok := strings.CutPrefix(long, short)
		return ok && rest != "" && strings.Contains(separators, rest[:1])
	})
	if cutAt < 0 {
		return changes
	}
	text := changes[cutAt]
	shrunk := len(text.text(text.before)) > len(text.text(text.after))
	piece := func(c change) bool {
		came, went := c.before == absent && c.after != nil, c.after == absent && c.before != nil
		return c.what == member && c.field == nil && !emptyList(&c) && (shrunk && came || !shrunk && went)
	}
	if !slices.ContainsFunc(changes, piece) {
		return changes
	}
	text.what = cutOff
	changes[cutAt] = text
	return slices.DeleteFunc(changes, piece)
}
