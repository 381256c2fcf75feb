package tenants

import (
	"context"
	"slices"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// Resolve replaces a domain given as --tenant-id by the ID of its tenant.
func (o *Options) Resolve(ctx context.Context, deps *cmdutil.Deps) error {
	a, err := deps.Open(o.Keys, nil)
	if err != nil {
		return err
	}
	defer a.Close()
	return o.resolve(ctx, deps, a)
}

// resolve asks Entra ID of the cloud that the tenant will be in; no credential
// is sent. The domain becomes one of the tenant's.
func (o *Options) resolve(ctx context.Context, deps *cmdutil.Deps, a *app.App) error {
	domain := o.tenantID
	if schemas.IsGUID(domain) || tenants.CheckDomain(domain) != nil {
		return nil // what is neither is refused with the rest of the entry
	}
	cloud, err := o.cloudToAsk(a)
	if err != nil {
		return err
	}
	id, err := a.TenantOfDomain(ctx, cloud, domain)
	if err != nil {
		return err
	}
	deps.IO.Note("the domain " + domain + " belongs to the tenant " + id)
	o.tenantID = id
	if slices.Contains(o.domains, domain) {
		return nil
	}
	return o.Flags.Set("domain", domain)
}

// cloudToAsk is the cloud of the flags, else the one of the entry or the
// credential.
func (o *Options) cloudToAsk(a *app.App) (tenants.Cloud, error) {
	entry := tenants.Entry{Cloud: tenants.Cloud{Name: tenants.CloudPublic}}
	shared, err := a.Directory.Credential(o.credential.Name)
	if old, unknown := a.Directory.Get(o.Name); unknown == nil {
		entry.Cloud = old.Cloud
	} else if err == nil && !o.Given(cloudFlags()...) {
		return a.UsualCloud(shared)
	}
	err = o.applyCloud(&entry)
	return entry.Cloud, err
}
