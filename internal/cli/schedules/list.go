package schedules

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/jobs/schedules"
)

// row is a schedule as the command line shows it.
type row struct {
	Name      string        `json:"name"`
	Cron      string        `json:"cron"`
	Zone      string        `json:"zone"`
	Audit     fleet.Audit   `json:"audit"`
	For       access.Caller `json:"for,omitempty"`
	By        string        `json:"by"`
	CreatedAt string        `json:"created_at"`
	Next      string        `json:"next,omitempty"`
	LastDue   string        `json:"last_due,omitempty"`
	LastRun   string        `json:"last_run,omitempty"`
	// Problem is why the last slot has no run, Stopped why the schedule runs no more.
	Problem string `json:"problem,omitempty"`
	Stopped string `json:"stopped,omitempty"`
}

func rowOf(s schedules.Schedule) row {
	stamp := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return phrase.Stamp(at)
	}
	return row{
		Name: s.Name, Cron: s.Cron, Zone: s.Zone, Audit: s.Audit, For: s.Creator, By: s.By, CreatedAt: stamp(s.CreatedAt), Next: stamp(s.Next(time.Now())),
		LastDue: stamp(s.Last.Due), LastRun: s.Last.Run, Problem: s.Last.Problem, Stopped: s.Stopped,
	}
}

// state words where a schedule stands.
func (r row) state() string {
	if r.Stopped != "" {
		return "stopped: " + r.Stopped
	}
	return cmp.Or(r.Problem, "active")
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
			return cmdutil.Listing[row]{
				Name: "schedules", Rows: xslices.Map(all, rowOf), Empty: "There are no schedules.", Next: deps.Command() + " schedules add NAME --cron @daily",
				Header: []string{"NAME", "CRON", "ZONE", "NEXT", "LAST", "RUN", "FOR", "STATE"},
				Cells: func(r row) []string {
					return []string{r.Name, r.Cron, r.Zone, r.Next, r.LastDue, r.LastRun, string(r.For), r.state()}
				},
			}.Show(deps.IO, &flags)
		}),
	}
	flags.Add(command.Flags(), "schedules")
	deps.AddKeyFlags(command.Flags())
	return command
}
