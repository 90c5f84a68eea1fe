package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"
)

// maxListDoublings limits how often the pause between lists doubles while they fail.
const maxListDoublings = 3

func listPause(every time.Duration, failures int) time.Duration {
	return doubled(every, min(failures, maxListDoublings), math.MaxInt64)
}

var errRepeats = errors.New("an order is listed twice: Open must return the numbers in order, " +
	"and only those after the given one")

// keepListing lists the open orders until the context ends.
func (r *Reconciler) keepListing(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		failures++
		if r.list(ctx) == nil {
			failures = 0
		}
		timer := time.NewTimer(listPause(r.options.ListEvery, failures))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// list lists the open orders of every kind once. Its error holds a *SourceError for every kind that failed.
func (r *Reconciler) list(ctx context.Context) error {
	var faults []error
	for kind := range r.lookups {
		listed, err := r.listKind(ctx, kind)
		switch {
		case err == nil:
			r.count(func(s *Stats) { s.Listings++ })
			r.log(ctx, slog.LevelDebug, "listed", kind, slog.Int("open", listed))
		case ctx.Err() != nil:
			return errors.Join(faults...)
		default:
			err = &SourceError{Kind: kind, Err: err}
			faults = append(faults, err)
			r.count(func(s *Stats) { s.SourceErrors++ })
			r.log(ctx, slog.LevelWarn, "source failed", kind)
			r.report(Order{Kind: kind}, err)
		}
	}
	return errors.Join(faults...)
}

func (r *Reconciler) listKind(ctx context.Context, kind Kind) (listed int, err error) {
	listing := r.orders.begin()
	for after := ""; ; {
		var page []Order
		err := r.callback(ctx, func(ctx context.Context) (err error) {
			page, err = r.source.Open(ctx, kind, after, r.options.PageSize)
			return err
		})
		if err != nil {
			return 0, err
		}
		if !r.orders.add(kind, listing, page, r.options.Now()) {
			return 0, errRepeats
		}
		if len(page) < r.options.PageSize {
			return r.orders.drop(kind, listing), nil
		}
		after = page[len(page)-1].No
	}
}
