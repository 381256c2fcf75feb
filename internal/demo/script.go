package demo

import (
	"fmt"
	"time"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// step is a request of a person and its expected result.
type step struct {
	says string
	// before prepares the world; nil does nothing.
	before func(World)
	tool   string
	args   map[string]any
	// types is what the person types when asked.
	types string
	// status and check say how the step should end.
	status answers.Status
	check  func(answers.Envelope) error
	// note says what the step shows.
	note string
}

// script is the session, in the order of a partner's work.
func script() []step {
	unlinked := map[string]any{"tenant": Unlinked}
	hasTenants := expect(func(e answers.Envelope) bool { return len(e.Tenants) > 0 }, "no tenants")
	notAsked := expect(func(e answers.Envelope) bool { return e.Approval == nil }, "a person was asked for nothing")
	absent := expect(func(e answers.Envelope) bool { return e.After != nil && e.After.State.Absent() }, "something is linked afterwards")
	at := func(tenant, id string) map[string]any { return map[string]any{"tenant": tenant, "partner_id": id} }
	return []step{
		{says: "Which tenants do we manage?", tool: schemas.ToolListTenants, args: map[string]any{"limit": 5},
			status: answers.StatusDone, check: hasTenants, note: "the directory, inside the server's bounds"},
		{says: fmt.Sprintf("Ist unsere Partner-ID bei %s hinterlegt?", Unlinked), tool: schemas.ToolFindPartnerTool,
			args:   map[string]any{"query": fmt.Sprintf("Ist unsere Partner-ID bei %s hinterlegt?", Unlinked)},
			status: answers.StatusDone, check: matched(schemas.ToolCheckPartnerLink), note: "intent search: the right tool, in any language; nothing is run"},
		{says: fmt.Sprintf("Is our link in place at %s?", Unlinked), tool: schemas.ToolCheckPartnerLink, args: unlinked,
			status: answers.StatusDone, check: state(answers.LinkNotLinked), note: "this identity has no link; others may have one"},
		{says: fmt.Sprintf("Register %s there.", ourID), tool: schemas.ToolRegisterPartner, args: at(Unlinked, ourID), types: ourID,
			status: answers.StatusDone, check: after(ourID), note: "planned by a read, confirmed by a person, read back"},
		{says: fmt.Sprintf("Is the ID at %s ours?", Unlinked), tool: schemas.ToolCheckPartnerLink, args: unlinked,
			status: answers.StatusDone, check: whose(answers.RowLinkedExpected), note: "own ID: one of the partner's own, from the setting partner-ids"},
		{says: fmt.Sprintf("And the one at %s?", Linked), tool: schemas.ToolCheckPartnerLink, args: map[string]any{"tenant": Linked},
			status: answers.StatusDone, check: whose(answers.RowLinkedOther), note: "others' ID: linked, and to another partner"},
		{says: "Register it again.", tool: schemas.ToolRegisterPartner, args: at(Unlinked, ourID),
			status: answers.StatusUnchanged, check: notAsked, note: "nothing to do: nobody is asked, nothing is sent"},
		{says: fmt.Sprintf("No: replace it with %s.", otherID), tool: schemas.ToolUpdatePartner, args: at(Unlinked, otherID), types: otherID,
			status: answers.StatusDone, check: after(otherID), note: "before and after, version by version"},
		{says: "Remove it. (The person closes the form.)", tool: schemas.ToolRemovePartner, args: at(Unlinked, otherID),
			status: answers.StatusRefused, check: problem(problems.CodeApprovalDeclined), note: "declined, closed or silent: nothing is written"},
		{says: "Remove it after all.", tool: schemas.ToolRemovePartner, args: at(Unlinked, otherID), types: Unlinked,
			status: answers.StatusDone, check: absent, note: "a removal asks for the tenant's name"},
		{says: "Register 12345ab there.", tool: schemas.ToolRegisterPartner, args: at(Unlinked, "12345ab"),
			status: answers.StatusRefused, check: problem(problems.CodeInvalidPartnerID), note: "a mistake is refused before anything is read"},
		{says: fmt.Sprintf("Register %s at %s, which has another partner.", ourID, Linked), tool: schemas.ToolRegisterPartner, args: at(Linked, ourID),
			status: answers.StatusRefused, check: problem(problems.CodeAlreadyLinked), note: "registering never overwrites; the answer names the next step"},
		{says: fmt.Sprintf("Check %s. (ARM throttles.)", Linked), before: func(w World) { w.Throttle(Linked, 1, time.Second) },
			tool: schemas.ToolCheckPartnerLink, args: map[string]any{"tenant": Linked},
			status: answers.StatusDone, check: state(answers.LinkLinked), note: "429, one second of Retry-After waited for, then the answer"},
		{says: fmt.Sprintf("Check %s. (A gateway answers in HTML.)", broken), before: func(w World) { w.Garble(broken) },
			tool: schemas.ToolCheckPartnerLink, args: map[string]any{"tenant": broken},
			status: answers.StatusFailed, check: state(answers.LinkUnknown), note: "the answer is unknown, and never \"not linked\""},
	}
}

// expect is a check that fails with a complaint.
func expect(holds func(answers.Envelope) bool, complaint string, args ...any) func(answers.Envelope) error {
	return func(e answers.Envelope) error {
		if holds(e) {
			return nil
		}
		return fmt.Errorf(complaint, args...)
	}
}

func matched(tool string) func(answers.Envelope) error {
	return expect(func(e answers.Envelope) bool { return len(e.Matches) > 0 && e.Matches[0].Tool == tool }, "the first match is not %s", tool)
}

func state(want answers.LinkState) func(answers.Envelope) error {
	return expect(func(e answers.Envelope) bool { return e.Link != nil && e.Link.State == want }, "the state is not %s", want)
}

func whose(want answers.RowState) func(answers.Envelope) error {
	return expect(func(e answers.Envelope) bool { return e.Link != nil && e.Link.AuditState == want }, "the ID is not %s", want)
}

func after(id string) func(answers.Envelope) error {
	return expect(func(e answers.Envelope) bool { return e.After != nil && string(e.After.PartnerID) == id }, "%s is not linked afterwards", id)
}

func problem(code problems.Code) func(answers.Envelope) error {
	return expect(func(e answers.Envelope) bool { return e.Problem != nil && e.Problem.Code == code }, "the problem is not %s", code)
}
