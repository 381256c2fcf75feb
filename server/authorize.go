package server

import (
	"context"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/guard"
	"mcp-partner/tools"
)

// Authorize returns nil if a principal may use a tool, and else why not.
type Authorize func(p guard.Principal, tool string) error

// allowed takes out of a list what the caller may not use. mcp-go's own filter
// would also hide the tool from calls, which then end as "not found" before
// the call path can refuse and record them.
func (a Authorize) allowed(ctx context.Context, list []mcp.Tool) []mcp.Tool {
	if a == nil {
		return list
	}
	principal := tools.PrincipalOf(ctx)
	return slices.DeleteFunc(slices.Clone(list), func(t mcp.Tool) bool {
		return a(principal, t.Name) != nil
	})
}
