package term

import (
	"fmt"
	"io"
	"strings"

	"mcp-partner/internal/exit"
)

// Report writes an error: what is wrong, what to do, and the command that does it.
func Report(to io.Writer, width int, end *exit.Error) {
	if end.Message == "" {
		return
	}
	fmt.Fprintln(to, Wrap("mcp-partner: "+Escape(strings.TrimPrefix(end.Message, "mcp-partner ")), width, 2))
	for _, detail := range end.Details {
		fmt.Fprintln(to, Wrap("  "+Escape(detail), width, 4))
	}
	if end.Next != "" {
		fmt.Fprintln(to, Wrap("Next: "+Escape(end.Next), width, 2))
	}
	if end.Command != "" {
		fmt.Fprintf(to, "Run: %s\n", Escape(end.Command))
	}
}
