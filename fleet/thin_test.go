package fleet_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mcp-partner/fleet"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

// rows are all rows of an audit without what a thinned one does not keep.
func (h *fixture) rows(id string) (found []answers.AuditRow) {
	h.t.Helper()
	for row, err := range h.All(h.t.Context(), id, fleet.ByTarget) {
		if err != nil {
			h.t.Fatal(err)
		}
		row.CheckedAt = ""
		if row.Problem != nil {
			row.Problem.ARMRequestID, row.Problem.CorrelationID = "", ""
		}
		found = append(found, row)
	}
	return found
}

// A year of audits takes little more room than the newest: of the others only what
// changed is kept, and what they say stays the same, also beside each other.
func TestOldAuditsKeepWhatChanged(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 4}, nil)
	must(t, h.sim.SetLink("contoso", ours))
	steps := []func(){
		func() {},
		func() { must(t, h.sim.ClearLink("contoso")) },
		func() { t.Cleanup(h.fault("fabrikam")) },
		func() {},
	}
	var audits []fleet.Report
	var rows [][]answers.AuditRow
	var changes []string
	for i, change := range steps {
		change()
		now, _ := h.audited(expecting(ours))
		audits, rows = append(audits, now), append(rows, h.rows(now.Run.ID))
		if i > 0 {
			changes = append(changes, kinds(h.diff(audits[i-1], now)))
		}
	}
	if changes[0] != "contoso link_vanished" || changes[1] != "fabrikam newly_unknown" || changes[2] != "" {
		t.Fatal(changes)
	}
	if ok, err := fleet.Thin(t.Context(), h.store, audits[0].Run.CreatedAt); err != nil || ok {
		t.Error("an audit of the last days was thinned", err)
	}
	count := 0
	for ; ; count++ {
		ok, err := fleet.Thin(t.Context(), h.store, time.Now().Add(time.Hour))
		must(t, err)
		if !ok {
			break
		}
	}
	if count != len(audits)-1 {
		t.Errorf("%d audits were thinned: the newest stays whole", count)
	}
	for i, audit := range audits {
		if diff := cmp.Diff(rows[i], h.rows(audit.Run.ID)); diff != "" {
			t.Errorf("audit %d: %s", i, diff)
		}
		report, err := h.Report(t.Context(), fleet.Operator, audit.Run.ID)
		if must(t, err); !cmp.Equal(report.Totals, audit.Totals) || report.Run.Thinned != (i < len(audits)-1) {
			t.Errorf("audit %d: %v, before %v", i, report.Totals, audit.Totals)
		}
		if i > 0 {
			if got := kinds(h.diff(audits[i-1], report)); got != changes[i-1] {
				t.Errorf("%q, before %q", got, changes[i-1])
			}
		}
	}
	if stored := h.stored(audits[0].Run.ID); !slices.Equal(stored, []string{"contoso"}) {
		t.Errorf("the first audit keeps %v", stored)
	}
	if stored := h.stored(audits[2].Run.ID); len(stored) != 0 {
		t.Errorf("the third audit keeps %v: IDs of requests are no change", stored)
	}
}

// stored are the tenants of which a thinned audit keeps a row of its own.
func (h *fixture) stored(id string) (names []string) {
	h.t.Helper()
	for row, err := range h.store.Rows(h.t.Context(), id, fleet.RowQuery{Order: fleet.ByTarget}) {
		if err != nil {
			h.t.Fatal(err)
		}
		if row.AsOf.IsZero() {
			names = append(names, row.Tenant)
		}
	}
	return names
}
