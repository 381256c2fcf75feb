package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule places a fault exactly. Empty fields match everything; a rule never
// applies to a request that its kind cannot happen to (a lost answer to a
// write needs a write).
type Rule struct {
	// TenantID is a tenant's GUID, name or domain.
	TenantID string
	// ObjectID narrows a rule for ARM to one identity.
	ObjectID string
	Method   string
	Path     Op
	Kind     FaultKind
	// Times is how many requests the rule applies to; 0 means every one until
	// it is removed.
	Times int
	// RetryAfter is the header's value in the throttling kinds, and adds the
	// header to server_error and token_error.
	RetryAfter time.Duration
	// Delay is how long slow_write and latency_jitter take instead of their
	// own figures.
	Delay time.Duration
	// Status replaces the status in server_error, html, token_error and
	// token_html.
	Status int
}

// placed is a rule that holds now.
type placed struct {
	Rule
	info *FaultInfo
	left int // of Times
}

// Inject places a fault and returns a function that removes it. Of
// the rules that match a request the oldest decides what happens; those of a
// per-tenant kind, which only change how an answer looks, apply beside it. A
// rule of an unknown kind, tenant or path panics, because it could never match.
func (s *Simulator) Inject(rule Rule) (remove func()) {
	p, err := s.place(rule)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, p)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.rules = slices.DeleteFunc(s.rules, func(other *placed) bool { return other == p })
	}
}

func (s *Simulator) place(rule Rule) (*placed, error) {
	info := kindOf(rule.Kind)
	if info == nil {
		return nil, Fault{Kind: rule.Kind}.validate()
	}
	if !slices.Contains([]Op{"", OpPartners, OpPartner, OpOperations, opTenants, OpToken, opSignIn, opMetadata, OpDiscovery, OpOther,
		OpSubscriptions, OpRoleAssignments, OpRoleDefinitions, OpRoleSchedules}, rule.Path) {
		return nil, fmt.Errorf("simulator: rule for an unknown path %q", rule.Path)
	}
	if rule.TenantID != "" {
		t, err := s.tenant(rule.TenantID)
		if err != nil {
			return nil, err
		}
		rule.TenantID = t.TenantID
	}
	return &placed{rule, info, rule.Times}, nil
}

// takeRules returns the rules for a request and counts them as applied.
func (s *Simulator) takeRules(c *call) (taken []placed) {
	decided := false
	for _, p := range s.rules {
		if !p.matches(c) || decided && !p.info.PerTenant {
			continue
		}
		decided = decided || !p.info.PerTenant
		p.left = max(0, p.left-1)
		taken = append(taken, *p)
	}
	return taken
}

func (p *placed) matches(c *call) bool {
	return (p.Times == 0 || p.left > 0) &&
		(p.TenantID == "" || p.TenantID == c.tenantID()) &&
		(p.ObjectID == "" || strings.EqualFold(p.ObjectID, c.objectID())) &&
		(p.Method == "" || strings.EqualFold(p.Method, c.r.Method)) &&
		(p.Path == "" || p.Path == c.route.op) &&
		(p.Path != "" || c.route.op != OpDiscovery) &&
		p.info.reach(c)
}

// plan is the faults of one request.
type plan struct {
	Rule              // its Kind is what happens; empty if nothing does
	looks []FaultKind // how the answer is written
	rng   rng
}

func (p *plan) shows(k FaultKind) bool {
	return slices.Contains(p.looks, k)
}

// fault is the kind for the journal.
func (p *plan) fault() FaultKind {
	if p.Kind == "" && len(p.looks) > 0 {
		return p.looks[0]
	}
	return p.Kind
}

// plan decides: what was injected comes first, then the rest of a burst, then
// what the seed draws.
func (s *Simulator) plan(c *call) plan {
	p := plan{rng: c.draw("plan")}
	for _, f := range s.draws {
		if c.tenant != nil && s.always(f, c.tenant) && f.reach(c) {
			p.looks = append(p.looks, f.Kind)
		}
	}
	for _, rule := range s.takeRules(c) {
		if rule.info.PerTenant {
			p.looks = append(p.looks, rule.Kind)
		} else {
			p.Rule = rule.Rule
		}
	}
	if p.Kind == "" {
		p.Kind = s.drawFault(c)
	}
	return p
}

func (s *Simulator) drawFault(c *call) FaultKind {
	if c.who != nil && c.who.burst > 0 {
		c.who.burst--
		return FaultThrottleBurst
	}
	for _, f := range s.draws {
		d := c.draw("fault", string(f.Kind))
		if f.PerTenant || c.route.op == OpDiscovery || !f.reach(c) || d.percent() >= f.percent {
			continue
		}
		if f.Kind == FaultThrottleBurst && c.who != nil {
			c.who.burst = d.pick(3)
		}
		return f.Kind
	}
	return ""
}
