// Command bench measures what this module does against what it cannot go below, and against other payment SDKs, and
// prints the table of PERFORMANCE.md.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// groups are the parts of the table.
var groups = []struct {
	name    string
	measure func(*meter) []row
}{
	{"sign", signing},
	{"verify", verifying},
	{"open", opening},
	{"notice", noticing},
	{"mixed", mixing},
	{"large", large},
	{"hostile", hostile},
	{"slope", slopes},
	{"naive", signingNaively},
	{"call", calling},
	{"flight", flying},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == serverFlag {
		serve()
	}
	var (
		rounds = flag.Int("count", 40, "how often each subject is measured; the medians count")
		slice  = flag.Duration("slice", 5*time.Millisecond, "how long one subject runs in one round")
		only   = flag.String("only", "", "groups to measure, separated by commas; all if empty")
		raw    = flag.String("raw", os.DevNull, "file for the single figures, as benchstat reads them")
		base   = flag.String("baseline", "", "file with ratios of an earlier run, to compare with")
		keep   = flag.String("keep", "", "file to write this run's ratios to")
	)
	flag.Parse()
	out := must(os.Create(*raw))
	buffered := bufio.NewWriter(out)
	m := &meter{rounds: *rounds, slice: *slice, raw: buffered}
	var rows []row
	for _, g := range groups {
		if *only == "" || slices.Contains(strings.Split(*only, ","), g.name) {
			rows = append(rows, g.measure(m)...)
		}
	}
	if err := buffered.Flush(); err != nil {
		panic(err)
	}
	if err := out.Close(); err != nil {
		panic(err)
	}
	fmt.Printf("%s, %s/%s, %d cores, %d rounds of %v\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), *rounds, *slice)
	printTable(os.Stdout, rows)
	if *base != "" {
		compareBaseline(os.Stdout, *base, rows)
	}
	if *keep != "" {
		keepBaseline(*keep, rows)
	}
}
