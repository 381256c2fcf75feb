package auth

import (
	"encoding/json"
	"slices"

	"mcp-partner/guard"
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
// the URL resource. The scope to approve is not in it: an agent that asks for
// all that is supported must not get it.
func (a *Authenticator) Metadata(resource string) []byte {
	m := metadata{Resource: resource, ResourceName: "Partner Admin Link", BearerMethods: []string{"header"}}
	for _, one := range a.issuers {
		m.AuthorizationServers = append(m.AuthorizationServers, one.name)
	}
	for _, scope := range []guard.Scope{guard.ScopeRead, guard.ScopeWrite, guard.ScopeChange} {
		if name := a.ScopeName(scope); name != "" && !slices.Contains(m.ScopesSupported, name) {
			m.ScopesSupported = append(m.ScopesSupported, name)
		}
	}
	text, _ := json.Marshal(m) // strings always encode
	return text
}

// ScopeName returns what a client asks the issuer for in order to get a scope,
// or "" if no scope of a token gives it.
func (a *Authenticator) ScopeName(scope guard.Scope) string {
	mapping := a.mapping.Load()
	name := mapping.scopeName(scope)
	if name == "" {
		return ""
	}
	return mapping.ScopePrefix + name
}

// scopeName prefers the scope that gives least beside the wanted one, and of
// those the first by name.
func (m Mapping) scopeName(scope guard.Scope) string {
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
