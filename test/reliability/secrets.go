package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/peer"
	"github.com/daxpay-go/daxpay/test/reliability/message"
)

// The marks. None of them may be found in anything that is printed.
const (
	secretMark   = "mark-Secret/7f3a+"
	previousMark = "mark-Previous/91bd+"
	nameMark     = "标记小姐"
	accountMark  = "mark-account-6222"
	tokenMark    = "mark-token-80_x" //nolint:gosec // it opens nothing
)

var (
	marks           = []string{secretMark, previousMark, nameMark, accountMark, tokenMark}
	secretsOnly     = []string{secretMark, previousMark}
	leastPaths      = 200
	errCallbackDown = errors.New("database down")
)

// secrets makes the client fail in every way, with marks in its configuration, its params and the answers. It looks for
// the marks in everything that can be printed: every error and every error in it, reports, observations, log lines of
// debug level in text and JSON, and every other exported value.
//
// It does not look into what the caller asked for: params, Result and notices themselves; Raw; the text of
// SignError.Explain, which shows the message (but must not show the secrets); the fields PanicError.Value and Stack.
// Nor does it look at texts that are not the client's: errors of the standard library inside a TransportError, and
// errors of the merchant's callback and NoticeStore, which only OnError gets. GatewayError.Msg is the gateway's text,
// clipped: if the gateway itself says a mark, the error may contain it, but the log and the observer must not.
func secrets(t *trial) error {
	h := newHunt()
	for i, o := range failures() {
		forms := []string{"text", "json"}
		if t.thin > 1 {
			forms = forms[i%2:][:1]
		}
		for _, form := range forms {
			if err := o.try(h, form); err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
		}
	}
	t.say("%d marks and every signature, %d paths, %d printed texts: %d found", len(marks), len(h.paths), h.texts,
		h.faults.count)
	if len(h.paths) < leastPaths {
		h.faults.add("only %d different paths", len(h.paths))
	}
	return h.faults.err()
}

// failure is a way to fail.
type failure struct {
	name string
	// configure changes the client's Config; it may be nil.
	configure func(*daxpay.Config)
	// run makes the client fail, and returns what can be printed then.
	run func(s *scenario) []any
	// said are the marks that the gateway itself says. Errors may contain them.
	said []string
}

// scenario is the client of a failure, and what it does.
type scenario struct {
	*message.Receiver
	signatures []string // that were sent or received
	observed   []any
}

// CallStarted implements daxpay.Observer.
func (s *scenario) CallStarted(ctx context.Context, o daxpay.Observation) context.Context {
	s.observed = append(s.observed, o)
	return ctx
}

// AttemptDone implements daxpay.Observer.
func (s *scenario) AttemptDone(_ context.Context, o daxpay.Observation) {
	s.observed = append(s.observed, o)
}

// CallDone implements daxpay.Observer.
func (s *scenario) CallDone(_ context.Context, o daxpay.Observation) {
	s.observed = append(s.observed, o)
}

// try runs the failure with logs in text or json.
func (o *failure) try(h *hunt, form string) error {
	var logged bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
	logger := slog.New(slog.NewTextHandler(&logged, options))
	if form == "json" {
		logger = slog.New(slog.NewJSONHandler(&logged, options))
	}
	s := new(scenario)
	var err error
	s.Receiver, err = message.NewReceiver(daxpay.HMACSHA256, func(c *daxpay.Config) {
		c.SignSecret, c.PreviousSecrets, c.Logger, c.Observer = secretMark, []string{previousMark}, logger, s
		if o.configure != nil {
			o.configure(c)
		}
	})
	if err != nil {
		return err
	}
	s.OnRequest = func(body []byte) {
		if object, err := peer.Parse(body); err == nil {
			sign, _ := object.Get("sign").(string)
			s.signatures = append(s.signatures, sign)
		}
	}
	values := o.run(s)
	if len(values) == 0 {
		return errors.New("it did not fail")
	}
	h.paths[o.name] = true
	needles := s.needles(nil)
	h.look(o.name, form+" log", logged.String(), needles)
	for _, observation := range s.observed {
		h.print(o.name, observation, needles)
	}
	for _, value := range append(values, s.Client, *s.Client) {
		h.print(o.name, value, s.needles(o.said))
	}
	return nil
}

// needles are what must not be found.
func (s *scenario) needles(said []string) []string {
	found := slices.DeleteFunc(slices.Clone(marks), func(c string) bool { return slices.Contains(said, c) })
	return append(found, s.signatures...)
}

// hunt looks for needles.
type hunt struct {
	paths  map[string]bool
	texts  int
	forms  map[string][]string
	faults faults
}

func newHunt() *hunt { return &hunt{paths: make(map[string]bool), forms: make(map[string][]string)} }

// look looks for the needles, also in the forms that encoders give them.
func (h *hunt) look(path, where, text string, needles []string) {
	h.texts++
	for _, needle := range needles {
		if needle == "" {
			continue
		}
		forms, ok := h.forms[needle]
		if !ok {
			forms = formsOf(needle)
			h.forms[needle] = forms
		}
		for _, form := range forms {
			if strings.Contains(text, form) {
				h.faults.add("%s: %q is in %s: %.400s", path, needle, where, text)
				break
			}
		}
	}
}

func formsOf(needle string) []string {
	escaped := strconv.QuoteToASCII(needle)
	forms := []string{
		needle, escaped[1 : len(escaped)-1], hex.EncodeToString([]byte(needle)),
		strings.ToUpper(hex.EncodeToString([]byte(needle))),
		base64.StdEncoding.EncodeToString([]byte(needle)), url.QueryEscape(needle), url.PathEscape(needle),
	}
	forms = append(forms, strings.Trim(fmt.Sprintf("%d", []byte(needle)), "[]"))
	return slices.Compact(slices.Sorted(slices.Values(forms)))
}

// print prints a value in every way, alone and inside others, and every error of this module in it.
func (h *hunt) print(path string, value any, needles []string) {
	for _, v := range append(within(value), []any{value}, map[string]any{"v": value}, struct{ V any }{value}) {
		verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%x", "%X"}
		if isOurs(v) { // with a wrong verb, fmt looks into structs that wrap an error and does not ask the error
			verbs = append(verbs, "%d", "%t", "%c")
		}
		for _, verb := range verbs {
			h.look(path, fmt.Sprintf("%s of a %T", verb, v), fmt.Sprintf(verb, v), needles)
		}
		if text, err := json.Marshal(v); err == nil {
			h.look(path, fmt.Sprintf("the JSON of a %T", v), string(text), needles)
		} else {
			h.look(path, fmt.Sprintf("the JSON error of a %T", v), err.Error(), needles)
		}
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Error("x", "v", v)
		slog.New(slog.NewJSONHandler(&logged, nil)).Error("x", "v", v)
		h.look(path, fmt.Sprintf("the log of a %T", v), logged.String(), needles)
	}
	if err, ok := value.(error); ok {
		var sign *daxpay.SignError
		if errors.As(err, &sign) {
			h.look(path, "Explain", sign.Explain(), secretsOnly)
		}
	}
}

// isOurs reports whether v has a type of this module, or points to one.
func isOurs(v any) bool {
	t := reflect.TypeOf(v)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t != nil && strings.HasPrefix(t.PkgPath(), "github.com/daxpay-go/daxpay")
}

// within returns the value and, if it is an error, the errors of this module in it.
func within(value any) []any {
	found := []any{value}
	err, ok := value.(error)
	if !ok {
		return found
	}
	var inner []error
	switch e := err.(type) { //nolint:errorlint // this looks at every error in the chain
	case interface{ Unwrap() []error }:
		inner = e.Unwrap()
	case interface{ Unwrap() error }:
		inner = []error{e.Unwrap()}
	}
	for _, e := range inner {
		if e == nil {
			continue
		}
		if isOurs(e) || len(inner) > 1 {
			found = append(found, within(e)...)
		}
	}
	return append(found, fmt.Errorf("wrapped: %w", err), errors.Join(err, errCallbackDown))
}
