package approvals

import (
	"context"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// listCommand shows the IDs that there are.
const listCommand = "mcp-partner approvals list"

// find returns the question with an ID, or the only one whose ID begins so.
func find(ctx context.Context, session *app.Session, id string) (guard.Ticket, error) {
	tickets, err := session.Guard.Questions(ctx)
	if err != nil {
		return guard.Ticket{}, err
	}
	found := xslices.Filter(tickets, func(ticket guard.Ticket) bool { return id != "" && strings.HasPrefix(ticket.ID, id) })
	switch len(found) {
	case 0:
		return exact(ctx, session, id)
	case 1:
		return found[0], nil
	}
	return guard.Ticket{}, exit.Refused(listCommand, "the IDs of %s begin with %s", phrase.Count(len(found), "approval"), untrusted.Shown(id))
}

// exact finds a question that is too old for the list.
func exact(ctx context.Context, session *app.Session, id string) (guard.Ticket, error) {
	ticket, err := session.Guard.Question(ctx, id, "")
	if err != nil && problems.As(err).Code == problems.CodeApprovalUnknown {
		err = exit.Refused(listCommand, "there is no approval with the ID %s", untrusted.Shown(id))
	}
	return ticket, err
}

// decided refuses to approve a ticket that can no longer be approved.
func decided(ticket guard.Ticket, state string) error {
	by := ""
	if ticket.Decision != nil && ticket.Decision.Approver != "" {
		by = " by " + ticket.Decision.Approver
	}
	switch state {
	case guard.StateApproved:
		return exit.Refused("mcp-partner approvals approve "+ticket.ID+" --execute", "%s is approved already%s, until %s", ticket.ID, by, phrase.Stamp(ticket.ExpiresAt))
	case guard.StateExpired:
		return exit.Refused("have the agent call again for a new approval", "%s expired at %s", ticket.ID, phrase.Stamp(ticket.ExpiresAt))
	}
	return exit.Refused("have the agent call again for a new approval", "%s is %s already%s", ticket.ID, state, by)
}
