// Package guard runs functions of the user, such as callbacks and stores. A panic in one, or one that ignores its
// context, stops nothing else.
package guard

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Panic is what is known of a panic. Package daxpay makes its PanicError of it.
type Panic struct {
	Value any
	Stack []byte
	Frame string
}

// Func is a function of the user.
type Func = func(context.Context) error

// Call returns the error of f, or what is known of its panic, even if that was a panic of nil.
func Call(ctx context.Context, f Func) (panicked *Panic, err error) {
	returned := false
	defer func() {
		if value := recover(); !returned {
			panicked = &Panic{Value: value, Stack: debug.Stack(), Frame: frame()}
		}
	}()
	err = f(ctx)
	returned = true
	return nil, err
}

// Within is like Call, but does not wait longer than the timeout, or than ctx lasts, if f ignores its context.
func Within(ctx context.Context, timeout time.Duration, f Func) (*Panic, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type result struct {
		panicked *Panic
		err      error
	}
	done := make(chan result, 1)
	go func() {
		panicked, err := Call(ctx, f)
		done <- result{panicked, err}
	}()
	select {
	case r := <-done:
		return r.panicked, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// frame returns the function that panicked. The deferred function that recovers must call it.
func frame() string {
	var counters [32]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(1, counters[:])])
	panicked := false
	for {
		frame, more := frames.Next()
		if panicked && !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Sprintf("%s (%s:%d)", frame.Function, path.Base(frame.File), frame.Line)
		}
		panicked = panicked || frame.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}
