// Command load puts load on a gateway of its own, and prints the memory that it takes and how fast calls and pages are:
//
//	go run ./internal/load -rate 200 -for 10m
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
	"github.com/daxpay-go/daxpay/param"
)

func main() {
	rate := flag.Int("rate", 200, "calls a second")
	length := flag.Duration("for", 10*time.Minute, "how long")
	flag.Parse()
	if err := run(*rate, *length, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

// gauge collects how long something took.
type gauge struct {
	mu     sync.Mutex
	took   []time.Duration
	failed int
}

func (g *gauge) add(d time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.took = append(g.took, d)
	if err != nil {
		g.failed++
	}
}

// String prints the quantiles since it was last printed.
func (g *gauge) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	slices.Sort(g.took)
	if len(g.took) == 0 {
		return "none"
	}
	at := func(share float64) time.Duration {
		return g.took[int(share*float64(len(g.took)-1))].Round(100 * time.Microsecond)
	}
	s := fmt.Sprintf("%d, %d failed, p50 %s, p99 %s, most %s", len(g.took), g.failed, at(.5), at(.99), at(1))
	g.took, g.failed = g.took[:0], 0
	return s
}

func run(rate int, length time.Duration, arguments []string) error {
	dir, err := os.MkdirTemp("", "daxpay-load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is temporary
	program := filepath.Join(dir, "daxpay")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	build := exec.CommandContext( //nolint:gosec // its own
		ctx, "go", "build", "-o", program, "github.com/daxpay-go/daxpay/cmd/daxpay",
	)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	arguments = append([]string{"serve", "--addr", "127.0.0.1:0"}, arguments...)
	gateway := exec.CommandContext(ctx, program, arguments...) //nolint:gosec // its own
	out, err := gateway.StderrPipe()
	if err != nil {
		return err
	}
	if err := gateway.Start(); err != nil {
		return err
	}
	defer func() { cancel(); _ = gateway.Wait() }()
	url, err := serviceURL(out)
	if err != nil {
		return err
	}
	kit, err := daxpay.New(daxpay.Config{ServiceURL: url, SignSecret: "123456", Gateway: daxpay.GatewayV208})
	if err != nil {
		return err
	}
	l := &load{kit: kit, url: url, pid: gateway.Process.Pid}
	l.drive(ctx, rate, length)
	return nil
}

var where = regexp.MustCompile(`service URL +(\S+)`)

func serviceURL(out io.Reader) (string, error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := where.FindStringSubmatch(lines.Text()); found != nil {
			go func() { _, _ = io.Copy(os.Stderr, out) }()
			return found[1], nil
		}
	}
	return "", errors.New("the gateway said nothing")
}

type load struct {
	kit   *daxpay.Client
	url   string
	pid   int
	calls gauge
	pages gauge
}

// drive sends calls at a rate, opens pages, and prints a line every half minute.
func (l *load) drive(ctx context.Context, rate int, length time.Duration) {
	calls := time.NewTicker(time.Second / time.Duration(rate))
	pages, report := time.NewTicker(time.Second), time.NewTicker(30*time.Second)
	defer calls.Stop()
	defer pages.Stop()
	defer report.Stop()
	end := time.After(length)
	began := time.Now()
	var under sync.WaitGroup
	line := func() {
		fmt.Printf(
			"%6s  %s resident  calls: %s  pages: %s\n",
			time.Since(began).Round(time.Second),
			resident(l.pid),
			&l.calls,
			&l.pages,
		)
	}
	for n := 0; ; {
		select {
		case <-calls.C:
			n++
			under.Add(1)
			go func() { defer under.Done(); l.call(ctx, n) }()
		case <-pages.C:
			under.Add(1)
			go func() { defer under.Done(); l.look(ctx) }()
		case <-report.C:
			line()
		case <-end:
			under.Wait()
			line()
			return
		}
	}
}

// call makes one of four calls: a payment by QR code, one by bar code, a refund of that, or a sync.
func (l *load) call(ctx context.Context, n int) {
	number := func(n int) string { return "LOAD-" + strconv.Itoa(n) }
	began := time.Now()
	var err error
	switch step := n % 4; step {
	case 0, 1:
		p := &param.PayParam{
			BizOrderNo: number(n),
			Title:      "tea",
			Channel:    model.ChannelAli,
			Method:     model.MethodQRCode,
			Amount:     100,
		}
		if step == 1 {
			p.Method, p.ExtraParam = model.MethodBarCode, param.BarCode{AuthCode: "280000000000000000"}
		}
		_, err = l.kit.Pay(ctx, p)
	case 2:
		_, err = l.kit.Refund(ctx, &param.RefundParam{BizRefundNo: number(n), BizOrderNo: number(n - 41), Amount: 10})
	case 3:
		_, err = l.kit.SyncPay(ctx, &param.PaySyncParam{BizOrderNo: number(n - 43)})
	}
	if n > 100 || err == nil { // the first ones have nothing to refund
		l.calls.add(time.Since(began), err)
	}
}

// look opens the pages with lists, and searches.
func (l *load) look(ctx context.Context) {
	for _, path := range []string{
		"/_console/", "/_console/?q=nothing-like-this", "/_console/requests", "/_console/requests?q=nothing-like-this",
		"/_console/notices",
	} {
		began := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+path, nil)
		if err != nil {
			l.pages.add(0, err)
			continue
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		l.pages.add(time.Since(began), err)
	}
}

// resident is the memory of a process, where the system reports it.
func resident(pid int) string {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return "?"
	}
	for _, line := range strings.Split(string(status), "\n") {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")))
			return fmt.Sprintf("%d MB", n>>10)
		}
	}
	return "?"
}
