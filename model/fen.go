package model

import (
	"errors"
	"strconv"
	"strings"
)

// FormatFen formats an amount in fen (分) as yuan (元) with two decimals: 1230 is "12.30". It is exact for every
// amount.
func FormatFen(fen int64) string {
	digits := strconv.FormatInt(fen, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	if missing := 3 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	yuan := len(digits) - 2
	return sign + digits[:yuan] + "." + digits[yuan:]
}

// ParseFen parses an amount in yuan (元) and returns it in fen (分): "12.3" and "12.30" are 1230. It accepts digits, an
// optional point followed by one or two decimals, and a leading minus sign. Anything else is an error, such as "1,000",
// "+1", "1e2", ".5", blanks, a third decimal, or an amount that does not fit an int64. Nothing is rounded.
func ParseFen(yuan string) (int64, error) {
	unsigned, negative := strings.CutPrefix(yuan, "-")
	whole, decimals, hasPoint := strings.Cut(unsigned, ".")
	if whole == "" || hasPoint && (decimals == "" || len(decimals) > 2) || !isDigits(whole+decimals) {
		return 0, errors.New("model: not an amount in yuan: " + strconv.Quote(clipped(yuan)))
	}
	digits := whole + (decimals + "00")[:2]
	if negative {
		digits = "-" + digits
	}
	fen, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, errors.New("model: an amount in yuan is out of range: " + strconv.Quote(clipped(yuan)))
	}
	return fen, nil
}

func isDigits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// clipped shortens a text for an error.
func clipped(s string) string {
	const most = 32
	if len(s) > most {
		return s[:most]
	}
	return s
}
