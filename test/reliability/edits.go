package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// edits yields every edited version of an object, at every level, that an attacker who cannot sign could try.
func edits(o peer.Object, depth int, yield func(class string, edited peer.Object)) {
	for i, p := range o {
		with := func(class string, members ...peer.Pair) {
			yield(class, slices.Concat(o[:i], members, o[i+1:]))
		}
		with("dropped")
		for _, value := range retyped(p) {
			with("retyped", peer.Pair{Name: p.Name, Value: value})
		}
		for _, name := range recased(p.Name) {
			with("recased", peer.Pair{Name: name, Value: p.Value})
			with("duplicated", p, peer.Pair{Name: name, Value: p.Value})
		}
		for _, name := range []string{p.Name + `"`, `\` + p.Name, p.Name + " ", "", "x" + p.Name} {
			with("renamed", peer.Pair{Name: name, Value: p.Value})
		}
		for _, value := range []any{p.Value, nil, "success", json.Number("0")} {
			with("duplicated", p, peer.Pair{Name: p.Name, Value: value})
			with("duplicated", peer.Pair{Name: p.Name, Value: value}, p)
		}
		if s, ok := p.Value.(string); ok {
			for _, text := range retexted(s, depth > 1) {
				with("retexted", peer.Pair{Name: p.Name, Value: text})
			}
			for _, pieces := range cut(p.Name, s, depth > 1) {
				with("cut", pieces...)
			}
		}
		swaps(o, i, depth, yield)
		inside(p.Value, depth, func(class string, value any) {
			with(class, peer.Pair{Name: p.Name, Value: value})
		})
	}
	for _, p := range []peer.Pair{
		{Name: "added", Value: nil}, {Name: "added", Value: []any{}}, {Name: "added", Value: ""},
		{Name: "added", Value: peer.Object{}},
		{Name: "added", Value: json.Number("1")}, {Name: "reqTime", Value: nil},
		{Name: "reqTime", Value: json.Number("1715500234")},
		{Name: "refundNo", Value: nil}, {Name: "allocationNo", Value: nil}, {Name: "", Value: nil},
		{Name: "Sign", Value: "x"}, {Name: "a&b", Value: nil},
	} {
		yield("added", append(slices.Clone(o), p))
		yield("added", append(peer.Object{p}, o...))
	}
}

// inside yields the edited versions of a value that holds objects.
func inside(value any, depth int, yield func(class string, edited any)) {
	switch v := value.(type) {
	case peer.Object:
		edits(v, depth+1, func(class string, edited peer.Object) { yield(class, edited) })
	case []any:
		for i, item := range v {
			with := func(class string, items ...any) { yield(class, slices.Concat(v[:i], items, v[i+1:])) }
			with("dropped")
			with("duplicated", item, item)
			for _, other := range retyped(peer.Pair{Value: item}) {
				with("retyped", other)
			}
			inside(item, depth+1, func(class string, edited any) { with(class, edited) })
		}
	}
}

// swaps yields the object with member i and another member exchanged: their values, or their places, or with one made
// part of the other's text.
func swaps(o peer.Object, i, depth int, yield func(class string, edited peer.Object)) {
	for j := range o {
		if j == i {
			continue
		}
		swapped := slices.Clone(o)
		swapped[i].Value, swapped[j].Value = o[j].Value, o[i].Value
		yield("swapped", swapped)
		if j > i {
			swapped = slices.Clone(o)
			swapped[i], swapped[j] = o[j], o[i]
			yield("swapped", swapped)
		}
		text := "&" + o[j].Name + "=" + peer.TopText(o[j], message.Zone)
		if depth > 1 {
			text = "," + o[j].Name + ":" + peer.NestedText(o[j].Value)
		}
		joined := slices.Clone(o)
		joined[i].Value = peer.NestedText(o[i].Value) + text
		yield("joined", slices.Delete(joined, j, j+1))
		if s, ok := o[i].Value.(string); ok {
			joined = slices.Clone(o)
			joined[i].Value = s + text
			yield("joined", slices.Delete(joined, j, j+1))
		}
	}
}

// cut splits a text where a member could begin.
func cut(name, text string, nested bool) [][]peer.Pair {
	separator, equals := "&", "="
	if nested {
		separator, equals = ",", ":"
	}
	var found [][]peer.Pair
	for i := range text {
		rest, ok := strings.CutPrefix(text[i:], separator)
		if !ok {
			continue
		}
		if other, value, ok := strings.Cut(rest, equals); ok {
			found = append(found, []peer.Pair{{Name: name, Value: text[:i]}, {Name: other, Value: value}})
		}
	}
	return found
}

// retyped lists other values that look like that of the member.
func retyped(p peer.Pair) []any {
	direct, nested := peer.TopText(p, message.Zone), peer.NestedText(p.Value)
	values := []any{
		nil, true, false, "", "null", "true", json.Number("0"), json.Number("1"), json.Number("-0"), peer.Object{}, []any{},
		[]any{nil}, []any{p.Value}, peer.Object{{Name: p.Name, Value: p.Value}},
		direct, nested, peer.Strip(direct), peer.Strip(nested),
	}
	for _, text := range []string{direct, peer.Strip(direct)} {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			values = append(values, json.Number(text), text+".0", json.Number(text+".0"), json.Number(text+"e0"), "0"+text,
				"+"+text, text+" ",
				time.Unix(n, 0).In(message.Zone).Format(time.DateTime))
		}
	}
	return values
}

// recased lists other spellings of a name that a careless reader takes for the same name.
func recased(name string) []string {
	var names []string
	for _, other := range []string{
		strings.ToUpper(name), strings.ToLower(name), strings.Title(name), //nolint:staticcheck // of ASCII only
		strings.Replace(name, "s", "ſ", 1), strings.Replace(name, "k", "\u212a", 1), strings.Map(func(r rune) rune {
			if unicode.IsLower(r) {
				return unicode.ToUpper(r)
			}
			return unicode.ToLower(r)
		}, name),
	} {
		if other != name && !slices.Contains(names, other) {
			names = append(names, other)
		}
	}
	return names
}

// retexted lists other texts that share the signature of s, or nearly do.
func retexted(s string, nested bool) []string {
	texts := []string{
		`"` + s, s + `"`, `\` + s, s + `\`, s + "&", s + "&code=0", s + "&x=1", s + ",x:1", s + " ", " " + s, s + "\n",
		s + "\x00", s + "\u200b",
		strings.ReplaceAll(s, `"`, ""), strings.ReplaceAll(s, `\`, ""), strings.ToUpper(s), strings.ToLower(s),
	}
	if len(s) > 1 {
		texts = append(texts, s[:1]+`"`+s[1:], s[:1]+`\`+s[1:])
	}
	for _, escape := range []struct{ letter, character string }{{"n", "\n"}, {"t", "\t"}, {"r", "\r"}, {"b", "\b"},
		{"f", "\f"}} {
		texts = append(texts, strings.Replace(s, escape.letter, escape.character, 1),
			strings.Replace(s, escape.character, escape.letter, 1))
	}
	if nested {
		texts = append(texts, strings.Replace(s, "\n", `\n`, 1), peer.NestedText(s))
	}
	return slices.DeleteFunc(texts, func(other string) bool { return other == s })
}

// respelled returns other spellings of a body that mean the same.
func respelled(body string) []string {
	spaced := strings.NewReplacer(`,"`, " ,\n\t\"", `":`, "\" :\r ", "}", " }").Replace
	var escaped strings.Builder
	for _, r := range body {
		if r > 0x7F && r <= 0xFFFF {
			escaped.WriteString(`\u` + strconv.FormatInt(int64(r)|0x10000, 16)[1:])
		} else {
			escaped.WriteRune(r)
		}
	}
	return []string{
		spaced(body), escaped.String(), strings.ReplaceAll(escaped.String(), `\u00e9`, `\u00E9`),
		" " + body + "\n", strings.ReplaceAll(body, "/", `\/`), strings.Replace(body, `"status"`, `"\u0073tatus"`, 1),
		strings.Replace(body, `"sign"`, `"sig\u006e"`, 1),
	}
}
