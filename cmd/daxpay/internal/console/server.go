package console

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
)

//go:embed web
var files embed.FS

// server is a gateway with its pages.
type server struct {
	options Options
	version daxpay.GatewayVersion
	log     *slog.Logger
	store   *store
	hub     hub
	clock   *daxpaytest.Clock
	gw      *daxpaytest.Gateway
	pages   map[string]*template.Template // by language
	silent  atomic.Bool                   // the channel's messages about payments are lost

	mu      sync.Mutex
	secret  string
	secrets []string // that it had before
}

var zone = time.FixedZone("Asia/Shanghai", 8*60*60)

func newServer(ctx context.Context, o Options) (*server, error) {
	o.KeepOrders, o.KeepRequests = cmp.Or(o.KeepOrders, defaultOrders), cmp.Or(o.KeepRequests, defaultRequests)
	s := &server{options: o, version: cmp.Or(o.Version, daxpay.GatewayV208), secret: cmp.Or(o.Secret, defaultSecret),
		clock: daxpaytest.NewRunningClock(time.Now()), log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if !slices.Contains([]daxpay.GatewayVersion{daxpay.GatewayV206, daxpay.GatewayV207, daxpay.GatewayV208}, s.version) {
		return nil, fmt.Errorf("--version: there is no gateway %s here; there are 2.0.6, 2.0.7 and 2.0.8", s.version)
	}
	if t := o.SignType; t != "" && t != daxpay.HMACSHA256 && t != daxpay.MD5 {
		return nil, fmt.Errorf("--sign-type: must be %s or %s", daxpay.HMACSHA256, daxpay.MD5)
	}
	var err error
	if s.pages, err = parsePages(); err != nil {
		return nil, err
	}
	if s.store, err = openStore(ctx, o.Data, o.KeepRequests); err != nil {
		return nil, err
	}
	settings := []daxpaytest.Option{
		daxpaytest.WithVersion(s.version), daxpaytest.WithSecret(s.secret), daxpaytest.WithTestClock(s.clock),
		daxpaytest.WithoutServer(), daxpaytest.WithJournal(s.journal), daxpaytest.WithOrderLimit(o.KeepOrders),
		daxpaytest.WithRequestLog(1), daxpaytest.WithFirstNumber(1),
		daxpaytest.WithCashier(func(base, no string) string { return base + "/_cashier/" + no }),
	}
	if o.NoticesAnywhere {
		settings = append(settings, daxpaytest.WithNoticesAnywhere())
	}
	s.gw = daxpaytest.New(settings...)
	if err := s.load(ctx); err != nil {
		s.close()
		return nil, err
	}
	if o.SignType != "" {
		s.gw.Change(func(all *daxpaytest.Settings) { all.SignType = o.SignType })
	}
	return s, nil
}

// own is the key of a row that is not the gateway's.
const own = "console/"

// saved are the settings of the pages that the gateway does not store.
type saved struct {
	Offset  time.Duration // of the clock
	Stopped time.Time
	Silent  bool
}

// load restores what the file has.
func (s *server) load(ctx context.Context) error {
	rows, err := s.store.rows(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	var mine saved
	rows = slices.DeleteFunc(rows, func(r daxpaytest.Row) bool {
		if !strings.HasPrefix(r.Key, own) {
			return false
		}
		err = errors.Join(err, json.Unmarshal(r.Value, &mine))
		return true
	})
	if err != nil {
		return err
	}
	s.silent.Store(mine.Silent)
	s.clock.Advance(mine.Offset)
	if !mine.Stopped.IsZero() {
		s.clock.Stop()
		s.clock.Advance(mine.Stopped.Sub(s.clock.Now()))
	}
	if err := s.gw.Load(rows); err != nil {
		return fmt.Errorf("the data file cannot be used: %w", err)
	}
	return nil
}

// save stores the settings that the gateway does not store.
func (s *server) save(ctx context.Context) error {
	mine := saved{Silent: s.silent.Load(), Offset: time.Until(s.clock.Now()).Round(time.Second)}
	if !s.clock.Running() {
		mine.Stopped = s.clock.Now()
	}
	value, err := json.Marshal(mine)
	if err != nil {
		return err
	}
	return s.store.write(ctx, nil, nil, []daxpaytest.Row{{Key: own + "settings", Value: value}})
}

func (s *server) close() {
	if s.gw != nil {
		s.gw.Close()
	}
	_ = s.store.close()
}

const longestRequest = 1 << 20

// handler sends the pages' paths to the pages, and all others to the gateway.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	static, _ := fs.Sub(files, "web/static")
	mux.Handle("GET /_console/static/", cached(http.StripPrefix("/_console/static/", http.FileServerFS(static))))
	mux.HandleFunc("GET /_console", redirect("/_console/"))
	mux.HandleFunc("GET /_console/{$}", s.page(s.ordersPage))
	mux.HandleFunc("GET /_console/orders/{kind}/{no}", s.page(s.orderPage))
	mux.HandleFunc("GET /_console/orders/{kind}/{no}/export.json", s.exportOrder)
	mux.HandleFunc("POST /_console/orders/{kind}/{no}/do", s.form(s.pressOnOrder))
	mux.HandleFunc("GET /_console/requests", s.page(s.requestsPage))
	mux.HandleFunc("GET /_console/requests/{id}", s.page(s.requestsPage))
	mux.HandleFunc("GET /_console/notices", s.page(s.noticesPage))
	mux.HandleFunc("GET /_console/settings", s.page(s.settingsPage))
	mux.HandleFunc("POST /_console/settings/do", s.form(s.pressOnSettings))
	mux.HandleFunc("GET /_console/lang", s.setLanguage)
	mux.HandleFunc("GET /_console/events", s.events)
	mux.HandleFunc("GET /_cashier/{no}", s.page(s.cashierPage))
	mux.HandleFunc("GET /_cashier/{no}/qr.svg", s.cashierQR)
	mux.HandleFunc("POST /_cashier/{no}", s.form(s.pressOnCashier))
	pages := s.guard(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/" && r.Method == http.MethodGet:
			http.Redirect(w, r, "/_console/", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/_console"), strings.HasPrefix(r.URL.Path, "/_cashier/"):
			pages.ServeHTTP(w, r)
		case byBrowser(r) && s.refuse(w, r, false):
		default:
			r.Body = http.MaxBytesReader(w, r.Body, longestRequest)
			s.gw.ServeHTTP(w, r)
		}
	})
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		next.ServeHTTP(w, r)
	})
}

// policy lets the pages load their own files, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard keeps foreign pages out of the pages.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		embeddable := strings.HasSuffix(r.URL.Path, "/qr.svg") // by a shop
		if s.refuse(w, r, embeddable) {
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if !embeddable {
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers what a foreign page sends, and tells whether it did. A host name that is not ours may be an
// attacker's: a page was loaded from it, and then the name was pointed here (DNS rebinding).
func (s *server) refuse(w http.ResponseWriter, r *http.Request, embeddable bool) bool {
	switch {
	case !s.ours(r.Host):
		http.Error(w, "this host name is not allowed here; start daxpay serve with --allow-host to allow it",
			http.StatusMisdirectedRequest)
	case !embeddable && foreign(r):
		http.Error(w, "this was not sent by a page of this server", http.StatusForbidden)
	default:
		return false
	}
	return true
}

// foreign tells whether a page of another origin sent a request, other than by a link. Browsers say so with
// Sec-Fetch-Site, except over plain HTTP in a network; older ones never do. All of them send Origin with a form. A
// request with neither is not a browser's. Forms are judged as by http.CrossOriginProtection of newer Go.
func foreign(r *http.Request) bool {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		origin := r.Header.Get("Origin")
		from, err := url.Parse(origin)
		return !reads && origin != "" && (err != nil || from.Host != r.Host)
	}
	return !reads || r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// byBrowser tells whether a page sent a request. Shops call the gateway from a server.
func byBrowser(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// ours tells whether the pages may be opened under a Host header.
func (s *server) ours(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost") ||
		slices.ContainsFunc(s.options.Hosts, func(allowed string) bool { return strings.EqualFold(allowed, name) })
}

// httpError is an error with a status, which a page shows.
type httpError struct {
	status int
	words  words
}

func (e *httpError) Error() string { return e.words.En }

var errNoOrder = &httpError{
	http.StatusNotFound,
	words{"没有这个订单，或者它太旧，已被清理。", "There is no such order, or it was too old to be kept."},
}

// view is what a template gets.
type view struct {
	Lang, Path, Title string
	Host              string
	Version           daxpay.GatewayVersion
	SignType          daxpay.SignType
	Now               time.Time
	Running           bool
	Failures          int
	Said              words
	Live              string // topics that change the page, as JSON
	Data              any
}

// page shows the data of a function with the template that it names.
func (s *server) page(
	read func(*http.Request) (name string, title words, live string, data any, err error),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		lang := language(r)
		status := http.StatusOK
		name, title, live, data, err := read(r)
		if err != nil {
			var known *httpError
			if !errors.As(err, &known) {
				s.log.Error("a page failed", "path", r.URL.Path, "error", err)
				known = &httpError{http.StatusInternalServerError, words{"出错了：" + err.Error(), "Something failed: " + err.Error()}}
			}
			name, title, live, data, status = "message", words{"提示", "Message"}, "", known.words, known.status
		}
		v := view{Lang: lang, Path: r.URL.Path, Title: title.in(lang), Host: r.Host, Version: s.version,
			SignType: s.gw.Settings().SignType, Now: s.clock.Now(), Running: s.clock.Running(), Failures: len(s.gw.Failures()),
			Said: said[r.URL.Query().Get("said")], Live: live, Data: data}
		var b bytes.Buffer
		if err := s.pages[lang].ExecuteTemplate(&b, name, v); err != nil {
			s.log.Error("a template failed", "path", r.URL.Path, "error", err)
			http.Error(w, "a template failed", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Add("Vary", "Accept-Language, Cookie")
		w.WriteHeader(status)
		_, _ = w.Write(b.Bytes())
	}
}

// form runs what a form asks for, and redirects to the page that the function returns.
func (s *server) form(do func(*http.Request) (next string, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, longestForm)
		next, err := "", readForm(r)
		if err == nil {
			next, err = do(r)
		}
		if err != nil {
			s.page(func(*http.Request) (string, words, string, any, error) { return "", words{}, "", nil, err })(w, r)
			return
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

const longestForm = 64 << 10

// readForm reads a whole form: half of one could mean something else.
func readForm(r *http.Request) error {
	err := r.ParseForm()
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return &httpError{http.StatusRequestEntityTooLarge, words{"表单太大。", "The form is too large."}}
	case err != nil:
		return &httpError{http.StatusBadRequest, words{"无法读取表单。", "The form cannot be read."}}
	}
	return nil
}

const languageCookie = "daxpay_lang"

// language is the cookie's, or else the browser's.
func language(r *http.Request) string {
	if c, err := r.Cookie(languageCookie); err == nil && (c.Value == "zh" || c.Value == "en") {
		return c.Value
	}
	for _, item := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		tag := strings.ToLower(strings.TrimSpace(item))
		if strings.HasPrefix(tag, "zh") {
			return "zh"
		}
		if strings.HasPrefix(tag, "en") {
			return "en"
		}
	}
	return "en"
}

// setLanguage sets the cookie and goes back.
func (s *server) setLanguage(w http.ResponseWriter, r *http.Request) {
	lang := "en"
	if r.URL.Query().Get("to") == "zh" {
		lang = "zh"
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // it is no secret, and there is no HTTPS
		Name: languageCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	})
	back := r.URL.Query().Get("back")
	if _, err := url.Parse(back); err != nil ||
		!strings.HasPrefix(back, "/_console") && !strings.HasPrefix(back, "/_cashier/") {
		back = "/_console/"
	}
	http.Redirect(w, r, back, http.StatusSeeOther) //nolint:gosec // it begins with a path of this server
}

// mostTopics bounds what a page can wait for.
const mostTopics = 10

// events tells a page that one of its topics has changed, as it happens.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	topics := r.URL.Query()["topic"]
	if len(topics) > mostTopics {
		http.Error(w, "too many topics", http.StatusBadRequest)
		return
	}
	p := s.hub.join(topics)
	if p == nil {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer s.hub.leave(p)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	send := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(slowestReader))
		_, err := w.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	beat := time.NewTicker(20 * time.Second)
	defer beat.Stop()
	for ok := send(": here\n\n"); ok; {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			ok = send(": still here\n\n")
		case <-p.changed:
			ok = send("data: changed\n\n")
			select { // a busy gateway changes many times a second
			case <-time.After(300 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	}
}

// slowestReader is how long a page may take to read an event. One that does not read would keep its place forever.
const slowestReader = 10 * time.Second

// before is where a page of a list begins.
func before(r *http.Request) int64 {
	n, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	return max(n, 0)
}
