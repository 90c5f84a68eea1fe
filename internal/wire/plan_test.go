package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay/internal/gateway"
)

type embeddedTime struct{ time.Time }

// EmbeddedByPointer is exported: reflection sees its fields through a nil pointer.
type EmbeddedByPointer struct {
	Number string `json:"number" daxpay:"no"`
}

type color string

type common struct {
	ClientIP string    `json:"clientIp"`
	NonceStr string    `json:"nonceStr"`
	ReqTime  time.Time `json:"reqTime"`
}

type item struct {
	Zed   string           `json:"zed" daxpay:"text"`
	Alpha *int64           `json:"Alpha"`
	Mid   []string         `json:"mid" daxpay:"text"`
	Deep  *item2           `json:"deep"`
	Raw   json.RawMessage  `json:"raw"`
	When  embeddedTime     `json:"when"`
	List  [][]int          `json:"list"`
	No    string           `json:"no"`
	Skip  func()           `json:"-"`
	hide  map[string]int32 //nolint:unused // an unexported field is passed over
}

type item2 struct {
	B string `json:"b" daxpay:"text"`
	A uint8  `json:"A"`
}

type everything struct {
	common
	Text    string          `json:"text" daxpay:"text"`
	Color   color           `json:"color" daxpay:"proof"`
	N       int64           `json:"n" daxpay:"min=-5"`
	Small   int8            `json:"small"`
	U       uint32          `json:"u"`
	OK      bool            `json:"ok"`
	No      *bool           `json:"no"`
	When    embeddedTime    `json:"when"`
	Item    item            `json:"item"`
	Ptr     *item2          `json:"ptr"`
	Items   []item          `json:"items"`
	Raw     json.RawMessage `json:"raw"`
	AllocNo string          `json:"allocNo" daxpay:"no,max=5"`
	Plain   string
	Own     brokenJSON        `json:"own"`
	Raws    []json.RawMessage `json:"raws"`
}

func planOf(t testing.TB, v any) *Plan {
	t.Helper()
	p, err := PlanOf(reflect.TypeOf(v))
	require.NoError(t, err)
	again, err := PlanOf(reflect.TypeOf(v))
	require.NoError(t, err)
	require.Same(t, p, again)
	return p
}

func TestPlanRefusesWhatItCannotCarry(t *testing.T) {
	type loop struct {
		Next []*loop `json:"next"`
	}
	for _, tt := range []struct {
		v      any
		reason string
	}{
		{1, "is not a struct"},
		{struct{}{}, "has no field"},
		{struct{ a int }{}, "has no field"},
		{struct{ F float64 }{}, "F is floating point"},
		{struct{ F []float32 }{}, "F is floating point"},
		{struct{ M map[string]string }{}, "M has the type map[string]string, which is not supported"},
		{struct{ C chan int }{}, "not supported"},
		{struct {
			A int `json:"a,string"`
		}{}, `A has the option "string"`},
		{struct {
			A int `json:"a" daxpay:"maximum=3"`
		}{}, `A has the unknown option "maximum=3"`},
		{struct {
			A int `json:"a" daxpay:"max=x"`
		}{}, `A has the option "max=x"`},
		{struct {
			A int `json:"a"`
			B int `json:"A"`
		}{}, "has the same name as"},
		{struct {
			A int `json:"a&b"`
		}{}, "cannot be that of a member"},
		{struct {
			Inner struct{ F float64 }
		}{}, "F is floating point"},
		{loop{}, "contains itself"},
		{struct {
			*EmbeddedByPointer
		}{}, "EmbeddedByPointer is an embedded pointer"},
		{struct {
			*embeddedTime
			A int
		}{}, "embeddedTime is an embedded pointer"},
		{struct{ P **int }{}, "is a pointer to a pointer"},
		{struct {
			A string `json:"allocNo"`
			B string `json:"allocationNo"`
		}{}, "has the same name as A"},
		{struct {
			B string `json:"allocationNo"`
			A string `json:"allocNo"`
		}{}, "has the same name as B"},
		{struct {
			ID int64 `json:"id" daxpay:"no"`
		}{}, `only those can have "no"`},
		{struct {
			ID *string `json:"id" daxpay:"no"`
		}{}, `only those can have "no"`},
		{struct {
			T string `json:"payTime"`
		}{}, "use time.Time"},
		{struct {
			T []*string `json:"payTime"`
		}{}, "use time.Time"},
		{struct {
			T json.RawMessage `json:"payTime"`
		}{}, "use time.Time"},
	} {
		_, err := PlanOf(reflect.TypeOf(tt.v))
		var typeError *TypeError
		require.ErrorAs(t, err, &typeError, "%T", tt.v)
		require.ErrorContains(t, err, tt.reason)
	}
}

// encode returns the request that a struct becomes, and its canonical text.
func encode(t testing.TB, v any, version gateway.Version, stamp Stamp) (body, canonical string) {
	t.Helper()
	var e Encoder
	text, err := e.Encode(planOf(t, v).Layout("/x", version), reflect.ValueOf(v), stamp)
	require.NoError(t, err)
	canonical = string(text)
	key := NewKey(HMACSHA256, "k")
	return strings.Replace(string(e.Seal(key)), Digest(HMACSHA256, "k", canonical+KeyLabel+"k"), "SIGN", 1), canonical
}

func TestEncode(t *testing.T) {
	no, seven := false, int64(7)
	stamp := Stamp{ClientIP: "192.0.2.1", Nonce: "nonce", Time: 1715500231}
	body, text := encode(t, everything{}, gateway.V208, stamp)
	require.Equal(t, `{"clientIp":"192.0.2.1","nonceStr":"nonce","reqTime":1715500231,"sign":"SIGN"}`, body)
	require.Equal(t, "clientIp=192.0.2.1&nonceStr=nonce&reqTime=1715500231", text)
	body, _ = encode(t, everything{}, gateway.V207, Stamp{Nonce: "nonce", Time: 1715500231})
	require.Equal(t, `{"reqTime":1715500231,"sign":"SIGN"}`, body)

	body, text = encode(t, everything{
		common: common{ClientIP: "::1", NonceStr: "own", ReqTime: time.Unix(1715500000, 999)},
		Text:   "q\"b\\c\n\x01é😀", Color: "red", N: -5, Small: 127, U: math.MaxUint32, OK: true, No: &no,
		When: embeddedTime{time.Unix(1715500001, 0)},
		Item: item{Zed: "z\n", Alpha: &seven, Mid: []string{"m", ""}, Deep: &item2{B: "b\"", A: 1},
			Raw: json.RawMessage(`{"y": 1.50, "X": null}`), When: embeddedTime{time.Unix(1715500002, 0)},
			List: [][]int{{1}, {}}},
		Ptr:   &item2{},
		Items: []item{{}, {Zed: "z"}}, Raw: json.RawMessage(`[{"y":1.50,"X":"x"}]`), AllocNo: "A1", Plain: "p",
	}, gateway.V207, stamp)
	require.Equal(t, `{"Plain":"p","allocationNo":"A1","clientIp":"::1","color":"red",`+
		`"item":{"Alpha":7,"deep":{"A":1,"b":"b\""},"list":[[1],[]],"mid":["m",""],"raw":{"y":1.50,"X":null},"when":1715500002,"zed":"z\n"},`+
		`"items":[{},{"zed":"z"}],"n":-5,"no":false,"ok":true,"ptr":{},"raw":[{"y":1.50,"X":"x"}],"reqTime":1715500000,"small":127,"text":"q\"b\\c\n\u0001é😀","u":4294967295,"when":1715500001,"sign":"SIGN"}`, body)
	require.Equal(t, "Plain=p&allocationNo=A1&clientIp=::1&color=red"+
		"&item={Alpha:7,deep:{A:1,b:b},list:[[1],[]],mid:[m,],raw:{y:1.5},when:1715500002,zed:zn}"+
		"&items=[{},{zed:z}]&n=-5&no=false&ok=true&ptr={}&raw=[{X:x,y:1.5}]"+
		"&reqTime=1715500000&small=127&text=qbc\n\x01é😀&u=4294967295&when=1715500001", text)
}

// A value in an interface writes its own JSON if its type can, also with a method of the pointer.
func TestEncodeInterface(t *testing.T) {
	type holder struct {
		V any `json:"v"`
	}
	for _, tt := range []struct {
		v    any
		body string
	}{
		{brokenJSON{`"own"`}, `{"v":"own","sign":"SIGN"}`},
		{&brokenJSON{`"own"`}, `{"v":"own","sign":"SIGN"}`},
		{item2{B: "b"}, `{"v":{"b":"b"},"sign":"SIGN"}`},
		{&item2{B: "b"}, `{"v":{"b":"b"},"sign":"SIGN"}`},
		{"text", `{"v":"text","sign":"SIGN"}`},
		{time.Unix(1715500231, 0), `{"v":1715500231,"sign":"SIGN"}`},
	} {
		require.Empty(t, planOf(t, holder{}).Check(planOf(t, holder{}).Layout("/x", gateway.V208),
			reflect.ValueOf(holder{tt.v}), planOf(t, holder{}), nil, false))
		body, _ := encode(t, holder{tt.v}, gateway.V208, Stamp{Zone: shanghai})
		require.Equal(t, tt.body, body, "%T", tt.v)
	}
	for _, v := range []any{nil, "", &item2{}, (*item2)(nil), item2{}} {
		body, _ := encode(t, struct {
			holder
			N int `json:"n"`
		}{holder{v}, 1}, gateway.V208, Stamp{})
		require.Equal(t, `{"n":1,"sign":"SIGN"}`, body, "%T", v)
	}
	type loop *loop
	var endless loop
	endless = &endless
	var inner any = "x"
	for _, v := range []any{1.5, map[string]int{"a": 1}, []any{nil}, []any{"x", (*item2)(nil)}, endless, &inner} {
		require.NotEmpty(t, planOf(t, holder{}).Check(planOf(t, holder{}).Layout("/x", gateway.V208),
			reflect.ValueOf(holder{v}), planOf(t, holder{}), nil, false), "%T", v)
	}
	circle := &holder{}
	circle.V = circle
	ring := []any{nil}
	ring[0] = ring
	for _, v := range []any{circle, ring} {
		faults := planOf(t, holder{}).Check(planOf(t, holder{}).Layout("/x", gateway.V208), reflect.ValueOf(holder{v}),
			planOf(t, holder{}), nil, false)
		require.Len(t, faults, 1)
		require.Equal(t, "must not be nested deeper than 32 levels", faults[0].Reason)
	}
	body, _ := encode(t, holder{[]any{"x", 5, item2{A: 1}}}, gateway.V208, Stamp{})
	require.Equal(t, `{"v":["x",5,{"A":1}],"sign":"SIGN"}`, body)
}

func TestLayouts(t *testing.T) {
	p := planOf(t, everything{})
	require.False(t, p.Layout("/x", gateway.V208).Same(p.Layout("/x", gateway.V207)))
	require.False(t, p.Layout("/x", gateway.V208).SameNames(p.Layout("/x", gateway.V207)))
	require.False(t, p.Layout("/x", gateway.Printed).Same(p.Layout("/x", gateway.V207)))
	require.True(t, p.Layout("/x", gateway.Printed).SameNames(p.Layout("/x", gateway.V207)))
	require.True(t, p.Layout("/x", gateway.V206).Same(p.Layout("/x", gateway.V207)))
	plain := planOf(t, struct{ common }{})
	require.True(t, plain.Layout("/x", gateway.Printed).Same(plain.Layout("/x", gateway.V208)))
	require.True(t, plain.Layout("/x", gateway.V207).SameNames(plain.Layout("/x", gateway.V208)))
}

// The canonical text of the encoder must be the one that a reader of its JSON would sign.
func TestEncoderAndReaderSignTheSameText(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "单", "😀", `"`, `\`, "\n", "\t", "\r", "\b", "\f", "\x01", "\u00a0", "\u2028", "&", "=", ",",
		"{", "}", "[", ":", "/", "\u007f", " "}
	str := func() string {
		var b strings.Builder
		for range random.IntN(6) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	when := func() embeddedTime {
		if random.IntN(2) == 0 {
			return embeddedTime{}
		}
		return embeddedTime{time.Unix(1_000_000_000+random.Int64N(1e9), 0)}
	}
	raw := func() json.RawMessage {
		if random.IntN(2) == 0 {
			return nil
		}
		open, shut := "", ""
		if random.IntN(2) == 0 {
			open, shut = "[", "]"
		}
		quoted, err := json.Marshal(str() + "x")
		require.NoError(t, err)
		return json.RawMessage(fmt.Sprintf(`%s{"z":%s,"A":[1.50,null,{"y":1,"x":%[2]s}],"b":{"d":2e2,"c":null},"aTime":"2024-05-12 15:50:34"}%s`,
			open, quoted, shut))
	}
	makeItem := func() item {
		n := random.Int64N(5) - 2
		it := item{Zed: str(), Mid: []string{str(), "x"}, Raw: raw(), When: when()}
		if n != 0 {
			it.Alpha, it.Deep = &n, &item2{A: uint8(n + 2), B: str()}
		}
		return it
	}
	for range 20_000 {
		v := everything{Own: brokenJSON{`"own"`},
			Raws: []json.RawMessage{json.RawMessage(`[2.0]`), json.RawMessage(`{"b":1,"A":{"d":1,"c":2}}`)}, Text: str(),
			Color: color(str()), N: random.Int64() - random.Int64(), OK: random.IntN(2) == 0, When: when(), Item: makeItem(),
			Raw: raw(), Plain: str()}
		for range random.IntN(3) {
			v.Items = append(v.Items, makeItem())
		}
		body, text := encode(t, v, gateway.V208, Stamp{Nonce: "n", Time: 1715500231, Zone: shanghai})
		canonical, err := read(t, body).AppendCanonical(nil, shanghai)
		require.NoError(t, err)
		require.Equal(t, text, string(canonical), body)
	}
}

func TestDecode(t *testing.T) {
	p := planOf(t, everything{})
	decode := func(text string) (everything, error) {
		var v everything
		err := p.Decode(read(t, text), reflect.ValueOf(&v).Elem(), shanghai)
		return v, err
	}
	no, five := false, int64(5)
	got, err := decode(`{"text":"t\"","color":"red","n":"-5","small":-128,"u":4294967295,"ok":true,"no":false,"when":"2024-05-12 15:50:34","unknown":{"a":1},
		"item":{"zed":"z","Alpha":"5","mid":["a","","b"],"deep":{"b":"x","A":255},"raw":{"q":1.50},"when":1715500231,
		"list":[[1,2],[],null]},
		"ptr":null,"items":[{"zed":"1"},null,{"Alpha":5}],"raw":"x","allocationNo":"A1","Plain":"p","reqTime":"1715500231"}`)
	require.NoError(t, err)
	zoned := func(seconds int64) time.Time { return time.Unix(seconds, 0).In(shanghai) }
	require.Equal(t, everything{
		common: common{ReqTime: zoned(1715500231)},
		Text:   `t"`, Color: "red", N: -5, Small: -128, U: math.MaxUint32, OK: true, No: &no,
		When: embeddedTime{zoned(1715500234)},
		Item: item{Zed: "z", Alpha: &five, Mid: []string{"a", "", "b"}, Deep: &item2{B: "x", A: 255},
			Raw: json.RawMessage(`{"q":1.50}`), When: embeddedTime{zoned(1715500231)}, List: [][]int{{1, 2}, {}}},
		Items: []item{{Zed: "1"}, {Alpha: &five}}, Raw: json.RawMessage(`"x"`), AllocNo: "A1", Plain: "p",
	}, got)

	for text, reason := range map[string]string{
		`{"text":1}`: "member text must be a string", `{"color":null,"text":true}`: "must be a string",
		`{"n":1.0}`: "must be an integer", `{"n":1e2}`: "must be an integer", `{"n":"1.0"}`: "must be an integer",
		`{"n":""}`: "must be an integer", `{"n":" 1"}`: "must be an integer",
		`{"n":"+1"}`: "must be an integer", `{"n":"01"}`: "must be an integer", `{"n":"-"}`: "must be an integer",
		`{"n":-0}`: "must be an integer", `{"n":true}`: "must be an integer", `{"n":[1]}`: "must be an integer",
		`{"n":"１"}`:                 "must be an integer",
		`{"n":9223372036854775808}`: "out of range", `{"n":"-9223372036854775809"}`: "out of range",
		`{"small":128}`: "out of range", `{"u":-1}`: "out of range", `{"u":4294967296}`: "out of range",
		`{"u":"x"}`: "must be an integer",
		`{"ok":1}`:  "must be true or false", `{"ok":"true"}`: "must be true or false",
		`{"when":"yesterday"}`: "must be a time", `{"when":-1}`: "must be a time", `{"when":10000000000}`: "must be a time",
		`{"when":true}`: "must be a time", `{"when":1.5}`: "must be a time",
		`{"item":[]}`: "member item must be an object", `{"item":{"deep":{"A":256}}}`: "member item.deep.A is out of range",
		`{"items":{}}`:                         "member items must be a list",
		`{"items":[{},{"Alpha":"x"}]}`:         "member items.1.Alpha must be an integer",
		`{"items":[1]}`:                        "member items.0 must be an object",
		`{"own":1}`:                            "member own cannot be read",
		`{"allocNo":"A1","allocationNo":"A1"}`: "member allocNo is given under its new and its old name",
	} {
		_, err := decode(text)
		var member *MemberError
		require.ErrorAs(t, err, &member, text)
		require.ErrorContains(t, err, reason, text)
		require.False(t, member.Ambiguous)
	}
	got, err = decode(`{"allocNo":null,"allocationNo":"A1"}`)
	require.NoError(t, err)
	require.Equal(t, "A1", got.AllocNo)
	require.Equal(t, []string{"color"}, p.Missing(reflect.ValueOf(got)))
	require.Empty(t, p.Missing(reflect.ValueOf(everything{Color: "red"})))
}

func TestEcho(t *testing.T) {
	p := planOf(t, everything{})
	asked := reflect.ValueOf(everything{AllocNo: "A1", Text: "t"})
	for answer, want := range map[string]string{
		`{}`: "", `{"allocNo":"A1"}`: "", `{"allocationNo":"A1"}`: "", `{"allocNo":null}`: "", `{"text":"other"}`: "",
		`{"allocNo":"\u00411"}`: "",
		`{"allocNo":"A2"}`:      "allocNo", `{"allocationNo":"A2"}`: "allocNo", `{"allocNo":""}`: "allocNo",
		`{"allocNo":1}`: "allocNo", `{"allocNo":"a1"}`: "allocNo",
	} {
		name, ok := p.Echo(asked, read(t, answer))
		require.Equal(t, want, name, answer)
		require.Equal(t, want == "", ok)
	}
	type query struct {
		BizOrderNo string `json:"bizOrderNoeNo" daxpay:"no=bizOrderNo"`
	}
	name, ok := planOf(t, query{}).Echo(reflect.ValueOf(query{"B1"}), read(t, `{"bizOrderNo":"B2"}`))
	require.False(t, ok)
	require.Equal(t, "bizOrderNoeNo", name)
	_, ok = planOf(t, query{}).Echo(reflect.ValueOf(query{"B1"}), read(t, `{"bizOrderNo":"B1"}`))
	require.True(t, ok)
	_, ok = planOf(t, query{}).Echo(reflect.ValueOf(query{"B1"}), read(t, `{"":"B2"}`))
	require.True(t, ok, "a member without a name is not a number")
	_, ok = p.Echo(reflect.ValueOf(everything{}), read(t, `{"allocNo":"A2"}`))
	require.True(t, ok, "what was not asked for cannot differ")
}

func TestScreen(t *testing.T) {
	type model struct {
		Status  color    `json:"status"`
		Title   string   `json:"title" daxpay:"text"`
		Body    string   `json:"payBody" daxpay:"opaque"`
		Details []item   `json:"details"`
		AllocNo string   `json:"allocNo"`
		Pointer *string  `json:"pointer"`
		Codes   []string `json:"codes"`
	}
	p := planOf(t, model{})
	for _, tt := range []struct {
		text   string
		reason string // empty if it passes
		always bool   // refused even if ambiguous text is allowed
	}{
		{`{"status":"s","title":"a&b=c","payBody":"x&status=y","details":[{"zed":"a,b:c {x:y"}],"x":"&z=1"}`, "", false},
		{`{"title":"x&status"}`, "", false},
		{`{"title":"x&sign=1"}`, "", false},
		{`{"title":"x&Status=1"}`, "", false},
		{`{"title":"x&status=success"}`, reasonCut, false},
		{`{"title":"&status="}`, reasonCut, false},
		{`{"title":"&a&b=1&status=2"}`, reasonCut, false},
		{`{"title":"x&stat\"us=success"}`, reasonCut, false},
		{`{"title":"x\u0026status\u003dsuccess"}`, reasonCut, false},
		{`{"title":"x&allocationNo=1"}`, reasonCut, false},
		{`{"title":"x&extra=1","extra":1}`, reasonCut, false},
		{`{"extra":"x&status=1"}`, reasonCut, false},
		{`{"title":"x&reqTime=1"}`, reasonCut, false},
		{`{"title":"x&msg=1"}`, reasonCut, false},
		{`{"title&status":"success"}`, reasonName, true},
		{`{"a=b":"c"}`, reasonName, true},
		{`{"allocN\"o":"A2"}`, reasonName, true},
		{`{"a\u0007":"c"}`, reasonName, true},
		{`{"a\u0000":"c"}`, reasonName, true},
		{`{"details":[{"ze\\d":"c"}]}`, reasonName, true},
		{`{"pointer":"suc\\cess"}`, reasonCode, true},
		{`{"codes":["a\"b"]}`, reasonCode, true},
		{`{"codes":["a,b"]}`, reasonCode, true},
		{`{"codes":[["a]b"]]}`, reasonCode, true},
		{`{"details":[{"no":"R1,remark:x"}]}`, reasonCode, true},
		{`{"details":[{"no":"R1},{"}]}`, reasonCode, true},
		{`{"details":[{"no":"R1},{shareNo:9"}]}`, reasonCode, true},
		{`{"details":[{"no":"\u2001"}]}`, reasonCode, true},
		{"{\"details\":[{\"no\":\"R\u00a0\"}]}", reasonCode, true},
		{`{"details":[{"no":"a:b-c/d"}],"codes":["a:b"]}`, "", false},
		{`{"status":"suc\\cess"}`, reasonCode, true},
		{`{"status":"suc\"cess"}`, reasonCode, true},
		{`{"status":"a&b"}`, reasonCode, true},
		{`{"status":"a\nb"}`, reasonCode, true},
		{"{\"status\":\"a\u0085b\"}", reasonCode, true},
		{`{"title":"a\u0000b"}`, reasonNUL, true},
		{`{"payBody":"a\u0000b"}`, reasonNUL, true},
		{`{"unknown":"a\u0000b"}`, reasonNUL, true},
		{`{"unknown":[["\u0000"]]}`, reasonNUL, true},
		{`{"title":"a\\u0000b"}`, "", false},
		{`{"details":[{"zed":"x&status=1"}]}`, reasonCut, false},
		{`{"details":[{"zed":"x&\tatus=1"}]}`, "", false},
		{`{"details":[{"zed":"x&s\tatus=1"}]}`, reasonCut, false}, // the tab is signed as a t
		{`{"details":[{"zed":"x,Alpha:1"}]}`, reasonCut, false},
		{`{"details":[{"zed":"x},{Alpha:1"}]}`, reasonCut, false},
		{`{"details":[{"zed":"x,y:1","y":2}]}`, reasonCut, false},
		{`{"details":[{"deep":{"b":"x,zed:1"}}]}`, reasonCut, false},
		{`{"details":[{"zed":"x","more":[{"b":1,"Alpha":"2"},{"Alpha":"3"}]}]}`, reasonHidden, true},
		{`{"details":[{"zed":"x"}],"more":[{"b":1,"Alpha":"2"}]}`, reasonHidden, true},
		{`{"details":[{"zed":"x"}],"more":{"b":[[{"Alpha":"2"}]]}}`, reasonHidden, true},
		{`{"details":[{"zed":"x"}],"more":[{"q":"1,Alpha:2"}]}`, reasonCut, false},
		{`{"details":[{"zed":"x"}],"more":["1,Alpha:2"]}`, reasonCut, false},
		{`{"details":[{"zed":"x","more":[{"q":1,"c":[2]}]}],"more":[{"q":1}]}`, "", false},
		{`{"details":[{"a,b":"x"}]}`, reasonName, true},
		{`{"unknown":{"a":{"q":"c,a:1"}}}`, reasonCut, false},
		{`{"unknown":["x&status=1"]}`, reasonCut, false},
	} {
		err := p.Screen(read(t, tt.text), Screening{})
		if tt.reason == "" {
			require.NoError(t, err, tt.text)
			continue
		}
		var member *MemberError
		require.ErrorAs(t, err, &member, tt.text)
		require.ErrorContains(t, err, tt.reason, tt.text)
		require.Equal(t, tt.reason != reasonNUL, member.Ambiguous, tt.text)
		if tt.always {
			require.Error(t, p.Screen(read(t, tt.text), Screening{AllowText: true}), tt.text)
		} else {
			require.NoError(t, p.Screen(read(t, tt.text), Screening{AllowText: true}), tt.text)
		}
	}
}

type brokenJSON struct{ text string }

// MarshalJSON is a method of the pointer, as a method that changes its receiver must be.
func (b *brokenJSON) MarshalJSON() ([]byte, error) {
	if b.text == "" {
		return nil, errors.New("secret text")
	}
	return []byte(b.text), nil
}

func (*brokenJSON) UnmarshalJSON([]byte) error { return errors.New("secret text") }

func TestCheck(t *testing.T) {
	type param struct {
		Text  string          `json:"text" daxpay:"text,max=5"`
		URL   string          `json:"url" daxpay:"opaque"`
		Code  *string         `json:"code" daxpay:"required"`
		Own   brokenJSON      `json:"own"`
		Raw   json.RawMessage `json:"raw"`
		Items []struct {
			N int64     `json:"n" daxpay:"required,min=1"`
			T time.Time `json:"t"`
		} `json:"items"`
		List *[]string `json:"list"`
		Deep struct {
			No     string `json:"no"`
			Remark string `json:"remark" daxpay:"text"`
		} `json:"deep"`
		A int `json:"a" daxpay:"oneof"`
		B int `json:"b" daxpay:"oneof"`
	}
	type answer struct {
		Level string `json:"level"`
	}
	p, a := planOf(t, param{}), planOf(t, answer{})
	good := func() param {
		code := "c"
		return param{Code: &code, A: 1}
	}
	check := func(change func(*param)) []Fault {
		v := good()
		change(&v)
		return p.Check(p.Layout("/x", gateway.V208), reflect.ValueOf(v), a, nil, false)
	}
	require.Empty(t, check(func(*param) {}))
	require.Empty(t, check(func(v *param) {
		v.Raw, v.Deep.Remark, v.Deep.No = json.RawMessage(`{"a":"\\\\u0000"}`), "a, b: {c}", "a:b"
	}))
	require.Empty(t, check(func(v *param) { v.Text, v.URL = "a\"&b", `https://x/?a=1&level=2"` }))
	empty := ""
	for _, tt := range []struct {
		change func(*param)
		want   Fault
	}{
		{func(v *param) { v.A = 0 }, Fault{"A, B", "must not all be empty"}},
		{func(v *param) { v.Code = nil }, Fault{"Code", "must be set"}},
		{func(v *param) { v.Code = &empty }, Fault{"Code", "must not be an empty string"}},
		{func(v *param) { v.Text = "&a=1" }, Fault{"Text", "must not hold"}},
		{func(v *param) { v.Text = "123456" }, Fault{"Text", "at most 5 characters, not 6"}},
		{func(v *param) { v.URL = "\xff" }, Fault{"URL", "UTF-8"}},
		{func(v *param) { v.URL = "a\x00" }, Fault{"URL", "NUL"}},
		{func(v *param) { v.Raw = json.RawMessage(`{"a":"\\\u0000"}`) }, Fault{"Raw", "NUL"}},
		{func(v *param) { v.List = &[]string{} }, Fault{"List", "empty list"}},
		{func(v *param) { v.List = &[]string{"a,b"} }, Fault{"List[0]", "commas"}},
		{func(v *param) { v.List = &[]string{""} }, Fault{"List[0]", "empty string"}},
		{func(v *param) { v.Deep.No = "R1},{amount:9,no:R2" }, Fault{"Deep.No", "commas"}},
		{func(v *param) { v.Deep.Remark = "x,no:R2" }, Fault{"Deep.Remark", "start of another member"}},
		{func(v *param) { v.Deep.Remark = "x&level=1" }, Fault{"Deep.Remark", "start of another member"}},
		{func(v *param) { v.Text = "&msg=" }, Fault{"Text", "start of another member"}},
		{func(v *param) { v.Own = brokenJSON{"{"} }, Fault{"Own", "must be valid JSON"}},
		{func(v *param) { v.Own = brokenJSON{"null"} }, Fault{"Own", "leave it unset"}},
		{func(v *param) { v.Raw = json.RawMessage("[]") }, Fault{"Raw", "leave it unset"}},
		{func(v *param) { v.Raw = json.RawMessage(`{"a":1,"A":2}`) }, Fault{"Raw", "given twice"}},
		{func(v *param) { v.Raw = json.RawMessage(`{}x`) }, Fault{"Raw", "must be valid JSON"}},
		{func(v *param) {
			v.Items = make([]struct {
				N int64     `json:"n" daxpay:"required,min=1"`
				T time.Time `json:"t"`
			}, 2)
			v.Items[0].N, v.Items[1].N = 1, 1
			v.Items[1].T = time.Unix(5, 0)
		}, Fault{"Items[1].T", "2001"}},
		{func(v *param) {
			v.Items = make([]struct {
				N int64     `json:"n" daxpay:"required,min=1"`
				T time.Time `json:"t"`
			}, 1)
			v.Items[0].N = -1
		}, Fault{"Items[0].N", "at least 1"}},
	} {
		faults := check(tt.change)
		require.Len(t, faults, 1, "%v", tt.want)
		require.Equal(t, tt.want.Field, faults[0].Field)
		require.Contains(t, faults[0].Reason, tt.want.Reason)
	}
	v := good()
	v.Text = "&a=1"
	require.Empty(t, p.Check(p.Layout("/x", gateway.V208), reflect.ValueOf(v), a, nil, true))
	require.Error(t, CheckValue([]byte(`1 2`)))
	require.NoError(t, CheckValue([]byte(` [1] `)))
}

// The gateway escapes some characters before it signs a name, so a name can be longer signed than sent.
func TestNamesThatAreLongerSignedThanSent(t *testing.T) {
	spaces := strings.Repeat("\u2003", 60)
	var fields []reflect.StructField
	for i := range 4 {
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[string](),
			Tag: reflect.StructTag(fmt.Sprintf(`json:"n%d%s"`, i, spaces)),
		})
	}
	inner := reflect.New(reflect.StructOf(fields)).Elem()
	for i := range fields {
		inner.Field(i).SetString("x")
	}
	outer := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "L", Type: reflect.SliceOf(inner.Type()),
		Tag: `json:"l"`}})).Elem()
	outer.Field(0).Set(reflect.Append(outer.Field(0), inner))
	body, canonical := encode(t, outer.Interface(), gateway.V208, Stamp{})
	o := read(t, body)
	want, err := o.AppendCanonical(nil, shanghai)
	require.NoError(t, err)
	require.Equal(t, string(want), canonical)
}

// There is room for a text of any length, and for what is written after it.
func TestTextsOfEveryLength(t *testing.T) {
	type message struct {
		A, B string
		N    int64
		L    []string
		Z    string
	}
	for n := range 700 {
		plain := strings.Repeat("x", n)
		for _, text := range []string{plain, plain + "\n", plain + "支"} {
			body, canonical := encode(t, message{A: text, B: text, N: math.MinInt64, L: []string{text + "y"}, Z: text},
				gateway.V208, Stamp{})
			o := read(t, body)
			want, err := o.AppendCanonical(nil, shanghai)
			require.NoError(t, err)
			require.Equal(t, string(want), canonical)
			z, ok := o.Get("Z")
			require.Equal(t, text != "", ok)
			if ok {
				require.Equal(t, text, string(z.Text()))
			}
		}
	}
}
