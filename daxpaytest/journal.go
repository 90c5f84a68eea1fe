package daxpaytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Entry is what has happened at a gateway since the previous entry.
type Entry struct {
	Requests   []Request
	Questions  []Question
	Deliveries []Delivery
	// Rows are the parts of the gateway's state that may have changed. Load restores a gateway from the newest Row of
	// each key.
	Rows []Row
}

// Row is a part of the gateway's state. Its format may differ between versions of this package.
type Row struct {
	Key   string
	Value []byte // JSON; nil if the part was deleted
}

// Question is one operation that the gateway asked the channel for.
type Question struct {
	Began     time.Time // by the gateway's clock
	Took      time.Duration
	Operation Operation
	Number    string // the gateway's number of the order, or the number of the receiver
	TraceID   string // of the request that led to it; empty if the gateway asked by itself
	OK        bool   // the channel did it
	Later     bool   // the channel accepted it, to be done later
	NoAnswer  bool   // the channel broke or answered too late; Msg is the gateway's text for that
	Code, Msg string // of a refusal
}

// WithJournal makes the gateway call write with everything that happens, before it shows: an answer goes out after
// write has returned, and so do methods that set or change something. Entries come one at a time and in order. write
// must not call the gateway. If it fails, the caller gets no answer, and the rows come again with the next entry.
// Default: none.
//
// A program that stores the rows of an entry in one transaction can Load them after a crash and has lost nothing that
// was answered. The rows do not contain the secret, nor the locks of calls that are running.
func WithJournal(write func(Entry) error) Option {
	return func(g *Gateway) { g.write = write }
}

// changes are the keys of rows that may have changed since the last entry; nil without a journal.
type changes map[string]struct{}

func (c changes) row(kind string, id int64) {
	if c != nil && id != 0 {
		c[kind+"/"+strconv.FormatInt(id, 10)] = struct{}{}
	}
}

func (c changes) named(kind, name string) {
	if c != nil {
		c[kind+"/"+name] = struct{}{}
	}
}

// done unlocks the gateway's mutex after a change, and writes the change to the journal.
func (g *Gateway) done() {
	g.mu.Unlock()
	_ = g.commit() // the rows come again with the next entry
}

// commit writes what has happened to the journal, including what other calls have done in the meantime.
func (g *Gateway) commit() error {
	if g.journal == nil {
		if g.mostOrders > 0 {
			g.mu.Lock()
			g.prune()
			g.mu.Unlock()
		}
		return nil
	}
	g.committing.Lock()
	defer g.committing.Unlock()
	g.mu.Lock()
	g.prune()
	e, keys := g.pending, make([]string, 0, len(g.changes))
	g.pending = Entry{}
	for key := range g.changes {
		keys = append(keys, key)
	}
	clear(g.changes)
	slices.Sort(keys)
	var err error
	var noticed map[int64]*notice
	for _, key := range keys {
		row := Row{Key: key}
		if row.Value, err = g.row(key); err != nil {
			break
		}
		e.Rows = append(e.Rows, row)
	}
	if err == nil {
		var rows []Row
		rows, noticed = g.sender.changedRows()
		e.Rows = append(e.Rows, rows...)
	}
	if counters := g.counters(); err == nil && counters != g.counted {
		g.counted = counters
		e.Rows = append(e.Rows, Row{"counters/", encoded(counters)})
	}
	g.mu.Unlock()
	if len(e.Requests)+len(e.Questions)+len(e.Deliveries)+len(e.Rows) == 0 {
		return err
	}
	if err == nil {
		err = g.journal(e)
	}
	if err != nil {
		g.mu.Lock()
		g.counted = counters{}
		for _, key := range keys {
			g.changes[key] = struct{}{}
		}
		g.sender.mark(noticed)
		g.mu.Unlock()
	}
	return err
}

// changedRows returns the notices that have changed, and counts them as unchanged from now on.
func (s *sender) changedRows() ([]Row, map[int64]*notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []Row
	changed := s.changed
	s.changed = make(map[int64]*notice)
	for _, id := range slices.Sorted(maps.Keys(changed)) {
		row := Row{Key: "notice/" + strconv.FormatInt(id, 10)}
		if n := changed[id]; n != nil {
			c := *n
			if c.Body == nil && c.build != nil {
				c.Body = c.build()
			}
			row.Value = encoded(c)
		}
		rows = append(rows, row)
	}
	return rows, changed
}

// mark counts notices as changed again, after the journal could not be written.
func (s *sender) mark(changed map[int64]*notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range changed {
		if _, newer := s.changed[id]; !newer {
			s.changed[id] = n
		}
	}
}

// counters are what a gateway counts. Version keeps other releases from loading the rows.
type counters struct {
	Version, Prefix           string
	Rows, Made, Numbers, Sent int64
}

func (g *Gateway) counters() counters {
	return counters{string(g.version), g.prefix, g.db.Rows, g.made, g.channel.Numbers, g.sender.made.Load()}
}

// rest is the state that seldom changes.
type rest struct {
	Modes     map[Operation]Manner
	Locked    map[string]bool
	Codes     map[string]bool
	LegacyIDs map[string]int64
}

func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil // no row has a value that cannot be encoded
	}
	return b
}

// row returns the value of a part of the state, nil if it was deleted.
func (g *Gateway) row(key string) ([]byte, error) {
	kind, name, _ := strings.Cut(key, "/")
	id, _ := strconv.ParseInt(name, 10, 64)
	var v any
	there := true
	switch kind {
	case string(KindPay):
		v, there = g.db.Payments[id], g.db.Payments[id] != nil
	case string(KindRefund):
		v, there = g.db.Refunds[id], g.db.Refunds[id] != nil
	case string(KindAlloc):
		v, there = g.db.Allocations[id], g.db.Allocations[id] != nil
	case string(KindTransfer):
		t := g.db.transferByID(id)
		v, there = t, t != nil
	case "receiver":
		i := slices.IndexFunc(g.db.Receivers, func(r *receiver) bool { return r.ID == id })
		if there = i >= 0; there {
			v = g.db.Receivers[i]
		}
	case "trade":
		v, there = g.channel.Trades[name], g.channel.Trades[name] != nil
	case "payback":
		v, there = g.channel.Paybacks[name], g.channel.Paybacks[name] != nil
	case "parts":
		v, there = g.channel.Allocations[name], g.channel.Allocations[name] != nil
	case "body":
		v, there = g.bodies[name], g.bodies[name] != nil
	case "settings":
		v = g.settings
	case "rest":
		v = rest{g.channel.Modes, g.locked, g.codes, g.legacyIDs}
	default:
		there = false
	}
	if !there {
		return nil, nil
	}
	return json.Marshal(v)
}

// Load makes a new gateway continue for the one that reported the rows to WithJournal. rows needs the newest Row of
// each key, in any order. The gateway sends the notices that were not sent yet. Its own journal does not get these rows
// again. Load returns an error, and changes nothing, if a row cannot be read, or is from a gateway of another version.
func (g *Gateway) Load(rows []Row) error {
	s := snapshot{Version: string(g.version), Tables: newTables(), Channel: newBook(), Bodies: make(map[string][]byte),
		Settings: g.Settings()}
	var sent int64
	var notices []*notice
	for _, r := range rows {
		if r.Value == nil {
			continue
		}
		if err := s.load(r, &sent, &notices); err != nil {
			return fmt.Errorf("daxpaytest: row %s: %w", r.Key, err)
		}
	}
	if s.Version != string(g.version) {
		return fmt.Errorf("daxpaytest: the rows are of a gateway %s, and this is one of %s", s.Version, g.version)
	}
	slices.SortFunc(notices, func(a, b *notice) int { return int(a.ID - b.ID) })
	for _, n := range notices {
		if n.Sends == 0 && n.Due.IsZero() {
			continue
		}
		s.Notices = append(s.Notices, *n)
	}
	for _, n := range notices {
		if n.Sends == 0 && n.Due.IsZero() {
			s.Notices = append(s.Notices, *n)
			s.Queued++
		}
	}
	s.Sent = sent
	g.mu.Lock()
	g.become(s)
	g.counted = g.counters()
	g.mu.Unlock()
	return nil
}

func (s *snapshot) load(r Row, sent *int64, notices *[]*notice) error {
	kind, name, _ := strings.Cut(r.Key, "/")
	id, _ := strconv.ParseInt(name, 10, 64)
	switch kind {
	case string(KindPay):
		return loadInto(s.Tables.Payments, id, r.Value)
	case string(KindRefund):
		return loadInto(s.Tables.Refunds, id, r.Value)
	case string(KindAlloc):
		return loadInto(s.Tables.Allocations, id, r.Value)
	case string(KindTransfer):
		return loadOnto(&s.Tables.Transfers, r.Value)
	case "receiver":
		return loadOnto(&s.Tables.Receivers, r.Value)
	case "trade":
		return loadInto(s.Channel.Trades, name, r.Value)
	case "payback":
		return loadInto(s.Channel.Paybacks, name, r.Value)
	case "parts":
		var parts []part
		err := json.Unmarshal(r.Value, &parts)
		s.Channel.Allocations[name] = parts
		return err
	case "body":
		var body []byte
		err := json.Unmarshal(r.Value, &body)
		s.Bodies[name] = body
		return err
	case "notice":
		return loadOnto(notices, r.Value)
	case "settings":
		s.Settings = Settings{}
		return json.Unmarshal(r.Value, &s.Settings)
	case "counters":
		var c counters
		err := json.Unmarshal(r.Value, &c)
		s.Version, s.Prefix, s.Tables.Rows = c.Version, c.Prefix, c.Rows
		s.Made, s.Channel.Numbers, *sent = c.Made, c.Numbers, c.Sent
		return err
	case "rest":
		var all rest
		err := json.Unmarshal(r.Value, &all)
		s.Channel.Modes, s.Locked, s.Codes, s.LegacyIDs = filled(all.Modes), all.Locked, all.Codes, all.LegacyIDs
		return err
	}
	return fmt.Errorf("is not known")
}

func loadInto[K comparable, V any](m map[K]*V, key K, value []byte) error {
	v := new(V)
	m[key] = v
	return json.Unmarshal(value, v)
}

func loadOnto[V any](l *[]*V, value []byte) error {
	v := new(V)
	*l = append(*l, v)
	return json.Unmarshal(value, v)
}

// WithOrderLimit bounds the gateway's memory: it keeps at most this many payments, refunds, transfers and allocations
// in all, the newest ones, and forgets open orders last. Notices that are done with have the same limit. Default, also
// for a number below 1: no limit.
func WithOrderLimit(most int) Option {
	return func(g *Gateway) { g.mostOrders = most }
}

// orders returns how many orders there are.
func (t *tables) orders() int {
	return len(t.Payments) + len(t.Refunds) + len(t.Transfers) + len(t.Allocations)
}

// prune forgets orders if there are too many. It forgets several at once, which is cheaper, but few enough that no call
// has to wait for it.
func (g *Gateway) prune() {
	if g.mostOrders < 1 {
		return
	}
	g.sender.prune(g)
	if g.db.orders() <= g.mostOrders {
		return
	}
	now := g.now()
	for key, l := range g.locks {
		if !now.Before(l.until) {
			delete(g.locks, key)
		}
	}
	surplus := g.db.orders() - g.mostOrders + g.mostOrders/500
	for _, open := range []bool{false, true} {
		for _, ref := range g.db.ages {
			if surplus <= 0 {
				break
			}
			if g.isOpen(ref, now.Unix()) == open && g.forget(ref) {
				surplus--
			}
		}
	}
	g.db.dropForgotten()
}

// isOpen reports whether an order can still change.
func (g *Gateway) isOpen(ref orderRef, now int64) bool {
	switch ref.kind {
	case KindPay:
		p := g.db.Payments[ref.id]
		return p != nil && (p.Status == payProgress && (p.ExpiredTime == nil || now < *p.ExpiredTime) ||
			p.Status == refundOpen || p.RefundStatus == refundOpen)
	case KindRefund:
		f := g.db.Refunds[ref.id]
		return f != nil && f.Status == payProgress
	case KindAlloc:
		a := g.db.Allocations[ref.id]
		return a != nil && a.Status == allocProcessing
	case KindTransfer:
		t := g.db.transferByID(ref.id)
		return t != nil && t.Status == transferOpen
	}
	return false
}

// forget deletes an order and what the channel knows of it. It reports whether there was one.
func (g *Gateway) forget(ref orderRef) bool {
	g.changes.row(string(ref.kind), ref.id)
	switch ref.kind {
	case KindPay:
		p := g.db.Payments[ref.id]
		if p == nil {
			return false
		}
		g.forgetTrade(p)
		for _, status := range []string{paySuccess, payClose, payCancel, payFail, refundOpen, refundPartial, refundComplete} {
			g.forgetBody("pay:" + p.OrderNo + status)
		}
		g.db.forget("pay", p.OrderNo, p.BizOrderNo)
		delete(g.db.Payments, ref.id)
	case KindRefund:
		f := g.db.Refunds[ref.id]
		if f == nil {
			return false
		}
		g.changes.named("payback", f.RefundNo)
		delete(g.channel.Paybacks, f.RefundNo)
		g.forgetBody("refund:" + f.RefundNo + paySuccess)
		g.forgetBody("refund:" + f.RefundNo + payClose)
		g.db.forget("refund", f.RefundNo, f.BizRefundNo)
		delete(g.db.Refunds, ref.id)
	case KindAlloc:
		a := g.db.Allocations[ref.id]
		if a == nil {
			return false
		}
		g.changes.named("parts", a.AllocNo)
		delete(g.channel.Allocations, a.AllocNo)
		g.forgetBody("alloc:" + a.AllocNo)
		g.db.forget("alloc", a.AllocNo, a.BizAllocNo)
		delete(g.db.Allocations, ref.id)
	case KindTransfer:
		t := g.db.transferByID(ref.id)
		if t == nil || t.gone {
			return false
		}
		t.gone = true
	}
	return true
}

func (g *Gateway) forgetBody(key string) {
	if _, ok := g.bodies[key]; ok {
		g.changes.named("body", key)
		delete(g.bodies, key)
	}
}

func (t *tables) transferByID(id int64) *transfer {
	i, found := slices.BinarySearchFunc(t.Transfers, id, func(t *transfer, id int64) int { return int(t.ID - id) })
	if !found {
		return nil
	}
	return t.Transfers[i]
}

// dropForgotten removes forgotten orders from the lists.
func (t *tables) dropForgotten() {
	before := len(t.Transfers)
	t.Transfers = slices.DeleteFunc(t.Transfers, func(x *transfer) bool { return x.gone })
	if len(t.Transfers) < before {
		t.transfers = make(map[string][]*transfer, len(t.transfers))
		for _, x := range t.Transfers {
			t.indexTransfer(x)
		}
	}
	t.ages = slices.DeleteFunc(t.ages, func(ref orderRef) bool {
		switch ref.kind {
		case KindPay:
			return t.Payments[ref.id] == nil
		case KindRefund:
			return t.Refunds[ref.id] == nil
		case KindAlloc:
			return t.Allocations[ref.id] == nil
		case KindTransfer:
			return t.transferByID(ref.id) == nil
		}
		return true
	})
}
