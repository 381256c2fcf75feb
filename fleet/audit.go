package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"mcp-partner/access"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// Access is what a caller may see and read. Each start or resumption of a run
// provides it anew; it is never stored.
type Access struct {
	Visible Visible
	// Admit refuses to read a tenant: the policy denies it, or a freeze is in force. Its
	// errors are problems, and become the tenant's result.
	Admit func(context.Context, schemas.Tenant) error
	// AdmitRoles refuses to read roles in a tenant, or in all of them for the zero
	// Tenant. Only runs that read roles call it.
	AdmitRoles func(context.Context, schemas.Tenant) error
	// Usable leaves credentials out, those that need a person where there is none. Nil
	// takes all.
	Usable func(credential string) bool
}

// first is the credential that a target begins with: its own, or another one of the
// same identity. ok is false where none may be used.
func (a Access) first(t Target) (credential string, ok bool) {
	for _, name := range append([]string{t.Credential}, t.spares()...) {
		if a.usable(name) {
			return name, true
		}
	}
	return "", false
}

func (a Access) usable(credential string) bool { return a.Usable == nil || a.Usable(credential) }

// Audit asks what is linked in every target.
type Audit struct {
	Selection
	// ExpectedIDs are the partner IDs that are right everywhere. Without them the
	// entry of each tenant says what is, and where it does not, OwnIDs.
	ExpectedIDs []string `json:"expected_ids,omitempty"`
	// Roles reads also which subscriptions the identity has an eligible role in.
	Roles bool `json:"roles,omitempty"`
	// OwnIDs are the partner's own IDs: what tells a link to one of them that is
	// not the expected one from a link to another partner.
	OwnIDs []string `json:"own_ids,omitempty"`
	// TenantCount is how many tenants the rows are of.
	TenantCount int `json:"tenant_count,omitempty"`
	// LeftOut is how many identities were left out, because each of their credentials
	// needs a person.
	LeftOut int `json:"left_out,omitempty"`
	// SoleExpected is the ID that is expected in every tenant of the run, if it is
	// one and the same.
	SoleExpected string `json:"sole_expected,omitempty"`
	// StaleAfterDays marks links that were last written longer ago; 0 marks none.
	StaleAfterDays int `json:"stale_after_days,omitempty"`
}

// Start begins an audit with an ID that no run has yet, which the store checks, or
// joins the caller's own that asks the same and is under way. Problems: those of
// Select and of the store, CodeRunInProgress.
func (f *Fleet) Start(ctx context.Context, id string, caller access.Caller, label string, audit Audit, access Access) (*Active, error) {
	if caller == Operator {
		return nil, problems.New(problems.CodeInternal, "The run has no caller.")
	}
	tasks, err := audit.choose(f.opts.Directory, access)
	if err != nil {
		return nil, err
	}
	if err := audit.mayReadRoles(ctx, access); err != nil {
		return nil, err
	}
	request, err := json.Marshal(audit)
	if err != nil {
		return nil, err
	}
	if n, err := f.Prune(ctx); err != nil {
		return nil, err
	} else if n > 0 {
		f.opts.Logger.InfoContext(ctx, "old runs were removed", "count", n)
	}
	f.starting.Lock()
	defer f.starting.Unlock()
	run := Run{
		ID: id, Kind: RunKindAudit, Caller: caller, Label: label, CreatedAt: f.opts.Now(), State: RunRunning,
		Owner: f.owner, Rows: len(tasks), Request: request,
	}
	stored, err := f.opts.Store.CreateRun(ctx, run, leaseTime, pendingRows(tasks))
	if err != nil {
		return nil, err
	}
	if stored.ID != run.ID {
		return f.join(ctx, stored, run, tasks)
	}
	return f.launch(run, audit, tasks, access)
}

// mayReadRoles checks again whether the caller may read the roles that the
// audit reads.
func (a Audit) mayReadRoles(ctx context.Context, access Access) error {
	if !a.Roles {
		return nil
	}
	return access.AdmitRoles(ctx, schemas.Tenant{})
}

// choose selects one target for each identity of a tenant, with its first
// credential, and notes what is expected of them.
func (a *Audit) choose(directory Directory, access Access) (tasks []task, err error) {
	expected := map[string]bool{}
	a.TenantCount, a.LeftOut = 0, 0
	err = a.Each(access.Visible.of(directory), func(t schemas.Tenant) {
		before := len(tasks)
		for _, target := range OnePerIdentity(targetsOf(t)) {
			if credential, ok := access.first(target); ok {
				tasks = append(tasks, task{n: len(tasks), place: Target{t, credential}.place()})
			} else {
				a.LeftOut++
			}
		}
		if len(tasks) > before {
			a.TenantCount++
			expected[a.expectation(t).sole()] = true
		}
	})
	if len(expected) == 1 {
		for id := range expected {
			a.SoleExpected = id
		}
	}
	return tasks, err
}

// join follows a running audit if it makes the same request for the same
// tenants: the same arguments cover more tenants for a caller with a larger
// grant or after one was added, and the tokens of one caller may have different
// grants.
func (f *Fleet) join(ctx context.Context, running, wanted Run, tasks []task) (*Active, error) {
	renamed := wanted.Label != "" && wanted.Label != running.Label
	if !bytes.Equal(running.Request, wanted.Request) || running.Rows != wanted.Rows || renamed && running.Label != "" {
		return nil, inProgress(running)
	}
	meant := make(map[string]bool, len(tasks))
	for _, t := range tasks {
		meant[t.tenant] = true
	}
	err := f.Within(ctx, running.ID, func(tenant string) bool { return meant[tenant] })
	if err == nil && renamed {
		_, err = f.opts.Store.LabelRun(ctx, running.ID, wanted.Label)
	}
	switch {
	case err == nil:
		return f.follow(running), nil
	case problems.As(err).Code == problems.CodeUnknownRun:
		return nil, inProgress(running)
	default:
		return nil, err
	}
}

func inProgress(run Run) error {
	return problems.New(problems.CodeRunInProgress, fmt.Sprintf("The run %s of this caller, with %s, is under way.", run.ID, phrase.Count(run.Rows, "row")),
		problems.WithHint("Call again with run_id %s to see it, or wait until it has finished.", run.ID))
}

// follow returns a run that is under way, here or in another process.
func (f *Fleet) follow(run Run) *Active {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a, ok := f.active[run.ID]; ok {
		return a
	}
	return &Active{id: run.ID, total: run.Rows, f: f}
}

// Resume resumes a run of a caller: only targets without a result are read. A
// run in progress is followed; for a finished one the returned Active is nil.
func (f *Fleet) Resume(ctx context.Context, caller access.Caller, id string, access Access) (*Active, error) {
	f.starting.Lock()
	defer f.starting.Unlock()
	run, err := f.Run(ctx, caller, id)
	switch {
	case err != nil:
		return nil, err
	case run.Kind != RunKindAudit:
		return nil, UnknownRun()
	case run.State == RunRunning:
		return f.follow(run), nil
	case run.State == RunFinished:
		return nil, nil
	}
	var audit Audit
	if err := json.Unmarshal(run.Request, &audit); err != nil {
		return nil, problems.New(problems.CodeVaultCorrupt, "What run "+id+" was asked to do cannot be read.")
	}
	if err := audit.mayReadRoles(ctx, access); err != nil {
		return nil, err
	}
	tasks, err := f.remaining(ctx, run)
	if err != nil {
		return nil, err
	}
	claimed, err := f.opts.Store.ClaimRun(ctx, id, f.owner, leaseTime)
	if err != nil {
		return nil, err
	}
	if !claimed {
		return nil, inProgress(run)
	}
	return f.launch(run, audit, tasks, access)
}

// remaining finds the targets without a result.
func (f *Fleet) remaining(ctx context.Context, run Run) (tasks []task, err error) {
	for row, err := range f.opts.Store.Rows(ctx, run.ID, RowQuery{Pending: true}) {
		if err != nil {
			return nil, err
		}
		tenant, _ := f.opts.Directory.Resolve(row.TenantID, nil) // one that has gone is found to have when it is asked
		tasks = append(tasks, task{n: row.N, place: place{row.Tenant, row.TenantID, row.Credential, tenant.Authority}})
	}
	return tasks, nil
}

// launch begins to work on a run that is in the store and is ours.
func (f *Fleet) launch(run Run, audit Audit, tasks []task, access Access) (*Active, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, problems.New(problems.CodeCancelled, "The program is ending; the run can be resumed later.")
	}
	ctx, cancel := context.WithCancelCause(f.base)
	a := &Active{id: run.ID, total: run.Rows, f: f, done: make(chan struct{}), cancel: cancel}
	a.answered.Store(int64(run.Rows - len(tasks)))
	f.active[run.ID] = a
	w := &auditing{f: f, active: a, audit: audit, access: access}
	if audit.StaleAfterDays > 0 {
		w.staleBefore = f.opts.Now().AddDate(0, 0, -audit.StaleAfterDays)
	}
	if audit.Roles {
		w.slots = make(chan struct{}, f.opts.Limits.Concurrency)
	}
	w.results = &resultWriter{f: f, active: a, entries: make(chan entry, flushSize)}
	f.running.Go(func() {
		defer cancel(nil)
		w.run(ctx, tasks)
		f.mu.Lock()
		delete(f.active, run.ID)
		f.mu.Unlock()
		close(a.done)
	})
	return a, nil
}
