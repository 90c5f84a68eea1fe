package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// sample is a message from which malformed bodies are made.
type sample struct {
	*message.Kind
	message.Signed
	signType daxpay.SignType
}

// bad is a class of bodies that no client may accept.
type bad struct {
	name string
	// bodies makes them; nil if the kind has none.
	bodies func(s *sample) []string
	// replies is for faults outside the body, which only answers have.
	replies func(s *sample) []message.Reply
}

// malformed sends the client malformed bodies of every class as messages of every kind.
func malformed(t *trial) error {
	kinds, classes := message.Kinds(), badClasses()
	sent := make([]int, len(kinds)*len(algorithms))
	err := each(len(sent), func(n int) error {
		s := &sample{Kind: &kinds[n/len(algorithms)], signType: algorithms[n%len(algorithms)]}
		s.Signed = s.Sealed(s.signType)
		var err error
		sent[n], err = malform(t, s, classes)
		return err
	})
	total := 0
	for _, n := range sent {
		total += n
	}
	verdict := "0 accepted, 0 panics, 0 errors without type, path or trace id"
	if err != nil {
		verdict = "and some not refused as they must be"
	}
	t.say("%d classes, %d kinds of messages, %d algorithms: %d messages, %s", len(classes), len(kinds), len(algorithms),
		total, verdict)
	return err
}

func malform(t *trial, s *sample, classes []bad) (int, error) {
	r, err := message.NewReceiver(s.signType, nil)
	if err != nil {
		return 0, err
	}
	if _, err := r.Receive(s.Kind, []byte(s.Body)); err != nil {
		return 0, fmt.Errorf("%s: the genuine message is refused: %w", s.Name, err)
	}
	var f faults
	sent := 0
	for _, class := range classes {
		var replies []message.Reply
		if class.bodies != nil {
			for _, body := range class.bodies(s) {
				replies = append(replies, message.Reply{Body: []byte(body)})
			}
		}
		if class.replies != nil && !s.IsNotice() {
			replies = append(replies, class.replies(s)...)
		}
		for i, reply := range replies {
			if len(replies) > 100 && i%t.thin != 0 {
				continue
			}
			sent++
			outcome, err := r.ReceiveReply(s.Kind, reply)
			if complaint := s.complaint(outcome, err, reply.Body); complaint != "" {
				f.add("%s, %s, %s, %d: %s: %w: %.300q", s.Name, s.signType, class.name, i, complaint, err, reply.Body)
			}
			if s.IsNotice() {
				if complaint := deliver(r.Client, reply.Body); complaint != "" {
					f.add("%s, %s, %s, %d: handler: %s", s.Name, s.signType, class.name, i, complaint)
				}
			}
		}
	}
	return sent, f.err()
}

// complaint returns what is wrong with the client's reaction to a malformed body, "" if nothing is.
func (s *sample) complaint(outcome *message.Outcome, err error, body []byte) string {
	var panicked *message.PanicError
	var refusal *daxpay.GatewayError
	switch {
	case errors.As(err, &panicked):
		return "a panic"
	case err == nil || outcome != nil:
		return "accepted"
	case !isTyped(err):
		return "an error without a type"
	case !strings.Contains(err.Error(), s.Path):
		return "no path in the error"
	case s.hasTraceID(body) && !strings.Contains(err.Error(), message.TraceID):
		return "no trace id in the error"
	case !s.IsNotice() && s.Effect != param.EffectReadOnly && !errors.As(err, &refusal) &&
		!errors.Is(err, daxpay.ErrOutcomeUnknown):
		return "the outcome is unknown, which the error does not say"
	case strings.Contains(err.Error(), message.Secret) || strings.Contains(err.Error(), s.Sign):
		return "the secret or the signature is in the error"
	}
	return ""
}

// hasTraceID reports whether a body holds the trace ID where the client can find it. It does not read large bodies.
func (s *sample) hasTraceID(body []byte) bool {
	return !s.IsNotice() && len(body) <= 1<<20 && bytes.Contains(body, []byte(`"traceId":"`+message.TraceID+`"`))
}

// deliver posts a body to the handler of notices, which must not acknowledge it.
func deliver(kit *daxpay.Client, body []byte) string {
	called := false
	var got error
	h := kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay:     func(context.Context, *model.PayNotice) error { called = true; return nil },
		Refund:  func(context.Context, *model.RefundNotice) error { called = true; return nil },
		Alloc:   func(context.Context, *model.AllocNotice) error { called = true; return nil },
		OnError: func(_ context.Context, err error) { got = err },
	})
	w := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/notify",
		bytes.NewReader(body))
	h.ServeHTTP(w, request)
	switch {
	case called:
		return "the callback was called"
	case w.Body.String() != "FAIL" || w.Code < 400:
		return "acknowledged"
	case got == nil || !isTyped(got):
		return fmt.Sprintf("an error without a type: %v", got)
	}
	return ""
}

// resigned returns the body with a part of its members exchanged, signed again.
func (s *sample) resigned(old, replacement string) []string {
	members := strings.Replace(s.Members(), old, replacement, 1)
	if members == s.Members() {
		return nil
	}
	return []string{s.Seal(members, s.signType).Body}
}

// replaced returns the body with a part exchanged and the signature as it was.
func (s *sample) replaced(old string, replacements ...string) []string {
	var bodies []string
	for _, replacement := range replacements {
		if body := strings.Replace(s.Body, old, replacement, 1); body != s.Body {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// with returns the body with something put in front of the members of the signed object.
func (s *sample) with(members ...string) []string {
	bodies := make([]string, len(members))
	for i, m := range members {
		bodies[i] = s.Wrap("{" + m + "," + s.Object[1:])
	}
	return bodies
}

// the returns a class of the same bodies for every kind.
func the(name string, bodies ...string) bad {
	return bad{name: name, bodies: func(*sample) []string { return bodies }}
}

// of returns a class that is made of the message.
func of(name string, bodies func(s *sample) []string) bad { return bad{name: name, bodies: bodies} }

// around returns a class of bodies with something in front of the message and behind it.
func around(name, front, behind string) bad {
	return of(name, func(s *sample) []string { return []string{front + s.Body + behind} })
}

// adding returns a class of messages with more members, unsigned.
func adding(name string, members ...string) bad {
	return of(name, func(s *sample) []string { return s.with(members...) })
}

// signing returns a class of messages that are signed with another part.
func signing(name, old string, replacements ...string) bad {
	return of(name, func(s *sample) []string {
		var bodies []string
		for _, replacement := range replacements {
			bodies = append(bodies, s.resigned(old, replacement)...)
		}
		return bodies
	})
}

// signAs returns a class of messages whose sign is another value.
func signAs(name string, values func(sign string) []string) bad {
	return of(name, func(s *sample) []string { return s.replaced(`"`+s.Sign+`"`, values(s.Sign)...) })
}

// enveloped returns a class of answers with a different envelope.
func enveloped(name string, bodies func(data string) []string) bad {
	return bad{name: name, replies: func(s *sample) []message.Reply {
		var replies []message.Reply
		for _, body := range bodies(s.Object) {
			replies = append(replies, message.Reply{Body: []byte(body)})
		}
		return replies
	}}
}

func quoted(s string) string { return `"` + s + `"` }

const (
	deep  = 100_000
	codeM = `"code":0`
	timeM = `"resTime":1715500234`
)

func badClasses() []bad {
	return slices.Concat(otherTexts(), damaged(), badSyntax(), badNesting(), badText(), badSigns(), changedMembers(),
		badSignedMembers(), badSignedTexts(), badEnvelopes(), badReplies())
}

// otherTexts are bodies that are no message at all.
func otherTexts() []bad {
	return []bad{
		the("empty", ""),
		the("blanks", " ", "\n", "\t\r\n ", "\u00a0", "\u2003"),
		the("other JSON", "null", "true", "0", `"success"`, "[]", "[{}]", "{}", "SUCCESS"),
		the("HTML and XML", "<html><body>hello</body></html>", `<?xml version="1.0"?><code>0</code>`, "<!-- {} -->"),
		the("form, YAML, INI", "code=0&sign=x", "code: 0\nsign: x\n", "[data]\ncode=0\n"),
		the("not a document", "{", "}", "[", `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, ":", ",", `"`, `\`),
		the("binary", "\x00\x01\x02\x03", string([]byte{0xff, 0xd8, 0xff, 0xe0}), "PK\x03\x04", strings.Repeat("\xff", 1000)),
	}
}

// damaged are messages with bytes missing or added.
func damaged() []bad {
	return []bad{
		of("cut off at every byte", func(s *sample) []string {
			var bodies []string
			for i := range s.Body {
				bodies = append(bodies, s.Body[:i])
			}
			return bodies
		}),
		of("begun at every byte", func(s *sample) []string {
			var bodies []string
			for i := 1; i < len(s.Body); i++ {
				bodies = append(bodies, s.Body[i:])
			}
			return bodies
		}),
		of("a byte missing", func(s *sample) []string {
			var bodies []string
			for i := range s.Body {
				switch s.Body[i] {
				case '{', '}', '[', ']', ':', ',':
					bodies = append(bodies, s.Body[:i]+s.Body[i+1:])
				}
			}
			return bodies
		}),
		around("byte order mark", "\xef\xbb\xbf", ""),
		of("UTF-16 and UTF-32", wide),
		of("Latin-1 and GBK", func(s *sample) []string { return s.with("\"x\":\"\xe9\"", "\"x\":\"\xd6\xa7\xb8\xb6\"") }),
		around("NUL in front", "\x00", ""),
		around("NUL behind", "", "\x00"),
		adding("NUL inside", "\"x\":\"\x00\"", "\"x\x00\":1", "\x00\"x\":1", "\"x\":1\x00"),
		around("garbage behind", "", "x"),
		around("comma behind", "", ","),
		around("brace behind", "", "}"),
		of("two documents", func(s *sample) []string {
			return []string{s.Body + s.Body, s.Body + "\n" + s.Body,
				s.Body + "{}"}
		}),
		around("garbage in front", ")]}',\n", ""),
		around("JSONP", "callback(", ")"),
		around("in a list", "[", "]"),
		of("as text", func(s *sample) []string { return []string{string(peer.Encode(s.Body))} }),
		around("comment", "/* x */", ""),
		adding("comment inside", `/*x*/"x":1`, "//x\n\"x\":1", "#x\n\"x\":1"),
	}
}

// badSyntax are messages that are not JSON.
func badSyntax() []bad {
	return []bad{
		of("trailing comma", func(s *sample) []string {
			return []string{s.Wrap(s.Object[:len(s.Object)-1] + ",}"), s.Wrap("{," + s.Object[1:])}
		}),
		of("single quotes", func(s *sample) []string { return []string{strings.ReplaceAll(s.Body, `"`, "'")} }),
		of("no quotes", func(s *sample) []string { return s.replaced(`"code"`, "code", "'code'", "`code`") }),
		of("no colon", func(s *sample) []string { return s.replaced(codeM, `"code"0`, `"code"=0`, `"code"::0`, `"code"`) }),
		adding("no JSON literal", `"x":NaN`, `"x":Infinity`, `"x":-Infinity`, `"x":undefined`, `"x":True`, `"x":NULL`,
			`"x":nullx`, `"x":tru`),
		adding("no JSON number", `"x":01`, `"x":+1`, `"x":.5`, `"x":5.`, `"x":1e`, `"x":1e+`, `"x":0x1`, `"x":1_000`,
			`"x":--1`, `"x":-`, `"x":１`, `"x":1,000`),
	}
}

// badNesting are excessive numbers and nesting, and members that occur twice.
func badNesting() []bad {
	open, dicts := strings.Repeat("[", deep), strings.Repeat(`{"a":`, deep)
	return []bad{
		adding("exponent beyond reason", `"x":1e999999999`, `"x":-1e-999999999`, `"x":1e41`, `"x":1e-41`,
			`"x":1e99999999999999999999`),
		adding("unsigned huge number", `"x":`+strings.Repeat("9", deep), `"x":0.`+strings.Repeat("0", deep)+"1"),
		signing("signed huge number", codeM, `"code":`+strings.Repeat("9", 1000), `"code":9223372036854775808`,
			`"code":-9223372036854775809`),
		the("deep", open, dicts, `{"data":`+open, `{"code":0,"data":`+dicts),
		adding("deep inside", `"x":`+open, `"x":`+dicts, `"x":`+strings.Repeat("[", 33)+strings.Repeat("]", 33),
			`"x":`+strings.Repeat(`{"a":`, 33)+"1"+strings.Repeat("}", 33)),
		signing("signed too deep", `"future":`, `"deep":`+strings.Repeat("[", 33)+strings.Repeat("]", 33)+`,"future":`),
		of("a member twice", func(s *sample) []string {
			return s.with(codeM, `"sign":"x"`, `"msg":null`,
				`"futureNull":null`)
		}),
		of("twice after unescaping", func(s *sample) []string {
			return s.with(`"\u0063ode":0`, `"c\u006fde":0`,
				`"s\u0069gn":null`)
		}),
		of("twice but for case", func(s *sample) []string {
			return s.with(`"Code":0`, `"SIGN":"x"`, `"ſign":null`, `"ſtatuſ":1,"status":2`, `"futurenull":null`)
		}),
		adding("twice deep inside", `"x":[{"a":{"b":1,"b":1}}]`, `"x":{"a":1,"A":1}`, `"x":[[[{"k":1,"\u212a":2}]]]`),
	}
}

// badText are texts that are not UTF-8 or not JSON.
func badText() []bad {
	return []bad{
		adding("invalid UTF-8", "\"x\":\"\xff\"", "\"x\":\"\xc3\"", "\"x\":\"\xe2\x82\"", "\"\xff\":1", "\xff\"x\":1"),
		adding("overlong UTF-8", "\"x\":\"\xc0\xaf\"", "\"x\":\"\xe0\x80\xaf\"", "\"x\":\"\xf0\x80\x80\xaf\"",
			"\"x\":\"\xc1\xbf\""),
		adding("surrogates in UTF-8", "\"x\":\"\xed\xa0\x80\"", "\"x\":\"\xed\xa0\xbd\xed\xb8\x80\"",
			"\"x\":\"\xf4\x90\x80\x80\""),
		adding("half a surrogate pair", `"x":"\ud83d"`, `"x":"\ude00\ud83d"`, `"x":"\ud83dx"`, `"x":"\ud83d\n"`,
			`"x":"\ud83d\u0041"`, `"\ud83d":1`),
		adding("bad escape", `"x":"\x41"`, `"x":"\u12"`, `"x":"\u12G4"`, `"x":"\U0041"`, `"x":"\v"`, `"x":"\'"`, `"x":"\`,
			`"x":"\0"`, `"x":"\u{41}"`),
		adding("raw control character", "\"x\":\"a\nb\"", "\"x\":\"a\tb\"", "\"x\":\"\x1f\"", "\"x\ry\":1"),
		of("white space of other kinds", func(s *sample) []string {
			return s.with("\u00a0\"x\":1", "\u2028\"x\":1", "\f\"x\":1", "\v\"x\":1", "\ufeff\"x\":1")
		}),
	}
}

// badSigns are signatures that are wrong or missing.
func badSigns() []bad {
	return []bad{
		signAs("sign absent or empty", func(string) []string { return []string{"null", `""`} }),
		signAs("sign of another type", func(sign string) []string {
			return []string{"0", "1", "true", "false", "{}", "[]", "[" + quoted(sign) + "]", `{"sign":` + quoted(sign) + "}",
				"1e64"}
		}),
		signAs("sign too short or long", func(sign string) []string {
			return []string{quoted(sign[1:]), quoted(sign[:len(sign)-1]), quoted(sign + "0"), quoted(sign + sign),
				quoted(sign[:32] + "00"), quoted(strings.Repeat(sign, 1000))}
		}),
		signAs("sign in another spelling", func(sign string) []string {
			return []string{quoted(strings.ToUpper(sign)), quoted(" " + sign), quoted(sign + " "), quoted(sign + `\n`),
				quoted(sign + `\u0000`), quoted("0x" + sign), quoted(sign + `\"`)}
		}),
		signAs("sign of nothing", func(sign string) []string {
			return []string{quoted(strings.Repeat("0", len(sign))), quoted(strings.Repeat("f", len(sign))),
				quoted("d41d8cd98f00b204e9800998ecf8427e"), quoted("SIGN"), quoted(sign[1:] + sign[:1])}
		}),
		of("no sign", func(s *sample) []string { return s.replaced(`,"sign":"`+s.Sign+`"`, "") }),
		of("sign under another name", func(s *sample) []string {
			return s.replaced(`"sign"`, `"Sign"`, `"sign "`, `"signature"`, `""`, `"s\"ign"`)
		}),
		of("sign of the other algorithm", func(s *sample) []string {
			other := algorithms[0]
			if s.signType == other {
				other = algorithms[1]
			}
			return []string{s.Sealed(other).Body}
		}),
		of("sign by another secret", func(s *sample) []string {
			object, err := peer.Parse([]byte(s.Object))
			if err != nil {
				return nil
			}
			var bodies []string
			for _, secret := range []string{"", "123456", message.Secret + " ", strings.ToUpper(message.Secret)} {
				bodies = append(bodies, s.replaced(s.Sign, peer.Sign(object, string(s.signType), secret, message.Zone))...)
			}
			return bodies
		}),
	}
}

// changedMembers are messages that were changed after they were signed.
func changedMembers() []bad {
	return []bad{
		of("sign of another message", func(s *sample) []string {
			other := s.Seal(strings.Replace(s.Members(), timeM, `"resTime":1715500235`, 1), s.signType)
			return s.replaced(s.Sign, other.Sign)
		}),
		of("member added", func(s *sample) []string { return s.with(`"x":1`, `"x":""`, `"x":{}`, `"x":"&"`, `"":0`) }),
		of("member changed", func(s *sample) []string {
			return append(s.replaced(timeM, `"resTime":1715500235`, `"resTime":"1715500233"`), s.replaced("x", "y")...)
		}),
	}
}

// badSignedMembers are members that no gateway signs.
func badSignedMembers() []bad {
	return []bad{
		signing("signed without code", codeM+",", ""),
		signing("signed code of another type", codeM, `"code":null`, `"code":true`, `"code":{}`, `"code":[0]`,
			`"code":"zero"`, `"code":""`, `"code":" 0"`),
		signing("signed code that is no integer", codeM, `"code":0.0`, `"code":0e0`, `"code":-0`, `"code":"00"`,
			`"code":"+0"`, `"code":1.5`, `"code":"-0"`),
		signing("signed code of a failure", codeM, `"code":1`, `"code":"1"`, `"code":-1`, `"code":20052`),
		signing("signed without resTime", ","+timeM, ""),
		signing("signed resTime of another type", timeM, `"resTime":null`, `"resTime":true`, `"resTime":{}`,
			`"resTime":[1715500234]`, `"resTime":"yesterday"`, `"resTime":""`),
		signing("signed resTime that is no integer", timeM, `"resTime":1715500234.0`, `"resTime":1715500234e0`,
			`"resTime":17155002340e-1`, `"resTime":"1715500234 "`),
		signing("signed resTime out of range", timeM, `"resTime":-1`, `"resTime":9223372036854775807`,
			`"resTime":99999999999`),
		signing("signed with reqTime", codeM, `"reqTime":1715500234,"code":0`, `"reqTime":null,"code":0`,
			`"reqTime":"x","code":0`),
	}
}

// badSignedTexts are texts that must not be signed.
func badSignedTexts() []bad {
	return []bad{
		signing("signed NUL", codeM, `"x":"\u0000","code":0`, `"x":{"y":["a\u0000"]},"code":0`,
			`"x":[{"y":"\u0000"}],"code":0`),
		signing("signed text that can be cut", codeM, `"x":"&code=0","code":0`, `"x":"a&resTime=1","code":0`,
			`"x":"&co\"de=1","code":0`, `"x":[{"y":"&msg=1"}],"code":0`),
		signing("signed nested text that can be cut", codeM, `"x":[{"y":"a,z:b","z":"c"}],"code":0`,
			`"x":{"y":"{z:1","z":"c"},"code":0`),
		signing("signed name that is another", codeM, `"a&b":1,"code":0`, `"a=b":1,"code":0`, `"a\"b":1,"code":0`,
			`"a\\b":1,"code":0`, `"a\nb":1,"code":0`),
		signing("signed remark of another type", `"msg":"处理 \"完成\"`+`"`, `"msg":1`, `"msg":{}`, `"msg":["x"]`, `"msg":true`),
		of("signed members of another type", retypedAndSigned),
		of("signed codes with meta characters", spoiledAndSigned),
		of("signed about another order", func(s *sample) []string {
			return eachMember(s, func(name string, value any) []any {
				text, ok := value.(string)
				if !ok || !slices.Contains(s.Echoes, name) {
					return nil
				}
				return []any{text + "0", strings.ToLower(text), "", json.Number("1"), []any{text}}
			})
		}),
		of("signed without what proves success", func(s *sample) []string {
			return eachMember(s, func(name string, value any) []any {
				if !slices.Contains(s.Proofs, name) {
					return nil
				}
				if _, ok := value.(string); ok {
					return []any{nil, ""}
				}
				return []any{nil, json.Number("0"), "0", ""}
			})
		}),
	}
}

// badEnvelopes are answers with a wrong envelope around the signed object.
func badEnvelopes() []bad {
	return []bad{
		enveloped("code of the envelope", func(data string) []string {
			var bodies []string
			for _, code := range []string{"null", "true", "false", "0.0", "0e0", "-0", "92233720368547758080", `""`, `"zero"`,
				"[]", "{}", `"0 "`, `"00"`} {
				bodies = append(bodies, `{"code":`+code+`,"data":`+data+`,"traceId":"`+message.TraceID+`"}`)
			}
			return bodies
		}),
		enveloped("no code in the envelope", func(data string) []string {
			return []string{`{"data":` + data + "}", `{"Code":0,"data":` + data + "}", `{"code ":0,"data":` + data + "}", data}
		}),
		enveloped("data of another type", func(data string) []string {
			var bodies []string
			for _, other := range []string{"null", "[]", "[" + data + "]", "0", "true", `""`, string(peer.Encode(data)), `"{}"`,
				"{}", `{"data":` + data + "}"} {
				bodies = append(bodies, `{"code":0,"data":`+other+`,"traceId":"`+message.TraceID+`"}`)
			}
			return bodies
		}),
		enveloped("no data, or twice", func(data string) []string {
			return []string{
				`{"code":0}`, `{"code":0,"msg":"success"}`, `{"code":0,"Data":` + data + "}",
				`{"code":0,"data":` + data + `,"data":` + data + "}",
				`{"code":0,"data":` + data + `,"DATA":` + data + "}", `{"code":0,"data":` + data + `,"\u0064ata":null}`,
				`{"code":1,"code":0,"data":` + data + "}",
			}
		}),
		enveloped("sign outside data", func(data string) []string {
			object, _ := peer.Parse([]byte(data))
			sign, _ := object.Get("sign").(string)
			return []string{`{"code":0,"data":` + strings.Replace(data, `"sign":"`+sign+`"`, `"sign":null`, 1) + `,"sign":"` +
				sign + `"}`}
		}),
		enveloped("a refusal", func(data string) []string {
			var bodies []string
			for _, code := range []string{"1", "10001", "10006", "10007", "20000", "20052", "-1", `"20051"`} {
				bodies = append(bodies, `{"code":`+code+`,"msg":"x","data":`+data+`,"traceId":"`+message.TraceID+`"}`,
					`{"code":`+code+`,"data":null}`)
			}
			return bodies
		}),
		enveloped("404 as JSON", func(string) []string {
			return []string{`{"timestamp":"2024-05-12","status":404,"error":"Not Found","path":"/x"}`,
				`{"timestamp":1,"status":404,"error":"Not Found","path":"/x","traceId":"` + message.TraceID + `"}`}
		}),
	}
}

// badReplies are faults outside the body.
func badReplies() []bad {
	replies := func(name string, of func(body []byte) []message.Reply) bad {
		return bad{name: name, replies: func(s *sample) []message.Reply { return of([]byte(s.Body)) }}
	}
	return []bad{
		replies("another status", func(body []byte) []message.Reply {
			var all []message.Reply
			for _, status := range []int{201, 202, 204, 206, 301, 302, 307, 308, 400, 401, 403, 404, 429, 500, 502, 503, 504,
				999} {
				all = append(all, message.Reply{Status: status, Body: body}, message.Reply{Status: status})
			}
			return all
		}),
		replies("gzip garbage", func(body []byte) []message.Reply {
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			_, _ = w.Write(body)
			_ = w.Close()
			header := http.Header{"Content-Encoding": {"gzip"}, "Content-Type": {"application/json"}}
			return []message.Reply{
				{Body: packed.Bytes()}, {Body: packed.Bytes(), Header: header},
				{Body: packed.Bytes()[:packed.Len()/2], Header: header},
				{Body: []byte("\x1f\x8b\x08garbage"), Header: header}, {Body: []byte("\x1f\x8b")},
			}
		}),
		replies("too large", func(body []byte) []message.Reply {
			return []message.Reply{{Body: append(slices.Clone(body), bytes.Repeat([]byte(" "), 1<<20)...)},
				{Body: bytes.Repeat([]byte("["), 2<<20)}}
		}),
		replies("no reply", func([]byte) []message.Reply {
			return []message.Reply{{Err: io.ErrUnexpectedEOF}, {Err: errors.New("connection reset")},
				{Err: context.DeadlineExceeded}}
		}),
	}
}

// wide returns the body in encodings of two and four bytes.
func wide(s *sample) []string {
	var little, big, four bytes.Buffer
	units := utf16.Encode([]rune(s.Body))
	_ = binary.Write(&little, binary.LittleEndian, units)
	_ = binary.Write(&big, binary.BigEndian, units)
	_ = binary.Write(&four, binary.LittleEndian, []rune(s.Body))
	return []string{little.String(), big.String(), "\xff\xfe" + little.String(), "\xfe\xff" + big.String(), four.String()}
}

// eachMember returns a signed message for every value that other returns for a member of the model.
func eachMember(s *sample, other func(name string, value any) []any) []string {
	object, err := peer.Parse([]byte(s.Object))
	if err != nil {
		return nil
	}
	var bodies []string
	for i, p := range object {
		for _, value := range other(p.Name, p.Value) {
			changed := slices.Clone(object)
			changed[i].Value = value
			for j := range changed {
				if changed[j].Name == "sign" {
					changed[j].Value = peer.Sign(changed, string(s.signType), message.Secret, message.Zone)
				}
			}
			bodies = append(bodies, s.Wrap(string(peer.Encode(changed))))
		}
	}
	return bodies
}

// retypedAndSigned gives members of the model values that they cannot have.
func retypedAndSigned(s *sample) []string {
	return eachMember(s, func(name string, _ any) []any {
		if name == "sign" || strings.HasPrefix(name, "future") {
			return nil
		}
		return []any{peer.Object{{Name: "a", Value: "b"}}, []any{"x"}, []any{[]any{}}}
	})
}

// spoiledAndSigned puts characters into codes that the signature does not protect.
func spoiledAndSigned(s *sample) []string {
	return eachMember(s, func(name string, value any) []any {
		text, ok := value.(string)
		switch name {
		case "sign", "msg", "title", "description", "attach", "reason", "errorMsg", "payBody", "url", "payeeName", "future",
			"futureText":
			return nil
		}
		if !ok {
			return nil
		}
		return []any{text + `"`, text + `\`, text + "&", text + "\n", text + "\u0085"}
	})
}
