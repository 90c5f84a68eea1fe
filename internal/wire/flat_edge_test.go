package wire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is wrong, or needs a closer look, is not signed while it is read, however small the difference is.
func TestFlatRefusesWhatTheReaderRefuses(t *testing.T) {
	key := NewKey(HMACSHA256, "k")
	names := []string{"a", "A", "b", "abcdefgh", "Abcdefgh", "abcdefghA", "abcdefgha", "abcdefghB", "abcdefghb", "bbcdefgha", "abcdefgh12345678", "abcdefgh12345678a", "abcdefgh12345678b", "sign", "Sign", "signs", "aTime"}
	values := []string{`1`, `0`, `""`, `"x"`, `null`, `[]`, `[{}]`, `01`, `1x`, `"2024-05-12 15:50:34"`, `{}`, `tru`, `nul`, "\"\x7f\"", "\"\x1f\""}
	for c := 0x80; c < 0x100; c++ { // what may start a character, whether it is one or not
		for _, rest := range []string{"", "\x80", "\x80\x80", "\xBF\xBF", "\xBF\x80\x80", "\x80x", "x\x80", "\xA0\x80"} {
			values = append(values, `"`+string([]byte{byte(c)})+rest+`"`, `"支`+string([]byte{byte(c)})+rest+`x"`)
		}
	}
	hold := func(message string) {
		text := []byte(message)
		text = text[:len(text):len(text)]
		sign, ok := key.AppendSignFlat(nil, text)
		if verified := key.VerifyFlat(text); !ok {
			require.False(t, verified, message)
			return
		}
		var o Object
		require.NoError(t, o.Read(text), message)
		want, err := key.AppendSign(nil, &o, shanghai)
		require.NoError(t, err, message)
		require.Equal(t, string(want), string(sign), message)
	}
	for _, v := range values {
		for _, n := range names {
			hold(fmt.Sprintf(`{"%s":%s}`, n, v))
			hold(fmt.Sprintf(`{"%s":%s,"z":1}`, n, v))
			hold(fmt.Sprintf(`{"a":[{"%s":%s,"z":1}],"z":1}`, n, v))
			hold(fmt.Sprintf(`{"a":[%s,1],"z":1}`, v))
		}
	}
	for _, x := range names {
		for _, y := range names {
			for _, z := range names {
				hold(fmt.Sprintf(`{"%s":1,"%s":"2","%s":3}`, x, y, z))
				hold(fmt.Sprintf(`{"a":[{"%s":1,"%s":"2","%s":3}]}`, x, y, z))
			}
		}
	}
	// Up to the end of the room that there is, and over it, by everything that is written without a look at it.
	for n := block - 4*spare; n < block+2*spill; n++ {
		pad := strings.Repeat("x", n)
		for _, f := range []string{
			`{"%s":0}`, `{"%s":12345678}`, `{"%s":true}`, `{"%s":null,"y":1}`, `{"%s":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}`, `{"%s":[]}`, `{"%s":"支支支"}`, `{"a":"%s支支支x"}`, `{"%s":[{"a":0}]}`,
			`{"a":["%s",0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}`, `{"a":["%s",12345678,1234567812345678,1]}`, `{"a":["%s",true,false,null,true]}`, `{"a":["%s",[]]}`, `{"a":["%s","","",""]}`, `{"a":["%s",{"b":0,"a":true}]}`,
			`{"a":["%s支支支支支支"]}`, `{"a":[{"b":0,"a":"%s"}]}`, `{"a":[{"b":0,"%s":1}],"b":[0]}`,
		} {
			hold(fmt.Sprintf(f, pad))
		}
	}
	for n := range 1200 { // each member of the object has room, but not all of them
		hold(`{"a":["` + strings.Repeat("x", block-1300+n) + `",{"b":"` + strings.Repeat("y", 70) + `","c":"` + strings.Repeat("z", n%150) + `","d":"` + strings.Repeat("y", 70) + `","e":0,"f":true,"g":12345678,"h":"` + strings.Repeat("z", 60) + `"}]}`)
	}
	digits := strings.Repeat("1", block-4*spare)
	for n := range 5 * spare {
		hold(`{"a":` + digits + strings.Repeat("1", n) + `}`)
		hold(`{"a":[` + digits + strings.Repeat("1", n) + `,0,0,0,0]}`)
		hold(`{"a":[` + strings.Repeat("0,", (block-4*spare)/2) + strings.Repeat("0,", n) + `0]}`)
		hold(`{"a":[` + strings.Repeat(`"",`, block-4*spare) + strings.Repeat("0,", n) + `0]}`)
		hold(`{"a":["` + strings.Repeat("支", (block-4*spare)/3) + strings.Repeat("x", n) + `",0,0,0]}`)
		hold(`{"a":["` + strings.Repeat("x", n) + strings.Repeat("支", block/3) + `",0,0,0]}`)
	}
}
