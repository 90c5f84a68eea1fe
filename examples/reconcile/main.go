// Reconcile is a shop with its orders in SQLite, in which notices and the reconciler bring what became of them side by
// side. Some notices are lost, one comes twice, one comes while the reconciler is at it; every order takes effect once:
//
//	cd examples/reconcile && go run .
//
// It needs nothing set up: the gateway and the database are in memory. The heart of it is shop.settle.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	_ "modernc.org/sqlite"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/daxpaytest"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
	"github.com/daxpay-go/daxpay/reconcile"
)

// schema has the orders, of all kinds in one table here, and what the shop did about those that ended: goods that were
// sent, money that was booked.
const schema = `
create table orders (
	kind text not null, no text not null, amount integer not null, made integer not null,
	status text not null default 'open',
	watched integer not null default 0, -- until when a payment that is over is listed, because it may still be paid
	told text not null default '',      -- why its outcome cannot be told, for a person
	primary key (kind, no)
);
create index orders_open on orders (kind, no) where status in ('open', 'close', 'cancel', 'fail');
create table effects (kind text not null, no text not null, status text not null, told_by text not null);`

type shop struct{ db *sql.DB }

// update takes any status for an order that is open. A payment that is over takes success as well, because the customer
// can pay at the channel after it was closed; what succeeded takes nothing any more.
const update = `
update orders set status = ?, watched = ? where kind = ? and no = ?
and (status = 'open' or kind = 'pay' and status in ('close', 'cancel', 'fail') and ? = 'success')`

// watchedFor is how long a payment that is over stays listed. It is longer than any of this shop's payments can be
// paid: an hour beyond the 30 minutes after which they expire.
const watchedFor = 90 * time.Minute

// settle stores how an order ended, and does what has to be done about it, in one transaction. The first caller changes
// the row; every later one changes none, and does nothing. Only what is proved comes here: model.Succeeded, or a
// payment that is model.Ended.
func (s *shop) settle(ctx context.Context, kind reconcile.Kind, no string, amount int64, status, by string) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	var ours int64
	if err := tx.QueryRowContext(
		ctx, `select amount from orders where kind = ? and no = ?`, kind, no,
	).Scan(&ours); err != nil {
		return fmt.Errorf("%s %s is no order of ours: %w", kind, no, err)
	}
	if ours != amount {
		return fmt.Errorf("%s %s has another amount: %w", kind, no, daxpay.ErrEcho)
	}
	res, err := tx.ExecContext(ctx, update, status, time.Now().Add(watchedFor).UnixMilli(), kind, no, status)
	if err != nil {
		return err
	}
	if changed, err := res.RowsAffected(); err != nil || changed == 0 {
		fmt.Printf("%-10s  %s %s: was settled before\n", by, kind, no)
		return err
	}
	if _, err := tx.ExecContext(ctx, `insert into effects values (?, ?, ?, ?)`, kind, no, status, by); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	fmt.Printf("%-10s  %s %s: %s\n", by, kind, no, status)
	return nil
}

// open selects what is open, and the payments that are over and may still be paid.
const open = `
select no, amount, made, status <> 'open' from orders where kind = ? and no > ?
and (status = 'open' or kind = 'pay' and status in ('close', 'cancel', 'fail') and watched > ?) order by no limit ?`

// Open implements reconcile.Source.
func (s *shop) Open(ctx context.Context, kind reconcile.Kind, after string, limit int) ([]reconcile.Order, error) {
	rows, err := s.db.QueryContext(ctx, open, kind, after, time.Now().UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what there is to say
	var orders []reconcile.Order
	for rows.Next() {
		var o reconcile.Order
		var made int64
		if err := rows.Scan(&o.No, &o.Amount, &made, &o.Ended); err != nil {
			return nil, err
		}
		o.Made = time.UnixMilli(made)
		orders = append(orders, o)
	}
	return orders, rows.Err()
}

// sink is the reconciler's way to settle.
func (s *shop) sink() reconcile.Sink {
	const by = "reconciler"
	return reconcile.Sink{
		Pay: func(ctx context.Context, o reconcile.Order, m *model.PayOrderModel) error {
			return s.settle(ctx, o.Kind, o.No, m.Amount, string(m.Status), by)
		},
		Refund: func(ctx context.Context, o reconcile.Order, m *model.RefundOrderModel) error {
			return s.settle(ctx, o.Kind, o.No, m.Amount, string(m.Status), by)
		},
		Transfer: func(ctx context.Context, o reconcile.Order, m *model.TransferOrderModel) error {
			return s.settle(ctx, o.Kind, o.No, m.Amount, string(m.Status), by)
		},
		Unknown: s.unknown,
	}
}

// unknown leaves the order open, for a person to decide. Nothing is sent again here, and a transfer must not be.
func (s *shop) unknown(ctx context.Context, o reconcile.Order, why *daxpay.UnresolvedError) error {
	fmt.Printf("%-10s  %s %s: %s; a person has to look\n", "reconciler", o.Kind, o.No, why.Reason)
	_, err := s.db.ExecContext(
		ctx, `update orders set told = ? where kind = ? and no = ?`, string(why.Reason), o.Kind, o.No,
	)
	return err
}

// notices is the gateway's way to settle. It has none for transfers.
func (s *shop) notices(kit *daxpay.Client) http.Handler {
	const by = "notice"
	return kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay: func(ctx context.Context, n *model.PayNotice) error {
			if standing := n.Standing(); standing != model.Succeeded && standing != model.Ended {
				return nil // older gateways send such notices, too
			}
			return s.settle(ctx, reconcile.Pay, n.BizOrderNo, n.Amount, string(n.Status), by)
		},
		Refund: func(ctx context.Context, n *model.RefundNotice) error {
			if !n.Refunded() {
				return nil // that is not proved: the reconciler looks after it
			}
			return s.settle(ctx, reconcile.Refund, n.BizRefundNo, n.Amount, string(n.Status), by)
		},
		OnError: func(_ context.Context, err error) { fmt.Println("a notice was refused:", err) },
	})
}

// add stores an order, before the gateway hears of it.
func (s *shop) add(ctx context.Context, kind reconcile.Kind, no string, amount int64, age time.Duration) error {
	_, err := s.db.ExecContext(
		ctx, `insert into orders (kind, no, amount, made) values (?, ?, ?, ?)`, kind, no, amount,
		time.Now().Add(-age).UnixMilli(),
	)
	return err
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	defer db.Close()      //nolint:errcheck // it is in memory
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	gw := daxpaytest.New() // stands for your gateway
	defer gw.Close()
	kit, err := daxpay.New(daxpay.Config{
		ServiceURL: gw.URL(),                     // such as "https://pay.example.com"
		SignSecret: daxpaytest.Secret,            // 签名秘钥 in the gateway's console
		Retry:      daxpay.Retry{MaxAttempts: 1}, // the reconciler comes again by itself
	})
	if err != nil {
		return err
	}
	s := &shop{db: db}
	server := httptest.NewUnstartedServer(s.notices(kit)) // an http.Server in a real shop
	server.Config.ReadHeaderTimeout = 5 * time.Second
	server.Start()
	defer server.Close()

	if err := trade(ctx, s, kit, gw, server.URL); err != nil {
		return err
	}
	options := reconcile.Options{ // a real shop leaves all times at their defaults, which are for people who pay
		Grace: 50 * time.Millisecond, First: 50 * time.Millisecond, RetryAfter: 50 * time.Millisecond,
		ListEvery: 50 * time.Millisecond,
		Interval:  time.Millisecond,
		OnError:   func(o reconcile.Order, err error) { fmt.Println(o.Kind, o.No, err) },
	}
	if err := s.live(ctx, kit, gw, options); err != nil {
		return err
	}
	// The customer pays ORDER-8 after it was closed, which only a sync after its expiry finds. A process that starts an
	// hour later has the table: what succeeded does not come again; what is unknown does, because nobody decided.
	gw.Channel().Pays("ORDER-8")
	options.Now = func() time.Time { return time.Now().Add(time.Hour) }
	again, err := reconcile.New(kit, s, s.sink(), options)
	if err != nil {
		return err
	}
	if err := again.Once(ctx); err != nil {
		return err
	}
	if handed := again.Stats().Handed; handed != 1 {
		return fmt.Errorf("%d orders came after the restart, instead of ORDER-8", handed)
	}
	return s.check(ctx, gw)
}

// live runs the reconciler until there is nothing left to do for it.
func (s *shop) live(ctx context.Context, kit *daxpay.Client, gw *daxpaytest.Gateway, options reconcile.Options) error {
	r, err := reconcile.New(kit, s, s.sink(), options)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var background sync.WaitGroup
	background.Add(2)
	go func() {
		defer background.Done()
		if err := r.Run(running); err != nil {
			fmt.Println(err)
		}
	}()
	go func() { // ORDER-5 is brought from both sides at once
		defer background.Done()
		_, _ = gw.SendNotice(ctx, "ORDER-5") // not received: the gateway would send it again
	}()
	err = s.wait(ctx)
	stop()
	background.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("stopped: %+v\n", r.Stats())
	return nil
}

// trade makes the orders and lets the gateway's side of them happen.
func trade(ctx context.Context, s *shop, kit *daxpay.Client, gw *daxpaytest.Gateway, notifyURL string) error {
	for i, no := range []string{
		"ORDER-1", "ORDER-2", "ORDER-3", "ORDER-4", "ORDER-5", "ORDER-6", "ORDER-7", "ORDER-8",
	} {
		amount := int64(1000 * (i + 1))
		age := time.Duration(0)
		if no == "ORDER-7" {
			age = time.Hour // the shop crashed then, before it called the gateway
		}
		if err := s.add(ctx, reconcile.Pay, no, amount, age); err != nil {
			return err
		}
		if age > 0 {
			continue
		}
		_, err := kit.Pay(ctx, &param.PayParam{
			BizOrderNo: no, Title: "tea", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: amount,
			NotifyURL: notifyURL,
		})
		if err != nil {
			return err
		}
		switch no {
		case "ORDER-6": // that customer has not made up his mind
		case "ORDER-8":
			if _, err := kit.ClosePay(ctx, &param.PayCloseParam{BizOrderNo: no}); err != nil {
				return err
			}
		default:
			gw.MarkPaid(no)
		}
	}
	// The notices about ORDER-3 and ORDER-4 are lost.
	for _, no := range []string{"ORDER-1", "ORDER-2", "ORDER-2"} {
		sent, err := gw.SendNotice(ctx, no)
		if err != nil {
			return err
		}
		if !sent.Received {
			return fmt.Errorf("the notice about %s was not received: %d %s", no, sent.Status, sent.Reply)
		}
	}
	return giveBackAndPayOut(ctx, s, kit, gw, notifyURL)
}

// giveBackAndPayOut makes a refund and a transfer.
func giveBackAndPayOut(
	ctx context.Context, s *shop, kit *daxpay.Client, gw *daxpaytest.Gateway, notifyURL string,
) error {
	if err := s.add(ctx, reconcile.Refund, "REFUND-1", 400, 0); err != nil {
		return err
	}
	if _, err := kit.Refund(
		ctx, &param.RefundParam{BizRefundNo: "REFUND-1", BizOrderNo: "ORDER-1", Amount: 400, NotifyURL: notifyURL},
	); err != nil {
		return err
	}
	gw.MarkRefunded("REFUND-1")

	if err := s.add(ctx, reconcile.Transfer, "TRANSFER-1", 500, 0); err != nil {
		return err
	}
	_, err := kit.Transfer(ctx, &param.TransferParam{
		BizTransferNo: "TRANSFER-1", Channel: model.ChannelAli, Amount: 500, PayeeType: model.PayeeAliLoginName,
		PayeeAccount: "wang@example.com", PayeeName: "王小明",
	})
	gw.MarkTransferred("TRANSFER-1")
	return err
}

// wait returns when all is settled but ORDER-6 and ORDER-7, and the latter was told to a person.
func (s *shop) wait(ctx context.Context) error {
	for {
		var open, told int
		if err := s.db.QueryRowContext(
			ctx, `select count(*), sum(told <> '') from orders where status = 'open'`,
		).Scan(&open, &told); err != nil {
			return err
		}
		if open == 2 && told == 1 {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// check compares the tables with what must have come of it.
func (s *shop) check(ctx context.Context, gw *daxpaytest.Gateway) error {
	want := map[string]string{
		"ORDER-1": "success", "ORDER-2": "success", "ORDER-3": "success", "ORDER-4": "success", "ORDER-5": "success",
		"ORDER-6": "open", "ORDER-7": "open", "ORDER-8": "success", "REFUND-1": "success", "TRANSFER-1": "success",
	}
	rows, err := s.db.QueryContext(ctx, `
		select o.no, o.status, count(e.no), coalesce(max(e.told_by), '') from orders o
		left join effects e on e.kind = o.kind and e.no = o.no and e.status = o.status
		group by o.kind, o.no order by o.no`)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what there is to say
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "order\tstatus\teffects\ttold by") //nolint:errcheck // to the terminal
	found := 0
	for rows.Next() {
		var no, status, by string
		var effects int
		if err := rows.Scan(&no, &status, &effects, &by); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\t%s\t%d\t%s\n", no, status, effects, by)
		found++
		if status != want[no] || effects != map[bool]int{true: 0, false: 1}[status == "open"] {
			return fmt.Errorf("%s has status %s and took effect %d times, instead of %s", no, status, effects, want[no])
		}
	}
	if err := errors.Join(rows.Err(), out.Flush()); err != nil {
		return err
	}
	if found != len(want) || len(gw.Transfers()) != 1 {
		return fmt.Errorf("%d orders and %d transfers, instead of %d and 1", found, len(gw.Transfers()), len(want))
	}
	return nil
}
