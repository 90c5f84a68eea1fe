package shell

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daxpay-go/daxpay"
)

// screen is a terminal as the command sees it.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Colours are for terminals, and for those who want them.
func TestColours(t *testing.T) {
	report := &daxpay.Report{Findings: []daxpay.Finding{
		{Name: "clock", Level: daxpay.FindingFault, Detail: "is wrong", Advice: "set Gateway"},
	}}
	for _, tt := range []struct {
		terminal bool
		noColour string
		term     string
		want     string
	}{
		{true, "", "xterm", "\x1b[31mFAULT\x1b[0m    clock "},
		{false, "", "xterm", "FAULT    clock "},
		{true, "1", "xterm", "FAULT    clock "},
		{true, "", "dumb", "FAULT    clock "},
	} {
		t.Setenv("NO_COLOR", tt.noColour)
		t.Setenv("TERM", tt.term)
		var out bytes.Buffer
		s := &shell{out: &out, outIsTerminal: tt.terminal}
		require.Error(t, s.printReport(report))
		require.True(t, strings.HasPrefix(out.String(), tt.want), "%q", out.String())
		require.Contains(t, out.String(), "→ set DAXPAY_GATEWAY\n")
	}
}

// A wait has one line on a terminal, which goes away at the end, and elsewhere a line for each change.
func TestProgress(t *testing.T) {
	refusal := &daxpay.GatewayError{Path: "/unipay/query/payOrder", Code: 10001, TraceID: "t1"}
	again := &daxpay.GatewayError{Path: "/unipay/query/payOrder", Code: 10001, TraceID: "t2"}
	for _, terminal := range []bool{true, false} {
		out := new(screen)
		s := &shell{err: out, errIsTerminal: terminal}
		p := s.progress("pay")
		p.update("progress", nil)
		p.update("progress", nil)
		p.update("", refusal)
		p.update("", again)
		p.update("", fmt.Errorf("strange: %w", errors.New(strings.Repeat("x", 500))))
		p.update("success", nil)
		require.Equal(t, "success", p.last())
		p.stop()
		text := out.String()
		if terminal {
			require.Contains(t, text, "\r\x1b[Kpay: 0s, progress")
			require.True(t, strings.HasSuffix(text, "\r\x1b[K"), "%q", text)
			require.NotContains(t, text, "\n")
			require.NotContains(t, text, strings.Repeat("x", 100))
			continue
		}
		require.Equal(t, 1, strings.Count(text, "pay: progress after 0s\n"))
		require.Equal(t, 1, strings.Count(text, "10001"), "the trace id alone is no change")
		require.Contains(t, text, "pay: success after 0s\n")
	}
}
