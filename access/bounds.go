package access

import (
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Bounds is the upper bound that the operator gave a server. A nil list bounds
// nothing, and one that is empty admits nothing. A bound is checked in the call
// path of every tool.
type Bounds struct {
	// Tools are names of the catalogue.
	Tools []string
	// Tenants are names of the directory or globs.
	Tenants []string
	// PartnerIDs are the only IDs that the URL of a write may carry.
	PartnerIDs []string
}

// check reports a bound that can never match, so that a typing error does
// not look like a safe server.
func (b Bounds) check() error {
	for flag, list := range map[string][]string{"--tools": b.Tools, "--tenants": b.Tenants, "--partner-ids": b.PartnerIDs} {
		if list != nil && len(list) == 0 {
			return problems.New(problems.CodeInvalidArgument, flag+" is an empty list, which would allow nothing. Leave it out to set no bound.")
		}
	}
	for _, tool := range b.Tools {
		if _, ok := schemas.Lookup(tool); !ok {
			return problems.New(problems.CodeUnknownTool, "--tools names "+quote(tool)+", and there is no such tool.",
				problems.WithCommand("List the tools.", "mcp-partner tools"))
		}
	}
	for _, pattern := range b.Tenants {
		if problem := naming.CheckPattern(pattern); problem != "" {
			return problems.New(problems.CodeInvalidArgument, "--tenants has "+quote(pattern)+", which "+problem+".")
		}
	}
	return partnerid.Check("--partner-ids", b.PartnerIDs...)
}

func (b Bounds) admit(s Subject) error {
	switch {
	case !b.admitsTool(s.Operation):
		return outside("without the tool " + quote(s.Operation.Name) + ".")
	case s.Tenant.Name != "" && !b.admitsTenant(s.Tenant.Name):
		return outside("for other tenants than " + quote(s.Tenant.Name) + ".")
	case s.Operation.Effect.Writes() && !s.undecided() && !b.admitsPartner(s.PartnerID):
		return outside("for other partner IDs than " + quote(s.PartnerID) + ": a typing error would credit another partner.")
	default:
		return nil
	}
}

// Outside refuses what reads as the name of a tenant outside the bound, whether
// there is such a tenant or not.
func (b Bounds) Outside(ref string) error {
	if ref == "" || naming.IsGUID(ref) || strings.Contains(ref, ".") || b.admitsTenant(ref) {
		return nil
	}
	return outside("for other tenants than " + quote(ref) + ".")
}

func (b Bounds) admitsTool(op schemas.Operation) bool { return admits(b.Tools, op.Name) }

func (b Bounds) admitsTenant(name string) bool { return matchAny(b.Tenants, name) }

// admitsPartner bounds the IDs that a write may carry, removals included.
func (b Bounds) admitsPartner(id partnerid.ID) bool { return admits(b.PartnerIDs, id) }

// admits reports whether a value is on a list; a nil list admits all.
func admits[V ~string](list []string, value V) bool {
	return list == nil || slices.Contains(list, string(value))
}

func outside(how string) error {
	return problems.New(problems.CodeNotAllowed, "This server was started "+how)
}

// matchAny reports whether a name matches one of the patterns; a nil list
// matches everything.
func matchAny(patterns []string, name string) bool {
	return patterns == nil || slices.ContainsFunc(patterns, func(p string) bool { return naming.Match(p, name) })
}

func quote[S ~string](s S) string { return "\"" + untrusted.Sanitize(string(s)) + "\"" }
