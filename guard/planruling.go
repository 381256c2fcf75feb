package guard

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"mcp-partner/access"
	"mcp-partner/schemas"
)

// RulePlan decides on every row, with the state that was seen. What is denied
// stays in the plan as a row that is not written, and so do the rows behind the
// plan's First; the strictest ruling of the others is the plan's. An error refuses
// all of it: writes are off or frozen. The rows say what would be denied even then.
func (g *Guard) RulePlan(ctx context.Context, plan *Plan, by access.Principal) (access.Verdict, error) {
	by, err := g.current(ctx, by)
	if err != nil {
		return access.Verdict{}, err
	}
	strictest := access.NothingWritten()
	uses, written := map[string]int{}, 0
	for i := range plan.Rows {
		row := &plan.Rows[i]
		if len(row.Steps) == 0 {
			continue
		}
		verdict := g.evaluateRow(*plan, *row, by)
		row.Rule, row.Ruling = verdict.Rule, verdict.Ruling
		switch {
		case verdict.Ruling == access.RulingDeny:
			row.Steps, row.Finding = nil, FindingDenied
			continue
		case plan.First > 0 && written == plan.First:
			row.Steps, row.Finding = nil, FindingBeyondFirst
			continue
		}
		written++
		strictest = access.Stricter(strictest, verdict)
		if uses[verdict.Rule] += len(row.Steps); verdict.Rate != nil && uses[verdict.Rule] > verdict.Rate.Count {
			row.warn(fmt.Sprintf("The rule %s allows %d writes in %s: this tenant must wait.", quote(verdict.Rule), verdict.Rate.Count, verdict.Rate.Per))
		}
	}
	if !g.WritesAllowed() {
		return access.Verdict{}, access.WritesOff(plan.Tool)
	}
	return strictest, g.thawed(ctx, true)
}

// evaluateRow is the word on each request of a row: a denial of one denies the row.
// Where writes are off altogether the rules would deny every row, so bounds and
// grant alone are asked.
func (g *Guard) evaluateRow(plan Plan, row PlanRow, by access.Principal) access.Verdict {
	strictest := access.NothingWritten()
	for _, s := range plan.subjects(row, by) {
		if !g.WritesAllowed() {
			if v := g.policy.Confine(s); v.Refusal != nil {
				return v
			}
			continue
		}
		if strictest = access.Stricter(strictest, g.policy.Evaluate(s)); strictest.Ruling == access.RulingDeny {
			return strictest
		}
	}
	return strictest
}

// warn adds a warning once, however often a plan is ruled on.
func (r *PlanRow) warn(warning string) {
	if !strings.Contains(r.Warning, warning) {
		r.Warning = strings.TrimSpace(r.Warning + " " + warning)
	}
}

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
		q.Text = fmt.Sprintf("Register partner ID %s in %s? Nothing is linked there now. A typing error would credit another partner.", plan.To, tenants(rows))
	case plan.Strategy == StrategyReplace:
		q.Text = fmt.Sprintf("Replace partner ID %s by %s in %s, by removing the link and registering again? "+
			"If the new ID is refused, the old one is restored.", strings.Join(plan.From, ", "), plan.To, tenants(rows))
	default:
		q.Text = fmt.Sprintf("Replace partner ID %s by %s in %s? Attribution moves to the new ID.", strings.Join(plan.From, ", "), plan.To, tenants(rows))
	}
	q.Text += fmt.Sprintf(" It sends at most %s to write. Rows listed but not changed: %d.", schemas.Count(requests, "request"), len(plan.Rows)-rows)
	q.Text += " Cannot be undone: " + plan.Undone() + "."
	if plan.First > 0 {
		q.Text += fmt.Sprintf(" It covers only the first %s.", schemas.Count(plan.First, "row"))
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
		return "only this identity can remove the link again; attribution up to then stays with the ID"
	case p.Strategy == StrategyReplace:
		return "there is no link between removing and registering; an ID that the provider refuses cannot be restored"
	default:
		return "the old ID can be restored only by another update, if the provider still accepts it"
	}
}

// namesShown is how many tenants a form names; a list of more is read by nobody.
const namesShown = 100

// names lists the tenants that are written in: the company, where the directory has
// one, and the name of the entry.
func (p Plan) names() string {
	var names []string
	for _, row := range p.Rows {
		if len(row.Steps) > 0 {
			names = append(names, row.customer())
		}
	}
	if more := len(names) - namesShown; more > 0 {
		names = append(names[:namesShown:namesShown], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// customer names the tenant of a row for a person.
func (r PlanRow) customer() string {
	company := schemas.Sanitize(r.Company)
	if company == "" || company == r.Identity.Tenant {
		return r.Identity.Tenant
	}
	return company + " (" + r.Identity.Tenant + ")"
}

func tenants(n int) string { return schemas.Count(n, "tenant") }
