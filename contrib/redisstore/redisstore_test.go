package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/contrib/redisstore"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/daxpaytest/storetest"
	"github.com/daxpay-go/daxpay/internal/sharetest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

// server starts a real Redis server on a free port of the loopback interface.
func server(t testing.TB) *redis.Client {
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
	command := exec.CommandContext(context.Background(), path, "--port", port, "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", t.TempDir())
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	t.Cleanup(func() { _ = client.Close() })
	answers := func() bool { return client.Ping(context.Background()).Err() == nil }
	require.Eventually(t, answers, 10*time.Second, 10*time.Millisecond)
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
}

func TestConformance(t *testing.T) {
	client := server(t)
	require.NoError(t, storetest.TestStore(context.Background(), store(t, client)))
	// A server can lose its scripts, such as by SCRIPT FLUSH.
	require.NoError(t, client.ScriptFlush(context.Background()).Err())
	require.NoError(t, storetest.TestStore(context.Background(), store(t, client)))
}

func schedule(t *testing.T, client *redis.Client) *redisstore.Schedule {
	t.Helper()
	s, err := redisstore.NewSchedule(client, redisstore.Options{})
	require.NoError(t, err)
	return s
}

func TestScheduleConformance(t *testing.T) {
	_, err := redisstore.NewSchedule(nil, redisstore.Options{})
	require.ErrorContains(t, err, "must not be nil")
	client := server(t)
	require.NoError(t, storetest.TestSchedule(context.Background(), schedule(t, client)))
	require.NoError(t, client.ScriptFlush(context.Background()).Err())
	require.NoError(t, storetest.TestSchedule(context.Background(), schedule(t, client)))
}

// An order expires an hour after it becomes free. If its pause began in the future, because the clock was set back, the
// order is free. So is an order that Redis lost.
func TestScheduleLives(t *testing.T) {
	ctx := context.Background()
	client := server(t)
	s := schedule(t, client)
	got, err := s.Claim(ctx, "a", "1", time.Hour)
	require.NoError(t, err)
	require.True(t, got.Granted)
	require.InDelta(t, 2, client.PTTL(ctx, "daxpay:a").Val().Hours(), 0.1)
	require.NoError(t, s.Return(ctx, "a", "1", "note", 3*time.Hour))
	require.InDelta(t, 4, client.PTTL(ctx, "daxpay:a").Val().Hours(), 0.1)
	used, err := client.MemoryUsage(ctx, "daxpay:a").Result()
	require.NoError(t, err)
	t.Logf("%d bytes with a short note", used)

	got, err = s.Claim(ctx, "a", "2", time.Hour)
	require.NoError(t, err)
	require.False(t, got.Granted)
	require.NoError(t, client.HIncrBy(ctx, "daxpay:a", "since", 50_000).Err())
	require.NoError(t, client.HIncrBy(ctx, "daxpay:a", "free", 50_000).Err())
	got, err = s.Claim(ctx, "a", "2", time.Hour)
	require.NoError(t, err)
	require.False(t, got.Granted, "clocks are not exact")
	require.NoError(t, client.HIncrBy(ctx, "daxpay:a", "since", 20_000).Err())
	require.NoError(t, client.HIncrBy(ctx, "daxpay:a", "free", 20_000).Err())
	got, err = s.Claim(ctx, "a", "2", time.Hour)
	require.NoError(t, err)
	require.Equal(t, reconcile.Turn{Granted: true, Note: "note"}, got)

	require.NoError(t, client.FlushAll(ctx).Err())
	got, err = s.Claim(ctx, "a", "3", time.Hour)
	require.NoError(t, err)
	require.Equal(t, reconcile.Turn{Granted: true}, got)
	require.NoError(t, client.Set(ctx, "daxpay:b", "no hash", 0).Err())
	_, err = s.Claim(ctx, "b", "3", time.Hour)
	require.ErrorContains(t, err, "WRONGTYPE")
	require.ErrorContains(t, s.Return(ctx, "b", "3", "", 0), "WRONGTYPE")
	_, err = s.Claim(ctx, "c", "", time.Hour)
	require.ErrorContains(t, err, "owner must not be empty")
	require.NoError(t, s.Return(ctx, "c", "3", "note", time.Hour))
	require.ErrorContains(t, s.Return(ctx, "c", "", "", 0), "owner must not be empty", "the order pauses")
}

// A claim or a mark has a TTL unless it never ends. A key that Redis loses is free, but a late Done still marks it.
func TestLives(t *testing.T) {
	ctx := context.Background()
	client := server(t)
	s := store(t, client)
	for key, life := range map[string]time.Duration{"a": 12 * time.Second, "b": time.Microsecond, "c": 0} {
		state, err := s.Claim(ctx, key, "1", life)
		require.NoError(t, err)
		require.Equal(t, daxpay.ClaimGranted, state)
	}
	require.InDelta(t, 12, client.PTTL(ctx, "daxpay:a").Val().Seconds(), 5)
	require.EqualValues(t, -1, client.PTTL(ctx, "daxpay:c").Val(), "no end")
	require.NoError(t, s.Done(ctx, "a", "1", 49*time.Hour))
	require.NoError(t, s.Done(ctx, "c", "1", 0))
	require.InDelta(t, 49, client.PTTL(ctx, "daxpay:a").Val().Hours(), 1)
	require.EqualValues(t, -1, client.PTTL(ctx, "daxpay:c").Val(), "no end")

	require.NoError(t, client.FlushAll(ctx).Err())
	require.NoError(t, s.Done(ctx, "a", "1", time.Hour))
	state, err := s.Claim(ctx, "a", "2", time.Hour)
	require.NoError(t, err)
	require.Equal(t, daxpay.ClaimDone, state)

	require.NoError(t, client.Close())
	_, err = s.Claim(ctx, "c", "1", time.Hour)
	require.ErrorIs(t, err, redis.ErrClosed)
	require.ErrorIs(t, s.Done(ctx, "c", "1", time.Hour), redis.ErrClosed)
	require.ErrorIs(t, s.Release(ctx, "c", "1"), redis.ErrClosed)
	require.ErrorIs(t, s.Forget(ctx, "c"), redis.ErrClosed)
}

// hanging is a server that accepts connections and never answers.
func hanging(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	var accepted []net.Conn
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			accepted = append(accepted, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range accepted {
			_ = c.Close()
		}
	})
	return listener.Addr().String()
}

// By default go-redis ignores the end of a context, and the gateway waits for only 5 seconds.
func TestHangingRedisDoesNotDelayTheReply(t *testing.T) {
	address := hanging(t)
	for name, client := range map[string]redis.UniversalClient{
		"client":  redis.NewClient(&redis.Options{Addr: address}),
		"ring":    redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": address}}),
		"cluster": redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{address}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gw := daxpaytest.Start(t)
			gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", Amount: 1, Status: model.PaySyncSuccess})
			body, err := gw.Notice("P1")
			require.NoError(t, err)
			s, err := redisstore.New(client, redisstore.Options{})
			require.NoError(t, err)
			pay := func(context.Context, *model.PayNotice) error {
				t.Error("the callback was called")
				return nil
			}
			h := gw.Client().NoticeHandler(daxpay.NoticeHandlers{Store: s, Pay: pay})
			start := time.Now()
			require.Equal(t, "FAIL", deliver(h, body))
			took := time.Since(start)
			t.Logf("FAIL after %v", took)
			require.Less(t, took, 4800*time.Millisecond)
			require.NoError(t, client.Close())
		})
	}
}

// Redis stops after the callback has stored the event: the gateway still gets SUCCESS in time.
func TestRedisThatStopsDuringTheCallback(t *testing.T) {
	client := server(t)
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", Amount: 1, Status: model.PaySyncSuccess})
	body, err := gw.Notice("P1")
	require.NoError(t, err)
	pay := func(ctx context.Context, _ *model.PayNotice) error {
		return client.Do(ctx, "CLIENT", "PAUSE", "60000", "ALL").Err()
	}
	h := gw.Client().NoticeHandler(daxpay.NoticeHandlers{Store: store(t, client), Pay: pay})
	start := time.Now()
	require.Equal(t, "SUCCESS", deliver(h, body))
	took := time.Since(start)
	t.Logf("SUCCESS after %v", took)
	require.Less(t, took, 4800*time.Millisecond)
}

// If a process dies between Claim and Done, the event is not lost: after the lease has ended, the gateway's next
// delivery is handled. The test ends the lease in Redis.
func TestCrashLeadsToRedelivery(t *testing.T) {
	ctx := context.Background()
	client := server(t)
	gw := daxpaytest.Start(t)
	gw.SetPayment(daxpaytest.Payment{OrderNo: "P1", Amount: 1, Status: model.PaySyncSuccess})
	body, err := gw.Notice("P1")
	require.NoError(t, err)

	// Another process claims the event, and then dies.
	entered, leave := make(chan struct{}), make(chan struct{})
	dies := func(context.Context, *model.PayNotice) error {
		close(entered)
		<-leave
		return errors.New("dead")
	}
	dying := gw.Client().NoticeHandler(daxpay.NoticeHandlers{Store: store(t, client), Pay: dies})
	died := make(chan struct{})
	go func() {
		defer close(died)
		deliver(dying, body)
	}()
	<-entered

	handled := 0
	pay := func(context.Context, *model.PayNotice) error { handled++; return nil }
	h := gw.Client().NoticeHandler(daxpay.NoticeHandlers{Store: store(t, client), Pay: pay})
	require.Equal(t, "FAIL", deliver(h, body), "the lease has not ended")
	keys, err := client.Keys(ctx, "daxpay:*:pay:P1:*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	lease := client.PTTL(ctx, keys[0]).Val()
	require.Less(t, lease, 15*time.Second, "the gateway's next delivery comes after 15 seconds, and is the last")
	require.Greater(t, lease, 5*time.Second)
	require.NoError(t, client.PExpire(ctx, keys[0], time.Millisecond).Err())
	gone := func() bool { return client.Exists(ctx, keys[0]).Val() == 0 }
	require.Eventually(t, gone, 10*time.Second, time.Millisecond)
	require.Equal(t, "SUCCESS", deliver(h, body))
	close(leave)
	<-died
	require.Equal(t, "SUCCESS", deliver(h, body))
	require.Equal(t, 1, handled)
}

func deliver(h http.Handler, body []byte) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(body)))
	return w.Body.String()
}

// Each of 200 notices, delivered to four processes, takes effect once.
func TestSeveralProcesses(t *testing.T) {
	address := server(t).Options().Addr
	var stores []daxpay.OnceStore
	for range 4 {
		client := redis.NewClient(&redis.Options{Addr: address})
		t.Cleanup(func() { _ = client.Close() })
		stores = append(stores, store(t, client))
	}
	require.NoError(t, sharetest.Notices(stores, 200))
}

func TestProcessesShareOrders(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address := server(t).Options().Addr
	alone, err := sharetest.Together(ctx, "", 1, 300)
	require.NoError(t, err)
	shared, err := sharetest.Together(ctx, address, 4, 300)
	require.NoError(t, err)
	t.Logf("one process: %d calls; four: %d", alone, shared)
	require.LessOrEqual(t, float64(shared), 1.1*float64(alone))
	require.GreaterOrEqual(t, shared, alone)
}

func TestAKilledProcess(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	took, err := sharetest.Takeover(ctx, server(t).Options().Addr)
	require.NoError(t, err)
	t.Logf("taken over %v after kill -9; the lease is 2 seconds", took)
}

// BenchmarkShare runs four processes for three and a half minutes, and one before that.
func BenchmarkShare(b *testing.B) {
	sharetest.Benchmark(b, server(b).Options().Addr)
}
