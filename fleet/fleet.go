// Package fleet looks after many tenants at once: which of them a caller means,
// runs that continue without a waiting caller and survive a crash, and audits
// with a true answer for every tenant.
//
// It declares what it needs (a directory, clients, a store, a clock) and knows
// neither MCP nor a database.
package fleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// Reader reads the link of one identity in one tenant. It sends each request once:
// a run itself waits for another try.
type Reader interface {
	Link(ctx context.Context) armclient.LinkRead
	// Roles reads subscriptions and the identity's roles in them.
	Roles() pec.Reader
}

// Clients gives the reader of a target. Its errors are problems.
type Clients interface {
	Reader(ctx context.Context, tenant schemas.Tenant, credential string) (Reader, error)
}

// Pin is the identity that a credential turned out to be in a tenant.
type Pin struct{ Tenant, Credential, ObjectID string }

// KeepDefault is how long runs without a label are kept: a year and a month, so
// that this November's can be compared with the last one's.
const KeepDefault = 400 * 24 * time.Hour

// MostRuns and MostRows bound what is kept of a caller's runs without a label,
// so that a caller in a loop cannot fill the disk.
const (
	MostRuns = 500
	MostRows = 1_000_000
)

const (
	// leaseTime is after what time without a sign of life a process counts as
	// gone; it gives one every leaseRenewal.
	leaseTime    = 10 * time.Second
	leaseRenewal = 3 * time.Second
)

// Options is what a Fleet works with. Directory, Clients and Store are needed.
type Options struct {
	Directory Directory
	Clients   Clients
	Store     Store
	// Record is asked who changed a link; may be nil.
	Record Record
	// Pin remembers the identities seen at their first success, all at once; may
	// be nil. That it fails is no reason to hold a result back.
	Pin func(context.Context, []Pin) error
	// PECRoles is the list of eligible roles; nil means the built-in one.
	PECRoles *pec.List
	// Limits bound every run.
	Limits Limits
	// Keep is how long runs without a label are kept; 0 means KeepDefault.
	Keep time.Duration
	// Now defaults to time.Now. It dates results and leases; waiting takes the
	// time of the process.
	Now    func() time.Time
	Logger *slog.Logger
}

// Fleet runs work over many tenants in the background. It is safe for
// concurrent use.
type Fleet struct {
	opts Options
	// owner names this process in the store.
	owner string
	base  context.Context
	stop  context.CancelCauseFunc
	// running are the runs of this process that are under way.
	running sync.WaitGroup

	// starting is held while a run is created, so that a joining caller finds it.
	starting sync.Mutex
	mu       sync.Mutex
	active   map[string]*Active
	closed   bool
	// comparing is held while two audits are compared.
	comparing chan struct{}
}

// New makes a Fleet. Nothing runs until something is started.
func New(o Options) *Fleet {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.Keep <= 0 {
		o.Keep = KeepDefault
	}
	if o.Pin == nil {
		o.Pin = func(context.Context, []Pin) error { return nil }
	}
	o.Limits.Concurrency = cmp.Or(o.Limits.Concurrency, defaultConcurrency)
	o.Limits.RunTime = cmp.Or(o.Limits.RunTime, 2*time.Hour)
	o.Limits.Backoff = cmp.Or(o.Limits.Backoff, time.Second)
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	base, stop := context.WithCancelCause(context.Background())
	return &Fleet{opts: o, owner: hex.EncodeToString(random[:]), base: base, stop: stop, active: map[string]*Active{}, comparing: make(chan struct{}, 1)}
}

// Close interrupts what is under way and waits until it is stored as that, so
// that it can be resumed.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.stop(errInterrupted)
	f.running.Wait()
}

// Operator is the person who runs the program and sees all runs. No caller of a
// tool has this name.
const Operator access.Caller = ""

// Run returns a run of a caller. A run of another one is like one that does not
// exist.
func (f *Fleet) Run(ctx context.Context, caller access.Caller, id string) (Run, error) {
	run, ok, err := f.opts.Store.Run(ctx, id)
	switch {
	case err != nil:
		return Run{}, err
	case !ok || caller != Operator && run.Caller != caller:
		return Run{}, UnknownRun()
	}
	return run, nil
}

// Runs returns the runs that a filter selects, newest first.
func (f *Fleet) Runs(ctx context.Context, filter RunFilter) ([]Run, error) {
	return f.opts.Store.Runs(ctx, filter)
}

// Label names a run of a caller.
func (f *Fleet) Label(ctx context.Context, caller access.Caller, id, label string) error {
	if _, err := f.Run(ctx, caller, id); err != nil {
		return err
	}
	ok, err := f.opts.Store.LabelRun(ctx, id, label)
	if err == nil && !ok {
		return UnknownRun()
	}
	return err
}

// Prune removes runs without a label that are older than they are kept, or more
// of a caller than are kept.
func (f *Fleet) Prune(ctx context.Context) (int, error) {
	return f.opts.Store.PruneRuns(ctx, Keeping{Since: f.opts.Now().Add(-f.opts.Keep), Runs: MostRuns, Rows: MostRows})
}

// Within returns nil if the caller sees every tenant of a run, and otherwise
// UnknownRun: its grant may have been reduced since the run began, and totals
// would reveal the rest.
func (f *Fleet) Within(ctx context.Context, id string, sees func(tenant string) bool) error {
	for _, pending := range []bool{false, true} {
		for row, err := range f.opts.Store.Rows(ctx, id, RowQuery{Pending: pending}) {
			if err != nil {
				return err
			}
			if !sees(row.Tenant) {
				return UnknownRun()
			}
		}
	}
	return nil
}

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
