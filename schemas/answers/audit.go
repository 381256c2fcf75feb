package answers

import (
	"slices"

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

// ChangeKind says how an identity in a tenant differs between two audits.
type ChangeKind string

// The kinds of changes, in the order in which they matter.
const (
	// KindLinkVanished: the identity was linked when it last answered, and has no
	// link now.
	KindLinkVanished ChangeKind = "link_vanished"
	// KindPartnerChanged: linked then and now, to different partner IDs.
	KindPartnerChanged ChangeKind = "partner_changed"
	// KindRoleLost: a role was removed, or fewer subscriptions have an eligible one.
	KindRoleLost ChangeKind = "role_lost"
	// KindIdentityReplaced: the credential opens another identity. Nothing is known of
	// the link of the earlier one.
	KindIdentityReplaced ChangeKind = "identity_replaced"
	// KindUnknownRepeatedly: unknown in several audits in a row.
	KindUnknownRepeatedly ChangeKind = "unknown_repeatedly"
	// KindCredentialExpires: the end of the credential has come nearer.
	KindCredentialExpires ChangeKind = "credential_expires"
	// KindNewlyUnknown: answered then, and now not. It says nothing about the link.
	KindNewlyUnknown ChangeKind = "newly_unknown"
	// KindVerdictChanged: the same link counts otherwise than before.
	KindVerdictChanged ChangeKind = "verdict_changed"
	// KindRolesChanged: roles differ, and none was lost.
	KindRolesChanged ChangeKind = "roles_changed"
	KindNewlyLinked  ChangeKind = "newly_linked"
	// KindKnownAgain: unknown then, and as it was before that, or known for the first
	// time.
	KindKnownAgain ChangeKind = "known_again"
	// KindGone and KindAppeared: a row of one of the two alone, because the directory
	// differs.
	KindGone     ChangeKind = "gone"
	KindAppeared ChangeKind = "new"
)

// ChangeKinds returns all kinds, in their order.
func ChangeKinds() []ChangeKind {
	return append(AlertKinds(), KindNewlyUnknown, KindVerdictChanged, KindRolesChanged, KindNewlyLinked, KindKnownAgain, KindGone, KindAppeared)
}

// AlertKinds are the kinds that somebody should hear of.
func AlertKinds() []ChangeKind {
	return []ChangeKind{KindLinkVanished, KindPartnerChanged, KindRoleLost, KindIdentityReplaced, KindUnknownRepeatedly, KindCredentialExpires}
}

// AboutLink reports whether the kind is about the link itself, which a write of this
// program can explain.
func (k ChangeKind) AboutLink() bool {
	return slices.Contains([]ChangeKind{KindLinkVanished, KindPartnerChanged, KindNewlyLinked, KindVerdictChanged}, k)
}

// RowChange is how a row differs from the last answer of its identity.
type RowChange struct {
	Kind ChangeKind `json:"kind" doc:"Such as link_vanished or identity_replaced."`
	// State and PartnerID are those of the earlier audit.
	State     RowState `json:"state,omitempty" doc:"State before."`
	PartnerID string   `json:"partner_id,omitempty" doc:"MPN ID before."`
	Roles     []string `json:"roles,omitempty"`
	Own       bool     `json:"own,omitempty" doc:"Written by this program."`
	// Acknowledged is what a person wrote about it: untrusted text.
	Acknowledged string `json:"acknowledged,omitempty" doc:"Untrusted text of a person who knows of it."`
}

// ChangeState is the state of one identity in one tenant within a plan or a run
// that writes.
type ChangeState string

// The states, those that need a person first.
const (
	// ChangeStranded: nothing is linked, the new ID was refused and the old one
	// could not be put back.
	ChangeStranded ChangeState = "stranded"
	// ChangeUnfinished: begun, and what became of it is not known yet.
	ChangeUnfinished ChangeState = "unfinished"
	// ChangeFailed: it was tried and did not work; the row says what is linked.
	ChangeFailed ChangeState = "failed"
	// ChangeRestored: the new ID was refused, and the old link was put back.
	ChangeRestored ChangeState = "restored"
	// ChangeSkipped: not begun, because something moved since the plan.
	ChangeSkipped ChangeState = "skipped"
	// ChangeWaiting: not begun, and may be later in the same run.
	ChangeWaiting ChangeState = "waiting"
	// ChangeUnknown: what is linked could not be told, so nothing is written.
	ChangeUnknown ChangeState = "unknown"
	// ChangeDenied: the policy or a bound denies it.
	ChangeDenied ChangeState = "denied"
	// ChangeNothingExpected: no partner ID was given and the directory expects none.
	ChangeNothingExpected ChangeState = "nothing_expected"
	// ChangeBeyondFirst: the plan was asked for fewer rows; it needs another one.
	ChangeBeyondFirst ChangeState = "beyond_first"
	// ChangeLinkedOther: another ID is linked, which is not to be touched.
	ChangeLinkedOther ChangeState = "linked_other"
	// ChangeLinkedOwn: another of the partner's own IDs is linked, not to be touched.
	ChangeLinkedOwn ChangeState = "linked_own"
	// ChangeNotLinked: our identity holds nothing that could be moved.
	ChangeNotLinked ChangeState = "not_linked"
	// ChangePlanned: will be written once the plan is approved.
	ChangePlanned ChangeState = "planned"
	ChangeDone    ChangeState = "done"
	// ChangeUnchanged: the ID was linked already.
	ChangeUnchanged ChangeState = "unchanged"
)

// ChangeStates returns all states in the order in which rows are shown.
func ChangeStates() []ChangeState {
	return []ChangeState{
		ChangeStranded, ChangeUnfinished, ChangeFailed, ChangeRestored, ChangeSkipped, ChangeWaiting, ChangeUnknown, ChangeDenied,
		ChangeNothingExpected, ChangeBeyondFirst, ChangeLinkedOther, ChangeLinkedOwn, ChangeNotLinked, ChangePlanned, ChangeDone, ChangeUnchanged,
	}
}

// ChangeRow is one identity in one tenant of a plan or a run that writes.
type ChangeRow struct {
	Company    string      `json:"company,omitempty"`
	Domain     string      `json:"domain,omitempty"`
	Tenant     string      `json:"tenant" doc:"Name in the directory."`
	TenantID   string      `json:"tenant_id"`
	Credential string      `json:"credential"`
	ObjectID   string      `json:"object_id,omitempty" doc:"The identity, where a token was seen."`
	State      ChangeState `json:"state" doc:"Where it stands."`
	// Before is what the plan saw, After what was read back last.
	Before    *Link  `json:"before,omitempty" doc:"The link when the plan was made."`
	After     *Link  `json:"after,omitempty" doc:"The link as read back after a write."`
	PartnerID string `json:"partner_id,omitempty" doc:"MPN ID that is to be linked."`
	// Steps are the planned writes, in order: create, update, remove, replace.
	Steps   []string `json:"steps,omitempty"`
	Rule    string   `json:"rule,omitempty" doc:"The policy rule that decided."`
	Warning string   `json:"warning,omitempty"`
	// Why says in our own words why nothing was written, or what to do.
	Why     string        `json:"why,omitempty"`
	Problem problems.Code `json:"problem,omitempty" doc:"Code, as in problem.code."`
	// PECRoles are there where roles were read, without a row a subscription.
	PECRoles *PECRoles `json:"pec_roles,omitempty" doc:"Roles that are eligible for partner earned credit."`
	// ARMRequestID and CorrelationID are ARM's of the last write.
	ARMRequestID  string `json:"arm_request_id,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
}
