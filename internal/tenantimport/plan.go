// Package tenantimport plans how the rows of a CSV file change the directory of
// tenants.
package tenantimport

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/internal/app"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// Plan is what an import would do.
type Plan struct {
	Diff tenants.Diff
	// Credentials are new.
	Credentials []tenants.CredentialConfig
	// Said is what a person should see before agreeing.
	Said []string
	// held are the names of new credentials whose secret the vault holds already.
	held []string
	// assumed is the credential that rows without one got because the directory
	// has no other, or empty.
	assumed string

	app     *app.App
	request *Request
	file    *table
	clouds  *app.Destinations
	// known are all credentials by their names, stored the names of those that the
	// directory has.
	known  map[string]tenants.CredentialConfig
	stored []string
	// byTenant and byDomain are the entries of the directory.
	byTenant, byDomain map[string]tenants.Entry
	names              *Names
	// first are the rows that a tenant ID stood in first, lines the lines on which a
	// name, a tenant ID or a domain did.
	first map[string]numbered
	lines map[string]int
	// ca are the files of authorities that were read.
	ca       map[string]string
	mistakes []string
}

func newPlan(a *app.App, o *Request, file *table) (*Plan, error) {
	p := &Plan{
		app: a, request: o, file: file, clouds: a.Destinations(), known: map[string]tenants.CredentialConfig{},
		byTenant: map[string]tenants.Entry{}, byDomain: map[string]tenants.Entry{},
		first: map[string]numbered{}, lines: map[string]int{}, ca: map[string]string{},
	}
	entries, have, err := a.All()
	if err != nil {
		return nil, err
	}
	for _, config := range have {
		p.known[naming.Fold(config.Name)] = config
		p.stored = append(p.stored, config.Name)
	}
	for _, entry := range entries {
		p.byTenant[entry.TenantID] = entry
		for _, domain := range entry.Domains {
			p.byDomain[naming.Fold(domain)] = entry
		}
	}
	p.names = NamesOf(entries)
	for _, row := range file.rows {
		p.names.take(row.Row["name"])
	}
	return p, nil
}

// judge looks at what the import would mean for stored secrets and for what is
// linked.
func (p *Plan) judge(ctx context.Context) error {
	entries := slices.Clone(p.Diff.Added)
	for _, change := range p.Diff.Changed {
		entries = append(entries, change.After)
	}
	said, err := p.app.CheckDestinations(ctx, entries, p.Credentials, p.request.Consent.OtherAuthority)
	if err != nil {
		return err
	}
	p.Said = append(p.Said, said...)
	if p.request.Consent.KeepLink {
		return nil
	}
	for _, change := range p.Diff.Changed {
		if err := p.app.CheckSuccession(ctx, change.Before, change.After, p.referenced(change.After)); err != nil {
			return err
		}
	}
	return nil
}

const maxMistakes = 10

// difference makes entries of the rows, and works out what they would change.
func (p *Plan) difference(rows []numbered) error {
	var entries []tenants.Entry
	for _, row := range rows {
		entry, err := p.entry(row)
		if err != nil {
			p.mistakes = append(p.mistakes, fmt.Sprintf("line %d: %s", row.line, exit.MessageOf(err)))
			continue
		}
		entries = append(entries, entry)
	}
	if len(p.mistakes) > 0 {
		return p.refusal()
	}
	copied, err := p.app.Copied(p.Credentials...)
	if err != nil {
		return err
	}
	p.Diff, err = copied.Plan(entries)
	return err
}

func (p *Plan) refusal() error {
	const next = "correct the file; nothing was changed"
	if len(p.mistakes) == 1 {
		return exit.Refused(next, "%s: %s", p.request.source(), p.mistakes[0])
	}
	return &exit.Error{Code: exit.CodeRefused, Message: fmt.Sprintf("%s has %d mistakes", p.request.source(), len(p.mistakes)), Next: next, Details: phrase.Some(p.mistakes, maxMistakes)}
}

func (p *Plan) entry(row numbered) (tenants.Entry, error) {
	entry, exists, err := p.app.Directory.Find(row.Row["name"])
	if err != nil {
		return entry, err
	}
	if !exists {
		entry = tenants.Entry{Name: row.Row["name"], Cloud: tenants.Cloud{Name: tenants.CloudPublic}}
	}
	if err := p.unique(row); err != nil {
		return entry, err
	}
	if err := p.credential(row, &entry); err != nil {
		return entry, err
	}
	if !exists {
		// For a row that says nothing about it.
		if entry.Cloud, err = p.clouds.Usual(p.known[naming.Fold(entry.Credentials[0].Name)]); err != nil {
			return entry, err
		}
	}
	if err := p.cloud(row, &entry); err != nil {
		return entry, err
	}
	row.texts(&entry)
	if entry.ExpectedPartnerID == "" {
		entry.ExpectedPartnerID = p.request.ExpectedPartner
	}
	for _, config := range p.referenced(entry) {
		if err := app.AtHome(entry, config); err != nil {
			return entry, err
		}
	}
	_, err = tenants.NewMemoryDirectory([]tenants.Entry{entry}, p.referenced(entry))
	return entry, err
}

// unique finds duplicates in the file, which would otherwise fail the import as
// a whole without a line number. A domain belongs to one tenant.
func (p *Plan) unique(row numbered) error {
	own := map[string][]string{"name": {strings.ToLower(row.Row["name"])}, "tenant_id": {strings.ToLower(row.Row["tenant_id"])}, "domain": cellList(row.Row["domains"])}
	for _, what := range []string{"name", "tenant_id", "domain"} {
		for _, value := range own[what] {
			key := what + " " + naming.Fold(value)
			if first, twice := p.lines[key]; twice && first != row.line {
				return fmt.Errorf("%s %q is also on line %d", what, untrusted.Sanitize(value), first)
			}
			if value != "" {
				p.lines[key] = row.line
			}
		}
	}
	return nil
}

// texts sets what needs no thought. A column that the file does not have keeps
// what is there.
func (row numbered) texts(entry *tenants.Entry) {
	if id := row.Row["tenant_id"]; id != "" {
		entry.TenantID = id
	}
	for column, field := range map[string]*string{
		"expected_partner_id": &entry.ExpectedPartnerID, company: &entry.Company, "owner": &entry.Owner, "external_id": &entry.ExternalID, "note": &entry.Note,
	} {
		if value, ok := row.Row[column]; ok {
			*field = value
		}
	}
	for column, field := range map[string]*[]string{"domains": &entry.Domains, "labels": &entry.Labels} {
		if value, ok := row.Row[column]; ok {
			*field = cellList(value)
		}
	}
}

func (p *Plan) credential(row numbered, entry *tenants.Entry) error {
	names := cellList(row.Row["credential"])
	clientID := row.Row["client_id"]
	switch {
	case len(names) > 0:
	case len(entry.Credentials) > 0 && clientID == "":
		return nil
	case len(entry.Credentials) > 0:
		names = []string{entry.Credentials[0].Name}
	case p.request.Credential.Name != "":
		names = []string{p.request.Credential.Name}
	case clientID == "" && row.Row["kind"] == "" && len(p.stored) > 0:
		only, err := p.onlyCredential()
		if err != nil {
			return err
		}
		names = []string{only}
	default:
		names = []string{entry.Name}
	}
	for i, name := range names {
		cells := Row{}
		if i == 0 {
			cells = row.Row // which describe the first
		}
		if err := p.define(name, cells, entry.TenantID); err != nil {
			return err
		}
	}
	entry.Credentials = p.references(names, entry.Credentials)
	return nil
}

func (p *Plan) onlyCredential() (string, error) {
	if len(p.stored) > 1 {
		return "", fmt.Errorf("no credential is named, and there are several: add --credential NAME with one of %s", strings.Join(p.stored, ", "))
	}
	p.assumed = p.stored[0]
	return p.stored[0], nil
}

// references keeps what is pinned for a credential that stays.
func (p *Plan) references(names []string, before []tenants.CredentialRef) []tenants.CredentialRef {
	refs := make([]tenants.CredentialRef, len(names))
	for i, name := range names {
		refs[i].Name = p.known[naming.Fold(name)].Name
		for _, ref := range before {
			if naming.Same(ref.Name, name) {
				refs[i].PinnedObjectID = ref.PinnedObjectID
			}
		}
	}
	return refs
}

func (p *Plan) addCredential(config tenants.CredentialConfig) error {
	if _, err := tenants.NewMemoryDirectory(nil, []tenants.CredentialConfig{config}); err != nil {
		return err
	}
	p.known[naming.Fold(config.Name)] = config
	p.Credentials = append(p.Credentials, config)
	return nil
}

func (p *Plan) referenced(entry tenants.Entry) []tenants.CredentialConfig {
	return xslices.Map(entry.Credentials, func(ref tenants.CredentialRef) tenants.CredentialConfig { return p.known[naming.Fold(ref.Name)] })
}

// cloud changes an entry's cloud only where the row says something about it.
func (p *Plan) cloud(row numbered, entry *tenants.Entry) error {
	cells := row.Row
	if cells["cloud"]+cells["arm_endpoint"]+cells["arm_audience"]+cells["authority"]+cells["ca_file"] == "" {
		return nil
	}
	next := tenants.Cloud{Name: cmp.Or(cells["cloud"], entry.Cloud.Name), ARMEndpoint: cells["arm_endpoint"], ARMAudience: cells["arm_audience"], Authority: cells["authority"]}
	if text := cells["skip_instance_discovery"]; text != "" {
		skip, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return fmt.Errorf("skip_instance_discovery is not true or false")
		}
		next.SkipInstanceDiscovery = skip
	}
	var err error
	next.CAPEM, err = p.authorities(cells["ca_file"], next, entry.Cloud)
	entry.Cloud = next
	return err
}

// authorities reads a CA file once. A row that names none keeps the tenant's,
// as long as it goes to the same place.
func (p *Plan) authorities(path string, next, before tenants.Cloud) (string, error) {
	if path == "" && before.CAPEM != "" && sameURL(next.Authority, before.Authority) && sameURL(next.ARMEndpoint, before.ARMEndpoint) {
		return before.CAPEM, nil
	}
	if path == "" && next.Name == tenants.CloudCustom {
		path = p.request.CAFile
	}
	if pem, done := p.ca[path]; done {
		return pem, nil
	}
	pem, err := app.ReadCA(path)
	if err == nil {
		p.ca[path] = pem
	}
	return pem, err
}

func sameURL(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}

// Request says what is imported, and how its rows are read.
type Request struct {
	// File is the CSV file, or - for In; CAFile has the authorities for rows of a
	// custom cloud that name none.
	File, CAFile string
	In           io.Reader
	// Maps say COLUMN=FIELD of columns that are not known.
	Maps []string
	// ExpectedPartner is for tenants that have no expected partner ID and whose
	// rows name none.
	ExpectedPartner string
	// Resolve lets Entra ID be asked for the tenants of domains.
	Resolve bool
	// Credential is for rows that name none.
	Credential credential.Options
	Consent    app.Consent
	// Progress is called for look-ups and their errors.
	Progress func(mistake bool, text string) error
}

// PlanTable makes rows of the file and works out what they would change.
func PlanTable(ctx context.Context, a *app.App, o *Request, file *table) (*Plan, error) {
	p, err := newPlan(a, o, file)
	if err != nil {
		return nil, err
	}
	rows, err := p.arrange(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.difference(rows); err != nil {
		return nil, err
	}
	if p.assumed != "" {
		p.Said = append(p.Said, "Rows that name no credential get "+p.assumed+", the only one there is.")
	}
	return p, nil
}

// Check refuses an import that would lose a secret or hide a link, and one whose
// assumed credential fails in another tenant.
func (p *Plan) Check(ctx context.Context) error {
	if err := p.judge(ctx); err != nil {
		return err
	}
	return p.try(ctx)
}

// try signs in once with the credential that was assumed, in the first new
// tenant: an application of a single tenant fails in every other one. A failure
// stops the import, for hundreds of tenants would be added with a credential that
// nobody named. Naming it imports without a trial.
func (p *Plan) try(ctx context.Context) error {
	if p.assumed == "" || len(p.Diff.Added) == 0 {
		return nil
	}
	config, err := p.app.Directory.Credential(p.assumed)
	if err != nil || config.Kind.Interactive() {
		return nil // applying the plan reports the error
	}
	entry := p.Diff.Added[0]
	if err := p.app.TrySignIn(ctx, entry, config, p.app.Store); err != nil {
		return &exit.Error{
			Code: exit.CodeFailed, Message: fmt.Sprintf("%s does not sign in to %s: %s; nothing was changed", p.assumed, entry.Name, exit.MessageOf(err)),
			Next: afterTrial(err) + " To import without this trial, name the credential.", Command: p.request.command(p.assumed, nil),
		}
	}
	return nil
}

// afterTrial is the next step after a trial that failed. Only a tenant that does
// not know the application may have met one of a single tenant.
func afterTrial(err error) string {
	problem := problems.As(err)
	if problem.Code == problems.CodeConsentMissing {
		return "An application that is registered for a single tenant signs in to no other; otherwise that customer has to consent."
	}
	return phrase.ForPerson(problem.Hint)
}
