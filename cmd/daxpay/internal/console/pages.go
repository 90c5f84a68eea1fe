package console

import (
	"cmp"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/daxpay-go/daxpay/daxpaytest"
)

// pageLength is how many rows a list has.
const pageLength = 50

// parsePages reads the templates, once for each language.
func parsePages() (map[string]*template.Template, error) {
	pages := make(map[string]*template.Template)
	for _, lang := range []string{"zh", "en"} {
		t, err := template.New("").Funcs(plainFuncs).Funcs(funcsIn(lang)).ParseFS(files, "web/*.html")
		if err != nil {
			return nil, err
		}
		pages[lang] = t
	}
	return pages, nil
}

// funcsIn are the functions of templates that say something in a language.
func funcsIn(lang string) template.FuncMap {
	return template.FuncMap{
		"t":       func(zh, en string) string { return words{zh, en}.in(lang) },
		"w":       func(w words) string { return w.in(lang) },
		"ago":     func(now, at time.Time) string { return ago(now.Sub(at), lang) },
		"until":   func(now, at time.Time) string { return ago(at.Sub(now), lang) },
		"kind":    func(k daxpaytest.OrderKind) string { return kinds[k].in(lang) },
		"channel": func(code string) string { return cmp.Or(channels[code].in(lang), code) },
		"method":  func(code string) string { return methods[code].in(lang) },
	}
}

// plainFuncs are the functions of templates that are the same in every language.
var plainFuncs = template.FuncMap{
	"amount":  func(fen int64) string { return strings.TrimPrefix(yuan(fen), "¥") },
	"choose":  choose,
	"clock":   timeAs("15:04:05"),
	"date":    timeAs(time.DateTime),
	"differ":  func(s, other string) int { return firstDifference(s, other) + 1 },
	"fault":   faultWords,
	"hex":     markDifference,
	"host":    func(url string) string { _, rest, _ := strings.Cut(url, "://"); return rest },
	"iso":     timeAs("2006-01-02T15:04:05.000-07:00"),
	"json":    highlight,
	"list":    func(items ...any) []any { return items },
	"millis":  timeAs(".000"),
	"number":  numberOf,
	"prefix":  strings.HasPrefix,
	"short":   timeAs("01-02 15:04:05"),
	"slower":  func(d time.Duration) bool { return d >= time.Second },
	"state":   stateOf,
	"states":  statesOf,
	"string":  func(b []byte) string { return string(b) },
	"took":    took,
	"unix":    func(n int64) time.Time { return time.Unix(n, 0) },
	"visible": visible,
	"yuan":    yuan,
}

// timeAs writes times in the gateway's zone.
func timeAs(layout string) func(time.Time) string {
	return func(t time.Time) string { return t.In(zone).Format(layout) }
}

func choose(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// firstDifference is where a text first differs from another, in bytes; its length if it does not.
func firstDifference(s, other string) int {
	at := 0
	for at < len(s) && at < len(other) && s[at] == other[at] {
		at++
	}
	return at
}

// markDifference marks the first byte of a signature that differs from another.
func markDifference(s, other string) template.HTML {
	at := firstDifference(s, other)
	if at == len(s) {
		return visible(s)
	}
	return visible(s[:at]) + "<mark>" + visible(s[at:at+1]) + "</mark>" + visible(s[at+1:])
}

// said are what a page says after a form.
var said = map[string]words{
	"sent":     {"通知已发出，结果在时间线里", "Sent; the timeline shows the result"},
	"lose":     {"下一条通知将丢弃", "The next notice will be lost"},
	"delay":    {"下一条通知将延迟", "The next notice will be delayed"},
	"done":     {"完成", "Done"},
	"set":      {"已设置", "Set"},
	"nonotice": {"该订单还没有可发送的通知", "There is no notice to send for this order yet"},
}

type ordersData struct {
	Kind, Status, Number string
	Kinds                []kindTab
	Statuses             []state
	Rows                 []orderRow
	Total                int
	Before, Next         int64
}

type kindTab struct {
	Kind  string
	Words words
	Count int
}

type orderRow struct {
	daxpaytest.Order
	Last *happening
}

var statusFilter = []string{
	"progress",
	"success",
	"close",
	"cancel",
	"fail",
	"refunding",
	"partial_refund",
	"refunded",
	"transferring",
	"allocation_processing",
	"allocation_end",
	"allocation_failed",
	"finish",
	"finish_failed",
	"ignore",
	"part_success",
}

func (s *server) ordersPage(r *http.Request) (string, words, string, any, error) {
	q := r.URL.Query()
	d := ordersData{
		Kind:   q.Get("kind"),
		Status: q.Get("status"),
		Number: strings.TrimSpace(q.Get("q")),
		Before: before(r),
	}
	counts := s.gw.OrderCounts()
	for _, k := range []daxpaytest.OrderKind{
		daxpaytest.KindPay, daxpaytest.KindRefund, daxpaytest.KindTransfer, daxpaytest.KindAlloc,
	} {
		d.Total += counts[k]
		d.Kinds = append(d.Kinds, kindTab{string(k), kinds[k], counts[k]})
	}
	d.Kinds = append([]kindTab{{"", words{"全部", "All"}, d.Total}}, d.Kinds...)
	for _, code := range statusFilter {
		d.Statuses = append(d.Statuses, stateOf(code))
	}
	list := s.gw.Orders(daxpaytest.OrderFilter{Kind: daxpaytest.OrderKind(d.Kind), Status: d.Status, Number: d.Number,
		Before: d.Before, Limit: pageLength + 1})
	if len(list) > pageLength {
		list = list[:pageLength]
		d.Next = list[pageLength-1].ID
	}
	for _, o := range list {
		e, err := s.store.last(r.Context(), key(o.Kind, o.No))
		if err != nil {
			return "", words{}, "", nil, err
		}
		row := orderRow{Order: o}
		if e.ID != 0 {
			h := happeningOf(e)
			row.Last = &h
		}
		d.Rows = append(d.Rows, row)
	}
	return "orders", words{"订单", "Orders"}, `["orders"]`, d, nil
}

// happening is an event as a line of a timeline shows it.
type happening struct {
	event
	Arrow     string // classes
	Direction words
	Title     string
	Words     words
	Sub       words
	Result    verdict
	Reply     bool // Result is a reply of a receiver
	Why       words
}

// NoticeKind is what a notice is about.
func (h happening) NoticeKind() daxpaytest.OrderKind { return daxpaytest.OrderKind(h.Name) }

func happeningOf(e event) happening {
	h := happening{event: e}
	switch e.Kind {
	case kindCall:
		h.Arrow, h.Direction = "mg to fro call", words{"商户 ⇄ 网关", "merchant ⇄ gateway"}
		h.Title, h.Sub, h.Result = e.Info.Method+" "+e.Name, callWords(e.Name), verdictOf(e)
		if e.Status == 0 || e.faulty() {
			h.Arrow = "mg to broken"
		}
	case kindAsk:
		h.Arrow, h.Direction = "gc to fro chan", words{"网关 ⇄ 通道", "gateway ⇄ channel"}
		h.Words, h.Sub = operationWords(e.Name), words{"网关请求通道", "the gateway asks the channel"}
		h.Words = words{"通道：" + h.Words.Zh, "Channel: " + h.Words.En}
		switch {
		case e.Info.NoAnswer:
			h.Arrow = "gc to broken"
			h.Result = verdict{"bad", "x", "", words{"没有响应", "no answer"}}
		case e.Info.Later:
			h.Result = verdict{"wait", "wait", "", words{"已受理，稍后完成", "taken, done later"}}
		case e.Bad:
			h.Result = verdict{"bad", "x", e.Info.Code, same(e.Info.Msg)}
		default:
			h.Result = verdict{"ok", "check", "", words{"成功", "done"}}
		}
	case kindNotice:
		h.Arrow, h.Direction = "mg fro note", words{"网关 → 商户", "gateway → merchant"}
		k := kinds[daxpaytest.OrderKind(e.Name)]
		h.Words = words{k.Zh + "通知", k.En + " notice"}
		if e.Info.Attempt > 0 {
			h.Words.Zh += " · 第 " + strconv.Itoa(e.Info.Attempt) + " 次"
			h.Words.En += " · attempt " + strconv.Itoa(e.Info.Attempt)
		} else {
			h.Words.Zh += " · 从控制台发送"
			h.Words.En += " · sent from the console"
		}
		h.Sub = same(e.Info.URL)
		short, why := noticeVerdict(e)
		h.Reply, h.Why = e.Status != 0, why
		h.Result = verdict{"ok", "check", "", short}
		if e.Bad {
			h.Arrow, h.Result.Class, h.Result.Icon = "mg fro broken", "bad", "x"
		}
	case kindSilence:
		h.Arrow, h.Direction = "self", words{"网关", "gateway"}
		h.Words = words{"没有通知", "No notice"}
		h.Sub, h.Why = noticeVerdict(e)
	case kindAct:
		h.Arrow, h.Direction = "self atc", words{"通道", "channel"}
		a := buttonByName(e.Name)
		h.Words, h.Sub = a.Label, a.Hint
		if e.Name == "tell" {
			h.Arrow, h.Direction = "gc fro chan", words{"通道 → 网关", "channel → gateway"}
		}
		h.Result = verdict{"", "", e.Info.Msg, words{}}
	}
	return h
}

type orderData struct {
	Order    daxpaytest.Order
	Cashier  string // path; empty if there is nothing to pay
	Acts     []offer
	Manners  []manner
	Sends    []offer
	Relate   []daxpaytest.Order // refunds and allocations of a payment
	Payment  *daxpaytest.Order  // of a refund or an allocation
	Timeline []happening
}

// manner is how the channel does an operation, if not as it is asked.
type manner struct {
	Op    string
	Words words
	daxpaytest.Manner
}

// orderOf finds the order that a path names.
func (s *server) orderOf(r *http.Request) (daxpaytest.Order, error) {
	o, ok := s.gw.Order(daxpaytest.OrderKind(r.PathValue("kind")), r.PathValue("no"))
	if !ok {
		return o, errNoOrder
	}
	return o, nil
}

const longestTimeline = 300

func (s *server) orderPage(r *http.Request) (string, words, string, any, error) {
	o, err := s.orderOf(r)
	if err != nil {
		return "", words{}, "", nil, err
	}
	d := orderData{Order: o, Acts: offersOf(o), Sends: sendsOf(o)}
	manners := s.gw.Channel().Manners()
	for _, op := range operations {
		d.Manners = append(d.Manners, manner{string(op.Op), op.Words, manners[op.Op]})
	}
	if o.Kind == daxpaytest.KindPay {
		if o.Channel != "wallet_pay" && o.Method != "barcode" {
			d.Cashier = "/_cashier/" + o.No
		}
		for _, other := range s.gw.Orders(daxpaytest.OrderFilter{Number: o.No, Limit: 20}) {
			if other.OrderNo == o.No {
				d.Relate = append(d.Relate, other)
			}
		}
	} else if p, ok := s.gw.Order(daxpaytest.KindPay, o.OrderNo); ok {
		d.Payment = &p
	}
	events, err := s.store.about(r.Context(), []string{key(o.Kind, o.No), bizKey(o.Kind, o.BizNo)}, longestTimeline)
	if err != nil {
		return "", words{}, "", nil, err
	}
	for _, e := range events {
		d.Timeline = append(d.Timeline, happeningOf(e))
	}
	title := words{kinds[o.Kind].Zh + " " + o.No, kinds[o.Kind].En + " " + o.No}
	live, _ := json.Marshal([]string{"order:" + key(o.Kind, o.No), "order:" + bizKey(o.Kind, o.BizNo)})
	return "order", title, string(live), d, nil
}

// exportOrder is an order with its timeline as JSON.
func (s *server) exportOrder(w http.ResponseWriter, r *http.Request) {
	o, err := s.orderOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	events, err := s.store.about(r.Context(), []string{key(o.Kind, o.No), bizKey(o.Kind, o.BizNo)}, longestTimeline)
	if err != nil {
		http.Error(w, "the events cannot be read", http.StatusInternalServerError)
		return
	}
	type line struct {
		At         time.Time
		TookMicros int64
		Kind       kind
		Name       string
		TraceID    string `json:",omitempty"`
		Status     int    `json:",omitempty"`
		Sent, Got  string `json:",omitempty"`
		Info       info
	}
	out := struct {
		Order    daxpaytest.Order
		Timeline []line
	}{Order: o}
	for _, e := range events {
		out.Timeline = append(out.Timeline, line{e.At, e.Took.Microseconds(), e.Kind, e.Name, e.TraceID, e.Status,
			string(e.In), string(e.Out), e.Info})
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+o.No+`.json"`)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(out)
}

type requestsData struct {
	Bad      bool
	Part     string
	Rows     []happening
	Next     int64
	Open     *happening
	Why      *diagnosis
	Received string
	Cause    words
	Fixes    []words
	SDK      string
	Curl     string
}

func (s *server) requestsPage(r *http.Request) (string, words, string, any, error) {
	q := r.URL.Query()
	d := requestsData{Bad: q.Get("bad") != "", Part: strings.TrimSpace(q.Get("q"))}
	list, err := s.store.requests(r.Context(), d.Part, d.Bad, cmp.Or(before(r), newest), pageLength+1)
	if err != nil {
		return "", words{}, "", nil, err
	}
	if len(list) > pageLength {
		list = list[:pageLength]
		d.Next = list[pageLength-1].ID
	}
	for _, e := range list {
		d.Rows = append(d.Rows, happeningOf(e))
	}
	var open event
	if id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64); id > 0 {
		if open, err = s.store.event(r.Context(), id); err == nil && (open.ID == 0 || open.Kind != kindCall) {
			err = &httpError{
				http.StatusNotFound,
				words{"没有这个请求，或者它太旧，已被清理。", "There is no such request, or it was too old to be kept."},
			}
		}
	} else if len(list) > 0 {
		open = list[0]
	}
	if err != nil {
		return "", words{}, "", nil, err
	}
	if open.ID != 0 {
		s.open(&d, open, r.Host)
	}
	return "requests", words{"请求", "Requests"}, `["requests"]`, d, nil
}

// open explains one request.
func (s *server) open(d *requestsData, e event, host string) {
	h := happeningOf(e)
	d.Open = &h
	d.Received, _ = signOf(e.In)
	d.Cause, d.Fixes = consequence(e)
	if e.Info.Method == http.MethodPost && !e.Info.Cut {
		d.Curl = curl((&url.URL{Scheme: "http", Host: host, Path: e.Name}).String(), string(e.In))
	}
	if e.Info.SignedText == "" {
		return
	}
	s.mu.Lock()
	secret, old := s.secret, append([]string(nil), s.secrets...)
	s.mu.Unlock()
	why := diagnose(e.In, e.Info.SignedText, e.Info.Expected, e.Info.SignType, secret, old)
	d.Why = &why
	if d.Received == e.Info.Expected {
		return
	}
	if algorithm(e.Info.SignType).of(e.Info.SignedText, secret) != e.Info.Expected {
		why.Cause = words{"网关的密钥在此之后更换过，无法重新计算。",
			"The gateway's secret has changed since: the signature cannot be computed again."}
		why.Fixes, why.Tried = nil, nil
	} else {
		d.SDK = explanation(e.In, e.Info.SignType, secret)
	}
	d.Cause, d.Fixes = why.Cause, why.Fixes
}

// curl is a command that sends a body again. It is empty for a body with control characters: they can make a terminal
// run what is pasted.
func curl(address, body string) string {
	if strings.ContainsFunc(strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(body), unicode.IsControl) {
		return ""
	}
	// --data-raw: with another option, a body that begins with @ names a file.
	return "curl -sS " + quoted(address) + " -H 'Content-Type: application/json' --data-raw " + quoted(body)
}

// quoted quotes a word for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

type noticesData struct {
	Due     []daxpaytest.DueNotice
	Rows    []happening
	Next    int64
	Resends bool
}

func (s *server) noticesPage(r *http.Request) (string, words, string, any, error) {
	list, err := s.store.notices(r.Context(), cmp.Or(before(r), newest), pageLength+1)
	if err != nil {
		return "", words{}, "", nil, err
	}
	d := noticesData{Resends: s.gw.Settings().Resends, Due: s.gw.DueNotices()}
	if len(list) > pageLength {
		list = list[:pageLength]
		d.Next = list[pageLength-1].ID
	}
	for _, e := range list {
		d.Rows = append(d.Rows, happeningOf(e))
	}
	return "notices", words{"通知", "Notices"}, `["notices"]`, d, nil
}

type settingsData struct {
	Calls    []call
	Failures []daxpaytest.Failure
	Settings daxpaytest.Settings
	MaxAge   int
	Minutes  int
	Silent   bool
	Default  bool // the secret is 123456
	Data     string
	Keep     int
	KeepReqs int
	Manners  []manner
	Zone     string
}

func (s *server) settingsPage(*http.Request) (string, words, string, any, error) {
	set := s.gw.Settings()
	s.mu.Lock()
	factory := s.secret == defaultSecret
	s.mu.Unlock()
	d := settingsData{
		Calls: s.calls(), Failures: s.gw.Failures(), Settings: set, Silent: s.silent.Load(), Default: factory,
		Data: s.options.Data, Keep: s.options.KeepOrders, KeepReqs: s.options.KeepRequests, Zone: zone.String(),
	}
	if set.MaxAge != nil {
		d.MaxAge = int(set.MaxAge.Seconds())
	}
	if set.OrderTimeout != nil {
		d.Minutes = int(set.OrderTimeout.Minutes())
	}
	for op, m := range s.gw.Channel().Manners() {
		d.Manners = append(d.Manners, manner{string(op), operationWords(string(op)), m})
	}
	return "settings", words{"故障与设置", "Faults & settings"}, `["settings"]`, d, nil
}
