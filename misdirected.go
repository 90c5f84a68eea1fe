package daxpay

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/daxpay-go/daxpay/internal/wire"
)

// editionOf names the edition of DaxPay that an envelope seems to come from, "" if it may be 2.0.x. It is a hint:
// nothing in it is signed.
func editionOf(status int, o *wire.Object) string {
	member, hasCode := o.Get("code")
	code, err := integer(member)
	if !hasCode || err != nil {
		return ""
	}
	text := msg(o)
	sign := ""
	if v, ok := o.Get("sign"); ok && v.Kind == wire.String {
		sign = string(v.Text())
	}
	_, hasMsg := o.Get("msg")
	switch {
	case code == 10506 && (strings.Contains(text, "商户号不可为空") || strings.Contains(text, "应用号不可为空")),
		status == http.StatusNotFound && code == 10404:
		return "3.x"
	case o.HasAny("reqId"), o.HasAny("message") && !hasMsg, len(sign) >= 4*128/3:
		return "3.1 or 4.x"
	case (len(sign) == 32 || len(sign) == 64) && strings.Trim(sign, "0123456789abcdefABCDEF") == "":
		return "3.0"
	case 10401 <= code && code <= 10512:
		return "3.x"
	}
	return ""
}

func editionAdvice(edition string) string {
	return "use the client for DaxPay " + edition + ": the gateway seems to be one, and this package is for the " +
		"single-merchant edition 2.0.x only"
}

// wantsTLS holds parts of what nginx, Go and Tomcat say on a TLS port when a request comes without TLS. They cannot
// have read the request.
var wantsTLS = [][]byte{[]byte("HTTPS port"), []byte("HTTPS server"), []byte("requires TLS")}

// beginning limits how much of a page is searched.
const beginning = 4 << 10

// twice is what the URL of a call holds if ServiceURL ends in the beginning of the paths.
const twice = "/unipay/unipay/"

// misdirected says what to do about a reply that is not the gateway's, and whether the reply proves that the request
// did not reach a gateway. The advice quotes nothing from the reply.
func (r *reply) misdirected(e *HTTPError, bad error) (advice string, harmless bool) {
	plain := strings.HasPrefix(e.url, "http://")
	switch status := r.status; {
	case plain && status == http.StatusBadRequest && r.saysOneOf(wantsTLS):
		return "write https:// in ServiceURL: this port takes TLS only", true
	case e.UnknownPath && strings.Contains(e.url, twice):
		return "leave /unipay out of ServiceURL: there is no " + e.url, status == http.StatusNotFound && r.named
	case e.UnknownPath && e.pinned:
		return "check the path prefix in ServiceURL, and whether Gateway is the right version: there is no " + e.url,
			status == http.StatusNotFound && r.named
	case e.UnknownPath:
		return "check the path prefix in ServiceURL, and pin Gateway if the gateway is 2.0.6 or older: there is no " + e.url,
			status == http.StatusNotFound && r.named
	case 300 <= status && status < 400 && plain && r.redirectsToTLS(e.url):
		return "write https:// in ServiceURL: it redirects there, and redirects are not followed", true
	case 300 <= status && status < 400:
		return "put the final address into ServiceURL: redirects are not followed", false
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "let this client through at the proxy or firewall in front of the gateway, or check the path prefix in " +
			"ServiceURL", false
	case status == http.StatusProxyAuthRequired:
		return "give the proxy its user and password (HTTPS_PROXY, or Config.HTTPClient)", false
	case status == http.StatusBadRequest && plain:
		return "if this port takes TLS, write https:// in ServiceURL", false
	case status == http.StatusRequestEntityTooLarge:
		return "raise the limit for request bodies at the proxy in front of the gateway", false
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return "check that the gateway behind the proxy is running, and that the proxy has its port right", false
	case status != http.StatusOK || bad == nil:
		return "", false
	}
	return r.unreadable(), false
}

// unreadable says what to do about a reply with status 200 that is no answer.
func (r *reply) unreadable() string {
	body := r.body
	text := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(text) == 0:
		return "check host, port and path prefix of ServiceURL: the answer is empty"
	case r.encoding != "":
		return "switch off the compression of the proxy in front of the gateway: the answer comes with Content-Encoding " +
			strconv.Quote(r.encoding)
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		return "switch off the compression of the proxy in front of the gateway: the answer is gzip and does not say so"
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return "find what writes a byte order mark (BOM) before the JSON of the answer: the gateway writes none"
	case text[0] == '<':
		return "check host, port and path prefix of ServiceURL, and whether a login page is in front of the gateway: the " +
			"answer is a web page"
	case text[0] == '{' && !utf8.Valid(body):
		return "find what converts the answer to another charset, such as GBK: the gateway sends UTF-8"
	}
	return "check host, port and path prefix of ServiceURL: something other than the gateway answers"
}

func (r *reply) saysOneOf(parts [][]byte) bool {
	page := r.body[:min(len(r.body), beginning)]
	for _, part := range parts {
		if bytes.Contains(page, part) {
			return true
		}
	}
	return false
}

// redirectsToTLS reports whether the reply redirects to the same path of the same host, with https. A server in front
// of the gateway then sent it instead of passing the request on.
func (r *reply) redirectsToTLS(from string) bool {
	here, err := url.Parse(from)
	if err != nil {
		return false
	}
	there, err := url.Parse(r.location)
	return err == nil && there.Scheme == "https" && strings.EqualFold(there.Hostname(), here.Hostname()) &&
		there.Path == here.Path
}

// tlsAlert is how net/http starts to quote the answer of a TLS port to a request without TLS.
const tlsAlert = `malformed HTTP response "\x15\x03`

// advice says what to do, "" if the reason says enough.
func (e *TransportError) advice() string {
	if e.Err == nil {
		return ""
	}
	raw := e.Err
	if scrubbed, ok := raw.(*scrubbedError); ok { //nolint:errorlint // it is never wrapped
		raw = scrubbed.err
	}
	var (
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		operation   *net.OpError
	)
	switch {
	case errors.As(raw, &name):
		return "check the host in ServiceURL: it is not found"
	case errors.Is(raw, syscall.ECONNREFUSED):
		return "check host and port in ServiceURL, and whether the gateway runs: nothing listens there"
	case errors.Is(raw, http.ErrSchemeMismatch), errors.As(raw, &record):
		return "write http:// in ServiceURL, or the port that takes TLS: this one does not"
	case strings.Contains(raw.Error(), tlsAlert):
		return "write https:// in ServiceURL: this port takes TLS only"
	case errors.As(raw, &certificate):
		return "give the gateway a certificate for the host in ServiceURL, or this client the authority that signed it"
	case errors.As(raw, &operation) && operation.Op == "dial" && operation.Timeout():
		return "check host and port in ServiceURL, and the firewall: nothing answers there"
	case e.NeverSent && errors.Is(raw, context.DeadlineExceeded):
		return "allow more time: the context, or Config.Timeout, ended first"
	}
	return ""
}
