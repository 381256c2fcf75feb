package tenantimport

import (
	"strconv"
	"strings"

	"mcp-partner/internal/app"
	"mcp-partner/internal/naming"
	"mcp-partner/tenants"
)

// Names are the names and domains that are taken.
type Names struct {
	names, domains map[string]bool
}

// NamesIn are those of the directory.
func NamesIn(a *app.App) (*Names, error) {
	entries, err := a.Directory.List()
	n := &Names{map[string]bool{}, map[string]bool{}}
	for _, entry := range entries {
		n.take(entry.Name)
		n.Unclaimed(entry.Domains)
	}
	return n, err
}

func (n *Names) take(name string) { n.names[naming.Fold(name)] = true }

// Suggest makes a name that is free out of what a tenant is called, else of its
// domain, else of its ID, and claims it.
func (n *Names) Suggest(called string, domains []string, tenantID string) string {
	base := tenants.SuggestName(called)
	if base == "" && len(domains) > 0 {
		label, _, _ := strings.Cut(naming.Fold(domains[0]), ".")
		base = tenants.SuggestName(label)
	}
	if base == "" {
		base = strings.TrimSuffix("tenant-"+tenants.SuggestName(tenantID[:min(len(tenantID), 8)]), "-")
	}
	name := base
	for i := 2; n.names[naming.Fold(name)]; i++ {
		name = base + "-" + strconv.Itoa(i)
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
