package daxpay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/internal/wire"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Report is the result of Client.Doctor.
type Report struct {
	// Findings lists what was looked at, in order.
	Findings []Finding
	// Gateway is the version to pin, GatewayAuto if it could not be determined.
	Gateway GatewayVersion
	// Latency is the duration of the fastest round trip. ClockDifference is how far the gateway's clock is ahead of
	// this one, accurate to a second. Both are 0 if no answer came.
	Latency         time.Duration
	ClockDifference time.Duration
}

// Finding is one thing that Doctor looked at.
type Finding struct {
	Name   string // what was looked at
	Level  FindingLevel
	Detail string // what was found
	Advice string // what to do; empty if there is nothing to do
}

// FindingLevel is the severity of a finding. The zero value is FindingOK.
type FindingLevel int

// The levels.
const (
	FindingOK      FindingLevel = iota // no problem
	FindingWarning                     // works, with a risk
	FindingFault                       // calls fail, or are not safe
)

func (l FindingLevel) String() string {
	switch l {
	case FindingOK:
		return "ok"
	case FindingWarning:
		return "warning"
	}
	return "FAULT"
}

// Healthy reports whether there are findings and none is a fault. There may be warnings.
func (r *Report) Healthy() bool {
	for _, f := range r.Findings {
		if f.Level == FindingFault {
			return false
		}
	}
	return len(r.Findings) > 0
}

// String lists the findings, one per line, each with its advice below.
func (r *Report) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-8s %-18s %s\n", f.Level, f.Name, f.Detail)
		if f.Advice != "" {
			fmt.Fprintf(&b, "%-8s %-18s → %s\n", "", "", f.Advice)
		}
	}
	return b.String()
}

func (r *Report) add(level FindingLevel, name, detail, advice string) {
	r.Findings = append(r.Findings, Finding{Name: name, Level: level, Detail: detail, Advice: advice})
}

// Doctor checks whether this client and its gateway understand each other, and if not, why. It checks whether the
// gateway is reachable, and how fast; the path prefix; the clocks; secret and algorithm; the gateway's version; and
// whether the gateway checks the signatures of requests. For that it asks at most six times for a payment that cannot
// exist, which changes nothing. It also says who could tamper with the connection, and whether Config.OnceStore keeps
// the numbers of payouts. It takes at most Config.Timeout.
func (c *Client) Doctor(ctx context.Context) *Report {
	r := &Report{}
	if c == nil || c.core == nil {
		r.add(FindingFault, "client", "was not made with New", "make it with New")
		return r
	}
	if ctx == nil {
		r.add(FindingFault, "context", "must not be nil", "use context.Background()")
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, c.core.Timeout)
	defer cancel()
	d := &doctor{core: c.core, report: r}
	d.transport()
	d.signing()
	d.once(ctx)
	if !d.reach(ctx) {
		return r
	}
	if c.core.Gateway == GatewayV205 {
		r.add(FindingWarning, "version", "2.0.5 cannot be examined: it signs nothing", "update the gateway")
	} else {
		d.version(ctx)
	}
	d.clock()
	return r
}

type doctor struct {
	core   *core
	report *Report

	first probe // by reach
}

// probe is one question to the gateway and its answer.
type probe struct {
	version gateway.Version
	reply   reply
	err     error
	// understood reports whether the answer is signed with the secret: it says that there is no such payment. It may
	// have been refused for another reason, such as its time.
	understood bool
}

// refusal returns the gateway's refusal, nil if there is none.
func (p *probe) refusal() *GatewayError {
	var refusal *GatewayError
	errors.As(p.err, &refusal)
	return refusal
}

// fault describes the error.
func (p *probe) fault() string { return strings.TrimPrefix(fmt.Sprint(p.err), "daxpay: ") }

// refusedSign reports whether the gateway refused the signature of the request.
func (p *probe) refusedSign() bool {
	refusal := p.refusal()
	return refusal != nil && refusal.refusedSign()
}

// transport reports who could tamper with the connection, and what that means for the client.
func (d *doctor) transport() {
	const swapped = "http: anyone on the line can read everything, and swap answers of the same kind"
	level, detail, advice := FindingWarning, swapped, "use https, unless the line is your own"
	switch d.core.line() {
	case lineEncrypted:
		level, detail, advice = FindingOK, "https", ""
	case lineUnverified:
		detail = "https whose certificates are not verified (InsecureSkipVerify): anyone on the line can pass for the gateway"
		advice = "verify certificates; put your own certificate authority into RootCAs"
	case lineDeclared:
		detail += "; Config.TrustedNetwork says that no one is"
	case lineLocal:
		level, detail, advice = FindingOK, "http within this machine (loopback): no one else can be on this line", ""
	case lineProxied:
		detail += "; the address is of this machine, but a proxy is asked"
		advice = "use https, or no proxy for this address"
	default:
		advice = "use https, or set Config.TrustedNetwork if the line is your own"
	}
	if !d.core.trusted {
		detail += "; so the refusal of a transfer is ErrOutcomeUnknown"
	}
	d.report.add(level, "transport", detail, advice)
}

// signing warns of the weaker algorithm.
func (d *doctor) signing() {
	if d.core.SignType == MD5 {
		d.report.add(FindingWarning, "algorithm",
			"MD5: of two texts that collide, the signature of one is valid for the other",
			"set the algorithm (签名方式) of the gateway's settings and SignType to HMAC_SHA256")
	}
}

// once checks the store of payouts.
func (d *doctor) once(ctx context.Context) {
	const name = "OnceStore"
	if _, ok := d.core.once.(*memoryStore); ok {
		d.report.add(FindingWarning, name, "is in memory: after a restart, or in another process, a transfer that was sent "+
			"can be sent again under the same number, and is paid again",
			"if the program makes transfers or wallet payments, set Config.OnceStore to a persistent store: "+
				"contrib/sqlstore or contrib/redisstore")
		return
	}
	checker, ok := d.core.once.(StoreChecker)
	if !ok {
		d.report.add(FindingOK, name, "is a store of your own, which cannot be checked: it has no CheckStore", "")
		return
	}
	if err := within(ctx, checker.CheckStore); err != nil {
		d.report.add(FindingWarning, name, strings.TrimPrefix(err.Error(), "daxpay: Config.OnceStore: "),
			"fix that before money is paid out: a forgotten number can be paid again")
		return
	}
	d.report.add(FindingOK, name, "keeps what it is given", "")
}

// ask sends one query in the encoding of a version. spoil makes its signature wrong.
func (d *doctor) ask(ctx context.Context, version gateway.Version, spoil bool) probe {
	return d.askWith(ctx, d.core.signer.keys.signing(), version, spoil)
}

func (d *doctor) askWith(ctx context.Context, key *wire.Key, version gateway.Version, spoil bool) probe {
	p := probe{version: version}
	nonce, err := newNonce()
	if err != nil {
		p.err = err
		return p
	}
	call := question(version, "daxpay-doctor-"+nonce)
	call.end, _ = ctx.Deadline()
	if p.err = d.core.check(call); p.err != nil {
		return p
	}
	body, err := d.core.sealWith(key, call, version)
	if err != nil {
		p.err = err
		return p
	}
	if spoil {
		digit := &body[len(body)-3] // the last of sign
		*digit = "10"[*digit&1]
	}
	path, _ := version.Path(call.path)
	p.reply, p.err = d.core.post(ctx, call, path, body)
	if p.err == nil {
		var a answer
		p.err = d.core.read(call, version, path, &p.reply, &a)
		p.understood = a.signed
	}
	if d.report.Latency == 0 || p.reply.took < d.report.Latency {
		d.report.Latency = p.reply.took
	}
	return p
}

// question asks for a payment that does not exist, by a call whose refusal is signed: a query, or with 2.0.6, whose
// refusal of a query is not signed, a sync.
func question(version gateway.Version, bizOrderNo string) *call {
	if version == gateway.V206 {
		p := &param.PaySyncParam{BizOrderNo: bizOrderNo}
		return &call{path: p.Call().Path, effect: param.EffectReadOnly, request: reflect.ValueOf(p).Elem(),
			model: reflect.ValueOf(new(model.PaySyncModel)).Elem()}
	}
	p := &param.QueryPayOrderParam{BizOrderNo: bizOrderNo}
	return &call{path: p.Call().Path, effect: param.EffectReadOnly, request: reflect.ValueOf(p).Elem(),
		model: reflect.ValueOf(new(model.PayOrderModel)).Elem()}
}

// reach reports whether something that can be examined answers.
func (d *doctor) reach(ctx context.Context) bool {
	version := gateway.V208
	if pinned, ok := d.core.Gateway.pinned(); ok && pinned != gateway.V205 {
		version = pinned
	}
	d.first = d.ask(ctx, version, false)
	var transport *TransportError
	if errors.As(d.first.err, &transport) {
		d.report.Latency = 0
		d.report.add(FindingFault, "reachable", transport.reason(), cmp.Or(transport.advice(),
			"check ServiceURL, DNS, firewall, proxy and certificates between here and the gateway"))
		return false
	}
	d.report.add(FindingOK, "reachable", fmt.Sprintf("in %v", d.first.reply.took.Round(100*time.Microsecond)), "")
	var page *HTTPError
	if !errors.As(d.first.err, &page) {
		return true
	}
	switch status := page.StatusCode; {
	case page.UnknownPath: // prefix or version are wrong: version will say so
		return true
	case page.harmless:
		d.report.add(FindingFault, "transport", fmt.Sprintf("the port takes TLS: HTTP status %d", status), page.advice)
	case status >= 500:
		d.report.add(FindingFault, "gateway", fmt.Sprintf("something answers for it with HTTP status %d", status),
			"find out why the gateway behind the proxy does not answer")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		d.report.add(FindingFault, "gateway", fmt.Sprintf("something in front of it refuses with HTTP status %d", status),
			"let this client through at the proxy or firewall")
	case 300 <= status && status < 400:
		d.report.add(FindingFault, "gateway", fmt.Sprintf("is somewhere else: HTTP status %d", status),
			"put the final address into ServiceURL; redirects are not followed")
	default:
		return true
	}
	return false
}

func (d *doctor) clock() {
	measured, ok := d.first.reply.measureDate()
	if !ok {
		d.report.add(FindingWarning, "clock", "the answer has no Date header, so the clocks could not be compared", "")
		return
	}
	difference, uncertain := measured.difference, measured.uncertain
	d.report.ClockDifference = difference
	detail := "the gateway's is " + differenceText(difference)
	// 2.0.8 accepts requests up to 10 seconds old and up to 60 ahead; this client accepts answers up to MaxAge away.
	asks := d.report.Gateway == GatewayV207 || d.report.Gateway == GatewayV206 ||
		difference-uncertain <= 10*time.Second && difference+uncertain >= -time.Minute
	reads := d.core.MaxAge < 0 || difference.Abs()-uncertain <= d.core.MaxAge
	const advice = "synchronize both clocks (NTP): 2.0.8 refuses requests that are 10 seconds old"
	switch {
	case !asks || !reads:
		d.report.add(FindingFault, "clock", detail, advice)
	case difference.Abs()-uncertain > tolerable:
		d.report.add(FindingWarning, "clock", detail, advice)
	default:
		d.report.add(FindingOK, "clock", "agrees", "")
	}
}

// version determines which version answers with a right signature, and by a wrong one whether it checks signatures.
func (d *doctor) version(ctx context.Context) {
	probes := []probe{d.first}
	for _, v := range []gateway.Version{gateway.V208, gateway.V207, gateway.V206} {
		if v != d.first.version && !d.first.understood {
			probes = append(probes, d.ask(ctx, v, false))
		}
	}
	for i := range probes {
		p := &probes[i]
		if p.understood {
			d.recognized(ctx, p)
			return
		}
	}
	if edition := editionIn(probes); edition != "" {
		d.report.add(FindingFault, "version", "looks like DaxPay "+edition, editionAdvice(edition))
		return
	}
	d.diagnose(ctx, probes)
}

// editionIn returns the edition of DaxPay that an answer seems to come from, "" if that may be 2.0.x.
func editionIn(probes []probe) string {
	for _, p := range probes {
		var refusal *GatewayError
		var sign *SignError
		var page *HTTPError
		switch {
		case errors.As(p.err, &refusal) && refusal.edition != "":
			return refusal.edition
		case errors.As(p.err, &sign) && sign.edition != "":
			return sign.edition
		case errors.As(p.err, &page) && page.edition != "":
			return page.edition
		}
	}
	return ""
}

// otherAlgorithm asks again with the other algorithm, in the encodings whose signature was refused. takes reports
// whether the gateway accepts it and answers with it, refuses whether it refuses each of these signatures.
func (d *doctor) otherAlgorithm(ctx context.Context, probes []probe) (other SignType, takes, refuses bool) {
	keys := d.core.signer.keys
	if other = HMACSHA256; keys.signType == HMACSHA256 {
		other = MD5
	}
	key := wire.NewKey(other.algorithm(), keys.secret())
	refuses = true
	for _, asked := range probes {
		if !asked.refusedSign() {
			continue
		}
		p := d.askWith(ctx, key, asked.version, false)
		if d.isSignedWith(key, p.reply.body) {
			return other, true, false
		}
		refuses = refuses && p.refusedSign()
	}
	return other, false, refuses
}

// isSignedWith reports whether the data of an answer is signed with the key.
func (d *doctor) isSignedWith(key *wire.Key, body []byte) bool {
	var envelope, data wire.Object
	if envelope.ReadWith(body, &data, "data") != nil {
		return false
	}
	verdict, _, err := wire.Verify([]*wire.Key{key}, &data, d.core.Location)
	return err == nil && verdict == wire.Genuine
}

func (d *doctor) recognized(ctx context.Context, p *probe) {
	d.report.add(FindingOK, "path prefix", "is right", "")
	d.report.add(FindingOK, "secret", "secret and algorithm are right: the answer is signed with them", "")
	spoiled := d.ask(ctx, p.version, true)
	checks, unchecked := spoiled.refusedSign(), spoiled.understood
	version, told, failed := p.version, true, spoiled
	switch {
	case version == gateway.V206: // which alone has this path
	case !checks:
		told = false
	case version == gateway.V207: // 2.0.8 accepts what 2.0.7 accepts, and also nonceStr
		known := d.ask(ctx, gateway.V208, false)
		if known.understood {
			version = gateway.V208
		}
		told, failed = known.understood || known.refusedSign(), known
	}
	pinned, isPinned := d.core.Gateway.pinned()
	switch {
	case !told && !unchecked:
		d.report.add(FindingWarning, "version", "is 2.0.7 or 2.0.8: "+failed.fault(), "try again")
	case !told:
		d.report.add(FindingWarning, "version",
			"is 2.0.7 or 2.0.8: they differ in the signatures that they accept, and this gateway does not check them",
			"pin Gateway to what the console shows")
	case isPinned && pinned != version:
		d.report.Gateway = GatewayVersion(version.String())
		d.report.add(FindingFault, "version", "is "+version.String()+", and Gateway is "+pinned.String(),
			"set Gateway to "+version.String())
	default:
		d.report.Gateway = GatewayVersion(version.String())
		advice := ""
		if !isPinned {
			advice = "set Gateway to " + version.String() + ": that saves attempts after each start"
		}
		d.report.add(FindingOK, "version", "is "+version.String(), advice)
	}
	if told {
		d.notices(version)
	}
	switch {
	case checks:
		d.report.add(FindingOK, "request signatures", "are checked", "")
	case !unchecked:
		d.report.add(FindingWarning, "request signatures", "it could not be told whether they are checked: "+spoiled.fault(),
			"try again")
	default:
		d.report.add(FindingFault, "request signatures",
			"are not checked: anyone who can reach the gateway can pay out money in your name",
			"switch the check on in the gateway's settings (平台配置, 验签)")
	}
}

// notices warns of unexpected behavior of the version's notices.
func (d *doctor) notices(version gateway.Version) {
	switch version {
	case gateway.V208:
		d.report.add(FindingWarning, "notices",
			"2.0.8 sends none when a customer pays and the gateway learns of it from the channel, as with a QR code",
			"learn of payments by WaitPay or package reconcile, and treat notices as a shortcut")
	case gateway.V206, gateway.V207:
		d.report.add(FindingWarning, "notices",
			"notices of orders without NotifyURL go to the address in the gateway's console, which by default is "+
				"the vendor's demo server", "set NotifyURL in every order, or have the operator clear that address")
	}
}

// diagnose finds out why no version was understood.
func (d *doctor) diagnose(ctx context.Context, probes []probe) {
	// If only some encodings have a wrong signature, the secret may still be right.
	p, refused, other := probes[0], 0, 0
	for i := range probes {
		var page *HTTPError
		switch {
		case probes[i].refusedSign():
			if refused++; refused == 1 {
				p = probes[i]
			}
		case !errors.As(probes[i].err, &page) || !page.UnknownPath:
			other++
		}
	}
	if refused > 0 && other == 0 {
		d.diagnoseRefusedSign(ctx, probes, p)
		return
	}
	for i := range probes { // prefer an answer that is neither a refused signature nor no answer of the gateway at all
		var page *HTTPError
		if !probes[i].refusedSign() && !errors.As(probes[i].err, &page) {
			p = probes[i]
			break
		}
	}
	var sign *SignError
	var page *HTTPError
	refusal := p.refusal()
	switch {
	case errors.As(p.err, &sign):
		d.report.add(FindingOK, "path prefix", "is right", "")
		if sign.missing {
			d.report.add(FindingFault, "secret", "the gateway does not sign its answers",
				"it is 2.0.5 or older (Gateway: GatewayV205), or something on the way removes the signature")
			return
		}
		d.report.add(FindingFault, "secret",
			"the gateway does not check signatures, and signs with another secret or algorithm", sign.cause())
	case errors.As(p.err, &page):
		d.report.add(FindingFault, "path prefix",
			fmt.Sprintf("what answers at %s is not a gateway 2.0.6 or later: HTTP status %d %s", page.url, page.StatusCode,
				page.ContentType),
			"check ServiceURL and its path prefix; a gateway up to 2.0.5 is not recognized (Gateway: GatewayV205)")
	case refusal != nil && refusal.refusedTime():
		d.report.add(FindingOK, "path prefix", "is right", "")
		d.report.add(FindingOK, "secret",
			"the gateway accepted the signature: it has checked the time of the request, which comes after that", "")
		d.report.add(FindingFault, "request", "the gateway refuses its time: "+refusal.said(), "synchronize the clocks (NTP)")
	case refusal != nil && refusal.refusedParam():
		d.report.add(FindingOK, "path prefix", "is right", "")
		d.report.add(FindingFault, "request", "the gateway refuses it: "+refusal.said(),
			"check Gateway against the version that the console shows")
	default:
		d.report.add(FindingFault, "answer", p.fault(), "")
	}
}

// diagnoseRefusedSign finds out why the gateway refuses the signature in every encoding. p is one of the refused
// probes.
func (d *doctor) diagnoseRefusedSign(ctx context.Context, probes []probe, p probe) {
	d.report.add(FindingOK, "path prefix", "is right", "")
	other, takes, refuses := d.otherAlgorithm(ctx, probes)
	if takes {
		d.report.add(FindingFault, "SignType",
			fmt.Sprintf("the gateway takes a signature of %s, and SignType is %s", other, d.core.SignType),
			fmt.Sprintf("set SignType to %s; the secret is right", other))
		return
	}
	advice := "compare SignSecret with the gateway's settings (签名秘钥), and look for blanks, quotes and line breaks " +
		"around it"
	if refuses {
		advice += "; it is wrong with HMAC_SHA256 and with MD5"
	}
	if p.version == gateway.V206 { // whose path 2.0.5 has as well
		advice += "; if the gateway is 2.0.5 or older, set Gateway to GatewayV205"
	}
	d.report.add(FindingFault, "secret", "the gateway refuses the signature: "+p.refusal().said(), advice)
}

// cause is the last line of Explain. It contains nothing of the message.
func (e *SignError) cause() string {
	_, cause, _ := strings.Cut(e.Explain(), "cause:     ")
	return strings.TrimSpace(cause)
}
