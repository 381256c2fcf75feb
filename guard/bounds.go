package guard

import (
	"path"
	"slices"

	"mcp-partner/schemas"
)

// Bounds is the upper bound that the operator gave a server. An empty list
// bounds nothing; a bound is checked in the call path of every tool.
type Bounds struct {
	// Tools are names of the catalogue.
	Tools []string
	// Tenants are names of the directory or globs as in path.Match.
	Tenants []string
	// PartnerIDs are the only IDs that a write may carry.
	PartnerIDs []string
}

// Validate reports a bound that can never match, so that a typing error does
// not look like a safe server.
func (b Bounds) Validate() error {
	for _, tool := range b.Tools {
		if _, ok := schemas.Lookup(tool); !ok {
			return schemas.NewProblem(schemas.CodeUnknownTool, "--tools names "+quote(tool)+", and there is no such tool.",
				schemas.WithCommand("List the tools.", "mcp-partner tools"))
		}
	}
	for _, pattern := range b.Tenants {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return schemas.NewProblem(schemas.CodeInvalidArgument, "--tenants has "+quote(pattern)+", which is neither a name nor a glob.")
		}
	}
	for _, id := range b.PartnerIDs {
		if _, err := schemas.ParsePartnerID("--partner-ids", id); err != nil {
			return err
		}
	}
	return nil
}

// admit refuses what lies outside the bound.
func (b Bounds) admit(s Subject) error {
	switch {
	case len(b.Tools) > 0 && !slices.Contains(b.Tools, s.Operation.Name):
		return outside("without the tool " + quote(s.Operation.Name) + ".")
	case s.Tenant != "" && !b.AllowsTenant(s.Tenant):
		return outside("for other tenants than " + quote(s.Tenant) + ".")
	case s.Operation.Effect.Writes() && !b.allowsPartner(s):
		return outside("for other partner IDs than " + quote(s.PartnerID) + ": a typing error would credit a stranger.")
	default:
		return nil
	}
}

// AllowsTenant reports whether a tenant's name lies inside the bound.
func (b Bounds) AllowsTenant(name string) bool { return matchAny(b.Tenants, name) }

// allowsPartner bounds the IDs that a write may carry, removals included. As
// long as neither tenant nor ID is known, nothing can be said.
func (b Bounds) allowsPartner(s Subject) bool {
	return len(b.PartnerIDs) == 0 || s.undecided() || slices.Contains(b.PartnerIDs, s.PartnerID)
}

func outside(how string) error {
	return schemas.NewProblem(schemas.CodeNotAllowed, "This server was started "+how)
}

func quote(s string) string { return "\"" + schemas.Sanitize(s) + "\"" }

// undecided is a call for many tenants, each of which is asked about on its own
// once its ID is known.
func (s Subject) undecided() bool { return s.Tenant == "" && s.PartnerID == "" }
