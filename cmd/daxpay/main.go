// Command daxpay serves a DaxPay gateway to develop a shop against.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/daxpay-go/daxpay/cmd/daxpay/internal/console"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{Use: "daxpay", SilenceErrors: true}
	root.AddCommand(console.NewServeCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "daxpay:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
