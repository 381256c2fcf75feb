package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/access"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
)

// LinkSnapshot is what a plan read before anybody was asked: the state that a permit
// is bound to.
type LinkSnapshot struct {
	State     answers.LinkState `json:"state"`
	PartnerID partnerid.ID      `json:"partner_id,omitempty"`
	// Version is -1 if no version is visible.
	Version int64 `json:"version"`
}

// Moved reports whether a link is another one than it was, as far as can be
// seen. That there is no link can be said in two ways, one without a version.
func (s LinkSnapshot) Moved(now LinkSnapshot) bool {
	absent := s.State.Absent() && now.State.Absent()
	return !absent && (s.State != now.State || s.PartnerID != now.PartnerID) ||
		s.Version >= 0 && now.Version >= 0 && s.Version != now.Version
}

// OneWriteBefore reports whether one write lies between a state and a later one,
// where the versions can be seen.
func (s LinkSnapshot) OneWriteBefore(now LinkSnapshot) bool {
	return s.Version < 0 || now.Version < 0 || now.Version == s.Version+1
}

// Intent is one write that somebody wants, complete: what the guard decides
// on, and what an approval and a permit are bound to.
type Intent struct {
	Caller access.Caller `json:"caller,omitempty"`
	// Tool is the operation's name in the catalogue.
	Tool string `json:"tool,omitempty"`
	// Identity is the (tenant, identity) pair, from the claims of the token.
	answers.Identity
	// Before is the state seen.
	Before LinkSnapshot `json:"before,omitzero"`
	// LinkedName is the provider's name of the current link: sanitized untrusted
	// text, shown to the person who decides. LinkedSince is its last write, RFC
	// 3339.
	LinkedName  string `json:"linked_name,omitempty"`
	LinkedSince string `json:"linked_since,omitempty"`
	// PartnerID is the ID in the URL of the write.
	PartnerID partnerid.ID `json:"partner_id,omitempty"`
	// Company is what the customer is called, untrusted text, cleaned, and Domain
	// its first domain; approvers see both.
	Company string `json:"company,omitempty"`
	Domain  string `json:"domain,omitempty"`
	// Expected and Labels are what the directory says of the tenant.
	Expected partnerid.ID `json:"expected_partner_id,omitempty"`
	Labels   []string     `json:"labels,omitempty"`
	// Reason is the reason that the caller gave; it is recorded, not checked.
	Reason string `json:"reason,omitempty"`
	// Endpoint is EndpointOf the tenant's entry.
	Endpoint string `json:"endpoint,omitempty"`
	// Run, Row and Step are those of a plan for many tenants, else empty.
	Run  string    `json:"run,omitempty"`
	Row  int       `json:"row,omitempty"`
	Step runs.Step `json:"step,omitempty"`
}

// EndpointOf names where an entry's requests and sign-ins go, as far as the name of
// its cloud does not say it: the same tenant and identity exist wherever
// somebody says so.
func EndpointOf(t schemas.Tenant) string {
	if t.Cloud != "custom" {
		return ""
	}
	return t.ARMEndpoint + " " + t.Authority
}

// Method returns the HTTP method with which the intent's tool writes, or ""
// for a tool that does not write.
func (i Intent) Method() string {
	switch {
	case i.Tool == schemas.ToolRegisterPartner, i.Step == runs.StepCreate, i.Step == runs.StepReplace, i.Step == runs.StepRestore:
		return http.MethodPut
	case i.Tool == schemas.ToolUpdatePartner, i.Step == runs.StepUpdate:
		return http.MethodPatch
	case i.Tool == schemas.ToolRemovePartner, i.Step == runs.StepRemove:
		return http.MethodDelete
	default:
		return ""
	}
}

func (i Intent) wire() Wire {
	return Wire{Method: i.Method(), TenantID: i.Identity.TenantID, ObjectID: i.Identity.ObjectID, PartnerID: i.PartnerID}
}

// ArgumentDigest names what was asked for, in hexadecimal: the SHA-256 of the
// canonical arguments, by which entries about the same request are found. It is
// "" for an intent without a tool.
func (i Intent) ArgumentDigest() string {
	if i.Tool == "" {
		return ""
	}
	digest := sha256.Sum256(canonical(i.arguments()))
	return hex.EncodeToString(digest[:])
}

// binding is a digest of everything an approval is bound to but the state seen,
// which is compared on its own so that a moved link can be distinguished from a
// mismatch. Reason is left out: it may be reworded.
func (i Intent) binding() [sha256.Size]byte {
	bound := i.arguments()
	if i.Endpoint != "" {
		bound = append(bound, "at "+i.Endpoint)
	}
	return sha256.Sum256(canonical(bound))
}

func (i Intent) arguments() []string {
	asked := []string{string(i.Caller), i.Tool, i.Identity.TenantID,
		i.Identity.ObjectID, i.Identity.Cloud, i.Identity.Credential, string(i.PartnerID)}
	if i.Run != "" {
		asked = append(asked, i.Run, strconv.Itoa(i.Row), string(i.Step))
	}
	return asked
}

func canonical(list []string) []byte {
	text, _ := json.Marshal(list) // strings cannot fail
	return text
}

// Subject returns what is decided about the intent of a caller.
func (i Intent) Subject(by access.Principal) access.Subject {
	op, _ := schemas.Lookup(i.Tool)
	return access.Subject{
		Operation: op, By: by, Method: i.Method(), PartnerID: i.PartnerID, Current: i.Before.PartnerID, Link: i.Before.State,
		Tenant: schemas.Tenant{Name: i.Identity.Tenant, TenantID: i.Identity.TenantID, Labels: i.Labels, ExpectedPartnerID: i.Expected},
	}
}

// subjects are what is decided about a row before anything is written in its
// tenant: each of its requests, and the one that puts a removed link back.
func (p Plan) subjects(row PlanRow, by access.Principal) []access.Subject {
	steps := row.Steps
	if p.Strategy == StrategyReplace && len(steps) > 0 {
		steps = append(slices.Clip(steps), runs.StepRestore)
	}
	return xslices.Map(steps, func(step runs.Step) access.Subject { return p.intentOf(row, step).Subject(by) })
}

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
