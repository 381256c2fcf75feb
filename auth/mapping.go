package auth

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
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

// metadata is the part of RFC 9728 that a client needs.
type metadata struct {
	Resource             string   `json:"resource"`
	ResourceName         string   `json:"resource_name"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported"`
}

// Metadata returns the protected resource metadata (RFC 9728) of the server at
// the URL resource, without the scope to approve: an agent that requests every
// supported scope must not get it.
func (a *Authenticator) Metadata(resource string) []byte {
	m := metadata{Resource: resource, ResourceName: "Partner Admin Link", BearerMethods: []string{"header"}}
	for _, one := range a.issuers {
		m.AuthorizationServers = append(m.AuthorizationServers, one.name)
	}
	for _, scope := range []access.Scope{access.ScopeRead, access.ScopeWrite, access.ScopeChange} {
		if name := a.ScopeName(scope); name != "" && !slices.Contains(m.ScopesSupported, name) {
			m.ScopesSupported = append(m.ScopesSupported, name)
		}
	}
	text, _ := json.Marshal(m) // strings always encode
	return text
}

// ScopeName returns the scope that a client requests at the issuer to get one of
// ours, or "" if no scope maps to it. It prefers the one that gives the least beside
// the wanted one, then the first by name.
func (a *Authenticator) ScopeName(scope access.Scope) string {
	m := a.mapping.Load()
	names := append(slices.Sorted(maps.Keys(m.Scopes)), string(scope))
	names = slices.DeleteFunc(names, func(name string) bool { return !gives(m.Scopes, name, scope) })
	if len(names) == 0 {
		return ""
	}
	return m.ScopePrefix + slices.MinFunc(names, func(a, b string) int { return cmp.Compare(len(m.Scopes[a]), len(m.Scopes[b])) })
}
