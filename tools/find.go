package tools

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
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
	envelope := answers.Envelope{Status: answers.StatusDone, Matches: found.Matches, OutOfScope: &answers.Scope{Out: found.OutOfScope}}
	envelope.Summary = foundSentence(found)
	if found.OutOfScope == nil {
		if err := s.Authorize(j.call.Principal, found.Matches[0].Tool); err != nil {
			envelope.Summary += " " + problems.As(err).Message
		}
	}
	return done(envelope)
}

func foundSentence(found search.Result) string {
	first := found.Matches[0]
	switch {
	case found.OutOfScope != nil:
		return "Probably no tool of this server does that. " + found.OutOfScope.Reason
	case first.Confidence == answers.ConfidenceLow:
		return fmt.Sprintf("%s (%s) is the nearest, with low confidence; nothing was run.", first.Tool, first.Effect)
	}
	return fmt.Sprintf("%s (%s) fits best; nothing was run.", first.Tool, first.Effect)
}

// maxNames is how many different lists of tenants are kept: callers who were
// given the same tenants share one.
const maxNames = 16

// nameCache keeps the intent search's indexes of tenant names for as long as the
// directory and what callers were given stay what they were. An index is used
// for exactly the list that it was made of.
type nameCache struct {
	mu   sync.Mutex
	kept []namesOf // the one used last comes first
}

type namesOf struct {
	given []search.TenantName
	index *search.Names
}

func (c *nameCache) of(tenants []schemas.Tenant) *search.Names {
	names := make([]search.TenantName, 0, len(tenants))
	for _, t := range tenants {
		names = append(names, search.TenantName{Name: t.Name, TenantID: t.TenantID, Domains: t.Domains, DisplayName: t.Company})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.kept, func(k namesOf) bool { return slices.EqualFunc(names, k.given, sameName) })
	if i < 0 {
		c.kept = append(c.kept, namesOf{names, search.NewNames(names)})
		i = len(c.kept) - 1
	}
	found := c.kept[i]
	c.kept = slices.Insert(slices.Delete(c.kept, i, i+1), 0, found)
	c.kept = c.kept[:min(maxNames, len(c.kept))]
	return found.index
}

func sameName(a, b search.TenantName) bool {
	return a.Name == b.Name && a.TenantID == b.TenantID && a.DisplayName == b.DisplayName && slices.Equal(a.Domains, b.Domains)
}
