package ledger

import (
	"maps"
	"slices"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/internal/pgtest"
	"mcp-partner/schemas/problems"
)

func TestCopiedLedgerIsWholeAndGoesOn(t *testing.T) {
	t.Parallel()
	from := furnish(build(t))
	create1(t, from.Ledger, "run_1", "a", 3)
	head, err := from.Head(ctx())
	from.must(err)
	to := &house{t: t, dir: from.dir, url: pgtest.URL(t), keys: from.keys, clock: from.clock}
	to.Ledger = Open(to.options())
	t.Cleanup(func() { _ = to.Close() })
	for range 2 { // the second one finds everything there
		counts, err := from.CopyTo(ctx(), to.Ledger)
		from.must(err)
		if counts["events"] != head.Seq || counts["run_rows"] != 3 || counts["states"] < 2 {
			t.Errorf("%v, the last entry is %d", counts, head.Seq)
		}
	}
	now, err := to.Head(ctx())
	to.must(err)
	if now.Seq != head.Seq || now.Hash != head.Hash || now.Ledger != head.Ledger {
		t.Errorf("the head %+v became %+v", head, now)
	}
	if report := to.verify(&head); !report.Whole() {
		t.Errorf("%+v", report.Findings)
	}
	if spent, _, err := to.SpendTicket(ctx(), "ap_1", event(guard.KindConfirmed, guard.Intent{})); !spent || err != nil {
		t.Error("an approval did not come along", spent, err)
	}
	to.fill(2)
	to.whole()
	_, err = from.CopyTo(ctx(), to.Ledger)
	problemOf(t, err, problems.CodeVaultUnavailable, "since the copy")
	other := buildOnServer(t)
	other.fill(2)
	_, err = from.CopyTo(ctx(), other.Ledger)
	problemOf(t, err, problems.CodeVaultUnavailable, "another ledger")
}

// A table that a migration adds is copied too.
func TestCopyKnowsEveryTable(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.fill(2)
	s := h.session()
	found := slices.Collect(rows(s, func(name *string) []any { return []any{name} },
		`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'schema_versions' ORDER BY name`))
	counts := s.countRows()
	h.must(s.err)
	if known := slices.Sorted(maps.Keys(counts)); !slices.Equal(known, found) {
		t.Errorf("copied are %v of %v", known, found)
	}
}
