// Package approvals has the commands that decide what may be written:
// approvals, freeze, unfreeze and policy.
package approvals

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// NewCmdApprovals builds `approvals` with its subcommands.
func NewCmdApprovals(deps *cmdutil.Deps) *cobra.Command {
	return deps.Parent("approvals", "List, show, approve and deny pending approvals",
		newCmdList(deps), newCmdShow(deps), newCmdApprove(deps),
		newCmdDeny(deps), newCmdRotateKey(deps))
}

// ApprovalRow is a question for approvers as the command line shows it.
type ApprovalRow struct {
	ID    string `json:"id"`
	State string `json:"state"`
	guard.Intent
	Before    string `json:"before"`
	Requester string `json:"requester"`
	// SameUser says that this account is the requester's too: whether one person
	// asked and approves cannot be told.
	SameUser  bool   `json:"same_user"`
	Rule      string `json:"rule,omitempty"`
	CreatedAt string `json:"created_at"`
	ExpiresAt string `json:"expires_at"`
	// Approvals is such as "1 of 2" where the rule wants several.
	Approvals string `json:"approvals,omitempty"`
	Approver  string `json:"approver,omitempty"`
	Denied    string `json:"denied,omitempty"`
	// Tenants is how many tenants a plan is for, Digest what it is; both only for
	// a plan, and Rows only where one is shown.
	Tenants int                 `json:"tenants,omitempty"`
	Digest  string              `json:"plan_digest,omitempty"`
	Rows    []answers.ChangeRow `json:"rows,omitempty"`
}

func approvalRowOf(s *app.Session, t guard.Ticket) ApprovalRow {
	row := ApprovalRow{
		ID: t.ID, State: s.Guard.State(t), Intent: t.Intent, Before: t.Intent.Before.String(), Requester: t.Requester, SameUser: t.Requester == app.Account(),
		Rule: t.Rule, CreatedAt: phrase.Stamp(t.CreatedAt), ExpiresAt: phrase.Stamp(t.ExpiresAt),
	}
	if t.Plan != nil {
		row.Tenants, row.Digest = t.Plan.Rows, hex.EncodeToString(t.Plan.Digest[:])
		row.Tenant, row.Before = phrase.Count(t.Plan.Rows, "tenant"), ""
	}
	row.Approvals, row.Approver, row.Denied = t.Approvals(), t.Approvers(), t.Denial()
	if t.Decision != nil {
		row.SameUser = t.Decision.SameUser
	}
	return row
}

// state is where the approval stands, with how many of several have approved.
func (r ApprovalRow) state() string {
	if r.Approvals == "" {
		return r.State
	}
	return r.State + ", " + r.Approvals
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	return cmdutil.ListCommand(deps, "approvals", "List approvals, pending first", deps.OnLedger, func(ctx context.Context, session *app.Session) (cmdutil.Listing[ApprovalRow], error) {
		tickets, err := session.Guard.Questions(ctx)
		pending := func(t guard.Ticket) int { return map[bool]int{false: 1}[session.Guard.State(t) == guard.StatePending] }
		slices.SortStableFunc(tickets, func(a, b guard.Ticket) int { return pending(a) - pending(b) })
		return cmdutil.Listing[ApprovalRow]{
			Rows:  xslices.Map(tickets, func(ticket guard.Ticket) ApprovalRow { return approvalRowOf(session, ticket) }),
			Empty: "Nothing waits for an approver.", Header: []string{"ID", "STATE", "TOOL", "COMPANY", "DOMAIN", "TENANT", "PARTNER ID", "LINKED NOW", "CALLER", "EXPIRES"},
			Cells: func(r ApprovalRow) []string {
				return []string{r.ID, r.state(), r.Tool, r.Company, r.Domain, r.Tenant, string(r.PartnerID), phrase.Words(r.Before), string(r.Caller), r.ExpiresAt}
			},
		}, err
	})
}

func newCmdShow(deps *cmdutil.Deps) *cobra.Command {
	var asJSON, all bool
	command := &cobra.Command{
		Use:   "show ID",
		Short: "Show the plan of an approval",
		Args:  cmdutil.OneArgument("the approval's ID"),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			ticket, err := find(ctx, session, args[0])
			if err != nil {
				return err
			}
			s, err := load(ctx, session, ticket, deps.IO.UI())
			if err != nil {
				return err
			}
			s.all = all
			if asJSON {
				row := approvalRowOf(session, ticket)
				row.Rows = s.rows()
				return deps.IO.PrintJSON(row)
			}
			return s.write()
		}),
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	addAllRows(&all, command.Flags())
	return command
}

func addAllRows(all *bool, flags *pflag.FlagSet) {
	flags.BoolVar(all, "all", false, "show also the tenants of a plan that are not touched")
}

func showTicket(u *term.UI, r ApprovalRow) {
	u.Line(term.Bold, guard.QuestionFor(r.Intent).Text)
	writeState(u, r)
	u.Field("customer", strings.Trim(r.Company+", "+r.Domain, ", "))
	u.Field("tenant", fmt.Sprintf("%s (%s, %s cloud)", r.Tenant, r.TenantID, r.Cloud))
	u.Field("identity", r.ObjectID)
	u.Field("credential", r.Credential)
	u.Field("linked now", phrase.Words(r.Before))
	u.Field("its name", r.LinkedName)
	u.Field("last written", r.LinkedSince)
	u.Field("afterwards", afterwards(r.Intent))
	writeRequest(u, r)
}

// writeState writes which approval it is, and how it stands.
func writeState(u *term.UI, r ApprovalRow) {
	u.Field("id", r.ID)
	u.StyledField("state", map[string]term.Style{"pending": term.Warn, "approved": term.Good}[r.State], r.state())
	u.Field("tool", r.Tool)
}

// writeRequest writes who asked, when and why, and who decided.
func writeRequest(u *term.UI, r ApprovalRow) {
	u.Field("asked by", string(r.Caller)+", account "+r.Requester)
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
	return fmt.Sprintf("linked to \"%s\"", intent.PartnerID)
}

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

func newCmdRotateKey(deps *cmdutil.Deps) *cobra.Command {
	var voidOpen, asJSON bool
	command := &cobra.Command{
		Use:   "rotate-key",
		Short: "Replace the key that seals questions and approvals",
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			if err := rotateSeal(ctx, session.App, voidOpen); err != nil {
				return err
			}
			detail := "Replaced the key that seals questions and approvals."
			if voidOpen {
				detail += " Unused questions and approvals under the previous key are void."
			}
			deps.IO.ChangeMade()
			recorded := session.Guard.Changed(ctx, guard.KindSecret, detail)
			if asJSON {
				answer := map[string]any{"rotated": app.SealKey, "void_open": voidOpen, "recorded": recorded == nil}
				return cmp.Or(deps.IO.PrintJSON(answer), recorded)
			}
			u := deps.IO.UI()
			u.Line(term.Good, detail)
			if recorded != nil {
				u.Line(term.Warn, "The ledger could not record it: "+problems.As(recorded).Message)
			}
			return u.Err
		}),
	}
	command.Flags().BoolVar(&voidOpen, "void-open", false, "delete the previous key too")
	command.Flags().BoolVar(&asJSON, "json", false, "print {\"rotated\":\"seal\",\"void_open\":...}")
	return command
}

// rotateSeal replaces the key; doing it twice leaves nothing of the old one.
func rotateSeal(ctx context.Context, a *app.App, voidOpen bool) error {
	// One that is not there yet would make the second rotation keep the first.
	if _, err := a.Keyring.Keys(ctx, app.SealKey, guard.KeySize); err != nil {
		return err
	}
	if voidOpen {
		if err := a.Keyring.Rotate(ctx, app.SealKey, guard.KeySize); err != nil {
			return err
		}
	}
	return a.Keyring.Rotate(ctx, app.SealKey, guard.KeySize)
}
