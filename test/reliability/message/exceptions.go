package message

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/daxpay-go/daxpay/internal/peer"
)

// Exception is a way in which the protocol lets others change a message without breaking its signature.
type Exception struct {
	Name string
	// Allows says what can be changed, and what of the result changes with it.
	Allows string

	match func(*change) bool
	// same reports whether the exception allows the member of the result to change from before to after. Nil: nothing
	// of the result may change.
	same func(c *change, before, after reflect.Value) bool
	// traceID: TraceID may change.
	traceID bool
}

// Exceptions lists all changes that the client may accept. Every accepted change must match exactly one of them. Any
// other accepted change is a broken promise, and so is a change of the result that the exception does not allow.
var Exceptions = []Exception{
	{
		Name: "spelling", Allows: "white space between tokens, and which escapes spell a text: the result stays",
		match: func(c *change) bool { return c.what == spelled },
	},
	{
		Name: "order", Allows: "the order of members, where the signature sorts them: the result stays",
		match: func(c *change) bool { return c.what == ordered },
	},
	{
		Name: "envelope", Allows: "everything around data but code: TraceID may change",
		match:   func(c *change) bool { return c.what == member && c.envelope && c.path != "code" && c.path != "data" },
		traceID: true,
	},
	{
		Name: "quotes", Allows: "quotes and backslashes in free text, payBody and url: that text changes by them",
		match: func(c *change) bool { return c.isFree() && unquoted(c) },
		same: func(_ *change, before, after reflect.Value) bool {
			return peer.Strip(before.String()) == peer.Strip(after.String())
		},
	},
	{
		Name: "escape", Allows: "in free text within lists, a character for what is left of its escape, such as a line " +
			"break for n: that text changes by them",
		match: func(c *change) bool { return c.isFree() && c.nested && !unquoted(c) && unescaped(c) },
		same: func(_ *change, before, after reflect.Value) bool {
			return peer.Strip(peer.NestedText(before.String())) == peer.Strip(peer.NestedText(after.String()))
		},
	},
	{
		Name: "cut", Allows: "free text cut at &, or at a comma within lists, if what follows looks like an unknown " +
			"member; or such a member appended to it: that text changes by it",
		match: func(c *change) bool { return c.what == cutOff },
		same: func(_ *change, before, after reflect.Value) bool {
			b, a := peer.Strip(before.String()), peer.Strip(after.String())
			return strings.HasPrefix(b, a) || strings.HasPrefix(a, b)
		},
	},
	{
		Name: "null", Allows: "members that are null come and go: the result stays",
		match: func(c *change) bool {
			return c.what == member && !c.envelope &&
				(c.before == nil && c.after == absent || c.before == absent && c.after == nil)
		},
	},
	{
		Name: "empty list", Allows: "an empty list, null and no member are one: the list is nil or empty",
		match: func(c *change) bool { return c.what == member && !c.envelope && !c.nested && emptyList(c) },
		same:  func(_ *change, before, after reflect.Value) bool { return before.Len() == 0 && after.Len() == 0 },
	},
	{
		Name: "digits", Allows: "an integer as a number or as a string of digits: the result stays",
		match: func(c *change) bool {
			return c.what == member && c.field != nil && (c.field.kind == integer || c.field.kind == moment) &&
				sameDigits(c.before, c.after)
		},
	},
	{
		Name: "time", Allows: "a time as text or as Unix seconds: the result stays",
		match: func(c *change) bool {
			return c.what == member && c.field != nil && c.field.kind == moment && !sameDigits(c.before, c.after) && sameTime(c)
		},
	},
	{
		Name: "unknown", Allows: "a member that the model does not have, written in another way with the same signed text: " +
			"the result stays",
		match: func(c *change) bool {
			return c.what == member && !c.envelope && c.field == nil && c.before != absent && c.after != absent &&
				!emptyList(c) &&
				c.text(c.before) == c.text(c.after)
		},
	},
}

// what is a kind of difference.
type what uint8

const (
	member  what = iota // another value, or a member more or less
	spelled             // other bytes, same values
	ordered             // same members in another order
	cutOff              // a text and members that were cut from it
)

// absent is the value of a member that is not there.
var absent any = struct{ absent bool }{true}

// change is one difference between two messages.
type change struct {
	what          what
	envelope      bool
	nested        bool
	path          string // of the member in the model, such as details[0].receiverName
	name          string
	field         *field // nil if the model does not know it
	before, after any
}

// isFree reports whether the change is in a text that is not a code.
func (c *change) isFree() bool {
	_, b := c.before.(string)
	_, a := c.after.(string)
	return c.what == member && !c.envelope && c.field != nil && c.field.kind == free && a && b
}

// text returns the text that is signed for a value of the member.
func (c *change) text(v any) string {
	if c.nested {
		return peer.Strip(peer.NestedText(v))
	}
	return peer.Strip(peer.TopText(peer.Pair{Name: c.name, Value: v}, Zone))
}

func unquoted(c *change) bool {
	b, _ := c.before.(string)
	a, _ := c.after.(string)
	return peer.Strip(b) == peer.Strip(a)
}

func unescaped(c *change) bool { return c.text(c.before) == c.text(c.after) }

// emptyList reports whether the change is between an empty list and null, no member, or another empty list.
func emptyList(c *change) bool {
	isEmpty := func(v any) bool {
		list, ok := v.([]any)
		return ok && len(list) == 0
	}
	none := func(v any) bool { return v == nil || v == absent || isEmpty(v) }
	return none(c.before) && none(c.after) && (isEmpty(c.before) || isEmpty(c.after))
}

// sameDigits reports whether one value is a number and the other a string of the same digits.
func sameDigits(before, after any) bool {
	digits := func(v any) (text string, number, ok bool) {
		switch v := v.(type) {
		case json.Number:
			return v.String(), true, isDigits(v.String())
		case string:
			return v, false, isDigits(v)
		}
		return "", false, false
	}
	b, bn, bok := digits(before)
	a, an, aok := digits(after)
	return bok && aok && an != bn && a == b
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(strings.TrimPrefix(s, "-"), "0123456789") == ""
}

// sameTime reports whether both values are the same second.
func sameTime(c *change) bool {
	scalar := func(v any) bool {
		switch v.(type) {
		case string, json.Number:
			return true
		}
		return false
	}
	if !scalar(c.before) || !scalar(c.after) {
		return false
	}
	// Inside lists the peer reads times only as part of an object, so it is asked as for a direct member.
	text := func(v any) string { return peer.TopText(peer.Pair{Name: c.name, Value: v}, Zone) }
	return isDigits(text(c.before)) && text(c.before) == text(c.after)
}
