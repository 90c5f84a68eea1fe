// Package shell is the command daxpay without its subcommand serve.
package shell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Main runs the command with the arguments and the streams of the process, and returns its exit status. It adds the
// further subcommands.
func Main(further ...*cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	s := &shell{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		outIsTerminal: term.IsTerminal(int(os.Stdout.Fd())), errIsTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	root := s.root()
	for _, cmd := range further {
		cmd.RunE = s.run(cmd.RunE)
		root.AddCommand(cmd)
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	return s.report(err)
}

// shell is what the subcommands share.
type shell struct {
	in       *os.File
	out, err io.Writer

	outIsTerminal, errIsTerminal bool

	json bool // for scripts
}

func (s *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "daxpay",
		Short: "Talk to a DaxPay payment gateway (2.0.x)",
		Long: "daxpay talks to a DaxPay payment gateway, single-merchant edition 2.0.x.\n\n" +
			"The gateway is DAXPAY_URL in the environment, its secret DAXPAY_SECRET. The other variables are those of\n" +
			"daxpay.ConfigFromEnv. --env-file reads variables from a file, and flags override both. The secret is\n" +
			"never a flag: it would show in the list of processes and in the history of the shell.\n\n" + exitHelp,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs, RunE: unknownCommand,
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true}, // they are those of a misspelt subcommand
	}
	root.SetFlagErrorFunc(flagError)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.PersistentFlags().BoolVar(&s.json, "json", false, "print results and errors as JSON, for scripts")
	root.AddCommand(
		s.doctorCommand(), s.callCommand(), s.waitCommand(), s.signCommand(), s.verifyCommand(), s.explainCommand(),
		s.noticeCommand(), s.listenCommand(), s.versionCommand(),
	)
	return root
}

// run makes the RunE of a subcommand. Its errors are not about how it was called, unless they say so.
func (s *shell) run(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := f(cmd, args); err != nil {
			return &runError{err}
		}
		return nil
	}
}

// group makes a command that only has subcommands.
func group(use, short, long string, subcommands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.ArbitraryArgs, RunE: unknownCommand,
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true}, // they are those of a misspelt subcommand
	}
	cmd.AddCommand(subcommands...)
	return cmd
}

// unknownCommand is the RunE of a command that needs a subcommand. The flags of a misspelt one are not among args.
func unknownCommand(cmd *cobra.Command, args []string) error {
	see := "; see " + cmd.CommandPath() + " --help"
	if len(args) > 0 {
		cmd.SuggestionsMinimumDistance = 2
		s := fmt.Sprintf("there is no command %q", cmd.CommandPath()+" "+args[0])
		near := cmd.SuggestionsFor(args[0])
		if isCall := slices.ContainsFunc(clientCalls(), func(c clientCall) bool { return c.name == args[0] }); isCall {
			near = []string{"daxpay call " + args[0]}
		}
		if len(near) > 0 {
			s += "; did you mean " + strings.Join(near, " or ")
		}
		return errors.New(s + see)
	}
	given := func(arg string) bool { return strings.HasPrefix(arg, "-") && arg != "--json" }
	if slices.ContainsFunc(os.Args[1:], given) {
		return errors.New(cmd.CommandPath() + " needs a command before flags" + see)
	}
	return cmd.Help()
}

// noArgs is the Args of a command that has flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes flags only, and %q is none; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
}

// flagError suggests the flag that was meant instead of an unknown one.
func flagError(cmd *cobra.Command, err error) error {
	text := err.Error()
	if _, name, ok := strings.Cut(text, "unknown flag: --"); ok {
		name, _, _ = strings.Cut(name, "=")
		if strings.EqualFold(name, "secret") {
			return errors.New("the secret is no flag, which would show in the list of processes: " +
				"use DAXPAY_SECRET, --secret-file or a terminal")
		}
		for _, meant := range []string{kebab(name), strings.ReplaceAll(strings.ToLower(name), "_", "-")} {
			if cmd.Flags().Lookup(meant) != nil {
				return fmt.Errorf("%s; did you mean --%s", text, meant)
			}
		}
	}
	if _, name, ok := strings.Cut(text, "shorthand flag: "); ok {
		if _, name, _ = strings.Cut(name, " in -"); cmd.Flags().Lookup(name) != nil {
			return fmt.Errorf("-%s needs two hyphens: --%s", name, name)
		}
	}
	return fmt.Errorf("%s; see %s --help", text, cmd.CommandPath())
}

// plainJSON encodes a value on one line, and leaves <, > and & as they are.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// printJSON prints a result.
func (s *shell) printJSON(v any) error {
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (s *shell) printf(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format, args...) }

// warnf prints what is not the result, such as progress.
func (s *shell) warnf(format string, args ...any) { _, _ = fmt.Fprintf(s.err, format, args...) }

// interruptible calls a function that a context cannot stop, such as one that reads from a terminal. It stops waiting
// for it when the context ends.
func interruptible[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, errors.New("stopped: nothing was sent")
	}
}

// The colours, which only a terminal shows.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

// paint colours text of the standard output. NO_COLOR=1 in the environment keeps it plain.
func (s *shell) paint(colour, text string) string {
	if !s.outIsTerminal || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
