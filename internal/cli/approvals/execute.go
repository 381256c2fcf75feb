package approvals

import (
	"context"
	"encoding/json"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

// Offer lets an approver who sits at this terminal approve at once.
func Offer(ctx context.Context, deps *cmdutil.Deps, session *app.Session, call tools.Call, envelope answers.Envelope) error {
	waiting := exit.Silent(exit.CodeApprovalRequired)
	approvers, err := session.Guard.Approvers(ctx)
	if err != nil || len(approvers) == 0 || !deps.IO.Attended() || envelope.Approval == nil {
		return waiting
	}
	name, err := deps.IO.Ask(ctx, "Approver who approves it here (empty to skip): ", false)
	if err != nil || name == "" {
		return waiting
	}
	ticket, err := exact(ctx, session, envelope.Approval.ID)
	if err != nil {
		return err
	}
	if err := approve(ctx, deps, shown{session: session, ticket: ticket, ui: deps.IO.UI()}, &approveOptions{approver: name}); err != nil {
		return err
	}
	if call.Arguments, err = withApproval(call.Arguments, envelope.Approval.ID); err != nil {
		return err
	}
	return execute(ctx, deps, session, call, false)
}

// withApproval adds the ID of an approval to the arguments of a call.
func withApproval(arguments json.RawMessage, id string) (json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(arguments, &values); err != nil {
		return nil, err
	}
	text, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	values["approval_id"] = text
	return json.Marshal(values)
}

// execute makes a call that was approved, and shows how it ended.
func execute(ctx context.Context, deps *cmdutil.Deps, session *app.Session, call tools.Call, asJSON bool) error {
	envelope := session.Service.Call(ctx, call).Envelope
	deps.IO.ChangeMade()
	if err := render.Show(deps.IO, envelope, asJSON); err != nil {
		return err
	}
	return exit.Silent(exit.CodeOf(envelope.Status))
}
