package answers

import (
	"mcp-partner/schemas/problems"
)

// RowState is what an audit found of one identity in one tenant.
type RowState string

// The states; each row ends in exactly one. RowUnknown is never counted as a
// missing link.
const (
	// RowLinkedExpected: linked to a partner ID that was expected.
	RowLinkedExpected RowState = "linked_expected"
	// RowLinkedOwn: linked to one of the partner's own IDs, and another is expected.
	RowLinkedOwn RowState = "linked_own"
	// RowLinkedOther: linked to one that is neither expected nor the partner's own.
	RowLinkedOther RowState = "linked_other"
	// RowLinked: linked, and which ID is right is not known.
	RowLinked    RowState = "linked"
	RowNotLinked RowState = "not_linked"
	// RowDeleted: there was a link and it was removed; counts as none.
	RowDeleted RowState = "deleted"
	// RowUnknown: it could not be told; the row says why.
	RowUnknown RowState = "unknown"
)

// RowStates returns all states, those that need attention first.
func RowStates() []RowState {
	return []RowState{RowNotLinked, RowDeleted, RowLinkedOther, RowLinkedOwn, RowUnknown, RowLinked, RowLinkedExpected}
}

// Missing reports whether the identity has no link.
func (s RowState) Missing() bool { return s == RowNotLinked || s == RowDeleted }

// Linked reports whether the identity has a link to any partner.
func (s RowState) Linked() bool {
	return s == RowLinked || s == RowLinkedExpected || s == RowLinkedOwn || s == RowLinkedOther
}

// AuditRow is one identity in one tenant as an audit found it. PartnerName and
// PartnerState are untrusted text.
type AuditRow struct {
	Company    string `json:"company,omitempty"`
	Domain     string `json:"domain,omitempty"`
	Tenant     string `json:"tenant" doc:"Name in the directory."`
	TenantID   string `json:"tenant_id,omitempty"`
	Credential string `json:"credential,omitempty"`
	ObjectID   string `json:"object_id,omitempty" doc:"The identity, where a token was seen."`
	Cloud      string `json:"cloud,omitempty"`
	// Authority is where the credential signs in; it is for grouping.
	Authority         string   `json:"authority,omitempty"`
	State             RowState `json:"state" doc:"What was found." enum:"linked_expected,linked_own,linked_other,linked,not_linked,deleted,unknown"`
	Stale             bool     `json:"stale,omitempty" doc:"Last written before the limit."`
	PartnerID         string   `json:"partner_id,omitempty" doc:"MPN ID that is linked."`
	PartnerName       string   `json:"partner_name,omitempty" doc:"Untrusted text."`
	PartnerState      string   `json:"partner_state,omitempty"`
	ExpectedPartnerID string   `json:"expected_partner_id,omitempty" doc:"What the run or the directory expects."`
	// UpdatedTime is the last write; since when this ID is linked is not known
	// better than that, because CreatedTime survives a deletion.
	UpdatedTime string   `json:"updated_time,omitempty" doc:"RFC 3339; last write, so linked since then at the latest."`
	CreatedTime string   `json:"created_time,omitempty" doc:"RFC 3339; survives deletion."`
	Version     *int64   `json:"version,omitempty"`
	Labels      []string `json:"labels,omitempty"`
	Owner       string   `json:"owner,omitempty"`
	ExternalID  string   `json:"external_id,omitempty"`
	// CredentialExpires is when the credential ends, where that is near, in RFC 3339.
	CredentialExpires string `json:"credential_expires,omitempty" doc:"RFC 3339, where near."`
	// Change is there in an answer to since.
	Change *RowChange `json:"change,omitempty" doc:"How it differs from the earlier audit."`
	// PECRoles are there where the audit read roles, without a row a subscription.
	PECRoles *PECRoles `json:"pec_roles,omitempty" doc:"Roles that are eligible for partner earned credit."`
	// CheckedAt is when the answer came, RFC 3339 in UTC.
	CheckedAt string            `json:"checked_at,omitempty"`
	Problem   *problems.Problem `json:"problem,omitempty" doc:"Why the state is unknown."`
	Reason    problems.Code     `json:"reason,omitempty" doc:"Why the state is unknown; causes has more."`
}

// AuditCommon is what all rows of a page have in common, said once.
type AuditCommon struct {
	Credential        string   `json:"credential,omitempty"`
	Cloud             string   `json:"cloud,omitempty"`
	ExpectedPartnerID string   `json:"expected_partner_id,omitempty"`
	Owner             string   `json:"owner,omitempty"`
	Labels            []string `json:"labels,omitempty"`
}

// AuditCause is one reason for which rows are unknown: one expired secret is
// one cause, however many tenants it opens.
type AuditCause struct {
	Code       problems.Code `json:"code"`
	Credential string        `json:"credential,omitempty"`
	Authority  string        `json:"authority,omitempty" doc:"Where the credential signs in."`
	Rows       int           `json:"rows" doc:"Rows that are unknown for this reason."`
	// Message, Hint and Command are those of the first row, whose tenant is Example.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Command string `json:"command,omitempty" doc:"Command that a person runs in a shell."`
	Example string `json:"example,omitempty" doc:"One of the tenants."`
}

// RunInfo is where a run stands.
type RunInfo struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	Label string `json:"label,omitempty"`
	State string `json:"state" doc:"An interrupted run can be resumed." enum:"running,finished,cancelled,interrupted"`
	// CreatedAt and FinishedAt are RFC 3339 in UTC.
	CreatedAt  string `json:"created_at"`
	FinishedAt string `json:"finished_at,omitempty"`
	// Rows is the number of targets, Answered of those with a result.
	Rows     int `json:"rows"`
	Answered int `json:"answered"`
}
