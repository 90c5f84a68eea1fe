package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/daxpay-go/daxpay"
)

// The exit statuses. docs/command.md has them too.
const (
	exitOK         = iota
	exitFailed     // what is not below
	exitUsage      // how the command was called, the configuration, or the param; nothing was sent
	exitRefused    // by the gateway; the call changed nothing
	exitNoAnswer   // the call changed nothing
	exitUnverified // an answer or message was not accepted, for example because of its signature
	exitUnknown    // the call, or an earlier one of the same order, may have taken effect
	exitDeclined   // not confirmed
	exitPerson     // waiting does not help: a person has to look
	exitTime       // the time of a wait is over
	exitEnded      // the order has ended without success
)

const exitHelp = `Exit status: 0 done; 1 failed; 2 wrong usage, configuration or param, nothing was sent; 3 refused by the
gateway; 4 no answer; 5 an answer or a message was not accepted, for example for its signature; 6 the outcome is
unknown: the call, or an earlier one of the same order, may have taken effect; 7 not confirmed, nothing was sent;
8 a person has to look at the order; 9 the time of a wait is over; 10 the order ended without success.`

// runError is an error of a command that ran, and not of how it was called.
type runError struct{ error }

func (e *runError) Unwrap() error { return e.error }

// statusError is an error that knows its exit status.
type statusError struct {
	status int
	error
}

func (e *statusError) Unwrap() error { return e.error }

func failure(status int, format string, args ...any) error {
	return &statusError{status, fmt.Errorf(format, args...)}
}

// kinds are the names of the exit statuses in JSON.
var kinds = [...]string{
	"ok", "failed", "usage", "refused", "no answer", "unverified", "outcome unknown", "not confirmed", "needs a person",
	"time is over", "ended",
}

// exitStatus tells the kind of an error. The more dangerous ones come first.
func exitStatus(err error) int {
	var status *statusError
	var run *runError
	var unresolved *daxpay.UnresolvedError
	var refusal *daxpay.GatewayError
	var transport *daxpay.TransportError
	switch {
	case errors.As(err, &status):
		return status.status
	case !errors.As(err, &run):
		return exitUsage
	case errors.As(err, &unresolved):
		return exitPerson
	case isAny(err, daxpay.ErrOutcomeUnknown, daxpay.ErrEarlierSend):
		return exitUnknown
	case errors.Is(err, daxpay.ErrConfig), errors.Is(err, daxpay.ErrParam), errors.Is(err, daxpay.ErrUnsupported):
		return exitUsage
	case errors.As(err, &refusal):
		return exitRefused
	case errors.As(err, &transport):
		return exitNoAnswer
	case isAny(err, daxpay.ErrSignMissing, daxpay.ErrSignMismatch, daxpay.ErrAmbiguous, daxpay.ErrStale, daxpay.ErrEcho,
		daxpay.ErrNoticeType, daxpay.ErrUnproved, daxpay.ErrProtocol, daxpay.ErrTooLarge):
		return exitUnverified
	case errors.Is(err, context.DeadlineExceeded):
		return exitTime
	}
	return exitFailed
}

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// report prints an error and returns the exit status.
func (s *shell) report(err error) int {
	status := exitStatus(err)
	if s.json {
		text, _ := plainJSON(map[string]any{"error": describe(err, status)})
		s.warnf("%s\n", text)
		return status
	}
	var lines []string
	for _, line := range strings.Split(errorText(err), "\n") {
		lines = append(lines, "daxpay: "+strings.TrimPrefix(line, "daxpay: "))
	}
	s.warnf("%s\n", strings.Join(lines, "\n"))
	return status
}

// errorJSON is an error as scripts read it.
type errorJSON struct {
	Kind    string `json:"kind"`
	Status  int    `json:"exitStatus"`
	Message string `json:"message"`
	Code    int    `json:"code,omitempty"` // the gateway's
	Msg     string `json:"msg,omitempty"`
	Path    string `json:"path,omitempty"`
	TraceID string `json:"traceId,omitempty"`
	// Reason is why the gateway refused; Unresolved is why a person has to look at the order.
	Reason     string `json:"reason,omitempty"`
	Unresolved string `json:"unresolved,omitempty"`
	// Advice says how to learn an outcome that is unknown.
	Advice string `json:"advice,omitempty"`
}

func describe(err error, status int) errorJSON {
	d := errorJSON{Kind: kinds[status], Status: status, Message: errorText(err)}
	var refusal *daxpay.GatewayError
	if errors.As(err, &refusal) {
		d.Code, d.Msg, d.Path, d.TraceID = refusal.Code, refusal.Msg, refusal.Path, refusal.TraceID
		d.Reason = string(refusal.Reason)
	}
	var answer *daxpay.AnswerError
	if errors.As(err, &answer) && d.Path == "" {
		d.Msg, d.Path, d.TraceID = answer.Msg, answer.Path, answer.TraceID
	}
	var sign *daxpay.SignError
	if errors.As(err, &sign) && d.Path == "" {
		d.Path, d.TraceID = sign.Path, sign.TraceID
	}
	var page *daxpay.HTTPError
	if errors.As(err, &page) && d.Path == "" {
		d.Path, d.TraceID = page.Path, page.TraceID
	}
	var transport *daxpay.TransportError
	if errors.As(err, &transport) && d.Path == "" {
		d.Path = transport.Path
	}
	var unresolved *daxpay.UnresolvedError
	if errors.As(err, &unresolved) {
		d.Unresolved = string(unresolved.Reason)
		if d.Path == "" {
			d.Path, d.TraceID = unresolved.Path, unresolved.TraceID
		}
	}
	var outcome *daxpay.OutcomeError
	if errors.As(err, &outcome) {
		d.Advice = outcome.Recover
	}
	return d
}
