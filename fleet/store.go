package fleet

import (
	"context"
	"iter"
	"time"

	"mcp-partner/access"
)

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
// newest one is kept with any number of rows.
type Keeping struct {
	Since      time.Time
	Runs, Rows int
}

// Store is what runs need to remember. Every method is safe for concurrent use,
// by several processes where the store is durable. Errors may be problems.
type Store interface {
	// CreateRun adds a run with its rows, unless the caller has a live one of the
	// same kind: then nothing is added and that one is returned.
	CreateRun(ctx context.Context, run Run, rows []Row) (stored Run, err error)
	// Run returns a run; ok is false if there is none.
	Run(ctx context.Context, id string) (run Run, ok bool, err error)
	// Runs returns the runs that a filter selects, newest first.
	Runs(ctx context.Context, filter RunFilter) ([]Run, error)
	// ClaimRun makes owner the process that works on a run. It returns false for
	// a run that is finished, gone, or that another process works on.
	ClaimRun(ctx context.Context, id, owner string, now, leaseUntil time.Time) (bool, error)
	// SaveRows stores results and renews the lease, all or nothing. It returns
	// false, and stores nothing, where owner no longer works on the run.
	SaveRows(ctx context.Context, id, owner string, leaseUntil time.Time, rows []Row) (bool, error)
	// EndRun lets go of a run; false where owner no longer works on it.
	EndRun(ctx context.Context, id, owner string, state RunState, at time.Time) (bool, error)
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
	// PruneRuns removes the runs without a label that are not to be kept and that
	// nobody works on at now. It returns how many.
	PruneRuns(ctx context.Context, keep Keeping, now time.Time) (int, error)
}
