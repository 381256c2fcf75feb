// Command mcp-partner serves tools for Partner Admin Link over MCP, and offers
// the same on the command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"mcp-partner/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the program well; a second one ends it at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:]))
}
