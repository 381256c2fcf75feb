package tools_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// clerk is a person at the client, who answers a question in the same call.
type clerk struct {
	answer guard.Answer
	err    error
	// meanwhile happens while the question is open.
	meanwhile func()
	asked     []guard.Question
}

func (c *clerk) Resume() (guard.Seal, guard.Answer, bool) { return "", guard.Answer{}, false }
func (c *clerk) Reachable() bool                          { return true }
func (c *clerk) Ask(_ context.Context, q guard.Question, _ guard.Seal) (guard.Answer, error) {
	c.asked = append(c.asked, q)
	if c.meanwhile != nil {
		c.meanwhile()
	}
	return c.answer, c.err
}

func types(text string) *clerk {
	return &clerk{answer: guard.Answer{Action: guard.ActionAccept, Typed: text}}
}

func TestLinkLifecycle(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	for _, step := range []struct {
		tool, arguments string
		person          *clerk
		status          answers.Status
		linked          string
		writes          int
	}{
		{
			tool: schemas.ToolRegisterPartner, arguments: `{"partner_id":"1234567"}`, person: types("1234567"), status: answers.StatusDone,
			linked: "1234567", writes: 1,
		},
		{
			tool: schemas.ToolRegisterPartner, arguments: `{"partner_id":"1234567"}`, person: types("1234567"),
			status: answers.StatusUnchanged, linked: "1234567", writes: 1,
		},
		{
			tool: schemas.ToolRegisterPartner, arguments: `{"partner_id":"7654321"}`, person: types("7654321"),
			status: answers.StatusRefused, linked: "1234567", writes: 1,
		},
		{
			tool: schemas.ToolUpdatePartner, arguments: `{"partner_id":"7654321","expected_current_partner_id":"1234567"}`,
			person: types("7654321"), status: answers.StatusDone, linked: "7654321", writes: 2,
		},
		{
			tool: schemas.ToolUpdatePartner, arguments: `{"partner_id":"7654321"}`, person: types("7654321"),
			status: answers.StatusUnchanged, linked: "7654321", writes: 2,
		},
		{
			tool: schemas.ToolUpdatePartner, arguments: `{"partner_id":"1234567","expected_current_partner_id":"1111111"}`,
			person: types("1234567"), status: answers.StatusRefused, linked: "7654321", writes: 2,
		},
		{
			tool: schemas.ToolRemovePartner, arguments: `{"partner_id":"1234567"}`, person: types("contoso"), status: answers.StatusRefused,
			linked: "7654321", writes: 2,
		},
		{tool: schemas.ToolRemovePartner, arguments: `{"partner_id":"7654321"}`, person: types("contoso"), status: answers.StatusDone, writes: 3},
		{
			tool: schemas.ToolRemovePartner, arguments: `{"partner_id":"7654321"}`, person: types("contoso"),
			status: answers.StatusUnchanged, writes: 3,
		},
		{tool: schemas.ToolUpdatePartner, arguments: `{"partner_id":"7654321"}`, person: types("7654321"), status: answers.StatusRefused, writes: 3},
		{
			tool: schemas.ToolRegisterPartner, arguments: `{"partner_id":"1234567"}`, person: types("1234567"), status: answers.StatusDone,
			linked: "1234567", writes: 4,
		},
	} {
		envelope := h.ask(step.tool, step.arguments, step.person).Envelope
		if envelope.Status != step.status || h.linked("contoso") != step.linked || h.writes() != step.writes {
			t.Fatalf("%s %s: status %s (%s), linked %q, %d writes", step.tool, step.arguments, envelope.Status, envelope.Summary, h.linked("contoso"), h.writes())
		}
		if asked := len(step.person.asked) == 1; asked != (step.status == answers.StatusDone) {
			t.Errorf("%s: status %s, and the person was asked %d times", step.tool, step.status, len(step.person.asked))
		}
		if envelope.Status == answers.StatusDone && (envelope.Before == nil || envelope.After == nil || (step.linked != "" && envelope.After.Version == nil)) {
			t.Errorf("%s: before %v, after %v", step.tool, envelope.Before, envelope.After)
		}
	}
	if h.intents() != h.writes() {
		t.Errorf("%d writes, %d permits", h.writes(), h.intents())
	}
}

func TestRefusalsNameNextTool(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, unasked)
	h.link("contoso", "1234567")
	over := h.call(schemas.ToolRegisterPartner, `{"tenant":"contoso","partner_id":"7654321"}`)
	if over.Problem.Code != problems.CodeAlreadyLinked || over.Problem.NextTool != schemas.ToolUpdatePartner || !strings.Contains(over.Problem.Hint, "1234567") {
		t.Errorf("register over another: %+v", over.Problem)
	}
	none := h.call(schemas.ToolUpdatePartner, `{"tenant":"fabrikam","partner_id":"7654321"}`)
	if none.Problem.Code != problems.CodeNotLinked || none.Problem.NextTool != schemas.ToolRegisterPartner {
		t.Errorf("update without a link: %+v", none.Problem)
	}
	if h.writes() != 0 {
		t.Errorf("%d writes", h.writes())
	}
}

func TestWriteNeedsConfirmation(t *testing.T) {
	t.Parallel()
	for name, person := range map[string]*clerk{
		"declines":         {answer: guard.Answer{Action: guard.ActionDecline, Typed: "1234567"}},
		"cancels":          {answer: guard.Answer{Action: guard.ActionCancel}},
		"types another ID": types("7654321"),
		"types nothing":    types(""),
		"is not there":     {err: errors.New("timed out"), answer: guard.Answer{Action: guard.ActionAccept, Typed: "1234567"}},
	} {
		h := build(t, simulator.Config{Tenants: 1}, nil)
		envelope := h.ask(schemas.ToolRegisterPartner, `{"partner_id":"1234567"}`, person).Envelope
		if envelope.Status != answers.StatusRefused || envelope.Problem.Code != problems.CodeApprovalDeclined || h.writes() != 0 || h.intents() != 0 {
			t.Errorf("%s: %+v, %d writes", name, envelope, h.writes())
		}
	}
}

func TestWriteIsRefusedWhenLinkChangesDuringConfirmation(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	person := types("1234567")
	person.meanwhile = func() { h.link("contoso", "9999999") }
	envelope := h.ask(schemas.ToolRegisterPartner, `{"partner_id":"1234567"}`, person).Envelope
	if envelope.Status != answers.StatusRefused || envelope.Problem.Code != problems.CodeStateMoved || h.writes() != 0 {
		t.Errorf("%+v, %d writes", envelope, h.writes())
	}
}

func TestWriteWaitsForApproverWhenClientShowsNoForm(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	envelope := h.call(schemas.ToolRegisterPartner, `{"partner_id":"1234567"}`)
	if envelope.Status != answers.StatusApprovalRequired || envelope.Status.IsError() || envelope.Approval == nil || envelope.Approval.State != "pending" {
		t.Fatalf("%+v", envelope)
	}
	if !strings.Contains(envelope.Approval.How, "mcp-partner users add") {
		t.Errorf("how: %s", envelope.Approval.How)
	}
	again := h.call(schemas.ToolRegisterPartner, `{"partner_id":"1234567","approval_id":"`+envelope.Approval.ID+`"}`)
	if again.Status != answers.StatusApprovalRequired || again.Approval.ID != envelope.Approval.ID {
		t.Errorf("again: %+v", again)
	}
	other := h.call(schemas.ToolRegisterPartner, `{"partner_id":"7654321","approval_id":"`+envelope.Approval.ID+`"}`)
	if other.Status != answers.StatusRefused || other.Problem.Code != problems.CodeApprovalMismatch {
		t.Errorf("for another ID: %+v", other)
	}
	forged := h.call(schemas.ToolRegisterPartner, `{"partner_id":"1234567","approval_id":"ap_0"}`)
	if forged.Problem == nil || forged.Problem.Code != problems.CodeApprovalUnknown {
		t.Errorf("forged: %+v", forged)
	}
	if h.writes() != 0 {
		t.Errorf("%d writes", h.writes())
	}
}

func TestWritesAreOffUntilSwitchedOn(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, func(o *guard.Options) { o.AllowWrites = false })
	h.link("contoso", "1234567")
	for tool, arguments := range map[string]string{
		schemas.ToolRegisterPartner: `{"partner_id":"1234567"}`,
		schemas.ToolUpdatePartner:   `{"partner_id":"7654321"}`,
		schemas.ToolRemovePartner:   `{"partner_id":"1234567"}`,
	} {
		envelope := h.ask(tool, arguments, types("1234567")).Envelope
		if envelope.Status != answers.StatusRefused || envelope.Problem.Code != problems.CodeWritesDisabled || !strings.Contains(envelope.Problem.Hint, "--allow-writes") {
			t.Errorf("%s: %+v", tool, envelope)
		}
	}
	if h.sim.Stats().ARMReads+h.sim.Stats().ARMWrites != 0 {
		t.Error("a refused write made requests")
	}
}

func TestBoundsApplyToWrites(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, func(o *guard.Options) {
		o.Approval = access.ApprovalNone
		o.Bounds = access.Bounds{Tenants: []string{"contoso"}, PartnerIDs: []string{"1234567"}, Tools: []string{schemas.ToolRegisterPartner}}
	})
	for name, call := range map[string]struct{ tool, arguments string }{
		"tenant":     {schemas.ToolRegisterPartner, `{"tenant":"fabrikam","partner_id":"1234567"}`},
		"partner ID": {schemas.ToolRegisterPartner, `{"tenant":"contoso","partner_id":"7654321"}`},
		"tool":       {schemas.ToolRemovePartner, `{"tenant":"contoso","partner_id":"1234567"}`},
	} {
		if envelope := h.call(call.tool, call.arguments); envelope.Status != answers.StatusRefused || envelope.Problem.Code != problems.CodeNotAllowed {
			t.Errorf("%s: %+v", name, envelope)
		}
	}
	if envelope := h.call(schemas.ToolRegisterPartner, `{"partner_id":"1234567"}`); envelope.Status != answers.StatusDone || h.writes() != 1 {
		t.Errorf("inside the bound, tenant left out: %+v", envelope)
	}
}

// Whatever becomes of a write on the wire, the answer says what is so.
func TestWritesUnderFaults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[simulator.FaultKind]struct {
		status answers.Status
		code   problems.Code
		linked bool
	}{
		simulator.FaultLostAnswer:      {status: answers.StatusDone, linked: true},
		simulator.FaultErrorAfterWrite: {status: answers.StatusDone, linked: true},
		simulator.FaultOtherWriterBack: {status: answers.StatusFailed, code: problems.CodeConcurrentChange, linked: true},
		simulator.FaultOtherWriterLate: {status: answers.StatusFailed, code: problems.CodeConcurrentChange, linked: true},
		simulator.FaultClaimsChallenge: {status: answers.StatusDone, linked: true},
		simulator.FaultForbidden:       {status: answers.StatusFailed, code: problems.CodeForbidden},
		simulator.FaultHTML:            {status: answers.StatusFailed, code: problems.CodeWriteNotApplied},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := build(t, simulator.Config{Tenants: 1}, unasked)
			h.link("contoso", "7654321")
			h.inject("contoso", simulator.Rule{Kind: kind, Method: http.MethodPatch, Times: 1})
			envelope := h.call(schemas.ToolUpdatePartner, `{"partner_id":"1234567"}`)
			code := problems.Code("")
			if envelope.Problem != nil {
				code = envelope.Problem.Code
			}
			if envelope.Status != want.status || code != want.code {
				t.Errorf("status %s, code %q: %s", envelope.Status, code, envelope.Summary)
			}
			if now := h.linked("contoso"); envelope.After == nil || string(envelope.After.PartnerID) != now {
				t.Errorf("linked is %q, and the answer says %+v", now, envelope.After)
			}
		})
	}
}

func TestWriteCompletesWhenClientDisconnects(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	result := h.service.Call(ctx, tools.Call{
		Tool: schemas.ToolRegisterPartner, Arguments: []byte(`{"partner_id":"1234567"}`), Principal: trusted("test"), Confirmer: types("1234567"),
		Progress: func(step, _ int, _ string) {
			if step == 3 {
				hangUp()
			}
		},
	})
	if result.Envelope.Status != answers.StatusDone || h.linked("contoso") != "1234567" {
		t.Errorf("%+v", result.Envelope)
	}
	outcome := h.store.Events()[len(h.store.Events())-1]
	if outcome.Kind != guard.KindOutcome || outcome.Result != string(answers.StatusDone) {
		t.Errorf("the record ends with %+v", outcome)
	}
}

func TestCallerThatLeavesBeforeThePlanWritesNothing(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, unasked)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	result := h.service.Call(ctx, tools.Call{Tool: schemas.ToolRegisterPartner, Arguments: []byte(`{"partner_id":"1234567"}`), Principal: trusted("test"), Confirmer: tools.NoConfirmer{}})
	if result.Envelope.Status != answers.StatusFailed || result.Envelope.Problem.Code != problems.CodeCancelled || h.writes() != 0 {
		t.Errorf("%+v", result.Envelope)
	}
}

func TestPlanWritesNothing(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, func(o *guard.Options) { o.AllowWrites = false })
	plan := func(tool, arguments string) answers.Envelope {
		envelope := h.service.Call(t.Context(), tools.Call{Tool: tool, Arguments: []byte(arguments), Principal: trusted("test"), Confirmer: tools.NoConfirmer{}, PlanOnly: true}).Envelope
		h.valid(tool, envelope)
		return envelope
	}
	envelope := plan(schemas.ToolRegisterPartner, `{"partner_id":"1234567"}`)
	if envelope.Status != answers.StatusDone || len(envelope.Plan) != 2 || envelope.Plan[1].Method != http.MethodPut ||
		!strings.HasSuffix(envelope.Plan[1].URL, "/partners/1234567?api-version=2018-02-01") || h.writes() != 0 {
		t.Errorf("register: %+v", envelope)
	}
	reads := h.sim.Stats().ARMReads
	if envelope := plan(schemas.ToolCheckPartnerLink, `{}`); len(envelope.Plan) != 1 || h.sim.Stats().ARMReads != reads {
		t.Errorf("check: %+v", envelope)
	}
	if envelope := plan(schemas.ToolCheckPartnerLink, `{"partner_id":"1234567"}`); len(envelope.Plan) != 2 || !strings.Contains(envelope.Plan[0].URL, "/partners/1234567?") {
		t.Errorf("check with partner_id: %+v", envelope)
	}
}

// Every example of the catalogue ends as it says.
func TestCatalogueExamplesEndAsStated(t *testing.T) {
	t.Parallel()
	for _, op := range schemas.Catalogue() {
		for _, example := range op.Examples {
			h := build(t, simulator.Config{Tenants: 2}, unasked)
			if example.Link != "" {
				for _, tenant := range h.sim.Tenants() {
					h.link(tenant.Name, example.Link)
				}
			}
			if envelope := h.call(op.Name, string(example.Arguments)); envelope.Status != example.Status {
				t.Errorf("%s, %q: %s, want %s: %s", op.Name, example.Says, envelope.Status, example.Status, envelope.Summary)
			}
		}
	}
}
