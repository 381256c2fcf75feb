package term

import (
	"fmt"
	"io"
	"strings"

	"mcp-partner/internal/exit"
)

// Report writes an error: what is wrong, what to do, and the command that does it.
func Report(to io.Writer, end *exit.Error) {
	if end.Message == "" {
		return
	}
	fmt.Fprintf(to, "mcp-partner: %s\n", Escape(strings.TrimPrefix(end.Message, "mcp-partner ")))
	if end.Next != "" {
		fmt.Fprintf(to, "Next: %s\n", Escape(end.Next))
	}
	if end.Command != "" {
		fmt.Fprintf(to, "Run: %s\n", Escape(end.Command))
	}
}
