package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// target is the most that a figure may be. A negative target means none.
type target float64

const noTarget target = -1

// row is one line of the table.
type row struct {
	work   string
	value  spread
	target target
	format string // of the figures, "%.2f" if empty
	detail string // the figures behind the ratio
}

func (r row) show(v float64) string {
	format := r.format
	if format == "" {
		format = "%.2f"
	}
	return fmt.Sprintf(format, v)
}

func (r row) limit() string {
	if r.target < 0 {
		return ""
	}
	return r.show(float64(r.target))
}

func (r row) verdict() string {
	switch {
	case r.target < 0:
		return ""
	case r.value.median > float64(r.target):
		return "**not met**"
	}
	return "met"
}

// printTable writes the rows as a Markdown table.
func printTable(w io.Writer, rows []row) {
	fmt.Fprint(w, "| work | must ≤ | measured | quartiles | verdict | behind it |\n")
	fmt.Fprint(w, "| --- | ---: | ---: | ---: | --- | --- |\n")
	for _, r := range rows {
		quartiles := ""
		if r.value.low != r.value.high {
			quartiles = r.show(r.value.low) + "–" + r.show(r.value.high)
		}
		cells := []string{r.work, r.limit(), r.show(r.value.median), quartiles, r.verdict(), r.detail}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

// exactly returns a figure without a spread.
func exactly(v float64) spread { return spread{low: v, median: v, high: v} }

// compared returns the row for one subject's time in terms of another's.
func compared(work string, ours, limit figures, t target) row {
	return row{
		work: work + " ÷ " + limit.name, value: ratio(ours, limit), target: t,
		detail: fmt.Sprintf("%s ÷ %s", duration(ours.median()), duration(limit.median())),
	}
}

// allocated returns the row for a subject's allocations.
func allocated(work string, f figures, t target) row {
	// The runtime's own occasional allocations add a fraction.
	return row{
		work: work + ": allocations", value: exactly(math.Floor(f.allocs + 0.1)), target: t, format: "%.0f",
		detail: fmt.Sprintf("%.0f bytes", f.bytes),
	}
}

func duration(ns float64) string {
	switch {
	case ns < 10_000:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 10_000_000:
		return fmt.Sprintf("%.1f µs", ns/1000)
	}
	return fmt.Sprintf("%.1f ms", ns/1_000_000)
}
