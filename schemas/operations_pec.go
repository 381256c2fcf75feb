package schemas

import (
	"encoding/json"
	"net/http"

	"mcp-partner/schemas/answers"
)

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
	Cursor        string   `json:"cursor,omitempty" doc:"next_cursor of the previous page." minLength:"1" maxLength:"512"`
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
