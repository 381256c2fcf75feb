package server

import (
	"context"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/tools"
)

// Authorize returns nil if a principal may use a tool, and else why not.
type Authorize func(p guard.Principal, tool string) error

// current reports whether a tool goes by the name that it has now. Former names
// are for calls of clients that know them, not for lists.
func current(t mcp.Tool) bool {
	op, ok := schemas.Lookup(t.Name)
	return !ok || op.Name == t.Name
}

// allowed takes out of a list what the caller may not use, and former names. mcp-go's own filter
// would also hide the tool from calls, which then end as "not found" before
// the call path can refuse and record them.
func (a Authorize) allowed(ctx context.Context, list []mcp.Tool) []mcp.Tool {
	principal := tools.PrincipalOf(ctx)
	return slices.DeleteFunc(slices.Clone(list), func(t mcp.Tool) bool {
		return !current(t) || a != nil && a(principal, t.Name) != nil
	})
}
