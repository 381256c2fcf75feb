package tools

import (
	"context"
	"fmt"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/internal/pec"
	"mcp-partner/schemas"
)

// Azure is one identity in one tenant, as armclient gives it.
type Azure interface {
	Link(ctx context.Context) armclient.LinkRead
	Partner(ctx context.Context, partnerID schemas.PartnerID) (armclient.LinkRead, *bool)
	Operations(ctx context.Context) ([]schemas.ProviderOperation, schemas.Identity, error)
	Tenants(ctx context.Context) ([]schemas.TenantRow, schemas.Identity, error)
	// Roles reads subscriptions and the identity's roles in them.
	Roles() pec.Reader
	Apply(ctx context.Context, permit guard.Permit, change armclient.Change) armclient.Outcome
}

// handler answers one tool's call; input is what the catalogue's Input is.
type handler func(ctx context.Context, j *job, input any) Result

// handle makes a handler of a typed function.
func handle[In any](answer func(context.Context, *job, *In) Result) handler {
	return func(ctx context.Context, j *job, input any) Result {
		return answer(ctx, j, input.(*In))
	}
}

func (s *Service) handlersByTool() map[string]handler {
	return map[string]handler{
		schemas.ToolCheckPartnerLink:       handle(s.checkPartnerLink),
		schemas.ToolCheckPECRoles:          handle(s.checkPECRoles),
		schemas.ToolRegisterPartner:        handle(s.registerPartner),
		schemas.ToolUpdatePartner:          handle(s.updatePartner),
		schemas.ToolRemovePartner:          handle(s.removePartner),
		schemas.ToolListProviderOperations: handle(s.listProviderOperations),
		schemas.ToolListTenants:            handle(s.listTenants),
		schemas.ToolFindPartnerTool:        handle(s.findPartnerTool),
		schemas.ToolGetApproval:            handle(s.getApproval),
		schemas.ToolAuditPartnerLinks:      handle(s.auditPartnerLinks),
		schemas.ToolEnsurePartnerLinks:     handle(s.ensurePartnerLinks),
		schemas.ToolTransitionPartner:      handle(s.transitionPartner),
	}
}

// A read that is one request and its answer has its handler here.

func (s *Service) listProviderOperations(ctx context.Context, j *job, in *schemas.ListProviderOperationsInput) Result {
	t, err := s.target(ctx, j, in.Target, "")
	if err != nil {
		return failure(err)
	}
	if j.call.PlanOnly {
		return done(t.planned(j.op, ""))
	}
	j.progress(1, 1, "Reading the provider's operations")
	operations, identity, err := t.azure.Operations(ctx)
	if err != nil {
		envelope := problemEnvelope(err)
		envelope.Identity = t.identity(identity)
		return done(envelope)
	}
	return done(schemas.Envelope{
		Status: schemas.StatusDone, Identity: t.identity(identity), Operations: operations,
		Summary: fmt.Sprintf("Microsoft.ManagementPartner publishes %d operations.", len(operations)),
	})
}
