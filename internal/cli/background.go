package cli

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mcp-partner/guard"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/tools"
)

// settleRecord does what a start owes the record: it closes what a crash left open,
// and says which policy is in force from now on. It is never in the way of a
// call: what fails is logged, and the next start tries again.
func (s *Settings) settleRecord(ctx context.Context, h *house, decider *guard.Guard, service *tools.Service) {
	if !h.keepsRecord() {
		return
	}
	if closed, err := service.Reconcile(ctx); err != nil {
		s.Log.WarnContext(ctx, "writes without an outcome could not be looked into", "problem", schemas.AsProblem(err).Code)
	} else if closed > 0 {
		s.Log.InfoContext(ctx, "writes without an outcome were closed", "count", closed)
	}
	if err := h.recordPolicy(ctx, decider); err != nil {
		s.Log.WarnContext(ctx, "the policy could not be recorded", "problem", schemas.AsProblem(err).Code)
	}
}

// keepsRecord reports whether there can be a record: its key is in the vault,
// so without a vault there is none, and nobody is asked for anything.
func (h *house) keepsRecord() bool {
	if h.ledger == nil {
		return false
	}
	_, err := os.Stat(filepath.Join(h.settings.StateDir, "vault.age"))
	return err == nil
}

// settleInBackground is settleRecord beside a server that starts. The returned
// function ends it and waits for its end.
func (s *Settings) settleInBackground(ctx context.Context, h *house, decider *guard.Guard, service *tools.Service) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		s.settleRecord(ctx, h, decider, service)
		// What a crash just before this start left is too young the first time.
		select {
		case <-time.After(tools.Settled + time.Second):
			s.settleRecord(ctx, h, decider, service)
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// recordPolicy records the policy if it is another one than at the last start.
func (h *house) recordPolicy(ctx context.Context, decider *guard.Guard) error {
	now := "The policy in force has the digest " + decider.Policy().Digest() + "."
	last, err := h.ledger.List(ctx, ledger.Filter{Kind: guard.KindPolicy, NewestFirst: true, Limit: 1})
	if err != nil || len(last) == 1 && last[0].Detail == now {
		return err
	}
	return decider.Changed(ctx, guard.KindPolicy, now)
}
