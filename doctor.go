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

// Report is what Doctor found.
type Report struct {
	// Findings are in the order in which they were made.
	Findings []Finding
	// Gateway is the version to pin, GatewayAuto if it could not be told.
	Gateway GatewayVersion
	// Latency is the time of the fastest round trip; ClockDifference is how much the gateway's clock is ahead of this one,
	// to a second. Both are zero if no answer came.
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

// FindingLevel says how bad a finding is.
type FindingLevel int

// The levels.
const (
	FindingOK FindingLevel = iota
	FindingWarning
	FindingFault
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

// Healthy tells whether there is no fault. There may be warnings.
func (r *Report) Healthy() bool {
	for _, f := range r.Findings {
		if f.Level == FindingFault {
			return false
		}
	}
	return len(r.Findings) > 0
}

// String lists the findings, one a line, with what to do below.
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

// Doctor finds out whether this client and its gateway understand each other, and if not, why: is the gateway
// reachable, and how fast; is the path prefix right; do the clocks agree; are secret and algorithm right; which version
// is it; does it check the signatures of requests. It asks for a payment that cannot exist, at most six times, which
// changes nothing. It also says who can be on the line, and whether Config.OnceStore keeps the numbers of payouts.
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

	first probe
}

// probe is one question and what came of it.
type probe struct {
	version gateway.Version
	reply   reply
	err     error
	// understood tells that the answer was signed with the secret: that there is no such payment. An answer that is
	// refused for something else, such as its time, was.
	understood bool
}

// refusal is the gateway's refusal, nil if there was none.
func (p *probe) refusal() *GatewayError {
	var refusal *GatewayError
	errors.As(p.err, &refusal)
	return refusal
}

// fault is what went wrong, in words.
func (p *probe) fault() string { return strings.TrimPrefix(fmt.Sprint(p.err), "daxpay: ") }

// refusedSign tells that the gateway refuses the signature of the request.
func (p *probe) refusedSign() bool {
	refusal := p.refusal()
	return refusal != nil && refusal.refusedSign()
}

// transport says who can be on the line, and what the client makes of that.
func (d *doctor) transport() {
	const swapped = "http: anyone on the line can read everything, and swap answers of the same kind"
	level, detail, advice := FindingWarning, swapped, "use https, unless the line is your own"
	switch d.core.line() {
	case lineEncrypted:
		level, detail, advice = FindingOK, "https", ""
	case lineUnverified:
		detail = "https whose certificates are not verified (InsecureSkipVerify): anyone on the line can pass for the gateway"
		advice = "have certificates verified; put your own authority into RootCAs"
	case lineDeclared:
		detail += "; Config.TrustedNetwork says that no one is"
	case lineLocal:
		detail += "; no one else can be on this line, which is within this machine (loopback)"
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
			"MD5: who gets one of two texts that collide signed has the signature of the other",
			"set the algorithm (签名方式) of the gateway's settings and SignType to HMAC_SHA256")
	}
}

// once looks at the store of payouts.
func (d *doctor) once(ctx context.Context) {
	const name = "OnceStore"
	if _, ok := d.core.once.(*memoryStore); ok {
		d.report.add(FindingWarning, name, "is in memory: after a restart, and in another process, a transfer that went out "+
			"goes out again under the same number, and is paid again",
			"if the program makes transfers or wallet payments, set Config.OnceStore to one that stays: contrib/sqlstore, "+
				"contrib/redisstore")
		return
	}
	checker, ok := d.core.once.(StoreChecker)
	if !ok {
		d.report.add(FindingOK, name, "is one of your own, which cannot be checked", "")
		return
	}
	if err := within(ctx, checker.CheckStore); err != nil {
		d.report.add(FindingWarning, name, strings.TrimPrefix(err.Error(), "daxpay: Config.OnceStore: "),
			"mend that before money is paid out: a number that is forgotten can be paid again")
		return
	}
	d.report.add(FindingOK, name, "keeps what it is given", "")
}

// ask sends one query as a version has it; spoil makes its signature wrong.
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

// question asks for a payment that does not exist, by a call whose refusal is signed: by query, and of 2.0.6 by sync,
// which its answer to a query is not.
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

// reach tells whether anything answers.
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
	case page.UnknownPath: // a matter of the prefix or the version
		return true
	case page.harmless:
		d.report.add(FindingFault, "transport", fmt.Sprintf("the port takes TLS: HTTP status %d", status), page.advice)
	case status >= 500:
		d.report.add(FindingFault, "gateway", fmt.Sprintf("something answers for it with HTTP status %d", status),
			"look why the gateway behind the proxy does not answer")
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
	// 2.0.8 takes what is up to 10 seconds old, or up to 60 ahead; this client answers that are MaxAge away.
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

// version finds out which version answers with a right signature, and from what it does with a wrong one, whether it
// checks signatures.
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

// editionIn is the DaxPay other than 2.0.x as which an answer looks, "" if none does.
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

// otherAlgorithm asks again with the other algorithm, in the encodings whose signature was refused. It tells whether
// the gateway takes that, and answers with it, and whether it refuses each of these signatures.
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

// isSignedWith tells whether the data of an answer has the signature that the key gives.
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
	case version == gateway.V207: // 2.0.8 takes what 2.0.7 takes, but knows nonceStr
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
			"is 2.0.7 or 2.0.8: they differ in what they take for a right signature, which this gateway does not look at",
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
			"are not checked: anyone who reaches the gateway can pay out money in your name",
			"switch the check on in the gateway's settings (平台配置, 验签)")
	}
}

// notices says what a version does about notices that a merchant would not expect.
func (d *doctor) notices(version gateway.Version) {
	switch version {
	case gateway.V208:
		d.report.add(FindingWarning, "notices",
			"2.0.8 sends none when a customer pays and the channel tells the gateway, as with a QR code",
			"learn of payments by WaitPay or package reconcile, and take notices as a shortcut")
	case gateway.V206, gateway.V207:
		d.report.add(FindingWarning, "notices",
			"orders without NotifyURL are announced to the address in the gateway's console, which is the "+
				"vendor's demo server as installed", "set NotifyURL in every order, or have the operator clear that address")
	}
}

// diagnose says why no version was understood.
func (d *doctor) diagnose(ctx context.Context, probes []probe) {
	// A signature that only some encodings have wrong says nothing of the secret.
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
	for i := range probes { // the one that says most: not a refusal of the signature, not a path that is not there
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
				"it is 2.0.5 or older (Gateway: GatewayV205), or something on the way takes the signature out")
			return
		}
		d.report.add(FindingFault, "secret", "the gateway does not look at signatures, and signs with something else",
			sign.cause())
	case errors.As(p.err, &page):
		d.report.add(FindingFault, "path prefix",
			fmt.Sprintf("what answers at %s is no gateway of 2.0.6 or later: HTTP status %d %s", page.url, page.StatusCode,
				page.ContentType),
			"check ServiceURL and its path prefix; a gateway up to 2.0.5 is not recognized (Gateway: GatewayV205)")
	case refusal != nil && refusal.refusedTime():
		d.report.add(FindingOK, "path prefix", "is right", "")
		d.report.add(FindingOK, "secret",
			"the gateway looks at the time of a request, which it does once the signature is right", "")
		d.report.add(FindingFault, "request", "the gateway refuses its time: "+refusal.said(), "synchronize the clocks (NTP)")
	case refusal != nil && refusal.refusedParam():
		d.report.add(FindingOK, "path prefix", "is right", "")
		d.report.add(FindingFault, "request", "the gateway refuses it: "+refusal.said(),
			"check Gateway against the version that the console shows")
	default:
		d.report.add(FindingFault, "answer", p.fault(), "")
	}
}

// diagnoseRefusedSign tells what is wrong when the gateway refuses the signature in every encoding. p is one of the
// probes that it refused.
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
		advice += "; it is neither right with HMAC_SHA256 nor with MD5"
	}
	if p.version == gateway.V206 { // whose path 2.0.5 has as well
		advice += "; if the gateway is 2.0.5 or older, set Gateway to GatewayV205"
	}
	d.report.add(FindingFault, "secret", "the gateway refuses the signature: "+p.refusal().said(), advice)
}

// cause is the last line of Explain, which holds nothing of the message.
func (e *SignError) cause() string {
	_, cause, _ := strings.Cut(e.Explain(), "cause:     ")
	return strings.TrimSpace(cause)
}
