package wire

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// javaDoubles lists numbers and what Java prints for them.
func javaDoubles(t *testing.T) [][2]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "numbers", "double-tostring.txt"))
	require.NoError(t, err)
	var rows [][2]string
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if sent, printed, ok := strings.Cut(line, " "); ok && sent != "#" {
			rows = append(rows, [2]string{sent, printed})
		}
	}
	require.Len(t, rows, 300)
	return rows
}

// From 1e-12 to below 1e7, a number is signed as Java prints it, but without trailing zeros if there is no exponent.
func TestNumbersAreSignedAsJavaPrintsThem(t *testing.T) {
	for _, row := range javaDoubles(t) {
		want := row[1]
		if !strings.Contains(want, "E") {
			want = strings.TrimSuffix(want, ".0")
		}
		for _, sign := range []string{"", "-"} {
			got, ok := javaNumber(nil, []byte(sign+row[0]))
			require.True(t, ok, row[0])
			require.Equal(t, sign+want, string(got))
		}
	}
}

func TestNumbers(t *testing.T) {
	for sent, want := range map[string]string{
		// The rows that were measured at a gateway.
		"1.50": "1.5", "2.0": "2", "1e3": "1000", "9999999.5": "9999999.5", "0.001": "0.001", "2.0e-3": "0.002", "-0.0": "-0",
		"0.0":                   "0",
		"0.1234567890123456789": "0.12345678901234568", "12345678.9": "1.23456789E7", "1e7": "1.0E7", "10000000.0": "1.0E7",
		"0.0001": "1.0E-4",
		"1e-7":   "1.0E-7", "123456789.123": "1.23456789123E8", "1e20": "1.0E20", "-0": "0", "-1e7": "-1.0E7",
		// Zeros, integers of any length, and the limits of what is certain.
		"0e5": "0", "-0E-5": "-0", "0.000": "0", "12345678901234567890123": "12345678901234567890123",
		"-10000000": "-10000000",
		"1e-12":     "1.0E-12", "9999999.999999999": "9999999.999999998", "9999999.9999999999": "1.0E7", "1.0E+3": "1000",
	} {
		got, ok := javaNumber(nil, []byte(sent))
		require.True(t, ok, sent)
		require.Equal(t, want, string(got), sent)
		text, err := read(t, `{"a":{"x":`+sent+`},"b":[`+sent+`],"c":{"y":{"z":[[`+sent+`]]}}}`).AppendCanonical(nil,
			shanghai)
		require.NoError(t, err)
		require.Equal(t, "a={x:"+want+"}&b=["+want+"]&c={y:{z:[["+want+"]]}}", string(text))
	}
	for _, sent := range []string{
		"1e400", "-1e400", "1e23", "2e23", "1e21", "10000000.5", "1.5e7", "1e8", "9.9e-13", "1e-13", "5e-324", "1e-400",
		"-1E-400", "1e99999999999999999999",
		"0.00000000000099",
		"5.960464477539063e-8", "-5.9604644775390625E-8", "4.656612873077393e-10",
	} {
		_, ok := javaNumber(nil, []byte(sent))
		require.False(t, ok, sent)
		for _, object := range []string{`{"a":{"x":` + sent + `}}`, `{"b":[` + sent + `]}`} {
			_, err := read(t, object).AppendCanonical(nil, shanghai)
			require.ErrorIs(t, err, ErrNumber, object)
			verdict, _, err := Verify([]*Key{NewKey(HMACSHA256, "k")}, read(t, object[:len(object)-1]+`,"sign":"x"}`), shanghai)
			require.ErrorIs(t, err, ErrNumber)
			require.Equal(t, Forged, verdict)
		}
	}
}
