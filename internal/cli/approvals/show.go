package approvals

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

type showOptions struct {
	id   string
	json bool
	keys app.KeyFiles
}

// newCmdShow builds `approvals show`.
func newCmdShow(deps *cmdutil.Deps) *cobra.Command {
	options := &showOptions{}
	command := &cobra.Command{
		Use:     "show ID",
		Short:   "Show what one approval is for",
		Example: "  mcp-partner approvals show ap_0123456789abcdef01",
		Args:    cmdutil.OneArgument("the approval's ID"),
		RunE: func(command *cobra.Command, args []string) error {
			options.id = args[0]
			return runShow(command.Context(), deps, options)
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print JSON")
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

func runShow(ctx context.Context, deps *cmdutil.Deps, o *showOptions) error {
	session, err := deps.OpenSession(o.keys, cmdutil.OperatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	ticket, err := find(ctx, session, o.id)
	if err != nil {
		return err
	}
	if ticket.Plan != nil {
		return showManyTicket(ctx, deps, session, ticket, deps.IO.UI(), o.json, nil)
	}
	if o.json {
		return deps.IO.PrintJSON(approvalRowOf(session, ticket))
	}
	u := deps.IO.UI()
	showTicket(u, ticket, approvalRowOf(session, ticket))
	return u.Err
}

// showTicket shows a plan to whoever decides on it.
func showTicket(u *term.UI, t guard.Ticket, r ApprovalRow) {
	u.Line(term.Bold, guard.QuestionFor(t.Intent).Text)
	u.Field("id", r.ID)
	u.StyledField("state", map[string]term.Style{"pending": term.Warn, "approved": term.Good}[r.State], r.State)
	u.Field("tool", r.Tool)
	u.Field("customer", strings.Trim(r.Company+", "+r.Domain, ", "))
	u.Field("tenant", fmt.Sprintf("%s (%s, %s cloud)", r.Tenant, r.TenantID, r.Cloud))
	u.Field("identity", r.ObjectID)
	u.Field("credential", r.Credential)
	u.Field("linked now", r.Before)
	u.Field("its name", r.LinkedName)
	u.Field("last written", r.LinkedSince)
	u.Field("afterwards", afterwards(t.Intent))
	u.Field("asked by", r.Caller+", account "+r.Requester)
	if r.SameUser {
		u.StyledField("same user", term.Warn, "this account also made the request: the record will say same_user")
	}
	u.Field("reason", r.Reason)
	u.Field("rule", r.Rule)
	u.Field("asked at", r.CreatedAt)
	u.Field("expires at", r.ExpiresAt)
	u.Field("decided by", r.Approver)
	u.Field("denied", r.Denied)
}

// afterwards words what a write would leave.
func afterwards(intent guard.Intent) string {
	if intent.Method() == "DELETE" {
		return "nothing linked"
	}
	return "linked to \"" + intent.PartnerID + "\""
}
