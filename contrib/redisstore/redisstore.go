// Package redisstore is a daxpay.OnceStore in Redis, for merchants whose program runs in several processes.
//
//	store, err := redisstore.New(redis.NewClient(&redis.Options{Addr: "localhost:6379"}), redisstore.Options{})
//	http.Handle("/notify", kit.NoticeHandler(daxpay.NoticeHandlers{Store: store, Pay: onPay}))
//
// An event that a process claimed and did not finish, because it crashed or lost Redis, can be claimed again when the
// lease ends, so the gateway's next delivery is handled. That makes the callback run at least once, and at most once
// unless a process died, or lost Redis, between storing the event and telling Redis: the callback's own transaction
// must see to that case. Test and production on one Redis need different prefixes.
//
// Redis must keep what the store writes: maxmemory-policy noeviction, and append-only files if it must survive a
// restart. After an eviction, FLUSHALL or a failover that lost writes, what was claimed or finished is free again.
// Claims and marks without an end have no TTL. CheckStore, which Client.Doctor calls, says if Redis is set otherwise.
//
// The store's methods return when their context ends, whatever options the Redis client has. A command that waits
// then goes on until the client's own timeouts end it, so a claim may be made after its caller was told of an error:
// Release it.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/daxpay-go/daxpay"
)

// Options change a Store. The zero value of a field stands for its default.
type Options struct {
	// Prefix stands before every key. Default: "daxpay:".
	Prefix string
}

const defaultPrefix = "daxpay:"

// One of these stands before the owner in the value of a key.
const (
	held = "held:"
	done = "done:"
)

// Store implements daxpay.OnceStore. It is safe for concurrent use. Make it with New.
type Store struct {
	redis  redis.Cmdable
	prefix string
}

var _ daxpay.OnceStore = (*Store)(nil)

// New returns a store. It does not connect yet. Its error says which argument is wrong.
func New(client redis.Cmdable, o Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("redisstore: the Redis client must not be nil")
	}
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	return &Store{redis: client, prefix: o.Prefix}, nil
}

// Redis runs a script in one step. Each can be run again, because a client does so when a reply is lost. A life of 0
// has no end.

// claim sets the owner if the key is free or the owner's, and tells else what is there.
var claim = redis.NewScript(`
local holder = redis.call("GET", KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
if ARGV[2] == "0" then redis.call("SET", KEYS[1], ARGV[1]) else redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2]) end
return ""`)

// finish marks a key that is the owner's, was finished by the owner, or is free.
var finish = redis.NewScript(`
local holder = redis.call("GET", KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[2] then return 0 end
if ARGV[3] == "0" then redis.call("SET", KEYS[1], ARGV[2]) else redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3]) end
return 1`)

var release = redis.NewScript(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("DEL", KEYS[1])`)

// Claim implements daxpay.OnceStore.
func (s *Store) Claim(ctx context.Context, key, owner string, lease time.Duration) (daxpay.ClaimState, error) {
	holder, err := within(ctx, func() (string, error) {
		return claim.Run(ctx, s.redis, []string{s.prefix + key}, held+owner, milliseconds(lease)).Text()
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("redisstore: claim: %w", err)
	case holder == "":
		return daxpay.ClaimGranted, nil
	case strings.HasPrefix(holder, done):
		return daxpay.ClaimDone, nil
	}
	return daxpay.ClaimBusy, nil
}

// Done implements daxpay.OnceStore.
func (s *Store) Done(ctx context.Context, key, owner string, remember time.Duration) error {
	ours, err := within(ctx, func() (int, error) {
		return finish.Run(ctx, s.redis, []string{s.prefix + key}, held+owner, done+owner, milliseconds(remember)).Int()
	})
	if err == nil && ours == 0 {
		err = daxpay.ErrClaimLost
	}
	if err != nil {
		return fmt.Errorf("redisstore: done: %w", err)
	}
	return nil
}

// Release implements daxpay.OnceStore.
func (s *Store) Release(ctx context.Context, key, owner string) error {
	_, err := within(ctx, func() (any, error) {
		return release.Run(ctx, s.redis, []string{s.prefix + key}, held+owner).Result()
	})
	if err != nil {
		return fmt.Errorf("redisstore: release: %w", err)
	}
	return nil
}

// Forget implements daxpay.OnceStore.
func (s *Store) Forget(ctx context.Context, key string) error {
	_, err := within(ctx, func() (int64, error) { return s.redis.Del(ctx, s.prefix+key).Result() })
	if err != nil {
		return fmt.Errorf("redisstore: forget: %w", err)
	}
	return nil
}

// milliseconds is what Redis is told of a life: at least 1 unless it has no end.
func milliseconds(life time.Duration) int64 {
	if life <= 0 {
		return 0
	}
	return max(1, life.Milliseconds())
}

// within returns when the context ends, even if the command does not: go-redis waits for its own timeouts, again and
// again, unless Options.ContextTimeoutEnabled is set.
func within[T any](ctx context.Context, command func() (T, error)) (T, error) {
	type reply struct {
		value T
		err   error
	}
	replies := make(chan reply, 1)
	go func() {
		value, err := command()
		replies <- reply{value, err}
	}()
	select {
	case r := <-replies:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
