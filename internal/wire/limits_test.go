package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// object returns an object of n members.
func object(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"n%d":1`, i)
	}
	return "{" + b.String()[min(1, n):] + "}"
}

func TestLimits(t *testing.T) {
	name := func(n int) string { return `{"` + strings.Repeat("n", n) + `":1}` }
	for _, tt := range []struct {
		text   string
		limits Limits
		reason string // empty if it is read
	}{
		{object(maxObjectMembers), Limits{}, ""},
		{object(maxObjectMembers + 1), Limits{}, "the object has too many members"},
		{`{"a":[` + object(maxObjectMembers+1) + `]}`, Limits{}, "the object has too many members"},
		{`{"a":[` + strings.Repeat(object(maxObjectMembers)+",", 99) + object(999) + `]}`, Limits{}, ""},
		{`{"a":[` + strings.Repeat(object(maxObjectMembers)+",", 99) + object(1000) + `]}`, Limits{}, "too many members"},
		{`{"a":[` + object(500) + `,` + object(499) + `]}`, Limits{Members: 1000}, ""},
		{`{"a":[` + object(500) + `,` + object(500) + `]}`, Limits{Members: 1000}, "too many members"},
		{name(maxNameLength), Limits{}, ""},
		{name(maxNameLength + 1), Limits{}, "a member name is too long"},
		{`{"` + strings.Repeat(`\u0041`, maxNameLength) + `":1}`, Limits{}, ""},
		{`{"a":{"` + strings.Repeat(`\u0041`, 70_000) + `":1}}`, Limits{}, "a member name is too long"},
		{`{"é":1}`, Limits{}, ""},
		{`{"é":1}`, Limits{ASCII: true}, "a member name is not ASCII"},
		{`{"\u00e9":1}`, Limits{ASCII: true}, "a member name is not ASCII"},
		{`{"a":[{"b":{"é":1}}]}`, Limits{ASCII: true}, "a member name is not ASCII"},
		{`{"\u0041":"é","\u007f":1}`, Limits{ASCII: true}, ""},
		{`{"a":{"b":[]}}`, Limits{Depth: 3}, ""},
		{`{"a":{"b":[]}}`, Limits{Depth: 2}, "nested too deeply"},
	} {
		o := Object{Limits: tt.limits}
		switch err := o.Read([]byte(tt.text)); tt.reason {
		case "":
			require.NoError(t, err, "%.40s", tt.text)
		default:
			require.ErrorContains(t, err, tt.reason, "%.40s", tt.text)
		}
	}
}

// An Object that has read other texts reads and signs as a new one does.
func TestNothingOfAMessageShowsInTheNext(t *testing.T) {
	type model struct {
		Code   int    `json:"code"`
		Status string `json:"status"`
	}
	plan := planOf(t, model{})
	texts := []string{
		`{}`, `{"code"`, `{"code":0,"data":{"status":"a","code":0}}`, `{"data":{"code":0,"status":"b"},"code":1}`,
		`{"data":{"Status":"a&b","x\u0026":{"B":1,"a":[null]}},"é":1}`, `{"é":1,"É":2}`, `{"data":[],"code":null}`,
		object(40),
		`{"data":` + object(600) + `}`, sixteenMembers, `{"data":{"status":"a","status":"b"}}`,
	}
	see := func(outer, inner *Object, text string) string {
		var b strings.Builder
		fmt.Fprintln(&b, outer.ReadWith([]byte(text), inner, "data"))
		for _, o := range []*Object{outer, inner} {
			canonical, err := o.AppendCanonical(nil, shanghai)
			v := reflect.New(plan.Type).Elem()
			fmt.Fprintln(&b, o.Members(), string(canonical), err, plan.Screen(o, Screening{}), plan.Decode(o, v, shanghai), v)
			fmt.Fprintln(&b, o.HasAny("status"), o.HasAny("n39"))
		}
		return b.String()
	}
	for _, first := range texts {
		for _, second := range texts {
			var used, usedInner, fresh, freshInner Object
			see(&used, &usedInner, first)
			require.Equal(t, see(&fresh, &freshInner, second), see(&used, &usedInner, second), "%s\n%s", first, second)
		}
	}
}
