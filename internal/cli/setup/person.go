package setup

import (
	"context"

	vaultcmd "mcp-partner/internal/cli/vault"
)

// signIn signs a person in where the tenant's credential is one: a server never
// asks anybody.
func (s *firstRun) signIn(ctx context.Context) error {
	a, err := s.f.Open(s.o.tenant.Keys, nil)
	if err != nil {
		return err
	}
	entry, err := a.Directory.Get(s.o.tenant.Name)
	if err != nil {
		a.Close()
		return err
	}
	config, err := a.Directory.Credential(entry.Credentials[0].Name)
	a.Close()
	if err != nil || !config.Kind.Interactive() {
		return err
	}
	return vaultcmd.RunLogin(ctx, s.f, &vaultcmd.LoginOptions{Credential: config.Name, Tenant: entry.Name, Keys: s.o.tenant.Keys})
}
