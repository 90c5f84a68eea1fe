package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// slack is the factor over the baseline above which a ratio is reported. Busy machines differ by about half of that.
const slack = 1.5

// keepBaseline writes the measured ratios to a file, one per line.
func keepBaseline(file string, rows []row) {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s\t%.3f\n", r.work, r.value.median)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		panic(err)
	}
}

// compareBaseline reports which ratios are much worse than in the baseline. It is not an error: the machine may be
// busy.
func compareBaseline(w io.Writer, file string, rows []row) {
	before := make(map[string]float64)
	content := must(os.ReadFile(file)) //nolint:gosec // named by the caller
	for _, line := range strings.Split(strings.TrimSpace(string(content)), "\n") {
		work, value, _ := strings.Cut(line, "\t")
		before[work] = must(strconv.ParseFloat(value, 64))
	}
	worse := 0
	for _, r := range rows {
		was, known := before[r.work]
		if !known || r.value.median <= max(was, was*slack)+1e-9 {
			continue
		}
		worse++
		fmt.Fprintf(w, "\nmore than %.0f %% above the baseline: %s: %s, was %s", 100*(slack-1), r.work,
			r.show(r.value.median), r.show(was))
	}
	fmt.Fprintf(w, "\n%d of %d figures are more than %.0f %% above the baseline\n", worse, len(rows), 100*(slack-1))
}
