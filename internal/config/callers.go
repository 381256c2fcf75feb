package config

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
)

func (f *File) readCallers(node *yaml.Node) error {
	m := &f.Callers
	keys := map[string]reader{
		"scopes":           table(&m.Scopes),
		"roles":            table(&m.Roles),
		"scope_prefix":     word(&m.ScopePrefix),
		"roles_claim":      words(&m.RolesClaim),
		"groups_claim":     words(&m.GroupsClaim),
		"shared_audiences": words(&m.SharedAudiences),
		"require_at_jwt":   yesOrNo(&m.RequireATJWT),
		"grants":           grants(&m.Grants),
	}
	err := readKeys(node, keys)
	if err == nil {
		err = m.Check()
	}
	if err != nil {
		return fmt.Errorf("callers: %w", err)
	}
	return nil
}

// table reads the scopes that each name gives.
func table(into *map[string][]access.Scope) reader {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.MappingNode {
			return errors.New("is not a mapping; write lines such as \"partner.read: [partner.read]\"")
		}
		*into = map[string][]access.Scope{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			name, value := node.Content[i], node.Content[i+1]
			if _, twice := (*into)[name.Value]; twice || name.Kind != yaml.ScalarNode {
				return fmt.Errorf("has line %d twice, or no name there", name.Line)
			}
			var given []string
			if err := words(&given)(value); err != nil {
				return fmt.Errorf("has %q, which %w", untrusted.Sanitize(name.Value), err)
			}
			(*into)[name.Value] = scopesOf(given)
		}
		return nil
	}
}

func scopesOf(names []string) []access.Scope {
	return xslices.Map(names, func(name string) access.Scope { return access.Scope(name) })
}

func grants(into *[]auth.CallerGrant) reader {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.SequenceNode {
			return errors.New("is not a list; begin each grant with \"- name: ...\"")
		}
		*into = make([]auth.CallerGrant, len(node.Content))
		for i, item := range node.Content {
			if err := readKeys(item, grantKeys(&(*into)[i])); err != nil {
				return fmt.Errorf("has a grant that cannot be read: %w", err)
			}
		}
		return nil
	}
}

// grantKeys maps the keys of a grant to its fields.
func grantKeys(g *auth.CallerGrant) map[string]reader {
	var scopes []string
	return map[string]reader{
		"name":        word(&g.Name),
		"issuer":      word(&g.Issuer),
		"subject":     word(&g.Subject),
		"tenant_id":   word(&g.TenantID),
		"object_id":   word(&g.ObjectID),
		"role":        word(&g.Role),
		"group":       word(&g.Group),
		"tools":       words(&g.Tools),
		"tenants":     words(&g.Tenants),
		"partner_ids": words(&g.PartnerIDs),
		"scopes": then(words(&scopes), func() error {
			g.Scopes = scopesOf(scopes)
			return nil
		}),
	}
}
