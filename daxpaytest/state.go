package daxpaytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// snapshot is the whole state of a gateway, without the requests that it has received.
type snapshot struct {
	Version   string
	Settings  Settings
	Tables    *tables
	Channel   *book
	Locks     map[string]lockState
	Locked    map[string]bool
	Codes     map[string]bool
	Bodies    map[string][]byte
	LegacyIDs map[string]int64
	Prefix    string
	Made      int64
	Sent      int64 // how many notices there ever were
	Notices   []notice
	Queued    int // how many of Notices, at its end, are still to be sent
}

type lockState struct {
	Token int64
	Until time.Time
}

// Snapshot returns the state of the gateway as JSON: orders, channel, settings and notices. It contains neither the
// secret nor the requests. Calls that are running do not continue in a gateway that restores it. WithJournal reports
// changes of the state instead.
func (g *Gateway) Snapshot() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := snapshot{
		Version: string(g.version), Settings: g.settings, Tables: g.db, Channel: g.channel,
		Locked: g.locked, Codes: g.codes,
		Bodies: g.bodies, LegacyIDs: g.legacyIDs, Prefix: g.prefix, Made: g.made, Sent: g.sender.made.Load(),
		Locks: make(map[string]lockState),
	}
	for key, l := range g.locks {
		s.Locks[key] = lockState{l.token, l.until}
	}
	g.sender.mu.Lock()
	defer g.sender.mu.Unlock()
	for _, n := range g.sender.sent {
		s.Notices = append(s.Notices, *n)
	}
	for _, n := range g.sender.queue {
		if n.Sends > 0 {
			continue // it is in sent
		}
		waiting := *n
		if waiting.Body == nil && waiting.build != nil {
			waiting.Body = waiting.build()
		}
		s.Notices = append(s.Notices, waiting)
		s.Queued++
	}
	return json.Marshal(s)
}

// Restore replaces the state of the gateway by a snapshot. It returns an error, and changes nothing, if the snapshot
// cannot be read or is from a gateway of another version.
func (g *Gateway) Restore(state []byte) error {
	s := snapshot{Tables: newTables(), Channel: newBook()}
	if err := json.Unmarshal(state, &s); err != nil {
		return fmt.Errorf("daxpaytest: %w", err)
	}
	if s.Version != string(g.version) {
		return fmt.Errorf("daxpaytest: the snapshot is of a gateway %s, and this is one of %s", s.Version, g.version)
	}
	if s.Tables == nil || s.Channel == nil || s.Queued > len(s.Notices) {
		return fmt.Errorf("daxpaytest: the snapshot is not whole")
	}
	g.mu.Lock()
	defer g.done()
	g.touchAll()
	g.become(s)
	g.touchAll()
	return nil
}

// become replaces the state of the gateway.
func (g *Gateway) become(s snapshot) {
	s.Tables.index()
	g.settings = s.Settings
	g.resends.Store(s.Settings.Resends)
	s.Tables.changes = g.changes
	g.db, g.channel, g.made = s.Tables, s.Channel, s.Made
	if s.Prefix != "" {
		g.prefix = s.Prefix
	}
	g.locked, g.codes, g.bodies, g.legacyIDs = filled(s.Locked), filled(s.Codes), filled(s.Bodies), filled(s.LegacyIDs)
	g.locks = make(map[string]lock)
	for key, l := range s.Locks {
		g.locks[key] = lock{l.Token, l.Until}
	}
	g.sender.mu.Lock()
	first := len(s.Notices) - s.Queued
	for _, old := range slices.Concat(g.sender.sent, g.sender.queue) {
		if g.sender.changed != nil {
			g.sender.changed[old.ID] = nil
		}
	}
	g.sender.sent, g.sender.queue = nil, nil
	g.sender.made.Store(s.Sent)
	for i := range s.Notices[:first] {
		g.sender.sent = append(g.sender.sent, &s.Notices[i])
	}
	g.sender.arm(g)
	g.sender.mu.Unlock()
	for i := range s.Notices[first:] {
		g.sender.enqueue(g, &s.Notices[first+i])
	}
}

// touchAll counts the whole state as changed.
func (g *Gateway) touchAll() {
	for _, ref := range g.db.ages {
		g.changes.row(string(ref.kind), ref.id)
	}
	for _, r := range g.db.Receivers {
		g.changes.row("receiver", r.ID)
	}
	for no := range g.channel.Trades {
		g.changes.named("trade", no)
	}
	for no := range g.channel.Paybacks {
		g.changes.named("payback", no)
	}
	for no := range g.channel.Allocations {
		g.changes.named("parts", no)
	}
	for key := range g.bodies {
		g.changes.named("body", key)
	}
	g.changes.named("settings", "")
	g.changes.named("rest", "")
	g.sender.mu.Lock()
	defer g.sender.mu.Unlock()
	for _, n := range g.sender.sent {
		g.sender.touch(n)
	}
}

func filled[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return m
}
