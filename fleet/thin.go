package fleet

import (
	"context"
	"encoding/json"
	"time"

	"mcp-partner/access"
	"mcp-partner/schemas/answers"
)

// WholeFor is how long audits without a label keep every row, unless the newer ones
// of their caller have half of MostRows.
const WholeFor = 30 * 24 * time.Hour

// Thin takes the oldest audit that was begun before a time, and of which the rows that
// a later one repeats have not been removed, and removes them. It returns false if
// there is none.
func Thin(ctx context.Context, store Store, before time.Time) (bool, error) {
	runs, err := store.Runs(ctx, RunFilter{Kind: RunKindAudit})
	if err != nil {
		return false, err
	}
	run, base := oldestWhole(runs, before)
	if base == "" {
		return false, nil
	}
	if run.Totals, err = totalsOf(ctx, store, run); err != nil {
		return false, err
	}
	return true, store.ThinRun(ctx, run, base, func(body json.RawMessage) []byte { return essence(body, run.FinishedAt) })
}

// oldestWhole finds in a list, newest first, the last audit to be thinned, and the
// next one that its caller asked the same, begun after its end.
func oldestWhole(runs []Run, before time.Time) (found Run, base string) {
	type question struct {
		caller access.Caller
		text   string
	}
	next, rows := map[question]Run{}, map[access.Caller]int{}
	for _, run := range runs {
		if run.State != RunFinished {
			continue
		}
		if run.Label == "" && !run.Thinned {
			rows[run.Caller] += run.Rows
		}
		asked := question{run.Caller, questionOf(run)}
		later, ok := next[asked]
		due := run.CreatedAt.Before(before) || rows[run.Caller] > MostRows/2
		if ok && due && run.Label == "" && !run.Thinned && !later.CreatedAt.Before(run.FinishedAt) {
			found, base = run, later.ID
		}
		next[asked] = run
	}
	return found, base
}

// essence is what a row says for an audit that ended at a time, nil where a row of
// another time would not say the same.
func essence(body json.RawMessage, ended time.Time) []byte {
	var row answers.AuditRow
	if json.Unmarshal(body, &row) != nil {
		return nil
	}
	same := asOf(row, ended)
	if urgency(row) != urgency(same) {
		return nil
	}
	text, _ := json.Marshal(same) // it was read from JSON
	return text
}

// asOf is a row of a later audit for one that ended at a time: what it says was so
// then too. When it was checked and the IDs of the requests are those of the later one.
func asOf(row answers.AuditRow, ended time.Time) answers.AuditRow {
	row.CheckedAt = ended.UTC().Format(time.RFC3339)
	if row.Problem != nil {
		problem := *row.Problem
		problem.ARMRequestID, problem.CorrelationID = "", ""
		row.Problem = &problem
	}
	return row
}
