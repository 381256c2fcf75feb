package auth

import (
	"encoding/json"
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
// ours, or "" if no scope maps to it.
func (a *Authenticator) ScopeName(scope access.Scope) string {
	mapping := a.mapping.Load()
	name := mapping.scopeName(scope)
	if name == "" {
		return ""
	}
	return mapping.ScopePrefix + name
}

// scopeName prefers the scope that gives the least beside the wanted one, then the
// first by name.
func (m Mapping) scopeName(scope access.Scope) string {
	best := ""
	if gives(m.Scopes, string(scope), scope) {
		best = string(scope)
	}
	for name, gives := range m.Scopes {
		if !slices.Contains(gives, scope) {
			continue
		}
		if best == "" || len(gives) < len(m.Scopes[best]) || len(gives) == len(m.Scopes[best]) && name < best {
			best = name
		}
	}
	return best
}
