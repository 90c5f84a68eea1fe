// Package sqlstore is a daxpay.OnceStore in a table of an SQL database, for merchants whose program runs in several
// processes, or must remember across restarts, and who have no Redis.
//
//	db, err := sql.Open("pgx", dsn)
//	store, err := sqlstore.New(db, sqlstore.PostgreSQL, sqlstore.Options{})
//	err = store.CreateTable(ctx) // or your migrations do
//	http.Handle("/notify", kit.NoticeHandler(daxpay.NoticeHandlers{Store: store, Pay: onPay}))
//
// The table, in PostgreSQL:
//
//	CREATE TABLE IF NOT EXISTS daxpay_once (
//		id      VARCHAR(255) PRIMARY KEY,
//		owner   VARCHAR(64) NOT NULL,
//		done    SMALLINT NOT NULL, -- 1: finished; 0: claimed
//		expires BIGINT             -- in milliseconds since 1970; NULL: never
//	);
//	CREATE INDEX IF NOT EXISTS daxpay_once_expires ON daxpay_once (expires);
//
// SQLite has the same. In MariaDB and MySQL:
//
//	CREATE TABLE IF NOT EXISTS daxpay_once (
//		id      VARBINARY(255) PRIMARY KEY,
//		owner   VARBINARY(64) NOT NULL,
//		done    SMALLINT NOT NULL,
//		expires BIGINT,
//		INDEX daxpay_once_expires (expires)
//	) ENGINE=InnoDB;
//
// The package needs no driver of its own. It is tested with PostgreSQL 15, MariaDB 10.11 and SQLite 3.50, and with
// the drivers pgx, go-sql-driver/mysql and modernc.org/sqlite. The syntax for MariaDB is common to MySQL, which is
// not tested.
//
// # Databases
//
// The database's clock decides when a lease ends, so the clocks of the processes do not matter.
//
// With SQLite give the DSN a busy timeout, such as
// "file:once.db?_pragma=busy_timeout(2000)&_pragma=journal_mode(wal)", and call db.SetMaxOpenConns(1): connections
// write one after another, and a process's own would take turns by waiting at random.
//
// The store must see its own writes: the *sql.DB must lead to the primary server. A failover to a replica that lags
// behind loses the last claims, and what they stand for can then happen twice. Commit synchronously where that
// matters.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
)

// Dialect is the SQL that a database understands.
type Dialect int

// The dialects.
const (
	PostgreSQL Dialect = iota + 1
	MySQL              // MariaDB too
	SQLite             // since 3.35
)

func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// Options change a Store or a Schedule. The zero value of a field stands for its default.
type Options struct {
	// Table is the name of the table, with its schema if need be: letters, digits, underscores and one dot.
	// Default: "daxpay_once", for a Schedule "daxpay_schedule".
	Table string
}

const (
	defaultTable = "daxpay_once"
	maxKey       = 255
	maxOwner     = 64
	// Each sweepEvery-th claim removes up to sweepSize rows that have expired, so a backlog shrinks.
	sweepEvery, sweepSize = 8, 32
	sweepTimeout          = 500 * time.Millisecond
	// tries is how often a statement is run if it fails, such as in a deadlock. Every statement can be repeated.
	tries, firstPause = 5, 5 * time.Millisecond
)

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// Store implements daxpay.OnceStore. It is safe for concurrent use. Make it with New.
type Store struct {
	db     *sql.DB
	schema []string
	statements
	sweeper
}

var _ daxpay.OnceStore = (*Store)(nil)

// New returns a store. It does not connect yet. Its error says which argument is wrong.
func New(db *sql.DB, dialect Dialect, o Options) (*Store, error) {
	if o.Table == "" {
		o.Table = defaultTable
	}
	if err := check(db, dialect, o); err != nil {
		return nil, err
	}
	s := &Store{db: db, schema: schema(dialect, o.Table), statements: compile(dialect, o.Table)}
	s.expired, s.remove = compiled(dialect, o.Table, expired), compiled(dialect, o.Table, remove)
	return s, nil
}

func check(db *sql.DB, dialect Dialect, o Options) error {
	var faults []error
	if db == nil {
		faults = append(faults, errors.New("sqlstore: the *sql.DB must not be nil"))
	}
	if dialect < PostgreSQL || dialect > SQLite {
		faults = append(faults, errors.New("sqlstore: the dialect must be PostgreSQL, MySQL or SQLite"))
	}
	if !tableName.MatchString(o.Table) {
		faults = append(faults, errors.New("sqlstore: Options.Table must be a name of letters, digits and underscores"))
	}
	return errors.Join(faults...)
}

// Schema returns the statements that make the table and its index unless they exist.
func (s *Store) Schema() []string { return append([]string(nil), s.schema...) }

// CreateTable runs the statements of Schema.
func (s *Store) CreateTable(ctx context.Context) error {
	return create(ctx, s.db, s.schema)
}

func create(ctx context.Context, db *sql.DB, schema []string) error {
	for _, statement := range schema {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("sqlstore: create table: %w", err)
		}
	}
	return nil
}

// Claim implements daxpay.OnceStore. One claim in eight also removes rows that have expired.
func (s *Store) Claim(ctx context.Context, key, owner string, lease time.Duration) (daxpay.ClaimState, error) {
	holder, done, err := s.write(ctx, s.claim, key, owner, lease)
	if err != nil {
		return 0, fmt.Errorf("sqlstore: claim: %w", err)
	}
	s.sweep(ctx, s.db)
	switch {
	case done:
		return daxpay.ClaimDone, nil
	case holder == owner:
		return daxpay.ClaimGranted, nil
	}
	return daxpay.ClaimBusy, nil
}

// Done implements daxpay.OnceStore.
func (s *Store) Done(ctx context.Context, key, owner string, remember time.Duration) error {
	holder, done, err := s.write(ctx, s.finish, key, owner, remember)
	if err == nil && (holder != owner || !done) {
		err = daxpay.ErrClaimLost
	}
	if err != nil {
		return fmt.Errorf("sqlstore: done: %w", err)
	}
	return nil
}

// Release implements daxpay.OnceStore.
func (s *Store) Release(ctx context.Context, key, owner string) error {
	err := again(ctx, func() error { return s.exec(ctx, s.release, values{key: key, owner: owner}) })
	if err != nil {
		return fmt.Errorf("sqlstore: release: %w", err)
	}
	return nil
}

// Forget implements daxpay.OnceStore.
func (s *Store) Forget(ctx context.Context, key string) error {
	err := again(ctx, func() error { return s.exec(ctx, s.forget, values{key: key}) })
	if err != nil {
		return fmt.Errorf("sqlstore: forget: %w", err)
	}
	return nil
}

// write runs a statement that writes the owner into the row of a key if it may. It returns what the row holds then.
func (s *Store) write(ctx context.Context, st written, key, owner string, life time.Duration) (string, bool, error) {
	if err := checkNames(key, owner); err != nil {
		return "", false, err
	}
	var holder string
	var done int
	v := values{key: key, owner: owner}
	if life > 0 {
		v.life = max(1, life.Milliseconds())
	}
	err := again(ctx, func() error {
		query := st.write
		if st.read.text != "" {
			if err := s.exec(ctx, st.write, v); err != nil {
				return err
			}
			query = st.read
		}
		return s.db.QueryRowContext(ctx, query.text, query.args(v)...).Scan(&holder, &done)
	})
	return holder, done != 0, err
}

func checkNames(key, owner string) error {
	switch {
	case key == "" || len(key) > maxKey:
		return fmt.Errorf("the key has %d bytes, which must be 1 to %d", len(key), maxKey)
	case owner == "" || len(owner) > maxOwner:
		return fmt.Errorf("the owner has %d bytes, which must be 1 to %d", len(owner), maxOwner)
	}
	return nil
}

// sweeper removes rows that have expired, now and then.
type sweeper struct {
	expired, remove statement
	claims          atomic.Uint64
}

// sweep removes some at each so many-th call. Each is removed by its primary key, in a statement of its own: a
// statement that looks for them through the index on the time would lock parts of the index in MySQL, and wait for
// claims in a circle. Whatever is left is for the next time, so errors do not matter.
func (s *sweeper) sweep(ctx context.Context, db *sql.DB) {
	if s.claims.Add(1)%sweepEvery != 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	for _, key := range s.listExpired(ctx, db) {
		if _, err := db.ExecContext(ctx, s.remove.text, s.remove.args(values{key: key})...); err != nil {
			return
		}
	}
}

func (s *sweeper) listExpired(ctx context.Context, db *sql.DB) []string {
	rows, err := db.QueryContext(ctx, s.expired.text)
	if err != nil {
		return nil
	}
	defer rows.Close() //nolint:errcheck // as rows.Err
	var keys []string
	for rows.Next() {
		var key string
		if rows.Scan(&key) != nil {
			return nil
		}
		keys = append(keys, key)
	}
	if rows.Err() != nil {
		return nil
	}
	return keys
}

func (s *Store) exec(ctx context.Context, st statement, v values) error {
	_, err := s.db.ExecContext(ctx, st.text, st.args(v)...)
	return err
}

// again repeats what fails, because the database may have chosen it to resolve a deadlock, or may be busy. Drivers have
// no common error for that.
func again(ctx context.Context, do func() error) error {
	pause := firstPause
	for try := 1; ; try++ {
		err := do()
		if err == nil || try == tries || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause)) //nolint:gosec // only to keep two apart
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause *= 2
	}
}

// statements are those of a store.
type statements struct {
	claim, finish   written
	release, forget statement
}

// written is a statement that writes a row and returns it, or one that writes it and one that reads it.
type written struct{ write, read statement }

// statement has the places of its values marked as its dialect does.
type statement struct {
	text   string
	values string // "k", "o", "l" or "n" for each value, in order
}

// values are what statements are run with: a key, an owner, a life in milliseconds, 0 for good, and a note.
type values struct {
	key, owner string
	life       int64
	note       string
}

func (st statement) args(v values) []any {
	args := make([]any, len(st.values))
	for i, which := range st.values {
		args[i] = map[rune]any{'k': v.key, 'o': v.owner, 'l': v.life, 'n': v.note}[which]
	}
	return args
}

// now is the time of the database in milliseconds since 1970. It is the same everywhere in a statement.
var now = map[Dialect]string{
	PostgreSQL: `CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)`,
	MySQL:      `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)`, // of no time zone
	SQLite:     `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`,
}

// until is the end of a life that begins now, NULL for none.
const until = `@now + NULLIF(CAST(@life AS @integer), 0)`

const (
	insertClaim  = `INSERT INTO @table (id, owner, done, expires) VALUES (@key, @owner, 0, ` + until + `)`
	insertFinish = `INSERT INTO @table (id, owner, done, expires) VALUES (@key, @owner, 1, ` + until + `)`

	// The row is locked by its primary key, and then read as it is now: of those that claim a key at once, each sees
	// what the one before wrote. All expressions on the right see the row as it was.
	claimFree  = `t.expires <= @now OR (t.done = 0 AND t.owner = excluded.owner)`
	finishFree = `t.expires <= @now OR t.owner = excluded.owner`
	conflict   = ` ON CONFLICT (id) DO UPDATE SET
	owner = CASE WHEN @free THEN excluded.owner ELSE t.owner END,
	done = CASE WHEN @free THEN excluded.done ELSE t.done END,
	expires = CASE WHEN @free THEN excluded.expires ELSE t.expires END
RETURNING owner, done`

	// MySQL assigns from left to right, and later expressions see what was assigned. Owner is assigned first, and holds
	// the caller only if the row is the caller's: freshly, or from before.
	duplicateClaim = ` ON DUPLICATE KEY UPDATE
	owner = IF(expires <= @now OR (done = 0 AND owner = @owner), @owner, owner),
	done = IF(expires <= @now, 0, done),
	expires = IF(done = 0 AND owner = @owner, ` + until + `, expires)`
	duplicateFinish = ` ON DUPLICATE KEY UPDATE
	owner = IF(expires <= @now OR owner = @owner, @owner, owner),
	done = IF(owner = @owner, 1, done),
	expires = IF(owner = @owner, ` + until + `, expires)`
	read = `SELECT owner, done FROM @table WHERE id = @key`

	release = `DELETE FROM @table WHERE id = @key AND owner = @owner AND done = 0`
	forget  = `DELETE FROM @table WHERE id = @key`
	expired = `SELECT id FROM @table WHERE expires <= @now ORDER BY expires LIMIT @limit`
	remove  = `DELETE FROM @table WHERE id = @key AND expires <= @now`
)

// compiled is a statement in a dialect.
func compiled(d Dialect, table, text string) statement {
	integer := "BIGINT"
	if d == MySQL {
		integer = "SIGNED"
	}
	constants := strings.NewReplacer(
		"@now", now[d], "@table", table, "@integer", integer, "@limit", fmt.Sprint(sweepSize),
	)
	return bind(d, constants.Replace(text))
}

func compile(d Dialect, table string) statements {
	one := func(text string) statement { return compiled(d, table, text) }
	s := statements{release: one(release), forget: one(forget)}
	if d == MySQL {
		s.claim = written{one(insertClaim + duplicateClaim), one(read)}
		s.finish = written{one(insertFinish + duplicateFinish), one(read)}
		return s
	}
	upsert := func(insert, free string) written {
		insert = strings.Replace(insert, "@table", "@table AS t", 1)
		return written{write: one(insert + strings.ReplaceAll(conflict, "@free", free))}
	}
	s.claim, s.finish = upsert(insertClaim, claimFree), upsert(insertFinish, finishFree)
	return s
}

var placeholder = regexp.MustCompile(`@(key|owner|life|note)`)

// bind replaces the names of values by the marks of the dialect.
func bind(d Dialect, text string) statement {
	var st statement
	st.text = placeholder.ReplaceAllStringFunc(text, func(name string) string {
		st.values += name[1:2]
		if d == PostgreSQL {
			return fmt.Sprintf("$%d", len(st.values))
		}
		return "?"
	})
	return st
}

func schema(d Dialect, table string) []string {
	index := table[strings.LastIndexByte(table, '.')+1:] + "_expires"
	if d == MySQL {
		return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id      VARBINARY(255) PRIMARY KEY,
	owner   VARBINARY(64) NOT NULL,
	done    SMALLINT NOT NULL,
	expires BIGINT,
	INDEX ` + index + ` (expires)
) ENGINE=InnoDB`}
	}
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id      VARCHAR(255) PRIMARY KEY,
	owner   VARCHAR(64) NOT NULL,
	done    SMALLINT NOT NULL,
	expires BIGINT
)`, `CREATE INDEX IF NOT EXISTS ` + index + ` ON ` + table + ` (expires)`}
}
