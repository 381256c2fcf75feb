package cli

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// newApprovals builds `approvals` with its subcommands.
func newApprovals(f *Factory) *cobra.Command {
	command := &cobra.Command{
		Use:   "approvals",
		Short: "See what waits for an approver, and decide",
		Long: `See which writes wait for an approver, and approve or deny them. Approving takes the
passphrase that was set with mcp-partner approvers add, typed on the terminal.`,
		Example: `  mcp-partner approvals list
  mcp-partner approvals show ap_0123456789abcdef01
  mcp-partner approvals approve ap_0123456789abcdef01 --approver alice --execute`,
		Args: noArguments,
		RunE: showHelp,
	}
	command.AddCommand(
		newApprovalsList(f), newApprovalsShow(f),
		newApprovalsApprove(f), newApprovalsDeny(f),
		newApprovalsRotateKey(f),
	)
	return command
}

// operator is the guard of the state directory for whoever keeps it.
func (s *Settings) operator(keys keyOptions, rules guard.Options) (*callRoom, error) {
	h, err := s.openHouse(keys, nil)
	if err != nil {
		return nil, err
	}
	return s.room(h, rules)
}

// approvalRow is a question for approvers as the command line shows it.
type approvalRow struct {
	ID         string `json:"id"`
	State      string `json:"state"`
	Tool       string `json:"tool"`
	Tenant     string `json:"tenant"`
	TenantID   string `json:"tenant_id"`
	ObjectID   string `json:"object_id"`
	Cloud      string `json:"cloud"`
	Credential string `json:"credential"`
	Before     string `json:"before"`
	// LinkedName is foreign text: the provider's name of what is linked now.
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
	Rows    []schemas.ChangeRow `json:"rows,omitempty"`
}

func (r *callRoom) approvalRow(t guard.Ticket) approvalRow {
	row := approvalRow{
		ID: t.ID, State: r.decider.State(t), Tool: t.Intent.Tool,
		Tenant: t.Intent.Identity.Tenant, TenantID: t.Intent.Identity.TenantID, ObjectID: t.Intent.Identity.ObjectID,
		Cloud: t.Intent.Identity.Cloud, Credential: t.Intent.Identity.Credential,
		Before: t.Intent.Before.String(), LinkedName: t.Intent.LinkedName, LinkedSince: t.Intent.LinkedSince, PartnerID: t.Intent.PartnerID,
		Caller: string(t.Intent.Caller), Requester: t.Requester, SameUser: t.Requester == account(),
		Reason: t.Intent.Reason, Rule: t.Rule, CreatedAt: stamp(t.CreatedAt), ExpiresAt: stamp(t.ExpiresAt),
	}
	if t.Plan != nil {
		row.Tenants, row.Digest = t.Plan.Rows, hex.EncodeToString(t.Plan.Digest[:])
		row.Tenant, row.Before = count(t.Plan.Rows, "tenant"), ""
	}
	if t.Decision != nil {
		row.Approver, row.Denied, row.SameUser = t.Decision.Approver, t.Decision.Reason, t.Decision.SameUser
	}
	return row
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// approve asks an approver for the passphrase and records the approval.
func (f *Factory) approve(ctx context.Context, decider *guard.Guard, id, approver string) error {
	by, err := f.IO.askCredentials(ctx, approver)
	if err != nil {
		return err
	}
	defer clear(by.Passphrase)
	_, err = decider.Approve(ctx, id, by.Name, by.Passphrase)
	return err
}
