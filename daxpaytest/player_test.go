package daxpaytest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/model"
)

const scenarioSecret = "123456"

var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// scenario is a recording; testdata/conformance/README.md describes the format.
type scenario struct {
	version, name string
	settings      peer.Object
	steps         []peer.Object
}

func loadScenario(file string) (*scenario, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	o, err := peer.Parse(content)
	if err != nil {
		return nil, err
	}
	s := &scenario{version: text(o, "version"), name: text(o, "name")}
	s.settings, _ = o.Get("settings").(peer.Object)
	list, _ := o.Get("steps").([]any)
	for _, item := range list {
		step, ok := item.(peer.Object)
		if !ok {
			return nil, errors.New("a step is no object")
		}
		s.steps = append(s.steps, step)
	}
	return s, nil
}

func text(o peer.Object, name string) string { s, _ := o.Get(name).(string); return s }

func has(o peer.Object, name string) bool {
	return slices.ContainsFunc(o, func(p peer.Pair) bool { return p.Name == name })
}

func without(o peer.Object, names ...any) peer.Object {
	return slices.DeleteFunc(slices.Clone(o), func(p peer.Pair) bool { return slices.Contains(names, any(p.Name)) })
}

// reply is what the merchant's notice URL answers.
type reply struct {
	status int
	body   string
	header map[string]string
	after  time.Duration
}

// arrival is a notice that has arrived.
type arrival struct {
	path   string
	header http.Header
	body   []byte
}

// response is an answer of the gateway.
type response struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// player plays a scenario against a gateway.
type player struct {
	s        *scenario
	gw       *daxpaytest.Gateway
	clock    *daxpaytest.Clock
	prefix   string
	signType daxpay.SignType
	captured map[string]string
	now      string // seconds of the last request
	shop     *httptest.Server
	held     map[string]heldCall

	mu       sync.Mutex
	arrivals []arrival
	reply    reply
	waiting  int // replies that are kept back until the clock has moved
	moved    chan struct{}
	holding  chan struct{}
}

type heldCall struct {
	answer *daxpaytest.Held
	done   chan response
}

var playedVersions = map[string]daxpay.GatewayVersion{
	"2.0.8": daxpay.GatewayV208, "2.0.7": daxpay.GatewayV207, "2.0.6": daxpay.GatewayV206, "2.0.5": daxpay.GatewayV205,
}

func newPlayer(s *scenario, n int) *player {
	clock := daxpaytest.NewClock(time.Date(2026, 11, 28, 4, 5, 6, 300e6, time.UTC))
	p := &player{
		s: s, clock: clock, prefix: fmt.Sprintf("cfake%04d", n%10000), signType: daxpay.HMACSHA256,
		captured: make(map[string]string),
		held:     make(map[string]heldCall), reply: reply{status: http.StatusOK, body: "SUCCESS"},
		moved: make(chan struct{}), holding: make(chan struct{}, 100),
	}
	p.gw = daxpaytest.New(daxpaytest.WithVersion(playedVersions[s.version]), daxpaytest.WithSecret(scenarioSecret),
		daxpaytest.WithTestClock(clock), daxpaytest.WithFirstNumber(1)) // recorded numbers begin with DEV
	p.shop = httptest.NewServer(http.HandlerFunc(p.receive))
	return p
}

func (p *player) close() {
	for _, h := range p.held {
		h.answer.Release()
		<-h.done
	}
	p.gw.Close()
	close(p.moved)
	p.shop.Close()
}

// receive takes a notice.
func (p *player) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	p.arrivals = append(p.arrivals, arrival{r.URL.RequestURI(), r.Header, body})
	rep := p.reply
	due := p.clock.Now().Add(rep.after)
	p.mu.Unlock()
	for rep.after > 0 && p.clock.Now().Before(due) {
		p.mu.Lock()
		p.waiting++
		moved := p.moved
		p.mu.Unlock()
		p.holding <- struct{}{}
		<-moved
		p.mu.Lock()
		p.waiting--
		p.mu.Unlock()
	}
	for name, value := range rep.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(rep.status)
	_, _ = io.WriteString(w, rep.body)
}

// advance moves the clock, for the gateway and for the merchant.
func (p *player) advance(d time.Duration) {
	p.clock.Advance(d)
	p.mu.Lock()
	close(p.moved)
	p.moved = make(chan struct{})
	p.mu.Unlock()
	p.settle()
}

// settle waits until no notice is being sent, except one whose reply the merchant holds back.
func (p *player) settle() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() { _ = p.gw.WaitNotices(ctx); close(done) }()
	for {
		p.mu.Lock()
		waiting := p.waiting
		p.mu.Unlock()
		if waiting > 0 {
			return
		}
		select {
		case <-done:
			return
		case <-p.holding:
		}
	}
}

// play plays the scenario and reports each step with its differences from the recording.
func (p *player) play(report func(step int, differences []string)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	if err := p.change(p.s.settings); err != nil {
		return err
	}
	for i, step := range p.s.steps {
		differences, compared, err := p.step(step)
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		if compared {
			report(i, differences)
		}
	}
	if n := p.unasked(true); n != "" {
		report(len(p.s.steps), []string{n})
	}
	return nil
}

// unasked returns a notice that came although no step expects it. Those of older releases were recorded while the next
// call was already running.
func (p *player) unasked(end bool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.arrivals) == 0 || p.s.settings.Get("noticesUnknown") == true || !end && p.s.version != "2.0.8" {
		return ""
	}
	return "an unexpected notice: " + string(p.arrivals[0].body)
}

func (p *player) step(step peer.Object) (differences []string, compared bool, err error) {
	switch {
	case has(step, "begin"):
		return nil, false, p.begin(step)
	case has(step, "end"):
		h := p.held[text(step, "end")]
		delete(p.held, text(step, "end"))
		h.answer.Release()
		res := <-h.done
		p.settle()
		return p.compare(step, res), true, nil
	case has(step, "call"):
		if n := p.unasked(false); n != "" {
			p.arrivals = nil
			differences = append(differences, n)
		}
		if d, err := time.ParseDuration(text(step, "takes")); err == nil {
			p.advance(d)
		}
		body, err := p.body(step)
		if err != nil {
			return append(differences, "the request: "+err.Error()), true, nil //nolint:nilerr // it is a difference
		}
		res := p.post(step, body)
		p.settle()
		return append(differences, p.compare(step, res)...), true, nil
	case has(step, "notice"):
		return p.compareNotice(step), true, nil
	case has(step, "channel"):
		err = p.channel(step)
		p.settle()
	case has(step, "operator"):
		_, err = p.gw.Resend(context.Background(), p.own(text(step, "order")))
	case has(step, "settings"):
		o, _ := step.Get("settings").(peer.Object)
		err = p.change(o)
	case has(step, "wait"):
		var d time.Duration
		if d, err = time.ParseDuration(text(step, "wait")); err == nil {
			p.advance(d)
		}
	case has(step, "replies"):
		p.setReply(step)
	default:
		err = errors.New("an unknown step")
	}
	return nil, false, err
}

func (p *player) setReply(step peer.Object) {
	o, _ := step.Get("replies").(peer.Object)
	r := reply{status: http.StatusOK, body: text(o, "body"), header: make(map[string]string)}
	if n, ok := o.Get("status").(json.Number); ok {
		r.status, _ = strconv.Atoi(n.String())
	}
	r.after, _ = time.ParseDuration(text(o, "after"))
	headers, _ := o.Get("headers").(peer.Object)
	for _, h := range headers {
		r.header[h.Name] = fmt.Sprint(h.Value)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply = r
}

// operations are the operations that each call asks the channel for.
var operations = map[string]daxpaytest.Operation{
	"/unipay/pay": daxpaytest.OpPay, "/unipay/close": daxpaytest.OpClose, "/unipay/cancel": daxpaytest.OpCancel,
	"/unipay/refund": daxpaytest.OpRefund, "/unipay/transfer": daxpaytest.OpTransfer,
	"/unipay/sync/pay": daxpaytest.OpPaySync,
	"/unipay/syncPay":  daxpaytest.OpPaySync, "/unipay/sync/refund": daxpaytest.OpRefundSync,
	"/unipay/syncRefund":      daxpaytest.OpRefundSync,
	"/unipay/sync/allocation": daxpaytest.OpAllocationSync, "/unipay/allocation/start": daxpaytest.OpAllocation,
	"/unipay/allocation": daxpaytest.OpAllocation, "/unipay/allocation/finish": daxpaytest.OpAllocationFinish,
	"/unipay/allocation/receiver/add":    daxpaytest.OpReceiverAdd,
	"/unipay/allocation/receiver/remove": daxpaytest.OpReceiverRemove,
}

func (p *player) begin(step peer.Object) error {
	op, ok := operations[text(step, "call")]
	if !ok {
		return errors.New("the call does not ask the channel")
	}
	body, err := p.body(step)
	if err != nil {
		return err
	}
	h := heldCall{p.gw.Channel().Holds(op), make(chan response, 1)}
	go func() { h.done <- p.post(step, body) }()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	p.held[text(step, "begin")] = h
	return h.answer.Reached(ctx)
}

func (p *player) channel(step peer.Object) error {
	c := p.gw.Channel()
	op, no := daxpaytest.Operation(text(step, "to")), p.own(text(step, "order"))
	about := map[string]func(string) bool{
		"waits": c.Waits, "pays": c.Pays, "finishes": c.Finishes, "closes": c.Closes, "returns": c.Returns,
		"forgets": c.Forgets,
		"tells":   c.Tells, "refunds": c.Refunds,
	}
	switch word := text(step, "channel"); word {
	case "refuses":
		c.Refuses(op, text(step, "code"), text(step, "msg"))
	case "breaks":
		c.Breaks(op)
	case "times out":
		c.TimesOut(op)
	case "takes":
		c.Takes(op)
	case "obeys":
		c.Obeys(op)
	case "allocates":
		var results []daxpaytest.Result
		list, _ := step.Get("results").([]any)
		for _, item := range list {
			r := daxpaytest.Result{State: fmt.Sprint(item)}
			if r.State == "fail" {
				r.Code, r.Msg = text(step, "code"), text(step, "msg")
			}
			results = append(results, r)
		}
		// In 2.0.6 some calls never began.
		c.Allocates(no, results...)
	default:
		do, ok := about[word]
		if !ok {
			return fmt.Errorf("the channel cannot %q", word)
		}
		do(no)
	}
	return nil
}

// own returns the merchant's number for a name in the scenario.
func (p *player) own(name string) string {
	s, err := p.fill(name)
	if err != nil {
		return ""
	}
	filled, _ := s.(string)
	return filled
}

// change changes the gateway's settings.
func (p *player) change(o peer.Object) error {
	filled, err := p.fillAll(o)
	if err != nil {
		return err
	}
	o, _ = filled.(peer.Object)
	var unknown error
	p.gw.Change(func(s *daxpaytest.Settings) {
		for _, m := range o {
			if err := changeOne(s, m.Name, m.Value); err != nil {
				unknown = err
			}
		}
	})
	p.signType = p.gw.Settings().SignType
	return unknown
}

func optionalNumber(v any) *int64 {
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	i, _ := n.Int64()
	return &i
}

func optionalDuration(v any, unit time.Duration) *time.Duration {
	n := optionalNumber(v)
	if n == nil {
		return nil
	}
	d := time.Duration(*n) * unit
	return &d
}

func changeOne(s *daxpaytest.Settings, name string, value any) error {
	list, _ := value.([]any)
	o, _ := value.(peer.Object)
	switch name {
	case "signType":
		if s.SignType = daxpay.HMACSHA256; value == "MD5" {
			s.SignType = daxpay.MD5
		}
	case "checksSignatures":
		s.ChecksSignatures = value == true
	case "maxAge":
		s.MaxAge = optionalDuration(value, time.Second)
	case "orderTimeout":
		s.OrderTimeout = optionalDuration(value, time.Minute)
	case "limit":
		s.Limit = optionalNumber(value)
	case "resends":
		s.Resends = value == true
	case "disabledCalls", "enabledCalls":
		if s.Disabled == nil {
			s.Disabled = make(map[string]bool)
		}
		for _, path := range list {
			s.Disabled[fmt.Sprint(path)] = name == "disabledCalls"
		}
	case "channels":
		for _, m := range o {
			settings, _ := m.Value.(peer.Object)
			if err := changeChannel(s, model.Channel(m.Name), settings); err != nil {
				return err
			}
		}
	case "groups":
		for _, item := range list {
			o, _ := item.(peer.Object)
			addGroup(s, o)
		}
	case "noticeUrls":
		s.NoticeURLs = make(map[string]string)
		for _, m := range o {
			s.NoticeURLs[m.Name] = fmt.Sprint(m.Value)
		}
	case "noticesUnknown":
	default:
		return fmt.Errorf("unknown setting %s", name)
	}
	return nil
}

func changeChannel(s *daxpaytest.Settings, name model.Channel, settings peer.Object) error {
	c := s.Channels[name]
	for _, m := range settings {
		switch m.Name {
		case "enabled":
			c.Enabled = m.Value == true
		case "limit":
			c.Limit = optionalNumber(m.Value)
		case "allocation":
			c.Allocation = m.Value == true
		case "appId":
			id := fmt.Sprint(m.Value)
			c.AppID = &id
		case "methods":
			c.Methods = nil
			methods, _ := m.Value.([]any)
			for _, method := range methods {
				c.Methods = append(c.Methods, model.Method(fmt.Sprint(method)))
			}
		default:
			return fmt.Errorf("unknown setting %s of a channel", m.Name)
		}
	}
	s.Channels[name] = c
	return nil
}

// addGroup adds a group of receivers, or replaces the group with its number.
func addGroup(s *daxpaytest.Settings, o peer.Object) {
	group := daxpaytest.Group{
		GroupNo: text(o, "groupNo"), Channel: model.Channel(text(o, "channel")), Default: o.Get("default") == true,
	}
	members, _ := o.Get("receivers").([]any)
	for _, item := range members {
		o, _ := item.(peer.Object)
		group.Members = append(group.Members,
			daxpaytest.GroupMember{ReceiverNo: text(o, "receiverNo"), Rate: *optionalNumber(o.Get("rate"))})
	}
	s.Groups = append(slices.DeleteFunc(s.Groups,
		func(old daxpaytest.Group) bool { return old.GroupNo == group.GroupNo }), group)
}

var (
	nowForm      = regexp.MustCompile(`^\$now([+-]\d+)?$`)
	textForm     = regexp.MustCompile(`^\$text([+-]\d+)?$`)
	ownForm      = regexp.MustCompile(`^\$([A-Z]+[a-z]?\d*)(?:\*(\d+))?$`)
	capturedForm = regexp.MustCompile(`^\$([A-Z]+[a-z]?\d*)\.([A-Za-z]+?)(\d*)$`)
	inlineForm   = regexp.MustCompile(`\$\{[^}]*\}`)
	traceForm    = regexp.MustCompile(`^[0-9A-Za-z]{12}$`)
	numberForms  = map[string]*regexp.Regexp{
		"orderNo": regexp.MustCompile(`^DEVP\d{20}$`), "refundNo": regexp.MustCompile(`^DEVR\d{20}$`),
		"allocNo": regexp.MustCompile(`^DEVA\d{20}$`), "allocationNo": regexp.MustCompile(`^DEVA\d{20}$`),
		"transferNo": regexp.MustCompile(`^DEVT\d{20}$`),
	}
)

// fillAll replaces placeholders by values.
func (p *player) fillAll(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return p.fill(v)
	case peer.Object:
		o := peer.Object{}
		for _, m := range v {
			value, err := p.fillAll(m.Value)
			if err != nil {
				return nil, err
			}
			o = append(o, peer.Pair{Name: m.Name, Value: value})
		}
		return o, nil
	case []any:
		list := []any{}
		for _, item := range v {
			value, err := p.fillAll(item)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	}
	return v, nil
}

func (p *player) seconds() string { return strconv.FormatInt(p.clock.Now().Unix(), 10) }

func (p *player) fill(s string) (any, error) {
	switch {
	case !strings.HasPrefix(s, "$"):
		return s, nil
	case strings.HasPrefix(s, "$$"):
		return s[1:], nil
	case strings.HasPrefix(s, "$~"):
		return p.inline(s[2:])
	case strings.HasPrefix(s, "$notify"):
		return p.shop.URL + strings.TrimPrefix(s, "$notify"), nil
	}
	if m := nowForm.FindStringSubmatch(s); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		p.now = p.seconds()
		return json.Number(strconv.FormatInt(p.clock.Now().Unix()+n, 10)), nil
	}
	if m := ownForm.FindStringSubmatch(s); m != nil {
		no := p.prefix + m[1]
		if n, err := strconv.Atoi(m[2]); err == nil {
			no += strings.Repeat("x", max(0, n-len(no)))
		}
		return no, nil
	}
	if capturedForm.MatchString(s) {
		if value, ok := p.captured[s]; ok {
			return value, nil
		}
		return nil, fmt.Errorf("%s is not known yet", s)
	}
	return nil, fmt.Errorf("%s is an unknown placeholder", s)
}

// inline replaces the placeholders inside a text.
func (p *player) inline(s string) (string, error) {
	var failed error
	filled := inlineForm.ReplaceAllStringFunc(s, func(m string) string {
		if m == "${sign}" {
			return m
		}
		v, err := p.fill("$" + m[2:len(m)-1])
		if err != nil {
			failed = err
		}
		return fmt.Sprint(v)
	})
	return filled, failed
}

// sign signs a request independently of the SDK, which would refuse to sign some of the recorded requests.
func (p *player) sign(o peer.Object) string {
	signed, _ := asSigned(o).(peer.Object)
	return peer.Sign(signed, string(p.signType), scenarioSecret, shanghai)
}

// asSigned replaces the nulls in lists by a text. The recorder signed them; a gateway does not.
func asSigned(v any) any {
	switch v := v.(type) {
	case peer.Object:
		o := slices.Clone(v)
		for i := range o {
			o[i].Value = asSigned(o[i].Value)
		}
		return o
	case []any:
		list := slices.Clone(v)
		for i, item := range list {
			if list[i] = asSigned(item); item == nil {
				list[i] = json.Number("null")
			}
		}
		return list
	}
	return v
}

// body makes the bytes of a request.
func (p *player) body(step peer.Object) ([]byte, error) {
	if encoded, ok := step.Get("raw64").(string); ok {
		return base64.StdEncoding.DecodeString(encoded)
	}
	if raw, ok := step.Get("raw").(string); ok {
		return p.rawBody(step, raw)
	}
	filled, err := p.fillAll(step.Get("request"))
	if err != nil {
		return nil, err
	}
	o, ok := filled.(peer.Object)
	if !ok {
		return nil, errors.New("there is none")
	}
	if !has(o, "reqTime") {
		p.now = p.seconds()
		o = append(o, peer.Pair{Name: "reqTime", Value: json.Number(p.now)})
	}
	if !has(o, "nonceStr") && p.s.version == "2.0.8" {
		o = append(o, peer.Pair{Name: "nonceStr", Value: "0123456789abcdef"})
	}
	if !has(o, "sign") {
		unsigned, _ := step.Get("unsigned").([]any)
		o = append(o, peer.Pair{Name: "sign", Value: p.sign(without(o, unsigned...))})
	}
	dropped, _ := step.Get("without").([]any)
	return peer.Encode(without(o, dropped...)), nil
}

func (p *player) rawBody(step peer.Object, raw string) ([]byte, error) {
	filled, err := p.inline(raw)
	if err != nil || !strings.Contains(filled, "${sign}") {
		return []byte(filled), err
	}
	signs := strings.NewReplacer(`,"sign":"${sign}"`, "", `"sign":"${sign}",`, "").Replace(filled)
	if other, ok := step.Get("signs").(string); ok {
		if signs, err = p.inline(other); err != nil {
			return nil, err
		}
	}
	o, err := peer.Parse([]byte(signs))
	if err != nil {
		return nil, err
	}
	return []byte(strings.ReplaceAll(filled, "${sign}", p.sign(o))), nil
}

var plainClient = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (p *player) post(step peer.Object, body []byte) response {
	method := text(step, "method")
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(context.Background(), method, p.gw.URL()+text(step, "call"),
		bytes.NewReader(body))
	if err != nil {
		return response{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	headers, _ := step.Get("send").(peer.Object)
	for _, h := range headers {
		if h.Value == nil {
			req.Header.Del(h.Name)
		} else {
			req.Header.Set(h.Name, fmt.Sprint(h.Value))
		}
	}
	res, err := plainClient.Do(req)
	if err != nil {
		return response{err: err}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return response{res.StatusCode, res.Header, answer, err}
}

// comparison collects differences.
type comparison struct {
	p        *player
	found    []string
	anyOrder bool
	code     string // the outer code that is wanted
}

func (c *comparison) differs(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (p *player) compare(step peer.Object, res response) []string {
	if res.err != nil {
		return []string{res.err.Error()}
	}
	c := &comparison{p: p, anyOrder: step.Get("anyOrder") == true}
	if want := fmt.Sprint(step.Get("status")); want != strconv.Itoa(res.status) {
		c.differs("status: want %s, got %d", want, res.status)
	}
	headers, _ := step.Get("headers").(peer.Object)
	if want, ok := step.Get("text").(string); ok {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(want), regexp.QuoteMeta("${any}"), "[^<]+")
		if !regexp.MustCompile(`^(?s:` + pattern + `)$`).Match(res.body) {
			c.differs("want %q, got %q", want, res.body)
		}
	} else {
		if !has(headers, "Content-Type") {
			headers = append(slices.Clone(headers), peer.Pair{Name: "Content-Type", Value: "application/json"})
		}
		got, err := peer.Parse(res.body)
		if err != nil {
			c.differs("%q: %v", res.body, err)
			return c.found
		}
		want, _ := step.Get("answer").(peer.Object)
		c.code = fmt.Sprint(want.Get("code"))
		c.value("", want, got)
	}
	c.headers(headers, res.header)
	return c.found
}

func (c *comparison) headers(want peer.Object, got http.Header) {
	for _, h := range want {
		if value := got.Get(h.Name); value != fmt.Sprint(h.Value) {
			c.differs("header %s: want %q, got %q", h.Name, h.Value, value)
		}
	}
}

func (p *player) compareNotice(step peer.Object) []string {
	p.mu.Lock()
	if len(p.arrivals) == 0 {
		p.mu.Unlock()
		return []string{"no notice came"}
	}
	n := p.arrivals[0]
	p.arrivals = p.arrivals[1:]
	p.mu.Unlock()
	c := &comparison{p: p}
	got, err := peer.Parse(n.body)
	if err != nil {
		return []string{err.Error()}
	}
	want, _ := step.Get("notice").(peer.Object)
	c.value("notice", want, got)
	to := text(step, "to")
	if to == "" {
		to = "/"
	}
	if path, _, _ := strings.Cut(n.path, "?"); to != n.path && (to != path || p.s.version == "2.0.8") {
		c.differs("the notice went to %q instead of %q", n.path, to)
	}
	headers, _ := step.Get("headers").(peer.Object)
	c.headers(headers, n.header)
	return c.found
}

func encoded(v any) string { return string(peer.Encode(v)) }

func (c *comparison) value(path string, want, got any) {
	switch want := want.(type) {
	case peer.Object:
		o, ok := got.(peer.Object)
		if !ok {
			c.differs("%s: want an object, got %s", path, encoded(got))
			return
		}
		c.object(path, want, o)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			c.differs("%s: want %s, got %s", path, encoded(want), encoded(got))
			return
		}
		for i := range want {
			c.value(fmt.Sprintf("%s[%d]", path, i), want[i], list[i])
		}
	case string:
		c.text(path, want, got)
	default:
		if encoded(want) != encoded(got) {
			c.differs("%s: want %s, got %s", path, encoded(want), encoded(got))
		}
	}
}

func (c *comparison) object(path string, want, got peer.Object) {
	names := func(o peer.Object) (names []string) {
		for _, m := range o {
			names = append(names, m.Name)
		}
		return names
	}
	if !slices.Equal(names(want), names(got)) {
		c.differs("%s: want the members %v, got %v", path, names(want), names(got))
		return
	}
	for i, m := range want {
		if m.Name == "sign" && m.Value == "$sign" {
			c.signature(path, got)
			continue
		}
		c.value(strings.TrimPrefix(path+"."+m.Name, "."), m.Value, got[i].Value)
	}
}

// signature compares a signature with the SDK's.
func (c *comparison) signature(path string, o peer.Object) {
	signer, err := daxpay.NewSigner(c.p.signType, scenarioSecret)
	if err == nil {
		err = signer.Verify(peer.Encode(o))
	}
	if err != nil {
		c.differs("%s.sign: %v", path, err)
	}
}

func (c *comparison) text(path, want string, got any) {
	bad := func() { c.differs("%s: want %q, got %s", path, want, encoded(got)) }
	if m := nowForm.FindStringSubmatch(want); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		if got != any(json.Number(strconv.FormatInt(c.p.clock.Now().Unix()+n, 10))) {
			c.differs("%s: want %s = %d, got %s", path, want, c.p.clock.Now().Unix()+n, encoded(got))
		}
		return
	}
	s, ok := got.(string)
	if !ok {
		bad()
		return
	}
	if m := textForm.FindStringSubmatch(want); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		if s != time.Unix(c.p.clock.Now().Unix()+n, 0).In(shanghai).Format(time.DateTime) {
			bad()
		}
		return
	}
	switch want {
	case "$any":
		if s == "" {
			bad()
		}
		return
	case "$trace":
		if !traceForm.MatchString(s) {
			bad()
		}
		return
	}
	if m := capturedForm.FindStringSubmatch(want); m != nil {
		known, ok := c.p.captured[want]
		form := numberForms[m[2]]
		if !ok && s != "" && (form == nil || form.MatchString(s)) {
			c.p.captured[want], known = s, s
		}
		if s != known || s == "" {
			c.differs("%s: want %s = %q, got %q", path, want, known, s)
		}
		return
	}
	filled, err := c.p.fill(strings.ReplaceAll(want, "${now}", c.p.now))
	if err != nil || !c.sameText(path, fmt.Sprint(filled), s) {
		bad()
	}
}

// sameText compares texts of parsers and of the database by their first lines only.
func (c *comparison) sameText(path, want, got string) bool {
	if path == "msg" && (c.code == "10005" || strings.Contains(want, "java.sql.")) ||
		path == "data.msg" && strings.Contains(want, "java.sql.") {
		first := func(s string) string { line, _, _ := strings.Cut(strings.TrimPrefix(s, "\n"), "\n"); return line }
		return first(want) == first(got)
	}
	if c.anyOrder && path == "msg" {
		lines := func(s string) []string { l := strings.Split(s, "\n"); slices.Sort(l); return l }
		return slices.Equal(lines(want), lines(got))
	}
	return want == got
}
