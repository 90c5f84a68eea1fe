package wire

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCanonical(t *testing.T) {
	for _, tt := range []struct{ object, text string }{
		{`{}`, ""},
		{`{"sign":"x"}`, ""},
		{`{"b":1,"a":"x","sign":"s"}`, "a=x&b=1"},
		{`{"a":null,"b":"","c":[],"d":[ ],"e":{},"f":[[]]}`, "b=&e={}&f=[[]]"},
		{`{"B":1,"a":2,"_":3,"b0":4,"D":5,"é":6}`, "B=1&D=5&_=3&a=2&b0=4&é=6"},
		{`{"\ue000":1,"😀":2,"z":3}`, "z=3&😀=2&\ue000=1"}, // by UTF-16 units
		{`{"a":"q\"b\\c\n\t\u0001\u00a0\u2028é😀\/"}`, "a=qbc\n\t\u0001\u00a0\u2028é😀/"},
		{`{"a\"\\b":"c"}`, "ab=c"},
		{`{"a":true,"b":false}`, "a=true&b=false"},
		{`{"a":1.50,"b":-0,"c":1e2,"d":1.50e1,"e":-1.5E-2,"f":0.00,"g":12345678901234567890123,"h":-0.0,"i":100e-2}`,
			"a=1.50&b=0&c=100&d=15.0&e=-0.015&f=0.00&g=12345678901234567890123&h=0.0&i=1.00"},
		{`{"a":[1.50,2.0,-0,1e2,1.50e1,0.00,100e-2,-1.230E-3]}`, "a=[1.5,2,0,100,15,0,1,-0.00123]"},
		{`{"a":[null,1],"b":[null],"c":[[null,{"x":null}],null],"d":{"x":[null],"y":[[null]]}}`,
			"a=[1]&b=[]&c=[[{}]]&d={x:[],y:[[]]}"},
		{`{"e":{"b":1,"A":2,"c":null,"_":3}}`, "e={_:3,A:2,b:1}"},
		{`{"l":[{"b":1,"A":null},{},{"B":null},"x",null,[{"z":1,"y":2}]]}`, "l=[{b:1},{},{},x,[{z:1,y:2}]]"},
		{`{"e":{"x":{"b":1,"a":null,"A0":[{"d":1,"c":2}]}}}`, "e={x:{b:1,A0:[{d:1,c:2}]}}"},
		{`{"e":{"k\"\n\u00a0\u007f":"q\"b\\c\n\r\t\b\f\u0000\u001f\u007f\u0080\u00a0\u00a1\u2000\u2010\u2011\u2027\u2028\u202f\u2030\u2065\u2066\u206f\u2070\/é😀"}}`,
			"e={kn" + "u00a0" + "\u007f" + ":qbcnrtbf" + "u0000u001f\u007fu0080u00a0\u00a1" + "u2000u2010\u2011\u2027" +
				"u2028u202f\u2030\u2065" + "u2066u206f\u2070/é😀}"},
		{`{"finishTime":"2024-05-12 15:50:34","details":[{"finishTime":"2024-05-12 15:50:34","when":"2024-05-12 15:50:34"}],"x":{"finishTime":"2024-05-12 15:50:34"}}`,
			"details=[{finishTime:1715500234,when:2024-05-12 15:50:34}]&finishTime=1715500234&x={finishTime:2024-05-12 " +
				"15:50:34}"},
		{`{"finishTime":"2024-02-30 00:00:00","payTime":"2024-05-12T15:50:34","successTime":1715500234}`,
			"finishTime=2024-02-30 00:00:00&payTime=2024-05-12T15:50:34&successTime=1715500234"},
	} {
		text, err := read(t, tt.object).AppendCanonical(nil, shanghai)
		require.NoError(t, err)
		require.Equal(t, tt.text, string(text), tt.object)
	}
	for _, object := range []string{`{"a":1e41}`, `{"a":1E-41}`, `{"a":[1e99999999999999999999]}`, `{"a":{"b":-1e+41}}`,
		`{"a":[1e-40]}`} {
		_, err := read(t, object).AppendCanonical(nil, shanghai)
		require.ErrorIs(t, err, ErrNumber, object)
	}
	_, err := read(t, `{"a":1e40,"b":[1e-12]}`).AppendCanonical(nil, shanghai)
	require.NoError(t, err)
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]int64{
		"2024-05-12 15:50:34": 1715500234, "1970-01-01 08:00:00": 0, "2024-02-29 23:59:59": 1709222399,
	} {
		when, ok := ParseTime([]byte(text), shanghai)
		require.True(t, ok, text)
		require.Equal(t, want, when.Unix())
	}
	for _, text := range []string{
		"", "2024-05-12", "2024-05-12T15:50:34", "2024-05-12 15:50:34Z", "2024-5-12 15:50:34", "2024-13-01 00:00:00",
		"2024-00-10 00:00:00",
		"2024-02-30 00:00:00", "2023-02-29 00:00:00", "2024-05-00 00:00:00", "2024-05-12 24:00:00", "2024-05-12 15:60:00",
		"2024-05-12 15:00:60",
		"２024-05-12 15:5", "-024-05-12 15:50:34",
	} {
		_, ok := ParseTime([]byte(text), shanghai)
		require.False(t, ok, text)
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("2024-05-12 15:50:34")
	f.Add("2024-02-30 00:00:00")
	f.Fuzz(func(t *testing.T, text string) {
		when, ok := ParseTime([]byte(text), shanghai)
		other, err := time.ParseInLocation(time.DateTime, text, shanghai)
		if ok {
			require.NoError(t, err)
			require.True(t, when.Equal(other))
			require.Equal(t, text, when.Format(time.DateTime))
		} else if err == nil {
			require.NotEqual(t, text, other.Format(time.DateTime))
		}
	})
}

// A long message is hashed in blocks as it is written. The digest must be that of the whole text, wherever the blocks
// end.
func TestLongMessagesAreHashedWhole(t *testing.T) {
	keys := map[Algorithm]*Key{HMACSHA256: NewKey(HMACSHA256, "k"), MD5: NewKey(MD5, "k")}
	for _, length := range []int{0, 1, block - 8, block - 3, block - 2, block - 1, block, block + 1, 2*block - 2,
		2 * block, 10*block + 1} {
		for _, object := range []string{
			fmt.Sprintf(`{"a":%q,"b":"x"}`, strings.Repeat("x", length)),
			fmt.Sprintf(`{"a":"%s","b":"x"}`, strings.Repeat(`\u00e9\"`, length)),
			fmt.Sprintf(`{"a":[{"n":"%s"}],"b":[%s1]}`, strings.Repeat(`\n\u00a0é`, length), strings.Repeat("12,", length)),
		} {
			o := read(t, object)
			text, err := o.AppendCanonical(nil, shanghai)
			require.NoError(t, err)
			for algorithm, key := range keys {
				sign, err := key.AppendSign(nil, o, shanghai)
				require.NoError(t, err)
				require.Equal(t, Digest(algorithm, "k", string(text)+"&key=k"), string(sign), "length %d", length)
			}
		}
	}
}

func TestVerify(t *testing.T) {
	key := NewKey(HMACSHA256, "k")
	o := read(t, `{"a":1}`)
	sign, err := key.AppendSign(nil, o, shanghai)
	require.NoError(t, err)
	for value, want := range map[string]Verdict{
		`"` + string(sign) + `"`:                  Genuine,
		`"` + strings.ToUpper(string(sign)) + `"`: Forged,
		`"` + string(sign)[1:] + `"`:              Forged,
		`""`:                                      Unsigned,
		`null`:                                    Unsigned,
		`0`:                                       Forged,
		`[]`:                                      Forged,
	} {
		verdict, _, err := Verify([]*Key{key}, read(t, `{"a":1,"sign":`+value+`}`), shanghai)
		require.NoError(t, err)
		require.Equal(t, want, verdict, value)
	}
	verdict, _, err := Verify([]*Key{key}, o, shanghai)
	require.NoError(t, err)
	require.Equal(t, Unsigned, verdict)
	verdict, _, err = Verify([]*Key{key}, read(t, `{"a":1e9999,"sign":"x"}`), shanghai)
	require.ErrorIs(t, err, ErrNumber)
	require.Equal(t, Forged, verdict)
}

func TestParseInt(t *testing.T) {
	for _, text := range []string{
		"0", "7", "-7", "10", "1234567", "12345678", "123456789", "1715500234", "-1715500234", "9999999999999999",
		"123456789012345678",
		"9223372036854775807", "-9223372036854775808",
	} {
		want, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		got, err := parseInt([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"9223372036854775808", "-9223372036854775809", "123456789012345678901234567890"} {
		_, err := parseInt([]byte(text))
		require.ErrorIs(t, err, errRange, text)
	}
	digits := "12345678901234567"
	for length := range len(digits) + 1 {
		for at := range length {
			for c := range 256 {
				text := []byte(digits[:length])
				text[at] = byte(c)
				_, want := strconv.ParseUint(string(text), 10, 64)
				_, err := parseInt(text)
				if leading := at == 0 && (c == '-' || c == '0'); !leading {
					require.Equal(t, want == nil, err == nil, "%q", text)
				}
			}
		}
	}
	for _, text := range []string{"", "-", "-0", "00", "01", "-01", "+1", "1.0", "1e3", " 1", "0012345678", "1234567 "} {
		_, err := parseInt([]byte(text))
		require.ErrorIs(t, err, errInteger, text)
	}
}
