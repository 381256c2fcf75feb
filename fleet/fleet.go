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
	"log/slog"
	"sync"
	"time"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
)

// Reader reads the link of one identity in one tenant.
type Reader interface {
	// LinkOnce sends one request and does not wait for another try.
	LinkOnce(ctx context.Context) armclient.LinkRead
	// RolesOnce reads subscriptions and roles without retries.
	RolesOnce() pec.Reader
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
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
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
