package daxpay

import (
	"container/list"
	"context"
	"sync"
)

// NoticeState is what a store knows of some news.
type NoticeState int

// The states of news.
const (
	// NoticeClaimed: nobody had it; now the caller has.
	NoticeClaimed NoticeState = iota + 1
	// NoticeBusy: somebody is handling it.
	NoticeBusy
	// NoticeDone: it was handled.
	NoticeDone
)

// NoticeStore remembers which news was handled. A key is kind, number and status of a notice, of a refund or an
// allocation also the time of its end, of an allocation also its result; an owner is one delivery of it.
// It must be safe for concurrent use.
//
// A claim must end by itself when its owner is gone, so that news whose handling was interrupted by a crash is handled when it
// comes again; but not before the callback had its time, 4 seconds.
type NoticeStore interface {
	// Claim gives the news to the owner if nobody else has it and it was not handled, all in one step.
	Claim(ctx context.Context, key, owner string) (NoticeState, error)
	// Done says that the owner handled it. That should be remembered for at least 25 hours, as long as the gateway goes on
	// sending.
	Done(ctx context.Context, key, owner string) error
	// Release says that the owner failed. The next Claim gets it.
	Release(ctx context.Context, key, owner string) error
}

const defaultStoreSize = 100_000

// NewMemoryStore returns a store for one process. It remembers the latest size keys that were handled; 0 is 100,000, about
// 20 MB. What was claimed when the process dies was not handled as far as the next one knows.
func NewMemoryStore(size int) NoticeStore {
	if size <= 0 {
		size = defaultStoreSize
	}
	return &memoryStore{size: size, claims: make(map[string]string), done: make(map[string]struct{})}
}

type memoryStore struct {
	size int

	mu     sync.Mutex
	claims map[string]string // key → owner
	done   map[string]struct{}
	order  list.List // of the keys in done, oldest first
}

func (s *memoryStore) Claim(_ context.Context, key, owner string) (NoticeState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.done[key]; ok {
		return NoticeDone, nil
	}
	if holder, ok := s.claims[key]; ok && holder != owner {
		return NoticeBusy, nil
	}
	s.claims[key] = owner
	return NoticeClaimed, nil
}

func (s *memoryStore) Done(_ context.Context, key, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims[key] != owner {
		return nil
	}
	delete(s.claims, key)
	s.done[key] = struct{}{}
	s.order.PushBack(key)
	for s.order.Len() > s.size {
		oldest, _ := s.order.Remove(s.order.Front()).(string)
		delete(s.done, oldest)
	}
	return nil
}

func (s *memoryStore) Release(_ context.Context, key, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims[key] == owner {
		delete(s.claims, key)
	}
	return nil
}
