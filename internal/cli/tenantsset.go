package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/tenants"
)

// newTenantsSet builds `tenants set`.
func newTenantsSet(f *Factory) *cobra.Command {
	options := &tenantOptions{}
	command := &cobra.Command{
		Use:   "set NAME",
		Short: "Change a tenant, or replace its secret",
		Long: `Change what is given and keep the rest. An empty value clears: --object-id ''
forgets the pinned identity, --label '' removes all labels.

--secret-stdin or --secret-file replaces the secret of the tenant's credential, in
every tenant that shares it. Where the credential is sent (--cloud, --arm-endpoint,
--arm-audience, --authority, --ca-file, --skip-instance-discovery) changes only by
flags that are typed: for these there are no environment variables. A stored secret
goes elsewhere than so far only with --allow-other-authority.

Another tenant ID or credential is refused while the identity that acted there holds
a link, or while that cannot be told, unless --keep-link is given.`,
		Example: `  mcp-partner tenants set contoso --secret-stdin < new-secret.txt
  mcp-partner tenants set contoso --expect-partner 1234567 --owner 'Team Nord'
  mcp-partner tenants set contoso --object-id ''`,
		Args: oneArgument("the tenant's name"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runTenantsSet(command.Context(), f, options)
		},
		ValidArgsFunction: first(f.tenantNames),
	}
	options.add(command.Flags())
	options.consent.addKeepLink(command.Flags())
	return command
}

func runTenantsSet(ctx context.Context, f *Factory, o *tenantOptions) error {
	if !o.given(append(cloudFlags(), attributeFlags()...)...) {
		return usage("mcp-partner tenants set --help", "nothing was said that could be changed")
	}
	h, err := f.openHouse(o.keys, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	entry, err := h.directory.Resolve(o.name)
	if err != nil {
		return err
	}
	plan, err := f.planSet(ctx, h, o, entry)
	if err != nil {
		return err
	}
	if err := plan.run(ctx, f, h, o); err != nil {
		return err
	}
	u := f.IO.ui()
	u.linef(good, "Changed %s.", entry.Name)
	if o.given(cloudFlags()...) {
		u.destinationFields(plan.entry.Cloud)
	}
	for _, done := range plan.said {
		u.field("", done)
	}
	return u.err
}

// setPlan is what `tenants set` is about to do.
type setPlan struct {
	entry tenants.Entry
	// chosen is the credential from here on.
	chosen choice
	// config, if not nil, replaces the credential's settings.
	config *tenants.CredentialConfig
	secret bool
	said   []string
}

func (f *Factory) planSet(ctx context.Context, h *house, o *tenantOptions, entry tenants.Entry) (setPlan, error) {
	p := setPlan{entry: entry}
	if err := f.planCredential(ctx, h, o, &p); err != nil {
		return p, err
	}
	if err := o.apply(&p.entry); err != nil {
		return p, err
	}
	if o.given(cloudFlags()...) {
		p.said = append(p.said, "The credential "+p.chosen.config.Name+" is sent as the new cloud says from now on.")
	}
	return p, p.rehearse(ctx, h, o, entry)
}

// rehearse makes the change on a copy, and looks at what it would mean for the
// stored secrets and for what is linked.
func (p *setPlan) rehearse(ctx context.Context, h *house, o *tenantOptions, before tenants.Entry) error {
	copied, err := h.copied(p.chosen.added()...)
	if err != nil {
		return err
	}
	if err := copied.Set(ctx, before.Name, p.entry); err != nil {
		return err
	}
	after, err := copied.Get(p.entry.Name)
	if err != nil {
		return err
	}
	var replaced []string
	if p.secret {
		replaced = []string{p.chosen.config.Name}
	}
	said, err := h.checkDestinations(ctx, []tenants.Entry{after}, p.chosen.added(), o.consent.otherAuthority, replaced...)
	p.said = append(p.said, said...)
	if err != nil || o.consent.keepLink {
		return err
	}
	return h.checkSuccession(ctx, before, after, p.chosen.added())
}

// planCredential decides between the credential that is there, its client ID,
// its secret, and another one.
func (f *Factory) planCredential(ctx context.Context, h *house, o *tenantOptions, p *setPlan) error {
	now, err := h.directory.Credential(p.entry.Credentials[0].Name)
	if err != nil {
		return err
	}
	c := &o.credential
	if c.name == "" || c.name == now.Name {
		return p.keepCredential(h, c, now)
	}
	if p.chosen, err = f.chooseOther(ctx, h, c, p.entry.Name, p.entry.TenantID); err != nil {
		return err
	}
	p.secret = c.given() || p.chosen.isNew && p.chosen.config.Kind.Given()
	if !p.chosen.isNew {
		if err := c.changes(p.chosen.config); err != nil {
			return err
		}
	}
	p.entry.Credentials = []tenants.CredentialRef{{Name: p.chosen.config.Name}}
	p.said = append(p.said, "The credential is "+p.chosen.config.Name+" now; the pinned object ID is forgotten.")
	return nil
}

// chooseOther is choose, but a secret for a credential that exists replaces it.
func (f *Factory) chooseOther(ctx context.Context, h *house, c *credentialOptions, tenant, tenantID string) (choice, error) {
	asked := *c
	if _, err := h.directory.Credential(c.name); err == nil {
		asked.secret = secretOptions{}
		asked.kind.certificateFile, asked.kind.certificateStdin = "", false
	}
	return f.choose(ctx, h, &asked, tenant, tenantID)
}

func (p *setPlan) keepCredential(h *house, c *credentialOptions, now tenants.CredentialConfig) error {
	p.chosen, p.secret = choice{config: now}, c.given()
	if err := c.changes(now); err != nil {
		return err
	}
	shared, err := h.sharers(now.Name, p.entry.Name)
	if err != nil {
		return err
	}
	if p.secret {
		p.said = append(p.said, "The "+now.Kind.Shows()+" of "+now.Name+" is replaced"+alsoIn(shared)+".")
	}
	if p.secret && now.Kind == tenants.KindClientSecret && now.Expires != "" && c.kind.expires == "" {
		p.said = append(p.said, "When the new one ends is not known: give it with --expires DATE.")
	}
	changed, err := c.changed(now)
	if err != nil {
		return err
	}
	if changed != now && !p.secret {
		p.config = &changed
	}
	if changed.ClientID != now.ClientID {
		p.chosen.config.ClientID = changed.ClientID
		p.said = append(p.said, "The client ID of "+now.Name+" is another one"+alsoIn(shared)+"; pinned object IDs stay, and notice it.")
	}
	return nil
}

func (p *setPlan) run(ctx context.Context, f *Factory, h *house, o *tenantOptions) error {
	if p.secret {
		if err := p.replace(ctx, f, h, &o.credential); err != nil {
			return err
		}
	}
	if p.config != nil {
		if err := h.directory.SetCredential(ctx, *p.config); err != nil {
			return err
		}
	}
	for _, added := range p.chosen.added() {
		if err := h.directory.AddCredential(ctx, added); err != nil {
			return err
		}
	}
	if err := h.directory.Set(ctx, p.entry.Name, p.entry); err != nil {
		return err
	}
	f.record(ctx, h, guard.KindDirectory, "The tenant %s (%s) was changed.", p.entry.Name, p.entry.TenantID)
	return nil
}

// replace puts another secret in the place of the one there is. What was known
// of the former goes with it.
func (p *setPlan) replace(ctx context.Context, f *Factory, h *house, o *credentialOptions) error {
	renewed, err := f.replaceSecret(ctx, h, p.chosen.config, o)
	if err != nil {
		return err
	}
	p.chosen.config = renewed
	if !p.chosen.isNew {
		p.config = &renewed
	}
	return nil
}

// replaceSecret stores the secret that the flags name, and returns the
// credential with what is known of it.
func (f *Factory) replaceSecret(ctx context.Context, h *house, credential tenants.CredentialConfig, o *credentialOptions) (tenants.CredentialConfig, error) {
	if err := h.open(ctx); err != nil {
		return credential, err
	}
	got, err := f.secretOf(ctx, h, credential, o)
	if err != nil || got.held {
		return got.config, err
	}
	name := credential.SecretName
	if name == "" {
		name = credential.Name
	}
	if err := h.store.Put(ctx, name, got.secret); err != nil {
		return credential, err
	}
	f.recordSecret(ctx, h, credential.Name)
	return got.config, nil
}

// sharers counts the other tenants that use a credential.
func (h *house) sharers(credential, but string) (int, error) {
	entries, err := h.directory.List()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, entry := range entries {
		if _, err := entry.Credential(credential); err == nil && entry.Name != but {
			n++
		}
	}
	return n, nil
}

func alsoIn(others int) string {
	switch others {
	case 0:
		return ""
	case 1:
		return ", also for one other tenant"
	}
	return fmt.Sprintf(", also for %d other tenants", others)
}
