package approvals

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/cli/users"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/tools"
)

type approveOptions struct {
	id, approver  string
	execute, json bool
	all           bool
	guard         cmdutil.GuardFlags
}

func newCmdApprove(deps *cmdutil.Deps) *cobra.Command {
	options := &approveOptions{}
	command := &cobra.Command{
		Use:   "approve ID",
		Short: "Approve a write, with an approver's passphrase",
		Args:  cmdutil.OneArgument("the approval's ID"),
		RunE: func(command *cobra.Command, args []string) error {
			options.id = args[0]
			return runApprove(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.approver, "approver", "", "`NAME` of the approver (default: asked for)")
	flags.BoolVar(&options.execute, "execute", false, "execute the approved plan at once")
	flags.BoolVar(&options.json, "json", false, "print the outcome as JSON; the plan is shown on the terminal")
	addAllRows(&options.all, flags)
	options.guard.AddBounds(flags)
	return command
}

func runApprove(ctx context.Context, deps *cmdutil.Deps, o *approveOptions) error {
	session, err := deps.OpenSession(cmdutil.OperatorRules(&o.guard))
	if err != nil {
		return err
	}
	defer session.Close()
	ticket, err := find(ctx, session, o.id)
	if err != nil {
		return err
	}
	o.id = ticket.ID
	state := session.Guard.State(ticket)
	if state != guard.StatePending && !(o.execute && state == guard.StateApproved) {
		return decided(ticket, state)
	}
	asks := !o.execute || state != guard.StateApproved // an approved ticket needs no second decision: the agent could use it as well
	if asks {
		if err := ticket.NeedsPasskey(); err != nil {
			return err
		}
		if err := users.KnownApprover(ctx, session.Guard, o.approver); err != nil {
			return err
		}
	}
	plan, err := showPlan(ctx, deps, session, ticket, o)
	if err != nil {
		return err
	}
	if asks {
		if ticket, err = approve(ctx, deps, plan, o); err != nil {
			return err
		}
	}
	if !o.execute {
		return approved(deps, o, ticket)
	}
	call, err := session.Service.CallOf(ctx, ticket)
	if err != nil {
		return err
	}
	call.Principal, call.Patient = app.Trusted(ticket.Intent.Caller), true
	return execute(ctx, deps, session, call, o.json)
}

// showPlan loads the plan of a ticket and shows it, where the outcome is JSON beside it.
func showPlan(ctx context.Context, deps *cmdutil.Deps, session *app.Session, ticket guard.Ticket, o *approveOptions) (shown, error) {
	ui := deps.IO.UI()
	if o.json {
		ui = &term.UI{Out: deps.IO.Err, Width: deps.IO.ErrWidth}
	}
	plan, err := load(ctx, session, ticket, ui)
	if err != nil {
		return shown{}, err
	}
	plan.all, plan.more = o.all, func(left int) error { return nextPage(ctx, deps, left) }
	return plan, plan.write()
}

// approve asks an approver for the passphrase, right under the question, and
// records the approval.
func approve(ctx context.Context, deps *cmdutil.Deps, plan shown, o *approveOptions) (ticket guard.Ticket, err error) {
	if o.approver, err = users.ApproverName(ctx, deps, plan.session.Guard, o.approver, ""); err != nil {
		return ticket, err
	}
	plan.ui.Blank()
	plan.ui.Line(term.Bold, plan.question())
	by, err := users.AskCredentials(ctx, deps.IO, o.approver)
	if err != nil {
		return ticket, err
	}
	defer clear(by.Passphrase)
	if ticket, err = plan.session.Guard.Approve(ctx, plan.ticket.ID, by.Name, by.Passphrase); err == nil {
		deps.IO.ChangeMade()
	}
	return ticket, err
}

func approved(deps *cmdutil.Deps, o *approveOptions, ticket guard.Ticket) error {
	answer := map[string]string{"id": o.id, "state": "approved", "approver": o.approver}
	waits := ticket.Decision == nil // for another approver
	if waits {
		answer["state"], answer["approvals"] = guard.StatePending, ticket.Approvals()
	}
	return deps.IO.Answer(o.json, answer, func(u *term.UI) {
		if waits {
			u.Linef(term.Good, "Your approval is recorded: %s.", ticket.Approvals())
			u.Field("next", "another approver runs "+deps.Command()+" approvals approve "+o.id)
			return
		}
		what := "one write"
		if ticket.Plan != nil {
			what = "one run of exactly this plan"
		}
		u.Linef(term.Good, "Approved until %s, for %s.", phrase.Stamp(ticket.ExpiresAt), what)
		u.Field("next", fmt.Sprintf("the agent calls %s again with approval_id %s", ticket.Intent.Tool, o.id))
	})
}

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
	plan, err := load(ctx, session, ticket, deps.IO.UI())
	if err != nil {
		return err
	}
	if err := ticket.NeedsPasskey(); err != nil {
		return err
	}
	if ticket, err = approve(ctx, deps, plan, &approveOptions{approver: name}); err != nil || ticket.Decision == nil {
		return cmp.Or(err, waiting)
	}
	if call.Arguments, err = tools.WithApproval(call.Arguments, envelope.Approval.ID); err != nil {
		return err
	}
	return execute(ctx, deps, session, call, false)
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

// planPage is how many rows of a plan an approver is shown at once.
const planPage = 40

// shown is one write, or a plan for many tenants, as an approver sees it.
type shown struct {
	session *app.Session
	ticket  guard.Ticket
	// plan is empty for one write.
	plan guard.Plan
	ui   *term.UI
	// all shows also the rows of a plan that are not written.
	all bool
	// more is asked between two pages of a plan; nil shows them without a pause.
	more func(left int) error
}

func load(ctx context.Context, session *app.Session, ticket guard.Ticket, ui *term.UI) (s shown, err error) {
	s = shown{session: session, ticket: ticket, ui: ui}
	if ticket.Plan != nil {
		s.plan, err = session.Guard.PlanOf(ctx, ticket)
	}
	return s, err
}

// rows are those of a plan, first those that are written.
func (s shown) rows() []answers.ChangeRow {
	rows := fleet.Changes(s.plan, nil, nil)
	fleet.WrittenFirst(rows)
	return rows
}

// write shows one write, or of a plan for many tenants the counts, what cannot be
// undone, and the rows that are written.
func (s shown) write() error {
	if s.ticket.Plan == nil {
		showTicket(s.ui, approvalRowOf(s.session, s.ticket))
		return s.ui.Err
	}
	manyTicket(s.ui, s.plan, approvalRowOf(s.session, s.ticket))
	rows := s.rows()
	written := slices.IndexFunc(rows, func(r answers.ChangeRow) bool { return len(r.Steps) == 0 })
	if s.all || written < 0 {
		written = len(rows)
	}
	if err := s.pages(rows[:written]); err != nil {
		return err
	}
	if untouched := len(rows) - written; untouched > 0 {
		s.ui.Linef(term.Dim, "  %d untouched (--all)", untouched)
	}
	return s.ui.Err
}

func (s shown) pages(rows []answers.ChangeRow) error {
	for from := 0; from < len(rows); from += planPage {
		render.WriteChanges(s.ui, rows[from:min(from+planPage, len(rows))])
		if left := len(rows) - from - planPage; left > 0 && s.more != nil {
			if err := s.more(left); err != nil {
				return err
			}
		}
	}
	return nil
}

// question is what the approver says yes to.
func (s shown) question() string {
	if s.ticket.Plan == nil {
		return guard.QuestionFor(s.ticket.Intent).Text
	}
	return guard.PlanQuestion(s.plan).Text
}

// nextPage waits until the approver has seen a page.
func nextPage(ctx context.Context, deps *cmdutil.Deps, left int) error {
	answer, err := deps.IO.Ask(ctx, fmt.Sprintf("%s more; Enter shows them, q stops: ", phrase.Count(left, "row")), false)
	if err == nil && answer != "" {
		err = exit.Refused("run approvals approve again to see all of it", "the plan was not shown to its end, so nothing was approved")
	}
	return err
}

// manyTicket shows all of a plan but its rows.
func manyTicket(u *term.UI, plan guard.Plan, r ApprovalRow) {
	requests, rows := plan.Writes()
	u.Line(term.Bold, guard.PlanQuestion(plan).Text)
	writeState(u, r)
	u.Field("tenants", strconv.Itoa(rows)+" are written, "+strconv.Itoa(len(plan.Rows)-rows)+" are listed and not touched")
	u.Field("requests", strconv.Itoa(requests)+" at most, beside the way back")
	u.Field("from", partnerid.Join(plan.From, ", "))
	u.Field("to", string(plan.To))
	u.Field("strategy", string(plan.Strategy))
	if plan.First > 0 {
		u.Field("covers", "the first "+phrase.Count(plan.First, "row")+" and no more")
	}
	u.Field("plan", r.Digest)
	writeRequest(u, r)
}

func newCmdDeny(deps *cmdutil.Deps) *cobra.Command {
	var reason string
	command := &cobra.Command{
		Use:     "deny ID",
		Short:   "Deny a write, with a reason for the agent",
		Args:    cmdutil.OneArgument("the approval's ID"),
		PreRunE: needReason(&reason),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			ticket, err := find(ctx, session, args[0])
			if err != nil {
				return err
			}
			if ticket, err = session.Guard.Deny(ctx, ticket.ID, reason); err != nil {
				return err
			}
			deps.IO.ChangeMade()
			return deps.IO.Say(term.Good, "Denied %s.", ticket.ID)
		}),
	}
	command.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for the agent and the record")
	return command
}
