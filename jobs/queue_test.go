package jobs_test

import (
	"testing"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/internal/testkit"
)

// A server over HTTP runs the slots that were missed, by the real queue. The one that
// is started after it does not run them again.
func TestServerRunsScheduledAudits(t *testing.T) {
	t.Parallel()
	onBoth(t, func(w *world) {
		w.now = time.Now().Add(-2 * day)
		p := w.open()
		s := p.add("nightly", "", fleet.Audit{})
		stop := p.settings.SettleInBackground(t.Context(), p.App, p.guard, p.service)
		testkit.WaitFor(t, "the audit begins", func() bool { return p.stored("nightly").Last.Run != "" })
		p.runs(s.Caller())
		stop()
		p.Close()
		p = w.open()
		stop = p.settings.SettleInBackground(t.Context(), p.App, p.guard, p.service)
		defer stop()
		testkit.WaitFor(t, "the audit is compared", func() bool { return p.stored("nightly").Compared != "" })
		if runs := p.runs(s.Caller()); len(runs) != 1 || runs[0].Rows != 3 || runs[0].State != fleet.RunFinished {
			t.Errorf("%+v", runs)
		}
		report, err := p.Ledger.Verify(t.Context(), nil)
		if err != nil || !report.Whole() {
			t.Errorf("%+v, %v", report, err)
		}
	})
}
