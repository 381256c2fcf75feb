package ledger

import (
	"bytes"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
)

// hasGap wants one gap that nobody has accepted and the finding that says so.
func (h *house) hasGap(want Gap) Report {
	h.t.Helper()
	report := h.verify(nil)
	if len(report.Gaps) != 1 || report.Gaps[0] != want || len(report.Findings) != 1 || !findsAt(report, want.From, " missing: ") {
		h.t.Errorf("%+v", report)
	}
	return report
}

func accepted(reason string) guard.Event {
	return guard.Event{Time: noon(), Kind: KindGapAccepted, Approver: "alice", Detail: reason}
}

// withGap returns a record of two entries and one that noticed that entries
// 3 to 6 are missing.
func withGap(h *house) *house {
	h.t.Helper()
	h.fill(5)
	db, err := h.use(ctx())
	h.must(err)
	_, err = db.Write.Exec(`DELETE FROM events WHERE seq > 2`)
	h.must(err)
	h.reopen()
	h.hasGap(Gap{From: 3, To: 6, NoticedAt: 7})
	return h
}

func TestDeletedTailIsAFindingUntilAnApproverAcceptsIt(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := withGap(build(t))
		h.must(h.AcceptGap(ctx(), 3, 6, accepted("restored the backup of Monday")))
		report := h.whole()
		want := Gap{From: 3, To: 6, NoticedAt: 7, AcceptedAt: 8, Approver: "alice", Reason: "restored the backup of Monday"}
		if len(report.Gaps) != 1 || report.Gaps[0] != want {
			t.Errorf("%+v", report.Gaps)
		}
		problemOf(t, h.AcceptGap(ctx(), 3, 6, accepted("again")), problems.CodeInvalidArgument, "accepted with entry 8")
	})
}

func TestOnlyExistingGapCanBeAccepted(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := withGap(build(t))
		for _, test := range []struct {
			name     string
			from, to int64
		}{
			{name: "shorter", from: 3, to: 4},
			{name: "longer", from: 3, to: 7},
			{name: "elsewhere", from: 1, to: 2},
		} {
			problemOf(t, h.AcceptGap(ctx(), test.from, test.to, accepted(test.name)), problems.CodeInvalidArgument, "has no gap")
		}
		h.hasGap(Gap{From: 3, To: 6, NoticedAt: 7})
	})
}

func TestEntryOfAnotherKindAcceptsNoGap(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := withGap(build(t))
		h.must(h.write(ctx(), true, func(w *writing) {
			e := newEntry(guard.Event{Time: noon(), Kind: guard.KindOutcome, Approver: "alice"}, "")
			e.MissingFrom, e.MissingTo = 3, 6
			w.add(e)
		}))
		h.hasGap(Gap{From: 3, To: 6, NoticedAt: 7})
	})
}

// An export shows both entries, whatever it selects, so that an auditor without
// the vault comes to the same verdict.
func TestExportReportsAcceptedGap(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := withGap(build(t))
		verify := func() Report {
			head, err := h.Head(ctx())
			h.must(err)
			key, err := h.PublicKey(ctx())
			h.must(err)
			var text bytes.Buffer
			h.must(h.Export(ctx(), &text, FormatJSONL, Filter{Limit: 1}))
			report, err := VerifyExport(&text, []Head{head}, key)
			h.must(err)
			return report
		}
		if report := verify(); report.Whole() || !findsAt(report, 3, "entries 3 to 6 are missing") {
			t.Errorf("%+v", report)
		}
		h.must(h.AcceptGap(ctx(), 3, 6, accepted("known")))
		if report := verify(); !report.Whole() || report.Gaps[0].AcceptedAt != 8 {
			t.Errorf("%+v", report)
		}
	})
}
