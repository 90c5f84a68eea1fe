//go:build go1.25

package daxpay_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

func payNotice(t *testing.T) string {
	t.Helper()
	return signedObject(t, daxpay.HMACSHA256,
		`"code":0,"resTime":1715500234,"orderNo":"P1","bizOrderNo":"B1","amount":100,"status":"success","attach":"x"`)
}

// passTime blocks its goroutine until the fake clock of its synctest bubble has advanced by d. It takes no real time.
func passTime(d time.Duration) { <-time.After(d) }

// stuck is a store whose methods take as long as the test says and ignore their contexts.
type stuck struct {
	daxpay.OnceStore
	claim, done, release time.Duration
}

func (s *stuck) Claim(ctx context.Context, key, owner string, lease time.Duration) (daxpay.ClaimState, error) {
	passTime(s.claim)
	return s.OnceStore.Claim(ctx, key, owner, lease)
}

func (s *stuck) Done(ctx context.Context, key, owner string, remember time.Duration) error {
	passTime(s.done)
	return s.OnceStore.Done(ctx, key, owner, remember)
}

func (s *stuck) Release(ctx context.Context, key, owner string) error {
	passTime(s.release)
	return s.OnceStore.Release(ctx, key, owner)
}

// The gateway waits for 5 seconds, so the handler replies within 4.8, even if the callback and the store ignore their
// contexts.
func TestNoticeReplyTime(t *testing.T) {
	fails := errors.New("database down")
	for name, tt := range map[string]struct {
		store     stuck
		callback  func(context.Context) error
		reply     string
		status    int
		took      time.Duration
		reported  []error // what errors.Is finds in each, in order
		next      string  // the reply to the delivery after 15 seconds
		callbacks int
	}{
		"callback heeds its context": {
			callback: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			reply:    "FAIL", status: 500, took: 4 * time.Second,
			reported: []error{context.DeadlineExceeded}, next: "FAIL", callbacks: 2,
		},
		"callback succeeds late": {
			callback: func(context.Context) error { passTime(9 * time.Second); return nil },
			reply:    "FAIL", status: 503, took: 4800 * time.Millisecond,
			reported: []error{context.DeadlineExceeded}, next: "SUCCESS", callbacks: 1,
		},
		"callback fails late": {
			callback: func(context.Context) error { passTime(9 * time.Second); return fails },
			reply:    "FAIL", status: 503, took: 4800 * time.Millisecond,
			reported: []error{context.DeadlineExceeded, fails}, next: "FAIL", callbacks: 2,
		},
		"callback is just in time": {
			callback: func(context.Context) error { passTime(4700 * time.Millisecond); return nil },
			reply:    "SUCCESS", status: 200, took: 4700 * time.Millisecond, next: "SUCCESS", callbacks: 1,
		},
		"callback panics late": {
			callback: func(context.Context) error { passTime(9 * time.Second); panic("x") },
			reply:    "FAIL", status: 503, took: 4800 * time.Millisecond, next: "FAIL", callbacks: 2,
			reported: []error{context.DeadlineExceeded, new(daxpay.PanicError)},
		},
		"callback leaves its goroutine late": {
			callback: func(context.Context) error { passTime(9 * time.Second); runtime.Goexit(); return nil },
			reply:    "FAIL", status: 503, took: 4800 * time.Millisecond, next: "FAIL", callbacks: 2,
			reported: []error{context.DeadlineExceeded, nil},
		},
		"claim hangs": {
			store: stuck{claim: 8 * time.Second},
			reply: "FAIL", status: 503, took: 4800 * time.Millisecond, next: "FAIL",
			reported: []error{context.DeadlineExceeded, context.DeadlineExceeded},
		},
		"done hangs": {
			store: stuck{done: 8 * time.Second},
			reply: "SUCCESS", status: 200, took: 4800 * time.Millisecond, next: "SUCCESS", callbacks: 1,
			reported: []error{context.DeadlineExceeded},
		},
		"release hangs": {
			store:    stuck{release: 8 * time.Second},
			callback: func(context.Context) error { return fails },
			reply:    "FAIL", status: 503, took: 4800 * time.Millisecond, next: "FAIL", callbacks: 2,
			reported: []error{context.DeadlineExceeded, fails},
		},
		"all of it at once": {
			store:    stuck{claim: 3 * time.Second, done: 3 * time.Second},
			callback: func(ctx context.Context) error { <-ctx.Done(); passTime(time.Second); return nil },
			reply:    "FAIL", status: 503, took: 4800 * time.Millisecond, next: "SUCCESS", callbacks: 1,
			reported: []error{context.DeadlineExceeded},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var reported []error
				callbacks := 0
				store := tt.store
				store.OnceStore = daxpay.NewMemoryStore(0)
				kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
				h := kit.NoticeHandler(daxpay.NoticeHandlers{
					Store: &store,
					Pay: func(ctx context.Context, _ *model.PayNotice) error {
						callbacks++
						if tt.callback == nil {
							return nil
						}
						return tt.callback(ctx)
					},
					OnError: func(_ context.Context, err error) {
						mu.Lock()
						defer mu.Unlock()
						reported = append(reported, err)
					},
				})
				start := time.Now()
				status, reply := deliver(h, payNotice(t))
				require.Equal(t, []any{tt.reply, tt.status, tt.took}, []any{reply, status, time.Since(start)})
				passTime(15*time.Second - time.Since(start))
				synctest.Wait()
				mu.Lock()
				require.Len(t, reported, len(tt.reported), "%v", reported)
				for i, want := range tt.reported {
					var panicked *daxpay.PanicError
					if errors.As(want, &panicked) {
						require.ErrorAs(t, reported[i], &panicked)
					} else if want != nil {
						require.ErrorIs(t, reported[i], want)
					}
				}
				mu.Unlock()
				_, reply = deliver(h, payNotice(t))
				require.Equal(t, tt.next, reply)
				passTime(time.Minute)
				synctest.Wait()
				require.Equal(t, tt.callbacks, callbacks)
			})
		})
	}
}

// A hung callback holds its event for ten minutes: no second callback runs within that time, and one may after it.
func TestHungCallback(t *testing.T) {
	for name, hang := range map[string]time.Duration{"for nine minutes": 9 * time.Minute, "for an hour": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
				callbacks := 0
				var last error
				h := kit.NoticeHandler(daxpay.NoticeHandlers{
					Pay: func(context.Context, *model.PayNotice) error {
						if callbacks++; callbacks == 1 {
							passTime(hang)
						}
						return nil
					},
					OnError: func(_ context.Context, err error) { last = err },
				})
				start := time.Now()
				deliver(h, payNotice(t))
				for time.Since(start) < 8*time.Minute {
					passTime(time.Second)
					status, _ := deliver(h, payNotice(t))
					require.Equal(t, http.StatusConflict, status, time.Since(start))
					require.ErrorIs(t, last, daxpay.ErrNoticeBusy)
				}
				passTime(10*time.Minute + 13*time.Second - time.Since(start))
				_, reply := deliver(h, payNotice(t))
				require.Equal(t, "SUCCESS", reply)
				passTime(time.Hour)
				synctest.Wait()
				if hang < 10*time.Minute {
					require.Equal(t, 1, callbacks)
					return
				}
				require.Equal(t, 2, callbacks)
				require.ErrorIs(t, last, daxpay.ErrClaimLost, "two callbacks ran")
			})
		})
	}
}

// OnError may panic even after the reply has been sent.
func TestLateReportThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
		late := 0
		h := kit.NoticeHandler(daxpay.NoticeHandlers{
			Pay: func(context.Context, *model.PayNotice) error {
				passTime(time.Minute)
				return errors.New("late")
			},
			OnError: func(_ context.Context, err error) {
				if strings.HasSuffix(err.Error(), ": late") {
					late++
					panic("x")
				}
			},
		})
		deliver(h, payNotice(t))
		passTime(time.Hour)
		synctest.Wait()
		require.Equal(t, 1, late)
	})
}

// lines collects the attribute "refused" of log lines.
type lines struct {
	slog.Handler
	counts []int64
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "refused" {
			l.counts = append(l.counts, a.Value.Int64())
		}
		return true
	})
	return nil
}

func TestUnverifiedNoticesDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(lines)
		kit, _ := mocked(t, daxpay.Config{Logger: slog.New(log)}, jsonAnswer("{}"))
		h := kit.NoticeHandler(daxpay.NoticeHandlers{})
		for range 300 {
			_, reply := deliver(h, "{}")
			require.Equal(t, "FAIL", reply)
			passTime(time.Second)
		}
		require.Equal(t, []int64{1, 60, 60, 60, 60}, log.counts)
	})
}

func TestMemoryStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s := daxpay.NewMemoryStore(3)
		claim := func(key, owner string, lease time.Duration) daxpay.ClaimState {
			t.Helper()
			state, err := s.Claim(ctx, key, owner, lease)
			require.NoError(t, err)
			return state
		}
		// A lease ends exactly on time.
		require.Equal(t, daxpay.ClaimGranted, claim("a", "1", time.Minute))
		passTime(time.Minute - 1)
		require.Equal(t, daxpay.ClaimBusy, claim("a", "2", time.Minute))
		passTime(time.Nanosecond)
		require.Equal(t, daxpay.ClaimGranted, claim("a", "2", time.Minute))
		require.NoError(t, s.Release(ctx, "a", "2"))

		// A full store forgets finished keys, the one that expires first before the others.
		for i, key := range []string{"a", "b", "c"} {
			require.NoError(t, s.Done(ctx, key, "1", time.Hour-time.Duration(i)*time.Minute))
		}
		require.Equal(t, daxpay.ClaimGranted, claim("d", "1", time.Minute))
		require.Equal(t, daxpay.ClaimDone, claim("a", "1", time.Minute))
		require.Equal(t, daxpay.ClaimDone, claim("b", "1", time.Minute))

		// It forgets neither claims nor keys that are finished for good.
		require.NoError(t, s.Done(ctx, "a", "1", 0))
		require.Equal(t, daxpay.ClaimGranted, claim("e", "1", 0))
		_, err := s.Claim(ctx, "f", "1", time.Minute)
		require.ErrorIs(t, err, daxpay.ErrStoreFull)
		require.ErrorIs(t, s.Done(ctx, "f", "1", time.Minute), daxpay.ErrStoreFull)
		require.Equal(t, []daxpay.ClaimState{daxpay.ClaimDone, daxpay.ClaimBusy, daxpay.ClaimBusy},
			[]daxpay.ClaimState{claim("a", "2", 0), claim("d", "2", 0), claim("e", "2", 0)})

		// It forgets claims whose lease has ended.
		passTime(time.Minute)
		require.Equal(t, daxpay.ClaimGranted, claim("f", "1", 0))
		_, err = s.Claim(ctx, "g", "1", 0)
		require.ErrorIs(t, err, daxpay.ErrStoreFull)
		require.NoError(t, s.Forget(ctx, "f"))
		require.Equal(t, daxpay.ClaimGranted, claim("g", "1", 0))
	})
}

// The constants in notice.go say why the lease and the retention are as long as they are.
func TestLeaseAndRetentionOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		var keys []string
		store := &asking{OnceStore: daxpay.NewMemoryStore(0), ask: func(key string, d time.Duration) {
			keys, asked = append(keys, key), append(asked, d)
		}}
		kit, _ := mocked(t, daxpay.Config{}, jsonAnswer("{}"))
		pay := func(context.Context, *model.PayNotice) error { return nil }
		h := kit.NoticeHandler(daxpay.NoticeHandlers{Store: store, Pay: pay})
		_, reply := deliver(h, payNotice(t))
		require.Equal(t, "SUCCESS", reply)
		require.Equal(t, []time.Duration{12 * time.Second, 49 * time.Hour}, asked)
		require.Len(t, slices.Compact(keys), 1)
		require.Regexp(t, `^[0-9a-f]{16}:pay:P1:[0-9a-f]{32}$`, keys[0])
	})
}

// asking reports the key and the duration of each call to a store.
type asking struct {
	daxpay.OnceStore
	ask func(key string, d time.Duration)
}

func (s *asking) Claim(ctx context.Context, key, owner string, lease time.Duration) (daxpay.ClaimState, error) {
	s.ask(key, lease)
	return s.OnceStore.Claim(ctx, key, owner, lease)
}

func (s *asking) Done(ctx context.Context, key, owner string, remember time.Duration) error {
	s.ask(key, remember)
	return s.OnceStore.Done(ctx, key, owner, remember)
}
