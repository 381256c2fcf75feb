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
			{Says: "Which partner links changed since the last audit?", Arguments: json.RawMessage(`{"since":"last"}`), Status: answers.StatusRefused},
			{Says: "Show me more of that audit", Arguments: json.RawMessage(`{"run_id":"run_000000000000000000"}`), Status: answers.StatusRefused},
		},
	}
}

// Paths of subscriptions and roles below the ARM endpoint.
const (
	PathSubscriptions   = "/subscriptions"
	PathRoleAssignments = "/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleAssignments"
	PathRoleDefinition  = "/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"
	PathRoleSchedules   = "/providers/Microsoft.Authorization/roleAssignmentScheduleInstances"
	// RolesAPIVersion and SchedulesAPIVersion are those of Microsoft.Authorization.
	RolesAPIVersion     = "2022-04-01"
	SchedulesAPIVersion = "2020-10-01"
)

// ToolCheckPECRoles is the name of the operation.
const ToolCheckPECRoles = "check_pec_roles"

// CheckPECRolesInput are the arguments of check_pec_roles.
type CheckPECRolesInput struct {
	Target
	Subscriptions []string `json:"subscriptions,omitempty" doc:"Subscription IDs. Default: all." maxLength:"36" maxItems:"100"`
	Cursor        string   `json:"cursor,omitempty" doc:"Previous next_cursor." minLength:"1" maxLength:"512"`
	Limit         int      `json:"limit,omitempty" doc:"Rows per page. Default: 25." minimum:"1" maximum:"100"`
}

func checkPECRoles() Operation {
	return Operation{
		Name: ToolCheckPECRoles, Title: "Check roles for partner earned credit",
		Summary: "Check in which subscriptions of a tenant this server's identity has a role eligible for partner earned credit (PEC).",
		Use:     "Use it when the question is whether a link counts; check_partner_link reads the link alone.",
		Effect:  answers.EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{
			readLink(""), {http.MethodGet, PathSubscriptions, ""}, {http.MethodGet, PathRoleSchedules, ""},
			{http.MethodGet, PathRoleAssignments, "for each subscription"}, {http.MethodGet, PathRoleDefinition, "for roles that are on no list"},
		},
		Input: &CheckPECRolesInput{}, Answer: []string{"identity", "link", "pec_roles", "next_cursor"},
		Examples: []Example{
			{Says: "Does our link at Contoso count for partner earned credit?", Arguments: json.RawMessage(`{"tenant":"contoso"}`), Link: "1234567", Status: answers.StatusDone},
			{Says: "Which roles does our identity have at Fabrikam?", Arguments: json.RawMessage(`{"tenant":"fabrikam","limit":2}`), Status: answers.StatusDone},
		},
	}
}
