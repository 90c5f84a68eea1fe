package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/param"
)

// judge finds what it looks for.
func TestJudge(t *testing.T) {
	flat := sample{heap: 1000 << 10, spans: 3000 << 10, goroutines: 40}
	run := func(change func(i int, s *sample)) []sample {
		samples := slices.Repeat([]sample{flat}, 9)
		for i := range samples {
			change(i, &samples[i])
		}
		return samples
	}
	for name, tt := range map[string]struct {
		samples []sample
		want    string
	}{
		"flat":       {run(func(int, *sample) {}), ""},
		"some noise": {run(func(i int, s *sample) { s.heap += uint64(i%3) << 16 }), ""},
		"9 % more":   {run(func(i int, s *sample) { s.heap += uint64(i/6) * 90 << 10 }), ""},
		"11 % more": {run(func(i int, s *sample) { s.heap += uint64(i/6) * 110 << 10 }),
			"heap in use, KiB changed by +11.0 %"},
		"11 % less": {run(func(i int, s *sample) { s.heap -= uint64(i/6) * 110 << 10 }),
			"heap in use, KiB changed by -11.0 %"},
		"spans": {run(func(i int, s *sample) { s.spans += uint64(i/6) * 400 << 10 }),
			"heap's spans, KiB changed by +13.3 %"},
		"one goroutine":       {run(func(i int, s *sample) { s.goroutines += i / 6 }), "goroutines changed by +2.5 %"},
		"fewer goroutines":    {run(func(i int, s *sample) { s.goroutines -= i }), ""},
		"too few to tell any": {run(func(int, *sample) {})[:5], "too short"},
	} {
		t.Run(name, func(t *testing.T) {
			err := judge(io.Discard, tt.samples)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	fault := func(name string) *fault {
		return &faults[slices.IndexFunc(faults, func(f fault) bool { return f.name == name })]
	}
	lost := &daxpay.TransportError{Err: io.EOF}
	unknown := func(err error) error { return &daxpay.OutcomeError{Err: err} }
	times := func(n int) error { return &daxpay.RetryError{Errs: slices.Repeat([]error{lost}, n)} }
	for name, tt := range map[string]struct {
		fault  string
		effect param.Effect
		err    error
		want   string
	}{
		"right":                     {"none", param.EffectChanges, nil, ""},
		"error without a fault":     {"none", param.EffectChanges, lost, "EOF"},
		"mixed up":                  {"slow", param.EffectReadOnly, errMixedUp, "something else"},
		"success in spite of it":    {"forged", param.EffectReadOnly, nil, "there is no error"},
		"another error":             {"forged", param.EffectReadOnly, lost, "another error"},
		"lost":                      {"hang-up", param.EffectChanges, unknown(lost), ""},
		"lost, thought to be known": {"hang-up", param.EffectChanges, lost, "wrong about the outcome"},
		"lost, of no consequence":   {"hang-up", param.EffectReadOnly, unknown(times(3)), "wrong about the outcome"},
		"given up":                  {"hang-up", param.EffectReadOnly, times(3), ""},
		"given up early":            {"hang-up", param.EffectReadOnly, times(2), "2 attempts, not 3"},
		"repeated a payout":         {"hang-up", param.EffectOnce, unknown(times(2)), "2 attempts, not 1"},
		"overcome":                  {"hang-up, once", param.EffectRepeatable, nil, ""},
		"not overcome":              {"hang-up, once", param.EffectRepeatable, unknown(lost), "EOF"},
		"once, but not repeated":    {"hang-up, once", param.EffectOnce, unknown(lost), ""},
		"once, but it did not see":  {"hang-up, once", param.EffectOnce, nil, "there is no error"},
	} {
		t.Run(name, func(t *testing.T) {
			err := fault(tt.fault).check(tt.effect, tt.err)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if tt.err != nil && err != nil && !errors.Is(err, tt.err) {
				t.Errorf("%v does not keep the error", err)
			}
		})
	}
}

// Every call without a fault gets the right answer, and leads to its notice.
func TestEveryKindOfCall(t *testing.T) {
	h := &host{rows: kinds()}
	server := httptest.NewServer(h)
	defer server.Close()
	kit, err := daxpay.New(daxpay.Config{ServiceURL: server.URL, SignSecret: secret, Gateway: daxpay.GatewayV208})
	if err != nil {
		t.Fatal(err)
	}
	defer kit.CloseIdleConnections()
	for i := range h.rows {
		k, call := &h.rows[i], uint64(i+1)
		s := subject{kit: kit, tag: tag(0, call), n: textOf(call)}
		if k.absent {
			s.n = absent + s.n
		}
		if err := k.call(context.Background(), s); err != nil {
			t.Errorf("%s: %v", k.name(), err)
		}
		if k.notice != "" && h.current.end(k.Path(), s.n) == "" {
			t.Errorf("%s: no notice comes of it", k.name())
		}
	}
	h.current.Close()
}

func TestTag(t *testing.T) {
	for i := range faults {
		if fault, call := untag(tag(i, 1<<40+uint64(i))); fault != i || call != 1<<40+uint64(i) {
			t.Errorf("%d came back as %d, %d", i, fault, call)
		}
	}
	if fault, call := untag(""); fault != 0 || call != 0 {
		t.Error("a request of the gateway's own side has no fault")
	}
}

// Every fault occurs, and most calls have none.
func TestChoose(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	seen := make([]int, len(faults))
	for range 100_000 {
		seen[choose(random)]++
	}
	for i, n := range seen {
		if n == 0 {
			t.Errorf("%q never comes", faults[i].name)
		}
	}
	if seen[0] < 75_000 || seen[0] > 85_000 {
		t.Errorf("%d of 100,000 calls have no fault", seen[0])
	}
}
