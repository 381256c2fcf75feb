package schemas

import "mcp-partner/schemas/partnerid"

func inputs() map[string]any {
	return map[string]any{
		ToolCheckPartnerLink: &CheckPartnerLinkInput{}, ToolCheckPECRoles: &CheckPECRolesInput{}, ToolAuditPartnerLinks: &AuditPartnerLinksInput{},
		ToolListTenants: &ListTenantsInput{}, ToolListProviderOperations: &ListProviderOperationsInput{}, ToolFindPartnerTool: &FindPartnerToolInput{},
		ToolGetApproval: &GetApprovalInput{}, ToolRegisterPartner: &RegisterPartnerInput{}, ToolUpdatePartner: &UpdatePartnerInput{},
		ToolRemovePartner: &RemovePartnerInput{}, ToolEnsurePartnerLinks: &EnsurePartnerLinksInput{}, ToolTransitionPartner: &TransitionPartnerInput{},
	}
}

// Target says where a call goes. Both may be left out: the tenant where the
// directory holds exactly one, the credential for the tenant's default.
type Target struct {
	Tenant     string `json:"tenant,omitempty" doc:"Name, domain or GUID. Default: the only one." minLength:"1" maxLength:"255"`
	Credential string `json:"credential,omitempty" doc:"Default: the tenant's first." minLength:"1" maxLength:"128"`
}

// Confirmation is what every writing tool takes beside its own arguments.
type Confirmation struct {
	ApprovalID string `json:"approval_id,omitempty" doc:"From an approval_required answer." minLength:"1" maxLength:"128"`
	Reason     string `json:"reason,omitempty" doc:"Kept in the record." text:"prose" maxLength:"500"`
}

// CheckPartnerLinkInput are the arguments of check_partner_link.
type CheckPartnerLinkInput struct {
	Target
	PartnerID partnerid.ID `json:"partner_id,omitempty" doc:"MPN ID to compare with."`
}

// CheckPECRolesInput are the arguments of check_pec_roles.
type CheckPECRolesInput struct {
	Target
	Subscriptions []string `json:"subscriptions,omitempty" doc:"Subscription IDs. Default: all." maxLength:"36" maxItems:"100"`
	Cursor        string   `json:"cursor,omitempty" doc:"Previous next_cursor." minLength:"1" maxLength:"512"`
	Limit         int      `json:"limit,omitempty" doc:"Rows per page. Default: 25." minimum:"1" maximum:"100"`
}

// RegisterPartnerInput are the arguments of register_partner.
type RegisterPartnerInput struct {
	Target
	PartnerID partnerid.ID `json:"partner_id" doc:"MPN ID to link."`
	Confirmation
}

// UpdatePartnerInput are the arguments of update_partner.
type UpdatePartnerInput struct {
	Target
	PartnerID                partnerid.ID `json:"partner_id" doc:"New MPN ID."`
	ExpectedCurrentPartnerID partnerid.ID `json:"expected_current_partner_id,omitempty" doc:"MPN ID that must be linked now."`
	Confirmation
}

// RemovePartnerInput are the arguments of remove_partner.
type RemovePartnerInput struct {
	Target
	PartnerID partnerid.ID `json:"partner_id" doc:"MPN ID that is linked now."`
	Confirmation
}

// ListProviderOperationsInput are the arguments of list_provider_operations.
type ListProviderOperationsInput struct {
	Target
}

// ListTenantsInput are the arguments of list_tenants.
type ListTenantsInput struct {
	Discover   bool   `json:"discover,omitempty" doc:"List what a credential reaches in Azure."`
	Tenant     string `json:"tenant,omitempty" doc:"With discover: tenant whose credential is used." minLength:"1" maxLength:"255"`
	Credential string `json:"credential,omitempty" doc:"With discover: credential of that tenant." minLength:"1" maxLength:"128"`
	Cursor     string `json:"cursor,omitempty" doc:"Previous next_cursor." minLength:"1" maxLength:"512"`
	Limit      int    `json:"limit,omitempty" doc:"Rows per page. Default: 50." minimum:"1" maximum:"200"`
}

// FindPartnerToolInput are the arguments of find_partner_tool.
type FindPartnerToolInput struct {
	Query string `json:"query" doc:"The user's own words." text:"prose" minLength:"1" maxLength:"1000"`
	Limit int    `json:"limit,omitempty" doc:"Matches at most. Default: 3." minimum:"1" maximum:"12"`
}

// GetApprovalInput are the arguments of get_approval.
type GetApprovalInput struct {
	ApprovalID string `json:"approval_id" doc:"From an approval_required answer." minLength:"1" maxLength:"128"`
}

// AuditPartnerLinksInput are the arguments of audit_partner_links.
type AuditPartnerLinksInput struct {
	Tenants           []string       `json:"tenants,omitempty" doc:"Names, domains, GUIDs or globs (emea-*). Default: all." minLength:"1" maxLength:"255"`
	Labels            []string       `json:"labels,omitempty" doc:"Tenants with all these labels." minLength:"1" maxLength:"500" maxItems:"32"`
	ExpectedPartnerID partnerid.ID   `json:"expected_partner_id,omitempty" doc:"MPN ID expected everywhere. Default: each tenant's own."`
	OwnPartnerIDs     []partnerid.ID `json:"own_partner_ids,omitempty" doc:"Several accepted MPN IDs instead."`
	IncludeRoles      bool           `json:"include_roles,omitempty" doc:"Also read roles (check_pec_roles)."`
	StaleAfterDays    int            `json:"stale_after_days,omitempty" doc:"Marks older links as stale." minimum:"1" maximum:"3650"`
	RunID             string         `json:"run_id,omitempty" doc:"Shows or resumes this run." minLength:"1" maxLength:"64"`
	Since             string         `json:"since,omitempty" doc:"Only changes since: run ID, label or last." minLength:"1" maxLength:"100"`
	Cursor            string         `json:"cursor,omitempty" doc:"Previous next_cursor." minLength:"1" maxLength:"512"`
	Limit             int            `json:"limit,omitempty" doc:"Rows per page. Default: 50." minimum:"1" maximum:"200"`
}

// Many says for which tenants a tool that writes to many is meant, and how far
// it goes.
type Many struct {
	Tenants    []string `json:"tenants,omitempty" doc:"Names, domains, GUIDs or globs. Default: all." minLength:"1" maxLength:"255"`
	Labels     []string `json:"labels,omitempty" doc:"Tenants with all these labels." minLength:"1"`
	Credential string   `json:"credential,omitempty" doc:"Only this credential." minLength:"1"`
	Plan       bool     `json:"plan,omitempty" doc:"Only show the plan."`
	First      int      `json:"first,omitempty" doc:"Rows to write at most." minimum:"1" maximum:"100000"`
}

// RunRef refers to a run that was opened before.
type RunRef struct {
	RunID  string `json:"run_id,omitempty" doc:"Shows this run." minLength:"1"`
	Resume bool   `json:"resume,omitempty" doc:"With run_id: resume it."`
	Cursor string `json:"cursor,omitempty" doc:"Previous next_cursor." minLength:"1"`
	Limit  int    `json:"limit,omitempty" doc:"Rows per page. Default: 50." minimum:"1" maximum:"200"`
}

// EnsurePartnerLinksInput are the arguments of ensure_partner_links.
type EnsurePartnerLinksInput struct {
	PartnerID    partnerid.ID `json:"partner_id,omitempty" doc:"MPN ID to link. Default: each tenant's expected one."`
	IncludeRoles *bool        `json:"include_roles,omitempty" doc:"Also read roles. Default: for one tenant."`
	Many
	RunRef
	Confirmation
}

// TransitionPartnerInput are the arguments of transition_partner.
type TransitionPartnerInput struct {
	From     []partnerid.ID `json:"from,omitempty" doc:"Old MPN IDs. Required without run_id." maxItems:"50"`
	To       partnerid.ID   `json:"to,omitempty" doc:"New MPN ID. Required without run_id."`
	Strategy string         `json:"strategy,omitempty" doc:"Default: update." enum:"update,remove-then-register"`
	Many
	RunRef
	Confirmation
}
