package guard

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/schemas"
)

// subject is what the policy looks at in a row.
func (p Plan) subject(row PlanRow) Subject {
	op, _ := schemas.Lookup(p.Tool)
	return Subject{
		Operation: op, Caller: p.Caller, Tenant: row.Identity.Tenant, Labels: row.Labels,
		PartnerID: row.PartnerID, Expected: row.Expected, Link: row.Before.State,
	}
}

// RulePlan asks grant, bounds and policy about every row, with the state
// that was seen. What is denied stays in the plan as a row that is not written; the
// strictest ruling of the others is the plan's. An error refuses all of it:
// writes are off or frozen. The rows say what would be denied even then.
func (g *Guard) RulePlan(ctx context.Context, plan *Plan, grant Grant) (Verdict, error) {
	strictest := Verdict{Ruling: RulingAllow, Rule: defaultRule, Why: "nothing is written"}
	uses := map[string]int{}
	for i := range plan.Rows {
		row := &plan.Rows[i]
		if len(row.Steps) == 0 {
			continue
		}
		verdict := g.plannedRow(*plan, *row, grant)
		row.Rule, row.Ruling = verdict.Rule, verdict.Ruling
		if verdict.Ruling == RulingDeny {
			row.Steps, row.Finding = nil, FindingDenied
			continue
		}
		if strictness(verdict.Ruling) >= strictness(strictest.Ruling) {
			strictest = verdict
		}
		if uses[verdict.Rule] += len(row.Steps); verdict.rate != nil && uses[verdict.Rule] > verdict.rate.Count {
			row.Warning = join(row.Warning, fmt.Sprintf("The rule %s allows %d writes in %s: this tenant has to wait.", quote(verdict.Rule), verdict.rate.Count, verdict.rate.Per))
		}
	}
	if !g.WritesAllowed() {
		return Verdict{}, writesOff(plan.Tool)
	}
	return strictest, g.thawed(ctx, true)
}

// plannedRow is the word on a row of a plan for a caller. Where writes are off
// altogether a policy would deny every row, so bounds and grant alone are asked.
func (g *Guard) plannedRow(plan Plan, row PlanRow, grant Grant) Verdict {
	subject := plan.subject(row)
	if err := grant.admit(subject); err != nil {
		return Verdict{Ruling: RulingDeny, Rule: "grant", Why: schemas.AsProblem(err).Message}
	}
	if !g.WritesAllowed() && g.opts.Bounds.admit(subject) == nil {
		return Verdict{Ruling: RulingAllow}
	}
	return g.ruleRow(plan, row)
}

// ruleRow is the policy's word on a row; what lies outside the bounds is denied.
func (g *Guard) ruleRow(plan Plan, row PlanRow) Verdict {
	subject := plan.subject(row)
	if err := g.opts.Bounds.admit(subject); err != nil {
		return Verdict{Ruling: RulingDeny, Rule: "bounds", Why: schemas.AsProblem(err).Message}
	}
	return g.verdict(subject)
}

// strictness orders rulings by how far from the agent the person is who is asked.
func strictness(r Ruling) int {
	return slices.Index([]Ruling{RulingAllow, RulingRequester, RulingApprover, RulingDeny}, r)
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

// PlanQuestion words the confirmation of a plan. For a registration the partner
// ID has to be typed, for a transition the new ID and the number of tenants;
// where each tenant gets its own ID, the number alone.
func PlanQuestion(plan Plan) Question {
	requests, rows := plan.Writes()
	q := Question{Expect: plan.To + " " + strconv.Itoa(rows), Prompt: "Type the new partner ID, a space, and the number of tenants to confirm"}
	switch {
	case plan.Tool == schemas.ToolEnsurePartnerLinks && plan.To == "":
		q.Expect, q.Prompt = strconv.Itoa(rows), "Type the number of tenants to confirm"
		q.Text = fmt.Sprintf("Register the expected partner ID of each tenant in %s? Nothing is linked there now.", tenants(rows))
	case plan.Tool == schemas.ToolEnsurePartnerLinks:
		q.Expect, q.Prompt = plan.To, "Type the partner ID to confirm"
		q.Text = fmt.Sprintf("Register partner ID %s in %s? Nothing is linked there now. A typing error would credit somebody else.", plan.To, tenants(rows))
	case plan.Strategy == StrategyReplace:
		q.Text = fmt.Sprintf("Replace partner ID %s by %s in %s, by removing the link and registering anew? "+
			"If the new ID cannot be registered the old one is put back.", strings.Join(plan.From, ", "), plan.To, tenants(rows))
	default:
		q.Text = fmt.Sprintf("Replace partner ID %s by %s in %s? Attribution moves to the new ID.", strings.Join(plan.From, ", "), plan.To, tenants(rows))
	}
	q.Text += fmt.Sprintf(" It takes %s that write, at most. Rows that are listed and not touched: %d.", schemas.Count(requests, "request"), len(plan.Rows)-rows)
	q.Text += " Not undone: " + plan.Undone() + "."
	if plan.First > 0 {
		q.Text += fmt.Sprintf(" It stops after the first %d.", plan.First)
	}
	q.Facts = append(q.Facts, Fact{"Tenants", plan.names()})
	if reason := schemas.Sanitize(plan.Reason); reason != "" {
		q.Facts = append(q.Facts, Fact{"Reason given by the caller", reason})
	}
	return q
}

// Undone says what of a plan cannot be taken back.
func (p Plan) Undone() string {
	switch {
	case p.Tool == schemas.ToolEnsurePartnerLinks:
		return "the link can be removed again, by this identity alone; attribution of the time between stays with the ID"
	case p.Strategy == StrategyReplace:
		return "between removing and registering nothing is linked; an ID that the provider refuses cannot come back"
	default:
		return "the old ID can come back by another update alone, unless the provider refuses it by then"
	}
}

// namesShown is how many tenants a form names; a list of more is read by nobody.
const namesShown = 100

// names lists the tenants that are written in, by their names in the directory.
func (p Plan) names() string {
	var names []string
	for _, row := range p.Rows {
		if len(row.Steps) > 0 {
			names = append(names, row.Identity.Tenant)
		}
	}
	if more := len(names) - namesShown; more > 0 {
		names = append(names[:namesShown:namesShown], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func tenants(n int) string { return schemas.Count(n, "tenant") }
