package console

import (
	"slices"
	"sync"
)

// hub tells open pages that something on them has changed.
type hub struct {
	mu    sync.Mutex
	pages map[*page]struct{}
}

// page is one that is open.
type page struct {
	topics  []string      // what it shows
	changed chan struct{} // holds one signal: a page that is slow gets one for all that it missed
}

// mostPages bounds how many pages can wait for changes at a time.
const mostPages = 100

// join returns nil if too many pages are open.
func (h *hub) join(topics []string) *page {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pages) >= mostPages {
		return nil
	}
	if h.pages == nil {
		h.pages = make(map[*page]struct{})
	}
	p := &page{topics: topics, changed: make(chan struct{}, 1)}
	h.pages[p] = struct{}{}
	return p
}

func (h *hub) leave(p *page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pages, p)
}

// publish never waits for a page.
func (h *hub) publish(topics ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.pages {
		if slices.ContainsFunc(p.topics, func(t string) bool { return slices.Contains(topics, t) }) {
			select {
			case p.changed <- struct{}{}:
			default:
			}
		}
	}
}
