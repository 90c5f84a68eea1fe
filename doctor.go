package daxpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay/internal/gateway"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// Report is what Doctor found.
type Report struct {
	// Findings are in the order in which they were made.
	Findings []Finding
	// Gateway is the version to pin, GatewayAuto if it could not be told.
	Gateway GatewayVersion
	// Latency is the time of the fastest round trip; ClockDifference is how much the gateway's clock is ahead of this one, to a
	// second. Both are zero if no answer came.
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

// maxClockDifference is how old a request may be for gateway 2.0.8 as installed.
const maxClockDifference = 10 * time.Second

// Doctor finds out whether this client and its gateway understand each other, and if not, why: is the gateway reachable, and how
// fast; is the path prefix right; do the clocks agree; are secret and algorithm right; which version is it; does it check the
// signatures of requests. It asks for a payment that cannot exist, up to nine times, which changes nothing.
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
	if d.reach(ctx) {
		d.clock()
		d.version(ctx)
	}
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
	took    time.Duration
	at      time.Time // halfway, by the clock of the client
	reply   reply
	err     error
}

// refusal is the gateway's refusal, nil if there was none.
func (p *probe) refusal() *GatewayError {
	refusal := (*GatewayError)(nil)
	errors.As(p.err, &refusal)
	return refusal
}

// understood tells that the answer was signed with the secret: that there is no such payment.
func (p *probe) understood() bool {
	refusal := p.refusal()
	return p.err == nil || refusal != nil && refusal.Signed
}

func (d *doctor) transport() {
	u, err := url.Parse(d.core.ServiceURL)
	if err == nil && u.Scheme == "https" {
		d.report.add(FindingOK, "transport", "https", "")
		return
	}
	d.report.add(FindingWarning, "transport", "http: whoever is on the line can read everything, and swap answers of the same kind",
		"use https, unless the line is your own")
}

// ask sends one query as a version has it; spoil makes its signature wrong.
func (d *doctor) ask(ctx context.Context, version gateway.Version, spoil bool) probe {
	p := probe{version: version}
	nonce, err := newNonce()
	if err != nil {
		p.err = err
		return p
	}
	question := &param.QueryPayParam{BizOrderNo: "daxpay-doctor-" + nonce}
	var order model.PayOrderModel
	call := &call{path: question.Call().Path, readOnly: true, request: reflect.ValueOf(question).Elem(), model: reflect.ValueOf(&order).Elem()}
	if p.err = d.core.check(call); p.err != nil {
		return p
	}
	s := new(scratch)
	body, err := d.core.seal(s, call, version)
	if err != nil {
		p.err = err
		return p
	}
	if spoil {
		digit := &body[len(body)-3] // the last of sign
		*digit = "10"[*digit&1]
	}
	path, _ := version.Path(call.path)
	start, monotonic := d.core.Now(), time.Now()
	p.reply, p.err = d.core.post(ctx, path, body)
	p.took = time.Since(monotonic)
	p.at = start.Add(p.took / 2)
	if p.err == nil {
		var a answer
		p.err = d.core.open(s, call, version, path, p.reply, &a)
	}
	if d.report.Latency == 0 || p.took < d.report.Latency {
		d.report.Latency = p.took
	}
	return p
}

// reach tells whether anything answers.
func (d *doctor) reach(ctx context.Context) bool {
	version := gateway.V208
	if pinned, ok := d.core.Gateway.pinned(); ok && pinned != gateway.V205 {
		version = pinned
	}
	d.first = d.ask(ctx, version, false)
	transport := (*TransportError)(nil)
	if errors.As(d.first.err, &transport) {
		d.report.Latency = 0
		d.report.add(FindingFault, "reachable", transport.reason(), "check ServiceURL, DNS, firewall, proxy and certificates between here and the gateway")
		return false
	}
	d.report.add(FindingOK, "reachable", fmt.Sprintf("in %v", d.first.took.Round(100*time.Microsecond)), "")
	return true
}

func (d *doctor) clock() {
	date, err := http.ParseTime(d.first.reply.date)
	if err != nil {
		d.report.add(FindingWarning, "clock", "the answer has no Date header, so the clocks could not be compared", "")
		return
	}
	// A Date header is cut to the second: half of one is lost on average.
	difference := date.Add(time.Second / 2).Sub(d.first.at).Round(time.Second)
	d.report.ClockDifference = difference
	switch size := difference.Abs(); {
	case size > maxClockDifference:
		d.report.add(FindingFault, "clock", fmt.Sprintf("the gateway's is %v ahead of this one", difference), "synchronize both clocks (NTP): 2.0.8 refuses requests that are 10 seconds old")
	case size > maxClockDifference/3:
		d.report.add(FindingWarning, "clock", fmt.Sprintf("the gateway's is %v ahead of this one", difference), "synchronize both clocks (NTP): 2.0.8 refuses requests that are 10 seconds old")
	default:
		d.report.add(FindingOK, "clock", "agrees within "+(maxClockDifference/3).Round(time.Second).String(), "")
	}
}

// version finds out which version answers with a right signature, and from what it does with a wrong one, whether it checks
// signatures.
func (d *doctor) version(ctx context.Context) {
	probes := []probe{d.first}
	for _, v := range []gateway.Version{gateway.V208, gateway.V207, gateway.V206} {
		if v != d.first.version && !d.first.understood() {
			probes = append(probes, d.ask(ctx, v, false))
		}
	}
	for i := range probes {
		p := &probes[i]
		if p.understood() {
			d.recognized(ctx, p)
			return
		}
	}
	d.diagnose(probes)
}

func (d *doctor) recognized(ctx context.Context, p *probe) {
	d.report.add(FindingOK, "path prefix", "is right", "")
	d.report.add(FindingOK, "secret", "secret and algorithm are right: the answer is signed with them", "")
	spoiled := d.ask(ctx, p.version, true)
	checks := !spoiled.understood()
	version := p.version
	if checks && version != gateway.V206 {
		// 2.0.8 takes what 2.0.7 takes, but knows nonceStr.
		version = gateway.V207
		if known := d.ask(ctx, gateway.V208, false); known.understood() {
			version = gateway.V208
		}
	}
	pinned, isPinned := d.core.Gateway.pinned()
	switch {
	case !checks && version != gateway.V206:
		d.report.add(FindingWarning, "version", "is 2.0.7 or 2.0.8: they differ in what they take for a right signature, which this gateway does not look at", "pin Gateway to what the console shows")
	case isPinned && pinned != version:
		d.report.Gateway = GatewayVersion(version.String())
		d.report.add(FindingFault, "version", "is "+version.String()+", and Gateway is "+pinned.String(), "set Gateway to "+version.String())
	default:
		d.report.Gateway = GatewayVersion(version.String())
		advice := ""
		if !isPinned {
			advice = "set Gateway to " + version.String() + ": that saves attempts after each start"
		}
		d.report.add(FindingOK, "version", "is "+version.String(), advice)
	}
	if checks {
		d.report.add(FindingOK, "request signatures", "are checked", "")
	} else {
		d.report.add(FindingFault, "request signatures", "are not checked: whoever reaches the gateway can pay out money in your name", "switch the check on in the gateway's settings (平台配置, 验签)")
	}
}

// diagnose says why no version was understood.
func (d *doctor) diagnose(probes []probe) {
	for i := range probes {
		refusal := probes[i].refusal()
		if refusal == nil || !refusal.refusedSign() {
			continue
		}
		d.report.add(FindingOK, "path prefix", "is right", "")
		d.report.add(FindingFault, "secret", "the gateway refuses the signature: "+refusal.said(), "compare SignSecret and SignType with the gateway's settings; look for blanks, quotes and line breaks around the secret")
		return
	}
	p := probes[0]
	sign := (*SignError)(nil)
	page := (*HTTPError)(nil)
	refusal := p.refusal()
	switch {
	case errors.As(p.err, &sign):
		d.report.add(FindingOK, "path prefix", "is right", "")
		advice := "compare SignSecret and SignType with the gateway's settings"
		if !sign.missing {
			advice = sign.cause()
		}
		d.report.add(FindingFault, "secret", "the gateway does not look at signatures, and signs with something else", advice)
	case errors.As(p.err, &page):
		d.report.add(FindingFault, "path prefix", fmt.Sprintf("what answers at %s is no gateway of 2.0.6 or later: HTTP status %d %s", page.url, page.StatusCode, page.ContentType),
			"check ServiceURL and its path prefix; a gateway up to 2.0.5 is not recognized (Gateway: GatewayV205)")
	case refusal != nil && refusal.refusedParam():
		d.report.add(FindingOK, "path prefix", "is right", "")
		d.report.add(FindingFault, "request", "the gateway refuses it: "+refusal.said(), "if it is about the time, synchronize the clocks (NTP)")
	default:
		d.report.add(FindingFault, "answer", strings.TrimPrefix(p.err.Error(), "daxpay: "), "")
	}
}

// cause is the last line of Explain, which holds nothing of the message.
func (e *SignError) cause() string {
	_, cause, _ := strings.Cut(e.Explain(), "cause:     ")
	return strings.TrimSpace(cause)
}
