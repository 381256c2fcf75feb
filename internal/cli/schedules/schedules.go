// Package schedules has the commands of audits that recur.
package schedules

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/audit"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/jobs/schedules"
	"mcp-partner/schemas"
)

// NewCmdSchedules builds `schedules` with its subcommands.
func NewCmdSchedules(deps *cmdutil.Deps) *cobra.Command {
	return deps.Parent("schedules", "Manage audits that run at set times", newCmdList(deps), newCmdAdd(deps), newCmdRemove(deps), newCmdRun(deps))
}

type addOptions struct {
	schedule schedules.Schedule
	creator  string
	asked    audit.RequestFlags
}

func newCmdAdd(deps *cmdutil.Deps) *cobra.Command {
	options := &addOptions{}
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Add an audit that runs at set times",
		Args:  cmdutil.OneArgument("the name of the schedule"),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			options.schedule.Name = args[0]
			return add(ctx, deps, session, options)
		}),
	}
	flags := command.Flags()
	flags.StringVar(&options.schedule.Cron, "cron", "", "cron `EXPRESSION`, such as '0 2 * * *' or @daily")
	flags.StringVar(&options.schedule.Zone, "zone", "UTC", "time `ZONE`, such as Europe/Berlin")
	flags.StringVar(&options.creator, "for", "", "`CALLER` whose grant bounds the schedule (default: the operator)")
	config.Typed(flags, "cron", "zone", "for")
	options.asked.Add(flags)
	return command
}

func add(ctx context.Context, deps *cmdutil.Deps, session *app.Session, o *addOptions) error {
	s, err := o.schedule, error(nil)
	if s.Cron == "" {
		return exit.Usage("give --cron with an expression such as '0 2 * * *' or @daily", "--cron is missing")
	}
	if s.Audit, err = o.asked.Audit(); err != nil {
		return err
	}
	s.Creator, s.By, s.CreatedAt = access.Caller(o.creator), app.Account(), time.Now().UTC()
	if err := s.Check(); err != nil {
		return exit.AsUsage(err)
	}
	audits := session.ScheduledAudits(session.Service)
	p, err := audits.Principal(s)
	if err := cmp.Or(err, audits.Allowed(ctx, s)); err != nil {
		return exit.Usage("name the person in the section callers of config.yaml", "the schedule cannot be added: %s", err)
	}
	targets, err := fleet.Select(app.Directory{Directory: session.Directory, Health: session.Health}, s.Audit.Selection, func(t schemas.Tenant) bool { return p.Grant.AllowsTenant(t.Name) })
	if err != nil {
		return err
	}
	if err := session.Ledger.AddSchedule(ctx, s, session.Guard.Change(guard.KindSchedule, "added "+describe(s))); err != nil {
		return exit.AsUsage(err)
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	u.Linef(term.Good, "%s is audited at %s, next at %s, while mcp-partner serve --http runs.", s.Name, when(s), phrase.Stamp(s.Next(s.CreatedAt)))
	if out := leftOut(session.App, targets); len(out) > 0 {
		u.Linef(term.Warn, "Left out, because they sign in a person: %s.", strings.Join(out, ", "))
	}
	return u.Err
}

// leftOut are the credentials of a selection that a schedule does not use.
func leftOut(a *app.App, targets []fleet.Target) (names []string) {
	for _, target := range targets {
		if !a.Unattended(target.Credential) && !slices.Contains(names, target.Credential) {
			names = append(names, target.Credential)
		}
	}
	return names
}

func when(s schedules.Schedule) string { return s.Cron + " " + s.Zone }

// describe words a schedule for the record.
func describe(s schedules.Schedule) string {
	text := s.Name + " (" + untrusted.Sanitize(when(s)) + ")"
	if s.Creator != "" {
		text += " for " + untrusted.Sanitize(string(s.Creator))
	}
	return text
}

func newCmdRemove(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a schedule, and stop its audit",
		Args:  cmdutil.OneArgument("the name of the schedule"),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			removed, err := session.Ledger.RemoveSchedule(ctx, args[0], session.Guard.Change(guard.KindSchedule, "removed "+untrusted.Sanitize(args[0])))
			if err != nil {
				return err
			}
			if !removed {
				return unknown(args[0])
			}
			deps.IO.ChangeMade()
			return deps.IO.Say(term.Good, "%s was removed.", args[0])
		}),
	}
}

func unknown(name string) error {
	return exit.Failed("mcp-partner schedules list", "there is no schedule %s", untrusted.Shown(name))
}

func newCmdRun(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "run NAME",
		Short: "Run the audit of a schedule now, as the schedule does",
		Args:  cmdutil.OneArgument("the name of the schedule"),
		RunE: func(command *cobra.Command, args []string) error {
			rules := cmdutil.OperatorRules(nil)
			rules.Announce = nil // changes that the audit finds are alerted
			session, err := deps.OpenSession(rules)
			if err != nil {
				return err
			}
			defer session.Close()
			ctx := command.Context()
			all, err := session.Ledger.Schedules(ctx)
			if err != nil {
				return err
			}
			at := slices.IndexFunc(all, func(s schedules.Schedule) bool { return s.Name == args[0] })
			if at < 0 {
				return unknown(args[0])
			}
			return run(ctx, deps, session, all[at])
		},
	}
}

func run(ctx context.Context, deps *cmdutil.Deps, session *app.Session, s schedules.Schedule) error {
	p, err := session.ScheduledAudits(session.Service).Principal(s)
	if s.Stopped != "" {
		err = fmt.Errorf("%s", s.Stopped)
	}
	if err != nil {
		return exit.Refused("remove the schedule and add it again", "the schedule %s was stopped: %s", s.Name, err)
	}
	active, err := session.Service.StartAudit(ctx, p, "", s.Audit)
	if err != nil {
		return err
	}
	return audit.Finish(ctx, deps, session, active)
}

// row is a schedule as the command line shows it.
type row struct {
	Name string `json:"name"`
	schedules.Schedule
	NextAt time.Time `json:"next,omitzero"`
	// Refused says why the schedule may not run, before a server stops it for that.
	Refused string `json:"refused,omitempty"`
}

func rowOf(s schedules.Schedule, refusal error) row {
	if s.Stopped == "" && refusal != nil {
		return row{Name: s.Name, Schedule: s, Refused: refusal.Error()}
	}
	return row{Name: s.Name, Schedule: s, NextAt: s.Next(time.Now())}
}

func (r row) cells() []string {
	state := cmp.Or(r.Last.Problem, "active")
	switch {
	case r.Stopped != "":
		state = "stopped: " + r.Stopped
	case r.Refused != "":
		state = "may not run: " + r.Refused
	}
	return []string{r.Name, r.Cron, r.Zone, stamp(r.NextAt), stamp(r.Last.Due), r.Last.Run, string(r.Creator), state}
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return phrase.Stamp(at)
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	return cmdutil.ListCommand(deps, "schedules", "List the schedules, and when they run next", deps.OnLedger, func(ctx context.Context, session *app.Session) (cmdutil.Listing[row], error) {
		all, err := session.Ledger.Schedules(ctx)
		audits := session.ScheduledAudits(session.Service)
		return cmdutil.Listing[row]{
			Rows:  xslices.Map(all, func(s schedules.Schedule) row { return rowOf(s, audits.Allowed(ctx, s)) }),
			Empty: "There are no schedules.", Next: deps.Command() + " schedules add NAME --cron @daily",
			Header: []string{"NAME", "CRON", "ZONE", "NEXT", "LAST", "RUN", "FOR", "STATE"},
			Cells:  row.cells,
		}, err
	})
}
