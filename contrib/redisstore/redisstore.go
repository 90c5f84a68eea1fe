// Package redisstore implements daxpay.OnceStore in Redis, for programs that run in several processes.
//
//	store, err := redisstore.New(redis.NewClient(&redis.Options{Addr: "localhost:6379"}), redisstore.Options{})
//	http.Handle("/notify", kit.NoticeHandler(daxpay.NoticeHandlers{Store: store, Pay: onPay}))
//
// If a process claims an event and does not finish it, because it crashes or loses Redis, the event becomes free when
// the lease ends, and the gateway's next delivery is handled. So the callback runs at least once. It runs again only if
// a process dies, or loses Redis, after the callback has stored the event and before Redis has: the callback's own
// transaction must allow for that. If test and production share a Redis, give them different prefixes.
//
// Redis must keep what the store writes: set maxmemory-policy to noeviction, and switch on the append-only file if
// claims must survive a restart. An eviction, FLUSHALL or a failover that loses writes frees what was claimed or
// finished. Claims and marks that never expire have no TTL. CheckStore, which Client.Doctor calls, says if Redis is set
// up differently.
//
// Every method returns when its context ends, whatever options the Redis client has. A command that is still waiting
// goes on until the client's own timeouts end it, so a claim can be made after Claim has returned an error: call
// Release.
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

// Options configure a Store or a Schedule. The zero value of a field means its default.
type Options struct {
	// Prefix begins every key. Default: "daxpay:".
	Prefix string
}

const defaultPrefix = "daxpay:"

// The value of a key is one of these, followed by the owner.
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

// New returns a Store. It does not connect. The error says which argument is wrong.
func New(client redis.Cmdable, o Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("redisstore: the Redis client must not be nil")
	}
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	return &Store{redis: client, prefix: o.Prefix}, nil
}

// Redis runs a script atomically. The client runs one again when a reply is lost, so a second run must do no harm. A
// lifetime of 0 never ends.

// claim gives the key to the owner if it is free or the owner's; otherwise it returns the value.
var claim = redis.NewScript(`
local holder = redis.call("GET", KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
if ARGV[2] == "0" then redis.call("SET", KEYS[1], ARGV[1]) else redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2]) end
return ""`)

// finish marks the key as done if it is free, or was claimed or finished by the owner.
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

// milliseconds converts a lifetime: to 0 if it never ends, otherwise to at least 1.
func milliseconds(life time.Duration) int64 {
	if life <= 0 {
		return 0
	}
	return max(1, life.Milliseconds())
}

// within returns when the context ends, even if the command does not: unless Options.ContextTimeoutEnabled is set,
// go-redis waits for its own timeout in every attempt.
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
