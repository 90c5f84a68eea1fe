// Package leak finds goroutines that tests leave behind. It is for tests only. It does not import testing, so
// no program links testing through it.
package leak

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"time"
)

// patience is how long Main waits for goroutines that are about to end.
const patience = 5 * time.Second

// Main runs the tests of a package, m being its *testing.M, and returns the exit status: that of the tests, or 1 if
// they passed and goroutines are left. kept names functions of libraries that keep a goroutine forever.
func Main(m interface{ Run() int }, kept ...string) int {
	status := m.Run()
	if status != 0 {
		return status
	}
	if left := Wait(patience, kept...); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines are left:\n\n%s\n", len(left), bytes.Join(left, []byte("\n\n")))
		return 1
	}
	return 0
}

// Wait waits until only the caller's goroutine is left, and those that the runtime, the testing package and kept keep.
// It returns the stacks of the others that are left after limit.
func Wait(limit time.Duration, kept ...string) [][]byte {
	if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		transport.CloseIdleConnections()
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(limit); ; <-ticker.C {
		if left := others(kept); len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

// usual are functions in which a goroutine may wait forever.
var usual = [][]byte{
	[]byte("testing.(*M)."), []byte("testing.runFuzz"), []byte("testing.(*T).Run("), []byte("testing.tRunner("),
	[]byte("os/signal.signal_recv"), []byte("os/signal.loop"), []byte("runtime.ensureSigM"), []byte("runtime.ReadTrace"),
}

// others lists the stacks of all goroutines but the caller's, the usual ones and those that are kept.
func others(kept []string) [][]byte {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	stacks := bytes.Split(buf, []byte("\n\n"))
	var left [][]byte
next:
	for _, stack := range stacks[1:] { // the first one is the caller's
		for _, function := range usual {
			if bytes.Contains(stack, function) {
				continue next
			}
		}
		for _, function := range kept {
			if bytes.Contains(stack, []byte(function)) {
				continue next
			}
		}
		left = append(left, stack)
	}
	return left
}
