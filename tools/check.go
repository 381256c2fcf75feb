package tools

import (
	"context"
	"fmt"

	"mcp-partner/armclient"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// notChecked ends every sentence that says that there is a link.
const notChecked = "Roles and earned credit were not checked."

func (s *Service) checkPartnerLink(ctx context.Context, j *job, in *schemas.CheckPartnerLinkInput) Result {
	t, err := s.target(ctx, j, in.Target, "")
	if err != nil {
		return failure(err)
	}
	asked := in.PartnerID
	if j.call.PlanOnly {
		return done(t.planned(j.op, asked))
	}
	j.progress(1, 1, "Reading the link")
	if asked == "" {
		read := t.azure.Link(ctx)
		s.pin(ctx, t, read)
		return done(t.reading(read))
	}
	read, matches := t.azure.Partner(ctx, in.PartnerID)
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
func (t target) reading(read armclient.LinkRead) answers.Envelope {
	link := t.expected(read.Link)
	envelope := answers.Envelope{Status: answers.StatusDone, Summary: t.sentence(link), Link: &link, Identity: t.identity(read.Identity)}
	if read.Problem != nil {
		envelope.Status, envelope.Problem = answers.StatusFailed, read.Problem
		envelope.Summary += " " + read.Problem.Message
	}
	return envelope
}

// sentence says for a person what is known of a link, in the program's words
// alone.
func (t target) sentence(link answers.Link) string {
	who := fmt.Sprintf("This identity in tenant %s", named(t.tenant))
	switch link.State {
	case answers.LinkLinked:
		return fmt.Sprintf("%s is linked to %s. %s", who, t.linkedTo(link), notChecked)
	case answers.LinkNotLinked:
		return who + " has no partner link" + expectedHere(link) + "; other identities may have one."
	case answers.LinkDeleted:
		return who + " has a deleted partner link, which counts as none" + expectedHere(link) + "."
	default:
		return fmt.Sprintf("The link of this identity in tenant %s is unknown.", named(t.tenant))
	}
}

func (t target) linkedTo(link answers.Link) string {
	id := fmt.Sprint("partner ID ", link.PartnerID)
	switch link.AuditState {
	case answers.RowLinkedExpected:
		return id + ", as expected"
	case answers.RowLinked:
		return id + "; it is unknown whether that is yours, because the setting partner-ids is empty"
	default:
		return id + t.unexpected(link)
	}
}

// unexpected says whose a linked ID is that is not the expected one; "" for any other.
func (t target) unexpected(link answers.Link) string {
	switch {
	case link.AuditState == answers.RowLinkedOwn:
		return ", another of this partner's own IDs" + expectedHere(link)
	case link.AuditState != answers.RowLinkedOther:
		return ""
	case len(t.own) == 0:
		return expectedHere(link)
	default:
		return ", another partner's ID" + expectedHere(link)
	}
}

func expectedHere(link answers.Link) string {
	if link.ExpectedPartnerID == "" {
		return ""
	}
	return fmt.Sprintf(" (expected: %s)", link.ExpectedPartnerID)
}
