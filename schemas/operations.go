package schemas

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
)

// Paths of the provider below the ARM endpoint, as in its published
// specification. The api-version is always 2018-02-01.
const (
	PathPartners   = "/providers/Microsoft.ManagementPartner/partners"
	PathPartner    = PathPartners + "/{partner_id}"
	PathOperations = "/providers/Microsoft.ManagementPartner/operations"
	PathTenants    = "/tenants"
	// APIVersion is the only version of the provider that exists.
	APIVersion = "2018-02-01"
	// TenantsAPIVersion is the version of GET /tenants that is used.
	TenantsAPIVersion = "2022-12-01"
)

// VersionOf returns the api-version of a path.
func VersionOf(path string) string {
	return cmp.Or(map[string]string{
		PathTenants: TenantsAPIVersion, PathSubscriptions: TenantsAPIVersion, PathRoleSchedules: SchedulesAPIVersion,
		PathRoleAssignments: RolesAPIVersion, PathRoleDefinition: RolesAPIVersion,
	}[path], APIVersion)
}

// Catalogue returns every operation, reading ones first.
func Catalogue() []Operation { return slices.Clone(catalogue()) }

// catalogue is made once, because every call looks an operation up; nothing
// writes to it afterwards.
var catalogue = sync.OnceValue(func() []Operation {
	all := []Operation{
		checkPartnerLink(), checkPECRoles(), auditPartnerLinks(), listTenants(), listProviderOperations(),
		findPartnerTool(), getApproval(), registerPartner(), updatePartner(), removePartner(),
		ensurePartnerLinks(), transitionPartner(),
	}
	for i := range all {
		all[i].fields = sync.OnceValue(all[i].listFields)
	}
	return all
})

var linkAnswer = []string{"identity", "link"}

func readLink(when string) Route { return Route{http.MethodGet, PathPartners, when} }

func checkPartnerLink() Operation {
	return Operation{
		Name: ToolCheckPartnerLink, Title: "Check partner link",
		Summary: "Check which partner ID (MPN ID) is linked to this server's identity in one tenant (Partner Admin Link).",
		Use:     "With partner_id it says whether that ID is the one linked; for several tenants use audit_partner_links.",
		Limit:   "unknown means that the link could not be read.",
		Effect:  answers.EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{{http.MethodGet, PathPartner, "with partner_id"}, readLink("without partner_id, or after a 404")},
		Input:  &CheckPartnerLinkInput{}, Answer: linkAnswer,
		Examples: []Example{
			{Says: "Is our partner link in place at Contoso?", Arguments: json.RawMessage(`{"tenant":"contoso"}`), Link: "1234567", Status: answers.StatusDone},
			{Says: "Which MPN ID is linked at Fabrikam?", Arguments: json.RawMessage(`{"tenant":"fabrikam"}`), Status: answers.StatusDone},
			{Says: "Is 1234567 the partner ID at Contoso?", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567"}`), Link: "7654321", Status: answers.StatusDone},
		},
	}
}

func registerPartner() Operation {
	return Operation{
		Name: ToolRegisterPartner, Title: "Register partner link",
		Summary: "Link a partner ID (MPN ID) to this server's identity in one tenant.",
		Use:     "Use it where check_partner_link says not_linked; for many tenants use ensure_partner_links.",
		Limit:   "It never overwrites a link; a person confirms first.",
		Effect:  answers.EffectWrite, Repeatable: true, Azure: true,
		Routes: []Route{readLink("before and after"), {http.MethodPut, PathPartner, "when nothing is linked"}},
		Input:  &RegisterPartnerInput{}, Answer: []string{"identity", "before", "after", "approval", "pec_roles"},
		Examples: []Example{
			{Says: "Register 1234567 at Fabrikam", Arguments: json.RawMessage(`{"tenant":"fabrikam","partner_id":"1234567"}`), Status: answers.StatusDone},
			{Says: "Register 1234567 at Fabrikam again", Arguments: json.RawMessage(`{"tenant":"fabrikam","partner_id":"1234567"}`), Link: "1234567", Status: answers.StatusUnchanged},
			{Says: "Register 1234567 over another partner", Arguments: json.RawMessage(`{"tenant":"fabrikam","partner_id":"1234567"}`), Link: "7654321", Status: answers.StatusRefused},
		},
	}
}

func updatePartner() Operation {
	return Operation{
		Name: ToolUpdatePartner, Title: "Change partner link",
		Summary: "Replace the partner ID that this server's identity holds in one tenant.",
		Use:     "Use it where another ID is linked; for many tenants use transition_partner.",
		Limit:   "It cannot change links of other identities; a person confirms first.",
		Effect:  answers.EffectDestroy, Repeatable: true, Azure: true,
		Routes: []Route{readLink("before and after"), {http.MethodPatch, PathPartner, "when another ID is linked"}},
		Input:  &UpdatePartnerInput{}, Answer: []string{"identity", "before", "after", "approval", "pec_roles"},
		Examples: []Example{
			{Says: "Change the partner ID at Contoso from 7654321 to 1234567", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567","expected_current_partner_id":"7654321"}`), Link: "7654321", Status: answers.StatusDone},
			{Says: "Change the partner ID where none is linked", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567"}`), Status: answers.StatusRefused},
		},
	}
}

func removePartner() Operation {
	return Operation{
		Name: ToolRemovePartner, Title: "Remove partner link",
		Summary: "Remove the partner link that this server's identity holds in one tenant.",
		Use:     "Use it to end attribution; to change the ID use update_partner, which leaves no gap.",
		Limit:   "partner_id must be the ID linked now; a person confirms first.",
		Effect:  answers.EffectDestroy, Repeatable: true, Azure: true,
		Routes: []Route{readLink("before and after"), {http.MethodDelete, PathPartner, "when this ID is linked"}},
		Input:  &RemovePartnerInput{}, Answer: []string{"identity", "before", "after", "approval"},
		Examples: []Example{
			{Says: "Remove our link 1234567 at Contoso, they left us", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567"}`), Link: "1234567", Status: answers.StatusDone},
			{Says: "Remove a link where nothing is linked", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567"}`), Status: answers.StatusUnchanged},
		},
	}
}

func listProviderOperations() Operation {
	return Operation{
		Name: ToolListProviderOperations, Title: "List provider operations",
		Summary: "List the operations that the Azure provider Microsoft.ManagementPartner publishes.",
		Use:     "Use it to find the permissions that a role needs.",
		Limit:   "It reads no links.",
		Effect:  answers.EffectRead, Repeatable: true, Azure: true, AnyTenant: true,
		Routes: []Route{{http.MethodGet, PathOperations, "all pages"}},
		Input:  &ListProviderOperationsInput{}, Answer: []string{"identity", "operations"},
		Table: &Table{[]string{"NAME", "OPERATION", "DESCRIPTION"}, operationCells},
		Examples: []Example{
			{Says: "What can the ManagementPartner provider do?", Arguments: json.RawMessage(`{"tenant":"contoso"}`), Status: answers.StatusDone},
		},
	}
}

func operationCells(e answers.Envelope) [][]string {
	return xslices.Map(e.Operations, func(o answers.ProviderOperation) []string { return []string{o.Name, o.Operation, o.Description} })
}

func listTenants() Operation {
	return Operation{
		Name: ToolListTenants, Title: "List tenants",
		Summary: "List the tenants in this server's directory with company, domains, labels and expected partner ID.",
		Use:     "Use it to find a tenant's name.",
		Limit:   "It reads no links.",
		Effect:  answers.EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{{http.MethodGet, PathTenants, "with discover"}},
		Input:  &ListTenantsInput{}, Answer: []string{"tenants", "totals", "next_cursor"},
		Table: &Table{
			[]string{"COMPANY", "DOMAINS", "NAME", "TENANT ID", "DISPLAY NAME", "CLOUD", "CREDENTIALS", "EXPECTED", "LABELS", "OWNER", "EXTERNAL ID", "CATEGORY", ""},
			tenantCells,
		},
		Examples: []Example{
			{Says: "Which customers do we manage?", Arguments: json.RawMessage(`{}`), Status: answers.StatusDone},
			{Says: "Which tenants can our credential at Contoso see?", Arguments: json.RawMessage(`{"discover":true,"tenant":"contoso"}`), Status: answers.StatusDone},
		},
	}
}

func tenantCells(e answers.Envelope) [][]string {
	rows := make([][]string, len(e.Tenants))
	for i, t := range e.Tenants {
		known := ""
		if !t.InDirectory {
			known = "not in the directory"
		}
		rows[i] = []string{t.Company, strings.Join(t.Domains, " "), t.Name, t.TenantID, t.DisplayName, t.Cloud, strings.Join(t.Credentials, " "),
			string(t.ExpectedPartnerID), strings.Join(t.Labels, ", "), t.Owner, t.ExternalID, t.Category, known}
	}
	return rows
}

func findPartnerTool() Operation {
	return Operation{
		Name: ToolFindPartnerTool, Title: "Find the right tool",
		Summary: "Find the tool and its arguments for a request in any language.",
		Use:     "Use it when no tool clearly fits; it also says where else a request belongs.",
		Limit:   "It runs nothing.",
		Effect:  answers.EffectRead, Repeatable: true, Azure: false,
		Input: &FindPartnerToolInput{}, Answer: []string{"matches", "out_of_scope"},
		Examples: []Example{
			{Says: "Which tool do I need?", Arguments: json.RawMessage(`{"query":"register 1234567 at Fabrikam"}`), Status: answers.StatusDone},
		},
	}
}

func getApproval() Operation {
	return Operation{
		Name: ToolGetApproval, Title: "Get approval",
		Summary: "Get the state of an approval that a write is waiting for.",
		Use:     "Use it to see whether a person has decided; then call the write again with approval_id.",
		Limit:   "Only a person can approve.",
		Effect:  answers.EffectRead, Repeatable: true, Azure: false,
		Input: &GetApprovalInput{}, Answer: []string{"approval"},
		Examples: []Example{
			{Says: "Has anybody approved it yet?", Arguments: json.RawMessage(`{"approval_id":"ap_000000000000000000"}`), Status: answers.StatusRefused},
		},
	}
}
