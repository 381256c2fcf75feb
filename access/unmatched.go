package access

import (
	"fmt"
	"slices"
	"strings"

	"mcp-partner/schemas"
)

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
		if slices.ContainsFunc(tenants, fits) {
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
