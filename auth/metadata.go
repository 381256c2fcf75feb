package auth

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"mcp-partner/access"
)

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
