package tenants

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/tenantimport"
	"mcp-partner/internal/xslices"
	"mcp-partner/tenants"
)

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
		Long: `List, for each tenant that uses a credential, the page on which an administrator of
that tenant consents to the credential's application. Send each customer their own
link. It contains no secret: the person who opens it signs in as an administrator. With --csv
or --output the rows are CSV. The command makes no request, so it also lists tenants
that have consented; mcp-partner doctor names those that have not.`,
		Example: `  mcp-partner tenants consent-links --credential partner-app
  mcp-partner tenants consent-links --credential partner-app --csv -o consent.csv`,
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
