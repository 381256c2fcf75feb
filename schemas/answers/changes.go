package answers

import (
	"mcp-partner/schemas/problems"
)

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
