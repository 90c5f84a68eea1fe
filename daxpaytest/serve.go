package daxpaytest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
)

// The gateway's codes.
const (
	codeOK            = 0
	businessRefused   = 1
	codeUnreadable    = 10005
	codeValidation    = 10006
	codeUnclassified  = 20000
	codeNoSuchTrade   = 20041
	codeBadSignature  = 20052
	statusNoSuchRoute = http.StatusNotFound
)

// ServeHTTP answers as the gateway does, so that it can also stand behind a handler or a server of the test's own.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	w.Header().Set("Date", g.now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	seen := Request{Method: r.Method, Path: r.URL.Path, Body: body}
	route, known := g.routes[r.URL.Path]
	var reply object
	if known && r.Method == http.MethodPost {
		seen.Code, reply = g.answer(route, body)
	} else {
		seen.Code = statusNoSuchRoute
		w.WriteHeader(statusNoSuchRoute)
		reply = object{{"timestamp", g.now().UTC().Format(time.RFC3339)}, {"status", json.Number("404")}, {"error", "Not Found"}, {"path", r.URL.Path}}
	}
	g.mu.Lock()
	g.requests = append(g.requests, seen)
	g.mu.Unlock()
	_, _ = w.Write(peer.Encode(reply))
}

// answer checks in the order in which the gateway does: can it be read, are the members right, the signature, the time.
func (g *Gateway) answer(route route, body []byte) (int, object) {
	members, err := peer.Parse(body)
	if err != nil {
		return refuse(codeUnreadable, "参数解析失败")
	}
	members = members.Only(route.members)
	if complaint := route.validate(members); complaint != "" {
		return refuse(codeValidation, complaint)
	}
	given, _ := members.Get("sign").(string)
	if !g.unchecked && subtle.ConstantTimeCompare([]byte(given), []byte(peer.Sign(members, string(g.signType), g.currentSecret(), g.zone))) != 1 {
		if g.version == daxpay.GatewayV208 {
			return refuse(codeBadSignature, "验签失败")
		}
		return refuse(codeUnclassified, "未通过签名验证")
	}
	if g.version == daxpay.GatewayV208 {
		seconds, _ := strconv.ParseInt(fmt.Sprint(members.Get("reqTime")), 10, 64)
		if age := g.now().Unix() - seconds; age > 10 || age < -60 {
			return refuse(codeValidation, "请求时间已过期")
		}
	}
	g.mu.Lock()
	result := route.handle(g, request{object: members, version: g.version})
	g.mu.Unlock()
	switch {
	case result.code == codeRepeated:
		return refuse(codeRepeated, "重复操作")
	case g.version != daxpay.GatewayV205:
		return g.seal(result)
	case result.refusal != "":
		return refuse(codeNoSuchTrade, result.refusal)
	}
	return codeOK, object{{"code", number(codeOK)}, {"msg", "success"}, {"data", result.members}, {"traceId", newTraceID()}, {"sign", ""}}
}

// seal signs an outcome and puts it into the envelope.
func (g *Gateway) seal(result outcome) (int, object) {
	code := codeOK
	var remark any
	switch {
	case result.refusal != "":
		code, remark = businessRefused, result.refusal
	case result.remark != "":
		remark = result.remark
	}
	data := append(object{{"code", number(code)}, {"msg", remark}, {"resTime", number(g.now().Unix())}}, result.members...)
	data = append(data, pair{"sign", peer.Sign(data, string(g.signType), g.currentSecret(), g.zone)})
	return code, object{{"msg", "success"}, {"code", number(codeOK)}, {"data", data}, {"traceId", newTraceID()}}
}

func refuse(code int, reason string) (int, object) {
	return code, object{{"msg", reason}, {"code", number(code)}, {"data", nil}, {"traceId", newTraceID()}}
}

// validate returns the gateway's complaint about the members of a request, "" if there is none. An empty string counts as given
// where one of two is needed, but not where a member is required, as it does for the gateway.
func (r route) validate(members object) string {
	for _, p := range members {
		if s, ok := p.Value.(string); ok && r.members[p.Name] > 0 && len(utf16.Encode([]rune(s))) > r.members[p.Name] {
			return p.Name + "长度不能超过" + strconv.Itoa(r.members[p.Name])
		}
		if p.Name == "amount" {
			n, _ := p.Value.(json.Number)
			if amount, err := n.Int64(); err != nil || amount < 1 {
				return p.Name + "不能小于1"
			}
		}
	}
	for _, name := range r.required {
		if value := members.Get(name); value == nil || value == "" {
			return name + "必填"
		}
	}
	given := len(r.oneOf) == 0
	for _, name := range r.oneOf {
		given = given || members.Get(name) != nil
	}
	if !given {
		return strings.Join(r.oneOf, "和") + "不能同时为空"
	}
	return ""
}

func number[N int | int64](n N) json.Number { return json.Number(strconv.FormatInt(int64(n), 10)) }

// seconds is how most times are sent, null for none.
func seconds(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return number(t.Unix())
}

// printed is how a few times are sent, null for none.
func (g *Gateway) printed(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.In(g.zone).Format(time.DateTime)
}

func newTraceID() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
