package access

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Scope is a kind of call that a caller may make.
type Scope string

// The scopes. The effects read, write and destroy need the first three; a
// caller with ScopeApprove may decide on what others asked for, and one with
// ScopeMetrics may see metrics, which cover the calls of all callers.
const (
	ScopeRead    Scope = "partner.read"
	ScopeWrite   Scope = "partner.write"
	ScopeChange  Scope = "partner.change"
	ScopeApprove Scope = "partner.approve"
	ScopeMetrics Scope = "partner.metrics"
)

// Scopes returns all scopes.
func Scopes() []Scope {
	return []Scope{ScopeRead, ScopeWrite, ScopeChange, ScopeApprove, ScopeMetrics}
}

// InWords says in few words what scopes allow.
func InWords(scopes []Scope) string {
	words := map[Scope]string{ScopeRead: "read", ScopeWrite: "write new links", ScopeChange: "change links", ScopeApprove: "approve", ScopeMetrics: "see metrics"}
	return strings.Join(xslices.Map(scopes, func(s Scope) string { return cmp.Or(words[s], string(s)) }), ", ")
}

// OfTools reports whether a scope is one that calls of tools need.
func (s Scope) OfTools() bool { return s == ScopeRead || s == ScopeWrite || s == ScopeChange }

// ScopeFor returns the scope that an effect needs.
func ScopeFor(effect answers.Effect) Scope {
	return cmp.Or(map[answers.Effect]Scope{answers.EffectRead: ScopeRead, answers.EffectWrite: ScopeWrite}[effect], ScopeChange)
}

// Grant is what one caller may do, within the operator's bounds and the policy.
// The zero value allows nothing.
type Grant struct {
	Scopes []Scope `json:"scopes"`
	// Tools are names of the catalogue; nil means all that the scopes cover.
	Tools []string `json:"tools"`
	// Tenants are names of the directory or globs; empty means none, and
	// AllTenants all.
	Tenants []string `json:"tenants"`
	// PartnerIDs are the only IDs that a write may carry; nil means no bound
	// beyond the operator's.
	PartnerIDs []string `json:"partner_ids"`
	// Within are the operator's bounds, set by Guard.Confine.
	Within Bounds `json:"-"`
	// Only bounds the tenants further, to those that a person allowed a client; nil
	// bounds nothing.
	Only func(tenant string) bool `json:"-"`
}

// AllTenants in a grant means every tenant.
const AllTenants = "*"

// FullGrant is the grant of the person who runs the program: at the terminal,
// over stdio, and with the token that a server prints at its start. It excludes
// approving, because a requester must not approve its own request.
func FullGrant() Grant {
	return Grant{Scopes: []Scope{ScopeRead, ScopeWrite, ScopeChange, ScopeMetrics}, Tenants: []string{AllTenants}}
}

// Has reports whether a scope was granted.
func (g Grant) Has(scope Scope) bool { return slices.Contains(g.Scopes, scope) }

// Allows reports whether an operation was granted.
func (g Grant) Allows(op schemas.Operation) bool { return g.Check(op) == nil }

// Missing returns the scope that an operation needs and that was not granted, if
// there is one.
func (g Grant) Missing(op schemas.Operation) (Scope, bool) {
	if g.covers(op) {
		return "", false
	}
	return ScopeFor(op.Effect), true
}

// Check returns why an operation was not granted: a CodeInsufficientScope
// problem that names the scope which is missing, or the tool.
func (g Grant) Check(op schemas.Operation) error {
	switch {
	case !g.Within.admitsTool(op):
		return outside("without the tool " + quote(op.Name) + ".")
	case !g.covers(op):
		return problems.New(problems.CodeInsufficientScope,
			"The caller's grant lacks the scope "+string(ScopeFor(op.Effect))+", which "+op.Name+" needs.")
	case !admits(g.Tools, op.Name):
		return problems.New(problems.CodeInsufficientScope, "The caller's grant lacks the tool "+op.Name+".")
	default:
		return nil
	}
}

// covers compares scopes. A caller that may request an approval may also read
// its state.
func (g Grant) covers(op schemas.Operation) bool {
	return g.Has(ScopeFor(op.Effect)) || op.Name == schemas.ToolGetApproval && (g.Has(ScopeWrite) || g.Has(ScopeChange))
}

// AllowsTenant reports whether a tenant of the directory was granted, and lies
// inside the bounds.
func (g Grant) AllowsTenant(name string) bool {
	return g.grantsTenant(name) && g.Within.admitsTenant(name)
}

func (g Grant) grantsTenant(name string) bool {
	return name != "" && slices.ContainsFunc(g.Tenants, func(p string) bool { return p == AllTenants || naming.Match(p, name) }) &&
		(g.Only == nil || g.Only(name))
}

// Sees returns AllowsTenant for a look-up, or nil where it would say yes to all.
func (g Grant) Sees() func(name string) bool {
	if g.Everywhere() {
		return nil
	}
	return g.AllowsTenant
}

// Everywhere reports whether no tenant is out of the grant, one that is in no
// directory included.
func (g Grant) Everywhere() bool {
	return slices.Contains(g.Tenants, AllTenants) && g.Within.Tenants == nil && g.Only == nil
}

// AllowsPartner reports whether a write may carry a partner ID.
func (g Grant) AllowsPartner(id partnerid.ID) bool {
	return admits(g.PartnerIDs, id) && g.Within.admitsPartner(id)
}

// admit refuses what the caller was not given. A tenant out of the grant is
// answered as one that does not exist. The bounds are the policy's to answer.
func (g Grant) admit(s Subject) error {
	if err := g.Check(s.Operation); err != nil {
		return err
	}
	switch {
	case s.Tenant.Name != "" && !g.grantsTenant(s.Tenant.Name):
		return problems.New(problems.CodeUnknownTenant, "There is no tenant "+quote(s.Tenant.Name)+" for this caller.",
			problems.WithNextTool(schemas.ToolListTenants))
	case s.Operation.Effect.Writes() && !s.undecided() && !admits(g.PartnerIDs, s.PartnerID):
		return problems.New(problems.CodeInsufficientScope, "The caller's grant lacks the partner ID "+quote(s.PartnerID)+".",
			problems.WithHint("Use one of: %s.", strings.Join(g.PartnerIDs, ", ")))
	default:
		return nil
	}
}

// Principal is who calls, as the transport established it, and what that caller
// was given. The zero value may do nothing.
type Principal struct {
	Caller Caller
	Grant  Grant
	// Token is the ID of the invocation token that was shown, if it was one. It
	// opens nothing.
	Token string
	// Counted says that each call uses that token up by one.
	Counted bool
	// Consented says that a person gave a client what it has, so that the client can
	// ask for more.
	Consented bool
	// Revalidate tells what the caller is given now, or why it is not let in any more.
	// It is asked again before anything begins, which may be long after the call
	// came. Nil is for a caller whose grant stays as it is.
	Revalidate Revalidate
}

// Revalidate is asked about a caller again. Its errors are problems.
type Revalidate func() (Grant, error)

// Caller is who asks: "stdio", "terminal", or the subject of a bearer token.
type Caller string

// Remote reports whether a caller came over HTTP: its name has a kind before it.
func (c Caller) Remote() bool {
	kind, _, named := strings.Cut(string(c), ":")
	return named && slices.Contains([]string{"http", "token", "oidc", "entra", "user"}, kind)
}

// ScheduleKind comes before the name of a schedule where that is a caller.
const ScheduleKind = "schedule"

// Scheduled reports whether a caller is a schedule, behind which nobody can be asked
// to sign in.
func (c Caller) Scheduled() bool { return strings.HasPrefix(string(c), ScheduleKind+":") }

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

// Subject is what every decision is about: one request that would leave, or a
// call before its requests are known. Names in it are compared by
// naming.Match alone.
type Subject struct {
	// Operation is the tool that is called.
	Operation schemas.Operation
	// By is who calls, with what that caller was given.
	By Principal
	// Tenant is the directory's entry; the zero value as long as it is not known.
	Tenant schemas.Tenant
	// Method is the request's: PUT, PATCH or DELETE. It is "" for a read, and for
	// a call whose requests are not known yet.
	Method string
	// PartnerID is the ID in the request's URL, Current the one that is linked and
	// would be lost; "" if there is none or it is unknown.
	PartnerID, Current partnerid.ID
	// Link is the state seen, or "" where nothing has been read yet.
	Link answers.LinkState
}

// undecided is a call for many tenants, each of which is asked about on its own
// once its ID is known.
func (s Subject) undecided() bool { return s.Tenant.Name == "" && s.PartnerID == "" }

// also returns what else the rules are asked about: the single call, and both with the
// ID that the request would take away.
func (s Subject) also() []Subject {
	all := []Subject{s}
	if single, ok := s.single(); ok {
		all = append(all, single)
	}
	if s.Current != "" && s.Current != s.PartnerID {
		for _, as := range all {
			as.PartnerID = s.Current
			all = append(all, as)
		}
	}
	return all[1:]
}

// single returns the subject as a call of the tool that sends such a request in
// one tenant: what a rule denies there is denied in a batch as well.
func (s Subject) single() (Subject, bool) {
	tool := map[string]string{
		http.MethodPut: schemas.ToolRegisterPartner, http.MethodPatch: schemas.ToolUpdatePartner, http.MethodDelete: schemas.ToolRemovePartner,
	}[s.Method]
	op, ok := schemas.Lookup(tool)
	if !ok || op.Name == s.Operation.Name {
		return Subject{}, false
	}
	s.Operation = op
	s.Link = answers.LinkLinked
	if s.Method == http.MethodPut {
		s.Link = answers.LinkNotLinked
	}
	return s, true
}
