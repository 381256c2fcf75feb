// Package answers is everything that a tool can answer: the envelope and the
// rows in it, of links, tenants, audits, changes and roles.
package answers

import (
	"encoding/json"

	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// Status says how a call ended.
type Status string

// The five ways in which a call can end. CodeExit of the command line follows
// them: done and unchanged 0, failed 1, refused 3, approval_required 4.
const (
	// StatusDone: what was asked was done (for a read: answered).
	StatusDone Status = "done"
	// StatusUnchanged: it was so already; nothing was written.
	StatusUnchanged Status = "unchanged"
	// StatusApprovalRequired: a person must confirm first; nothing was written.
	StatusApprovalRequired Status = "approval_required"
	// StatusRefused: not allowed or not well formed; nothing was written.
	StatusRefused Status = "refused"
	// StatusFailed: it was tried and did not work, or the answer is not known.
	StatusFailed Status = "failed"
)

// IsError reports whether MCP's isError is set for the status.
func (s Status) IsError() bool { return s == StatusRefused || s == StatusFailed }

// Envelope is the one shape of every answer, also when things fail.
type Envelope struct {
	Status  Status `json:"status" doc:"How the call ended." enum:"done,unchanged,approval_required,refused,failed"`
	Summary string `json:"summary" doc:"One sentence for a person."`
	// Identity is which identity in which tenant the answer is about.
	Identity *Identity `json:"identity,omitempty"`
	Link     *Link     `json:"link,omitempty"`
	// Before and After are what a write found and what was read back.
	Before   *Link     `json:"before,omitempty"`
	After    *Link     `json:"after,omitempty"`
	PECRoles *PECRoles `json:"pec_roles,omitempty" doc:"Roles that are eligible for partner earned credit."`
	// Operations are the provider's own (list_provider_operations).
	Operations []ProviderOperation `json:"operations,omitzero"`
	Tenants    []TenantRow         `json:"tenants,omitzero"`
	Totals     map[string]int      `json:"totals,omitempty"`
	Matches    []Match             `json:"matches,omitzero"`
	// OutOfScope is in every answer of find_partner_tool and in no other.
	OutOfScope *Scope    `json:"out_of_scope,omitempty"`
	Approval   *Approval `json:"approval,omitempty"`
	// Plan lists the requests that would be made (mcp-partner call --plan).
	Plan  []PlannedRequest `json:"plan,omitzero"`
	RunID string           `json:"run_id,omitempty" doc:"Pass as run_id to see more of this run."`
	// Run, Rows and Causes are of a run over many tenants.
	Run    *RunInfo     `json:"run,omitempty"`
	Common *AuditCommon `json:"common,omitempty" doc:"What all rows have in common; they leave it out."`
	Rows   []AuditRow   `json:"rows,omitzero"`
	Causes []AuditCause `json:"causes,omitzero"`
	// Changes are the rows of a plan or a run that writes to many tenants.
	Changes    []ChangeRow       `json:"changes,omitzero"`
	Ignored    []string          `json:"ignored,omitempty" doc:"Arguments that were ignored, because the tool has none of that name."`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Pass as cursor for the next page."`
	Problem    *problems.Problem `json:"problem,omitempty"`
}

// Identity is the (tenant, identity) pair that a link belongs to, from the
// claims of the token that was used.
type Identity struct {
	TenantID   string `json:"tenant_id" doc:"tid of the token."`
	Tenant     string `json:"tenant" doc:"Name in the directory."`
	ObjectID   string `json:"object_id,omitempty" doc:"oid of the token."`
	Cloud      string `json:"cloud" doc:"public, usgovernment, china or custom."`
	Credential string `json:"credential" doc:"Name of the credential that was used."`
}

// LinkState is what is known of a link.
type LinkState string

// The states of a link. LinkUnknown is the answer whenever anything stood
// between this program and a clear answer of the provider.
const (
	LinkLinked    LinkState = "linked"
	LinkNotLinked LinkState = "not_linked"
	LinkDeleted   LinkState = "deleted"
	LinkUnknown   LinkState = "unknown"
)

// Absent reports whether a write may treat the state as no link.
func (s LinkState) Absent() bool { return s == LinkNotLinked || s == LinkDeleted }

// Link is the partner link of one identity in one tenant.
type Link struct {
	State             LinkState     `json:"state" doc:"What is known." enum:"linked,not_linked,deleted,unknown"`
	PartnerID         partnerid.ID  `json:"partner_id,omitempty" doc:"MPN ID that is linked."`
	PartnerName       string        `json:"partner_name,omitempty" doc:"Untrusted text."`
	PartnerState      string        `json:"partner_state,omitempty" doc:"The provider's own word, such as Active."`
	Version           *int64        `json:"version,omitempty" doc:"Rises by one with every write."`
	CreatedTime       string        `json:"created_time,omitempty" doc:"RFC 3339; survives deletion."`
	UpdatedTime       string        `json:"updated_time,omitempty" doc:"RFC 3339; last write."`
	Reason            problems.Code `json:"reason,omitempty" doc:"Why the state is unknown."`
	ExpectedPartnerID string        `json:"expected_partner_id,omitempty" doc:"What the directory expects."`
	MatchesExpected   *bool         `json:"matches_expected,omitempty" doc:"Whether the linked ID is the expected one."`
	AuditState        RowState      `json:"audit_state,omitempty" doc:"How an audit counts it: linked_own is another ID of this partner, linked_other one of nobody known here." enum:"linked_expected,linked_own,linked_other,linked,not_linked,deleted,unknown"`
	Matches           *bool         `json:"matches,omitempty" doc:"Whether the linked ID is the partner_id that was asked about."`
}

// ProviderOperation is one row of the provider's own list of operations. All
// texts are foreign and cleaned.
type ProviderOperation struct {
	Name        string `json:"name"`
	Provider    string `json:"provider,omitempty"`
	Resource    string `json:"resource,omitempty"`
	Operation   string `json:"operation,omitempty"`
	Description string `json:"description,omitempty"`
	Origin      string `json:"origin,omitempty"`
}

// Approval is a question that waits for a person.
type Approval struct {
	ID    string `json:"id" doc:"Pass as approval_id when calling again."`
	State string `json:"state" doc:"pending, approved, denied or expired."`
	// ExpiresAt is RFC 3339 in UTC.
	ExpiresAt string `json:"expires_at" doc:"RFC 3339."`
	How       string `json:"how" doc:"What to tell the person."`
}

// PlannedRequest is one request that a plan would send.
type PlannedRequest struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Effect Effect `json:"effect"`
	// When says under which condition the request is made; empty means always.
	When string `json:"when,omitempty"`
}

// Confidence says how likely a tool is meant.
type Confidence string

// The values of Confidence. What is out of scope has low ones only.
const (
	ConfidenceHigh   Confidence = "high"
	ConfidenceMedium Confidence = "medium"
	ConfidenceLow    Confidence = "low"
)

// Match is one answer of find_partner_tool.
type Match struct {
	Tool       string     `json:"tool"`
	Title      string     `json:"title"`
	Confidence Confidence `json:"confidence" doc:"How likely it is meant." enum:"high,medium,low"`
	Why        string     `json:"why" doc:"With the words that were decisive."`
	Effect     Effect     `json:"effect"`
	// Arguments are those that could be read from the utterance.
	Arguments   map[string]any `json:"arguments"`
	InputSchema map[string]any `json:"input_schema"`
	Example     map[string]any `json:"example,omitempty"`
}

// Scope is the out_of_scope of find_partner_tool: null where a tool fits. It is
// a type of its own because a nil pointer is left out, and null has to be said.
type Scope struct{ Out *OutOfScope }

// OutOfScope says that no tool here does what was asked, and what does.
type OutOfScope struct {
	Reason     string       `json:"reason"`
	UseInstead []UseInstead `json:"use_instead"`
}

// UseInstead names another product and what it is for.
type UseInstead struct {
	Name    string `json:"name"`
	WhatFor string `json:"what_for"`
}

// MarshalJSON writes null or the object.
func (s Scope) MarshalJSON() ([]byte, error) { return json.Marshal(s.Out) }

// UnmarshalJSON reads the object; a null leaves the envelope's field nil.
func (s *Scope) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &s.Out) }

// Effect is what an operation may do to the link.
type Effect string

// The effects. EffectDestroy covers whatever overwrites or removes something.
const (
	EffectRead    Effect = "read"
	EffectWrite   Effect = "write"
	EffectDestroy Effect = "destroy"
)

// Writes reports whether the effect needs a permit.
func (e Effect) Writes() bool { return e != EffectRead }

// TenantRow is one row of list_tenants. DisplayName is untrusted text.
type TenantRow struct {
	Company           string       `json:"company,omitempty"`
	Name              string       `json:"name" doc:"Use as tenant."`
	TenantID          string       `json:"tenant_id"`
	Domains           []string     `json:"domains,omitempty"`
	DisplayName       string       `json:"display_name,omitempty" doc:"Untrusted text."`
	Cloud             string       `json:"cloud,omitempty"`
	Credentials       []string     `json:"credentials,omitempty" doc:"The first is the default."`
	ExpectedPartnerID partnerid.ID `json:"expected_partner_id,omitempty"`
	Labels            []string     `json:"labels,omitempty"`
	Owner             string       `json:"owner,omitempty"`
	ExternalID        string       `json:"external_id,omitempty"`
	Note              string       `json:"note,omitempty"`
	// CredentialStatus says of each credential what kind it is, when it ends and
	// when it last worked.
	CredentialStatus []CredentialView `json:"credential_status,omitempty"`
	// Category is ARM's tenantCategory for a discovered tenant: Home,
	// ProjectedBy or ManagedBy (the latter two mean Azure Lighthouse).
	Category string `json:"category,omitempty"`
	// InDirectory is false for a tenant that discovery found and that was not
	// added.
	InDirectory bool `json:"in_directory"`
}

// CredentialView is the public part of a credential: never the secret, nor
// where it is kept.
type CredentialView struct {
	Name string `json:"name" doc:"Name of the credential."`
	Kind string `json:"kind" doc:"Kind of credential, such as client-secret."`
	// Tenants is how many tenants use it, of those that the asker sees.
	Tenants int    `json:"tenants,omitempty" doc:"How many tenants use it."`
	Expiry  string `json:"expiry" doc:"none, unknown, valid, soon (within 30 days) or expired."`
	// ExpiresAt, LastSuccess and LastFailure are times in RFC 3339, in UTC.
	ExpiresAt   string        `json:"expires_at,omitempty" doc:"Expiry date."`
	LastSuccess string        `json:"last_success,omitempty" doc:"When it last signed in."`
	LastFailure string        `json:"last_failure,omitempty" doc:"When it last failed to."`
	LastProblem problems.Code `json:"last_problem,omitempty" doc:"Why it last failed to: a problem code."`
}
