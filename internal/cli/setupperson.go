package cli

import (
	"context"

	"mcp-partner/tenants"
)

// askPerson makes the credential a person who signs in with a code. Without a
// client ID it is Microsoft's own application for signing in on devices.
func (s *firstRun) askPerson(ctx context.Context) error {
	if err := s.askInto(ctx, "tenant-id", tenantQuestion, ""); err != nil {
		return err
	}
	return s.set("kind", string(tenants.KindDeviceCode))
}

// signIn signs a person in where the tenant's credential is one: a server never
// asks anybody.
func (s *firstRun) signIn(ctx context.Context) error {
	h, err := s.f.openHouse(s.o.tenant.keys, nil)
	if err != nil {
		return err
	}
	entry, err := h.directory.Get(s.o.tenant.name)
	if err != nil {
		h.Close()
		return err
	}
	config, err := h.directory.Credential(entry.Credentials[0].Name)
	h.Close()
	if err != nil || !config.Kind.Person() {
		return err
	}
	return runVaultLogin(ctx, s.f, &vaultLoginOptions{credential: config.Name, tenant: entry.Name, keys: s.o.tenant.keys})
}
