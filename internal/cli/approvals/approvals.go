// Package approvals has the commands that decide what may be written:
// approvals, approvers, freeze, unfreeze and policy.
package approvals

import (
	"encoding/hex"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
)

// NewCmdApprovals builds `approvals` with its subcommands.
func NewCmdApprovals(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "approvals",
		Short: "List, show, approve and deny pending approvals",
		Long: `List the writes that wait for an approver, and approve or deny them. To approve, type
the passphrase that you set with mcp-partner approvers add on the terminal.`,
		Example: `  mcp-partner approvals list
  mcp-partner approvals show ap_0123456789abcdef01
  mcp-partner approvals approve ap_0123456789abcdef01 --approver alice --execute`,
	}
	deps.AddKeyFlags(command.PersistentFlags())
	command.AddCommand(
		newCmdList(deps), newCmdShow(deps),
		newCmdApprove(deps), newCmdDeny(deps),
		newCmdRotateKey(deps),
	)
	return command
}

// ApprovalRow is a question for approvers as the command line shows it.
type ApprovalRow struct {
	ID         string `json:"id"`
	State      string `json:"state"`
	Tool       string `json:"tool"`
	Company    string `json:"company,omitempty"`
	Domain     string `json:"domain,omitempty"`
	Tenant     string `json:"tenant"`
	TenantID   string `json:"tenant_id"`
	ObjectID   string `json:"object_id"`
	Cloud      string `json:"cloud"`
	Credential string `json:"credential"`
	Before     string `json:"before"`
	// LinkedName is untrusted text: the provider's name of what is linked now.
	LinkedName  string `json:"linked_name,omitempty"`
	LinkedSince string `json:"linked_since,omitempty"`
	PartnerID   string `json:"partner_id"`
	Caller      string `json:"caller"`
	Requester   string `json:"requester"`
	// SameUser says that this account is the requester's too: whether one person
	// asked and approves cannot be told.
	SameUser  bool   `json:"same_user"`
	Reason    string `json:"reason,omitempty"`
	Rule      string `json:"rule,omitempty"`
	CreatedAt string `json:"created_at"`
	ExpiresAt string `json:"expires_at"`
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
		ID: t.ID, State: s.Guard.State(t), Tool: t.Intent.Tool,
		Company: t.Intent.Company, Domain: t.Intent.Domain, Tenant: t.Intent.Identity.Tenant, TenantID: t.Intent.Identity.TenantID, ObjectID: t.Intent.Identity.ObjectID,
		Cloud: t.Intent.Identity.Cloud, Credential: t.Intent.Identity.Credential,
		Before: t.Intent.Before.String(), LinkedName: t.Intent.LinkedName, LinkedSince: t.Intent.LinkedSince, PartnerID: t.Intent.PartnerID,
		Caller: string(t.Intent.Caller), Requester: t.Requester, SameUser: t.Requester == app.Account(),
		Reason: t.Intent.Reason, Rule: t.Rule, CreatedAt: phrase.Stamp(t.CreatedAt), ExpiresAt: phrase.Stamp(t.ExpiresAt),
	}
	if t.Plan != nil {
		row.Tenants, row.Digest = t.Plan.Rows, hex.EncodeToString(t.Plan.Digest[:])
		row.Tenant, row.Before = phrase.Count(t.Plan.Rows, "tenant"), ""
	}
	if t.Decision != nil {
		row.Approver, row.Denied, row.SameUser = t.Decision.Approver, t.Decision.Reason, t.Decision.SameUser
	}
	return row
}
