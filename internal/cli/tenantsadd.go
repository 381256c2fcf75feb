package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/azurecli"
	"mcp-partner/tenants"
)

// newTenantsAdd builds `tenants add`.
func newTenantsAdd(f *Factory) *cobra.Command {
	options := &tenantOptions{}
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a tenant",
		Long: `Add a tenant and the credential that acts there. The client secret, or the
certificate with its key, comes from standard input, a file, or a prompt without
echo; never from an argument. One that the vault holds under the name of the new
credential already is used. --kind names another way to sign in; which is for whom:
docs/credentials.md.

With --credential azure-cli whoever is signed in with az acts there: no vault is
needed, and the tenant defaults to az's current one. With --credential NAME of a
credential that exists, several tenants share one application.

Where the credential is sent (--cloud and what belongs to it) is stored with the
tenant; no flag or variable of a later call changes it, and here only flags that are
typed count. A tenant that shares a credential is in the cloud of the others. A
stored secret goes elsewhere than so far only with --allow-other-authority.`,
		Example: `  mcp-partner tenants add contoso --tenant-id GUID --client-id GUID --secret-stdin < secret.txt
  mcp-partner tenants add contoso --tenant-id GUID --client-id GUID --expect-partner 1234567
  mcp-partner tenants add contoso --tenant-id GUID --client-id GUID --certificate-file app.pfx
  mcp-partner tenants add contoso --tenant-id GUID --kind managed-identity
  mcp-partner tenants add fabrikam --tenant-id GUID --credential contoso
  mcp-partner tenants add contoso --credential azure-cli`,
		Args: oneArgument("the tenant's name"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runTenantsAdd(command.Context(), f, options)
		},
	}
	options.add(command.Flags())
	return command
}

func runTenantsAdd(ctx context.Context, f *Factory, o *tenantOptions) error {
	h, err := f.openHouse(o.keys, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	chosen, err := f.choose(ctx, h, &o.credential, o.name, o.tenantID)
	if err != nil {
		return err
	}
	cloud, err := h.usualCloud(chosen.config)
	if err != nil {
		return err
	}
	if o.given(cloudFlags()...) {
		cloud = tenants.Cloud{Name: tenants.CloudPublic}
	}
	entry := tenants.Entry{Name: o.name, Cloud: cloud, Credentials: []tenants.CredentialRef{{Name: chosen.config.Name}}}
	chosen.suggest(&entry)
	if err := o.apply(&entry); err != nil {
		return err
	}
	if entry.TenantID == "" {
		return usage("mcp-partner tenants add --help", "--tenant-id is missing")
	}
	if entry, err = h.rehearse(ctx, entry, chosen); err != nil {
		return err
	}
	if err := atHome(entry, chosen.config); err != nil {
		return err
	}
	said, err := h.checkDestinations(ctx, []tenants.Entry{entry}, chosen.added(), o.consent.otherAuthority)
	if err != nil {
		return err
	}
	return f.store(ctx, h, chosen, &o.credential, func(chosen choice) error { return f.finishAdd(ctx, h, entry, chosen, said) })
}

func (f *Factory) finishAdd(ctx context.Context, h *house, entry tenants.Entry, chosen choice, said []string) error {
	if err := h.directory.Add(ctx, entry, chosen.added()...); err != nil {
		return err
	}
	f.record(ctx, h, guard.KindDirectory, "The tenant %s (%s) was added, with the credential %s.", entry.Name, entry.TenantID, chosen.config.Name)
	u := f.IO.ui()
	u.linef(good, "Added %s with the credential %s.", entry.Name, chosen.config.Name)
	u.field("tenant", entry.TenantID)
	u.destinationFields(entry.Cloud)
	for _, text := range said {
		u.field("", text)
	}
	u.field("signed in", chosen.signedIn())
	if chosen.held {
		u.field("secret", "the one that the vault holds under that name")
	}
	u.credentialFields(chosen.config)
	u.field("next", chosen.next(entry.Name))
	return u.err
}

// atHome refuses a managed identity for a tenant in which it does not exist.
func atHome(entry tenants.Entry, config tenants.CredentialConfig) error {
	if home := config.HomeTenant; home != "" && !strings.EqualFold(home, entry.TenantID) {
		return refused("give "+entry.Name+" a credential of another kind", "the managed identity of the credential %s exists in tenant %s only", config.Name, home)
	}
	return nil
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

// choose finds or makes the credential that the flags mean.
func (f *Factory) choose(ctx context.Context, h *house, o *credentialOptions, tenant, tenantID string) (choice, error) {
	name := o.name
	switch {
	case name == "" && o.kind.kind == azureCLI:
		name = azureCLI
	case name == "":
		name = tenant
	}
	have, err := h.directory.Credential(name)
	exists := err == nil
	switch {
	case name == azureCLI && (o.clientID != "" || o.given()):
		return choice{}, usage("leave them out, or name another credential", "--credential azure-cli has no client ID and no secret")
	case (name == azureCLI) != (o.kind.kind == azureCLI) && o.kind.kind != "" && (name == azureCLI || o.kind.kind == azureCLI):
		return choice{}, usage("give --credential azure-cli alone", "the credential of the kind azure-cli has that name, and no other has it")
	case name == azureCLI:
		return chooseAzureCLI(ctx, have, exists)
	case exists && o.clientID != "":
		return choice{}, refused("leave --client-id out to share it, or choose another name with --credential",
			"the credential %s exists already", have.Name)
	case exists && (o.given() || o.kind.kind != ""):
		return choice{}, refused("leave the secret and the kind out to share it; tenants set replaces a secret", "the credential %s exists already and has a secret", have.Name)
	case exists && o.name != "":
		return choice{config: have}, nil
	}
	config, err := o.config(name, tenantID)
	return choice{config: config, isNew: true}, err
}

// chooseAzureCLI stores where az is: a server that a desktop client starts has
// no useful PATH.
func chooseAzureCLI(ctx context.Context, have tenants.CredentialConfig, exists bool) (choice, error) {
	c := choice{config: have, isNew: !exists}
	if !exists {
		path, err := azurecli.Find()
		if err != nil {
			return choice{}, err
		}
		c.config = tenants.CredentialConfig{Name: azureCLI, Kind: tenants.KindAzureCLI, AzPath: path}
	}
	account, err := azurecli.CurrentAccount(ctx, c.config.AzPath)
	c.account = &account
	return c, err
}

// suggest fills in what az knows; flags come after it.
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

func (c choice) signedIn() string {
	if c.account == nil {
		return ""
	}
	tenant := strings.TrimSpace(c.account.TenantID + " " + c.account.TenantName)
	return fmt.Sprintf("%s %s (az's current tenant: %s)", c.account.UserType, c.account.User, tenant)
}

// next is what a person does now.
func (c choice) next(tenant string) string {
	if c.isNew && c.config.Kind.Person() {
		return "mcp-partner vault login " + c.config.Name
	}
	return "mcp-partner call check_partner_link --tenant " + tenant
}

// added is what the directory has to be given.
func (c choice) added() []tenants.CredentialConfig {
	if c.isNew {
		return []tenants.CredentialConfig{c.config}
	}
	return nil
}

// rehearse makes the change on a copy, so that a mistake is found before
// anybody types a secret. It returns the entry in its normal form.
func (h *house) rehearse(ctx context.Context, entry tenants.Entry, chosen choice) (tenants.Entry, error) {
	copied, err := h.copied()
	if err != nil {
		return entry, err
	}
	if err := copied.Add(ctx, entry, chosen.added()...); err != nil {
		return entry, err
	}
	return copied.Get(entry.Name)
}

// copied is a copy of the directory in memory.
func (h *house) copied(more ...tenants.CredentialConfig) (*tenants.Directory, error) {
	entries, err := h.directory.List()
	if err != nil {
		return nil, err
	}
	credentials, err := h.directory.Credentials()
	if err != nil {
		return nil, err
	}
	return tenants.NewMemoryDirectory(entries, append(credentials, more...))
}

// store puts the secret of a new credential into the vault and goes on. If
// what follows fails, the secret is taken out again.
func (f *Factory) store(ctx context.Context, h *house, chosen choice, o *credentialOptions, then func(choice) error) error {
	if !chosen.isNew || !chosen.config.Kind.Given() {
		return then(chosen)
	}
	if err := h.open(ctx); err != nil {
		return err
	}
	got, err := f.secretOf(ctx, h, chosen.config, o)
	if err != nil {
		return err
	}
	chosen.config, chosen.held = got.config, got.held
	if got.held {
		return then(chosen)
	}
	if err := h.store.Put(ctx, chosen.config.Name, got.secret); err != nil {
		return err
	}
	if err := then(chosen); err != nil {
		_ = h.store.Delete(context.WithoutCancel(ctx), chosen.config.Name) // the first error says what matters
		return err
	}
	f.recordSecret(ctx, h, chosen.config.Name)
	return nil
}

// open opens the vault now, for a command that wants its error at the start.
func (h *house) open(ctx context.Context) error {
	if h.vault == nil {
		return nil
	}
	return h.vault.Open(ctx)
}
