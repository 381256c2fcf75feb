// Package runs has the commands that write to many tenants: ensure and
// transition.
package runs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/approvals"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/config"
	"mcp-partner/internal/csvcell"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

type manyOptions struct {
	tool                string
	in                  arguments
	roles, json, listed bool
	resume, run         string
	settled             time.Duration
	format              string
	output              cmdutil.OutputFlags
	table               cmdutil.TableFlags
	cmdutil.SessionFlags
}

// arguments are those of both tools.
type arguments struct {
	PartnerID    string   `json:"partner_id,omitempty"`
	IncludeRoles *bool    `json:"include_roles,omitempty"`
	From         []string `json:"from,omitempty"`
	To           string   `json:"to,omitempty"`
	Strategy     string   `json:"strategy,omitempty"`
	schemas.Many
	schemas.RunRef
	schemas.Confirmation
}

func (o *manyOptions) add(deps *cmdutil.Deps, flags *pflag.FlagSet) {
	flags.Var((*cmdutil.List)(&o.in.Tenants), "tenants", "only these `TENANTS`: names or globs, separated by commas (default: all)")
	flags.Var((*cmdutil.List)(&o.in.Labels), "labels", "only tenants with all of these `LABELS`")
	flags.StringVar(&o.in.Credential, "credential", "", "only the credential `NAME` of each tenant")
	flags.IntVar(&o.in.First, "first", 0, "write at most `N` rows; more need another approval")
	flags.BoolVar(&o.in.Plan, "plan", false, "show the plan and write nothing")
	flags.StringVar(&o.resume, "resume", "", "continue the `RUN`: complete or compensate what has begun, then the rest")
	flags.StringVar(&o.run, "run", "", "show the `RUN` and write nothing")
	flags.BoolVar(&o.listed, "list", false, "list the runs of this command, newest first")
	flags.StringVar(&o.in.Reason, "reason", "", "`TEXT` that says why, for the record and the approver")
	flags.StringVar(&o.in.ApprovalID, "approval-id", "", "the `ID` of an approval that was given")
	flags.DurationVar(&o.settled, "settled-after", 0, "how much `TIME` a write with an unknown outcome may still be in progress (default 56s)")
	cmdutil.AddChoice(flags, &o.format, "format", "`FORMAT` of the rows", "table", "csv", "jsonl")
	o.output.Add(flags, "write the rows to this `FILE` instead of standard output")
	o.table.Add(flags, "--format csv")
	flags.BoolVar(&o.json, "json", false, "print the answer as JSON and nothing else")
	config.Typed(flags, "tenants", "labels", "credential", "first", "plan", "resume", "run", "list", "reason", "approval-id", "settled-after", "format", "output", "force", "json", "all", "wide")
	deps.AddKeyFlags(flags)
	o.Guard.AddAsking(flags)
	o.Simulate.Add(flags)
}

// prepare settles what the flags leave open.
func (o *manyOptions) prepare(deps *cmdutil.Deps, flags *pflag.FlagSet) (err error) {
	if err := o.checkFlags(flags); err != nil {
		return err
	}
	if err := o.checkReport(); err != nil {
		return err
	}
	if flags.Changed("roles") {
		o.in.IncludeRoles = &o.roles
	}
	o.Guard.Tenants, err = deps.StandingTenants()
	deps.Settled = o.settled
	if o.resume != "" {
		o.Guard.AllowResume()
	}
	return err
}

// checkFlags refuses what would be silently ignored. A variable of a script that
// is empty by mistake must not turn a resumption into a run over all tenants.
func (o *manyOptions) checkFlags(flags *pflag.FlagSet) error {
	for _, name := range []string{"resume", "run", "partner-id", "to", "strategy", "credential", "approval-id"} {
		if flag := flags.Lookup(name); flag != nil && flag.Changed && flag.Value.String() == "" {
			return exit.Usage("give it a value, or leave it out", "--%s is empty", name)
		}
	}
	if flags.Changed("first") && o.in.First < 1 {
		return exit.Usage("give a number from 1 on, or leave it out", "--first is %d", o.in.First)
	}
	if o.resume+o.run == "" {
		return nil
	}
	for _, name := range []string{"partner-id", "from", "to", "strategy", "tenants", "labels", "credential", "approval-id"} {
		if flags.Changed(name) {
			return exit.Usage("leave it out, or make a new plan", "--%s cannot be combined with --resume or --run: the plan of a run is fixed", name)
		}
	}
	if o.resume != "" && (o.run != "" || o.in.Plan) {
		return exit.Usage("give one of them", "--resume continues a run, --run shows one, and --plan writes nothing")
	}
	return nil
}

// checkReport refuses before anything is written a report that could not be
// written afterwards.
func (o *manyOptions) checkReport() error {
	if o.output.Path != "" && (o.format == "table" || o.json) {
		return exit.Usage("add --format csv or --format jsonl", "--output needs --format csv or jsonl")
	}
	return o.output.Check()
}

func runMany(command *cobra.Command, deps *cmdutil.Deps, o *manyOptions) error {
	ctx := command.Context()
	if err := o.prepare(deps, command.Flags()); err != nil {
		return err
	}
	session, err := deps.StartSession(ctx, &o.SessionFlags)
	if err != nil {
		return err
	}
	defer session.Close()
	deps.Unlock(ctx, session.App, o.tool)
	if o.listed {
		return listRuns(ctx, deps, session, o)
	}
	if !o.in.Plan && o.run == "" && o.resume == "" {
		deps.SettleRecord(ctx, session.App, session.Guard, session.Service)
	}
	call, err := o.call(ctx, deps, session)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { deps.IO.Note("interrupted: no further tenant begins; writes in progress are completed first") })()
	envelope := session.Service.Call(ctx, call).Envelope
	mayHaveWritten := !o.in.Plan && o.run == ""
	if mayHaveWritten {
		deps.IO.ChangeMade()
	}
	if err := showMany(deps, render.AdaptHints(envelope), o); err != nil {
		if !mayHaveWritten {
			return err
		}
		deps.IO.Note(exit.MessageOf(err) + "; see the rows again with --run")
	}
	if !o.json && envelope.Status == answers.StatusApprovalRequired {
		return approvals.Offer(ctx, deps, session, call, envelope)
	}
	return exit.Silent(exit.CodeOf(envelope.Status))
}

// call is the call of the tool. A run is resumed as its own caller: the owner
// of the state directory may do that.
func (o *manyOptions) call(ctx context.Context, deps *cmdutil.Deps, session *app.Session) (tools.Call, error) {
	in := o.in
	if in.RunID = o.resume + o.run; in.RunID != "" {
		// The plan of a run is fixed, and its reason was given with it.
		in.Resume, in.Plan, in.Reason = o.resume != "", false, ""
	}
	arguments, err := json.Marshal(in)
	if err != nil {
		return tools.Call{}, err
	}
	call := tools.Call{Tool: o.tool, Arguments: arguments, Principal: app.Trusted(app.TerminalCaller), Confirmer: cmdutil.Confirmer(deps.IO), Patient: true, Progress: progress(deps, o)}
	if in.RunID != "" {
		run, _, err := session.Guard.LoadRun(ctx, in.RunID, "")
		if err != nil {
			return tools.Call{}, err
		}
		call.Principal = app.Trusted(run.Caller)
	}
	return call, nil
}

// NewCmdEnsure builds `ensure`.
func NewCmdEnsure(deps *cmdutil.Deps) *cobra.Command {
	options := &manyOptions{tool: schemas.ToolEnsurePartnerLinks}
	command := &cobra.Command{
		Use:   "ensure",
		Short: "Register the expected partner ID wherever it is missing",
		RunE:  func(command *cobra.Command, _ []string) error { return runMany(command, deps, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.in.PartnerID, "partner-id", "", "partner `ID` to register (default: the expected one of each tenant)")
	flags.BoolVar(&options.roles, "roles", false, "also read which identities have a role eligible for partner earned credit (default for one tenant)")
	config.Typed(flags, "partner-id", "roles")
	options.add(deps, flags)
	return command
}

// NewCmdTransition builds `transition`.
func NewCmdTransition(deps *cmdutil.Deps) *cobra.Command {
	options := &manyOptions{tool: schemas.ToolTransitionPartner}
	command := &cobra.Command{
		Use:   "transition",
		Short: "Move links from old partner IDs to a new one in many tenants",
		RunE:  func(command *cobra.Command, _ []string) error { return runMany(command, deps, options) },
	}
	flags := command.Flags()
	flags.Var((*cmdutil.List)(&options.in.From), "from", "old partner `IDS`, separated by commas")
	flags.StringVar(&options.in.To, "to", "", "new partner `ID`")
	cmdutil.AddChoice(flags, &options.in.Strategy, "strategy", "`STRATEGY` of the move, by default update", "", "update", "remove-then-register")
	config.Typed(flags, "from", "to", "strategy")
	options.add(deps, flags)
	return command
}

// progress shows on a terminal how far a run is. Nothing is shown to a pipe.
func progress(deps *cmdutil.Deps, o *manyOptions) tools.Progress {
	if !deps.IO.ErrTTY || o.json {
		return nil
	}
	return func(done, total int, message string) {
		end := map[bool]string{true: "\n"}[done == total]
		fmt.Fprintf(deps.IO.Err, "\r%s: %d of %d%s", message, done, total, end)
	}
}

// showMany prints what a call came to: exactly the envelope with --json, else the
// headline and the rows.
func showMany(deps *cmdutil.Deps, e answers.Envelope, o *manyOptions) error {
	if o.json {
		return deps.IO.PrintJSON(e)
	}
	u := o.table.UI(deps.IO)
	if o.format != "table" {
		encode := changesCSV
		if o.format == "jsonl" {
			encode = changesJSONL
		}
		text, err := encode(e.Changes)
		if err != nil {
			return err
		}
		if err := o.output.WriteText(deps.IO, text); err != nil {
			return err
		}
		e.Changes = nil
		if o.output.Path == "" {
			u.Out, u.Color = deps.IO.Err, false // what a person has to know stands beside the rows
		}
	}
	render.WriteEnvelope(u, e)
	return u.Err
}

func changesJSONL(rows []answers.ChangeRow) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	for _, row := range rows {
		if err := encoder.Encode(row); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func changesCSV(rows []answers.ChangeRow) ([]byte, error) {
	var b bytes.Buffer
	quoter := csvcell.New()
	err := csvcell.Write(&b, []string{"company", "domain", "tenant", "tenant_id", "credential", "object_id", "state", "linked_before", "partner_name_before", "partner_id", "linked_after",
		"steps", "rule", "warning", "why", "problem", "eligible_role_in", "arm_request_id", "correlation_id"}, xslices.Rows(rows), func(r answers.ChangeRow) []string {
		name := ""
		if r.Before != nil {
			name = r.Before.PartnerName
		}
		return xslices.Map([]string{r.Company, r.Domain, r.Tenant, r.TenantID, r.Credential, r.ObjectID, string(r.State), render.LinkWord(r.Before), name, r.PartnerID, render.LinkWord(r.After),
			strings.Join(r.Steps, " "), r.Rule, r.Warning, r.Why, string(r.Problem), r.PECRoles.EligibleIn(), r.ARMRequestID, r.CorrelationID}, quoter.Quote)
	})
	return b.Bytes(), err
}

// runsShown is how many runs a list shows.
const runsShown = 50

func listRuns(ctx context.Context, deps *cmdutil.Deps, session *app.Session, o *manyOptions) error {
	runs, err := session.Guard.RecentRuns(ctx, runsShown)
	if err != nil {
		return err
	}
	var rows []map[string]string
	for _, r := range runs {
		if r.Tool != o.tool {
			continue
		}
		rows = append(rows, map[string]string{
			"run_id": r.ID, "state": map[bool]string{true: "open", false: "ended"}[r.EndedAt.IsZero()], "caller": string(r.Caller),
			"opened_at": phrase.Stamp(r.OpenedAt), "expires_at": phrase.Stamp(r.ExpiresAt), "approval": r.Approval, "approver": r.Approver,
		})
	}
	return cmdutil.Listing[map[string]string]{
		Name: "runs", Rows: rows, Empty: "No runs.",
		Header: []string{"RUN", "STATE", "CALLER", "OPENED", "MAY BEGIN UNTIL", "APPROVED BY"},
		Cells: func(r map[string]string) []string {
			return []string{r["run_id"], r["state"], r["caller"], r["opened_at"], r["expires_at"], r["approver"]}
		},
	}.Show(deps.IO, &cmdutil.ListFlags{JSON: o.json})
}
