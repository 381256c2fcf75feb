package guard

import (
	"context"
	"strings"

	"mcp-partner/access"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// Seen is a question for approvers as somebody may look at it.
type Seen struct {
	Ticket
	// Asked says that the same human asked, and so cannot decide. Unclear says that it
	// cannot be told whether they did, and Again that they approved already, or may have.
	Asked, Unclear, Again bool
}

// SeenBy returns those of some questions that a caller may look at: inside what they
// were given, and with the scope to approve or asked by themselves.
func (g *Guard) SeenBy(ctx context.Context, p access.Principal, tickets ...Ticket) (seen []Seen, err error) {
	decision := Decision{Approved: true, Approver: string(p.Caller), By: p.Caller, Token: p.Token}
	for _, t := range tickets {
		humans, err := g.humans(ctx, append(t.decisions(), decision)...)
		if err != nil {
			return nil, err
		}
		asked := humans.one(t, decision)
		if (asked || mayApprove(p) == nil) && g.decides(ctx, g.Confine(p).Grant, t) {
			seen = append(seen, Seen{t, asked, !asked && g.sameUser(t, decision, humans), humans.again(t, decision)})
		}
	}
	return seen, nil
}

// StillAsks refuses what who asked may not ask for any more, as far as this server
// knows it: a user who was removed or has less, or a name whose last token was revoked
// or gives less.
func (g *Guard) StillAsks(ctx context.Context, t Ticket) error {
	grant, known, err := g.lastGrant(ctx, t.Intent.Caller)
	op, _ := schemas.Lookup(t.Intent.Tool)
	if err == nil && known && !(grant.Allows(op) && g.decides(ctx, grant, t)) {
		err = problems.New(problems.CodeNotAllowed, quote(t.Intent.Caller)+" may not ask for this any more.",
			problems.WithHint("Somebody who may has to ask again."))
	}
	return err
}

func (g *Guard) lastGrant(ctx context.Context, caller access.Caller) (last access.Grant, known bool, err error) {
	if name, local := strings.CutPrefix(string(caller), userCaller); local {
		var user User
		_, err = g.opts.Store.State(ctx, UserState, name, &user)
		return user.Grant, true, err
	}
	tokens, err := g.Tokens(ctx)
	for _, token := range tokens {
		switch {
		case token.Caller != caller || token.Family != "":
		case token.takenBack():
			return access.Grant{}, true, nil
		default:
			return token.Grant, true, nil
		}
	}
	return access.Grant{}, false, err
}
