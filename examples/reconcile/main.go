// Reconcile is a shop with its orders in SQLite, which learns from notices and from the reconciler how they end. Some
// notices are lost, one comes twice, and one comes while the reconciler looks at the order; every order takes effect
// once, by shop.settle.
//
//	cd examples/reconcile && go run .
//
// It needs no setup: the gateway and the database are in memory.
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

// schema has the orders, of all kinds in one table, and what the shop did about those that ended, such as send goods.
const schema = `
create table orders (
	kind text not null, no text not null, amount integer not null, made integer not null,
	status text not null default 'open',
	watched integer not null default 0, -- until when a payment that has ended is listed, because it can still be paid
	told text not null default '',      -- why a person must look at it
	primary key (kind, no)
);
create index orders_open on orders (kind, no) where status in ('open', 'ended');
create table effects (kind text not null, no text not null, status text not null, told_by text not null);`

type shop struct{ db *sql.DB }

// update changes an order that is open. It also changes a payment from ended to succeeded, because the customer can pay
// at the channel after the gateway has closed it. The status is the name of a model.Standing.
const update = `
update orders set status = ?, watched = ? where kind = ? and no = ?
and (status = 'open' or kind = 'pay' and status = 'ended' and ? = 'succeeded')`

// watchedFor is how long a payment that has ended stays listed. In this shop payments expire after 30 minutes; an hour
// later none can be paid any more.
const watchedFor = 90 * time.Minute

// settle stores how an order ended, and does what the shop has to do about it, in one transaction. The first caller
// changes the row; later callers change no row and do nothing. The standing must be proved: model.Succeeded, or for a
// payment model.Ended.
func (s *shop) settle(
	ctx context.Context, kind reconcile.Kind, no string, amount int64, standing model.Standing, by string,
) error {
	status := standing.String()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it fails after Commit
	var ours int64
	if err := tx.QueryRowContext(
		ctx, `select amount from orders where kind = ? and no = ?`, kind, no,
	).Scan(&ours); err != nil {
		return fmt.Errorf("%s %s is not our order: %w", kind, no, err)
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

// open selects the open orders, and the payments that have ended and can still be paid.
const open = `
select no, amount, made, status <> 'open' from orders where kind = ? and no > ?
and (status = 'open' or kind = 'pay' and status = 'ended' and watched > ?) order by no limit ?`

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

// sink settles what the reconciler finds.
func (s *shop) sink() reconcile.Sink {
	const by = "reconciler"
	return reconcile.Sink{
		Pay: func(ctx context.Context, o reconcile.Order, m *model.PayOrderModel) error {
			return s.settle(ctx, o.Kind, o.No, m.Amount, m.Standing(), by)
		},
		Refund: func(ctx context.Context, o reconcile.Order, m *model.RefundOrderModel) error {
			return s.settle(ctx, o.Kind, o.No, m.Amount, m.Standing(), by)
		},
		Transfer: func(ctx context.Context, o reconcile.Order, m *model.TransferOrderModel) error {
			return s.settle(ctx, o.Kind, o.No, m.Amount, m.Standing(), by)
		},
		Unknown: s.unknown,
	}
}

// unknown leaves the order open until a person has decided. It sends nothing again: a transfer would be paid twice.
func (s *shop) unknown(ctx context.Context, o reconcile.Order, why *daxpay.UnresolvedError) error {
	fmt.Printf("%-10s  %s %s: a person must look: %s\n", "reconciler", o.Kind, o.No, why.Reason)
	_, err := s.db.ExecContext(
		ctx, `update orders set told = ? where kind = ? and no = ?`, string(why.Reason), o.Kind, o.No,
	)
	return err
}

// notices settles what notices say. There are none for transfers.
func (s *shop) notices(kit *daxpay.Client) http.Handler {
	const by = "notice"
	return kit.NoticeHandler(daxpay.NoticeHandlers{
		Pay: func(ctx context.Context, n *model.PayNotice) error {
			standing := n.Standing()
			if standing != model.Succeeded && standing != model.Ended {
				return nil // it proves nothing, so the reconciler follows the payment
			}
			return s.settle(ctx, reconcile.Pay, n.BizOrderNo, n.Amount, standing, by)
		},
		Refund: func(ctx context.Context, n *model.RefundNotice) error {
			if !n.Refunded() {
				return nil // it proves nothing, so the reconciler follows the refund
			}
			return s.settle(ctx, reconcile.Refund, n.BizRefundNo, n.Amount, n.Standing(), by)
		},
	})
}

// add stores an order, before the shop calls the gateway.
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
	db.SetMaxOpenConns(1) // each connection has a database of its own
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	gw := daxpaytest.New() // stands for your gateway
	defer gw.Close()
	config := gw.Config()        // for your gateway: daxpay.ConfigFromEnv
	config.Retry.MaxAttempts = 1 // the reconciler repeats looks
	kit, err := daxpay.New(config)
	if err != nil {
		return err
	}
	s := &shop{db: db}
	server := httptest.NewUnstartedServer(s.notices(kit)) // stands for your http.Server
	server.Config.ReadHeaderTimeout = 5 * time.Second
	server.Start()
	defer server.Close()

	if err := trade(ctx, s, kit, gw, server.URL); err != nil {
		return err
	}
	options := reconcile.Options{ // a shop leaves all times at their defaults
		Grace: 50 * time.Millisecond, First: 50 * time.Millisecond, RetryAfter: 50 * time.Millisecond,
		ListEvery: 50 * time.Millisecond,
		Interval:  time.Millisecond,
		OnError:   func(o reconcile.Order, err error) { fmt.Println(o.Kind, o.No, err) },
	}
	if err := s.live(ctx, kit, gw, options); err != nil {
		return err
	}
	// The customer pays ORDER-8 after it was closed. Only a sync after its expiry finds that. A process that starts an
	// hour later reads the table: it does not look at orders that succeeded, but at those about which nobody has decided.
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
		return fmt.Errorf("%d orders were handed over after the restart, instead of ORDER-8", handed)
	}
	return s.check(ctx, gw)
}

// live runs the reconciler until it has nothing left to do.
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
	go func() { // the notice about ORDER-5 comes while the reconciler runs
		defer background.Done()
		_, _ = gw.SendNotice(ctx, "ORDER-5") // if it is not received, the reconciler settles the order
	}()
	err = s.wait(ctx)
	stop()
	background.Wait()
	if err != nil {
		return err
	}
	stats := r.Stats()
	fmt.Printf("the reconciler made %d looks and handed over %d orders\n", stats.Looks, stats.Handed)
	return nil
}

// trade makes the orders, which customers pay or close, and delivers some notices.
func trade(ctx context.Context, s *shop, kit *daxpay.Client, gw *daxpaytest.Gateway, notifyURL string) error {
	for i, no := range []string{
		"ORDER-1", "ORDER-2", "ORDER-3", "ORDER-4", "ORDER-5", "ORDER-6", "ORDER-7", "ORDER-8",
	} {
		amount := int64(1000 * (i + 1))
		age := time.Duration(0)
		if no == "ORDER-7" {
			age = time.Hour // the shop crashed before it called the gateway
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
		case "ORDER-6": // the customer has not paid yet
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

// wait returns when all orders but ORDER-6 and ORDER-7 are settled, and a person was told about ORDER-7.
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

// check compares the tables with the expected result, and prints them.
func (s *shop) check(ctx context.Context, gw *daxpaytest.Gateway) error {
	paid := model.Succeeded.String()
	want := map[string]string{
		"ORDER-1": paid, "ORDER-2": paid, "ORDER-3": paid, "ORDER-4": paid, "ORDER-5": paid,
		"ORDER-6": "open", "ORDER-7": "open", "ORDER-8": paid, "REFUND-1": paid, "TRANSFER-1": paid,
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
			return fmt.Errorf("%s has status %s instead of %s, and took effect %d times", no, status, want[no], effects)
		}
	}
	if err := errors.Join(rows.Err(), out.Flush()); err != nil {
		return err
	}
	if found != len(want) || len(gw.Transfers()) != 1 {
		return fmt.Errorf("%d orders and %d transfers instead of %d and 1", found, len(gw.Transfers()), len(want))
	}
	return nil
}
