package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"mcp-partner/access"
	"mcp-partner/schemas"
)

// Strategy is how a transition relabels a link.
type Strategy string

// The strategies. StrategyUpdate leaves no moment without a link;
// StrategyReplace removes the old link, registers the new one, and puts the old
// one back where that fails.
const (
	StrategyUpdate  Strategy = "update"
	StrategyReplace Strategy = "remove-then-register"
)

// Step is one write of a plan: one request, one permit.
type Step string

// The steps. StepRestore stands in no row: it is the way back of one whose
// StepReplace failed for good.
const (
	StepCreate  Step = "create"  // PUT where nothing is linked
	StepUpdate  Step = "update"  // PATCH
	StepRemove  Step = "remove"  // DELETE, the first half of a replacement
	StepReplace Step = "replace" // PUT, the second half
	StepRestore Step = "restore" // PUT of the ID that was removed
)

// Plan is what somebody wants to be done in many tenants, complete: every row
// that was looked at, also those in which nothing is written. An approval is
// given for exactly its bytes.
type Plan struct {
	Caller access.Caller `json:"caller"`
	// Tool is the operation's name in the catalogue.
	Tool string `json:"tool"`
	// Arguments are the canonical arguments of the call.
	Arguments string `json:"arguments"`
	// To is the partner ID afterwards, "" where each tenant's expected one is
	// registered. From are the IDs that a transition moves away from.
	To       string   `json:"to,omitempty"`
	From     []string `json:"from,omitempty"`
	Strategy Strategy `json:"strategy,omitempty"`
	// First is how many rows the plan writes at most; 0 is no bound. The approval
	// covers no more.
	First  int       `json:"first,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Rows   []PlanRow `json:"rows"`
}

// PlanRow is one identity in one tenant.
type PlanRow struct {
	Identity schemas.Identity `json:"identity"`
	// Company is what the customer is called in the directory, Domain its first domain.
	Company string `json:"company,omitempty"`
	Domain  string `json:"domain,omitempty"`
	// Endpoint is EndpointOf the tenant's entry.
	Endpoint string       `json:"endpoint,omitempty"`
	Before   LinkSnapshot `json:"before"`
	// LinkedName is untrusted text, cleaned. LinkedSince is the last write, RFC 3339.
	LinkedName  string `json:"linked_name,omitempty"`
	LinkedSince string `json:"linked_since,omitempty"`
	// PartnerID is the ID afterwards.
	PartnerID string   `json:"partner_id,omitempty"`
	Expected  string   `json:"expected,omitempty"`
	Labels    []string `json:"labels,omitempty"`
	// Steps are the writes, in order. A row without any is listed and not
	// written; Finding says why.
	Steps   []Step  `json:"steps,omitempty"`
	Finding Finding `json:"finding,omitempty"`
	// Problem says why the state is unknown.
	Problem schemas.Code `json:"problem,omitempty"`
	// Rule and Ruling are the policy's word on the row.
	Rule   string        `json:"rule,omitempty"`
	Ruling access.Ruling `json:"ruling,omitempty"`
	// Warning is something that whoever approves should know, in our own words.
	Warning string `json:"warning,omitempty"`
}

// Finding is why a plan does not write in a tenant.
type Finding string

// The findings.
const (
	FindingUnchanged       Finding = "unchanged"        // the ID is linked already
	FindingLinkedOther     Finding = "linked_other"     // another ID is linked, and that is not to be touched
	FindingLinkedOwn       Finding = "linked_own"       // likewise, and use one of the partner's own
	FindingNotLinked       Finding = "not_linked"       // nothing is linked that could be moved
	FindingUnknown         Finding = "unknown"          // what is linked could not be told
	FindingNothingExpected Finding = "nothing_expected" // no ID is given and none expected
	FindingDenied          Finding = "denied"           // the policy denies it
	FindingBeyondFirst     Finding = "beyond_first"     // the plan is for fewer tenants, by First
)

// Encode returns the canonical bytes, which are what is stored and digested.
func (p Plan) Encode() []byte {
	body, err := json.Marshal(p)
	if err != nil {
		panic("guard: " + err.Error()) // strings and numbers only
	}
	return body
}

// Writes counts the requests that the plan makes if all goes well, and the
// tenants' identities that they are for.
func (p Plan) Writes() (requests, rows int) {
	for _, row := range p.Rows {
		requests += len(row.Steps)
		if len(row.Steps) > 0 {
			rows++
		}
	}
	return requests, rows
}

// PlanHead is a plan as a ticket carries it.
type PlanHead struct {
	// Digest is the SHA-256 of the plan's bytes.
	Digest [sha256.Size]byte
	// Requests and Rows count what is written; All counts every row.
	Requests, Rows, All int
	// Body are the plan's bytes on their way into a store; a store keeps them
	// apart and leaves them out.
	Body []byte
}

func (p Plan) head() *PlanHead {
	body := p.Encode()
	requests, rows := p.Writes()
	return &PlanHead{Digest: sha256.Sum256(body), Requests: requests, Rows: rows, All: len(p.Rows), Body: body}
}

// decodePlan reads a plan only if its bytes are those of the digest.
func decodePlan(body []byte, digest [sha256.Size]byte) (p Plan, ok bool) {
	if sha256.Sum256(body) != digest || json.Unmarshal(body, &p) != nil {
		return Plan{}, false
	}
	return p, true
}

// intent is the plan as a ticket and the record name it: without a tenant.
func (p Plan) intent() Intent {
	return Intent{Caller: p.Caller, Tool: p.Tool, PartnerID: p.To, Reason: p.Reason}
}

// planBinding is what an approval of a plan is bound to: who asked for what,
// and exactly these rows.
func planBinding(caller access.Caller, tool, asked string, digest [sha256.Size]byte) [sha256.Size]byte {
	canonical, _ := json.Marshal([]string{"plan", string(caller), tool, asked, hex.EncodeToString(digest[:])})
	return sha256.Sum256(canonical)
}

// intentOf is one step of a row, as it was planned.
func (p Plan) intentOf(row PlanRow, step Step) Intent {
	id := row.PartnerID
	if step == StepRemove || step == StepRestore {
		id = row.Before.PartnerID
	}
	return Intent{
		Caller: p.Caller, Tool: p.Tool, Identity: row.Identity, Before: row.Before, LinkedName: row.LinkedName, LinkedSince: row.LinkedSince,
		PartnerID: id, Expected: row.Expected, Labels: row.Labels, Reason: p.Reason, Step: step, Company: row.Company, Domain: row.Domain,
	}
}

// intentIn is one step of a row of a run, with the state that was seen before it.
func (r OpenRun) intentIn(at int, step Step, now LinkSnapshot) Intent {
	intent := r.Plan.intentOf(r.Plan.Rows[at], step)
	intent.Run, intent.Row, intent.Before = r.ID, at, now
	return intent
}
