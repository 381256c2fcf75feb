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
	// credentials are new.
	Credentials []tenants.CredentialConfig
	// held are the names of those whose secret the vault holds already.
	held []string
	// Said is what a person should see before agreeing.
	Said []string
	// Assumed is the credential that rows without one got because the directory
	// has no other, or empty.
	Assumed string
}

// judge looks at what the import would mean for stored secrets and for what is
// linked.
func (p *Plan) judge(ctx context.Context, a *app.App, o *Request) error {
	entries := slices.Clone(p.Diff.Added)
	for _, change := range p.Diff.Changed {
		entries = append(entries, change.After)
	}
	said, err := a.CheckDestinations(ctx, entries, p.Credentials, o.Consent.OtherAuthority)
	if err != nil {
		return err
	}
	p.Said = append(p.Said, said...)
	if o.Consent.KeepLink {
		return nil
	}
	fresh := map[string]tenants.CredentialConfig{}
	for _, config := range p.Credentials {
		fresh[naming.Fold(config.Name)] = config
	}
	for _, change := range p.Diff.Changed {
		var added []tenants.CredentialConfig
		for _, ref := range change.After.Credentials {
			if config, ok := fresh[naming.Fold(ref.Name)]; ok {
				added = append(added, config)
			}
		}
		if err := a.CheckSuccession(ctx, change.Before, change.After, added); err != nil {
			return err
		}
	}
	return nil
}

const maxMistakes = 10

type importer struct {
	options *Request
	house   *app.App
	known   map[string]tenants.CredentialConfig
	clouds  *app.Destinations
	// stored are the names of the credentials that the directory has.
	stored []string
	plan   *Plan
	// lines tell where a name or a tenant ID stood first.
	lines    map[string]int
	ca       map[string]string
	mistakes []string
}

func newImporter(a *app.App, o *Request) (*importer, error) {
	im := &importer{options: o, house: a, clouds: a.Destinations(), known: map[string]tenants.CredentialConfig{}, plan: &Plan{}, lines: map[string]int{}, ca: map[string]string{}}
	have, err := a.Directory.Credentials()
	for _, config := range have {
		im.known[naming.Fold(config.Name)] = config
		im.stored = append(im.stored, config.Name)
	}
	return im, err
}

func (im *importer) planImport(rows []numbered) (*Plan, error) {
	var entries []tenants.Entry
	for _, row := range rows {
		entry, err := im.entry(row)
		if err != nil {
			im.mistakes = append(im.mistakes, fmt.Sprintf("line %d: %s", row.line, exit.MessageOf(err)))
			continue
		}
		entries = append(entries, entry)
	}
	if len(im.mistakes) > 0 {
		return nil, im.refusal()
	}
	copied, err := im.house.Copied(im.plan.Credentials...)
	if err != nil {
		return nil, err
	}
	im.plan.Diff, err = copied.Plan(entries)
	return im.plan, err
}

func (im *importer) refusal() error {
	const next = "correct the file; nothing was changed"
	if len(im.mistakes) == 1 {
		return exit.Refused(next, "%s: %s", im.options.source(), im.mistakes[0])
	}
	shown := slices.Clone(im.mistakes[:min(len(im.mistakes), maxMistakes)])
	if more := len(im.mistakes) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return &exit.Error{Code: exit.CodeRefused, Message: fmt.Sprintf("%s has %d mistakes", im.options.source(), len(im.mistakes)), Next: next, Details: shown}
}

func (im *importer) entry(row numbered) (tenants.Entry, error) {
	entry, exists, err := im.house.Directory.Find(row.Row["name"])
	if err != nil {
		return entry, err
	}
	if !exists {
		entry = tenants.Entry{Name: row.Row["name"], Cloud: tenants.Cloud{Name: tenants.CloudPublic}}
	}
	if err := im.unique(row); err != nil {
		return entry, err
	}
	if err := im.credential(row, &entry); err != nil {
		return entry, err
	}
	if !exists {
		// For a row that says nothing about it.
		if entry.Cloud, err = im.clouds.Usual(im.known[naming.Fold(entry.Credentials[0].Name)]); err != nil {
			return entry, err
		}
	}
	if err := im.cloud(row, &entry); err != nil {
		return entry, err
	}
	row.texts(&entry)
	if entry.ExpectedPartnerID == "" {
		entry.ExpectedPartnerID = im.options.ExpectedPartner
	}
	for _, config := range im.referenced(entry) {
		if err := app.AtHome(entry, config); err != nil {
			return entry, err
		}
	}
	_, err = tenants.NewMemoryDirectory([]tenants.Entry{entry}, im.referenced(entry))
	return entry, err
}

// unique finds duplicates in the file, which would otherwise fail the import as
// a whole without a line number.
func (im *importer) unique(row numbered) error {
	for _, column := range []string{"name", "tenant_id"} {
		value := strings.ToLower(row.Row[column])
		if value == "" {
			continue
		}
		if first, twice := im.lines[column+" "+value]; twice {
			return fmt.Errorf("%s %q is also on line %d", column, untrusted.Sanitize(value), first)
		}
		im.lines[column+" "+value] = row.line
	}
	return im.uniqueDomains(row)
}

// uniqueDomains finds a domain that two rows claim: it belongs to one tenant.
func (im *importer) uniqueDomains(row numbered) error {
	for _, domain := range cellList(row.Row["domains"]) {
		key := "domain " + naming.Fold(domain)
		if first, twice := im.lines[key]; twice && first != row.line {
			return fmt.Errorf("domain %q is also on line %d", untrusted.Sanitize(domain), first)
		}
		im.lines[key] = row.line
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

func (im *importer) credential(row numbered, entry *tenants.Entry) error {
	names := cellList(row.Row["credential"])
	clientID := row.Row["client_id"]
	switch {
	case len(names) > 0:
	case len(entry.Credentials) > 0 && clientID == "":
		return nil
	case len(entry.Credentials) > 0:
		names = []string{entry.Credentials[0].Name}
	case im.options.Credential.Name != "":
		names = []string{im.options.Credential.Name}
	case clientID == "" && row.Row["kind"] == "" && len(im.stored) > 0:
		only, err := im.onlyCredential()
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
		if err := im.define(name, cells, entry.TenantID); err != nil {
			return err
		}
	}
	entry.Credentials = im.references(names, entry.Credentials)
	return nil
}

func (im *importer) onlyCredential() (string, error) {
	if len(im.stored) > 1 {
		return "", fmt.Errorf("no credential is named, and there are several: add --credential NAME with one of %s", strings.Join(im.stored, ", "))
	}
	im.plan.Assumed = im.stored[0]
	return im.stored[0], nil
}

// references keeps what is pinned for a credential that stays.
func (im *importer) references(names []string, before []tenants.CredentialRef) []tenants.CredentialRef {
	refs := make([]tenants.CredentialRef, len(names))
	for i, name := range names {
		refs[i].Name = im.known[naming.Fold(name)].Name
		for _, ref := range before {
			if naming.Same(ref.Name, name) {
				refs[i].PinnedObjectID = ref.PinnedObjectID
			}
		}
	}
	return refs
}

func (im *importer) addCredential(config tenants.CredentialConfig) error {
	if _, err := tenants.NewMemoryDirectory(nil, []tenants.CredentialConfig{config}); err != nil {
		return err
	}
	im.known[naming.Fold(config.Name)] = config
	im.plan.Credentials = append(im.plan.Credentials, config)
	return nil
}

func (im *importer) referenced(entry tenants.Entry) []tenants.CredentialConfig {
	return xslices.Map(entry.Credentials, func(ref tenants.CredentialRef) tenants.CredentialConfig { return im.known[naming.Fold(ref.Name)] })
}

// cloud changes an entry's cloud only where the row says something about it.
func (im *importer) cloud(row numbered, entry *tenants.Entry) error {
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
	next.CAPEM, err = im.authorities(cells["ca_file"], next, entry.Cloud)
	entry.Cloud = next
	return err
}

// authorities reads a CA file once. A row that names none keeps the tenant's,
// as long as it goes to the same place.
func (im *importer) authorities(path string, next, before tenants.Cloud) (string, error) {
	if path == "" && before.CAPEM != "" && sameURL(next.Authority, before.Authority) && sameURL(next.ARMEndpoint, before.ARMEndpoint) {
		return before.CAPEM, nil
	}
	if path == "" && next.Name == tenants.CloudCustom {
		path = im.options.CAFile
	}
	if pem, done := im.ca[path]; done {
		return pem, nil
	}
	pem, err := app.ReadCA(path)
	if err == nil {
		im.ca[path] = pem
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
	// maps say COLUMN=FIELD of columns that are not known.
	Maps []string
	// ExpectedPartner is for tenants that have no expected partner ID and whose
	// rows name none.
	ExpectedPartner string
	// resolve lets Entra ID be asked for the tenants of domains.
	Resolve bool
	// credential is for rows that name none.
	Credential credential.Options
	Consent    app.Consent
	// Progress is called for look-ups and their errors.
	Progress func(mistake bool, text string) error
}

// PlanTable makes rows of the file and works out what they would change.
func PlanTable(ctx context.Context, a *app.App, o *Request, file *table) (*Plan, error) {
	arranged, err := newArranger(a, o, file)
	if err != nil {
		return nil, err
	}
	rows, err := arranged.arrange(ctx)
	if err != nil {
		return nil, err
	}
	p, err := arranged.planImport(rows)
	if err != nil {
		return nil, err
	}
	p.Said = arranged.said
	if p.Assumed != "" {
		p.Said = append(p.Said, "Rows that name no credential get "+p.Assumed+", the only one there is.")
	}
	return p, nil
}

// Check refuses an import that would lose a secret or hide a link, and one whose
// assumed credential fails in another tenant.
func (p *Plan) Check(ctx context.Context, a *app.App, o *Request) error {
	if err := p.judge(ctx, a, o); err != nil {
		return err
	}
	return p.try(ctx, a, o)
}

// try signs in once with the credential that was assumed, in the first new
// tenant: an application of a single tenant fails in every other one. A failure
// stops the import, for hundreds of tenants would be added with a credential that
// nobody named. Naming it imports without a trial.
func (p *Plan) try(ctx context.Context, a *app.App, o *Request) error {
	if p.Assumed == "" || len(p.Diff.Added) == 0 {
		return nil
	}
	config, err := a.Directory.Credential(p.Assumed)
	if err != nil || config.Kind.Interactive() {
		return nil // applying the plan reports the error
	}
	entry := p.Diff.Added[0]
	if err := a.TrySignIn(ctx, entry, config, a.Store); err != nil {
		return &exit.Error{
			Code: exit.CodeFailed, Message: fmt.Sprintf("%s does not sign in to %s: %s; nothing was changed", p.Assumed, entry.Name, exit.MessageOf(err)),
			Next: afterTrial(err) + " To import without this trial, name the credential.", Command: o.command(p.Assumed, nil),
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
