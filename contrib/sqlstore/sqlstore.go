// Package sqlstore implements daxpay.OnceStore in a table of an SQL database, for programs that run in several
// processes or must remember across restarts.
//
//	db, err := sql.Open("pgx", dsn)
//	store, err := sqlstore.New(db, sqlstore.PostgreSQL, sqlstore.Options{})
//	err = store.CreateTable(ctx) // or run the statements below in a migration
//	http.Handle("/notify", kit.NoticeHandler(daxpay.NoticeHandlers{Store: store, Pay: onPay}))
//
// The table, in PostgreSQL:
//
//	CREATE TABLE IF NOT EXISTS daxpay_once (
//		id      VARCHAR(255) PRIMARY KEY,
//		owner   VARCHAR(64) NOT NULL,
//		done    SMALLINT NOT NULL, -- 1: done; 0: claimed
//		expires BIGINT             -- in milliseconds since 1970; NULL: never
//	);
//	CREATE INDEX IF NOT EXISTS daxpay_once_expires ON daxpay_once (expires);
//
// The same in SQLite. In MariaDB and MySQL:
//
//	CREATE TABLE IF NOT EXISTS daxpay_once (
//		id      VARBINARY(255) PRIMARY KEY,
//		owner   VARBINARY(64) NOT NULL,
//		done    SMALLINT NOT NULL,
//		expires BIGINT,
//		INDEX daxpay_once_expires (expires)
//	) ENGINE=InnoDB;
//
// The package imports no driver. It is tested with PostgreSQL 15, MariaDB 10.11 and SQLite 3.50, through the drivers
// pgx, go-sql-driver/mysql and modernc.org/sqlite. MySQL is not tested, but has the same syntax as MariaDB.
//
// # Databases
//
// The database's clock decides when a lease ends, so the clocks of the processes do not matter.
//
// For SQLite, give the DSN a busy timeout, such as
// "file:once.db?_pragma=busy_timeout(2000)&_pragma=journal_mode(wal)", and call db.SetMaxOpenConns(1): only one
// connection writes at a time, and the others of a process would retry at random.
//
// A store must read what it wrote: connect to the primary server, not to a replica. A failover to a replica that lags
// behind loses the last claims, and what they guard can then happen twice. Use synchronous commit where that matters.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
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

// Options configure a Store or a Schedule. The zero value of a field means its default.
type Options struct {
	// Table is the name of the table: letters, digits and underscores. A schema may precede it, with a dot.
	// Default: "daxpay_once", for a Schedule "daxpay_schedule".
	Table string
}

const (
	defaultTable = "daxpay_once"
	maxKey       = 255
	maxOwner     = 64
	// One claim in sweepEvery removes up to sweepSize rows that have expired, so a backlog shrinks.
	sweepEvery, sweepSize = 8, 32
	sweepTimeout          = 500 * time.Millisecond
	probeTimeout          = 500 * time.Millisecond
	// tries is how often a statement runs if it fails, such as in a deadlock. Every statement may be repeated.
	tries, firstPause = 5, 5 * time.Millisecond
)

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// Store implements daxpay.OnceStore. It is safe for concurrent use. Make it with New.
type Store struct {
	table
	statements
	sweeper
}

var _ daxpay.OnceStore = (*Store)(nil)

// New returns a Store. It does not connect. The error says which arguments are wrong.
func New(db *sql.DB, dialect Dialect, o Options) (*Store, error) {
	if o.Table == "" {
		o.Table = defaultTable
	}
	if err := check(db, dialect, o); err != nil {
		return nil, err
	}
	s := &Store{table: table{db, o.Table, "id, owner, done, expires", schema(dialect, o.Table)}}
	s.statements = compile(dialect, o.Table)
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

// Schema returns the statements that create the table and its index unless they exist.
func (s *Store) Schema() []string { return slices.Clone(s.schema) }

// CreateTable runs the statements of Schema.
func (s *Store) CreateTable(ctx context.Context) error { return s.create(ctx) }

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
	err := s.run(ctx, s.release, values{key: key, owner: owner})
	if err != nil {
		return fmt.Errorf("sqlstore: release: %w", err)
	}
	return nil
}

// Forget implements daxpay.OnceStore.
func (s *Store) Forget(ctx context.Context, key string) error {
	err := s.run(ctx, s.forget, values{key: key})
	if err != nil {
		return fmt.Errorf("sqlstore: forget: %w", err)
	}
	return nil
}

// write runs a statement that writes the owner into the row of a key if that is allowed. It returns what the row then
// holds.
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
	err := s.again(ctx, func() error {
		query := st.write
		if st.read.text != "" {
			if _, err := s.exec(ctx, st.write, v); err != nil {
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

// sweeper removes rows that have expired.
type sweeper struct {
	expired, remove statement
	claims          atomic.Uint64
}

// sweep removes some rows in one call of sweepEvery. It removes each by its primary key, in a statement of its own: in
// MySQL, a statement that finds rows through the index on the time locks parts of that index, and can deadlock with
// claims. The next sweep removes what is left, so errors do not matter.
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

// table is the table of a Store or a Schedule.
type table struct {
	db      *sql.DB
	name    string
	columns string
	schema  []string
}

func (t *table) create(ctx context.Context) error {
	for _, statement := range t.schema {
		if _, err := t.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("sqlstore: create table: %w", err)
		}
	}
	return nil
}

// exec runs a statement and returns how many rows it changed.
func (t *table) exec(ctx context.Context, st statement, v values) (int64, error) {
	result, err := t.db.ExecContext(ctx, st.text, st.args(v)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// run runs a statement, and repeats it if it fails.
func (t *table) run(ctx context.Context, st statement, v values) error {
	return t.again(ctx, func() error {
		_, err := t.exec(ctx, st, v)
		return err
	})
}

// again repeats what fails. If it keeps failing because there is no such table, the error says what to do.
func (t *table) again(ctx context.Context, do func() error) error {
	err := again(ctx, do)
	if err == nil || !t.isUnreadable(ctx) {
		return err
	}
	return fmt.Errorf("%w; the database answers, but the table %s is missing, has other columns, or may not be read: "+
		"call CreateTable, or run the statements of Schema", err, t.name)
}

// isUnreadable tells whether the database answers, but cannot read the table. Drivers have no common error for that.
func (t *table) isUnreadable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var one int
	if t.db.QueryRowContext(ctx, "SELECT 1").Scan(&one) != nil {
		return false
	}
	err := t.db.QueryRowContext(ctx, "SELECT "+t.columns+" FROM "+t.name+" WHERE 1 = 0").Scan()
	return !errors.Is(err, sql.ErrNoRows) && ctx.Err() == nil
}

// again repeats what fails, because the database may have aborted it to resolve a deadlock, or may be busy. Drivers
// have no common error for that.
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

// statements are those of a Store.
type statements struct {
	claim, finish   written
	release, forget statement
}

// written is a statement that writes a row and returns it, or two statements: one writes the row, one reads it.
type written struct{ write, read statement }

// statement is a statement with the placeholders of its dialect.
type statement struct {
	text   string
	values string // k, o, l or n for each placeholder: the first letter of its value
}

// values are the values of statements. A life is in milliseconds; 0 means for good.
type values struct {
	key, owner string
	life       int64
	note       string
}

func (st statement) args(v values) []any {
	named := map[rune]any{'k': v.key, 'o': v.owner, 'l': v.life, 'n': v.note}
	args := make([]any, len(st.values))
	for i, letter := range st.values {
		args[i] = named[letter]
	}
	return args
}

// now is the database's time in milliseconds since 1970. It does not change within a statement.
var now = map[Dialect]string{
	PostgreSQL: `CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)`,
	MySQL:      `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)`, // in any time zone
	SQLite:     `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`,
}

// until is the end of a life that begins now; NULL means for good.
const until = `@now + NULLIF(CAST(@life AS @integer), 0)`

const (
	insertClaim  = `INSERT INTO @table (id, owner, done, expires) VALUES (@key, @owner, 0, ` + until + `)`
	insertFinish = `INSERT INTO @table (id, owner, done, expires) VALUES (@key, @owner, 1, ` + until + `)`

	// The statement locks the row by its primary key and then reads its present state: of several claims at once, each
	// sees what the one before it wrote. The expressions on the right see the row as it was.
	claimFree  = `t.expires <= @now OR (t.done = 0 AND t.owner = excluded.owner)`
	finishFree = `t.expires <= @now OR t.owner = excluded.owner`
	conflict   = ` ON CONFLICT (id) DO UPDATE SET
	owner = CASE WHEN @free THEN excluded.owner ELSE t.owner END,
	done = CASE WHEN @free THEN excluded.done ELSE t.done END,
	expires = CASE WHEN @free THEN excluded.expires ELSE t.expires END
RETURNING owner, done`

	// MySQL assigns from left to right, and later expressions see the new values. After the first assignment, owner is
	// the caller only if the row is the caller's, now or from before.
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

// compiled returns a statement in a dialect.
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

// bind replaces the names of values by the placeholders of the dialect.
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
