package auth

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Mapping is the operator's mapping of callers to grants. The zero value gives
// scopes to tokens that name them, and no tenants.
type Mapping struct {
	// Scopes and Roles map scopes and roles of a token. Nil maps each scope of the
	// tools to itself.
	Scopes map[string][]access.Scope `yaml:"scopes"`
	Roles  map[string][]access.Scope `yaml:"roles"`
	// ScopePrefix precedes a scope when a client requests it, but not in the token:
	// with Entra ID the application ID URI and a slash.
	ScopePrefix string `yaml:"scope_prefix"`
	// RolesClaim and GroupsClaim are paths of claims; by default roles and groups.
	RolesClaim  []string `yaml:"roles_claim"`
	GroupsClaim []string `yaml:"groups_claim"`
	// SharedAudiences are further audiences that a token may have.
	SharedAudiences []string `yaml:"shared_audiences"`
	// RequireATJWT says whether access tokens have to name their type, at+jwt, in
	// their header (RFC 9068). Nil requires it of an issuer that was seen to do so.
	RequireATJWT *bool `yaml:"require_at_jwt"`
	// Grants are tried in order; the first match decides.
	Grants []CallerGrant `yaml:"grants"`
}

// CallerGrant is the grant of the callers that match all set fields among the
// first six after Name.
type CallerGrant struct {
	Name string `yaml:"name"`
	// Issuer or TenantID, an Entra ID tenant, selects the tokens.
	Issuer   string `yaml:"issuer"`
	TenantID string `yaml:"tenant_id"`
	// Subject goes with Issuer, ObjectID with TenantID; Role and Group with both.
	Subject  string `yaml:"subject"`
	ObjectID string `yaml:"object_id"`
	Role     string `yaml:"role"`
	Group    string `yaml:"group"`
	// Scopes limit the token's scopes; empty is no limit.
	Scopes []access.Scope `yaml:"scopes"`
	// Tools, Tenants and PartnerIDs are those of access.Grant.
	Tools      []string `yaml:"tools"`
	Tenants    []string `yaml:"tenants"`
	PartnerIDs []string `yaml:"partner_ids"`
}

// Check refuses a contradictory mapping.
func (m Mapping) Check() error {
	for name := range m.Scopes {
		if full := m.ScopePrefix + name; !isScopeName(name) || !isScopeName(full) {
			return fmt.Errorf("%q is not the name of a scope: printable ASCII without spaces, quotes and backslashes", untrusted.Sanitize(full))
		}
	}
	if m.ScopePrefix != "" && !isScopeName(m.ScopePrefix) {
		return fmt.Errorf("the scope prefix %q is not valid", untrusted.Sanitize(m.ScopePrefix))
	}
	for _, table := range []map[string][]access.Scope{m.Scopes, m.Roles} {
		for name, scopes := range table {
			if err := checkScopes(scopes); err != nil {
				return fmt.Errorf("%s %w", untrusted.Sanitize(name), err)
			}
		}
	}
	for i, grant := range m.Grants {
		if err := cmp.Or(grant.checkWho(), grant.checkTenants(), grant.checkRest()); err != nil {
			return fmt.Errorf("grant %s %w", grant.named(i), err)
		}
	}
	return nil
}

// isScopeName checks a name against RFC 6749 (section 3.3), so that it cannot end
// the quotes of a header.
func isScopeName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

func checkScopes(scopes []access.Scope) error {
	for _, scope := range scopes {
		if !slices.Contains(access.Scopes(), scope) {
			return fmt.Errorf("names %q; the scopes are %v", untrusted.Sanitize(string(scope)), access.Scopes())
		}
	}
	return nil
}

func (g CallerGrant) named(place int) string {
	if g.Name != "" {
		return untrusted.Sanitize(g.Name)
	}
	return fmt.Sprint(place + 1)
}

// checkWho requires the issuer: a subject, role or group belongs to one issuer.
func (g CallerGrant) checkWho() error {
	switch {
	case (g.Issuer == "") == (g.TenantID == ""):
		return fmt.Errorf("needs issuer, or tenant_id for Entra ID, and not both")
	case g.Subject == "" && g.ObjectID == "" && g.Role == "" && g.Group == "":
		return fmt.Errorf("names no caller: give subject, object_id, role or group")
	case g.Subject != "" && g.Issuer == "", g.ObjectID != "" && g.TenantID == "":
		return fmt.Errorf("mixes two kinds of callers: subject goes with issuer, and object_id with tenant_id")
	case g.TenantID != "" && !naming.IsGUID(g.TenantID), g.ObjectID != "" && !naming.IsGUID(g.ObjectID):
		return fmt.Errorf("has a tenant_id or object_id that is not a GUID")
	case g.Issuer == "":
		return nil
	}
	of, err := parseIssuer(g.Issuer)
	if err == nil && of.tenant != "" {
		return fmt.Errorf("names an issuer of Entra ID: give tenant_id instead, with object_id, role or group")
	}
	return err
}

func (g CallerGrant) checkTenants() error {
	if len(g.Tenants) == 0 {
		return fmt.Errorf("gives no tenants; give their names or globs")
	}
	for _, pattern := range g.Tenants {
		if problem := naming.CheckPattern(pattern); problem != "" {
			return fmt.Errorf("has %q among its tenants, which %s", untrusted.Sanitize(pattern), problem)
		}
	}
	return nil
}

func (g CallerGrant) checkRest() error {
	for _, tool := range g.Tools {
		if _, ok := schemas.Lookup(tool); !ok {
			return fmt.Errorf("names the tool %q, which does not exist", untrusted.Sanitize(tool))
		}
	}
	if err := partnerid.Check("partner_ids", g.PartnerIDs...); err != nil {
		return fmt.Errorf("cannot be used: %s", problems.As(err).Message)
	}
	return checkScopes(g.Scopes)
}
