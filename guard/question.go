package guard

import (
	"fmt"
	"strings"

	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
)

// Action is how a person ended a question.
type Action string

// The actions, as MCP's elicitation names them.
const (
	ActionAccept  Action = "accept"
	ActionDecline Action = "decline"
	ActionCancel  Action = "cancel"
)

// Answer is what came back for a question.
type Answer struct {
	Action Action
	// Typed is what the person typed into the form's one field.
	Typed string
}

// Question is what a person is shown before a write. Text is the program's own;
// untrusted text appears in Facts only, sanitized.
type Question struct {
	// Text says what would happen, where, and what cannot be undone.
	Text string
	// Prompt says what to type.
	Prompt string
	// Expect is what has to be typed, exactly.
	Expect string
	// Facts are untrusted data to be shown beside the text, label and value.
	Facts []Fact
}

// Fact is one labelled piece of untrusted data, cleaned by untrusted.Sanitize.
type Fact struct{ Label, Value string }

// QuestionFor words the confirmation of an intent.
func QuestionFor(intent Intent) Question {
	q := Question{Expect: string(intent.PartnerID)}
	where := fmt.Sprintf("for identity %s in tenant %s (%s, %s cloud)",
		intent.Identity.ObjectID, quote(intent.Identity.Tenant), intent.Identity.TenantID, intent.Identity.Cloud)
	switch intent.Tool {
	case schemas.ToolRegisterPartner:
		q.Text = fmt.Sprintf("Link partner ID %s %s? Nothing is linked now. A typing error would credit another partner.", intent.PartnerID, where)
		q.Prompt = "Type the partner ID to confirm"
	case schemas.ToolUpdatePartner:
		q.Text = fmt.Sprintf("Replace partner ID %s with %s %s? Attribution moves to the new ID.", intent.Before.PartnerID, intent.PartnerID, where)
		q.Prompt = "Type the new partner ID to confirm"
	case schemas.ToolRemovePartner:
		q.Expect = intent.Identity.Tenant
		q.Text = fmt.Sprintf("Remove the link to partner ID %s %s? Attribution ends, and only this identity can link again.", intent.PartnerID, where)
		q.Prompt = "Type the tenant's name to confirm"
	}
	if company := untrusted.Sanitize(intent.Company); company != "" {
		q.Facts = append(q.Facts, Fact{"Customer", strings.TrimSuffix(company+", "+untrusted.Sanitize(intent.Domain), ", ")})
	}
	q.add("Linked now (name given by the provider)", intent.LinkedName)
	q.add("Reason given by the caller", intent.Reason)
	q.add("Last written", intent.LinkedSince)
	return q
}

// add adds untrusted text, if there is any.
func (q *Question) add(label, text string) {
	if text = untrusted.Sanitize(text); text != "" {
		q.Facts = append(q.Facts, Fact{label, text})
	}
}
