package schedules

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/jobs/schedules"
)

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

// newCmdList builds `schedules list`.
func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	var flags cmdutil.ListFlags
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the schedules, and when they run next",
		Example: "  mcp-partner schedules list\n  mcp-partner schedules list --json",
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			all, err := session.Ledger.Schedules(ctx)
			if err != nil {
				return err
			}
			audits := session.ScheduledAudits(session.Service)
			rows := xslices.Map(all, func(s schedules.Schedule) row { return rowOf(s, audits.Allowed(ctx, s)) })
			return cmdutil.Listing[row]{
				Name: "schedules", Rows: rows, Empty: "There are no schedules.", Next: deps.Command() + " schedules add NAME --cron @daily",
				Header: []string{"NAME", "CRON", "ZONE", "NEXT", "LAST", "RUN", "FOR", "STATE"},
				Cells:  row.cells,
			}.Show(deps.IO, &flags)
		}),
	}
	flags.Add(command.Flags(), "schedules")
	deps.AddKeyFlags(command.Flags())
	return command
}
