package fleet

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"time"

	"mcp-partner/access"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// PageDefault and PageMost bound a page of rows.
const (
	PageDefault = 50
	PageMost    = 200
)

// causesAtOnce is how many causes an answer shows, largest first.
const causesAtOnce = 10

// Report is what an audit found so far.
type Report struct {
	Run Run
	// Totals count rows by state, and under rows, answered, pending and stale.
	Totals map[string]int
	// Causes say why rows are unknown, largest first.
	Causes []answers.AuditCause
}

// Info is where the run stands, for an answer.
func (r Report) Info() *answers.RunInfo {
	info := &answers.RunInfo{
		ID: r.Run.ID, Kind: string(r.Run.Kind), Label: r.Run.Label, State: string(r.Run.State),
		CreatedAt: r.Run.CreatedAt.UTC().Format(time.RFC3339), Rows: r.Run.Rows, Answered: r.Totals["answered"],
	}
	if !r.Run.FinishedAt.IsZero() {
		info.FinishedAt = r.Run.FinishedAt.UTC().Format(time.RFC3339)
	}
	return info
}

// Audit returns what the run was asked to do.
func (r Report) Audit() (audit Audit) {
	_ = json.Unmarshal(r.Run.Request, &audit) // what cannot be read shows nothing
	return audit
}

// Report returns what an audit of a caller found so far.
func (f *Fleet) Report(ctx context.Context, caller access.Caller, id string) (Report, error) {
	run, err := f.Run(ctx, caller, id)
	if err != nil {
		return Report{}, err
	}
	if run.Kind != RunKindAudit {
		return Report{}, UnknownRun()
	}
	report := Report{Run: run}
	if report.Totals, err = f.Totals(ctx, run); err != nil {
		return Report{}, err
	}
	groups, err := f.opts.Store.Causes(ctx, id, causesAtOnce)
	report.Causes = causes(groups)
	return report, err
}

// Totals counts the rows of an audit as Report does.
func (f *Fleet) Totals(ctx context.Context, run Run) (map[string]int, error) {
	return totalsOf(ctx, f.opts.Store, run)
}

func totalsOf(ctx context.Context, store Store, run Run) (map[string]int, error) {
	if run.Totals != nil {
		return run.Totals, nil
	}
	counts, stale, err := store.CountRows(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	all := totals(run.Rows, counts, stale)
	if (Report{Run: run}).Audit().Roles {
		err = countRoles(ctx, store, run.ID, all)
	}
	return all, err
}

// OtherCauses counts the unknown rows whose cause is not in Causes.
func (r Report) OtherCauses() int {
	rest := r.Totals[string(answers.RowUnknown)]
	for _, c := range r.Causes {
		rest -= c.Rows
	}
	return max(0, rest)
}

func totals(rows int, counts map[string]int, stale int) map[string]int {
	all := map[string]int{"rows": rows, "answered": rows - counts[""], "pending": counts[""], "stale": stale}
	for _, state := range answers.RowStates() {
		all[string(state)] = 0
	}
	delete(counts, "")
	maps.Copy(all, counts)
	return all
}

func causes(groups []Group) []answers.AuditCause {
	found := make([]answers.AuditCause, 0, len(groups))
	for _, g := range groups {
		row, err := decodeRow(g.First)
		if err != nil || row.Problem == nil {
			continue
		}
		found = append(found, answers.AuditCause{
			Code: row.Problem.Code, Credential: row.Credential, Authority: row.Authority, Rows: g.Count,
			Message: row.Problem.Message, Hint: row.Problem.Hint, Command: row.Problem.Command, Example: row.Tenant,
		})
	}
	return found
}

func decodeRow(r Row) (row answers.AuditRow, err error) {
	if json.Unmarshal(r.Body, &row) != nil {
		return row, problems.New(problems.CodeVaultCorrupt, fmt.Sprintf("Row %d of a run cannot be read.", r.N))
	}
	if !r.AsOf.IsZero() {
		row = asOf(row, r.AsOf)
	}
	return row, nil
}

// Page returns rows of a report, those that need attention first, from where a
// cursor says, and the cursor of the next page, "" behind the last one.
func (f *Fleet) Page(ctx context.Context, id, cursor string, limit int) (rows []answers.AuditRow, next string, err error) {
	if limit <= 0 {
		limit = PageDefault
	}
	q := RowQuery{Order: ByAttention, Limit: min(limit, PageMost) + 1}
	if err := q.from(id, cursor); err != nil {
		return nil, "", err
	}
	rows = []answers.AuditRow{}
	var last Row
	for row, err := range f.opts.Store.Rows(ctx, id, q) {
		if err != nil {
			return nil, "", err
		}
		if len(rows) == q.Limit-1 {
			return rows, makeCursor("%s %d %d", id, last.Rank, last.N), nil
		}
		decoded, err := decodeRow(row)
		if err != nil {
			return nil, "", err
		}
		rows, last = append(rows, decoded), row
	}
	return rows, "", nil
}

// All goes through every row of a report that has a result, in an order.
func (f *Fleet) All(ctx context.Context, id string, order Order) iter.Seq2[answers.AuditRow, error] {
	return f.Rows(ctx, id, RowQuery{Order: order})
}

// Rows goes through the rows of a report that a query selects.
func (f *Fleet) Rows(ctx context.Context, id string, q RowQuery) iter.Seq2[answers.AuditRow, error] {
	return func(yield func(answers.AuditRow, error) bool) {
		for row, err := range f.opts.Store.Rows(ctx, id, q) {
			if err != nil {
				yield(answers.AuditRow{}, err)
				return
			}
			if decoded, err := decodeRow(row); !yield(decoded, err) || err != nil {
				return
			}
		}
	}
}

// from reads a cursor, which must be one of this run.
func (q *RowQuery) from(id, cursor string) error {
	if q.More = cursor != ""; q.More && !cursorOf(cursor, id+" %d %d", &q.AfterRank, &q.AfterN) {
		return problems.New(problems.CodeInvalidArgument, "cursor is not valid: pass next_cursor unchanged, with its run_id.")
	}
	return nil
}

func makeCursor(format string, place ...any) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, format, place...))
}

// cursorOf takes out of a cursor what makeCursor put into it with the same format.
func cursorOf(cursor, format string, place ...any) bool {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		_, err = fmt.Sscanf(string(text), format, place...)
	}
	return err == nil
}

// Page returns changes, those that matter most first, from where a cursor says; how
// many there are of each kind; and the cursor of the next page, "" behind the last.
// It goes through the audits twice instead of keeping what differs.
func (c *Comparison) Page(ctx context.Context, cursor string, limit int) (page []Change, counts map[answers.ChangeKind]int, next string, err error) {
	if limit <= 0 {
		limit = PageDefault
	}
	from, name := 0, c.Before.ID+" "+c.After.ID
	if cursor != "" && (!cursorOf(cursor, name+" %d", &from) || from < 0) {
		return nil, nil, "", problems.New(problems.CodeInvalidArgument, "cursor is not valid: pass next_cursor unchanged, with its run_id and since.")
	}
	counts = map[answers.ChangeKind]int{}
	for change, err := range c.Changes(ctx) {
		if err != nil {
			return nil, nil, "", err
		}
		counts[change.Kind]++
	}
	at, total := map[answers.ChangeKind]int{}, 0
	for _, kind := range answers.ChangeKinds() {
		at[kind] = total
		total += counts[kind]
	}
	page = make([]Change, max(0, min(limit, PageMost, total-from)))
	if len(page) == 0 {
		return page, counts, "", nil
	}
	for change, err := range c.Changes(ctx) {
		if err != nil {
			return nil, nil, "", err
		}
		if place := at[change.Kind] - from; place >= 0 && place < len(page) {
			page[place] = change
		}
		at[change.Kind]++
	}
	if end := from + len(page); end < total {
		next = makeCursor("%s %d", name, end)
	}
	return page, counts, next, nil
}
