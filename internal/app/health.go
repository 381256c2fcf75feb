package app

import (
	"context"
	"slices"

	"mcp-partner/internal/harden"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
	"mcp-partner/tenants"
)

// Health knows what the server cannot do without: secrets that can be read, and
// a record that can be written.
func (s *Settings) Health(a *App, more ...server.Check) *server.Health {
	return server.NewHealth(append([]server.Check{
		{Name: "vault", Run: func(ctx context.Context) error { return a.vaultReady(ctx) }},
		{Name: "ledger", Run: func(ctx context.Context) error { return a.ledgerReady(ctx) }},
	}, more...)...)
}

// vaultReady opens the vault. One that nothing needs may be missing.
func (a *App) vaultReady(ctx context.Context) error {
	err := a.Open(ctx)
	if err == nil || problems.As(err).Code != problems.CodeVaultMissing || a.KeepsRecord() {
		return err
	}
	credentials, listErr := a.Directory.Credentials()
	if listErr != nil || slices.ContainsFunc(credentials, func(c tenants.CredentialConfig) bool { return c.Kind != tenants.KindAzureCLI }) {
		return err
	}
	return nil
}

// ledgerReady reads what every call asks of the ledger.
func (a *App) ledgerReady(ctx context.Context) error {
	if !a.KeepsRecord() {
		return nil
	}
	_, err := a.Ledger.Freeze(ctx)
	return err
}

// KeepMemory keeps secrets in the memory of a server out of core dumps and away
// from other programs of the same user, as far as the system lets it.
func (s *Settings) KeepMemory() {
	if err := harden.NoDumps(); err != nil {
		s.Log.Warn("the memory of this process is not fully protected", "reason", err.Error())
	}
}

// credentialViews are the credentials as /metrics shows them.
func (a *App) credentialViews() []answers.CredentialView {
	list, _ := a.Directory.Status(a.Health) // none where the directory cannot be read
	return list
}
