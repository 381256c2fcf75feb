package ledger

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/internal/testkit"
)

// onRunStore runs a part of the contract of fleet.Store.
func onRunStore(t *testing.T, test func(t *testing.T, s fleet.Store, clock *testkit.Clock)) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		test(t, h.Ledger, h.clock)
	})
}

func aRun(id string, caller access.Caller, size int) (fleet.Run, []fleet.Row) {
	rows := make([]fleet.Row, size)
	for i := range rows {
		rows[i] = fleet.Row{N: i, Tenant: fmt.Sprintf("tenant-%03d", i), TenantID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", size-i), Credential: "app"}
	}
	return fleet.Run{ID: id, Kind: fleet.RunKindAudit, Caller: caller, CreatedAt: noon().UTC(), State: fleet.RunRunning, Owner: "one",
		LeaseUntil: noon().Add(time.Minute).UTC(), Rows: size, Request: json.RawMessage(`{"tenants":["*"]}`)}, rows
}

func create1(t *testing.T, s fleet.Store, id string, caller access.Caller, size int) fleet.Run {
	t.Helper()
	run, rows := aRun(id, caller, size)
	stored, err := s.CreateRun(ctx(), run, time.Minute, rows)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func all(t *testing.T, rows iter.Seq2[fleet.Row, error]) (found []fleet.Row) {
	t.Helper()
	for row, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, row)
	}
	return found
}

func TestRunIsStored(t *testing.T) {
	onRunStore(t, func(t *testing.T, s fleet.Store, _ *testkit.Clock) {
		want, rows := aRun("run_1", "a", 250)
		create1(t, s, "run_1", "a", 250)
		got, ok, err := s.Run(ctx(), "run_1")
		if err != nil || !ok || !cmp.Equal(got, want) {
			t.Error(cmp.Diff(want, got), ok, err)
		}
		if diff := cmp.Diff(rows, all(t, s.Rows(ctx(), "run_1", fleet.RowQuery{Pending: true}))); diff != "" {
			t.Error(diff)
		}
		if _, ok, err := s.Run(ctx(), "run_2"); ok || err != nil {
			t.Error(ok, err)
		}
	})
}

func TestCallerHasOneRunAtATime(t *testing.T) {
	onRunStore(t, func(t *testing.T, s fleet.Store, clock *testkit.Clock) {
		create1(t, s, "run_1", "a", 1)
		if got := create1(t, s, "run_2", "a", 1); got.ID != "run_1" {
			t.Error("a second run began:", got.ID)
		}
		if got := create1(t, s, "run_3", "b", 1); got.ID != "run_3" {
			t.Error("another caller waits for the first:", got.ID)
		}
		clock.Advance(2 * time.Minute) // the process is gone
		defer clock.Advance(-2 * time.Minute)
		if got := create1(t, s, "run_4", "a", 1); got.ID != "run_4" {
			t.Error("a crashed run stands in the way:", got.ID)
		}
	})
}

func TestRunHasOneOwner(t *testing.T) {
	onRunStore(t, func(t *testing.T, s fleet.Store, clock *testkit.Clock) {
		create1(t, s, "run_1", "a", 2)
		claim := func(id, owner string) func() (bool, error) {
			return func() (bool, error) { return s.ClaimRun(ctx(), id, owner, time.Minute) }
		}
		save := func(owner string, n int) func() (bool, error) {
			return func() (bool, error) {
				return s.SaveRows(ctx(), "run_1", owner, time.Minute, []fleet.Row{{N: n, State: "linked"}})
			}
		}
		end := func(owner string, state fleet.RunState) func() (bool, error) {
			return func() (bool, error) { return s.EndRun(ctx(), "run_1", owner, state) }
		}
		steps := []struct {
			name  string
			after time.Duration
			do    func() (bool, error)
			want  bool
		}{
			{name: "claim while it is alive", after: time.Minute - 1, do: claim("run_1", "two")},
			{name: "claim after a crash", after: 1, do: claim("run_1", "two"), want: true},
			{name: "save by the first, who woke up", do: save("one", 0)},
			{name: "end by the first", do: end("one", fleet.RunFinished)},
			{name: "save by the second", after: time.Minute - 1, do: save("two", 1), want: true},
			{name: "claim after a sign of life", after: time.Minute - 1, do: claim("run_1", "three")},
			{name: "interrupt", do: end("two", fleet.RunInterrupted), want: true},
			{name: "claim what was interrupted", do: claim("run_1", "three"), want: true},
			{name: "finish", do: end("three", fleet.RunFinished), want: true},
			{name: "claim what is finished", after: time.Hour, do: claim("run_1", "four")},
			{name: "claim what is not there", do: claim("run_2", "four")},
		}
		for _, step := range steps {
			clock.Advance(step.after)
			if got, err := step.do(); err != nil || got != step.want {
				t.Fatalf("%s: %v, %v", step.name, got, err)
			}
		}
		run, _, err := s.Run(ctx(), "run_1")
		if err != nil || run.State != fleet.RunFinished || !run.FinishedAt.Equal(clock.Now().Add(-time.Hour)) {
			t.Error(run, err)
		}
		if rows := all(t, s.Rows(ctx(), "run_1", fleet.RowQuery{})); len(rows) != 1 || rows[0].N != 1 {
			t.Error(rows)
		}
	})
}

// TestPagesHoldEachRowOnce goes through results in pages of any size, in both
// orders.
func TestPagesHoldEachRowOnce(t *testing.T) {
	onRunStore(t, func(t *testing.T, s fleet.Store, _ *testkit.Clock) {
		const size = 57
		create1(t, s, "run_1", "a", size)
		saved := saveSome(t, s, size)
		for _, order := range []fleet.Order{fleet.ByPlace, fleet.ByAttention} {
			want := all(t, s.Rows(ctx(), "run_1", fleet.RowQuery{Order: order}))
			if len(want) != saved {
				t.Fatalf("%d rows, saved %d", len(want), saved)
			}
			for limit := 1; limit < size; limit += 5 {
				if got := paged(t, s, order, limit); !cmp.Equal(got, want) {
					t.Fatalf("pages of %d: %s", limit, cmp.Diff(want, got))
				}
			}
		}
		byTarget := all(t, s.Rows(ctx(), "run_1", fleet.RowQuery{Order: fleet.ByTarget}))
		if !slices.IsSortedFunc(byTarget, func(a, b fleet.Row) int { return strings.Compare(a.TenantID, b.TenantID) }) {
			t.Error("not sorted by tenant ID")
		}
	})
}

func saveSome(t *testing.T, s fleet.Store, size int) (saved int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var rows []fleet.Row
	for n := range size {
		if random.IntN(4) == 0 {
			continue
		}
		state, cause := "linked", ""
		if random.IntN(3) == 0 {
			state, cause = "unknown", fmt.Sprint("cause ", random.IntN(3))
		}
		rows = append(rows, fleet.Row{N: n, State: state, Rank: random.IntN(4), Cause: cause, Stale: n%2 == 0, Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))})
	}
	if ours, err := s.SaveRows(ctx(), "run_1", "one", time.Minute, rows); !ours || err != nil {
		t.Fatal(ours, err)
	}
	return len(rows)
}

func paged(t *testing.T, s fleet.Store, order fleet.Order, limit int) (found []fleet.Row) {
	t.Helper()
	q := fleet.RowQuery{Order: order, Limit: limit}
	for {
		page := all(t, s.Rows(ctx(), "run_1", q))
		if len(page) == 0 {
			return found
		}
		found = append(found, page...)
		last := page[len(page)-1]
		q.More, q.AfterRank, q.AfterN = true, last.Rank, last.N
	}
}

func TestRowsAreCounted(t *testing.T) {
	onRunStore(t, func(t *testing.T, s fleet.Store, _ *testkit.Clock) {
		const size = 40
		create1(t, s, "run_1", "a", size)
		saveSome(t, s, size)
		want, stale, groups := map[string]int{}, 0, map[string]int{}
		for _, r := range all(t, s.Rows(ctx(), "run_1", fleet.RowQuery{})) {
			want[r.State]++
			if r.Stale {
				stale++
			}
			if r.Cause != "" {
				groups[r.Cause]++
			}
		}
		want[""] = size - want["linked"] - want["unknown"]
		counts, old, err := s.CountRows(ctx(), "run_1")
		if err != nil || !cmp.Equal(counts, want) || old != stale {
			t.Error(counts, want, old, stale, err)
		}
		causes, err := s.Causes(ctx(), "run_1", 10)
		if err != nil || len(causes) != len(groups) {
			t.Fatal(causes, err)
		}
		for i, g := range causes {
			if g.Count != groups[g.Cause] || g.First.Cause != g.Cause || i > 0 && g.Count > causes[i-1].Count {
				t.Errorf("%+v, want %d", g, groups[g.Cause])
			}
		}
		if few, err := s.Causes(ctx(), "run_1", 1); err != nil || len(few) != 1 {
			t.Error(few, err)
		}
	})
}

func TestRunsAreListedLabelledAndPruned(t *testing.T) {
	onRunStore(t, func(t *testing.T, s fleet.Store, clock *testkit.Clock) {
		for i := range 4 {
			run, rows := aRun(fmt.Sprintf("run_%d", i), access.Caller(fmt.Sprint("caller ", i)), 3)
			run.CreatedAt = noon().Add(time.Duration(i) * time.Hour)
			if _, err := s.CreateRun(ctx(), run, time.Minute, rows); err != nil {
				t.Fatal(err)
			}
		}
		if ok, err := s.LabelRun(ctx(), "run_1", "2026-11"); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if ok, err := s.LabelRun(ctx(), "run_9", "x"); ok || err != nil {
			t.Fatal(ok, err)
		}
		ids := func(f fleet.RunFilter) string {
			runs, err := s.Runs(ctx(), f)
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, r := range runs {
				found = append(found, r.ID)
			}
			return strings.Join(found, " ")
		}
		for want, f := range map[string]fleet.RunFilter{
			"run_3 run_2 run_1 run_0": {}, "run_3 run_2": {Limit: 2}, "run_1": {Label: "2026-11"},
			"run_2": {Caller: "caller 2"}, "": {Kind: "other"},
		} {
			if got := ids(f); got != want {
				t.Errorf("%+v: %q, want %q", f, got, want)
			}
		}
		old := fleet.Keeping{Since: noon().Add(3 * time.Hour), Runs: 9, Rows: 99}
		if n, err := s.PruneRuns(ctx(), old); n != 0 || err != nil {
			t.Error("pruned what is alive:", n, err)
		}
		clock.Advance(time.Hour)
		if n, err := s.PruneRuns(ctx(), old); n != 2 || err != nil {
			t.Error(n, err)
		}
		if got := ids(fleet.RunFilter{}); got != "run_3 run_1" {
			t.Error("left:", got)
		}
		if rows := all(t, s.Rows(ctx(), "run_0", fleet.RowQuery{Pending: true})); len(rows) != 0 {
			t.Error("rows of a pruned run are left:", len(rows))
		}
	})
}

// A caller who audits in a loop keeps the newest runs, and not a disk full.
func TestNewestRunsOfEachCallerAreKept(t *testing.T) {
	t.Parallel()
	for want, keep := range map[string]fleet.Keeping{
		"a_5 a_8 a_9 b_0 b_2 b_3": {Runs: 2, Rows: 99},
		"a_5 a_7 a_8 a_9 b_0 b_3": {Since: noon().Add(3 * time.Hour), Runs: 3, Rows: 9},
		"a_5 a_9 b_0 b_3":         {Runs: 9, Rows: 1},
	} {
		t.Run(want, func(t *testing.T) {
			onRunStore(t, func(t *testing.T, s fleet.Store, clock *testkit.Clock) {
				auditedInALoop(t, s)
				clock.Advance(time.Minute)
				if _, err := s.PruneRuns(ctx(), keep); err != nil {
					t.Fatal(err)
				}
				runs, err := s.Runs(ctx(), fleet.RunFilter{})
				var left []string
				for _, r := range runs {
					left = append(left, r.ID)
				}
				slices.Sort(left)
				if err != nil || strings.Join(left, " ") != want {
					t.Errorf("%+v: %q, %v", keep, left, err)
				}
			})
		})
	}
}

// auditedInALoop makes ten runs of one caller and four of another, of three rows
// each; one of each has a label.
func auditedInALoop(t *testing.T, s fleet.Store) {
	t.Helper()
	for caller, n := range map[access.Caller]int{"a": 10, "b": 4} {
		for i := range n {
			run, rows := aRun(fmt.Sprint(caller, "_", i), caller, 3)
			run.CreatedAt = noon().Add(time.Duration(i) * time.Hour)
			if _, err := s.CreateRun(ctx(), run, 0, rows); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, id := range []string{"a_5", "b_0"} {
		if ok, err := s.LabelRun(ctx(), id, "kept"); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
}

// Rows of runs neither lengthen nor break the chains.
func TestRunsAreOutsideTheChain(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.fill(2)
		create1(t, h.Ledger, "run_1", "a", 5)
		h.fill(2)
		h.reopen()
		if report := h.whole(); report.Entries != 4 {
			t.Errorf("%+v", report)
		}
		if run, ok, err := h.Run(ctx(), "run_1"); !ok || err != nil || run.Rows != 5 {
			t.Error(run, ok, err)
		}
	})
}

// night is a finished run of a night, with the words that its targets answered; a
// target without a word is not in it.
func night(t *testing.T, s fleet.Store, clock *testkit.Clock, id string, words ...string) {
	t.Helper()
	run, _ := aRun(id, "a", len(words))
	run.CreatedAt = clock.Now().UTC()
	var rows, results []fleet.Row
	for i, word := range words {
		if word == "" {
			continue
		}
		row := fleet.Row{N: len(rows), Tenant: fmt.Sprintf("tenant-%03d", i), TenantID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", len(words)-i), Credential: "app"}
		rows = append(rows, row)
		row.State, row.Rank, row.Stale, row.Body = word, len(word), word == "linked", json.RawMessage(`{"state":"`+word+`"}`)
		if word == "unknown" {
			row.Cause = "locked"
		}
		results = append(results, row)
	}
	run.Rows = len(rows)
	if _, err := s.CreateRun(ctx(), run, time.Minute, rows); err != nil {
		t.Fatal(err)
	}
	if ours, err := s.SaveRows(ctx(), id, "one", time.Minute, results); err != nil || !ours {
		t.Fatal(ours, err)
	}
	if ended, err := s.EndRun(ctx(), id, "one", fleet.RunFinished); err != nil || !ended {
		t.Fatal(ended, err)
	}
	clock.Advance(24 * time.Hour)
}

// told is everything that a run says, but for the time as of which it does and the
// numbers of its rows.
func told(t *testing.T, s fleet.Store, id string) (text string, borrowed int) {
	t.Helper()
	for _, q := range []fleet.RowQuery{{}, {Order: fleet.ByAttention}, {Order: fleet.ByTarget}, {Order: fleet.ByAttention, More: true, AfterRank: 6, AfterN: 1 << 40, Limit: 2}, {Pending: true}} {
		for _, row := range all(t, s.Rows(ctx(), id, q)) {
			if !row.AsOf.IsZero() {
				borrowed++
			}
			row.AsOf, row.N = time.Time{}, 0
			text += fmt.Sprintf("%+v\n", row)
		}
	}
	states, stale, err := s.CountRows(ctx(), id)
	causes, failure := s.Causes(ctx(), id, 2)
	for i := range causes {
		causes[i].First.AsOf, causes[i].First.N = time.Time{}, 0
	}
	return fmt.Sprint(text, states, stale, err, causes, failure), borrowed
}

func thin(t *testing.T, s fleet.Store, id, later string) {
	t.Helper()
	if err := s.ThinRun(ctx(), fleet.Run{ID: id, Totals: map[string]int{"rows": 5}}, later, func(body json.RawMessage) []byte { return body }); err != nil {
		t.Fatal(err)
	}
}

// A thinned run says what it said: of targets that were the same in the next run, of
// those that differed, and nothing of those that were added; however long the chain is.
func TestThinnedRunSaysWhatItSaid(t *testing.T) {
	onRunStore(t, func(t *testing.T, s fleet.Store, clock *testkit.Clock) {
		night(t, s, clock, "run_1", "linked", "linked", "unknown", "", "unknown", "not_linked")
		night(t, s, clock, "run_2", "linked", "deleted", "unknown", "linked", "", "not_linked")
		night(t, s, clock, "run_3", "linked", "deleted", "unknown", "linked", "unknown", "")
		before := map[string]string{}
		for _, id := range []string{"run_1", "run_2", "run_3"} {
			before[id], _ = told(t, s, id)
		}
		for _, step := range [][2]string{{"run_1", "run_2"}, {"run_2", "run_3"}, {"run_1", "run_3"}} {
			thin(t, s, step[0], step[1])
			for id, want := range before {
				if got, _ := told(t, s, id); got != want {
					t.Fatalf("after %v, of %s: %s", step, id, cmp.Diff(want, got))
				}
			}
		}
		if _, borrowed := told(t, s, "run_1"); borrowed == 0 {
			t.Error("nothing was removed")
		}
		for id, want := range map[string]bool{"run_1": true, "run_2": true, "run_3": false} {
			if run, _, err := s.Run(ctx(), id); err != nil || run.Thinned != want || want != (run.Totals["rows"] == 5) {
				t.Error(run, err)
			}
		}
	})
}

// What a kept run borrows rows from is kept as well, and goes when that one goes.
func TestBaseOfKeptRunIsKept(t *testing.T) {
	onRunStore(t, func(t *testing.T, s fleet.Store, clock *testkit.Clock) {
		for _, id := range []string{"run_1", "run_2", "run_3", "run_4"} {
			night(t, s, clock, id, "linked", "linked")
		}
		thin(t, s, "run_1", "run_2")
		thin(t, s, "run_2", "run_3")
		want, _ := told(t, s, "run_1")
		keep := fleet.Keeping{Since: clock.Now(), Runs: 10, Rows: 100}
		for _, step := range []struct {
			label   string
			removed int
		}{{"2026-11", 1}, {"", 3}} {
			if _, err := s.LabelRun(ctx(), "run_1", step.label); err != nil {
				t.Fatal(err)
			}
			if got, _ := told(t, s, "run_1"); got != want {
				t.Error(cmp.Diff(want, got))
			}
			if removed, err := s.PruneRuns(ctx(), keep); err != nil || removed != step.removed {
				t.Error(removed, err)
			}
		}
	})
}

// Rows that were removed leave room for others.
func TestThinnedRunsCountByTheRowsThatTheyKeep(t *testing.T) {
	onRunStore(t, func(t *testing.T, s fleet.Store, clock *testkit.Clock) {
		for n := range 6 {
			night(t, s, clock, fmt.Sprint("run_", n), "linked", "linked", "linked")
		}
		thin(t, s, "run_0", "run_1")
		thin(t, s, "run_1", "run_2")
		if removed, err := s.PruneRuns(ctx(), fleet.Keeping{Runs: 10, Rows: 12}); err != nil || removed != 0 {
			t.Error(removed, err)
		}
		if removed, err := s.PruneRuns(ctx(), fleet.Keeping{Runs: 10, Rows: 11}); err != nil || removed != 3 {
			t.Error(removed, err)
		}
	})
}
