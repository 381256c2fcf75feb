package app

import (
	"context"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// openFleet makes what runs over many tenants, once for a house. Without a vault
// there is no ledger: then runs live as long as the process.
func (a *App) openFleet(directory fleet.Directory) *fleet.Fleet {
	if a.Fleet != nil {
		return a.Fleet
	}
	var store fleet.Store = a.temporary
	if a.KeepsRecord() {
		store = a.Ledger
	}
	a.Fleet = fleet.New(fleet.Options{
		Directory: directory, Clients: passing{a.Clients}, Store: store, Pin: a.pin,
		Limits: a.settings.Limits, Keep: a.settings.Config.KeepRuns(), Logger: a.settings.Log,
		PECRoles: a.roles,
	})
	return a.Fleet
}

// passing hands out clients that are used once and not kept: a run over 10 000
// tenants would push those out of the pool that others use, and itself find
// none in it the next time. Tokens are kept elsewhere.
type passing struct{ *clients }

// Reader implements fleet.Clients.
func (p passing) Reader(_ context.Context, tenant schemas.Tenant, credential string) (fleet.Reader, error) {
	where, err := p.place(tenant.Name, credential)
	if err != nil {
		return nil, err
	}
	client, err := p.make(where)
	if err != nil {
		return nil, err
	}
	return client, nil
}

// pin remembers identities in one write of the directory.
func (a *App) pin(ctx context.Context, pins []fleet.Pin) error {
	all := make([]tenants.Pin, len(pins))
	for i, p := range pins {
		all[i] = tenants.Pin(p)
	}
	return a.Directory.PinObjectIDs(ctx, all...)
}
