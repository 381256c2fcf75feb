package access

import (
	"fmt"
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

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
