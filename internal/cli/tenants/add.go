package tenants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/azurecli"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/xslices"
	"mcp-partner/tenants"
)

func destinationFields(u *term.UI, cloud tenants.Cloud) {
	if cloud.Name == tenants.CloudPublic {
		return
	}
	u.Field("cloud", cloud.Name)
	u.Field("authority", cloud.Authority)
	u.Field("ARM", cloud.ARMEndpoint)
}

func newCmdAdd(deps *cmdutil.Deps) *cobra.Command {
	options := &Options{}
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a tenant",
		Args:  cmdutil.OneArgument("the tenant's name"),
		RunE: deps.OnApp(func(ctx context.Context, a *app.App, args []string) error {
			options.Name = args[0]
			return RunAdd(ctx, deps, a, options)
		}),
	}
	options.Add(deps, command.Flags())
	return command
}

// RunAdd adds a tenant as `tenants add` does. It asks for a secret that no flag names, and
// changes nothing where it returns an error.
func RunAdd(ctx context.Context, deps *cmdutil.Deps, a *app.App, o *Options) error {
	if err := o.Resolve(ctx, deps, a); err != nil {
		return err
	}
	chosen, err := choose(ctx, a, &o.credential, o.Name, o.entry.TenantID, false)
	if err != nil {
		return err
	}
	cloud, err := a.Destinations().Usual(chosen.config)
	if err != nil {
		return err
	}
	if o.Given(cloudFlags()...) {
		cloud = tenants.Cloud{Name: tenants.CloudPublic}
	}
	entry := tenants.Entry{Name: o.Name, Cloud: cloud, Credentials: []tenants.CredentialRef{{Name: chosen.config.Name}}}
	chosen.suggest(&entry)
	if err := o.apply(&entry); err != nil {
		return err
	}
	if entry.TenantID == "" {
		return exit.Usage("mcp-partner tenants add --help", "--tenant-id is missing")
	}
	if entry, err = rehearse(ctx, a, entry, chosen); err != nil {
		return err
	}
	if err := app.AtHome(entry, chosen.config); err != nil {
		return err
	}
	said, err := a.CheckDestinations(ctx, []tenants.Entry{entry}, chosen.added(), o.consent.OtherAuthority)
	if err != nil {
		return err
	}
	return store(ctx, deps, a, chosen, &o.credential, func(chosen choice) error { return finishAdd(ctx, deps, a, entry, chosen, said) })
}

func finishAdd(ctx context.Context, deps *cmdutil.Deps, a *app.App, entry tenants.Entry, chosen choice, said []string) error {
	if err := a.Directory.Add(ctx, entry, chosen.added()...); err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindDirectory, "The tenant %s (%s) was added with the credential %s.", entry.Name, entry.TenantID, chosen.config.Name)
	u := deps.IO.UI()
	u.Linef(term.Good, "Added %s with the credential %s.", entry.Name, chosen.config.Name)
	u.Field("tenant", entry.TenantID)
	destinationFields(u, entry.Cloud)
	for _, text := range said {
		u.Field("", text)
	}
	if who := chosen.account; who != nil {
		tenant := strings.TrimSpace(who.TenantID + " " + who.TenantName)
		u.Field("signed in", fmt.Sprintf("%s %s (az's current tenant: %s)", who.User.Type, who.User.Name, tenant))
	}
	if chosen.held {
		u.Field("secret", "the one in the vault with that name")
	}
	if chosen.config.Kind != tenants.KindClientSecret {
		u.Field("kind", string(chosen.config.Kind))
	}
	u.Field("thumbprint", chosen.config.Thumbprint)
	u.Field("expires", chosen.config.Expires)
	if chosen.config.Kind == tenants.KindManagedIdentity {
		u.Field("home tenant", chosen.config.HomeTenant)
	}
	next := "mcp-partner call check_partner_link --tenant " + entry.Name
	if chosen.isNew && chosen.config.Kind.Interactive() {
		next = "mcp-partner vault login " + chosen.config.Name
	}
	u.Field("next", next)
	return u.Err
}

// choice is the credential that will act in a tenant.
type choice struct {
	config tenants.CredentialConfig
	// isNew is true for one that the directory does not have yet.
	isNew bool
	// held is true where the vault held its secret already.
	held bool
	// account is who is signed in with az, for azure-cli alone.
	account *azurecli.Account
}

// choose finds the credential that the flags mean. A secret for one that exists replaces
// its own, where replaces says so.
func choose(ctx context.Context, a *app.App, o *credential.Options, tenant, tenantID string, replaces bool) (choice, error) {
	name := cmp.Or(o.Name, tenant)
	if o.Name == "" && o.Kind == credential.AzureCLI {
		name = credential.AzureCLI
	}
	have, err := a.Directory.Credential(name)
	exists := err == nil
	if name == credential.AzureCLI || o.Kind == credential.AzureCLI {
		return chooseAzureCLI(ctx, o, name, have, exists)
	}
	switch {
	case exists && o.ClientID != "":
		return choice{}, exit.Refused("leave --client-id out to share it, or choose another name with --credential",
			"the credential %s exists already", have.Name)
	case exists && (o.Given() && !replaces || o.Kind != ""):
		return choice{}, exit.Refused("leave the secret and the kind out to share it; tenants set replaces a secret", "the credential %s exists already, with a secret", have.Name)
	case exists && o.Name != "":
		return choice{config: have}, nil
	}
	config, err := o.New(name, tenantID)
	return choice{config: config, isNew: true}, err
}

// chooseAzureCLI stores where az is: a server that a desktop client starts has
// no useful PATH.
func chooseAzureCLI(ctx context.Context, o *credential.Options, name string, have tenants.CredentialConfig, exists bool) (choice, error) {
	switch {
	case name == credential.AzureCLI && (o.ClientID != "" || o.Given()):
		return choice{}, exit.Usage("leave them out, or name another credential", "--credential azure-cli needs no client ID and no secret")
	case name != credential.AzureCLI, o.Kind != "" && o.Kind != credential.AzureCLI:
		return choice{}, exit.Usage("give --credential azure-cli alone", "azure-cli is the reserved name of the credential of that kind")
	}
	c := choice{config: have, isNew: !exists}
	if !exists {
		path, err := azurecli.Find()
		if err != nil {
			return choice{}, err
		}
		c.config = tenants.CredentialConfig{Name: credential.AzureCLI, Kind: tenants.KindAzureCLI, AzPath: path}
	}
	account, err := azurecli.CurrentAccount(ctx, c.config.AzPath)
	c.account = &account
	return c, err
}

func (c choice) suggest(entry *tenants.Entry) {
	if c.account == nil {
		return
	}
	entry.TenantID = c.account.TenantID
	switch c.account.Cloud {
	case "AzureUSGovernment":
		entry.Cloud.Name = tenants.CloudUSGovernment
	case "AzureChinaCloud":
		entry.Cloud.Name = tenants.CloudChina
	}
}

func (c choice) added() []tenants.CredentialConfig {
	if c.isNew {
		return []tenants.CredentialConfig{c.config}
	}
	return nil
}

// rehearse makes the change on a copy, so that a mistake is found before
// anybody types a secret. It returns the entry in its normal form.
func rehearse(ctx context.Context, a *app.App, entry tenants.Entry, chosen choice) (tenants.Entry, error) {
	copied, err := a.Copied()
	if err != nil {
		return entry, err
	}
	if err := copied.Add(ctx, entry, chosen.added()...); err != nil {
		return entry, err
	}
	return copied.Get(entry.Name)
}

// store puts the secret of a new credential into the vault and goes on. If
// what follows fails, the secret is taken out again.
func store(ctx context.Context, deps *cmdutil.Deps, a *app.App, chosen choice, o *credential.Options, then func(choice) error) error {
	if !chosen.isNew || !chosen.config.Kind.Given() {
		return then(chosen)
	}
	got, err := putSecret(ctx, deps, a, chosen.config, o)
	if err != nil {
		return err
	}
	chosen.config, chosen.held = got.Config, got.Held
	err = then(chosen)
	switch {
	case got.Held:
	case err != nil:
		_ = a.Store.Delete(context.WithoutCancel(ctx), chosen.config.Name) // the first error says what matters
	default:
		deps.RecordSecret(ctx, a, chosen.config.Name)
	}
	return err
}

// putSecret stores the secret that the flags name, unless the vault holds it already,
// and returns the credential with what is known of it.
func putSecret(ctx context.Context, deps *cmdutil.Deps, a *app.App, config tenants.CredentialConfig, o *credential.Options) (credential.Provided, error) {
	if err := a.Open(ctx); err != nil {
		return credential.Provided{}, err
	}
	got, err := deps.SecretOf(ctx, a, config, o)
	if err != nil || got.Held {
		return got, err
	}
	return got, a.Store.Put(ctx, cmp.Or(config.SecretName, config.Name), got.Secret)
}

// Options are the attributes of a tenant as flags of add and set.
type Options struct {
	Name  string
	Flags *pflag.FlagSet
	// entry holds the values of the flags, attributes the names of these.
	entry      tenants.Entry
	attributes []string
	caFile     string
	credential credential.Options
	consent    app.Consent
}

// textFlag is a flag whose value is one text of an entry.
type textFlag struct {
	name, usage string
	of          func(*tenants.Entry) *string
}

func entryFlags() []textFlag {
	return []textFlag{
		{"company", "`NAME` of the customer, for people", func(e *tenants.Entry) *string { return &e.Company }},
		{"tenant-id", "`GUID` or domain of the tenant; Entra ID is asked which tenant a domain belongs to", func(e *tenants.Entry) *string { return &e.TenantID }},
		{"expect-partner", "partner `ID` that should be linked there", func(e *tenants.Entry) *string { return &e.ExpectedPartnerID }},
		{"owner", "`NAME` of the tenant's owner, for reports", func(e *tenants.Entry) *string { return &e.Owner }},
		{"external-id", "`ID` of the customer in another system, for reports", func(e *tenants.Entry) *string { return &e.ExternalID }},
		{"note", "`TEXT` of a note, for reports", func(e *tenants.Entry) *string { return &e.Note }},
		{"object-id", "object ID (`GUID`) that the credential must have in this tenant", func(e *tenants.Entry) *string { return &e.Credentials[0].PinnedObjectID }},
	}
}

// addressFlags are those of a custom cloud.
func addressFlags() []textFlag {
	return []textFlag{
		{"arm-endpoint", "custom cloud: `URL` of Azure Resource Manager", func(e *tenants.Entry) *string { return &e.Cloud.ARMEndpoint }},
		{"arm-audience", "custom cloud: audience `URL` of ARM tokens", func(e *tenants.Entry) *string { return &e.Cloud.ARMAudience }},
		{"authority", "custom cloud: `URL` of Entra ID", func(e *tenants.Entry) *string { return &e.Cloud.Authority }},
	}
}

// Add adds the flags of the attributes of a tenant.
func (o *Options) Add(deps *cmdutil.Deps, flags *pflag.FlagSet) {
	o.Flags, o.entry.Credentials = flags, make([]tenants.CredentialRef, 1)
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, flag := range append(entryFlags(), addressFlags()...) {
		own.StringVar(flag.of(&o.entry), flag.name, "", flag.usage)
	}
	own.StringArrayVar(&o.entry.Domains, "domain", nil, "`DOMAIN` of the tenant; repeatable")
	own.StringArrayVar(&o.entry.Labels, "label", nil, "`LABEL` for reports; repeatable")
	own.StringVar(&o.entry.Cloud.Name, "cloud", tenants.CloudPublic, "`CLOUD` of the tenant")
	config.Choices(own, "cloud", "public", "usgovernment", "china", "custom")
	cmdutil.AddAuthorities(own, &o.caFile, "ca-file", "trust only the certificate authorities in this `FILE` (PEM); system trusts those of the system again")
	own.BoolVar(&o.entry.Cloud.SkipInstanceDiscovery, "skip-instance-discovery", false, "custom cloud: do not ask Microsoft whether it knows the authority")
	cmdutil.AddCredentialFlags(&o.credential, own)
	config.Typed(own, cloudFlags()...)
	own.VisitAll(func(flag *pflag.Flag) { o.attributes = append(o.attributes, flag.Name) })
	flags.AddFlagSet(own)
	cmdutil.AddConsentFlags(&o.consent, flags)
	deps.AddKeyFlags(flags)
}

// cloudFlags say where a stored credential is sent. They count only when they
// are typed.
func cloudFlags() []string {
	return []string{"cloud", "arm-endpoint", "arm-audience", "authority", "ca-file", "skip-instance-discovery"}
}

// Given reports whether one of the flags has a value.
func (o *Options) Given(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return o.Flags.Changed(name) })
}

// applyTexts writes into an entry those of the flags that were given.
func (o *Options) applyTexts(flags []textFlag, entry *tenants.Entry) {
	for _, flag := range flags {
		if o.Given(flag.name) {
			*flag.of(entry) = *flag.of(&o.entry)
		}
	}
}

// apply writes into an entry what was given, and nothing else.
func (o *Options) apply(entry *tenants.Entry) error {
	o.applyTexts(entryFlags(), entry)
	if o.Given("domain") {
		entry.Domains = nonEmpty(o.entry.Domains)
	}
	if o.Given("label") {
		entry.Labels = nonEmpty(o.entry.Labels)
	}
	return o.applyCloud(entry)
}

// applyCloud changes the cloud only if something was said about it.
func (o *Options) applyCloud(entry *tenants.Entry) (err error) {
	if o.Given("cloud") && o.entry.Cloud.Name != entry.Cloud.Name {
		entry.Cloud = tenants.Cloud{Name: o.entry.Cloud.Name}
	}
	o.applyTexts(addressFlags(), entry)
	if o.Given("skip-instance-discovery") {
		entry.Cloud.SkipInstanceDiscovery = o.entry.Cloud.SkipInstanceDiscovery
	}
	switch {
	case o.caFile == "system": // an empty path, as of an unset variable, is refused
		entry.Cloud.CAPEM = ""
	case o.caFile != "":
		entry.Cloud.CAPEM, err = app.ReadCA(o.caFile)
	}
	return err
}

// nonEmpty drops empty items, so that --label "" clears the list.
func nonEmpty(items []string) []string {
	return xslices.Filter(items, func(item string) bool { return item != "" })
}

// Resolve replaces a domain given as --tenant-id by the ID of its tenant. It asks
// Entra ID of the cloud that the tenant will be in; no credential is sent. The domain
// becomes one of the tenant's.
func (o *Options) Resolve(ctx context.Context, deps *cmdutil.Deps, a *app.App) error {
	domain := o.entry.TenantID
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
	o.entry.TenantID = id
	if slices.Contains(o.entry.Domains, domain) {
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
