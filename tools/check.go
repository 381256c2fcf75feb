package tools

import (
	"context"
	"fmt"

	"mcp-partner/armclient"
	"mcp-partner/schemas"
)

// notChecked ends every sentence that says that there is a link.
const notChecked = "Roles and earned credit were not checked."

func (s *Service) checkPartnerLink(ctx context.Context, j *job, in *schemas.CheckPartnerLinkInput) Result {
	t, err := s.target(ctx, j, in.Target, "")
	if err != nil {
		return failure(err)
	}
	asked := string(in.PartnerID)
	if j.call.PlanOnly {
		return done(t.planned(j.op, asked))
	}
	j.progress(1, 1, "Reading the link")
	if asked == "" {
		read := t.azure.Link(ctx)
		s.pin(ctx, t, read)
		return done(t.reading(read))
	}
	read, matches := t.azure.Partner(ctx, asked)
	s.pin(ctx, t, read)
	envelope := t.reading(read)
	envelope.Link.Matches = matches
	if matches != nil && !*matches {
		envelope.Summary = fmt.Sprintf("Partner ID %s is not the one linked. %s", asked, envelope.Summary)
	}
	return done(envelope)
}

// reading makes the envelope of a read: unknown makes it fail, and it never
// says more than the provider did.
func (t target) reading(read armclient.LinkRead) schemas.Envelope {
	link := t.expected(read.Link)
	envelope := schemas.Envelope{Status: schemas.StatusDone, Summary: t.sentence(link), Link: &link, Identity: t.identity(read.Identity)}
	if read.Problem != nil {
		envelope.Status, envelope.Problem = schemas.StatusFailed, read.Problem
		envelope.Summary += " " + read.Problem.Message
	}
	return envelope
}

// sentence says for a person what is known of a link, in our words alone.
func (t target) sentence(link schemas.Link) string {
	who := fmt.Sprintf("This identity in tenant %s", t.tenant.Name)
	switch link.State {
	case schemas.LinkLinked:
		return fmt.Sprintf("%s is linked to partner ID %s%s. %s", who, link.PartnerID, t.comparison(link), notChecked)
	case schemas.LinkNotLinked:
		return who + " has no partner link" + t.comparison(link) + "; other identities may have one."
	case schemas.LinkDeleted:
		return who + " has a deleted partner link, which counts as none" + t.comparison(link) + "."
	default:
		return fmt.Sprintf("Whether this identity in tenant %s is linked could not be told.", t.tenant.Name)
	}
}

func (t target) comparison(link schemas.Link) string {
	switch {
	case link.MatchesExpected == nil:
		return ""
	case *link.MatchesExpected:
		return ", as expected"
	default:
		return fmt.Sprintf(" (expected: %s)", link.ExpectedPartnerID)
	}
}
