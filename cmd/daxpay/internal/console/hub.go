package console

import (
	"maps"
	"slices"
	"sync"
)

// hub tells open pages what has changed.
type hub struct {
	mu    sync.Mutex
	pages map[*page]struct{}
}

// page is one that is open. Its topics wait until it fetches them.
type page struct {
	mu     sync.Mutex
	topics map[string]bool
	ready  chan struct{}
}

// mostPages bounds how many pages can wait for changes at a time.
const mostPages = 100

// join returns nil if too many pages are open.
func (h *hub) join() *page {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pages) >= mostPages {
		return nil
	}
	if h.pages == nil {
		h.pages = make(map[*page]struct{})
	}
	p := &page{topics: make(map[string]bool), ready: make(chan struct{}, 1)}
	h.pages[p] = struct{}{}
	return p
}

func (h *hub) leave(p *page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pages, p)
}

// publish never waits for a page.
func (h *hub) publish(topics map[string]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.pages {
		p.mu.Lock()
		if len(p.topics) < 200 {
			maps.Copy(p.topics, topics)
		}
		p.mu.Unlock()
		select {
		case p.ready <- struct{}{}:
		default:
		}
	}
}

// take returns what has changed since it was last called.
func (p *page) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Sorted(maps.Keys(p.topics))
	clear(p.topics)
	return list
}
