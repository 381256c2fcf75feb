package tools

import (
	"context"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
)

// completionLimit is the most values that a completion may carry by the
// protocol.
const completionLimit = 100

// CompletePromptArgument completes tenant names in prompts, inside the
// operator's bound and the caller's grant.
func (s *Service) CompletePromptArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return s.complete(ctx, argument)
}

// CompleteResourceArgument completes tenant and tool names in templates.
func (s *Service) CompleteResourceArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return s.complete(ctx, argument)
}

// complete shows names as a call would: none while reads are frozen, no tenants
// without list_tenants, and nothing outside of grant and bounds.
func (s *Service) complete(ctx context.Context, argument mcp.CompleteArgument) (*mcp.Completion, error) {
	p := s.deps.Guard.Confine(RequestOf(ctx).Principal)
	freeze, err := s.deps.Guard.Frozen(ctx)
	if err != nil || freeze.Reads || p.Caller == "" {
		return completion(nil, ""), err
	}
	var names []string
	switch argument.Name {
	case "tenant":
		names, err = s.tenantNames(ctx, p)
	case "tool":
		for _, op := range schemas.Catalogue() {
			if p.Grant.Allows(op) {
				names = append(names, op.Name)
			}
		}
	}
	return completion(names, argument.Value), err
}

func (s *Service) tenantNames(ctx context.Context, p access.Principal) (names []string, err error) {
	list, _ := schemas.Lookup(schemas.ToolListTenants)
	if _, err := s.deps.Guard.Admit(ctx, access.Subject{Operation: list, By: p}); err != nil {
		return nil, nil // who may not list them completes none
	}
	tenants, err := s.visible(p)
	for _, tenant := range tenants {
		names = append(names, tenant.Name)
	}
	return names, err
}

func completion(names []string, typed string) *mcp.Completion {
	values := []string{}
	total := 0
	for _, name := range names {
		if !strings.HasPrefix(naming.Fold(name), naming.Fold(typed)) {
			continue
		}
		if total++; total <= completionLimit {
			values = append(values, name)
		}
	}
	return &mcp.Completion{Values: values, Total: total, HasMore: total > len(values)}
}
