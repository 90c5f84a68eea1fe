package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/contrib/sqlstore"
	"github.com/daxpay-go/daxpay/daxpaytest/storetest"
	"github.com/daxpay-go/daxpay/internal/sharetest"
	"github.com/daxpay-go/daxpay/reconcile"
)

func TestArguments(t *testing.T) {
	_, err := sqlstore.New(nil, 0, sqlstore.Options{Table: "x; DROP TABLE y"})
	require.ErrorContains(t, err, "*sql.DB must not be nil")
	require.ErrorContains(t, err, "dialect must be")
	require.ErrorContains(t, err, "Options.Table must be")
	require.Equal(t, "PostgreSQL MySQL SQLite Dialect(9)",
		fmt.Sprint(sqlstore.PostgreSQL, sqlstore.MySQL, sqlstore.SQLite, sqlstore.Dialect(9)))
}

// The doc comments show the statements of Schema.
func TestSchemaIsDocumented(t *testing.T) {
	source, err := os.ReadFile("sqlstore.go")
	require.NoError(t, err)
	doc, _, _ := strings.Cut(string(source), "\npackage sqlstore")
	source, err = os.ReadFile("schedule.go")
	require.NoError(t, err)
	scheduleDoc, _, _ := strings.Cut(string(source), "\ntype Schedule struct")
	doc += scheduleDoc
	var lines []string
	for _, line := range strings.Split(doc, "\n") {
		line, _, _ = strings.Cut(strings.TrimLeft(line, "/ \t"), "-- ")
		lines = append(lines, strings.TrimRight(line, " ;"))
	}
	for _, dialect := range []sqlstore.Dialect{sqlstore.PostgreSQL, sqlstore.MySQL, sqlstore.SQLite} {
		statements := append(store(t, new(sql.DB), dialect).Schema(), schedule(t, new(sql.DB), dialect).Schema()...)
		for _, statement := range statements {
			for _, line := range strings.Split(statement, "\n") {
				require.Contains(t, lines, strings.TrimLeft(line, "\t"), dialect)
			}
		}
	}
}

func store(t *testing.T, db *sql.DB, dialect sqlstore.Dialect) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(db, dialect, sqlstore.Options{})
	require.NoError(t, err)
	return s
}

func schedule(t testing.TB, db *sql.DB, dialect sqlstore.Dialect) *sqlstore.Schedule {
	t.Helper()
	s, err := sqlstore.NewSchedule(db, dialect, sqlstore.Options{})
	require.NoError(t, err)
	return s
}

func TestDatabases(t *testing.T) {
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			dsn := d.start(t)
			db := d.open(t, dsn())
			s := store(t, db, d.dialect)
			t.Run("no table", func(t *testing.T) { testNoTable(t, db, d.dialect) })
			for range 2 { // the table may exist
				require.NoError(t, s.CreateTable(context.Background()))
			}
			require.NoError(t, s.CheckStore(context.Background()))
			t.Run("read-only", func(t *testing.T) { testReadOnly(t, d, dsn) })
			t.Run("conformance", func(t *testing.T) {
				require.NoError(t, storetest.TestStore(context.Background(), s))
			})
			t.Run("conformance, serializable", func(t *testing.T) {
				strict := store(t, d.open(t, dsn(d.serializable...)), d.dialect)
				require.NoError(t, storetest.TestStore(context.Background(), strict))
			})
			t.Run("only expired rows are removed", func(t *testing.T) { testSweep(t, db, s) })
			t.Run("claims do not deadlock", func(t *testing.T) { testContention(t, db, s) })
			t.Run("several processes", func(t *testing.T) {
				testProcesses(t, func() daxpay.OnceStore {
					db := d.open(t, dsn())
					if d.dialect == sqlstore.SQLite {
						db.SetMaxOpenConns(1)
					}
					return store(t, db, d.dialect)
				})
			})
			t.Run("limits", func(t *testing.T) { testLimits(t, db, d.dialect) })
			t.Run("schedule", func(t *testing.T) { testSchedule(t, d, dsn) })
			t.Run("processes share orders", func(t *testing.T) { testSharing(t, d.name+" "+dsn()) })
		})
	}
}

// The errors say how to make the table.
func testNoTable(t *testing.T, db *sql.DB, dialect sqlstore.Dialect) {
	ctx := context.Background()
	s, orders := store(t, db, dialect), schedule(t, db, dialect)
	_, claim := s.Claim(ctx, "a", "1", time.Hour)
	_, turn := orders.Claim(ctx, "a", "1", time.Hour)
	for _, err := range []error{
		s.CheckStore(ctx), claim, s.Done(ctx, "a", "1", time.Hour), s.Release(ctx, "a", "1"), s.Forget(ctx, "a"),
	} {
		require.ErrorContains(t, err, "the table daxpay_once is missing")
		require.ErrorContains(t, err, "call CreateTable")
	}
	require.ErrorContains(t, s.CheckStore(ctx), "the store does not work")
	for _, err := range []error{turn, orders.Return(ctx, "a", "1", "", 0)} {
		require.ErrorContains(t, err, "the table daxpay_schedule is missing")
	}

	_, err := db.ExecContext(ctx, "CREATE TABLE other_columns (id VARCHAR(255) PRIMARY KEY)")
	require.NoError(t, err)
	other, err := sqlstore.New(db, dialect, sqlstore.Options{Table: "other_columns"})
	require.NoError(t, err)
	require.ErrorContains(t, other.CheckStore(ctx), "the table other_columns is missing, has other columns")

	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.NotContains(t, s.Forget(ended, "a").Error(), "CreateTable", "nothing is known of the table")
}

// A database that refuses changes is not taken for one without the table, nor is one that does not answer.
func testReadOnly(t *testing.T, d database, dsn func(...string) string) {
	ctx := context.Background()
	db := d.open(t, dsn(d.readOnly))
	s := store(t, db, d.dialect)
	err := s.CheckStore(ctx)
	require.ErrorContains(t, err, "the store does not work")
	require.NotContains(t, err.Error(), "CreateTable")
	require.NoError(t, db.Close())
	err = s.CheckStore(ctx)
	require.ErrorContains(t, err, "the store does not work")
	require.NotContains(t, err.Error(), "CreateTable")
}

func count(ctx context.Context, t *testing.T, db *sql.DB, where string) int {
	t.Helper()
	var n int
	row := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM daxpay_once WHERE "+where)
	require.NoError(t, row.Scan(&n))
	return n
}

func testSweep(t *testing.T, db *sql.DB, s *sqlstore.Store) {
	ctx := context.Background()
	_, err := db.ExecContext(ctx, "DELETE FROM daxpay_once")
	require.NoError(t, err)
	for i := range 100 {
		require.NoError(t, s.Done(ctx, fmt.Sprint("short", i), "1", time.Millisecond))
		require.NoError(t, s.Done(ctx, fmt.Sprint("long", i), "1", time.Hour))
		require.NoError(t, s.Done(ctx, fmt.Sprint("good", i), "1", 0))
		_, err := s.Claim(ctx, fmt.Sprint("dead", i), "1", time.Millisecond)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		_, err := s.Claim(ctx, "one", "1", time.Hour)
		require.NoError(t, err)
		return count(ctx, t, db, "id LIKE 'short%' OR id LIKE 'dead%'") == 0
	}, 20*time.Second, time.Millisecond)
	require.Equal(t, 100, count(ctx, t, db, "id LIKE 'long%'"))
	require.Equal(t, 100, count(ctx, t, db, "id LIKE 'good%' AND expires IS NULL"))
	_, err = db.ExecContext(ctx, "DELETE FROM daxpay_once")
	require.NoError(t, err)
}

// Sixteen goroutines claim, finish and release a few keys with short leases: they insert, take over and sweep the same
// rows at once.
func testContention(t *testing.T, db *sql.DB, s *sqlstore.Store) {
	ctx := context.Background()
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 60 {
				key, owner := fmt.Sprint("busy", (i*7+worker)%11), fmt.Sprintf("%d-%d", worker, i)
				state, err := s.Claim(ctx, key, owner, 2*time.Millisecond)
				if err == nil && state == daxpay.ClaimGranted {
					if i%2 == 0 {
						err = s.Release(ctx, key, owner)
					} else if err = s.Done(ctx, key, owner, time.Millisecond); errors.Is(err, daxpay.ErrClaimLost) {
						err = nil
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	_, err := db.ExecContext(ctx, "DELETE FROM daxpay_once")
	require.NoError(t, err)
}

// Each of 50 notices, delivered to four processes, takes effect once.
func testProcesses(t *testing.T, open func() daxpay.OnceStore) {
	require.NoError(t, sharetest.Notices([]daxpay.OnceStore{open(), open(), open(), open()}, 50))
}

func testLimits(t *testing.T, db *sql.DB, dialect sqlstore.Dialect) {
	ctx := context.Background()
	s := store(t, db, dialect)
	_, err := s.Claim(ctx, strings.Repeat("x", 256), "1", time.Hour)
	require.ErrorContains(t, err, "the key has 256 bytes")
	_, err = s.Claim(ctx, "", "1", time.Hour)
	require.ErrorContains(t, err, "the key has 0 bytes")
	require.ErrorContains(t, s.Done(ctx, "a", strings.Repeat("x", 65), time.Hour), "the owner has 65 bytes")

	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.Claim(ended, "a", "1", time.Hour)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Done(ended, "a", "1", time.Hour), context.Canceled)
	require.ErrorIs(t, s.Release(ended, "a", "1"), context.Canceled)
	require.ErrorIs(t, s.Forget(ended, "a"), context.Canceled)

	none, err := sqlstore.New(db, dialect, sqlstore.Options{Table: "no_such_table"})
	require.NoError(t, err)
	_, err = none.Claim(ctx, "a", "1", time.Hour)
	require.ErrorContains(t, err, "no_such_table")
	other, err := sqlstore.New(db, dialect, sqlstore.Options{Table: "other_table"})
	require.NoError(t, err)
	require.NoError(t, other.CreateTable(ctx))
	state, err := other.Claim(ctx, "a", "1", time.Hour)
	require.NoError(t, err)
	require.Equal(t, daxpay.ClaimGranted, state)
}

func testSchedule(t *testing.T, d database, dsn func(...string) string) {
	ctx := context.Background()
	db := d.open(t, dsn())
	s := schedule(t, db, d.dialect)
	for range 2 {
		require.NoError(t, s.CreateTable(ctx))
	}
	require.NoError(t, storetest.TestSchedule(ctx, s))
	require.NoError(t, storetest.TestSchedule(ctx, schedule(t, d.open(t, dsn(d.serializable...)), d.dialect)))
	exec := func(statement string) {
		_, err := db.ExecContext(ctx, statement)
		require.NoError(t, err)
	}

	// If the pause of an order began in the future, because the clock was set back, the order is free.
	require.NoError(t, s.Return(ctx, "a", "1", "note", time.Hour))
	exec("UPDATE daxpay_schedule SET since = since + 50000, free = free + 50000 WHERE id = 'a'")
	got, err := s.Claim(ctx, "a", "2", time.Hour)
	require.NoError(t, err)
	require.False(t, got.Granted, "clocks are not exact")
	exec("UPDATE daxpay_schedule SET since = since + 20000, free = free + 20000 WHERE id = 'a'")
	got, err = s.Claim(ctx, "a", "2", time.Hour)
	require.NoError(t, err)
	require.Equal(t, reconcile.Turn{Granted: true, Note: "note"}, got)

	// A row is removed an hour after its order became free, no sooner.
	exec("DELETE FROM daxpay_schedule")
	for i := range 100 {
		require.NoError(t, s.Return(ctx, fmt.Sprint("old", i), "1", "n", 0))
		require.NoError(t, s.Return(ctx, fmt.Sprint("new", i), "1", "n", 0))
	}
	exec("UPDATE daxpay_schedule SET free = free - 3600000 WHERE id LIKE 'old%'")
	exec("UPDATE daxpay_schedule SET free = free - 3540000 WHERE id LIKE 'new%'")
	rows := func(like string) (n int) {
		query := "SELECT COUNT(*) FROM daxpay_schedule WHERE id LIKE '" + like + "'"
		row := db.QueryRowContext(ctx, query)
		require.NoError(t, row.Scan(&n))
		return n
	}
	for range 4 * 8 {
		_, err := s.Claim(ctx, "a", "1", time.Hour)
		require.NoError(t, err)
	}
	require.Zero(t, rows("old%"))
	require.Equal(t, 100, rows("new%"))

	_, err = s.Claim(ctx, strings.Repeat("x", 256), "1", time.Hour)
	require.ErrorContains(t, err, "the key has 256 bytes")
	require.ErrorContains(t, s.Return(ctx, "a", "", "", 0), "the owner has 0 bytes")
	require.ErrorContains(t, s.Return(ctx, "a", "1", strings.Repeat("x", 1001), 0), "the note has 1001 bytes")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.Claim(ended, "a", "1", time.Hour)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Return(ended, "a", "1", "", 0), context.Canceled)
	_, err = sqlstore.NewSchedule(nil, d.dialect, sqlstore.Options{})
	require.ErrorContains(t, err, "*sql.DB must not be nil")
}

func testSharing(t *testing.T, dsn string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	alone, err := sharetest.Together(ctx, "", 1, 200)
	require.NoError(t, err)
	shared, err := sharetest.Together(ctx, dsn, 4, 200)
	require.NoError(t, err)
	t.Logf("one process: %d calls; four: %d", alone, shared)
	require.LessOrEqual(t, float64(shared), 1.1*float64(alone))
	require.GreaterOrEqual(t, shared, alone)
	took, err := sharetest.Takeover(ctx, dsn)
	require.NoError(t, err)
	t.Logf("taken over %v after kill -9; the lease is 2 seconds", took)
}

// BenchmarkShare runs four processes on PostgreSQL for three and a half minutes, and one before that.
func BenchmarkShare(b *testing.B) {
	d := databases()[0]
	dsn := d.start(b)()
	require.NoError(b, schedule(b, d.open(b, dsn), d.dialect).CreateTable(context.Background()))
	sharetest.Benchmark(b, d.name+" "+dsn)
}
