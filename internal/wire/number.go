package wire

import (
	"bytes"
	"math"
	"slices"
	"strconv"
)

const (
	least     = 1e-12 // the signed form of smaller ones was not measured
	plainFrom = 1e-3  // from here on Java prints no exponent
	mostPlain = 1e7
)

// measured are the doubles from mostPlain on whose signed form was seen at a gateway.
var measured = []float64{1e7, 12345678.9, 123456789.123, 1e20}

// uncertain are the doubles from least to below mostPlain that Java 17 prints with more digits than Java 19 does.
var uncertain = []float64{0x1p-24, 0x1p-31}

// javaNumber returns what is signed for a number inside another value: raw itself, or a text in buf. It returns false
// if that is not certain.
func javaNumber(buf, raw []byte) ([]byte, bool) {
	switch {
	case string(raw) == "-0":
		return raw[1:], true
	case !bytes.ContainsAny(raw, ".eE"):
		return raw, true
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return nil, false
	}
	switch size := math.Abs(f); {
	case size == 0:
		mantissa := raw
		if i := bytes.IndexAny(raw, "eE"); i >= 0 {
			mantissa = raw[:i]
		}
		if bytes.ContainsAny(mantissa, "123456789") {
			return nil, false // too small for a double
		}
		return strconv.AppendFloat(buf, f, 'f', 0, 64), true
	case size >= plainFrom && size < mostPlain:
		return strconv.AppendFloat(buf, f, 'f', -1, 64), true
	case size >= least && size < mostPlain && !slices.Contains(uncertain, size), slices.Contains(measured, size):
		return scientific(buf, f), true
	}
	return nil, false
}

// scientific prints a double as Java does: with at least one digit after the point, and an exponent without a plus or
// leading zeros.
func scientific(buf []byte, f float64) []byte {
	text := strconv.AppendFloat(buf, f, 'e', -1, 64)
	at := bytes.IndexByte(text, 'e')
	exponent, _ := strconv.Atoi(string(text[at+1:])) // always a number
	text = text[:at]
	if bytes.IndexByte(text, '.') < 0 {
		text = append(text, ".0"...)
	}
	return strconv.AppendInt(append(text, 'E'), int64(exponent), 10)
}

// maxExponent is more than any amount, time or count needs. Larger exponents are refused, because they turn a few bytes
// into very many.
const maxExponent = 40

// plainDecimal writes a number with a fraction or an exponent to buf, without an exponent.
func plainDecimal(buf, raw []byte) ([]byte, bool) {
	mantissa, exponent := raw, 0
	if i := bytes.IndexAny(raw, "eE"); i >= 0 {
		e, err := strconv.Atoi(string(raw[i+1:]))
		if err != nil || e < -maxExponent || e > maxExponent {
			return nil, false
		}
		mantissa, exponent = raw[:i], e
	}
	whole, fraction, _ := bytes.Cut(bytes.TrimPrefix(mantissa, []byte("-")), []byte("."))
	zeros := bytes.Repeat([]byte("0"), maxExponent)
	digits := slices.Concat(zeros, whole, fraction, zeros)
	point := len(zeros) + len(whole) + exponent
	plain := buf
	if mantissa[0] == '-' && bytes.ContainsAny(mantissa, "123456789") {
		plain = append(plain, '-')
	}
	if whole = bytes.TrimLeft(digits[:point], "0"); len(whole) == 0 {
		whole = zeros[:1]
	}
	plain = append(plain, whole...)
	if decimals := len(fraction) - exponent; decimals > 0 {
		plain = append(append(plain, '.'), digits[point:point+decimals]...)
	}
	return plain, true
}
