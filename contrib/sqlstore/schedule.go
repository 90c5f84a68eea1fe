package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/reconcile"
)

// Schedule implements reconcile.Schedule in a table of its own, for shops that run several processes, which share the
// open orders:
//
//	schedule, err := sqlstore.NewSchedule(db, sqlstore.PostgreSQL, sqlstore.Options{})
//	err = schedule.CreateTable(ctx) // or run the statements below in a migration
//	r, err := reconcile.New(kit, shop, sink, reconcile.Options{Schedule: schedule})
//
// The table, in PostgreSQL and SQLite:
//
//	CREATE TABLE IF NOT EXISTS daxpay_schedule (
//		id    VARCHAR(255) PRIMARY KEY,
//		owner VARCHAR(64) NOT NULL,   -- who looks at the order; '' during a pause
//		note  VARCHAR(1000) NOT NULL,
//		since BIGINT NOT NULL,        -- of the last change, in milliseconds since 1970
//		free  BIGINT NOT NULL         -- when another may look at it, in milliseconds since 1970
//	);
//	CREATE INDEX IF NOT EXISTS daxpay_schedule_free ON daxpay_schedule (free);
//
// In MariaDB and MySQL:
//
//	CREATE TABLE IF NOT EXISTS daxpay_schedule (
//		id    VARBINARY(255) PRIMARY KEY,
//		owner VARBINARY(64) NOT NULL,
//		note  VARBINARY(1000) NOT NULL,
//		since BIGINT NOT NULL,
//		free  BIGINT NOT NULL,
//		INDEX daxpay_schedule_free (free)
//	) ENGINE=InnoDB;
//
// A row is removed an hour after its order was due. An order whose row is lost is looked at sooner than planned, and
// nothing worse happens. A Schedule is safe for concurrent use.
type Schedule struct {
	table

	take, read, insert, giveBack statement
	sweeper
}

var _ reconcile.Schedule = (*Schedule)(nil)

const (
	defaultScheduleTable = "daxpay_schedule"
	maxNote              = 1000
)

// NewSchedule returns a Schedule. It does not connect. The error says which arguments are wrong.
func NewSchedule(db *sql.DB, dialect Dialect, o Options) (*Schedule, error) {
	if o.Table == "" {
		o.Table = defaultScheduleTable
	}
	if err := check(db, dialect, o); err != nil {
		return nil, err
	}
	one := func(text string) statement { return compiled(dialect, o.Table, text) }
	insertNew := insertOrder
	if dialect == MySQL {
		insertNew = strings.Replace(insertNew, "INSERT", "INSERT IGNORE", 1)
	} else {
		insertNew += " ON CONFLICT (id) DO NOTHING"
	}
	s := &Schedule{table: table{db, o.Table, "id, owner, note, since, free", scheduleSchema(dialect, o.Table)}}
	s.take, s.read, s.insert, s.giveBack = one(takeOrder), one(readOrder), one(insertNew), one(returnOrder)
	s.expired, s.remove = one(expiredOrders), one(removeOrder)
	return s, nil
}

const (
	// If since is more than a minute from now, the row was written before the clock was set back.
	takeOrder = `UPDATE @table SET owner = @owner, since = @now, free = @now + @life
WHERE id = @key AND (owner = @owner OR free <= @now OR since > @now + 60000)`
	readOrder   = `SELECT owner, note, free - @now FROM @table WHERE id = @key`
	insertOrder = `INSERT INTO @table (id, owner, note, since, free)
VALUES (@key, @owner, @note, @now, @now + @life)`
	returnOrder = `UPDATE @table SET owner = '', note = @note, since = @now, free = @now + @life
WHERE id = @key AND owner = @owner`

	expiredOrders = `SELECT id FROM @table WHERE free <= @now - 3600000 ORDER BY free LIMIT @limit`
	removeOrder   = `DELETE FROM @table WHERE id = @key AND free <= @now - 3600000`
)

// Schema returns the statements that create the table and its index unless they exist.
func (s *Schedule) Schema() []string { return slices.Clone(s.schema) }

// CreateTable runs the statements of Schema.
func (s *Schedule) CreateTable(ctx context.Context) error { return s.create(ctx) }

// Claim implements reconcile.Schedule. One claim in eight also removes rows that are no longer needed.
func (s *Schedule) Claim(ctx context.Context, key, owner string, lease time.Duration) (reconcile.Turn, error) {
	var turn reconcile.Turn
	err := checkNames(key, owner)
	if err == nil {
		v := values{key: key, owner: owner, life: max(1, lease.Milliseconds())}
		err = s.again(ctx, func() (err error) {
			turn, err = s.claim(ctx, v)
			return err
		})
	}
	if err != nil {
		return reconcile.Turn{}, fmt.Errorf("sqlstore: claim of an order: %w", err)
	}
	s.sweep(ctx, s.db)
	return turn, nil
}

// claim takes the order if it is free, and then reads who holds it. While one owner holds the order, no other changes
// the row.
func (s *Schedule) claim(ctx context.Context, v values) (reconcile.Turn, error) {
	if _, err := s.exec(ctx, s.take, v); err != nil {
		return reconcile.Turn{}, err
	}
	for tried := false; ; tried = true {
		var owner, note string
		var wait int64
		err := s.db.QueryRowContext(ctx, s.read.text, s.read.args(v)...).Scan(&owner, &note, &wait)
		switch {
		case err == nil && owner == v.owner:
			return reconcile.Turn{Granted: true, Note: note}, nil
		case err == nil:
			return reconcile.Turn{Wait: time.Duration(max(1, wait)) * time.Millisecond}, nil
		case !errors.Is(err, sql.ErrNoRows) || tried:
			return reconcile.Turn{}, err
		}
		if _, err := s.exec(ctx, s.insert, v); err != nil { // it changes nothing if another process was faster
			return reconcile.Turn{}, err
		}
	}
}

// Return implements reconcile.Schedule.
func (s *Schedule) Return(ctx context.Context, key, owner, note string, pause time.Duration) error {
	err := checkNames(key, owner)
	if err == nil && len(note) > maxNote {
		err = fmt.Errorf("the note has %d bytes, which must be at most %d", len(note), maxNote)
	}
	lost := false
	if err == nil {
		v := values{key: key, owner: owner, life: max(0, pause.Milliseconds()), note: note}
		err = s.again(ctx, func() (err error) {
			lost, err = s.giveOrderBack(ctx, v)
			return err
		})
	}
	if err == nil && lost {
		err = daxpay.ErrClaimLost
	}
	if err != nil {
		return fmt.Errorf("sqlstore: return of an order: %w", err)
	}
	return nil
}

// giveOrderBack changes the row if it is the owner's, or inserts it if it was lost.
func (s *Schedule) giveOrderBack(ctx context.Context, v values) (lost bool, err error) {
	changed, err := s.exec(ctx, s.giveBack, v)
	if err != nil || changed > 0 {
		return false, err
	}
	v.owner = ""
	changed, err = s.exec(ctx, s.insert, v)
	return changed == 0, err
}

func scheduleSchema(d Dialect, table string) []string {
	index := table[strings.LastIndexByte(table, '.')+1:] + "_free"
	if d == MySQL {
		return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id    VARBINARY(255) PRIMARY KEY,
	owner VARBINARY(64) NOT NULL,
	note  VARBINARY(1000) NOT NULL,
	since BIGINT NOT NULL,
	free  BIGINT NOT NULL,
	INDEX ` + index + ` (free)
) ENGINE=InnoDB`}
	}
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id    VARCHAR(255) PRIMARY KEY,
	owner VARCHAR(64) NOT NULL,
	note  VARCHAR(1000) NOT NULL,
	since BIGINT NOT NULL,
	free  BIGINT NOT NULL
)`, `CREATE INDEX IF NOT EXISTS ` + index + ` ON ` + table + ` (free)`}
}
