package app

import (
	"context"
	"iter"
	"slices"
	"time"

	"mcp-partner/access"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

func (a *App) All() ([]tenants.Entry, []tenants.CredentialConfig, error) {
	entries, err := a.Directory.List()
	if err != nil {
		return nil, nil, err
	}
	credentials, err := a.Directory.Credentials()
	return entries, credentials, err
}

// MissingLedger tells a ledger that was removed from one that is there or was
// never made: the vault remembers how far it had come.
func (a *App) MissingLedger(ctx context.Context) error {
	if a.Ledger.Begun() || !a.KeepsRecord() {
		return nil
	}
	remembered, err := a.Keyring.Counter(ctx)
	if err != nil || remembered == 0 {
		return err
	}
	return exit.Failed("restore ledger.db from a backup, with nothing else; the next write records what is missing",
		"the ledger %s was removed: the vault remembers %d as the number of its last entry", a.Ledger.Path(), remembered)
}

// Copied is a copy of the directory in memory.
func (a *App) Copied(more ...tenants.CredentialConfig) (*tenants.Directory, error) {
	entries, credentials, err := a.All()
	if err != nil {
		return nil, err
	}
	return tenants.NewMemoryDirectory(entries, append(credentials, more...))
}

// Open opens the vault now, for a command that wants its error at the start.
func (a *App) Open(ctx context.Context) error {
	if a.Vault == nil {
		return nil
	}
	return a.Vault.Open(ctx)
}

// Holds reports whether the vault has a secret of that name.
func (a *App) Holds(ctx context.Context, name string) (bool, error) {
	_, err := a.Store.Get(ctx, name)
	if err != nil && problems.As(err).Code == problems.CodeVaultMissing {
		return false, nil
	}
	return err == nil, err
}

// UsesOf lists the credentials that a secret stands behind.
func (a *App) UsesOf(secret string) ([]tenants.CredentialConfig, error) {
	configs, err := a.Directory.Credentials()
	return xslices.Filter(configs, func(config tenants.CredentialConfig) bool {
		return config.SecretName != "" && naming.Same(config.SecretName, secret)
	}), err
}

// WithEnd is a credential with the end that its backend tells, if it tells one:
// that comes before what somebody said once. A certificate says its end itself.
func WithEnd(config tenants.CredentialConfig, backend time.Time) tenants.CredentialConfig {
	if config.Kind == tenants.KindClientSecret && !backend.IsZero() {
		config.Expires = backend.UTC().Format(time.RFC3339)
	}
	return config
}

// TenantFor is the entry in which a credential signs in: the requested one,
// else the first that uses the credential. ok is false if there is none.
func (a *App) TenantFor(credential, asked string) (entry tenants.Entry, ok bool, err error) {
	if asked != "" {
		entry, err = a.Directory.Resolve(asked)
		return entry, true, err
	}
	entries, err := a.Directory.List()
	if err != nil {
		return entry, false, err
	}
	if users := tenants.Using(entries, credential); len(users) > 0 {
		return users[0], true, nil
	}
	return entry, false, nil
}

// Directory shows the vault's directory as the tools want it.
type Directory struct {
	*tenants.Directory
	Health *tenants.HealthFile
	// Own are the partner's own IDs. If it is one, a tenant that expects no ID expects
	// this one.
	Own []string
}

// Resolve implements tools.Directory.
func (d Directory) Resolve(ref string, sees func(name string) bool) (schemas.Tenant, error) {
	entry, err := d.Directory.ResolveAmong(ref, sees)
	if err != nil {
		return schemas.Tenant{}, err
	}
	tenant := d.tenant(entry)
	tenant.NearEnds = d.nearEnds(entry.Credentials)
	return tenant, nil
}

func (d Directory) tenant(entry tenants.Entry) schemas.Tenant {
	tenant := entry.Tenant()
	tenant.SameIdentity = d.sameIdentities(entry.Credentials)
	if tenant.ExpectedPartnerID == "" && len(d.Own) == 1 {
		tenant.ExpectedPartnerID = partnerid.ID(d.Own[0])
	}
	return tenant
}

// nearEnds says of the credentials that have ended or will soon when that is.
func (d Directory) nearEnds(refs []tenants.CredentialRef) (ends map[string]string) {
	for _, ref := range refs {
		config, err := d.Credential(ref.Name)
		if state, _ := config.Expiry(time.Now()); err != nil || state != tenants.ExpirySoon && state != tenants.ExpiryPast {
			continue
		}
		if ends == nil {
			ends = map[string]string{}
		}
		ends[ref.Name] = config.Expires
	}
	return ends
}

// All implements tools.Directory. How many tenants use a credential is counted by
// the tool, among those that a caller sees.
func (d Directory) All() iter.Seq2[schemas.Tenant, error] { return d.described(false) }

// Counted is All with the number of tenants that use each credential.
func (d Directory) Counted() iter.Seq2[schemas.Tenant, error] { return d.described(true) }

func (d Directory) described(counted bool) iter.Seq2[schemas.Tenant, error] {
	return func(yield func(schemas.Tenant, error) bool) {
		status, err := d.Status(d.Health)
		if err != nil {
			yield(schemas.Tenant{}, err)
			return
		}
		views := make(map[string]answers.CredentialView, len(status))
		for _, view := range status {
			if !counted {
				view.Tenants = 0
			}
			views[naming.Fold(view.Name)] = view
		}
		for entry, err := range d.Each() {
			tenant := d.tenant(entry)
			for _, name := range tenant.Credentials {
				if view, ok := views[naming.Fold(name)]; ok {
					tenant.CredentialStatus = append(tenant.CredentialStatus, view)
				}
			}
			if !yield(tenant, err) {
				return
			}
		}
	}
}

// sameIdentities finds the credentials of a tenant that are the same identity as
// one before them.
func (d Directory) sameIdentities(refs []tenants.CredentialRef) map[string]string {
	if len(refs) < 2 {
		return nil
	}
	same, seen := map[string]string{}, []tenants.CredentialConfig{}
	for _, ref := range refs {
		config, err := d.Credential(ref.Name)
		if err != nil {
			continue
		}
		config.Name = ref.Name
		if n := slices.IndexFunc(seen, config.SameIdentity); n >= 0 {
			same[ref.Name] = seen[n].Name
			continue
		}
		seen = append(seen, config)
	}
	return same
}

// PinObjectID implements tools.Directory. It waits for the lock no longer than
// the vault itself allows.
func (d Directory) PinObjectID(tenant, credential, objectID string) error {
	return d.Directory.PinObjectID(context.Background(), tenant, credential, objectID)
}

// ExpectPartnerID implements tools.Directory.
func (d Directory) ExpectPartnerID(tenant string, partnerID partnerid.ID) error {
	return d.Directory.Edit(context.Background(), tenant, func(e *tenants.Entry) error {
		e.ExpectedPartnerID = string(partnerID)
		return nil
	})
}

// WarnOfNames says which names in bounds, rules and grants fit no tenant. A
// directory that cannot be read is reported by whatever needs it.
func (a *App) WarnOfNames(policy *access.Policy, warn func(string)) {
	var tenants []schemas.Tenant
	for tenant, err := range (Directory{Directory: a.Directory, Health: a.Health}).All() {
		if err != nil {
			return
		}
		tenants = append(tenants, tenant)
	}
	warnings := policy.Warnings(tenants)
	for _, grant := range a.settings.Config.Callers.Grants {
		warnings = append(warnings, access.UnmatchedNames("The grant "+untrusted.Sanitize(grant.Name)+" of callers", grant.Tenants, tenants)...)
	}
	for _, warning := range warnings {
		warn(warning)
	}
}
