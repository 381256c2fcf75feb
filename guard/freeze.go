package guard

import (
	"context"

	"mcp-partner/schemas"
)

// Frozen returns the freeze as it is now.
func (g *Guard) Frozen(ctx context.Context) (Freeze, error) {
	return stored(g.opts.Store.Freeze(ctx))
}

// SetFreeze freezes every server of the store: writes, and reads
// as well if told so, or if they are frozen already: only Unfreeze lets go. What
// has begun is completed. Frozen says what is stopped then.
func (g *Guard) SetFreeze(ctx context.Context, reads bool, reason string) error {
	reason = schemas.Sanitize(reason)
	if reason == "" {
		return schemas.NewProblem(schemas.CodeInvalidArgument, "A freeze needs a reason for agents and the ledger.")
	}
	freeze := Freeze{Writes: true, Reads: reads, Reason: reason, By: g.opts.Account, Since: g.opts.Now()}
	return storeProblem(g.opts.Store.SetFreeze(ctx, freeze, g.change(KindFreeze, g.opts.Account, reason)))
}

// Unfreeze lifts the freeze. It takes an approver's passphrase.
func (g *Guard) Unfreeze(ctx context.Context, by Credentials) error {
	if err := g.vouched(ctx, by, false); err != nil {
		return err
	}
	return storeProblem(g.opts.Store.SetFreeze(ctx, Freeze{}, g.change(KindUnfreeze, by.Name, "")))
}

// MayBegin refuses while writes are frozen, so that a run asks nobody about
// tenants that could not begin. Permit asks again.
func (g *Guard) MayBegin(ctx context.Context) error { return g.thawed(ctx, true) }
