// Queue is a shop whose job queue, River on PostgreSQL, says when each open order is looked at. The job is made in the
// transaction that makes the order, so none is forgotten, and a look is one call of Looker.Look:
//
//	cd examples/queue && DATABASE_URL=postgres://localhost/test go run .
//
// Without DATABASE_URL it starts a PostgreSQL of its own for as long as it runs. The gateway is in memory. The heart of
// it is lookJob.Work.
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
	note text not null default '' -- what the next look has to know of the last one
);
create table effects (no text not null, status text not null);`

// look is the job of an order: which one, and nothing that can change.
type look struct {
	No string `json:"no"`
}

// Kind is the name of such jobs.
func (look) Kind() string { return "look" }

// InsertOpts lets a job fail, such as when its process is killed, as often as it takes.
func (look) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: math.MaxInt16} }

type lookJob struct {
	river.WorkerDefaults[look]
	db     *pgxpool.Pool
	looker *reconcile.Looker
}

// Work looks at an order once, and has River come again when it is due next.
func (w *lookJob) Work(ctx context.Context, job *river.Job[look]) error {
	o := reconcile.Order{Kind: reconcile.Pay, No: job.Args.No}
	var status, note string
	err := w.db.QueryRow(ctx, `select amount, made, status, note from orders where no = $1`, o.No).
		Scan(&o.Amount, &o.Made, &status, &note)
	switch {
	case errors.Is(err, pgx.ErrNoRows), status == string(model.PaySuccess): // a notice was faster
		return nil
	case err != nil:
		return err
	}
	o.Ended = status != "open" // it may still be paid
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

// settle stores how an order ended, and what has to be done about it. Only the first caller changes the row, be it a
// job or the handler of notices.
func settle(ctx context.Context, db *pgxpool.Pool, no string, status model.PayStatus) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		changed, err := tx.Exec(ctx, `update orders set status = $2 where no = $1 and (status = 'open'
			or status in ('close', 'cancel', 'fail') and $2 = 'success')`, no, string(status))
		if err != nil || changed.RowsAffected() == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `insert into effects values ($1, $2)`, no, string(status))
		return err
	})
}

// order stores an order and its job together, before the gateway hears of it. The first look is a second later.
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

// trade has customers pay some orders, and lets the queue find that out.
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
	if err := until(ctx, db, 2); err != nil { // one of them waits for the customer
		return err
	}
	gw.MarkPaid("ORDER-2") // he pays, and no notice says so
	if err := until(ctx, db, 3); err != nil {
		return err
	}
	if err := queue.Stop(ctx); err != nil {
		return err
	}
	var orders, effects int
	err = db.QueryRow(ctx, `select count(*), (select count(*) from effects) from orders where status = 'success'`).
		Scan(&orders, &effects)
	if err != nil || orders != 3 || effects != 3 {
		return fmt.Errorf("%d orders took effect %d times, instead of 3 and 3: %w", orders, effects, err)
	}
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
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),                     // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret,            // 签名秘钥 in the gateway's console
		Retry:      daxpay.Retry{MaxAttempts: 1}, // the queue comes again by itself
	})
	if err != nil {
		return nil, err
	}
	sink := reconcile.Sink{
		Pay: func(ctx context.Context, o reconcile.Order, m *model.PayOrderModel) error {
			fmt.Println(o.No, m.Status)
			return settle(ctx, db, o.No, m.Status)
		},
		Unknown: func(_ context.Context, o reconcile.Order, why *daxpay.UnresolvedError) error {
			fmt.Println(o.No, "needs a person:", why.Reason)
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
		// What a killed process was at is looked at by another one then, instead of after an hour.
		RescueStuckJobsAfter: 3 * time.Minute,
	})
}

// until waits until so many orders are paid.
func until(ctx context.Context, db *pgxpool.Pool, paid int) error {
	for {
		var n int
		err := db.QueryRow(ctx, `select count(*) from orders where status = 'success'`).Scan(&n)
		if err != nil || n >= paid {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
