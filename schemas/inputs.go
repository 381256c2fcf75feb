package schemas

// Target says where a call goes. Both may be left out: the tenant where the
// directory holds exactly one, the credential for the tenant's default.
type Target struct {
	Tenant     string `json:"tenant,omitempty" doc:"Tenant name, domain or GUID from list_tenants. May be left out when there is only one." minLength:"1" maxLength:"255"`
	Credential string `json:"credential,omitempty" doc:"Name of a credential of that tenant. Default: the tenant's own." minLength:"1" maxLength:"128"`
}

// Confirmation is what every writing tool takes beside its own arguments.
type Confirmation struct {
	ApprovalID string `json:"approval_id,omitempty" doc:"From an approval_required answer, when calling again." minLength:"1" maxLength:"128"`
	Reason     string `json:"reason,omitempty" doc:"Why, for the record." maxLength:"500"`
}

// CheckPartnerLinkInput are the arguments of check_partner_link.
type CheckPartnerLinkInput struct {
	Target
}

// GetPartnerInput are the arguments of get_partner.
type GetPartnerInput struct {
	Target
	PartnerID PartnerID `json:"partner_id" doc:"The MPN ID asked about."`
}

// RegisterPartnerInput are the arguments of register_partner.
type RegisterPartnerInput struct {
	Target
	PartnerID PartnerID `json:"partner_id" doc:"Your MPN ID, to be linked."`
	Confirmation
}

// UpdatePartnerInput are the arguments of update_partner.
type UpdatePartnerInput struct {
	Target
	PartnerID                PartnerID `json:"partner_id" doc:"The new MPN ID."`
	ExpectedCurrentPartnerID PartnerID `json:"expected_current_partner_id,omitempty" doc:"Refuse unless this ID is linked now."`
	Confirmation
}

// RemovePartnerInput are the arguments of remove_partner.
type RemovePartnerInput struct {
	Target
	PartnerID PartnerID `json:"partner_id" doc:"The MPN ID that is linked now."`
	Confirmation
}

// ListProviderOperationsInput are the arguments of list_provider_operations.
type ListProviderOperationsInput struct {
	Target
}

// ListTenantsInput are the arguments of list_tenants.
type ListTenantsInput struct {
	Discover   bool   `json:"discover,omitempty" doc:"Also ask ARM which tenants the credential reaches."`
	Tenant     string `json:"tenant,omitempty" doc:"With discover: whose credential to ask with." minLength:"1" maxLength:"255"`
	Credential string `json:"credential,omitempty" doc:"With discover: which credential of that tenant." minLength:"1" maxLength:"128"`
	Cursor     string `json:"cursor,omitempty" doc:"next_cursor of the page before." minLength:"1" maxLength:"512"`
	Limit      int    `json:"limit,omitempty" doc:"Rows a page, 1 to 200. Default 50." minimum:"1" maximum:"200"`
}

// FindPartnerToolInput are the arguments of find_partner_tool.
type FindPartnerToolInput struct {
	Query string `json:"query" doc:"What the user wants, in their words, any language." minLength:"1" maxLength:"1000"`
	Limit int    `json:"limit,omitempty" doc:"Most matches, 1 to 12. Default 3." minimum:"1" maximum:"12"`
}

// GetApprovalInput are the arguments of get_approval.
type GetApprovalInput struct {
	ApprovalID string `json:"approval_id" doc:"From an approval_required answer." minLength:"1" maxLength:"128"`
}

// AuditPartnerLinksInput are the arguments of audit_partner_links.
type AuditPartnerLinksInput struct {
	Tenants           []string    `json:"tenants,omitempty" doc:"Tenant names, domains or GUIDs, or globs such as emea-*. Default: all." minLength:"1" maxLength:"255"`
	Labels            []string    `json:"labels,omitempty" doc:"Only tenants with all of these labels." minLength:"1" maxLength:"500" maxItems:"32"`
	ExpectedPartnerID PartnerID   `json:"expected_partner_id,omitempty" doc:"MPN ID that should be linked everywhere. Default: each tenant's own."`
	OwnPartnerIDs     []PartnerID `json:"own_partner_ids,omitempty" doc:"Instead: all of these are right."`
	StaleAfterDays    int         `json:"stale_after_days,omitempty" doc:"Mark links last written longer ago." minimum:"1" maximum:"3650"`
	RunID             string      `json:"run_id,omitempty" doc:"See or go on with an earlier run." minLength:"1" maxLength:"64"`
	Cursor            string      `json:"cursor,omitempty" doc:"next_cursor of the page before, with run_id." minLength:"1" maxLength:"512"`
	Limit             int         `json:"limit,omitempty" doc:"Rows a page, 1 to 200. Default 50." minimum:"1" maximum:"200"`
}
