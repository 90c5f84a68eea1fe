package main

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const asCommand = "SHOP_TEST_AS_COMMAND"

// TestMain runs the tests, or is the shop itself.
func TestMain(m *testing.M) {
	if os.Getenv(asCommand) == "" {
		os.Exit(m.Run())
	}
	main()
}

func TestArguments(t *testing.T) {
	for _, argument := range []string{"--addr", "-h", "127.0.0.1:8081"} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c := exec.CommandContext(ctx, os.Args[0], argument) //nolint:gosec // this program
		c.Env = append(os.Environ(), asCommand+"=1", "SHOP_ADDR=127.0.0.1:0")
		out, err := c.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 2, exit.ExitCode(), string(out))
		require.Contains(t, string(out), "unknown argument \""+argument+"\"\nusage: shop\n")
		require.Contains(t, string(out), "SHOP_ADDR")
	}
}
