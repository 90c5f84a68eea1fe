package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/contrib/redisstore"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
)

// server starts a real Redis server on a free port of the loopback interface.
func server(t *testing.T) *redis.Client {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("there is no redis-server on this machine: apt-get install redis-server")
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	command := exec.CommandContext(context.Background(), path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	t.Cleanup(func() { _ = client.Close() })
	require.Eventually(t, func() bool { return client.Ping(context.Background()).Err() == nil }, 10*time.Second, 10*time.Millisecond)
	return client
}

func store(t *testing.T, client *redis.Client) *redisstore.Store {
	t.Helper()
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	return s
}

func TestOptions(t *testing.T) {
	_, err := redisstore.New(nil, redisstore.Options{})
	require.ErrorContains(t, err, "must not be nil")
	_, err = redisstore.New(redis.NewClient(&redis.Options{}), redisstore.Options{Lease: time.Second, Remember: time.Hour})
	require.ErrorContains(t, err, "Lease must be at least 5s")
	require.ErrorContains(t, err, "Remember must be at least 25h")
}

func TestStore(t *testing.T) {
	ctx := context.Background()
	client := server(t)
	s := store(t, client)
	claim := func(key, owner string) daxpay.NoticeState {
		state, err := s.Claim(ctx, key, owner)
		require.NoError(t, err)
		return state
	}
	require.Equal(t, daxpay.NoticeClaimed, claim("a", "1"))
	require.Equal(t, daxpay.NoticeClaimed, claim("a", "1"), "the reply was lost, and the client asked again")
	require.Equal(t, daxpay.NoticeBusy, claim("a", "2"))
	require.NoError(t, s.Release(ctx, "a", "2"), "not the owner: nothing happens")
	require.Equal(t, daxpay.NoticeBusy, claim("a", "2"))
	require.NoError(t, s.Release(ctx, "a", "1"))
	require.Equal(t, daxpay.NoticeClaimed, claim("a", "2"))
	require.ErrorContains(t, s.Done(ctx, "a", "1"), "the lease ended")
	require.NoError(t, s.Done(ctx, "a", "2"))
	require.NoError(t, s.Done(ctx, "a", "2"), "again")
	require.Equal(t, daxpay.NoticeDone, claim("a", "3"))
	require.NoError(t, s.Release(ctx, "a", "3"))
	require.Equal(t, daxpay.NoticeDone, claim("a", "3"))
	require.Equal(t, daxpay.NoticeClaimed, claim("b", "1"))

	lease, err := client.PTTL(ctx, "daxpay:notice:b").Result()
	require.NoError(t, err)
	require.InDelta(t, 30, lease.Seconds(), 5)
	remember, err := client.PTTL(ctx, "daxpay:notice:a").Result()
	require.NoError(t, err)
	require.InDelta(t, 49, remember.Hours(), 1)

	require.NoError(t, client.Close())
	_, err = s.Claim(ctx, "c", "1")
	require.ErrorIs(t, err, redis.ErrClosed)
	require.ErrorIs(t, s.Done(ctx, "c", "1"), redis.ErrClosed)
	require.ErrorIs(t, s.Release(ctx, "c", "1"), redis.ErrClosed)
}

// A process that dies between claim and done must not take the news with it: when its lease has ended, the gateway's next
// delivery is handled. The end of the lease is brought about in Redis.
func TestCrashLeadsToRedelivery(t *testing.T) {
	ctx := context.Background()
	client := server(t)
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", Amount: 1, Status: model.PaySyncSuccess})
	body, err := gw.Notice("P1")
	require.NoError(t, err)

	state, err := store(t, client).Claim(ctx, "pay:P1:success", "a process that then dies")
	require.NoError(t, err)
	require.Equal(t, daxpay.NoticeClaimed, state)

	handled := 0
	h := gw.Client().NoticeHandler(daxpay.NoticeHandlers{Store: store(t, client), Pay: func(context.Context, *model.PayNotice) error { handled++; return nil }})
	require.Equal(t, "FAIL", deliver(h, body), "its lease lasts")
	require.NoError(t, client.PExpire(ctx, "daxpay:notice:pay:P1:success", time.Millisecond).Err())
	require.Eventually(t, func() bool { return client.Exists(ctx, "daxpay:notice:pay:P1:success").Val() == 0 }, 10*time.Second, time.Millisecond)
	require.Equal(t, "SUCCESS", deliver(h, body))
	require.Equal(t, "SUCCESS", deliver(h, body))
	require.Equal(t, 1, handled)
}

func deliver(h http.Handler, body []byte) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(string(body))))
	return w.Body.String()
}

// Four processes, 200 notices, each delivered to all of them at once: each takes effect once.
func TestSeveralProcesses(t *testing.T) {
	client := server(t)
	gw := daxpaytest.Start(t)
	var effects [200]atomic.Int32
	var handlers []http.Handler
	for range 4 {
		handlers = append(handlers, gw.Client().NoticeHandler(daxpay.NoticeHandlers{Store: store(t, client), Pay: func(_ context.Context, n *model.PayNotice) error {
			effects[n.Amount-1].Add(1)
			return nil
		}}))
	}
	var wg sync.WaitGroup
	for i := range effects {
		number := fmt.Sprintf("P%d", i)
		gw.SetPayment(daxpaytest.Payment{OrderNo: number, Amount: int64(i) + 1, Status: model.PaySyncSuccess})
		body, err := gw.Notice(number)
		require.NoError(t, err)
		for _, h := range handlers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for deliver(h, body) != "SUCCESS" { //nolint:revive // it is sent again until it is received
				}
			}()
		}
	}
	wg.Wait()
	for i := range effects {
		require.EqualValues(t, 1, effects[i].Load(), i)
	}
}
