package tenantimport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/sync/errgroup"

	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
	"mcp-partner/signin"
	"mcp-partner/tenants"
)

// arrange returns the rows in which an import can be planned, and what should be
// seen before it is agreed to. Domains are looked up only where --resolve-domains
// says so.
func (p *Plan) arrange(ctx context.Context) (rows []numbered, err error) {
	if left := p.file.leftOut(); len(left) > 0 {
		p.Said = append(p.Said, "Ignored columns: "+strings.Join(left, ", ")+".")
	}
	for _, row := range p.file.rows {
		p.fromForeign(row)
		p.recognise(row)
	}
	if err := p.resolve(ctx, p.request.Resolve); err != nil {
		return nil, err
	}
	for _, row := range p.file.rows {
		if !p.again(row) {
			p.complete(row)
			rows = append(rows, row)
		}
	}
	if len(p.mistakes) > 0 {
		return nil, p.refusal()
	}
	return rows, nil
}

// fromForeign lets an empty cell of somebody else's column clear nothing, and
// splits tags, which may have commas between.
func (p *Plan) fromForeign(row numbered) {
	if p.file.foreign("labels") {
		row.Row["labels"] = strings.ReplaceAll(row.Row["labels"], ",", ";")
	}
	for field, value := range row.Row {
		if value == "" && p.file.foreign(field) {
			delete(row.Row, field)
		}
	}
}

func (p *Plan) recognise(row numbered) {
	if row.Row["name"] != "" {
		return
	}
	if id := row.Row["tenant_id"]; id != "" {
		if entry, ok := p.byTenant[strings.ToLower(id)]; ok {
			row.Row["name"] = entry.Name
		}
		return
	}
	for _, domain := range cellList(row.Row["domains"]) {
		if entry, ok := p.byDomain[naming.Fold(domain)]; ok {
			row.Row["name"], row.Row["tenant_id"] = entry.Name, entry.TenantID
			return
		}
	}
}

// again reports whether a customer appears in the list a second time, as
// Partner Center lists customers with two relationships.
func (p *Plan) again(row numbered) bool {
	id, called := strings.ToLower(row.Row["tenant_id"]), row.Row[company]
	if id == "" || called == "" {
		return false
	}
	before, twice := p.first[id]
	if !twice {
		p.first[id] = row
		return false
	}
	if naming.Fold(before.Row[company]) != naming.Fold(called) {
		return false
	}
	p.Said = append(p.Said, fmt.Sprintf("Line %d was ignored: it is the same customer as line %d.", row.line, before.line))
	return true
}

func (p *Plan) complete(row numbered) {
	cells := row.Row
	if cells["name"] == "" {
		p.recognise(row) // by what was looked up
	}
	domains := cellList(cells["domains"])
	if cells["name"] == "" && (cells[company] != "" || len(domains) > 0) {
		cells["name"] = p.names.Suggest(cells[company], domains, cells["tenant_id"])
	}
	entry, _, _ := p.app.Directory.Find(cells["name"]) // a new one has no lists
	for field, have := range map[string][]string{"domains": entry.Domains, "labels": entry.Labels} {
		if cells[field] != "" && p.file.foreign(field) {
			cells[field] = joined(have, cellList(cells[field]))
		}
	}
	p.moved(row)
}

// moved finds a domain of somebody else's list that another entry has: it went to
// another tenant, which a person has to look at.
func (p *Plan) moved(row numbered) {
	if !p.file.foreign("domains") {
		return
	}
	for _, domain := range cellList(row.Row["domains"]) {
		owner, taken := p.byDomain[naming.Fold(domain)]
		if taken && naming.Fold(owner.Name) != naming.Fold(row.Row["name"]) {
			p.mistakes = append(p.mistakes, fmt.Sprintf("line %d: domain %q belongs to %s in the directory, which is another tenant", row.line, untrusted.Sanitize(domain), owner.Name))
		}
	}
}

func joined(have, more []string) string {
	all := slices.Clone(have)
	for _, item := range more {
		if !slices.ContainsFunc(all, func(known string) bool { return naming.Same(known, item) }) {
			all = append(all, item)
		}
	}
	return strings.Join(all, ";")
}

// Names are the names and domains that are taken.
type Names struct {
	names, domains map[string]bool
	// next is the number from which on a name that is taken is tried.
	next map[string]int
}

// NamesOf are those of the entries of a directory.
func NamesOf(entries []tenants.Entry) *Names {
	n := &Names{map[string]bool{}, map[string]bool{}, map[string]int{}}
	for _, entry := range entries {
		n.take(entry.Name)
		n.Unclaimed(entry.Domains)
	}
	return n
}

func (n *Names) take(name string) { n.names[naming.Fold(name)] = true }

// Suggest makes a name that is free out of what a tenant is called, else of its
// domain, else of its ID, and claims it. A domain also comes first where what it is
// called is of another alphabet, so that everybody can type the name.
func (n *Names) Suggest(called string, domains []string, tenantID string) string {
	base := tenants.SuggestName(called)
	foreign := strings.ContainsFunc(base, func(r rune) bool { return r > unicode.MaxASCII })
	if (base == "" || foreign) && len(domains) > 0 {
		label, _, _ := strings.Cut(naming.Fold(domains[0]), ".")
		base = cmp.Or(tenants.SuggestName(label), base)
	}
	if base == "" {
		base = strings.TrimSuffix("tenant-"+tenants.SuggestName(tenantID[:min(len(tenantID), 8)]), "-")
	}
	name := base
	for n.names[naming.Fold(name)] {
		n.next[base] = max(2, n.next[base]+1)
		name = base + "-" + strconv.Itoa(n.next[base])
	}
	n.take(name)
	return name
}

// Unclaimed are the domains that can be used and that no other tenant has; it
// claims them.
func (n *Names) Unclaimed(domains []string) []string {
	var free []string
	for _, domain := range domains {
		if key := naming.Fold(domain); tenants.CheckDomain(domain) == nil && !n.domains[key] {
			n.domains[key] = true
			free = append(free, domain)
		}
	}
	return free
}

// lookups is how many domains are asked about at once.
const lookups = 16

// question is a domain whose tenant is not known, and where to ask.
type question struct {
	cloud  tenants.Cloud
	domain string
}

type reply struct {
	tenantID string
	err      error
}

type asked struct {
	numbered
	question
}

// resolve fills in the tenant IDs of rows that have a domain alone. It says whom
// it asks before it does.
func (p *Plan) resolve(ctx context.Context, wanted bool) error {
	open, err := p.open()
	if err != nil || len(open) == 0 {
		return err
	}
	if !wanted {
		next, ignored := "add --resolve-domains to look up their tenants in Entra ID, which sends it the domains but no credential", ""
		if leftOut := p.file.leftOut(); len(leftOut) > 0 {
			next, ignored = "say with --map \"COLUMN=tenant_id\" which column has the tenant IDs, or "+next, ", and the ignored columns are "+strings.Join(leftOut, ", ")
		}
		return exit.Refused(next, "%s with a domain and no tenant ID, the first on line %d%s; nothing was changed", phrase.Count(len(open), "row"), open[0].line, ignored)
	}
	var questions []question
	seen := map[question]bool{}
	for _, one := range open {
		if !seen[one.question] {
			seen[one.question], questions = true, append(questions, one.question)
		}
	}
	hosts := slices.Sorted(slices.Values(xslices.Map(questions, func(q question) string { return q.cloud.AuthorityHost() })))
	asking := fmt.Sprintf("Asking %s for the tenants of %s; no credential is sent.", strings.Join(slices.Compact(hosts), ", "), phrase.Count(len(questions), "domain"))
	if err := p.request.Progress(false, asking); err != nil {
		return err
	}
	replies := tenantsOf(ctx, p.app.HTTP, questions)
	if ctx.Err() != nil {
		return problems.New(problems.CodeCancelled, "The look-up of domains was stopped; nothing was changed.")
	}
	return p.fillIn(open, replies)
}

func (p *Plan) open() ([]asked, error) {
	var open []asked
	for _, row := range p.file.rows {
		domains := cellList(row.Row["domains"])
		if row.Row["tenant_id"] != "" || len(domains) == 0 {
			continue
		}
		if _, exists, _ := p.app.Directory.Find(row.Row["name"]); exists {
			continue // which keeps its tenant ID
		}
		cloud, err := p.cloudOf(row)
		if err != nil {
			return nil, exit.Refused("correct the file; nothing was changed", "%s: line %d: %s", p.request.source(), row.line, exit.MessageOf(err))
		}
		open = append(open, asked{row, question{cloud, strings.ToLower(domains[0])}})
	}
	return open, nil
}

func (p *Plan) cloudOf(row numbered) (tenants.Cloud, error) {
	name := p.request.Credential.Name
	if names := cellList(row.Row["credential"]); len(names) > 0 {
		name = names[0]
	}
	entry := tenants.Entry{Cloud: tenants.Cloud{Name: tenants.CloudPublic}}
	if config, known := p.known[naming.Fold(name)]; known {
		usual, err := p.clouds.Usual(config)
		if err != nil {
			return usual, err
		}
		entry.Cloud = usual
	}
	if err := p.cloud(row, &entry); err != nil {
		return entry.Cloud, err
	}
	if entry.Cloud.AuthorityHost() == "" {
		return entry.Cloud, errors.New("its cloud cannot be looked up: use public, usgovernment, china, or custom with its endpoints")
	}
	return entry.Cloud, nil
}

// tenantsOf stops asking a host that does not answer, so that hundreds of domains
// do not wait for it.
func tenantsOf(ctx context.Context, pool *httpclient.Pool, questions []question) map[question]reply {
	var mu sync.Mutex
	replies, silent := map[question]reply{}, map[string]int{} // look-ups since the last answer, by host
	var group errgroup.Group
	group.SetLimit(lookups)
	for _, q := range questions {
		group.Go(func() error {
			host := q.cloud.AuthorityHost()
			mu.Lock()
			asks := silent[host] < lookups
			mu.Unlock()
			r := reply{err: problems.New(problems.CodeNetwork, fmt.Sprintf("Entra ID (%s) does not answer and was not asked again for the domain %s.", host, q.domain))}
			if asks {
				r.tenantID, r.err = signin.TenantOfDomain(ctx, pool, q.cloud, q.domain)
			}
			mu.Lock()
			defer mu.Unlock()
			replies[q] = r
			if r.err != nil && slices.Contains([]problems.Code{problems.CodeNetwork, problems.CodeTimeout}, problems.As(r.err).Code) {
				silent[host]++
			} else {
				silent[host] = 0
			}
			return nil
		})
	}
	_ = group.Wait() // each reply has its own failure
	return replies
}

// fillIn gives each row the ID of its tenant, or names every row that has none
// and why: a domain that nobody knows is another mistake than a host that did not
// answer.
func (p *Plan) fillIn(open []asked, replies map[question]reply) error {
	unknown, unanswered := 0, 0
	for _, one := range open {
		r := replies[one.question]
		if r.err == nil {
			one.Row["tenant_id"] = r.tenantID
			continue
		}
		switch problems.As(r.err).Code {
		case problems.CodeTenantNotFound, problems.CodeInvalidArgument:
			unknown++
		default:
			unanswered++
		}
		if err := p.request.Progress(true, fmt.Sprintf("line %d: %s", one.line, exit.Of(r.err).Message)); err != nil {
			return err
		}
	}
	switch {
	case unknown+unanswered == 0:
		return nil
	case unanswered == 0:
		return exit.Refused("correct the domain, give a tenant_id, or take the rows out", "no tenant was found for %s; nothing was changed", phrase.Count(unknown, "domain"))
	}
	text := phrase.Count(unanswered, "domain") + " could not be looked up"
	if unknown > 0 {
		text += ", and no tenant was found for " + phrase.Count(unknown, "domain")
	}
	return exit.Failed("check the network and the proxy, then run it again", "%s; nothing was changed", text)
}
