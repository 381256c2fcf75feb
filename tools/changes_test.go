package tools_test

import (
	"fmt"
	"strings"
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

// With since the answer has what changed, those that matter most first, in pages, and
// nothing of what did not change.
func TestAuditSinceListsChangesInPages(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 20}, nil)
	all := h.sim.Tenants()
	for _, tenant := range all {
		h.link(tenant.Name, "1234567")
	}
	const arguments = `{"expected_partner_id":"1234567"`
	before := h.audit(t.Context(), everywhere("a"), arguments+`}`, nil)
	for _, tenant := range all[:3] {
		h.link(tenant.Name, "7654321")
	}
	for _, tenant := range all[3:5] {
		if err := h.sim.ClearLink(tenant.TenantID); err != nil {
			t.Fatal(err)
		}
	}
	page := h.audit(t.Context(), everywhere("a"), arguments+`,"since":"last","limit":3}`, nil)
	if !strings.HasPrefix(page.Summary, "Since the audit "+before.RunID) || !strings.HasSuffix(page.Summary, ": 2 link vanished, 3 partner changed.") || page.Totals["link_vanished"] != 2 || len(page.Rows) != 3 || page.NextCursor == "" {
		t.Fatalf("%+v", page)
	}
	rows := page.Rows
	for _, since := range []string{"last", before.RunID} {
		next := h.audit(t.Context(), everywhere("a"), fmt.Sprintf(`{"run_id":%q,"since":%q,"cursor":%q}`, page.RunID, since, page.NextCursor), nil)
		if len(next.Rows) != 2 || next.NextCursor != "" {
			t.Errorf("%+v", next)
		}
		rows = append(page.Rows[:3:3], next.Rows...)
	}
	seen := map[string]bool{}
	for i, row := range rows {
		seen[row.Tenant] = true
		kind, now := answers.KindLinkVanished, ""
		if i >= 2 {
			kind, now = answers.KindPartnerChanged, "7654321"
		}
		if row.Change == nil || row.Change.Kind != kind || row.Change.PartnerID != "1234567" || row.Change.State != answers.RowLinkedExpected || row.PartnerID != now {
			t.Errorf("row %d: %+v, %+v", i, row, row.Change)
		}
	}
	if len(seen) != 5 {
		t.Errorf("%v", seen)
	}
	again := h.audit(t.Context(), everywhere("a"), arguments+`,"since":"last"}`, nil)
	if !strings.HasSuffix(again.Summary, ": no change.") || len(again.Rows) != 0 {
		t.Errorf("%+v", again)
	}
}

func TestAuditReadsNothingForUnknownSince(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	for _, since := range []string{"2026-11-01", "no such label", "run_000000000000000000"} {
		got := h.audit(t.Context(), everywhere("a"), fmt.Sprintf(`{"since":%q}`, since), nil)
		if got.Problem == nil || got.Problem.Code != problems.CodeUnknownRun || got.RunID != "" {
			t.Errorf("since %s: %+v", since, got)
		}
		if isID := strings.HasPrefix(since, "run_"); !isID && !strings.Contains(got.Problem.Hint, "a date is neither") {
			t.Errorf("since %s: %+v", since, got.Problem)
		}
	}
	runs, err := h.store.Runs(t.Context(), fleet.RunFilter{Kind: fleet.RunKindAudit})
	if err != nil || len(runs) != 0 {
		t.Errorf("%v, %v", runs, err)
	}
}

// An audit of another caller, of another selection or of no one is no base.
func TestAuditSinceNeedsEqualAuditOfTheCaller(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	others := h.audit(t.Context(), everywhere("b"), `{}`, nil)
	own := h.audit(t.Context(), everywhere("a"), `{"tenants":["contoso"]}`, nil)
	for _, test := range []struct {
		since string
		code  problems.Code
	}{
		{"last", problems.CodeUnknownRun}, {"no such label", problems.CodeUnknownRun}, {others.RunID, problems.CodeUnknownRun}, {own.RunID, problems.CodeInvalidArgument},
	} {
		got := h.audit(t.Context(), everywhere("a"), fmt.Sprintf(`{"since":%q,"include_roles":true}`, test.since), nil)
		if got.Problem == nil || got.Problem.Code != test.code {
			t.Errorf("since %s: %+v", test.since, got)
		}
	}
	first := h.audit(t.Context(), everywhere("a"), `{}`, nil)
	for _, cursor := range []string{"x", first.NextCursor + "AAAA"} {
		if got := h.audit(t.Context(), everywhere("a"), fmt.Sprintf(`{"run_id":%q,"since":%q,"cursor":%q}`, first.RunID, first.RunID, cursor), nil); got.Problem == nil || got.Problem.Code != problems.CodeInvalidArgument {
			t.Errorf("cursor %q: %+v", cursor, got)
		}
	}
}
