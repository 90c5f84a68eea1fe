package shell

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	_ "modernc.org/sqlite" // the driver of the database that remembers transfers

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/contrib/sqlstore"
	"github.com/daxpay-go/daxpay/param"
)

// clientCall is a method of daxpay.Client that makes a call.
type clientCall struct {
	method string       // "SyncPay"
	name   string       // "sync-pay"
	param  reflect.Type // param.PaySyncParam
}

// clientCalls lists the methods of daxpay.Client that take a context and a param, and return a *daxpay.Result.
// New calls of the SDK become subcommands without a change here.
func clientCalls() []clientCall {
	var calls []clientCall
	client := reflect.TypeFor[*daxpay.Client]()
	for i := range client.NumMethod() {
		m := client.Method(i)
		t := m.Type
		if t.NumIn() != 3 || t.NumOut() != 2 || t.In(1) != reflect.TypeFor[context.Context]() {
			continue
		}
		result := t.Out(0)
		if p, ok := paramType(t.In(2)); ok && result.Kind() == reflect.Pointer &&
			strings.HasPrefix(result.Elem().Name(), "Result[") {
			calls = append(calls, clientCall{m.Name, kebab(m.Name), p})
		}
	}
	return calls
}

// paramType is the struct of package param that a pointer type points to.
func paramType(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() != reflect.Pointer || t.Elem().PkgPath() != reflect.TypeFor[param.Common]().PkgPath() {
		return nil, false
	}
	return t.Elem(), true
}

func (s *shell) callCommand() *cobra.Command {
	return group("call", "Make one call of the gateway",
		"Make one call of the gateway. The flags are the members of its request. The answer is printed as JSON once its\n"+
			"signature was verified. A call that changes something at a gateway which is not on this machine asks first.",
		each(clientCalls(), s.oneCall)...)
}

// each makes a command for each call.
func each(calls []clientCall, command func(clientCall) *cobra.Command) []*cobra.Command {
	commands := make([]*cobra.Command, len(calls))
	for i, c := range calls {
		commands[i] = command(c)
	}
	return commands
}

func (s *shell) oneCall(c clientCall) *cobra.Command {
	fields := fieldsOf(c.param)
	var data, sentFile string
	var yes bool
	about := texts.Types[c.param.Name()]
	cmd := &cobra.Command{
		Use: c.name, Short: firstSentence(about), Long: capital(about), Args: noArgs,
		RunE: s.run(func(cmd *cobra.Command, _ []string) error {
			p := reflect.New(c.param)
			if data != "" {
				text := []byte(data)
				if !strings.HasPrefix(strings.TrimSpace(data), "{") {
					var err error
					if text, err = s.read(cmd.Context(), data); err != nil {
						return err
					}
				}
				if err := readData(p.Elem(), fields, text); err != nil {
					return err
				}
			}
			if err := setFields(cmd, p.Elem()); err != nil {
				return err
			}
			return s.makeCall(cmd, c, p, fields, yes, sentFile)
		}),
	}
	addSettings(cmd, true)
	cmd.Flags().StringVar(&data, "data", "",
		"members of the request: a JSON object, or a file of one, - for the standard input")
	addFields(cmd, fields)
	spec := specOf(reflect.New(c.param))
	if asks(spec.effect) {
		cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before sending")
	}
	if spec.effect == param.EffectOnce || c.param == reflect.TypeFor[param.PayParam]() {
		cmd.Flags().StringVar(&sentFile, "sent-file", "",
			"database (SQLite) of the numbers that were sent, to pay none twice; default: "+
				"daxpay/sent.db in the user's configuration directory")
	}
	return cmd
}

// spec is what the param says about its call.
type spec struct {
	path   string
	effect param.Effect
}

func specOf(p reflect.Value) spec {
	call := p.MethodByName("Call").Call(nil)[0]
	effect := call.FieldByName("Effect").Interface().(param.Effect)
	return spec{call.FieldByName("Path").String(), effect}
}

// asks tells whether a person has to confirm a call with that effect.
func asks(e param.Effect) bool { return e == param.EffectChanges || e == param.EffectOnce }

func (s *shell) makeCall(
	cmd *cobra.Command, c clientCall, p reflect.Value, fields []field, yes bool, sentFile string,
) error {
	cfg, err := s.config(cmd, true)
	if err != nil {
		return err
	}
	spec := specOf(p)
	if spec.effect == param.EffectOnce {
		store, done, err := openStore(cmd.Context(), sentFile)
		if err != nil {
			return failure(exitUsage, "%s: the numbers that were sent cannot be remembered, so nothing was sent: %w; "+
				"--sent-file names another file", c.name, err)
		}
		defer done()
		cfg.OnceStore = store
	}
	kit, err := daxpay.New(cfg)
	if err != nil {
		return err
	}
	if asks(spec.effect) && !onLoopback(cfg.ServiceURL) {
		if err := inFlags(mistakes(cmd.Context(), cfg, c, p), c.param.Name(), fields); err != nil {
			return err
		}
		if err := s.confirm(cmd.Context(), c.summary(p.Elem(), fields, cfg.ServiceURL), yes); err != nil {
			return err
		}
	}
	out := c.call(cmd.Context(), kit, p)
	if err, ok := out[1].Interface().(error); ok {
		return inFlags(err, c.param.Name(), fields)
	}
	answer, err := answerOf(out[0].Elem())
	if err != nil {
		return err
	}
	return s.printJSON(answer)
}

// mistakes returns what the client would refuse to send. It must not be asked about first.
func mistakes(ctx context.Context, cfg daxpay.Config, c clientCall, p reflect.Value) error {
	cfg.HTTPClient = &http.Client{Transport: nowhere{}}
	cfg.OnceStore = nil // in memory
	kit, err := daxpay.New(cfg)
	if err != nil {
		return err
	}
	err, _ = c.call(ctx, kit, p)[1].Interface().(error)
	if isAny(err, daxpay.ErrConfig, daxpay.ErrParam, daxpay.ErrUnsupported) {
		return err
	}
	return nil
}

// nowhere is a transport that sends nothing.
type nowhere struct{}

// RoundTrip implements http.RoundTripper.
func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nothing is sent")
}

func (c clientCall) call(ctx context.Context, kit *daxpay.Client, p reflect.Value) []reflect.Value {
	return reflect.ValueOf(kit).MethodByName(c.method).Call([]reflect.Value{reflect.ValueOf(ctx), p})
}

// summary is what a person confirms.
func (c clientCall) summary(p reflect.Value, fields []field, serviceURL string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s", c.name, serviceURL)
	for _, f := range fields {
		v := p.FieldByIndex(f.index)
		if v.IsZero() {
			continue
		}
		value := fmt.Sprint(v.Interface())
		if raw, ok := v.Interface().(param.ExtraJSON); ok {
			value = string(raw)
		}
		if f.name == "Amount" {
			value = fmt.Sprintf("%d fen (¥%d.%02d)", v.Int(), v.Int()/100, v.Int()%100)
		}
		fmt.Fprintf(&b, "\n  %-16s %s", lowerCamel(f.flag), value)
	}
	return b.String()
}

// answer is a result as scripts read it.
type answer struct {
	Standing    string `json:"standing,omitempty"` // of an order that was waited for
	Data        any    `json:"data"`
	Msg         string `json:"msg,omitempty"`
	TraceID     string `json:"traceId,omitempty"`
	Verified    bool   `json:"verified"`
	SecretIndex int    `json:"secretIndex,omitempty"`
}

// answerOf is a daxpay.Result as scripts read it.
func answerOf(result reflect.Value) (answer, error) {
	data, err := withoutSign(result.FieldByName("Data").Interface())
	return answer{
		Data: data, Msg: result.FieldByName("Msg").String(), TraceID: result.FieldByName("TraceID").String(),
		Verified:    result.FieldByName("Verified").Bool(),
		SecretIndex: int(result.FieldByName("SecretIndex").Int()),
	}, err
}

// withoutSign is a model as JSON without its signature, which was verified and does not help a reader.
func withoutSign(m any) (map[string]json.RawMessage, error) {
	text, err := plainJSON(m)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	delete(members, "sign")
	return members, nil
}

// inFlags rewrites the mistakes in a param to name the flags.
func inFlags(err error, paramName string, fields []field) error {
	var mistake *daxpay.ParamError
	if !errors.As(err, &mistake) || errors.Is(err, daxpay.ErrOutcomeUnknown) {
		return err
	}
	mistakes := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		mistakes = joined.Unwrap()
	}
	var errs []error
	for _, err := range mistakes {
		if !errors.As(err, &mistake) {
			errs = append(errs, err)
			continue
		}
		names := mistake.Field
		for _, f := range fields {
			names = replaceWord(names, f.name, "--"+f.flag)
		}
		errs = append(errs, failure(exitUsage, "%s %s", strings.TrimPrefix(names, paramName+"."), mistake.Reason))
	}
	return errors.Join(errs...)
}

// replaceWord replaces a name in a list such as "OrderNo, BizOrderNo".
func replaceWord(list, word, by string) string {
	words := strings.Split(list, ", ")
	for i, w := range words {
		if w == word {
			words[i] = by
		}
	}
	return strings.Join(words, ", ")
}

// openStore opens the database of the numbers that were sent. A transfer that is sent twice is paid twice, and a
// process does not know what an earlier one sent.
func openStore(ctx context.Context, file string) (daxpay.OnceStore, func(), error) {
	if file == "" {
		var err error
		if file, err = stateFile(); err != nil {
			return nil, nil, err
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, nil, err
		}
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=synchronous(full)")
	if err != nil {
		return nil, nil, err
	}
	done := func() { _ = db.Close() }
	db.SetMaxOpenConns(1)
	store, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Options{})
	if err == nil {
		err = store.CreateTable(ctx)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return store, done, nil
}

func firstSentence(text string) string {
	first, _, _ := strings.Cut(text, ". ")
	return capital(strings.TrimSuffix(first, "."))
}

func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
