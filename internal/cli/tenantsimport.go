package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/tenants"
)

type importOptions struct {
	importRequest
	yes  bool
	keys keyOptions
}

// importRequest says what is imported, and how its rows are read.
type importRequest struct {
	// file is the CSV file; caFile has the authorities for rows of a custom cloud
	// that name none.
	file, caFile string
	// maps say COLUMN=FIELD of columns that are not known.
	maps []string
	// resolve lets Entra ID be asked for the tenants of domains.
	resolve bool
	// credential is for rows that name none.
	credential credentialOptions
	consent    consentOptions
	// progress is told of look-ups and of their mistakes.
	progress func(mistake bool, text string) error
}

// newTenantsImport builds `tenants import`.
func newTenantsImport(f *Factory) *cobra.Command {
	options := &importOptions{}
	command := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Add and change tenants from a CSV file",
		Long: `Add and change tenants from a CSV file; tenants are matched by name, or where there
is none by tenant ID or domain, and those that the file does not name stay. The
difference is shown first; on a terminal you are asked, elsewhere --yes is needed. A
file with a mistake changes nothing.

Columns, in any order, of which name, company or domains is needed:
  name, tenant_id, credential, client_id, domains, expected_partner_id, labels,
  owner, external_id, note, cloud, arm_endpoint, arm_audience, authority, ca_file,
  skip_instance_discovery, kind, expires, assertion, home_tenant, identity, company
Several domains, labels or credentials in a cell have ; or | between. A column that
is missing keeps what a tenant has; a cell that is empty clears it, but for
tenant_id, credential and the cloud. The file is UTF-8, or UTF-16 that says so, with
commas, semicolons or tabs. Headers are compared without case, spaces and dashes.

Partner Center's export of customers is taken as it is: Microsoft ID is the tenant_id,
Company name the company, Primary domain name a domain, Tags are labels, Relationship
is left out. Its domains and tags are added to those that an entry has, and its empty
cells clear nothing. For other files --map "COLUMN=FIELD" says what a column is; what
is not known is then left out, and named. A new row without a name gets one made of
its company, else of its domain; the company becomes the note if there is none.

With --resolve-domains a new row that has a domain and no tenant_id gets it from Entra
ID's public discovery document: the domain is sent there, and no credential.

kind and what follows it describe a new credential: assertion is a token file or
the word github, identity a resource ID or an object ID. Secrets and certificates
are given afterwards, or for one credential at once.

Rows that name no credential get that of --credential. A secret on standard input
is for --credential, or for the one credential that the file names.

A new tenant that shares a credential and names no cloud is in the cloud of the
others. A stored secret goes elsewhere than so far only with
--allow-other-authority. Another tenant ID or credential is refused while the
identity that acted there holds a link, or while that cannot be told, unless
--keep-link is given.`,
		Example: `  mcp-partner tenants import customers.csv
  mcp-partner tenants import Customers.csv --credential partner-app
  mcp-partner tenants import crm.csv --map "Kunde=company" --map "Domain=domains" --resolve-domains
  mcp-partner tenants import customers.csv --credential shared-app --client-id GUID --secret-stdin --yes < secret.txt`,
		Args: oneArgument("the CSV file"),
		RunE: func(command *cobra.Command, args []string) error {
			options.file = args[0]
			return runTenantsImport(command.Context(), f, options)
		},
	}
	options.add(command.Flags())
	return command
}

func (o *importOptions) add(flags *pflag.FlagSet) {
	flags.BoolVar(&o.yes, "yes", false, "make the change without asking")
	flags.StringVar(&o.caFile, "ca-file", "", "trust only the certificate authorities in this `FILE`, for rows of a custom cloud that name none")
	flags.Var((*list)(&o.maps), "map", "a `COLUMN=FIELD` of the file, or COLUMN= to leave the column out; may be given again")
	flags.BoolVar(&o.resolve, "resolve-domains", false, "ask Entra ID, without a credential, for the tenants of rows that have a domain alone")
	o.credential.add(flags)
	o.consent.add(flags)
	o.consent.addKeepLink(flags)
	config.Typed(flags, "ca-file", "map", "resolve-domains")
	o.keys.add(flags)
}

func runTenantsImport(ctx context.Context, f *Factory, o *importOptions) error {
	file, err := o.readTable()
	if err != nil {
		return err
	}
	h, err := f.openHouse(o.keys, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	u := f.IO.ui()
	o.progress = func(mistake bool, text string) error {
		u.line(map[bool]style{true: bad, false: dim}[mistake], text)
		return u.err
	}
	p, err := planTable(ctx, h, &o.importRequest, file)
	if err != nil {
		return err
	}
	if err := p.judge(ctx, h, &o.importRequest); err != nil {
		return err
	}
	u.difference(p)
	if p.diff.Empty() && len(p.credentials) == 0 && !o.credential.given() || u.err != nil {
		return u.err
	}
	if err := f.agree(ctx, o.yes); err != nil {
		return err
	}
	if err := f.apply(ctx, h, &o.importRequest, p); err != nil {
		return err
	}
	u.linef(good, "%d added, %d changed.", len(p.diff.Added), len(p.diff.Changed))
	for _, missing := range p.withoutSecret(&o.importRequest) {
		u.field("next", missing.command())
	}
	return u.err
}

// plan makes rows of the file and works out what they would change.
func planTable(ctx context.Context, h *house, o *importRequest, file *table) (*importPlan, error) {
	rows, said, err := arrange(ctx, h, o, file)
	if err != nil {
		return nil, err
	}
	p, err := planImport(h, o, rows)
	if err != nil {
		return nil, err
	}
	p.said = said
	return p, nil
}

func (o *importRequest) readTable() (*table, error) {
	maps, err := columnMapOf(o.maps)
	if err != nil {
		return nil, err
	}
	data, err := readCSV(o.file)
	if err != nil {
		return nil, err
	}
	file, err := decodeCSV(data, maps)
	if err != nil {
		return nil, refused("correct the file; nothing was changed", "%s: %s", o.file, err)
	}
	return file, nil
}

func readCSV(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, usage("give the path of a CSV file", "%s is no file that can be read", path)
	}
	if info.Size() > maxCSV {
		return nil, usage("split it", "%s is larger than %d MiB", path, maxCSV>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("give the path of a CSV file", "%s cannot be read", path)
	}
	return data, nil
}

// agree asks on a terminal whether the difference is meant.
func (f *Factory) agree(ctx context.Context, yes bool) error {
	if yes {
		return nil
	}
	nobody := &exit{code: ExitApprovalRequired, message: "nothing was changed: somebody has to agree, and there is no terminal to ask on", next: "look at the difference, then give --yes"}
	if !f.IO.attended() {
		return nobody
	}
	terminal, err := f.IO.Terminal()
	if err != nil {
		return nobody
	}
	defer terminal.Close()
	typed, err := terminal.Ask(ctx, "Make this change? Type yes: ", false)
	if err != nil || typed != "yes" {
		return refused("", "nothing was changed")
	}
	return nil
}

// apply stores the secret, then the credentials, then the tenants, so that
// nothing is ever named before it is there.
func (f *Factory) apply(ctx context.Context, h *house, o *importRequest, p *importPlan) error {
	if err := p.adopt(ctx, h, o); err != nil {
		return err
	}
	if o.credential.given() {
		if err := p.takeSecret(ctx, f, h, o); err != nil {
			return err
		}
	}
	for _, config := range p.credentials {
		if err := h.directory.AddCredential(ctx, config); err != nil {
			return err
		}
	}
	if err := h.directory.Apply(ctx, p.diff); err != nil {
		return err
	}
	changed := make([]tenants.Entry, len(p.diff.Changed))
	for i, change := range p.diff.Changed {
		changed[i] = change.After
	}
	f.record(ctx, h, guard.KindDirectory, "Tenants were imported; added: %s; changed: %s.", namesOf(p.diff.Added), namesOf(changed))
	return nil
}

// difference shows what would change, field by field.
func (u *ui) difference(p *importPlan) {
	for _, config := range p.credentials {
		u.linef(good, "+ credential %s (%s%s)", config.Name, config.Kind, map[bool]string{true: " " + config.ClientID}[config.ClientID != ""])
	}
	u.additions(p.diff.Added)
	for _, change := range p.diff.Changed {
		u.linef(warn, "~ %s", change.After.Name)
		for _, line := range changes(change.Before, change.After) {
			u.line(plain, "    "+line)
		}
	}
	for _, text := range p.said {
		u.line(warn, text)
	}
	u.linef(bold, "%d to add, %d to change, %d stay as they are.", len(p.diff.Added), len(p.diff.Changed), len(p.diff.Unchanged))
}

// additions shows new tenants, one on a line.
func (u *ui) additions(entries []tenants.Entry) {
	if len(entries) == 0 {
		return
	}
	columns := tenantColumns()
	header, rows := make([]string, len(columns)+1), make([][]string, len(entries))
	for i, column := range columns {
		header[i+1] = strings.ToUpper(strings.ReplaceAll(column, "_", " "))
	}
	for i, entry := range entries {
		row := rowOf(entry, tenants.CredentialConfig{})
		rows[i] = []string{"+"}
		for _, column := range columns {
			rows[i] = append(rows[i], row[column])
		}
	}
	u.table(header, rows)
}

func changes(before, after tenants.Entry) []string {
	was, is := rowOf(before, tenants.CredentialConfig{}), rowOf(after, tenants.CredentialConfig{})
	var lines []string
	for _, column := range tenantColumns() {
		if was[column] != is[column] {
			lines = append(lines, fmt.Sprintf("%s: %q -> %q", column, was[column], is[column]))
		}
	}
	if before.Cloud.CAPEM != after.Cloud.CAPEM {
		lines = append(lines, "certificate authorities: other ones")
	}
	if len(lines) == 0 {
		lines = append(lines, "pinned object ID: forgotten")
	}
	return lines
}
