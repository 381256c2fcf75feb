// Command contract-verify compares the provider Microsoft.ManagementPartner, as
// it answers one identity in one tenant, with the contract that mcp-partner
// openapi prints. It is for who develops mcp-partner and uses the same state
// directory, config.yaml and flags.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"mcp-partner/internal/cli"
	"mcp-partner/internal/cli/contractverify"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/harden"
)

func main() {
	_ = harden.NoDumps() // it may open the vault; where this fails nothing else does
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	args := append([]string{"contract-verify"}, os.Args[1:]...)
	os.Exit(cli.Run(ctx, term.SystemStreams(), args, contractverify.NewCmd))
}
