package app

import (
	"context"
	"sync"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/ledger"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
	"mcp-partner/tools"
)

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
