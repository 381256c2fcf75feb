package schemas

func intentsEnglish() map[string][]string {
	return map[string][]string{
		ToolCheckPartnerLink: {
			"is our partner link in place at the customer", "which MPN ID is linked here", "who is the partner of record in this tenant",
			"check the PAL status", "are we getting attribution for this customer", "show the partner admin link",
			"what partner number is registered", "verify that our ID is still linked", "is PAL set up for this tenant",
			"see whether the link is missing", "Get-AzManagementPartner", "az managementpartner show", "GET /providers/Microsoft.ManagementPartner/partners",
			"is this ID the partner ID of the tenant", "look up partner by ID", "does the linked ID match this number",
			"check whether this MPN ID is the one that is linked", "what do you know about this partner ID",
			"Get-AzManagementPartner -PartnerId", "az managementpartner show --partner-id", "what is the name behind this MPN ID",
		},
		ToolCheckPECRoles: {
			"does this link count for partner earned credit", "check PEC eligibility",
			"why is there no earned credit for this partner link",
		},
		ToolRegisterPartner: {
			"register our partner ID", "link our MPN ID to the tenant", "set up partner admin link", "claim the customer for us",
			"put our number on the tenant", "associate our MPN with the customer", "add our partner ID", "create the PAL link",
			"New-AzManagementPartner -PartnerId", "az managementpartner create --partner-id", "PUT partners",
		},
		ToolUpdatePartner: {
			"change the partner ID", "replace the old MPN ID with the new one", "switch the link to another number",
			"move the link from one ID to another", "correct the wrong partner ID", "we merged, use the new MPN ID",
			"Update-AzManagementPartner -PartnerId", "az managementpartner update --partner-id", "PATCH partners",
		},
		ToolRemovePartner: {
			"remove our partner link", "delete the PAL", "unlink us from the customer", "the customer left, take our ID off",
			"disassociate our MPN ID", "drop the partner registration", "get rid of the link",
			"Remove-AzManagementPartner -PartnerId", "az managementpartner delete --partner-id", "DELETE partners",
		},
		ToolAuditPartnerLinks: {
			"which of our customers are not linked", "audit the partner links of all tenants", "how many customers are missing our PAL", "check the links of every tenant",
			"report who has the wrong partner ID", "which tenants are linked to somebody else's ID", "list customers without a partner link", "run the monthly link check over all customers",
			"PAL coverage of the whole fleet", "a spreadsheet of everyone without our partner ID", "show more of the audit run",
		},
		ToolListProviderOperations: {
			"what operations does the provider publish", "which permissions does a role need for the partner link",
			"list the actions of Microsoft.ManagementPartner", "what can the ManagementPartner provider do",
			"which rights are needed to manage PAL", "az provider operation show --namespace Microsoft.ManagementPartner",
		},
		ToolListTenants: {
			"which customers do we manage", "list our tenants", "what tenants are configured", "show me all customers",
			"what is the tenant ID of a customer", "which tenants can our credential reach", "how many customers are in the directory",
		},
		ToolFindPartnerTool: {
			"which tool do I need", "what can you do", "help me find the right command", "what tools are there",
		},
		ToolGetApproval: {"has anybody approved it yet", "what is the state of the approval", "was the pending change confirmed"},
		ToolEnsurePartnerLinks: {
			"register our partner ID at all customers", "link our MPN ID in every tenant that has no link", "set up PAL everywhere it is missing", "create the partner admin link at hundreds of tenants", "make sure every customer is linked to us", "New-AzManagementPartner in all subscriptions' tenants",
		},
		ToolTransitionPartner: {
			"move every link from the old partner ID to the new one", "we merged, replace the old MPN ID at all customers", "change the partner number in every tenant", "migrate all our links to another MPN ID", "switch the whole fleet to the new partner ID",
		},
	}
}
