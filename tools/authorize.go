package tools

import (
	"context"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// Authorize returns nil if a principal may use a tool of this server, and else
// the problem with which a call of it is refused. It looks at nothing but tool,
// grant and bounds, so that a list of tools depends on authorization alone.
func (s *Service) Authorize(p guard.Principal, tool string) error {
	return authorize(s.deps.Guard.Confine(p), tool)
}

func authorize(p guard.Principal, tool string) error {
	op, ok := schemas.Lookup(tool)
	if !ok {
		return unknownTool(tool)
	}
	return p.Grant.Check(op)
}

// notGranted refuses a call before its arguments are looked at, and records it
// if it would have written.
func (s *Service) notGranted(ctx context.Context, call Call, op schemas.Operation, err error) Result {
	if op.Effect.Writes() {
		s.deps.Guard.Refused(ctx, guard.Intent{Caller: call.Principal.Caller, Tool: op.Name}, schemas.AsProblem(err).Code)
	}
	return failure(err)
}

// stillGranted refuses a run that reaches out of what its caller has now.
func (s *Service) stillGranted(ctx context.Context, p guard.Principal, run string) error {
	if sees := p.Grant.Sees(); run != "" && sees != nil {
		return s.deps.Fleet.Within(ctx, run, sees)
	}
	return nil
}
