package console

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // it is one of the gateway's two algorithms
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/daxpay-go/daxpay"
)

// diagnosis is why the signature of a request differs from the one that the gateway expects.
type diagnosis struct {
	Cause words
	Fixes []words
	Fits  bool // computing the signature with this mistake gives exactly the one received
	Tried []trial
	Lines []line // of the text, with what differs marked
	Key   string // what the merchant has before or after the secret, if that is the difference
}

// trial is a mistake that was looked for.
type trial struct {
	Name words
	Fits bool
}

// line is a pair of the text that is signed.
type line struct {
	Text    string
	Missing bool // the gateway signs it, the merchant did not
	Extra   bool // the merchant signed it, the gateway does not
}

// mistake is something that goes wrong when a request is signed.
type mistake struct {
	name  words
	cause words
	fixes []words
	// pairs changes the pairs that are signed; nil for a mistake elsewhere.
	pairs []string
	// signs lists what the signature would be.
	signs []string
	key   string
}

// diagnose looks for the mistake that leads to the received signature. old are secrets that the gateway had before.
func diagnose(body []byte, text, expected, signType, secret string, old []string) diagnosis {
	d := diagnosis{}
	for _, p := range pairsOf(text, body) {
		d.Lines = append(d.Lines, line{Text: p})
	}
	received, given := signOf(body)
	if !given || received == "" {
		d.Cause = words{"请求里没有签名。", "The request has no signature."}
		d.Fixes = []words{{"把签名放进 sign 字段，类型为字符串。", "Put the signature into the member sign, as a string."}}
		return d
	}
	if received == expected {
		return d
	}
	mistakes := mistakesOf(body, text, expected, signType, secret, old)
	for _, m := range mistakes {
		fits := slices.Contains(m.signs, received)
		d.Tried = append(d.Tried, trial{m.name, fits})
		if !fits || d.Fits {
			continue
		}
		d.Fits, d.Cause, d.Fixes, d.Key = true, m.cause, m.fixes, m.key
		if m.pairs != nil {
			d.Lines = compare(d.Lines, m.pairs)
		}
	}
	if !d.Fits {
		d.Cause = words{"密钥不一致，或者请求在签名之后被修改过。", "The secrets differ, or the request was changed after it was signed."}
		d.Fixes = []words{
			{"先核对密钥：以启动时给出的或在“故障与设置”页设置的为准。",
				"Check the secret first: it is the one given at the start, or set on the page Faults & settings."},
			{"再把下面的待签名字符串与商户的逐行比较。", "Then compare the text below with what the shop signs, line by line."},
			{"下面列出的常见错误都试过了，没有一个相符。", "The usual mistakes listed below were tried; none fits."},
		}
	}
	return d
}

// signOf is the signature in a request.
func signOf(body []byte) (string, bool) {
	var o struct {
		Sign *string `json:"sign"`
	}
	if json.Unmarshal(body, &o) != nil || o.Sign == nil {
		return "", false
	}
	return *o.Sign, true
}

// compare marks what only one of the lists has.
func compare(lines []line, merchant []string) []line {
	var out []line
	for _, l := range lines {
		l.Missing = !slices.Contains(merchant, l.Text)
		out = append(out, l)
	}
	for _, text := range merchant {
		if !slices.ContainsFunc(lines, func(l line) bool { return l.Text == text }) {
			name, _, _ := strings.Cut(text, "=")
			at := slices.IndexFunc(out, func(l line) bool { return strings.HasPrefix(l.Text, name+"=") })
			if at < 0 {
				at = len(out) - 1
			}
			out = slices.Insert(out, at+1, line{Text: text, Extra: true})
		}
	}
	return out
}

// pairsOf splits a canonical text at the members of the request, which are in it once each and in order. An & within a
// value does not split it.
func pairsOf(text string, body []byte) []string {
	names := make(map[string]bool)
	for _, m := range membersOf(body) {
		names[m.name] = true
	}
	var starts []int
	at, last := 0, ""
	for _, part := range strings.Split(text, "&") {
		if name, _, ok := strings.Cut(part, "="); at == 0 || ok && names[name] && name > last {
			starts, last = append(starts, at), name
		}
		at += len(part) + 1
	}
	var pairs []string
	for i, start := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1] - 1
		}
		pairs = append(pairs, text[start:end])
	}
	return pairs
}

// member is one of a request, as it was sent.
type member struct {
	name string
	raw  json.RawMessage
}

// membersOf reads the members of an object in the order in which they were sent.
func membersOf(body []byte) []member {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var list []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return list
		}
		m := member{}
		m.name, _ = name.(string)
		if decoder.Decode(&m.raw) != nil {
			return list
		}
		list = append(list, m)
	}
	return list
}

// algorithm computes signatures as one of the two algorithms does.
type algorithm string

func (a algorithm) other() algorithm {
	if a == algorithm(daxpay.MD5) {
		return algorithm(daxpay.HMACSHA256)
	}
	return algorithm(daxpay.MD5)
}

func (a algorithm) digest(text, secret string) string {
	if a == algorithm(daxpay.MD5) {
		sum := md5.Sum([]byte(text)) //nolint:gosec // see above
		return hex.EncodeToString(sum[:])
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// of signs a canonical text as the gateway does.
func (a algorithm) of(text, secret string) string { return a.digest(text+"&key="+secret, secret) }

func mistakesOf(body []byte, text, expected, signType, secret string, old []string) []mistake {
	a := algorithm(signType)
	list := secretMistakes(a, text, secret, old)
	list = append(list, digestMistakes(a, text, expected, secret)...)
	return append(list, textMistakes(a, body, text, secret)...)
}

func secretMistakes(a algorithm, text, secret string, old []string) []mistake {
	var list []mistake
	for _, s := range []struct {
		has  words
		with string
	}{
		{words{"末尾有一个换行", "a line break at its end"}, secret + "\n"},
		{words{"末尾有回车和换行", "CR LF at its end"}, secret + "\r\n"},
		{words{"末尾有一个空格", "a space at its end"}, secret + " "},
		{words{"开头有一个空格", "a space at its beginning"}, " " + secret},
	} {
		list = append(list, mistake{
			name:  words{"密钥" + s.has.Zh, "secret with " + s.has.En},
			cause: words{"商户的密钥" + s.has.Zh + "。", "The shop's secret has " + s.has.En + "."},
			signs: []string{a.of(text, s.with)}, key: strings.Replace(s.with, secret, "", 1),
			fixes: []words{
				{"改法：strings.TrimSpace(secret)，或写文件时用 printf %s 而不是 echo。",
					"Fix: strings.TrimSpace(secret), or write the file with printf %s rather than echo."},
				nothingRan,
			},
		})
	}
	for _, s := range old {
		list = append(list, mistake{
			name:  words{"以前的密钥", "an earlier secret"},
			cause: words{"商户还在用这个网关以前的密钥。", "The shop still uses a secret that this gateway had before."},
			signs: []string{a.of(text, s)}, key: "≠",
			fixes: []words{{"让商户换成现在的密钥。", "Give the shop the current secret."}},
		})
	}
	if secret != defaultSecret {
		list = append(list, mistake{
			name: words{"默认密钥 123456", "the secret 123456 of a new gateway"},
			cause: words{
				"商户用的是默认密钥 123456，网关用的是另一个。",
				"The shop uses the secret 123456 of a new gateway; this one has another.",
			},
			signs: []string{a.of(text, defaultSecret)}, key: "≠",
			fixes: []words{{"让商户使用这个网关的密钥。", "Give the shop the secret of this gateway."}},
		})
	}
	return list
}

func digestMistakes(a algorithm, text, expected, secret string) []mistake {
	raw, _ := hex.DecodeString(expected)
	sum := sha256.Sum256([]byte(text + "&key=" + secret))
	other := string(a.other())
	return []mistake{
		{name: words{"签名方式用了 " + other, other + " instead of " + string(a)},
			cause: words{
				"商户用 " + other + " 签名，网关设置的是 " + string(a) + "。",
				"The shop signs with " + other + "; the gateway is set to " + string(a) + ".",
			},
			signs: []string{a.other().of(text, secret)},
			fixes: []words{
				{
					"把商户的 SignType 改成 " + string(a) + "，或在设置页改网关。",
					"Set SignType to " + string(a) + " in the shop, or change the gateway on the settings page.",
				},
			}},
		{name: words{"签名用大写", "signature in upper case"},
			cause: words{"签名是大写的，网关按小写比较。", "The signature is in upper case; the gateway compares lower case."},
			signs: []string{strings.ToUpper(expected)},
			fixes: []words{{"用小写十六进制。", "Use lower-case hex digits."}}},
		{name: words{"签名用 Base64", "signature in Base64"},
			cause: words{"签名是 Base64，网关要小写十六进制。", "The signature is in Base64; the gateway wants lower-case hex digits."},
			signs: []string{base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw)},
			fixes: []words{{"用小写十六进制。", "Use lower-case hex digits."}}},
		{name: words{"待签名字符串转成大写", "text in upper case"},
			cause: words{
				"商户像 DaxPay 3.x 那样，先把待签名字符串转成大写；2.0.x 不转。",
				"The shop turns the text to upper case before it signs, as DaxPay 3.x does; 2.0.x does not.",
			},
			signs: []string{
				a.digest(strings.ToUpper(text+"&key="+secret), secret),
				a.digest(strings.ToUpper(text)+"&KEY="+secret, secret),
				a.of(strings.ToUpper(text), secret),
			},
			fixes: []words{{"不要转成大写。文档里的这个说法已经过时。", "Do not turn it to upper case; documents that say so are out of date."}}},
		{name: words{"没有 &key=", "without &key="},
			cause: words{"待签名字符串末尾缺少 &key= 和密钥。", "The text lacks &key= and the secret at its end."},
			signs: []string{a.digest(text, secret), a.digest(text+secret, secret), a.digest(text+"key="+secret, secret)},
			fixes: []words{
				{"在待签名字符串末尾加上 &key= 和密钥；HMAC 也用这个密钥。", "Append &key= and the secret to the text; the secret is also the HMAC key."},
			}},
		{name: words{"用 &sign= 而不是 &key=", "&sign= instead of &key="},
			cause: words{"商户在末尾加的是 &sign= 和密钥，应为 &key=。", "The shop appends &sign= and the secret; it should be &key=."},
			signs: []string{a.digest(text+"&sign="+secret, secret)},
			fixes: []words{{"改成 &key=。", "Use &key=."}}},
		{name: words{"HMAC 密钥为空或用普通 SHA-256", "empty HMAC key, or plain SHA-256"},
			cause: words{"商户没有把密钥作为 HMAC 的密钥。", "The shop does not use the secret as the HMAC key."},
			signs: []string{a.digest(text+"&key="+secret, ""), hex.EncodeToString(sum[:])},
			fixes: []words{{"用 HMAC-SHA256，并以同一个密钥作为 HMAC 密钥。", "Use HMAC-SHA256 with the same secret as its key."}}},
	}
}

// textMistakes are those in the text that is signed.
func textMistakes(a algorithm, body []byte, text, secret string) []mistake {
	signer, err := daxpay.NewSigner(daxpay.SignType(a), secret)
	if err != nil {
		return nil
	}
	own := pairsOf(text, body)
	s := spellingsOf(signer, body, own)
	list := slices.Concat(spellingMistakes(s), omissionMistakes(s, own))
	for i, m := range list {
		list[i].signs = []string{a.of(strings.Join(m.pairs, "&"), secret)}
	}
	return list
}

// spellings are the pairs of a request in the forms that shops sign by mistake.
type spellings struct {
	sent    []string // in the order in which they were sent; the others are sorted
	all     []string // with those that the gateway does not know
	unknown []string // the names of these
	encoded []string // for a URL
	raw     []string // with quotes and backslashes
	html    []string // with \u003c for <
	nulls   []string // members that are null
}

// spellingsOf writes the members of a request in all spellings. own are the pairs that the gateway signs.
func spellingsOf(signer *daxpay.Signer, body []byte, own []string) spellings {
	known := make(map[string]bool)
	for _, p := range own {
		name, _, _ := strings.Cut(p, "=")
		known[name] = true
	}
	var s spellings
	for _, m := range membersOf(body) {
		if m.name == "sign" {
			continue
		}
		pair, err := signer.Canonical([]byte("{" + strconv.Quote(m.name) + ":" + string(m.raw) + "}"))
		if err != nil || pair == "" {
			if string(m.raw) == "null" {
				s.nulls = append(s.nulls, m.name+"=null")
			}
			continue
		}
		if !known[m.name] {
			s.unknown = append(s.unknown, m.name)
		}
		s.add(m, pair)
	}
	s.all = slices.Clone(s.sent)
	for _, pairs := range [][]string{s.all, s.encoded, s.raw, s.html} {
		slices.Sort(pairs)
	}
	return s
}

// add adds a member, which the gateway signs as pair.
func (s *spellings) add(m member, pair string) {
	_, value, _ := strings.Cut(pair, "=")
	plain := value
	switch m.raw[0] {
	case '"':
		_ = json.Unmarshal(m.raw, &plain)
	case '{', '[':
		plain = string(m.raw)
	}
	escaped, _ := json.Marshal(plain)
	s.sent = append(s.sent, pair)
	s.encoded = append(s.encoded, m.name+"="+url.QueryEscape(value))
	s.raw = append(s.raw, m.name+"="+plain)
	s.html = append(s.html, m.name+"="+strings.NewReplacer(`"`, "", `\`, "").Replace(string(escaped)))
}

func spellingMistakes(s spellings) []mistake {
	return []mistake{
		{name: words{"签了网关不认识的字段", "members that the gateway does not know"}, pairs: s.all,
			cause: words{
				"商户签了网关不认识的字段：" + strings.Join(s.unknown, "、") + "。",
				"The shop signed members that the gateway does not know: " + strings.Join(s.unknown, ", ") + ".",
			},
			fixes: []words{{"去掉它们：网关不认识的字段不参与签名。", "Leave them out: the gateway does not sign what it does not know."}}},
		{name: words{"字段没有排序", "members not sorted"}, pairs: s.sent,
			cause: words{
				"商户按发送顺序签名，没有按字段名排序。",
				"The shop signs the members in the order in which it sends them, not sorted by name.",
			},
			fixes: []words{{"按字段名的 ASCII 顺序排序。", "Sort the members by name, in ASCII order."}}},
		{name: words{"值做了 URL 编码", "values URL-encoded"}, pairs: s.encoded,
			cause: words{"商户先对值做了 URL 编码，再签名。", "The shop URL-encodes the values before it signs."},
			fixes: []words{{"用原值签名，不要编码。", "Sign the values as they are."}}},
		{name: words{"引号和反斜杠没有去掉", "quotes and backslashes kept"}, pairs: s.raw,
			cause: words{
				"商户没有去掉待签名字符串里的引号和反斜杠（嵌套对象按 JSON 处理）。",
				"The shop keeps quotes and backslashes in the text, as in nested objects written as JSON.",
			},
			fixes: []words{{`签名之前，去掉待签名字符串里所有的 " 和 \。`, `Delete every " and \ from the text before signing.`}}},
		{name: words{`HTML 转义 \u003c`, `HTML escapes, \u003c`}, pairs: s.html,
			cause: words{`商户的 JSON 库把 <、>、& 写成 \u003c 之类。`, `The shop's JSON library writes <, > and & as \u003c and the like.`},
			fixes: []words{{"Go 里用 json.Encoder 的 SetEscapeHTML(false)。", "In Go, use SetEscapeHTML(false) of json.Encoder."}}},
	}
}

// mostMembers is more than any call has. A hostile text with many & in it has more, which are not looked at.
const mostMembers = 40

// omissionMistakes are about pairs that only the shop or only the gateway leaves out.
func omissionMistakes(s spellings, own []string) []mistake {
	var list []mistake
	if len(s.nulls) > 0 {
		list = append(list, mistake{
			name: words{"没有去掉 null", "nulls kept"}, pairs: slices.Sorted(slices.Values(slices.Concat(own, s.nulls))),
			cause: words{"商户把值为 null 的字段也签了。", "The shop signs members that are null."},
			fixes: []words{{"值为 null 的字段不参与签名。", "Leave members that are null out of the text."}},
		})
	}
	filled := slices.DeleteFunc(slices.Clone(own), func(p string) bool { return strings.HasSuffix(p, "=") })
	if len(filled) < len(own) {
		list = append(list, mistake{
			name: words{"漏掉了空字符串", "empty strings dropped"}, pairs: filled,
			cause: words{"商户没有签空字符串，而网关会签。", "The shop leaves out empty strings; the gateway signs them."},
			fixes: []words{{"要么不发空字符串，要么也签它（reason=）。", "Do not send empty strings, or sign them as well (reason=)."}},
		})
	}
	if len(own) > mostMembers {
		return list
	}
	for i, p := range own {
		name, _, _ := strings.Cut(p, "=")
		list = append(list, mistake{
			name: words{"没有签 " + name, name + " left out"}, pairs: slices.Delete(slices.Clone(own), i, i+1),
			cause: words{"商户签名时没有 " + name + "，发送时才加上。", "The shop signs without " + name + ", and adds it afterwards."},
			fixes: []words{{"在签名之前加上它。", "Add it before signing."}},
		})
	}
	return list
}

// explanation is what the SDK says about a request that does not verify.
func explanation(body []byte, signType, secret string) string {
	signer, err := daxpay.NewSigner(daxpay.SignType(signType), secret)
	if err != nil {
		return ""
	}
	var wrong *daxpay.SignError
	if !errors.As(signer.Verify(body), &wrong) {
		return ""
	}
	return wrong.Explain()
}
