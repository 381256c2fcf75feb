package schemas

import (
	"encoding/json"
	"net/http"

	"mcp-partner/schemas/answers"
)

var manyAnswer = []string{"totals", "changes", "run_id", "next_cursor", "approval"}

func ensurePartnerLinks() Operation {
	return Operation{
		Name: ToolEnsurePartnerLinks, Title: "Register in many tenants", Does: []string{ToolRegisterPartner},
		Summary: "Register a partner ID in many tenants where this server's identity has no link, under one approval.",
		Use:     "Use it instead of many register_partner calls; plan only shows it, run_id follows a long run.",
		Limit:   "It never overwrites another ID; transition_partner does.",
		Effect:  answers.EffectWrite, Repeatable: true, Azure: true,
		Routes: []Route{readLink("in each tenant, before and after"), {http.MethodPut, PathPartner, "where nothing is linked"}},
		Input:  &EnsurePartnerLinksInput{}, Answer: manyAnswer,
		Examples: []Example{
			{Says: "Register 1234567 at all customers", Arguments: json.RawMessage(`{"partner_id":"1234567"}`), Status: answers.StatusDone},
			{Says: "Register 1234567 where it is linked already", Arguments: json.RawMessage(`{"partner_id":"1234567"}`), Link: "1234567", Status: answers.StatusUnchanged},
			{Says: "What would registering 1234567 everywhere do?", Arguments: json.RawMessage(`{"partner_id":"1234567","plan":true}`), Status: answers.StatusDone},
		},
	}
}

func transitionPartner() Operation {
	return Operation{
		Name: ToolTransitionPartner, Title: "Move links to another partner ID", Does: []string{ToolUpdatePartner, ToolRemovePartner},
		Summary: "Move the links that this server's identities hold from old partner IDs to a new one, under one approval.",
		Use:     "Use it instead of many update_partner calls; plan only shows it, run_id follows a long run.",
		Limit:   "It cannot move links of other identities.",
		Effect:  answers.EffectDestroy, Repeatable: true, Azure: true,
		Routes: []Route{
			readLink("in each tenant, before and after"), {http.MethodPatch, PathPartner, "where an old ID is linked"},
			{http.MethodDelete, PathPartner, "with remove-then-register"}, {http.MethodPut, PathPartner, "with remove-then-register, and to put the old link back"},
		},
		Input: &TransitionPartnerInput{}, Answer: manyAnswer,
		Examples: []Example{
			{Says: "We merged: move every link from 7654321 to 1234567", Arguments: json.RawMessage(`{"from":["7654321"],"to":"1234567"}`), Link: "7654321", Status: answers.StatusDone},
			{Says: "Move links that we do not hold", Arguments: json.RawMessage(`{"from":["7654321"],"to":"1234567"}`), Status: answers.StatusUnchanged},
		},
	}
}

func auditPartnerLinks() Operation {
	return Operation{
		Name: ToolAuditPartnerLinks, Title: "Audit partner links",
		Summary: "Check the partner links of many tenants: expected partner ID, another one, or none.",
		Use:     "Use it for more than one tenant; while run.state is running, call it again with run_id.",
		Limit:   "Rows in state unknown are not missing: causes says what to fix.",
		Effect:  answers.EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{
			readLink("once for each identity"), {http.MethodGet, PathSubscriptions, "with include_roles"},
			{http.MethodGet, PathRoleAssignments, "with include_roles, for each subscription"},
		},
		Input: &AuditPartnerLinksInput{}, Answer: []string{"run_id", "run", "totals", "causes", "common", "rows", "next_cursor"},
		Examples: []Example{
			{Says: "Which of our customers are not linked?", Arguments: json.RawMessage(`{}`), Link: "1234567", Status: answers.StatusDone},
			{Says: "Is 1234567 linked at Contoso and Fabrikam?", Arguments: json.RawMessage(`{"tenants":["contoso","fabrikam"],"expected_partner_id":"1234567"}`), Link: "1234567", Status: answers.StatusDone},
			{Says: "Show me more of that audit", Arguments: json.RawMessage(`{"run_id":"run_000000000000000000"}`), Status: answers.StatusRefused},
		},
	}
}
