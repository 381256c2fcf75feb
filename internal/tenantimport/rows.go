package tenantimport

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mcp-partner/internal/app"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/tenants"
)

// arranger makes rows of anybody's file into rows of ours: each with the name of
// its entry, and with a tenant ID.
type arranger struct {
	*importer
	file *table
	// byTenant and byDomain are the entries of the directory.
	byTenant, byDomain map[string]tenants.Entry
	names              *Names
	// first are the rows that a tenant ID stood in first.
	first map[string]numbered
	said  []string
}

// arrange returns the rows in which an import can be planned, and what should be
// seen before it is agreed to. Domains are looked up only where --resolve-domains
// says so.
func (a *arranger) arrange(ctx context.Context) (rows []numbered, err error) {
	if left := a.file.leftOut(); len(left) > 0 {
		a.said = append(a.said, "Ignored columns: "+strings.Join(left, ", ")+".")
	}
	for _, row := range a.file.rows {
		a.fromForeign(row)
		a.recognise(row)
	}
	if err := a.resolve(ctx, a.options.Resolve); err != nil {
		return nil, err
	}
	for _, row := range a.file.rows {
		if !a.again(row) {
			a.complete(row)
			rows = append(rows, row)
		}
	}
	if len(a.mistakes) > 0 {
		return nil, a.refusal()
	}
	return rows, nil
}

func newArranger(h *app.App, o *Request, file *table) (*arranger, error) {
	im, err := newImporter(h, o)
	if err != nil {
		return nil, err
	}
	entries, err := h.Directory.List()
	if err != nil {
		return nil, err
	}
	names, err := NamesIn(h)
	if err != nil {
		return nil, err
	}
	a := &arranger{importer: im, file: file, names: names, byTenant: map[string]tenants.Entry{}, byDomain: map[string]tenants.Entry{}, first: map[string]numbered{}}
	for _, entry := range entries {
		a.byTenant[entry.TenantID] = entry
		for _, domain := range entry.Domains {
			a.byDomain[naming.Fold(domain)] = entry
		}
	}
	for _, row := range file.rows {
		names.take(row.Row["name"])
	}
	return a, nil
}

// fromForeign lets an empty cell of somebody else's column clear nothing, and
// splits tags, which may have commas between.
func (a *arranger) fromForeign(row numbered) {
	if a.file.foreign("labels") {
		row.Row["labels"] = strings.ReplaceAll(row.Row["labels"], ",", ";")
	}
	for field, value := range row.Row {
		if value == "" && a.file.foreign(field) {
			delete(row.Row, field)
		}
	}
}

func (a *arranger) recognise(row numbered) {
	if row.Row["name"] != "" {
		return
	}
	if id := row.Row["tenant_id"]; id != "" {
		if entry, ok := a.byTenant[strings.ToLower(id)]; ok {
			row.Row["name"] = entry.Name
		}
		return
	}
	for _, domain := range cellList(row.Row["domains"]) {
		if entry, ok := a.byDomain[naming.Fold(domain)]; ok {
			row.Row["name"], row.Row["tenant_id"] = entry.Name, entry.TenantID
			return
		}
	}
}

// again reports whether a customer appears in the list a second time, as
// Partner Center lists customers with two relationships.
func (a *arranger) again(row numbered) bool {
	id, called := strings.ToLower(row.Row["tenant_id"]), row.Row[company]
	if id == "" || called == "" {
		return false
	}
	before, twice := a.first[id]
	if !twice {
		a.first[id] = row
		return false
	}
	if naming.Fold(before.Row[company]) != naming.Fold(called) {
		return false
	}
	a.said = append(a.said, fmt.Sprintf("Line %d was ignored: it is the same customer as line %d.", row.line, before.line))
	return true
}

func (a *arranger) complete(row numbered) {
	cells := row.Row
	if cells["name"] == "" {
		a.recognise(row) // by what was looked up
	}
	domains := cellList(cells["domains"])
	if cells["name"] == "" && (cells[company] != "" || len(domains) > 0) {
		cells["name"] = a.names.Suggest(cells[company], domains, cells["tenant_id"])
	}
	entry, _, _ := a.house.Directory.Find(cells["name"]) // a new one has no lists
	for field, have := range map[string][]string{"domains": entry.Domains, "labels": entry.Labels} {
		if cells[field] != "" && a.file.foreign(field) {
			cells[field] = joined(have, cellList(cells[field]))
		}
	}
	a.moved(row)
}

// moved finds a domain of somebody else's list that another entry has: it went to
// another tenant, which a person has to look at.
func (a *arranger) moved(row numbered) {
	if !a.file.foreign("domains") {
		return
	}
	for _, domain := range cellList(row.Row["domains"]) {
		owner, taken := a.byDomain[naming.Fold(domain)]
		if taken && naming.Fold(owner.Name) != naming.Fold(row.Row["name"]) {
			a.mistakes = append(a.mistakes, fmt.Sprintf("line %d: domain %q belongs to %s in the directory, which is another tenant", row.line, untrusted.Sanitize(domain), owner.Name))
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

// NamesIn are those of the directory.
func NamesIn(a *app.App) (*Names, error) {
	entries, err := a.Directory.List()
	n := &Names{map[string]bool{}, map[string]bool{}, map[string]int{}}
	for _, entry := range entries {
		n.take(entry.Name)
		n.Unclaimed(entry.Domains)
	}
	return n, err
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
