package schemas

import (
	"encoding/json"
	"net/http"
)

func auditPartnerLinks() Operation {
	return Operation{
		Name: ToolAuditPartnerLinks, Title: "Audit partner links",
		Summary: "Check the partner links of many tenants: expected partner ID, another one, or none.",
		Use:     "Use it for more than one tenant; while run.state is running, call it again with run_id.",
		Limit:   "Rows in state unknown are not missing: causes says what to fix.",
		Effect:  EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{
			readLink("once for each identity"), {http.MethodGet, PathSubscriptions, "with include_roles"},
			{http.MethodGet, PathRoleAssignments, "with include_roles, for each subscription"},
		},
		Input: &AuditPartnerLinksInput{}, Answer: []string{"run_id", "run", "totals", "causes", "common", "rows", "next_cursor"},
		Examples: []Example{
			{Says: "Which of our customers are not linked?", Arguments: json.RawMessage(`{}`), Link: "1234567", Status: StatusDone},
			{Says: "Is 1234567 linked at Contoso and Fabrikam?", Arguments: json.RawMessage(`{"tenants":["contoso","fabrikam"],"expected_partner_id":"1234567"}`), Link: "1234567", Status: StatusDone},
			{Says: "Show me more of that audit", Arguments: json.RawMessage(`{"run_id":"run_000000000000000000"}`), Status: StatusRefused},
		},
	}
}
