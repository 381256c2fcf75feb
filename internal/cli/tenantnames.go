package cli

import (
	"strconv"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/tenants"
)

// tenantNames are the names and domains that are taken.
type tenantNames struct {
	names, domains map[string]bool
}

// names are those of the directory.
func (h *house) names() (*tenantNames, error) {
	entries, err := h.directory.List()
	n := &tenantNames{map[string]bool{}, map[string]bool{}}
	for _, entry := range entries {
		n.take(entry.Name)
		n.unclaimed(entry.Domains)
	}
	return n, err
}

// take claims a name.
func (n *tenantNames) take(name string) { n.names[naming.Fold(name)] = true }

// suggest makes a name that is free out of what a tenant is called, else of its
// domain, else of its ID, and claims it.
func (n *tenantNames) suggest(called string, domains []string, tenantID string) string {
	base := tenants.SuggestName(called)
	if base == "" && len(domains) > 0 {
		label, _, _ := strings.Cut(domains[0], ".")
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

// unclaimed are the domains that can be used and that no other tenant has; it
// claims them.
func (n *tenantNames) unclaimed(domains []string) []string {
	var free []string
	for _, domain := range domains {
		if key := naming.Fold(domain); tenants.IsDomain(domain) && !n.domains[key] {
			n.domains[key] = true
			free = append(free, domain)
		}
	}
	return free
}
