// Daxpay is the command for a DaxPay payment gateway, single-merchant edition 2.0.x. It makes every call, waits for
// orders, finds out why a gateway or a signature does not fit, sends and receives notices, and serves a gateway to
// develop a shop against. See docs/command.md and docs/console.md.
package main

import (
	"os"

	"github.com/daxpay-go/daxpay/cmd/daxpay/internal/console"
	"github.com/daxpay-go/daxpay/cmd/daxpay/internal/shell"
)

func main() { os.Exit(shell.Main(console.NewServeCommand())) }
