package tools

import (
	"cmp"
	"context"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// How an intent without an outcome was found.
const (
	foundApplied    = "applied"
	foundNotApplied = "not_applied"
	foundUnknown    = "unknown"
)

// Reconcile closes the intents that a crash or a power loss left without an
// outcome: it reads what is linked now and records whether the write had
// happened. It returns how many it closed. Call it at start; what cannot be
// read now, and what is younger than fleet.Settled, stays open for the next one. An
// intent of a run is the run's: tenants that have begun are completed or
// compensated, and no other begins.
func (s *Service) Reconcile(ctx context.Context) (int, error) { return s.reconcile(ctx, 0) }

// Upkeep is Reconcile beside other processes, which work on what has changed of late.
func (s *Service) Upkeep(ctx context.Context) (int, error) {
	return s.reconcile(ctx, cmp.Or(s.deps.Settled, fleet.Settled))
}

func (s *Service) reconcile(ctx context.Context, quiet time.Duration) (int, error) {
	events, err := s.deps.Guard.Unfinished(ctx)
	if err != nil {
		return 0, err
	}
	closed := 0
	for _, event := range events {
		if event.Intent.Run != "" || s.deps.Now().Sub(event.Time) < fleet.Settled {
			continue
		}
		outcome, ok, err := s.lookBack(ctx, event)
		if err != nil {
			return closed, err
		}
		if !ok {
			continue
		}
		if err := s.deps.Guard.Finished(ctx, event.Seq, event.Intent, outcome); err != nil {
			return closed, err
		}
		s.deps.Logger.WarnContext(ctx, "checked a write whose outcome was unknown",
			"tool", event.Intent.Tool, "tenant", event.Intent.Identity.Tenant, "found", outcome.Result)
		closed++
	}
	runs, err := s.writer.CompleteAll(ctx, quiet)
	return closed + runs, err
}

// lookBack reads the link that an intent was about. A tenant that is gone from
// the directory can never be read again: its intents close as unknown. So do
// those that another write followed, because what is linked now may be its
// doing.
func (s *Service) lookBack(ctx context.Context, event guard.Event) (guard.Outcome, bool, error) {
	intent := event.Intent
	followed, err := s.deps.Guard.Followed(ctx, event)
	if err != nil {
		return guard.Outcome{}, false, err
	}
	tenant, err := s.deps.Directory.Resolve(intent.Identity.TenantID, nil)
	if err != nil {
		return guard.Outcome{Result: foundUnknown}, problems.As(err).Code == problems.CodeUnknownTenant, nil
	}
	azure, err := s.deps.Clients.Client(ctx, tenant, intent.Identity.Credential)
	if err != nil {
		return guard.Outcome{}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	read := azure.Link(ctx)
	if read.Link.State == answers.LinkUnknown || read.Identity.ObjectID != intent.Identity.ObjectID {
		return guard.Outcome{}, false, nil
	}
	return guard.Outcome{Result: found(intent, read, followed), After: guard.SnapshotOf(read.Link), ARMRequestID: read.RequestID}, true, nil
}

// found judges by state and version, as the write itself would have been. From
// a state that cannot be told from the one before, nothing but "not applied"
// can follow, although somebody else may have undone the write since.
func found(intent guard.Intent, read armclient.LinkRead, followed bool) string {
	now := guard.SnapshotOf(read.Link)
	switch {
	case followed:
		return foundUnknown
	case now == intent.Before || now.State.Absent() && intent.Before.State.Absent():
		return foundNotApplied
	case intent.Tool == schemas.ToolRemovePartner && now.State.Absent(),
		now.State == answers.LinkLinked && now.PartnerID == intent.PartnerID && intent.Before.OneWriteBefore(now):
		return foundApplied
	default:
		return foundUnknown
	}
}
