package armclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// LinkRead is what one read of a link gave. It is never an error: if the state
// is unknown, Problem says why and Link.Reason is its code.
type LinkRead struct {
	Link     answers.Link
	Identity answers.Identity
	Problem  *problems.Problem
	// TokenReadable is whether the token said which identity it is for. Without
	// that a 404 means nothing, and no write is possible.
	TokenReadable bool
	// RequestID and CorrelationID are ARM's, cleaned.
	RequestID, CorrelationID string
}

// Link reads the link of the client's identity to any partner.
//
// It says not_linked in one case only: the status is 404, the answer has a
// request ID as all of ARM's have, the token was for the right tenant and
// identity, and the body is an error in a known shape and no more, whose every
// code is NotFound, the one code that is known from the provider for "no link",
// and whose messages speak neither of the provider nor of an address or a
// tenant. Any other 404 is unknown.
func (c *Client) Link(ctx context.Context) LinkRead {
	ctx, r := withRecord(ctx)
	link, err := linkOf(c.conn.read(ctx, schemas.PathPartners, schemas.APIVersion))
	return c.judge(r, link, err)
}

// Partner reads the link by a partner ID, and after a 404 by Link, which then
// decides. matchesAsked is whether partnerID is the one linked; nil if unknown.
func (c *Client) Partner(ctx context.Context, partnerID partnerid.ID) (read LinkRead, matchesAsked *bool) {
	ctx, cancel := withDeadline(ctx, readTime)
	defer cancel()
	recorded, r := withRecord(ctx)
	link, err := c.conn.linkTo(recorded, partnerID)
	if answer, ok := errors.AsType[*rejection](err); ok && answer.status == http.StatusNotFound {
		read = c.Link(ctx)
	} else {
		read = c.judge(r, link, err)
	}
	return read, matches(read.Link, partnerID)
}

func matches(link answers.Link, partnerID partnerid.ID) *bool {
	if link.State == answers.LinkUnknown {
		return nil
	}
	return new(link.State == answers.LinkLinked && link.PartnerID == partnerID)
}

func (c *Client) judge(r *record, link *linkProperties, err error) LinkRead {
	read := LinkRead{
		Identity: c.identity(r), TokenReadable: r.readable,
		RequestID: untrusted.Sanitize(r.requestID), CorrelationID: untrusted.Sanitize(r.correlationID),
	}
	var answer *rejection
	switch {
	case errors.As(err, &answer) && answer.absent && r.readable:
		read.Link.State = answers.LinkNotLinked
	case errors.As(err, &answer) && answer.absent:
		read.fail(problems.New(problems.CodeTokenUnreadable, "ARM answered 404, but the token does not name its identity and tenant."))
	case err != nil:
		read.fail(problems.As(err))
	default:
		c.accept(&read, link)
	}
	return read
}

func (l *LinkRead) fail(problem *problems.Problem) {
	if problem.ARMRequestID == "" && problem.CorrelationID == "" && l.RequestID+l.CorrelationID != "" {
		own := *problem
		own.ARMRequestID, own.CorrelationID = l.RequestID, l.CorrelationID
		problem = &own
	}
	l.Link = answers.Link{State: answers.LinkUnknown, Reason: problem.Code}
	l.Problem = problem
}

// accept takes a 200, unless it contradicts the token or tells nothing.
func (c *Client) accept(l *LinkRead, p *linkProperties) {
	if p == nil {
		p = &linkProperties{}
	}
	if problem := c.contradiction(l, p); problem != nil {
		l.fail(problem)
		return
	}
	id, err := partnerid.Read(p.partnerID)
	if err != nil {
		l.fail(problems.New(problems.CodeUnexpectedResponse, "ARM answered 200 without a usable partner ID."))
		return
	}
	l.Link = answers.Link{
		State: answers.LinkLinked, PartnerID: id, PartnerName: untrusted.Sanitize(p.partnerName),
		PartnerState: untrusted.Sanitize(p.state), Version: p.version,
		CreatedTime: p.createdTime, UpdatedTime: p.updatedTime,
	}
	if strings.EqualFold(l.Link.PartnerState, "Deleted") {
		l.Link.State = answers.LinkDeleted
	}
}

// contradiction compares the body with the token, or, if the token cannot be
// read, with what was asked for: then the body has to name both.
func (c *Client) contradiction(l *LinkRead, p *linkProperties) *problems.Problem {
	tenant, object := p.tenantID, p.objectID
	if !l.TokenReadable {
		if !naming.IsGUID(tenant) || !naming.IsGUID(object) {
			return problems.New(problems.CodeTokenUnreadable, "Neither the token nor the answer names the identity and tenant.")
		}
		l.Identity.ObjectID = strings.ToLower(object)
	}
	switch {
	case tenant != "" && !strings.EqualFold(tenant, c.options.TenantID):
		return problems.New(problems.CodeWrongTenant,
			fmt.Sprintf("The answer is about %s, but %s was requested.", otherTenant(tenant), c.options.tenantWords()))
	case object != "" && !strings.EqualFold(object, c.expectedObject(l)):
		return problems.New(problems.CodeWrongIdentity, "The answer is about a different identity.")
	}
	return nil
}

// otherTenant names a tenant of an answer only if it is a GUID: it is
// untrusted.
func otherTenant(id string) string {
	if !naming.IsGUID(id) {
		return "another tenant"
	}
	return "tenant " + strings.ToLower(id)
}

func (c *Client) expectedObject(l *LinkRead) string {
	if !l.TokenReadable && c.options.PinnedObjectID != "" {
		return c.options.PinnedObjectID
	}
	return l.Identity.ObjectID
}
