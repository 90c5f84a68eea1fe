package daxpaytest

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf16"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
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

// route is a call as one version of the gateway has it.
type route struct {
	// first and second are the two numbers of which one is needed; the first counts if it is there.
	first, second string
	members       map[string]int // all known members and their greatest length
	handle        func(g *Gateway, r lookup) outcome
}

// lookup is the number that a request asks for.
type lookup struct {
	member string // first or second of the route
	number string
}

// outcome is what the business says: data, or a refusal.
type outcome struct {
	refusal string
	members object
}

// routesOf lists the calls of a version as its documents and its source have them.
func routesOf(v daxpay.GatewayVersion) map[string]route {
	routes := make(map[string]route)
	add := func(path, first string, firstMax int, second string, handle func(*Gateway, lookup) outcome) {
		members := map[string]int{"clientIp": 64, "reqTime": 0, "sign": 64, first: firstMax, second: 100}
		if v == daxpay.GatewayV208 {
			members["nonceStr"] = 32
		}
		routes[path] = route{first: first, second: second, members: members, handle: handle}
	}
	switch v {
	case daxpay.GatewayV205:
		add("/unipay/syncPay", "paymentId", 0, "businessNo", syncPayLegacy)
		add("/unipay/syncRefund", "refundId", 0, "refundNo", syncRefundLegacy)
	case daxpay.GatewayV206:
		add("/unipay/syncPay", "orderNo", 32, "bizOrderNo", syncPay)
		add("/unipay/syncRefund", "refundNo", 100, "bizRefundNo", syncRefund)
		add("/unipay/allocationFinish", "allocationNo", 32, "bizAllocationNo", finishAllocation)
	case daxpay.GatewayV207:
		add("/unipay/sync/pay", "orderNo", 32, "bizOrderNo", syncPay)
		add("/unipay/sync/refund", "refundNo", 100, "bizRefundNo", syncRefund)
		add("/unipay/sync/allocation", "allocationNo", 32, "bizAllocationNo", syncAllocation)
		add("/unipay/allocation/finish", "allocationNo", 32, "bizAllocationNo", finishAllocation)
	default:
		add("/unipay/sync/pay", "orderNo", 32, "bizOrderNo", syncPay)
		add("/unipay/sync/refund", "refundNo", 100, "bizRefundNo", syncRefund)
		add("/unipay/sync/allocation", "allocNo", 32, "bizAllocNo", syncAllocation)
		add("/unipay/allocation/finish", "allocNo", 32, "bizAllocNo", finishAllocation)
	}
	return routes
}

func syncPay(g *Gateway, r lookup) outcome {
	for _, p := range g.payments {
		if same(r.number, p.OrderNo) && r.member == "orderNo" || same(r.number, p.BizOrderNo) && r.member == "bizOrderNo" {
			return outcome{members: object{{"status", string(p.Status)}}}
		}
	}
	return outcome{refusal: "支付订单不存在"}
}

func syncRefund(g *Gateway, r lookup) outcome {
	for _, f := range g.refunds {
		if same(r.number, f.RefundNo) && r.member == "refundNo" || same(r.number, f.BizRefundNo) && r.member == "bizRefundNo" {
			return outcome{members: object{{"status", string(f.Status)}}}
		}
	}
	return outcome{refusal: "退款订单不存在"}
}

func syncPayLegacy(g *Gateway, r lookup) outcome {
	for _, p := range g.payments {
		if r.number == strconv.FormatInt(p.ID, 10) && r.member == "paymentId" || same(r.number, p.BizOrderNo) && r.member == "businessNo" {
			return legacyOutcome(string(p.Status))
		}
	}
	return outcome{refusal: "支付订单不存在"}
}

func syncRefundLegacy(g *Gateway, r lookup) outcome {
	for _, f := range g.refunds {
		if r.number == strconv.FormatInt(f.ID, 10) && r.member == "refundId" || same(r.number, f.BizRefundNo) && r.member == "refundNo" {
			return legacyOutcome(string(f.Status))
		}
	}
	return outcome{refusal: "退款订单不存在"}
}

func legacyOutcome(status string) outcome {
	return outcome{members: object{{"gatewayStatus", status}, {"success", true}, {"repair", false}, {"repairOrderNo", nil}, {"errorMsg", nil}}}
}

func (g *Gateway) allocation(r lookup) *Allocation {
	byGateway := r.member == "allocNo" || r.member == "allocationNo"
	for i := range g.allocations {
		a := &g.allocations[i]
		if same(r.number, a.AllocationNo) && byGateway || same(r.number, a.BizAllocationNo) && !byGateway {
			return a
		}
	}
	return nil
}

func syncAllocation(g *Gateway, r lookup) outcome {
	if g.allocation(r) == nil {
		return outcome{refusal: "分账单不存在"}
	}
	return outcome{}
}

func finishAllocation(g *Gateway, r lookup) outcome {
	a := g.allocation(r)
	if a == nil {
		return outcome{refusal: "分账单不存在"}
	}
	if a.Status != model.AllocEnd && a.Status != model.AllocFinishFailed {
		return outcome{refusal: "分账单状态错误"}
	}
	a.Status = model.AllocFinish
	first, second := "allocNo", "bizAllocNo"
	if g.version != daxpay.GatewayV208 {
		first, second = "allocationNo", "bizAllocationNo"
	}
	return outcome{members: object{{first, a.AllocationNo}, {second, a.BizAllocationNo}, {"status", string(a.Status)}}}
}

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
	_, _ = w.Write(encode(reply))
}

// answer checks in the order in which the gateway does: can it be read, are the members right, the signature, the time.
func (g *Gateway) answer(route route, body []byte) (int, object) {
	request, err := parse(body)
	if err != nil {
		return refuse(codeUnreadable, "参数解析失败")
	}
	request = request.only(route.members)
	asked, complaint := route.validate(request)
	if complaint != "" {
		return refuse(codeValidation, complaint)
	}
	given, _ := request.get("sign").(string)
	if subtle.ConstantTimeCompare([]byte(given), []byte(sign(request, g.signType, g.secret, g.zone))) != 1 {
		if g.version == daxpay.GatewayV208 {
			return refuse(codeBadSignature, "验签失败")
		}
		return refuse(codeUnclassified, "未通过签名验证")
	}
	if g.version == daxpay.GatewayV208 {
		seconds, _ := strconv.ParseInt(fmt.Sprint(request.get("reqTime")), 10, 64)
		if age := g.now().Unix() - seconds; age > 10 || age < -60 {
			return refuse(codeValidation, "请求时间已过期")
		}
	}
	g.mu.Lock()
	result := route.handle(g, asked)
	g.mu.Unlock()
	if g.version == daxpay.GatewayV205 {
		if result.refusal != "" {
			return refuse(codeNoSuchTrade, result.refusal)
		}
		return codeOK, object{{"code", number(codeOK)}, {"msg", "success"}, {"data", result.members}, {"traceId", newTraceID()}, {"sign", ""}}
	}
	return g.seal(result)
}

// seal signs an outcome and puts it into the envelope.
func (g *Gateway) seal(result outcome) (int, object) {
	code := codeOK
	var remark any
	if result.refusal != "" {
		code, remark = businessRefused, result.refusal
	}
	data := append(object{{"code", number(code)}, {"msg", remark}, {"resTime", number(int(g.now().Unix()))}}, result.members...)
	data = append(data, pair{"sign", sign(data, g.signType, g.secret, g.zone)})
	return code, object{{"msg", "success"}, {"code", number(codeOK)}, {"data", data}, {"traceId", newTraceID()}}
}

func refuse(code int, reason string) (int, object) {
	return code, object{{"msg", reason}, {"code", number(code)}, {"data", nil}, {"traceId", newTraceID()}}
}

// validate finds the number that is asked for. An empty string counts as given, as it does for the gateway.
func (r route) validate(request object) (lookup, string) {
	for _, p := range request {
		if s, ok := p.value.(string); ok && r.members[p.name] > 0 && len(utf16.Encode([]rune(s))) > r.members[p.name] {
			return lookup{}, p.name + "长度不能超过" + strconv.Itoa(r.members[p.name])
		}
	}
	if request.get("reqTime") == nil {
		return lookup{}, "请求时间必填"
	}
	for _, member := range []string{r.first, r.second} {
		if value := request.get(member); value != nil {
			return lookup{member: member, number: fmt.Sprint(value)}, ""
		}
	}
	return lookup{}, r.first + "和" + r.second + "不能同时为空"
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }

func newTraceID() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// encode writes JSON without the escapes for HTML that the gateway does not use.
func encode(value any) []byte {
	var b bytes.Buffer
	switch value := value.(type) {
	case object:
		b.WriteByte('{')
		for i, p := range value {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(encode(p.name))
			b.WriteByte(':')
			b.Write(encode(p.value))
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range value {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(encode(item))
		}
		b.WriteByte(']')
	default:
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(value) // nil, bool, json.Number or string: cannot fail
		b.Truncate(b.Len() - 1)
	}
	return b.Bytes()
}
