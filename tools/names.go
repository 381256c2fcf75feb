package tools

import (
	"slices"
	"sync"

	"mcp-partner/schemas"
	"mcp-partner/search"
)

// maxNames is how many different lists of tenants are kept: callers who were
// given the same tenants share one.
const maxNames = 16

// nameCache keeps the intent search's indexes of tenant names for as long as the
// directory and what callers were given stay what they were. An index is used
// for exactly the list that it was made of.
type nameCache struct {
	mu   sync.Mutex
	kept []namesOf // the one used last comes first
}

type namesOf struct {
	given []search.TenantName
	index *search.Names
}

func (c *nameCache) of(tenants []schemas.Tenant) *search.Names {
	names := make([]search.TenantName, 0, len(tenants))
	for _, t := range tenants {
		names = append(names, search.TenantName{Name: t.Name, TenantID: t.TenantID, Domains: t.Domains, DisplayName: t.Company})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.kept, func(k namesOf) bool { return slices.EqualFunc(names, k.given, sameName) })
	if i < 0 {
		c.kept = append(c.kept, namesOf{names, search.NewNames(names)})
		i = len(c.kept) - 1
	}
	found := c.kept[i]
	c.kept = slices.Insert(slices.Delete(c.kept, i, i+1), 0, found)
	c.kept = c.kept[:min(maxNames, len(c.kept))]
	return found.index
}

func sameName(a, b search.TenantName) bool {
	return a.Name == b.Name && a.TenantID == b.TenantID && a.DisplayName == b.DisplayName && slices.Equal(a.Domains, b.Domains)
}
