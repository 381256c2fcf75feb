package cli

import (
	"context"
	"slices"

	"mcp-partner/schemas"
	"mcp-partner/server"
	"mcp-partner/tenants"
)

// health knows what the server cannot do without: secrets that can be read, and
// a record that can be written.
func (s *Settings) health(h *house, more ...server.Check) *server.Health {
	return server.NewHealth(nil, append([]server.Check{
		{Name: "vault", Run: func(ctx context.Context) error { return h.vaultReady(ctx) }},
		{Name: "ledger", Run: func(ctx context.Context) error { return h.ledgerReady(ctx) }},
	}, more...)...)
}

// vaultReady opens the vault. One that nothing needs may be missing.
func (h *house) vaultReady(ctx context.Context) error {
	err := h.open(ctx)
	if err == nil || schemas.AsProblem(err).Code != schemas.CodeVaultMissing || h.keepsRecord() {
		return err
	}
	credentials, listErr := h.directory.Credentials()
	if listErr != nil || slices.ContainsFunc(credentials, func(c tenants.CredentialConfig) bool { return c.Kind != tenants.KindAzureCLI }) {
		return err
	}
	return nil
}

// ledgerReady reads what every call asks of the ledger.
func (h *house) ledgerReady(ctx context.Context) error {
	if !h.keepsRecord() {
		return nil
	}
	_, err := h.ledger.Freeze(ctx)
	return err
}
