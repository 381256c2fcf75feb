package tools

import (
	"fmt"
	"strings"

	"mcp-partner/schemas"
)

// planned answers with the requests that the operation would make.
func (t target) planned(op schemas.Operation, partnerID string) schemas.Envelope {
	return schemas.Envelope{
		Status: schemas.StatusDone, Identity: t.identity(schemas.Identity{}), Plan: t.requests(op, partnerID),
		Summary: fmt.Sprintf("A plan for %s in tenant %s; nothing was sent.", op.Name, t.tenant.Name),
	}
}

// requests words the operation's routes for this tenant.
func (t target) requests(op schemas.Operation, partnerID string) []schemas.PlannedRequest {
	var plan []schemas.PlannedRequest
	for _, route := range op.Routes {
		if partnerID == "" && strings.Contains(route.Path, "{partner_id}") {
			continue // it is taken with a partner ID only
		}
		effect := schemas.EffectRead
		if route.Method != "GET" {
			effect = op.Effect
		}
		plan = append(plan, schemas.PlannedRequest{Method: route.Method, URL: t.url(route.Path, partnerID), Effect: effect, When: route.When})
	}
	return plan
}

func (t target) url(path, partnerID string) string {
	version := schemas.VersionOf(path)
	return strings.TrimRight(t.tenant.ARMEndpoint, "/") + strings.ReplaceAll(path, "{partner_id}", partnerID) + "?api-version=" + version
}
