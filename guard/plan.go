package guard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"mcp-partner/access"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
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
	To       partnerid.ID   `json:"to,omitempty"`
	From     []partnerid.ID `json:"from,omitempty"`
	Strategy Strategy       `json:"strategy,omitempty"`
	// First is how many rows the plan writes at most; 0 is no bound. The approval
	// covers no more.
	First  int       `json:"first,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Rows   []PlanRow `json:"rows"`
}

// PlanRow is one identity in one tenant.
type PlanRow struct {
	Identity answers.Identity `json:"identity"`
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
	PartnerID partnerid.ID `json:"partner_id,omitempty"`
	Expected  partnerid.ID `json:"expected,omitempty"`
	Labels    []string     `json:"labels,omitempty"`
	// Steps are the writes, in order. A row without any is listed and not
	// written; Finding says why.
	Steps   []runs.Step `json:"steps,omitempty"`
	Finding Finding     `json:"finding,omitempty"`
	// Problem says why the state is unknown.
	Problem problems.Code `json:"problem,omitempty"`
	// Rule and Ruling are the policy's word on the row.
	Rule   string        `json:"rule,omitempty"`
	Ruling access.Ruling `json:"ruling,omitempty"`
	// Warning is something that the approver should know, in the program's own
	// words.
	Warning string `json:"warning,omitempty"`
}

// Finding is why a plan does not write in a tenant.
type Finding string

// The findings.
const (
	FindingUnchanged       Finding = "unchanged"        // the ID is linked already
	FindingLinkedOther     Finding = "linked_other"     // another ID is linked, and that is not to be touched
	FindingLinkedOwn       Finding = "linked_own"       // another of the own IDs is linked, and that is not to be touched
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
	Digest runs.Digest `json:"digest"`
	// Requests and Rows count what is written; All counts every row.
	Requests int `json:"requests"`
	Rows     int `json:"rows"`
	All      int `json:"all"`
	// Body are the plan's bytes on their way into a store; a store keeps them
	// apart and leaves them out.
	Body []byte `json:"-"`
}

func (p Plan) head() *PlanHead {
	body := p.Encode()
	requests, rows := p.Writes()
	return &PlanHead{Digest: sha256.Sum256(body), Requests: requests, Rows: rows, All: len(p.Rows), Body: body}
}

// intent is the plan as a ticket and the record name it: without a tenant.
func (p Plan) intent() Intent {
	return Intent{Caller: p.Caller, Tool: p.Tool, PartnerID: p.To, Reason: p.Reason}
}

// planBinding is what an approval of a plan is bound to: who asked for what,
// and exactly these rows.
func planBinding(caller access.Caller, tool, asked string, digest [sha256.Size]byte) [sha256.Size]byte {
	return sha256.Sum256(canonical([]string{"plan", string(caller), tool, asked, hex.EncodeToString(digest[:])}))
}

func (p Plan) intentOf(row PlanRow, step runs.Step) Intent {
	id := row.PartnerID
	if step == runs.StepRemove || step == runs.StepRestore {
		id = row.Before.PartnerID
	}
	return Intent{
		Caller: p.Caller, Tool: p.Tool, Identity: row.Identity, Before: row.Before, LinkedName: row.LinkedName, LinkedSince: row.LinkedSince,
		PartnerID: id, Expected: row.Expected, Labels: row.Labels, Reason: p.Reason, Step: step, Company: row.Company, Domain: row.Domain,
	}
}

// intentIn is one step of a row of a run, with the state that was seen before it.
func (r OpenRun) intentIn(at int, step runs.Step, now LinkSnapshot) Intent {
	intent := r.Plan.intentOf(r.Plan.Rows[at], step)
	intent.Run, intent.Row, intent.Before = r.ID, at, now
	return intent
}

// RulePlan decides on every row, with the state that was seen. What is denied
// stays in the plan as a row that is not written, and so do the rows behind the
// plan's First; the strictest ruling of the others is the plan's. An error refuses
// all of it: writes are off or frozen. The rows say what would be denied even then.
func (g *Guard) RulePlan(ctx context.Context, plan *Plan, by access.Principal) (access.Verdict, error) {
	by, err := g.current(ctx, by)
	if err != nil {
		return access.Verdict{}, err
	}
	strictest := access.NothingWritten()
	uses, written := map[string]int{}, 0
	for i := range plan.Rows {
		row := &plan.Rows[i]
		if len(row.Steps) == 0 {
			continue
		}
		verdict := g.evaluateRow(*plan, *row, by)
		row.Rule, row.Ruling = verdict.Rule, verdict.Ruling
		switch {
		case verdict.Ruling == access.RulingDeny:
			row.Steps, row.Finding = nil, FindingDenied
			continue
		case plan.First > 0 && written == plan.First:
			row.Steps, row.Finding = nil, FindingBeyondFirst
			continue
		}
		written++
		strictest = access.Stricter(strictest, verdict)
		if uses[verdict.Rule] += len(row.Steps); verdict.Rate != nil && uses[verdict.Rule] > verdict.Rate.Count {
			warning := fmt.Sprintf("The rule %s allows %d writes in %s: this tenant must wait.", quote(verdict.Rule), verdict.Rate.Count, verdict.Rate.Per)
			if !strings.Contains(row.Warning, warning) { // a plan may be ruled on again
				row.Warning = strings.TrimSpace(row.Warning + " " + warning)
			}
		}
	}
	if !g.WritesAllowed() {
		return access.Verdict{}, access.WritesOff(plan.Tool)
	}
	return strictest, g.thawed(ctx, true)
}

// evaluateRow is the word on each request of a row: a denial of one denies the row.
// Where writes are off altogether the rules would deny every row, so bounds and
// grant alone are asked.
func (g *Guard) evaluateRow(plan Plan, row PlanRow, by access.Principal) access.Verdict {
	strictest := access.NothingWritten()
	for _, s := range plan.subjects(row, by) {
		if !g.WritesAllowed() {
			if v := g.policy.Confine(s); v.Refusal != nil {
				return v
			}
			continue
		}
		if strictest = access.Stricter(strictest, g.policy.Evaluate(s)); strictest.Ruling == access.RulingDeny {
			return strictest
		}
	}
	return strictest
}

// PlanQuestion words the confirmation of a plan. For a registration the partner
// ID has to be typed, for a transition the new ID and the number of tenants;
// where each tenant gets its own ID, the number alone.
func PlanQuestion(plan Plan) Question {
	requests, rows := plan.Writes()
	q := Question{Expect: fmt.Sprintf("%s %d", plan.To, rows), Prompt: "Type the new partner ID, a space, and the number of tenants to confirm"}
	switch {
	case plan.Tool == schemas.ToolEnsurePartnerLinks && plan.To == "":
		q.Expect, q.Prompt = strconv.Itoa(rows), "Type the number of tenants to confirm"
		q.Text = fmt.Sprintf("Register the expected partner ID of each tenant in %s? Nothing is linked there now.", tenants(rows))
	case plan.Tool == schemas.ToolEnsurePartnerLinks:
		q.Expect, q.Prompt = string(plan.To), "Type the partner ID to confirm"
		q.Text = fmt.Sprintf("Register partner ID %s in %s? Nothing is linked there now. A typing error would credit another partner.", plan.To, tenants(rows))
	case plan.Strategy == StrategyReplace:
		q.Text = fmt.Sprintf("Replace partner ID %s with %s in %s, by removing the link and registering again? "+
			"If the new ID is refused, the old one is restored.", partnerid.Join(plan.From, ", "), plan.To, tenants(rows))
	default:
		q.Text = fmt.Sprintf("Replace partner ID %s with %s in %s? Attribution moves to the new ID.", partnerid.Join(plan.From, ", "), plan.To, tenants(rows))
	}
	q.Text += fmt.Sprintf(" It sends at most %s to write. Rows listed but not changed: %d.", phrase.Count(requests, "request"), len(plan.Rows)-rows)
	q.Text += " Cannot be undone: " + plan.Undone() + "."
	if plan.First > 0 {
		q.Text += fmt.Sprintf(" It covers only the first %s.", phrase.Count(plan.First, "row"))
	}
	q.Facts = append(q.Facts, Fact{"Tenants", plan.names()})
	q.add("Reason given by the caller", plan.Reason)
	return q
}

// Undone says what of a plan cannot be taken back.
func (p Plan) Undone() string {
	switch {
	case p.Tool == schemas.ToolEnsurePartnerLinks:
		return "only this identity can remove the link again; attribution up to then stays with the ID"
	case p.Strategy == StrategyReplace:
		return "there is no link between removing and registering; an ID that the provider refuses cannot be restored"
	default:
		return "the old ID can be restored only by another update, if the provider still accepts it"
	}
}

// namesShown is how many tenants a form names; nobody reads a longer list.
const namesShown = 100

// names lists the tenants that are written in: the company, where the directory has
// one, and the name of the entry.
func (p Plan) names() string {
	var names []string
	for _, row := range p.Rows {
		if len(row.Steps) > 0 {
			names = append(names, row.customer())
		}
	}
	return strings.Join(phrase.Some(names, namesShown), ", ")
}

func (r PlanRow) customer() string {
	company := untrusted.Sanitize(r.Company)
	if company == "" || company == r.Identity.Tenant {
		return r.Identity.Tenant
	}
	return company + " (" + r.Identity.Tenant + ")"
}

func tenants(n int) string { return phrase.Count(n, "tenant") }
