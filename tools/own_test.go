package tools_test

import (
	"strings"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// ownIDs bounds a house to the partner's own IDs.
func ownIDs(ids ...string) func(*guard.Options) {
	return func(o *guard.Options) {
		o.Bounds.PartnerIDs = ids
		o.AllowWrites, o.Approval = true, guard.ApprovalNone
	}
}

func TestOwnIDsAreTheExpectation(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 4}, ownIDs("1234567", "2345678"))
	for tenant, id := range map[string]string{"contoso": "1234567", "fabrikam": "2345678", "northwind": "7654321"} {
		h.link(tenant, id)
	}
	for tenant, want := range map[string]schemas.RowState{
		"contoso": schemas.RowLinkedExpected, "fabrikam": schemas.RowLinkedExpected, "northwind": schemas.RowLinkedOther, "adventure-works": schemas.RowNotLinked,
	} {
		envelope := h.call(schemas.ToolCheckPartnerLink, `{"tenant":"`+tenant+`"}`)
		if envelope.Link.AuditState != want || envelope.Link.State == schemas.LinkLinked && *envelope.Link.MatchesExpected != (want == schemas.RowLinkedExpected) {
			t.Errorf("%s: %+v", tenant, envelope.Link)
		}
		if want == schemas.RowLinkedOther && !strings.Contains(envelope.Summary, "another partner's ID, 7654321") {
			t.Error(envelope.Summary)
		}
	}
	audit := h.call(schemas.ToolAuditPartnerLinks, `{}`)
	if want := "4 tenants checked: 2 linked to the expected partner ID, 1 linked to another partner, 1 not linked. "; !strings.HasPrefix(audit.Summary, want) {
		t.Errorf("%s\nwant %s", audit.Summary, want)
	}
}

func TestTheOnlyOwnIDIsTheDefault(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, ownIDs("1234567"))
	h.link("contoso", "1234567")
	audit := h.call(schemas.ToolAuditPartnerLinks, `{}`)
	if want := "2 tenants checked: 1 linked to 1234567, 1 not linked. "; !strings.HasPrefix(audit.Summary, want) {
		t.Errorf("%s\nwant %s", audit.Summary, want)
	}
	if envelope := h.call(schemas.ToolEnsurePartnerLinks, `{}`); envelope.Status != schemas.StatusDone || h.tenant("fabrikam").PartnerID != "1234567" {
		t.Errorf("%s: %+v", envelope.Summary, envelope.Changes)
	}
}

func TestWithoutOwnIDsTheAnswerSaysSo(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	h.link("contoso", "7654321")
	for _, tool := range []string{schemas.ToolCheckPartnerLink, schemas.ToolAuditPartnerLinks} {
		if envelope := h.call(tool, `{}`); !strings.Contains(envelope.Summary, "partner-ids") {
			t.Errorf("%s: %s", tool, envelope.Summary)
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
		"own IDs, writes on":     {ownIDs("1234567", "2345678"), []string{"own partner IDs: 1234567, 2345678."}, "Writes are off"},
		"no own IDs, writes off": {func(o *guard.Options) { o.AllowWrites = false }, []string{"setting partner-ids", "Writes are off", "mcp-partner install CLIENT -- --allow-writes"}, "own partner IDs:"},
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

func TestARefusedWriteNamesTheCommandToThePersonAtTheMachine(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, func(o *guard.Options) { o.AllowWrites = false })
	for caller, want := range map[guard.Caller]string{tools.StdioCaller: "mcp-partner install CLIENT -- --allow-writes", "token:x": ""} {
		envelope := h.service.Call(t.Context(), tools.Call{Tool: schemas.ToolRegisterPartner, Arguments: []byte(`{"partner_id":"1234567"}`), Principal: trusted(caller), Confirmer: tools.NoConfirmer{}}).Envelope
		if envelope.Problem == nil || envelope.Problem.Code != schemas.CodeWritesDisabled || envelope.Problem.Command != want {
			t.Errorf("%s: %+v", caller, envelope.Problem)
		}
	}
}
