package cli

import (
	"context"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// openFleet makes what runs over many tenants, once for a house. Without a vault
// there is no ledger: then runs live as long as the process.
func (h *house) openFleet() *fleet.Fleet {
	if h.fleet != nil {
		return h.fleet
	}
	var store fleet.Store = fleet.NewMemoryStore(time.Now)
	if h.keepsRecord() {
		store = h.ledger
	}
	h.fleet = fleet.New(fleet.Options{
		Directory: directory{h.directory, h.health}, Clients: passing{h.clients}, Store: store, Pin: h.pin,
		Limits: h.settings.Limits, Keep: h.settings.Config.KeepRuns(), Logger: h.settings.Log,
	})
	return h.fleet
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
func (h *house) pin(ctx context.Context, pins []fleet.Pin) error {
	all := make([]tenants.Pin, len(pins))
	for i, p := range pins {
		all[i] = tenants.Pin(p)
	}
	return h.directory.PinObjectIDs(ctx, all...)
}
