package daxpay

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"
)

// ClaimState is the state of a key, as OnceStore.Claim returns it. The zero value is none of them.
type ClaimState int

// The states of a key.
const (
	// ClaimGranted: the key was free, or the owner held it already. The owner now holds it.
	ClaimGranted ClaimState = iota + 1
	// ClaimBusy: another owner holds it.
	ClaimBusy
	// ClaimDone: it is done, whichever owner did it.
	ClaimDone
)

// OnceStore lets one owner at a time handle what a key stands for, and none once it is done. The client uses one for
// the events of notices (NoticeHandlers.Store) and one for calls that must be sent only once (Config.OnceStore). One
// store can serve several handlers, clients and processes. NewMemoryStore returns one for a single process;
// contrib/redisstore and contrib/sqlstore are for several. To write your own, run daxpaytest/storetest against it.
//
// A key has at most 255 bytes and an owner at most 64, all of them printable ASCII. Keys are case-sensitive. Two
// deliveries of an event have the same key and different owners.
//
// Every method must be safe for concurrent use, take effect completely or not at all, and be harmless when repeated.
// After an error the caller does not know whether it took effect. Methods should return soon after their context ends.
type OnceStore interface {
	// Claim gives the key to the owner if it is free: if it was never claimed, its claim was released, its lease has
	// ended, or it was done and need not be remembered any longer. If the owner holds the key already, the lease starts
	// again.
	//
	// A lease frees the key when its owner has died. A lease of 0 does not end: only Done, Release and Forget then end
	// the claim. A store that cannot keep such a claim must return an error.
	Claim(ctx context.Context, key, owner string, lease time.Duration) (ClaimState, error)
	// Done marks the key as done, and keeps that for at least the time remember, or for good if it is 0. It does so
	// even if the owner's claim is gone, as long as the key is free, such as after a lost lease or after the store lost
	// its data. If another owner holds the key or marked it as done, Done changes nothing and returns an error that is
	// ErrClaimLost.
	Done(ctx context.Context, key, owner string, remember time.Duration) error
	// Release ends the owner's claim and frees the key. It does nothing if the owner does not hold the key, or has
	// marked it as done.
	Release(ctx context.Context, key, owner string) error
	// Forget frees the key whatever its state and owner. The client calls it only for ForgetTransfer and ForgetOnce.
	Forget(ctx context.Context, key string) error
}

// StoreChecker is implemented by an OnceStore that can check whether it keeps what it is given. Client.Doctor asks the
// store in Config.OnceStore.
type StoreChecker interface {
	// CheckStore returns an error that says how the store could lose a claim, such as by an eviction policy, or why it
	// does not work. It changes nothing.
	CheckStore(ctx context.Context) error
}

var (
	// ErrClaimLost is the error of OnceStore.Done if the lease ended and another owner took the key: both may have
	// handled the event.
	ErrClaimLost = errors.New("daxpay: the claim was lost: another owner holds it or finished it")
	// ErrStoreFull is the error of OnceStore.Claim and Done if the store would have to forget a key that it must keep.
	ErrStoreFull = errors.New("daxpay: the store is full")
)

const defaultStoreSize = 100_000

// NewMemoryStore returns a store for one process; it loses everything when the process ends. It holds at most size
// keys; 0 means 100,000, which take about 25 MB. When it is full, it forgets the done key that would expire first. It
// never forgets a claim before its lease ends, nor a key that was claimed or done for good: if nothing else is left to
// forget, Claim and Done return an error that is ErrStoreFull.
func NewMemoryStore(size int) OnceStore {
	if size <= 0 {
		size = defaultStoreSize
	}
	return &memoryStore{size: size, entries: make(map[string]*entry)}
}

type memoryStore struct {
	size int

	mu      sync.Mutex
	entries map[string]*entry
	claims  byExpiry // entries with an expiry that are not done
	done    byExpiry // entries with an expiry that are done
}

// entry is a key that is claimed or done, perhaps no longer: see expired.
type entry struct {
	key, owner string
	done       bool
	expires    time.Time // zero: never
	place      int       // in claims or done
}

func (e *entry) expired(now time.Time) bool { return !e.expires.IsZero() && !now.Before(e.expires) }

func (s *memoryStore) Claim(_ context.Context, key, owner string, lease time.Duration) (ClaimState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch e := s.at(key, now); {
	case e == nil || !e.done && e.owner == owner:
		return ClaimGranted, s.put(entry{key: key, owner: owner}, lease, now)
	case e.done:
		return ClaimDone, nil
	}
	return ClaimBusy, nil
}

func (s *memoryStore) Done(_ context.Context, key, owner string, remember time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if e := s.at(key, now); e != nil && e.owner != owner {
		return ErrClaimLost
	}
	return s.put(entry{key: key, owner: owner, done: true}, remember, now)
}

func (s *memoryStore) Release(_ context.Context, key, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[key]; e != nil && e.owner == owner && !e.done {
		s.remove(e)
	}
	return nil
}

func (s *memoryStore) Forget(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[key]; e != nil {
		s.remove(e)
	}
	return nil
}

// at returns the entry of the key, nil if it is free.
func (s *memoryStore) at(key string, now time.Time) *entry {
	e := s.entries[key]
	if e != nil && e.expired(now) {
		s.remove(e)
		return nil
	}
	return e
}

// put adds the entry or replaces the one with the same key.
func (s *memoryStore) put(e entry, life time.Duration, now time.Time) error {
	if life > 0 {
		e.expires = now.Add(life)
	}
	if old := s.entries[e.key]; old != nil {
		s.remove(old)
	} else if !s.makeRoom(now) {
		return ErrStoreFull
	}
	s.entries[e.key] = &e
	if !e.expires.IsZero() {
		heap.Push(s.queue(&e), &e)
	}
	return nil
}

// makeRoom removes expired entries and, if the store is still full, the done key that would expire first. It reports
// whether there is room for one more.
func (s *memoryStore) makeRoom(now time.Time) bool {
	for _, queue := range []*byExpiry{&s.claims, &s.done} {
		for len(*queue) > 0 && (*queue)[0].expired(now) {
			s.remove((*queue)[0])
		}
	}
	if len(s.entries) >= s.size && len(s.done) > 0 {
		s.remove(s.done[0])
	}
	return len(s.entries) < s.size
}

func (s *memoryStore) remove(e *entry) {
	delete(s.entries, e.key)
	if !e.expires.IsZero() {
		heap.Remove(s.queue(e), e.place)
	}
}

func (s *memoryStore) queue(e *entry) *byExpiry {
	if e.done {
		return &s.done
	}
	return &s.claims
}

// byExpiry implements heap.Interface: the entry that expires first is at 0.
type byExpiry []*entry

func (q byExpiry) Len() int           { return len(q) }
func (q byExpiry) Less(i, j int) bool { return q[i].expires.Before(q[j].expires) }

func (q byExpiry) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *byExpiry) Push(x any) {
	e, _ := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *byExpiry) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
