// Command soak runs a client for a long time against a gateway that fails in many ways, and checks that nothing piles
// up and nothing is mixed up:
//
//	go run ./soak            # for 10 minutes
//	go run ./soak -for 2m
//
// Workers make calls of all kinds. Every answer must be about the order that was asked for, every error must be the one
// that the fault causes, and every notice, which arrives several times, must take effect once. After a warm-up of a
// tenth of the time the program looks at itself every few seconds, when no call is running and idle connections are
// closed: heap in use after a garbage collection, goroutines, connections that stay open. In the last third of the time
// the heap may differ by 10 % from the first third, goroutines must not have grown, and no connection may stay. Else
// the exit status is 1.
//
// The gateway runs in a process of its own, so that its memory does not count.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
)

// options are the flags.
type options struct {
	length  time.Duration
	every   time.Duration
	workers int
	seed    uint64
}

func main() {
	var o options
	flag.DurationVar(&o.length, "for", 10*time.Minute, "how long to run")
	flag.DurationVar(&o.every, "every", 10*time.Second, "how often to look at memory")
	flag.IntVar(&o.workers, "workers", 32, "how many calls there are at once")
	flag.Uint64Var(&o.seed, "seed", 1, "decides which calls are made, and what becomes of them")
	gateway := flag.Bool("gateway", false, "be the gateway's process; the program uses it itself")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := o.soak
	if *gateway {
		run = serveGateway
	}
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing to do that the end of the process does not
	}
}

// soak is the whole run. Its error says that something was wrong.
func (o options) soak(ctx context.Context, out io.Writer) error {
	if o.length < 10*o.every || o.workers < 1 {
		return errors.New("-for must be at least ten times -every, and -workers at least 1")
	}
	gateway, err := startGateway(ctx)
	if err != nil {
		return err
	}
	defer gateway.stop()
	run := &run{gateway: gateway, kinds: kinds(), struck: make([]atomic.Uint64, len(faults))}
	if run.kit, err = daxpay.New(daxpay.Config{
		ServiceURL: gateway.URL,
		SignSecret: secret,
		Gateway:    daxpay.GatewayV208,
		// Shorter than the defaults, so that there are more calls, and without a limit to repetitions, which would
		// leave it to chance whether a fault that lasts for one attempt is overcome.
		Timeout:        4 * patience,
		AttemptTimeout: patience,
		// Some callbacks fail on purpose. Real faults are reported as problems.
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Retry:  daxpay.Retry{BaseDelay: 5 * time.Millisecond, MaxDelay: 20 * time.Millisecond, Budget: -1},
	}); err != nil {
		return err
	}
	if run.shop, err = openShop(ctx, run.kit, run.problem); err != nil {
		return err
	}
	defer run.shop.close()

	start := time.Now()
	timed, cancel := context.WithTimeout(ctx, o.length)
	defer cancel()
	var workers sync.WaitGroup
	for i := range o.workers {
		workers.Add(1)
		go func() {
			defer workers.Done()
			run.work(timed, i, o.seed)
		}()
	}
	samples := run.watch(timed, out, start, o)
	cancel()
	workers.Wait()
	run.report(out, time.Since(start), run.finish(context.WithoutCancel(ctx)))
	return errors.Join(run.verdict(), judge(out, samples))
}
