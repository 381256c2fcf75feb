package tools_test

import (
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

var anna = guard.Credentials{Name: "anna", Passphrase: []byte("correct horse")}

// person is the policy under which every write waits for an approver.
func person(o *guard.Options) { o.Approval, o.Simulated = access.ApprovalApprover, false }

func (h *fixture) approver() {
	h.t.Helper()
	if err := h.guard.AddUser(h.t.Context(), guard.User{Name: anna.Name}, anna.Passphrase, guard.Credentials{}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *fixture) approve(id string) {
	h.t.Helper()
	if _, err := h.guard.Approve(h.t.Context(), id, anna.Name, anna.Passphrase); err != nil {
		h.t.Fatal(err)
	}
}

const registering = `{"tenant":"contoso","partner_id":"1234567"}`

func TestWriteIsApprovedByAnotherPerson(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, person)
	h.approver()
	asked := h.ask(schemas.ToolRegisterPartner, registering, types("1234567")).Envelope
	if asked.Status != answers.StatusApprovalRequired || !strings.Contains(asked.Approval.How, "approvals approve "+asked.Approval.ID) {
		t.Fatalf("%+v", asked)
	}
	state := func() string {
		return h.call(schemas.ToolGetApproval, `{"approval_id":"`+asked.Approval.ID+`"}`).Approval.State
	}
	if state() != "pending" || h.writes() != 0 {
		t.Fatalf("state %s, %d writes", state(), h.writes())
	}
	h.approve(asked.Approval.ID)
	if state() != "approved" {
		t.Errorf("state %s", state())
	}
	again := `{"tenant":"contoso","partner_id":"1234567","approval_id":"` + asked.Approval.ID + `"}`
	if done := h.call(schemas.ToolRegisterPartner, again); done.Status != answers.StatusDone || h.linked("contoso") != "1234567" {
		t.Fatalf("%+v", done)
	}
	if state() != "used" {
		t.Errorf("state %s", state())
	}
	if err := h.sim.ClearLink(h.tenant("contoso").TenantID); err != nil {
		t.Fatal(err)
	}
	if replay := h.call(schemas.ToolRegisterPartner, again); replay.Status != answers.StatusRefused || h.writes() != 1 {
		t.Errorf("replayed: %+v", replay)
	}
}

func TestApprovalsAreVisibleOnlyToCaller(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, person)
	h.approver()
	id := h.call(schemas.ToolRegisterPartner, registering).Approval.ID
	h.approve(id)
	for _, call := range []tools.Call{
		{Tool: schemas.ToolGetApproval, Arguments: []byte(`{"approval_id":"` + id + `"}`)},
		{Tool: schemas.ToolRegisterPartner, Arguments: []byte(`{"tenant":"contoso","partner_id":"1234567","approval_id":"` + id + `"}`)},
	} {
		call.Principal, call.Confirmer = trusted("other"), tools.NoConfirmer{}
		envelope := h.service.Call(t.Context(), call).Envelope
		if envelope.Status != answers.StatusRefused || envelope.Problem.Code != problems.CodeApprovalUnknown {
			t.Errorf("%s: %+v", call.Tool, envelope)
		}
	}
	if h.writes() != 0 {
		t.Errorf("%d writes", h.writes())
	}
}

func TestApprovedWriteIsRefusedWhenLinkChanged(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, person)
	h.approver()
	h.link("contoso", "7654321")
	id := h.call(schemas.ToolUpdatePartner, registering).Approval.ID
	h.approve(id)
	h.link("contoso", "9999999")
	envelope := h.call(schemas.ToolUpdatePartner, `{"tenant":"contoso","partner_id":"1234567","approval_id":"`+id+`"}`)
	if envelope.Problem == nil || envelope.Problem.Code != problems.CodeStateMoved || h.writes() != 0 ||
		!strings.Contains(envelope.Problem.Message, "7654321") || !strings.Contains(envelope.Problem.Message, "9999999") {
		t.Errorf("%+v", envelope)
	}
}

func TestPolicyAppliesToEveryCall(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 3}, func(o *guard.Options) {
		o.Rules = []access.Rule{
			{Name: "hands off", Tenants: []string{"fabrikam"}, Ruling: access.RulingDeny},
			{Name: "ours", Operations: []string{schemas.ToolRegisterPartner}, Tenants: []string{"*"}, PartnerIDs: []string{"1234567"}, When: answers.LinkNotLinked, Ruling: access.RulingAllow},
		}
	})
	for name, test := range map[string]struct {
		tool, arguments string
		code            problems.Code
	}{
		"a denied tenant, read": {tool: schemas.ToolCheckPartnerLink, arguments: `{"tenant":"fabrikam"}`, code: problems.CodePolicyDenied},
		"a denied tenant, write": {
			tool: schemas.ToolRegisterPartner, arguments: `{"tenant":"fabrikam","partner_id":"1234567"}`, code: problems.CodePolicyDenied,
		},
		"a stranger's ID": {
			tool: schemas.ToolRegisterPartner, arguments: `{"tenant":"contoso","partner_id":"7654321"}`, code: problems.CodePolicyDenied,
		},
		"no rule": {
			tool: schemas.ToolRemovePartner, arguments: `{"tenant":"contoso","partner_id":"1234567"}`, code: problems.CodePolicyDenied,
		},
		"allowed": {tool: schemas.ToolRegisterPartner, arguments: `{"tenant":"contoso","partner_id":"1234567"}`},
	} {
		envelope := h.call(test.tool, test.arguments)
		code := problems.Code("")
		if envelope.Problem != nil {
			code = envelope.Problem.Code
		}
		if code != test.code {
			t.Errorf("%s: %q, want %q", name, code, test.code)
		}
	}
	if h.writes() != 1 || h.intents() != 1 {
		t.Errorf("%d writes, %d permits", h.writes(), h.intents())
	}
}

func TestFrozenServerNamesReason(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, unasked)
	if err := h.guard.SetFreeze(t.Context(), false, "audit week"); err != nil {
		t.Fatal(err)
	}
	envelope := h.call(schemas.ToolRegisterPartner, registering)
	if envelope.Problem == nil || envelope.Problem.Code != problems.CodeFrozen || !strings.Contains(envelope.Problem.Message, "audit week") || h.writes() != 0 {
		t.Errorf("%+v", envelope)
	}
	if envelope := h.call(schemas.ToolCheckPartnerLink, `{}`); envelope.Status != answers.StatusDone {
		t.Errorf("a read: %+v", envelope)
	}
}

// What has begun is completed: a freeze between permit and write is too late.
func TestFreezeLetsBegunWriteComplete(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, unasked)
	result := h.service.Call(t.Context(), tools.Call{
		Tool: schemas.ToolRegisterPartner, Arguments: []byte(registering), Principal: trusted("test"), Confirmer: tools.NoConfirmer{},
		Progress: func(step, _ int, _ string) {
			if step == 3 {
				_ = h.guard.SetFreeze(t.Context(), true, "now")
			}
		},
	})
	if result.Envelope.Status != answers.StatusDone || h.linked("contoso") != "1234567" {
		t.Errorf("%+v", result.Envelope)
	}
}
