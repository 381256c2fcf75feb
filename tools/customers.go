package tools

import (
	"context"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// mayRead refuses who may not read here at all. What is stored is shown while reads are
// frozen too.
func (s *Service) mayRead(ctx context.Context, p access.Principal) error {
	op, _ := schemas.Lookup(schemas.ToolListTenants)
	if err := s.Authorize(p, op.Name); err != nil {
		return err
	}
	_, err := s.deps.Guard.Allows(ctx, access.Subject{Operation: op, By: p})
	return err
}

// Audits returns the newest audits in which a principal sees every tenant, whoever
// began them. It looks at the newest 4 * limit of all.
func (s *Service) Audits(ctx context.Context, p access.Principal, limit int) ([]fleet.Run, error) {
	p = s.deps.Guard.Confine(p)
	if err := s.mayRead(ctx, p); err != nil {
		return nil, err
	}
	runs, err := s.deps.Fleet.Runs(ctx, fleet.RunFilter{Kind: fleet.RunKindAudit, Limit: 4 * limit})
	if err != nil {
		return nil, err
	}
	seen := xslices.Filter(runs, func(run fleet.Run) bool { return s.stillGranted(ctx, p, run.ID) == nil })
	return seen[:min(limit, len(seen))], nil
}

// Audit returns one of them; any other is a CodeUnknownRun problem.
func (s *Service) Audit(ctx context.Context, p access.Principal, id string) (fleet.Report, error) {
	p = s.deps.Guard.Confine(p)
	if err := s.mayRead(ctx, p); err != nil {
		return fleet.Report{}, err
	}
	report, err := s.deps.Fleet.Report(ctx, fleet.Operator, id)
	if err == nil {
		err = s.stillGranted(ctx, p, id)
	}
	return report, err
}

// CustomerQuery selects tenants of the directory. Fields that are empty select all.
type CustomerQuery struct {
	// Text is a part of a name, company, domain, tenant ID or external ID.
	Text, Label string
	// Audit and State select those that an audit found in a state.
	Audit string
	State answers.RowState
	// From is how many are passed over, Limit how many follow.
	From, Limit int
}

// Customers returns tenants that a principal sees, by name, and how many the query
// selects.
func (s *Service) Customers(ctx context.Context, p access.Principal, q CustomerQuery) (found []schemas.Tenant, total int, err error) {
	p = s.deps.Guard.Confine(p)
	if err := s.mayRead(ctx, p); err != nil {
		return nil, 0, err
	}
	tenants, err := s.visible(p)
	if err != nil {
		return nil, 0, err
	}
	if q.State != "" {
		inState := map[string]bool{}
		for row, err := range s.deps.Fleet.Rows(ctx, q.Audit, fleet.RowQuery{State: q.State}) {
			if err != nil {
				return nil, 0, err
			}
			inState[row.TenantID] = true
		}
		tenants = xslices.Filter(tenants, func(t schemas.Tenant) bool { return inState[t.TenantID] })
	}
	tenants = xslices.Filter(tenants, q.takes)
	from := min(max(q.From, 0), len(tenants))
	return tenants[from:min(from+q.Limit, len(tenants))], len(tenants), nil
}

func (q CustomerQuery) takes(t schemas.Tenant) bool {
	if q.Label != "" && !slices.Contains(t.Labels, q.Label) {
		return false
	}
	text := naming.Fold(strings.TrimSpace(q.Text))
	has := func(s string) bool { return strings.Contains(naming.Fold(s), text) }
	return text == "" || slices.ContainsFunc(append([]string{t.Name, t.Company, t.TenantID, t.ExternalID}, t.Domains...), has)
}

// Customer returns a tenant that a principal sees; any other is a CodeUnknownTenant
// problem.
func (s *Service) Customer(ctx context.Context, p access.Principal, name string) (schemas.Tenant, error) {
	p = s.deps.Guard.Confine(p)
	if err := s.mayRead(ctx, p); err != nil {
		return schemas.Tenant{}, err
	}
	named, err := s.deps.Directory.Resolve(name, p.Grant.Sees())
	if err != nil {
		return schemas.Tenant{}, err
	}
	tenants, err := s.visible(p) // with what is known of their credentials
	if whole, ok := xslices.Find(tenants, func(t schemas.Tenant) bool { return t.TenantID == named.TenantID }); ok {
		return whole, err
	}
	return named, err
}
