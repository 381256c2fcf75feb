package sim

import (
	"fmt"
	"time"

	"mcp-partner/internal/app"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// The tenants of the demo: one without a link, one with a link to foreignID, and one
// that is garbled. The partner IDs are made up.
const (
	unlinked, linked, broken  = "contoso", "fabrikam", "northwind"
	foreignID, ourID, otherID = "7654321", "1234567", "2345678"
)

// step is a request of a person and its expected result.
type step struct {
	says string
	// before prepares the world; nil does nothing.
	before func(*app.Simulation)
	tool   string
	args   map[string]any
	// types is what the person types when asked.
	types string
	// status and outcome say how the step should end.
	status  answers.Status
	outcome string
	// note says what the step shows.
	note string
}

// outcome is the one word of an answer by which a step is judged.
func outcome(e answers.Envelope) string {
	switch {
	case e.Link != nil && e.Link.AuditState != "":
		return string(e.Link.AuditState)
	case e.Link != nil:
		return string(e.Link.State)
	case e.Problem != nil:
		return string(e.Problem.Code)
	case e.After != nil && e.After.State == answers.LinkLinked:
		return string(e.After.PartnerID)
	case e.After != nil:
		return string(e.After.State)
	case len(e.Matches) > 0:
		return e.Matches[0].Tool
	case len(e.Tenants) > 0:
		return e.Tenants[0].Name
	}
	return ""
}

// script is the session, in the order of a partner's work.
func script() []step {
	const question = "Ist unsere Partner-ID bei " + unlinked + " hinterlegt?"
	of := func(tenant string) map[string]any { return map[string]any{"tenant": tenant} }
	at := func(tenant, id string) map[string]any { return map[string]any{"tenant": tenant, "partner_id": id} }
	return []step{
		{says: "Which tenants do we manage?", tool: schemas.ToolListTenants, args: map[string]any{"limit": 5},
			status: answers.StatusDone, outcome: "adventure-works", note: "the directory, inside the server's bounds"},
		{says: question, tool: schemas.ToolFindPartnerTool, args: map[string]any{"query": question},
			status: answers.StatusDone, outcome: schemas.ToolCheckPartnerLink, note: "intent search: the right tool, in any language; nothing is run"},
		{says: fmt.Sprintf("Is our link in place at %s?", unlinked), tool: schemas.ToolCheckPartnerLink, args: of(unlinked),
			status: answers.StatusDone, outcome: string(answers.LinkNotLinked), note: "this identity has no link; others may have one"},
		{says: fmt.Sprintf("Register %s there.", ourID), tool: schemas.ToolRegisterPartner, args: at(unlinked, ourID), types: ourID,
			status: answers.StatusDone, outcome: ourID, note: "planned by a read, confirmed by a person, read back"},
		{says: fmt.Sprintf("Is the ID at %s ours?", unlinked), tool: schemas.ToolCheckPartnerLink, args: of(unlinked),
			status: answers.StatusDone, outcome: string(answers.RowLinkedExpected), note: "own ID: one of the partner's own, from the setting partner-ids"},
		{says: fmt.Sprintf("And the one at %s?", linked), tool: schemas.ToolCheckPartnerLink, args: of(linked),
			status: answers.StatusDone, outcome: string(answers.RowLinkedOther), note: "others' ID: linked, and to another partner"},
		{says: "Register it again.", tool: schemas.ToolRegisterPartner, args: at(unlinked, ourID),
			status: answers.StatusUnchanged, outcome: ourID, note: "nothing to do: nobody is asked, nothing is sent"},
		{says: fmt.Sprintf("No: replace it with %s.", otherID), tool: schemas.ToolUpdatePartner, args: at(unlinked, otherID), types: otherID,
			status: answers.StatusDone, outcome: otherID, note: "before and after, version by version"},
		{says: "Remove it. (The person closes the form.)", tool: schemas.ToolRemovePartner, args: at(unlinked, otherID),
			status: answers.StatusRefused, outcome: string(problems.CodeApprovalDeclined), note: "declined, closed or silent: nothing is written"},
		{says: "Remove it after all.", tool: schemas.ToolRemovePartner, args: at(unlinked, otherID), types: unlinked,
			status: answers.StatusDone, outcome: string(answers.LinkNotLinked), note: "a removal asks for the tenant's name"},
		{says: "Register 12345ab there.", tool: schemas.ToolRegisterPartner, args: at(unlinked, "12345ab"),
			status: answers.StatusRefused, outcome: string(problems.CodeInvalidPartnerID), note: "a mistake is refused before anything is read"},
		{says: fmt.Sprintf("Register %s at %s, which has another partner.", ourID, linked), tool: schemas.ToolRegisterPartner, args: at(linked, ourID),
			status: answers.StatusRefused, outcome: string(problems.CodeAlreadyLinked), note: "registering never overwrites; the answer names the next step"},
		{says: fmt.Sprintf("Check %s. (ARM throttles.)", linked), before: func(s *app.Simulation) { s.Throttle(linked, 1, time.Second) },
			tool: schemas.ToolCheckPartnerLink, args: of(linked),
			status: answers.StatusDone, outcome: string(answers.RowLinkedOther), note: "429, one second of Retry-After waited for, then the answer"},
		{says: fmt.Sprintf("Check %s. (A gateway answers in HTML.)", broken), before: func(s *app.Simulation) { s.Garble(broken) },
			tool: schemas.ToolCheckPartnerLink, args: of(broken),
			status: answers.StatusFailed, outcome: string(answers.LinkUnknown), note: "the answer is unknown, and never \"not linked\""},
	}
}
