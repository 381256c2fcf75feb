package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
)

const (
	// tokenPeriod is how long counts of tokens stay in memory at most.
	tokenPeriod = time.Minute
	// maxNamedTenants bounds the length of an entry.
	maxNamedTenants = 50
)

// tokenCounts gathers what CountToken counts: credential, tenant, number.
type tokenCounts struct {
	flushTimer
	counts map[string]map[string]int
}

// CountToken counts a token that was issued. It touches memory alone; within a
// minute, and at Close, one entry a credential says how many there were. A
// crash loses what was not written yet.
func (l *Ledger) CountToken(credential, tenant string) {
	c := &l.tokens
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.add(credential, tenant, 1)
	}
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
	c.set(tokenPeriod, c.flush)
}

// flush writes what was counted. What cannot be written is kept for the next time.
func (c *tokenCounts) flush(ctx context.Context) error {
	c.mu.Lock()
	counts := c.counts
	c.counts, c.stop = nil, nil // set begins anew
	c.mu.Unlock()
	if len(counts) == 0 {
		return nil
	}
	events := xslices.Map(slices.Sorted(maps.Keys(counts)), func(credential string) guard.Event {
		return tokenEvent(c.ledger.o.Now(), credential, counts[credential])
	})
	_, err := c.ledger.Append(ctx, events...)
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for credential, tenants := range counts {
		for tenant, n := range tenants {
			c.add(credential, tenant, n)
		}
	}
	return err
}

// tokenEvent words the tokens of one credential.
func tokenEvent(at time.Time, credential string, tenants map[string]int) guard.Event {
	identity := answers.Identity{Credential: credential}
	names, total := slices.Sorted(maps.Keys(tenants)), 0
	var parts []string
	for i, name := range names {
		total += tenants[name]
		if i < maxNamedTenants {
			parts = append(parts, fmt.Sprintf("%s %d", name, tenants[name]))
		}
	}
	if more := len(names) - len(parts); more > 0 {
		parts = append(parts, "and "+phrase.Count(more, "more tenant"))
	}
	if len(names) == 1 {
		identity.Tenant = names[0]
	}
	return guard.Event{Time: at, Kind: guard.KindTokens, Intent: guard.Intent{Identity: identity},
		Detail: phrase.Count(total, "token") + ": " + strings.Join(parts, ", ")}
}

// flushTimer has what was gathered in memory written some time after the first of it.
// mu also guards what is gathered.
type flushTimer struct {
	ledger *Ledger
	mu     sync.Mutex
	// after calls a function later; tests replace it.
	after  func(time.Duration, func()) (stop func() bool)
	stop   func() bool
	closed bool
}

// init makes it ready; end writes what is left.
func (t *flushTimer) init(l *Ledger) {
	t.ledger = l
	t.after = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
}

// set has flush called once after d, unless that is on its way already.
func (t *flushTimer) set(d time.Duration, flush func(context.Context) error) {
	if t.stop != nil || t.closed {
		return
	}
	t.stop = t.after(d, func() {
		ctx, cancel := context.WithTimeout(context.Background(), t.ledger.o.Patience)
		defer cancel()
		_ = flush(ctx) // what failed is kept for the next time
	})
}

// end keeps it from firing again, and flushes.
func (t *flushTimer) end(ctx context.Context, flush func(context.Context) error) error {
	t.mu.Lock()
	if t.stop != nil {
		t.stop()
	}
	t.closed = true
	t.mu.Unlock()
	return flush(ctx)
}

const (
	// refusalPeriod is how long the refusals of callers are kept apart.
	refusalPeriod = 10 * time.Minute
	// maxTold is how many different refusals of a caller get an entry of their own
	// in that time.
	maxTold = 20
)

// refusals keeps callers who are refused again and again from filling the disk:
// what is refused once more is counted, and the number written when the period
// is over.
type refusals struct {
	flushTimer
	since   time.Time
	callers map[access.Caller]*refused
}

// refused is one caller's.
type refused struct {
	// told have an entry each; again is how often they were refused after it.
	told  map[refusal]guard.Event
	again map[refusal]int
	// others are those beyond, without what they were about.
	others map[refusal]int
}

// refusal is what two refusals that are the same have in common.
type refusal struct {
	tool, code, tenant string
	partnerID          partnerid.ID
}

func refusalOf(e guard.Event) refusal {
	return refusal{e.Intent.Tool, e.Result, e.Intent.Identity.Tenant, e.Intent.PartnerID}
}

// Refused implements guard.Store: the entry is there when it returns, or the
// refusal is counted and becomes part of one within ten minutes and at Close. A
// crash loses what was not written yet.
func (l *Ledger) Refused(ctx context.Context, event guard.Event) error {
	if l.refusals.count(event) {
		return nil
	}
	_, err := l.Append(ctx, event)
	if err != nil {
		l.refusals.missed(event)
	}
	return err
}

// count reports whether a refusal was counted; else it wants an entry.
func (r *refusals) count(event guard.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	c, what := r.of(event.Intent.Caller), refusalOf(event)
	_, told := c.told[what]
	switch {
	case told:
		c.again[what]++
		return true
	case len(c.told) < maxTold:
		c.told[what] = event
		return false
	default:
		c.others[refusal{tool: what.tool, code: what.code}]++
		return true
	}
}

// missed counts a refusal whose entry could not be written.
func (r *refusals) missed(event guard.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, what := r.of(event.Intent.Caller), refusalOf(event)
	c.told[what] = event
	c.again[what]++
}

// of returns a caller's refusals of this period, which begins with the first. The
// caller holds mu.
func (r *refusals) of(caller access.Caller) *refused {
	if r.callers == nil {
		r.callers, r.since = map[access.Caller]*refused{}, r.ledger.o.Now()
	}
	r.set(refusalPeriod, r.flush)
	if r.callers[caller] == nil {
		r.callers[caller] = &refused{map[refusal]guard.Event{}, map[refusal]int{}, map[refusal]int{}}
	}
	return r.callers[caller]
}

// flush writes what was counted, and begins a new period. What cannot be written
// stays for the next time.
func (r *refusals) flush(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop = nil // set begins anew
	var events []guard.Event
	for _, caller := range slices.Sorted(maps.Keys(r.callers)) {
		events = append(events, r.callers[caller].events(caller, r.since, r.ledger.o.Now())...)
	}
	if len(events) > 0 {
		if _, err := r.ledger.Append(ctx, events...); err != nil {
			r.set(refusalPeriod, r.flush)
			return err
		}
	}
	r.callers = nil
	return nil
}

// events words what was counted: an entry for each that has one already, and one
// for all others.
func (c *refused) events(caller access.Caller, since, now time.Time) (events []guard.Event) {
	for _, what := range sorted(c.again) {
		e := c.told[what]
		e.Time, e.Detail = now, phrase.Count(c.again[what], "more refusal")+" of this since "+since.UTC().Format(time.RFC3339)
		events = append(events, e)
	}
	if len(c.others) == 0 {
		return events
	}
	total, parts := 0, []string(nil)
	for _, what := range sorted(c.others) {
		total += c.others[what]
		parts = append(parts, fmt.Sprintf("%s %s %d", what.tool, what.code, c.others[what]))
	}
	return append(events, guard.Event{Time: now, Kind: guard.KindRefusal, Intent: guard.Intent{Caller: caller},
		Detail: fmt.Sprintf("%s of other calls since %s: %s", phrase.Count(total, "refusal"), since.UTC().Format(time.RFC3339), strings.Join(parts, ", "))})
}

func sorted(counts map[refusal]int) []refusal {
	return slices.SortedFunc(maps.Keys(counts), func(a, b refusal) int {
		return cmp.Or(cmp.Compare(a.tool, b.tool), cmp.Compare(a.code, b.code), cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.partnerID, b.partnerID))
	})
}
