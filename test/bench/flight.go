package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"
)

const flights = 10_000

// flying measures what many calls at once cost: memory while all of them wait, and connections.
func flying(m *meter) []row {
	var ours, bare []float64
	rounds := min(m.rounds, 3)
	for range rounds {
		ours = append(ours, heldMemory(ourCall))
		bare = append(bare, heldMemory(bareCall))
	}
	opened, peak, later := waves()
	memory := ratioOf(ours, bare)
	return []row{
		{
			work: fmt.Sprintf("%d calls at once: memory for each ÷ bare net/http", flights), value: memory, target: target(1.25),
			detail: fmt.Sprintf("%.0f bytes ÷ %.0f bytes, all connections included, %d runs", median(ours), median(bare),
				rounds),
		},
		{
			work:   fmt.Sprintf("%d calls at once: connections ÷ most requests at once", flights),
			value:  exactly(float64(opened) / float64(peak)),
			target: target(1.02), format: "%.3f", detail: fmt.Sprintf("%d ÷ %d", opened, peak),
		},
		{work: "the same again, three times: new connections", value: exactly(float64(later)), target: target(0),
			format: "%.0f"},
	}
}

func ourCall(url string) func() error {
	kit, p := newClient(url), fourMembersParam()
	return func() error { _, err := kit.SyncPay(context.Background(), p); return err }
}

func bareCall(url string) func() error {
	client, body := &http.Client{Transport: newTransport(), Timeout: 30 * time.Second}, preparedBody()
	return func() error { return postBare(client, url, body) }
}

// heldMemory returns the bytes that one call takes while all of them wait for their answers.
func heldMemory(prepare func(url string) func() error) float64 {
	url, stop := startServer()
	defer stop()
	call := prepare(url + holdPath)
	before := inUse()
	done := together(call)
	allHeld(url)
	each := float64(inUse()-before) / flights
	get(url + letGoPath)
	<-done
	return each
}

// waves makes four waves of calls. The calls of a wave are answered 100 ms after all of them have arrived. It returns
// how many connections the first wave opened, how many calls the server had at most at once, and how many connections
// the other waves opened.
func waves() (opened, peak, later int64) {
	url, stop := startServer()
	defer stop()
	call := ourCall(url + holdPath)
	wave := func() {
		done := together(call)
		allHeld(url)
		// A connection that was dialed for a call that then got another one may still be on its way to the server.
		// Nothing tells of it, so it gets time to arrive and be counted.
		time.Sleep(100 * time.Millisecond)
		get(url + letGoPath)
		<-done
	}
	wave()
	opened = get(url + countPath)[0] - 1 // the one that this came on
	for range 3 {
		wave()
	}
	count := get(url + countPath)
	return opened, count[1], count[0] - 1 - opened
}

// allHeld returns when all calls wait for their answers.
func allHeld(url string) { get(url + allHeldPath) }

// together starts all calls, and returns a channel that is closed when they are done.
func together(call func() error) <-chan struct{} {
	var all sync.WaitGroup
	for range flights {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := call(); err != nil {
				panic(err)
			}
		}()
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	return done
}

// inUse returns the bytes of live memory, including stacks.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse) //nolint:gosec // no machine has so much
}
