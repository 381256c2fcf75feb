package tenants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/tenantimport"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/tenants"
)

type discoverOptions struct {
	credential, tenant string
	json, csv          bool
	output             cmdutil.OutputFlags
}

func newCmdDiscover(deps *cmdutil.Deps) *cobra.Command {
	options := &discoverOptions{}
	command := &cobra.Command{
		Use:   "discover",
		Short: "List the tenants that a credential reaches",
		RunE: deps.OnApp(func(ctx context.Context, a *app.App, _ []string) error {
			return runDiscover(ctx, deps, a, options)
		}),
	}
	flags := command.Flags()
	flags.StringVar(&options.credential, "credential", "", "`NAME` of the credential")
	flags.StringVar(&options.tenant, "tenant", "", "begin in this `TENANT`")
	flags.BoolVar(&options.json, "json", false, "print {\"tenants\":[...],\"notes\":[...]}")
	flags.BoolVar(&options.csv, "csv", false, "print CSV, as tenants import takes it")
	options.output.Add(flags, "write CSV to this `FILE` instead of standard output")
	deps.AddKeyFlags(flags)
	return command
}

type foundTenant struct {
	answers.TenantRow
	// Lighthouse is true for a tenant that is reached by delegation.
	Lighthouse bool `json:"lighthouse"`
}

type discovery struct {
	Credential string        `json:"credential"`
	From       string        `json:"from"`
	Tenants    []foundTenant `json:"tenants"`
	Notes      []string      `json:"notes"`
}

func runDiscover(ctx context.Context, deps *cmdutil.Deps, a *app.App, o *discoverOptions) error {
	switch {
	case o.credential == "":
		return exit.Usage("mcp-partner vault list shows the names", "--credential is missing")
	case o.json && (o.csv || o.output.Path != ""):
		return exit.Usage("leave one out", "--json does not go with --csv and --output")
	}
	found, err := discover(ctx, a, o)
	if err != nil {
		return err
	}
	switch {
	case o.json:
		return deps.IO.PrintJSON(found)
	case o.csv || o.output.Path != "":
		return writeDiscovery(deps, a, found, o)
	}
	return showDiscovery(deps, found)
}

func discover(ctx context.Context, a *app.App, o *discoverOptions) (discovery, error) {
	config, err := a.Directory.Credential(o.credential)
	if err != nil {
		return discovery{}, err
	}
	entry, ok, err := a.TenantFor(config.Name, o.tenant)
	switch {
	case err != nil:
		return discovery{}, err
	case !ok:
		return discovery{}, exit.Refused("mcp-partner tenants add NAME --tenant-id GUID --credential "+phrase.ShellWord(config.Name),
			"no tenant uses the credential %s, so there is no tenant to sign in at", config.Name)
	}
	client, err := a.Clients.Client(ctx, entry.Tenant(), config.Name)
	if err != nil {
		return discovery{}, err
	}
	rows, _, err := client.Tenants(ctx)
	if err != nil {
		return discovery{}, err
	}
	tenants, err := known(a, rows)
	found := discovery{Credential: config.Name, From: entry.Name, Tenants: tenants}
	found.Notes = notesOf(config, tenants)
	return found, err
}

func known(h *app.App, rows []answers.TenantRow) ([]foundTenant, error) {
	entries, err := h.Directory.List()
	names := make(map[string]string, len(entries))
	for _, entry := range entries {
		names[entry.TenantID] = entry.Name
	}
	found := make([]foundTenant, len(rows))
	for i, row := range rows {
		row.Name, row.InDirectory = names[row.TenantID], names[row.TenantID] != ""
		found[i] = foundTenant{row, row.Category == "ProjectedBy" || row.Category == "ManagedBy"}
	}
	slices.SortStableFunc(found, func(a, b foundTenant) int {
		return cmp.Or(strings.Compare(a.DisplayName, b.DisplayName), strings.Compare(a.TenantID, b.TenantID))
	})
	return found, err
}

func notesOf(config tenants.CredentialConfig, found []foundTenant) []string {
	notes := []string{}
	switch {
	case config.Kind.Application() || config.Kind == tenants.KindManagedIdentity:
		notes = append(notes, "A service principal sees only its own tenant; tenants that consented to it are not listed.")
	case !config.Kind.Interactive():
		notes = append(notes, fmt.Sprintf("If %s signs in as a service principal, only its own tenant is listed.", config.Name))
	}
	if n := countLighthouse(found); n > 0 {
		notes = append(notes, phrase.Count(n, "tenant")+" reached through Azure Lighthouse: link once, in the managing tenant.")
	}
	return notes
}

func countLighthouse(found []foundTenant) int {
	return len(xslices.Filter(found, func(tenant foundTenant) bool { return tenant.Lighthouse }))
}

func showDiscovery(deps *cmdutil.Deps, found discovery) error {
	u := deps.IO.UI()
	rows := make([][]string, len(found.Tenants))
	for i, tenant := range found.Tenants {
		domain, how := "", tenant.Category
		if len(tenant.Domains) > 0 {
			domain = tenant.Domains[0]
		}
		if tenant.Lighthouse {
			how += " (Lighthouse)"
		}
		rows[i] = []string{cmp.Or(tenant.Name, "-"), tenant.TenantID, tenant.DisplayName, domain, how}
	}
	u.Table([]string{"IN DIRECTORY", "TENANT ID", "DISPLAY NAME", "DOMAIN", "CATEGORY"}, rows)
	for _, note := range found.Notes {
		u.Line(term.Warn, note)
	}
	return u.Err
}

func writeDiscovery(deps *cmdutil.Deps, a *app.App, found discovery, o *discoverOptions) error {
	rows, err := importable(a, found)
	if err != nil {
		return err
	}
	if err := writeCSV(deps, []string{"name", "company", "tenant_id", "credential", "domains"}, rows, o.output); err != nil {
		return err
	}
	u := &term.UI{Out: deps.IO.Err}
	lighthouse := countLighthouse(found.Tenants)
	u.Linef(term.Plain, "%s to import; left out: %d in the directory, %d of Lighthouse.",
		phrase.Count(len(rows), "tenant"), len(found.Tenants)-lighthouse-len(rows), lighthouse)
	for _, note := range found.Notes {
		u.Line(term.Plain, note)
	}
	return u.Err
}

// importable are the tenants that the directory does not have and that are
// linked for themselves. What Entra ID calls each becomes its company.
func importable(a *app.App, found discovery) ([]tenantimport.Row, error) {
	entries, err := a.Directory.List()
	if err != nil {
		return nil, err
	}
	names := tenantimport.NamesOf(entries)
	var rows []tenantimport.Row
	for _, tenant := range found.Tenants {
		if tenant.InDirectory || tenant.Lighthouse {
			continue
		}
		domains := names.Unclaimed(tenant.Domains)
		rows = append(rows, tenantimport.Row{
			"name": names.Suggest(tenant.DisplayName, domains, tenant.TenantID), "tenant_id": tenant.TenantID,
			"credential": found.Credential, "domains": strings.Join(domains, ";"), "company": tenant.DisplayName,
		})
	}
	return rows, nil
}

type consentLinksOptions struct {
	credential string
	csv        bool
	output     cmdutil.OutputFlags
}

func newCmdConsentLinks(deps *cmdutil.Deps) *cobra.Command {
	options := &consentLinksOptions{}
	command := &cobra.Command{
		Use:   "consent-links",
		Short: "List the consent page of each tenant",
		RunE: deps.OnApp(func(_ context.Context, a *app.App, _ []string) error {
			return runConsentLinks(deps, a, options)
		}),
	}
	flags := command.Flags()
	flags.StringVar(&options.credential, "credential", "", "`NAME` of the credential whose application is consented to (default: the only one)")
	flags.BoolVar(&options.csv, "csv", false, "print CSV")
	options.output.Add(flags, "write CSV to this `FILE` instead of standard output")
	return command
}

func runConsentLinks(deps *cmdutil.Deps, a *app.App, o *consentLinksOptions) error {
	if all, err := a.Directory.Credentials(); err == nil && len(all) == 1 {
		o.credential = cmp.Or(o.credential, all[0].Name)
	}
	if o.credential == "" {
		return exit.Usage("mcp-partner vault list shows the names", "--credential is missing")
	}
	rows, err := consentRows(a, o.credential)
	if err != nil {
		return err
	}
	if o.csv || o.output.Path != "" {
		columns := []string{"name", "tenant_id", "domains", "cloud", "owner", "external_id", "consent_url"}
		return writeCSV(deps, columns, rows, o.output)
	}
	u := deps.IO.UI()
	lines := xslices.Map(rows, func(row tenantimport.Row) []string {
		return []string{row["name"], row["tenant_id"], row["consent_url"]}
	})
	u.Table([]string{"NAME", "TENANT ID", "AN ADMINISTRATOR THERE OPENS"}, lines)
	return u.Err
}

func consentRows(a *app.App, credential string) ([]tenantimport.Row, error) {
	config, err := a.Directory.Credential(credential)
	if err != nil {
		return nil, err
	}
	if config.ClientID == "" || !config.Kind.Application() && !config.Kind.Interactive() {
		return nil, exit.Refused("give the credential of an application", "the credential %s is of the kind %s, which needs no admin consent", config.Name, config.Kind)
	}
	entries, err := a.Directory.List()
	if err != nil {
		return nil, err
	}
	rows := xslices.Map(tenants.Using(entries, config.Name), func(entry tenants.Entry) tenantimport.Row {
		return tenantimport.Row{
			"name": entry.Name, "tenant_id": entry.TenantID, "domains": strings.Join(entry.Domains, ";"), "cloud": entry.Cloud.Name,
			"owner": entry.Owner, "external_id": entry.ExternalID, "consent_url": entry.Cloud.ConsentURL(entry.TenantID, config.ClientID),
		}
	})
	if len(rows) == 0 {
		return nil, exit.Refused("mcp-partner tenants import customers.csv --credential "+phrase.ShellWord(config.Name), "no tenant uses the credential %s", config.Name)
	}
	return rows, nil
}

func writeCSV(deps *cmdutil.Deps, columns []string, rows []tenantimport.Row, output cmdutil.OutputFlags) error {
	text, err := tenantimport.EncodeColumns(columns, rows)
	if err != nil {
		return err
	}
	return output.WriteText(deps.IO, text)
}
