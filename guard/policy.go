package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"mcp-partner/schemas"
)

// Ruling is what a rule says of a call.
type Ruling string

// The rulings. RulingRequester asks the person at the client that makes the call,
// RulingApprover asks an approver over another channel.
const (
	RulingDeny      Ruling = "deny"
	RulingAllow     Ruling = "allow"
	RulingRequester Ruling = "ask: requester"
	RulingApprover  Ruling = "ask: approver"
)

// Expected stands in a rule's partner IDs for the entry's expected one.
const Expected = "expected"

// labelPrefix marks a label among a rule's tenants.
const labelPrefix = "label:"

// Rate bounds how many writes a rule lets through.
type Rate struct {
	Count int
	Per   time.Duration
}

// Rule is one line of the policy. An empty list matches everything.
type Rule struct {
	Name string
	// Operations are names of tools, or the effects read, write and destroy.
	Operations []string
	// Tenants are names, globs, or label:NAME.
	Tenants []string
	// PartnerIDs are IDs, or Expected.
	PartnerIDs []string
	// Callers are names or globs.
	Callers []string
	// When is the state of the link that the rule is for; "" is any.
	When schemas.LinkState
	// Rate bounds an allowing rule; nil is no bound.
	Rate   *Rate
	Ruling Ruling
}

// Subject is a call that the policy looks at.
type Subject struct {
	Operation schemas.Operation
	Caller    Caller
	// Grant, Token and Revalidate are the principal's. Admit looks at them, the rules
	// do not.
	Grant      Grant
	Token      string
	Revalidate Revalidate
	Tenant     string
	Labels     []string
	PartnerID  string
	// Expected is the partner ID that the directory expects, or "".
	Expected string
	// Link is the state seen, or "" where nothing has been read yet.
	Link schemas.LinkState
}

// Verdict is what the policy says of a subject, and why.
type Verdict struct {
	Ruling Ruling `json:"verdict"`
	// Rule is the deciding rule's name, or "default".
	Rule string `json:"rule"`
	Why  string `json:"why"`
	// rate is the deciding rule's bound.
	rate *Rate
	// open is set where the verdict hangs on the link's state, and that is not
	// known yet.
	open bool
}

// Policy is an ordered list of rules; the first that matches decides, and
// without one reads are allowed and writes denied.
type Policy struct{ rules []Rule }

// defaultRule names the verdict that no rule gave.
const defaultRule = "default"

// NewPolicy checks rules. An error names the rule and what is wrong with it.
func NewPolicy(rules []Rule) (*Policy, error) {
	seen := map[string]bool{}
	for i, rule := range rules {
		if rule.Name == "" {
			rules[i].Name = fmt.Sprintf("rule %d", i+1)
		}
		if seen[rules[i].Name] {
			return nil, badRule(rules[i], "its name stands twice")
		}
		seen[rules[i].Name] = true
		if err := rules[i].check(); err != nil {
			return nil, err
		}
	}
	return &Policy{rules: slices.Clone(rules)}, nil
}

// Digest names the policy in the record.
func (p *Policy) Digest() string {
	canonical, _ := json.Marshal(p.rules)
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:8])
}

// Evaluate finds the first rule that matches. Where a rule hangs on something
// that cannot be told, only a denial may follow from it: nothing fails open.
func (p *Policy) Evaluate(s Subject) Verdict {
	for _, rule := range p.rules {
		switch rule.match(s) {
		case matches:
			return Verdict{Ruling: rule.Ruling, Rule: rule.Name, Why: "the first rule that matches", rate: rule.Rate}
		case untold:
			return Verdict{Ruling: RulingDeny, Rule: rule.Name, Why: "whether the rule matches hangs on the link, which is not known", open: true}
		}
	}
	if s.Operation.Effect.Writes() {
		return Verdict{Ruling: RulingDeny, Rule: defaultRule, Why: "no rule matches, and writes are denied unless a rule says otherwise"}
	}
	return Verdict{Ruling: RulingAllow, Rule: defaultRule, Why: "no rule matches, and reads are allowed unless a rule says otherwise"}
}

type matching int

const (
	differs matching = iota
	matches
	untold
)

// match compares what is certain first: a rule that is for somebody else never
// hangs on the link.
func (r Rule) match(s Subject) matching {
	if !r.matchOperation(s.Operation) || !matchAny(r.Callers, string(s.Caller)) || !r.matchTenant(s) || !r.matchPartner(s) {
		return differs
	}
	switch {
	case r.When == "":
		return matches
	case s.Link == "" || s.Link == schemas.LinkUnknown:
		return untold
	case r.When == s.Link, r.When == schemas.LinkNotLinked && s.Link.Absent():
		return matches
	default:
		return differs
	}
}

// matchOperation goes by names and effects. A denial of an operation also holds
// for one that does the same in many tenants; what allows or asks does not.
func (r Rule) matchOperation(op schemas.Operation) bool {
	if len(r.Operations) == 0 || slices.Contains(r.Operations, op.Name) || slices.Contains(r.Operations, string(op.Effect)) {
		return true
	}
	return r.Ruling == RulingDeny && slices.ContainsFunc(op.Does, func(name string) bool { return slices.Contains(r.Operations, name) })
}

func (r Rule) matchTenant(s Subject) bool {
	for _, pattern := range r.Tenants {
		if label, ok := strings.CutPrefix(pattern, labelPrefix); ok {
			if slices.Contains(s.Labels, label) {
				return true
			}
		} else if glob(pattern, s.Tenant) {
			return true
		}
	}
	return len(r.Tenants) == 0
}

// matchPartner compares IDs. A call without one, such as a read, is matched
// only by a rule that names none.
func (r Rule) matchPartner(s Subject) bool {
	for _, id := range r.PartnerIDs {
		if id == Expected {
			id = s.Expected
		}
		if id != "" && id == s.PartnerID {
			return true
		}
	}
	return len(r.PartnerIDs) == 0
}

func matchAny(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return glob(p, name) })
}

func glob(pattern, name string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return ok && err == nil
}
