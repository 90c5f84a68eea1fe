package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every subject does its work: once panics otherwise.
func TestEverySubjectWorks(t *testing.T) {
	m := &meter{rounds: 1, slice: time.Millisecond, raw: io.Discard}
	for _, group := range []func(*meter) []row{signing, verifying, opening, noticing, mixing, hostile, signingNaively} {
		for _, r := range group(m) {
			require.NotEmpty(t, r.detail, r.work)
		}
	}
}

func TestVerdict(t *testing.T) {
	require.Equal(t, "met", row{value: exactly(2), target: 2}.verdict())
	require.Equal(t, "**not met**", row{value: exactly(2.5), target: 2}.verdict())
	require.Empty(t, row{value: exactly(9), target: noTarget}.verdict())
}

func TestSpread(t *testing.T) {
	require.Equal(t, spread{low: 2, median: 3, high: 4}, spreadOf([]float64{5, 3, 1, 4, 2}))
	require.InDelta(t, 2.5, median([]float64{4, 1, 2, 3}), 0)
	require.Equal(t, exactly(0.5), ratioOf([]float64{1, 2}, []float64{2, 4}))
}

func TestTable(t *testing.T) {
	var b strings.Builder
	printTable(&b, []row{{work: "w", value: spread{1, 2, 3}, target: 2, detail: "d"}})
	require.Contains(t, b.String(), "| w | 2.00 | 2.00 | 1.00–3.00 | met | d |")
}

func TestBaseline(t *testing.T) {
	file := t.TempDir() + "/baseline"
	keepBaseline(file, []row{{work: "a", value: exactly(1)}, {work: "b", value: exactly(1)}})
	var b strings.Builder
	compareBaseline(&b, file, []row{{work: "a", value: exactly(1.4)}, {work: "b", value: exactly(1.6)},
		{work: "new", value: exactly(9)}})
	require.Contains(t, b.String(), "above the baseline: b: 1.60, was 1.00")
	require.Contains(t, b.String(), "1 of 3 figures")
}
