package guard

import (
	"path"
	"slices"
	"strings"

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
				schemas.WithHint("List the tools with: mcp-partner tools"))
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

// Tool refuses a tool outside the bound.
func (b Bounds) Tool(name string) error {
	if len(b.Tools) == 0 || slices.Contains(b.Tools, name) {
		return nil
	}
	return schemas.NewProblem(schemas.CodeNotAllowed, "This server was started without the tool "+quote(name)+".")
}

// AllowsTenant reports whether a tenant's name lies inside the bound.
func (b Bounds) AllowsTenant(name string) bool {
	if len(b.Tenants) == 0 {
		return true
	}
	for _, pattern := range b.Tenants {
		if ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name)); err == nil && ok {
			return true
		}
	}
	return false
}

// Tenant refuses a tenant outside the bound.
func (b Bounds) Tenant(name string) error {
	if b.AllowsTenant(name) {
		return nil
	}
	return schemas.NewProblem(schemas.CodeNotAllowed, "This server was started for other tenants than "+quote(name)+".")
}

// PartnerID refuses a write with an ID outside the bound. An ID that is about
// to be removed is not checked: what is linked may be anybody's.
func (b Bounds) PartnerID(tool, id string) error {
	if len(b.PartnerIDs) == 0 || tool == schemas.ToolRemovePartner || slices.Contains(b.PartnerIDs, id) {
		return nil
	}
	return schemas.NewProblem(schemas.CodeNotAllowed, "This server was started for other partner IDs than "+quote(id)+
		": a typing error would credit a stranger.")
}

func quote(s string) string { return "\"" + schemas.Foreign(s) + "\"" }
