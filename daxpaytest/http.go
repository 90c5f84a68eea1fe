package daxpaytest

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
)

// Request is a request that the gateway has received, with its answer.
type Request struct {
	Began      time.Time     // by the gateway's clock
	Took       time.Duration // real time until the answer was ready
	RemoteAddr string
	Method     string
	Path       string
	Body       []byte
	// Code is 0 for a success, 1 for a signed refusal (data.code), and the outer code for any other one. It is 500 or
	// 404 for a path that the gateway does not have, and NotRun if a fault kept the call from running.
	Code    int
	Status  int    // HTTP status of the answer; 0 if there is none
	Answer  []byte // body of the answer, even if a fault kept it from the client
	TraceID string
	// Fault is the fault on the line, or empty. With a fault, the client did not receive the answer as it is here.
	Fault Fault
	// SignedText is the text (待签名串) that the gateway signs for the request, without the key, and Sign the signature
	// that it expects. Both are empty if the gateway did not check the signature.
	SignedText string
	Sign       string
}

// reply is what the gateway answers.
type reply struct {
	status int
	kind   string // content type; empty for none
	body   []byte
	empty  bool // Content-Length: 0
	close  bool
}

// NotRun is Request.Code if the call did not run.
const NotRun = -1

// serve runs a request and answers it, with the part of the fault that concerns the gateway. It returns false if there
// is no answer, because the journal could not be written.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, body []byte, met Fault) bool {
	seen := g.arrived(r, body, met)
	start := time.Now()
	rep := g.reply(r, cleanPath(r.URL.Path), &seen)
	seen.Status, seen.Answer, seen.Took = rep.status, rep.body, time.Since(start)
	g.remember(seen)
	if g.commit() != nil {
		return false
	}
	rep.send(w, g.now())
	return true
}

// arrived begins the record of a request.
func (g *Gateway) arrived(r *http.Request, body []byte, met Fault) Request {
	return Request{
		Began: g.now(), RemoteAddr: r.RemoteAddr, Method: r.Method, Path: r.URL.Path, Body: body, Fault: met,
	}
}

func (rep reply) send(w http.ResponseWriter, now time.Time) {
	h := w.Header()
	h["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	h["Vary"] = []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}
	if rep.kind != "" {
		h["Content-Type"] = []string{rep.kind}
	}
	if rep.close {
		h.Set("Connection", "close")
	}
	if rep.empty {
		h.Set("Content-Length", "0")
		w.WriteHeader(rep.status)
		return
	}
	if rep.body == nil {
		return // to HEAD
	}
	write(w, rep.status, rep.body)
}

// reply makes the answer to a request, and completes the record of it.
func (g *Gateway) reply(r *http.Request, path string, seen *Request) reply {
	accepts := accepted(r.Header.Values("Accept"))
	var o object
	reconciles := path == "/unipay/reconcile/pay" && (g.current() || g.is207())
	seen.TraceID = g.traceID()
	switch c := g.calls[path]; {
	case c == nil && g.legacy[path] == nil && !reconciles:
		rep := g.noSuchPath(r, accepts)
		seen.Code, seen.TraceID = rep.status, ""
		return rep
	case r.Method == http.MethodOptions:
		seen.Code, o = failed(fault(codeWrongMethod, textNoRight), seen.TraceID)
	case r.Method != http.MethodPost:
		seen.TraceID = ""
		seen.Code, o = failed(fault(codeWrongMethod, "不支持"+r.Method+"请求方法，支持以下POST"), "")
	case reconciles: // the gateway's method has no parameter to check
		seen.Code, o = failed(g.noParameter(), seen.TraceID)
	default:
		seen.Code, o = g.answer(c, g.legacy[path], r, seen)
	}
	switch {
	case !accepts.json:
		return notAcceptable(g.now(), accepts)
	case r.Method == http.MethodHead:
		return reply{status: http.StatusOK, kind: jsonType[0]}
	}
	if seen.Fault == Unsigned {
		o = unsigned(o)
	}
	return reply{status: http.StatusOK, kind: jsonType[0], body: encode(o, true)}
}

// noParameter is how the call for the statement of accounts always fails.
func (g *Gateway) noParameter() error {
	switch settings := g.Settings(); {
	case settings.Disabled["/unipay/pay"]: // the gateway looks at the switch of another call
		return fault(byVersion(g, codeNotEnabled, codeUnclassified), textNotEnabled)
	case g.current():
		return fault(codeValidation, textValidation+textNoParameter)
	}
	return fault(codeUnclassified, textNoParameter)
}

var jsonType = []string{"application/json"}

// write sends a body in chunks, as the gateway does.
func write(w http.ResponseWriter, status int, body []byte) {
	w.WriteHeader(status)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	_, _ = w.Write(body)
}

func (g *Gateway) remember(seen Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.journal != nil {
		g.pending.Requests = append(g.pending.Requests, seen)
	}
	g.requests = append(g.requests, seen)
	if most := g.mostRequests; most > 0 && len(g.requests) >= 2*most {
		g.requests = append([]Request(nil), g.requests[len(g.requests)-most:]...)
	}
}

// cleanPath is the path as the gateway compares it: without what follows a semicolon, and without one slash at its end.
func cleanPath(path string) string {
	if strings.Contains(path, ";") {
		segments := strings.Split(path, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		path = strings.Join(segments, "/")
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return path
}

// media is which of the gateway's two content types a client accepts.
type media struct{ json, html bool }

func accepted(headers []string) media {
	all := strings.Join(headers, ",")
	if strings.TrimSpace(all) == "" {
		return media{true, true}
	}
	var m media
	for _, item := range strings.Split(all, ",") {
		kind, _, _ := mime.ParseMediaType(item)
		switch {
		case kind == "*/*":
			return media{true, m.html || !strings.Contains(all, "json")}
		case kind == "application/*", kind == "application/json",
			strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"):
			m.json = true
		case kind == "text/html", kind == "text/*":
			m.html = true
		}
	}
	return m
}

// notAcceptable answers a client that does not accept JSON. The call has run.
func notAcceptable(now time.Time, accepts media) reply {
	if accepts.html {
		return page(now, http.StatusNotAcceptable)
	}
	return reply{status: http.StatusNotAcceptable, empty: true}
}

// page returns the HTML page for an error.
func page(now time.Time, status int) reply {
	return reply{status: status, kind: "text/html;charset=UTF-8", body: fmt.Appendf(nil,
		"<html><body><h1>Whitelabel Error Page</h1>"+
			"<p>This application has no explicit mapping for /error, so you are seeing this as a fallback.</p>"+
			"<div id='created'>%s</div><div>There was an unexpected error (type=%s, status=%d).</div></body></html>",
		now.Format("Mon Jan 02 15:04:05 CST 2006"), http.StatusText(status), status)}
}

// noSuchPath answers for a path that the gateway does not have.
func (g *Gateway) noSuchPath(r *http.Request, accepts media) reply {
	status := http.StatusInternalServerError
	for _, open := range []string{"/actuator/", "/demo/", "/h5/"} {
		if strings.HasPrefix(r.URL.Path, open) && (open != "/h5/" || !g.current()) {
			status = http.StatusNotFound
		}
	}
	var rep reply
	switch {
	case !accepts.json && accepts.html:
		rep = page(g.now().In(g.zone), status)
	case !accepts.json:
		rep = reply{status: status, empty: true}
	default:
		rep = reply{status: status, kind: jsonType[0], body: encode(object{
			{"timestamp", g.now().In(g.zone).Format(time.DateTime)}, {"status", number(status)},
			{"error", http.StatusText(status)}, {"path", r.URL.Path},
		}, true)}
	}
	rep.close = status == http.StatusInternalServerError
	return rep
}

// contentType is what the gateway makes of the Content-Type header.
type contentType struct {
	absent, json bool
	complaint    string // what it answers to a header that it cannot read
}

// charsets are the names that the gateway accepts. It reads UTF-8 all the same.
var charsets = []string{
	"utf-8", "utf8", "utf-16", "utf-16be", "utf-16le", "utf-32", "us-ascii", "ascii", "iso-8859-1", "latin1",
	"windows-1252", "gbk", "gb2312",
	"gb18030", "big5", "shift_jis", "euc-jp", "euc-kr",
}

func contentTypeOf(r *http.Request) contentType {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return contentType{absent: true}
	}
	kind, attributes, err := mime.ParseMediaType(header)
	if err != nil && kind == "" ||
		attributes["charset"] != "" && !slices.Contains(charsets, strings.ToLower(attributes["charset"])) {
		return contentType{}
	}
	main, sub, _ := strings.Cut(kind, "/")
	switch {
	case main == "*":
		return contentType{complaint: "Content-Type cannot contain wildcard type '*'"}
	case strings.HasPrefix(sub, "*"):
		return contentType{complaint: "Content-Type cannot contain wildcard subtype '*'"}
	}
	return contentType{json: main == "application" && (sub == "json" || strings.HasSuffix(sub, "+json"))}
}

// answer checks a request in the gateway's order and then runs the call: can the body be read, is the call switched on,
// are the members valid, the signature, the time.
func (g *Gateway) answer(c *call, old legacyCall, r *http.Request, seen *Request) (int, object) {
	trace, kind, body := seen.TraceID, contentTypeOf(r), seen.Body
	if g.is206() { // it looks at the switches before it reads the request
		switch set := g.Settings(); {
		case c.unregistered && !set.FinishRegistered:
			return failed(fault(codeNotThere, textNoInterface), trace)
		case set.Disabled[c.path]:
			return failed(fault(codeUnclassified, textNotEnabled), trace)
		}
	}
	switch {
	case kind.complaint != "":
		return failed(fault(codeSystem, kind.complaint), trace)
	case !kind.json && (!kind.absent || len(body) > 0):
		return failed(fault(codeSystem, textSystem), trace)
	case old != nil:
		return g.answerLegacy(old, body, trace)
	}
	began := g.now()
	p, err := c.decode(body)
	if err != nil {
		return failed(err, trace)
	}
	p.base = baseOf(r)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking = trace
	defer func() { g.asking = "" }()
	if err := g.admit(c, p, seen); err != nil {
		return failed(err, trace)
	}
	result, err := c.run(g, p)
	if err == nil && result.unsignable {
		err = fault(codeUnclassified, textWrongResult)
	}
	if (err == nil || isBusiness(err)) && !g.canSign() {
		err = byVersion(g, fault(codeValidation, textValidation+textCannotSign),
			fault(codeUnclassified, textCannotSign))
	}
	made := g.now()
	if err == nil && c.early {
		made = began
	}
	var f *failure
	switch {
	case err == nil:
		return codeOK, g.sealed(codeOK, result, made, trace)
	case errors.As(err, &f) && f.business:
		return businessRefused, g.sealed(businessRefused, outcome{msg: f.text}, made, trace)
	}
	return failed(err, trace)
}

// admit checks a request before the call runs.
func (g *Gateway) admit(c *call, p params, seen *Request) error {
	if g.settings.Disabled[c.path] {
		return fault(byVersion(g, codeNotEnabled, codeUnclassified), textNotEnabled)
	}
	if err := c.validate(p); err != nil {
		return err
	}
	if g.settings.ChecksSignatures {
		if !g.canSign() {
			return byVersion(g, fault(codeBadSignature, textBadSignature), fault(codeUnclassified, textNoAlgorithm))
		}
		seen.SignedText = peer.Canonical(c.signedObject(p), g.zone)
		want := peer.Digest(seen.SignedText, string(g.settings.SignType), g.currentSecret())
		seen.Sign = want
		if subtle.ConstantTimeCompare([]byte(p.sign), []byte(want)) != 1 {
			return byVersion(g, fault(codeBadSignature, textBadSignature), fault(codeUnclassified, textOldSignature))
		}
	}
	if !g.current() || g.settings.MaxAge == nil {
		return nil
	}
	age := g.now().Sub(time.Unix(*p.number("reqTime"), 0))
	switch {
	case age <= -61*time.Second:
		return fault(codeValidation, textValidation+textTooEarly)
	case age > *g.settings.MaxAge:
		return fault(codeValidation, textValidation+textTooOld)
	}
	return nil
}

// baseOf returns the scheme and host by which the gateway was called.
func baseOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// canSign reports whether the settings name an algorithm.
func (g *Gateway) canSign() bool {
	return g.settings.SignType == daxpay.HMACSHA256 || g.settings.SignType == daxpay.MD5
}

// sealed signs an outcome and puts it into the envelope.
func (g *Gateway) sealed(code int, result outcome, made time.Time, trace string) object {
	data := append(object{{"code", number(code)}, {"msg", nullable(result.msg)}, {"resTime", number(made.Unix())},
		{"sign", nil}}, result.members...)
	return g.enveloped(data, trace)
}

// enveloped signs data, whose fourth member is the signature.
func (g *Gateway) enveloped(data object, trace string) object {
	data[3].Value = peer.Sign(data, string(g.settings.SignType), g.currentSecret(), g.zone)
	return object{{"msg", "success"}, {"code", number(codeOK)}, {"data", data}, {"traceId", trace}}
}

// failed makes the unsigned answer to a call that failed.
func failed(err error, trace string) (int, object) {
	code := codeSystem
	var f *failure
	if errors.As(err, &f) {
		code = f.code
	}
	o := object{{"msg", nullable(textOf(err))}, {"code", number(code)}, {"data", nil}}
	if trace != "" {
		o = append(o, pair{"traceId", trace})
	}
	return code, o
}

// traceID returns a new trace ID: 12 letters and digits.
func (g *Gateway) traceID() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [12]byte
	for i := range b {
		b[i] = alphabet[rand.IntN(len(alphabet))] //nolint:gosec // it protects nothing
	}
	return string(b[:])
}
