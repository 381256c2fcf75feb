package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/tools"
)

type approveOptions struct {
	id, approver  string
	execute, json bool
	keys          keyOptions
	guard         guardOptions
}

// newApprovalsApprove builds `approvals approve`.
func newApprovalsApprove(f *Factory) *cobra.Command {
	options := &approveOptions{}
	command := &cobra.Command{
		Use:   "approve ID",
		Short: "Approve a write, with an approver's passphrase",
		Long: `Approve a write. The plan is shown, and the approver's passphrase is asked for on the
terminal; it signs the plan. The agent then calls again with approval_id. With
--execute the approved plan is carried out at once, for agents that are gone by
then: it is made again first, and if the link has moved nothing is written.

What has to hold for a write holds here too: the policy in config.yaml, a freeze,
and the bounds --tools, --tenants and --partner-ids.`,
		Example: `  mcp-partner approvals approve ap_0123456789abcdef01 --approver alice
  mcp-partner approvals approve ap_0123456789abcdef01 --approver alice --execute`,
		Args: oneArgument("the approval's ID"),
		RunE: func(command *cobra.Command, args []string) error {
			options.id = args[0]
			return runApprovalsApprove(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.approver, "approver", "", "`NAME` of the approver (default: asked for)")
	flags.BoolVar(&options.execute, "execute", false, "carry the approved plan out at once")
	flags.BoolVar(&options.json, "json", false, "print the outcome as JSON; the plan goes to the terminal")
	options.keys.add(flags)
	options.guard.addBounds(flags)
	return command
}

func runApprovalsApprove(ctx context.Context, f *Factory, o *approveOptions) error {
	room, err := f.operator(o.keys, operatorRules(&o.guard))
	if err != nil {
		return err
	}
	defer room.Close()
	ticket, err := room.decider.Question(ctx, o.id, "")
	if err != nil {
		return err
	}
	if err := f.showPlan(ctx, room, ticket, o.json); err != nil {
		return err
	}
	// What was approved before needs nobody again: the agent could go on as well.
	if !o.execute || room.decider.State(ticket) != "approved" {
		if err := f.approveBy(ctx, room.decider, o); err != nil {
			return err
		}
	}
	if !o.execute {
		return f.approved(o, ticket)
	}
	return f.executeTicket(ctx, room, ticket, o.json)
}

// approveBy asks who approves, unless it was said.
func (f *Factory) approveBy(ctx context.Context, decider *guard.Guard, o *approveOptions) (err error) {
	if o.approver == "" {
		if o.approver, err = f.IO.askLine(ctx, "Approver's name: "); err != nil {
			return err
		}
	}
	return f.approve(ctx, decider, o.id, o.approver)
}

// showPlan shows what is about to be approved before anything is typed.
func (f *Factory) showPlan(ctx context.Context, room *callRoom, ticket guard.Ticket, aside bool) error {
	u := f.IO.ui()
	if aside {
		u = &ui{out: f.IO.Err}
	}
	if ticket.Plan != nil {
		return f.showManyTicket(ctx, room, ticket, u, false, func(ctx context.Context, left int) error { return f.nextPage(ctx, left) })
	}
	u.ticket(ticket, room.approvalRow(ticket))
	return u.err
}

func (f *Factory) approved(o *approveOptions, ticket guard.Ticket) error {
	if o.json {
		return f.IO.printJSON(map[string]string{"id": o.id, "state": "approved", "approver": o.approver})
	}
	u := f.IO.ui()
	what := "one write"
	if ticket.Plan != nil {
		what = "one run of exactly this plan"
	}
	u.linef(good, "Approved. It holds until %s and for %s.", stamp(ticket.ExpiresAt), what)
	u.field("next", fmt.Sprintf("the agent calls %s again with approval_id %s", ticket.Intent.Tool, o.id))
	return u.err
}

// executeTicket makes the call that the approval was asked for.
func (f *Factory) executeTicket(ctx context.Context, room *callRoom, ticket guard.Ticket, asJSON bool) error {
	arguments, err := ticketArguments(ticket)
	if ticket.Plan != nil {
		arguments, err = room.planArguments(ctx, ticket)
	}
	if err != nil {
		return err
	}
	return f.execute(ctx, room, tools.Call{
		Tool: ticket.Intent.Tool, Arguments: arguments, Principal: trusted(ticket.Intent.Caller), Confirmer: tools.NoConfirmer{}, Patient: true,
	}, asJSON)
}

// ticketArguments are the arguments that lead to the ticket's intent. What is
// linked now need not be among them: the ticket is bound to it.
func ticketArguments(ticket guard.Ticket) (json.RawMessage, error) {
	arguments := map[string]string{
		"tenant": ticket.Intent.Identity.Tenant, "credential": ticket.Intent.Identity.Credential,
		"partner_id": ticket.Intent.PartnerID, "approval_id": ticket.ID,
	}
	if ticket.Intent.Reason != "" {
		arguments["reason"] = ticket.Intent.Reason
	}
	return json.Marshal(arguments)
}

// operatorRules are those of a command for the operator: the configured policy,
// and without one that writes wait for an approver, which is what the command
// is about. Bounds hold where they are given. Nothing new is asked here, so
// there is nothing to announce.
func operatorRules(bounds *guardOptions) guard.Options {
	rules := guard.Options{AllowWrites: true, Approval: guard.ApprovalApprover, Announce: func(guard.Ticket) {}}
	if bounds != nil {
		rules.Bounds = bounds.rules().Bounds
	}
	return rules
}
