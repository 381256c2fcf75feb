package fleet

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"mcp-partner/access"
	"mcp-partner/schemas"
)

// RunKind is what a run does.
type RunKind string

// RunKindAudit reads the link of every target and writes nothing.
const RunKindAudit RunKind = "audit"

// RunState is where a run stands.
type RunState string

// The states. A run whose process crashed still says running in the store;
// StateAt tells it from one that is alive.
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
}

// NewRunID makes an ID of 72 random bits.
func NewRunID() string {
	var random [9]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return "run_" + hex.EncodeToString(random[:])
}

// StateAt returns where the run stands, with a crash seen as an interruption.
func (r Run) StateAt(now time.Time) RunState {
	if r.State == RunRunning && !now.Before(r.LeaseUntil) {
		return RunInterrupted
	}
	return r.State
}

// Live reports whether a process works on the run.
func (r Run) Live(now time.Time) bool { return r.StateAt(now) == RunRunning }

// Resumable reports whether targets may be left that nobody works on.
func (r Run) Resumable(now time.Time) bool {
	state := r.StateAt(now)
	return state == RunInterrupted || state == RunCancelled
}

// Row is the place of one target in a run, and its result. N counts from 0 in
// the order of the selection.
type Row struct {
	N                            int
	Tenant, TenantID, Credential string
	// State is the result in one word, "" as long as there is none.
	State string
	// Rank orders results: what needs attention has a lower one.
	Rank int
	// Cause groups results that have one reason; "" for none.
	Cause string
	// Stale marks a result for CountRows.
	Stale bool
	// Body is the result, as the kind of the run writes it.
	Body json.RawMessage
}

// pendingRows are the rows of targets without results.
func pendingRows(targets []Target) []Row {
	rows := make([]Row, len(targets))
	for i, t := range targets {
		rows[i] = Row{N: i, Tenant: t.Tenant.Name, TenantID: t.Tenant.TenantID, Credential: t.Credential}
	}
	return rows
}

// UnknownRun is the problem of a run that is not there for a caller.
func UnknownRun() *schemas.Problem {
	return schemas.NewProblem(schemas.CodeUnknownRun, "There is no run with that ID for this caller.")
}
