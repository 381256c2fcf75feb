package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

type discoverOptions struct {
	credential, tenant, output string
	json, csv, force           bool
	keys                       keyOptions
}

// newTenantsDiscover builds `tenants discover`.
func newTenantsDiscover(f *Factory) *cobra.Command {
	options := &discoverOptions{}
	command := &cobra.Command{
		Use:   "discover",
		Short: "List the tenants that a credential reaches",
		Long: `Ask Azure Resource Manager which tenants a credential reaches, and say which are in
the directory. It is for credentials of people (azure-cli, device-code, browser): a
service principal sees only its own tenant, whatever else it was consented to in.

Tenants that are reached through Azure Lighthouse are marked. They are not linked one
by one: link once, in the managing tenant.

With --csv, or into a file, it writes the tenants that are neither in the directory
nor of Lighthouse, as tenants import takes them. It begins in a tenant of the
directory that uses the credential: the first, or --tenant.`,
		Example: `  mcp-partner tenants discover --credential alice
  mcp-partner tenants discover --credential alice --csv -o found.csv
  mcp-partner tenants import found.csv`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return runTenantsDiscover(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.credential, "credential", "", "`NAME` of the credential")
	flags.StringVar(&options.tenant, "tenant", "", "begin in this `TENANT`")
	flags.BoolVar(&options.json, "json", false, "print {\"tenants\":[...],\"notes\":[...]}")
	flags.BoolVar(&options.csv, "csv", false, "print CSV, as tenants import takes it")
	flags.StringVarP(&options.output, "output", "o", "", "write CSV to this `FILE` instead of standard output")
	flags.BoolVar(&options.force, "force", false, "let --output replace a file")
	options.keys.add(flags)
	return command
}

// foundTenant is a tenant that a credential reaches.
type foundTenant struct {
	schemas.TenantRow
	// Lighthouse is true for a tenant that is reached by delegation.
	Lighthouse bool `json:"lighthouse"`
}

// discovery is what was found, and what to know about it.
type discovery struct {
	Credential string        `json:"credential"`
	From       string        `json:"from"`
	Tenants    []foundTenant `json:"tenants"`
	Notes      []string      `json:"notes"`
}

func runTenantsDiscover(ctx context.Context, f *Factory, o *discoverOptions) error {
	switch {
	case o.credential == "":
		return usage("mcp-partner vault list shows the names", "--credential is missing")
	case o.json && (o.csv || o.output != ""):
		return usage("leave one out", "--json does not go with --csv and --output")
	}
	h, err := f.openHouse(o.keys, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	found, err := h.discover(ctx, o)
	if err != nil {
		return err
	}
	switch {
	case o.json:
		return f.IO.printJSON(found)
	case o.csv || o.output != "":
		return f.writeDiscovery(h, found, o)
	}
	return f.showDiscovery(found)
}

// discover asks ARM, in a tenant where the credential is used already.
func (h *house) discover(ctx context.Context, o *discoverOptions) (discovery, error) {
	config, err := h.directory.Credential(o.credential)
	if err != nil {
		return discovery{}, err
	}
	entry, err := h.startOf(config, o.tenant)
	if err != nil {
		return discovery{}, err
	}
	client, err := h.clients.Client(ctx, entry.Tenant(), config.Name)
	if err != nil {
		return discovery{}, err
	}
	rows, _, err := client.Tenants(ctx)
	if err != nil {
		return discovery{}, err
	}
	tenants, err := h.known(rows)
	found := discovery{Credential: config.Name, From: entry.Name, Tenants: tenants}
	found.Notes = notesOf(config, tenants)
	return found, err
}

// startOf is the tenant in which a discovery begins: the one that is asked for,
// else the first that uses the credential.
func (h *house) startOf(config tenants.CredentialConfig, asked string) (tenants.Entry, error) {
	if asked != "" {
		return h.directory.Resolve(asked)
	}
	entries, err := h.directory.List()
	if err != nil {
		return tenants.Entry{}, err
	}
	for _, entry := range entries {
		if usesAny(entry, []string{config.Name}) {
			return entry, nil
		}
	}
	return tenants.Entry{}, refused("mcp-partner tenants add NAME --tenant-id GUID --credential "+shellWord(config.Name),
		"no tenant uses the credential %s, so there is nowhere to begin", config.Name)
}

// known marks what is in the directory, and what is of Lighthouse.
func (h *house) known(rows []schemas.TenantRow) ([]foundTenant, error) {
	entries, err := h.directory.List()
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
		return strings.Compare(a.DisplayName+"\x00"+a.TenantID, b.DisplayName+"\x00"+b.TenantID)
	})
	return found, err
}

// notesOf is what somebody who reads the list has to know.
func notesOf(config tenants.CredentialConfig, found []foundTenant) []string {
	notes := []string{}
	switch {
	case config.Kind.Application() || config.Kind == tenants.KindManagedIdentity:
		notes = append(notes, "A service principal sees only its own tenant here: this is not the list of the tenants that consented to it.")
	case !config.Kind.Person():
		notes = append(notes, fmt.Sprintf("If %s signs in as a service principal, this is its own tenant alone.", config.Name))
	}
	if n := countLighthouse(found); n > 0 {
		notes = append(notes, count(n, "tenant")+" reached through Azure Lighthouse, which are not linked one by one: link once, in the managing tenant.")
	}
	return notes
}

func countLighthouse(found []foundTenant) int {
	n := 0
	for _, tenant := range found {
		if tenant.Lighthouse {
			n++
		}
	}
	return n
}

func (f *Factory) showDiscovery(found discovery) error {
	u := f.IO.ui()
	rows := make([][]string, len(found.Tenants))
	for i, tenant := range found.Tenants {
		domain, how := "", tenant.Category
		if len(tenant.Domains) > 0 {
			domain = tenant.Domains[0]
		}
		if tenant.Lighthouse {
			how += " (Lighthouse)"
		}
		name := tenant.Name
		if !tenant.InDirectory {
			name = "-"
		}
		rows[i] = []string{name, tenant.TenantID, tenant.DisplayName, domain, how}
	}
	u.table([]string{"IN DIRECTORY", "TENANT ID", "DISPLAY NAME", "DOMAIN", "CATEGORY"}, rows)
	for _, note := range found.Notes {
		u.line(warn, note)
	}
	return u.err
}

// writeDiscovery writes what can be imported, and says beside it what was left
// out.
func (f *Factory) writeDiscovery(h *house, found discovery, o *discoverOptions) error {
	rows, err := h.importable(found)
	if err != nil {
		return err
	}
	if err := f.writeCSV([]string{"name", "tenant_id", "credential", "domains", "note"}, rows, o.output, o.force); err != nil {
		return err
	}
	u := &ui{out: f.IO.Err}
	lighthouse := countLighthouse(found.Tenants)
	u.linef(plain, "%s to import; left out: %d in the directory, %d of Lighthouse.",
		count(len(rows), "tenant"), len(found.Tenants)-lighthouse-len(rows), lighthouse)
	for _, note := range found.Notes {
		u.line(plain, note)
	}
	return u.err
}

// importable are the tenants that the directory does not have and that are
// linked for themselves. The foreign name of each becomes its note.
func (h *house) importable(found discovery) ([]tenantRow, error) {
	names, err := h.names()
	if err != nil {
		return nil, err
	}
	var rows []tenantRow
	for _, tenant := range found.Tenants {
		if tenant.InDirectory || tenant.Lighthouse {
			continue
		}
		domains := names.unclaimed(tenant.Domains)
		rows = append(rows, tenantRow{
			"name": names.suggest(tenant.DisplayName, domains, tenant.TenantID), "tenant_id": tenant.TenantID,
			"credential": found.Credential, "domains": strings.Join(domains, ";"), "note": tenant.DisplayName,
		})
	}
	return rows, nil
}
