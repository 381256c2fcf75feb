package tools

import (
	"slices"
	"sync"

	"mcp-partner/schemas"
	"mcp-partner/search"
)

// nameCache keeps the intent search's index of tenant names for as long as the
// directory stays what it was.
type nameCache struct {
	mu    sync.Mutex
	given []search.TenantName
	index *search.Names
}

func (c *nameCache) of(tenants []schemas.Tenant) *search.Names {
	names := make([]search.TenantName, 0, len(tenants))
	for _, t := range tenants {
		names = append(names, search.TenantName{Name: t.Name, TenantID: t.TenantID, Domains: t.Domains})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.index == nil || !slices.EqualFunc(names, c.given, sameName) {
		c.given, c.index = names, search.NewNames(names)
	}
	return c.index
}

func sameName(a, b search.TenantName) bool {
	return a.Name == b.Name && a.TenantID == b.TenantID && slices.Equal(a.Domains, b.Domains)
}
