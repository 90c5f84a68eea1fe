package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// subject is one thing to measure: run does it n times.
type subject struct {
	name string
	run  func(n int)
}

// once returns a subject that repeats do. It panics on an error: a figure for something that fails means nothing.
func once(name string, do func() error) subject {
	return subject{name: name, run: func(n int) {
		for range n {
			if err := do(); err != nil {
				panic(fmt.Sprintf("%s: %v", name, err))
			}
		}
	}}
}

// figures are what was measured of one subject.
type figures struct {
	name   string
	ns     []float64 // per operation, one for each round
	cpu    []float64 // processor time of this process, in the same way
	allocs float64   // per operation; exact, except for the runtime's own occasional allocations
	bytes  float64
}

func (f figures) median() float64 { return median(f.ns) }

// meter measures subjects in turns, so that a disturbance of the machine affects all subjects that are compared.
type meter struct {
	rounds int
	slice  time.Duration // how long one subject runs in one round
	raw    io.Writer     // gets each round in the format of go test -bench, for benchstat
}

// measure returns the figures of each subject. In every round each runs once, every second time in reverse order.
func (m *meter) measure(group string, subjects ...subject) []figures {
	all := make([]figures, len(subjects))
	counts := make([]int, len(subjects))
	for i, s := range subjects {
		all[i].name = s.name
		counts[i] = calibrate(s, m.slice)
	}
	order := make([]int, len(subjects))
	for i := range order {
		order[i] = i
	}
	for range m.rounds {
		for _, i := range order {
			ns, cpu, allocs, bytes := timed(subjects[i], counts[i])
			all[i].ns, all[i].cpu = append(all[i].ns, ns), append(all[i].cpu, cpu)
			all[i].allocs = allocs // of the last round, when everything is warm
			all[i].bytes = bytes
			fmt.Fprintf(m.raw, "Benchmark%s/%s\t%d\t%.1f ns/op\t%.0f B/op\t%.0f allocs/op\n", group, subjects[i].name, counts[i],
				ns, bytes, allocs)
		}
		slices.Reverse(order)
	}
	return all
}

// longer returns a meter that lets each subject run longer in each round, for slow subjects.
func (m *meter) longer(factor int) *meter {
	return &meter{rounds: m.rounds, slice: m.slice * time.Duration(factor), raw: m.raw}
}

// calibrate returns how often a subject must run to take about as long as slice.
func calibrate(s subject, slice time.Duration) int {
	n := 1
	for {
		start := time.Now()
		s.run(n)
		took := time.Since(start)
		if took >= slice/4 || n >= 1<<28 {
			return max(1, int(float64(n)*float64(slice)/float64(took)))
		}
		n *= 2
	}
}

func timed(s subject, n int) (ns, cpu, allocs, bytes float64) {
	runtime.GC()
	s.run(max(2, n/50)) // the collection emptied the pools
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used, start := processorTime(), time.Now()
	s.run(n)
	took := time.Since(start)
	used = processorTime() - used
	runtime.ReadMemStats(&after)
	count := float64(n)
	return float64(took.Nanoseconds()) / count, float64(used.Nanoseconds()) / count,
		float64(after.Mallocs-before.Mallocs) / count, float64(after.TotalAlloc-before.TotalAlloc) / count
}

// processorTime returns the processor time that this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ratio compares two subjects round by round, and gives the median with the quartiles around it.
func ratio(a, b figures) spread {
	return ratioOf(a.ns, b.ns)
}

func ratioOf(a, b []float64) spread {
	ratios := make([]float64, len(a))
	for i := range ratios {
		ratios[i] = a[i] / b[i]
	}
	return spreadOf(ratios)
}

// spread is a median and the quartiles around it.
type spread struct{ low, median, high float64 }

func spreadOf(values []float64) spread {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	last := len(sorted) - 1
	return spread{low: sorted[last/4], median: median(sorted), high: sorted[last-last/4]}
}

func median(values []float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
