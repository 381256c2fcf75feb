package app

import (
	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// WarnOfNames says which names in bounds, rules and grants fit no tenant. A
// directory that cannot be read is reported by whatever needs it.
func (a *App) WarnOfNames(policy *guard.Policy, warn func(string)) {
	tenants, err := Directory{Directory: a.Directory, Health: a.Health}.List()
	if err != nil {
		return
	}
	warnings := policy.Warnings(tenants)
	for _, grant := range a.settings.Config.Callers().Grants {
		warnings = append(warnings, guard.UnmatchedNames("The grant "+schemas.Sanitize(grant.Name)+" of callers", grant.Tenants, tenants)...)
	}
	for _, warning := range warnings {
		warn(warning)
	}
}
