package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"daxpay": func() { os.Exit(Main()) }})
}

// The scripts run the command as a process of its own, against a gateway 2.0.8 in this one.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setup,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   exits,
			"world":   world,
			"shop":    shop,
			"broken":  broken,
			"port":    port,
			"await":   await,
			"got":     got,
			"several": several,
		},
		RequireExplicitExec: true,
	})
}

const scriptSecret = "the-secret-of-the-scripts"

type gatewayKey struct{}

func setup(env *testscript.Env) error {
	gw := daxpaytest.New(daxpaytest.WithSecret(scriptSecret))
	env.Defer(gw.Close)
	env.Values[gatewayKey{}] = gw
	for _, p := range []daxpaytest.Payment{
		{OrderNo: "P1", BizOrderNo: "A1", Title: "shoes", Amount: 29900, Status: model.PaySyncSuccess},
		{OrderNo: "P2", BizOrderNo: "A2", Title: "hat", Amount: 100, Status: model.PaySyncProgress},
		{OrderNo: "P3", BizOrderNo: "A3", Title: "coat", Amount: 100, Status: model.PaySyncClosed},
	} {
		gw.SetPayment(p)
	}
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
	env.Setenv("GATEWAY", gw.URL())
	env.Setenv("DAXPAY_URL", gw.URL())
	env.Setenv("DAXPAY_SECRET", scriptSecret)
	env.Setenv("DAXPAY_GATEWAY", "2.0.8")
	env.Setenv("DAXPAY_RETRY_MAX_ATTEMPTS", "1")
	env.Setenv("SECRET", scriptSecret)
	return nil
}

// exits runs a command and compares its exit status. Its outputs must not hold the secret.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		status = failed.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if want, _ := strconv.Atoi(args[0]); status != want {
		ts.Fatalf("exit status %d, want %d", status, want)
	}
	for _, name := range []string{"stdout", "stderr"} {
		if strings.Contains(ts.ReadFile(name), scriptSecret) {
			ts.Fatalf("%s holds the secret", name)
		}
	}
}

// world says what happens at the channel: "world pays A2".
func world(ts *testscript.TestScript, _ bool, args []string) {
	gw := ts.Value(gatewayKey{}).(*daxpaytest.Gateway)
	if args[0] != "pays" || !gw.MarkPaid(args[1]) {
		ts.Fatalf("no payment %s", args[1])
	}
}

// several compares how many transfers the gateway paid out.
func several(ts *testscript.TestScript, _ bool, args []string) {
	gw := ts.Value(gatewayKey{}).(*daxpaytest.Gateway)
	if n := len(gw.Transfers()); strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d transfers", n)
	}
}

// shop starts a shop that verifies notices and answers with a status and a body, and sets SHOP to its URL.
func shop(ts *testscript.TestScript, _ bool, args []string) {
	gw := ts.Value(gatewayKey{}).(*daxpaytest.Gateway)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, err := gw.Client().ParseNotice(body); err != nil {
			http.Error(w, "the shop refuses it", http.StatusBadRequest)
			return
		}
		status, _ := strconv.Atoi(args[0])
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(args[1], `\n`, "\n"))
	}))
	ts.Defer(server.Close)
	ts.Setenv("SHOP", server.URL)
}

// broken starts a server that answers with an HTML page, and sets BROKEN to its URL.
func broken(ts *testscript.TestScript, _ bool, _ []string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>")
	}))
	ts.Defer(server.Close)
	ts.Setenv("BROKEN", server.URL)
}

// port sets PORT to one that is free.
func port(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv("PORT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// await waits until something listens on PORT.
func await(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+ts.Getenv("PORT"))
		if err == nil {
			ts.Check(conn.Close())
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("nothing listens: %v", err)
		}
	}
}

// got compares how many requests the gateway got.
func got(ts *testscript.TestScript, neg bool, args []string) {
	gw := ts.Value(gatewayKey{}).(*daxpaytest.Gateway)
	found := false
	for _, r := range gw.Requests() {
		found = found || r.Path == args[0]
	}
	if found == neg {
		ts.Fatalf("requests of %s: %t", args[0], found)
	}
}

// Every param of package param has a command, and every flag and every line of help is there.
func TestEveryParamHasACommand(t *testing.T) {
	have := map[string]bool{}
	for _, c := range clientCalls() {
		have[c.param.Name()] = true
	}
	params := 0
	for name := range texts.Types {
		if strings.HasSuffix(name, "Param") {
			params++
			require.True(t, have[name], "no command makes a call of %s", name)
		}
	}
	require.GreaterOrEqual(t, params, 22)

	waits := map[string]bool{}
	for _, w := range clientWaits() {
		waits[w.name] = true
	}
	require.Equal(t, map[string]bool{"pay": true, "refund": true, "transfer": true, "alloc": true}, waits)

	s := &shell{in: os.Stdin, out: io.Discard, err: io.Discard}
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		require.NotEmpty(t, cmd.Short, "%s has no help: write the doc comment of its param, then run TestTexts -update",
			cmd.CommandPath())
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			require.NotEmpty(t, f.Usage, "%s --%s", cmd.CommandPath(), f.Name)
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(s.root())
}

// Every field of every param can be set by its flag and by a file, with the same outcome.
func TestEveryFieldCanBeSet(t *testing.T) {
	values := map[reflect.Type][2]string{ // as a flag and as JSON
		reflect.TypeFor[time.Time]():             {"2026-01-31T18:00:00+08:00", "1769853600"},
		reflect.TypeFor[param.ExtraParam]():      {`{"authCode":"1"}`, `{"authCode":"1"}`},
		reflect.TypeFor[[]param.AllocReceiver](): {`[{"receiverNo":"V1","amount":1}]`, `[{"receiverNo":"V1","amount":1}]`},
	}
	for _, c := range clientCalls() {
		fields := fieldsOf(c.param)
		flags := map[string]bool{}
		for _, f := range fields {
			require.False(t, flags[f.flag], "%s has two --%s", c.name, f.flag)
			flags[f.flag] = true
			value, ok := values[f.typ]
			switch {
			case ok:
			case f.typ.Kind() == reflect.String:
				value = [2]string{"x", `"x"`}
			case f.typ.Kind() == reflect.Bool:
				value = [2]string{"true", "true"}
			case f.typ.Kind() == reflect.Int64:
				value = [2]string{"7", "7"}
			default:
				require.Fail(t, "a field of a type that no test has", "%s.%s", c.param, f.name)
			}
			byFlag, byFile := reflect.New(c.param), reflect.New(c.param)
			require.NoError(t, f.set(byFlag.Elem(), value[0]))
			require.NoError(t, (&fieldFlag{field: f}).Set(value[0]))
			require.NoError(t, readData(byFile.Elem(), fields, []byte(fmt.Sprintf(`{%q:%s}`, f.member, value[1]))))
			field := byFlag.Elem().FieldByIndex(f.index)
			require.False(t, field.IsZero(), "%s.%s", c.param, f.name)
			if when, ok := field.Interface().(time.Time); ok {
				require.True(t, when.Equal(byFile.Elem().FieldByIndex(f.index).Interface().(time.Time)))
				continue
			}
			require.Equal(t, field.Interface(), byFile.Elem().FieldByIndex(f.index).Interface(), "%s.%s", c.param, f.name)
		}
	}
}

// What waits for a person ends with the context.
func TestInterruptible(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	defer close(release)
	_, err := interruptible(ctx, func() (int, error) {
		cancel()
		<-release
		return 1, nil
	})
	require.EqualError(t, err, "stopped: nothing was sent")

	n, err := interruptible(context.Background(), func() (int, error) { return 2, io.EOF })
	require.Equal(t, 2, n)
	require.Equal(t, io.EOF, err)
}

func TestKebab(t *testing.T) {
	for name, want := range map[string]string{
		"SyncPay": "sync-pay", "WxAuthURL": "wx-auth-url", "bizOrderNo": "biz-order-no", "notifyUrl": "notify-url",
		"QueryAllocReceivers": "query-alloc-receivers", "Pay": "pay",
	} {
		require.Equal(t, want, kebab(name))
	}
	require.Equal(t, "bizOrderNo", lowerCamel("biz-order-no"))
}

// What is more dangerous decides the exit status.
func TestExitStatus(t *testing.T) {
	refusal := &daxpay.GatewayError{Path: "/unipay/pay", Code: 1, Msg: "no", TraceID: "t1"}
	for _, tt := range []struct {
		err  error
		want int
	}{
		{errors.New("unknown flag"), exitUsage},
		{&runError{errors.New("disk full")}, exitFailed},
		{&runError{refusal}, exitRefused},
		{&runError{&daxpay.OutcomeError{Err: refusal}}, exitUnknown},
		{&runError{&daxpay.UnresolvedError{Err: refusal}}, exitPerson},
		{&runError{&daxpay.DuplicateError{}}, exitUnknown},
		{&runError{daxpay.ErrEarlierSend}, exitUnknown},
		{&runError{&daxpay.TransportError{Err: io.EOF}}, exitNoAnswer},
		{&runError{&daxpay.OutcomeError{Err: &daxpay.TransportError{Err: io.EOF}}}, exitUnknown},
		{&runError{&daxpay.HTTPError{}}, exitUnverified},
		{&runError{&daxpay.ParamError{}}, exitUsage},
		{&runError{context.DeadlineExceeded}, exitTime},
		{&runError{failure(exitDeclined, "no")}, exitDeclined},
	} {
		require.Equal(t, tt.want, exitStatus(tt.err), "%v", tt.err)
	}
	require.Len(t, kinds, exitEnded+1)

	var out bytes.Buffer
	s := &shell{err: &out, json: true}
	require.Equal(t, exitUnknown, s.report(&runError{&daxpay.OutcomeError{Recover: "query it", Err: refusal}}))
	require.JSONEq(t, `{"error":{"kind":"outcome unknown","exitStatus":6,"code":1,"msg":"no","path":"/unipay/pay",
		"traceId":"t1","advice":"query it",
		"message":"daxpay: /unipay/pay: gateway refused, code 1: no (trace t1); the call may have taken effect: query it"}}`,
		out.String())
}
