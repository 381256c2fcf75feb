// Package audit has the commands that read many tenants at once.
package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/csvfile"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
)

// auditOptions are one audit from the command line.
type auditOptions struct {
	asked  RequestFlags
	label  string
	notify bool
	report reportOptions
	cmdutil.SessionFlags
}

// RequestFlags say what an audit asks, and of which tenants.
type RequestFlags struct {
	tenants, labels, ownIDs cmdutil.List
	file, expected          string
	staleAfterDays          int
	roles                   bool
}

// Add adds the flags.
func (o *RequestFlags) Add(flags *pflag.FlagSet) {
	flags.Var(&o.tenants, "tenants", "only these `TENANTS`: names, domains, IDs or globs, separated by commas")
	config.Typed(flags, "tenants") // the variable and the key of that name are the operator's bound
	flags.Var(&o.labels, "labels", "only tenants with all of these `LABELS`")
	flags.StringVar(&o.file, "file", "", "only the tenants in this `FILE`, one a line")
	flags.StringVar(&o.expected, "expected", "", "partner `ID` that should be linked everywhere (default: each tenant's own)")
	flags.Var(&o.ownIDs, "own-ids", "your own partner `IDS`")
	flags.IntVar(&o.staleAfterDays, "stale-after-days", 0, "mark links that were last written more than `N` days ago")
	flags.BoolVar(&o.roles, "roles", false, "check roles for partner earned credit too")
}

// NewCmdAudit builds `audit`.
func NewCmdAudit(deps *cmdutil.Deps) *cobra.Command {
	options := &auditOptions{}
	command := &cobra.Command{
		Use:   "audit",
		Short: "Check the partner links of many tenants",
		RunE: func(command *cobra.Command, _ []string) error {
			return runAudit(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	options.asked.Add(flags)
	flags.StringVar(&options.label, "label", "", "`NAME` of the run, such as 2026-11; named runs are kept")
	flags.BoolVar(&options.notify, "notify", false, "send the alerts of the config file for what changed since the last audit")
	options.report.add(flags)
	options.Simulate.Add(flags)
	options.Fleet.Add(flags)
	deps.AddKeyFlags(command.PersistentFlags())
	command.AddCommand(newCmdList(deps), newCmdShow(deps), newCmdResume(deps),
		newCmdChanges(deps), newCmdAcknowledge(deps), newCmdLabel(deps))
	return command
}

// Audit is the audit that the flags ask for.
func (o *RequestFlags) Audit() (fleet.Audit, error) {
	audit := fleet.Audit{Selection: fleet.Selection{Tenants: o.tenants, Labels: o.labels}, ExpectedIDs: o.ownIDs, OwnIDs: o.ownIDs, StaleAfterDays: o.staleAfterDays, Roles: o.roles}
	if o.file != "" {
		names, err := namesIn(o.file)
		if err != nil {
			return audit, err
		}
		audit.Tenants = append(audit.Tenants, names...)
	}
	if o.expected != "" {
		audit.ExpectedIDs = append(audit.ExpectedIDs, o.expected)
	}
	if err := partnerid.Check("a partner ID", audit.ExpectedIDs...); err != nil {
		return audit, exit.AsUsage(err)
	}
	switch {
	case o.expected != "" && len(o.ownIDs) > 0:
		return audit, exit.Usage("give one of them", "--expected and --own-ids cannot be combined")
	case o.staleAfterDays < 0 || o.staleAfterDays > 3650:
		return audit, exit.Usage("give a number of days up to 3650", "--stale-after-days is out of range")
	}
	return audit, nil
}

// maxRunLabel bounds the name of a run, in bytes.
const maxRunLabel = 100

// checkRunLabel refuses names by which a run could not be found.
func checkRunLabel(label string) error {
	if len(label) > maxRunLabel || label == lastRun || strings.HasPrefix(label, runPrefix) {
		return exit.Usage("give a short name such as 2026-11", "the name of a run is longer than %d characters, or is reserved", maxRunLabel)
	}
	return nil
}

// maxNames bounds a file of tenants, in bytes.
const maxNames = 4 << 20

// namesIn reads tenants from a file: one a line, empty lines and lines that
// begin with # left out. An empty list would mean all, so it is refused.
func namesIn(path string) ([]string, error) {
	data, err := cmdutil.ReadInput("--file", path, maxNames)
	if err != nil {
		return nil, err
	}
	text, err := csvfile.Text(bytes.NewReader(data))
	if err != nil {
		return nil, exit.Usage("write one tenant a line", "--file %s: %s", path, err)
	}
	var names []string
	scanner := bufio.NewScanner(text)
	for scanner.Scan() {
		if name := strings.TrimFunc(scanner.Text(), csvfile.Invisible); name != "" && !strings.HasPrefix(name, "#") {
			names = append(names, name)
		}
	}
	if scanner.Err() != nil || len(names) == 0 {
		return nil, exit.Usage("write one tenant a line", "--file %s names no tenant", path)
	}
	return names, nil
}

// openAudits opens a session with the operator's bound from variable and file.
func openAudits(ctx context.Context, deps *cmdutil.Deps, o *cmdutil.SessionFlags) (session *app.Session, err error) {
	if o.Guard, err = deps.StandingBounds(); err != nil {
		return nil, err
	}
	return deps.StartSession(ctx, o)
}

func runAudit(ctx context.Context, deps *cmdutil.Deps, o *auditOptions) error {
	audit, err := o.asked.Audit()
	if err != nil {
		return err
	}
	if err := checkRunLabel(o.label); err != nil {
		return err
	}
	if err := o.report.check(); err != nil {
		return err
	}
	session, err := openAudits(ctx, deps, &o.SessionFlags)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := o.mayNotify(deps, session); err != nil {
		return err
	}
	if !session.KeepsRecord() && session.Simulated == nil {
		deps.IO.Note("there is no vault, so this run is not stored")
	}
	deps.Unlock(ctx, session.App, schemas.ToolAuditPartnerLinks)
	by := app.Trusted(app.TerminalCaller)
	if o.notify {
		by = app.Trusted(app.NotifyCaller)
	}
	active, err := session.Service.StartAudit(ctx, by, o.label, audit)
	if err != nil {
		return err
	}
	if !o.notify {
		return finishAudit(ctx, deps, session, active, &o.report)
	}
	return finishAlerted(ctx, deps, session, active, &o.report)
}

// finishAlerted is finishAudit for an audit whose changes are alerted. The report
// ends the command, perhaps with --fail-on: alerts come first.
func finishAlerted(ctx context.Context, deps *cmdutil.Deps, session *app.Session, active *fleet.Active, o *reportOptions) error {
	failure := watchRun(ctx, deps, active)
	if failure == nil && ctx.Err() == nil && len(deps.Config.Alerts) > 0 {
		failure = notify(ctx, deps, session, active.ID())
	}
	return cmp.Or(failure, finishAudit(ctx, deps, session, active, o))
}

// mayNotify refuses --notify where nobody would be told.
func (o *auditOptions) mayNotify(deps *cmdutil.Deps, session *app.Session) error {
	switch {
	case !o.notify:
		return nil
	case len(deps.Config.Alerts) == 0:
		return exit.Usage("add alerts to the config file, as docs/audit.md shows", "--notify has nobody to tell: the config file has no alerts")
	case !session.KeepsRecord():
		return exit.Refused("mcp-partner vault init", "--notify compares audits that are stored, and there is no vault, so none is")
	}
	return nil
}

// notifyWithin bounds how long alerts are sent; what was not taken then stays in the
// outbox.
const notifyWithin = 30 * time.Second

// notify alerts what an audit found to have changed.
func notify(ctx context.Context, deps *cmdutil.Deps, session *app.Session, id string) error {
	count, err := session.AlertChanges(ctx, fleet.Run{ID: id})
	if err != nil {
		return err
	}
	sending, cancel := context.WithTimeout(ctx, notifyWithin)
	defer cancel()
	if err := session.Deliver(sending); err != nil {
		return err
	}
	waiting, err := session.Ledger.Undelivered(ctx)
	text := phrase.Count(count, "change") + " alerted"
	if len(waiting) > 0 {
		text += "; " + phrase.Count(len(waiting), "message") + " not taken yet: the next --notify or a server sends them again"
	}
	deps.IO.Note(text)
	return err
}

// finishAudit waits for a run and writes its report.
func finishAudit(ctx context.Context, deps *cmdutil.Deps, session *app.Session, active *fleet.Active, o *reportOptions) error {
	failure := watchRun(ctx, deps, active)
	if ctx.Err() != nil {
		if !active.Interrupt() {
			return exit.Failed("show it with: "+deps.Command()+" audit show "+active.ID(), "the run %s continues in another process", active.ID())
		}
		_ = active.Wait(context.WithoutCancel(ctx)) // it ends at once, and says the same
		return exit.Failed("continue with: "+deps.Command()+" audit resume "+active.ID(), "the run %s was interrupted", active.ID())
	}
	if failure != nil {
		return failure
	}
	return writeReport(ctx, deps, session, active.ID(), o)
}

// Finish waits for the run of a schedule, alerts what changed and shows its report.
func Finish(ctx context.Context, deps *cmdutil.Deps, session *app.Session, active *fleet.Active) error {
	return finishAlerted(ctx, deps, session, active, &reportOptions{format: formatTable})
}

// watchRun waits for a run and draws how far it is, where somebody looks.
func watchRun(ctx context.Context, deps *cmdutil.Deps, active *fleet.Active) error {
	bar := deps.IO.ProgressBar()
	defer bar.Clear()
	ended := make(chan error, 1)
	go func() { ended <- active.Wait(ctx) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if errors.Is(err, context.Canceled) {
				err = nil
			}
			return err
		case <-tick.C:
			bar.Draw(active.Progress())
		}
	}
}

// failStates are the values of --fail-on, with the totals that they check. A
// deleted link is a missing one, so that not_linked includes it.
func failStates() map[string][]answers.RowState {
	return map[string][]answers.RowState{
		"own": {answers.RowLinkedOwn}, "other": {answers.RowLinkedOther, answers.RowLinkedOwn}, "not_linked": {answers.RowNotLinked, answers.RowDeleted}, "deleted": {answers.RowDeleted},
		"unknown": {answers.RowUnknown}, "stale": {"stale"},
	}
}

// failWords lists them.
func failWords() []string { return slices.Sorted(maps.Keys(failStates())) }
