package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

func read(t testing.TB, text string) *Object {
	t.Helper()
	var o Object
	require.NoError(t, o.Read([]byte(text)))
	return &o
}

// Member is one name and its value.
type Member struct {
	Name  []byte // unescaped
	Value Value
}

// Members lists the members.
func (o *Object) Members() (list []Member) {
	for i := range o.entries {
		list = append(list, Member{o.nameOf(&o.entries[i]), o.valueOf(&o.entries[i])})
	}
	return list
}

func TestReadAccepts(t *testing.T) {
	o := read(t, " {\"a\" : 1 ,\n\"b\":\"x\\\"\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\\",\"\\u0063\":[ "+
		"],\"d\":{\"e\":[{},null,true,false]},\"\":-0.5E+3,\"日\":\"\u007f\"}\t\r\n")
	names := make([]string, 0, len(o.Members()))
	for _, m := range o.Members() {
		names = append(names, string(m.Name))
	}
	require.Equal(t, []string{"a", "b", "c", "d", "", "日"}, names)
	b, ok := o.Get("b")
	require.True(t, ok)
	require.Equal(t, String, b.Kind)
	require.True(t, b.Escaped)
	require.Equal(t, "x\"é😀/\b\f\n\r\t\\", string(b.Text()))
	d, _ := o.Get("d")
	require.Equal(t, Dict, d.Kind)
	require.Equal(t, `{"e":[{},null,true,false]}`, string(d.Raw))
	last, _ := o.Get("日")
	require.False(t, last.Escaped)
	require.Equal(t, "\u007f", string(last.Text()))
	_, ok = o.Get("A")
	require.False(t, ok)

	require.Empty(t, read(t, "{}").Members())
	deep := strings.Repeat(`{"a":`, MaxDepth-1) + "{}" + strings.Repeat("}", MaxDepth-1)
	read(t, deep)
	require.Error(t, new(Object).Read([]byte(`{"a":`+deep+"}")))
	for _, n := range []string{"0", "-0", "10", "1.0", "0.10", "1e5", "1E-5", "1.5e+05", "-12345678901234567890"} {
		v, _ := read(t, `{"a":`+n+`}`).Get("a")
		require.Equal(t, Number, v.Kind)
		require.Equal(t, n, string(v.Raw))
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tt := range []struct{ text, reason string }{
		{"", "an object is expected"}, {"  ", "an object is expected"}, {"[]", "an object is expected"},
		{"null", "an object is expected"},
		{`{`, "a member name"}, {`{"a"`, "a colon"}, {`{"a":`, "a value"}, {`{"a":1`, "does not end"},
		{`{"a":1,`, "a member name"}, {`{"a":1,}`, "a member name"},
		{`{,}`, "a member name"}, {`{a:1}`, "a member name"}, {`{'a':1}`, "a member name"}, {`{1:1}`, "a member name"},
		{`{"a" 1}`, "a colon"}, {`{"a"::1}`, "a value"},
		{`{"a":1 "b":2}`, "a comma"}, {`{"a":1;}`, "a comma"}, {`{"a":1}}`, "something follows"},
		{`{"a":1}{}`, "something follows"}, {`{"a":1} x`, "something follows"},
		{`{"a":[}`, "a value"}, {`{"a":[1`, "the list does not end"}, {`{"a":[1,]}`, "a value"}, {`{"a":[1}`, "a comma"},
		{`{"a":[1 2]}`, "a comma"}, {`{"a":[,1]}`, "a value"},
		{`{"a":tru}`, "a value"}, {`{"a":True}`, "a value"}, {`{"a":nul}`, "a value"}, {`{"a":nullx}`, "a comma"},
		{`{"a":undefined}`, "a value"},
		{`{"a":01}`, "a comma"}, {`{"a":-}`, "a value"}, {`{"a":+1}`, "a value"}, {`{"a":.5}`, "a value"},
		{`{"a":5.}`, "a digit"}, {`{"a":1e}`, "a digit"},
		{`{"a":1e+}`, "a digit"}, {`{"a":0x1}`, "a comma"}, {`{"a":1_000}`, "a comma"}, {`{"a":Infinity}`, "a value"},
		{`{"a":-Infinity}`, "a value"}, {`{"a":１}`, "a value"},
		{`{"a":"`, "does not end"}, {`{"a":"\`, "does not end"}, {`{"a":"\"}`, "does not end"}, {`{"a":"\u12"}`, "four hex"},
		{`{"a":"\u12G4"}`, "four hex"}, {`{"a":"\U0041"}`, "escape"},
		{`{"a":"\v"}`, "escape"}, {`{"a":"\'"}`, "escape"}, {"{\"a\":\"\t\"}", "control"}, {"{\"a\":\"\x00\"}", "control"},
		{"{\"a\x1f\":1}", "control"},
		{`{"a":"\ud800"}`, "surrogate"}, {`{"a":"\ud800x"}`, "surrogate"}, {`{"a":"\ud800\u0041"}`, "surrogate"},
		{`{"a":"\ud800\ud800"}`, "surrogate"}, {`{"a":"\udc00\ud800"}`, "surrogate"}, {`{"a":"\ud83d\n"}`, "surrogate"},
		{"{\"a\":\"\xff\"}", "UTF-8"}, {"{\"a\":\"\xc3\"}", "UTF-8"}, {"{\"a\":\"\xe2\x82\"}", "UTF-8"},
		{"{\"a\":\"\xed\xa0\x80\"}", "UTF-8"}, {"{\"a\":\"\xf4\x90\x80\x80\"}", "UTF-8"}, {"{\"\xff\":1}", "UTF-8"},
		{"\xef\xbb\xbf{}", "an object"}, {"{\"a\":1\u00a0}", "a comma"}, {"{\"a\":1/**/}", "a comma"},
		{"{\"a\":1}\x00", "something follows"},
		{`{"a":1,"a":1}`, "twice"}, {`{"a":1,"\u0061":1}`, "twice"}, {`{"a":1,"A":1}`, "twice"}, {`{"":1,"":2}`, "twice"},
		{`{"status":1,"ſtatus":1}`, "twice"}, {`{"key":1,"Key":1}`, "twice"},
		{`{"x":{"b":1,"B":1}}`, "twice"}, {`{"x":[[{"É":1,"é":1}]]}`, "twice"}, {`{"Σ":1,"ς":2}`, "twice"},
		{`{"x":` + strings.Repeat("[", 100_000), "deeply"}, {strings.Repeat(`{"x":`, 100_000), "deeply"},
	} {
		o := read(t, `{"a":1,"b":2,"c":3}`)
		err := o.Read([]byte(tt.text))
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax, "%.40s", tt.text)
		require.Contains(t, err.Error(), tt.reason, "%.40s", tt.text)
		require.LessOrEqual(t, syntax.Offset, len(tt.text))
		require.Empty(t, o.Members(), "nothing is left to be read of a refused text")
	}
}

func TestReadFindsTwinsAmongMany(t *testing.T) {
	for _, n := range []int{2, 15, 16, 17, 18, 100, maxObjectMembers - 1} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"n%d":%d,`, i, i)
		}
		read(t, "{"+b.String()+`"last":0}`)
		for _, twin := range []int{0, n / 2, n - 1} {
			require.ErrorContains(t, new(Object).Read([]byte(fmt.Sprintf(`{%s"N%d":0}`, b.String(), twin))), "twice", "%d of %d",
				twin, n)
		}
	}
}

// Names that are the same to encoding/json must be the same to this reader, or the two could see different members.
func TestFoldJoinsWhatEncodingJSONJoins(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		for s := unicode.SimpleFold(r); s != r; s = unicode.SimpleFold(s) {
			require.Equal(t, folds().fold(r), folds().fold(s), "%U and %U", r, s)
		}
	}
}

// Names fold as in Java, except for pairs that are new in Unicode 17: two of Greek letters, one of ligatures.
func TestFoldIsJavas(t *testing.T) {
	others := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if folds().fold(r) != foldAsJava(r) {
			others++
		}
	}
	require.LessOrEqual(t, others, 3)
}

func TestReadWith(t *testing.T) {
	var outer, inner Object
	text := `{"data":{"a":1,"data":{"b":2}},"x":{"data":{"c":3}}}`
	require.NoError(t, outer.ReadWith([]byte(text), &inner, "data"))
	require.Len(t, outer.Members(), 2)
	require.Len(t, inner.Members(), 2)
	require.Equal(t, "a", string(inner.Members()[0].Name))

	require.NoError(t, outer.ReadWith([]byte(`{"\u0061":"\u0061","d\u0061ta":{"\u0061":1}}`), &inner, "data"))
	require.Len(t, inner.Members(), 1, "however its name is spelled")
	require.Equal(t, "a", string(inner.Members()[0].Name))
	require.NoError(t, outer.ReadWith([]byte(`{"x":{"data":{"c":3}}}`), &inner, "data"))
	require.Empty(t, inner.Members())
	require.NoError(t, outer.ReadWith([]byte(`{"data":[{"c":3}]}`), &inner, "data"))
	require.Empty(t, inner.Members())
	require.Error(t, outer.ReadWith([]byte(`{"data":{"c":3}`), &inner, "data"))
	require.Empty(t, inner.Members())
	outer.Release()
	require.Empty(t, outer.Members())
}

// FuzzRead compares the reader with encoding/json. What is accepted must have the same members and values there. What
// is refused must be invalid there too, except where this reader is stricter.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"seed-pages.jsonl", "captured.jsonl", "requests.jsonl"} {
		for _, v := range readVectors(f, name) {
			f.Add([]byte(v.Body))
		}
	}
	f.Add([]byte(`{"a":{"b":[1,2.5e3,"\u00e9\ud83d\ude00"]},"c":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var o Object
		err := o.Read(text)
		if err != nil {
			for _, stricter := range []string{"twice", "deeply", "surrogate", "UTF-8", "object is expected", "too long",
				"too many"} {
				if strings.Contains(err.Error(), stricter) {
					return
				}
			}
			require.False(t, json.Valid(text), "%v", err)
			return
		}
		var other map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &other))
		require.Len(t, other, len(o.Members()))
		for _, m := range o.Members() {
			raw, ok := other[string(m.Name)]
			require.True(t, ok)
			require.Equal(t, string(raw), string(m.Value.Raw))
			require.Equal(t, m.Value, valueAt(m.Value.Raw, 0), "the quick reader agrees with the strict one")
			if m.Value.Kind == String {
				var s string
				require.NoError(t, json.Unmarshal(raw, &s))
				require.Equal(t, s, string(m.Value.Text()))
			}
		}
		if _, err := o.AppendCanonical(nil, shanghai); err != nil {
			require.ErrorIs(t, err, ErrNumber)
		}
	})
}
