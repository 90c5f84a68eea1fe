package peer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Random returns a random object of everything that is hard to sign: nesting, escapes, times, numbers in every
// spelling, and similar names. No two members of an object have names that differ only in case.
func Random(random *rand.Rand) Object { return randomObject(random, 0) }

func randomObject(random *rand.Rand, depth int) Object {
	o := Object{}
	seen := map[string]bool{}
	for range random.IntN(7) {
		name := RandomText(random, 3)
		if random.IntN(6) == 0 {
			name += "Time"
		}
		if folded := foldJava(name); !seen[folded] && !strings.Contains(name, "\ufffd") {
			seen[folded] = true
			o = append(o, Pair{name, randomValue(random, depth+1)})
		}
	}
	return o
}

func randomValue(random *rand.Rand, depth int) any {
	kinds := 9
	if depth > 4 {
		kinds = 7
	}
	switch random.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return random.IntN(2) == 0
	case 2:
		return json.Number(fmt.Sprint(random.Int64() - random.Int64()))
	case 3:
		return json.Number([]string{
			"0", "-0", "1.50", "2.0", "-0.0", "100", "1e2", "1.5E+3", "2.50e-1", "-12.340", "1e-7", "0.000", "1.10e06", "1e-08",
			"1.0e-010", "1e-12", "1.0e7", "-12345678.9", "1e20",
		}[random.IntN(19)])
	case 4:
		return []string{"2024-05-12 15:50:34", "2024-02-30 00:00:00", "2024-5-12 15:50:34", "1715500234"}[random.IntN(4)]
	case 5, 6:
		return RandomText(random, 8)
	case 7:
		list := []any{}
		for range random.IntN(4) {
			list = append(list, randomValue(random, depth+1))
		}
		return list
	}
	return randomObject(random, depth)
}

// RandomText returns a random text of up to length pieces, each of which some implementation gets wrong.
func RandomText(random *rand.Rand, length int) string {
	pieces := []string{
		"a", "B", "z", "Z", "_", "0", "é", "É", "单", "支", "😀", "\ue000", "\uffff", `"`, `\`, "/", "\n", "\t", "\r", "\b",
		"\f", "\x00", "\x1f", "\x7f",
		"\u0080", "\u00a0", "\u00a1", "\u2010", "\u2028", "\u202f", "\u2066", "\u206f", "&", "=", ",", ":", "{", "}", "[",
		"]", " ", "<", ">", "ı", "ß", "Σ",
	}
	var b strings.Builder
	for range random.IntN(length + 1) {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.String()
}
