package fleet

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Identity is one identity in one tenant, as armclient gives it.
type Identity interface {
	Link(ctx context.Context) armclient.LinkRead
	Apply(ctx context.Context, permit guard.Permit, change armclient.Change) armclient.Outcome
}

// Tenants is where the entries of tenants are looked up and kept. Its errors
// are problems.
type Tenants interface {
	// Resolve finds an entry, here by its name and for any caller.
	Resolve(ref string, sees func(name string) bool) (schemas.Tenant, error)
	// ExpectPartnerID makes a partner ID the expected one of an entry. One that is
	// expected already is no change.
	ExpectPartnerID(name string, partnerID partnerid.ID) error
}

const (
	// WriteConcurrency is how many tenants are written to at the same time. In
	// one tenant there is one write at a time.
	WriteConcurrency = 16
	// applyTime bounds one write with its confirming read. A PUT was seen to take
	// about 15 seconds.
	applyTime = 28 * time.Second
	// lookTime bounds one read of a link.
	lookTime = 15 * time.Second
	// Settled is how old a write without an outcome must be before it counts as
	// ended: no process waits for one longer.
	Settled = 2 * applyTime
)

// WriterOptions are what a Writer is made of. Guard, Tenants and Open are required.
type WriterOptions struct {
	Guard   *guard.Guard
	Tenants Tenants
	// Open gives the identity of a credential in a tenant.
	Open func(ctx context.Context, tenant schemas.Tenant, credential string) (Identity, error)
	// Settled replaces the time after which a write has ended; zero is Settled.
	Settled time.Duration
	// Pause is the first pause before a tenant is looked at again; a second if zero.
	Pause time.Duration
	Now   func() time.Time
	// Logger may be nil.
	Logger *slog.Logger
}

// Writer makes plans for many tenants, and carries out the runs of those that
// were approved. It is safe for concurrent use.
type Writer struct {
	opts WriterOptions
	// closing ends the waits, and keeps tenants from beginning.
	closing context.Context
	close   context.CancelFunc

	mu     sync.Mutex
	active map[string]*Execution
	ended  sync.WaitGroup
}

// NewWriter makes a Writer.
func NewWriter(o WriterOptions) *Writer {
	o.Settled, o.Pause = cmp.Or(o.Settled, Settled), cmp.Or(o.Pause, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	w := &Writer{opts: o, active: map[string]*Execution{}}
	w.closing, w.close = context.WithCancel(context.Background())
	return w
}

// Close keeps further tenants from beginning and waits until those that have
// begun are in a state from which another process can continue.
func (w *Writer) Close() {
	w.close()
	w.ended.Wait()
}

// Mode says which tenants of a run are worked on.
type Mode int

const (
	// Complete works on those that have begun alone: it completes or compensates.
	Complete Mode = iota
	// Continue also begins those that have not begun, and tries stranded ones again.
	Continue
)

// Execution is a run that is being carried out in this process.
type Execution struct {
	guard.OpenRun
	mode Mode
	done chan struct{}
	// report is called for each tenant that is finished; may be nil.
	report func(done, total int)

	mu    sync.Mutex
	notes map[int]problems.Code
	moved int
	total int
	err   error
}

// Done is closed when nothing more happens in this process.
func (a *Execution) Done() <-chan struct{} { return a.done }

// Notes says of rows that were left as they stand why; by row.
func (a *Execution) Notes() map[int]problems.Code {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.notes)
}

// Err is what kept the run from being carried out, if anything did.
func (a *Execution) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

func (a *Execution) note(row int, code problems.Code) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notes[row] = code
}

// opened is the run with the caller that continues it now.
func (a *Execution) opened() guard.OpenRun {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.OpenRun
}

func (a *Execution) rested() {
	a.mu.Lock()
	a.moved++
	done, total, report := a.moved, a.total, a.report
	a.mu.Unlock()
	if report != nil {
		report(done, total)
	}
}

// Start carries a run out, apart from the caller: it goes on when ctx ends. A
// run that this process works on already is joined, unless it only completes
// what has begun and more is wanted: then that comes after it. First bounds how
// many tenants begin; 0 is no bound.
func (w *Writer) Start(ctx context.Context, run guard.OpenRun, mode Mode, first int, report func(done, total int)) *Execution {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, working := w.active[run.ID]
	if working && before.mode >= mode {
		if mode == Continue {
			// Its token may end later than that of the call before.
			before.mu.Lock()
			before.By = run.By
			before.mu.Unlock()
		}
		return before
	}
	a := &Execution{OpenRun: run, mode: mode, done: make(chan struct{}), report: report, notes: map[int]problems.Code{}}
	w.active[run.ID] = a
	w.ended.Go(func() {
		defer close(a.done)
		defer w.forget(a)
		if working {
			<-before.done
		}
		if err := w.execute(context.WithoutCancel(ctx), a, first); err != nil {
			a.mu.Lock()
			a.err = err
			a.mu.Unlock()
			w.opts.Logger.WarnContext(ctx, "a run could not be executed", "run", run.ID, "problem", problems.As(err).Code)
		}
	})
	return a
}

func (w *Writer) forget(a *Execution) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.active[a.ID] == a {
		delete(w.active, a.ID)
	}
}

// Working returns the run if this process works on it.
func (w *Writer) Working(id string) (*Execution, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.active[id]
	return a, ok
}

// CompleteAll goes through the runs that have not ended and completes or
// compensates the tenants that have begun. No other tenant begins. A run in which
// something happened less than quiet ago is left to the process that works on it. It
// returns how many runs had such tenants.
func (w *Writer) CompleteAll(ctx context.Context, quiet time.Duration) (int, error) {
	opened, err := w.opts.Guard.OpenRuns(ctx)
	if err != nil {
		return 0, err
	}
	touched := 0
	for _, run := range opened {
		opened, progress, err := w.opts.Guard.LoadRun(ctx, run.ID, "")
		if err != nil {
			w.opts.Logger.WarnContext(ctx, "a run cannot be read", "run", run.ID, "problem", problems.As(err).Code)
			continue
		}
		if !anyBegun(progress) && !w.over(opened, progress) || w.busy(run.ID, progress, quiet) {
			continue
		}
		touched++
		select {
		case <-w.Start(ctx, opened, Complete, 0, nil).Done():
		case <-ctx.Done():
			return touched, nil
		}
	}
	return touched, nil
}

// busy reports whether this process works on a run, or another one seems to.
func (w *Writer) busy(id string, progress map[int]guard.Progress, quiet time.Duration) bool {
	if _, working := w.Working(id); working && quiet > 0 {
		return true
	}
	return slices.ContainsFunc(slices.Collect(maps.Values(progress)), func(p guard.Progress) bool { return w.opts.Now().Sub(p.At) < quiet })
}

func anyBegun(progress map[int]guard.Progress) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(progress)), func(p guard.Progress) bool { return p.Stage.Begun() })
}

// over reports whether no tenant of a run can begin or continue any more.
func (w *Writer) over(run guard.OpenRun, progress map[int]guard.Progress) bool {
	if anyBegun(progress) {
		return false
	}
	if run.Ended(w.opts.Now()) {
		return true
	}
	for i, row := range run.Plan.Rows {
		if stage := progress[i].Stage; len(row.Steps) > 0 && (!stage.Final() || stage == runs.StageStranded) {
			return false
		}
	}
	return true
}
