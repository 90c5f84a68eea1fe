package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/internal/calltable"
	"github.com/daxpay-go/daxpay/model"
)

// remembered is how many events the store remembers: so few that it is full before the first sample, but many more than
// are running at once.
const remembered = 500

// shop is the merchant's side of notices.
type shop struct {
	server      *http.Server
	url         string
	connections atomic.Int64
	problem     func(error)

	mu       sync.Mutex
	open     map[string]*order // by the text n of the call
	handled  int64
	failures int64
}

// order is an order whose notice has not arrived yet.
type order struct {
	kind     model.NoticeKind
	failures int // how often the callback still fails before it handles the notice
}

func openShop(ctx context.Context, kit *daxpay.Client, problem func(error)) (*shop, error) {
	s := &shop{problem: problem, open: make(map[string]*order)}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.url = "http://" + listener.Addr().String()
	handler := kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay:    func(_ context.Context, n *model.PayNotice) error { return s.settle(n) },
		Refund: func(_ context.Context, n *model.RefundNotice) error { return s.settle(n) },
		Alloc:  func(_ context.Context, n *model.AllocNotice) error { return s.settle(n) },
		Store:  daxpay.NewMemoryStore(remembered),
		OnError: func(_ context.Context, err error) {
			var panicked *daxpay.PanicError
			if errors.Is(err, daxpay.ErrNoticeBusy) || errors.Is(err, errDatabase) || errors.As(err, &panicked) {
				return
			}
			problem(fmt.Errorf("a notice was refused: %w", err))
		},
	})
	s.server = &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ConnState: count(&s.connections)}
	go func() {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			problem(err)
		}
	}()
	return s, nil
}

// dropIdle closes the idle connections of a server.
func dropIdle(server *http.Server) {
	server.SetKeepAlivesEnabled(false)
	server.SetKeepAlivesEnabled(true)
}

func (s *shop) close() { _ = s.server.Close() }

// expect says that there will be a notice about n. Some notices fail once or twice before they are handled.
func (s *shop) expect(n string, kind model.NoticeKind) {
	failures := map[byte]int{'7': 1, '8': 2}[n[len(n)-1]]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[n] = &order{kind: kind, failures: failures}
}

var errDatabase = errors.New("the database was busy")

func (s *shop) settle(notice model.Notice) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	number := notice.BizNumber()
	n := strings.TrimLeft(number, "BRA")
	o := s.open[n]
	switch {
	case o == nil:
		s.problem(fmt.Errorf("a notice about %s, which was handled before, or never ordered", number))
		return nil
	case o.kind != notice.Kind():
		s.problem(fmt.Errorf("a %s notice about %s, which is of kind %s", notice.Kind(), number, o.kind))
	case o.failures > 0:
		o.failures--
		s.failures++
		if o.failures == 1 {
			panic(errDatabase)
		}
		return errDatabase
	}
	if err := (daxpay.Expect{BizOrderNo: number, Amount: calltable.Amount(n)}).Check(notice); err != nil {
		s.problem(err)
	}
	delete(s.open, n)
	s.handled++
	return nil
}

// state returns how many notices are expected, were handled, and failed.
func (s *shop) state() (open int, handled, failures int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open), s.handled, s.failures
}
