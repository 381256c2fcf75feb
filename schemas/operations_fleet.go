package schemas

import "encoding/json"

func auditPartnerLinks() Operation {
	return Operation{
		Name: ToolAuditPartnerLinks, Title: "Audit partner links",
		Summary: "Tell for many tenants at once which are linked to the right partner ID, to another, or not at all.",
		Use:     "Use it for more than one tenant. It answers within 40 s; a long run goes on, call again with run_id.",
		Avoid:   "Rows that are unknown are not missing: causes says what to mend.",
		Effect:  EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{readLink("once for each identity")},
		Input:  &AuditPartnerLinksInput{}, Answer: []string{"run_id", "run", "totals", "causes", "rows", "next_cursor"},
		Examples: []Example{
			{Says: "Which of our customers are not linked?", Arguments: json.RawMessage(`{}`), Link: "1234567", Status: StatusDone},
			{Says: "Is 1234567 linked at Contoso and Fabrikam?", Arguments: json.RawMessage(`{"tenants":["contoso","fabrikam"],"expected_partner_id":"1234567"}`), Link: "1234567", Status: StatusDone},
			{Says: "Show me more of that audit", Arguments: json.RawMessage(`{"run_id":"run_000000000000000000"}`), Status: StatusRefused},
		},
	}
}
