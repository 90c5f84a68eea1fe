package daxpay_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// By default all handlers of a client share one store, so a notice is handled once, at any URL.
func TestHandlersOfAClientShareTheStore(t *testing.T) {
	gw := settled(t)
	kit := gw.Client()
	var h heard
	body := noticeOf(t, gw, "B1")
	for range 3 {
		_, reply := deliver(kit.NoticeHandler(h.handlers()), body)
		require.Equal(t, "SUCCESS", reply)
	}
	require.EqualValues(t, 1, h.pay.Load())
}

// The gateway gets its reply even if OnError panics.
func TestAPanicOfOnErrorDoesNotStopTheReply(t *testing.T) {
	gw := settled(t)
	var h heard
	handlers := h.handlers()
	handlers.OnError = func(context.Context, error) { panic("metrics") }
	status, reply := deliver(gw.Client().NoticeHandler(handlers), "{}")
	require.Equal(t, "FAIL", reply)
	require.Equal(t, http.StatusBadRequest, status)
	handlers.Store = undone{daxpay.NewMemoryStore(0)}
	_, reply = deliver(gw.Client().NoticeHandler(handlers), noticeOf(t, gw, "B1"))
	require.Equal(t, "SUCCESS", reply, "the callback has stored it")
}

// undone is a store that cannot mark a key as done.
type undone struct{ daxpay.OnceStore }

func (undone) Done(context.Context, string, string, time.Duration) error { return errors.New("broken") }

// Two gateways can give the same numbers. A store that serves both keeps them apart.
func TestOneStoreForTwoGateways(t *testing.T) {
	store := daxpay.NewMemoryStore(0)
	body := signedObject(t, daxpay.HMACSHA256,
		`"code":0,"resTime":1715500234,"orderNo":"P1","amount":100,"status":"success","attach":"x"`)
	for _, tt := range []struct {
		url, name string
		handled   int32
	}{
		{"https://one.example.com", "", 1},
		{"https://one.example.com/", "", 0},
		{"https://two.example.com", "", 1},
		{"https://two.example.com", "second", 1},
		{"http://10.0.0.2:9000", "second", 0},
		{"http://10.0.0.1:9000", "https://one.example.com", 0},
	} {
		kit, _ := mocked(t, daxpay.Config{ServiceURL: tt.url, StoreName: tt.name}, jsonAnswer("{}"))
		var h heard
		handlers := h.handlers()
		handlers.Store = store
		_, reply := deliver(kit.NoticeHandler(handlers), body)
		require.Equal(t, "SUCCESS", reply)
		require.Equal(t, tt.handled, h.pay.Load(), tt)
	}
}

// A number that is not plain text is left out of the key: a store may not accept it.
func TestKeysArePlain(t *testing.T) {
	for number, want := range map[string]string{"P-1_a.": "P-1_a.", "订单": "", "P 1": "", strings.Repeat("9", 65): ""} {
		store := &keyed{OnceStore: daxpay.NewMemoryStore(0)}
		kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
		var h heard
		handlers := h.handlers()
		handlers.Store = store
		_, reply := deliver(kit.NoticeHandler(handlers), signedObject(t, daxpay.HMACSHA256,
			`"code":0,"resTime":1715500234,"orderNo":"`+number+`","amount":100,"status":"success","attach":"x"`))
		require.Equal(t, "SUCCESS", reply)
		require.Regexp(t, `^[0-9a-f]{16}:pay:`+want+`:[0-9a-f]{32}$`, store.last)
	}
}

type keyed struct {
	daxpay.OnceStore
	last string
}

func (s *keyed) Claim(ctx context.Context, key, owner string, lease time.Duration) (daxpay.ClaimState, error) {
	s.last = key
	return s.OnceStore.Claim(ctx, key, owner, lease)
}

// The handler calls the store in a goroutine of its own, where a panic would end the program.
func TestStoreThatPanics(t *testing.T) {
	gw := settled(t)
	var got error
	h := gw.Client().NoticeHandler(daxpay.NoticeHandlers{
		Store:   panickingStore{},
		Pay:     func(context.Context, *model.PayNotice) error { return nil },
		OnError: func(_ context.Context, err error) { got = err },
	})
	status, reply := deliver(h, noticeOf(t, gw, "B1"))
	require.Equal(t, []any{500, "FAIL"}, []any{status, reply})
	var panicked *daxpay.PanicError
	require.ErrorAs(t, got, &panicked)
}

type panickingStore struct{ daxpay.OnceStore }

func TestNoticeLimits(t *testing.T) {
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"m%d":null`, i)
		}
		return b.String()
	}
	notice := `"code":0,"resTime":1715500234,"orderNo":"P1","amount":100,"status":"success","attach":"x"` // and sign
	list := func(n int) string { return `,"list":[` + strings.TrimSuffix(strings.Repeat(`{"a":1},`, n), ",") + `]` }
	for name, tt := range map[string]struct {
		members string
		after   string // what is added behind the signature
		size    int64
		want    error
	}{
		"1,000 members":         {members: notice + members(993)},
		"1,001 members":         {members: notice + members(994), want: daxpay.ErrProtocol},
		"1,000, most in a list": {members: notice + list(992)},
		"1,001, most in a list": {members: notice + list(993), want: daxpay.ErrProtocol},
		"name of 256 bytes":     {members: notice + `,"` + strings.Repeat("x", 256) + `":null`},
		"name of 257 bytes": {
			members: notice,
			after:   `,"` + strings.Repeat("x", 257) + `":null`,
			want:    daxpay.ErrProtocol,
		},
		"name of 257 bytes within": {
			members: notice,
			after:   `,"o":{"` + strings.Repeat("x", 256) + `x":1}`,
			want:    daxpay.ErrProtocol,
		},
		"name of 257 escapes": {
			members: notice,
			after:   `,"` + strings.Repeat(`\u0041`, 257) + `":null`,
			want:    daxpay.ErrProtocol,
		},
		"its size":        {members: notice, size: 165},
		"a byte too long": {members: notice, size: 164, want: daxpay.ErrTooLarge},
		"128 KiB":         {members: notice + `,"x":"` + strings.Repeat("x", 128<<10-165-7) + `"`},
		"more": {
			members: notice + `,"x":"` + strings.Repeat("x", 128<<10-165-6) + `"`,
			want:    daxpay.ErrTooLarge,
		},
	} {
		t.Run(name, func(t *testing.T) {
			kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
			var h heard
			var got error
			handlers := h.handlers()
			handlers.MaxSize = tt.size
			handlers.OnError = func(_ context.Context, err error) { got = err }
			body := signedObject(t, daxpay.HMACSHA256, tt.members)
			body = body[:len(body)-1] + tt.after + "}"
			for range 2 { // also when what was read before is known
				_, reply := deliver(kit.NoticeHandler(handlers), body)
				require.Equal(t, tt.want == nil, reply == "SUCCESS", "%d bytes: %v", len(body), got)
				require.ErrorIs(t, got, tt.want)
			}
			if tt.want == nil {
				require.EqualValues(t, 1, h.pay.Load())
			}
		})
	}
}

// A client that sends its body too slowly is answered after 2 seconds, and the connection is closed.
func TestSlowBodies(t *testing.T) {
	gw := settled(t)
	genuine := noticeOf(t, gw, "B1")
	var h heard
	var mu sync.Mutex
	var got []error
	handlers := h.handlers()
	handlers.OnError = func(_ context.Context, err error) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, err)
	}
	server := httptest.NewServer(gw.Client().NoticeHandler(handlers))
	defer server.Close()
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := new(net.Dialer).DialContext(context.Background(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			head := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(genuine))
			switch i % 3 {
			case 1:
				head = "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
			case 2:
				head = "Content-Length: 200000\r\n\r\n{" // which is too large, and the server reads on after the reply
			}
			start := time.Now()
			fmt.Fprint(c, "POST /notify HTTP/1.1\r\nHost: x\r\n"+head)
			answer, err := io.ReadAll(c) // to the end of the connection
			took := time.Since(start)
			if err != nil || !strings.HasSuffix(string(answer), "FAIL") {
				t.Errorf("%d: %q, %v", i%3, answer, err)
			}
			if took > 4800*time.Millisecond {
				t.Errorf("held for %v", took)
			}
		}()
	}
	wg.Wait()
	require.Len(t, got, 300)
	require.Equal(t, [3]int32{}, h.counts())
}

// The deadline for the body limits neither the callback nor the next notice on the connection.
func TestBodyDeadlineIsCleared(t *testing.T) {
	gw := settled(t)
	canceled := errors.New("the context ended")
	for _, tt := range []struct {
		name   string
		server func(http.Handler) *httptest.Server
	}{
		{"HTTP/1.1", httptest.NewServer},
		{"HTTP/2", func(h http.Handler) *httptest.Server {
			s := httptest.NewUnstartedServer(h)
			s.EnableHTTP2 = true
			s.StartTLS()
			return s
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := tt.server(gw.Client().NoticeHandler(daxpay.NoticeHandlers{
				Store: daxpay.NewMemoryStore(0),
				Pay: func(ctx context.Context, _ *model.PayNotice) error {
					timer := time.NewTimer(2300 * time.Millisecond)
					defer timer.Stop()
					select {
					case <-ctx.Done():
						return canceled
					case <-timer.C:
						return nil
					}
				},
				Refund:  func(context.Context, *model.RefundNotice) error { return nil },
				OnError: func(_ context.Context, err error) { t.Error(err) },
			}))
			defer server.Close()
			for _, number := range []string{"B1", "BR1"} {
				body := strings.NewReader(noticeOf(t, gw, number))
				r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL, body)
				require.NoError(t, err)
				res, err := server.Client().Do(r)
				require.NoError(t, err)
				reply, err := io.ReadAll(bufio.NewReader(res.Body))
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, "SUCCESS", string(reply))
			}
		})
	}
}

// Without Config.Logger, slog.Default gets a line for each notice that is not received, and no other line.
func TestRefusedNoticesAreNotSilentByDefault(t *testing.T) {
	var lines bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)
	kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
	_, err := kit.QueryPayOrder(context.Background(), &param.QueryPayOrderParam{BizOrderNo: "B1"})
	require.Error(t, err)
	require.Empty(t, lines.String(), "a call's error is returned")
	for _, handlers := range []daxpay.NoticeHandlers{{}, {OnError: func(context.Context, error) {}}} {
		deliver(kit.NoticeHandler(handlers), "{}")
		require.Contains(t, lines.String(), "level=WARN msg=\"daxpay notice not received\" status=400 failure=signature")
		lines.Reset()
	}
	gw := settled(t)
	kit = client(t, gw, func(c *daxpay.Config) { c.Logger = nil })
	status, _ := deliver(kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay: func(context.Context, *model.PayNotice) error { return nil },
	}), noticeOf(t, gw, "B1"))
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, lines.String())
}

// A log line names the order of a notice and says why it was not received. It holds nothing else of the notice.
func TestLinesAboutNotices(t *testing.T) {
	gw := settled(t)
	body := noticeOf(t, gw, "B1")
	var sign struct{ Sign, Attach string }
	require.NoError(t, json.Unmarshal([]byte(body), &sign))
	require.NotEmpty(t, sign.Attach)
	returns := func(err error) func(context.Context, *model.PayNotice) error {
		return func(context.Context, *model.PayNotice) error { return err }
	}
	for name, tt := range map[string]struct {
		pay  func(context.Context, *model.PayNotice) error
		body string
		want map[string]any // in the line
		is   error
		text string // of the NoticeError
	}{
		"received": {
			returns(nil), body,
			map[string]any{"level": "DEBUG", "msg": "daxpay notice received", "status": 200.0}, nil, "",
		},
		"failed": {
			returns(fmt.Errorf("insert %s for %s with %s: %w", sign.Attach, daxpaytest.Secret, sign.Sign, context.Canceled)),
			body,
			map[string]any{"level": "WARN", "msg": "daxpay notice not received", "status": 500.0, "failure": "other",
				"reason": "insert *** for *** with ***: context canceled"},
			context.Canceled, "daxpay: pay notice of B1 (P1) not received, replied 500: insert",
		},
		"panicked": {
			func(context.Context, *model.PayNotice) error { panic(sign.Attach) }, body,
			map[string]any{"level": "WARN", "status": 500.0}, nil,
			"not received, replied 500: a callback panicked with a string",
		},
		"no callback": {
			nil, body,
			map[string]any{"level": "WARN", "status": 501.0, "reason": "daxpay: notice refused: NoticeHandlers.Pay is not set"},
			daxpay.ErrNoticeType, "daxpay: pay notice of B1 (P1) not received, replied 501: NoticeHandlers.Pay is not set",
		},
		"unverified": {
			returns(nil), strings.Replace(body, `"B1"`, `"B2"`, 1),
			map[string]any{"level": "WARN", "status": 400.0, "failure": "signature", "refused": 1.0},
			daxpay.ErrSignMismatch, "daxpay: notice not received, replied 400: signature mismatch",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var lines bytes.Buffer
			kit := client(t, gw, func(c *daxpay.Config) {
				c.Logger = slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			var told error
			deliver(kit.NoticeHandler(daxpay.NoticeHandlers{
				Pay: tt.pay, OnError: func(_ context.Context, err error) { told = err },
			}), tt.body)
			require.Equal(t, 1, strings.Count(lines.String(), "\n"), lines.String())
			for _, private := range []string{daxpaytest.Secret, sign.Sign, sign.Attach} {
				require.NotContains(t, lines.String(), private)
			}
			var line map[string]any
			require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
			for key, want := range tt.want {
				require.Equal(t, want, line[key], "%s: %s", key, lines.String())
			}
			if tt.text == "" {
				require.NoError(t, told)
				return
			}
			var e *daxpay.NoticeError
			require.ErrorAs(t, told, &e)
			require.ErrorContains(t, told, tt.text)
			if tt.is != nil {
				require.ErrorIs(t, told, tt.is)
			}
			require.EqualValues(t, tt.want["status"], e.Status)
			if name == "unverified" {
				require.Empty(t, string(e.Kind)+e.Number+e.BizNumber)
				require.NotContains(t, lines.String(), "B2", "no line holds what was not verified")
				return
			}
			require.Equal(t, []any{model.NoticePay, "P1", "B1"}, []any{e.Kind, e.Number, e.BizNumber})
			require.Equal(t, []any{"pay", "P1", "B1"}, []any{line["kind"], line["number"], line["bizNumber"]})
		})
	}
}

// A PanicError names the frame of the callback, not one of the runtime.
func TestPanicsSayWhere(t *testing.T) {
	gw := settled(t)
	body := noticeOf(t, gw, "B1")
	var missing *model.PayNotice
	var none map[string]int
	for want, callback := range map[string]func(context.Context, *model.PayNotice) error{
		"runtime.errorString": func(context.Context, *model.PayNotice) error { _ = missing.Title; return nil },
		"runtime.boundsError": func(_ context.Context, n *model.PayNotice) error { _ = []int{}[n.Amount]; return nil },
		"runtime.plainError":  func(context.Context, *model.PayNotice) error { none["a"]++; return nil },
		"string":              func(context.Context, *model.PayNotice) error { panic("x") },
	} {
		var told error
		deliver(gw.Client().NoticeHandler(daxpay.NoticeHandlers{
			Pay: callback, OnError: func(_ context.Context, err error) { told = err },
		}), body)
		var panicked *daxpay.PanicError
		require.ErrorAs(t, told, &panicked)
		require.Regexp(t, `panicked with a `+want+` in .*TestPanicsSayWhere\S* \(notice_door_test\.go:\d+\)`, panicked.Error())
	}
}
