package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/access"
	"mcp-partner/docs"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// The resources. Those with a variable are templates.
const (
	resourceTenants = "partner://tenants"
	resourceLink    = "partner://tenants/{tenant}/link"
	resourceSchemas = "partner://schemas/{tool}"
	resourcePAL     = "partner://docs/pal"
	resourceOpenAPI = "partner://openapi"
	resourceUsage   = "partner://pec/reconcile"

	mimeJSON     = "application/json"
	mimeMarkdown = "text/markdown"
)

func (s *Service) addResources(m *mcpserver.MCPServer) {
	s.addView(m)
	m.AddResource(mcp.NewResource(resourceTenants, "tenants", mcp.WithResourceTitle("Tenants"), mcp.WithMIMEType(mimeJSON),
		mcp.WithResourceDescription("The tenants of this server's directory, as list_tenants answers (first 200).")), s.readTenants)
	m.AddResource(mcp.NewResource(resourcePAL, "pal", mcp.WithResourceTitle("What Partner Admin Link is"), mcp.WithMIMEType(mimeMarkdown),
		mcp.WithResourceDescription("What a partner link is and is not: identity, attribution, earned credit.")), static(mimeMarkdown, docs.PAL))
	m.AddResource(mcp.NewResource(resourceOpenAPI, "openapi", mcp.WithResourceTitle("OpenAPI of the provider"), mcp.WithMIMEType(mimeJSON),
		mcp.WithResourceDescription("OpenAPI 3.1 of Microsoft.ManagementPartner's six operations and of the four calls that read roles: what each answer means, errors and throttling included.")), static(mimeJSON, func() string { return string(schemas.OpenAPI()) }))
	m.AddResource(mcp.NewResource(resourceUsage, "pec-reconcile", mcp.WithResourceTitle("Usage beside links and roles"), mcp.WithMIMEType(mimeJSON),
		mcp.WithResourceDescription("Totals of billed usage with and without partner earned credit, after a person ran: mcp-partner pec reconcile FILE --keep")), s.readUsage)
	m.AddResourceTemplate(mcp.NewResourceTemplate(resourceLink, "link", mcp.WithTemplateTitle("Partner link of a tenant"), mcp.WithTemplateMIMEType(mimeJSON),
		mcp.WithTemplateDescription("The partner link of our identity in a tenant, as check_partner_link answers.")), s.readLink)
	m.AddResourceTemplate(mcp.NewResourceTemplate(resourceSchemas, "schemas", mcp.WithTemplateTitle("Full schemas of a tool"), mcp.WithTemplateMIMEType(mimeJSON),
		mcp.WithTemplateDescription("The input schema and the whole answer schema of a tool; tools/list shows a shallow one.")), s.readSchemas)
}

func (s *Service) readTenants(ctx context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return s.readCall(ctx, request, schemas.ToolListTenants, map[string]any{"limit": 200})
}

func (s *Service) readLink(ctx context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return s.readCall(ctx, request, schemas.ToolCheckPartnerLink, map[string]any{"tenant": variable(request, "tenant")})
}

// readCall answers a resource with a call of a reading tool, so that it goes
// through the same bounds, checks and log as any call.
func (s *Service) readCall(ctx context.Context, request mcp.ReadResourceRequest, tool string, arguments map[string]any) ([]mcp.ResourceContents, error) {
	result := s.Call(ctx, Call{Tool: tool, Arguments: raw(arguments), Principal: RequestOf(ctx).Principal, Confirmer: NoConfirmer{}})
	return contents(request, mimeJSON, string(raw(result.Envelope))), nil
}

func (s *Service) readSchemas(ctx context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	op, ok := schemas.Lookup(variable(request, "tool"))
	if !ok || !s.deps.Guard.Confine(RequestOf(ctx).Principal).Grant.Allows(op) {
		return nil, fmt.Errorf("%w: %s", mcp.ErrResourceNotFound, problems.As(unknownTool(variable(request, "tool"))).Message)
	}
	both, err := json.MarshalIndent(map[string]any{"input": op.InputSchema(), "answer": op.AnswerSchema()}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the schemas of %s: %w", op.Name, err)
	}
	return contents(request, mimeJSON, string(both)), nil
}

func static(mime string, text func() string) mcpserver.ResourceHandlerFunc {
	return func(_ context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		return contents(request, mime, text()), nil
	}
}

// readUsage shows the totals that a person kept to callers who were given all
// tenants and check_pec_roles: they are about every tenant of the file.
func (s *Service) readUsage(ctx context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	const nothing = `{"summary":"There is no reconciliation yet: a person runs mcp-partner pec reconcile FILE --keep."}`
	p := RequestOf(ctx).Principal
	if err := s.mayReadRoles(ctx, p, schemas.Tenant{}); err != nil {
		return contents(request, mimeJSON, string(raw(problemEnvelope(err)))), nil
	}
	if s.deps.Reconciliation == nil || !p.Grant.Everywhere() {
		return contents(request, mimeJSON, nothing), nil
	}
	text, err := s.deps.Reconciliation()
	switch {
	case err != nil:
		return contents(request, mimeJSON, string(raw(problemEnvelope(err)))), nil
	case len(text) == 0 || !json.Valid(text):
		return contents(request, mimeJSON, nothing), nil
	}
	return contents(request, mimeJSON, string(text)), nil
}

func contents(request mcp.ReadResourceRequest, mime, text string) []mcp.ResourceContents {
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: request.Params.URI, MIMEType: mime, Text: text}}
}

// variable returns a variable of the matched template; the library hands them
// over as lists.
func variable(request mcp.ReadResourceRequest, name string) string {
	switch value := request.Params.Arguments[name].(type) {
	case string:
		return value
	case []string:
		return strings.Join(value, ",")
	default:
		return ""
	}
}

// completionLimit is the most values that a completion may carry by the
// protocol.
const completionLimit = 100

// CompletePromptArgument completes tenant names in prompts, inside the
// operator's bound and the caller's grant.
func (s *Service) CompletePromptArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return s.complete(ctx, argument)
}

// CompleteResourceArgument completes tenant and tool names in templates.
func (s *Service) CompleteResourceArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return s.complete(ctx, argument)
}

// complete shows names as a call would: none while reads are frozen, no tenants
// without list_tenants, and nothing outside of grant and bounds.
func (s *Service) complete(ctx context.Context, argument mcp.CompleteArgument) (*mcp.Completion, error) {
	p := s.deps.Guard.Confine(RequestOf(ctx).Principal)
	freeze, err := s.deps.Guard.Frozen(ctx)
	if err != nil || freeze.Reads || p.Caller == "" {
		return completion(nil, ""), err
	}
	var names []string
	switch argument.Name {
	case "tenant":
		names, err = s.tenantNames(ctx, p)
	case "tool":
		for _, op := range schemas.Catalogue() {
			if p.Grant.Allows(op) {
				names = append(names, op.Name)
			}
		}
	}
	return completion(names, argument.Value), err
}

func (s *Service) tenantNames(ctx context.Context, p access.Principal) (names []string, err error) {
	list, _ := schemas.Lookup(schemas.ToolListTenants)
	if _, err := s.deps.Guard.Admit(ctx, access.Subject{Operation: list, By: p}); err != nil {
		return nil, nil // who may not list them completes none
	}
	tenants, err := s.visible(p)
	for _, tenant := range tenants {
		names = append(names, tenant.Name)
	}
	return names, err
}

func completion(names []string, typed string) *mcp.Completion {
	values := []string{}
	total := 0
	for _, name := range names {
		if !strings.HasPrefix(naming.Fold(name), naming.Fold(typed)) {
			continue
		}
		if total++; total <= completionLimit {
			values = append(values, name)
		}
	}
	return &mcp.Completion{Values: values, Total: total, HasMore: total > len(values)}
}
