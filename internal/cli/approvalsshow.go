package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
)

type approvalsShowOptions struct {
	id   string
	json bool
	keys keyOptions
}

// newApprovalsShow builds `approvals show`.
func newApprovalsShow(f *Factory) *cobra.Command {
	options := &approvalsShowOptions{}
	command := &cobra.Command{
		Use:     "show ID",
		Short:   "Show the plan of one question: where, what is linked now, what would be",
		Example: "  mcp-partner approvals show ap_0123456789abcdef01",
		Args:    oneArgument("the approval's ID"),
		RunE: func(command *cobra.Command, args []string) error {
			options.id = args[0]
			return runApprovalsShow(command.Context(), f, options)
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print JSON")
	options.keys.add(command.Flags())
	return command
}

func runApprovalsShow(ctx context.Context, f *Factory, o *approvalsShowOptions) error {
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	ticket, err := room.decider.Question(ctx, o.id, "")
	if err != nil {
		return err
	}
	if ticket.Plan != nil {
		return f.showManyTicket(ctx, room, ticket, f.IO.ui(), o.json, nil)
	}
	if o.json {
		return f.IO.printJSON(room.approvalRow(ticket))
	}
	u := f.IO.ui()
	u.ticket(ticket, room.approvalRow(ticket))
	return u.err
}

// ticket shows a plan to whoever decides on it.
func (u *ui) ticket(t guard.Ticket, r approvalRow) {
	u.line(bold, guard.QuestionFor(t.Intent).Text)
	u.field("id", r.ID)
	u.styledField("state", map[string]style{"pending": warn, "approved": good}[r.State], r.State)
	u.field("tool", r.Tool)
	u.field("tenant", fmt.Sprintf("%s (%s, %s cloud)", r.Tenant, r.TenantID, r.Cloud))
	u.field("identity", r.ObjectID)
	u.field("credential", r.Credential)
	u.field("linked now", r.Before)
	u.field("its name", r.LinkedName)
	u.field("last written", r.LinkedSince)
	u.field("afterwards", afterwards(t.Intent))
	u.field("asked by", r.Caller+", account "+r.Requester)
	if r.SameUser {
		u.styledField("same user", warn, "this account asked as well: the record will say that requester and approver cannot be told apart")
	}
	u.field("reason", r.Reason)
	u.field("rule", r.Rule)
	u.field("asked at", r.CreatedAt)
	u.field("expires at", r.ExpiresAt)
	u.field("decided by", r.Approver)
	u.field("denied", r.Denied)
}

// afterwards words what a write would leave.
func afterwards(intent guard.Intent) string {
	if intent.Method() == "DELETE" {
		return "nothing linked"
	}
	return "linked to \"" + intent.PartnerID + "\""
}
