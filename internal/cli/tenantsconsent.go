package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/tenants"
)

type consentLinksOptions struct {
	credential, output string
	csv, force         bool
}

// newTenantsConsentLinks builds `tenants consent-links`.
func newTenantsConsentLinks(f *Factory) *cobra.Command {
	options := &consentLinksOptions{}
	command := &cobra.Command{
		Use:   "consent-links",
		Short: "List the page of each tenant on which an administrator consents to an application",
		Long: `List, for each tenant that uses a credential, the page on which an administrator of
that tenant consents to the credential's application. Send each customer the own one.
There is no secret in it: whoever opens it has to sign in there as an administrator.
With --csv, or into a file, the rows are CSV. Nothing is asked over the network, so
tenants that consented already are listed too; mcp-partner doctor says which did not.`,
		Example: `  mcp-partner tenants consent-links --credential partner-app
  mcp-partner tenants consent-links --credential partner-app --csv -o consent.csv`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return runTenantsConsentLinks(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.credential, "credential", "", "`NAME` of the credential whose application is consented to")
	flags.BoolVar(&options.csv, "csv", false, "print CSV")
	flags.StringVarP(&options.output, "output", "o", "", "write CSV to this `FILE` instead of standard output")
	flags.BoolVar(&options.force, "force", false, "let --output replace a file")
	return command
}

// consentColumns are those of the list as CSV.
func consentColumns() []string {
	return []string{"name", "tenant_id", "domains", "cloud", "owner", "external_id", "consent_url"}
}

func runTenantsConsentLinks(_ context.Context, f *Factory, o *consentLinksOptions) error {
	if o.credential == "" {
		return usage("mcp-partner vault list shows the names", "--credential is missing")
	}
	h, err := f.openHouse(keyOptions{}, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	rows, err := h.consentRows(o.credential)
	if err != nil {
		return err
	}
	if o.csv || o.output != "" {
		return f.writeCSV(consentColumns(), rows, o.output, o.force)
	}
	u := f.IO.ui()
	lines := make([][]string, len(rows))
	for i, row := range rows {
		lines[i] = []string{row["name"], row["tenant_id"], row["consent_url"]}
	}
	u.table([]string{"NAME", "TENANT ID", "AN ADMINISTRATOR THERE OPENS"}, lines)
	return u.err
}

// consentRows are the tenants that use a credential, with their pages.
func (h *house) consentRows(credential string) ([]tenantRow, error) {
	config, err := h.directory.Credential(credential)
	if err != nil {
		return nil, err
	}
	if config.ClientID == "" || !config.Kind.Application() && !config.Kind.Person() {
		return nil, refused("give the credential of an application", "the credential %s is of the kind %s, and no administrator consents to it here", config.Name, config.Kind)
	}
	entries, err := h.directory.List()
	if err != nil {
		return nil, err
	}
	var rows []tenantRow
	for _, entry := range entries {
		if usesAny(entry, []string{config.Name}) {
			rows = append(rows, consentRow(entry, config.ClientID))
		}
	}
	if len(rows) == 0 {
		return nil, refused("mcp-partner tenants import customers.csv --credential "+shellWord(config.Name), "no tenant uses the credential %s", config.Name)
	}
	return rows, nil
}

func consentRow(entry tenants.Entry, clientID string) tenantRow {
	return tenantRow{
		"name": entry.Name, "tenant_id": entry.TenantID, "domains": strings.Join(entry.Domains, ";"), "cloud": entry.Cloud.Name,
		"owner": entry.Owner, "external_id": entry.ExternalID, "consent_url": entry.Cloud.ConsentURL(entry.TenantID, clientID),
	}
}

// writeCSV writes rows to a file, or to standard output where none is named.
func (f *Factory) writeCSV(columns []string, rows []tenantRow, output string, force bool) error {
	text, err := encodeColumns(columns, rows)
	if err != nil {
		return err
	}
	if output != "" {
		return writeOutput(output, text, force)
	}
	return f.printCSV(text)
}

// printCSV shows CSV, on a terminal without what could move or hide anything.
func (f *Factory) printCSV(text []byte) error {
	if f.IO.OutTTY {
		text = []byte(escapeJSON(strings.ReplaceAll(string(text), "\r\n", "\n")))
	}
	_, err := f.IO.Out.Write(text)
	return err
}
