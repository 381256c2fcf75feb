package tenants

import (
	"context"
	"slices"

	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/xslices"
	"mcp-partner/tenants"
)

// Options are the attributes of a tenant as flags of add and set.
type Options struct {
	Name                                 string
	Flags                                *pflag.FlagSet
	company                              string
	tenantID, objectID, expected         string
	domains, labels                      []string
	owner, externalID, note              string
	cloud, endpoint, audience, authority string
	caFile                               string
	skipDiscovery                        bool
	credential                           credential.Options
	consent                              app.Consent
}

// Add adds the flags of the attributes of a tenant.
func (o *Options) Add(deps *cmdutil.Deps, flags *pflag.FlagSet) {
	o.Flags = flags
	flags.StringVar(&o.company, "company", "", "`NAME` of the customer, for people")
	flags.StringVar(&o.tenantID, "tenant-id", "", "`GUID` or domain of the tenant; Entra ID is asked which tenant a domain belongs to")
	flags.StringVar(&o.expected, "expect-partner", "", "partner `ID` that should be linked there")
	flags.StringArrayVar(&o.domains, "domain", nil, "`DOMAIN` of the tenant; repeatable")
	flags.StringArrayVar(&o.labels, "label", nil, "`LABEL` for reports; repeatable")
	flags.StringVar(&o.owner, "owner", "", "`NAME` of the tenant's owner, for reports")
	flags.StringVar(&o.externalID, "external-id", "", "`ID` of the customer in another system, for reports")
	flags.StringVar(&o.note, "note", "", "`TEXT` of a note, for reports")
	flags.StringVar(&o.objectID, "object-id", "", "object ID (`GUID`) that the credential must have in this tenant")
	flags.StringVar(&o.cloud, "cloud", tenants.CloudPublic, "`CLOUD` of the tenant")
	config.Choices(flags, "cloud", "public", "usgovernment", "china", "custom")
	flags.StringVar(&o.endpoint, "arm-endpoint", "", "custom cloud: `URL` of Azure Resource Manager")
	flags.StringVar(&o.audience, "arm-audience", "", "custom cloud: audience `URL` of ARM tokens")
	flags.StringVar(&o.authority, "authority", "", "custom cloud: `URL` of Entra ID")
	cmdutil.AddAuthorities(flags, &o.caFile, "ca-file", "trust only the certificate authorities in this `FILE` (PEM); system trusts those of the system again")
	flags.BoolVar(&o.skipDiscovery, "skip-instance-discovery", false, "custom cloud: do not ask Microsoft whether it knows the authority")
	cmdutil.AddCredentialFlags(&o.credential, flags)
	cmdutil.AddConsentFlags(&o.consent, flags)
	deps.AddKeyFlags(flags)
	config.Typed(flags, cloudFlags()...)
}

// cloudFlags say where a stored credential is sent. They count only when they
// are typed.
func cloudFlags() []string {
	return []string{"cloud", "arm-endpoint", "arm-audience", "authority", "ca-file", "skip-instance-discovery"}
}

func attributeFlags() []string {
	return append(cmdutil.KindFlags(),
		"company", "tenant-id", "expect-partner", "domain", "label", "owner", "external-id", "note", "object-id",
		"credential", "client-id", "secret-stdin", "secret-file",
	)
}

// Given reports whether one of the flags has a value.
func (o *Options) Given(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return o.Flags.Changed(name) })
}

// apply writes into an entry what was given, and nothing else.
func (o *Options) apply(entry *tenants.Entry) error {
	for name, set := range map[string]func(){
		"company":        func() { entry.Company = o.company },
		"tenant-id":      func() { entry.TenantID = o.tenantID },
		"expect-partner": func() { entry.ExpectedPartnerID = o.expected },
		"domain":         func() { entry.Domains = nonEmpty(o.domains) },
		"label":          func() { entry.Labels = nonEmpty(o.labels) },
		"owner":          func() { entry.Owner = o.owner },
		"external-id":    func() { entry.ExternalID = o.externalID },
		"note":           func() { entry.Note = o.note },
		"object-id":      func() { entry.Credentials[0].PinnedObjectID = o.objectID },
	} {
		if o.Given(name) {
			set()
		}
	}
	return o.applyCloud(entry)
}

// applyCloud changes the cloud only if something was said about it.
func (o *Options) applyCloud(entry *tenants.Entry) error {
	if !o.Given(cloudFlags()...) {
		return nil
	}
	if o.Given("cloud") && o.cloud != entry.Cloud.Name {
		entry.Cloud = tenants.Cloud{Name: o.cloud}
	}
	for name, set := range map[string]func(){
		"arm-endpoint":            func() { entry.Cloud.ARMEndpoint = o.endpoint },
		"arm-audience":            func() { entry.Cloud.ARMAudience = o.audience },
		"authority":               func() { entry.Cloud.Authority = o.authority },
		"skip-instance-discovery": func() { entry.Cloud.SkipInstanceDiscovery = o.skipDiscovery },
	} {
		if o.Given(name) {
			set()
		}
	}
	switch {
	case !o.Given("ca-file"):
		return nil
	case o.caFile == "system": // an empty path, as of an unset variable, is refused
		entry.Cloud.CAPEM = ""
		return nil
	}
	pem, err := app.ReadCA(o.caFile)
	entry.Cloud.CAPEM = pem
	return err
}

// nonEmpty drops empty items, so that --label "" clears the list.
func nonEmpty(items []string) []string {
	return xslices.Filter(items, func(item string) bool { return item != "" })
}

// Resolve replaces a domain given as --tenant-id by the ID of its tenant.
func (o *Options) Resolve(ctx context.Context, deps *cmdutil.Deps) error {
	a, err := deps.Open(nil)
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
	if naming.IsGUID(domain) || tenants.CheckDomain(domain) != nil {
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
		return a.Destinations().Usual(shared)
	}
	err = o.applyCloud(&entry)
	return entry.Cloud, err
}
