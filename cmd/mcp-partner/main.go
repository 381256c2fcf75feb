// Command mcp-partner serves tools for Partner Admin Link over MCP, and offers
// the same on the command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"mcp-partner/internal/cli"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/harden"
	"mcp-partner/internal/memlimit"
)

// gcPercent lets the heap grow to five times of what is live before it is
// collected. What is live is a few megabytes, so that is little memory, and for
// it the start and the calls of a server take a quarter less.
const gcPercent = 400

func main() {
	surviveBrokenPipes()
	// Any command may open the vault. A server says in its log what failed here.
	_ = harden.NoDumps()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	memlimit.Set() // a command that needs more lets it follow
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the program well; a second one ends it at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, term.SystemStreams(), os.Args[1:]))
}

// surviveBrokenPipes makes a write to a closed output an error like any other.
// By default the Go runtime ends the process there, possibly during a change at
// Azure that is then neither read back nor recorded. The signal is caught, not
// ignored: child processes would inherit that. Windows has no such signal.
func surviveBrokenPipes() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
