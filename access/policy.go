// Package access answers what may happen: what a caller was given, the bounds of
// the operator, and the rules of the policy, asked about one Subject. It remembers
// nothing. Package guard asks it, and says how what may happen is confirmed.
package access

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
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

// Expected in a rule's partner IDs means the expected ID of the tenant's entry.
const Expected = "expected"

// labelPrefix marks a label among a rule's tenants.
const labelPrefix = "label:"

// Rate bounds how many writes a rule lets through.
type Rate struct {
	Count int
	Per   time.Duration
}

// Rule is one line of the policy. A nil list matches everything; one that is
// empty is refused.
type Rule struct {
	Name string `yaml:"name"`
	// Operations are names of tools, or the effects read, write and destroy.
	Operations []string `yaml:"operations"`
	// Tenants are names, globs, or label:NAME.
	Tenants []string `yaml:"tenants"`
	// PartnerIDs are IDs, or Expected.
	PartnerIDs []string `yaml:"partner_ids"`
	// Callers are names or globs.
	Callers []string `yaml:"callers"`
	// When is the state of the link that the rule is for; "" is any.
	When answers.LinkState `yaml:"when"`
	// Rate bounds an allowing rule; nil is no bound.
	Rate   *Rate  `yaml:"rate"`
	Ruling Ruling `yaml:"answer"`
	// Demand goes with RulingApprover.
	Demand Demand `json:"demand,omitzero"`
}

// Verdict is what grant, bounds and policy say of a subject, and why.
type Verdict struct {
	Ruling Ruling `json:"verdict"`
	// Rule is the deciding rule's name, or "default".
	Rule string `json:"rule"`
	Why  string `json:"why"`
	// Demand is what the rules want beside one approval.
	Demand Demand `json:"demand,omitzero"`
	// Rate is the deciding rule's bound.
	Rate *Rate `json:"-"`
	// Open is set where the verdict hangs on the link's state, and that is not
	// known yet.
	Open bool `json:"-"`
	// Refusal is the problem of a subject that is refused whatever the link.
	Refusal error `json:"-"`
	// specific is set where the deciding rule names the operation or partner IDs.
	specific bool
}

// NothingWritten is the verdict on a plan without a write.
func NothingWritten() Verdict {
	return Verdict{Ruling: RulingAllow, Rule: defaultRule, Why: "nothing is written"}
}

// Denial is the problem of a subject that is refused.
func (v Verdict) Denial() error {
	if v.Refusal != nil {
		return v.Refusal
	}
	return problems.New(problems.CodePolicyDenied, fmt.Sprintf("The policy denies this: %s (%s).", quote(v.Rule), v.Why))
}

// Policy is what an operator decided for a server: bounds, and an ordered list
// of rules, of which the first that matches decides. Without one reads are
// allowed and writes denied. It remembers nothing.
type Policy struct {
	rules  []Rule
	bounds Bounds
	// writes says that a write can be allowed at all, unasked that the operator
	// disabled confirmation by flag.
	writes, unasked bool
}

// defaultRule names the verdict that no rule gave.
const defaultRule = "default"

// NewPolicy makes a policy of bounds, rules and flags, and says which do not
// go together. An error names the rule and what is wrong with it.
func NewPolicy(o Settings) (*Policy, error) {
	if err := o.Bounds.check(); err != nil {
		return nil, err
	}
	rules, err := o.rules()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, rule := range rules {
		if rule.Name == "" {
			rules[i].Name = fmt.Sprintf("rule %d", i+1)
		}
		if seen[rules[i].Name] {
			return nil, badRule(rules[i], "its name appears twice")
		}
		seen[rules[i].Name] = true
		if err := rules[i].check(); err != nil {
			return nil, err
		}
	}
	return &Policy{
		rules: slices.Clone(rules), bounds: o.Bounds, writes: o.AllowWrites || o.Rules != nil,
		unasked: o.Approval == ApprovalNone && o.Rules == nil && o.AllowWrites,
	}, nil
}

// Bounds returns the operator's bounds.
func (p *Policy) Bounds() Bounds { return p.bounds }

// AllowsWrites reports whether any write could ever be allowed.
func (p *Policy) AllowsWrites() bool { return p.writes }

// Digest names the rules in the record.
func (p *Policy) Digest() string {
	canonical, _ := json.Marshal(p.rules)
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:8])
}

// Evaluate is what the caller's grant, the bounds and the rules say of a subject. As
// long as its tenant is not known the rules are not asked.
func (p *Policy) Evaluate(s Subject) Verdict {
	if verdict := p.Confine(s); verdict.Refusal != nil {
		return verdict
	}
	writes := s.Operation.Effect.Writes()
	switch {
	case writes && !p.writes:
		return refused(defaultRule, WritesOff(s.Operation.Name))
	case s.Tenant.Name == "":
		return Verdict{Ruling: RulingAllow, Rule: defaultRule, Why: "no tenant is known yet"}
	case writes && p.unasked: // the flag has bounds of its own, so it stands above the rules
		return Verdict{Ruling: RulingAllow, Rule: "--approval none", Why: "a flag of the operator decided"}
	}
	verdict := p.match(s)
	if verdict.Ruling == RulingDeny && !verdict.Open {
		verdict.Refusal = verdict.Denial()
	}
	return verdict
}

// Confine asks the caller's grant and the bounds alone.
func (p *Policy) Confine(s Subject) Verdict {
	if err := s.By.Grant.admit(s); err != nil {
		return refused("grant", err)
	}
	if err := p.bounds.admit(s); err != nil {
		return refused("bounds", err)
	}
	return Verdict{Ruling: RulingAllow, Rule: defaultRule}
}

func refused(by string, err error) Verdict {
	return Verdict{Ruling: RulingDeny, Rule: by, Why: problems.As(err).Message, Refusal: err}
}

// match asks the rules about a subject as the call that it is, as the call of
// one tenant that sends the same request, and about the ID that is lost. A rule
// that denies one of the last two by name or ID denies it all.
func (p *Policy) match(s Subject) Verdict {
	verdict := p.first(s)
	for _, as := range s.also() {
		if verdict.Ruling == RulingDeny {
			break
		}
		if v := p.first(as); v.Ruling == RulingDeny && v.specific {
			verdict = v
		}
	}
	return verdict
}

// first finds the first rule that matches. Where a rule hangs on something that
// cannot be told, only a denial may follow from it: nothing fails open.
func (p *Policy) first(s Subject) Verdict {
	for _, rule := range p.rules {
		switch rule.match(s) {
		case matches:
			specific := len(rule.PartnerIDs) > 0 || slices.Contains(rule.Operations, s.Operation.Name)
			return Verdict{Ruling: rule.Ruling, Rule: rule.Name, Why: "the first rule that matches", Demand: rule.Demand, Rate: rule.Rate, specific: specific}
		case untold:
			return Verdict{Ruling: RulingDeny, Rule: rule.Name, Why: "whether the rule matches depends on the link, which is unknown", Open: true}
		}
	}
	if s.Operation.Effect.Writes() {
		return Verdict{Ruling: RulingDeny, Rule: defaultRule, Why: "no rule matches, and writes without a rule are denied"}
	}
	return Verdict{Ruling: RulingAllow, Rule: defaultRule, Why: "no rule matches, and reads without a rule are allowed"}
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
	if !r.matchOperation(s.Operation) || !matchAny(r.Callers, string(s.By.Caller)) || !r.matchTenant(s.Tenant) || !r.matchPartner(s) {
		return differs
	}
	switch {
	case r.When == "":
		return matches
	case s.Link == "" || s.Link == answers.LinkUnknown:
		return untold
	case r.When == s.Link, r.When == answers.LinkNotLinked && s.Link.Absent():
		return matches
	default:
		return differs
	}
}

// matchOperation goes by names and effects. A denial of an operation also holds
// for one that does the same in many tenants; what allows or asks does not.
func (r Rule) matchOperation(op schemas.Operation) bool {
	if r.Operations == nil || slices.Contains(r.Operations, op.Name) || slices.Contains(r.Operations, string(op.Effect)) {
		return true
	}
	return r.Ruling == RulingDeny && slices.ContainsFunc(op.Does, func(name string) bool { return slices.Contains(r.Operations, name) })
}

func (r Rule) matchTenant(tenant schemas.Tenant) bool {
	for _, pattern := range r.Tenants {
		if label, ok := strings.CutPrefix(pattern, labelPrefix); ok {
			if slices.ContainsFunc(tenant.Labels, func(has string) bool { return naming.Same(has, label) }) {
				return true
			}
		} else if naming.Match(pattern, tenant.Name) {
			return true
		}
	}
	return r.Tenants == nil
}

// matchPartner compares IDs. A call without one, such as a read, is matched
// only by a rule that names none.
func (r Rule) matchPartner(s Subject) bool {
	for _, named := range r.PartnerIDs {
		id := partnerid.ID(named)
		if named == Expected {
			id = s.Tenant.ExpectedPartnerID
		}
		if id != "" && id == s.PartnerID {
			return true
		}
	}
	return r.PartnerIDs == nil
}

// Stricter returns the verdict that asks for more. Of two equals it is the second,
// unless the first alone has a rate. It demands what both demand.
func Stricter(a, b Verdict) Verdict {
	more := b.Ruling.strictness() - a.Ruling.strictness()
	a.Demand = a.Demand.and(b.Demand)
	b.Demand = a.Demand
	if more > 0 || more == 0 && (a.Rate == nil || b.Rate != nil) {
		return b
	}
	return a
}

// strictness orders rulings by how far from the agent the person is who is asked.
func (r Ruling) strictness() int {
	return slices.Index([]Ruling{RulingAllow, RulingRequester, RulingApprover, RulingDeny}, r)
}

// AsksMore reports whether a ruling asks somebody further from the agent than
// another does.
func (r Ruling) AsksMore(than Ruling) bool { return r.strictness() > than.strictness() }

// Warnings says which names in bounds and rules fit no tenant of a directory: a
// typing error in a denial denies nothing.
func (p *Policy) Warnings(tenants []schemas.Tenant) []string {
	warnings := UnmatchedNames("--tenants", p.bounds.Tenants, tenants)
	for _, rule := range p.rules {
		warnings = append(warnings, UnmatchedNames("The policy's rule "+quote(rule.Name), rule.Tenants, tenants)...)
	}
	return warnings
}

// UnmatchedNames says which of the patterns that stand somewhere fit no tenant.
func UnmatchedNames(where string, patterns []string, tenants []schemas.Tenant) (warnings []string) {
	for _, pattern := range patterns {
		fits := func(tenant schemas.Tenant) bool { return Rule{Tenants: []string{pattern}}.matchTenant(tenant) }
		if pattern == AllTenants || slices.ContainsFunc(tenants, fits) {
			continue
		}
		what, named := "tenant", pattern
		if label, ok := strings.CutPrefix(pattern, labelPrefix); ok {
			what, named = "label", label
		}
		warnings = append(warnings, fmt.Sprintf("%s names the %s %s, which matches no tenant of the directory.", where, what, quote(named)))
	}
	return warnings
}

func (r Rule) check() error {
	for _, problem := range []string{r.badList(), r.badOperation(), r.badPattern(), r.badPartner(), r.badCondition()} {
		if problem != "" {
			return badRule(r, problem)
		}
	}
	return nil
}

func badRule(r Rule, problem string) error {
	return problems.New(problems.CodeInvalidArgument, fmt.Sprintf("Policy, %s: %s.", untrusted.Sanitize(r.Name), problem),
		problems.WithHint("docs/policy.md has a complete example."))
}

func (r Rule) badOperation() string {
	effects := []answers.Effect{answers.EffectRead, answers.EffectWrite, answers.EffectDestroy}
	for _, name := range r.Operations {
		if _, ok := schemas.Lookup(name); !ok && !slices.Contains(effects, answers.Effect(name)) {
			return fmt.Sprintf("there is no operation or effect %q", name)
		}
	}
	return ""
}

// badList refuses an empty list, which could mean nothing or everything.
func (r Rule) badList() string {
	for _, list := range [][]string{r.Operations, r.Tenants, r.PartnerIDs, r.Callers} {
		if list != nil && len(list) == 0 {
			return "one of its lists is empty; leave the key out to match everything"
		}
	}
	return ""
}

func (r Rule) badPattern() string {
	for _, pattern := range slices.Concat(r.Tenants, r.Callers) {
		if problem := naming.CheckPattern(strings.TrimPrefix(pattern, labelPrefix)); problem != "" {
			return quote(pattern) + " " + problem
		}
	}
	return ""
}

func (r Rule) badPartner() string {
	for _, id := range r.PartnerIDs {
		if err := partnerid.Check("the partner ID", id); err != nil && id != Expected {
			return strings.TrimSuffix(problems.As(err).Message, ".")
		}
	}
	return ""
}

// badCondition also requires an allowing rule to name what it allows: an
// unconfirmed write is too dangerous for a rule with a missing line.
func (r Rule) badCondition() string {
	switch {
	case r.Ruling.strictness() < 0:
		return fmt.Sprintf("the answer %q is not deny, allow, ask: requester or ask: approver", r.Ruling)
	case r.Demand != Demand{} && r.Ruling != RulingApprover:
		return "with and approvers go with ask: approver"
	case !slices.Contains([]int{0, 2}, r.Demand.Approvers):
		return fmt.Sprintf("approvers is %d; use 2, or leave it out for one", r.Demand.Approvers)
	case !slices.Contains([]answers.LinkState{"", answers.LinkLinked, answers.LinkNotLinked}, r.When):
		return fmt.Sprintf("when is %q; use linked or not_linked", r.When)
	case r.Rate != nil && (r.Rate.Count < 1 || r.Rate.Per <= 0):
		return "the rate needs a count and a period above zero"
	case r.Ruling == RulingAllow && r.coversWrites() && (len(r.Operations) == 0 || len(r.Tenants) == 0 || len(r.PartnerIDs) == 0):
		return "allow for a write must name operations, tenants and partner_ids"
	default:
		return ""
	}
}

func (r Rule) coversWrites() bool {
	return slices.ContainsFunc(schemas.Catalogue(), func(op schemas.Operation) bool {
		return op.Effect.Writes() && r.matchOperation(op)
	})
}

// Approval is the operator's word, by flag, on whom to ask before a write. It
// counts only where the configuration has no rules.
type Approval string

// The modes. ApprovalAsk asks in the client for register_partner and a person
// elsewhere for what overwrites or removes. ApprovalNone is legal only against
// the simulator or with a bound on partner IDs.
const (
	ApprovalAsk       Approval = "ask"
	ApprovalRequester Approval = "requester"
	ApprovalApprover  Approval = "approver"
	ApprovalNone      Approval = "none"
)

// Settings are what a policy is made of.
type Settings struct {
	// AllowWrites switches writes on where there are no rules.
	AllowWrites bool
	// Approval defaults to ApprovalAsk.
	Approval Approval
	// Rules are the configured policy; nil means that the two flags decide.
	Rules  []Rule
	Bounds Bounds
	// Simulated says that no real Azure is reached.
	Simulated bool
}

// rules returns the configured ones, or those that the flags stand for.
func (s Settings) rules() ([]Rule, error) {
	if s.Rules != nil {
		return s.Rules, nil
	}
	if s.Approval == ApprovalNone && !s.Simulated && len(s.Bounds.PartnerIDs) == 0 {
		return nil, problems.New(problems.CodeInvalidArgument,
			"--approval none lets an agent write without a person: it needs --simulate, or --partner-ids with the IDs it may use.")
	}
	writes := []string{string(answers.EffectWrite)}
	destroys := []string{string(answers.EffectDestroy)}
	every := slices.Concat(writes, destroys)
	asks := s.Approval == ApprovalAsk || s.Approval == "" // it depends on the operation whom
	switch {
	case !s.AllowWrites, s.Approval == ApprovalNone: // see unasked
		return nil, nil
	case asks && s.Simulated:
		// A simulation has no approvers, and nothing that another person would protect.
		return []Rule{{Name: "--allow-writes, simulated", Operations: every, Ruling: RulingRequester}}, nil
	case asks:
		return []Rule{{Name: "--allow-writes, new links", Operations: writes, Ruling: RulingRequester}, {Name: "--allow-writes", Operations: destroys, Ruling: RulingApprover}}, nil
	case s.Approval == ApprovalRequester:
		return []Rule{{Name: "--approval requester", Operations: every, Ruling: RulingRequester}}, nil
	case s.Approval == ApprovalApprover:
		return []Rule{{Name: "--approval approver", Operations: every, Ruling: RulingApprover}}, nil
	default:
		return nil, problems.New(problems.CodeInvalidArgument, "--approval is "+quote(s.Approval)+"; it is ask, requester, approver or none.")
	}
}

// WritesOff is the refusal of a tool while writes are off.
func WritesOff(tool string) error {
	return problems.New(problems.CodeWritesDisabled, "This server reads only: it was started without --allow-writes, so "+tool+" is off.")
}
