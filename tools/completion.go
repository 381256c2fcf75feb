package tools

import (
	"context"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// completionLimit is the most values that a completion may carry by the
// protocol.
const completionLimit = 100

// CompletePromptArgument completes tenant names in prompts, inside the
// operator's bound and the caller's grant.
func (s *Service) CompletePromptArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return s.complete(PrincipalOf(ctx), argument)
}

// CompleteResourceArgument completes tenant and tool names in templates.
func (s *Service) CompleteResourceArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return s.complete(PrincipalOf(ctx), argument)
}

func (s *Service) complete(p guard.Principal, argument mcp.CompleteArgument) (*mcp.Completion, error) {
	var names []string
	switch {
	case len(p.Grant.Scopes) == 0: // who may do nothing need not know names either
	case argument.Name == "tenant":
		tenants, err := s.visible(p)
		if err != nil {
			return nil, err
		}
		for _, tenant := range tenants {
			names = append(names, tenant.Name)
		}
	case argument.Name == "tool":
		for _, op := range schemas.Catalogue() {
			if p.Grant.Allows(op) {
				names = append(names, op.Name)
			}
		}
	}
	return completion(names, argument.Value), nil
}

func completion(names []string, typed string) *mcp.Completion {
	values := []string{}
	total := 0
	for _, name := range names {
		if !strings.HasPrefix(strings.ToLower(name), strings.ToLower(typed)) {
			continue
		}
		if total++; total <= completionLimit {
			values = append(values, name)
		}
	}
	return &mcp.Completion{Values: values, Total: total, HasMore: total > len(values)}
}
