package approvals

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/phrase"
)

func newCmdShow(deps *cmdutil.Deps) *cobra.Command {
	var asJSON, all bool
	command := &cobra.Command{
		Use:     "show ID",
		Short:   "Show the plan of an approval",
		Example: "  mcp-partner approvals show ap_0123456789abcdef01",
		Args:    cmdutil.OneArgument("the approval's ID"),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			ticket, err := find(ctx, session, args[0])
			if err != nil {
				return err
			}
			s := shown{session: session, ticket: ticket, ui: deps.IO.UI(), all: all}
			if asJSON {
				return s.json(ctx, deps.IO)
			}
			return s.write(ctx)
		}),
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	addAllRows(&all, command.Flags())
	return command
}

func addAllRows(all *bool, flags *pflag.FlagSet) {
	flags.BoolVar(all, "all", false, "show also the tenants of a plan that are not touched")
}

func showTicket(u *term.UI, t guard.Ticket, r ApprovalRow) {
	u.Line(term.Bold, guard.QuestionFor(t.Intent).Text)
	writeState(u, r)
	u.Field("customer", strings.Trim(r.Company+", "+r.Domain, ", "))
	u.Field("tenant", fmt.Sprintf("%s (%s, %s cloud)", r.Tenant, r.TenantID, r.Cloud))
	u.Field("identity", r.ObjectID)
	u.Field("credential", r.Credential)
	u.Field("linked now", phrase.Words(r.Before))
	u.Field("its name", r.LinkedName)
	u.Field("last written", r.LinkedSince)
	u.Field("afterwards", afterwards(t.Intent))
	writeRequest(u, r)
}

// writeState writes which approval it is, and how it stands.
func writeState(u *term.UI, r ApprovalRow) {
	u.Field("id", r.ID)
	u.StyledField("state", map[string]term.Style{"pending": term.Warn, "approved": term.Good}[r.State], r.State)
	u.Field("tool", r.Tool)
}

// writeRequest writes who asked, when and why, and who decided.
func writeRequest(u *term.UI, r ApprovalRow) {
	u.Field("asked by", r.Caller+", account "+r.Requester)
	if r.SameUser {
		u.StyledField("same user", term.Warn, "this account also made the request; the ledger will record same_user")
	}
	u.Field("reason", r.Reason)
	u.Field("rule", r.Rule)
	u.Field("asked at", r.CreatedAt)
	u.Field("expires at", r.ExpiresAt)
	u.Field("decided by", r.Approver)
	u.Field("denied", r.Denied)
}

func afterwards(intent guard.Intent) string {
	if intent.Method() == "DELETE" {
		return "nothing linked"
	}
	return "linked to \"" + intent.PartnerID + "\""
}
