package tenants

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/tenants"
)

func newCmdSet(deps *cmdutil.Deps) *cobra.Command {
	options := &Options{}
	command := &cobra.Command{
		Use:   "set NAME",
		Short: "Change a tenant, or replace its secret",
		Args:  cmdutil.OneArgument("the tenant's name"),
		RunE: func(command *cobra.Command, args []string) error {
			if !options.Given(options.attributes...) {
				return exit.Usage("mcp-partner tenants set --help", "no field to change was given")
			}
			options.Name = args[0]
			return deps.OnApp(func(ctx context.Context, a *app.App, _ []string) error { return runSet(ctx, deps, a, options) })(command, args)
		},
		ValidArgsFunction: cmdutil.CompleteFirst(deps.TenantNames),
	}
	options.Add(deps, command.Flags())
	cmdutil.AddKeepLinkFlag(&options.consent, command.Flags())
	return command
}

func runSet(ctx context.Context, deps *cmdutil.Deps, a *app.App, o *Options) error {
	if err := o.Resolve(ctx, deps, a); err != nil {
		return err
	}
	entry, err := a.Directory.Resolve(o.Name)
	if err != nil {
		return err
	}
	plan, err := planSet(ctx, a, o, entry)
	if err != nil {
		return err
	}
	if err := plan.run(ctx, deps, a, &o.credential); err != nil {
		return err
	}
	u := deps.IO.UI()
	u.Linef(term.Good, "Changed %s.", entry.Name)
	if o.Given(cloudFlags()...) {
		destinationFields(u, plan.entry.Cloud)
	}
	for _, done := range plan.said {
		u.Field("", done)
	}
	return u.Err
}

type setPlan struct {
	entry tenants.Entry
	// chosen is the credential from here on.
	chosen choice
	// config, if not nil, replaces the credential's settings.
	config *tenants.CredentialConfig
	secret bool
	said   []string
}

func planSet(ctx context.Context, a *app.App, o *Options, entry tenants.Entry) (setPlan, error) {
	p := setPlan{entry: entry}
	if err := p.planCredential(ctx, a, &o.credential); err != nil {
		return p, err
	}
	if err := o.apply(&p.entry); err != nil {
		return p, err
	}
	if o.Given(cloudFlags()...) {
		p.said = append(p.said, "The credential "+p.chosen.config.Name+" is sent to the addresses of the new cloud from now on.")
	}
	return p, p.rehearse(ctx, a, o, entry)
}

// rehearse makes the change on a copy, and looks at what it would mean for the
// stored secrets and for what is linked.
func (p *setPlan) rehearse(ctx context.Context, a *app.App, o *Options, before tenants.Entry) error {
	copied, err := a.Copied(p.chosen.added()...)
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
	said, err := a.CheckDestinations(ctx, []tenants.Entry{after}, p.chosen.added(), o.consent.OtherAuthority, replaced...)
	p.said = append(p.said, said...)
	if err != nil || o.consent.KeepLink {
		return err
	}
	return a.CheckSuccession(ctx, before, after, p.chosen.added())
}

// planCredential decides between the credential that is there, its client ID,
// its secret, and another one.
func (p *setPlan) planCredential(ctx context.Context, a *app.App, c *credential.Options) error {
	now, err := a.Directory.Credential(p.entry.Credentials[0].Name)
	if err != nil {
		return err
	}
	if c.Name == "" || c.Name == now.Name {
		return p.keepCredential(a, c, now)
	}
	if p.chosen, err = choose(ctx, a, c, p.entry.Name, p.entry.TenantID, true); err != nil {
		return err
	}
	p.secret = c.Given() || p.chosen.isNew && p.chosen.config.Kind.Given()
	if !p.chosen.isNew {
		if err := c.Changes(p.chosen.config); err != nil {
			return err
		}
	}
	p.entry.Credentials = []tenants.CredentialRef{{Name: p.chosen.config.Name}}
	p.said = append(p.said, "The credential is "+p.chosen.config.Name+" now; the pinned object ID was cleared.")
	return nil
}

func (p *setPlan) keepCredential(a *app.App, c *credential.Options, now tenants.CredentialConfig) error {
	p.chosen, p.secret = choice{config: now}, c.Given()
	if err := c.Changes(now); err != nil {
		return err
	}
	shared, err := alsoIn(a, now.Name, p.entry.Name)
	if err != nil {
		return err
	}
	if p.secret {
		p.said = append(p.said, "The "+now.Kind.Shows()+" of "+now.Name+" is replaced"+shared+".")
	}
	if p.secret && now.Kind == tenants.KindClientSecret && now.Expires != "" && c.Expires == "" {
		p.said = append(p.said, "The expiry date of the new one is unknown: set it with --expires DATE.")
	}
	changed, err := c.Changed(now)
	if err != nil {
		return err
	}
	if changed != now && !p.secret {
		p.config = &changed
	}
	if changed.ClientID != now.ClientID {
		p.chosen.config.ClientID = changed.ClientID
		p.said = append(p.said, "The client ID of "+now.Name+" is another one"+shared+"; pinned object IDs stay and will detect it.")
	}
	return nil
}

func (p *setPlan) run(ctx context.Context, deps *cmdutil.Deps, a *app.App, o *credential.Options) error {
	if p.secret {
		renewed, err := replaceSecret(ctx, deps, a, p.chosen.config, o)
		if err != nil {
			return err
		}
		// What was known of the former one goes with it.
		p.chosen.config = renewed
		if !p.chosen.isNew {
			p.config = &renewed
		}
	}
	if p.config != nil {
		if err := a.Directory.SetCredential(ctx, *p.config); err != nil {
			return err
		}
	}
	for _, added := range p.chosen.added() {
		if err := a.Directory.AddCredential(ctx, added); err != nil {
			return err
		}
	}
	if err := a.Directory.Set(ctx, p.entry.Name, p.entry); err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindDirectory, "The tenant %s (%s) was changed.", p.entry.Name, p.entry.TenantID)
	return nil
}

// replaceSecret is putSecret, and records it.
func replaceSecret(ctx context.Context, deps *cmdutil.Deps, a *app.App, config tenants.CredentialConfig, o *credential.Options) (tenants.CredentialConfig, error) {
	got, err := putSecret(ctx, deps, a, config, o)
	if err == nil && !got.Held {
		deps.RecordSecret(ctx, a, config.Name)
	}
	return got.Config, err
}

// alsoIn says in how many other tenants a credential is used.
func alsoIn(a *app.App, credential, but string) (string, error) {
	entries, err := a.Directory.List()
	others := slices.DeleteFunc(tenants.Using(entries, credential), func(e tenants.Entry) bool { return e.Name == but })
	switch len(others) {
	case 0:
		return "", err
	case 1:
		return ", also for one other tenant", err
	}
	return fmt.Sprintf(", also for %d other tenants", len(others)), err
}
