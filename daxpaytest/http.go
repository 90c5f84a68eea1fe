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

// Request is a request that the gateway got.
type Request struct {
	Method string
	Path   string
	Body   []byte
	// Code is the gateway's answer: 0 if it did what was asked, else the outer code or the one of the business. It is
	// 500, or 404, for a path that the gateway does not have, and NotRun if a fault came before the call.
	Code int
	// Fault is what went wrong on the line, or empty. The client did not get the answer as it was then.
	Fault Fault
}

// NotRun is the code of a request whose call did not run.
const NotRun = -1

// serve answers a request. Of a fault it does what concerns the gateway.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, body []byte, met Fault) {
	seen := Request{Method: r.Method, Path: r.URL.Path, Body: body, Fault: met}
	w.Header()["Date"] = []string{g.now().UTC().Format(http.TimeFormat)}
	w.Header()["Vary"] = []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}
	accepts := accepted(r.Header.Values("Accept"))
	path := cleanPath(r.URL.Path)
	var reply object
	reconciles := path == "/unipay/reconcile/pay" && (g.current() || g.version == "2.0.7")
	switch c := g.calls[path]; {
	case c == nil && g.legacy[path] == nil && !reconciles:
		seen.Code = g.noSuchPath(w, r, accepts)
		g.remember(seen)
		return
	case r.Method == http.MethodOptions:
		seen.Code, reply = failed(fault(codeWrongMethod, textNoRight), g.traceID())
	case r.Method != http.MethodPost:
		seen.Code, reply = failed(fault(codeWrongMethod, "不支持"+r.Method+"请求方法，支持以下POST"), "")
	case reconciles: // it has no parameter that could be checked
		seen.Code, reply = failed(g.noParameter(), g.traceID())
	default:
		seen.Code, reply = g.answer(c, g.legacy[path], contentTypeOf(r), body)
	}
	g.remember(seen)
	if !accepts.json {
		notAcceptable(w, r, g.now(), accepts)
		return
	}
	w.Header()["Content-Type"] = jsonType
	if r.Method == http.MethodHead {
		return
	}
	if met == Unsigned {
		reply = unsigned(reply)
	}
	write(w, http.StatusOK, encode(reply, true))
}

// noParameter is what the call for the statement of accounts always says.
func (g *Gateway) noParameter() error {
	switch settings := g.Settings(); {
	case settings.Disabled["/unipay/pay"]: // by the settings of another call
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
	_, _ = w.Write(body) //nolint:gosec // it is JSON, and says so
}

func (g *Gateway) remember(seen Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
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

// media is what a client accepts of the two things that the gateway has.
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
func notAcceptable(w http.ResponseWriter, _ *http.Request, now time.Time, accepts media) {
	if accepts.html {
		page(w, now, http.StatusNotAcceptable)
		return
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusNotAcceptable)
}

// page is the page about an error.
func page(w http.ResponseWriter, now time.Time, status int) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	write(w, status, fmt.Appendf(nil, "<html><body><h1>Whitelabel Error Page</h1>"+
		"<p>This application has no explicit mapping for /error, so you are seeing this as a fallback.</p>"+
		"<div id='created'>%s</div><div>There was an unexpected error (type=%s, status=%d).</div></body></html>",
		now.Format("Mon Jan 02 15:04:05 CST 2006"), http.StatusText(status), status))
}

// noSuchPath answers for a path that the gateway does not have, and returns the status.
func (g *Gateway) noSuchPath(w http.ResponseWriter, r *http.Request, accepts media) int {
	status := http.StatusInternalServerError
	for _, open := range []string{"/actuator/", "/demo/", "/h5/"} {
		if strings.HasPrefix(r.URL.Path, open) && (open != "/h5/" || !g.current()) {
			status = http.StatusNotFound
		}
	}
	if status == http.StatusInternalServerError {
		w.Header().Set("Connection", "close")
	}
	switch {
	case !accepts.json && accepts.html:
		page(w, g.now().In(g.zone), status)
	case !accepts.json:
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(status)
	default:
		w.Header()["Content-Type"] = jsonType
		write(w, status, encode(object{
			{"timestamp", g.now().In(g.zone).Format(time.DateTime)}, {"status", number(status)},
			{"error", http.StatusText(status)}, {"path", r.URL.Path},
		}, true))
	}
	return status
}

// contentType is what the gateway makes of the header: whether it can read that, or what it says.
type contentType struct {
	absent, json bool
	complaint    string
}

// charsets are those that the gateway knows, of which it makes no use.
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

// answer checks in the order in which the gateway does: can it be read, is the call switched on, are the members right,
// the signature, the time. Then the call runs.
func (g *Gateway) answer(c *call, old legacyCall, kind contentType, body []byte) (int, object) {
	trace := g.traceID()
	if g.version == "2.0.6" { // it looks at the switches before it reads the request
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
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.admit(c, p); err != nil {
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

// admit checks what comes before the business.
func (g *Gateway) admit(c *call, p params) error {
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
		want := peer.Sign(c.signedObject(p), string(g.settings.SignType), g.currentSecret(), g.zone)
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

// canSign tells whether the platform has an algorithm.
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

// failed is the unsigned answer.
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

// traceID is 12 letters and digits.
func (g *Gateway) traceID() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [12]byte
	for i := range b {
		b[i] = alphabet[rand.IntN(len(alphabet))] //nolint:gosec // it protects nothing
	}
	return string(b[:])
}
