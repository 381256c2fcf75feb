package tools

import (
	"context"
	"fmt"

	"mcp-partner/schemas"
	"mcp-partner/search"
)

func (s *Service) findPartnerTool(ctx context.Context, j *job, in *schemas.FindPartnerToolInput) Result {
	if err := s.admit(ctx, j, schemas.Tenant{}, ""); err != nil {
		return failure(err)
	}
	tenants, err := s.visible(j.call.Principal)
	if err != nil {
		return failure(err)
	}
	found := s.deps.Search.Find(in.Query, s.names.of(tenants), in.Limit)
	envelope := schemas.Envelope{Status: schemas.StatusDone, Matches: found.Matches, OutOfScope: &schemas.Scope{Out: found.OutOfScope}}
	envelope.Summary = foundSentence(found) + notGranted(j, found)
	return done(envelope)
}

func foundSentence(found search.Result) string {
	first := found.Matches[0]
	switch {
	case found.OutOfScope != nil:
		return "It is likely that no tool of this server does that. " + found.OutOfScope.Reason
	case first.Confidence == schemas.ConfidenceLow:
		return fmt.Sprintf("%s (%s) is nearest, with low confidence; nothing was run.", first.Tool, first.Effect)
	}
	return fmt.Sprintf("%s (%s) fits best; nothing was run.", first.Tool, first.Effect)
}

// notGranted says that the tool which fits best is not for this caller.
func notGranted(j *job, found search.Result) string {
	if found.OutOfScope != nil {
		return ""
	}
	if err := authorize(j.call.Principal, found.Matches[0].Tool); err != nil {
		return " " + schemas.AsProblem(err).Message
	}
	return ""
}
