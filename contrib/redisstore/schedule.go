package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/reconcile"
)

// Schedule implements reconcile.Schedule, for shops that run several processes, which share the open orders:
//
//	schedule, err := redisstore.NewSchedule(client, redisstore.Options{})
//	r, err := reconcile.New(kit, shop, sink, reconcile.Options{Schedule: schedule})
//
// An order takes about 600 bytes in Redis, until an hour after it is due. An order that Redis loses is looked at sooner
// than planned, and nothing worse happens: Redis may evict keys, and need not persist them.
//
// A Schedule needs Redis 5 or newer, and is safe for concurrent use. Its methods return when their context ends, like
// those of a Store.
type Schedule struct {
	redis  redis.Cmdable
	prefix string
}

var _ reconcile.Schedule = (*Schedule)(nil)

// NewSchedule returns a Schedule. It does not connect. The error says which argument is wrong.
func NewSchedule(client redis.Cmdable, o Options) (*Schedule, error) {
	s, err := New(client, o)
	if err != nil {
		return nil, err
	}
	return &Schedule{redis: s.redis, prefix: s.prefix}, nil
}

// noteKept is how long a note outlives the lease or the pause of its order, in milliseconds.
const noteKept = int64(time.Hour / time.Millisecond)

// An order is a hash: owner, which is "" during a pause; note; and since and free, the times between which nobody else
// gets the order, in milliseconds since 1970. If since is more than a minute from now, the clock was set back, and the
// order is free.

// turn returns whether the owner got the order, and either its note or how long to wait.
var turn = redis.NewScript(`
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local is = redis.call("HMGET", KEYS[1], "owner", "note", "since", "free")
local busy = is[4] and is[1] ~= ARGV[1] and now < tonumber(is[4]) and now >= tonumber(is[3]) - 60000
if busy then return {0, "", tonumber(is[4]) - now} end
redis.call("HSET", KEYS[1], "owner", ARGV[1], "note", is[2] or "",
	"since", string.format("%.0f", now), "free", string.format("%.0f", now + ARGV[2]))
redis.call("PEXPIRE", KEYS[1], ARGV[2] + ARGV[3])
return {1, is[2] or "", 0}`)

// giveBack ends the owner's lease, unless another owner holds the order, and begins the pause.
var giveBack = redis.NewScript(`
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local owner = redis.call("HGET", KEYS[1], "owner")
if owner and owner ~= ARGV[1] then return 0 end
redis.call("HSET", KEYS[1], "owner", "", "note", ARGV[4],
	"since", string.format("%.0f", now), "free", string.format("%.0f", now + ARGV[2]))
redis.call("PEXPIRE", KEYS[1], ARGV[2] + ARGV[3])
return 1`)

// owned is within for an owner, who must have a name: the owner of an order that pauses is "".
func owned[T any](ctx context.Context, owner string, command func() (T, error)) (T, error) {
	if owner == "" {
		var none T
		return none, errors.New("the owner must not be empty")
	}
	return within(ctx, command)
}

// Claim implements reconcile.Schedule.
func (s *Schedule) Claim(ctx context.Context, key, owner string, lease time.Duration) (reconcile.Turn, error) {
	reply, err := owned(ctx, owner, func() ([]any, error) {
		return turn.Run(ctx, s.redis, []string{s.prefix + key}, owner, max(1, lease.Milliseconds()), noteKept).Slice()
	})
	var granted, wait int64
	var note string
	if err == nil {
		granted, note, wait, err = readTurn(reply)
	}
	if err != nil {
		return reconcile.Turn{}, fmt.Errorf("redisstore: claim of an order: %w", err)
	}
	return reconcile.Turn{Granted: granted == 1, Note: note, Wait: time.Duration(wait) * time.Millisecond}, nil
}

func readTurn(reply []any) (granted int64, note string, wait int64, err error) {
	var ok [3]bool
	if len(reply) == 3 {
		granted, ok[0] = reply[0].(int64)
		note, ok[1] = reply[1].(string)
		wait, ok[2] = reply[2].(int64)
	}
	if ok != [3]bool{true, true, true} {
		return 0, "", 0, errors.New("the reply of Redis has an unexpected form")
	}
	return granted, note, wait, nil
}

// Return implements reconcile.Schedule.
func (s *Schedule) Return(ctx context.Context, key, owner, note string, pause time.Duration) error {
	ours, err := owned(ctx, owner, func() (int, error) {
		keys := []string{s.prefix + key}
		return giveBack.Run(ctx, s.redis, keys, owner, max(0, pause.Milliseconds()), noteKept, note).Int()
	})
	if err == nil && ours == 0 {
		err = daxpay.ErrClaimLost
	}
	if err != nil {
		return fmt.Errorf("redisstore: return of an order: %w", err)
	}
	return nil
}
