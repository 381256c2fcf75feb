package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

const (
	// tokenPeriod is how long counts of tokens stay in memory at most.
	tokenPeriod = time.Minute
	// maxNamedTenants bounds the length of an entry.
	maxNamedTenants = 50
)

// tokenCounts gathers what CountToken counts: credential, tenant, number.
type tokenCounts struct {
	ledger *Ledger

	mu sync.Mutex
	flushTimer
	counts map[string]map[string]int
}

func (c *tokenCounts) init(l *Ledger) { c.ledger, c.flushTimer = l, newFlushTimer() }

// CountToken counts a token that was issued. It touches memory alone; within a
// minute, and at Close, one entry a credential says how many there were. A
// crash loses what was not written yet.
func (l *Ledger) CountToken(credential, tenant string) {
	c := &l.tokens
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.add(credential, tenant, 1)
	c.set(l, tokenPeriod, c.flush)
}

// add counts. The caller holds mu.
func (c *tokenCounts) add(credential, tenant string, n int) {
	if c.counts == nil {
		c.counts = map[string]map[string]int{}
	}
	if c.counts[credential] == nil {
		c.counts[credential] = map[string]int{}
	}
	c.counts[credential][tenant] += n
}

func (c *tokenCounts) take() map[string]map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	c.counts = nil
	c.fired()
	return counts
}

// putBack keeps what could not be written for the next time.
func (c *tokenCounts) putBack(counts map[string]map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for credential, tenants := range counts {
		for tenant, n := range tenants {
			c.add(credential, tenant, n)
		}
	}
	c.set(c.ledger, tokenPeriod, c.flush)
}

func (c *tokenCounts) flush(ctx context.Context) error {
	counts := c.take()
	if len(counts) == 0 {
		return nil
	}
	var events []guard.Event
	for _, credential := range slices.Sorted(maps.Keys(counts)) {
		events = append(events, tokenEvent(c.ledger.o.Now(), credential, counts[credential]))
	}
	_, err := c.ledger.Append(ctx, events...)
	if err != nil {
		c.putBack(counts)
	}
	return err
}

func (c *tokenCounts) end(ctx context.Context) error {
	c.mu.Lock()
	c.close()
	c.mu.Unlock()
	return c.flush(ctx)
}

// tokenEvent words the tokens of one credential.
func tokenEvent(at time.Time, credential string, tenants map[string]int) guard.Event {
	identity := schemas.Identity{Credential: credential}
	names, total := slices.Sorted(maps.Keys(tenants)), 0
	var parts []string
	for i, name := range names {
		total += tenants[name]
		if i < maxNamedTenants {
			parts = append(parts, fmt.Sprintf("%s %d", name, tenants[name]))
		}
	}
	if more := len(names) - len(parts); more > 0 {
		parts = append(parts, "and "+schemas.Count(more, "more tenant"))
	}
	if len(names) == 1 {
		identity.Tenant = names[0]
	}
	return guard.Event{Time: at, Kind: guard.KindTokens, Intent: guard.Intent{Identity: identity},
		Detail: schemas.Count(total, "token") + ": " + strings.Join(parts, ", ")}
}
