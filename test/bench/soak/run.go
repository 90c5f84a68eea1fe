package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daxpay-go/daxpay"
)

// run is what the workers share. Nothing in it grows.
type run struct {
	gateway *gateway
	kit     *daxpay.Client
	shop    *shop
	kinds   []kind

	calls  atomic.Uint64
	struck []atomic.Uint64 // calls, by fault
	// rest is read-locked by every call, and locked while a sample is taken: no call is running then.
	rest sync.RWMutex

	mu       sync.Mutex
	problems int
	first    []error // a few of them
}

// mostShown is how many problems are shown.
const mostShown = 20

func (r *run) problem(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems++
	if len(r.first) < mostShown {
		r.first = append(r.first, err)
	}
}

func (r *run) problemCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.problems
}

// work makes calls until the context ends.
func (r *run) work(ctx context.Context, worker int, seed uint64) {
	random := rand.New(rand.NewPCG(seed, uint64(worker))) //nolint:gosec // nothing secret
	for ctx.Err() == nil {
		r.call(context.WithoutCancel(ctx), random)
	}
}

// call makes one call, and waits for its end even if the run is over.
func (r *run) call(ctx context.Context, random *rand.Rand) {
	r.rest.RLock()
	defer r.rest.RUnlock()
	n := r.calls.Add(1)
	kind, fault := &r.kinds[random.IntN(len(r.kinds))], choose(random)
	s := subject{kit: r.kit, tag: tag(fault, n), n: textOf(n)}
	if kind.absent {
		s.n = absent + s.n
	}
	r.struck[fault].Add(1)
	if kind.notice != "" && faults[fault].explains == nil {
		s.notify = r.shop.url
		r.shop.expect(s.n, kind.notice)
	}
	if err := faults[fault].check(kind.Effect, kind.call(ctx, s)); err != nil {
		r.problem(fmt.Errorf("%s with fault %q: %w", kind.name(), faults[fault].name, err))
	}
}

// sample is the state of the process when no call is running and no connection is open.
type sample struct {
	heap       uint64 // bytes in use after a garbage collection
	spans      uint64 // bytes of the heap's spans in use, including gaps between objects
	system     uint64 // bytes that the process has from the operating system
	goroutines int
}

// watch takes samples until the context ends, and prints a line for each. It returns those after the warm-up.
func (r *run) watch(ctx context.Context, out io.Writer, start time.Time, o options) []sample {
	var samples []sample
	for {
		select {
		case <-ctx.Done():
			return samples
		case <-time.After(o.every):
		}
		s, open := r.look(context.WithoutCancel(ctx))
		elapsed, note := time.Since(start), ""
		if elapsed < o.length/10 {
			note = "  (warm-up)"
		} else {
			samples = append(samples, s)
		}
		_, handled, _ := r.shop.state()
		fmt.Fprintf(out, "%6s  %8d calls  %7d notices  %3d connections; at rest: heap %5.0f KiB, spans %5.0f KiB, of the "+
			"system %5.1f MiB, %2d goroutines; %d problems%s\n",
			elapsed.Round(time.Second), r.calls.Load(), handled, open, kib(s.heap), kib(s.spans), kib(s.system)/1024,
			s.goroutines, r.problemCount(), note)
	}
}

func kib(bytes uint64) float64 { return float64(bytes) / 1024 }

// look waits until no call and no notice is running, has idle connections closed, and takes a sample. The number of
// connections varies, and each has memory and goroutines; connections that cannot be closed are leaks. It returns how
// many connections to the gateway were open before.
func (r *run) look(ctx context.Context) (s sample, open int64) {
	r.rest.Lock()
	defer r.rest.Unlock()
	known, err := r.await(ctx, "", "notices do not come to an end", func(f figures) bool { return f.Delivering == 0 })
	if err != nil {
		r.problem(err)
	}
	open = known.Connections
	if _, err = r.await(ctx, dropping, "connections stay open though no call is under way", func(f figures) bool {
		dropIdle(r.shop.server)
		return f.Connections == 0 && r.shop.connections.Load() == 0
	}); err != nil {
		r.problem(err)
	}
	s.goroutines = leastGoroutines()
	// Twice: the second collection frees what is in a sync.Pool.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap, s.spans, s.system = m.HeapAlloc, m.HeapInuse, m.Sys-m.HeapReleased
	return s, open
}

// leastGoroutines waits until goroutines that are about to end have ended. Nothing tells of the end of a goroutine that
// belongs to net/http, so it counts until the number has stayed the same for 100 ms.
func leastGoroutines() int {
	least := runtime.NumGoroutine()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for calm := 0; calm < 10; calm++ {
		<-ticker.C
		if n := runtime.NumGoroutine(); n < least {
			least, calm = n, 0
		}
	}
	return least
}

// await asks the gateway's process for its figures until they are good. complaint is the error if they are not good
// after a thousand times.
func (r *run) await(ctx context.Context, path, complaint string, good func(figures) bool) (figures, error) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for range 1000 {
		f, err := r.gateway.figures(ctx, path)
		if err != nil || good(f) {
			return f, err
		}
		<-ticker.C
	}
	return figures{}, errors.New(complaint)
}

// finish waits for the last notices and checks that none is lost. It returns the gateway's last figures.
func (r *run) finish(ctx context.Context) figures {
	known, err := r.await(ctx, "", "notices do not come to an end", func(f figures) bool { return f.Delivering == 0 })
	if err != nil {
		r.problem(err)
	}
	if known.Lost > 0 {
		r.problem(fmt.Errorf("%d notices were never received", known.Lost))
	}
	if open, _, _ := r.shop.state(); open > 0 {
		r.problem(fmt.Errorf("%d orders whose notice never came", open))
	}
	return known
}

func (r *run) report(out io.Writer, took time.Duration, known figures) {
	_, handled, failures := r.shop.state()
	calls := r.calls.Load()
	fmt.Fprintf(out, "\n%d calls in %s, %.0f a second, %d requests\n", calls, took.Round(time.Second),
		float64(calls)/took.Seconds(), known.Requests)
	fmt.Fprintf(out, "%d notices handled, each once; %d deliveries received, %d failed in the callback\n", handled,
		known.Delivered, failures)
	for i := range faults {
		fmt.Fprintf(out, "  fault %-24s %8d calls\n", faults[i].name, r.struck[i].Load())
	}
}

// verdict returns what was wrong with calls and notices.
func (r *run) verdict() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problems == 0 {
		return nil
	}
	return fmt.Errorf("%d problems, the first of them:\n%w", r.problems, errors.Join(r.first...))
}

// judge compares the last third of the samples with the first.
func judge(out io.Writer, samples []sample) error {
	if len(samples) < 6 {
		return fmt.Errorf("only %d samples: it was too short to tell anything", len(samples))
	}
	third := len(samples) / 3
	first, last := samples[:third], samples[len(samples)-third:]
	var wrong []error
	for _, figure := range []struct {
		name        string
		of          func(sample) float64
		least, most float64 // how it may change, in percent
	}{
		{"heap in use, KiB", func(s sample) float64 { return kib(s.heap) }, -10, 10},
		{"heap's spans, KiB", func(s sample) float64 { return kib(s.spans) }, -10, 10},
		{"goroutines", func(s sample) float64 { return float64(s.goroutines) }, -100, 1},
	} {
		before, after := mean(first, figure.of), mean(last, figure.of)
		change := 100 * (after - before) / before
		fmt.Fprintf(out, "%-18s at rest: first third %8.1f, last third %8.1f: %+.1f %%\n", figure.name, before, after, change)
		if change < figure.least || change > figure.most {
			wrong = append(wrong, fmt.Errorf("%s changed by %+.1f %%", figure.name, change))
		}
	}
	return errors.Join(wrong...)
}

func mean(samples []sample, of func(sample) float64) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += of(s)
	}
	return sum / float64(len(samples))
}
