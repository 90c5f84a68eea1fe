package peer

import (
	"fmt"
	"strings"
)

// HostileText is a message that is made to cost its reader as much as possible.
type HostileText struct {
	Name string
	Text []byte
}

// Hostile returns hostile messages of about size bytes each. None has more than the 100,000 members that a reader
// accepts.
func Hostile(size int) []HostileText {
	var all []HostileText
	add := func(name, before, piece, after string) {
		all = append(all, HostileText{name, []byte(before + strings.Repeat(piece, size/len(piece)) + after)})
	}
	add("spaces", `{"x":`, " \n", `1}`)
	add("empty objects", `{"x":[`, "{},", "0]}")
	add("empty lists", `{"x":[`, "[],", "0]}")
	add("numbers", `{"x":[`, "1e-7,", "0]}")
	add("long exponents", `{"x":[`, "1.234567890123456789e-9,", "0]}")
	add("escapes in a list", `{"x":["`, `\u00a0`, `"]}`)
	add("escapes", `{"x":"`, `\"`, `"}`)
	add("characters that are escaped", `{"x":["`, "\u2028", `"]}`)
	add("characters of two bytes", `{"x":["`, "é", `"]}`)
	add("times", `{"x":[`, `{"aTime":"2024-05-12 15:50:3x"},`, "0]}")
	add("deep", `{"x":`+strings.Repeat("[", 28), `{"a":"b,c"},`, "0"+strings.Repeat("]", 28)+"}")
	add("ands", `{"msg":"`, "&", `="}`)
	add("texts like members", `{"msg":"`, "&zz=", `"}`)
	add("codes", `{"n":[`, `"a-b",`, `0]}`)
	for _, n := range names() {
		all = append(all, HostileText{n.kind, objects(size, n.of)})
	}
	return all
}

// objects returns a list of objects with as many members as an object may have. name returns the name of each by
// number.
func objects(size int, name func(i int) string) []byte {
	const most, mostInAll = 1000, 100_000
	var b strings.Builder
	b.WriteString(`{"x":[`)
	members := 1
	for b.Len() < size && members < mostInAll {
		b.WriteByte('{')
		for i := 0; i < most && members < mostInAll && (b.Len() < size || i == 0); i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"%s":1`, name(i))
			members++
		}
		b.WriteString("},")
	}
	b.WriteString("0]}")
	return []byte(b.String())
}

type nameKind struct {
	kind string
	of   func(i int) string
}

// names returns kinds of names that are hard to sort.
func names() []nameKind {
	// scattered returns numbers in another order than i.
	scattered := func(i int) int { return i * 7919 % 1000 }
	cases := func(i int, orbit ...string) string {
		var b strings.Builder
		for j := range 60 {
			b.WriteString(orbit[(i>>(j%10)+j)%len(orbit)])
		}
		return fmt.Sprintf("%s%03d", b.String(), scattered(i))
	}
	return []nameKind{
		{"short names", func(i int) string { return fmt.Sprintf("%03d", scattered(i)) }},
		{"names from the last to the first", func(i int) string { return fmt.Sprintf("%03d", 999-i) }},
		{"names that begin alike", func(i int) string { return fmt.Sprintf("aaaaaaaaaaaaaaaaaaaa%03d", scattered(i)) }},
		{"long names that begin alike",
			func(i int) string { return fmt.Sprintf("%s%03d", strings.Repeat("a", 250), scattered(i)) }},
		{"names in both cases", func(i int) string { return cases(i, "t", "T") }},
		{"names in Cyrillic", func(i int) string { return cases(i, "т", "Т", "ᲄ") }},
		{"names in Greek", func(i int) string { return cases(i, "θ", "ϑ", "Θ") }},
		{"names in Chinese", func(i int) string { return fmt.Sprintf("支付备注%03d", scattered(i)) }},
		{"names of escapes", func(i int) string { return fmt.Sprintf(`\u0061\u0041%03d`, scattered(i)) }},
	}
}
