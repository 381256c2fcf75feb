package pec

import "sync"

// mostCached bounds the names that are kept.
const mostCached = 10_000

// NameCache keeps definitions of roles by tenant and GUID. It is safe for
// concurrent use, and nil keeps nothing.
type NameCache struct {
	mu    sync.Mutex
	roles map[string]Role
}

func (c *NameCache) get(key string) (Role, bool) {
	if c == nil {
		return Role{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	role, ok := c.roles[key]
	return role, ok
}

func (c *NameCache) put(key string, role Role) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.roles == nil || len(c.roles) >= mostCached {
		c.roles = map[string]Role{}
	}
	c.roles[key] = role
}
