package schemas

// Many says for which tenants a tool that writes to many is meant, and how far
// it goes.
type Many struct {
	Tenants    []string `json:"tenants,omitempty" doc:"Names or globs such as emea-*. Default: all." minLength:"1" maxLength:"255"`
	Labels     []string `json:"labels,omitempty" doc:"Only tenants with all of these." minLength:"1"`
	Credential string   `json:"credential,omitempty" doc:"Only this one of each tenant." minLength:"1"`
	Plan       bool     `json:"plan,omitempty" doc:"Only show the plan."`
	First      int      `json:"first,omitempty" doc:"Stop after so many tenants." minimum:"1" maximum:"100000"`
}

// RunRef refers to a run that was opened before.
type RunRef struct {
	RunID  string `json:"run_id,omitempty" doc:"See an earlier run." minLength:"1"`
	Resume bool   `json:"resume,omitempty" doc:"With run_id: go on with it."`
	Cursor string `json:"cursor,omitempty" doc:"next_cursor of the page before." minLength:"1"`
	Limit  int    `json:"limit,omitempty" doc:"Rows a page, 1 to 200. Default 50." minimum:"1" maximum:"200"`
}

// EnsurePartnerLinksInput are the arguments of ensure_partner_links.
type EnsurePartnerLinksInput struct {
	PartnerID PartnerID `json:"partner_id,omitempty" doc:"MPN ID to register. Default: each tenant's expected one."`
	Many
	RunRef
	Confirmation
}

// TransitionPartnerInput are the arguments of transition_partner.
type TransitionPartnerInput struct {
	From     []PartnerID `json:"from,omitempty" doc:"Old MPN IDs. Required without run_id." maxItems:"50"`
	To       PartnerID   `json:"to,omitempty" doc:"New MPN ID. Required without run_id."`
	Strategy string      `json:"strategy,omitempty" doc:"update (default) or remove-then-register."`
	Many
	RunRef
	Confirmation
}
