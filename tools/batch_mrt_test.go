package tools_test

import (
	"context"
	"fmt"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tools"
)

// A form that goes out with the result is answered by another call.
func TestPlanIsConfirmedInASecondCall(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, nil)
	asked := h.ask(schemas.ToolEnsurePartnerLinks, ensuring, laterPerson{}).Elicitation
	if asked == nil || h.writes() != 0 {
		t.Fatal("nobody was asked")
	}
	answer := func(arguments, action string) answers.Envelope {
		person := resumed{seal: asked.Seal, answer: guard.Answer{Action: guard.Action(action), Typed: asked.Question.Expect}}
		return h.ask(schemas.ToolEnsurePartnerLinks, arguments, person).Envelope
	}
	if e := answer(`{"partner_id":"2345678"}`, "accept"); e.Problem == nil || e.Problem.Code != problems.CodeApprovalMismatch || h.writes() != 0 {
		t.Errorf("with other arguments: %+v", e)
	}
	if e := answer(ensuring, "accept"); e.Status != answers.StatusDone || h.writes() != 2 {
		t.Errorf("%s, %d writes", e.Summary, h.writes())
	}
	if e := answer(ensuring, "accept"); e.Problem == nil || e.Problem.Code != problems.CodeApprovalExpired || h.writes() != 2 {
		t.Errorf("replayed: %+v", e)
	}
}

type laterPerson struct{ afterThePlan }

func (laterPerson) Ask(context.Context, guard.Question, guard.Seal) (guard.Answer, error) {
	return guard.Answer{}, tools.ErrLater
}

type resumed struct {
	tools.NoConfirmer
	seal   guard.Seal
	answer guard.Answer
}

func (r resumed) Resume() (guard.Seal, guard.Answer, bool) { return r.seal, r.answer, true }

// Rows come in pages, those first that need a person.
func TestRunIsShownInPages(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 7, unasked)
	e := h.call(schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567","limit":3}`)
	seen := map[string]bool{}
	for cursor := e.NextCursor; ; {
		for _, row := range e.Changes {
			seen[row.Tenant] = true
		}
		if cursor == "" {
			break
		}
		e = h.call(schemas.ToolEnsurePartnerLinks, fmt.Sprintf(`{"run_id":%q,"limit":3,"cursor":%q}`, e.RunID, cursor))
		cursor = e.NextCursor
	}
	if len(seen) != 7 {
		t.Errorf("%d tenants were shown", len(seen))
	}
	page := func(cursor string) answers.Envelope {
		return h.call(schemas.ToolEnsurePartnerLinks, fmt.Sprintf(`{"run_id":%q,"cursor":%q}`, e.RunID, cursor))
	}
	if behind := page("900"); len(behind.Changes) != 0 || behind.NextCursor != "" {
		t.Errorf("behind the last row there are %d", len(behind.Changes))
	}
	for _, cursor := range []string{"x", "-1", "99999999999999999999"} {
		if e := page(cursor); e.Problem == nil || e.Problem.Code != problems.CodeInvalidArgument {
			t.Errorf("the cursor %s: %s", cursor, e.Summary)
		}
	}
}
