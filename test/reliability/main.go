// Command reliability tests what SECURITY.md promises: it attacks the client in every way that it knows, and counts
// what gets through. It prints a line of figures for each check, and exits with 1 if a promise is broken.
//
//	go run ./test/reliability
//	go run ./test/reliability -run tampering,secrets -seed 7
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// check is one promise that is put to the test.
type check struct {
	name    string
	promise string
	run     func(*trial) error
}

// checks are in the order in which they run.
var checks = []check{
	{"tampering", "nothing that was changed on its way is accepted, but for what the protocol leaves open", tampering},
	{"swapping", "no genuine message is taken for one about another order", swapping},
	{"malformed", "nothing malformed is accepted or panics, and each gets an error that says what it is", malformed},
	{"agreement", "the client and an independent implementation sign alike", agreement},
	{"faults", "the server sees every call as often as the retry matrix allows, and errors say what is known", faulty},
	{"ledger", "nothing is paid twice, lost, left open or wrongly taken for success, whatever fails", ledger},
	{"secrets", "no secret, signature or personal data shows in an error, a log or anything that is printed", secrets},
}

// trial is one run of a check.
type trial struct {
	seed uint64
	// thin is 1 for a full run. Otherwise only one in thin of the numerous attacks is made.
	thin    int
	vectors string // the directory
	figures strings.Builder
}

// say adds to the line of figures.
func (t *trial) say(format string, args ...any) {
	if t.figures.Len() > 0 {
		t.figures.WriteString(", ")
	}
	fmt.Fprintf(&t.figures, format, args...)
}

func main() {
	if err := command(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reliability:", err)
		os.Exit(1)
	}
}

var errBroken = errors.New("a promise is broken")

func command(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("reliability", flag.ContinueOnError)
	names := make([]string, len(checks))
	for i, c := range checks {
		names[i] = c.name
	}
	chosen := flags.String("run", strings.Join(names, ","), "the checks to run")
	seed := flags.Uint64("seed", 1, "of what is random")
	thin := flags.Int("thin", 1, "make only one in so many of the attacks that are many")
	vectors := flags.String("vectors", "testdata/vectors", "directory of the vectors")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var broken error
	for _, name := range strings.Split(*chosen, ",") {
		i := slices.Index(names, name)
		if i < 0 || *thin < 1 {
			return fmt.Errorf("there is no check %q, or thin is not positive; the checks are %s", name,
				strings.Join(names, ", "))
		}
		t := &trial{seed: *seed, thin: *thin, vectors: *vectors}
		err := checks[i].run(t)
		fmt.Fprintf(out, "%-10s %s\n", name, t.figures.String())
		if err != nil {
			const told = 50
			lines := strings.SplitN(err.Error(), "\n", told+1)
			fmt.Fprintf(out, "%-10s BROKEN: %s\n%s\n", name, checks[i].promise,
				strings.Join(lines[:min(told, len(lines))], "\n"))
			broken = errBroken
		}
	}
	return broken
}

// each runs do for every n below count, on all processors, and joins the errors.
func each(count int, do func(n int) error) error {
	errs := make([]error, count)
	jobs := make(chan int)
	var workers sync.WaitGroup
	for range min(count, runtime.GOMAXPROCS(0)) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for n := range jobs {
				errs[n] = do(n)
			}
		}()
	}
	for n := range count {
		jobs <- n
	}
	close(jobs)
	workers.Wait()
	return errors.Join(errs...)
}

// faults collects errors, and keeps the first few of many.
type faults struct {
	errs  []error
	count int
}

func (f *faults) add(format string, args ...any) {
	const told = 20
	if f.count++; f.count <= told {
		f.errs = append(f.errs, fmt.Errorf(format, args...))
	}
}

func (f *faults) err() error {
	if more := f.count - len(f.errs); more > 0 {
		return errors.Join(append(f.errs, fmt.Errorf("and %d more", more))...)
	}
	return errors.Join(f.errs...)
}
