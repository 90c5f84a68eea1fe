// Queue is a shop whose job queue, River on PostgreSQL, decides when to look at each open order. The transaction that
// stores an order also inserts its job, so none is forgotten. A look is one call of Looker.Look, in lookJob.Work.
//
//	cd examples/queue && DATABASE_URL=postgres://localhost/test GOWORK=off go run .
//
// Without DATABASE_URL it starts a PostgreSQL of its own, and stops it in the end. The gateway is inside the program.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/reconcile"
)

const schema = `
create table orders (
	no text primary key, amount bigint not null, made timestamptz not null default now(),
	status text not null default 'open',
	note text not null default '' -- Next.Note, for the next look
);
create table effects (no text not null, status text not null);`

// look is the job of an order. It holds only the number, which never changes.
type look struct {
	No string `json:"no"`
}

// Kind implements river.JobArgs.
func (look) Kind() string { return "look" }

// InsertOpts lets a job fail as often as necessary, such as when its process is killed.
func (look) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: math.MaxInt16} }

type lookJob struct {
	river.WorkerDefaults[look]
	db     *pgxpool.Pool
	looker *reconcile.Looker
}

// Work looks at an order once. River runs the job again when the next look is due.
func (w *lookJob) Work(ctx context.Context, job *river.Job[look]) error {
	o := reconcile.Order{Kind: reconcile.Pay, No: job.Args.No}
	var status, note string
	err := w.db.QueryRow(ctx, `select amount, made, status, note from orders where no = $1`, o.No).
		Scan(&o.Amount, &o.Made, &status, &note)
	switch {
	case errors.Is(err, pgx.ErrNoRows), status == paid: // such as by a notice
		return nil
	case err != nil:
		return err
	}
	o.Ended = status == ended // it can still be paid
	next, err := w.looker.Look(ctx, o, note)
	if err != nil {
		return err
	}
	if next.Done {
		return nil
	}
	if _, err := w.db.Exec(ctx, `update orders set note = $2 where no = $1`, o.No, next.Note); err != nil {
		return err
	}
	return river.JobSnooze(next.After)
}

// The status of an order. The gateway's own status says less: see model.Standing.
var paid, ended = model.Succeeded.String(), model.Ended.String()

// settle stores how an order ended, and what the shop does about it. Only the first caller changes the row, whether
// that is a job or a handler of notices. An order that has ended can still be paid.
func settle(ctx context.Context, db *pgxpool.Pool, no string, standing model.Standing) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		changed, err := tx.Exec(ctx, `update orders set status = $2
			where no = $1 and (status = 'open' or status = 'ended' and $2 = 'succeeded')`, no, standing.String())
		if err != nil || changed.RowsAffected() == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `insert into effects values ($1, $2)`, no, standing.String())
		return err
	})
}

// order stores an order and its job, before the shop calls Pay. The first look is a second later.
func order(ctx context.Context, db *pgxpool.Pool, queue *river.Client[pgx.Tx], no string, amount int64) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into orders (no, amount) values ($1, $2)`, no, amount); err != nil {
			return err
		}
		_, err := queue.InsertTx(ctx, tx, look{No: no}, &river.InsertOpts{ScheduledAt: time.Now().Add(time.Second)})
		return err
	})
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dsn := os.Getenv("DATABASE_URL")
	if dsn == "" {
		stop, own, err := startPostgreSQL(ctx)
		if err != nil {
			return err
		}
		defer stop()
		dsn = own
	}
	db, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	return trade(ctx, db)
}

// trade has customers pay three orders, and the queue find that out.
func trade(ctx context.Context, db *pgxpool.Pool) error {
	gw := daxpaytest.New() // stands for your gateway
	defer gw.Close()
	queue, err := newQueue(ctx, db, gw)
	if err != nil {
		return err
	}
	for i, status := range []model.PaySyncStatus{model.PaySyncSuccess, model.PaySyncProgress, model.PaySyncSuccess} {
		no := fmt.Sprint("ORDER-", i+1)
		if err := order(ctx, db, queue, no, 100); err != nil {
			return err
		}
		gw.SetPayment(daxpaytest.Payment{BizOrderNo: no, Amount: 100, Status: status})
	}
	if err := queue.Start(ctx); err != nil {
		return err
	}
	err = until(ctx, db, 2)
	if err == nil {
		gw.MarkPaid("ORDER-2") // the customer pays, and no notice says so
		err = until(ctx, db, 3)
	}
	if err := errors.Join(err, queue.Stop(ctx)); err != nil { // Stop waits for the jobs that are running
		return err
	}
	var orders, effects int
	err = db.QueryRow(ctx, `select count(*), (select count(*) from effects) from orders where status = $1`, paid).
		Scan(&orders, &effects)
	if err != nil || orders != 3 || effects != 3 {
		return fmt.Errorf("%d orders took effect %d times, instead of 3 and 3: %w", orders, effects, err)
	}
	fmt.Println(orders, "orders are paid, and each took effect once")
	return nil
}

func newQueue(ctx context.Context, db *pgxpool.Pool, gw *daxpaytest.Gateway) (*river.Client[pgx.Tx], error) {
	if _, err := db.Exec(ctx, schema); err != nil {
		return nil, err
	}
	driver := riverpgxv5.New(db)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	config := gw.Config()        // for your gateway: daxpay.ConfigFromEnv
	config.Retry.MaxAttempts = 1 // the queue repeats looks
	kit, err := daxpay.New(config)
	if err != nil {
		return nil, err
	}
	sink := reconcile.Sink{
		Pay: func(ctx context.Context, o reconcile.Order, m *model.PayOrderModel) error {
			fmt.Println(o.No, m.Status)
			return settle(ctx, db, o.No, m.Standing())
		},
		Unknown: func(_ context.Context, o reconcile.Order, why *daxpay.UnresolvedError) error {
			fmt.Println("a person must look at", o.No+":", why.Reason)
			return nil
		},
	}
	looker, err := reconcile.NewLooker(kit, sink, reconcile.Options{
		OnError: func(o reconcile.Order, err error) { fmt.Println(o.No, err) },
	})
	if err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &lookJob{db: db, looker: looker})
	return river.NewClient(driver, &river.Config{
		Queues:     map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 8}},
		Workers:    workers,
		JobTimeout: 2 * time.Minute,
		// Another process takes over the jobs of a killed one after 3 minutes instead of an hour.
		RescueStuckJobsAfter: 3 * time.Minute,
	})
}

// until waits until a number of orders are paid.
func until(ctx context.Context, db *pgxpool.Pool, number int) error {
	for {
		var n int
		err := db.QueryRow(ctx, `select count(*) from orders where status = $1`, paid).Scan(&n)
		if err != nil || n >= number {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
