package schemas

// Many says for which tenants a tool that writes to many is meant, and how far
// it goes.
type Many struct {
	Tenants    []string `json:"tenants,omitempty" doc:"Names, domains, GUIDs or globs (emea-*). Default: all." minLength:"1" maxLength:"255"`
	Labels     []string `json:"labels,omitempty" doc:"Only tenants with all these labels." minLength:"1"`
	Credential string   `json:"credential,omitempty" doc:"Only this credential." minLength:"1"`
	Plan       bool     `json:"plan,omitempty" doc:"Only show the plan."`
	First      int      `json:"first,omitempty" doc:"Rows to write at most." minimum:"1" maximum:"100000"`
}

// RunRef refers to a run that was opened before.
type RunRef struct {
	RunID  string `json:"run_id,omitempty" doc:"Shows this run." minLength:"1"`
	Resume bool   `json:"resume,omitempty" doc:"With run_id: resume it."`
	Cursor string `json:"cursor,omitempty" doc:"next_cursor of the previous page." minLength:"1"`
	Limit  int    `json:"limit,omitempty" doc:"Rows per page. Default: 50." minimum:"1" maximum:"200"`
}

// EnsurePartnerLinksInput are the arguments of ensure_partner_links.
type EnsurePartnerLinksInput struct {
	PartnerID    PartnerID `json:"partner_id,omitempty" doc:"MPN ID to link. Default: each tenant's expected one."`
	IncludeRoles *bool     `json:"include_roles,omitempty" doc:"Also read roles. Default: for one tenant."`
	Many
	RunRef
	Confirmation
}

// TransitionPartnerInput are the arguments of transition_partner.
type TransitionPartnerInput struct {
	From     []PartnerID `json:"from,omitempty" doc:"Old MPN IDs. Required without run_id." maxItems:"50"`
	To       PartnerID   `json:"to,omitempty" doc:"New MPN ID. Required without run_id."`
	Strategy string      `json:"strategy,omitempty" doc:"Default: update." enum:"update,remove-then-register"`
	Many
	RunRef
	Confirmation
}
