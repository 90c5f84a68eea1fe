package reconcile

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/follow"
	"github.com/daxpay-go/daxpay/internal/guard"
)

// Schedule is where several processes store when each open order is looked at next, and which of them is looking at it
// now. contrib/redisstore and contrib/sqlstore have one each. To write your own, run daxpaytest/storetest.TestSchedule
// against it.
//
// An order is either free, held by an owner, or pausing until the next look. An unknown order is free. Only the clock
// of the schedule counts, so the clocks of the processes do not matter. If that clock is set back by more than a
// minute, no order may have to wait for it to catch up: the orders become free.
//
// A key has at most 255 bytes, an owner at most 64 and a note at most 1,000, all of them printable ASCII. Keys are
// case-sensitive.
//
// Every method must be safe for concurrent use and take effect completely or not at all. After an error the caller does
// not know whether it took effect. Methods should return soon after their context ends.
type Schedule interface {
	// Claim gives the order to the owner if it is free. The owner holds it until Return, or until the lease ends. If
	// the owner holds the order already, the lease starts again.
	Claim(ctx context.Context, key, owner string, lease time.Duration) (Turn, error)
	// Return gives back an order that the owner holds. The order pauses for a time, 0 for none, and is then free. The
	// note is kept for at least an hour after the order has become free, and for as long as it is held after that.
	//
	// It does the same if the lease has ended, or the schedule has lost the order, as long as no one has claimed it
	// since. Otherwise it changes nothing and returns an error that is daxpay.ErrClaimLost.
	Return(ctx context.Context, key, owner, note string, pause time.Duration) error
}

// Turn is the result of Schedule.Claim.
type Turn struct {
	Granted bool          // the owner holds the order now
	Note    string        // if granted: the note of the latest Return, "" for none
	Wait    time.Duration // if not granted: how long until the order is free, as far as is known
}

const (
	// scheduleTimeout limits each request to the schedule.
	scheduleTimeout = 2 * time.Second
	// settledFor is how long an order that the sink has taken is withheld from other processes, whose lists may still
	// have it.
	settledFor = time.Hour
	// skew is how far in the future a note may be, by this process's clock.
	skew = time.Minute
)

// ScheduleError says that Options.Schedule failed. The process then works alone, so several processes may look at an
// order. Err is what the schedule returned, or a *daxpay.PanicError.
type ScheduleError struct{ Err error }

func (e *ScheduleError) Error() string { return "reconcile: the schedule: " + e.Err.Error() }

// Unwrap returns Err.
func (e *ScheduleError) Unwrap() error { return e.Err }

// shared is a schedule in use.
type shared struct {
	Schedule
	scope string // start of every key, stands for the gateway
	owner string

	mu       sync.Mutex
	failures int       // in a row
	down     time.Time // the schedule is not asked before that
}

func newShared(s Schedule, client *daxpay.Client) *shared {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it cannot fail on the systems that Go supports, and ends the program if it does
	gateway := sha256.Sum256([]byte(client.StoreName()))
	return &shared{
		Schedule: s, scope: hex.EncodeToString(gateway[:8]) + ":reconcile:", owner: hex.EncodeToString(random[:]),
	}
}

var plainNumber = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,128}$`)

// key contains Order.Made, so that an order that is sent again starts anew.
func (s *shared) key(o Order) string {
	no := o.No
	if !plainNumber.MatchString(no) {
		sum := sha256.Sum256([]byte(no))
		no = "#" + hex.EncodeToString(sum[:16])
	}
	return s.scope + string(o.Kind) + ":" + no + ":" + strconv.FormatInt(o.Made.UnixMilli(), 10)
}

func (s *shared) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.down)
}

// within runs one request to the schedule. It does not wait for a schedule that ignores its context.
func within(ctx context.Context, ask guard.Func) error {
	return panicOr(guard.Within(ctx, scheduleTimeout, ask))
}

// answered records whether the schedule answered. After a failure it is not asked for a while.
func (r *looker) answered(ctx context.Context, o Order, err error) {
	s := r.shared
	s.mu.Lock()
	if err == nil {
		s.failures = 0
	} else {
		s.failures++
		s.down = time.Now().Add(doubled(r.options.RetryAfter, s.failures-1, max(r.options.RetryAfter, slowest)))
	}
	s.mu.Unlock()
	if err != nil {
		r.count(func(s *Stats) { s.ScheduleErrors++ })
		r.log(ctx, slog.LevelWarn, "schedule failed", o.Kind)
		r.report(o, &ScheduleError{Err: err})
	}
}

// claim claims the order from the schedule, or renews the claim. It returns false if another process has the order, and
// sets job.wait. If the schedule fails, the process works alone: it is better that several processes look at an order
// than that none does.
func (r *looker) claim(ctx context.Context, j *job) bool {
	s := r.shared
	if s == nil || s.isDown() {
		j.held = time.Time{}
		return true
	}
	asked := time.Now()
	turns := make(chan Turn, 1)
	// A granted claim must be given back, so claim waits for the answer even if the context ends.
	err := within(context.WithoutCancel(ctx), func(ctx context.Context) error {
		turn, err := s.Claim(ctx, s.key(j.order), s.owner, r.options.Lease)
		turns <- turn
		return err
	})
	r.answered(ctx, j.order, err)
	if err != nil {
		j.held = time.Time{}
		return true
	}
	turn := <-turns
	if !turn.Granted {
		j.held, j.wait = time.Time{}, min(max(turn.Wait, time.Millisecond), r.options.Ceiling)
		r.count(func(s *Stats) { s.Yielded++ })
		return false
	}
	if j.held.IsZero() {
		r.adopt(j, turn.Note)
	}
	j.held = asked.Add(r.options.Lease)
	return true
}

// keep renews the claim, if needed, for the next step of a look, which takes at most half a lease. It returns false if
// another process has the order.
func (r *looker) keep(ctx context.Context, j *job) bool {
	return j.held.IsZero() || time.Until(j.held) > r.options.Lease/2 || r.claim(ctx, j)
}

// giveBack tells the schedule when the order is due again, even if the context has ended.
func (r *looker) giveBack(ctx context.Context, j *job, what outcome, pause time.Duration) {
	if j.held.IsZero() || what == yielded || r.shared.isDown() {
		return
	}
	ctx = context.WithoutCancel(ctx)
	note := j.note()
	if what == taken { // a process that still lists it after that starts anew
		note, pause = "", settledFor
	}
	err := within(ctx, func(ctx context.Context) error {
		return r.shared.Return(ctx, r.shared.key(j.order), r.shared.owner, note, max(pause, 0))
	})
	if errors.Is(err, daxpay.ErrClaimLost) {
		err = nil // the other process's note counts
	}
	r.answered(ctx, j.order, err)
}

// note is the state of an order between two looks, for the process that makes the next one.
type note struct {
	Version  int                     `json:"v"`
	Sent     int64                   `json:"sent"` // Order.Made, in milliseconds since 1970
	Made     int64                   `json:"made"` // state.made, in nanoseconds since 1970
	Looks    uint64                  `json:"looks"`
	Failures int                     `json:"failures,omitempty"`
	Told     daxpay.UnresolvedReason `json:"told,omitempty"`
	Late     bool                    `json:"late,omitempty"`
	Until    int64                   `json:"until,omitempty"` // in milliseconds since 1970
	Follow   follow.Memory           `json:"follow"`
}

// noteVersion is the version of notes that this release writes and reads. It ignores notes of other versions, as if the
// process had just started.
const noteVersion = 1

func (j *job) note() string {
	n := note{
		Version: noteVersion, Sent: j.order.Made.UnixMilli(), Made: j.made.UnixNano(), Looks: j.looks, Failures: j.failures,
		Told: j.told, Late: j.late, Follow: j.follow.Memory,
	}
	if !j.until.IsZero() {
		n.Until = j.until.UnixMilli()
	}
	text, err := json.Marshal(n)
	if err != nil {
		return ""
	}
	return string(text)
}

// adopt takes over a note, unless it is about an earlier send of the order, or this process knows more.
func (r *looker) adopt(j *job, text string) {
	var n note
	if text == "" || json.Unmarshal([]byte(text), &n) != nil || n.Version != noteVersion ||
		n.Sent != j.order.Made.UnixMilli() || n.Looks < j.looks {
		return
	}
	now := r.options.Now()
	made := time.Unix(0, n.Made)
	if made.After(now.Add(skew)) {
		return
	}
	if j.order.Made.After(made) { // Order.Made was in the future when the order was first listed
		j.made = made
	}
	j.looks, j.failures, j.told, j.late = n.Looks, n.Failures, n.Told, n.Late || j.late
	if n.Until != 0 {
		j.until = time.UnixMilli(n.Until)
	}
	if n.Follow.SyncedAt <= now.Sub(j.made)+skew { // else the clock of that process was wrong, or ours is
		j.follow.Memory = n.Follow
	}
}
