package schemas

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
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

// Catalogue returns every operation, reading ones first.
func Catalogue() []Operation { return slices.Clone(catalogue()) }

// catalogue is made once, because every call looks an operation up; nothing
// writes to it afterwards.
var catalogue = sync.OnceValue(func() []Operation {
	all := []Operation{
		checkPartnerLink(), getPartner(), auditPartnerLinks(), listTenants(), listProviderOperations(),
		findPartnerTool(), getApproval(), registerPartner(), updatePartner(), removePartner(),
		ensurePartnerLinks(), transitionPartner(),
	}
	for i := range all {
		all[i].fields = sync.OnceValue(all[i].listFields)
		all[i].input = sync.OnceValue(all[i].inputSchema)
	}
	return all
})

var linkAnswer = []string{"identity", "link"}

func readLink(when string) Route { return Route{http.MethodGet, PathPartners, when} }

func checkPartnerLink() Operation {
	return Operation{
		Name: ToolCheckPartnerLink, Title: "Check partner link",
		Summary: "Tell which partner ID (MPN ID) is linked to our identity in a tenant (Partner Admin Link).",
		Use:     "Use it first, and for any question whether a link is in place.",
		Avoid:   "unknown means it could not be told, never that there is no link.",
		Effect:  EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{readLink("")}, Input: &CheckPartnerLinkInput{}, Answer: linkAnswer,
		Examples: []Example{
			{Says: "Is our partner link in place at Contoso?", Arguments: json.RawMessage(`{"tenant":"contoso"}`), Link: "1234567", Status: StatusDone},
			{Says: "Which MPN ID is linked at Fabrikam?", Arguments: json.RawMessage(`{"tenant":"fabrikam"}`), Status: StatusDone},
		},
	}
}

func getPartner() Operation {
	return Operation{
		Name: ToolGetPartner, Title: "Get partner by ID",
		Summary: "Tell whether one given partner ID is the one linked to our identity in a tenant.",
		Use:     "Use it when the question names an ID.",
		Avoid:   "It knows nothing of partners that are not linked; it is no directory of partners.",
		Effect:  EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{{http.MethodGet, PathPartner, ""}, readLink("after a 404")},
		Input:  &GetPartnerInput{}, Answer: []string{"identity", "link", "matches_asked"},
		Examples: []Example{
			{Says: "Is 1234567 the partner ID at Contoso?", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567"}`), Link: "1234567", Status: StatusDone},
			{Says: "Look up partner 7654321 at Contoso", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"7654321"}`), Link: "1234567", Status: StatusDone},
		},
	}
}

func registerPartner() Operation {
	return Operation{
		Name: ToolRegisterPartner, Title: "Register partner link",
		Summary: "Link our partner ID (MPN ID) to our identity in a tenant that has no link yet.",
		Use:     "A person is asked to confirm.",
		Avoid:   "It never overwrites: another ID that is linked is refused, use update_partner.",
		Effect:  EffectWrite, Repeatable: true, Azure: true,
		Routes: []Route{readLink("before and after"), {http.MethodPut, PathPartner, "when nothing is linked"}},
		Input:  &RegisterPartnerInput{}, Answer: []string{"identity", "before", "after", "approval"},
		Examples: []Example{
			{Says: "Register 1234567 at Fabrikam", Arguments: json.RawMessage(`{"tenant":"fabrikam","partner_id":"1234567"}`), Status: StatusDone},
			{Says: "Register 1234567 at Fabrikam again", Arguments: json.RawMessage(`{"tenant":"fabrikam","partner_id":"1234567"}`), Link: "1234567", Status: StatusUnchanged},
			{Says: "Register 1234567 over another partner", Arguments: json.RawMessage(`{"tenant":"fabrikam","partner_id":"1234567"}`), Link: "7654321", Status: StatusRefused},
		},
	}
}

func updatePartner() Operation {
	return Operation{
		Name: ToolUpdatePartner, Title: "Change partner link",
		Summary: "Replace the partner ID that our identity holds in a tenant by another one.",
		Use:     "A person is asked to confirm; the old ID stops earning attribution.",
		Avoid:   "Without a link it is refused, use register_partner. It cannot touch links of other identities.",
		Effect:  EffectDestroy, Repeatable: true, Azure: true,
		Routes: []Route{readLink("before and after"), {http.MethodPatch, PathPartner, "when another ID is linked"}},
		Input:  &UpdatePartnerInput{}, Answer: []string{"identity", "before", "after", "approval"},
		Examples: []Example{
			{Says: "Change the partner ID at Contoso from 7654321 to 1234567", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567","expected_current_partner_id":"7654321"}`), Link: "7654321", Status: StatusDone},
			{Says: "Change the partner ID where none is linked", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567"}`), Status: StatusRefused},
		},
	}
}

func removePartner() Operation {
	return Operation{
		Name: ToolRemovePartner, Title: "Remove partner link",
		Summary: "Remove the partner link that our identity holds in a tenant; attribution ends.",
		Use:     "A person is asked to confirm. partner_id must be the one linked now.",
		Avoid:   "To change the ID use update_partner, which leaves no gap.",
		Effect:  EffectDestroy, Repeatable: true, Azure: true,
		Routes: []Route{readLink("before and after"), {http.MethodDelete, PathPartner, "when this ID is linked"}},
		Input:  &RemovePartnerInput{}, Answer: []string{"identity", "before", "after", "approval"},
		Examples: []Example{
			{Says: "Remove our link 1234567 at Contoso, they left us", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567"}`), Link: "1234567", Status: StatusDone},
			{Says: "Remove a link where there is none", Arguments: json.RawMessage(`{"tenant":"contoso","partner_id":"1234567"}`), Status: StatusUnchanged},
		},
	}
}

func listProviderOperations() Operation {
	return Operation{
		Name: ToolListProviderOperations, Title: "List provider operations",
		Summary: "List the operations that Microsoft.ManagementPartner itself publishes.",
		Use:     "Use it to see which permissions a role would need.",
		Avoid:   "It says nothing about links.",
		Effect:  EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{{http.MethodGet, PathOperations, "all pages"}},
		Input:  &ListProviderOperationsInput{}, Answer: []string{"identity", "operations"},
		Examples: []Example{
			{Says: "What can the ManagementPartner provider do?", Arguments: json.RawMessage(`{"tenant":"contoso"}`), Status: StatusDone},
		},
	}
}

func listTenants() Operation {
	return Operation{
		Name: ToolListTenants, Title: "List tenants",
		Summary: "List the customer tenants of this server's directory, with expected partner ID and labels.",
		Use:     "Use it to find a tenant's name; with discover it asks ARM which tenants the credential reaches.",
		Avoid:   "It does not read links.",
		Effect:  EffectRead, Repeatable: true, Azure: true,
		Routes: []Route{{http.MethodGet, PathTenants, "with discover"}},
		Input:  &ListTenantsInput{}, Answer: []string{"tenants", "totals", "next_cursor"},
		Examples: []Example{
			{Says: "Which customers do we manage?", Arguments: json.RawMessage(`{}`), Status: StatusDone},
			{Says: "Which tenants can our credential at Contoso see?", Arguments: json.RawMessage(`{"discover":true,"tenant":"contoso"}`), Status: StatusDone},
		},
	}
}

func findPartnerTool() Operation {
	return Operation{
		Name: ToolFindPartnerTool, Title: "Find the right tool",
		Summary: "Find the tool for what a user said, in any language, with arguments read from the words.",
		Use:     "Runs nothing. Says where else to go when the wish is out of scope.",
		Effect:  EffectRead, Repeatable: true, Azure: false,
		Input: &FindPartnerToolInput{}, Answer: []string{"matches", "out_of_scope"},
		Examples: []Example{
			{Says: "Which tool do I need?", Arguments: json.RawMessage(`{"query":"register 1234567 at Fabrikam"}`), Status: StatusDone},
		},
	}
}

func getApproval() Operation {
	return Operation{
		Name: ToolGetApproval, Title: "Get approval",
		Summary: "Tell whether a person has approved a write that was answered with approval_required.",
		Use:     "Use it instead of repeating the write while the person is still thinking.",
		Avoid:   "It approves nothing: only a person can.",
		Effect:  EffectRead, Repeatable: true, Azure: false,
		Input: &GetApprovalInput{}, Answer: []string{"approval"},
		Examples: []Example{
			{Says: "Has anybody approved it yet?", Arguments: json.RawMessage(`{"approval_id":"ap_000000000000000000"}`), Status: StatusRefused},
		},
	}
}
