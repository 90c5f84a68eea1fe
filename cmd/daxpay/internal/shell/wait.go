package shell

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/daxpay-go/daxpay"
	"github.com/daxpay-go/daxpay/model"
)

// clientWaits lists the methods of daxpay.Client that follow an order, by their names without Wait.
func clientWaits() []clientCall {
	var waits []clientCall
	client := reflect.TypeFor[*daxpay.Client]()
	for i := range client.NumMethod() {
		m := client.Method(i)
		t := m.Type
		name, ok := strings.CutPrefix(m.Name, "Wait")
		if !ok || t.NumIn() != 4 || t.NumOut() != 2 || t.In(3) != reflect.TypeFor[daxpay.Wait]() {
			continue
		}
		if p, ok := paramType(t.In(2)); ok {
			waits = append(waits, clientCall{m.Name, kebab(name), p})
		}
	}
	return waits
}

func (s *shell) waitCommand() *cobra.Command {
	return group("wait", "Follow an order until its outcome is proved",
		"Follows an order until its outcome is proved, and prints it. A terminal shows the time and the last state\n"+
			"meanwhile. Exit status 0: it succeeded; 10: it ended otherwise; 9: the time is over; 8: a person has to look.",
		each(clientWaits(), s.oneWait)...)
}

func (s *shell) oneWait(w clientCall) *cobra.Command {
	fields := fieldsOf(w.param)
	var limit time.Duration
	var amount int64
	cmd := &cobra.Command{
		Use: w.name, Short: "Follow an order of this kind until its outcome is proved", Args: noArgs,
		RunE: s.run(func(cmd *cobra.Command, _ []string) error {
			if limit <= 0 {
				return failure(exitUsage, "--for must be more than 0")
			}
			p := reflect.New(w.param)
			if err := setFields(cmd, p.Elem()); err != nil {
				return err
			}
			kit, err := s.client(cmd, true)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), limit)
			defer cancel()
			line := s.progress(w.name)
			wait := daxpay.Wait{Amount: amount, Progress: line.update}
			out := reflect.ValueOf(kit).MethodByName(w.method).Call(
				[]reflect.Value{reflect.ValueOf(ctx), p, reflect.ValueOf(wait)},
			)
			line.stop()
			if err, ok := out[1].Interface().(error); ok {
				if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
					return line.over(cmd.Context(), limit)
				}
				return inFlags(err, w.param.Name(), fields)
			}
			return s.printOrder(out[0].Elem())
		}),
	}
	addSettings(cmd, true)
	addFields(cmd, fields)
	cmd.Flags().DurationVar(&limit, "for", 15*time.Minute, "maximum time to wait")
	cmd.Flags().Int64Var(&amount, "amount", 0, "amount that the order must have, in fen; 0: not compared")
	return cmd
}

// printOrder prints the result of a wait: an order whose outcome is proved.
func (s *shell) printOrder(result reflect.Value) error {
	answer, err := answerOf(result)
	if err != nil {
		return err
	}
	order, ok := result.FieldByName("Data").Addr().Interface().(interface{ Standing() model.Standing })
	if !ok {
		return fmt.Errorf("%v has no standing", result.Type())
	}
	answer.Standing = order.Standing().String()
	if err := s.printJSON(answer); err != nil {
		return err
	}
	if order.Standing() != model.Succeeded {
		status := result.FieldByName("Data").FieldByName("Status")
		return failure(exitEnded, "the order ended without success: status %v", status)
	}
	return nil
}

// progress is the line that shows what a long wait is about. Without a terminal a line is printed when the state
// changes.
type progress struct {
	shell *shell
	kind  string
	start time.Time
	ended chan struct{}
	done  chan struct{}

	mu    sync.Mutex
	state string
}

func (s *shell) progress(kind string) *progress {
	p := &progress{
		shell: s, kind: kind, start: time.Now(), ended: make(chan struct{}), done: make(chan struct{}), state: "asking",
	}
	if !s.errIsTerminal {
		close(p.done)
		return p
	}
	go func() {
		defer close(p.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			p.show()
			select {
			case <-tick.C:
			case <-p.ended:
				s.warnf("\r\x1b[K")
				return
			}
		}
	}()
	return p
}

// update takes the result of a query.
func (p *progress) update(status string, err error) {
	state := status
	switch {
	case errors.Is(err, daxpay.ErrNoSuchOrder):
		state = "the gateway does not have it"
	case err != nil:
		state = strings.TrimPrefix(errorText(err), "daxpay: ")
	}
	p.mu.Lock()
	changed := traceIDs.ReplaceAllString(state, "") != traceIDs.ReplaceAllString(p.state, "")
	p.state = state
	p.mu.Unlock()
	switch {
	case p.shell.errIsTerminal:
		p.show()
	case changed && p.shell.json:
	case changed:
		p.shell.warnf("%s: %s after %s\n", p.kind, state, p.elapsed())
	}
}

// traceIDs differ from one query to the next.
var traceIDs = regexp.MustCompile(` \(trace [^)]*\)`)

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	const width = 100 // a longer line would not be erased as a whole
	line := []rune(fmt.Sprintf("%s: %s, %s", p.kind, p.elapsed(), p.state))
	p.shell.warnf("\r\x1b[K%s", string(line[:min(len(line), width)]))
}

func (p *progress) elapsed() time.Duration { return time.Since(p.start).Truncate(time.Second) }

func (p *progress) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// over is the error when the time is over, or a person has stopped the wait.
func (p *progress) over(ctx context.Context, limit time.Duration) error {
	const state = "the order was not at its end; its last state was "
	if ctx.Err() != nil {
		return failure(exitTime, "stopped after %v: "+state+"%s", p.elapsed(), p.last())
	}
	return failure(exitTime, "after %v "+state+"%s", limit, p.last())
}

func (p *progress) stop() {
	close(p.ended)
	<-p.done
}
