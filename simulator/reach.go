package simulator

import (
	"fmt"
	"net/http"
)

// The categories of a tenant in a list of tenants.
const (
	categoryHome        = "Home"
	CategoryProjectedBy = "ProjectedBy"
	CategoryManagedBy   = "ManagedBy"
)

// delegation is a customer's Lighthouse delegation to a managing tenant.
type delegation struct{ managing, customer, category string }

// Delegate lets the people of a managing tenant see a customer's tenant through
// Lighthouse, in the category ProjectedBy or ManagedBy. Tenants are given by
// name, domain or GUID.
func (s *Simulator) Delegate(managing, customer, category string) error {
	if category != CategoryProjectedBy && category != CategoryManagedBy {
		return fmt.Errorf("simulator: %q is not a category of Lighthouse", category)
	}
	to, err := s.tenant(customer)
	if err != nil {
		return err
	}
	return s.in(managing, func(from *tenant) error {
		s.delegated = append(s.delegated, delegation{from.TenantID, to.TenantID, category})
		return nil
	})
}

// tenants shows a service principal its own tenant, as ARM does, and a person
// every tenant with an account or a delegation.
func (c *call) tenants() answer {
	rows := []any{c.tenantRow(c.tenant, categoryHome)}
	if c.who.user == nil {
		return jsonAnswer(http.StatusOK, map[string]any{"value": rows})
	}
	seen := map[string]bool{c.tenant.TenantID: true}
	add := func(id, category string) {
		if t := c.sim.find(id); t != nil && !seen[id] {
			seen[id] = true
			rows = append(rows, c.tenantRow(t, category))
		}
	}
	for _, t := range c.sim.tenants {
		if c.who.user.objects[t.TenantID] != "" {
			add(t.TenantID, categoryHome)
		}
	}
	for _, d := range c.sim.delegated {
		if d.managing == c.tenant.TenantID {
			add(d.customer, d.category)
		}
	}
	return jsonAnswer(http.StatusOK, map[string]any{"value": rows})
}

func (c *call) tenantRow(t *tenant, category string) map[string]any {
	name := t.DisplayName
	if c.plan.shows(FaultHostileNames) {
		name = hostileName(c.draw("name"))
	}
	return map[string]any{
		"id": "/tenants/" + t.TenantID, "tenantId": t.TenantID, "displayName": name, "defaultDomain": t.Domain,
		"domains": []string{t.Domain}, "countryCode": "US", "tenantCategory": category, "tenantType": "AAD",
	}
}
