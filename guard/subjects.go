package guard

import (
	"mcp-partner/access"
	"mcp-partner/schemas"
)

// Subject returns what is decided about the intent of a caller.
func (i Intent) Subject(by access.Principal) access.Subject {
	op, _ := schemas.Lookup(i.Tool)
	return access.Subject{
		Operation: op, By: by, Method: i.Method(), PartnerID: i.PartnerID, Current: i.Before.PartnerID, Link: i.Before.State,
		Tenant: schemas.Tenant{Name: i.Identity.Tenant, TenantID: i.Identity.TenantID, Labels: i.Labels, ExpectedPartnerID: i.Expected},
	}
}

// subjects are what is decided about a row before anything is written in its
// tenant: each of its requests, and the one that puts a removed link back.
func (p Plan) subjects(row PlanRow, by access.Principal) []access.Subject {
	steps := row.Steps
	if p.Strategy == StrategyReplace && len(steps) > 0 {
		steps = append(steps[:len(steps):len(steps)], StepRestore)
	}
	subjects := make([]access.Subject, len(steps))
	for i, step := range steps {
		subjects[i] = p.intentOf(row, step).Subject(by)
	}
	return subjects
}
