package tools

import (
	"context"
	"fmt"

	"mcp-partner/schemas"
)

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
