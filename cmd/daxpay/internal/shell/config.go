package shell

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/daxpay-go/daxpay"
)

// settingFlags are the flags about the gateway. Each stands for a variable of the environment.
var settingFlags = []struct{ name, variable, usage string }{
	{"service-url", "DAXPAY_URL", "where the gateway is, such as https://pay.example.com"},
	{"sign-type", "DAXPAY_SIGN_TYPE", "algorithm of the gateway's settings (签名方式): HMAC_SHA256 or MD5"},
	{"gateway", "DAXPAY_GATEWAY", "version of the gateway: auto, 2.0.5, 2.0.6, 2.0.7 or 2.0.8"},
	{"timeout", "DAXPAY_TIMEOUT", "limit of a call with all its attempts, such as 30s"},
}

// addSettings adds the flags about the gateway to a command. One that only signs and verifies needs few of them.
func addSettings(cmd *cobra.Command, calls bool) {
	f := cmd.Flags()
	f.String("env-file", "", "read DAXPAY_… variables from a file of lines NAME=VALUE")
	f.String("secret-file", "", "read the secret (签名秘钥) from a file, instead of DAXPAY_SECRET")
	for _, s := range settingFlags {
		if calls || s.variable == "DAXPAY_SIGN_TYPE" || s.variable == "DAXPAY_GATEWAY" {
			f.String(s.name, "", s.usage+" ("+s.variable+")")
		}
	}
	_ = cmd.RegisterFlagCompletionFunc("sign-type", cobra.FixedCompletions([]string{"HMAC_SHA256", "MD5"}, noFiles))
	_ = cmd.RegisterFlagCompletionFunc(
		"gateway", cobra.FixedCompletions([]string{"auto", "2.0.8", "2.0.7", "2.0.6", "2.0.5"}, noFiles),
	)
}

const noFiles = cobra.ShellCompDirectiveNoFileComp

// config reads the configuration: flags take precedence over the file of --env-file, and the file over the environment.
// Without calls, the gateway's address is not needed.
func (s *shell) config(cmd *cobra.Command, calls bool) (daxpay.Config, error) {
	// ConfigFromEnv finds all mistakes at once, so everything goes into the environment of this process, which starts no
	// other.
	given := map[string]string{} // where a variable was given, if not in the environment
	set := func(variable, value, where string) {
		_ = os.Setenv(variable, value)
		given[variable] = where
	}
	if file, _ := cmd.Flags().GetString("env-file"); file != "" {
		variables, err := readEnvFile(file)
		if err != nil {
			return daxpay.Config{}, err
		}
		for name, value := range variables {
			set(name, value, name+" in "+file)
		}
	}
	for _, f := range settingFlags {
		if flag := cmd.Flags().Lookup(f.name); flag != nil && flag.Changed {
			set(f.variable, flag.Value.String(), "--"+f.name)
		}
	}
	if file, _ := cmd.Flags().GetString("secret-file"); file != "" {
		secret, err := readSecretFile(file)
		if err != nil {
			return daxpay.Config{}, err
		}
		set("DAXPAY_SECRET", secret, "the secret in "+file)
	}
	if os.Getenv("DAXPAY_SECRET") == "" {
		secret, err := s.askSecret(cmd.Context())
		if err != nil {
			return daxpay.Config{}, err
		}
		if secret != "" {
			set("DAXPAY_SECRET", secret, "the secret")
		}
	}
	if !calls {
		_ = os.Setenv("DAXPAY_URL", "http://127.0.0.1") // nothing is sent there
	}
	cfg, err := daxpay.ConfigFromEnv()
	return cfg, renamed(err, given)
}

// client makes a client with the configuration.
func (s *shell) client(cmd *cobra.Command, calls bool) (*daxpay.Client, error) {
	cfg, err := s.config(cmd, calls)
	if err != nil {
		return nil, err
	}
	return daxpay.New(cfg)
}

// renamed rewrites the mistakes to name what the user wrote, or could write.
func renamed(err error, given map[string]string) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var errs []error
	for _, err := range joined.Unwrap() {
		var fault *daxpay.ConfigError
		if !errors.As(err, &fault) {
			errs = append(errs, err)
			continue
		}
		named := *fault
		variable, _, _ := strings.Cut(fault.Setting, "[")
		switch where, ok := given[variable]; {
		case ok:
			named.Setting = where + strings.TrimPrefix(fault.Setting, variable)
		case variable == "DAXPAY_SECRET" && os.Getenv(variable) == "":
			named.Setting = "DAXPAY_SECRET (or --secret-file)"
		case variable == "DAXPAY_URL" && os.Getenv(variable) == "":
			named.Setting = "DAXPAY_URL (or --service-url)"
		}
		errs = append(errs, &named)
	}
	return errors.Join(errs...)
}

// readEnvFile reads the variables that begin with DAXPAY_. The file may also hold those of other programs. Quotes
// around a value are removed; the rest is taken as it is, $ included.
func readEnvFile(name string) (map[string]string, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, failure(exitUsage, "--env-file: %w", err)
	}
	variables := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name2, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok {
			return nil, failure(exitUsage, "--env-file: %s:%d: must be NAME=VALUE", name, n)
		}
		name2, value = strings.TrimSpace(name2), strings.TrimSpace(value)
		if !strings.HasPrefix(name2, "DAXPAY_") {
			continue
		}
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		variables[name2] = value
	}
	if err := lines.Err(); err != nil {
		return nil, failure(exitUsage, "--env-file: %s: %w", name, err)
	}
	return variables, nil
}

// readSecretFile reads a file that holds the secret and perhaps a line break.
func readSecretFile(name string) (string, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the user names it
	if err != nil {
		return "", failure(exitUsage, "--secret-file: %w", err)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case strings.TrimSpace(secret) == "":
		return "", failure(exitUsage, "--secret-file: %s is empty", name)
	case strings.ContainsAny(secret, "\r\n"):
		return "", failure(exitUsage, "--secret-file: %s has several lines: it must hold the secret and nothing else", name)
	}
	return secret, nil
}

// terminal is where a person can answer, nil if there is none. The standard input may be a message.
func (s *shell) terminal() (tty *os.File, done func()) {
	if term.IsTerminal(int(s.in.Fd())) {
		return s.in, func() {}
	}
	if !s.errIsTerminal {
		return nil, func() {}
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, func() {}
	}
	return tty, func() { _ = tty.Close() }
}

// askSecret asks a person for the secret, without showing it. It is empty if there is no terminal.
func (s *shell) askSecret(ctx context.Context) (string, error) {
	tty, done := s.terminal()
	defer done()
	if tty == nil {
		return "", nil
	}
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("the terminal cannot be used: %w", err)
	}
	s.warnf("Secret of the gateway (签名秘钥): ")
	secret, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	s.warnf("\n")
	if ctx.Err() != nil {
		return "", errors.Join(err, term.Restore(fd, before)) // ReadPassword does not return, and has switched echo off
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", failure(exitUsage, "the secret could not be read: %w", err)
	}
	return string(secret), nil
}

// confirm asks a person before something that moves money. Without a terminal there must be --yes.
func (s *shell) confirm(ctx context.Context, what string, yes bool) error {
	if yes {
		return nil
	}
	tty, done := s.terminal()
	defer done()
	if tty == nil {
		what, _, _ = strings.Cut(what, "\n")
		return failure(exitDeclined, "%s: not sent: there is no terminal to ask on; --yes sends without asking", what)
	}
	s.warnf("%s\nGo on? [y/N] ", what)
	answer, err := interruptible(ctx, func() (string, error) { return bufio.NewReader(tty).ReadString('\n') })
	if err != nil && !errors.Is(err, io.EOF) {
		return failure(exitDeclined, "not confirmed: %w", err)
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return failure(exitDeclined, "not confirmed: nothing was sent")
	}
	return nil
}

// onLoopback tells whether a URL leads to this machine.
func onLoopback(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}

// stateFile is where the numbers of transfers are remembered.
func stateFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "daxpay", "sent.db"), nil
}
