package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/database"
	"mcp-partner/jobs"
	"mcp-partner/jobs/schedules"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
	"mcp-partner/tenants"
	"mcp-partner/tools"
)

// runJobs does until the context ends what happens by itself. The queue runs only
// where there is something for it: a schedule may be added at any time.
func (a *App) runJobs(ctx context.Context, decider *guard.Guard, service *tools.Service) {
	work := a.work(decider, service)
	for pause := fleet.Settled + time.Second; ; pause = time.Minute {
		if a.hasJobs(ctx) {
			stop, err := a.startQueue(ctx, work)
			if err == nil {
				<-ctx.Done()
				stop()
				return
			}
			a.settings.Log.WarnContext(ctx, "the queue of jobs cannot be opened; there is another attempt in a minute", "reason", err.Error())
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		if !a.KeepsRecord() {
			continue
		}
		if err := work.Upkeep(ctx); err != nil && ctx.Err() == nil {
			a.settings.Log.WarnContext(ctx, "upkeep failed and will be done later", "problem", problems.As(err).Code)
		}
	}
}

// hasJobs reports whether something is to be done by itself: deliveries, upkeep for
// other replicas, schedules.
func (a *App) hasJobs(ctx context.Context) bool {
	if !a.KeepsRecord() {
		return false
	}
	if a.hook != nil || a.settings.Config.Heads != nil || a.Ledger.OnServer() {
		return true
	}
	all, err := a.Ledger.Schedules(ctx)
	return err == nil && len(all) > 0
}

// startQueue opens the queue where the ledger is, or in a file beside it.
func (a *App) startQueue(ctx context.Context, work *jobs.Work) (stop func(), err error) {
	shared, err := a.settings.database()
	if err != nil {
		return nil, err
	}
	if shared == nil {
		file := database.File{Dir: a.settings.Disk(), Base: "jobs"}
		db, ready, err := file.Queue(ctx)
		if err == nil {
			stop, err = jobs.OnFile(ctx, db, work)
			ready()
		}
		if err != nil {
			return nil, database.InFile(file, nil).Trouble(err)
		}
		return stop, nil
	}
	pool, ready, err := shared.server.Queue(ctx)
	if err == nil {
		stop, err = jobs.OnServer(ctx, pool, work)
		ready()
	}
	if err != nil {
		return nil, database.OnServer(shared.server, nil).Trouble(err)
	}
	return stop, nil
}

// CheckQueue reports why the queue of jobs on a server could not be opened. It makes
// nothing.
func (a *App) CheckQueue(ctx context.Context) error {
	shared, err := a.settings.database()
	if err != nil || shared == nil {
		return err
	}
	if err := shared.server.CheckQueue(ctx); err != nil {
		t := database.OnServer(shared.server, nil).Trouble(err)
		return problems.New(problems.CodeVaultUnavailable, "The queue of jobs "+shared.server.Name()+" "+t.What+". "+t.Next)
	}
	return nil
}

// work is what there is to do.
func (a *App) work(decider *guard.Guard, service *tools.Service) *jobs.Work {
	w := &jobs.Work{
		Schedules: a.Ledger, Audits: a.ScheduledAudits(service), Entry: decider.Change, Now: time.Now, Log: a.settings.Log,
		Upkeep: func(ctx context.Context) error {
			_, err := service.Upkeep(ctx)
			_, failure := fleet.Thin(ctx, a.Ledger, time.Now().Add(-fleet.WholeFor)) // one a minute is enough
			return errors.Join(err, failure, a.PushHeads(ctx))
		},
	}
	if a.hook != nil {
		w.Deliver = a.hook.drain
	}
	return w
}

// ThinAudits thins every audit from before a time, and returns how many that were.
func (a *App) ThinAudits(ctx context.Context, before time.Time) (count int, err error) {
	for ; ; count++ {
		if ok, err := fleet.Thin(ctx, a.Ledger, before); err != nil || !ok {
			return count, err
		}
	}
}

// Unattended reports whether a credential signs in without a person.
func (a *App) Unattended(credential string) bool {
	config, err := a.Directory.Credential(credential)
	return err == nil && !config.Kind.Interactive() && config.Kind != tenants.KindAzureCLI
}

// ScheduledAudits runs the audits of schedules, as callers of their own.
type ScheduledAudits struct {
	app     *App
	service *tools.Service
	callers func() auth.Mapping
}

var _ jobs.Audits = (*ScheduledAudits)(nil)

// ScheduledAudits is what runs the audits of schedules in this house.
func (a *App) ScheduledAudits(service *tools.Service) *ScheduledAudits {
	return &ScheduledAudits{a, service, a.settings.callersNow()}
}

// Principal is a schedule as a caller: it reads, and no more than its creator may now.
func (s *ScheduledAudits) Principal(of schedules.Schedule) (access.Principal, error) {
	grant, err := s.grant(of)
	if err != nil {
		return access.Principal{}, err
	}
	return access.Principal{Caller: of.Caller(), Grant: grant, Revalidate: func() (access.Grant, error) { return s.revalidate(of) }}, nil
}

func (s *ScheduledAudits) grant(of schedules.Schedule) (access.Grant, error) {
	if of.Creator == "" {
		return access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{access.AllTenants}}, nil
	}
	grant, ok := s.callers().Standing(of.Creator)
	if !ok {
		return access.Grant{}, jobs.Ended{Reason: "the section callers of the config file has no grant that names " + string(of.Creator) + " and allows reading"}
	}
	return grant, nil
}

// revalidate is asked before each tenant.
func (s *ScheduledAudits) revalidate(of schedules.Schedule) (access.Grant, error) {
	_, running, err := of.Running(context.Background(), s.app.Ledger)
	if err != nil {
		return access.Grant{}, err
	}
	if grant, err := s.grant(of); running && err == nil {
		return grant, nil
	}
	return access.Grant{}, problems.New(problems.CodeInsufficientScope, "The schedule "+of.Name+" was removed, or its creator's grant was.")
}

// Allowed implements jobs.Audits.
func (s *ScheduledAudits) Allowed(_ context.Context, of schedules.Schedule) error {
	p, err := s.Principal(of)
	if err != nil {
		return err
	}
	op, _ := schemas.Lookup(schemas.ToolAuditPartnerLinks)
	if err := p.Grant.Check(op); err != nil {
		return jobs.Ended{Reason: string(of.Creator) + " may not audit any more"}
	}
	return nil
}

// Start implements jobs.Audits.
func (s *ScheduledAudits) Start(ctx context.Context, of schedules.Schedule, due time.Time) (string, error) {
	p, err := s.Principal(of)
	if err != nil {
		return "", err
	}
	id := of.RunID(due)
	run, err := s.app.Fleet.Run(ctx, fleet.Operator, id)
	if err == nil {
		return run.ID, nil
	}
	if problems.As(err).Code != problems.CodeUnknownRun {
		return "", err
	}
	active, err := s.service.StartAuditNamed(ctx, p, id, "", of.Audit)
	if err != nil {
		return "", err
	}
	return active.ID(), nil
}

// Run implements jobs.Audits.
func (s *ScheduledAudits) Run(ctx context.Context, of schedules.Schedule, id string) (fleet.Run, error) {
	run, err := s.app.Fleet.Run(ctx, fleet.Operator, id)
	if err != nil || run.State != fleet.RunInterrupted {
		return run, err
	}
	p, err := s.Principal(of)
	if err != nil {
		return run, err
	}
	_, err = s.service.ResumeAudit(ctx, p, id)
	return run, err
}

// Compare implements jobs.Audits.
func (s *ScheduledAudits) Compare(ctx context.Context, run fleet.Run) error {
	_, err := s.app.AlertChanges(ctx, run)
	return err
}

// SettleRecord does what a start owes the record: it closes what a crash left
// open, and says which policy is in force from now on. It never blocks a call:
// failures are logged, and the next start tries again.
func (s *Settings) SettleRecord(ctx context.Context, a *App, decider *guard.Guard, service *tools.Service) {
	if !a.KeepsRecord() {
		return
	}
	if closed, err := service.Reconcile(ctx); ctx.Err() != nil {
		return
	} else if err != nil {
		s.Log.WarnContext(ctx, "writes with an unknown outcome could not be checked", "problem", problems.As(err).Code)
	} else if closed > 0 {
		s.Log.InfoContext(ctx, "checked writes with an unknown outcome", "count", closed)
	}
	if err := a.recordPolicy(ctx, decider); err != nil {
		s.Log.WarnContext(ctx, "the policy could not be recorded", "problem", problems.As(err).Code)
	}
}

// KeepsRecord reports whether there can be a record. Its key is in the vault,
// so without a vault there is no record, and no write is confirmed.
func (a *App) KeepsRecord() bool {
	if a.Ledger == nil {
		return false
	}
	seen, err := a.Files.Stat("vault.age")
	return err != nil || !seen.Missing() // what cannot be asked may well be there
}

// SettleInBackground is SettleRecord beside a server that starts, and then what
// happens by itself: over HTTP by jobs, and over stdio, where the server may end at any
// time, deliveries alone. The returned function ends all and waits for its end.
func (s *Settings) SettleInBackground(ctx context.Context, a *App, decider *guard.Guard, service *tools.Service) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	if s.ServesHTTP {
		for _, check := range a.PolicyCheck(decider) {
			running.Go(func() { _ = check.Run(ctx) }) // a failure is tried again with the next answer about readiness
		}
	} else {
		running.Go(func() { a.hook.serve(ctx, a.KeepsRecord) })
	}
	running.Go(func() {
		s.SettleRecord(ctx, a, decider, service)
		if s.ServesHTTP {
			a.runJobs(ctx, decider, service)
			return
		}
		// What a crash just before this start left is too young the first time.
		select {
		case <-time.After(fleet.Settled + time.Second):
			s.SettleRecord(ctx, a, decider, service)
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// recordPolicy records the policy if it is another one than at the last start.
func (a *App) recordPolicy(ctx context.Context, decider *guard.Guard) error {
	now := "The current policy has the digest " + decider.Policy().Digest() + "."
	last, err := a.Ledger.List(ctx, ledger.Filter{Kind: guard.KindPolicy, NewestFirst: true, Limit: 1})
	if err != nil || len(last) == 1 && last[0].Detail == now {
		return err
	}
	return decider.Changed(ctx, guard.KindPolicy, now)
}

// policyFile has the digest of the policy that is in force at all servers: that of
// the server that started last.
const policyFile = "policy-in-force"

// policyInForce knows whether this server put its policy in force.
type policyInForce struct {
	mu   sync.Mutex
	took bool
}

// PolicyCheck puts the policy of this server in force, and later notices that another
// one took its place. It is for servers that share a database.
func (a *App) PolicyCheck(decider *guard.Guard) []server.Check {
	if a.Files.Shared == nil {
		return nil
	}
	digest := decider.Policy().Digest()
	return []server.Check{{Name: "policy", Run: func(ctx context.Context) error {
		a.policy.mu.Lock()
		defer a.policy.mu.Unlock()
		if !a.policy.took {
			return a.takeOver(ctx, digest)
		}
		now, _, err := a.Files.Read(policyFile)
		if err != nil || string(now) == digest {
			return err
		}
		a.settings.Log.WarnContext(ctx, "a server that started later has another policy: restart this one with the same config file", "own", digest, "in_force", string(now))
		return problems.New(problems.CodeStateMoved, "Another policy is in force.")
	}}}
}

func (a *App) takeOver(ctx context.Context, digest string) error {
	unlock, err := a.Files.Lock(ctx, policyFile+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	err = a.Files.Write(policyFile, []byte(digest))
	a.policy.took = err == nil
	return err
}
