package console

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/daxpay-go/daxpay/daxpaytest"
)

// kind is what an event is.
type kind string

const (
	kindCall    kind = "call"    // a request of the merchant, and the answer
	kindAsk     kind = "ask"     // the gateway asks the channel
	kindNotice  kind = "notice"  // an attempt to send a notice
	kindAct     kind = "act"     // something was done at the channel, from the console or the cashier
	kindSilence kind = "silence" // the gateway sends no notice where one might be expected
)

// event is one line of a timeline.
type event struct {
	ID      int64
	At      time.Time // by the gateway's clock
	Took    time.Duration
	Kind    kind
	Name    string // path, operation, kind of order, or button
	TraceID string
	Code    int
	Status  int
	Bad     bool
	In, Out []byte // request and answer, or notice and reply
	Info    info
}

// faulty tells whether a fault kept the answer to a call back, or the call from running.
func (e event) faulty() bool { return e.Info.Fault != "" && e.Info.Fault != string(daxpaytest.Late) }

// info is what only some events have.
type info struct {
	Remote     string `json:",omitempty"`
	Method     string `json:",omitempty"`
	Fault      string `json:",omitempty"`
	SignedText string `json:",omitempty"`
	Expected   string `json:",omitempty"` // signature
	SignType   string `json:",omitempty"`
	Number     string `json:",omitempty"`
	URL        string `json:",omitempty"`
	Attempt    int    `json:",omitempty"`
	Received   bool   `json:",omitempty"`
	Lost       bool   `json:",omitempty"`
	Err        string `json:",omitempty"`
	Code       string `json:",omitempty"` // of the channel
	Msg        string `json:",omitempty"`
	NoAnswer   bool   `json:",omitempty"`
	Later      bool   `json:",omitempty"`
	Cut        bool   `json:",omitempty"` // a body was longer than what is kept
}

// store keeps events, and the rows of the gateway if there is a file for them.
type store struct {
	db   *sql.DB
	keep int64 // events
	file bool
}

const schema = `
create table if not exists state (key text primary key, value blob not null) without rowid;
create table if not exists event (
	id integer primary key autoincrement, at integer not null, took integer not null, kind text not null,
	name text not null, trace text not null, code integer not null, status integer not null, bad integer not null,
	sent blob, got blob, info text not null);
create index if not exists event_trace on event (trace) where trace <> '';
-- A list reads the index alone until it knows its rows: bodies are long.
create index if not exists event_kind on event (kind, id, bad, name, trace);
create table if not exists number (
	number text not null, event integer not null, primary key (number, event)) without rowid;
create index if not exists number_event on number (event);
`

// openStore opens the store in a file, or in memory for an empty name.
func openStore(ctx context.Context, file string, keep int) (*store, error) {
	name := "file:daxpay?mode=memory"
	if file != "" {
		// It stores the requests of a shop, with what its customers told it.
		f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the user names it
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
		// A killed process loses nothing that was written. Only a machine that loses power can lose the last moments.
		name = "file:" + (&url.URL{Path: file}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)" +
			"&_pragma=busy_timeout(1000)&_pragma=locking_mode(EXCLUSIVE)"
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(context.WithoutCancel(ctx), schema); err != nil {
		return nil, errors.Join(
			fmt.Errorf("the data file %s cannot be used, or another process has it: %w", file, err),
			db.Close(),
		)
	}
	return &store{db: db, keep: int64(max(keep, 1)), file: file != ""}, nil
}

func (s *store) close() error { return s.db.Close() }

// rows are those of the gateway's state.
func (s *store) rows(ctx context.Context) ([]daxpaytest.Row, error) {
	found, err := s.db.QueryContext(context.WithoutCancel(ctx), "select key, value from state")
	if err != nil {
		return nil, err
	}
	defer found.Close() //nolint:errcheck // it was read
	var rows []daxpaytest.Row
	for found.Next() {
		var r daxpaytest.Row
		if err := found.Scan(&r.Key, &r.Value); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// write stores events and rows in one transaction.
func (s *store) write(ctx context.Context, events []event, numbers [][]string, rows []daxpaytest.Row) error {
	ctx = context.WithoutCancel(ctx)
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after a commit
	for i, e := range events {
		text, err := json.Marshal(e.Info)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "insert into event (at, took, kind, name, trace, code, status, bad, sent, got, info)"+
			" values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", e.At.UnixMicro(), e.Took.Microseconds(), e.Kind, e.Name, e.TraceID,
			e.Code, e.Status, e.Bad, e.In, e.Out, string(text))
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		if err != nil {
			return err
		}
		for _, no := range numbers[i] {
			if _, err := tx.ExecContext(ctx, "insert or ignore into number values (?, ?)", no, id); err != nil {
				return err
			}
		}
		if err := drop(ctx, tx, id-s.keep); err != nil {
			return err
		}
	}
	if s.file {
		if err := writeRows(ctx, tx, rows); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// drop deletes the oldest events up to an ID: usually few, and never so many that a call has to wait for it.
func drop(ctx context.Context, tx *sql.Tx, last int64) error {
	const oldest = " in (select id from event where id <= ? order by id limit 20)"
	for _, statement := range []string{
		"delete from number where event" + oldest, "delete from event where id" + oldest,
	} {
		if _, err := tx.ExecContext(ctx, statement, last); err != nil {
			return err
		}
	}
	return nil
}

func writeRows(ctx context.Context, tx *sql.Tx, rows []daxpaytest.Row) error {
	for _, r := range rows {
		var err error
		if r.Value == nil {
			_, err = tx.ExecContext(ctx, "delete from state where key = ?", r.Key)
		} else {
			_, err = tx.ExecContext(ctx, "insert or replace into state values (?, ?)", r.Key, r.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newest is beyond every ID.
const newest = 1 << 62

const columns = "select id, at, took, kind, name, trace, code, status, bad, sent, got, info from event "

// query reads events. A caller that goes away does not stop it: the driver would close the connection, and a database
// in memory is lost with it.
func (s *store) query(ctx context.Context, where string, args ...any) ([]event, error) {
	ctx = context.WithoutCancel(ctx)
	found, err := s.db.QueryContext(ctx, columns+where, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close() //nolint:errcheck // it was read
	var list []event
	for found.Next() {
		var e event
		var at, took int64
		var text string
		if err := found.Scan(&e.ID, &at, &took, &e.Kind, &e.Name, &e.TraceID, &e.Code, &e.Status, &e.Bad, &e.In, &e.Out,
			&text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &e.Info); err != nil {
			return nil, err
		}
		e.At, e.Took = time.UnixMicro(at), time.Duration(took)*time.Microsecond
		list = append(list, e)
	}
	return list, found.Err()
}

// longestPart bounds what is searched for: SQLite refuses long patterns, and no number or path of a call is as long.
const longestPart = 1000

// requests lists calls, the newest first: those whose path or trace contains part, or that name an order with exactly
// that number.
func (s *store) requests(ctx context.Context, part string, bad bool, before int64, limit int) ([]event, error) {
	if len(part) > longestPart {
		return nil, nil
	}
	where, args := "kind = 'call' and id < ?", []any{before}
	if bad {
		where += " and bad"
	}
	if part != "" {
		part = strings.ToLower(part)
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(part) + "%"
		where += ` and (lower(name) like ? escape '\' or lower(trace) like ? escape '\' or id in` +
			` (select event from number where number in (?, ?, ?, ?, ?, ?, ?, ?)))`
		args = append(args, like, like)
		for kind := range kinds {
			args = append(args, key(kind, part), bizKey(kind, part))
		}
	}
	return s.query(ctx, "where id in (select id from event where "+where+" order by id desc limit ?) order by id desc",
		append(args, limit)...)
}

func (s *store) notices(ctx context.Context, before int64, limit int) ([]event, error) {
	const some = "select * from (select id from event where kind = ? and id < ? order by id desc limit ?)"
	return s.query(ctx, "where id in ("+some+" union all "+some+") order by id desc limit ?",
		kindNotice, before, limit, kindSilence, before, limit, limit)
}

// event finds one event. Its ID is 0 if there is none.
func (s *store) event(ctx context.Context, id int64) (event, error) {
	list, err := s.query(ctx, "where id = ?", id)
	if err != nil || len(list) == 0 {
		return event{}, err
	}
	return list[0], nil
}

// about lists what happened to an order, the oldest first: of the newest events, those that name one of its numbers,
// and what the gateway asked the channel on their behalf.
func (s *store) about(ctx context.Context, numbers []string, limit int) ([]event, error) {
	marks := strings.TrimSuffix(strings.Repeat("?,", len(numbers)), ",")
	args := make([]any, 0, len(numbers)+1)
	for _, no := range numbers {
		args = append(args, no)
	}
	return s.query(ctx, `where id in (
		with named as (select distinct event from number where number in (`+marks+`) order by event desc limit ?)
		select event from named union
		select other.id from event other join event mine on other.trace = mine.trace
		where other.trace <> '' and mine.id in (select event from named)) order by at, id`, append(args, limit)...)
}

// last is the newest event about an order.
func (s *store) last(ctx context.Context, number string) (event, error) {
	list, err := s.query(ctx, "where id = (select max(event) from number where number = ?)", number)
	if err != nil || len(list) == 0 {
		return event{}, err
	}
	return list[0], nil
}
