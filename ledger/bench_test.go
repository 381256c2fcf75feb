package ledger

import (
	"fmt"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/guard/runs"
)

func BenchmarkLedgerAppend(b *testing.B) {
	h := build(b)
	e := event(guard.KindRefusal, intent("stdio", "contoso", "1234567"))
	for b.Loop() {
		if _, err := h.Append(ctx(), e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLedgerAppendParallel(b *testing.B) {
	h := build(b)
	e := event(guard.KindRefusal, intent("stdio", "contoso", "1234567"))
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := h.Append(ctx(), e); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkFreeze is what every call pays.
func BenchmarkFreeze(b *testing.B) {
	h := build(b)
	h.fill(1000)
	for b.Loop() {
		if _, err := h.Freeze(ctx()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSpendTicket(b *testing.B) {
	h := build(b)
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		id := fmt.Sprint("ap_", n)
		h.put(id)
		b.StartTimer()
		if spent, _, err := h.SpendTicket(ctx(), id, event(guard.KindIntent, guard.Intent{})); !spent || err != nil {
			b.Fatal(spent, err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	h := build(b)
	h.fill(10)
	for b.Loop() {
		h.reopen()
		if _, err := h.Freeze(ctx()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	h := build(b)
	const entries = 10_000
	events := make([]guard.Event, entries)
	for n := range events {
		events[n] = event(guard.KindRefusal, intent("stdio", fmt.Sprint("tenant", n%400), "1234567"))
	}
	_, err := h.Append(ctx(), events...)
	h.must(err)
	for b.Loop() {
		if report := h.whole(); report.Entries != entries {
			b.Fatal(report)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/entries, "ns/entry")
}

// BenchmarkAdvance is what a step of a run costs the ledger, intent and outcome:
// two synced transactions, and the counter of the vault once. The record holds
// so many intents before.
func BenchmarkAdvance(b *testing.B) {
	for _, before := range []int{0, 5000} {
		b.Run(fmt.Sprint(before), func(b *testing.B) {
			h := build(b)
			h.fill(2 * before)
			openRunIn(b, h.Ledger, anOpenRun("run_1", ""))
			for row := 0; b.Loop(); row++ {
				began := stepIntent(fmt.Sprint("tenant ", row), "run_1", row)
				now, err := h.Advance(ctx(), "run_1", guard.Progress{Row: row, Stage: runs.StageWriting, Revision: 1, At: noon()}, began)
				if err != nil {
					b.Fatal(err)
				}
				outcome := event(guard.KindOutcome, began.Intent)
				outcome.Of = now.Intent
				now.Stage, now.Intent = runs.StageDone, 0
				now.Revision++
				if _, err = h.Advance(ctx(), "run_1", now, outcome); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkProgress is what a look at a large run costs.
func BenchmarkProgress(b *testing.B) {
	h := build(b)
	openRunIn(b, h.Ledger, anOpenRun("run_1", ""))
	const rows = 1000
	for row := range rows {
		now, err := h.begin(row)
		h.must(err)
		h.done(now)
	}
	for b.Loop() {
		if progress, err := h.Progress(ctx(), "run_1"); err != nil || len(progress) != rows {
			b.Fatal(len(progress), err)
		}
	}
}
