package access

import (
	"fmt"
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
)

// check refuses a rule that could not mean what it says.
func (r Rule) check() error {
	for _, problem := range []string{r.badRuling(), r.badList(), r.badOperation(), r.badPattern(), r.badPartner(), r.badCondition()} {
		if problem != "" {
			return badRule(r, problem)
		}
	}
	return nil
}

func badRule(r Rule, problem string) error {
	return schemas.NewProblem(schemas.CodeInvalidArgument, fmt.Sprintf("Policy, %s: %s.", schemas.Sanitize(r.Name), problem),
		schemas.WithHint("docs/policy.md has a complete example."))
}

func (r Rule) badRuling() string {
	if !slices.Contains([]Ruling{RulingDeny, RulingAllow, RulingRequester, RulingApprover}, r.Ruling) {
		return fmt.Sprintf("the answer %q is not deny, allow, ask: requester or ask: approver", r.Ruling)
	}
	return ""
}

func (r Rule) badOperation() string {
	for _, name := range r.Operations {
		if _, ok := schemas.Lookup(name); !ok && !isEffect(name) {
			return fmt.Sprintf("there is no operation or effect %q", name)
		}
	}
	return ""
}

func isEffect(name string) bool {
	return slices.Contains([]schemas.Effect{schemas.EffectRead, schemas.EffectWrite, schemas.EffectDestroy}, schemas.Effect(name))
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
		if _, err := schemas.ParsePartnerID("the partner ID", id); err != nil && id != Expected {
			return strings.TrimSuffix(schemas.AsProblem(err).Message, ".")
		}
	}
	return ""
}

// badCondition also holds an allowing rule to naming what it allows: a write
// that nobody is asked about is too dangerous for a rule that forgot a line.
func (r Rule) badCondition() string {
	switch {
	case !slices.Contains([]schemas.LinkState{"", schemas.LinkLinked, schemas.LinkNotLinked}, r.When):
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
