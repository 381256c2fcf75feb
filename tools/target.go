package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// target is where a call goes: one identity in one tenant.
type target struct {
	tenant schemas.Tenant
	// own are the partner's own IDs.
	own        []string
	credential string
	azure      Azure
}

// target finds tenant and credential, admits the call, and opens the client.
// PartnerID is the ID that a write would carry, or "".
func (s *Service) target(ctx context.Context, j *job, to schemas.Target, partnerID partnerid.ID) (target, error) {
	tenant, unknown := s.tenant(j, to.Tenant)
	if err := s.admit(ctx, j, tenant, partnerID); err != nil {
		return target{}, err // whether there is such a tenant comes second
	}
	if unknown != nil {
		return target{}, unknown
	}
	credential, err := credentialOf(tenant, to.Credential)
	if err != nil {
		return target{}, err
	}
	azure, err := s.deps.Clients.Client(ctx, tenant, credential)
	if err != nil {
		return target{}, err
	}
	return target{tenant: tenant, own: s.deps.Guard.Bounds().PartnerIDs, credential: credential, azure: azure}, nil
}

// admit asks the guard whether the call may go on; the tenant is empty as long
// as it is not known. A plan alone writes nothing, so that nothing need allow
// the write.
func (s *Service) admit(ctx context.Context, j *job, tenant schemas.Tenant, partnerID partnerid.ID) error {
	op := j.op
	if j.call.PlanOnly {
		op.Effect = answers.EffectRead
	}
	ctx, ended := s.deps.Observer.Step(ctx, stepGuard)
	_, err := s.deps.Guard.Admit(ctx, access.Subject{Operation: op, By: j.call.Principal, Tenant: tenant, PartnerID: partnerID})
	ended(err)
	return err
}

// tenant resolves what the call named. Nothing named means the only tenant
// that this server may touch; the provider's list of operations is the same
// everywhere, so the first does.
func (s *Service) tenant(j *job, ref string) (schemas.Tenant, error) {
	if ref != "" {
		tenant, err := s.deps.Directory.Resolve(ref, j.call.Principal.Grant.Sees())
		if outside := s.deps.Guard.Bounds().Outside(ref); err != nil && outside != nil {
			return schemas.Tenant{}, outside
		}
		if err == nil {
			return tenant, nil
		}
		_, empty := s.someVisible(j.call.Principal)
		return schemas.Tenant{}, cmp.Or(empty, err)
	}
	tenants, err := s.someVisible(j.call.Principal)
	switch {
	case err != nil:
		return schemas.Tenant{}, err
	case len(tenants) == 1 || j.op.AnyTenant:
		return tenants[0], nil
	default:
		some := xslices.Map(tenants[:min(3, len(tenants))], func(tenant schemas.Tenant) string { return tenant.Name })
		return schemas.Tenant{}, problems.New(problems.CodeTenantRequired,
			fmt.Sprintf("tenant is missing, and there are %d: name one, such as %s.", len(tenants), strings.Join(some, ", ")),
			problems.WithNextTool(schemas.ToolListTenants))
	}
}

// noTenants tells the operator what to do, and a caller no more than that there
// is nothing here for it.
func noTenants(p access.Principal) error {
	if slices.Contains(p.Grant.Tenants, access.AllTenants) && p.Grant.Only == nil {
		return problems.New(problems.CodeDirectoryEmpty, "The tenant directory of this server is empty.")
	}
	return problems.New(problems.CodeDirectoryEmpty, "This caller has access to no tenant.",
		problems.WithHint("Ask for a token or role that allows it."))
}

func (s *Service) targets(p access.Principal, selection fleet.Selection) ([]fleet.Target, error) {
	targets, err := fleet.Select(s.deps.Directory, selection, seenBy(p))
	return targets, emptyFor(p, err)
}

// emptyFor words an empty directory as every tool does.
func emptyFor(p access.Principal, err error) error {
	if err != nil && problems.As(err).Code == problems.CodeDirectoryEmpty {
		return noTenants(p)
	}
	return err
}

// visible lists the tenants inside the operator's bound that a caller was
// given, ordered by name.
func (s *Service) visible(p access.Principal) ([]schemas.Tenant, error) {
	var tenants []schemas.Tenant
	for tenant, err := range s.deps.Directory.All() {
		if err != nil {
			return nil, err
		}
		if p.Grant.AllowsTenant(tenant.Name) {
			tenants = append(tenants, tenant)
		}
	}
	return tenants, nil
}

// someVisible is visible for a call that makes no sense without a tenant.
func (s *Service) someVisible(p access.Principal) ([]schemas.Tenant, error) {
	tenants, err := s.visible(p)
	if err == nil && len(tenants) == 0 {
		err = noTenants(p)
	}
	return tenants, err
}

// named is a tenant for a person: the company first, then the short name.
func named(t schemas.Tenant) string {
	if t.Company == "" || t.Company == t.Name {
		return t.Name
	}
	return fmt.Sprintf("%q (%s)", t.Company, t.Name)
}

// credentialOf picks the credential: the named one, or the tenant's default.
func credentialOf(tenant schemas.Tenant, name string) (string, error) {
	switch {
	case len(tenant.Credentials) == 0:
		return "", problems.New(problems.CodeUnknownCredential, fmt.Sprintf("Tenant %s has no credential.", tenant.Name),
			problems.WithCommand("Ask a person to add one.", "mcp-partner tenants set %s --client-id GUID --secret-stdin", tenant.Name))
	case name == "":
		return tenant.Credentials[0], nil
	case slices.Contains(tenant.Credentials, name):
		return name, nil
	default:
		return "", problems.New(problems.CodeUnknownCredential,
			fmt.Sprintf("Tenant %s has no credential %s; it has %s.", tenant.Name, untrusted.Shown(name), strings.Join(tenant.Credentials, ", ")))
	}
}

// identity fills in what the token does not say. Before any token was seen
// it says where the call was going.
func (t target) identity(seen answers.Identity) *answers.Identity {
	return new(t.tenant.Identify(seen, t.credential))
}

// expected adds to a link what is expected, and how an audit counts it.
func (t target) expected(link answers.Link) answers.Link {
	wanted := fleet.ExpectationOf(t.tenant, t.own)
	link.AuditState = wanted.State(link)
	if len(wanted.IDs) == 0 {
		return link
	}
	if len(wanted.IDs) == 1 {
		link.ExpectedPartnerID = wanted.IDs[0]
	}
	if link.State != answers.LinkUnknown {
		link.MatchesExpected = new(link.AuditState == answers.RowLinkedExpected)
	}
	return link
}

// pin remembers the identity after a first success. That it cannot be
// remembered is no reason to hold an answer back.
func (s *Service) pin(ctx context.Context, t target, read armclient.LinkRead) {
	oid := read.Identity.ObjectID
	if read.Link.State == answers.LinkUnknown || oid == "" || t.tenant.ObjectIDs[t.credential] != "" {
		return
	}
	if err := s.deps.Directory.PinObjectID(t.tenant.Name, t.credential, oid); err != nil {
		s.deps.Logger.WarnContext(ctx, "the identity could not be pinned", "tenant", t.tenant.Name, "problem", problems.As(err).Code)
	}
}

func (t target) planned(op schemas.Operation, partnerID partnerid.ID) answers.Envelope {
	return answers.Envelope{
		Status: answers.StatusDone, Identity: t.identity(answers.Identity{}), Plan: t.requests(op, partnerID),
		Summary: fmt.Sprintf("A plan for %s in tenant %s; nothing was sent.", op.Name, t.tenant.Name),
	}
}

func (t target) requests(op schemas.Operation, partnerID partnerid.ID) []answers.PlannedRequest {
	var plan []answers.PlannedRequest
	for _, route := range op.Routes {
		if partnerID == "" && strings.Contains(route.Path, "{partner_id}") {
			continue // it is taken with a partner ID only
		}
		effect := answers.EffectRead
		if route.Method != "GET" {
			effect = op.Effect
		}
		plan = append(plan, answers.PlannedRequest{Method: route.Method, URL: t.url(route.Path, partnerID), Effect: effect, When: route.When})
	}
	return plan
}

func (t target) url(path string, partnerID partnerid.ID) string {
	version := schemas.VersionOf(path)
	return strings.TrimRight(t.tenant.ARMEndpoint, "/") + strings.ReplaceAll(path, "{partner_id}", string(partnerID)) + "?api-version=" + version
}
