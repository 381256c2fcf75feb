package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/internal/xslices"
)

// caller is the stable name of a bearer: tenant and object ID with Entra ID, else
// a hash of issuer and subject, so that no subject can imitate another caller.
func (id *identity) caller() access.Caller {
	if id.issuer.tenant != "" {
		return access.Caller("entra:" + id.issuer.tenant + ":" + strings.ToLower(id.object))
	}
	sum := sha256.Sum256([]byte(id.issuer.name + "\x00" + id.subject))
	return access.Caller("oidc:" + hex.EncodeToString(sum[:16]))
}

// Standing returns the grant of a caller whose token is not at hand, for reading:
// that of a person whom object_id or subject names. Where a role or a group decides,
// before that or with it, the grant is not known, and ok is false.
func (m Mapping) Standing(caller access.Caller) (grant access.Grant, ok bool) {
	i := slices.IndexFunc(m.Grants, func(g CallerGrant) bool { return g.mayBe(caller) })
	if i < 0 {
		return access.Grant{}, false
	}
	g := m.Grants[i]
	known := g.Role == "" && g.Group == "" && (len(g.Scopes) == 0 || slices.Contains(g.Scopes, access.ScopeRead))
	return access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tools: g.Tools, Tenants: g.Tenants, PartnerIDs: g.PartnerIDs}, known
}

// mayBe reports whether a grant is for a caller, or may be by a role or a group.
func (g CallerGrant) mayBe(caller access.Caller) bool {
	kind, name, _ := strings.Cut(string(caller), ":")
	tenant, object, _ := strings.Cut(name, ":")
	switch {
	case g.TenantID != "":
		return kind == "entra" && strings.EqualFold(g.TenantID, tenant) && (g.ObjectID == "" || strings.EqualFold(g.ObjectID, object))
	case g.Subject == "":
		return kind == "oidc"
	default:
		return caller == (&identity{issuer: issuer{name: g.Issuer}, subject: g.Subject}).caller()
	}
}

// grant returns scopes only if no grant matches.
func (m Mapping) grant(id *identity) access.Grant {
	given := access.Grant{Scopes: m.scopes(id.claims)}
	i := slices.IndexFunc(m.Grants, func(g CallerGrant) bool { return g.isFor(id, m) })
	if i < 0 {
		return given
	}
	g := m.Grants[i]
	given.Tools, given.Tenants, given.PartnerIDs = g.Tools, g.Tenants, g.PartnerIDs
	if len(g.Scopes) > 0 {
		given.Scopes = slices.DeleteFunc(given.Scopes, func(s access.Scope) bool { return !slices.Contains(g.Scopes, s) })
	}
	return given
}

// scopes are given by the token's scopes. A token without scopes is an
// application's own and is mapped by its roles; with scopes the roles are a
// person's, who may have given the client less.
func (m Mapping) scopes(c claims) []access.Scope {
	if c.has("scp") || c.has("scope") {
		return gathered(m.Scopes, append(c.words("scp"), c.words("scope")...))
	}
	return gathered(m.Roles, c.list(orElse(m.RolesClaim, "roles")...))
}

// gathered looks names up in a table; unknown names give nothing.
func gathered(table map[string][]access.Scope, names []string) []access.Scope {
	return xslices.Filter(access.Scopes(), func(scope access.Scope) bool {
		return slices.ContainsFunc(names, func(name string) bool { return gives(table, name, scope) })
	})
}

// gives reports whether a table maps a name to a scope. Without a table each
// scope of the tools maps to itself; approving and metrics must be mapped by the
// operator.
func gives(table map[string][]access.Scope, name string, scope access.Scope) bool {
	if table == nil {
		return name == string(scope) && scope.OfTools()
	}
	return slices.Contains(table[name], scope)
}

func orElse(path []string, name string) []string {
	if len(path) > 0 {
		return path
	}
	return []string{name}
}

func (g CallerGrant) isFor(id *identity, m Mapping) bool {
	return (g.Issuer == "" || g.Issuer == id.issuer.name && id.issuer.tenant == "") &&
		(g.TenantID == "" || strings.EqualFold(g.TenantID, id.issuer.tenant)) &&
		(g.Subject == "" || g.Subject == id.subject) &&
		(g.ObjectID == "" || strings.EqualFold(g.ObjectID, id.object)) &&
		(g.Role == "" || slices.Contains(id.claims.list(orElse(m.RolesClaim, "roles")...), g.Role)) &&
		(g.Group == "" || slices.Contains(id.claims.list(orElse(m.GroupsClaim, "groups")...), g.Group))
}
