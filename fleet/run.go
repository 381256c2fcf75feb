package fleet

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"mcp-partner/access"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// RunKind is what a run does.
type RunKind string

// RunKindAudit reads the link of every target and writes nothing.
const RunKindAudit RunKind = "audit"

// RunState is where a run stands.
type RunState string

// The states.
const (
	RunRunning RunState = "running"
	// RunFinished: every target has a result.
	RunFinished RunState = "finished"
	// RunCancelled: the caller gave it up before its first answer.
	RunCancelled RunState = "cancelled"
	// RunInterrupted: the process ended, in order or not. It can be resumed.
	RunInterrupted RunState = "interrupted"
)

// Run is one piece of work over many targets. It belongs to its caller.
type Run struct {
	// ID is run_ and 18 hexadecimal digits.
	ID     string
	Kind   RunKind
	Caller access.Caller
	// Label is the operator's own name for it, such as 2026-11; may be empty.
	Label                 string
	CreatedAt, FinishedAt time.Time
	State                 RunState
	// Owner is the process that works on it. It renews the lease while it lives;
	// a lease that has lapsed is a process that is gone.
	Owner      string
	LeaseUntil time.Time
	// Rows is the number of targets.
	Rows int
	// Request is what was asked for, as the kind of the run writes it. Two runs
	// with equal requests do the same.
	Request json.RawMessage
	// Thinned says that rows which a later run repeats are no longer kept. Totals are
	// kept beside it, and nil as long as they are to be counted.
	Thinned bool
	Totals  map[string]int
}

// Row is the place of one target in a run, and its result. N counts from 0 in
// the order of the selection.
type Row struct {
	N                            int
	Tenant, TenantID, Credential string
	// State is the result in one word, "" until there is one.
	State string
	// Rank orders results: what needs attention has a lower one.
	Rank int
	// Cause groups results that have one reason; "" for none.
	Cause string
	// Stale marks a result for CountRows.
	Stale bool
	// Body is the result, as the kind of the run writes it.
	Body json.RawMessage
	// AsOf is when the run ended, of a row that is kept with a later run alone, which
	// found the same.
	AsOf time.Time
}

func pendingRows(tasks []task) []Row {
	return xslices.Map(tasks, func(t task) Row { return Row{N: t.n, Tenant: t.tenant, TenantID: t.tenantID, Credential: t.credential} })
}

// UnknownRun is the problem of a run that is not there for a caller.
func UnknownRun() *problems.Problem {
	return problems.New(problems.CodeUnknownRun, "There is no run with that ID for this caller.")
}

// Order is how rows are sorted.
type Order int

// The orders. ByAttention is by rank, then by place.
const (
	ByPlace Order = iota
	ByAttention
	// ByTarget is by tenant ID, then by credential, for comparing two runs.
	ByTarget
)

// RowQuery selects rows.
type RowQuery struct {
	Order Order
	// Pending selects rows without a result, else those with one.
	Pending bool
	// AfterRank and AfterN are the last row of the page before, where More is
	// set; with ByPlace only AfterN counts. Not for ByTarget.
	More              bool
	AfterRank, AfterN int
	// TenantIDs and State select rows; empty means all.
	TenantIDs []string
	State     answers.RowState
	// Limit is the most rows; 0 means all.
	Limit int
}

// Group is a number of rows with one cause, and the first of them.
type Group struct {
	Cause string
	Count int
	First Row
}

// RunFilter selects runs, newest first. Fields that are empty select all.
type RunFilter struct {
	Kind   RunKind
	Caller access.Caller
	Label  string
	// Limit is the most runs; 0 means all.
	Limit int
}

// Keeping says which runs without a label are kept: those made since a time, and
// of each caller the newest, so many and with so many rows together at most. The
// newest one is kept with any number of rows, and so is what a kept one needs.
type Keeping struct {
	Since      time.Time
	Runs, Rows int
}

// Store is what runs need to remember. Every method is safe for concurrent use,
// by several processes where the store is durable. Errors may be problems. Leases
// are measured by the clock of the store, because those of several machines
// differ: a run whose lease has lapsed is RunInterrupted.
type Store interface {
	// CreateRun adds a run with its rows, leased to its owner, unless the caller has
	// a live one of the same kind: then nothing is added and that one is returned.
	CreateRun(ctx context.Context, run Run, lease time.Duration, rows []Row) (stored Run, err error)
	// Run returns a run; ok is false if there is none.
	Run(ctx context.Context, id string) (run Run, ok bool, err error)
	// Runs returns the runs that a filter selects, newest first.
	Runs(ctx context.Context, filter RunFilter) ([]Run, error)
	// ClaimRun makes owner the process that works on a run. It returns false for
	// a run that is finished, gone, or that another process works on.
	ClaimRun(ctx context.Context, id, owner string, lease time.Duration) (bool, error)
	// SaveRows stores results and renews the lease, all or nothing. It returns
	// false, and stores nothing, where owner no longer works on the run.
	SaveRows(ctx context.Context, id, owner string, lease time.Duration, rows []Row) (bool, error)
	// EndRun lets go of a run; false where owner no longer works on it.
	EndRun(ctx context.Context, id, owner string, state RunState) (bool, error)
	// LabelRun names a run; false if there is none.
	LabelRun(ctx context.Context, id, label string) (bool, error)
	// Rows goes through rows of a run. A row with an error is the last.
	Rows(ctx context.Context, id string, query RowQuery) iter.Seq2[Row, error]
	// CountRows counts the rows of a run by state; "" is for those without.
	// Stale counts results that say so of themselves.
	CountRows(ctx context.Context, id string) (byState map[string]int, stale int, err error)
	// Causes groups the rows that have a cause, largest group first, at most
	// limit groups.
	Causes(ctx context.Context, id string, limit int) ([]Group, error)
	// ThinRun keeps the totals of a finished run and removes its rows that a later one
	// repeats, in batches: those of one target with equal essence, which is nil where a
	// row is to be kept. Reading the run goes on to return all its rows, with other N.
	ThinRun(ctx context.Context, run Run, later string, essence func(body json.RawMessage) []byte) error
	// PruneRuns removes the runs without a label that are not to be kept and not in
	// progress. It returns how many.
	PruneRuns(ctx context.Context, keep Keeping) (int, error)
}
