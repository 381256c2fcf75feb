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

// ownIDs bounds a fixture to the partner's own IDs.
func ownIDs(ids ...string) func(*guard.Options) {
	return func(o *guard.Options) {
		o.Bounds.PartnerIDs = ids
		o.AllowWrites, o.Approval = true, access.ApprovalNone
	}
}

func TestOwnIDsAreExpectedByDefault(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 4}, ownIDs("1234567", "2345678"))
	for tenant, id := range map[string]string{"contoso": "1234567", "fabrikam": "2345678", "northwind": "7654321"} {
		h.link(tenant, id)
	}
	for tenant, want := range map[string]answers.RowState{
		"contoso": answers.RowLinkedExpected, "fabrikam": answers.RowLinkedExpected, "northwind": answers.RowLinkedOther, "adventure-works": answers.RowNotLinked,
	} {
		envelope := h.call(schemas.ToolCheckPartnerLink, `{"tenant":"`+tenant+`"}`)
		if envelope.Link.AuditState != want || envelope.Link.State == answers.LinkLinked && *envelope.Link.MatchesExpected != (want == answers.RowLinkedExpected) {
			t.Errorf("%s: %+v", tenant, envelope.Link)
		}
		if want == answers.RowLinkedOther && !strings.Contains(envelope.Summary, "7654321, another partner's ID") {
			t.Error(envelope.Summary)
		}
	}
	audit := h.call(schemas.ToolAuditPartnerLinks, `{}`)
	if want := "4 tenants checked: 2 linked to the expected partner ID, 1 linked to another partner, 1 not linked. "; !strings.HasPrefix(audit.Summary, want) {
		t.Errorf("%s\nwant %s", audit.Summary, want)
	}
}

func TestExpectedOwnIDIsTheDefault(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, ownIDs("1234567"))
	for i := range h.directory.tenants {
		h.directory.tenants[i].ExpectedPartnerID = "1234567"
	}
	h.link("contoso", "1234567")
	audit := h.call(schemas.ToolAuditPartnerLinks, `{}`)
	if want := "2 tenants checked: 1 linked to 1234567, 1 not linked. "; !strings.HasPrefix(audit.Summary, want) {
		t.Errorf("%s\nwant %s", audit.Summary, want)
	}
	if envelope := h.call(schemas.ToolEnsurePartnerLinks, `{}`); envelope.Status != answers.StatusDone || h.tenant("fabrikam").PartnerID != "1234567" {
		t.Errorf("%s: %+v", envelope.Summary, envelope.Changes)
	}
}

func TestAnswerSaysThatOwnIDsAreUnset(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	h.link("contoso", "7654321")
	for _, tool := range []string{schemas.ToolCheckPartnerLink, schemas.ToolAuditPartnerLinks} {
		if envelope := h.call(tool, `{}`); !strings.Contains(envelope.Summary, "partner-ids") {
			t.Errorf("%s: %s", tool, envelope.Summary)
		}
	}
}

// What a tenant expects does not say that the ID is the reader's own.
func TestAuditSaysThatOwnIDsAreUnknownThoughTenantsExpectOne(t *testing.T) {
	t.Parallel()
	const unknown = "Your own partner IDs are unknown: set partner-ids, or pass own_partner_ids."
	h := build(t, simulator.Config{Tenants: 1}, nil)
	h.directory.tenants[0].ExpectedPartnerID = "7654321"
	for _, linked := range []string{"7654321", "1234567"} {
		h.link("contoso", linked)
		for arguments, want := range map[string]bool{`{}`: true, `{"own_partner_ids":["1234567"]}`: false} {
			if audit := h.call(schemas.ToolAuditPartnerLinks, arguments); strings.Contains(audit.Summary, unknown) != want {
				t.Errorf("linked to %s, %s: %s", linked, arguments, audit.Summary)
			}
		}
	}
}

func TestInstructionsSayWhatIsOwnAndWhetherWritesAreOff(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*guard.Options)
		says   []string
		not    string
	}{
		"own IDs, writes on": {
			change: ownIDs("1234567", "2345678"), says: []string{"own partner IDs: 1234567, 2345678."}, not: "Writes are off",
		},
		"no own IDs, writes off": {
			change: func(o *guard.Options) { o.AllowWrites = false },
			says:   []string{"setting partner-ids", "Writes are off", "mcp-partner install CLIENT -- --allow-writes"}, not: "own partner IDs:",
		},
	} {
		said := build(t, simulator.Config{Tenants: 1}, test.change).service.Instructions()
		for _, want := range test.says {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, said)
			}
		}
		if strings.Contains(said, test.not) {
			t.Errorf("%s: %q is in\n%s", name, test.not, said)
		}
	}
}

func TestRefusedWriteNamesTheCommandToThePersonAtTheMachine(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, func(o *guard.Options) { o.AllowWrites = false })
	for caller, want := range map[access.Caller]string{tools.StdioCaller: "mcp-partner install CLIENT -- --allow-writes", "token:x": ""} {
		envelope := h.service.Call(t.Context(), tools.Call{Tool: schemas.ToolRegisterPartner, Arguments: []byte(`{"partner_id":"1234567"}`), Principal: trusted(caller), Confirmer: tools.NoConfirmer{}}).Envelope
		if envelope.Problem == nil || envelope.Problem.Code != problems.CodeWritesDisabled || envelope.Problem.Command != want {
			t.Errorf("%s: %+v", caller, envelope.Problem)
		}
	}
}

func TestEveryAnswerSaysWhoseTheLinkedIDIs(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 3}, ownIDs("1234567", "2345678"))
	for tenant, id := range map[string]string{"adventure-works": "2345678", "contoso": "7654321"} {
		h.link(tenant, id)
	}
	for i := range h.directory.tenants {
		h.directory.tenants[i].ExpectedPartnerID = "1234567"
	}
	for _, c := range []struct{ tool, arguments, says string }{
		{tool: schemas.ToolCheckPartnerLink, arguments: `{"tenant":"contoso"}`, says: "7654321, another partner's ID (expected: 1234567)"},
		{
			tool: schemas.ToolCheckPartnerLink, arguments: `{"tenant":"adventure-works"}`,
			says: "2345678, another of this partner's own IDs (expected: 1234567)",
		},
		{tool: schemas.ToolCheckPECRoles, arguments: `{"tenant":"contoso"}`, says: "Linked to 7654321, another partner's ID (expected: 1234567)."},
		{
			tool: schemas.ToolCheckPECRoles, arguments: `{"tenant":"adventure-works"}`,
			says: "Linked to 2345678, another of this partner's own IDs (expected: 1234567).",
		},
		{
			tool: schemas.ToolRegisterPartner, arguments: `{"tenant":"contoso","partner_id":"1234567"}`,
			says: "Partner ID 7654321 is linked already, another partner's ID (expected: 1234567), and",
		},
		{
			tool: schemas.ToolRegisterPartner, arguments: `{"tenant":"adventure-works","partner_id":"2345678"}`,
			says: "in tenant adventure-works, another of this partner's own IDs (expected: 1234567); nothing was written.",
		},
		{
			tool: schemas.ToolRegisterPartner, arguments: `{"tenant":"fabrikam","partner_id":"2345678"}`,
			says: "in tenant fabrikam, another of this partner's own IDs (expected: 1234567); read back",
		},
		{
			tool: schemas.ToolRemovePartner, arguments: `{"tenant":"contoso","partner_id":"1234567"}`,
			says: "but 7654321, another partner's ID (expected: 1234567) is linked.",
		},
		{
			tool:      schemas.ToolUpdatePartner,
			arguments: `{"tenant":"contoso","partner_id":"1234567","expected_current_partner_id":"2345678"}`,
			says:      "but 7654321, another partner's ID (expected: 1234567) is linked.",
		},
	} {
		if envelope := h.call(c.tool, c.arguments); !strings.Contains(envelope.Summary, c.says) {
			t.Errorf("%s %s: %q\nwant %q", c.tool, c.arguments, envelope.Summary, c.says)
		}
	}
	want := map[string]answers.ChangeState{"adventure-works": answers.ChangeLinkedOwn, "contoso": answers.ChangeLinkedOther, "fabrikam": answers.ChangeLinkedOwn}
	for tool, arguments := range map[string]string{schemas.ToolEnsurePartnerLinks: `{}`, schemas.ToolTransitionPartner: `{"from":["8888888"],"to":"1234567"}`} {
		envelope := h.call(tool, arguments)
		for tenant, row := range states(envelope) {
			if row.State != want[tenant] || (row.State == answers.ChangeLinkedOwn) != strings.Contains(row.Why, "another of your own IDs") {
				t.Errorf("%s %s: %s %q", tool, tenant, row.State, row.Why)
			}
		}
		if len(envelope.Changes) != 3 || !strings.Contains(envelope.Summary, "1 linked to another ID, 2 linked to another of your own IDs") {
			t.Errorf("%s: %s", tool, envelope.Summary)
		}
	}
}
