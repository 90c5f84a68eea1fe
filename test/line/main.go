// Command line measures what happens to calls and notices when the line, the transport or a store fails: behind a real
// nginx, with real Redis and PostgreSQL servers, with raw TCP servers, and with processes that kill themselves. It
// fails if a promise of SECURITY.md is broken. Everything runs on this machine.
//
//	go run .                      everything
//	go run . -only nginx,crash    some of it
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

// measurement is something to measure. run returns an error if a promise is broken.
type measurement struct {
	name string
	run  func(ctx context.Context, r *report) error
}

func measurements(transfers int) []measurement {
	return []measurement{
		{"nginx", behindNginx},
		{"swallowed", swallowed},
		{"idle", idleRace},
		{"slow", slowChannel},
		{"repeating", repeatingTransports},
		{"dripping", drippingBodies},
		{"hostile", hostileBodies},
		{"stalled", stalledRedis},
		{"crash", func(ctx context.Context, r *report) error { return crashes(ctx, r, transfers) }},
	}
}

// report prints what is measured.
type report struct{ name string }

func (r *report) add(what, format string, args ...any) {
	fmt.Printf("%-10s %-62s %s\n", r.name, what, fmt.Sprintf(format, args...))
}

func main() {
	if os.Getenv(workerEnv) != "" {
		os.Exit(work())
	}
	only := flag.String("only", "", "names of measurements, separated by commas; all if empty")
	transfers := flag.Int("transfers", 10_000, "how many transfers the processes that crash share")
	flag.Parse()
	if err := trustTestCertificate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	failed := false
	for _, m := range measurements(*transfers) {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), m.name) {
			continue
		}
		r := &report{m.name}
		start := time.Now()
		switch err := m.run(context.Background(), r); {
		case errors.Is(err, errAbsent):
			r.add("skipped", "%v", err)
		case err != nil:
			r.add("FAILED", "%v", err)
			failed = true
		default:
			r.add("done", "in %v", time.Since(start).Round(100*time.Millisecond))
		}
	}
	if failed {
		os.Exit(1)
	}
}

// errAbsent says that a program is not installed.
var errAbsent = errors.New("it is not on this machine")

func aTransfer(no string) *param.TransferParam {
	return &param.TransferParam{
		BizTransferNo: no, Channel: model.ChannelAli, Amount: 1, PayeeType: model.PayeeAliUserID, PayeeAccount: "2088",
	}
}

func aPayment(no string) *param.PayParam {
	return &param.PayParam{
		BizOrderNo: no, Title: "t", Channel: model.ChannelAli, Method: model.MethodQRCode, Amount: 1,
	}
}

// outcomes counts how calls ended.
type outcomes struct{ fine, unknown, neverSent, refused, duplicate int }

func (o *outcomes) add(err error) {
	var transport *daxpay.TransportError
	switch {
	case err == nil:
		o.fine++
	case errors.Is(err, daxpay.ErrDuplicate):
		o.duplicate++
	case errors.Is(err, daxpay.ErrOutcomeUnknown):
		o.unknown++
	case errors.As(err, &transport) && transport.NeverSent:
		o.neverSent++
	default:
		o.refused++
	}
}

func (o *outcomes) calls() int { return o.fine + o.unknown + o.neverSent + o.refused + o.duplicate }
