// Package redisstore is a daxpay.NoticeStore in Redis, for merchants whose notice handler runs in several processes.
//
//	store, err := redisstore.New(redis.NewClient(&redis.Options{Addr: "localhost:6379"}), redisstore.Options{})
//	http.Handle("/notify", kit.NoticeHandler(daxpay.NoticeHandlers{Store: store, Pay: onPay}))
//
// News that a process claimed and did not finish, because it crashed or lost Redis, can be claimed again when the lease ends, so
// the gateway's next delivery is handled. That makes the callback run at least once, and at most once unless a process died, or
// lost Redis, between storing the news and telling Redis: the callback's own transaction must see to that case. Test and
// production on one Redis need different prefixes.
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
	// Prefix stands before every key. Default: "daxpay:notice:".
	Prefix string
	// Lease is how long a claim lasts if nobody says that it is done. It must be longer than a callback takes, which is 4 seconds if
	// it minds its context. Default: 30 seconds; at least 5.
	Lease time.Duration
	// Remember is for how long news that was handled is known. Default: 49 hours; at least 25, because the gateway goes on sending
	// for 24.
	Remember time.Duration
}

const (
	defaultPrefix   = "daxpay:notice:"
	defaultLease    = 30 * time.Second
	leastLease      = 5 * time.Second
	defaultRemember = 49 * time.Hour
	leastRemember   = 25 * time.Hour
)

// done stands before the owner in the value of a key whose news was handled. No owner starts with it: owners are hex digits.
const done = "done:"

// Store implements daxpay.NoticeStore. It is safe for concurrent use.
type Store struct {
	redis redis.Cmdable
	Options
}

var _ daxpay.NoticeStore = (*Store)(nil)

// New returns a store. It does not connect yet. Its error says which option is wrong.
func New(client redis.Cmdable, o Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("redisstore: the Redis client must not be nil")
	}
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.Lease == 0 {
		o.Lease = defaultLease
	}
	if o.Remember == 0 {
		o.Remember = defaultRemember
	}
	var faults []error
	if o.Lease < leastLease {
		faults = append(faults, fmt.Errorf("redisstore: Options.Lease must be at least %v: a callback may take 4 seconds", leastLease))
	}
	if o.Remember < leastRemember {
		faults = append(faults, fmt.Errorf("redisstore: Options.Remember must be at least %v: the gateway goes on sending for 24 hours", leastRemember))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Store{redis: client, Options: o}, nil
}

// claim sets the owner if the key is free, and tells else what is there, in one step.
var claim = redis.NewScript(`
if redis.call("SET", KEYS[1], ARGV[1], "NX", "PX", ARGV[2]) then return "" end
return redis.call("GET", KEYS[1])`)

// finish marks the owner's own claim as done; after the lease, another may have one. It can be run again, because a client may
// do so when a reply is lost.
var finish = redis.NewScript(`
local holder = redis.call("GET", KEYS[1])
if holder == ARGV[2] then return 1 end
if holder ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
return 1`)

var release = redis.NewScript(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("DEL", KEYS[1])`)

// Claim implements daxpay.NoticeStore.
func (s *Store) Claim(ctx context.Context, key, owner string) (daxpay.NoticeState, error) {
	holder, err := claim.Run(ctx, s.redis, []string{s.Prefix + key}, owner, s.Lease.Milliseconds()).Text()
	switch {
	case err != nil:
		return 0, fmt.Errorf("redisstore: claim: %w", err)
	case holder == "" || holder == owner: // its own: the reply to an earlier try was lost
		return daxpay.NoticeClaimed, nil
	case strings.HasPrefix(holder, done):
		return daxpay.NoticeDone, nil
	}
	return daxpay.NoticeBusy, nil
}

// Done implements daxpay.NoticeStore. It is an error if the lease ended before: another delivery may have been handled meanwhile.
func (s *Store) Done(ctx context.Context, key, owner string) error {
	ours, err := finish.Run(ctx, s.redis, []string{s.Prefix + key}, owner, done+owner, s.Remember.Milliseconds()).Int()
	if err != nil {
		return fmt.Errorf("redisstore: done: %w", err)
	}
	if ours == 0 {
		return errors.New("redisstore: done: the lease ended before the callback did; make Options.Lease longer")
	}
	return nil
}

// Release implements daxpay.NoticeStore.
func (s *Store) Release(ctx context.Context, key, owner string) error {
	if err := release.Run(ctx, s.redis, []string{s.Prefix + key}, owner).Err(); err != nil {
		return fmt.Errorf("redisstore: release: %w", err)
	}
	return nil
}
