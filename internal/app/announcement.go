package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// maxHookText bounds each text of an announcement that others wrote, in runes.
const maxHookText = 500

// announcement is what a webhook gets of a question. Reason and company are
// untrusted text, and a caller may have chosen its name.
type announcement struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	Tool string `json:"tool"`
	// Question is what an approver says yes to; a plan's is read with its rows.
	Question string `json:"question,omitempty"`
	// Caller is who asks, and Requester the account of the server's process.
	Caller    string `json:"caller"`
	Requester string `json:"requester"`
	Tenant    string `json:"tenant,omitempty"`
	Company   string `json:"company,omitempty"`
	// Tenants is how many tenants a plan is for; such a question has no Tenant.
	Tenants      int    `json:"tenants,omitempty"`
	OldPartnerID string `json:"old_partner_id,omitempty"`
	NewPartnerID string `json:"new_partner_id,omitempty"`
	Reason       string `json:"reason,omitempty"`
	ExpiresAt    string `json:"expires_at"`
	// URL is where an approver decides, "" for a server without an address.
	URL string `json:"url,omitempty"`
}

func announce(ticket guard.Ticket, public string) announcement {
	intent := ticket.Intent
	a := announcement{
		ID: ticket.ID, Tool: intent.Tool, Question: unlinked(guard.QuestionFor(intent).Text), Caller: inert(string(intent.Caller)), Requester: inert(ticket.Requester),
		Tenant: intent.Identity.Tenant, Company: inert(intent.Company), OldPartnerID: intent.Before.PartnerID, NewPartnerID: intent.PartnerID,
		Reason: inert(intent.Reason), ExpiresAt: ticket.ExpiresAt.UTC().Format(time.RFC3339),
	}
	if intent.Tool == schemas.ToolRemovePartner {
		a.NewPartnerID = ""
	}
	if ticket.Plan != nil {
		a.Tenants = ticket.Plan.Rows
	}
	if public != "" {
		a.URL = public + "/approvals/" + ticket.ID
	}
	a.Text = a.text()
	return a
}

// inert is untrusted text that no client makes a link of.
func inert(text string) string {
	runes := []rune(unlinked(schemas.Sanitize(text)))
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
		where = fmt.Sprintf("%d tenants", a.Tenants)
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
	add("Company", a.Company)
	add("Partner ID now", a.OldPartnerID)
	add("New partner ID", a.NewPartnerID)
	add("Reason given", a.Reason)
	add("Account", a.Requester)
	add("Expires", a.ExpiresAt)
	return lines
}

// object is a JSON object of somebody else's form.
type object map[string]any

func webhookFormats() map[string]func(announcement) ([]byte, error) {
	return map[string]func(announcement) ([]byte, error){
		"json":  func(a announcement) ([]byte, error) { return json.Marshal(a) },
		"slack": announcement.slack,
		"teams": announcement.teams,
	}
}

// slack shows everything that is not ours in plain_text, in which Slack reads
// neither mentions nor links. The text outside of the blocks, which it does read,
// goes into notifications.
func (a announcement) slack() ([]byte, error) {
	plain := func(text string) object {
		return object{"type": "section", "text": object{"type": "plain_text", "text": text, "emoji": false}}
	}
	blocks := []object{plain(a.Text), plain(strings.Join(a.facts(), "\n"))}
	if a.URL != "" {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "mrkdwn", "text": "<" + a.URL + "|Open the approval>", "verbatim": true}})
	}
	return json.Marshal(object{"text": "An approval is pending: " + a.ID, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

// teams makes an Adaptive Card. Runs of a RichTextBlock are no Markdown, as a
// TextBlock would be.
func (a announcement) teams() ([]byte, error) {
	var body []object
	for i, line := range append([]string{a.Text}, a.facts()...) {
		body = append(body, object{"type": "RichTextBlock", "inlines": []object{{"type": "TextRun", "text": line, "weight": map[bool]string{true: "Bolder", false: "Default"}[i == 0]}}})
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
	if a.URL != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open the approval", "url": a.URL}}
	}
	return json.Marshal(object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}})
}
