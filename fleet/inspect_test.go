package fleet_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

// TestAuditRowsMatchSimulator audits a fleet in every state, with seeded faults.
// Rows must match the simulator's state exactly, and be unknown exactly where the
// last answer hid it.
func TestAuditRowsMatchSimulator(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Properties)
	size := 5000
	if underRace {
		size = 600
	}
	h := build(t, simulator.Config{Tenants: size, Seed: 7, Faults: []simulator.Fault{
		fault(simulator.FaultHostileNames, 5), fault(simulator.FaultStringVersions, 10), fault(simulator.FaultMissingFields, 10),
		fault(simulator.FaultDeleted200, 50), fault(simulator.FaultForeignPrincipal, 2), fault(simulator.FaultServerError, 12), fault(simulator.FaultHTML, 12),
		fault(simulator.FaultEmpty404, 3), fault(simulator.FaultNamespace404, 2), fault(simulator.FaultUnauthorized, 1), fault(simulator.FaultForbidden, 2),
		fault(simulator.FaultClaimsChallenge, 1), fault(simulator.FaultOpaqueToken, 2), fault(simulator.FaultWrongTenantToken, 1),
	}}, nil)
	random := rand.New(rand.NewPCG(1, 2))
	denied := map[string]bool{}
	for _, tenant := range h.sim.Tenants() {
		if random.IntN(50) == 0 {
			denied[tenant.TenantID] = true
			if err := h.sim.SetConsent(tenant.TenantID, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	report, rows := h.audited(expecting(ours))
	if len(rows) != size || report.Totals["pending"] != 0 {
		t.Fatalf("%d rows, %v", len(rows), report.Totals)
	}
	journal, counts := h.journal(), map[answers.RowState]int{}
	for _, row := range rows {
		counts[row.State]++
		h.judge(row, journal[row.TenantID], denied[row.TenantID])
	}
	for _, state := range answers.RowStates() {
		if report.Totals[string(state)] != counts[state] {
			t.Errorf("%d rows are %s, the totals say %d", counts[state], state, report.Totals[string(state)])
		}
		if counts[state] == 0 && state != answers.RowLinked && state != answers.RowLinkedOwn {
			t.Errorf("no tenant is %s: the fleet is too plain", state)
		}
	}
	known := size - counts[answers.RowUnknown]
	if len(h.pins) != known {
		t.Errorf("%d identities were pinned, %d are known", len(h.pins), known)
	}
	t.Log(counts)
}

// judge compares one row with what the simulator knows and last answered.
func (h *fixture) judge(row answers.AuditRow, asked []simulator.Record, denied bool) {
	h.t.Helper()
	truth := h.tenant(row.TenantID)
	last := asked[len(asked)-1]
	want := truthOf(truth, last.Status)
	if hidden(asked, denied, truth) {
		want = answers.RowUnknown
	}
	if row.State != want {
		h.t.Errorf("%s is %s, want %s (truth: %q %s; last answer %d %s)", row.Tenant, row.State, want, truth.State, truth.PartnerID, last.Status, last.FaultKind)
	}
	if row.State.Linked() && row.PartnerID != truth.PartnerID {
		h.t.Errorf("%s is linked to %s, the row says %s", row.Tenant, truth.PartnerID, row.PartnerID)
	}
	if (row.State == answers.RowUnknown) != (row.Problem != nil) {
		h.t.Errorf("%s is %s with problem %v", row.Tenant, row.State, row.Problem)
	}
}

// truthOf is what a clear answer says of a tenant; whether a tombstone is shown
// is up to the provider.
func truthOf(tenant simulator.Tenant, status int) answers.RowState {
	switch {
	case tenant.State == simulator.StateActive && tenant.PartnerID == ours:
		return answers.RowLinkedExpected
	case tenant.State == simulator.StateActive:
		return answers.RowLinkedOther
	case tenant.State == simulator.StateDeleted && status == 200:
		return answers.RowDeleted
	default:
		return answers.RowNotLinked
	}
}

// looks are the kinds that only change how a clear answer is written.
func looks() []simulator.FaultKind {
	return []simulator.FaultKind{"", simulator.FaultHostileNames, simulator.FaultStringVersions, simulator.FaultMissingFields, simulator.FaultDeleted200, simulator.FaultLatencyJitter}
}

// hidden reports whether the last answer said nothing of the link. A token that
// cannot be read hides a 404, which says no more than that; a 200 names tenant
// and identity itself.
func hidden(asked []simulator.Record, denied bool, truth simulator.Tenant) bool {
	last := asked[len(asked)-1]
	opaque := false
	for _, r := range asked {
		if r.Op == simulator.OpToken {
			opaque = r.FaultKind == simulator.FaultOpaqueToken
		}
	}
	switch {
	case denied || last.Op == simulator.OpToken || last.Status != 200 && last.Status != 404:
		return true
	case !slices.Contains(looks(), last.FaultKind):
		return true
	default:
		return opaque && last.Status == 404
	}
}

// TestAuditNeverReportsFalseNotLinked tries mixtures of faults: a row that says
// not linked is always true, and so is the ID of a linked row.
func TestAuditNeverReportsFalseNotLinked(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Properties)
	mixtures := 16
	if underRace {
		mixtures = 6
	}
	kinds := []simulator.FaultKind{
		simulator.FaultServerError, simulator.FaultHTML, simulator.FaultEmpty404, simulator.FaultNamespace404, simulator.FaultUnauthorized, simulator.FaultForbidden,
		simulator.FaultClaimsChallenge, simulator.FaultOpaqueToken, simulator.FaultWrongTenantToken, simulator.FaultTokenHTML, simulator.FaultHostileNames,
		simulator.FaultStringVersions, simulator.FaultMissingFields, simulator.FaultDeleted200, simulator.FaultForeignPrincipal, simulator.FaultCutBody,
	}
	for n := range mixtures {
		seed := uint64(n) + 100
		t.Run("", func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			var faults []simulator.Fault
			for _, kind := range kinds {
				if random.IntN(3) == 0 {
					faults = append(faults, fault(kind, float64(random.IntN(70))))
				}
			}
			h := build(t, simulator.Config{Tenants: 40, Seed: seed, Faults: faults}, nil)
			_, rows := h.audited(expecting(ours))
			if len(rows) != 40 {
				t.Fatalf("%d rows with %s", len(rows), mixture(faults))
			}
			for _, row := range rows {
				truth := h.tenant(row.TenantID)
				switch {
				case row.State.Missing() && truth.State == simulator.StateActive:
					t.Errorf("seed %d, %s: %s is called %s and is linked to %s", seed, mixture(faults), row.Tenant, row.State, truth.PartnerID)
				case row.State.Linked() && (truth.State != simulator.StateActive || row.PartnerID != truth.PartnerID):
					t.Errorf("seed %d, %s: %s is called linked to %s, and is %q %s", seed, mixture(faults), row.Tenant, row.PartnerID, truth.State, truth.PartnerID)
				}
			}
		})
	}
}
