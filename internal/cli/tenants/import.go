package tenants

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/tenantimport"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/tenants"
)

// takeSecret stores the secret or the certificate that came along, for the one
// credential that it can be meant for.
func takeSecret(ctx context.Context, p *tenantimport.Plan, deps *cmdutil.Deps, a *app.App, o *tenantimport.Request) error {
	config, err := p.SecretFor()
	if err != nil {
		return err
	}
	if err := o.Credential.Changes(config); err != nil {
		return err
	}
	renewed, err := replaceSecret(ctx, deps, a, config, &o.Credential)
	if err != nil {
		return err
	}
	for i, fresh := range p.Credentials {
		if naming.Same(fresh.Name, config.Name) {
			renewed.Expires = cmp.Or(renewed.Expires, fresh.Expires) // what the file says of it
			p.Credentials[i] = renewed
			return nil
		}
	}
	return a.Directory.SetCredential(ctx, renewed)
}

type importOptions struct {
	tenantimport.Request
	yes bool
}

func newCmdImport(deps *cmdutil.Deps) *cobra.Command {
	options := &importOptions{}
	command := &cobra.Command{
		Use:   "import FILE",
		Short: "Add and change tenants from a CSV file",
		Args:  cmdutil.OneArgument("the CSV file"),
		RunE: func(command *cobra.Command, args []string) error {
			options.File, options.In = args[0], deps.IO.In
			return runImport(command.Context(), deps, options)
		},
	}
	options.add(deps, command.Flags())
	return command
}

func (o *importOptions) add(deps *cmdutil.Deps, flags *pflag.FlagSet) {
	flags.BoolVar(&o.yes, "yes", false, "make the change without asking")
	cmdutil.AddAuthorities(flags, &o.CAFile, "ca-file", "trust only the certificate authorities in this `FILE`, for rows of a custom cloud that name none")
	flags.Var((*cmdutil.List)(&o.Maps), "map", "map a column, `COLUMN=FIELD`, or ignore it, COLUMN=; repeatable")
	flags.BoolVar(&o.Resolve, "resolve-domains", false, "look up the tenant of rows that have only a domain in Entra ID, without a credential")
	flags.StringVar(&o.ExpectedPartner, "expect-partner", "", "partner `ID` that should be linked, for tenants that have none and whose row names none")
	cmdutil.AddCredentialFlags(&o.Credential, flags)
	cmdutil.AddConsentFlags(&o.Consent, flags)
	cmdutil.AddKeepLinkFlag(&o.Consent, flags)
	config.Typed(flags, "ca-file", "map", "resolve-domains")
	deps.AddKeyFlags(flags)
}

func (o *importOptions) check() error {
	if o.ExpectedPartner != "" {
		if err := partnerid.Check("--expect-partner", o.ExpectedPartner); err != nil {
			return exit.AsUsage(err)
		}
	}
	if o.File == "-" && (o.Credential.Secret.Stdin || o.Credential.CertificateStdin) {
		return exit.Usage("give the secret as --secret-file FILE, or a certificate as --certificate-file FILE", "standard input holds the tenants, so it cannot hold a secret too")
	}
	return nil
}

func runImport(ctx context.Context, deps *cmdutil.Deps, o *importOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	file, err := o.ReadTable()
	if err != nil {
		return err
	}
	a, err := deps.Open(nil)
	if err != nil {
		return err
	}
	defer a.Close()
	u := deps.IO.UI()
	o.Progress = func(mistake bool, text string) error {
		u.Line(map[bool]term.Style{true: term.Bad, false: term.Dim}[mistake], text)
		if o.yes { // agrees to what nobody reads
			return nil
		}
		return u.Err
	}
	p, err := tenantimport.PlanTable(ctx, a, &o.Request, file)
	if err != nil {
		return err
	}
	if err := p.Check(ctx); err != nil {
		return err
	}
	difference(u, p)
	if p.Diff.Empty() && len(p.Credentials) == 0 && !o.Credential.Given() || u.Err != nil && !o.yes {
		return u.Err
	}
	if err := agree(ctx, deps, o.yes); err != nil {
		return err
	}
	if err := apply(ctx, deps, a, &o.Request, p); err != nil {
		return err
	}
	u = deps.IO.UI()
	u.Linef(term.Good, "%d added, %d changed.", len(p.Diff.Added), len(p.Diff.Changed))
	for _, missing := range p.WithoutSecret() {
		u.Field("next", missing.Command())
	}
	return u.Err
}

func agree(ctx context.Context, deps *cmdutil.Deps, yes bool) error {
	if yes {
		return nil
	}
	typed, err := deps.IO.Prompt(ctx, "Make this change? Type yes: ", false)
	switch {
	case errors.Is(err, term.ErrNoTerminal):
		return &exit.Error{Code: exit.CodeApprovalRequired, Message: "nothing was changed: the change needs a confirmation, and there is no terminal", Next: "check the difference, then add --yes"}
	case err != nil || typed != "yes":
		return exit.Refused("", "nothing was changed")
	}
	return nil
}

// apply stores the secret, then the credentials and the tenants, so that nothing
// is ever named before it is there.
func apply(ctx context.Context, deps *cmdutil.Deps, a *app.App, o *tenantimport.Request, p *tenantimport.Plan) error {
	if err := p.Adopt(ctx); err != nil {
		return err
	}
	if o.Credential.Given() {
		if err := takeSecret(ctx, p, deps, a, o); err != nil {
			return err
		}
	}
	if err := a.Directory.Apply(ctx, p.Diff, p.Credentials...); err != nil {
		return err
	}
	changed := xslices.Map(p.Diff.Changed, func(change tenants.Change) tenants.Entry { return change.After })
	deps.Record(ctx, a, guard.KindDirectory, "Tenants were imported; added: %s; changed: %s.", cmdutil.NamesOf(p.Diff.Added), cmdutil.NamesOf(changed))
	return nil
}

func difference(u *term.UI, p *tenantimport.Plan) {
	for _, config := range p.Credentials {
		u.Linef(term.Good, "+ credential %s (%s%s)", config.Name, config.Kind, map[bool]string{true: " " + config.ClientID}[config.ClientID != ""])
	}
	additions(u, p.Diff.Added)
	for _, change := range p.Diff.Changed {
		u.Linef(term.Warn, "~ %s", change.After.Name)
		for _, line := range changes(change.Before, change.After) {
			u.Line(term.Plain, "    "+line)
		}
	}
	for _, text := range p.Said {
		u.Line(term.Warn, text)
	}
	u.Linef(term.Bold, "%d to add, %d to change, %d unchanged.", len(p.Diff.Added), len(p.Diff.Changed), len(p.Diff.Unchanged))
}

func additions(u *term.UI, entries []tenants.Entry) {
	header := []string{""}
	for _, column := range tenantimport.Columns() {
		header = append(header, strings.ToUpper(phrase.Words(column)))
	}
	lines := xslices.Map(entries, func(entry tenants.Entry) []string {
		row := tenantimport.RowOf(entry, tenants.CredentialConfig{})
		return append([]string{"+"}, xslices.Map(tenantimport.Columns(), func(column string) string { return row[column] })...)
	})
	u.Table(header, lines)
}

func changes(before, after tenants.Entry) []string {
	was, is := tenantimport.RowOf(before, tenants.CredentialConfig{}), tenantimport.RowOf(after, tenants.CredentialConfig{})
	var lines []string
	for _, column := range tenantimport.Columns() {
		if was[column] != is[column] {
			lines = append(lines, fmt.Sprintf("%s: %q -> %q", column, was[column], is[column]))
		}
	}
	if before.Cloud.CAPEM != after.Cloud.CAPEM {
		lines = append(lines, "certificate authorities: changed")
	}
	if len(lines) == 0 {
		lines = append(lines, "pinned object ID: cleared")
	}
	return lines
}
