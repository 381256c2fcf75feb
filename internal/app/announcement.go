package app

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
)

// maxHookText bounds each text of an announcement that others wrote, in runes.
const maxHookText = 500

// maxHookTenants is how many tenants of a plan are named.
const maxHookTenants = 10

// announcement is what a webhook gets of a question. Reason and company are
// untrusted text, and a caller may have chosen its name.
type announcement struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	Tool string `json:"tool"`
	// Question is what an approver says yes to, for a plan with its counts.
	Question string `json:"question"`
	// Caller is who asks, and Requester the account of the server's process.
	Caller    string `json:"caller"`
	Requester string `json:"requester"`
	Tenant    string `json:"tenant,omitempty"`
	Company   string `json:"company,omitempty"`
	// Tenants is in how many tenants a plan writes, and FirstTenants names the first
	// of them; such a question has no Tenant.
	Tenants      int      `json:"tenants,omitempty"`
	FirstTenants []string `json:"first_tenants,omitempty"`
	OldPartnerID string   `json:"old_partner_id,omitempty"`
	NewPartnerID string   `json:"new_partner_id,omitempty"`
	Reason       string   `json:"reason,omitempty"`
	ExpiresAt    string   `json:"expires_at"`
	// URL is where an approver decides, "" for a server without an address.
	URL string `json:"url,omitempty"`
}

// announce words a question; plan is that of a ticket for many tenants.
func announce(ticket guard.Ticket, plan guard.Plan, approvals string) announcement {
	intent := ticket.Intent
	a := announcement{
		ID: ticket.ID, Tool: intent.Tool, Question: unlinked(guard.QuestionFor(intent).Text), Caller: inert(string(intent.Caller)), Requester: inert(ticket.Requester),
		Tenant: intent.Identity.Tenant, Company: inert(intent.Company), OldPartnerID: string(intent.Before.PartnerID), NewPartnerID: string(intent.PartnerID),
		Reason: inert(intent.Reason), ExpiresAt: ticket.ExpiresAt.UTC().Format(time.RFC3339),
	}
	if intent.Tool == schemas.ToolRemovePartner {
		a.NewPartnerID = ""
	}
	if ticket.Plan != nil {
		a.ofPlan(plan)
	}
	if approvals != "" {
		a.URL = approvals + ticket.ID
	}
	a.Text = a.text()
	return a
}

// ofPlan adds what a question about many tenants asks.
func (a *announcement) ofPlan(plan guard.Plan) {
	a.Question, a.OldPartnerID = unlinked(guard.PlanQuestion(plan).Text), partnerid.Join(plan.From, ", ")
	_, a.Tenants = plan.Writes()
	for _, row := range plan.Rows {
		if len(row.Steps) == 0 || len(a.FirstTenants) == maxHookTenants {
			continue
		}
		name := row.Identity.Tenant
		if row.Company != "" && row.Company != name {
			name += " (" + row.Company + ")"
		}
		a.FirstTenants = append(a.FirstTenants, inert(name))
	}
}

// personNotice tells approvers what changed of a user: an invitation or reset that nobody
// expected is how somebody would take another's place.
type personNotice struct {
	// ID is the number of the entry in the record.
	ID   int64  `json:"id"`
	Text string `json:"text"`
	// What was done, by whom, as the record says it.
	Detail string `json:"detail"`
	By     string `json:"by"`
	At     string `json:"at"`
}

func (n personNotice) chat() chat {
	return chat{Title: "A user of the server changed", Lines: []string{n.Text, "If nobody expected this, run: mcp-partner users list"}}
}

// person is the notice of an entry, nil if the record has no such one.
func (w *webhook) person(ctx context.Context, entry string) (notice, error) {
	seq, _ := strconv.ParseInt(entry, 10, 64)
	events, err := w.outbox.List(ctx, ledger.Filter{Kind: guard.KindUser, After: seq - 1, Limit: 1})
	if err != nil || len(events) == 0 || events[0].Seq != seq {
		return nil, err
	}
	e := events[0]
	n := personNotice{ID: seq, Detail: inert(e.Detail), By: inert(cmp.Or(e.Approver, string(e.Intent.Caller))), At: e.Time.UTC().Format(time.RFC3339)}
	n.Text = fmt.Sprintf("Entry %d: %s (by %s).", n.ID, n.Detail, n.By)
	return n, nil
}

// inert is untrusted text that no client makes a link of.
func inert(text string) string {
	runes := []rune(unlinked(untrusted.Sanitize(text)))
	if len(runes) > maxHookText {
		return string(runes[:maxHookText]) + "..."
	}
	return string(runes)
}

func unlinked(text string) string { return strings.ReplaceAll(text, "://", ": //") }

// text says in one sentence what waits for an approver.
func (a announcement) text() string {
	where := "tenant " + a.Tenant
	if a.Tenants > 0 {
		where = phrase.Count(a.Tenants, "tenant")
	}
	return fmt.Sprintf("%s asks for %s in %s. Approval %s is pending.", a.Caller, a.Tool, where, a.ID)
}

// facts are what a person reads below the text. They are plain text.
func (a announcement) facts() []string {
	var lines []string
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, name+": "+value)
		}
	}
	add("Question", a.Question)
	add("Tenants", a.tenants())
	add("Company", a.Company)
	add("Partner ID now", a.OldPartnerID)
	add("New partner ID", a.NewPartnerID)
	add("Reason given", a.Reason)
	add("Account", a.Requester)
	add("Expires", a.ExpiresAt)
	return lines
}

// tenants counts those of a plan and names the first, "" for a single write.
func (a announcement) tenants() string {
	named := inert(strings.Join(a.FirstTenants, ", "))
	switch more := a.Tenants - len(a.FirstTenants); {
	case a.Tenants == 0:
		return ""
	case more > 0:
		return fmt.Sprintf("%d: %s, and %d more", a.Tenants, named, more)
	default:
		return fmt.Sprintf("%d: %s", a.Tenants, named)
	}
}

// chat is the announcement for people.
func (a announcement) chat() chat {
	return chat{"An approval is pending: " + a.ID, append([]string{a.Text}, a.facts()...), a.URL, "Open the approval"}
}
